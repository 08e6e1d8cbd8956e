//! Guest memory: 2^20 pages of 4 KiB with permissions, handed out lazily from a limited pool.
//!
//! [`Memory`] is the one safe interface for loader, system calls, debugger and interpreter. How emitted code reaches a
//! page is a [`Placement`], chosen at start-up; [`table`] holds all of it that is unsafe. Accesses here are exact: a
//! store that crosses into a page that may not be written writes nothing.

pub mod table;

use std::fmt;
use std::io;
use table::Table;

/// Bytes of a guest page.
pub const PAGE_SIZE: u32 = 4096;
/// log2 of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;
/// Pages of the guest's address space.
pub const PAGE_COUNT: u32 = 1 << 20;

/// How emitted code reaches guest memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placement {
    /// The code walks the page tables itself: no signals, no big reservations.
    Paged,
    /// The host's MMU mirrors the page table in 4 GiB of reserved address space.
    Window,
    /// A window at host address 0: a guest address is a host address.
    Identity,
}

impl Placement {
    /// Every placement.
    pub const ALL: [Placement; 3] = [Placement::Paged, Placement::Window, Placement::Identity];

    /// Name as the command line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Placement::Paged => "paged",
            Placement::Window => "window",
            Placement::Identity => "identity",
        }
    }
}

/// What the guest may do with a page: a set of read, write and execute.
///
/// Write and execute imply read, as on hosts whose MMU has no execute-only pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// Read.
    pub const R: Permissions = Permissions(1);
    /// Read and write.
    pub const RW: Permissions = Permissions(3);
    /// Read and execute.
    pub const RX: Permissions = Permissions(5);
    /// All.
    pub const RWX: Permissions = Permissions(7);

    /// The set with these members, and read where another is there; `None` when it would be empty.
    #[must_use]
    pub const fn new(read: bool, write: bool, execute: bool) -> Option<Permissions> {
        let bits = (read || write || execute) as u8 | (write as u8) << 1 | (execute as u8) << 2;
        if bits == 0 {
            None
        } else {
            Some(Permissions(bits))
        }
    }

    /// The members as bits: 1 read, 2 write, 4 execute.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether writing is allowed.
    #[must_use]
    pub const fn writable(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether executing is allowed.
    #[must_use]
    pub const fn executable(self) -> bool {
        self.0 & 4 != 0
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, letter) in [(1, 'r'), (2, 'w'), (4, 'x')] {
            write!(f, "{}", if self.0 & bit != 0 { letter } else { '-' })?;
        }
        Ok(())
    }
}

/// What the guest tried to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Load.
    Read,
    /// Store.
    Write,
    /// Instruction fetch.
    Execute,
}

/// Why it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing is mapped there.
    Unmapped,
    /// Something is, but not for this.
    Denied,
    /// The address is not a multiple of the access's width, and strict alignment was asked for.
    Misaligned,
    /// The page would be the guest's, but the pool is used up.
    OutOfPages,
}

/// A guest memory fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The first guest address that could not be accessed.
    pub addr: u32,
    /// What was tried.
    pub access: Access,
    /// Why it failed.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = match self.access {
            Access::Read => "reading",
            Access::Write => "writing",
            Access::Execute => "executing",
        };
        let why = match (self.kind, self.access) {
            (FaultKind::Unmapped, _) if self.addr < PAGE_SIZE => "null page",
            (FaultKind::Unmapped, _) => "unmapped address",
            (FaultKind::Denied, Access::Read) => "page is not readable",
            (FaultKind::Denied, Access::Write) => "page is not writable",
            (FaultKind::Denied, Access::Execute) => "page is not executable",
            (FaultKind::Misaligned, _) => "misaligned address",
            (FaultKind::OutOfPages, _) => "out of memory pages",
        };
        write!(f, "{doing} {:#010x}: {why}", self.addr)
    }
}

impl std::error::Error for Fault {}

/// Why memory could not be set up or mapped.
#[derive(Debug)]
pub enum MemoryError {
    /// The host refused.
    Host {
        /// The placement asked for.
        placement: Placement,
        /// The host's error.
        source: io::Error,
    },
    /// This placement does not work with this host's page size.
    HostPageSize(Placement),
    /// More pages than the placement can have.
    TooManyPages {
        /// Asked for.
        pages: u32,
        /// The most there can be.
        most: u32,
    },
    /// The range is empty, wraps, touches page 0, or lies where the placement cannot map.
    BadRange {
        /// First address.
        start: u32,
        /// Length in bytes.
        len: u64,
    },
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryError::Host { placement, source } => write!(
                f,
                "the host refused memory for the {} placement: {source}",
                placement.name()
            ),
            MemoryError::HostPageSize(placement) => write!(
                f,
                "the {} placement needs host pages of 4 KiB",
                placement.name()
            ),
            MemoryError::TooManyPages { pages, most } => {
                write!(f, "{pages} memory pages asked for, at most {most} possible")
            }
            MemoryError::BadRange { start, len } => {
                write!(f, "cannot map {len:#x} bytes at {start:#010x}")
            }
        }
    }
}

impl std::error::Error for MemoryError {}

/// A type that guest loads and stores move: `u8`, `u16` or `u32`, little endian.
pub trait Scalar: Copy + sealed::Sealed {
    /// Bytes.
    const SIZE: u32;
    /// From the first `SIZE` bytes.
    fn from_bytes(bytes: [u8; 4]) -> Self;
    /// In the first `SIZE` bytes; the rest zero.
    fn to_bytes(self) -> [u8; 4];
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! scalar {
    ($($t:ident: $size:literal),*) => { $(
        impl sealed::Sealed for $t {}
        impl Scalar for $t {
            const SIZE: u32 = $size;
            fn from_bytes(bytes: [u8; 4]) -> $t {
                let mut own = [0; $size];
                own.copy_from_slice(&bytes[..$size]);
                $t::from_le_bytes(own)
            }
            fn to_bytes(self) -> [u8; 4] {
                let mut all = [0; 4];
                all[..$size].copy_from_slice(&self.to_le_bytes());
                all
            }
        }
    )* };
}
scalar!(u8: 1, u16: 2, u32: 4);

/// How much memory, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryConfig {
    /// How emitted code reaches a page.
    pub placement: Placement,
    /// The most pages the guest may touch.
    pub limit_pages: u32,
    /// Whether a misaligned load or store is a fault. Only the paged placement can do this.
    pub strict_align: bool,
}

impl Default for MemoryConfig {
    fn default() -> MemoryConfig {
        MemoryConfig {
            placement: Placement::Paged,
            limit_pages: (64 << 20) / PAGE_SIZE,
            strict_align: false,
        }
    }
}

/// A guest store to a page from which code was translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeWrite {
    /// First byte written.
    pub addr: u32,
    /// Bytes written.
    pub len: u32,
}

/// The guest's memory.
#[derive(Debug)]
pub struct Memory {
    table: Table,
    strict_align: bool,
    code_writes: Vec<CodeWrite>,
    watch: Option<u32>,
    watch_hit: bool,
}

impl Memory {
    /// Empty memory: nothing is mapped.
    ///
    /// # Errors
    /// What the host refuses, or a limit that the placement cannot have.
    pub fn new(config: MemoryConfig) -> Result<Memory, MemoryError> {
        Ok(Memory {
            table: Table::new(config.placement, config.limit_pages)?,
            strict_align: config.strict_align,
            code_writes: Vec::new(),
            watch: None,
            watch_hit: false,
        })
    }

    /// How emitted code reaches a page.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.table.placement()
    }

    /// Whether a misaligned load or store is a fault.
    #[must_use]
    pub fn strict_align(&self) -> bool {
        self.strict_align
    }

    /// The tables, for the engine whose emitted code reads them.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Gives the guest the pages that `[start, start + len)` touches. Where a page is mapped already, the
    /// permissions add up.
    ///
    /// # Errors
    /// [`MemoryError::BadRange`]; [`MemoryError::Host`] when the host refuses.
    pub fn map(
        &mut self,
        start: u32,
        len: u64,
        permissions: Permissions,
    ) -> Result<(), MemoryError> {
        let end = u64::from(start) + len;
        if len == 0 || end > 1 << 32 || start < PAGE_SIZE {
            return Err(MemoryError::BadRange { start, len });
        }
        let first = start >> PAGE_SHIFT;
        let pages = u32::try_from(end.div_ceil(u64::from(PAGE_SIZE))).unwrap_or(PAGE_COUNT) - first;
        self.table.map(first, pages, permissions)
    }

    /// Takes the pages that lie wholly inside `[start, start + len)` away from the guest.
    ///
    /// # Errors
    /// [`MemoryError::Host`] when the host refuses.
    pub fn unmap(&mut self, start: u32, len: u64) -> Result<(), MemoryError> {
        let end = (u64::from(start) + len).min(1 << 32);
        let first = start.div_ceil(PAGE_SIZE);
        let end_page = u32::try_from(end >> PAGE_SHIFT).unwrap_or(PAGE_COUNT);
        if end_page > first {
            self.note_code_write(start, u32::try_from(len).unwrap_or(u32::MAX));
            self.table.unmap(first, end_page - first)?;
        }
        Ok(())
    }

    /// What the guest may do at this address; `None` where nothing is mapped.
    #[must_use]
    pub fn permissions(&self, addr: u32) -> Option<Permissions> {
        self.table.permissions(addr >> PAGE_SHIFT)
    }

    /// Takes everything from the guest, by walking only the pages in use.
    ///
    /// # Errors
    /// [`MemoryError::Host`] when the host refuses.
    pub fn reset(&mut self) -> Result<(), MemoryError> {
        self.code_writes.clear();
        self.set_watch(None);
        self.table.reset()
    }

    /// Pages that the guest has touched and still has.
    #[must_use]
    pub fn pages_used(&self) -> u32 {
        self.table.pages_used()
    }

    /// The most pages the guest had at one time.
    #[must_use]
    pub fn pages_peak(&self) -> u32 {
        self.table.pages_peak()
    }

    /// The most pages the guest may have.
    #[must_use]
    pub fn limit_pages(&self) -> u32 {
        self.table.limit_pages()
    }

    /// Reads as a guest load does.
    ///
    /// # Errors
    /// The fault that the guest's load meets.
    #[inline]
    pub fn load<T: Scalar>(&mut self, addr: u32) -> Result<T, Fault> {
        self.check_alignment::<T>(addr, Access::Read)?;
        let mut bytes = [0; 4];
        self.transfer(
            addr,
            T::SIZE,
            Access::Read,
            |table, page, offset, done, n| {
                table.copy_out(page, offset, &mut bytes[done..done + n]);
            },
        )?;
        Ok(T::from_bytes(bytes))
    }

    /// Writes as a guest store does: all or nothing.
    ///
    /// # Errors
    /// The fault that the guest's store meets.
    #[inline]
    pub fn store<T: Scalar>(&mut self, addr: u32, value: T) -> Result<(), Fault> {
        self.check_alignment::<T>(addr, Access::Write)?;
        self.write(addr, &value.to_bytes()[..T::SIZE as usize])
    }

    /// Reads an instruction word. The caller has checked that `pc` is a multiple of 4.
    ///
    /// # Errors
    /// The fault that the guest's fetch meets.
    #[inline]
    pub fn fetch(&mut self, pc: u32) -> Result<u32, Fault> {
        let mut bytes = [0; 4];
        self.transfer(pc, 4, Access::Execute, |table, page, offset, done, n| {
            table.copy_out(page, offset, &mut bytes[done..done + n]);
        })?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Reads bytes that the guest may read.
    ///
    /// # Errors
    /// The fault at the first byte that it may not; nothing is read then.
    pub fn read(&mut self, addr: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        let len = length(bytes, addr, Access::Read)?;
        self.transfer(addr, len, Access::Read, |table, page, offset, done, n| {
            table.copy_out(page, offset, &mut bytes[done..done + n]);
        })
    }

    /// Writes bytes that the guest may write.
    ///
    /// # Errors
    /// The fault at the first byte that it may not; nothing is written then.
    #[inline]
    pub fn write(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Fault> {
        let len = length(bytes, addr, Access::Write)?;
        self.transfer(addr, len, Access::Write, |table, page, offset, done, n| {
            table.copy_in(page, offset, &bytes[done..done + n]);
        })?;
        self.note_code_write(addr, len);
        Ok(())
    }

    /// Writes bytes whatever the permissions, as the loader and a debugger do. The pages must be mapped.
    ///
    /// # Errors
    /// The fault at the first byte that is not mapped; nothing is written then.
    pub fn poke(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Fault> {
        let len = length(bytes, addr, Access::Write)?;
        self.transfer(addr, len, Access::Read, |table, page, offset, done, n| {
            table.copy_in(page, offset, &bytes[done..done + n]);
        })
        .map_err(|fault| Fault {
            access: Access::Write,
            ..fault
        })?;
        self.note_code_write(addr, len);
        Ok(())
    }

    /// Reads a NUL-terminated string of at most `most` bytes, without the NUL.
    ///
    /// # Errors
    /// The fault at the first byte that may not be read; a string without a NUL within `most` bytes comes back cut.
    pub fn read_c_string(&mut self, addr: u32, most: usize) -> Result<Vec<u8>, Fault> {
        let mut string = Vec::new();
        let mut at = addr;
        while string.len() < most {
            match self.load_byte(at)? {
                0 => break,
                byte => string.push(byte),
            }
            at = at.wrapping_add(1);
        }
        Ok(string)
    }

    fn load_byte(&mut self, addr: u32) -> Result<u8, Fault> {
        self.load::<u8>(addr)
    }

    /// Write-protects a page that code was translated from: stores to it are noted in [`Memory::take_code_writes`],
    /// and emitted stores to it fail over to the slow path.
    pub fn protect_code(&mut self, page: u32) {
        self.table.set_code(page, true);
    }

    /// Ends what [`Memory::protect_code`] began.
    pub fn unprotect_code(&mut self, page: u32) {
        if self.watch.map(|addr| addr >> PAGE_SHIFT) != Some(page) {
            self.table.set_code(page, false);
        }
    }

    /// Watches the word at this address: [`Memory::watch_hit`] tells of writes to it. Its page is treated as code is,
    /// so that no store to it goes unseen and nothing else costs more.
    pub fn set_watch(&mut self, addr: Option<u32>) {
        if let Some(old) = self.watch.take() {
            self.table.set_code(old >> PAGE_SHIFT, false);
        }
        self.watch = addr;
        self.watch_hit = false;
        if let Some(new) = addr {
            self.table.set_code(new >> PAGE_SHIFT, true);
        }
    }

    /// Whether the watched word was written since [`Memory::clear_watch_hit`]. Engines look at this after each store
    /// that went through here, and stop with `Stop::Watch`.
    #[inline]
    #[must_use]
    pub fn watch_hit(&self) -> bool {
        self.watch_hit
    }

    /// Makes [`Memory::watch_hit`] false.
    pub fn clear_watch_hit(&mut self) {
        self.watch_hit = false;
    }

    /// The stores to protected pages since the last call.
    pub fn take_code_writes(&mut self) -> Vec<CodeWrite> {
        std::mem::take(&mut self.code_writes)
    }

    /// Whether there are stores to protected pages that nobody has taken.
    #[inline]
    #[must_use]
    pub fn has_code_writes(&self) -> bool {
        !self.code_writes.is_empty()
    }

    #[inline]
    fn check_alignment<T: Scalar>(&self, addr: u32, access: Access) -> Result<(), Fault> {
        if self.strict_align && !addr.is_multiple_of(T::SIZE) {
            return Err(Fault {
                addr,
                access,
                kind: FaultKind::Misaligned,
            });
        }
        Ok(())
    }

    fn note_code_write(&mut self, addr: u32, len: u32) {
        if len == 0 {
            return;
        }
        let first = addr >> PAGE_SHIFT;
        let pages = ((addr % PAGE_SIZE) as u64 + u64::from(len)).div_ceil(u64::from(PAGE_SIZE));
        let touches_code = (0..pages)
            .map(|n| first.wrapping_add(u32::try_from(n).unwrap_or(0)) % PAGE_COUNT)
            .any(|page| self.table.is_code(page));
        if touches_code {
            self.code_writes.push(CodeWrite { addr, len });
            self.watch_hit |= self.watch.is_some_and(|watch| {
                watch.wrapping_sub(addr) < len || addr.wrapping_sub(watch) < 4
            });
        }
    }

    /// Calls `step(table, page, offset in page, bytes done, bytes now)` for each page that `[addr, addr + len)`
    /// touches, wrapping at 2^32, after all of them were found to allow the access.
    #[inline]
    fn transfer(
        &mut self,
        addr: u32,
        len: u32,
        access: Access,
        mut step: impl FnMut(&mut Table, u32, usize, usize, usize),
    ) -> Result<(), Fault> {
        if len == 0 {
            return Ok(());
        }
        let offset = (addr % PAGE_SIZE) as usize;
        if offset + len as usize <= PAGE_SIZE as usize {
            let page = addr >> PAGE_SHIFT;
            self.table
                .prepare(page, access)
                .map_err(|kind| Fault { addr, access, kind })?;
            step(&mut self.table, page, offset, 0, len as usize);
            return Ok(());
        }
        self.transfer_pages(addr, len, access, step)
    }

    #[cold]
    fn transfer_pages(
        &mut self,
        addr: u32,
        len: u32,
        access: Access,
        mut step: impl FnMut(&mut Table, u32, usize, usize, usize),
    ) -> Result<(), Fault> {
        let chunks = || {
            let mut done = 0;
            std::iter::from_fn(move || {
                let at = addr.wrapping_add(done);
                let now = (PAGE_SIZE - at % PAGE_SIZE).min(len - done);
                let chunk = (at, done, now);
                done += now;
                (now > 0).then_some(chunk)
            })
        };
        // Two passes, the first without side effects: an access that fails hands out no page.
        for (at, ..) in chunks() {
            self.table
                .check(at >> PAGE_SHIFT, access)
                .map_err(|kind| Fault {
                    addr: at,
                    access,
                    kind,
                })?;
        }
        for (at, ..) in chunks() {
            self.table
                .prepare(at >> PAGE_SHIFT, access)
                .map_err(|kind| Fault {
                    addr: at,
                    access,
                    kind,
                })?;
        }
        for (at, done, now) in chunks() {
            step(
                &mut self.table,
                at >> PAGE_SHIFT,
                (at % PAGE_SIZE) as usize,
                done as usize,
                now as usize,
            );
        }
        Ok(())
    }
}

/// The length of a buffer; a buffer of 4 GiB or more cannot be inside guest memory.
fn length(bytes: &[u8], addr: u32, access: Access) -> Result<u32, Fault> {
    u32::try_from(bytes.len()).map_err(|_| Fault {
        addr,
        access,
        kind: FaultKind::Unmapped,
    })
}

//! Guest memory: 2^20 pages of 4 KiB with permissions, handed out lazily from a limited pool.
//!
//! [`Memory`] is the one safe interface for loader, system calls, debugger and interpreter. How emitted code reaches a
//! page is a [`Placement`], chosen at start-up. `supply` hands pages out, and `table` holds their bytes and all that is
//! unsafe. Accesses here are exact: a store that crosses into a page that may not be written writes nothing.

mod breakpoint;
mod code_writes;
mod config;
mod fault;
mod permissions;
mod scalar;
mod snapshot;
mod supply;
mod table;

pub use code_writes::CodeWrite;
pub use config::{MemoryConfig, MemoryError, Placement};
pub use fault::{Access, Fault, FaultKind};
pub use permissions::Permissions;
pub use scalar::Scalar;
pub use snapshot::MemorySnapshot;
pub use table::{IDENTITY_LOWEST, PAGED_MOST_PAGES, Table};

use crate::rv32::decode::EBREAK;
use crate::rv32::{Fetched, Isa};
use breakpoint::Breakpoint;
use std::ops::Range;
use supply::Supply;

/// Bytes of a guest page.
pub const PAGE_SIZE: u32 = 4096;
/// log2 of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;
/// Pages of the guest's address space.
pub const PAGE_COUNT: u32 = 1 << 20;

/// The guest's memory.
#[derive(Debug)]
pub struct Memory {
    supply: Supply,
    strict_align: bool,
    code_writes: Vec<CodeWrite>,
    fence_i: bool,
    watch: Option<Range<u32>>,
    watch_hit: bool,
    stop_asked: bool,
    /// See [`Memory::bind`].
    bound: u64,
    /// See [`Memory::set_breakpoint`].
    breakpoint: Breakpoint,
}

impl Memory {
    /// Empty memory: nothing is mapped.
    ///
    /// # Errors
    /// What the host refuses, or a limit that the placement cannot have.
    pub fn new(config: MemoryConfig) -> Result<Memory, MemoryError> {
        Ok(Memory {
            supply: Supply::new(config.placement, config.limit_pages)?,
            strict_align: config.strict_align,
            code_writes: Vec::new(),
            fence_i: false,
            watch: None,
            watch_hit: false,
            stop_asked: false,
            bound: 0,
            breakpoint: Breakpoint::NONE,
        })
    }

    /// How emitted code reaches a page.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.supply.table().placement()
    }

    /// Whether a misaligned load or store is a fault.
    #[must_use]
    pub fn strict_align(&self) -> bool {
        self.strict_align
    }

    /// The tables, for the engine whose emitted code reads them.
    #[must_use]
    pub fn table(&self) -> &Table {
        self.supply.table()
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
        if len == 0 || end > 1 << 32 {
            return Err(MemoryError::BadRange { start, len });
        }
        let first = start >> PAGE_SHIFT;
        let pages = u32::try_from(end.div_ceil(u64::from(PAGE_SIZE))).unwrap_or(PAGE_COUNT) - first;
        self.supply.map(first, pages, permissions)
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
            self.supply.unmap(first, end_page - first)?;
        }
        Ok(())
    }

    /// What the guest may do at this address; `None` where nothing is mapped.
    #[must_use]
    pub fn permissions(&self, addr: u32) -> Option<Permissions> {
        self.supply.table().permissions(addr >> PAGE_SHIFT)
    }

    /// Takes everything from the guest, by walking only the pages in use.
    ///
    /// # Errors
    /// [`MemoryError::Host`] when the host refuses.
    pub fn reset(&mut self) -> Result<(), MemoryError> {
        self.bound = 0;
        self.breakpoint = Breakpoint::NONE;
        self.code_writes.clear();
        self.set_watch(None);
        self.supply.reset()
    }

    /// Pages that the guest has touched and still has.
    #[must_use]
    pub fn pages_used(&self) -> u32 {
        self.supply.pages_used()
    }

    /// The most pages the guest had at one time.
    #[must_use]
    pub fn pages_peak(&self) -> u32 {
        self.supply.pages_peak()
    }

    /// The most pages the guest may have.
    #[must_use]
    pub fn limit_pages(&self) -> u32 {
        self.supply.limit_pages()
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
        Ok(match pc == self.breakpoint.at {
            true => EBREAK,
            false => u32::from_le_bytes(bytes),
        })
    }

    /// Reads half of an instruction. The caller has checked that `pc` is even.
    ///
    /// # Errors
    /// The fault that the guest's fetch meets.
    #[inline]
    pub fn fetch_half(&mut self, pc: u32) -> Result<u16, Fault> {
        let mut bytes = [0; 2];
        self.transfer(pc, 2, Access::Execute, |table, page, offset, done, n| {
            table.copy_out(page, offset, &mut bytes[done..done + n]);
        })?;
        Ok(self.breakpoint.half(pc, u16::from_le_bytes(bytes)))
    }

    /// Fetches the instruction at `pc`, which is aligned as `isa` wants it.
    ///
    /// # Errors
    /// The fault that the guest's fetch meets.
    pub fn fetch_insn(&mut self, isa: Isa, pc: u32) -> Result<Fetched, Fault> {
        Fetched::at(isa, pc, |pc| self.fetch_half(pc))
    }

    /// Reads half-words of instructions that follow each other, the first at an even address.
    ///
    /// # Errors
    /// The fault that the guest's fetch of the first one meets that cannot be fetched.
    pub fn fetch_halves<const N: usize>(&mut self, pc: u32) -> Result<[u16; N], Fault> {
        let mut halves = [[0; 2]; N];
        let bytes = halves.as_flattened_mut();
        let len = length(bytes, pc, Access::Execute)?;
        self.transfer(pc, len, Access::Execute, |table, page, offset, done, n| {
            table.copy_out(page, offset, &mut bytes[done..done + n]);
        })?;
        let mut halves = halves.map(u16::from_le_bytes);
        let offset = self.breakpoint.at.wrapping_sub(pc) as usize;
        for (n, half) in self.breakpoint.halves().iter().enumerate() {
            if let (0, Some(place)) = (offset % 2, halves.get_mut(offset / 2 + n)) {
                *place = *half;
            }
        }
        Ok(halves)
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

    /// Reads what the guest may read, for an observer: no page is handed out, one without memory reads as zeros.
    ///
    /// # Errors
    /// The fault at the first byte that the guest may not read.
    pub fn peek(&self, addr: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.look(addr, bytes, Access::Read)
    }

    /// The instruction at `pc`, for an observer; as [`Memory::peek`].
    ///
    /// # Errors
    /// The fault that the guest's fetch would meet.
    pub fn peek_insn(&self, isa: Isa, pc: u32) -> Result<Fetched, Fault> {
        Fetched::at(isa, pc, |pc| {
            let mut bytes = [0; 2];
            self.look(pc, &mut bytes, Access::Execute)?;
            Ok(u16::from_le_bytes(bytes))
        })
    }

    fn look(&self, addr: u32, bytes: &mut [u8], access: Access) -> Result<(), Fault> {
        let (mut addr, mut rest) = (addr, bytes);
        while !rest.is_empty() {
            let (page, offset) = (addr >> PAGE_SHIFT, (addr % PAGE_SIZE) as usize);
            let now = rest.len().min(PAGE_SIZE as usize - offset);
            let (part, behind) = rest.split_at_mut(now);
            match self.supply.permits(page, access) {
                Ok(true) => part.fill(0),
                Ok(false) => self.supply.table().copy_out(page, offset, part),
                Err(kind) => return Err(Fault { addr, access, kind }),
            }
            rest = behind;
            addr = (page + 1) % PAGE_COUNT * PAGE_SIZE;
        }
        Ok(())
    }

    /// How many of these bytes [`Memory::write`] could write, up to the first that it could not.
    pub fn writable_bytes(&mut self, addr: u32, len: u32) -> u32 {
        let (mut done, mut wanted) = (0, 0);
        while done < len {
            let at = addr.wrapping_add(done);
            match self.supply.check(at >> PAGE_SHIFT, Access::Write, wanted) {
                Ok(lacks) => {
                    wanted += u32::from(lacks);
                    done = done.saturating_add(PAGE_SIZE - at % PAGE_SIZE);
                }
                Err(FaultKind::OutOfPages) if self.supply.makes_room() => (done, wanted) = (0, 0),
                Err(_) => break,
            }
        }
        done.min(len)
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
        let wraps = addr.checked_add(len).is_none();
        self.transfer(addr, len, Access::Read, |table, page, offset, done, n| {
            match done {
                _ if wraps => table.copy_in(page, offset, &bytes[done..done + n]),
                // All pages are ready, and the host opens and closes them in one turn.
                0 => table.copy_in_run(page, offset, bytes),
                _ => {}
            }
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
            self.supply
                .prepare(page, access)
                .map_err(|kind| Fault { addr, access, kind })?;
            step(self.supply.table_mut(), page, offset, 0, len as usize);
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
        let check = |supply: &Supply| -> Result<(), Fault> {
            let mut wanted = 0;
            for (addr, ..) in chunks() {
                let lacks = supply.check(addr >> PAGE_SHIFT, access, wanted);
                wanted += u32::from(lacks.map_err(|kind| Fault { addr, access, kind })?);
            }
            Ok(())
        };
        match check(&self.supply) {
            Err(fault) if fault.kind == FaultKind::OutOfPages && self.supply.makes_room() => {
                check(&self.supply)?;
            }
            answer => answer?,
        }
        for (addr, ..) in chunks() {
            self.supply
                .prepare_checked(addr >> PAGE_SHIFT)
                .map_err(|kind| Fault { addr, access, kind })?;
        }
        for (at, done, now) in chunks() {
            step(
                self.supply.table_mut(),
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

#[cfg(test)]
mod tests;

//! The page table and the memory behind it: what is where for each [`Placement`], and all that is unsafe about it.
//!
//! One byte of flags a page is the truth: the guest's permissions, whether the page has memory (`RESIDENT`) and whether
//! code was translated from it (`CODE`). What emitted code uses follows from the flags: two tables of page numbers in
//! the pool for the paged placement, the host's page protection for the others.
//!
//! Invariants: a page is `RESIDENT` only while mapped; emitted code can read a page exactly when it is `RESIDENT` (all
//! mapped pages are readable), and write it exactly when it is also writable and not `CODE`; page 0 is never mapped.
//!
//! Pages are handed out when touched, and at most [`Table::limit_pages`] of them. Where the MMU holds the table, an
//! untouched page would cost a host fault, so as long as everything that is mapped fits the limit, pages are given
//! memory when they are mapped and the host counts which were touched; that can be told apart by nobody.
#![expect(
    unsafe_code,
    reason = "guest memory is raw host memory that emitted code also uses"
)]

use super::{Access, FaultKind, MemoryError, PAGE_COUNT, PAGE_SIZE, Permissions, Placement};
use crate::sys::mmap::{Mapping, Protection, page_size};

const READ: u8 = 1;
const WRITE: u8 = 2;
const EXECUTE: u8 = 4;
const MAPPED: u8 = READ | WRITE | EXECUTE;
const RESIDENT: u8 = 8;
const CODE: u8 = 16;

/// The most pages of the paged placement: its table entries have 16 bits, and 0 means "none".
pub const PAGED_MOST_PAGES: u32 = u16::MAX as u32;
/// Bytes that are reserved and inaccessible on both sides of a window: an access that starts in the guest's 4 GiB,
/// or is off by an instruction's offset (±2 KiB), cannot reach past them.
pub const GUARD: usize = 64 << 10;
/// Where the identity placement begins: Linux keeps the addresses below for itself.
pub const IDENTITY_LOWEST: u32 = 64 << 10;

const SPACE: usize = 1 << 32;

#[derive(Debug)]
enum Backing {
    Paged {
        /// Page number in `pool` by guest page, 0 where emitted code may not read.
        read: Box<[u16]>,
        /// The same for writing.
        write: Box<[u16]>,
        /// Page 0 is never used.
        pool: Mapping,
        /// The lowest page of `pool` that was never handed out.
        next: u32,
        free: Vec<u16>,
    },
    Window {
        space: Mapping,
        /// The guest address that `space` begins with, minus the guard before it.
        lowest: usize,
        guard: usize,
    },
}

/// See the module's description.
#[derive(Debug)]
pub struct Table {
    placement: Placement,
    flags: Box<[u8]>,
    backing: Backing,
    /// Disjoint runs of pages (first, count) that were mapped since the last reset.
    extents: Vec<(u32, u32)>,
    limit: u32,
    mapped: u32,
    /// Pages with memory; meaningful while `eager` is false.
    used: u32,
    peak: u32,
    /// Whether pages get memory when mapped: only with a window, and only while the limit cannot be reached.
    eager: bool,
}

impl Table {
    pub(super) fn new(placement: Placement, limit: u32) -> Result<Table, MemoryError> {
        let host = |source| MemoryError::Host { placement, source };
        let most = match placement {
            Placement::Paged => PAGED_MOST_PAGES,
            Placement::Window | Placement::Identity => PAGE_COUNT - 1,
        };
        if limit > most {
            return Err(MemoryError::TooManyPages { pages: limit, most });
        }
        let backing = match placement {
            Placement::Paged => Backing::Paged {
                read: vec![0; PAGE_COUNT as usize].into_boxed_slice(),
                write: vec![0; PAGE_COUNT as usize].into_boxed_slice(),
                pool: Mapping::new(
                    (limit as usize + 1) * PAGE_SIZE as usize,
                    Protection::ReadWrite,
                )
                .map_err(host)?,
                next: 1,
                free: Vec::new(),
            },
            Placement::Window | Placement::Identity if page_size() != PAGE_SIZE as usize => {
                return Err(MemoryError::HostPageSize(placement));
            }
            Placement::Window => Backing::Window {
                space: Mapping::new(SPACE + 2 * GUARD, Protection::None).map_err(host)?,
                lowest: 0,
                guard: GUARD,
            },
            Placement::Identity => Backing::Window {
                space: identity_space().map_err(host)?,
                lowest: IDENTITY_LOWEST as usize,
                guard: 0,
            },
        };
        Ok(Table {
            placement,
            flags: vec![0; PAGE_COUNT as usize].into_boxed_slice(),
            eager: matches!(backing, Backing::Window { .. }),
            backing,
            extents: Vec::new(),
            limit,
            mapped: 0,
            used: 0,
            peak: 0,
        })
    }

    pub(super) fn placement(&self) -> Placement {
        self.placement
    }

    /// The most pages there can be at one time.
    #[must_use]
    pub fn limit_pages(&self) -> u32 {
        self.limit
    }

    /// Host address of the table that loads index by guest page: 16-bit page numbers in the pool, 0 for none.
    /// `None` unless paged.
    #[must_use]
    pub fn read_table(&self) -> Option<usize> {
        match &self.backing {
            Backing::Paged { read, .. } => Some(read.as_ptr().addr()),
            Backing::Window { .. } => None,
        }
    }

    /// Host address of the table that stores index; as [`Table::read_table`].
    #[must_use]
    pub fn write_table(&self) -> Option<usize> {
        match &self.backing {
            Backing::Paged { write, .. } => Some(write.as_ptr().addr()),
            Backing::Window { .. } => None,
        }
    }

    /// Host address that page number 0 of the pool, or guest address 0 of the window, has.
    #[must_use]
    pub fn base(&self) -> usize {
        match &self.backing {
            Backing::Paged { pool, .. } => pool.address(),
            Backing::Window {
                space,
                lowest,
                guard,
            } => space.address() + guard - lowest,
        }
    }

    /// Whether a host address lies in the window or its guards, so that a host fault there is the guest's doing.
    #[must_use]
    pub fn owns_host_address(&self, address: usize) -> bool {
        match &self.backing {
            Backing::Paged { .. } => false,
            // Identity: also what an offset below address 0 wraps to, and the host's own forbidden lowest pages.
            Backing::Window { guard: 0, .. } => {
                !(SPACE + GUARD..usize::MAX - GUARD).contains(&address)
            }
            Backing::Window { space, .. } => {
                (space.address()..space.address() + space.len()).contains(&address)
            }
        }
    }

    pub(super) fn permissions(&self, page: u32) -> Option<Permissions> {
        let flags = self.flags[page as usize];
        Permissions::new(flags & READ != 0, flags & WRITE != 0, flags & EXECUTE != 0)
    }

    pub(super) fn map(
        &mut self,
        first: u32,
        pages: u32,
        permissions: Permissions,
    ) -> Result<(), MemoryError> {
        if self.placement == Placement::Identity && first < IDENTITY_LOWEST / PAGE_SIZE {
            return Err(MemoryError::BadRange {
                start: first * PAGE_SIZE,
                len: u64::from(pages) * u64::from(PAGE_SIZE),
            });
        }
        let mut page = first;
        while page < first + pages {
            let fresh = self.flags[page as usize] & MAPPED == 0;
            let run = (page..first + pages)
                .take_while(|&p| (self.flags[p as usize] & MAPPED == 0) == fresh)
                .count();
            let run = u32::try_from(run).unwrap_or(PAGE_COUNT);
            if fresh {
                self.map_fresh(page, run, permissions)?;
            } else {
                for p in page..page + run {
                    self.flags[p as usize] |= permissions.bits();
                    self.apply(p, 1)?;
                }
            }
            page += run;
        }
        Ok(())
    }

    fn map_fresh(
        &mut self,
        first: u32,
        pages: u32,
        permissions: Permissions,
    ) -> Result<(), MemoryError> {
        self.mapped += pages;
        self.extents.push((first, pages));
        if self.eager && self.mapped > self.limit {
            self.stop_being_eager()?;
        }
        let resident = if self.eager { RESIDENT } else { 0 };
        self.flags[first as usize..(first + pages) as usize].fill(permissions.bits() | resident);
        self.apply(first, pages)
    }

    pub(super) fn unmap(&mut self, first: u32, pages: u32) -> Result<(), MemoryError> {
        self.peak = self.pages_peak();
        for page in first..first + pages {
            let flags = std::mem::take(&mut self.flags[page as usize]);
            if flags & MAPPED == 0 {
                continue;
            }
            self.mapped -= 1;
            if flags & RESIDENT != 0 {
                self.used -= u32::from(!self.eager);
                if let Backing::Paged {
                    read, free, pool, ..
                } = &mut self.backing
                {
                    let number = std::mem::take(&mut read[page as usize]);
                    free.push(number);
                    discard(pool, number as usize, 1, self.placement)?;
                }
            }
        }
        if let Backing::Window { .. } = self.backing {
            self.discard_window(first, pages)?;
        }
        self.apply(first, pages)?;
        // Extents stay disjoint: what was taken away leaves them.
        let old = std::mem::take(&mut self.extents);
        let end = first + pages;
        for (start, count) in old {
            let stop = start + count;
            if start < first {
                self.extents.push((start, stop.min(first) - start));
            }
            if stop > end {
                let from = start.max(end);
                self.extents.push((from, stop - from));
            }
        }
        Ok(())
    }

    pub(super) fn reset(&mut self) -> Result<(), MemoryError> {
        for (first, pages) in std::mem::take(&mut self.extents) {
            self.flags[first as usize..(first + pages) as usize].fill(0);
            self.apply(first, pages)?;
            if let Backing::Paged { read, .. } = &mut self.backing {
                read[first as usize..(first + pages) as usize].fill(0);
            } else {
                self.discard_window(first, pages)?;
            }
        }
        if let Backing::Paged {
            pool, next, free, ..
        } = &mut self.backing
        {
            discard(pool, 0, *next as usize, self.placement)?;
            *next = 1;
            free.clear();
        }
        (self.mapped, self.used, self.peak) = (0, 0, 0);
        self.eager = matches!(self.backing, Backing::Window { .. });
        Ok(())
    }

    pub(super) fn pages_used(&self) -> u32 {
        if !self.eager {
            return self.used;
        }
        let touched = |&(first, pages): &(u32, u32)| {
            let host_pages = self.touched(first, pages);
            u32::try_from(host_pages.into_iter().filter(|&t| t).count()).unwrap_or(0)
        };
        self.extents.iter().map(touched).sum()
    }

    pub(super) fn pages_peak(&self) -> u32 {
        self.peak.max(self.pages_used())
    }

    /// Which pages of a run the host has memory for; all of them where it does not tell.
    fn touched(&self, first: u32, pages: u32) -> Vec<bool> {
        let (offset, len) = self.window_range(first, pages);
        match &self.backing {
            Backing::Window { space, .. } => space
                .resident(offset, len)
                .unwrap_or_else(|_| vec![true; pages as usize]),
            Backing::Paged { .. } => Vec::new(),
        }
    }

    /// From here on the limit can be reached: takes the pages back that were never touched, and counts the others.
    fn stop_being_eager(&mut self) -> Result<(), MemoryError> {
        self.eager = false;
        let (&(last_first, _), before) = match self.extents.split_last() {
            Some((last, before)) => (last, before.to_vec()),
            None => return Ok(()),
        };
        debug_assert!(before.iter().all(|&(first, _)| first != last_first));
        for (first, pages) in before {
            for (page, touched) in (first..).zip(self.touched(first, pages)) {
                if touched {
                    self.used += 1;
                } else {
                    self.flags[page as usize] &= !RESIDENT;
                }
            }
            self.apply(first, pages)?;
        }
        self.peak = self.peak.max(self.used);
        Ok(())
    }

    /// Whether the guest may do this, without handing out a page; the pool being used up counts as a no.
    pub(super) fn check(&self, page: u32, access: Access) -> Result<(), FaultKind> {
        let flags = self.flags[page as usize];
        let need = match access {
            Access::Read => READ,
            Access::Write => WRITE,
            Access::Execute => EXECUTE,
        };
        if flags & MAPPED == 0 {
            Err(FaultKind::Unmapped)
        } else if flags & need == 0 {
            Err(FaultKind::Denied)
        } else if flags & RESIDENT == 0 && self.used >= self.limit {
            Err(FaultKind::OutOfPages)
        } else {
            Ok(())
        }
    }

    /// Makes sure that the guest may do this and that the page has memory.
    #[inline]
    pub(super) fn prepare(&mut self, page: u32, access: Access) -> Result<(), FaultKind> {
        let need = RESIDENT
            | match access {
                Access::Read => READ,
                Access::Write => WRITE,
                Access::Execute => EXECUTE,
            };
        if self.flags[page as usize] & need == need {
            return Ok(());
        }
        self.check(page, access)?;
        self.make_resident(page)
    }

    #[cold]
    fn make_resident(&mut self, page: u32) -> Result<(), FaultKind> {
        if let Backing::Paged {
            read, next, free, ..
        } = &mut self.backing
        {
            read[page as usize] = free.pop().unwrap_or_else(|| {
                *next += 1;
                // At most `limit` pages are out, and the limit fits.
                u16::try_from(*next - 1).unwrap_or(u16::MAX)
            });
        }
        self.flags[page as usize] |= RESIDENT;
        self.used += 1;
        self.peak = self.peak.max(self.used);
        // The host can refuse only when it is out of mappings or memory.
        self.apply(page, 1).map_err(|_| FaultKind::OutOfPages)
    }

    pub(super) fn is_code(&self, page: u32) -> bool {
        self.flags[page as usize] & CODE != 0
    }

    pub(super) fn set_code(&mut self, page: u32, code: bool) {
        let flags = &mut self.flags[page as usize];
        let old = *flags;
        *flags = if code { old | CODE } else { old & !CODE };
        if *flags != old && old & MAPPED != 0 {
            let applied = self.apply(page, 1);
            // Nothing can be done without; going on would run stale code.
            assert!(
                applied.is_ok(),
                "the host refused to protect a page of code"
            );
        }
    }

    /// Makes what emitted code can reach follow from the flags of a run of pages.
    fn apply(&mut self, first: u32, pages: u32) -> Result<(), MemoryError> {
        let allowed = |flags: u8| {
            if flags & RESIDENT == 0 {
                Protection::None
            } else if flags & WRITE != 0 && flags & CODE == 0 {
                Protection::ReadWrite
            } else {
                Protection::Read
            }
        };
        let end = first + pages;
        match &mut self.backing {
            Backing::Paged { read, write, .. } => {
                for page in first as usize..end as usize {
                    let writable = allowed(self.flags[page]) == Protection::ReadWrite;
                    write[page] = if writable { read[page] } else { 0 };
                }
                Ok(())
            }
            Backing::Window { .. } => {
                let mut page = first;
                while page < end {
                    let protection = allowed(self.flags[page as usize]);
                    let start = page;
                    while page < end && allowed(self.flags[page as usize]) == protection {
                        page += 1;
                    }
                    self.protect_window(start, page - start, protection)?;
                }
                Ok(())
            }
        }
    }

    fn window_range(&self, first: u32, pages: u32) -> (usize, usize) {
        let before = match &self.backing {
            Backing::Window { lowest, guard, .. } => guard.wrapping_sub(*lowest),
            Backing::Paged { .. } => 0,
        };
        let offset = (first as usize * PAGE_SIZE as usize).wrapping_add(before);
        (offset, pages as usize * PAGE_SIZE as usize)
    }

    fn protect_window(
        &self,
        first: u32,
        pages: u32,
        protection: Protection,
    ) -> Result<(), MemoryError> {
        let (offset, len) = self.window_range(first, pages);
        match &self.backing {
            Backing::Window { space, .. } => {
                space
                    .protect(offset, len, protection)
                    .map_err(|source| MemoryError::Host {
                        placement: self.placement,
                        source,
                    })
            }
            Backing::Paged { .. } => Ok(()),
        }
    }

    fn discard_window(&self, first: u32, pages: u32) -> Result<(), MemoryError> {
        let (offset, len) = self.window_range(first, pages);
        match &self.backing {
            Backing::Window { space, .. } => {
                space
                    .discard(offset, len)
                    .map_err(|source| MemoryError::Host {
                        placement: self.placement,
                        source,
                    })
            }
            Backing::Paged { .. } => Ok(()),
        }
    }

    /// Where a resident page's bytes are.
    #[inline]
    fn page_ptr(&self, page: u32) -> *mut u8 {
        assert!(
            self.flags[page as usize] & RESIDENT != 0,
            "page {page:#x} has no memory"
        );
        match &self.backing {
            Backing::Paged { read, pool, .. } => pool
                .as_ptr()
                .wrapping_add(read[page as usize] as usize * PAGE_SIZE as usize),
            Backing::Window { space, .. } => {
                space.as_ptr().wrapping_add(self.window_range(page, 0).0)
            }
        }
    }

    /// Copies bytes out of a resident page.
    #[inline]
    pub(super) fn copy_out(&self, page: u32, offset: usize, bytes: &mut [u8]) {
        assert!(offset + bytes.len() <= PAGE_SIZE as usize);
        let from = self.page_ptr(page).wrapping_add(offset);
        // SAFETY: `page_ptr` gives the start of 4 KiB of readable memory of ours, since the page is resident, and
        // the range is inside; `bytes` is Rust memory, so the two do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Copies bytes into a resident page, whatever the guest's permissions.
    #[inline]
    pub(super) fn copy_in(&mut self, page: u32, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= PAGE_SIZE as usize);
        let flags = self.flags[page as usize];
        let read_only = (flags & WRITE == 0 || flags & CODE != 0)
            && matches!(self.backing, Backing::Window { .. });
        if read_only {
            let opened = self.protect_window(page, 1, Protection::ReadWrite);
            assert!(opened.is_ok(), "the host refused to open a page");
        }
        let to = self.page_ptr(page).wrapping_add(offset);
        // SAFETY: `page_ptr` gives the start of 4 KiB of ours, writable now, and the range is inside; `bytes` is
        // Rust memory, so the two do not overlap. Guest memory is never borrowed as a Rust reference.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        if read_only {
            let closed = self.protect_window(page, 1, Protection::Read);
            assert!(closed.is_ok(), "the host refused to close a page");
        }
    }
}

#[cfg(target_os = "linux")]
fn identity_space() -> std::io::Result<Mapping> {
    let lowest = IDENTITY_LOWEST as usize;
    Mapping::at(lowest, SPACE + GUARD - lowest, Protection::None)
}

#[cfg(not(target_os = "linux"))]
fn identity_space() -> std::io::Result<Mapping> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
}

fn discard(
    pool: &Mapping,
    first: usize,
    pages: usize,
    placement: Placement,
) -> Result<(), MemoryError> {
    let (page, host) = (PAGE_SIZE as usize, page_size());
    let (start, len) = (first * page, pages * page);
    // Host pages may be larger than guest pages: a single guest page is then cleared by hand.
    if start.is_multiple_of(host) && len.is_multiple_of(host) {
        return pool
            .discard(start, len)
            .map_err(|source| MemoryError::Host { placement, source });
    }
    for offset in (start..start + len).step_by(page) {
        let at = pool.as_ptr().wrapping_add(offset);
        // SAFETY: the pool is readable and writable over its whole length, and callers pass pages inside it.
        unsafe { std::ptr::write_bytes(at, 0, page) };
    }
    Ok(())
}

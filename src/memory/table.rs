//! The page table and the memory behind it: what is where for each [`Placement`], and all that is unsafe about it.
//!
//! One byte of flags a page is the truth: the guest's permissions, whether the page has memory (`RESIDENT`), whether
//! code was translated from it (`CODE`), whether a word of it is watched (`WATCHED`) and whether it is as in a snapshot (`CLEAN`). What emitted code uses follows
//! from the flags: two tables of page numbers in the pool for the paged placement, the host's page protection for the
//! others.
//!
//! Invariants: a page is `RESIDENT` only while mapped; emitted code can read a page exactly when it is `RESIDENT` (all
//! mapped pages are readable), and write it exactly when it is also writable and neither `CODE` nor `WATCHED` nor `CLEAN`; a page
//! that stops being `RESIDENT` loses its bytes and reads as zeros when it is `RESIDENT` again. Flags change in
//! [`Table::change`] and [`Table::clear`] only, and where the host refuses a change, the flags stay as they were.
#![expect(
    unsafe_code,
    reason = "guest memory is raw host memory that emitted code also uses"
)]

use super::{MemoryError, PAGE_COUNT, PAGE_SIZE, Permissions, Placement};
#[cfg(target_os = "linux")]
use crate::sys::mmap::is_free;
use crate::sys::mmap::{Mapping, Protection, page_size};
use crate::sys::pagemap::touched;
use std::ops::Range;

pub(super) const READ: u8 = 1;
pub(super) const WRITE: u8 = 2;
pub(super) const EXECUTE: u8 = 4;
pub(super) const MAPPED: u8 = READ | WRITE | EXECUTE;
pub(super) const RESIDENT: u8 = 8;
pub(super) const CODE: u8 = 16;
pub(super) const WATCHED: u8 = 32;
pub(super) const CLEAN: u8 = 64;
/// A page with one of these is closed for emitted stores: somebody has to hear of them.
pub(super) const CLOSED: u8 = CODE | WATCHED | CLEAN;

/// The most pages of the paged placement: its table entries have 16 bits, and 0 means "none".
pub const PAGED_MOST_PAGES: u32 = u16::MAX as u32;
/// Bytes that are reserved and inaccessible on both sides of a window: an access that starts in the guest's 4 GiB,
/// or is off by an instruction's offset (±2 KiB), cannot reach past them.
const GUARD: usize = 64 << 10;
/// Where the identity placement begins: Linux keeps the addresses below for itself.
pub const IDENTITY_LOWEST: u32 = 64 << 10;

const SPACE: usize = 1 << 32;

/// What was written to a watched page since emitted code was left. The host is asked to open the page only if that makes a
/// difference when emitted code is entered again: a program that prints by `tohost` finds each word taken back by then.
#[derive(Debug)]
struct Waiting {
    page: u32,
    /// The page as it is to be.
    bytes: Box<[u8; PAGE_SIZE as usize]>,
    /// Where it was written to.
    written: Range<usize>,
}

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
    waiting: Option<Waiting>,
}

impl Table {
    /// Of the pages, at most `limit` will be `RESIDENT` at one time.
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
        if let Backing::Window { space, .. } = &backing {
            // A huge page would have what surrounds a touched page count as touched.
            space.keep_small(0, space.len());
        }
        Ok(Table {
            placement,
            flags: vec![0; PAGE_COUNT as usize].into_boxed_slice(),
            backing,
            waiting: None,
        })
    }

    pub(super) fn placement(&self) -> Placement {
        self.placement
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

    pub(super) fn permissions(&self, page: u32) -> Option<Permissions> {
        let flags = self.flags[page as usize];
        Permissions::new(flags & READ != 0, flags & WRITE != 0, flags & EXECUTE != 0)
    }

    /// Whether the host's MMU holds the table.
    pub(super) fn is_window(&self) -> bool {
        matches!(self.backing, Backing::Window { .. })
    }

    #[inline]
    pub(super) fn flags(&self, page: u32) -> u8 {
        self.flags[page as usize]
    }

    /// How many pages from `first` on, and before `end`, have the same flags as it has, of those in `mask`. Runs are
    /// long, a machine's RAM has 2^15 pages: eight are looked at at a time.
    pub(super) fn alike(&self, first: u32, end: u32, mask: u8) -> u32 {
        let run = &self.flags[first as usize..end as usize];
        let Some(&flags) = run.first() else {
            return 0;
        };
        let same = |&other: &u8| other & mask == flags & mask;
        let all = |mask: u8| u64::from_ne_bytes([mask; 8]);
        let (chunks, _) = run.as_chunks::<8>();
        let equal = |chunk: &&[u8; 8]| u64::from_ne_bytes(**chunk) & all(mask) == all(flags & mask);
        let sure = 8 * chunks.iter().take_while(equal).count();
        count(sure + run[sure..].iter().take_while(|f| same(f)).count())
    }

    /// Gives a run of pages the flags that `new` makes of theirs.
    pub(super) fn change(
        &mut self,
        first: u32,
        pages: u32,
        new: impl Fn(u8) -> u8,
    ) -> Result<(), MemoryError> {
        self.settle();
        if self.is_window() && self.alike(first, first + pages, u8::MAX) == pages {
            let old = self.flags[first as usize];
            return self.change_alike(first, pages, old, new(old));
        }
        let run = first as usize..(first + pages) as usize;
        let old = self.flags[run.clone()].to_vec();
        for flags in &mut self.flags[run.clone()] {
            *flags = new(*flags);
            debug_assert!(*flags & RESIDENT == 0 || *flags & MAPPED != 0);
        }
        let done = self
            .supply(first, &old)
            .and_then(|()| self.apply(first, pages, &old));
        if done.is_err() {
            let refused = self.flags[run.clone()].to_vec();
            self.flags[run].copy_from_slice(&old);
            // What was granted before the refusal is taken back as far as the host lets us.
            let _ = self.supply(first, &refused);
            let _ = self.apply(first, pages, &[]);
        }
        done
    }

    /// [`Table::change`] in a window, for pages that all have the flags `old`.
    fn change_alike(
        &mut self,
        first: u32,
        pages: u32,
        old: u8,
        new: u8,
    ) -> Result<(), MemoryError> {
        debug_assert!(new & RESIDENT == 0 || new & MAPPED != 0);
        let run = first as usize..(first + pages) as usize;
        self.flags[run.clone()].fill(new);
        let discarded = match old & RESIDENT != 0 && new & RESIDENT == 0 {
            true => self.discard_window(first, pages),
            false => Ok(()),
        };
        let done = discarded.and_then(|()| match allowed(old) == allowed(new) {
            true => Ok(()),
            false => self.protect_window(first, pages, allowed(new)),
        });
        if done.is_err() {
            self.flags[run].fill(old);
            // What was granted before the refusal is taken back as far as the host lets us.
            let _ = self.protect_window(first, pages, allowed(old));
        }
        done
    }

    /// Takes everything away. No page outside the runs has flags.
    pub(super) fn clear(&mut self, runs: &[(u32, u32)]) -> Result<(), MemoryError> {
        self.waiting = None;
        for &(first, pages) in runs {
            let run = first as usize..(first + pages) as usize;
            self.flags[run.clone()].fill(0);
            self.apply(first, pages, &[])?;
            if let Backing::Paged { read, .. } = &mut self.backing {
                read[run].fill(0);
            } else {
                self.discard_window(first, pages)?;
            }
        }
        if let Backing::Paged {
            pool, next, free, ..
        } = &mut self.backing
        {
            discard(pool, 0, *next as usize);
            *next = 1;
            free.clear();
        }
        Ok(())
    }

    /// Which pages of a run were touched, of those that are `RESIDENT`; all of them where the host does not tell, none
    /// when paged.
    pub(super) fn touched(&self, first: u32, pages: u32) -> Vec<bool> {
        let (offset, len) = self.window_range(first, pages);
        match &self.backing {
            Backing::Window { space, .. } => {
                touched(space, offset, len).unwrap_or_else(|_| vec![true; pages as usize])
            }
            Backing::Paged { .. } => Vec::new(),
        }
    }

    /// Gives memory to the pages of a run that have become `RESIDENT`, and takes it from those that no longer are.
    fn supply(&mut self, first: u32, old: &[u8]) -> Result<(), MemoryError> {
        let lost = |table: &Table, n: usize| {
            old[n] & RESIDENT != 0 && table.flags[first as usize + n] & RESIDENT == 0
        };
        if self.is_window() {
            let mut n = 0;
            while n < old.len() {
                let state = lost(self, n);
                let run = (n..old.len())
                    .take_while(|&m| lost(self, m) == state)
                    .count();
                if state {
                    self.discard_window(first + count(n), count(run))?;
                }
                n += run;
            }
            return Ok(());
        }
        for n in 0..old.len() {
            let lost = lost(self, n);
            let page = first as usize + n;
            let resident = self.flags[page] & RESIDENT != 0;
            if let Backing::Paged {
                read,
                next,
                free,
                pool,
                ..
            } = &mut self.backing
            {
                if lost {
                    let number = std::mem::take(&mut read[page]);
                    discard(pool, number as usize, 1);
                    free.push(number);
                } else if resident && read[page] == 0 {
                    read[page] = free.pop().unwrap_or_else(|| {
                        *next += 1;
                        // At most `limit` pages are out, and the limit fits.
                        u16::try_from(*next - 1).unwrap_or(u16::MAX)
                    });
                }
            }
        }
        Ok(())
    }

    /// Makes what emitted code can reach follow from the flags of a run of pages. What it could reach before follows
    /// from the flags `old`, where they are given.
    fn apply(&mut self, first: u32, pages: u32, old: &[u8]) -> Result<(), MemoryError> {
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
                let change = |flags: &[u8], page: u32| {
                    let before = old.get((page - first) as usize).copied();
                    let now = allowed(flags[page as usize]);
                    (before.map(allowed) != Some(now)).then_some(now)
                };
                while page < end {
                    let protection = change(&self.flags, page);
                    let start = page;
                    while page < end && change(&self.flags, page) == protection {
                        page += 1;
                    }
                    if let Some(protection) = protection {
                        self.protect_window(start, page - start, protection)?;
                    }
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
        if self.flags[page as usize] & WATCHED != 0
            && let Some(waiting) = self.waiting.as_ref().filter(|w| w.page == page)
        {
            bytes.copy_from_slice(&waiting.bytes[offset..offset + bytes.len()]);
            return;
        }
        let from = self.page_ptr(page).wrapping_add(offset);
        // SAFETY: `page_ptr` gives the start of 4 KiB of readable memory of ours, since the page is resident, and
        // the range is inside; `bytes` is Rust memory, so the two do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Whether the host lets nobody write to the page.
    fn is_closed(&self, page: u32) -> bool {
        let flags = self.flags[page as usize];
        (flags & WRITE == 0 || flags & CLOSED != 0) && self.is_window()
    }

    /// Copies bytes into resident pages that follow each other, whatever the guest's permissions.
    pub(super) fn copy_in_run(&mut self, first: u32, offset: usize, bytes: &[u8]) {
        self.settle();
        let pages = count((offset + bytes.len()).div_ceil(PAGE_SIZE as usize));
        let closed = (first..first + pages).any(|page| self.is_closed(page));
        if closed {
            let opened = self.protect_window(first, pages, Protection::ReadWrite);
            assert!(opened.is_ok(), "the host refused to open pages");
        }
        let (mut page, mut offset, mut rest) = (first, offset, bytes);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(PAGE_SIZE as usize - offset));
            self.copy_to_open(page, offset, now);
            (page, offset, rest) = (page + 1, 0, later);
        }
        if closed {
            let applied = self.apply(first, pages, &[]);
            assert!(applied.is_ok(), "the host refused to close pages");
        }
    }

    /// Copies bytes into a resident page, whatever the guest's permissions.
    #[inline]
    pub(super) fn copy_in(&mut self, page: u32, offset: usize, bytes: &[u8]) {
        if self.is_closed(page) && self.flags[page as usize] & WATCHED != 0 {
            self.let_wait(page, offset, bytes);
        } else if self.is_closed(page) {
            self.copy_in_run(page, offset, bytes);
        } else {
            self.copy_to_open(page, offset, bytes);
        }
    }

    fn let_wait(&mut self, page: u32, offset: usize, bytes: &[u8]) {
        if self.waiting.as_ref().is_none_or(|w| w.page != page) {
            self.settle();
            let mut now = Box::new([0; PAGE_SIZE as usize]);
            self.copy_out(page, 0, &mut now[..]);
            self.waiting = Some(Waiting {
                page,
                bytes: now,
                written: offset..offset,
            });
        }
        if let Some(waiting) = &mut self.waiting {
            let end = offset + bytes.len();
            waiting.bytes[offset..end].copy_from_slice(bytes);
            let written = &mut waiting.written;
            *written = written.start.min(offset)..written.end.max(end);
        }
    }

    /// Writes what waits: for emitted code, and before pages change.
    #[inline]
    pub(super) fn settle(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.write_waiting(&waiting);
        }
    }

    #[cold]
    fn write_waiting(&mut self, waiting: &Waiting) {
        let Range { start, end } = waiting.written;
        let mut there = [0; PAGE_SIZE as usize];
        self.copy_out(waiting.page, start, &mut there[start..end]);
        if there[start..end] != waiting.bytes[start..end] {
            self.copy_in_run(waiting.page, start, &waiting.bytes[start..end]);
        }
    }

    /// Copies bytes into a resident page that the host lets us write to.
    #[inline]
    fn copy_to_open(&mut self, page: u32, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= PAGE_SIZE as usize);
        let to = self.page_ptr(page).wrapping_add(offset);
        // SAFETY: `page_ptr` gives the start of 4 KiB of ours, writable now, and the range is inside; `bytes` is
        // Rust memory, so the two do not overlap. Guest memory is never borrowed as a Rust reference.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }
}

/// What emitted code may do with a page that has these flags.
fn allowed(flags: u8) -> Protection {
    if flags & RESIDENT == 0 {
        Protection::None
    } else if flags & WRITE != 0 && flags & CLOSED == 0 {
        Protection::ReadWrite
    } else {
        Protection::Read
    }
}

#[cfg(target_os = "linux")]
fn identity_space() -> std::io::Result<Mapping> {
    let lowest = IDENTITY_LOWEST as usize;
    // What is below must not be there either: accesses to it are to fault. `setarch -Z` maps the first page.
    if !is_free(0, lowest) {
        return Err(std::io::Error::from(std::io::ErrorKind::AddrInUse));
    }
    Mapping::at(lowest, SPACE + GUARD - lowest, Protection::None)
}

#[cfg(not(target_os = "linux"))]
fn identity_space() -> std::io::Result<Mapping> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
}

/// Makes pages of the pool read as zeros.
fn discard(pool: &Mapping, first: usize, pages: usize) {
    let (page, host) = (PAGE_SIZE as usize, page_size());
    let (start, len) = (first * page, pages * page);
    // Host pages may be larger than guest pages: a single guest page is then cleared by hand.
    let whole = start.is_multiple_of(host) && len.is_multiple_of(host);
    if whole && pool.discard(start, len).is_ok() {
        return;
    }
    for offset in (start..start + len).step_by(page) {
        assert!(offset + page <= pool.len());
        let at = pool.as_ptr().wrapping_add(offset);
        // SAFETY: the pool is readable and writable over its whole length, and the page is inside.
        unsafe { std::ptr::write_bytes(at, 0, page) };
    }
}

/// A number of pages.
fn count(pages: usize) -> u32 {
    u32::try_from(pages).unwrap_or(PAGE_COUNT)
}

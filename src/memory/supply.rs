//! Which pages the guest has, and how many it may have: pages are handed out when touched, up to a limit.
//!
//! Where the MMU holds the table, an untouched page would cost a host fault, so as long as everything that is mapped
//! fits the limit, pages are given memory when they are mapped (the supply is *eager*) and the host counts which were
//! touched; that can be told apart by nobody. Later on pages are handed out one at a time, until they lie in so many
//! pieces that the host's number of mappings is in sight: then in larger and larger pieces, and what was not touched of
//! them is taken back when the limit is reached.
//!
//! Invariant: never more than the limit's pages are `RESIDENT`.

use super::table::{CLEAN, EXECUTE, MAPPED, READ, RESIDENT, Table, WRITE};
use super::{
    Access, FaultKind, IDENTITY_LOWEST, MemoryError, PAGE_COUNT, PAGE_SIZE, Permissions, Placement,
};
use std::cmp::Reverse;

/// Every so many pieces, pages are handed out in pieces twice as large. All 2^20 pages are then in at most 20,000 pieces,
/// and a host allows 65,530 mappings: one for a piece, and one for what is between it and the next.
const PIECES: u32 = 2048;
/// The most pieces there may be once untouched pages were taken back.
const MOST_PIECES: u32 = 10 * PIECES;

/// The most pages that are noted one by one. Each may be a piece of its own for the host.
pub(super) const CLEAN_MOST: usize = 4096;

/// What has happened since a snapshot.
#[derive(Debug)]
pub(super) struct Written {
    /// The snapshot's number.
    pub(super) since: u64,
    /// Pages that were written, or got memory. One may be there twice.
    pub(super) pages: Vec<u32>,
    /// Pages were mapped or taken away, or too many were written: what was written is not known.
    pub(super) reshaped: bool,
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Supply {
    table: Table,
    /// Disjoint runs of pages (first, count) that were mapped since the last reset.
    extents: Vec<(u32, u32)>,
    limit: u32,
    /// Pages that are `RESIDENT`.
    resident: u32,
    /// The most that were touched at one time, up to when pages were last taken away.
    peak: u32,
    /// Whether pages get memory when mapped: only with a window, and only while the limit cannot be reached.
    eager: bool,
    /// Whether all pages that are `RESIDENT` were touched.
    exact: bool,
    /// Runs of `RESIDENT` pages; meaningful while `eager` is false.
    pieces: u32,
    written: Option<Written>,
}

impl Supply {
    pub(super) fn new(placement: Placement, limit: u32) -> Result<Supply, MemoryError> {
        let table = Table::new(placement, limit)?;
        Ok(Supply {
            eager: table.is_window(),
            exact: !table.is_window(),
            table,
            extents: Vec::new(),
            limit,
            resident: 0,
            peak: 0,
            pieces: 0,
            written: None,
        })
    }

    #[inline]
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// For copying bytes.
    #[inline]
    pub(super) fn table_mut(&mut self) -> &mut Table {
        &mut self.table
    }

    /// The most pages there can be at one time.
    pub(super) fn limit_pages(&self) -> u32 {
        self.limit
    }

    pub(super) fn map(
        &mut self,
        first: u32,
        pages: u32,
        permissions: Permissions,
    ) -> Result<(), MemoryError> {
        if self.table.placement() == Placement::Identity && first < IDENTITY_LOWEST / PAGE_SIZE {
            return Err(MemoryError::BelowIdentity(first * PAGE_SIZE));
        }
        self.reshape();
        let mut page = first;
        while page < first + pages {
            let fresh = self.table.flags(page) & MAPPED == 0;
            let run = self.table.alike(page, first + pages, MAPPED);
            if fresh {
                self.map_fresh(page, run, permissions)?;
            } else {
                self.table
                    .change(page, run, |flags| flags | permissions.bits())?;
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
        if self.eager && self.resident + pages > self.limit {
            self.eager = false;
            self.take_back()?;
        }
        let resident = if self.eager { RESIDENT } else { 0 };
        self.table
            .change(first, pages, |_| permissions.bits() | resident)?;
        if self.eager {
            self.resident += pages;
        }
        self.extents.push((first, pages));
        Ok(())
    }

    pub(super) fn unmap(&mut self, first: u32, pages: u32) -> Result<(), MemoryError> {
        self.reshape();
        self.peak = self.pages_peak();
        let end = first + pages;
        let lost = count((first..end).filter(|&page| self.is_resident(page)));
        let begin = self.pieces_from(first, pages);
        let cut = u32::from(self.is_resident(end - 1) && self.is_resident(end));
        self.table.change(first, pages, |_| 0)?;
        self.resident -= lost;
        self.pieces = (self.pieces + cut).saturating_sub(begin);
        // Extents stay disjoint: what was taken away leaves them.
        let old = std::mem::take(&mut self.extents);
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
        self.table.clear(&std::mem::take(&mut self.extents))?;
        (self.resident, self.peak, self.pieces) = (0, 0, 0);
        self.written = None;
        self.eager = self.table.is_window();
        self.exact = !self.eager;
        Ok(())
    }

    /// Disjoint runs of pages (first, count) that are mapped.
    pub(super) fn extents(&self) -> &[(u32, u32)] {
        &self.extents
    }

    /// Pages that may hold something else than zeros.
    pub(super) fn touched_pages(&self) -> Vec<u32> {
        if self.table.is_window() {
            let runs = self.touched().into_iter();
            let pages = |(first, touched): (u32, Vec<bool>)| {
                (first..)
                    .zip(touched)
                    .filter_map(|(page, touched)| touched.then_some(page))
            };
            return runs.flat_map(pages).collect();
        }
        let pages = self
            .extents
            .iter()
            .flat_map(|&(first, pages)| first..first + pages);
        pages.filter(|&page| self.is_resident(page)).collect()
    }

    /// What was written since the last snapshot.
    pub(super) fn written(&self) -> Option<&Written> {
        self.written.as_ref()
    }

    /// Closes all pages that have memory, to note which are written from now on.
    pub(super) fn begin_noting(&mut self, since: u64) -> Result<(), MemoryError> {
        self.written = Some(Written {
            since,
            pages: Vec::new(),
            // Until all of them are closed.
            reshaped: true,
        });
        for &(first, pages) in &self.extents {
            let close = |flags| {
                if flags & RESIDENT != 0 {
                    flags | CLEAN
                } else {
                    flags
                }
            };
            self.table.change(first, pages, close)?;
        }
        if let Some(written) = &mut self.written {
            written.reshaped = false;
        }
        Ok(())
    }

    /// A page that was closed by that is written.
    pub(super) fn note_written(&mut self, page: u32) {
        let full = self
            .written
            .as_ref()
            .is_none_or(|written| written.pages.len() >= CLEAN_MOST);
        if full || self.table.change(page, 1, |flags| flags & !CLEAN).is_err() {
            // All are opened, which the host needs fewer mappings for.
            self.clear_flag(CLEAN);
            return self.reshape();
        }
        if let Some(written) = &mut self.written {
            written.pages.push(page);
        }
    }

    fn reshape(&mut self) {
        if let Some(written) = &mut self.written {
            written.reshaped = true;
        }
    }

    fn is_resident(&self, page: u32) -> bool {
        page < PAGE_COUNT && self.table.flags(page) & RESIDENT != 0
    }

    /// Pieces that begin in this run.
    fn pieces_from(&self, first: u32, pages: u32) -> u32 {
        let begins =
            |&page: &u32| self.is_resident(page) && !self.is_resident(page.wrapping_sub(1));
        count((first..first + pages).filter(begins))
    }

    pub(super) fn pages_used(&self) -> u32 {
        if self.exact {
            return self.resident;
        }
        let touched = self.touched().into_iter().flat_map(|(_, touched)| touched);
        count(touched.filter(|&touched| touched))
    }

    /// Each run of `RESIDENT` pages, and which of them were touched. Hosts may not tell of pages that nobody can access.
    fn touched(&self) -> Vec<(u32, Vec<bool>)> {
        let mut runs = Vec::new();
        for &(first, pages) in &self.extents {
            let mut page = first;
            while page < first + pages {
                let resident = self.is_resident(page);
                let alike = |&p: &u32| self.is_resident(p) == resident;
                let run = count((page..first + pages).take_while(alike));
                if resident {
                    runs.push((page, self.table.touched(page, run)));
                }
                page += run;
            }
        }
        runs
    }

    pub(super) fn pages_peak(&self) -> u32 {
        self.peak.max(self.pages_used())
    }

    /// Takes pages back that were never touched: all, or, if that would leave too many holes, those in the largest.
    fn take_back(&mut self) -> Result<(), MemoryError> {
        let mut holes = Vec::new();
        for (first, touched) in self.touched() {
            let mut page = first;
            for run in touched.chunk_by(|a, b| a == b) {
                if !run[0] {
                    holes.push((page, count(run)));
                }
                page += count(run);
            }
        }
        holes.sort_by_key(|&(_, run)| Reverse(run));
        // Each hole makes one piece more.
        let most = (MOST_PIECES.saturating_sub(self.pieces)) as usize;
        let all = holes.len() <= most;
        holes.truncate(most);
        let done = holes.into_iter().try_for_each(|(first, pages)| {
            self.table.change(first, pages, |flags| flags & !RESIDENT)?;
            self.resident -= pages;
            Ok(())
        });
        self.exact = all && done.is_ok();
        let pieces = |&(first, pages): &(u32, u32)| self.pieces_from(first, pages);
        self.pieces = self.extents.iter().map(pieces).sum();
        done
    }

    /// At the limit: whether pages that nobody touched could be taken back.
    #[cold]
    pub(super) fn makes_room(&mut self) -> bool {
        let before = self.resident;
        !self.exact && self.take_back().is_ok() && self.resident < before
    }

    /// Whether the guest may do this; then, whether the page has no memory yet.
    pub(super) fn permits(&self, page: u32, access: Access) -> Result<bool, FaultKind> {
        let flags = self.table.flags(page);
        let need = match access {
            Access::Read => READ,
            Access::Write => WRITE,
            Access::Execute => EXECUTE,
        };
        if flags & MAPPED == 0 {
            Err(FaultKind::Unmapped)
        } else if flags & need == 0 {
            Err(FaultKind::Denied)
        } else {
            Ok(flags & RESIDENT == 0)
        }
    }

    /// As [`Supply::permits`], where `wanted` pages will be handed out before this one; the limit being reached counts
    /// as a no.
    pub(super) fn check(&self, page: u32, access: Access, wanted: u32) -> Result<bool, FaultKind> {
        let lacks = self.permits(page, access)?;
        if lacks && self.resident + wanted >= self.limit {
            return Err(FaultKind::OutOfPages);
        }
        Ok(lacks)
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
        if self.table.flags(page) & need == need {
            return Ok(());
        }
        match self.check(page, access, 0) {
            Err(FaultKind::OutOfPages) if self.makes_room() => self.check(page, access, 0)?,
            answer => answer?,
        };
        let (first, pages) = self.piece_around(page);
        self.hand_out(first, pages)
    }

    /// The same after [`Supply::check`] has found it possible; no other page gets memory, or loses it.
    pub(super) fn prepare_checked(&mut self, page: u32) -> Result<(), FaultKind> {
        if self.is_resident(page) {
            return Ok(());
        }
        self.hand_out(page, 1)
    }

    #[cold]
    fn hand_out(&mut self, first: u32, pages: u32) -> Result<(), FaultKind> {
        // The host can refuse only when it is out of mappings or memory.
        self.table
            .change(first, pages, |flags| flags | RESIDENT)
            .map_err(|_| FaultKind::OutOfPages)?;
        self.resident += pages;
        if let Some(written) = &mut self.written {
            written.pages.extend(first..first + pages);
        }
        self.exact &= pages == 1;
        let neighbours =
            [first.wrapping_sub(1), first + pages].map(|page| u32::from(self.is_resident(page)));
        self.pieces = (self.pieces + 1).saturating_sub(neighbours[0] + neighbours[1]);
        Ok(())
    }

    /// What to hand out for a page that is wanted: pages like it, where one alone would be too small a piece.
    fn piece_around(&self, page: u32) -> (u32, u32) {
        let size = 1 << (self.pieces / PIECES).min(10);
        if !self.table.is_window() || size == 1 {
            return (page, 1);
        }
        let start = page / size * size;
        let alike = |&p: &u32| self.table.flags(p) == self.table.flags(page);
        let before = count((start..page).rev().take_while(alike));
        let pages = before + count((page..start + size).take_while(alike));
        if self.resident + pages > self.limit {
            return (page, 1);
        }
        (page - before, pages)
    }

    #[inline]
    pub(super) fn flags(&self, page: u32) -> u8 {
        self.table.flags(page)
    }

    pub(super) fn has(&self, page: u32, flag: u8) -> bool {
        self.table.flags(page) & flag != 0
    }

    /// Clears `CODE`, `WATCHED` or `CLEAN` wherever it is set.
    pub(super) fn clear_flag(&mut self, flag: u8) {
        for &(first, pages) in &self.extents {
            let changed = self.table.change(first, pages, |flags| flags & !flag);
            assert!(changed.is_ok(), "the host refused to open pages");
        }
    }

    /// Sets or clears `CODE`, `WATCHED` or `CLEAN`. Nothing where the page is not mapped: there is nothing to protect, and mapping
    /// begins with clean flags.
    pub(super) fn set(&mut self, page: u32, flag: u8, on: bool) {
        let new = |flags| if on { flags | flag } else { flags & !flag };
        let old = self.table.flags(page);
        if new(old) != old && old & MAPPED != 0 {
            let changed = self.table.change(page, 1, new);
            // Nothing can be done without; going on would run stale code.
            assert!(
                changed.is_ok(),
                "the host refused to protect a page of code"
            );
        }
    }
}

/// How many there are; never more than pages.
fn count<I: IntoIterator>(items: I) -> u32 {
    u32::try_from(items.into_iter().count()).unwrap_or(PAGE_COUNT)
}

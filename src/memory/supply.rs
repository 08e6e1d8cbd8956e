//! Which pages the guest has, and how many it may have: pages are handed out when touched, up to a limit.
//!
//! Where the MMU holds the table, an untouched page would cost a host fault, so as long as everything that is mapped
//! fits the limit, pages are given memory when they are mapped (the supply is *eager*) and the host counts which were
//! touched; that can be told apart by nobody.
//!
//! Invariants: page 0 is never mapped; never more than the limit's pages are `RESIDENT`, except that an eager supply
//! counts as many as are mapped.

use super::table::{CODE, EXECUTE, MAPPED, READ, RESIDENT, Table, WRITE};
use super::{
    Access, FaultKind, IDENTITY_LOWEST, MemoryError, PAGE_COUNT, PAGE_SIZE, Permissions, Placement,
};

/// See the module's description.
#[derive(Debug)]
pub(super) struct Supply {
    table: Table,
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

impl Supply {
    pub(super) fn new(placement: Placement, limit: u32) -> Result<Supply, MemoryError> {
        let table = Table::new(placement, limit)?;
        Ok(Supply {
            eager: table.is_window(),
            table,
            extents: Vec::new(),
            limit,
            mapped: 0,
            used: 0,
            peak: 0,
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
            return Err(MemoryError::BadRange {
                start: first * PAGE_SIZE,
                len: u64::from(pages) * u64::from(PAGE_SIZE),
            });
        }
        let mut page = first;
        while page < first + pages {
            let fresh = self.table.flags(page) & MAPPED == 0;
            let run = (page..first + pages)
                .take_while(|&p| (self.table.flags(p) & MAPPED == 0) == fresh)
                .count();
            let run = u32::try_from(run).unwrap_or(PAGE_COUNT);
            if fresh {
                self.map_fresh(page, run, permissions)?;
            } else {
                self.table
                    .change(page, run, |_, flags| flags | permissions.bits())?;
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
        if self.eager && self.mapped + pages > self.limit {
            self.stop_being_eager()?;
        }
        let resident = if self.eager { RESIDENT } else { 0 };
        self.table
            .change(first, pages, |_, _| permissions.bits() | resident)?;
        self.mapped += pages;
        self.extents.push((first, pages));
        Ok(())
    }

    pub(super) fn unmap(&mut self, first: u32, pages: u32) -> Result<(), MemoryError> {
        self.peak = self.pages_peak();
        let (mut mapped, mut resident) = (0, 0);
        for page in first..first + pages {
            let flags = self.table.flags(page);
            mapped += u32::from(flags & MAPPED != 0);
            resident += u32::from(flags & RESIDENT != 0);
        }
        self.table.change(first, pages, |_, _| 0)?;
        self.mapped -= mapped;
        if !self.eager {
            self.used -= resident;
        }
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
        self.table.clear(&std::mem::take(&mut self.extents))?;
        (self.mapped, self.used, self.peak) = (0, 0, 0);
        self.eager = self.table.is_window();
        Ok(())
    }

    pub(super) fn pages_used(&self) -> u32 {
        if !self.eager {
            return self.used;
        }
        let touched = |&(first, pages): &(u32, u32)| {
            let host_pages = self.table.touched(first, pages);
            u32::try_from(host_pages.into_iter().filter(|&t| t).count()).unwrap_or(0)
        };
        self.extents.iter().map(touched).sum()
    }

    pub(super) fn pages_peak(&self) -> u32 {
        self.peak.max(self.pages_used())
    }

    /// From here on the limit can be reached: takes the pages back that were never touched, and counts the others.
    fn stop_being_eager(&mut self) -> Result<(), MemoryError> {
        let mut used = 0;
        for &(first, pages) in &self.extents {
            let touched = self.table.touched(first, pages);
            used += touched.iter().map(|&t| u32::from(t)).sum::<u32>();
            let touched = |page: u32| touched[(page - first) as usize];
            self.table.change(first, pages, |page, flags| {
                if touched(page) {
                    flags
                } else {
                    flags & !RESIDENT
                }
            })?;
        }
        self.eager = false;
        self.used = used;
        self.peak = self.peak.max(self.used);
        Ok(())
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
        if lacks && self.used + wanted >= self.limit {
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
        self.check(page, access, 0)?;
        self.make_resident(page)
    }

    #[cold]
    fn make_resident(&mut self, page: u32) -> Result<(), FaultKind> {
        // The host can refuse only when it is out of mappings or memory.
        self.table
            .change(page, 1, |_, flags| flags | RESIDENT)
            .map_err(|_| FaultKind::OutOfPages)?;
        self.used += 1;
        self.peak = self.peak.max(self.used);
        Ok(())
    }

    pub(super) fn is_code(&self, page: u32) -> bool {
        self.table.flags(page) & CODE != 0
    }

    /// Nothing where the page is not mapped: there is nothing to protect, and mapping begins with clean flags.
    pub(super) fn set_code(&mut self, page: u32, code: bool) {
        let new = |flags| if code { flags | CODE } else { flags & !CODE };
        let old = self.table.flags(page);
        if new(old) != old && old & MAPPED != 0 {
            let changed = self.table.change(page, 1, |_, flags| new(flags));
            // Nothing can be done without; going on would run stale code.
            assert!(
                changed.is_ok(),
                "the host refused to protect a page of code"
            );
        }
    }
}

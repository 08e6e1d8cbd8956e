//! A copy of memory to come back to, and which pages were written since.
//!
//! A page that is as in the copy is `CLEAN`: closed to emitted stores as pages of code are, so that the first store to it
//! goes the slow way and is noted here. Coming back copies the noted pages, and leaves them open: who comes back again and
//! again, as a fuzzer does, meets no closed page after the first times. Where too much was written, or pages were mapped
//! or taken away, memory is made anew.

use super::table::{CODE, EXECUTE, MAPPED, READ, RESIDENT, WRITE};
use super::{CodeWrite, Memory, MemoryError, PAGE_SIZE, Permissions};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

type Page = [u8; PAGE_SIZE as usize];

/// What memory was at one moment. To clone it costs nothing.
#[derive(Debug, Clone)]
pub struct MemorySnapshot(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    id: u64,
    /// Runs of pages with the same permissions: the first, and their number.
    runs: Vec<(u32, u32, Permissions)>,
    /// Pages that are not all zeros.
    pages: BTreeMap<u32, Box<Page>>,
}

impl MemorySnapshot {
    /// Pages that are kept: those with something in them.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.0.pages.len()
    }
}

impl Memory {
    /// A copy of what the guest has.
    ///
    /// # Errors
    /// [`MemoryError::Host`] when the host refuses; nothing has changed then but that later stores may be slower.
    pub fn snapshot(&mut self) -> Result<MemorySnapshot, MemoryError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut runs = Vec::new();
        for &(first, pages) in self.supply.extents() {
            let mut page = first;
            while page < first + pages {
                let table = self.supply.table();
                let run = table.alike(page, first + pages, MAPPED);
                let flags = table.flags(page);
                let has = |flag| flags & flag != 0;
                if let Some(all) = Permissions::new(has(READ), has(WRITE), has(EXECUTE)) {
                    runs.push((page, run, all));
                }
                page += run;
            }
        }
        let mut pages = BTreeMap::new();
        for page in self.supply.touched_pages() {
            let mut bytes = Box::new([0; PAGE_SIZE as usize]);
            self.supply.table().copy_out(page, 0, &mut *bytes);
            if bytes.iter().any(|&byte| byte != 0) {
                pages.insert(page, bytes);
            }
        }
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.supply.begin_noting(id)?;
        Ok(MemorySnapshot(Arc::new(Contents { id, runs, pages })))
    }

    /// Makes memory what it was. What the guest had touched since counts as used further on, where only contents changed.
    ///
    /// # Errors
    /// What the host refuses, or a limit that is too low for the copy of another memory: then memory is empty, or partly
    /// what it was.
    pub fn restore(&mut self, to: &MemorySnapshot) -> Result<(), MemoryError> {
        let to = &*to.0;
        (self.watch_hit, self.stop_asked) = (false, false);
        // Code on pages whose writes nobody notes is compared.
        self.fence_i = true;
        let noted = match self.supply.written() {
            Some(written) if written.since == to.id && !written.reshaped => written.pages.clone(),
            _ => return self.make_anew(to),
        };
        let gone = |&page: &u32| self.supply.table().flags(page) & RESIDENT == 0;
        if noted.iter().any(gone) {
            return self.make_anew(to);
        }
        for page in noted {
            self.restore_page(page, to.pages.get(&page).map(|page| &**page));
        }
        Ok(())
    }

    fn restore_page(&mut self, page: u32, to: Option<&Page>) {
        const ZEROS: &Page = &[0; PAGE_SIZE as usize];
        let to = to.unwrap_or(ZEROS);
        let is_code = self.supply.has(page, CODE);
        if is_code {
            let mut now = *ZEROS;
            self.supply.table().copy_out(page, 0, &mut now);
            if now == *to {
                return;
            }
        }
        self.supply.table_mut().copy_in(page, 0, to);
        if is_code {
            let (addr, len) = (page * PAGE_SIZE, PAGE_SIZE);
            self.note(CodeWrite { addr, len });
        }
    }

    fn make_anew(&mut self, to: &Contents) -> Result<(), MemoryError> {
        let watch = self.watch.clone();
        self.reset()?;
        for &(first, pages, permissions) in &to.runs {
            self.supply.map(first, pages, permissions)?;
        }
        for (&page, bytes) in &to.pages {
            let (used, limit) = (self.supply.pages_used(), self.supply.limit_pages());
            let too_many = |_| MemoryError::TooManyPages {
                pages: used + 1,
                most: limit,
            };
            self.poke(page * PAGE_SIZE, &bytes[..]).map_err(too_many)?;
        }
        self.set_watch(watch);
        self.supply.begin_noting(to.id)
    }

    /// A store went to a page that was as in the last copy.
    #[cold]
    pub(super) fn note_written(&mut self, page: u32) {
        self.supply.note_written(page);
    }
}

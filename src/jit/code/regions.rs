//! What is translated: regions, where code enters and leaves them, which links point where, which guest pages they
//! were read from.

use crate::jit::back::backend::{CodeOffset, Event, Link, Output, Site};
use crate::jit::code::directory::Places;
use crate::jit::front::region::Region;
use crate::jit::ir::op::Op;
use crate::memory::{CodeWrite, Memory, PAGE_SHIFT, PAGE_SIZE};
use crate::rv32::{Fetched, Isa};
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

/// Stores to a page of code that hit none of it, before the page is no longer watched: from then on only `fence.i`
/// makes changes of it visible, as the specification has it.
const FALSE_HITS: u32 = 64;

/// So many bytes of dead code are too few to care.
const MUCH: u32 = 128 << 10;

/// A region that was translated.
#[derive(Debug)]
pub struct Translated {
    /// First byte of its code.
    pub start: CodeOffset,
    /// Bytes of code.
    pub len: u32,
    /// Where the code that is hardly ever executed begins.
    cold: CodeOffset,
    /// False once the guest changed the instructions that it was made from.
    pub live: bool,
    /// Its parts of what [`Cache`] keeps of all regions.
    runs: Range<usize>,
    entries: Range<usize>,
    map: Range<usize>,
    deferred: usize,
}

/// See the module's description.
///
/// What is kept of regions stands in lists of all of them, one region behind the other, so that a region costs no
/// allocations of its own.
#[derive(Debug)]
pub struct Cache {
    isa: Isa,
    regions: Vec<Translated>,
    places: Places,
    /// By place.
    sites: Vec<Site>,
    entries: Vec<(u32, CodeOffset)>,
    map: Vec<(u32, CodeOffset)>,
    deferred: Vec<Vec<Op>>,
    /// What regions were made from.
    runs: Vec<Source>,
    halves: Vec<u16>,
    pages: BTreeMap<u32, CodePage>,
    has_mixed_pages: bool,
    /// Bytes of the code of regions that are no longer live.
    dead_bytes: u32,
}

#[derive(Debug, Default)]
struct CodePage {
    regions: Vec<usize>,
    false_hits: u32,
    /// Not watched any more.
    mixed: bool,
}

/// Half-words of guest code that follow each other.
#[derive(Debug, Clone, Copy)]
struct Source {
    /// Guest address of the first.
    pc: u32,
    /// Where [`Cache::halves`] has it.
    first: u32,
    /// How many there are, at least one.
    len: u32,
}

impl Source {
    /// The pages that it touches; it does not go round the end of the address space.
    fn pages(&self) -> RangeInclusive<u32> {
        let last = self.pc.wrapping_add(2 * self.len - 1);
        self.pc >> PAGE_SHIFT..=last >> PAGE_SHIFT
    }
}

impl Translated {
    /// What [`Cache::entry_at`] takes.
    #[must_use]
    pub fn entries(&self) -> Range<usize> {
        self.entries.clone()
    }
}

impl Cache {
    /// Empty.
    #[must_use]
    pub fn new(isa: Isa) -> Cache {
        Cache {
            isa,
            regions: Vec::new(),
            places: Places::new(isa),
            sites: Vec::new(),
            entries: Vec::new(),
            map: Vec::new(),
            deferred: Vec::new(),
            runs: Vec::new(),
            halves: Vec::new(),
            pages: BTreeMap::new(),
            has_mixed_pages: false,
            dead_bytes: 0,
        }
    }

    /// Guest address and place of a block head of any region.
    #[must_use]
    pub fn entry_at(&self, index: usize) -> (u32, CodeOffset) {
        self.entries[index]
    }

    /// Where the code of a guest address begins.
    #[must_use]
    pub fn entry(&self, pc: u32) -> Option<CodeOffset> {
        self.places.code(pc)
    }

    /// All links from live code to a guest address; what dead code had is forgotten.
    pub fn links_to(&mut self, pc: u32) -> impl Iterator<Item = &Link> {
        let (regions, places) = (&self.regions, &mut self.places);
        places.prune(pc, |link| {
            // Those of the batch that is being made are in no region yet.
            let region = region_at(regions, link.branch);
            region.is_none_or(|index| regions[index].live)
        });
        self.places.links_to(pc)
    }

    /// Whether more than half of the code is dead, and that is much: then it is cheaper to begin anew than to keep books
    /// of it.
    #[must_use]
    pub fn is_mostly_dead(&self) -> bool {
        let all = self
            .regions
            .last()
            .map_or(0, |last| last.start.0 + last.len);
        self.dead_bytes > MUCH && self.dead_bytes > all / 2
    }

    /// All links.
    pub fn all_links(&self) -> impl Iterator<Item = &Link> {
        self.places.links()
    }

    /// All regions, also those that are no longer live.
    #[must_use]
    pub fn regions(&self) -> &[Translated] {
        &self.regions
    }

    /// Where the code of each guest instruction of a region begins.
    #[must_use]
    pub fn map(&self, region: &Translated) -> &[(u32, CodeOffset)] {
        &self.map[region.map.clone()]
    }

    /// The instruction at this address that a region was made from.
    #[must_use]
    pub fn fetched(&self, region: &Translated, pc: u32) -> Option<Fetched> {
        // Each half by itself: runs overlap where the guest jumps into the middle of an instruction.
        let half = |pc: u32| {
            let mut runs = self.runs[region.runs.clone()].iter();
            runs.find_map(|run| {
                let index = pc.wrapping_sub(run.pc) / 2;
                (index < run.len).then(|| self.halves[(run.first + index) as usize])
            })
        };
        Fetched::at(self.isa, pc, |pc| half(pc).ok_or(())).ok()
    }

    /// The operations that a position or a branch of a region puts off, by the index that it has for them.
    #[must_use]
    pub fn deferred(&self, region: usize, index: u32) -> &[Op] {
        match index {
            0 => &[],
            n => &self.deferred[self.regions[region].deferred + n as usize - 1],
        }
    }

    /// The region whose code holds a place, by its index.
    #[must_use]
    pub fn region_at(&self, at: CodeOffset) -> Option<usize> {
        region_at(&self.regions, at)
    }

    /// The guest instruction that a place belongs to.
    #[must_use]
    pub fn guest_pc(&self, at: CodeOffset) -> Option<u32> {
        let region = &self.regions[self.region_at(at)?];
        if at < region.cold {
            let map = self.map(region);
            let before = map.partition_point(|&(_, start)| start <= at);
            return Some(map.get(before.checked_sub(1)?)?.0);
        }
        // Most cold code ends with the call whose last byte is the site. Before the calls stands what goes back by
        // itself: it counts as the first one's.
        let next = self.sites.partition_point(|site| site.at < at);
        let site = self
            .sites
            .get(next)
            .filter(|site| site.at.0 < region.start.0 + region.len);
        Some(match site?.event {
            Event::Jump { target, .. } => target,
            Event::Interpret { position, .. } => position.pc,
            Event::Budget { pc } => pc,
        })
    }

    /// What leaving the code at this place means.
    #[must_use]
    pub fn event(&self, at: CodeOffset) -> Option<(usize, Event)> {
        let found = self.sites.binary_search_by_key(&at, |site| site.at).ok()?;
        Some((self.region_at(at)?, self.sites[found].event))
    }

    /// Enters a region, whose code follows that of all others, and write-protects the guest pages that it was read from.
    /// The lists of `output` are emptied.
    pub fn insert(
        &mut self,
        region: &Region,
        start: CodeOffset,
        len: u32,
        output: &mut Output,
        memory: &mut Memory,
    ) {
        let index = self.regions.len();
        for &(pc, at) in &output.entries {
            self.places.set_code(pc, at);
        }
        for &link in &output.links {
            self.places.add_link(link);
        }
        output.links.clear();
        self.sites.append(&mut output.sites);
        let deferred = self.deferred.len();
        self.deferred.extend(output.deferred.drain(1..));
        let first_run = self.runs.len();
        for run in &region.runs {
            let first = self.halves.len();
            for fetched in region.source(run) {
                self.halves.extend(fetched.halves());
            }
            self.runs.push(Source {
                pc: run.pc,
                first: u32::try_from(first).unwrap_or(u32::MAX),
                len: u32::try_from(self.halves.len() - first).unwrap_or(0),
            });
        }
        let runs = first_run..self.runs.len();
        self.regions.push(Translated {
            start,
            len,
            cold: output.cold,
            live: true,
            runs: runs.clone(),
            entries: append(&mut self.entries, &mut output.entries),
            map: append(&mut self.map, &mut output.map),
            deferred,
        });
        for number in self.runs[runs].iter().flat_map(Source::pages) {
            let page = self.pages.entry(number).or_default();
            if page.regions.last() != Some(&index) {
                page.regions.push(index);
            }
            if !page.mixed {
                memory.protect_code(number);
            }
        }
    }

    fn touches(&self, region: usize, write: CodeWrite) -> bool {
        self.runs[self.regions[region].runs.clone()]
            .iter()
            .any(|run| {
                let from_start = write.addr.wrapping_sub(run.pc);
                let to_write = run.pc.wrapping_sub(write.addr);
                from_start < run.len * 2 || to_write < write.len
            })
    }

    fn unchanged(&self, region: usize, memory: &mut Memory) -> bool {
        let mut runs = self.runs[self.regions[region].runs.clone()].iter();
        runs.all(|run| {
            let halves = &self.halves[run.first as usize..][..run.len as usize];
            let addresses = (0..run.len).map(|n| run.pc.wrapping_add(2 * n));
            addresses
                .zip(halves)
                .all(|(pc, &half)| memory.fetch_half(pc) == Ok(half))
        })
    }

    /// Takes note of stores to pages of code. Returns the regions that are no longer valid: their entries are gone.
    pub fn written(&mut self, writes: &[CodeWrite], memory: &mut Memory) -> Vec<usize> {
        let mut dead = Vec::new();
        for &write in writes {
            let last = write.addr.wrapping_add(write.len.saturating_sub(1));
            let mut page = write.addr >> PAGE_SHIFT;
            loop {
                self.written_page(page, write, memory, &mut dead);
                if page == last >> PAGE_SHIFT {
                    break;
                }
                page = page.wrapping_add(1) % (1 << (32 - PAGE_SHIFT));
            }
        }
        dead
    }

    /// The live regions that were made from these bytes, of those on this page.
    fn made_from(&self, page: u32, write: CodeWrite) -> Vec<usize> {
        let regions = self
            .pages
            .get(&page)
            .into_iter()
            .flat_map(|page| &page.regions);
        let hit = |&index: &usize| self.regions[index].live && self.touches(index, write);
        regions.copied().filter(hit).collect()
    }

    /// Takes away the regions that were made from the instruction at `pc`, and returns them.
    pub fn drop_at(&mut self, pc: u32, memory: &mut Memory) -> Vec<usize> {
        let hit = self.made_from(pc >> PAGE_SHIFT, CodeWrite { addr: pc, len: 2 });
        for &index in &hit {
            self.kill(index, memory);
        }
        hit
    }

    fn written_page(
        &mut self,
        number: u32,
        write: CodeWrite,
        memory: &mut Memory,
        dead: &mut Vec<usize>,
    ) {
        let hit = self.made_from(number, write);
        if hit.is_empty()
            && let Some(page) = self.pages.get_mut(&number)
        {
            page.false_hits += 1;
            if page.false_hits >= FALSE_HITS && !page.mixed {
                log::debug!(
                    "page {:#010x} holds code and data: only fence.i is heeded there now",
                    number * PAGE_SIZE
                );
                page.mixed = true;
                self.has_mixed_pages = true;
                memory.unprotect_code(number);
            }
        }
        for index in hit {
            self.kill(index, memory);
            dead.push(index);
        }
    }

    /// `fence.i`: returns the regions on unwatched pages whose source has changed.
    pub fn fence(&mut self, memory: &mut Memory) -> Vec<usize> {
        if !self.has_mixed_pages {
            return Vec::new();
        }
        let mut suspects: Vec<usize> = self
            .pages
            .values()
            .filter(|page| page.mixed)
            .flat_map(|page| page.regions.iter().copied())
            .filter(|&index| self.regions[index].live)
            .collect();
        suspects.sort_unstable();
        suspects.dedup();
        suspects.retain(|&index| !self.unchanged(index, memory));
        for &index in &suspects {
            self.kill(index, memory);
        }
        suspects
    }

    fn kill(&mut self, index: usize, memory: &mut Memory) {
        let region = &mut self.regions[index];
        region.live = false;
        self.dead_bytes += region.len;
        for &(pc, at) in &self.entries[region.entries.clone()] {
            if self.places.code(pc) == Some(at) {
                self.places.clear_code(pc);
            }
        }
        for number in self.runs[region.runs.clone()]
            .iter()
            .flat_map(Source::pages)
        {
            if let Some(page) = self.pages.get_mut(&number) {
                page.regions.retain(|&other| other != index);
                if page.regions.is_empty() && !page.mixed {
                    memory.unprotect_code(number);
                }
            }
        }
    }

    /// Forgets everything; pages stay protected only while they hold code.
    pub fn clear(&mut self, memory: &mut Memory) {
        for (&number, page) in &self.pages {
            if !page.mixed {
                memory.unprotect_code(number);
            }
        }
        // Which pages are mixed is worth remembering: they will be again.
        self.pages.retain(|_, page| page.mixed);
        for page in self.pages.values_mut() {
            page.regions.clear();
        }
        self.regions.clear();
        self.dead_bytes = 0;
        self.places.clear();
        self.sites.clear();
        self.entries.clear();
        self.map.clear();
        self.deferred.clear();
        self.runs.clear();
        self.halves.clear();
    }
}

/// The region whose code holds a place, by its index.
fn region_at(regions: &[Translated], at: CodeOffset) -> Option<usize> {
    let index = regions
        .partition_point(|region| region.start <= at)
        .checked_sub(1)?;
    (at.0 < regions[index].start.0 + regions[index].len).then_some(index)
}

/// Moves `more` behind `list`; where it is there.
fn append<T>(list: &mut Vec<T>, more: &mut Vec<T>) -> Range<usize> {
    let start = list.len();
    list.append(more);
    start..list.len()
}

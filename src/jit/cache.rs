//! What is translated: regions, where code enters and leaves them, which links point where, which guest pages they
//! were read from.

use super::backend::{CodeOffset, Event, Link, Output};
use super::region::Region;
use crate::memory::{CodeWrite, Memory, PAGE_SHIFT, PAGE_SIZE};
use crate::rv32::Insn;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Stores to a page of code that hit none of it, before the page is no longer watched: from then on only `fence.i`
/// makes changes of it visible, as the specification has it.
const FALSE_HITS: u32 = 64;

/// Hashes guest addresses: one multiplication, since they are no adversary's keys to anything but time.
#[derive(Debug, Default, Clone, Copy)]
pub struct PcHasher(u64);

impl Hasher for PcHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }
    fn write_u32(&mut self, n: u32) {
        self.0 = (self.0 ^ u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 29;
    }
}

/// A map by guest address or page.
pub type PcMap<V> = HashMap<u32, V, BuildHasherDefault<PcHasher>>;

/// A region that was translated.
#[derive(Debug)]
pub struct Translated {
    /// First byte of its code.
    pub start: CodeOffset,
    /// Bytes of code.
    pub len: u32,
    /// What the backend gave, without the code.
    pub output: Output,
    /// The guest words it was made from.
    pub source: Vec<(u32, Vec<u32>)>,
    /// False once the guest changed those words.
    pub live: bool,
}

impl Translated {
    /// Guest instructions.
    #[must_use]
    pub fn guest_insns(&self) -> usize {
        self.source.iter().map(|(_, words)| words.len()).sum()
    }

    fn pages(&self) -> impl Iterator<Item = u32> + '_ {
        self.source.iter().flat_map(|(start, words)| {
            let last = words.len().saturating_sub(1) as u64 * 4 + u64::from(*start);
            let last = u32::try_from(last).unwrap_or(u32::MAX);
            start >> PAGE_SHIFT..=last >> PAGE_SHIFT
        })
    }

    fn touches(&self, write: CodeWrite) -> bool {
        self.source.iter().any(|(start, words)| {
            let from_start = write.addr.wrapping_sub(*start);
            let to_write = start.wrapping_sub(write.addr);
            (from_start as usize) < words.len() * 4 || to_write < write.len
        })
    }

    fn unchanged(&self, memory: &mut Memory) -> bool {
        self.source.iter().all(|(start, words)| {
            (*start..)
                .step_by(4)
                .zip(words)
                .all(|(pc, &word)| memory.fetch(pc) == Ok(word))
        })
    }
}

#[derive(Debug, Default)]
struct CodePage {
    regions: Vec<usize>,
    false_hits: u32,
    /// Not watched any more.
    mixed: bool,
}

/// See the module's description.
#[derive(Debug, Default)]
pub struct Cache {
    regions: Vec<Translated>,
    entries: PcMap<CodeOffset>,
    /// All links by target, pointed at code or not.
    links: PcMap<Vec<Link>>,
    pages: PcMap<CodePage>,
    has_mixed_pages: bool,
}

impl Cache {
    /// Where the code of a guest address begins.
    #[must_use]
    pub fn entry(&self, pc: u32) -> Option<CodeOffset> {
        self.entries.get(&pc).copied()
    }

    /// All links to a guest address.
    #[must_use]
    pub fn links_to(&self, pc: u32) -> &[Link] {
        self.links.get(&pc).map_or(&[], Vec::as_slice)
    }

    /// All links.
    pub fn all_links(&self) -> impl Iterator<Item = &Link> {
        self.links.values().flatten()
    }

    /// All regions, also those that are no longer live.
    #[must_use]
    pub fn regions(&self) -> &[Translated] {
        &self.regions
    }

    /// The region whose code holds a place, by its index.
    #[must_use]
    pub fn region_at(&self, at: CodeOffset) -> Option<usize> {
        let index = self
            .regions
            .partition_point(|region| region.start <= at)
            .checked_sub(1)?;
        (at.0 < self.regions[index].start.0 + self.regions[index].len).then_some(index)
    }

    /// What leaving the code at this place means.
    #[must_use]
    pub fn event(&self, at: CodeOffset) -> Option<(usize, Event)> {
        let index = self.region_at(at)?;
        let sites = &self.regions[index].output.sites;
        let found = sites.binary_search_by_key(&at, |site| site.at).ok()?;
        Some((index, sites[found].event))
    }

    /// Enters a region, and write-protects the guest pages that it was read from. Returns the index.
    pub fn insert(
        &mut self,
        region: Region,
        start: CodeOffset,
        len: u32,
        output: Output,
        memory: &mut Memory,
    ) -> usize {
        let index = self.regions.len();
        for &(pc, at) in &output.entries {
            self.entries.insert(pc, at);
        }
        for link in &output.links {
            self.links.entry(link.target).or_default().push(*link);
        }
        let translated = Translated {
            start,
            len,
            output,
            source: region.source,
            live: true,
        };
        for number in translated.pages() {
            let page = self.pages.entry(number).or_default();
            if page.regions.last() != Some(&index) {
                page.regions.push(index);
            }
            if !page.mixed {
                memory.protect_code(number);
            }
        }
        self.regions.push(translated);
        index
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

    fn written_page(
        &mut self,
        number: u32,
        write: CodeWrite,
        memory: &mut Memory,
        dead: &mut Vec<usize>,
    ) {
        let Some(page) = self.pages.get_mut(&number) else {
            return;
        };
        let hit: Vec<usize> = page
            .regions
            .iter()
            .copied()
            .filter(|&index| self.regions[index].live && self.regions[index].touches(write))
            .collect();
        if hit.is_empty() {
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
        suspects.retain(|&index| !self.regions[index].unchanged(memory));
        for &index in &suspects {
            self.kill(index, memory);
        }
        suspects
    }

    fn kill(&mut self, index: usize, memory: &mut Memory) {
        let region = &mut self.regions[index];
        region.live = false;
        for (pc, at) in &region.output.entries {
            if self.entries.get(pc) == Some(at) {
                self.entries.remove(pc);
            }
        }
        let pages: Vec<u32> = self.regions[index].pages().collect();
        for number in pages {
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
        self.entries.clear();
        self.links.clear();
    }
}

/// Whether this instruction orders stores before later fetches.
#[must_use]
pub fn is_fence_i(insn: Option<Insn>) -> bool {
    matches!(insn, Some(Insn::FenceI { .. }))
}

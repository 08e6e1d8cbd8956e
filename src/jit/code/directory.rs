//! What there is for each guest address: where its code begins, and which branches want to go there.
//!
//! A directory of pages, so that asking costs two loads: the translator asks for every instruction.

use crate::jit::back::backend::{CodeOffset, Link};
use crate::memory::{PAGE_COUNT, PAGE_SHIFT, PAGE_SIZE};
use crate::rv32::Isa;

/// 0 is none, in both: the stubs are at offset 0.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    code: u32,
    /// One more than the index of the last link to here.
    link: u32,
}

/// See the module's description.
#[derive(Debug)]
pub struct Places {
    /// One more than the index in `pages` by page number. Host memory is only there for what is used.
    directory: Box<[u32]>,
    pages: Vec<(u32, Box<[Place]>)>,
    /// Each link, and the `link` of its place when it was added.
    links: Vec<(Link, u32)>,
    /// log2 of the bytes from one place to the next.
    step: u32,
}

impl Places {
    /// Empty, with a place for each address where an instruction may begin.
    #[must_use]
    pub fn new(isa: Isa) -> Places {
        Places {
            directory: vec![0; PAGE_COUNT as usize].into_boxed_slice(),
            pages: Vec::new(),
            links: Vec::new(),
            step: isa.alignment_bits(),
        }
    }

    fn index(&self, pc: u32) -> usize {
        ((pc % PAGE_SIZE) >> self.step) as usize
    }

    fn place(&self, pc: u32) -> Place {
        match self.directory[(pc >> PAGE_SHIFT) as usize] {
            0 => Place::default(),
            page => self.pages[page as usize - 1].1[self.index(pc)],
        }
    }

    fn place_mut(&mut self, pc: u32) -> &mut Place {
        let (number, index) = (pc >> PAGE_SHIFT, self.index(pc));
        let entry = &mut self.directory[number as usize];
        if *entry == 0 {
            let places = vec![Place::default(); PAGE_SIZE as usize >> self.step];
            self.pages.push((number, places.into_boxed_slice()));
            // There are at most 2^20 pages.
            *entry = u32::try_from(self.pages.len()).unwrap_or(0);
        }
        &mut self.pages[*entry as usize - 1].1[index]
    }

    /// Where the code of a guest address begins.
    #[must_use]
    pub fn code(&self, pc: u32) -> Option<CodeOffset> {
        let code = self.place(pc).code;
        (code != 0).then_some(CodeOffset(code))
    }

    /// Notes where the code of a guest address begins.
    pub fn set_code(&mut self, pc: u32, code: CodeOffset) {
        self.place_mut(pc).code = code.0;
    }

    /// There is no such code any more.
    pub fn clear_code(&mut self, pc: u32) {
        self.place_mut(pc).code = 0;
    }

    /// Adds a link to its target.
    pub fn add_link(&mut self, link: Link) {
        let added = u32::try_from(self.links.len() + 1).unwrap_or(0);
        let before = std::mem::replace(&mut self.place_mut(link.target).link, added);
        self.links.push((link, before));
    }

    /// All links to a guest address.
    pub fn links_to(&self, pc: u32) -> impl Iterator<Item = &Link> {
        let mut next = self.place(pc).link;
        std::iter::from_fn(move || {
            let (link, before) = self.links.get((next as usize).checked_sub(1)?)?;
            next = *before;
            Some(link)
        })
    }

    /// Forgets the links to a guest address that are not to be kept: each of them is looked at once only.
    pub fn prune(&mut self, pc: u32, keep: impl Fn(&Link) -> bool) {
        let mut next = self.place(pc).link;
        if next == 0 {
            return;
        }
        // The places where what comes next is noted: the address's own, then that of each link that stays.
        let mut last = None;
        let mut note = |places: &mut Places, next: u32, now: Option<usize>| match std::mem::replace(
            &mut last, now,
        ) {
            None => places.place_mut(pc).link = next,
            Some(kept) => {
                let kept: usize = kept;
                places.links[kept].1 = next;
            }
        };
        while let Some(index) = (next as usize).checked_sub(1) {
            let (link, before) = self.links[index];
            if keep(&link) {
                note(self, next, Some(index));
            }
            next = before;
        }
        note(self, 0, None);
    }

    /// All links.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().map(|(link, _)| link)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        for (number, _) in self.pages.drain(..) {
            self.directory[number as usize] = 0;
        }
        self.links.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_links_are_found_by_address() {
        let mut places = Places::new(Isa::default());
        let link = |n, target| Link {
            branch: CodeOffset(n),
            cold: CodeOffset(n + 1),
            target,
            insn: 0,
        };
        for pc in [0x1_0000, 0x1_0ffc, 0xffff_fffc] {
            assert_eq!(places.code(pc), None);
            places.set_code(pc, CodeOffset(pc >> 4));
            places.add_link(link(1, pc));
            places.add_link(link(2, pc));
            assert_eq!(places.code(pc), Some(CodeOffset(pc >> 4)));
            assert_eq!(places.code(pc ^ 4), None);
            let links: Vec<Link> = places.links_to(pc).copied().collect();
            assert_eq!(links, [link(2, pc), link(1, pc)]);
            assert_eq!(places.links_to(pc ^ 4).count(), 0);
        }
        assert_eq!(places.links().count(), 6);
        places.clear_code(0x1_0000);
        assert_eq!(places.code(0x1_0000), None);
        assert_eq!(places.links_to(0x1_0000).count(), 2);
        places.add_link(link(3, 0x1_0000));
        let rows: [(&[u32], &[u32]); 4] = [
            (&[1, 2, 3], &[3, 2, 1]),
            (&[1, 3], &[3, 1]),
            (&[1], &[1]),
            (&[], &[]),
        ];
        for (kept, left) in rows {
            places.prune(0x1_0000, |link| kept.contains(&link.branch.0));
            let links = places.links_to(0x1_0000).map(|link| link.branch.0);
            assert_eq!(links.collect::<Vec<_>>(), left);
        }
        places.prune(0x7000_0000, |_| true);
        places.clear();
        assert_eq!(places.code(0x1_0ffc), None);
        assert_eq!(places.links().count(), 0);
    }
}

//! Translating what is to be executed, and linking it with what there is.
//!
//! Opening and closing the code buffer costs as much as translating dozens of instructions, so code is published in
//! batches: with a region go others that will probably be needed soon.

use crate::jit::back::backend::{Backend, CodeOffset, Output, Patch};
use crate::jit::back::translate;
use crate::jit::code::regions::Translated;
use crate::jit::front::region::{Finder, Region};
use crate::jit::ir::item::Item;
use crate::jit::ir::state::JumpTableKind;
use crate::jit::{Jit, Pending};
use crate::memory::Memory;
use std::io;
use std::time::Instant;

/// Room that a batch needs at least; it is tried again in an empty buffer if it took more.
pub(in crate::jit) const ROOM: usize = 128 << 10;
/// A batch that has so many bytes is published.
const BATCH: usize = 32 << 10;

/// What translating needs and nobody else: kept between regions, so that they allocate next to nothing.
#[derive(Debug, Default)]
pub(in crate::jit) struct Workshop {
    finder: Finder,
    region: Region,
    items: Vec<Item>,
    /// The code of this batch.
    code: Vec<u8>,
    patches: Vec<Patch>,
    /// Where the batch's blocks are.
    entries: Vec<(u32, CodeOffset)>,
    /// Where regions of this batch may begin, and of later ones where nothing is interpreted.
    open: Vec<u32>,
}

impl<B: Backend> Jit<B> {
    /// Drops all code.
    pub(in crate::jit) fn flush(&mut self, memory: &mut Memory) {
        self.stats.flushes += 1;
        self.pending = Pending::Nothing;
        self.cache.clear(memory);
        self.arena.clear_all();
        self.workshop.open.clear();
        let stubs = u32::try_from(self.stubs.code.len()).unwrap_or(0);
        self.code.truncate(CodeOffset(stubs));
    }

    /// The host place of a guest address, translated now if need be.
    pub(in crate::jit) fn entry(&mut self, pc: u32, memory: &mut Memory) -> io::Result<CodeOffset> {
        if let Some(at) = self.cache.entry(pc) {
            // The slot of a hashed table may have gone to another pc since.
            if self.arena.kind() == JumpTableKind::Hashed {
                self.arena.set(pc, self.code.address(at));
            }
            return Ok(at);
        }
        let start = Instant::now();
        if self.code.room() < ROOM {
            self.flush(memory);
        }
        let mut done = self.translate(pc, memory);
        let full = |error: &io::Error| error.kind() == io::ErrorKind::OutOfMemory;
        if done.as_ref().is_err_and(full) {
            self.flush(memory);
            done = self.translate(pc, memory);
        }
        if done.is_err() {
            // Nothing may be taken for code that was not published.
            self.flush(memory);
        }
        self.stats.translate_time += start.elapsed();
        done?;
        self.cache
            .entry(pc)
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
    }

    /// Translates and publishes the region of `pc`, and what belongs to it.
    fn translate(&mut self, pc: u32, memory: &mut Memory) -> io::Result<()> {
        self.workshop.code.clear();
        self.workshop.patches.clear();
        self.workshop.entries.clear();
        self.workshop.open.append(&mut self.heat.warm);
        self.workshop.open.push(pc);
        while let Some(pc) = self.workshop.open.pop() {
            if self.cache.entry(pc).is_none() && !self.heat.cools(pc) {
                self.translate_region(pc, memory);
            }
            if self.workshop.code.len() > BATCH {
                break;
            }
        }
        if !self.heat.is_off() {
            self.workshop.open.clear();
        }
        self.code
            .edit(&self.workshop.code, &self.workshop.patches)?;
        for &(pc, to) in &self.workshop.entries {
            self.arena.set(pc, self.code.address(to));
            self.heat.has_code(pc);
        }
        Ok(())
    }

    /// Takes the code of the instruction at `pc` away, so that it is translated anew without that one: the interpreter
    /// executes it, without a fault of the host's before.
    pub(in crate::jit) fn leave_out(&mut self, pc: u32, memory: &mut Memory) -> io::Result<()> {
        if !self.workshop.finder.leave_out(pc) {
            return Ok(());
        }
        let dead = self.cache.drop_at(pc, memory);
        self.fetcher.arrive();
        self.unlink(&dead)
    }

    /// Translates the region of `pc` into the batch.
    fn translate_region(&mut self, pc: u32, memory: &mut Memory) {
        let (cache, heat, shop) = (&mut self.cache, &self.heat, &mut self.workshop);
        let known = |pc| cache.entry(pc).is_some();
        let wanted = |pc| heat.reached(pc) && !heat.cools(pc);
        shop.finder
            .find(&mut shop.region, self.isa, pc, memory, known, wanted);
        let begun = u32::try_from(shop.code.len()).unwrap_or(u32::MAX);
        let at = CodeOffset(self.code.next().0 + begun);
        let mut translate = || {
            translate::translate(
                &mut self.backend,
                &shop.region,
                at,
                self.mode,
                &mut shop.items,
                |_| {},
            )
        };
        let mut output: Output = translate();
        if output.too_far {
            output = translate();
        }
        let len = u32::try_from(output.code.len()).unwrap_or(u32::MAX);
        shop.code.extend_from_slice(&output.code);
        for link in &output.links {
            if let Some(to) = cache.entry(link.target) {
                self.stats.links += 1;
                self.backend.relink(link, Some(to), &mut shop.patches);
            }
        }
        for &(pc, to) in &output.entries {
            for link in cache.links_to(pc) {
                self.stats.links += 1;
                self.backend.relink(link, Some(to), &mut shop.patches);
            }
        }
        if heat.is_off() {
            // Where all code is to be translated, what this leads to is.
            shop.open
                .extend(output.links.iter().map(|link| link.target));
        }
        self.stats.regions += 1;
        self.stats.blocks += output.entries.len() as u64;
        self.stats.host_bytes += u64::from(len);
        self.stats.guest_insns += shop.region.len() as u64;
        shop.entries.extend_from_slice(&output.entries);
        cache.insert(&shop.region, at, len, &mut output, memory);
        self.backend.recycle(output);
    }

    /// Takes away the entries of regions that are no longer valid.
    pub(in crate::jit) fn unlink(&mut self, dead: &[usize]) -> io::Result<()> {
        let mut patches: Vec<Patch> = Vec::new();
        for &index in dead {
            for n in self.cache.regions()[index].entries() {
                let (pc, _) = self.cache.entry_at(n);
                self.arena.clear(pc);
                for link in self.cache.links_to(pc) {
                    self.backend.relink(link, None, &mut patches);
                }
            }
        }
        if self.cache.is_mostly_dead() {
            // Everything is dropped before code is entered again.
            self.pending = Pending::Flush;
        }
        self.code.edit(&[], &patches)
    }

    /// Makes the code leave at its next link, backward branch or indirect jump: a run that is to stop costs the others
    /// nothing that way. What was unlinked is linked again before code is entered.
    pub(in crate::jit) fn unlink_everything(&mut self) {
        let mut patches: Vec<Patch> = Vec::new();
        for link in self.cache.all_links() {
            self.backend.relink(link, None, &mut patches);
        }
        self.arena.clear_all();
        if self.pending == Pending::Nothing {
            self.pending = Pending::Relink;
        }
        if let Err(error) = self.code.edit(&[], &patches) {
            self.pending = Pending::Flush;
            log::error!("cannot make the code stop: {error}");
        }
    }

    /// Takes [`Jit::unlink_everything`] back: a timer that interrupts the guest again and again costs it no code.
    fn link_everything(&mut self) -> io::Result<()> {
        let mut patches: Vec<Patch> = Vec::new();
        for link in self.cache.all_links() {
            if let Some(to) = self.cache.entry(link.target) {
                self.backend.relink(link, Some(to), &mut patches);
            }
        }
        let live = self.cache.regions().iter().filter(|region| region.live);
        for n in live.flat_map(Translated::entries) {
            let (pc, at) = self.cache.entry_at(n);
            if self.cache.entry(pc) == Some(at) {
                self.arena.set(pc, self.code.address(at));
            }
        }
        self.code.edit(&[], &patches)
    }

    /// Whether code may be entered as it is.
    pub(in crate::jit) fn is_settled(&self) -> bool {
        self.pending == Pending::Nothing
    }

    /// Does what is still to be done before code may be entered.
    pub(in crate::jit) fn settle(&mut self, memory: &mut Memory) -> io::Result<()> {
        match self.pending {
            Pending::Nothing => {}
            Pending::Relink => {
                // Unless that succeeds, nothing that was linked can be trusted.
                self.pending = Pending::Flush;
                self.link_everything()?;
                self.pending = Pending::Nothing;
            }
            Pending::Flush => self.flush(memory),
        }
        Ok(())
    }
}

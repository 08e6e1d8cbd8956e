//! The memory that emitted code reaches through one register: the engine's [`State`] and, after it, the jump table.
//!
//! The register points at the table, and the state lies just below, where short negative offsets reach it. The jump
//! table takes a guest pc to host code. Its sparse form has a slot for every 32-bit value of `ror pc, 2`: 32 GiB of
//! address space of which only the pages in use cost memory. Misaligned targets land in the upper three quarters, which
//! cannot be read (where there are compressed instructions it is `ror pc, 1`, and the upper half): the jump itself faults, and is interpreted. The empty slots of a guest page that code was made from
//! lead to a stub, which leaves; those of other pages are 0, and the fault of having jumped there is a miss as well,
//! but costs microseconds. The direct form has a slot for every value of pc, so that the index costs nothing; a quarter
//! of it (or a half) is in use, and a misaligned target finds an empty slot. Its empty slots are all 0, because the way out must
//! know the jump, and not only the target. The hashed form needs neither much address space nor signals: 2^15 slots of
//! (pc, host address), checked by the code.
#![expect(unsafe_code, reason = "emitted code reads and writes this memory")]

use crate::jit::ir::state::{HASHED_BITS, JumpTableKind, State};
use crate::memory::{PAGE_SHIFT, PAGE_SIZE};
use crate::rv32::Isa;
use crate::sys::mmap::{Mapping, Protection};
use std::io;

const HASHED_SLOTS: usize = 1 << HASHED_BITS;
/// What precedes the table: a page of any host that cannot be accessed, then a stack, which signal handlers use on
/// hosts whose emitted code has its stack pointer here, the state at its end.
const BEFORE: usize = 256 << 10;
const STACK_GUARD: usize = 64 << 10;

/// Owner of the state and the jump table.
#[derive(Debug)]
pub struct Arena {
    mapping: Mapping,
    kind: JumpTableKind,
    /// log2 of the bytes from one target to the next.
    step: u32,
    /// Where an empty slot of the sparse table leads.
    missed: u64,
    /// The guest pages whose slots in the sparse table are not zeros.
    pages: Vec<u32>,
    /// Whether slots of the hashed table were set.
    in_use: bool,
}

impl Arena {
    /// Maps the arena with an empty table.
    ///
    /// # Errors
    /// The host's: the sparse table needs 32 GiB of address space.
    pub fn new(kind: JumpTableKind, isa: Isa) -> io::Result<Arena> {
        let step = isa.alignment_bits();
        let table = match kind {
            JumpTableKind::Sparse | JumpTableKind::Direct => 8 << 32,
            JumpTableKind::Hashed => 16 * HASHED_SLOTS,
        };
        let mapping = Mapping::new(BEFORE + table, Protection::ReadWrite)?;
        // A huge page would bring in 2 MiB of empty slots where one is touched.
        mapping.keep_small(0, BEFORE + table);
        mapping.protect(0, STACK_GUARD, Protection::None)?;
        if kind == JumpTableKind::Sparse {
            let used = table >> step;
            mapping.protect(BEFORE + used, table - used, Protection::None)?;
        }
        let mut arena = Arena {
            mapping,
            kind,
            step,
            missed: 0,
            pages: Vec::new(),
            in_use: false,
        };
        arena.reset_hashed();
        Ok(arena)
    }

    /// Which table this has.
    #[must_use]
    pub fn kind(&self) -> JumpTableKind {
        self.kind
    }

    /// What the register holds while emitted code runs.
    #[must_use]
    pub fn base(&self) -> *mut u8 {
        self.mapping.as_ptr().wrapping_add(BEFORE)
    }

    fn state_ptr(&self) -> *mut State {
        self.base().cast::<State>().wrapping_sub(1)
    }

    /// The state; emitted code is not running.
    #[must_use]
    pub fn state(&mut self) -> &mut State {
        // SAFETY: `state_ptr` lies in front of the table, where the mapping is readable, writable, zeroed (a valid
        // State) and aligned; `&mut self` is the only way to it while no emitted code runs.
        unsafe { &mut *self.state_ptr() }
    }

    fn slot(&self, pc: u32) -> *mut u64 {
        let index = match self.kind {
            JumpTableKind::Sparse => pc.rotate_right(self.step) as usize,
            JumpTableKind::Direct => pc as usize,
            JumpTableKind::Hashed => (pc >> self.step) as usize % HASHED_SLOTS * 2,
        };
        self.base().cast::<u64>().wrapping_add(index)
    }

    /// The target of the jump that missed last, in the sparse table.
    #[must_use]
    pub fn missed(&mut self) -> u32 {
        let index = u32::try_from(self.state().missed).unwrap_or(0);
        index.rotate_left(self.step)
    }

    /// Tells the host address of the stub for empty slots of the sparse table, before any is set.
    pub fn set_missed(&mut self, stub: usize) {
        self.missed = stub as u64;
    }

    /// Makes jumps to the page of `pc` miss quickly where they miss.
    pub fn expect(&mut self, pc: u32) {
        let slot = self.slot(pc >> self.step << self.step);
        match self.kind {
            // SAFETY: every 32-bit index of an aligned target lies in the part of these tables that is readable and writable.
            JumpTableKind::Sparse | JumpTableKind::Direct if unsafe { slot.read() } == 0 => {
                self.pages.push(pc >> PAGE_SHIFT);
                if self.kind == JumpTableKind::Sparse {
                    self.empty(pc >> PAGE_SHIFT);
                }
            }
            JumpTableKind::Sparse | JumpTableKind::Direct => {}
            JumpTableKind::Hashed => self.in_use = true,
        }
    }

    /// Makes all jumps to a page miss.
    fn empty(&mut self, page: u32) {
        for pc in (page << PAGE_SHIFT..)
            .step_by(1 << self.step)
            .take(PAGE_SIZE as usize >> self.step)
        {
            self.clear(pc);
        }
    }

    /// Lets indirect jumps to `pc` find `host`.
    pub fn set(&mut self, pc: u32, host: usize) {
        self.expect(pc);
        let slot = self.slot(pc);
        match self.kind {
            // SAFETY: as in `expect`.
            JumpTableKind::Sparse | JumpTableKind::Direct => unsafe { slot.write(host as u64) },
            JumpTableKind::Hashed => self.set_hashed(slot, pc.into(), host as u64),
        }
    }

    /// Lets indirect jumps to `pc` miss.
    pub fn clear(&mut self, pc: u32) {
        let slot = self.slot(pc);
        match self.kind {
            // SAFETY: as in `expect`.
            JumpTableKind::Sparse => unsafe { slot.write(self.missed) },
            // SAFETY: as in `expect`.
            JumpTableKind::Direct => unsafe { slot.write(0) },
            // SAFETY: the slot's first word lies inside the table.
            JumpTableKind::Hashed if unsafe { slot.read() } == u64::from(pc) => {
                // The host address stays: code may just have compared the key, and be about to use it.
                // SAFETY: as above.
                unsafe { slot.write(self.vacant(pc)) };
            }
            JumpTableKind::Hashed => {}
        }
    }

    /// Empties the table.
    pub fn clear_all(&mut self) {
        let mut pages = std::mem::take(&mut self.pages);
        // Slots that are 0 where they are empty bring their page in again and again.
        pages.sort_unstable();
        pages.dedup();
        for &page in &pages {
            self.empty(page);
        }
        self.pages = pages;
        if std::mem::take(&mut self.in_use) {
            for pc in (0..).step_by(1 << self.step).take(HASHED_SLOTS) {
                // SAFETY: inside the hashed table. As in `clear`, the host address stays.
                unsafe { self.slot(pc).write(self.vacant(pc)) };
            }
        }
    }

    fn set_hashed(&mut self, slot: *mut u64, key: u64, host: u64) {
        // SAFETY: `slot` masks its index, so that both words lie inside the table.
        unsafe { slot.write(key) };
        // SAFETY: as above.
        unsafe { slot.wrapping_add(1).write(host) };
    }

    /// Empty slots hold key 0, which is that of another slot, but for the slot of pc 0.
    fn reset_hashed(&mut self) {
        if self.kind == JumpTableKind::Hashed {
            self.set_hashed(self.slot(0), self.vacant(0), 0);
        }
    }

    /// A key that no target matches, odd or misaligned ones included, whose slot is that of `pc`: it is another slot's.
    fn vacant(&self, pc: u32) -> u64 {
        u64::from(pc ^ 1 << self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jit::ir::state::offset;

    fn read(arena: &Arena, pc: u32) -> u64 {
        // SAFETY: slots lie inside the table.
        unsafe { arena.slot(pc).read() }
    }

    #[test]
    fn sparse_slots_cover_every_pc() {
        let mut arena = Arena::new(JumpTableKind::Sparse, Isa::default()).unwrap();
        for pc in [0x1_0000, 0x8000_0000, 0xffff_fffc] {
            arena.set(pc, 0x1234);
            assert_eq!(read(&arena, pc), 0x1234);
            let readable = arena.base().addr()..arena.base().addr() + (8 << 30);
            assert!(readable.contains(&arena.slot(pc).addr()));
            assert!(!readable.contains(&arena.slot(pc | 1).addr()));
            assert!(!readable.contains(&arena.slot(pc | 2).addr()));
        }
        arena.clear_all();
        assert_eq!(read(&arena, 0x8000_0000), 0);
    }

    /// The kernel's flags of the mapping that an address lies in. Emulators do not know them.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn flags_at(address: usize) -> Option<String> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let hex = |text: &str| usize::from_str_radix(text, 16).ok();
        let mut lines = maps.lines().skip_while(|line| {
            let range = line
                .split(' ')
                .next()
                .and_then(|range| range.split_once('-'));
            !range.is_some_and(|(start, end)| {
                hex(start).is_some_and(|start| start <= address)
                    && hex(end).is_some_and(|end| end > address)
            })
        });
        let flags = lines.find_map(|line| line.strip_prefix("VmFlags:"))?;
        Some(flags.to_string())
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn touching_a_slot_brings_no_huge_page() {
        let arena = Arena::new(JumpTableKind::Sparse, Isa::default()).unwrap();
        for pc in [0x1_0000, 0xffff_fffc] {
            let flags = flags_at(arena.slot(pc).addr()).expect("the kernel tells flags");
            assert!(flags.split(' ').any(|flag| flag == "nh"), "{flags}");
        }
    }

    #[test]
    fn direct_slots_cover_every_pc() {
        let mut arena = Arena::new(JumpTableKind::Direct, Isa::default()).unwrap();
        for pc in [0x1_0000, 0x8000_0000, 0xffff_fffc] {
            arena.set(pc, 0x1234);
            assert_eq!(read(&arena, pc), 0x1234);
            for misaligned in [pc | 1, pc | 2, pc | 3] {
                assert_eq!(read(&arena, misaligned), 0);
            }
        }
        arena.clear_all();
        assert_eq!(read(&arena, 0xffff_fffc), 0);
    }

    #[test]
    fn empty_slots_near_code_lead_to_the_stub() {
        let mut arena = Arena::new(JumpTableKind::Sparse, Isa::default()).unwrap();
        arena.set_missed(0x77);
        assert_eq!(read(&arena, 0x1_0000), 0);
        arena.set(0x1_0004, 0x1234);
        for pc in [0x1_0000, 0x1_0008, 0x1_0ffc] {
            assert_eq!(read(&arena, pc), 0x77);
        }
        assert_eq!(read(&arena, 0x1_1000), 0, "the next page");
        arena.expect(0x1_1ffc);
        assert_eq!(read(&arena, 0x1_1000), 0x77);
        arena.expect(0x1_0008);
        assert_eq!(read(&arena, 0x1_0004), 0x1234, "what is set stays");
        arena.clear_all();
        assert_eq!(read(&arena, 0x1_0004), 0x77);
    }

    #[test]
    fn hashed_slots_are_checked_by_pc() {
        let mut arena = Arena::new(JumpTableKind::Hashed, Isa::default()).unwrap();
        assert_eq!(read(&arena, 0), 4, "no target in this slot matches");
        arena.set(0x1_0000, 1);
        arena.set(0x1_0000 + (4 << HASHED_BITS), 2);
        assert_eq!(
            read(&arena, 0x1_0000),
            0x1_0000 + (4 << HASHED_BITS),
            "the later one won"
        );
        arena.clear(0x1_0000);
        assert_eq!(
            read(&arena, 0x1_0000),
            0x1_0000 + (4 << HASHED_BITS),
            "clearing the loser changes nothing"
        );
    }

    #[test]
    fn state_is_below_the_table() {
        let mut arena = Arena::new(JumpTableKind::Hashed, Isa::default()).unwrap();
        arena.state().x[5] = 7;
        let at = arena.base().wrapping_offset(offset::X as isize + 20);
        // SAFETY: inside the state.
        assert_eq!(unsafe { at.cast::<u32>().read() }, 7);
    }
}

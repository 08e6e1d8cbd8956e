//! Regions: the guest code that is translated together.
//!
//! From an entry, every block is found that direct branches, jumps and fall-through reach, up to a cap; also the code
//! after a call, which the return will reach. Calls themselves leave the region. A block here may have branches in its
//! middle: only what is a target begins a block, since every block head is also an entry from outside, where nothing
//! but the homes of registers can be relied on.

use crate::memory::Memory;
use crate::rv32::{Fetched, Insn, Isa, PrivilegedOp};
use std::collections::HashSet;

/// The most guest instructions of a region. Large enough for almost every function, small enough that all branches
/// inside reach on ARM64 (±1 MiB).
pub const MOST_INSNS: usize = 2000;
/// How far from the entry a region's block heads lie at most, in bytes.
const REACH: u32 = 32 << 10;
/// Half-words from the lowest place of a region to behind the highest.
const SPAN: usize = REACH as usize + 2 * MOST_INSNS + 2;

/// Instructions that follow each other and are entered only at the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Guest address of the first instruction.
    pub pc: u32,
    /// Where [`Region::insns`] has it.
    first: u32,
    /// How many there are.
    len: u32,
    /// The address behind the last one.
    end: u32,
    /// Whether execution can run on past the last instruction.
    pub falls_through: bool,
}

impl Block {
    /// The address after the last instruction.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.end
    }

    /// Guest instructions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is nothing in it, which is never so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Instructions that follow each other in guest memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Guest address of the first.
    pub pc: u32,
    /// Where [`Region::source`] has it.
    first: u32,
    /// How many there are, without one that could not be fetched.
    len: u32,
    /// How many there are.
    all: u32,
}

/// A region: its blocks by address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Region {
    /// Which instructions there are.
    pub isa: Isa,
    /// Sorted by address. They overlap where the guest jumps into the middle of an instruction.
    pub blocks: Vec<Block>,
    /// All instructions, run after run; without [`Fetched::insn`] where the interpreter must look (illegal, or not to be
    /// fetched).
    insns: Vec<Fetched>,
    /// What was read, sorted by address.
    pub runs: Vec<Run>,
}

impl Region {
    /// The instructions of a block.
    #[must_use]
    pub fn insns(&self, block: &Block) -> &[Fetched] {
        &self.insns[block.first as usize..][..block.len()]
    }

    /// The instructions that a run was read from.
    #[must_use]
    pub fn source(&self, run: &Run) -> &[Fetched] {
        &self.insns[run.first as usize..][..run.len as usize]
    }

    /// Guest instructions of all blocks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.insns.len()
    }

    /// Whether nothing was found, which is never so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.insns.is_empty()
    }

    /// The block that begins at an address, by its number.
    #[must_use]
    pub fn block_at(&self, pc: u32) -> Option<usize> {
        self.blocks.binary_search_by_key(&pc, |block| block.pc).ok()
    }

    fn clear(&mut self) {
        self.blocks.clear();
        self.insns.clear();
        self.runs.clear();
    }
}

/// What ends a straight run of instructions.
enum Flow {
    /// Goes on; a conditional branch names its target.
    On(Option<u32>),
    /// Ends; what is given is reached from here inside the region.
    End { target: Option<u32>, next: bool },
}

fn flow(isa: Isa, insn: Option<Insn>, pc: u32) -> Flow {
    let aligned = |target| isa.is_aligned(target).then_some(target);
    let end = |target, next| Flow::End { target, next };
    match insn {
        Some(Insn::Branch { offset, .. }) => {
            let target = pc.wrapping_add_signed(offset);
            Flow::On(aligned(target))
        }
        // Whether that is the end is for the machine to say.
        Some(Insn::Jal { rd, offset: 0 }) if rd.is_zero() => end(None, false),
        Some(Insn::Jal { rd, offset }) if rd.is_zero() => {
            let target = pc.wrapping_add_signed(offset);
            end(aligned(target), false)
        }
        Some(Insn::Jal { .. }) => end(None, true),
        Some(Insn::Jalr { rd, .. }) => end(None, !rd.is_zero()),
        // The interpreter executes these; the run goes on behind them in a block of its own.
        Some(
            Insn::Ecall
            | Insn::Ebreak
            | Insn::Csr { .. }
            | Insn::FenceI { .. }
            | Insn::Privileged(PrivilegedOp::Wfi),
        ) => end(None, true),
        Some(Insn::Atomic { rs1, .. }) if rs1.is_zero() => end(None, true),
        Some(Insn::Bits { op, .. }) if op.is_carryless_product() => end(None, true),
        Some(Insn::Privileged(PrivilegedOp::Mret)) => end(None, false),
        None => end(None, false),
        Some(
            Insn::Lui { .. }
            | Insn::Auipc { .. }
            | Insn::Load { .. }
            | Insn::Store { .. }
            | Insn::AluImm { .. }
            | Insn::Alu { .. }
            | Insn::Mul { .. }
            | Insn::Bits { .. }
            | Insn::BitsImm { .. }
            | Insn::Unary { .. }
            | Insn::Atomic { .. }
            | Insn::Fence { .. },
        ) => Flow::On(None),
    }
}

/// The most instructions that are left out: a program with more devices than that waits for some of them.
const MOST_OUTSIDE: usize = 4096;

/// Bits of [`Finder::marks`].
const HEAD: u8 = 1;
const FOUND: u8 = 2;

/// Finds regions. It is kept between them, so that finding one allocates nothing.
#[derive(Debug, Default)]
pub struct Finder {
    /// What is known of each half-word from the lowest place of the region on.
    marks: Vec<u8>,
    lowest: u32,
    heads: Vec<u32>,
    open: Vec<u32>,
    /// Loads and stores that the interpreter executes from the start.
    outside: HashSet<u32>,
    /// The half-words that were fetched last, and where they are; none of them where they cannot be fetched.
    fetched: Option<(u32, Option<[u16; FETCHED]>)>,
}

/// How many half-words are fetched at once, all of the same page.
const FETCHED: usize = FETCHED_BYTES as usize / 2;
const FETCHED_BYTES: u32 = 128;

impl Finder {
    /// Leaves the instruction at `pc` to the interpreter from now on; false where it was before, or cannot be.
    pub fn leave_out(&mut self, pc: u32) -> bool {
        self.outside.len() < MOST_OUTSIDE && self.outside.insert(pc)
    }

    fn half(&mut self, pc: u32, memory: &mut Memory) -> Option<u16> {
        let start = pc & !(FETCHED_BYTES - 1);
        let halves = match &self.fetched {
            Some((at, halves)) if *at == start => halves,
            _ => {
                &self
                    .fetched
                    .insert((start, memory.fetch_halves(start).ok()))
                    .1
            }
        };
        halves
            .as_ref()
            .map(|halves| halves[(pc % FETCHED_BYTES / 2) as usize])
    }

    /// What stands at `pc`; `None` where it cannot be fetched, or lies round the end of the address space: no page of
    /// its source would be behind the first.
    fn fetch(&mut self, isa: Isa, pc: u32, memory: &mut Memory) -> Option<Fetched> {
        let fetched = Fetched::at(isa, pc, |pc| self.half(pc, memory).ok_or(())).ok()?;
        (fetched.next() == 0 || fetched.next() > pc).then_some(fetched)
    }

    fn mark(&mut self, pc: u32) -> &mut u8 {
        // Heads are near the entry, and what is found reaches at most `MOST_INSNS` past a head.
        &mut self.marks[mark_index(pc, self.lowest)]
    }

    fn add_head(&mut self, pc: u32) {
        let mark = self.mark(pc);
        if *mark & HEAD == 0 {
            *mark |= HEAD;
            self.heads.push(pc);
            self.open.push(pc);
        }
    }

    /// Finds the region of `entry`, in place of what `region` was. `known(pc)` tells where translated code begins
    /// already: such code is not translated again but linked to. `wanted(pc)` tells whether code at a place is worth
    /// translating: what is not may be linked to later.
    pub fn find(
        &mut self,
        region: &mut Region,
        isa: Isa,
        entry: u32,
        memory: &mut Memory,
        known: impl Fn(u32) -> bool,
        wanted: impl Fn(u32) -> bool,
    ) {
        region.clear();
        region.isa = isa;
        self.fetched = None;
        self.marks.resize(SPAN, 0);
        self.lowest = entry.wrapping_sub(REACH);
        let near = |pc: u32| pc.wrapping_sub(entry).wrapping_add(REACH) <= 2 * REACH;
        self.add_head(entry);
        while let Some(start) = self.open.pop() {
            if region.len() == MOST_INSNS || *self.mark(start) & FOUND != 0 {
                continue;
            }
            let first = region.len();
            let mut read = 0;
            let mut pc = start;
            loop {
                let mark = self.mark(pc);
                if *mark & FOUND != 0 || (pc != entry && known(pc)) || region.len() == MOST_INSNS {
                    break;
                }
                *mark |= FOUND;
                let outside = self.outside.contains(&pc);
                let fetched = self.fetch(isa, pc, memory);
                read += u32::from(fetched.is_some());
                let mut fetched = fetched.unwrap_or(Fetched {
                    pc,
                    bits: 0,
                    len: isa.alignment(),
                    insn: None,
                });
                fetched.insn = fetched.insn.filter(|_| !outside);
                region.insns.push(fetched);
                let next = fetched.next();
                let (target, ends, continues) = match flow(isa, fetched.insn, pc) {
                    _ if outside => (None, true, true),
                    Flow::On(target) => (target, false, false),
                    Flow::End { target, next } => (target, true, next),
                };
                for head in target.into_iter().chain(continues.then_some(next)) {
                    if near(head) && wanted(head) && !known(head) {
                        self.add_head(head);
                    }
                }
                pc = next;
                // A run does not continue round the end of the address space: blocks are sorted by address.
                if ends || next == 0 {
                    break;
                }
            }
            if region.len() > first {
                region.runs.push(Run {
                    pc: start,
                    first: number(first),
                    len: read,
                    all: number(region.len() - first),
                });
            }
        }
        region.runs.sort_unstable_by_key(|run| run.pc);
        self.cut(region);
        self.reset(region);
        // What cannot be fetched is nothing that the code was made from.
        region.runs.retain(|run| run.len > 0);
    }

    /// Cuts runs into blocks at the heads that lie inside them.
    fn cut(&mut self, region: &mut Region) {
        for run in &region.runs {
            let mut begun = 0;
            for n in 1..=run.all {
                let last = region.insns[(run.first + n - 1) as usize];
                let inside = n < run.all;
                if inside && *self.mark(last.next()) & HEAD == 0 {
                    continue;
                }
                let ends = matches!(flow(region.isa, last.insn, last.pc), Flow::End { .. });
                region.blocks.push(Block {
                    pc: region.insns[(run.first + begun) as usize].pc,
                    first: run.first + begun,
                    len: n - begun,
                    end: last.next(),
                    falls_through: inside || !ends,
                });
                begun = n;
            }
        }
        // Runs may overlap.
        if region.isa.compressed {
            region.blocks.sort_unstable_by_key(|block| block.pc);
        }
    }

    fn reset(&mut self, region: &Region) {
        for fetched in &region.insns {
            self.marks[mark_index(fetched.pc, self.lowest)] = 0;
        }
        while let Some(head) = self.heads.pop() {
            *self.mark(head) = 0;
        }
    }
}

fn mark_index(pc: u32, lowest: u32) -> usize {
    (pc.wrapping_sub(lowest) / 2) as usize
}

fn number(n: usize) -> u32 {
    // Indices in a region are at most `MOST_INSNS`.
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryConfig, PAGE_SIZE, Permissions};
    use crate::rv32::{AluOp, Cond, Reg, encode};

    const START: u32 = 0x1_0000;
    const RV32: Isa = Isa { compressed: false };
    const RV32C: Isa = Isa { compressed: true };

    fn memory(program: &[Insn]) -> Memory {
        let mut memory = Memory::new(MemoryConfig::default()).unwrap();
        memory
            .map(START, PAGE_SIZE.into(), Permissions::RX)
            .unwrap();
        let bytes: Vec<u8> = program
            .iter()
            .flat_map(|&insn| encode(insn).to_le_bytes())
            .collect();
        memory.poke(START, &bytes).unwrap();
        memory
    }

    /// A loop of two blocks, and behind it a call, code after it, and a way back over all of it.
    fn program() -> Vec<Insn> {
        let add = Insn::AluImm {
            op: AluOp::Add,
            rd: Reg::A0,
            rs1: Reg::A0,
            imm: 1,
        };
        let branch = |offset| Insn::Branch {
            cond: Cond::Ne,
            rs1: Reg::A0,
            rs2: Reg::A1,
            offset,
        };
        let jump = |rd, offset| Insn::Jal { rd, offset };
        vec![
            add,
            branch(8),
            add,
            branch(-12),
            jump(Reg::RA, 0x400),
            add,
            jump(Reg::ZERO, -24),
        ]
    }

    /// First and last instruction of each block, counted from the start, and whether it falls through.
    fn shape(region: &Region) -> Vec<(u32, u32, bool)> {
        let blocks = region.blocks.iter();
        let index = |pc: u32| (pc - START) / 4;
        blocks
            .map(|b| (index(b.pc), index(b.end()) - 1, b.falls_through))
            .collect()
    }

    /// The instructions of the first block.
    fn first(region: &Region) -> Vec<Option<Insn>> {
        let insns = region.insns(&region.blocks[0]).iter();
        insns.map(|fetched| fetched.insn).collect()
    }

    #[test]
    fn a_region_is_what_jumps_reach_and_calls_return_to() {
        let mut memory = memory(&program());
        let (mut finder, mut region) = (Finder::default(), Region::default());
        let whole = [(0, 2, true), (3, 4, false), (5, 6, false)];
        // The second time nothing is left of the first.
        for _ in 0..2 {
            finder.find(&mut region, RV32, START, &mut memory, |_| false, |_| true);
            assert_eq!(shape(&region), whole);
            assert_eq!(region.len(), 7);
            assert_eq!(region.insns(&region.blocks[1])[1].insn, Some(program()[4]));
            assert_eq!(region.block_at(START + 12), Some(1));
            assert_eq!(region.block_at(START + 4), None);
        }
        // From the middle on: the way back leads to an earlier address.
        let entry = START + 20;
        finder.find(&mut region, RV32, entry, &mut memory, |_| false, |_| true);
        assert_eq!(shape(&region), whole);
    }

    #[test]
    fn what_is_known_or_not_wanted_is_left_out() {
        let mut memory = memory(&program());
        let (mut finder, mut region) = (Finder::default(), Region::default());
        let known = |pc| pc == START + 12;
        finder.find(&mut region, RV32, START, &mut memory, known, |_| true);
        assert_eq!(shape(&region), [(0, 2, true)]);
        let wanted = |pc| pc != START + 20;
        finder.find(&mut region, RV32, START, &mut memory, |_| false, wanted);
        assert_eq!(shape(&region), [(0, 2, true), (3, 4, false)]);
        // What only a branch that was never taken wants is part of the straight line all the same.
        let wanted = |pc| pc != START + 12;
        finder.find(&mut region, RV32, START, &mut memory, |_| false, wanted);
        assert_eq!(shape(&region), [(0, 4, false), (5, 6, false)]);
    }

    #[test]
    fn what_the_interpreter_is_to_execute_ends_a_block() {
        let mut memory = memory(&program());
        let (mut finder, mut region) = (Finder::default(), Region::default());
        finder.leave_out(START + 8);
        finder.find(&mut region, RV32, START, &mut memory, |_| false, |_| true);
        let expected = [(0, 2, false), (3, 4, false), (5, 6, false)];
        assert_eq!(shape(&region), expected);
        assert_eq!(region.insns(&region.blocks[0])[2].insn, None);
        // It is source all the same: code that was made without it is dropped where the guest writes it.
        let source = region.runs.iter().flat_map(|run| region.source(run));
        assert!(source.clone().all(|fetched| fetched.bits != 0));
        assert_eq!(source.count(), 7);
    }

    #[test]
    fn a_word_that_cannot_be_fetched_is_no_source() {
        let mut memory = memory(&[]);
        let (mut finder, mut region) = (Finder::default(), Region::default());
        let entry = START + PAGE_SIZE;
        finder.find(&mut region, RV32, entry, &mut memory, |_| false, |_| true);
        assert_eq!(first(&region), [None]);
        assert!(region.runs.is_empty());
        let illegal = START + 64;
        finder.find(&mut region, RV32, illegal, &mut memory, |_| false, |_| true);
        assert_eq!(first(&region), [None]);
        assert_eq!(region.runs.len(), 1);
    }

    /// A page with these half-words at its end; behind it comes nothing, or the page with the others.
    fn halves(end: &[u16], next: Option<&[u16]>) -> (Memory, u32) {
        let mut memory = memory(&[]);
        let bytes = |halves: &[u16]| -> Vec<u8> {
            halves.iter().flat_map(|half| half.to_le_bytes()).collect()
        };
        let end = bytes(end);
        let behind = START + PAGE_SIZE;
        let entry = behind - u32::try_from(end.len()).unwrap();
        memory.poke(entry, &end).unwrap();
        if let Some(next) = next {
            memory
                .map(behind, PAGE_SIZE.into(), Permissions::RX)
                .unwrap();
            memory.poke(behind, &bytes(next)).unwrap();
        }
        (memory, entry)
    }

    const NOP: u16 = 0x0001;
    /// c.j back to the instruction before.
    const JUMP_BACK: u16 = 0xbffd;
    /// The lower half of `lui a0, …`; the upper half is any c.addi.
    const LUI: u16 = 0x0537;

    #[test]
    fn instructions_of_both_lengths_make_blocks() {
        let (mut memory, entry) = halves(&[NOP, LUI, 0x0505, JUMP_BACK], None);
        let (mut finder, mut region) = (Finder::default(), Region::default());
        finder.find(&mut region, RV32C, entry, &mut memory, |_| false, |_| true);
        // The jump back goes into the middle of the long instruction.
        let blocks: Vec<(u32, u32)> = region
            .blocks
            .iter()
            .map(|block| (block.pc - entry, block.end() - entry))
            .collect();
        assert_eq!(blocks, [(0, 8), (4, 6)]);
        assert!(region.blocks[1].falls_through);
        assert_eq!(region.runs.len(), 2);
    }

    #[test]
    fn an_instruction_may_lie_across_two_pages() {
        let (mut memory, entry) = halves(&[NOP, LUI], Some(&[0x0505, JUMP_BACK]));
        let (mut finder, mut region) = (Finder::default(), Region::default());
        finder.find(&mut region, RV32C, entry, &mut memory, |_| false, |_| true);
        let lui = region.insns(&region.blocks[0])[1];
        assert_eq!((lui.pc, lui.len, lui.bits), (entry + 2, 4, 0x0505_0537));
        assert!(lui.insn.is_some());
        // Without the second page its first half is no source.
        let (mut memory, entry) = halves(&[NOP, LUI], None);
        finder.find(&mut region, RV32C, entry, &mut memory, |_| false, |_| true);
        assert_eq!(first(&region).last(), Some(&None));
        assert_eq!(region.source(&region.runs[0]).len(), 1);
    }
}

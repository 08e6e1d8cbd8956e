//! Regions: the guest code that is translated together.
//!
//! From an entry, every block is found that direct branches, jumps and fall-through reach, up to a cap; also the code
//! after a call, which the return will reach. Calls themselves leave the region. A block here may have branches in its
//! middle: only what is a target begins a block, since every block head is also an entry from outside, where nothing
//! but the homes of registers can be relied on.

use crate::memory::Memory;
use crate::rv32::{Insn, decode};
use std::collections::BTreeMap;

/// The most guest instructions of a region. Large enough for almost every function, small enough that all branches
/// inside reach on ARM64 (±1 MiB).
pub const MOST_INSNS: usize = 2000;
/// How far from the entry a region extends, in bytes.
const REACH: u32 = 64 << 10;

/// Instructions that follow each other and are entered only at the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Guest address of the first instruction.
    pub pc: u32,
    /// The instructions; `None` for a word that the interpreter must look at (illegal, or not to be fetched).
    pub insns: Vec<Option<Insn>>,
    /// Whether execution can run on past the last instruction.
    pub falls_through: bool,
}

impl Block {
    /// The address after the last instruction.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.address_of(self.insns.len())
    }

    /// The address of an instruction.
    #[must_use]
    pub fn address_of(&self, index: usize) -> u32 {
        // The cap keeps the index small.
        self.pc.wrapping_add(u32::try_from(index).unwrap_or(0) * 4)
    }
}

/// A region: its blocks by address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Region {
    /// Sorted by address, disjoint.
    pub blocks: Vec<Block>,
    /// The words that were read, for the check after `fence.i`: first address and words of each run.
    pub source: Vec<(u32, Vec<u32>)>,
}

/// What ends a straight run of instructions.
enum Flow {
    /// Goes on; a conditional branch names its target.
    On(Option<u32>),
    /// Ends; what is given is reached from here inside the region.
    End { target: Option<u32>, next: bool },
}

fn flow(insn: Option<Insn>, pc: u32) -> Flow {
    let end = |target, next| Flow::End { target, next };
    match insn {
        Some(Insn::Branch { offset, .. }) => {
            let target = pc.wrapping_add_signed(offset);
            Flow::On(target.is_multiple_of(4).then_some(target))
        }
        Some(Insn::Jal { rd, offset }) if rd.is_zero() => {
            let target = pc.wrapping_add_signed(offset);
            end(target.is_multiple_of(4).then_some(target), false)
        }
        Some(Insn::Jal { .. }) => end(None, true),
        Some(Insn::Jalr { rd, .. }) => end(None, !rd.is_zero()),
        // The interpreter executes these; the run goes on behind them in a block of its own.
        Some(Insn::Ecall | Insn::Ebreak | Insn::Csr { .. } | Insn::FenceI { .. }) => {
            end(None, true)
        }
        None => end(None, false),
        Some(
            Insn::Lui { .. }
            | Insn::Auipc { .. }
            | Insn::Load { .. }
            | Insn::Store { .. }
            | Insn::AluImm { .. }
            | Insn::Alu { .. }
            | Insn::Mul { .. }
            | Insn::Fence { .. },
        ) => Flow::On(None),
    }
}

#[derive(Debug, Default)]
struct Run {
    insns: Vec<Option<Insn>>,
    words: Vec<u32>,
    falls_through: bool,
}

/// Finds the region of `entry`. `known(pc)` tells where translated code begins already: such code is not translated
/// again but linked to.
pub fn discover(entry: u32, memory: &mut Memory, known: impl Fn(u32) -> bool) -> Region {
    let mut runs: BTreeMap<u32, Run> = BTreeMap::new();
    let mut heads = vec![entry];
    let mut open = vec![entry];
    let mut room = MOST_INSNS;
    let near = |pc: u32| pc.wrapping_sub(entry).wrapping_add(REACH) <= 2 * REACH;

    while let Some(start) = open.pop() {
        if room == 0 || inside(&runs, start) {
            continue;
        }
        let mut run = Run::default();
        let mut pc = start;
        loop {
            if room == 0 || runs.contains_key(&pc) || (pc != entry && known(pc)) {
                run.falls_through = true;
                break;
            }
            let word = memory.fetch(pc).ok();
            let insn = word.and_then(decode);
            room -= 1;
            run.insns.push(insn);
            run.words.extend(word);
            let next = pc.wrapping_add(4);
            let (target, ends, continues) = match flow(insn, pc) {
                Flow::On(target) => (target, false, false),
                Flow::End { target, next } => (target, true, next),
            };
            for head in target.into_iter().chain(continues.then_some(next)) {
                if near(head) && !known(head) && !heads.contains(&head) {
                    heads.push(head);
                    open.push(head);
                }
            }
            // A run does not continue round the end of the address space: blocks are sorted by address.
            if ends || next == 0 {
                run.falls_through = !ends;
                break;
            }
            pc = next;
        }
        if !run.insns.is_empty() {
            runs.insert(start, run);
        }
    }
    split(runs, heads)
}

/// Whether an address lies in one of the runs.
fn inside(runs: &BTreeMap<u32, Run>, pc: u32) -> bool {
    runs.range(..=pc)
        .next_back()
        .is_some_and(|(&start, run)| (((pc - start) / 4) as usize) < run.insns.len())
}

/// Cuts runs into blocks at the heads that lie inside them.
fn split(runs: BTreeMap<u32, Run>, mut heads: Vec<u32>) -> Region {
    heads.sort_unstable();
    let mut region = Region::default();
    for (start, run) in runs {
        let len = run.insns.len();
        let end = u64::from(start) + 4 * len as u64;
        let from = heads.partition_point(|&head| head <= start);
        let mut cuts: Vec<usize> = vec![0];
        cuts.extend(
            heads[from..]
                .iter()
                .take_while(|&&head| u64::from(head) < end)
                .map(|&head| ((head - start) / 4) as usize),
        );
        cuts.push(len);
        for pair in cuts.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            region.blocks.push(Block {
                pc: start + 4 * u32::try_from(a).unwrap_or(0),
                insns: run.insns[a..b].to_vec(),
                falls_through: b < len || run.falls_through,
            });
        }
        region.source.push((start, run.words));
    }
    region
}

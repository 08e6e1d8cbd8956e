//! How long the result of each operation lives: one pass backward over a block.
//!
//! A branch inside the region ends no life whose register the target, too, writes before anything else: before it is
//! read, and before an access or a branch, where it would be seen.

use crate::jit::ir::item::Item;
use crate::jit::ir::life::Life;
use crate::jit::ir::op::Op;
use crate::jit::ir::registers::RegSet;
use crate::rv32::{Fetched, Insn};

/// Notes the life of each result. `dead` says which registers the code at an address overwrites first; `next` is that
/// set for what follows the block. The registers that are returned are overwritten behind the block.
pub(in crate::jit) fn find(
    items: &mut [Item],
    dead: impl Fn(u32) -> RegSet,
    next: RegSet,
) -> RegSet {
    let mut overwritten = next;
    let mut lives = [Life::default(); 32];
    let last = items.len().saturating_sub(1);
    for reg in next.members() {
        lives[reg.index()].end = last;
    }
    for (at, item) in items.iter_mut().enumerate().rev() {
        let op = item.op;
        let begins = Life {
            last_read: 0,
            end: at,
        };
        match op {
            _ if let Some(rd) = op.computes() => {
                item.life = std::mem::replace(&mut lives[rd.index()], begins);
            }
            Op::Branch { target, .. } => {
                let mut kept = [Life::default(); 32];
                for reg in dead(target).members() {
                    kept[reg.index()] = lives[reg.index()];
                }
                lives = kept;
            }
            Op::Jump { target } => {
                lives = [Life::default(); 32];
                let dead = dead(target);
                for reg in dead.members() {
                    lives[reg.index()].end = at;
                }
                if at == last {
                    overwritten |= dead;
                }
            }
            _ if op.leaves() => lives = [Life::default(); 32],
            _ => {
                for reg in op.writes().members() {
                    lives[reg.index()] = begins;
                }
            }
        }
        for reg in op.reads().members() {
            let life = &mut lives[reg.index()];
            if life.last_read == 0 {
                life.last_read = at;
            }
        }
    }
    overwritten
}

/// The registers that the instructions of a block overwrite before anything can see them.
#[must_use]
pub(in crate::jit) fn overwritten_first(insns: &[Fetched]) -> RegSet {
    let (mut read, mut written) = (RegSet::NONE, RegSet::NONE);
    for insn in insns.iter().map_while(|fetched| fetched.insn) {
        if !matches!(
            insn,
            Insn::Lui { .. }
                | Insn::Auipc { .. }
                | Insn::AluImm { .. }
                | Insn::Alu { .. }
                | Insn::Mul { .. }
                | Insn::BitsImm { .. }
                | Insn::Unary { .. }
                | Insn::Fence { .. }
        ) && !matches!(insn, Insn::Bits { op, .. } if !op.is_carryless_product())
        {
            break;
        }
        for source in insn.sources().into_iter().flatten() {
            read |= RegSet::of(source);
        }
        if let Some(rd) = insn.destination() {
            written |= RegSet::of(rd) - read;
        }
    }
    written
}

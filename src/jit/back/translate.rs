//! Region to code: everything about translation that does not depend on the host.
//!
//! `front::lift` makes operations of each guest instruction, `passes` join and drop some; then the backend emits them in
//! guest order, block after block.

use crate::jit::back::backend::{Backend, BlockLabel, CodeOffset, Output, Position, Target};
use crate::jit::front::lift::lift;
use crate::jit::front::region::Region;
use crate::jit::ir::item::Item;
use crate::jit::ir::op::{Op, Operand};
use crate::jit::ir::registers::RegSet;
use crate::jit::passes::{self, lives::overwritten_first};
use crate::rv32::AluOp;

/// What the translation is to do besides translating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mode {
    /// Count instructions against the budget.
    pub counting: bool,
    /// Leave every instruction as it is: one operation each.
    pub plain: bool,
}

/// Translates a region for a place in the code buffer. `items` is scratch memory, kept for the next region; `see` is
/// shown the operations of each block as they are emitted.
pub fn translate<B: Backend>(
    backend: &mut B,
    region: &Region,
    at: CodeOffset,
    mode: Mode,
    items: &mut Vec<Item>,
    mut see: impl FnMut(&[Item]),
) -> Output {
    let target = |pc: u32| match region.block_at(pc) {
        Some(n) => Target::Block {
            label: BlockLabel(n),
            pc,
        },
        None => Target::Outside(pc),
    };
    let overwritten: Vec<RegSet> = region
        .blocks
        .iter()
        .map(|block| overwritten_first(region.insns(block)))
        .collect();
    let mut held = [None; 32];
    backend.begin(at, region.blocks.len());
    for (n, block) in region.blocks.iter().enumerate() {
        lift(region, block, &mut held, items);
        if !mode.plain && !mode.counting {
            let next = match region.blocks.get(n + 1) {
                Some(next) if block.falls_through && next.pc == block.end() => overwritten[n + 1],
                _ => RegSet::NONE,
            };
            let dead = |pc: u32| {
                let block = region.block_at(pc);
                block.map_or(RegSet::NONE, |n| overwritten[n])
            };
            passes::run(items, backend, dead, next);
        }
        see(items);
        backend.block(BlockLabel(n), block.pc);
        let mut counted = 0;
        for i in 0..items.len() {
            if mode.counting && counted == 0 {
                counted = stretch(&items[i..]);
                backend.count(items[i].pc, counted);
            }
            let item = &mut items[i];
            let deferred = if item.deferred.is_empty() {
                0
            } else {
                backend.defer(std::mem::take(&mut item.deferred))
            };
            backend.position(Position {
                pc: item.pc,
                insns: item.insns,
                bytes: item.bytes,
                counted,
                deferred,
                update: match item.op {
                    Op::Joint { base, update, .. } => update.map(|by| (base, by)),
                    _ => None,
                },
            });
            emit(backend, item.op, &target);
            counted = counted.saturating_sub(item.insns);
        }
        let next = region.blocks.get(n + 1).map(|next| next.pc);
        if block.falls_through && next != Some(block.end()) {
            backend.jump(target(block.end()));
        }
    }
    backend.finish()
}

/// Instructions up to and including the next one after which execution may not go on: what is counted at once.
fn stretch(items: &[Item]) -> u16 {
    let mut insns = 0;
    for item in items {
        insns += item.insns;
        if matches!(
            item.op,
            Op::Branch { .. } | Op::Jump { .. } | Op::JumpReg { .. } | Op::Interpret
        ) {
            break;
        }
    }
    insns
}

fn emit<B: Backend>(backend: &mut B, op: Op, target: &impl Fn(u32) -> Target) {
    match op {
        Op::Nop => {}
        Op::Imm { rd, value } => backend.load_imm(rd, value),
        Op::Copy { rd, rs } => backend.copy(rd, rs),
        Op::Alu { op, rd, a, b } => backend.alu(op, rd, a, b),
        Op::Step { rd, by } => backend.alu(AluOp::Add, rd, rd, Operand::Imm(by.cast_unsigned())),
        Op::AluShifted {
            op,
            rd,
            a,
            b,
            kind,
            amount,
        } => backend.alu_shifted(op, rd, a, b, kind, amount),
        Op::Extract {
            rd,
            rs,
            lsb,
            width,
            signed,
        } => backend.extract(rd, rs, lsb, width, signed),
        Op::Place { rd, rs, lsb, width } => backend.place(rd, rs, lsb, width),
        Op::Rotate { rd, rs, by } => backend.rotate(rd, rs, by),
        Op::Funnel {
            rd,
            high,
            low,
            amount,
        } => backend.funnel(rd, high, low, amount),
        Op::SetIf { cond, rd, a, b } => backend.set_if(cond, rd, a, b),
        Op::Mul { op, rd, a, b } => backend.mul(op, rd, a, b),
        Op::Select {
            cond,
            a,
            b,
            rd,
            rs,
            other,
        } => backend.select(cond, a, b, rd, rs, other),
        Op::Bits { op, rd, a, b } => backend.bits(op, rd, a, b),
        Op::Unary { op, rd, rs } => backend.unary(op, rd, rs),
        Op::DivideBy {
            op,
            rd,
            a,
            b,
            value,
            certain,
        } => backend.divide_by(op, rd, a, b, value, certain),
        Op::MulWide { op, lo, hi, a, b } => backend.mul_wide(op, lo, hi, a, b),
        Op::DivRem {
            signed,
            quot,
            rem,
            a,
            b,
        } => backend.div_rem(signed, quot, rem, a, b),
        Op::MulAdd { rd, c, a, b } => backend.mul_add(rd, c, a, b),
        Op::AddCarry {
            sub,
            lo,
            carry,
            a,
            b,
        } => backend.add_carry(sub, lo, carry, a, b),
        Op::Load { op, rd, address } => backend.load(op, rd, address),
        Op::Store { op, src, address } => backend.store(op, src, address),
        Op::Atomic { op, rd, src, base } => backend.atomic(op, rd, src, base),
        Op::Joint {
            access,
            base,
            offset,
            update,
        } => backend.joint(access, base, offset, update),
        Op::Branch { test, target: pc } => backend.branch(test, target(pc)),
        Op::Jump { target: pc } => backend.jump(target(pc)),
        Op::JumpReg { rs, offset, link } => backend.jump_reg(rs, offset, link),
        Op::Interpret => backend.interpret(),
    }
}

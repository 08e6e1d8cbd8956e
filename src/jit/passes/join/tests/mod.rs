//! What is joined. Whatever that is, every access, branch and end of a block must see the registers that the guest
//! expects: [`check`] compares all that, for `shapes` and for `random` blocks.

mod random;
mod shapes;

use super::{Costs, optimize};
use crate::cpu::Cpu;
use crate::jit::ir::item::Item;
use crate::jit::ir::op::{Address, Op, Operand, ShiftKind, Test};
use crate::jit::ir::registers::RegSet;
use crate::rv32::{AluOp, Cond, LoadOp, MulOp, Reg, StoreOp};

/// A host that can do everything in one instruction, or, but for what costs nothing, nothing.
#[derive(Clone, Copy)]
struct Can(bool);

impl Costs for Can {
    fn shifted_operand(&self, _op: AluOp, _kind: ShiftKind, _amount: u8) -> bool {
        self.0
    }
    fn extracts(&self, _lsb: u8, _width: u8) -> bool {
        self.0
    }
    fn immediate(&self, op: AluOp, _value: u32) -> bool {
        self.0 && op != AluOp::Sub
    }
    fn compares(&self, _value: u32) -> bool {
        self.0
    }
    fn indexes(&self, _base: Reg, _index: Reg) -> bool {
        self.0
    }
    fn offset(&self, _offset: i32) -> bool {
        self.0
    }
    fn multiply_add(&self) -> bool {
        self.0
    }
}

const A: Reg = Reg::A0;
const B: Reg = Reg::A1;
const C: Reg = Reg::from_field(12);
const T: Reg = Reg::T0;
const U: Reg = Reg::from_field(6);

fn alu(op: AluOp, rd: Reg, a: Reg, b: Reg) -> Op {
    let b = Operand::Reg(b);
    Op::Alu { op, rd, a, b }
}

fn imm(op: AluOp, rd: Reg, a: Reg, value: u32) -> Op {
    let b = Operand::Imm(value);
    Op::Alu { op, rd, a, b }
}

fn mul(op: MulOp, rd: Reg, a: Reg, b: Reg) -> Op {
    Op::Mul { op, rd, a, b }
}

fn li(rd: Reg, value: u32) -> Op {
    Op::Imm { rd, value }
}

fn at(base: Reg) -> Address {
    Address::new(base, 0)
}

fn load(rd: Reg, base: Reg) -> Op {
    Op::Load {
        op: LoadOp::Lw,
        rd,
        address: at(base),
    }
}

fn store(src: Reg, base: Reg) -> Op {
    Op::Store {
        op: StoreOp::Sw,
        src,
        address: at(base),
    }
}

/// To code that may read everything.
const AWAY: u32 = 0x100;
/// To code that overwrites t0 first.
const ON: u32 = 0x104;
/// The same, behind which the branch stands.
const BACK: u32 = 0;

/// What the code at these addresses overwrites first.
fn dead(pc: u32) -> RegSet {
    if pc == AWAY {
        RegSet::NONE
    } else {
        RegSet::of(T)
    }
}

fn branch_if(cond: Cond, a: Reg, target: u32) -> Op {
    let test = Test::Compare(cond, a, Operand::Imm(0));
    Op::Branch { test, target }
}

fn branch(a: Reg) -> Op {
    branch_if(Cond::Eq, a, AWAY)
}

fn rotate(rd: Reg, rs: Reg, by: u32) -> Op {
    let by = Operand::Imm(by);
    Op::Rotate { rd, rs, by }
}

fn items(ops: &[Op]) -> Vec<Item> {
    ops.iter().map(|&op| Item::new(op, 0, 4)).collect()
}

/// The operations that are left, in order, after the same was found right.
fn joined(ops: &[Op]) -> Vec<Op> {
    for can in [Can(false), Can(true)] {
        check(ops, can, RegSet::NONE).unwrap_or_else(|what| panic!("{what}\n{ops:#?}"));
    }
    let mut items = items(ops);
    optimize(&mut items, &Can(true), dead, RegSet::NONE);
    let left = items.iter().map(|item| item.op);
    left.filter(|&op| op != Op::Nop).collect()
}

/// What happens at an operation that others can see: what it reads besides registers, and all registers.
type Seen = (Vec<u32>, Vec<u32>);

fn address(cpu: &Cpu, address: Address) -> u32 {
    let index = address
        .index
        .map_or(0, |(index, shift)| cpu.get(index) << shift);
    let sum = cpu.get(address.base).wrapping_add(index);
    sum.wrapping_add_signed(address.offset)
}

/// Executes the operations; loads give what the address makes of it. What follows overwrites the registers `next`.
fn run(items: &[Item], start: &Cpu, next: RegSet) -> Vec<Seen> {
    let mut cpu = start.clone();
    let mut seen = Vec::new();
    for item in items {
        let mut visible = cpu.clone();
        for op in &item.deferred {
            let (rd, value) = op.value(&cpu).unwrap_or((Reg::ZERO, 0));
            visible.set(rd, value);
        }
        let operand = |b: Operand| match b {
            Operand::Reg(b) => cpu.get(b),
            Operand::Imm(value) => value,
        };
        let looked = match item.op {
            Op::Load { address: a, .. } => vec![address(&cpu, a)],
            Op::Store {
                src, address: a, ..
            } => vec![cpu.get(src), address(&cpu, a)],
            Op::Branch { test, .. } => vec![u32::from(match test {
                Test::Compare(cond, a, b) => cond.eval(cpu.get(a), operand(b)),
                Test::Bits { zero, a, b } => (cpu.get(a) & operand(b) == 0) == zero,
            })],
            _ => Vec::new(),
        };
        if item.op.accesses() || item.op.leaves() {
            if let Op::Branch { target: ON, .. } = item.op {
                visible.set(T, 0);
            }
            seen.push((looked.clone(), visible.x.to_vec()));
        }
        match item.op {
            Op::Load { rd, .. } => cpu.set(rd, looked[0].wrapping_mul(0x9e37_79b9) ^ 0x55),
            Op::MulWide { op, lo, hi, a, b } => {
                let (a, b) = (cpu.get(a), cpu.get(b));
                cpu.set(lo, MulOp::Mul.eval(a, b));
                cpu.set(hi, op.eval(a, b));
            }
            Op::AddCarry {
                sub,
                lo,
                carry,
                a,
                b,
            } => {
                let (a, b) = (cpu.get(a), cpu.get(b));
                let (sum, wrapped) = match sub {
                    true => a.overflowing_sub(b),
                    false => a.overflowing_add(b),
                };
                cpu.set(lo, sum);
                cpu.set(carry, u32::from(wrapped));
            }
            Op::DivRem {
                signed,
                quot,
                rem,
                a,
                b,
            } => {
                let (a, b) = (cpu.get(a), cpu.get(b));
                let (div, remainder) = match signed {
                    true => (MulOp::Div, MulOp::Rem),
                    false => (MulOp::Divu, MulOp::Remu),
                };
                cpu.set(quot, div.eval(a, b));
                cpu.set(rem, remainder.eval(a, b));
            }
            op => {
                if let Some((rd, value)) = op.value(&cpu) {
                    cpu.set(rd, value);
                }
            }
        }
    }
    for reg in next.members() {
        cpu.set(reg, 0);
    }
    seen.push((Vec::new(), cpu.x.to_vec()));
    seen
}

/// Compares a block before and after on a few sets of registers.
fn check(ops: &[Op], can: Can, next: RegSet) -> Result<(), String> {
    let plain = items(ops);
    let mut better = plain.clone();
    optimize(&mut better, &can, dead, next);
    for seed in 0..3_u32 {
        let mut cpu = Cpu::default();
        for reg in Reg::all() {
            let edges = [0, 1, u32::MAX, 0x8000_0000];
            let value = (reg.field() + 7 * seed).wrapping_mul(0x85eb_ca6b);
            let edge = edges[(value >> 20) as usize % 4];
            cpu.set(reg, if value >> 8 & 3 == 0 { edge } else { value });
        }
        let (want, have) = (run(&plain, &cpu, next), run(&better, &cpu, next));
        if let Some(n) = (0..want.len()).find(|&n| want[n] != have[n]) {
            let left: Vec<_> = better.iter().map(|i| (i.op, &i.deferred)).collect();
            return Err(format!(
                "place {n} sees {:x?}, expected {:x?}, in {left:#?}",
                have[n], want[n]
            ));
        }
    }
    Ok(())
}

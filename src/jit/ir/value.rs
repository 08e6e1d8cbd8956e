//! What operations compute, for those that were put off and are wanted after all.

use super::op::{Op, Operand, ShiftKind};
use crate::cpu::Cpu;
use crate::rv32::{AluOp, Reg};

impl Op {
    /// What the operation computes from these registers, if [`Op::computes`].
    #[must_use]
    pub fn value(self, cpu: &Cpu) -> Option<(Reg, u32)> {
        let operand = |b: Operand| match b {
            Operand::Reg(b) => cpu.get(b),
            Operand::Imm(value) => value,
        };
        let low = |width: u8| u32::MAX >> (32 - u32::from(width));
        let value = match self {
            Op::Imm { value, .. } => value,
            Op::Copy { rs, .. } => cpu.get(rs),
            Op::Alu { op, a, b, .. } => op.eval(cpu.get(a), operand(b)),
            Op::Step { rd, by } => cpu.get(rd).wrapping_add_signed(by),
            Op::AluShifted {
                op,
                a,
                b,
                kind,
                amount,
                ..
            } => {
                let shift = match kind {
                    ShiftKind::Left => AluOp::Sll,
                    ShiftKind::Right => AluOp::Srl,
                    ShiftKind::Arithmetic => AluOp::Sra,
                };
                op.eval(cpu.get(a), shift.eval(cpu.get(b), u32::from(amount)))
            }
            Op::Extract {
                rs,
                lsb,
                width,
                signed,
                ..
            } => {
                let above = u32::from(32 - width);
                let up = cpu.get(rs) >> lsb << above;
                if signed {
                    AluOp::Sra.eval(up, above)
                } else {
                    up >> above
                }
            }
            Op::Place { rs, lsb, width, .. } => (cpu.get(rs) & low(width)) << lsb,
            Op::Rotate { rs, by, .. } => cpu.get(rs).rotate_right(operand(by) & 31),
            Op::Funnel {
                high, low, amount, ..
            } => {
                let amount = u32::from(amount);
                cpu.get(low) >> amount | cpu.get(high) << (32 - amount)
            }
            Op::SetIf { cond, a, b, .. } => u32::from(cond.eval(cpu.get(a), operand(b))),
            Op::Mul { op, a, b, .. } | Op::DivideBy { op, a, b, .. } => {
                op.eval(cpu.get(a), cpu.get(b))
            }
            Op::Select {
                cond,
                a,
                b,
                rs,
                other,
                ..
            } => {
                if cond.eval(cpu.get(a), operand(b)) {
                    operand(rs)
                } else {
                    cpu.get(other)
                }
            }
            Op::Bits { op, a, b, .. } => op.eval(cpu.get(a), cpu.get(b)),
            Op::Unary { op, rs, .. } => op.eval(cpu.get(rs)),
            Op::MulAdd { c, a, b, .. } => {
                cpu.get(a).wrapping_mul(cpu.get(b)).wrapping_add(cpu.get(c))
            }
            Op::Nop
            | Op::MulWide { .. }
            | Op::DivRem { .. }
            | Op::AddCarry { .. }
            | Op::Load { .. }
            | Op::Store { .. }
            | Op::Joint { .. }
            | Op::Atomic { .. }
            | Op::Branch { .. }
            | Op::Jump { .. }
            | Op::JumpReg { .. }
            | Op::Interpret => return None,
        };
        self.computes().map(|rd| (rd, value))
    }
}

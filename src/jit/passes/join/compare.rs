//! Comparisons and branches: what computed a register that is only compared with zero becomes the comparison.

use super::{Costs, Join, Pass, small};
use crate::jit::ir::op::{Op, Operand, Test};
use crate::rv32::{AluOp, Cond, Reg};

impl<C: Costs> Pass<'_, C> {
    /// The second operand of a comparison, as a constant if it is one.
    fn comparand(&self, a: Reg, b: Operand) -> Operand {
        let b = self.original_operand(b);
        match self.constant(b) {
            Some(value) if self.costs.compares(value) && !a.is_zero() => Operand::Imm(value),
            _ => b,
        }
    }

    pub(super) fn set_if(&mut self, at: usize, cond: Cond, rd: Reg, a: Reg, b: Operand) -> Op {
        let (a, b) = (self.original(a), self.comparand(a, b));
        if let (Cond::Eq | Cond::Ne, Operand::Imm(0)) = (cond, b)
            && let Some((from, earlier, join)) = self.source(a, at)
            && let Some(joined) = self.set_if_zero(cond == Cond::Eq, rd, earlier)
        {
            self.joined(from, join);
            return joined;
        }
        if let (Cond::Ltu, Operand::Reg(b)) = (cond, b)
            && let Some(both) = self.carry(at, rd, a, b)
        {
            return both;
        }
        Op::SetIf { cond, rd, a, b }
    }

    /// rd = whether what the operation computes is zero, or, without `zero`, is not.
    fn set_if_zero(&self, zero: bool, rd: Reg, op: Op) -> Option<Op> {
        if let Op::Alu {
            op: AluOp::And,
            a: rs,
            b: Operand::Imm(mask),
            ..
        } = op
            && mask.is_power_of_two()
            && !zero
        {
            return Some(Op::Extract {
                rd,
                rs,
                lsb: small(mask.trailing_zeros()),
                width: 1,
                signed: false,
            });
        }
        let (cond, a, b) = self.is_zero(zero, op)?;
        Some(Op::SetIf { cond, rd, a, b })
    }

    /// The comparison that tells whether what the operation computes is zero, or is not.
    fn is_zero(&self, zero: bool, op: Op) -> Option<(Cond, Reg, Operand)> {
        let equal = if zero { Cond::Eq } else { Cond::Ne };
        let imm = |a: Reg, value| {
            let fits = self.costs.compares(value) && !a.is_zero();
            fits.then_some((equal, a, Operand::Imm(value)))
        };
        match op {
            Op::SetIf { cond, a, b, .. } => Some((if zero { cond.invert() } else { cond }, a, b)),
            Op::Alu {
                op: AluOp::Sub | AluOp::Xor,
                a,
                b: Operand::Reg(b),
                ..
            } => Some(if a.is_zero() {
                (equal, b, Operand::Imm(0))
            } else {
                (equal, a, Operand::Reg(b))
            }),
            Op::Alu {
                op: AluOp::Xor,
                a,
                b: Operand::Imm(value),
                ..
            } => imm(a, value),
            Op::Alu {
                op: AluOp::Add,
                a,
                b: Operand::Imm(value),
                ..
            } => imm(a, value.wrapping_neg()),
            _ => None,
        }
    }

    pub(super) fn branch(&mut self, at: usize, cond: Cond, a: Reg, b: Operand) -> Test {
        let (a, b) = (self.original(a), self.comparand(a, b));
        // Joining what stays would only make the comparison longer.
        if let Operand::Imm(0) = b
            && let Some((from, earlier, Join::Replace)) = self.source(a, at)
            && let Some(joined) = self.test_of(cond, earlier)
        {
            self.joined(from, Join::Replace);
            return joined;
        }
        Test::Compare(cond, a, b)
    }

    pub(super) fn select(
        &mut self,
        at: usize,
        cond: Cond,
        (a, b): (Reg, Operand),
        rd: Reg,
        (rs, other): (Operand, Reg),
    ) -> Op {
        let (rs, other) = (self.original_operand(rs), self.original(other));
        let (mut cond, mut a, mut b) = (cond, self.original(a), self.comparand(a, b));
        // What is compared must not be wanted besides.
        if let (Cond::Eq | Cond::Ne, Operand::Imm(0)) = (cond, b)
            && a != other
            && rs != Operand::Reg(a)
            && let Some((from, earlier, join)) = self.source(a, at)
            && let Some(joined) = self.is_zero(cond == Cond::Eq, earlier)
        {
            self.joined(from, join);
            (cond, a, b) = joined;
        }
        Op::Select {
            cond,
            a,
            b,
            rd,
            rs,
            other,
        }
    }

    /// The test that compares what the operation computes with zero.
    fn test_of(&self, cond: Cond, op: Op) -> Option<Test> {
        let zero = match cond {
            Cond::Eq => true,
            Cond::Ne => false,
            // The sign of what was shifted left.
            Cond::Lt | Cond::Ge => {
                let Op::Alu {
                    op: AluOp::Sll,
                    a,
                    b: Operand::Imm(by),
                    ..
                } = op
                else {
                    return None;
                };
                return Some(Test::Bits {
                    zero: cond == Cond::Ge,
                    a,
                    b: Operand::Imm(1 << (31 - by)),
                });
            }
            Cond::Ltu | Cond::Geu => return None,
        };
        let bits = |a, b| Some(Test::Bits { zero, a, b });
        match op {
            Op::Alu {
                op: AluOp::And,
                a,
                b,
                ..
            } => bits(a, b),
            Op::Alu {
                op: AluOp::Srl,
                a,
                b: Operand::Imm(by),
                ..
            } => bits(a, Operand::Imm(u32::MAX << by)),
            Op::Alu {
                op: AluOp::Sll,
                a,
                b: Operand::Imm(by),
                ..
            } => bits(a, Operand::Imm(u32::MAX >> by)),
            Op::Extract { rs, lsb, width, .. } => {
                bits(rs, Operand::Imm(u32::MAX >> (32 - width) << lsb))
            }
            _ => {
                let (cond, a, b) = self.is_zero(zero, op)?;
                Some(Test::Compare(cond, a, b))
            }
        }
    }
}

//! Shifts and what they are parts of: bit fields, rotations, double shifts, shifted operands.

use super::{Costs, Join, Pass, small};
use crate::jit::ir::op::{Op, Operand, ShiftKind};
use crate::rv32::{AluOp, Reg};

/// What [`Pass::source`] gives.
type Source = (usize, Op, Join);

impl<C: Costs> Pass<'_, C> {
    /// A shift, or a mask, of something shifted: a bit field.
    pub(super) fn alu_imm(
        &mut self,
        at: usize,
        op: AluOp,
        rd: Reg,
        a: Reg,
        value: u32,
    ) -> Option<Op> {
        let (from, earlier, join) = self.source(a, at)?;
        let Op::Alu {
            op: first,
            a: rs,
            b: Operand::Imm(by),
            ..
        } = earlier
        else {
            return None;
        };
        let field = match (first, op) {
            (AluOp::Sll, AluOp::Srl | AluOp::Sra) if value >= by => {
                let (lsb, width) = (small(value - by), small(32 - value));
                let signed = op == AluOp::Sra;
                let free = join == Join::Replace || self.costs.extracts(lsb, width);
                free.then_some(Op::Extract {
                    rd,
                    rs,
                    lsb,
                    width,
                    signed,
                })
            }
            (AluOp::Sll, AluOp::Srl) if value < by => {
                let (lsb, width) = (small(by - value), small(32 - by));
                let free = join == Join::Replace || self.costs.extracts(lsb, width);
                free.then_some(Op::Place { rd, rs, lsb, width })
            }
            (AluOp::Srl, AluOp::And) if value != 0 && (value & value.wrapping_add(1)) == 0 => {
                let (lsb, width) = (small(by), small(value.count_ones()));
                let inside = u32::from(lsb) + u32::from(width) <= 32;
                (inside && self.costs.extracts(lsb, width)).then_some(Op::Extract {
                    rd,
                    rs,
                    lsb,
                    width,
                    signed: false,
                })
            }
            _ => None,
        }?;
        self.joined(from, join);
        Some(field)
    }

    /// `x >> n | y << (32 − n)`, with constants or, for one x, with a register and its negation.
    pub(super) fn rotation(&mut self, at: usize, op: AluOp, rd: Reg, a: Reg, b: Reg) -> Option<Op> {
        // Where the halves do not overlap, adding and exclusive or join them just as well.
        if !matches!(op, AluOp::Or | AluOp::Add | AluOp::Xor) || a == b {
            return None;
        }
        let ((from_a, op_a, join_a), (from_b, op_b, join_b)) = self.sources(a, b, at)?;
        let part = |op: Op| match op {
            Op::Alu {
                op: shift @ (AluOp::Sll | AluOp::Srl),
                a,
                b,
                ..
            } => Some((shift, a, b)),
            _ => None,
        };
        let ((high, left), (low, right)) = match (part(op_a)?, part(op_b)?) {
            ((AluOp::Sll, x, l), (AluOp::Srl, y, r)) => ((x, l), (y, r)),
            ((AluOp::Srl, x, r), (AluOp::Sll, y, l)) => ((y, l), (x, r)),
            _ => return None,
        };
        let joined = match (left, right) {
            (Operand::Imm(left), Operand::Imm(right)) if left + right == 32 => {
                if high == low {
                    Op::Rotate {
                        rd,
                        rs: low,
                        by: Operand::Imm(right),
                    }
                } else if join_a == Join::Replace || join_b == Join::Replace {
                    Op::Funnel {
                        rd,
                        high,
                        low,
                        amount: small(right),
                    }
                } else {
                    return None;
                }
            }
            // With a register, both shifts are by nothing when it is a multiple of 32: only "or" is right then.
            (Operand::Reg(left), Operand::Reg(by))
                if op == AluOp::Or
                    && high == low
                    && (self.negates(left, by) || self.negates(by, left)) =>
            {
                Op::Rotate {
                    rd,
                    rs: low,
                    by: Operand::Reg(by),
                }
            }
            _ => return None,
        };
        self.joined(from_a, join_a);
        self.joined(from_b, join_b);
        Some(joined)
    }

    /// The operations that computed `a` and `b`, one of which may have overwritten an operand of the other if it is
    /// replaced.
    fn sources(&self, a: Reg, b: Reg, at: usize) -> Option<(Source, Source)> {
        match (self.source(a, at), self.source(b, at)) {
            (Some(a), Some(b)) => Some((a, b)),
            (Some(a @ (from, _, Join::Replace)), None) => {
                Some((a, self.source_without(b, at, Some(from))?))
            }
            (None, Some(b @ (from, _, Join::Replace))) => {
                Some((self.source_without(a, at, Some(from))?, b))
            }
            _ => None,
        }
    }

    /// Whether `b` was computed as −a, and both still hold that.
    pub(super) fn negates(&self, a: Reg, b: Reg) -> bool {
        self.defined[b.index()].is_some_and(|from| {
            let negation = Op::Alu {
                op: AluOp::Sub,
                rd: b,
                a: Reg::ZERO,
                b: Operand::Reg(a),
            };
            self.items[from].op == negation && a != b && self.intact(from, None)
        })
    }

    pub(super) fn with_shift(
        &mut self,
        at: usize,
        op: AluOp,
        rd: Reg,
        a: Reg,
        b: Reg,
    ) -> Option<Op> {
        let takes = matches!(
            op,
            AluOp::Add | AluOp::Sub | AluOp::And | AluOp::Or | AluOp::Xor
        );
        if !takes || a == b {
            return None;
        }
        let (from, earlier, join) = self.source(b, at)?;
        let Op::Alu {
            op: shift,
            a: rs,
            b: Operand::Imm(by @ 1..=31),
            ..
        } = earlier
        else {
            return None;
        };
        let kind = match shift {
            AluOp::Sll => ShiftKind::Left,
            AluOp::Srl => ShiftKind::Right,
            AluOp::Sra => ShiftKind::Arithmetic,
            _ => return None,
        };
        let amount = small(by);
        if !self.costs.shifted_operand(op, kind, amount) {
            return None;
        }
        self.joined(from, join);
        Some(Op::AluShifted {
            op,
            rd,
            a,
            b: rs,
            kind,
            amount,
        })
    }
}

//! Arithmetic on more than one word: the halves of a product, quotient and remainder, sum and carry,
//! multiplication and addition.

use super::{Costs, FAR, Join, Pass};
use crate::jit::ir::item::Item;
use crate::jit::ir::op::{Op, Operand};
use crate::jit::ir::registers::RegSet;
use crate::rv32::{AluOp, MulOp, Reg};

impl<C: Costs> Pass<'_, C> {
    pub(super) fn with_product(
        &mut self,
        at: usize,
        op: AluOp,
        rd: Reg,
        a: Reg,
        b: Reg,
    ) -> Option<Op> {
        if op != AluOp::Add || a == b || !self.costs.multiply_add() {
            return None;
        }
        for (c, product) in [(a, b), (b, a)] {
            if let Some((
                from,
                Op::Mul {
                    op: MulOp::Mul,
                    a: x,
                    b: y,
                    ..
                },
                Join::Replace,
            )) = self.source(product, at)
            {
                self.joined(from, Join::Replace);
                return Some(Op::MulAdd { rd, c, a: x, b: y });
            }
        }
        None
    }

    /// A multiplication or division whose other half stands before.
    pub(super) fn halves(&mut self, at: usize, op: MulOp, rd: Reg, a: Reg, b: Reg) -> Op {
        let single = Op::Mul { op, rd, a, b };
        let (a, b) = (self.original(a), self.original(b));
        for n in 0..self.products.len() {
            if let Some(from) = self.products[n]
                && let Some(both) = self.with_half(at, from, op, rd, (a, b))
            {
                return both;
            }
        }
        self.products.rotate_right(1);
        self.products[0] = Some(at);
        single
    }

    fn with_half(
        &mut self,
        at: usize,
        from: usize,
        op: MulOp,
        rd: Reg,
        (a, b): (Reg, Reg),
    ) -> Option<Op> {
        let Op::Mul {
            op: first,
            rd: other,
            a: x,
            b: y,
        } = self.items[from].op
        else {
            return None;
        };
        let both = halves((first, other, x, y), (op, rd, a, b))?;
        let own = self.items[from].op.reads().contains(other);
        let known = self.defined[other.index()] == Some(from) && self.intact(from, None);
        if other == rd || own || !known {
            return None;
        }
        self.together(at, from, other, rd, both)
    }

    /// `rd` = a <u b where that is the carry of the addition, or the borrow of the subtraction, that one of them is the
    /// result of.
    pub(super) fn carry(&mut self, at: usize, rd: Reg, a: Reg, b: Reg) -> Option<Op> {
        // a + b <u a, or b; a <u a − b.
        for (lo, other, sub) in [(a, b, false), (b, a, true)] {
            let wanted = if sub { AluOp::Sub } else { AluOp::Add };
            if let Some(from) = self.defined[lo.index()]
                && let Op::Alu {
                    op,
                    a: x,
                    b: Operand::Reg(y),
                    ..
                } = self.items[from].op
                && op == wanted
                && (other == x || other == y && !sub)
                && !x.is_zero()
                && other != lo
                && rd != lo
                && self.intact(from, None)
            {
                let both = Op::AddCarry {
                    sub,
                    lo,
                    carry: rd,
                    a: x,
                    b: y,
                };
                return self.together(at, from, lo, rd, both);
            }
        }
        None
    }

    /// Does at one place what the operation at `from` does to `other` and the one at `at` to `rd`: here, where nobody
    /// has read `other` yet, or there, where nothing between minds. What is given is what remains to be done here.
    fn together(&mut self, at: usize, from: usize, other: Reg, rd: Reg, both: Op) -> Option<Op> {
        let seen = self.last_seen > from + 1;
        let here =
            self.unread(other) && self.last_leave <= from && (!seen || self.intact(from, None));
        if here {
            self.drop_item(from, at);
            self.forget(other, at);
            return Some(both);
        }
        let untouched = |item: &Item| !(item.op.reads() | item.op.writes()).contains(rd);
        let between = from + 1..at;
        let there = !seen && between.len() <= FAR && self.items[between].iter().all(untouched);
        if !there {
            return None;
        }
        self.items[from].op = both;
        self.defined[other.index()] = None;
        self.forget(rd, at);
        self.read -= RegSet::of(rd);
        Some(Op::Nop)
    }
}

/// One operation for two that are halves of it.
fn halves(
    (first, rd1, x, y): (MulOp, Reg, Reg, Reg),
    (second, rd2, a, b): (MulOp, Reg, Reg, Reg),
) -> Option<Op> {
    use MulOp::{Div, Divu, Mul, Mulh, Mulhsu, Mulhu, Rem, Remu};
    let same = (x, y) == (a, b);
    let swapped = (x, y) == (b, a);
    let wide = |op, lo, hi, a, b| Op::MulWide { op, lo, hi, a, b };
    match (first, second) {
        (Mul, Mulh | Mulhu | Mulhsu) if same || swapped => Some(wide(second, rd1, rd2, a, b)),
        (Mulh | Mulhu | Mulhsu, Mul) if same || swapped => Some(wide(first, rd2, rd1, x, y)),
        (Div, Rem) | (Divu, Remu) if same => Some(Op::DivRem {
            signed: first == Div,
            quot: rd1,
            rem: rd2,
            a,
            b,
        }),
        (Rem, Div) | (Remu, Divu) if same => Some(Op::DivRem {
            signed: first == Rem,
            quot: rd2,
            rem: rd1,
            a,
            b,
        }),
        _ => None,
    }
}

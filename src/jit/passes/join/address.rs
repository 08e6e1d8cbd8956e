//! Addresses: the additions that compute them become part of the access.

use super::{Costs, Join, Pass};
use crate::jit::ir::op::{Address, Op, Operand, ShiftKind};
use crate::rv32::{AluOp, Reg};

impl<C: Costs> Pass<'_, C> {
    /// The address, without the additions that computed it. `src` is what a store reads besides.
    pub(super) fn address(&mut self, at: usize, address: Address, src: Reg) -> Address {
        let Address {
            base,
            index: None,
            offset,
        } = address
        else {
            return address;
        };
        let base = self.original(base);
        let unchanged = Address { base, ..address };
        let Some((from, op, join)) = self.source(base, at) else {
            return unchanged;
        };
        if join == Join::Replace && base == src {
            return unchanged;
        }
        let simpler = match op {
            Op::Alu {
                op: AluOp::Add,
                a,
                b: Operand::Imm(value),
                ..
            } => {
                let sum = offset.wrapping_add(value.cast_signed());
                self.costs.offset(sum).then_some(Address::new(a, sum))
            }
            Op::Alu {
                op: AluOp::Add,
                a,
                b: Operand::Reg(b),
                ..
            } if self.costs.indexes(a, b) => Some(Address {
                base: a,
                index: Some((b, 0)),
                offset,
            }),
            Op::AluShifted {
                op: AluOp::Add,
                a,
                b,
                kind: ShiftKind::Left,
                amount: amount @ 0..=3,
                ..
            } if self.costs.indexes(a, b) => Some(Address {
                base: a,
                index: Some((b, amount)),
                offset,
            }),
            _ => None,
        };
        match simpler {
            Some(simpler) => {
                self.joined(from, join);
                simpler
            }
            None => unchanged,
        }
    }
}

//! What the passes ask of a host.

use super::op::ShiftKind;
use crate::rv32::{AluOp, Reg};

/// What the host can do in one instruction.
pub trait Costs {
    /// Whether the second operand of this operation may be shifted.
    fn shifted_operand(&self, op: AluOp, kind: ShiftKind, amount: u8) -> bool;
    /// Whether this bit field can be extracted in no more instructions than one shift takes.
    fn extracts(&self, lsb: u8, width: u8) -> bool;
    /// Whether this operation takes this constant.
    fn immediate(&self, op: AluOp, value: u32) -> bool;
    /// Whether comparisons take this constant.
    fn compares(&self, value: u32) -> bool;
    /// Whether an address may be base + (index << shift) + offset.
    fn indexes(&self, base: Reg, index: Reg) -> bool;
    /// Whether an access may have this offset.
    fn offset(&self, offset: i32) -> bool;
    /// Whether a multiplication may be followed by an addition.
    fn multiply_add(&self) -> bool;
    /// Whether there is anything to be had from the two questions below.
    fn joins_accesses(&self) -> bool {
        false
    }
    /// Whether two words are accessed in one instruction, from this offset on.
    fn pairs(&self, _offset: i32) -> bool {
        false
    }
    /// Whether an access, or that of a pair, can add this to its base register.
    fn updates(&self, _base: Reg, _by: i32, _pair: bool) -> bool {
        false
    }
}

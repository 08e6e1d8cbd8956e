//! What x86-64 does in one instruction.

use super::X86_64;
use crate::jit::ir::costs::Costs;
use crate::jit::ir::op::ShiftKind;
use crate::rv32::{AluOp, Reg};

impl Costs for X86_64 {
    /// `lea` adds a register times 2, 4 or 8.
    fn shifted_operand(&self, op: AluOp, kind: ShiftKind, amount: u8) -> bool {
        (op, kind) == (AluOp::Add, ShiftKind::Left) && amount <= 3
    }

    /// `movzx` and `movsx`.
    fn extracts(&self, lsb: u8, width: u8) -> bool {
        lsb == 0 && matches!(width, 8 | 16)
    }

    fn immediate(&self, op: AluOp, _value: u32) -> bool {
        !matches!(op, AluOp::Sub | AluOp::Slt | AluOp::Sltu)
    }

    fn compares(&self, _value: u32) -> bool {
        true
    }

    /// One scratch register is left for what is stored.
    fn indexes(&self, base: Reg, index: Reg) -> bool {
        self.host(base).is_some() || self.host(index).is_some()
    }

    fn offset(&self, _offset: i32) -> bool {
        true
    }

    fn multiply_add(&self) -> bool {
        false
    }
}

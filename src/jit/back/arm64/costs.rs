//! What ARM64 does in one instruction.

use super::Arm64;
use super::regs::Home;
use crate::asm::a64::{BitmaskImm32, Imm12, PairOff, SImm9, W};
use crate::jit::ir::costs::Costs;
use crate::jit::ir::op::ShiftKind;
use crate::memory::Placement;
use crate::rv32::{AluOp, Reg};

impl Costs for Arm64 {
    fn shifted_operand(&self, _op: AluOp, _kind: ShiftKind, _amount: u8) -> bool {
        true
    }

    fn extracts(&self, _lsb: u8, _width: u8) -> bool {
        true
    }

    fn immediate(&self, op: AluOp, value: u32) -> bool {
        match op {
            AluOp::Add => Imm12::new(value).is_some() || Imm12::new(value.wrapping_neg()).is_some(),
            AluOp::And | AluOp::Or | AluOp::Xor => BitmaskImm32::new(value).is_some(),
            AluOp::Sll | AluOp::Srl | AluOp::Sra => true,
            AluOp::Sub | AluOp::Slt | AluOp::Sltu => false,
        }
    }

    fn compares(&self, value: u32) -> bool {
        Imm12::new(value).is_some() || Imm12::new(value.wrapping_neg()).is_some()
    }

    /// A sum of two registers is not wrapped at 2^32 by the host, so it takes an addition anyway.
    fn indexes(&self, _base: Reg, _index: Reg) -> bool {
        false
    }

    fn offset(&self, offset: i32) -> bool {
        self.options.placement == Placement::Identity && SImm9::new(offset).is_some()
    }

    fn multiply_add(&self) -> bool {
        true
    }

    fn joins_accesses(&self) -> bool {
        true
    }

    fn pairs(&self, offset: i32) -> bool {
        self.options.placement == Placement::Identity && PairOff::<W>::new(offset).is_some()
    }

    fn updates(&self, base: Reg, by: i32, pair: bool) -> bool {
        let encodable = match pair {
            true => PairOff::<W>::new(by).is_some(),
            false => SImm9::new(by).is_some(),
        };
        let identity = self.options.placement == Placement::Identity;
        identity && encodable && base != Reg::RA && matches!(self.homes.get(base), Home::Host(_))
    }
}

//! Branches and indirect jumps.

use super::Arm64;
use super::regs::{ARENA, INDEX, LINK, SCRATCH};
use crate::asm::a64::{
    Amount, BitField, BitmaskImm32, Cond as HostCond, Index, PairOff, Shift, TestBit, W,
};
use crate::jit::back::backend::{Backend, Target};
use crate::jit::ir::state::HASHED_BITS;
use crate::rv32::Reg;

impl Arm64 {
    /// A branch to the target where one bit is set or clear: one instruction where it reaches.
    pub(super) fn branch_on_bit(&mut self, w: W, bit: u32, set: bool, target: Target) {
        match TestBit::new(bit) {
            Some(bit) if self.short_branches => self.branch_with(target, |asm, label| {
                if set {
                    asm.tbnz_to(w, bit, label)
                } else {
                    asm.tbz_to(w, bit, label)
                }
            }),
            _ => {
                if let Some(mask) = BitmaskImm32::new(1 << bit) {
                    self.asm.tst_imm(w, mask);
                }
                self.b_cond(if set { HostCond::Ne } else { HostCond::Eq }, target);
            }
        }
    }

    pub(super) fn branch_on_zero(&mut self, w: W, zero: bool, target: Target) {
        self.branch_with(target, |asm, label| {
            if zero {
                asm.cbz_to(w, label)
            } else {
                asm.cbnz_to(w, label)
            }
        });
    }

    /// Goes where the slot of `target` says, or leaves for the interpreter.
    pub(super) fn jump_direct(&mut self, target: W, link: Option<(Reg, u32)>) {
        self.asm.ldr_uxtw(SCRATCH, ARENA, target, Index::Units);
        if let Some((rd, value)) = link {
            let cold = self.asm.label();
            let result = self.asm.cbz_to(SCRATCH, cold);
            self.reach(result);
            self.draft.interpret_cold(cold, false);
            self.load_imm(rd, value);
            self.asm.br(SCRATCH);
        } else {
            // Where the slot is empty, the fault at address 0 leaves with the address after this.
            self.asm.blr(SCRATCH);
            self.draft.left_to_interpret(self.here());
        }
    }

    /// The same with the hashed table.
    pub(super) fn jump_hashed(&mut self, target: W, link: Option<(Reg, u32)>) {
        if let Some(field) = BitField::new(self.options.isa.alignment_bits(), HASHED_BITS) {
            self.asm.ubfx(INDEX.w(), target, field);
        }
        self.asm
            .add_shift(INDEX, ARENA, INDEX, Shift::Lsl, Amount::wrapping(4));
        if let Some(zero) = PairOff::new(0) {
            self.asm.ldp(LINK, INDEX, INDEX, zero);
        }
        self.asm.cmp(LINK.w(), target);
        let cold = self.asm.label();
        let result = self.asm.b_cond_to(HostCond::Ne, cold);
        self.reach(result);
        self.draft.interpret_cold(cold, false);
        if let Some((rd, value)) = link {
            self.load_imm(rd, value);
        }
        self.asm.br(INDEX);
    }
}

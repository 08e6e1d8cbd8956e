//! Multiplication and division.

use super::Arm64;
use super::regs::{INDEX, LINK, SCRATCH};
use crate::asm::a64::{Amount, W, WZR};
use crate::jit::ir::op::Operand;
use crate::rv32::{Cond, MulOp, Reg};

impl Arm64 {
    /// d = the high 32 bits of the product in [`SCRATCH`].
    fn high_half(&mut self, d: W) {
        self.asm.lsr_imm(d.x(), SCRATCH, Amount::wrapping(32));
    }

    /// [`SCRATCH`] = a × b, 64 bits.
    fn wide_product(&mut self, op: MulOp, a: W, b: W) {
        match op {
            MulOp::Mulh => self.asm.smull(SCRATCH, a, b),
            MulOp::Mulhu => self.asm.umull(SCRATCH, a, b),
            _ => {
                self.asm.mov(INDEX.w(), b);
                self.asm.sxtw(SCRATCH, a);
                self.asm.mul(SCRATCH, SCRATCH, INDEX);
            }
        }
    }

    fn divide(&mut self, signed: bool, d: W, n: W, m: W) {
        if signed {
            self.asm.sdiv(d, n, m);
        } else {
            self.asm.udiv(d, n, m);
        }
    }

    pub(super) fn emit_mul(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg) {
        let d = self.dest(rd, SCRATCH);
        let n = self.read(a, LINK);
        let m = self.read(b, INDEX);
        let quotient = SCRATCH.w();
        match op {
            MulOp::Mul => self.asm.mul(d, n, m),
            MulOp::Mulh | MulOp::Mulhu | MulOp::Mulhsu => {
                self.wide_product(op, n, m);
                self.high_half(d);
            }
            MulOp::Div | MulOp::Divu => {
                // ARM64 gives 0 for a division by zero, RISC-V all ones; overflow is the same.
                let nonzero = self.compare(Cond::Ne, m, Operand::Imm(0));
                self.divide(op == MulOp::Div, quotient, n, m);
                self.asm.csinv(d, quotient, WZR, nonzero);
            }
            MulOp::Rem | MulOp::Remu => {
                self.divide(op == MulOp::Rem, quotient, n, m);
                self.asm.msub(d, quotient, m, n);
            }
        }
        self.written(rd, d);
    }

    pub(super) fn emit_mul_wide(&mut self, op: MulOp, lo: Reg, hi: Reg, a: Reg, b: Reg) {
        let n = self.read(a, LINK);
        let m = self.read(b, INDEX);
        self.wide_product(op, n, m);
        let d = self.dest(lo, INDEX);
        self.asm.mov(d, SCRATCH.w());
        self.written(lo, d);
        let d = self.dest(hi, SCRATCH);
        self.high_half(d);
        self.written(hi, d);
    }

    pub(super) fn emit_div_rem(&mut self, signed: bool, quot: Reg, rem: Reg, a: Reg, b: Reg) {
        let n = self.read(a, LINK);
        let m = self.read(b, INDEX);
        let quotient = SCRATCH.w();
        let nonzero = self.compare(Cond::Ne, m, Operand::Imm(0));
        self.divide(signed, quotient, n, m);
        let d = self.dest(rem, LINK);
        self.asm.msub(d, quotient, m, n);
        self.written(rem, d);
        let d = self.dest(quot, SCRATCH);
        self.asm.csinv(d, quotient, WZR, nonzero);
        self.written(quot, d);
    }

    pub(super) fn emit_divide_by(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg, certain: bool) {
        if !certain || matches!(op, MulOp::Rem | MulOp::Remu) {
            return self.emit_mul(op, rd, a, b);
        }
        let d = self.dest(rd, SCRATCH);
        let n = self.read(a, LINK);
        let m = self.read(b, INDEX);
        self.divide(op == MulOp::Div, d, n, m);
        self.written(rd, d);
    }
}

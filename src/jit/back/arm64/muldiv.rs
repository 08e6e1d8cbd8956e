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
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(a, LINK);
            let m = this.read(b, INDEX);
            let quotient = SCRATCH.w();
            match op {
                MulOp::Mul => this.asm.mul(d, n, m),
                MulOp::Mulh | MulOp::Mulhu | MulOp::Mulhsu => {
                    this.wide_product(op, n, m);
                    this.high_half(d);
                }
                MulOp::Div | MulOp::Divu => {
                    // ARM64 gives 0 for a division by zero, RISC-V all ones; overflow is the same.
                    let nonzero = this.compare(Cond::Ne, m, Operand::Imm(0));
                    this.divide(op == MulOp::Div, quotient, n, m);
                    this.asm.csinv(d, quotient, WZR, nonzero);
                }
                MulOp::Rem | MulOp::Remu => {
                    this.divide(op == MulOp::Rem, quotient, n, m);
                    this.asm.msub(d, quotient, m, n);
                }
            }
        });
    }

    pub(super) fn emit_mul_wide(&mut self, op: MulOp, lo: Reg, hi: Reg, a: Reg, b: Reg) {
        let n = self.read(a, LINK);
        let m = self.read(b, INDEX);
        self.wide_product(op, n, m);
        self.write(lo, INDEX, |this, d| {
            this.asm.mov(d, SCRATCH.w());
        });
        self.write(hi, SCRATCH, |this, d| {
            this.high_half(d);
        });
    }

    pub(super) fn emit_div_rem(&mut self, signed: bool, quot: Reg, rem: Reg, a: Reg, b: Reg) {
        let n = self.read(a, LINK);
        let m = self.read(b, INDEX);
        let quotient = SCRATCH.w();
        let nonzero = self.compare(Cond::Ne, m, Operand::Imm(0));
        self.divide(signed, quotient, n, m);
        self.write(rem, LINK, |this, d| {
            this.asm.msub(d, quotient, m, n);
        });
        self.write(quot, SCRATCH, |this, d| {
            this.asm.csinv(d, quotient, WZR, nonzero);
        });
    }

    pub(super) fn emit_divide_by(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg, certain: bool) {
        if !certain || matches!(op, MulOp::Rem | MulOp::Remu) {
            return self.emit_mul(op, rd, a, b);
        }
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(a, LINK);
            let m = this.read(b, INDEX);
            this.divide(op == MulOp::Div, d, n, m);
        });
    }
}

//! Multiplication and division: the host's instructions want eax and edx for wide products and for dividends, and trap
//! where the guest's do not.

use super::X86_64;
use super::regs::{A, D};
use crate::asm::x64::{Cond as HostCond, Label, Mem, Rm};
use crate::rv32::{MulOp, Reg};

/// A division by 0 or −1, which must not reach the host's instruction: done out of line.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpecialDivision {
    entry: Label,
    back: Label,
    divisor: Rm,
}

impl X86_64 {
    pub(super) fn emit_mul(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg) {
        match op {
            MulOp::Mul => {
                let d = match self.host(rd) {
                    Some(d) => d,
                    None => self.pick(self.in_register(b)),
                };
                if rd == b && rd != a && self.host(rd).is_some() {
                    self.asm.imul32(d, self.rm(a));
                } else {
                    self.fetch(d, a);
                    self.asm.imul32(d, self.rm(b));
                }
                self.written(rd, d);
            }
            MulOp::Mulh | MulOp::Mulhu => {
                self.wide_product(op, a, b);
                self.written(rd, D);
            }
            MulOp::Mulhsu => {
                self.mixed_product(a, b);
                self.asm.shr64_i(A, 32);
                self.written(rd, A);
            }
            MulOp::Div | MulOp::Divu => {
                self.divide(op == MulOp::Div, a, b);
                self.written(rd, A);
            }
            MulOp::Rem | MulOp::Remu => {
                self.divide(op == MulOp::Rem, a, b);
                self.written(rd, D);
            }
        }
    }

    pub(super) fn emit_mul_wide(&mut self, op: MulOp, lo: Reg, hi: Reg, a: Reg, b: Reg) {
        if op == MulOp::Mulhsu {
            self.mixed_product(a, b);
            self.asm.mov64(D, A);
            self.asm.shr64_i(D, 32);
        } else {
            self.wide_product(op, a, b);
        }
        self.written(lo, A);
        self.written(hi, D);
    }

    /// edx:eax = a × b, both signed or both unsigned.
    fn wide_product(&mut self, op: MulOp, a: Reg, b: Reg) {
        self.release();
        self.fetch(A, a);
        let b = self.rm(b);
        if op == MulOp::Mulh {
            self.asm.imul32_wide(b);
        } else {
            self.asm.mul32(b);
        }
    }

    /// rax = a (signed) × b (unsigned).
    fn mixed_product(&mut self, a: Reg, b: Reg) {
        self.release();
        self.asm.movsxd(A, self.rm(a));
        self.fetch(D, b);
        self.asm.imul64(A, D);
    }

    /// eax = a / b, edx = a % b. The host's instruction traps on a division by zero and on overflow, so divisors 0 and
    /// −1 are done out of line.
    pub(super) fn divide(&mut self, signed: bool, a: Reg, b: Reg) {
        self.release();
        let divisor = self.rm(b);
        self.fetch(A, a);
        let (entry, back) = (self.asm.label(), self.asm.label());
        if signed {
            match divisor {
                Rm::Reg(divisor) => self.asm.lea32(D, Mem::base(divisor).disp(1)),
                Rm::Mem(_) => {
                    self.asm.mov32(D, divisor);
                    self.asm.add32_i(D, 1);
                }
            }
            let start = self.here();
            self.asm.cmp32_i(D, 1);
            self.jump_if(start, HostCond::Be, entry);
            self.asm.cdq();
            self.asm.idiv32(divisor);
        } else {
            let start = self.here();
            self.compare_zero(divisor);
            self.jump_if(start, HostCond::E, entry);
            self.asm.xor32(D, D);
            self.asm.div32(divisor);
        }
        self.asm.bind(back);
        self.special_divisions.push(SpecialDivision {
            entry,
            back,
            divisor,
        });
    }

    /// Emits what [`X86_64::divide`] left for later: eax holds the dividend.
    pub(super) fn emit_special_divisions(&mut self) {
        for special in std::mem::take(&mut self.special_divisions) {
            let zero = self.asm.label();
            self.asm.bind(special.entry);
            let start = self.here();
            self.compare_zero(special.divisor);
            self.jump_if(start, HostCond::E, zero);
            let a = &mut self.asm;
            // −1, signed: the quotient is the negation, also where that overflows.
            a.neg32(A);
            a.xor32(D, D);
            a.jmp(special.back);
            a.bind(zero);
            a.mov32(D, A);
            a.mov32_i(A, u32::MAX);
            a.jmp(special.back);
        }
    }
}

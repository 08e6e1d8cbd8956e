//! Unsigned division by what is probably a constant: a multiplication, behind a comparison of the divisor.

use super::X86_64;
use super::regs::{A, D};
use crate::asm::x64::{Cond as HostCond, Label};
use crate::rv32::{MulOp, Reg};

/// A division whose divisor is not what it was taken for: done out of line.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrongDivisor {
    entry: Label,
    back: Label,
    op: MulOp,
    a: Reg,
    b: Reg,
}

impl X86_64 {
    /// rd = a op b, where b probably holds `value`.
    ///
    /// For 32-bit n and d > 1, n / d is the upper half of n × m with m = ⌈2^64 / d⌉: m × d exceeds 2^64 by less than d,
    /// so n × m / 2^64 exceeds n / d by less than n / 2^64 < 1 / d (Granlund and Montgomery, "Division by invariant
    /// integers using multiplication", 1994).
    pub(super) fn emit_divide_by(
        &mut self,
        op: MulOp,
        rd: Reg,
        a: Reg,
        b: Reg,
        value: u32,
        certain: bool,
    ) {
        if value < 2 || !matches!(op, MulOp::Divu | MulOp::Remu) {
            return self.emit_mul(op, rd, a, b);
        }
        self.release();
        let back = self.asm.label();
        if !certain {
            let entry = self.asm.label();
            let start = self.here();
            self.asm.cmp32_i(self.rm(b), value.cast_signed());
            self.jump_if(start, HostCond::Ne, entry);
            self.wrong_divisors.push(WrongDivisor {
                entry,
                back,
                op,
                a,
                b,
            });
        }
        let inverse = u64::MAX / u64::from(value) + 1;
        self.asm.mov64_i(A, inverse);
        // A 32-bit move, which clears the upper half.
        self.fetch(D, a);
        self.asm.mul64(D);
        if op == MulOp::Remu {
            self.asm.imul32_i(D, D, value.cast_signed());
            self.fetch(A, a);
            self.asm.sub32(A, D);
        } else {
            self.asm.mov32(A, D);
        }
        self.asm.bind(back);
        self.written(rd, A);
    }

    /// Emits what [`X86_64::emit_divide_by`] left for later; the result goes to eax.
    pub(super) fn emit_wrong_divisors(&mut self) {
        for WrongDivisor {
            entry,
            back,
            op,
            a,
            b,
        } in std::mem::take(&mut self.wrong_divisors)
        {
            self.asm.bind(entry);
            self.divide(false, a, b);
            if op == MulOp::Remu {
                self.asm.mov32(A, D);
            }
            self.asm.jmp(back);
        }
    }
}

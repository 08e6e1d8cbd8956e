//! Arithmetic: two-operand instructions for three-operand operations, without a move where rd is rs1, and with the
//! memory operand of the instruction itself where a register has no home.

use super::X86_64;
use super::memory::scale;
use super::regs::{A, COUNT, D};
use crate::asm::x64::{Assembler, Cond as HostCond, Label, Mem, Reg as HostReg, Rm, Scale};
use crate::jit::op::{Operand, ShiftKind};
use crate::rv32::{AluOp, Cond, MulOp, Reg};

/// A division by 0 or −1, which must not reach the host's instruction: done out of line.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpecialDivision {
    entry: Label,
    back: Label,
    divisor: Rm,
}

/// The host's condition after a comparison.
pub(super) fn host_cond(cond: Cond) -> HostCond {
    match cond {
        Cond::Eq => HostCond::E,
        Cond::Ne => HostCond::Ne,
        Cond::Lt => HostCond::L,
        Cond::Ge => HostCond::Ge,
        Cond::Ltu => HostCond::B,
        Cond::Geu => HostCond::Ae,
    }
}

impl X86_64 {
    /// d op= s for the operations with a two-operand instruction.
    fn apply(&mut self, op: AluOp, d: HostReg, s: Rm) {
        let a = &mut self.asm;
        match op {
            AluOp::Add => a.add32(d, s),
            AluOp::Sub => a.sub32(d, s),
            AluOp::And => a.and32(d, s),
            AluOp::Or => a.or32(d, s),
            AluOp::Xor => a.xor32(d, s),
            other => unreachable!("{other:?} has no two-operand form"),
        }
    }

    fn apply_to(&mut self, op: AluOp, d: Rm, s: HostReg) {
        let a = &mut self.asm;
        match op {
            AluOp::Add => a.add32_mr(d, s),
            AluOp::Sub => a.sub32_mr(d, s),
            AluOp::And => a.and32_mr(d, s),
            AluOp::Or => a.or32_mr(d, s),
            AluOp::Xor => a.xor32_mr(d, s),
            other => unreachable!("{other:?} has no two-operand form"),
        }
    }

    fn apply_imm(&mut self, op: AluOp, d: Rm, value: u32) {
        let a = &mut self.asm;
        let imm = value.cast_signed();
        match op {
            AluOp::Add => a.add32_i(d, imm),
            AluOp::And => a.and32_i(d, imm),
            AluOp::Or => a.or32_i(d, imm),
            AluOp::Xor if value == u32::MAX => a.not32(d),
            AluOp::Xor => a.xor32_i(d, imm),
            AluOp::Sll => a.shl32_i(d, (value & 31) as u8),
            AluOp::Srl => a.shr32_i(d, (value & 31) as u8),
            AluOp::Sra => a.sar32_i(d, (value & 31) as u8),
            AluOp::Sub | AluOp::Slt | AluOp::Sltu => unreachable!("lifted to Add or SetIf"),
        }
    }

    pub(super) fn emit_alu_imm(&mut self, op: AluOp, rd: Reg, a: Reg, value: u32) {
        if rd == a {
            return self.apply_imm(op, self.rm(rd), value);
        }
        let d = self.dest(rd, A);
        let source = self.rm(a);
        match (op, value, source) {
            (AluOp::Add, _, Rm::Reg(base)) => {
                self.asm.lea32(d, Mem::base(base).disp(value.cast_signed()));
            }
            (AluOp::Sll, 1..=3, Rm::Reg(base)) => {
                let shifted = Mem::absolute(0).index(base, scale((value & 31) as u8));
                self.asm.lea32(d, shifted);
            }
            (AluOp::And, 0xff, _) => self.asm.movzx8(d, source),
            (AluOp::And, 0xffff, _) => self.asm.movzx16(d, source),
            _ => {
                self.asm.mov32(d, source);
                self.apply_imm(op, Rm::Reg(d), value);
            }
        }
        self.written(rd, d);
    }

    pub(super) fn emit_alu(&mut self, op: AluOp, rd: Reg, a: Reg, b: Reg) {
        if op.is_shift() {
            return self.emit_shift(op, rd, a, b);
        }
        let Some(d) = self.host(rd) else {
            if rd == a {
                let s = self.read(b, A);
                return self.apply_to(op, self.rm(rd), s);
            }
            if rd == b && op.is_commutative() {
                let s = self.read(a, A);
                return self.apply_to(op, self.rm(rd), s);
            }
            self.fetch(A, a);
            self.apply(op, A, self.rm(b));
            return self.written(rd, A);
        };
        if rd == a {
            self.apply(op, d, self.rm(b));
        } else if rd == b && op.is_commutative() {
            self.apply(op, d, self.rm(a));
        } else if rd == b {
            // d = a − d.
            self.asm.neg32(d);
            if !a.is_zero() {
                self.asm.add32(d, self.rm(a));
            }
        } else if let (AluOp::Add, Some(x), Some(y)) = (op, self.host(a), self.host(b)) {
            self.asm.lea32(d, Mem::base(x).index(y, Scale::X1));
        } else if a.is_zero() {
            self.asm.mov32(d, self.rm(b));
            self.asm.neg32(d);
        } else {
            self.asm.mov32(d, self.rm(a));
            self.apply(op, d, self.rm(b));
        }
    }

    fn emit_shift(&mut self, op: AluOp, rd: Reg, a: Reg, b: Reg) {
        if self.bmi2 {
            let d = self.dest(rd, A);
            let by = self.read(b, D);
            let s = self.rm(a);
            match op {
                AluOp::Sll => self.asm.shlx32(d, s, by),
                AluOp::Srl => self.asm.shrx32(d, s, by),
                _ => self.asm.sarx32(d, s, by),
            }
            return self.written(rd, d);
        }
        self.with_count(rd, a, b, |asm, d| match op {
            AluOp::Sll => asm.shl32_cl(d),
            AluOp::Srl => asm.shr32_cl(d),
            _ => asm.sar32_cl(d),
        });
    }

    /// rd = a shifted by b, as `shift` does with the count in cl. What lives in rcx waits in rdx meanwhile.
    fn with_count(&mut self, rd: Reg, a: Reg, b: Reg, shift: impl FnOnce(&mut Assembler, Rm)) {
        let in_place = rd == a && self.host(rd) != Some(COUNT);
        let d = if in_place { self.rm(rd) } else { Rm::Reg(A) };
        if !in_place {
            self.fetch(A, a);
        }
        if self.host(b) == Some(COUNT) {
            shift(&mut self.asm, d);
        } else {
            self.asm.mov32(D, COUNT);
            self.fetch(COUNT, b);
            shift(&mut self.asm, d);
            self.asm.mov32(COUNT, D);
        }
        if !in_place {
            self.written(rd, A);
        }
    }

    pub(super) fn emit_alu_shifted(
        &mut self,
        op: AluOp,
        rd: Reg,
        a: Reg,
        b: Reg,
        kind: ShiftKind,
        by: u8,
    ) {
        let d = self.dest(rd, A);
        if let (AluOp::Add, ShiftKind::Left, 0..=3, Some(x), Some(y)) =
            (op, kind, by, self.host(a), self.host(b))
        {
            self.asm.lea32(d, Mem::base(x).index(y, scale(by)));
            return self.written(rd, d);
        }
        self.fetch(D, b);
        match kind {
            ShiftKind::Left => self.asm.shl32_i(D, by),
            ShiftKind::Right => self.asm.shr32_i(D, by),
            ShiftKind::Arithmetic => self.asm.sar32_i(D, by),
        }
        if rd == a {
            return self.apply_to(op, self.rm(rd), D);
        }
        if op.is_commutative() {
            self.apply(op, D, self.rm(a));
            return self.written(rd, D);
        }
        self.fetch(A, a);
        self.apply(op, A, Rm::Reg(D));
        self.written(rd, A);
    }

    /// Compares a with b, and gives the host's condition for `cond`.
    pub(super) fn emit_compare(&mut self, cond: Cond, a: Reg, b: Operand) -> HostCond {
        match b {
            Operand::Reg(b) if a.is_zero() => {
                // 0 cond b, from the flags of b − 0.
                self.compare_zero(self.rm(b));
                return match cond {
                    Cond::Eq | Cond::Geu => HostCond::E,
                    Cond::Ne | Cond::Ltu => HostCond::Ne,
                    Cond::Lt => HostCond::G,
                    Cond::Ge => HostCond::Le,
                };
            }
            Operand::Imm(0) => self.compare_zero(self.rm(a)),
            Operand::Imm(value) => self.asm.cmp32_i(self.rm(a), value.cast_signed()),
            Operand::Reg(b) => match (self.rm(a), self.rm(b)) {
                (Rm::Reg(x), y) => self.asm.cmp32(x, y),
                (x @ Rm::Mem(_), Rm::Reg(y)) => self.asm.cmp32_mr(x, y),
                (x, y) => {
                    self.asm.mov32(A, x);
                    self.asm.cmp32(A, y);
                }
            },
        }
        host_cond(cond)
    }

    fn compare_zero(&mut self, a: Rm) {
        match a {
            Rm::Reg(a) => self.asm.test32(a, a),
            a @ Rm::Mem(_) => self.asm.cmp32_i(a, 0),
        }
    }

    /// Sets ZF if no bit of b is set in a.
    pub(super) fn emit_test(&mut self, a: Reg, b: Operand) {
        match (b, self.rm(a)) {
            (Operand::Imm(value), a) => match u8::try_from(value) {
                Ok(value) => self.asm.test8_i(a, value),
                Err(_) => self.asm.test32_i(a, value.cast_signed()),
            },
            (Operand::Reg(b), a) => match (a, self.rm(b)) {
                (a, Rm::Reg(b)) => self.asm.test32(a, b),
                (Rm::Reg(a), b) => self.asm.test32(b, a),
                (a, b) => {
                    self.asm.mov32(A, a);
                    self.asm.test32(b, A);
                }
            },
        }
    }

    pub(super) fn emit_set_if(&mut self, cond: Cond, rd: Reg, a: Reg, b: Operand) {
        if (cond, b) == (Cond::Lt, Operand::Imm(0)) {
            return self.emit_alu_imm(AluOp::Srl, rd, a, 31);
        }
        let is_source = rd == a || b == Operand::Reg(rd);
        match self.host(rd) {
            Some(d) if !is_source => {
                self.asm.xor32(d, d);
                let cond = self.emit_compare(cond, a, b);
                self.asm.setcc(cond, d);
            }
            _ => {
                let cond = self.emit_compare(cond, a, b);
                self.asm.setcc(cond, A);
                let d = self.dest(rd, A);
                self.asm.movzx8(d, A);
                self.written(rd, d);
            }
        }
    }

    pub(super) fn emit_extract(&mut self, rd: Reg, rs: Reg, lsb: u8, width: u8, signed: bool) {
        let d = self.dest(rd, A);
        let s = self.rm(rs);
        match (lsb, width, signed) {
            (0, 8, false) => self.asm.movzx8(d, s),
            (0, 8, true) => self.asm.movsx8(d, s),
            (0, 16, false) => self.asm.movzx16(d, s),
            (0, 16, true) => self.asm.movsx16(d, s),
            _ => {
                self.fetch(d, rs);
                let above = 32 - lsb - width;
                if above > 0 && !signed && width < 32 {
                    if lsb > 0 {
                        self.asm.shr32_i(d, lsb);
                    }
                    self.asm.and32_i(d, ((1_u32 << width) - 1).cast_signed());
                } else {
                    if above > 0 {
                        self.asm.shl32_i(d, above);
                    }
                    if signed {
                        self.asm.sar32_i(d, 32 - width);
                    } else {
                        self.asm.shr32_i(d, 32 - width);
                    }
                }
            }
        }
        self.written(rd, d);
    }

    pub(super) fn emit_place(&mut self, rd: Reg, rs: Reg, lsb: u8, width: u8) {
        let d = self.dest(rd, A);
        self.fetch(d, rs);
        let above = 32 - lsb - width;
        self.asm.shl32_i(d, lsb + above);
        if above > 0 {
            self.asm.shr32_i(d, above);
        }
        self.written(rd, d);
    }

    pub(super) fn emit_rotate(&mut self, rd: Reg, rs: Reg, by: Operand) {
        match by {
            Operand::Imm(bits) => {
                let bits = (bits & 31) as u8;
                if rd == rs {
                    self.asm.ror32_i(self.rm(rd), bits);
                    return;
                }
                let d = self.dest(rd, A);
                if self.bmi2 {
                    self.asm.rorx32(d, self.rm(rs), bits);
                } else {
                    self.fetch(d, rs);
                    self.asm.ror32_i(d, bits);
                }
                self.written(rd, d);
            }
            Operand::Reg(by) => {
                self.with_count(rd, rs, by, Assembler::ror32_cl);
            }
        }
    }

    pub(super) fn emit_mul(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg) {
        match op {
            MulOp::Mul => {
                let d = self.dest(rd, A);
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
        self.asm.movsxd(A, self.rm(a));
        self.fetch(D, b);
        self.asm.imul64(A, D);
    }

    /// eax = a / b, edx = a % b. The host's instruction traps on a division by zero and on overflow, so divisors 0 and
    /// −1 are done out of line.
    pub(super) fn divide(&mut self, signed: bool, a: Reg, b: Reg) {
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
            self.asm.cmp32_i(D, 1);
            self.asm.jcc(HostCond::Be, entry);
            self.asm.cdq();
            self.asm.idiv32(divisor);
        } else {
            self.compare_zero(divisor);
            self.asm.jcc(HostCond::E, entry);
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
            self.compare_zero(special.divisor);
            let a = &mut self.asm;
            a.jcc(HostCond::E, zero);
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

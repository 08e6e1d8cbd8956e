//! Arithmetic: two-operand instructions for three-operand operations, without a move where rd is rs1, and with the
//! memory operand of the instruction itself where a register has no home.

use super::X86_64;
use super::memory::scale;
use super::regs::{A, COUNT, D};
use crate::asm::x64::{Assembler, Cond as HostCond, Mem, Reg as HostReg, Rm, Scale};
use crate::jit::ir::op::Operand;
use crate::rv32::{AluOp, Cond, Reg};

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
    pub(super) fn apply(&mut self, op: AluOp, d: HostReg, s: Rm) {
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
            let d = match self.host(rd) {
                Some(d) => d,
                None => self.changeable(rd, None),
            };
            self.apply_imm(op, Rm::Reg(d), value);
            self.written(rd, d);
            return self.flags_of_result(op, rd, value);
        }
        let source = self.rm(a);
        let d = self.dest(rd, None);
        match (op, value, source) {
            (AluOp::Add, _, Rm::Reg(base)) => {
                self.asm.lea32(d, Mem::base(base).disp(value.cast_signed()));
                return self.written(rd, d);
            }
            (AluOp::Sll, 1..=3, Rm::Reg(base)) => {
                let shifted = Mem::absolute(0).index(base, scale((value & 31) as u8));
                self.asm.lea32(d, shifted);
                return self.written(rd, d);
            }
            (AluOp::And, 0xff, _) => {
                self.asm.movzx8(d, source);
                return self.written(rd, d);
            }
            (AluOp::And, 0xffff, _) => {
                self.asm.movzx16(d, source);
                return self.written(rd, d);
            }
            _ => {}
        }
        self.put(d, source);
        self.apply_imm(op, Rm::Reg(d), value);
        self.written(rd, d);
        self.flags_of_result(op, rd, value);
    }

    /// What `apply_imm` emitted set the flags by the value of `rd`, for these operations.
    fn flags_of_result(&mut self, op: AluOp, rd: Reg, value: u32) {
        match op {
            AluOp::Add | AluOp::And | AluOp::Or => self.flags_tell(rd),
            AluOp::Xor if value != u32::MAX => self.flags_tell(rd),
            AluOp::Srl | AluOp::Sra | AluOp::Sll if value & 31 != 0 => self.flags_tell(rd),
            _ => {}
        }
    }

    /// d = s.
    pub(super) fn put(&mut self, d: HostReg, s: Rm) {
        if s != Rm::Reg(d) {
            self.asm.mov32(d, s);
        }
    }

    /// The value of a register in a scratch register other than `avoid`, to be changed.
    pub(super) fn changeable(&mut self, reg: Reg, avoid: Option<HostReg>) -> HostReg {
        let d = match self.in_register(reg) {
            Some(scratch) if Some(scratch) != avoid && self.host(reg).is_none() => scratch,
            _ => self.pick(avoid),
        };
        self.fetch(d, reg);
        d
    }

    pub(super) fn emit_alu(&mut self, op: AluOp, rd: Reg, a: Reg, b: Reg) {
        if op.is_shift() {
            return self.emit_shift(op, rd, a, b);
        }
        let (a, b) = if rd == b && op.is_commutative() {
            (b, a)
        } else {
            (a, b)
        };
        if let (AluOp::Add, Some(x), Some(y)) = (op, self.in_register(a), self.in_register(b))
            && rd != a
        {
            let d = self.dest(rd, None);
            self.asm.lea32(d, Mem::base(x).index(y, Scale::X1));
            return self.written(rd, d);
        }
        match self.host(rd) {
            Some(d) if rd == a => self.apply(op, d, self.rm(b)),
            Some(d) if rd == b => {
                // d = a − d.
                self.asm.neg32(d);
                if !a.is_zero() {
                    self.asm.add32(d, self.rm(a));
                }
            }
            Some(d) if a.is_zero() => {
                self.fetch(d, b);
                self.asm.neg32(d);
            }
            Some(d) => {
                self.fetch(d, a);
                self.apply(op, d, self.rm(b));
            }
            None if a.is_zero() => {
                let d = self.changeable(b, None);
                self.asm.neg32(d);
                self.written(rd, d);
            }
            None => {
                let avoid = self.in_register(b);
                let d = if rd == a {
                    self.changeable(a, avoid)
                } else {
                    let d = self.pick(avoid);
                    self.fetch(d, a);
                    d
                };
                self.apply(op, d, self.rm(b));
                self.written(rd, d);
            }
        }
        self.flags_tell(rd);
    }

    fn emit_shift(&mut self, op: AluOp, rd: Reg, a: Reg, b: Reg) {
        if self.has.bmi2 {
            let by = self.read(b, None);
            let s = self.rm(a);
            let d = self.dest(rd, None);
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
    pub(super) fn with_count(
        &mut self,
        rd: Reg,
        a: Reg,
        b: Reg,
        shift: impl FnOnce(&mut Assembler, Rm),
    ) {
        self.release();
        let in_place = self.host(rd).filter(|&d| rd == a && d != COUNT);
        let d = Rm::Reg(in_place.unwrap_or(A));
        if in_place.is_none() {
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
        if in_place.is_none() {
            self.written(rd, A);
        }
    }

    /// rd = a + (b << by), by at most 3.
    pub(super) fn emit_scaled_add(&mut self, rd: Reg, a: Reg, b: Reg, by: u8) {
        let x = self.read(a, self.in_register(b));
        let y = self.read(b, Some(x));
        let d = self.dest(rd, None);
        self.asm.lea32(d, Mem::base(x).index(y, scale(by)));
        self.written(rd, d);
    }

    /// Compares a with b, and gives the host's condition for `cond`.
    pub(super) fn emit_compare(&mut self, cond: Cond, a: Reg, b: Operand) -> HostCond {
        match b {
            Operand::Imm(0)
                if self.flags() == Some(a) && !matches!(cond, Cond::Ltu | Cond::Geu) =>
            {
                // Overflow and carry are not those of a comparison.
                return match cond {
                    Cond::Lt => HostCond::S,
                    Cond::Ge => HostCond::Ns,
                    other => host_cond(other),
                };
            }
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
                (Rm::Mem(_), Rm::Mem(_)) => {
                    let x = self.read(a, None);
                    self.asm.cmp32(x, self.rm(b));
                }
            },
        }
        host_cond(cond)
    }

    pub(super) fn compare_zero(&mut self, a: Rm) {
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
                    let scratch = self.pick(None);
                    self.asm.mov32(scratch, a);
                    self.asm.test32(b, scratch);
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
                let scratch = self.pick(None);
                self.asm.setcc(cond, scratch);
                let d = self.host(rd).unwrap_or(scratch);
                self.asm.movzx8(d, scratch);
                self.written(rd, d);
            }
        }
    }

    pub(super) fn emit_select(
        &mut self,
        cond: Cond,
        (a, b): (Reg, Operand),
        rd: Reg,
        rs: Operand,
        other: Reg,
    ) {
        let cond = self.emit_compare(cond, a, b);
        // From here on only moves: they leave the flags alone.
        let other = match other {
            Reg::ZERO => Operand::Imm(0),
            other => Operand::Reg(other),
        };
        // Only a register can be moved on a condition: a constant goes there first, and so does what is there already.
        let constant = matches!((rs, other), (Operand::Imm(_), Operand::Reg(_)));
        let there = |b| b == Operand::Reg(rd);
        let (cond, then, first) = if there(rs) || constant && !there(other) {
            (cond.invert(), other, rs)
        } else {
            (cond, rs, other)
        };
        let avoid = match then {
            Operand::Reg(then) => self.in_register(then),
            Operand::Imm(_) => None,
        };
        let d = match (self.host(rd), first) {
            (Some(d), _) => d,
            (None, Operand::Reg(first)) => self.changeable(first, avoid),
            (None, Operand::Imm(_)) => self.pick(avoid),
        };
        match first {
            Operand::Reg(first) => self.put(d, self.rm(first)),
            Operand::Imm(value) => self.asm.mov32_i(d, value),
        }
        let s = match then {
            Operand::Reg(then) => self.rm(then),
            Operand::Imm(value) => {
                let s = self.pick(Some(d));
                self.asm.mov32_i(s, value);
                Rm::Reg(s)
            }
        };
        self.asm.cmovcc32(cond, d, s);
        self.written(rd, d);
    }

    pub(super) fn emit_extract(&mut self, rd: Reg, rs: Reg, lsb: u8, width: u8, signed: bool) {
        let s = self.rm(rs);
        let d = self.dest(rd, None);
        match (lsb, width, signed) {
            (0, 8, false) => self.asm.movzx8(d, s),
            (0, 8, true) => self.asm.movsx8(d, s),
            (0, 16, false) => self.asm.movzx16(d, s),
            (0, 16, true) => self.asm.movsx16(d, s),
            _ => {
                self.put(d, s);
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
        let d = self.dest(rd, None);
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
                if let (true, Some(d)) = (rd == rs, self.host(rd)) {
                    self.asm.ror32_i(d, bits);
                    return;
                }
                let s = self.rm(rs);
                let d = self.dest(rd, None);
                if self.has.bmi2 {
                    self.asm.rorx32(d, s, bits);
                } else {
                    self.put(d, s);
                    self.asm.ror32_i(d, bits);
                }
                self.written(rd, d);
            }
            Operand::Reg(by) => {
                self.with_count(rd, rs, by, Assembler::ror32_cl);
            }
        }
    }

    pub(super) fn emit_funnel(&mut self, rd: Reg, high: Reg, low: Reg, amount: u8) {
        if let (Some(d), true) = (self.host(rd), rd == high) {
            let low = self.read(low, None);
            return self.asm.shld32(Rm::Reg(d), low, 32 - amount);
        }
        let high = self.read(high, self.in_register(low));
        let d = match self.host(rd) {
            Some(d) => {
                self.fetch(d, low);
                d
            }
            None => self.changeable(low, Some(high)),
        };
        self.asm.shrd32(Rm::Reg(d), high, amount);
        self.written(rd, d);
    }

    pub(super) fn emit_add_carry(&mut self, sub: bool, lo: Reg, carry: Reg, a: Reg, b: Reg) {
        let op = if sub { AluOp::Sub } else { AluOp::Add };
        self.release();
        match self.host(lo) {
            Some(d) if lo == b && !sub => self.apply(op, d, self.rm(a)),
            Some(d) if lo != b => {
                self.fetch(d, a);
                self.apply(op, d, self.rm(b));
            }
            _ => {
                self.fetch(A, a);
                self.apply(op, A, self.rm(b));
                // Moves leave the flags alone.
                self.written(lo, A);
            }
        }
        let d = self.host(carry).unwrap_or(D);
        self.asm.setcc(HostCond::B, D);
        self.asm.movzx8(d, D);
        self.written(carry, d);
    }
}

//! Lifting of Zba, Zbb, Zbs, Zbkb and Zicond: to the operations that exist where these say the same, so that the passes
//! see a shift or a mask as such.

use super::lift::Lifter;
use crate::jit::ir::op::{Op, Operand, ShiftKind};
use crate::rv32::{AluOp, BitOp, Cond, Reg, UnaryOp};

impl Lifter<'_> {
    pub(super) fn bits(&mut self, op: BitOp, rd: Reg, a: Reg, b: Reg) {
        if op.is_carryless_product() {
            // The region's block ends here, whatever the operands are.
            return self.push(Op::Interpret);
        }
        let (x, y) = (self.known(a), self.known(b));
        if let (Some(x), Some(y)) = (x, y) {
            return self.constant(rd, op.eval(x, y));
        }
        match (op, x, y) {
            (BitOp::Sh1add, ..) => self.shifted_add(rd, a, b, 1),
            (BitOp::Sh2add, ..) => self.shifted_add(rd, a, b, 2),
            (BitOp::Sh3add, ..) => self.shifted_add(rd, a, b, 3),
            (BitOp::Andn, ..) => self.with_inverse(op, AluOp::And, rd, (a, b)),
            (BitOp::Orn, ..) => self.with_inverse(op, AluOp::Or, rd, (a, b)),
            (BitOp::Xnor, ..) => self.with_inverse(op, AluOp::Xor, rd, (a, b)),
            (BitOp::Min, ..) => self.select(Cond::Lt, rd, a, b),
            (BitOp::Max, ..) => self.select(Cond::Ge, rd, a, b),
            (BitOp::Minu, ..) => self.select(Cond::Ltu, rd, a, b),
            (BitOp::Maxu, ..) => self.select(Cond::Geu, rd, a, b),
            (BitOp::Rol, _, Some(by)) => self.rotate(rd, a, by.wrapping_neg()),
            (BitOp::Ror, _, Some(by)) => self.rotate(rd, a, by),
            (BitOp::Rol | BitOp::Ror, Some(same @ (0 | u32::MAX)), _) => self.constant(rd, same),
            (BitOp::Ror, ..) => {
                let by = Operand::Reg(b);
                self.write(rd, Op::Rotate { rd, rs: a, by });
            }
            (BitOp::Bclr | BitOp::Bext | BitOp::Binv | BitOp::Bset, _, Some(n)) => {
                self.bits_imm(op, rd, a, n.to_le_bytes()[0] & 31);
            }
            (BitOp::Bclr | BitOp::Bext, Some(0), _) => self.constant(rd, 0),
            (BitOp::Bset | BitOp::Binv, Some(0), _) => {
                let (op, a) = (BitOp::Bset, Reg::ZERO);
                self.write(rd, Op::Bits { op, rd, a, b });
            }
            (BitOp::Bext, ..) => self.extract_bit(rd, a, b),
            (BitOp::Pack, _, Some(y)) if y << 16 == 0 => self.alu_imm(AluOp::And, rd, a, 0xffff),
            (BitOp::Pack, Some(x), _) if x << 16 == 0 => self.alu_imm(AluOp::Sll, rd, b, 16),
            (BitOp::Packh, _, Some(y)) if y << 24 == 0 => self.alu_imm(AluOp::And, rd, a, 0xff),
            (BitOp::Packh, Some(x), _) if x << 24 == 0 => {
                let (lsb, width) = (8, 8);
                let rs = b;
                self.write(rd, Op::Place { rd, rs, lsb, width });
            }
            (BitOp::CzeroEqz | BitOp::CzeroNez, Some(0), _)
            | (BitOp::CzeroEqz, _, Some(0))
            | (BitOp::CzeroNez, _, Some(1..)) => self.constant(rd, 0),
            (BitOp::CzeroEqz, _, Some(1..)) | (BitOp::CzeroNez, _, Some(0)) => self.copy(rd, a),
            (BitOp::CzeroEqz, ..) if a == b => self.copy(rd, a),
            (BitOp::CzeroNez, ..) if a == b => self.constant(rd, 0),
            (BitOp::CzeroEqz, ..) => self.or_zero(Cond::Ne, rd, a, b),
            (BitOp::CzeroNez, ..) => self.or_zero(Cond::Eq, rd, a, b),
            _ => self.write(rd, Op::Bits { op, rd, a, b }),
        }
    }

    pub(super) fn bits_imm(&mut self, op: BitOp, rd: Reg, a: Reg, shamt: u8) {
        let bit = 1 << shamt;
        if let Some(value) = self.known(a) {
            return self.constant(rd, op.eval(value, shamt.into()));
        }
        match (op, shamt) {
            (BitOp::Ror, _) => self.rotate(rd, a, shamt.into()),
            (BitOp::Bclr, _) => self.alu_imm(AluOp::And, rd, a, !bit),
            (BitOp::Binv, _) => self.alu_imm(AluOp::Xor, rd, a, bit),
            (BitOp::Bset, _) => self.alu_imm(AluOp::Or, rd, a, bit),
            (BitOp::Bext, 0) => self.alu_imm(AluOp::And, rd, a, 1),
            (BitOp::Bext, 31) => self.alu_imm(AluOp::Srl, rd, a, 31),
            (BitOp::Bext, lsb) => {
                let (width, signed) = (1, false);
                let rs = a;
                let op = Op::Extract {
                    rd,
                    rs,
                    lsb,
                    width,
                    signed,
                };
                self.write(rd, op);
            }
            (other, _) => unreachable!("{other:?} has no immediate form"),
        }
    }

    pub(super) fn unary(&mut self, op: UnaryOp, rd: Reg, rs: Reg) {
        if let Some(value) = self.known(rs) {
            return self.constant(rd, op.eval(value));
        }
        let signed = |width| Op::Extract {
            rd,
            rs,
            lsb: 0,
            width,
            signed: true,
        };
        match op {
            UnaryOp::SextB => self.write(rd, signed(8)),
            UnaryOp::SextH => self.write(rd, signed(16)),
            UnaryOp::ZextH => self.alu_imm(AluOp::And, rd, rs, 0xffff),
            _ => self.write(rd, Op::Unary { op, rd, rs }),
        }
    }

    /// rd = (a << by) + b, not both of them known.
    fn shifted_add(&mut self, rd: Reg, a: Reg, b: Reg, by: u8) {
        if let Some(value) = self.known(a) {
            return self.alu_imm(AluOp::Add, rd, b, value << by);
        }
        if b.is_zero() {
            return self.alu_imm(AluOp::Sll, rd, a, by.into());
        }
        let shifted = Op::AluShifted {
            op: AluOp::Add,
            rd,
            a: b,
            b: a,
            kind: ShiftKind::Left,
            amount: by,
        };
        self.write(rd, shifted);
    }

    /// rd = a `plain` !b, which `op` says, too; not both are known.
    fn with_inverse(&mut self, op: BitOp, plain: AluOp, rd: Reg, (a, b): (Reg, Reg)) {
        match (self.known(a), self.known(b)) {
            (_, Some(value)) => self.alu_imm(plain, rd, a, !value),
            (Some(0), _) if plain == AluOp::And => self.constant(rd, 0),
            (Some(0), _) => self.alu_imm(AluOp::Xor, rd, b, u32::MAX),
            // With itself.
            _ if a == b => self.constant(rd, op.eval(0, 0)),
            _ => self.write(rd, Op::Bits { op, rd, a, b }),
        }
    }

    /// rd = a where `a cond b`, else b.
    fn select(&mut self, cond: Cond, rd: Reg, a: Reg, b: Reg) {
        if a == b {
            return self.copy(rd, a);
        }
        let of = |reg: Reg| match reg {
            Reg::ZERO => Operand::Imm(0),
            reg => Operand::Reg(reg),
        };
        let select = Op::Select {
            cond,
            a,
            b: of(b),
            rd,
            rs: of(a),
            other: b,
        };
        self.write(rd, select);
    }

    /// rd = a where `b cond 0`, else 0; neither is known to be zero.
    fn or_zero(&mut self, cond: Cond, rd: Reg, a: Reg, b: Reg) {
        let select = Op::Select {
            cond,
            a: b,
            b: Operand::Imm(0),
            rd,
            rs: Operand::Reg(a),
            other: Reg::ZERO,
        };
        self.write(rd, select);
    }

    /// rd = rs rotated right.
    fn rotate(&mut self, rd: Reg, rs: Reg, by: u32) {
        match by & 31 {
            0 => self.copy(rd, rs),
            by => {
                let by = Operand::Imm(by);
                self.write(rd, Op::Rotate { rd, rs, by });
            }
        }
    }

    /// rd = the bit of a that b names: a shift, and a mask.
    fn extract_bit(&mut self, rd: Reg, a: Reg, b: Reg) {
        if rd.is_zero() {
            return self.push(Op::Nop);
        }
        let shift = Op::Alu {
            op: AluOp::Srl,
            rd,
            a,
            b: Operand::Reg(b),
        };
        self.write(rd, shift);
        self.is_a_part();
        self.alu_imm(AluOp::And, rd, rd, 1);
    }
}

//! Sequences that look like what the translator joins, and must not be taken for it: two comparisons with a write of an
//! operand between, fields one bit too wide, rotations joined by another operation, the remainder before the quotient.

use super::generate::Generator;
use rvjit::rv32::{AluOp, Cond, Insn, MulOp, Reg};

impl Generator<'_> {
    pub(crate) fn kin(&mut self) {
        match self.random.below(5) {
            0 | 1 => self.compare_twice(),
            2 => self.field(),
            3 => self.rotation(),
            _ => self.remainder(),
        }
    }

    /// A comparison, as a branch over one instruction or as `slt`.
    fn compare(&mut self, cond: Cond, a: Reg, b: Reg) {
        if self.random.one_in(4) {
            let op = self.random.pick(&[AluOp::Slt, AluOp::Sltu]);
            let rd = self.destination();
            self.push(Insn::Alu {
                op,
                rd,
                rs1: a,
                rs2: b,
            });
        } else {
            self.push(Insn::Branch {
                cond,
                rs1: a,
                rs2: b,
                offset: 8,
            });
            self.simple();
        }
    }

    /// Compares, writes an operand perhaps, and compares the same, or the operands changed round, or one with itself or 0.
    fn compare_twice(&mut self) {
        let (a, b) = (self.destination(), self.any());
        let b = if self.random.one_in(3) { Reg::ZERO } else { b };
        let cond = self.random.pick(&Cond::ALL);
        let same = self.random.one_in(2);
        // A branch past all this: what follows is in the same block.
        let past = !self.random.one_in(3);
        let start = self.here();
        if past {
            self.simple();
        } else {
            self.compare(cond, a, b);
        }
        for _ in 0..self.random.below(3) {
            let from = self.any();
            match self.random.below(6) {
                0 | 1 => self.push(Insn::AluImm {
                    op: AluOp::Add,
                    rd: a,
                    rs1: from,
                    imm: 0,
                }),
                2 => {
                    let imm = self.imm();
                    self.push(Insn::AluImm {
                        op: AluOp::Add,
                        rd: a,
                        rs1: Reg::ZERO,
                        imm,
                    });
                }
                3 => self.load(),
                4 => self.sequence(),
                _ => self.simple(),
            }
        }
        let then = if same {
            cond
        } else {
            self.random.pick(&Cond::ALL)
        };
        let (c, d) = self
            .random
            .pick(&[(a, b), (a, b), (b, a), (a, a), (a, Reg::ZERO)]);
        self.compare(then, c, d);
        if past {
            let offset = 4 * (self.here() - start) as i32;
            let branch = Insn::Branch {
                cond,
                rs1: a,
                rs2: b,
                offset,
            };
            self.replace(start, branch);
        }
    }

    /// `srli` and `andi` with a mask of ones, which may reach past what is left of the register.
    fn field(&mut self) {
        let (a, d, e) = (self.any(), self.destination(), self.destination());
        let right = self.random.pick(&[AluOp::Srl, AluOp::Srl, AluOp::Sra]);
        let by = self.random.below(32).cast_signed();
        let bits = 1 + self.random.below(11);
        let mask = (1 << bits) - 1;
        let mask = self
            .random
            .pick(&[mask, mask, (mask << 1).min(2047), mask ^ 2, -1]);
        self.push(Insn::AluImm {
            op: right,
            rd: d,
            rs1: a,
            imm: by,
        });
        if self.random.one_in(5) {
            self.simple();
        }
        self.push(Insn::AluImm {
            op: AluOp::And,
            rd: e,
            rs1: d,
            imm: mask,
        });
    }

    /// Rotations by a register and by a constant, joined by what may be an `or`: by 0, it matters which.
    fn rotation(&mut self) {
        let (a, n) = (self.any(), self.any());
        let (d, e, f) = (self.destination(), self.destination(), self.destination());
        let join = self
            .random
            .pick(&[AluOp::Or, AluOp::Add, AluOp::Xor, AluOp::And, AluOp::Sub]);
        let (left, right) = self
            .random
            .pick(&[(AluOp::Sll, AluOp::Srl), (AluOp::Srl, AluOp::Sll)]);
        if self.random.one_in(2) {
            let by = self.random.pick(&[0, 0, 1, 8, 16, 31]);
            let back = self.random.pick(&[(32 - by) & 31, (32 - by) & 31, by]);
            let part = |op, rd, imm| Insn::AluImm {
                op,
                rd,
                rs1: a,
                imm,
            };
            self.push(part(left, d, by));
            self.push(part(right, e, back));
        } else {
            let part = |op, rd, rs1, rs2| Insn::Alu { op, rd, rs1, rs2 };
            if self.random.one_in(3) {
                let imm = self.random.pick(&[0, 32, 64, -1]);
                self.push(Insn::AluImm {
                    op: AluOp::And,
                    rd: f,
                    rs1: n,
                    imm,
                });
            }
            self.push(part(left, d, a, n));
            self.push(part(AluOp::Sub, f, Reg::ZERO, n));
            self.push(part(right, e, a, f));
        }
        self.push(Insn::Alu {
            op: join,
            rd: f,
            rs1: d,
            rs2: e,
        });
    }

    /// The remainder first, then the quotient, perhaps of others, or of the other sign; divisors of note.
    fn remainder(&mut self) {
        let (a, b) = (self.any(), self.any());
        let (d, e) = (self.destination(), self.destination());
        let (rem, div) = self
            .random
            .pick(&[(MulOp::Rem, MulOp::Div), (MulOp::Remu, MulOp::Divu)]);
        let div = if self.random.one_in(5) {
            self.random.pick(&MulOp::ALL)
        } else {
            div
        };
        if self.random.one_in(3) {
            let imm = self.random.pick(&[-1, 0, 1]);
            let rd = self.destination();
            self.push(Insn::AluImm {
                op: AluOp::Add,
                rd,
                rs1: Reg::ZERO,
                imm,
            });
        }
        self.push(Insn::Mul {
            op: rem,
            rd: d,
            rs1: a,
            rs2: b,
        });
        if self.random.one_in(3) {
            self.simple();
        }
        self.push(Insn::Mul {
            op: div,
            rd: e,
            rs1: a,
            rs2: b,
        });
    }
}

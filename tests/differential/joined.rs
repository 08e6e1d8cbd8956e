//! The sequences that the translator joins, their parts often apart: other things stand between, and registers are
//! random, so that many may just not be joined.

use super::generate::{Generator, POINTERS};
use rvjit::rv32::{AluOp, Cond, Insn, LoadOp, MulOp, Reg, StoreOp};

impl Generator<'_> {
    /// A part of a sequence, behind something else at times.
    fn part(&mut self, insn: Insn) {
        match self.random.below(12) {
            0 | 1 => self.simple(),
            2 => self.load(),
            _ => {}
        }
        self.push(insn);
    }

    /// What compilers emit for one thing, with random registers: also those that make it another thing.
    pub(crate) fn sequence(&mut self) {
        let (a, b, c) = (self.any(), self.any(), self.any());
        let (d, e, f) = (self.destination(), self.destination(), self.destination());
        let same = self.random.one_in(2);
        let e = if same { d } else { e };
        let alu = |op, rd, rs1, rs2| Insn::Alu { op, rd, rs1, rs2 };
        let imm = |op, rd, rs1, imm| Insn::AluImm { op, rd, rs1, imm };
        let shift = self.random.below(32).cast_signed();
        let other = self.random.below(32).cast_signed();
        let on_zero = self.random.pick(&[Cond::Eq, Cond::Ne]);
        match self.random.below(18) {
            0 => {
                let high = self.random.next() as u32 & 0xffff_f000;
                let low = self.imm();
                self.part(Insn::Lui { rd: d, imm: high });
                self.part(imm(AluOp::Add, e, d, low));
            }
            1 => {
                let right = self.random.pick(&[AluOp::Srl, AluOp::Sra]);
                let by = self.random.pick(&[8, 16, 24, shift]);
                let back = if self.random.one_in(3) { other } else { by };
                self.part(imm(AluOp::Sll, d, a, by));
                self.part(imm(right, e, d, back));
            }
            2 => {
                let by = self.random.below(5).cast_signed();
                self.part(imm(AluOp::Sll, d, a, by));
                self.part(alu(AluOp::Add, e, d, b));
            }
            3 => {
                // An indexed access whose index keeps it in the data.
                let by = self.random.below(4).cast_signed();
                let pointer = self.random.pick(&POINTERS);
                let offset = 4 * self.random.below(8).cast_signed();
                self.push(imm(AluOp::And, d, a, 63));
                self.push(imm(AluOp::Sll, d, d, by));
                self.push(alu(AluOp::Add, e, pointer, d));
                if self.random.one_in(2) {
                    let op = self.random.pick(&LoadOp::ALL);
                    let rd = if self.random.one_in(2) { e } else { f };
                    self.push(Insn::Load {
                        op,
                        rd,
                        rs1: e,
                        offset,
                    });
                } else {
                    let op = self.random.pick(&StoreOp::ALL);
                    self.push(Insn::Store {
                        op,
                        rs1: e,
                        rs2: c,
                        offset,
                    });
                }
            }
            4 => {
                // A rotation by a constant, or nearly.
                let back = if self.random.one_in(4) {
                    other
                } else {
                    (32 - shift) & 31
                };
                let join = self.random.pick(&[AluOp::Or, AluOp::Add, AluOp::Xor]);
                self.part(imm(AluOp::Srl, d, a, shift));
                if self.random.one_in(2) {
                    self.simple();
                }
                self.part(imm(AluOp::Sll, e, a, back));
                self.part(alu(join, f, d, e));
            }
            5 => {
                // A rotation by a register.
                self.part(alu(AluOp::Sub, f, Reg::ZERO, b));
                self.part(alu(AluOp::Sll, d, a, b));
                self.part(alu(AluOp::Srl, e, a, f));
                self.part(alu(AluOp::Or, e, d, e));
            }
            6 => {
                // Addition with carry.
                self.part(alu(AluOp::Add, d, a, b));
                let with = self.random.pick(&[a, b, c]);
                self.part(alu(AluOp::Sltu, e, d, with));
                self.part(alu(AluOp::Add, f, c, e));
            }
            7 => {
                let op = self.random.pick(&[AluOp::Slt, AluOp::Sltu]);
                self.part(alu(op, d, a, b));
                self.part(Insn::Branch {
                    cond: on_zero,
                    rs1: d,
                    rs2: Reg::ZERO,
                    offset: 8,
                });
                self.simple();
            }
            8 => {
                let mask = self.random.pick(&[1, 2, 4, 64, 1024, 3, 7, 255, 5, -1]);
                self.part(imm(AluOp::And, d, a, mask));
                self.part(Insn::Branch {
                    cond: on_zero,
                    rs1: d,
                    rs2: Reg::ZERO,
                    offset: 8,
                });
                self.simple();
            }
            9 => {
                let high = self
                    .random
                    .pick(&[MulOp::Mulh, MulOp::Mulhu, MulOp::Mulhsu]);
                let order = self.random.one_in(2);
                let low = Insn::Mul {
                    op: MulOp::Mul,
                    rd: d,
                    rs1: a,
                    rs2: b,
                };
                let high = Insn::Mul {
                    op: high,
                    rd: f,
                    rs1: a,
                    rs2: b,
                };
                self.part(if order { low } else { high });
                self.part(if order { high } else { low });
            }
            10 => {
                let (div, rem) = self
                    .random
                    .pick(&[(MulOp::Div, MulOp::Rem), (MulOp::Divu, MulOp::Remu)]);
                self.part(Insn::Mul {
                    op: div,
                    rd: d,
                    rs1: a,
                    rs2: b,
                });
                self.part(Insn::Mul {
                    op: rem,
                    rd: f,
                    rs1: a,
                    rs2: b,
                });
            }
            11 => {
                // A rotation or a double shift whose second part overwrites its source.
                let back = (32 - shift) & 31;
                let low = if self.random.one_in(2) { a } else { d };
                self.part(imm(AluOp::Sll, e, a, back));
                self.part(imm(AluOp::Srl, low, low, shift));
                let rd = self.random.pick(&[e, low, f]);
                self.part(alu(AluOp::Or, rd, low, e));
            }
            12 => {
                // 64-bit addition or subtraction.
                let (low, carry) = if self.random.one_in(2) {
                    (AluOp::Add, (d, a))
                } else {
                    (AluOp::Sub, (a, b))
                };
                let first = alu(low, d, a, b);
                let second = alu(AluOp::Sltu, e, carry.0, carry.1);
                let order = low == AluOp::Add || self.random.one_in(2);
                self.part(if order { first } else { second });
                self.part(if order { second } else { first });
                self.part(alu(low, f, c, f));
                self.part(alu(low, f, f, e));
            }
            13 => {
                let op = self.random.pick(&[AluOp::And, AluOp::Or, AluOp::Xor]);
                self.part(imm(AluOp::Xor, d, a, -1));
                self.part(alu(op, e, b, d));
            }
            14 => {
                let op = self.random.pick(&[AluOp::Sub, AluOp::Xor, AluOp::And]);
                self.part(alu(op, d, a, b));
                if self.random.one_in(2) {
                    self.part(imm(AluOp::Sltu, e, d, 1));
                } else {
                    self.part(alu(AluOp::Sltu, e, Reg::ZERO, d));
                }
                if self.random.one_in(2) {
                    self.part(alu(AluOp::Sub, f, Reg::ZERO, e));
                }
            }
            15 => {
                // A branch over one move.
                let cond = self.random.pick(&Cond::ALL);
                self.part(Insn::Branch {
                    cond,
                    rs1: a,
                    rs2: b,
                    offset: 8,
                });
                let value = self.imm();
                let moved = self.random.pick(&[(c, 0), (Reg::ZERO, value)]);
                self.push(imm(AluOp::Add, d, moved.0, moved.1));
            }
            16 => {
                // A division by a constant, which may be overwritten before.
                let divisor = self.random.pick(&[1, 2, 3, 7, 10, 26, 641, 2047, -1, -2]);
                let op = self
                    .random
                    .pick(&[MulOp::Divu, MulOp::Remu, MulOp::Div, MulOp::Rem]);
                self.push(imm(AluOp::Add, d, Reg::ZERO, divisor));
                if self.random.one_in(2) {
                    self.push(Insn::Branch {
                        cond: on_zero,
                        rs1: a,
                        rs2: b,
                        offset: 8,
                    });
                    self.simple();
                }
                self.push(Insn::Mul {
                    op,
                    rd: e,
                    rs1: c,
                    rs2: d,
                });
            }
            _ => {
                self.part(Insn::Mul {
                    op: MulOp::Mul,
                    rd: d,
                    rs1: a,
                    rs2: b,
                });
                self.part(alu(AluOp::Add, e, d, c));
            }
        }
    }
}

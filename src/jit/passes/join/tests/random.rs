//! Random blocks, in which the parts of several things that are joined are interleaved.

use super::{
    A, AWAY, B, BACK, C, Can, ON, T, U, alu, branch_if, check, dead, imm, li, load, mul, store,
};
use crate::jit::ir::op::{Op, Operand};
use crate::rv32::{AluOp, BitOp, Cond, MulOp, Reg, UnaryOp};

/// A linear congruential generator (Knuth's MMIX), of which the upper bits are used.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        let state = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = state.wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(n)).unwrap_or(0)
    }

    fn reg(&mut self) -> Reg {
        [A, B, C, T, U][self.below(5) as usize]
    }

    fn other(&mut self, than: Reg) -> Reg {
        loop {
            let reg = self.reg();
            if reg != than {
                return reg;
            }
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(u32::try_from(from.len()).unwrap_or(1)) as usize]
    }

    fn any(&mut self) -> Op {
        use AluOp::{Add, And, Or, Sll, Sra, Srl, Sub, Xor};
        let (rd, a, b) = (self.reg(), self.reg(), self.reg());
        let amount = 1 + self.below(31);
        match self.below(27) {
            0..=5 => alu(
                self.pick(&[Add, Sub, And, Or, Xor, Sll, Srl, Sra]),
                rd,
                a,
                b,
            ),
            6..=8 => imm(self.pick(&[Sll, Srl, Sra]), rd, a, amount),
            9 | 10 => imm(self.pick(&[Add, Or, Xor]), rd, a, amount << self.below(28)),
            11 => imm(And, rd, a, self.pick(&[1, 4, 7, 255, 6])),
            12 => li(rd, self.pick(&[0, 1, 5, 32, u32::MAX])),
            13 => Op::Copy {
                rd,
                rs: self.other(rd),
            },
            14 | 15 => Op::SetIf {
                cond: self.pick(&Cond::ALL),
                rd,
                a,
                b: self.pick(&[Operand::Reg(b), Operand::Imm(0), Operand::Imm(1)]),
            },
            16..=18 => mul(self.pick(&MulOp::ALL), rd, a, b),
            19 | 20 => load(rd, a),
            21 => store(b, a),
            22 => branch_if(self.pick(&Cond::ALL), a, self.pick(&[AWAY, ON, BACK])),
            23 => Op::Select {
                cond: self.pick(&Cond::ALL),
                a,
                b: Operand::Reg(b),
                rd,
                rs: self.pick(&[Operand::Reg(b), Operand::Imm(7)]),
                other: self.pick(&[rd, a, Reg::ZERO]),
            },
            24 => Op::Bits {
                op: self.pick(&[BitOp::Andn, BitOp::Rol, BitOp::Bset, BitOp::Pack]),
                rd,
                a,
                b,
            },
            25 => Op::Unary {
                op: self.pick(&[UnaryOp::Clz, UnaryOp::Rev8]),
                rd,
                rs: a,
            },
            _ => alu(Sub, rd, Reg::ZERO, b),
        }
    }

    /// The parts of something that is joined, in registers that may or may not allow it.
    fn parts(&mut self) -> Vec<Op> {
        use AluOp::{Add, And, Or, Sll, Srl, Sub, Xor};
        let (a, b, c, t) = (self.reg(), self.reg(), self.reg(), self.reg());
        let (u, d) = (self.reg(), self.reg());
        let by = 1 + self.below(31);
        match self.below(8) {
            0 => vec![
                imm(Sll, t, a, by),
                imm(Srl, u, a, 32 - by),
                alu(Or, d, t, u),
            ],
            1 => vec![
                imm(Sll, t, a, by),
                imm(Srl, u, b, 32 - by),
                alu(Or, d, u, t),
            ],
            2 => {
                let high = self.pick(&[MulOp::Mulh, MulOp::Mulhu, MulOp::Mulhsu]);
                vec![mul(MulOp::Mul, t, a, b), mul(high, u, a, b)]
            }
            3 => vec![mul(MulOp::Divu, t, a, b), mul(MulOp::Remu, u, a, b)],
            4 => vec![imm(Sll, t, a, 2), alu(Add, u, t, b), load(d, u)],
            5 => {
                let less = |rd, a, b| Op::SetIf {
                    cond: Cond::Ltu,
                    rd,
                    a,
                    b: Operand::Reg(b),
                };
                let other = self.pick(&[a, b]);
                let low = self.pick(&[
                    [alu(Add, t, a, b), less(u, t, other)],
                    [alu(Sub, t, a, b), less(u, other, t)],
                ]);
                vec![low[0], low[1], alu(Add, c, c, d), alu(Add, c, c, u)]
            }
            6 => {
                let set = Op::SetIf {
                    cond: self.pick(&Cond::ALL),
                    rd: t,
                    a,
                    b: Operand::Reg(b),
                };
                let first = self.pick(&[
                    set,
                    imm(And, t, a, 4),
                    alu(And, t, a, b),
                    alu(Sub, t, a, b),
                    imm(Sll, t, a, by),
                    imm(Srl, t, a, by),
                    imm(Xor, t, a, 5),
                ]);
                let second = Op::SetIf {
                    cond: self.pick(&[Cond::Eq, Cond::Ne]),
                    rd: u,
                    a: t,
                    b: Operand::Imm(0),
                };
                let third = Op::Select {
                    cond: self.pick(&[Cond::Eq, Cond::Ne]),
                    a: t,
                    b: Operand::Imm(0),
                    rd: u,
                    rs: Operand::Reg(c),
                    other: self.pick(&[u, a, Reg::ZERO]),
                };
                let go = branch_if(self.pick(&Cond::ALL), t, self.pick(&[AWAY, ON, BACK]));
                vec![first, self.pick(&[second, third, go])]
            }
            _ => vec![
                imm(Xor, t, a, u32::MAX),
                alu(self.pick(&[And, Or, Xor]), d, b, t),
            ],
        }
    }

    /// A block in which several things are interleaved.
    fn block(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        let mut waiting: Vec<Op> = Vec::new();
        for _ in 0..4 + self.below(14) {
            if waiting.is_empty() || self.below(6) == 0 {
                let parts = self.parts();
                waiting.splice(0..0, parts);
            }
            if self.below(2) == 0 {
                ops.push(waiting.remove(0));
            } else {
                ops.push(self.any());
            }
        }
        ops
    }
}

#[test]
fn random_blocks_show_the_same() {
    let mut random = Random(1);
    for n in 0..60_000 {
        let block = random.block();
        for can in [Can(true), Can(false)] {
            let next = dead(random.pick(&[AWAY, ON]));
            if let Err(what) = check(&block, can, next) {
                panic!("block {n}: {what}\nof {block:#?}");
            }
        }
    }
}

//! How control goes in whole programs: calls, returns, and the ends of blocks.

use super::layout::Area;
use super::program::{Item, Label, add};
use super::writer::{Plan, Writer, lw};
use rvjit::rv32::{AluOp, Cond, Insn, Reg};

/// Whether `jal` reaches from one area to the other, perhaps over the end of the address space.
fn near(from: Area, to: Area) -> bool {
    let far = to.start.wrapping_sub(from.start).cast_signed();
    far.unsigned_abs() < 0xe_0000
}

impl Writer<'_> {
    /// A return, or a call of a function that returns there.
    pub(super) fn finish(&mut self, n: usize) {
        let link = self.here.link;
        let next = self.plans.get(n + 1).copied();
        match next {
            Some(next) if next.link == link && self.random.one_in(4) => {
                if near(self.here.area, next.area) {
                    self.items.push(Item::Jump {
                        rd: Reg::ZERO,
                        to: next.label,
                    });
                } else {
                    let via = self.free(&[]);
                    self.items.push(Item::Far {
                        rd: Reg::ZERO,
                        via,
                        to: next.label,
                    });
                }
            }
            _ => self.push(Insn::Jalr {
                rd: Reg::ZERO,
                rs1: link,
                offset: 0,
            }),
        }
    }

    pub(super) fn call(&mut self, callee: Plan) {
        let (rd, to) = (callee.link, callee.label);
        let via = self.free(&[rd]);
        match self.random.below(4) {
            0 | 1 if near(self.here.area, callee.area) => self.items.push(Item::Jump { rd, to }),
            0 | 1 => {
                let via = if self.random.one_in(2) { rd } else { via };
                self.items.push(Item::Far { rd, via, to });
            }
            2 => {
                self.items.push(Item::Address { rd: via, of: to });
                let count = self.random.below(2);
                self.chunk_but(count, via);
                self.push(Insn::Jalr {
                    rd,
                    rs1: via,
                    offset: 0,
                });
            }
            _ => {
                let table = self.label();
                self.pool.extend([Item::Label(table), Item::Place(to)]);
                self.items.push(Item::Address { rd: via, of: table });
                self.push(lw(via, via, 0));
                let offset = self.random.below(2).cast_signed();
                self.push(Insn::Jalr {
                    rd,
                    rs1: via,
                    offset,
                });
            }
        }
    }

    /// How a block goes on: to any other, also back.
    pub(super) fn leave_block(&mut self, at: usize, blocks: &[Label]) {
        let ahead: Vec<Label> = blocks[at + 1..].iter().copied().chain([self.end]).collect();
        let forward = self.random.pick(&ahead);
        let back = self.random.pick(&blocks[..=at]);
        let any = if self.random.one_in(2) { forward } else { back };
        let (rs1, rs2) = (self.free(&[]), Reg::from_field(self.random.below(32)));
        let rs2 = if self.random.one_in(3) {
            Reg::ZERO
        } else {
            rs2
        };
        let cond = self.random.pick(&Cond::ALL);
        match self.random.below(11) {
            0 | 1 => {}
            2 => self.items.push(Item::Branch {
                cond,
                rs1,
                rs2,
                to: forward,
            }),
            3 | 4 => {
                self.charge();
                self.items.push(Item::Branch {
                    cond,
                    rs1,
                    rs2,
                    to: back,
                });
            }
            5 | 6 => {
                // The fuel is the counter.
                self.push(add(self.fuel, self.fuel, -1));
                self.items.push(Item::Branch {
                    cond: Cond::Lt,
                    rs1: Reg::ZERO,
                    rs2: self.fuel,
                    to: back,
                });
            }
            7 => {
                // A counter that the loop may change.
                self.charge();
                self.push(add(rs1, rs1, -1));
                self.items.push(Item::Branch {
                    cond: Cond::Ne,
                    rs1,
                    rs2: Reg::ZERO,
                    to: back,
                });
            }
            8 => self.items.push(Item::Jump {
                rd: Reg::ZERO,
                to: forward,
            }),
            9 => {
                self.charge();
                let to = self.free(&[]);
                self.items.push(Item::Address { rd: to, of: any });
                self.chunk_but(1, to);
                self.push(Insn::Jalr {
                    rd: Reg::ZERO,
                    rs1: to,
                    offset: 0,
                });
            }
            _ => self.switch(rs1, blocks),
        }
    }

    /// A jump by a table of 2, 4 or 8 places.
    pub(super) fn switch(&mut self, index: Reg, blocks: &[Label]) {
        self.charge();
        let table = self.label();
        let places = 1 << (1 + self.random.below(3));
        self.pool.push(Item::Label(table));
        for _ in 0..places {
            let end = self.random.one_in(4);
            let to = if end {
                self.end
            } else {
                self.random.pick(blocks)
            };
            self.pool.push(Item::Place(to));
        }
        let offset = self.free(&[]);
        let base = self.free(&[offset]);
        let imm = |op, rs1, imm| Insn::AluImm {
            op,
            rd: offset,
            rs1,
            imm,
        };
        self.push(imm(AluOp::And, index, places - 1));
        self.push(imm(AluOp::Sll, offset, 2));
        self.items.push(Item::Address {
            rd: base,
            of: table,
        });
        self.push(Insn::Alu {
            op: AluOp::Add,
            rd: base,
            rs1: base,
            rs2: offset,
        });
        self.push(lw(base, base, 0));
        self.push(Insn::Jalr {
            rd: Reg::ZERO,
            rs1: base,
            offset: 0,
        });
    }
}

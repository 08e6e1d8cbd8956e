//! What is rare in whole programs: they write and read their own code, and meet what an environment has to deal with.

use super::program::{Action, Item};
use super::writer::{Writer, lw, sw};
use crate::generate::{DATA, DATA_LEN, EDGES};
use rvjit::rv32::{AluOp, CsrOp, CsrSource, Insn, Reg, StoreOp};

const FENCE_I: Insn = Insn::FenceI {
    rd: Reg::ZERO,
    rs1: Reg::ZERO,
    bits: 0,
};

impl Writer<'_> {
    /// Writes an instruction, all of it or a byte, and executes `fence.i`, mostly.
    pub(super) fn patch(&mut self) {
        let slot = if self.here.area.writable && (self.slots.is_empty() || self.random.one_in(2)) {
            let slot = self.label();
            self.pending.push(slot);
            slot
        } else {
            let slots = std::mem::take(&mut self.slots);
            let slot = self.random.pick(&slots);
            self.slots = slots;
            slot
        };
        let place = self.free(&[]);
        let word = self.free(&[place]);
        self.items.push(Item::Address {
            rd: place,
            of: slot,
        });
        match self.random.below(7) {
            0 => {
                self.push(lw(word, place, 0));
                self.push(sw(word, place, 0));
            }
            6 => {
                // Halves of two instructions: another rd of the second, and at times another operand of the first.
                let bits = self.free(&[place, word]);
                let value = 1 << 23 | self.random.pick(&[0, 0, 1 << 4]);
                self.items.push(Item::Constant { rd: bits, value });
                self.push(lw(word, place, -2));
                self.push(Insn::Alu {
                    op: AluOp::Xor,
                    rd: word,
                    rs1: word,
                    rs2: bits,
                });
                self.push(sw(word, place, -2));
            }
            1 => {
                // The upper bits of an immediate.
                let src = Reg::from_field(self.random.below(32));
                self.push(Insn::Store {
                    op: StoreOp::Sb,
                    rs1: place,
                    rs2: src,
                    offset: 3,
                });
            }
            _ => {
                let of = Box::new(Item::Insn(self.simple()));
                self.items.push(Item::Encoding {
                    rd: word,
                    of,
                    at: slot,
                });
                self.push(sw(word, place, 0));
            }
        }
        if self.random.one_in(5) {
            return;
        }
        if self.random.one_in(2) {
            let insn = self.simple();
            self.push(insn);
        }
        self.push(FENCE_I);
    }

    /// Reads code and data beside it, and writes such data.
    pub(super) fn own_code(&mut self) {
        let (place, value) = (self.free(&[]), self.free(&[]));
        let to = self.label();
        match self.random.below(4) {
            0 => {
                // A return address is an address.
                let link = self.here.link;
                let rd = if self.random.one_in(2) || link != Reg::RA {
                    place
                } else {
                    value
                };
                self.items.push(Item::Jump { rd, to });
                self.items.push(Item::Label(to));
                let offset = 4 * self.random.below(4).cast_signed();
                self.push(lw(value, rd, offset));
            }
            1 => {
                self.items.extend([
                    Item::Label(to),
                    Item::Address { rd: place, of: to },
                    Item::Insn(lw(value, place, 4 * self.random.below(8).cast_signed())),
                ]);
            }
            _ => {
                let word = self.random.next() as u32;
                self.pool.extend([Item::Label(to), Item::Word(word)]);
                self.items.push(Item::Address { rd: place, of: to });
                self.push(lw(value, place, 0));
                let insn = self.simple();
                self.push(insn);
                if self.here.area.writable {
                    self.push(sw(value, place, 0));
                }
            }
        }
    }

    pub(super) fn rare(&mut self) {
        let rd = self.free(&[]);
        let rs1 = Reg::from_field(self.random.below(32));
        match self.random.below(12) {
            0..=4 => self.push(Insn::Ecall),
            5 => self.push(Insn::Ebreak),
            6 => self.push(Insn::Fence {
                rd: Reg::ZERO,
                rs1: Reg::ZERO,
                bits: 0xff,
            }),
            7 => self.push(FENCE_I),
            8 => self.items.push(Item::Word(self.random.next() as u32 & !3)),
            9 if self.csrs => {
                let op = self.random.pick(&[CsrOp::Write, CsrOp::Set, CsrOp::Clear]);
                let source = if self.random.one_in(2) {
                    CsrSource::Reg(rs1)
                } else {
                    CsrSource::Imm(self.random.below(32) as u8)
                };
                // mscratch, mtvec, mepc, misa, and one that cannot be written
                let csr = self
                    .random
                    .pick(&[0x340, 0x340, 0x305, 0x341, 0x301, 0xf14]);
                self.push(Insn::Csr {
                    op,
                    rd,
                    source,
                    csr,
                });
            }
            _ => {
                let csr = self
                    .random
                    .pick(&[0xc00, 0xc01, 0xc02, 0xc80, 0xc81, 0xc82]);
                let then = self.random.below(2000).cast_signed();
                self.items.push(Item::Counter { rd, csr, then });
            }
        }
    }

    pub(super) fn actions(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            let reg = self.free(&[]);
            let value = self.random.pick(&EDGES);
            let data = DATA + 4 * self.random.below(DATA_LEN / 4);
            actions.push(match self.random.below(7) {
                0 => Action::Nothing,
                1 | 2 => Action::Set(reg, value),
                3 => Action::Write(data, value),
                4 | 5 if !self.slots.is_empty() => {
                    let slot = self.slots[self.random.below(self.slots.len() as u32) as usize];
                    let item = Item::Insn(self.simple());
                    if self.random.one_in(2) {
                        Action::Patch(slot, item)
                    } else {
                        Action::Reload(slot, item)
                    }
                }
                _ => Action::Renew(data & !0xfff),
            });
        }
        actions
    }
}

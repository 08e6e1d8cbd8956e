//! Runs of memory accesses that may be joined: neighbouring words off one base, and bases that move.

use crate::generate::{Generator, POINTERS};
use rvjit::rv32::{AluOp, Insn, LoadOp, Reg, StoreOp};

impl Generator<'_> {
    fn moving_base(&mut self) -> Reg {
        if self.random.one_in(3) {
            self.stack
        } else {
            self.random.pick(&POINTERS)
        }
    }

    fn word(&mut self, store: bool, base: Reg, offset: i32) {
        if store {
            let src = self.any();
            self.push(Insn::Store {
                op: StoreOp::Sw,
                rs1: base,
                rs2: src,
                offset,
            });
        } else {
            let rd = self.destination();
            self.push(Insn::Load {
                op: LoadOp::Lw,
                rd,
                rs1: base,
                offset,
            });
        }
    }

    /// What prologues, epilogues and copies of structures do: words off one base, up or down, and other work between.
    pub(crate) fn neighbours(&mut self) {
        let base = self.moving_base();
        let stores = self.random.one_in(2);
        let step = self.random.pick(&[4, 4, -4, -4, 8, 2]);
        let mut offset = self.random.pick(&[0, -8, 4, 12, 28, 1, -256, 252, 248]);
        if base == self.stack && offset % 4 != 0 {
            offset = 8;
        }
        if self.random.one_in(3) {
            self.step(base);
        }
        for _ in 0..2 + self.random.below(5) {
            let store = stores != self.random.one_in(8);
            self.word(store, base, offset);
            offset += step;
            if self.random.one_in(4) {
                self.simple();
            }
        }
        if self.random.one_in(3) {
            self.step(base);
        }
    }

    /// base += a constant.
    fn step(&mut self, base: Reg) -> i32 {
        let by = if base == self.stack {
            self.random.pick(&[16, -16, 32, -32, 256, -256])
        } else {
            self.random
                .pick(&[1, 2, 4, 8, -1, -4, -8, 16, -16, 252, 255, 256, -256, 300])
        };
        self.push(Insn::AluImm {
            op: AluOp::Add,
            rd: base,
            rs1: base,
            imm: by,
        });
        by
    }

    /// What loops over arrays do: accesses through pointers that move before, between and behind them.
    pub(crate) fn steps(&mut self) {
        let (first, second) = (self.moving_base(), self.moving_base());
        let mut by = 0;
        for _ in 0..2 + self.random.below(6) {
            let base = if self.random.one_in(3) { second } else { first };
            if self.random.one_in(3) {
                by = self.step(base);
                continue;
            }
            let offset = self.random.pick(&[0, 0, by, -by, 4, -4]);
            if self.random.one_in(2) {
                let (op, src) = (self.random.pick(&StoreOp::ALL), self.any());
                self.push(Insn::Store {
                    op,
                    rs1: base,
                    rs2: src,
                    offset,
                });
            } else {
                let (op, rd) = (self.random.pick(&LoadOp::ALL), self.destination());
                self.push(Insn::Load {
                    op,
                    rd,
                    rs1: base,
                    offset,
                });
            }
            if self.random.one_in(5) {
                self.simple();
            }
        }
    }
}

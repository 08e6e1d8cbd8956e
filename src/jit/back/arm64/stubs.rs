//! The way into the code and out of it.

use super::regs::{ARENA, BASE, LINK, SCRATCH};
use super::{Arm64, state_offset, state_x};
use crate::asm::a64::{Assembler, PairOff, SP, X};
use crate::jit::back::backend::{CodeOffset, Stubs};
use crate::jit::ir::state::offset;

/// Callee-saved registers of the AAPCS64 in pairs, as they stand on the stack from sp up.
const SAVED: [(X, X); 6] = [
    (X(29), X(30)),
    (X(19), X(20)),
    (X(21), X(22)),
    (X(23), X(24)),
    (X(25), X(26)),
    (X(27), X(28)),
];
const FRAME: i32 = 96;

const fn pair(bytes: i32) -> PairOff<X> {
    match PairOff::new(bytes) {
        Some(offset) => offset,
        None => panic!("the frame is larger than a pair's offset reaches"),
    }
}

impl Arm64 {
    /// `enter(x0 = host pc, x1 = arena)`, and behind it the way out: `exit`, reached by `bl`, and `leave`.
    pub(super) fn emit_stubs(&mut self) -> Stubs {
        self.asm.clear();
        let homes = self.homes;
        let a = &mut self.asm;
        let enter = place(a);
        a.stp_pre(SAVED[0].0, SAVED[0].1, SP, pair(-FRAME));
        for (n, (first, second)) in (1..).zip(&SAVED[1..]) {
            a.stp(*first, *second, SP, pair(16 * n));
        }
        a.mov(ARENA, X(1));
        a.mov(SCRATCH, X(0));
        // Where no base is needed, this is a home, loaded below.
        a.ldur(BASE, ARENA, state_offset(offset::BASE));
        for (reg, w) in homes.in_host() {
            a.ldur(w, ARENA, state_x(reg));
        }
        a.br(SCRATCH);

        self.exit = place(a);
        a.stur(LINK, ARENA, state_offset(offset::EXIT_AT));
        let leave = place(a);
        for (reg, w) in homes.in_host() {
            a.stur(w, ARENA, state_x(reg));
        }
        for (n, (first, second)) in (1..).zip(&SAVED[1..]) {
            a.ldp(*first, *second, SP, pair(16 * n));
        }
        a.ldp_post(SAVED[0].0, SAVED[0].1, SP, pair(FRAME));
        a.ret();

        Stubs {
            code: bytes(a.words()),
            enter,
            leave,
            // An empty slot is 0: the fault of having jumped there tells more.
            missed: None,
        }
    }
}

fn place(asm: &Assembler) -> CodeOffset {
    CodeOffset(u32::try_from(asm.here() * 4).unwrap_or(0))
}

/// Words as they stand in memory.
pub(super) fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

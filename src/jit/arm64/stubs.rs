//! The way into the code and out of it.

use super::regs::{ARENA, BASE, INDEX, LINK, SCRATCH};
use super::{Arm64, UNREACHABLE, displacement, state_offset, state_x};
use crate::asm::a64::{Amount, Assembler, PairOff, SP, X};
use crate::jit::arena::{EXIT_MISSED, offset};
use crate::jit::backend::{CodeOffset, Stubs};

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

        // The index, `ror pc, 2`, is in its scratch register.
        let missed = place(a);
        a.ror_imm(INDEX.w(), INDEX.w(), Amount::wrapping(30));
        a.stur(INDEX, ARENA, state_offset(offset::MISSED));
        a.mov_u64(SCRATCH, EXIT_MISSED.into());
        a.stur(SCRATCH, ARENA, state_offset(offset::EXIT_AT));
        let to_leave = displacement(place(a), leave);
        a.emit(Assembler::b_word(to_leave).unwrap_or(UNREACHABLE));
        Stubs {
            code: bytes(a.words()),
            enter,
            leave,
            missed,
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

//! The way into the code and out of it.

use super::regs::{A, STATE};
use super::{X86_64, displacement, state, state_x};
use crate::asm::x64::{Assembler, Mem, Reg};
use crate::jit::back::backend::{CodeOffset, Stubs};
use crate::jit::ir::state::{EXIT_MISSED, offset};

/// `exit_at` is where a call pushes, and the rest of the state in the 128 bytes that signal handlers leave alone.
const _: () = assert!(
    offset::EXIT_AT + 8 == offset::X && offset::X - offset::HOST_STACK <= 128,
    "the state is not laid out for a stack pointer"
);

/// Callee-saved registers of the System V ABI.
const SAVED: [Reg; 6] = [Reg::Rbx, Reg::Rbp, Reg::R12, Reg::R13, Reg::R14, Reg::R15];

impl X86_64 {
    /// `enter(rdi = host pc, rsi = arena)`, and behind it the way out: `exit`, reached by a call, and `leave`.
    pub(super) fn emit_stubs(&mut self) -> Stubs {
        self.asm.clear();
        let homes = self.homes;
        let a = &mut self.asm;
        let enter = place(a);
        for reg in SAVED {
            a.push(reg);
        }
        a.mov64_mr(Mem::base(Reg::Rsi).disp(offset::HOST_STACK), STATE);
        a.lea64(STATE, Mem::base(Reg::Rsi).disp(offset::X));
        a.mov64(A, Reg::Rdi);
        for (guest, host) in homes.in_host() {
            a.mov32(host, state_x(guest));
        }
        a.jmp_m(A);

        self.exit = place(a);
        // The call pushed its return address to the state's `exit_at`.
        a.pop(A);
        let leave = place(a);
        for (guest, host) in homes.in_host() {
            a.mov32_mr(state_x(guest), host);
        }
        a.mov64(STATE, state(offset::HOST_STACK));
        for reg in SAVED.into_iter().rev() {
            a.pop(reg);
        }
        a.ret();

        // The index is in its scratch register.
        let missed = place(a);
        a.mov64_mr(state(offset::MISSED), A);
        a.mov64_mi32(state(offset::EXIT_AT), EXIT_MISSED.into());
        let from = place(a);
        a.jmp_rel32(displacement(from, leave, 5));
        Stubs {
            code: a.code().to_vec(),
            enter,
            leave,
            missed: Some(missed),
        }
    }
}

fn place(asm: &Assembler) -> CodeOffset {
    CodeOffset(u32::try_from(asm.offset()).unwrap_or(0))
}

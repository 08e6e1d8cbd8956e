//! The one place where Rust calls emitted code.
#![expect(unsafe_code, reason = "emitted code is called through a pointer")]

use crate::jit::code::jump_table::Arena;
use crate::memory::Placement;
use crate::sys::signal::{FaultGuard, HostRegisters, Running};
use crate::sys::{icache, segment};
use std::io;
use std::thread::{self, ThreadId};

/// What is called, on the thread that runs emitted code, when something interrupts it there. Both may do anything to the
/// engine, which is waiting for the code.
#[derive(Debug, Clone, Copy)]
pub(in crate::jit) struct Hooks {
    /// Called when the thread is kicked.
    pub on_kick: fn(*mut ()),
    /// Called with host pc and registers when a sample is to be taken.
    pub on_sample: fn(*mut (), usize, &HostRegisters),
    /// The first argument of both.
    pub context: *mut (),
}

/// Which thread may fetch the code: the one that was here last, which has published all of it since, or has fetched
/// anew when it came.
#[derive(Debug, Default)]
pub(in crate::jit) struct Fetcher(Option<ThreadId>);

impl Fetcher {
    /// This thread is about to enter code: where another was here before, it fetches anew. True if so.
    pub(in crate::jit) fn arrive(&mut self) -> bool {
        let here = Some(thread::current().id());
        let moved = self.0 != here;
        if moved {
            icache::synchronize();
            self.0 = here;
        }
        moved
    }

    /// Whether this thread is the one that may.
    pub(in crate::jit) fn is_here(&self) -> bool {
        self.0 == Some(thread::current().id())
    }
}

/// Whether the system lets threads have what [`prepare`] gives them.
///
/// # Errors
/// The system's.
pub(in crate::jit) fn check(placement: Placement) -> io::Result<()> {
    match placement {
        Placement::Window => segment::check(),
        Placement::Identity | Placement::Paged => Ok(()),
    }
}

/// What emitted code of this placement needs of the thread that runs it.
///
/// # Errors
/// The system's, where it refuses that.
pub(in crate::jit) fn prepare(placement: Placement, base: u64) -> io::Result<()> {
    match placement {
        Placement::Window => segment::set_window_base(base),
        Placement::Identity | Placement::Paged => Ok(()),
    }
}

/// Runs emitted code from `host` until it leaves, with the registers of the arena's state, on a thread that
/// [`prepare`] was called on and that holds a [`SignalStack`](crate::sys::signal_stack::SignalStack).
///
/// Nobody outside can have it jump anywhere:
///
/// ```compile_fail,E0603
/// let run = rvjit::jit::run::enter::run;
/// ```
///
/// `enter` and `leave` are the host addresses of the stubs of the same name; `code` is the range of the code buffer.
///
/// # Safety
/// The stubs and `host` are places in published code that was emitted for this arena, this placement and the memory that
/// the arena's state names, which is there until this returns. The hooks take `context` for what it is.
pub(in crate::jit) unsafe fn run(
    hooks: Hooks,
    arena: &mut Arena,
    guard: FaultGuard,
    code: std::ops::Range<usize>,
    (enter, leave): (usize, usize),
    host: usize,
) {
    let base = arena.base();
    let state = arena.state();
    let running = Running {
        code_start: code.start,
        code_end: code.end,
        leave,
        exit_at: &raw mut state.exit_at,
        fault_address: &raw mut state.fault_address,
        missed: &raw mut state.missed,
        on_kick: hooks.on_kick,
        on_sample: hooks.on_sample,
        context: hooks.context,
    };
    // SAFETY: the stub at this address was emitted with this signature, is published and executable, and keeps the
    // callee-saved registers of the C convention.
    let enter: extern "C" fn(usize, *mut u8) = unsafe { std::mem::transmute(enter) };
    // SAFETY: the pointers are to the arena's state, which is borrowed here and used by nobody else until the code
    // leaves; of the rest the caller has made sure.
    unsafe { guard.with(&running, || enter(host, base)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_was_not_here_last_fetches_anew() {
        let mut fetcher = Fetcher::default();
        assert!(fetcher.arrive() && !fetcher.arrive());
        let other = thread::scope(|scope| scope.spawn(|| fetcher.arrive()).join());
        assert!(other.unwrap());
        assert!(fetcher.arrive(), "the other may have published code");
    }
}

/// What the C convention lets a caller rely on, seen by a caller that fills all of it.
#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod convention {
    use crate::jit::HostBackend;
    use crate::jit::back::backend::{Backend, Options};
    use crate::jit::code::buffer::CodeBuffer;
    use crate::jit::code::jump_table::Arena;
    use crate::jit::ir::state::JumpTableKind;
    use crate::memory::Placement;
    use crate::rv32::{Isa, Reg};

    /// Callee-saved registers, and the stack pointer behind them.
    #[cfg(target_arch = "x86_64")]
    const SAVED: usize = 6;
    /// x18 to x29 and d8 to d15, and the stack pointer behind them.
    #[cfg(target_arch = "aarch64")]
    const SAVED: usize = 20;

    #[repr(C)]
    struct Registers {
        before: [u64; SAVED + 1],
        after: [u64; SAVED + 1],
    }

    /// `enter(host, base)`, with the registers of `before`; what they and the stack pointer are behind the call goes to
    /// `after`, and what the stack pointer was to the end of `before`.
    #[cfg(target_arch = "x86_64")]
    #[unsafe(naked)]
    extern "C" fn call(enter: usize, host: usize, base: *mut u8, registers: *mut Registers) {
        std::arch::naked_asm!(
            "push rbx",
            "push rbp",
            "push r12",
            "push r13",
            "push r14",
            "push r15",
            "push rcx",
            "mov rax, rdi",
            "mov rdi, rsi",
            "mov rsi, rdx",
            "mov rbx, [rcx]",
            "mov rbp, [rcx + 8]",
            "mov r12, [rcx + 16]",
            "mov r13, [rcx + 24]",
            "mov r14, [rcx + 32]",
            "mov r15, [rcx + 40]",
            "mov [rcx + 48], rsp",
            "call rax",
            "mov rcx, [rsp]",
            "mov [rcx + 56], rbx",
            "mov [rcx + 64], rbp",
            "mov [rcx + 72], r12",
            "mov [rcx + 80], r13",
            "mov [rcx + 88], r14",
            "mov [rcx + 96], r15",
            "mov [rcx + 104], rsp",
            "pop rcx",
            "pop r15",
            "pop r14",
            "pop r13",
            "pop r12",
            "pop rbp",
            "pop rbx",
            "ret",
        )
    }

    /// The same.
    #[cfg(target_arch = "aarch64")]
    #[unsafe(naked)]
    extern "C" fn call(enter: usize, host: usize, base: *mut u8, registers: *mut Registers) {
        std::arch::naked_asm!(
            "sub sp, sp, #192",
            "stp x18, x19, [sp]",
            "stp x20, x21, [sp, #16]",
            "stp x22, x23, [sp, #32]",
            "stp x24, x25, [sp, #48]",
            "stp x26, x27, [sp, #64]",
            "stp x28, x29, [sp, #80]",
            "stp d8, d9, [sp, #96]",
            "stp d10, d11, [sp, #112]",
            "stp d12, d13, [sp, #128]",
            "stp d14, d15, [sp, #144]",
            "stp x30, x3, [sp, #160]",
            "mov x16, x0",
            "mov x0, x1",
            "mov x1, x2",
            "ldp x18, x19, [x3]",
            "ldp x20, x21, [x3, #16]",
            "ldp x22, x23, [x3, #32]",
            "ldp x24, x25, [x3, #48]",
            "ldp x26, x27, [x3, #64]",
            "ldp x28, x29, [x3, #80]",
            "ldp d8, d9, [x3, #96]",
            "ldp d10, d11, [x3, #112]",
            "ldp d12, d13, [x3, #128]",
            "ldp d14, d15, [x3, #144]",
            "mov x17, sp",
            "str x17, [x3, #160]",
            "blr x16",
            "ldr x3, [sp, #168]",
            "add x3, x3, #168",
            "stp x18, x19, [x3]",
            "stp x20, x21, [x3, #16]",
            "stp x22, x23, [x3, #32]",
            "stp x24, x25, [x3, #48]",
            "stp x26, x27, [x3, #64]",
            "stp x28, x29, [x3, #80]",
            "stp d8, d9, [x3, #96]",
            "stp d10, d11, [x3, #112]",
            "stp d12, d13, [x3, #128]",
            "stp d14, d15, [x3, #144]",
            "mov x17, sp",
            "str x17, [x3, #160]",
            "ldp x18, x19, [sp]",
            "ldp x20, x21, [sp, #16]",
            "ldp x22, x23, [sp, #32]",
            "ldp x24, x25, [sp, #48]",
            "ldp x26, x27, [sp, #64]",
            "ldp x28, x29, [sp, #80]",
            "ldp d8, d9, [sp, #96]",
            "ldp d10, d11, [sp, #112]",
            "ldp d12, d13, [sp, #128]",
            "ldp d14, d15, [sp, #144]",
            "ldr x30, [sp, #160]",
            "add sp, sp, #192",
            "ret",
        )
    }

    /// The code that is entered is the way out: between them all homes hold what the guest's registers do.
    #[test]
    fn entering_and_leaving_keeps_what_is_the_callers() {
        for placement in Placement::ALL {
            let mut arena = Arena::new(JumpTableKind::Hashed, Isa::default()).unwrap();
            let mut backend = HostBackend::new(Options {
                placement,
                hashed_jumps: true,
                isa: Isa::default(),
                code_low: 0,
                poison: false,
                host_features: false,
            });
            let stubs = backend.stubs();
            let mut code = CodeBuffer::new(1 << 16, None).unwrap();
            code.edit(&stubs.code, &[]).unwrap();
            let guest: [u32; 32] =
                std::array::from_fn(|n| 0x1357_9bdf_u32.wrapping_mul(u32::try_from(n).unwrap()));
            arena.state().x = guest;
            let filled = |n| 0xabcd_ef01_0000_0000 | n as u64;
            let mut registers = Registers {
                before: std::array::from_fn(filled),
                after: [0; SAVED + 1],
            };
            let enter = code.address(stubs.enter);
            call(
                enter,
                code.address(stubs.leave),
                arena.base(),
                &raw mut registers,
            );
            assert_eq!(registers.before, registers.after, "{placement:?}");
            assert_eq!(registers.before[0], filled(0), "{placement:?}");
            assert_eq!(arena.state().x, guest, "{placement:?}");
            let homes = Reg::all().filter(|reg| backend.host_register(*reg).is_some());
            assert!(homes.count() >= 13, "{placement:?}");
        }
    }
}

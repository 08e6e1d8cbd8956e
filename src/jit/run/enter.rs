//! The one place where Rust calls emitted code.
#![expect(unsafe_code, reason = "emitted code is called through a pointer")]

use crate::jit::code::jump_table::Arena;
use crate::memory::Placement;
use crate::sys::icache;
use crate::sys::signal::{FaultGuard, HostRegisters, Running};
use std::thread::{self, ThreadId};

/// What is called, on the thread that runs emitted code, when something interrupts it there. Both may do anything to the
/// engine, which is waiting for the code.
#[derive(Debug, Clone, Copy)]
pub struct Hooks {
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
}

/// Runs emitted code from `host` until it leaves, with the registers of the arena's state.
///
/// `enter` and `leave` are the host addresses of the stubs of the same name; `code` is the range of the code buffer.
pub fn run(
    hooks: Hooks,
    arena: &mut Arena,
    guard: &FaultGuard,
    placement: Placement,
    code: std::ops::Range<usize>,
    (enter, leave): (usize, usize),
    host: usize,
) {
    let base = arena.base();
    let state = arena.state();
    if placement == Placement::Window {
        crate::sys::segment::set_window_base(state.base);
    }
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
    guard.with(&running, || enter(host, base));
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

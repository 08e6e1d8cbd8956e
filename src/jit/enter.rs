//! The one place where Rust calls emitted code.
#![expect(unsafe_code, reason = "emitted code is called through a pointer")]

use super::arena::Arena;
use crate::memory::Placement;
use crate::sys::signal::{FaultGuard, Running};

/// Runs emitted code from `host` until it leaves, with the registers of the arena's state.
///
/// `on_kick(context)` is called, on this thread, when it is kicked while it executes emitted code.
///
/// `enter` and `leave` are the host addresses of the stubs of the same name; `code` is the range of the code buffer.
pub fn run(
    (on_kick, context): (fn(*mut ()), *mut ()),
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
        on_kick,
        context,
    };
    // SAFETY: the stub at this address was emitted with this signature, is published and executable, and keeps the
    // callee-saved registers of the C convention.
    let enter: extern "C" fn(usize, *mut u8) = unsafe { std::mem::transmute(enter) };
    guard.with(&running, || enter(host, base));
}

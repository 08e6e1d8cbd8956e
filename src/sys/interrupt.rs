//! Ctrl-C: asks the run to stop, and kicks it until it does.
//!
//! The handler sets a flag and starts a timer; each tick kicks the thread that asked for this. A second Ctrl-C ends the
//! process as it would without us.
#![expect(
    unsafe_code,
    reason = "signal handlers are installed through C interfaces"
)]

use super::signal::{self, Thread};
use std::io;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

static STOP: AtomicPtr<AtomicBool> = AtomicPtr::new(ptr::null_mut());
static RUNNER: AtomicPtr<Thread> = AtomicPtr::new(ptr::null_mut());

/// Microseconds between two kicks.
const TICK: u16 = 5000;

/// From now on, Ctrl-C (SIGINT) and SIGTERM set `stop` and kick the thread that called this, and nothing that an earlier
/// call named.
///
/// # Errors
/// The system's.
pub fn stop_on_interrupt(stop: &Arc<AtomicBool>) -> io::Result<()> {
    // Both live as long as the process may be interrupted, which is to its end.
    let runner = Box::into_raw(Box::new(Thread::current()));
    RUNNER.store(runner, Ordering::SeqCst);
    let flag = Arc::into_raw(Arc::clone(stop)).cast_mut();
    STOP.store(flag, Ordering::SeqCst);
    for (signal, flags) in [
        (libc::SIGINT, libc::SA_RESETHAND),
        (libc::SIGTERM, libc::SA_RESETHAND),
        (libc::SIGALRM, 0),
    ] {
        // Whoever started us ignoring a signal wants it ignored, as nohup does.
        if signal != libc::SIGALRM && is_ignored(signal)? {
            continue;
        }
        // SAFETY: all-zero bytes are a valid sigaction.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_interrupt as *const () as usize;
        action.sa_flags = flags | libc::SA_SIGINFO;
        // One at a time: nested handlers would find each other interrupted, not the code.
        // SAFETY: fills a set that is ours.
        unsafe { libc::sigfillset(&raw mut action.sa_mask) };
        // SAFETY: the action is complete, and its handler async-signal-safe.
        if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn is_ignored(signal: libc::c_int) -> io::Result<bool> {
    // SAFETY: all-zero bytes are a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only fills the action.
    if unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(action.sa_sigaction == libc::SIG_IGN)
}

/// From now on a write beyond the limit of file sizes is an error, which the guest gets or a message names; by default it
/// ends the process.
pub fn survive_file_limit() {
    // SAFETY: to ignore a signal is always allowed, and nobody else handles this one.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

extern "C" fn on_interrupt(
    signal: libc::c_int,
    _info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let stop = STOP.load(Ordering::SeqCst);
    // SAFETY: null, or from Arc::into_raw and never released.
    if let Some(stop) = unsafe { stop.as_ref() } {
        stop.store(true, Ordering::SeqCst);
    }
    if signal != libc::SIGALRM {
        let tick = libc::timeval {
            tv_sec: 0,
            tv_usec: TICK.into(),
        };
        let timer = libc::itimerval {
            it_interval: tick,
            it_value: tick,
        };
        // SAFETY: setitimer only reads the timer.
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) };
    }
    // SAFETY: null, or from Box::into_raw and never released.
    match unsafe { RUNNER.load(Ordering::SeqCst).as_ref() } {
        // SAFETY: the kernel gave this context.
        Some(runner) if runner.is_current() => unsafe { signal::kicked(context) },
        Some(runner) => runner.kick(),
        None => {}
    }
}

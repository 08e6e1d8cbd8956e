//! A timer of processor time, for profiles: each tick interrupts the thread that is running guest code.
//!
//! What a tick does depends on what it interrupts. In emitted code, which holds no locks and is in the middle of
//! nothing, the sample is taken at once (`Running::on_sample` of `sys::signal`). Elsewhere it is only noted,
//! and [`take_pending`] tells whoever runs the guest, who is soon at a place where its state is whole.
#![expect(
    unsafe_code,
    reason = "timers and signal handlers are set through C interfaces"
)]

use super::signal;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static PENDING: AtomicBool = AtomicBool::new(false);
static IN_USE: AtomicBool = AtomicBool::new(false);

/// The running timer; dropped, it stops and the signal's former action is restored.
pub struct Timer {
    previous: libc::sigaction,
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

impl Timer {
    /// Starts the process's one timer of this kind. The kernel may round the interval up to a multiple of its own tick.
    ///
    /// # Errors
    /// The system's; `ResourceBusy` while there is another.
    pub fn start(interval: Duration) -> io::Result<Timer> {
        if IN_USE.swap(true, Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::ResourceBusy));
        }
        PENDING.store(false, Ordering::SeqCst);
        let result = install().and_then(|timer| set(interval).map(|()| timer));
        if result.is_err() {
            IN_USE.store(false, Ordering::SeqCst);
        }
        result
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // A tick may still be on its way when the timer has stopped; it must not meet the default action.
        let _ = set(Duration::ZERO);
        if self.previous.sa_sigaction == libc::SIG_DFL {
            self.previous.sa_sigaction = libc::SIG_IGN;
        }
        // SAFETY: restores what sigaction gave, or ignores the signal.
        unsafe { libc::sigaction(libc::SIGPROF, &raw const self.previous, ptr::null_mut()) };
        IN_USE.store(false, Ordering::SeqCst);
    }
}

/// Whether a tick came outside emitted code since the last call.
#[inline]
#[must_use]
pub fn take_pending() -> bool {
    PENDING.load(Ordering::Relaxed) && PENDING.swap(false, Ordering::Relaxed)
}

/// For a tick in emitted code where the guest's state is not whole: the sample is taken a little later.
pub fn postpone() {
    PENDING.store(true, Ordering::Relaxed);
}

fn install() -> io::Result<Timer> {
    // SAFETY: all-zero bytes are a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_tick as *const () as usize;
    // The thread's own stack: what takes a sample wants room. System calls go on.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    let mut previous = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: both point to sigactions; the handler is async-signal-safe, or runs where anything is allowed.
    if unsafe { libc::sigaction(libc::SIGPROF, &raw const action, previous.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Whoever started us may have blocked it.
    signal::unblock(&[libc::SIGPROF]);
    // SAFETY: all zeroes is a valid sigaction, and the call has succeeded.
    let previous = unsafe { previous.assume_init() };
    Ok(Timer { previous })
}

fn set(interval: Duration) -> io::Result<()> {
    let tick = libc::timeval {
        tv_sec: i32::try_from(interval.as_secs()).unwrap_or(i32::MAX).into(),
        tv_usec: interval.subsec_micros().cast_signed().into(),
    };
    let timer = libc::itimerval {
        it_interval: tick,
        it_value: tick,
    };
    // SAFETY: setitimer only reads the timer.
    if unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

extern "C" fn on_tick(
    _signal: libc::c_int,
    _info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel gave this context.
    if !unsafe { signal::sampled(context) } {
        postpone();
    }
}

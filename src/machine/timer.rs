//! The timer of a bare machine on the host's clock: at its time it makes the engine stop, by a flag and kicks. Emitted code
//! pays nothing for it.

use crate::sys::signal::{FaultGuard, Thread};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// A kick is lost on a thread that is just about to enter the code, so it is repeated.
const KICK_INTERVAL: Duration = Duration::from_millis(1);
/// Bytes of stack, most of which are for what the standard library does.
const STACK: usize = 64 << 10;

#[derive(Default)]
struct State {
    /// When to stop whom.
    armed: Option<(Instant, Thread)>,
    ended: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module's description.
pub(super) struct Timer {
    shared: Arc<Shared>,
    rang: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Without a handler, a kick would not end emitted code.
    _handlers: FaultGuard,
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timer")
    }
}

impl Timer {
    /// A timer that sets `rang`.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn new(rang: Arc<AtomicBool>) -> io::Result<Timer> {
        let handlers = FaultGuard::install()?;
        let shared = Arc::<Shared>::default();
        let (watched, flag) = (Arc::clone(&shared), Arc::clone(&rang));
        let thread = Builder::new()
            .name("machine timer".to_owned())
            .stack_size(STACK)
            .spawn(move || watch(&watched, &flag))?;
        Ok(Timer {
            shared,
            rang,
            thread: Some(thread),
            _handlers: handlers,
        })
    }

    /// Stops this thread's engine from `at` on, until [`Timer::disarm`].
    pub(super) fn arm(&self, at: Instant) {
        self.shared.lock().armed = Some((at, Thread::current()));
        self.shared.changed.notify_one();
    }

    /// Nobody is kicked after this. Whether the time had come.
    pub(super) fn disarm(&self) -> bool {
        self.shared.lock().armed = None;
        self.rang.swap(false, Ordering::Acquire)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(shared: &Shared, rang: &AtomicBool) {
    let mut state = shared.lock();
    while !state.ended {
        let wait = match state.armed {
            None => None,
            Some((at, runner)) => {
                let left = at.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    rang.store(true, Ordering::Release);
                    // With the lock held: nobody who has disarmed is kicked, nor one whose thread has ended since.
                    runner.kick();
                    Some(KICK_INTERVAL)
                } else {
                    Some(left)
                }
            }
        };
        state = match wait {
            None => shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(wait) => {
                let waited = shared.changed.wait_timeout(state, wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

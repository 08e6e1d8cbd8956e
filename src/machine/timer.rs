//! The timer of a bare machine on the host's clock: at its time it makes the engine stop, by a flag and kicks. Emitted code
//! pays nothing for it.

use super::alarm::{Alarm, Ticket};
use crate::sys::signal::Thread;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// See the module's description.
#[derive(Debug)]
pub(super) struct Timer {
    alarm: Alarm,
    armed: Option<Ticket>,
    rang: Arc<AtomicBool>,
}

impl Timer {
    /// A timer that sets `rang`.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn new(rang: Arc<AtomicBool>) -> io::Result<Timer> {
        Ok(Timer {
            alarm: Alarm::get()?,
            armed: None,
            rang,
        })
    }

    /// Stops this thread's engine from `at` on, until [`Timer::disarm`].
    pub(super) fn arm(&mut self, at: Instant) {
        self.disarm();
        let rang = Arc::clone(&self.rang);
        self.armed = Some(self.alarm.arm(at, rang, Thread::current()));
    }

    /// Nobody is kicked after this. Whether the time had come.
    pub(super) fn disarm(&mut self) -> bool {
        if let Some(ticket) = self.armed.take() {
            self.alarm.cancel(&ticket);
        }
        self.rang.swap(false, Ordering::Acquire)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
    }
}

//! The time limit of runs: a thread that kicks the one that runs, from when the time is up until the run has ended.
//!
//! The thread is made with the machine, so that a host that refuses it does so before anything has run.

use crate::sys::signal::{FaultGuard, Thread};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Time between two kicks of a thread that is to stop.
const KICK_INTERVAL: Duration = Duration::from_millis(5);
/// Bytes of stack, most of which are for what the standard library does.
const STACK: usize = 64 << 10;

/// See the module's description.
#[derive(Debug)]
pub(super) struct Alarm {
    /// Takes who begins to run, and that nobody does any more.
    runs: Option<Sender<Option<Thread>>>,
    /// Gives, after a run, whether its time was up. Nobody is kicked then.
    rang: Receiver<bool>,
    thread: Option<JoinHandle<()>>,
    /// Without a handler, a kick would not end a system call that waits.
    _handlers: FaultGuard,
}

impl Alarm {
    /// For runs that may take so long; `stop` is set when one has.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn new(limit: Duration, stop: Arc<AtomicBool>) -> io::Result<Alarm> {
        let handlers = FaultGuard::install()?;
        let (runs, starts) = channel();
        let (ends, rang) = channel();
        let thread = Builder::new()
            .name("time limit".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                while let Ok(Some(runner)) = starts.recv() {
                    if ends.send(watch(runner, &starts, limit, &stop)).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Alarm {
            runs: Some(runs),
            rang,
            thread: Some(thread),
            _handlers: handlers,
        })
    }

    fn tell(&self, runner: Option<Thread>) {
        if let Some(runs) = &self.runs {
            // The thread ends only after this.
            let _ = runs.send(runner);
        }
    }

    /// This thread begins to run.
    pub(super) fn start(&self) {
        self.tell(Some(Thread::current()));
    }

    /// It has ended. Whether its time was up.
    pub(super) fn end(&self) -> bool {
        self.tell(None);
        self.rang.recv().unwrap_or(false)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.runs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until the run ends; whether that was because its time was up.
fn watch(
    runner: Thread,
    ends: &Receiver<Option<Thread>>,
    limit: Duration,
    stop: &AtomicBool,
) -> bool {
    let mut wait = limit;
    let mut rang = false;
    while let Err(RecvTimeoutError::Timeout) = ends.recv_timeout(wait) {
        rang = true;
        stop.store(true, Ordering::Release);
        // A kick is lost on a thread that is just about to enter the code, so it is repeated.
        runner.kick();
        wait = KICK_INTERVAL;
    }
    rang
}

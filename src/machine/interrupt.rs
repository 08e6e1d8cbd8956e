//! Ending a run before its end: by its time limit, or from another thread through a handle.
//!
//! Both set the flag that engines and waiting calls look at, and have the thread kicked that runs, until it has ended.
//! Who runs is noted under a lock while it does, so that nobody is kicked afterwards.

use super::Exit;
use super::alarm::{Alarm, Ticket};
use crate::sys::signal::Thread;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Stops a machine from any thread. It may be kept, copied and used for as long as one likes: where the machine, or the
/// thread that ran it, is gone, nothing happens.
///
/// ```
/// use rvjit::machine::{Exit, Machine, MachineConfig};
/// use rvjit::syscall::Stream;
/// use std::{path::Path, thread, time::Duration};
///
/// let config = MachineConfig { stdout: Stream::Null, ..MachineConfig::default() };
/// let mut machine = Machine::open(Path::new("fixtures/hello.elf"), config)?;
/// let entry = machine.image().entry;
/// machine.memory_mut().poke(entry, &0x0000_006f_u32.to_le_bytes()).unwrap(); // j 0: for ever
/// let handle = machine.interrupt_handle()?;
/// let stopper = thread::spawn(move || {
///     thread::sleep(Duration::from_millis(20));
///     handle.interrupt();
/// });
/// assert_eq!(machine.run(), Exit::Interrupted);
/// # stopper.join().unwrap();
/// # Ok::<(), rvjit::machine::MachineError>(())
/// ```
#[derive(Debug, Clone)]
pub struct InterruptHandle {
    runs: Arc<Runs>,
    alarm: Alarm,
}

impl InterruptHandle {
    pub(super) fn new(runs: Arc<Runs>) -> io::Result<InterruptHandle> {
        let alarm = Alarm::get()?;
        Ok(InterruptHandle { runs, alarm })
    }

    /// The run ends soon with [`Exit::Interrupted`]; where nothing runs, the next run ends at once. The one after that
    /// goes on. Not for signal handlers.
    pub fn interrupt(&self) {
        let mut state = self.runs.lock();
        state.asked = true;
        self.runs.stop.store(true, Ordering::SeqCst);
        if let (Some(runner), None) = (state.runner, &state.kicks) {
            // At once, and then until it has worked.
            runner.kick();
            let flag = Arc::clone(&self.runs.stop);
            state.kicks = Some((self.alarm, self.alarm.arm(Instant::now(), flag, runner)));
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// The thread that runs the machine.
    runner: Option<Thread>,
    limit: Option<(Alarm, Ticket)>,
    kicks: Option<(Alarm, Ticket)>,
    /// Whether somebody asked through a handle, and no run has ended with that.
    asked: bool,
}

/// The runs of one machine.
#[derive(Debug, Default)]
pub(super) struct Runs {
    stop: Arc<AtomicBool>,
    state: Mutex<State>,
}

/// A run that is going on; dropped, it is over.
#[derive(Debug)]
pub(super) struct Run(Arc<Runs>);

impl Runs {
    /// For a machine that stops on this flag.
    pub(super) fn new(stop: Arc<AtomicBool>) -> Arc<Runs> {
        Arc::new(Runs {
            stop,
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This thread begins to run, for so long.
    pub(super) fn begin(self: &Arc<Self>, limit: Option<(Alarm, Duration)>) -> Run {
        let runner = Thread::current();
        let mut state = self.lock();
        state.runner = Some(runner);
        // A time beyond what the clock can say never comes.
        let until =
            limit.and_then(|(alarm, time)| Some((alarm, Instant::now().checked_add(time)?)));
        state.limit =
            until.map(|(alarm, at)| (alarm, alarm.arm(at, Arc::clone(&self.stop), runner)));
        drop(state);
        Run(Arc::clone(self))
    }
}

impl Run {
    /// It has ended like this. What made it end is told apart, and does not end the next one.
    pub(super) fn end(self, exit: Exit) -> Exit {
        let mut state = self.0.lock();
        let rang = state.finish();
        let interrupted = exit == Exit::Interrupted;
        if interrupted && !rang {
            state.asked = false;
        }
        if (interrupted || rang) && !state.asked {
            self.0.stop.store(false, Ordering::SeqCst);
        }
        match exit {
            Exit::Interrupted if rang => Exit::Timeout,
            other => other,
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.0.lock().finish();
    }
}

impl State {
    /// Nobody is kicked after this. Whether the time was up.
    fn finish(&mut self) -> bool {
        self.runner = None;
        if let Some((alarm, ticket)) = self.kicks.take() {
            alarm.cancel(&ticket);
        }
        let limit = self.limit.take();
        limit.is_some_and(|(alarm, ticket)| alarm.cancel(&ticket))
    }
}

//! Writing to what somebody else has to read: standard error, and named pipes among the outputs.
//!
//! A pipe that nobody reads takes no more when it is full. Without a limit rvjit waits for its reader, as any program
//! does; where the run is to end, by `--timeout` or a signal, whoever does not read for a second gets no more.

use crate::sys::fd::wait_writable;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Time for the last words.
const GRACE: Duration = Duration::from_secs(1);
/// Milliseconds between two looks at whether the run is to end.
const TICK: i32 = 20;
/// A pipe that is ready takes so many bytes without waiting (`PIPE_BUF`, pipe(7)).
const PIECE: usize = 4096;

/// What ends the process's run.
#[derive(Debug)]
struct Limit {
    stop: Arc<AtomicBool>,
    until: Option<Instant>,
}

static LIMIT: OnceLock<Limit> = OnceLock::new();
static ASKED: AtomicBool = AtomicBool::new(false);
static GIVE_UP: OnceLock<Instant> = OnceLock::new();

/// From now on nothing waits for a reader for long after `stop` is set, or after `until`.
pub(super) fn limit(stop: &Arc<AtomicBool>, until: Option<Instant>) {
    // One process has one run.
    let _ = LIMIT.set(Limit {
        stop: Arc::clone(stop),
        until,
    });
}

/// The run was asked to end.
pub(super) fn hurry() {
    ASKED.store(true, Ordering::Relaxed);
}

/// Whether nobody is waited for any more.
fn gives_up() -> bool {
    let now = Instant::now();
    let is_over = |limit: &Limit| {
        limit.stop.load(Ordering::Relaxed) || limit.until.is_some_and(|until| until <= now)
    };
    if LIMIT.get().is_some_and(is_over) {
        hurry();
    }
    ASKED.load(Ordering::Relaxed) && *GIVE_UP.get_or_init(|| now + GRACE) <= now
}

/// Waits, a moment at a time, until `ready`.
pub(super) fn wait_until(mut ready: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    loop {
        match ready() {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if gives_up() {
            return Err(io::Error::new(ErrorKind::TimedOut, "nobody reads it"));
        }
    }
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Patient<W>(pub(super) W);

impl<W: Write + AsFd> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        loop {
            wait_until(|| wait_writable(self.0.as_fd(), TICK))?;
            match self.0.write(piece) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Standard error.
pub(super) fn stderr() -> Patient<io::Stderr> {
    Patient(io::stderr())
}

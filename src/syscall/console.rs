//! A console that takes and gives single characters: what UARTs, HTIF and semihosting's `SYS_WRITEC` write to.
//!
//! Characters wait for the end of their line, so that each does not cost a call of the host; on a terminal they do not
//! wait. Whatever else is written or read comes after them: everybody who does that calls [`Syscalls::flush_console`]
//! first, and so does the end of a run. At most [`LONGEST`] bytes wait.
//!
//! A program that prints by characters has nobody to tell of an error of the host's, so that one ends the run.

use super::stream::{StreamError, stops};
use super::{Outcome, SIGPIPE, Syscalls};
use std::time::{Duration, Instant};

/// A line that is longer is written in pieces. What a pipe that has room takes whole.
const LONGEST: usize = 4096;
/// How long the end of a run that was asked to stop waits for somebody who reads its output.
const LAST_MILLISECONDS: i32 = 100;

/// How often standard input is looked at for a program that looks without waiting, as drivers of UARTs do before each
/// character that they print: each look costs a call of the host, and lines are written before.
const LOOK_EVERY: Duration = Duration::from_millis(1);

const STDIN: u32 = 0;
const STDOUT: u32 = 1;

/// What was printed and is not yet written.
#[derive(Debug, Default)]
pub(super) struct Console {
    line: Vec<u8>,
    /// Whether standard output is a terminal; `None` until somebody wants to know.
    terminal: Option<bool>,
    /// When standard input was last looked at, where there was nothing.
    looked: Option<Instant>,
}

fn outcome(error: StreamError) -> Outcome {
    match error {
        StreamError::Errno(errno) => Outcome::OutputLost(errno),
        StreamError::BrokenPipe => Outcome::Killed(SIGPIPE),
        StreamError::Interrupted => Outcome::Interrupted,
    }
}

impl Syscalls {
    /// Writes a character to standard output, later perhaps.
    ///
    /// # Errors
    /// What ends the run: nobody reads its output, it cannot be written, or somebody asked the run to stop while it
    /// waited. The character is not taken then, if the run can go on.
    pub fn put_console(&mut self, byte: u8) -> Result<(), Outcome> {
        if self.console.line.len() >= LONGEST {
            self.flush_console()?;
        }
        self.console.line.push(byte);
        let files = &mut self.files;
        let terminal = &mut self.console.terminal;
        if byte == b'\n' || *terminal.get_or_insert_with(|| files.is_terminal(STDOUT)) {
            return match self.flush_console() {
                // It is taken, and waits.
                Err(Outcome::Interrupted) => Ok(()),
                result => result,
            };
        }
        Ok(())
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// As [`Syscalls::put_console`].
    #[inline]
    pub fn flush_console(&mut self) -> Result<(), Outcome> {
        if self.console.line.is_empty() {
            return Ok(());
        }
        self.flush_some()
    }

    /// The same at the end of a run: one that was asked to stop does not wait for a reader who does not read.
    ///
    /// # Errors
    /// As [`Syscalls::put_console`].
    pub fn finish_console(&mut self) -> Result<(), Outcome> {
        if self.console.line.is_empty() {
            return Ok(());
        }
        if !stops(self.files.stop()) {
            return self.flush_some();
        }
        if !self.files.has_room(STDOUT, LAST_MILLISECONDS) {
            return Ok(());
        }
        match self.flush_some() {
            Err(Outcome::Interrupted) => Ok(()),
            result => result,
        }
    }

    fn flush_some(&mut self) -> Result<(), Outcome> {
        let line = &mut self.console.line;
        while !line.is_empty() {
            match self.files.write(STDOUT, line) {
                Ok(count) => {
                    line.drain(..count);
                }
                // What is not written yet is, should the run go on.
                Err(StreamError::Interrupted) => return Err(Outcome::Interrupted),
                Err(error) => {
                    line.clear();
                    return Err(outcome(error));
                }
            }
        }
        Ok(())
    }

    /// Reads a character from standard input. `None`: there is none, and, if it was to wait for one, never will be. Without
    /// waiting, one that has just come may be seen a millisecond later.
    ///
    /// # Errors
    /// As [`Syscalls::put_console`].
    pub fn get_console(&mut self, wait: bool) -> Result<Option<u8>, Outcome> {
        let looked = self.console.looked;
        if !wait && looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return Ok(None);
        }
        self.flush_console()?;
        let found = match wait || self.files.has_input(STDIN) {
            true => self.read_console()?,
            false => None,
        };
        self.console.looked = found.is_none().then(Instant::now);
        Ok(found)
    }

    fn read_console(&mut self) -> Result<Option<u8>, Outcome> {
        let mut byte = [0];
        match self.files.read(STDIN, &mut byte) {
            Ok(count) => Ok((count > 0).then_some(byte[0])),
            // Input that cannot be read has ended.
            Err(StreamError::Errno(_)) => Ok(None),
            Err(error) => Err(outcome(error)),
        }
    }
}

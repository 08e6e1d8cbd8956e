//! A console that takes and gives single characters: what UARTs, HTIF and semihosting's `SYS_WRITEC` write to.
//!
//! Characters wait for the end of their line, so that each does not cost a call of the host. Whatever else is written or
//! read comes after them: everybody who does that calls [`Syscalls::flush_console`] first, and so does the end of a run.

use super::stream::StreamError;
use super::{Failure, Outcome, Syscalls};

/// A line that is longer is written in pieces.
const LONGEST: usize = 4096;

const STDIN: u32 = 0;
const STDOUT: u32 = 1;

fn outcome(failure: Failure) -> Option<Outcome> {
    match failure {
        // A program that prints by characters has nobody to tell of an error of the host's.
        Failure::Errno(_) => None,
        Failure::End(outcome) => Some(outcome),
    }
}

impl Syscalls {
    /// Writes a character to standard output, later perhaps.
    ///
    /// # Errors
    /// What ends the run: nobody reads its output, or somebody asked it to stop while it waited.
    pub fn put_console(&mut self, byte: u8) -> Result<(), Outcome> {
        self.console.push(byte);
        if byte == b'\n' || self.console.len() >= LONGEST {
            return self.flush_console();
        }
        Ok(())
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// As [`Syscalls::put_console`].
    #[inline]
    pub fn flush_console(&mut self) -> Result<(), Outcome> {
        if self.console.is_empty() {
            return Ok(());
        }
        self.flush_some()
    }

    fn flush_some(&mut self) -> Result<(), Outcome> {
        let mut done = 0;
        let mut result = Ok(());
        while done < self.console.len() {
            match self.files.write(STDOUT, &self.console[done..]) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(StreamError::Interrupted) => {
                    // What is not written yet is, should the run go on.
                    self.console.drain(..done);
                    return Err(Outcome::Interrupted);
                }
                Err(error) => {
                    result = outcome(error.into()).map_or(Ok(()), Err);
                    break;
                }
            }
        }
        self.console.clear();
        result
    }

    /// Reads a character from standard input. `None`: there is none, and, if it was to wait for one, never will be.
    ///
    /// # Errors
    /// As [`Syscalls::put_console`].
    pub fn get_console(&mut self, wait: bool) -> Result<Option<u8>, Outcome> {
        self.flush_console()?;
        if !wait && !self.files.has_input(STDIN) {
            return Ok(None);
        }
        let mut byte = [0];
        match self.files.read(STDIN, &mut byte) {
            Ok(count) => Ok((count > 0).then_some(byte[0])),
            Err(error) => outcome(error.into()).map_or(Ok(None), Err),
        }
    }
}

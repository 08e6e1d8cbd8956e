//! The environment that a guest program calls: newlib's system calls, semihosting, and the calls of zkVMs.
//!
//! [`Syscalls`] is one program's: its descriptors, directories, heap and clocks. It acts on registers and memory and
//! leaves pc alone. A bad pointer from the guest is `EFAULT`, whatever the call; a length from the guest is never
//! the size of an allocation. Several can exist in one process.

pub mod abi;
mod brk;
mod calls;
mod console;
mod files;
mod nested;
pub mod notes;
mod paths;
mod sandbox;
pub mod semihosting;
pub mod strace;
mod stream;
mod time;
mod zkvm;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_files;
#[cfg(test)]
mod tests_semihosting;

pub use sandbox::{DirGrant, GrantError};
pub use stream::{Captured, Stream};
pub use zkvm::Convention;

use crate::cpu::Cpu;
use crate::memory::Memory;
use abi::{Errno, StatLayout, nr};
use brk::Heap;
use console::Console;
use files::Files;
use notes::{Missing, Notes, RefusedBreak};
use sandbox::Sandbox;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use strace::{CallKind, CallRecord, Ring};
use stream::{OpenStream, StreamError};
use time::Clocks;
use zkvm::Proof;

/// What a program gets from its environment.
#[derive(Debug, Default)]
pub struct SyscallConfig {
    /// The directories it may use; none by default.
    pub dirs: Vec<DirGrant>,
    /// Its name and arguments as they were typed, for the calls that ask for them.
    pub args: Vec<Vec<u8>>,
    /// Whose calls it makes by `ecall`.
    pub convention: Convention,
    /// Variables of its environment, `NAME=VALUE`, for the calls of zkVM guests that ask for them.
    pub env: Vec<Vec<u8>>,
    /// What a zkVM guest reads, item by item.
    pub input: Vec<Vec<u8>>,
    /// Bytes that a zkVM guest may commit to and give itself for hints.
    pub room: usize,
    /// Whether the heap is RAM that is there anyway.
    pub heap_is_ram: bool,
    /// Where its heap begins: the end of its data.
    pub heap_start: u32,
    /// The heap ends at or before this address: below the stack, and below whatever else is mapped above.
    pub heap_limit: u32,
    /// Pages that it has outside the heap; with the heap's they stay within the memory's limit.
    pub other_pages: u32,
    /// Lowest and highest address of its stack, for the semihosting call that asks for them.
    pub stack: (u32, u32),
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// Which `struct stat` it was compiled with.
    pub stat_layout: StatLayout,
    /// Looked at while a read waits: whether the run is to stop.
    pub stop_requested: Option<Arc<AtomicBool>>,
}

/// Why the environment could not be set up.
#[derive(Debug)]
pub enum SyscallError {
    /// A granted directory cannot be opened.
    Grant {
        /// The directory.
        host: PathBuf,
        /// The host's error.
        source: io::Error,
    },
    /// A standard stream cannot be used.
    Stream {
        /// Its descriptor.
        fd: usize,
        /// The host's error.
        source: io::Error,
    },
}

impl fmt::Display for SyscallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SyscallError::Grant { host, source } => {
                write!(f, "cannot open the directory {}: {source}", host.display())
            }
            SyscallError::Stream { fd, source } => {
                write!(f, "cannot use standard stream {fd}: {source}")
            }
        }
    }
}

impl std::error::Error for SyscallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SyscallError::Grant { source, .. } | SyscallError::Stream { source, .. } => {
                Some(source)
            }
        }
    }
}

/// What a call means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// a0 is set; go on behind the instruction.
    Continue,
    /// The program ends with this status.
    Exit(u8),
    /// The program is killed by this signal: its own `kill`, or SIGPIPE (13) for writing to a pipe of the host that
    /// nobody reads.
    Killed(u8),
    /// It asks for what is not there.
    Refused(Refusal),
    /// What it printed by characters cannot be written, for this reason.
    OutputLost(Errno),
    /// Somebody asked the run to stop while the call waited; nothing has changed, and the call can be made again.
    Interrupted,
}

/// A call that ends the run because the environment does not have what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What was called.
    pub call: &'static str,
    /// Its number.
    pub number: u32,
    /// Why there is no answer, and what to do.
    pub why: &'static str,
}

/// Why a call has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The guest gets this error.
    Errno(Errno),
    /// The run does not simply go on.
    End(Outcome),
}

impl<E: Into<Errno>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Errno(error.into())
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Failure {
        match error {
            StreamError::Errno(errno) => Failure::Errno(errno),
            StreamError::BrokenPipe => Failure::End(Outcome::Killed(SIGPIPE)),
            StreamError::Interrupted => Failure::End(Outcome::Interrupted),
        }
    }
}

/// The signal for writing to a pipe that nobody reads.
const SIGPIPE: u8 = 13;
const A0: usize = 10;
const A7: usize = 17;
const T0: usize = 5;

/// A break that can be come back to.
#[derive(Debug, Clone)]
pub(crate) struct HeapState(Heap);

/// The environment of one program.
#[derive(Debug)]
pub struct Syscalls {
    files: Files,
    sandbox: Sandbox,
    heap: Heap,
    clocks: Clocks,
    stat_layout: StatLayout,
    args: Vec<Vec<u8>>,
    convention: Convention,
    proof: Proof,
    stack: (u32, u32),
    /// Data on its way between guest and host; never longer than [`calls::CHUNK`].
    buffer: Vec<u8>,
    notes: Notes,
    recent: Ring,
    trace: Option<Trace>,
    semihosting: semihosting::State,
    console: Console,
}

/// Takes the lines of a trace.
pub type TraceSink = Box<dyn FnMut(&str) + Send>;

struct Trace(TraceSink);

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

impl Syscalls {
    /// Opens the granted directories and the streams.
    ///
    /// # Errors
    /// What cannot be opened.
    pub fn new(config: SyscallConfig) -> Result<Syscalls, SyscallError> {
        let open = |stream, fd| {
            OpenStream::open(stream, fd).map_err(|source| SyscallError::Stream { fd, source })
        };
        let streams = [
            open(config.stdin, 0)?,
            open(config.stdout, 1)?,
            open(config.stderr, 2)?,
        ];
        let sandbox = Sandbox::new(&config.dirs)
            .map_err(|(host, source)| SyscallError::Grant { host, source })?;
        Ok(Syscalls {
            files: Files::new(streams, config.stop_requested),
            sandbox,
            heap: Heap::new(
                config.heap_start,
                config.heap_limit,
                config.other_pages,
                config.heap_is_ram,
            ),
            clocks: Clocks::new(),
            stat_layout: config.stat_layout,
            args: config.args,
            convention: config.convention,
            proof: Proof::new(config.input, config.env, config.room),
            stack: config.stack,
            buffer: Vec::new(),
            notes: Notes::default(),
            recent: Ring::default(),
            trace: None,
            semihosting: semihosting::State::default(),
            console: Console::default(),
        })
    }

    /// Sends each call, as text without a line end, to `sink` from now on.
    pub fn set_trace(&mut self, sink: Option<TraceSink>) {
        self.trace = sink.map(Trace);
    }

    /// What the program asked for in vain.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The first break that was refused.
    #[must_use]
    pub fn refused_break(&self) -> Option<RefusedBreak> {
        self.heap.refused()
    }

    /// Whether the program has anything open but the standard streams.
    pub(crate) fn has_files(&self) -> bool {
        self.files.has_files()
    }

    /// Closes everything but the standard streams; false where the program has closed one of them, and nothing is done.
    pub(crate) fn close_files(&mut self) -> bool {
        self.files.close_files()
    }

    /// The break.
    pub(crate) fn heap_state(&self) -> HeapState {
        HeapState(self.heap.clone())
    }

    /// Makes the break what it was, when memory is what it was then.
    pub(crate) fn set_heap_state(&mut self, to: &HeapState) {
        self.heap = to.0.clone();
    }

    /// The last calls, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &CallRecord> {
        self.recent.iter()
    }

    /// Does the call that the registers ask for by `ecall`. Of the registers only a0 changes, or what the convention of a
    /// zkVM says, and pc does not.
    #[inline]
    pub fn ecall(&mut self, cpu: &mut Cpu, memory: &mut Memory) -> Outcome {
        if let Err(outcome) = self.flush_console() {
            return outcome;
        }
        let number = match self.convention {
            Convention::Newlib => cpu.x[A7],
            Convention::NewlibEmbedded => cpu.x[T0],
            Convention::Risc0 | Convention::Sp1 => return self.zkvm_call(cpu, memory),
        };
        let args: [u32; 6] = std::array::from_fn(|n| cpu.x[A0 + n]);
        let (result, outcome) = match self.dispatch(number, args, memory) {
            Ok(value) => (Some(value), Outcome::Continue),
            Err(Failure::Errno(errno)) => (Some(errno.result()), Outcome::Continue),
            Err(Failure::End(outcome)) => (None, outcome),
        };
        if let Some(value) = result {
            cpu.x[A0] = value;
        }
        let record = CallRecord {
            kind: CallKind::System,
            number,
            args,
            result,
        };
        self.record(record, memory);
        outcome
    }

    /// Does the semihosting call that the registers ask for. Of the registers only a0 changes, and pc does not.
    pub fn semihost(&mut self, cpu: &mut Cpu, memory: &mut Memory) -> Outcome {
        let (number, parameter) = (cpu.x[A0], cpu.x[A0 + 1]);
        if !semihosting::is_character(number)
            && let Err(outcome) = self.flush_console()
        {
            return outcome;
        }
        let (result, outcome) = match self.semihosting_call(number, parameter, memory) {
            Ok(value) => (Some(value), Outcome::Continue),
            Err(outcome) => (None, outcome),
        };
        if let Some(value) = result {
            cpu.x[A0] = value;
        }
        let record = CallRecord {
            kind: CallKind::Semihosting,
            number,
            args: [parameter, 0, 0, 0, 0, 0],
            result,
        };
        self.record(record, memory);
        outcome
    }

    #[inline]
    fn record(&mut self, record: CallRecord, memory: &mut Memory) {
        if let Some(Trace(sink)) = &mut self.trace {
            sink(&record.text(memory));
        }
        self.recent.push(record);
    }

    #[inline]
    fn dispatch(&mut self, number: u32, a: [u32; 6], memory: &mut Memory) -> Result<u32, Failure> {
        match number {
            nr::WRITE => self.write(memory, a[0], a[1], a[2]),
            nr::READ => self.read(memory, a[0], a[1], a[2]),
            nr::BRK => Ok(self.heap.set(memory, a[0])),
            nr::EXIT | nr::EXIT_GROUP => Err(Failure::End(Outcome::Exit(a[0].to_le_bytes()[0]))),
            _ => self.dispatch_other(number, a, memory),
        }
    }

    fn dispatch_other(
        &mut self,
        number: u32,
        a: [u32; 6],
        memory: &mut Memory,
    ) -> Result<u32, Failure> {
        /// What calls without a directory descriptor mean by it.
        const CWD: u32 = abi::AT_FDCWD[0].cast_unsigned();
        match number {
            nr::CLOSE => Ok(self.files.close(a[0]).map(|()| 0)?),
            nr::LSEEK => Ok(self.files.seek(a[0], a[1].cast_signed(), a[2])?),
            nr::FSTAT => self.fstat(memory, a[0], a[1]),
            nr::FSTATAT if a[3] & !abi::FSTATAT_FLAGS != 0 => Err(Errno::EINVAL.into()),
            nr::FSTATAT => self.stat_at(memory, a[0], a[1], a[2], a[3]),
            nr::STAT => self.stat_at(memory, CWD, a[0], a[1], 0),
            nr::LSTAT => self.stat_at(memory, CWD, a[0], a[1], abi::AT_SYMLINK_NOFOLLOW),
            nr::OPENAT => self.open_at(memory, a[0], a[1], a[2], a[3]),
            nr::OPEN => self.open_at(memory, CWD, a[0], a[1], a[2]),
            // Linux's call has no flags; what a C library does with them is its own affair.
            nr::FACCESSAT => self.access_at(memory, a[0], a[1], a[2]),
            nr::ACCESS => self.access_at(memory, CWD, a[0], a[1]),
            nr::UNLINKAT => self.unlink_at(memory, a[0], a[1], a[2]),
            nr::UNLINK => self.unlink_at(memory, CWD, a[0], 0),
            nr::LINKAT if a[4] != 0 => Err(Errno::EINVAL.into()),
            nr::LINKAT => self.link_at(memory, [a[0], a[1]], [a[2], a[3]]),
            nr::LINK => self.link_at(memory, [CWD, a[0]], [CWD, a[1]]),
            nr::RENAMEAT => self.rename_at(memory, [a[0], a[1]], [a[2], a[3]]),
            nr::RENAMEAT2 if a[4] != 0 => Err(Errno::EINVAL.into()),
            nr::RENAMEAT2 => self.rename_at(memory, [a[0], a[1]], [a[2], a[3]]),
            nr::RENAME => self.rename_at(memory, [CWD, a[0]], [CWD, a[1]]),
            nr::MKDIRAT => self.mkdir_at(memory, a[0], a[1], a[2]),
            nr::MKDIR => self.mkdir_at(memory, CWD, a[0], a[1]),
            nr::GETCWD => self.getcwd(memory, a[0], a[1]),
            nr::CHDIR => self.chdir(memory, a[0]),
            nr::GETTIMEOFDAY => calls::put(memory, a[0], &time::timeval()),
            nr::CLOCK_GETTIME | nr::CLOCK_GETTIME64 => {
                let time = self.clocks.timespec(a[0])?;
                memory.write(a[1], &time)?;
                Ok(0)
            }
            nr::TIMES => {
                let (tms, ticks) = self.clocks.times();
                calls::put(memory, a[0], &tms)?;
                Ok(ticks)
            }
            nr::TIME => {
                let now = time::seconds(time::real_time());
                calls::put(memory, a[0], &now.to_le_bytes())?;
                Ok(time::low_word(now.cast_unsigned()))
            }
            nr::GETPID => Ok(std::process::id()),
            nr::KILL => calls::kill(a[0], a[1]),
            _ => {
                if self.notes.miss(Missing::System(number)) {
                    log::warn!("system call {number} is not implemented: it fails with ENOSYS");
                }
                Err(Errno::ENOSYS.into())
            }
        }
    }
}

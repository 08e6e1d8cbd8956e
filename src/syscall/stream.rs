//! Where the guest's standard streams lead: the process's own, nowhere, or anything that reads or writes.
//!
//! The process's own are duplicated when the run starts, so nothing that the guest does to its descriptors reaches
//! those of the host. There is no buffer: each guest call is one host call, in the order the guest makes them.

use super::abi::{Errno, Stat};
use crate::sys::fd::{wait_readable, wait_writable};
use cap_std::fs::Metadata;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a standard stream is connected to.
#[derive(Default)]
pub enum Stream {
    /// The process's own stream of the same number.
    #[default]
    Inherit,
    /// Reads find the end, writes vanish.
    Null,
    /// Reads come from here. For standard input.
    Reader(Box<dyn Read + Send>),
    /// Writes go here, one call for each of the guest's. For standard output and error.
    Writer(Box<dyn Write + Send>),
}

impl Stream {
    /// Standard input that holds these bytes.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Stream {
        Stream::Reader(Box::new(io::Cursor::new(bytes.into())))
    }

    /// An output stream, and the place where what it got can be read.
    #[must_use]
    pub fn capture() -> (Stream, Captured) {
        let captured = Captured::default();
        (Stream::Writer(Box::new(captured.clone())), captured)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stream::Inherit => "Inherit",
            Stream::Null => "Null",
            Stream::Reader(_) => "Reader",
            Stream::Writer(_) => "Writer",
        })
    }
}

/// What a guest wrote to a captured stream.
#[derive(Debug, Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// All bytes so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The same as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a stream did not do as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamError {
    /// The guest gets this.
    Errno(Errno),
    /// The reader of the host's pipe is gone: what kills a native program by SIGPIPE.
    BrokenPipe,
    /// Somebody asked the run to stop while it waited.
    Interrupted,
}

impl From<Errno> for StreamError {
    fn from(errno: Errno) -> StreamError {
        StreamError::Errno(errno)
    }
}

/// Whether somebody asked the run to stop.
pub(super) type StopRequested = Option<Arc<AtomicBool>>;

pub(super) fn stops(stop: &StopRequested) -> bool {
    let stop = stop.as_ref();
    stop.is_some_and(|asked| asked.load(Ordering::Relaxed))
}

/// A standard stream in use.
pub(super) enum OpenStream {
    Host { file: File, may_block: bool },
    Null,
    Reader(Box<dyn Read + Send>),
    Writer(Box<dyn Write + Send>),
}

impl fmt::Debug for OpenStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpenStream::Host { .. } => "Host",
            OpenStream::Null => "Null",
            OpenStream::Reader(_) => "Reader",
            OpenStream::Writer(_) => "Writer",
        })
    }
}

/// How long a read waits before it looks whether the run is to stop.
const POLL_MILLISECONDS: i32 = 50;

impl OpenStream {
    /// Connects the guest's descriptor `fd` (0 to 2).
    pub(super) fn open(stream: Stream, fd: usize) -> io::Result<OpenStream> {
        Ok(match stream {
            Stream::Null => OpenStream::Null,
            Stream::Reader(reader) => OpenStream::Reader(reader),
            Stream::Writer(writer) => OpenStream::Writer(writer),
            Stream::Inherit => {
                let owned = match fd {
                    0 => io::stdin().as_fd().try_clone_to_owned(),
                    1 => io::stdout().as_fd().try_clone_to_owned(),
                    _ => io::stderr().as_fd().try_clone_to_owned(),
                };
                let file = File::from(owned?);
                let kind = file.metadata()?.file_type();
                let may_block = !kind.is_file() && !kind.is_block_device();
                OpenStream::Host { file, may_block }
            }
        })
    }

    /// Whether a read would not wait.
    pub(super) fn has_input(&self) -> bool {
        match self {
            OpenStream::Host { file, may_block } => {
                !may_block || wait_readable(file.as_fd(), 0).unwrap_or(false)
            }
            OpenStream::Null | OpenStream::Reader(_) => true,
            OpenStream::Writer(_) => false,
        }
    }

    /// One read: at least a byte, or the end.
    pub(super) fn read(
        &mut self,
        bytes: &mut [u8],
        stop: &StopRequested,
    ) -> Result<usize, StreamError> {
        loop {
            let result = match self {
                OpenStream::Null => return Ok(0),
                OpenStream::Writer(_) => return Err(Errno::EBADF.into()),
                OpenStream::Reader(reader) => reader.read(bytes),
                OpenStream::Host { file, may_block } => {
                    if *may_block && stop.is_some() {
                        wait(file, stop, wait_readable)?;
                    }
                    file.read(bytes)
                }
            };
            match result {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    if stops(stop) {
                        return Err(StreamError::Interrupted);
                    }
                }
                Err(error) => self.blocked(&error, stop, wait_readable)?,
            }
        }
    }

    /// Whether a write of 4096 bytes would be taken within these milliseconds.
    pub(super) fn has_room(&self, milliseconds: i32) -> bool {
        match self {
            OpenStream::Host { file, may_block } => {
                !may_block || wait_writable(file.as_fd(), milliseconds).unwrap_or(false)
            }
            OpenStream::Null | OpenStream::Reader(_) | OpenStream::Writer(_) => true,
        }
    }

    /// Whether somebody may be looking on as it is written.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, OpenStream::Host { file, may_block: true } if file.is_terminal())
    }

    /// Waits where the host said that its descriptor would block: the process's own stream may be one that does not wait,
    /// the guest's is not.
    fn blocked(
        &self,
        error: &io::Error,
        stop: &StopRequested,
        ready: fn(BorrowedFd<'_>, i32) -> io::Result<bool>,
    ) -> Result<(), StreamError> {
        match self {
            OpenStream::Host { file, .. } if error.kind() == ErrorKind::WouldBlock => {
                wait(file, stop, ready)
            }
            _ => Err(Errno::from_host(error).into()),
        }
    }

    /// One write: as many bytes as are taken at once.
    #[inline]
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        stop: &StopRequested,
    ) -> Result<usize, StreamError> {
        loop {
            let (result, host) = match self {
                OpenStream::Null => return Ok(bytes.len()),
                OpenStream::Reader(_) => return Err(Errno::EBADF.into()),
                OpenStream::Writer(writer) => (writer.write(bytes), false),
                OpenStream::Host { file, .. } => (file.write(bytes), true),
            };
            match result {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    if stops(stop) {
                        return Err(StreamError::Interrupted);
                    }
                }
                Err(error) if host && error.kind() == ErrorKind::BrokenPipe => {
                    return Err(StreamError::BrokenPipe);
                }
                Err(error) => self.blocked(&error, stop, wait_writable)?,
            }
        }
    }

    /// Moves the position; only a host's stream that is a file has one.
    pub(super) fn seek(&mut self, to: SeekFrom) -> Result<u64, Errno> {
        match self {
            OpenStream::Host { file, .. } => Ok(file.seek(to)?),
            OpenStream::Null | OpenStream::Reader(_) | OpenStream::Writer(_) => Err(Errno::ESPIPE),
        }
    }

    /// What the stream is. A reader or writer of ours is shown as a pipe, and nowhere as a character device.
    pub(super) fn stat(&self) -> Result<Stat, Errno> {
        let made_up = |mode| Stat {
            mode,
            nlink: 1,
            blksize: 4096,
            ..Stat::default()
        };
        Ok(match self {
            OpenStream::Host { file, .. } => Stat::from_metadata(&Metadata::from_file(file)?),
            OpenStream::Null => made_up(0o020_666),
            OpenStream::Reader(_) => made_up(0o010_400),
            OpenStream::Writer(_) => made_up(0o010_200),
        })
    }
}

/// Waits until a descriptor is ready, or the run is to stop.
fn wait(
    file: &File,
    stop: &StopRequested,
    ready: fn(BorrowedFd<'_>, i32) -> io::Result<bool>,
) -> Result<(), StreamError> {
    loop {
        if stops(stop) {
            return Err(StreamError::Interrupted);
        }
        match ready(file.as_fd(), POLL_MILLISECONDS) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Errno::from_host(&error).into()),
        }
    }
}

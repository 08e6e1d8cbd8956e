//! What the standard library does not offer on open files: waiting with a time limit, and two open flags.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Opens without waiting, and reads without waiting.
pub const O_NONBLOCK: i32 = libc::O_NONBLOCK;
/// Writes reach the disk before the call returns.
pub const O_SYNC: i32 = libc::O_SYNC;

/// Waits until a read would not block (there is data, the end, or an error to report), at most `milliseconds`.
///
/// # Errors
/// The host's, among them `Interrupted`.
#[expect(unsafe_code, reason = "poll(2) takes a pointer")]
pub fn wait_readable(fd: BorrowedFd<'_>, milliseconds: i32) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the pointer is to one pollfd that lives across the call.
    match unsafe { libc::poll(&raw mut poll, 1, milliseconds) } {
        -1 => Err(io::Error::last_os_error()),
        count => Ok(count > 0),
    }
}

//! What the standard library does not offer on open files: waiting with a time limit, two open flags, and which files
//! are the kernel's.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Opens without waiting, and reads without waiting.
pub const O_NONBLOCK: i32 = libc::O_NONBLOCK;
/// Writes reach the disk before the call returns.
pub const O_SYNC: i32 = libc::O_SYNC;

/// What `statfs` calls procfs (`linux/magic.h`).
#[cfg(target_os = "linux")]
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

/// Whether the file is one in which Linux shows processes, their memory among them.
///
/// # Errors
/// The host's.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "fstatfs(2) takes a pointer")]
pub fn shows_processes(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: all-zero bytes are a valid statfs.
    let mut system: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a statfs that lives across the call.
    match unsafe { libc::fstatfs(fd.as_raw_fd(), &raw mut system) } {
        // The types of both depend on the C library.
        0 => Ok(u64::try_from(system.f_type) == Ok(PROC_SUPER_MAGIC)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Elsewhere there are none.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn shows_processes(_fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(false)
}

/// Waits until a read would not block (there is data, the end, or an error to report), at most `milliseconds`.
///
/// # Errors
/// The host's, among them `Interrupted`.
pub fn wait_readable(fd: BorrowedFd<'_>, milliseconds: i32) -> io::Result<bool> {
    wait_for(fd, libc::POLLIN, milliseconds)
}

/// Waits until a write would not block, at most `milliseconds`.
///
/// # Errors
/// The host's, among them `Interrupted`.
pub fn wait_writable(fd: BorrowedFd<'_>, milliseconds: i32) -> io::Result<bool> {
    wait_for(fd, libc::POLLOUT, milliseconds)
}

#[expect(unsafe_code, reason = "poll(2) takes a pointer")]
fn wait_for(fd: BorrowedFd<'_>, events: i16, milliseconds: i32) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: the pointer is to one pollfd that lives across the call.
    match unsafe { libc::poll(&raw mut poll, 1, milliseconds) } {
        -1 => Err(io::Error::last_os_error()),
        count => Ok(count > 0),
    }
}

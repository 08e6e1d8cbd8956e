//! A file mapped executable for as long as this process lives: by that `perf record` takes notice of a jitdump.
#![expect(unsafe_code, reason = "mmap is a C interface")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;

/// One page of the file, mapped.
#[derive(Debug)]
pub struct Marker(());

impl Marker {
    /// Maps the first page of a file. The mapping stays to the end of the process.
    ///
    /// # Errors
    /// The host's: for example where the file is on a file system that allows no execution.
    pub fn new(path: &Path) -> io::Result<Marker> {
        let file = File::open(path)?;
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: a new private mapping that nothing ever accesses.
        let mapped = unsafe {
            libc::mmap(
                ptr::null_mut(),
                4096,
                protection,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Marker(()))
    }
}

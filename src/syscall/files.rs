//! The guest's descriptor table.
//!
//! It starts with the three standard streams and nothing else; files come from granted directories only. Guest
//! numbers and flags go in, host files stay inside. What a descriptor may do is checked here, against the flags it
//! was opened with, since the host's may have to be opened for more (`O_RDONLY|O_CREAT`).

use super::abi::{Errno, Stat, flag};
use super::sandbox::{GuestPath, Place, Sandbox, normalize};
use super::stream::{OpenStream, StopRequested, StreamError, stops};
use crate::sys::fd as host_flag;
use crate::sys::fd::shows_processes;
use cap_std::fs::{Dir, Metadata, OpenOptions, OpenOptionsExt};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::Path;

/// The most descriptors open at one time.
pub(super) const MOST_OPEN: usize = 256;

#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    readable: bool,
    writable: bool,
    /// The guest path, for a directory: paths may be relative to it.
    directory: Option<GuestPath>,
}

#[derive(Debug)]
enum Handle {
    Stream(OpenStream),
    File(OpenFile),
}

/// Descriptors by number.
#[derive(Debug)]
pub(super) struct Files {
    table: Vec<Option<Handle>>,
    stop: StopRequested,
}

impl Files {
    pub(super) fn new(streams: [OpenStream; 3], stop: StopRequested) -> Files {
        Files {
            table: streams.map(|s| Some(Handle::Stream(s))).into(),
            stop,
        }
    }

    #[inline]
    fn get(&mut self, fd: u32) -> Result<&mut Handle, Errno> {
        self.table
            .get_mut(fd as usize)
            .and_then(Option::as_mut)
            .ok_or(Errno::EBADF)
    }

    /// Whether a read would not wait: there is something, the end, or an error.
    pub(super) fn has_input(&self, fd: u32) -> bool {
        match self.table.get(fd as usize) {
            Some(Some(Handle::Stream(stream))) => stream.has_input(),
            Some(Some(Handle::File(_))) => true,
            Some(None) | None => false,
        }
    }

    /// Whether a write of 4096 bytes would not wait for longer than these milliseconds.
    pub(super) fn has_room(&self, fd: u32, milliseconds: i32) -> bool {
        match self.table.get(fd as usize) {
            Some(Some(Handle::Stream(stream))) => stream.has_room(milliseconds),
            Some(_) | None => true,
        }
    }

    /// Whether somebody may be looking on as it is written.
    pub(super) fn is_terminal(&self, fd: u32) -> bool {
        match self.table.get(fd as usize) {
            Some(Some(Handle::Stream(stream))) => stream.is_terminal(),
            Some(_) | None => false,
        }
    }

    /// Whether somebody asked the run to stop.
    pub(super) fn stop(&self) -> &StopRequested {
        &self.stop
    }

    /// Whether the descriptor is open.
    pub(super) fn is_open(&self, fd: u32) -> bool {
        self.table.get(fd as usize).is_some_and(Option::is_some)
    }

    /// Whether there is anything but the three standard streams.
    pub(super) fn has_files(&self) -> bool {
        let stream = |handle: &Option<Handle>| matches!(handle, Some(Handle::Stream(_)));
        self.table.iter().take(3).filter(|h| stream(h)).count() != 3
            || self.table.iter().skip(3).any(Option::is_some)
    }

    /// Closes everything but the standard streams; false where one of them is closed: then nothing is.
    pub(super) fn close_files(&mut self) -> bool {
        let stream = |handle: &Option<Handle>| matches!(handle, Some(Handle::Stream(_)));
        let whole = self.table.iter().take(3).filter(|h| stream(h)).count() == 3;
        if whole {
            self.table.truncate(3);
        }
        whole
    }

    /// Whether one call may be answered with less than it asked for, although there is more.
    pub(super) fn is_stream(&self, fd: u32) -> bool {
        matches!(self.table.get(fd as usize), Some(Some(Handle::Stream(_))))
    }

    /// The directory that a descriptor is open on.
    pub(super) fn directory(&self, fd: u32) -> Result<&GuestPath, Errno> {
        match self.table.get(fd as usize) {
            Some(Some(Handle::File(file))) => file.directory.as_ref().ok_or(Errno::ENOTDIR),
            Some(Some(Handle::Stream(_))) => Err(Errno::ENOTDIR),
            Some(None) | None => Err(Errno::EBADF),
        }
    }

    /// One read from the host.
    pub(super) fn read(&mut self, fd: u32, bytes: &mut [u8]) -> Result<usize, StreamError> {
        let stop = self.stop.clone();
        match self.get(fd)? {
            Handle::Stream(stream) => stream.read(bytes, &stop),
            Handle::File(file) if !file.readable => Err(Errno::EBADF.into()),
            Handle::File(file) => loop {
                match file.file.read(bytes) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => interrupted(&stop)?,
                    result => return Ok(result.map_err(Errno::from)?),
                }
            },
        }
    }

    /// One write to the host.
    #[inline]
    pub(super) fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<usize, StreamError> {
        let stop = self.stop.clone();
        match self.get(fd)? {
            Handle::Stream(stream) => stream.write(bytes, &stop),
            Handle::File(file) if !file.writable => Err(Errno::EBADF.into()),
            Handle::File(file) => loop {
                match file.file.write(bytes) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => interrupted(&stop)?,
                    result => return Ok(result.map_err(Errno::from)?),
                }
            },
        }
    }

    /// Closes. The host's standard streams stay open.
    pub(super) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        self.get(fd)?;
        self.table[fd as usize] = None;
        Ok(())
    }

    /// Moves the position to `offset` from `whence` (0 start, 1 current, 2 end); returns where it then is, which
    /// must be something that a 32-bit `off_t` can hold.
    pub(super) fn seek(&mut self, fd: u32, offset: i32, whence: u32) -> Result<u32, Errno> {
        let handle = self.get(fd)?;
        let to = match whence {
            0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::EINVAL)?),
            1 => SeekFrom::Current(offset.into()),
            2 => SeekFrom::End(offset.into()),
            _ => return Err(Errno::EINVAL),
        };
        let mut seek = |to| -> Result<u64, Errno> {
            match handle {
                Handle::Stream(stream) => stream.seek(to),
                Handle::File(file) => Ok(file.file.seek(to)?),
            }
        };
        let before = seek(SeekFrom::Current(0))?;
        let after = seek(to)?;
        i32::try_from(after).map(i32::cast_unsigned).or_else(|_| {
            seek(SeekFrom::Start(before))?;
            Err(Errno::EOVERFLOW)
        })
    }

    /// What an open file is.
    pub(super) fn stat(&mut self, fd: u32) -> Result<Stat, Errno> {
        match self.get(fd)? {
            Handle::Stream(stream) => stream.stat(),
            Handle::File(file) => Ok(Stat::from_metadata(&Metadata::from_file(&file.file)?)),
        }
    }

    /// Opens a path with newlib's flags; the lowest free descriptor.
    pub(super) fn open(
        &mut self,
        sandbox: &Sandbox,
        base: &GuestPath,
        path: &[u8],
        flags: u32,
        mode: u32,
    ) -> Result<u32, Errno> {
        let free = self.table.iter().position(Option::is_none);
        let fd = free.unwrap_or(self.table.len());
        if fd >= MOST_OPEN {
            return Err(Errno::EMFILE);
        }
        let place = sandbox.place(base, path)?;
        let wanted = Wanted::parse(flags, mode)?;
        let file = wanted.open(&place)?;
        let is_dir = file.metadata()?.is_dir();
        let handle = Handle::File(OpenFile {
            file,
            readable: wanted.read,
            writable: wanted.write,
            directory: is_dir.then(|| normalize(base, path)),
        });
        if free.is_some() {
            self.table[fd] = Some(handle);
        } else {
            self.table.push(Some(handle));
        }
        u32::try_from(fd).map_err(|_| Errno::EMFILE)
    }
}

fn interrupted(stop: &StopRequested) -> Result<(), StreamError> {
    if stops(stop) {
        return Err(StreamError::Interrupted);
    }
    Ok(())
}

/// What the flags of an open ask for.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    read: bool,
    write: bool,
    flags: u32,
    mode: u32,
}

impl Wanted {
    fn parse(flags: u32, mode: u32) -> Result<Wanted, Errno> {
        let (read, write) = match flags & flag::ACCESS {
            0 => (true, false),
            1 => (false, true),
            2 => (true, true),
            _ => return Err(Errno::EINVAL),
        };
        let impossible = flag::CREAT | flag::DIRECTORY;
        if flags & !flag::KNOWN != 0 || flags & impossible == impossible {
            return Err(Errno::EINVAL);
        }
        Ok(Wanted {
            read,
            write,
            flags,
            mode: mode & 0o777,
        })
    }

    fn has(self, bit: u32) -> bool {
        self.flags & bit != 0
    }

    fn open(self, place: &Place<'_>) -> Result<File, Errno> {
        let Place { dir, rest, .. } = place;
        let dir: &Dir = dir;
        if self.has(flag::NOFOLLOW) && dir.symlink_metadata(rest).is_ok_and(|m| m.is_symlink()) {
            return Err(Errno::ELOOP);
        }
        if place.read_only {
            self.refuse_change(dir, rest)?;
        }
        let exclusive = self.has(flag::CREAT) && self.has(flag::EXCL);
        let create = self.has(flag::CREAT) && !place.read_only;
        if create && !self.write && !exclusive {
            // The host's interface creates only what it opens for writing, which an existing file may not allow.
            match dir.open_with(rest, &self.options(self.has(flag::TRUNC), false)) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                result => return self.finish(result?.into_std()),
            }
        }
        let write = self.write || create || self.has(flag::TRUNC);
        let mut options = self.options(write, self.has(flag::APPEND) && self.write);
        if exclusive {
            options.create_new(true);
        } else {
            options.create(create);
        }
        self.finish(dir.open_with(rest, &options)?.into_std())
    }

    fn options(self, write: bool, append: bool) -> OpenOptions {
        let mut options = OpenOptions::new();
        let mut custom = 0;
        if self.has(flag::NONBLOCK) {
            custom |= host_flag::O_NONBLOCK;
        }
        if self.has(flag::SYNC) {
            custom |= host_flag::O_SYNC;
        }
        options
            .read(self.read)
            .write(write)
            .append(append)
            .mode(self.mode)
            .custom_flags(custom);
        options
    }

    /// Refuses what the flags do not want, and only then empties the file where that was asked for: after the open,
    /// since the host's interface refuses some combinations that the guest's has.
    fn finish(self, file: File) -> Result<File, Errno> {
        let metadata = file.metadata()?;
        if self.has(flag::DIRECTORY) && !metadata.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        if self.has(flag::CREAT) && metadata.is_dir() {
            return Err(Errno::EISDIR);
        }
        // A program could write its own pages, whatever their permissions, and ours.
        if self.write && shows_processes(file.as_fd())? {
            return Err(Errno::EACCES);
        }
        if self.has(flag::TRUNC) && metadata.is_file() {
            file.set_len(0)?;
        }
        Ok(file)
    }

    /// On a read-only grant: fails where the call would change something, with what a read-only file system says.
    fn refuse_change(self, dir: &Dir, rest: &Path) -> Result<(), Errno> {
        match dir.metadata(rest) {
            Ok(_) if self.has(flag::CREAT) && self.has(flag::EXCL) => Err(Errno::EEXIST),
            Ok(metadata) if metadata.is_dir() && self.write => Err(Errno::EISDIR),
            Ok(_) if self.write || self.has(flag::TRUNC) => Err(Errno::EROFS),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound && self.has(flag::CREAT) => {
                Err(Errno::EROFS)
            }
            Err(error) => Err(error.into()),
        }
    }
}

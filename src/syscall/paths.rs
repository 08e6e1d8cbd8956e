//! System calls on paths.
//!
//! Each takes a directory descriptor and the guest address of a path. Calls with two paths never cross from one
//! granted directory into another (`EXDEV`): a link to a file of a read-only grant would make it writable.

use super::abi::{AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, Errno, Stat};
use super::sandbox::{GuestPath, Place, normalize, path_text};
use super::{Failure, Syscalls};
use crate::memory::Memory;
use crate::sys::fd::O_NONBLOCK;
use cap_std::fs::{
    DirBuilder, DirBuilderExt, MetadataExt, OpenOptions, OpenOptionsExt, PermissionsExt,
};

/// The longest path, with its NUL.
const PATH_MAX: usize = 4096;

/// Reads a path of the guest.
pub(super) fn read_path(memory: &mut Memory, addr: u32) -> Result<Vec<u8>, Errno> {
    let path = memory.read_c_string(addr, PATH_MAX)?;
    if path.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    Ok(path)
}

impl Syscalls {
    /// Where a relative path starts; an absolute one does not look at the descriptor.
    fn base(&self, dir: u32, path: &[u8]) -> Result<&GuestPath, Errno> {
        if path.starts_with(b"/") || AT_FDCWD.contains(&dir.cast_signed()) {
            Ok(&self.sandbox.cwd)
        } else {
            self.files.directory(dir)
        }
    }

    fn place(&self, dir: u32, path: &[u8]) -> Result<Place<'_>, Errno> {
        self.sandbox.place(self.base(dir, path)?, path)
    }

    pub(super) fn open_at(
        &mut self,
        memory: &mut Memory,
        dir: u32,
        path: u32,
        flags: u32,
        mode: u32,
    ) -> Result<u32, Failure> {
        let path = read_path(memory, path)?;
        let base = self.base(dir, &path)?.clone();
        Ok(self.open(&base, &path, flags, mode)?)
    }

    /// Opens a file; notes the first that fails because nothing is granted.
    pub(super) fn open(
        &mut self,
        base: &GuestPath,
        path: &[u8],
        flags: u32,
        mode: u32,
    ) -> Result<u32, Errno> {
        let opened = self.files.open(&self.sandbox, base, path, flags, mode);
        if opened.is_err() && self.sandbox.is_empty() {
            self.notes.not_granted(path);
        }
        opened
    }

    pub(super) fn stat_at(
        &mut self,
        memory: &mut Memory,
        dir: u32,
        path: u32,
        addr: u32,
        flags: u32,
    ) -> Result<u32, Failure> {
        let path = read_path(memory, path)?;
        let place = self.place(dir, &path)?;
        let metadata = if flags & AT_SYMLINK_NOFOLLOW == 0 {
            place.dir.metadata(&place.rest)?
        } else {
            place.dir.symlink_metadata(&place.rest)?
        };
        let stat = Stat::from_metadata(&metadata).encode(self.stat_layout);
        memory.write(addr, &stat)?;
        Ok(0)
    }

    /// `access`: 4 read, 2 write, 1 execute. Whether a file can be read or written is found by opening it, since
    /// permission bits alone do not tell.
    pub(super) fn access_at(
        &mut self,
        memory: &mut Memory,
        dir: u32,
        path: u32,
        mode: u32,
    ) -> Result<u32, Failure> {
        let path = read_path(memory, path)?;
        if mode & !7 != 0 {
            return Err(Errno::EINVAL.into());
        }
        let place = self.place(dir, &path)?;
        let metadata = place.dir.metadata(&place.rest)?;
        let (read, write, execute) = (mode & 4 != 0, mode & 2 != 0, mode & 1 != 0);
        if write && place.read_only {
            return Err(Errno::EROFS.into());
        }
        let bits = metadata.mode();
        if metadata.is_file() && (read || write) {
            let mut options = OpenOptions::new();
            options.read(read).write(write).custom_flags(O_NONBLOCK);
            place.dir.open_with(&place.rest, &options)?;
        } else if (read && bits & 0o444 == 0) || (write && bits & 0o222 == 0) {
            return Err(Errno::EACCES.into());
        }
        if execute && metadata.permissions().mode() & 0o111 == 0 {
            return Err(Errno::EACCES.into());
        }
        Ok(0)
    }

    pub(super) fn unlink_at(
        &mut self,
        memory: &mut Memory,
        dir: u32,
        path: u32,
        flags: u32,
    ) -> Result<u32, Failure> {
        let path = read_path(memory, path)?;
        if flags & !AT_REMOVEDIR != 0 {
            return Err(Errno::EINVAL.into());
        }
        Ok(self.unlink(dir, &path, flags & AT_REMOVEDIR != 0)?)
    }

    pub(super) fn unlink(&self, dir: u32, path: &[u8], remove_dir: bool) -> Result<u32, Errno> {
        let place = self.place(dir, path)?;
        // What is not there cannot be told to be read-only.
        let is_dir = place.dir.symlink_metadata(&place.rest)?.is_dir();
        let place = place.for_change()?;
        if place.is_root() {
            return Err(Errno::EBUSY);
        }
        if remove_dir {
            place.dir.remove_dir(&place.rest)?;
        } else if is_dir {
            // Hosts differ in what they say here.
            return Err(Errno::EISDIR);
        } else {
            place.dir.remove_file(&place.rest)?;
        }
        Ok(0)
    }

    /// Both paths of a call that makes one name from another: in one grant that may be changed.
    fn two_places(
        &self,
        from: (u32, &[u8]),
        to: (u32, &[u8]),
    ) -> Result<(Place<'_>, Place<'_>), Errno> {
        let (from, to) = (self.place(from.0, from.1)?, self.place(to.0, to.1)?);
        from.dir.symlink_metadata(&from.rest)?;
        let (from, to) = (from.for_change()?, to.for_change()?);
        if from.grant != to.grant {
            return Err(Errno::EXDEV);
        }
        if from.is_root() || to.is_root() {
            return Err(Errno::EBUSY);
        }
        Ok((from, to))
    }

    /// `link`; each end is directory descriptor and address of the path.
    pub(super) fn link_at(
        &mut self,
        memory: &mut Memory,
        from: [u32; 2],
        to: [u32; 2],
    ) -> Result<u32, Failure> {
        let (old, new) = (read_path(memory, from[1])?, read_path(memory, to[1])?);
        let (from, to) = self.two_places((from[0], &old), (to[0], &new))?;
        from.dir.hard_link(&from.rest, to.dir, &to.rest)?;
        Ok(0)
    }

    /// `rename`; each end is directory descriptor and address of the path.
    pub(super) fn rename_at(
        &mut self,
        memory: &mut Memory,
        from: [u32; 2],
        to: [u32; 2],
    ) -> Result<u32, Failure> {
        let (old, new) = (read_path(memory, from[1])?, read_path(memory, to[1])?);
        Ok(self.rename((from[0], &old), (to[0], &new))?)
    }

    pub(super) fn rename(&self, from: (u32, &[u8]), to: (u32, &[u8])) -> Result<u32, Errno> {
        let (from, to) = self.two_places(from, to)?;
        from.dir.rename(&from.rest, to.dir, &to.rest)?;
        Ok(0)
    }

    pub(super) fn mkdir_at(
        &mut self,
        memory: &mut Memory,
        dir: u32,
        path: u32,
        mode: u32,
    ) -> Result<u32, Failure> {
        let path = read_path(memory, path)?;
        let place = self.place(dir, &path)?;
        if place.dir.symlink_metadata(&place.rest).is_ok() {
            return Err(Errno::EEXIST.into());
        }
        let place = place.for_change()?;
        let mut builder = DirBuilder::new();
        builder.mode(mode & 0o777);
        place.dir.create_dir_with(&place.rest, &builder)?;
        Ok(0)
    }

    /// `getcwd(buffer, size)`: returns the length with its NUL, as Linux does.
    pub(super) fn getcwd(
        &mut self,
        memory: &mut Memory,
        addr: u32,
        size: u32,
    ) -> Result<u32, Failure> {
        let mut text = path_text(&self.sandbox.cwd);
        text.push(0);
        let len = u32::try_from(text.len()).map_err(|_| Errno::ENAMETOOLONG)?;
        if len > size {
            return Err(Errno::ERANGE.into());
        }
        memory.write(addr, &text)?;
        Ok(len)
    }

    pub(super) fn chdir(&mut self, memory: &mut Memory, path: u32) -> Result<u32, Failure> {
        let path = read_path(memory, path)?;
        let target = normalize(&self.sandbox.cwd, &path);
        // Both must be a directory: what the path leads to, and the name under which it is remembered.
        for path in [path, path_text(&target)] {
            let place = self.sandbox.place(&self.sandbox.cwd, &path)?;
            if !place.dir.metadata(&place.rest)?.is_dir() {
                return Err(Errno::ENOTDIR.into());
            }
        }
        self.sandbox.cwd = target;
        Ok(0)
    }
}

//! The numbers of newlib's RISC-V ABI: system calls, error numbers, open flags, structure layouts.
//!
//! They come from newlib's published headers (`machine/syscall.h`, `sys/errno.h`, `sys/_default_fcntl.h`,
//! `kernel_stat.h`). Few of them are Linux's, so nothing here may be passed to the host untranslated.

use crate::memory::Fault;
use crate::sys::errno as host;
use cap_std::fs::{Metadata, MetadataExt};
use std::fmt;
use std::io;

/// System call numbers (a7).
pub mod nr {
    #![expect(
        missing_docs,
        reason = "the names are those of the C functions they serve"
    )]
    pub const GETCWD: u32 = 17;
    pub const MKDIRAT: u32 = 34;
    pub const UNLINKAT: u32 = 35;
    pub const LINKAT: u32 = 37;
    pub const RENAMEAT: u32 = 38;
    pub const FACCESSAT: u32 = 48;
    pub const CHDIR: u32 = 49;
    pub const OPENAT: u32 = 56;
    pub const CLOSE: u32 = 57;
    pub const LSEEK: u32 = 62;
    pub const READ: u32 = 63;
    pub const WRITE: u32 = 64;
    pub const FSTATAT: u32 = 79;
    pub const FSTAT: u32 = 80;
    pub const EXIT: u32 = 93;
    pub const EXIT_GROUP: u32 = 94;
    pub const CLOCK_GETTIME: u32 = 113;
    pub const KILL: u32 = 129;
    pub const TIMES: u32 = 153;
    pub const GETTIMEOFDAY: u32 = 169;
    pub const GETPID: u32 = 172;
    pub const BRK: u32 = 214;
    pub const RENAMEAT2: u32 = 276;
    pub const CLOCK_GETTIME64: u32 = 403;
    pub const OPEN: u32 = 1024;
    pub const LINK: u32 = 1025;
    pub const UNLINK: u32 = 1026;
    pub const MKDIR: u32 = 1030;
    pub const ACCESS: u32 = 1033;
    pub const RENAME: u32 = 1034;
    pub const STAT: u32 = 1038;
    pub const LSTAT: u32 = 1039;
    pub const TIME: u32 = 1062;
}

/// Open flags, in newlib's numbers.
pub mod flag {
    /// The access mode: 0 read, 1 write, 2 both.
    pub const ACCESS: u32 = 3;
    /// Every write goes to the end.
    pub const APPEND: u32 = 0x8;
    /// Create the file where there is none.
    pub const CREAT: u32 = 0x200;
    /// Empty the file.
    pub const TRUNC: u32 = 0x400;
    /// With `CREAT`: fail where there is one.
    pub const EXCL: u32 = 0x800;
    /// Writes reach the disk.
    pub const SYNC: u32 = 0x2000;
    /// Do not wait.
    pub const NONBLOCK: u32 = 0x4000;
    /// No effect here.
    pub const NOCTTY: u32 = 0x8000;
    /// No effect here.
    pub const BINARY: u32 = 0x1_0000;
    /// No effect here.
    pub const TEXT: u32 = 0x2_0000;
    /// No effect here.
    pub const CLOEXEC: u32 = 0x4_0000;
    /// No effect here.
    pub const DIRECT: u32 = 0x8_0000;
    /// Fail on a symbolic link.
    pub const NOFOLLOW: u32 = 0x10_0000;
    /// Fail on anything but a directory.
    pub const DIRECTORY: u32 = 0x20_0000;
    /// No effect here.
    pub const NOATIME: u32 = 0x100_0000;
    /// Every flag that has a meaning; others are refused.
    pub const KNOWN: u32 = ACCESS
        | APPEND
        | CREAT
        | TRUNC
        | EXCL
        | SYNC
        | NONBLOCK
        | NOCTTY
        | BINARY
        | TEXT
        | CLOEXEC
        | DIRECT
        | NOFOLLOW
        | DIRECTORY
        | NOATIME;
}

/// "The current directory" as a directory descriptor: newlib's number, and Linux's.
pub const AT_FDCWD: [i32; 2] = [-2, -100];
/// `AT_SYMLINK_NOFOLLOW`: newlib's number or Linux's.
pub const AT_SYMLINK_NOFOLLOW: u32 = 0x2 | 0x100;
/// What `fstatat` understands: also `AT_NO_AUTOMOUNT`, which changes nothing here.
pub const FSTATAT_FLAGS: u32 = AT_SYMLINK_NOFOLLOW | 0x800;
/// `AT_REMOVEDIR`: newlib's number or Linux's.
pub const AT_REMOVEDIR: u32 = 0x8 | 0x200;

macro_rules! errnos {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// A guest error number, as `sys/errno.h` of newlib has it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each name's message is its documentation")]
        pub enum Errno { $($name = $number),* }

        impl Errno {
            /// Every one that can come up.
            pub const ALL: &[Errno] = &[$(Errno::$name),*];

            /// The C name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name)),* }
            }

            /// What `strerror` says.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Errno::$name => $text),* }
            }
        }
    };
}
errnos! {
    EPERM = 1, "Operation not permitted";
    ENOENT = 2, "No such file or directory";
    ESRCH = 3, "No such process";
    EINTR = 4, "Interrupted system call";
    EIO = 5, "Input/output error";
    ENXIO = 6, "No such device or address";
    E2BIG = 7, "Argument list too long";
    EBADF = 9, "Bad file descriptor";
    EAGAIN = 11, "Resource temporarily unavailable";
    ENOMEM = 12, "Cannot allocate memory";
    EACCES = 13, "Permission denied";
    EFAULT = 14, "Bad address";
    EBUSY = 16, "Device or resource busy";
    EEXIST = 17, "File exists";
    EXDEV = 18, "Invalid cross-device link";
    ENODEV = 19, "No such device";
    ENOTDIR = 20, "Not a directory";
    EISDIR = 21, "Is a directory";
    EINVAL = 22, "Invalid argument";
    ENFILE = 23, "Too many open files in system";
    EMFILE = 24, "Too many open files";
    ENOTTY = 25, "Inappropriate ioctl for device";
    ETXTBSY = 26, "Text file busy";
    EFBIG = 27, "File too large";
    ENOSPC = 28, "No space left on device";
    ESPIPE = 29, "Illegal seek";
    EROFS = 30, "Read-only file system";
    EMLINK = 31, "Too many links";
    EPIPE = 32, "Broken pipe";
    ERANGE = 34, "Numerical result out of range";
    EDEADLK = 45, "Resource deadlock avoided";
    ENOLCK = 46, "No locks available";
    ENOSYS = 88, "Function not implemented";
    ENOTEMPTY = 90, "Directory not empty";
    ENAMETOOLONG = 91, "File name too long";
    ELOOP = 92, "Too many levels of symbolic links";
    EOPNOTSUPP = 95, "Operation not supported on socket";
    ETIMEDOUT = 116, "Connection timed out";
    EDQUOT = 132, "Disk quota exceeded";
    ESTALE = 133, "Stale file handle";
    EILSEQ = 138, "Invalid or incomplete multibyte or wide character";
    EOVERFLOW = 139, "Value too large for defined data type";
}

impl Errno {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// What a0 holds after a call that failed: the negative number.
    #[must_use]
    pub const fn result(self) -> u32 {
        self.number().wrapping_neg()
    }

    /// The one that a result is, where it is one.
    #[must_use]
    pub fn from_result(result: u32) -> Option<Errno> {
        let number = result.wrapping_neg();
        Errno::ALL.iter().copied().find(|e| e.number() == number)
    }

    /// The guest's number for what the host answered. What has no number of its own is an input/output error.
    #[must_use]
    pub fn from_host(error: &io::Error) -> Errno {
        // An error without a number is the sandbox's: a path that leads out of a granted directory.
        error
            .raw_os_error()
            .map_or_else(|| from_kind(error.kind()), from_host_number)
    }
}

fn from_kind(kind: io::ErrorKind) -> Errno {
    if kind == io::ErrorKind::PermissionDenied {
        Errno::EACCES
    } else if kind == io::ErrorKind::NotFound {
        Errno::ENOENT
    } else if kind == io::ErrorKind::BrokenPipe {
        Errno::EPIPE
    } else if kind == io::ErrorKind::InvalidInput {
        Errno::EINVAL
    } else {
        Errno::EIO
    }
}

fn from_host_number(number: i32) -> Errno {
    match number {
        host::EPERM => Errno::EPERM,
        host::ENOENT => Errno::ENOENT,
        host::ESRCH => Errno::ESRCH,
        host::EINTR => Errno::EINTR,
        host::EIO => Errno::EIO,
        host::ENXIO => Errno::ENXIO,
        host::E2BIG => Errno::E2BIG,
        host::EBADF => Errno::EBADF,
        host::EAGAIN => Errno::EAGAIN,
        host::ENOMEM => Errno::ENOMEM,
        host::EACCES => Errno::EACCES,
        host::EFAULT => Errno::EFAULT,
        host::EBUSY => Errno::EBUSY,
        host::EEXIST => Errno::EEXIST,
        host::EXDEV => Errno::EXDEV,
        host::ENODEV => Errno::ENODEV,
        host::ENOTDIR => Errno::ENOTDIR,
        host::EISDIR => Errno::EISDIR,
        host::EINVAL => Errno::EINVAL,
        host::ENFILE => Errno::ENFILE,
        host::EMFILE => Errno::EMFILE,
        host::ENOTTY => Errno::ENOTTY,
        host::ETXTBSY => Errno::ETXTBSY,
        host::EFBIG => Errno::EFBIG,
        host::ENOSPC => Errno::ENOSPC,
        host::ESPIPE => Errno::ESPIPE,
        host::EROFS => Errno::EROFS,
        host::EMLINK => Errno::EMLINK,
        host::EPIPE => Errno::EPIPE,
        host::ERANGE => Errno::ERANGE,
        host::EDEADLK => Errno::EDEADLK,
        host::ENOLCK => Errno::ENOLCK,
        host::ENOSYS => Errno::ENOSYS,
        host::ENOTEMPTY => Errno::ENOTEMPTY,
        host::ENAMETOOLONG => Errno::ENAMETOOLONG,
        host::ELOOP => Errno::ELOOP,
        // One number on Linux, two on macOS.
        number if number == host::ENOTSUP || number == host::EOPNOTSUPP => Errno::EOPNOTSUPP,
        host::ETIMEDOUT => Errno::ETIMEDOUT,
        host::EDQUOT => Errno::EDQUOT,
        host::ESTALE => Errno::ESTALE,
        host::EILSEQ => Errno::EILSEQ,
        host::EOVERFLOW => Errno::EOVERFLOW,
        _ => Errno::EIO,
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.message())
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Errno {
        Errno::from_host(&error)
    }
}

impl From<Fault> for Errno {
    fn from(_: Fault) -> Errno {
        Errno::EFAULT
    }
}

/// How wide the times in `struct stat` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatLayout {
    /// 128 bytes, times of 16: a 64-bit `time_t`, as every newlib since 3.0 has on RV32.
    #[default]
    Time64,
    /// 104 bytes, times of 8 at offsets 72, 80 and 88: older newlib. Not detectable, so somebody must say so.
    Time32,
}

/// What `struct stat` says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stat {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device that a special file is.
    pub rdev: u64,
    /// Bytes.
    pub size: u64,
    /// Best size of a transfer, bytes.
    pub blksize: u32,
    /// Blocks of 512 bytes.
    pub blocks: u64,
    /// Last access, last modification, last change of status: seconds and nanoseconds.
    pub times: [(i64, u32); 3],
}

impl Stat {
    /// From the host's.
    #[must_use]
    pub fn from_metadata(metadata: &Metadata) -> Stat {
        let nanos = |n: i64| u32::try_from(n).unwrap_or(0);
        Stat {
            dev: metadata.dev(),
            ino: metadata.ino(),
            mode: metadata.mode(),
            nlink: u32::try_from(metadata.nlink()).unwrap_or(u32::MAX),
            uid: metadata.uid(),
            gid: metadata.gid(),
            rdev: metadata.rdev(),
            size: metadata.size(),
            blksize: u32::try_from(metadata.blksize()).unwrap_or(4096),
            blocks: metadata.blocks(),
            times: [
                (metadata.atime(), nanos(metadata.atime_nsec())),
                (metadata.mtime(), nanos(metadata.mtime_nsec())),
                (metadata.ctime(), nanos(metadata.ctime_nsec())),
            ],
        }
    }

    /// The guest's `struct stat`: every byte of it, padding too.
    #[must_use]
    pub fn encode(&self, layout: StatLayout) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend(self.dev.to_le_bytes());
        bytes.extend(self.ino.to_le_bytes());
        for word in [self.mode, self.nlink, self.uid, self.gid] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(self.rdev.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.blksize.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.blocks.to_le_bytes());
        for (seconds, nanos) in self.times {
            match layout {
                StatLayout::Time64 => bytes.extend(time64(seconds, nanos)),
                StatLayout::Time32 => {
                    bytes.extend(&seconds.to_le_bytes()[..4]);
                    bytes.extend(nanos.to_le_bytes());
                }
            }
        }
        bytes.extend([0; 8]);
        bytes
    }
}

/// `{ i64 seconds, i32 fraction, i32 padding }`: the layout of `struct timeval` and `struct timespec` on RV32.
#[must_use]
pub fn time64(seconds: i64, fraction: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seconds.to_le_bytes());
    bytes[8..12].copy_from_slice(&fraction.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_layout_matches_the_kernel_stat_of_libgloss() {
        let stat = Stat {
            dev: 0x11,
            ino: 0x22,
            mode: 0o100_644,
            nlink: 3,
            uid: 4,
            gid: 5,
            rdev: 6,
            size: 0x1_0000_0007,
            blksize: 4096,
            blocks: 8,
            times: [(9, 10), (11, 12), (-13, 14)],
        };
        let bytes = stat.encode(StatLayout::Time64);
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(bytes.len(), 128);
        let expected = [
            (0, 0x11),
            (8, 0x22),
            (16, 0o100_644),
            (20, 3),
            (24, 4),
            (28, 5),
            (32, 6),
            (40, 0),
            (48, 7),
            (52, 1),
            (56, 4096),
            (64, 8),
            (72, 9),
            (80, 10),
            (88, 11),
            (96, 12),
            (104, 13u32.wrapping_neg()),
            (108, u32::MAX),
            (112, 14),
            (120, 0),
        ];
        for (at, value) in expected {
            assert_eq!(word(at), value, "offset {at}");
        }
        let old = stat.encode(StatLayout::Time32);
        assert_eq!(old.len(), 104);
        assert_eq!(&old[..72], &bytes[..72]);
        assert_eq!(old[80..88], [11, 0, 0, 0, 12, 0, 0, 0]);
    }

    #[test]
    fn errors_have_the_guest_number() {
        let cases = [
            (host::ENOENT, 2),
            (host::EAGAIN, 11),
            (host::EDEADLK, 45),
            (host::ENOLCK, 46),
            (host::ENOSYS, 88),
            (host::ENOTEMPTY, 90),
            (host::ENAMETOOLONG, 91),
            (host::ELOOP, 92),
            (host::ETIMEDOUT, 116),
            (host::EILSEQ, 138),
            (host::EOVERFLOW, 139),
            (9999, 5),
        ];
        for (number, guest) in cases {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(Errno::from_host(&error).number(), guest, "{error}");
        }
    }

    #[test]
    fn results_name_their_error() {
        for &errno in Errno::ALL {
            assert_eq!(Errno::from_result(errno.result()), Some(errno));
        }
        assert_eq!(Errno::from_result(5), None);
        assert_eq!(Errno::ENOSYS.result(), (-88i32).cast_unsigned());
    }
}

//! What a program asked for in vain: calls that are not there, files where nothing is granted, a heap that is refused.
//!
//! Programs often go on after such an answer and do less than they should, without a word. So the first of each kind is
//! kept for whoever tells how the run ended. A program may ask for ever: what is kept is bounded.

/// The most calls that are kept: a program may try all numbers.
const MOST_MISSING: usize = 64;
/// The most bytes of a path that are kept.
const LONGEST_PATH: usize = 256;

/// A call that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A system call of this number, the failure of which is `ENOSYS`.
    System(u32),
    /// A semihosting operation of this number.
    Semihosting(u32),
}

/// A break that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedBreak {
    /// What was asked for.
    pub to: u32,
    /// Where the heap must end, as something else lies there; `None`: it is more than memory's limit.
    pub limit: Option<u32>,
}

/// What a program asked for in vain.
#[derive(Debug, Default)]
pub struct Notes {
    missing: Vec<Missing>,
    ungranted: Option<Vec<u8>>,
}

impl Notes {
    /// Calls that are not there, each once, in the order in which they were made first.
    #[must_use]
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// The first path that could not be opened because no directory is granted.
    #[must_use]
    pub fn ungranted(&self) -> Option<&[u8]> {
        self.ungranted.as_deref()
    }

    /// Notes a call; true for the first of its number.
    pub(super) fn miss(&mut self, call: Missing) -> bool {
        let first = self.missing.len() < MOST_MISSING && !self.missing.contains(&call);
        if first {
            self.missing.push(call);
        }
        first
    }

    pub(super) fn not_granted(&mut self, path: &[u8]) {
        self.ungranted
            .get_or_insert_with(|| path[..path.len().min(LONGEST_PATH)].to_vec());
    }
}

/// The name that Linux has for a system call of this number, where it is none of ours (asm-generic/unistd.h, as RV32 has
/// it). Of its three hundred those that C libraries and the run times of languages make by themselves.
#[must_use]
pub fn linux_name(number: u32) -> Option<&'static str> {
    Some(match number {
        19 => "eventfd2",
        20 => "epoll_create1",
        23 => "dup",
        24 => "dup3",
        25 => "fcntl",
        29 => "ioctl",
        36 => "symlinkat",
        43 => "statfs64",
        44 => "fstatfs64",
        45 => "truncate64",
        46 => "ftruncate64",
        52 => "fchmod",
        53 => "fchmodat",
        54 => "fchownat",
        55 => "fchown",
        59 => "pipe2",
        61 => "getdents64",
        65 => "readv",
        66 => "writev",
        67 => "pread64",
        68 => "pwrite64",
        69 => "preadv",
        70 => "pwritev",
        71 => "sendfile64",
        78 => "readlinkat",
        82 => "fsync",
        83 => "fdatasync",
        96 => "set_tid_address",
        98 => "futex",
        99 => "set_robust_list",
        123 => "sched_getaffinity",
        124 => "sched_yield",
        130 => "tkill",
        131 => "tgkill",
        132 => "sigaltstack",
        133 => "rt_sigsuspend",
        134 => "rt_sigaction",
        135 => "rt_sigprocmask",
        139 => "rt_sigreturn",
        160 => "uname",
        165 => "getrusage",
        166 => "umask",
        167 => "prctl",
        173 => "getppid",
        174 => "getuid",
        175 => "geteuid",
        176 => "getgid",
        177 => "getegid",
        178 => "gettid",
        179 => "sysinfo",
        198 => "socket",
        203 => "connect",
        215 => "munmap",
        216 => "mremap",
        220 => "clone",
        221 => "execve",
        222 => "mmap2",
        226 => "mprotect",
        233 => "madvise",
        258 => "riscv_hwprobe",
        259 => "riscv_flush_icache",
        261 => "prlimit64",
        278 => "getrandom",
        291 => "statx",
        293 => "rseq",
        406 => "clock_getres_time64",
        407 => "clock_nanosleep_time64",
        412 => "utimensat_time64",
        413 => "pselect6_time64",
        414 => "ppoll_time64",
        422 => "futex_time64",
        435 => "clone3",
        436 => "close_range",
        439 => "faccessat2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_kept_once_and_not_without_end() {
        let mut notes = Notes::default();
        assert!(notes.miss(Missing::System(66)));
        assert!(!notes.miss(Missing::System(66)));
        assert!(notes.miss(Missing::Semihosting(66)));
        (1000..100_000).for_each(|number| {
            notes.miss(Missing::System(number));
        });
        assert_eq!(notes.missing().len(), MOST_MISSING);
        notes.not_granted(&[b'x'; 4000]);
        notes.not_granted(b"y");
        assert_eq!(notes.ungranted(), Some(&[b'x'; LONGEST_PATH][..]));
    }

    #[test]
    fn no_name_is_of_a_call_that_is_there() {
        for number in 0..2000 {
            let both = linux_name(number).and(crate::syscall::strace::name(number));
            assert_eq!(both, None, "{number}");
        }
    }
}

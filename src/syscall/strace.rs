//! Calls as text, in the form that strace made familiar.
//!
//! A [`CallRecord`] is numbers only, so that keeping the last few costs nothing; their text looks at guest memory, and
//! so is exact only right after the call.

use super::abi::{AT_FDCWD, Errno, flag, nr};
use crate::memory::Memory;
use std::fmt::Write;

/// Whose calls it is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// newlib's.
    System,
    /// Semihosting.
    Semihosting,
    /// RISC Zero's.
    Risc0,
    /// SP1's.
    Sp1,
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRecord {
    /// Whose call.
    pub kind: CallKind,
    /// Its number.
    pub number: u32,
    /// a0 to a5 as they were; of a semihosting call its one parameter.
    pub args: [u32; 6],
    /// What a0, or SP1's t0, became; `None` for a call that does not return.
    pub result: Option<u32>,
}

/// How many calls are kept.
const KEPT: usize = 16;

/// The last calls.
#[derive(Debug, Default)]
pub(super) struct Ring {
    calls: [Option<CallRecord>; KEPT],
    next: usize,
}

impl Ring {
    #[inline]
    pub(super) fn push(&mut self, record: CallRecord) {
        self.calls[self.next % KEPT] = Some(record);
        self.next = (self.next + 1) % KEPT;
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &CallRecord> {
        let (newer, older) = self.calls.split_at(self.next);
        older.iter().chain(newer).flatten()
    }
}

/// How an argument is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arg {
    Int,
    Ptr,
    /// Directory descriptor.
    Dir,
    /// Address of a path.
    Path,
    /// Open flags; the argument after it is shown only where they create.
    Flags,
    /// Permission bits.
    Mode,
    /// Address of bytes that the call takes; their number is the next argument.
    In,
    /// Address of bytes that the call gives; their number is its result.
    Out,
    Whence,
}

/// Longest text of bytes and of paths.
const SHOWN_BYTES: usize = 32;
const SHOWN_PATH: usize = 256;

fn signature(number: u32) -> Option<(&'static str, &'static [Arg])> {
    use Arg::{Dir, Flags, In, Int, Mode, Out, Path, Ptr, Whence};
    Some(match number {
        nr::GETCWD => ("getcwd", &[Ptr, Int]),
        nr::MKDIRAT => ("mkdirat", &[Dir, Path, Mode]),
        nr::UNLINKAT => ("unlinkat", &[Dir, Path, Int]),
        nr::LINKAT => ("linkat", &[Dir, Path, Dir, Path, Int]),
        nr::RENAMEAT => ("renameat", &[Dir, Path, Dir, Path]),
        nr::FACCESSAT => ("faccessat", &[Dir, Path, Int]),
        nr::CHDIR => ("chdir", &[Path]),
        nr::OPENAT => ("openat", &[Dir, Path, Flags, Mode]),
        nr::CLOSE => ("close", &[Int]),
        nr::LSEEK => ("lseek", &[Int, Int, Whence]),
        nr::READ => ("read", &[Int, Out, Int]),
        nr::WRITE => ("write", &[Int, In, Int]),
        nr::FSTATAT => ("fstatat", &[Dir, Path, Ptr, Int]),
        nr::FSTAT => ("fstat", &[Int, Ptr]),
        nr::EXIT => ("exit", &[Int]),
        nr::EXIT_GROUP => ("exit_group", &[Int]),
        nr::CLOCK_GETTIME => ("clock_gettime", &[Int, Ptr]),
        nr::KILL => ("kill", &[Int, Int]),
        nr::TIMES => ("times", &[Ptr]),
        nr::GETTIMEOFDAY => ("gettimeofday", &[Ptr, Ptr]),
        nr::GETPID => ("getpid", &[]),
        nr::BRK => ("brk", &[Ptr]),
        nr::RENAMEAT2 => ("renameat2", &[Dir, Path, Dir, Path, Int]),
        nr::CLOCK_GETTIME64 => ("clock_gettime64", &[Int, Ptr]),
        nr::OPEN => ("open", &[Path, Flags, Mode]),
        nr::LINK => ("link", &[Path, Path]),
        nr::UNLINK => ("unlink", &[Path]),
        nr::MKDIR => ("mkdir", &[Path, Mode]),
        nr::ACCESS => ("access", &[Path, Int]),
        nr::RENAME => ("rename", &[Path, Path]),
        nr::STAT => ("stat", &[Path, Ptr]),
        nr::LSTAT => ("lstat", &[Path, Ptr]),
        nr::TIME => ("time", &[Ptr]),
        _ => return None,
    })
}

/// The name of a system call; `None` for one that does not exist here.
#[must_use]
pub fn name(number: u32) -> Option<&'static str> {
    signature(number).map(|(name, _)| name)
}

impl CallRecord {
    /// `write(1, "hello\n", 6) = 6`. Strings are what memory holds now.
    #[must_use]
    pub fn text(&self, memory: &Memory) -> String {
        self.render(Some(memory))
    }

    /// The same with addresses for strings, as long after the call nobody knows what was there.
    #[must_use]
    pub fn text_without_memory(&self) -> String {
        self.render(None)
    }

    fn render(&self, memory: Option<&Memory>) -> String {
        let mut text = String::new();
        if let CallKind::Risc0 | CallKind::Sp1 = self.kind {
            self.render_zkvm(&mut text, memory);
            return text;
        }
        if self.kind == CallKind::Semihosting {
            let name = super::semihosting::name(self.number);
            let parameter = self.args[0];
            let _ = match name {
                Some(name) => write!(text, "semihosting {name}({parameter:#x})"),
                None => write!(text, "semihosting {:#x}({parameter:#x})", self.number),
            };
            let _ = match self.result {
                Some(value) => write!(text, " = {}", value.cast_signed()),
                None => write!(text, " = ?"),
            };
            return text;
        }
        match signature(self.number) {
            Some((name, args)) => {
                let _ = write!(text, "{name}(");
                self.render_args(&mut text, args, memory);
            }
            None => {
                let _ = write!(text, "syscall_{}(", self.number);
                self.render_args(&mut text, &[Arg::Ptr; 6], None);
            }
        }
        text.push_str(") = ");
        let _ = match self.result.map(|value| (value, Errno::from_result(value))) {
            None => write!(text, "?"),
            Some((_, Some(errno))) if self.number != nr::BRK => write!(text, "-1 {errno}"),
            Some((value, _)) if self.number == nr::BRK => {
                let refused = self.args[0] > value;
                let why = if refused { " (refused: --memory)" } else { "" };
                write!(text, "{value:#x}{why}")
            }
            Some((value, _)) => write!(text, "{}", value.cast_signed()),
        };
        text
    }

    fn render_zkvm(&self, text: &mut String, memory: Option<&Memory>) {
        let [a0, a1, a2, ..] = self.args;
        let host_name = match (self.kind, memory) {
            (CallKind::Risc0, Some(memory)) => super::zkvm::host_name(self.number, a2, memory),
            _ => None,
        };
        let (whose, name) = match self.kind {
            CallKind::Sp1 => ("sp1", super::zkvm::sp1_name(self.number)),
            _ => ("risc0", super::zkvm::risc0_name(self.number)),
        };
        let _ = match host_name.as_deref().or(name) {
            Some(name) => write!(text, "{whose} {name}({a0:#x}, {a1:#x}, {a2:#x})"),
            None => write!(
                text,
                "{whose} {:#x}({a0:#x}, {a1:#x}, {a2:#x})",
                self.number
            ),
        };
        let _ = match self.result {
            Some(value) => write!(text, " = {value:#x}"),
            None => write!(text, " = ?"),
        };
    }

    fn render_args(&self, text: &mut String, args: &[Arg], memory: Option<&Memory>) {
        for (n, &arg) in args.iter().enumerate() {
            let creates =
                n == 0 || args[n - 1] != Arg::Flags || self.args[n - 1] & flag::CREAT != 0;
            if !creates {
                break;
            }
            if n > 0 {
                text.push_str(", ");
            }
            let value = self.args[n];
            let _ = match (arg, memory) {
                (Arg::Dir, _) if AT_FDCWD.contains(&value.cast_signed()) => {
                    write!(text, "AT_FDCWD")
                }
                (Arg::Int | Arg::Dir, _) => write!(text, "{}", value.cast_signed()),
                (Arg::Path, Some(memory)) => render_path(text, memory, value),
                (Arg::In, Some(memory)) => render_bytes(text, memory, value, self.args[n + 1]),
                (Arg::Out, Some(memory)) => match self.result {
                    Some(count) if count.cast_signed() >= 0 => {
                        render_bytes(text, memory, value, count)
                    }
                    Some(_) | None => render_pointer(text, value),
                },
                (Arg::Ptr | Arg::Path | Arg::In | Arg::Out, _) => render_pointer(text, value),
                (Arg::Flags, _) => render_flags(text, value),
                (Arg::Mode, _) => write!(text, "{value:#05o}").map(|()| {
                    // Rust writes 0o666, C 0666.
                    if let Some(at) = text.rfind("0o") {
                        text.remove(at + 1);
                    }
                }),
                (Arg::Whence, _) => match value {
                    0 => write!(text, "SEEK_SET"),
                    1 => write!(text, "SEEK_CUR"),
                    2 => write!(text, "SEEK_END"),
                    _ => write!(text, "{value}"),
                },
            };
        }
    }
}

fn render_pointer(text: &mut String, addr: u32) -> std::fmt::Result {
    if addr == 0 {
        return text.write_str("NULL");
    }
    write!(text, "{addr:#x}")
}

fn render_path(text: &mut String, memory: &Memory, addr: u32) -> std::fmt::Result {
    let mut path = Vec::new();
    loop {
        let mut byte = [0];
        let at = u32::try_from(path.len()).map(|n| addr.wrapping_add(n));
        if at.is_ok_and(|at| memory.peek(at, &mut byte).is_err()) {
            return render_pointer(text, addr);
        }
        match byte {
            [0] => return write!(text, "\"{}\"", escape(&path)),
            _ if path.len() == SHOWN_PATH => return write!(text, "\"{}\"...", escape(&path)),
            [byte] => path.push(byte),
        }
    }
}

fn render_bytes(text: &mut String, memory: &Memory, addr: u32, len: u32) -> std::fmt::Result {
    let mut bytes = [0; SHOWN_BYTES];
    let shown = SHOWN_BYTES.min(len as usize);
    match memory.peek(addr, &mut bytes[..shown]) {
        Ok(()) => {
            let more = if len as usize > shown { "..." } else { "" };
            write!(text, "\"{}\"{more}", escape(&bytes[..shown]))
        }
        Err(_) => render_pointer(text, addr),
    }
}

/// C's escapes: printable ASCII as it is, all else by name or in octal. A terminal gets no control characters.
fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for (n, &byte) in bytes.iter().enumerate() {
        let digit_follows = bytes.get(n + 1).is_some_and(u8::is_ascii_digit);
        let _ = match byte {
            b'\n' => write!(text, "\\n"),
            b'\t' => write!(text, "\\t"),
            b'\r' => write!(text, "\\r"),
            b'"' | b'\\' => write!(text, "\\{}", char::from(byte)),
            b' '..=b'~' => write!(text, "{}", char::from(byte)),
            _ if digit_follows => write!(text, "\\{byte:03o}"),
            _ => write!(text, "\\{byte:o}"),
        };
    }
    text
}

fn render_flags(text: &mut String, flags: u32) -> std::fmt::Result {
    const NAMES: [(u32, &str); 14] = [
        (flag::APPEND, "O_APPEND"),
        (flag::CREAT, "O_CREAT"),
        (flag::TRUNC, "O_TRUNC"),
        (flag::EXCL, "O_EXCL"),
        (flag::SYNC, "O_SYNC"),
        (flag::NONBLOCK, "O_NONBLOCK"),
        (flag::NOCTTY, "O_NOCTTY"),
        (flag::BINARY, "O_BINARY"),
        (flag::TEXT, "O_TEXT"),
        (flag::CLOEXEC, "O_CLOEXEC"),
        (flag::DIRECT, "O_DIRECT"),
        (flag::NOFOLLOW, "O_NOFOLLOW"),
        (flag::DIRECTORY, "O_DIRECTORY"),
        (flag::NOATIME, "O_NOATIME"),
    ];
    text.write_str(match flags & flag::ACCESS {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        2 => "O_RDWR",
        _ => "O_ACCMODE",
    })?;
    for (bit, name) in NAMES {
        if flags & bit != 0 {
            write!(text, "|{name}")?;
        }
    }
    match flags & !flag::KNOWN {
        0 => Ok(()),
        rest => write!(text, "|{rest:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryConfig, Permissions};

    fn shown(number: u32, args: &[u32], result: Option<u32>) -> String {
        let mut memory = Memory::new(MemoryConfig::default()).unwrap();
        memory.map(0x1000, 0x1000, Permissions::RW).unwrap();
        memory.write(0x1000, b"hello\n\x001\x1b\"\\").unwrap();
        memory.write(0x1100, b"x\0").unwrap();
        memory.write(0x1200, &[b'a'; 40]).unwrap();
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        CallRecord {
            kind: CallKind::System,
            number,
            args: all,
            result,
        }
        .text(&memory)
    }

    #[test]
    fn calls_look_as_in_strace() {
        let fdcwd = (-2i32).cast_unsigned();
        let enoent = Errno::ENOENT.result();
        let efault = Errno::EFAULT.result();
        let cases: [(u32, &[u32], Option<u32>, &str); 16] = [
            (
                64,
                &[1, 0x1000, 6],
                Some(6),
                r#"write(1, "hello\n", 6) = 6"#,
            ),
            (
                64,
                &[1, 0x1000, 11],
                Some(11),
                r#"write(1, "hello\n\0001\33\"\\", 11) = 11"#,
            ),
            (
                64,
                &[1, 0x1200, 40],
                Some(40),
                r#"write(1, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"..., 40) = 40"#,
            ),
            (
                64,
                &[1, 0x9000, 6],
                Some(efault),
                "write(1, 0x9000, 6) = -1 EFAULT (Bad address)",
            ),
            (
                63,
                &[0, 0x1000, 100],
                Some(5),
                r#"read(0, "hello", 100) = 5"#,
            ),
            (
                63,
                &[0, 0x1000, 100],
                Some(efault),
                "read(0, 0x1000, 100) = -1 EFAULT (Bad address)",
            ),
            (
                56,
                &[fdcwd, 0x1100, 0x200, 0o666],
                Some(enoent),
                r#"openat(AT_FDCWD, "x", O_RDONLY|O_CREAT, 0666) = -1 ENOENT (No such file or directory)"#,
            ),
            (
                1024,
                &[0x1100, 9, 7],
                Some(3),
                r#"open("x", O_WRONLY|O_APPEND) = 3"#,
            ),
            (
                1024,
                &[0, 0x8000_0602, 0o7],
                Some(3),
                "open(NULL, O_RDWR|O_CREAT|O_TRUNC|0x80000000, 0007) = 3",
            ),
            (62, &[3, u32::MAX, 2], Some(9), "lseek(3, -1, SEEK_END) = 9"),
            (214, &[0], Some(0x1_2000), "brk(NULL) = 0x12000"),
            (
                214,
                &[0x1_3000],
                Some(0xffff_f000),
                "brk(0x13000) = 0xfffff000",
            ),
            (93, &[7], None, "exit(7) = ?"),
            (172, &[], Some(42), "getpid() = 42"),
            (
                1234,
                &[1, 2],
                Some(Errno::ENOSYS.result()),
                "syscall_1234(0x1, 0x2, NULL, NULL, NULL, NULL) = -1 ENOSYS (Function not implemented)",
            ),
            (
                1039,
                &[0x1100, 0x1500],
                Some(0),
                r#"lstat("x", 0x1500) = 0"#,
            ),
        ];
        for (number, args, result, expected) in cases {
            assert_eq!(shown(number, args, result), expected);
        }
    }

    /// A path that the call itself did not read, as that of a `renameat2` with flags.
    #[test]
    fn showing_a_call_touches_no_memory() {
        let mut memory = Memory::new(MemoryConfig::default()).unwrap();
        memory.map(0x1000, 0x1000, Permissions::RW).unwrap();
        let call = CallRecord {
            kind: CallKind::System,
            number: nr::UNLINK,
            args: [0x1000, 0, 0, 0, 0, 0],
            result: Some(0),
        };
        assert_eq!(call.text(&memory), r#"unlink("") = 0"#);
        assert_eq!(memory.pages_used(), 0);
        memory.poke(0x1000, &[b'p'; SHOWN_PATH + 1]).unwrap();
        let path = "p".repeat(SHOWN_PATH);
        assert_eq!(call.text(&memory), format!("unlink(\"{path}\"...) = 0"));
    }

    #[test]
    fn the_last_sixteen_are_kept() {
        let mut ring = Ring::default();
        let record = |number| CallRecord {
            kind: CallKind::System,
            number,
            args: [0; 6],
            result: None,
        };
        ring.push(record(0));
        assert_eq!(ring.iter().map(|c| c.number).collect::<Vec<_>>(), [0]);
        (1..21).for_each(|number| ring.push(record(number)));
        let kept: Vec<u32> = ring.iter().map(|c| c.number).collect();
        assert_eq!(kept, (5..21).collect::<Vec<u32>>());
    }
}

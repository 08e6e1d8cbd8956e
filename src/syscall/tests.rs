//! System calls as a guest makes them: registers and memory in, registers and memory out.

use super::notes::Missing;
use super::*;
use crate::memory::{MemoryConfig, Permissions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(super) const DATA: u32 = 0x1_0000;
const READ_ONLY: u32 = 0x2_0000;
pub(super) const HEAP: u32 = 0x3_0000;
const UNMAPPED: u32 = 0x9000_0000;
pub(super) const FDCWD: u32 = (-2i32).cast_unsigned();

/// A guest without code.
pub(super) struct Guest {
    pub(super) cpu: Cpu,
    pub(super) memory: Memory,
    pub(super) calls: Syscalls,
    pub(super) out: Captured,
}

impl Guest {
    pub(super) fn new(config: SyscallConfig) -> Guest {
        let mut memory = Memory::new(MemoryConfig::default()).unwrap();
        memory.map(DATA, 0x1_0000, Permissions::RW).unwrap();
        memory.map(READ_ONLY, 0x1000, Permissions::R).unwrap();
        let (stdout, out) = Stream::capture();
        let config = SyscallConfig {
            stdin: Stream::bytes("first\nsecond\n"),
            stdout,
            heap_start: HEAP,
            heap_limit: 0x100_0000,
            stderr: Stream::Null,
            ..config
        };
        Guest {
            cpu: Cpu {
                pc: 0x400,
                ..Cpu::default()
            },
            memory,
            calls: Syscalls::new(config).unwrap(),
            out,
        }
    }

    pub(super) fn bare() -> Guest {
        Guest::new(SyscallConfig::default())
    }

    pub(super) fn with_dir(dir: &Path, read_only: bool) -> Guest {
        Guest::new(SyscallConfig {
            dirs: vec![DirGrant {
                host: dir.to_owned(),
                guest: ".".to_owned(),
                read_only,
            }],
            ..SyscallConfig::default()
        })
    }

    pub(super) fn outcome(&mut self, number: u32, args: &[u32]) -> Outcome {
        self.cpu.x[1..].fill(0x5a5a_5a5a);
        self.cpu.x[A7] = number;
        self.cpu.x[A0..A0 + args.len()].copy_from_slice(args);
        let before = self.cpu.clone();
        let outcome = self.calls.ecall(&mut self.cpu, &mut self.memory);
        let after = Cpu {
            x: std::array::from_fn(|n| if n == A0 { before.x[n] } else { self.cpu.x[n] }),
            ..self.cpu.clone()
        };
        assert_eq!(after, before, "only a0 may change");
        outcome
    }

    /// The result of a call that returns.
    pub(super) fn call(&mut self, number: u32, args: &[u32]) -> i32 {
        assert_eq!(self.outcome(number, args), Outcome::Continue);
        self.cpu.x[A0].cast_signed()
    }

    /// Puts a string at a place of its own.
    pub(super) fn string(&mut self, slot: u32, text: &str) -> u32 {
        let addr = DATA + 0x8000 + slot * 0x400;
        self.memory.write(addr, text.as_bytes()).unwrap();
        self.memory
            .store(addr + length(text.as_ref()), 0u8)
            .unwrap();
        addr
    }

    pub(super) fn path(&mut self, number: u32, path: &str, args: &[u32]) -> i32 {
        let path = self.string(0, path);
        let all: Vec<u32> = [path].iter().chain(args).copied().collect();
        self.call(number, &all)
    }

    pub(super) fn open(&mut self, path: &str, flags: u32) -> i32 {
        self.path(nr::OPEN, path, &[flags, 0o644])
    }

    pub(super) fn put(&mut self, fd: i32, text: &str) -> i32 {
        self.memory.write(DATA, text.as_bytes()).unwrap();
        self.call(
            nr::WRITE,
            &[fd.cast_unsigned(), DATA, length(text.as_ref())],
        )
    }

    pub(super) fn get(&mut self, fd: i32, len: u32) -> Result<String, i32> {
        let count = self.call(nr::READ, &[fd.cast_unsigned(), DATA, len]);
        let count = usize::try_from(count).map_err(|_| count)?;
        let mut bytes = vec![0; count];
        self.memory.read(DATA, &mut bytes).unwrap();
        Ok(String::from_utf8(bytes).unwrap())
    }

    pub(super) fn word(&mut self, addr: u32) -> u32 {
        self.memory.load(addr).unwrap()
    }
}

/// A length as the guest passes it.
pub(super) fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

fn errno(errno: Errno) -> i32 {
    errno.result().cast_signed()
}

#[test]
fn write_reaches_the_stream() {
    let mut guest = Guest::bare();
    assert_eq!(guest.put(1, "hello\n"), 6);
    assert_eq!(guest.put(1, ""), 0);
    assert_eq!(guest.put(1, "x"), 1);
    assert_eq!(guest.put(2, "lost"), 4);
    assert_eq!(guest.out.text(), "hello\nx");
    assert_eq!(
        guest.put(0, "x"),
        errno(Errno::EBADF),
        "stdin is not for writing"
    );
    assert_eq!(guest.get(1, 1), Err(errno(Errno::EBADF)));
}

#[test]
fn exit_statuses_are_a_byte() {
    for number in [nr::EXIT, nr::EXIT_GROUP] {
        let mut guest = Guest::bare();
        assert_eq!(guest.outcome(number, &[0]), Outcome::Exit(0));
        assert_eq!(guest.outcome(number, &[0x1_0203]), Outcome::Exit(3));
        assert_eq!(guest.outcome(number, &[u32::MAX]), Outcome::Exit(255));
    }
}

#[test]
fn reads_are_partial_and_end() {
    let mut guest = Guest::bare();
    assert_eq!(guest.get(0, 3), Ok("fir".to_owned()));
    assert_eq!(guest.get(0, 100), Ok("st\nsecond\n".to_owned()));
    assert_eq!(guest.get(0, 100), Ok(String::new()));
    assert_eq!(guest.get(0, 0), Ok(String::new()));
}

#[test]
fn unknown_calls_fail_with_the_guests_enosys() {
    let mut guest = Guest::bare();
    for number in [0, 29, 222, 1234, u32::MAX] {
        assert_eq!(guest.call(number, &[1, 2, 3]), -88, "{number}");
        assert_eq!(guest.call(number, &[1, 2, 3]), -88, "{number} again");
    }
    let kept = [0, 29, 222, 1234, u32::MAX].map(Missing::System);
    assert_eq!(guest.calls.notes().missing(), kept);
    for number in 10_000..11_000 {
        assert_eq!(guest.call(number, &[]), -88, "{number}");
    }
    assert!(guest.calls.notes().missing().len() < 100);
}

#[test]
fn what_the_guest_has_no_pages_for_stays_in_the_pipe() {
    let mut guest = Guest::bare();
    guest.memory = Memory::new(MemoryConfig {
        limit_pages: 1,
        ..MemoryConfig::default()
    })
    .unwrap();
    guest.memory.map(DATA, 0x3000, Permissions::RW).unwrap();
    let fault = errno(Errno::EFAULT);
    assert_eq!(guest.call(nr::READ, &[0, DATA + 0xffc, 13]), 4);
    assert_eq!(guest.call(nr::READ, &[0, DATA + 0x1000, 13]), fault);
    assert_eq!(guest.get(0, 13), Ok("t\nsecond\n".to_owned()));
    assert_eq!(guest.word(DATA + 0xffc), u32::from_le_bytes(*b"firs"));
}

#[test]
fn bad_pointers_are_faults() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::with_dir(dir.path(), false);
    guest.string(0, "file");
    let path = DATA + 0x8000;
    let fault = errno(Errno::EFAULT);
    for bad in [0, UNMAPPED, u32::MAX] {
        let cases: [(u32, &[u32]); 18] = [
            (nr::WRITE, &[1, bad, 5]),
            (nr::READ, &[0, bad, 5]),
            (nr::FSTAT, &[1, bad]),
            (nr::OPEN, &[bad, 0, 0]),
            (nr::OPENAT, &[FDCWD, bad, 0, 0]),
            (nr::STAT, &[bad, DATA]),
            (nr::LSTAT, &[bad, DATA]),
            (nr::FSTATAT, &[FDCWD, bad, DATA, 0]),
            (nr::ACCESS, &[bad, 0]),
            (nr::UNLINK, &[bad]),
            (nr::LINK, &[path, bad]),
            (nr::LINK, &[bad, path]),
            (nr::RENAME, &[bad, path]),
            (nr::MKDIR, &[bad, 0o777]),
            (nr::CHDIR, &[bad]),
            (nr::GETCWD, &[bad, 100]),
            (nr::CLOCK_GETTIME64, &[0, bad]),
            (nr::CLOCK_GETTIME, &[0, bad]),
        ];
        for (number, args) in cases {
            assert_eq!(guest.call(number, args), fault, "{number} {bad:#x}");
        }
    }
    for number in [nr::GETTIMEOFDAY, nr::TIMES, nr::TIME] {
        assert_eq!(guest.call(number, &[UNMAPPED, 0]), fault, "{number}");
        assert_eq!(guest.call(number, &[READ_ONLY, 0]), fault, "{number}");
        assert!(
            guest.call(number, &[0, 0]) >= 0,
            "{number}: null is allowed"
        );
    }
    for (number, args) in [
        (nr::FSTAT, [1, READ_ONLY, 0]),
        (nr::READ, [0, READ_ONLY, 4]),
        (nr::GETCWD, [READ_ONLY, 9, 0]),
    ] {
        assert_eq!(guest.call(number, &args), fault, "{number}");
    }
    assert_eq!(guest.get(0, 5), Ok("first".to_owned()), "nothing was lost");
    assert_eq!(
        guest.call(nr::WRITE, &[77, UNMAPPED, 5]),
        errno(Errno::EBADF)
    );
    // A path without an end.
    guest.memory.write(DATA, &[b'a'; 0x2000]).unwrap();
    assert_eq!(guest.call(nr::OPEN, &[DATA, 0, 0]), -91);
    assert_eq!(
        guest.call(nr::OPEN, &[DATA + 0xffff, 0, 0]),
        errno(Errno::ENOENT)
    );
}

#[test]
fn huge_lengths_move_what_there_is() {
    let mut guest = Guest::bare();
    guest
        .memory
        .write(READ_ONLY - 0x1000, &[b'b'; 0x1000])
        .unwrap();
    // Readable up to 0x2_1000: a page of data, then the read-only page.
    let count = guest.call(nr::WRITE, &[1, READ_ONLY - 0x1000, u32::MAX]);
    assert_eq!(count, 0x2000);
    assert_eq!(guest.out.bytes().len(), 0x2000);
    // Writable up to READ_ONLY.
    let count = guest.call(nr::READ, &[0, READ_ONLY - 4, u32::MAX]);
    assert_eq!(count, 4);
    assert_eq!(guest.call(nr::READ, &[0, READ_ONLY - 8, 0x8000_0000]), 8);
    assert!(guest.calls.buffer.len() <= calls::CHUNK as usize);
}

#[test]
fn a_large_write_is_whole_and_in_order() {
    let mut guest = Guest::bare();
    guest
        .memory
        .map(0x40_0000, 0x4_0000, Permissions::RW)
        .unwrap();
    let bytes: Vec<u8> = (0..0x3_2001u32)
        .map(|n| (n % 251).to_le_bytes()[0])
        .collect();
    guest.memory.write(0x40_0000, &bytes).unwrap();
    let len = length(bytes.as_ref());
    assert_eq!(guest.call(nr::WRITE, &[1, 0x40_0000, len]), 0x3_2001);
    assert!(guest.out.bytes() == bytes);
}

#[test]
fn standard_streams_close_without_a_trace_on_the_host() {
    let mut guest = Guest::new(SyscallConfig::default());
    for fd in 0..3 {
        assert_eq!(guest.call(nr::CLOSE, &[fd]), 0);
        assert_eq!(guest.call(nr::CLOSE, &[fd]), errno(Errno::EBADF));
        assert_eq!(guest.call(nr::FSTAT, &[fd, DATA]), errno(Errno::EBADF));
        assert_eq!(guest.call(nr::LSEEK, &[fd, 0, 0]), errno(Errno::EBADF));
    }
    for fd in [3, 255, 256, u32::MAX] {
        assert_eq!(guest.call(nr::CLOSE, &[fd]), errno(Errno::EBADF));
    }
    // The host's own.
    let mut host = Syscalls::new(SyscallConfig::default()).unwrap();
    for fd in 0..3 {
        host.files.close(fd).unwrap();
    }
    assert!(Syscalls::new(SyscallConfig::default()).is_ok());
}

#[test]
fn fstat_tells_terminals_from_pipes() {
    let mut guest = Guest::bare();
    guest.memory.write(DATA, &[0xaa; 130]).unwrap();
    assert_eq!(guest.call(nr::FSTAT, &[1, DATA]), 0);
    assert_eq!(guest.word(DATA + 16) & 0o170_000, 0o010_000);
    assert_eq!(guest.word(DATA + 124), 0, "all 128 bytes are written");
    assert_eq!(guest.word(DATA + 128) & 0xffff, 0xaaaa, "and no more");
    assert_eq!(guest.call(nr::FSTAT, &[2, DATA]), 0);
    assert_eq!(guest.word(DATA + 16) & 0o170_000, 0o020_000);
}

#[test]
fn the_break_is_exact() {
    let mut guest = Guest::bare();
    assert_eq!(guest.call(nr::BRK, &[0]), 0x3_0000);
    assert_eq!(guest.call(nr::BRK, &[HEAP + 5]), 0x3_0005);
    assert_eq!(guest.call(nr::BRK, &[0]), 0x3_0005);
    assert_eq!(guest.call(nr::BRK, &[0x100_0001]), 0x3_0005);
    assert_eq!(guest.call(nr::BRK, &[u32::MAX]), 0x3_0005);
    guest.memory.store(HEAP, 1u32).unwrap();
}

#[test]
fn times_are_written_whole() {
    let mut guest = Guest::bare();
    let now = time::real_time().as_secs();
    let near = |seconds: u64| (now..now + 100).contains(&seconds);
    for (number, args, unit) in [
        (nr::GETTIMEOFDAY, [DATA, 0], 1_000_000),
        (nr::CLOCK_GETTIME, [0, DATA], 1_000_000_000),
        (nr::CLOCK_GETTIME64, [0, DATA], 1_000_000_000),
    ] {
        guest.memory.write(DATA, &[0xff; 20]).unwrap();
        assert_eq!(guest.call(number, &args), 0);
        let low = guest.word(DATA);
        let high = guest.word(DATA + 4);
        assert!(near(u64::from(high) << 32 | u64::from(low)), "{number}");
        assert!(guest.word(DATA + 8) < unit, "{number}");
        assert_eq!(guest.word(DATA + 12), 0, "{number}: padding");
        assert_eq!(guest.word(DATA + 16), u32::MAX, "{number}: no more");
    }
    for clock in [1, 2, 3, 4] {
        assert_eq!(guest.call(nr::CLOCK_GETTIME64, &[clock, DATA]), 0);
        assert!(
            guest.word(DATA) < 1_000_000,
            "clock {clock} starts with the run"
        );
    }
    assert_eq!(guest.call(nr::CLOCK_GETTIME64, &[99, DATA]), -22);
    assert!(near(guest.call(nr::TIME, &[DATA]).cast_unsigned().into()));
    assert!(near(guest.word(DATA).into()));
    guest.memory.write(DATA, &[0xff; 20]).unwrap();
    assert!(guest.call(nr::TIMES, &[DATA]) >= 0);
    assert_eq!(guest.word(DATA + 8), 0);
    assert_eq!(guest.word(DATA + 12), 0);
    assert_eq!(guest.word(DATA + 16), u32::MAX);
}

#[test]
fn monotonic_time_moves_on() {
    let mut guest = Guest::bare();
    let mut read = || {
        guest.call(nr::CLOCK_GETTIME64, &[4, DATA]);
        (guest.word(DATA), guest.word(DATA + 8))
    };
    let first = read();
    std::thread::sleep(std::time::Duration::from_millis(2));
    assert!(read() > first);
}

#[test]
fn a_program_can_only_kill_itself() {
    let mut guest = Guest::bare();
    let pid = guest.call(nr::GETPID, &[]).cast_unsigned();
    assert_eq!(pid, std::process::id());
    assert_eq!(guest.outcome(nr::KILL, &[pid, 6]), Outcome::Killed(6));
    assert_eq!(guest.call(nr::KILL, &[pid, 0]), 0);
    assert_eq!(guest.call(nr::KILL, &[pid, 20]), 0, "SIGCHLD is ignored");
    assert_eq!(guest.call(nr::KILL, &[pid, 65]), -22);
    assert_eq!(guest.call(nr::KILL, &[pid, u32::MAX]), -22);
    for other in [1, u32::MAX, pid + 1] {
        assert_eq!(guest.call(nr::KILL, &[other, 9]), -1);
    }
}

#[test]
fn calls_are_traced_and_kept() {
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut guest = Guest::bare();
    let sink = lines.clone();
    guest.calls.set_trace(Some(Box::new(move |line| {
        sink.lock().unwrap().push(line.to_owned());
    })));
    guest.put(1, "hi\n");
    guest.open("x", 0);
    guest.call(1234, &[1, 2, 3, 4, 5, 6]);
    guest.outcome(nr::EXIT, &[3]);
    let lines = lines.lock().unwrap();
    assert_eq!(
        *lines,
        [
            r#"write(1, "hi\n", 3) = 3"#,
            r#"open("x", O_RDONLY) = -1 ENOENT (No such file or directory)"#,
            "syscall_1234(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)",
            "exit(3) = ?",
        ]
    );
    let recent: Vec<String> = guest
        .calls
        .recent()
        .map(CallRecord::text_without_memory)
        .collect();
    assert_eq!(recent[0], "write(1, 0x10000, 3) = 3");
    assert_eq!(recent.len(), 4);
}

#[test]
fn a_stop_ends_a_read_that_waits() {
    let (reader, _writer) = io::pipe().unwrap();
    let mut stream = OpenStream::Host {
        file: std::fs::File::from(std::os::fd::OwnedFd::from(reader)),
        may_block: true,
    };
    let stop: stream::StopRequested = Some(Arc::new(AtomicBool::new(true)));
    assert_eq!(stream.read(&mut [0], &stop), Err(StreamError::Interrupted));
}

#[test]
fn a_pipe_that_nobody_reads_kills() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut stream = OpenStream::Host {
        file: std::fs::File::from(std::os::fd::OwnedFd::from(writer)),
        may_block: true,
    };
    let error = stream.write(b"x", &None).unwrap_err();
    assert_eq!(Failure::from(error), Failure::End(Outcome::Killed(13)));
}

#[test]
fn a_stream_that_does_not_block_loses_nothing() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut stream = OpenStream::Host {
        file: std::fs::File::from(std::os::fd::OwnedFd::from(ours)),
        may_block: true,
    };
    let sent: Vec<u8> = (0..=250).cycle().take(2 << 20).collect();
    let expected = sent.clone();
    let peer = std::thread::spawn(move || {
        let mut theirs = theirs;
        let mut got = vec![0; expected.len()];
        io::Read::read_exact(&mut theirs, &mut got).unwrap();
        assert!(got == expected);
        std::thread::sleep(std::time::Duration::from_millis(20));
        io::Write::write_all(&mut theirs, b"answer").unwrap();
    });
    let mut done = 0;
    while done < sent.len() {
        done += stream.write(&sent[done..], &None).unwrap();
    }
    let mut answer = [0; 6];
    assert_eq!(stream.read(&mut answer, &None), Ok(6));
    peer.join().unwrap();
}

/// A call of gigabytes does not outlive a run that is to stop: it does a piece, and says so.
#[test]
fn long_calls_heed_the_stop_flag() {
    const FAR: u32 = 0x2000_0000;
    let stop = Arc::new(AtomicBool::new(true));
    let mut guest = Guest::new(SyscallConfig {
        stop_requested: Some(Arc::clone(&stop)),
        ..SyscallConfig::default()
    });
    guest.memory.map(FAR, 0x4_0000, Permissions::RW).unwrap();
    let piece = calls::CHUNK.cast_signed();
    assert_eq!(guest.call(nr::WRITE, &[1, FAR, 0x4_0000]), piece);
    guest.memory.write(FAR, &[b'x'; 0x2_0000]).unwrap();
    let (operation, parameter) = (0x04, FAR);
    guest.cpu.x[A0] = operation;
    guest.cpu.x[A0 + 1] = parameter;
    let outcome = guest.calls.semihost(&mut guest.cpu, &mut guest.memory);
    assert_eq!(outcome, Outcome::Interrupted);
    assert!(guest.out.bytes().len() < 2 * calls::CHUNK as usize);
    stop.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(guest.call(nr::WRITE, &[1, FAR, 0x4_0000]), 0x4_0000);
}

//! Semihosting operations as a guest makes them.

use super::semihosting::is_semihosting_call;
use super::tests::*;
use super::*;
use crate::memory::{MemoryConfig, Permissions};
use crate::rv32::decode::{SEMIHOSTING_BEFORE as BEFORE, SEMIHOSTING_BEHIND as BEHIND};
use std::fs;

/// Where parameter blocks go.
const BLOCK: u32 = DATA + 0x4000;

impl Guest {
    fn operation(&mut self, number: u32, parameter: u32) -> Outcome {
        self.cpu.x[1..].fill(0x5a5a_5a5a);
        (self.cpu.x[A0], self.cpu.x[A0 + 1]) = (number, parameter);
        let before = self.cpu.clone();
        let outcome = self.calls.semihost(&mut self.cpu, &mut self.memory);
        let a0 = std::mem::replace(&mut self.cpu.x[A0], before.x[A0]);
        assert_eq!(self.cpu, before, "only a0 may change");
        self.cpu.x[A0] = a0;
        outcome
    }

    /// An operation with a block of parameters.
    fn semi(&mut self, number: u32, block: &[u32]) -> i32 {
        for (n, &word) in (0u32..).zip(block) {
            self.memory.store(BLOCK + 4 * n, word).unwrap();
        }
        assert_eq!(self.operation(number, BLOCK), Outcome::Continue);
        self.cpu.x[A0].cast_signed()
    }

    fn semi_open(&mut self, name: &str, mode: u32) -> i32 {
        let addr = self.string(0, name);
        self.semi(1, &[addr, mode, length(name.as_ref())])
    }

    fn semi_write(&mut self, handle: i32, text: &str) -> i32 {
        self.memory.write(DATA, text.as_bytes()).unwrap();
        self.semi(5, &[handle.cast_unsigned(), DATA, length(text.as_ref())])
    }

    fn semi_read(&mut self, handle: i32, len: u32) -> (i32, String) {
        self.memory.write(DATA, &vec![0; len as usize]).unwrap();
        let left = self.semi(6, &[handle.cast_unsigned(), DATA, len]);
        let text = self.memory.read_c_string(DATA, len as usize).unwrap();
        (left, String::from_utf8(text).unwrap())
    }
}

#[test]
fn the_triple_is_recognised() {
    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    memory.map(0x1000, 0x2000, Permissions::RX).unwrap();
    let ebreak = 0x0010_0073u32;
    let nop = 0x13u32;
    let cases = [
        ([BEFORE, ebreak, BEHIND], true),
        ([nop, ebreak, BEHIND], false),
        ([BEFORE, ebreak, nop], false),
        ([BEFORE, nop, BEHIND], false),
    ];
    for (words, expected) in cases {
        // Also across a page's end.
        for start in [0x1100, 0x1ff8, 0x1ffc] {
            for (n, word) in (0u32..).zip(words) {
                memory.poke(start + 4 * n, &word.to_le_bytes()).unwrap();
            }
            assert_eq!(is_semihosting_call(&mut memory, start + 4), expected);
        }
    }
    assert!(!is_semihosting_call(&mut memory, 0));
    assert!(!is_semihosting_call(&mut memory, 0x1000));
    assert!(!is_semihosting_call(&mut memory, 0x2ffc));
    // As the assembler encodes `slli x0, x0, 0x1f` and `srai x0, x0, 7`.
    assert_eq!((BEFORE, BEHIND), (0x01f0_1013, 0x4070_5013));
}

#[test]
fn the_console_has_three_streams() {
    let mut guest = Guest::bare();
    let (stdin, stdout, stderr) = (
        guest.semi_open(":tt", 0),
        guest.semi_open(":tt", 4),
        guest.semi_open(":tt", 8),
    );
    assert_eq!([stdin, stdout, stderr], [1, 2, 3]);
    assert_eq!(guest.semi_write(stdout, "out\n"), 0);
    assert_eq!(guest.semi_write(stderr, "lost"), 0);
    assert_eq!(guest.semi_read(stdin, 6), (0, "first\n".to_owned()));
    assert_eq!(guest.semi_read(stdin, 100), (93, "second\n".to_owned()));
    assert_eq!(guest.semi_read(stdin, 100).0, 100, "the end");
    assert_eq!(guest.operation(7, 0), Outcome::Continue);
    assert_eq!(guest.cpu.x[A0], u32::MAX, "READC at the end");
    let addr = guest.string(1, "!");
    guest.operation(3, addr);
    let long = "z".repeat(3000);
    guest.memory.write(DATA, long.as_bytes()).unwrap();
    guest.memory.store(DATA + 3000, 0u8).unwrap();
    guest.operation(4, DATA);
    assert_eq!(guest.out.text(), format!("out\n!{long}"));
    assert_eq!(guest.semi(2, &[2]), 0);
    assert_eq!(
        guest.semi_write(stdout, "."),
        0,
        "the console cannot be closed"
    );
    assert_eq!(guest.semi(9, &[2]), 0, "a pipe is no terminal");
    assert_eq!(guest.semi(9, &[3]), 1);
}

#[test]
fn a_byte_is_read() {
    let mut guest = Guest::bare();
    guest.operation(7, 0);
    assert_eq!(guest.cpu.x[A0], u32::from(b'f'));
}

#[test]
fn features_are_told() {
    let mut guest = Guest::bare();
    let handle = guest.semi_open(":semihosting-features", 0);
    assert!(handle > 0);
    assert_eq!(guest.semi(0xc, &[handle.cast_unsigned()]), 5);
    assert_eq!(guest.semi_read(handle, 4), (0, "SHFB".to_owned()));
    assert_eq!(guest.semi_read(handle, 4), (3, "\u{3}".to_owned()));
    assert_eq!(guest.semi_read(handle, 4).0, 4);
    assert_eq!(guest.semi(0xa, &[handle.cast_unsigned(), 4]), 0);
    assert_eq!(guest.semi_read(handle, 1), (0, "\u{3}".to_owned()));
    assert_eq!(guest.semi(9, &[handle.cast_unsigned()]), 0);
    assert_eq!(guest.semi(2, &[handle.cast_unsigned()]), 0);
    assert_eq!(guest.semi_read(handle, 1).0, 1, "closed");
    assert_eq!(guest.semi_open(":semihosting-features", 4), -1);
}

#[test]
fn open_modes_are_those_of_fopen() {
    // Mode; what "new" leaves of "0123456", or of no file.
    let cases: [(u32, Option<&str>, Option<&str>); 12] = [
        (0, Some("0123456"), None),
        (1, Some("0123456"), None),
        (2, Some("new3456"), None),
        (3, Some("new3456"), None),
        (4, Some("new"), Some("new")),
        (5, Some("new"), Some("new")),
        (6, Some("new"), Some("new")),
        (7, Some("new"), Some("new")),
        (8, Some("0123456new"), Some("new")),
        (9, Some("0123456new"), Some("new")),
        (10, Some("0123456new"), Some("new")),
        (11, Some("0123456new"), Some("new")),
    ];
    for (mode, existing, missing) in cases {
        for (before, after) in [(Some("0123456"), existing), (None, missing)] {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("f");
            if let Some(text) = before {
                fs::write(&file, text).unwrap();
            }
            let mut guest = Guest::with_dir(dir.path(), false);
            let handle = guest.semi_open("f", mode);
            assert_eq!(handle > 0, after.is_some(), "mode {mode}");
            if handle > 0 {
                let left = guest.semi_write(handle, "new");
                assert_eq!(left, if mode < 2 { 3 } else { 0 }, "mode {mode}");
            }
            let text = fs::read_to_string(&file).ok();
            assert_eq!(text.as_deref(), after, "mode {mode}");
        }
    }
    assert_eq!(Guest::bare().semi_open("f", 12), -1);
}

#[test]
fn files_are_used_and_errors_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::with_dir(dir.path(), false);
    let handle = guest.semi_open("f", 7);
    let raw = handle.cast_unsigned();
    assert_eq!(guest.semi_write(handle, "0123456789"), 0);
    assert_eq!(guest.semi(0xc, &[raw]), 10);
    assert_eq!(guest.semi(0xa, &[raw, 4]), 0);
    assert_eq!(guest.semi_read(handle, 20), (14, "456789".to_owned()));
    assert_eq!(guest.semi(9, &[raw]), 0);
    assert_eq!(guest.semi(2, &[raw]), 0);
    assert_eq!(guest.semi(2, &[raw]), -1);
    guest.operation(0x13, 0);
    assert_eq!(guest.cpu.x[A0], 9, "EBADF");
    let (from, to) = (guest.string(1, "f"), guest.string(2, "gg"));
    assert_eq!(guest.semi(0xf, &[from, 1, to, 2]), 0);
    assert!(dir.path().join("gg").exists());
    assert_eq!(guest.semi(0xe, &[from, 1]), -1);
    guest.operation(0x13, 0);
    assert_eq!(guest.cpu.x[A0], 2, "ENOENT");
    assert_eq!(guest.semi(0xe, &[to, 2]), 0);
    assert!(!dir.path().join("gg").exists());
    assert_eq!(guest.semi(0xd, &[DATA, 0x1a5, 13]), 0);
    let name = guest.memory.read_c_string(DATA, 20).unwrap();
    assert_eq!(name, b"rvjit-a5.tmp");
    assert_eq!(guest.semi(0xd, &[DATA, 0x1a5, 12]), -1);
}

#[test]
fn characters_are_gathered_to_lines_and_come_before_what_follows() {
    let mut guest = Guest::bare();
    let print = |guest: &mut Guest, text: &str| {
        for byte in text.bytes() {
            guest.memory.store(DATA, byte).unwrap();
            assert_eq!(guest.operation(3, DATA), Outcome::Continue);
        }
    };
    print(&mut guest, "no line");
    assert_eq!(guest.out.text(), "");
    print(&mut guest, " yet\nthen");
    assert_eq!(guest.out.text(), "no line yet\n");
    // A write by descriptor comes behind, and a read asks for what the text says.
    assert_eq!(guest.semi_write(2, "|w|"), 0);
    assert_eq!(guest.out.text(), "no line yet\nthen|w|");
    print(&mut guest, "c?");
    assert_eq!(guest.operation(7, 0), Outcome::Continue);
    assert_eq!(guest.cpu.x[A0], u32::from(b'f'));
    assert!(guest.out.text().ends_with("|w|c?"));
    print(&mut guest, "r?");
    assert_eq!(guest.semi_read(1, 4), (0, "irst".to_owned()));
    assert!(guest.out.text().ends_with("c?r?"));
    // A long line goes out in pieces; what is left goes at the end.
    let long = "x".repeat(10_000);
    print(&mut guest, &long);
    assert!(guest.out.bytes().len() > 8000);
    guest.calls.finish_console().unwrap();
    assert!(guest.out.text().ends_with(&long));
}

/// Takes three bytes at a time, and then nothing more.
struct Narrow(usize);

impl io::Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let now = bytes.len().min(3).min(self.0);
        self.0 -= now;
        match now {
            0 => Err(io::Error::from_raw_os_error(28)),
            now => Ok(now),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn output_that_is_lost_ends_the_run() {
    for (room, line, last) in [
        (8, Outcome::OutputLost(Errno::ENOSPC), None),
        (
            9,
            Outcome::Continue,
            Some(Outcome::OutputLost(Errno::ENOSPC)),
        ),
        (10, Outcome::Continue, None),
    ] {
        let mut calls = Syscalls::new(SyscallConfig {
            stdin: Stream::Null,
            stdout: Stream::Writer(Box::new(Narrow(room))),
            stderr: Stream::Null,
            ..SyscallConfig::default()
        })
        .unwrap();
        let mut print = |text: &[u8]| text.iter().find_map(|&byte| calls.put_console(byte).err());
        let outcome = print(b"a line\n\n\n");
        assert_eq!(outcome.unwrap_or(Outcome::Continue), line, "{room}");
        if outcome.is_none() {
            assert_eq!(print(b"!"), None);
            assert_eq!(calls.finish_console().err(), last, "{room}");
        }
    }
}

#[test]
fn the_command_line_is_what_was_typed() {
    let mut guest = Guest::new(SyscallConfig {
        args: vec![b"p\xff".to_vec(), b"\xc3(".to_vec()],
        ..SyscallConfig::default()
    });
    assert_eq!(guest.semi(0x15, &[DATA, 100]), 0);
    assert_eq!(
        guest.memory.read_c_string(DATA, 20).unwrap(),
        b"p\xff \xc3("
    );
}

#[test]
fn exits_have_reasons() {
    let mut guest = Guest::bare();
    assert_eq!(guest.operation(0x18, 0x20026), Outcome::Exit(0));
    assert_eq!(guest.operation(0x18, 0x20023), Outcome::Exit(1));
    for (reason, status, expected) in [(0x20026u32, 7u32, 7), (0x20026, 0x107, 7), (0x20024, 0, 1)]
    {
        guest.memory.store(BLOCK, reason).unwrap();
        guest.memory.store(BLOCK + 4, status).unwrap();
        assert_eq!(guest.operation(0x20, BLOCK), Outcome::Exit(expected));
    }
}

#[test]
fn the_run_describes_itself() {
    let mut guest = Guest::new(SyscallConfig {
        args: vec!["prog".into(), "a".into(), "b".into()],
        stack: (0x10_0000, 0x20_0000),
        ..SyscallConfig::default()
    });
    assert_eq!(guest.semi(0x15, &[DATA, 9]), 0);
    assert_eq!(guest.memory.read_c_string(DATA, 20).unwrap(), b"prog a b");
    assert_eq!(guest.word(BLOCK + 4), 8);
    assert_eq!(guest.semi(0x15, &[DATA, 8]), -1);
    assert_eq!(guest.semi(0x16, &[DATA]), 0);
    let info: Vec<u32> = (0..4).map(|n| guest.word(DATA + 4 * n)).collect();
    assert_eq!(info, [HEAP, 0x100_0000, 0x20_0000, 0x10_0000]);
    assert_eq!(guest.semi(8, &[u32::MAX]), 1);
    assert_eq!(guest.semi(8, &[5]), 0);
    assert_eq!(guest.semi(0x12, &[DATA, 4]), -1, "no commands are run");
    let clock = guest.semi(0x10, &[]);
    assert!((0..100).contains(&clock));
    assert!(guest.semi(0x11, &[]) > 1_700_000_000);
    assert_eq!(guest.semi(0x31, &[]), 1_000_000_000);
    assert_eq!(guest.semi(0x30, &[]), 0);
    let (ticks, high) = (guest.word(BLOCK), guest.word(BLOCK + 4));
    assert!(ticks > 0 && high == 0);
    assert_eq!(guest.semi(0x77, &[]), -1);
}

#[test]
fn bad_pointers_fail() {
    let mut guest = Guest::bare();
    for number in [
        1, 2, 4, 5, 6, 8, 9, 0xa, 0xc, 0xd, 0xe, 0xf, 0x15, 0x16, 0x20, 0x30,
    ] {
        for bad in [0, 0x9000_0000, u32::MAX - 1] {
            assert_eq!(guest.operation(number, bad), Outcome::Continue);
            assert_eq!(guest.cpu.x[A0], u32::MAX, "{number:#x} {bad:#x}");
        }
    }
    assert_eq!(guest.semi(1, &[DATA, 0, u32::MAX]), -1, "a name of 4 GiB");
    assert_eq!(guest.semi(5, &[2, 0x9000_0000, 7]), 7);
    assert_eq!(guest.semi(5, &[0, DATA, 7]), 7);
}

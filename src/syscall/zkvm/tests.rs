//! Calls of zkVM guests as they make them.

use super::*;
use crate::syscall::SyscallConfig;
use crate::syscall::tests::{DATA, Guest};

const UNMAPPED: u32 = 0x9000_0000;

fn guest(convention: Convention) -> Guest {
    Guest::new(SyscallConfig {
        convention,
        input: vec![b"four".to_vec(), b"seventh".to_vec()],
        args: vec![b"prog".to_vec(), b"an argument".to_vec()],
        env: vec![b"NAME=value".to_vec()],
        room: 100,
        ..SyscallConfig::default()
    })
}

impl Guest {
    fn zk(&mut self, number: u32, args: &[u32]) -> Outcome {
        self.cpu.x[1..].fill(0x5a5a_5a5a);
        self.cpu.x[T0] = number;
        self.cpu.x[A0..A0 + args.len()].copy_from_slice(args);
        let before = self.cpu.clone();
        let outcome = self.calls.ecall(&mut self.cpu, &mut self.memory);
        let mut after = self.cpu.clone();
        for register in [T0, A0, A0 + 1] {
            after.x[register] = before.x[register];
        }
        assert_eq!(after, before, "only t0, a0 and a1 may change");
        outcome
    }

    /// The reason for which a call is refused.
    fn refusal(&mut self, number: u32, args: &[u32]) -> &'static str {
        match self.zk(number, args) {
            Outcome::Refused(refusal) => refusal.why,
            other => panic!("{number:#x} {args:x?}: {other:?}"),
        }
    }

    /// A call of RISC Zero's host: a0 and a1.
    fn host(&mut self, name: &str, to: u32, words: u32, args: &[u32]) -> (u32, u32) {
        let outcome = self.host_outcome(name, to, words, args);
        assert_eq!(outcome, Outcome::Continue, "{name}");
        (self.cpu.x[A0], self.cpu.x[A0 + 1])
    }

    fn host_outcome(&mut self, name: &str, to: u32, words: u32, args: &[u32]) -> Outcome {
        let name = self.string(9, &format!("some_crate::nr::{name}"));
        let all = [&[to, words, name], args].concat();
        self.zk(2, &all)
    }
}

#[test]
fn sp1_gives_its_input_item_by_item() {
    let mut guest = guest(Convention::Sp1);
    assert_eq!(guest.zk(0xf0, &[]), Outcome::Continue);
    assert_eq!(guest.cpu.x[T0], 4);
    assert!(guest.refusal(0xf1, &[DATA, 5]).contains("another length"));
    assert!(
        guest
            .refusal(0xf1, &[DATA + 2, 4])
            .contains("multiple of 4")
    );
    assert!(guest.refusal(0xf1, &[UNMAPPED, 4]).contains("no memory"));
    assert_eq!(guest.zk(0xf1, &[DATA, 4]), Outcome::Continue);
    assert_eq!(guest.cpu.x[T0], 0xf1, "t0 stays where there is no result");
    assert_eq!(guest.memory.read_c_string(DATA, 9).unwrap(), b"four");
    // Even an empty hint takes of what may be kept.
    assert_eq!(guest.zk(2, &[4, DATA, 0]), Outcome::Continue);
    assert_eq!(guest.zk(0xf1, &[DATA, 0]), Outcome::Continue);
    // A hint of its own comes first.
    for fd in [4, 14] {
        assert_eq!(guest.zk(2, &[fd, DATA, 3]), Outcome::Continue);
    }
    for expected in [3, 3, 7, u32::MAX] {
        guest.zk(0xf0, &[]);
        assert_eq!(guest.cpu.x[T0], expected);
        if expected != u32::MAX {
            assert_eq!(guest.zk(0xf1, &[DATA, expected]), Outcome::Continue);
        }
    }
    assert!(guest.refusal(0xf1, &[DATA, 0]).contains("--input"));
}

#[test]
fn sp1_commits_and_halts() {
    let mut guest = guest(Convention::Sp1);
    guest.memory.write(DATA, b"public and more").unwrap();
    for fd in [3, 13] {
        assert_eq!(guest.zk(2, &[fd, DATA, 6]), Outcome::Continue);
    }
    assert_eq!(guest.zk(2, &[1, DATA, 10]), Outcome::Continue);
    assert_eq!(guest.out.text(), "public and");
    assert_eq!(guest.calls.committed(), b"publicpublic");
    assert_eq!(guest.zk(0x10, &[0, 1]), Outcome::Continue);
    assert!(guest.refusal(2, &[15, DATA, 1]).contains("hook"));
    assert!(guest.refusal(2, &[3, UNMAPPED, 1]).contains("no memory"));
    for len in [1000, u32::MAX] {
        assert!(guest.refusal(2, &[3, DATA, len]).contains("--memory"));
    }
    assert!(guest.refusal(0x0001_010a, &[]).contains("precompile"));
    assert!(guest.refusal(0x0001_01ff, &[]).contains("number"));
    for (status, expected) in [(0, 0), (1, 1), (255, 255), (256, 255)] {
        assert_eq!(guest.zk(0, &[status]), Outcome::Exit(expected));
    }
}

#[test]
fn risc0_reads_a_stream() {
    let mut guest = guest(Convention::Risc0);
    // One word, and three bytes in a1.
    let (read, rest) = guest.host("SYS_READ", DATA, 1, &[0, 7]);
    assert_eq!((read, rest.to_le_bytes()), (7, *b"sev\0"));
    assert_eq!(guest.word(DATA).to_le_bytes(), *b"four");
    // The end: fewer bytes, and zeros behind them.
    guest.memory.write(DATA, &[0xff; 12]).unwrap();
    assert_eq!(guest.host("SYS_READ", DATA, 3, &[0, 12]), (4, 0));
    assert_eq!(
        [guest.word(DATA), guest.word(DATA + 8)],
        [u32::from_le_bytes(*b"enth"), 0]
    );
    assert_eq!(guest.host("SYS_READ", DATA, 1, &[0, 4]), (0, 0));
}

#[test]
fn risc0_asks_its_host() {
    let mut guest = guest(Convention::Risc0);
    guest.memory.write(DATA, b"NAMEjournal").unwrap();
    assert_eq!(guest.host("SYS_WRITE", 0, 0, &[3, DATA + 4, 7]), (0, 0));
    assert_eq!(guest.host("SYS_WRITE", 0, 0, &[1, DATA, 4]), (0, 0));
    assert_eq!(guest.host("SYS_LOG", 0, 0, &[DATA, 4]), (0, 0));
    assert_eq!(guest.out.text(), "NAMENAME\n");
    assert_eq!(guest.calls.committed(), b"journal");
    // The length comes first, then as much as there is room for.
    assert_eq!(guest.host("SYS_GETENV", 0, 0, &[DATA, 4]).0, 5);
    assert_eq!(guest.host("SYS_GETENV", DATA + 64, 1, &[DATA, 4]).0, 5);
    assert_eq!(guest.word(DATA + 64).to_le_bytes(), *b"valu");
    assert_eq!(guest.host("SYS_GETENV", 0, 0, &[DATA, 3]).0, u32::MAX);
    assert_eq!(guest.host("SYS_ARGC", 0, 0, &[]).0, 2);
    assert_eq!(guest.host("SYS_ARGV", DATA + 64, 2, &[1]).0, 11);
    assert_eq!(guest.word(DATA + 68).to_le_bytes(), *b"rgum");
    guest.cpu.instret = 5 << 32 | 7;
    assert_eq!(guest.host("SYS_CYCLE_COUNT", 0, 0, &[]), (5, 7));
    assert_eq!(guest.host("SYS_RANDOM", DATA + 64, 8, &[]), (0, 0));
    let random: Vec<u32> = (0..8).map(|n| guest.word(DATA + 64 + 4 * n)).collect();
    assert!(random.iter().any(|&word| word != random[0]), "{random:x?}");
    assert_eq!(guest.host("SYS_FORK", 0, 0, &[]).0, u32::MAX);
    let panic = guest.host_outcome("SYS_PANIC", 0, 0, &[DATA, 4]);
    assert_eq!(panic, Outcome::Killed(6));
    for name in ["SYS_VERIFY_INTEGRITY", "SYS_NEW", ""] {
        let outcome = guest.host_outcome(name, 0, 0, &[]);
        assert!(
            matches!(outcome, Outcome::Refused(_)),
            "{name}: {outcome:?}"
        );
    }
    for (how, status) in [(0, 0), (7 << 8, 7), (1 | 3 << 8, 3)] {
        assert_eq!(guest.zk(0, &[how, DATA]), Outcome::Exit(status));
    }
}

#[test]
fn risc0_hashes_and_multiplies() {
    let mut guest = guest(Convention::Risc0);
    // SHA-256 of "abc": the state and the block in its own byte order.
    let start = [
        0x6a09_e667u32,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let bytes: Vec<u8> = start.iter().flat_map(|word| word.to_be_bytes()).collect();
    guest.memory.write(DATA, &bytes).unwrap();
    let mut block = [0; 64];
    block[..4].copy_from_slice(b"abc\x80");
    block[63] = 24;
    guest.memory.write(DATA + 64, &block).unwrap();
    let args = [DATA + 256, DATA, DATA + 64, DATA + 96, 1];
    assert_eq!(guest.zk(3, &args), Outcome::Continue);
    assert_eq!(
        guest.word(DATA + 256).to_le_bytes(),
        [0xba, 0x78, 0x16, 0xbf]
    );
    // 6 * 7 modulo 10.
    guest.memory.write(DATA, &[0; 128]).unwrap();
    for (n, value) in [6u32, 7, 10].into_iter().enumerate() {
        let at = DATA + 32 * u32::try_from(n).unwrap();
        guest.memory.store(at, value).unwrap();
    }
    let args = [DATA + 256, 0, DATA, DATA + 32, DATA + 64];
    assert_eq!(guest.zk(4, &args), Outcome::Continue);
    assert_eq!(guest.word(DATA + 256), 2);
    assert!(
        guest
            .refusal(3, &[DATA, DATA, DATA, DATA, u32::MAX])
            .contains("2^20")
    );
}

#[test]
fn whatever_a_guest_asks_for_has_an_end() {
    let pointers = [0, 2, DATA, DATA + 0xfffc, UNMAPPED, u32::MAX - 3, u32::MAX];
    for convention in [Convention::Risc0, Convention::Sp1] {
        let numbers = (0..0x140)
            .chain((0x100..0x140).map(|n| 0x1_0000 + n))
            .chain([0x0030_0105, u32::MAX]);
        for number in numbers {
            for a in pointers {
                for b in [0, 1, 7, DATA, u32::MAX] {
                    let mut guest = guest(convention);
                    guest.zk(number, &[a, b, a, b, b]);
                    guest.zk(number, &[b, a, b, a, 3]);
                }
            }
        }
    }
    let names = [
        "SYS_READ",
        "SYS_WRITE",
        "SYS_LOG",
        "SYS_PANIC",
        "SYS_RANDOM",
        "SYS_GETENV",
        "SYS_ARGV",
        "SYS_KECCAK",
    ];
    for name in names {
        for a in pointers {
            for b in [0, 1, 3, 0x4000_0000, u32::MAX] {
                // Hashing 4 GiB of memory that is there is work, and no fault.
                let mut guest = guest(Convention::Risc0);
                guest.host_outcome(name, a, b, &[b & 3, a, b, b, b]);
                guest.host_outcome(name, a, b, &[a, b, b, b, b]);
            }
        }
    }
}

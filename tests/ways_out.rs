//! Consoles, ways out and the conventions of zkVMs on every engine, where a program reads its input or options are needed;
//! the others are in `fixtures/MANIFEST`.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod common;

use common::{AS_IT_IS, EngineRow, assert_one_line, engines, fixtures, rvjit, stderr, stdout};
use rvjit::machine::{EngineKind, Exit, Machine, MachineConfig};
use rvjit::syscall::Stream;
use std::fs;
use std::process::Output;

fn run(engine: &EngineRow, args: &[&str], input: &[u8]) -> Output {
    let mut command = rvjit();
    command
        .current_dir(fixtures())
        .arg("run")
        .args(engine.options);
    common::run(command.args(args).write_stdin(input))
}

fn all_engines() -> impl Iterator<Item = EngineRow> {
    engines().into_iter().chain([AS_IT_IS])
}

#[test]
fn a_uart_echoes_standard_input() {
    for engine in all_engines() {
        let output = run(&engine, &["uart_echo.elf"], b"ab\n\0\xff\ncd\x04never read");
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}: {}",
            engine.name,
            stderr(&output)
        );
        assert_eq!(output.stdout, b"ab\n\n\0\xff\n\ncd", "{}", engine.name);
        assert!(output.stderr.is_empty(), "{}", engine.name);
    }
}

#[test]
fn a_uart_without_input_waits_no_longer_than_the_time_limit() {
    // Standard input ends before the byte that ends the program comes.
    let output = run(&AS_IT_IS, &["--timeout", "300ms", "uart_echo.elf"], b"x");
    assert_eq!(output.status.code(), Some(124), "{}", stderr(&output));
    assert_eq!(stdout(&output), "x");
}

#[test]
fn devices_can_be_moved_and_left_out() {
    // Where nothing is, the first access is a fault.
    let rows: [(&[&str], i32, &str); 5] = [
        (&["--uart", "0x10000000", "finisher_pass.elf"], 0, ""),
        (
            &["--uart", "none", "finisher_pass.elf"],
            139,
            "writing 0x10000000",
        ),
        (
            &["--uart", "0x20000000", "finisher_pass.elf"],
            139,
            "writing 0x10000000",
        ),
        (
            &["--finisher", "none", "finisher_pass.elf"],
            139,
            "writing 0x00100000",
        ),
        (
            &["--uart", "0x80000000", "finisher_pass.elf"],
            125,
            "0x80000000",
        ),
    ];
    for (args, status, says) in rows {
        let output = run(&AS_IT_IS, args, b"");
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
    }
}

/// The line that each of two items, an input and a journal make.
fn zkvm(program: &str, options: &[&str], engine: &EngineRow) -> (Output, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (first, second, out) = (path("first"), path("second"), path("out"));
    fs::write(&first, "first").unwrap();
    fs::write(&second, "second item").unwrap();
    let files = ["--input", &first, "--input", &second, "--output", &out];
    let output = run(engine, &[options, &files, &[program]].concat(), b"");
    (output, fs::read(out).unwrap_or_default())
}

#[test]
fn sp1_guests_read_print_and_commit() {
    let mut digest = b"firstsecond item".to_vec();
    // SHA-256 of "abc", as words.
    for word in [
        0xba78_16bfu32,
        0x8f01_cfea,
        0x4141_40de,
        0x5dae_2223,
        0xb003_61a3,
        0x9617_7a9c,
        0xb410_ff61,
        0xf200_15ad,
    ] {
        digest.extend(word.to_le_bytes());
    }
    for engine in all_engines() {
        for options in [&[][..], &["--platform", "sp1"]] {
            let (output, committed) = zkvm("sp1.elf", options, &engine);
            assert_eq!(
                output.status.code(),
                Some(11),
                "{}: {}",
                engine.name,
                stderr(&output)
            );
            assert_eq!(stdout(&output), "firstsecond item", "{}", engine.name);
            assert_eq!(committed, digest, "{}", engine.name);
        }
    }
}

#[test]
fn risc0_guests_read_print_and_commit() {
    let mut journal = b"firstse".to_vec();
    // Keccak-256 of nothing.
    journal.extend([
        0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03,
        0xc0, 0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85,
        0xa4, 0x70,
    ]);
    for engine in all_engines() {
        for options in [&[][..], &["--platform", "risc0"]] {
            let (output, committed) = zkvm("risc0.elf", options, &engine);
            assert_eq!(
                output.status.code(),
                Some(7),
                "{}: {}",
                engine.name,
                stderr(&output)
            );
            assert_eq!(stdout(&output), "firstse", "{}", engine.name);
            assert_eq!(committed, journal, "{}", engine.name);
        }
        // Without --input, standard input is what it reads.
        let output = run(&engine, &["risc0.elf"], b"from stdin");
        assert_eq!(output.status.code(), Some(7), "{}", engine.name);
        assert_eq!(stdout(&output), "from st", "{}", engine.name);
    }
}

#[test]
fn what_a_zkvm_has_and_rvjit_has_not_is_named() {
    let rows = [
        ("sp1_precompile.elf", "SECP256K1_ADD (ecall 0x1010a)"),
        ("risc0_precompile.elf", "BIGINT2 (ecall 0x6)"),
    ];
    for (program, says) in rows {
        for engine in all_engines() {
            let (output, _) = zkvm(program, &[], &engine);
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(125), "{}: {text}", engine.name);
            assert!(
                text.lines().next().unwrap().contains(says),
                "{}: {text}",
                engine.name
            );
        }
    }
    let output = run(&AS_IT_IS, &["sp1.elf"], b"");
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("HINT_READ"), "{}", stderr(&output));
    let output = run(&AS_IT_IS, &["--output", "x", "hello.elf"], b"");
    assert_eq!(output.status.code(), Some(125));
    assert_one_line(&output, "--output without a zkVM");
    let output = run(&AS_IT_IS, &["--input", "/nowhere", "sp1.elf"], b"");
    assert_eq!(output.status.code(), Some(125));
    assert_one_line(&output, "an input that is not there");
}

/// Blocks of proxied calls that are nowhere, or hold anything: an end or an answer, and no bug.
#[test]
fn proxied_calls_from_anywhere_have_an_end() {
    let program = fs::read(fixtures().join("htif.elf")).unwrap();
    let block: Vec<u8> = [64u64, 1]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let at = program
        .windows(16)
        .position(|bytes| bytes == block)
        .unwrap();
    let far = [0u64, 0xffff_fff0, 0x1000_0000, 0x7000_0000, u64::MAX];
    for engine in [EngineKind::Interp, EngineKind::Auto] {
        for (word, value) in (0..4).flat_map(|word| far.map(|value| (word, value))) {
            let mut bytes = program.clone();
            bytes[at + 8 * word..][..8].copy_from_slice(&value.to_le_bytes());
            let config = MachineConfig {
                engine,
                stdin: Stream::Null,
                stdout: Stream::Null,
                stderr: Stream::Null,
                max_insns: Some(100_000),
                ..MachineConfig::default()
            };
            let image = rvjit::elf::Image::parse(bytes).unwrap();
            let exit = Machine::new(image, config).unwrap().run();
            // The program compares what was written with what it asked for: nothing, or to descriptor 0, is done.
            let expected = match (word, value) {
                (1 | 3, 0) => Exit::Status(0),
                _ => Exit::TohostFailure(99),
            };
            assert_eq!(exit, expected, "word {word} is {value:#x}");
        }
    }
}

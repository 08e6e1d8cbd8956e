//! Files that cannot be run: each is refused with its status, one line that says why, and nothing on standard output.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod common;

use common::{assert_one_line, assert_one_report, fixtures, run, rvjit, stderr};
use std::fs;
use std::path::Path;

/// Where the first program header is in the fixtures, and its fields.
const PHDR: usize = 52;
const P_TYPE: usize = PHDR;
const P_OFFSET: usize = PHDR + 4;
const P_VADDR: usize = PHDR + 8;
const P_FILESZ: usize = PHDR + 16;
const P_MEMSZ: usize = PHDR + 20;

fn hello() -> Vec<u8> {
    let bytes = fs::read(fixtures().join("hello.elf")).unwrap();
    let first_load = (0..4).find(|n| bytes[PHDR + 32 * n..][..4] == [1, 0, 0, 0]);
    assert_eq!(bytes[28], 52, "the program headers follow the header");
    // Some linkers put a header for attributes before the first segment: it is moved to the front.
    let mut bytes = bytes;
    let at = PHDR + 32 * first_load.unwrap();
    let load: Vec<u8> = bytes[at..at + 32].to_vec();
    let first: Vec<u8> = bytes[PHDR..PHDR + 32].to_vec();
    bytes[at..at + 32].copy_from_slice(&first);
    bytes[PHDR..PHDR + 32].copy_from_slice(&load);
    bytes
}

fn refused(path: &Path, status: i32, reason: &str, context: &str) {
    let output = run(rvjit().arg(path));
    assert_one_line(&output, context);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(status), "{context}: {text}");
    assert!(text.contains(reason), "{context}: {text}");
    assert!(text.contains(&*path.to_string_lossy()), "{context}: {text}");
    assert!(output.stdout.is_empty(), "{context}");
}

#[test]
fn damaged_programs() {
    let word = |value: u32| value.to_le_bytes().to_vec();
    // What is changed where in a good program, and what is said.
    let rows: Vec<(&str, usize, Vec<u8>, &str)> = vec![
        ("magic", 0, vec![0x7e], "not an ELF file"),
        ("64 bits", 4, vec![2], "not a 32-bit ELF file"),
        ("big endian", 5, vec![2], "not a little-endian ELF file"),
        ("object", 16, vec![1, 0], "is an object file"),
        (
            "shared",
            16,
            vec![3, 0],
            "dynamically linked or position-independent",
        ),
        ("core", 16, vec![4, 0], "core dump"),
        ("type", 16, vec![0xfe, 0xca], "unknown ELF type 0xcafe"),
        ("x86", 18, vec![3, 0], "a program for x86, not for RISC-V"),
        ("arm64", 18, vec![183, 0], "a program for ARM64"),
        ("machine", 18, vec![0xff, 0xff], "ELF machine 65535"),
        (
            "entry outside",
            24,
            word(0x20_0000),
            "entry 0x00200000 is not inside",
        ),
        ("entry 0", 24, word(0), "entry 0x00000000 is not inside"),
        ("entry odd", 24, word(0x1_0099), "not a multiple of 4"),
        (
            "headers outside",
            28,
            word(0xffff_fff0),
            "cut off in its ELF program headers",
        ),
        ("compressed", 36, word(1), "compressed instructions"),
        ("float", 36, word(4), "floating-point ABI"),
        ("rve", 36, word(8), "RV32E"),
        (
            "header size",
            42,
            vec![31, 0],
            "program headers of 31 bytes",
        ),
        ("no headers", 44, vec![0, 0], "no loadable segment"),
        (
            "many headers",
            44,
            vec![0xff, 0xff],
            "cut off in its ELF program headers",
        ),
        ("interpreter", P_TYPE, word(3), "dynamically linked"),
        ("no load", P_TYPE, word(4), "no loadable segment"),
        (
            "offset",
            P_OFFSET,
            word(0xffff_f000),
            "lies outside the file",
        ),
        ("page 0", P_VADDR, word(0), "covers page 0"),
        ("wraps", P_VADDR, word(0xffff_ff00), "32-bit address space"),
        (
            "file size",
            P_FILESZ,
            word(0xffff_ffff),
            "larger in the file than in memory",
        ),
        (
            "memory size",
            P_MEMSZ,
            word(0xffff_ffff),
            "32-bit address space",
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.elf");
    for (name, offset, change, reason) in rows {
        let mut bytes = hello();
        bytes[offset..offset + change.len()].copy_from_slice(&change);
        fs::write(&path, bytes).unwrap();
        refused(&path, 126, reason, name);
    }
}

#[test]
fn overlapping_segments() {
    // A second header like the first one.
    let mut bytes = hello();
    let first = bytes[PHDR..PHDR + 32].to_vec();
    bytes[PHDR + 32..PHDR + 64].copy_from_slice(&first);
    let count = u16::from_le_bytes([bytes[44], bytes[45]]).max(2);
    bytes[44..46].copy_from_slice(&count.to_le_bytes());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.elf");
    fs::write(&path, bytes).unwrap();
    refused(&path, 126, "overlap", "overlap");
}

#[test]
fn cut_off_programs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("short.elf");
    let whole = hello();
    for (len, reason) in [
        (0, "the file is empty"),
        (1, "not an ELF file"),
        (4, "cut off in its ELF header"),
        (15, "cut off in its ELF header"),
        (51, "cut off in its ELF header"),
        (60, "cut off in its ELF program headers"),
        (400, "lies outside the file"),
    ] {
        fs::write(&path, &whole[..len]).unwrap();
        refused(&path, 126, reason, &format!("{len} bytes"));
    }
}

#[test]
fn files_that_are_no_programs() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    refused(&missing, 127, "no such file", "missing");
    refused(dir.path(), 126, "is a directory", "directory");
    refused(Path::new("/dev/null"), 126, "not a regular file", "device");
    let script = dir.path().join("script");
    fs::write(&script, "#!/bin/sh\nexit 0\n").unwrap();
    refused(&script, 126, "not an ELF file", "script");
    refused(&script.join("below"), 127, "no such file", "below a file");
    let own = std::env::current_exe().unwrap();
    refused(&own, 126, "not a 32-bit ELF file", "a program of this host");
}

/// Whatever one byte of the headers is, the command ends in an orderly way.
#[test]
fn a_changed_byte_never_panics() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.elf");
    let good = hello();
    for at in 16..PHDR + 32 {
        let mut bytes = good.clone();
        bytes[at] ^= 0x81;
        fs::write(&path, bytes).unwrap();
        let output = run(rvjit().args(["--max-insns", "100000"]).arg(&path));
        let text = stderr(&output);
        let status = output.status.code();
        assert!(!text.contains("panicked"), "byte {at}: {text}");
        assert!(
            status.is_some_and(|s| s != 101),
            "byte {at}: {status:?} {text}"
        );
        let context = format!("byte {at}");
        match status {
            Some(0) => {}
            Some(125..128) => assert_one_line(&output, &context),
            // It ran, and died.
            _ => assert_one_report(&output, &context),
        }
    }
}

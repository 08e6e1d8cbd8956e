//! Files that cannot be run: each is refused with its status, one line that says why, and nothing on standard output.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod common;

use common::{assert_one_line, assert_one_report, fixtures, run, rvjit, rvjit_process, stderr};
use rvjit::elf::{Image, sections};
use rvjit::inspect::functions::functions;
use rvjit::inspect::memory_of;
use rvjit::machine::{EngineKind, Exit, Machine, MachineConfig, MachineError};
use rvjit::memory::Placement;
use rvjit::report::{Crash, describe};
use rvjit::syscall::Stream;
use std::fs;
use std::io::Write;
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
        ("64 bits", 4, vec![2], "64-bit RISC-V"),
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
        ("entry outside", P_VADDR, word(0), "not inside a segment"),
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

/// A program may come from a pipe: `rvjit <(xz -dc prog.elf.xz)`.
#[test]
fn programs_from_pipes() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let bytes = fs::read(fixtures().join("hello.elf")).unwrap();
    let feed = std::thread::spawn(move || writer.write_all(&bytes));
    let output = rvjit_process()
        .arg("/dev/stdin")
        .stdin(reader)
        .output()
        .unwrap();
    feed.join().unwrap().unwrap();
    assert_eq!(output.stdout, b"hello, world\n", "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(0));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    let output = rvjit_process()
        .arg("/dev/stdin")
        .stdin(reader)
        .output()
        .unwrap();
    assert_one_line(&output, "an empty pipe");
    assert_eq!(output.status.code(), Some(126));
}

/// A section for [`with_sections`]: name, type, flags, address, and its bytes or the size it pretends to have.
type SectionRow = (u32, u32, u32, u32, Vec<u8>);

/// `hello.elf` with other sections. The names are in the last one; those of symbols in the one before.
fn with_sections(rows: &[SectionRow]) -> Vec<u8> {
    let mut bytes = hello();
    let number = |n: usize| u32::try_from(n).unwrap();
    let mut headers = Vec::new();
    for (name, kind, flags, addr, data) in rows {
        let (at, size) = (number(bytes.len()), number(data.len()));
        bytes.extend(data);
        let link = number(rows.len() - 2);
        headers.extend([*name, *kind, *flags, *addr, at, size, link, 0, 1, 16]);
    }
    let start = number(bytes.len());
    bytes.extend(headers.iter().flat_map(|word| word.to_le_bytes()));
    bytes[32..36].copy_from_slice(&start.to_le_bytes());
    let count = u16::try_from(rows.len()).unwrap();
    for (at, half) in [(46, 40), (48, count), (50, count - 1)] {
        bytes[at..at + 2].copy_from_slice(&half.to_le_bytes());
    }
    bytes
}

/// A symbol table of functions of this size, with their names' places.
fn symbol_table(size: u32, functions: impl IntoIterator<Item = (u32, u32)>) -> Vec<u8> {
    let entry = |(name, addr)| [name, addr, size, 0x0001_0002];
    let words = functions.into_iter().flat_map(entry);
    words.flat_map(u32::to_le_bytes).collect()
}

/// What many entries of a table share is not multiplied by their number: neither memory nor time grows with more than
/// the file.
#[test]
fn shared_names_and_sections_are_not_multiplied() {
    const TEXT: u32 = 0x1_0074;
    const COUNT: usize = 3000;
    let long = |count| {
        let mut name = vec![b'a'; count];
        name.push(0);
        name
    };
    let table = symbol_table(4, (0..COUNT).map(|_| (0, TEXT)));
    let file = with_sections(&[
        (0, 2, 0, 0, table),
        (0, 3, 0, 0, long(100_000)),
        (0, 3, 0, 0, vec![0]),
    ]);
    let image = Image::parse(file.clone()).unwrap();
    let symbols = image.symbols().entries();
    let kept: usize = symbols.iter().map(|s| s.name.len()).sum();
    assert!(!symbols.is_empty() && kept <= 4 * file.len(), "{kept}");

    let mut rows = vec![(0, 1, 0, 0, Vec::new()); COUNT];
    rows.push((0, 3, 0, 0, long(100_000)));
    let file = with_sections(&rows);
    let found = sections(&file);
    let kept: usize = found.iter().map(|s| s.name.len()).sum();
    assert_eq!(found.len(), COUNT + 1);
    assert!(kept <= 8 * file.len(), "{kept}");

    let code = (0, 1, 6, TEXT, vec![0; 400]);
    let table = symbol_table(4, (0..100).map(|n| (1, TEXT + 4 * n)));
    let mut rows = vec![code; 200];
    rows.extend([
        (0, 2, 0, 0, table),
        (0, 3, 0, 0, b"\0f\0".to_vec()),
        (0, 3, 0, 0, vec![0]),
    ]);
    let image = Image::parse(with_sections(&rows)).unwrap();
    let mut memory = memory_of(&image).unwrap();
    let all = functions(&image, &mut memory);
    let named = all.iter().filter(|f| f.name == "f");
    assert_eq!(named.count(), 100);
}

#[test]
fn a_function_may_say_any_size() {
    for size in [u32::MAX, u32::MAX - 2, 0x8000_0001, 3] {
        let file = with_sections(&[
            (0, 2, 0, 0, symbol_table(size, [(1, 0x1_0074)])),
            (0, 3, 0, 0, b"\0f\0".to_vec()),
            (0, 3, 0, 0, vec![0]),
        ]);
        let image = Image::parse(file).unwrap();
        let mut memory = memory_of(&image).unwrap();
        let all = functions(&image, &mut memory);
        let f = all.iter().find(|f| f.name == "f").unwrap();
        assert!(
            f.range.start == 0x1_0074 && f.range.end > f.range.start,
            "{size:#x}"
        );
    }
}

/// Random damage all over the fixtures: they run to some end, on each engine, and nothing panics. `RVJIT_SEED` repeats
/// a failure, `RVJIT_PROGRAMS` makes it longer.
#[test]
fn damaged_programs_end_in_an_orderly_way() {
    let number = |name: &str, default: u64| {
        let text = std::env::var(name).ok();
        text.map_or(default, |text| text.parse().expect("a decimal number"))
    };
    let (first, count) = (number("RVJIT_SEED", 1), number("RVJIT_PROGRAMS", 300));
    let names = ["hello", "sort", "interp", "smc", "semi", "tohost_pass"];
    let good = names.map(|name| fs::read(fixtures().join(format!("{name}.elf"))).unwrap());
    let mut ran = 0;
    for seed in first..first + count {
        let mut state = seed;
        let mut random = |below: usize| {
            // SplitMix64 (Steele, Lea and Flood, 2014).
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((z ^ (z >> 31)) >> 33).unwrap() % below
        };
        let mut bytes = good[random(good.len())].clone();
        for _ in 0..1 + random(6) {
            let at = match random(3) {
                0 => random(200),
                _ => random(bytes.len() - 4),
            };
            let words = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_f000, u32::MAX];
            match random(3) {
                0 => bytes[at & !3..][..4].copy_from_slice(&words[random(6)].to_le_bytes()),
                _ => bytes[at] = u8::try_from(random(256)).unwrap(),
            }
        }
        if random(8) == 0 {
            bytes.truncate(random(bytes.len()));
        }
        // Paged, where a machine costs least to make.
        let engine = [EngineKind::Auto, EngineKind::Interp][random(2)];
        let config = MachineConfig {
            engine,
            placement: Some(Placement::Paged),
            stdin: Stream::Null,
            stdout: Stream::Null,
            stderr: Stream::Null,
            max_insns: Some(20_000),
            ..MachineConfig::default()
        };
        eprintln!("RVJIT_SEED={seed}");
        let machine = Image::parse(bytes)
            .map_err(MachineError::from)
            .and_then(|image| Machine::new(image, config));
        match machine {
            Ok(mut machine) => {
                let exit = machine.run();
                let described = describe(exit, &machine);
                assert!(described.is_some() || matches!(exit, Exit::Status(_)));
                let crash = Crash::new(exit, &mut machine);
                assert!(crash.is_none_or(|crash| !crash.backtrace.is_empty()));
                ran += 1;
            }
            Err(error) => assert!([125, 126].contains(&error.status()), "{error}"),
        }
    }
    assert!(ran > count / 4, "only {ran} of {count} ran");
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

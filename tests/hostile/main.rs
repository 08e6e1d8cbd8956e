//! Programs whose files ask for any amount of work and memory: what a report takes is bounded, and it comes.
//!
//! Memory is bounded by a limit of address space, work by a time that is many times what it takes: these are limits
//! against growth and endless loops. `RVJIT_KEEP=FOLDER` leaves the files there, to measure them.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

#[path = "../common/mod.rs"]
mod common;
mod dwarf;
mod elf;

use common::{rvjit_process, stderr};
use elf::{FAULT, SYMTAB, TEXT, deep, objects, program};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// KiB of address space: the paged placement with its 64 MiB takes 100,000 of them.
const ADDRESS_SPACE: u32 = 400_000;
/// Many times what anything here takes, also in a debug build on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// rvjit with these arguments, within a limit of address space.
fn limited(args: &[&str]) -> Command {
    let rvjit = rvjit_process();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v $0 && exec \"$@\""]);
    command.arg(ADDRESS_SPACE.to_string());
    command.arg(rvjit.get_program()).args(args);
    command
}

/// A run of a program.
fn run(args: &[&str], path: &Path) -> Output {
    let always = ["run", "--memory", "64M", "--placement", "paged"];
    let mut command = limited(&[&always, args].concat());
    end(command.arg(path))
}

/// The output of a process that must end.
fn end(command: &mut Command) -> Output {
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > LONG {
            child.kill().unwrap();
            panic!("it does not end: {command:?}");
        }
        sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// Where files are made.
struct Folder {
    _made: Option<tempfile::TempDir>,
    path: PathBuf,
}

impl Folder {
    fn new() -> Folder {
        match std::env::var_os("RVJIT_KEEP") {
            Some(path) => Folder {
                _made: None,
                path: path.into(),
            },
            None => {
                let made = tempfile::tempdir().unwrap();
                let path = made.path().to_owned();
                Folder {
                    _made: Some(made),
                    path,
                }
            }
        }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// `j .`
const LOOP: u32 = 0x0000_006f;

/// Symbols of data, which stand before the code's: each address that is looked up has them all before it.
fn with_objects(code: &[u32], count: u32) -> Vec<u8> {
    let symbols = objects((0..count).map(|_| 4));
    program(code, &[("names", SYMTAB, symbols)])
}

#[test]
fn symbols_of_data_cost_no_report_and_no_sample() {
    let folder = Folder::new();
    let path = folder.file("objects", &with_objects(&deep(FAULT[0]), 200_000));
    let output = run(&[], &path);
    assert_eq!(output.status.code(), Some(139), "{}", stderr(&output));
    assert!(stderr(&output).contains("frames or more left out"));

    let path = folder.file("samples", &with_objects(&deep(LOOP), 200_000));
    let folded = folder.path.join("folded");
    let profile = ["--profile", folded.to_str().unwrap()];
    for engine in ["auto", "interp"] {
        let limits = ["--timeout", "1s", "--engine", engine, "--hot", "0"];
        let output = run(&[&profile[..], &limits].concat(), &path);
        assert_eq!(output.status.code(), Some(124), "{}", stderr(&output));
        assert!(!fs::read_to_string(&folded).unwrap().is_empty());
    }

    // A function at each instruction, and data behind them.
    let code = vec![0x13; 20_000];
    let at = |n: u32| [1, TEXT + 4 * n, 4, 0x0001_0012];
    let words = (0..20_000).flat_map(at).flat_map(u32::to_le_bytes);
    let mut symbols: Vec<u8> = words.collect();
    symbols.extend(objects((0..100_000).map(|_| TEXT + 79_996)));
    let path = folder.file("listing", &program(&code, &[("names", SYMTAB, symbols)]));
    let output = end(limited(&["disasm"]).arg(&path));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn coverage_takes_what_the_program_is_worth() {
    let folder = Folder::new();
    for (name, bytes) in dwarf::rows()
        .into_iter()
        .filter(|row| row.0.starts_with("lines"))
    {
        let path = folder.file(name, &bytes);
        let file = folder.path.join("info");
        let output = run(&["--coverage", file.to_str().unwrap()], &path);
        assert_eq!(output.status.code(), Some(139), "{}", stderr(&output));
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("SF:file.c\n"), "{name}: {text}");
    }
}

#[test]
fn debug_information_costs_no_report() {
    let folder = Folder::new();
    for (name, bytes) in dwarf::rows() {
        let path = folder.file(name, &bytes);
        let output = run(&[], &path);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(139), "{name}: {text}");
        assert!(
            text.contains("memory fault at pc 0x000100"),
            "{name}: {text}"
        );
        assert!(text.contains("\n    #0 0x000100"), "{name}: {text}");
        let json = folder.path.join("report.json");
        let output = run(&["--report", json.to_str().unwrap()], &path);
        assert_eq!(output.status.code(), Some(139), "{name}");
        let report = common::json_in(&json);
        assert!(report["backtrace"][0]["pc"].is_u64(), "{name}: {report}");
    }
}

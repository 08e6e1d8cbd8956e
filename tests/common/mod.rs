//! What the integration tests share: running the built command, also when it is built for another host, and small
//! ELF files with chosen defects.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this; which part differs"
)]

use assert_cmd::Command;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The words that start the built command. `CARGO_TARGET_<TRIPLE>_RUNNER` stands before it where that is set, as cargo
/// itself does for tests: so the same tests run on a build for another host.
fn words() -> Vec<String> {
    let runner = std::env::var(runner_variable()).unwrap_or_default();
    let mut words: Vec<String> = runner.split_whitespace().map(str::to_owned).collect();
    words.push(env!("CARGO_BIN_EXE_rvjit").to_owned());
    words
}

/// The status of a process; one that hangs is stopped.
pub(crate) fn status_of(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
        if let Some(status) = child.try_wait().expect("the process is our child") {
            return status.code();
        }
        sleep(Duration::from_millis(10));
    }
    child.kill().expect("the process runs");
    panic!("it does not end");
}

/// The built command; one that hangs is stopped.
pub(crate) fn rvjit() -> Command {
    let words = words();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).timeout(Duration::from_secs(60));
    command.env_remove("RVJIT_LOG").env_remove("NO_COLOR");
    command
}

/// The built command, for tests that need its process or give it streams of their own.
pub(crate) fn rvjit_process() -> process::Command {
    let words = words();
    let mut command = process::Command::new(&words[0]);
    command.args(&words[1..]);
    command.env_remove("RVJIT_LOG").env_remove("NO_COLOR");
    command
}

/// Runs the command in the folder of the fixtures.
pub(crate) fn in_fixtures(args: &[&str]) -> Output {
    run(rvjit().current_dir(fixtures()).args(args))
}

/// The name that cargo gives the runner of this build's target.
fn runner_variable() -> String {
    let libc = if cfg!(target_env = "musl") {
        "MUSL"
    } else {
        "GNU"
    };
    let system = if cfg!(target_os = "macos") {
        "APPLE_DARWIN".to_owned()
    } else {
        format!("UNKNOWN_LINUX_{libc}")
    };
    let machine = std::env::consts::ARCH.to_uppercase();
    format!("CARGO_TARGET_{machine}_{system}_RUNNER")
}

/// An engine and how its code reaches memory, as options of the command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineRow {
    /// For messages.
    pub(crate) name: &'static str,
    /// The options.
    pub(crate) options: &'static [&'static str],
}

/// Every way to run a program in this build. The JIT translates everything.
pub(crate) fn engines() -> Vec<EngineRow> {
    let interp = [
        (
            "interp, paged",
            ["--engine", "interp", "--placement", "paged"],
        ),
        (
            "interp, window",
            ["--engine", "interp", "--placement", "window"],
        ),
        (
            "interp, identity",
            ["--engine", "interp", "--placement", "identity"],
        ),
    ];
    let jit = [
        (
            "jit, paged",
            ["--hot=0", "--engine=jit", "--placement", "paged"],
        ),
        (
            "jit, window",
            ["--hot=0", "--engine=jit", "--placement", "window"],
        ),
        (
            "jit, identity",
            ["--hot=0", "--engine=jit", "--placement", "identity"],
        ),
    ];
    let row = |(name, options): (&'static str, [&'static str; 4])| EngineRow {
        name,
        options: Box::leak(Box::new(options)),
    };
    let jit = jit.into_iter().filter(|_| rvjit::machine::JIT_AVAILABLE);
    interp.into_iter().chain(jit).map(row).collect()
}

/// The JIT as it is without options: what is executed seldom is interpreted, so small programs have no code.
pub(crate) const AS_IT_IS: EngineRow = EngineRow {
    name: "as it is",
    options: &[],
};

/// The folder of guest programs.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Runs a command; a time-out or a missing binary is a failed test.
pub(crate) fn run(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{error}"),
    }
}

/// What the command wrote to standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What the command wrote to standard output.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a JSON file holds.
pub(crate) fn json_in(file: &Path) -> serde_json::Value {
    let bytes = std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// One line on standard error that begins with `rvjit:`, and no word of a panic.
pub(crate) fn assert_one_line(output: &Output, context: &str) {
    let text = stderr(output);
    assert_eq!(text.lines().count(), 1, "{context}: {text}");
    assert!(text.starts_with("rvjit: "), "{context}: {text}");
    assert!(text.ends_with('\n'), "{context}: {text}");
    assert!(!text.contains("panicked"), "{context}: {text}");
}

/// One line on standard error that begins with `rvjit:`; all others are its details, which are indented.
pub(crate) fn assert_one_report(output: &Output, context: &str) {
    let text = stderr(output);
    assert!(text.starts_with("rvjit: "), "{context}: {text}");
    let details = text.lines().filter(|line| line.starts_with("  ")).count();
    assert_eq!(text.lines().count(), details + 1, "{context}: {text}");
    assert!(
        text.contains("\n  backtrace:\n    #0 0x"),
        "{context}: {text}"
    );
    assert!(!text.contains("panicked"), "{context}: {text}");
}

/// A file with one segment at this address, which may do everything: these words, of which the first is the entry.
pub(crate) fn one_segment(start: u32, words: &[u32]) -> Vec<u8> {
    let size = u32::try_from(4 * words.len()).unwrap_or(u32::MAX);
    let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2_u16, 243] {
        file.extend(half.to_le_bytes());
    }
    for word in [1, start, 52, 0, 0] {
        file.extend(u32::to_le_bytes(word));
    }
    for half in [52_u16, 32, 1, 40, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for word in [1, 84, start, start, size, size, 7, 4] {
        file.extend(u32::to_le_bytes(word));
    }
    file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    file
}

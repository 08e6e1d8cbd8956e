//! Pipes that nobody writes or reads, limits of file sizes, and files that are in each other's way: a run ends with its
//! limits, says one thing, and loses no file.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    unsafe_code,
    reason = "a test that cannot be set up has failed; the surroundings are set up between fork and exec"
)]

mod common;

use common::{fixtures, one_segment, rvjit_process, status_of, stderr};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// `j .`
const LOOP: [u32; 1] = [0x0000_006f];

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_program_that_never_comes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    pipe(&path);
    let mut child = rvjit_process()
        .args(["run", "--timeout", "300ms"])
        .arg(&path)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(status_of(&mut child), Some(124));
    let output = child.wait_with_output().unwrap();
    common::assert_one_line(&output, "a pipe");
}

/// What is shown goes into a pipe that is full, or is not read at all.
#[test]
fn nobody_looks_on() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("loop");
    fs::write(&program, one_segment(0x1_0000, &LOOP)).unwrap();
    let named = dir.path().join("pipe");
    pipe(&named);
    let to_file = ["--trace", "insn", "--trace-out", named.to_str().unwrap()];
    let reports = ["--report", named.to_str().unwrap()];
    let rows: [&[&str]; 3] = [&["--trace", "insn"], &to_file, &reports];
    for row in rows {
        let mut child = rvjit_process()
            .args(["run", "--timeout", "300ms"])
            .args(row)
            .arg(&program)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let code = status_of(&mut child);
        assert!([Some(124), Some(125)].contains(&code), "{row:?} {code:?}");
    }
    let mut child = rvjit_process()
        .args(["run", "--trace", "insn"])
        .arg(&program)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Long enough to fill the pipe.
    sleep(Duration::from_millis(500));
    // SAFETY: the process is our child and was not waited for.
    unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) };
    let code = status_of(&mut child);
    assert!([Some(130), Some(125)].contains(&code), "{code:?}");
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("loop");
    fs::write(&program, one_segment(0x1_0000, &LOOP)).unwrap();
    for ignored in [true, false] {
        let mut command = rvjit_process();
        command.args(["run", "--timeout", "2s"]).arg(&program);
        let action = if ignored {
            libc::SIG_IGN
        } else {
            libc::SIG_DFL
        };
        // SAFETY: may be called between fork and exec.
        let set = move || match unsafe { libc::signal(libc::SIGTERM, action) } {
            libc::SIG_ERR => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        };
        // SAFETY: as above.
        unsafe { command.pre_exec(set) };
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(800));
        // SAFETY: the process is our child and was not waited for.
        unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) };
        let expected = if ignored { 124 } else { 130 };
        assert_eq!(status_of(&mut child), Some(expected), "{ignored}");
    }
}

/// A file with a second name cannot be replaced, only rewritten: what cannot be written whole leaves it as it was.
#[test]
#[cfg_attr(
    target_arch = "aarch64",
    ignore = "an emulator writes larger files of its own"
)]
fn a_file_that_cannot_be_rewritten_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report");
    let old = "x".repeat(100);
    fs::write(&file, &old).unwrap();
    fs::hard_link(&file, dir.path().join("other")).unwrap();
    let rvjit = rvjit_process();
    // Half a kilobyte, or one: less than any report has.
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 1 && exec \"$@\"", "sh"])
        .arg(rvjit.get_program())
        .args(rvjit.get_args())
        .args(["run", "--report"])
        .arg(&file)
        .arg(fixtures().join("nullcrash.elf"))
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("cannot write"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), old);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn outputs_are_not_in_each_others_way() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("listing.txt");
    let bytes = fs::read(fixtures().join("hello.elf")).unwrap();
    fs::write(&program, &bytes).unwrap();
    let run = |args: &[&str]| {
        let mut command = rvjit_process();
        let output = command.current_dir(dir.path()).arg("run").args(args);
        output.arg("listing.txt").output().unwrap()
    };
    let output = run(&["--report", "a", "--coverage", "./a"]);
    assert_eq!(output.status.code(), Some(125));
    common::assert_one_line(&output, "two options");
    assert!(
        stderr(&output).contains("two options"),
        "{}",
        stderr(&output)
    );
    let output = run(&["--dump-jit", "."]);
    assert_eq!(output.status.code(), Some(125));
    assert!(
        stderr(&output).contains("is the program"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read(&program).unwrap(), bytes);
}

#[test]
fn names_do_not_steer_the_terminal() {
    let output = rvjit_process()
        .args(["run", "no\u{1b}[2J\u{202e}such\u{2028}\u{7f}file"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(127));
    common::assert_one_line(&output, "a name");
    let text = stderr(&output);
    assert!(text.contains("no\\u{1b}[2J\\u{202e}such"), "{text}");
    let harmful = |c: char| c.is_control() && c != '\n' || ['\u{202e}', '\u{2028}'].contains(&c);
    assert!(!text.contains(harmful), "{text:?}");
}

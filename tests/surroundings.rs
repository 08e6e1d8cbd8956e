//! What surrounds a run may be odd: signals that whoever started us blocked or sends, a page at address 0.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    unsafe_code,
    reason = "a test that cannot be set up has failed; the surroundings are set up between fork and exec"
)]

mod common;

use common::{fixtures, rvjit_process, stderr};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PLACEMENTS: [&str; 3] = ["paged", "window", "identity"];

/// A run in emitted code from the first instruction on.
fn hot(args: &[&str]) -> Command {
    let mut command = rvjit_process();
    command.current_dir(fixtures());
    command.args(["--engine", "jit", "--hot", "0"]).args(args);
    command
}

/// The output of a process; one that hangs is stopped.
fn output(mut command: Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it does not end");
        }
        sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// Blocks what the JIT lives by.
fn block_signals() -> io::Result<()> {
    // SAFETY: all-zero bytes are an empty set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGURG] {
        // SAFETY: the set is this function's own. What is called here may be called between fork and exec.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    // SAFETY: as above.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(result))
    }
}

#[test]
fn signals_may_be_blocked() {
    for placement in PLACEMENTS {
        let mut command = hot(&["--placement", placement, "fault_null_read.elf"]);
        // SAFETY: see there.
        unsafe { command.pre_exec(block_signals) };
        let output = output(command);
        assert_eq!(output.status.code(), Some(139), "{placement}");
        assert!(stderr(&output).contains("fault"), "{placement}");
    }
    let mut command = hot(&["--timeout", "200ms", "fib.elf", "47"]);
    // SAFETY: see there.
    unsafe { command.pre_exec(block_signals) };
    assert_eq!(output(command).status.code(), Some(124));
}

/// As `setarch -Z` does. Where the system does not let us have that page, this is a run like any other. Not for ARM64:
/// where it is emulated, the emulator gets the page, and what it emulates is not told.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_page_at_address_0_is_not_the_guests() {
    for placement in ["auto", "paged", "window"] {
        let mut command = hot(&["--placement", placement, "fault_null_read.elf"]);
        // SAFETY: has no preconditions, and may be called between fork and exec.
        let map_page_zero = || match unsafe { libc::personality(libc::MMAP_PAGE_ZERO as _) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
        // SAFETY: as above.
        unsafe { command.pre_exec(map_page_zero) };
        let output = output(command);
        assert_eq!(output.status.code(), Some(139), "{placement}");
        assert!(stderr(&output).contains("fault"), "{placement}");
    }
}

/// Whether emitted code is about to run, or runs: nothing else handles SIGURG.
fn handles(pid: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    caught >> (libc::SIGURG - 1) & 1 != 0
}

/// It ends us as it ends any process: it is no fault of the guest's, and none of ours.
#[test]
fn a_fault_signal_may_be_sent() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        let child = hot(&["--timeout", "60s", "fib.elf", "47"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id().cast_signed();
        let start = Instant::now();
        while !handles(child.id()) {
            assert!(start.elapsed() < Duration::from_secs(30), "it never runs");
            sleep(Duration::from_millis(5));
        }
        // SAFETY: the process is our child and was not waited for.
        unsafe { libc::kill(pid, signal) };
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(signal), "{}", stderr(&output));
    }
}

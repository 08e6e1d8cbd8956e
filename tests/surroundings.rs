//! What surrounds a run may be odd: signals that whoever started us blocked or sends, a page at address 0.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    unsafe_code,
    reason = "a test that cannot be set up has failed; the surroundings are set up between fork and exec; C's constants fit"
)]

mod common;

use common::{fixtures, one_segment, rvjit_process, stderr};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use rvjit::machine::{EngineKind, Exit, Machine, MachineConfig};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use rvjit::memory::Placement;
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

/// Whether a process has a handler for this signal.
fn handles(pid: u32, signal: libc::c_int) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    caught >> (signal - 1) & 1 != 0
}

/// Whether emitted code is about to run, or runs: nothing else handles this.
const RUNS: libc::c_int = libc::SIGURG;

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
        while !handles(child.id(), RUNS) {
            assert!(start.elapsed() < Duration::from_secs(30), "it never runs");
            sleep(Duration::from_millis(5));
        }
        // SAFETY: the process is our child and was not waited for.
        unsafe { libc::kill(pid, signal) };
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(signal), "{}", stderr(&output));
    }
}

/// Has the system refuse to set the base of the GS segment, as a sandbox may.
#[cfg(target_arch = "x86_64")]
fn refuse_segment_base() -> io::Result<()> {
    const ARCH_SET_GS: u32 = 0x1001;
    // The low halves of the number and of the first argument (struct seccomp_data).
    const NUMBER: u32 = 0;
    const ARGUMENT: u32 = 16;
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let row = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        row(load, 0, 0, NUMBER),
        row(equal, 0, 3, libc::SYS_arch_prctl as u32),
        row(load, 0, 0, ARGUMENT),
        row(equal, 0, 1, ARCH_SET_GS),
        row(answer, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        row(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    let checked = |result| match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: may be called between fork and exec, and concerns what this process may do alone.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: as above; the program is whole, and copied by the kernel.
    checked(unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) })
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_segment_base_may_be_refused() {
    let run = |args: &[&str]| {
        let mut command = rvjit_process();
        command.current_dir(fixtures()).env("RVJIT_LOG", "info");
        command.args(["--hot", "0"]).args(args);
        // SAFETY: see there.
        unsafe { command.pre_exec(refuse_segment_base) };
        output(command)
    };
    // Whatever the placement, programs run; the JIT runs them with another one, or says why not.
    for (args, status, said) in [
        (&["hello.elf"][..], 0, "refuses a segment base"),
        (
            &["--memory", "1G", "hello.elf"],
            0,
            "refuses a segment base",
        ),
        (&["--placement", "paged", "hello.elf"], 0, ""),
        (
            &["--placement", "window", "hello.elf"],
            0,
            "the interpreter is used",
        ),
        (
            &["--placement", "window", "--engine", "jit", "hello.elf"],
            125,
            "the host refuses what the jit needs",
        ),
    ] {
        let output = run(args);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
        assert!(text.contains(said), "{args:?}: {text}");
        assert!(!text.contains("panicked"), "{args:?}: {text}");
    }
}

/// The smallest stack for signals that the system takes, with nothing accessible below it: for this thread.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn small_signal_stack() -> libc::stack_t {
    /// `AT_MINSIGSTKSZ`
    const LEAST: libc::c_ulong = 51;
    // SAFETY: has no preconditions.
    let least = unsafe { libc::getauxval(LEAST) } as usize;
    let size = least.max(libc::MINSIGSTKSZ);
    let (guard, room) = (64 << 10, size.next_multiple_of(64 << 10));
    // SAFETY: new memory of our own, which is kept to the end.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            guard + room,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(start, libc::MAP_FAILED);
    let bottom = start.cast::<u8>().wrapping_add(guard);
    // SAFETY: the same memory.
    let opened = unsafe { libc::mprotect(bottom.cast(), room, libc::PROT_READ | libc::PROT_WRITE) };
    assert_eq!(opened, 0);
    let stack = libc::stack_t {
        ss_sp: bottom.cast(),
        ss_flags: 0,
        ss_size: size,
    };
    // SAFETY: nothing else uses this memory.
    let set = unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
    stack
}

/// Faults are handled on a stack of ours, whatever the thread has, and it has its own again behind the run.
#[test]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn a_signal_stack_may_be_small() {
    let thread = std::thread::spawn(|| {
        let own = small_signal_stack();
        // SAFETY: `own` says where that memory is, and nothing uses it now.
        unsafe { own.ss_sp.cast::<u8>().write_bytes(0x5a, own.ss_size) };
        let program = fixtures().join("fault_null_read.elf");
        let config = MachineConfig {
            engine: EngineKind::Jit,
            placement: Some(Placement::Window),
            hot: Some(0),
            ..MachineConfig::default()
        };
        let mut machine = Machine::open(&program, config).unwrap();
        assert!(matches!(machine.run(), Exit::Fault(_)));
        // SAFETY: all-zero bytes are a valid stack_t.
        let mut now: libc::stack_t = unsafe { std::mem::zeroed() };
        // SAFETY: only queries.
        unsafe { libc::sigaltstack(std::ptr::null(), &raw mut now) };
        assert_eq!((now.ss_sp, now.ss_size), (own.ss_sp, own.ss_size));
        // SAFETY: as above.
        let bytes = unsafe { std::slice::from_raw_parts(own.ss_sp.cast::<u8>(), own.ss_size) };
        assert!(bytes.iter().all(|&byte| byte == 0x5a), "it was used");
    });
    thread.join().unwrap();
}

/// Signals as fast as they can be sent, while each jump of the guest faults: its target is odd, and that is no error.
#[test]
fn signals_may_come_in_a_storm() {
    // lui a0, 0x10; addi a1, a1, 1; jalr zero, 5(a0)
    let program = one_segment(0x1_0000, &[0x0001_0537, 0x0015_8593, 0x0055_0067]);
    for placement in ["window", "identity"] {
        let folder = tempfile::tempdir().unwrap();
        let [profile, file] = ["profile", "storm.elf"].map(|name| folder.path().join(name));
        std::fs::write(&file, &program).unwrap();
        let mut child = hot(&["--placement", placement, "--timeout", "4s", "--profile"])
            .arg(&profile)
            .args(["--platform", "newlib"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id().cast_signed();
        let start = Instant::now();
        let mut first = None;
        let mut sent = 0;
        while child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(60), "it does not end");
            if !handles(child.id(), RUNS) || !handles(child.id(), libc::SIGPROF) {
                continue;
            }
            // Before and behind the run, SIGPROF ends the process as it would any; an emulator handles it from its own
            // start on.
            let first = *first.get_or_insert_with(Instant::now);
            if !(2..3).contains(&first.elapsed().as_secs()) {
                sleep(Duration::from_millis(10));
                continue;
            }
            for signal in [libc::SIGPROF, libc::SIGURG].repeat(100) {
                // SAFETY: the process is our child and was not waited for.
                unsafe { libc::kill(pid, signal) };
                sent += 1;
            }
        }
        let output = child.wait_with_output().unwrap();
        let text = stderr(&output);
        assert_eq!(
            output.status.code(),
            Some(124),
            "{placement}: {}: {text}",
            output.status
        );
        assert!(sent > 1000, "{placement}: {sent}");
    }
}

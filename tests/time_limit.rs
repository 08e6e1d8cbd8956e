//! `--timeout` where something is in its way.

mod common;

use common::{fixtures, rvjit_process, status_of};
use rvjit::sys::mmap::page_size;
use std::process::Stdio;

#[test]
fn a_write_that_waits_is_ended() {
    // More than a pipe holds; where pages are larger, so are pipes.
    let long = "x".repeat(1000 * page_size() / 4096);
    for engine in ["interp", "auto"] {
        let mut child = rvjit_process()
            .current_dir(fixtures())
            .args(["--timeout", "200ms", "--engine", engine, "args_env.elf"])
            .args(vec![&long; 100])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(status_of(&mut child), Some(124), "{engine}");
    }
}

/// How much address space a thread needs is not told, so many sizes are tried.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn a_host_without_threads_is_an_error_and_no_bug() {
    let mut statuses = Vec::new();
    for kibibytes in (64_000..90_000).step_by(200) {
        let rvjit = rvjit_process();
        let output = std::process::Command::new("sh")
            .args(["-c", "ulimit -v $0 && exec \"$@\"", &kibibytes.to_string()])
            .arg(rvjit.get_program())
            .args(["--memory", "64M", "--timeout", "60s", "hello.elf"])
            .current_dir(fixtures())
            .output()
            .unwrap();
        let code = output.status.code();
        let text = common::stderr(&output);
        assert!(!text.contains("panicked"), "{kibibytes} KiB: {text}");
        statuses.push(code);
    }
    assert!(statuses.contains(&Some(0)) && statuses.contains(&Some(125)));
}

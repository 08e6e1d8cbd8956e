//! What can be seen of a run: reports, statistics, traces, dumps, profiles. Each option on each engine that it concerns:
//! what it says and where, its JSON read back, its errors.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod common;

use common::{assert_one_line, assert_one_report, engines, fixtures, run, rvjit, stderr, stdout};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

/// Runs the command in the folder of the fixtures.
fn command(args: &[&str]) -> Output {
    run(rvjit().current_dir(fixtures()).arg("run").args(args))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The functions of nullcrash.elf that are on the stack, with the lines of fixtures/src/nullcrash.c.
const CALLS: [(&str, u64); 4] = [("inner", 6), ("middle", 10), ("outer", 16), ("main", 21)];

#[test]
fn a_crash_is_told_with_functions_files_and_lines_on_every_engine() {
    let mut texts = Vec::new();
    for engine in engines() {
        let mut args = engine.options.to_vec();
        args.push("nullcrash.elf");
        let output = command(&args);
        assert_eq!(output.status.code(), Some(139), "{}", engine.name);
        assert_eq!(stdout(&output), "about to crash\n", "{}", engine.name);
        assert_one_report(&output, engine.name);
        texts.push(stderr(&output));
    }
    for (n, (function, line)) in CALLS.iter().enumerate() {
        let frame = texts[0]
            .lines()
            .find(|l| l.starts_with(&format!("    #{n} ")))
            .unwrap();
        assert!(frame.contains(&format!(" {function}+0x")), "{frame}");
        assert!(frame.ends_with(&format!("nullcrash.c:{line}")), "{frame}");
    }
    assert!(texts[0].contains("  instruction: lw a5,0(a5)  (a5 = 0x00000000)\n"));
    assert!(texts[0].contains("\n  last system calls:\n    write(1, 0x"));
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:#?}");
}

#[test]
fn the_report_of_a_crash_is_json() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    for engine in engines() {
        let mut args = engine.options.to_vec();
        let path = file.to_string_lossy();
        args.extend(["--report", &path, "nullcrash.elf"]);
        command(&args);
        let report = json(&file);
        assert_eq!(report["schema"], 1);
        assert_eq!(report["end"], "memory-fault");
        assert_eq!(report["fault_access"], "read");
        assert_eq!(report["line"], 6);
        assert!(engine.name.starts_with(report["engine"].as_str().unwrap()));
        assert!(engine.name.ends_with(report["placement"].as_str().unwrap()));
        assert_eq!(report["instruction"]["text"], "lw a5,0(a5)");
        assert_eq!(report["instruction"]["registers"]["a5"], 0);
        let frames = report["backtrace"].as_array().unwrap();
        for (frame, (function, line)) in frames.iter().zip(CALLS) {
            assert_eq!(frame["function"], function);
            assert_eq!(frame["line"], line);
            assert!(frame["file"].as_str().unwrap().ends_with("src/nullcrash.c"));
        }
        assert_eq!(report["system_calls"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn every_kind_of_end_has_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let path = file.to_string_lossy();
    let rows: [(&[&str], i32, &str); 9] = [
        (&["exitcode.elf"], 42, "exit"),
        (&["fault_illegal.elf"], 132, "illegal-instruction"),
        (&["fault_jump_misaligned.elf"], 135, "misaligned-jump"),
        (&["fault_breakpoint.elf"], 133, "breakpoint"),
        (&["exhaust.elf"], 137, "out-of-pages"),
        (
            &["--strict-align", "misaligned.elf"],
            135,
            "misaligned-access",
        ),
        (&["--max-insns", "50", "hello.elf"], 152, "max-insns"),
        (&["tohost_fail.elf"], 3, "tohost-failure"),
        (&["nowhere.elf"], 127, "not-run"),
    ];
    for (args, status, end) in rows {
        let mut all = vec!["--report", &path];
        all.extend(args);
        let output = command(&all);
        assert_eq!(output.status.code(), Some(status), "{args:?}");
        let report = json(&file);
        assert_eq!(report["schema"], 1, "{args:?}");
        assert_eq!(report["status"], status, "{args:?}");
        assert_eq!(report["end"], end, "{args:?}");
        let ended_itself = end == "exit";
        assert_eq!(report["reason"].is_null(), ended_itself, "{args:?}");
        let crashed = !["exit", "tohost-failure", "not-run"].contains(&end);
        assert_eq!(report["backtrace"].is_array(), crashed, "{args:?}");
    }
}

#[test]
fn files_that_cannot_be_written_are_our_error() {
    let rows: [&[&str]; 1] = [&["--report", "/nowhere/file"]];
    for args in rows {
        let mut all = args.to_vec();
        all.push("hello.elf");
        let output = command(&all);
        assert_eq!(output.status.code(), Some(125), "{args:?}");
        assert_one_line(&output, &format!("{args:?}"));
        assert!(stderr(&output).contains("/nowhere/file"), "{args:?}");
    }
}

//! The command line: options, streams, statuses and messages.

mod common;

use common::{
    assert_one_line, assert_one_report, engines, fixtures, in_fixtures, run, rvjit, rvjit_process,
    stderr, stdout,
};
use std::fs;

#[test]
fn usage_errors_are_one_line_and_125() {
    let rows: [(&[&str], &str); 15] = [
        (&["--bogus", "hello.elf"], "unexpected argument '--bogus'"),
        (&["--strcae", "hello.elf"], "did you mean '--strace'?"),
        (
            &["--engine", "itnerp", "hello.elf"],
            "did you mean 'interp'?",
        ),
        (&["run"], "required arguments were not provided: <PROG>"),
        (&["--engine", "fast", "hello.elf"], "invalid value 'fast'"),
        (&["--placement", "x", "hello.elf"], "invalid value 'x'"),
        (&["--memory", "5T", "hello.elf"], "not a size"),
        (&["--memory", "4G", "hello.elf"], "less than 4G"),
        (&["--stack", "0", "hello.elf"], "must not be 0"),
        (
            &["--stack", "4294901760", "hello.elf"],
            "no room for a stack",
        ),
        (&["--timeout", "soon", "hello.elf"], "not a duration"),
        (&["--max-insns", "-1", "hello.elf"], "-1"),
        (&["--env", "=x", "hello.elf"], "write NAME=VALUE"),
        (&["--dir", "", "hello.elf"], "no host directory"),
        (&["--dir", "nowhere", "hello.elf"], "nowhere"),
    ];
    for (args, says) in rows {
        let output = in_fixtures(args);
        assert_one_line(&output, &format!("{args:?}"));
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn help_and_version() {
    for args in [&["--help"][..], &["run", "--help"], &["--version"]] {
        let output = in_fixtures(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(stdout(&output).contains("rvjit"), "{args:?}");
        assert!(output.stderr.is_empty(), "{args:?}");
    }
    let help = stdout(&in_fixtures(&["run", "--help"]));
    for status in [124, 125, 126, 127, 130, 132, 133, 135, 137, 139, 152] {
        assert!(help.contains(&format!("  {status}  ")), "{status}");
    }
    let nothing = in_fixtures(&[]);
    assert_eq!(nothing.status.code(), Some(125));
    assert!(stderr(&nothing).contains("Usage:"));
    assert!(nothing.stdout.is_empty());
}

#[test]
fn run_may_be_left_out() {
    for args in [
        &["hello.elf"][..],
        &["run", "hello.elf"],
        &["--time", "hello.elf"],
    ] {
        let output = in_fixtures(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(stdout(&output), "hello, world\n", "{args:?}");
    }
}

#[test]
fn everything_behind_the_program_reaches_the_guest() {
    let args = ["--time", "--", "-x", "", "--help"];
    let output = run(rvjit()
        .current_dir(fixtures())
        .arg("args_env.elf")
        .args(args));
    let text = stdout(&output);
    assert!(text.contains("\nargc 6\n"), "{text}");
    for (n, arg) in (1..).zip(args) {
        assert!(text.contains(&format!("\nargv[{n}] = {arg:?}\n")), "{text}");
    }
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
}

#[test]
fn limits() {
    let output = in_fixtures(&["--max-insns", "50", "hello.elf"]);
    assert_eq!(output.status.code(), Some(152));
    assert_one_report(&output, "--max-insns");
    assert!(stderr(&output).contains("--max-insns"));
    let again = in_fixtures(&["--max-insns", "50", "hello.elf"]);
    assert_eq!(stderr(&again), stderr(&output), "the same place each time");

    let output = in_fixtures(&["--timeout", "30ms", "--engine", "interp", "fib.elf", "40"]);
    assert_eq!(output.status.code(), Some(124));
    assert_one_report(&output, "--timeout");
    assert!(stderr(&output).contains("--timeout"));

    let output = in_fixtures(&["--strict-align", "misaligned.elf"]);
    assert_eq!(output.status.code(), Some(135));
    assert_one_report(&output, "--strict-align");

    let output = in_fixtures(&["--memory", "4K", "hello.elf"]);
    assert_eq!(output.status.code(), Some(125));
    assert_one_line(&output, "--memory");
    assert!(stderr(&output).contains("--memory"), "{}", stderr(&output));
}

#[test]
fn the_report_names_program_function_address_and_reason() {
    let output = in_fixtures(&["nullcrash.elf"]);
    assert_eq!(output.status.code(), Some(139));
    let text = stderr(&output);
    for part in [
        "rvjit: nullcrash.elf: memory fault at pc 0x0001",
        "(inner+0x",
        "reading 0x00000000: null page",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let output = in_fixtures(&["--report", &file.to_string_lossy(), "nullcrash.elf"]);
    assert_eq!(output.status.code(), Some(139));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["status"], 139);
    assert_eq!(report["function"], "inner");
    assert_eq!(report["fault_address"], 0);
    assert_eq!(report["registers"].as_array().map(Vec::len), Some(32));
    let reason = report["reason"].as_str().unwrap_or_default();
    assert!(
        text.contains(reason) && reason.contains("null page"),
        "{reason}"
    );
}

#[test]
fn the_signature_goes_to_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("signature");
    let output = in_fixtures(&["--signature", &file.to_string_lossy(), "tohost_fail.elf"]);
    assert_eq!(output.status.code(), Some(3));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.lines().all(|line| line.len() == 8), "{text}");
    assert_eq!(
        text,
        fs::read_to_string(fixtures().join("tohost_pass.signature")).unwrap()
    );
    let output = in_fixtures(&["--signature", &file.to_string_lossy(), "hello.elf"]);
    assert_eq!(output.status.code(), Some(125));
    assert_one_line(&output, "no signature");
}

#[test]
fn observers_write_to_standard_error_only() {
    let output = in_fixtures(&["--strace", "--time", "hello.elf"]);
    assert_eq!(stdout(&output), "hello, world\n");
    let text = stderr(&output);
    assert!(
        text.contains("write(1, \"hello, world\\n\", 13) = 13"),
        "{text}"
    );
    assert!(text.contains("rvjit: load "), "{text}");
    assert!(!text.contains('\x1b'), "no colours into a pipe");
    let output = run(rvjit()
        .env("RVJIT_LOG", "trace")
        .arg(fixtures().join("hello.elf")));
    assert_eq!(stdout(&output), "hello, world\n");
}

/// Nobody reads what the guest writes: it dies as a native program does.
#[test]
#[cfg(unix)]
fn a_closed_pipe_kills() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = rvjit_process();
    let output = command
        .arg(fixtures().join("hello.elf"))
        .stdout(writer)
        .stderr(std::process::Stdio::piped())
        .spawn();
    let output = output
        .and_then(std::process::Child::wait_with_output)
        .unwrap();
    assert_eq!(output.status.code(), Some(128 + 13));
    assert_one_line(&output, "closed pipe");
}

/// What is wrong about a run's options is found before any file is touched, and no output replaces the program.
#[test]
fn no_file_is_lost_to_an_output() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (program, link, precious) = (at("hello.elf"), at("link"), at("precious"));
    let good = fs::read(fixtures().join("hello.elf")).unwrap();
    fs::write(&program, &good).unwrap();
    std::os::unix::fs::symlink("hello.elf", &link).unwrap();
    let dump = format!("main+4={link}");
    let rows: [&[&str]; 8] = [
        &["run", "--report", &program],
        &["run", "--report", &link],
        &["run", "--signature", &program],
        &["run", "--trace", "insn", "--trace-out", &link],
        &["run", "--profile", &program],
        &["run", "--coverage", &program],
        &["run", "--dump-mem", &dump],
        &["disasm", "--emit", &program],
    ];
    for args in rows {
        let output = in_fixtures(&[args, &[&program]].concat());
        assert_eq!(output.status.code(), Some(125), "{args:?}");
        assert_one_line(&output, &format!("{args:?}"));
        assert!(stderr(&output).contains("is the program"), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert_eq!(fs::read(&program).unwrap(), good, "{args:?}");
    }
    fs::write(&precious, "precious").unwrap();
    let trace = ["--trace=insn", "--trace-out", &precious];
    for option in ["--trace-from=nosuch", "--trace-range=nosuch"] {
        let output = in_fixtures(&[&trace, &[option, &program][..]].concat());
        assert_eq!(output.status.code(), Some(125), "{option}");
        assert_eq!(fs::read(&precious).unwrap(), b"precious", "{option}");
    }
}

/// A disk that is full, or a limit of file sizes: what was there before is there still, and nothing else.
#[test]
fn a_file_that_cannot_be_written_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report");
    fs::write(&path, "precious").unwrap();
    let rvjit = rvjit_process();
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 0; trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(rvjit.get_program())
        .args(rvjit.get_args())
        .arg("--report")
        .args([&path, &fixtures().join("hello.elf")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    assert_one_line(&output, "a limit of file sizes");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// What the guest wrote stays, also where both go to the same file.
#[test]
fn outputs_may_go_to_standard_output() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("both");
    for report in ["/dev/stdout", "/proc/self/fd/1"] {
        let output = rvjit_process()
            .args(["--report", report])
            .arg(fixtures().join("hello.elf"))
            .stdout(fs::File::create(&path).unwrap())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = fs::read_to_string(&path).unwrap();
        let json = text.strip_prefix("hello, world\n").unwrap();
        let report: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(report["end"], "exit");
    }
}

/// Whoever waits for a program from a pipe can be stopped.
#[test]
fn a_signal_ends_the_wait_for_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let mut command = rvjit_process();
    let mut child = command.arg(&pipe).spawn().unwrap();
    // Waits until the other side is open, too.
    let _writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    let mut kill = std::process::Command::new("kill");
    let killed = kill.args(["-TERM", &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    let start = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed().as_secs() > 20 {
            child.kill().unwrap();
            panic!("it waits on");
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// The placement that was refused is told, not the limit of one that was then tried.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn memory_that_the_host_refuses_is_told() {
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 3000000 && exec \"$@\"", "sh"])
        .arg(rvjit_process().get_program())
        .args(["--memory", "1G", "hello.elf"])
        .current_dir(fixtures())
        .output()
        .expect("a shell");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{text}");
    assert!(text.contains("refused memory for the window"), "{text}");
}

#[test]
fn a_command_that_is_nearly_one_is_suggested() {
    for (typed, meant) in [("rum", "run"), ("inof", "info")] {
        let output = in_fixtures(&[typed, "hello.elf"]);
        assert_one_line(&output, typed);
        assert_eq!(output.status.code(), Some(127), "{typed}");
        let text = stderr(&output);
        let hint = format!("did you mean 'rvjit {meant}'?");
        assert!(text.contains(&hint), "{text}");
    }
    let output = in_fixtures(&["run", "./rum"]);
    assert!(!stderr(&output).contains("did you mean"));
}

#[test]
fn options_from_the_environment_stand_before_those_that_are_typed() {
    let with = |flags: &str, args: &[&str]| {
        let mut command = rvjit();
        command.current_dir(fixtures()).args(args);
        command.env("RVJIT_RUN_FLAGS", flags).output().unwrap()
    };
    let output = with("--strace", &["hello.elf"]);
    assert!(stderr(&output).contains("write(1, "), "{output:?}");
    assert_eq!(stdout(&output), "hello, world\n");
    let output = with("--max-insns 5", &["run", "hello.elf"]);
    assert_eq!(output.status.code(), Some(152));
    let output = with(
        "--max-insns 5",
        &["run", "--max-insns", "100000", "hello.elf"],
    );
    assert_eq!(output.status.code(), Some(0));
    let output = with(" ", &["hello.elf"]);
    assert_eq!((output.status.code(), stderr(&output).len()), (Some(0), 0));
    let output = with("'", &["info", "hello.elf"]);
    assert_eq!(output.status.code(), Some(0), "only for runs");
    for (flags, says) in [
        ("--strcae", "did you mean '--strace'?"),
        ("'--strace", "a quote is not closed"),
        ("other.elf", "only options"),
    ] {
        let output = with(flags, &["hello.elf"]);
        assert_one_line(&output, flags);
        assert_eq!(output.status.code(), Some(125), "{flags}");
        let text = stderr(&output);
        assert!(
            text.contains("RVJIT_RUN_FLAGS: ") && text.contains(says),
            "{text}"
        );
    }
}

/// A run that did less than it was to do says what it asked for in vain, once, after all else.
#[test]
fn what_was_asked_for_in_vain_is_told() {
    let rows: [(&[&str], i32, &str); 7] = [
        (&["wants.elf", "writev"], 1, "writev (66); Linux programs"),
        (
            &["wants.elf", "open", "data"],
            1,
            "could not open 'data': no directory is granted; --dir",
        ),
        (&["--dir", "src", "wants.elf", "open", "nowhere"], 1, ""),
        (&["wants.elf", "brk", "100000000"], 0, ""),
        (
            &["--memory", "8M", "wants.elf", "brk", "100000000"],
            1,
            "its heap was refused up to 0x05f5e100: all memory is 8192 KiB (--memory)",
        ),
        (
            &["wants.elf", "brk", "2147483647"],
            1,
            "the stack or a segment is at",
        ),
        (&["unknown_syscall.elf"], 0, "system call 4000"),
    ];
    for (args, status, says) in rows {
        for engine in engines() {
            let output = in_fixtures(&[&["run"], engine.options, args].concat());
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
            assert!(text.contains(says), "{args:?}: {text}");
            assert_eq!(
                text.lines().count(),
                usize::from(!says.is_empty()),
                "{text}"
            );
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report");
    let report = report.to_str().unwrap();
    in_fixtures(&["run", "--report", report, "wants.elf", "writev"]);
    let report = fs::read_to_string(report).unwrap();
    assert!(
        report.contains("\"notes\": [") && report.contains("writev (66)"),
        "{report}"
    );
    let traced = in_fixtures(&[
        "--strace",
        "--memory",
        "8M",
        "wants.elf",
        "brk",
        "100000000",
    ]);
    assert!(
        stderr(&traced).contains("(refused: --memory)"),
        "{traced:?}"
    );
}

#[test]
fn the_environment_is_where_newlib_looks_for_it() {
    let output = in_fixtures(&["--env", "A=1", "--env", "B=x y", "wants.elf"]);
    assert_eq!(stdout(&output), "A=1\nB=x y\n");
    let with_arguments = in_fixtures(&["--env", "A=1", "args_env.elf", "one", "two"]);
    assert_eq!(with_arguments.status.code(), Some(0));
}

#[test]
fn a_directory_is_granted_by_both_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().canonicalize().unwrap();
    fs::create_dir(here.join("sub")).unwrap();
    fs::write(here.join("file"), "x").unwrap();
    fs::write(here.join("sub/file"), "x").unwrap();
    let program = fixtures().join("wants.elf");
    let at = |rest: &str| here.join(rest).to_str().unwrap().to_owned();
    let rows = [
        (".".to_owned(), "file".to_owned(), 0),
        (".".to_owned(), at("file"), 0),
        (".".to_owned(), at("sub/../file"), 0),
        (".".to_owned(), at("../file"), 1),
        (".".to_owned(), "/etc/passwd".to_owned(), 1),
        (at("."), "file".to_owned(), 0),
        (at(""), "sub/file".to_owned(), 0),
        (at(""), at("sub/file"), 0),
        (at(""), "../etc/passwd".to_owned(), 1),
        ("sub".to_owned(), "sub/file".to_owned(), 0),
        ("sub".to_owned(), at("sub/file"), 0),
        ("sub".to_owned(), at("file"), 1),
        (at("sub"), "sub/file".to_owned(), 0),
        (at("sub"), "file".to_owned(), 1),
        (format!("{}::/d", at("sub")), "sub/file".to_owned(), 1),
        (format!("{}::/d", at("sub")), "/d/file".to_owned(), 0),
    ];
    for (granted, path, status) in rows {
        let mut command = rvjit();
        command.current_dir(&here).args(["run", "--dir", &granted]);
        let output = run(command.arg(&program).args(["open", &path]));
        assert_eq!(output.status.code(), Some(status), "--dir {granted} {path}");
    }
}

#[test]
fn code_in_the_stack_is_executed_where_that_is_wanted() {
    for engine in engines() {
        let output = in_fixtures(
            &[
                &["run"],
                engine.options,
                &["--exec-stack", "trampoline.elf"],
            ]
            .concat(),
        );
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}: {}",
            engine.name,
            stderr(&output)
        );
        assert_eq!(stdout(&output), "45150\n", "{}", engine.name);
    }
}

/// The host refuses what the JIT needs; a placement that needs little is there.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn a_run_without_the_jit_says_so() {
    let limited = |options: &[&str]| {
        std::process::Command::new("sh")
            .args(["-c", "ulimit -v 120000 && exec \"$@\"", "sh"])
            .arg(rvjit_process().get_program())
            .args(["run", "--placement", "paged", "--memory", "16M"])
            .args(["--code-cache", "128M"])
            .args(options)
            .arg("hello.elf")
            .current_dir(fixtures())
            .output()
            .expect("a shell")
    };
    let output = limited(&[]);
    let text = stderr(&output);
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(0), "hello, world\n"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("the host refuses") && text.contains("the interpreter is used"),
        "{text}"
    );
    assert_eq!(limited(&["--engine", "interp"]).stderr, b"");
    assert_eq!(limited(&["--engine", "jit"]).status.code(), Some(125));
}

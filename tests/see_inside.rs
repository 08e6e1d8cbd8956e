//! What can be seen of a run: reports, statistics, traces, dumps, profiles. Each option on each engine that it
//! concerns: what it says and where, its JSON read back, its errors.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod common;

use common::{
    assert_one_line, assert_one_report, engines, fixtures, in_fixtures, json_in, rvjit_process,
    stderr, stdout,
};
use rvjit::elf::Image;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

/// Runs a fixture.
fn command(args: &[&str]) -> Output {
    in_fixtures(&[&["run"], args].concat())
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
fn compressed_debug_information_is_read() {
    let plain = stderr(&command(&["nullcrash.elf"]));
    let (_, plain) = plain.split_once('\n').unwrap();
    assert!(plain.contains("src/nullcrash.c:6"), "{plain}");
    for how in ["zlib", "zlib_gnu", "zstd"] {
        let text = stderr(&command(&[&format!("nullcrash_{how}.elf")]));
        assert_eq!(text.split_once('\n').unwrap().1, plain, "{how}");
    }
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
        let report = json_in(&file);
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
        let report = json_in(&file);
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
fn bad_values_and_files_are_our_error() {
    let rows: [(&[&str], &str); 23] = [
        (&["--report", "/nowhere/file"], "/nowhere/file"),
        (&["--stats=xml"], "invalid value 'xml'"),
        (&["--trace", "everything"], "invalid value 'everything'"),
        (
            &["--trace", "insn", "--trace-format", "xml"],
            "invalid value 'xml'",
        ),
        (
            &["--trace", "insn", "--trace-from", "nobody"],
            "no such symbol",
        ),
        (&["--trace", "insn", "--trace-to", "0xzz"], "not an address"),
        (&["--trace", "insn", "--trace-range", "nobody"], "neither"),
        (&["--trace", "insn", "--trace-range", "8..8"], "empty"),
        (&["--trace", "insn", "--trace-limit", "-1"], "-1"),
        (
            &["--trace", "insn", "--trace-out", "/nowhere/file"],
            "/nowhere/file",
        ),
        (&["--trace-from", "main"], "--trace"),
        (&["--dump-mem", "main"], "write ADDRESS+LENGTH=FILE"),
        (&["--dump-mem", "nobody+4=/nowhere/file"], "no such symbol"),
        (&["--dump-mem", "main+4=/nowhere/file"], "/nowhere/file"),
        (&["--dump-mem", "0x0+4=/nowhere/file"], "null page"),
        (&["--dump-jit", "/proc/nowhere"], "/proc/nowhere"),
        (&["--perf", "paper"], "invalid value 'paper'"),
        (&["--profile", "/nowhere/file"], "/nowhere/file"),
        (&["--profile-every", "9"], "--profile <FILE>"),
        (&["--profile", "x", "--profile-every", "0"], "0 is not in"),
        (&["--coverage", "/nowhere/file"], "no debug information"),
        (&["--trace", "insn", "--engine", "jit"], "interpreter"),
        (&["--coverage", "x", "--engine", "jit"], "interpreter"),
    ];
    for (args, says) in rows {
        let mut all = args.to_vec();
        all.push("hello.elf");
        let output = command(&all);
        assert_eq!(output.status.code(), Some(125), "{args:?}");
        assert_one_line(&output, &format!("{args:?}"));
        assert!(
            stderr(&output).contains(says),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

/// The lines that an option adds to standard error, of a program that says nothing there itself.
fn lines(args: &[&str]) -> Vec<String> {
    let output = command(args);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{args:?}: {}",
        stderr(&output)
    );
    assert_eq!(stdout(&output), "hello, world\n", "{args:?}");
    stderr(&output).lines().map(str::to_owned).collect()
}

#[test]
fn statistics() {
    for engine in engines() {
        let mut args = engine.options.to_vec();
        args.extend(["--stats=json", "--max-insns", "1000", "hello.elf"]);
        let stats: Value = serde_json::from_str(&lines(&args)[0]).unwrap();
        assert_eq!(stats["schema"], 1);
        assert!(engine.name.starts_with(stats["engine"].as_str().unwrap()));
        assert!(engine.name.ends_with(stats["placement"].as_str().unwrap()));
        // The 87th is the exit, which does not return.
        assert_eq!(stats["instructions"], 86, "{}", engine.name);
        assert_eq!(stats["syscalls"], 2);
        let translated = stats["engine"] == "jit";
        assert_eq!(stats["regions"].as_u64().unwrap() > 0, translated);
        assert_eq!(stats["expansion"].is_f64(), translated);
        assert_eq!(
            stats["translate_seconds"].as_f64().unwrap() > 0.0,
            translated
        );
        let number = |key: &str| stats[key].as_u64().unwrap();
        assert_eq!(number("guest_bytes"), 4 * number("guest_insns"));
        assert!(number("code_used") >= number("host_bytes") || !translated);
        assert!(number("pages_peak") >= number("pages_used"));
        assert!(number("pages_used") > 0);
        let run = stats["run_seconds"].as_f64().unwrap();
        assert!(stats["syscall_seconds"].as_f64().unwrap() <= run);
    }
    let text = lines(&["--stats", "hello.elf"]).join("\n");
    for part in ["load  ", "run  ", "system calls    2 in ", "pages  "] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(lines(&["--time", "hello.elf"]).len(), 1);
}

#[test]
fn traces_of_each_kind() {
    let rows = [
        ("insn", "insn  0x00010098 <_start>: auipc gp,0x2"),
        ("block", "block 0x00010098 <_start>"),
        ("call", "call  0x000100c4 <_start+0x2c> -> 0x"),
        (
            "mem",
            "mem   0x000100a4 reads 4 bytes at 0x7fffefc0: 0x00000001",
        ),
        ("regs", "regs  0x00010098 gp = 0x00012098"),
    ];
    for (kind, first) in rows {
        let lines = lines(&["--trace", kind, "hello.elf"]);
        assert!(lines[0].starts_with(first), "{kind}: {}", lines[0]);
        assert!(lines.iter().all(|line| line.starts_with(kind)), "{kind}");
    }
    assert_eq!(lines(&["--trace", "insn", "hello.elf"]).len(), 87);
    let json = lines(&[
        "--trace",
        "regs,mem,insn,call,block",
        "--trace-format",
        "json",
        "hello.elf",
    ]);
    let events: Vec<Value> = json
        .iter()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let count = |kind: &str| events.iter().filter(|e| e["event"] == kind).count();
    assert_eq!(count("insn"), 87);
    assert!(count("call") > 1);
    assert_eq!(count("call"), count("return"))
}

#[test]
fn traces_of_a_part() {
    let trace = |args: &[&str]| {
        let mut all = vec!["--trace", "insn"];
        all.extend(args);
        all.push("hello.elf");
        lines(&all)
    };
    let from = trace(&["--trace-from", "main"]);
    assert!(from[0].contains("<main>"), "{}", from[0]);
    let to = trace(&["--trace-to", "main"]);
    assert_eq!(from.len() + to.len(), 87);
    let range = trace(&["--trace-range", "main"]);
    assert!(!range.is_empty() && range.iter().all(|line| line.contains("<main")));
    assert_eq!(trace(&["--trace-range", "0x10098..0x100a0"]).len(), 2);
    assert_eq!(trace(&["--trace-limit", "3"]).len(), 3);
    assert!(
        trace(&["--trace-last", "3"]).is_empty(),
        "the run ends well"
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trace");
    assert!(trace(&["--trace-out", &file.to_string_lossy()]).is_empty());
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 87);
    let bad = command(&["--trace", "call", "--trace-last", "2", "nullcrash.elf"]);
    let bad = stderr(&bad);
    let calls: Vec<&str> = bad.lines().filter(|l| l.starts_with("call ")).collect();
    assert_eq!(calls.len(), 2, "{bad}");
    assert!(calls[1].ends_with("<inner>"), "{bad}");
}

/// A trace changes nothing of what the guest does.
#[test]
fn traced_runs_end_as_others_do() {
    for (program, status) in [("exitcode.elf", 42), ("nullcrash.elf", 139), ("smc.elf", 0)] {
        let plain = command(&[program]);
        let traced = command(&["--trace", "block", "--trace-last", "0", program]);
        assert_eq!(plain.status.code(), Some(status));
        assert_eq!(traced, plain, "{program}");
    }
    let traced = command(&[
        "--trace",
        "block",
        "--trace-last",
        "0",
        "--max-insns",
        "50",
        "hello.elf",
    ]);
    assert_eq!(traced, command(&["--max-insns", "50", "hello.elf"]));
}

#[test]
fn dumps() {
    let text = lines(&["--dump-regs", "hello.elf"]);
    assert_eq!(text[0], "pc   0x000100cc");
    assert_eq!(text.len(), 9);
    let value: Value = serde_json::from_str(&lines(&["--dump-regs=json", "hello.elf"])[0]).unwrap();
    assert_eq!(value["pc"], 0x100cc);
    assert_eq!(value["registers"]["a7"], 93);
    assert_eq!(
        value["registers"].as_object().map(serde_json::Map::len),
        Some(32)
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("memory");
    let dump = format!("_start+0x8={}", file.display());
    assert!(lines(&["--dump-mem", &dump, "hello.elf"]).is_empty());
    let bytes = fs::read(&file).unwrap();
    assert_eq!(bytes, [0x97, 0x21, 0, 0, 0x93, 0x81, 0xe1, 0xb0]);
}

/// What is looked at and was never touched is zeros, and counts as little as before.
#[test]
fn looking_at_memory_takes_none() {
    let dir = tempfile::tempdir().unwrap();
    let (report, dumped) = (dir.path().join("report"), dir.path().join("memory"));
    let report_path = report.to_string_lossy();
    let dump = format!("0x7f800000+0x700000={}", dumped.display());
    for limit in ["64K", "64M"] {
        let plain = ["--memory", limit, "--report", &*report_path];
        let pages = |more: &[&str]| {
            assert!(lines(&[&plain, more, &["hello.elf"]].concat()).is_empty());
            json_in(&report)["pages_peak"].as_u64().unwrap()
        };
        assert_eq!(pages(&["--dump-mem", &dump]), pages(&[]), "{limit}");
        let bytes = fs::read(&dumped).unwrap();
        assert_eq!(bytes, vec![0; 0x70_0000]);
    }
}

#[test]
fn emitted_code_is_dumped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("code");
    for engine in engines() {
        let mut args = engine.options.to_vec();
        let folder = path.to_string_lossy();
        args.extend(["--dump-jit", &folder, "hello.elf"]);
        assert!(lines(&args).is_empty());
        let map = json_in(&path.join("map.json"));
        let regions = map.as_array().unwrap();
        assert_eq!(regions.is_empty(), engine.name.starts_with("interp"));
        for region in regions {
            let bytes = fs::read(path.join(region["file"].as_str().unwrap())).unwrap();
            assert_eq!(Some(bytes.len() as u64), region["size"].as_u64());
            for pair in region["map"].as_array().unwrap() {
                assert!(pair[1].as_u64().unwrap() <= bytes.len() as u64);
            }
        }
        if let Some(first) = regions.first() {
            assert_eq!(first["map"][0][0], 0x10098);
            let listing = fs::read_to_string(path.join("listing.txt")).unwrap();
            assert!(listing.contains("0x00010098: auipc gp,0x2\n"), "{listing}");
        }
    }
}

/// Runs the command and returns its process id too.
fn with_pid(args: &[&str], folder: &Path) -> (u32, std::process::ExitStatus) {
    let mut command = rvjit_process();
    command.arg("run").args(args);
    command
        .arg(fixtures().join("hello.elf"))
        .current_dir(folder);
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    (child.id(), child.wait().unwrap())
}

#[test]
fn perf_gets_names() {
    let dir = tempfile::tempdir().unwrap();
    let (pid, status) = with_pid(&["--hot=0", "--perf", "map"], dir.path());
    assert!(status.success());
    let file = format!("/tmp/perf-{pid}.map");
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        assert!(u64::from_str_radix(words[0], 16).unwrap() > 0, "{line}");
        assert!(u64::from_str_radix(words[1], 16).unwrap() > 0, "{line}");
    }
    assert!(
        !rvjit::machine::JIT_AVAILABLE || text.contains(" main\n"),
        "{text}"
    );

    let (pid, status) = with_pid(&["--hot=0", "--perf", "jitdump"], dir.path());
    assert!(status.success());
    let bytes = fs::read(dir.path().join(format!("jit-{pid}.dump"))).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(
        (word(0), word(4), word(8), word(20)),
        (0x4a69_5444, 1, 40, pid)
    );
    let (mut at, mut names) = (40, Vec::new());
    while at < bytes.len() {
        assert_eq!(word(at), 0, "a load record");
        let name = bytes[at + 56..].split(|&b| b == 0).next().unwrap();
        names.push(String::from_utf8(name.to_vec()).unwrap());
        assert_eq!(
            word(at + 4) as usize,
            56 + name.len() + 1 + word(at + 40) as usize
        );
        at += word(at + 4) as usize;
    }
    assert_eq!(at, bytes.len());
    assert!(!rvjit::machine::JIT_AVAILABLE || names.iter().any(|name| name == "main"));
}

#[test]
fn counted_profiles_repeat_and_name_functions() {
    let dir = tempfile::tempdir().unwrap();
    let (folded, svg) = (dir.path().join("stacks"), dir.path().join("graph.svg"));
    let mut texts = Vec::new();
    for engine in engines() {
        let mut args = engine.options.to_vec();
        let path = folded.to_string_lossy();
        args.extend(["--profile", &path, "--profile-every", "100003", "sort.elf"]);
        assert_eq!(command(&args).status.code(), Some(0), "{}", engine.name);
        texts.push(fs::read_to_string(&folded).unwrap());
    }
    let count = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
    assert!(
        texts[0].lines().map(count).sum::<u64>() > 20,
        "{}",
        texts[0]
    );
    assert!(
        texts[0].lines().all(|line| !line.starts_with("0x")),
        "{}",
        texts[0]
    );
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    let path = svg.to_string_lossy();
    command(&["--profile", &path, "--profile-every", "10007", "sort.elf"]);
    let svg = fs::read_to_string(&svg).unwrap();
    let name = texts[0].split([' ', ';']).next().unwrap();
    assert!(
        svg.contains("</svg>") && svg.contains(&format!("<title>{name}")),
        "{name}"
    );
}

/// A timer takes the samples of a program that would run for minutes; each ends in the loop that it hangs in.
#[test]
fn timed_profiles_name_functions_on_every_engine() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("endless.elf");
    let mut bytes = fs::read(fixtures().join("fib.elf")).unwrap();
    // fib(n) = fib(n - 1) + fib(n - 2): neither argument gets smaller now.
    let image = Image::parse(bytes.clone()).unwrap();
    let (at, len) = {
        let fib = image.symbols().by_name("fib").unwrap();
        let segment = image.segments.iter().find(|s| s.contains(fib.addr));
        let segment = segment.unwrap();
        let start = segment.data.start + (fib.addr - segment.vaddr) as usize;
        (start, fib.size as usize)
    };
    let jump_to_itself = 0x0000_006f_u32.to_le_bytes();
    bytes[at + len / 8 * 4..][..4].copy_from_slice(&jump_to_itself);
    fs::write(&program, bytes).unwrap();
    let (program, file) = (program.to_string_lossy(), dir.path().join("stacks"));
    for engine in engines() {
        let mut args = engine.options.to_vec();
        let path = file.to_string_lossy();
        args.extend(["--timeout", "1s", "--profile", &path, &program]);
        assert_eq!(command(&args).status.code(), Some(124), "{}", engine.name);
        let text = fs::read_to_string(&file).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("_start;main;fib"));
        assert!(line.is_some(), "{}: {text}", engine.name);
    }
}

/// What cannot be written is said and is our error; the report is there all the same, and tells of it.
#[test]
fn the_report_does_not_depend_on_other_outputs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let path = file.to_string_lossy();
    let rows: [(&[&str], &str, &str); 6] = [
        (&["--profile", "/nowhere/p"], "exit", "/nowhere/p"),
        (&["--dump-mem", "main+4=/nowhere/m"], "exit", "/nowhere/m"),
        (&["--dump-jit", "/proc/nowhere"], "exit", "/proc/nowhere"),
        (&["--signature", "/nowhere/s"], "exit", "no readable"),
        (&["--coverage", "/nowhere/c"], "exit", "debug information"),
        (
            &["--trace", "insn", "--trace-out", "/nowhere/t"],
            "not-run",
            "/nowhere/t",
        ),
    ];
    for (options, end, says) in rows {
        let output = command(&[options, &["--report", &path, "hello.elf"]].concat());
        assert_eq!(output.status.code(), Some(125), "{options:?}");
        assert_one_line(&output, &format!("{options:?}"));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
        let report = json_in(&file);
        assert_eq!(report["end"], end, "{options:?}");
        let told = match end {
            "exit" => &report["output_errors"][0],
            _ => &report["reason"],
        };
        assert!(told.as_str().unwrap().contains(says), "{report}");
        fs::remove_file(&file).unwrap();
    }
    // Two failures are two lines.
    let both = ["--profile", "/nowhere/p", "--report", "/nowhere/r"];
    let output = command(&[&both[..], &["exitcode.elf"]].concat());
    assert_eq!(output.status.code(), Some(125));
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.contains("/nowhere/p") && text.contains("/nowhere/r"),
        "{text}"
    );
}

#[test]
fn coverage_is_lcov() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("coverage.info");
    let output = command(&["--coverage", &file.to_string_lossy(), "nullcrash.elf"]);
    assert_eq!(output.status.code(), Some(139));
    let text = fs::read_to_string(&file).unwrap();
    let record = text
        .split("end_of_record\n")
        .find(|r| r.contains("nullcrash.c\n"))
        .unwrap();
    // Line 22 comes after the crash.
    for line in [
        "FN:5,inner",
        "FNDA:1,inner",
        "FNF:4",
        "FNH:4",
        "DA:15,1",
        "DA:22,0",
    ] {
        assert!(record.lines().any(|l| l == line), "{line}: {record}");
    }
    let count = |start: &str| record.lines().filter(|l| l.starts_with(start)).count();
    assert!(
        record.contains(&format!("\nLF:{}\n", count("DA:"))),
        "{record}"
    );
}

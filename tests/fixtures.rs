//! Every fixture on every engine: exit status, standard output, and what is said about how it ended.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod common;

use common::{AS_IT_IS, engines, fixtures, run, rvjit, stderr, stdout};
use std::fs;

/// A line of `fixtures/MANIFEST`.
struct Row {
    name: String,
    args: Vec<String>,
    status: i32,
    says: String,
}

fn manifest() -> Vec<Row> {
    let text = fs::read_to_string(fixtures().join("MANIFEST")).unwrap();
    let lines = text
        .lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty());
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let [name, args, status, says] = fields[..] else {
                panic!("MANIFEST: {line}");
            };
            Row {
                name: name.to_owned(),
                args: args.split_whitespace().map(str::to_owned).collect(),
                status: status.parse().unwrap(),
                says: says.to_owned(),
            }
        })
        .collect()
}

/// What is wrong with a fixture on an engine; empty where nothing is.
fn problems(row: &Row, options: &[&str]) -> Vec<String> {
    let program = row.name.split('.').next().unwrap_or_default();
    let mut command = rvjit();
    command.current_dir(fixtures()).arg("run").args(options);
    let output = run(command.arg(format!("{program}.elf")).args(&row.args));
    let expected = fs::read(fixtures().join(format!("{}.out", row.name))).unwrap();
    let text = stderr(&output);
    let mut problems = Vec::new();
    // The host keeps its lowest pages for itself.
    if program == "low" && options.contains(&"identity") {
        let one_line = text.lines().count() == 1;
        if output.status.code() != Some(125) || !text.contains("identity") || !one_line {
            problems.push(format!("is not refused: {}, {text:?}", output.status));
        }
        return problems;
    }
    if output.status.code() != Some(row.status) {
        problems.push(format!("{}, not status {}", output.status, row.status));
    }
    if output.stdout != expected {
        // A program that has gone astray may print without end.
        let start = |text: &str| text.chars().take(300).collect::<String>();
        let (got, expected) = (stdout(&output), String::from_utf8_lossy(&expected));
        problems.push(format!(
            "stdout {:?}, not {:?}",
            start(&got),
            start(&expected)
        ));
    }
    if !text.to_lowercase().contains(&row.says) {
        problems.push(format!("stderr without {:?}", row.says));
    }
    // Where the row does not tell, a status that is not 0 may be the guest's own or a report.
    // The details of a bad end are indented.
    let lines = text.lines().filter(|l| !l.starts_with("  ")).count();
    let fits = match (row.says.is_empty(), row.status) {
        (true, 0) => lines == 0,
        (true, _) => lines <= 1,
        (false, _) => lines == 1,
    };
    if !fits {
        problems.push(format!("{lines} lines on stderr"));
    }
    if !problems.is_empty() && !text.is_empty() {
        problems.push(format!("stderr: {text}"));
    }
    problems
}

/// Runs every fixture on the engine of this name, where this build has it.
fn every_fixture(name: &str) {
    let rows = manifest();
    assert!(rows.len() > 40, "{} fixtures", rows.len());
    let mut all = engines().into_iter().chain([AS_IT_IS]);
    let Some(engine) = all.find(|engine| engine.name == name) else {
        assert!(name.starts_with("jit") && !rvjit::machine::JIT_AVAILABLE);
        return;
    };
    let failed: Vec<String> = rows
        .iter()
        .flat_map(|row| {
            let problems = problems(row, engine.options);
            problems
                .into_iter()
                .map(|problem| format!("{}: {problem}", row.name))
        })
        .collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// A test for each engine, so that they run beside each other.
macro_rules! on_engines {
    ($($test:ident: $engine:literal,)*) => {
        $(
            #[test]
            fn $test() {
                every_fixture($engine);
            }
        )*

        #[test]
        fn no_engine_is_left_out() {
            for engine in engines().into_iter().chain([AS_IT_IS]) {
                assert!([$($engine),*].contains(&engine.name), "{}", engine.name);
            }
        }
    };
}

on_engines! {
    interp_paged: "interp, paged",
    interp_window: "interp, window",
    interp_identity: "interp, identity",
    jit_paged: "jit, paged",
    jit_window: "jit, window",
    jit_identity: "jit, identity",
    as_it_is: "as it is",
}

/// `info` says "will run" exactly where a run does not end because of what rvjit cannot execute. The guests that end
/// with 139 and the one that meets zeroed memory, which is there to trap, want to.
#[test]
fn info_and_run_say_the_same() {
    for row in manifest() {
        let program = row.name.split('.').next().unwrap_or_default();
        let file = format!("{program}.elf");
        let output = run(rvjit().current_dir(fixtures()).args(["info", &file]));
        let refused = matches!(row.status, 126 | 132) && program != "fault_illegal_zero";
        let expected = if refused { 126 } else { 0 };
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{program}: {}",
            stdout(&output)
        );
    }
}

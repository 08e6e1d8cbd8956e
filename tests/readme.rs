//! README.md against the command: each `console` block is what its commands print (`RVJIT_BLESS=1` rewrites them), and
//! every option is named.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod common;

use common::{run, rvjit, stdout};
use std::fs;
use std::path::Path;

/// What `$ rvjit …` prints in the project's folder, standard error behind standard output.
fn printed(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some(["$", "rvjit", args @ ..]) = words.get(..) else {
        panic!("'{line}' is no command of an example");
    };
    let output = run(rvjit().current_dir(env!("CARGO_MANIFEST_DIR")).args(args));
    let mut bytes = output.stdout;
    bytes.extend(output.stderr);
    String::from_utf8(bytes).unwrap()
}

/// The text with every example made anew, and how many there are.
fn renewed(text: &str) -> (String, usize) {
    let mut out = String::new();
    let mut commands = 0;
    let mut inside = false;
    for line in text.lines() {
        let (begins, ends) = (line == "```console", line == "```");
        if begins || ends || !inside {
            inside = begins;
            out += line;
            out.push('\n');
        } else if line.starts_with("$ ") {
            commands += 1;
            out += line;
            out.push('\n');
            out += &printed(line);
        }
    }
    (out, commands)
}

#[test]
fn examples_are_what_is_printed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (now, commands) = renewed(&text);
    assert!(commands >= 3, "{commands} examples");
    if std::env::var_os("RVJIT_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, now).unwrap();
        return;
    }
    let differs = text.lines().zip(now.lines()).find(|(old, new)| old != new);
    assert_eq!(
        differs, None,
        "RVJIT_BLESS=1 rewrites the examples of README.md"
    );
    assert_eq!(
        text, now,
        "RVJIT_BLESS=1 rewrites the examples of README.md"
    );
}

#[test]
fn every_option_is_named() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(path).unwrap();
    let named = |option: &str| {
        let quoted = format!("`{option}");
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-');
        text.match_indices(&quoted)
            .any(|(at, found)| ends(&text[at + found.len()..]))
    };
    let (mut options, mut helps) = (0, String::new());
    for command in ["run", "disasm", "info"] {
        let help = stdout(&run(rvjit().args([command, "--help"])));
        helps.push_str(&help);
        let lines = help.lines().map(str::trim_start);
        for line in lines.filter(|line| line.starts_with('-')) {
            let Some(option) = line.split_whitespace().find(|word| word.starts_with("--")) else {
                // A value that an option may have.
                continue;
            };
            // "--stats[=<FORMAT>]"
            let option = option.split('[').next().unwrap();
            options += 1;
            assert!(
                option == "--help" || named(option),
                "README.md has no {option} ({command})"
            );
        }
    }
    assert!(options > 20, "only {options} options were found");
    // And the tables name none that is not there.
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `--"));
    for cells in rows {
        let first = cells.split(" |").next().unwrap();
        for option in format!("--{first}").split('`').step_by(2) {
            let option = option.split([' ', '[', '=']).next().unwrap();
            let known = helps.split_whitespace().any(|word| {
                let word = word.split(['[', '=', ',']).next().unwrap();
                word == option
            });
            assert!(known, "README.md has {option}, the commands do not");
        }
    }
}

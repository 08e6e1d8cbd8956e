//! The text of `rvjit disasm` against objdump's: guest code, and emitted code in the objects that `--emit` writes.
//!
//! Needs GNU objdump for the target; where there is none the test says so and does nothing. CI has both.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod common;

use common::{fixtures, run, rvjit, stderr};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Programs that together have every kind of instruction.
const PROGRAMS: [&str; 7] = [
    "alu",
    "muldiv",
    "loadstore",
    "branches",
    "indirect",
    "hash",
    "string",
];

/// An objdump that knows a machine: its name and the options for text as ours.
fn objdump(target: &str) -> Option<Command> {
    let (names, machine, options): ([&str; 2], _, &[&str]) = match target {
        "arm64" => (["aarch64-linux-gnu-objdump", "objdump"], "aarch64", &[]),
        _ => (
            ["x86_64-linux-gnu-objdump", "objdump"],
            "i386:x86-64",
            &["-M", "intel", "--insn-width=16"],
        ),
    };
    names.into_iter().find_map(|name| {
        let known = Command::new(name).arg("--info").output().ok()?;
        let known = String::from_utf8_lossy(&known.stdout).into_owned();
        let family = machine.split(':').next().unwrap();
        known.lines().any(|line| line.trim() == family).then(|| {
            let mut command = Command::new(name);
            command.args(["-d", "-z"]).args(options);
            command
        })
    })
}

/// Offset and text of each instruction, in our notation, and the names of the symbols.
fn parse(text: &str) -> (BTreeMap<u64, String>, Vec<String>) {
    let mut insns = BTreeMap::new();
    let mut symbols = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(">:").and_then(|l| l.split_once(" <")) {
            symbols.push(name.1.to_owned());
            continue;
        }
        let mut columns = line.splitn(3, '\t');
        let (Some(at), Some(_), Some(text)) = (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        let Ok(at) = u64::from_str_radix(at.trim().trim_end_matches(':'), 16) else {
            continue;
        };
        insns.insert(at, tidy(text));
    }
    (insns, symbols)
}

/// Without remarks; a branch's target as a number with 0x; one space between words.
fn tidy(text: &str) -> String {
    let text = text.split("//").next().unwrap_or_default();
    let text = text.split(" # ").next().unwrap_or_default();
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if words.last().is_some_and(|word| word.starts_with('<')) {
        words.pop();
        if let Some(target) = words.last_mut()
            && !target.starts_with("0x")
        {
            *target = format!("0x{target}");
        }
    }
    words.join(" ")
}

fn hosts(value: &Value) -> BTreeMap<u64, String> {
    let mut all = BTreeMap::new();
    for function in value["functions"].as_array().unwrap() {
        let lines = function["insns"].as_array().unwrap().iter();
        let hot = lines.flat_map(|line| line["host"].as_array().unwrap());
        for insn in hot.chain(function["host"]["cold"].as_array().unwrap()) {
            let text = insn["text"].as_str().unwrap();
            all.insert(insn["offset"].as_u64().unwrap(), tidy(text));
        }
    }
    all
}

fn compare(target: &str, placement: &str, program: &str, folder: &Path) -> usize {
    let Some(mut objdump) = objdump(target) else {
        eprintln!("skipped: no objdump for {target}");
        return usize::MAX;
    };
    let file = folder.join(format!("{program}-{target}-{placement}.o"));
    let args = [
        "disasm",
        "--jit",
        "--json",
        "--target",
        target,
        "--placement",
        placement,
    ];
    let output = run(rvjit()
        .current_dir(fixtures())
        .args(args)
        .arg("--emit")
        .arg(&file)
        .arg(format!("{program}.elf")));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ours = hosts(&value);
    let dump = objdump.arg(&file).output().unwrap();
    assert!(dump.status.success());
    let (theirs, symbols) = parse(&String::from_utf8_lossy(&dump.stdout));
    for function in value["functions"].as_array().unwrap() {
        let name = function["name"].as_str().unwrap();
        assert!(
            symbols.iter().any(|s| s == name),
            "{program} {target}: no symbol {name}"
        );
    }
    for (at, text) in &ours {
        let other = theirs.get(at).map_or("", String::as_str);
        assert_eq!(text, other, "{program} {target} {placement} at {at:#x}");
    }
    ours.len()
}

fn check(target: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0usize;
    for program in PROGRAMS {
        for placement in ["identity", "window", "paged"] {
            seen = seen.saturating_add(compare(target, placement, program, folder.path()));
        }
    }
    assert!(seen > 5000, "only {seen} instructions were compared");
    // Nothing else was written.
    let written = fs::read_dir(folder.path()).unwrap().count();
    assert!(
        written == 3 * PROGRAMS.len() || seen == usize::MAX,
        "{written}"
    );
}

#[test]
fn arm64_text_agrees_with_objdump() {
    check("arm64");
}

#[test]
fn x86_64_text_agrees_with_objdump() {
    check("x86-64");
}

/// What objdump prints of a guest instruction in our notation, and the symbol that a jump goes to.
fn guest(text: &str) -> (String, Option<String>) {
    let text = text.split('#').next().unwrap_or_default();
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let symbol = words.pop_if(|word| word.starts_with('<'));
    if let (Some(_), Some(last)) = (&symbol, words.last_mut()) {
        let at = last.rfind(',').map_or(0, |comma| comma + 1);
        last.insert_str(at, "0x");
    }
    // Some versions write "add" for addi.
    if let [name, operands] = &mut words[..] {
        let third = operands.split(',').nth(2).unwrap_or_default();
        let number = third.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let short = ["add", "and", "or", "xor", "sll", "srl", "sra"].contains(&name.as_str());
        if number && short {
            name.push('i');
        }
    }
    let symbol = symbol.map(|s| s.trim_matches(['<', '>']).to_owned());
    (words.join(" "), symbol)
}

#[test]
fn guest_text_agrees_with_objdump() {
    let tool = "riscv64-unknown-elf-objdump";
    if Command::new(tool).arg("--version").output().is_err() {
        eprintln!("skipped: no {tool}");
        return;
    }
    let (mut seen, mut symbols) = (0, 0);
    for program in PROGRAMS {
        let file = fixtures().join(format!("{program}.elf"));
        let dump = Command::new(tool).arg("-d").arg(&file).output().unwrap();
        let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
        let output = run(rvjit().args(["disasm", "--json"]).arg(&file));
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let functions = value["functions"].as_array().unwrap().iter();
        let insns = functions.flat_map(|f| f["insns"].as_array().unwrap());
        let ours: BTreeMap<u64, &Value> = insns
            .map(|insn| (insn["pc"].as_u64().unwrap(), insn))
            .collect();
        for line in dump.lines() {
            let columns: Vec<&str> = line.splitn(3, '\t').collect();
            let [at, word, text] = columns[..] else {
                continue;
            };
            let at = u64::from_str_radix(at.trim().trim_end_matches(':'), 16).unwrap();
            let own = ours
                .get(&at)
                .unwrap_or_else(|| panic!("{program}: nothing at {at:#x}"));
            let word = u64::from_str_radix(word.trim(), 16).unwrap();
            assert_eq!(own["word"], word, "{program} at {at:#x}");
            let (text, symbol) = guest(text);
            let own_text = own["text"].as_str().unwrap().replace('\t', " ");
            assert_eq!(own_text, text, "{program} at {at:#x}");
            if let Some(symbol) = symbol {
                assert_eq!(own["symbol"], symbol, "{program} at {at:#x}");
                symbols += 1;
            }
            seen += 1;
        }
    }
    assert!(seen > 1000 && symbols > 100, "{seen} {symbols}");
}

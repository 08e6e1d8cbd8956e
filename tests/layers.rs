//! The layers: a module uses only modules of its own layer's left, or its own.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// From left to right. Modules of one row do not use each other, except in the last.
const LAYERS: [&[&str]; 11] = [
    &["exit_status"],
    &["rv32", "asm", "sys"],
    &["cpu", "memory"],
    &["engine"],
    &["interp", "jit"],
    &["elf"],
    &["platform"],
    &["syscall"],
    &["machine"],
    &["host"],
    &["inspect", "report", "trace", "cli", "main"],
];

/// What is used against the order, and why it may be.
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "jit",
    "interp",
    "the interpreter executes what emitted code leaves to it",
)];

/// The rooms of `jit`, from left to right: the way of guest code to host code, then running and showing it.
const ROOMS: [&str; 7] = ["ir", "front", "passes", "back", "code", "run", "view"];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules behind each `crate::` of a line; `crate::{a, b}` has several.
fn uses(line: &str) -> Vec<String> {
    uses_of("crate::", line)
}

/// The modules behind each `path`.
fn uses_of(path: &str, line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    assert!(
        !code.trim_end().ends_with(&format!("{path}{{")),
        "names on lines of their own are not looked at: {line}"
    );
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut found = Vec::new();
    for rest in code.split(path).skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group.split(',').map(name)),
            None => found.push(name(rest)),
        }
    }
    found.retain(|module| !module.is_empty());
    found
}

fn allowed(user: &str, used: &str) -> bool {
    let exception = EXCEPTIONS.iter().any(|e| (e.0, e.1) == (user, used));
    match (layer(user), layer(used)) {
        _ if user == used || exception => true,
        (Some(own), Some(other)) => other < own || (own == other && own == LAYERS.len() - 1),
        _ => false,
    }
}

#[test]
fn modules_use_only_what_is_to_their_left() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in sources(&root) {
        let inside = path.strip_prefix(&root).unwrap();
        let user = inside.iter().next().unwrap().to_string_lossy();
        let user = user.trim_end_matches(".rs");
        // The crate's root only lists the modules. Tests may look to the right.
        if user == "lib" || inside.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            if line.starts_with("mod tests") {
                break;
            }
            for used in uses(line) {
                seen += 1;
                if !allowed(user, &used) {
                    wrong.push(format!("src/{}:{number}: uses {used}", inside.display()));
                }
            }
        }
    }
    assert!(seen > 30, "only {seen} uses were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn rooms_of_the_jit_use_only_what_is_to_their_left() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/jit");
    let room = |name: &str| ROOMS.iter().position(|room| *room == name);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in sources(&root) {
        let inside = path.strip_prefix(&root).unwrap();
        let user = inside.iter().next().unwrap().to_string_lossy();
        let Some(own) = room(&user) else {
            assert_eq!(user, "mod.rs", "a file that is in no room");
            continue;
        };
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            if line.starts_with("mod tests") {
                break;
            }
            for used in uses_of("crate::jit::", line) {
                seen += 1;
                if room(&used).is_some_and(|other| other > own) {
                    wrong.push(format!(
                        "src/jit/{}:{number}: uses {used}",
                        inside.display()
                    ));
                }
            }
        }
    }
    assert!(seen > 60, "only {seen} uses were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_order_is_a_real_one() {
    assert!(allowed("jit", "memory"));
    assert!(allowed("machine", "syscall"));
    assert!(allowed("cli", "report"));
    assert!(!allowed("memory", "engine"));
    assert!(!allowed("interp", "jit"));
    assert!(!allowed("elf", "syscall"));
    assert!(!allowed("asm", "rv32"));
    assert!(!allowed("memory", "unknown"));
    assert_eq!(uses("use crate::{cpu::Cpu, memory};"), ["cpu", "memory"]);
    assert_eq!(
        uses("    x: crate::engine::Stop, // crate::jit"),
        ["engine"]
    );
}

//! Emitted code: what each guest sequence becomes on each host, and what no emitted code may contain.
//!
//! Runs on every host, since emitters do. `RVJIT_BLESS=1` rewrites `tests/golden/idioms-*.txt`: a change in generated
//! code is then seen in the difference.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

#[path = "common/comparisons.rs"]
#[expect(
    dead_code,
    reason = "how programs are to be executed is of no interest where their code is read"
)]
mod comparison_programs;
#[path = "emitted/extensions.rs"]
mod extensions;
#[path = "emitted/flags.rs"]
mod flags;
#[path = "emitted/idioms.rs"]
mod idioms;
#[path = "emitted/sequences.rs"]
mod sequences;

use rvjit::asm::{a64, x64};
use rvjit::elf::Image;
use rvjit::inspect::functions::functions;
use rvjit::inspect::memory_of;
use rvjit::jit::back::translate::Mode;
use rvjit::jit::view::preview::{
    Ahead, Function, Host, HostInsn, code_ahead, options, translate_ahead,
};
use rvjit::memory::{Memory, MemoryConfig, Permissions, Placement};
use rvjit::rv32::{Insn, Isa, encode};
use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const START: u32 = 0x1_0000;

/// Translates a sequence, behind which an `ebreak` stands so that all registers are wanted.
fn translate(host: Host, placement: Placement, insns: &[Insn]) -> Ahead {
    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    memory.map(START, 4096, Permissions::RX).unwrap();
    let words = insns.iter().chain([&Insn::Ebreak]);
    let bytes: Vec<u8> = words.flat_map(|insn| encode(*insn).to_le_bytes()).collect();
    memory.poke(START, &bytes).unwrap();
    let end = START + u32::try_from(bytes.len()).unwrap();
    let range = START..end;
    let options = options(placement, Isa::default());
    translate_ahead(host, options, Mode::default(), &mut memory, &[range])
}

/// The text without what moves when other code changes: a branch to a stub says so, one inside says how far.
fn steady(host: Host, stubs: usize, insn: &HostInsn) -> String {
    let Some((head, target)) = insn.text.rsplit_once(' ') else {
        return insn.text.clone();
    };
    let is_branch = match host {
        // `adr` makes a guest address.
        Host::Arm64 => !head.starts_with("adr"),
        Host::X86_64 => head.starts_with('j') || head.starts_with("call"),
    };
    let parsed = target
        .strip_prefix("0x")
        .map(|t| u64::from_str_radix(t, 16));
    match parsed {
        Some(Ok(to)) if is_branch && to < stubs as u64 => format!("{head} exit"),
        Some(Ok(to)) if is_branch => {
            let distance = to.cast_signed() - i64::from(insn.at.0);
            format!("{head} .{distance:+}")
        }
        _ => insn.text.clone(),
    }
}

fn show(host: Host, title: &str, ahead: &Ahead) -> String {
    let function: &Function = &ahead.functions[0];
    let stubs = ahead.stubs.code.len();
    let (last, lines) = function.lines.split_last().unwrap();
    // The ebreak is shown only where more than leaving is done there.
    let lines = match last.host.len() {
        1 => lines,
        _ => &function.lines,
    };
    let count: usize = lines.iter().map(|line| line.host.len()).sum();
    let mut text = format!("\n# {title}: {} -> {count}\n", lines.len());
    for line in lines {
        let guest = line.guest.replace('\t', " ");
        let mut hosts = line.host.iter().map(|insn| steady(host, stubs, insn));
        let first = hosts.next().unwrap_or_default();
        writeln!(text, "{}", format!("{guest:28}| {first}").trim_end()).unwrap();
        for other in hosts {
            writeln!(text, "{:28}| {other}", "").unwrap();
        }
    }
    text
}

/// The way in and out, for each choice of homes.
fn show_stubs(host: Host) -> String {
    let mut text = String::new();
    for placement in [Placement::Identity, Placement::Window] {
        let ahead = translate(host, placement, &[]);
        let code = &ahead.stubs.code;
        writeln!(text, "\n# stubs ({})", placement.name()).unwrap();
        let mut at = 0;
        while at < code.len() {
            let (len, insn) = match host {
                Host::Arm64 => {
                    let word = u32::from_le_bytes(code[at..at + 4].try_into().unwrap());
                    (4, a64::disassemble(word, at as u64))
                }
                Host::X86_64 => {
                    let insn = x64::decode(&code[at..], at as u64);
                    (insn.len(), insn.to_string())
                }
            };
            writeln!(text, "{insn}").unwrap();
            at += len;
        }
    }
    text
}

fn golden(host: Host) -> String {
    let mut text = format!(
        "# What guest sequences become on {}: guest instructions -> host instructions.\n\
         # Written by tests/emitted.rs with RVJIT_BLESS=1. Cold code is not shown.\n",
        host.name()
    );
    for (title, insns) in sequences::all() {
        let ahead = translate(host, Placement::Identity, &insns);
        text += &show(host, title, &ahead);
    }
    text += &show_stubs(host);
    for placement in [Placement::Window, Placement::Paged] {
        let atomics = extensions::atomics();
        for (title, insns) in sequences::memory().into_iter().chain(atomics) {
            let ahead = translate(host, placement, &insns);
            let title = format!("{title} ({})", placement.name());
            text += &show(host, &title, &ahead);
        }
    }
    text
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn check_golden(host: Host) {
    let path = root().join(format!("tests/golden/idioms-{}.txt", host.name()));
    let now = golden(host);
    if std::env::var_os("RVJIT_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &now).unwrap();
        return;
    }
    let before = fs::read_to_string(&path).unwrap_or_default();
    let differs = before
        .lines()
        .zip(now.lines())
        .find(|(old, new)| old != new);
    if let Some((old, new)) = differs {
        panic!(
            "{}: emitted code changed, first from\n  {old}\nto\n  {new}\nIf it is meant: RVJIT_BLESS=1 cargo test --test emitted",
            path.display()
        );
    }
    assert_eq!(before, now, "{}: RVJIT_BLESS=1 rewrites it", path.display());
}

#[test]
fn arm64_code_is_as_recorded() {
    check_golden(Host::Arm64);
}

#[test]
fn x86_64_code_is_as_recorded() {
    check_golden(Host::X86_64);
}

fn fixtures() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("fixtures")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut programs: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "elf"))
        .collect();
    programs.sort();
    assert!(programs.len() > 30, "only {} fixtures", programs.len());
    programs
}

/// Shows `look` all code of all fixtures, and how long the stubs at its beginning are: for every placement, with and
/// without optimisation, with counting and poison.
fn scan(host: Host, mut look: impl FnMut(&[u8], usize, &str)) {
    for path in fixtures() {
        let image = Image::open(&path).unwrap();
        let mut memory = memory_of(&image).unwrap();
        let all = functions(&image, &mut memory);
        let ranges: Vec<_> = all.iter().map(|f| f.range.clone()).collect();
        for placement in Placement::ALL {
            for (counting, poison, plain) in [
                (false, false, false),
                (false, false, true),
                (true, true, false),
            ] {
                let mut options = options(placement, Isa::default());
                options.poison = poison;
                let mode = Mode { counting, plain };
                let (stubs, code) = code_ahead(host, options, mode, &mut memory, &ranges);
                let context = format!(
                    "{} ({}, counting {counting}, poison {poison}, plain {plain})",
                    path.display(),
                    placement.name()
                );
                look(&code, stubs.code.len(), &context);
            }
        }
    }
}

/// x18 is the platform's, sp is the host's stack, and a word that the assembler does not know came about by mistake.
#[test]
fn arm64_code_keeps_off_x18_and_sp() {
    let mut seen = HashSet::new();
    scan(Host::Arm64, |code, stubs, context| {
        for at in (stubs..code.len()).step_by(4) {
            let word = u32::from_le_bytes(code[at..at + 4].try_into().unwrap());
            if !seen.insert(word) {
                continue;
            }
            let place = || {
                let text = a64::disassemble(word, at as u64);
                format!("{context}: {at:#x}: {word:#010x} {text}")
            };
            let info = a64::classify(word).unwrap_or_else(|| panic!("{}: unknown", place()));
            assert_eq!((info.reads | info.writes) & 1 << 18, 0, "{}: x18", place());
            assert!(!info.uses_sp, "{}: sp", place());
        }
    });
    assert!(seen.len() > 1000, "only {} words", seen.len());
}

/// Processors with the erratum are slow where a jump crosses the end of a line or ends there: what is emitted for them,
/// and for the tests with poison, has no such jump that is executed often.
#[test]
fn x86_64_jumps_keep_within_lines() {
    const LINE: usize = 32;
    let (mut within, mut across) = (0, 0);
    scan(Host::X86_64, |code, stubs, context| {
        let wanted = context.contains("poison true");
        let mut at = stubs;
        while at < code.len() {
            let insn = x64::decode(&code[at..], at as u64);
            let end = at + insn.len();
            let text = insn.to_string();
            // Direct jumps that are not conditional are in cold code as well.
            let looked_at = match insn.mnemonic() {
                "jmp" => insn.target().is_none(),
                other => other.starts_with('j'),
            };
            if looked_at && at / LINE == end / LINE {
                within += 1;
            } else if looked_at {
                across += 1;
                assert!(!wanted, "{context}: {at:#x}: {text}");
            }
            at = end;
        }
    });
    assert!(within > 1000 && across > 100, "{within} and {across}");
}

/// Whether what an address adds to rsp leads to a field of the state, of at most 72 bytes below and 128 above, or to a
/// slot of the jump table.
fn is_of_the_state(address: &str) -> bool {
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok();
    if let Some(below) = address.strip_prefix("-0x") {
        hex(below).is_some_and(|at| at <= 72)
    } else if let Some(above) = address.strip_prefix("+0x") {
        hex(above).is_some_and(|at| at < 128)
    } else {
        ["", "+rax*8+0x80", "+rdx*4+0x80"].contains(&address)
    }
}

/// rsp is written by nothing but calls of the exit stub, which takes the return address away again; read it is only to
/// address the state and the jump table.
#[test]
fn x86_64_code_leaves_rsp_where_it_is() {
    let rsp = x64::Reg::Rsp.bit();
    let mut seen = HashSet::new();
    let mut calls = HashSet::new();
    scan(Host::X86_64, |code, stubs, context| {
        let mut at = stubs;
        while at < code.len() {
            let insn = x64::decode(&code[at..], at as u64);
            let bytes = &code[at..at + insn.len()];
            let place = || format!("{context}: {at:#x}: {insn}");
            assert!(insn.is_known(), "{}: unknown", place());
            if insn.mnemonic() == "call" {
                let target = insn.target().unwrap_or(u64::MAX);
                assert!(target < stubs as u64, "{}: not of a stub", place());
                calls.insert(target);
            } else if seen.insert(bytes.to_vec()) {
                assert_eq!(insn.writes() & rsp, 0, "{}: rsp", place());
                let text = insn.to_string();
                let (before, address) = text.split_once("[rsp").unwrap_or((&text, "]"));
                let (address, after) = address.split_once(']').unwrap_or((address, ""));
                assert!(
                    !before.contains("sp") && !after.contains("sp"),
                    "{}: rsp",
                    place()
                );
                assert!(is_of_the_state(address), "{}: {address}", place());
            }
            at += insn.len();
        }
    });
    assert!(seen.len() > 1000, "only {} instructions", seen.len());
    assert_eq!(calls.len(), 1, "one stub is called: {calls:x?}");
}

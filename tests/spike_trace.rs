//! The trace in Spike's format against what qemu-riscv32 says that the program did: pc and registers of each
//! instruction. Where qemu is not installed nothing is compared, and the test says so.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod common;

use common::{fixtures, run, rvjit};
use std::process::Command;

/// pc and registers before an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    pc: u32,
    x: [u32; 32],
}

/// The states in qemu's log of `-d exec,cpu`, one an instruction.
fn states(log: &str) -> Vec<State> {
    let mut found: Vec<State> = Vec::new();
    for line in log.lines() {
        let mut words = line.split_whitespace();
        if let Some(pc) = line.strip_prefix(" pc ") {
            let pc = u32::from_str_radix(pc.trim(), 16).unwrap();
            found.push(State { pc, x: [0; 32] });
        } else if line.starts_with(" x") {
            let state = found.last_mut().unwrap();
            while let (Some(name), Some(value)) = (words.next(), words.next()) {
                let number = name.trim_start_matches('x').split('/').next().unwrap();
                let number: usize = number.parse().unwrap();
                state.x[number] = u32::from_str_radix(value, 16).unwrap();
            }
        }
    }
    found
}

/// pc, word, and the register that was written.
type Commit = (u32, u32, Option<(usize, u32)>);

fn commits(trace: &str) -> Vec<Commit> {
    let hex = |text: &str| u32::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap();
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..3], ["core", "0:", "3"], "{line}");
        let written = words.get(5).and_then(|word| word.strip_prefix('x'));
        let written = written.map(|number| (number.parse().unwrap(), hex(words[6])));
        let word = words[4].trim_matches(['(', ')']);
        (hex(words[3]), hex(word), written)
    };
    trace.lines().map(line).collect()
}

const ECALL: u32 = 0x73;

fn compare(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (log, trace) = (dir.path().join("qemu"), dir.path().join("trace"));
    let program = fixtures().join(name);
    let mut qemu = Command::new("qemu-riscv32");
    qemu.args(["-singlestep", "-d", "exec,cpu,nochain", "-D"]);
    let qemu = qemu.arg(&log).arg(&program).output().unwrap();
    let mut ours = rvjit();
    ours.args([
        "run",
        "--trace",
        "insn",
        "--trace-format",
        "spike",
        "--trace-out",
    ]);
    let ours = run(ours.arg(&trace).arg(&program));
    assert_eq!(ours.stdout, qemu.stdout, "{name}");
    let states = states(&std::fs::read_to_string(&log).unwrap());
    let commits = commits(&std::fs::read_to_string(&trace).unwrap());
    assert!(commits.len() > 50, "{name}: {} instructions", commits.len());
    assert_eq!(commits.len(), states.len(), "{name}");
    // The stacks lie elsewhere; addresses in them differ by this.
    let first_write = |n: usize| commits.iter().find_map(|c| c.2.filter(|w| w.0 == n));
    // _start copies sp to a3 before anything else writes it.
    let shift = states[0].x[2].wrapping_sub(first_write(13).unwrap().1);
    let same = |qemu: u32, ours: u32| qemu == ours || qemu == ours.wrapping_add(shift);
    for (n, (pair, commit)) in states.windows(2).zip(&commits).enumerate() {
        let [before, after] = pair else { panic!() };
        let at = format!("{name}, instruction {n} at {:#x}", before.pc);
        assert_eq!(commit.0, before.pc, "{at}");
        for register in 1..32 {
            let (old, new) = (before.x[register], after.x[register]);
            match commit.2 {
                Some((written, value)) if written == register => {
                    assert!(same(new, value), "{at}: x{register} {new:#x}, {value:#x}");
                }
                // The log says nothing of what a system call returns.
                _ if commit.1 == ECALL && register == 10 => {}
                _ => assert_eq!(old, new, "{at}: x{register}"),
            }
        }
    }
}

#[test]
fn spike_traces_agree_with_qemu() {
    if Command::new("qemu-riscv32")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("not compared: there is no qemu-riscv32");
        return;
    }
    for name in ["hello.elf", "ecall_registers.elf", "smc.elf", "highmem.elf"] {
        compare(name);
    }
}

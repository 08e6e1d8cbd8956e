//! Random programs on the interpreter and on the JIT: registers, pc, the reason for stopping and memory must agree.
//!
//! `RVJIT_SEED` sets the first seed and `RVJIT_PROGRAMS` how many follow. A failure prints the seed, the guest code,
//! the host code and the first difference.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot be set up has failed; random bits are cut to the width that is wanted"
)]

mod accesses;
mod asked;
mod compares;
#[path = "../common/comparisons.rs"]
mod comparison_programs;
mod comparisons;
mod compressed;
mod edges;
mod extensions;
mod generate;
mod joined;
mod kicks;
mod kin;
mod rewrites;
mod tested;
mod whole;

use generate::{CODE, DATA, DATA_LEN, Program, Random};
use rvjit::cpu::Cpu;
use rvjit::engine::{Budget, Engine, Stop};
use rvjit::interp::Interpreter;
use rvjit::jit::JitConfig;
use rvjit::memory::{Memory, MemoryConfig, Permissions, Placement};
use rvjit::rv32::{Fetched, Isa, Reg};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tested::{ALL_CODE, Tested};

const PAGES: u32 = 64;
/// More than any program executes; a program that loops is cut there on both sides.
const MOST_INSNS: u64 = 5000;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().expect("a decimal number"),
        Err(_) => default,
    }
}

fn new_memory(placement: Placement) -> Memory {
    let mut memory = Memory::new(MemoryConfig {
        placement,
        limit_pages: PAGES,
        strict_align: false,
    })
    .expect("memory");
    memory.map(CODE, 0x1000, Permissions::RX).unwrap();
    memory
        .map(DATA, u64::from(DATA_LEN), Permissions::RW)
        .unwrap();
    memory.map(DATA + DATA_LEN, 0x1000, Permissions::R).unwrap();
    memory
}

fn load(memory: &mut Memory, program: &Program) -> Cpu {
    let mut code: Vec<u8> = program.words.iter().flat_map(|w| w.to_le_bytes()).collect();
    code.resize(0x1000, 0);
    poke_changed(memory, CODE, &code);
    let data: Vec<u8> = (0..DATA_LEN + 0x1000)
        .map(|n| (n.wrapping_mul(167) >> 3) as u8)
        .collect();
    memory.poke(DATA, &data).unwrap();
    Cpu {
        x: program.x,
        pc: CODE,
        isa: program.isa,
        ..Cpu::default()
    }
}

/// Writes code where it differs: code that is written anew, even as it was, is cold again.
fn poke_changed(memory: &mut Memory, at: u32, code: &[u8]) {
    let mut old = vec![0; code.len()];
    memory.peek(at, &mut old).unwrap();
    if old != code {
        memory.poke(at, code).unwrap();
    }
}

fn data(memory: &mut Memory) -> Vec<u8> {
    let mut bytes = vec![0; DATA_LEN as usize + 0x1000];
    memory.read(DATA, &mut bytes).unwrap();
    bytes
}

/// What a run ended with.
#[derive(PartialEq)]
struct Outcome {
    stop: Stop,
    pc: u32,
    x: [u32; 32],
    reservation: Option<u32>,
    data: Vec<u8>,
    executed: Option<u64>,
}

fn run(engine: &mut dyn Engine, memory: &mut Memory, program: &Program, budget: Budget) -> Outcome {
    let mut cpu = load(memory, program);
    let mut left = budget;
    let stop = engine.run(&mut cpu, memory, &mut left);
    let executed = match (budget, left) {
        (Budget::Instructions(before), Budget::Instructions(after)) => {
            assert_eq!(
                cpu.instret,
                before - after,
                "instret counts what the budget lost"
            );
            Some(before - after)
        }
        _ => None,
    };
    Outcome {
        stop,
        pc: cpu.pc,
        x: cpu.x,
        reservation: cpu.reservation,
        data: data(memory),
        executed,
    }
}

fn differences(expected: &Outcome, got: &Outcome) -> String {
    let mut text = String::new();
    if expected.stop != got.stop {
        writeln!(text, "stop: {:?}, expected {:?}", got.stop, expected.stop).unwrap();
    }
    if expected.pc != got.pc {
        writeln!(text, "pc: {:#x}, expected {:#x}", got.pc, expected.pc).unwrap();
    }
    for reg in Reg::all() {
        let (want, have) = (expected.x[reg.index()], got.x[reg.index()]);
        if want != have {
            writeln!(text, "{reg}: {have:#x}, expected {want:#x}").unwrap();
        }
    }
    if expected.reservation != got.reservation {
        let (want, have) = (expected.reservation, got.reservation);
        writeln!(text, "reservation: {have:x?}, expected {want:x?}").unwrap();
    }
    if let Some(at) = (0..expected.data.len()).find(|&n| expected.data[n] != got.data[n]) {
        writeln!(
            text,
            "memory at {:#x}: {:#x}, expected {:#x}",
            DATA as usize + at,
            got.data[at],
            expected.data[at]
        )
        .unwrap();
    }
    if expected.executed != got.executed {
        writeln!(
            text,
            "executed: {:?}, expected {:?}",
            got.executed, expected.executed
        )
        .unwrap();
    }
    text
}

fn listing(program: &Program) -> String {
    let mut text = String::new();
    for (n, value) in program.x.iter().enumerate().skip(1) {
        let reg = Reg::from_field(n as u32);
        write!(text, "{reg}={value:#x} ").unwrap();
    }
    text.push('\n');
    let half = |pc: u32| {
        let word = program.words.get((pc - CODE) as usize / 4).ok_or(())?;
        Ok::<u16, ()>((word >> (8 * (pc & 2))) as u16)
    };
    let mut pc = CODE;
    while let Ok(fetched) = Fetched::at(program.isa, pc, half) {
        writeln!(text, "{pc:#x}: {}", fetched.text()).unwrap();
        pc = fetched.next();
    }
    text
}

struct Side {
    name: String,
    memory: Memory,
    jit: Tested,
}

/// Held while the identity placement is in use: there is one host address 0 in the process.
static IDENTITY: Mutex<()> = Mutex::new(());

fn hold_identity() -> MutexGuard<'static, ()> {
    IDENTITY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sides(isa: Isa) -> Vec<Side> {
    let mut sides = Vec::new();
    for placement in Placement::ALL {
        let poisoned = JitConfig {
            isa,
            poison: true,
            // Both kinds of host with the registers and jumps of one placement each.
            host_features: placement != Placement::Paged,
            ..ALL_CODE
        };
        let plain = JitConfig {
            isa,
            plain: true,
            host_features: false,
            ..ALL_CODE
        };
        // Goes to and fro between interpreter and code.
        let tiered = JitConfig {
            isa,
            hot: 2,
            ..ALL_CODE
        };
        let configs = [
            ("", JitConfig { isa, ..ALL_CODE }),
            (" poisoned", poisoned),
            (" plain, baseline host", plain),
            (" tiered", tiered),
        ];
        let configs = match placement {
            // It can be there once.
            Placement::Identity => &configs[1..2],
            Placement::Window | Placement::Paged => &configs,
        };
        for &(name, config) in configs {
            let memory = new_memory(placement);
            let jit = Tested::new(&memory, config);
            sides.push(Side {
                name: format!("{}{name}", placement.name()),
                memory,
                jit,
            });
        }
    }
    sides
}

/// How many programs each test runs that is not told.
const PROGRAMS: u64 = if cfg!(target_arch = "aarch64") {
    // Mostly emulated here: six of them take a second.
    1000
} else {
    10_000
};

#[test]
fn random_programs_agree_with_the_interpreter() {
    agree(Isa::default(), 1, generate::program);
}

/// Runs random programs on all sides, as many as `RVJIT_PROGRAMS` says, or the given part of [`PROGRAMS`].
fn agree(isa: Isa, part: u64, make: impl Fn(&mut Random) -> Program) {
    let first = number("RVJIT_SEED", 1);
    let count = number("RVJIT_PROGRAMS", PROGRAMS / part);
    let mut reference = new_memory(Placement::Paged);
    let _identity = hold_identity();
    let mut sides = sides(isa);
    for seed in first..first + count {
        let mut random = Random::new(seed);
        let program = make(&mut random);
        let whole = run(
            &mut Interpreter::default(),
            &mut reference,
            &program,
            Budget::Instructions(MOST_INSNS),
        );
        let length = whole.executed.unwrap_or(0);
        let cut = Budget::Instructions(u64::from(random.below(length as u32 + 2)));
        // A program that loops for ever is only run with a budget.
        let mut budgets = vec![cut];
        if whole.stop != Stop::Budget {
            budgets.insert(0, Budget::Unlimited);
        }
        for budget in budgets {
            let expected = match budget {
                Budget::Unlimited => Outcome {
                    executed: None,
                    data: whole.data.clone(),
                    ..whole
                },
                Budget::Instructions(_) => run(
                    &mut Interpreter::default(),
                    &mut reference,
                    &program,
                    budget,
                ),
            };
            // Counting takes other code: not on every side for every program.
            let skip = match budget {
                Budget::Unlimited => sides.len(),
                Budget::Instructions(_) => seed as usize % sides.len(),
            };
            for (n, side) in sides.iter_mut().enumerate() {
                if budget != Budget::Unlimited && n != skip {
                    continue;
                }
                check(seed, side, &program, budget, &expected);
            }
        }
    }
}

/// Runs a program on a side, and compares what comes of it. What waits until code is warm is run until it is.
fn check(seed: u64, side: &mut Side, program: &Program, budget: Budget, expected: &Outcome) {
    side.jit.next_program(&side.memory);
    for turn in 0..=side.jit.hot() {
        let got = run(&mut side.jit, &mut side.memory, program, budget);
        if got != *expected {
            let host = side.jit.listing();
            panic!(
                "seed {seed}, {}, {budget:?}, turn {turn}:\n{}\nguest:\n{}\nhost:\n{host}",
                side.name,
                differences(expected, &got),
                listing(program),
            );
        }
    }
}

//! Random programs on the interpreter and on the JIT: registers, pc, the reason for stopping and memory must agree.
//!
//! `RVJIT_SEED` sets the first seed and `RVJIT_PROGRAMS` how many follow. A failure prints the seed, the guest code, the
//! host code and the first difference.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot be set up has failed; random bits are cut to the width that is wanted"
)]

mod accesses;
mod edges;
mod generate;
mod joined;

use generate::{CODE, DATA, DATA_LEN, Program, Random};
use rvjit::cpu::Cpu;
use rvjit::engine::{Budget, Engine, Stop};
use rvjit::interp::Interpreter;
use rvjit::jit::{self, HostBackend, Jit, JitConfig};
use rvjit::memory::{Memory, MemoryConfig, Permissions, Placement};
use rvjit::rv32::{AluOp, Cond, Insn, Reg, decode, disasm::disassemble, encode::encode};
use rvjit::sys::signal::Thread;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

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
    memory.poke(CODE, &code).unwrap();
    let data: Vec<u8> = (0..DATA_LEN + 0x1000)
        .map(|n| (n.wrapping_mul(167) >> 3) as u8)
        .collect();
    memory.poke(DATA, &data).unwrap();
    Cpu {
        x: program.x,
        pc: CODE,
        ..Cpu::default()
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
    for (n, &word) in program.words.iter().enumerate() {
        let pc = CODE + 4 * n as u32;
        let insn = decode(word).map_or_else(
            || format!(".word {word:#010x}"),
            |insn| disassemble(insn, pc),
        );
        writeln!(text, "{pc:#x}: {insn}").unwrap();
    }
    text
}

struct Side {
    name: String,
    memory: Memory,
    jit: Jit<HostBackend>,
}

/// Held while the identity placement is in use: there is one host address 0 in the process.
static IDENTITY: Mutex<()> = Mutex::new(());

fn hold_identity() -> MutexGuard<'static, ()> {
    IDENTITY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sides() -> Vec<Side> {
    let mut sides = Vec::new();
    let all_code = JitConfig {
        hot: 0,
        ..JitConfig::default()
    };
    for placement in Placement::ALL {
        for (name, config) in [
            ("", all_code),
            (
                " poisoned",
                JitConfig {
                    poison: true,
                    ..all_code
                },
            ),
            (
                " plain, baseline host",
                JitConfig {
                    plain: true,
                    host_features: false,
                    ..all_code
                },
            ),
            // Goes to and fro between interpreter and code.
            (" tiered", JitConfig { hot: 2, ..all_code }),
        ] {
            // The identity placement can be there once.
            if placement == Placement::Identity && !name.is_empty() {
                continue;
            }
            let memory = new_memory(placement);
            let jit = jit::for_host(&memory, config).expect("a JIT");
            sides.push(Side {
                name: format!("{}{name}", placement.name()),
                memory,
                jit,
            });
        }
    }
    sides
}

#[test]
fn random_programs_agree_with_the_interpreter() {
    let first = number("RVJIT_SEED", 1);
    let count = number("RVJIT_PROGRAMS", 10_000);
    println!("RVJIT_SEED={first} RVJIT_PROGRAMS={count}");
    let mut reference = new_memory(Placement::Paged);
    let _identity = hold_identity();
    let mut sides = sides();
    for seed in first..first + count {
        let mut random = Random::new(seed);
        let program = generate::program(&mut random);
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
                let got = run(&mut side.jit, &mut side.memory, &program, budget);
                if got != expected {
                    let host = jit::listing::of_cache(&side.jit);
                    panic!(
                        "seed {seed}, placement {}, {budget:?}:\n{}\nguest:\n{}\nhost:\n{host}",
                        side.name,
                        differences(&expected, &got),
                        listing(&program),
                    );
                }
            }
        }
    }
}

/// A loop whose flag the code does not compute, because the head of the loop overwrites it: where the loop is stopped,
/// the flag is there.
#[test]
fn a_loop_that_is_stopped_shows_what_it_left_out() {
    let (flag, count, most) = (Reg::T0, Reg::A0, Reg::A1);
    let body = [
        Insn::AluImm {
            op: AluOp::Add,
            rd: count,
            rs1: count,
            imm: 1,
        },
        Insn::Alu {
            op: AluOp::Sltu,
            rd: flag,
            rs1: count,
            rs2: most,
        },
        Insn::Branch {
            cond: Cond::Ne,
            rs1: flag,
            rs2: Reg::ZERO,
            offset: -8,
        },
        Insn::AluImm {
            op: AluOp::Add,
            rd: flag,
            rs1: Reg::ZERO,
            imm: 0,
        },
        Insn::Ecall,
    ];
    let mut program = Program {
        words: body.into_iter().map(encode).collect(),
        x: [0; 32],
    };
    program.x[flag.index()] = 77;
    program.x[most.index()] = u32::MAX;
    for placement in [Placement::Window, Placement::Paged] {
        let mut memory = new_memory(placement);
        let mut cpu = load(&mut memory, &program);
        let mut jit = jit::for_host(&memory, JitConfig::default()).expect("a JIT");
        let stop = Arc::new(AtomicBool::new(false));
        jit.stop_on(Arc::clone(&stop));
        let runner = Thread::current();
        let (done, waiting) = channel::<()>();
        let stopped = thread::scope(|scope| {
            scope.spawn(move || {
                let pause = Duration::from_millis(20);
                while waiting.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    stop.store(true, Ordering::Release);
                    runner.kick();
                }
            });
            let stopped = jit.run(&mut cpu, &mut memory, &mut Budget::Unlimited);
            drop(done);
            stopped
        });
        assert_eq!(stopped, Stop::Interrupted, "{placement:?}");
        // On a slow machine it may not have begun.
        let expected = if cpu.get(count) == 0 { 77 } else { 1 };
        assert_eq!((cpu.pc, cpu.get(flag)), (CODE, expected), "{placement:?}");
    }
}

//! Code that is kicked: it leaves at its next link, is linked again, and goes on as if nothing had been.

use crate::generate::{self, CODE, Program, Random};
use crate::tested::{ALL_CODE, Tested};
use crate::{MOST_INSNS, check, hold_identity, load, new_memory, number, run, sides};
use rvjit::cpu::Cpu;
use rvjit::engine::{Budget, Engine, Stop};
use rvjit::interp::Interpreter;
use rvjit::memory::Placement;
use rvjit::rv32::{AluOp, Cond, Insn, Isa, LoadOp, Reg, encode::encode};
use rvjit::sys::signal::Thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Runs `f` while this thread is kicked again and again; `before` is called before each kick.
pub(crate) fn while_kicked<T>(
    pause: Duration,
    before: impl Fn() + Send,
    f: impl FnOnce() -> T,
) -> T {
    let runner = Thread::current();
    let (done, waiting) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while waiting.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                before();
                runner.kick();
            }
        });
        // Dropped by a panic, too: the scope waits for the thread.
        let _done = done;
        f()
    })
}

fn add(rd: Reg, rs1: Reg, imm: i32) -> Insn {
    Insn::AluImm {
        op: AluOp::Add,
        rd,
        rs1,
        imm,
    }
}

fn words(insns: &[Insn]) -> Vec<u32> {
    insns.iter().copied().map(encode).collect()
}

/// A loop whose flag the code does not compute, because the head of the loop overwrites it: where the loop is stopped,
/// the flag is there.
#[test]
fn a_loop_that_is_stopped_shows_what_it_left_out() {
    let (flag, count, most) = (Reg::T0, Reg::A0, Reg::A1);
    let mut program = Program {
        isa: Isa::default(),
        words: words(&[
            add(count, count, 1),
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
            add(flag, Reg::ZERO, 0),
            Insn::Ecall,
        ]),
        x: [0; 32],
    };
    program.x[flag.index()] = 77;
    program.x[most.index()] = u32::MAX;
    for placement in [Placement::Window, Placement::Paged] {
        let (cpu, _) = run_until_stopped(placement, &program, Budget::Unlimited);
        assert_eq!((cpu.pc, cpu.get(flag)), (CODE, 1), "{placement:?}");
    }
}

/// No link and no backward branch is in its way: it stops where the jump table says nothing any more.
#[test]
fn a_loop_of_indirect_jumps_is_stopped() {
    let (count, back) = (Reg::A0, Reg::A1);
    for (rd, offset) in [(Reg::ZERO, 0), (Reg::ZERO, 4), (Reg::RA, 0)] {
        let jump = Insn::Jalr {
            rd,
            rs1: back,
            offset,
        };
        let mut program = Program {
            isa: Isa::default(),
            words: words(&[add(count, count, 1), jump]),
            x: [0; 32],
        };
        program.x[back.index()] = CODE.wrapping_add_signed(-offset);
        for placement in [Placement::Window, Placement::Paged] {
            let (cpu, _) = run_until_stopped(placement, &program, Budget::Unlimited);
            assert!((CODE..CODE + 8).contains(&cpu.pc), "{placement:?}");
        }
    }
}

/// A timer that interrupts again and again costs no code: a loop with a backward branch, a call and a return.
#[test]
fn what_was_kicked_is_linked_again() {
    let program = Program {
        isa: Isa::default(),
        words: words(&[
            add(Reg::A0, Reg::A0, 1),
            Insn::Jal {
                rd: Reg::RA,
                offset: 8,
            },
            Insn::Jal {
                rd: Reg::ZERO,
                offset: -8,
            },
            Insn::Jalr {
                rd: Reg::ZERO,
                rs1: Reg::RA,
                offset: 0,
            },
        ]),
        x: [0; 32],
    };
    for placement in [Placement::Window, Placement::Paged] {
        let mut memory = new_memory(placement);
        let mut jit = Tested::new(&memory, ALL_CODE);
        let stop = Arc::new(AtomicBool::new(false));
        jit.stop_on(&stop);
        let mut cpu = load(&mut memory, &program);
        let mut made = Vec::new();
        while made.len() < 5 {
            let before = cpu.get(Reg::A0);
            stop.store(false, Ordering::Release);
            let stopped = while_kicked(
                Duration::from_millis(20),
                || stop.store(true, Ordering::Release),
                || jit.run(&mut cpu, &mut memory, &mut Budget::Unlimited),
            );
            assert_eq!(stopped, Stop::Interrupted);
            // On a slow machine it may be stopped before it goes on.
            if cpu.get(Reg::A0) != before {
                made.push(jit.stats().regions);
            }
        }
        assert_eq!(made, [made[0]; 5], "{placement:?}");
        assert_eq!(jit.stats().flushes, 0, "{placement:?}");
        // Links are there again: a turn leaves the code nowhere.
        let entered = jit.stats().entered;
        assert!(entered < 100, "{placement:?}: {entered}");
    }
}

/// Runs a program that counts in a0 and does not end, until it is stopped.
fn run_until_stopped(placement: Placement, program: &Program, budget: Budget) -> (Cpu, Budget) {
    let mut memory = new_memory(placement);
    let mut jit = Tested::new(&memory, ALL_CODE);
    let stop = Arc::new(AtomicBool::new(false));
    jit.stop_on(&stop);
    // On a slow machine it may be stopped before it begins.
    for _ in 0..100 {
        stop.store(false, Ordering::Release);
        let mut cpu = load(&mut memory, program);
        let mut left = budget;
        let stopped = while_kicked(
            Duration::from_millis(20),
            || stop.store(true, Ordering::Release),
            || jit.run(&mut cpu, &mut memory, &mut left),
        );
        assert_eq!(stopped, Stop::Interrupted, "{placement:?}");
        if cpu.get(Reg::A0) > 0 {
            return (cpu, left);
        }
    }
    panic!("{placement:?}: it never begins");
}

#[test]
fn a_loop_that_is_stopped_has_counted_what_it_did() {
    let count = Reg::A0;
    let back = Insn::Jal {
        rd: Reg::ZERO,
        offset: -4,
    };
    let program = Program {
        isa: Isa::default(),
        words: words(&[add(count, count, 1), back]),
        x: [0; 32],
    };
    for placement in [Placement::Window, Placement::Paged] {
        let most = 1 << 50;
        let (cpu, left) = run_until_stopped(placement, &program, Budget::Instructions(most));
        // Between the two instructions or not.
        let turns = u64::from(cpu.get(count));
        let executed = 2 * turns - u64::from(cpu.pc != CODE);
        assert_eq!(cpu.instret, executed, "{placement:?}");
        assert_eq!(left, Budget::Instructions(most - executed), "{placement:?}");
    }
}

/// The interpreter executes the accesses, and the code goes on behind them, if it was not kicked just then.
#[test]
fn interpreted_accesses_are_counted_once() {
    let (value, count) = (Reg::T0, Reg::A0);
    let turns: u32 = 100_000;
    let mut body = vec![Insn::Load {
        op: LoadOp::Lw,
        rd: value,
        rs1: Reg::A1,
        offset: 1,
    }];
    body.extend([add(value, value, 1); 20]);
    body.push(add(count, count, -1));
    body.push(Insn::Branch {
        cond: Cond::Ne,
        rs1: count,
        rs2: Reg::ZERO,
        offset: -4 * 22,
    });
    body.push(Insn::Ecall);
    let mut program = Program {
        isa: Isa::default(),
        words: words(&body),
        x: [0; 32],
    };
    program.x[count.index()] = turns;
    program.x[Reg::A1.index()] = generate::DATA;
    let mut memory = new_memory(Placement::Paged);
    let mut jit = Tested::new(&memory, ALL_CODE);
    let budget = Budget::Instructions(1 << 50);
    let outcome = while_kicked(
        Duration::from_micros(20),
        || (),
        || run(&mut jit, &mut memory, &program, budget),
    );
    assert_eq!(outcome.stop, Stop::Ecall);
    assert_eq!(outcome.executed, Some(u64::from(turns) * 23));
}

#[test]
fn programs_that_are_kicked_agree_with_the_interpreter() {
    let first = number("RVJIT_SEED", 1);
    let count = number("RVJIT_PROGRAMS", 10_000).div_ceil(10);
    let mut reference = new_memory(Placement::Paged);
    let _identity = hold_identity();
    let mut sides = sides(Isa::default());
    let budget = Budget::Instructions(MOST_INSNS);
    while_kicked(
        Duration::from_micros(20),
        || (),
        || {
            for seed in first..first + count {
                let program = generate::program(&mut Random::new(seed));
                let engine = &mut Interpreter::default();
                let expected = run(engine, &mut reference, &program, budget);
                let side = usize::try_from(seed).unwrap_or(0) % sides.len();
                check(seed, &mut sides[side], &program, budget, &expected);
            }
        },
    );
}

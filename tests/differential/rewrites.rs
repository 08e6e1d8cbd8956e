//! Programs that write their own instructions: what comes of it, and that it costs what was written.

use crate::new_memory;
use crate::tested::{ALL_CODE, Tested};
use rvjit::cpu::Cpu;
use rvjit::engine::{Budget, Engine, EngineStats, Stop};
use rvjit::interp::Interpreter;
use rvjit::jit::JitConfig;
use rvjit::memory::{Memory, Permissions, Placement};
use rvjit::rv32::encode::encode;
use rvjit::rv32::{AluOp, Cond, Insn, Reg, StoreOp};

/// Code and data.
const PAGE: u32 = 0x0200_0000;
/// Where the page ends at which the address space does.
const LAST_PAGE: u32 = 0xffff_f000;

const COUNT: Reg = Reg::S0;
const TURNS: Reg = Reg::T0;
const SUM: Reg = Reg::A0;
const WORD: Reg = Reg::A1;
const PLACE: Reg = Reg::A7;

fn reg(number: u8) -> Reg {
    Reg::new(number).unwrap()
}

fn add(rd: Reg, rs1: Reg, imm: i32) -> Insn {
    Insn::AluImm {
        op: AluOp::Add,
        rd,
        rs1,
        imm,
    }
}

fn sum(rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    let op = AluOp::Add;
    Insn::Alu { op, rd, rs1, rs2 }
}

fn shift(op: AluOp, rd: Reg, rs1: Reg, imm: i32) -> Insn {
    Insn::AluImm { op, rd, rs1, imm }
}

fn store(rs2: Reg, rs1: Reg, offset: i32) -> Insn {
    Insn::Store {
        op: StoreOp::Sw,
        rs1,
        rs2,
        offset,
    }
}

fn back(counter: Reg, insns: i32) -> Insn {
    Insn::Branch {
        cond: Cond::Ne,
        rs1: counter,
        rs2: Reg::ZERO,
        offset: -4 * insns,
    }
}

const FENCE_I: Insn = Insn::FenceI {
    rd: Reg::ZERO,
    rs1: Reg::ZERO,
    bits: 0,
};

/// A memory with two pages of code and data.
fn memory(placement: Placement, insns: &[Insn], start: u32) -> Memory {
    let mut memory = new_memory(placement);
    memory.map(PAGE, 0x1000, Permissions::RWX).unwrap();
    memory.map(LAST_PAGE, 0x1000, Permissions::RWX).unwrap();
    for (n, insn) in (0..).zip(insns) {
        memory.store(start + 4 * n, encode(*insn)).unwrap();
    }
    memory
}

/// `COUNT` times: writes one instruction of a loop, with another constant each time, and runs the loop `turns` times.
fn patcher(turns: i32) -> Vec<Insn> {
    vec![
        // The constant: the low bits of the count.
        shift(AluOp::Sll, WORD, COUNT, 21),
        shift(AluOp::Srl, WORD, WORD, 1),
        sum(WORD, WORD, reg(19)),
        store(WORD, PLACE, 0),
        FENCE_I,
        add(TURNS, Reg::ZERO, turns),
        // This one is written.
        add(reg(18), Reg::ZERO, 0),
        sum(SUM, SUM, reg(18)),
        add(TURNS, TURNS, -1),
        back(TURNS, 3),
        add(COUNT, COUNT, -1),
        back(COUNT, 11),
        Insn::Ecall,
    ]
}

fn run_patcher(engine: &mut dyn Engine, placement: Placement, count: u32, turns: i32) -> u32 {
    let insns = patcher(turns);
    let mut memory = memory(placement, &insns, PAGE);
    run_in(engine, &mut memory, count)
}

fn run_in(engine: &mut dyn Engine, memory: &mut Memory, count: u32) -> u32 {
    let mut cpu = Cpu {
        pc: PAGE,
        ..Cpu::default()
    };
    cpu.set(COUNT, count);
    cpu.set(PLACE, PAGE + 4 * 6);
    cpu.set(reg(19), encode(add(reg(18), Reg::ZERO, 0)));
    let stop = engine.run(&mut cpu, memory, &mut Budget::Unlimited);
    assert_eq!(stop, Stop::Ecall);
    cpu.get(SUM)
}

fn patched(config: JitConfig, count: u32, turns: i32) -> (u32, EngineStats) {
    let insns = patcher(turns);
    let mut memory = memory(Placement::Paged, &insns, PAGE);
    let mut jit = Tested::new(&memory, config);
    let sum = run_in(&mut jit, &mut memory, count);
    (sum, jit.stats())
}

#[test]
fn rewritten_code_is_what_runs() {
    for placement in [Placement::Window, Placement::Paged] {
        for (count, turns) in [(1, 1), (3, 2), (40, 20), (500, 3)] {
            let mut interpreter = Interpreter::default();
            let expected = run_patcher(&mut interpreter, placement, count, turns);
            for config in [
                ALL_CODE,
                JitConfig { hot: 2, ..ALL_CODE },
                JitConfig::default(),
            ] {
                let insns = patcher(turns);
                let mut memory = memory(placement, &insns, PAGE);
                let mut jit = Tested::new(&memory, config);
                let sum = run_in(&mut jit, &mut memory, count);
                assert_eq!(sum, expected, "{placement:?} {count} {turns} {config:?}");
            }
        }
    }
}

/// Links and books of dead code cost nothing for ever, and dead code does not fill the buffer.
#[test]
fn rewriting_costs_what_was_written() {
    let (_, half) = patched(ALL_CODE, 2000, 3);
    let (_, whole) = patched(ALL_CODE, 4000, 3);
    assert!(half.invalidations >= 2000, "{half:?}");
    assert!(whole.links < 2 * half.links + 1000, "{half:?}\n{whole:?}");
    assert!(whole.regions < 2 * half.regions + 1000, "{whole:?}");
    assert!(whole.flushes > 0 && whole.code_used < 1 << 20, "{whole:?}");
}

/// What is written again and again is interpreted, and translated when that ends.
#[test]
fn code_that_is_rewritten_is_not_translated_each_time() {
    let (_, stats) = patched(JitConfig::default(), 3000, 20);
    assert!(stats.regions < 60, "{stats:?}");
    let (_, stats) = patched(JitConfig::default(), 6, 2000);
    assert!(stats.interpreted < 6 * 2000, "{stats:?}");
}

/// The last instruction stands at the end of the address space, on a page on which only `fence.i` is heeded.
#[test]
fn code_may_end_where_addresses_do() {
    let mut insns = vec![
        store(COUNT, PLACE, 0),
        add(COUNT, COUNT, -1),
        back(COUNT, 2),
        FENCE_I,
    ];
    insns.extend([add(SUM, SUM, 1); 3]);
    insns.push(Insn::Ecall);
    let start = 0_u32.wrapping_sub(4 * u32::try_from(insns.len()).unwrap());
    for placement in [Placement::Window, Placement::Paged] {
        let mut memory = memory(placement, &insns, start);
        let mut jit = Tested::new(&memory, ALL_CODE);
        for turn in 1..4 {
            let mut cpu = Cpu {
                pc: start,
                ..Cpu::default()
            };
            cpu.set(COUNT, 100);
            cpu.set(PLACE, LAST_PAGE);
            let stop = jit.run(&mut cpu, &mut memory, &mut Budget::Unlimited);
            assert_eq!((stop, cpu.pc), (Stop::Ecall, 0xffff_fffc), "{turn}");
            assert_eq!(cpu.get(SUM), 3);
            // Another instruction right before the end.
            let last = encode(add(SUM, SUM, 1));
            memory.store(0xffff_fff8, last).unwrap();
        }
    }
}

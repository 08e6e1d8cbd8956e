//! Each instruction of the bit-manipulation extensions, Zicond and A with each kind of register in each place: with a home
//! and without, x0, and the same one twice. On every side, and none of them is left to the interpreter.

use crate::generate::{CODE, DATA, DATA_LEN, Program};
use crate::tested::{ALL_CODE, Tested};
use crate::{Side, differences, hold_identity, listing, new_memory, number, run, sides};
use rvjit::cpu::Cpu;
use rvjit::engine::{Budget, Engine, Stop};
use rvjit::interp::Interpreter;
use rvjit::memory::{Memory, Permissions, Placement};
use rvjit::rv32::encode::encode;
use rvjit::rv32::{AluOp, AtomicOp, BitOp, Cond, Insn, Isa, Reg, UnaryOp};

/// x0; a register with a home on both hosts; the one in which x86-64 counts shifts; two without a home; one with a
/// home on ARM64 only, and ra, whose upper half may be anything there.
const REGISTERS: [Reg; 7] = [
    Reg::ZERO,
    Reg::A0,
    Reg::from_field(12),
    Reg::GP,
    Reg::TP,
    Reg::from_field(31),
    Reg::RA,
];

/// What rs1 and rs2 hold.
const VALUES: [(u32, u32); 9] = [
    (0, 0),
    (1, 31),
    (0x8000_0000, 0x7fff_ffff),
    (u32::MAX, 32),
    (0x0012_8000, 0x0012_8000),
    (0x00ff_0180, 0xffff_fff0),
    (0x1234_5678, 0x9abc_def5),
    (0x7f80_01fe, 0),
    (0x5555_aaaa, 0x10),
];

fn li(rd: Reg, imm: i32) -> Insn {
    Insn::AluImm {
        op: AluOp::Add,
        rd,
        rs1: Reg::ZERO,
        imm,
    }
}

/// Three registers, each pair of places with each pair of them; an emulated host takes some.
fn triples() -> impl Iterator<Item = (Reg, Reg, Reg)> {
    let all = REGISTERS.len().pow(3);
    let wanted = number("RVJIT_PROGRAMS", 10_000) as usize / 100;
    // No multiple of how many there are.
    let step = [3, 10, 40][usize::from(wanted < 100) + usize::from(wanted < 10)];
    let of = |n: usize| REGISTERS[n % REGISTERS.len()];
    (0..all)
        .step_by(step)
        .map(move |n| (of(n / 49), of(n / 7), of(n)))
}

fn simple(op: BitOp) -> bool {
    !op.is_carryless_product()
}

/// The instructions with these registers.
fn instructions(rd: Reg, rs1: Reg, rs2: Reg) -> Vec<Insn> {
    let ops = BitOp::ALL.into_iter().filter(|op| simple(*op));
    let mut all: Vec<Insn> = ops.map(|op| Insn::Bits { op, rd, rs1, rs2 }).collect();
    // What has one source has it once for each of these.
    if rs2 == REGISTERS[0] {
        for op in UnaryOp::ALL {
            all.push(Insn::Unary { op, rd, rs1 });
        }
        for op in BitOp::WITH_IMMEDIATE {
            all.extend([0, 1, 7, 16, 31].map(|shamt| Insn::BitsImm { op, rd, rs1, shamt }));
        }
    }
    all
}

/// Runs a program on all sides, and compares what comes of it with what the interpreter makes of it; true if it ran to
/// its end. Where `all` of it is to be translated, nothing of it may be interpreted.
fn compare(sides: &mut [Side], reference: &mut Memory, program: &Program, all: bool) -> bool {
    let mut interpreter = Interpreter::default();
    let expected = run(&mut interpreter, reference, program, Budget::Unlimited);
    for side in sides {
        let before = side.jit.stats().interpreted;
        let got = run(&mut side.jit, &mut side.memory, program, Budget::Unlimited);
        // The `ecall` alone, which does not retire.
        let interpreted = side.jit.stats().interpreted - before;
        assert!(
            got == expected && (interpreted == 0 || !all),
            "{} ({interpreted} instructions interpreted):\n{}\n{}\n{}",
            side.name,
            differences(&expected, &got),
            listing(program),
            side.jit.listing(),
        );
    }
    expected.stop == Stop::Ecall
}

fn program(insns: &[Insn], values: &[(Reg, u32)]) -> Program {
    let words = insns.iter().chain([&Insn::Ecall]);
    let mut x = [0x0bad_cafe; 32];
    for &(reg, value) in values {
        x[reg.index()] = value;
    }
    x[0] = 0;
    Program {
        isa: Isa::default(),
        words: words.map(|insn| encode(*insn)).collect(),
        x,
    }
}

/// Those that translate everything.
fn eager() -> Vec<Side> {
    let mut sides = sides(Isa::default());
    sides.retain(|side| side.jit.hot() == 0);
    assert!(sides.len() > 5);
    sides
}

#[test]
fn bit_manipulation_agrees_with_the_interpreter() {
    let _identity = hold_identity();
    let (mut sides, mut reference) = (eager(), new_memory(Placement::Paged));
    for (rd, rs1, rs2) in triples() {
        for insn in instructions(rd, rs1, rs2) {
            for (a, b) in VALUES {
                let program = program(&[insn], &[(rs2, b), (rs1, a)]);
                assert!(compare(&mut sides, &mut reference, &program, true));
            }
            // Known operands become constants.
            for known in [li(rs2, 0), li(rs2, 35), li(rs1, 0), li(rs1, -256)] {
                let (a, b) = VALUES[6];
                let program = program(&[known, insn], &[(rs2, b), (rs1, a)]);
                assert!(compare(&mut sides, &mut reference, &program, true));
            }
        }
    }
}

fn atomic(op: AtomicOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    let rs2 = match op {
        AtomicOp::LoadReserved => Reg::ZERO,
        _ => rs2,
    };
    Insn::Atomic {
        op,
        rd,
        rs1,
        rs2,
        ordering: 0,
    }
}

/// Where an access is done; misaligned, also over a page's end; in a page that can only be read, in code, in none.
const ADDRESSES: [u32; 9] = [
    DATA + 8,
    DATA + DATA_LEN - 4,
    DATA + 9,
    DATA + 0xffe,
    DATA + DATA_LEN,
    CODE,
    DATA + DATA_LEN + 0x1000,
    0,
    0xffff_fffc,
];
const GOOD: usize = 2;

#[test]
fn atomic_operations_agree_with_the_interpreter() {
    let _identity = hold_identity();
    let (mut sides, mut reference) = (eager(), new_memory(Placement::Paged));
    let mut done = [0; 2];
    for (rd, rs1, rs2) in triples() {
        for op in AtomicOp::ALL {
            let insn = atomic(op, rd, rs1, rs2);
            let reserve = atomic(AtomicOp::LoadReserved, Reg::ZERO, rs1, Reg::ZERO);
            let next = Insn::AluImm {
                op: AluOp::Add,
                rd: rs1,
                rs1,
                imm: -4,
            };
            let shapes = [
                vec![insn],
                vec![reserve, insn],
                vec![reserve, next, insn],
                vec![reserve, insn, insn],
            ];
            for insns in &shapes {
                for (n, address) in ADDRESSES.into_iter().enumerate() {
                    let other = [0x8000_0005, 0x7f00_ff00, u32::MAX, 0][n % 4];
                    let program = program(insns, &[(rs2, other), (rs1, address)]);
                    // An address may have been overwritten by what was loaded.
                    let all = n < GOOD && !rs1.is_zero() && (rd != rs1 || insns.len() < 3);
                    let ended = compare(&mut sides, &mut reference, &program, all);
                    assert!(ended || !all);
                    done[usize::from(ended)] += 1;
                }
            }
        }
    }
    assert!(done[0] > 500 && done[1] > 500, "{done:?}");
}

/// A loop that changes an instruction of its own.
#[test]
fn atomic_stores_to_code_are_heeded() {
    const PAGE: u32 = 0x0200_0000;
    let (count, word, at, sum) = (Reg::S0, Reg::T0, Reg::A1, Reg::A0);
    let add = |imm| Insn::AluImm {
        op: AluOp::Add,
        rd: sum,
        rs1: sum,
        imm,
    };
    let fence = Insn::FenceI {
        rd: Reg::ZERO,
        rs1: Reg::ZERO,
        bits: 0,
    };
    let back = Insn::Branch {
        cond: Cond::Ne,
        rs1: count,
        rs2: Reg::ZERO,
        offset: -20,
    };
    for op in [AtomicOp::Add, AtomicOp::Swap, AtomicOp::StoreConditional] {
        // One more, or seven at once.
        let operand = match op {
            AtomicOp::Add => 1 << 20,
            _ => encode(add(7)),
        };
        let insns = [
            atomic(AtomicOp::LoadReserved, Reg::ZERO, at, Reg::ZERO),
            atomic(op, Reg::GP, at, word),
            fence,
            add(1),
            Insn::AluImm {
                op: AluOp::Add,
                rd: count,
                rs1: count,
                imm: -1,
            },
            back,
            Insn::Ecall,
        ];
        let play = |engine: &mut dyn Engine, memory: &mut Memory| {
            memory.map(PAGE, 0x1000, Permissions::RWX).unwrap();
            for (n, insn) in (0..).zip(insns) {
                memory.store(PAGE + 4 * n, encode(insn)).unwrap();
            }
            let mut cpu = Cpu {
                pc: PAGE,
                ..Cpu::default()
            };
            for (reg, value) in [(count, 20), (word, operand), (at, PAGE + 12)] {
                cpu.set(reg, value);
            }
            let stop = engine.run(&mut cpu, memory, &mut Budget::Unlimited);
            (stop, cpu.x)
        };
        let mut memory = new_memory(Placement::Paged);
        let expected = play(&mut Interpreter::default(), &mut memory);
        assert!(expected.0 == Stop::Ecall && expected.1[sum.index()] > 100);
        for placement in [Placement::Window, Placement::Paged] {
            let mut memory = new_memory(placement);
            let mut jit = Tested::new(&memory, ALL_CODE);
            assert_eq!(
                play(&mut jit, &mut memory),
                expected,
                "{op:?} {placement:?}"
            );
        }
    }
}

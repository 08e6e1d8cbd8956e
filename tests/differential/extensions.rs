//! Each instruction of the bit-manipulation extensions and Zicond with each kind of register in each place: with a home
//! and without, x0, and the same one twice. On every side, and none of them is left to the interpreter.

use crate::generate::Program;
use crate::{Side, differences, hold_identity, listing, new_memory, number, run, sides};
use rvjit::engine::{Budget, Engine, Stop};
use rvjit::interp::Interpreter;
use rvjit::memory::{Memory, Placement};
use rvjit::rv32::encode::encode;
use rvjit::rv32::{AluOp, BitOp, Insn, Reg, UnaryOp};

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

/// Runs a program on all sides, and compares what comes of it with what the interpreter makes of it.
fn compare(sides: &mut [Side], reference: &mut Memory, program: &Program) {
    let mut interpreter = Interpreter::default();
    let expected = run(&mut interpreter, reference, program, Budget::Unlimited);
    assert!(expected.stop == Stop::Ecall);
    for side in sides {
        let before = side.jit.stats().interpreted;
        let got = run(&mut side.jit, &mut side.memory, program, Budget::Unlimited);
        // The `ecall` alone, which does not retire.
        let interpreted = side.jit.stats().interpreted - before;
        assert!(
            got == expected && interpreted == 0,
            "{} ({interpreted} instructions interpreted):\n{}\n{}\n{}",
            side.name,
            differences(&expected, &got),
            listing(program),
            side.jit.listing(),
        );
    }
}

fn program(insns: &[Insn], values: &[(Reg, u32)]) -> Program {
    let words = insns.iter().chain([&Insn::Ecall]);
    let mut x = [0x0bad_cafe; 32];
    for &(reg, value) in values {
        x[reg.index()] = value;
    }
    x[0] = 0;
    Program {
        words: words.map(|insn| encode(*insn)).collect(),
        x,
    }
}

/// Those that translate everything.
fn eager() -> Vec<Side> {
    let mut sides = sides();
    sides.retain(|side| side.jit.hot() == 0);
    assert!(sides.len() > 5);
    sides
}

#[test]
fn bit_manipulation_agrees_with_the_interpreter() {
    let _identity = hold_identity();
    let (mut sides, mut reference) = (eager(), new_memory(Placement::Paged));
    // An emulated host takes some of it.
    let step = 1 + number("RVJIT_SKIP", 0) as usize;
    let triples = REGISTERS
        .iter()
        .flat_map(|rd| REGISTERS.iter().map(move |rs1| (rd, rs1)))
        .flat_map(|(rd, rs1)| REGISTERS.iter().map(move |rs2| (*rd, *rs1, *rs2)));
    for (rd, rs1, rs2) in triples.step_by(step) {
        for insn in instructions(rd, rs1, rs2) {
            for (a, b) in VALUES {
                let program = program(&[insn], &[(rs2, b), (rs1, a)]);
                compare(&mut sides, &mut reference, &program);
            }
            // Known operands become constants.
            for known in [li(rs2, 0), li(rs2, 35), li(rs1, 0), li(rs1, -256)] {
                let (a, b) = VALUES[6];
                let program = program(&[known, insn], &[(rs2, b), (rs1, a)]);
                compare(&mut sides, &mut reference, &program);
            }
        }
    }
}

//! Comparisons that outlive their registers: a comparison, something that writes one of its registers, and the comparison
//! again. A host that keeps flags must know of every way in which a register can be written.

use crate::generate::{CODE, DATA, Program};
use crate::{check, hold_identity, run, sides};
use rvjit::engine::Budget;
use rvjit::interp::Interpreter;
use rvjit::memory::Placement;
use rvjit::rv32::encode::encode;
use rvjit::rv32::{AluOp, Cond, Insn, Isa, LoadOp, MulOp, Reg};
use std::collections::BTreeSet;

/// 16 bytes before a page of data ends; a register that nothing here writes.
const POINTER: Reg = Reg::S0;
/// An operand of the writers.
const OTHER: Reg = Reg::A7;

fn reg(number: u8) -> Reg {
    Reg::new(number).unwrap()
}

fn imm(op: AluOp, rd: Reg, rs1: Reg, imm: i32) -> Insn {
    Insn::AluImm { op, rd, rs1, imm }
}

fn alu(op: AluOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    Insn::Alu { op, rd, rs1, rs2 }
}

fn mul(op: MulOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    Insn::Mul { op, rd, rs1, rs2 }
}

fn load(op: LoadOp, rd: Reg, rs1: Reg, offset: i32) -> Insn {
    Insn::Load {
        op,
        rd,
        rs1,
        offset,
    }
}

fn branch(cond: Cond, rs1: Reg, rs2: Reg, offset: i32) -> Insn {
    Insn::Branch {
        cond,
        rs1,
        rs2,
        offset,
    }
}

/// Every way in which an operation writes `rd`. `spare` is another register that may be written.
fn writers(rd: Reg, spare: Reg) -> Vec<(&'static str, Vec<Insn>)> {
    let (homeless, homed) = (reg(7), reg(16));
    vec![
        ("nothing", vec![]),
        ("copy from a home", vec![imm(AluOp::Add, rd, homed, 0)]),
        (
            "copy from the state",
            vec![imm(AluOp::Add, rd, homeless, 0)],
        ),
        ("zero", vec![imm(AluOp::Add, rd, Reg::ZERO, 0)]),
        (
            "constant",
            vec![Insn::Lui {
                rd,
                imm: 0x7fff_f000,
            }],
        ),
        ("addition", vec![imm(AluOp::Add, rd, rd, -5)]),
        ("difference", vec![alu(AluOp::Sub, rd, rd, OTHER)]),
        (
            "difference of others",
            vec![alu(AluOp::Sub, rd, OTHER, homed)],
        ),
        ("mask", vec![imm(AluOp::And, rd, rd, 0x7f)]),
        ("logic", vec![alu(AluOp::Xor, rd, rd, OTHER)]),
        ("shift", vec![imm(AluOp::Sra, rd, OTHER, 3)]),
        ("shift by a register", vec![alu(AluOp::Sll, rd, rd, OTHER)]),
        (
            "bit field",
            vec![imm(AluOp::Sll, rd, OTHER, 9), imm(AluOp::Srl, rd, rd, 20)],
        ),
        (
            "scaled addition",
            vec![
                imm(AluOp::Sll, spare, OTHER, 2),
                alu(AluOp::Add, rd, spare, rd),
            ],
        ),
        (
            "rotation",
            vec![
                imm(AluOp::Sll, spare, OTHER, 25),
                imm(AluOp::Srl, rd, OTHER, 7),
                alu(AluOp::Or, rd, rd, spare),
            ],
        ),
        ("comparison", vec![alu(AluOp::Slt, rd, OTHER, rd)]),
        ("comparison with zero", vec![imm(AluOp::Sltu, rd, rd, 1)]),
        ("load", vec![load(LoadOp::Lw, rd, POINTER, 8)]),
        ("byte", vec![load(LoadOp::Lb, rd, POINTER, 3)]),
        ("interpreted load", vec![load(LoadOp::Lw, rd, POINTER, 13)]),
        (
            "interpreted load of another",
            vec![
                load(LoadOp::Lw, spare, POINTER, 13),
                imm(AluOp::Add, rd, rd, 1),
            ],
        ),
        (
            "pair of loads",
            vec![
                load(LoadOp::Lw, rd, POINTER, 16),
                load(LoadOp::Lw, spare, POINTER, 20),
            ],
        ),
        (
            "moving base",
            vec![
                imm(AluOp::Add, rd, POINTER, 0),
                load(LoadOp::Lw, spare, rd, 0),
                imm(AluOp::Add, rd, rd, 4),
            ],
        ),
        ("product", vec![mul(MulOp::Mul, rd, rd, OTHER)]),
        ("high product", vec![mul(MulOp::Mulhsu, rd, rd, OTHER)]),
        (
            "wide product",
            vec![
                mul(MulOp::Mul, spare, OTHER, homed),
                mul(MulOp::Mulhu, rd, OTHER, homed),
            ],
        ),
        ("division", vec![mul(MulOp::Div, rd, OTHER, homed)]),
        ("remainder", vec![mul(MulOp::Remu, rd, OTHER, homed)]),
        (
            "division by a constant",
            vec![
                imm(AluOp::Add, spare, Reg::ZERO, 10),
                mul(MulOp::Divu, rd, OTHER, spare),
            ],
        ),
        (
            "quotient and remainder",
            vec![
                mul(MulOp::Divu, spare, OTHER, homed),
                mul(MulOp::Remu, rd, OTHER, homed),
            ],
        ),
        (
            "product and sum",
            vec![
                mul(MulOp::Mul, spare, OTHER, homed),
                alu(AluOp::Add, rd, spare, rd),
            ],
        ),
        (
            "sum with carry",
            vec![
                alu(AluOp::Add, spare, OTHER, homed),
                alu(AluOp::Sltu, rd, spare, OTHER),
            ],
        ),
        (
            "sum beside a carry",
            vec![
                alu(AluOp::Add, rd, OTHER, homed),
                alu(AluOp::Sltu, spare, rd, OTHER),
            ],
        ),
        (
            "select",
            vec![
                branch(Cond::Lt, OTHER, homed, 8),
                imm(AluOp::Add, rd, homed, 0),
            ],
        ),
    ]
}

/// Two comparisons with a writer between, each followed by an end of its own.
fn program(first: (Cond, Reg, Reg), writer: &[Insn], second: (Cond, Reg, Reg)) -> Vec<u32> {
    let end = |status| [imm(AluOp::Add, reg(31), Reg::ZERO, status), Insn::Ecall];
    let len = i32::try_from(writer.len()).unwrap();
    let mut insns = vec![branch(first.0, first.1, first.2, 4 * (len + 4))];
    insns.extend_from_slice(writer);
    insns.push(branch(second.0, second.1, second.2, 4 * 5));
    insns.extend(end(1));
    insns.extend(end(2));
    insns.extend(end(3));
    insns.into_iter().map(encode).collect()
}

/// Registers with homes on every host, and without one on any.
const HOMES: [(u8, u8); 4] = [(10, 11), (10, 25), (25, 10), (25, 30)];

#[test]
fn no_comparison_outlives_its_registers() {
    let _identity = hold_identity();
    let mut sides = sides(Isa::default());
    let mut reference = crate::new_memory(Placement::Paged);
    let values = [(3, 5), (5, 3), (5, 5), (0x8000_0000, 1), (0, 0xffff_fffe)];
    let (mut conditions, mut on_sides) = (BTreeSet::new(), BTreeSet::new());
    let mut programs = 0;
    for (a, b) in HOMES.map(|(a, b)| (reg(a), reg(b))) {
        let pairs = [
            ("same", (a, b), (a, b)),
            ("swapped", (a, b), (b, a)),
            ("with itself", (a, a), (a, a)),
            ("one with itself", (a, b), (a, a)),
            ("with zero", (a, Reg::ZERO), (a, Reg::ZERO)),
            ("zero with it", (a, Reg::ZERO), (Reg::ZERO, a)),
        ];
        for (kind, one, two) in pairs {
            for written in [a, b] {
                for (name, writer) in writers(written, reg(12)) {
                    for (n, cond) in Cond::ALL.into_iter().enumerate() {
                        let first = Cond::ALL[(n + programs / Cond::ALL.len()) % Cond::ALL.len()];
                        conditions.insert((first as u8, cond as u8));
                        let words = program((first, one.0, one.1), &writer, (cond, two.0, two.1));
                        let mut x = [0x1234_5678; 32];
                        x[0] = 0;
                        x[7] = 4;
                        x[16] = 0xffff_fff0;
                        x[OTHER.index()] = 0x0123_4567;
                        x[POINTER.index()] = DATA + 0xff0;
                        let value = values[programs % values.len()];
                        (x[a.index()], x[b.index()]) = value;
                        let program = Program {
                            isa: Isa::default(),
                            words,
                            x,
                        };
                        let unlimited = Budget::Unlimited;
                        let expected = run(
                            &mut Interpreter::default(),
                            &mut reference,
                            &program,
                            unlimited,
                        );
                        assert!(expected.pc > CODE, "{kind}, {name}");
                        // Each program on two of the sides; the next one on others.
                        let round = programs / Cond::ALL.len();
                        for side in [round + n, round / 2 + 2 * n + 1] {
                            let side = side % sides.len();
                            on_sides.insert((side, cond as u8));
                            check(
                                programs as u64,
                                &mut sides[side],
                                &program,
                                unlimited,
                                &expected,
                            );
                        }
                        programs += 1;
                    }
                }
            }
        }
    }
    assert!(programs > 9000, "{programs}");
    assert_eq!(conditions.len(), Cond::ALL.len() * Cond::ALL.len());
    assert_eq!(on_sides.len(), sides.len() * Cond::ALL.len());
}

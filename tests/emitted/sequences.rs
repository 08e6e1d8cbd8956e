//! Guest sequences whose host code is recorded: every shape of instruction, and the idioms that compilers write.
//!
//! A register named as a temporary in a title is overwritten at the end of its sequence, so that it is dead.

use crate::{extensions, idioms};
use rvjit::rv32::{AluOp, Cond, Insn, LoadOp, MulOp, Reg, StoreOp};

/// A title and its instructions.
pub(crate) type Sequence = (&'static str, Vec<Insn>);

pub(crate) const fn x(number: u8) -> Reg {
    match Reg::new(number) {
        Some(reg) => reg,
        None => panic!("no such register"),
    }
}

pub(crate) const ZERO: Reg = Reg::ZERO;
pub(crate) const GP: Reg = x(3);
pub(crate) const T0: Reg = x(5);
pub(crate) const T1: Reg = x(6);
pub(crate) const A0: Reg = x(10);
pub(crate) const A1: Reg = x(11);
pub(crate) const A2: Reg = x(12);
pub(crate) const A3: Reg = x(13);
pub(crate) const A4: Reg = x(14);
pub(crate) const T6: Reg = x(31);

pub(crate) const fn i(op: AluOp, rd: Reg, rs1: Reg, imm: i32) -> Insn {
    Insn::AluImm { op, rd, rs1, imm }
}

pub(crate) const fn r(op: AluOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    Insn::Alu { op, rd, rs1, rs2 }
}

pub(crate) const fn m(op: MulOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    Insn::Mul { op, rd, rs1, rs2 }
}

#[rustfmt::skip]
pub(crate) const fn load(op: LoadOp, rd: Reg, rs1: Reg, offset: i32) -> Insn {
    Insn::Load { op, rd, rs1, offset }
}

#[rustfmt::skip]
pub(crate) const fn store(op: StoreOp, rs2: Reg, rs1: Reg, offset: i32) -> Insn {
    Insn::Store { op, rs1, rs2, offset }
}

#[rustfmt::skip]
pub(crate) const fn branch(cond: Cond, rs1: Reg, rs2: Reg, offset: i32) -> Insn {
    Insn::Branch { cond, rs1, rs2, offset }
}

pub(crate) const fn lui(rd: Reg, imm: u32) -> Insn {
    Insn::Lui { rd, imm }
}

pub(crate) const fn li(rd: Reg, imm: i32) -> Insn {
    i(AluOp::Add, rd, ZERO, imm)
}

pub(crate) const NOP: Insn = li(ZERO, 0);

/// All sequences.
pub(crate) fn all() -> Vec<Sequence> {
    let mut all = constants();
    all.extend(single());
    all.extend(multiplication());
    all.extend(memory());
    all.extend(jumps());
    all.extend(idioms::idioms());
    all.extend(idioms::carries());
    all.extend(idioms::neighbours());
    all.extend(idioms::accesses());
    all.extend(extensions::bits());
    all.extend(extensions::atomics());
    all
}

fn constants() -> Vec<Sequence> {
    let auipc = Insn::Auipc {
        rd: A0,
        imm: 0x1000,
    };
    vec![
        ("li 0", vec![li(A0, 0)]),
        ("li small", vec![li(A0, 42)]),
        ("li negative", vec![li(A0, -1)]),
        ("lui", vec![lui(A0, 0x1234_5000)]),
        (
            "lui+addi",
            vec![lui(A0, 0x1234_5000), i(AluOp::Add, A0, A0, 0x678)],
        ),
        ("auipc+addi", vec![auipc, i(AluOp::Add, A0, A0, 16)]),
        ("li into a register without a home", vec![li(GP, 5)]),
        ("mv", vec![i(AluOp::Add, A0, A1, 0)]),
        ("nop", vec![NOP]),
    ]
}

fn single() -> Vec<Sequence> {
    use AluOp::{Add, And, Or, Sll, Slt, Sltu, Sra, Srl, Sub, Xor};
    vec![
        ("add", vec![r(Add, A0, A1, A2)]),
        ("add to itself", vec![r(Add, A0, A0, A1)]),
        ("add without homes", vec![r(Add, GP, T6, GP)]),
        ("sub", vec![r(Sub, A0, A1, A2)]),
        ("sub from the second operand", vec![r(Sub, A0, A1, A0)]),
        ("neg", vec![r(Sub, A0, ZERO, A1)]),
        ("and", vec![r(And, A0, A1, A2)]),
        ("or", vec![r(Or, A0, A1, A2)]),
        ("xor", vec![r(Xor, A0, A1, A2)]),
        ("sll", vec![r(Sll, A0, A1, A2)]),
        ("srl", vec![r(Srl, A0, A1, A2)]),
        ("sra", vec![r(Sra, A0, A1, A2)]),
        ("slt", vec![r(Slt, A0, A1, A2)]),
        ("sltu", vec![r(Sltu, A0, A1, A2)]),
        ("seqz", vec![i(Sltu, A0, A1, 1)]),
        ("snez", vec![r(Sltu, A0, ZERO, A1)]),
        ("sltz", vec![r(Slt, A0, A1, ZERO)]),
        ("addi", vec![i(Add, A0, A1, 5)]),
        ("addi negative", vec![i(Add, A0, A1, -5)]),
        ("addi in place", vec![i(Add, A0, A0, 1)]),
        ("andi bitmask", vec![i(And, A0, A1, 0xff)]),
        ("andi other", vec![i(And, A0, A1, 5)]),
        ("andi negative", vec![i(And, A0, A1, -8)]),
        ("ori bitmask", vec![i(Or, A0, A1, 1)]),
        ("ori other", vec![i(Or, A0, A1, 9)]),
        ("xori other", vec![i(Xor, A0, A1, 9)]),
        ("not", vec![i(Xor, A0, A1, -1)]),
        ("slli", vec![i(Sll, A0, A1, 3)]),
        ("srli", vec![i(Srl, A0, A1, 3)]),
        ("srai", vec![i(Sra, A0, A1, 31)]),
        ("slti", vec![i(Slt, A0, A1, 10)]),
        ("sltiu", vec![i(Sltu, A0, A1, 10)]),
    ]
}

fn multiplication() -> Vec<Sequence> {
    use MulOp::{Div, Divu, Mul, Mulh, Mulhsu, Mulhu, Rem, Remu};
    let one = |op| vec![m(op, A0, A1, A2)];
    vec![
        ("mul", one(Mul)),
        ("mulh", one(Mulh)),
        ("mulhu", one(Mulhu)),
        ("mulhsu", one(Mulhsu)),
        ("div", one(Div)),
        ("divu", one(Divu)),
        ("rem", one(Rem)),
        ("remu", one(Remu)),
        ("mul+mulhu", vec![m(Mul, A0, A2, A3), m(Mulhu, A1, A2, A3)]),
        ("mulhu+mul", vec![m(Mulhu, A1, A2, A3), m(Mul, A0, A2, A3)]),
        ("mul+mulh", vec![m(Mul, A0, A2, A3), m(Mulh, A1, A2, A3)]),
        ("div+rem", vec![m(Div, A0, A2, A3), m(Rem, A1, A2, A3)]),
        ("divu+remu", vec![m(Divu, A0, A2, A3), m(Remu, A1, A2, A3)]),
        (
            "divu+remu apart, the dividend overwritten",
            vec![
                m(Divu, A0, A2, A3),
                i(AluOp::Srl, A4, A1, 16),
                m(Remu, A2, A2, A3),
            ],
        ),
        (
            "mul+mulhu apart, the product read between",
            vec![
                m(Mul, A0, A2, A3),
                i(AluOp::Sll, A4, A0, 3),
                m(Mulhu, A1, A2, A3),
            ],
        ),
        (
            "divu by a constant",
            vec![li(T0, 10), m(Divu, A0, A1, T0), li(T0, 0)],
        ),
        (
            "remu by a constant",
            vec![li(T0, 10), m(Remu, A0, A1, T0), li(T0, 0)],
        ),
        (
            "divu by what was a constant before the loop",
            vec![
                li(T0, 10),
                m(Divu, A0, A0, T0),
                branch(Cond::Ne, A0, ZERO, -4),
            ],
        ),
        (
            "mul+add, t0 dead",
            vec![m(Mul, T0, A1, A2), r(AluOp::Add, A0, A0, T0), li(T0, 0)],
        ),
    ]
}

/// Loads and stores, which differ by placement.
pub(crate) fn memory() -> Vec<Sequence> {
    use AluOp::{Add, Sll};
    use LoadOp::{Lb, Lbu, Lh, Lhu, Lw};
    use StoreOp::{Sb, Sh, Sw};
    let index = |last: Insn| vec![i(Sll, T0, A1, 2), r(Add, T0, A0, T0), last, li(T0, 0)];
    vec![
        ("lw", vec![load(Lw, A0, A1, 0)]),
        ("lw offset", vec![load(Lw, A0, A1, 16)]),
        ("lw negative offset", vec![load(Lw, A0, A1, -16)]),
        ("lw far offset", vec![load(Lw, A0, A1, -2048)]),
        ("lw odd offset", vec![load(Lw, A0, A1, 1001)]),
        ("lb", vec![load(Lb, A0, A1, 1)]),
        ("lbu", vec![load(Lbu, A0, A1, 1)]),
        ("lh", vec![load(Lh, A0, A1, 2)]),
        ("lhu", vec![load(Lhu, A0, A1, 2)]),
        ("lw to x0", vec![load(Lw, ZERO, A1, 0)]),
        ("lw without homes", vec![load(Lw, GP, T6, 4)]),
        ("sw", vec![store(Sw, A0, A1, 8)]),
        ("sh", vec![store(Sh, A0, A1, 2)]),
        ("sb", vec![store(Sb, A0, A1, 1)]),
        ("sw of x0", vec![store(Sw, ZERO, A1, 0)]),
        ("sw without homes", vec![store(Sw, GP, T6, 4)]),
        (
            "lw constant address",
            vec![lui(A0, 0x2_0000), load(Lw, A0, A0, 4)],
        ),
        (
            "sw constant address",
            vec![lui(T0, 0x2_0000), store(Sw, A0, T0, 4)],
        ),
        ("two lw", vec![load(Lw, A0, A2, 0), load(Lw, A1, A2, 4)]),
        ("two sw", vec![store(Sw, A0, A2, 0), store(Sw, A1, A2, 4)]),
        ("lw indexed, t0 dead", index(load(Lw, A0, T0, 0))),
        ("sw indexed, t0 dead", index(store(Sw, A2, T0, 0))),
        (
            "lbu indexed, t0 dead",
            vec![r(Add, T0, A0, A1), load(Lbu, A0, T0, 0), li(T0, 0)],
        ),
        (
            "lw, pointer goes on",
            vec![load(Lw, A0, A1, 0), i(Add, A1, A1, 4)],
        ),
    ]
}

fn jumps() -> Vec<Sequence> {
    use Cond::{Eq, Ge, Geu, Lt, Ltu, Ne};
    let over = |cond, a, b| vec![branch(cond, a, b, 8), i(AluOp::Add, A0, A0, 1)];
    let jal = |rd, offset| Insn::Jal { rd, offset };
    let jalr = |rd, rs1, offset| Insn::Jalr { rd, rs1, offset };
    vec![
        ("beq", over(Eq, A1, A2)),
        ("bne", over(Ne, A1, A2)),
        ("blt", over(Lt, A1, A2)),
        ("bge", over(Ge, A1, A2)),
        ("bltu", over(Ltu, A1, A2)),
        ("bgeu", over(Geu, A1, A2)),
        ("beqz", over(Eq, A1, ZERO)),
        ("bnez", over(Ne, A1, ZERO)),
        ("bltz", over(Lt, A1, ZERO)),
        ("bgez", over(Ge, A1, ZERO)),
        ("bgtz", over(Lt, ZERO, A1)),
        ("blez", over(Ge, ZERO, A1)),
        ("branch outside", vec![branch(Eq, A0, A1, 1024)]),
        (
            "loop",
            vec![i(AluOp::Add, A0, A0, -1), branch(Ne, A0, ZERO, -4)],
        ),
        (
            "branch over a move",
            vec![branch(Ltu, A1, A2, 8), i(AluOp::Add, A1, A2, 0)],
        ),
        (
            "branch over a move on a flag, t0 dead",
            vec![
                r(AluOp::Sltu, T0, A1, A2),
                branch(Eq, T0, ZERO, 8),
                i(AluOp::Add, A3, A2, 0),
                li(T0, 0),
            ],
        ),
        (
            "branch over a constant",
            vec![branch(Ne, A1, ZERO, 8), li(A1, 5)],
        ),
        (
            "branch to a constant",
            vec![li(T0, 10), branch(Ltu, T0, A0, 8), i(AluOp::Add, A0, A0, 1)],
        ),
        ("j outside", vec![jal(ZERO, 1024)]),
        ("j to the next", vec![jal(ZERO, 4), NOP]),
        ("call", vec![jal(Reg::RA, 1024)]),
        (
            "call far",
            vec![
                Insn::Auipc {
                    rd: Reg::RA,
                    imm: 0x1000,
                },
                jalr(Reg::RA, Reg::RA, 16),
            ],
        ),
        ("ret", vec![jalr(ZERO, Reg::RA, 0)]),
        ("jr", vec![jalr(ZERO, A0, 0)]),
        ("jalr", vec![jalr(Reg::RA, A0, 0)]),
        ("jalr offset", vec![jalr(Reg::RA, A0, 8)]),
        ("ecall", vec![Insn::Ecall]),
        (
            "fence",
            vec![Insn::Fence {
                bits: 0xff,
                rd: ZERO,
                rs1: ZERO,
            }],
        ),
    ]
}

//! Sequences whose instructions are joined: the idioms that compilers write, and what is known because of a neighbour.

use crate::sequences::*;
use rvjit::rv32::{AluOp, Cond, LoadOp, MulOp, Reg, StoreOp};

/// Accesses that are joined with their neighbours.
pub(crate) fn accesses() -> Vec<Sequence> {
    use AluOp::Add;
    use Cond::{Eq, Geu, Ltu};
    use LoadOp::{Lbu, Lh, Lw};
    use StoreOp::{Sb, Sw};
    let step = |by| i(Add, A1, A1, by);
    vec![
        ("two words", vec![load(Lw, A2, A1, 8), load(Lw, A3, A1, 12)]),
        (
            "two words downwards, with work between",
            vec![load(Lw, A2, A1, 4), r(Add, A0, A0, A4), load(Lw, A3, A1, 0)],
        ),
        (
            "two words, the first of them the base",
            vec![load(Lw, A1, A1, 0), load(Lw, A3, A1, 4)],
        ),
        (
            "two words into registers without a home",
            vec![load(Lw, GP, A1, 0), load(Lw, x(4), A1, 4)],
        ),
        (
            "two words stored",
            vec![store(Sw, A2, A1, 0), store(Sw, ZERO, A1, 4)],
        ),
        (
            "two words stored downwards, not on the stack",
            vec![store(Sw, A2, A1, 4), store(Sw, A3, A1, 0)],
        ),
        (
            "prologue",
            vec![
                i(Add, Reg::SP, Reg::SP, -32),
                store(Sw, Reg::RA, Reg::SP, 28),
                store(Sw, Reg::S0, Reg::SP, 24),
                store(Sw, x(9), Reg::SP, 20),
                store(Sw, x(18), Reg::SP, 16),
                store(Sw, x(19), Reg::SP, 0),
            ],
        ),
        (
            "epilogue",
            vec![
                load(Lw, Reg::RA, Reg::SP, 12),
                load(Lw, Reg::S0, Reg::SP, 8),
                load(Lw, x(9), Reg::SP, 4),
                load(Lw, x(18), Reg::SP, 0),
                i(Add, Reg::SP, Reg::SP, 16),
            ],
        ),
        (
            "a load, and a step of its base",
            vec![load(Lbu, A2, A1, 0), step(1)],
        ),
        (
            "a load at a stepping base",
            vec![step(-2), load(Lh, A2, A1, 0)],
        ),
        (
            "a step, and a store where it began",
            vec![step(1), store(Sb, ZERO, A1, -1)],
        ),
        (
            "a step past another access",
            vec![
                load(Lw, A2, A1, 0),
                step(4),
                store(Sw, A3, A1, 0),
                load(Lw, A0, A4, 0),
                i(Add, A4, A4, 4),
            ],
        ),
        (
            "a step that is read first",
            vec![load(Lw, A2, A1, 0), r(Add, A0, A0, A1), step(4)],
        ),
        ("a step too long", vec![load(Lw, A2, A1, 0), step(256)]),
        (
            "a comparison made before",
            vec![
                branch(Eq, A0, A1, 12),
                li(A2, 1),
                branch(Ltu, A1, A0, 8),
                NOP,
            ],
        ),
        (
            "a difference, and a comparison",
            vec![r(AluOp::Sub, A2, A0, A1), branch(Geu, A0, A1, 8), NOP],
        ),
    ]
}

pub(crate) fn idioms() -> Vec<Sequence> {
    use AluOp::{Add, And, Or, Sll, Slt, Sltu, Sra, Srl, Sub, Xor};
    vec![
        ("zext.h", vec![i(Sll, A0, A1, 16), i(Srl, A0, A0, 16)]),
        ("sext.h", vec![i(Sll, A0, A1, 16), i(Sra, A0, A0, 16)]),
        ("sext.b", vec![i(Sll, A0, A1, 24), i(Sra, A0, A0, 24)]),
        ("bit field", vec![i(Sll, A0, A1, 8), i(Srl, A0, A0, 20)]),
        ("srli+andi", vec![i(Srl, A0, A1, 4), i(And, A0, A0, 15)]),
        ("andi+slli", vec![i(And, A0, A1, 0xff), i(Sll, A0, A0, 4)]),
        (
            "slli+add, t0 dead",
            vec![i(Sll, T0, A1, 2), r(Add, A0, A0, T0), li(T0, 0)],
        ),
        (
            "slli+add, t0 live",
            vec![i(Sll, T0, A1, 2), r(Add, A0, A0, T0)],
        ),
        (
            "slli+sub, t0 dead",
            vec![i(Sll, T0, A1, 2), r(Sub, A0, A0, T0), li(T0, 0)],
        ),
        (
            "srli+xor, t0 dead",
            vec![i(Srl, T0, A1, 7), r(Xor, A0, A0, T0), li(T0, 0)],
        ),
        (
            "rotate by a constant, t0 and t1 dead",
            vec![
                i(Srl, T0, A1, 7),
                i(Sll, T1, A1, 25),
                r(Or, A0, T0, T1),
                li(T0, 0),
                li(T1, 0),
            ],
        ),
        (
            "rotate, t0 and t1 live",
            vec![i(Srl, T0, A1, 7), i(Sll, T1, A1, 25), r(Or, A0, T0, T1)],
        ),
        (
            "rotate, parts apart",
            vec![
                i(Srl, T0, A1, 7),
                i(Add, A2, A2, 1),
                i(Sll, T1, A1, 25),
                r(Xor, A3, A3, A2),
                r(Or, A0, T0, T1),
                li(T0, 0),
                li(T1, 0),
            ],
        ),
        (
            "rotate by a register",
            vec![
                r(Sub, T0, ZERO, A2),
                r(Sll, T0, A1, T0),
                r(Srl, T1, A1, A2),
                r(Or, A0, T0, T1),
                li(T0, 0),
                li(T1, 0),
            ],
        ),
        (
            "rotate, its source overwritten",
            vec![
                i(Sll, T0, A1, 7),
                i(Srl, A1, A1, 25),
                r(Or, A1, T0, A1),
                li(T0, 0),
            ],
        ),
        (
            "64-bit shift by a constant, t0 dead",
            vec![
                i(Sll, T0, A1, 20),
                i(Srl, A0, A0, 12),
                r(Or, A0, T0, A0),
                i(Srl, A1, A1, 12),
                li(T0, 0),
            ],
        ),
        (
            "slt+bnez, t0 dead behind the branch",
            vec![
                r(Slt, T0, A1, A2),
                branch(Cond::Ne, T0, ZERO, 8),
                i(Add, A0, A0, 1),
                li(T0, 0),
            ],
        ),
        (
            "sltiu+beqz, t0 dead behind the branch",
            vec![
                i(Sltu, T0, A1, 10),
                branch(Cond::Eq, T0, ZERO, 8),
                i(Add, A0, A0, 1),
                li(T0, 0),
            ],
        ),
        (
            "andi+beqz, one bit, t0 dead",
            vec![
                i(And, T0, A1, 4),
                branch(Cond::Eq, T0, ZERO, 8),
                i(Add, A0, A0, 1),
                li(T0, 0),
            ],
        ),
        (
            "andi+bnez, bits, t0 dead",
            vec![
                i(And, T0, A1, 7),
                branch(Cond::Ne, T0, ZERO, 8),
                i(Add, A0, A0, 1),
                li(T0, 0),
            ],
        ),
        (
            "and+beqz, t0 dead",
            vec![
                r(And, T0, A1, A2),
                branch(Cond::Eq, T0, ZERO, 8),
                i(Add, A0, A0, 1),
                li(T0, 0),
            ],
        ),
        (
            "addi+bnez",
            vec![
                i(Add, A0, A0, -1),
                branch(Cond::Ne, A0, ZERO, 8),
                i(Add, A0, A0, 1),
            ],
        ),
        ("sub+seqz", vec![r(Sub, A0, A1, A2), i(Sltu, A0, A0, 1)]),
        ("xor+snez", vec![r(Xor, A0, A1, A2), r(Sltu, A0, ZERO, A0)]),
        (
            "not+and",
            vec![i(Xor, T0, A1, -1), r(And, A0, A0, T0), li(T0, 0)],
        ),
        (
            "slli+bltz, t0 dead",
            vec![
                i(Sll, T0, A1, 12),
                branch(Cond::Lt, T0, ZERO, 8),
                i(Add, A0, A0, 1),
                li(T0, 0),
            ],
        ),
        (
            "andi+snez, one bit",
            vec![i(And, A0, A1, 8), r(Sltu, A0, ZERO, A0)],
        ),
        (
            "a constant as operand, t0 dead",
            vec![lui(T0, 0xf000), r(And, A0, A1, T0), li(T0, 0)],
        ),
        ("dead twice", vec![li(A0, 1), li(A0, 2)]),
        (
            "abs",
            vec![
                i(Sra, T0, A1, 31),
                r(Xor, A0, A1, T0),
                r(Sub, A0, A0, T0),
                li(T0, 0),
            ],
        ),
    ]
}

/// What is known at an instruction because of the one before.
pub(crate) fn neighbours() -> Vec<Sequence> {
    use AluOp::{Add, And, Sll, Xor};
    vec![
        (
            "computed without a home, and used",
            vec![
                r(Add, GP, A0, A1),
                r(Xor, GP, GP, A2),
                r(And, T0, GP, A2),
                branch(Cond::Ne, GP, T0, 64),
            ],
        ),
        (
            "loaded without a home, and used",
            vec![
                load(LoadOp::Lw, GP, A0, 0),
                i(Add, GP, GP, 1),
                store(StoreOp::Sw, GP, A0, 0),
            ],
        ),
        (
            "loaded and stored by a pointer without a home",
            vec![
                load(LoadOp::Lw, T6, GP, 0),
                store(StoreOp::Sw, T6, GP, 4),
                store(StoreOp::Sw, T0, GP, 8),
            ],
        ),
        (
            "indexed without a home, t0 dead",
            vec![
                i(Sll, T0, A1, 2),
                r(Add, T0, GP, T0),
                load(LoadOp::Lw, A0, T0, 4),
                li(T0, 0),
            ],
        ),
        (
            "count down",
            vec![i(Add, A0, A0, -1), branch(Cond::Ne, A0, ZERO, 64)],
        ),
        (
            "count down below zero, a copy between",
            vec![
                i(Add, A0, A0, -1),
                i(Add, A1, A2, 0),
                branch(Cond::Lt, A0, ZERO, 64),
            ],
        ),
        (
            "mask and branch twice",
            vec![
                r(And, A0, A1, A2),
                branch(Cond::Eq, A0, ZERO, 64),
                branch(Cond::Ge, A0, ZERO, 64),
            ],
        ),
    ]
}

/// 64-bit arithmetic.
pub(crate) fn carries() -> Vec<Sequence> {
    use AluOp::{Add, Sltu, Sub};
    vec![
        ("add+sltu", vec![r(Add, A0, A1, A2), r(Sltu, A3, A0, A1)]),
        (
            "add+sltu in place",
            vec![r(Add, A0, A0, A1), r(Sltu, A3, A0, A1)],
        ),
        ("sub+sltu", vec![r(Sub, A0, A1, A2), r(Sltu, A3, A1, A0)]),
        (
            "64-bit add, t0 and t1 dead",
            vec![
                r(Add, T0, A0, A2),
                r(Sltu, T1, T0, A0),
                r(Add, A1, A1, A3),
                r(Add, A1, A1, T1),
                i(Add, A0, T0, 0),
                li(T0, 0),
                li(T1, 0),
            ],
        ),
        (
            "64-bit sub, t0 dead",
            vec![
                r(Sltu, T0, A0, A2),
                r(Sub, A0, A0, A2),
                r(Sub, A1, A1, A3),
                r(Sub, A1, A1, T0),
                li(T0, 0),
            ],
        ),
        (
            "64-bit product",
            vec![
                m(MulOp::Mul, T0, A0, A2),
                m(MulOp::Mulhu, T1, A0, A2),
                m(MulOp::Mul, A4, A1, A2),
                r(Add, T1, T1, A4),
                i(Add, A0, T0, 0),
                i(Add, A1, T1, 0),
                li(T0, 0),
                li(T1, 0),
                li(A4, 0),
            ],
        ),
    ]
}

//! Guest sequences whose host code is recorded: every shape of instruction, and the idioms that compilers write.
//!
//! A register named as a temporary in a title is overwritten at the end of its sequence, so that it is dead.

use rvjit::rv32::{AluOp, Cond, Insn, LoadOp, MulOp, Reg, StoreOp};

/// A title and its instructions.
pub(crate) type Sequence = (&'static str, Vec<Insn>);

const fn x(number: u8) -> Reg {
    match Reg::new(number) {
        Some(reg) => reg,
        None => panic!("no such register"),
    }
}

const ZERO: Reg = Reg::ZERO;
const GP: Reg = x(3);
const T0: Reg = x(5);
const T1: Reg = x(6);
const A0: Reg = x(10);
const A1: Reg = x(11);
const A2: Reg = x(12);
const A3: Reg = x(13);
const A4: Reg = x(14);
const T6: Reg = x(31);

const fn i(op: AluOp, rd: Reg, rs1: Reg, imm: i32) -> Insn {
    Insn::AluImm { op, rd, rs1, imm }
}

const fn r(op: AluOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    Insn::Alu { op, rd, rs1, rs2 }
}

const fn m(op: MulOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    Insn::Mul { op, rd, rs1, rs2 }
}

#[rustfmt::skip]
const fn load(op: LoadOp, rd: Reg, rs1: Reg, offset: i32) -> Insn {
    Insn::Load { op, rd, rs1, offset }
}

#[rustfmt::skip]
const fn store(op: StoreOp, rs2: Reg, rs1: Reg, offset: i32) -> Insn {
    Insn::Store { op, rs1, rs2, offset }
}

#[rustfmt::skip]
const fn branch(cond: Cond, rs1: Reg, rs2: Reg, offset: i32) -> Insn {
    Insn::Branch { cond, rs1, rs2, offset }
}

const fn lui(rd: Reg, imm: u32) -> Insn {
    Insn::Lui { rd, imm }
}

const fn li(rd: Reg, imm: i32) -> Insn {
    i(AluOp::Add, rd, ZERO, imm)
}

const NOP: Insn = li(ZERO, 0);

/// All sequences.
pub(crate) fn all() -> Vec<Sequence> {
    let mut all = constants();
    all.extend(single());
    all.extend(multiplication());
    all.extend(memory());
    all.extend(jumps());
    all.extend(idioms());
    all.extend(carries());
    all.extend(neighbours());
    all.extend(accesses());
    all
}

/// Accesses that are joined with their neighbours.
fn accesses() -> Vec<Sequence> {
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

fn idioms() -> Vec<Sequence> {
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
fn neighbours() -> Vec<Sequence> {
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
fn carries() -> Vec<Sequence> {
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

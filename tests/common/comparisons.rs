//! Programs that compare, write a register, and compare again: what a backend remembers of the first comparison must not
//! outlive what was compared. For tests that execute them, and for tests that look at what is emitted.
//!
//! One program for each first comparison, each writer and each choice of registers with and without homes; in it, one
//! stretch for each second comparison.

use rvjit::rv32::encode::encode;
use rvjit::rv32::{AluOp, Cond, Insn, LoadOp, MulOp, Reg};

const ZERO: Reg = Reg::ZERO;
/// With a home on both hosts, and without on both.
const HOMES: [Reg; 2] = [x(11), x(12)];
const NO_HOMES: [Reg; 2] = [x(7), x(30)];
/// What the operands are at the beginning of each stretch, but for the bits of the mask.
pub(crate) const START: [Reg; 2] = [x(18), x(19)];
pub(crate) const MASK: i32 = 0x55;
/// The value to be written, in a register with a home and in one without.
pub(crate) const NEW: [Reg; 2] = [x(13), x(25)];
/// Where it is in memory, at the beginning of each stretch; and what that is copied from.
const POINTER: Reg = Reg::S0;
pub(crate) const MEMORY: Reg = x(9);
/// What all results go into.
const RESULT: Reg = x(17);
/// What the first comparison tells.
const FIRST: Reg = x(15);
const SPARE: [Reg; 2] = [x(6), x(28)];

/// Pages that are handed out where they are touched, one for each stretch: the access is interpreted.
pub(crate) const LAZY: u32 = 0x0100_0000;
pub(crate) const LAZY_LEN: u64 = 64 * 0x1000;

const fn x(number: u8) -> Reg {
    match Reg::new(number) {
        Some(reg) => reg,
        None => panic!("no such register"),
    }
}

fn i(op: AluOp, rd: Reg, rs1: Reg, imm: i32) -> Insn {
    Insn::AluImm { op, rd, rs1, imm }
}

fn r(op: AluOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    Insn::Alu { op, rd, rs1, rs2 }
}

fn m(op: MulOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    Insn::Mul { op, rd, rs1, rs2 }
}

fn lw(rd: Reg, rs1: Reg, offset: i32) -> Insn {
    let op = LoadOp::Lw;
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

/// What a comparison tells by: a branch, or a register.
#[derive(Clone, Copy)]
enum Test {
    Branch(Cond, Reg, Reg),
    Set(Insn),
}

/// What sets the flags, or leaves them set, by p and q, or by p; behind something that computes p.
fn firsts(p: Reg, q: Reg) -> Vec<(Option<Insn>, Test)> {
    let f = FIRST;
    let set = |insn| (None, Test::Set(insn));
    let branch = |cond, a, b| (None, Test::Branch(cond, a, b));
    vec![
        set(r(AluOp::Sltu, f, p, q)),
        set(r(AluOp::Slt, f, q, p)),
        set(r(AluOp::Sub, f, p, q)),
        set(i(AluOp::Slt, f, p, 5)),
        branch(Cond::Ltu, p, q),
        branch(Cond::Ne, q, p),
        branch(Cond::Lt, p, ZERO),
        // On x86-64 the flags tell of a result.
        (
            Some(i(AluOp::Add, p, p, 2)),
            Test::Branch(Cond::Lt, p, ZERO),
        ),
        (
            Some(r(AluOp::Xor, p, p, q)),
            Test::Branch(Cond::Ne, p, ZERO),
        ),
    ]
}

/// The first ones that leave p as it was.
const UNCHANGED: usize = 7;

/// Everything that writes `w`, whose like is `v`; `p` and `q` are the operands. `stretch` is its number.
fn writers(w: Reg, p: Reg, q: Reg, stretch: u32) -> Vec<Vec<Insn>> {
    use AluOp::{Add, And, Or, Sll, Sltu, Sra, Srl, Sub, Xor};
    let [f, g] = SPARE;
    let [v, u] = NEW;
    let page = LAZY + 0x1000 * stretch;
    let lazy = |rd| {
        let op = LoadOp::Lb;
        vec![
            Insn::Lui { rd: g, imm: page },
            Insn::Load {
                op,
                rd,
                rs1: g,
                offset: 3,
            },
        ]
    };
    let mut all = vec![
        vec![],
        // Copies and constants.
        vec![i(Add, w, v, 0)],
        vec![i(Add, w, u, 0)],
        // What is copied changes then: the second comparison cannot look at it instead.
        vec![i(Add, w, v, 0), i(Add, v, u, 0)],
        vec![i(Add, w, u, 0), i(Add, u, v, 0)],
        vec![i(Add, w, u, 0), i(Add, u, ZERO, 9)],
        vec![i(Add, w, u, 0), i(Add, u, u, 16)],
        vec![i(Add, w, ZERO, 0)],
        vec![i(Add, w, ZERO, 6)],
        vec![Insn::Lui {
            rd: w,
            imm: 0x8765_4000,
        }],
        // Arithmetic.
        vec![i(Add, w, w, 3)],
        vec![r(Sub, w, ZERO, v)],
        vec![r(Add, w, w, u)],
        vec![i(Xor, w, w, -1)],
        vec![i(And, w, w, 0xff)],
        vec![i(Sra, w, w, 3)],
        vec![r(Sll, w, v, u)],
        vec![r(Srl, w, w, v)],
        vec![i(Sll, f, u, 2), r(Add, w, v, f), i(Add, f, ZERO, 0)],
        // A field, a placed field, a rotation in place, a rotation by a register, a double shift.
        vec![i(Sll, w, v, 8), i(Srl, w, w, 20)],
        vec![i(Sll, w, v, 20), i(Srl, w, w, 8)],
        vec![i(Srl, f, w, 7), i(Sll, g, w, 25), r(Or, w, f, g)],
        vec![
            r(Sub, f, ZERO, v),
            r(Sll, g, w, f),
            r(Srl, f, w, v),
            r(Or, w, f, g),
            i(Add, f, ZERO, 0),
        ],
        vec![i(Srl, f, v, 7), i(Sll, w, w, 25), r(Or, w, w, f)],
        // No rotations: by a multiple of 32, the halves overlap.
        vec![
            r(Sub, f, ZERO, v),
            r(Sll, g, w, f),
            r(Srl, f, w, v),
            r(Add, w, f, g),
            i(Add, f, ZERO, 0),
        ],
        vec![
            r(Sub, f, ZERO, v),
            r(Sll, g, w, f),
            r(Srl, f, w, v),
            r(Xor, w, f, g),
            i(Add, f, ZERO, 0),
        ],
        // A field, one that ends with the word, and one that would go beyond.
        vec![i(Srl, f, v, 8), i(And, w, f, 0xff), i(Add, f, ZERO, 0)],
        vec![i(Srl, f, v, 22), i(And, w, f, 0x3ff), i(Add, f, ZERO, 0)],
        vec![i(Srl, f, v, 22), i(And, w, f, 0x7ff), i(Add, f, ZERO, 0)],
        // Multiplication and division, alone and two by two.
        vec![m(MulOp::Mul, w, w, v)],
        vec![m(MulOp::Mulhu, w, v, u)],
        vec![m(MulOp::Mulhsu, w, u, v)],
        vec![m(MulOp::Mul, f, v, u), m(MulOp::Mulh, w, v, u)],
        vec![m(MulOp::Mul, w, v, u), m(MulOp::Mulhu, g, v, u)],
        vec![m(MulOp::Mul, f, v, u), r(Add, w, w, f), i(Add, f, ZERO, 0)],
        vec![m(MulOp::Div, w, v, p)],
        vec![m(MulOp::Divu, w, v, q)],
        vec![m(MulOp::Rem, w, v, p)],
        vec![m(MulOp::Remu, w, u, q)],
        vec![m(MulOp::Div, f, v, p), m(MulOp::Rem, w, v, p)],
        vec![m(MulOp::Rem, f, v, q), m(MulOp::Div, w, v, q)],
        vec![m(MulOp::Divu, w, v, q), m(MulOp::Remu, f, v, q)],
        vec![i(Add, f, ZERO, 7), m(MulOp::Divu, w, v, f)],
        vec![i(Add, f, ZERO, 10), m(MulOp::Remu, w, v, f)],
        // Comparisons, a selection, a carry and a borrow.
        vec![r(Sltu, w, v, u)],
        vec![i(Sltu, w, w, 1)],
        vec![branch(Cond::Ltu, v, u, 8), i(Add, w, v, 0)],
        vec![branch(Cond::Ne, p, ZERO, 8), i(Add, w, u, 0)],
        vec![branch(Cond::Ge, p, q, 8), i(Add, w, ZERO, 6)],
        vec![r(Add, w, v, u), r(Sltu, f, w, v)],
        vec![r(Add, f, v, u), r(Sltu, w, f, v)],
        vec![r(Sub, f, v, u), r(Sltu, w, v, u)],
        // Accesses: alone, two by two, with a base that moves, and interpreted.
        vec![lw(w, POINTER, 0)],
        vec![lw(p, POINTER, 0), lw(q, POINTER, 4)],
        vec![lw(f, POINTER, 4), lw(w, POINTER, 8)],
        vec![lw(w, POINTER, 0), i(Add, POINTER, POINTER, 4)],
        vec![i(And, w, w, 28), r(Add, w, w, POINTER), lw(w, w, 0)],
        lazy(w),
        lazy(ZERO),
    ];
    // The operand itself is the base that moves: it has been an address since before the first comparison.
    all.push(vec![lw(f, w, 0), i(Add, w, w, 4)]);
    all.push(vec![i(Add, w, w, -4), lw(f, w, 0)]);
    all.push(vec![lw(f, w, 0), lw(g, w, 4), i(Add, w, w, 8)]);
    all
}

/// The last writers use the operands as addresses.
const WITH_ADDRESSES: usize = 3;
/// Those before them touch new pages.
const WITH_NEW_PAGES: usize = 2;

fn seconds(p: Reg, q: Reg) -> Vec<Test> {
    let [f, _] = SPARE;
    let mut all = Vec::new();
    for (a, b) in [(p, q), (q, p), (p, ZERO), (ZERO, p), (p, p)] {
        all.extend(Cond::ALL.map(|cond| Test::Branch(cond, a, b)));
    }
    all.extend(
        [
            r(AluOp::Slt, f, p, q),
            r(AluOp::Sltu, f, q, p),
            i(AluOp::Slt, f, p, 5),
            i(AluOp::Sltu, f, p, 1),
            r(AluOp::Sltu, f, ZERO, p),
        ]
        .map(Test::Set),
    );
    all
}

/// The program of a first comparison, a writer and a choice of registers.
fn program(p: Reg, q: Reg, w: Reg, first: usize, writer: usize) -> Vec<u32> {
    let [f, g] = SPARE;
    let mix = |value: Reg| {
        [
            i(AluOp::Sll, g, RESULT, 5),
            r(AluOp::Add, RESULT, RESULT, g),
            r(AluOp::Add, RESULT, RESULT, value),
        ]
    };
    let mut insns = Vec::new();
    // Branches, and where their stretches go on.
    let mut open: Vec<(usize, Cond, Reg, Reg)> = Vec::new();
    let mut back = Vec::new();
    for (stretch, second) in (0..).zip(seconds(p, q)) {
        // No copies: comparisons would look at what was copied.
        insns.push(i(AluOp::Xor, p, START[0], MASK));
        insns.push(i(AluOp::Xor, q, START[1], MASK));
        insns.push(i(AluOp::Add, POINTER, MEMORY, 0));
        let (before, first) = firsts(p, q)[first];
        insns.extend(before);
        match first {
            Test::Branch(cond, a, b) => {
                open.push((insns.len(), cond, a, b));
                insns.push(Insn::Ecall);
            }
            Test::Set(insn) => insns.push(insn),
        }
        insns.extend(&writers(w, p, q, stretch)[writer]);
        match second {
            Test::Branch(cond, a, b) => {
                open.push((insns.len(), cond, a, b));
                insns.push(Insn::Ecall);
            }
            Test::Set(insn) => {
                insns.push(insn);
                insns.extend(mix(f));
            }
        }
        back.resize(open.len(), insns.len());
        insns.extend(mix(FIRST));
        insns.extend(mix(p));
        insns.extend(mix(q));
    }
    insns.push(Insn::Ecall);
    let place = |at: usize| i32::try_from(4 * at).unwrap();
    let distance = |from, to| place(to) - place(from);
    for (number, ((at, cond, a, b), back)) in (1..).zip(open.into_iter().zip(back)) {
        insns[at] = branch(cond, a, b, distance(at, insns.len()));
        insns.push(i(AluOp::Add, RESULT, RESULT, number));
        let offset = distance(insns.len(), back);
        insns.push(Insn::Jal { rd: ZERO, offset });
    }
    insns.into_iter().map(encode).collect()
}

/// A program, and what it asks of its registers.
pub(crate) struct Case {
    /// What the first comparison, the writer and the registers are.
    pub(crate) name: String,
    pub(crate) words: Vec<u32>,
    /// The operands are addresses.
    pub(crate) addresses: bool,
    /// Each stretch touches a page that is new.
    pub(crate) new_pages: bool,
}

/// How many first comparisons there are.
pub(crate) fn first_count() -> usize {
    firsts(HOMES[0], HOMES[1]).len()
}

/// All programs that begin with a first comparison.
pub(crate) fn cases(first: usize) -> impl Iterator<Item = Case> {
    let pairs = [
        (HOMES[0], HOMES[1]),
        (HOMES[0], NO_HOMES[0]),
        (NO_HOMES[0], HOMES[0]),
        (NO_HOMES[0], NO_HOMES[1]),
    ];
    let count = writers(HOMES[0], HOMES[0], HOMES[1], 0).len();
    let all = pairs.into_iter().flat_map(move |(p, q)| {
        (0..count).flat_map(move |writer| [(p, q, p, writer), (p, q, q, writer)])
    });
    all.filter_map(move |(p, q, w, writer)| {
        let left = count - writer;
        let addresses = left <= WITH_ADDRESSES;
        (!addresses || first < UNCHANGED).then(|| Case {
            name: format!("first {first}, writer {writer} of {w}, comparing {p} and {q}"),
            words: program(p, q, w, first, writer),
            addresses,
            new_pages: !addresses && left <= WITH_ADDRESSES + WITH_NEW_PAGES,
        })
    })
}

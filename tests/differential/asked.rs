//! Short programs that random ones hardly ever are: each was the only one to tell a mutant (tests/mutants) from the code
//! as it is.

use crate::generate::Program;
use crate::{check, hold_identity, run, sides};
use rvjit::engine::Budget;
use rvjit::interp::Interpreter;
use rvjit::memory::Placement;
use rvjit::rv32::encode::encode;
use rvjit::rv32::{AluOp, Cond, Insn, Isa, LoadOp, Reg};

fn imm(op: AluOp, rd: Reg, rs1: Reg, imm: i32) -> Insn {
    Insn::AluImm { op, rd, rs1, imm }
}

fn alu(op: AluOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    Insn::Alu { op, rd, rs1, rs2 }
}

/// Name and instructions; `a` and `b` are compared, or the like, and `t` is another register.
fn rows(a: Reg, b: Reg, t: Reg) -> Vec<(&'static str, Vec<Insn>)> {
    let zero = Reg::ZERO;
    let mut rows = vec![(
        "a sum is not below a constant 0, whatever its carry",
        vec![
            imm(AluOp::Add, t, zero, 0),
            imm(AluOp::Add, a, a, 5),
            alu(AluOp::Sltu, a, a, t),
        ],
    )];
    for op in [AluOp::And, AluOp::Or, AluOp::Xor, AluOp::Add, AluOp::Sub] {
        rows.push((
            "a result is not below a constant 0",
            vec![
                imm(AluOp::Add, t, zero, 0),
                alu(op, a, a, b),
                alu(AluOp::Sltu, a, a, t),
                alu(AluOp::Slt, b, a, t),
            ],
        ));
    }
    let spare = [5, 6].map(|number| Reg::new(number).unwrap());
    let null = Insn::Load {
        op: LoadOp::Lw,
        rd: spare[1],
        rs1: zero,
        offset: 0,
    };
    for by in [1, 2, 3, 9] {
        rows.push((
            "what is joined and not wanted again, whose operand is written before a fault",
            vec![
                imm(AluOp::Sll, t, a, by),
                alu(AluOp::Add, spare[0], t, b),
                imm(AluOp::Add, a, a, 1),
                null,
                imm(AluOp::Add, t, zero, 3),
            ],
        ));
    }
    for cond in [Cond::Eq, Cond::Ne] {
        rows.push((
            "what is not wanted behind a branch that may trap",
            vec![
                alu(AluOp::Add, t, a, b),
                Insn::Branch {
                    cond,
                    rs1: a,
                    rs2: b,
                    offset: 6,
                },
                imm(AluOp::Add, t, zero, 3),
            ],
        ));
    }
    rows
}

#[test]
fn what_mutants_asked_for_agrees_with_the_interpreter() {
    let _identity = hold_identity();
    let mut sides = sides(Isa::default());
    let mut reference = crate::new_memory(Placement::Paged);
    let reg = |number| Reg::new(number).unwrap();
    // With a home on every host, and without one on any.
    let registers = [[10, 11, 12], [25, 30, 7], [10, 25, 30], [25, 10, 12]];
    let values = [
        (0, 0),
        (1, 1),
        (1, u32::MAX),
        (0xffff_fffb, 3),
        (0xffff_fffe, 0x8000_0000),
        (0x8000_0000, 1),
    ];
    let mut programs = 0;
    for numbers in registers {
        let [a, b, t] = numbers.map(reg);
        for (name, mut insns) in rows(a, b, t) {
            insns.push(Insn::Ecall);
            let words: Vec<u32> = insns.iter().copied().map(encode).collect();
            for value in values {
                let mut x = [0x1234_5678; 32];
                x[0] = 0;
                (x[a.index()], x[b.index()]) = value;
                let program = Program {
                    isa: Isa::default(),
                    words: words.clone(),
                    x,
                };
                let unlimited = Budget::Unlimited;
                let mut interpreter = Interpreter::default();
                let expected = run(&mut interpreter, &mut reference, &program, unlimited);
                println!("{name}, {value:x?}");
                for side in &mut sides {
                    check(programs, side, &program, unlimited, &expected);
                }
                programs += 1;
            }
        }
    }
}

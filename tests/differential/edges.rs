//! Joined accesses where they may go wrong: at a page's end, and at the end of the address space, every offset by
//! turns.

use crate::generate::{CODE, DATA, DATA_LEN, Program};
use crate::tested::{ALL_CODE, Tested};
use crate::{PAGES, differences, hold_identity, listing, new_memory, run};
use rvjit::cpu::Cpu;
use rvjit::engine::{Budget, Engine, Stop};
use rvjit::interp::{self, Interpreter};
use rvjit::memory::{Memory, Permissions, Placement};
use rvjit::rv32::encode::encode;
use rvjit::rv32::{AluOp, Cond, Insn, Isa, LoadOp, Reg, StoreOp};

const LAST_PAGE: u32 = 0xffff_f000;
const LAZY: u32 = 0x0100_0000;
const LAZY_LEN: u64 = 0x2000;
const S0: Reg = Reg::S0;
const A0: Reg = Reg::A0;
const A1: Reg = Reg::A1;

fn memory(placement: Placement) -> Memory {
    let mut memory = new_memory(placement);
    memory.map(LAST_PAGE, 0x1000, Permissions::RW).unwrap();
    // More than the limit: so pages are handed out where they are touched.
    let pages = u64::from(PAGES) * 0x1000;
    memory.map(LAZY, pages, Permissions::RW).unwrap();
    memory
}

/// Makes the first touch of these pages fault again.
fn take_back(memory: &mut Memory) {
    memory.unmap(LAZY, LAZY_LEN).unwrap();
    memory.map(LAZY, LAZY_LEN, Permissions::RW).unwrap();
}

/// What [`Outcome`](crate::Outcome) does not compare.
fn rest(memory: &mut Memory) -> Vec<u8> {
    let mut bytes = vec![0; 0x1000 + LAZY_LEN as usize];
    let (last, lazy) = bytes.split_at_mut(0x1000);
    memory.read(LAST_PAGE, last).unwrap();
    memory.read(LAZY, lazy).unwrap();
    bytes
}

fn lw(rd: Reg, base: Reg, offset: i32) -> Insn {
    Insn::Load {
        op: LoadOp::Lw,
        rd,
        rs1: base,
        offset,
    }
}

fn sw(src: Reg, base: Reg, offset: i32) -> Insn {
    Insn::Store {
        op: StoreOp::Sw,
        rs1: base,
        rs2: src,
        offset,
    }
}

fn add(base: Reg, by: i32) -> Insn {
    Insn::AluImm {
        op: AluOp::Add,
        rd: base,
        rs1: base,
        imm: by,
    }
}

/// What is joined, through this base, behind and before a step.
fn shapes(base: Reg, by: i32) -> Vec<Vec<Insn>> {
    let other = add(Reg::A7, 3);
    // A shift that is joined with the addition and then overwritten: it is deferred at the first load.
    let shift = Insn::AluImm {
        op: AluOp::Sll,
        rd: A0,
        rs1: Reg::A7,
        imm: 2,
    };
    let sum = Insn::Alu {
        op: AluOp::Add,
        rd: Reg::GP,
        rs1: Reg::A7,
        rs2: A0,
    };
    vec![
        vec![lw(A0, base, 0), lw(A1, base, 4)],
        vec![lw(A0, base, 4), lw(A1, base, 0)],
        vec![shift, sum, lw(A0, base, 0), lw(A1, base, 4)],
        vec![lw(A0, base, 4), other, lw(base, base, 0)],
        vec![sw(A0, base, 0), sw(A1, base, 4)],
        vec![sw(A0, base, 0), other, sw(A1, base, 4)],
        vec![lw(A0, base, 0), add(base, by)],
        vec![lw(A0, base, by), add(base, by)],
        vec![add(base, by), lw(A0, base, 0)],
        vec![add(base, by), lw(A0, base, -by)],
        vec![sw(A0, base, 0), lw(A1, base, 8), add(base, by)],
        vec![add(base, by), lw(A1, base, 8), sw(A0, base, 0)],
        vec![lw(A0, base, 0), lw(A1, base, 4), add(base, by)],
        vec![add(base, by), sw(A0, base, 0), sw(A1, base, 4)],
        vec![
            lw(A0, base, 0),
            add(base, by),
            lw(A1, base, 0),
            add(base, by),
        ],
        vec![lw(A0, base, 0), add(base, by), lw(base, base, 0)],
    ]
}

/// On every placement, at each of these addresses.
fn compare(shapes: &[Vec<Insn>], base: Reg, addresses: impl Iterator<Item = u32> + Clone) {
    let _identity = hold_identity();
    let mut reference = memory(Placement::Paged);
    let mut sides: Vec<_> = Placement::ALL
        .map(|placement| {
            let memory = memory(placement);
            let jit = Tested::new(&memory, ALL_CODE);
            (memory, jit)
        })
        .into();
    for shape in shapes {
        for address in addresses.clone() {
            let mut words: Vec<u32> = shape.iter().map(|insn| encode(*insn)).collect();
            words.push(encode(Insn::Ecall));
            let mut x = [0x1234_5678; 32];
            x[0] = 0;
            x[base.index()] = address;
            let program = Program {
                isa: Isa::default(),
                words,
                x,
            };
            take_back(&mut reference);
            let expected = run(
                &mut Interpreter::default(),
                &mut reference,
                &program,
                Budget::Unlimited,
            );
            let expected_rest = rest(&mut reference);
            for (memory, jit) in &mut sides {
                take_back(memory);
                let got = run(jit, memory, &program, Budget::Unlimited);
                let rest_differs = rest(memory) != expected_rest;
                assert!(
                    got == expected && !rest_differs,
                    "{} at {address:#x} (other memory differs: {rest_differs}):\n{}\n{}\n{}",
                    memory.placement().name(),
                    differences(&expected, &got),
                    listing(&program),
                    jit.listing(),
                );
            }
        }
    }
}

/// The multiples of `by` around these addresses.
fn around(edges: &'static [u32], by: u32) -> impl Iterator<Item = u32> + Clone {
    edges
        .iter()
        .flat_map(move |&edge| (0..20).map(move |n| edge.wrapping_sub(13).wrapping_add(n)))
        .filter(move |address| address.is_multiple_of(by))
}

const EDGES: &[u32] = &[
    DATA,
    DATA + DATA_LEN,
    DATA + DATA_LEN + 0x1000,
    LAZY + 0x1000,
    LAST_PAGE,
    0,
];

#[test]
fn joined_accesses_at_the_ends_of_pages_agree_with_the_interpreter() {
    for by in [4, -16] {
        compare(&shapes(S0, by), S0, around(EDGES, 1));
    }
}

#[test]
fn joined_accesses_of_the_stack_agree_with_the_interpreter() {
    const PAGE_ENDS: &[u32] = &[DATA + 0x1000, DATA + DATA_LEN, LAZY + 0x1000, LAST_PAGE, 0];
    let sp = Reg::SP;
    let down = |low| vec![sw(A0, sp, low + 4), sw(A1, sp, low)];
    let frame = vec![
        add(sp, -16),
        sw(A0, sp, 12),
        sw(A1, sp, 8),
        sw(S0, sp, 4),
        sw(A0, sp, 0),
    ];
    let back = vec![lw(A0, sp, 12), lw(A1, sp, 8), lw(S0, sp, 0), add(sp, 16)];
    let mut shapes: Vec<Vec<Insn>> = (-8..8).map(|n| down(4 * n)).collect();
    shapes.extend([frame, back]);
    compare(&shapes, sp, around(PAGE_ENDS, 16));
}

/// What an indirect jump does with each of these targets; where it comes back, three times.
#[test]
fn indirect_jumps_to_odd_places_agree_with_the_interpreter() {
    let count = Reg::T0;
    let (zero, ra) = (Reg::ZERO, Reg::RA);
    let mut shapes = Vec::new();
    for (rd, rs1) in [
        (zero, A0),
        (zero, ra),
        (ra, A0),
        (ra, ra),
        (A0, A0),
        (Reg::GP, A0),
    ] {
        for offset in [0, 1, 2, -1] {
            shapes.push((rs1, Insn::Jalr { rd, rs1, offset }));
        }
    }
    let _identity = hold_identity();
    let mut reference = memory(Placement::Paged);
    for placement in Placement::ALL {
        let mut memory = memory(placement);
        let mut jit = Tested::new(&memory, ALL_CODE);
        for &(base, jump) in &shapes {
            let back = Insn::Branch {
                cond: Cond::Ne,
                rs1: count,
                rs2: zero,
                offset: -8,
            };
            let words = [jump, add(count, -1), back, Insn::Ecall].map(encode);
            let behind = (CODE + 2)..(CODE + 10);
            for target in behind.chain([0, 0xffff_fffc, DATA, CODE + 0x800]) {
                let mut x = [0x1234_5678; 32];
                x[0] = 0;
                x[count.index()] = 3;
                x[base.index()] = target;
                let program = Program {
                    isa: Isa::default(),
                    words: words.to_vec(),
                    x,
                };
                let budget = Budget::Instructions(100);
                let expected = run(
                    &mut Interpreter::default(),
                    &mut reference,
                    &program,
                    budget,
                );
                for budget in [budget, Budget::Unlimited] {
                    // With a target that is the jump itself it would not end.
                    if budget == Budget::Unlimited && expected.stop == Stop::Budget {
                        continue;
                    }
                    let mut got = run(&mut jit, &mut memory, &program, budget);
                    got.executed = expected.executed;
                    assert!(
                        got == expected,
                        "{} to {target:#x}:\n{}\n{}\n{}",
                        placement.name(),
                        differences(&expected, &got),
                        listing(&program),
                        jit.listing(),
                    );
                }
            }
        }
    }
}

/// A return address is made from a host address, and may be used as an address.
#[test]
fn return_addresses_can_be_used_as_addresses() {
    let ra = Reg::RA;
    let call = Insn::Jal { rd: ra, offset: 4 };
    let shape = |rest: &[Insn]| [&[call], rest].concat();
    let shapes = [
        shape(&[lw(A0, ra, 0), lw(A1, ra, 4)]),
        shape(&[lw(A0, ra, 8)]),
        shape(&[lw(A0, ra, 0), add(ra, 4), lw(A1, ra, 0)]),
        shape(&[lw(A0, ra, -4), lw(ra, ra, 0)]),
        shape(&[sw(A0, ra, 0)]),
        shape(&[add(ra, 16), lw(A1, ra, -300)]),
    ];
    compare(&shapes, S0, [DATA].into_iter());
}

#[test]
fn nothing_is_looked_at_without_a_budget() {
    let mut jit_memory = new_memory(Placement::Paged);
    let mut jit = Tested::new(&jit_memory, ALL_CODE);
    let mut memory = new_memory(Placement::Paged);
    let mut interpreter = Interpreter::default();
    let sides: [(&mut dyn Engine, &mut Memory); 2] =
        [(&mut interpreter, &mut memory), (&mut jit, &mut jit_memory)];
    for (engine, memory) in sides {
        // A misaligned place, and one where nothing is mapped.
        for pc in [CODE + 2, 0] {
            let mut cpu = Cpu {
                pc,
                ..Cpu::default()
            };
            let stop = engine.run(&mut cpu, memory, &mut Budget::Instructions(0));
            assert_eq!((stop, cpu.pc), (Stop::Budget, pc));
        }
    }
}

/// A page of code and data on which only `fence.i` is heeded, and one that the engine did not execute as usual.
#[test]
fn a_fence_outside_translated_code_is_heeded() {
    const PAGE: u32 = 0x0200_0000;
    let fence_i = encode(Insn::FenceI {
        rd: Reg::ZERO,
        rs1: Reg::ZERO,
        bits: 0,
    });
    let answer = |value| encode(add(A0, value));
    for stepped in [true, false] {
        let mut memory = new_memory(Placement::Paged);
        memory.map(PAGE, 0x1000, Permissions::RWX).unwrap();
        let mut jit = Tested::new(&memory, ALL_CODE);
        let mut run = |memory: &mut Memory, pc, budget| {
            let mut cpu = Cpu {
                pc,
                ..Cpu::default()
            };
            let stop = jit.run(&mut cpu, memory, &mut Budget::Instructions(budget));
            (stop, cpu.get(A0))
        };
        for (n, word) in (0..).zip([answer(1), encode(Insn::Ecall), fence_i]) {
            memory.store(PAGE + 4 * n, word).unwrap();
        }
        for n in 0..100_u32 {
            assert_eq!(run(&mut memory, PAGE, 9), (Stop::Ecall, 1));
            memory.store(PAGE + 0x800, n).unwrap();
        }
        memory.store(PAGE, answer(2)).unwrap();
        if stepped {
            let mut cpu = Cpu {
                pc: PAGE + 8,
                ..Cpu::default()
            };
            interp::step(&mut cpu, &mut memory).unwrap();
        } else {
            assert_eq!(run(&mut memory, PAGE + 8, 1).0, Stop::Budget);
        }
        assert_eq!(run(&mut memory, PAGE, 9), (Stop::Ecall, 2), "{stepped}");
    }
}

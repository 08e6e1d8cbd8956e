//! A comparison, something that writes a register, and a comparison again, with values that order the operands in every
//! way; the programs are those of `tests/common/comparisons.rs`.

use crate::comparison_programs::{LAZY, LAZY_LEN, MASK, MEMORY, NEW, START, cases, first_count};
use crate::generate::{CODE, DATA, Program};
use crate::tested::{ALL_CODE, Tested};
use crate::{Outcome, differences, hold_identity, listing, load, new_memory};
use rvjit::cpu::Cpu;
use rvjit::engine::{Budget, Engine, Stop};
use rvjit::interp::Interpreter;
use rvjit::memory::{Memory, Permissions, Placement};
use rvjit::rv32::Isa;

fn memory(placement: Placement) -> Memory {
    let mut memory = new_memory(placement);
    memory.map(LAZY, LAZY_LEN, Permissions::RW).unwrap();
    memory
}

/// Makes the first touch of these pages an access that is interpreted again.
fn take_back(memory: &mut Memory) {
    memory.unmap(LAZY, LAZY_LEN).unwrap();
    memory.map(LAZY, LAZY_LEN, Permissions::RW).unwrap();
}

fn registers(p: u32, q: u32, new: u32) -> [u32; 32] {
    let mut x = [0x1234_5678; 32];
    x[0] = 0;
    x[START[0].index()] = p ^ MASK.cast_unsigned();
    x[START[1].index()] = q ^ MASK.cast_unsigned();
    x[NEW[0].index()] = new;
    x[NEW[1].index()] = new.wrapping_add(2);
    x[MEMORY.index()] = DATA + 64;
    x
}

/// Operands in every order, and what they are overwritten with.
const VALUES: &[(u32, u32, u32)] = &[
    (5, 7, 9),
    (7, 5, 3),
    (5, 5, 9),
    (0x8000_0000, 1, 0),
    (0, 0, u32::MAX),
    (u32::MAX, 1, 0x8000_0000),
    (1, u32::MAX, 1),
    (u32::MAX, u32::MAX, 0x8000_0000),
];
const ADDRESSES: &[(u32, u32, u32)] = &[
    (DATA + 16, DATA + 20, 0),
    (DATA + 16, DATA + 16, 0),
    (DATA + 20, DATA + 24, 0),
    (DATA + 24, DATA + 16, 0),
];

type Side = (Memory, Tested);

fn sides() -> Vec<Side> {
    let side = |placement| {
        let memory = memory(placement);
        let jit = Tested::new(&memory, ALL_CODE);
        (memory, jit)
    };
    Placement::ALL.map(side).into()
}

fn run(engine: &mut dyn Engine, memory: &mut Memory, program: &Program) -> Outcome {
    let mut cpu = Cpu {
        x: program.x,
        pc: CODE,
        ..Cpu::default()
    };
    let stop = engine.run(&mut cpu, memory, &mut Budget::Unlimited);
    Outcome {
        stop,
        pc: cpu.pc,
        x: cpu.x,
        reservation: cpu.reservation,
        // Nothing is stored.
        data: Vec::new(),
        executed: None,
    }
}

fn compare(reference: &mut Memory, first: usize) {
    let mut sides = sides();
    let mut programs = 0;
    for case in cases(first) {
        let values = if case.addresses { ADDRESSES } else { VALUES };
        let words = case.words;
        let mut program = Program {
            isa: Isa::default(),
            words,
            x: [0; 32],
        };
        load(reference, &program);
        for (memory, _) in &mut sides {
            load(memory, &program);
        }
        programs += 1;
        for &(p, q, new) in values {
            program.x = registers(p, q, new);
            if case.new_pages {
                take_back(reference);
            }
            let expected = run(&mut Interpreter::default(), reference, &program);
            assert!(expected.stop == Stop::Ecall, "{}", listing(&program));
            for (memory, jit) in &mut sides {
                if case.new_pages {
                    take_back(memory);
                }
                let got = run(jit, memory, &program);
                assert!(
                    got == expected,
                    "{}, {}:\n{}\n{}\n{}",
                    memory.placement().name(),
                    case.name,
                    differences(&expected, &got),
                    listing(&program),
                    jit.listing(),
                );
            }
        }
    }
    for (memory, jit) in &sides {
        let stats = jit.stats();
        let name = memory.placement().name();
        // Emitted code executes every program, but for the accesses to new pages.
        assert!(stats.entered >= programs, "{name}: {stats:?}");
        assert!(stats.interpreted > 100, "{name}: {stats:?}");
        let executed = stats.guest_insns * u64::try_from(ADDRESSES.len()).unwrap();
        assert!(stats.interpreted < executed / 20, "{name}: {stats:?}");
    }
}

#[test]
fn comparisons_around_every_writer_agree_with_the_interpreter() {
    let _identity = hold_identity();
    let mut reference = memory(Placement::Paged);
    for first in 0..first_count() {
        compare(&mut reference, first);
    }
}

//! Instructions of 16 bits, and the A extension.

use super::*;
use crate::rv32::{AtomicOp, Isa};

/// A hart whose code is these half-words, at the end of the page of code.
fn halves(code: &[u16]) -> (Cpu, Memory) {
    let (mut cpu, mut memory) = hart(&[]);
    let start = CODE + PAGE_SIZE - 2 * u32::try_from(code.len()).unwrap();
    let bytes: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
    memory.poke(start, &bytes).unwrap();
    cpu.pc = start;
    cpu.isa = Isa { compressed: true };
    (cpu, memory)
}

const C_NOP: u16 = 0x0001;
/// `c.addi a0, 1`.
const C_ADDI: u16 = 0x0505;

#[test]
fn lengths_are_what_pc_moves_by() {
    // addi a0, a0, 1 between compressed ones, not at a multiple of 4.
    let (mut cpu, mut memory) = halves(&[C_ADDI, 0x0513, 0x0015, C_ADDI]);
    let start = cpu.pc;
    for (moved, value) in [(2, 1), (6, 2), (8, 3)] {
        assert_eq!(step(&mut cpu, &mut memory), Ok(()));
        assert_eq!((cpu.pc.wrapping_sub(start), cpu.x[10]), (moved, value));
    }
}

#[test]
fn links_and_calls_of_the_environment_have_their_length() {
    // c.jal 4 bytes on; c.ebreak; ecall.
    let (mut cpu, mut memory) = halves(&[0x2011, C_NOP, 0x9002, 0x0073, 0x0000]);
    let start = cpu.pc;
    assert_eq!(step(&mut cpu, &mut memory), Ok(()));
    assert_eq!((cpu.pc, cpu.x[1]), (start + 4, start + 2));
    for (stop, len) in [(Stop::Ebreak, 2), (Stop::Ecall, 4)] {
        let at = cpu.pc;
        assert_eq!(step(&mut cpu, &mut memory), Err(stop));
        assert_eq!(cpu.pc, at);
        crate::engine::resume(&mut cpu, &mut Budget::Unlimited);
        assert_eq!(cpu.pc, at + len);
    }
}

#[test]
fn the_end_of_a_page_faults_at_the_second_half() {
    // A compressed instruction may be the last; of a longer one the second half is missing.
    let (mut cpu, mut memory) = halves(&[C_ADDI]);
    assert_eq!(step(&mut cpu, &mut memory), Ok(()));
    let (mut cpu, mut memory) = halves(&[0x0513]);
    let fault = Fault {
        addr: CODE + PAGE_SIZE,
        access: Access::Execute,
        kind: FaultKind::Unmapped,
    };
    assert_eq!(step(&mut cpu, &mut memory), Err(Stop::Fault(fault)));
    assert_eq!(cpu.pc, CODE + PAGE_SIZE - 2);
}

#[test]
fn reserved_half_words_are_illegal() {
    for half in [0, 0x8002, 0x6101, 0x9c81] {
        let (mut cpu, mut memory) = halves(&[half, C_NOP]);
        let word = u32::from(half);
        let illegal = Stop::Trap(Trap::IllegalInstruction { word });
        assert_eq!(step(&mut cpu, &mut memory), Err(illegal), "{half:#06x}");
    }
    // A hart without them takes two for a word.
    let (mut cpu, mut memory) = halves(&[C_NOP, C_NOP]);
    cpu.isa = Isa::default();
    let illegal = Stop::Trap(Trap::IllegalInstruction { word: 0x0001_0001 });
    assert_eq!(step(&mut cpu, &mut memory), Err(illegal));
}

/// Any even address may be jumped to, and no other is one.
#[test]
fn jumps_go_to_half_words() {
    let jump = |compressed, target: u32| {
        let insn = Insn::Jalr {
            rd: Reg::ZERO,
            rs1: A0,
            offset: 0,
        };
        let (mut cpu, mut memory) = hart(&[encode(insn)]);
        cpu.isa = Isa { compressed };
        cpu.x[10] = target;
        (step(&mut cpu, &mut memory), cpu.pc)
    };
    assert_eq!(jump(true, CODE + 6), (Ok(()), CODE + 6));
    assert_eq!(jump(true, CODE + 7), (Ok(()), CODE + 6));
    let target = CODE + 6;
    let misaligned = Stop::Trap(Trap::MisalignedJump { target });
    assert_eq!(jump(false, target), (Err(misaligned), CODE));
}

fn atomic(op: AtomicOp, addr: u32, operand: u32) -> (Result<(), Stop>, Cpu, Memory) {
    let rs2 = match op {
        AtomicOp::LoadReserved => Reg::ZERO,
        _ => A1,
    };
    let insn = Insn::Atomic {
        op,
        rd: A0,
        rs1: Reg::new(12).unwrap(),
        rs2,
        ordering: 3,
    };
    let (mut cpu, mut memory) = hart(&[encode(insn)]);
    memory.poke(DATA, &0x8000_0005_u32.to_le_bytes()).unwrap();
    cpu.x[11] = operand;
    cpu.x[12] = addr;
    let ended = step(&mut cpu, &mut memory);
    (ended, cpu, memory)
}

#[test]
fn atomic_operations_do_what_they_say() {
    let rows = [
        (AtomicOp::Swap, 7),
        (AtomicOp::Add, 0x8000_000c),
        (AtomicOp::Xor, 0x8000_0002),
        (AtomicOp::And, 5),
        (AtomicOp::Or, 0x8000_0007),
        (AtomicOp::Min, 0x8000_0005),
        (AtomicOp::Max, 7),
        (AtomicOp::Minu, 7),
        (AtomicOp::Maxu, 0x8000_0005),
        (AtomicOp::LoadReserved, 0x8000_0005),
    ];
    for (op, left) in rows {
        let (ended, cpu, mut memory) = atomic(op, DATA, 7);
        assert_eq!((ended, cpu.x[10]), (Ok(()), 0x8000_0005), "{op:?}");
        assert_eq!(memory.load::<u32>(DATA), Ok(left), "{op:?}");
        let reserves = op == AtomicOp::LoadReserved;
        assert_eq!(cpu.reservation, reserves.then_some(DATA), "{op:?}");
    }
}

/// What faults changes nothing, and is a store except for loads.
#[test]
fn atomic_operations_fault_whole() {
    for op in AtomicOp::ALL {
        let access = match op {
            AtomicOp::LoadReserved => Access::Read,
            _ => Access::Write,
        };
        for (addr, kind) in [
            (DATA + 2, FaultKind::Misaligned),
            (DATA + 1, FaultKind::Misaligned),
            (CODE + 16, FaultKind::Denied),
            (0x4_0000, FaultKind::Unmapped),
        ] {
            let harmless = match op {
                // Without a reservation nothing is stored.
                AtomicOp::StoreConditional => kind != FaultKind::Misaligned,
                AtomicOp::LoadReserved => kind == FaultKind::Denied,
                _ => false,
            };
            let (ended, cpu, _) = atomic(op, addr, 7);
            if harmless {
                assert_eq!(ended, Ok(()), "{op:?} {addr:#x}");
                continue;
            }
            let fault = Fault { addr, access, kind };
            assert_eq!(ended, Err(Stop::Fault(fault)), "{op:?}");
            assert_eq!((cpu.pc, cpu.x[10]), (CODE, 0), "{op:?}");
        }
    }
}

#[test]
fn a_byte_and_a_half_word_are_extended() {
    for (half, value) in [
        (0x9d61, 0x85),
        (0x9d65, 0xffff_ff85),
        (0x9d69, 0x8385),
        (0x9d6d, 0xffff_8385),
        (0x9d75, 0x6bcd_7c7a),
    ] {
        let (mut cpu, mut memory) = halves(&[half]);
        cpu.x[10] = 0x9432_8385;
        assert_eq!(step(&mut cpu, &mut memory), Ok(()), "{half:#x}");
        assert_eq!(cpu.x[10], value, "{half:#x}");
    }
}

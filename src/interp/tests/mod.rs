//! The reference engine against the spec. Expected values are written out, not computed by what is tested.

mod compressed;
mod csr;
mod memory;

use super::*;
use crate::memory::{Access, FaultKind, MemoryConfig, PAGE_SIZE, Permissions};
use crate::rv32::{AluOp, Cond, CsrOp, MulOp, Reg, encode};
use std::time::Duration;

/// Where test code lies: one page that may be read and executed.
const CODE: u32 = 0x1_0000;
/// Two pages of data; nothing lies before or after them.
const DATA: u32 = 0x2_0000;

fn hart(words: &[u32]) -> (Cpu, Memory) {
    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    let page = u64::from(PAGE_SIZE);
    memory.map(CODE, page, Permissions::RX).unwrap();
    memory.map(DATA, 2 * page, Permissions::RW).unwrap();
    for (at, word) in (CODE..).step_by(4).zip(words) {
        memory.poke(at, &word.to_le_bytes()).unwrap();
    }
    let cpu = Cpu {
        pc: CODE,
        ..Cpu::default()
    };
    (cpu, memory)
}

/// addi a0, a0, 1; j .-4
const COUNT_FOREVER: [u32; 2] = [0x0015_0513, 0xffdf_f06f];
const ECALL: u32 = 0x0000_0073;

#[test]
fn a_budget_is_exact() {
    for n in [0, 1, 2, 5, 1023, 1024, 1025, 5000] {
        let (mut cpu, mut memory) = hart(&COUNT_FOREVER);
        let mut budget = Budget::Instructions(n);
        let stop = Interpreter::new().run(&mut cpu, &mut memory, &mut budget);
        assert_eq!(stop, Stop::Budget);
        assert_eq!(budget, Budget::Instructions(0));
        assert_eq!(cpu.instret, n);
        assert_eq!(u64::from(cpu.x[10]), n.div_ceil(2));
        assert_eq!(cpu.pc, CODE + 4 * u32::try_from(n % 2).unwrap());
    }
}

#[test]
fn ecall_counts_when_resumed() {
    let (mut cpu, mut memory) = hart(&[ECALL, ECALL]);
    let mut engine = Interpreter::new();
    let mut budget = Budget::Instructions(1);
    let stop = engine.run(&mut cpu, &mut memory, &mut budget);
    assert_eq!((stop, cpu.pc, cpu.instret), (Stop::Ecall, CODE, 0));
    assert_eq!(budget, Budget::Instructions(1));
    crate::engine::resume(&mut cpu, &mut budget);
    let stop = engine.run(&mut cpu, &mut memory, &mut budget);
    assert_eq!((stop, cpu.pc, cpu.instret), (Stop::Budget, CODE + 4, 1));
}

#[test]
fn a_stop_flag_interrupts() {
    // The thread that sets the flag may be faster than this one: where nothing was executed, it waits longer.
    for wait in (0..12).map(|n| Duration::from_millis(5 << n)) {
        let (mut cpu, mut memory) = hart(&COUNT_FOREVER);
        let stop = Arc::new(AtomicBool::new(false));
        let mut engine = Interpreter {
            stop: Some(Arc::clone(&stop)),
            pause: None,
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(wait);
                stop.store(true, Ordering::Relaxed);
            });
            let end = engine.run(&mut cpu, &mut memory, &mut Budget::Unlimited);
            assert_eq!(end, Stop::Interrupted);
        });
        if cpu.x[10] > 0 {
            return;
        }
    }
    panic!("nothing was executed before the flag was set");
}

#[test]
fn code_that_is_not_there_faults() {
    for (pc, kind) in [
        (0, FaultKind::Unmapped),
        (CODE + PAGE_SIZE, FaultKind::Unmapped),
        (DATA, FaultKind::Denied),
    ] {
        let (mut cpu, mut memory) = hart(&[]);
        cpu.pc = pc;
        let before = cpu.clone();
        let fault = Fault {
            addr: pc,
            access: Access::Execute,
            kind,
        };
        assert_eq!(step(&mut cpu, &mut memory), Err(Stop::Fault(fault)));
        assert_eq!(cpu, before);
    }
}

/// Values of a0 and a1 before, and of a0 after.
struct Row(Insn, u32, u32, u32);

const fn reg(number: u8) -> Reg {
    match Reg::new(number) {
        Some(reg) => reg,
        None => panic!(),
    }
}

const A0: Reg = Reg::A0;
const A1: Reg = Reg::A1;

fn run_one(
    insn: Insn,
    setup: impl FnOnce(&mut Cpu, &mut Memory),
) -> (Result<(), Stop>, Cpu, Memory) {
    let (mut cpu, mut memory) = hart(&[encode(insn)]);
    setup(&mut cpu, &mut memory);
    let mut before = cpu.clone();
    let result = step(&mut cpu, &mut memory);
    // How long the instruction is that it stopped at is no state of the hart.
    before.stopped_at = cpu.stopped_at;
    if result.is_err() {
        assert_eq!(cpu, before, "{insn:?} stopped and changed the hart");
    } else {
        assert_eq!(cpu.instret, before.instret + 1, "{insn:?}");
    }
    assert_eq!(cpu.x[0], 0, "{insn:?}");
    (result, cpu, memory)
}

/// Register and immediate arithmetic, each row in four shapes of registers.
#[test]
fn arithmetic() {
    use AluOp::*;
    use MulOp::*;
    const MIN: u32 = 0x8000_0000;
    const MAX: u32 = 0x7fff_ffff;
    const M1: u32 = u32::MAX;
    let alu = [
        (Add, 1, 2, 3),
        (Add, M1, 1, 0),
        (Add, MAX, 1, MIN),
        (Sub, 1, 2, M1),
        (Sub, MIN, 1, MAX),
        (Sll, 1, 31, MIN),
        (Sll, 3, 33, 6),
        (Sll, 3, 0xffff_ffe0, 3),
        (Slt, M1, 0, 1),
        (Slt, 0, M1, 0),
        (Slt, MIN, MAX, 1),
        (Slt, 5, 5, 0),
        (Sltu, M1, 0, 0),
        (Sltu, 0, M1, 1),
        (Sltu, MAX, MIN, 1),
        (Xor, 0xff00_ff00, 0x0ff0_0ff0, 0xf0f0_f0f0),
        (Srl, MIN, 31, 1),
        (Srl, MIN, 32, MIN),
        (Srl, M1, 4, 0x0fff_ffff),
        (Sra, MIN, 31, M1),
        (Sra, MAX, 30, 1),
        (Sra, 0xf000_0000, 36, 0xff00_0000),
        (Or, 0xff00_ff00, 0x0ff0_0ff0, 0xfff0_fff0),
        (And, 0xff00_ff00, 0x0ff0_0ff0, 0x0f00_0f00),
    ];
    let mul = [
        (Mul, 7, 6, 42),
        (Mul, M1, M1, 1),
        (Mul, 0x1234_5678, 0x9abc_def0, 0x242d_2080),
        (Mulh, M1, M1, 0),
        (Mulh, MIN, MIN, 0x4000_0000),
        (Mulh, MAX, MIN, 0xc000_0000),
        (Mulhsu, M1, M1, M1),
        (Mulhsu, MIN, M1, MIN),
        (Mulhsu, MAX, M1, 0x7fff_fffe),
        (Mulhu, M1, M1, 0xffff_fffe),
        (Mulhu, MIN, 2, 1),
        (Div, 7, 2, 3),
        (Div, 0xffff_fff9, 2, 0xffff_fffd),
        (Div, 7, 0xffff_fffe, 0xffff_fffd),
        (Div, 7, 0, M1),
        (Div, MIN, M1, MIN),
        (Divu, 7, 2, 3),
        (Divu, M1, 2, MAX),
        (Divu, 7, 0, M1),
        (Divu, MIN, M1, 0),
        (Rem, 7, 2, 1),
        (Rem, 0xffff_fff9, 2, M1),
        (Rem, 7, 0xffff_fffe, 1),
        (Rem, 0xffff_fff9, 0, 0xffff_fff9),
        (Rem, MIN, M1, 0),
        (Remu, 7, 2, 1),
        (Remu, M1, 10, 5),
        (Remu, 7, 0, 7),
        (Remu, MIN, M1, MIN),
    ];
    let alu = alu.map(|(op, a, b, result)| {
        let make: Box<dyn Fn(Reg, Reg, Reg) -> Insn> =
            Box::new(move |rd, rs1, rs2| Insn::Alu { op, rd, rs1, rs2 });
        (make, a, b, result)
    });
    let mul = mul.map(|(op, a, b, result)| {
        let make: Box<dyn Fn(Reg, Reg, Reg) -> Insn> =
            Box::new(move |rd, rs1, rs2| Insn::Mul { op, rd, rs1, rs2 });
        (make, a, b, result)
    });
    for (make, a, b, result) in alu.into_iter().chain(mul) {
        for rd in [reg(5), A0, A1, reg(0), reg(31)] {
            let insn = make(rd, A0, A1);
            let (ended, cpu, _) = run_one(insn, |cpu, _| (cpu.x[10], cpu.x[11]) = (a, b));
            assert_eq!(ended, Ok(()));
            assert_eq!(
                cpu.get(rd),
                if rd.is_zero() { 0 } else { result },
                "{insn:?} {a:#x} {b:#x}"
            );
            assert_eq!(cpu.pc, CODE + 4);
        }
    }
}

#[test]
fn immediates() {
    let imm = |op, imm| Insn::AluImm {
        op,
        rd: A0,
        rs1: A1,
        imm,
    };
    for Row(insn, a0, a1, result) in [
        Row(imm(AluOp::Add, -1), 0, 0, u32::MAX),
        Row(imm(AluOp::Add, 2047), 0, 1, 2048),
        Row(imm(AluOp::Add, -2048), 0, 0, 0xffff_f800),
        Row(imm(AluOp::Slt, -1), 0, 0xffff_fffe, 1),
        Row(imm(AluOp::Slt, -1), 0, 0, 0),
        Row(imm(AluOp::Sltu, -1), 0, 0, 1),
        Row(imm(AluOp::Sltu, 1), 0, 0, 1),
        Row(imm(AluOp::Sltu, 1), 1, 1, 0),
        Row(imm(AluOp::Xor, -1), 0, 0x1234_5678, 0xedcb_a987),
        Row(imm(AluOp::Or, -2048), 0, 1, 0xffff_f801),
        Row(imm(AluOp::And, 0x7f0), 0, u32::MAX, 0x7f0),
        Row(imm(AluOp::And, -16), 0, 0x1234_5678, 0x1234_5670),
        Row(imm(AluOp::Sll, 31), 0, 3, 0x8000_0000),
        Row(imm(AluOp::Srl, 31), 0, 0x8000_0000, 1),
        Row(imm(AluOp::Sra, 31), 0, 0x8000_0000, u32::MAX),
        Row(imm(AluOp::Sra, 0), 0, 0x8000_0000, 0x8000_0000),
        Row(
            Insn::Lui {
                rd: A0,
                imm: 0xffff_f000,
            },
            1,
            0,
            0xffff_f000,
        ),
        Row(
            Insn::Auipc {
                rd: A0,
                imm: 0x1000,
            },
            1,
            0,
            CODE + 0x1000,
        ),
        Row(
            Insn::Auipc {
                rd: A0,
                imm: 0xffff_f000,
            },
            1,
            0,
            CODE - 0x1000,
        ),
        Row(
            Insn::Fence {
                rd: A0,
                rs1: A1,
                bits: 0xff,
            },
            7,
            9,
            7,
        ),
        Row(
            Insn::FenceI {
                rd: A0,
                rs1: A1,
                bits: 0,
            },
            7,
            9,
            7,
        ),
    ] {
        let (ended, cpu, _) = run_one(insn, |cpu, _| (cpu.x[10], cpu.x[11]) = (a0, a1));
        assert_eq!((ended, cpu.pc), (Ok(()), CODE + 4), "{insn:?}");
        assert_eq!(cpu.x[10], result, "{insn:?}");
        assert_eq!(cpu.x[11], a1, "{insn:?}");
    }
}

#[test]
fn branches() {
    const M1: u32 = u32::MAX;
    for (cond, a, b, taken) in [
        (Cond::Eq, 1, 1, true),
        (Cond::Eq, 1, 2, false),
        (Cond::Ne, 1, 2, true),
        (Cond::Ne, 1, 1, false),
        (Cond::Lt, M1, 0, true),
        (Cond::Lt, 0, M1, false),
        (Cond::Lt, 1, 1, false),
        (Cond::Ge, 0, M1, true),
        (Cond::Ge, M1, 0, false),
        (Cond::Ge, 1, 1, true),
        (Cond::Ltu, 0, M1, true),
        (Cond::Ltu, M1, 0, false),
        (Cond::Ltu, 1, 1, false),
        (Cond::Geu, M1, 0, true),
        (Cond::Geu, 0, M1, false),
        (Cond::Geu, 1, 1, true),
    ] {
        for offset in [-4096, -4, 0, 4092, 2, -4094] {
            let insn = Insn::Branch {
                cond,
                rs1: A0,
                rs2: A1,
                offset,
            };
            let (ended, cpu, _) = run_one(insn, |cpu, _| (cpu.x[10], cpu.x[11]) = (a, b));
            let target = CODE.wrapping_add_signed(offset);
            if taken && offset % 4 != 0 {
                assert_eq!(ended, Err(Stop::Trap(Trap::MisalignedJump { target })));
            } else {
                assert_eq!(ended, Ok(()));
                assert_eq!(cpu.pc, if taken { target } else { CODE + 4 }, "{insn:?}");
            }
        }
    }
}

#[test]
fn jumps() {
    for rd in [Reg::ZERO, Reg::RA, A0] {
        let (ended, cpu, _) = run_one(
            Insn::Jal {
                rd,
                offset: -0x10_0000,
            },
            |_, _| (),
        );
        assert_eq!((ended, cpu.pc), (Ok(()), 0xfff1_0000));
        assert_eq!(cpu.get(rd), if rd.is_zero() { 0 } else { CODE + 4 });

        let (ended, ..) = run_one(Insn::Jal { rd, offset: 6 }, |_, _| ());
        assert_eq!(
            ended,
            Err(Stop::Trap(Trap::MisalignedJump { target: CODE + 6 }))
        );

        // rd = rs1 among them: the target is the register's old value. Bit 0 of the sum is dropped.
        for (base, offset, target) in [
            (0x2000, 4, 0x2004),
            (0x2001, 4, 0x2004),
            (0x2000, 5, 0x2004),
            (0x1fff, 1, 0x2000),
            (0, -4, 0xffff_fffc),
            (0xffff_fffc, 8, 4),
        ] {
            let insn = Insn::Jalr {
                rd,
                rs1: A0,
                offset,
            };
            let (ended, cpu, _) = run_one(insn, |cpu, _| cpu.x[10] = base);
            assert_eq!((ended, cpu.pc), (Ok(()), target), "{insn:?} {base:#x}");
            assert_eq!(cpu.get(rd), if rd.is_zero() { 0 } else { CODE + 4 });
        }
        for (base, offset) in [(0x2002, 0), (0x2000, 3), (0x1fff, 3)] {
            let insn = Insn::Jalr {
                rd,
                rs1: A0,
                offset,
            };
            let (ended, ..) = run_one(insn, |cpu, _| cpu.x[10] = base);
            let trap = Trap::MisalignedJump { target: 0x2002 };
            assert_eq!(ended, Err(Stop::Trap(trap)), "{insn:?} {base:#x}");
        }
    }
}

#[test]
fn a_jump_faults_at_its_target() {
    let (mut cpu, mut memory) = hart(&[encode(Insn::Jal {
        rd: Reg::RA,
        offset: 0x8000,
    })]);
    let stop = Interpreter::new().run(&mut cpu, &mut memory, &mut Budget::Unlimited);
    let fault = Fault {
        addr: CODE + 0x8000,
        access: Access::Execute,
        kind: FaultKind::Unmapped,
    };
    assert_eq!(stop, Stop::Fault(fault));
    assert_eq!(
        (cpu.pc, cpu.x[1], cpu.instret),
        (CODE + 0x8000, CODE + 4, 1)
    );
}

#[test]
fn an_entry_point_may_be_misaligned() {
    let (mut cpu, mut memory) = hart(&[]);
    cpu.pc = CODE + 2;
    let trap = Trap::MisalignedJump { target: CODE + 2 };
    assert_eq!(step(&mut cpu, &mut memory), Err(Stop::Trap(trap)));
}

/// The last instruction of the address space is followed by the first, where nothing is mapped.
#[test]
fn pc_wraps() {
    let (mut cpu, mut memory) = hart(&[]);
    let top = 0xffff_f000;
    memory.map(top, PAGE_SIZE.into(), Permissions::RX).unwrap();
    memory.poke(0xffff_fffc, &NOP.to_le_bytes()).unwrap();
    cpu.pc = 0xffff_fffc;
    assert_eq!(step(&mut cpu, &mut memory), Ok(()));
    assert_eq!(cpu.pc, 0);
}

const NOP: u32 = 0x0000_0013;

#[test]
fn code_can_change_itself() {
    let (mut cpu, mut memory) = hart(&[]);
    memory
        .map(CODE, PAGE_SIZE.into(), Permissions::RWX)
        .unwrap();
    // sw a1, 4(a0), then a word that would trap but for the store.
    let store = Insn::Store {
        op: StoreOp::Sw,
        rs1: A0,
        rs2: A1,
        offset: 4,
    };
    memory.store(CODE, encode(store)).unwrap();
    (cpu.x[10], cpu.x[11]) = (CODE, NOP);
    assert_eq!(step(&mut cpu, &mut memory), Ok(()));
    assert_eq!(step(&mut cpu, &mut memory), Ok(()));
    assert_eq!(cpu.pc, CODE + 8);
}

#[test]
fn illegal_words_trap() {
    // Nothing, all ones, compressed, flw, amoadd.w, mret, a reserved branch, slli by 32.
    for word in [
        0,
        0xffff_ffff,
        0x0001,
        0x0005_2507,
        0x00b5_352f,
        0x3020_0073,
        0x00b5_2463,
        0x0205_1513,
    ] {
        let (mut cpu, mut memory) = hart(&[word]);
        let before = cpu.clone();
        let trap = Trap::IllegalInstruction { word };
        assert_eq!(step(&mut cpu, &mut memory), Err(Stop::Trap(trap)));
        assert_eq!(cpu, before);
    }
}

#[test]
fn environment_calls_stop_before_they_execute() {
    assert_eq!(run_one(Insn::Ecall, |_, _| ()).0, Err(Stop::Ecall));
    assert_eq!(run_one(Insn::Ebreak, |_, _| ()).0, Err(Stop::Ebreak));
}

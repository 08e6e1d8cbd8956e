//! Control and status registers.

use super::super::csr::{Change, access};
use super::*;

fn insn(op: CsrOp, source: CsrSource, csr: u16) -> Insn {
    Insn::Csr {
        op,
        rd: A0,
        source,
        csr,
    }
}

/// Counters may be read, which is all that `csrrs` and `csrrc` with x0 or 0 do, and not be written.
#[test]
fn counters_are_read_only() {
    let zero = [CsrSource::Reg(Reg::ZERO), CsrSource::Imm(0)];
    // a1 holds 0 too, but names a register: that is a write.
    let others = [CsrSource::Reg(A1), CsrSource::Imm(1)];
    for number in [0xc00, 0xc01, 0xc02, 0xc80, 0xc81, 0xc82] {
        for op in [CsrOp::Set, CsrOp::Clear] {
            for source in zero {
                assert_eq!(run_one(insn(op, source, number), |_, _| ()).0, Ok(()));
            }
            for source in others {
                let (ended, ..) = run_one(insn(op, source, number), |_, _| ());
                assert!(matches!(
                    ended,
                    Err(Stop::Trap(Trap::IllegalInstruction { .. }))
                ));
            }
        }
        for source in zero.into_iter().chain(others) {
            let (ended, ..) = run_one(insn(CsrOp::Write, source, number), |_, _| ());
            assert!(matches!(
                ended,
                Err(Stop::Trap(Trap::IllegalInstruction { .. }))
            ));
        }
    }
}

#[test]
fn counters_repeat_where_instructions_are_counted() {
    let read = |number| encode(insn(CsrOp::Set, CsrSource::Reg(Reg::ZERO), number));
    for (low, high) in [(0xc00, 0xc80), (0xc01, 0xc81), (0xc02, 0xc82)] {
        let (mut cpu, mut memory) = hart(&[NOP, read(low), read(high)]);
        cpu.instret = 0x1_ffff_ffff;
        let mut engine = Interpreter::new();
        engine.run(&mut cpu, &mut memory, &mut Budget::Instructions(2));
        assert_eq!(cpu.x[10], 0, "{low:#x}");
        engine.run(&mut cpu, &mut memory, &mut Budget::Instructions(1));
        assert_eq!(cpu.x[10], 2, "{high:#x}");
    }
}

/// Without counting, `cycle` runs at 1 GHz and `time` at 10 MHz.
#[test]
fn clocks_advance() {
    let read = |cpu: &mut Cpu, number| access(cpu, number, Change::None).unwrap();
    let mut cpu = Cpu::default();
    let (cycle, time) = (read(&mut cpu, 0xc00), read(&mut cpu, 0xc01));
    std::thread::sleep(Duration::from_millis(20));
    let (cycles, ticks) = (read(&mut cpu, 0xc00) - cycle, read(&mut cpu, 0xc01) - time);
    assert!(cycles >= 20_000_000, "{cycles}");
    assert!(ticks >= 200_000, "{ticks}");
    assert!(ticks < cycles / 50, "{ticks} {cycles}");
    assert_eq!(read(&mut cpu, 0xc02), 0);
}

#[test]
fn machine_csrs_exist_for_bare_metal_only() {
    let swap = insn(CsrOp::Write, CsrSource::Reg(A1), 0x340);
    let (ended, ..) = run_one(swap, |_, _| ());
    assert!(matches!(
        ended,
        Err(Stop::Trap(Trap::IllegalInstruction { .. }))
    ));

    let (mut cpu, mut memory) = hart(&[
        encode(swap),
        encode(insn(CsrOp::Set, CsrSource::Imm(0x10), 0x340)),
        encode(insn(CsrOp::Clear, CsrSource::Imm(0x0f), 0x340)),
        encode(insn(CsrOp::Set, CsrSource::Reg(Reg::ZERO), 0x340)),
    ]);
    cpu.mode.enabled = true;
    cpu.x[11] = 0x1205;
    for old in [0, 0x1205, 0x1215, 0x1210] {
        assert_eq!(step(&mut cpu, &mut memory), Ok(()));
        assert_eq!(cpu.x[10], old);
    }
}

#[test]
fn machine_csrs_and_their_first_values() {
    let mut cpu = Cpu::default();
    cpu.mode.enabled = true;
    cpu.instret = 77;
    for (number, value, writable) in [
        (0x301, 0x4010_1103, true),
        (0xf11, 0, false),
        (0xf14, 0, false),
        (0xb02, 77, true),
        (0xb82, 0, true),
    ] {
        assert_eq!(access(&mut cpu, number, Change::None), Some(value));
        let written = access(&mut cpu, number, Change::Write(5));
        assert_eq!(written, writable.then_some(value), "{number:#x}");
    }
    // The floating-point ones, supervisor ones, and unassigned ones stay illegal.
    for number in [0x001, 0x003, 0x100, 0x7ff, 0xb01, 0xc20, 0xf10, 0xf16] {
        assert_eq!(access(&mut cpu, number, Change::None), None, "{number:#x}");
    }
}

/// rd = rs1: the CSR gets the register's old value, the register the CSR's.
#[test]
fn csr_swaps() {
    let swap = insn(CsrOp::Write, CsrSource::Reg(A0), 0x341);
    let (ended, cpu, _) = run_one(swap, |cpu, _| {
        cpu.mode.enabled = true;
        cpu.mode.mepc = 0x1000;
        cpu.x[10] = 0x2000;
    });
    assert_eq!((ended, cpu.x[10], cpu.mode.mepc), (Ok(()), 0x1000, 0x2000));
}

/// Number, what is written, what can be read afterwards: WARL fields take what the hart has, and keep what they held
/// otherwise.
#[test]
fn machine_csrs_keep_what_the_hart_has() {
    let rows = [
        (0x300, 0xffff_ffff, 0x0022_1888),
        // S in MPP is not there: M, from before, stays.
        (0x300, 0x0000_0800, 0x0000_1800),
        (0x300, 0x0000_0008, 0x0000_0008),
        (0x301, 0, 0x4010_1103),
        (0x304, 0xffff_ffff, 0x888),
        (0x305, 0x8000_0003, 0x8000_0000),
        (0x305, 0x8000_0001, 0x8000_0001),
        (0x306, 0xffff_ffff, 7),
        (0x310, 0xffff_ffff, 0),
        (0x320, 0xffff_ffff, 5),
        (0x340, 0xdead_beef, 0xdead_beef),
        (0x341, 0x1003, 0x1000),
        (0x342, 0x8000_0007, 0x8000_0007),
        (0x343, 3, 3),
        (0x344, 0xffff_ffff, 0),
        (0x180, 0xffff_ffff, 0),
        (0x302, 0xffff_ffff, 0),
        (0x3a0, 0xffff_ffff, 0),
        (0x3b0, 0xffff_ffff, 0xffff_ffff),
        (0x3bf, 0x1234_5678, 0x1234_5678),
        (0x3c0, 0xffff_ffff, 0),
        (0x7a0, 0xffff_ffff, 0),
        (0xb03, 0xffff_ffff, 0),
    ];
    let mut cpu = Cpu::default();
    cpu.mode.enabled = true;
    for (number, written, left) in rows {
        assert!(access(&mut cpu, number, Change::Write(written)).is_some());
        let read = access(&mut cpu, number, Change::None);
        assert_eq!(read, Some(left), "{number:#x} {written:#x}");
    }
    // From U only counters, and only those that M lets it see.
    cpu.mode.privilege = Privilege::User;
    for number in [0x300, 0x340, 0xb00, 0xf14, 0x180] {
        assert_eq!(access(&mut cpu, number, Change::None), None, "{number:#x}");
    }
    for (seen, expected) in [(7, [true; 3]), (2, [false, true, false]), (0, [false; 3])] {
        cpu.mode.mcounteren = seen;
        let read = [0xc00, 0xc81, 0xc02].map(|n| access(&mut cpu, n, Change::None).is_some());
        assert_eq!(read, expected, "{seen}");
    }
}

/// `minstret` counts from what is written on, not counting the write.
#[test]
fn counters_of_the_machine_can_be_written() {
    let write = insn(CsrOp::Write, CsrSource::Reg(A1), 0xb02);
    let read = insn(CsrOp::Set, CsrSource::Reg(Reg::ZERO), 0xb02);
    let (mut cpu, mut memory) = hart(&[encode(write), encode(read), NOP, encode(read)]);
    cpu.mode.enabled = true;
    cpu.x[11] = 100;
    let mut seen = Vec::new();
    for _ in 0..4 {
        assert_eq!(step(&mut cpu, &mut memory), Ok(()));
        seen.push(cpu.x[10]);
    }
    assert_eq!(seen, [0, 100, 100, 102]);
}

#[test]
fn privileged_instructions_need_a_machine_mode() {
    let illegal = |word| Err(Stop::Trap(Trap::IllegalInstruction { word }));
    for op in PrivilegedOp::ALL {
        let run = |set_up: fn(&mut Cpu)| run_one(Insn::Privileged(op), |cpu, _| set_up(cpu)).0;
        assert_eq!(run(|_| ()), illegal(op.word()));
        let bare: fn(&mut Cpu) = |cpu| cpu.mode.enabled = true;
        let user: fn(&mut Cpu) = |cpu| {
            cpu.mode.enabled = true;
            cpu.mode.privilege = Privilege::User;
        };
        let expected = match op {
            PrivilegedOp::Mret => (Ok(()), illegal(op.word())),
            PrivilegedOp::Wfi => (Err(Stop::Wait), Err(Stop::Wait)),
        };
        assert_eq!((run(bare), run(user)), expected);
    }
}

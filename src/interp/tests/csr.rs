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
    cpu.csr.enabled = true;
    cpu.x[11] = 0x1205;
    for old in [0, 0x1205, 0x1215, 0x1210] {
        assert_eq!(step(&mut cpu, &mut memory), Ok(()));
        assert_eq!(cpu.x[10], old);
    }
}

#[test]
fn machine_csrs_of_fixed_value() {
    let mut cpu = Cpu::default();
    cpu.csr.enabled = true;
    cpu.instret = 77;
    for (number, value, writable) in [
        (0x301, 0x4000_1100, true),
        (0xf11, 0, false),
        (0xf14, 0, false),
        (0xb02, 77, true),
        (0xb82, 0, true),
    ] {
        let written = access(&mut cpu, number, Change::Write(5));
        assert_eq!(written, writable.then_some(value), "{number:#x}");
        assert_eq!(access(&mut cpu, number, Change::None), Some(value));
    }
    // The floating-point ones, supervisor ones, and unassigned ones stay illegal.
    for number in [0x001, 0x003, 0x100, 0x7ff, 0xb01, 0xc03, 0xf10, 0xf16] {
        assert_eq!(access(&mut cpu, number, Change::None), None, "{number:#x}");
    }
}

/// rd = rs1: the CSR gets the register's old value, the register the CSR's.
#[test]
fn csr_swaps() {
    let swap = insn(CsrOp::Write, CsrSource::Reg(A0), 0x341);
    let (ended, cpu, _) = run_one(swap, |cpu, _| {
        cpu.csr.enabled = true;
        cpu.csr.set(0x341, 0x1000);
        cpu.x[10] = 0x2000;
    });
    assert_eq!(
        (ended, cpu.x[10], cpu.csr.get(0x341)),
        (Ok(()), 0x1000, 0x2000)
    );
}

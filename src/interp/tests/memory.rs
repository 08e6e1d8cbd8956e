//! Loads, stores, and their faults.

use super::*;

/// The bytes at the middle of the data, across its two pages.
const BYTES: [u8; 8] = [0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8];
const MIDDLE: u32 = DATA + PAGE_SIZE;

#[test]
fn loads() {
    for (op, at, result) in [
        (LoadOp::Lb, 0, 0xffff_ff81),
        (LoadOp::Lbu, 0, 0x81),
        (LoadOp::Lh, 0, 0xffff_9281),
        (LoadOp::Lhu, 0, 0x9281),
        (LoadOp::Lw, 0, 0xb4a3_9281),
        (LoadOp::Lhu, 1, 0xa392),
        (LoadOp::Lw, 1, 0xc5b4_a392),
        (LoadOp::Lw, 2, 0xd6c5_b4a3),
        (LoadOp::Lw, 3, 0xe7d6_c5b4),
        (LoadOp::Lh, 3, 0xffff_c5b4),
        (LoadOp::Lhu, 3, 0xc5b4),
        (LoadOp::Lb, 4, 0xffff_ffc5),
    ] {
        for rd in [reg(5), A0, Reg::ZERO] {
            let addr = MIDDLE - 4 + at;
            for offset in [-2048, 0, 2047] {
                let insn = Insn::Load {
                    op,
                    rd,
                    rs1: A0,
                    offset,
                };
                let (ended, cpu, _) = run_one(insn, |cpu, memory| {
                    memory.write(MIDDLE - 4, &BYTES).unwrap();
                    cpu.x[10] = addr.wrapping_add_signed(-offset);
                });
                assert_eq!((ended, cpu.pc), (Ok(()), CODE + 4));
                assert_eq!(
                    cpu.get(rd),
                    if rd.is_zero() { 0 } else { result },
                    "{insn:?}"
                );
            }
        }
    }
}

#[test]
fn stores() {
    for (op, at, bytes) in [
        (
            StoreOp::Sb,
            3,
            [0x81, 0x92, 0xa3, 0x44, 0xc5, 0xd6, 0xe7, 0xf8],
        ),
        (
            StoreOp::Sh,
            0,
            [0x44, 0x33, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8],
        ),
        (
            StoreOp::Sh,
            3,
            [0x81, 0x92, 0xa3, 0x44, 0x33, 0xd6, 0xe7, 0xf8],
        ),
        (
            StoreOp::Sw,
            4,
            [0x81, 0x92, 0xa3, 0xb4, 0x44, 0x33, 0x22, 0x11],
        ),
        (
            StoreOp::Sw,
            1,
            [0x81, 0x44, 0x33, 0x22, 0x11, 0xd6, 0xe7, 0xf8],
        ),
    ] {
        let insn = Insn::Store {
            op,
            rs1: A0,
            rs2: A1,
            offset: -3,
        };
        let (ended, cpu, mut memory) = run_one(insn, |cpu, memory| {
            memory.write(MIDDLE - 4, &BYTES).unwrap();
            (cpu.x[10], cpu.x[11]) = (MIDDLE - 1 + at, 0x1122_3344);
        });
        assert_eq!((ended, cpu.pc), (Ok(()), CODE + 4));
        let mut found = [0; 8];
        memory.read(MIDDLE - 4, &mut found).unwrap();
        assert_eq!(found, bytes, "{insn:?} {at}");
    }
    // Base and source may be one register.
    let insn = Insn::Store {
        op: StoreOp::Sw,
        rs1: A0,
        rs2: A0,
        offset: 0,
    };
    let (.., mut memory) = run_one(insn, |cpu, _| cpu.x[10] = DATA);
    assert_eq!(memory.load::<u32>(DATA), Ok(DATA));
}

#[test]
fn faults_are_precise() {
    let end = DATA + 2 * PAGE_SIZE;
    for (addr, width, first_bad, kind) in [
        (0, 4, 0, FaultKind::Unmapped),
        (end - 3, 4, end, FaultKind::Unmapped),
        (end - 1, 2, end, FaultKind::Unmapped),
        (end, 1, end, FaultKind::Unmapped),
        (DATA - 1, 4, DATA - 1, FaultKind::Unmapped),
        (0xffff_ffff, 1, 0xffff_ffff, FaultKind::Unmapped),
    ] {
        let load = [LoadOp::Lb, LoadOp::Lh, LoadOp::Lw];
        let store = [StoreOp::Sb, StoreOp::Sh, StoreOp::Sw];
        let index = width / 2;
        // A load to x0 faults as any other.
        for rd in [A0, A1, Reg::ZERO] {
            let insn = Insn::Load {
                op: load[index],
                rd,
                rs1: A0,
                offset: 4,
            };
            let (ended, ..) = run_one(insn, |cpu, _| cpu.x[10] = addr.wrapping_sub(4));
            let fault = Fault {
                addr: first_bad,
                access: Access::Read,
                kind,
            };
            assert_eq!(ended, Err(Stop::Fault(fault)), "{insn:?} {addr:#x}");
        }
        let insn = Insn::Store {
            op: store[index],
            rs1: A0,
            rs2: A1,
            offset: -4,
        };
        let (ended, _, mut memory) = run_one(insn, |cpu, _| {
            (cpu.x[10], cpu.x[11]) = (addr.wrapping_add(4), u32::MAX);
        });
        let fault = Fault {
            addr: first_bad,
            access: Access::Write,
            kind,
        };
        assert_eq!(ended, Err(Stop::Fault(fault)), "{insn:?} {addr:#x}");
        // Half of a store is no store.
        assert_eq!(memory.load::<u32>(end - 4), Ok(0));
    }
    let insn = Insn::Store {
        op: StoreOp::Sb,
        rs1: A0,
        rs2: A1,
        offset: 0,
    };
    let (ended, ..) = run_one(insn, |cpu, _| cpu.x[10] = CODE);
    let fault = Fault {
        addr: CODE,
        access: Access::Write,
        kind: FaultKind::Denied,
    };
    assert_eq!(ended, Err(Stop::Fault(fault)));
}

#[test]
fn addresses_wrap() {
    let insn = Insn::Load {
        op: LoadOp::Lw,
        rd: A1,
        rs1: A0,
        offset: 16,
    };
    let top = 0xffff_f000;
    let (ended, cpu, _) = run_one(insn, |cpu, memory| {
        memory.map(top, PAGE_SIZE.into(), Permissions::RW).unwrap();
        memory.store(0xffff_fffc, 0x1234_5678_u32).unwrap();
        cpu.x[10] = 0xffff_ffec;
    });
    assert_eq!((ended, cpu.x[11]), (Ok(()), 0x1234_5678));
    // The bytes after the last are those at 0, which nobody has.
    let (ended, ..) = run_one(insn, |cpu, memory| {
        memory.map(top, PAGE_SIZE.into(), Permissions::RW).unwrap();
        cpu.x[10] = 0xffff_ffee;
    });
    let fault = Fault {
        addr: 0,
        access: Access::Read,
        kind: FaultKind::Unmapped,
    };
    assert_eq!(ended, Err(Stop::Fault(fault)));
    let (ended, ..) = run_one(insn, |cpu, _| cpu.x[10] = 0xffff_fff0);
    assert_eq!(ended, Err(Stop::Fault(fault)));
}

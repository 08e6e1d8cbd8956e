//! The reference engine against the spec. Expected values are written out, not computed by what is tested.

use super::*;
use crate::memory::{Access, FaultKind, MemoryConfig, PAGE_SIZE, Permissions};

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
    let (mut cpu, mut memory) = hart(&COUNT_FOREVER);
    let stop = Arc::new(AtomicBool::new(false));
    let mut engine = Interpreter {
        stop: Some(Arc::clone(&stop)),
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            stop.store(true, Ordering::Relaxed);
        });
        let end = engine.run(&mut cpu, &mut memory, &mut Budget::Unlimited);
        assert_eq!(end, Stop::Interrupted);
    });
    assert!(cpu.x[10] > 0);
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

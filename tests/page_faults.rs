//! Guests that live on faults: whoever embeds a machine acts on a fault and runs on. On every engine and placement.
//!
//! `RVJIT_FAULTS` sets how many faults each of the long tests has; a million takes a minute or so.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use rvjit::cpu::Cpu;
use rvjit::engine::{Budget, Engine, Stop};
use rvjit::interp::Interpreter;
use rvjit::machine::{EngineKind, Exit, Machine, MachineConfig};
use rvjit::memory::{Access, Fault, FaultKind, Memory, MemoryConfig, Permissions, Placement};
use rvjit::rv32::encode::encode;
use rvjit::rv32::{AluOp, Cond, Insn, LoadOp, MulOp, Reg, StoreOp};
use rvjit::syscall::Stream;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

const PAGE: u32 = 4096;
/// Where the guest's pages come and go.
const DATA: u32 = 0x4000_0000;

fn reg(number: u8) -> Reg {
    Reg::new(number).unwrap()
}

fn add(rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    let op = AluOp::Add;
    Insn::Alu { op, rd, rs1, rs2 }
}

fn alu_imm(op: AluOp, rd: Reg, rs1: Reg, imm: i32) -> Insn {
    Insn::AluImm { op, rd, rs1, imm }
}

fn load(rd: Reg, rs1: Reg) -> Insn {
    Insn::Load {
        op: LoadOp::Lw,
        rd,
        rs1,
        offset: 0,
    }
}

fn store(rs1: Reg, rs2: Reg, offset: i32) -> Insn {
    Insn::Store {
        op: StoreOp::Sw,
        rs1,
        rs2,
        offset,
    }
}

fn code(insns: &[Insn]) -> Vec<u8> {
    let words = insns.iter().map(|&insn| encode(insn));
    words.flat_map(u32::to_le_bytes).collect()
}

fn faults() -> u32 {
    match std::env::var("RVJIT_FAULTS") {
        Ok(text) => text.parse().expect("a decimal number"),
        // ARM64 mostly means QEMU here, where a signal costs many times more.
        Err(_) if cfg!(target_arch = "aarch64") => 5_000,
        Err(_) => 50_000,
    }
}

/// To be held while there is memory of this placement: only one can be at the lowest host addresses.
fn alone(placement: Placement) -> Option<MutexGuard<'static, ()>> {
    static IDENTITY: Mutex<()> = Mutex::new(());
    let one_only = placement == Placement::Identity;
    // A test that failed while it held this is no reason for others to fail.
    one_only.then(|| IDENTITY.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The fixture, with this program in the place of its first instructions.
fn machine(fixture: &str, engine: EngineKind, placement: Placement, program: &[Insn]) -> Machine {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let config = MachineConfig {
        engine,
        placement: Some(placement),
        stdout: Stream::Null,
        ..MachineConfig::default()
    };
    let mut machine = Machine::open(&path.join(fixture), config).unwrap();
    let entry = machine.image().entry;
    machine.memory_mut().poke(entry, &code(program)).unwrap();
    machine
}

/// Gives a guest its pages one at a time, never more than [`Pager::FRAMES`], and keeps the bytes of the others.
struct Pager {
    pages: Vec<Vec<u8>>,
    present: VecDeque<u32>,
    faults: u32,
}

impl Pager {
    const PAGES: u32 = 64;
    const FRAMES: usize = 4;

    fn new() -> Pager {
        Pager {
            pages: vec![vec![0; PAGE as usize]; Self::PAGES as usize],
            present: VecDeque::new(),
            faults: 0,
        }
    }

    fn evict(&mut self, memory: &mut Memory) {
        let page = self.present.pop_front().unwrap();
        let addr = DATA + page * PAGE;
        memory.read(addr, &mut self.pages[page as usize]).unwrap();
        memory.unmap(addr, PAGE.into()).unwrap();
    }

    fn act_on(&mut self, fault: Fault, memory: &mut Memory) {
        assert_eq!(fault.kind, FaultKind::Unmapped, "{fault}");
        let page = (fault.addr - DATA) / PAGE;
        if self.present.len() == Self::FRAMES {
            self.evict(memory);
        }
        let addr = DATA + page * PAGE;
        memory.map(addr, PAGE.into(), Permissions::RW).unwrap();
        memory.poke(addr, &self.pages[page as usize]).unwrap();
        self.present.push_back(page);
        self.faults += 1;
    }
}

/// A guest that adds up and changes words all over memory that is not there until it faults.
fn demand_paging(engine: EngineKind, placement: Placement) {
    let _alone = alone(placement);
    let (seed, from, to, word, sum, left) = (reg(10), reg(5), reg(29), reg(6), reg(9), reg(20));
    let (factor, base) = (reg(11), reg(8));
    let random = |rd| {
        [
            Insn::Mul {
                op: MulOp::Mul,
                rd: seed,
                rs1: seed,
                rs2: factor,
            },
            alu_imm(AluOp::Add, seed, seed, 1013),
            alu_imm(AluOp::Srl, rd, seed, 14),
            alu_imm(AluOp::And, rd, rd, -4),
            add(rd, rd, base),
        ]
    };
    let mut program = Vec::new();
    program.extend(random(from));
    program.push(load(word, from));
    program.push(add(sum, sum, word));
    program.extend(random(to));
    program.push(add(word, word, seed));
    program.push(store(to, word, 0));
    program.push(alu_imm(AluOp::Add, left, left, -1));
    let back = -4 * i32::try_from(program.len()).unwrap();
    program.push(Insn::Branch {
        cond: Cond::Ne,
        rs1: left,
        rs2: Reg::ZERO,
        offset: back,
    });
    program.push(Insn::Ebreak);

    const FACTOR: u32 = 1_664_525;
    // Of two accesses, 60 in 64 fault each.
    let rounds = faults() / 2 * 17 / 16;
    let mut machine = machine("hello.elf", engine, placement, &program);
    let cpu = machine.cpu_mut();
    for (register, value) in [(seed, 1), (factor, FACTOR), (base, DATA), (left, rounds)] {
        cpu.x[register.index()] = value;
    }
    let mut pager = Pager::new();
    let exit = loop {
        match machine.run() {
            Exit::Fault(fault) => pager.act_on(fault, machine.memory_mut()),
            exit => break exit,
        }
    };
    assert_eq!(exit, Exit::Breakpoint);
    assert!(pager.faults > faults() / 10 * 9, "{} faults", pager.faults);

    let mut words = vec![0_u32; (Pager::PAGES * PAGE / 4) as usize];
    let (mut state, mut total) = (1_u32, 0_u32);
    let mut next = || {
        state = state.wrapping_mul(FACTOR).wrapping_add(1013);
        (state, (state >> 16) as usize)
    };
    for _ in 0..rounds {
        let word = words[next().1];
        total = total.wrapping_add(word);
        let (state, at) = next();
        words[at] = word.wrapping_add(state);
    }
    assert_eq!(machine.cpu().x[sum.index()], total);
    while !pager.present.is_empty() {
        pager.evict(machine.memory_mut());
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    assert!(pager.pages.concat() == bytes, "the pages differ");
}

/// A guest whose every store goes to the page of `tohost`, which emitted code may not write: each is a host fault,
/// the guest notices none.
fn stores_to_a_watched_page(engine: EngineKind, placement: Placement) {
    let _alone = alone(placement);
    let (base, left, one) = (reg(8), reg(20), reg(5));
    let rounds = faults();
    let program = [
        store(base, left, 16),
        alu_imm(AluOp::Add, left, left, -1),
        Insn::Branch {
            cond: Cond::Ne,
            rs1: left,
            rs2: Reg::ZERO,
            offset: -8,
        },
        store(base, one, 0),
        // Not reached.
        Insn::Ebreak,
    ];
    let mut machine = machine("tohost_pass.elf", engine, placement, &program);
    let tohost = machine.image().special.tohost.unwrap().addr;
    let cpu = machine.cpu_mut();
    for (register, value) in [(base, tohost), (left, rounds), (one, 1)] {
        cpu.x[register.index()] = value;
    }
    assert_eq!(machine.run(), Exit::Status(0));
    assert_eq!(machine.memory_mut().load::<u32>(tohost + 16), Ok(1));
    assert_eq!(machine.cpu().x[left.index()], 0);
}

/// An access that needs two new pages where one is left changes nothing.
fn two_pages_wanted_one_left(engine: EngineKind, placement: Placement) {
    const CODE: u32 = 0x2_0000;
    let _alone = alone(placement);
    let (at, value) = (reg(10), reg(11));
    for (insn, access) in [
        (load(value, at), Access::Read),
        (store(at, value, 0), Access::Write),
    ] {
        let mut memory = Memory::new(MemoryConfig {
            placement,
            limit_pages: 2,
            strict_align: false,
        })
        .unwrap();
        memory.map(CODE, PAGE.into(), Permissions::RX).unwrap();
        memory
            .map(DATA, 2 * u64::from(PAGE), Permissions::RW)
            .unwrap();
        memory.poke(CODE, &code(&[insn, Insn::Ebreak])).unwrap();
        let run = |memory: &mut Memory, address: u32| {
            let mut cpu = Cpu {
                pc: CODE,
                ..Cpu::default()
            };
            (cpu.x[at.index()], cpu.x[value.index()]) = (address, 0x1234_5678);
            let stop = make(engine, memory).run(&mut cpu, memory, &mut Budget::Unlimited);
            (stop, cpu)
        };
        let (stop, cpu) = run(&mut memory, DATA + PAGE - 2);
        let fault = Fault {
            addr: DATA + PAGE,
            access,
            kind: FaultKind::OutOfPages,
        };
        assert_eq!(stop, Stop::Fault(fault));
        assert_eq!((cpu.pc, cpu.x[value.index()]), (CODE, 0x1234_5678));
        assert_eq!(memory.pages_used(), 1, "only the code's");
        // So either of the two pages can still be had.
        assert_eq!(run(&mut memory, DATA + PAGE).0, Stop::Ebreak);
        assert_eq!(memory.pages_used(), 2);
        let bytes: u32 = memory.load(DATA + PAGE).unwrap();
        assert_eq!(
            bytes,
            if access == Access::Write {
                0x1234_5678
            } else {
                0
            }
        );
    }
}

fn make(engine: EngineKind, memory: &Memory) -> Box<dyn Engine> {
    match engine {
        #[cfg(all(
            target_os = "linux",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ))]
        EngineKind::Jit => {
            Box::new(rvjit::jit::for_host(memory, rvjit::jit::JitConfig::default()).unwrap())
        }
        _ => Box::new(Interpreter::default()),
    }
}

/// A test a guest, an engine and a placement.
macro_rules! on_all {
    ($($guest:ident),*) => { $(
        mod $guest {
            use super::{EngineKind, Placement};

            #[test]
            fn interp_paged() {
                super::$guest(EngineKind::Interp, Placement::Paged);
            }

            #[test]
            fn interp_window() {
                super::$guest(EngineKind::Interp, Placement::Window);
            }

            #[test]
            fn interp_identity() {
                super::$guest(EngineKind::Interp, Placement::Identity);
            }

            #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
            #[test]
            fn jit_paged() {
                super::$guest(EngineKind::Jit, Placement::Paged);
            }

            #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
            #[test]
            fn jit_window() {
                super::$guest(EngineKind::Jit, Placement::Window);
            }

            #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
            #[test]
            fn jit_identity() {
                super::$guest(EngineKind::Jit, Placement::Identity);
            }
        }
    )* };
}
on_all!(
    demand_paging,
    stores_to_a_watched_page,
    two_pages_wanted_one_left
);

//! Random programs with a trap handler that writes down every trap and goes on behind it: interpreter and JIT agree in
//! each trap's `mepc`, `mcause` and `mtval`, in the registers that the handler finds, and in their order.
//!
//! `RVJIT_SEED` and `RVJIT_PROGRAMS` choose the programs. Half of them are counted (`max_insns`): these are interrupted by
//! the timer besides, whose time is then in instructions, so that interrupts come at the same instruction everywhere.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot make its program has failed"
)]

mod common;

use common::one_segment;
use rvjit::elf::Image;
use rvjit::machine::{EngineKind, Exit, JIT_AVAILABLE, Machine, MachineConfig};
use rvjit::memory::Placement;
use rvjit::platform::Platform;
use rvjit::rv32::encode;
use rvjit::rv32::{AluOp, Cond, CsrOp, CsrSource, Insn, LoadOp, MulOp, PrivilegedOp, Reg, StoreOp};
use rvjit::syscall::Stream;
use std::env;

const CODE: u32 = 0x8000_0000;
const DATA: u32 = 0x8010_0000;
const LOG: u32 = 0x8020_0000;
/// Bytes of an entry: `mepc`, `mcause`, `mtval`, and registers.
const ENTRY: i32 = 32;
/// Nothing is there.
const NOWHERE: u32 = 0x1800_0000;
/// The CLINT's `mtimecmp`, lower half.
const MTIMECMP: u32 = 0x0200_4000;
/// Instructions from one timer interrupt to the next.
const INTERVAL: i32 = 97;
/// Times that the body is executed.
const ROUNDS: i32 = 40;
/// Instructions of a counted run.
const COUNTED: u64 = 30_000;

/// Programs, unless `RVJIT_PROGRAMS` says more. Each makes a machine for each way to run it, and what emulates ARM64 keeps
/// 160 MB for the addresses of each machine until the process ends.
const PROGRAMS: u64 = if cfg!(target_arch = "aarch64") { 8 } else { 60 };

/// Bases that bodies use and never change.
const DATA_BASE: u8 = 16;
const NO_BASE: u8 = 17;
/// Where to go on behind a jump to nowhere.
const BEHIND: u8 = 28;
const ROUND: u8 = 29;
const SCRATCH: u8 = 30;
const LOG_END: u8 = 31;
/// `mtimecmp`.
const TIMER_BASE: u8 = 27;
/// What bodies compute with.
const FREE: [u8; 9] = [5, 6, 7, 10, 11, 12, 13, 14, 15];
/// Those of them that the handler writes down.
const LOGGED: [u8; 5] = [5, 10, 12, 14, 15];

const MSTATUS: u16 = 0x300;
const MTVEC: u16 = 0x305;
const MIE: u16 = 0x304;
const MSCRATCH: u16 = 0x340;
const MEPC: u16 = 0x341;
const MCAUSE: u16 = 0x342;
const MTVAL: u16 = 0x343;

fn reg(number: u8) -> Reg {
    Reg::from_field(number.into())
}

/// Numbers that are the same for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16 & 0xffff_ffff) as u32
    }

    fn below(&mut self, most: u32) -> u32 {
        self.next() % most
    }

    fn free(&mut self) -> Reg {
        reg(FREE[self.below(9) as usize])
    }
}

/// Words, in the order in which they lie.
#[derive(Default)]
struct Code(Vec<u32>);

impl Code {
    fn insn(&mut self, insn: Insn) {
        self.0.push(encode(insn));
    }

    fn addi(&mut self, rd: u8, rs1: u8, imm: i32) {
        self.insn(Insn::AluImm {
            op: AluOp::Add,
            rd: reg(rd),
            rs1: reg(rs1),
            imm,
        });
    }

    fn load_address(&mut self, rd: u8, address: u32) {
        self.insn(Insn::Lui {
            rd: reg(rd),
            imm: address,
        });
    }

    fn read(&mut self, rd: u8, csr: u16) {
        self.csr(CsrOp::Set, rd, 0, csr);
    }

    fn write(&mut self, csr: u16, rs1: u8) {
        self.csr(CsrOp::Write, 0, rs1, csr);
    }

    fn csr(&mut self, op: CsrOp, rd: u8, rs1: u8, csr: u16) {
        self.insn(Insn::Csr {
            op,
            rd: reg(rd),
            source: CsrSource::Reg(reg(rs1)),
            csr,
        });
    }

    fn store(&mut self, rs2: u8, offset: i32, rs1: u8) {
        self.insn(Insn::Store {
            op: StoreOp::Sw,
            rs1: reg(rs1),
            rs2: reg(rs2),
            offset,
        });
    }

    fn branch(&mut self, cond: Cond, rs1: u8, rs2: u8, offset: i32) {
        self.insn(Insn::Branch {
            cond,
            rs1: reg(rs1),
            rs2: reg(rs2),
            offset,
        });
    }
}

/// The handler; it changes SCRATCH and LOG_END only.
fn handler() -> Code {
    let mut code = Code::default();
    code.write(MSCRATCH, SCRATCH);
    for (n, csr) in (0..).zip([MEPC, MCAUSE, MTVAL]) {
        code.read(SCRATCH, csr);
        code.store(SCRATCH, 4 * n, LOG_END);
    }
    for (n, logged) in (3..).zip(LOGGED) {
        code.store(logged, 4 * n, LOG_END);
    }
    code.addi(LOG_END, LOG_END, ENTRY);
    code.read(SCRATCH, MCAUSE);
    // An interrupt sets the timer anew and returns to where it was.
    code.branch(Cond::Lt, SCRATCH, 0, 4 * 9);
    code.addi(SCRATCH, SCRATCH, -1);
    code.branch(Cond::Eq, SCRATCH, 0, 4 * 5);
    code.read(SCRATCH, MEPC);
    code.addi(SCRATCH, SCRATCH, 4);
    code.write(MEPC, SCRATCH);
    code.branch(Cond::Eq, 0, 0, 4 * 6);
    // A jump to nowhere.
    code.write(MEPC, BEHIND);
    code.branch(Cond::Eq, 0, 0, 4 * 4);
    // The timer: time is instret.
    code.read(SCRATCH, 0xc01);
    code.addi(SCRATCH, SCRATCH, INTERVAL);
    code.store(SCRATCH, 0, TIMER_BASE);
    code.read(SCRATCH, MSCRATCH);
    code.insn(Insn::Privileged(PrivilegedOp::Mret));
    code
}

/// One or a few instructions of a body.
fn piece(random: &mut Random, code: &mut Code) {
    let (rd, rs1, rs2) = (random.free(), random.free(), random.free());
    let base = match random.below(8) {
        0 => NO_BASE,
        _ => DATA_BASE,
    };
    let offset = (random.below(64) * 4).cast_signed();
    match random.below(24) {
        0..=5 => {
            let op = [
                AluOp::Add,
                AluOp::Sub,
                AluOp::Xor,
                AluOp::Sltu,
                AluOp::Srl,
                AluOp::Or,
            ];
            let op = op[random.below(6) as usize];
            code.insn(Insn::Alu { op, rd, rs1, rs2 });
        }
        6..=8 => code.insn(Insn::AluImm {
            op: AluOp::Add,
            rd,
            rs1,
            imm: random.below(4096).cast_signed() - 2048,
        }),
        9 => code.insn(Insn::Mul {
            op: MulOp::Mul,
            rd,
            rs1,
            rs2,
        }),
        10..=12 => {
            let op = [LoadOp::Lw, LoadOp::Lb, LoadOp::Lhu, LoadOp::Lw];
            code.insn(Insn::Load {
                op: op[random.below(4) as usize],
                rd,
                rs1: reg(base),
                offset,
            });
        }
        13..=15 => {
            let op = [StoreOp::Sw, StoreOp::Sb, StoreOp::Sh, StoreOp::Sw];
            code.insn(Insn::Store {
                op: op[random.below(4) as usize],
                rs1: reg(base),
                rs2,
                offset,
            });
        }
        // Over one or two instructions.
        16 | 17 => {
            let cond = [Cond::Eq, Cond::Ne, Cond::Ltu, Cond::Ge][random.below(4) as usize];
            let offset = 4 * (2 + random.below(2)).cast_signed();
            code.insn(Insn::Branch {
                cond,
                rs1,
                rs2,
                offset,
            });
            code.addi(5, 5, 1);
            code.addi(6, 6, 1);
        }
        18 => code
            .0
            .push([0, 0xffff_ffff, 0x0000_000b, 0x1020_0073][random.below(4) as usize]),
        19 => code.insn(Insn::Ecall),
        20 => code.insn(Insn::Ebreak),
        // A misaligned target, of a jump or of a branch that is perhaps taken.
        21 => match random.below(2) {
            0 => code.insn(Insn::Jal {
                rd,
                offset: 6 + offset,
            }),
            _ => code.insn(Insn::Branch {
                cond: Cond::Ltu,
                rs1,
                rs2,
                offset: 6 + offset,
            }),
        },
        // A jump to nowhere: the handler goes on behind it.
        22 => {
            code.insn(Insn::Auipc {
                rd: reg(BEHIND),
                imm: 0,
            });
            code.addi(BEHIND, BEHIND, 12);
            code.insn(Insn::Jalr {
                rd,
                rs1: reg(NO_BASE),
                offset,
            });
        }
        _ => {
            let csr = [MSCRATCH, 0x5c0, 0xf14][random.below(3) as usize];
            code.csr(CsrOp::Set, rd.index().try_into().unwrap(), 0, csr);
        }
    }
}

/// The program: start, then the body round and round, then semihosting's exit.
fn program(random: &mut Random, timer: bool, user: bool) -> Vec<u32> {
    let handler = handler().0;
    let mut code = Code::default();
    code.insn(Insn::Jal {
        rd: reg(0),
        offset: i32::try_from(4 * (handler.len() + 1)).unwrap(),
    });
    code.0.extend(handler);
    code.load_address(SCRATCH, CODE);
    code.addi(SCRATCH, SCRATCH, 4);
    code.write(MTVEC, SCRATCH);
    code.load_address(DATA_BASE, DATA);
    code.load_address(NO_BASE, NOWHERE);
    code.load_address(TIMER_BASE, MTIMECMP);
    code.load_address(LOG_END, LOG);
    for free in FREE {
        code.load_address(free, random.next() & 0xffff_f000);
    }
    if timer {
        code.addi(SCRATCH, 0, 0);
        code.store(SCRATCH, 4, TIMER_BASE);
        code.addi(SCRATCH, 0, 500);
        code.store(SCRATCH, 0, TIMER_BASE);
        code.addi(SCRATCH, 0, 1 << 7);
        code.write(MIE, SCRATCH);
    }
    // On in M or U, with interrupts on.
    // MPIE, and 3 in MPP for M: in two parts, as immediates are signed.
    code.load_address(SCRATCH, if user { 0 } else { 0x2000 });
    code.addi(
        SCRATCH,
        SCRATCH,
        if user { 1 << 7 } else { (1 << 7) - 0x800 },
    );
    code.write(MSTATUS, SCRATCH);
    code.insn(Insn::Auipc {
        rd: reg(SCRATCH),
        imm: 0,
    });
    code.addi(SCRATCH, SCRATCH, 16);
    code.write(MEPC, SCRATCH);
    code.insn(Insn::Privileged(PrivilegedOp::Mret));
    code.addi(ROUND, 0, ROUNDS);
    let start = code.0.len();
    for _ in 0..8 + random.below(30) {
        piece(random, &mut code);
    }
    // What a branch at the end leaps over.
    code.addi(7, 7, 3);
    code.addi(7, 7, 3);
    code.addi(ROUND, ROUND, -1);
    let back = 4 * (i32::try_from(start).unwrap() - i32::try_from(code.0.len()).unwrap());
    code.branch(Cond::Ne, ROUND, 0, back);
    code.addi(10, 0, 0x18);
    code.load_address(11, 0x2_0000);
    code.addi(11, 11, 0x26);
    // The triple may not cross a page; no program is that long.
    code.0.extend([0x01f0_1013, 0x0010_0073, 0x4070_5013]);
    code.0
}

/// How a run is made.
#[derive(Debug, Clone, Copy)]
struct Side {
    engine: EngineKind,
    placement: Placement,
    hot: Option<u8>,
}

/// What a run left: how it ended, the hart, the traps, the data.
type Left = (Exit, [u32; 32], u32, Vec<[u32; 8]>, Vec<u8>);

fn run(words: &[u32], side: Side, counted: bool) -> (Left, u64) {
    let image = Image::parse(one_segment(CODE, words)).unwrap();
    let mut machine = Machine::new(
        image,
        MachineConfig {
            platform: Some(Platform::Bare),
            engine: side.engine,
            placement: Some(side.placement),
            hot: side.hot,
            max_insns: counted.then_some(COUNTED),
            stdout: Stream::Null,
            stderr: Stream::Null,
            ..MachineConfig::default()
        },
    )
    .unwrap();
    let exit = machine.run();
    let cpu = machine.cpu();
    let (x, pc) = (cpu.x, cpu.pc);
    let memory = machine.memory();
    let mut log = vec![0; (x[usize::from(LOG_END)] - LOG) as usize];
    memory.peek(LOG, &mut log).unwrap();
    let entry = |bytes: &[u8]| {
        let word = |n: usize| u32::from_le_bytes(bytes[4 * n..4 * n + 4].try_into().unwrap());
        [0, 1, 2, 3, 4, 5, 6, 7].map(word)
    };
    let traps = log
        .chunks_exact(ENTRY.cast_unsigned() as usize)
        .map(entry)
        .collect();
    let mut data = vec![0; 512];
    memory.peek(DATA, &mut data).unwrap();
    let entered = machine.engine_stats().entered;
    ((exit, x, pc, traps, data), entered)
}

fn from_environment(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn sides() -> Vec<Side> {
    let side = |placement, hot| Side {
        engine: EngineKind::Jit,
        placement,
        hot,
    };
    let mut sides: Vec<Side> = Placement::ALL
        .into_iter()
        .map(|placement| side(placement, Some(0)))
        .collect();
    sides.push(side(Placement::Window, Some(3)));
    sides
}

#[test]
fn traps_agree() {
    if !JIT_AVAILABLE {
        return;
    }
    let (seed, programs) = (
        from_environment("RVJIT_SEED", 1),
        from_environment("RVJIT_PROGRAMS", PROGRAMS),
    );
    let (mut traps, mut interrupts, mut kinds, mut in_code) = (0, 0, 0_u32, 0);
    for number in seed..seed + programs {
        let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (counted, user) = (number % 2 == 0, number / 2 % 2 == 0);
        let words = program(&mut random, counted, user);
        let reference = Side {
            engine: EngineKind::Interp,
            placement: Placement::Paged,
            hot: None,
        };
        let (expected, _) = run(&words, reference, counted);
        let ends = matches!(expected.0, Exit::Status(0) | Exit::MaxInsns);
        assert!(ends, "seed {number}: {:?} at {:#x}", expected.0, expected.2);
        for trap in &expected.3 {
            traps += 1;
            interrupts += u32::from(trap[1] >> 31 != 0);
            kinds |= 1 << (trap[1] & 31) & (trap[1] >> 31).wrapping_sub(1);
        }
        for side in sides() {
            let (left, entered) = run(&words, side, counted);
            in_code += entered;
            let first = left.3.iter().zip(&expected.3).position(|(a, b)| a != b);
            if let Some(n) = first {
                panic!(
                    "seed {number}, {side:?}: trap {n} is {:x?}, not {:x?}",
                    left.3[n], expected.3[n]
                );
            }
            assert_eq!(left, expected, "seed {number}, {side:?}");
        }
    }
    assert!(in_code > 0, "no emitted code was executed");
    if programs >= 40 {
        // Misaligned jump, fetch, illegal, ebreak, load, store, ecall from U and from M.
        assert_eq!(kinds, 0b1001_1010_1111, "{kinds:#b}");
        assert!(traps > 1000 && interrupts > 100, "{traps}, {interrupts}");
    }
}

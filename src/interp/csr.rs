//! The control and status registers that a guest sees (Unprivileged spec, chapters "Zicsr" and "Zicntr"; Privileged
//! spec, chapter "Machine-Level ISA").
//!
//! | CSR | value |
//! |---|---|
//! | `cycle` | nanoseconds of the host's clock: a machine of 1 GHz |
//! | `time` | ticks of 100 ns: the 10 MHz that device trees of virtual machines give |
//! | `instret` | [`Cpu::instret`] |
//!
//! While [`Cpu::counting`] is on, all three equal `instret`, so that a run repeats exactly. A bare machine
//! ([`MachineMode::enabled`](crate::cpu::MachineMode)) has the CSRs of machine mode besides. What a hart without S mode,
//! paging, PMP entries, triggers or event counters does not have, but start-up code writes all the same, reads as 0 and
//! ignores writes; but `pmpaddr` holds what was written, since software that probes for it takes 0 for a fault. Everything else is an illegal instruction.

use crate::cpu::privileged::{
    EXTERNAL, MSTATUS_MIE, MSTATUS_MPIE, MSTATUS_MPP, MSTATUS_MPRV, MSTATUS_TW, SOFTWARE, TIMER,
};
use crate::cpu::{Cpu, Privilege};
use crate::rv32::table::MISA_LETTERS;
use crate::rv32::{CsrOp, CsrSource};

/// `misa` for RV32 with U mode: MXL 1, bit U, and the letters of the extensions; C comes with the program. Writes are
/// ignored, as WARL allows.
const MISA: u32 = 1 << 30 | 1 << 20 | MISA_LETTERS;

/// Bits of `mcounteren` and `mcountinhibit`: cycle, time (not of the latter), instret.
const CYCLE: u32 = 1;
const TIME: u32 = 2;
const INSTRET: u32 = 4;

/// `pmpaddr0` and the last that holds what is written.
const PMPADDR_FIRST: u16 = 0x3b0;
const PMPADDR_LAST: u16 = 0x3bf;

/// How an instruction changes a CSR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It only reads.
    None,
    /// It writes this value.
    Write(u32),
    /// It sets the bits that are 1 here.
    Set(u32),
    /// It clears the bits that are 1 here.
    Clear(u32),
}

impl Change {
    /// What `op` does with the value `operand` of `source`. Setting or clearing the bits of x0 or of a constant 0 is
    /// no write at all; those of another register are one even where it holds 0.
    #[must_use]
    pub fn of(op: CsrOp, source: CsrSource, operand: u32) -> Change {
        let names_zero = match source {
            CsrSource::Reg(rs1) => rs1.is_zero(),
            CsrSource::Imm(imm) => imm == 0,
        };
        match op {
            CsrOp::Write => Change::Write(operand),
            CsrOp::Set | CsrOp::Clear if names_zero => Change::None,
            CsrOp::Set => Change::Set(operand),
            CsrOp::Clear => Change::Clear(operand),
        }
    }
}

/// Reads a CSR, then changes it. `None`, with nothing changed, where the access is an illegal instruction.
#[must_use]
pub fn access(cpu: &mut Cpu, number: u16, change: Change) -> Option<u32> {
    let old = read(cpu, number)?;
    let new = match change {
        Change::None => return Some(old),
        Change::Write(value) => value,
        Change::Set(bits) => old | bits,
        Change::Clear(bits) => old & !bits,
    };
    // Number bits 11–10 all ones: read-only (Privileged spec 2.1).
    if number >> 10 & 3 == 3 {
        return None;
    }
    write(cpu, number, new);
    Some(old)
}

fn read(cpu: &Cpu, number: u16) -> Option<u32> {
    if (0xc00..0xd00).contains(&number) {
        let (counter, value) = user_counter(cpu, number)?;
        let allowed = !cpu.mode.enabled
            || cpu.mode.privilege == Privilege::Machine
            || cpu.mode.mcounteren & counter != 0;
        return allowed.then_some(value);
    }
    let mode = &cpu.mode;
    // Number bits 9–8: the lowest privilege that has access (Privileged spec 2.1).
    if !mode.enabled || (mode.privilege as u16) < number >> 8 & 3 {
        return None;
    }
    Some(match number {
        0x300 => mode.mstatus,
        0x301 => MISA | u32::from(cpu.isa.compressed) << 2,
        0x304 => mode.mie,
        0x305 => mode.mtvec.unwrap_or(0),
        0x306 => mode.mcounteren,
        0x30a => mode.menvcfg,
        0x320 => mode.mcountinhibit,
        0x340 => mode.mscratch,
        0x341 => mode.mepc,
        0x342 => mode.mcause,
        0x343 => mode.mtval,
        0x344 => cpu.mip(),
        0xb00 | 0xb80 => half(number, mode.mcycle.value(cpu.cycles())),
        0xb02 | 0xb82 => half(number, mode.minstret.value(cpu.instret)),
        PMPADDR_FIRST..=PMPADDR_LAST => mode.pmpaddr[usize::from(number - PMPADDR_FIRST)],
        // mstatush, menvcfgh: no bit of theirs is there.
        0x310 | 0x31a => 0,
        // mvendorid, marchid, mimpid, mhartid, mconfigptr: zero is "not implemented", and hart 0.
        0xf11..=0xf15 => 0,
        _ if is_tolerated(number) => 0,
        _ => return None,
    })
}

/// One half of a counter; the upper halves are 0x80 further on.
fn half(number: u16, value: u64) -> u32 {
    let half = if number & 0x80 == 0 {
        value
    } else {
        value >> 32
    };
    (half & 0xffff_ffff) as u32
}

/// A counter that U sees, and its bit in `mcounteren`.
fn user_counter(cpu: &Cpu, number: u16) -> Option<(u32, u32)> {
    let mode = &cpu.mode;
    let (bit, value) = match number & !0x80 {
        0xc00 => (CYCLE, mode.mcycle.value(cpu.cycles())),
        0xc01 => (TIME, cpu.mtime()),
        0xc02 => (INSTRET, mode.minstret.value(cpu.instret)),
        // hpmcounter3 to 31 count nothing, and U never sees them.
        0xc03..=0xc1f if mode.enabled => (0, 0),
        _ => return None,
    };
    Some((bit, half(number, value)))
}

/// What a hart like this does not have, but start-up code sets: `medeleg`, `mideleg`, `satp`, PMP, resumable NMIs, triggers,
/// event counters.
fn is_tolerated(number: u16) -> bool {
    matches!(number, 0x180 | 0x302 | 0x303 | 0x312 | 0x323..=0x33f | 0x3a0..=0x3ef | 0x740..=0x744 | 0x7a0..=0x7a8 | 0xb03..=0xb1f | 0xb83..=0xb9f)
}

/// Writes what can be written; the rest of a WARL register stays as it is.
fn write(cpu: &mut Cpu, number: u16, value: u32) {
    let (cycles, instret) = (cpu.cycles(), cpu.instret);
    let alignment = cpu.isa.alignment();
    let mode = &mut cpu.mode;
    match number {
        0x300 => {
            let plain = MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPRV | MSTATUS_TW;
            // Only U and M can be in MPP.
            let previous = match value & MSTATUS_MPP {
                legal @ (0 | MSTATUS_MPP) => legal,
                _ => mode.mstatus & MSTATUS_MPP,
            };
            mode.mstatus = value & plain | previous;
        }
        0x304 => mode.mie = value & (1 << SOFTWARE | 1 << TIMER | 1 << EXTERNAL),
        // Modes 2 and 3 are reserved: direct.
        0x305 => mode.mtvec = Some(if value & 2 == 0 { value } else { value & !3 }),
        0x306 => mode.mcounteren = value & (CYCLE | TIME | INSTRET),
        0x30a => mode.menvcfg = value & 1,
        0x320 => {
            mode.mcountinhibit = value & (CYCLE | INSTRET);
            mode.mcycle.stop(value & CYCLE != 0, cycles);
            mode.minstret.stop(value & INSTRET != 0, instret);
        }
        0x340 => mode.mscratch = value,
        0x341 => mode.mepc = value & !(alignment - 1),
        0x342 => mode.mcause = value,
        0x343 => mode.mtval = value,
        PMPADDR_FIRST..=PMPADDR_LAST => {
            mode.pmpaddr[usize::from(number - PMPADDR_FIRST)] = value;
        }
        0xb00 | 0xb80 => {
            let now = mode.mcycle.value(cycles);
            mode.mcycle.set(with_half(number, now, value), cycles);
        }
        0xb02 | 0xb82 => {
            // The instruction that writes it is not counted any more (Unprivileged spec, "Zicntr").
            let now = mode.minstret.value(instret);
            let value = with_half(number, now, value);
            mode.minstret.set(value, instret.wrapping_add(1));
        }
        _ => {}
    }
}

fn with_half(number: u16, now: u64, value: u32) -> u64 {
    if number & 0x80 == 0 {
        now & !0xffff_ffff | u64::from(value)
    } else {
        now & 0xffff_ffff | u64::from(value) << 32
    }
}

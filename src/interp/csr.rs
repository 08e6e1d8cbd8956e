//! The control and status registers that a guest sees (Unprivileged spec chapters "Zicsr" and "Zicntr").
//!
//! | CSR | value |
//! |---|---|
//! | `cycle` | nanoseconds of the host's clock: a machine of 1 GHz |
//! | `time` | ticks of 100 ns: the 10 MHz that device trees of virtual machines give |
//! | `instret` | [`Cpu::instret`] |
//!
//! While [`Cpu::counting`] is on, all three equal `instret`, so that a run repeats exactly. Bare-metal programs
//! ([`MachineCsrs::enabled`](crate::cpu::MachineCsrs)) also get the machine-mode CSRs that start-up code writes: they
//! hold what was written and have no effect. Everything else is an illegal instruction.

use crate::cpu::Cpu;
use crate::rv32::{CsrOp, CsrSource};

/// `misa` for RV32IM: MXL 1, bits I and M. Writes are ignored, as WARL allows.
const MISA_RV32IM: u32 = 1 << 30 | 1 << 12 | 1 << 8;

const MISA: u16 = 0x301;

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
    if number != MISA && counter(cpu, number).is_none() {
        cpu.csr.set(number, new);
    }
    Some(old)
}

fn read(cpu: &Cpu, number: u16) -> Option<u32> {
    let user_counter = (0xc00..0xd00).contains(&number);
    if !user_counter && !cpu.csr.enabled {
        return None;
    }
    match number {
        MISA => Some(MISA_RV32IM),
        // mvendorid, marchid, mimpid, mhartid, mconfigptr: zero is "not implemented", and hart 0.
        0xf11..=0xf15 => Some(0),
        _ => counter(cpu, number).or_else(|| is_stored(number).then(|| cpu.csr.get(number))),
    }
}

/// The counters, whose upper halves are 0x80 further on. The machine's own, from 0xb00, show the same values; what a
/// program writes to them is dropped.
fn counter(cpu: &Cpu, number: u16) -> Option<u32> {
    let value = match number & !0x80 {
        0xc02 | 0xb02 => cpu.instret,
        0xc00 | 0xc01 | 0xb00 if cpu.counting => cpu.instret,
        0xc00 | 0xb00 => nanoseconds(cpu),
        0xc01 => nanoseconds(cpu) / 100,
        _ => return None,
    };
    let half = if number & 0x80 == 0 {
        value
    } else {
        value >> 32
    };
    Some((half & 0xffff_ffff) as u32)
}

/// Wraps after 584 years.
fn nanoseconds(cpu: &Cpu) -> u64 {
    let elapsed = cpu.clock.elapsed();
    elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
}

/// The writable machine-mode CSRs that start-up code sets: trap set-up and handling, `satp` (to turn paging off),
/// resumable NMIs, triggers, event counters.
fn is_stored(number: u16) -> bool {
    matches!(number, 0x180 | 0x300..=0x3ff | 0x740..=0x744 | 0x7a0..=0x7a8 | 0xb03..=0xb1f | 0xb83..=0xb9f)
}

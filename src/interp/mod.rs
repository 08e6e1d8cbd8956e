//! The reference engine: one instruction at a time, as the spec says it.
//!
//! Also the JIT's slow path: whatever is rare leaves the emitted code, and [`step`] executes that one instruction.
//! Every instruction either retires, or leaves the hart as it was and says why. Words are fetched from memory each
//! time, so stores to code need no `fence.i` here; other engines may demand it.

pub mod csr;
#[cfg(test)]
mod tests;

use crate::cpu::privileged::MSTATUS_TW;
use crate::cpu::{Cpu, Privilege};
use crate::engine::{Budget, Engine, Sample, Stop, Trap};
use crate::memory::{Access, Fault, FaultKind, Memory};
use crate::rv32::{AtomicOp, CsrSource, Insn, Isa, LoadOp, PrivilegedOp, StoreOp, decode};
use crate::sys::sampler;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Instructions between two looks at the stop flag.
const CHUNK: u64 = 1024;

/// The interpreter.
#[derive(Debug, Clone, Default)]
pub struct Interpreter {
    /// When set to true, a run ends with [`Stop::Interrupted`] within 1024 instructions. Nothing here clears it.
    pub stop: Option<Arc<AtomicBool>>,
    /// The same: set for the machine's own purposes, not to end the run.
    pub pause: Option<Arc<AtomicBool>>,
}

impl Interpreter {
    /// An interpreter that nobody can interrupt.
    #[must_use]
    pub fn new() -> Interpreter {
        Interpreter::default()
    }

    fn interrupted(&self) -> bool {
        [&self.stop, &self.pause]
            .into_iter()
            .flatten()
            .any(|flag| flag.load(Ordering::Relaxed))
    }
}

impl Engine for Interpreter {
    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, budget: &mut Budget) -> Stop {
        self.run_with(cpu, memory, budget, None)
    }

    fn run_sampled(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        budget: &mut Budget,
        sample: Sample<'_>,
    ) -> Stop {
        self.run_with(cpu, memory, budget, Some(sample))
    }
}

impl Interpreter {
    fn run_with(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        budget: &mut Budget,
        mut sample: Option<Sample<'_>>,
    ) -> Stop {
        cpu.counting = budget.counts();
        loop {
            let most = match *budget {
                Budget::Instructions(0) => return Stop::Budget,
                Budget::Instructions(left) => left.min(CHUNK),
                Budget::Unlimited => CHUNK,
            };
            if self.interrupted() {
                return Stop::Interrupted;
            }
            if let Some(sample) = &mut sample
                && sampler::take_pending()
            {
                sample(cpu, memory);
            }
            let before = cpu.instret;
            let stop = (0..most).find_map(|_| match step(cpu, memory) {
                Ok(()) if memory.stops_here() => Some(Stop::Watch),
                done => done.err(),
            });
            budget.spend(cpu.instret - before);
            if let Some(stop) = stop {
                return stop;
            }
        }
    }
}

/// Executes the instruction at `cpu.pc`.
///
/// `fence` does nothing, `fence.i` is noted in memory for an engine that keeps translated code.
///
/// # Errors
/// Why it was not executed: `Ecall`, `Ebreak`, `Trap` or `Fault`. Registers, pc and `instret` are then as before, and
/// memory holds what it held.
pub fn step(cpu: &mut Cpu, memory: &mut Memory) -> Result<(), Stop> {
    step_insn(cpu, memory).map(|_| ())
}

/// As [`step`]; returns what was executed.
///
/// # Errors
/// As [`step`].
#[inline]
pub fn step_insn(cpu: &mut Cpu, memory: &mut Memory) -> Result<Insn, Stop> {
    // Jumps are checked before they are taken; only an entry point can be misaligned.
    check_target(cpu.isa, cpu.pc)?;
    let (word, len, insn) = if cpu.isa.compressed {
        let fetched = memory.fetch_insn(cpu.isa, cpu.pc).map_err(Stop::Fault)?;
        (fetched.bits, fetched.len, fetched.insn)
    } else {
        let word = memory.fetch(cpu.pc).map_err(Stop::Fault)?;
        (word, 4, decode(word))
    };
    let illegal = Stop::Trap(Trap::IllegalInstruction { word });
    let insn = insn.ok_or(illegal)?;
    let next = cpu.pc.wrapping_add(len);
    cpu.pc = match insn {
        Insn::Lui { rd, imm } => {
            cpu.set(rd, imm);
            next
        }
        Insn::Auipc { rd, imm } => {
            cpu.set(rd, cpu.pc.wrapping_add(imm));
            next
        }
        Insn::Jal { rd, offset } => {
            if offset == 0 && rd.is_zero() && cpu.mode.enabled {
                return Err(Stop::Spin);
            }
            let target = check_target(cpu.isa, cpu.pc.wrapping_add_signed(offset))?;
            cpu.set(rd, next);
            target
        }
        Insn::Jalr { rd, rs1, offset } => {
            let target = check_target(cpu.isa, cpu.get(rs1).wrapping_add_signed(offset) & !1)?;
            cpu.set(rd, next);
            target
        }
        Insn::Branch {
            cond,
            rs1,
            rs2,
            offset,
        } => {
            if cond.eval(cpu.get(rs1), cpu.get(rs2)) {
                check_target(cpu.isa, cpu.pc.wrapping_add_signed(offset))?
            } else {
                next
            }
        }
        Insn::Load {
            op,
            rd,
            rs1,
            offset,
        } => {
            let addr = cpu.get(rs1).wrapping_add_signed(offset);
            let value = load(memory, op, addr).map_err(Stop::Fault)?;
            cpu.set(rd, value);
            next
        }
        Insn::Store {
            op,
            rs1,
            rs2,
            offset,
        } => {
            let addr = cpu.get(rs1).wrapping_add_signed(offset);
            store(memory, op, addr, cpu.get(rs2)).map_err(Stop::Fault)?;
            next
        }
        Insn::AluImm { op, rd, rs1, imm } => {
            cpu.set(rd, op.eval(cpu.get(rs1), imm.cast_unsigned()));
            next
        }
        Insn::Alu { op, rd, rs1, rs2 } => {
            cpu.set(rd, op.eval(cpu.get(rs1), cpu.get(rs2)));
            next
        }
        Insn::Mul { op, rd, rs1, rs2 } => {
            cpu.set(rd, op.eval(cpu.get(rs1), cpu.get(rs2)));
            next
        }
        Insn::Atomic {
            op, rd, rs1, rs2, ..
        } => {
            let (addr, operand) = (cpu.get(rs1), cpu.get(rs2));
            let value = atomic(cpu, memory, op, addr, operand).map_err(Stop::Fault)?;
            cpu.set(rd, value);
            next
        }
        Insn::Bits { op, rd, rs1, rs2 } => {
            cpu.set(rd, op.eval(cpu.get(rs1), cpu.get(rs2)));
            next
        }
        Insn::BitsImm { op, rd, rs1, shamt } => {
            cpu.set(rd, op.eval(cpu.get(rs1), shamt.into()));
            next
        }
        Insn::Unary { op, rd, rs1 } => {
            cpu.set(rd, op.eval(cpu.get(rs1)));
            next
        }
        Insn::Fence { .. } => next,
        Insn::FenceI { .. } => {
            memory.note_fence_i();
            next
        }
        Insn::Csr {
            op,
            rd,
            source,
            csr,
        } => {
            let operand = match source {
                CsrSource::Reg(rs1) => cpu.get(rs1),
                CsrSource::Imm(imm) => u32::from(imm),
            };
            let old = csr::access(cpu, csr, csr::Change::of(op, source, operand)).ok_or(illegal)?;
            cpu.set(rd, old);
            heed_interrupts(cpu, memory);
            next
        }
        Insn::Privileged(op) => {
            if !allows(cpu, op) {
                return Err(illegal);
            }
            match op {
                PrivilegedOp::Wfi => {
                    cpu.stopped_at = len;
                    return Err(Stop::Wait);
                }
                PrivilegedOp::Mret => {
                    cpu.return_from_trap();
                    heed_interrupts(cpu, memory);
                    cpu.pc
                }
            }
        }
        Insn::Ecall => {
            cpu.stopped_at = len;
            return Err(Stop::Ecall);
        }
        Insn::Ebreak => {
            cpu.stopped_at = len;
            return Err(Stop::Ebreak);
        }
    };
    cpu.instret += 1;
    Ok(insn)
}

/// Whether the hart executes a privileged instruction as it is now.
fn allows(cpu: &Cpu, op: PrivilegedOp) -> bool {
    let mode = &cpu.mode;
    mode.enabled
        && match (op, mode.privilege) {
            (_, Privilege::Machine) => true,
            (PrivilegedOp::Mret, Privilege::User) => false,
            (PrivilegedOp::Wfi, Privilege::User) => mode.mstatus & MSTATUS_TW == 0,
        }
}

/// Interrupts that an instruction has let in are taken before the next one: the run stops for that.
fn heed_interrupts(cpu: &Cpu, memory: &mut Memory) {
    if cpu.interrupt_due().is_some() {
        memory.stop_after_this();
    }
}

/// The target of a taken jump, where it is one (Unprivileged spec 2.5).
fn check_target(isa: Isa, target: u32) -> Result<u32, Stop> {
    if isa.is_aligned(target) {
        Ok(target)
    } else {
        Err(Stop::Trap(Trap::MisalignedJump { target }))
    }
}

/// Does an atomic operation, all of it or nothing; what comes is for rd. Alignment is always checked: an access in two
/// pieces is not atomic.
fn atomic(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: AtomicOp,
    addr: u32,
    operand: u32,
) -> Result<u32, Fault> {
    let access = match op {
        AtomicOp::LoadReserved => Access::Read,
        _ => Access::Write,
    };
    if !addr.is_multiple_of(4) {
        let kind = FaultKind::Misaligned;
        return Err(Fault { addr, access, kind });
    }
    if op == AtomicOp::StoreConditional {
        let stands = cpu.reservation == Some(addr);
        if stands {
            memory.store(addr, operand)?;
        }
        cpu.reservation = None;
        return Ok(u32::from(!stands));
    }
    // What writes faults as a store, also where it could not even read.
    let old = memory
        .load::<u32>(addr)
        .map_err(|fault| Fault { access, ..fault })?;
    if op == AtomicOp::LoadReserved {
        cpu.reservation = Some(addr);
    } else {
        memory.store(addr, op.eval(old, operand))?;
    }
    Ok(old)
}

fn load(memory: &mut Memory, op: LoadOp, addr: u32) -> Result<u32, Fault> {
    let raw = match op {
        LoadOp::Lb | LoadOp::Lbu => memory.load::<u8>(addr)?.into(),
        LoadOp::Lh | LoadOp::Lhu => memory.load::<u16>(addr)?.into(),
        LoadOp::Lw => memory.load::<u32>(addr)?,
    };
    Ok(op.extend(raw))
}

fn store(memory: &mut Memory, op: StoreOp, addr: u32, value: u32) -> Result<(), Fault> {
    let [b0, b1, ..] = value.to_le_bytes();
    match op {
        StoreOp::Sb => memory.store(addr, b0),
        StoreOp::Sh => memory.store(addr, u16::from_le_bytes([b0, b1])),
        StoreOp::Sw => memory.store(addr, value),
    }
}

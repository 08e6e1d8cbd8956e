//! Traps that come again for ever with nothing changed: a handler that meets the trap itself, or returns to it.
//!
//! After [`SAME`] traps alike in a row, the way from one to the next is interpreted, instruction by instruction, and
//! everything looked for that the registers do not show: a store that changes memory, a counter or a device that is read,
//! an interrupt that may come. Where there is nothing of that kind, what follows is the same for ever. That is a proof, not
//! a guess, so a program that counts its traps in memory is left alone.

use super::Machine;
use crate::cpu::privileged::{MSTATUS_MIE, TIMER};
use crate::cpu::{Cause, Cpu, Privilege};
use crate::engine::Budget;
use crate::interp;
use crate::memory::Memory;
use crate::rv32::{Insn, PrivilegedOp, StoreOp};

/// So many traps alike come before somebody looks, and twice as many before the next look.
const SAME: u32 = 1 << 12;
/// The longest way from a trap to the next that is looked at.
const LONGEST: u32 = 1 << 16;

/// A trap, with the hart as it was, and how often it came again.
#[derive(Debug)]
pub(super) struct LastTrap {
    cpu: Cpu,
    cause: Cause,
    value: u32,
    times: u32,
    look_at: u32,
}

fn alike(a: &Cpu, b: &Cpu) -> bool {
    a.pc == b.pc && a.x == b.x && a.mode == b.mode
}

impl Machine {
    /// Whether a trap that the program's handler is about to get comes for ever.
    pub(super) fn traps_forever(&mut self, cause: Cause, value: u32) -> bool {
        let Some(board) = &mut self.board else {
            return false;
        };
        match &mut board.last_trap {
            Some(last)
                if (last.cause, last.value) == (cause, value) && alike(&last.cpu, &self.cpu) =>
            {
                last.times += 1;
                if last.times < last.look_at {
                    return false;
                }
                last.look_at = last.look_at.saturating_mul(2);
                let before = (self.cpu.clone(), self.budget);
                let for_ever = self.follow(cause, value);
                // Only the hart was changed. What is no proof is executed as always, and seen by whoever looks on.
                (self.cpu, self.budget) = before;
                for_ever
            }
            last => {
                *last = Some(LastTrap {
                    cpu: self.cpu.clone(),
                    cause,
                    value,
                    times: 0,
                    look_at: SAME,
                });
                false
            }
        }
    }

    /// Takes the trap and follows the hart up to the next, through what changes nothing but the hart; whether that is the
    /// same trap of the same hart.
    fn follow(&mut self, cause: Cause, value: u32) -> bool {
        let before = self.cpu.clone();
        self.cpu.take_exception(cause, value);
        for _ in 0..LONGEST {
            let over = self.budget == Budget::Instructions(0);
            if over || may_be_interrupted(&self.cpu) || !changes_nothing(&self.cpu, &self.memory) {
                return false;
            }
            match interp::step(&mut self.cpu, &mut self.memory) {
                Ok(()) => self.budget.spend(1),
                Err(stop) => {
                    let same = self.exception(stop) == Some((cause, value));
                    return same && alike(&before, &self.cpu);
                }
            }
            if self.memory.stops_here() {
                self.memory.take_watch_hit();
                return false;
            }
        }
        false
    }
}

/// Whether the timer's interrupt is taken when its time comes. One that is pending now is taken by whoever runs the hart.
fn may_be_interrupted(cpu: &Cpu) -> bool {
    let mode = &cpu.mode;
    let heeded = mode.privilege == Privilege::User || mode.mstatus & MSTATUS_MIE != 0;
    cpu.interrupt_due().is_some() || heeded && mode.mie >> TIMER & 1 != 0 && mode.mtimecmp.is_some()
}

/// Whether the instruction at pc depends on nothing and changes nothing but registers, machine-mode CSRs, and memory in
/// ways that leave it as it was.
fn changes_nothing(cpu: &Cpu, memory: &Memory) -> bool {
    // What cannot be fetched or is no instruction traps.
    let fetched = memory.peek_insn(cpu.isa, cpu.pc).ok();
    let Some(insn) = fetched.and_then(|fetched| fetched.insn) else {
        return true;
    };
    match insn {
        Insn::Store {
            op,
            rs1,
            rs2,
            offset,
        } => {
            let addr = cpu.get(rs1).wrapping_add_signed(offset);
            let new = cpu.get(rs2).to_le_bytes();
            let width = match op {
                StoreOp::Sb => 1,
                StoreOp::Sh => 2,
                StoreOp::Sw => 4,
            };
            let mut old = [0; 4];
            // A store that faults changes nothing, either.
            let found = memory.peek(addr, &mut old[..width]);
            found.is_err() || old[..width] == new[..width]
        }
        // Counters, and mip, whose timer bit comes with time.
        Insn::Csr { csr, .. } => !matches!(csr, 0x344 | 0xb00..=0xcff),
        Insn::Privileged(op) => op == PrivilegedOp::Mret,
        Insn::Lui { .. }
        | Insn::Auipc { .. }
        | Insn::Jal { .. }
        | Insn::Jalr { .. }
        | Insn::Branch { .. }
        | Insn::Load { .. }
        | Insn::AluImm { .. }
        | Insn::Alu { .. }
        | Insn::Mul { .. }
        | Insn::Bits { .. }
        | Insn::BitsImm { .. }
        | Insn::Unary { .. }
        | Insn::Fence { .. }
        | Insn::Ecall
        | Insn::Ebreak => true,
        // Of atomic operations it is not looked which leave memory and reservation as they were.
        Insn::Atomic { .. } | Insn::FenceI { .. } => false,
    }
}

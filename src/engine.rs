//! What an engine is: something that runs guest code until an event that it does not handle itself.

use crate::cpu::Cpu;
use crate::memory::{Fault, Memory};
use std::fmt;

/// Why an engine stopped. `cpu.pc` is the address of the instruction concerned, which has not been executed;
/// all registers are those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// `ecall`. To go on, the environment calls [`resume`].
    Ecall,
    /// `ebreak`. To go on, the environment calls [`resume`].
    Ebreak,
    /// A guest event other than a memory fault.
    Trap(Trap),
    /// A guest memory fault.
    Fault(Fault),
    /// The instruction budget is used up.
    Budget,
    /// Somebody asked for a stop: see `sys::interrupt`.
    Interrupted,
    /// A store wrote the word that [`Memory::set_watch`] watches. Unlike the others, the instruction is executed: pc is
    /// that of the next.
    Watch,
}

/// Guest events that end a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trap {
    /// A word that is no RV32IM instruction, or a CSR access that is not allowed.
    IllegalInstruction {
        /// The instruction word.
        word: u32,
    },
    /// A taken jump or branch whose target is not a multiple of 4; pc is the jump's own.
    MisalignedJump {
        /// The target.
        target: u32,
    },
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trap::IllegalInstruction { word } => write!(f, "illegal instruction {word:#010x}"),
            Trap::MisalignedJump { target } => {
                write!(f, "misaligned jump target {target:#010x}")
            }
        }
    }
}

/// How many instructions an engine may still execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// No limit, and no counting.
    Unlimited,
    /// Exactly this many at most; the engine subtracts what it executed. An instruction counts when it retires: one
    /// that traps or faults does not, and `ecall` and `ebreak` count in [`resume`]. At 0 an engine stops before it
    /// executes or fetches anything.
    Instructions(u64),
}

impl Budget {
    /// Takes away what was executed.
    pub fn spend(&mut self, instructions: u64) {
        if let Budget::Instructions(left) = self {
            *left = left.saturating_sub(instructions);
        }
    }

    /// Whether instructions are counted: what engines set [`Cpu::counting`] to.
    #[must_use]
    pub fn counts(&self) -> bool {
        matches!(self, Budget::Instructions(_))
    }
}

/// Goes past the `ecall` or `ebreak` that an engine stopped at: it retires, in pc, `instret` and the budget.
pub fn resume(cpu: &mut Cpu, budget: &mut Budget) {
    cpu.retire_stop();
    budget.spend(1);
}

/// Runs guest code.
pub trait Engine {
    /// Runs from `cpu.pc` until something happens that is not the engine's to handle.
    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, budget: &mut Budget) -> Stop;
}

//! The guest hart's state, in the layout that emitted code uses.

use crate::rv32::Reg;
use std::time::{Duration, Instant};

/// Registers and pc of the one guest hart.
#[repr(C)]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cpu {
    /// x0 to x31. `x[0]` is zero whenever an engine is not running.
    pub x: [u32; 32],
    /// Address of the next instruction; after a trap, of the instruction that trapped.
    pub pc: u32,
    /// Instructions retired: exact in the interpreter and where [`Cpu::counting`] is on, else only those that the
    /// interpreter executed for the JIT are added.
    pub instret: u64,
    /// Whether every instruction is counted on every engine. Engines set this from the budget when a run starts. The
    /// guest's `cycle` and `time` counters then equal `instret`, so that a run repeats exactly.
    pub counting: bool,
    /// What the guest's `cycle` and `time` counters show when `counting` is off.
    pub clock: HostClock,
    /// Machine-mode CSRs that bare-metal programs may write; `interp` gives them to the guest.
    pub csr: MachineCsrs,
}

/// The host's monotonic clock, from the making of the `Cpu`.
///
/// All clocks compare equal: two harts in the same state are the same, whenever they were made.
#[derive(Debug, Clone, Copy)]
pub struct HostClock(Instant);

impl HostClock {
    /// Time since the `Cpu` was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Default for HostClock {
    fn default() -> HostClock {
        HostClock(Instant::now())
    }
}

impl PartialEq for HostClock {
    fn eq(&self, _: &HostClock) -> bool {
        true
    }
}

impl Eq for HostClock {}

/// The machine-mode CSRs that bare-metal start-up code sets. They hold what was written and have no effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MachineCsrs {
    /// Whether they exist: only bare-metal programs (semihosting, `tohost`) get them.
    pub enabled: bool,
    /// Values by CSR number, in order of first write.
    pub values: Vec<(u16, u32)>,
}

impl MachineCsrs {
    /// What was written last, or 0.
    #[must_use]
    pub fn get(&self, number: u16) -> u32 {
        let found = self.values.iter().find(|&&(n, _)| n == number);
        found.map_or(0, |&(_, value)| value)
    }

    /// Stores a value.
    pub fn set(&mut self, number: u16, value: u32) {
        match self.values.iter_mut().find(|(n, _)| *n == number) {
            Some((_, old)) => *old = value,
            None => self.values.push((number, value)),
        }
    }
}

impl Cpu {
    /// The value of a register.
    #[must_use]
    pub fn get(&self, reg: Reg) -> u32 {
        self.x[reg.index()]
    }

    /// Sets a register; a write to x0 is dropped.
    pub fn set(&mut self, reg: Reg, value: u32) {
        if !reg.is_zero() {
            self.x[reg.index()] = value;
        }
    }

    /// Retires the `ecall` or `ebreak` at `pc`, which an engine stopped at and the environment has dealt with. See
    /// `engine::resume`, which also takes it from the budget.
    pub fn retire_stop(&mut self) {
        self.pc = self.pc.wrapping_add(4);
        self.instret += 1;
    }
}

//! The guest hart's state, in the layout that emitted code uses.

pub mod privileged;

pub use privileged::{Cause, MachineMode, Privilege};

use crate::rv32::{Isa, Reg};
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
    /// Which instructions the hart has.
    pub isa: Isa,
    /// The word that `lr.w` reserved. A hart alone loses it only by its own conditional stores, by
    /// traps, and by system calls.
    pub reservation: Option<u32>,
    /// Bytes of the `ecall`, `ebreak` or `wfi` that an engine stopped at.
    pub stopped_at: u32,
    /// Machine mode, on a bare machine.
    pub mode: MachineMode,
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

impl Cpu {
    /// Nanoseconds of the host's clock, or instructions where these are counted: what `cycle` shows. Wraps after 584
    /// years.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        if self.counting {
            return self.instret;
        }
        let elapsed = self.clock.elapsed();
        elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
    }

    /// Ticks of 100 ns, or instructions where these are counted: what `time` and `mtime` show.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        match self.counting {
            true => self.instret,
            false => self.cycles() / 100,
        }
    }

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
        self.pc = self.pc.wrapping_add(self.stopped_at);
        self.instret += 1;
    }
}

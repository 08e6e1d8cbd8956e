//! What an engine is: something that runs guest code until an event that it does not handle itself.

use crate::cpu::Cpu;
use crate::memory::{Fault, Memory};
use std::fmt;
use std::time::Duration;

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
    /// `wfi`. To go on, the environment calls [`resume`].
    Wait,
    /// A jump to itself on a hart that takes interrupts: nothing else can end it. Nothing was executed.
    Spin,
    /// A store wrote a word that [`Memory::set_watch`] watches, or [`Memory::stop_after_this`] was called. Unlike the
    /// others, the instruction is executed: pc is that of the next.
    Watch,
}

/// Guest events that end a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trap {
    /// A word that is no instruction rvjit knows, or a CSR access that is not allowed.
    IllegalInstruction {
        /// The instruction word.
        word: u32,
    },
    /// A taken jump or branch whose target is not a multiple of IALIGN (4, or 2 with compressed instructions); pc is the jump's own.
    MisalignedJump {
        /// The target.
        target: u32,
    },
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What has 16 bits has a lower end that says so.
            Trap::IllegalInstruction { word } if word & 3 != 3 && *word < 1 << 16 => {
                write!(f, "illegal instruction {word:#06x}")
            }
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

/// Looks at the hart and at memory; only pc and registers are meaningful.
pub type Sample<'a> = &'a mut dyn FnMut(&Cpu, &Memory);

/// Runs guest code, on any thread.
pub trait Engine: Send {
    /// Runs from `cpu.pc` until something happens that is not the engine's to handle. Where the memory is another than the
    /// last time, or was emptied since, what the engine knows of it is forgotten first.
    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, budget: &mut Budget) -> Stop;

    /// The same, calling `sample` soon after each tick of [`crate::sys::sampler::Timer`]: from a signal handler, perhaps.
    fn run_sampled(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        budget: &mut Budget,
        sample: Sample<'_>,
    ) -> Stop;

    /// The load or store at `pc` went to a device, or wrote the watched word: something else than memory answered. Where
    /// that happens often, an engine whose code tries memory first may do without.
    fn answered_elsewhere(&mut self, pc: u32, memory: &mut Memory) {
        let _ = (pc, memory);
    }

    /// What the engine is and has done so far.
    fn stats(&self) -> EngineStats {
        EngineStats::default()
    }

    /// The host code that it has made and not dropped since, in the order of host addresses.
    fn host_code(&self) -> Vec<HostCode> {
        Vec::new()
    }
}

/// What an engine has done. An engine that does not translate leaves everything but its name at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineStats {
    /// `jit` or `interp`.
    pub engine: &'static str,
    /// Regions translated.
    pub regions: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Guest instructions in them.
    pub guest_insns: u64,
    /// Bytes of host code made.
    pub host_bytes: u64,
    /// Times that emitted code was entered.
    pub entered: u64,
    /// Time spent translating.
    pub translate_time: Duration,
    /// Direct branches pointed at code.
    pub links: u64,
    /// Indirect jumps that found no code.
    pub misses: u64,
    /// Instructions that code left to the interpreter.
    pub interpreted: u64,
    /// Times that all code was dropped.
    pub flushes: u64,
    /// Regions dropped because the guest changed their source.
    pub invalidations: u64,
    /// Times that code memory was opened for writing.
    pub code_edits: u64,
    /// Bytes of code memory in use.
    pub code_used: usize,
    /// Bytes of code memory in all.
    pub code_capacity: usize,
}

impl Default for EngineStats {
    fn default() -> EngineStats {
        EngineStats {
            engine: "interp",
            regions: 0,
            blocks: 0,
            guest_insns: 0,
            host_bytes: 0,
            entered: 0,
            translate_time: Duration::ZERO,
            links: 0,
            misses: 0,
            interpreted: 0,
            flushes: 0,
            invalidations: 0,
            code_edits: 0,
            code_used: 0,
            code_capacity: 0,
        }
    }
}

/// Host code made from one stretch of guest code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCode {
    /// Host address of its first byte.
    pub address: usize,
    /// The code as it is now.
    pub bytes: Vec<u8>,
    /// Whether the guest can still reach it.
    pub live: bool,
    /// Guest pc, and the offset in `bytes` where its code begins, by offset.
    pub map: Vec<(u32, u32)>,
    /// Guest instructions beside the host instructions they became.
    pub listing: String,
}

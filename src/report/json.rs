//! How a run ended, for programs to read. What a field means does not change without a new [`SCHEMA`].

use super::crash::{Crash, NamedFrame};
use super::describe;
use super::lines::Lines;
use super::names::demangle;
use crate::engine::{EngineStats, Trap};
use crate::machine::{Exit, Machine};
use crate::memory::{Access, Fault, FaultKind};
use serde::Serialize;
use std::time::Duration;

/// The version of [`Report`]'s form. Fields may be added to a version; none changes or goes away.
pub const SCHEMA: u32 = 1;

/// How a run ended, for programs to read.
#[derive(Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The program's path.
    pub program: String,
    /// `jit` or `interp`.
    pub engine: &'static str,
    /// How emitted code reaches memory: `identity`, `window` or `paged`.
    pub placement: &'static str,
    /// The exit status that the run's end stands for; rvjit's own is 125 where there are `output_errors`.
    pub status: u8,
    /// What kind of end it was, in one word.
    pub end: &'static str,
    /// What happened in words; absent where the program ended itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it ended.
    pub pc: u32,
    /// The function it ended in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// How far in that function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// The source file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The address of a memory fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_address: Option<u32>,
    /// What was tried there: `read`, `write` or `execute`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_access: Option<&'static str>,
    /// The instruction, the call stack and the last system calls; absent where the program ended itself.
    #[serde(flatten)]
    pub crash: Option<Crash>,
    /// x0 to x31.
    pub registers: [u32; 32],
    /// Instructions executed, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
    /// The most memory pages in use at one time.
    pub pages_peak: u32,
    /// Seconds to load the program.
    pub load_seconds: f64,
    /// Seconds to run it.
    pub run_seconds: f64,
    /// What the program asked for in vain, in words: calls that are not there, files that are not granted, heap.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What else was to be written and could not be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output_errors: Vec<String>,
}

impl Report {
    /// The report on a run that ended so and took so long.
    #[must_use]
    pub fn new(
        program: String,
        exit: Exit,
        machine: &Machine,
        crash: Option<Crash>,
        load: Duration,
        run: Duration,
    ) -> Report {
        let cpu = machine.cpu();
        let image = machine.image();
        let symbol = image.code_at(cpu.pc);
        let place = match &crash {
            Some(crash) => crash.backtrace.first().and_then(NamedFrame::place),
            None => {
                let mut lines = Lines::new(image);
                lines.look_up([cpu.pc]);
                let first = lines.frames(cpu.pc).first();
                first.and_then(|frame| frame.place.clone())
            }
        };
        let fault = fault(exit);
        let EngineStats { engine, .. } = machine.engine_stats();
        Report {
            schema: SCHEMA,
            program,
            engine,
            placement: machine.memory().placement().name(),
            status: exit.status(),
            end: kind(exit),
            reason: describe(exit, machine),
            pc: cpu.pc,
            function: symbol.map(|(symbol, _)| demangle(&symbol.name)),
            offset: symbol.map(|(_, offset)| offset),
            line: place.as_ref().map(|place| place.line),
            file: place.map(|place| place.file),
            fault_address: fault.map(|fault| fault.addr),
            fault_access: fault.map(|fault| match fault.access {
                Access::Read => "read",
                Access::Write => "write",
                Access::Execute => "execute",
            }),
            crash,
            registers: cpu.x,
            instructions: cpu.counting.then_some(cpu.instret),
            pages_peak: machine.memory().pages_peak(),
            load_seconds: load.as_secs_f64(),
            run_seconds: run.as_secs_f64(),
            notes: super::notes(exit, machine),
            output_errors: Vec::new(),
        }
    }
}

/// The report on a program that was not run.
#[derive(Debug, Serialize)]
pub struct NotRun {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The program's path.
    pub program: String,
    /// The exit status.
    pub status: u8,
    /// `not-run`.
    pub end: &'static str,
    /// Why.
    pub reason: String,
}

impl NotRun {
    /// The report on a program that was not run, for this reason.
    #[must_use]
    pub fn new(program: String, status: u8, reason: String) -> NotRun {
        NotRun {
            schema: SCHEMA,
            program,
            status,
            end: "not-run",
            reason,
        }
    }
}

fn fault(exit: Exit) -> Option<Fault> {
    match exit {
        Exit::Fault(fault) => Some(fault),
        Exit::Status(_)
        | Exit::TohostFailure(_)
        | Exit::TohostRequest(_)
        | Exit::Refused(_)
        | Exit::OutputLost(_)
        | Exit::FinisherFailure(_)
        | Exit::Reset
        | Exit::WaitsForever
        | Exit::TrapsForever { .. }
        | Exit::Trap(_)
        | Exit::Breakpoint
        | Exit::Killed(_)
        | Exit::Interrupted
        | Exit::Timeout
        | Exit::MaxInsns
        | Exit::Reached
        | Exit::Stopped
        | Exit::HostCall(_) => None,
    }
}

fn kind(exit: Exit) -> &'static str {
    match exit {
        Exit::Status(_) => "exit",
        Exit::TohostFailure(_) => "tohost-failure",
        Exit::TohostRequest(_) => "tohost-request",
        Exit::Refused(_) => "refused",
        Exit::OutputLost(_) => "output-lost",
        Exit::FinisherFailure(_) => "finisher-failure",
        Exit::Reset => "reset",
        Exit::WaitsForever => "waits-forever",
        Exit::TrapsForever { .. } => "traps-forever",
        Exit::Trap(Trap::IllegalInstruction { .. }) => "illegal-instruction",
        Exit::Trap(Trap::MisalignedJump { .. }) => "misaligned-jump",
        Exit::Breakpoint => "breakpoint",
        Exit::Fault(fault) => match fault.kind {
            FaultKind::Unmapped | FaultKind::Denied => "memory-fault",
            FaultKind::Misaligned => "misaligned-access",
            FaultKind::OutOfPages => "out-of-pages",
        },
        Exit::Killed(_) => "killed",
        Exit::Interrupted => "interrupted",
        Exit::Timeout => "timeout",
        Exit::MaxInsns => "max-insns",
        Exit::Reached => "reached",
        Exit::Stopped => "stopped",
        Exit::HostCall(_) => "host-call",
    }
}

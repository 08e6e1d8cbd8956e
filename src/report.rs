//! What a person is told about how a run ended: one line in words, and the same as JSON.

use crate::engine::Trap;
use crate::machine::{Exit, Machine};
use crate::memory::{Fault, FaultKind, PAGE_SIZE};
use serde::Serialize;
use std::fmt::Write;
use std::time::Duration;

/// One line that says what happened, without the program's name; `None` where the program ended itself.
#[must_use]
pub fn describe(exit: Exit, machine: &Machine) -> Option<String> {
    let place = location(machine, machine.cpu().pc);
    Some(match exit {
        Exit::Status(_) => return None,
        Exit::TohostFailure(number) => format!("test {number} failed, says tohost, at {place}"),
        Exit::TohostRequest(value) => format!(
            "{value:#010x} in tohost, at {place}: asks for a service of the host, and there is none"
        ),
        Exit::Trap(trap @ Trap::MisalignedJump { .. }) => format!("{trap} at {place}"),
        Exit::Trap(trap @ Trap::IllegalInstruction { word }) => {
            // Compressed instructions are those whose two lowest bits are not both 1 (Unprivileged spec 1.5).
            let hint = match word {
                0 => " (zeroed memory)",
                _ if word & 3 != 3 => " (a compressed one? rvjit runs RV32IM)",
                _ => "",
            };
            format!("{trap} at {place}{hint}")
        }
        Exit::Breakpoint => format!("breakpoint (ebreak) at {place}"),
        Exit::Fault(fault) => match fault.kind {
            FaultKind::OutOfPages => format!(
                "out of memory pages at {place}: {:#010x} needs another, and all {} KiB are in use (--memory)",
                fault.addr,
                u64::from(machine.memory().limit_pages()) * u64::from(PAGE_SIZE) / 1024
            ),
            FaultKind::Unmapped | FaultKind::Denied | FaultKind::Misaligned => {
                let hint = fault_hint(machine, fault);
                format!("memory fault at {place}: {fault}{hint}")
            }
        },
        Exit::Killed(signal) => match signal_name(signal) {
            Some(name) => format!("killed by signal {signal} ({name}) at {place}"),
            None => format!("killed by signal {signal} at {place}"),
        },
        Exit::Interrupted => format!("interrupted at {place}"),
        Exit::Timeout => format!("stopped at {place}: the time limit is reached (--timeout)"),
        Exit::MaxInsns => {
            format!("stopped at {place}: the limit of instructions is reached (--max-insns)")
        }
    })
}

/// `pc 0x00010114 (main+0x10)`, or without the name where there is none.
#[must_use]
pub fn location(machine: &Machine, pc: u32) -> String {
    let mut text = format!("pc {pc:#010x}");
    if let Some((symbol, offset)) = machine.image().code_at(pc) {
        let name = printable(&symbol.name);
        // Writing to a String cannot fail.
        let _ = match offset {
            0 => write!(text, " ({name})"),
            _ => write!(text, " ({name}+{offset:#x})"),
        };
    }
    text
}

/// A name from a file, fit for a terminal.
fn printable(name: &str) -> String {
    let replace = |c: char| if c.is_control() { '?' } else { c };
    name.chars().map(replace).collect()
}

fn fault_hint(machine: &Machine, fault: Fault) -> &'static str {
    let below = machine.layout().stack.start.wrapping_sub(fault.addr);
    if fault.kind == FaultKind::Unmapped && (1..=PAGE_SIZE).contains(&below) {
        " (the stack is used up; --stack makes it larger)"
    } else {
        ""
    }
}

fn signal_name(signal: u8) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE, nobody reads its output",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// How a run ended, for programs to read.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The program's path.
    pub program: String,
    /// The exit status.
    pub status: u8,
    /// What happened in words; absent where the program ended itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it ended.
    pub pc: u32,
    /// The function it ended in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The address of a memory fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_address: Option<u32>,
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
}

impl Report {
    /// The report on a run that ended so and took so long.
    #[must_use]
    pub fn new(
        program: String,
        exit: Exit,
        machine: &Machine,
        load: Duration,
        run: Duration,
    ) -> Report {
        let cpu = machine.cpu();
        let symbol = machine.image().code_at(cpu.pc);
        Report {
            program,
            status: exit.status(),
            reason: describe(exit, machine),
            pc: cpu.pc,
            function: symbol.map(|(symbol, _)| symbol.name.to_string()),
            fault_address: match exit {
                Exit::Fault(fault) => Some(fault.addr),
                Exit::Status(_)
                | Exit::TohostFailure(_)
                | Exit::TohostRequest(_)
                | Exit::Trap(_)
                | Exit::Breakpoint
                | Exit::Killed(_)
                | Exit::Interrupted
                | Exit::Timeout
                | Exit::MaxInsns => None,
            },
            registers: cpu.x,
            instructions: cpu.counting.then_some(cpu.instret),
            pages_peak: machine.memory().pages_peak(),
            load_seconds: load.as_secs_f64(),
            run_seconds: run.as_secs_f64(),
        }
    }
}

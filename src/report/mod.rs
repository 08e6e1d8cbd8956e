//! What a person is told about how a run ended: one line in words, the details under it, and all of it as JSON.

pub mod backtrace;
mod cfi;
pub mod coverage;
pub mod crash;
pub mod dump;
pub mod json;
pub mod lines;
pub mod names;
mod notes;
pub mod perf;
pub mod profile;
pub mod stats;

pub use crash::Crash;
pub use json::Report;
pub use notes::notes;
pub use stats::Stats;

use crate::engine::Trap;
use crate::inspect::foreign;
use crate::machine::{Exit, Machine};
use crate::memory::{Access, Fault, FaultKind, PAGE_SIZE};
use crate::syscall::Refusal;

/// One line that says what happened, without the program's name; `None` where the program ended itself.
#[must_use]
pub fn describe(exit: Exit, machine: &Machine) -> Option<String> {
    // Most programs end themselves, and naming a place reads the whole symbol table.
    if let Exit::Status(_) = exit {
        return None;
    }
    let place = location(machine, machine.cpu().pc);
    Some(match exit {
        Exit::Status(_) => return None,
        Exit::TohostFailure(number) => format!("test {number} failed, says tohost, at {place}"),
        Exit::TohostRequest(value) => format!(
            "{value:#010x} in tohost, at {place}: asks for a service of the host, and there is none"
        ),
        Exit::Trap(trap @ Trap::MisalignedJump { .. }) => format!("{trap} at {place}"),
        Exit::FinisherFailure(code) => {
            format!("the test failed with code {code}, says the finisher, at {place}")
        }
        Exit::Reset => format!("the program asked for a reset, at {place}"),
        Exit::WaitsForever => {
            format!(
                "waits for an interrupt that cannot come (wfi, or a jump to itself), at {place}"
            )
        }
        Exit::TrapsForever { cause, value } => format!(
            "{cause} at {place} (mtval {value:#010x}) for ever: the program's trap handler meets it, or returns to it, and nothing changes"
        ),
        Exit::Trap(trap @ Trap::IllegalInstruction { word }) => {
            let name = foreign::name(word);
            let advice = foreign::advice(word, machine.image(), machine.platform().platform);
            let said: Vec<String> = [Some(name), advice].into_iter().flatten().collect();
            let said: Vec<String> = said.into_iter().filter(|s| !s.is_empty()).collect();
            let hint = match said.is_empty() {
                true => String::new(),
                false => format!(" ({})", said.join("; ")),
            };
            format!("{trap} at {place}{hint}")
        }
        Exit::Reached => format!("stopped where it was to stop, at {place}"),
        Exit::Stopped | Exit::HostCall(_) => format!("stopped by its host, at {place}"),
        Exit::Breakpoint => format!("breakpoint (ebreak) at {place}"),
        Exit::Fault(fault) => match fault.kind {
            FaultKind::OutOfPages => {
                let (used, limit) = (
                    machine.memory().pages_used(),
                    machine.memory().limit_pages(),
                );
                // An access may want more than one.
                let why = if used + used / 8 < limit {
                    "the host has no mappings left for memory in so many pieces (--placement paged wants none)".to_owned()
                } else {
                    let size = u64::from(limit) * u64::from(PAGE_SIZE) / 1024;
                    format!("all {size} KiB are in use (--memory)")
                };
                let addr = fault.addr;
                format!("out of memory pages at {place}: {addr:#010x} needs another, and {why}")
            }
            FaultKind::Unmapped | FaultKind::Denied | FaultKind::Misaligned => {
                let hint = fault_hint(machine, fault);
                format!("memory fault at {place}: {fault}{hint}")
            }
        },
        Exit::Killed(signal) => match signal_name(signal) {
            Some(name) => format!("killed by signal {signal} ({name}) at {place}"),
            None => format!("killed by signal {signal} at {place}"),
        },
        Exit::Refused(Refusal { call, number, why }) => {
            format!("{call} (ecall {number:#x}) at {place}: {why}")
        }
        Exit::OutputLost(errno) => {
            format!("what it prints cannot be written, at {place}: {errno}")
        }
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
    match names::symbol_offset(machine.image(), pc) {
        Some(name) => format!("pc {pc:#010x} ({name})"),
        None => format!("pc {pc:#010x}"),
    }
}

fn fault_hint(machine: &Machine, fault: Fault) -> &'static str {
    let stack = &machine.layout().stack;
    if fault.access == Access::Execute && stack.contains(&fault.addr) {
        return " (it is in the stack; --exec-stack lets code be executed there)";
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::MachineConfig;
    use crate::syscall::Stream;
    use std::path::Path;

    /// Reading and sorting the symbols of a large program takes longer than a short run of it.
    #[test]
    fn symbols_are_read_only_for_a_bad_end() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let described = |name: &str| {
            let config = MachineConfig {
                stdout: Stream::Null,
                ..MachineConfig::default()
            };
            let mut machine = Machine::open(&fixtures.join(name), config).unwrap();
            let exit = machine.run();
            let crash = Crash::new(exit, &mut machine);
            assert_eq!(crash.is_some(), exit != Exit::Status(0), "{name}");
            let text = describe(exit, &machine);
            (text.is_some(), machine.image().symbols_are_read())
        };
        assert_eq!(described("hello.elf"), (false, false));
        assert_eq!(described("nullcrash.elf"), (true, true));
    }
}

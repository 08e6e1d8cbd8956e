//! How a run ends.

use super::host_calls::HostCall;
use crate::cpu::Cause;
use crate::engine::Trap;
use crate::exit_status as status;
use crate::memory::{Fault, FaultKind};
use crate::syscall::Refusal;
use crate::syscall::abi::Errno;

/// How a run ended. Where it ended is the machine's pc.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The program ended itself with this status.
    Status(u8),
    /// A word written to `tohost` said that the test of this number failed.
    TohostFailure(u32),
    /// A word written to `tohost` asked for a service, and there is none.
    TohostRequest(u32),
    /// The test finisher was told that the test failed, with this code.
    FinisherFailure(u32),
    /// The test finisher was told to reset the machine, which ends the run.
    Reset,
    /// `wfi` or a jump to itself, and no interrupt can come that would end it.
    WaitsForever,
    /// A trap that the program's handler meets again and again with nothing changed.
    TrapsForever {
        /// Why it is taken.
        cause: Cause,
        /// What it is about, as in `mtval`.
        value: u32,
    },
    /// A guest event other than a memory fault.
    Trap(Trap),
    /// An `ebreak` that is no semihosting call.
    Breakpoint,
    /// A memory fault.
    Fault(Fault),
    /// The program was killed by a signal of this number, its own or SIGPIPE.
    Killed(u8),
    /// A call asks for what the environment does not have.
    Refused(Refusal),
    /// What the program printed by characters cannot be written, for this reason.
    OutputLost(Errno),
    /// Somebody asked the run to stop.
    Interrupted,
    /// The time limit is reached.
    Timeout,
    /// The limit of instructions is reached.
    MaxInsns,
    /// The instruction is reached that the run was to go to.
    Reached,
    /// A function of the host ended the run.
    Stopped,
    /// The program asks for something that is the host's own to do; [`host::Machine`](crate::host::Machine) does it.
    HostCall(HostCall),
}

impl Exit {
    /// The exit status that stands for this.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Exit::Status(status) => status,
            Exit::TohostFailure(number) => u8::try_from(number).unwrap_or(u8::MAX),
            // A code of 0 is a failure all the same.
            Exit::FinisherFailure(code) => u8::try_from(code).unwrap_or(u8::MAX).max(1),
            Exit::Reset => 0,
            Exit::TohostRequest(_)
            | Exit::Refused(_)
            | Exit::OutputLost(_)
            | Exit::Reached
            | Exit::Stopped
            | Exit::HostCall(_) => status::OWN_ERROR,
            Exit::WaitsForever | Exit::TrapsForever { .. } => status::TIMEOUT,
            Exit::Trap(Trap::IllegalInstruction { .. }) => status::ILLEGAL_INSTRUCTION,
            Exit::Trap(Trap::MisalignedJump { .. }) => status::MISALIGNED,
            Exit::Breakpoint => status::BREAKPOINT,
            Exit::Fault(fault) => match fault.kind {
                FaultKind::Unmapped | FaultKind::Denied => status::MEMORY_FAULT,
                FaultKind::Misaligned => status::MISALIGNED,
                FaultKind::OutOfPages => status::OUT_OF_PAGES,
            },
            Exit::Killed(signal) => status::SIGNAL_BASE.saturating_add(signal),
            Exit::Interrupted => status::INTERRUPTED,
            Exit::Timeout => status::TIMEOUT,
            Exit::MaxInsns => status::MAX_INSNS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Access;

    #[test]
    fn statuses() {
        let fault = |kind| {
            Exit::Fault(Fault {
                addr: 0,
                access: Access::Read,
                kind,
            })
        };
        let rows = [
            (Exit::Status(42), 42),
            (Exit::TohostFailure(3), 3),
            (Exit::TohostFailure(256), 255),
            (Exit::TohostRequest(2), 125),
            (Exit::FinisherFailure(0), 1),
            (Exit::FinisherFailure(7), 7),
            (Exit::FinisherFailure(999), 255),
            (Exit::Reset, 0),
            (Exit::WaitsForever, 124),
            (
                Exit::TrapsForever {
                    cause: Cause::LoadFault,
                    value: 4,
                },
                124,
            ),
            (Exit::Trap(Trap::IllegalInstruction { word: 0 }), 132),
            (Exit::Trap(Trap::MisalignedJump { target: 2 }), 135),
            (Exit::Breakpoint, 133),
            (fault(FaultKind::Unmapped), 139),
            (fault(FaultKind::Denied), 139),
            (fault(FaultKind::Misaligned), 135),
            (fault(FaultKind::OutOfPages), 137),
            (Exit::Killed(6), 134),
            (Exit::Killed(200), 255),
            (Exit::OutputLost(Errno::ENOSPC), 125),
            (Exit::Interrupted, 130),
            (Exit::Timeout, 124),
            (Exit::MaxInsns, 152),
        ];
        for (exit, status) in rows {
            assert_eq!(exit.status(), status, "{exit:?}");
        }
    }
}

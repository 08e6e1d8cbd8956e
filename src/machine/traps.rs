//! Where traps of a bare machine's hart go, when interrupts are taken, and waiting for them.
//!
//! Engines know nothing of interrupts: they run in slices. Where instructions are counted, a slice ends when the timer's
//! interrupt is due; otherwise the timer makes the engine stop. What lets an interrupt in (a CSR, `mret`, a device) ends
//! the slice, too.

use super::timer::Timer;
use super::{Exit, Machine};
use crate::cpu::privileged::TIMER;
use crate::cpu::{Cause, Privilege};
use crate::engine::{Budget, Stop, Trap, resume};
use crate::memory::{Access, Fault, FaultKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Nanoseconds of a tick of `mtime`.
const TICK: u64 = 100;
/// How long a wait is before somebody looks whether the run is to stop.
const NAP: Duration = Duration::from_millis(10);
/// The longest wait for a timer: a year, which a host's clock can add to its time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// So many traps of the same kind at the same place with the same registers, one after the other, are a handler that
/// never ends.
const SAME_TRAPS: u32 = 1 << 20;

/// A trap, and how often it came again with nothing changed.
#[derive(Debug)]
pub(super) struct SameTrap {
    pc: u32,
    cause: Cause,
    value: u32,
    x: [u32; 32],
    times: u32,
}

impl Machine {
    /// Takes an interrupt that is due, and makes the engine stop when the timer's is. What the engine may execute until
    /// then.
    pub(super) fn begin_slice(&mut self) -> Budget {
        if !self.cpu.mode.enabled {
            return self.budget;
        }
        if let Some(cause) = self.cpu.interrupt_due() {
            self.cpu.take_interrupt(cause);
        }
        self.cpu.counting = self.budget.counts();
        let left = self
            .cpu
            .mode
            .mtimecmp
            .and_then(|at| at.checked_sub(self.cpu.mtime()));
        match (left, self.budget) {
            (None | Some(0), budget) => budget,
            (Some(ticks), Budget::Instructions(most)) => Budget::Instructions(most.min(ticks)),
            (Some(ticks), Budget::Unlimited) => {
                self.arm(ticks);
                Budget::Unlimited
            }
        }
    }

    fn arm(&mut self, ticks: u64) {
        let Some(board) = &mut self.board else {
            return;
        };
        if board.timer.is_none() {
            match Timer::new(Arc::clone(&board.pause)) {
                Ok(timer) => board.timer = Some(timer),
                Err(error) => {
                    log::error!("the host refuses a timer: {error}; no timer interrupt will come");
                    return;
                }
            }
        }
        let wait = Duration::from_nanos(ticks.saturating_mul(TICK)).min(LONGEST);
        if let Some(timer) = &board.timer {
            timer.arm(Instant::now() + wait);
        }
    }

    /// The engine has stopped. Whether that was for the timer, and the run simply goes on.
    pub(super) fn end_slice(&mut self, stop: Stop) -> bool {
        let timer = self.board.as_ref().and_then(|board| board.timer.as_ref());
        let rang = timer.is_some_and(Timer::disarm);
        match stop {
            Stop::Interrupted => rang && !self.stop.load(Ordering::Relaxed),
            // The budget was that of the slice.
            Stop::Budget => self.budget != Budget::Instructions(0),
            _ => false,
        }
    }

    /// Gives what stopped the engine to the program's own handler, if it has one and handlers get such things.
    pub(super) fn trap(&mut self, stop: Stop) -> bool {
        if !self.cpu.handles_traps() {
            return false;
        }
        let user = self.cpu.mode.privilege == Privilege::User;
        let pc = self.cpu.pc;
        let (cause, value) = match stop {
            Stop::Ecall if user => (Cause::EcallFromUser, 0),
            Stop::Ecall => (Cause::EcallFromMachine, 0),
            Stop::Ebreak => (Cause::Breakpoint, pc),
            Stop::Trap(Trap::IllegalInstruction { word }) => (Cause::IllegalInstruction, word),
            Stop::Trap(Trap::MisalignedJump { target }) => (Cause::MisalignedFetch, target),
            Stop::Fault(Fault { addr, access, kind }) => {
                let cause = match (kind, access) {
                    (FaultKind::OutOfPages, _) => return false,
                    (_, Access::Execute) => Cause::FetchFault,
                    (FaultKind::Misaligned, Access::Read) => Cause::MisalignedLoad,
                    (FaultKind::Misaligned, Access::Write) => Cause::MisalignedStore,
                    (_, Access::Read) => Cause::LoadFault,
                    (_, Access::Write) => Cause::StoreFault,
                };
                (cause, addr)
            }
            Stop::Budget | Stop::Interrupted | Stop::Watch | Stop::Wait => return false,
        };
        if self.traps_for_ever(cause, value) {
            return false;
        }
        self.cpu.take_exception(cause, value);
        true
    }

    /// Whether the program's handler meets this trap itself, with nothing changed since it did before.
    fn traps_for_ever(&mut self, cause: Cause, value: u32) -> bool {
        let Some(board) = &mut self.board else {
            return false;
        };
        let (pc, x) = (self.cpu.pc, self.cpu.x);
        let times = match &board.last_trap {
            Some(last) if (last.pc, last.cause, last.value, last.x) == (pc, cause, value, x) => {
                last.times + 1
            }
            _ => 0,
        };
        // The handler's first instruction will do the same again: nothing but trap CSRs has changed.
        let first = self.cpu.mode.mtvec.map(|mtvec| mtvec & !3) == Some(pc);
        let for_ever = times >= SAME_TRAPS || first && times > 0;
        if times == 0 {
            board.last_trap = Some(SameTrap {
                pc,
                cause,
                value,
                x,
                times,
            });
        } else if let Some(last) = &mut board.last_trap {
            last.times = times;
        }
        self.handler_traps |= for_ever;
        for_ever
    }

    /// `wfi`, which is at pc: goes on when an interrupt is pending that `mie` lets through.
    pub(super) fn wait_for_interrupt(&mut self) -> Option<Exit> {
        loop {
            let mode = &self.cpu.mode;
            if self.cpu.mip() & mode.mie != 0 {
                break;
            }
            let timer = mode.mtimecmp.filter(|_| mode.mie >> TIMER & 1 != 0);
            let Some(at) = timer else {
                return Some(Exit::WaitsForever);
            };
            let left = at.saturating_sub(self.cpu.mtime());
            if self.budget.counts() {
                // Nothing happens until then: it is then.
                let ticks = self.cpu.ticks();
                self.cpu.mode.mtime.set(at, ticks);
                break;
            }
            if self.stop.load(Ordering::Relaxed) {
                return Some(Exit::Interrupted);
            }
            if let Err(outcome) = self.syscalls.flush_console() {
                return self.after_console(outcome);
            }
            std::thread::sleep(Duration::from_nanos(left.saturating_mul(TICK)).min(NAP));
        }
        resume(&mut self.cpu, &mut self.budget);
        None
    }
}

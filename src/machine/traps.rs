//! Where traps of a bare machine's hart go, when interrupts are taken, and waiting for them.
//!
//! Engines know nothing of interrupts: they run in slices. Where instructions are counted, a slice ends when the timer's
//! interrupt is due; otherwise the timer makes the engine stop. What lets an interrupt in (a CSR, `mret`, a device) ends
//! the slice, too.

use super::timer::Timer;
use super::{Exit, Machine};
use crate::cpu::privileged::TIMER;
use crate::cpu::{Cause, Cpu, Privilege};
use crate::engine::{Budget, Stop, Trap, resume};
use crate::memory::{Access, Fault, FaultKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Nanoseconds of a tick of `mtime`.
const TICK: u64 = 100;
/// How long a wait is before somebody looks whether the run is to stop.
const NAP: Duration = Duration::from_millis(10);
/// The longest wait for a timer, in ticks: a year, which a host's clock can add to its time. Programs write the largest
/// value to `mtimecmp` when no interrupt is to come.
const LONGEST: u64 = 365 * 24 * 3600 * (1_000_000_000 / TICK);
impl Machine {
    /// Takes an interrupt that is due before the instruction at pc.
    pub(super) fn take_interrupts(&mut self) {
        if let Some(cause) = self.cpu.interrupt_due() {
            self.cpu.take_interrupt(cause);
        }
    }

    /// Takes an interrupt that is due, and makes the engine stop when the timer's is. What the engine may execute until
    /// then.
    pub(super) fn begin_slice(&mut self) -> Budget {
        if !self.cpu.mode.enabled {
            return self.budget;
        }
        self.cpu.counting = self.budget.counts();
        self.take_interrupts();
        let left = self.ticks_to_timer().filter(|&ticks| ticks > 0);
        match (left, self.budget) {
            (Some(ticks), Budget::Instructions(most)) => Budget::Instructions(most.min(ticks)),
            (Some(ticks), Budget::Unlimited) => {
                self.arm(ticks);
                Budget::Unlimited
            }
            (None, budget) => {
                self.disarm();
                budget
            }
        }
    }

    /// Ticks until the timer's interrupt is pending; `None` where it was not set, or so that nobody will see it.
    fn ticks_to_timer(&self) -> Option<u64> {
        let at = self.cpu.mode.mtimecmp?;
        let left = at.saturating_sub(self.cpu.mtime());
        (left <= LONGEST).then_some(left)
    }

    /// Has the timer stop the engine then. It goes on where it is set to that time already.
    fn arm(&mut self, ticks: u64) {
        let Some(board) = &mut self.board else {
            return;
        };
        let set = (self.cpu.mode.mtimecmp, self.cpu.mode.mtime);
        if board.armed == Some(set) {
            return;
        }
        if board.timer.is_none() {
            match Timer::new(Arc::clone(&board.pause)) {
                Ok(timer) => board.timer = Some(timer),
                Err(error) => {
                    log::error!("the host refuses a timer: {error}; no timer interrupt will come");
                    return;
                }
            }
        }
        let wait = Duration::from_nanos(ticks.saturating_mul(TICK));
        if let Some(timer) = &mut board.timer {
            timer.arm(Instant::now() + wait);
            board.armed = Some(set);
        }
    }

    /// Nobody is kicked any more. Whether the time had come.
    pub(super) fn disarm(&mut self) -> bool {
        let Some(board) = &mut self.board else {
            return false;
        };
        let armed = board.armed.take().is_some();
        armed && board.timer.as_mut().is_some_and(Timer::disarm)
    }

    /// The engine has stopped. Whether that was for the timer, and the run simply goes on.
    pub(super) fn end_slice(&mut self, stop: Stop) -> bool {
        match stop {
            Stop::Interrupted => self.disarm() && !self.stop.load(Ordering::Relaxed),
            // The budget was that of the slice.
            Stop::Budget => self.budget != Budget::Instructions(0),
            _ => false,
        }
    }

    /// Gives what stopped the engine to the program's own handler, if it has one and handlers get such things: then it
    /// says whether the run ends.
    pub(super) fn trap(&mut self, stop: Stop) -> Option<Option<Exit>> {
        if !self.cpu.handles_traps() {
            return None;
        }
        let (cause, value) = self.exception(stop)?;
        if self.traps_forever(cause, value) {
            return Some(Some(Exit::TrapsForever { cause, value }));
        }
        self.cpu.take_exception(cause, value);
        Some(None)
    }

    /// The exception that a stop is, with what goes to `mtval`.
    pub(super) fn exception(&self, stop: Stop) -> Option<(Cause, u32)> {
        let user = self.cpu.mode.privilege == Privilege::User;
        Some(match stop {
            Stop::Ecall if user => (Cause::EcallFromUser, 0),
            Stop::Ecall => (Cause::EcallFromMachine, 0),
            Stop::Ebreak => (Cause::Breakpoint, self.cpu.pc),
            Stop::Trap(Trap::IllegalInstruction { word }) => (Cause::IllegalInstruction, word),
            Stop::Trap(Trap::MisalignedJump { target }) => (Cause::MisalignedFetch, target),
            Stop::Fault(Fault { addr, access, kind }) => {
                let cause = match (kind, access) {
                    // That is between rvjit and its host.
                    (FaultKind::OutOfPages, _) => return None,
                    // Where a called function returns to.
                    (_, Access::Execute) if self.calling == Some(addr) => return None,
                    (_, Access::Execute) => Cause::FetchFault,
                    (FaultKind::Misaligned, Access::Read) => Cause::MisalignedLoad,
                    (FaultKind::Misaligned, Access::Write) => Cause::MisalignedStore,
                    (_, Access::Read) => Cause::LoadFault,
                    (_, Access::Write) => Cause::StoreFault,
                };
                (cause, addr)
            }
            Stop::Budget | Stop::Interrupted | Stop::Watch | Stop::Wait | Stop::Spin => {
                return None;
            }
        })
    }

    /// `wfi`, which is at pc: goes on when an interrupt is pending that `mie` lets through.
    pub(super) fn wait_for_interrupt(&mut self) -> Option<Exit> {
        let ended = self.wait(|cpu| cpu.mode.mie);
        if ended.is_none() {
            resume(&mut self.cpu, &mut self.budget);
        }
        ended
    }

    /// A jump to itself, which is at pc: only an interrupt that is taken leaves it.
    pub(super) fn spin(&mut self) -> Option<Exit> {
        self.wait(|cpu| match cpu.heeds_interrupts() {
            true => cpu.mode.mie,
            false => 0,
        })
    }

    /// Waits until one of the interrupts is pending that `ends` says, by their causes' bits.
    fn wait(&mut self, ends: impl Fn(&Cpu) -> u32) -> Option<Exit> {
        loop {
            let ends = ends(&self.cpu);
            if self.cpu.mip() & ends != 0 {
                return None;
            }
            let enabled = ends >> TIMER & 1 != 0;
            let Some(left) = self.ticks_to_timer().filter(|_| enabled) else {
                return Some(Exit::WaitsForever);
            };
            if self.budget.counts() {
                // Nothing happens until then: it is then.
                let (then, ticks) = (self.cpu.mtime() + left, self.cpu.ticks());
                self.cpu.mode.mtime.set(then, ticks);
                return None;
            }
            if self.stop.load(Ordering::Relaxed) {
                return Some(Exit::Interrupted);
            }
            if let Err(outcome) = self.syscalls.flush_console() {
                return self.after_console(outcome);
            }
            std::thread::sleep(Duration::from_nanos(left.saturating_mul(TICK)).min(NAP));
        }
    }
}

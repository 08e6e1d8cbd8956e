//! The host-target interface of riscv-tests, spike and their like: a 64-bit word `tohost`, which RV32 programs write in
//! two halves, mostly the lower first, and a word `fromhost` for answers.
//!
//! | upper half | lower half | meaning |
//! |---|---|---|
//! | 0 | 1 | the program ends well |
//! | 0 | odd | the test of number (lower >> 1) failed |
//! | 0 | even | the address of a system call's number, arguments and, afterwards, result: eight 64-bit words |
//! | `0x0101_0000` | a character | is written to the console |
//! | `0x0100_0000` | | asks for a character, which comes in `fromhost` |
//!
//! Many programs have a word of 32 bits there, or write nothing but the lower half. So after a write the other half is
//! waited for, for a few instructions; what writes only one half goes round a loop by then.

use super::{Exit, Machine};
use crate::cpu::Cpu;
use crate::engine::{Budget, Stop};
use crate::interp;
use crate::syscall::Outcome;

/// How many instructions the other half may come later.
const PATIENCE: u8 = 16;
/// Words of a proxied system call: its number and arguments.
const CALL_WORDS: usize = 8;
const A0: usize = 10;
const A7: usize = 17;
/// The same of RV32E.
const T0: usize = 5;

impl Machine {
    /// The engine stopped for `tohost`, or was asked to for an interrupt.
    pub(super) fn heed_watch(&mut self) -> Option<Exit> {
        if !self.memory.take_watch_hit() {
            return None;
        }
        // A store goes on behind itself.
        let store = self.cpu.pc.wrapping_sub(4);
        self.engine.answered_elsewhere(store, &mut self.memory);
        let tohost = self.image.special.tohost?;
        let whole = tohost.len == 8;
        let (low, high) = self.tohost_words()?;
        if (low, high) == (0, 0) {
            self.tohost_left = 0;
            return None;
        }
        if whole && self.tohost_left == 0 {
            self.tohost_left = PATIENCE;
            return None;
        }
        self.heed_tohost()
    }

    fn tohost_words(&self) -> Option<(u32, u32)> {
        let tohost = self.image.special.tohost?;
        let mut bytes = [0; 8];
        let len = tohost.len as usize;
        self.memory.peek(tohost.addr, &mut bytes[..len]).ok()?;
        let word = u64::from_le_bytes(bytes);
        Some(((word & 0xffff_ffff) as u32, (word >> 32) as u32))
    }

    /// Executes the few instructions in which the other half of `tohost` may come.
    pub(super) fn await_tohost(&mut self) -> Option<Exit> {
        while self.tohost_left > 0 {
            if self.budget == Budget::Instructions(0) {
                return Some(Exit::MaxInsns);
            }
            let exit = match interp::step(&mut self.cpu, &mut self.memory) {
                Ok(()) => {
                    self.budget.spend(1);
                    self.after_step()
                }
                Err(stop) => {
                    let left = self.heed_tohost();
                    left.or_else(|| self.act_on(stop))
                }
            };
            if exit.is_some() {
                return exit;
            }
        }
        None
    }

    /// An instruction was executed by itself.
    pub(super) fn after_step(&mut self) -> Option<Exit> {
        if self.memory.stops_here() {
            return self.act_on(Stop::Watch);
        }
        if self.tohost_left > 0 {
            self.tohost_left -= 1;
            if self.tohost_left == 0 {
                return self.heed_tohost();
            }
        }
        None
    }

    /// Does what `tohost` says.
    fn heed_tohost(&mut self) -> Option<Exit> {
        self.tohost_left = 0;
        let (low, high) = self.tohost_words()?;
        match (high >> 16, low) {
            (0, 0) => None,
            (0, 1) => Some(Exit::Status(0)),
            (0, odd) if odd % 2 == 1 => Some(Exit::TohostFailure(odd >> 1)),
            (0, block) if self.image.special.fromhost.is_some() => self.proxied_call(block),
            (0x0101, character) => match self.syscalls.put_console(character.to_le_bytes()[0]) {
                Ok(()) => {
                    self.answer_tohost(None);
                    None
                }
                Err(outcome) => self.tohost_unanswered(outcome),
            },
            (0x0100, _) => match self.syscalls.get_console(true) {
                // The terminal's answer (fesvr, "bcd" device): 0x100 and the character.
                Ok(byte) => {
                    let answer = byte.map_or(u32::MAX, |byte| 0x100 | u32::from(byte));
                    self.answer_tohost(Some((answer, 0x0100_0000)));
                    None
                }
                Err(outcome) => self.tohost_unanswered(outcome),
            },
            (_, low) => Some(Exit::TohostRequest(low)),
        }
    }

    /// The command could not be done. Where only the run was to stop, it is done when the run goes on.
    fn tohost_unanswered(&mut self, outcome: Outcome) -> Option<Exit> {
        if outcome == Outcome::Interrupted {
            self.tohost_left = 1;
        }
        self.after_console(outcome)
    }

    /// Takes the command back, and gives the answer. Where that cannot be written the program finds out for itself.
    fn answer_tohost(&mut self, answer: Option<(u32, u32)>) {
        let special = self.image.special;
        if let Some(tohost) = special.tohost {
            let _ = self
                .memory
                .write(tohost.addr, &[0; 8][..tohost.len as usize]);
        }
        if let (Some((low, high)), Some(fromhost)) = (answer, special.fromhost) {
            let word = u64::from(high) << 32 | u64::from(low);
            let bytes = &word.to_le_bytes()[..fromhost.len as usize];
            let _ = self.memory.write(fromhost.addr, bytes);
        }
        self.memory.take_watch_hit();
    }

    /// A system call whose number and arguments are at `block`, as riscv-tests' and pk's programs make it.
    fn proxied_call(&mut self, block: u32) -> Option<Exit> {
        let mut bytes = [0; 8 * CALL_WORDS];
        if self.memory.read(block, &mut bytes).is_err() {
            return Some(Exit::TohostRequest(block));
        }
        let words: Vec<u32> = bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|word| (u64::from_le_bytes(*word) & 0xffff_ffff) as u32)
            .collect();
        let mut caller = Cpu::default();
        (caller.x[A7], caller.x[T0]) = (words[0], words[0]);
        caller.x[A0..A0 + 6].copy_from_slice(&words[1..7]);
        match self.syscalls.ecall(&mut caller, &mut self.memory) {
            Outcome::Continue => {
                let result = i64::from(caller.x[A0].cast_signed());
                let _ = self.memory.write(block, &result.to_le_bytes());
                self.cpu.reservation = None;
                self.answer_tohost(Some((1, 0)));
                None
            }
            outcome => self.tohost_unanswered(outcome),
        }
    }
}

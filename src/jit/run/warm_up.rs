//! Code that is executed a few times only: interpreted, block by block, and translated once that was not so.
//!
//! Translating an instruction costs as much as interpreting it ten to twenty times, and most code of most programs is
//! executed less often than that. So the places are counted that jumps and taken branches lead to, and a place gets
//! code when its count is full: back-edges are among them, so a loop is never interpreted for long. Where there is
//! code, it is entered, so what calls cold code goes on fast behind it.

use crate::cpu::Cpu;
use crate::engine::{Budget, Stop};
use crate::interp;
use crate::jit::back::backend::Backend;
use crate::jit::{Jit, Next};
use crate::memory::Memory;
use crate::rv32::{Insn, Isa};
use std::collections::HashMap;
use std::io;

/// log2 of the number of counters. So many that 4 MiB of code do not share any (2 MiB with compressed instructions);
/// memory is there only for those in use.
const BITS: u32 = 20;

/// The most instructions that are interpreted before somebody looks whether the run is to stop.
const LONGEST: u64 = 1024;

/// How often the places were reached where blocks begin.
///
/// Places share counters: what has bad luck is translated early, and that is all. Counts are the same in every run.
#[derive(Debug)]
pub struct Heat {
    counts: Box<[u8]>,
    /// How often a place is interpreted before it gets code.
    limit: u8,
    /// How many instructions are still to be interpreted before anything gets code.
    first: u64,
    /// Places that were reached half as often: they get code together with the next that needs it.
    pub warm: Vec<u32>,
    /// Places whose code was taken away because the guest wrote other instructions.
    rewritten: HashMap<u32, Rewritten>,
    /// log2 of the bytes from one place to the next.
    step: u32,
}

/// What is known of a place that the guest writes code to.
#[derive(Debug, Clone, Copy, Default)]
struct Rewritten {
    /// How often its code was taken away.
    times: u32,
    /// How often it is still to be reached before it gets code again.
    left: u32,
}

/// So often code is taken away before it is taken for code that will be written again.
const PATIENCE: u32 = 4;
/// So many of such places are remembered.
const MOST_REWRITTEN: usize = 1 << 16;
/// The longest wait of such code is 2 to this power, in executions.
const LONGEST_WAIT: u32 = 14;

impl Heat {
    /// With a limit of 0, all code is translated before it is executed. Otherwise nothing is before `first`
    /// instructions were interpreted: a program that ends then would not profit from what the first translation brings
    /// up.
    #[must_use]
    pub fn new(isa: Isa, limit: u8, first: u32) -> Heat {
        let counters = if limit == 0 { 0 } else { 1 << BITS };
        Heat {
            counts: vec![0; counters].into_boxed_slice(),
            limit,
            first: first.into(),
            warm: Vec::new(),
            rewritten: HashMap::new(),
            step: isa.alignment_bits(),
        }
    }

    /// The counter of a place. Neighbours have neighbouring ones: little code touches little memory.
    fn slot(&self, pc: u32) -> usize {
        let number = pc >> self.step;
        ((number ^ number >> BITS) & ((1 << BITS) - 1)) as usize
    }

    fn count(&mut self, pc: u32) -> Option<&mut u8> {
        let slot = self.slot(pc);
        self.counts.get_mut(slot)
    }

    /// A block begins here and is about to be executed. True if it should have code.
    pub fn reach(&mut self, pc: u32) -> bool {
        let limit = self.limit;
        let waits = self.first > 0;
        match self.count(pc) {
            Some(count) if waits && *count == limit - 1 => false,
            Some(count) if *count < limit => {
                *count += 1;
                if *count == limit / 2 {
                    self.warm.push(pc);
                }
                false
            }
            _ => self.rewritten.is_empty() || self.has_cooled(pc),
        }
    }

    /// One more time that a place was reached; true when it need not wait any longer.
    fn has_cooled(&mut self, pc: u32) -> bool {
        match self.rewritten.get_mut(&pc) {
            Some(place) if place.left > 0 && self.limit > 0 => {
                place.left -= 1;
                false
            }
            _ => true,
        }
    }

    /// Whether the guest has written code here so often that it is interpreted for longer than other code.
    #[must_use]
    pub fn cools(&self, pc: u32) -> bool {
        let place = self.rewritten.get(&pc);
        self.limit > 0 && place.is_some_and(|place| place.left > 0)
    }

    /// So many instructions were interpreted.
    pub fn interpreted(&mut self, insns: u64) {
        self.first = self.first.saturating_sub(insns);
    }

    /// Whether nothing is counted: all code is translated before it is executed.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.limit == 0
    }

    /// Whether a block that begins here was ever reached; always true where nothing is counted.
    #[must_use]
    pub fn reached(&self, pc: u32) -> bool {
        self.counts
            .get(self.slot(pc))
            .is_none_or(|&count| count > 0)
    }

    /// There is code for this place: from now on it is entered.
    pub fn has_code(&mut self, pc: u32) {
        let limit = self.limit;
        if let Some(count) = self.count(pc) {
            *count = limit;
        }
    }

    /// The code was taken away because the guest wrote other instructions: they begin anew. Where that happens again and
    /// again, they wait longer each time, so that translating never costs much more than interpreting would have.
    pub fn forget(&mut self, pc: u32) {
        if self.rewritten.len() > MOST_REWRITTEN {
            self.rewritten.clear();
        }
        let place = self.rewritten.entry(pc).or_default();
        place.times += 1;
        if let Some(beyond) = place.times.checked_sub(PATIENCE) {
            place.left = 1 << (beyond + 4).min(LONGEST_WAIT);
        }
        if let Some(count) = self.count(pc) {
            *count = 0;
        }
    }
}

/// Whether a block ends with this instruction, which was just executed. Behind a branch that was not taken it goes on, as
/// regions do: code that began there would cut them up.
fn ended_block(insn: Insn, at: u32, cpu: &Cpu) -> bool {
    match insn {
        Insn::Branch { offset, .. } => cpu.pc == at.wrapping_add_signed(offset),
        Insn::Jal { .. } | Insn::Jalr { .. } | Insn::FenceI { .. } | Insn::Privileged(_) => true,
        _ => false,
    }
}

impl<B: Backend> Jit<B> {
    /// Interprets blocks from `pc` on, where an instruction may begin and which was counted, up to one that should have
    /// code.
    pub(in crate::jit) fn run_cold(
        &mut self,
        pc: u32,
        cpu: &mut Cpu,
        memory: &mut Memory,
        budget: &mut Budget,
    ) -> io::Result<Result<Next, Stop>> {
        self.tell(pc, cpu, budget);
        loop {
            let mut most = LONGEST;
            if self.mode.counting {
                most = most.min(u64::try_from(self.arena.state().budget).unwrap_or(0));
            }
            let before = cpu.instret;
            let done = run_block(cpu, memory, most);
            let executed = cpu.instret - before;
            self.stats.interpreted += executed;
            self.heat.interpreted(executed);
            if self.mode.counting {
                self.arena.state().budget -= i64::try_from(executed).unwrap_or(i64::MAX);
                self.tell_budget(cpu, budget);
            }
            if let Err(stop) = done {
                return Ok(Err(stop));
            }
            self.heed_code_writes(memory)?;
            if self.sampling.is_some() {
                self.arena.state().take(cpu);
                self.sample_if_due(cpu.pc);
            }
            if self.stops() {
                return Ok(Err(Stop::Interrupted));
            }
            if self.heat.reach(cpu.pc) {
                self.arena.state().take(cpu);
                return Ok(Ok(Next::Pc(cpu.pc)));
            }
        }
    }
}

/// Executes to the end of a block, but at most so many instructions, and none is too few.
fn run_block(cpu: &mut Cpu, memory: &mut Memory, most: u64) -> Result<(), Stop> {
    let mut done = Err(Stop::Budget);
    for _ in 0..most {
        let at = cpu.pc;
        let insn = interp::step_insn(cpu, memory)?;
        if memory.stops_here() {
            return Err(Stop::Watch);
        }
        done = Ok(());
        if ended_block(insn, at, cpu) {
            break;
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_hot_before_enough_was_interpreted() {
        let mut heat = Heat::new(Isa::default(), 4, 100);
        assert!((0..20).all(|_| !heat.reach(0x1_0000)));
        heat.interpreted(60);
        assert!(!heat.reach(0x1_0000));
        heat.interpreted(60);
        assert!(!heat.reach(0x1_0000), "the fourth time that counts");
        assert!(heat.reach(0x1_0000));
        assert!((0..4).all(|_| !heat.reach(0x2_0000)));
        assert!(heat.reach(0x2_0000));
    }

    #[test]
    fn a_place_is_hot_after_its_limit_and_cold_again_when_rewritten() {
        let mut heat = Heat::new(Isa::default(), 4, 0);
        assert!(!heat.reached(0x1_0000));
        for n in 1..=4 {
            assert!(!heat.reach(0x1_0000), "{n}");
            assert!(heat.reached(0x1_0000));
            assert_eq!(heat.warm.len(), usize::from(n >= 2), "{n}");
        }
        assert!(heat.reach(0x1_0000) && heat.reach(0x1_0000));
        assert!(!heat.reach(0x1_0004), "neighbours do not share a counter");
        heat.forget(0x1_0000);
        assert!(!heat.reach(0x1_0000));
        heat.has_code(0x1_0000);
        assert!(heat.reach(0x1_0000));
    }

    #[test]
    fn what_is_rewritten_again_and_again_waits_longer() {
        let mut heat = Heat::new(Isa::default(), 2, 0);
        let mut waits = Vec::new();
        for _ in 0..20 {
            waits.push((0..).find(|_| heat.reach(0x1_0000)).unwrap_or(0));
            assert!(!heat.cools(0x1_0000));
            heat.forget(0x1_0000);
        }
        assert_eq!(waits[..6], [2, 2, 2, 2, 18, 34]);
        assert_eq!(waits[19], 2 + (1 << LONGEST_WAIT));
        assert!(heat.cools(0x1_0000) && !heat.cools(0x1_0004));
    }

    #[test]
    fn without_a_limit_everything_is_hot() {
        let mut heat = Heat::new(Isa::default(), 0, 100);
        assert!(heat.reach(0x1_0000) && heat.reached(0x2_0000));
        heat.forget(0x1_0000);
        assert!(heat.reach(0x1_0000) && heat.warm.is_empty());
    }
}

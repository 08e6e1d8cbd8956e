//! What the engine does where code was left in the middle: the interpreter executes what the code cannot.

use crate::cpu::Cpu;
use crate::engine::{Budget, Stop};
use crate::interp;
use crate::jit::back::backend::{Backend, CodeOffset, Position};
use crate::jit::ir::op::Op;
use crate::jit::ir::registers::RegSet;
use crate::jit::{Jit, Next};
use crate::memory::Memory;
use crate::rv32::Insn;
use std::io;

impl<B: Backend> Jit<B> {
    /// Computes what the code has deferred where it was left.
    pub(in crate::jit) fn complete(&self, region: usize, deferred: u32, cpu: &mut Cpu) {
        if deferred == 0 {
            return;
        }
        let ops = self.cache.deferred(region, deferred);
        let steps = ops.iter().take_while(|op| matches!(op, Op::Step { .. }));
        let rest = &ops[steps.clone().count()..];
        for step in steps {
            if let Some((rd, value)) = step.value(cpu) {
                cpu.set(rd, value);
            }
        }
        // None of the others reads what another computes.
        let seen = cpu.clone();
        for op in rest {
            if let Some((rd, value)) = op.value(&seen) {
                cpu.set(rd, value);
            }
        }
    }

    /// Lets the interpreter execute the instructions of a position.
    pub(in crate::jit) fn interpret(
        &mut self,
        region: usize,
        position: Position,
        resume: Option<CodeOffset>,
        cpu: &mut Cpu,
        memory: &mut Memory,
        budget: &mut Budget,
    ) -> io::Result<Result<Next, Stop>> {
        self.arena.state().give(cpu);
        cpu.pc = position.pc;
        self.complete(region, position.deferred, cpu);
        let counting = self.mode.counting;
        if counting {
            self.arena.state().budget += i64::from(position.counted);
            self.tell_budget(cpu, budget);
        }
        let mut written = RegSet::NONE;
        for _ in 0..position.insns.max(1) {
            let insn = match interp::step_insn(cpu, memory) {
                Ok(insn) => insn,
                Err(stop) => return Ok(Err(stop)),
            };
            match insn {
                // The host whose code faults with the place of an indirect jump, not with its target.
                Insn::Jalr { .. } if resume.is_none() => self.stats.misses += 1,
                _ => self.stats.interpreted += 1,
            }
            if counting {
                self.arena.state().budget -= 1;
                self.tell_budget(cpu, budget);
            }
            if memory.stops_here() {
                return Ok(Err(Stop::Watch));
            }
            written |= insn.destination().map_or(RegSet::NONE, RegSet::of);
        }
        self.heed_code_writes(memory)?;
        let before = self.arena.state().x;
        self.arena.state().take(cpu);
        let went_on = cpu.pc == position.pc.wrapping_add(position.bytes);
        Ok(Ok(match resume {
            // What a kick unlinked is linked again before code is entered.
            Some(at) if went_on && self.is_settled() && self.cache.regions()[region].live => {
                if counting {
                    let ahead = position.counted.saturating_sub(position.insns);
                    self.arena.state().budget -= i64::from(ahead);
                }
                // The code goes on without what it deferred, which may be computed again.
                for op in self.cache.deferred(region, position.deferred) {
                    if let Some(rd) = op.computes()
                        && !written.contains(rd)
                    {
                        self.arena.state().x[rd.index()] = before[rd.index()];
                    }
                }
                if let Some((reg, by)) = position.update {
                    let x = &mut self.arena.state().x[reg.index()];
                    *x = x.wrapping_add_signed(by);
                }
                Next::Host(at)
            }
            _ => Next::Pc(cpu.pc),
        }))
    }

    /// Executes the last instructions of a budget one by one.
    pub(in crate::jit) fn finish_budget(
        &mut self,
        pc: u32,
        cpu: &mut Cpu,
        memory: &mut Memory,
        budget: &mut Budget,
    ) -> io::Result<Result<Next, Stop>> {
        self.tell(pc, cpu, budget);
        while self.arena.state().budget > 0 {
            if let Err(stop) = interp::step(cpu, memory) {
                return Ok(Err(stop));
            }
            self.stats.interpreted += 1;
            self.arena.state().budget -= 1;
            self.tell_budget(cpu, budget);
            self.heed_code_writes(memory)?;
            if memory.stops_here() {
                return Ok(Err(Stop::Watch));
            }
        }
        Ok(Err(Stop::Budget))
    }
}

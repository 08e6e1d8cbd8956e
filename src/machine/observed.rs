//! Runs that somebody watches: instruction by instruction, or every so many instructions. The guest cannot tell, but
//! for its `cycle` counter where samples are taken.

use super::{Exit, Machine};
use crate::cpu::Cpu;
use crate::elf::{Image, Layout};
use crate::engine::{Budget, Stop};
use crate::interp;
use crate::memory::Memory;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Instructions between two looks at the stop flag.
const CHUNK: u32 = 1024;

/// What an observer sees of a machine.
#[derive(Debug)]
pub struct View<'a> {
    /// The program.
    pub image: &'a Image,
    /// Where its parts are.
    pub layout: &'a Layout,
    /// Registers and pc.
    pub cpu: &'a Cpu,
    /// Memory, to be read: which may give it pages, and changes nothing else.
    pub memory: &'a mut Memory,
}

/// Looks at each instruction of a run.
pub trait Observer {
    /// The instruction at pc is about to be executed.
    fn before(&mut self, view: &mut View<'_>);
    /// It was; or it was not, and the run ends here.
    fn after(&mut self, view: &mut View<'_>, executed: bool);
}

/// What system calls have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallTime {
    /// Their number.
    pub calls: u64,
    /// Time in them, waiting included.
    pub time: Duration,
}

impl Machine {
    /// The parts that an observer needs together.
    pub fn view(&mut self) -> View<'_> {
        View {
            image: &self.image,
            layout: &self.layout,
            cpu: &self.cpu,
            memory: &mut self.memory,
        }
    }

    /// Measures system calls from now on.
    pub fn time_calls(&mut self) {
        self.call_time = Some(CallTime::default());
    }

    /// What system calls have taken since [`Machine::time_calls`].
    #[must_use]
    pub fn call_time(&self) -> Option<CallTime> {
        self.call_time
    }

    /// Like [`Machine::run`], by the interpreter, with an observer at each instruction.
    pub fn run_observed(&mut self, observer: &mut dyn Observer) -> Exit {
        self.within_time(|machine| machine.step_to_end(observer))
    }

    fn step_to_end(&mut self, observer: &mut dyn Observer) -> Exit {
        self.cpu.counting = self.budget.counts();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Exit::Interrupted;
            }
            for _ in 0..CHUNK {
                if self.budget == Budget::Instructions(0) {
                    return Exit::MaxInsns;
                }
                observer.before(&mut self.view());
                let stop = match interp::step(&mut self.cpu, &mut self.memory) {
                    Ok(()) => {
                        self.budget.spend(1);
                        self.memory.watch_hit().then_some(Stop::Watch)
                    }
                    Err(stop) => Some(stop),
                };
                let exit = stop.and_then(|stop| self.act_on(stop));
                let executed = matches!(
                    exit,
                    None | Some(Exit::Status(_) | Exit::TohostFailure(_) | Exit::TohostRequest(_))
                );
                observer.after(&mut self.view(), executed);
                if let Some(exit) = exit {
                    return exit;
                }
            }
        }
    }

    /// Like [`Machine::run`], with a look at the machine every so many instructions.
    pub fn run_sampled(&mut self, every: u64, mut sample: impl FnMut(View<'_>)) -> Exit {
        self.within_time(|machine| {
            let mut limit = machine.budget;
            loop {
                let chunk = match limit {
                    Budget::Unlimited => every,
                    Budget::Instructions(left) => every.min(left),
                };
                machine.budget = Budget::Instructions(chunk);
                let exit = machine.run_to_end();
                if let Budget::Instructions(left) = machine.budget {
                    limit.spend(chunk - left);
                }
                if exit != Exit::MaxInsns || limit == Budget::Instructions(0) {
                    machine.budget = limit;
                    return exit;
                }
                sample(machine.view());
            }
        })
    }
}

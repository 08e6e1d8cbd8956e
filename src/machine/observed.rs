//! Runs that somebody watches: instruction by instruction, or every so many instructions. The guest cannot tell, but
//! for its `cycle` counter where samples are taken.

use super::{Exit, Machine};
use crate::cpu::Cpu;
use crate::elf::{Image, Layout};
use crate::engine::Budget;
use crate::interp;
use crate::memory::Memory;
use crate::sys::sampler::Timer;
use std::io;
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
    /// Memory.
    pub memory: &'a Memory,
}

/// Looks at each instruction of a run.
pub trait Observer {
    /// The instruction at pc is about to be executed.
    fn before(&mut self, view: &View<'_>);
    /// It was; or it was not: then the run ends here, or goes on in the program's trap handler.
    fn after(&mut self, view: &View<'_>, executed: bool);
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
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            image: &self.image,
            layout: &self.layout,
            cpu: &self.cpu,
            memory: &self.memory,
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
                self.take_interrupts();
                observer.before(&self.view());
                let (exit, executed) = match interp::step(&mut self.cpu, &mut self.memory) {
                    Ok(()) => {
                        self.budget.spend(1);
                        (self.after_step(), true)
                    }
                    Err(stop) => {
                        let before = self.cpu.instret;
                        let exit = self.act_on(stop);
                        // What went to the program's handler was not executed, and the run goes on.
                        let done = self.cpu.instret != before;
                        (exit, done || matches!(exit, Some(Exit::Status(_))))
                    }
                };
                observer.after(&self.view(), executed);
                if let Some(exit) = exit {
                    return exit;
                }
            }
        }
    }

    /// Like [`Machine::run`], with a look at the machine after each `interval` of processor time. The view's cpu has only
    /// pc and registers. `sample` may be called from a signal handler that interrupted emitted code.
    ///
    /// # Errors
    /// The system's, where there is no timer to be had: nothing was run then.
    pub fn run_timed(
        &mut self,
        interval: Duration,
        mut sample: impl FnMut(View<'_>),
    ) -> io::Result<Exit> {
        let _timer = Timer::start(interval)?;
        Ok(self.within_time(|machine| {
            machine.run_slices(|machine, budget| {
                let (image, layout) = (&machine.image, &machine.layout);
                machine.engine.run_sampled(
                    &mut machine.cpu,
                    &mut machine.memory,
                    budget,
                    &mut |cpu, memory| {
                        sample(View {
                            image,
                            layout,
                            cpu,
                            memory,
                        });
                    },
                )
            })
        }))
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

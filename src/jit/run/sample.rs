//! Samples of a run: what the guest is doing when a timer ticks.
//!
//! A tick in emitted code is answered in the signal handler, from host pc and registers by the tables that each region
//! has anyway: the code is the same as in a run without samples. A tick elsewhere is answered when the engine is about to
//! go on. See [`crate::sys::sampler`].
#![expect(
    unsafe_code,
    reason = "the signal handler reaches engine, memory and sampler through pointers"
)]

use crate::cpu::Cpu;
use crate::engine::Sample;
use crate::jit::Jit;
use crate::jit::back::backend::Backend;
use crate::memory::Memory;
use crate::rv32::Reg;
use crate::sys::sampler;
use crate::sys::signal::HostRegisters;

/// Who takes the samples of the present run, and of which memory.
#[derive(Debug, Clone, Copy)]
pub(in crate::jit) struct Sampling {
    sample: *mut (dyn FnMut(&Cpu, &Memory) + 'static),
    memory: *const Memory,
}

// SAFETY: there is one only while `Jit::run_sampled` is at work, and then nobody can send the engine that has it.
unsafe impl Send for Sampling {}

impl Sampling {
    /// Forgets how long the borrows last: this must be dropped before they end.
    pub(in crate::jit) fn new(sample: Sample<'_>, memory: &Memory) -> Sampling {
        let sample: *mut (dyn FnMut(&Cpu, &Memory) + '_) = sample;
        // SAFETY: only the lifetime in the type changes; that the pointer is not used after it is what `new` asks for,
        // and `Jit::run_sampled` keeps.
        let sample = unsafe {
            std::mem::transmute::<
                *mut (dyn FnMut(&Cpu, &Memory) + '_),
                *mut (dyn FnMut(&Cpu, &Memory) + 'static),
            >(sample)
        };
        Sampling { sample, memory }
    }

    fn take(self, cpu: &Cpu) {
        // SAFETY: `Jit::run_sampled` holds the borrow while this exists, and only one tick at a time is answered.
        let sample = unsafe { &mut *self.sample };
        // SAFETY: as above; nobody changes memory at the two places that come here: where the engine is between two
        // pieces of code, and where it waits for code to return. Guest bytes are no Rust memory.
        let memory = unsafe { &*self.memory };
        sample(cpu, memory);
    }
}

/// [`Jit::sample_in_code`] as the signal handler calls it.
pub(in crate::jit) fn on_sample<B: Backend>(jit: *mut (), pc: usize, registers: &HostRegisters) {
    // SAFETY: `Jit::enter` passed itself, and is waiting for the code to return; the thread was interrupted in emitted
    // code, which touches nothing of the engine but the arena's memory.
    let jit = unsafe { &mut *jit.cast::<Jit<B>>() };
    jit.sample_in_code(pc, registers);
}

impl<B: Backend> Jit<B> {
    /// Takes the sample of a tick that came outside emitted code.
    pub(in crate::jit) fn sample_if_due(&mut self, pc: u32) {
        if let Some(sampling) = self.sampling
            && sampler::take_pending()
        {
            let x = self.arena.state().x;
            sampling.take(&Cpu {
                x,
                pc,
                ..Cpu::default()
            });
        }
    }

    fn sample_in_code(&mut self, host_pc: usize, registers: &HostRegisters) {
        let Some(sampling) = self.sampling else {
            return;
        };
        let place = self.code.place(host_pc);
        let Some(pc) = place.and_then(|at| self.cache.guest_pc(at)) else {
            // In a stub, on the way in or out.
            return sampler::postpone();
        };
        let mut cpu = Cpu {
            x: self.arena.state().x,
            pc,
            ..Cpu::default()
        };
        for reg in Reg::all() {
            if let Some(number) = self.backend.host_register(reg) {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the upper half may hold anything"
                )]
                let value = registers[number] as u32;
                cpu.x[reg.index()] = value;
            }
        }
        sampling.take(&cpu);
    }
}

//! The JIT engine: translates regions when they have been reached a few times, runs the code, and acts on why it left.
//!
//! The rooms are the pipeline; each uses only those above it in this list, so nothing runs back up.
//!
//! ```text
//! ir      operations, what is known of them, the state       (what rooms hand to each other)
//! front   which guest code is translated, and lifting it     (guest only)
//! passes  joining and dropping operations                    (guest only)
//! back    lowering; arm64/, x86_64/ are the hosts            (operations to bytes)
//! code    buffer, jump table, directory, regions, publishing (bookkeeping, W^X)
//! run     warming up, entering, leaving, sampling            (unsafe: the call)
//! view    listings and figures, code ahead of a run          (for a reader)
//! ```

pub mod back;
pub mod code;
pub mod front;
pub mod ir;
pub mod passes;
pub mod run;
pub mod view;

use crate::cpu::Cpu;
use crate::engine::{Budget, Engine, EngineStats, HostCode, Sample, Stop, Trap};
use crate::interp;
use crate::memory::{Memory, Placement};
use crate::rv32::Isa;
use crate::sys::signal::{FAULT, FaultGuard};
use crate::sys::signal_stack::SignalStack;
use back::backend::{Backend, CodeOffset, Event, Options, Stubs};
use back::translate::Mode;
use code::buffer::CodeBuffer;
use code::jump_table::Arena;
use code::publish::{self, Workshop};
use code::regions::Cache;
use ir::state::{EXIT_MISSED, JumpTableKind};
use run::warm_up::Heat;
use run::{enter, sample};
use std::collections::HashMap;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The backend for the host that this was compiled for.
#[cfg(target_arch = "aarch64")]
pub type HostBackend = back::arm64::Arm64;
/// The backend for the host that this was compiled for.
#[cfg(target_arch = "x86_64")]
pub type HostBackend = back::x86_64::X86_64;

/// How a [`Jit`] is to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JitConfig {
    /// Which instructions the program may have.
    pub isa: Isa,
    /// Bytes of code buffer.
    pub code_cache: usize,
    /// Whether to fill with garbage what emitted code must not trust.
    pub poison: bool,
    /// Whether to leave out all optimisation across instructions.
    pub plain: bool,
    /// Whether to use host instructions beyond the baseline where the host has them.
    pub host_features: bool,
    /// How often code is interpreted before it is translated; 0 translates all code before it is executed.
    pub hot: u8,
    /// How many instructions are interpreted before anything is translated, unless all is.
    pub first: u32,
}

impl JitConfig {
    /// [`JitConfig::first`] of a run whose [`JitConfig::hot`] nobody chose.
    pub const FIRST: u32 = 2048;
    /// [`JitConfig::hot`] where nobody asks for something else.
    pub const HOT: u8 = 8;
}

impl Default for JitConfig {
    fn default() -> JitConfig {
        JitConfig {
            isa: Isa::default(),
            code_cache: 32 << 20,
            poison: false,
            plain: false,
            host_features: true,
            hot: JitConfig::HOT,
            first: 0,
        }
    }
}

/// How often something else than memory answers an access before the interpreter executes it without trying: each time
/// costs a fault of the host's, as much as translating a region anew does.
const OFTEN: u8 = 16;
/// The most places that are counted.
const MOST_ELSEWHERE: usize = 4096;

/// The JIT engine for one host backend.
#[derive(Debug)]
pub struct Jit<B> {
    backend: B,
    isa: Isa,
    code: CodeBuffer,
    arena: Arena,
    stubs: Stubs,
    cache: Cache,
    heat: Heat,
    workshop: Workshop,
    mode: Mode,
    placement: Placement,
    /// What the memory is bound to that the code was made for, see [`Memory::bind`]; 0 before there is any.
    bound: u64,
    guard: FaultGuard,
    fetcher: enter::Fetcher,
    /// The caller's budget and `instret` when the run began, and what the state's budget was then.
    start: (u64, u64, i64),
    stop: Option<Arc<AtomicBool>>,
    pause: Option<Arc<AtomicBool>>,
    pending: Pending,
    sampling: Option<sample::Sampling>,
    /// How often something else than memory answered the access at a place.
    elsewhere: HashMap<u32, u8>,
    stats: EngineStats,
}

/// The engine for this host.
///
/// # Errors
/// The host's, for example where executable memory is refused.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
pub fn for_host(memory: &Memory, config: JitConfig) -> io::Result<Jit<HostBackend>> {
    Jit::new(HostBackend::new, memory, config)
}

/// What is to be done before code is entered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// A kick pointed all links away from code, which is as it was.
    Relink,
    /// Code may be wrong, or most of it is dead.
    Flush,
}

/// Where to go on.
enum Next {
    Pc(u32),
    Host(CodeOffset),
}

impl<B: Backend> Jit<B> {
    fn new(
        make: impl FnOnce(Options) -> B,
        memory: &Memory,
        config: JitConfig,
    ) -> io::Result<Jit<B>> {
        let placement = memory.placement();
        // The paged placement works without signals and without much address space; the sparse table needs both.
        let arena = if placement == Placement::Paged {
            Arena::new(JumpTableKind::Hashed, config.isa)?
        } else {
            Arena::new(B::JUMP_TABLE, config.isa).or_else(|error| {
                log::info!("no address space for the large jump table: {error}");
                Arena::new(JumpTableKind::Hashed, config.isa)
            })?
        };
        let code = CodeBuffer::new(config.code_cache.max(4 * publish::ROOM), B::CODE_LOW)?;
        let low_half = code.address(CodeOffset(0)) as u64 & u64::from(u32::MAX);
        let mut backend = make(Options {
            code_low: u32::try_from(low_half).unwrap_or(0),
            placement,
            hashed_jumps: arena.kind() == JumpTableKind::Hashed,
            isa: config.isa,
            poison: config.poison,
            host_features: config.host_features,
        });
        let stubs = backend.stubs();
        let mut jit = Jit {
            code,
            backend,
            isa: config.isa,
            arena,
            stubs,
            cache: Cache::new(config.isa),
            heat: Heat::new(config.isa, config.hot, config.first),
            workshop: Workshop::default(),
            mode: Mode {
                counting: false,
                plain: config.plain,
            },
            placement,
            bound: 0,
            guard: FaultGuard::install()?,
            fetcher: enter::Fetcher::default(),
            start: (0, 0, 0),
            stop: None,
            pause: None,
            pending: Pending::Nothing,
            sampling: None,
            elsewhere: HashMap::new(),
            stats: EngineStats {
                engine: "jit",
                ..EngineStats::default()
            },
        };
        jit.code.edit(&jit.stubs.code, &[])?;
        if let Some(missed) = jit.stubs.missed {
            jit.arena.set_missed(jit.code.address(missed));
        }
        enter::check(placement)?;
        Ok(jit)
    }

    /// Makes a run end with [`Stop::Interrupted`] when `stop` is true: before code is entered, and where it is left.
    /// Code that does not leave by itself is made to by a [kick](crate::sys::signal::Thread::kick).
    pub fn stop_on(&mut self, stop: Arc<AtomicBool>) {
        self.stop = Some(stop);
    }

    /// The same with a flag that is set for the machine's own purposes, not to end the run.
    pub fn pause_on(&mut self, pause: Arc<AtomicBool>) {
        self.pause = Some(pause);
    }

    /// Makes code for this memory from now on, and forgets what was made for another. False: emitted code of this engine
    /// cannot reach memory of its kind.
    fn bind(&mut self, memory: &mut Memory) -> bool {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if memory.placement() != self.placement {
            return false;
        }
        if !self.cache.regions().is_empty() {
            self.flush(memory);
        }
        self.elsewhere.clear();
        self.bound = NEXT.fetch_add(1, Ordering::Relaxed);
        memory.bind(self.bound);
        let table = memory.table();
        let state = self.arena.state();
        state.base = table.base() as u64;
        state.read_table = table.read_table().unwrap_or(0) as u64;
        state.write_table = table.write_table().unwrap_or(0) as u64;
        true
    }

    fn interpreter(&self) -> interp::Interpreter {
        let (stop, pause) = (self.stop.clone(), self.pause.clone());
        interp::Interpreter { stop, pause }
    }

    fn stops(&self) -> bool {
        [&self.stop, &self.pause]
            .into_iter()
            .flatten()
            .any(|flag| flag.load(Ordering::Relaxed))
    }

    /// What is translated.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    fn heed_code_writes(&mut self, memory: &mut Memory) -> io::Result<()> {
        if memory.has_code_writes() {
            let writes = memory.take_code_writes();
            let mut dead = self.cache.written(&writes, memory);
            if memory.take_fence_i() {
                dead.extend(self.cache.fence(memory));
            }
            for &index in &dead {
                self.stats.invalidations += 1;
                for n in self.cache.regions()[index].entries() {
                    self.heat.forget(self.cache.entry_at(n).0);
                }
            }
            self.unlink(&dead)?;
        }
        Ok(())
    }

    fn enter(&mut self, at: CodeOffset) -> u64 {
        debug_assert!(self.fetcher.is_here(), "this thread has not fetched anew");
        let code = self.code.address(CodeOffset(0))..self.code.address(self.code.next());
        let stubs = (
            self.code.address(self.stubs.enter),
            self.code.address(self.stubs.leave),
        );
        self.stats.entered += 1;
        let host = self.code.address(at);
        let jit: *mut Jit<B> = self;
        let hooks = enter::Hooks {
            on_kick: unlink_everything::<B>,
            on_sample: sample::on_sample::<B>,
            context: jit.cast(),
        };
        #[expect(
            unsafe_code,
            reason = "emitted code is trusted to be what it should be"
        )]
        // SAFETY: stubs and code are published and of this engine; all code was made for the memory that the state names
        // and that `run` was given, since `bind` drops the other. The hooks take an engine of this type.
        unsafe {
            enter::run(hooks, &mut self.arena, self.guard, code, stubs, host);
        }
        self.arena.state().exit_at
    }

    /// Runs code from `next`; what it returns is where and how to go on.
    fn run_code(
        &mut self,
        next: Next,
        cpu: &mut Cpu,
        memory: &mut Memory,
        budget: &mut Budget,
    ) -> io::Result<Result<Next, Stop>> {
        if let Err(error) = self.settle(memory) {
            if let Next::Pc(pc) = next {
                self.tell(pc, cpu, budget);
            }
            return Err(error);
        }
        self.sample_if_due(match next {
            Next::Pc(pc) => pc,
            Next::Host(_) => cpu.pc,
        });
        if self.stops() {
            // On the way back into the middle of code, the interpreter has just left everything right.
            if let Next::Pc(pc) = next {
                self.tell(pc, cpu, budget);
            }
            return Ok(Err(Stop::Interrupted));
        }
        let at = match next {
            Next::Host(at) => at,
            Next::Pc(pc) if !self.isa.is_aligned(pc) => {
                self.tell(pc, cpu, budget);
                return Ok(Err(Stop::Trap(Trap::MisalignedJump { target: pc })));
            }
            Next::Pc(pc) if !self.heat.reach(pc) => {
                return self.run_cold(pc, cpu, memory, budget);
            }
            Next::Pc(pc) => match self.entry(pc, memory) {
                Ok(at) => at,
                Err(error) => {
                    self.tell(pc, cpu, budget);
                    return Err(error);
                }
            },
        };
        memory.settle();
        let exit_at = self.enter(at);
        if exit_at == u64::from(EXIT_MISSED) {
            self.stats.misses += 1;
            let missed = self.arena.missed();
            self.arena.expect(missed);
            return Ok(Ok(Next::Pc(missed)));
        }
        // After a call of the exit stub, its last byte stands for it; a fault is at its instruction.
        let address = match exit_at & FAULT {
            0 => exit_at - 1,
            _ => exit_at & !FAULT,
        };
        let place = usize::try_from(address)
            .ok()
            .and_then(|address| self.code.place(address));
        let Some((region, event)) = place.and_then(|place| self.cache.event(place)) else {
            self.die(exit_at)
        };
        match event {
            Event::Jump { target, deferred } => {
                let mut seen = Cpu {
                    x: self.arena.state().x,
                    ..Cpu::default()
                };
                self.complete(region, deferred, &mut seen);
                self.arena.state().x = seen.x;
                Ok(Ok(Next::Pc(target)))
            }
            Event::Interpret { position, resume } => {
                self.interpret(region, position, resume, cpu, memory, budget)
            }
            Event::Budget { pc } => self.finish_budget(pc, cpu, memory, budget),
        }
    }

    /// A host fault where no guest instruction can fault: the state of the guest is lost, and nothing can be trusted.
    fn die(&mut self, exit_at: u64) -> ! {
        let state = *self.arena.state();
        log::error!(
            "bug in rvjit: emitted code left at {exit_at:#x}, which is no known place (address {:#x})",
            state.fault_address
        );
        eprintln!("rvjit: bug: emitted code faulted at {exit_at:#x}, which is no known place");
        std::process::abort()
    }

    /// Brings all that the caller sees up to date; the guest is at `pc`.
    fn tell(&mut self, pc: u32, cpu: &mut Cpu, budget: &mut Budget) {
        self.arena.state().give(cpu);
        cpu.pc = pc;
        self.tell_budget(cpu, budget);
    }

    /// Brings the caller's budget and the hart's counter up to date with the state's.
    fn tell_budget(&mut self, cpu: &mut Cpu, budget: &mut Budget) {
        if let Budget::Instructions(left) = budget {
            let (left_then, instret_then, state_then) = self.start;
            let executed = (state_then - self.arena.state().budget).unsigned_abs();
            *left = left_then - executed;
            cpu.instret = instret_then + executed;
        }
    }

    fn set_counting(&mut self, cpu: &mut Cpu, memory: &mut Memory, budget: &Budget) {
        cpu.counting = budget.counts();
        if cpu.counting != self.mode.counting {
            self.mode.counting = cpu.counting;
            self.flush(memory);
        }
        if let Budget::Instructions(left) = budget {
            let most = i64::try_from(*left).unwrap_or(i64::MAX);
            self.arena.state().budget = most;
            self.start = (*left, cpu.instret, most);
        }
    }

    fn try_run(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        budget: &mut Budget,
    ) -> io::Result<Stop> {
        self.set_counting(cpu, memory, budget);
        if *budget == Budget::Instructions(0) {
            return Ok(Stop::Budget);
        }
        enter::prepare(self.placement, self.arena.state().base)?;
        let _stack = SignalStack::hold();
        self.heed_code_writes(memory)?;
        self.fetcher.arrive();
        self.arena.state().take(cpu);
        let mut next = Next::Pc(cpu.pc);
        loop {
            match self.run_code(next, cpu, memory, budget)? {
                Ok(on) => next = on,
                Err(stop) => return Ok(stop),
            }
        }
    }
}

impl<B: Backend> Engine for Jit<B> {
    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, budget: &mut Budget) -> Stop {
        // Code has the place of its memory built in, and knows what instructions were there.
        if !memory.is_bound(self.bound) && !self.bind(memory) {
            return self.interpreter().run(cpu, memory, budget);
        }
        match self.try_run(cpu, memory, budget) {
            Ok(stop) => stop,
            Err(error) => {
                // The host took memory or permissions away in mid-run; the guest's state is whole, and in `cpu`. Links
                // may be left that point at what was dropped.
                self.pending = Pending::Flush;
                log::error!("the JIT cannot go on: {error}; interpreting");
                self.interpreter().run(cpu, memory, budget)
            }
        }
    }

    fn run_sampled(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        budget: &mut Budget,
        sample: Sample<'_>,
    ) -> Stop {
        self.sampling = Some(sample::Sampling::new(sample, memory));
        let stop = panic::catch_unwind(AssertUnwindSafe(|| self.run(cpu, memory, budget)));
        // Whoever takes the samples may panic: it is not called any more then, either.
        self.sampling = None;
        stop.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }

    fn answered_elsewhere(&mut self, pc: u32, memory: &mut Memory) {
        if self.elsewhere.len() > MOST_ELSEWHERE {
            self.elsewhere.clear();
        }
        let times = self.elsewhere.entry(pc).or_insert(0);
        // Once: code that is dropped for another reason is translated without it, too.
        *times = times.saturating_add(1);
        if *times == OFTEN
            && let Err(error) = self.leave_out(pc, memory)
        {
            self.pending = Pending::Flush;
            log::error!("cannot unlink code: {error}");
        }
    }

    fn stats(&self) -> EngineStats {
        EngineStats {
            code_edits: self.code.edits(),
            code_used: self.code.used(),
            code_capacity: self.code.capacity(),
            ..self.stats
        }
    }

    fn host_code(&self) -> Vec<HostCode> {
        self.code_made()
    }
}

/// [`Jit::unlink_everything`] as a signal handler calls it.
#[expect(unsafe_code, reason = "the handler knows the engine only as a pointer")]
fn unlink_everything<B: Backend>(jit: *mut ()) {
    // SAFETY: `Jit::enter` passed itself, and is waiting for the code to return; the thread was interrupted in emitted
    // code, which touches nothing of the engine but the arena's memory.
    let jit = unsafe { &mut *jit.cast::<Jit<B>>() };
    jit.unlink_everything();
}

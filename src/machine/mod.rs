//! A machine: one program with its registers, memory, engine and environment.
//!
//! Engines run guest code and stop; what a stop means is decided here, so that engines cannot differ in it: system
//! calls, semihosting, `tohost`, limits. Several machines can exist in one process.

mod alarm;
mod board;
mod config;
mod exit;
mod host_calls;
mod htif;
mod interrupt;
mod observed;
mod snapshot;
mod stuck;
mod timer;
mod traps;
mod uart;

pub use board::{BoardError, Devices, FINISHER, UART};
pub use config::{EngineKind, JIT_AVAILABLE, MachineConfig, MachineError};
pub use exit::Exit;
pub use host_calls::HostCall;
pub(crate) use host_calls::{HOST_FUNCTIONS, HostCalls};
pub use interrupt::InterruptHandle;
pub use observed::{CallTime, Observer, View};
pub use snapshot::{Snapshot, SnapshotError};

use crate::cpu::Cpu;
use crate::elf::{Image, Layout, initial_stack, load};
use crate::engine::{Budget, Engine, EngineStats, HostCode, Stop, resume};
use crate::interp;
use crate::memory::{Memory, PAGE_COUNT, PAGE_SIZE, Permissions};
use crate::platform::{Decision, Platform};
use crate::sys::signal_stack::SignalStack;
use crate::syscall::semihosting::is_semihosting_call;
use crate::syscall::{Convention, Outcome, SyscallConfig, Syscalls};
use alarm::Alarm;
use interrupt::Runs;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Where in a page without anything [`Machine::call`] makes a function return to.
const RETURN_OFFSET: u32 = 0xff0;
/// Pages beside the program's own that the heap leaves to the stack.
const STACK_PAGES: u32 = 16;
/// Bytes of zeros that sp points to where there are no arguments: whoever looks for some there finds none.
const NO_ARGUMENTS: u32 = 64;

const RA: usize = 1;
const SP: usize = 2;
const GP: usize = 3;
const A0: usize = 10;
/// Registers that arguments are passed in: a0 to a7.
const ARGUMENT_REGISTERS: usize = 8;

/// One program, ready to run.
pub struct Machine {
    image: Arc<Image>,
    decision: Decision,
    layout: Layout,
    cpu: Cpu,
    /// Before `memory`, so that it is dropped first: its code has the memory's address in it.
    engine: Box<dyn Engine>,
    memory: Memory,
    /// Why there is no JIT where one was to be had.
    no_jit: Option<MachineError>,
    syscalls: Syscalls,
    budget: Budget,
    /// The budget of a run without a limit.
    unlimited: Budget,
    /// The longest that a run may take.
    limit: Option<(Alarm, Duration)>,
    runs: Arc<Runs>,
    stop: Arc<AtomicBool>,
    call_time: Option<CallTime>,
    /// On a bare machine, what is beside the hart.
    board: Option<board::Board>,
    /// How many instructions `tohost`'s other half is still waited for.
    tohost_left: u8,
    /// Where the function that is called returns to: nothing can be fetched there.
    calling: Option<u32>,
    /// What the host does for the program.
    host: HostCalls,
    /// `__global_pointer$`, or 0, once somebody has looked for it.
    gp: Option<u32>,
}

/// Tells a C library of the environment's variables. newlib's start-up code looks for arguments only, and its `getenv` for
/// `environ`, which is an empty list in the file.
fn set_environ(image: &Image, memory: &mut Memory, sp: u32, args: usize) {
    // Behind argc, argv and its NULL. What is on the stack has 32-bit addresses.
    let list = u32::try_from(args).map_or(0, |args| sp + 4 * (args + 2));
    let is_data = |at: &u32| memory.permissions(*at).is_some_and(Permissions::writable);
    if let Some(environ) = image.special.environ.filter(is_data) {
        // Where a damaged symbol is at the end of memory there is no variable.
        let _ = memory.poke(environ, &list.to_le_bytes());
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("layout", &self.layout)
            .field("cpu", &self.cpu)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// Bytes of the largest signature: thousands of times those of riscv-arch-test.
const LARGEST_SIGNATURE: u32 = 16 << 20;

/// Why [`Machine::call`] has no result.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// The program has no symbol of this name.
    NoFunction,
    /// There are more arguments than argument registers.
    TooManyArguments,
    /// The program ended before the function returned.
    Ended(Exit),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::NoFunction => write!(f, "the program has no function of this name"),
            CallError::TooManyArguments => {
                write!(f, "at most {ARGUMENT_REGISTERS} arguments can be passed")
            }
            CallError::Ended(exit) => write!(f, "the program ended first: {exit:?}"),
        }
    }
}

impl std::error::Error for CallError {}

impl Machine {
    /// Loads the program in this file.
    ///
    /// # Errors
    /// Why the file cannot be run, or what the host refuses.
    pub fn open(path: &Path, config: MachineConfig) -> Result<Machine, MachineError> {
        Machine::new(Image::open(path)?, config)
    }

    /// Loads a program.
    ///
    /// # Errors
    /// What does not fit, or what the host refuses.
    pub fn new(
        image: impl Into<Arc<Image>>,
        config: MachineConfig,
    ) -> Result<Machine, MachineError> {
        let image = image.into();
        let (decision, plan) = config::platform(&config, &image)?;
        let bare = decision.platform == Platform::Bare;
        let mut memory = config::make_memory(&config, plan.lowest_address(&image))?;
        let layout = load(&image, &mut memory, &plan)?;
        let sp = match decision.gives_arguments() {
            true => initial_stack(&mut memory, &layout, image.entry, &config.args, &config.env)?,
            false => layout.stack.end - NO_ARGUMENTS,
        };
        if decision.platform == Platform::Newlib && !config.env.is_empty() {
            set_environ(&image, &mut memory, sp, config.args.len());
        }
        let mut cpu = Cpu {
            pc: image.entry,
            ..Cpu::default()
        };
        cpu.x[SP] = sp;
        cpu.mode.enabled = bare;
        cpu.isa = image.isa();
        if bare {
            let tohost = image.special.tohost;
            memory.set_watch(tohost.map(|t| t.addr..t.addr.wrapping_add(t.len)));
        }
        let board = bare.then(|| board::Board::new(config.devices));
        let pause = board.as_ref().map(|board| &board.pause);
        let (engine, no_jit) = config::make_engine(&config, &memory, image.isa(), pause)?;
        let convention = match decision.platform {
            Platform::Newlib | Platform::Bare if image.embedded() => Convention::NewlibEmbedded,
            Platform::Newlib | Platform::Bare => Convention::Newlib,
            Platform::Risc0 => Convention::Risc0,
            Platform::Sp1 => Convention::Sp1,
        };
        // A zkVM counts cycles, and its guests ask for their number.
        let unlimited = match convention {
            Convention::Newlib | Convention::NewlibEmbedded => Budget::Unlimited,
            Convention::Risc0 | Convention::Sp1 => Budget::Instructions(u64::MAX >> 2),
        };
        let room = u64::from(config.memory_pages) * u64::from(PAGE_SIZE);
        let pages = |bytes: u32| bytes.div_ceil(PAGE_SIZE);
        let own_pages = image.segments.iter().map(|s| pages(s.memsz));
        let syscalls = Syscalls::new(SyscallConfig {
            dirs: config.dirs,
            args: config.args,
            convention,
            env: config.env,
            input: config.input,
            room: usize::try_from(room).unwrap_or(usize::MAX),
            heap_is_ram: decision.platform.is_flat(),
            heap_start: layout.heap.start,
            heap_limit: layout.heap.end,
            other_pages: own_pages.fold(STACK_PAGES, u32::saturating_add),
            stack: (layout.stack.start, layout.stack.end),
            stdin: config.stdin,
            stdout: config.stdout,
            stderr: config.stderr,
            stat_layout: config.stat_layout,
            stop_requested: Some(Arc::clone(&config.stop)),
        })?;
        let mut machine = Machine {
            image,
            decision,
            layout,
            cpu,
            memory,
            engine,
            no_jit,
            syscalls,
            budget: config.max_insns.map_or(unlimited, Budget::Instructions),
            unlimited,
            limit: None,
            runs: Runs::new(Arc::clone(&config.stop)),
            stop: config.stop,
            call_time: None,
            board,
            tohost_left: 0,
            calling: None,
            host: HostCalls::default(),
            gp: None,
        };
        machine.set_timeout(config.timeout)?;
        Ok(machine)
    }

    /// Runs until the program ends or must stop. After [`Exit::Interrupted`] and [`Exit::Timeout`] the next run goes on
    /// where this one stopped; after [`Exit::MaxInsns`] it does when it is given more
    /// ([`set_max_insns`](Machine::set_max_insns)).
    pub fn run(&mut self) -> Exit {
        self.within_time(Machine::run_to_end)
    }

    /// The most instructions that runs, and calls of functions, may execute from now on, all together. Counting makes
    /// code slower by about a third; where it begins or ends, what was translated is translated anew.
    pub fn set_max_insns(&mut self, most: Option<u64>) {
        self.budget = most.map_or(self.unlimited, Budget::Instructions);
    }

    /// How many instructions are left of that; `None` where nothing is counted.
    #[must_use]
    pub fn insns_left(&self) -> Option<u64> {
        match self.budget {
            Budget::Instructions(left) => Some(left),
            Budget::Unlimited => None,
        }
    }

    /// The longest time that each run, or call of a function, may take from now on.
    ///
    /// # Errors
    /// [`MachineError::TimeLimit`] when the host refuses what a time limit needs.
    pub fn set_timeout(&mut self, limit: Option<Duration>) -> Result<(), MachineError> {
        let with_alarm = |limit| Alarm::get().map(|alarm| (alarm, limit));
        let limit = limit.map(with_alarm).transpose();
        self.limit = limit.map_err(MachineError::TimeLimit)?;
        Ok(())
    }

    /// What stops this machine from another thread.
    ///
    /// # Errors
    /// [`MachineError::TimeLimit`] when the host refuses what that needs.
    pub fn interrupt_handle(&self) -> Result<InterruptHandle, MachineError> {
        InterruptHandle::new(Arc::clone(&self.runs)).map_err(MachineError::TimeLimit)
    }

    /// Ends what `run` does when the time limit is reached.
    fn within_time(&mut self, run: impl FnOnce(&mut Machine) -> Exit) -> Exit {
        // Once, not for each slice.
        let _stack = SignalStack::hold();
        let going_on = self.runs.begin(self.limit);
        let exit = run(self);
        let exit = self.finish(exit);
        going_on.end(exit)
    }

    /// Writes what the program printed last. Where that fails, one that ended well did not; how another ended is more
    /// than that.
    fn finish(&mut self, exit: Exit) -> Exit {
        match (self.syscalls.finish_console(), exit) {
            (Err(outcome), Exit::Status(_)) => self.after_console(outcome).unwrap_or(exit),
            _ => exit,
        }
    }

    /// As [`Machine::run`], without the time limit.
    pub(crate) fn run_to_end(&mut self) -> Exit {
        self.run_slices(|machine, budget| {
            machine
                .engine
                .run(&mut machine.cpu, &mut machine.memory, budget)
        })
    }

    /// Has `run` execute the program slice by slice, until it ends or must stop.
    fn run_slices(&mut self, mut run: impl FnMut(&mut Machine, &mut Budget) -> Stop) -> Exit {
        // Whoever has changed registers may have changed this one.
        self.cpu.x[0] = 0;
        // What the last run was stopped in.
        if let Some(exit) = self.await_tohost() {
            return exit;
        }
        loop {
            let slice = self.begin_slice();
            let mut left = slice;
            let stop = run(self, &mut left);
            if let (Budget::Instructions(before), Budget::Instructions(after)) = (slice, left) {
                self.budget.spend(before - after);
            }
            if self.end_slice(stop) {
                continue;
            }
            let exit = self.act_on(stop).or_else(|| self.await_tohost());
            if let Some(exit) = exit {
                self.disarm();
                return exit;
            }
        }
    }

    /// Executes one instruction, whatever the limits. `None`: the program has not ended.
    pub fn step(&mut self) -> Option<Exit> {
        self.take_interrupts();
        let exit = match interp::step(&mut self.cpu, &mut self.memory) {
            Ok(()) => self.after_step(),
            Err(stop) => self.act_on(stop),
        };
        exit.map(|exit| self.finish(exit))
    }

    /// Calls a function of the program and returns its a0. Its registers are those of the machine, except for the
    /// arguments, `ra`, and `gp` where the program has not set it; afterwards they are as before.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&mut self, name: &str, args: &[u32]) -> Result<u32, CallError> {
        let symbols = self.image.symbols();
        let function = symbols.by_name(name).ok_or(CallError::NoFunction)?.addr;
        if args.len() > ARGUMENT_REGISTERS {
            return Err(CallError::TooManyArguments);
        }
        let frame = self.begin_call(function);
        self.cpu.x[A0..A0 + args.len()].copy_from_slice(args);
        let exit = self.run();
        let result = self.cpu.x[A0];
        let returned = frame.has_returned(exit);
        self.end_call(frame);
        match returned {
            true => Ok(result),
            false => Err(CallError::Ended(exit)),
        }
    }

    /// The lowest page's [`RETURN_OFFSET`] that nothing is mapped at: in page 0, where no image lies there.
    fn return_address(&self) -> u32 {
        (0..PAGE_COUNT)
            .map(|page| page * PAGE_SIZE + RETURN_OFFSET)
            .find(|&addr| self.memory.permissions(addr).is_none())
            .unwrap_or(RETURN_OFFSET)
    }

    /// Does what a stop asks for. `None`: go on.
    fn act_on(&mut self, stop: Stop) -> Option<Exit> {
        if let Some(call) = self.host_call(stop) {
            return Some(Exit::HostCall(call));
        }
        match stop {
            Stop::Ebreak if self.memory.is_breakpoint(self.cpu.pc) => return Some(Exit::Reached),
            Stop::Ebreak if is_semihosting_call(&mut self.memory, self.cpu.pc) => {
                let outcome = self.syscalls.semihost(&mut self.cpu, &mut self.memory);
                return self.after_call(outcome);
            }
            Stop::Fault(fault) => {
                if let Some(done) = self.device_access(fault) {
                    return done;
                }
            }
            _ => {}
        }
        if let Some(done) = self.trap(stop) {
            return done;
        }
        match stop {
            Stop::Ecall => {
                let start = self.call_time.map(|_| Instant::now());
                let outcome = self.syscalls.ecall(&mut self.cpu, &mut self.memory);
                if let (Some(start), Some(times)) = (start, &mut self.call_time) {
                    times.calls += 1;
                    times.time += start.elapsed();
                }
                self.after_call(outcome)
            }
            Stop::Ebreak => Some(Exit::Breakpoint),
            Stop::Watch => self.heed_watch(),
            Stop::Wait => self.wait_for_interrupt(),
            Stop::Spin => self.spin(),
            Stop::Trap(trap) => Some(Exit::Trap(trap)),
            Stop::Fault(fault) => Some(Exit::Fault(fault)),
            Stop::Budget => Some(Exit::MaxInsns),
            Stop::Interrupted => Some(Exit::Interrupted),
        }
    }

    fn after_call(&mut self, outcome: Outcome) -> Option<Exit> {
        if outcome == Outcome::Continue {
            // The call may have written the word.
            self.cpu.reservation = None;
            resume(&mut self.cpu, &mut self.budget);
        }
        self.after_console(outcome)
    }

    /// The words from `begin_signature` to `end_signature`, as riscv-arch-test compares them: one a line, 8
    /// hexadecimal digits. `None` where the program has no such symbols, or they are not addresses of a range of
    /// readable words, or of more than 16 MiB.
    pub fn signature(&self) -> Option<String> {
        let begin = self.image.special.begin_signature?;
        let end = self.image.special.end_signature?;
        if begin > end || end - begin > LARGEST_SIGNATURE {
            return None;
        }
        let mut text = String::new();
        for addr in (begin..end).step_by(4) {
            let mut bytes = [0; 4];
            self.memory.peek(addr, &mut bytes).ok()?;
            text.push_str(&format!("{:08x}\n", u32::from_le_bytes(bytes)));
        }
        Some(text)
    }

    /// The program.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// What the program takes its surroundings to be, and why that was decided.
    #[must_use]
    pub fn platform(&self) -> &Decision {
        &self.decision
    }

    /// Why the interpreter is used where the JIT was to be had: what the host refuses.
    #[must_use]
    pub fn no_jit(&self) -> Option<&MachineError> {
        self.no_jit.as_ref()
    }

    /// What the environment of the program knows of it.
    #[must_use]
    pub fn syscalls(&self) -> &Syscalls {
        &self.syscalls
    }

    /// What a zkVM guest has committed to: its public values, or its journal.
    #[must_use]
    pub fn committed(&self) -> &[u8] {
        self.syscalls.committed()
    }

    /// Where the program's parts are.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Registers, pc and counters.
    #[must_use]
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The same, to change them.
    pub fn cpu_mut(&mut self) -> &mut Cpu {
        &mut self.cpu
    }

    /// The guest's memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The same, to read and change it.
    pub fn memory_mut(&mut self) -> &mut Memory {
        // Where code and data are on one page, what is written to code is only seen with this.
        self.memory.note_fence_i();
        &mut self.memory
    }

    /// The same, to change what is not code.
    pub(crate) fn data_memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// What the engine is and has done so far.
    #[must_use]
    pub fn engine_stats(&self) -> EngineStats {
        self.engine.stats()
    }

    /// The host code that the engine has made and not dropped since.
    #[must_use]
    pub fn host_code(&self) -> Vec<HostCode> {
        self.engine.host_code()
    }

    /// The environment, for its trace and its record of calls.
    pub fn syscalls_mut(&mut self) -> &mut Syscalls {
        &mut self.syscalls
    }
}

#[cfg(test)]
mod tests;

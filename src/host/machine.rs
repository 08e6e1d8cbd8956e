//! A machine of a host program: one running copy of a program, with the host's own data beside it.

use super::caller::{Caller, HostError};
use super::linker::{Linked, Linker, Shared};
use super::program::{Func, Program};
use super::values::{Args, Outgoing, Results};
use crate::cpu::Cpu;
use crate::engine::EngineStats;
use crate::machine::{
    Exit, HostCall, HostCalls, InterruptHandle, Machine as Guest, MachineConfig, MachineError,
    Snapshot, SnapshotError,
};
use crate::memory::{Fault, Memory};
use crate::platform::Platform;
use crate::syscall::Refusal;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How deep calls of guest functions by host functions by guest functions may be.
pub const CALL_DEPTH: u32 = 64;

/// One running copy of a program, and a `T` that its host functions work on. It may go from thread to thread, and is used
/// by one at a time.
pub struct Machine<T = ()> {
    guest: Guest,
    data: T,
    linked: Arc<Shared<T>>,
    pending: Pending,
}

impl<T: fmt::Debug> fmt::Debug for Machine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("guest", &self.guest)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// What a host function has left for whoever ran the machine.
#[derive(Default)]
pub(super) struct Pending {
    error: Option<Box<dyn Error + Send + Sync>>,
    panicked: Option<Box<dyn Any + Send>>,
    /// Where a guest function ended the program that a host function had called.
    ended: Option<u32>,
}

/// Why a call of a guest function has no result. Registers and pc are as before the call, memory is what the function has
/// left.
#[non_exhaustive]
#[derive(Debug)]
pub enum CallError {
    /// The program ended, or had to stop, before the function returned; and its pc then.
    Ended(Exit, u32),
    /// A host function ended the call with this error.
    Host(Box<dyn Error + Send + Sync>),
    /// There are [`CALL_DEPTH`] calls in each other already.
    TooDeep,
    /// The arguments do not fit on the guest's stack.
    Arguments(Fault),
    /// The function is another program's.
    OtherProgram,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Ended(exit, pc) => {
                write!(f, "the program ended first, at {pc:#010x}: {exit:?}")
            }
            CallError::Host(error) => write!(f, "a host function ended the call: {error}"),
            CallError::TooDeep => write!(f, "{CALL_DEPTH} calls are in each other already"),
            CallError::Arguments(fault) => {
                write!(f, "the arguments do not fit on the guest's stack: {fault}")
            }
            CallError::OtherProgram => write!(f, "the function is another program's"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            CallError::Host(error) => Some(&**error),
            _ => None,
        }
    }
}

impl Machine {
    /// The short way for a program with newlib's system calls and nothing of the host's own.
    ///
    /// # Errors
    /// Why the file cannot be run, or what the host refuses.
    pub fn open(
        path: impl AsRef<Path>,
        config: MachineConfig,
    ) -> Result<Machine, Box<dyn Error + Send + Sync>> {
        let program = Program::open(path)?;
        let linked = Linker::new().newlib().link(&program)?;
        Ok(Machine::new(&linked, (), config)?)
    }
}

impl<T> Machine<T> {
    /// Loads the program.
    ///
    /// # Errors
    /// What does not fit, or what the host refuses.
    pub fn new(
        linked: &Linked<T>,
        data: T,
        mut config: MachineConfig,
    ) -> Result<Machine<T>, MachineError> {
        let shared = linked.shared();
        if shared.program.is_raw() && config.platform.is_none() {
            config.platform = Some(Platform::Newlib);
        }
        let mut guest = Guest::new(shared.program.shared_image(), config)?;
        guest.set_host_calls(HostCalls {
            numbers: shared.calls.keys().copied().collect(),
            all: shared.takes_all_calls(),
            functions: shared.functions.iter().map(|f| f.0).collect(),
        })?;
        Ok(Machine {
            guest,
            data,
            linked: Arc::clone(shared),
            pending: Pending::default(),
        })
    }

    /// Runs until the program ends or must stop. Where it had to stop, the next run goes on; after [`Exit::MaxInsns`] when
    /// it is given more.
    pub fn run(&mut self) -> Exit {
        self.run_guest(Guest::run_within_time)
    }

    /// The same for at most so many instructions: then it is [`Exit::MaxInsns`].
    pub fn run_for(&mut self, instructions: u64) -> Exit {
        self.run_guest(|guest, run| {
            guest.run_for_with(instructions, |guest| guest.run_within_time(run))
        })
    }

    /// The same up to the instruction at this address, which is not executed: [`Exit::Reached`]. Where pc is there already,
    /// up to when it is there again.
    pub fn run_until(&mut self, addr: u32) -> Exit {
        if self.cpu().pc == addr {
            if self.insns_left() == Some(0) {
                return Exit::MaxInsns;
            }
            if let Some(exit) = self.step() {
                return exit;
            }
            self.guest.spend_step();
        }
        self.run_guest(|guest, run| guest.run_until_with(addr, |guest| guest.run_within_time(run)))
    }

    /// Executes one instruction, whatever the limits; a host function is executed as one. `None`: the program has not
    /// ended.
    pub fn step(&mut self) -> Option<Exit> {
        match self.guest.step()? {
            Exit::HostCall(call) => {
                let exit = dispatch(
                    &self.linked,
                    &mut self.guest,
                    &mut self.data,
                    &mut self.pending,
                    0,
                    call,
                );
                self.pending.unwind();
                exit
            }
            exit => Some(exit),
        }
    }

    fn run_guest(
        &mut self,
        how: impl FnOnce(&mut Guest, &mut dyn FnMut(&mut Guest) -> Exit) -> Exit,
    ) -> Exit {
        let Machine {
            guest,
            data,
            linked,
            pending,
        } = self;
        pending.error = None;
        let exit = how(guest, &mut |guest| drive(linked, guest, data, pending, 0));
        pending.unwind();
        exit
    }

    /// Calls a function of the program. Parameters are passed as a compiler for ilp32 passes them; bytes and text by the
    /// address of a copy on the guest's stack. Registers and pc are as before afterwards.
    ///
    /// # Errors
    /// [`CallError`]; the machine can be used all the same.
    pub fn call<P, R: Results>(
        &mut self,
        function: Func<P, R>,
        args: impl Args<P>,
    ) -> Result<R, CallError> {
        let Machine {
            guest,
            data,
            linked,
            pending,
        } = self;
        call_within(linked, guest, pending, function, args, |guest, pending| {
            guest.run_within_time(&mut |guest| drive(linked, guest, data, pending, 1))
        })
    }

    /// What belongs to the host.
    #[must_use]
    pub fn data(&self) -> &T {
        &self.data
    }

    /// The same, to change it.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.data
    }

    /// The same, without the machine.
    #[must_use]
    pub fn into_data(self) -> T {
        self.data
    }

    /// The error that a host function has ended the last run with.
    pub fn take_host_error(&mut self) -> Option<Box<dyn Error + Send + Sync>> {
        self.pending.error.take()
    }

    /// The guest's memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        self.guest.memory()
    }

    /// The same, to change it.
    pub fn memory_mut(&mut self) -> &mut Memory {
        self.guest.memory_mut()
    }

    /// Registers, pc and counters.
    #[must_use]
    pub fn cpu(&self) -> &Cpu {
        self.guest.cpu()
    }

    /// The same, to change them.
    pub fn cpu_mut(&mut self) -> &mut Cpu {
        self.guest.cpu_mut()
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.linked.program
    }

    /// What the machine is now, but for what belongs to the host: also `data`, which stays as it is.
    ///
    /// # Errors
    /// See [`Guest::snapshot`].
    pub fn snapshot(&mut self) -> Result<Snapshot, SnapshotError> {
        self.guest.snapshot()
    }

    /// Makes the machine what it was, or what another one of the same program and linker was.
    ///
    /// # Errors
    /// See [`Guest::restore`].
    pub fn restore(&mut self, to: &Snapshot) -> Result<(), SnapshotError> {
        self.guest.restore(to)
    }

    /// See [`Guest::set_max_insns`].
    pub fn set_max_insns(&mut self, most: Option<u64>) {
        self.guest.set_max_insns(most);
    }

    /// How many instructions are left; `None` where nothing is counted.
    #[must_use]
    pub fn insns_left(&self) -> Option<u64> {
        self.guest.insns_left()
    }

    /// The longest time that each run, or call of a function, may take from now on.
    ///
    /// # Errors
    /// [`MachineError::TimeLimit`] when the host refuses what a time limit needs.
    pub fn set_timeout(&mut self, limit: Option<Duration>) -> Result<(), MachineError> {
        self.guest.set_timeout(limit)
    }

    /// What stops this machine from another thread.
    ///
    /// # Errors
    /// [`MachineError::TimeLimit`] when the host refuses what that needs.
    pub fn interrupt_handle(&self) -> Result<InterruptHandle, MachineError> {
        self.guest.interrupt_handle()
    }

    /// What the engine is and has done so far.
    #[must_use]
    pub fn engine_stats(&self) -> EngineStats {
        self.guest.engine_stats()
    }
}

impl Pending {
    /// Goes on with the panic of a host function.
    fn unwind(&mut self) {
        if let Some(panicked) = self.panicked.take() {
            resume_unwind(panicked);
        }
    }
}

/// Runs the guest, and does what it asks of its host.
fn drive<T>(
    linked: &Shared<T>,
    guest: &mut Guest,
    data: &mut T,
    pending: &mut Pending,
    depth: u32,
) -> Exit {
    loop {
        match guest.run_to_end() {
            Exit::HostCall(call) => {
                if let Some(exit) = dispatch(linked, guest, data, pending, depth, call) {
                    return exit;
                }
            }
            exit => return exit,
        }
    }
}

/// Calls the host function that the guest asks for. `None`: the run goes on.
fn dispatch<T>(
    linked: &Shared<T>,
    guest: &mut Guest,
    data: &mut T,
    pending: &mut Pending,
    depth: u32,
    call: HostCall,
) -> Option<Exit> {
    let mut caller = Caller {
        data,
        linked,
        guest,
        pending,
        depth,
        stop: false,
    };
    // A panic waits until the machine is as its user may find it.
    let done = catch_unwind(AssertUnwindSafe(|| match call {
        HostCall::Syscall(number) => linked.syscall(&mut caller, number),
        HostCall::Function(n) => linked
            .functions
            .get(n)
            .map(|(_, function)| function(&mut caller)),
    }));
    let stop = caller.stop;
    match done {
        Ok(Some(Ok(()))) => {
            guest.host_has_done(call);
            stop.then_some(Exit::Stopped)
        }
        Ok(Some(Err(HostError::Stop(error)))) => {
            pending.error = Some(error);
            Some(Exit::Stopped)
        }
        Ok(Some(Err(HostError::Ended(exit, pc)))) => {
            pending.ended = Some(pc);
            Some(exit)
        }
        // Settled as a result.
        Ok(Some(Err(HostError::Errno(_)))) => None,
        Ok(None) => Some(Exit::Refused(Refusal {
            call: "ecall",
            number: guest.cpu().x[17],
            why: "the host has no such call; give its linker one",
        })),
        Err(panicked) => {
            pending.panicked = Some(panicked);
            Some(Exit::Stopped)
        }
    }
}

/// Calls a guest function from a host function that the guest has called.
pub(super) fn call_guest<T, P, R: Results>(
    linked: &Shared<T>,
    guest: &mut Guest,
    data: &mut T,
    pending: &mut Pending,
    depth: u32,
    function: Func<P, R>,
    args: impl Args<P>,
) -> Result<R, CallError> {
    if depth >= CALL_DEPTH {
        return Err(CallError::TooDeep);
    }
    call_within(linked, guest, pending, function, args, |guest, pending| {
        drive(linked, guest, data, pending, depth + 1)
    })
}

fn call_within<T, P, R: Results>(
    linked: &Shared<T>,
    guest: &mut Guest,
    pending: &mut Pending,
    function: Func<P, R>,
    mut args: impl Args<P>,
    run: impl FnOnce(&mut Guest, &mut Pending) -> Exit,
) -> Result<R, CallError> {
    if function.program != linked.program.id() {
        return Err(CallError::OtherProgram);
    }
    pending.error = None;
    let frame = guest.begin_call(function.addr);
    let sp = guest.cpu().x[2];
    let mut x = guest.cpu().x;
    let mut passed = Outgoing::new(guest.data_memory_mut(), sp);
    let placed = args.pass(&mut passed).and_then(|()| passed.finish(&mut x));
    let buffers = match placed {
        Ok(buffers) => buffers,
        Err(fault) => {
            guest.end_call(frame);
            return Err(CallError::Arguments(fault));
        }
    };
    guest.cpu_mut().x = x;
    let exit = run(guest, pending);
    let returned = frame.has_returned(exit);
    let (pc, x) = (guest.cpu().pc, guest.cpu().x);
    guest.end_call(frame);
    let ended = pending.ended.take();
    pending.unwind();
    if !returned {
        return Err(match (exit, pending.error.take()) {
            (Exit::Stopped, Some(error)) => CallError::Host(error),
            (exit, _) => CallError::Ended(exit, ended.unwrap_or(pc)),
        });
    }
    args.returned(&mut buffers.into_iter(), guest.memory())
        .map_err(CallError::Arguments)?;
    Ok(R::from_words([x[10], x[11]]))
}

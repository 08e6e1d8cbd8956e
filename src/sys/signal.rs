//! Signals in emitted code: SIGSEGV and SIGBUS become a return from the code, and a kick makes it return.
//!
//! The handler does one thing. Where the fault happened in the code that [`enter`](FaultGuard) is running on this
//! thread, it notes the host pc and continues at the code's way out; what the fault means is found out afterwards, in
//! ordinary Rust. It touches only memory that was prepared for it, takes no locks and allocates nothing. Other faults
//! go to whoever handled them before.
//!
//! The handlers are installed once and stay: a host program may have installed its own since, in front of these, and
//! putting back what was there before would take its handlers away.
#![expect(
    unsafe_code,
    reason = "signal handlers are installed and run through C interfaces"
)]

use std::cell::Cell;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// Set in `Running::exit_at` after a fault: the rest is the host pc of the instruction.
pub const FAULT: u64 = 1 << 63;

/// What the handler needs to know of the code that a thread is running.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Running {
    /// First host address of the code.
    pub code_start: usize,
    /// The address after its last.
    pub code_end: usize,
    /// Where to continue after a fault.
    pub leave: usize,
    /// Receives the host pc of a fault and [`FAULT`], or what a jump to an empty slot of the jump table gives: 1, or on ARM64 the
    /// address after the jump.
    pub exit_at: *mut u64,
    /// Receives the address that could not be accessed.
    pub fault_address: *mut u64,
    /// Receives the index of the empty slot that was jumped to, except on ARM64.
    pub missed: *mut u64,
    /// Called with `context` when the thread is kicked in the code. It may do anything: what was interrupted is
    /// emitted code, which holds no locks and is in the middle of nothing.
    pub on_kick: fn(*mut ()),
    /// Called with `context`, the host pc and the registers when a sample is to be taken in the code; as `on_kick`.
    pub on_sample: fn(*mut (), usize, &HostRegisters),
    /// See `on_kick`.
    pub context: *mut (),
}

/// The general registers of the host, by their number in its encoding.
pub type HostRegisters = [u64; 32];

thread_local! {
    static RUNNING: Cell<*const Running> = const { Cell::new(ptr::null()) };
    static PREPARED: Cell<bool> = const { Cell::new(false) };
}

/// Kicks a thread. By default it is ignored, and nobody uses it for anything else.
const KICK: libc::c_int = libc::SIGURG;
/// The signals that are handled.
const SIGNALS: [libc::c_int; 3] = [libc::SIGSEGV, libc::SIGBUS, KICK];

/// The actions that were in force before ours, in the order of `SIGNALS`; null until ours are installed.
static PREVIOUS: [AtomicPtr<libc::sigaction>; 3] = [const { AtomicPtr::new(ptr::null_mut()) }; 3];
static INSTALLED: Mutex<bool> = Mutex::new(false);

/// Shows that the handlers are installed.
#[derive(Debug, Clone, Copy)]
pub struct FaultGuard(());

impl FaultGuard {
    /// Installs the handlers, if nobody has.
    ///
    /// # Errors
    /// The system's.
    pub fn install() -> io::Result<FaultGuard> {
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if !*installed {
            for (signal, previous) in SIGNALS.into_iter().zip(&PREVIOUS) {
                // Where the system refused one, those before it are there.
                if previous.load(Ordering::SeqCst).is_null() {
                    install_one(signal, previous)?;
                }
            }
            *installed = true;
        }
        Ok(FaultGuard(()))
    }

    /// Runs `code` with faults in the range of `running` turned into its way out. Whoever calls this again and again
    /// [holds](super::signal_stack::SignalStack::hold) the stack for the handler meanwhile.
    ///
    /// The handler writes where `running` says, so nobody outside may make one:
    ///
    /// ```compile_fail,E0603
    /// use rvjit::sys::signal::Running;
    /// ```
    ///
    /// # Safety
    /// The pointers of `running` are valid, and not in use by anybody else, until `code` returns; so is what its hooks
    /// make of `context`. `leave` is where code of this range may go on from wherever it is.
    pub(crate) unsafe fn with<T>(self, running: &Running, code: impl FnOnce() -> T) -> T {
        prepare_thread();
        let before = RUNNING.replace(running);
        let result = code();
        RUNNING.set(before);
        result
    }
}

fn install_one(signal: libc::c_int, previous: &AtomicPtr<libc::sigaction>) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_signal as *const () as usize;
    // A fault is handled on the alternate stack (`signal_stack`); what a kick calls wants the thread's own.
    action.sa_flags = match signal {
        KICK => libc::SA_SIGINFO,
        _ => libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER,
    };
    if signal != KICK {
        // Handlers of other signals would nest there, and whoever sends them does not wait. A fault in a handler that
        // this one passes on to is one all the same.
        // SAFETY: the set is this function's own.
        unsafe { libc::sigfillset(&raw mut action.sa_mask) };
        for fault in [libc::SIGSEGV, libc::SIGBUS] {
            // SAFETY: as above; the signal exists.
            unsafe { libc::sigdelset(&raw mut action.sa_mask, fault) };
        }
    }
    // SAFETY: as above.
    let mut old: Box<libc::sigaction> = Box::new(unsafe { std::mem::zeroed() });
    // SAFETY: both point to sigactions; the handler is async-signal-safe.
    if unsafe { libc::sigaction(signal, &raw const action, &raw mut *old) } != 0 {
        return Err(io::Error::last_os_error());
    }
    previous.store(Box::into_raw(old), Ordering::SeqCst);
    Ok(())
}

/// Lets this thread take the signals, once: a blocked fault would end the process without a word, and a blocked kick
/// would never come. Whoever started us may have blocked them.
fn prepare_thread() {
    if PREPARED.replace(true) {
        return;
    }
    unblock(&SIGNALS);
}

/// Lets this thread take these signals.
pub(super) fn unblock(signals: &[libc::c_int]) {
    // SAFETY: all-zero bytes are a valid sigset_t.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is this function's own.
    unsafe { libc::sigemptyset(&raw mut set) };
    for &signal in signals {
        // SAFETY: as above; the signal exists.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    // SAFETY: the set is whole.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) };
}

extern "C" fn on_signal(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let running = RUNNING.get();
    // SAFETY: non-null only inside `FaultGuard::with`, while the borrow lives.
    let Some(running) = (unsafe { running.as_ref() }) else {
        return pass_on(signal, info, context);
    };
    if signal == KICK {
        // SAFETY: the kernel passes a ucontext of this thread to an SA_SIGINFO handler.
        return unsafe { kicked(context) };
    }
    // SAFETY: as above.
    if is_sent(info) || !unsafe { leave_code(running, info, context) } {
        pass_on(signal, info, context);
    }
}

/// Whether somebody sent the signal: nothing that the code did is its cause.
fn is_sent(info: *const libc::siginfo_t) -> bool {
    // SAFETY: the kernel passes a valid siginfo.
    unsafe { (*info).si_code <= 0 }
}

/// What a kick does to this thread, for handlers of other signals.
///
/// # Safety
/// `context` is what the kernel gave to the handler.
pub(super) unsafe fn kicked(context: *mut libc::c_void) {
    // SAFETY: non-null only inside `FaultGuard::with`, while the borrow lives.
    let Some(running) = (unsafe { RUNNING.get().as_ref() }) else {
        return;
    };
    // SAFETY: the caller's promise.
    let pc = unsafe { host_pc(context) };
    if pc.is_some_and(|pc| (running.code_start..running.code_end).contains(&pc)) {
        (running.on_kick)(running.context);
    }
}

/// Takes a sample where this thread was interrupted in emitted code; false elsewhere. For handlers of other signals.
///
/// # Safety
/// `context` is what the kernel gave to the handler.
pub(super) unsafe fn sampled(context: *mut libc::c_void) -> bool {
    // SAFETY: non-null only inside `FaultGuard::with`, while the borrow lives.
    let Some(running) = (unsafe { RUNNING.get().as_ref() }) else {
        return false;
    };
    // SAFETY: the caller's promise.
    let Some(pc) = (unsafe { host_pc(context) }) else {
        return false;
    };
    let inside = (running.code_start..running.code_end).contains(&pc);
    if inside {
        // SAFETY: the caller's promise.
        let registers = unsafe { host_registers(context) };
        (running.on_sample)(running.context, pc, &registers);
    }
    inside
}

/// A thread that can be kicked: out of emitted code, and out of a system call that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thread(libc::pid_t);

// SAFETY: it only names a thread, also where the name is a pointer (musl): any thread may compare it and signal it.
unsafe impl Send for Thread {}
// SAFETY: as above; nothing is ever changed through it.
unsafe impl Sync for Thread {}

impl Thread {
    /// This thread.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn current() -> Thread {
        // SAFETY: has no preconditions.
        Thread(unsafe { libc::gettid() })
    }

    /// Hosts without emitted code name threads by what must not be used once they have ended: there, the process.
    #[cfg(not(target_os = "linux"))]
    #[must_use]
    pub fn current() -> Thread {
        // SAFETY: has no preconditions.
        Thread(unsafe { libc::getpid() })
    }

    /// Whether this is the thread that asks.
    #[must_use]
    pub fn is_current(self) -> bool {
        self == Thread::current()
    }

    /// Kicks it. A kick that comes just before the thread enters the code is lost, so it is repeated until it has
    /// worked. Nothing happens where the thread has ended, or to another that has its number since: without code to leave,
    /// a kick is nothing.
    pub fn kick(self) {
        // SAFETY: has no preconditions.
        #[cfg(target_os = "linux")]
        let process = unsafe { libc::getpid() };
        // SAFETY: where there is no such thread of this process, that is an error.
        #[cfg(target_os = "linux")]
        unsafe {
            libc::syscall(libc::SYS_tgkill, process, self.0, KICK)
        };
        // SAFETY: the process is this one; without a handler the signal is ignored.
        #[cfg(not(target_os = "linux"))]
        unsafe {
            libc::kill(self.0, KICK)
        };
    }
}

/// # Safety
/// `context` is what the kernel gave to the handler.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
unsafe fn host_pc(context: *mut libc::c_void) -> Option<usize> {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the caller's promise.
    let machine = unsafe { &(*context).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    let pc = machine.gregs[libc::REG_RIP as usize].cast_unsigned();
    #[cfg(target_arch = "aarch64")]
    let pc = machine.pc;
    usize::try_from(pc).ok()
}

/// # Safety
/// None needed: this host has no emitted code.
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
unsafe fn host_pc(_context: *mut libc::c_void) -> Option<usize> {
    None
}

/// # Safety
/// `context` is what the kernel gave to the handler.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
unsafe fn host_registers(context: *mut libc::c_void) -> HostRegisters {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the caller's promise.
    let machine = unsafe { &(*context).uc_mcontext };
    let mut registers = [0; 32];
    #[cfg(target_arch = "x86_64")]
    {
        use libc::{REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
        use libc::{REG_RAX, REG_RBP, REG_RBX, REG_RCX, REG_RDI, REG_RDX, REG_RSI, REG_RSP};
        // In the order of the encoding (SDM volume 2, 2.1.5).
        const ORDER: [libc::c_int; 16] = [
            REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9,
            REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
        ];
        for (register, index) in registers.iter_mut().zip(ORDER) {
            *register = machine.gregs[index as usize].cast_unsigned();
        }
    }
    #[cfg(target_arch = "aarch64")]
    registers[..31].copy_from_slice(&machine.regs);
    registers
}

/// # Safety
/// None needed: this host has no emitted code.
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
unsafe fn host_registers(_context: *mut libc::c_void) -> HostRegisters {
    [0; 32]
}

/// # Safety
/// `info` and `context` are what the kernel gave to the handler.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
unsafe fn leave_code(
    running: &Running,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) -> bool {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the caller's promise; nobody else uses the context while the handler runs.
    let machine = unsafe { &mut (*context).uc_mcontext };
    // A jump to an empty slot: on x86-64 its index is still in its scratch register; on ARM64 the link
    // register tells which jump it was.
    #[cfg(target_arch = "x86_64")]
    let (pc, jumped, missed) = {
        let index = machine.gregs[libc::REG_RAX as usize].cast_unsigned();
        let pc = machine.gregs[libc::REG_RIP as usize].cast_unsigned();
        (pc, 1, index & u64::from(u32::MAX))
    };
    #[cfg(target_arch = "aarch64")]
    let (pc, jumped, missed) = (machine.pc, machine.regs[30], 0);

    let exit_at = match usize::try_from(pc) {
        Ok(0) => jumped,
        Ok(at) if (running.code_start..running.code_end).contains(&at) => pc | FAULT,
        _ => return false,
    };
    // SAFETY: `with`'s caller gave pointers to memory of its own that is not in use while the code runs.
    unsafe { *running.exit_at = exit_at };
    // SAFETY: as above.
    unsafe { *running.missed = missed };
    // SAFETY: the kernel passes a valid siginfo.
    let info = unsafe { &*info };
    // SAFETY: si_addr is set for SIGSEGV and SIGBUS.
    let address = unsafe { info.si_addr() };
    // SAFETY: as for `exit_at`.
    unsafe { *running.fault_address = address.addr() as u64 };
    #[cfg(target_arch = "x86_64")]
    {
        machine.gregs[libc::REG_RIP as usize] = running.leave.cast_signed() as i64;
    }
    #[cfg(target_arch = "aarch64")]
    {
        machine.pc = running.leave as u64;
    }
    true
}

/// # Safety
/// None needed: this host has no emitted code.
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
unsafe fn leave_code(
    _running: &Running,
    _info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) -> bool {
    false
}

/// Gives a fault that is not the guest's to whoever handled it before.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let index = SIGNALS.iter().position(|&s| s == signal).unwrap_or(0);
    let previous = PREVIOUS[index].load(Ordering::SeqCst);
    // SAFETY: a non-null pointer is a Box that is never freed.
    let Some(previous) = (unsafe { previous.as_ref() }) else {
        return;
    };
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN if signal == KICK => {}
        libc::SIG_IGN if is_sent(info) => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // Returning executes the faulting instruction again, now with the default action.
            // SAFETY: restores what sigaction gave before.
            unsafe { libc::sigaction(signal, previous, ptr::null_mut()) };
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: an SA_SIGINFO handler has this type.
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { std::mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: a handler without SA_SIGINFO has this type.
            let handler: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(handler) };
            handler(signal);
        }
    }
    if signal != KICK && is_sent(info) {
        raise_if_default(signal);
    }
}

/// A fault comes again by itself once its action is the default one; a signal that was sent does not.
fn raise_if_default(signal: libc::c_int) {
    // SAFETY: all-zero bytes are a valid sigaction.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only queries.
    unsafe { libc::sigaction(signal, ptr::null(), &raw mut now) };
    if now.sa_sigaction == libc::SIG_DFL {
        // SAFETY: has no preconditions.
        unsafe { libc::raise(signal) };
    }
}

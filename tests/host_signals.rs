//! A host program with a handler of its own for SIGSEGV, in a process of its own.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]
#![expect(unsafe_code, reason = "this is a host program that handles signals")]

use rvjit::machine::{EngineKind, Exit, Machine, MachineConfig};
use rvjit::syscall::Stream;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// A page that nobody may read until a handler lets them.
static PAGE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// How often each handler has let somebody.
static CALLS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
/// What each handler found installed.
static BEFORE: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

fn protect(protection: libc::c_int) {
    let page = PAGE.load(Ordering::SeqCst).cast();
    // SAFETY: the page is ours.
    let done = unsafe { libc::mprotect(page, 4096, protection) };
    assert_eq!(done, 0);
}

fn handle<const N: usize>(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: a handler with SA_SIGINFO is given this.
    let info_of_fault = unsafe { &*info };
    // SAFETY: this signal comes with an address.
    let address = unsafe { info_of_fault.si_addr() }.cast::<u8>();
    if address == PAGE.load(Ordering::SeqCst) {
        CALLS[N].fetch_add(1, Ordering::SeqCst);
        return protect(libc::PROT_READ);
    }
    let before = BEFORE[N].load(Ordering::SeqCst);
    assert!(before > 1, "nobody else handles {address:?}");
    // SAFETY: whoever was there before, Rust's runtime or the machines, has a handler with SA_SIGINFO.
    let before: Handler = unsafe { std::mem::transmute(before) };
    before(signal, info, context);
}

extern "C" fn first(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    handle::<0>(signal, info, context);
}

extern "C" fn second(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    handle::<1>(signal, info, context);
}

fn install(n: usize, handler: Handler) {
    // SAFETY: all-zero bytes are a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    // SAFETY: as above.
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: both are sigactions.
    let done = unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, &raw mut old) };
    assert_eq!(done, 0);
    BEFORE[n].store(old.sa_sigaction, Ordering::SeqCst);
}

/// Reads the page, which faults once; how often each handler was called for that.
fn touch() -> [usize; 2] {
    protect(libc::PROT_NONE);
    for calls in &CALLS {
        calls.store(0, Ordering::SeqCst);
    }
    let page = PAGE.load(Ordering::SeqCst);
    // SAFETY: a handler makes the page readable.
    let byte = unsafe { page.read_volatile() };
    assert_eq!(byte, 0);
    CALLS.each_ref().map(|calls| calls.load(Ordering::SeqCst))
}

fn crash() -> Machine {
    let config = MachineConfig {
        engine: EngineKind::Jit,
        hot: Some(0),
        stdout: Stream::Null,
        ..MachineConfig::default()
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/nullcrash.elf");
    let mut machine = Machine::open(&path, config).unwrap();
    assert!(matches!(machine.run(), Exit::Fault(_)));
    machine
}

#[test]
fn the_hosts_handlers_stay() {
    // SAFETY: memory that nobody has.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            4096,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(page, libc::MAP_FAILED);
    PAGE.store(page.cast(), Ordering::SeqCst);

    install(0, first);
    assert_eq!(touch(), [1, 0]);
    // What is no guest's goes on to whoever was there before.
    let machine = crash();
    assert_eq!(touch(), [1, 0]);
    drop(machine);
    assert_eq!(touch(), [1, 0]);
    // Who comes later stays in front, and gives the guest's faults on.
    let machine = crash();
    install(1, second);
    drop(machine);
    assert_eq!(touch(), [0, 1]);
    drop(crash());
    assert_eq!(touch(), [0, 1]);
}

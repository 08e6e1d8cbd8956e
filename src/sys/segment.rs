//! The x86-64 GS segment, which no Linux program uses: emitted code reaches the memory window through it.
#![cfg_attr(
    all(target_arch = "x86_64", target_os = "linux"),
    expect(unsafe_code, reason = "the segment base is set by a system call")
)]

/// Makes `gs:0` mean `base` on this thread.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) fn set_window_base(base: u64) {
    use std::cell::Cell;
    const ARCH_SET_GS: libc::c_int = 0x1001;
    thread_local! {
        static CURRENT: Cell<u64> = const { Cell::new(0) };
    }
    if CURRENT.get() == base {
        return;
    }
    // SAFETY: changes only where GS-relative accesses of this thread go; nothing but emitted code makes any.
    let result = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base) };
    assert_eq!(result, 0, "arch_prctl refused a canonical address");
    CURRENT.set(base);
}

/// Other hosts hold the base in a register.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub(crate) fn set_window_base(_base: u64) {}

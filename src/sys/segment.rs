//! The x86-64 GS segment, which no Linux program uses: emitted code reaches the memory window through it.
#![cfg_attr(
    all(target_arch = "x86_64", target_os = "linux"),
    expect(unsafe_code, reason = "the segment base is set by a system call")
)]

use std::io;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod base {
    use std::cell::Cell;
    use std::io;

    const ARCH_SET_GS: libc::c_int = 0x1001;
    thread_local! {
        pub(super) static CURRENT: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn set(base: u64) -> io::Result<()> {
        // SAFETY: changes only where GS-relative accesses of this thread go; nothing but emitted code makes any.
        match unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base) } {
            0 => {
                CURRENT.set(base);
                Ok(())
            }
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Makes `gs:0` mean `base` on this thread.
///
/// # Errors
/// The system's: sandboxes may refuse it.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) fn set_window_base(base: u64) -> io::Result<()> {
    if base::CURRENT.get() == base {
        return Ok(());
    }
    base::set(base)
}

/// Asks the system whether [`set_window_base`] works.
///
/// # Errors
/// The system's.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) fn check() -> io::Result<()> {
    base::set(base::CURRENT.get())
}

/// Other hosts hold the base in a register.
///
/// # Errors
/// None.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub(crate) fn set_window_base(_base: u64) -> io::Result<()> {
    Ok(())
}

/// Other hosts hold the base in a register.
///
/// # Errors
/// None.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub(crate) fn check() -> io::Result<()> {
    Ok(())
}

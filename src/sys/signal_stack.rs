//! The stack that fault handlers run on: this thread's own for as long as it runs emitted code, because nobody knows how
//! large the one is that it had.
//!
//! A signal's frame has all registers of the host, 11 KiB and more on some. The standard library gives its threads what
//! the C library calls enough, and whoever embeds us may have given less.
#![expect(unsafe_code, reason = "sigaltstack is a C function")]

use super::mmap::{Mapping, Protection, page_size};
use std::cell::{Cell, OnceCell};
use std::io;
use std::marker::PhantomData;
use std::ptr;

/// What a stack has beside frames: far more than handlers use.
const ROOM: usize = 64 << 10;
/// So many frames, one for each signal that may interrupt the handler of another.
const FRAMES: usize = 4;

thread_local! {
    static HOLDERS: Cell<usize> = const { Cell::new(0) };
    /// Its first page cannot be accessed: what overflows it faults.
    static OWN: OnceCell<Mapping> = const { OnceCell::new() };
}

/// While one lives, this thread's fault handlers have a stack that is large enough. The last one dropped puts back what
/// was there.
#[derive(Debug)]
pub struct SignalStack {
    /// What was there, if this one has changed that.
    before: Option<libc::stack_t>,
    /// It belongs to its thread.
    thread: PhantomData<*mut ()>,
}

impl SignalStack {
    /// Sets it, unless somebody does on this thread. Where the system refuses, all is as it was: the thread may be in a
    /// handler on its alternate stack.
    #[must_use]
    pub fn hold() -> SignalStack {
        let first = HOLDERS.replace(HOLDERS.get() + 1) == 0;
        SignalStack {
            before: first.then(set_own).and_then(Result::ok),
            thread: PhantomData,
        }
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        HOLDERS.set(HOLDERS.get() - 1);
        if let Some(before) = self.before {
            // SAFETY: what was there was given by whoever owns it, who has not taken it away meanwhile.
            unsafe { libc::sigaltstack(&raw const before, ptr::null_mut()) };
        }
    }
}

/// The least bytes of one frame, as the kernel says.
fn frame() -> usize {
    #[cfg(target_os = "linux")]
    {
        /// `AT_MINSIGSTKSZ`, which older headers lack.
        const LEAST: libc::c_ulong = 51;
        // SAFETY: has no preconditions; what is not known is 0.
        let least = unsafe { libc::getauxval(LEAST) };
        usize::try_from(least).unwrap_or(0).max(libc::MINSIGSTKSZ)
    }
    #[cfg(not(target_os = "linux"))]
    libc::MINSIGSTKSZ
}

/// Makes this thread's own stack the one for signals. What was there.
fn set_own() -> io::Result<libc::stack_t> {
    OWN.with(|own| {
        let guard = page_size();
        let size = (ROOM + FRAMES * frame()).next_multiple_of(guard);
        let mapping = match own.get() {
            Some(mapping) => mapping,
            None => {
                let mapping = Mapping::new(guard + size, Protection::ReadWrite)?;
                mapping.protect(0, guard, Protection::None)?;
                own.get_or_init(|| mapping)
            }
        };
        let new = libc::stack_t {
            ss_sp: mapping.as_ptr().wrapping_add(guard).cast(),
            ss_flags: 0,
            ss_size: size,
        };
        // SAFETY: all-zero bytes are a valid stack_t.
        let mut before: libc::stack_t = unsafe { std::mem::zeroed() };
        // SAFETY: the mapping lives as long as the thread, and nothing else uses it.
        if unsafe { libc::sigaltstack(&raw const new, &raw mut before) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current() -> (usize, usize) {
        // SAFETY: all-zero bytes are a valid stack_t.
        let mut now: libc::stack_t = unsafe { std::mem::zeroed() };
        // SAFETY: only queries.
        unsafe { libc::sigaltstack(ptr::null(), &raw mut now) };
        (now.ss_sp.addr(), now.ss_size)
    }

    #[test]
    fn what_was_there_comes_back_with_the_last() {
        let before = current();
        for _ in 0..2 {
            let first = SignalStack::hold();
            let own = current();
            assert!(own.0 != before.0 && own.1 >= ROOM + FRAMES * frame());
            let second = SignalStack::hold();
            assert_eq!(current(), own);
            drop(second);
            assert_eq!(current(), own);
            drop(first);
            assert_eq!(current(), before);
        }
    }
}

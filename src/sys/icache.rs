//! Instruction cache maintenance.
#![cfg_attr(
    target_arch = "aarch64",
    expect(unsafe_code, reason = "cache maintenance is done by instructions")
)]

/// Makes code that was just written visible to instruction fetch.
///
/// On x86-64 the hardware does this. On ARM64 the data cache is cleaned to the point of unification and the
/// instruction cache invalidated, line by line (Arm ARM B2.4.4 "Concurrent modification and execution of
/// instructions"). `CTR_EL0` gives the line sizes; on big.LITTLE parts a thread may move between cores whose lines
/// differ, so the smallest size ever seen is kept.
#[cfg(target_arch = "aarch64")]
pub fn publish(start: *const u8, len: usize) {
    use std::arch::asm;
    use std::sync::atomic::{AtomicUsize, Ordering};
    static SMALLEST_DATA_LINE: AtomicUsize = AtomicUsize::new(usize::MAX);
    static SMALLEST_CODE_LINE: AtomicUsize = AtomicUsize::new(usize::MAX);

    let ctr: usize;
    // SAFETY: CTR_EL0 is readable from user space on Linux, and reading it changes nothing.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
    let data_line = 4_usize << (ctr >> 16 & 15);
    let code_line = 4_usize << (ctr & 15);
    let data_line = SMALLEST_DATA_LINE
        .fetch_min(data_line, Ordering::Relaxed)
        .min(data_line);
    let code_line = SMALLEST_CODE_LINE
        .fetch_min(code_line, Ordering::Relaxed)
        .min(code_line);

    let (start, end) = (start.addr(), start.addr() + len);
    for line in (start & !(data_line - 1)..end).step_by(data_line) {
        // SAFETY: cleaning a cache line does not change what memory holds.
        unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    // SAFETY: a barrier.
    unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
    for line in (start & !(code_line - 1)..end).step_by(code_line) {
        // SAFETY: invalidating an instruction cache line does not change what memory holds.
        unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    // SAFETY: barriers.
    unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) };
}

/// Has this thread fetch anew what it may have fetched before another thread published code (Arm ARM B2.3.10: the
/// context synchronization that each processing element does itself).
#[cfg(target_arch = "aarch64")]
pub fn synchronize() {
    // SAFETY: a barrier.
    unsafe { std::arch::asm!("isb", options(nostack, preserves_flags)) };
}

/// Has this thread fetch anew what another thread published: x86-64 does that by itself.
#[cfg(not(target_arch = "aarch64"))]
pub fn synchronize() {}

/// Makes code that was just written visible to instruction fetch: x86-64's caches do that by themselves.
#[cfg(not(target_arch = "aarch64"))]
pub fn publish(_start: *const u8, _len: usize) {}

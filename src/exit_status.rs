//! The exit statuses, in one table. Statuses of the guest's own pass through as they are.
//!
//! From 124 to 127 they are those of `timeout(1)` and of shells; what kills a guest is 128 and the number of the
//! signal that would kill a native program.

/// `--timeout` is reached, or the run would never end: a bare machine waits for an interrupt that cannot come, or
/// its handler meets one trap for ever.
pub const TIMEOUT: u8 = 124;
/// Our own error: usage, input and output, a bug.
pub const OWN_ERROR: u8 = 125;
/// The file cannot be run.
pub const CANNOT_RUN: u8 = 126;
/// The file is not found.
pub const NOT_FOUND: u8 = 127;
/// What the number of a signal is added to.
pub const SIGNAL_BASE: u8 = 128;
/// Somebody asked the run to stop (SIGINT).
pub const INTERRUPTED: u8 = SIGNAL_BASE + 2;
/// Illegal instruction (SIGILL).
pub const ILLEGAL_INSTRUCTION: u8 = SIGNAL_BASE + 4;
/// Breakpoint (SIGTRAP).
pub const BREAKPOINT: u8 = SIGNAL_BASE + 5;
/// Misaligned jump, or a misaligned access where alignment is strict (SIGBUS).
pub const MISALIGNED: u8 = SIGNAL_BASE + 7;
/// Out of memory pages (SIGKILL).
pub const OUT_OF_PAGES: u8 = SIGNAL_BASE + 9;
/// Memory fault (SIGSEGV).
pub const MEMORY_FAULT: u8 = SIGNAL_BASE + 11;
/// `--max-insns` is reached (SIGXCPU).
pub const MAX_INSNS: u8 = SIGNAL_BASE + 24;

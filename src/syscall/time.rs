//! The guest's clocks: real time, time since the run began, processor time.

use super::abi::{Errno, time64};
use crate::sys::cpu_time;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// newlib's `CLOCKS_PER_SEC` for RISC-V: the unit of `times`.
pub(super) const TICKS_PER_SECOND: u32 = 1_000_000;

/// The clocks of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    start: Instant,
}

impl Clocks {
    pub(super) fn new() -> Clocks {
        Clocks {
            start: Instant::now(),
        }
    }

    /// Time since the run began.
    pub(super) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    /// `clock_gettime`: `struct timespec`. The numbers are the kernel's, which libgloss passes (0 is real time);
    /// newlib's own `CLOCK_MONOTONIC`, 4, means the same in both.
    pub(super) fn timespec(self, clock: u32) -> Result<[u8; 16], Errno> {
        let time = match clock {
            0 | 5 => real_time(),
            1 | 4 | 6 | 7 => self.elapsed(),
            2 | 3 => {
                let (user, system) = cpu_time::process();
                user + system
            }
            _ => return Err(Errno::EINVAL),
        };
        Ok(time64(seconds(time), time.subsec_nanos()))
    }

    /// `times`: `struct tms` (user, system, and twice nothing for children), and the ticks since the run began,
    /// never negative.
    pub(super) fn times(self) -> ([u8; 16], u32) {
        let (user, system) = cpu_time::process();
        let mut tms = [0; 16];
        tms[..4].copy_from_slice(&ticks(user).to_le_bytes());
        tms[4..8].copy_from_slice(&ticks(system).to_le_bytes());
        (tms, ticks(self.elapsed()) & 0x7fff_ffff)
    }
}

/// Time since 1970.
pub(super) fn real_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
}

/// `gettimeofday`: `struct timeval`, all 16 bytes.
pub(super) fn timeval() -> [u8; 16] {
    let now = real_time();
    time64(seconds(now), now.subsec_micros())
}

pub(super) fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Ticks, modulo 2^32.
fn ticks(time: Duration) -> u32 {
    low_word(time.as_secs())
        .wrapping_mul(TICKS_PER_SECOND)
        .wrapping_add(time.subsec_micros())
}

/// The lower half.
pub(super) fn low_word(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or(0)
}

//! What a program takes its surroundings to be: decided in one place, for runs, `info`, `disasm` and the library.
//!
//! | platform | memory | way out |
//! |---|---|---|
//! | `newlib` | segments with their permissions, a stack, a heap that grows | `ecall` with the number in a7 |
//! | `bare` | flat RAM round the segments; machine mode | semihosting, `tohost`, devices; `ecall` as newlib's where the program handles none |
//! | `risc0`, `sp1` | flat RAM | `ecall` with the number in t0 |
//!
//! [`decide`] looks at what the file does from its entry on (`evidence`), and at symbols only where code does not tell,
//! so that a stripped file is decided alike. [`plan`] says what memory follows.

mod evidence;
mod memory;
pub mod scan;

pub use evidence::Reason;
pub use memory::{RamError, plan};

use crate::elf::Image;
use std::fmt;

/// What a program takes its surroundings to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// A process with newlib's system calls.
    Newlib,
    /// A machine that the program has for itself.
    Bare,
    /// The zkVM of RISC Zero.
    Risc0,
    /// The zkVM SP1, and those that share its conventions.
    Sp1,
}

impl Platform {
    /// All, the most frequent first.
    pub const ALL: [Platform; 4] = [
        Platform::Newlib,
        Platform::Bare,
        Platform::Risc0,
        Platform::Sp1,
    ];

    /// The name by which it is chosen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Platform::Newlib => "newlib",
            Platform::Bare => "bare",
            Platform::Risc0 => "risc0",
            Platform::Sp1 => "sp1",
        }
    }

    /// Whether memory is RAM without protection, and not segments with permissions.
    #[must_use]
    pub const fn is_flat(self) -> bool {
        !matches!(self, Platform::Newlib)
    }
}

/// A platform, and why it is that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The platform.
    pub platform: Platform,
    /// What speaks for it; empty where nothing speaks for another.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// Whether the program gets its arguments where sp points. A machine's RAM holds nothing at first but the program.
    #[must_use]
    pub fn gives_arguments(&self) -> bool {
        let reads = |reason: &Reason| matches!(reason, Reason::ReadsArguments(_));
        !self.platform.is_flat() || self.reasons.iter().any(reads)
    }
}

/// Why a program cannot have the platform that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformError {
    /// A segment covers page 0, which a process does not have: its address.
    NullPage(u32),
    /// The entry cannot be executed by the permissions of its segment.
    Entry(u32),
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlatformError::NullPage(addr) => write!(
                f,
                "--platform newlib: the segment at {addr:#010x} covers page 0, which is never mapped there; use --platform bare"
            ),
            PlatformError::Entry(entry) => write!(
                f,
                "--platform newlib: the entry {entry:#010x} is not inside an executable segment; use --platform bare"
            ),
        }
    }
}

impl std::error::Error for PlatformError {}

/// The platform of a program: the one that is wanted, else what its file speaks for.
///
/// # Errors
/// When the program cannot have what is wanted.
pub fn decide(image: &Image, wanted: Option<Platform>) -> Result<Decision, PlatformError> {
    let Some(platform) = wanted else {
        return Ok(evidence::decide(image));
    };
    if platform == Platform::Newlib {
        evidence::can_be_a_process(image)?;
    }
    Ok(Decision {
        platform,
        reasons: vec![Reason::Wanted],
    })
}

#[cfg(test)]
mod tests;

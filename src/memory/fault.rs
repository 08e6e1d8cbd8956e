//! [`Fault`]: why a guest access did not happen, and its text.

use super::PAGE_SIZE;
use std::fmt;

/// What the guest tried to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Load.
    Read,
    /// Store.
    Write,
    /// Instruction fetch.
    Execute,
}

/// Why it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing is mapped there.
    Unmapped,
    /// Something is, but not for this.
    Denied,
    /// The address is not a multiple of the access's width, and strict alignment was asked for.
    Misaligned,
    /// The page would be the guest's, but the pool is used up.
    OutOfPages,
}

/// A guest memory fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The first guest address that could not be accessed.
    pub addr: u32,
    /// What was tried.
    pub access: Access,
    /// Why it failed.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = match self.access {
            Access::Read => "reading",
            Access::Write => "writing",
            Access::Execute => "executing",
        };
        let why = match (self.kind, self.access) {
            (FaultKind::Unmapped, _) if self.addr < PAGE_SIZE => "null page",
            (FaultKind::Unmapped, _) => "unmapped address",
            (FaultKind::Denied, Access::Read) => "page is not readable",
            (FaultKind::Denied, Access::Write) => "page is not writable",
            (FaultKind::Denied, Access::Execute) => "page is not executable",
            (FaultKind::Misaligned, _) => "misaligned address",
            (FaultKind::OutOfPages, _) => "out of memory pages",
        };
        write!(f, "{doing} {:#010x}: {why}", self.addr)
    }
}

impl std::error::Error for Fault {}

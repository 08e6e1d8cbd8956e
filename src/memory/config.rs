//! [`MemoryConfig`]: what memory is made from, and why that may be refused.

use super::{IDENTITY_LOWEST, PAGE_SIZE};
use std::fmt;
use std::io;

/// How emitted code reaches guest memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placement {
    /// The code walks the page tables itself: no signals, no big reservations.
    Paged,
    /// The host's MMU mirrors the page table in 4 GiB of reserved address space.
    Window,
    /// A window at host address 0: a guest address is a host address.
    Identity,
}

impl Placement {
    /// Every placement.
    pub const ALL: [Placement; 3] = [Placement::Paged, Placement::Window, Placement::Identity];

    /// Name as the command line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Placement::Paged => "paged",
            Placement::Window => "window",
            Placement::Identity => "identity",
        }
    }
}

/// How much memory, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryConfig {
    /// How emitted code reaches a page.
    pub placement: Placement,
    /// The most pages the guest may touch.
    pub limit_pages: u32,
    /// Whether a misaligned load or store is a fault. Only the paged placement can do this.
    pub strict_align: bool,
}

impl Default for MemoryConfig {
    fn default() -> MemoryConfig {
        MemoryConfig {
            placement: Placement::Paged,
            // As much as every placement can have.
            limit_pages: (255 << 20) / PAGE_SIZE,
            strict_align: false,
        }
    }
}

/// Why memory could not be set up or mapped.
#[derive(Debug)]
pub enum MemoryError {
    /// The host refused.
    Host {
        /// The placement asked for.
        placement: Placement,
        /// The host's error.
        source: io::Error,
    },
    /// This placement does not work with this host's page size.
    HostPageSize(Placement),
    /// More pages than the placement can have.
    TooManyPages {
        /// Asked for.
        pages: u32,
        /// The most there can be.
        most: u32,
    },
    /// This address is below what the identity placement can map.
    BelowIdentity(u32),
    /// The range is empty or wraps.
    BadRange {
        /// First address.
        start: u32,
        /// Length in bytes.
        len: u64,
    },
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryError::Host { placement, source } => write!(
                f,
                "the host refused memory for the {} placement: {source}",
                placement.name()
            ),
            MemoryError::HostPageSize(placement) => write!(
                f,
                "the {} placement needs host pages of 4 KiB",
                placement.name()
            ),
            MemoryError::TooManyPages { pages, most } => {
                write!(f, "{pages} memory pages asked for, at most {most} possible")
            }
            MemoryError::BelowIdentity(start) => write!(
                f,
                "the identity placement has no memory below {IDENTITY_LOWEST:#010x}, and the program has some at {start:#010x}; use --placement window"
            ),
            MemoryError::BadRange { start, len } => {
                write!(f, "cannot map {len:#x} bytes at {start:#010x}")
            }
        }
    }
}

impl std::error::Error for MemoryError {}

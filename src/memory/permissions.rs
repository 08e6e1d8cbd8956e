//! [`Permissions`]: what the guest may do with a page.

use std::fmt;

/// What the guest may do with a page: a set of read, write and execute.
///
/// Write and execute imply read, as on hosts whose MMU has no execute-only pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// Read.
    pub const R: Permissions = Permissions(1);
    /// Read and write.
    pub const RW: Permissions = Permissions(3);
    /// Read and execute.
    pub const RX: Permissions = Permissions(5);
    /// All.
    pub const RWX: Permissions = Permissions(7);

    /// The set with these members, and read where another is there; `None` when it would be empty.
    #[must_use]
    pub const fn new(read: bool, write: bool, execute: bool) -> Option<Permissions> {
        let bits = (read || write || execute) as u8 | (write as u8) << 1 | (execute as u8) << 2;
        if bits == 0 {
            None
        } else {
            Some(Permissions(bits))
        }
    }

    /// The members as bits: 1 read, 2 write, 4 execute.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether writing is allowed.
    #[must_use]
    pub const fn writable(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether executing is allowed.
    #[must_use]
    pub const fn executable(self) -> bool {
        self.0 & 4 != 0
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, letter) in [(1, 'r'), (2, 'w'), (4, 'x')] {
            write!(f, "{}", if self.0 & bit != 0 { letter } else { '-' })?;
        }
        Ok(())
    }
}

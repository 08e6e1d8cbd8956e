//! How long a result lives, as `passes::lives` finds it.

/// The life of what an operation computes, as indices of operations of the same block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// The last that reads it, as the guest's instructions stand; 0 for none.
    pub last_read: usize,
    /// The one that overwrites it, or the last of the block if what follows overwrites it; [`Life::OPEN`] if it is
    /// seen before.
    pub end: usize,
}

impl Life {
    /// An `end` that is not in this block.
    pub const OPEN: usize = usize::MAX;
}

impl Default for Life {
    fn default() -> Life {
        Life {
            last_read: 0,
            end: Life::OPEN,
        }
    }
}

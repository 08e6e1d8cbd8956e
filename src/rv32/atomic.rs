//! The A extension: what its operations do to a word (Unprivileged spec, chapter "A").

/// An atomic operation on a word of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    /// LR.W: loads, and reserves.
    LoadReserved,
    /// SC.W: stores if the reservation still stands.
    StoreConditional,
    /// AMOSWAP.W.
    Swap,
    /// AMOADD.W.
    Add,
    /// AMOXOR.W.
    Xor,
    /// AMOAND.W.
    And,
    /// AMOOR.W.
    Or,
    /// AMOMIN.W.
    Min,
    /// AMOMAX.W.
    Max,
    /// AMOMINU.W.
    Minu,
    /// AMOMAXU.W.
    Maxu,
}

impl AtomicOp {
    /// All of them.
    pub const ALL: [AtomicOp; 11] = [
        AtomicOp::LoadReserved,
        AtomicOp::StoreConditional,
        AtomicOp::Swap,
        AtomicOp::Add,
        AtomicOp::Xor,
        AtomicOp::And,
        AtomicOp::Or,
        AtomicOp::Min,
        AtomicOp::Max,
        AtomicOp::Minu,
        AtomicOp::Maxu,
    ];

    /// What memory gets, from what was there and the register; a conditional store counts as one that is done.
    #[must_use]
    pub const fn eval(self, old: u32, register: u32) -> u32 {
        let less = match self {
            AtomicOp::Min | AtomicOp::Max => old.cast_signed() < register.cast_signed(),
            _ => old < register,
        };
        match self {
            AtomicOp::LoadReserved => old,
            AtomicOp::StoreConditional | AtomicOp::Swap => register,
            AtomicOp::Add => old.wrapping_add(register),
            AtomicOp::Xor => old ^ register,
            AtomicOp::And => old & register,
            AtomicOp::Or => old | register,
            AtomicOp::Min | AtomicOp::Minu => {
                if less {
                    old
                } else {
                    register
                }
            }
            AtomicOp::Max | AtomicOp::Maxu => {
                if less {
                    register
                } else {
                    old
                }
            }
        }
    }
}

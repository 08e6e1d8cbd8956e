//! An operation with what the passes note about it.

use super::life::Life;
use super::op::Op;
use std::fmt;

/// An operation and the guest instructions it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What to do.
    pub op: Op,
    /// Guest address of the first instruction.
    pub pc: u32,
    /// How many instructions.
    pub insns: u16,
    /// How many bytes they have.
    pub bytes: u32,
    /// Operations that the code does not execute because nobody can tell, unless it is left here: then they are
    /// computed first.
    pub deferred: Vec<Op>,
    /// How long its result lives. For the passes only.
    pub life: Life,
    /// What wrote its register before. For the passes only.
    pub before: usize,
}

impl Item {
    pub(in crate::jit) fn new(op: Op, pc: u32, bytes: u32) -> Item {
        Item {
            op,
            pc,
            insns: 1,
            bytes,
            deferred: Vec::new(),
            life: Life::default(),
            before: 0,
        }
    }

    /// The address behind its instructions.
    pub(in crate::jit) fn end(&self) -> u32 {
        self.pc.wrapping_add(self.bytes)
    }

    /// Whether this is a branch that may be pointed away from its target inside the region, with all registers visible.
    pub(in crate::jit) fn goes_back(&self) -> bool {
        matches!(self.op, Op::Branch { target, .. } | Op::Jump { target } if target <= self.pc)
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.op)?;
        for (n, op) in self.deferred.iter().enumerate() {
            let lead = if n == 0 { " (put off: " } else { "; " };
            write!(f, "{lead}{op}")?;
        }
        if self.deferred.is_empty() {
            Ok(())
        } else {
            write!(f, ")")
        }
    }
}

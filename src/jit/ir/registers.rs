//! Sets of guest registers.

use crate::rv32::Reg;
use std::fmt;
use std::ops::{BitOr, BitOrAssign, Sub, SubAssign};

/// A set of guest registers. There is room for 64: the integer registers have the first 32 places.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct RegSet(u64);

impl RegSet {
    /// No register.
    pub const NONE: RegSet = RegSet(0);
    /// All integer registers that can be written: x1 to x31.
    pub const ALL: RegSet = RegSet(0xffff_fffe);

    /// One register; none where it is x0, which nobody has to keep.
    #[must_use]
    pub const fn of(reg: Reg) -> RegSet {
        RegSet(1 << reg.index() & RegSet::ALL.0)
    }

    /// Whether the register is in it.
    #[must_use]
    pub const fn contains(self, reg: Reg) -> bool {
        self.0 >> reg.index() & 1 != 0
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the two have a register in common.
    #[must_use]
    pub const fn meets(self, other: RegSet) -> bool {
        self.0 & other.0 != 0
    }

    /// The registers, highest first.
    pub fn members(self) -> impl Iterator<Item = Reg> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let highest = left.checked_ilog2()?;
            left &= !(1 << highest);
            Some(Reg::from_field(highest))
        })
    }
}

impl BitOr for RegSet {
    type Output = RegSet;
    fn bitor(self, other: RegSet) -> RegSet {
        RegSet(self.0 | other.0)
    }
}

impl BitOrAssign for RegSet {
    fn bitor_assign(&mut self, other: RegSet) {
        self.0 |= other.0;
    }
}

impl Sub for RegSet {
    type Output = RegSet;
    fn sub(self, other: RegSet) -> RegSet {
        RegSet(self.0 & !other.0)
    }
}

impl SubAssign for RegSet {
    fn sub_assign(&mut self, other: RegSet) {
        self.0 &= !other.0;
    }
}

impl FromIterator<Reg> for RegSet {
    fn from_iter<I: IntoIterator<Item = Reg>>(regs: I) -> RegSet {
        regs.into_iter()
            .fold(RegSet::NONE, |set, reg| set | RegSet::of(reg))
    }
}

impl fmt::Debug for RegSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.members()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in_but_never_x0() {
        let set: RegSet = [Reg::A0, Reg::ZERO, Reg::S0].into_iter().collect();
        assert_eq!(set.members().collect::<Vec<_>>(), [Reg::A0, Reg::S0]);
        assert!(set.contains(Reg::A0) && !set.contains(Reg::ZERO) && !set.contains(Reg::A1));
        assert!((set - RegSet::of(Reg::A0)).meets(RegSet::of(Reg::S0)));
        assert!(!set.meets(RegSet::ALL - set));
        assert!(!set.meets(RegSet::of(Reg::A1)));
        assert_eq!(RegSet::ALL.members().count(), 31);
    }
}

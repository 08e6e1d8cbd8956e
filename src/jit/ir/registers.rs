//! Sets of guest registers, as a bit each.

use crate::rv32::Reg;

/// The registers of a set that has a bit for each.
pub(in crate::jit) fn members(mut set: u32) -> impl Iterator<Item = Reg> {
    std::iter::from_fn(move || {
        let lowest = set.checked_ilog2()?;
        set &= !(1 << lowest);
        Some(Reg::from_field(lowest))
    })
}

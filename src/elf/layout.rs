//! Where the parts of a program go in the guest's address space, and how they get there.
//!
//! Segments are where the file says. The stack takes the highest free place below 2 GiB, where programs usually are, or
//! above when there is none; an unmapped page on either side of it catches what runs over. The heap begins where the
//! program's data ends, and may grow until something else is in its way.

use super::{Image, LoadError, Segment};
use crate::memory::{Memory, PAGE_SIZE, Permissions};
use std::ops::Range;

/// Where the stack's upper guard page may end at most, in order of preference.
const STACK_TOPS: [u64; 2] = [0x8000_0000, 0xffff_0000];
/// The lowest address that is given to a stack: the identity placement has nothing below.
const STACK_LOWEST: u64 = 64 << 10;
/// How far past a segment `_end` may be and still mean its end: linker scripts pad by a page or two.
const END_SLACK: u64 = 64 << 10;

/// Where the parts of a program are. Ranges of addresses exclude their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The stack; unmapped pages lie on both sides.
    pub stack: Range<u32>,
    /// From the first break to the highest there may be. Nothing in it past the program's own pages is mapped.
    pub heap: Range<u32>,
}

/// What memory a program gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of stack.
    pub stack_size: u32,
    /// Whether code in the stack can be executed; RAM always can.
    pub exec_stack: bool,
    /// The RAM of a machine: apart, by address. `None`: segments with their permissions, and a stack.
    pub ram: Option<Vec<Range<u64>>>,
}

impl Plan {
    /// The lowest address that there is memory at.
    #[must_use]
    pub fn lowest_address(&self, image: &Image) -> u32 {
        let segments = image.segments.iter();
        let copies = segments.clone().filter_map(Segment::copy);
        let ram = self.ram.iter().flatten().cloned();
        let flat = ram.chain(copies.filter(|_| self.ram.is_some()));
        let lowest = flat.map(|range| range.start).min().unwrap_or(u64::MAX);
        let segments = segments.map(|s| s.vaddr).min().unwrap_or(0);
        segments.min(u32::try_from(lowest).unwrap_or(u32::MAX))
    }
}

/// Maps a program and its stack, and fills in its data.
///
/// # Errors
/// When there is no room, or what memory refuses.
pub fn load(image: &Image, memory: &mut Memory, plan: &Plan) -> Result<Layout, LoadError> {
    if let Some(ram) = &plan.ram {
        return super::flat::load(image, memory, ram, plan.stack_size);
    }
    let mut taken = Vec::new();
    for segment in &image.segments {
        taken.push(pages(segment.vaddr.into(), segment.end()));
        if let Some(permissions) = segment.permissions {
            memory.map(segment.vaddr, segment.memsz.into(), permissions)?;
        }
    }
    for segment in image.segments.iter().filter(|s| s.permissions.is_some()) {
        poke(memory, segment.vaddr, image.data(segment))?;
    }
    let stack =
        place_stack(&taken, plan.stack_size).ok_or(LoadError::NoRoomForStack(plan.stack_size))?;
    memory.map(
        stack.start,
        u64::from(stack.end - stack.start),
        match plan.exec_stack {
            true => Permissions::RWX,
            false => Permissions::RW,
        },
    )?;
    // With its guard pages.
    let page = u64::from(PAGE_SIZE);
    taken.push(u64::from(stack.start) - page..u64::from(stack.end) + page);
    let heap = place_heap(image, &taken, false);
    Ok(Layout { stack, heap })
}

/// Rounds outwards to whole pages.
pub(super) fn pages(start: u64, end: u64) -> Range<u64> {
    let page = u64::from(PAGE_SIZE);
    start / page * page..end.next_multiple_of(page)
}

pub(super) fn poke(memory: &mut Memory, addr: u32, data: &[u8]) -> Result<(), LoadError> {
    memory.poke(addr, data).map_err(LoadError::TooBig)
}

/// The highest place for a stack of `size` bytes, rounded up to pages, and its guards.
pub(super) fn place_stack(taken: &[Range<u64>], size: u32) -> Option<Range<u32>> {
    let page = u64::from(PAGE_SIZE);
    let need = u64::from(size.max(1)).next_multiple_of(page) + 2 * page;
    let mut taken = taken.to_vec();
    taken.sort_by_key(|t| t.start);
    let highest_end = |limit: u64| {
        let (mut lowest, mut highest) = (STACK_LOWEST, None);
        // What is free ends at the limit or directly below something.
        for t in taken.iter().chain([&(limit..limit)]) {
            let end = t.start.min(limit);
            if end >= lowest + need {
                highest = Some(end);
            }
            lowest = lowest.max(t.end);
        }
        highest
    };
    let end = STACK_TOPS.into_iter().find_map(highest_end)?;
    let start = u32::try_from(end - need + page).ok()?;
    Some(start..u32::try_from(end - page).ok()?)
}

pub(super) fn place_heap(image: &Image, taken: &[Range<u64>], all_writable: bool) -> Range<u32> {
    let symbol = image.special.end.map(u64::from);
    let near = |s: &&Segment| {
        symbol.is_some_and(|end| u64::from(s.vaddr) <= end && end <= s.end() + END_SLACK)
    };
    let writable = |s: &&Segment| s.permissions.is_some_and(Permissions::writable);
    let segments = || image.segments.iter().rev();
    let base = segments()
        .find(near)
        .or_else(|| segments().find(writable))
        .or_else(|| segments().next());
    let Some(base) = base else {
        return 0..0;
    };
    let end = base.end().next_multiple_of(16);
    let start = match symbol {
        Some(symbol) if near(&base) && symbol >= base.end() => symbol,
        _ => end,
    };
    // The page that `start` is in may be the segment's own; what follows it must be free. A first break does not make it
    // writable.
    let own = pages(base.vaddr.into(), base.end()).end;
    let start = if all_writable || writable(&base) {
        start
    } else {
        start.max(own)
    };
    let limit = taken
        .iter()
        .filter(|t| t.end > own.max(start))
        .map(|t| t.start.max(start))
        .min()
        .unwrap_or((1 << 32) - u64::from(PAGE_SIZE));
    let start = u32::try_from(start).unwrap_or(u32::MAX);
    start..u32::try_from(limit).unwrap_or(u32::MAX).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Taken ranges, size of the stack, where it goes.
    type Row = (&'static [(u64, u64)], u32, Option<(u32, u32)>);

    #[test]
    fn the_stack_goes_as_high_as_it_can() {
        const MIB: u32 = 1 << 20;
        let below_2g = Some((0x7fef_f000, 0x7fff_f000));
        let rows: [Row; 8] = [
            (&[], MIB, below_2g),
            (&[(0x8000_0000, 0x8000_1000)], MIB, below_2g),
            (
                &[(0x7fff_f000, 0x8000_1000)],
                MIB,
                Some((0x7fef_e000, 0x7fff_e000)),
            ),
            // In any order.
            (
                &[(0x7fff_f000, 0x8000_1000), (0x1_0000, 0x7ff0_0000)],
                MIB - 0x3000,
                Some((0x7ff0_1000, 0x7fff_e000)),
            ),
            // Nothing is free below 2 GiB.
            (
                &[(0x1_0000, 0x8000_0000)],
                MIB,
                Some((0xffee_f000, 0xfffe_f000)),
            ),
            (&[(0x1_0000, 0xffff_f000)], MIB, None),
            // A hole that is exactly large enough, and one that is a page short.
            (
                &[(0x1_0000, 0x2_0000), (0x2_3000, 0xffff_f000)],
                4096,
                Some((0x2_1000, 0x2_2000)),
            ),
            (&[(0x1_0000, 0x2_0000), (0x2_2000, 0xffff_f000)], 4096, None),
        ];
        for (taken, size, expected) in rows {
            let ranges: Vec<_> = taken.iter().map(|t| t.0..t.1).collect();
            let place = place_stack(&ranges, size);
            assert_eq!(place.map(|p| (p.start, p.end)), expected, "{taken:x?}");
        }
    }
}

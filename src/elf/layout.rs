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

/// Maps a program and its stack, and fills in its data.
///
/// # Errors
/// When there is no room, or what memory refuses.
pub fn load(image: &Image, memory: &mut Memory, stack_size: u32) -> Result<Layout, LoadError> {
    let mut taken = Vec::new();
    for segment in &image.segments {
        taken.push(pages(segment.vaddr.into(), segment.end()));
        if let Some(permissions) = segment.permissions {
            memory.map(segment.vaddr, segment.memsz.into(), permissions)?;
        }
    }
    if image.is_bare_metal() {
        taken.extend(map_load_addresses(image, memory)?);
        taken.extend(map_ram(image, memory)?);
    }
    for segment in image.segments.iter().filter(|s| s.permissions.is_some()) {
        poke(memory, segment.vaddr, image.data(segment))?;
    }
    let stack = place_stack(&taken, stack_size).ok_or(LoadError::NoRoomForStack(stack_size))?;
    memory.map(
        stack.start,
        u64::from(stack.end - stack.start),
        Permissions::RW,
    )?;
    // With its guard pages.
    let page = u64::from(PAGE_SIZE);
    taken.push(u64::from(stack.start) - page..u64::from(stack.end) + page);
    let heap = place_heap(image, &taken);
    Ok(Layout { stack, heap })
}

/// Rounds outwards to whole pages.
fn pages(start: u64, end: u64) -> Range<u64> {
    let page = u64::from(PAGE_SIZE);
    start / page * page..end.next_multiple_of(page)
}

fn poke(memory: &mut Memory, addr: u32, data: &[u8]) -> Result<(), LoadError> {
    memory.poke(addr, data).map_err(LoadError::TooBig)
}

/// A bare-metal image's start-up code copies initialised data from where it would be in ROM. Where ROM would cover
/// pages of a segment, the segment wins.
fn map_load_addresses(image: &Image, memory: &mut Memory) -> Result<Vec<Range<u64>>, LoadError> {
    let mut taken = Vec::new();
    for segment in &image.segments {
        let data = image.data(segment);
        let end = u64::from(segment.paddr) + data.len() as u64;
        let moved = segment.paddr != segment.vaddr && !data.is_empty();
        if !moved || segment.paddr < PAGE_SIZE || end > 1 << 32 {
            continue;
        }
        let rom = u64::from(segment.paddr)..end;
        // Segments are apart, and by address: of those that begin below, the last ends highest.
        let below = image
            .segments
            .partition_point(|s| u64::from(s.vaddr) < rom.end);
        let nearest = image.segments[..below].last();
        if nearest.is_some_and(|s| rom.start < s.end()) {
            continue;
        }
        memory.map(segment.paddr, data.len() as u64, Permissions::R)?;
        poke(memory, segment.paddr, data)?;
        taken.push(pages(rom.start, rom.end));
    }
    Ok(taken)
}

/// picolibc's `__stack` is the end of RAM: what lies between it and the data below it is heap and stack.
fn map_ram(image: &Image, memory: &mut Memory) -> Result<Option<Range<u64>>, LoadError> {
    let Some(top) = image.special.stack else {
        return Ok(None);
    };
    let below = image.segments.iter().filter(|s| s.vaddr <= top);
    let Some(start) = below.map(Segment::end).max() else {
        return Ok(None);
    };
    match u32::try_from(start) {
        Ok(first) if first < top => {
            memory.map(first, u64::from(top - first), Permissions::RW)?;
            Ok(Some(pages(start, top.into())))
        }
        _ => Ok(None),
    }
}

/// The highest place for a stack of `size` bytes, rounded up to pages, and its guards.
fn place_stack(taken: &[Range<u64>], size: u32) -> Option<Range<u32>> {
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

fn place_heap(image: &Image, taken: &[Range<u64>]) -> Range<u32> {
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
    let start = if writable(&base) {
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

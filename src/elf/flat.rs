//! A program in the flat RAM of a machine or a zkVM: what the file says of permissions means nothing there.
//!
//! All RAM can be read, written and executed, and so can segments outside it. Data is at its load address, too, as in
//! ROM or as a boot loader leaves it; where that is a segment's own memory, the segment wins. Start-up code brings its
//! own stack; for what has none, sp points to the end of the RAM behind the program's data.

use super::layout::{pages, place_heap, place_stack, poke};
use super::{Image, Layout, LoadError};
use crate::memory::{Memory, PAGE_SIZE, Permissions};
use std::ops::Range;

pub(super) fn load(
    image: &Image,
    memory: &mut Memory,
    ram: &[Range<u64>],
    stack_size: u32,
) -> Result<Layout, LoadError> {
    for range in ram {
        map(memory, range)?;
    }
    let mut taken = Vec::new();
    for segment in &image.segments {
        let range = u64::from(segment.vaddr)..segment.end();
        map(memory, &range)?;
        taken.push(pages(range.start, range.end));
    }
    for segment in &image.segments {
        if let Some(copy) = segment.copy().filter(|copy| !is_own(image, copy)) {
            map(memory, &copy)?;
            poke(memory, segment.paddr, image.data(segment))?;
            taken.push(pages(copy.start, copy.end));
        }
    }
    for segment in &image.segments {
        poke(memory, segment.vaddr, image.data(segment))?;
    }
    let heap = place_heap(image, &taken, true);
    // The RAM behind the data, and its upper end for the stack.
    let page = u64::from(PAGE_SIZE);
    let start = u64::from(heap.start).next_multiple_of(page);
    let around = ram.iter().find(|r| r.contains(&start));
    let end = around.map_or(start, |r| r.end.min(heap.end.into()) / page * page);
    let size = u64::from(stack_size).min((end - start.min(end)) / 2) / page * page;
    if size >= page
        && let (Ok(low), Ok(high)) = (u32::try_from(end - size), u32::try_from(end))
    {
        return Ok(Layout {
            stack: low..high,
            heap: heap.start..low,
        });
    }
    taken.extend_from_slice(ram);
    let stack = place_stack(&taken, stack_size).ok_or(LoadError::NoRoomForStack(stack_size))?;
    map(memory, &(stack.start.into()..stack.end.into()))?;
    // No memory is behind the data.
    let heap = heap.start..heap.start;
    Ok(Layout { stack, heap })
}

fn map(memory: &mut Memory, range: &Range<u64>) -> Result<(), LoadError> {
    // Both ends are inside the address space, as the image and the plan were checked for.
    let start = u32::try_from(range.start).unwrap_or(u32::MAX);
    memory.map(start, range.end - range.start, Permissions::RWX)?;
    Ok(())
}

/// Whether part of a range is a segment's. Segments are apart, and by address: of those that begin below, the last ends
/// highest.
fn is_own(image: &Image, range: &Range<u64>) -> bool {
    let below = image
        .segments
        .partition_point(|s| u64::from(s.vaddr) < range.end);
    let nearest = image.segments[..below].last();
    nearest.is_some_and(|s| range.start < s.end())
}

//! The memory that a platform gives a program: [`Plan`]s for the loader, and RAM as it is typed.
//!
//! A machine's RAM is what is asked for, or the whole aligned block of 128 MiB (what boards like QEMU's `virt` have) that
//! any part of a segment lies in: start-up code puts stacks, heaps and tables beside the segments, above or below. A
//! zkVM has the RAM that its guests are linked for. Page 0 is there only if a segment covers it, so that null pointers
//! are found.

use super::Platform;
use crate::elf::{Image, Plan};
use crate::memory::{IDENTITY_LOWEST, PAGE_SIZE};
use std::fmt;
use std::ops::Range;

/// The aligned block round a segment that is RAM.
const BLOCK: u64 = 128 << 20;
/// The most pieces of RAM that can be asked for: no board has so many.
const MOST_PIECES: usize = 64;
/// RISC Zero's guests have RAM up to here (`GUEST_MAX_MEM`).
const RISC0_END: u64 = 0x0c00_0000;
/// SP1's guests have RAM up to here (`MAXIMUM_MEMORY_SIZE`).
const SP1_END: u64 = 0x7800_0000;

/// Why RAM cannot be as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RamError {
    /// A platform without flat RAM.
    NoRam(Platform),
    /// More pieces than can be.
    TooMany(usize),
    /// Empty, or past 4 GiB.
    Range(u64, u64),
    /// Not whole pages.
    Pages(u64, u64),
    /// Two of them overlap.
    Overlap(Range<u64>, Range<u64>),
}

impl fmt::Display for RamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RamError::NoRam(platform) => write!(
                f,
                "--ram: the platform {} has no RAM to place; use --platform bare",
                platform.name()
            ),
            RamError::TooMany(count) => {
                write!(f, "--ram: {count} ranges, and at most {MOST_PIECES} can be")
            }
            RamError::Range(start, end) => write!(
                f,
                "--ram {start:#x}..{end:#x}: write A..B with A below B and B at most 0x100000000"
            ),
            RamError::Pages(start, end) => write!(
                f,
                "--ram {start:#x}..{end:#x}: both must be multiples of {PAGE_SIZE:#x}"
            ),
            RamError::Overlap(one, other) => write!(
                f,
                "--ram {:#x}..{:#x} and {:#x}..{:#x} overlap",
                one.start, one.end, other.start, other.end
            ),
        }
    }
}

impl std::error::Error for RamError {}

/// The memory of a program on a platform, where `wanted` is the RAM that was asked for.
///
/// # Errors
/// When it cannot be as it was asked for.
pub fn plan(
    image: &Image,
    platform: Platform,
    wanted: &[Range<u64>],
    stack_size: u32,
) -> Result<Plan, RamError> {
    let ram = if wanted.is_empty() {
        match platform {
            Platform::Newlib => None,
            Platform::Bare => Some(blocks(image)),
            Platform::Risc0 => Some([up_to(RISC0_END, image)].to_vec()),
            Platform::Sp1 => Some([up_to(SP1_END, image)].to_vec()),
        }
    } else if platform.is_flat() {
        Some(checked(wanted)?)
    } else {
        return Err(RamError::NoRam(platform));
    };
    Ok(Plan {
        stack_size,
        exec_stack: false,
        ram,
    })
}

/// RAM of a zkVM: from the lowest address that every placement has.
fn up_to(end: u64, image: &Image) -> Range<u64> {
    let lowest = image.segments.iter().map(|s| u64::from(s.vaddr)).min();
    let page = u64::from(PAGE_SIZE);
    let start = lowest.unwrap_or(0).min(IDENTITY_LOWEST.into()) / page * page;
    start.max(page)..end
}

/// The blocks that segments, and their copies at their load addresses, lie in.
fn blocks(image: &Image) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    let mut add = |start: u64, end: u64| {
        let start = start / BLOCK * BLOCK;
        let end = end.next_multiple_of(BLOCK).min(1 << 32);
        found.push(start.max(PAGE_SIZE.into())..end);
    };
    for segment in &image.segments {
        add(segment.vaddr.into(), segment.end());
        if let Some(copy) = segment.copy() {
            add(copy.start, copy.end);
        }
    }
    found.sort_by_key(|range| range.start);
    found.dedup_by(|next, range| {
        let joins = next.start <= range.end;
        if joins {
            range.end = range.end.max(next.end);
        }
        joins
    });
    found
}

fn checked(wanted: &[Range<u64>]) -> Result<Vec<Range<u64>>, RamError> {
    if wanted.len() > MOST_PIECES {
        return Err(RamError::TooMany(wanted.len()));
    }
    let page = u64::from(PAGE_SIZE);
    let mut ram = wanted.to_vec();
    for range in &ram {
        if range.start >= range.end || range.end > 1 << 32 {
            return Err(RamError::Range(range.start, range.end));
        }
        if !range.start.is_multiple_of(page) || !range.end.is_multiple_of(page) {
            return Err(RamError::Pages(range.start, range.end));
        }
    }
    ram.sort_by_key(|range| range.start);
    for pair in ram.windows(2) {
        if let [low, high] = pair
            && low.end > high.start
        {
            return Err(RamError::Overlap(low.clone(), high.clone()));
        }
    }
    Ok(ram)
}

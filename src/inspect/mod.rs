//! What can be said of a program without running it: its functions, their host code, what it needs, whether it will
//! run.
//!
//! Everything here only reads. `cli` shows it.

pub mod attributes;
pub mod functions;
pub mod info;
pub mod listing;
pub mod object;
pub mod scan;

use crate::elf::{Image, LoadError, load};
use crate::memory::{Memory, MemoryConfig, PAGE_COUNT, PAGE_SIZE, PAGED_MOST_PAGES, Placement};

/// A program's memory before its first instruction, only to be read.
///
/// # Errors
/// When there is no room for the program, or the host has no memory for it.
pub fn memory_of(image: &Image) -> Result<Memory, LoadError> {
    loaded(image, 1)
}

/// The same with a stack of this size.
fn loaded(image: &Image, stack_size: u32) -> Result<Memory, LoadError> {
    let limit_pages = most_pages(image);
    let placement = match limit_pages {
        ..=PAGED_MOST_PAGES => Placement::Paged,
        _ => Placement::Window,
    };
    let mut memory = Memory::new(MemoryConfig {
        placement,
        limit_pages,
        strict_align: false,
    })?;
    load(image, &mut memory, stack_size)?;
    Ok(memory)
}

/// Enough pages for all that is in the file, twice if it is loaded at its physical addresses too; of a file whose
/// segments share their bytes, no more than it could fill otherwise.
fn most_pages(image: &Image) -> u32 {
    let pages = |bytes: usize| bytes.div_ceil(PAGE_SIZE as usize) + 1;
    let segments = image.segments.iter();
    let data: usize = segments.map(|s| pages(s.data.len())).sum();
    let file = pages(image.file_len()) + image.segments.len();
    let most = 2 * data.min(file);
    u32::try_from(most).unwrap_or(u32::MAX).min(PAGE_COUNT - 1)
}

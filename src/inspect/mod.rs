//! What can be said of a program without running it: its functions, their host code, what it needs, whether it will run.
//!
//! Everything here only reads. `cli` shows it.

pub mod attributes;
pub mod functions;
pub mod info;
pub mod listing;
pub mod object;
pub mod scan;

use crate::elf::{Image, LoadError, load};
use crate::memory::{Memory, MemoryConfig, PAGED_MOST_PAGES, Placement};

/// A program's memory before its first instruction, only to be read.
///
/// # Errors
/// When the program does not fit.
pub fn memory_of(image: &Image) -> Result<Memory, LoadError> {
    let mut memory = Memory::new(MemoryConfig {
        placement: Placement::Paged,
        limit_pages: PAGED_MOST_PAGES,
        strict_align: false,
    })?;
    load(image, &mut memory, 1)?;
    Ok(memory)
}

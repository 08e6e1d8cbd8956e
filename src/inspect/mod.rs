//! What can be said of a program without running it: its functions, their host code, what it needs, whether it will
//! run.
//!
//! Everything here only reads. `cli` shows it.

pub mod attributes;
pub mod foreign;
pub mod functions;
pub mod info;
pub mod listing;
pub mod object;

use crate::elf::{Image, Plan, load};
use crate::machine::MachineError;
use crate::memory::{
    IDENTITY_LOWEST, Memory, MemoryConfig, PAGE_COUNT, PAGE_SIZE, PAGED_MOST_PAGES, Placement,
};
use crate::platform::{Decision, Platform, decide, plan};

/// A program's memory before its first instruction, only to be read.
///
/// # Errors
/// When there is no room for the program, or the host has no memory for it.
pub fn memory_of(image: &Image) -> Result<Memory, MachineError> {
    loaded(image, None, 1).map(|loaded| loaded.memory)
}

/// A program as a run has it before its first instruction.
#[derive(Debug)]
pub struct Loaded {
    /// What it takes its surroundings to be.
    pub decision: Decision,
    /// What memory it gets.
    pub plan: Plan,
    /// Its memory, only to be read.
    pub memory: Memory,
}

/// Loads a program with a stack of this size, on the platform that is wanted.
///
/// # Errors
/// As those of [`crate::machine::Machine::new`].
pub fn loaded(
    image: &Image,
    wanted: Option<Platform>,
    stack_size: u32,
) -> Result<Loaded, MachineError> {
    let decision = decide(image, wanted)?;
    let plan = plan(image, decision.platform, &[], stack_size)?;
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
    load(image, &mut memory, &plan)?;
    Ok(Loaded {
        decision,
        plan,
        memory,
    })
}

impl Loaded {
    /// The placements that suit, best first.
    #[must_use]
    pub fn placements(&self, image: &Image) -> Vec<Placement> {
        let identity = self.plan.lowest_address(image) >= IDENTITY_LOWEST;
        let all = [Placement::Identity, Placement::Window, Placement::Paged];
        let suits = |p: &Placement| *p != Placement::Identity || identity;
        all.into_iter().filter(suits).collect()
    }
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

//! A place where whoever fetches an instruction finds an `ebreak`, and whoever loads finds what is there.
//!
//! All engines fetch through [`Memory`], so they know nothing of it.

use super::table::CODE;
use super::{CodeWrite, Memory, PAGE_SHIFT};
use crate::rv32::Isa;
use crate::rv32::decode::EBREAK;

/// `c.ebreak` (Unprivileged spec 27.6).
const C_EBREAK: u16 = 0x9002;

/// See the module's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breakpoint {
    /// An odd number where there is none, since no instruction is there.
    pub(super) at: u32,
    /// Where a jump may go to the middle of four bytes, only two are replaced.
    short: bool,
}

impl Breakpoint {
    pub(super) const NONE: Breakpoint = Breakpoint {
        at: 1,
        short: false,
    };

    /// What is found there.
    pub(super) fn halves(&self) -> &'static [u16] {
        const LONG: [u16; 2] = {
            let [a, b, c, d] = EBREAK.to_le_bytes();
            [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
        };
        if self.short { &[C_EBREAK] } else { &LONG }
    }

    /// What is fetched at `pc`, where memory has `half`.
    #[inline]
    pub(super) fn half(&self, pc: u32, half: u16) -> u16 {
        match pc.wrapping_sub(self.at) {
            offset @ (0 | 2) => {
                let found = self.halves().get(offset as usize / 2);
                found.copied().unwrap_or(half)
            }
            _ => half,
        }
    }
}

impl Memory {
    /// Makes whoever fetches the instruction at this address find an `ebreak`; whoever loads finds what is there. Engines
    /// heed it when they run next.
    pub fn set_breakpoint(&mut self, at: Option<u32>, isa: Isa) {
        let new = at.map_or(Breakpoint::NONE, |at| Breakpoint {
            at,
            short: isa.compressed,
        });
        for place in [std::mem::replace(&mut self.breakpoint, new), new] {
            let addr = place.at;
            let pages = [addr >> PAGE_SHIFT, addr.wrapping_add(3) >> PAGE_SHIFT];
            if place != Breakpoint::NONE && pages.iter().any(|&page| self.supply.has(page, CODE)) {
                self.note(CodeWrite { addr, len: 4 });
            }
        }
        // Pages that nobody is told of writes to.
        self.fence_i = true;
    }

    /// Whether [`Memory::set_breakpoint`] was given this address.
    #[must_use]
    pub fn is_breakpoint(&self, pc: u32) -> bool {
        self.breakpoint.at == pc
    }
}

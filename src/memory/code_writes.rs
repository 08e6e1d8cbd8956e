//! Stores that somebody has to hear of: to pages that code was made from, and to the watched word; also `fence.i`.

use super::table::{CLEAN, CODE, WATCHED};
use super::{Memory, PAGE_COUNT, PAGE_SHIFT, PAGE_SIZE};
use std::ops::Range;

/// The most stores to pages of code that are kept apart.
const MOST_CODE_WRITES: usize = 1024;

/// The first and the last page of a few bytes.
fn pages(bytes: Range<u32>) -> [u32; 2] {
    [bytes.start, bytes.end.wrapping_sub(1)].map(|addr| addr >> PAGE_SHIFT)
}

/// A guest store to a page from which code was translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeWrite {
    /// First byte written.
    pub addr: u32,
    /// Bytes written.
    pub len: u32,
}

impl Memory {
    /// Whether the engine of this number is the last that knows what code is here, and knows all of it. The interpreter
    /// knows nothing, and has no number.
    #[inline]
    #[must_use]
    pub fn is_bound(&self, engine: u64) -> bool {
        self.bound == engine && engine != 0
    }

    /// From now on an engine of this number, which nothing else ever has, notes what code is here. Whatever another had
    /// noted is forgotten.
    pub fn bind(&mut self, engine: u64) {
        if self.bound != 0 {
            self.supply.clear_flag(CODE);
            self.code_writes.clear();
            self.fence_i = false;
        }
        self.bound = engine;
    }

    /// Write-protects a page that code was translated from: stores to it are noted in [`Memory::take_code_writes`],
    /// and emitted stores to it fail over to the slow path.
    pub fn protect_code(&mut self, page: u32) {
        self.supply.set(page, CODE, true);
    }

    /// Ends what [`Memory::protect_code`] began.
    pub fn unprotect_code(&mut self, page: u32) {
        self.supply.set(page, CODE, false);
    }

    /// Watches these bytes, at most a page's: [`Memory::stops_here`] tells of writes to them. Their pages cannot be
    /// written by emitted code, so that no store to them goes unseen and nothing else costs more.
    pub fn set_watch(&mut self, bytes: Option<Range<u32>>) {
        for page in self.watch.take().into_iter().flat_map(pages) {
            self.supply.set(page, WATCHED, false);
        }
        self.watch_hit = false;
        for page in bytes.clone().into_iter().flat_map(pages) {
            self.supply.set(page, WATCHED, true);
        }
        self.watch = bytes;
    }

    /// Makes what was written to watched pages visible to emitted code, before that is entered.
    #[inline]
    pub fn settle(&mut self) {
        self.supply.table_mut().settle();
    }

    /// Whether a watched byte was written, or [`Memory::stop_after_this`] called, since [`Memory::take_watch_hit`].
    /// Engines look at this after each instruction that went through here, and stop with `Stop::Watch`.
    #[inline]
    #[must_use]
    pub fn stops_here(&self) -> bool {
        self.watch_hit || self.stop_asked
    }

    /// Makes engines stop behind the instruction that they are executing, as after a write to a watched byte.
    pub fn stop_after_this(&mut self) {
        self.stop_asked = true;
    }

    /// Makes [`Memory::stops_here`] false; whether a watched byte was written.
    pub fn take_watch_hit(&mut self) -> bool {
        self.stop_asked = false;
        std::mem::take(&mut self.watch_hit)
    }

    /// The stores to protected pages since the last call.
    pub fn take_code_writes(&mut self) -> Vec<CodeWrite> {
        std::mem::take(&mut self.code_writes)
    }

    /// Whether there are stores to protected pages, or a `fence.i`, that nobody has taken.
    #[inline]
    #[must_use]
    pub fn has_code_writes(&self) -> bool {
        self.fence_i || !self.code_writes.is_empty()
    }

    /// A `fence.i` was executed: [`Memory::take_fence_i`] tells.
    #[inline]
    pub fn note_fence_i(&mut self) {
        self.fence_i = true;
    }

    /// Whether a `fence.i` was executed since the last call.
    pub fn take_fence_i(&mut self) -> bool {
        std::mem::take(&mut self.fence_i)
    }

    pub(super) fn note_code_write(&mut self, addr: u32, len: u32) {
        if len == 0 {
            return;
        }
        let first = addr >> PAGE_SHIFT;
        let pages = ((addr % PAGE_SIZE) as u64 + u64::from(len)).div_ceil(u64::from(PAGE_SIZE));
        let touched = |n| first.wrapping_add(u32::try_from(n).unwrap_or(0)) % PAGE_COUNT;
        let flags = (0..pages).fold(0, |flags, n| flags | self.supply.flags(touched(n)));
        if flags & (CODE | WATCHED | CLEAN) == 0 {
            return;
        }
        let (code, watched) = (flags & CODE != 0, flags & WATCHED != 0);
        if flags & CLEAN != 0 {
            for page in (0..pages).map(touched) {
                if self.supply.has(page, CLEAN) {
                    self.note_written(page);
                }
            }
        }
        if code {
            self.note(CodeWrite { addr, len });
        }
        if watched {
            self.watch_hit |= self.watch.as_ref().is_some_and(|watch| {
                let watched = watch.end.wrapping_sub(watch.start);
                watch.start.wrapping_sub(addr) < len || addr.wrapping_sub(watch.start) < watched
            });
        }
    }

    /// Nobody takes them while instructions are stepped over: then the last one comes to cover all that follow.
    pub(super) fn note(&mut self, write: CodeWrite) {
        let full = self.code_writes.len() >= MOST_CODE_WRITES;
        match self.code_writes.last_mut() {
            Some(last) if full => {
                let end = |write: CodeWrite| u64::from(write.addr) + u64::from(write.len);
                let (addr, end) = (last.addr.min(write.addr), end(*last).max(end(write)));
                let len = u32::try_from(end - u64::from(addr)).unwrap_or(u32::MAX);
                *last = CodeWrite { addr, len };
            }
            _ => self.code_writes.push(write),
        }
    }
}

//! The guest's heap: the program break.
//!
//! The break is exact to the byte, as newlib's `sbrk` compares it with what it asked for; pages are mapped and
//! unmapped around it. Bytes that a growing break exposes are zero, also those that it exposed before.

use super::notes::RefusedBreak;
use crate::memory::{Memory, PAGE_SHIFT, PAGE_SIZE, Permissions};

/// The break and its bounds.
#[derive(Debug, Clone)]
pub(super) struct Heap {
    start: u32,
    limit: u32,
    current: u32,
    /// Bytes from `current` to here may hold what the guest once wrote.
    used_to: u32,
    /// Pages that are the guest's but not the heap's.
    other_pages: u32,
    /// The first break that was refused for want of room.
    refused: Option<RefusedBreak>,
    /// What pages are that the break leaves: a machine's RAM does not go away.
    left: Option<Permissions>,
}

fn page_up(addr: u32) -> u64 {
    u64::from(addr).next_multiple_of(u64::from(PAGE_SIZE))
}

impl Heap {
    pub(super) fn new(start: u32, limit: u32, other_pages: u32, is_ram: bool) -> Heap {
        Heap {
            start,
            limit: limit.max(start),
            current: start,
            used_to: start,
            other_pages,
            refused: None,
            left: is_ram.then_some(Permissions::RWX),
        }
    }

    pub(super) fn start(&self) -> u32 {
        self.start
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// The first break that was refused for want of room.
    pub(super) fn refused(&self) -> Option<RefusedBreak> {
        self.refused
    }

    /// Moves the break to `to`; returns where it is then, which is where it was when that cannot be.
    pub(super) fn set(&mut self, memory: &mut Memory, to: u32) -> u32 {
        let possible = (self.start..=self.limit).contains(&to)
            && if to > self.current {
                self.grow(memory, to)
            } else {
                to == self.current || shrink(memory, self.current, to, self.left)
            };
        if possible {
            self.used_to = self.used_to.max(self.current);
            self.current = to;
        } else if to > self.current {
            let limit = (to > self.limit).then_some(self.limit);
            self.refused.get_or_insert(RefusedBreak { to, limit });
        }
        self.current
    }

    fn grow(&self, memory: &mut Memory, to: u32) -> bool {
        let pages = (page_up(to) >> PAGE_SHIFT) - u64::from(self.start >> PAGE_SHIFT);
        let budget = memory.limit_pages().saturating_sub(self.other_pages);
        if pages > u64::from(budget) {
            return false;
        }
        // The page of the break itself belongs to the data segment, or to the heap already.
        let own = memory
            .permissions(self.current)
            .is_some_and(Permissions::writable);
        let end = page_up(to);
        let first = if own {
            page_up(self.current)
        } else {
            u64::from(self.current & !(PAGE_SIZE - 1))
        };
        if end > first {
            let Ok(start) = u32::try_from(first) else {
                return false;
            };
            if memory.map(start, end - first, Permissions::RW).is_err() {
                return false;
            }
        }
        let stale = u64::from(self.used_to.min(to)).min(page_up(self.current));
        let count = usize::try_from(stale.saturating_sub(u64::from(self.current))).unwrap_or(0);
        let zeroes = [0; PAGE_SIZE as usize];
        count == 0 || memory.write(self.current, &zeroes[..count]).is_ok()
    }
}

fn shrink(memory: &mut Memory, from: u32, to: u32, left: Option<Permissions>) -> bool {
    let (first, end) = (page_up(to), page_up(from));
    let Ok(start) = u32::try_from(first) else {
        return true;
    };
    if end <= first {
        return true;
    }
    memory.unmap(start, end - first).is_ok()
        && left.is_none_or(|left| memory.map(start, end - first, left).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryConfig;

    fn memory(limit_pages: u32) -> Memory {
        Memory::new(MemoryConfig {
            limit_pages,
            ..MemoryConfig::default()
        })
        .unwrap()
    }

    #[test]
    fn the_break_is_exact_and_pages_follow_it() {
        let mut memory = memory(64);
        memory.map(0x1_0000, 0x123, Permissions::RW).unwrap();
        let mut heap = Heap::new(0x1_0123, 0x4_0000, 1, false);
        assert_eq!(heap.set(&mut memory, 0), 0x1_0123);
        assert_eq!(heap.set(&mut memory, 0x1_2001), 0x1_2001);
        assert!(memory.store(0x1_2ffc, 1u32).is_ok());
        assert!(memory.store(0x1_3000, 1u32).is_err());
        assert_eq!(heap.set(&mut memory, 0x1_1000), 0x1_1000);
        assert!(memory.store(0x1_0ffc, 1u32).is_ok());
        assert!(memory.store(0x1_1000, 1u32).is_err());
        assert_eq!(heap.set(&mut memory, 0x1_0123), 0x1_0123);
        assert!(
            memory.store(0x1_0000, 1u32).is_ok(),
            "the data segment stays"
        );
    }

    #[test]
    fn outside_its_bounds_it_does_not_move() {
        let mut memory = memory(64);
        let mut heap = Heap::new(0x1_0000, 0x1_8000, 0, false);
        heap.set(&mut memory, 0x1_4000);
        for to in [0xffff, 0x1_8001, u32::MAX, 0x8000_0000, 1] {
            assert_eq!(heap.set(&mut memory, to), 0x1_4000, "{to:#x}");
        }
        let refused = heap.refused().unwrap();
        assert_eq!((refused.to, refused.limit), (0x1_8001, Some(0x1_8000)));
        assert_eq!(heap.set(&mut memory, 0x1_8000), 0x1_8000);
        assert!(memory.store(0x1_8000, 1u32).is_err());
    }

    #[test]
    fn more_than_the_pool_is_refused() {
        let mut memory = memory(16);
        let mut heap = Heap::new(0x1_0000, 0x8000_0000, 4, false);
        assert_eq!(heap.set(&mut memory, 1), 0x1_0000);
        assert_eq!(heap.refused(), None, "that was not for want of room");
        assert_eq!(heap.set(&mut memory, 0x1_c001), 0x1_0000);
        let refused = heap.refused().unwrap();
        assert_eq!((refused.to, refused.limit), (0x1_c001, None));
        assert_eq!(heap.set(&mut memory, 0x1_c000), 0x1_c000);
    }

    #[test]
    fn what_grows_back_is_zero() {
        let mut memory = memory(64);
        let mut heap = Heap::new(0x1_0010, 0x8_0000, 0, false);
        heap.set(&mut memory, 0x1_3000);
        for addr in (0x1_0010..0x1_3000).step_by(4) {
            memory.store(addr, 0xdead_beef_u32).unwrap();
        }
        assert_eq!(heap.set(&mut memory, 0x1_0800), 0x1_0800);
        assert_eq!(heap.set(&mut memory, 0x1_0900), 0x1_0900);
        assert_eq!(heap.set(&mut memory, 0x1_3000), 0x1_3000);
        for addr in (0x1_0010..0x1_3000u32).step_by(4) {
            let expected = if addr < 0x1_0800 { 0xdead_beef } else { 0 };
            assert_eq!(memory.load::<u32>(addr), Ok(expected), "{addr:#x}");
        }
    }
}

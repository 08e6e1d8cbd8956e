//! Where whole programs lie: pages of code that may only be read and that may be written, low, in the middle and at the
//! end of the address space, with data beside some of them.

use crate::generate::{DATA, DATA_LEN};
use rvjit::memory::{Memory, MemoryConfig, Permissions, Placement};

const PAGE: u32 = 0x1000;

/// Neighbouring pages of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) start: u32,
    pub(crate) pages: u32,
    pub(crate) writable: bool,
}

impl Area {
    pub(crate) fn bytes(self) -> u32 {
        self.pages * PAGE
    }
}

const fn area(start: u32, pages: u32, writable: bool) -> Area {
    Area {
        start,
        pages,
        writable,
    }
}

pub(crate) const AREAS: [Area; 4] = [
    area(0x0001_0000, 3, false),
    area(0x0030_0000, 3, true),
    area(0x8000_0000, 3, false),
    area(0xffff_e000, 2, true),
];

/// Pages of data with the code at 0x80000000 behind them.
pub(crate) const BEFORE_CODE: u32 = 0x7fff_e000;
const BEFORE_CODE_LEN: u32 = 0x2000;

/// Where accesses reach over an end.
pub(crate) const ENDS: [u32; 6] = [
    DATA,
    DATA + PAGE,
    DATA + DATA_LEN,
    BEFORE_CODE + PAGE,
    BEFORE_CODE + BEFORE_CODE_LEN,
    0,
];

/// Whether code at this address may be written.
pub(crate) fn is_writable_code(addr: u32) -> bool {
    let inside = |area: &Area| addr.wrapping_sub(area.start) < area.bytes();
    AREAS.iter().any(|area| area.writable && inside(area))
}

pub(crate) fn new_memory(placement: Placement) -> Memory {
    let mut memory = Memory::new(MemoryConfig {
        placement,
        limit_pages: 64,
        strict_align: false,
    })
    .expect("memory");
    for area in AREAS {
        let permissions = if area.writable {
            Permissions::RWX
        } else {
            Permissions::RX
        };
        memory
            .map(area.start, area.bytes().into(), permissions)
            .unwrap();
    }
    for (start, len) in [(DATA, DATA_LEN), (BEFORE_CODE, BEFORE_CODE_LEN)] {
        memory.map(start, len.into(), Permissions::RW).unwrap();
    }
    memory
        .map(DATA + DATA_LEN, PAGE.into(), Permissions::R)
        .unwrap();
    memory
}

/// Writes code, where it is other code than before, and data.
pub(crate) fn load(memory: &mut Memory, parts: &[(u32, Vec<u16>)]) {
    for area in AREAS {
        let mut bytes = vec![0; area.bytes() as usize];
        for (start, halves) in parts {
            let at = start.wrapping_sub(area.start);
            if at < area.bytes() {
                let code: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
                bytes[at as usize..][..code.len()].copy_from_slice(&code);
            }
        }
        for (page, bytes) in (0..).zip(bytes.chunks(PAGE as usize)) {
            crate::poke_changed(memory, area.start + page * PAGE, bytes);
        }
    }
    // On pages of code and data, only this is heeded.
    memory.note_fence_i();
    for (start, len) in [(DATA, DATA_LEN + PAGE), (BEFORE_CODE, BEFORE_CODE_LEN)] {
        let data: Vec<u8> = (0..len).map(|n| (n.wrapping_mul(167) >> 3) as u8).collect();
        memory.poke(start, &data).unwrap();
    }
}

/// All that a program can have written, by where it begins.
pub(crate) fn contents(memory: &mut Memory) -> Vec<(u32, Vec<u8>)> {
    let code = AREAS.iter().filter(|area| area.writable);
    let mut ranges: Vec<(u32, u32)> = code.map(|area| (area.start, area.bytes())).collect();
    ranges.extend([(DATA, DATA_LEN + PAGE), (BEFORE_CODE, BEFORE_CODE_LEN)]);
    let read = |(start, len): (u32, u32)| {
        let mut bytes = vec![0; len as usize];
        memory.read(start, &mut bytes).unwrap();
        (start, bytes)
    };
    ranges.into_iter().map(read).collect()
}

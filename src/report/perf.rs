//! Names of guest functions for Linux `perf`.
//!
//! The map (`/tmp/perf-PID.map`, see perf-report(1) and the kernel's `jit-interface.txt`) is text; the dump
//! (`jit-PID.dump`, the kernel's `jitdump-specification.txt`) holds the code too, for `perf inject --jit`. Both are
//! written when the run has ended: code that was dropped before is not in them.

use super::names::demangle;
use crate::elf::Image;
use crate::engine::HostCode;
use std::fmt::Write as _;

/// A stretch of host code of one guest function.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stretch {
    region: usize,
    offset: usize,
    len: usize,
    name: String,
}

fn stretches(image: &Image, regions: &[HostCode]) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    for (number, region) in regions.iter().enumerate() {
        let ends = region.map.iter().skip(1).map(|&(_, at)| at as usize);
        let ends = ends.chain([region.bytes.len()]);
        for (&(pc, offset), end) in region.map.iter().zip(ends) {
            let offset = offset as usize;
            let name = image.code_at(pc).map_or_else(
                || format!("guest {pc:#010x}"),
                |(symbol, _)| demangle(&symbol.name),
            );
            let len = end.saturating_sub(offset);
            match found.last_mut() {
                Some(last) if last.region == number && last.name == name => last.len += len,
                _ if len == 0 => {}
                _ => found.push(Stretch {
                    region: number,
                    offset,
                    len,
                    name,
                }),
            }
        }
    }
    found
}

/// Lines of `address size name`, in hexadecimal.
#[must_use]
pub fn map(image: &Image, regions: &[HostCode]) -> String {
    let mut text = String::new();
    for stretch in stretches(image, regions) {
        let address = regions[stretch.region].address + stretch.offset;
        // Writing to a String does not fail.
        let _ = writeln!(text, "{address:x} {:x} {}", stretch.len, stretch.name);
    }
    text
}

const HEADER_SIZE: u32 = 40;
/// `EM_AARCH64` and `EM_X86_64`.
const MACHINE: u32 = if cfg!(target_arch = "aarch64") {
    183
} else {
    62
};
const JIT_CODE_LOAD: u32 = 0;

/// A jitdump file with a load record for each stretch, as of the time `timestamp` in nanoseconds of the monotonic clock.
#[must_use]
pub fn dump(image: &Image, regions: &[HostCode], timestamp: u64) -> Vec<u8> {
    let pid = std::process::id();
    let mut bytes = Vec::new();
    for word in [0x4a69_5444, 1, HEADER_SIZE, MACHINE, 0, pid] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&timestamp.to_le_bytes());
    bytes.extend_from_slice(&0_u64.to_le_bytes()); // flags
    for (index, stretch) in (0_u64..).zip(stretches(image, regions)) {
        let region = &regions[stretch.region];
        let code = &region.bytes[stretch.offset..stretch.offset + stretch.len];
        let address = (region.address + stretch.offset) as u64;
        let size = 16 + 40 + stretch.name.len() + 1 + code.len();
        bytes.extend_from_slice(&JIT_CODE_LOAD.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&timestamp.to_le_bytes());
        bytes.extend_from_slice(&pid.to_le_bytes());
        bytes.extend_from_slice(&pid.to_le_bytes()); // the one thread
        for value in [address, address, code.len() as u64, index] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(stretch.name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(code);
    }
    bytes
}

//! Which pages of a mapping were ever touched, also where the host has swapped them out.
//!
//! `mincore` takes a page that is swapped out for one that was never touched: that is good enough only where nothing
//! is ever swapped. `/proc/self/pagemap` tells the two apart, but where there is an emulator between us and the kernel
//! it may describe the emulator's addresses, not ours; then the two disagree, and nothing is known.

use super::mmap::{Mapping, page_size};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Bits of an entry: there is memory; there is swap (Linux, `admin-guide/mm/pagemap.rst`).
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

/// For each host page of `[offset, offset + len)`, whether it was touched since it was mapped or discarded.
///
/// # Errors
/// The system's; `Unsupported` where it does not tell.
pub fn touched(mapping: &Mapping, offset: usize, len: usize) -> io::Result<Vec<bool>> {
    let resident = mapping.resident(offset, len)?;
    if !may_swap() {
        return Ok(resident);
    }
    let entries = entries(mapping.address() + offset, resident.len())?;
    judge(&resident, &entries).ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}

fn judge(resident: &[bool], entries: &[u64]) -> Option<Vec<bool>> {
    let touched = |(&resident, &entry): (&bool, &u64)| {
        let touched = entry & (PRESENT | SWAPPED) != 0;
        (touched || !resident).then_some(touched)
    };
    resident.iter().zip(entries).map(touched).collect()
}

fn entries(address: usize, pages: usize) -> io::Result<Vec<u64>> {
    let mut file = File::open("/proc/self/pagemap")?;
    file.seek(SeekFrom::Start((address / page_size() * 8) as u64))?;
    let mut bytes = vec![0; pages * 8];
    file.read_exact(&mut bytes)?;
    let (entries, _) = bytes.as_chunks();
    Ok(entries.iter().copied().map(u64::from_ne_bytes).collect())
}

/// Whether the host has swap, as far as is known.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "sysinfo is a C function")]
fn may_swap() -> bool {
    // SAFETY: all-zero bytes are a valid sysinfo.
    let mut info: libc::sysinfo = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a sysinfo that lives across the call.
    unsafe { libc::sysinfo(&raw mut info) != 0 || info.totalswap > 0 }
}

#[cfg(not(target_os = "linux"))]
fn may_swap() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::mmap::Protection;

    #[test]
    fn what_is_swapped_out_was_touched() {
        let resident = [true, false, false, true];
        let entries = [PRESENT | 5, SWAPPED, 1 << 55, SWAPPED];
        let touched = vec![true, true, false, true];
        assert_eq!(judge(&resident, &entries), Some(touched));
    }

    #[test]
    fn what_contradicts_is_not_believed() {
        assert_eq!(judge(&[false, true], &[PRESENT, 0]), None);
    }

    #[test]
    fn the_system_tells() {
        let page = page_size();
        let mapping = Mapping::new(8 * page, Protection::ReadWrite).unwrap();
        if let Ok(touched) = touched(&mapping, page, 4 * page) {
            assert_eq!(touched, [false; 4]);
        }
        // Elsewhere it may be an emulator's.
        if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            let local = [0_u8; 1];
            let mut all = entries(mapping.address(), 8).unwrap();
            all.extend(entries(local.as_ptr().addr(), 1).unwrap());
            let mut touched = vec![false; 8];
            touched.push(true);
            assert_eq!(judge(&touched, &all), Some(touched));
        }
    }
}

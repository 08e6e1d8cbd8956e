//! Anonymous memory mappings, as an owner with checked offsets.
//!
//! Nothing here reads or writes the mapped memory; that is for the few modules that may use `unsafe`.
#![expect(
    unsafe_code,
    reason = "mmap, mprotect, madvise and mincore are C functions"
)]

use std::io;
use std::ptr::NonNull;

/// What host code may do with mapped memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    ReadExecute,
}

impl Protection {
    fn flags(self) -> libc::c_int {
        match self {
            Protection::None => libc::PROT_NONE,
            Protection::Read => libc::PROT_READ,
            Protection::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
            Protection::ReadExecute => libc::PROT_READ | libc::PROT_EXEC,
        }
    }
}

/// An anonymous private mapping, unmapped on drop.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and this type gives no access to its contents.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `len` bytes of zeros anywhere, without reserving swap for them: pages cost memory when touched.
    ///
    /// # Errors
    /// The system's, for example when an address space limit is in force.
    pub fn new(len: usize, protection: Protection) -> io::Result<Mapping> {
        Self::map(std::ptr::null_mut(), len, protection, 0)
    }

    /// Maps exactly `[address, address + len)`, which must be free.
    ///
    /// # Errors
    /// The system's; also when the kernel placed the mapping elsewhere, as old kernels do when the place is taken.
    #[cfg(target_os = "linux")]
    pub fn at(address: usize, len: usize, protection: Protection) -> io::Result<Mapping> {
        let hint = std::ptr::without_provenance_mut(address);
        let mapping = Self::map(hint, len, protection, libc::MAP_FIXED_NOREPLACE)?;
        if mapping.address() == address {
            Ok(mapping)
        } else {
            Err(io::Error::from(io::ErrorKind::AddrInUse))
        }
    }

    /// Maps memory that will hold code; on macOS that needs a flag of its own.
    ///
    /// # Errors
    /// The system's, for example where executable memory is refused.
    pub fn for_code(len: usize) -> io::Result<Mapping> {
        Self::code(std::ptr::null_mut(), len)
    }

    fn code(hint: *mut libc::c_void, len: usize) -> io::Result<Mapping> {
        #[cfg(target_os = "macos")]
        let (protection, flags) = (
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
            libc::MAP_JIT,
        );
        #[cfg(not(target_os = "macos"))]
        let (protection, flags) = (libc::PROT_READ | libc::PROT_EXEC, 0);
        Self::map_raw(hint, len, protection, flags)
    }

    /// The same, at an address whose low half is `low` if such a place is free.
    ///
    /// # Errors
    /// As [`Mapping::for_code`].
    pub fn for_code_at(len: usize, low: u32) -> io::Result<Mapping> {
        Self::near_low(low, |hint| Self::code(hint, len))
    }

    /// What `map` gives for a hint whose low half is `low`, or anywhere. Where only the first mapping succeeds, it is that.
    fn near_low(
        low: u32,
        mut map: impl FnMut(*mut libc::c_void) -> io::Result<Mapping>,
    ) -> io::Result<Mapping> {
        // The kernel's choice is random, and so stays the upper half of what is tried.
        let anywhere = map(std::ptr::null_mut())?;
        // One way there are the mappings that were made before.
        for away in [-1, 1, -2, 2] {
            let high = (anywhere.address() as u64 >> 32).wrapping_add_signed(away);
            let Ok(wanted) = usize::try_from(high << 32 | u64::from(low)) else {
                break;
            };
            let hint = std::ptr::without_provenance_mut(wanted);
            // Room for one there is.
            let Ok(mapping) = map(hint) else {
                break;
            };
            if mapping.address() == wanted {
                return Ok(mapping);
            }
        }
        Ok(anywhere)
    }

    fn map(
        hint: *mut libc::c_void,
        len: usize,
        protection: Protection,
        flags: libc::c_int,
    ) -> io::Result<Mapping> {
        Self::map_raw(hint, len, protection.flags(), flags)
    }

    fn map_raw(
        hint: *mut libc::c_void,
        len: usize,
        protection: libc::c_int,
        flags: libc::c_int,
    ) -> io::Result<Mapping> {
        // SAFETY: an anonymous private mapping at a place the kernel chooses, or at one that it refuses when taken,
        // touches no memory that exists.
        let start = unsafe {
            libc::mmap(
                hint,
                len,
                protection,
                libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE | flags,
                -1,
                0,
            )
        };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast() != libc::MAP_FAILED => Ok(Mapping { start, len }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// First byte.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Address of the first byte.
    #[must_use]
    pub fn address(&self) -> usize {
        self.start.as_ptr().addr()
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the mapping has no bytes; it never has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn part(&self, offset: usize, len: usize) -> io::Result<*mut libc::c_void> {
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        Ok(self.start.as_ptr().wrapping_add(offset).cast())
    }

    /// Changes what may be done with `[offset, offset + len)`; both are multiples of the host's page size.
    ///
    /// # Errors
    /// The system's, or `InvalidInput` outside the mapping.
    pub fn protect(&self, offset: usize, len: usize, protection: Protection) -> io::Result<()> {
        let start = self.part(offset, len)?;
        // SAFETY: the range lies inside this mapping, and no Rust reference into a mapping outlives a call of its
        // owner.
        check(unsafe { libc::mprotect(start, len, protection.flags()) })
    }

    /// Keeps the system from joining its bookkeeping of this part with that of its neighbours: changing the protection of
    /// exactly this part is cheaper then. Nothing but time depends on it.
    pub fn keep_apart(&self, offset: usize, len: usize) {
        // Neighbours that differ in an attribute stay apart; huge pages are of no use where protection changes.
        self.keep_small(offset, len);
    }

    /// Has each page of this part get memory by itself when it is touched, and no neighbours of it.
    #[cfg(target_os = "linux")]
    pub fn keep_small(&self, offset: usize, len: usize) {
        if let Ok(start) = self.part(offset, len) {
            // SAFETY: the advice changes no contents, and the range lies inside this mapping.
            unsafe { libc::madvise(start, len, libc::MADV_NOHUGEPAGE) };
        }
    }

    /// Nothing can be done about it here.
    #[cfg(not(target_os = "linux"))]
    pub fn keep_small(&self, _offset: usize, _len: usize) {}

    /// Makes part of a mapping [for code](Mapping::for_code) writable and not executable.
    ///
    /// # Errors
    /// The system's, or `InvalidInput` outside the mapping.
    #[cfg(not(target_os = "macos"))]
    pub fn open_code(&self, offset: usize, len: usize) -> io::Result<()> {
        self.protect(offset, len, Protection::ReadWrite)
    }

    /// Makes it executable and not writable again.
    ///
    /// # Errors
    /// The system's, or `InvalidInput` outside the mapping.
    #[cfg(not(target_os = "macos"))]
    pub fn close_code(&self, offset: usize, len: usize) -> io::Result<()> {
        self.protect(offset, len, Protection::ReadExecute)
    }

    /// As on other systems; here it concerns all code mappings of this thread.
    ///
    /// # Errors
    /// `InvalidInput` outside the mapping.
    #[cfg(target_os = "macos")]
    pub fn open_code(&self, offset: usize, len: usize) -> io::Result<()> {
        self.part(offset, len)?;
        // SAFETY: switches this thread's view of MAP_JIT memory; no emitted code runs meanwhile.
        unsafe { libc::pthread_jit_write_protect_np(0) };
        Ok(())
    }

    /// As on other systems; here it concerns all code mappings of this thread.
    ///
    /// # Errors
    /// `InvalidInput` outside the mapping.
    #[cfg(target_os = "macos")]
    pub fn close_code(&self, offset: usize, len: usize) -> io::Result<()> {
        self.part(offset, len)?;
        // SAFETY: as above.
        unsafe { libc::pthread_jit_write_protect_np(1) };
        Ok(())
    }

    /// Gives the memory of `[offset, offset + len)` back; it reads as zeros afterwards.
    ///
    /// # Errors
    /// The system's, or `InvalidInput` outside the mapping.
    pub fn discard(&self, offset: usize, len: usize) -> io::Result<()> {
        let start = self.part(offset, len)?;
        #[cfg(target_os = "linux")]
        // SAFETY: the range lies inside this mapping; its contents become zeros, which is this call's purpose.
        let result = unsafe { libc::madvise(start, len, libc::MADV_DONTNEED) };
        #[cfg(not(target_os = "linux"))]
        // SAFETY: as above; a new anonymous mapping replaces the pages, since MADV_DONTNEED need not zero them here.
        let result = unsafe {
            let new = libc::mmap(
                start,
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED,
                -1,
                0,
            );
            if new == libc::MAP_FAILED { -1 } else { 0 }
        };
        check(result)
    }

    /// For each host page of `[offset, offset + len)`, whether memory stands behind it; not so for one that was swapped out
    /// (see [`super::pagemap`]).
    ///
    /// # Errors
    /// The system's, or `InvalidInput` outside the mapping.
    pub fn resident(&self, offset: usize, len: usize) -> io::Result<Vec<bool>> {
        let start = self.part(offset, len)?;
        let mut pages = vec![0_u8; len.div_ceil(page_size())];
        // SAFETY: the range lies inside this mapping and the vector has a byte for each of its pages.
        check(unsafe { libc::mincore(start, len, pages.as_mut_ptr().cast()) })?;
        Ok(pages.into_iter().map(|byte| byte & 1 != 0).collect())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nobody can reach it any more.
        let result = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert_eq!(result, 0);
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether nothing is mapped in `[address, address + len)`, which begins and ends at pages.
#[cfg(target_os = "linux")]
#[must_use]
pub fn is_free(address: usize, len: usize) -> bool {
    let page = page_size();
    (address..address + len).step_by(page).all(|address| {
        let mut resident = 0_u8;
        let start = std::ptr::without_provenance_mut(address);
        // SAFETY: only asks about one page; it need not be there.
        let asked = check(unsafe { libc::mincore(start, page, (&raw mut resident).cast()) });
        asked.is_err_and(|error| error.raw_os_error() == Some(libc::ENOMEM))
    })
}

/// The host's page size in bytes.
#[must_use]
pub fn page_size() -> usize {
    // SAFETY: sysconf reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mapping_for_code_is_enough() {
        let mut mappings = 0;
        let mapping = Mapping::near_low(0x1_0000, |hint| {
            mappings += 1;
            match mappings {
                1 => Mapping::code(hint, page_size()),
                _ => Err(io::Error::from(io::ErrorKind::OutOfMemory)),
            }
        });
        assert_eq!((mapping.unwrap().len(), mappings), (page_size(), 2));
    }

    #[test]
    fn parts_outside_are_refused() {
        let mapping = Mapping::new(8192, Protection::ReadWrite).unwrap();
        assert!(mapping.protect(4096, 8192, Protection::None).is_err());
        assert!(mapping.discard(usize::MAX, 4096).is_err());
        assert!(mapping.protect(4096, 4096, Protection::None).is_ok());
    }

    #[test]
    fn untouched_pages_are_not_resident() {
        let mapping = Mapping::new(1 << 20, Protection::ReadWrite).unwrap();
        assert_eq!(
            mapping.resident(0, page_size()).unwrap(),
            [false],
            "nothing touched this"
        );
    }
}

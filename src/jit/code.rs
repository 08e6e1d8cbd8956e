//! The code buffer: memory that is writable or executable, never both.
//!
//! [`CodeBuffer::edit`] is the one function that changes code: it opens the pages concerned, copies, maintains the
//! instruction cache, and closes them. The buffer is filled from front to back and emptied only as a whole.
#![expect(unsafe_code, reason = "code is copied into raw host memory")]

use super::backend::{CodeOffset, Patch};
use crate::sys::icache;
use crate::sys::mmap::{Mapping, page_size};
use std::io;

/// See the module's description.
#[derive(Debug)]
pub struct CodeBuffer {
    mapping: Mapping,
    used: usize,
    edits: u64,
}

impl CodeBuffer {
    /// The largest buffer: what an ARM64 `b` reaches.
    pub const MOST: usize = 128 << 20;

    /// Maps an empty buffer of `len` bytes, at most [`CodeBuffer::MOST`]; if that can be, at an address with this low half.
    ///
    /// # Errors
    /// The host's, for example where executable memory is refused.
    pub fn new(len: usize, low: Option<u32>) -> io::Result<CodeBuffer> {
        let len = len.min(Self::MOST).next_multiple_of(page_size());
        let mapping = match low {
            Some(low) => Mapping::for_code_at(len, low),
            None => Mapping::for_code(len),
        };
        Ok(CodeBuffer {
            mapping: mapping?,
            used: 0,
            edits: 0,
        })
    }

    /// Where the next code goes.
    #[must_use]
    pub fn next(&self) -> CodeOffset {
        self.offset(self.used)
    }

    fn offset(&self, offset: usize) -> CodeOffset {
        CodeOffset(u32::try_from(offset).unwrap_or(u32::MAX))
    }

    /// Bytes left.
    #[must_use]
    pub fn room(&self) -> usize {
        self.mapping.len() - self.used
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used
    }

    /// Bytes in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.mapping.len()
    }

    /// How often code was published or patched.
    #[must_use]
    pub fn edits(&self) -> u64 {
        self.edits
    }

    /// Host address of a place.
    #[must_use]
    pub fn address(&self, at: CodeOffset) -> usize {
        self.mapping.address() + at.0 as usize
    }

    /// The place of a host address, if it is inside the used part.
    #[must_use]
    pub fn place(&self, address: usize) -> Option<CodeOffset> {
        let offset = address.checked_sub(self.mapping.address())?;
        (offset <= self.used).then(|| self.offset(offset))
    }

    /// A copy of published code.
    #[must_use]
    pub fn bytes(&self, at: CodeOffset, len: usize) -> Vec<u8> {
        let start = (at.0 as usize).min(self.used);
        let mut bytes = vec![0; len.min(self.used - start)];
        let from = self.mapping.as_ptr().wrapping_add(start);
        // SAFETY: the range is inside the used part, which is readable, and the vector has its length.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
        bytes
    }

    /// Forgets all code after `keep`.
    pub fn truncate(&mut self, keep: CodeOffset) {
        self.used = self.used.min(keep.0 as usize);
    }

    /// Appends `code`, which was assembled for [`CodeBuffer::next`], and applies `patches` to what is there, in one
    /// turn.
    ///
    /// # Errors
    /// `OutOfMemory` when there is no room; otherwise the host's.
    pub fn edit(&mut self, code: &[u8], patches: &[Patch]) -> io::Result<()> {
        if code.len() > self.room() {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        let start = self.used;
        let new = (!code.is_empty()).then_some((start, start + code.len()));
        let touched = patches
            .iter()
            .map(|p| (p.at.0 as usize, p.at.0 as usize + p.len as usize))
            .chain(new);
        let Some((low, high)) = touched.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else {
            return Ok(());
        };
        assert!(
            patches
                .iter()
                .all(|p| p.at.0 as usize + p.len as usize <= start),
            "a patch lies outside the published code"
        );
        let page = page_size();
        let low = low / page * page;
        let len = high.next_multiple_of(page) - low;

        self.edits += 1;
        self.mapping.open_code(low, len)?;
        self.copy(start, code);
        for patch in patches {
            self.copy(patch.at.0 as usize, &patch.bytes[..patch.len as usize]);
        }
        self.mapping.close_code(low, len)?;
        self.used = start + code.len();
        if !code.is_empty() {
            icache::publish(self.mapping.as_ptr().wrapping_add(start), code.len());
        }
        for patch in patches {
            let at = self.mapping.as_ptr().wrapping_add(patch.at.0 as usize);
            icache::publish(at, patch.len as usize);
        }
        Ok(())
    }

    fn copy(&mut self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.mapping.len());
        let to = self.mapping.as_ptr().wrapping_add(at);
        // SAFETY: the range is inside the mapping and was made writable by `open_code`; no emitted code runs meanwhile,
        // since it runs on this thread and only through `&mut` of the engine that owns this buffer.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_patches_arrive() {
        let mut buffer = CodeBuffer::new(1 << 16, None).unwrap();
        buffer.edit(&[1, 2, 3, 4], &[]).unwrap();
        let patch = Patch {
            at: CodeOffset(1),
            bytes: [9; 8],
            len: 2,
        };
        assert_eq!(buffer.next(), CodeOffset(4));
        buffer.edit(&[5], &[patch]).unwrap();
        // SAFETY: five bytes were published, and pages of code are readable.
        let bytes = unsafe { std::slice::from_raw_parts(buffer.mapping.as_ptr(), 5) };
        assert_eq!(bytes, [1, 9, 9, 4, 5]);
        assert_eq!(buffer.edits(), 2);
    }

    #[test]
    fn the_low_half_of_the_address_can_be_chosen() {
        let low = 0x1_0000;
        let buffer = CodeBuffer::new(1 << 16, Some(low)).unwrap();
        let address = buffer.address(CodeOffset(0)) as u64;
        assert_eq!(address & 0xffff_ffff, u64::from(low));
        assert_ne!(address, u64::from(low), "guest addresses are not taken");
    }

    #[test]
    fn a_full_buffer_says_so() {
        let mut buffer = CodeBuffer::new(1, None).unwrap();
        let code = vec![0; buffer.capacity() + 1];
        assert!(buffer.edit(&code, &[]).is_err());
        assert_eq!(buffer.used(), 0);
    }
}

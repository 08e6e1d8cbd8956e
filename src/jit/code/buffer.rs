//! The code buffer: memory that is writable or executable, never both.
//!
//! [`CodeBuffer::edit`] is the one function that changes code: it opens the pages concerned, copies, maintains the
//! instruction cache, and closes them. The buffer is filled from front to back and emptied only as a whole.
#![expect(unsafe_code, reason = "code is copied into raw host memory")]

use crate::jit::back::backend::{CodeOffset, Patch};
use crate::sys::icache;
use crate::sys::mmap::{Mapping, page_size};
use std::io;

/// See the module's description.
#[derive(Debug)]
pub struct CodeBuffer {
    mapping: Mapping,
    used: usize,
    edits: u64,
    /// The chunks that the edit in progress opens.
    open: Vec<usize>,
    /// Bytes that are opened and closed at once, whole pages. Half of these chunks have an attribute that keeps the
    /// system from joining them with their neighbours, and from dividing them again at the next edit.
    chunk: usize,
    /// How many chunks were made to stay apart.
    parted: usize,
    /// The host refused to make code executable again.
    broken: bool,
}

/// What is opened and closed at once, at least.
const CHUNK: usize = 16 << 10;

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
            open: Vec::new(),
            chunk: CHUNK.max(page_size()),
            parted: 0,
            broken: false,
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

    /// Appends `code`, which was assembled for [`CodeBuffer::next`], and applies `patches` to all there is then, in
    /// one turn.
    ///
    /// # Errors
    /// `OutOfMemory` when there is no room; otherwise the host's. Code that is in use is as before then, unless not even
    /// the executable permission could be given back: all later edits fail as well.
    pub fn edit(&mut self, code: &[u8], patches: &[Patch]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        if code.len() > self.room() {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        let start = self.used;
        self.part_chunks(start + code.len());
        let patched = patches
            .iter()
            .map(|p| p.at.0 as usize..p.at.0 as usize + p.len as usize);
        self.open.clear();
        for touched in std::iter::once(start..start + code.len()).chain(patched) {
            assert!(
                touched.end <= start + code.len(),
                "a patch lies outside the code"
            );
            if !touched.is_empty() {
                self.open
                    .extend(touched.start / self.chunk..=(touched.end - 1) / self.chunk);
            }
        }
        if self.open.is_empty() {
            return Ok(());
        }
        self.open.sort_unstable();
        self.open.dedup();

        self.edits += 1;
        let mut opened = self.each_open(Mapping::open_code);
        if opened.is_err() {
            // The system may have no mappings left to divide its own into: it need not for all chunks at once.
            self.broken = self.each_open(Mapping::close_code).is_err();
            self.open = (0..self.mapping.len().div_ceil(self.chunk)).collect();
            opened = self.each_open(Mapping::open_code);
        }
        if opened.is_err() {
            self.broken |= self.each_open(Mapping::close_code).is_err();
            return opened;
        }
        #[cfg(test)]
        tests::opened();
        self.copy(start, code);
        for patch in patches {
            self.copy(patch.at.0 as usize, &patch.bytes[..patch.len as usize]);
        }
        let closed = self.each_open(Mapping::close_code);
        self.broken = closed.is_err();
        closed?;
        self.used = start + code.len();
        if !code.is_empty() {
            self.maintain(start, code.len());
        }
        for patch in patches {
            self.maintain(patch.at.0 as usize, patch.len as usize);
        }
        Ok(())
    }

    /// Lets instruction fetch see what was copied here.
    fn maintain(&self, at: usize, len: usize) {
        #[cfg(test)]
        tests::maintained(at, len);
        icache::publish(self.mapping.as_ptr().wrapping_add(at), len);
    }

    /// Parts the chunks that are about to be used for the first time.
    fn part_chunks(&mut self, end: usize) {
        while self.parted <= end / self.chunk {
            if self.parted.is_multiple_of(2) && (self.parted + 1) * self.chunk <= self.mapping.len()
            {
                self.mapping
                    .keep_apart(self.parted * self.chunk, self.chunk);
            }
            self.parted += 1;
        }
    }

    /// Does something to the chunks that are to be open, where some are neighbours to all of them at once; to the others
    /// also where it fails for some.
    fn each_open(
        &self,
        change: impl Fn(&Mapping, usize, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = Ok(());
        for run in self.open.chunk_by(|a, b| a + 1 == *b) {
            let (start, len) = (run[0] * self.chunk, run.len() * self.chunk);
            let len = len.min(self.mapping.len() - start);
            done = done.and(change(&self.mapping, start, len));
        }
        done
    }

    fn copy(&mut self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.mapping.len());
        #[cfg(test)]
        tests::copied(at, bytes.len());
        let to = self.mapping.as_ptr().wrapping_add(at);
        // SAFETY: the range is inside the mapping and was made writable by `open_code`; no emitted code runs meanwhile,
        // since it runs on this thread and only through `&mut` of the engine that owns this buffer.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    #[derive(Default)]
    struct Seen {
        copied: BTreeSet<usize>,
        maintained: BTreeSet<usize>,
        /// The permissions of all mappings while code is copied.
        open: Vec<String>,
    }

    thread_local! {
        /// Nothing in other tests: their kicks edit code too, and what takes longer than the time between two kicks
        /// would keep the thread from ever going on.
        static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
    }

    fn see(add: impl FnOnce(&mut Seen)) {
        SEEN.with_borrow_mut(|seen| seen.as_mut().map(add));
    }

    fn begin() {
        SEEN.set(Some(Seen::default()));
    }

    fn seen() -> Seen {
        SEEN.replace(Some(Seen::default())).unwrap()
    }

    pub(super) fn copied(at: usize, len: usize) {
        see(|seen| seen.copied.extend(at..at + len));
    }

    pub(super) fn maintained(at: usize, len: usize) {
        see(|seen| seen.maintained.extend(at..at + len));
    }

    pub(super) fn opened() {
        see(|seen| seen.open.push(permissions()));
    }

    /// The permissions of all mappings of this process.
    fn permissions() -> String {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let columns = maps.lines().map(|line| line.split(' ').nth(1).unwrap());
        columns.collect::<Vec<_>>().join(" ")
    }

    fn patch(at: u32) -> Patch {
        Patch {
            at: CodeOffset(at),
            bytes: [9; 8],
            len: 4,
        }
    }

    #[test]
    fn every_byte_that_is_copied_is_maintained() {
        begin();
        let mut buffer = CodeBuffer::new(1 << 16, None).unwrap();
        buffer.edit(&[1; 4000], &[]).unwrap();
        buffer.edit(&[2; 300], &[patch(64), patch(3996)]).unwrap();
        let first = seen();
        assert_eq!(first.copied.len(), 4300);
        assert_eq!(first.copied, first.maintained);
        buffer.edit(&[], &[patch(128)]).unwrap();
        let second = seen();
        assert_eq!(
            (second.copied.len(), &second.copied),
            (4, &second.maintained)
        );
    }

    #[test]
    fn no_page_is_writable_and_executable() {
        begin();
        let mut buffer = CodeBuffer::new(1 << 20, None).unwrap();
        buffer.edit(&[1; 100_000], &[]).unwrap();
        buffer.edit(&[2; 300], &[patch(64), patch(60_000)]).unwrap();
        let mut all = seen().open;
        assert_eq!(all.len(), 2);
        all.push(permissions());
        for permissions in all {
            assert!(permissions.contains("r-x"), "{permissions}");
            assert!(!permissions.contains("wx"), "{permissions}");
        }
        let start = buffer.address(CodeOffset(0));
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let open = maps.lines().any(|line| {
            let (range, rest) = line.split_once(' ').unwrap();
            let (from, to) = range.split_once('-').unwrap();
            let hex = |text| usize::from_str_radix(text, 16).unwrap();
            let inside = hex(from) < start + buffer.capacity() && hex(to) > start;
            inside && !rest.starts_with("r-x")
        });
        assert!(!open, "all of the buffer is closed again: {maps}");
    }

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

//! The bytes of a program's file: what a run needs is read when the file is opened, the rest when somebody asks.
//!
//! The file is read and not mapped: who shortens a file that is mapped, the guest perhaps, makes its reader crash.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::time::SystemTime;

/// A file of this size is read at once: that is one system call.
const SMALL: u64 = 256 << 10;

/// See the module's description.
#[derive(Debug)]
pub(super) struct FileBytes {
    /// As long as the file; zeros, which cost no memory, where it was not read.
    parts: Vec<u8>,
    rest: Option<Rest>,
    whole: OnceLock<Vec<u8>>,
}

/// Where the rest can be read.
#[derive(Debug)]
struct Rest {
    file: File,
    len: u64,
    modified: Option<SystemTime>,
}

impl From<Vec<u8>> for FileBytes {
    fn from(bytes: Vec<u8>) -> FileBytes {
        FileBytes {
            parts: bytes,
            rest: None,
            whole: OnceLock::new(),
        }
    }
}

impl FileBytes {
    /// The bytes of a regular file that has a length of `metadata`; small ones are read.
    pub(super) fn open(file: File, metadata: &Metadata) -> io::Result<FileBytes> {
        let len = metadata.len();
        let mut bytes = FileBytes::from(vec![0; usize::try_from(len).unwrap_or(usize::MAX)]);
        bytes.rest = Some(Rest {
            file,
            len,
            modified: metadata.modified().ok(),
        });
        if len <= SMALL {
            bytes.read(0..bytes.parts.len())?;
            bytes.rest = None;
        }
        Ok(bytes)
    }

    /// As many bytes as the file has, of which only those are right that were read.
    pub(super) fn parts(&self) -> &[u8] {
        &self.parts
    }

    /// Reads a part, as far as there is one.
    pub(super) fn read(&mut self, range: Range<usize>) -> io::Result<()> {
        let end = range.end.min(self.parts.len());
        if let Some(rest) = &self.rest
            && range.start < end
        {
            let part = &mut self.parts[range.start..end];
            rest.file.read_exact_at(part, range.start as u64)?;
        }
        Ok(())
    }

    /// All bytes. Of a file that was changed after it was opened only the parts that were read then.
    pub(super) fn whole(&self) -> &[u8] {
        let Some(rest) = &self.rest else {
            return &self.parts;
        };
        self.whole.get_or_init(|| {
            let mut bytes = vec![0; self.parts.len()];
            match rest.read_all(&mut bytes) {
                Ok(()) => bytes,
                Err(error) => {
                    log::warn!("cannot read the rest of the program's file: {error}");
                    self.parts.clone()
                }
            }
        })
    }
}

impl Rest {
    fn read_all(&self, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, 0)?;
        // After reading: a change in between is one, too.
        let now = self.file.metadata()?;
        if now.len() != self.len || now.modified().ok() != self.modified {
            return Err(io::Error::other("it was changed during the run"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn file(name: &str, bytes: &[u8]) -> (std::path::PathBuf, FileBytes) {
        let path = std::env::temp_dir().join(format!("rvjit-{}-{name}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        let metadata = file.metadata().unwrap();
        (path, FileBytes::open(file, &metadata).unwrap())
    }

    fn numbers(len: usize) -> Vec<u8> {
        (0..len).map(|n| n.to_le_bytes()[0] | 1).collect()
    }

    #[test]
    fn small_files_are_read_at_once() {
        let all = numbers(1000);
        let (path, bytes) = file("small", &all);
        fs::remove_file(path).unwrap();
        assert_eq!(bytes.parts(), all);
        assert_eq!(bytes.whole(), all);
    }

    #[test]
    fn of_large_files_the_rest_is_read_when_somebody_asks() {
        let all = numbers(1 << 20);
        let (path, mut bytes) = file("large", &all);
        bytes.read(5000..6000).unwrap();
        bytes.read((1 << 20) - 10..usize::MAX).unwrap();
        bytes.read(2 << 20..3 << 20).unwrap();
        assert_eq!(bytes.parts()[5000..6000], all[5000..6000]);
        assert_eq!(bytes.parts()[(1 << 20) - 10..], all[(1 << 20) - 10..]);
        assert_eq!(bytes.parts()[..5000], [0; 5000]);
        assert_eq!(bytes.whole(), all);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn files_that_were_changed_are_not_read_any_more() {
        let all = numbers(1 << 20);
        for (name, changed) in [
            ("shorter", &all[..100]),
            ("longer", &[all.as_slice(); 2].concat()),
        ] {
            let (path, mut bytes) = file(name, &all);
            bytes.read(0..50).unwrap();
            fs::write(&path, changed).unwrap();
            assert_eq!(bytes.whole()[..50], all[..50]);
            assert_eq!(bytes.whole()[50..], [0; (1 << 20) - 50]);
            fs::remove_file(path).unwrap();
        }
    }
}

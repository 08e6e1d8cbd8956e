//! What reading debug information may take.
//!
//! A file of some kilobytes can ask for any amount of work: units, abbreviations, line tables and ranges may be shared by
//! any number of entries, and entries nest as deep as the file is long. So nothing is read without being paid for here,
//! nothing is collected that is not in the answer, and nothing is read by recursion: what runs out is the work, and then
//! the report goes on without the rest, and says so.

/// Steps for all that one report asks: a row of a line table, an attribute of an entry, an entry of a list of ranges. A
/// step takes 5 to 20 ns. The functions of one unit of 25 MB take about 15 million.
const MOST: u64 = 1 << 25;

/// Why something was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is damaged, or of a kind that is not read.
    Damaged,
    /// There is no work left.
    Exhausted,
}

impl From<gimli::Error> for Unread {
    fn from(_: gimli::Error) -> Unread {
        Unread::Damaged
    }
}

/// The steps that are left.
#[derive(Debug)]
pub(super) struct Work {
    left: u64,
}

impl Default for Work {
    fn default() -> Work {
        Work { left: MOST }
    }
}

impl Work {
    /// Pays for so many steps.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Unread> {
        match self.left.checked_sub(steps as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Unread::Exhausted)
            }
        }
    }
}

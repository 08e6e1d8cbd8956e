//! File and line of a guest address, and the functions inlined there, from DWARF.
//!
//! Broken or missing debug information gives no lines, never an error: a report is worth having without. Nor may it take
//! what time and memory it wants: see `work`. So it is read unit by unit, for all addresses of a report in one go, and
//! nothing of it is kept but the answer.

mod functions;
mod rows;
mod unit;
mod work;

use super::names::{demangle, printable};
use crate::elf::Image;
use gimli::{EndianSlice, LittleEndian, Reader};
use rows::{Stretch, Table};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use unit::{Sections, Unit};
use work::{Unread, Work};

/// Bytes of a section.
pub(super) type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Steps for a text that is kept, besides its bytes.
const TEXT: usize = 64;
/// Steps for a stretch that somebody is given.
const STRETCH: usize = 4;

/// A place in a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// The file, as the compiler was told it.
    pub file: String,
    /// From 1; 0 where the compiler made the instruction up.
    pub line: u32,
}

/// A function that an address belongs to: the one that was called, or one inlined into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFrame {
    /// Its name.
    pub function: Option<String>,
    /// Where in it.
    pub place: Option<SourceLine>,
}

/// The debug information of a program.
pub struct Lines<'a> {
    sections: Option<Sections<'a>>,
    work: Work,
    cut: bool,
    found: BTreeMap<u32, Vec<SourceFrame>>,
}

impl std::fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines")
            .field("is_empty", &self.is_empty())
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

impl<'a> Lines<'a> {
    /// Finds the sections.
    #[must_use]
    pub fn new(image: &'a Image) -> Lines<'a> {
        let section = |id: gimli::SectionId| -> Result<Slice<'a>, gimli::Error> {
            let bytes = image.section(id.name()).map_or(&[][..], |found| found.0);
            Ok(EndianSlice::new(bytes, LittleEndian))
        };
        let dwarf = image
            .section(gimli::SectionId::DebugInfo.name())
            .and_then(|_| gimli::Dwarf::load(section).ok());
        Lines {
            sections: dwarf.map(Sections::new),
            work: Work::default(),
            cut: false,
            found: BTreeMap::new(),
        }
    }

    /// Whether there is no debug information.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.is_none()
    }

    /// Whether there was more than is read, so that something may be missing.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Looks up these addresses, all at once.
    pub fn look_up(&mut self, pcs: impl IntoIterator<Item = u32>) {
        let mut pcs: Vec<u32> = pcs.into_iter().collect();
        pcs.sort_unstable();
        pcs.dedup();
        let mut seen = HashSet::new();
        self.each_unit(|lines, sections, unit| {
            pcs.retain(|pc| lines.worth(*pc) < BEST);
            lines.look_up_in(sections, unit, &pcs, &mut seen)
        });
    }

    /// The functions that an address belongs to, innermost first; the last is the one that was called. Empty where it was
    /// not looked up.
    #[must_use]
    pub fn frames(&self, pc: u32) -> &[SourceFrame] {
        self.found.get(&pc).map_or(&[], Vec::as_slice)
    }

    /// Gives all stretches of code that one line was compiled to: first address, the address behind it, file, line.
    pub fn stretches(&mut self, mut stretch: impl FnMut(u64, u64, &str, u32)) {
        // Units share line tables; none is given twice.
        let mut seen = HashSet::new();
        self.each_unit(|lines, sections, unit| {
            if !unit.lines.is_some_and(|offset| seen.insert(offset.0)) {
                return Ok(());
            }
            let Some(mut table) = Table::read(sections, unit, &mut lines.work)? else {
                return Ok(());
            };
            let names = table.files();
            let mut files: HashMap<u64, Option<String>> = HashMap::new();
            table.stretches(&mut lines.work, |found, work| {
                work.spend(STRETCH)?;
                let file = files.entry(found.file).or_insert_with(|| {
                    let path = names.path(sections, unit, found.file, work)?;
                    work.spend(TEXT + path.len()).ok()?;
                    Some(printable(&path))
                });
                if let Some(file) = file {
                    stretch(found.start, found.end, file, found.line);
                }
                Ok(())
            })
        });
    }

    /// Does something with each unit. What is damaged is left out; where the work runs out, all that follows.
    fn each_unit(
        &mut self,
        mut each: impl FnMut(&mut Lines<'a>, &mut Sections<'a>, &Unit<'a>) -> Result<(), Unread>,
    ) {
        let Some(mut sections) = self.sections.take() else {
            return;
        };
        let mut walk = || -> Result<(), Unread> {
            let mut units = sections.dwarf.units();
            while let Some(header) = Sections::next_header(&mut units, &mut self.work)? {
                let read = sections
                    .unit(header, &mut self.work)
                    .and_then(|unit| each(self, &mut sections, &unit));
                if read == Err(Unread::Exhausted) {
                    return read;
                }
            }
            Ok(())
        };
        // What is read is made by anybody, and the reader is large: a bug in it costs the lines, not the report.
        let walked = catch_unwind(AssertUnwindSafe(&mut walk));
        self.cut |= !matches!(walked, Ok(Ok(()) | Err(Unread::Damaged)));
        self.sections = Some(sections);
    }

    fn look_up_in(
        &mut self,
        sections: &mut Sections<'a>,
        unit: &Unit<'a>,
        pcs: &[u32],
        seen: &mut HashSet<usize>,
    ) -> Result<(), Unread> {
        let mine: Vec<u32> = if unit.bounds.is_empty() {
            // It does not tell.
            pcs.to_vec()
        } else {
            let inside = functions::addresses(sections, unit, &unit.bounds, pcs, &mut self.work)?;
            inside.into_iter().map(|at| pcs[at]).collect()
        };
        if mine.is_empty() {
            return Ok(());
        }
        let chains = tolerate(functions::find(sections, unit, &mine, &mut self.work))?;
        let mut chains = chains.unwrap_or_default();
        chains.resize_with(mine.len(), functions::Chain::default);
        let known = |(pc, chain): (&u32, &functions::Chain)| {
            chain.functions.is_empty() && self.worth(*pc) >= 2
        };
        if mine.iter().zip(&chains).all(known) {
            return Ok(());
        }
        let mut rows: Vec<Option<Stretch>> = vec![None; mine.len()];
        // No two units of a linker's have the same table; of others the first one's answer counts.
        let new = unit.lines.is_some_and(|offset| seen.insert(offset.0));
        let table = match new {
            true => tolerate(Table::read(sections, unit, &mut self.work))?.flatten(),
            false => None,
        };
        let names = table.as_ref().map(Table::files);
        if let Some(mut table) = table {
            let read = table.stretches(&mut self.work, |stretch, work| {
                let first = mine.partition_point(|&pc| u64::from(pc) < stretch.start);
                for (pc, row) in mine.iter().zip(&mut rows).skip(first) {
                    if u64::from(*pc) >= stretch.end {
                        break;
                    }
                    work.spend(1)?;
                    row.get_or_insert(stretch);
                }
                Ok(())
            });
            tolerate(read)?;
        }
        for ((pc, row), mut chain) in mine.into_iter().zip(rows).zip(chains) {
            if chain.cut {
                self.cut = true;
                chain.functions.truncate(1);
            }
            let work = &mut self.work;
            let place = |file: u64, line: u32, work: &mut Work| {
                let path = names.as_ref()?.path(sections, unit, file, work)?;
                work.spend(TEXT + path.len()).ok()?;
                let file = printable(&path);
                Some(SourceLine { file, line })
            };
            let mut next = row.and_then(|row| place(row.file, row.line, work));
            if chain.functions.is_empty() {
                let function = None;
                let place = next;
                self.note(pc, vec![SourceFrame { function, place }]);
                continue;
            }
            let mut calls = Vec::new();
            for function in chain.functions.iter().rev() {
                let (file, line) = function.call;
                let call = file.and_then(|file| place(file, line, work));
                calls.push((function.entry, std::mem::replace(&mut next, call)));
            }
            let mut frames = Vec::new();
            for (entry, place) in calls {
                let name = tolerate(sections.name(unit, entry, &mut self.work))?.flatten();
                if let Some(name) = &name {
                    self.work.spend(TEXT + name.len())?;
                }
                frames.push(SourceFrame {
                    function: name.map(|name| demangle(&name.to_string_lossy())),
                    place,
                });
            }
            self.note(pc, frames);
        }
        Ok(())
    }

    /// How much is known of an address.
    fn worth(&self, pc: u32) -> u8 {
        self.found.get(&pc).map_or(0, |frames| worth(frames))
    }

    /// Keeps what tells more than what is known.
    fn note(&mut self, pc: u32, frames: Vec<SourceFrame>) {
        if worth(&frames) > self.worth(pc) {
            self.found.insert(pc, frames);
        }
    }
}

/// What is not surpassed: function and place.
const BEST: u8 = 3;

/// How much frames tell. Units overlap by some bytes where the linker has shortened code and an assembler did not expect
/// it: the line table is the surer sign.
fn worth(frames: &[SourceFrame]) -> u8 {
    frames.first().map_or(0, |frame| {
        2 * u8::from(frame.place.is_some()) + u8::from(frame.function.is_some())
    })
}

/// Goes on without what is damaged.
fn tolerate<T>(read: Result<T, Unread>) -> Result<Option<T>, Unread> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Unread::Damaged) => Ok(None),
        Err(Unread::Exhausted) => Err(Unread::Exhausted),
    }
}

//! File and line of a guest address, from DWARF.
//!
//! Broken or missing debug information gives no lines, never an error: a report is worth having without.

use super::names::{demangle, printable};
use crate::elf::Image;
use gimli::{EndianSlice, LittleEndian};

/// Bytes of a section.
pub(super) type Slice<'a> = EndianSlice<'a, LittleEndian>;

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
pub struct Lines<'a>(Option<addr2line::Context<Slice<'a>>>);

impl std::fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lines").field(&self.0.is_some()).finish()
    }
}

impl<'a> Lines<'a> {
    /// Finds the sections; they are read when first asked about.
    #[must_use]
    pub fn new(image: &'a Image) -> Lines<'a> {
        let section = |id: gimli::SectionId| -> Result<Slice<'a>, gimli::Error> {
            let bytes = image.section(id.name()).map_or(&[][..], |found| found.0);
            Ok(EndianSlice::new(bytes, LittleEndian))
        };
        let context = image
            .section(gimli::SectionId::DebugInfo.name())
            .and_then(|_| gimli::Dwarf::load(section).ok())
            .and_then(|dwarf| addr2line::Context::from_dwarf(dwarf).ok());
        Lines(context)
    }

    /// Whether there is any debug information.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The functions that an address belongs to, innermost first; the last is the one that was called.
    #[must_use]
    pub fn frames(&self, pc: u32) -> Vec<SourceFrame> {
        let mut found = Vec::new();
        let Some(context) = &self.0 else {
            return found;
        };
        let Ok(mut frames) = context.find_frames(pc.into()).skip_all_loads() else {
            return found;
        };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|f| f.raw_name().ok());
            found.push(SourceFrame {
                function: name.map(|name| demangle(&name)),
                place: frame.location.and_then(|l| source_line(&l)),
            });
        }
        found
    }

    /// File and line of an address.
    #[must_use]
    pub fn line(&self, pc: u32) -> Option<SourceLine> {
        let location = self.0.as_ref()?.find_location(pc.into()).ok()??;
        source_line(&location)
    }

    /// All stretches of code that one line was compiled to: first address, bytes, place.
    #[must_use]
    pub fn stretches(&self, start: u32, end: u64) -> Vec<(u32, u64, SourceLine)> {
        let ranges = self
            .0
            .as_ref()
            .and_then(|context| context.find_location_range(start.into(), end).ok());
        let row = |(address, size, location): (u64, u64, addr2line::Location<'_>)| {
            Some((u32::try_from(address).ok()?, size, source_line(&location)?))
        };
        ranges.into_iter().flatten().filter_map(row).collect()
    }
}

fn source_line(location: &addr2line::Location<'_>) -> Option<SourceLine> {
    Some(SourceLine {
        file: printable(location.file?),
        line: location.line.unwrap_or(0),
    })
}

//! Line tables (DWARF 5, 6.2): which line each instruction was made from.

use super::Slice;
use super::unit::{Sections, Unit};
use super::work::{Unread, Work};
use gimli::{IncompleteLineProgram, LineInstruction, LineProgramHeader, LineRow, Reader, Section};

/// Bytes of the largest header. That of a unit of 2,000 files has 80 KB.
const LARGEST_HEADER: u64 = 1 << 19;
/// What linkers write in place of an address that is gone, and above.
const GONE: u64 = 0xffff_fffe;

/// A stretch of code that one line was compiled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// First address.
    pub(super) start: u64,
    /// The address behind it.
    pub(super) end: u64,
    /// Which of the table's files.
    pub(super) file: u64,
    /// From 1; 0 where the compiler made the instruction up.
    pub(super) line: u32,
}

/// The line table of a unit.
pub(super) struct Table<'a> {
    program: IncompleteLineProgram<Slice<'a>>,
}

impl<'a> Table<'a> {
    /// Reads the header of a unit's line table; `None` where it has none.
    pub(super) fn read(
        sections: &Sections<'a>,
        unit: &Unit<'a>,
        work: &mut Work,
    ) -> Result<Option<Table<'a>>, Unread> {
        let Some(offset) = unit.lines else {
            return Ok(None);
        };
        let section = &sections.dwarf.debug_line;
        let mut bytes = *section.reader();
        bytes.skip(offset.0)?;
        let header = header_length(&mut bytes)?;
        if header > LARGEST_HEADER {
            return Err(Unread::Damaged);
        }
        work.spend(usize::try_from(header).unwrap_or(usize::MAX))?;
        let size = unit.unit.header.address_size();
        let (folder, name) = (unit.unit.comp_dir, unit.unit.name);
        Ok(Some(Table {
            program: section.program(offset, size, folder, name)?,
        }))
    }

    /// Gives all stretches, in the order of the table. Of rows with the same address the last counts.
    pub(super) fn stretches(
        &mut self,
        work: &mut Work,
        mut stretch: impl FnMut(Stretch, &mut Work) -> Result<(), Unread>,
    ) -> Result<(), Unread> {
        let mut instructions = self.program.header().instructions();
        let mut row = LineRow::new(self.program.header());
        let mut open: Option<Stretch> = None;
        // As gimli has it: addresses only go up, and one that does not stands for code that the linker has dropped.
        let mut gone = false;
        while let Some(instruction) = instructions.next_instruction(self.program.header())? {
            work.spend(1)?;
            match instruction {
                // Any number of them may stand in a table, and nobody writes them.
                LineInstruction::DefineFile(_) => continue,
                LineInstruction::SetAddress(address) => {
                    gone = address < row.address() || address >= GONE;
                }
                _ => {}
            }
            if !row.execute(instruction, &mut self.program)? {
                continue;
            }
            if !gone {
                if let Some(mut before) = open.take()
                    && before.start < row.address()
                {
                    before.end = row.address();
                    stretch(before, work)?;
                }
                #[expect(clippy::cast_possible_truncation, reason = "no file has so many lines")]
                let line = row.line().map_or(0, |line| line.get() as u32);
                open = (!row.end_sequence()).then(|| Stretch {
                    start: row.address(),
                    end: row.address(),
                    file: row.file_index(),
                    line,
                });
            }
            if row.end_sequence() {
                (gone, open) = (false, None);
            }
            row.reset(self.program.header());
        }
        Ok(())
    }

    /// Its files.
    pub(super) fn files(&self) -> Files<'a> {
        Files(self.program.header().clone())
    }
}

/// The files of a line table.
pub(super) struct Files<'a>(LineProgramHeader<Slice<'a>>);

impl<'a> Files<'a> {
    /// The path of a file: in the directory of the compilation, in its own.
    pub(super) fn path(
        &self,
        sections: &Sections<'a>,
        unit: &Unit<'a>,
        index: u64,
        work: &mut Work,
    ) -> Option<String> {
        let Files(header) = self;
        let file = header.file(index)?;
        let folder = unit.unit.comp_dir.as_ref();
        let mut path = folder.map_or_else(String::new, text);
        let mut add = |value| {
            let part = sections.string(&unit.unit, value, work)?;
            push(&mut path, &text(&part));
            Some(())
        };
        // Directory 0 is that of the compilation.
        if file.directory_index() != 0
            && let Some(folder) = file.directory(header)
        {
            add(folder)?;
        }
        add(file.path_name())?;
        Some(path)
    }
}

fn text(bytes: &Slice<'_>) -> String {
    String::from_utf8_lossy(bytes.slice()).into_owned()
}

/// Adds to a path; an absolute one replaces it, also one of Windows.
fn push(path: &mut String, part: &str) {
    let windows = |p: &str| p.starts_with('\\') || p.get(1..3) == Some(":\\");
    if part.starts_with('/') || part.get(1..3) == Some(":/") || windows(part) {
        path.clear();
    }
    let separator = if windows(path) { '\\' } else { '/' };
    if !path.is_empty() && !path.ends_with(separator) {
        path.push(separator);
    }
    path.push_str(part);
}

/// Bytes of a table's header behind the field that says so (DWARF 5, 6.2.4).
fn header_length(bytes: &mut Slice<'_>) -> Result<u64, Unread> {
    let (_, format) = bytes.read_initial_length()?;
    if bytes.read_u16()? >= 5 {
        bytes.skip(2)?;
    }
    Ok(bytes.read_word(format).map(|length| length as u64)?)
}

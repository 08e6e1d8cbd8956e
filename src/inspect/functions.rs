//! The functions of a program: by its symbols, and where it has none, by what a scan from the entry calls.

use crate::elf::{Image, Section, Segment, Symbol, SymbolKind, sections};
use crate::memory::{Memory, Permissions};
use crate::platform::scan::Scan;
use crate::report::names::demangle;
use std::fmt;
use std::ops::Range;

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name; one that the address gives where the program has none.
    pub name: String,
    /// Its addresses: multiples of 4, and at least one instruction.
    pub range: Range<u32>,
}

/// Where the program's instructions are, by address: its sections of code, or all that can be executed where the file
/// does not tell.
#[must_use]
pub fn code_ranges(image: &Image) -> Vec<Range<u32>> {
    let executable = |s: &Segment| s.permissions.is_some_and(Permissions::executable);
    let section_range = |section: Section| {
        let end = u64::from(section.addr) + u64::from(section.size);
        let range = aligned(section.addr, end).filter(|_| section.code)?;
        let segment = image.segment_at(range.start)?;
        let inside = u64::from(range.end) <= segment.end().next_multiple_of(4);
        (inside && executable(segment)).then_some(range)
    };
    let sections = sections(image.bytes()).into_iter();
    let mut ranges: Vec<Range<u32>> = sections.filter_map(section_range).collect();
    if ranges.is_empty() {
        let segments = image.segments.iter().filter(|s| executable(s));
        let range = |s: &Segment| aligned(s.vaddr, u64::from(s.vaddr) + image.data(s).len() as u64);
        ranges = segments.filter_map(range).collect();
    }
    apart(ranges)
}

/// The ranges by address. Those that overlap, as sections of damaged files do, become one.
fn apart(mut ranges: Vec<Range<u32>>) -> Vec<Range<u32>> {
    ranges.sort_by_key(|range| range.start);
    ranges.dedup_by(|next, range| {
        let overlap = next.start < range.end;
        if overlap {
            range.end = range.end.max(next.end);
        }
        overlap
    });
    ranges
}

/// Whole words.
fn aligned(start: u32, end: u64) -> Option<Range<u32>> {
    let start = start.checked_next_multiple_of(4)?;
    let end = u32::try_from(end & !3).unwrap_or(!3);
    (start < end).then_some(start..end)
}

/// All functions, by address.
#[must_use]
pub fn functions(image: &Image, memory: &mut Memory) -> Vec<Function> {
    let mut scan = Scan::of_image(image);
    scan.follow(&mut |pc| memory.fetch_half(pc).ok(), image.entry);
    let mut found = Vec::new();
    for range in code_ranges(image) {
        by_symbols(image, &scan, &range, &mut found);
    }
    by_reach(&scan, &mut found);
    found.sort_by_key(|f| f.range.start);
    found
}

/// What the symbols inside a range of code name. A label begins a function where the entry reaches it and it is not inside
/// another function: linker scripts put labels also behind the code.
fn by_symbols(image: &Image, scan: &Scan, code: &Range<u32>, found: &mut Vec<Function>) {
    let symbols = image.symbols().entries();
    let before = |addr| symbols.partition_point(|s| s.addr < addr);
    let symbols = &symbols[before(code.start)..before(code.end)];
    let inside = |symbol: &&Symbol| image.isa().is_aligned(symbol.addr);
    let symbols: Vec<&Symbol> = symbols.iter().filter(inside).collect();
    let is_function = |symbol: &&&Symbol| symbol.kind == SymbolKind::Function;
    let starts: Vec<u32> = symbols.iter().filter(is_function).map(|s| s.addr).collect();
    let mut sized_end = code.start;
    let mut last = None;
    for symbol in &symbols {
        let begins = match symbol.kind {
            SymbolKind::Function => true,
            SymbolKind::Label => symbol.addr >= sized_end && scan.reached.contains(&symbol.addr),
            SymbolKind::Object => false,
        };
        if !begins || last == Some(symbol.addr) {
            continue;
        }
        last = Some(symbol.addr);
        let from = |addr| symbols.get(symbols.partition_point(|s| s.addr < addr));
        let end = match symbol.size {
            0 => from(symbol.addr.saturating_add(1)).map_or(code.end, |s| s.addr),
            size => {
                let alignment = image.isa().alignment();
                let size = size.checked_next_multiple_of(alignment);
                let end = symbol.addr.saturating_add(size.unwrap_or(u32::MAX));
                sized_end = sized_end.max(end);
                let next = starts.get(starts.partition_point(|&start| start <= symbol.addr));
                end.min(next.copied().unwrap_or(code.end)).min(code.end)
            }
        };
        found.push(Function {
            name: symbol.name.to_string(),
            range: symbol.addr..end,
        });
    }
}

/// Code that the entry reaches and no symbol names.
fn by_reach(scan: &Scan, found: &mut Vec<Function>) {
    let named: Vec<Range<u32>> = found.iter().map(|f| f.range.clone()).collect();
    let is_named = |pc: u32| {
        let after = named.partition_point(|range| range.start <= pc);
        after > 0 && named[after - 1].contains(&pc)
    };
    let mut open: Option<Range<u32>> = None;
    let mut close = |range: Option<Range<u32>>| {
        if let Some(range) = range {
            let name = format!("sub_{:08x}", range.start);
            found.push(Function { name, range });
        }
    };
    for &pc in scan.reached.iter().filter(|pc| !is_named(**pc)) {
        let Some(next) = pc.checked_add(4) else {
            continue;
        };
        match &mut open {
            Some(range) if range.end == pc && !scan.calls.contains(&pc) => range.end = next,
            _ => close(open.replace(pc..next)),
        }
    }
    close(open);
}

/// Why there is nothing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectError {
    /// No function has this name; a similar one, if there is one.
    Unknown(String, Option<String>),
    /// Not `A..B` of addresses or symbols.
    BadRange(String),
    /// There is no code in the range.
    NoCode(u32, u32),
}

impl fmt::Display for SelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SelectError::Unknown(name, None) => write!(f, "no function is named '{name}'"),
            SelectError::Unknown(name, Some(similar)) => {
                write!(f, "no function is named '{name}'; there is '{similar}'")
            }
            SelectError::BadRange(text) => write!(
                f,
                "bad range '{text}': write A..B, addresses that are multiples of 4, or symbols, with A before B"
            ),
            SelectError::NoCode(start, end) => {
                write!(f, "there is no code from {start:#010x} to {end:#010x}")
            }
        }
    }
}

impl std::error::Error for SelectError {}

/// The functions of this name, mangled or not: several, where files have static ones of the same name.
///
/// # Errors
/// When there is none.
pub fn named(all: &[Function], name: &str) -> Result<Vec<Function>, SelectError> {
    let is_named = |f: &&Function| f.name == name || demangle(&f.name) == name;
    let found: Vec<Function> = all.iter().filter(is_named).cloned().collect();
    if found.is_empty() {
        let lower = name.to_lowercase();
        let similar = all.iter().find(|f| {
            let other = f.name.to_lowercase();
            other.contains(&lower) || lower.contains(&other)
        });
        let similar = similar.map(|f| demangle(&f.name));
        return Err(SelectError::Unknown(name.to_owned(), similar));
    }
    Ok(found)
}

/// What lies in a range `A..B`, cut at the functions' boundaries.
///
/// # Errors
/// When the text is no range, or there is no code in it.
pub fn in_range(all: &[Function], image: &Image, text: &str) -> Result<Vec<Function>, SelectError> {
    let bad = || SelectError::BadRange(text.to_owned());
    let (start, end) = text.split_once("..").ok_or_else(bad)?;
    let start = address(image, start).ok_or_else(bad)?;
    let end = address(image, end).ok_or_else(bad)?;
    if start >= end || !image.isa().is_aligned(start) || !image.isa().is_aligned(end) {
        return Err(bad());
    }
    let mut found = Vec::new();
    for code in code_ranges(image) {
        let mut pc = code.start.max(start);
        let end = code.end.min(end);
        while pc < end {
            let after = all.partition_point(|f| f.range.start <= pc);
            let next = all.get(after).map_or(end, |f| f.range.start.min(end));
            let own = after.checked_sub(1).and_then(|n| all.get(n));
            let (name, stop) = match own {
                Some(f) if f.range.start == pc => (f.name.clone(), f.range.end.min(next)),
                Some(f) if f.range.contains(&pc) => {
                    let name = format!("{}+{:#x}", f.name, pc - f.range.start);
                    (name, f.range.end.min(next))
                }
                _ => (format!("sub_{pc:08x}"), next),
            };
            found.push(Function {
                name,
                range: pc..stop,
            });
            pc = stop;
        }
    }
    if found.is_empty() {
        return Err(SelectError::NoCode(start, end));
    }
    Ok(found)
}

/// The address of a symbol, or a number.
#[must_use]
pub fn address(image: &Image, text: &str) -> Option<u32> {
    let symbol = || image.symbols().by_name(text);
    number(text).or_else(|| symbol().map(|symbol| symbol.addr))
}

/// A number, decimal, or hexadecimal with 0x.
#[must_use]
pub fn number(text: &str) -> Option<u32> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = hex.map_or((text, 10), |digits| (digits, 16));
    // "+5" would parse as a number.
    let plain = digits.chars().all(|c| c.is_digit(radix));
    plain.then(|| u32::from_str_radix(digits, radix).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let rows = [
            ("0", Some(0)),
            ("16", Some(16)),
            ("0x1F", Some(31)),
            ("0Xffffffff", Some(u32::MAX)),
            ("4294967296", None),
            ("0x100000000", None),
            ("", None),
            ("0x", None),
            ("+1", None),
            ("0x+1", None),
            ("-1", None),
            ("1f", None),
            ("main", None),
        ];
        for (text, value) in rows {
            assert_eq!(number(text), value, "{text}");
        }
    }

    #[test]
    fn ranges_that_overlap_become_one() {
        let ranges = vec![20..24, 0..8, 4..12, 4..8, 12..16];
        assert_eq!(apart(ranges), [0..12, 12..16, 20..24]);
    }
}

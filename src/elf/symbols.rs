//! The symbol table: what the loader looks for at once, and names for addresses when a report needs them.
//!
//! A damaged symbol table is no reason not to run a program: whatever cannot be read is left out.

use super::sections::{data, headers};
use super::{HostWord, SpecialSymbols};
use goblin::elf::header::Header;
use goblin::elf::section_header::{SHN_ABS, SHT_SYMTAB};
use goblin::elf::sym::{STB_LOCAL, STT_FUNC, STT_NOTYPE, STT_OBJECT};
use std::ops::Range;

const SYMBOL_SIZE: usize = 16;
/// Bytes of a name that are kept. Any number of symbols may have the same name, and it may be as long as the file.
const LONGEST_NAME: usize = 4096;
/// Bytes of all names together that are kept, in lengths of the file. Linkers store names once, so that in a program
/// whose files have many functions of the same names they come to more than is in the file.
const MOST_NAMES: usize = 4;
/// More than the length of each name that means something to the loader.
const LONGEST_SPECIAL: usize = 16;

/// What a symbol stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SymbolKind {
    /// A function.
    Function,
    /// Data.
    Object,
    /// A label in assembly, or what the linker script defines.
    Label,
}

/// A named address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its address.
    pub addr: u32,
    /// Bytes that it covers; 0 where the file does not tell.
    pub size: u32,
    /// What it stands for.
    pub kind: SymbolKind,
    /// Its name; of a very long one the beginning.
    pub name: Box<str>,
}

/// The named addresses of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Symbols {
    /// By address; functions before objects before labels at the same one.
    entries: Vec<Symbol>,
    /// Which of them are functions or labels: there may be many objects between them.
    code: Vec<usize>,
}

impl Symbols {
    fn new(mut entries: Vec<Symbol>) -> Symbols {
        entries.sort_by(|a, b| (a.addr, a.kind, &a.name).cmp(&(b.addr, b.kind, &b.name)));
        let is_code = |&n: &usize| entries[n].kind != SymbolKind::Object;
        let code = (0..entries.len()).filter(is_code).collect();
        Symbols { entries, code }
    }

    /// All, by address.
    #[must_use]
    pub fn entries(&self) -> &[Symbol] {
        &self.entries
    }

    /// The symbol of this name; a function where several have it.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Symbol> {
        let named = || self.entries.iter().filter(|s| &*s.name == name);
        named()
            .find(|s| s.kind == SymbolKind::Function)
            .or_else(|| named().next())
    }

    /// The function or label that an address of code belongs to, and how far inside it is.
    #[must_use]
    pub fn code_at(&self, addr: u32) -> Option<(&Symbol, u32)> {
        let at = |&n: &usize| self.entries[n].addr;
        let end = self.code.partition_point(|n| at(n) <= addr);
        let before = self.code.get(..end)?;
        let nearest = at(before.last()?);
        // The first entry at that address is the best kind.
        let first = before.partition_point(|n| at(n) < nearest);
        let symbol = &self.entries[*before.get(first)?];
        let offset = addr - symbol.addr;
        (symbol.size == 0 || offset < symbol.size).then_some((symbol, offset))
    }
}

/// Where the file keeps symbols and their names.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    pub(super) symbols: Range<usize>,
    pub(super) names: Range<usize>,
}

/// An entry of the table (ELF-32 Object File Format, "Symbol Table").
struct Entry {
    name: u32,
    value: u32,
    size: u32,
    kind: u8,
    global: bool,
    section: u16,
}

impl Entry {
    fn parse(bytes: &[u8; SYMBOL_SIZE]) -> Entry {
        let [
            n0,
            n1,
            n2,
            n3,
            v0,
            v1,
            v2,
            v3,
            s0,
            s1,
            s2,
            s3,
            info,
            _,
            x0,
            x1,
        ] = *bytes;
        Entry {
            name: u32::from_le_bytes([n0, n1, n2, n3]),
            value: u32::from_le_bytes([v0, v1, v2, v3]),
            size: u32::from_le_bytes([s0, s1, s2, s3]),
            kind: info & 0xf,
            global: info >> 4 != STB_LOCAL,
            section: u16::from_le_bytes([x0, x1]),
        }
    }
}

impl Tables {
    pub(super) fn find(bytes: &[u8], header: &Header) -> Option<Tables> {
        let sections = headers(bytes, header)?;
        let symbols = sections.iter().rfind(|s| s.sh_type == SHT_SYMTAB)?;
        let names = sections.get(usize::try_from(symbols.sh_link).ok()?)?;
        Some(Tables {
            symbols: data(bytes, symbols)?,
            names: data(bytes, names)?,
        })
    }

    /// The symbols that are defined here, with as much of their names.
    fn walk<'a>(&self, bytes: &'a [u8], longest: usize) -> impl Iterator<Item = (Entry, &'a [u8])> {
        let names = bytes.get(self.names.clone()).unwrap_or_default();
        let table = bytes.get(self.symbols.clone()).unwrap_or_default();
        let entries = table.as_chunks().0.iter().map(Entry::parse);
        // 0 is SHN_UNDEF: a name used and not defined.
        let defined = entries.filter(|entry| entry.section != 0);
        defined.filter_map(move |entry| {
            let name = names.get(usize::try_from(entry.name).ok()?..)?;
            let head = &name[..name.len().min(longest)];
            match head.iter().position(|&b| b == 0) {
                Some(len) => Some((entry, &head[..len])),
                None => (head.len() == longest).then_some((entry, head)),
            }
        })
    }

    pub(super) fn special(&self, bytes: &[u8]) -> SpecialSymbols {
        let mut special = SpecialSymbols::default();
        let mut plain_end = None;
        for (symbol, name) in self.walk(bytes, LONGEST_SPECIAL) {
            // A local variable may have any name.
            let means_it = symbol.global || u32::from(symbol.section) == SHN_ABS;
            let place = match name {
                b"tohost" | b"fromhost" if !means_it || symbol.kind == STT_FUNC => continue,
                b"tohost" | b"fromhost" => {
                    let word = HostWord {
                        addr: symbol.value,
                        len: if symbol.size == 4 { 4 } else { 8 },
                    };
                    let place = match name {
                        b"tohost" => &mut special.tohost,
                        _ => &mut special.fromhost,
                    };
                    *place = Some(word);
                    continue;
                }
                b"begin_signature" => &mut special.begin_signature,
                b"end_signature" => &mut special.end_signature,
                b"__stack" => &mut special.stack,
                b"_end" => &mut special.end,
                b"end" => &mut plain_end,
                b"environ" if !symbol.global || symbol.kind != STT_OBJECT || symbol.size != 4 => {
                    continue;
                }
                b"environ" => &mut special.environ,
                b"sys_semihost" => &mut special.sys_semihost,
                _ => continue,
            };
            *place = Some(symbol.value);
        }
        special.end = special.end.or(plain_end);
        special
    }

    pub(super) fn read(&self, bytes: &[u8]) -> Symbols {
        let mut left = bytes.len().saturating_mul(MOST_NAMES);
        let entry = |(symbol, name): (Entry, &[u8])| {
            let kind = match symbol.kind {
                STT_FUNC => SymbolKind::Function,
                STT_OBJECT => SymbolKind::Object,
                STT_NOTYPE => SymbolKind::Label,
                _ => return None,
            };
            // "$x", "$d" and ".L…" mark places for tools, not for people.
            if name.is_empty() || name.starts_with(b"$") || name.starts_with(b".L") {
                return None;
            }
            left = left.checked_sub(name.len())?;
            Some(Symbol {
                addr: symbol.value,
                size: symbol.size,
                kind,
                name: String::from_utf8_lossy(name).into(),
            })
        };
        Symbols::new(self.walk(bytes, LONGEST_NAME).filter_map(entry).collect())
    }
}

//! The symbol table: what the loader looks for at once, and names for addresses when a report needs them.
//!
//! A damaged symbol table is no reason not to run a program: whatever cannot be read is left out.

use super::{CTX, SpecialSymbols};
use goblin::elf::header::Header;
use goblin::elf::section_header::{SHT_SYMTAB, SectionHeader};
use goblin::elf::sym::{STT_FUNC, STT_NOTYPE, STT_OBJECT, Symtab};
use std::ops::Range;

const SECTION_HEADER_SIZE: usize = 40;
const SYMBOL_SIZE: usize = 16;

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
    /// Its name.
    pub name: Box<str>,
}

/// The named addresses of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Symbols {
    /// By address; functions before objects before labels at the same one.
    entries: Vec<Symbol>,
}

impl Symbols {
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
        let end = self.entries.partition_point(|s| s.addr <= addr);
        let before = self.entries.get(..end)?;
        let nearest = before.iter().rfind(|s| s.kind != SymbolKind::Object)?;
        // The first entry at that address is the best kind.
        let first = before.partition_point(|s| s.addr < nearest.addr);
        let symbol = before
            .get(first..)?
            .iter()
            .find(|s| s.kind != SymbolKind::Object)?;
        let offset = addr - symbol.addr;
        (symbol.size == 0 || offset < symbol.size).then_some((symbol, offset))
    }
}

/// Where the file keeps symbols and their names.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    symbols: Range<usize>,
    names: Range<usize>,
}

impl Tables {
    pub(super) fn find(bytes: &[u8], header: &Header) -> Option<Tables> {
        if usize::from(header.e_shentsize) != SECTION_HEADER_SIZE {
            return None;
        }
        let start = usize::try_from(header.e_shoff).ok()?;
        let count = usize::from(header.e_shnum);
        let table = bytes.get(start..start.checked_add(count * SECTION_HEADER_SIZE)?)?;
        if table.is_empty() {
            return None;
        }
        let sections: Vec<SectionHeader> = (0..count)
            .map_while(|n| table.get(n * SECTION_HEADER_SIZE..(n + 1) * SECTION_HEADER_SIZE))
            .filter_map(|one| SectionHeader::parse_from(one, 0, 1, CTX).ok()?.pop())
            .collect();
        let range = |section: &SectionHeader| -> Option<Range<usize>> {
            let start = usize::try_from(section.sh_offset).ok()?;
            let end = start.checked_add(usize::try_from(section.sh_size).ok()?)?;
            bytes.get(start..end)?;
            Some(start..end)
        };
        let symbols = sections.iter().rfind(|s| s.sh_type == SHT_SYMTAB)?;
        let names = sections.get(usize::try_from(symbols.sh_link).ok()?)?;
        Some(Tables {
            symbols: range(symbols)?,
            names: range(names)?,
        })
    }

    fn walk<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = (goblin::elf::Sym, &'a [u8])> {
        let count = self.symbols.len() / SYMBOL_SIZE;
        let names = bytes.get(self.names.clone()).unwrap_or_default();
        let table = bytes.get(self.symbols.clone()).unwrap_or_default();
        let table = Symtab::parse(table, 0, count, CTX).unwrap_or_default();
        // 0 is SHN_UNDEF: a name used and not defined.
        let defined = (0..count).filter_map(move |n| table.get(n).filter(|s| s.st_shndx != 0));
        defined.filter_map(move |symbol| {
            let name = names.get(symbol.st_name..)?;
            let len = name.iter().position(|&b| b == 0)?;
            Some((symbol, name.get(..len)?))
        })
    }

    pub(super) fn special(&self, bytes: &[u8]) -> SpecialSymbols {
        let mut special = SpecialSymbols::default();
        let mut plain_end = None;
        for (symbol, name) in self.walk(bytes) {
            let place = match name {
                b"tohost" => &mut special.tohost,
                b"begin_signature" => &mut special.begin_signature,
                b"end_signature" => &mut special.end_signature,
                b"__stack" => &mut special.stack,
                b"_end" => &mut special.end,
                b"end" => &mut plain_end,
                b"sys_semihost" => &mut special.sys_semihost,
                _ => continue,
            };
            *place = u32::try_from(symbol.st_value).ok();
        }
        special.end = special.end.or(plain_end);
        special
    }

    pub(super) fn read(&self, bytes: &[u8]) -> Symbols {
        let entry = |(symbol, name): (goblin::elf::Sym, &[u8])| {
            let kind = match symbol.st_type() {
                STT_FUNC => SymbolKind::Function,
                STT_OBJECT => SymbolKind::Object,
                STT_NOTYPE => SymbolKind::Label,
                _ => return None,
            };
            // "$x", "$d" and ".L…" mark places for tools, not for people.
            if name.is_empty() || name.starts_with(b"$") || name.starts_with(b".L") {
                return None;
            }
            Some(Symbol {
                addr: u32::try_from(symbol.st_value).ok()?,
                size: u32::try_from(symbol.st_size).ok()?,
                kind,
                name: String::from_utf8_lossy(name).into(),
            })
        };
        let mut entries: Vec<Symbol> = self.walk(bytes).filter_map(entry).collect();
        entries.sort_by(|a, b| (a.addr, a.kind, &a.name).cmp(&(b.addr, b.kind, &b.name)));
        Symbols { entries }
    }
}

//! The section table: what a linker leaves behind for tools. Nothing that runs a program depends on it.
//!
//! A damaged table is no reason to refuse a program: whatever cannot be read is left out.

use super::unpack::{Packing, SHF_COMPRESSED, Unpacked};
use super::{CTX, Image};
use goblin::elf::header::Header;
use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SectionHeader};
use std::ops::Range;

const SECTION_HEADER_SIZE: usize = 40;
/// `sh_type` of a section without bytes in the file.
const SHT_NOBITS: u32 = 8;
/// Bytes of a name that are kept. Any number of sections may have the same name, and it may be as long as the file.
const LONGEST_NAME: usize = 256;

/// A named part of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name; of a very long one the beginning.
    pub name: String,
    /// Guest address; 0 where it is not loaded.
    pub addr: u32,
    /// Bytes.
    pub size: u32,
    /// Whether it holds instructions that are loaded.
    pub code: bool,
    /// Where its bytes are in the file.
    pub data: Range<usize>,
}

/// The sections of any 32-bit little-endian ELF file, in the order of the table.
#[must_use]
pub fn sections(bytes: &[u8]) -> Vec<Section> {
    let section = |(header, name): (&SectionHeader, &[u8])| {
        let flags = u64::from(SHF_ALLOC | SHF_EXECINSTR);
        Some(Section {
            name: String::from_utf8_lossy(name).into_owned(),
            addr: u32::try_from(header.sh_addr).ok()?,
            size: u32::try_from(header.sh_size).ok()?,
            code: header.sh_flags & flags == flags && header.sh_type != SHT_NOBITS,
            data: data(bytes, header)?,
        })
    };
    let table = Table::read(bytes);
    table.map_or_else(Vec::new, |table| {
        table.named().filter_map(section).collect()
    })
}

/// The headers in the section table.
pub(super) fn headers(bytes: &[u8], header: &Header) -> Option<Vec<SectionHeader>> {
    if usize::from(header.e_shentsize) != SECTION_HEADER_SIZE {
        return None;
    }
    let start = usize::try_from(header.e_shoff).ok()?;
    let len = usize::from(header.e_shnum) * SECTION_HEADER_SIZE;
    let table = bytes.get(start..start.checked_add(len)?)?;
    let header = |one| SectionHeader::parse_from(one, 0, 1, CTX).ok()?.pop();
    let all = table.chunks_exact(SECTION_HEADER_SIZE);
    Some(all.filter_map(header).collect())
}

/// Where a section's bytes are in the file; `None` where they are not inside.
pub(super) fn data(bytes: &[u8], header: &SectionHeader) -> Option<Range<usize>> {
    let start = usize::try_from(header.sh_offset).ok()?;
    let size = match header.sh_type {
        SHT_NOBITS => 0,
        _ => usize::try_from(header.sh_size).ok()?,
    };
    let range = start..start.checked_add(size)?;
    bytes.get(range.clone())?;
    Some(range)
}

/// The section table with the bytes that its names are in.
struct Table<'a> {
    headers: Vec<SectionHeader>,
    names: &'a [u8],
}

impl<'a> Table<'a> {
    fn read(bytes: &'a [u8]) -> Option<Table<'a>> {
        let header = goblin::elf::Elf::parse_header(bytes).ok()?;
        let headers = headers(bytes, &header)?;
        let names = headers.get(usize::from(header.e_shstrndx))?;
        let names = bytes.get(data(bytes, names)?)?;
        Some(Table { headers, names })
    }

    fn find(&self, name: &str) -> Option<&SectionHeader> {
        let mut named = self.named();
        Some(named.find(|named| named.1 == name.as_bytes())?.0)
    }

    fn named(&self) -> impl Iterator<Item = (&SectionHeader, &'a [u8])> {
        self.headers.iter().filter_map(|header| {
            let name = self.names.get(header.sh_name..)?;
            let name = &name[..name.len().min(LONGEST_NAME)];
            Some((header, name.split(|&b| b == 0).next()?))
        })
    }
}

impl Image {
    /// A second one of the same file; `None` never, unless memory changes under us.
    #[must_use]
    pub fn reparse(&self) -> Option<Image> {
        Image::parse(self.bytes().to_vec()).ok()
    }

    /// The bytes and the guest address of a section; `None` where there is none of this name. Debug information that is
    /// compressed is unpacked.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<(&[u8], u32)> {
        let bytes = self.bytes();
        let table = Table::read(bytes)?;
        match table.find(name) {
            Some(header) if header.sh_flags & SHF_COMPRESSED == 0 => {
                let bytes = bytes.get(data(bytes, header)?)?;
                Some((bytes, u32::try_from(header.sh_addr).ok()?))
            }
            // Tools have no address for what is not loaded.
            Some(_) | None => Some((self.unpacked().get(name)?, 0)),
        }
    }

    /// The debug sections that cannot be unpacked, each with the reason.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.unpacked().left_out
    }

    fn unpacked(&self) -> &Unpacked {
        self.unpacked.get_or_init(|| {
            let bytes = self.bytes();
            let Some(table) = Table::read(bytes) else {
                return Unpacked::default();
            };
            Unpacked::new(|name| {
                let (header, packing) = match table.find(&format!(".debug_{name}")) {
                    Some(header) if header.sh_flags & SHF_COMPRESSED != 0 => {
                        (header, Packing::Flag)
                    }
                    Some(_) => return None,
                    None => (table.find(&format!(".zdebug_{name}"))?, Packing::Gnu),
                };
                Some((bytes.get(data(bytes, header)?)?, packing))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn sections_by_name() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let bytes = std::fs::read(fixtures.join("nullcrash.elf")).unwrap();
        // The file cut behind its segments still runs, and has no sections.
        let cut = Image::parse(bytes[..0x800].to_vec()).unwrap();
        assert!(cut.section(".text").is_none());
        let image = Image::parse(bytes).unwrap();
        let text = image.section(".text").unwrap();
        assert_eq!((text.0.len(), text.1), (0x618, 0x10074));
        assert!(
            image
                .section(".debug_line")
                .is_some_and(|s| s.0.len() > 100)
        );
        assert!(image.section(".debug").is_none(), "only a prefix");
    }
}

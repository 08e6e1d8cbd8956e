//! Units of debug information (DWARF 5, 3.1), their strings, ranges and the names of their entries.

use super::Slice;
use super::work::{Unread, Work};
use gimli::{
    Abbreviations, AttributeValue, DebugAbbrev, DebugInfoOffset, DebugLineOffset, Dwarf,
    EndianSlice, EntriesRaw, LittleEndian, RangeListsOffset, Reader, Section, UnitHeader,
    UnitOffset, UnitSectionOffset,
};
use std::sync::Arc;

/// Bytes of a string that are kept.
const LONGEST_STRING: usize = 4096;
/// Bytes of the largest table of abbreviations: many times what compilers write.
const MOST_ABBREVIATIONS: usize = 1 << 20;
/// Entries that may follow one another to a name: from an inlined function to its origin, and to its declaration.
const MOST_ORIGINS: usize = 16;
/// Steps for the header of a unit.
const HEADER: usize = 8;
/// Steps for an abbreviation that has not the next number: it is put into a tree.
const UNORDERED: usize = 32;

/// A value of an attribute.
pub(super) type Value<'a> = AttributeValue<Slice<'a>>;

/// A unit, and what its first entry says.
pub(super) struct Unit<'a> {
    /// With what is needed to read its entries; without its line program.
    pub(super) unit: gimli::Unit<Slice<'a>>,
    /// Where its line program is.
    pub(super) lines: Option<DebugLineOffset>,
    /// Its addresses.
    pub(super) bounds: Bounds,
}

/// What an entry says of its addresses.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    low: Option<u64>,
    high: Option<u64>,
    size: Option<u64>,
    list: Option<RangeListsOffset>,
}

impl Bounds {
    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.low.is_none() && self.list.is_none()
    }
}

/// The sections, and the abbreviations that were read last: units share them.
pub(super) struct Sections<'a> {
    pub(super) dwarf: Dwarf<Slice<'a>>,
    abbreviations: Option<(usize, Arc<Abbreviations>)>,
    /// The unit that a name was last found in, where it was another than the one that was asked.
    other: Option<Unit<'a>>,
}

impl<'a> Sections<'a> {
    pub(super) fn new(dwarf: Dwarf<Slice<'a>>) -> Sections<'a> {
        Sections {
            dwarf,
            abbreviations: None,
            other: None,
        }
    }

    /// The next unit. Damaged headers end the list, since nobody knows where the next one is.
    pub(super) fn next_header(
        units: &mut gimli::DebugInfoUnitHeadersIter<Slice<'a>>,
        work: &mut Work,
    ) -> Result<Option<UnitHeader<Slice<'a>>>, Unread> {
        work.spend(HEADER)?;
        Ok(units.next()?)
    }

    /// Reads a unit's first entry.
    pub(super) fn unit(
        &mut self,
        header: UnitHeader<Slice<'a>>,
        work: &mut Work,
    ) -> Result<Unit<'a>, Unread> {
        let abbreviations = self.abbreviations(&header, work)?;
        let encoding = header.encoding();
        let file = self.dwarf.file_type;
        let mut unit = gimli::Unit {
            header,
            abbreviations: Arc::clone(&abbreviations),
            name: None,
            comp_dir: None,
            low_pc: 0,
            str_offsets_base: gimli::DebugStrOffsetsBase::default_for_encoding_and_file(
                encoding, file,
            ),
            addr_base: gimli::DebugAddrBase(0),
            loclists_base: gimli::DebugLocListsBase::default_for_encoding_and_file(encoding, file),
            rnglists_base: gimli::DebugRngListsBase::default_for_encoding_and_file(encoding, file),
            line_program: None,
            dwo_id: None,
        };
        let mut entries = unit.header.entries_raw(&abbreviations, None)?;
        let abbreviation = entries.read_abbreviation()?.ok_or(Unread::Damaged)?;
        work.spend(1 + abbreviation.attributes().len())?;
        let mut lines = None;
        let (mut name, mut folder) = (None, None);
        let mut addresses = Vec::new();
        for &row in abbreviation.attributes() {
            let attribute = entries.read_attribute(row)?;
            match (attribute.name(), attribute.value()) {
                (gimli::DW_AT_name, value) => name = Some(value),
                (gimli::DW_AT_comp_dir, value) => folder = Some(value),
                (gimli::DW_AT_stmt_list, AttributeValue::DebugLineRef(offset)) => {
                    lines = Some(offset);
                }
                (gimli::DW_AT_str_offsets_base, AttributeValue::DebugStrOffsetsBase(base)) => {
                    unit.str_offsets_base = base;
                }
                (
                    gimli::DW_AT_addr_base | gimli::DW_AT_GNU_addr_base,
                    AttributeValue::DebugAddrBase(base),
                ) => unit.addr_base = base,
                (
                    gimli::DW_AT_rnglists_base | gimli::DW_AT_GNU_ranges_base,
                    AttributeValue::DebugRngListsBase(base),
                ) => unit.rnglists_base = base,
                // An entry says each once, whatever a damaged one says.
                (gimli::DW_AT_low_pc | gimli::DW_AT_high_pc | gimli::DW_AT_ranges, value)
                    if addresses.len() < 3 =>
                {
                    addresses.push((attribute.name(), value));
                }
                _ => {}
            }
        }
        // After all bases are known.
        unit.name = name.and_then(|value| self.string(&unit, value, work));
        unit.comp_dir = folder.and_then(|value| self.string(&unit, value, work));
        let mut bounds = Bounds::default();
        for (name, value) in addresses {
            self.note_bounds(&unit, &mut bounds, name, &value);
        }
        unit.low_pc = bounds.low.unwrap_or(0);
        Ok(Unit {
            unit,
            lines,
            bounds,
        })
    }

    /// The abbreviations of a unit, which end before whatever follows them is looked at.
    fn abbreviations(
        &mut self,
        header: &UnitHeader<Slice<'a>>,
        work: &mut Work,
    ) -> Result<Arc<Abbreviations>, Unread> {
        let offset = header.debug_abbrev_offset().0;
        if let Some((at, found)) = &self.abbreviations
            && *at == offset
        {
            return Ok(Arc::clone(found));
        }
        let bytes = self.dwarf.debug_abbrev.reader().slice();
        let table = bytes.get(offset..).ok_or(Unread::Damaged)?;
        let table = &table[..abbreviations_len(table, work)?];
        let table = DebugAbbrev::from(EndianSlice::new(table, LittleEndian));
        let found = Arc::new(table.abbreviations(gimli::DebugAbbrevOffset(0))?);
        self.abbreviations = Some((offset, Arc::clone(&found)));
        Ok(found)
    }

    /// A string, of a long one the beginning.
    pub(super) fn string(
        &self,
        unit: &gimli::Unit<Slice<'a>>,
        value: Value<'a>,
        work: &mut Work,
    ) -> Option<Slice<'a>> {
        let text = self.dwarf.attr_string(unit, value).ok()?;
        // Its end had to be found, which is quick.
        work.spend(1 + text.len() / 64).ok()?;
        let bytes = text.slice();
        let kept = &bytes[..bytes.len().min(LONGEST_STRING)];
        Some(EndianSlice::new(kept, LittleEndian))
    }

    /// Notes what an attribute says of an entry's addresses.
    pub(super) fn note_bounds(
        &self,
        unit: &gimli::Unit<Slice<'a>>,
        bounds: &mut Bounds,
        name: gimli::DwAt,
        value: &Value<'a>,
    ) {
        let address = || self.dwarf.attr_address(unit, *value).ok().flatten();
        match name {
            gimli::DW_AT_low_pc => bounds.low = address(),
            gimli::DW_AT_high_pc => match value.udata_value() {
                Some(size) => bounds.size = Some(size),
                None => bounds.high = address(),
            },
            gimli::DW_AT_ranges => {
                bounds.list = self.dwarf.attr_ranges_offset(unit, *value).ok().flatten();
            }
            _ => {}
        }
    }

    /// Gives all ranges of addresses, begin and end.
    pub(super) fn ranges(
        &self,
        unit: &gimli::Unit<Slice<'a>>,
        bounds: &Bounds,
        work: &mut Work,
        mut range: impl FnMut(u64, u64, &mut Work) -> Result<(), Unread>,
    ) -> Result<(), Unread> {
        if let Some(offset) = bounds.list {
            let mut list = self.dwarf.ranges(unit, offset)?;
            // Item by item: those that only say what others are relative to are paid for, too.
            while let Some(item) = list.next_raw()? {
                work.spend(1)?;
                if let Some(found) = list.convert_raw(item)? {
                    range(found.begin, found.end, work)?;
                }
            }
            return Ok(());
        }
        let Some(low) = bounds.low else {
            return Ok(());
        };
        let high = bounds.high.or_else(|| low.checked_add(bounds.size?));
        match high {
            Some(high) => range(low, high, work),
            None => Ok(()),
        }
    }

    /// The name of the function at an entry: as the linker knows it, else as the language does, else that of the entry
    /// that it is made of.
    pub(super) fn name(
        &mut self,
        unit: &Unit<'a>,
        entry: UnitOffset,
        work: &mut Work,
    ) -> Result<Option<Slice<'a>>, Unread> {
        let mut at = (None, entry);
        for _ in 0..MOST_ORIGINS {
            let (other, entry) = at;
            let (name, origin) = match other {
                None => self.name_at(unit, entry, work)?,
                Some(offset) => {
                    let found = self.take_unit_of(offset, work)?;
                    let entry = UnitSectionOffset::from(offset).to_unit_offset(&found.unit);
                    let result = match entry {
                        Some(entry) => self.name_at(&found, entry, work),
                        None => Err(Unread::Damaged),
                    };
                    let made = result.map(|(name, origin)| {
                        let absolute = origin.map(|origin| match origin {
                            Origin::Here(at) => {
                                let UnitSectionOffset::DebugInfoOffset(start) =
                                    found.unit.header.offset()
                                else {
                                    return origin;
                                };
                                Origin::Elsewhere(DebugInfoOffset(start.0 + at.0))
                            }
                            Origin::Elsewhere(_) => origin,
                        });
                        (name, absolute)
                    });
                    self.other = Some(found);
                    made?
                }
            };
            if name.is_some() {
                return Ok(name);
            }
            at = match origin {
                None => return Ok(None),
                Some(Origin::Here(entry)) => (None, entry),
                Some(Origin::Elsewhere(offset)) => (Some(offset), entry),
            };
        }
        Ok(None)
    }

    fn name_at(
        &self,
        unit: &Unit<'a>,
        entry: UnitOffset,
        work: &mut Work,
    ) -> Result<(Option<Slice<'a>>, Option<Origin>), Unread> {
        let unit = &unit.unit;
        let mut entries = unit.header.entries_raw(&unit.abbreviations, Some(entry))?;
        let abbreviation = entries.read_abbreviation()?.ok_or(Unread::Damaged)?;
        let (mut name, mut origin) = (None, None);
        for &row in abbreviation.attributes() {
            let attribute = read(&mut entries, row, work)?;
            match attribute.name() {
                gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => {
                    if let Some(found) = self.string(unit, attribute.value(), work) {
                        return Ok((Some(found), None));
                    }
                }
                gimli::DW_AT_name => name = self.string(unit, attribute.value(), work),
                gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => {
                    origin = match attribute.value() {
                        AttributeValue::UnitRef(at) => Some(Origin::Here(at)),
                        AttributeValue::DebugInfoRef(at) => Some(Origin::Elsewhere(at)),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        Ok((name, origin))
    }

    /// The unit that a place in the section is in.
    fn take_unit_of(
        &mut self,
        place: DebugInfoOffset,
        work: &mut Work,
    ) -> Result<Unit<'a>, Unread> {
        let inside = |header: &UnitHeader<Slice<'a>>| match header.offset() {
            UnitSectionOffset::DebugInfoOffset(start) => {
                start.0 <= place.0 && place.0 - start.0 < header.length_including_self()
            }
            UnitSectionOffset::DebugTypesOffset(_) => false,
        };
        if let Some(other) = self.other.take_if(|other| inside(&other.unit.header)) {
            return Ok(other);
        }
        let mut units = self.dwarf.units();
        while let Some(header) = Sections::next_header(&mut units, work)? {
            if inside(&header) {
                return self.unit(header, work);
            }
        }
        Err(Unread::Damaged)
    }
}

/// The entry that another one is made of.
#[derive(Debug, Clone, Copy)]
enum Origin {
    /// In the same unit.
    Here(UnitOffset),
    /// Anywhere in the section.
    Elsewhere(DebugInfoOffset),
}

/// An attribute. One that holds many bytes was read byte by byte.
pub(super) fn read<'a>(
    entries: &mut EntriesRaw<'_, '_, Slice<'a>>,
    row: gimli::AttributeSpecification,
    work: &mut Work,
) -> Result<gimli::Attribute<Slice<'a>>, Unread> {
    let before = entries.next_offset().0;
    let attribute = entries.read_attribute(row)?;
    work.spend(1 + (entries.next_offset().0 - before) / 64)?;
    Ok(attribute)
}

/// Bytes of a table of abbreviations (DWARF 5, 7.5.3).
fn abbreviations_len(bytes: &[u8], work: &mut Work) -> Result<usize, Unread> {
    let all = &bytes[..bytes.len().min(MOST_ABBREVIATIONS)];
    let mut rest = EndianSlice::new(all, LittleEndian);
    let mut expected = 1;
    loop {
        let code = rest.read_uleb128()?;
        if code == 0 {
            break;
        }
        work.spend(if code == expected { 1 } else { UNORDERED })?;
        expected += 1;
        rest.read_uleb128()?;
        rest.read_u8()?;
        loop {
            work.spend(1)?;
            let (name, form) = (rest.read_uleb128()?, rest.read_uleb128()?);
            if form == u64::from(gimli::DW_FORM_implicit_const.0) {
                rest.read_sleb128()?;
            }
            if name == 0 && form == 0 {
                break;
            }
        }
    }
    Ok(all.len() - rest.len())
}

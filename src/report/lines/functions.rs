//! Which functions an address belongs to: the one that was called, and those that were inlined into it.

use super::unit::{Bounds, Sections, Unit, read};
use super::work::{Unread, Work};
use gimli::{AttributeValue, UnitOffset};

/// Functions inlined into each other that are followed. Compilers end long before.
pub(super) const MOST_INLINED: usize = 256;

/// A function that an address is in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    /// Its entry.
    pub(super) entry: UnitOffset,
    /// Where it was inlined: one of the line table's files, and the line.
    pub(super) call: (Option<u64>, u32),
}

/// The functions of one address, outermost first.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// They.
    pub(super) functions: Vec<Function>,
    /// Whether there were too many.
    pub(super) cut: bool,
}

/// An entry that the walk is inside of, and the addresses that it has.
struct Scope {
    depth: isize,
    /// Functions that each of these addresses is in, this one included.
    level: usize,
    addresses: Vec<usize>,
}

/// The functions of each of these addresses, which are sorted. One walk over the unit's entries, in their order.
pub(super) fn find<'a>(
    sections: &Sections<'a>,
    unit: &Unit<'a>,
    pcs: &[u32],
    work: &mut Work,
) -> Result<Vec<Chain>, Unread> {
    let mut chains: Vec<Chain> = pcs.iter().map(|_| Chain::default()).collect();
    let mut scopes: Vec<Scope> = Vec::new();
    let mut entries = unit
        .unit
        .header
        .entries_raw(&unit.unit.abbreviations, None)?;
    while !entries.is_empty() {
        let (entry, depth) = (entries.next_offset(), entries.next_depth());
        work.spend(1)?;
        let Some(abbreviation) = entries.read_abbreviation()? else {
            continue;
        };
        while scopes.pop_if(|scope| scope.depth >= depth).is_some() {}
        let rows = abbreviation.attributes();
        let called = abbreviation.tag() == gimli::DW_TAG_subprogram;
        let inlined = abbreviation.tag() == gimli::DW_TAG_inlined_subroutine
            && scopes
                .last()
                .is_some_and(|scope| !scope.addresses.is_empty());
        if !called && !inlined {
            work.spend(rows.len())?;
            entries.skip_attributes(rows)?;
            continue;
        }
        let mut bounds = Bounds::default();
        let mut call = (None, 0);
        for &row in rows {
            let attribute = read(&mut entries, row, work)?;
            let value = attribute.value();
            match attribute.name() {
                gimli::DW_AT_call_file => {
                    // DWARF 5 numbers files from 0; before, 0 is none.
                    if let AttributeValue::FileIndex(file) = value
                        && (file > 0 || unit.unit.header.version() >= 5)
                    {
                        call.0 = Some(file);
                    }
                }
                #[expect(clippy::cast_possible_truncation, reason = "no file has so many lines")]
                gimli::DW_AT_call_line => call.1 = value.udata_value().unwrap_or(0) as u32,
                name => sections.note_bounds(&unit.unit, &mut bounds, name, &value),
            }
        }
        let mut inside = addresses(sections, unit, &bounds, pcs, work)?;
        let level = match scopes.last() {
            Some(scope) if !called => scope.level,
            _ => 0,
        };
        // Of functions that overlap, the first counts.
        inside.retain(|&at| chains[at].functions.len() == level && !chains[at].cut);
        if let Some(scope) = scopes.last().filter(|_| !called) {
            inside.retain(|at| scope.addresses.binary_search(at).is_ok());
        }
        for &at in &inside {
            let chain = &mut chains[at];
            chain.cut = chain.functions.len() > MOST_INLINED;
            if !chain.cut {
                chain.functions.push(Function { entry, call });
            }
        }
        // What has none of the addresses is a scope, too: what was inlined into it is not inlined into what is around.
        if abbreviation.has_children() && (!inside.is_empty() || !scopes.is_empty()) {
            scopes.push(Scope {
                depth,
                level: level + 1,
                addresses: inside,
            });
        }
    }
    Ok(chains)
}

/// Which of these sorted addresses are inside the bounds.
pub(super) fn addresses<'a>(
    sections: &Sections<'a>,
    unit: &Unit<'a>,
    bounds: &Bounds,
    pcs: &[u32],
    work: &mut Work,
) -> Result<Vec<usize>, Unread> {
    let mut inside = Vec::new();
    sections.ranges(&unit.unit, bounds, work, |begin, end, work| {
        let first = pcs.partition_point(|&pc| u64::from(pc) < begin);
        let behind = pcs.partition_point(|&pc| u64::from(pc) < end);
        if first < behind {
            work.spend(behind - first)?;
            inside.extend(first..behind);
            // Ranges may repeat each other.
            if inside.len() > 4 * pcs.len() {
                inside.sort_unstable();
                inside.dedup();
            }
        }
        Ok(())
    })?;
    inside.sort_unstable();
    inside.dedup();
    Ok(inside)
}

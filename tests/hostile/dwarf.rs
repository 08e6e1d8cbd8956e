//! Debug information (DWARF 4) that asks for more than its size: each row is a file of some hundred kilobytes.

use crate::elf::{FAULT, PROGBITS, Section, TEXT, deep, program};

/// A string of bytes in the making.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn byte(&mut self, value: u8) -> &mut Bytes {
        self.0.push(value);
        self
    }

    fn half(&mut self, value: u16) -> &mut Bytes {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn word(&mut self, value: u32) -> &mut Bytes {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Bytes {
        self.0.extend(text.as_bytes());
        self.byte(0)
    }

    /// The same behind a word that holds its length.
    fn with_length(&self) -> Vec<u8> {
        let mut whole = Bytes::default();
        whole.word(u32::try_from(self.0.len()).expect("a small section"));
        whole.0.extend(&self.0);
        whole.0
    }
}

/// Codes of the abbreviations, which are their numbers.
const UNIT: u8 = 1;
const FUNCTION: u8 = 2;
const INLINED: u8 = 3;
const RANGES: u8 = 4;
const ORIGIN: u8 = 5;

/// Pairs of attribute and form: DW_AT_low_pc, DW_AT_high_pc.
const BOUNDS: [(u8, u8); 2] = [(0x11, 0x01), (0x12, 0x06)];

fn abbreviations() -> Vec<u8> {
    let mut bytes = Bytes::default();
    let mut row = |code: u8, tag: u8, children: bool, attributes: &[(u8, u8)]| {
        bytes.byte(code).byte(tag).byte(children.into());
        for (name, form) in attributes {
            bytes.byte(*name).byte(*form);
        }
        bytes.half(0);
    };
    // DW_AT_stmt_list in a unit, DW_AT_name of a function, DW_AT_abstract_origin, DW_AT_call_file, DW_AT_call_line.
    row(UNIT, 0x11, true, &[(0x10, 0x17), BOUNDS[0], BOUNDS[1]]);
    row(FUNCTION, 0x2e, true, &[(0x03, 0x08), BOUNDS[0], BOUNDS[1]]);
    let call = [(0x31, 0x13), (0x58, 0x0b), (0x59, 0x0b)];
    row(
        INLINED,
        0x1d,
        true,
        &[BOUNDS[0], BOUNDS[1], call[0], call[1], call[2]],
    );
    row(RANGES, 0x11, true, &[(0x10, 0x17), (0x55, 0x17)]);
    row(ORIGIN, 0x2e, false, &[(0x03, 0x08)]);
    bytes.byte(0);
    bytes.0
}

/// A unit whose abbreviations are at this place.
fn unit(abbreviations: u32, entries: impl FnOnce(&mut Bytes)) -> Vec<u8> {
    let mut bytes = Bytes::default();
    bytes.half(4).word(abbreviations).byte(4);
    entries(&mut bytes);
    bytes.with_length()
}

/// Its first entry: line table, and addresses.
fn begin(bytes: &mut Bytes) {
    bytes.byte(UNIT).word(0).word(TEXT).word(0x1000);
}

/// A line table with so many rows, and this many bytes for an address.
fn line_table(rows: usize) -> Vec<u8> {
    let mut header = Bytes::default();
    // Instructions of 1 byte, statements by default, lines from 0 on in steps of 1 to 1, special ones from 13 on.
    header.byte(1).byte(1).byte(1).byte(0).byte(1).byte(13);
    header.0.extend([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]);
    header
        .byte(0)
        .text("file.c")
        .byte(0)
        .byte(0)
        .byte(0)
        .byte(0);
    let mut table = Bytes::default();
    table.half(4);
    table.0.extend(header.with_length());
    // Not where the program faults: the next unit may know.
    table.byte(0).byte(5).byte(2).word(TEXT + 0x800);
    // DW_LNS_copy, then special instructions that add 1 to the address.
    table.byte(1);
    table.0.extend(vec![14; rows]);
    table.byte(0).byte(1).byte(1);
    table.with_length()
}

fn sections(info: Vec<u8>, lines: usize) -> Vec<Section> {
    vec![
        (".debug_info", PROGBITS, info),
        (".debug_abbrev", PROGBITS, abbreviations()),
        (".debug_line", PROGBITS, line_table(lines)),
    ]
}

/// Functions inlined into each other, so many, the name of each as long as this.
fn inlined(depth: usize, name: usize) -> Vec<u8> {
    unit(0, |bytes| {
        begin(bytes);
        // Places are relative to the unit, whose header has 4 bytes more.
        let origin = u32::try_from(bytes.0.len()).expect("small") + 4;
        bytes.byte(ORIGIN).text(&"n".repeat(name));
        bytes.byte(FUNCTION).text("f").word(TEXT).word(0x1000);
        for _ in 0..depth {
            bytes.byte(INLINED).word(TEXT).word(0x1000);
            bytes.word(origin).byte(1).byte(7);
        }
        bytes.0.extend(vec![0; depth + 2]);
    })
}

/// Units with nothing in them but the first entry.
fn units(count: usize, entry: u8) -> Vec<u8> {
    let one = unit(0, |bytes| {
        if entry == UNIT {
            begin(bytes);
        } else {
            bytes.byte(entry).word(0).word(0);
        }
        bytes.byte(0);
    });
    one.repeat(count)
}

/// The attacks: a name, and a program that faults.
pub(crate) fn rows() -> Vec<(&'static str, Vec<u8>)> {
    let mut ranges = Bytes::default();
    for n in 0..100_000 {
        // Nobody's, and at last the code's.
        ranges.word(2 * n + 1).word(2 * n + 2);
    }
    ranges.word(TEXT).word(TEXT + 0x1000).word(0).word(0);
    let mut with_ranges = sections(units(4000, RANGES), 10);
    with_ranges.push((".debug_ranges", PROGBITS, ranges.0));

    // A table that is a table from each of its rows on.
    let mut tables = Bytes::default();
    let mut places = Vec::new();
    for code in 0..20_000_u32 {
        places.push(u32::try_from(tables.0.len()).expect("small"));
        let low = |shift: u32| (((code + 128 * 128) >> shift) & 0x7f).to_le_bytes()[0];
        tables.byte(low(0) | 0x80).byte(low(7) | 0x80).byte(low(14));
        tables.byte(0x11).byte(0).half(0);
    }
    tables.byte(0);
    let info = places
        .iter()
        .flat_map(|place| unit(*place, |bytes| _ = bytes.byte(0)))
        .collect();
    let shared_tables = vec![
        (".debug_info", PROGBITS, info),
        (".debug_abbrev", PROGBITS, tables.0),
    ];
    let mut with_frames = sections(inlined(4000, 2000), 10);
    with_frames.push(frames(0));
    // The whole range of the units.
    let mut large = FAULT.to_vec();
    large.resize(0x400, 0);
    vec![
        ("nested", program(&FAULT, &sections(inlined(22_000, 1), 10))),
        (
            "lines, 400",
            program(&large, &sections(units(400, UNIT), 100_000)),
        ),
        (
            "lines, 4000",
            program(&large, &sections(units(4000, UNIT), 100_000)),
        ),
        ("ranges", program(&FAULT, &with_ranges)),
        ("abbreviations", program(&FAULT, &shared_tables)),
        ("names", program(&deep(FAULT[0]), &with_frames)),
        ("rules", program(&deep(FAULT[0]), &[frames(4 << 20)])),
    ]
}

/// Call frame information of [`deep`], with so many bytes that say nothing.
fn frames(nothing: usize) -> Section {
    let mut common = Bytes::default();
    // Version 1, no augmentation, factors 1 and -4, the return address in x1; the frame's end is at x2 + 16, where x1 is
    // saved below.
    common
        .word(u32::MAX)
        .byte(1)
        .text("")
        .byte(1)
        .byte(0x7c)
        .byte(1);
    common.0.extend([0x0c, 2, 16, 0x81, 1, 0, 0]);
    let mut entry = Bytes::default();
    entry.word(0).word(TEXT).word(0x1000);
    entry.0.extend(vec![0; nothing]);
    let mut section = common.with_length();
    section.extend(entry.with_length());
    (".debug_frame", PROGBITS, section)
}

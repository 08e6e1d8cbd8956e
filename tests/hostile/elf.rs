//! ELF files made here: one segment of code that is executed, and any sections.

use crate::common::one_segment;

/// Where the code is.
pub(crate) const TEXT: u32 = 0x1_0000;
/// `lw a0, 0(zero)`: a fault.
pub(crate) const FAULT: [u32; 1] = [0x0000_2503];
/// 4,096 calls deep, and then this: `lui t1, 1`, a function that saves `ra` and calls itself until `t1` is 0.
pub(crate) fn deep(end: u32) -> [u32; 7] {
    [
        0x0000_1337,
        0xff01_0113,
        0x0011_2623,
        0xfff3_0313,
        0x0003_0463,
        0xff1f_f0ef,
        end,
    ]
}

/// `sh_type`.
pub(crate) const PROGBITS: u32 = 1;
pub(crate) const SYMTAB: u32 = 2;

/// A section: name, `sh_type`, bytes.
pub(crate) type Section = (&'static str, u32, Vec<u8>);

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The code, which begins at [`TEXT`], and the sections. What is in a symbol table has its names in the last one.
pub(crate) fn program(code: &[u32], sections: &[Section]) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).expect("a small file");
    let mut file = one_segment(TEXT, code);
    let mut names = vec![0];
    // The first is none (ELF-32 Object File Format, "Section Header").
    let mut headers = words(&[0; 10]);
    let names_at = number(sections.len()) + 1;
    for (name, kind, bytes) in sections {
        let entry = if *kind == SYMTAB { 16 } else { 0 };
        let (at, size) = (number(file.len()), number(bytes.len()));
        headers.extend(words(&[
            number(names.len()),
            *kind,
            0,
            0,
            at,
            size,
            names_at,
            0,
            1,
            entry,
        ]));
        names.extend(name.as_bytes());
        names.push(0);
        file.extend(bytes);
    }
    let (at, size) = (number(file.len()), number(names.len()));
    headers.extend(words(&[0, 3, 0, 0, at, size, 0, 0, 1, 0]));
    file.extend(names);
    let start = number(file.len());
    file.extend(&headers);
    file[32..36].copy_from_slice(&start.to_le_bytes());
    let count = u16::try_from(sections.len() + 2).expect("few sections");
    for (at, half) in [(46, 40), (48, count), (50, count - 1)] {
        file[at..at + 2].copy_from_slice(&half.to_le_bytes());
    }
    file
}

/// A symbol table of data at these addresses, all of which have the same name.
pub(crate) fn objects(addresses: impl Iterator<Item = u32>) -> Vec<u8> {
    // Global data in section 1; the name is the first one's.
    addresses
        .flat_map(|addr| words(&[1, addr, 4, 0x0001_0011]))
        .collect()
}

//! Good and bad files, built here byte by byte.

#![expect(
    clippy::cast_possible_truncation,
    reason = "the files built here are small"
)]

use super::*;
use crate::memory::{Memory, MemoryConfig};

/// A program header: type, offset, vaddr, paddr, filesz, memsz, flags, align.
type Phdr = [u32; 8];

const TEXT: Phdr = [1, 0x200, 0x1_0000, 0x1_0000, 0x20, 0x20, 5, 4];
const DATA: Phdr = [1, 0x220, 0x1_2000, 0x2_0000, 0x10, 0x1000, 6, 4];

/// An executable with these program headers, and the symbols main (a function at the entry, 8 bytes) and `extra`.
fn elf(phdrs: &[Phdr], extra: &[(&str, u32)]) -> Vec<u8> {
    let mut names = b"\0main\0".to_vec();
    let mut symbols = vec![[0u32; 4], [1, 0x1_0000, 8, 0x0001_0002]];
    for (name, value) in extra {
        symbols.push([names.len() as u32, *value, 0, 0x0001_0010]);
        names.extend_from_slice(name.as_bytes());
        names.push(0);
    }
    let mut bytes = b"\x7fELF\x01\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(2u16.to_le_bytes());
    bytes.extend(243u16.to_le_bytes());
    for word in [1, 0x1_0000, 52, 0x300, 0] {
        bytes.extend(u32::to_le_bytes(word));
    }
    for half in [52, 32, phdrs.len() as u16, 40, 3, 0] {
        bytes.extend(half.to_le_bytes());
    }
    for phdr in phdrs {
        bytes.extend(phdr.iter().flat_map(|w| w.to_le_bytes()));
    }
    assert!(bytes.len() <= 0x200);
    bytes.resize(0x300, 0x5a);
    let (symtab, strtab) = (0x300 + 120, 0x300 + 120 + 16 * symbols.len());
    let sections = [
        [0u32; 10],
        [
            0,
            2,
            0,
            0,
            symtab as u32,
            16 * symbols.len() as u32,
            2,
            1,
            4,
            16,
        ],
        [0, 3, 0, 0, strtab as u32, names.len() as u32, 0, 0, 1, 0],
    ];
    bytes.extend(sections.iter().flatten().flat_map(|w| w.to_le_bytes()));
    bytes.extend(symbols.iter().flatten().flat_map(|w| w.to_le_bytes()));
    bytes.extend(names);
    bytes
}

fn process(stack_size: u32) -> Plan {
    Plan {
        stack_size,
        exec_stack: false,
        ram: None,
    }
}

fn machine(ram: Range<u64>) -> Plan {
    Plan {
        stack_size: 0x1000,
        exec_stack: false,
        ram: Some(Vec::from([ram])),
    }
}

fn message(bytes: Vec<u8>) -> String {
    match Image::parse(bytes) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn with(phdr: Phdr, changes: &[(usize, u32)]) -> Phdr {
    let mut new = phdr;
    for &(field, value) in changes {
        new[field] = value;
    }
    new
}

#[test]
fn a_good_file() {
    let image = Image::parse(elf(
        &[DATA, TEXT],
        &[("_end", 0x1_3008), ("tail", 0x1_0010)],
    ))
    .unwrap();
    assert_eq!((image.entry, image.segments.len()), (0x1_0000, 2));
    assert_eq!(image.segments[0].vaddr, 0x1_0000);
    assert_eq!(image.segments[1].permissions, Some(Permissions::RW));
    assert_eq!(image.data(&image.segments[1]), [0x5a; 16]);
    let symbols = image.symbols();
    let at = |addr| image.code_at(addr).map(|(s, offset)| (&*s.name, offset));
    assert_eq!(at(0x1_0004), Some(("main", 4)));
    assert_eq!(at(0x1_0008), None);
    assert_eq!(at(0xffff), None);
    // A label has no size, but ends where the code does.
    assert_eq!(at(0x1_0014), Some(("tail", 4)));
    assert_eq!(at(0x1_2000), None);
    assert_eq!(symbols.by_name("main").map(|s| s.addr), Some(0x1_0000));
    assert!(symbols.by_name("other").is_none());

    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    let layout = load(&image, &mut memory, &process(8 << 20)).unwrap();
    assert_eq!(layout.heap, 0x1_3008..0x7f7f_e000);
    assert_eq!(layout.stack, 0x7f7f_f000..0x7fff_f000);
    assert_eq!(memory.permissions(layout.stack.start - 1), None);
    assert_eq!(memory.permissions(layout.stack.end), None);
    assert_eq!(memory.permissions(0x1_0000), Some(Permissions::RX));
    assert_eq!(memory.load::<u32>(0x1_200c), Ok(0x5a5a_5a5a));
    assert_eq!(memory.load::<u32>(0x1_2010), Ok(0));
    assert_eq!(memory.permissions(0x2_0000), None);
}

#[test]
fn a_heap_has_no_page_of_a_program_that_may_not_be_written() {
    for extra in [&[][..], &[("_end", 0x1_0020)]] {
        let image = Image::parse(elf(&[TEXT], extra)).unwrap();
        let mut memory = Memory::new(MemoryConfig::default()).unwrap();
        let layout = load(&image, &mut memory, &process(0x1000)).unwrap();
        assert_eq!(layout.heap.start, 0x1_1000, "{extra:?}");
    }
}

#[test]
fn a_machine_has_flat_ram_and_its_data_twice() {
    let plan = machine(0x1_0000..0x4_0000);
    let image = Image::parse(elf(&[TEXT, DATA], &[])).unwrap();
    assert_eq!(plan.lowest_address(&image), 0x1_0000);
    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    let layout = load(&image, &mut memory, &plan).unwrap();
    assert_eq!(memory.load::<u32>(0x2_000c), Ok(0x5a5a_5a5a));
    for addr in [0x1_0000, 0x1_2000, 0x2_0000, 0x3_ffff] {
        assert_eq!(memory.permissions(addr), Some(Permissions::RWX), "{addr:x}");
    }
    assert_eq!(memory.permissions(0x4_0000), None);
    assert_eq!(memory.permissions(0xffff), None);
    assert_eq!(layout.heap, 0x1_3000..0x1_f000);
    assert_eq!(layout.stack, 0x1_f000..0x2_0000);

    // Load addresses that are a segment's own are left alone.
    let own = with(DATA, &[(3, 0x1_0008)]);
    let image = Image::parse(elf(&[TEXT, own], &[])).unwrap();
    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    let layout = load(&image, &mut memory, &plan).unwrap();
    assert_eq!(memory.load::<u32>(0x1_000c), Ok(0x5a5a_5a5a));
    assert_eq!(layout.stack.end, 0x4_0000);

    // Whatever their flags say, segments outside RAM are memory of the machine; the stack then is elsewhere.
    let closed = [with(TEXT, &[(6, 0)]), with(DATA, &[(6, 4)])];
    let image = Image::parse(elf(&closed, &[])).unwrap();
    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    let plan = machine(0x8000_0000..0x8001_0000);
    let layout = load(&image, &mut memory, &plan).unwrap();
    assert_eq!(plan.lowest_address(&image), 0x1_0000);
    assert_eq!(memory.permissions(0x1_0000), Some(Permissions::RWX));
    assert_eq!(memory.load::<u32>(0x1_0000), Ok(0x5a5a_5a5a));
    assert_eq!(memory.permissions(0x1_3000), None);
    assert_eq!(layout.heap, 0x1_3000..0x1_3000);
    assert_eq!(layout.stack, 0x7fff_e000..0x7fff_f000);
}

#[test]
fn a_machine_may_have_page_0() {
    let low = [with(TEXT, &[(2, 0), (3, 0)]), DATA];
    let mut bytes = elf(&low, &[]);
    bytes[24..28].fill(0);
    let image = Image::parse(bytes).unwrap();
    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    load(&image, &mut memory, &machine(0x1000..0x4_0000)).unwrap();
    assert_eq!(memory.load::<u32>(0), Ok(0x5a5a_5a5a));
}

#[test]
fn a_stack_that_does_not_fit_is_an_error() {
    let image = Image::parse(elf(&[TEXT, DATA], &[])).unwrap();
    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    let error = load(&image, &mut memory, &process(0xffff_0000));
    assert!(matches!(error, Err(LoadError::NoRoomForStack(_))));
}

#[test]
fn bad_segments_are_named() {
    let rows: &[(&[(usize, u32)], &str)] = &[
        (&[(0, 2)], "accepted"),
        (&[(0, 3)], "dynamically linked"),
        (&[(4, 0x1001)], "larger in the file than in memory"),
        (&[(1, 0xffff_fff0)], "lies outside the file"),
        (&[(1, 0xffff_fff0), (4, 0)], "accepted"),
        (&[(5, 0xffff_0000)], "does not fit"),
        (&[(2, 0xffff_f000)], "accepted"),
        (&[(2, 0xffff_f001)], "does not fit"),
        (&[(2, 0)], "accepted"),
        (&[(2, 0x1000)], "accepted"),
        (&[(2, 0x1_001f)], "overlap"),
        (&[(2, 0x1_0020)], "accepted"),
        (&[(5, 0), (4, 0), (2, 0)], "accepted"),
    ];
    for (changes, expected) in rows {
        let text = message(elf(&[TEXT, with(DATA, changes)], &[]));
        assert!(text.contains(expected), "{changes:x?}: {text}");
    }
}

#[test]
fn bad_headers_are_named() {
    // Offset in the file, bytes there, message.
    let rows: &[(usize, &[u8], &str)] = &[
        (0, b"\x7fELG", "not an ELF file"),
        (4, &[2], "64-bit RISC-V"),
        (4, &[3], "not a 32-bit"),
        (5, &[2], "little-endian"),
        (16, &[1, 0], "object file"),
        (16, &[3, 0], "position-independent"),
        (16, &[4, 0], "core dump"),
        (16, &[9, 0], "unknown ELF type 0x9"),
        (18, &[62, 0], "x86-64"),
        (18, &[183, 0], "ARM64"),
        (24, &[2, 0, 1, 0], "not a multiple of 4"),
        (24, &[0x20, 0, 1, 0], "not inside a segment"),
        (24, &[0, 0x20, 1, 0], "accepted"),
        // What the flags say of extensions refuses nothing.
        (36, &[1], "accepted"),
        (36, &[2], "accepted"),
        (36, &[4], "accepted"),
        (36, &[8], "accepted"),
        (36, &[16], "accepted"),
        (42, &[33], "33 bytes"),
        (44, &[0, 0], "no loadable segment"),
        (44, &[0xff, 0xff], "cut off in its ELF program headers"),
        (28, &[0xff; 4], "cut off in its ELF program headers"),
        // A damaged symbol table costs the symbols only.
        (32, &[0xff; 4], "accepted"),
        (46, &[41], "accepted"),
        (0x300 + 40 + 16, &[0xff; 8], "accepted"),
        (0x300 + 40 + 24, &[0xff; 4], "accepted"),
    ];
    for (offset, change, expected) in rows {
        let mut bytes = elf(&[TEXT, DATA], &[]);
        bytes[*offset..offset + change.len()].copy_from_slice(change);
        let text = message(bytes);
        assert!(text.contains(expected), "{offset}: {change:?}: {text}");
    }
    assert_eq!(message(Vec::new()), "the file is empty");
}

/// Parses and, if that is possible, loads and looks at symbols: none of it may panic.
fn exercise(bytes: Vec<u8>, memory: &mut Memory) -> bool {
    let Ok(image) = Image::parse(bytes) else {
        return false;
    };
    for plan in [process(1 << 20), machine(0x1_0000..0x8_0000)] {
        if let Ok(layout) = load(&image, memory, &plan) {
            let args = [b"x".to_vec()];
            let stack = initial_stack(memory, &layout, image.entry, &args, &[]);
            assert!(stack.is_ok());
            assert!(layout.heap.start <= layout.heap.end);
        }
        memory.reset().unwrap();
    }
    for symbol in image.symbols().entries() {
        let (found, offset) = image.symbols().code_at(symbol.addr).unwrap_or((symbol, 0));
        assert_eq!(found.addr.wrapping_add(offset), symbol.addr);
    }
    true
}

#[test]
fn no_damage_panics() {
    let symbols = [
        ("__stack", 0x1_8000),
        ("_end", 0x1_3000),
        ("tohost", 0x1_2000),
    ];
    let good = elf(&[TEXT, DATA], &symbols);
    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    assert!(exercise(good.clone(), &mut memory));
    for len in 0..good.len() {
        exercise(good[..len].to_vec(), &mut memory);
    }
    let mut accepted = 0;
    for at in 0..good.len() {
        for value in [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, good[at] ^ 0x10] {
            let mut bytes = good.clone();
            bytes[at] = value;
            accepted += u32::from(exercise(bytes, &mut memory));
        }
        let mut bytes = good.clone();
        let end = (at + 4).min(bytes.len());
        bytes[at..end].fill(0xff);
        exercise(bytes, &mut memory);
    }
    // Most of the file is data, where damage is not seen: the test reaches the loader.
    assert!(accepted > 1000, "{accepted}");
}

#[test]
fn files_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let open = |path: &Path| Image::open(path).unwrap_err().to_string();
    assert_eq!(open(dir.path()), "is a directory, not a program");
    assert_eq!(open(&dir.path().join("missing")), "no such file");
    assert_eq!(
        open(Path::new("/dev/null")),
        "is not a regular file or pipe"
    );
    let file = dir.path().join("file");
    std::fs::write(&file, b"#!/bin/sh\n").unwrap();
    assert_eq!(open(&file), "not an ELF file");
    assert_eq!(open(&file.join("below")), "no such file");
    // A sparse file: nothing of its size is ever allocated.
    File::create(&file)
        .unwrap()
        .set_len(LARGEST_FILE + 1)
        .unwrap();
    assert!(open(&file).contains("too large"));
}

#[test]
fn of_a_large_file_only_what_runs_need_is_read() {
    let mut bytes = elf(&[TEXT, DATA], &[("tohost", 0x1_2000)]);
    bytes.resize(1 << 20, 0x77);
    let path = std::env::temp_dir().join(format!("rvjit-{}-large.elf", std::process::id()));
    std::fs::write(&path, &bytes).unwrap();
    let opened = Image::open(&path).unwrap();
    let parsed = Image::parse(bytes.clone()).unwrap();
    assert_eq!(opened.segments, parsed.segments);
    for segment in &opened.segments {
        assert_eq!(opened.data(segment), parsed.data(segment));
    }
    assert_eq!(opened.special, parsed.special);
    assert!(opened.special.tohost.is_some());
    assert_eq!(opened.symbols(), parsed.symbols());
    assert_eq!(opened.file.parts()[bytes.len() - 1], 0, "not read yet");
    assert_eq!(opened.bytes(), bytes);
    std::fs::remove_file(path).unwrap();
}

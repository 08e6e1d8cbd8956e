//! Emitted code as a relocatable ELF file for its host, for `objdump` and whatever else reads object files.
//!
//! All code is in `.text` at the offsets that listings show; nothing in it needs relocation, because every branch is
//! inside.

use super::functions::Function;
use crate::jit::view::preview::{Ahead, Host};
use object::write::{Object, SectionId, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope};

/// The bytes of the file. `functions` are those that the code was made of.
///
/// # Errors
/// What the writer refuses: code of more than 4 GiB.
pub fn write(ahead: &Ahead, functions: &[Function]) -> Result<Vec<u8>, object::write::Error> {
    let architecture = match ahead.host {
        Host::Arm64 => Architecture::Aarch64,
        Host::X86_64 => Architecture::X86_64,
    };
    let mut object = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
    let text = object.section_id(object::write::StandardSection::Text);
    object.append_section_data(text, &ahead.code, 16);
    if ahead.host == Host::Arm64 {
        // The mapping symbol that marks code (ELF for the Arm 64-bit Architecture, 5.5.1).
        symbol(&mut object, text, "$x", 0..0, SymbolKind::Label);
    }
    let stubs = ahead.stubs.code.len() as u64;
    let enter = u64::from(ahead.stubs.enter.0);
    symbol(
        &mut object,
        text,
        "rvjit.stubs",
        enter..stubs,
        SymbolKind::Text,
    );
    for (function, made) in functions.iter().zip(&ahead.functions) {
        let place = u64::from(made.host.start.0)..u64::from(made.host.end.0);
        symbol(&mut object, text, &function.name, place, SymbolKind::Text);
    }
    object.write()
}

/// Adds a local symbol: static functions of several files may share a name.
fn symbol(
    object: &mut Object<'_>,
    section: SectionId,
    name: &str,
    place: std::ops::Range<u64>,
    kind: SymbolKind,
) {
    object.add_symbol(Symbol {
        name: name.as_bytes().to_vec(),
        value: place.start,
        size: place.end.saturating_sub(place.start),
        kind,
        scope: SymbolScope::Compilation,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    });
}

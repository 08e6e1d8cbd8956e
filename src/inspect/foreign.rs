//! What to say of a word that cannot be executed, the same for `info` and for a run that met it.

use crate::elf::{Image, Toolchain};
use crate::platform::Platform;
use crate::rv32::{Insn, decode, foreign};

/// What the word is: `amoadd.w, A extension`. Empty where it is nothing that is known.
#[must_use]
pub fn name(word: u32) -> String {
    match word {
        0 => "zeroed memory".to_owned(),
        _ => foreign(word).map_or_else(String::new, |foreign| foreign.to_string()),
    }
}

/// What to do about it; `None` where nothing helps.
#[must_use]
pub fn advice(word: u32, image: &Image, platform: Platform) -> Option<String> {
    /// The word's bits 9 and 8 of a CSR's number: which privilege it needs.
    const PRIVILEGE: u32 = 3 << 28;
    if let Some(Insn::Csr { .. }) = decode(word) {
        let machine = word & PRIVILEGE != 0 && platform != Platform::Bare;
        return machine.then(|| "a machine has it: --platform bare".to_owned());
    }
    let found = foreign(word)?;
    match found.extension {
        "privileged" if platform == Platform::Bare => None,
        "privileged" => Some("a machine has it: --platform bare".to_owned()),
        "custom opcode" | "supervisor mode" | "debug mode" => None,
        _ => Some(Toolchain::of(image).advice().to_owned()),
    }
}

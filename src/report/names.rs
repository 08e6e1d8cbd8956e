//! Names of functions as their language writes them.

use crate::elf::Image;

/// A symbol's name as a person wrote it: Rust and C++ names without their mangling, and nothing that a terminal would
/// take for a command.
#[must_use]
pub fn demangle(name: &str) -> String {
    let plain = if let Ok(rust) = rustc_demangle::try_demangle(name) {
        format!("{rust:#}")
    } else {
        let cpp = name
            .starts_with("_Z")
            .then(|| cpp_demangle::Symbol::new(name));
        let options = cpp_demangle::DemangleOptions::default();
        let text = cpp.and_then(|symbol| symbol.ok()?.demangle(&options).ok());
        text.unwrap_or_else(|| name.to_owned())
    };
    printable(&plain)
}

/// A name from a file, fit for a terminal.
#[must_use]
pub fn printable(name: &str) -> String {
    let replace = |c: char| if c.is_control() { '?' } else { c };
    name.chars().map(replace).collect()
}

/// `main+0x10`, or `main` at its first instruction; `None` where no symbol covers the address.
#[must_use]
pub fn symbol_offset(image: &Image, pc: u32) -> Option<String> {
    let (symbol, offset) = image.code_at(pc)?;
    let name = demangle(&symbol.name);
    Some(match offset {
        0 => name,
        _ => format!("{name}+{offset:#x}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_three_languages() {
        let rows = [
            ("main", "main"),
            (
                "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
                "core::fmt::Write::write_fmt",
            ),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_ZN3foo3barEiPKc", "foo::bar(int, char const*)"),
            ("_Zbroken", "_Zbroken"),
            ("a\x1b[31mb\n", "a?[31mb?"),
            ("", ""),
        ];
        for (mangled, name) in rows {
            assert_eq!(demangle(mangled), name, "{mangled:?}");
        }
    }
}

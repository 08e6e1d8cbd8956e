//! Names of functions as their language writes them.

use crate::elf::Image;
use std::fmt::{self, Write};

/// Bytes of a name that are shown. Few names are longer, and a few hundred bytes of a mangled one can stand for more
/// text than there is memory.
const SHOWN: usize = 2048;
/// Bytes of the longest name that is taken for a mangled one.
const LONGEST_MANGLED: usize = 4096;

/// A symbol's name as a person wrote it: Rust and C++ names without their mangling, and nothing that a terminal would
/// take for a command; of a very long one the beginning.
#[must_use]
pub fn demangle(name: &str) -> String {
    if name.len() > LONGEST_MANGLED {
        return printable(name);
    }
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return Shown::of(|shown| write!(shown, "{rust:#}")).unwrap_or_else(|| printable(name));
    }
    let cpp = name
        .starts_with("_Z")
        .then(|| cpp_demangle::Symbol::new(name));
    let options = cpp_demangle::DemangleOptions::default();
    let text = cpp.and_then(|symbol| {
        let symbol = symbol.ok()?;
        Shown::of(|shown| symbol.structured_demangle(shown, &options))
    });
    text.unwrap_or_else(|| printable(name))
}

/// A name from a file, fit for a terminal.
#[must_use]
pub fn printable(name: &str) -> String {
    Shown::of(|shown| shown.write_str(name)).unwrap_or_default()
}

/// Whether a terminal shows a character as it is: no control character, and none that changes the order of others
/// (Unicode Standard Annex 9, "Directional Formatting Characters").
fn is_plain(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    !(c.is_control() || turns || breaks)
}

/// A text fit for a terminal, with escapes for what it would not show as it is.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match is_plain(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_unicode()),
        }
    }
    shown
}

/// A text that takes no more than is shown of a name: what writes more is told to stop.
struct Shown {
    text: String,
    full: bool,
}

impl Shown {
    /// What is written; `None` where writing failed for another reason than the length.
    fn of(write: impl FnOnce(&mut Shown) -> fmt::Result) -> Option<String> {
        let mut shown = Shown {
            text: String::new(),
            full: false,
        };
        let written = write(&mut shown);
        if shown.full {
            shown.text.push('…');
            return Some(shown.text);
        }
        written.ok().map(|()| shown.text)
    }
}

impl Write for Shown {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.text.len() + c.len_utf8() > SHOWN {
                self.full = true;
                return Err(fmt::Error);
            }
            self.text.push(if is_plain(c) { c } else { '?' });
        }
        Ok(())
    }
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
            ("a\u{202e}b\u{2066}", "a?b?"),
            ("", ""),
        ];
        for (mangled, name) in rows {
            assert_eq!(demangle(mangled), name, "{mangled:?}");
        }
    }

    /// Each `S_I..E` names the one before it twice.
    #[test]
    fn a_short_name_does_not_become_endless_text() {
        let digit = |n: usize| char::from_digit(u32::try_from(n).unwrap(), 36).unwrap();
        for depth in [18, 36] {
            let mut name = "_Z1f1AIiiE".to_owned();
            for n in 0..depth {
                let last = digit(n).to_ascii_uppercase();
                name += &format!("S_IS{last}_S{last}_E");
            }
            let text = demangle(&name);
            assert!(text.starts_with("f(A<int, int>, A<A<int, int>"), "{text}");
            assert!(text.ends_with('…') && text.len() < 2 * SHOWN, "{depth}");
        }
        assert_eq!(printable(&"a\n".repeat(SHOWN)).chars().count(), SHOWN + 1);
        let long = "x".repeat(SHOWN);
        assert_eq!(demangle(&long), long, "not cut");
    }
}

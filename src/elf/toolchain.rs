//! Which compiler made a program, so that advice names its options: the section `.comment` has a line from each.

use super::{Image, sections};

/// A compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// rustc, also where a C compiler made parts of it.
    Rustc,
    /// clang.
    Clang,
    /// gcc, and whatever did not tell.
    Gcc,
}

impl Toolchain {
    /// The compiler of a program.
    #[must_use]
    pub fn of(image: &Image) -> Toolchain {
        let bytes = image.bytes();
        let all = sections(bytes);
        let comment = all.iter().find(|s| s.name == ".comment");
        let text = comment.and_then(|s| bytes.get(s.data.clone()));
        Toolchain::named(text.unwrap_or_default())
    }

    /// The compiler that lines with a NUL behind each name. clang's version names LLVM, as rustc's does not.
    fn named(comment: &[u8]) -> Toolchain {
        let has = |name: &[u8]| comment.windows(name.len()).any(|w| w == name);
        if has(b"rustc") {
            Toolchain::Rustc
        } else if has(b"clang") {
            Toolchain::Clang
        } else {
            Toolchain::Gcc
        }
    }

    /// What to do for a program that rvjit executes whole.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Toolchain::Rustc => "build it for the target riscv32im-unknown-none-elf",
            Toolchain::Clang => {
                "build all of it, the C library too, with --target=riscv32 -march=rv32im -mabi=ilp32"
            }
            Toolchain::Gcc => "build all of it, the C library too, with -march=rv32im -mabi=ilp32",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_are_told_apart() {
        let rows: [(&[u8], Toolchain); 5] = [
            (b"GCC: (13.2.0-11ubuntu1+12) 13.2.0\0", Toolchain::Gcc),
            (
                b"Ubuntu clang version 18.1.3 (1ubuntu1)\0",
                Toolchain::Clang,
            ),
            (
                b"rustc version 1.95.0 (59807616e 2026-04-14)\0",
                Toolchain::Rustc,
            ),
            (b"GCC: (GNU) 12\0rustc version 1.80.0\0", Toolchain::Rustc),
            (b"", Toolchain::Gcc),
        ];
        for (comment, expected) in rows {
            assert_eq!(Toolchain::named(comment), expected);
        }
    }
}

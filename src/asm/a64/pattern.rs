//! Instruction words in the notation of the Arm ARM, parsed while compiling.
//!
//! A pattern is 32 cells from bit 31 down: `0` and `1` are fixed, a lower-case letter names a field, spaces are
//! ignored. A letter with several runs names one value encoded in each of them (`nnnnn … nnnnn`: the same register
//! twice; `s`: the width of the registers). A run of the same letter in upper case holds the low bits of a split field
//! (ADR's `immlo`).

/// The 32 cells of an instruction word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern {
    pub(super) fixed: u32,
    pub(super) mask: u32,
    cells: [u8; 32],
}

/// Where a letter of a [`Pattern`] is encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// Lowest bit of the last run of the letter.
    lo: u32,
    /// Width of each run of the letter.
    run: u32,
    /// Sum of `1 << lowest bit` over the runs, so that one multiplication fills them all.
    scale: u32,
    low_lo: u32,
    low_width: u32,
    /// All bits of the field.
    pub(super) bits: u32,
}

impl Pattern {
    /// Fails to compile unless `text` has exactly 32 cells.
    pub(super) const fn parse(text: &str) -> Pattern {
        let text = text.as_bytes();
        let mut pattern = Pattern {
            fixed: 0,
            mask: 0,
            cells: [0; 32],
        };
        let (mut i, mut cell) = (0, 0);
        while i < text.len() {
            if text[i] != b' ' {
                assert!(cell < 32, "pattern is longer than 32 bits");
                let bit = 1u32 << (31 - cell);
                match text[i] {
                    b'0' => pattern.mask |= bit,
                    b'1' => {
                        pattern.mask |= bit;
                        pattern.fixed |= bit;
                    }
                    b'a'..=b'z' | b'A'..=b'Z' => {}
                    _ => panic!("a cell is 0, 1 or a letter"),
                }
                pattern.cells[cell] = text[i];
                cell += 1;
            }
            i += 1;
        }
        assert!(cell == 32, "pattern is shorter than 32 bits");
        pattern
    }

    /// Fails to compile unless the letter is there and its runs are equally wide.
    pub(super) const fn field(&self, letter: u8) -> Field {
        let mut field = Field {
            lo: 0,
            run: 0,
            scale: 0,
            low_lo: 0,
            low_width: 0,
            bits: 0,
        };
        let (mut bit, mut length) = (32, 0);
        while bit > 0 {
            bit -= 1;
            let cell = self.cells[31 - bit as usize];
            if cell == letter {
                field.bits |= 1 << bit;
                length += 1;
                if bit == 0 || self.cells[32 - bit as usize] != letter {
                    assert!(
                        field.run == 0 || field.run == length,
                        "runs of a letter differ in width"
                    );
                    (field.lo, field.run) = (bit, length);
                    field.scale |= 1 << bit;
                    length = 0;
                }
            } else if cell == letter.to_ascii_uppercase() {
                field.bits |= 1 << bit;
                field.low_lo = bit;
                field.low_width += 1;
            }
        }
        assert!(field.run > 0, "no such letter in the pattern");
        field
    }
}

impl Field {
    /// Bits of the value, both parts of a split field together.
    pub(super) const fn width(&self) -> u32 {
        self.run + self.low_width
    }

    /// The value in place. Operand types guarantee that it fits.
    #[inline]
    pub(super) const fn put(self, value: u32) -> u32 {
        debug_assert!(value >> self.width() == 0, "operand does not fit");
        let low = value & ((1 << self.low_width) - 1);
        ((value >> self.low_width) * self.scale) | (low << self.low_lo)
    }

    /// The value in `word`, or `None` if its runs differ.
    pub(super) fn get(self, word: u32) -> Option<u32> {
        let high = (word >> self.lo) & ((1 << self.run) - 1);
        let low = (word >> self.low_lo) & ((1 << self.low_width) - 1);
        let value = (high << self.low_width) | low;
        (self.put(value) == word & self.bits).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_field_keeps_its_low_bits_in_the_upper_case_run() {
        let field = Pattern::parse("0 II 10000 iiiiiiiiiiiiiiiiiii ddddd").field(b'i');
        assert_eq!(field.width(), 21);
        assert_eq!(field.put(0b101), (0b01 << 29) | (1 << 5));
        assert_eq!(field.get(field.put(0x1f_ffff)), Some(0x1f_ffff));
    }

    #[test]
    fn a_repeated_field_must_agree() {
        let field = Pattern::parse("s 00 100111 s 0 nnnnn iiiiii nnnnn ddddd").field(b'n');
        assert_eq!(field.put(3), (3 << 16) | (3 << 5));
        assert_eq!(field.get((3 << 16) | (3 << 5)), Some(3));
        assert_eq!(field.get((3 << 16) | (4 << 5)), None);
    }
}

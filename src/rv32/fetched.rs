//! Instructions as they stand in memory: the one place that knows how long they are.

use super::{Insn, decode, disassemble, expand};

/// Which instructions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Isa {
    /// Instructions of 16 bits (the C extension): any even address may be jumped to.
    pub compressed: bool,
}

impl Isa {
    /// IALIGN in bytes: what addresses of instructions are multiples of (Unprivileged spec 1.5).
    #[must_use]
    pub const fn alignment(self) -> u32 {
        1 << self.alignment_bits()
    }

    /// log2 of [`Isa::alignment`].
    #[must_use]
    pub const fn alignment_bits(self) -> u32 {
        if self.compressed { 1 } else { 2 }
    }

    /// Whether an instruction may begin at an address.
    #[must_use]
    pub const fn is_aligned(self, pc: u32) -> bool {
        pc.is_multiple_of(self.alignment())
    }
}

/// What stands at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched {
    /// The address.
    pub pc: u32,
    /// The bits; the upper half is 0 where there are only 16.
    pub bits: u32,
    /// Bytes: 2 or 4.
    pub len: u32,
    /// The instruction, if it is one.
    pub insn: Option<Insn>,
}

impl Fetched {
    /// Fetches what stands at `pc`, by half-words where instructions may have that length: the second one only if there is
    /// one, so that the end of a page faults exactly.
    ///
    /// # Errors
    /// What `half` and `word` meet.
    #[inline]
    pub fn at<E>(
        isa: Isa,
        pc: u32,
        mut half: impl FnMut(u32) -> Result<u16, E>,
    ) -> Result<Fetched, E> {
        let low = half(pc)?;
        if isa.compressed && low & 3 != 3 {
            return Ok(Fetched {
                pc,
                bits: low.into(),
                len: 2,
                insn: expand(low),
            });
        }
        let high = half(pc.wrapping_add(2))?;
        let bits = u32::from(high) << 16 | u32::from(low);
        Ok(Fetched {
            pc,
            bits,
            len: 4,
            insn: decode(bits),
        })
    }

    /// Its bits by half-words, as they stand in memory.
    #[expect(clippy::cast_possible_truncation, reason = "halves are what is wanted")]
    pub fn halves(&self) -> impl Iterator<Item = u16> {
        let halves = [self.bits as u16, (self.bits >> 16) as u16];
        halves.into_iter().take(self.len as usize / 2)
    }

    /// The address behind it.
    #[must_use]
    pub const fn next(&self) -> u32 {
        self.pc.wrapping_add(self.len)
    }

    /// Its text, as objdump prints it.
    #[must_use]
    pub fn text(&self) -> String {
        match (self.insn, self.len) {
            (Some(insn), _) => disassemble(insn, self.pc),
            (None, 2) => format!(".2byte\t{:#x}", self.bits),
            (None, _) => format!(".4byte\t{:#x}", self.bits),
        }
    }

    /// Its bits in hexadecimal: 4 digits or 8.
    #[must_use]
    pub fn digits(&self) -> String {
        match self.len {
            2 => format!("{:04x}", self.bits),
            _ => format!("{:08x}", self.bits),
        }
    }
}

//! The ARM64 assembler and disassembler.
//!
//! `alu`, `mem` and `flow` are tables with one row an instruction, in the Arm ARM's notation; a row is both the method
//! of [`Assembler`] and the text, so they cannot disagree. Operands are types: one that may not fit is made by a
//! constructor that says so, and no method can encode anything but what it was given. The text is GNU objdump's,
//! preferred aliases included; `tests/golden/a64.txt` has been compared with it.
//!
//! A new instruction is a row, in front of what it is an alias of, and a few lines in `tests`.

mod alu;
mod flow;
mod imm;
mod label;
mod mem;
mod offset;
mod operand;
mod pattern;
mod table;
#[cfg(test)]
mod tests;

pub use imm::{
    Amount, BitField, BitmaskImm, BitmaskImm32, BitmaskImm64, ExtShift, Imm5, Imm12, MovImm, Nzcv,
};
pub use label::{Label, LabelError, branch_displacement, patch_branch};
pub use offset::{
    Access, AdrDisp, AdrpDisp, Disp, Disp14, Disp19, Disp26, Index, PairOff, SImm9, TestBit, UOff,
};
pub use operand::{Class, Codec, Cond, Gpr, IntoOrSp, LogicShift, OrSp, SP, Shift, W, WZR, X, XZR};
pub use table::Info;

use super::writes::Writes;
use table::Row;

/// Appends instructions to a vector of words.
#[derive(Debug, Default)]
pub struct Assembler {
    words: Vec<u32>,
    labels: label::Labels,
    writes: Writes,
}

impl Assembler {
    /// An empty one.
    #[must_use]
    pub fn new() -> Assembler {
        Assembler::default()
    }

    /// Index of the next word.
    #[inline]
    #[must_use]
    pub fn here(&self) -> usize {
        self.words.len()
    }

    /// What has been emitted. Branches to labels that are not bound yet are incomplete.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// What the instructions so far write; a zero register is none.
    #[inline]
    #[must_use]
    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Appends a word as it is.
    #[inline]
    pub fn emit(&mut self, word: u32) {
        self.push(word);
        self.writes.anything();
    }

    #[inline]
    fn push(&mut self, word: u32) {
        self.words.push(word);
        self.writes.instruction();
    }

    /// The latest instruction writes the register of this number, in the low five bits; 31 is none, or sp.
    #[inline]
    fn wrote(&mut self, number: u32) {
        if number & 31 != 31 {
            self.writes.register(number);
        }
    }

    /// Forgets words and labels, and keeps the memory.
    pub fn clear(&mut self) {
        self.words.clear();
        self.labels.clear();
    }

    /// Sets `d` to `value` in one or two instructions.
    pub fn mov_u32(&mut self, d: W, value: u32) {
        if let Some(imm) = MovImm::covering(value.into()) {
            self.movz(d, imm);
        } else if let Some(imm) = MovImm::covering((!value).into()) {
            self.movn(d, imm);
        } else if let (false, Some(imm)) = (d == WZR, BitmaskImm32::new(value)) {
            self.mov_bitmask(d, imm);
        } else {
            self.movz(d, MovImm::low_of(value));
            self.movk(d, MovImm::high_of(value));
        }
    }

    /// Sets `d` to `value` in one to four instructions.
    pub fn mov_u64(&mut self, d: X, value: u64) {
        if let Some(imm) = MovImm::covering(value) {
            return self.movz(d, imm);
        }
        if let Some(imm) = MovImm::covering(!value) {
            return self.movn(d, imm);
        }
        if let (false, Some(imm)) = (d == XZR, BitmaskImm64::new(value)) {
            return self.mov_bitmask(d, imm);
        }
        let parts = [0, 16, 32, 48].map(|shift| {
            #[expect(clippy::cast_possible_truncation, reason = "16 bits at a time")]
            let part = (value >> shift) as u16;
            (part, shift)
        });
        let ones = parts.iter().filter(|part| part.0 == 0xffff).count();
        let zeros = parts.iter().filter(|part| part.0 == 0).count();
        let filler = if ones > zeros { 0xffff } else { 0 };
        let mut first = true;
        for (part, shift) in parts.into_iter().filter(|part| part.0 != filler) {
            let inverted = first && filler != 0;
            let Some(imm) = MovImm::new(if inverted { !part } else { part }, shift) else {
                continue;
            };
            match (first, inverted) {
                (true, true) => self.movn(d, imm),
                (true, false) => self.movz(d, imm),
                (false, _) => self.movk(d, imm),
            }
            first = false;
        }
    }
}

/// All rows, in order of preference.
fn all_rows() -> impl Iterator<Item = &'static Row> {
    [alu::ROWS, mem::ROWS, flow::ROWS]
        .into_iter()
        .flatten()
        .copied()
        .flatten()
}

/// The text of the instruction `word` at address `at`, as GNU objdump prints it; `.inst 0x…` if this assembler has no such
/// instruction, as with the conditions `al` and `nv`. Moves to and from wsp, which nothing emits, print without their alias.
#[must_use]
pub fn disassemble(word: u32, at: u64) -> String {
    all_rows()
        .find_map(|row| row.print(word, at))
        .unwrap_or_else(|| format!(".inst {word:#010x}"))
}

/// What `word` does with the general registers, or `None` if this assembler has no such instruction.
#[must_use]
pub fn classify(word: u32) -> Option<Info> {
    let row = all_rows().find(|row| row.print(word, 0).is_some())?;
    Some(row.info(word))
}

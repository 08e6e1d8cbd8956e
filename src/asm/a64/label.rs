//! Labels for branches within one `Assembler`, and changing the displacement of a branch that is emitted already.
//!
//! The branches that wait for a label are a list threaded through one vector, so that binding costs only what it
//! patches.

use super::Assembler;
use super::offset::{Disp, Disp14, Disp19, Disp26, TestBit};
use super::operand::{Cond, Gpr};
use std::fmt;

/// A place in the code that branches can lead to before it is known; made by [`Assembler::label`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(usize);

#[derive(Debug, Clone, Copy)]
enum Place {
    /// Index of the latest waiting branch in `Labels::waiting`.
    Unbound(Option<usize>),
    /// Index of the word.
    Bound(usize),
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    word: usize,
    next: Option<usize>,
}

/// The labels of an assembler.
#[derive(Debug, Default)]
pub(super) struct Labels {
    places: Vec<Place>,
    waiting: Vec<Waiting>,
}

impl Labels {
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.waiting.clear();
    }
}

/// Why a label cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelError {
    /// The branch at this word index cannot reach the label at that one.
    OutOfRange {
        /// Word index of the branch.
        branch: usize,
        /// Word index of the label.
        target: usize,
    },
    /// The label is bound already, to this word index.
    Bound(usize),
    /// The label belongs to another assembler, or was made before it was cleared.
    Unknown,
}

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LabelError::OutOfRange { branch, target } => {
                write!(
                    f,
                    "the branch at {:#x} does not reach {:#x}",
                    branch * 4,
                    target * 4
                )
            }
            LabelError::Bound(word) => write!(f, "the label is bound already, at {:#x}", word * 4),
            LabelError::Unknown => f.write_str("the label is not of this code"),
        }
    }
}

impl std::error::Error for LabelError {}

/// How a branch word keeps its displacement.
#[derive(Debug, Clone, Copy)]
enum Form {
    Imm26,
    Imm19,
    Imm14,
}

fn form(word: u32) -> Option<Form> {
    match word {
        w if w & 0x7c00_0000 == 0x1400_0000 => Some(Form::Imm26),
        w if w & 0xff00_0010 == 0x5400_0000 || w & 0x7e00_0000 == 0x3400_0000 => Some(Form::Imm19),
        w if w & 0x7e00_0000 == 0x3600_0000 => Some(Form::Imm14),
        _ => None,
    }
}

/// `word`, a B, BL, B.cond, CBZ, CBNZ, TBZ or TBNZ, leading `displacement` bytes from itself; `None` if that is out of
/// its range or not a multiple of 4, or `word` is another instruction.
#[must_use]
pub fn patch_branch(word: u32, displacement: i64) -> Option<u32> {
    Some(match form(word)? {
        Form::Imm26 => word & !0x03ff_ffff | Disp26::new(displacement)?.bits(),
        Form::Imm19 => word & !0x00ff_ffe0 | Disp19::new(displacement)?.bits() << 5,
        Form::Imm14 => word & !0x0007_ffe0 | Disp14::new(displacement)?.bits() << 5,
    })
}

/// Where such a branch leads, in bytes from itself; `None` if `word` is another instruction.
#[must_use]
pub fn branch_displacement(word: u32) -> Option<i64> {
    Some(match form(word)? {
        Form::Imm26 => Disp26::from_bits(word).bytes(),
        Form::Imm19 => Disp19::from_bits(word >> 5).bytes(),
        Form::Imm14 => Disp14::from_bits(word >> 5).bytes(),
    })
}

/// The displacement of a branch to a label until that is bound: to itself, so that a forgotten label is a visible loop.
const fn unresolved<const WIDTH: u32>() -> Disp<WIDTH, 2> {
    match Disp::new(0) {
        Some(disp) => disp,
        None => unreachable!(),
    }
}

impl Assembler {
    /// A new label, not bound yet.
    pub fn label(&mut self) -> Label {
        self.labels.places.push(Place::Unbound(None));
        Label(self.labels.places.len() - 1)
    }

    /// Makes `label` stand for the next word, and completes the branches that wait for it.
    ///
    /// # Errors
    /// If it is bound already or of other code, or one of the branches does not reach this far; the rest of them are then
    /// incomplete and the code is of no use.
    pub fn bind(&mut self, label: Label) -> Result<(), LabelError> {
        let target = self.here();
        let place = self
            .labels
            .places
            .get_mut(label.0)
            .ok_or(LabelError::Unknown)?;
        let mut next = match std::mem::replace(place, Place::Bound(target)) {
            Place::Unbound(head) => head,
            Place::Bound(word) => {
                *place = Place::Bound(word);
                return Err(LabelError::Bound(word));
            }
        };
        while let Some(waiting) = next
            .and_then(|index| self.labels.waiting.get(index))
            .copied()
        {
            self.patch_to(waiting.word, target)?;
            next = waiting.next;
        }
        Ok(())
    }

    /// The word index `label` is bound to, if it is.
    #[must_use]
    pub fn place_of(&self, label: Label) -> Option<usize> {
        match self.labels.places.get(label.0)? {
            Place::Bound(word) => Some(*word),
            Place::Unbound(_) => None,
        }
    }

    /// Whether a branch still waits for a label.
    #[must_use]
    pub fn has_unbound_branches(&self) -> bool {
        self.labels
            .places
            .iter()
            .any(|place| matches!(place, Place::Unbound(Some(_))))
    }

    /// Lets the branch at word index `branch` lead to word index `target`.
    ///
    /// # Errors
    /// If it does not reach, or there is no branch at `branch`.
    pub fn patch_to(&mut self, branch: usize, target: usize) -> Result<(), LabelError> {
        let error = LabelError::OutOfRange { branch, target };
        let word = self.words.get_mut(branch).ok_or(error)?;
        let words = i64::try_from(target)
            .ok()
            .zip(i64::try_from(branch).ok())
            .map(|(to, from)| to - from);
        *word = words
            .and_then(|words| patch_branch(*word, words * 4))
            .ok_or(error)?;
        Ok(())
    }

    /// Resolves the branch just emitted, or lets it wait.
    fn refer(&mut self, label: Label) -> Result<(), LabelError> {
        let branch = self.here() - 1;
        let waiting = self.labels.waiting.len();
        match self
            .labels
            .places
            .get_mut(label.0)
            .ok_or(LabelError::Unknown)?
        {
            Place::Bound(target) => {
                let target = *target;
                self.patch_to(branch, target)
            }
            Place::Unbound(head) => {
                let next = head.replace(waiting);
                self.labels.waiting.push(Waiting { word: branch, next });
                Ok(())
            }
        }
    }
}

macro_rules! to_label {
    ($($name:ident $(<$g:ident>)? = $plain:ident($($arg:ident: $ty:ty),*);)*) => {
        impl Assembler { $(
            #[doc = concat!("[`Self::", stringify!($plain), "`] to a label.")]
            ///
            /// # Errors
            /// If the label is of other code, or bound already and out of reach.
            #[inline]
            pub fn $name $(<$g: Gpr>)? (&mut self, $($arg: $ty,)* label: Label) -> Result<(), LabelError> {
                self.$plain($($arg,)* unresolved());
                self.refer(label)
            }
        )* }
    };
}

to_label! {
    b_to = b();
    bl_to = bl();
    b_cond_to = b_cond(cond: Cond);
    cbz_to<R> = cbz(t: R);
    cbnz_to<R> = cbnz(t: R);
    tbz_to<R> = tbz(t: R, bit: TestBit<R>);
    tbnz_to<R> = tbnz(t: R, bit: TestBit<R>);
}

#[cfg(test)]
mod tests {
    use super::super::disassemble;
    use super::*;
    use crate::asm::a64::{W, X};

    /// Emits each kind of branch to `label`.
    fn branches(asm: &mut Assembler, label: Label) -> Result<(), LabelError> {
        asm.b_to(label)?;
        asm.bl_to(label)?;
        asm.b_cond_to(Cond::Lt, label)?;
        asm.cbz_to(W(1), label)?;
        asm.cbnz_to(X(2), label)?;
        asm.tbz_to(W(3), TestBit::new(31).unwrap(), label)?;
        asm.tbnz_to(X(4), TestBit::new(32).unwrap(), label)
    }

    #[test]
    fn every_branch_finds_a_label_before_and_after_it() {
        let mut asm = Assembler::new();
        let (back, forth) = (asm.label(), asm.label());
        asm.bind(back).unwrap();
        branches(&mut asm, back).unwrap();
        branches(&mut asm, forth).unwrap();
        assert!(asm.has_unbound_branches());
        asm.bind(forth).unwrap();
        assert!(!asm.has_unbound_branches());
        assert_eq!(
            (asm.place_of(back), asm.place_of(forth)),
            (Some(0), Some(14))
        );
        let text: Vec<String> = (0..)
            .zip(asm.words())
            .map(|(i, &word)| disassemble(word, 0x1000 + 4 * i))
            .collect();
        for (lines, target) in [(&text[..7], "0x1000"), (&text[7..], "0x1038")] {
            let expected = [
                "b ",
                "bl ",
                "b.lt ",
                "cbz w1, ",
                "cbnz x2, ",
                "tbz w3, #31, ",
                "tbnz x4, #32, ",
            ];
            assert_eq!(lines, expected.map(|start| format!("{start}{target}")));
        }
    }

    #[test]
    fn a_label_out_of_reach_is_an_error() {
        let mut asm = Assembler::new();
        let (start, far) = (asm.label(), asm.label());
        asm.bind(start).unwrap();
        asm.tbz_to(W(0), TestBit::new(0).unwrap(), far).unwrap();
        while asm.here() < 0x2000 {
            asm.nop();
        }
        let error = LabelError::OutOfRange {
            branch: 0,
            target: 0x2000,
        };
        assert_eq!(asm.bind(far), Err(error));
        assert_eq!(error.to_string(), "the branch at 0x0 does not reach 0x8000");
        assert!(asm.tbz_to(W(0), TestBit::new(0).unwrap(), start).is_ok());
        assert!(asm.tbz_to(W(0), TestBit::new(0).unwrap(), start).is_err());
    }

    #[test]
    fn a_label_is_bound_once_and_only_where_it_was_made() {
        let mut asm = Assembler::new();
        let label = asm.label();
        asm.bind(label).unwrap();
        asm.nop();
        assert_eq!(asm.bind(label), Err(LabelError::Bound(0)));
        assert_eq!(asm.place_of(label), Some(0));
        asm.clear();
        assert_eq!(asm.bind(label), Err(LabelError::Unknown));
        assert_eq!(asm.b_to(label), Err(LabelError::Unknown));
    }

    #[test]
    fn patching_keeps_the_rest_of_the_word_and_refuses_what_does_not_reach() {
        let mut asm = Assembler::new();
        let label = asm.label();
        branches(&mut asm, label).unwrap();
        let limits = [
            1i64 << 27,
            1 << 27,
            1 << 20,
            1 << 20,
            1 << 20,
            1 << 15,
            1 << 15,
        ];
        for (&word, limit) in asm.words().iter().zip(limits) {
            for displacement in [4, -4, limit - 4, -limit] {
                let patched = patch_branch(word, displacement).unwrap();
                assert_eq!(branch_displacement(patched), Some(displacement));
                assert_eq!(patch_branch(patched, 0), Some(word));
            }
            for displacement in [limit, -limit - 4, 2, i64::MIN] {
                assert_eq!(
                    patch_branch(word, displacement),
                    None,
                    "{word:#x} {displacement:#x}"
                );
            }
        }
        assert_eq!(patch_branch(0xd503_201f, 4), None);
        assert_eq!(branch_displacement(0xd65f_03c0), None);
    }
}

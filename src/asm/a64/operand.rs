//! Registers, conditions and shifts, and the [`Codec`] every operand has: its bits and its text.

use super::offset::Access;
use std::marker::PhantomData;

/// What a field of an instruction means for register use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A general register, 31 being the zero register.
    OrZr,
    /// A general register, 31 being the stack pointer.
    OrSp,
    /// Not a register.
    Other,
}

/// How an operand is encoded into its field and printed.
pub trait Codec {
    /// What the assembler's method takes.
    type Value;
    /// Width of the field in bits.
    const WIDTH: u32;
    /// Whether the field is a register.
    const CLASS: Class = Class::Other;
    /// The field's bits; all values of the type fit.
    fn bits(value: Self::Value) -> u32;
    /// The text GNU objdump prints in an instruction at address `at`; `None` if `bits` mean another instruction.
    fn text(bits: u32, at: u64) -> Option<String>;
}

/// The width of a general register: [`W`](struct@W) or [`X`](struct@X).
pub trait Gpr: Codec<Value = Self> + Access + Copy + std::fmt::Debug + Eq + 'static {
    /// The `sf` bit of the Arm ARM.
    const SF: u32;
    /// Bits in the register.
    const BITS: u32 = 32 << Self::SF;
    /// The stack pointer's name at this width.
    const SP_NAME: &'static str;
    /// The register's number, 0 to 31.
    fn number(self) -> u8;
}

macro_rules! register {
    ($name:ident, $prefix:literal, $zr_name:literal, $sp_name:literal, $sf:literal, $zr:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name {
            number: u8,
        }

        #[doc = concat!($doc, " The register with a number from 0 to 31.")]
        ///
        /// # Panics
        /// If the number is above 31 (when compiling, in a constant).
        #[expect(
            non_snake_case,
            reason = "reads as the register's name in code that emits"
        )]
        #[inline]
        #[must_use]
        pub const fn $name(number: u8) -> $name {
            assert!(number < 32, "no such register");
            $name { number }
        }

        #[doc = concat!("The zero register `", $zr_name, "`.")]
        pub const $zr: $name = $name(31);

        impl $name {
            /// The register's number, 0 to 31.
            #[inline]
            #[must_use]
            pub const fn number(self) -> u8 {
                self.number
            }
            /// The same register, 32 bits wide.
            #[inline]
            #[must_use]
            pub const fn w(self) -> W {
                W {
                    number: self.number,
                }
            }
            /// The same register, 64 bits wide.
            #[inline]
            #[must_use]
            pub const fn x(self) -> X {
                X {
                    number: self.number,
                }
            }
        }

        impl Codec for $name {
            type Value = $name;
            const WIDTH: u32 = 5;
            const CLASS: Class = Class::OrZr;
            #[inline]
            fn bits(value: $name) -> u32 {
                value.number.into()
            }
            fn text(bits: u32, _: u64) -> Option<String> {
                Some(match bits {
                    31 => $zr_name.to_string(),
                    n => format!("{}{n}", $prefix),
                })
            }
        }

        impl Gpr for $name {
            const SF: u32 = $sf;
            const SP_NAME: &'static str = $sp_name;
            #[inline]
            fn number(self) -> u8 {
                self.number
            }
        }

        impl IntoOrSp<$name> for $name {
            #[inline]
            fn or_sp(self) -> OrSp<$name> {
                assert!(self.number != 31, "the zero register where 31 means sp");
                OrSp::at(self.number)
            }
        }
    };
}

register!(
    W,
    "w",
    "wzr",
    "wsp",
    0,
    WZR,
    "A 32-bit general register; 31 is `wzr`."
);
register!(
    X,
    "x",
    "xzr",
    "sp",
    1,
    XZR,
    "A 64-bit general register; 31 is `xzr`."
);

/// A general register or the stack pointer, where an encoding's 31 means the latter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrSp<R> {
    number: u8,
    width: PhantomData<R>,
}

impl<R> OrSp<R> {
    const fn at(number: u8) -> Self {
        OrSp {
            number,
            width: PhantomData,
        }
    }
}

/// The stack pointer `sp`.
pub const SP: OrSp<X> = OrSp::at(31);

/// What may stand where 31 means the stack pointer: a general register other than zr, or [`SP`].
pub trait IntoOrSp<R> {
    /// The operand.
    ///
    /// # Panics
    /// If this is the zero register, which cannot be encoded there.
    fn or_sp(self) -> OrSp<R>;
}

impl<R: Gpr> IntoOrSp<R> for OrSp<R> {
    #[inline]
    fn or_sp(self) -> OrSp<R> {
        self
    }
}

impl<R: Gpr> Codec for OrSp<R> {
    type Value = OrSp<R>;
    const WIDTH: u32 = 5;
    const CLASS: Class = Class::OrSp;
    #[inline]
    fn bits(value: OrSp<R>) -> u32 {
        value.number.into()
    }
    fn text(bits: u32, at: u64) -> Option<String> {
        if bits == 31 {
            Some(R::SP_NAME.to_string())
        } else {
            R::text(bits, at)
        }
    }
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident, $width:literal: $($(#[$vdoc:meta])* $variant:ident = $bits:literal $text:literal),*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant = $bits),* }

        impl $name {
            /// All of them, in the order of their encodings.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
        }

        impl Codec for $name {
            type Value = $name;
            const WIDTH: u32 = $width;
            #[inline]
            fn bits(value: $name) -> u32 {
                value as u32
            }
            fn text(bits: u32, _: u64) -> Option<String> {
                match bits { $($bits => Some($text.to_string()),)* _ => None }
            }
        }
    };
}

names! {
    /// A condition (Arm ARM C1.2.4) without `al` and `nv`, which have no inverse and no use.
    Cond, 4:
    /// Equal.
    Eq = 0 "eq",
    /// Not equal.
    Ne = 1 "ne",
    /// Carry set: unsigned higher or same.
    Cs = 2 "cs",
    /// Carry clear: unsigned lower.
    Cc = 3 "cc",
    /// Negative.
    Mi = 4 "mi",
    /// Positive or zero.
    Pl = 5 "pl",
    /// Overflow.
    Vs = 6 "vs",
    /// No overflow.
    Vc = 7 "vc",
    /// Unsigned higher.
    Hi = 8 "hi",
    /// Unsigned lower or same.
    Ls = 9 "ls",
    /// Signed greater or equal.
    Ge = 10 "ge",
    /// Signed less.
    Lt = 11 "lt",
    /// Signed greater.
    Gt = 12 "gt",
    /// Signed less or equal.
    Le = 13 "le"
}

impl Cond {
    /// The condition that holds exactly when this one does not.
    #[inline]
    #[must_use]
    pub const fn invert(self) -> Cond {
        Cond::ALL[(self as usize) ^ 1]
    }
}

/// A condition encoded as its inverse: the aliases CSET, CSETM, CINC, CINV and CNEG.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inverted;

impl Codec for Inverted {
    type Value = Cond;
    const WIDTH: u32 = 4;
    #[inline]
    fn bits(value: Cond) -> u32 {
        value as u32 ^ 1
    }
    fn text(bits: u32, at: u64) -> Option<String> {
        Cond::text(bits ^ 1, at)
    }
}

names! {
    /// How an arithmetic instruction shifts its last register.
    Shift, 2:
    /// Left.
    Lsl = 0 "lsl",
    /// Right, filling with zeros.
    Lsr = 1 "lsr",
    /// Right, filling with the sign.
    Asr = 2 "asr"
}

names! {
    /// How a logical instruction shifts its last register.
    LogicShift, 2:
    /// Left.
    Lsl = 0 "lsl",
    /// Right, filling with zeros.
    Lsr = 1 "lsr",
    /// Right, filling with the sign.
    Asr = 2 "asr",
    /// Right, filling with what leaves.
    Ror = 3 "ror"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverting_a_condition_twice_gives_it_back_and_never_itself() {
        for &cond in Cond::ALL {
            assert_ne!(cond.invert(), cond);
            assert_eq!(cond.invert().invert(), cond);
        }
        assert_eq!(Cond::Lt.invert(), Cond::Ge);
        assert_eq!(Cond::Hi.invert(), Cond::Ls);
    }

    #[test]
    #[should_panic(expected = "no such register")]
    fn there_is_no_register_32() {
        let _ = W(32);
    }

    #[test]
    #[should_panic(expected = "the zero register where 31 means sp")]
    fn the_zero_register_does_not_become_sp() {
        let _ = XZR.or_sp();
    }
}

//! Offsets of loads and stores and displacements of branches, in bytes, each with the range and alignment it can
//! encode.

use super::operand::{Codec, Gpr, W, X};
use std::marker::PhantomData;

/// The size of a memory access: `u8`, `u16`, [`W`](struct@W) or [`X`](struct@X).
pub trait Access: Copy {
    /// Base-2 logarithm of the size in bytes.
    const LOG2: u32;
}

impl Access for u8 {
    const LOG2: u32 = 0;
}
impl Access for u16 {
    const LOG2: u32 = 1;
}
impl Access for W {
    const LOG2: u32 = 2;
}
impl Access for X {
    const LOG2: u32 = 3;
}

/// Sign-extends the low `width` bits.
fn signed(bits: u32, width: u32) -> i64 {
    i64::from((bits << (32 - width)).cast_signed() >> (32 - width))
}

/// The low `width` bits of `value >> log2`, if nothing is lost.
const fn scaled(value: i64, log2: u32, width: u32) -> Option<u32> {
    let units = value >> log2;
    if units << log2 != value || units >> (width - 1) != units >> 63 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "fewer than 32 bits are kept"
    )]
    Some(units as u32 & ((1 << width) - 1))
}

/// An unsigned offset: 12 bits times the size of the access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UOff<A> {
    bits: u32,
    access: PhantomData<A>,
}

impl<A: Access> UOff<A> {
    /// `None` unless `bytes` is a multiple of the size and below 4096 times it.
    #[inline]
    #[must_use]
    pub const fn new(bytes: u32) -> Option<Self> {
        let units = bytes >> A::LOG2;
        if units << A::LOG2 != bytes || units > 0xfff {
            return None;
        }
        Some(UOff {
            bits: units,
            access: PhantomData,
        })
    }
}

impl<A: Access> Codec for UOff<A> {
    type Value = Self;
    const WIDTH: u32 = 12;
    #[inline]
    fn bits(value: Self) -> u32 {
        value.bits
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        Some(format!("#{}", bits << A::LOG2))
    }
}

/// The signed offset of LDUR, STUR and their family, −256 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SImm9(u32);

impl SImm9 {
    /// `None` unless `bytes` is from −256 to 255.
    #[inline]
    #[must_use]
    pub const fn new(bytes: i32) -> Option<Self> {
        match scaled(bytes as i64, 0, 9) {
            Some(bits) => Some(SImm9(bits)),
            None => None,
        }
    }
}

impl Codec for SImm9 {
    type Value = Self;
    const WIDTH: u32 = 9;
    #[inline]
    fn bits(value: Self) -> u32 {
        value.0
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        Some(format!("#{}", signed(bits, 9)))
    }
}

/// The signed offset of LDP and STP: 7 bits times the size of one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairOff<R> {
    bits: u32,
    register: PhantomData<R>,
}

impl<R: Access> PairOff<R> {
    /// `None` unless `bytes` is a multiple of the register's size and from −64 to 63 times it.
    #[inline]
    #[must_use]
    pub const fn new(bytes: i32) -> Option<Self> {
        match scaled(bytes as i64, R::LOG2, 7) {
            Some(bits) => Some(PairOff {
                bits,
                register: PhantomData,
            }),
            None => None,
        }
    }
}

impl<R: Access> Codec for PairOff<R> {
    type Value = Self;
    const WIDTH: u32 = 7;
    #[inline]
    fn bits(value: Self) -> u32 {
        value.bits
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        Some(format!("#{}", signed(bits, 7) << R::LOG2))
    }
}

/// An offset that is not printed when it is 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elided<C>(PhantomData<C>);

impl<C: Codec> Codec for Elided<C> {
    type Value = C::Value;
    const WIDTH: u32 = C::WIDTH;
    #[inline]
    fn bits(value: C::Value) -> u32 {
        C::bits(value)
    }
    fn text(bits: u32, at: u64) -> Option<String> {
        if bits == 0 {
            Some(String::new())
        } else {
            C::text(bits, at).map(|text| format!(", {text}"))
        }
    }
}

/// Whether an index register counts bytes or units of the access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Bytes.
    Bytes,
    /// Units: the index is shifted left by the base-2 logarithm of the access's size.
    Units,
}

/// An [`Index`] of an extended register.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExtIndex<A>(PhantomData<A>);

impl<A: Access> Codec for ExtIndex<A> {
    type Value = Index;
    const WIDTH: u32 = 1;
    #[inline]
    fn bits(value: Index) -> u32 {
        value as u32
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        Some(if bits == 0 {
            String::new()
        } else {
            format!(" #{}", A::LOG2)
        })
    }
}

/// An [`Index`] of a 64-bit register.
#[derive(Debug, Clone, Copy)]
pub(super) struct LslIndex<A>(PhantomData<A>);

impl<A: Access> Codec for LslIndex<A> {
    type Value = Index;
    const WIDTH: u32 = 1;
    #[inline]
    fn bits(value: Index) -> u32 {
        value as u32
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        Some(if bits == 0 {
            String::new()
        } else {
            format!(", lsl #{}", A::LOG2)
        })
    }
}

/// A displacement from the instruction: `WIDTH` signed bits in units of 2^`LOG2` bytes, printed as the address it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disp<const WIDTH: u32, const LOG2: u32>(u32);

/// Of B and BL: ±128 MiB.
pub type Disp26 = Disp<26, 2>;
/// Of B.cond, CBZ, CBNZ and LDR (literal): ±1 MiB.
pub type Disp19 = Disp<19, 2>;
/// Of TBZ and TBNZ: ±32 KiB.
pub type Disp14 = Disp<14, 2>;
/// Of ADR: ±1 MiB, any byte.
pub type AdrDisp = Disp<21, 0>;
/// Of ADRP: ±4 GiB, between the 4 KiB pages of the instruction and the target.
pub type AdrpDisp = Disp<21, 12>;

impl<const WIDTH: u32, const LOG2: u32> Disp<WIDTH, LOG2> {
    /// `None` if `bytes` is out of range or not a multiple of the unit.
    #[inline]
    #[must_use]
    pub const fn new(bytes: i64) -> Option<Self> {
        match scaled(bytes, LOG2, WIDTH) {
            Some(bits) => Some(Disp(bits)),
            None => None,
        }
    }

    /// The displacement whose field is `bits`.
    pub(super) fn from_bits(bits: u32) -> Self {
        Disp(bits & ((1 << WIDTH) - 1))
    }

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> i64 {
        signed(self.0, WIDTH) << LOG2
    }

    #[inline]
    pub(super) const fn bits(self) -> u32 {
        self.0
    }
}

impl<const WIDTH: u32, const LOG2: u32> Codec for Disp<WIDTH, LOG2> {
    type Value = Self;
    const WIDTH: u32 = WIDTH;
    #[inline]
    fn bits(value: Self) -> u32 {
        value.0
    }
    fn text(bits: u32, at: u64) -> Option<String> {
        // Units larger than an instruction (ADRP) count from the start of the unit that the instruction is in.
        let base = if LOG2 > 2 { at >> LOG2 << LOG2 } else { at };
        Some(format!(
            "{:#x}",
            base.wrapping_add_signed(Disp::<WIDTH, LOG2>(bits).bytes())
        ))
    }
}

/// The bit that TBZ and TBNZ test: 0 to 31 of a [`W`](struct@W), 32 to 63 of an [`X`](struct@X).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestBit<R> {
    bits: u32,
    register: PhantomData<R>,
}

impl<R: Gpr> TestBit<R> {
    /// `None` unless `bit` is one that needs a register of this width.
    #[inline]
    #[must_use]
    pub const fn new(bit: u32) -> Option<Self> {
        if bit >> 5 != R::SF {
            return None;
        }
        Some(TestBit {
            bits: bit & 31,
            register: PhantomData,
        })
    }
}

impl<R: Gpr> Codec for TestBit<R> {
    type Value = Self;
    const WIDTH: u32 = 5;
    #[inline]
    fn bits(value: Self) -> u32 {
        value.bits
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        Some(format!("#{}", bits | R::SF << 5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_accept_their_range_and_no_more() {
        assert!(UOff::<u8>::new(4095).is_some() && UOff::<u8>::new(4096).is_none());
        assert!(UOff::<u16>::new(8190).is_some() && UOff::<u16>::new(1).is_none());
        assert!(UOff::<W>::new(16380).is_some() && UOff::<W>::new(16384).is_none());
        assert!(UOff::<X>::new(32760).is_some() && UOff::<X>::new(4).is_none());
        assert!(SImm9::new(-256).is_some() && SImm9::new(255).is_some());
        assert!(SImm9::new(-257).is_none() && SImm9::new(256).is_none());
        assert!(PairOff::<X>::new(-512).is_some() && PairOff::<X>::new(504).is_some());
        assert!(PairOff::<X>::new(512).is_none() && PairOff::<X>::new(4).is_none());
        assert!(PairOff::<W>::new(-256).is_some() && PairOff::<W>::new(-260).is_none());
        assert!(TestBit::<W>::new(32).is_none() && TestBit::<X>::new(31).is_none());
        assert!(TestBit::<X>::new(63).is_some() && TestBit::<X>::new(64).is_none());
    }

    #[test]
    fn displacements_accept_their_range_and_no_more() {
        fn check<const WIDTH: u32, const LOG2: u32>() {
            let limit = 1i64 << (WIDTH - 1 + LOG2);
            let unit = 1i64 << LOG2;
            for bytes in [0, unit, -unit, limit - unit, -limit] {
                assert_eq!(Disp::<WIDTH, LOG2>::new(bytes).unwrap().bytes(), bytes);
            }
            for bytes in [limit, -limit - unit, i64::MAX, i64::MIN] {
                assert!(Disp::<WIDTH, LOG2>::new(bytes).is_none(), "{bytes:#x}");
            }
            assert!(LOG2 == 0 || Disp::<WIDTH, LOG2>::new(unit / 2).is_none());
        }
        check::<26, 2>();
        check::<19, 2>();
        check::<14, 2>();
        check::<21, 0>();
        check::<21, 12>();
    }
}

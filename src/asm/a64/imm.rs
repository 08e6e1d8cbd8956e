//! Immediates of data-processing instructions: a value that may not fit is a type with a fallible constructor.

use super::operand::{Codec, Gpr, W, X};
use std::marker::PhantomData;

/// The immediate of ADD and SUB: 12 bits, optionally shifted left by 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imm12(u32);

impl Imm12 {
    /// `value` if it is below 4096, or below 2^24 and a multiple of 4096.
    #[inline]
    #[must_use]
    pub const fn new(value: u32) -> Option<Imm12> {
        if value < 1 << 12 {
            Some(Imm12(value))
        } else if value < 1 << 24 && value & 0xfff == 0 {
            Some(Imm12(1 << 12 | value >> 12))
        } else {
            None
        }
    }
}

impl Codec for Imm12 {
    type Value = Imm12;
    const WIDTH: u32 = 13;
    #[inline]
    fn bits(value: Imm12) -> u32 {
        value.0
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        let shift = if bits >> 12 != 0 { ", lsl #12" } else { "" };
        Some(format!("#{:#x}{shift}", bits & 0xfff))
    }
}

/// A bit pattern that the logical instructions can encode: a rotated run of ones, repeated (Arm ARM C4.1.92,
/// DecodeBitMasks). Holds `N:immr:imms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitmaskImm<R> {
    bits: u32,
    width: PhantomData<R>,
}

/// A [`BitmaskImm`] of a 32-bit instruction.
pub type BitmaskImm32 = BitmaskImm<W>;
/// A [`BitmaskImm`] of a 64-bit instruction.
pub type BitmaskImm64 = BitmaskImm<X>;

impl BitmaskImm<W> {
    /// `None` if `value` is not such a pattern; 0 and all ones are not.
    #[inline]
    #[must_use]
    pub const fn new(value: u32) -> Option<Self> {
        encode_bitmask(value as u64 | (value as u64) << 32)
    }
}

impl BitmaskImm<X> {
    /// `None` if `value` is not such a pattern; 0 and all ones are not.
    #[inline]
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        encode_bitmask(value)
    }
}

const fn encode_bitmask<R>(value: u64) -> Option<BitmaskImm<R>> {
    if value == 0 || value == !0 {
        return None;
    }
    let mut size = 64;
    while size > 2 && value == value.rotate_right(size / 2) {
        size /= 2;
    }
    let ones = (value & (!0 >> (64 - size))).count_ones();
    // Repetition makes a rotation of 64 bits one of the element, so the run can be brought to bit 0 whole.
    let turn = if value & 1 == 0 {
        value.trailing_zeros()
    } else {
        (64 - value.leading_ones()) % 64
    };
    let run = value.rotate_right(turn) & (!0 >> (64 - size));
    if run != (1 << ones) - 1 {
        return None;
    }
    let n = (size == 64) as u32;
    let immr = turn.wrapping_neg() & (size - 1);
    let imms = (size.wrapping_neg() << 1 | (ones - 1)) & 0x3f;
    Some(BitmaskImm {
        bits: n << 12 | immr << 6 | imms,
        width: PhantomData,
    })
}

/// The value of `N:immr:imms`, or `None` if reserved.
fn decode_bitmask<R: Gpr>(bits: u32) -> Option<u64> {
    let (n, immr, imms) = (bits >> 12, (bits >> 6) & 0x3f, bits & 0x3f);
    let size = 1 << (n << 6 | (!imms & 0x3f)).checked_ilog2()?;
    let (turn, ones) = (immr & (size - 1), (imms & (size - 1)) + 1);
    if size < 2 || size > R::BITS || ones == size {
        return None;
    }
    let run = (1u64 << ones) - 1;
    let mut value = run;
    let mut filled = size;
    while filled < 64 {
        value |= value << filled;
        filled *= 2;
    }
    Some(value.rotate_right(turn) & (!0 >> (64 - R::BITS)))
}

impl<R: Gpr> Codec for BitmaskImm<R> {
    type Value = Self;
    const WIDTH: u32 = 13;
    #[inline]
    fn bits(value: Self) -> u32 {
        value.bits
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        decode_bitmask::<R>(bits).map(|value| format!("#{value:#x}"))
    }
}

/// A bitmask immediate as the alias MOV shows it: only if no MOVZ or MOVN makes the value (MoveWidePreferred).
#[derive(Debug, Clone, Copy)]
pub(super) struct MovBitmask<R>(PhantomData<R>);

impl<R: Gpr> Codec for MovBitmask<R> {
    type Value = BitmaskImm<R>;
    const WIDTH: u32 = 13;
    #[inline]
    fn bits(value: BitmaskImm<R>) -> u32 {
        value.bits
    }
    fn text(bits: u32, at: u64) -> Option<String> {
        let value = decode_bitmask::<R>(bits)?;
        let inverse = !value & (!0 >> (64 - R::BITS));
        let one_move = |value: u64| (0..64).step_by(16).any(|hw| (value & !(0xffff << hw)) == 0);
        if one_move(value) || one_move(inverse) {
            return None;
        }
        BitmaskImm::<R>::text(bits, at)
    }
}

/// The immediate of MOVZ, MOVN and MOVK: 16 bits at a multiple of 16. Holds `hw:imm16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovImm<R> {
    bits: u32,
    width: PhantomData<R>,
}

impl<R: Gpr> MovImm<R> {
    /// `value << shift`; `None` unless the shift is a multiple of 16 within the register.
    #[inline]
    #[must_use]
    pub const fn new(value: u16, shift: u32) -> Option<Self> {
        if shift >= R::BITS || !shift.is_multiple_of(16) {
            return None;
        }
        Some(MovImm {
            bits: (shift / 16) << 16 | value as u32,
            width: PhantomData,
        })
    }

    /// Bits 0 to 15 of `value`, in place.
    #[inline]
    #[must_use]
    pub const fn low_of(value: u32) -> Self {
        MovImm {
            bits: value & 0xffff,
            width: PhantomData,
        }
    }

    /// Bits 16 to 31 of `value`, in place.
    #[inline]
    #[must_use]
    pub const fn high_of(value: u32) -> Self {
        MovImm {
            bits: 1 << 16 | value >> 16,
            width: PhantomData,
        }
    }

    /// The 16 bits that are all of `value`, if the rest is zero.
    #[inline]
    #[must_use]
    pub const fn covering(value: u64) -> Option<Self> {
        let shift = if value == 0 {
            0
        } else {
            value.trailing_zeros() / 16 * 16
        };
        let part = value >> shift;
        if part > 0xffff {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "just compared")]
        Self::new(part as u16, shift)
    }
}

/// The value and shift of `hw:imm16`, or `None` if the shift is outside the register.
fn mov_parts<R: Gpr>(bits: u32) -> Option<(u64, u32)> {
    let shift = bits >> 16 << 4;
    (shift < R::BITS).then_some((u64::from(bits & 0xffff), shift))
}

impl<R: Gpr> Codec for MovImm<R> {
    type Value = Self;
    const WIDTH: u32 = 18;
    #[inline]
    fn bits(value: Self) -> u32 {
        value.bits
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        Some(match mov_parts::<R>(bits)? {
            (value, 0) => format!("#{value:#x}"),
            (value, shift) => format!("#{value:#x}, lsl #{shift}"),
        })
    }
}

/// A move-wide immediate as the alias MOV shows it; `NOT` for MOVN.
#[derive(Debug, Clone, Copy)]
pub(super) struct MovWide<R, const NOT: bool>(PhantomData<R>);

impl<R: Gpr, const NOT: bool> Codec for MovWide<R, NOT> {
    type Value = MovImm<R>;
    const WIDTH: u32 = 18;
    #[inline]
    fn bits(value: MovImm<R>) -> u32 {
        value.bits
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        let (part, shift) = mov_parts::<R>(bits)?;
        if part == 0 && shift != 0 || NOT && R::BITS == 32 && part == 0xffff {
            return None;
        }
        let value = part << shift ^ if NOT { !0 } else { 0 };
        Some(format!("#{:#x}", value & (!0 >> (64 - R::BITS))))
    }
}

/// A shift amount below the register's width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount<R> {
    bits: u8,
    width: PhantomData<R>,
}

impl<R: Gpr> Amount<R> {
    /// `None` unless `amount` is below the register's width.
    #[inline]
    #[must_use]
    pub const fn new(amount: u32) -> Option<Self> {
        if amount >= R::BITS {
            return None;
        }
        Some(Self::wrapping(amount))
    }

    /// `amount` modulo the register's width, as the variable shifts take it.
    #[inline]
    #[must_use]
    pub const fn wrapping(amount: u32) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "at most 63")]
        let bits = (amount & (R::BITS - 1)) as u8;
        Amount {
            bits,
            width: PhantomData,
        }
    }
}

impl<R: Gpr> Codec for Amount<R> {
    type Value = Self;
    const WIDTH: u32 = 6;
    #[inline]
    fn bits(value: Self) -> u32 {
        value.bits.into()
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        (bits < R::BITS).then(|| format!("#{bits}"))
    }
}

/// An [`Amount`] as LSL (immediate) encodes it: `immr:imms` of UBFM. A shift by 0 reads back as `lsr #0`.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeftAmount<R>(PhantomData<R>);

impl<R: Gpr> Codec for LeftAmount<R> {
    type Value = Amount<R>;
    const WIDTH: u32 = 12;
    #[inline]
    fn bits(value: Amount<R>) -> u32 {
        let amount = u32::from(value.bits);
        (amount.wrapping_neg() & (R::BITS - 1)) << 6 | (R::BITS - 1 - amount)
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        let (immr, imms) = (bits >> 6, bits & 0x3f);
        (immr < R::BITS && imms + 1 == immr).then(|| format!("#{}", R::BITS - immr))
    }
}

/// A field of a register: its lowest bit and its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitField<R> {
    lsb: u8,
    width: u8,
    register: PhantomData<R>,
}

impl<R: Gpr> BitField<R> {
    /// `None` unless the field is at least one bit and within the register.
    #[inline]
    #[must_use]
    pub const fn new(lsb: u32, width: u32) -> Option<Self> {
        if lsb >= R::BITS || width == 0 || width > R::BITS - lsb {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 64")]
        Some(BitField {
            lsb: lsb as u8,
            width: width as u8,
            register: PhantomData,
        })
    }
}

/// A [`BitField`] that is taken out (UBFX, SBFX, BFXIL), as `immr:imms`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extract<R>(PhantomData<R>);

impl<R: Gpr> Codec for Extract<R> {
    type Value = BitField<R>;
    const WIDTH: u32 = 12;
    #[inline]
    fn bits(value: BitField<R>) -> u32 {
        let lsb = u32::from(value.lsb);
        lsb << 6 | (lsb + u32::from(value.width) - 1)
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        let (immr, imms) = (bits >> 6, bits & 0x3f);
        (immr <= imms && imms < R::BITS).then(|| format!("#{immr}, #{}", imms - immr + 1))
    }
}

/// A [`BitField`] that is put in (UBFIZ, SBFIZ, BFI), as `immr:imms`. One at bit 0 reads back as taken out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Insert<R>(PhantomData<R>);

impl<R: Gpr> Codec for Insert<R> {
    type Value = BitField<R>;
    const WIDTH: u32 = 12;
    #[inline]
    fn bits(value: BitField<R>) -> u32 {
        let immr = u32::from(value.lsb).wrapping_neg() & (R::BITS - 1);
        immr << 6 | (u32::from(value.width) - 1)
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        let (immr, imms) = (bits >> 6, bits & 0x3f);
        (imms < immr && immr < R::BITS).then(|| format!("#{}, #{}", R::BITS - immr, imms + 1))
    }
}

macro_rules! small {
    ($(#[$doc:meta])* $name:ident, $width:literal, $max:literal, |$bits:ident| $text:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(u8);

        impl $name {
            #[doc = concat!("`None` if `value` is above ", $max, ".")]
            #[inline]
            #[must_use]
            pub const fn new(value: u8) -> Option<Self> {
                if value > $max { None } else { Some($name(value)) }
            }
        }

        impl Codec for $name {
            type Value = Self;
            const WIDTH: u32 = $width;
            #[inline]
            fn bits(value: Self) -> u32 {
                value.0.into()
            }
            fn text($bits: u32, _: u64) -> Option<String> {
                ($bits <= $max).then(|| $text)
            }
        }
    };
}

small! {
    /// The left shift after an extension, 0 to 4.
    ExtShift, 3, 4, |bits| if bits == 0 { String::new() } else { format!(" #{bits}") }
}
small! {
    /// The unsigned immediate that CCMP and CCMN compare with, 0 to 31.
    Imm5, 5, 31, |bits| format!("#{bits:#x}")
}
small! {
    /// The flags that CCMP and CCMN set if their condition fails: N is 8, Z 4, C 2, V 1.
    Nzcv, 4, 15, |bits| format!("#{bits:#x}")
}

impl Codec for u16 {
    type Value = u16;
    const WIDTH: u32 = 16;
    #[inline]
    fn bits(value: u16) -> u32 {
        value.into()
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        Some(format!("#{bits:#x}"))
    }
}

/// A 16-bit immediate printed in decimal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal;

impl Codec for Decimal {
    type Value = u16;
    const WIDTH: u32 = 16;
    #[inline]
    fn bits(value: u16) -> u32 {
        value.into()
    }
    fn text(bits: u32, _: u64) -> Option<String> {
        Some(format!("#{bits}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn bitmask_immediates_of_32_bits_are_exactly_the_1302() {
        let values: HashSet<u64> = (0..1 << 13).filter_map(decode_bitmask::<W>).collect();
        assert_eq!(values.len(), 1302);
        for &value in &values {
            let narrow = u32::try_from(value).unwrap();
            let imm = BitmaskImm32::new(narrow).unwrap();
            assert_eq!(decode_bitmask::<W>(imm.bits), Some(value), "{value:#x}");
            for bit in 0..32 {
                let near = narrow ^ (1 << bit);
                assert_eq!(
                    BitmaskImm32::new(near).is_some(),
                    values.contains(&near.into()),
                    "{near:#x}"
                );
            }
        }
        assert!(BitmaskImm32::new(0).is_none() && BitmaskImm32::new(!0).is_none());
    }

    #[test]
    fn bitmask_immediates_of_64_bits_are_exactly_the_5334() {
        let values: HashSet<u64> = (0..1 << 13).filter_map(decode_bitmask::<X>).collect();
        assert_eq!(values.len(), 5334);
        for &value in &values {
            let imm = BitmaskImm64::new(value).unwrap();
            assert_eq!(decode_bitmask::<X>(imm.bits), Some(value), "{value:#x}");
            for bit in 0..64 {
                let near = value ^ (1 << bit);
                assert_eq!(
                    BitmaskImm64::new(near).is_some(),
                    values.contains(&near),
                    "{near:#x}"
                );
            }
        }
        assert!(BitmaskImm64::new(0).is_none() && BitmaskImm64::new(!0).is_none());
    }

    #[test]
    fn immediates_refuse_what_does_not_fit() {
        assert!(Imm12::new(4095).is_some() && Imm12::new(4097).is_none());
        assert!(Imm12::new(0xfff000).is_some() && Imm12::new(0x1000000).is_none());
        assert!(MovImm::<W>::new(1, 16).is_some() && MovImm::<W>::new(1, 32).is_none());
        assert!(MovImm::<X>::new(1, 48).is_some() && MovImm::<X>::new(1, 8).is_none());
        assert!(MovImm::<X>::covering(0x1234_0000_0000).is_some());
        assert!(
            MovImm::<X>::covering(0x1_2345).is_none() && MovImm::<W>::covering(1 << 32).is_none()
        );
        assert!(Amount::<W>::new(31).is_some() && Amount::<W>::new(32).is_none());
        assert!(Amount::<X>::new(63).is_some() && Amount::<X>::new(64).is_none());
        assert!(BitField::<W>::new(31, 1).is_some() && BitField::<W>::new(31, 2).is_none());
        assert!(BitField::<X>::new(0, 64).is_some() && BitField::<X>::new(0, 0).is_none());
        assert!(BitField::<X>::new(1, u32::MAX).is_none());
        assert!(Nzcv::new(15).is_some() && Nzcv::new(16).is_none());
        assert!(Imm5::new(31).is_some() && Imm5::new(32).is_none());
        assert!(ExtShift::new(4).is_some() && ExtShift::new(5).is_none());
    }
}

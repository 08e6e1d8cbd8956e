//! The operations of the bit-manipulation extensions and Zicond, and what each computes.
//!
//! As in `op`, the `eval` functions are the only place where a meaning is written (Unprivileged spec, chapters "B",
//! "Zbc", "Zbkb" and "Zicond").

/// Operations on two registers, or on a register and a bit's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is the spec's mnemonic of the same name"
)]
pub enum BitOp {
    Sh1add,
    Sh2add,
    Sh3add,
    Andn,
    Orn,
    Xnor,
    Min,
    Minu,
    Max,
    Maxu,
    Rol,
    Ror,
    Bclr,
    Bext,
    Binv,
    Bset,
    Clmul,
    Clmulr,
    Clmulh,
    Pack,
    Packh,
    CzeroEqz,
    CzeroNez,
}

impl BitOp {
    /// Every operation.
    pub const ALL: [BitOp; 23] = [
        BitOp::Sh1add,
        BitOp::Sh2add,
        BitOp::Sh3add,
        BitOp::Andn,
        BitOp::Orn,
        BitOp::Xnor,
        BitOp::Min,
        BitOp::Minu,
        BitOp::Max,
        BitOp::Maxu,
        BitOp::Rol,
        BitOp::Ror,
        BitOp::Bclr,
        BitOp::Bext,
        BitOp::Binv,
        BitOp::Bset,
        BitOp::Clmul,
        BitOp::Clmulr,
        BitOp::Clmulh,
        BitOp::Pack,
        BitOp::Packh,
        BitOp::CzeroEqz,
        BitOp::CzeroNez,
    ];

    /// Those that take a constant instead of the second register.
    pub const WITH_IMMEDIATE: [BitOp; 5] = [
        BitOp::Ror,
        BitOp::Bclr,
        BitOp::Bext,
        BitOp::Binv,
        BitOp::Bset,
    ];

    /// Whether this is one of Zbc, whose products no host has among its basic instructions.
    #[must_use]
    pub const fn is_carryless_product(self) -> bool {
        matches!(self, BitOp::Clmul | BitOp::Clmulr | BitOp::Clmulh)
    }

    /// The result for operands `a` (rs1) and `b` (rs2 or the immediate). Rotations and single bits use the low five
    /// bits of `b`.
    #[must_use]
    pub const fn eval(self, a: u32, b: u32) -> u32 {
        let bit = 1_u32.wrapping_shl(b);
        let less = a.cast_signed() < b.cast_signed();
        match self {
            BitOp::Sh1add => (a << 1).wrapping_add(b),
            BitOp::Sh2add => (a << 2).wrapping_add(b),
            BitOp::Sh3add => (a << 3).wrapping_add(b),
            BitOp::Andn => a & !b,
            BitOp::Orn => a | !b,
            BitOp::Xnor => !(a ^ b),
            BitOp::Min => choose(less, a, b),
            BitOp::Max => choose(less, b, a),
            BitOp::Minu => choose(a < b, a, b),
            BitOp::Maxu => choose(a < b, b, a),
            BitOp::Rol => a.rotate_left(b & 31),
            BitOp::Ror => a.rotate_right(b & 31),
            BitOp::Bclr => a & !bit,
            BitOp::Bext => a.wrapping_shr(b) & 1,
            BitOp::Binv => a ^ bit,
            BitOp::Bset => a | bit,
            BitOp::Clmul => (carryless(a, b) & 0xffff_ffff) as u32,
            BitOp::Clmulr => (carryless(a, b) >> 31 & 0xffff_ffff) as u32,
            BitOp::Clmulh => (carryless(a, b) >> 32) as u32,
            BitOp::Pack => a & 0xffff | b << 16,
            BitOp::Packh => a & 0xff | (b & 0xff) << 8,
            BitOp::CzeroEqz => choose(b == 0, 0, a),
            BitOp::CzeroNez => choose(b != 0, 0, a),
        }
    }
}

const fn choose(first: bool, a: u32, b: u32) -> u32 {
    if first { a } else { b }
}

/// The 63 bits of the product of two polynomials over GF(2).
const fn carryless(a: u32, b: u32) -> u64 {
    let (mut product, mut bit) = (0, 0);
    while bit < 32 {
        if b >> bit & 1 != 0 {
            product ^= (a as u64) << bit;
        }
        bit += 1;
    }
    product
}

/// Operations on one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is the spec's mnemonic of the same name"
)]
pub enum UnaryOp {
    Clz,
    Ctz,
    Cpop,
    SextB,
    SextH,
    ZextH,
    OrcB,
    Rev8,
    Brev8,
    Zip,
    Unzip,
}

impl UnaryOp {
    /// Every operation.
    pub const ALL: [UnaryOp; 11] = [
        UnaryOp::Clz,
        UnaryOp::Ctz,
        UnaryOp::Cpop,
        UnaryOp::SextB,
        UnaryOp::SextH,
        UnaryOp::ZextH,
        UnaryOp::OrcB,
        UnaryOp::Rev8,
        UnaryOp::Brev8,
        UnaryOp::Zip,
        UnaryOp::Unzip,
    ];

    /// The result for the operand `a` (rs1).
    #[must_use]
    pub const fn eval(self, a: u32) -> u32 {
        match self {
            UnaryOp::Clz => a.leading_zeros(),
            UnaryOp::Ctz => a.trailing_zeros(),
            UnaryOp::Cpop => a.count_ones(),
            UnaryOp::SextB => (a.cast_signed() << 24 >> 24).cast_unsigned(),
            UnaryOp::SextH => (a.cast_signed() << 16 >> 16).cast_unsigned(),
            UnaryOp::ZextH => a & 0xffff,
            UnaryOp::OrcB => {
                // Bit 7 of each byte that is not 0: of its low seven bits by the carry, and of its own.
                let low = (a & 0x7f7f_7f7f) + 0x7f7f_7f7f;
                ((low | a) >> 7 & 0x0101_0101) * 0xff
            }
            UnaryOp::Rev8 => a.swap_bytes(),
            UnaryOp::Brev8 => a.reverse_bits().swap_bytes(),
            UnaryOp::Zip => spread(a & 0xffff) | spread(a >> 16) << 1,
            UnaryOp::Unzip => gather(a) | gather(a >> 1) << 16,
        }
    }
}

/// Bit n of 16 goes to bit 2 n.
const fn spread(half: u32) -> u32 {
    let (mut result, mut bit) = (0, 0);
    while bit < 16 {
        result |= (half >> bit & 1) << (2 * bit);
        bit += 1;
    }
    result
}

/// Bit 2 n goes to bit n: the inverse of [`spread`].
const fn gather(word: u32) -> u32 {
    let (mut result, mut bit) = (0, 0);
    while bit < 16 {
        result |= (word >> (2 * bit) & 1) << bit;
        bit += 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [u32; 14] = [
        0,
        1,
        2,
        0x7f,
        0x80,
        0xff,
        0x100,
        0x7fff,
        0x8000,
        0x0080_0001,
        0x1234_5678,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX,
    ];

    fn bit(value: u32, n: u32) -> u32 {
        value >> n & 1
    }

    /// A word from what each of its bits is.
    fn word(of: impl Fn(u32) -> u32) -> u32 {
        (0..32).map(|n| of(n) << n).sum()
    }

    /// The spec's sentences, bit by bit or in wide arithmetic, against `eval`.
    #[test]
    fn operations_on_two_registers() {
        for a in VALUES {
            for b in VALUES {
                let (sa, sb) = (i64::from(a.cast_signed()), i64::from(b.cast_signed()));
                let low = |wide: u64| (wide & 0xffff_ffff) as u32;
                let add = |n: u32| low((u64::from(a) << n) + u64::from(b));
                let n = b % 32;
                // Coefficient k of the product of polynomials.
                let product = |k: u32| {
                    (0..=k.min(31))
                        .filter(|&i| k - i < 32)
                        .fold(0, |sum, i| sum ^ (bit(a, i) & bit(b, k - i)))
                };
                let rows = [
                    (BitOp::Sh1add, add(1)),
                    (BitOp::Sh2add, add(2)),
                    (BitOp::Sh3add, add(3)),
                    (BitOp::Andn, word(|i| bit(a, i) & (1 - bit(b, i)))),
                    (BitOp::Orn, word(|i| bit(a, i) | (1 - bit(b, i)))),
                    (BitOp::Xnor, word(|i| u32::from(bit(a, i) == bit(b, i)))),
                    (BitOp::Min, if sa < sb { a } else { b }),
                    (BitOp::Max, if sa < sb { b } else { a }),
                    (BitOp::Minu, a.min(b)),
                    (BitOp::Maxu, a.max(b)),
                    (BitOp::Rol, word(|i| bit(a, (i + 32 - n) % 32))),
                    (BitOp::Ror, word(|i| bit(a, (i + n) % 32))),
                    (BitOp::Bclr, word(|i| if i == n { 0 } else { bit(a, i) })),
                    (BitOp::Bext, bit(a, n)),
                    (BitOp::Binv, word(|i| bit(a, i) ^ u32::from(i == n))),
                    (BitOp::Bset, word(|i| if i == n { 1 } else { bit(a, i) })),
                    (BitOp::Clmul, word(product)),
                    (BitOp::Clmulr, word(|i| product(i + 31))),
                    (BitOp::Clmulh, word(|i| product(i + 32))),
                    (
                        BitOp::Pack,
                        word(|i| if i < 16 { bit(a, i) } else { bit(b, i - 16) }),
                    ),
                    (
                        BitOp::Packh,
                        word(|i| match i {
                            0..8 => bit(a, i),
                            8..16 => bit(b, i - 8),
                            _ => 0,
                        }),
                    ),
                    (BitOp::CzeroEqz, if b == 0 { 0 } else { a }),
                    (BitOp::CzeroNez, if b == 0 { a } else { 0 }),
                ];
                for (op, expected) in rows {
                    assert_eq!(op.eval(a, b), expected, "{op:?} {a:#x} {b:#x}");
                }
            }
        }
    }

    #[test]
    fn operations_on_one_register() {
        for a in VALUES {
            let first = |mut bits: std::ops::Range<u32>, from_top: bool| {
                let count = bits
                    .position(|i| bit(a, if from_top { 31 - i } else { i }) == 1)
                    .unwrap_or(32);
                u32::try_from(count).unwrap()
            };
            let [b0, b1, b2, b3] = a.to_le_bytes();
            let bytes = [b0, b1, b2, b3];
            let rows = [
                (UnaryOp::Clz, first(0..32, true)),
                (UnaryOp::Ctz, first(0..32, false)),
                (UnaryOp::Cpop, (0..32).map(|i| bit(a, i)).sum()),
                (UnaryOp::SextB, word(|i| bit(a, i.min(7)))),
                (UnaryOp::SextH, word(|i| bit(a, i.min(15)))),
                (UnaryOp::ZextH, a % 0x1_0000),
                (
                    UnaryOp::OrcB,
                    u32::from_le_bytes(bytes.map(|b| if b == 0 { 0 } else { 0xff })),
                ),
                (UnaryOp::Rev8, u32::from_le_bytes([b3, b2, b1, b0])),
                (UnaryOp::Brev8, word(|i| bit(a, i / 8 * 8 + (7 - i % 8)))),
                (
                    UnaryOp::Zip,
                    word(|i| bit(a, i / 2 + if i % 2 == 0 { 0 } else { 16 })),
                ),
                (
                    UnaryOp::Unzip,
                    word(|i| bit(a, i % 16 * 2 + u32::from(i >= 16))),
                ),
            ];
            for (op, expected) in rows {
                assert_eq!(op.eval(a), expected, "{op:?} {a:#x}");
            }
        }
    }
}

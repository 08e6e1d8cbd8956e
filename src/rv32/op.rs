//! The operations of the guest instructions, and what each computes.
//!
//! The `eval` functions are the only place where the meaning of an arithmetic operation is written: interpreter,
//! constant folding and tests all call them.

/// Two-operand integer operations (Unprivileged spec 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is the spec's mnemonic of the same name"
)]
pub enum AluOp {
    Add,
    Sub,
    Sll,
    Slt,
    Sltu,
    Xor,
    Srl,
    Sra,
    Or,
    And,
}

impl AluOp {
    /// Every operation, in the order of `funct3`.
    pub const ALL: [AluOp; 10] = [
        AluOp::Add,
        AluOp::Sub,
        AluOp::Sll,
        AluOp::Slt,
        AluOp::Sltu,
        AluOp::Xor,
        AluOp::Srl,
        AluOp::Sra,
        AluOp::Or,
        AluOp::And,
    ];

    /// The result for operands `a` (rs1) and `b` (rs2 or the immediate). Shifts use the low five bits of `b`.
    #[must_use]
    pub const fn eval(self, a: u32, b: u32) -> u32 {
        match self {
            AluOp::Add => a.wrapping_add(b),
            AluOp::Sub => a.wrapping_sub(b),
            AluOp::Sll => a.wrapping_shl(b),
            AluOp::Slt => (a.cast_signed() < b.cast_signed()) as u32,
            AluOp::Sltu => (a < b) as u32,
            AluOp::Xor => a ^ b,
            AluOp::Srl => a.wrapping_shr(b),
            AluOp::Sra => a.cast_signed().wrapping_shr(b).cast_unsigned(),
            AluOp::Or => a | b,
            AluOp::And => a & b,
        }
    }

    /// Whether this shifts by the low five bits of its second operand.
    #[must_use]
    pub const fn is_shift(self) -> bool {
        matches!(self, AluOp::Sll | AluOp::Srl | AluOp::Sra)
    }

    /// Whether the operands may change places.
    #[must_use]
    pub const fn is_commutative(self) -> bool {
        matches!(self, AluOp::Add | AluOp::Xor | AluOp::Or | AluOp::And)
    }
}

/// Multiplication and division (Unprivileged spec chapter "M").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is the spec's mnemonic of the same name"
)]
pub enum MulOp {
    Mul,
    Mulh,
    Mulhsu,
    Mulhu,
    Div,
    Divu,
    Rem,
    Remu,
}

impl MulOp {
    /// Every operation, in the order of `funct3`.
    pub const ALL: [MulOp; 8] = [
        MulOp::Mul,
        MulOp::Mulh,
        MulOp::Mulhsu,
        MulOp::Mulhu,
        MulOp::Div,
        MulOp::Divu,
        MulOp::Rem,
        MulOp::Remu,
    ];

    /// The result for operands `a` (rs1) and `b` (rs2). Division by zero and overflow give what the spec's table
    /// "Semantics for division by zero and division overflow" says; nothing traps.
    #[must_use]
    pub const fn eval(self, a: u32, b: u32) -> u32 {
        let (sa, sb) = (a.cast_signed(), b.cast_signed());
        match self {
            MulOp::Mul => a.wrapping_mul(b),
            MulOp::Mulh => high(sa as i64 * sb as i64),
            MulOp::Mulhsu => high(sa as i64 * b as i64),
            MulOp::Mulhu => ((a as u64 * b as u64) >> 32) as u32,
            MulOp::Div => match sb {
                0 => u32::MAX,
                _ => sa.wrapping_div(sb).cast_unsigned(),
            },
            MulOp::Divu => match b {
                0 => u32::MAX,
                _ => a / b,
            },
            MulOp::Rem => match sb {
                0 => a,
                _ => sa.wrapping_rem(sb).cast_unsigned(),
            },
            MulOp::Remu => match b {
                0 => a,
                _ => a % b,
            },
        }
    }
}

const fn high(product: i64) -> u32 {
    (product >> 32) as u32
}

/// Conditions of the conditional branches (Unprivileged spec 2.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the suffix of the branch")]
pub enum Cond {
    Eq,
    Ne,
    Lt,
    Ge,
    Ltu,
    Geu,
}

impl Cond {
    /// Every condition, in the order of `funct3`.
    pub const ALL: [Cond; 6] = [Cond::Eq, Cond::Ne, Cond::Lt, Cond::Ge, Cond::Ltu, Cond::Geu];

    /// Whether a branch on `a` (rs1) and `b` (rs2) is taken.
    #[must_use]
    pub const fn eval(self, a: u32, b: u32) -> bool {
        match self {
            Cond::Eq => a == b,
            Cond::Ne => a != b,
            Cond::Lt => a.cast_signed() < b.cast_signed(),
            Cond::Ge => a.cast_signed() >= b.cast_signed(),
            Cond::Ltu => a < b,
            Cond::Geu => a >= b,
        }
    }

    /// The condition that holds exactly when this one does not.
    #[must_use]
    pub const fn invert(self) -> Cond {
        match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::Lt => Cond::Ge,
            Cond::Ge => Cond::Lt,
            Cond::Ltu => Cond::Geu,
            Cond::Geu => Cond::Ltu,
        }
    }
}

/// Loads (Unprivileged spec 2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is the spec's mnemonic of the same name"
)]
pub enum LoadOp {
    Lb,
    Lh,
    Lw,
    Lbu,
    Lhu,
}

impl LoadOp {
    /// Every load, in the order of `funct3`.
    pub const ALL: [LoadOp; 5] = [LoadOp::Lb, LoadOp::Lh, LoadOp::Lw, LoadOp::Lbu, LoadOp::Lhu];

    /// Bytes read: 1, 2 or 4.
    #[must_use]
    pub const fn width(self) -> u32 {
        match self {
            LoadOp::Lb | LoadOp::Lbu => 1,
            LoadOp::Lh | LoadOp::Lhu => 2,
            LoadOp::Lw => 4,
        }
    }

    /// Extends what was read, given in the low bits, to the register's 32 bits.
    #[must_use]
    pub const fn extend(self, raw: u32) -> u32 {
        match self {
            LoadOp::Lb => (raw.cast_signed() << 24 >> 24).cast_unsigned(),
            LoadOp::Lh => (raw.cast_signed() << 16 >> 16).cast_unsigned(),
            LoadOp::Lw => raw,
            LoadOp::Lbu => raw & 0xff,
            LoadOp::Lhu => raw & 0xffff,
        }
    }
}

/// Stores (Unprivileged spec 2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is the spec's mnemonic of the same name"
)]
pub enum StoreOp {
    Sb,
    Sh,
    Sw,
}

impl StoreOp {
    /// Every store, in the order of `funct3`.
    pub const ALL: [StoreOp; 3] = [StoreOp::Sb, StoreOp::Sh, StoreOp::Sw];

    /// Bytes written: 1, 2 or 4.
    #[must_use]
    pub const fn width(self) -> u32 {
        match self {
            StoreOp::Sb => 1,
            StoreOp::Sh => 2,
            StoreOp::Sw => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unprivileged spec, table "Semantics for division by zero and division overflow".
    #[test]
    fn division_corner_cases() {
        const MIN: u32 = 0x8000_0000;
        const M1: u32 = u32::MAX;
        for (op, a, b, expected) in [
            (MulOp::Divu, 7, 0, M1),
            (MulOp::Remu, 7, 0, 7),
            (MulOp::Div, 7, 0, M1),
            (MulOp::Rem, 7, 0, 7),
            (MulOp::Div, MIN, M1, MIN),
            (MulOp::Rem, MIN, M1, 0),
            (MulOp::Div, M1 - 6, 2, M1 - 2),
            (MulOp::Rem, M1 - 6, 2, M1),
            (MulOp::Mulh, MIN, MIN, 0x4000_0000),
            (MulOp::Mulhsu, M1, M1, M1),
            (MulOp::Mulhsu, MIN, M1, 0x8000_0000),
            (MulOp::Mulhu, M1, M1, M1 - 1),
        ] {
            assert_eq!(op.eval(a, b), expected, "{op:?} {a:#x} {b:#x}");
        }
    }

    #[test]
    fn shifts_use_five_bits() {
        assert_eq!(AluOp::Sll.eval(1, 33), 2);
        assert_eq!(AluOp::Srl.eval(0x8000_0000, 63), 1);
        assert_eq!(AluOp::Sra.eval(0x8000_0000, 31), u32::MAX);
        assert_eq!(AluOp::Sra.eval(0x8000_0000, 32), 0x8000_0000);
    }

    #[test]
    fn inverted_conditions_are_complements() {
        let values = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX];
        for cond in Cond::ALL {
            for a in values {
                for b in values {
                    assert_ne!(cond.eval(a, b), cond.invert().eval(a, b));
                }
            }
        }
    }
}

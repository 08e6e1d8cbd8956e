//! [`Insn`]: one enum for every guest instruction, grouped by shape, and the semantics of its operations.
//!
//! Decoded once and shared by the interpreter, the translator, the disassembler and the tests. The `eval` functions
//! are the only place where the meaning of an arithmetic operation is written: interpreter, constant folding and
//! tests all call them.

use std::fmt;

/// A guest register, x0 to x31.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(u8);

/// The ABI names, as the RISC-V psABI and objdump give them.
const ABI_NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];

impl Reg {
    /// x0, always zero.
    pub const ZERO: Reg = Reg(0);
    /// x1, the return address.
    pub const RA: Reg = Reg(1);
    /// x2, the stack pointer.
    pub const SP: Reg = Reg(2);
    /// x3, the global pointer.
    pub const GP: Reg = Reg(3);
    /// x4, the thread pointer.
    pub const TP: Reg = Reg(4);
    /// x5, t0: the alternate link register.
    pub const T0: Reg = Reg(5);
    /// x8, s0: the frame pointer where there is one.
    pub const S0: Reg = Reg(8);
    /// x10, a0: the first argument and the result.
    pub const A0: Reg = Reg(10);
    /// x11, a1.
    pub const A1: Reg = Reg(11);
    /// x17, a7: the number of a system call.
    pub const A7: Reg = Reg(17);

    /// The register with this number, or `None` above 31.
    #[must_use]
    pub const fn new(number: u8) -> Option<Reg> {
        if number < 32 { Some(Reg(number)) } else { None }
    }

    /// The register whose number stands in the low five bits, as instruction fields hold it.
    #[must_use]
    pub const fn from_field(bits: u32) -> Reg {
        Reg((bits & 31) as u8)
    }

    /// 0 to 31.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// 0 to 31, as instruction fields hold it.
    #[must_use]
    pub const fn field(self) -> u32 {
        self.0 as u32
    }

    /// Whether this is x0.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The psABI's name, for example `a0`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        ABI_NAMES[self.0 as usize]
    }

    /// All 32 registers in order.
    pub fn all() -> impl Iterator<Item = Reg> {
        (0..32).map(Reg)
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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

/// What a Zicsr instruction does with its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CsrOp {
    /// CSRRW: write.
    Write,
    /// CSRRS: set bits.
    Set,
    /// CSRRC: clear bits.
    Clear,
}

/// The operand of a Zicsr instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CsrSource {
    /// rs1.
    Reg(Reg),
    /// A five-bit unsigned constant.
    Imm(u8),
}

/// A decoded guest instruction.
///
/// Offsets are bytes relative to the instruction's own address; immediates are sign-extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields carry the spec's names")]
pub enum Insn {
    /// rd = imm; the low 12 bits of `imm` are zero.
    Lui { rd: Reg, imm: u32 },
    /// rd = pc + imm; the low 12 bits of `imm` are zero.
    Auipc { rd: Reg, imm: u32 },
    /// rd = pc + 4; jump to pc + offset.
    Jal { rd: Reg, offset: i32 },
    /// rd = pc + 4; jump to (rs1 + offset) with bit 0 cleared.
    Jalr { rd: Reg, rs1: Reg, offset: i32 },
    /// Jump to pc + offset where the condition holds.
    Branch {
        cond: Cond,
        rs1: Reg,
        rs2: Reg,
        offset: i32,
    },
    /// rd = memory at rs1 + offset, extended.
    Load {
        op: LoadOp,
        rd: Reg,
        rs1: Reg,
        offset: i32,
    },
    /// Memory at rs1 + offset = the low bits of rs2.
    Store {
        op: StoreOp,
        rs1: Reg,
        rs2: Reg,
        offset: i32,
    },
    /// rd = rs1 op imm. `op` is never `Sub`; a shift's `imm` is 0 to 31.
    AluImm {
        op: AluOp,
        rd: Reg,
        rs1: Reg,
        imm: i32,
    },
    /// rd = rs1 op rs2.
    Alu {
        op: AluOp,
        rd: Reg,
        rs1: Reg,
        rs2: Reg,
    },
    /// rd = rs1 op rs2, multiplication and division.
    Mul {
        op: MulOp,
        rd: Reg,
        rs1: Reg,
        rs2: Reg,
    },
    /// Orders memory accesses; nothing to do for one hart. `bits` holds fm, pred and succ (instruction bits 31–20);
    /// the spec has rd and rs1 ignored.
    Fence { rd: Reg, rs1: Reg, bits: u16 },
    /// Makes stores visible to instruction fetch. The spec has the immediate, rd and rs1 ignored.
    FenceI { rd: Reg, rs1: Reg, bits: u16 },
    /// Reads and changes a control and status register.
    Csr {
        op: CsrOp,
        rd: Reg,
        source: CsrSource,
        csr: u16,
    },
    /// Calls the environment.
    Ecall,
    /// Breakpoint.
    Ebreak,
}

impl Insn {
    /// The register this writes, or `None` where it writes none or x0.
    #[must_use]
    pub const fn destination(self) -> Option<Reg> {
        let rd = match self {
            Insn::Lui { rd, .. }
            | Insn::Auipc { rd, .. }
            | Insn::Jal { rd, .. }
            | Insn::Jalr { rd, .. }
            | Insn::Load { rd, .. }
            | Insn::AluImm { rd, .. }
            | Insn::Alu { rd, .. }
            | Insn::Mul { rd, .. }
            | Insn::Csr { rd, .. } => rd,
            Insn::Branch { .. }
            | Insn::Store { .. }
            | Insn::Fence { .. }
            | Insn::FenceI { .. }
            | Insn::Ecall
            | Insn::Ebreak => return None,
        };
        if rd.is_zero() { None } else { Some(rd) }
    }

    /// The registers this reads, rs1 first; x0 included where it is named.
    #[must_use]
    pub const fn sources(self) -> [Option<Reg>; 2] {
        match self {
            Insn::Jalr { rs1, .. } | Insn::Load { rs1, .. } | Insn::AluImm { rs1, .. } => {
                [Some(rs1), None]
            }
            Insn::Branch { rs1, rs2, .. }
            | Insn::Store { rs1, rs2, .. }
            | Insn::Alu { rs1, rs2, .. }
            | Insn::Mul { rs1, rs2, .. } => [Some(rs1), Some(rs2)],
            Insn::Csr {
                source: CsrSource::Reg(rs1),
                ..
            } => [Some(rs1), None],
            Insn::Lui { .. }
            | Insn::Auipc { .. }
            | Insn::Jal { .. }
            | Insn::Fence { .. }
            | Insn::FenceI { .. }
            | Insn::Csr { .. }
            | Insn::Ecall
            | Insn::Ebreak => [None, None],
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

//! Words to [`Insn`]: the inverse of `super::encode`.
//!
//! Rows of the table, found by major opcode and `funct3`. What no row matches is `None`, an illegal instruction.

use super::table::{INDEX, Shape, bucket};
use super::{CsrSource, Insn, Reg};

/// `ecall`'s word.
pub const ECALL: u32 = 0x0000_0073;
/// `ebreak`'s word.
pub const EBREAK: u32 = 0x0010_0073;
/// `mret` (Privileged spec 3.3.2).
pub const MRET: u32 = 0x3020_0073;
/// `sret`.
pub const SRET: u32 = 0x1020_0073;
/// `wfi` (Privileged spec 3.3.3).
pub const WFI: u32 = 0x1050_0073;
/// What stands before the `ebreak` of a semihosting call (RISC-V Semihosting 2.1): `slli x0, x0, 0x1f`.
pub const SEMIHOSTING_BEFORE: u32 = 0x01f0_1013;
/// What stands behind it: `srai x0, x0, 7`.
pub const SEMIHOSTING_BEHIND: u32 = 0x4070_5013;

/// The instruction that a word stands for, or `None` where no row of the table matches it.
#[must_use]
pub fn decode(word: u32) -> Option<Insn> {
    if word & 3 != 3 {
        return None;
    }
    let bucket = bucket(word);
    let mut at = INDEX.starts[bucket];
    while at < INDEX.starts[bucket + 1] {
        let candidate = &INDEX.candidates[at as usize];
        if word & candidate.mask == candidate.bits {
            return Some(operands(candidate.shape, word));
        }
        at += 1;
    }
    None
}

/// The instruction of this shape with the operands that stand in the word.
fn operands(shape: Shape, word: u32) -> Insn {
    let rd = Reg::from_field(word >> 7);
    let rs1 = Reg::from_field(word >> 15);
    let rs2 = Reg::from_field(word >> 20);
    let imm = word.cast_signed() >> 20;
    let bits = (word >> 20) as u16;
    match shape {
        Shape::Lui => Insn::Lui {
            rd,
            imm: word & 0xffff_f000,
        },
        Shape::Auipc => Insn::Auipc {
            rd,
            imm: word & 0xffff_f000,
        },
        Shape::Jal => Insn::Jal {
            rd,
            offset: imm_j(word),
        },
        Shape::Jalr => Insn::Jalr {
            rd,
            rs1,
            offset: imm,
        },
        Shape::Branch(cond) => Insn::Branch {
            cond,
            rs1,
            rs2,
            offset: imm_b(word),
        },
        Shape::Load(op) => Insn::Load {
            op,
            rd,
            rs1,
            offset: imm,
        },
        Shape::Store(op) => Insn::Store {
            op,
            rs1,
            rs2,
            offset: imm_s(word),
        },
        Shape::AluImm(op) => Insn::AluImm { op, rd, rs1, imm },
        Shape::Shift(op) => Insn::AluImm {
            op,
            rd,
            rs1,
            imm: imm & 31,
        },
        Shape::Alu(op) => Insn::Alu { op, rd, rs1, rs2 },
        Shape::Mul(op) => Insn::Mul { op, rd, rs1, rs2 },
        Shape::Bits(op) => Insn::Bits { op, rd, rs1, rs2 },
        Shape::BitsImm(op) => Insn::BitsImm {
            op,
            rd,
            rs1,
            shamt: (bits & 31) as u8,
        },
        Shape::Unary(op) => Insn::Unary { op, rd, rs1 },
        Shape::Atomic(op) => Insn::Atomic {
            op,
            rd,
            rs1,
            rs2,
            ordering: (word >> 25 & 3) as u8,
        },
        Shape::Fence => Insn::Fence { rd, rs1, bits },
        Shape::FenceI => Insn::FenceI { rd, rs1, bits },
        Shape::Csr(op) => Insn::Csr {
            op,
            rd,
            source: CsrSource::Reg(rs1),
            csr: bits,
        },
        Shape::CsrImm(op) => Insn::Csr {
            op,
            rd,
            source: CsrSource::Imm((word >> 15 & 31) as u8),
            csr: bits,
        },
        Shape::Ecall => Insn::Ecall,
        Shape::Ebreak => Insn::Ebreak,
        Shape::Privileged(op) => Insn::Privileged(op),
    }
}

const fn imm_s(word: u32) -> i32 {
    (word.cast_signed() >> 25 << 5) | (word >> 7 & 0x1f).cast_signed()
}

const fn imm_b(word: u32) -> i32 {
    (word.cast_signed() >> 31 << 12)
        | ((word >> 7 & 1) << 11 | (word >> 25 & 0x3f) << 5 | (word >> 8 & 0xf) << 1).cast_signed()
}

const fn imm_j(word: u32) -> i32 {
    (word.cast_signed() >> 31 << 20)
        | ((word >> 12 & 0xff) << 12 | (word >> 20 & 1) << 11 | (word >> 21 & 0x3ff) << 1)
            .cast_signed()
}

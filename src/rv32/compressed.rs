//! Compressed instructions (Unprivileged spec, chapters "C" and "Zc"): each stands for an instruction of 32 bits, and is
//! expanded to it. Zca and Zcb, without the forms of F and D. Those of Zcb that stand for instructions of M and Zbb are there, as these are.

use super::{AluOp, Cond, Insn, LoadOp, MulOp, Reg, StoreOp, UnaryOp};

/// Bits `from` to `from + count - 1` of a half-word, moved to `to`.
const fn bits(half: u32, from: u32, count: u32, to: u32) -> u32 {
    (half >> from & ((1 << count) - 1)) << to
}

/// A number of so many bits with its sign.
const fn signed(value: u32, width: u32) -> i32 {
    (value << (32 - width)).cast_signed() >> (32 - width)
}

/// One of the eight registers that three bits name: x8 to x15.
const fn short(half: u32, at: u32) -> Reg {
    Reg::from_field(8 + (half >> at & 7))
}

const fn addi(rd: Reg, rs1: Reg, imm: i32) -> Insn {
    let op = AluOp::Add;
    Insn::AluImm { op, rd, rs1, imm }
}

const fn alu(op: AluOp, rd: Reg, rs2: Reg) -> Insn {
    Insn::Alu {
        op,
        rd,
        rs1: rd,
        rs2,
    }
}

const fn alu_imm(op: AluOp, rd: Reg, imm: i32) -> Insn {
    Insn::AluImm {
        op,
        rd,
        rs1: rd,
        imm,
    }
}

/// The instruction that a compressed one stands for; `None` where it is reserved, or of an extension that is not there.
#[must_use]
pub const fn expand(half: u16) -> Option<Insn> {
    let half = half as u32;
    let rd = Reg::from_field(half >> 7);
    let rs2 = Reg::from_field(half >> 2);
    Some(match (half & 3, half >> 13) {
        (0, 0) => {
            let imm = bits(half, 11, 2, 4)
                | bits(half, 7, 4, 6)
                | bits(half, 6, 1, 2)
                | bits(half, 5, 1, 3);
            if imm == 0 {
                return None;
            }
            addi(short(half, 2), Reg::SP, imm.cast_signed())
        }
        (0, 2) => Insn::Load {
            op: LoadOp::Lw,
            rd: short(half, 2),
            rs1: short(half, 7),
            offset: word_offset(half),
        },
        (0, 6) => Insn::Store {
            op: StoreOp::Sw,
            rs1: short(half, 7),
            rs2: short(half, 2),
            offset: word_offset(half),
        },
        (0, 4) => return zcb_access(half),
        // With rd = x0 or an immediate of 0 these are hints.
        (1, 0) => addi(rd, rd, imm6(half)),
        (1, 1) => Insn::Jal {
            rd: Reg::RA,
            offset: jump_offset(half),
        },
        (1, 2) => addi(rd, Reg::ZERO, imm6(half)),
        (1, 3) if rd.index() == 2 => {
            let imm = bits(half, 12, 1, 9)
                | bits(half, 6, 1, 4)
                | bits(half, 5, 1, 6)
                | bits(half, 3, 2, 7)
                | bits(half, 2, 1, 5);
            if imm == 0 {
                return None;
            }
            addi(Reg::SP, Reg::SP, signed(imm, 10))
        }
        (1, 3) => {
            let imm = imm6(half);
            if imm == 0 {
                return None;
            }
            Insn::Lui {
                rd,
                imm: imm.cast_unsigned() << 12,
            }
        }
        (1, 4) => return arithmetic(half),
        (1, 5) => Insn::Jal {
            rd: Reg::ZERO,
            offset: jump_offset(half),
        },
        (1, 6 | 7) => {
            let imm = bits(half, 12, 1, 8)
                | bits(half, 10, 2, 3)
                | bits(half, 5, 2, 6)
                | bits(half, 3, 2, 1)
                | bits(half, 2, 1, 5);
            Insn::Branch {
                cond: if half >> 13 == 6 { Cond::Eq } else { Cond::Ne },
                rs1: short(half, 7),
                rs2: Reg::ZERO,
                offset: signed(imm, 9),
            }
        }
        // A shift by 32 or more is reserved for other lengths of registers.
        (2, 0) if half >> 12 & 1 == 0 => alu_imm(AluOp::Sll, rd, imm6(half)),
        (2, 2) if rd.index() != 0 => Insn::Load {
            op: LoadOp::Lw,
            rd,
            rs1: Reg::SP,
            offset: (bits(half, 12, 1, 5) | bits(half, 4, 3, 2) | bits(half, 2, 2, 6))
                .cast_signed(),
        },
        (2, 4) => match (half >> 12 & 1, rd.index(), rs2.index()) {
            (0, 0, 0) => return None,
            (0, _, 0) => Insn::Jalr {
                rd: Reg::ZERO,
                rs1: rd,
                offset: 0,
            },
            (0, _, _) => addi(rd, rs2, 0),
            (_, 0, 0) => Insn::Ebreak,
            (_, _, 0) => Insn::Jalr {
                rd: Reg::RA,
                rs1: rd,
                offset: 0,
            },
            (_, _, _) => alu(AluOp::Add, rd, rs2),
        },
        (2, 6) => Insn::Store {
            op: StoreOp::Sw,
            rs1: Reg::SP,
            rs2,
            offset: (bits(half, 9, 4, 2) | bits(half, 7, 2, 6)).cast_signed(),
        },
        _ => return None,
    })
}

const fn imm6(half: u32) -> i32 {
    signed(bits(half, 12, 1, 5) | bits(half, 2, 5, 0), 6)
}

const fn word_offset(half: u32) -> i32 {
    (bits(half, 10, 3, 3) | bits(half, 6, 1, 2) | bits(half, 5, 1, 6)).cast_signed()
}

const fn jump_offset(half: u32) -> i32 {
    let imm = bits(half, 12, 1, 11)
        | bits(half, 11, 1, 4)
        | bits(half, 9, 2, 8)
        | bits(half, 8, 1, 10)
        | bits(half, 7, 1, 6)
        | bits(half, 6, 1, 7)
        | bits(half, 3, 3, 1)
        | bits(half, 2, 1, 5);
    signed(imm, 12)
}

/// `c.srli`, `c.srai`, `c.andi`, operations of two registers, and Zcb's of one.
const fn arithmetic(half: u32) -> Option<Insn> {
    let rd = short(half, 7);
    let rs2 = short(half, 2);
    let upper = half >> 12 & 1 != 0;
    Some(match (half >> 10 & 3, upper, half >> 5 & 3) {
        (0, false, _) => alu_imm(AluOp::Srl, rd, imm6(half)),
        (1, false, _) => alu_imm(AluOp::Sra, rd, imm6(half)),
        (2, _, _) => alu_imm(AluOp::And, rd, imm6(half)),
        (3, false, 0) => alu(AluOp::Sub, rd, rs2),
        (3, false, 1) => alu(AluOp::Xor, rd, rs2),
        (3, false, 2) => alu(AluOp::Or, rd, rs2),
        (3, false, _) => alu(AluOp::And, rd, rs2),
        (3, true, 2) => Insn::Mul {
            op: MulOp::Mul,
            rd,
            rs1: rd,
            rs2,
        },
        // c.zext.b, c.sext.b, c.zext.h, c.sext.h, c.not; c.zext.w is for 64 bits.
        (3, true, 3) => match half >> 2 & 7 {
            0 => alu_imm(AluOp::And, rd, 0xff),
            1 => unary(UnaryOp::SextB, rd),
            2 => unary(UnaryOp::ZextH, rd),
            3 => unary(UnaryOp::SextH, rd),
            5 => alu_imm(AluOp::Xor, rd, -1),
            _ => return None,
        },
        _ => return None,
    })
}

const fn unary(op: UnaryOp, rd: Reg) -> Insn {
    Insn::Unary { op, rd, rs1: rd }
}

/// Zcb's loads and stores of bytes and half-words.
const fn zcb_access(half: u32) -> Option<Insn> {
    let (rs1, reg) = (short(half, 7), short(half, 2));
    let byte = (bits(half, 6, 1, 0) | bits(half, 5, 1, 1)).cast_signed();
    let two = bits(half, 5, 1, 1).cast_signed();
    Some(match (half >> 10 & 7, half >> 6 & 1) {
        (0, _) => Insn::Load {
            op: LoadOp::Lbu,
            rd: reg,
            rs1,
            offset: byte,
        },
        (1, signed) => Insn::Load {
            op: if signed == 1 { LoadOp::Lh } else { LoadOp::Lhu },
            rd: reg,
            rs1,
            offset: two,
        },
        (2, _) => Insn::Store {
            op: StoreOp::Sb,
            rs1,
            rs2: reg,
            offset: byte,
        },
        (3, 0) => Insn::Store {
            op: StoreOp::Sh,
            rs1,
            rs2: reg,
            offset: two,
        },
        _ => return None,
    })
}

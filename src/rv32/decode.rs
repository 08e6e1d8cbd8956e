//! Words to [`Insn`]: the inverse of [`super::encode`].
//!
//! Only what rvjit executes is accepted: RV32I, M, A, Zicsr, Zifencei, `mret` and `wfi`. Everything else is
//! `None`, an illegal instruction.

use super::{
    AluOp, AtomicOp, Cond, CsrOp, CsrSource, Insn, LoadOp, MulOp, PrivilegedOp, Reg, StoreOp,
};

/// Major opcodes, instruction bits 6–0 (Unprivileged spec, table "RISC-V base opcode map").
pub(super) mod opcode {
    pub(in crate::rv32) const LOAD: u32 = 0x03;
    pub(in crate::rv32) const MISC_MEM: u32 = 0x0f;
    pub(in crate::rv32) const OP_IMM: u32 = 0x13;
    pub(in crate::rv32) const AUIPC: u32 = 0x17;
    pub(in crate::rv32) const STORE: u32 = 0x23;
    pub(in crate::rv32) const AMO: u32 = 0x2f;
    pub(in crate::rv32) const OP: u32 = 0x33;
    pub(in crate::rv32) const LUI: u32 = 0x37;
    pub(in crate::rv32) const BRANCH: u32 = 0x63;
    pub(in crate::rv32) const JALR: u32 = 0x67;
    pub(in crate::rv32) const JAL: u32 = 0x6f;
    pub(in crate::rv32) const SYSTEM: u32 = 0x73;
}

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

/// The instruction that a word stands for, or `None` where it is none of those.
#[must_use]
pub const fn decode(word: u32) -> Option<Insn> {
    let rd = Reg::from_field(word >> 7);
    let rs1 = Reg::from_field(word >> 15);
    let rs2 = Reg::from_field(word >> 20);
    let funct3 = word >> 12 & 7;
    let funct7 = word >> 25;
    let imm_i = word.cast_signed() >> 20;
    let imm_u = word & 0xffff_f000;
    Some(match word & 0x7f {
        opcode::LUI => Insn::Lui { rd, imm: imm_u },
        opcode::AUIPC => Insn::Auipc { rd, imm: imm_u },
        opcode::JAL => Insn::Jal {
            rd,
            offset: imm_j(word),
        },
        opcode::JALR if funct3 == 0 => Insn::Jalr {
            rd,
            rs1,
            offset: imm_i,
        },
        opcode::BRANCH => {
            let cond = match funct3 {
                0 => Cond::Eq,
                1 => Cond::Ne,
                4 => Cond::Lt,
                5 => Cond::Ge,
                6 => Cond::Ltu,
                7 => Cond::Geu,
                _ => return None,
            };
            Insn::Branch {
                cond,
                rs1,
                rs2,
                offset: imm_b(word),
            }
        }
        opcode::LOAD => {
            let op = match funct3 {
                0 => LoadOp::Lb,
                1 => LoadOp::Lh,
                2 => LoadOp::Lw,
                4 => LoadOp::Lbu,
                5 => LoadOp::Lhu,
                _ => return None,
            };
            Insn::Load {
                op,
                rd,
                rs1,
                offset: imm_i,
            }
        }
        opcode::STORE => {
            let op = match funct3 {
                0 => StoreOp::Sb,
                1 => StoreOp::Sh,
                2 => StoreOp::Sw,
                _ => return None,
            };
            Insn::Store {
                op,
                rs1,
                rs2,
                offset: imm_s(word),
            }
        }
        opcode::OP_IMM => {
            let shamt = (word >> 20 & 31).cast_signed();
            let (op, imm) = match (funct3, funct7) {
                (0, _) => (AluOp::Add, imm_i),
                (2, _) => (AluOp::Slt, imm_i),
                (3, _) => (AluOp::Sltu, imm_i),
                (4, _) => (AluOp::Xor, imm_i),
                (6, _) => (AluOp::Or, imm_i),
                (7, _) => (AluOp::And, imm_i),
                (1, 0) => (AluOp::Sll, shamt),
                (5, 0) => (AluOp::Srl, shamt),
                (5, 0x20) => (AluOp::Sra, shamt),
                _ => return None,
            };
            Insn::AluImm { op, rd, rs1, imm }
        }
        opcode::OP if funct7 == 1 => Insn::Mul {
            op: MulOp::ALL[funct3 as usize],
            rd,
            rs1,
            rs2,
        },
        opcode::OP => {
            let op = match (funct3, funct7) {
                (0, 0) => AluOp::Add,
                (0, 0x20) => AluOp::Sub,
                (1, 0) => AluOp::Sll,
                (2, 0) => AluOp::Slt,
                (3, 0) => AluOp::Sltu,
                (4, 0) => AluOp::Xor,
                (5, 0) => AluOp::Srl,
                (5, 0x20) => AluOp::Sra,
                (6, 0) => AluOp::Or,
                (7, 0) => AluOp::And,
                _ => return None,
            };
            Insn::Alu { op, rd, rs1, rs2 }
        }
        opcode::MISC_MEM => {
            let bits = (word >> 20) as u16;
            match funct3 {
                0 => Insn::Fence { rd, rs1, bits },
                1 => Insn::FenceI { rd, rs1, bits },
                _ => return None,
            }
        }
        opcode::AMO if funct3 == 2 => {
            let Some(op) = AtomicOp::from_field(funct7 >> 2) else {
                return None;
            };
            // A load has no second operand.
            if matches!(op, AtomicOp::LoadReserved) && rs2.index() != 0 {
                return None;
            }
            Insn::Atomic {
                op,
                rd,
                rs1,
                rs2,
                ordering: (funct7 & 3) as u8,
            }
        }
        opcode::SYSTEM => {
            let op = match funct3 & 3 {
                1 => CsrOp::Write,
                2 => CsrOp::Set,
                3 => CsrOp::Clear,
                _ if word == ECALL => return Some(Insn::Ecall),
                _ if word == EBREAK => return Some(Insn::Ebreak),
                _ if word == PrivilegedOp::Mret.word() => {
                    return Some(Insn::Privileged(PrivilegedOp::Mret));
                }
                _ if word == PrivilegedOp::Wfi.word() => {
                    return Some(Insn::Privileged(PrivilegedOp::Wfi));
                }
                _ => return None,
            };
            let source = if funct3 & 4 == 0 {
                CsrSource::Reg(rs1)
            } else {
                CsrSource::Imm((word >> 15 & 31) as u8)
            };
            Insn::Csr {
                op,
                rd,
                source,
                csr: (word >> 20) as u16,
            }
        }
        _ => return None,
    })
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

//! [`Insn`] to words: the inverse of `super::decode`.
//!
//! An [`Insn`] can say more than a word can hold, such as an immediate of 5000. [`try_encode`] refuses these;
//! [`encode`] is for those who know that theirs fits. For every word that decodes, `encode(decode(word)) == word`.

use super::{AluOp, AtomicOp, BitOp, CsrSource, Insn, Reg};

/// The word of an instruction.
///
/// # Panics
/// Where [`try_encode`] gives `None`.
#[must_use]
pub const fn encode(insn: Insn) -> u32 {
    match try_encode(insn) {
        Some(word) => word,
        None => panic!("an operand does not fit into the instruction word"),
    }
}

/// The word of an instruction, or `None` where an operand does not fit:
///
/// | operand | fits |
/// |---|---|
/// | immediates and offsets of loads, stores, `jalr` and arithmetic | −2048 to 2047 |
/// | shift amounts | 0 to 31 |
/// | branch offsets | even, −4096 to 4094 |
/// | `jal` offsets | even, −2^20 to 2^20 − 2 |
/// | `lui` and `auipc` immediates | multiples of 4096 |
/// | aq and rl of atomic instructions | below 4; rs2 of `lr.w` is x0 |
/// | CSR numbers, the upper bits of fences | below 4096 |
/// | immediate operands of CSR instructions | below 32 |
///
/// There is no subtraction of an immediate.
#[must_use]
pub const fn try_encode(insn: Insn) -> Option<u32> {
    if fits(insn) { Some(word(insn)) } else { None }
}

const fn fits(insn: Insn) -> bool {
    match insn {
        Insn::Lui { imm, .. } | Insn::Auipc { imm, .. } => imm & 0xfff == 0,
        Insn::Jal { offset, .. } => offset & 1 == 0 && fits_signed(offset, 21),
        Insn::Branch { offset, .. } => offset & 1 == 0 && fits_signed(offset, 13),
        Insn::Jalr { offset, .. } | Insn::Load { offset, .. } | Insn::Store { offset, .. } => {
            fits_signed(offset, 12)
        }
        Insn::AluImm { op, imm, .. } => match op {
            AluOp::Sub => false,
            AluOp::Sll | AluOp::Srl | AluOp::Sra => 0 <= imm && imm < 32,
            AluOp::Add | AluOp::Slt | AluOp::Sltu | AluOp::Xor | AluOp::Or | AluOp::And => {
                fits_signed(imm, 12)
            }
        },
        Insn::Fence { bits, .. } | Insn::FenceI { bits, .. } => bits < 0x1000,
        Insn::Csr { source, csr, .. } => {
            csr < 0x1000
                && match source {
                    CsrSource::Reg(_) => true,
                    CsrSource::Imm(imm) => imm < 32,
                }
        }
        Insn::Atomic {
            op, rs2, ordering, ..
        } => {
            let loads = matches!(op, AtomicOp::LoadReserved);
            ordering < 4 && (!loads || rs2.index() == 0)
        }
        Insn::BitsImm { op, shamt, .. } => {
            shamt < 32
                && matches!(
                    op,
                    BitOp::Ror | BitOp::Bclr | BitOp::Bext | BitOp::Binv | BitOp::Bset
                )
        }
        Insn::Alu { .. }
        | Insn::Mul { .. }
        | Insn::Bits { .. }
        | Insn::Unary { .. }
        | Insn::Ecall
        | Insn::Ebreak
        | Insn::Privileged(_) => true,
    }
}

const fn fits_signed(value: i32, bits: u32) -> bool {
    let unused = 32 - bits;
    value << unused >> unused == value
}

const fn word(insn: Insn) -> u32 {
    insn.row().bits | operands(insn)
}

/// The bits of a word that its row leaves open.
const fn operands(insn: Insn) -> u32 {
    match insn {
        Insn::Lui { rd, imm } | Insn::Auipc { rd, imm } => x(rd, 7) | imm,
        Insn::Jal { rd, offset } => x(rd, 7) | imm_j(offset.cast_unsigned()),
        Insn::Branch {
            rs1, rs2, offset, ..
        } => x(rs1, 15) | x(rs2, 20) | imm_b(offset.cast_unsigned()),
        Insn::Store {
            rs1, rs2, offset, ..
        } => x(rs1, 15) | x(rs2, 20) | imm_s(offset.cast_unsigned()),
        Insn::Jalr { rd, rs1, offset }
        | Insn::Load {
            rd, rs1, offset, ..
        } => x(rd, 7) | x(rs1, 15) | offset.cast_unsigned() << 20,
        Insn::AluImm { rd, rs1, imm, .. } => x(rd, 7) | x(rs1, 15) | imm.cast_unsigned() << 20,
        Insn::BitsImm { rd, rs1, shamt, .. } => x(rd, 7) | x(rs1, 15) | (shamt as u32) << 20,
        Insn::Unary { rd, rs1, .. } => x(rd, 7) | x(rs1, 15),
        Insn::Alu { rd, rs1, rs2, .. }
        | Insn::Mul { rd, rs1, rs2, .. }
        | Insn::Bits { rd, rs1, rs2, .. } => x(rd, 7) | x(rs1, 15) | x(rs2, 20),
        Insn::Atomic {
            rd,
            rs1,
            rs2,
            ordering,
            ..
        } => x(rd, 7) | x(rs1, 15) | x(rs2, 20) | (ordering as u32) << 25,
        Insn::Fence { rd, rs1, bits } | Insn::FenceI { rd, rs1, bits } => {
            x(rd, 7) | x(rs1, 15) | (bits as u32) << 20
        }
        Insn::Csr {
            rd, source, csr, ..
        } => {
            let operand = match source {
                CsrSource::Reg(rs1) => x(rs1, 15),
                CsrSource::Imm(imm) => (imm as u32) << 15,
            };
            x(rd, 7) | operand | (csr as u32) << 20
        }
        Insn::Ecall | Insn::Ebreak | Insn::Privileged(_) => 0,
    }
}

/// A register in the field that begins at bit `at`.
const fn x(reg: Reg, at: u32) -> u32 {
    reg.field() << at
}

const fn imm_s(offset: u32) -> u32 {
    (offset >> 5 & 0x7f) << 25 | (offset & 0x1f) << 7
}

const fn imm_b(offset: u32) -> u32 {
    (offset >> 12 & 1) << 31
        | (offset >> 5 & 0x3f) << 25
        | (offset >> 1 & 0xf) << 8
        | (offset >> 11 & 1) << 7
}

const fn imm_j(offset: u32) -> u32 {
    (offset >> 20 & 1) << 31
        | (offset >> 1 & 0x3ff) << 21
        | (offset >> 11 & 1) << 20
        | (offset >> 12 & 0xff) << 12
}

#[cfg(test)]
mod tests {
    use super::super::PrivilegedOp;
    use super::super::{Cond, CsrOp, LoadOp, StoreOp, decode};
    use super::*;

    /// Every opcode, `funct3` and `funct7` with registers that are all, none and some of the bits, then random words.
    fn sample() -> impl Iterator<Item = u32> {
        let registers = [0, 1, 2, 5, 10, 17, 21, 31];
        let structured = (0..1u32 << 17).flat_map(move |n| {
            let (opcode, funct3, funct7) = (n & 0x7f, n >> 7 & 7, n >> 10);
            (0..registers.len()).map(move |i| {
                let of = |step: usize| registers[(i * step + step) % registers.len()];
                let (rd, rs1, rs2) = (of(1), of(3), of(5));
                funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode
            })
        });
        let mut state = 0x9e37_79b9_u32;
        let random = (0..2_000_000).map(move |_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state | 3
        });
        structured.chain(random)
    }

    #[test]
    fn encode_inverts_decode() {
        let mut decoded = 0;
        for word in sample() {
            if let Some(insn) = decode(word) {
                assert_eq!(try_encode(insn), Some(word), "{word:#010x} {insn:?}");
                decoded += 1;
            }
        }
        assert!(decoded > 400_000, "only {decoded} words decode");
    }

    /// As GNU as encodes them.
    #[test]
    fn known_words() {
        let (a0, sp, ra) = (Reg::A0, Reg::SP, Reg::RA);
        for (insn, word) in [
            (Insn::Ecall, 0x0000_0073),
            (Insn::Ebreak, 0x0010_0073),
            (Insn::Privileged(PrivilegedOp::Mret), 0x3020_0073),
            (Insn::Privileged(PrivilegedOp::Wfi), 0x1050_0073),
            (
                Insn::AluImm {
                    op: AluOp::Add,
                    rd: sp,
                    rs1: sp,
                    imm: -16,
                },
                0xff01_0113,
            ),
            (
                Insn::AluImm {
                    op: AluOp::Sra,
                    rd: a0,
                    rs1: a0,
                    imm: 31,
                },
                0x41f5_5513,
            ),
            (
                Insn::Store {
                    op: StoreOp::Sw,
                    rs1: sp,
                    rs2: ra,
                    offset: -4,
                },
                0xfe11_2e23,
            ),
            (
                Insn::Jal {
                    rd: ra,
                    offset: -1 << 20,
                },
                0x8000_00ef,
            ),
            (
                Insn::Jal {
                    rd: ra,
                    offset: (1 << 20) - 2,
                },
                0x7fff_f0ef,
            ),
            (
                Insn::Branch {
                    cond: Cond::Geu,
                    rs1: a0,
                    rs2: ra,
                    offset: -4096,
                },
                0x8015_7063,
            ),
        ] {
            assert_eq!(encode(insn), word, "{insn:?}");
        }
    }

    #[test]
    fn operands_that_do_not_fit_are_refused() {
        let (rd, rs1, rs2) = (Reg::A0, Reg::RA, Reg::SP);
        let alu = |op, imm| Insn::AluImm { op, rd, rs1, imm };
        let jal = |offset| Insn::Jal { rd, offset };
        let branch = |offset| Insn::Branch {
            cond: Cond::Eq,
            rs1,
            rs2,
            offset,
        };
        let load = |offset| Insn::Load {
            op: LoadOp::Lw,
            rd,
            rs1,
            offset,
        };
        let csr = |csr, imm| Insn::Csr {
            op: CsrOp::Set,
            rd,
            source: CsrSource::Imm(imm),
            csr,
        };
        for (good, bad) in [
            (alu(AluOp::Add, 2047), alu(AluOp::Add, 2048)),
            (alu(AluOp::And, -2048), alu(AluOp::And, -2049)),
            (alu(AluOp::Add, 0), alu(AluOp::Sub, 0)),
            (alu(AluOp::Sra, 31), alu(AluOp::Sra, 32)),
            (alu(AluOp::Sll, 0), alu(AluOp::Sll, -1)),
            (jal(0xffffe), jal(0x10_0000)),
            (jal(-0x10_0000), jal(-0x10_0002)),
            (jal(2), jal(3)),
            (branch(4094), branch(4096)),
            (branch(-4096), branch(-4098)),
            (branch(-2), branch(-1)),
            (load(2047), load(2048)),
            (csr(0xfff, 31), csr(0xfff, 32)),
            (csr(0xfff, 31), csr(0x1000, 31)),
            (Insn::Lui { rd, imm: 0x1000 }, Insn::Lui { rd, imm: 0x1001 }),
        ] {
            assert!(try_encode(good).is_some(), "{good:?}");
            assert_eq!(try_encode(bad), None, "{bad:?}");
        }
    }
}

//! Text of guest instructions, as `objdump` of GNU binutils prints it by default: aliases such as `li` and `ret`,
//! a tab after the mnemonic, branch targets as absolute addresses.
//!
//! What differs from objdump, and is checked to be all that does by `scripts/check-encodings.sh`:
//! * instructions with an immediate keep the spec's names (`addi`, `csrrwi`) where some versions write `add`, `csrrw`;
//! * no symbols and no `# address` remarks, which need more than the instruction;
//! * fences with reserved fields set, which execute as fences, print as such; objdump prints data;
//! * CSRs that no RV32IM machine-mode program uses are numbers.

use super::decode;
use super::{AluOp, AtomicOp, Cond, CsrOp, CsrSource, Insn, Reg};
use std::fmt;

/// The text of an instruction at the guest address `pc`.
#[must_use]
pub fn disassemble(insn: Insn, pc: u32) -> String {
    Listing { insn, pc }.to_string()
}

/// The text of any word at the guest address `pc`; `.4byte` and the word where it is no instruction.
#[must_use]
pub fn disassemble_word(word: u32, pc: u32) -> String {
    match decode(word) {
        Some(insn) => disassemble(insn, pc),
        None => format!(".4byte\t{word:#x}"),
    }
}

/// Displays as the text of the instruction `insn` at the guest address `pc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// The instruction.
    pub insn: Insn,
    /// Its address, which branch targets are relative to.
    pub pc: u32,
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = |offset| self.pc.wrapping_add_signed(offset);
        let name = self.insn.row().name;
        match self.insn {
            Insn::Lui { rd, imm } => write!(f, "lui\t{rd},{:#x}", imm >> 12),
            Insn::Auipc { rd, imm } => write!(f, "auipc\t{rd},{:#x}", imm >> 12),
            Insn::Jal { rd, offset } => match rd {
                Reg::ZERO => write!(f, "j\t{:#x}", target(offset)),
                Reg::RA => write!(f, "jal\t{:#x}", target(offset)),
                _ => write!(f, "jal\t{rd},{:#x}", target(offset)),
            },
            Insn::Jalr { rd, rs1, offset } => jalr(f, rd, rs1, offset),
            Insn::Branch {
                cond,
                rs1,
                rs2,
                offset,
            } => branch(f, cond, rs1, rs2, target(offset)),
            Insn::Load {
                rd, rs1, offset, ..
            } => write!(f, "{name}\t{rd},{offset}({rs1})"),
            Insn::Store {
                rs1, rs2, offset, ..
            } => write!(f, "{name}\t{rs2},{offset}({rs1})"),
            Insn::AluImm { op, rd, rs1, imm } => alu_imm(f, name, op, (rd, rs1), imm),
            Insn::Alu { op, rd, rs1, rs2 } => alu(f, name, op, (rd, rs1, rs2)),
            Insn::Mul { rd, rs1, rs2, .. } | Insn::Bits { rd, rs1, rs2, .. } => {
                write!(f, "{name}\t{rd},{rs1},{rs2}")
            }
            Insn::BitsImm { rd, rs1, shamt, .. } => {
                write!(f, "{name}\t{rd},{rs1},{shamt:#x}")
            }
            Insn::Unary { rd, rs1, .. } => write!(f, "{name}\t{rd},{rs1}"),
            Insn::Atomic {
                op,
                rd,
                rs1,
                rs2,
                ordering,
            } => {
                let order = ["", ".rl", ".aq", ".aqrl"][usize::from(ordering & 3)];
                write!(f, "{name}{order}	{rd},")?;
                match op {
                    AtomicOp::LoadReserved => write!(f, "({rs1})"),
                    _ => write!(f, "{rs2},({rs1})"),
                }
            }
            Insn::Fence {
                rd: Reg::ZERO,
                rs1: Reg::ZERO,
                bits: PAUSE,
            } => f.write_str("pause"),
            Insn::Fence { bits, .. } => fence(f, bits),
            Insn::FenceI { .. } => f.write_str("fence.i"),
            Insn::Csr {
                op,
                rd,
                source,
                csr,
            } => csr_access(f, op, rd, source, csr),
            Insn::Ecall => f.write_str("ecall"),
            Insn::Ebreak => f.write_str("ebreak"),
            Insn::Privileged(op) => f.write_str(op.name()),
        }
    }
}

fn jalr(f: &mut fmt::Formatter<'_>, rd: Reg, rs1: Reg, offset: i32) -> fmt::Result {
    match (rd, rs1, offset) {
        (Reg::ZERO, Reg::RA, 0) => return f.write_str("ret"),
        (Reg::ZERO, ..) => f.write_str("jr\t")?,
        (Reg::RA, ..) => f.write_str("jalr\t")?,
        _ => write!(f, "jalr\t{rd},")?,
    }
    match offset {
        0 => write!(f, "{rs1}"),
        _ => write!(f, "{offset}({rs1})"),
    }
}

fn branch(f: &mut fmt::Formatter<'_>, cond: Cond, rs1: Reg, rs2: Reg, target: u32) -> fmt::Result {
    let (name, reg) = match (cond, rs1, rs2) {
        (Cond::Eq, _, Reg::ZERO) => ("beqz", rs1),
        (Cond::Ne, _, Reg::ZERO) => ("bnez", rs1),
        (Cond::Lt, _, Reg::ZERO) => ("bltz", rs1),
        (Cond::Lt, Reg::ZERO, _) => ("bgtz", rs2),
        (Cond::Ge, Reg::ZERO, _) => ("blez", rs2),
        (Cond::Ge, _, Reg::ZERO) => ("bgez", rs1),
        _ => {
            let name = match cond {
                Cond::Eq => "beq",
                Cond::Ne => "bne",
                Cond::Lt => "blt",
                Cond::Ge => "bge",
                Cond::Ltu => "bltu",
                Cond::Geu => "bgeu",
            };
            return write!(f, "{name}\t{rs1},{rs2},{target:#x}");
        }
    };
    write!(f, "{name}\t{reg},{target:#x}")
}

fn alu_imm(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    op: AluOp,
    (rd, rs1): (Reg, Reg),
    imm: i32,
) -> fmt::Result {
    match (op, rs1, imm) {
        (AluOp::Add, Reg::ZERO, 0) if rd.is_zero() => f.write_str("nop"),
        (AluOp::Add, Reg::ZERO, _) => write!(f, "li\t{rd},{imm}"),
        (AluOp::Add, _, 0) => write!(f, "mv\t{rd},{rs1}"),
        (AluOp::Xor, _, -1) => write!(f, "not\t{rd},{rs1}"),
        (AluOp::And, _, 255) => write!(f, "zext.b\t{rd},{rs1}"),
        (AluOp::Sltu, _, 1) => write!(f, "seqz\t{rd},{rs1}"),
        _ if op.is_shift() => write!(f, "{name}\t{rd},{rs1},{imm:#x}"),
        _ => write!(f, "{name}\t{rd},{rs1},{imm}"),
    }
}

fn alu(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    op: AluOp,
    (rd, rs1, rs2): (Reg, Reg, Reg),
) -> fmt::Result {
    match (op, rs1, rs2) {
        (AluOp::Sub, Reg::ZERO, _) => write!(f, "neg\t{rd},{rs2}"),
        (AluOp::Slt, _, Reg::ZERO) => write!(f, "sltz\t{rd},{rs1}"),
        (AluOp::Slt, Reg::ZERO, _) => write!(f, "sgtz\t{rd},{rs2}"),
        (AluOp::Sltu, Reg::ZERO, _) => write!(f, "snez\t{rd},{rs2}"),
        _ => write!(f, "{name}\t{rd},{rs1},{rs2}"),
    }
}

/// The fence (`w, 0`) that is the hint of Zihintpause.
const PAUSE: u16 = 0x010;

fn fence(f: &mut fmt::Formatter<'_>, bits: u16) -> fmt::Result {
    match bits {
        0x0ff => f.write_str("fence"),
        0x833 => f.write_str("fence.tso"),
        _ => {
            f.write_str("fence\t")?;
            fence_set(f, bits >> 4 & 15)?;
            f.write_str(",")?;
            fence_set(f, bits & 15)
        }
    }
}

fn fence_set(f: &mut fmt::Formatter<'_>, set: u16) -> fmt::Result {
    if set == 0 {
        return f.write_str("unknown");
    }
    for (bit, letter) in [(8, "i"), (4, "o"), (2, "r"), (1, "w")] {
        if set & bit != 0 {
            f.write_str(letter)?;
        }
    }
    Ok(())
}

fn csr_access(
    f: &mut fmt::Formatter<'_>,
    op: CsrOp,
    rd: Reg,
    source: CsrSource,
    csr: u16,
) -> fmt::Result {
    let name = CsrName(csr);
    let reads_only = source == CsrSource::Reg(Reg::ZERO) && op == CsrOp::Set;
    // The word that assemblers make of `unimp`: a write to a counter that cannot be written.
    if (op, rd, source, csr) == (CsrOp::Write, Reg::ZERO, CsrSource::Reg(Reg::ZERO), 0xc00) {
        return f.write_str("unimp");
    }
    if reads_only {
        return match csr {
            0xc00..=0xc02 | 0xc80..=0xc82 => write!(f, "rd{name}\t{rd}"),
            _ => write!(f, "csrr\t{rd},{name}"),
        };
    }
    let letter = match op {
        CsrOp::Write => "w",
        CsrOp::Set => "s",
        CsrOp::Clear => "c",
    };
    let immediate = match source {
        CsrSource::Reg(_) => "",
        CsrSource::Imm(_) => "i",
    };
    if rd.is_zero() {
        write!(f, "csr{letter}{immediate}\t{name},")?;
    } else {
        write!(f, "csrr{letter}{immediate}\t{rd},{name},")?;
    }
    match source {
        CsrSource::Reg(rs1) => write!(f, "{rs1}"),
        CsrSource::Imm(imm) => write!(f, "{imm}"),
    }
}

/// A CSR's name in the Privileged spec, table "Currently allocated RISC-V machine-level CSR addresses"; else its number.
struct CsrName(u16);

impl fmt::Display for CsrName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CsrName(number) = *self;
        let high = if number & 0x80 == 0 { "" } else { "h" };
        let name = match number {
            0x001 => "fflags",
            0x002 => "frm",
            0x003 => "fcsr",
            0x180 => "satp",
            0x300 => "mstatus",
            0x301 => "misa",
            0x302 => "medeleg",
            0x303 => "mideleg",
            0x304 => "mie",
            0x305 => "mtvec",
            0x306 => "mcounteren",
            0x310 => "mstatush",
            0x320 => "mcountinhibit",
            0x323..=0x33f => return write!(f, "mhpmevent{}", number - 0x320),
            0x340 => "mscratch",
            0x341 => "mepc",
            0x342 => "mcause",
            0x343 => "mtval",
            0x344 => "mip",
            0x3a0..=0x3af => return write!(f, "pmpcfg{}", number - 0x3a0),
            0x3b0..=0x3ef => return write!(f, "pmpaddr{}", number - 0x3b0),
            0x7a0 => "tselect",
            0x7a1..=0x7a3 => return write!(f, "tdata{}", number - 0x7a0),
            0xb00 | 0xb80 => return write!(f, "mcycle{high}"),
            0xb02 | 0xb82 => return write!(f, "minstret{high}"),
            0xb03..=0xb1f | 0xb83..=0xb9f => {
                return write!(f, "mhpmcounter{}{high}", number & 31);
            }
            0xc00 | 0xc80 => return write!(f, "cycle{high}"),
            0xc01 | 0xc81 => return write!(f, "time{high}"),
            0xc02 | 0xc82 => return write!(f, "instret{high}"),
            0xc03..=0xc1f | 0xc83..=0xc9f => {
                return write!(f, "hpmcounter{}{high}", number & 31);
            }
            0xf11 => "mvendorid",
            0xf12 => "marchid",
            0xf13 => "mimpid",
            0xf14 => "mhartid",
            0xf15 => "mconfigptr",
            _ => return write!(f, "{number:#x}"),
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode::encode;
    use super::super::{LoadOp, MulOp, PrivilegedOp, ROWS, StoreOp};
    use super::*;
    use std::path::Path;

    /// The words of `tests/golden/rv32.txt`: each instruction and alias, with registers and immediates at their ends.
    fn words() -> Vec<u32> {
        let (z, ra, sp, a0, t6) = (Reg::ZERO, Reg::RA, Reg::SP, Reg::A0, Reg::new(31).unwrap());
        let mut insns = Vec::new();
        for cond in Cond::ALL {
            for (rs1, rs2) in [(a0, t6), (a0, z), (z, a0), (z, z)] {
                for offset in [-4096, 4094, 8] {
                    insns.push(Insn::Branch {
                        cond,
                        rs1,
                        rs2,
                        offset,
                    });
                }
            }
        }
        for rd in [z, ra, a0] {
            for offset in [-(1 << 20), (1 << 20) - 2, -4] {
                insns.push(Insn::Jal { rd, offset });
            }
            for rs1 in [z, ra, t6] {
                for offset in [0, -2048, 2047] {
                    insns.push(Insn::Jalr { rd, rs1, offset });
                }
            }
            for imm in [0, 0x1000, 0x8000_0000, 0xffff_f000] {
                insns.push(Insn::Lui { rd, imm });
                insns.push(Insn::Auipc { rd, imm });
            }
        }
        for offset in [0, -2048, 2047] {
            for op in LoadOp::ALL {
                for (rd, rs1) in [(a0, sp), (z, t6)] {
                    insns.push(Insn::Load {
                        op,
                        rd,
                        rs1,
                        offset,
                    });
                }
            }
            for op in StoreOp::ALL {
                for (rs1, rs2) in [(sp, a0), (t6, z)] {
                    insns.push(Insn::Store {
                        op,
                        rs1,
                        rs2,
                        offset,
                    });
                }
            }
        }
        for op in AluOp::ALL {
            let imms: &[i32] = match op {
                AluOp::Sub => &[],
                AluOp::Sll | AluOp::Srl | AluOp::Sra => &[0, 1, 31],
                AluOp::Add | AluOp::Slt | AluOp::Sltu | AluOp::Xor | AluOp::Or | AluOp::And => {
                    &[0, 1, -1, 255, -2048, 2047]
                }
            };
            for (rd, rs1) in [(a0, t6), (a0, z), (z, a0), (z, z)] {
                for &imm in imms {
                    insns.push(Insn::AluImm { op, rd, rs1, imm });
                }
            }
            for (rd, rs1, rs2) in [(a0, sp, t6), (a0, z, t6), (a0, t6, z), (z, z, z)] {
                insns.push(Insn::Alu { op, rd, rs1, rs2 });
            }
        }
        for op in MulOp::ALL {
            for (rd, rs1, rs2) in [(a0, sp, t6), (z, a0, z)] {
                insns.push(Insn::Mul { op, rd, rs1, rs2 });
            }
        }
        for bits in [0x0ff, 0x833, 0x033, 0x010, 0x08f, 0x000, 0x05a] {
            let (rd, rs1) = (z, z);
            insns.push(Insn::Fence { rd, rs1, bits });
        }
        insns.push(Insn::FenceI {
            rd: z,
            rs1: z,
            bits: 0,
        });
        let sources = [
            CsrSource::Reg(z),
            CsrSource::Reg(t6),
            CsrSource::Imm(0),
            CsrSource::Imm(31),
        ];
        for op in [CsrOp::Write, CsrOp::Set, CsrOp::Clear] {
            for source in sources {
                for rd in [z, a0] {
                    for csr in [0xc00, 0x300, 0x7ff] {
                        insns.push(Insn::Csr {
                            op,
                            rd,
                            source,
                            csr,
                        });
                    }
                }
            }
        }
        for csr in [
            0x001, 0x002, 0x003, 0x180, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x310, 0x320,
            0x323, 0x33f, 0x340, 0x341, 0x342, 0x343, 0x344, 0x3a0, 0x3af, 0x3b0, 0x3ef, 0x7a0,
            0x7a1, 0x7a3, 0xb00, 0xb02, 0xb03, 0xb1f, 0xb80, 0xb82, 0xb83, 0xb9f, 0xc01, 0xc02,
            0xc03, 0xc1f, 0xc80, 0xc81, 0xc82, 0xc83, 0xc9f, 0xf11, 0xf12, 0xf13, 0xf14, 0xf15,
        ] {
            insns.push(Insn::Csr {
                op: CsrOp::Set,
                rd: a0,
                source: CsrSource::Reg(z),
                csr,
            });
        }
        insns.extend([Insn::Ecall, Insn::Ebreak]);
        insns.extend(PrivilegedOp::ALL.map(Insn::Privileged));
        let mut words: Vec<u32> = insns.into_iter().map(encode).collect();
        // Each row of the table, with operands of all zeros, all ones, and registers that differ.
        for row in ROWS {
            // Fences with reserved fields are left out: objdump prints data.
            let all = [0, u32::MAX, 0x00c5_8513];
            let some = if row.name.starts_with("fence") {
                &all[..1]
            } else {
                &all[..]
            };
            for operands in some {
                words.push(row.bits | operands & !row.mask);
            }
        }
        // None of these: amoadd.d, flw, ld, addiw, funct7 2, reserved branch, load, store, jalr.
        words.extend([
            0x00b5_352f,
            0x0005_2507,
            0x0005_3503,
            0x0015_051b,
            0x04b5_0533,
            0x00b5_2463,
            0x0005_7503,
            0x00a5_3023,
            0x0005_1567,
        ]);
        words
    }

    /// Rows of `tests/golden/rv32.txt`, the n-th at address 4 n. objdump's word on it: scripts/check-encodings.sh.
    #[test]
    fn golden_text() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rv32.txt");
        let text: String = (0..)
            .step_by(4)
            .zip(words())
            .map(|(pc, word)| format!("{word:08x}\t{}\n", disassemble_word(word, pc)))
            .collect();
        if std::env::var_os("RVJIT_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        for (row, (ours, expected)) in text.lines().zip(golden.lines()).enumerate() {
            assert_eq!(ours, expected, "row {}; RVJIT_BLESS=1 rewrites", row + 1);
        }
        assert_eq!(text.lines().count(), golden.lines().count());
    }

    #[test]
    fn targets_wrap() {
        let insn = Insn::Jal {
            rd: Reg::ZERO,
            offset: 8,
        };
        assert_eq!(disassemble(insn, 0xffff_fffc), "j\t0x4");
    }

    #[test]
    fn reserved_fences_print_as_fences() {
        assert_eq!(disassemble_word(0xf335_050f, 0), "fence\trw,rw");
        assert_eq!(disassemble_word(0x1235_150f, 0), "fence.i");
    }
}

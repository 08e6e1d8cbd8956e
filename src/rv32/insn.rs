//! [`Insn`]: one enum for every guest instruction, grouped by shape.
//!
//! Decoded once and shared by the interpreter, the translator, the disassembler and the tests. What the operations
//! inside mean is in `op`.

use super::decode::{MRET, WFI};
use super::table::{Row, Shape, row_of};
use super::{AluOp, AtomicOp, BitOp, Cond, LoadOp, MulOp, Reg, StoreOp, UnaryOp};

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

/// Instructions of the privileged architecture (Privileged spec, "Trap-Return Instructions", "Wait for Interrupt").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrivilegedOp {
    /// MRET: returns from a trap.
    Mret,
    /// WFI: waits for an interrupt.
    Wfi,
}

impl PrivilegedOp {
    /// All of them.
    pub const ALL: [PrivilegedOp; 2] = [PrivilegedOp::Mret, PrivilegedOp::Wfi];

    /// The mnemonic.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PrivilegedOp::Mret => "mret",
            PrivilegedOp::Wfi => "wfi",
        }
    }

    /// The instruction word.
    #[must_use]
    pub const fn word(self) -> u32 {
        match self {
            PrivilegedOp::Mret => MRET,
            PrivilegedOp::Wfi => WFI,
        }
    }
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
    /// rd = the next instruction's address; jump to pc + offset.
    Jal { rd: Reg, offset: i32 },
    /// rd = the next instruction's address; jump to (rs1 + offset) with bit 0 cleared.
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
    /// rd = rs1 op rs2, bit manipulation and conditional zero.
    Bits {
        op: BitOp,
        rd: Reg,
        rs1: Reg,
        rs2: Reg,
    },
    /// rd = rs1 op shamt. `op` is one of [`BitOp::WITH_IMMEDIATE`], `shamt` is 0 to 31.
    BitsImm {
        op: BitOp,
        rd: Reg,
        rs1: Reg,
        shamt: u8,
    },
    /// rd = op rs1.
    Unary { op: UnaryOp, rd: Reg, rs1: Reg },
    /// rd = the word at rs1, or, for a conditional store, whether it failed; the word becomes what the operation makes of
    /// it and rs2. `ordering` holds aq and rl (bits 26 and 25), which mean nothing for one hart.
    Atomic {
        op: AtomicOp,
        rd: Reg,
        rs1: Reg,
        rs2: Reg,
        ordering: u8,
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
    /// What only a machine mode has.
    Privileged(PrivilegedOp),
}

impl Insn {
    pub(super) const fn shape(self) -> Shape {
        match self {
            Insn::Lui { .. } => Shape::Lui,
            Insn::Auipc { .. } => Shape::Auipc,
            Insn::Jal { .. } => Shape::Jal,
            Insn::Jalr { .. } => Shape::Jalr,
            Insn::Branch { cond, .. } => Shape::Branch(cond),
            Insn::Load { op, .. } => Shape::Load(op),
            Insn::Store { op, .. } => Shape::Store(op),
            Insn::AluImm { op, .. } => Shape::AluImm(op),
            Insn::Alu { op, .. } => Shape::Alu(op),
            Insn::Mul { op, .. } => Shape::Mul(op),
            Insn::Bits { op, .. } => Shape::Bits(op),
            Insn::BitsImm { op, .. } => Shape::BitsImm(op),
            Insn::Unary { op, .. } => Shape::Unary(op),
            Insn::Atomic { op, .. } => Shape::Atomic(op),
            Insn::Fence { .. } => Shape::Fence,
            Insn::FenceI { .. } => Shape::FenceI,
            Insn::Csr {
                op,
                source: CsrSource::Reg(_),
                ..
            } => Shape::Csr(op),
            Insn::Csr {
                op,
                source: CsrSource::Imm(_),
                ..
            } => Shape::CsrImm(op),
            Insn::Ecall => Shape::Ecall,
            Insn::Ebreak => Shape::Ebreak,
            Insn::Privileged(op) => Shape::Privileged(op),
        }
    }

    /// The row of the table: mnemonic, extension, bits.
    ///
    /// # Panics
    /// Where there is none: an operation with an immediate that has no such form, as `Sub`.
    #[must_use]
    pub const fn row(self) -> &'static Row {
        row_of(self.shape())
    }

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
            | Insn::Bits { rd, .. }
            | Insn::BitsImm { rd, .. }
            | Insn::Unary { rd, .. }
            | Insn::Atomic { rd, .. }
            | Insn::Csr { rd, .. } => rd,
            Insn::Branch { .. }
            | Insn::Store { .. }
            | Insn::Fence { .. }
            | Insn::FenceI { .. }
            | Insn::Ecall
            | Insn::Ebreak
            | Insn::Privileged(_) => return None,
        };
        if rd.is_zero() { None } else { Some(rd) }
    }

    /// The registers this reads, rs1 first; x0 included where it is named.
    #[must_use]
    pub const fn sources(self) -> [Option<Reg>; 2] {
        match self {
            Insn::Jalr { rs1, .. }
            | Insn::Load { rs1, .. }
            | Insn::AluImm { rs1, .. }
            | Insn::BitsImm { rs1, .. }
            | Insn::Unary { rs1, .. } => [Some(rs1), None],
            Insn::Branch { rs1, rs2, .. }
            | Insn::Store { rs1, rs2, .. }
            | Insn::Alu { rs1, rs2, .. }
            | Insn::Mul { rs1, rs2, .. }
            | Insn::Bits { rs1, rs2, .. }
            | Insn::Atomic { rs1, rs2, .. } => [Some(rs1), Some(rs2)],
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
            | Insn::Ebreak
            | Insn::Privileged(_) => [None, None],
        }
    }
}

//! The guest ISA: one row an instruction.
//!
//! A row has the instruction's bits in the manual's notation (Unprivileged spec, chapter "RV32/64G Instruction Set
//! Listings": fixed bits as they are, operands by name), its mnemonic, its extension, and its `Shape`. Decoding,
//! encoding, text, `misa` and the words of the golden file follow from the rows. Of rows that match the same word the
//! first counts. A row does not compile whose fields are not 32 bits; a shape without a row fails a test that names it.

use super::{AluOp, AtomicOp, BitOp, Cond, CsrOp, LoadOp, MulOp, PrivilegedOp, StoreOp, UnaryOp};

/// What an instruction belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the extension's name")]
pub enum Extension {
    I,
    M,
    A,
    Zicsr,
    Zifencei,
    /// A hint, encoded as a fence: it has no row.
    Zihintpause,
    Zba,
    Zbb,
    Zbc,
    Zbs,
    Zbkb,
    Zicond,
    /// Of the privileged architecture, not an extension.
    Privileged,
}

impl Extension {
    /// All of them, in the order of ISA strings (Unprivileged spec, chapter "ISA Extension Naming Conventions").
    pub const ALL: [Extension; 13] = [
        Extension::I,
        Extension::M,
        Extension::A,
        Extension::Zicsr,
        Extension::Zifencei,
        Extension::Zihintpause,
        Extension::Zicond,
        Extension::Zba,
        Extension::Zbb,
        Extension::Zbc,
        Extension::Zbkb,
        Extension::Zbs,
        Extension::Privileged,
    ];

    /// The name in an ISA string, in lower case; `None` for what no string names.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Extension::I => "i",
            Extension::M => "m",
            Extension::A => "a",
            Extension::Zicsr => "zicsr",
            Extension::Zifencei => "zifencei",
            Extension::Zihintpause => "zihintpause",
            Extension::Zicond => "zicond",
            Extension::Zba => "zba",
            Extension::Zbb => "zbb",
            Extension::Zbc => "zbc",
            Extension::Zbkb => "zbkb",
            Extension::Zbs => "zbs",
            Extension::Privileged => return None,
        })
    }
}

/// The ISA string of all that is implemented, as `-march` takes it: `rv32ima_zicsr_…`.
#[must_use]
pub fn march() -> String {
    let mut march = "rv32".to_owned();
    for name in Extension::ALL.into_iter().filter_map(Extension::name) {
        if name.len() > 1 {
            march.push('_');
        }
        march.push_str(name);
    }
    march
}

/// Bits of `misa` (Privileged spec 3.1.1) that the rows stand for: letters, of which B is Zba, Zbb and Zbs together.
pub const MISA_LETTERS: u32 = {
    let mut misa = 1 << 1;
    let mut at = 0;
    while at < Extension::ALL.len() {
        misa |= match Extension::ALL[at] {
            Extension::A => 1,
            Extension::I => 1 << 8,
            Extension::M => 1 << 12,
            Extension::Zicsr
            | Extension::Zifencei
            | Extension::Zihintpause
            | Extension::Zicond
            | Extension::Zba
            | Extension::Zbb
            | Extension::Zbc
            | Extension::Zbkb
            | Extension::Zbs
            | Extension::Privileged => 0,
        };
        at += 1;
    }
    misa
};

/// What a row becomes: the variant of [`Insn`](super::Insn), with the operation that the row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Lui,
    Auipc,
    Jal,
    Jalr,
    Branch(Cond),
    Load(LoadOp),
    Store(StoreOp),
    AluImm(AluOp),
    Shift(AluOp),
    Alu(AluOp),
    Mul(MulOp),
    Bits(BitOp),
    BitsImm(BitOp),
    Unary(UnaryOp),
    Atomic(AtomicOp),
    Fence,
    FenceI,
    Csr(CsrOp),
    CsrImm(CsrOp),
    Ecall,
    Ebreak,
    Privileged(PrivilegedOp),
}

impl Shape {
    /// A number of its own, because constant code cannot compare enums.
    const fn key(self) -> u16 {
        let (kind, op) = match self {
            Shape::Lui => (0, 0),
            Shape::Auipc => (0, 1),
            Shape::Jal => (0, 2),
            Shape::Jalr => (0, 3),
            Shape::Fence => (0, 6),
            Shape::FenceI => (0, 7),
            Shape::Ecall => (0, 8),
            Shape::Ebreak => (0, 9),
            Shape::Branch(op) => (1, op as u16),
            Shape::Load(op) => (2, op as u16),
            Shape::Store(op) => (3, op as u16),
            // A shift by a constant is an operation with an immediate.
            Shape::AluImm(op) | Shape::Shift(op) => (4, op as u16),
            Shape::Alu(op) => (5, op as u16),
            Shape::Mul(op) => (6, op as u16),
            Shape::Bits(op) => (7, op as u16),
            Shape::BitsImm(op) => (8, op as u16),
            Shape::Unary(op) => (9, op as u16),
            Shape::Atomic(op) => (10, op as u16),
            Shape::Csr(op) => (11, op as u16),
            Shape::CsrImm(op) => (12, op as u16),
            Shape::Privileged(op) => (13, op as u16),
        };
        kind << 8 | op
    }
}

/// An instruction of the guest ISA.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its bits in the manual's notation, from bit 31 on.
    pub pattern: &'static str,
    /// Its mnemonic.
    pub name: &'static str,
    /// What it belongs to.
    pub extension: Extension,
    /// The fixed bits' values.
    pub bits: u32,
    /// Which bits are fixed.
    pub mask: u32,
    pub(super) shape: Shape,
}

const fn row(pattern: &'static str, name: &'static str, extension: Extension, shape: Shape) -> Row {
    let (bits, mask) = fixed(pattern);
    Row {
        pattern,
        name,
        extension,
        bits,
        mask,
        shape,
    }
}

/// How many bits the operand takes that a pattern names.
const fn width(name: &[u8]) -> u32 {
    match name {
        b"imm[31:12]" | b"imm[20|10:1|11|19:12]" => 20,
        b"imm[11:0]" | b"csr" => 12,
        b"imm[12|10:5]" | b"imm[11:5]" => 7,
        b"imm[4:1|11]" | b"imm[4:0]" | b"uimm" | b"shamt" | b"rd" | b"rs1" | b"rs2" => 5,
        b"fm" | b"pred" | b"succ" => 4,
        b"aq" | b"rl" => 1,
        _ => panic!("no operand has this name"),
    }
}

/// The fixed bits of a pattern and where they stand.
const fn fixed(pattern: &str) -> (u32, u32) {
    let (mut bits, mut mask, mut used) = (0_u32, 0_u32, 0);
    let mut rest = pattern.as_bytes();
    while let Some(&first) = rest.first() {
        let mut len = 0;
        while len < rest.len() && rest[len] != b' ' {
            len += 1;
        }
        let (field, behind) = rest.split_at(len);
        if first == b'0' || first == b'1' {
            let mut at = 0;
            while at < field.len() {
                bits = bits << 1 | (field[at] == b'1') as u32;
                mask = mask << 1 | 1;
                at += 1;
            }
            used += field.len();
        } else {
            let width = width(field);
            bits <<= width;
            mask <<= width;
            used += width as usize;
        }
        rest = match behind {
            [_, rest @ ..] => rest,
            [] => behind,
        };
    }
    assert!(used == 32, "a pattern's fields are 32 bits together");
    (bits, mask)
}

/// Every instruction. What is common stands before what is rare, because decoding looks in this order.
#[rustfmt::skip]
pub const ROWS: [Row; ROW_COUNT] = { use Extension::{A, I, M, Privileged, Zba, Zbb, Zbc, Zbkb, Zbs, Zicond, Zicsr, Zifencei}; [
    row("imm[31:12] rd 0110111", "lui", I, Shape::Lui),
    row("imm[31:12] rd 0010111", "auipc", I, Shape::Auipc),
    row("imm[20|10:1|11|19:12] rd 1101111", "jal", I, Shape::Jal),
    row("imm[11:0] rs1 000 rd 1100111", "jalr", I, Shape::Jalr),
    row("imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011", "beq", I, Shape::Branch(Cond::Eq)),
    row("imm[12|10:5] rs2 rs1 001 imm[4:1|11] 1100011", "bne", I, Shape::Branch(Cond::Ne)),
    row("imm[12|10:5] rs2 rs1 100 imm[4:1|11] 1100011", "blt", I, Shape::Branch(Cond::Lt)),
    row("imm[12|10:5] rs2 rs1 101 imm[4:1|11] 1100011", "bge", I, Shape::Branch(Cond::Ge)),
    row("imm[12|10:5] rs2 rs1 110 imm[4:1|11] 1100011", "bltu", I, Shape::Branch(Cond::Ltu)),
    row("imm[12|10:5] rs2 rs1 111 imm[4:1|11] 1100011", "bgeu", I, Shape::Branch(Cond::Geu)),
    row("imm[11:0] rs1 000 rd 0000011", "lb", I, Shape::Load(LoadOp::Lb)),
    row("imm[11:0] rs1 001 rd 0000011", "lh", I, Shape::Load(LoadOp::Lh)),
    row("imm[11:0] rs1 010 rd 0000011", "lw", I, Shape::Load(LoadOp::Lw)),
    row("imm[11:0] rs1 100 rd 0000011", "lbu", I, Shape::Load(LoadOp::Lbu)),
    row("imm[11:0] rs1 101 rd 0000011", "lhu", I, Shape::Load(LoadOp::Lhu)),
    row("imm[11:5] rs2 rs1 000 imm[4:0] 0100011", "sb", I, Shape::Store(StoreOp::Sb)),
    row("imm[11:5] rs2 rs1 001 imm[4:0] 0100011", "sh", I, Shape::Store(StoreOp::Sh)),
    row("imm[11:5] rs2 rs1 010 imm[4:0] 0100011", "sw", I, Shape::Store(StoreOp::Sw)),
    row("imm[11:0] rs1 000 rd 0010011", "addi", I, Shape::AluImm(AluOp::Add)),
    row("imm[11:0] rs1 010 rd 0010011", "slti", I, Shape::AluImm(AluOp::Slt)),
    row("imm[11:0] rs1 011 rd 0010011", "sltiu", I, Shape::AluImm(AluOp::Sltu)),
    row("imm[11:0] rs1 100 rd 0010011", "xori", I, Shape::AluImm(AluOp::Xor)),
    row("imm[11:0] rs1 110 rd 0010011", "ori", I, Shape::AluImm(AluOp::Or)),
    row("imm[11:0] rs1 111 rd 0010011", "andi", I, Shape::AluImm(AluOp::And)),
    row("0000000 shamt rs1 001 rd 0010011", "slli", I, Shape::Shift(AluOp::Sll)),
    row("0000000 shamt rs1 101 rd 0010011", "srli", I, Shape::Shift(AluOp::Srl)),
    row("0100000 shamt rs1 101 rd 0010011", "srai", I, Shape::Shift(AluOp::Sra)),
    row("0000000 rs2 rs1 000 rd 0110011", "add", I, Shape::Alu(AluOp::Add)),
    row("0100000 rs2 rs1 000 rd 0110011", "sub", I, Shape::Alu(AluOp::Sub)),
    row("0000000 rs2 rs1 001 rd 0110011", "sll", I, Shape::Alu(AluOp::Sll)),
    row("0000000 rs2 rs1 010 rd 0110011", "slt", I, Shape::Alu(AluOp::Slt)),
    row("0000000 rs2 rs1 011 rd 0110011", "sltu", I, Shape::Alu(AluOp::Sltu)),
    row("0000000 rs2 rs1 100 rd 0110011", "xor", I, Shape::Alu(AluOp::Xor)),
    row("0000000 rs2 rs1 101 rd 0110011", "srl", I, Shape::Alu(AluOp::Srl)),
    row("0100000 rs2 rs1 101 rd 0110011", "sra", I, Shape::Alu(AluOp::Sra)),
    row("0000000 rs2 rs1 110 rd 0110011", "or", I, Shape::Alu(AluOp::Or)),
    row("0000000 rs2 rs1 111 rd 0110011", "and", I, Shape::Alu(AluOp::And)),
    row("0000001 rs2 rs1 000 rd 0110011", "mul", M, Shape::Mul(MulOp::Mul)),
    row("0000001 rs2 rs1 001 rd 0110011", "mulh", M, Shape::Mul(MulOp::Mulh)),
    row("0000001 rs2 rs1 010 rd 0110011", "mulhsu", M, Shape::Mul(MulOp::Mulhsu)),
    row("0000001 rs2 rs1 011 rd 0110011", "mulhu", M, Shape::Mul(MulOp::Mulhu)),
    row("0000001 rs2 rs1 100 rd 0110011", "div", M, Shape::Mul(MulOp::Div)),
    row("0000001 rs2 rs1 101 rd 0110011", "divu", M, Shape::Mul(MulOp::Divu)),
    row("0000001 rs2 rs1 110 rd 0110011", "rem", M, Shape::Mul(MulOp::Rem)),
    row("0000001 rs2 rs1 111 rd 0110011", "remu", M, Shape::Mul(MulOp::Remu)),
    row("0010000 rs2 rs1 010 rd 0110011", "sh1add", Zba, Shape::Bits(BitOp::Sh1add)),
    row("0010000 rs2 rs1 100 rd 0110011", "sh2add", Zba, Shape::Bits(BitOp::Sh2add)),
    row("0010000 rs2 rs1 110 rd 0110011", "sh3add", Zba, Shape::Bits(BitOp::Sh3add)),
    row("0100000 rs2 rs1 111 rd 0110011", "andn", Zbb, Shape::Bits(BitOp::Andn)),
    row("0100000 rs2 rs1 110 rd 0110011", "orn", Zbb, Shape::Bits(BitOp::Orn)),
    row("0100000 rs2 rs1 100 rd 0110011", "xnor", Zbb, Shape::Bits(BitOp::Xnor)),
    row("0000101 rs2 rs1 100 rd 0110011", "min", Zbb, Shape::Bits(BitOp::Min)),
    row("0000101 rs2 rs1 101 rd 0110011", "minu", Zbb, Shape::Bits(BitOp::Minu)),
    row("0000101 rs2 rs1 110 rd 0110011", "max", Zbb, Shape::Bits(BitOp::Max)),
    row("0000101 rs2 rs1 111 rd 0110011", "maxu", Zbb, Shape::Bits(BitOp::Maxu)),
    row("0110000 rs2 rs1 001 rd 0110011", "rol", Zbb, Shape::Bits(BitOp::Rol)),
    row("0110000 rs2 rs1 101 rd 0110011", "ror", Zbb, Shape::Bits(BitOp::Ror)),
    row("0110000 shamt rs1 101 rd 0010011", "rori", Zbb, Shape::BitsImm(BitOp::Ror)),
    row("0110000 00000 rs1 001 rd 0010011", "clz", Zbb, Shape::Unary(UnaryOp::Clz)),
    row("0110000 00001 rs1 001 rd 0010011", "ctz", Zbb, Shape::Unary(UnaryOp::Ctz)),
    row("0110000 00010 rs1 001 rd 0010011", "cpop", Zbb, Shape::Unary(UnaryOp::Cpop)),
    row("0110000 00100 rs1 001 rd 0010011", "sext.b", Zbb, Shape::Unary(UnaryOp::SextB)),
    row("0110000 00101 rs1 001 rd 0010011", "sext.h", Zbb, Shape::Unary(UnaryOp::SextH)),
    // Before `pack`, of which it is a case.
    row("0000100 00000 rs1 100 rd 0110011", "zext.h", Zbb, Shape::Unary(UnaryOp::ZextH)),
    row("0010100 00111 rs1 101 rd 0010011", "orc.b", Zbb, Shape::Unary(UnaryOp::OrcB)),
    row("0110100 11000 rs1 101 rd 0010011", "rev8", Zbb, Shape::Unary(UnaryOp::Rev8)),
    row("0100100 rs2 rs1 001 rd 0110011", "bclr", Zbs, Shape::Bits(BitOp::Bclr)),
    row("0100100 rs2 rs1 101 rd 0110011", "bext", Zbs, Shape::Bits(BitOp::Bext)),
    row("0110100 rs2 rs1 001 rd 0110011", "binv", Zbs, Shape::Bits(BitOp::Binv)),
    row("0010100 rs2 rs1 001 rd 0110011", "bset", Zbs, Shape::Bits(BitOp::Bset)),
    row("0100100 shamt rs1 001 rd 0010011", "bclri", Zbs, Shape::BitsImm(BitOp::Bclr)),
    row("0100100 shamt rs1 101 rd 0010011", "bexti", Zbs, Shape::BitsImm(BitOp::Bext)),
    row("0110100 shamt rs1 001 rd 0010011", "binvi", Zbs, Shape::BitsImm(BitOp::Binv)),
    row("0010100 shamt rs1 001 rd 0010011", "bseti", Zbs, Shape::BitsImm(BitOp::Bset)),
    row("0000101 rs2 rs1 001 rd 0110011", "clmul", Zbc, Shape::Bits(BitOp::Clmul)),
    row("0000101 rs2 rs1 010 rd 0110011", "clmulr", Zbc, Shape::Bits(BitOp::Clmulr)),
    row("0000101 rs2 rs1 011 rd 0110011", "clmulh", Zbc, Shape::Bits(BitOp::Clmulh)),
    row("0000100 rs2 rs1 100 rd 0110011", "pack", Zbkb, Shape::Bits(BitOp::Pack)),
    row("0000100 rs2 rs1 111 rd 0110011", "packh", Zbkb, Shape::Bits(BitOp::Packh)),
    row("0110100 00111 rs1 101 rd 0010011", "brev8", Zbkb, Shape::Unary(UnaryOp::Brev8)),
    row("0000100 01111 rs1 001 rd 0010011", "zip", Zbkb, Shape::Unary(UnaryOp::Zip)),
    row("0000100 01111 rs1 101 rd 0010011", "unzip", Zbkb, Shape::Unary(UnaryOp::Unzip)),
    row("0000111 rs2 rs1 101 rd 0110011", "czero.eqz", Zicond, Shape::Bits(BitOp::CzeroEqz)),
    row("0000111 rs2 rs1 111 rd 0110011", "czero.nez", Zicond, Shape::Bits(BitOp::CzeroNez)),
    row("00010 aq rl 00000 rs1 010 rd 0101111", "lr.w", A, Shape::Atomic(AtomicOp::LoadReserved)),
    row("00011 aq rl rs2 rs1 010 rd 0101111", "sc.w", A, Shape::Atomic(AtomicOp::StoreConditional)),
    row("00001 aq rl rs2 rs1 010 rd 0101111", "amoswap.w", A, Shape::Atomic(AtomicOp::Swap)),
    row("00000 aq rl rs2 rs1 010 rd 0101111", "amoadd.w", A, Shape::Atomic(AtomicOp::Add)),
    row("00100 aq rl rs2 rs1 010 rd 0101111", "amoxor.w", A, Shape::Atomic(AtomicOp::Xor)),
    row("01100 aq rl rs2 rs1 010 rd 0101111", "amoand.w", A, Shape::Atomic(AtomicOp::And)),
    row("01000 aq rl rs2 rs1 010 rd 0101111", "amoor.w", A, Shape::Atomic(AtomicOp::Or)),
    row("10000 aq rl rs2 rs1 010 rd 0101111", "amomin.w", A, Shape::Atomic(AtomicOp::Min)),
    row("10100 aq rl rs2 rs1 010 rd 0101111", "amomax.w", A, Shape::Atomic(AtomicOp::Max)),
    row("11000 aq rl rs2 rs1 010 rd 0101111", "amominu.w", A, Shape::Atomic(AtomicOp::Minu)),
    row("11100 aq rl rs2 rs1 010 rd 0101111", "amomaxu.w", A, Shape::Atomic(AtomicOp::Maxu)),
    row("fm pred succ rs1 000 rd 0001111", "fence", I, Shape::Fence),
    row("imm[11:0] rs1 001 rd 0001111", "fence.i", Zifencei, Shape::FenceI),
    row("csr rs1 001 rd 1110011", "csrrw", Zicsr, Shape::Csr(CsrOp::Write)),
    row("csr rs1 010 rd 1110011", "csrrs", Zicsr, Shape::Csr(CsrOp::Set)),
    row("csr rs1 011 rd 1110011", "csrrc", Zicsr, Shape::Csr(CsrOp::Clear)),
    row("csr uimm 101 rd 1110011", "csrrwi", Zicsr, Shape::CsrImm(CsrOp::Write)),
    row("csr uimm 110 rd 1110011", "csrrsi", Zicsr, Shape::CsrImm(CsrOp::Set)),
    row("csr uimm 111 rd 1110011", "csrrci", Zicsr, Shape::CsrImm(CsrOp::Clear)),
    row("00000000000000000000000001110011", "ecall", I, Shape::Ecall),
    row("00000000000100000000000001110011", "ebreak", I, Shape::Ebreak),
    row("00110000001000000000000001110011", "mret", Privileged, Shape::Privileged(PrivilegedOp::Mret)),
    row("00010000010100000000000001110011", "wfi", Privileged, Shape::Privileged(PrivilegedOp::Wfi)),
] };

const ROW_COUNT: usize = 107;

/// The row of a shape.
///
/// # Panics
/// Where it has none: an operation without an immediate form, as the subtraction.
pub(super) const fn row_of(shape: Shape) -> &'static Row {
    const ALL: &[Row] = &ROWS;
    let mut at = 0;
    while at < ALL.len() {
        if ALL[at].shape.key() == shape.key() {
            return &ALL[at];
        }
        at += 1;
    }
    panic!("no row has this shape")
}

/// Major opcode without the two low bits, and `funct3`: what decoding looks a word up by.
pub(super) const fn bucket(word: u32) -> usize {
    (word >> 2 & 0x1f | (word >> 12 & 7) << 5) as usize
}

/// What decoding needs of a row.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub(super) mask: u32,
    pub(super) bits: u32,
    pub(super) shape: Shape,
}

const BUCKETS: usize = 1 << 8;

/// Rows without a fixed `funct3` are in eight buckets.
const CANDIDATE_COUNT: usize = {
    let (mut count, mut at) = (0, 0);
    while at < ROWS.len() {
        count += if ROWS[at].mask >> 12 & 7 == 0 { 8 } else { 1 };
        at += 1;
    }
    count
};

/// The rows by bucket, in the table's order: those of bucket `n` from `starts[n]` to `starts[n + 1]`.
pub(super) struct Index {
    pub(super) starts: [u8; BUCKETS + 1],
    pub(super) candidates: [Candidate; CANDIDATE_COUNT],
}

pub(super) static INDEX: Index = index();

const fn index() -> Index {
    let empty = Candidate {
        mask: 0,
        bits: 0,
        shape: Shape::Lui,
    };
    let mut index = Index {
        starts: [0; BUCKETS + 1],
        candidates: [empty; CANDIDATE_COUNT],
    };
    // More candidates than a byte counts overflow it, and do not compile.
    let (mut n, mut bucket) = (0_u8, 0_u32);
    while (bucket as usize) < BUCKETS {
        index.starts[bucket as usize] = n;
        // The bits that the bucket's words have.
        let word = (bucket & 0x1f) << 2 | (bucket >> 5) << 12 | 3;
        let mut at = 0;
        while at < ROWS.len() {
            let row = &ROWS[at];
            if (word ^ row.bits) & row.mask & 0x707f == 0 {
                index.candidates[n as usize] = Candidate {
                    mask: row.mask,
                    bits: row.bits,
                    shape: row.shape,
                };
                n += 1;
            }
            at += 1;
        }
        bucket += 1;
    }
    assert!(n as usize == CANDIDATE_COUNT, "all candidates are there");
    index.starts[BUCKETS] = n;
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rv32::{decode, try_encode};

    /// Each row decodes, with operands of all zeros, all ones and a mixture, to its own shape and encodes to its word.
    /// `mv`-like rows whose fixed operands another row leaves open have to stand first, or fail here.
    #[test]
    fn each_row_is_decoded_and_encoded() {
        for (at, row) in ROWS.iter().enumerate() {
            for operands in [0, u32::MAX, 0x5555_5555, 0xaaaa_aaaa] {
                let word = row.bits | operands & !row.mask;
                let before = ROWS.iter().take(at).find(|r| word & r.mask == r.bits);
                if let Some(before) = before {
                    assert_eq!((before.name, row.name), ("zext.h", "pack"));
                    continue;
                }
                let insn = decode(word).unwrap_or_else(|| panic!("{} {word:#010x}", row.name));
                assert_eq!(insn.row().name, row.name, "{word:#010x}");
                assert_eq!(try_encode(insn), Some(word), "{}", row.name);
            }
        }
    }

    #[test]
    fn names_and_shapes_are_unique() {
        for (at, row) in ROWS.iter().enumerate() {
            for other in &ROWS[at + 1..] {
                assert_ne!(row.name, other.name);
                assert_ne!(row.shape.key(), other.shape.key(), "{}", row.name);
            }
        }
    }

    /// Every operation that an instruction can name has a row: [`row_of`] panics for one without.
    #[test]
    fn each_operation_has_a_row() {
        for op in AluOp::ALL {
            assert_eq!(row_of(Shape::Alu(op)).shape, Shape::Alu(op));
        }
        for op in MulOp::ALL {
            assert_eq!(row_of(Shape::Mul(op)).shape, Shape::Mul(op));
        }
        for op in Cond::ALL {
            assert_eq!(row_of(Shape::Branch(op)).shape, Shape::Branch(op));
        }
        for op in LoadOp::ALL {
            assert_eq!(row_of(Shape::Load(op)).shape, Shape::Load(op));
        }
        for op in StoreOp::ALL {
            assert_eq!(row_of(Shape::Store(op)).shape, Shape::Store(op));
        }
        for op in BitOp::ALL {
            assert_eq!(row_of(Shape::Bits(op)).shape, Shape::Bits(op));
        }
        for op in BitOp::WITH_IMMEDIATE {
            assert_eq!(row_of(Shape::BitsImm(op)).shape, Shape::BitsImm(op));
        }
        for op in UnaryOp::ALL {
            assert_eq!(row_of(Shape::Unary(op)).shape, Shape::Unary(op));
        }
        for op in AtomicOp::ALL {
            assert_eq!(row_of(Shape::Atomic(op)).shape, Shape::Atomic(op));
        }
        for op in PrivilegedOp::ALL {
            assert_eq!(row_of(Shape::Privileged(op)).shape, Shape::Privileged(op));
        }
    }

    #[test]
    fn the_isa_string_names_all() {
        assert_eq!(
            march(),
            "rv32ima_zicsr_zifencei_zihintpause_zicond_zba_zbb_zbc_zbkb_zbs"
        );
        for row in ROWS {
            assert!(Extension::ALL.contains(&row.extension), "{}", row.name);
        }
    }
}

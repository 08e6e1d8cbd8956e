//! Operations between guest instructions and host code: what a backend can lower.
//!
//! One guest instruction gives one operation; `passes` then join and drop some.

use super::registers::RegSet;
use crate::rv32::{AluOp, AtomicOp, BitOp, Cond, LoadOp, MulOp, Reg, StoreOp, UnaryOp};

/// A second operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// A guest register other than x0.
    Reg(Reg),
    /// A constant.
    Imm(u32),
}

/// Shifts of an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShiftKind {
    /// Left.
    Left,
    /// Right, zeros in.
    Right,
    /// Right, the sign in.
    Arithmetic,
}

/// A guest address: base + (index << shift) + offset, wrapping at 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// May be x0.
    pub base: Reg,
    /// Never x0; the shift is 0 to 3.
    pub index: Option<(Reg, u8)>,
    /// Any 32 bits.
    pub offset: i32,
}

impl Address {
    /// base + offset.
    #[must_use]
    pub fn new(base: Reg, offset: i32) -> Address {
        Address {
            base,
            index: None,
            offset,
        }
    }
}

/// What a branch looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// a cond b; a may be x0 unless b is an immediate.
    Compare(Cond, Reg, Operand),
    /// (a & b) == 0, or != 0 where `zero` is false.
    Bits {
        /// Whether the branch is taken on zero.
        zero: bool,
        /// First operand.
        a: Reg,
        /// Second operand.
        b: Operand,
    },
}

/// What an access moves that one or two guest instructions make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// One load; the register is not the base.
    Load(LoadOp, Reg),
    /// One store; the register is not the base.
    Store(StoreOp, Reg),
    /// Two words, the lower address first. The registers differ and are not x0.
    LoadPair(Reg, Reg),
    /// Two words, the lower address first.
    StorePair(Reg, Reg),
}

impl Joint {
    /// The registers loaded or stored.
    fn registers(self) -> RegSet {
        match self {
            Joint::Load(_, reg) | Joint::Store(_, reg) => RegSet::of(reg),
            Joint::LoadPair(low, high) | Joint::StorePair(low, high) => {
                RegSet::of(low) | RegSet::of(high)
            }
        }
    }

    /// Whether this is one of the registers loaded or stored.
    #[must_use]
    pub fn names(self, reg: Reg) -> bool {
        match self {
            Joint::Load(_, own) | Joint::Store(_, own) => own == reg,
            Joint::LoadPair(low, high) | Joint::StorePair(low, high) => low == reg || high == reg,
        }
    }

    /// Whether two words are moved.
    #[must_use]
    pub fn is_pair(self) -> bool {
        matches!(self, Joint::LoadPair(..) | Joint::StorePair(..))
    }

    fn loads(self) -> bool {
        matches!(self, Joint::Load(..) | Joint::LoadPair(..))
    }
}

/// One operation. Registers may be x0 only where said; immediates are any 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Nothing: what stood here vanished, or somebody else does its work.
    Nop,
    /// rd = value.
    Imm {
        /// Result.
        rd: Reg,
        /// The constant.
        value: u32,
    },
    /// rd = rs.
    Copy {
        /// Result.
        rd: Reg,
        /// Source.
        rs: Reg,
    },
    /// rd = a op b.
    Alu {
        /// Any but `Slt` and `Sltu`, which are [`Op::SetIf`]; `Sub` only with a register `b`.
        op: AluOp,
        /// Result.
        rd: Reg,
        /// May be x0 for `Sub`.
        a: Reg,
        /// Second operand.
        b: Operand,
    },
    /// rd += by: an addition that was moved elsewhere and is to be done, or undone, here; only among what is deferred, first.
    Step {
        /// Result and operand.
        rd: Reg,
        /// What is added.
        by: i32,
    },
    /// rd = a op (b shifted), where [`Costs`](super::costs::Costs) has such an operand.
    AluShifted {
        /// `Add`, `Sub`, `And`, `Or` or `Xor`.
        op: AluOp,
        /// Result.
        rd: Reg,
        /// May be x0 for `Sub`.
        a: Reg,
        /// What is shifted.
        b: Reg,
        /// How.
        kind: ShiftKind,
        /// By how much: 1 to 31.
        amount: u8,
    },
    /// rd = the `width` bits of rs from bit `lsb` on, extended.
    Extract {
        /// Result.
        rd: Reg,
        /// Source.
        rs: Reg,
        /// The lowest bit, 0 to 31.
        lsb: u8,
        /// 1 to 32 − `lsb`.
        width: u8,
        /// Whether the highest of them is the sign.
        signed: bool,
    },
    /// rd = the low `width` bits of rs, shifted left by `lsb`, other bits zero.
    Place {
        /// Result.
        rd: Reg,
        /// Source.
        rs: Reg,
        /// Where the lowest bit goes, 0 to 31.
        lsb: u8,
        /// 1 to 32 − `lsb`.
        width: u8,
    },
    /// rd = rs rotated right; of a register that says by how much, the low five bits count.
    Rotate {
        /// Result.
        rd: Reg,
        /// Source.
        rs: Reg,
        /// By how much.
        by: Operand,
    },
    /// rd = the low word of high:low shifted right.
    Funnel {
        /// Result.
        rd: Reg,
        /// The upper word.
        high: Reg,
        /// The lower word.
        low: Reg,
        /// By how much: 1 to 31.
        amount: u8,
    },
    /// rd = 1 where `a cond b`, else 0.
    SetIf {
        /// The comparison.
        cond: Cond,
        /// Result.
        rd: Reg,
        /// May be x0.
        a: Reg,
        /// Second operand.
        b: Operand,
    },
    /// rd = a op b, multiplication and division.
    Mul {
        /// Which.
        op: MulOp,
        /// Result.
        rd: Reg,
        /// May be x0.
        a: Reg,
        /// May be x0.
        b: Reg,
    },
    /// rd = rs where `a cond b`, else `other`.
    Select {
        /// The comparison.
        cond: Cond,
        /// May be x0 unless `b` is an immediate.
        a: Reg,
        /// Second operand of the comparison.
        b: Operand,
        /// Result.
        rd: Reg,
        /// What it is where the comparison holds.
        rs: Operand,
        /// What it is where it does not; may be x0.
        other: Reg,
    },
    /// rd = a op b, what no operation above can say.
    Bits {
        /// `Andn`, `Orn`, `Xnor`, `Rol`, `Bclr`, `Binv`, `Bset`, `Pack` or `Packh`.
        op: BitOp,
        /// Result.
        rd: Reg,
        /// May be x0 for `Bset`.
        a: Reg,
        /// Second operand.
        b: Reg,
    },
    /// rd = op rs.
    Unary {
        /// Any but the extensions of bytes and half-words, which are [`Op::Extract`].
        op: UnaryOp,
        /// Result.
        rd: Reg,
        /// Source.
        rs: Reg,
    },
    /// rd = a op b, where b holds `value`: neither 0 nor −1.
    DivideBy {
        /// A division or remainder.
        op: MulOp,
        /// Result.
        rd: Reg,
        /// May be x0.
        a: Reg,
        /// The divisor.
        b: Reg,
        /// What it probably holds.
        value: u32,
        /// Whether it holds that indeed; else the code looks.
        certain: bool,
    },
    /// lo = the low half of a × b, hi = the high half; they differ.
    MulWide {
        /// The kind of the high half.
        op: MulOp,
        /// Low half.
        lo: Reg,
        /// High half.
        hi: Reg,
        /// May be x0.
        a: Reg,
        /// May be x0.
        b: Reg,
    },
    /// quot = a / b, rem = a % b; they differ.
    DivRem {
        /// Whether the operands are signed.
        signed: bool,
        /// Quotient.
        quot: Reg,
        /// Remainder.
        rem: Reg,
        /// Dividend; may be x0.
        a: Reg,
        /// Divisor; may be x0.
        b: Reg,
    },
    /// rd = c + a × b.
    MulAdd {
        /// Result.
        rd: Reg,
        /// What is added.
        c: Reg,
        /// Factor.
        a: Reg,
        /// Factor.
        b: Reg,
    },
    /// lo = a + b and carry = 1 where it wrapped, else 0; or a − b and the borrow. `lo` and `carry` differ.
    AddCarry {
        /// Whether it is a subtraction.
        sub: bool,
        /// Sum or difference.
        lo: Reg,
        /// Carry or borrow.
        carry: Reg,
        /// First operand.
        a: Reg,
        /// Second operand.
        b: Reg,
    },
    /// rd = memory, extended.
    Load {
        /// Width and extension.
        op: LoadOp,
        /// May be x0: the access still happens.
        rd: Reg,
        /// Where.
        address: Address,
    },
    /// memory = the low bits of src.
    Store {
        /// Width.
        op: StoreOp,
        /// May be x0.
        src: Reg,
        /// Where.
        address: Address,
    },
    /// An access to base + offset, and then base += `update`; the offset is then 0 or the same. Only for hosts whose
    /// [`Costs`](super::costs::Costs) say that they can.
    Joint {
        /// What is moved.
        access: Joint,
        /// Never x0.
        base: Reg,
        /// Offset of the access.
        offset: i32,
        /// What is added to the base.
        update: Option<i32>,
    },
    /// rd = the word at base, and what [`AtomicOp`] says becomes of it and of the reservation; or, of `StoreConditional`,
    /// whether it was not stored. Misaligned, it is left to the interpreter.
    Atomic {
        /// Which.
        op: AtomicOp,
        /// Result; may be x0.
        rd: Reg,
        /// The other operand; may be x0.
        src: Reg,
        /// Where.
        base: Reg,
    },
    /// Goes to `target` where the test holds, else on.
    Branch {
        /// The test.
        test: Test,
        /// Guest address.
        target: u32,
    },
    /// Goes to `target`.
    Jump {
        /// Guest address.
        target: u32,
    },
    /// Goes to (rs + offset) with bit 0 cleared, and writes a link register after the target was found: a jump that is
    /// interpreted, because its target is misaligned or has no slot, finds all registers as they were.
    JumpReg {
        /// May be x0.
        rs: Reg,
        /// Added to it.
        offset: i32,
        /// The link register, and what it gets.
        link: Option<(Reg, u32)>,
    },
    /// Leaves: the interpreter executes the instruction, and goes on from there.
    Interpret,
}

/// What an operation does with registers; x0 is never among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operands {
    /// The registers that it reads.
    pub reads: RegSet,
    /// The registers that it writes.
    pub writes: RegSet,
    /// The register that it computes, if that is all it does.
    pub computes: Option<Reg>,
}

impl Op {
    /// What this does with registers: all that the passes know of an operation follows from here.
    #[inline]
    #[must_use]
    pub fn operands(self) -> Operands {
        let one = RegSet::of;
        let operand = |b: Operand| match b {
            Operand::Reg(b) => one(b),
            Operand::Imm(_) => RegSet::NONE,
        };
        let at = |address: Address| {
            let index = address.index.map_or(RegSet::NONE, |(index, _)| one(index));
            one(address.base) | index
        };
        let computes = |rd: Reg, reads: RegSet| Operands {
            reads,
            writes: one(rd),
            computes: Some(rd),
        };
        let acts = |reads: RegSet, writes: RegSet| Operands {
            reads,
            writes,
            computes: None,
        };
        match self {
            Op::Nop | Op::Jump { .. } => acts(RegSet::NONE, RegSet::NONE),
            Op::Imm { rd, .. } => computes(rd, RegSet::NONE),
            Op::Step { rd, .. } => computes(rd, one(rd)),
            Op::Copy { rd, rs } | Op::Extract { rd, rs, .. } | Op::Place { rd, rs, .. } => {
                computes(rd, one(rs))
            }
            Op::Alu { rd, a, b, .. } | Op::SetIf { rd, a, b, .. } => {
                computes(rd, one(a) | operand(b))
            }
            Op::Rotate { rd, rs, by } => computes(rd, one(rs) | operand(by)),
            Op::Funnel { rd, high, low, .. } => computes(rd, one(high) | one(low)),
            Op::Select {
                a,
                b,
                rd,
                rs,
                other,
                ..
            } => computes(rd, one(a) | operand(b) | operand(rs) | one(other)),
            Op::Unary { rd, rs, .. } => computes(rd, one(rs)),
            Op::Bits { rd, a, b, .. }
            | Op::AluShifted { rd, a, b, .. }
            | Op::Mul { rd, a, b, .. }
            | Op::DivideBy { rd, a, b, .. } => computes(rd, one(a) | one(b)),
            Op::MulAdd { rd, c, a, b } => computes(rd, one(c) | one(a) | one(b)),
            Op::MulWide { lo, hi, a, b, .. } => acts(one(a) | one(b), one(lo) | one(hi)),
            Op::DivRem {
                quot, rem, a, b, ..
            } => acts(one(a) | one(b), one(quot) | one(rem)),
            Op::AddCarry {
                lo, carry, a, b, ..
            } => acts(one(a) | one(b), one(lo) | one(carry)),
            Op::Load { rd, address, .. } => acts(at(address), one(rd)),
            Op::Store { src, address, .. } => acts(one(src) | at(address), RegSet::NONE),
            Op::Atomic { rd, src, base, .. } => acts(one(src) | one(base), one(rd)),
            Op::Joint {
                access,
                base,
                update,
                ..
            } => {
                let (read, loaded) = match access.loads() {
                    true => (RegSet::NONE, access.registers()),
                    false => (access.registers(), RegSet::NONE),
                };
                let updated = update.map_or(RegSet::NONE, |_| one(base));
                acts(one(base) | read, loaded | updated)
            }
            Op::Branch {
                test: Test::Compare(_, a, b) | Test::Bits { a, b, .. },
                ..
            } => acts(one(a) | operand(b), RegSet::NONE),
            Op::JumpReg { rs, link, .. } => {
                acts(one(rs), link.map_or(RegSet::NONE, |(rd, _)| one(rd)))
            }
            // Whatever the interpreter wants.
            Op::Interpret => acts(RegSet::ALL, RegSet::ALL),
        }
    }

    /// [`Operands::reads`].
    #[inline]
    #[must_use]
    pub fn reads(self) -> RegSet {
        self.operands().reads
    }

    /// [`Operands::writes`].
    #[inline]
    #[must_use]
    pub fn writes(self) -> RegSet {
        self.operands().writes
    }

    /// [`Operands::computes`].
    #[inline]
    #[must_use]
    pub fn computes(self) -> Option<Reg> {
        self.operands().computes
    }

    /// Whether this accesses guest memory: the code may be left here, with all registers visible.
    #[must_use]
    pub fn accesses(self) -> bool {
        matches!(
            self,
            Op::Load { .. } | Op::Store { .. } | Op::Joint { .. } | Op::Atomic { .. }
        )
    }

    /// Whether execution may go elsewhere here, with all registers visible.
    #[must_use]
    pub fn leaves(self) -> bool {
        matches!(
            self,
            Op::Branch { .. } | Op::Jump { .. } | Op::JumpReg { .. } | Op::Interpret
        )
    }
}

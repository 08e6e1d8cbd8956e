//! Operations between guest instructions and host code: what a backend can lower.
//!
//! One guest instruction gives one operation; `passes` then join and drop some.

use crate::cpu::Cpu;
use crate::rv32::{AluOp, Cond, LoadOp, MulOp, Reg, StoreOp};

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
    /// The registers loaded or stored, as a bit each.
    fn registers(self) -> u32 {
        let one = |reg: Reg| 1_u32 << reg.index();
        match self {
            Joint::Load(_, reg) | Joint::Store(_, reg) => one(reg),
            Joint::LoadPair(low, high) | Joint::StorePair(low, high) => one(low) | one(high),
        }
    }

    /// Whether this is one of the registers loaded or stored.
    #[must_use]
    pub fn names(self, reg: Reg) -> bool {
        self.registers() & 1 << reg.index() != 0
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

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the methods of `Backend` describe each")]
pub enum Op {
    Nop,
    Imm {
        rd: Reg,
        value: u32,
    },
    Copy {
        rd: Reg,
        rs: Reg,
    },
    Alu {
        op: AluOp,
        rd: Reg,
        a: Reg,
        b: Operand,
    },
    /// An addition that was moved elsewhere and is to be done, or undone, here; only among what is deferred, first.
    Step {
        rd: Reg,
        by: i32,
    },
    AluShifted {
        op: AluOp,
        rd: Reg,
        a: Reg,
        b: Reg,
        kind: ShiftKind,
        amount: u8,
    },
    Extract {
        rd: Reg,
        rs: Reg,
        lsb: u8,
        width: u8,
        signed: bool,
    },
    Place {
        rd: Reg,
        rs: Reg,
        lsb: u8,
        width: u8,
    },
    Rotate {
        rd: Reg,
        rs: Reg,
        by: Operand,
    },
    Funnel {
        rd: Reg,
        high: Reg,
        low: Reg,
        amount: u8,
    },
    SetIf {
        cond: Cond,
        rd: Reg,
        a: Reg,
        b: Operand,
    },
    Mul {
        op: MulOp,
        rd: Reg,
        a: Reg,
        b: Reg,
    },
    Select {
        cond: Cond,
        a: Reg,
        b: Operand,
        rd: Reg,
        rs: Operand,
    },
    DivideBy {
        op: MulOp,
        rd: Reg,
        a: Reg,
        b: Reg,
        value: u32,
        certain: bool,
    },
    MulWide {
        op: MulOp,
        lo: Reg,
        hi: Reg,
        a: Reg,
        b: Reg,
    },
    DivRem {
        signed: bool,
        quot: Reg,
        rem: Reg,
        a: Reg,
        b: Reg,
    },
    MulAdd {
        rd: Reg,
        c: Reg,
        a: Reg,
        b: Reg,
    },
    AddCarry {
        sub: bool,
        lo: Reg,
        carry: Reg,
        a: Reg,
        b: Reg,
    },
    Load {
        op: LoadOp,
        rd: Reg,
        address: Address,
    },
    Store {
        op: StoreOp,
        src: Reg,
        address: Address,
    },
    Joint {
        access: Joint,
        base: Reg,
        offset: i32,
        update: Option<i32>,
    },
    Branch {
        test: Test,
        target: u32,
    },
    Jump {
        target: u32,
    },
    JumpReg {
        rs: Reg,
        offset: i32,
        link: Option<(Reg, u32)>,
    },
    Interpret,
}

impl Op {
    /// The guest registers that this reads, as a bit each; x0 is none.
    #[must_use]
    pub fn uses(self) -> u32 {
        let one = |reg: Reg| 1_u32 << reg.index();
        let operand = |b: Operand| match b {
            Operand::Reg(b) => one(b),
            Operand::Imm(_) => 0,
        };
        let at =
            |address: Address| one(address.base) | address.index.map_or(0, |(index, _)| one(index));
        let mask = match self {
            Op::Nop | Op::Imm { .. } | Op::Jump { .. } => 0,
            Op::Step { rd, .. } => one(rd),
            Op::Copy { rs, .. } | Op::Extract { rs, .. } | Op::Place { rs, .. } => one(rs),
            Op::Alu { a, b, .. } | Op::SetIf { a, b, .. } => one(a) | operand(b),
            Op::Rotate { rs, by, .. } => one(rs) | operand(by),
            Op::Funnel { high, low, .. } => one(high) | one(low),
            Op::Select { a, b, rd, rs, .. } => one(a) | operand(b) | one(rd) | operand(rs),
            Op::AluShifted { a, b, .. }
            | Op::Mul { a, b, .. }
            | Op::MulWide { a, b, .. }
            | Op::DivideBy { a, b, .. }
            | Op::DivRem { a, b, .. }
            | Op::AddCarry { a, b, .. } => one(a) | one(b),
            Op::MulAdd { c, a, b, .. } => one(c) | one(a) | one(b),
            Op::Load { address, .. } => at(address),
            Op::Store { src, address, .. } => one(src) | at(address),
            Op::Joint { access, base, .. } if access.loads() => one(base),
            Op::Joint { access, base, .. } => one(base) | access.registers(),
            Op::Branch { test, .. } => match test {
                Test::Compare(_, a, b) | Test::Bits { a, b, .. } => one(a) | operand(b),
            },
            Op::JumpReg { rs, .. } => one(rs),
            // Whatever the interpreter wants.
            Op::Interpret => u32::MAX,
        };
        mask & !1
    }

    /// The guest registers that this writes, as a bit each.
    #[must_use]
    pub fn writes(self) -> u32 {
        let one = |reg: Reg| 1_u32 << reg.index();
        let mask = match self {
            Op::Load { rd, .. } => one(rd),
            Op::Joint {
                access,
                base,
                update,
                ..
            } => {
                let loaded = if access.loads() {
                    access.registers()
                } else {
                    0
                };
                loaded | update.map_or(0, |_| one(base))
            }
            Op::MulWide { lo, hi, .. } => one(lo) | one(hi),
            Op::DivRem { quot, rem, .. } => one(quot) | one(rem),
            Op::AddCarry { lo, carry, .. } => one(lo) | one(carry),
            Op::JumpReg { link, .. } => link.map_or(0, |(rd, _)| one(rd)),
            Op::Interpret => u32::MAX,
            _ => self.computes().map_or(0, one),
        };
        mask & !1
    }

    /// The register that this computes, if that is all it does.
    #[must_use]
    pub fn computes(self) -> Option<Reg> {
        match self {
            Op::Imm { rd, .. }
            | Op::Copy { rd, .. }
            | Op::Alu { rd, .. }
            | Op::Step { rd, .. }
            | Op::AluShifted { rd, .. }
            | Op::Extract { rd, .. }
            | Op::Place { rd, .. }
            | Op::Rotate { rd, .. }
            | Op::Funnel { rd, .. }
            | Op::SetIf { rd, .. }
            | Op::Mul { rd, .. }
            | Op::Select { rd, .. }
            | Op::DivideBy { rd, .. }
            | Op::MulAdd { rd, .. } => Some(rd),
            Op::Nop
            | Op::Load { .. }
            | Op::Store { .. }
            | Op::Joint { .. }
            | Op::MulWide { .. }
            | Op::DivRem { .. }
            | Op::AddCarry { .. }
            | Op::Branch { .. }
            | Op::Jump { .. }
            | Op::JumpReg { .. }
            | Op::Interpret => None,
        }
    }

    /// Whether this accesses guest memory: the code may be left here, with all registers visible.
    #[must_use]
    pub fn accesses(self) -> bool {
        matches!(self, Op::Load { .. } | Op::Store { .. } | Op::Joint { .. })
    }

    /// Whether execution may go elsewhere here, with all registers visible.
    #[must_use]
    pub fn leaves(self) -> bool {
        matches!(
            self,
            Op::Branch { .. } | Op::Jump { .. } | Op::JumpReg { .. } | Op::Interpret
        )
    }

    /// What the operation computes from these registers, if [`Op::computes`].
    #[must_use]
    pub fn value(self, cpu: &Cpu) -> Option<(Reg, u32)> {
        let operand = |b: Operand| match b {
            Operand::Reg(b) => cpu.get(b),
            Operand::Imm(value) => value,
        };
        let low = |width: u8| u32::MAX >> (32 - u32::from(width));
        let value = match self {
            Op::Imm { value, .. } => value,
            Op::Copy { rs, .. } => cpu.get(rs),
            Op::Alu { op, a, b, .. } => op.eval(cpu.get(a), operand(b)),
            Op::Step { rd, by } => cpu.get(rd).wrapping_add_signed(by),
            Op::AluShifted {
                op,
                a,
                b,
                kind,
                amount,
                ..
            } => {
                let shift = match kind {
                    ShiftKind::Left => AluOp::Sll,
                    ShiftKind::Right => AluOp::Srl,
                    ShiftKind::Arithmetic => AluOp::Sra,
                };
                op.eval(cpu.get(a), shift.eval(cpu.get(b), u32::from(amount)))
            }
            Op::Extract {
                rs,
                lsb,
                width,
                signed,
                ..
            } => {
                let above = u32::from(32 - width);
                let up = cpu.get(rs) >> lsb << above;
                if signed {
                    AluOp::Sra.eval(up, above)
                } else {
                    up >> above
                }
            }
            Op::Place { rs, lsb, width, .. } => (cpu.get(rs) & low(width)) << lsb,
            Op::Rotate { rs, by, .. } => cpu.get(rs).rotate_right(operand(by) & 31),
            Op::Funnel {
                high, low, amount, ..
            } => {
                let amount = u32::from(amount);
                cpu.get(low) >> amount | cpu.get(high) << (32 - amount)
            }
            Op::SetIf { cond, a, b, .. } => u32::from(cond.eval(cpu.get(a), operand(b))),
            Op::Mul { op, a, b, .. } | Op::DivideBy { op, a, b, .. } => {
                op.eval(cpu.get(a), cpu.get(b))
            }
            Op::Select { cond, a, b, rd, rs } => {
                if cond.eval(cpu.get(a), operand(b)) {
                    operand(rs)
                } else {
                    cpu.get(rd)
                }
            }
            Op::MulAdd { c, a, b, .. } => {
                cpu.get(a).wrapping_mul(cpu.get(b)).wrapping_add(cpu.get(c))
            }
            _ => return None,
        };
        self.computes().map(|rd| (rd, value))
    }
}

//! Operations between guest instructions and host code: what a backend can lower.
//!
//! One guest instruction gives one operation; [`super::optimize`] then joins and drops some.

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

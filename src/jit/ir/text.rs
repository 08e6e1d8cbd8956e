//! Operations as a reader sees them: what is computed, `=`, the operation and its operands; memory in brackets.

use super::op::{Address, Joint, Op, Operand, ShiftKind, Test};
use crate::rv32::AtomicOp;
use std::fmt::{self, Debug, Display, Formatter};

/// The name of a variant, as mnemonics are written.
struct Name<T>(T);

impl<T: Debug> Display for Name<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{:?}", self.0).to_ascii_lowercase())
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Operand::Reg(reg) => Display::fmt(&reg, f),
            Operand::Imm(value) => Display::fmt(&Constant(value), f),
        }
    }
}

/// Small numbers in decimal, with their sign; others in hexadecimal.
struct Constant(u32);

impl Display for Constant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.cast_signed() {
            small @ -4096..=4096 => write!(f, "{small}"),
            _ => write!(f, "{:#x}", self.0),
        }
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.base)?;
        match self.index {
            Some((index, 0)) => write!(f, " + {index}")?,
            Some((index, shift)) => write!(f, " + ({index} << {shift})")?,
            None => {}
        }
        match self.offset {
            0 => write!(f, "]"),
            offset => write!(f, " + {}]", Constant(offset.cast_unsigned())),
        }
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Test::Compare(cond, a, b) => write!(f, "{a} {} {b}", Name(cond)),
            Test::Bits { zero, a, b } => {
                write!(f, "({a} & {b}) {} 0", if *zero { "eq" } else { "ne" })
            }
        }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Op::Nop => write!(f, "nop"),
            Op::Imm { rd, value } => write!(f, "{rd} = {}", Constant(value)),
            Op::Copy { rd, rs } => write!(f, "{rd} = {rs}"),
            Op::Alu { op, rd, a, b } => write!(f, "{rd} = {} {a}, {b}", Name(op)),
            Op::Step { rd, by } => write!(f, "{rd} = step {rd}, {by}"),
            Op::AluShifted {
                op,
                rd,
                a,
                b,
                kind,
                amount,
            } => {
                let sign = match kind {
                    ShiftKind::Left => "<<",
                    ShiftKind::Right => ">>",
                    ShiftKind::Arithmetic => ">>>",
                };
                write!(f, "{rd} = {} {a}, ({b} {sign} {amount})", Name(op))
            }
            Op::Extract {
                rd,
                rs,
                lsb,
                width,
                signed,
            } => {
                let kind = if signed { "signed" } else { "unsigned" };
                write!(f, "{rd} = extract {rs}, {lsb}, {width}, {kind}")
            }
            Op::Place { rd, rs, lsb, width } => write!(f, "{rd} = place {rs}, {lsb}, {width}"),
            Op::Rotate { rd, rs, by } => write!(f, "{rd} = rotate {rs}, {by}"),
            Op::Funnel {
                rd,
                high,
                low,
                amount,
            } => write!(f, "{rd} = funnel {high}:{low}, {amount}"),
            Op::SetIf { cond, rd, a, b } => write!(f, "{rd} = {a} {} {b}", Name(cond)),
            Op::Mul { op, rd, a, b } => write!(f, "{rd} = {} {a}, {b}", Name(op)),
            Op::Select {
                cond,
                a,
                b,
                rd,
                rs,
                other,
            } => {
                write!(f, "{rd} = {rs} if {a} {} {b}", Name(cond))?;
                match other == rd {
                    true => Ok(()),
                    false => write!(f, " else {other}"),
                }
            }
            Op::Bits { op, rd, a, b } => write!(f, "{rd} = {} {a}, {b}", Name(op)),
            Op::Unary { op, rd, rs } => write!(f, "{rd} = {} {rs}", Name(op)),
            Op::DivideBy {
                op,
                rd,
                a,
                b,
                value,
                certain,
            } => {
                let sure = if certain { "is" } else { "probably" };
                let name = Name(op);
                write!(f, "{rd} = {name} {a}, {b} ({sure} {})", Constant(value))
            }
            Op::MulWide { op, lo, hi, a, b } => {
                write!(f, "{hi}:{lo} = {} {a}, {b}", Name(op))
            }
            Op::DivRem {
                signed,
                quot,
                rem,
                a,
                b,
            } => {
                let u = if signed { "" } else { "u" };
                write!(f, "{quot}, {rem} = divrem{u} {a}, {b}")
            }
            Op::MulAdd { rd, c, a, b } => write!(f, "{rd} = muladd {c}, {a}, {b}"),
            Op::AddCarry {
                sub,
                lo,
                carry,
                a,
                b,
            } => {
                let name = if sub { "sub" } else { "add" };
                write!(f, "{lo}, {carry} = {name} with carry {a}, {b}")
            }
            Op::Load { op, rd, address } => write!(f, "{rd} = {} {address}", Name(op)),
            Op::Store { op, src, address } => write!(f, "{} {address} = {src}", Name(op)),
            Op::Joint {
                access,
                base,
                offset,
                update,
            } => {
                let address = Address::new(base, offset);
                match access {
                    Joint::Load(op, rd) => write!(f, "{rd} = {} {address}", Name(op))?,
                    Joint::Store(op, src) => write!(f, "{} {address} = {src}", Name(op))?,
                    Joint::LoadPair(low, high) => write!(f, "{low}, {high} = lw pair {address}")?,
                    Joint::StorePair(low, high) => {
                        write!(f, "sw pair {address} = {low}, {high}")?;
                    }
                }
                update.map_or(Ok(()), |by| write!(f, "; {base} += {by}"))
            }
            Op::Atomic { op, rd, src, base } => {
                write!(f, "{rd} = atomic {} [{base}]", Name(op))?;
                match op {
                    AtomicOp::LoadReserved => Ok(()),
                    _ => write!(f, ", {src}"),
                }
            }
            Op::Branch { test, target } => write!(f, "branch {target:#x} if {test}"),
            Op::Jump { target } => write!(f, "jump {target:#x}"),
            Op::JumpReg { rs, offset, link } => {
                match offset {
                    0 => write!(f, "jump {rs}")?,
                    _ => write!(f, "jump {rs} + {offset}")?,
                }
                link.map_or(Ok(()), |(rd, to)| write!(f, "; {rd} = {to:#x}"))
            }
            Op::Interpret => write!(f, "interpret"),
        }
    }
}

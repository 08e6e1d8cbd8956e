//! What must be so of the operations of a block, whoever made them: looked at after lifting and after each pass in
//! debug builds, so that a pass that breaks a rule is found where it does, and not by the code that comes of it.

use super::item::Item;
use super::op::{Address, Joint, Op, Operand, Test};
use super::registers::RegSet;
use crate::rv32::{AluOp, BitOp, MulOp, Reg, UnaryOp};

/// Looks at the operations of one block, which stand for `insns` guest instructions.
///
/// # Errors
/// The first operation that breaks a rule, and the rule.
pub fn verify(items: &[Item], insns: usize) -> Result<(), String> {
    let mut last = None;
    for item in items {
        let wrong = |rule: &str| Err(format!("{:#x}: `{}`: {rule}", item.pc, item.op));
        if let Err(rule) = op(item.op) {
            return wrong(rule);
        }
        if last.is_some_and(|last: u32| item.pc.wrapping_sub(last) > u32::MAX / 2) {
            return wrong("stands behind a later instruction");
        }
        last = Some(item.pc);
        if matches!(item.op, Op::Step { .. }) {
            return wrong("a step stands only among what is deferred");
        }
        if let Err(rule) = deferred(item) {
            return wrong(rule);
        }
    }
    let counted: usize = items.iter().map(|item| usize::from(item.insns)).sum();
    if counted != insns {
        return Err(format!(
            "{counted} instructions of {insns} are accounted for"
        ));
    }
    Ok(())
}

fn deferred(item: &Item) -> Result<(), &'static str> {
    if item.deferred.is_empty() {
        return Ok(());
    }
    if !item.op.accesses() && !item.goes_back() {
        return Err("something is deferred where the code is not left");
    }
    // Steps come first, one after the other; the rest are computed at once, from the registers as they are then.
    let (mut computed, mut stepping) = (RegSet::NONE, true);
    for put_off in &item.deferred {
        op(*put_off)?;
        if matches!(put_off, Op::Step { .. }) {
            rule(stepping, "a step is deferred behind something else")?;
            continue;
        }
        stepping = false;
        let Some(rd) = put_off.computes() else {
            return Err("what is deferred does more than to compute a register");
        };
        rule(!computed.contains(rd), "one register is deferred twice")?;
        computed |= RegSet::of(rd);
    }
    Ok(())
}

type Rule = Result<(), &'static str>;

fn named(reg: Reg) -> Rule {
    match reg.is_zero() {
        true => Err("x0 where it may not be"),
        false => Ok(()),
    }
}

fn all_named(regs: &[Reg]) -> Rule {
    regs.iter().try_for_each(|reg| named(*reg))
}

fn operand(b: Operand) -> Rule {
    match b {
        Operand::Reg(reg) => named(reg),
        Operand::Imm(_) => Ok(()),
    }
}

fn rule(holds: bool, text: &'static str) -> Rule {
    if holds { Ok(()) } else { Err(text) }
}

fn field(lsb: u8, width: u8) -> Rule {
    let fits = width >= 1 && lsb < 32 && width <= 32 - lsb;
    rule(fits, "a bit field that does not fit in a word")
}

fn amount(amount: u8) -> Rule {
    rule((1..32).contains(&amount), "a shift that is not 1 to 31")
}

fn address(at: Address) -> Rule {
    match at.index {
        Some((index, shift)) => {
            named(index)?;
            rule(shift <= 3, "an index shifted by more than 3")
        }
        None => Ok(()),
    }
}

/// Whether an operation on two registers is lowered as such.
fn is_simple(op: BitOp) -> bool {
    matches!(
        op,
        BitOp::Andn
            | BitOp::Orn
            | BitOp::Xnor
            | BitOp::Rol
            | BitOp::Bclr
            | BitOp::Binv
            | BitOp::Bset
            | BitOp::Pack
            | BitOp::Packh
    )
}

/// What [`Op`] says of each operation.
fn op(op: Op) -> Rule {
    match op {
        Op::Nop | Op::Jump { .. } | Op::JumpReg { .. } | Op::Interpret => Ok(()),
        Op::Imm { rd, .. } | Op::Step { rd, .. } => named(rd),
        Op::Copy { rd, rs } => all_named(&[rd, rs]),
        Op::Alu { op, rd, a, b } => {
            named(rd)?;
            operand(b)?;
            rule(op == AluOp::Sub || !a.is_zero(), "x0 as first operand")?;
            let constant = matches!(b, Operand::Imm(_));
            rule(op != AluOp::Sub || !constant, "a constant is subtracted")?;
            rule(
                !matches!(op, AluOp::Slt | AluOp::Sltu),
                "a comparison as arithmetic",
            )
        }
        Op::AluShifted {
            op,
            rd,
            a,
            b,
            amount: by,
            ..
        } => {
            all_named(&[rd, b])?;
            amount(by)?;
            rule(op == AluOp::Sub || !a.is_zero(), "x0 as first operand")?;
            let has = matches!(
                op,
                AluOp::Add | AluOp::Sub | AluOp::And | AluOp::Or | AluOp::Xor
            );
            rule(has, "a shifted operand where there is none")
        }
        Op::Extract {
            rd, rs, lsb, width, ..
        }
        | Op::Place { rd, rs, lsb, width } => {
            all_named(&[rd, rs])?;
            field(lsb, width)
        }
        Op::Rotate { rd, rs, by } => {
            all_named(&[rd, rs])?;
            operand(by)
        }
        Op::Funnel {
            rd,
            high,
            low,
            amount: by,
        } => {
            all_named(&[rd, high, low])?;
            amount(by)
        }
        Op::SetIf { rd, b, .. } => {
            named(rd)?;
            operand(b)
        }
        Op::Mul { rd, .. } => named(rd),
        Op::Select { a, b, rd, rs, .. } => {
            named(rd)?;
            operand(b)?;
            operand(rs)?;
            let constant = matches!(b, Operand::Imm(_));
            rule(!constant || !a.is_zero(), "x0 compared with a constant")
        }
        Op::Bits { op, rd, a, b } => {
            all_named(&[rd, b])?;
            rule(op == BitOp::Bset || !a.is_zero(), "x0 as first operand")?;
            rule(is_simple(op), "an operation that has another form")
        }
        Op::Unary { op, rd, rs } => {
            all_named(&[rd, rs])?;
            let extends = matches!(op, UnaryOp::SextB | UnaryOp::SextH | UnaryOp::ZextH);
            rule(!extends, "an extension that is not a bit field")
        }
        Op::DivideBy {
            op, rd, b, value, ..
        } => {
            all_named(&[rd, b])?;
            let divides = matches!(op, MulOp::Div | MulOp::Divu | MulOp::Rem | MulOp::Remu);
            rule(divides, "a product as a division")?;
            rule(!matches!(value, 0 | u32::MAX), "a divisor of 0 or −1")
        }
        Op::MulWide { lo, hi, .. } => {
            all_named(&[lo, hi])?;
            rule(lo != hi, "two results in one register")
        }
        Op::DivRem { quot, rem, .. } => {
            all_named(&[quot, rem])?;
            rule(quot != rem, "two results in one register")
        }
        Op::MulAdd { rd, c, a, b } => all_named(&[rd, c, a, b]),
        Op::AddCarry {
            lo, carry, a, b, ..
        } => {
            all_named(&[lo, carry, a, b])?;
            rule(lo != carry, "two results in one register")
        }
        Op::Atomic { base, .. } => named(base),
        Op::Load { address: at, .. } | Op::Store { address: at, .. } => address(at),
        Op::Joint {
            access,
            base,
            offset,
            update,
        } => {
            named(base)?;
            if let Some(by) = update {
                rule(offset == 0 || offset == by, "an update beside its offset")?;
                rule(!access.names(base), "an access to its own base")?;
            }
            match access {
                Joint::LoadPair(low, high) => {
                    all_named(&[low, high])?;
                    rule(low != high, "two results in one register")
                }
                Joint::Load(..) | Joint::Store(..) | Joint::StorePair(..) => Ok(()),
            }
        }
        Op::Branch { test, .. } => match test {
            Test::Compare(_, a, b) => {
                operand(b)?;
                let constant = matches!(b, Operand::Imm(_));
                rule(!constant || !a.is_zero(), "x0 compared with a constant")
            }
            Test::Bits { a, b, .. } => {
                named(a)?;
                operand(b)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rv32::LoadOp;

    fn item(op: Op) -> Item {
        Item::new(op, 0x100, 4)
    }

    const A: Reg = Reg::A0;
    const B: Reg = Reg::A1;

    #[test]
    fn rules_are_told_by_name() {
        let li = Op::Imm { rd: A, value: 1 };
        let load = Op::Load {
            op: LoadOp::Lw,
            rd: A,
            address: Address::new(B, 0),
        };
        let field = Op::Extract {
            rd: A,
            rs: B,
            lsb: 20,
            width: 13,
            signed: false,
        };
        let wide = Op::AddCarry {
            sub: false,
            lo: A,
            carry: A,
            a: A,
            b: B,
        };
        let rows = [
            (item(li), None),
            (item(load), None),
            (
                item(Op::Imm {
                    rd: Reg::ZERO,
                    value: 1,
                }),
                Some("x0"),
            ),
            (item(field), Some("bit field")),
            (item(wide), Some("two results")),
            (item(Op::Step { rd: A, by: 4 }), Some("step")),
        ];
        for (item, expected) in rows {
            match (verify(std::slice::from_ref(&item), 1), expected) {
                (Ok(()), None) => {}
                (Err(text), Some(part)) if text.contains(part) => {}
                (got, _) => panic!("{}: {got:?}, expected {expected:?}", item.op),
            }
        }
        assert!(verify(&[item(li)], 2).is_err_and(|text| text.contains("1 instructions of 2")));
        let mut late = item(load);
        late.deferred = vec![Op::Copy { rd: A, rs: B }, Op::Imm { rd: A, value: 0 }];
        assert!(verify(&[late], 1).is_err_and(|text| text.contains("deferred twice")));
        let mut idle = item(li);
        idle.deferred.push(li);
        assert!(verify(&[idle], 1).is_err_and(|text| text.contains("not left")));
    }
}

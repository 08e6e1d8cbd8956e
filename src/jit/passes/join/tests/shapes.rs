//! Shapes that must and must not be joined.

use super::{
    A, AWAY, B, BACK, C, Can, ON, T, U, alu, branch, branch_if, dead, imm, items, joined, li, load,
    mul, rotate, store,
};
use crate::jit::ir::item::Item;
use crate::jit::ir::op::{Op, Operand, Test};
use crate::jit::ir::registers::RegSet;
use crate::jit::passes::join::optimize;
use crate::jit::passes::lives::overwritten_first;
use crate::rv32::{AluOp, Cond, Fetched, Insn, LoadOp, MulOp};

#[test]
fn halves_of_a_product_are_computed_together() {
    use MulOp::{Mul, Mulh, Mulhsu, Mulhu};
    let wide = |op, a, b| Op::MulWide {
        op,
        lo: T,
        hi: U,
        a,
        b,
    };
    assert_eq!(
        joined(&[mul(Mul, T, A, B), mul(Mulhu, U, A, B)]),
        [wide(Mulhu, A, B)]
    );
    assert_eq!(
        joined(&[mul(Mulh, U, A, B), mul(Mul, T, B, A)]),
        [wide(Mulh, A, B)]
    );
    // The order of a product of mixed signs is that of its high half.
    assert_eq!(
        joined(&[mul(Mul, T, A, B), mul(Mulhsu, U, B, A)]),
        [wide(Mulhsu, B, A)]
    );
    let parts = [
        mul(Mul, T, A, B),
        li(C, 1),
        store(C, A),
        mul(Mulhu, U, A, B),
    ];
    assert_eq!(joined(&parts), [li(C, 1), store(C, A), wide(Mulhu, A, B)]);
    // The first is read before the second: both at the first.
    let read = [
        mul(Mul, T, A, B),
        imm(AluOp::Xor, C, T, 5),
        mul(Mulhu, U, A, B),
    ];
    assert_eq!(joined(&read), [wide(Mulhu, A, B), imm(AluOp::Xor, C, T, 5)]);
    // The second overwrites an operand, the only one.
    let square = [mul(Mul, T, U, U), mul(Mulhu, U, U, U)];
    assert_eq!(joined(&square), [wide(Mulhu, U, U)]);
}

#[test]
fn halves_of_different_products_are_not() {
    use MulOp::{Mul, Mulhu};
    for apart in [
        // The first overwrites an operand.
        vec![mul(Mul, A, A, B), mul(Mulhu, U, A, B)],
        // Another operand.
        vec![mul(Mul, T, A, B), mul(Mulhu, U, A, C)],
        // An operand is overwritten between.
        vec![mul(Mul, T, A, B), li(A, 3), mul(Mulhu, U, A, B)],
        // The same register.
        vec![mul(Mul, T, A, B), store(T, C), mul(Mulhu, T, A, B)],
        // The first is read, and an access may fault before the second.
        vec![mul(Mul, T, A, B), store(T, C), mul(Mulhu, U, A, B)],
        // The first is read, and so is the register of the second.
        vec![
            mul(Mul, T, A, B),
            alu(AluOp::Xor, C, T, U),
            mul(Mulhu, U, A, B),
        ],
        // The second may not be reached.
        vec![mul(Mul, T, A, B), branch(C), mul(Mulhu, U, A, B)],
    ] {
        let left = joined(&apart);
        let wide = left.iter().any(|op| matches!(op, Op::MulWide { .. }));
        assert!(!wide, "{apart:?} became {left:?}");
    }
}

#[test]
fn quotient_and_remainder_are_computed_together() {
    use MulOp::{Div, Divu, Rem, Remu};
    let both = |signed| Op::DivRem {
        signed,
        quot: T,
        rem: A,
        a: A,
        b: B,
    };
    // As in a long division: the remainder replaces the dividend, other things stand between.
    let parts = [
        mul(Divu, T, A, B),
        imm(AluOp::Xor, C, C, 9),
        mul(Remu, A, A, B),
    ];
    assert_eq!(joined(&parts), [imm(AluOp::Xor, C, C, 9), both(false)]);
    assert_eq!(
        joined(&[mul(Div, T, A, B), mul(Rem, A, A, B)]),
        [both(true)]
    );
    assert_eq!(joined(&[mul(Rem, U, A, B), mul(Div, T, A, B)]).len(), 1);
    for apart in [
        [mul(Div, T, A, B), mul(Remu, U, A, B)],
        [mul(Div, T, A, B), mul(Rem, U, B, A)],
        [mul(Rem, A, A, B), mul(Div, T, A, B)],
    ] {
        assert_eq!(joined(&apart), apart);
    }
}

#[test]
fn sum_and_carry_are_computed_together() {
    use AluOp::{Add, Sub};
    let less = |rd, a, b| Op::SetIf {
        cond: Cond::Ltu,
        rd,
        a,
        b: Operand::Reg(b),
    };
    let both = |sub, lo, a, b| Op::AddCarry {
        sub,
        lo,
        carry: U,
        a,
        b,
    };
    for (parts, one) in [
        ([alu(Add, T, A, B), less(U, T, A)], both(false, T, A, B)),
        ([alu(Add, T, A, B), less(U, T, B)], both(false, T, A, B)),
        ([alu(Add, A, A, B), less(U, A, B)], both(false, A, A, B)),
        ([alu(Sub, T, A, B), less(U, A, T)], both(true, T, A, B)),
        ([alu(Sub, B, A, B), less(U, A, B)], both(true, B, A, B)),
    ] {
        assert_eq!(joined(&parts), [one]);
        // Something stands between, which may fault.
        let apart = [parts[0], store(C, C), parts[1]];
        assert_eq!(joined(&apart).len(), 2);
    }
    for apart in [
        // The operand is the sum's register, which holds the sum now.
        [alu(Add, A, A, B), less(U, A, A)],
        // No carry: the other way round, another register, the first register gone.
        [alu(Add, T, A, B), less(U, A, T)],
        [alu(Add, T, A, B), less(U, T, C)],
        [alu(Add, T, A, B), less(T, T, A)],
        [alu(Sub, T, A, B), less(U, T, A)],
        [alu(Sub, T, A, B), less(U, B, T)],
        [alu(Sub, A, A, B), less(U, A, A)],
    ] {
        assert_eq!(joined(&apart), apart);
    }
}

#[test]
fn rotations_may_overwrite_their_source() {
    use AluOp::{Or, Sll, Srl};
    let in_place = [imm(Sll, T, A, 7), imm(Srl, A, A, 25), alu(Or, A, T, A)];
    // t is live: its shift stays.
    assert_eq!(joined(&in_place), [imm(Sll, T, A, 7), rotate(A, A, 25)]);
    let mut dead = in_place.to_vec();
    dead.push(li(T, 0));
    assert_eq!(joined(&dead), [rotate(A, A, 25), li(T, 0)]);
    // The result elsewhere, the source overwritten and then dead.
    let elsewhere = [
        imm(Sll, T, A, 7),
        imm(Srl, A, A, 25),
        alu(Or, T, T, A),
        li(A, 0),
    ];
    assert_eq!(joined(&elsewhere), [rotate(T, A, 25), li(A, 0)]);
    // The same, but what overwrote the source is wanted.
    let wanted = [imm(Sll, T, A, 7), imm(Srl, A, A, 25), alu(Or, T, T, A)];
    assert!(!joined(&wanted).contains(&rotate(T, A, 25)));
    // The source is overwritten by something else.
    let other = [
        imm(Sll, T, A, 7),
        li(A, 3),
        imm(Srl, A, A, 25),
        alu(Or, A, T, A),
    ];
    assert!(!joined(&other).contains(&rotate(A, A, 25)));
}

#[test]
fn double_shifts_are_one_operation() {
    use AluOp::{Or, Sll, Srl};
    let shift = Op::Funnel {
        rd: B,
        high: A,
        low: B,
        amount: 12,
    };
    let parts = [
        imm(Sll, T, A, 20),
        imm(Srl, B, B, 12),
        imm(Srl, A, A, 12),
        alu(Or, B, T, B),
        li(T, 0),
    ];
    // The high word is overwritten before the low one is put together.
    assert_eq!(joined(&parts).len(), 4);
    let parts = [
        imm(Sll, T, A, 20),
        imm(Srl, B, B, 12),
        alu(Or, B, T, B),
        imm(Srl, A, A, 12),
        li(T, 0),
    ];
    assert_eq!(joined(&parts), [shift, imm(Srl, A, A, 12), li(T, 0)]);
    // Bits that meet, or leave a gap, are not shifted together.
    let gap = [imm(Sll, T, A, 19), imm(Srl, B, B, 12), alu(Or, B, T, B)];
    assert_eq!(joined(&gap).len(), 2);
}

#[test]
fn what_a_fault_shows_is_kept_or_deferred() {
    use AluOp::{Add, Sll};
    // The address register dies, but its operand is overwritten before the next access.
    let lost = [
        alu(Add, T, A, B),
        load(C, T),
        li(A, 1),
        store(C, B),
        li(T, 0),
    ];
    assert!(joined(&lost).contains(&alu(Add, T, A, B)));
    let kept = [alu(Add, T, A, B), load(C, T), store(C, B), li(T, 0)];
    assert!(!joined(&kept).contains(&alu(Add, T, A, B)));
    // A store of its own address.
    let own = [imm(Add, A, A, 4), store(A, A), li(A, 0)];
    assert!(joined(&own).contains(&imm(Add, A, A, 4)));
    // In place, and dead: the register keeps the value before until it is written.
    let in_place = [
        imm(Sll, A, A, 2),
        alu(Add, T, B, A),
        load(C, T),
        li(A, 0),
        li(T, 0),
    ];
    assert_eq!(joined(&in_place).len(), 3);
    // Behind a branch it may be wanted.
    let branched = [imm(Sll, A, A, 2), alu(Add, T, B, A), branch(C), li(A, 0)];
    assert!(joined(&branched).contains(&imm(Sll, A, A, 2)));
}

#[test]
fn comparisons_with_zero_look_at_the_operands() {
    let less = Op::SetIf {
        cond: Cond::Lt,
        rd: T,
        a: A,
        b: Operand::Reg(B),
    };
    let to = |test| Op::Branch { test, target: ON };
    let set = |cond, a, b| Op::SetIf { cond, rd: U, a, b };
    let zero = |a| set(Cond::Eq, a, Operand::Imm(0));
    let compare = |cond| to(Test::Compare(cond, A, Operand::Reg(B)));
    let bits = |zero, a, b| to(Test::Bits { zero, a, b });
    let one = Operand::Imm(1);
    for (first, second, both) in [
        (less, branch_if(Cond::Ne, T, ON), compare(Cond::Lt)),
        (less, branch_if(Cond::Eq, T, ON), compare(Cond::Ge)),
        (
            alu(AluOp::Sub, T, A, B),
            branch_if(Cond::Eq, T, ON),
            compare(Cond::Eq),
        ),
        (
            alu(AluOp::And, T, A, B),
            branch_if(Cond::Eq, T, ON),
            bits(true, A, Operand::Reg(B)),
        ),
        (
            imm(AluOp::And, T, A, 1),
            branch_if(Cond::Ne, T, ON),
            bits(false, A, one),
        ),
        (
            imm(AluOp::Sll, T, A, 31),
            branch_if(Cond::Lt, T, ON),
            bits(false, A, one),
        ),
        (less, zero(T), set(Cond::Ge, A, Operand::Reg(B))),
        (
            alu(AluOp::Xor, T, A, B),
            zero(T),
            set(Cond::Eq, A, Operand::Reg(B)),
        ),
        (
            imm(AluOp::Add, T, A, u32::MAX),
            zero(T),
            set(Cond::Eq, A, one),
        ),
    ] {
        assert_eq!(joined(&[first, second, li(T, 0)]), [both, li(T, 0)]);
    }
}

#[test]
fn branches_over_one_move_select() {
    let test = Test::Compare(Cond::Ltu, A, Operand::Reg(B));
    let over = |n: u32, moved: Op| {
        let branch = Op::Branch { test, target: n };
        let mut items: Vec<Item> = [li(U, 1), branch, moved]
            .into_iter()
            .zip([0, 4, 8])
            .map(|(op, pc)| Item::new(op, pc, 4))
            .collect();
        optimize(&mut items, &Can(true), dead, RegSet::NONE);
        items[2].op
    };
    let select = |rs| Op::Select {
        cond: Cond::Geu,
        a: A,
        b: Operand::Reg(B),
        rd: A,
        rs,
        other: A,
    };
    let copy = Op::Copy { rd: A, rs: B };
    assert_eq!(over(12, copy), select(Operand::Reg(B)));
    assert_eq!(over(12, li(A, 3)), select(Operand::Imm(3)));
    for (target, moved) in [(16, copy), (8, copy), (12, load(A, B)), (12, store(A, B))] {
        assert_eq!(over(target, moved), moved);
    }
}

#[test]
fn what_the_target_may_read_is_computed() {
    let first = imm(AluOp::And, T, A, 1);
    // The target reads t0, or what follows does.
    let away = [first, branch_if(Cond::Ne, T, AWAY), li(T, 0)];
    assert_eq!(joined(&away), away);
    let after = [first, branch_if(Cond::Ne, T, ON), store(T, A)];
    assert_eq!(joined(&after), after);
    // A branch back may leave the code: then t0 is computed, from an operand that is still there.
    let mut back = items(&[first, branch_if(Cond::Ne, T, BACK), li(T, 0)]);
    optimize(&mut back, &Can(true), dead, RegSet::NONE);
    assert_eq!(back[1].deferred, [first]);
    let lost = [first, li(A, 0), branch_if(Cond::Ne, T, BACK), li(T, 0)];
    assert_eq!(joined(&lost), lost);
    // Nothing before an access counts as overwritten first.
    let set = |rd, rs1| Insn::AluImm {
        op: AluOp::Add,
        rd,
        rs1,
        imm: 1,
    };
    let load = Insn::Load {
        op: LoadOp::Lw,
        rd: C,
        rs1: A,
        offset: 0,
    };
    let fetched = |insn| Fetched {
        pc: 0,
        bits: 0,
        len: 4,
        insn: Some(insn),
    };
    let found = overwritten_first(&[set(T, A), set(U, U), set(A, T), load, set(B, A)].map(fetched));
    assert_eq!(found, RegSet::of(T));
}

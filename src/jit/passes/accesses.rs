//! Joins the memory accesses of one block: neighbouring words to a pair, and an access with an addition to its base
//! register. Runs after [`super::join`], for hosts whose [`Costs`] say that they have such instructions.
//!
//! Faults stay exact. A pair stands in the place of its first access, and moves the second up past operations that
//! neither access memory nor leave: where it faults, the interpreter executes the first access alone, or both where
//! they are neighbours. A pair of stores may fault half-way over a page's end, with the lower word written: so the
//! lower must be the guest's first, which is then written again; or the pair is on the stack, which is aligned in every
//! program that follows the ABI, where no page ends inside. An addition that moved past an access is [`Item::deferred`]
//! there: to be done before the interpreter takes over, or undone.

use crate::jit::ir::costs::Costs;
use crate::jit::ir::item::Item;
use crate::jit::ir::op::{Address, Joint, Op, Operand};
use crate::jit::ir::registers::RegSet;
use crate::rv32::{AluOp, LoadOp, Reg, StoreOp};

/// How far an addition and its access may be apart, in operations.
const REACH: usize = 24;

/// Rewrites the operations of one block.
pub(in crate::jit) fn join_accesses(items: &mut [Item], costs: &impl Costs) {
    let mut stack = Stack::default();
    for at in 0..items.len() {
        stack.pass(items[at].op);
        let found = partner(items, at, stack, costs);
        for n in [Some(at), found.map(|(other, _)| other)]
            .into_iter()
            .flatten()
        {
            if let Some(word) = Word::of(items[n].op) {
                stack.store(word);
            }
        }
        if let Some((other, pair)) = found {
            items[at].op = pair;
            items[other].op = Op::Nop;
            items[other].deferred.clear();
            if other == at + 1 {
                items[at].insns += std::mem::take(&mut items[other].insns);
                items[at].bytes += std::mem::take(&mut items[other].bytes);
            }
        }
    }
    for at in 0..items.len() {
        if let Some(step) = Step::of(items[at].op) {
            let _joined = step.join_earlier(items, at, costs) || step.join_later(items, at, costs);
        }
    }
}

/// A load or store of a word at base + offset.
#[derive(Clone, Copy)]
struct Word {
    store: bool,
    reg: Reg,
    base: Reg,
    offset: i32,
}

impl Word {
    fn of(op: Op) -> Option<Word> {
        let (store, reg, address) = match op {
            Op::Load {
                op: LoadOp::Lw,
                rd,
                address,
            } => (false, rd, address),
            Op::Store {
                op: StoreOp::Sw,
                src,
                address,
            } => (true, src, address),
            _ => return None,
        };
        let simple = address.index.is_none() && !address.base.is_zero();
        simple.then_some(Word {
            store,
            reg,
            base: address.base,
            offset: address.offset,
        })
    }
}

/// The pieces of 16 bytes above sp, a bit each, that were written to since sp was: each is on one page.
#[derive(Clone, Copy, Default)]
struct Stack(u64);

impl Stack {
    fn piece(offset: i32) -> u64 {
        let number = u32::try_from(offset.div_euclid(16)).unwrap_or(64);
        1_u64.checked_shl(number).unwrap_or(0)
    }

    /// An operation comes by. It may be the first of a pair that is to be made: that does not vouch for itself.
    fn pass(&mut self, op: Op) {
        if op.leaves() || op.writes().contains(Reg::SP) {
            self.0 = 0;
        }
    }

    fn store(&mut self, word: Word) {
        if word.store && word.base == Reg::SP {
            self.0 |= Stack::piece(word.offset);
        }
    }

    /// Whether two neighbours from this offset on are on one page, or the upper one is where was written before.
    fn takes(self, low: i32) -> bool {
        low & 15 != 12 || self.0 & Stack::piece(low.saturating_add(4)) != 0
    }
}

/// The access that the one at `at` makes a pair with, and the pair.
fn partner(items: &[Item], at: usize, stack: Stack, costs: &impl Costs) -> Option<(usize, Op)> {
    let first = Word::of(items[at].op)?;
    let (mut read, mut written) = (RegSet::NONE, RegSet::NONE);
    for (n, item) in items.iter().enumerate().skip(at + 1) {
        if item.op.accesses() {
            let second = Word::of(item.op)?;
            let falls_well = first.base == Reg::SP && stack.takes(second.offset);
            return pair(first, second, (read, written), falls_well, costs).map(|pair| (n, pair));
        }
        if item.op.leaves() {
            return None;
        }
        read |= item.op.reads();
        written |= item.op.writes();
    }
    None
}

/// The pair that two accesses make; what stands between them reads and writes these registers.
fn pair(
    first: Word,
    second: Word,
    (read, written): (RegSet, RegSet),
    falls_well: bool,
    costs: &impl Costs,
) -> Option<Op> {
    let base = first.base;
    let same = second.base == base && second.store == first.store && !written.contains(base);
    let rises = second.offset.checked_sub(first.offset) == Some(4);
    let falls = first.offset.checked_sub(second.offset) == Some(4);
    if !same || !(rises || falls) {
        return None;
    }
    let movable = if first.store {
        !written.contains(second.reg) && (rises || falls_well)
    } else {
        let own = first.reg != base && first.reg != second.reg;
        let both = !first.reg.is_zero() && !second.reg.is_zero();
        own && both && !(read | written).contains(second.reg)
    };
    let (low, high) = if rises {
        (first, second)
    } else {
        (second, first)
    };
    let access = if first.store {
        Joint::StorePair(low.reg, high.reg)
    } else {
        Joint::LoadPair(low.reg, high.reg)
    };
    (movable && costs.pairs(low.offset)).then_some(Op::Joint {
        access,
        base,
        offset: low.offset,
        update: None,
    })
}

/// An access that may be joined with an addition to its base.
fn simple_access(op: Op) -> Option<(Joint, Reg, i32)> {
    let (access, address) = match op {
        Op::Load { op, rd, address } => (Joint::Load(op, rd), address),
        Op::Store { op, src, address } => (Joint::Store(op, src), address),
        Op::Joint {
            access,
            base,
            offset,
            update: None,
        } => return Some((access, base, offset)),
        _ => return None,
    };
    let plain = address.index.is_none();
    plain.then_some((access, address.base, address.offset))
}

/// An addition of a constant to a register.
#[derive(Clone, Copy)]
struct Step {
    base: Reg,
    by: i32,
}

/// What an operation is to a step that is to be moved past it.
enum Passing {
    /// Nothing.
    Free,
    /// An access through the register, whose offset changes.
    Shift,
    /// In the way.
    Blocks,
}

impl Step {
    fn of(op: Op) -> Option<Step> {
        match op {
            Op::Alu {
                op: AluOp::Add,
                rd,
                a,
                b: Operand::Imm(by),
            } if rd == a => Some(Step {
                base: rd,
                by: by.cast_signed(),
            }),
            _ => None,
        }
    }

    /// What is deferred: `by` is added before the interpreter takes over.
    fn op(self, by: i32) -> Op {
        let rd = self.base;
        Op::Step { rd, by }
    }

    /// Joins this step, which stands at `at`, with an access before it.
    fn join_earlier(self, items: &mut [Item], at: usize, costs: &impl Costs) -> bool {
        let back = self.by.wrapping_neg();
        for n in (at.saturating_sub(REACH)..at).rev() {
            if let Some(op) = self.joined(items[n].op, 0, costs) {
                items[n].op = op;
                for item in &mut items[n + 1..at] {
                    self.pass(item, back);
                }
                items[at].op = Op::Nop;
                return true;
            }
            if let Passing::Blocks = self.passing(items[n].op, back, costs) {
                return false;
            }
        }
        false
    }

    /// Joins this step, which stands at `at`, with an access behind it.
    fn join_later(self, items: &mut [Item], at: usize, costs: &impl Costs) -> bool {
        let end = items.len().min(at + 1 + REACH);
        for n in at + 1..end {
            if let Some(op) = self.joined(items[n].op, self.by, costs) {
                for item in &mut items[at + 1..n] {
                    self.pass(item, self.by);
                }
                items[n].op = op;
                items[n].deferred.insert(0, self.op(self.by));
                items[at].op = Op::Nop;
                return true;
            }
            if let Passing::Blocks = self.passing(items[n].op, self.by, costs) {
                return false;
            }
        }
        false
    }

    /// The access with this step, if its address is the register before or after it. `shift` is what the access's
    /// offset gains by standing before the step.
    fn joined(self, op: Op, shift: i32, costs: &impl Costs) -> Option<Op> {
        let (access, base, offset) = simple_access(op)?;
        let offset = offset.checked_add(shift)?;
        let suits = base == self.base
            && (offset == 0 || offset == self.by)
            && !access.names(base)
            && costs.updates(base, self.by, access.is_pair());
        suits.then_some(Op::Joint {
            access,
            base,
            offset,
            update: Some(self.by),
        })
    }

    fn passing(self, op: Op, shift: i32, costs: &impl Costs) -> Passing {
        if op.leaves() {
            return Passing::Blocks;
        }
        if !(op.reads() | op.writes()).contains(self.base) {
            return Passing::Free;
        }
        match simple_access(op) {
            Some((access, base, offset)) if base == self.base && !access.names(base) => {
                let shifted = offset.checked_add(shift);
                let reaches = |offset| match access.is_pair() {
                    true => costs.pairs(offset),
                    false => costs.offset(offset),
                };
                if shifted.is_some_and(reaches) {
                    Passing::Shift
                } else {
                    Passing::Blocks
                }
            }
            _ => Passing::Blocks,
        }
    }

    /// Moves the step past an item: the register differs by `shift` from what the guest expects there.
    fn pass(self, item: &mut Item, shift: i32) {
        if item.op.accesses() {
            item.deferred.insert(0, self.op(shift));
        }
        match &mut item.op {
            Op::Load { address, .. } | Op::Store { address, .. } if address.base == self.base => {
                *address = Address {
                    offset: address.offset.wrapping_add(shift),
                    ..*address
                };
            }
            Op::Joint { base, offset, .. } if *base == self.base => {
                *offset = offset.wrapping_add(shift);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jit::ir::op::ShiftKind;

    /// A host that can do everything with small offsets.
    struct Host;

    impl Costs for Host {
        fn shifted_operand(&self, _: AluOp, _: ShiftKind, _: u8) -> bool {
            false
        }
        fn extracts(&self, _: u8, _: u8) -> bool {
            false
        }
        fn immediate(&self, _: AluOp, _: u32) -> bool {
            false
        }
        fn compares(&self, _: u32) -> bool {
            false
        }
        fn indexes(&self, _: Reg, _: Reg) -> bool {
            false
        }
        fn offset(&self, offset: i32) -> bool {
            offset.abs() < 256
        }
        fn multiply_add(&self) -> bool {
            false
        }
        fn pairs(&self, offset: i32) -> bool {
            offset.abs() < 256
        }
        fn updates(&self, _: Reg, by: i32, _: bool) -> bool {
            by.abs() < 256
        }
    }

    const A: Reg = Reg::A0;
    const B: Reg = Reg::A1;
    const P: Reg = Reg::S0;

    fn lw(rd: Reg, base: Reg, offset: i32) -> Op {
        let address = Address::new(base, offset);
        let op = LoadOp::Lw;
        Op::Load { op, rd, address }
    }

    fn sw(src: Reg, base: Reg, offset: i32) -> Op {
        let address = Address::new(base, offset);
        let op = StoreOp::Sw;
        Op::Store { op, src, address }
    }

    fn add(rd: Reg, by: i32) -> Op {
        Op::Alu {
            op: AluOp::Add,
            rd,
            a: rd,
            b: Operand::Imm(by.cast_unsigned()),
        }
    }

    fn step(rd: Reg, by: i32) -> Op {
        Op::Step { rd, by }
    }

    fn copy(rd: Reg, rs: Reg) -> Op {
        Op::Copy { rd, rs }
    }

    fn join(ops: &[Op]) -> Vec<Item> {
        let item = |(n, &op): (u32, &Op)| Item::new(op, 4 * n, 4);
        let mut items: Vec<Item> = (0..).zip(ops).map(item).collect();
        join_accesses(&mut items, &Host);
        items
    }

    fn joined(ops: &[Op]) -> bool {
        join(ops).iter().any(|item| item.op == Op::Nop)
    }

    #[test]
    fn pairs_are_made_of_neighbours() {
        assert!(joined(&[lw(A, P, 0), lw(B, P, 4)]));
        assert!(joined(&[lw(A, P, 4), lw(B, P, 0)]));
        assert!(joined(&[lw(A, P, 0), lw(P, P, 4)]));
        assert!(joined(&[sw(A, P, 0), sw(A, P, 4)]));
        assert!(joined(&[sw(A, Reg::SP, 4), sw(A, Reg::SP, 0)]));
        for apart in [
            [lw(A, P, 0), lw(B, P, 8)],
            [lw(A, P, 0), lw(B, Reg::SP, 4)],
            [lw(A, P, 0), sw(B, P, 4)],
            [lw(A, P, 0), lw(A, P, 4)],
            [lw(P, P, 0), lw(A, P, 4)],
            [lw(A, P, i32::MIN), lw(B, P, i32::MAX)],
            [lw(A, Reg::ZERO, 0), lw(B, Reg::ZERO, 4)],
            [lw(Reg::ZERO, P, 0), lw(B, P, 4)],
            [sw(A, P, 4), sw(B, P, 0)],
        ] {
            assert!(!joined(&apart), "{apart:?}");
        }
    }

    #[test]
    fn a_page_may_end_between_words_on_the_stack() {
        let sp = Reg::SP;
        let (high, low) = (sw(A, sp, 16), sw(B, sp, 12));
        assert!(!joined(&[high, low]));
        assert!(joined(&[lw(A, sp, 16), lw(B, sp, 12)]));
        assert!(joined(&[sw(A, sp, 28), high, low]));
        assert!(!joined(&[sw(A, sp, 32), high, low]));
        assert!(!joined(&[lw(A, sp, 28), high, low]));
        assert!(!joined(&[
            sw(A, sp, -8),
            copy(sp, B),
            sw(A, sp, 0),
            sw(B, sp, -4)
        ]));
        assert!(!joined(&[sw(A, sp, 28), add(sp, 400), high, low]));
        assert!(!joined(&[sw(A, sp, 28), Op::Interpret, high, low]));
        let all = join(&[sw(A, sp, 24), sw(A, sp, 20), high, low]);
        assert_eq!(all.iter().filter(|item| item.op == Op::Nop).count(), 2);
    }

    #[test]
    fn pairs_are_moved_past_work_that_has_nothing_to_do_with_them() {
        let other = Reg::A7;
        assert!(joined(&[lw(A, P, 0), copy(other, A), lw(B, P, 4)]));
        assert!(joined(&[sw(A, P, 0), copy(A, other), sw(B, P, 4)]));
        for between in [copy(P, other), copy(B, other), copy(other, B)] {
            let ops = [lw(A, P, 0), between, lw(B, P, 4)];
            assert!(!joined(&ops), "{ops:?}");
        }
        assert!(!joined(&[sw(A, P, 0), copy(B, other), sw(B, P, 4)]));
        assert!(!joined(&[lw(A, P, 0), Op::Interpret, lw(B, P, 4)]));
        let pair = join(&[lw(A, P, 0), copy(other, A), lw(B, P, 4)]);
        assert_eq!(pair[0].insns, 1, "the first is interpreted alone");
        assert_eq!(join(&[lw(A, P, 0), lw(B, P, 4)])[0].insns, 2);
    }

    #[test]
    fn steps_join_the_access_before_or_behind() {
        assert!(joined(&[lw(A, P, 0), add(P, 4)]));
        assert!(joined(&[lw(A, P, 4), add(P, 4)]));
        assert!(joined(&[add(P, 4), lw(A, P, 0)]));
        assert!(joined(&[add(P, 4), lw(A, P, -4)]));
        for apart in [
            [lw(A, P, 8), add(P, 4)],
            [lw(P, P, 0), add(P, 4)],
            [sw(P, P, 0), add(P, 4)],
            [add(P, 4), sw(P, P, 0)],
            [add(P, 4), lw(A, P, 4)],
            [lw(A, P, 0), add(P, 256)],
        ] {
            assert!(!joined(&apart), "{apart:?}");
        }
        for between in [copy(A, P), copy(P, A), Op::Interpret, sw(P, B, 0)] {
            let ops = [lw(A, P, 0), between, add(P, 4)];
            assert!(!joined(&ops), "{ops:?}");
        }
    }

    #[test]
    fn a_step_is_undone_or_deferred_where_it_passes() {
        let early = join(&[lw(A, P, 0), lw(B, P, 8), add(P, 4)]);
        assert_eq!(early[1].op, lw(B, P, 4));
        assert_eq!(early[1].deferred, [step(P, -4)]);
        assert!(early[0].deferred.is_empty());
        let late = join(&[add(P, 4), lw(B, P, 8), lw(A, P, -4)]);
        assert_eq!(late[1].op, lw(B, P, 12));
        assert_eq!(late[1].deferred, [step(P, 4)]);
        assert_eq!(late[2].deferred, [step(P, 4)]);
    }
}

//! Joins and drops operations inside a block.
//!
//! One pass backward (`lives`) finds how long each result lives. One pass forward then joins: an operation whose operand
//! was computed by an earlier one, from registers that still hold the same values, is joined with it: a shift and an
//! addition, two shifts, the parts of a rotation, a constant and its use, the halves of a product. What was joined is
//! dropped when nobody else reads it before its register is written again.
//!
//! Dropping is invisible except where the code may be left, and there all registers count. Between an operation and
//! the one that overwrites it there may be loads and stores, which can fault: they get the dropped operation as
//! [`Item::deferred`], to be computed before the interpreter takes over; its operands are then still in place, and no
//! deferred operation reads what another one computes. Across a branch something is dropped only where the target
//! overwrites it, too, before anyone can see it; a branch back, which may leave the code, gets it as deferred, too.
//!
//! A dropped operation leaves the value before in its register. Where it was joined before its register is written
//! again, the pass treats the register as written, so that nothing joined later takes the one value for the other.

mod address;
mod bits;
mod compare;
#[cfg(test)]
mod tests;
mod wide;

use crate::jit::ir::costs::Costs;
use crate::jit::ir::item::Item;
use crate::jit::ir::life::Life;
use crate::jit::ir::op::{Op, Operand, Test};
use crate::jit::ir::registers::RegSet;
use crate::jit::passes::lives;
use crate::rv32::{AluOp, Reg};

/// How an operation may be joined with the earlier one that computed its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    /// The earlier one is dropped: nobody else reads what it computes.
    Replace,
    /// The earlier one stays, at least for now.
    Keep,
}

/// How far ahead a drop looks for what would overwrite its operands: keeps the pass linear.
const FAR: usize = 48;

/// Rewrites the operations of one block. `dead` says which registers the code at an address overwrites first, none for
/// code of another region; `next` is that set for what follows the block.
pub fn optimize(
    items: &mut [Item],
    costs: &impl Costs,
    dead: impl Fn(u32) -> RegSet,
    next: RegSet,
) {
    skip_one(items);
    let overwritten = lives::find(items, dead, next);
    let mut pass = Pass {
        items,
        costs,
        defined: [None; 32],
        written: [0; 32],
        read: RegSet::NONE,
        last_leave: 0,
        last_seen: 0,
        products: [None; 4],
        replaced: Replaced::default(),
    };
    for at in 0..pass.items.len() {
        pass.one(at);
    }
    pass.close(overwritten);
}

/// A branch over one move at the end of a block becomes a conditional move.
fn skip_one(items: &mut [Item]) {
    let [.., branch, moved] = items else {
        return;
    };
    let Op::Branch {
        test: Test::Compare(cond, a, b),
        target,
    } = branch.op
    else {
        return;
    };
    let (rd, rs) = match moved.op {
        Op::Copy { rd, rs } => (rd, Operand::Reg(rs)),
        Op::Imm { rd, value } => (rd, Operand::Imm(value)),
        _ => return,
    };
    if target == moved.end() && moved.pc == branch.end() {
        branch.op = Op::Nop;
        moved.op = Op::Select {
            cond: cond.invert(),
            a,
            b,
            rd,
            rs,
            other: rd,
        };
    }
}

/// Earlier operations that the current one replaces: at most one for each of two operands.
#[derive(Debug, Default)]
struct Replaced([Option<usize>; 2]);

impl Replaced {
    fn push(&mut self, from: usize) {
        match &mut self.0 {
            [Some(first), _] if *first == from => {}
            [none @ None, _] | [_, none] => *none = Some(from),
        }
    }

    fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }
}

struct Pass<'a, C> {
    items: &'a mut [Item],
    costs: &'a C,
    /// The operation of this block that computed each register.
    defined: [Option<usize>; 32],
    /// One more than the index of the last operation that wrote each register.
    written: [usize; 32],
    /// Registers that were read since they were computed.
    read: RegSet,
    /// One more than the index of the last operation that leaves.
    last_leave: usize,
    /// One more than the index of the last operation that accesses memory or leaves.
    last_seen: usize,
    /// The last multiplications and divisions.
    products: [Option<usize>; 4],
    replaced: Replaced,
}

impl<C: Costs> Pass<'_, C> {
    fn one(&mut self, at: usize) {
        self.replaced = Replaced::default();
        let mut op = self.items[at].op;
        if op.accesses() || op.leaves() {
            self.last_seen = at + 1;
        }
        for _ in 0..3 {
            match self.join(at, op) {
                Some(joined) if joined != op => op = joined,
                _ => break,
            }
            // A replaced operation may have overwritten its own operand: that name means the old value now.
            if !self.replaced.is_empty() {
                break;
            }
        }
        self.items[at].op = op;
        if !self.replaced.is_empty() {
            for from in std::mem::take(&mut self.replaced).0.into_iter().flatten() {
                self.replace(from, at);
            }
        }
        self.read |= op.reads();
        match op.computes() {
            Some(rd) => self.write(rd, at, Some(at)),
            None => op
                .writes()
                .members()
                .for_each(|reg| self.write(reg, at, None)),
        }
        if op.leaves() {
            self.last_leave = at + 1;
        }
    }

    /// The operation at `at` writes `reg`, and `defined` is the one that computes it.
    fn write(&mut self, reg: Reg, at: usize, defined: Option<usize>) {
        self.overwrite(reg, at);
        self.items[at].before = self.written[reg.index()];
        self.written[reg.index()] = at + 1;
        self.defined[reg.index()] = defined;
        self.read -= RegSet::of(reg);
    }

    /// `reg` is about to be written: what computed it, if nobody read it, need not have.
    fn overwrite(&mut self, reg: Reg, at: usize) {
        if let Some(from) = self.defined[reg.index()]
            && self.unread(reg)
            && self.can_drop(from, None)
        {
            self.drop_item(from, at);
        }
    }

    fn unread(&self, reg: Reg) -> bool {
        !self.read.contains(reg)
    }

    /// The block ends: what is overwritten behind it, and read by nobody, need not be computed.
    fn close(&mut self, overwritten: RegSet) {
        let Some(last) = self.items.len().checked_sub(1) else {
            return;
        };
        for reg in overwritten.members() {
            if let Some(from) = self.defined[reg.index()]
                && self.items[from].life.end == last
                && self.unread(reg)
                && self.can_drop(from, None)
            {
                self.drop_item(from, last);
            }
        }
    }

    /// Whether nobody sees if the operation at `from` has not been executed yet: its operands are in place wherever
    /// the code may have been left since.
    fn can_drop(&self, from: usize, without: Option<usize>) -> bool {
        self.items[from].life.end != Life::OPEN
            && (self.last_seen <= from + 1 || self.intact(from, without))
    }

    /// Whether the operands of the operation at `from` still have the values it saw (its own register apart), or would
    /// have if the operation at `without` were not executed.
    fn intact(&self, from: usize, without: Option<usize>) -> bool {
        let uses = self.items[from].op.reads();
        uses.members()
            .all(|reg| match (self.written[reg.index()], without) {
                (last, Some(without)) if last == without + 1 => {
                    self.items[without].before <= from + 1
                }
                (last, _) => last <= from + 1,
            })
    }

    /// Whether the operation at `at` is the last to read what the one at `from` computes into `reg`, and that need not
    /// be in its register until it is written again.
    fn ends(&self, from: usize, reg: Reg, at: usize, without: Option<usize>) -> bool {
        let life = self.items[from].life;
        life.last_read == at
            && self.unread(reg)
            && self.can_drop(from, without)
            && self.survives(from, reg, at..life.end)
    }

    /// Whether the operands of the operation at `from` outlive the accesses in `between` and the one behind.
    fn survives(&self, from: usize, reg: Reg, between: std::ops::Range<usize>) -> bool {
        if between.len() > FAR {
            return false;
        }
        let uses = self.items[from].op.reads() - RegSet::of(reg);
        let mut lost = false;
        for n in between {
            lost |= self.items[n].op.writes().meets(uses);
            if lost && {
                let op = self.items[n + 1].op;
                op.accesses() || op.leaves()
            } {
                return false;
            }
        }
        true
    }

    /// Drops the operation at `from`: whoever needs it now is at `at`.
    fn replace(&mut self, from: usize, at: usize) {
        let end = self.items[from].life.end;
        let reg = self.items[from].op.computes();
        self.drop_item(from, end);
        if let Some(reg) = reg
            && end != at
        {
            self.forget(reg, at);
        }
    }

    /// What is in `reg` from now on is not what it was taken for.
    fn forget(&mut self, reg: Reg, at: usize) {
        self.written[reg.index()] = at + 1;
        self.defined[reg.index()] = None;
    }

    fn drop_item(&mut self, from: usize, to: usize) {
        let dropped = std::mem::replace(&mut self.items[from].op, Op::Nop);
        // What was joined into one operation may be overwritten by the next: it is dropped once.
        if dropped == Op::Nop {
            return;
        }
        for item in &mut self.items[from + 1..=to] {
            if item.op.accesses() || item.goes_back() {
                item.deferred.push(dropped);
            }
        }
    }

    /// The operation that computed `reg`, and how one at `at` may be joined with it.
    fn source(&self, reg: Reg, at: usize) -> Option<(usize, Op, Join)> {
        self.source_without(reg, at, None)
    }

    /// The same, if the operation at `without` is replaced by the one at `at`, too.
    fn source_without(
        &self,
        reg: Reg,
        at: usize,
        without: Option<usize>,
    ) -> Option<(usize, Op, Join)> {
        let from = self.defined[reg.index()]?;
        if !self.intact(from, without) {
            return None;
        }
        let op = self.items[from].op;
        if self.ends(from, reg, at, without) {
            return Some((from, op, Join::Replace));
        }
        let overwrites_its_operand = op.reads().contains(reg);
        (!overwrites_its_operand).then_some((from, op, Join::Keep))
    }

    /// Notes that the current operation was joined with the one at `from`.
    fn joined(&mut self, from: usize, join: Join) {
        if join == Join::Replace {
            self.replaced.push(from);
        }
    }

    /// The register that `reg` is a copy of.
    fn original(&self, reg: Reg) -> Reg {
        if let Some(from) = self.defined[reg.index()]
            && let Op::Copy { rs, .. } = self.items[from].op
            && self.intact(from, None)
        {
            return rs;
        }
        reg
    }

    fn original_operand(&self, b: Operand) -> Operand {
        match b {
            Operand::Reg(b) => Operand::Reg(self.original(b)),
            Operand::Imm(_) => b,
        }
    }

    /// The constant that a register holds because an operation of this block put it there.
    fn constant(&self, b: Operand) -> Option<u32> {
        if let Operand::Reg(b) = b
            && let Some(from) = self.defined[b.index()]
            && let Op::Imm { value, .. } = self.items[from].op
        {
            return Some(value);
        }
        None
    }

    /// The operation that does the same as `op`, joined with what computed its operands, if it is one that can be.
    fn join(&mut self, at: usize, op: Op) -> Option<Op> {
        Some(match op {
            Op::Alu { op, rd, a, b } => {
                self.alu(at, op, rd, self.original(a), self.original_operand(b))
            }
            Op::Mul { op, rd, a, b } => self.halves(at, op, rd, a, b),
            Op::SetIf { cond, rd, a, b } => self.set_if(at, cond, rd, a, b),
            Op::Branch {
                test: Test::Compare(cond, a, b),
                target,
            } => Op::Branch {
                test: self.branch(at, cond, a, b),
                target,
            },
            Op::Select {
                cond,
                a,
                b,
                rd,
                rs,
                other,
            } => self.select(at, cond, (a, b), rd, (rs, other)),
            Op::Load { op, rd, address } => {
                let address = self.address(at, address, Reg::ZERO);
                Op::Load { op, rd, address }
            }
            Op::Store { op, src, address } => {
                let src = self.original(src);
                let address = self.address(at, address, src);
                Op::Store { op, src, address }
            }
            _ => return None,
        })
    }

    fn alu(&mut self, at: usize, op: AluOp, rd: Reg, a: Reg, b: Operand) -> Op {
        let unchanged = Op::Alu { op, rd, a, b };
        match b {
            Operand::Imm(value) => self.alu_imm(at, op, rd, a, value).unwrap_or(unchanged),
            Operand::Reg(b) => self
                .rotation(at, op, rd, a, b)
                .or_else(|| self.with_constant(op, rd, a, b))
                .or_else(|| self.with_shift(at, op, rd, a, b))
                .or_else(|| {
                    let other_way = op.is_commutative() && !a.is_zero();
                    other_way.then(|| self.with_shift(at, op, rd, b, a))?
                })
                .or_else(|| self.with_product(at, op, rd, a, b))
                .unwrap_or(unchanged),
        }
    }

    fn with_constant(&self, op: AluOp, rd: Reg, a: Reg, b: Reg) -> Option<Op> {
        let imm = |op, a, value: u32| {
            self.costs.immediate(op, value).then_some(Op::Alu {
                op,
                rd,
                a,
                b: Operand::Imm(value),
            })
        };
        if a.is_zero() {
            return None;
        }
        match (self.constant(Operand::Reg(b)), op) {
            (Some(value), AluOp::Sub) => imm(AluOp::Add, a, value.wrapping_neg()),
            (Some(value), _) if op.is_shift() => imm(op, a, value & 31),
            (Some(value), _) => imm(op, a, value),
            (None, _) if op.is_commutative() => {
                let value = self.constant(Operand::Reg(a))?;
                imm(op, b, value)
            }
            (None, _) => None,
        }
    }
}

/// A number of bits.
fn small(bits: u32) -> u8 {
    bits.to_le_bytes()[0]
}

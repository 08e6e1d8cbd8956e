//! Joins and drops operations inside a block.
//!
//! One pass forward. An operation whose operand was computed by an earlier one, from registers that still hold the same
//! values, is joined with it: a shift and an addition, two shifts, the parts of a rotation, a constant and its use. What
//! was joined is dropped when its register is written again without having been read.
//!
//! Dropping is invisible except where the code may be left, and there all registers count. Between an operation and
//! the one that overwrites it there may be loads and stores, which can fault: they get the dropped operation as
//! [`Item::deferred`], to be computed before the interpreter takes over; its operands are then still in place. Across a
//! branch nothing is dropped.

use super::op::{Address, Op, Operand, ShiftKind, Test};
use super::translate::Item;
use crate::rv32::{AluOp, MulOp, Reg};

/// What the host can do in one instruction.
pub trait Costs {
    /// Whether the second operand of this operation may be shifted.
    fn shifted_operand(&self, op: AluOp, kind: ShiftKind, amount: u8) -> bool;
    /// Whether this bit field can be extracted in no more instructions than one shift takes.
    fn extracts(&self, lsb: u8, width: u8) -> bool;
    /// Whether this operation takes this constant.
    fn immediate(&self, op: AluOp, value: u32) -> bool;
    /// Whether comparisons take this constant.
    fn compares(&self, value: u32) -> bool;
    /// Whether an address may be base + (index << shift) + offset.
    fn indexes(&self, base: Reg, index: Reg) -> bool;
    /// Whether an access may have this offset.
    fn offset(&self, offset: i32) -> bool;
    /// Whether a multiplication may be followed by an addition.
    fn multiply_add(&self) -> bool;
    /// Whether two words are accessed in one instruction, from this offset on.
    fn pairs(&self, _offset: i32) -> bool {
        false
    }
    /// Whether an access, or that of a pair, can add this to its base register.
    fn updates(&self, _base: Reg, _by: i32, _pair: bool) -> bool {
        false
    }
}

/// How an operation may be joined with the earlier one that computed its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    /// The earlier one is dropped.
    Replace,
    /// The earlier one stays, at least for now.
    Keep,
}

/// Rewrites the operations of one block.
pub fn optimize(items: &mut [Item], costs: &impl Costs) {
    let mut pass = Pass {
        items,
        costs,
        defined: [None; 32],
        written: [0; 32],
        read: 0,
        last_leave: None,
        replaced: Vec::new(),
    };
    for at in 0..pass.items.len() {
        pass.one(at);
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
    read: u32,
    last_leave: Option<usize>,
    /// Earlier operations that the current one replaces.
    replaced: Vec<usize>,
}

impl<C: Costs> Pass<'_, C> {
    fn one(&mut self, at: usize) {
        self.replaced.clear();
        let mut op = self.items[at].op;
        for _ in 0..3 {
            let joined = self.join(at, op);
            if joined == op {
                break;
            }
            op = joined;
            // A replaced operation may have overwritten its own operand: that name means the old value now.
            if !self.replaced.is_empty() {
                break;
            }
        }
        self.items[at].op = op;
        for n in 0..self.replaced.len() {
            self.drop_item(self.replaced[n], at);
        }
        self.read |= op.uses();
        let writes = op.writes();
        for reg in members(writes) {
            self.overwrite(reg, at);
            self.written[reg.index()] = at + 1;
            self.defined[reg.index()] = (op.computes() == Some(reg)).then_some(at);
            self.read &= !(1 << reg.index());
        }
        if op.leaves() {
            self.last_leave = Some(at);
        }
    }

    /// `reg` is about to be written: what computed it, if nobody read it, need not have.
    fn overwrite(&mut self, reg: Reg, at: usize) {
        if let Some(from) = self.defined[reg.index()]
            && self.read & 1 << reg.index() == 0
            && self.can_drop(from, at)
        {
            self.drop_item(from, at);
        }
    }

    /// Whether nobody sees if the operation at `from` is not executed before the one at `to`.
    fn can_drop(&self, from: usize, to: usize) -> bool {
        if self.last_leave.is_some_and(|leave| leave > from) {
            return false;
        }
        let accesses = self.items[from + 1..=to]
            .iter()
            .any(|item| item.op.accesses());
        !accesses || self.intact(from)
    }

    /// Whether the operands of the operation at `from` still have the values it saw (its own register apart).
    fn intact(&self, from: usize) -> bool {
        let uses = self.items[from].op.uses();
        members(uses).all(|reg| self.written[reg.index()] <= from + 1)
    }

    fn drop_item(&mut self, from: usize, to: usize) {
        let dropped = std::mem::replace(&mut self.items[from].op, Op::Nop);
        for item in &mut self.items[from + 1..=to] {
            if item.op.accesses() {
                item.deferred.push(dropped);
            }
        }
    }

    /// The operation that computed `reg`, and how one at `at` that writes `rd` may be joined with it.
    fn source(&self, reg: Reg, rd: Option<Reg>, at: usize) -> Option<(usize, Op, Join)> {
        let from = self.defined[reg.index()]?;
        if !self.intact(from) {
            return None;
        }
        let op = self.items[from].op;
        let unread = self.read & 1 << reg.index() == 0;
        let replaced = rd == Some(reg) && unread && self.can_drop(from, at);
        let overwrites_its_operand = op.uses() & 1 << reg.index() != 0;
        match (replaced, overwrites_its_operand) {
            (true, _) => Some((from, op, Join::Replace)),
            (false, false) => Some((from, op, Join::Keep)),
            (false, true) => None,
        }
    }

    /// Notes that the current operation was joined with the one at `from`.
    fn joined(&mut self, from: usize, join: Join) {
        if join == Join::Replace && !self.replaced.contains(&from) {
            self.replaced.push(from);
        }
    }

    /// The register that `reg` is a copy of.
    fn original(&self, reg: Reg) -> Reg {
        if let Some(from) = self.defined[reg.index()]
            && let Op::Copy { rs, .. } = self.items[from].op
            && self.intact(from)
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

    /// The operation that does the same as `op`, joined with what computed its operands.
    fn join(&mut self, at: usize, op: Op) -> Op {
        match op {
            Op::Alu { op, rd, a, b } => {
                self.alu(at, op, rd, self.original(a), self.original_operand(b))
            }
            Op::SetIf { cond, rd, a, b } => Op::SetIf {
                cond,
                rd,
                a: self.original(a),
                b: self.comparand(a, b),
            },
            Op::Branch {
                test: Test::Compare(cond, a, b),
                target,
            } => Op::Branch {
                test: Test::Compare(cond, self.original(a), self.comparand(a, b)),
                target,
            },
            Op::Load { op, rd, address } => {
                let address = self.address(at, (!rd.is_zero()).then_some(rd), address);
                Op::Load { op, rd, address }
            }
            Op::Store { op, src, address } => {
                let address = self.address(at, None, address);
                let src = self.original(src);
                Op::Store { op, src, address }
            }
            other => other,
        }
    }

    fn comparand(&self, a: Reg, b: Operand) -> Operand {
        let b = self.original_operand(b);
        match self.constant(b) {
            Some(value) if self.costs.compares(value) && !a.is_zero() => Operand::Imm(value),
            _ => b,
        }
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

    /// A shift, or a mask, of something shifted: a bit field.
    fn alu_imm(&mut self, at: usize, op: AluOp, rd: Reg, a: Reg, value: u32) -> Option<Op> {
        let (from, earlier, join) = self.source(a, Some(rd), at)?;
        let Op::Alu {
            op: first,
            a: rs,
            b: Operand::Imm(by),
            ..
        } = earlier
        else {
            return None;
        };
        let field = match (first, op) {
            (AluOp::Sll, AluOp::Srl | AluOp::Sra) if value >= by => {
                let (lsb, width) = (small(value - by), small(32 - value));
                let signed = op == AluOp::Sra;
                let free = join == Join::Replace || self.costs.extracts(lsb, width);
                free.then_some(Op::Extract {
                    rd,
                    rs,
                    lsb,
                    width,
                    signed,
                })
            }
            (AluOp::Sll, AluOp::Srl) if value < by => {
                let (lsb, width) = (small(by - value), small(32 - by));
                let free = join == Join::Replace || self.costs.extracts(lsb, width);
                free.then_some(Op::Place { rd, rs, lsb, width })
            }
            (AluOp::Srl, AluOp::And) if value != 0 && (value & value.wrapping_add(1)) == 0 => {
                let (lsb, width) = (small(by), small(value.count_ones()));
                let inside = u32::from(lsb) + u32::from(width) <= 32;
                (inside && self.costs.extracts(lsb, width)).then_some(Op::Extract {
                    rd,
                    rs,
                    lsb,
                    width,
                    signed: false,
                })
            }
            _ => None,
        }?;
        self.joined(from, join);
        Some(field)
    }

    /// `x >> n | x << (32 − n)`, with constants or with a register and its negation.
    fn rotation(&mut self, at: usize, op: AluOp, rd: Reg, a: Reg, b: Reg) -> Option<Op> {
        // Where the halves do not overlap, adding and exclusive or join them just as well.
        if !matches!(op, AluOp::Or | AluOp::Add | AluOp::Xor) || a == b {
            return None;
        }
        let (from_a, op_a, join_a) = self.source(a, Some(rd), at)?;
        let (from_b, op_b, join_b) = self.source(b, Some(rd), at)?;
        let part = |op: Op| match op {
            Op::Alu {
                op: shift @ (AluOp::Sll | AluOp::Srl),
                a,
                b,
                ..
            } => Some((shift, a, b)),
            _ => None,
        };
        let (left, right) = match (part(op_a)?, part(op_b)?) {
            ((AluOp::Sll, x, l), (AluOp::Srl, y, r)) if x == y => ((x, l), r),
            ((AluOp::Srl, x, r), (AluOp::Sll, y, l)) if x == y => ((x, l), r),
            _ => return None,
        };
        let ((rs, left), by) = (left, right);
        let matches = match (left, by) {
            (Operand::Imm(left), Operand::Imm(right)) => left + right == 32,
            // With a register, both shifts are by nothing when it is a multiple of 32: only "or" is right then.
            (Operand::Reg(left), Operand::Reg(right)) => {
                op == AluOp::Or && (self.negates(left, right) || self.negates(right, left))
            }
            _ => false,
        };
        if !matches {
            return None;
        }
        self.joined(from_a, join_a);
        self.joined(from_b, join_b);
        Some(Op::Rotate { rd, rs, by })
    }

    /// Whether `b` was computed as −a, and both still hold that.
    fn negates(&self, a: Reg, b: Reg) -> bool {
        self.defined[b.index()].is_some_and(|from| {
            let negation = Op::Alu {
                op: AluOp::Sub,
                rd: b,
                a: Reg::ZERO,
                b: Operand::Reg(a),
            };
            self.items[from].op == negation && a != b && self.intact(from)
        })
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

    fn with_shift(&mut self, at: usize, op: AluOp, rd: Reg, a: Reg, b: Reg) -> Option<Op> {
        let takes = matches!(
            op,
            AluOp::Add | AluOp::Sub | AluOp::And | AluOp::Or | AluOp::Xor
        );
        if !takes || a == b {
            return None;
        }
        let (from, earlier, join) = self.source(b, Some(rd), at)?;
        let Op::Alu {
            op: shift,
            a: rs,
            b: Operand::Imm(by @ 1..=31),
            ..
        } = earlier
        else {
            return None;
        };
        let kind = match shift {
            AluOp::Sll => ShiftKind::Left,
            AluOp::Srl => ShiftKind::Right,
            AluOp::Sra => ShiftKind::Arithmetic,
            _ => return None,
        };
        let amount = small(by);
        if !self.costs.shifted_operand(op, kind, amount) {
            return None;
        }
        self.joined(from, join);
        Some(Op::AluShifted {
            op,
            rd,
            a,
            b: rs,
            kind,
            amount,
        })
    }

    fn with_product(&mut self, at: usize, op: AluOp, rd: Reg, a: Reg, b: Reg) -> Option<Op> {
        if op != AluOp::Add || a == b || !self.costs.multiply_add() {
            return None;
        }
        for (c, product) in [(a, b), (b, a)] {
            if let Some((
                from,
                Op::Mul {
                    op: MulOp::Mul,
                    a: x,
                    b: y,
                    ..
                },
                Join::Replace,
            )) = self.source(product, Some(rd), at)
            {
                self.joined(from, Join::Replace);
                return Some(Op::MulAdd { rd, c, a: x, b: y });
            }
        }
        None
    }

    /// The address, without the additions that computed it.
    fn address(&mut self, at: usize, rd: Option<Reg>, address: Address) -> Address {
        let Address {
            base,
            index: None,
            offset,
        } = address
        else {
            return address;
        };
        let base = self.original(base);
        let unchanged = Address { base, ..address };
        let Some((from, op, join)) = self.source(base, rd, at) else {
            return unchanged;
        };
        let simpler = match op {
            Op::Alu {
                op: AluOp::Add,
                a,
                b: Operand::Imm(value),
                ..
            } => {
                let sum = offset.wrapping_add(value.cast_signed());
                self.costs.offset(sum).then_some(Address {
                    base: a,
                    index: None,
                    offset: sum,
                })
            }
            Op::Alu {
                op: AluOp::Add,
                a,
                b: Operand::Reg(b),
                ..
            } if self.costs.indexes(a, b) => Some(Address {
                base: a,
                index: Some((b, 0)),
                offset,
            }),
            Op::AluShifted {
                op: AluOp::Add,
                a,
                b,
                kind: ShiftKind::Left,
                amount: amount @ 0..=3,
                ..
            } if self.costs.indexes(a, b) => Some(Address {
                base: a,
                index: Some((b, amount)),
                offset,
            }),
            _ => None,
        };
        match simpler {
            Some(simpler) => {
                self.joined(from, join);
                simpler
            }
            None => unchanged,
        }
    }
}

/// The registers of a set that has a bit for each.
fn members(mut set: u32) -> impl Iterator<Item = Reg> {
    std::iter::from_fn(move || {
        let lowest = set.checked_ilog2()?;
        set &= !(1 << lowest);
        Some(Reg::from_field(lowest))
    })
}

/// A number of bits.
fn small(bits: u32) -> u8 {
    bits.to_le_bytes()[0]
}

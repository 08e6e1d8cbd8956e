//! Guest instructions to operations, with x0 and known constants resolved: a backend never sees `lui` or `auipc`.

use super::region::{Block, Region};
use crate::jit::ir::item::Item;
use crate::jit::ir::op::{Address, Op, Operand, Test};
use crate::rv32::{AluOp, Cond, Insn, Isa, MulOp, Reg};

/// The constants that registers got in the code before, by address, of the same region: what they probably hold.
pub(in crate::jit) type Held = [Option<u32>; 32];

/// Turns a block into operations, one for each instruction (two for a call: the link, and the jump).
pub(in crate::jit) fn lift(region: &Region, block: &Block, held: &mut Held, items: &mut Vec<Item>) {
    items.clear();
    let mut lifter = Lifter {
        isa: region.isa,
        known: [None; 32],
        held,
        items,
        pc: block.pc,
        len: 0,
    };
    lifter.known[0] = Some(0);
    for fetched in region.insns(block) {
        (lifter.pc, lifter.len) = (fetched.pc, fetched.len);
        match fetched.insn {
            Some(insn) => lifter.lift(insn),
            None => lifter.push(Op::Interpret),
        }
    }
}

/// Lifts the instructions of one block in order, knowing which registers hold constants.
pub(super) struct Lifter<'a> {
    isa: Isa,
    known: [Option<u32>; 32],
    held: &'a mut Held,
    items: &'a mut Vec<Item>,
    /// Address and bytes of the instruction.
    pc: u32,
    len: u32,
}

impl Lifter<'_> {
    pub(super) fn push(&mut self, op: Op) {
        self.items.push(Item::new(op, self.pc, self.len));
    }

    /// What a link register gets.
    fn next(&self) -> u32 {
        self.pc.wrapping_add(self.len)
    }

    pub(super) fn known(&self, reg: Reg) -> Option<u32> {
        self.known[reg.index()]
    }

    /// Pushes an operation that writes `rd`, unless that is x0: operations without other effect vanish then.
    pub(super) fn write(&mut self, rd: Reg, op: Op) {
        if rd.is_zero() {
            self.push(Op::Nop);
            return;
        }
        self.known[rd.index()] = match op {
            Op::Imm { value, .. } => Some(value),
            Op::Copy { rs, .. } => self.known(rs),
            _ => None,
        };
        self.held[rd.index()] = self.known[rd.index()];
        self.push(op);
    }

    /// A register gets what memory holds, or whether a store was made.
    fn loaded(&mut self, rd: Reg) {
        if !rd.is_zero() {
            self.known[rd.index()] = None;
            self.held[rd.index()] = None;
        }
    }

    pub(super) fn constant(&mut self, rd: Reg, value: u32) {
        self.write(rd, Op::Imm { rd, value });
    }

    pub(super) fn copy(&mut self, rd: Reg, rs: Reg) {
        match self.known(rs) {
            Some(value) if !rd.is_zero() => self.constant(rd, value),
            _ if rd == rs => self.push(Op::Nop),
            _ => self.write(rd, Op::Copy { rd, rs }),
        }
    }

    fn lift(&mut self, insn: Insn) {
        let pc = self.pc;
        match insn {
            Insn::Lui { rd, imm } => self.constant(rd, imm),
            Insn::Auipc { rd, imm } => self.constant(rd, pc.wrapping_add(imm)),
            Insn::AluImm { op, rd, rs1, imm } => self.alu_imm(op, rd, rs1, imm.cast_unsigned()),
            Insn::Alu { op, rd, rs1, rs2 } => self.alu(op, rd, rs1, rs2),
            Insn::Mul { op, rd, rs1, rs2 } => self.mul(op, rd, rs1, rs2),
            Insn::Load {
                op,
                rd,
                rs1,
                offset,
            } => {
                let address = Address::new(rs1, offset);
                self.loaded(rd);
                self.push(Op::Load { op, rd, address });
            }
            // At address 0; the region's block ends here.
            Insn::Atomic { rs1, .. } if rs1.is_zero() => self.push(Op::Interpret),
            Insn::Atomic {
                op,
                rd,
                rs1: base,
                rs2: src,
                ..
            } => {
                self.loaded(rd);
                self.push(Op::Atomic { op, rd, src, base });
            }
            Insn::Store {
                op,
                rs1,
                rs2,
                offset,
            } => {
                let address = Address::new(rs1, offset);
                self.push(Op::Store {
                    op,
                    src: rs2,
                    address,
                });
            }
            Insn::Branch {
                cond,
                rs1,
                rs2,
                offset,
            } => self.branch(cond, rs1, rs2, pc.wrapping_add_signed(offset)),
            // Where the hart takes interrupts, the environment waits for one.
            Insn::Jal { rd, offset: 0 } if rd.is_zero() => self.push(Op::Interpret),
            Insn::Jal { rd, offset } => {
                let target = pc.wrapping_add_signed(offset);
                self.call(rd, target);
            }
            Insn::Jalr { rd, rs1, offset } => match self.known(rs1) {
                Some(base) => self.call(rd, base.wrapping_add_signed(offset) & !1),
                None => self.jump_reg(rd, rs1, offset),
            },
            Insn::Bits { op, rd, rs1, rs2 } => self.bits(op, rd, rs1, rs2),
            Insn::BitsImm { op, rd, rs1, shamt } => self.bits_imm(op, rd, rs1, shamt),
            Insn::Unary { op, rd, rs1 } => self.unary(op, rd, rs1),
            Insn::Fence { .. } => self.push(Op::Nop),
            Insn::FenceI { .. }
            | Insn::Csr { .. }
            | Insn::Ecall
            | Insn::Ebreak
            | Insn::Privileged(_) => {
                self.push(Op::Interpret);
            }
        }
    }

    pub(super) fn alu_imm(&mut self, op: AluOp, rd: Reg, rs: Reg, imm: u32) {
        if let Some(value) = self.known(rs) {
            return self.constant(rd, op.eval(value, imm));
        }
        match (op, imm) {
            (AluOp::Add | AluOp::Or | AluOp::Xor | AluOp::Sll | AluOp::Srl | AluOp::Sra, 0)
            | (AluOp::And, u32::MAX) => self.copy(rd, rs),
            (AluOp::And, 0) | (AluOp::Sltu, 0) => self.constant(rd, 0),
            (AluOp::Or, u32::MAX) => self.constant(rd, u32::MAX),
            (AluOp::Sltu, 1) => self.set_if(Cond::Eq, rd, rs, Operand::Imm(0)),
            (AluOp::Sltu, _) => self.set_if(Cond::Ltu, rd, rs, Operand::Imm(imm)),
            (AluOp::Slt, _) => self.set_if(Cond::Lt, rd, rs, Operand::Imm(imm)),
            _ => self.write(
                rd,
                Op::Alu {
                    op,
                    rd,
                    a: rs,
                    b: Operand::Imm(imm),
                },
            ),
        }
    }

    fn set_if(&mut self, cond: Cond, rd: Reg, a: Reg, b: Operand) {
        self.write(rd, Op::SetIf { cond, rd, a, b });
    }

    fn alu(&mut self, op: AluOp, rd: Reg, a: Reg, b: Reg) {
        if let (Some(x), Some(y)) = (self.known(a), self.known(b)) {
            return self.constant(rd, op.eval(x, y));
        }
        if b.is_zero() {
            // Subtracting nothing is adding nothing; for the others the immediate form exists.
            let op = if op == AluOp::Sub { AluOp::Add } else { op };
            return self.alu_imm(op, rd, a, 0);
        }
        if a.is_zero() {
            match op {
                AluOp::Add | AluOp::Or | AluOp::Xor => return self.copy(rd, b),
                AluOp::And | AluOp::Sll | AluOp::Srl | AluOp::Sra => {
                    return self.constant(rd, 0);
                }
                AluOp::Sltu => return self.set_if(Cond::Ne, rd, b, Operand::Imm(0)),
                AluOp::Sub | AluOp::Slt => {}
            }
        }
        let b = Operand::Reg(b);
        match op {
            AluOp::Slt => self.set_if(Cond::Lt, rd, a, b),
            AluOp::Sltu => self.set_if(Cond::Ltu, rd, a, b),
            _ => self.write(rd, Op::Alu { op, rd, a, b }),
        }
    }

    fn mul(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg) {
        match (op, self.known(a), self.known(b)) {
            (_, Some(x), Some(y)) => self.constant(rd, op.eval(x, y)),
            (MulOp::Div | MulOp::Divu, _, Some(0)) => self.constant(rd, u32::MAX),
            (MulOp::Rem | MulOp::Remu, _, Some(0)) => self.copy(rd, a),
            (_, _, Some(0))
            | (MulOp::Mul | MulOp::Mulh | MulOp::Mulhsu | MulOp::Mulhu, Some(0), _) => {
                self.constant(rd, 0);
            }
            (MulOp::Div | MulOp::Divu | MulOp::Rem | MulOp::Remu, _, known)
                if let Some(value) = known.or(self.held[b.index()])
                    && !matches!(value, 0 | u32::MAX) =>
            {
                let divide = Op::DivideBy {
                    op,
                    rd,
                    a,
                    b,
                    value,
                    certain: known.is_some(),
                };
                self.write(rd, divide);
            }
            _ => self.write(rd, Op::Mul { op, rd, a, b }),
        }
    }

    fn branch(&mut self, cond: Cond, a: Reg, b: Reg, target: u32) {
        let taken = match (self.known(a), self.known(b)) {
            (Some(x), Some(y)) => Some(cond.eval(x, y)),
            _ if a == b => Some(cond.eval(0, 0)),
            (_, Some(0)) if cond == Cond::Ltu => Some(false),
            (_, Some(0)) if cond == Cond::Geu => Some(true),
            _ => None,
        };
        match taken {
            Some(false) => self.push(Op::Nop),
            // A taken branch to a misaligned target traps at the branch: the interpreter finds that.
            _ if !self.isa.is_aligned(target) => self.push(Op::Interpret),
            Some(true) => self.push(Op::Jump { target }),
            None => {
                let test = if b.is_zero() {
                    Test::Compare(cond, a, Operand::Imm(0))
                } else if a.is_zero() && matches!(cond, Cond::Eq | Cond::Ne) {
                    Test::Compare(cond, b, Operand::Imm(0))
                } else {
                    Test::Compare(cond, a, Operand::Reg(b))
                };
                self.push(Op::Branch { test, target });
            }
        }
    }

    /// What was pushed last is only a part of the instruction: what is pushed next stands for it.
    pub(super) fn is_a_part(&mut self) {
        if let Some(part) = self.items.last_mut() {
            (part.insns, part.bytes) = (0, 0);
        }
    }

    /// A jump to a constant target that leaves the return address in `rd`.
    fn call(&mut self, rd: Reg, target: u32) {
        if !self.isa.is_aligned(target) {
            return self.push(Op::Interpret);
        }
        if !rd.is_zero() {
            self.constant(rd, self.next());
            // The jump stands for the instruction.
            self.is_a_part();
        }
        self.push(Op::Jump { target });
    }

    fn jump_reg(&mut self, rd: Reg, rs: Reg, offset: i32) {
        let link = (!rd.is_zero()).then_some((rd, self.next()));
        self.push(Op::JumpReg { rs, offset, link });
    }
}

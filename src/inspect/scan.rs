//! A static scan: every instruction that direct jumps, calls and fall-through reach, and what is notable among them.
//!
//! Jumps by register are followed where the block itself computes their target. What is reached only by a pointer, such
//! as the functions of a table, is not found from the entry; whoever wants that begins again at every function symbol.

use crate::memory::Memory;
use crate::rv32::{CsrSource, Insn, Reg, decode};
use crate::syscall::abi::nr;
use crate::syscall::semihosting::{BEFORE, BEHIND};
use std::collections::{BTreeMap, BTreeSet};

/// What was found so far.
#[derive(Debug, Default, Clone)]
pub struct Scan {
    /// Every instruction.
    pub reached: BTreeSet<u32>,
    /// Where calls go, and where the scan began.
    pub calls: BTreeSet<u32>,
    /// Words that are no instructions of RV32IM, and where. Zero words are left out: they are there to trap.
    pub foreign: BTreeMap<u32, u32>,
    /// The places of `ecall` by number; `None` where the block does not tell it.
    pub ecalls: BTreeMap<Option<u32>, Vec<u32>>,
    /// The places of semihosting calls by operation, likewise.
    pub semihosting: BTreeMap<Option<u32>, Vec<u32>>,
    /// The numbers of control and status registers.
    pub csrs: BTreeSet<u16>,
}

impl Scan {
    /// Scans on from an address.
    pub fn follow(&mut self, memory: &mut Memory, start: u32) {
        self.calls.insert(start);
        let mut open = vec![start];
        while let Some(pc) = open.pop() {
            self.run(memory, pc, &mut open);
        }
    }

    /// Follows one straight run.
    fn run(&mut self, memory: &mut Memory, mut pc: u32, open: &mut Vec<u32>) {
        let mut known = Known::default();
        while pc.is_multiple_of(4) && !self.reached.contains(&pc) {
            let Ok(word) = memory.fetch(pc) else {
                return;
            };
            self.reached.insert(pc);
            let Some(insn) = decode(word) else {
                if word != 0 {
                    self.foreign.insert(pc, word);
                }
                return;
            };
            if !self.step(memory, insn, pc, &mut known, open) {
                return;
            }
            pc = pc.wrapping_add(4);
        }
    }

    /// Looks at one instruction; whether the run goes on behind it.
    fn step(
        &mut self,
        memory: &mut Memory,
        insn: Insn,
        pc: u32,
        known: &mut Known,
        open: &mut Vec<u32>,
    ) -> bool {
        match insn {
            Insn::Branch { offset, .. } => open.push(pc.wrapping_add_signed(offset)),
            Insn::Jal { rd, offset } => {
                return self.jump(rd, Some(pc.wrapping_add_signed(offset)), known, open);
            }
            Insn::Jalr { rd, rs1, offset } => {
                let target = known
                    .get(rs1)
                    .map(|base| base.wrapping_add_signed(offset) & !1);
                return self.jump(rd, target, known, open);
            }
            Insn::Ecall => {
                let number = known.get(Reg::A7);
                self.ecalls.entry(number).or_default().push(pc);
                known.set(Reg::A0, None);
                return !matches!(number, Some(nr::EXIT | nr::EXIT_GROUP));
            }
            Insn::Ebreak => {
                let mut word = |pc| memory.fetch(pc).ok();
                let before = word(pc.wrapping_sub(4)) == Some(BEFORE);
                if !before || word(pc.wrapping_add(4)) != Some(BEHIND) {
                    return false;
                }
                let operation = known.get(Reg::A0);
                self.semihosting.entry(operation).or_default().push(pc);
                known.set(Reg::A0, None);
            }
            Insn::Csr {
                rd, csr, source, ..
            } => {
                // `csrrw zero, cycle, zero` is `unimp`: it is there to trap.
                let zero = matches!(source, CsrSource::Reg(rs) if rs.is_zero());
                if csr == CYCLE && rd.is_zero() && zero {
                    return false;
                }
                self.csrs.insert(csr);
                known.set(rd, None);
            }
            Insn::Lui { .. }
            | Insn::Auipc { .. }
            | Insn::AluImm { .. }
            | Insn::Alu { .. }
            | Insn::Mul { .. }
            | Insn::Load { .. }
            | Insn::Store { .. }
            | Insn::Fence { .. }
            | Insn::FenceI { .. } => known.compute(insn, pc),
        }
        true
    }

    fn jump(
        &mut self,
        rd: Reg,
        target: Option<u32>,
        known: &mut Known,
        open: &mut Vec<u32>,
    ) -> bool {
        open.extend(target);
        if rd.is_zero() {
            return false;
        }
        self.calls.extend(target);
        *known = Known::default();
        true
    }
}

/// The number of the CSR `cycle`.
const CYCLE: u16 = 0xc00;

/// The constants that registers hold in a straight run.
#[derive(Debug, Clone, Copy)]
pub struct Known([Option<u32>; 32]);

impl Default for Known {
    fn default() -> Known {
        let mut known = Known([None; 32]);
        known.0[0] = Some(0);
        known
    }
}

impl Known {
    /// The constant in a register.
    #[must_use]
    pub fn get(&self, reg: Reg) -> Option<u32> {
        self.0[reg.index()]
    }

    /// A register changes.
    pub fn set(&mut self, reg: Reg, value: Option<u32>) {
        if !reg.is_zero() {
            self.0[reg.index()] = value;
        }
    }

    /// An instruction at `pc` that changes at most one register, and does not jump.
    pub fn compute(&mut self, insn: Insn, pc: u32) {
        let both = |a, b| self.get(a).zip(self.get(b));
        match insn {
            Insn::Lui { rd, imm } => self.set(rd, Some(imm)),
            Insn::Auipc { rd, imm } => self.set(rd, Some(pc.wrapping_add(imm))),
            Insn::AluImm { op, rd, rs1, imm } => {
                let value = self.get(rs1).map(|a| op.eval(a, imm.cast_unsigned()));
                self.set(rd, value);
            }
            Insn::Alu { op, rd, rs1, rs2 } => {
                let value = both(rs1, rs2).map(|(a, b)| op.eval(a, b));
                self.set(rd, value);
            }
            Insn::Mul { op, rd, rs1, rs2 } => {
                let value = both(rs1, rs2).map(|(a, b)| op.eval(a, b));
                self.set(rd, value);
            }
            Insn::Load { rd, .. } | Insn::Csr { rd, .. } => self.set(rd, None),
            Insn::Jal { .. }
            | Insn::Jalr { .. }
            | Insn::Branch { .. }
            | Insn::Store { .. }
            | Insn::Fence { .. }
            | Insn::FenceI { .. }
            | Insn::Ecall
            | Insn::Ebreak => {}
        }
    }
}

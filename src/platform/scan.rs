//! A static scan: every instruction that direct jumps, calls and fall-through reach, and what is notable among them.
//!
//! Jumps by register are followed where the block itself computes their target. What is reached only by a pointer, such
//! as the functions of a table, is not found from the entry; whoever wants that begins again at every function symbol.
//! What stands behind a call is reached once the function that is called was seen to return.

use crate::elf::Image;
use crate::rv32::decode::{MRET, SEMIHOSTING_BEFORE, SEMIHOSTING_BEHIND, SRET, WFI};
use crate::rv32::{CsrOp, CsrSource, Fetched, Insn, Isa, PrivilegedOp, Reg};
use std::collections::{BTreeMap, BTreeSet};

/// Gives the half-word of an instruction at an address; `None` where none can be fetched.
pub type Fetch<'a> = dyn FnMut(u32) -> Option<u16> + 'a;

/// What was found so far.
#[derive(Debug, Clone)]
pub struct Scan {
    isa: Isa,
    /// Every instruction.
    pub reached: BTreeSet<u32>,
    /// Where calls go, and where the scan began.
    pub calls: BTreeSet<u32>,
    /// Words that cannot be executed, and where. Zero words are left out: they are there to trap.
    pub foreign: BTreeMap<u32, u32>,
    /// The register that a call's number is in: a7, if nobody says otherwise.
    pub call_register: Reg,
    /// The places of `ecall` by number; `None` where the block does not tell it.
    pub ecalls: BTreeMap<Option<u32>, Vec<u32>>,
    /// The places of semihosting calls by operation, likewise.
    pub semihosting: BTreeMap<Option<u32>, Vec<u32>>,
    /// The numbers of control and status registers, and where one is first.
    pub csrs: BTreeMap<u16, u32>,
    /// The places of `mret`, `sret` and `wfi`, and the words.
    pub privileged: BTreeMap<u32, u32>,
    /// How many more instructions are looked at.
    pub left: usize,
    functions: Functions,
}

impl Scan {
    /// A scan of a program to its end.
    #[must_use]
    pub fn of_image(image: &Image) -> Scan {
        let call_register = if image.embedded() { Reg::T0 } else { Reg::A7 };
        Scan {
            call_register,
            ..Scan::of_at_most(image.isa(), usize::MAX)
        }
    }
}

/// Which functions return. What stands behind a call is code only if the function that is called may return; behind a
/// call of one that never does, compilers put the next function or data.
#[derive(Debug, Default, Clone)]
struct Functions {
    /// The function that an instruction was first reached in.
    owner: BTreeMap<u32, u32>,
    returns: BTreeSet<u32>,
    /// By function: those that jump into it, and so return where it does.
    jumped_from: BTreeMap<u32, Vec<u32>>,
    /// By function: its calls, as the place behind the call and the function that calls.
    waiting: BTreeMap<u32, Vec<(u32, u32)>>,
}

impl Functions {
    /// The function returns, and with it those that end by jumping into it. What stands behind their calls is reached.
    fn returns(&mut self, function: u32, open: &mut Vec<(u32, u32)>) {
        let mut now = vec![function];
        while let Some(function) = now.pop() {
            if self.returns.insert(function) {
                open.extend(self.waiting.remove(&function).unwrap_or_default());
                now.extend(self.jumped_from.remove(&function).unwrap_or_default());
            }
        }
    }

    /// `from` goes on at an instruction that `to` owns.
    fn joins(&mut self, from: u32, to: u32, open: &mut Vec<(u32, u32)>) {
        if from == to {
        } else if self.returns.contains(&to) {
            self.returns(from, open);
        } else {
            self.jumped_from.entry(to).or_default().push(from);
        }
    }

    /// `from` calls `to`, and if that returns, goes on at `behind`.
    fn calls(&mut self, from: u32, to: u32, behind: u32, open: &mut Vec<(u32, u32)>) {
        if self.returns.contains(&to) {
            open.push((behind, from));
        } else {
            self.waiting.entry(to).or_default().push((behind, from));
        }
    }
}

impl Scan {
    /// A scan that ends after so many instructions.
    #[must_use]
    pub fn of_at_most(isa: Isa, left: usize) -> Scan {
        Scan {
            isa,
            reached: BTreeSet::new(),
            calls: BTreeSet::new(),
            foreign: BTreeMap::new(),
            ecalls: BTreeMap::new(),
            semihosting: BTreeMap::new(),
            csrs: BTreeMap::new(),
            privileged: BTreeMap::new(),
            left,
            call_register: Reg::A7,
            functions: Functions::default(),
        }
    }

    /// Scans on from an address.
    pub fn follow(&mut self, fetch: &mut Fetch<'_>, start: u32) {
        self.calls.insert(start);
        let mut open = vec![(start, start)];
        while let Some((pc, function)) = open.pop() {
            self.run(fetch, pc, function, &mut open);
        }
    }

    /// Follows one straight run.
    fn run(
        &mut self,
        fetch: &mut Fetch<'_>,
        mut pc: u32,
        function: u32,
        open: &mut Vec<(u32, u32)>,
    ) {
        let mut known = Known::default();
        while self.isa.is_aligned(pc) {
            if let Some(&owner) = self.functions.owner.get(&pc) {
                self.functions.joins(function, owner, open);
                return;
            }
            let Ok(fetched) = Fetched::at(self.isa, pc, |pc| fetch(pc).ok_or(())) else {
                return;
            };
            let word = fetched.bits;
            let Some(left) = self.left.checked_sub(1) else {
                return;
            };
            self.left = left;
            self.reached.insert(pc);
            self.functions.owner.insert(pc, function);
            if matches!(word, MRET | SRET | WFI) {
                self.privileged.insert(pc, word);
            }
            if word == SRET {
                return;
            }
            if let Some(insn) = fetched.insn {
                let mut here = Here {
                    pc,
                    next: fetched.next(),
                    function,
                    known: &mut known,
                    open,
                };
                if !self.step(fetch, insn, &mut here) {
                    return;
                }
            } else {
                if word != 0 {
                    self.foreign.insert(pc, word);
                }
                return;
            }
            pc = fetched.next();
        }
    }

    /// Looks at one instruction; whether the run goes on behind it.
    fn step(&mut self, fetch: &mut Fetch<'_>, insn: Insn, here: &mut Here<'_>) -> bool {
        let (pc, function) = (here.pc, here.function);
        match insn {
            Insn::Branch { offset, .. } => {
                here.open.push((pc.wrapping_add_signed(offset), function));
            }
            Insn::Jal { rd, offset } => {
                return self.jump(rd, Some(pc.wrapping_add_signed(offset)), here);
            }
            Insn::Jalr { rd, rs1, offset } => {
                let base = here.known.get(rs1);
                let target = base.map(|base| base.wrapping_add_signed(offset) & !1);
                return self.jump(rd, target, here);
            }
            Insn::Ecall => {
                let number = here.known.get(self.call_register);
                self.ecalls.entry(number).or_default().push(pc);
                here.known.set(Reg::A0, None);
                return !matches!(number, Some(EXIT | EXIT_GROUP));
            }
            // Where it goes is in `mepc`, which was followed where it was written.
            Insn::Privileged(PrivilegedOp::Mret) => return false,
            Insn::Privileged(PrivilegedOp::Wfi) => {}
            Insn::Ebreak => {
                let mut word = |pc: u32| {
                    let (low, high) = (fetch(pc)?, fetch(pc.wrapping_add(2))?);
                    Some(u32::from(high) << 16 | u32::from(low))
                };
                let before = word(pc.wrapping_sub(4)) == Some(SEMIHOSTING_BEFORE);
                if !before || word(pc.wrapping_add(4)) != Some(SEMIHOSTING_BEHIND) {
                    return false;
                }
                let operation = here.known.get(Reg::A0);
                self.semihosting.entry(operation).or_default().push(pc);
                here.known.set(Reg::A0, None);
            }
            Insn::Csr {
                op,
                rd,
                csr,
                source,
            } => {
                // `csrrw zero, cycle, zero` is `unimp`: it is there to trap.
                let zero = matches!(source, CsrSource::Reg(rs) if rs.is_zero());
                if op == CsrOp::Write && csr == CYCLE && rd.is_zero() && zero {
                    return false;
                }
                self.csrs.entry(csr).or_insert(pc);
                // What a trap or `mret` goes to.
                if let (CsrOp::Write, CsrSource::Reg(rs), MTVEC | MEPC) = (op, source, csr)
                    && let Some(target) = here.known.get(rs)
                {
                    let target = target & !(self.isa.alignment() - 1);
                    here.open.push((target, target));
                }
                here.known.set(rd, None);
            }
            Insn::Lui { .. }
            | Insn::Auipc { .. }
            | Insn::AluImm { .. }
            | Insn::Alu { .. }
            | Insn::Mul { .. }
            | Insn::Load { .. }
            | Insn::Store { .. }
            | Insn::Atomic { .. }
            | Insn::Bits { .. }
            | Insn::BitsImm { .. }
            | Insn::Unary { .. }
            | Insn::Fence { .. }
            | Insn::FenceI { .. } => here.known.compute(insn, pc),
        }
        true
    }

    /// A jump that writes a register is a call, whichever register it is.
    fn jump(&mut self, rd: Reg, target: Option<u32>, here: &mut Here<'_>) -> bool {
        let function = here.function;
        if rd.is_zero() {
            match target {
                Some(target) => here.open.push((target, function)),
                // A return, or a jump through a table that is not read here.
                None => self.functions.returns(function, here.open),
            }
            return false;
        }
        let behind = here.next;
        match target {
            // A jump to what is next only asks for its own address.
            Some(target) if target == behind => return true,
            Some(target) => {
                self.calls.insert(target);
                self.functions.calls(function, target, behind, here.open);
                here.open.push((target, target));
            }
            None => here.open.push((behind, function)),
        }
        false
    }
}

/// Where a run is.
struct Here<'a> {
    pc: u32,
    /// The address behind the instruction.
    next: u32,
    function: u32,
    known: &'a mut Known,
    open: &'a mut Vec<(u32, u32)>,
}

/// newlib's calls that do not return.
const EXIT: u32 = 93;
const EXIT_GROUP: u32 = 94;
/// Numbers of CSRs.
const CYCLE: u16 = 0xc00;
/// Where traps go.
pub const MTVEC: u16 = 0x305;
const MEPC: u16 = 0x341;

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
            Insn::Bits { op, rd, rs1, rs2 } => {
                let value = both(rs1, rs2).map(|(a, b)| op.eval(a, b));
                self.set(rd, value);
            }
            Insn::BitsImm { op, rd, rs1, shamt } => {
                let value = self.get(rs1).map(|a| op.eval(a, shamt.into()));
                self.set(rd, value);
            }
            Insn::Unary { op, rd, rs1 } => self.set(rd, self.get(rs1).map(|a| op.eval(a))),
            Insn::Load { rd, .. } | Insn::Csr { rd, .. } | Insn::Atomic { rd, .. } => {
                self.set(rd, None);
            }
            Insn::Jal { .. }
            | Insn::Jalr { .. }
            | Insn::Branch { .. }
            | Insn::Store { .. }
            | Insn::Fence { .. }
            | Insn::FenceI { .. }
            | Insn::Ecall
            | Insn::Ebreak
            | Insn::Privileged(_) => {}
        }
    }
}

//! The A extension: there is one hart, so a load, an operation and a store are atomic. The result is written last: where
//! an access faults, nothing has happened yet, and the interpreter executes the whole instruction.

use super::regs::{A, D};
use super::{X86_64, state, state_x};
use crate::asm::x64::{Cond as HostCond, Mem, Reg as HostReg, Rm};
use crate::jit::ir::op::Address;
use crate::jit::ir::state::{NOT_RESERVED, offset};
use crate::memory::Placement;
use crate::rv32::{AtomicOp, Reg};

impl X86_64 {
    pub(super) fn emit_atomic(&mut self, op: AtomicOp, rd: Reg, src: Reg, base: Reg) {
        self.release();
        let cold = self.asm.label();
        let start = self.here();
        self.asm.test8_i(self.rm(base), 3);
        self.jump_if(start, HostCond::Ne, cold);
        self.draft.interpret_cold(cold, true);
        match op {
            AtomicOp::LoadReserved => self.load_reserved(rd, base),
            AtomicOp::StoreConditional => self.store_conditional(rd, src, base),
            _ => self.change(op, rd, src, base),
        }
        self.operation_ends();
    }

    /// The word at `base`, as an operand that uses rax at most.
    fn word(&mut self, base: Reg) -> Mem {
        // Alignment was looked at.
        let m = self.operand(Address::new(base, 0), 1, offset::WRITE_TABLE);
        if self.options.placement != Placement::Paged {
            return m;
        }
        self.asm.lea64(A, m);
        Mem::base(A)
    }

    fn load_reserved(&mut self, rd: Reg, base: Reg) {
        let m = self.operand(Address::new(base, 0), 1, offset::READ_TABLE);
        let d = self.host(rd).filter(|_| rd != base).unwrap_or(D);
        self.access();
        self.asm.mov32(d, m);
        let address = self.read(base, Some(D));
        self.asm.mov32_mr(state(offset::RESERVATION), address);
        self.written(rd, d);
    }

    fn store_conditional(&mut self, rd: Reg, src: Reg, base: Reg) {
        let reservation = state(offset::RESERVATION);
        let address = self.read(base, None);
        let over = self.asm.label();
        let start = self.here();
        self.asm.cmp32_mr(reservation, address);
        self.jump_if(start, HostCond::Ne, over);
        let m = self.word(base);
        match self.source(src) {
            _ if src.is_zero() => {
                self.access();
                self.asm.mov32_mi32(m, 0);
            }
            Rm::Reg(s) => {
                self.access();
                self.asm.mov32_mr(m, s);
            }
            s @ Rm::Mem(_) => {
                self.asm.mov32(D, s);
                self.access();
                self.asm.mov32_mr(m, D);
            }
        }
        if self.options.placement == Placement::Paged {
            // The flags of the comparison again: equal.
            self.asm.xor32(D, D);
        }
        self.asm.bind(over);
        self.release();
        self.asm.mov32_i(reservation, NOT_RESERVED);
        if !rd.is_zero() {
            self.asm.setcc(HostCond::Ne, D);
            let d = self.host(rd).unwrap_or(D);
            self.asm.movzx8(d, D);
            self.written(rd, d);
        }
    }

    /// The operations that always store. The old value is in edx.
    fn change(&mut self, op: AtomicOp, rd: Reg, src: Reg, base: Reg) {
        let m = self.word(base);
        let free = self.host(base).is_some() && self.options.placement != Placement::Paged;
        if let (true, None, Rm::Reg(s)) = (rd.is_zero(), keeps(op), self.source(src)) {
            // Nobody wants to know what was there.
            return self.change_memory(op, m, s);
        }
        self.access();
        self.asm.mov32(D, m);
        match (keeps(op), self.source(src)) {
            (None, Rm::Reg(s)) => self.change_memory(op, m, s),
            (None, s) if free => {
                self.asm.mov32(A, s);
                self.change_memory(op, m, A);
            }
            (Some(old_if), s) if free => {
                self.asm.mov32(A, s);
                self.asm.cmp32(D, A);
                self.asm.cmovcc32(old_if, A, D);
                self.access();
                self.asm.mov32_mr(m, A);
            }
            // rax has the address, and there is no third.
            (kept, s) => {
                let old = state(offset::SPARE);
                self.asm.mov32_mr(old, D);
                self.change_register(op, kept, D, s);
                self.access();
                self.asm.mov32_mr(m, D);
                self.asm.mov32(D, old);
            }
        }
        self.release();
        self.written(rd, D);
    }

    /// Where the second operand is; x0 has a place in the state, too.
    fn source(&self, src: Reg) -> Rm {
        match self.host(src) {
            Some(host) => Rm::Reg(host),
            None => Rm::Mem(state_x(src)),
        }
    }

    /// m op= s, where that is one instruction.
    fn change_memory(&mut self, op: AtomicOp, m: Mem, s: HostReg) {
        self.access();
        let a = &mut self.asm;
        match op {
            AtomicOp::Add => a.add32_mr(m, s),
            AtomicOp::Xor => a.xor32_mr(m, s),
            AtomicOp::And => a.and32_mr(m, s),
            AtomicOp::Or => a.or32_mr(m, s),
            _ => a.mov32_mr(m, s),
        }
    }

    /// d op= s.
    fn change_register(&mut self, op: AtomicOp, kept: Option<HostCond>, d: HostReg, s: Rm) {
        let a = &mut self.asm;
        match (op, kept) {
            (_, Some(kept)) => {
                a.cmp32(d, s);
                a.cmovcc32(kept.invert(), d, s);
            }
            (AtomicOp::Add, _) => a.add32(d, s),
            (AtomicOp::Xor, _) => a.xor32(d, s),
            (AtomicOp::And, _) => a.and32(d, s),
            (AtomicOp::Or, _) => a.or32(d, s),
            _ => a.mov32(d, s),
        }
    }
}

/// Of a minimum or maximum, when the old value stays, compared with the other.
fn keeps(op: AtomicOp) -> Option<HostCond> {
    match op {
        AtomicOp::Min => Some(HostCond::L),
        AtomicOp::Max => Some(HostCond::G),
        AtomicOp::Minu => Some(HostCond::B),
        AtomicOp::Maxu => Some(HostCond::A),
        _ => None,
    }
}

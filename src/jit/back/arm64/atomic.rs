//! The A extension: there is one hart, so a load, an operation and a store are atomic. The result is written last: where
//! an access faults, nothing has happened yet, and the interpreter executes the whole instruction.

use super::regs::{ARENA, INDEX, LINK, SCRATCH};
use super::{Arm64, state_offset};
use crate::asm::a64::{BitmaskImm32, Cond, W, WZR};
use crate::jit::ir::op::Address;
use crate::jit::ir::state::{NOT_RESERVED, offset};
use crate::memory::Placement;
use crate::rv32::{AtomicOp, LoadOp, Reg, StoreOp};

impl Arm64 {
    pub(super) fn emit_atomic(&mut self, op: AtomicOp, rd: Reg, src: Reg, base: Reg) {
        let n = self.read(base, SCRATCH);
        let cold = self.asm.label();
        if let Some(low_bits) = BitmaskImm32::new(3) {
            self.asm.tst_imm(n, low_bits);
            let result = self.asm.b_cond_to(Cond::Ne, cold);
            self.reach(result);
        }
        self.draft.interpret_cold(cold, true);
        match op {
            AtomicOp::LoadReserved => self.load_reserved(rd, base),
            AtomicOp::StoreConditional => self.store_conditional(rd, src, base),
            _ => self.change(op, rd, src, base),
        }
        self.access_ends();
    }

    /// The next instruction accesses guest memory.
    fn accesses(&mut self) {
        if self.options.placement != Placement::Paged {
            self.draft.site(self.here(), true);
        }
    }

    fn load_reserved(&mut self, rd: Reg, base: Reg) {
        // Alignment was looked at.
        let m = self.operand(Address::new(base, 0), 1, false);
        let reservation = state_offset(offset::RESERVATION);
        if rd == base {
            self.accesses();
            self.load_insn(LoadOp::Lw, INDEX.w(), m);
            let n = self.read(base, SCRATCH);
            self.asm.stur(n, ARENA, reservation);
            return self.give(rd, INDEX.w());
        }
        self.write(rd, INDEX, |this, t| {
            this.accesses();
            this.load_insn(LoadOp::Lw, t, m);
        });
        let n = self.read(base, SCRATCH);
        self.asm.stur(n, ARENA, reservation);
    }

    fn store_conditional(&mut self, rd: Reg, src: Reg, base: Reg) {
        let reservation = state_offset(offset::RESERVATION);
        let n = self.read(base, SCRATCH);
        self.asm.ldur(INDEX.w(), ARENA, reservation);
        self.asm.cmp(INDEX.w(), n);
        let over = self.asm.label();
        let result = self.asm.b_cond_to(Cond::Ne, over);
        self.reach(result);
        // None of what follows up to the result changes the flags.
        let m = self.operand(Address::new(base, 0), 1, true);
        let t = self.read(src, INDEX);
        self.accesses();
        self.store_insn(StoreOp::Sw, t, m);
        let result = self.asm.bind(over);
        self.reach(result);
        self.asm.mov_u32(INDEX.w(), NOT_RESERVED);
        self.asm.stur(INDEX.w(), ARENA, reservation);
        if !rd.is_zero() {
            self.write(rd, SCRATCH, |this, d| this.asm.cset(d, Cond::Ne));
        }
    }

    /// The operations that always store.
    fn change(&mut self, op: AtomicOp, rd: Reg, src: Reg, base: Reg) {
        let m = self.operand(Address::new(base, 0), 1, true);
        let (old, new) = (INDEX.w(), LINK.w());
        self.accesses();
        self.load_insn(LoadOp::Lw, old, m);
        let with = self.read(src, LINK);
        let stored = self.changed(op, new, old, with);
        self.accesses();
        self.store_insn(StoreOp::Sw, stored, m);
        self.give(rd, old);
    }

    /// The register that holds what memory gets.
    fn changed(&mut self, op: AtomicOp, new: W, old: W, with: W) -> W {
        let a = &mut self.asm;
        let keep_if = match op {
            AtomicOp::Swap => return with,
            AtomicOp::Add => {
                a.add(new, old, with);
                return new;
            }
            AtomicOp::Xor => {
                a.eor(new, old, with);
                return new;
            }
            AtomicOp::And => {
                a.and(new, old, with);
                return new;
            }
            AtomicOp::Or => {
                a.orr(new, old, with);
                return new;
            }
            AtomicOp::Min => Cond::Lt,
            AtomicOp::Max => Cond::Gt,
            AtomicOp::Minu => Cond::Cc,
            AtomicOp::Maxu => Cond::Hi,
            AtomicOp::LoadReserved | AtomicOp::StoreConditional => {
                unreachable!("lowered elsewhere")
            }
        };
        a.cmp(old, with);
        a.csel(new, old, with, keep_if);
        new
    }

    /// rd = w, a scratch register.
    fn give(&mut self, rd: Reg, w: W) {
        self.write(rd, INDEX, |this, d| {
            if d != w && d != WZR {
                this.asm.mov(d, w);
            }
        });
    }
}

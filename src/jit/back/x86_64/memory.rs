//! Loads and stores: one function turns an address into a host operand for each placement.

use super::regs::{A, D};
use super::{X86_64, state};
use crate::asm::x64::{Cond, Mem, Reg as HostReg, Scale};
use crate::jit::ir::op::Address;
use crate::jit::ir::state::offset;
use crate::memory::{PAGE_SHIFT, PAGE_SIZE, Placement};
use crate::rv32::{LoadOp, Reg, StoreOp};

/// [`PAGE_SHIFT`] as a shift count.
const PAGE_BITS: u8 = PAGE_SHIFT.to_le_bytes()[0];

impl X86_64 {
    pub(super) fn emit_load(&mut self, op: LoadOp, rd: Reg, address: Address) {
        let m = self.operand(address, op.width(), offset::READ_TABLE);
        let d = self.dest(rd, None);
        self.access();
        match op {
            LoadOp::Lb => self.asm.movsx8(d, m),
            LoadOp::Lbu => self.asm.movzx8(d, m),
            LoadOp::Lh => self.asm.movsx16(d, m),
            LoadOp::Lhu => self.asm.movzx16(d, m),
            LoadOp::Lw => self.asm.mov32(d, m),
        }
        self.written(rd, d);
        self.operation_ends();
    }

    pub(super) fn emit_store(&mut self, op: StoreOp, src: Reg, address: Address) {
        let m = self.operand(address, op.width(), offset::WRITE_TABLE);
        if src.is_zero() {
            self.access();
            match op {
                StoreOp::Sb => self.asm.mov8_mi8(m, 0),
                StoreOp::Sh => self.asm.mov16_mi16(m, 0),
                StoreOp::Sw => self.asm.mov32_mi32(m, 0),
            }
        } else {
            let m = self.free_d(src, m);
            let r = self.read(src, self.scratch_in(address));
            self.access();
            match op {
                StoreOp::Sb => self.asm.mov8_mr(m, r),
                StoreOp::Sh => self.asm.mov16_mr(m, r),
                StoreOp::Sw => self.asm.mov32_mr(m, r),
            }
        }
        self.operation_ends();
    }

    /// The next instruction accesses guest memory: it may fault, unless the table was walked.
    pub(super) fn access(&mut self) {
        if self.options.placement != Placement::Paged {
            self.draft.site(self.here(), true);
        }
    }

    /// The operand for an address, which may use rax; with the paged placement also rdx.
    pub(super) fn operand(&mut self, address: Address, width: u32, table: i32) -> Mem {
        let guest = self.guest_address(address);
        match self.options.placement {
            Placement::Identity => guest,
            Placement::Window => guest.gs(),
            Placement::Paged => self.paged(guest, width, table),
        }
    }

    /// The guest address as a 32-bit operand.
    fn guest_address(&mut self, address: Address) -> Mem {
        let mut mem = if address.base.is_zero() {
            Mem::absolute(0)
        } else {
            let avoid = address.index.and_then(|(index, _)| self.in_register(index));
            Mem::base(self.read(address.base, avoid))
        };
        if let Some((index, shift)) = address.index {
            // `Costs::indexes` asks for a home for one of them, so this is not the base's scratch register.
            let index = self.read(index, self.in_register(address.base));
            mem = mem.index(index, scale(shift));
        }
        mem.disp(address.offset).addr32()
    }

    /// The operand in the pool, after the walk of the read or write table: leaves for the slow path where the page
    /// cannot be used, or the access may cross its end.
    fn paged(&mut self, guest: Mem, width: u32, table: i32) -> Mem {
        let cold = self.asm.label();
        self.release();
        let a = &mut self.asm;
        a.lea32(A, guest);
        a.mov32(D, A);
        a.shr32_i(D, PAGE_BITS);
        a.add64(D, D);
        a.add64(D, state(table));
        a.movzx16(D, Mem::base(D));
        let start = self.here();
        self.asm.test32(D, D);
        self.jump_if(start, Cond::E, cold);
        if width > 1 {
            let start = self.here();
            self.asm.test32_i(A, width.cast_signed() - 1);
            self.jump_if(start, Cond::Ne, cold);
        }
        let a = &mut self.asm;
        a.shl32_i(D, PAGE_BITS);
        a.and32_i(A, PAGE_SIZE.cast_signed() - 1);
        a.add64(D, state(offset::BASE));
        self.draft.interpret_cold(cold, true);
        Mem::base(D).index(A, Scale::X1)
    }

    /// The scratch register that the operand of a store uses.
    fn scratch_in(&self, address: Address) -> Option<HostReg> {
        if self.options.placement == Placement::Paged {
            return Some(A);
        }
        let index = address.index.map(|(index, _)| index);
        let registers = [Some(address.base), index].into_iter().flatten();
        registers
            .filter_map(|reg| self.in_register(reg))
            .find(|&host| host == A || host == D)
    }

    /// The operand of a store, without rdx where what is stored must be fetched into it.
    fn free_d(&mut self, src: Reg, m: Mem) -> Mem {
        if self.options.placement != Placement::Paged || self.host(src).is_some() {
            return m;
        }
        self.asm.lea64(A, m);
        Mem::base(A)
    }
}

/// The scale that shifts left by this much.
pub(super) fn scale(shift: u8) -> Scale {
    match shift {
        0 => Scale::X1,
        1 => Scale::X2,
        2 => Scale::X4,
        _ => Scale::X8,
    }
}

//! Loads and stores: one function per placement turns an address into a host operand.

use super::regs::{ARENA, BASE, Home, INDEX, LINK, SCRATCH, home};
use super::{Arm64, state_offset};
use crate::asm::a64::Amount;
use crate::asm::a64::{BitField, BitmaskImm32, Cond, Imm12, Index, SImm9, Shift, UOff, W, WZR, X};
use crate::jit::arena::offset;
use crate::jit::op::Address;
use crate::memory::{PAGE_SHIFT, Placement};
use crate::rv32::{LoadOp, Reg, StoreOp};

/// A host operand.
#[derive(Debug, Clone, Copy)]
enum Operand {
    /// `[base, #bytes]`, where it can be encoded for the access's width.
    Offset(X, i32),
    /// `[BASE, w, uxtw]`.
    Window(W),
}

impl Arm64 {
    pub(super) fn emit_load(&mut self, op: LoadOp, rd: Reg, address: Address) {
        let operand = self.operand(address, op.width(), false);
        let w = match home(rd) {
            Home::Zero => WZR,
            Home::Host(w) => w,
            Home::InCpu => INDEX.w(),
        };
        if self.options.placement != Placement::Paged {
            self.draft.site(self.here(), true);
        }
        self.load_insn(op, w, operand);
        self.written(rd, w);
        self.draft.operation_ends(self.here());
    }

    pub(super) fn emit_store(&mut self, op: StoreOp, src: Reg, address: Address) {
        let operand = self.operand(address, op.width(), true);
        let w = self.read(src, INDEX);
        if self.options.placement != Placement::Paged {
            self.draft.site(self.here(), true);
        }
        self.store_insn(op, w, operand);
        self.draft.operation_ends(self.here());
    }

    /// The operand for an address. Uses all scratch registers; [`INDEX`] is free again afterwards.
    fn operand(&mut self, address: Address, width: u32, writes: bool) -> Operand {
        match self.options.placement {
            Placement::Identity => self.identity(address, width),
            Placement::Window => Operand::Window(self.guest_address(address)),
            Placement::Paged => Operand::Window(self.paged(address, width, writes)),
        }
    }

    /// A home is a host address; what leaves the 4 GiB lands in a guard, and is finished by the slow path.
    fn identity(&mut self, address: Address, width: u32) -> Operand {
        let Address {
            base,
            index: None,
            offset,
        } = address
        else {
            return Operand::Offset(self.guest_address(address).x(), 0);
        };
        let encodable = SImm9::new(offset).is_some()
            || u32::try_from(offset).is_ok_and(|offset| scaled(offset, width));
        if encodable && !base.is_zero() {
            Operand::Offset(self.read(base, SCRATCH).x(), offset)
        } else {
            Operand::Offset(self.guest_address(address).x(), 0)
        }
    }

    /// The guest address in a 32-bit register; the sum wraps there. Uses [`SCRATCH`] and [`INDEX`].
    fn guest_address(&mut self, address: Address) -> W {
        let Address {
            base,
            index,
            offset,
        } = address;
        let scratch = SCRATCH.w();
        let mut sum = self.read(base, SCRATCH);
        if let Some((index, shift)) = index {
            let index = self.read(index, INDEX);
            match Amount::new(u32::from(shift)) {
                Some(amount) if shift > 0 => {
                    self.asm.add_shift(scratch, sum, index, Shift::Lsl, amount);
                }
                _ => self.asm.add(scratch, sum, index),
            }
            sum = scratch;
        }
        if offset == 0 && sum != WZR {
            return sum;
        }
        let value = offset.cast_unsigned();
        if sum == WZR {
            self.asm.mov_u32(scratch, value);
        } else {
            self.add_imm(scratch, sum, value, INDEX);
        }
        scratch
    }

    /// The offset in the pool, after the walk of the read or write table: leaves for the slow path where the page
    /// cannot be used, or the access may cross its end.
    fn paged(&mut self, address: Address, width: u32, writes: bool) -> W {
        let guest = self.guest_address(address);
        let (scratch, index) = (SCRATCH.w(), INDEX.w());
        if guest != scratch {
            self.asm.mov(scratch, guest);
        }
        let table = if writes {
            offset::WRITE_TABLE
        } else {
            offset::READ_TABLE
        };
        let cold = self.asm.label();
        self.asm
            .lsr_imm(index, scratch, Amount::wrapping(PAGE_SHIFT));
        self.asm.ldur(LINK, ARENA, state_offset(table));
        self.asm.ldrh_lsl(index, LINK, INDEX, Index::Units);
        let result = self.asm.cbz_to(index, cold);
        self.reach(result);
        if let Some(mask) = BitmaskImm32::new(width - 1) {
            self.asm.tst_imm(scratch, mask);
            let result = self.asm.b_cond_to(Cond::Ne, cold);
            self.reach(result);
        }
        if let Some(field) = BitField::new(PAGE_SHIFT, 32 - PAGE_SHIFT) {
            self.asm.bfi(scratch, index, field);
        }
        self.draft.interpret_cold(cold, true);
        scratch
    }

    fn load_insn(&mut self, op: LoadOp, t: W, operand: Operand) {
        let a = &mut self.asm;
        match operand {
            Operand::Window(m) => match op {
                LoadOp::Lb => a.ldrsb_uxtw(t, BASE, m, Index::Bytes),
                LoadOp::Lh => a.ldrsh_uxtw(t, BASE, m, Index::Bytes),
                LoadOp::Lw => a.ldr_uxtw(t, BASE, m, Index::Bytes),
                LoadOp::Lbu => a.ldrb_uxtw(t, BASE, m, Index::Bytes),
                LoadOp::Lhu => a.ldrh_uxtw(t, BASE, m, Index::Bytes),
            },
            Operand::Offset(n, bytes) => match (op, split(bytes)) {
                (LoadOp::Lb, Some(At { byte: Some(i), .. })) => a.ldrsb(t, n, i),
                (LoadOp::Lbu, Some(At { byte: Some(i), .. })) => a.ldrb(t, n, i),
                (LoadOp::Lh, Some(At { half: Some(i), .. })) => a.ldrsh(t, n, i),
                (LoadOp::Lhu, Some(At { half: Some(i), .. })) => a.ldrh(t, n, i),
                (LoadOp::Lw, Some(At { word: Some(i), .. })) => a.ldr(t, n, i),
                (_, _) => {
                    let i = short(bytes);
                    match op {
                        LoadOp::Lb => a.ldursb(t, n, i),
                        LoadOp::Lbu => a.ldurb(t, n, i),
                        LoadOp::Lh => a.ldursh(t, n, i),
                        LoadOp::Lhu => a.ldurh(t, n, i),
                        LoadOp::Lw => a.ldur(t, n, i),
                    }
                }
            },
        }
    }

    fn store_insn(&mut self, op: StoreOp, t: W, operand: Operand) {
        let a = &mut self.asm;
        match operand {
            Operand::Window(m) => match op {
                StoreOp::Sb => a.strb_uxtw(t, BASE, m, Index::Bytes),
                StoreOp::Sh => a.strh_uxtw(t, BASE, m, Index::Bytes),
                StoreOp::Sw => a.str_uxtw(t, BASE, m, Index::Bytes),
            },
            Operand::Offset(n, bytes) => match (op, split(bytes)) {
                (StoreOp::Sb, Some(At { byte: Some(i), .. })) => a.strb(t, n, i),
                (StoreOp::Sh, Some(At { half: Some(i), .. })) => a.strh(t, n, i),
                (StoreOp::Sw, Some(At { word: Some(i), .. })) => a.str(t, n, i),
                (_, _) => {
                    let i = short(bytes);
                    match op {
                        StoreOp::Sb => a.sturb(t, n, i),
                        StoreOp::Sh => a.sturh(t, n, i),
                        StoreOp::Sw => a.stur(t, n, i),
                    }
                }
            },
        }
    }

    /// d = n + value, by one or two instructions, or with a constant in `scratch`.
    pub(super) fn add_imm(&mut self, d: W, n: W, value: u32, scratch: X) {
        let a = &mut self.asm;
        if let Some(imm) = Imm12::new(value) {
            a.add_imm(d, n, imm);
        } else if let Some(imm) = Imm12::new(value.wrapping_neg()) {
            a.sub_imm(d, n, imm);
        } else {
            a.mov_u32(scratch.w(), value);
            a.add(d, n, scratch.w());
        }
    }
}

/// The scaled offsets that `bytes` is, by width.
struct At {
    byte: Option<UOff<u8>>,
    half: Option<UOff<u16>>,
    word: Option<UOff<W>>,
}

fn split(bytes: i32) -> Option<At> {
    let bytes = u32::try_from(bytes).ok()?;
    Some(At {
        byte: UOff::new(bytes),
        half: UOff::new(bytes),
        word: UOff::new(bytes),
    })
}

fn scaled(bytes: u32, width: u32) -> bool {
    bytes.is_multiple_of(width) && bytes / width < 4096
}

/// An offset that [`Arm64::identity`] found to be encodable in no other way.
fn short(bytes: i32) -> SImm9 {
    state_offset(bytes)
}

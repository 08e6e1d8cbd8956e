//! Loads and stores: one function per placement turns an address into a host operand.

use super::regs::{ARENA, BASE, INDEX, LINK, SCRATCH};
use super::{Arm64, state_offset};
use crate::asm::a64::Amount;
use crate::asm::a64::{
    BitField, BitmaskImm32, Cond, Imm12, Index, PairOff, SImm9, Shift, UOff, W, WZR, X,
};
use crate::jit::ir::op::{Address, Joint};
use crate::jit::ir::state::offset;
use crate::memory::{PAGE_SHIFT, Placement};
use crate::rv32::{LoadOp, Reg, StoreOp};

/// A host operand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operand {
    /// `[base, #bytes]`, where it can be encoded for the access's width.
    Offset(X, i32),
    /// `[BASE, w, uxtw]`.
    Window(W),
}

impl Arm64 {
    pub(super) fn emit_load(&mut self, op: LoadOp, rd: Reg, address: Address) {
        let operand = self.operand(address, op.width(), false);
        self.write(rd, INDEX, |this, w| {
            if this.options.placement != Placement::Paged {
                this.draft.site(this.here(), true);
            }
            this.load_insn(op, w, operand);
        });
        self.access_ends();
    }

    pub(super) fn emit_store(&mut self, op: StoreOp, src: Reg, address: Address) {
        let operand = self.operand(address, op.width(), true);
        let w = self.read(src, INDEX);
        if self.options.placement != Placement::Paged {
            self.draft.site(self.here(), true);
        }
        self.store_insn(op, w, operand);
        self.access_ends();
    }

    /// An access with what its neighbours do. The identity placement's only.
    pub(super) fn emit_joint(
        &mut self,
        access: Joint,
        base: Reg,
        offset: i32,
        update: Option<i32>,
    ) {
        let n = self.address_of(base);
        // A pair whose halves are not neighbours goes on behind the first in other code, after a fault.
        let resumes = !access.is_pair() || self.draft.position.insns == 2;
        match access {
            Joint::Load(op, rd) => self.write(rd, INDEX, |this, t| {
                this.draft.site(this.here(), resumes);
                this.load_update(op, t, n, At::new(offset, update));
            }),
            Joint::LoadPair(low, high) => {
                self.write_two((low, high), (INDEX, LINK), |this, low, high| {
                    this.draft.site(this.here(), resumes);
                    this.load_pair(low, high, n, offset, update);
                });
            }
            Joint::Store(op, src) => {
                let t = self.read(src, INDEX);
                self.draft.site(self.here(), resumes);
                self.store_update(op, t, n, At::new(offset, update));
            }
            Joint::StorePair(low, high) => {
                let (low, high) = (self.read(low, INDEX), self.read(high, LINK));
                self.draft.site(self.here(), resumes);
                self.store_pair(low, high, n, offset, update);
            }
        }
        self.access_ends();
    }

    /// What was interpreted in place of an access goes on here, with other flags.
    pub(super) fn access_ends(&mut self) {
        self.flags = None;
        self.draft.operation_ends(self.here());
    }

    fn load_pair(&mut self, low: W, high: W, n: X, offset: i32, update: Option<i32>) {
        let a = &mut self.asm;
        match At::new(offset, update) {
            At::Offset(i) => a.ldp(low, high, n, pair(i)),
            At::Post(i) => a.ldp_post(low, high, n, pair(i)),
            At::Pre(i) => a.ldp_pre(low, high, n, pair(i)),
        }
    }

    fn store_pair(&mut self, low: W, high: W, n: X, offset: i32, update: Option<i32>) {
        let a = &mut self.asm;
        match At::new(offset, update) {
            At::Offset(i) => a.stp(low, high, n, pair(i)),
            At::Post(i) => a.stp_post(low, high, n, pair(i)),
            At::Pre(i) => a.stp_pre(low, high, n, pair(i)),
        }
    }

    fn load_update(&mut self, op: LoadOp, t: W, n: X, at: At) {
        let a = &mut self.asm;
        match (op, at) {
            (_, At::Offset(i)) => self.load_insn(op, t, Operand::Offset(n, i)),
            (LoadOp::Lb, At::Post(i)) => a.ldrsb_post(t, n, short(i)),
            (LoadOp::Lb, At::Pre(i)) => a.ldrsb_pre(t, n, short(i)),
            (LoadOp::Lbu, At::Post(i)) => a.ldrb_post(t, n, short(i)),
            (LoadOp::Lbu, At::Pre(i)) => a.ldrb_pre(t, n, short(i)),
            (LoadOp::Lh, At::Post(i)) => a.ldrsh_post(t, n, short(i)),
            (LoadOp::Lh, At::Pre(i)) => a.ldrsh_pre(t, n, short(i)),
            (LoadOp::Lhu, At::Post(i)) => a.ldrh_post(t, n, short(i)),
            (LoadOp::Lhu, At::Pre(i)) => a.ldrh_pre(t, n, short(i)),
            (LoadOp::Lw, At::Post(i)) => a.ldr_post(t, n, short(i)),
            (LoadOp::Lw, At::Pre(i)) => a.ldr_pre(t, n, short(i)),
        }
    }

    fn store_update(&mut self, op: StoreOp, t: W, n: X, at: At) {
        let a = &mut self.asm;
        match (op, at) {
            (_, At::Offset(i)) => self.store_insn(op, t, Operand::Offset(n, i)),
            (StoreOp::Sb, At::Post(i)) => a.strb_post(t, n, short(i)),
            (StoreOp::Sb, At::Pre(i)) => a.strb_pre(t, n, short(i)),
            (StoreOp::Sh, At::Post(i)) => a.strh_post(t, n, short(i)),
            (StoreOp::Sh, At::Pre(i)) => a.strh_pre(t, n, short(i)),
            (StoreOp::Sw, At::Post(i)) => a.str_post(t, n, short(i)),
            (StoreOp::Sw, At::Pre(i)) => a.str_pre(t, n, short(i)),
        }
    }

    /// The operand for an address. Uses all scratch registers; [`INDEX`] is free again afterwards.
    pub(super) fn operand(&mut self, address: Address, width: u32, writes: bool) -> Operand {
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
            Operand::Offset(self.address_of(base), offset)
        } else {
            Operand::Offset(self.guest_address(address).x(), 0)
        }
    }

    /// A guest register as a host address.
    fn address_of(&mut self, base: Reg) -> X {
        let n = self.read(base, SCRATCH);
        if base != Reg::RA {
            return n.x();
        }
        // Its upper half may be that of an address of code.
        self.asm.mov(SCRATCH.w(), n);
        SCRATCH
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

    pub(super) fn load_insn(&mut self, op: LoadOp, t: W, operand: Operand) {
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
                (LoadOp::Lb, Some(Scaled { byte: Some(i), .. })) => a.ldrsb(t, n, i),
                (LoadOp::Lbu, Some(Scaled { byte: Some(i), .. })) => a.ldrb(t, n, i),
                (LoadOp::Lh, Some(Scaled { half: Some(i), .. })) => a.ldrsh(t, n, i),
                (LoadOp::Lhu, Some(Scaled { half: Some(i), .. })) => a.ldrh(t, n, i),
                (LoadOp::Lw, Some(Scaled { word: Some(i), .. })) => a.ldr(t, n, i),
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

    pub(super) fn store_insn(&mut self, op: StoreOp, t: W, operand: Operand) {
        let a = &mut self.asm;
        match operand {
            Operand::Window(m) => match op {
                StoreOp::Sb => a.strb_uxtw(t, BASE, m, Index::Bytes),
                StoreOp::Sh => a.strh_uxtw(t, BASE, m, Index::Bytes),
                StoreOp::Sw => a.str_uxtw(t, BASE, m, Index::Bytes),
            },
            Operand::Offset(n, bytes) => match (op, split(bytes)) {
                (StoreOp::Sb, Some(Scaled { byte: Some(i), .. })) => a.strb(t, n, i),
                (StoreOp::Sh, Some(Scaled { half: Some(i), .. })) => a.strh(t, n, i),
                (StoreOp::Sw, Some(Scaled { word: Some(i), .. })) => a.str(t, n, i),
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

/// Where an access is, and what happens to its base.
#[derive(Debug, Clone, Copy)]
enum At {
    /// Nothing.
    Offset(i32),
    /// The access is at the base, which is then changed.
    Post(i32),
    /// The access is at the changed base.
    Pre(i32),
}

impl At {
    fn new(offset: i32, update: Option<i32>) -> At {
        match update {
            None => At::Offset(offset),
            Some(by) if offset == 0 => At::Post(by),
            Some(by) => At::Pre(by),
        }
    }
}

/// An offset that [`Costs`](crate::jit::ir::costs::Costs) found to be a pair's.
fn pair(bytes: i32) -> PairOff<W> {
    PairOff::new(bytes).unwrap_or(NO_OFFSET)
}

const NO_OFFSET: PairOff<W> = match PairOff::new(0) {
    Some(offset) => offset,
    None => panic!("0 is an offset"),
};

/// The scaled offsets that `bytes` is, by width.
struct Scaled {
    byte: Option<UOff<u8>>,
    half: Option<UOff<u16>>,
    word: Option<UOff<W>>,
}

fn split(bytes: i32) -> Option<Scaled> {
    let bytes = u32::try_from(bytes).ok()?;
    Some(Scaled {
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

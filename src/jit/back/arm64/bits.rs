//! Bit manipulation.

use super::Arm64;
use super::regs::{INDEX, LINK, SCRATCH};
use crate::asm::a64::{Amount, BitField, BitmaskImm32, LogicShift, W, WZR};
use crate::jit::back::backend::ZIP_SWAPS;
use crate::rv32::{BitOp, Reg, UnaryOp};

impl Arm64 {
    pub(super) fn emit_bits(&mut self, op: BitOp, rd: Reg, a: Reg, b: Reg) {
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(a, SCRATCH);
            let m = this.read(b, INDEX);
            let a = &mut this.asm;
            match op {
                BitOp::Andn => a.bic(d, n, m),
                BitOp::Orn => a.orn(d, n, m),
                BitOp::Xnor => a.eon(d, n, m),
                BitOp::Rol => {
                    a.neg(INDEX.w(), m);
                    a.rorv(d, n, INDEX.w());
                }
                BitOp::Bclr | BitOp::Binv | BitOp::Bset => this.one_bit(op, d, n, m),
                BitOp::Pack => this.pack(d, n, m, 16),
                BitOp::Packh => this.pack(d, n, m, 8),
                other => unreachable!("{other:?} is lifted to something else"),
            }
        });
    }

    /// d = n with the bit that m names cleared, inverted or set.
    fn one_bit(&mut self, op: BitOp, d: W, n: W, m: W) {
        let (a, bit) = (&mut self.asm, LINK.w());
        a.mov_u32(bit, 1);
        if n == WZR {
            return a.lslv(d, bit, m);
        }
        a.lslv(bit, bit, m);
        match op {
            BitOp::Bclr => a.bic(d, n, bit),
            BitOp::Binv => a.eor(d, n, bit),
            _ => a.orr(d, n, bit),
        }
    }

    /// d = the low `width` bits of n, and those of m above them.
    fn pack(&mut self, d: W, n: W, m: W, width: u32) {
        let a = &mut self.asm;
        let low = if d == m { LINK.w() } else { d };
        // The upper half of a word is overwritten.
        match width {
            8 => a.uxtb(low, n),
            _ if low != n => a.uxth(low, n),
            _ => {}
        }
        if let Some(field) = BitField::new(width, width) {
            a.bfi(low, m, field);
        }
        if low != d {
            a.mov(d, low);
        }
    }

    pub(super) fn emit_unary(&mut self, op: UnaryOp, rd: Reg, rs: Reg) {
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(rs, SCRATCH);
            let a = &mut this.asm;
            match op {
                UnaryOp::Clz => a.clz(d, n),
                UnaryOp::Ctz => {
                    a.rbit(d, n);
                    a.clz(d, d);
                }
                UnaryOp::Cpop => {
                    a.fmov_to_s31(n);
                    a.cnt_v31();
                    a.addv_v31();
                    a.fmov_from_s31(d);
                }
                UnaryOp::OrcB => {
                    a.fmov_to_s31(n);
                    a.cmtst_v31();
                    a.fmov_from_s31(d);
                }
                UnaryOp::Rev8 => a.rev(d, n),
                UnaryOp::Brev8 => {
                    a.rbit(d, n);
                    a.rev(d, d);
                }
                UnaryOp::Zip => this.swap(d, n, ZIP_SWAPS.into_iter()),
                UnaryOp::Unzip => this.swap(d, n, ZIP_SWAPS.into_iter().rev()),
                UnaryOp::SextB | UnaryOp::SextH | UnaryOp::ZextH => {
                    unreachable!("lifted to a bit field")
                }
            }
        });
    }

    /// d = n after these swaps, each of which is its own inverse.
    fn swap(&mut self, d: W, n: W, swaps: impl Iterator<Item = (u32, u8)>) {
        let (a, both) = (&mut self.asm, LINK.w());
        let mut from = n;
        for (lower, by) in swaps {
            let by = Amount::wrapping(by.into());
            a.eor_shift(both, from, from, LogicShift::Lsr, by);
            if let Some(mask) = BitmaskImm32::new(lower) {
                a.and_imm(both, both, mask);
            }
            a.eor(d, from, both);
            a.eor_shift(d, d, both, LogicShift::Lsl, by);
            from = d;
        }
    }
}

//! Bit manipulation: by the instruction that the host has, or by a few of the baseline's.

use super::X86_64;
use super::regs::{A, D};
use crate::asm::x64::{Assembler, Cond as HostCond, Mem, Reg as HostReg, Rm, Scale};
use crate::jit::back::backend::ZIP_SWAPS;
use crate::rv32::{AluOp, BitOp, Reg, UnaryOp};

impl X86_64 {
    pub(super) fn emit_bits(&mut self, op: BitOp, rd: Reg, a: Reg, b: Reg) {
        match op {
            BitOp::Andn if self.has.bmi1 => {
                let inverted = self.read(b, None);
                let s = self.rm(a);
                let d = self.dest(rd, None);
                self.asm.andn32(d, inverted, s);
                self.written(rd, d);
                self.flags_tell(rd);
            }
            BitOp::Andn => self.with_inverse(AluOp::And, rd, a, b),
            BitOp::Orn => self.with_inverse(AluOp::Or, rd, a, b),
            // Either may be the inverted one: better what is overwritten.
            BitOp::Xnor if rd == a => self.with_inverse(AluOp::Xor, rd, b, a),
            BitOp::Xnor => self.with_inverse(AluOp::Xor, rd, a, b),
            BitOp::Rol => self.with_count(rd, a, b, Assembler::rol32_cl),
            BitOp::Bclr | BitOp::Binv | BitOp::Bset => self.one_bit(op, rd, a, b),
            BitOp::Pack => self.pack(rd, a, b, 16),
            BitOp::Packh => self.pack(rd, a, b, 8),
            other => unreachable!("{other:?} is lifted to something else"),
        }
    }

    /// rd = a op !b.
    fn with_inverse(&mut self, op: AluOp, rd: Reg, a: Reg, b: Reg) {
        match self.host(rd) {
            Some(d) if rd != a => {
                self.fetch(d, b);
                self.asm.not32(d);
                self.apply(op, d, self.rm(a));
            }
            Some(d) => {
                let inverted = self.changeable(b, None);
                self.asm.not32(inverted);
                self.apply(op, d, Rm::Reg(inverted));
            }
            None => {
                let d = self.changeable(b, self.in_register(a));
                self.asm.not32(d);
                self.apply(op, d, self.rm(a));
                self.written(rd, d);
            }
        }
        self.flags_tell(rd);
    }

    /// rd = a with the bit that b names cleared, inverted or set.
    fn one_bit(&mut self, op: BitOp, rd: Reg, a: Reg, b: Reg) {
        let bit = self.read(b, None);
        let d = match self.host(rd) {
            Some(d) if d != bit || rd == a => {
                self.fetch(d, a);
                d
            }
            _ => self.changeable(a, Some(bit)),
        };
        match op {
            BitOp::Bclr => self.asm.btr32_mr(d, bit),
            BitOp::Binv => self.asm.btc32_mr(d, bit),
            _ => self.asm.bts32_mr(d, bit),
        }
        self.written(rd, d);
    }

    /// rd = the low `width` bits of a, 8 or 16, and those of b above them.
    fn pack(&mut self, rd: Reg, a: Reg, b: Reg, width: u8) {
        self.release();
        self.fetch(A, b);
        if width == 8 {
            self.asm.movzx8(A, A);
        }
        self.asm.shl32_i(A, width);
        let low = self.rm(a);
        let d = self.host(rd).unwrap_or(D);
        match width {
            8 => self.asm.movzx8(d, low),
            _ => self.asm.movzx16(d, low),
        }
        self.asm.or32(d, A);
        self.written(rd, d);
        self.flags_tell(rd);
    }

    pub(super) fn emit_unary(&mut self, op: UnaryOp, rd: Reg, rs: Reg) {
        match op {
            UnaryOp::Clz if self.has.lzcnt => self.single(rd, rs, Assembler::lzcnt32),
            UnaryOp::Ctz if self.has.bmi1 => self.single(rd, rs, Assembler::tzcnt32),
            UnaryOp::Cpop if self.has.popcnt => self.single(rd, rs, Assembler::popcnt32),
            UnaryOp::Rev8 => {
                let s = self.rm(rs);
                let d = self.dest(rd, None);
                self.put(d, s);
                self.asm.bswap32(d);
                self.written(rd, d);
            }
            _ => self.by_several(op, rd, rs),
        }
    }

    fn single(&mut self, rd: Reg, rs: Reg, emit: impl FnOnce(&mut Assembler, HostReg, Rm)) {
        let s = self.rm(rs);
        let d = self.dest(rd, None);
        emit(&mut self.asm, d, s);
        self.written(rd, d);
    }

    /// rd = op rs, in rax with the help of rdx.
    fn by_several(&mut self, op: UnaryOp, rd: Reg, rs: Reg) {
        self.release();
        match op {
            UnaryOp::Clz => {
                // 63 ^ 31 is 32, and the number of the highest bit ^ 31 is how many are above it.
                let s = self.rm(rs);
                self.asm.mov32_i(D, 63);
                self.asm.bsr32(A, s);
                self.asm.cmovcc32(HostCond::E, A, D);
                self.asm.xor32_i(A, 31);
            }
            UnaryOp::Ctz => {
                let s = self.rm(rs);
                self.asm.mov32_i(D, 32);
                self.asm.bsf32(A, s);
                self.asm.cmovcc32(HostCond::E, A, D);
            }
            UnaryOp::Cpop => {
                self.fetch(A, rs);
                self.count_ones();
            }
            UnaryOp::OrcB => {
                self.fetch(A, rs);
                self.fill_bytes();
            }
            UnaryOp::Brev8 => {
                self.fetch(A, rs);
                self.exchange(0x5555_5555, 1);
                self.exchange(0x3333_3333, 2);
                self.exchange(0x0f0f_0f0f, 4);
            }
            UnaryOp::Zip => {
                self.fetch(A, rs);
                self.swap(ZIP_SWAPS.into_iter());
            }
            UnaryOp::Unzip => {
                self.fetch(A, rs);
                self.swap(ZIP_SWAPS.into_iter().rev());
            }
            other => unreachable!("{other:?} is lifted to something else"),
        }
        self.written(rd, A);
    }

    /// eax = how many bits of it are set: sums of 2, 4 and 8 bits, and of the bytes.
    fn count_ones(&mut self) {
        let a = &mut self.asm;
        a.mov32(D, A);
        a.shr32_i(D, 1);
        a.and32_i(D, 0x5555_5555);
        a.sub32(A, D);
        a.mov32(D, A);
        a.shr32_i(D, 2);
        a.and32_i(A, 0x3333_3333);
        a.and32_i(D, 0x3333_3333);
        a.add32(A, D);
        a.mov32(D, A);
        a.shr32_i(D, 4);
        a.add32(A, D);
        a.and32_i(A, 0x0f0f_0f0f);
        a.imul32_i(A, A, 0x0101_0101);
        a.shr32_i(A, 24);
    }

    /// eax = all ones in each byte that was not 0: from bit 7, set by the carry of the low seven or by itself.
    fn fill_bytes(&mut self) {
        let a = &mut self.asm;
        a.mov32(D, A);
        a.and32_i(D, 0x7f7f_7f7f);
        a.add32_i(D, 0x7f7f_7f7f);
        a.or32(A, D);
        a.and32_i(A, 0x8080_8080_u32.cast_signed());
        // 0x100 − 1 of each.
        a.mov32(D, A);
        a.shr32_i(D, 7);
        a.add32(A, A);
        a.sub32(A, D);
    }

    /// eax with the bits of `lower` and those that are `by` above them exchanged.
    fn exchange(&mut self, lower: i32, by: u8) {
        let a = &mut self.asm;
        a.mov32(D, A);
        a.shr32_i(D, by);
        a.and32_i(D, lower);
        a.and32_i(A, lower);
        match by {
            1 => a.lea32(A, Mem::base(D).index(A, Scale::X2)),
            2 => a.lea32(A, Mem::base(D).index(A, Scale::X4)),
            _ => {
                a.shl32_i(A, by);
                a.or32(A, D);
            }
        }
    }

    /// eax after these swaps.
    fn swap(&mut self, swaps: impl Iterator<Item = (u32, u8)>) {
        let a = &mut self.asm;
        for (lower, by) in swaps {
            a.mov32(D, A);
            a.shr32_i(D, by);
            a.xor32(D, A);
            a.and32_i(D, lower.cast_signed());
            a.xor32(A, D);
            a.shl32_i(D, by);
            a.xor32(A, D);
        }
    }
}

//! The shortest of several rows for the same instruction: immediates, shifts by a constant, padding.
//!
//! None of these changes what the flags hold: `mov r, 0` is not `xor r, r`.

use super::Assembler;
use super::operand::{Mem, Reg, Rm, Scale};

macro_rules! immediate_forms {
    ($($name:ident: $mi8:ident $ai32:ident $mi32:ident;)*) => {
        impl Assembler { $(
            #[doc = concat!("Emits the shortest of `", stringify!($mi8), "`, `", stringify!($ai32), "` and `",
                stringify!($mi32), "`. The 64-bit form sign-extends `imm`.")]
            #[inline]
            pub fn $name(&mut self, rm: impl Into<Rm>, imm: i32) {
                let rm = rm.into();
                match i8::try_from(imm) {
                    Ok(imm) => self.$mi8(rm, imm),
                    Err(_) if rm == Rm::Reg(Reg::Rax) => self.$ai32(imm),
                    Err(_) => self.$mi32(rm, imm),
                }
            }
        )* }
    };
}

immediate_forms! {
    add32_i: add32_mi8 add32_ai32 add32_mi32;
    or32_i: or32_mi8 or32_ai32 or32_mi32;
    adc32_i: adc32_mi8 adc32_ai32 adc32_mi32;
    sbb32_i: sbb32_mi8 sbb32_ai32 sbb32_mi32;
    and32_i: and32_mi8 and32_ai32 and32_mi32;
    sub32_i: sub32_mi8 sub32_ai32 sub32_mi32;
    xor32_i: xor32_mi8 xor32_ai32 xor32_mi32;
    cmp32_i: cmp32_mi8 cmp32_ai32 cmp32_mi32;
    add64_i: add64_mi8 add64_ai32 add64_mi32;
    or64_i: or64_mi8 or64_ai32 or64_mi32;
    adc64_i: adc64_mi8 adc64_ai32 adc64_mi32;
    sbb64_i: sbb64_mi8 sbb64_ai32 sbb64_mi32;
    and64_i: and64_mi8 and64_ai32 and64_mi32;
    sub64_i: sub64_mi8 sub64_ai32 sub64_mi32;
    xor64_i: xor64_mi8 xor64_ai32 xor64_mi32;
    cmp64_i: cmp64_mi8 cmp64_ai32 cmp64_mi32;
}

macro_rules! accumulator_forms {
    ($($name:ident [$imm:ty]: $ai:ident $mi:ident;)*) => {
        impl Assembler { $(
            #[doc = concat!("Emits the shorter of `", stringify!($ai), "` and `", stringify!($mi), "`.")]
            #[inline]
            pub fn $name(&mut self, rm: impl Into<Rm>, imm: $imm) {
                let rm = rm.into();
                if rm == Rm::Reg(Reg::Rax) {
                    self.$ai(imm);
                } else {
                    self.$mi(rm, imm);
                }
            }
        )* }
    };
}

accumulator_forms! {
    test8_i [u8]: test8_ai8 test8_mi8;
    test32_i [i32]: test32_ai32 test32_mi32;
    test64_i [i32]: test64_ai32 test64_mi32;
}

macro_rules! shift_forms {
    ($($name:ident: $m1:ident $mi8:ident;)*) => {
        impl Assembler { $(
            #[doc = concat!("Emits `", stringify!($m1), "` for a count of 1, else `", stringify!($mi8), "`.")]
            #[inline]
            pub fn $name(&mut self, rm: impl Into<Rm>, count: u8) {
                if count == 1 {
                    self.$m1(rm);
                } else {
                    self.$mi8(rm, count);
                }
            }
        )* }
    };
}

shift_forms! {
    rol32_i: rol32_m1 rol32_mi8;
    ror32_i: ror32_m1 ror32_mi8;
    shl32_i: shl32_m1 shl32_mi8;
    shr32_i: shr32_m1 shr32_mi8;
    sar32_i: sar32_m1 sar32_mi8;
    rol64_i: rol64_m1 rol64_mi8;
    ror64_i: ror64_m1 ror64_mi8;
    shl64_i: shl64_m1 shl64_mi8;
    shr64_i: shr64_m1 shr64_mi8;
    sar64_i: sar64_m1 sar64_mi8;
}

impl Assembler {
    /// Emits `mov` of a constant into the low 32 bits of `r`, or into four bytes of memory.
    #[inline]
    pub fn mov32_i(&mut self, rm: impl Into<Rm>, imm: u32) {
        match rm.into() {
            Rm::Reg(r) => self.mov32_oi(r, imm),
            Rm::Mem(m) => self.mov32_mi32(m, imm.cast_signed()),
        }
    }

    /// Emits the shortest `mov` of a 64-bit constant: 5 or 6 bytes, 7 or 10.
    #[inline]
    pub fn mov64_i(&mut self, r: Reg, imm: u64) {
        if let Ok(imm) = u32::try_from(imm) {
            self.mov32_oi(r, imm);
        } else if let Ok(imm) = i32::try_from(imm.cast_signed()) {
            self.mov64_mi32(r, imm);
        } else {
            self.mov64_oi(r, imm);
        }
    }

    /// Emits `imul d, rm, imm` with the shorter immediate.
    #[inline]
    pub fn imul32_i(&mut self, d: Reg, rm: impl Into<Rm>, imm: i32) {
        match i8::try_from(imm) {
            Ok(imm) => self.imul32_rmi8(d, rm, imm),
            Err(_) => self.imul32_rmi32(d, rm, imm),
        }
    }

    /// Emits `imul d, rm, imm` with the shorter immediate, sign-extended.
    #[inline]
    pub fn imul64_i(&mut self, d: Reg, rm: impl Into<Rm>, imm: i32) {
        match i8::try_from(imm) {
            Ok(imm) => self.imul64_rmi8(d, rm, imm),
            Err(_) => self.imul64_rmi32(d, rm, imm),
        }
    }

    /// Emits `len` bytes that do nothing, in as few instructions as the SDM recommends (NOP, table 4-12).
    pub fn nops(&mut self, mut len: usize) {
        let base = Mem::base(Reg::Rax);
        while len > 0 {
            let step = len.min(9);
            match step {
                1 => self.nop1(),
                2 => self.nop2(),
                3 => self.nop_m32(base),
                4 => self.nop_long(false, 1, base),
                5 => self.nop_long(false, 1, base.index(Reg::Rax, Scale::X1)),
                6 => self.nop_long(true, 1, base.index(Reg::Rax, Scale::X1)),
                7 => self.nop_long(false, 4, base),
                8 => self.nop_long(false, 4, base.index(Reg::Rax, Scale::X1)),
                _ => self.nop_long(true, 4, base.index(Reg::Rax, Scale::X1)),
            }
            len -= step;
        }
    }

    /// Puts [`Assembler::nops`] of `len` bytes before what was emitted since the offset `at`, which must hold no place
    /// that anything refers to.
    pub fn nops_before(&mut self, at: usize, len: usize) {
        self.nops(len);
        self.code[at..self.len].rotate_right(len);
    }

    /// A `nop r/m` whose displacement is zero and yet `disp_len` bytes long.
    fn nop_long(&mut self, operand16: bool, disp_len: usize, m: Mem) {
        // The shortest encoding of a zero has no bytes: another displacement is emitted, then cleared.
        let m = m.disp(if disp_len == 1 { 1 } else { 0x100 });
        if operand16 {
            self.nop_m16(m);
        } else {
            self.nop_m32(m);
        }
        let end = self.len;
        self.code[end - disp_len..end].fill(0);
    }

    /// Pads with [`Assembler::nops`] up to a multiple of `to` bytes.
    pub fn align(&mut self, to: usize) {
        self.nops(self.offset().next_multiple_of(to) - self.offset());
    }
}

#[cfg(test)]
mod tests {
    use super::super::disassemble;
    use super::*;

    fn bytes(emit: impl Fn(&mut Assembler)) -> Vec<u8> {
        let mut a = Assembler::new();
        emit(&mut a);
        a.finish().unwrap()
    }

    #[test]
    fn immediates_take_the_shortest_form() {
        let len = |emit: fn(&mut Assembler)| bytes(emit).len();
        assert_eq!(len(|a| a.add32_i(Reg::Rcx, 127)), 3);
        assert_eq!(len(|a| a.add32_i(Reg::Rcx, -128)), 3);
        assert_eq!(len(|a| a.add32_i(Reg::Rcx, 128)), 6);
        assert_eq!(len(|a| a.add32_i(Reg::Rax, 128)), 5);
        assert_eq!(len(|a| a.xor64_i(Reg::Rax, -129)), 6);
        assert_eq!(len(|a| a.test8_i(Reg::Rax, 1)), 2);
        assert_eq!(len(|a| a.test8_i(Reg::Rsi, 1)), 4);
        assert_eq!(len(|a| a.shl32_i(Reg::Rcx, 1)), 2);
        assert_eq!(len(|a| a.shl32_i(Reg::Rcx, 2)), 3);
        assert_eq!(len(|a| a.imul32_i(Reg::Rcx, Reg::Rcx, 100)), 3);
        assert_eq!(len(|a| a.imul32_i(Reg::Rcx, Reg::Rcx, 1000)), 6);
    }

    #[test]
    fn constants_take_the_shortest_form_and_keep_their_value() {
        for (value, text) in [
            (0, "mov ecx,0x0"),
            (0xffff_ffff, "mov ecx,0xffffffff"),
            (0xffff_ffff_8000_0000, "mov rcx,0xffffffff80000000"),
            (0xffff_ffff_7fff_ffff, "movabs rcx,0xffffffff7fffffff"),
            (0x1_0000_0000, "movabs rcx,0x100000000"),
        ] {
            let code = bytes(|a| a.mov64_i(Reg::Rcx, value));
            assert_eq!(disassemble(&code, 0), (code.len(), text.to_owned()));
        }
    }

    #[test]
    fn nops_have_the_length_asked_for() {
        for len in 0..30 {
            let code = bytes(|a| a.nops(len));
            assert_eq!(code.len(), len);
            let (mut at, mut count) = (0, 0);
            while at < len {
                let (step, text) = disassemble(&code[at..], 0);
                assert!(text.starts_with("nop") || text == "xchg ax,ax", "{text}");
                (at, count) = (at + step, count + 1);
            }
            assert_eq!(count, len.div_ceil(9));
        }
        let code = bytes(|a| {
            a.ret();
            a.align(16);
        });
        assert_eq!(code.len(), 16);
    }
}

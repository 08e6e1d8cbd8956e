//! The instruction table: one row an instruction form, and the methods made from it.
//!
//! Columns: the method, the operand encoding (SDM volume 2, section 3.1.1.4; `Rm` is RM whose second operand
//! must be memory, `Cc` a condition before the others) with the type of the immediate, the opcode, the
//! instruction. See `form` for the notation. The decoder takes the first row that matches.

use super::form::Row;
use super::operand::{Cond, Mem, Reg, Rm};
use super::{Assembler, Immediate};

/// What the methods are called with in tests: each takes the parts that it needs.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) reg: Reg,
    pub(super) vvvv: Reg,
    pub(super) rm: Rm,
    pub(super) imm: u64,
    pub(super) cond: Cond,
}

/// Calls a row's method; false if the row cannot take this sample.
#[cfg(test)]
pub(super) type Call = fn(&mut Assembler, &Sample) -> bool;

macro_rules! table {
    ($( $name:ident: $encoding:ident $([$imm:ty])? $opcode:literal $text:literal; )*) => {
        /// Every row, in the order of the table.
        #[rustfmt::skip]
        pub(super) static ROWS: &[Row] = &[
            $( Row::new(table!(@slots $encoding), $opcode, $text), )*
        ];

        /// The method of each row, by its name.
        #[cfg(test)]
        #[expect(clippy::cast_possible_truncation, reason = "samples are cut to the row's length")]
        pub(super) static CALLS: &[(&str, Call)] = &[
            $( (stringify!($name), |a, s| table!(@call $encoding $name a s $([$imm])?)), )*
        ];

        impl Assembler { $(
            table!(@method $encoding $name $([$imm])?
                (&const { Row::new(table!(@slots $encoding), $opcode, $text).form })
                concat!("Emits `", $text, "`: `", $opcode, "`."));
        )* }
    };

    (@slots ZO) => { "ZO" };
    (@slots Rm) => { "RM" };
    (@slots CcM) => { "M" };
    (@slots CcRM) => { "RM" };
    (@slots CcD) => { "D" };
    (@slots $encoding:ident) => { stringify!($encoding) };

    (@method ZO $n:ident ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self) {
            self.emit($form, 0, Reg::Rax, 0, 0);
        }
    };
    (@method O $n:ident ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, r: Reg) {
            self.emit($form, 0, r, 0, 0);
        }
    };
    (@method OI $n:ident [$imm:ty] ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, r: Reg, imm: $imm) {
            self.emit($form, 0, r, 0, imm.bits());
        }
    };
    (@method I $n:ident [$imm:ty] ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, imm: $imm) {
            self.emit($form, 0, Reg::Rax, 0, imm.bits());
        }
    };
    (@method D $n:ident [$imm:ty] ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, rel: $imm) {
            self.emit($form, 0, Reg::Rax, 0, rel.bits());
        }
    };
    (@method CcD $n:ident [$imm:ty] ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, cond: Cond, rel: $imm) {
            self.emit($form, 0, Reg::Rax, cond as u8, rel.bits());
        }
    };
    (@method M $n:ident ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, rm: impl Into<Rm>) {
            self.emit_rm($form, 0, rm.into(), 0, 0);
        }
    };
    (@method CcM $n:ident ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, cond: Cond, rm: impl Into<Rm>) {
            self.emit_rm($form, 0, rm.into(), cond as u8, 0);
        }
    };
    (@method MI $n:ident [$imm:ty] ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, rm: impl Into<Rm>, imm: $imm) {
            self.emit_rm($form, 0, rm.into(), 0, imm.bits());
        }
    };
    (@method MR $n:ident ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, rm: impl Into<Rm>, r: Reg) {
            self.emit_rm($form, r as u8, rm.into(), 0, 0);
        }
    };
    (@method MRI $n:ident [$imm:ty] ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, rm: impl Into<Rm>, r: Reg, imm: $imm) {
            self.emit_rm($form, r as u8, rm.into(), 0, imm.bits());
        }
    };
    (@method RM $n:ident ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, r: Reg, rm: impl Into<Rm>) {
            self.emit_rm($form, r as u8, rm.into(), 0, 0);
        }
    };
    (@method CcRM $n:ident ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, cond: Cond, r: Reg, rm: impl Into<Rm>) {
            self.emit_rm($form, r as u8, rm.into(), cond as u8, 0);
        }
    };
    (@method Rm $n:ident ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, r: Reg, m: Mem) {
            self.emit_mem($form, r as u8, m, 0, 0);
        }
    };
    (@method RMI $n:ident [$imm:ty] ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, r: Reg, rm: impl Into<Rm>, imm: $imm) {
            self.emit_rm($form, r as u8, rm.into(), 0, imm.bits());
        }
    };
    (@method RMV $n:ident ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, r: Reg, rm: impl Into<Rm>, v: Reg) {
            self.emit_rm($form, r as u8, rm.into(), v as u8, 0);
        }
    };
    (@method RVM $n:ident ($form:expr) $doc:expr) => {
        #[doc = $doc] #[inline]
        pub fn $n(&mut self, r: Reg, v: Reg, rm: impl Into<Rm>) {
            self.emit_rm($form, r as u8, rm.into(), v as u8, 0);
        }
    };

    (@call ZO $n:ident $a:ident $s:ident) => {{ let _ = $s; $a.$n(); true }};
    (@call O $n:ident $a:ident $s:ident) => {{ $a.$n($s.reg); true }};
    (@call OI $n:ident $a:ident $s:ident [$imm:ty]) => {{ $a.$n($s.reg, $s.imm as $imm); true }};
    (@call I $n:ident $a:ident $s:ident [$imm:ty]) => {{ $a.$n($s.imm as $imm); true }};
    (@call D $n:ident $a:ident $s:ident [$imm:ty]) => {{ $a.$n($s.imm as $imm); true }};
    (@call CcD $n:ident $a:ident $s:ident [$imm:ty]) => {{ $a.$n($s.cond, $s.imm as $imm); true }};
    (@call M $n:ident $a:ident $s:ident) => {{ $a.$n($s.rm); true }};
    (@call CcM $n:ident $a:ident $s:ident) => {{ $a.$n($s.cond, $s.rm); true }};
    (@call MI $n:ident $a:ident $s:ident [$imm:ty]) => {{ $a.$n($s.rm, $s.imm as $imm); true }};
    (@call MR $n:ident $a:ident $s:ident) => {{ $a.$n($s.rm, $s.reg); true }};
    (@call MRI $n:ident $a:ident $s:ident [$imm:ty]) => {{ $a.$n($s.rm, $s.reg, $s.imm as $imm); true }};
    (@call RM $n:ident $a:ident $s:ident) => {{ $a.$n($s.reg, $s.rm); true }};
    (@call CcRM $n:ident $a:ident $s:ident) => {{ $a.$n($s.cond, $s.reg, $s.rm); true }};
    (@call Rm $n:ident $a:ident $s:ident) => {{
        let Rm::Mem(m) = $s.rm else { return false };
        $a.$n($s.reg, m);
        true
    }};
    (@call RMI $n:ident $a:ident $s:ident [$imm:ty]) => {{ $a.$n($s.reg, $s.rm, $s.imm as $imm); true }};
    (@call RMV $n:ident $a:ident $s:ident) => {{ $a.$n($s.reg, $s.rm, $s.vvvv); true }};
    (@call RVM $n:ident $a:ident $s:ident) => {{ $a.$n($s.reg, $s.vvvv, $s.rm); true }};
}

#[rustfmt::skip]
table! {
    add32:        RM       "03 /r"                        "add r32, r/m32";
    add32_mr:     MR       "01 /r"                        "add r/m32, r32";
    add32_mi8:    MI[i8]   "83 /0 ib"                     "add r/m32, simm8";
    add32_ai32:   I[i32]   "05 id"                        "add eax, simm32";
    add32_mi32:   MI[i32]  "81 /0 id"                     "add r/m32, simm32";
    add64:        RM       "REX.W + 03 /r"                "add r64, r/m64";
    add64_mr:     MR       "REX.W + 01 /r"                "add r/m64, r64";
    add64_mi8:    MI[i8]   "REX.W + 83 /0 ib"             "add r/m64, simm8";
    add64_ai32:   I[i32]   "REX.W + 05 id"                "add rax, simm32";
    add64_mi32:   MI[i32]  "REX.W + 81 /0 id"             "add r/m64, simm32";

    or32:         RM       "0B /r"                        "or r32, r/m32";
    or32_mr:      MR       "09 /r"                        "or r/m32, r32";
    or32_mi8:     MI[i8]   "83 /1 ib"                     "or r/m32, simm8";
    or32_ai32:    I[i32]   "0D id"                        "or eax, simm32";
    or32_mi32:    MI[i32]  "81 /1 id"                     "or r/m32, simm32";
    or64:         RM       "REX.W + 0B /r"                "or r64, r/m64";
    or64_mr:      MR       "REX.W + 09 /r"                "or r/m64, r64";
    or64_mi8:     MI[i8]   "REX.W + 83 /1 ib"             "or r/m64, simm8";
    or64_ai32:    I[i32]   "REX.W + 0D id"                "or rax, simm32";
    or64_mi32:    MI[i32]  "REX.W + 81 /1 id"             "or r/m64, simm32";

    adc32:        RM       "13 /r"                        "adc r32, r/m32";
    adc32_mr:     MR       "11 /r"                        "adc r/m32, r32";
    adc32_mi8:    MI[i8]   "83 /2 ib"                     "adc r/m32, simm8";
    adc32_ai32:   I[i32]   "15 id"                        "adc eax, simm32";
    adc32_mi32:   MI[i32]  "81 /2 id"                     "adc r/m32, simm32";
    adc64:        RM       "REX.W + 13 /r"                "adc r64, r/m64";
    adc64_mr:     MR       "REX.W + 11 /r"                "adc r/m64, r64";
    adc64_mi8:    MI[i8]   "REX.W + 83 /2 ib"             "adc r/m64, simm8";
    adc64_ai32:   I[i32]   "REX.W + 15 id"                "adc rax, simm32";
    adc64_mi32:   MI[i32]  "REX.W + 81 /2 id"             "adc r/m64, simm32";

    sbb32:        RM       "1B /r"                        "sbb r32, r/m32";
    sbb32_mr:     MR       "19 /r"                        "sbb r/m32, r32";
    sbb32_mi8:    MI[i8]   "83 /3 ib"                     "sbb r/m32, simm8";
    sbb32_ai32:   I[i32]   "1D id"                        "sbb eax, simm32";
    sbb32_mi32:   MI[i32]  "81 /3 id"                     "sbb r/m32, simm32";
    sbb64:        RM       "REX.W + 1B /r"                "sbb r64, r/m64";
    sbb64_mr:     MR       "REX.W + 19 /r"                "sbb r/m64, r64";
    sbb64_mi8:    MI[i8]   "REX.W + 83 /3 ib"             "sbb r/m64, simm8";
    sbb64_ai32:   I[i32]   "REX.W + 1D id"                "sbb rax, simm32";
    sbb64_mi32:   MI[i32]  "REX.W + 81 /3 id"             "sbb r/m64, simm32";

    and32:        RM       "23 /r"                        "and r32, r/m32";
    and32_mr:     MR       "21 /r"                        "and r/m32, r32";
    and32_mi8:    MI[i8]   "83 /4 ib"                     "and r/m32, simm8";
    and32_ai32:   I[i32]   "25 id"                        "and eax, simm32";
    and32_mi32:   MI[i32]  "81 /4 id"                     "and r/m32, simm32";
    and64:        RM       "REX.W + 23 /r"                "and r64, r/m64";
    and64_mr:     MR       "REX.W + 21 /r"                "and r/m64, r64";
    and64_mi8:    MI[i8]   "REX.W + 83 /4 ib"             "and r/m64, simm8";
    and64_ai32:   I[i32]   "REX.W + 25 id"                "and rax, simm32";
    and64_mi32:   MI[i32]  "REX.W + 81 /4 id"             "and r/m64, simm32";

    sub32:        RM       "2B /r"                        "sub r32, r/m32";
    sub32_mr:     MR       "29 /r"                        "sub r/m32, r32";
    sub32_mi8:    MI[i8]   "83 /5 ib"                     "sub r/m32, simm8";
    sub32_ai32:   I[i32]   "2D id"                        "sub eax, simm32";
    sub32_mi32:   MI[i32]  "81 /5 id"                     "sub r/m32, simm32";
    sub64:        RM       "REX.W + 2B /r"                "sub r64, r/m64";
    sub64_mr:     MR       "REX.W + 29 /r"                "sub r/m64, r64";
    sub64_mi8:    MI[i8]   "REX.W + 83 /5 ib"             "sub r/m64, simm8";
    sub64_ai32:   I[i32]   "REX.W + 2D id"                "sub rax, simm32";
    sub64_mi32:   MI[i32]  "REX.W + 81 /5 id"             "sub r/m64, simm32";

    xor32:        RM       "33 /r"                        "xor r32, r/m32";
    xor32_mr:     MR       "31 /r"                        "xor r/m32, r32";
    xor32_mi8:    MI[i8]   "83 /6 ib"                     "xor r/m32, simm8";
    xor32_ai32:   I[i32]   "35 id"                        "xor eax, simm32";
    xor32_mi32:   MI[i32]  "81 /6 id"                     "xor r/m32, simm32";
    xor64:        RM       "REX.W + 33 /r"                "xor r64, r/m64";
    xor64_mr:     MR       "REX.W + 31 /r"                "xor r/m64, r64";
    xor64_mi8:    MI[i8]   "REX.W + 83 /6 ib"             "xor r/m64, simm8";
    xor64_ai32:   I[i32]   "REX.W + 35 id"                "xor rax, simm32";
    xor64_mi32:   MI[i32]  "REX.W + 81 /6 id"             "xor r/m64, simm32";

    cmp32:        RM       "3B /r"                        "cmp r32, r/m32";
    cmp32_mr:     MR       "39 /r"                        "cmp r/m32, r32";
    cmp32_mi8:    MI[i8]   "83 /7 ib"                     "cmp r/m32, simm8";
    cmp32_ai32:   I[i32]   "3D id"                        "cmp eax, simm32";
    cmp32_mi32:   MI[i32]  "81 /7 id"                     "cmp r/m32, simm32";
    cmp64:        RM       "REX.W + 3B /r"                "cmp r64, r/m64";
    cmp64_mr:     MR       "REX.W + 39 /r"                "cmp r/m64, r64";
    cmp64_mi8:    MI[i8]   "REX.W + 83 /7 ib"             "cmp r/m64, simm8";
    cmp64_ai32:   I[i32]   "REX.W + 3D id"                "cmp rax, simm32";
    cmp64_mi32:   MI[i32]  "REX.W + 81 /7 id"             "cmp r/m64, simm32";

    cmp8_mi8:     MI[i8]   "80 /7 ib"                     "cmp r/m8, simm8";
    cmp16_mi8:    MI[i8]   "66 83 /7 ib"                  "cmp r/m16, simm8";
    test8:        MR       "84 /r"                        "test r/m8, r8";
    test8_ai8:    I[u8]    "A8 ib"                        "test al, imm8";
    test8_mi8:    MI[u8]   "F6 /0 ib"                     "test r/m8, imm8";
    test32:       MR       "85 /r"                        "test r/m32, r32";
    test32_ai32:  I[i32]   "A9 id"                        "test eax, simm32";
    test32_mi32:  MI[i32]  "F7 /0 id"                     "test r/m32, simm32";
    test64:       MR       "REX.W + 85 /r"                "test r/m64, r64";
    test64_ai32:  I[i32]   "REX.W + A9 id"                "test rax, simm32";
    test64_mi32:  MI[i32]  "REX.W + F7 /0 id"             "test r/m64, simm32";

    mov32:        RM       "8B /r"                        "mov r32, r/m32";
    mov32_mr:     MR       "89 /r"                        "mov r/m32, r32";
    mov32_oi:     OI[u32]  "B8+rd id"                     "mov r32, imm32";
    mov32_mi32:   MI[i32]  "C7 /0 id"                     "mov r/m32, simm32";
    mov64:        RM       "REX.W + 8B /r"                "mov r64, r/m64";
    mov64_mr:     MR       "REX.W + 89 /r"                "mov r/m64, r64";
    mov64_oi:     OI[u64]  "REX.W + B8+rd io"             "movabs r64, imm64";
    mov64_mi32:   MI[i32]  "REX.W + C7 /0 id"             "mov r/m64, simm32";
    mov8_mr:      MR       "88 /r"                        "mov r/m8, r8";
    mov8_mi8:     MI[u8]   "C6 /0 ib"                     "mov r/m8, imm8";
    mov16_mr:     MR       "66 89 /r"                     "mov r/m16, r16";
    mov16_mi16:   MI[u16]  "66 C7 /0 iw"                  "mov r/m16, imm16";
    movzx8:       RM       "0F B6 /r"                     "movzx r32, r/m8";
    movzx16:      RM       "0F B7 /r"                     "movzx r32, r/m16";
    movsx8:       RM       "0F BE /r"                     "movsx r32, r/m8";
    movsx16:      RM       "0F BF /r"                     "movsx r32, r/m16";
    movsx8_64:    RM       "REX.W + 0F BE /r"             "movsx r64, r/m8";
    movsx16_64:   RM       "REX.W + 0F BF /r"             "movsx r64, r/m16";
    movsxd:       RM       "REX.W + 63 /r"                "movsxd r64, r/m32";
    lea32:        Rm       "8D /r"                        "lea r32, m";
    lea64:        Rm       "REX.W + 8D /r"                "lea r64, m";
    xchg32:       MR       "87 /r"                        "xchg r/m32, r32";
    xchg64:       MR       "REX.W + 87 /r"                "xchg r/m64, r64";
    push:         O        "50+rd"                        "push r64";
    pop:          O        "58+rd"                        "pop r64";

    inc32:        M        "FF /0"                        "inc r/m32";
    inc64:        M        "REX.W + FF /0"                "inc r/m64";
    dec32:        M        "FF /1"                        "dec r/m32";
    dec64:        M        "REX.W + FF /1"                "dec r/m64";
    not32:        M        "F7 /2"                        "not r/m32";
    not64:        M        "REX.W + F7 /2"                "not r/m64";
    neg32:        M        "F7 /3"                        "neg r/m32";
    neg64:        M        "REX.W + F7 /3"                "neg r/m64";
    mul32:        M        "F7 /4"                        "mul r/m32";
    mul64:        M        "REX.W + F7 /4"                "mul r/m64";
    imul32_wide:  M        "F7 /5"                        "imul r/m32";
    imul64_wide:  M        "REX.W + F7 /5"                "imul r/m64";
    div32:        M        "F7 /6"                        "div r/m32";
    div64:        M        "REX.W + F7 /6"                "div r/m64";
    idiv32:       M        "F7 /7"                        "idiv r/m32";
    idiv64:       M        "REX.W + F7 /7"                "idiv r/m64";
    imul32:       RM       "0F AF /r"                     "imul r32, r/m32";
    imul32_rmi8:  RMI[i8]  "6B /r ib"                     "imul r32, r/m32, simm8";
    imul32_rmi32: RMI[i32] "69 /r id"                     "imul r32, r/m32, simm32";
    imul64:       RM       "REX.W + 0F AF /r"             "imul r64, r/m64";
    imul64_rmi8:  RMI[i8]  "REX.W + 6B /r ib"             "imul r64, r/m64, simm8";
    imul64_rmi32: RMI[i32] "REX.W + 69 /r id"             "imul r64, r/m64, simm32";
    cdq:          ZO       "99"                           "cdq";
    cqo:          ZO       "REX.W + 99"                   "cqo";

    rol32_m1:     M        "D1 /0"                        "rol r/m32, 1";
    rol32_mi8:    MI[u8]   "C1 /0 ib"                     "rol r/m32, imm8";
    rol32_cl:     M        "D3 /0"                        "rol r/m32, cl";
    rol64_m1:     M        "REX.W + D1 /0"                "rol r/m64, 1";
    rol64_mi8:    MI[u8]   "REX.W + C1 /0 ib"             "rol r/m64, imm8";
    rol64_cl:     M        "REX.W + D3 /0"                "rol r/m64, cl";
    ror32_m1:     M        "D1 /1"                        "ror r/m32, 1";
    ror32_mi8:    MI[u8]   "C1 /1 ib"                     "ror r/m32, imm8";
    ror32_cl:     M        "D3 /1"                        "ror r/m32, cl";
    ror64_m1:     M        "REX.W + D1 /1"                "ror r/m64, 1";
    ror64_mi8:    MI[u8]   "REX.W + C1 /1 ib"             "ror r/m64, imm8";
    ror64_cl:     M        "REX.W + D3 /1"                "ror r/m64, cl";
    shl32_m1:     M        "D1 /4"                        "shl r/m32, 1";
    shl32_mi8:    MI[u8]   "C1 /4 ib"                     "shl r/m32, imm8";
    shl32_cl:     M        "D3 /4"                        "shl r/m32, cl";
    shl64_m1:     M        "REX.W + D1 /4"                "shl r/m64, 1";
    shl64_mi8:    MI[u8]   "REX.W + C1 /4 ib"             "shl r/m64, imm8";
    shl64_cl:     M        "REX.W + D3 /4"                "shl r/m64, cl";
    shr32_m1:     M        "D1 /5"                        "shr r/m32, 1";
    shr32_mi8:    MI[u8]   "C1 /5 ib"                     "shr r/m32, imm8";
    shr32_cl:     M        "D3 /5"                        "shr r/m32, cl";
    shr64_m1:     M        "REX.W + D1 /5"                "shr r/m64, 1";
    shr64_mi8:    MI[u8]   "REX.W + C1 /5 ib"             "shr r/m64, imm8";
    shr64_cl:     M        "REX.W + D3 /5"                "shr r/m64, cl";
    sar32_m1:     M        "D1 /7"                        "sar r/m32, 1";
    sar32_mi8:    MI[u8]   "C1 /7 ib"                     "sar r/m32, imm8";
    sar32_cl:     M        "D3 /7"                        "sar r/m32, cl";
    sar64_m1:     M        "REX.W + D1 /7"                "sar r/m64, 1";
    sar64_mi8:    MI[u8]   "REX.W + C1 /7 ib"             "sar r/m64, imm8";
    sar64_cl:     M        "REX.W + D3 /7"                "sar r/m64, cl";
    shld32:       MRI[u8]  "0F A4 /r ib"                  "shld r/m32, r32, imm8";
    shrd32:       MRI[u8]  "0F AC /r ib"                  "shrd r/m32, r32, imm8";
    bt32_mi8:     MI[u8]   "0F BA /4 ib"                  "bt r/m32, imm8";
    bts32_mi8:    MI[u8]   "0F BA /5 ib"                  "bts r/m32, imm8";
    shlx32:       RMV      "VEX.LZ.66.0F38.W0 F7 /r"      "shlx r32, r/m32, r32";
    shrx32:       RMV      "VEX.LZ.F2.0F38.W0 F7 /r"      "shrx r32, r/m32, r32";
    sarx32:       RMV      "VEX.LZ.F3.0F38.W0 F7 /r"      "sarx r32, r/m32, r32";
    rorx32:       RMI[u8]  "VEX.LZ.F2.0F3A.W0 F0 /r ib"   "rorx r32, r/m32, imm8";
    andn32:       RVM      "VEX.LZ.0F38.W0 F2 /r"         "andn r32, r32, r/m32";
    mulx32:       RVM      "VEX.LZ.F2.0F38.W0 F6 /r"      "mulx r32, r32, r/m32";
    popcnt32:     RM       "F3 0F B8 /r"                  "popcnt r32, r/m32";
    bswap32:      O        "0F C8+rd"                     "bswap r32";
    shld64:       MRI[u8]  "REX.W + 0F A4 /r ib"          "shld r/m64, r64, imm8";
    shrd64:       MRI[u8]  "REX.W + 0F AC /r ib"          "shrd r/m64, r64, imm8";
    bt64_mi8:     MI[u8]   "REX.W + 0F BA /4 ib"          "bt r/m64, imm8";
    bts64_mi8:    MI[u8]   "REX.W + 0F BA /5 ib"          "bts r/m64, imm8";
    shlx64:       RMV      "VEX.LZ.66.0F38.W1 F7 /r"      "shlx r64, r/m64, r64";
    shrx64:       RMV      "VEX.LZ.F2.0F38.W1 F7 /r"      "shrx r64, r/m64, r64";
    sarx64:       RMV      "VEX.LZ.F3.0F38.W1 F7 /r"      "sarx r64, r/m64, r64";
    rorx64:       RMI[u8]  "VEX.LZ.F2.0F3A.W1 F0 /r ib"   "rorx r64, r/m64, imm8";
    andn64:       RVM      "VEX.LZ.0F38.W1 F2 /r"         "andn r64, r64, r/m64";
    mulx64:       RVM      "VEX.LZ.F2.0F38.W1 F6 /r"      "mulx r64, r64, r/m64";
    popcnt64:     RM       "F3 REX.W + 0F B8 /r"          "popcnt r64, r/m64";
    bswap64:      O        "REX.W + 0F C8+rd"             "bswap r64";

    setcc:        CcM      "0F 90+cc /0"                  "setcc r/m8";
    cmovcc32:     CcRM     "0F 40+cc /r"                  "cmovcc r32, r/m32";
    cmovcc64:     CcRM     "REX.W + 0F 40+cc /r"          "cmovcc r64, r/m64";
    jcc_rel8:     CcD[i8]  "70+cc cb"                     "jcc rel8";
    jcc_rel32:    CcD[i32] "0F 80+cc cd"                  "jcc rel32";
    jmp_rel8:     D[i8]    "EB cb"                        "jmp rel8";
    jmp_rel32:    D[i32]   "E9 cd"                        "jmp rel32";
    jmp_m:        M        "FF /4"                        "jmp r/m64";
    call_rel32:   D[i32]   "E8 cd"                        "call rel32";
    call_m:       M        "FF /2"                        "call r/m64";
    ret:          ZO       "C3"                           "ret";
    int3:         ZO       "CC"                           "int3";
    ud2:          ZO       "0F 0B"                        "ud2";
    nop1:         ZO       "90"                           "nop";
    nop2:         ZO       "66 90"                        "xchg ax, ax";
    nop_m16:      M        "66 0F 1F /0"                  "nop r/m16";
    nop_m32:      M        "0F 1F /0"                     "nop r/m32";

    lzcnt32:      RM       "F3 0F BD /r"                  "lzcnt r32, r/m32";
    tzcnt32:      RM       "F3 0F BC /r"                  "tzcnt r32, r/m32";
    bsr32:        RM       "0F BD /r"                     "bsr r32, r/m32";
    bsf32:        RM       "0F BC /r"                     "bsf r32, r/m32";
    bts32_mr:     MR       "0F AB /r"                     "bts r/m32, r32";
    btr32_mr:     MR       "0F B3 /r"                     "btr r/m32, r32";
    btc32_mr:     MR       "0F BB /r"                     "btc r/m32, r32";
}

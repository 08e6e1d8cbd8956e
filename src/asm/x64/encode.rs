//! The assembler: turns a row and its operands into bytes.
//!
//! Order of the bytes (SDM volume 2, 2.1 and 2.3): gs 65, address size 67, mandatory 66/F2/F3, REX or VEX,
//! opcode, ModRM, SIB, displacement, immediate. An instruction is put together in registers and appended
//! at once; nothing is allocated beyond the growth of the code.

use super::form::{Form, Modrm, Plus, Written};
use super::label::Labels;
use super::operand::{Mem, Reg, Rm};
use crate::asm::Writes;

/// Emits x86-64 code into a growing buffer.
///
/// The methods are made from the table; all offsets are from the start of the buffer.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    /// The code, and behind it what instructions are written over.
    pub(super) code: Vec<u8>,
    /// How much of it is code.
    pub(super) len: usize,
    pub(super) labels: Labels,
    writes: Writes,
}

/// Prefixes, opcode, ModRM and SIB: at most eight bytes, the first in the lowest bits.
///
/// In a register, because a store of single bytes followed by a load of them all would stall.
#[derive(Default)]
struct Head {
    bits: u64,
    len: u32,
}

impl Head {
    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.bits |= u64::from(byte) << (8 * self.len);
        self.len += 1;
    }
}

impl Assembler {
    /// An assembler without code.
    #[must_use]
    pub fn new() -> Assembler {
        Assembler::default()
    }

    /// The code so far. Branches to labels that are not bound are not valid yet.
    #[inline]
    #[must_use]
    pub fn code(&self) -> &[u8] {
        &self.code[..self.len]
    }

    /// What the instructions so far write.
    #[inline]
    #[must_use]
    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Where the next instruction will be, in bytes from the start.
    #[inline]
    #[must_use]
    pub fn offset(&self) -> usize {
        self.len
    }

    /// Forgets code and labels, and keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
        self.labels.clear();
    }

    /// Emits a form whose `r/m`, if any, is a register. `extra` is VEX.vvvv or the condition.
    pub(super) fn emit(&mut self, form: &Form, reg: u8, rm: Reg, extra: u8, imm: u64) {
        let rm = rm as u8;
        let mut out = Head::default();
        let byte_registers = form.byte_reg && reg >= 4 || form.byte_rm && rm >= 4;
        head(&mut out, form, reg, 0, rm, extra, byte_registers);
        out.push(form.opcode + plus(form, rm, extra));
        match form.modrm {
            Modrm::None => {}
            Modrm::Slash => out.push(0xc0 | (reg & 7) << 3 | rm & 7),
            Modrm::Digit(digit) => out.push(0xc0 | digit << 3 | rm & 7),
        }
        self.append(&out, imm, form.imm);
        self.wrote(form.writes, reg, Some(rm), extra);
    }

    /// Emits a form with a memory operand.
    pub(super) fn emit_mem(&mut self, form: &Form, reg: u8, mem: Mem, extra: u8, imm: u64) {
        let mem = mem.shortest();
        let mut out = Head::default();
        if mem.gs {
            out.push(0x65);
        }
        if mem.addr32 {
            out.push(0x67);
        }
        let base = mem.base.map_or(5, Reg::number);
        // An index of 4 means none; the scale then is ignored, and 0 by convention.
        let (index, scale) = mem
            .index
            .map_or((4, 0), |(r, scale)| (r as u8, scale as u8));
        head(
            &mut out,
            form,
            reg,
            index,
            base,
            extra,
            form.byte_reg && reg >= 4,
        );
        out.push(form.opcode + plus(form, 0, extra));

        let (mode, disp_len) = if mem.base.is_none() {
            (0x00, 4)
        } else if mem.disp == 0 && base & 7 != 5 {
            (0x00, 0)
        } else if i8::try_from(mem.disp).is_ok() {
            (0x40, 1)
        } else {
            (0x80, 4)
        };
        let field = match form.modrm {
            Modrm::Digit(digit) => digit,
            Modrm::None | Modrm::Slash => reg & 7,
        };
        if mem.index.is_some() || mem.base.is_none() || base & 7 == 4 {
            out.push(mode | field << 3 | 4);
            out.push(scale << 6 | (index & 7) << 3 | base & 7);
        } else {
            out.push(mode | field << 3 | base & 7);
        }
        let disp = u64::from(mem.disp.cast_unsigned()) & ((1 << (8 * disp_len)) - 1);
        let tail = disp | imm << (8 * disp_len);
        self.append(&out, tail, disp_len + form.imm);
        self.wrote(form.writes, reg, None, extra);
    }

    #[inline]
    pub(super) fn emit_rm(&mut self, form: &Form, reg: u8, rm: Rm, extra: u8, imm: u64) {
        match rm {
            Rm::Reg(rm) => self.emit(form, reg, rm, extra, imm),
            Rm::Mem(mem) => self.emit_mem(form, reg, mem, extra, imm),
        }
    }

    /// Appends head and tail by two copies of fixed length, which need no call.
    #[inline(always)]
    fn append(&mut self, head: &Head, tail: u64, tail_len: u8) {
        if self.len + 2 * size_of::<u64>() > self.code.len() {
            self.grow();
        }
        let middle = self.len + head.len as usize;
        self.code[self.len..self.len + 8].copy_from_slice(&head.bits.to_le_bytes());
        self.code[middle..middle + 8].copy_from_slice(&tail.to_le_bytes());
        self.len = middle + usize::from(tail_len);
    }

    /// Notes what the instruction just appended writes; `rm` is a register's number.
    #[inline(always)]
    fn wrote(&mut self, written: Written, reg: u8, rm: Option<u8>, vvvv: u8) {
        self.writes.instruction();
        if written.reg {
            self.writes.register(reg.into());
        }
        if let (true, Some(rm)) = (written.rm, rm) {
            self.writes.register(rm.into());
        }
        if written.vvvv {
            self.writes.register(vvvv.into());
        }
        let mut implicit = written.implicit;
        while implicit != 0 {
            self.writes.register(implicit.trailing_zeros());
            implicit &= implicit - 1;
        }
        if written.flags {
            self.writes.flags();
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.code.resize((2 * self.code.len()).max(4096), 0);
    }
}

/// What is added to the opcode byte.
#[inline(always)]
fn plus(form: &Form, rm: u8, extra: u8) -> u8 {
    match form.plus {
        Plus::None => 0,
        Plus::Reg => rm & 7,
        Plus::Cond => extra,
    }
}

/// Mandatory prefix, REX or VEX, and the opcode map. `index` and `base` are 0 to 15.
#[inline(always)]
fn head(
    out: &mut Head,
    form: &Form,
    reg: u8,
    index: u8,
    base: u8,
    extra: u8,
    byte_registers: bool,
) {
    let (r, x, b) = (reg >> 3, index >> 3, base >> 3);
    let w = u8::from(form.w);
    if form.vex {
        let pp = match form.prefix {
            0x66 => 1,
            0xf3 => 2,
            0xf2 => 3,
            _ => 0,
        };
        out.push(0xc4);
        out.push((!(r << 7 | x << 6 | b << 5) & 0xe0) | form.map);
        out.push(w << 7 | (!extra & 15) << 3 | pp);
        return;
    }
    if form.prefix != 0 {
        out.push(form.prefix);
    }
    let rex = w << 3 | r << 2 | x << 1 | b;
    if rex != 0 || byte_registers {
        out.push(0x40 | rex);
    }
    if form.map == 1 {
        out.push(0x0f);
    }
}

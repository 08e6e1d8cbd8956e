//! The text of an instruction: GNU objdump's Intel syntax, with one space after the mnemonic.
//!
//! `objdump -D -b binary -m i386:x86-64 -M intel` of binutils 2.40 is the reference;
//! `scripts/check-encodings.sh` compares.

use std::fmt;

use super::decode::decode;
use super::form::{Plus, Width};
use super::insn::{Insn, Value};
use super::operand::{Mem, Reg};

const NAMES: [[&str; 16]; 4] = [
    [
        "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b",
        "r13b", "r14b", "r15b",
    ],
    [
        "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w",
        "r13w", "r14w", "r15w",
    ],
    [
        "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d",
        "r12d", "r13d", "r14d", "r15d",
    ],
    [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15",
    ],
];

const CONDITIONS: [&str; 16] = [
    "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g",
];

/// The instruction at the start of `code`, which is at `address`: its length in bytes and its text.
///
/// What [`decode`] does not know is `(bad)` and one byte long.
#[must_use]
pub fn disassemble(code: &[u8], address: u64) -> (usize, String) {
    let insn = decode(code, address);
    (insn.len(), insn.to_string())
}

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(row) = self.row else {
            return f.write_str("(bad)");
        };
        if row.form.plus == Plus::Cond {
            f.write_str(row.mnemonic.trim_end_matches("cc"))?;
            f.write_str(CONDITIONS[self.cond as usize])?;
        } else {
            f.write_str(row.mnemonic)?;
        }
        let mut before = " ";
        for value in self.values.iter().filter(|value| **value != Value::None) {
            f.write_str(before)?;
            write_value(f, *value)?;
            before = ",";
        }
        Ok(())
    }
}

fn name(reg: Reg, width: Width) -> &'static str {
    NAMES[width as usize][reg as usize]
}

fn write_value(f: &mut fmt::Formatter<'_>, value: Value) -> fmt::Result {
    match value {
        Value::None => Ok(()),
        Value::Reg(reg, width) => f.write_str(name(reg, width)),
        Value::Imm(imm) | Value::Target(imm) => write!(f, "{imm:#x}"),
        Value::Fixed(text) => f.write_str(text),
        Value::Mem {
            mem,
            width,
            has_disp,
        } => {
            f.write_str(match width {
                None => "",
                Some(Width::W8) => "BYTE PTR ",
                Some(Width::W16) => "WORD PTR ",
                Some(Width::W32) => "DWORD PTR ",
                Some(Width::W64) => "QWORD PTR ",
            })?;
            write_mem(f, mem, has_disp)
        }
    }
}

fn write_mem(f: &mut fmt::Formatter<'_>, mem: Mem, has_disp: bool) -> fmt::Result {
    let width = if mem.addr32 { Width::W32 } else { Width::W64 };
    if mem.gs {
        f.write_str("gs:")?;
    }
    if mem.base.is_none() && mem.index.is_none() {
        // objdump shows the absent index of a 32-bit address, and no absent one of a 64-bit address.
        return if mem.addr32 {
            write!(f, "[eiz*1+{:#x}]", mem.disp)
        } else {
            let segment = if mem.gs { "" } else { "ds:" };
            write!(f, "{segment}{:#x}", i64::from(mem.disp))
        };
    }
    f.write_str("[")?;
    if let Some(base) = mem.base {
        f.write_str(name(base, width))?;
    }
    if let Some((index, scale)) = mem.index {
        let plus = if mem.base.is_some() { "+" } else { "" };
        write!(f, "{plus}{}*{}", name(index, width), 1 << scale as u8)?;
    }
    if has_disp {
        let sign = if mem.disp < 0 { '-' } else { '+' };
        write!(f, "{sign}{:#x}", mem.disp.unsigned_abs())?;
    }
    f.write_str("]")
}

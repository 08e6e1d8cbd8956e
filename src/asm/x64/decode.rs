//! The decoder: finds the row that bytes came from, and its operands.
//!
//! It knows exactly what the assembler can emit. Anything else (other instructions, rip-relative addresses,
//! ah to bh, prefixes that do nothing) is unknown, so that a test that scans emitted code sees it.

use super::form::{Form, Modrm, Operand, Plus, Width};
use super::insn::{Insn, Value};
use super::operand::{Cond, Mem, Reg, Scale};
use super::table::ROWS;

/// Decodes the instruction at the start of `code`, which is at `address`.
///
/// What is not in the table, or cut off, is unknown and one byte long.
#[must_use]
pub fn decode(code: &[u8], address: u64) -> Insn {
    decode_known(code, address).unwrap_or(Insn {
        len: 1,
        row: None,
        cond: Cond::O,
        values: [Value::None; 3],
    })
}

/// The bytes before ModRM.
#[derive(Default)]
struct Head {
    gs: bool,
    addr32: bool,
    prefix: u8,
    vex: bool,
    /// W, R, X, B as in REX, and 40 if there is a REX prefix.
    rex: u8,
    vvvv: u8,
    map: u8,
    opcode: u8,
}

const W: u8 = 8;
const R: u8 = 4;
const X: u8 = 2;
const B: u8 = 1;

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn next_if(&mut self, want: impl Fn(u8) -> bool) -> Option<u8> {
        let &first = self.0.first()?;
        if want(first) { self.byte() } else { None }
    }

    /// A little-endian integer of `len` bytes, sign-extended.
    fn signed(&mut self, len: u8) -> Option<i64> {
        if len == 0 {
            return Some(0);
        }
        let (field, rest) = self.0.split_at_checked(usize::from(len))?;
        self.0 = rest;
        let value = field.iter().rev().fold(0, |v, &b| v << 8 | u64::from(b));
        let unused = 64 - 8 * u32::from(len);
        Some((value << unused).cast_signed() >> unused)
    }
}

fn head(reader: &mut Reader<'_>) -> Option<Head> {
    let mut head = Head {
        gs: reader.next_if(|b| b == 0x65).is_some(),
        addr32: reader.next_if(|b| b == 0x67).is_some(),
        ..Head::default()
    };
    if reader.next_if(|b| b == 0xc4).is_some() {
        let (one, two) = (reader.byte()?, reader.byte()?);
        if two & 4 != 0 {
            return None;
        }
        head.vex = true;
        head.rex = !one >> 5 | two >> 7 << 3;
        head.map = one & 31;
        head.vvvv = !two >> 3 & 15;
        head.prefix = [0, 0x66, 0xf3, 0xf2][usize::from(two & 3)];
    } else {
        head.prefix = reader
            .next_if(|b| matches!(b, 0x66 | 0xf2 | 0xf3))
            .unwrap_or(0);
        head.rex = reader.next_if(|b| b & 0xf0 == 0x40).unwrap_or(0);
        head.map = reader.next_if(|b| b == 0x0f).map_or(0, |_| 1);
    }
    head.opcode = reader.byte()?;
    Some(head)
}

/// Whether the row has these prefixes, opcode and ModRM byte.
fn matches(form: &Form, head: &Head, modrm: Option<u8>) -> bool {
    let opcode = match form.plus {
        Plus::None => head.opcode,
        Plus::Reg => head.opcode & 0xf8,
        Plus::Cond => head.opcode & 0xf0,
    };
    form.opcode == opcode
        && (form.prefix, form.vex, form.map) == (head.prefix, head.vex, head.map)
        && form.w == (head.rex & W != 0)
        && match (form.modrm, modrm) {
            (Modrm::None, _) => true,
            (Modrm::Slash, modrm) => modrm.is_some(),
            (Modrm::Digit(digit), modrm) => modrm.is_some_and(|modrm| modrm >> 3 & 7 == digit),
        }
}

fn decode_known(code: &[u8], address: u64) -> Option<Insn> {
    let mut reader = Reader(code);
    let head = head(&mut reader)?;
    let next = reader.0.first().copied();
    let row = ROWS.iter().find(|row| matches(&row.form, &head, next))?;
    let form = &row.form;

    // The prefix bits that mean something: an instruction with others is not one of ours.
    let mut used = W;
    let (mut reg, mut rm, mut memory) = (0, 0, None);
    if form.modrm != Modrm::None {
        let modrm = reader.byte()?;
        if form.modrm == Modrm::Slash {
            used |= R;
        }
        reg = (head.rex & R) << 1 | modrm >> 3 & 7;
        if modrm >> 6 == 3 {
            rm = (head.rex & B) << 3 | modrm & 7;
            used |= B;
        } else {
            let (mem, has_disp, used_here) = decode_memory(&mut reader, &head, modrm)?;
            memory = Some((mem, has_disp));
            used |= used_here;
        }
    } else if form.plus == Plus::Reg {
        rm = (head.rex & B) << 3 | head.opcode & 7;
        used |= B;
    }
    let byte_register = |number| (4..8).contains(&number);
    let needs_rex = form.byte_reg && byte_register(reg)
        || form.byte_rm && memory.is_none() && byte_register(rm);
    if head.rex & 15 & !used != 0
        || memory.is_none() && (head.gs || head.addr32)
        || needs_rex && head.rex == 0
        || !needs_rex && head.rex == 0x40
    {
        return None;
    }

    let imm = reader.signed(form.imm)?;
    let len = code.len() - reader.0.len();
    let first_width = match row.operands[0] {
        Operand::Reg(width) | Operand::Rm(width) | Operand::Plus(width) => width,
        Operand::Fixed("al") => Width::W8,
        Operand::Fixed("eax") => Width::W32,
        Operand::Fixed(_)
        | Operand::None
        | Operand::Mem
        | Operand::Vvvv(_)
        | Operand::Imm { .. }
        | Operand::Rel => Width::W64,
    };
    let low = |bits: u32| imm.cast_unsigned() & (u64::MAX >> (64 - bits));
    let mut values = [Value::None; 3];
    for (value, operand) in values.iter_mut().zip(row.operands) {
        *value = match (operand, memory) {
            (Operand::None, _) => Value::None,
            (Operand::Reg(width), _) => Value::Reg(Reg::from_low4(reg), width),
            (Operand::Rm(width), Some((mem, has_disp))) => Value::Mem {
                mem,
                width: Some(width),
                has_disp,
            },
            (Operand::Mem, Some((mem, has_disp))) => Value::Mem {
                mem,
                width: None,
                has_disp,
            },
            (Operand::Mem, None) => return None,
            (Operand::Rm(width) | Operand::Plus(width), _) => Value::Reg(Reg::from_low4(rm), width),
            (Operand::Vvvv(width), _) => Value::Reg(Reg::from_low4(head.vvvv), width),
            (Operand::Imm { signed: true }, _) => Value::Imm(low(first_width.bits())),
            (Operand::Imm { signed: false }, _) => Value::Imm(low(8 * u32::from(form.imm))),
            (Operand::Rel, _) => {
                let end = address.wrapping_add(len as u64);
                Value::Target(end.wrapping_add_signed(imm))
            }
            (Operand::Fixed(name), _) => Value::Fixed(name),
        };
    }
    // Without an operand in it, VEX.vvvv must be 1111.
    if head.vex && head.vvvv != 0 && !row.operands.iter().any(|o| matches!(o, Operand::Vvvv(_))) {
        return None;
    }
    Some(Insn {
        len,
        row: Some(row),
        cond: Cond::ALL[usize::from(head.opcode & 15)],
        values,
    })
}

/// The memory operand of a ModRM byte that has one, whether it has a displacement, the prefix bits it uses.
fn decode_memory(reader: &mut Reader<'_>, head: &Head, modrm: u8) -> Option<(Mem, bool, u8)> {
    let (mode, mut base, mut index, mut used) = (modrm >> 6, modrm & 7, None, B);
    if base == 4 {
        let sib = reader.byte()?;
        base = sib & 7;
        used |= X;
        let number = (head.rex & X) << 2 | sib >> 3 & 7;
        if number != 4 {
            let scale = Scale::ALL[usize::from(sib >> 6)];
            index = Some((Reg::from_low4(number), scale));
        } else if sib >> 6 != 0 || base != 4 && (base != 5 || mode != 0) {
            // A SIB byte that nothing needs.
            return None;
        }
        if base == 5 && mode == 0 {
            let disp = i32::try_from(reader.signed(4)?).ok()?;
            let mem = Mem {
                index,
                addr32: head.addr32,
                gs: head.gs,
                ..Mem::absolute(disp)
            };
            return Some((mem, true, X));
        }
    } else if base == 5 && mode == 0 {
        return None;
    }
    let disp = reader.signed([0, 1, 4][usize::from(mode)])?;
    let mem = Mem {
        base: Some(Reg::from_low4((head.rex & B) << 3 | base)),
        index,
        disp: i32::try_from(disp).ok()?,
        addr32: head.addr32,
        gs: head.gs,
    };
    Some((mem, mode != 0, used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_assembler_does_not_emit_is_unknown() {
        for (code, why) in [
            (&b""[..], "nothing"),
            (b"\x03", "cut off before ModRM"),
            (b"\x81\xc1\x00\x00\x00", "cut off in the immediate"),
            (b"\x8b\x05\x00\x00\x00\x00", "rip-relative"),
            (b"\x88\xe0", "ah"),
            (b"\x40\x03\xc1", "REX without effect"),
            (b"\x42\x03\xc1", "REX.X without an index"),
            (b"\x67\x03\xc1", "address size without an address"),
            (b"\x65\xc3", "segment without an address"),
            (b"\x8b\x44\x20\x00", "SIB without need"),
            (b"\x8d\xc1", "lea of a register"),
            (b"\xc4\xe3\x73\xf0\xc1\x05", "rorx with VEX.vvvv"),
            (b"\xf0\x01\x08", "lock"),
            (b"\x06", "no instruction"),
        ] {
            let insn = decode(code, 0);
            assert!(!insn.is_known(), "{why}");
            assert_eq!(
                (insn.len(), insn.to_string().as_str()),
                (1, "(bad)"),
                "{why}"
            );
        }
    }
}

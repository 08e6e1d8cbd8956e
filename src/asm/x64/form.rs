//! Reads a table row, at compile time, from the notation of the SDM volume 2 (section 3.1.1).
//!
//! A row is three strings: the operand encoding ("MI"), the opcode ("REX.W + 83 /0 ib") and the instruction
//! ("add r/m64, simm8"). Departures from the SDM: prefixes are in the order 66/F3 then REX.W; `+cc` in an
//! opcode is a condition's number, as `cc` at the end of a mnemonic is its name; `simm8` is an immediate
//! that is sign-extended to the width of the first operand, `imm8` one that is not extended.

use super::operand::Reg;

/// The width of a register or memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Width {
    W8,
    W16,
    W32,
    W64,
}

impl Width {
    pub(super) const fn bits(self) -> u32 {
        8 << self as u8
    }
}

/// One operand of the text, and where its encoding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    None,
    /// ModRM.reg.
    Reg(Width),
    /// ModRM.rm, register or memory.
    Rm(Width),
    /// ModRM.rm, memory of no particular width.
    Mem,
    /// VEX.vvvv.
    Vvvv(Width),
    /// Low bits of the opcode.
    Plus(Width),
    /// Trailing immediate.
    Imm {
        signed: bool,
    },
    /// Trailing displacement from the instruction's end.
    Rel,
    /// Always this register, or the 1 of the shifts by one: takes no bits.
    Fixed(&'static str),
}

/// What follows the opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modrm {
    None,
    /// `/r`: both fields are operands.
    Slash,
    /// `/0` to `/7`: the reg field is part of the opcode.
    Digit(u8),
}

/// What is added to the opcode byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plus {
    None,
    Reg,
    Cond,
}

/// The bytes of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// Mandatory or operand-size prefix (66, F2, F3), or 0.
    pub(super) prefix: u8,
    /// VEX instead of legacy prefixes.
    pub(super) vex: bool,
    /// REX.W or VEX.W.
    pub(super) w: bool,
    /// Opcode map: 0 one byte, 1 0F, 2 0F38, 3 0F3A.
    pub(super) map: u8,
    pub(super) opcode: u8,
    pub(super) plus: Plus,
    pub(super) modrm: Modrm,
    /// Length of the trailing immediate or displacement in bytes.
    pub(super) imm: u8,
    /// ModRM.reg or ModRM.rm names a byte register: numbers 4 to 7 need a REX prefix.
    pub(super) byte_reg: bool,
    pub(super) byte_rm: bool,
    pub(super) writes: Written,
}

/// What an instruction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The register of ModRM.reg.
    pub(super) reg: bool,
    /// That of ModRM.rm, if it is one, or of the opcode.
    pub(super) rm: bool,
    /// VEX.vvvv.
    pub(super) vvvv: bool,
    /// Others, by their bits.
    pub(super) implicit: u16,
    /// Any of CF, ZF, SF and OF, or leaves them undefined.
    pub(super) flags: bool,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// With `cc` at its end if the row has a condition.
    pub(super) mnemonic: &'static str,
    pub(super) form: Form,
    pub(super) operands: [Operand; 3],
}

impl Row {
    /// Reads a row. A row with an error does not compile.
    pub(super) const fn new(
        encoding: &'static str,
        opcode: &'static str,
        instruction: &'static str,
    ) -> Row {
        let (mnemonic, mut rest) = split(instruction, b' ');
        let mut row = Row {
            mnemonic,
            form: Form::new(opcode),
            operands: [Operand::None; 3],
        };
        let (slots, mut slot, mut n) = (encoding.as_bytes(), 0, 0);
        while !rest.is_empty() {
            let (text, after) = split(rest, b',');
            rest = after;
            row.operands[n] = if let Some(fixed) = fixed(text) {
                fixed
            } else {
                slot += 1;
                operand(slots[slot - 1], text)
            };
            if let Operand::Reg(Width::W8) = row.operands[n] {
                row.form.byte_reg = true;
            }
            if let Operand::Rm(Width::W8) = row.operands[n] {
                row.form.byte_rm = true;
            }
            n += 1;
        }
        row.form.writes = written(&row);
        assert!(
            eq(encoding, "ZO") || slot == slots.len(),
            "operands and encoding differ in number"
        );
        row
    }
}

/// Whether each operand of an instruction is (read, written).
pub(super) const fn accesses(mnemonic: &str, operands: &[Operand; 3]) -> [(bool, bool); 3] {
    const READ: (bool, bool) = (true, false);
    const WRITE: (bool, bool) = (false, true);
    const BOTH: (bool, bool) = (true, true);
    match mnemonic.as_bytes() {
        b"cmp" | b"test" | b"bt" | b"push" | b"call" | b"jmp" | b"mul" | b"div" | b"idiv" => {
            [READ; 3]
        }
        b"nop" => [(false, false); 3],
        b"imul" if matches!(operands[1], Operand::None) => [READ; 3],
        b"imul" if !matches!(operands[2], Operand::None) => [WRITE, READ, READ],
        b"mov" | b"movabs" | b"movzx" | b"movsx" | b"movsxd" | b"lea" | b"pop" | b"setcc"
        | b"shlx" | b"shrx" | b"sarx" | b"rorx" | b"andn" | b"popcnt" | b"lzcnt" | b"tzcnt" => {
            [WRITE, READ, READ]
        }
        b"mulx" => [WRITE, WRITE, READ],
        b"xchg" => [BOTH, BOTH, READ],
        _ => [BOTH, READ, READ],
    }
}

/// The registers that an instruction (reads, writes) without naming them, by their bits.
pub(super) const fn implicit(mnemonic: &str, operands: &[Operand; 3]) -> (u16, u16) {
    let (a, d, sp) = (Reg::Rax.bit(), Reg::Rdx.bit(), Reg::Rsp.bit());
    match mnemonic.as_bytes() {
        b"mul" => (a, a | d),
        b"imul" if matches!(operands[1], Operand::None) => (a, a | d),
        b"div" | b"idiv" => (a | d, a | d),
        b"cdq" | b"cqo" => (a, d),
        b"mulx" => (d, 0),
        b"push" | b"pop" | b"call" | b"ret" => (sp, sp),
        _ => (0, 0),
    }
}

const fn written(row: &Row) -> Written {
    let accesses = accesses(row.mnemonic, &row.operands);
    let mut written = row.form.writes;
    (_, written.implicit) = implicit(row.mnemonic, &row.operands);
    let mut n = 0;
    while n < 3 {
        if accesses[n].1 {
            match row.operands[n] {
                Operand::Reg(_) => written.reg = true,
                Operand::Rm(_) | Operand::Plus(_) => written.rm = true,
                Operand::Vvvv(_) => written.vvvv = true,
                Operand::Fixed(name) if matches!(name.as_bytes(), b"1" | b"cl") => {}
                Operand::Fixed(_) => written.implicit |= Reg::Rax.bit(),
                Operand::None | Operand::Mem | Operand::Imm { .. } | Operand::Rel => {}
            }
        }
        n += 1;
    }
    written.flags = !matches!(
        row.mnemonic.as_bytes(),
        b"mov"
            | b"movabs"
            | b"movzx"
            | b"movsx"
            | b"movsxd"
            | b"lea"
            | b"xchg"
            | b"push"
            | b"pop"
            | b"not"
            | b"cdq"
            | b"cqo"
            | b"shlx"
            | b"shrx"
            | b"sarx"
            | b"rorx"
            | b"mulx"
            | b"bswap"
            | b"setcc"
            | b"cmovcc"
            | b"jcc"
            | b"jmp"
            | b"nop"
    );
    written
}

/// An operand that takes no bits.
const fn fixed(text: &'static str) -> Option<Operand> {
    match text.as_bytes() {
        b"al" | b"cl" | b"ax" | b"eax" | b"rax" | b"1" => Some(Operand::Fixed(text)),
        _ => None,
    }
}

/// An operand from its letter in the operand encoding and its text.
const fn operand(slot: u8, text: &str) -> Operand {
    match (slot, text.as_bytes()) {
        (b'M', b"m") => Operand::Mem,
        (b'M', b"r/m8") => Operand::Rm(Width::W8),
        (b'M', b"r/m16") => Operand::Rm(Width::W16),
        (b'M', b"r/m32") => Operand::Rm(Width::W32),
        (b'M', b"r/m64") => Operand::Rm(Width::W64),
        (b'I', b"simm8" | b"simm32") => Operand::Imm { signed: true },
        (b'I', b"imm8" | b"imm16" | b"imm32" | b"imm64") => Operand::Imm { signed: false },
        (b'D', b"rel8" | b"rel32") => Operand::Rel,
        (b'R', r) => Operand::Reg(width(r)),
        (b'V', r) => Operand::Vvvv(width(r)),
        (b'O', r) => Operand::Plus(width(r)),
        _ => panic!("operand does not fit its encoding"),
    }
}

const fn width(register: &[u8]) -> Width {
    match register {
        b"r8" => Width::W8,
        b"r16" => Width::W16,
        b"r32" => Width::W32,
        b"r64" => Width::W64,
        _ => panic!("unknown operand"),
    }
}

impl Form {
    const fn new(opcode: &'static str) -> Form {
        let mut form = Form {
            prefix: 0,
            vex: false,
            w: false,
            map: 0,
            opcode: 0,
            plus: Plus::None,
            modrm: Modrm::None,
            imm: 0,
            byte_reg: false,
            byte_rm: false,
            writes: Written {
                reg: false,
                rm: false,
                vvvv: false,
                implicit: 0,
                flags: false,
            },
        };
        let (mut rest, mut opcode_seen) = (opcode, false);
        while !rest.is_empty() {
            let (word, after) = split(rest, b' ');
            rest = after;
            match word.as_bytes() {
                b"REX.W" => form.w = true,
                b"+" => {}
                b"/r" => form.modrm = Modrm::Slash,
                [b'/', digit @ b'0'..=b'7'] => form.modrm = Modrm::Digit(*digit - b'0'),
                b"ib" | b"cb" => form.imm = 1,
                b"iw" => form.imm = 2,
                b"id" | b"cd" => form.imm = 4,
                b"io" => form.imm = 8,
                [b'V', b'E', b'X', b'.', ..] => form = form.with_vex(word),
                [high, low] => {
                    let byte = hex(*high) << 4 | hex(*low);
                    match byte {
                        0x66 | 0xf2 | 0xf3 if form.map == 0 && !form.vex && !opcode_seen => {
                            form.prefix = byte;
                        }
                        0x0f if form.map == 0 => form.map = 1,
                        _ => {
                            assert!(!opcode_seen, "two opcode bytes");
                            form.opcode = byte;
                            opcode_seen = true;
                        }
                    }
                }
                [high, low, b'+', plus @ ..] => {
                    form.opcode = hex(*high) << 4 | hex(*low);
                    form.plus = match plus {
                        b"rd" => Plus::Reg,
                        b"cc" => Plus::Cond,
                        _ => panic!("unknown addition to an opcode"),
                    };
                    opcode_seen = true;
                }
                _ => panic!("unknown notation"),
            }
        }
        assert!(opcode_seen, "no opcode");
        form
    }

    /// Reads "VEX.LZ.66.0F38.W0".
    const fn with_vex(mut self, word: &'static str) -> Form {
        self.vex = true;
        let mut rest = word;
        while !rest.is_empty() {
            let (part, after) = split(rest, b'.');
            rest = after;
            match part.as_bytes() {
                b"VEX" | b"LZ" | b"W0" => {}
                b"W1" => self.w = true,
                b"66" => self.prefix = 0x66,
                b"F2" => self.prefix = 0xf2,
                b"F3" => self.prefix = 0xf3,
                b"0F38" => self.map = 2,
                b"0F3A" => self.map = 3,
                _ => panic!("unknown part of a VEX prefix"),
            }
        }
        self
    }
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'A'..=b'F' => digit - b'A' + 10,
        _ => panic!("not a hexadecimal digit"),
    }
}

/// What is before the first `at`, and what is after it and any spaces.
const fn split(text: &'static str, at: u8) -> (&'static str, &'static str) {
    let (bytes, mut i) = (text.as_bytes(), 0);
    while i < bytes.len() && bytes[i] != at {
        i += 1;
    }
    let (first, mut rest) = text.split_at(i);
    while let [b, ..] = rest.as_bytes()
        && (*b == at || *b == b' ')
    {
        rest = rest.split_at(1).1;
    }
    (first, rest)
}

const fn eq(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_notation() {
        let row = Row::new("MI", "REX.W + 83 /5 ib", "sub r/m64, simm8");
        assert_eq!(row.mnemonic, "sub");
        assert_eq!(
            row.operands,
            [
                Operand::Rm(Width::W64),
                Operand::Imm { signed: true },
                Operand::None
            ]
        );
        let form = row.form;
        assert!(form.w && !form.vex);
        assert_eq!(
            (form.opcode, form.modrm, form.imm),
            (0x83, Modrm::Digit(5), 1)
        );

        let form = Row::new("RMV", "VEX.LZ.F2.0F38.W0 F7 /r", "shrx r32, r/m32, r32").form;
        assert!(form.vex && !form.w);
        assert_eq!((form.prefix, form.map, form.opcode), (0xf2, 2, 0xf7));

        let form = Row::new("MI", "66 C7 /0 iw", "mov r/m16, imm16").form;
        assert_eq!(
            (form.prefix, form.map, form.opcode, form.imm),
            (0x66, 0, 0xc7, 2)
        );

        let row = Row::new("M", "D3 /4", "shl r/m32, cl");
        assert_eq!(row.operands[1], Operand::Fixed("cl"));
    }

    #[test]
    #[should_panic(expected = "operands and encoding differ in number")]
    fn refuses_a_row_that_forgets_an_operand() {
        Row::new("RMI", "6B /r ib", "imul r32, r/m32");
    }

    #[test]
    #[should_panic(expected = "operand does not fit its encoding")]
    fn refuses_an_operand_in_the_wrong_place() {
        Row::new("IM", "83 /0 ib", "add r/m32, simm8");
    }
}

//! Names for instructions that cannot be executed: which one it is, and of which extension.
//!
//! Only names: what [`decode`](super::decode) knows is executed, whatever stands here. Opcodes are those of the
//! Unprivileged specification's chapter "RV32/64G Instruction Set Listings" and of the extensions' own chapters.

use std::borrow::Cow;
use std::fmt;

/// An instruction that is not executed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its name in assembly.
    pub name: Cow<'static, str>,
    /// What it belongs to, as a phrase: `A extension`.
    pub extension: &'static str,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name, self.extension)
    }
}

const C: &str = "C extension";
const C_F: &str = "C and F extensions";
const C_D: &str = "C and D extensions";
const F: &str = "F extension";
const D: &str = "D extension";
const Q: &str = "Q extension";
const ZFH: &str = "Zfh extension";
const V: &str = "V extension";
const RV64: &str = "64-bit";
const ZBKX: &str = "Zbkx extension";
const ZKN: &str = "Zkn extension";
const ZICBO: &str = "cache-block extensions";
const M_MODE: &str = "privileged";
const S_MODE: &str = "supervisor mode";
const CUSTOM: &str = "custom opcode";

/// Mask, bits, name, extension; the first that fits.
type Row = (u32, u32, &'static str, &'static str);

const ROWS: [Row; 45] = [
    (0xf800_707f, 0x2800_202f, "amocas.w", "Zacas extension"),
    (0x0000_707f, 0x0000_302f, "a 64-bit atomic", RV64),
    (0x0000_707f, 0x0000_002f, "a byte atomic", "Zabha extension"),
    (
        0x0000_707f,
        0x0000_102f,
        "a half-word atomic",
        "Zabha extension",
    ),
    (0x0000_707f, 0x0000_1007, "flh", ZFH),
    (0x0000_707f, 0x0000_2007, "flw", F),
    (0x0000_707f, 0x0000_3007, "fld", D),
    (0x0000_707f, 0x0000_4007, "flq", Q),
    (0x0000_007f, 0x0000_0007, "a vector load", V),
    (0x0000_707f, 0x0000_1027, "fsh", ZFH),
    (0x0000_707f, 0x0000_2027, "fsw", F),
    (0x0000_707f, 0x0000_3027, "fsd", D),
    (0x0000_707f, 0x0000_4027, "fsq", Q),
    (0x0000_007f, 0x0000_0027, "a vector store", V),
    (0x8000_707f, 0x0000_7057, "vsetvli", V),
    (0xc000_707f, 0xc000_7057, "vsetivli", V),
    (0xfe00_707f, 0x8000_7057, "vsetvl", V),
    (0x0000_007f, 0x0000_0057, "a vector operation", V),
    (0x0000_707f, 0x0000_6003, "lwu", RV64),
    (0x0000_707f, 0x0000_3003, "ld", RV64),
    (0x0000_707f, 0x0000_3023, "sd", RV64),
    (0x0000_707f, 0x0000_001b, "addiw", RV64),
    (0xfe00_707f, 0x0000_101b, "slliw", RV64),
    (0xfe00_707f, 0x0000_501b, "srliw", RV64),
    (0xfe00_707f, 0x4000_501b, "sraiw", RV64),
    (0x0000_007f, 0x0000_001b, "an operation on words", RV64),
    (0xfe00_707f, 0x0000_003b, "addw", RV64),
    (0xfe00_707f, 0x4000_003b, "subw", RV64),
    (0xfe00_707f, 0x0200_003b, "mulw", RV64),
    (0x0000_007f, 0x0000_003b, "an operation on words", RV64),
    (0xfe00_707f, 0x2800_4033, "xperm8", ZBKX),
    (0xfe00_707f, 0x2800_2033, "xperm4", ZBKX),
    (0xff00_707f, 0x1000_1013, "a hash operation", ZKN),
    (0x3e00_707f, 0x2a00_0033, "an aes operation", ZKN),
    (0x3e00_707f, 0x2200_0033, "an aes operation", ZKN),
    (0x0000_707f, 0x0000_200f, "a cbo operation", ZICBO),
    (u32::MAX, 0x3020_0073, "mret", M_MODE),
    (u32::MAX, 0x1050_0073, "wfi", M_MODE),
    (u32::MAX, 0x7b20_0073, "dret", "debug mode"),
    (u32::MAX, 0x1020_0073, "sret", S_MODE),
    (0xfe00_7fff, 0x1200_0073, "sfence.vma", S_MODE),
    (0x0000_007f, 0x0000_000b, "custom-0", CUSTOM),
    (0x0000_007f, 0x0000_002b, "custom-1", CUSTOM),
    (0x0000_007f, 0x0000_005b, "custom-2", CUSTOM),
    (0x0000_007f, 0x0000_007b, "custom-3", CUSTOM),
];

/// The same for the 16 bits of compressed instructions.
const COMPRESSED: [Row; 40] = [
    (0xe003, 0x0000, "c.addi4spn", C),
    (0xe003, 0x2000, "c.fld", C_D),
    (0xe003, 0x4000, "c.lw", C),
    (0xe003, 0x6000, "c.flw", C_F),
    (
        0xe003,
        0x8000,
        "a byte or half-word access",
        "Zcb extension",
    ),
    (0xe003, 0xa000, "c.fsd", C_D),
    (0xe003, 0xc000, "c.sw", C),
    (0xe003, 0xe000, "c.fsw", C_F),
    (0xef83, 0x0001, "c.nop", C),
    (0xe003, 0x0001, "c.addi", C),
    (0xe003, 0x2001, "c.jal", C),
    (0xe003, 0x4001, "c.li", C),
    (0xef83, 0x6101, "c.addi16sp", C),
    (0xe003, 0x6001, "c.lui", C),
    (0xec03, 0x8001, "c.srli", C),
    (0xec03, 0x8401, "c.srai", C),
    (0xec03, 0x8801, "c.andi", C),
    (0xfc63, 0x8c01, "c.sub", C),
    (0xfc63, 0x8c21, "c.xor", C),
    (0xfc63, 0x8c41, "c.or", C),
    (0xfc63, 0x8c61, "c.and", C),
    (0xfc63, 0x9c41, "c.mul", "Zcb extension"),
    (0xfc63, 0x9c61, "a zero or sign extension", "Zcb extension"),
    (0xfc43, 0x9c01, "an operation on words", RV64),
    (0xe003, 0xa001, "c.j", C),
    (0xe003, 0xc001, "c.beqz", C),
    (0xe003, 0xe001, "c.bnez", C),
    (0xe003, 0x0002, "c.slli", C),
    (0xe003, 0x2002, "c.fldsp", C_D),
    (0xe003, 0x4002, "c.lwsp", C),
    (0xe003, 0x6002, "c.flwsp", C_F),
    (0xffff, 0x9002, "c.ebreak", C),
    (0xf07f, 0x8002, "c.jr", C),
    (0xf003, 0x8002, "c.mv", C),
    (0xf07f, 0x9002, "c.jalr", C),
    (0xf003, 0x9002, "c.add", C),
    (0xfc03, 0xb802, "cm.push or cm.pop", "Zcmp extension"),
    (0xe003, 0xa002, "c.fsdsp", C_D),
    (0xe003, 0xc002, "c.swsp", C),
    (0xe003, 0xe002, "c.fswsp", C_F),
];

/// What the word at an instruction's address is, where it is an instruction of an extension. Of a compressed one, only
/// the lower half counts.
#[must_use]
pub fn foreign(word: u32) -> Option<Foreign> {
    let (rows, word): (&[Row], u32) = match word & 3 {
        3 => (&ROWS, word),
        _ => (&COMPRESSED, word & 0xffff),
    };
    // All zeros are defined to be illegal.
    if word == 0 {
        return None;
    }
    let row = rows.iter().find(|row| word & row.0 == row.1);
    let known = row.map(|row| Foreign {
        name: row.2.into(),
        extension: row.3,
    });
    known.or_else(|| floating(word))
}

/// Arithmetic of floating point: the format is in bits 26 and 25.
fn floating(word: u32) -> Option<Foreign> {
    let (letter, extension) = match word >> 25 & 3 {
        0 => ('s', F),
        1 => ('d', D),
        2 => ('h', ZFH),
        _ => ('q', Q),
    };
    let (funct5, rm, rs2) = (word >> 27, word >> 12 & 7, word >> 20 & 31);
    let unsigned = if rs2 & 1 == 0 { "w" } else { "wu" };
    let fmt = |stem: &str| format!("{stem}.{letter}");
    let name = match (word & 0x7f, funct5, rm) {
        (0x43, ..) => fmt("fmadd"),
        (0x47, ..) => fmt("fmsub"),
        (0x4b, ..) => fmt("fnmsub"),
        (0x4f, ..) => fmt("fnmadd"),
        (0x53, 0x00, _) => fmt("fadd"),
        (0x53, 0x01, _) => fmt("fsub"),
        (0x53, 0x02, _) => fmt("fmul"),
        (0x53, 0x03, _) => fmt("fdiv"),
        (0x53, 0x0b, _) => fmt("fsqrt"),
        (0x53, 0x04, 0) => fmt("fsgnj"),
        (0x53, 0x04, 1) => fmt("fsgnjn"),
        (0x53, 0x04, 2) => fmt("fsgnjx"),
        (0x53, 0x05, 0) => fmt("fmin"),
        (0x53, 0x05, 1) => fmt("fmax"),
        (0x53, 0x14, 0) => fmt("fle"),
        (0x53, 0x14, 1) => fmt("flt"),
        (0x53, 0x14, 2) => fmt("feq"),
        (0x53, 0x08, _) => fmt("fcvt"),
        (0x53, 0x18, _) => format!("fcvt.{unsigned}.{letter}"),
        (0x53, 0x1a, _) => format!("fcvt.{letter}.{unsigned}"),
        (0x53, 0x1c, 0) if letter == 's' => "fmv.x.w".to_owned(),
        (0x53, 0x1c, 1) => fmt("fclass"),
        (0x53, 0x1e, 0) if letter == 's' => "fmv.w.x".to_owned(),
        (0x53, ..) => "a floating-point operation".to_owned(),
        _ => return None,
    };
    Some(Foreign {
        name: name.into(),
        extension,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_have_names() {
        // Words as GNU as makes them.
        let rows = [
            (0x0005_2507, "flw, F extension"),
            (0x0005_3507, "fld, D extension"),
            (0x00a5_2027, "fsw, F extension"),
            (0x00b5_7553, "fadd.s, F extension"),
            (0x02b5_7553, "fadd.d, D extension"),
            (0xc005_7553, "fcvt.w.s, F extension"),
            (0xd015_7553, "fcvt.s.wu, F extension"),
            (0xe005_0553, "fmv.x.w, F extension"),
            (0xf005_0553, "fmv.w.x, F extension"),
            (0x68b5_7543, "fmadd.s, F extension"),
            (0x0205_6007, "a vector load, V extension"),
            (0x0d05_7557, "vsetvli, V extension"),
            (0x0005_051b, "addiw, 64-bit"),
            (0x0005_3503, "ld, 64-bit"),
            (0x3020_0073, "mret, privileged"),
            (0x1200_0073, "sfence.vma, supervisor mode"),
            (0x0000_000b, "custom-0, custom opcode"),
            (0x0000_007b, "custom-3, custom opcode"),
            (0x0000_4501, "c.li, C extension"),
            (0x0000_1141, "c.addi, C extension"),
            (0x0000_0001, "c.nop, C extension"),
            (0x0000_7139, "c.addi16sp, C extension"),
            (0x0000_65c1, "c.lui, C extension"),
            (0x0000_8082, "c.jr, C extension"),
            (0x0000_852e, "c.mv, C extension"),
            (0x0000_9002, "c.ebreak, C extension"),
            (0x0000_9502, "c.jalr, C extension"),
            (0x0000_952e, "c.add, C extension"),
            (0x0000_c606, "c.swsp, C extension"),
            (0x0000_6108, "c.flw, C and F extensions"),
            (0x0000_8d0d, "c.sub, C extension"),
            // What stands behind a compressed instruction does not matter.
            (0xffff_4501, "c.li, C extension"),
        ];
        for (word, expected) in rows {
            let text = foreign(word).map(|foreign| foreign.to_string());
            assert_eq!(text.as_deref(), Some(expected), "{word:#010x}");
        }
        for word in [0, 0xffff_ffff, 0xffff_0000, 0x0000_7fff] {
            assert_eq!(foreign(word), None, "{word:#010x}");
        }
    }
}

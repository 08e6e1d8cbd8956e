//! Every row against `tests/golden/x64.txt`, whose text `scripts/check-encodings.sh` compares with objdump.
//!
//! A line is the bytes in hexadecimal, a tab, the text at address 0. `RVJIT_BLESS=1 cargo test` rewrites
//! the file; look at the difference and run the script afterwards.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::{env, fs};

use super::form::Operand;
use super::insn::Value;
use super::operand::{Cond, Mem, Reg, Rm, Scale};
use super::table::{CALLS, ROWS, Sample};
use super::{Assembler, decode};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/x64.txt");

const DISPS: [i32; 6] = [0, 0x7f, -0x80, 0x80, -0x81, i32::MIN];

const IMMS: [u64; 9] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xfedc_ba98_7654_3210,
    u64::MAX,
];

/// Every base and index, with and without displacement, in every combination of the attributes.
fn mems() -> Vec<Mem> {
    let mut plain = vec![Mem::absolute(0x10), Mem::absolute(-0x10)];
    for (n, base) in Reg::ALL.into_iter().enumerate() {
        for disp in [0, DISPS[n % 2 + 1], DISPS[n % 3 + 3]] {
            plain.push(Mem::base(base).disp(disp));
        }
    }
    for (n, index) in Reg::ALL.into_iter().enumerate() {
        for (s, scale) in Scale::ALL.into_iter().enumerate() {
            let base = Reg::ALL[(5 * n + 3 * s) % 16];
            let disp = DISPS[(n + s) % 6];
            plain.extend(Mem::base(base).disp(disp).try_index(index, scale));
            if n % 4 == s {
                plain.extend(Mem::absolute(disp).try_index(index, scale));
            }
        }
    }
    for base in [Reg::Rsp, Reg::Rbp, Reg::R12, Reg::R13] {
        for index in [Reg::Rax, Reg::Rbp, Reg::R12, Reg::R13] {
            plain.push(Mem::base(base).index(index, Scale::X1));
        }
    }
    let attributes = [|m: Mem| m, Mem::addr32, Mem::gs, |m: Mem| m.addr32().gs()];
    plain
        .iter()
        .flat_map(|&m| attributes.map(|f| f(m)))
        .collect()
}

/// The sample with registers of which `n` is the `reg`; over all `n`, each is in each place.
fn sample(n: usize, rm: Option<Mem>) -> Sample {
    Sample {
        reg: Reg::ALL[n % 16],
        vvvv: Reg::ALL[(7 * n + 1) % 16],
        rm: rm.map_or(Rm::Reg(Reg::ALL[(5 * n + 3) % 16]), Rm::Mem),
        imm: IMMS[n % IMMS.len()],
        cond: Cond::ALL[n % 16],
    }
}

#[test]
fn bytes_and_text_are_the_golden_ones() {
    let mems = mems();
    // Coprime to the number of operands, so that short samples of consecutive rows differ in all parts.
    let stride = 37;
    assert_ne!(mems.len() % stride, 0);
    let (mut seen, mut lines) = (HashSet::new(), String::new());
    for (row, (name, call)) in CALLS.iter().enumerate() {
        let all = matches!(*name, "mov32" | "mov8_mr" | "lea64");
        let count = if all { mems.len() } else { 4 };
        let memory =
            (0..count).map(|n| sample(row + n, Some(mems[(row * 4 + n) * stride % mems.len()])));
        for sample in (0..16).map(|n| sample(n, None)).chain(memory) {
            let mut a = Assembler::new();
            if !call(&mut a, &sample) || !seen.insert(a.code().to_vec()) {
                continue;
            }
            let insn = decode(a.code(), 0);
            let context = format!("{name} {sample:?} {:02x?}", a.code());
            let found = insn.row.unwrap_or_else(|| panic!("not decoded: {context}"));
            assert!(std::ptr::eq(found, &ROWS[row]), "another row: {context}");
            assert_eq!(insn.len(), a.offset(), "{context}");
            for byte in a.code() {
                write!(lines, "{byte:02x}").unwrap();
            }
            writeln!(lines, "\t{insn}").unwrap();
        }
    }
    if env::var_os("RVJIT_BLESS").is_some() {
        fs::write(GOLDEN, &lines).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap();
    for (n, (line, golden)) in lines.lines().zip(golden.lines()).enumerate() {
        assert_eq!(line, golden, "line {}; RVJIT_BLESS=1 rewrites it", n + 1);
    }
    assert_eq!(lines.lines().count(), golden.lines().count());
}

/// The method's name is not made from the row: it must say the mnemonic and the width.
#[test]
fn methods_are_named_after_their_rows() {
    for ((name, _), row) in CALLS.iter().zip(ROWS) {
        let mnemonic = match *name {
            "mov64_oi" => "mov",
            "nop2" => "nop",
            _ => row.mnemonic,
        };
        assert!(name.starts_with(mnemonic), "{name}");
        let width = match row.operands[0] {
            Operand::Reg(width) | Operand::Rm(width) | Operand::Plus(width) => width.bits(),
            Operand::Fixed("al") => 8,
            Operand::Fixed("eax") => 32,
            Operand::Fixed("rax") => 64,
            Operand::None
            | Operand::Mem
            | Operand::Vvvv(_)
            | Operand::Imm { .. }
            | Operand::Rel
            | Operand::Fixed(_) => continue,
        };
        let digits = name[mnemonic.len()..].split('_').next().unwrap_or("");
        if !name.starts_with("movzx") && !name.starts_with("movsx") && !digits.is_empty() {
            assert_eq!(digits.parse(), Ok(width), "{name}");
        }
    }
}

#[test]
fn every_row_takes_every_memory_operand_and_gives_it_back() {
    let mems = mems();
    let mut count = 0;
    for (row, (name, call)) in CALLS.iter().enumerate() {
        for (n, &mem) in mems.iter().enumerate() {
            let mut a = Assembler::new();
            let sample = sample(n, Some(mem));
            assert!(call(&mut a, &sample));
            let takes_memory = |o: &Operand| matches!(o, Operand::Rm(_) | Operand::Mem);
            if !ROWS[row].operands.iter().any(takes_memory) {
                continue;
            }
            count += 1;
            let insn = decode(a.code(), 0);
            assert!(std::ptr::eq(insn.row.unwrap(), &ROWS[row]));
            assert_eq!(insn.len(), a.offset());
            assert_eq!(insn.memory(), Some(mem.shortest()), "{name} {insn}");
        }
    }
    assert!(count > 100 * mems.len());
}

#[test]
fn every_register_is_given_back_from_every_place() {
    for (row, (name, call)) in CALLS.iter().enumerate() {
        for (reg, rm) in Reg::ALL.iter().flat_map(|r| Reg::ALL.map(|rm| (*r, rm))) {
            let vvvv = Reg::ALL[15 - reg as usize];
            let sample = Sample {
                reg,
                vvvv,
                rm: Rm::Reg(rm),
                imm: 1,
                cond: Cond::A,
            };
            let mut a = Assembler::new();
            if !call(&mut a, &sample) {
                continue;
            }
            let insn = decode(a.code(), 0);
            assert!(std::ptr::eq(insn.row.unwrap(), &ROWS[row]), "{name}");
            let expected = ROWS[row].operands.map(|operand| match operand {
                Operand::Reg(_) | Operand::Plus(_) => Some(reg),
                Operand::Rm(_) => Some(rm),
                Operand::Vvvv(_) => Some(vvvv),
                Operand::None
                | Operand::Mem
                | Operand::Imm { .. }
                | Operand::Rel
                | Operand::Fixed(_) => None,
            });
            let found = insn.values.map(|value| match value {
                Value::Reg(reg, _) => Some(reg),
                Value::None
                | Value::Mem { .. }
                | Value::Imm(_)
                | Value::Target(_)
                | Value::Fixed(_) => None,
            });
            assert_eq!(found, expected, "{name} {insn}");
        }
    }
}

//! Small programs, built here word by word, and what is decided of them.

#![expect(
    clippy::single_range_in_vec_init,
    reason = "RAM is a list of ranges, often of one"
)]

use super::*;
use crate::elf::Plan;
use crate::rv32::decode::{EBREAK, ECALL, MRET, SEMIHOSTING_BEFORE, SEMIHOSTING_BEHIND, WFI};
use std::ops::Range;

/// A segment: address, load address, flags (4 read, 2 write, 1 execute), words.
type Part<'a> = (u32, u32, u32, &'a [u32]);

/// A stripped program of these segments that begins with the first one.
fn image(parts: &[Part<'_>]) -> Image {
    let mut bytes = b"\x7fELF\x01\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([2, 0, 243, 0]);
    let entry = parts[0].0;
    bytes.extend([1, entry, 52, 0, 0].iter().flat_map(|w| w.to_le_bytes()));
    let count = u16::try_from(parts.len()).unwrap();
    let halves = [52, 32, count, 0, 0, 0];
    bytes.extend(halves.iter().flat_map(|h| h.to_le_bytes()));
    let mut data = Vec::new();
    for (vaddr, paddr, flags, words) in parts {
        let size = u32::try_from(4 * words.len()).unwrap();
        let offset = u32::try_from(52 + 32 * parts.len() + data.len()).unwrap();
        let header = [1, offset, *vaddr, *paddr, size, size, *flags, 4];
        bytes.extend(header.iter().flat_map(|w| w.to_le_bytes()));
        data.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    }
    bytes.extend(data);
    Image::parse(bytes).unwrap()
}

/// `addi rd, rs1, imm`.
fn addi(rd: u32, rs1: u32, imm: u32) -> u32 {
    imm << 20 | rs1 << 15 | rd << 7 | 0x13
}

const RA: u32 = 1;
const SP: u32 = 2;
const T0: u32 = 5;
const A0: u32 = 10;
const A7: u32 = 17;
/// `lw a0, 0(sp)`.
const LW_A0_SP: u32 = 0x0001_2503;
/// `lui sp, 0x200`.
const LUI_SP: u32 = 0x0020_0137;
/// `csrr a0, mhartid`; `csrr a0, cycle`; `unimp`.
const CSRR_MHARTID: u32 = 0xf140_2573;
const CSRR_CYCLE: u32 = 0xc000_2573;
const UNIMP: u32 = 0xc000_1073;
/// `jal ra, .+8`; `j .`; `ret`; `beqz a0, .+8`.
const CALL_8: u32 = 0x0080_00ef;
const STAY: u32 = 0x0000_006f;
const RET: u32 = 0x0000_8067;
const BEQZ_8: u32 = 0x0005_0463;

#[test]
fn what_code_speaks_for() {
    let exit = [addi(A7, 0, 93), ECALL];
    let triple = [SEMIHOSTING_BEFORE, EBREAK, SEMIHOSTING_BEHIND];
    let halt = [addi(T0, 0, 0), ECALL];
    let commit = [addi(T0, 0, 0x10), ECALL];
    let rows: [(&str, &[u32], Platform, &str); 19] = [
        ("nothing", &[STAY], Platform::Newlib, ""),
        ("exit", &exit, Platform::Newlib, ""),
        (
            "argc",
            &[addi(RA, 0, 0), LW_A0_SP],
            Platform::Newlib,
            "reads its arguments",
        ),
        (
            "mv a0, sp",
            &[addi(A0, SP, 0)],
            Platform::Newlib,
            "reads its arguments",
        ),
        (
            "argc, then a CSR",
            &[LW_A0_SP, CSRR_MHARTID],
            Platform::Newlib,
            "arguments",
        ),
        (
            "sp",
            &[LUI_SP, addi(SP, SP, 0x400), exit[0], exit[1]],
            Platform::Bare,
            "sets sp",
        ),
        (
            "sp, then argc",
            &[LUI_SP, LW_A0_SP],
            Platform::Bare,
            "sets sp",
        ),
        (
            "andi sp",
            &[0xff01_7113, LW_A0_SP],
            Platform::Newlib,
            "arguments",
        ),
        (
            "csr",
            &[CSRR_MHARTID, LW_A0_SP],
            Platform::Bare,
            "CSR 0xf14",
        ),
        (
            "user counter",
            &[CSRR_CYCLE, exit[0], exit[1]],
            Platform::Newlib,
            "",
        ),
        (
            "mret",
            &[addi(A0, 0, 1), MRET],
            Platform::Bare,
            "mret at 0x00010004",
        ),
        (
            "wfi in a frame",
            &[addi(SP, SP, 0xff0), WFI],
            Platform::Bare,
            "wfi at",
        ),
        (
            "behind a call",
            &[addi(SP, SP, 0xff0), CALL_8, CSRR_MHARTID, RET],
            Platform::Bare,
            "CSR",
        ),
        (
            "behind a call that does not return",
            &[addi(SP, SP, 0xff0), CALL_8, CSRR_MHARTID, STAY],
            Platform::Newlib,
            "",
        ),
        (
            "behind a branch",
            &[addi(SP, SP, 0xff0), BEQZ_8, STAY, CSRR_MHARTID],
            Platform::Bare,
            "CSR",
        ),
        ("behind unimp", &[UNIMP, CSRR_MHARTID], Platform::Newlib, ""),
        (
            "semihosting",
            &triple,
            Platform::Bare,
            "semihosting call at 0x00010004",
        ),
        (
            "halt",
            &[LUI_SP, halt[0], halt[1]],
            Platform::Sp1,
            "0x0, in t0 at 0x00010008",
        ),
        (
            "commit",
            &[commit[0], commit[1], STAY],
            Platform::Sp1,
            "0x10, in t0 at 0x00010004",
        ),
    ];
    for (name, words, platform, reason) in rows {
        let decision = decide(&image(&[(0x1_0000, 0x1_0000, 5, words)]), None).unwrap();
        assert_eq!(decision.platform, platform, "{name}: {decision:?}");
        let text: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
        assert!(text.join("; ").contains(reason), "{name}: {text:?}");
        assert_eq!(reason.is_empty(), text.is_empty(), "{name}: {text:?}");
    }
}

#[test]
fn what_segments_speak_for() {
    let code = [addi(A7, 0, 93), ECALL];
    let names: Vec<u32> = b"risc0_zkvm_platform::syscall"
        .as_chunks()
        .0
        .iter()
        .map(|w| u32::from_le_bytes(*w))
        .collect();
    let text = (0x1_0000, 0x1_0000, 5, &code[..]);
    let rows: [(&str, &[Part<'_>], Platform); 6] = [
        (
            "plain",
            &[text, (0x1_2000, 0x1_2000, 6, &[1])],
            Platform::Newlib,
        ),
        (
            "copied",
            &[text, (0x1_2000, 0x2_0000, 6, &[1])],
            Platform::Bare,
        ),
        (
            "no load addresses",
            &[text, (0x1_2000, 0, 6, &[1])],
            Platform::Newlib,
        ),
        ("page 0", &[(0, 0, 5, &code)], Platform::Bare),
        (
            "no flags",
            &[(0x1_0000, 0x1_0000, 0, &code)],
            Platform::Bare,
        ),
        (
            "risc0",
            &[
                (0x1_0000, 0x1_0000, 5, &[LUI_SP, addi(T0, 0, 2), ECALL]),
                (0x1_2000, 0x1_2000, 4, &names),
            ],
            Platform::Risc0,
        ),
    ];
    for (name, parts, platform) in rows {
        let decision = decide(&image(parts), None).unwrap();
        assert_eq!(decision.platform, platform, "{name}: {decision:?}");
    }
}

#[test]
fn what_is_wanted_is_what_is_had() {
    let code = [CSRR_MHARTID];
    let image_at = |addr, flags| image(&[(addr, addr, flags, &code)]);
    for platform in Platform::ALL {
        let decision = decide(&image_at(0x1_0000, 5), Some(platform));
        assert_eq!(decision.map(|d| d.platform), Ok(platform));
    }
    let refused = |image| decide(&image, Some(Platform::Newlib));
    assert_eq!(refused(image_at(0, 5)), Err(PlatformError::NullPage(0)));
    assert_eq!(
        refused(image_at(0x1_0000, 4)),
        Err(PlatformError::Entry(0x1_0000))
    );
}

fn ram(parts: &[(u32, u32)], platform: Platform) -> Option<Vec<Range<u64>>> {
    let parts: Vec<Part<'_>> = parts
        .iter()
        .map(|&(vaddr, paddr)| (vaddr, paddr, 7, &[STAY][..]))
        .collect();
    plan(&image(&parts), platform, &[], 0x1000).unwrap().ram
}

#[test]
fn ram_lies_round_the_segments() {
    const M128: u64 = 128 << 20;
    type Row<'a> = (&'a [(u32, u32)], &'a [Range<u64>]);
    let rows: [Row<'_>; 6] = [
        (&[(0x8000_0000, 0x8000_0000)], &[0x8000_0000..0x8800_0000]),
        (&[(0x8000_1000, 0x8000_1000)], &[0x8000_0000..0x8800_0000]),
        // Page 0 comes from a segment, not from here.
        (&[(0, 0)], &[0x1000..M128]),
        (
            &[(0x2000_0000, 0x2000_0000), (0x4000_0000, 0x1_0000)],
            &[
                0x1000..M128,
                0x2000_0000..0x2800_0000,
                0x4000_0000..0x4800_0000,
            ],
        ),
        // Neighbours are one.
        (
            &[(0x87ff_fffc, 0x87ff_fffc), (0x8800_0000, 0x8800_0000)],
            &[0x8000_0000..0x9000_0000],
        ),
        (&[(0xffff_fff0, 0xffff_fff0)], &[0xf800_0000..1 << 32]),
    ];
    for (parts, expected) in rows {
        assert_eq!(
            ram(parts, Platform::Bare).as_deref(),
            Some(expected),
            "{parts:x?}"
        );
    }
    let low = [(0x20_0800, 0x20_0800)];
    assert_eq!(ram(&low, Platform::Newlib), None);
    assert_eq!(
        ram(&low, Platform::Risc0),
        Some([0x1_0000..0x0c00_0000].to_vec())
    );
    assert_eq!(
        ram(&low, Platform::Sp1),
        Some([0x1_0000..0x7800_0000].to_vec())
    );
    assert_eq!(
        ram(&[(0x400, 0x400)], Platform::Risc0),
        Some([0x1000..0x0c00_0000].to_vec())
    );
}

#[test]
fn ram_that_cannot_be_is_refused() {
    let image = image(&[(0x8000_0000, 0x8000_0000, 7, &[STAY])]);
    let asked = |platform, wanted: &[Range<u64>]| plan(&image, platform, wanted, 0x1000);
    let good = [0x8000_0000..0x8001_0000, 0x1000..0x2000];
    assert_eq!(
        asked(Platform::Bare, &good),
        Ok(Plan {
            stack_size: 0x1000,
            exec_stack: false,
            ram: Some(vec![0x1000..0x2000, 0x8000_0000..0x8001_0000]),
        })
    );
    let bad: [(&[Range<u64>], &str); 6] = [
        (&[0x1000..0x1000, 0..0x1000], "A below B"),
        (&[0..0x1_0000_1000, 0..0x1000], "at most"),
        (&[0x1000..0x1800, 0..0x1000], "multiples of 0x1000"),
        (&[0x1000..0x3000, 0x2000..0x4000], "overlap"),
        (&[0x1000..0x4000, 0x2000..0x3000], "overlap"),
        (&vec![0..0x1000; 65], "65 ranges"),
    ];
    for (wanted, message) in bad {
        let text = asked(Platform::Bare, wanted).unwrap_err().to_string();
        assert!(text.contains(message), "{text}");
    }
    let none = asked(Platform::Newlib, &good).unwrap_err();
    assert!(none.to_string().contains("no RAM to place"), "{none}");
}

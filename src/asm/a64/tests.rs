//! Golden rows: what the assembler emits and how it reads, `hex<TAB>text`, in `tests/golden/a64.txt`.
//!
//! Row n is at address `BASE + 4 * n`. `scripts/check-encodings.sh` compares the file with GNU objdump; here the
//! assembler and the disassembler are compared with the file. `RVJIT_BLESS=1` rewrites it.

use super::*;
use std::collections::HashSet;
use std::fmt::Write;

/// The address of the first row; `scripts/check-encodings.sh` uses the same.
const BASE: u64 = 0x8000_0000;
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/a64.txt");

/// Calls a method with each of several lists of operands.
macro_rules! each {
    ($a:ident: $($name:ident)+, $(($($arg:expr),*))+) => { each!(@ $a [$($name)+] [$([$($arg),*])+]) };
    (@ $a:ident [$($name:ident)+] $lists:tt) => { $( each!(% $a $name $lists); )+ };
    (% $a:ident $name:ident [$([$($arg:expr),*])+]) => { $( $a.$name($($arg),*); )+ };
}

fn disp<const WIDTH: u32, const LOG2: u32>(bytes: i64) -> Disp<WIDTH, LOG2> {
    Disp::new(bytes).unwrap()
}

/// What of the register width the operands below depend on.
trait Samples: Gpr {
    fn reg(number: u8) -> Self;
    fn bitmasks() -> [BitmaskImm<Self>; 5];
}

impl Samples for W {
    fn reg(number: u8) -> W {
        W(number)
    }
    fn bitmasks() -> [BitmaskImm<W>; 5] {
        [1, 0xffff_fffe, 0x5555_5555, 0x8000_0001, 0x0ff0_0ff0]
            .map(|v| BitmaskImm32::new(v).unwrap())
    }
}

impl Samples for X {
    fn reg(number: u8) -> X {
        X(number)
    }
    fn bitmasks() -> [BitmaskImm<X>; 5] {
        [
            1,
            0xffff_ffff_ffff_fffe,
            0xaaaa_aaaa_aaaa_aaaa,
            0x8000_0000_0000_0001,
            0xffff_ffff,
        ]
        .map(|v| BitmaskImm64::new(v).unwrap())
    }
}

fn branches(a: &mut Assembler) {
    each!(a: b bl, (disp(0)) (disp(4)) (disp(-4)) (disp(0x7ff_fffc)) (disp(-0x800_0000)));
    for &cond in Cond::ALL {
        a.b_cond(cond, disp(8));
    }
    each!(a: b_cond, (Cond::Eq, disp(0xf_fffc)) (Cond::Le, disp(-0x10_0000)));
    each!(a: cbz cbnz ldr_literal, (W(0), disp(0xf_fffc)) (WZR, disp(-0x10_0000)));
    each!(a: cbz cbnz ldr_literal, (X(30), disp(0)) (XZR, disp(-4)));
    let (w, x) = (
        |bit| TestBit::<W>::new(bit).unwrap(),
        |bit| TestBit::<X>::new(bit).unwrap(),
    );
    each!(a: tbz tbnz, (W(1), w(0), disp(0x7ffc)) (WZR, w(31), disp(-0x8000)) (W(30), w(5), disp(4)));
    each!(a: tbz tbnz, (X(1), x(32), disp(0x7ffc)) (XZR, x(63), disp(-0x8000)));
    each!(a: adr, (X(0), disp(1)) (X(30), disp(-1)) (XZR, disp(0xf_ffff)) (X(9), disp(-0x10_0000)));
    each!(a: adrp, (X(0), disp(0x1000)) (X(30), disp(-0x1000)) (XZR, disp(0xffff_f000)) (X(9), disp(-0x1_0000_0000)));
    each!(a: br blr ret_to, (X(0)) (X(17)) (XZR));
    each!(a: br blr, (X(30)));
    a.ret();
    each!(a: udf brk, (0) (1) (0xffff));
    each!(a: nop dsb_ish isb, ());
    each!(a: dc_cvau ic_ivau mrs_ctr_el0, (X(0)) (X(30)) (XZR));
}

fn arithmetic<R: Samples>(a: &mut Assembler) {
    let (r, zr, top) = (R::reg, R::reg(31), R::BITS - 1);
    let s = |amount| Amount::<R>::new(amount).unwrap();
    each!(a: add adds sub subs adc adcs sbc sbcs and bic orr orn eor eon ands bics
        udiv sdiv lslv lsrv asrv rorv mul mneg,
        (r(0), r(1), r(2)) (r(30), r(29), r(28)) (zr, r(3), r(4)) (r(5), zr, r(6)) (r(7), r(8), zr));
    each!(a: cmp cmn neg negs ngc ngcs mov mvn tst rbit rev16 rev clz,
        (r(0), r(1)) (r(30), r(29)) (zr, r(2)) (r(3), zr));
    each!(a: add_shift adds_shift sub_shift subs_shift,
        (r(0), r(1), r(2), Shift::Lsl, s(1)) (zr, r(4), r(5), Shift::Lsr, s(0)) (r(6), zr, r(7), Shift::Asr, s(top)));
    each!(a: cmp_shift cmn_shift neg_shift negs_shift,
        (r(0), r(1), Shift::Lsl, s(top)) (r(30), zr, Shift::Lsr, s(3)) (zr, r(2), Shift::Asr, s(1)));
    each!(a: and_shift bic_shift orr_shift orn_shift eor_shift eon_shift ands_shift bics_shift,
        (r(0), r(1), r(2), LogicShift::Lsl, s(1)) (zr, r(4), r(5), LogicShift::Lsr, s(2))
        (r(6), zr, r(7), LogicShift::Asr, s(top)) (r(8), r(9), zr, LogicShift::Ror, s(top)));
    each!(a: mvn_shift tst_shift,
        (r(0), r(1), LogicShift::Lsl, s(top)) (zr, r(2), LogicShift::Lsr, s(3))
        (r(30), zr, LogicShift::Asr, s(1)) (r(3), r(4), LogicShift::Ror, s(8)));
    each!(a: madd msub, (r(0), r(1), r(2), r(3)) (r(30), r(29), r(28), r(27)) (zr, r(4), r(5), zr) (r(6), zr, r(7), r(8)));
    each!(a: asr_imm lsr_imm lsl_imm ror_imm, (r(0), r(1), s(1)) (r(30), r(29), s(top)) (zr, r(2), s(8)) (r(3), zr, s(0)));
    each!(a: extr, (r(0), r(1), r(2), s(0)) (zr, r(3), r(4), s(top)) (r(5), zr, r(6), s(1)) (r(7), r(8), zr, s(16)));
    let f = |lsb, width| BitField::<R>::new(lsb, width).unwrap();
    each!(a: sbfiz ubfiz bfi sbfx ubfx bfxil,
        (r(0), r(1), f(1, 1)) (r(30), r(29), f(0, 1)) (zr, r(2), f(3, 7)) (r(4), r(5), f(top, 1)) (r(6), r(7), f(1, top))
        (r(8), r(9), f(0, R::BITS)) (r(10), r(11), f(0, 8)) (r(12), r(13), f(0, 16)));
    each!(a: bfxil, (r(3), zr, f(2, 5)));
    each!(a: bfc, (r(0), f(1, 1)) (zr, f(3, 7)) (r(30), f(top, 1)) (r(5), f(0, 4)));
    each!(a: sxtb sxth, (r(0), W(1)) (zr, W(30)) (r(2), WZR));
    let (imm, inv) = (|v, shift| MovImm::<R>::new(v, shift).unwrap(), R::BITS - 16);
    each!(a: mov_inverted mov_wide movn movz movk,
        (r(0), imm(0, 0)) (r(1), imm(0xffff, 0)) (zr, imm(0x1234, 0)) (r(30), imm(1, inv)) (r(2), imm(0xffff, inv)) (r(3), imm(0, 16)));
}

fn immediates<R: Samples + IntoOrSp<R>>(a: &mut Assembler) {
    let (r, zr, rs) = (R::reg, R::reg(31), |n| R::reg(n).or_sp());
    let i = |value| Imm12::new(value).unwrap();
    each!(a: add_imm sub_imm, (rs(0), rs(1), i(0)) (r(30), r(29), i(4095)) (r(2), r(3), i(0x1000)) (r(4), r(5), i(0xff_f000)));
    each!(a: adds_imm subs_imm, (r(0), rs(1), i(1)) (r(30), r(29), i(4095)) (zr, r(3), i(0x1000)));
    each!(a: cmp_imm cmn_imm, (r(0), i(0)) (r(30), i(4095)) (rs(7), i(0xff_f000)));
    for mask in R::bitmasks() {
        each!(a: and_imm orr_imm eor_imm, (r(0), r(1), mask) (r(30), zr, mask));
        each!(a: ands_imm, (r(0), r(1), mask) (zr, r(2), mask) (r(3), zr, mask));
        each!(a: tst_imm, (r(4), mask) (zr, mask));
        each!(a: mov_bitmask, (r(5), mask));
    }
    for &c in Cond::ALL {
        each!(a: csel csinc csinv csneg, (r(0), r(1), r(2), c));
        each!(a: cset csetm, (r(3), c));
    }
    each!(a: csel csinc csinv csneg, (zr, r(1), r(1), Cond::Lt) (r(2), zr, r(3), Cond::Hi) (r(4), r(5), zr, Cond::Eq)
        (r(6), zr, zr, Cond::Ne));
    each!(a: cset csetm, (zr, Cond::Ge));
    each!(a: cinc cinv cneg, (r(0), r(1), Cond::Eq) (zr, r(2), Cond::Gt) (r(30), zr, Cond::Ls));
    let (n, i) = (
        |flags| Nzcv::new(flags).unwrap(),
        |value| Imm5::new(value).unwrap(),
    );
    each!(a: ccmp ccmn, (r(0), r(1), n(0), Cond::Eq) (r(30), zr, n(15), Cond::Le) (zr, r(2), n(4), Cond::Cs));
    each!(a: ccmp_imm ccmn_imm, (r(0), i(0), n(0), Cond::Eq) (r(30), i(31), n(15), Cond::Le) (zr, i(16), n(8), Cond::Mi));
}

fn of_one_width(a: &mut Assembler) {
    let (e, i) = (
        |shift| ExtShift::new(shift).unwrap(),
        |value| Imm12::new(value).unwrap(),
    );
    each!(a: add_uxtw add_sxtw sub_uxtw sub_sxtw,
        (X(0), X(1), W(2), e(0)) (X(30), X(29), WZR, e(4)) (SP, X(3), W(4), e(2)) (X(5), SP, W(6), e(1)));
    each!(a: mov_from_sp, (X(0)) (X(29)) (SP));
    each!(a: mov_to_sp, (X(0)) (X(29)));
    each!(a: add_imm sub_imm, (SP, SP, i(16)) (X(0), SP, i(4095)) (SP, X(1), i(0x1000)));
    each!(a: adds_imm subs_imm, (X(0), SP, i(16)));
    each!(a: cmp_imm cmn_imm, (SP, i(1)));
    let mask = BitmaskImm64::new(!15).unwrap();
    each!(a: and_imm orr_imm eor_imm, (SP, X(0), mask));
    each!(a: mov_bitmask, (SP, BitmaskImm64::new(0xf0f0_f0f0_f0f0_f0f0).unwrap()));
    each!(a: sxtw, (X(0), W(1)) (X(30), WZR) (XZR, W(2)));
    each!(a: uxtb uxth, (W(0), W(1)) (W(30), WZR) (WZR, W(2)));
    each!(a: smull umull, (X(0), W(1), W(2)) (XZR, W(30), WZR) (X(3), WZR, W(4)));
    each!(a: smulh umulh, (X(0), X(1), X(2)) (XZR, X(30), XZR) (X(3), XZR, X(4)));
    each!(a: smaddl umaddl, (X(0), W(1), W(2), X(3)) (X(30), W(29), W(28), XZR) (XZR, WZR, W(4), X(5)));
}

fn memory<R: Samples>(a: &mut Assembler) {
    let (r, zr, size) = (R::reg, R::reg(31), R::BITS as i32 / 8);
    let u = |units: u32| UOff::<R>::new(units << R::LOG2).unwrap();
    each!(a: ldr str, (r(0), X(1), u(0)) (zr, X(30), u(1)) (r(30), SP, u(4095)));
    let s = |bytes| SImm9::new(bytes).unwrap();
    each!(a: ldr_post str_post ldr_pre str_pre, (r(0), X(1), s(4)) (zr, X(30), s(-256)) (r(30), SP, s(255)));
    each!(a: ldur stur, (r(0), X(1), s(0)) (zr, X(30), s(-256)) (r(30), SP, s(255)));
    each!(a: ldr_uxtw str_uxtw ldr_sxtw str_sxtw,
        (r(0), X(1), W(2), Index::Bytes) (zr, SP, W(30), Index::Units) (r(3), X(4), WZR, Index::Units));
    each!(a: ldr_lsl str_lsl,
        (r(0), X(1), X(2), Index::Bytes) (zr, SP, X(30), Index::Units) (r(3), X(4), XZR, Index::Units));
    let p = |units: i32| PairOff::<R>::new(units * size).unwrap();
    each!(a: ldp stp ldp_pre stp_pre ldp_post stp_post,
        (r(0), r(1), X(2), p(0)) (r(29), r(30), SP, p(-64)) (r(19), zr, SP, p(63)) (zr, r(3), X(4), p(-1)));
}

fn narrow_memory(a: &mut Assembler) {
    let (b, h) = (
        |n| UOff::<u8>::new(n).unwrap(),
        |n| UOff::<u16>::new(n).unwrap(),
    );
    each!(a: ldrb strb ldrsb, (W(0), X(1), b(0)) (WZR, X(30), b(1)) (W(30), SP, b(4095)));
    each!(a: ldrh strh ldrsh, (W(0), X(1), h(0)) (WZR, X(30), h(2)) (W(30), SP, h(8190)));
    let s = |bytes| SImm9::new(bytes).unwrap();
    each!(a: ldrb_post strb_post ldrsb_post ldrh_post strh_post ldrsh_post ldrb_pre strb_pre ldrsb_pre ldrh_pre strh_pre
        ldrsh_pre, (W(0), X(1), s(1)) (WZR, X(30), s(-256)) (W(30), SP, s(255)));
    each!(a: ldurb sturb ldursb ldurh sturh ldursh, (W(0), X(1), s(0)) (WZR, X(30), s(-256)) (W(30), SP, s(255)));
    each!(a: ldrb_uxtw strb_uxtw ldrsb_uxtw ldrh_uxtw strh_uxtw ldrsh_uxtw
             ldrb_sxtw strb_sxtw ldrsb_sxtw ldrh_sxtw strh_sxtw ldrsh_sxtw,
        (W(0), X(1), W(2), Index::Bytes) (WZR, SP, W(30), Index::Units));
    each!(a: ldrb_lsl strb_lsl ldrsb_lsl ldrh_lsl strh_lsl ldrsh_lsl,
        (W(0), X(1), X(2), Index::Bytes) (WZR, SP, X(30), Index::Units));
}

/// Every instruction with varied operands; those whose text has an address come first, so that new rows do not move them.
fn golden_words() -> Vec<u32> {
    let mut a = Assembler::new();
    branches(&mut a);
    arithmetic::<W>(&mut a);
    arithmetic::<X>(&mut a);
    immediates::<W>(&mut a);
    immediates::<X>(&mut a);
    of_one_width(&mut a);
    memory::<W>(&mut a);
    memory::<X>(&mut a);
    narrow_memory(&mut a);
    each!(a: fmov_to_s31, (W(0)) (W(30)) (WZR));
    each!(a: fmov_from_s31, (W(0)) (W(30)) (WZR));
    each!(a: cnt_v31 addv_v31 cmtst_v31, ());
    a.words().to_vec()
}

#[test]
fn assembler_and_disassembler_agree_with_the_golden_rows() {
    let mut text = String::new();
    for (at, word) in (BASE..).step_by(4).zip(golden_words()) {
        writeln!(text, "{word:08x}\t{}", disassemble(word, at)).unwrap();
    }
    if std::env::var_os("RVJIT_BLESS").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    for (row, (ours, theirs)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(ours, theirs, "row {row} of tests/golden/a64.txt");
    }
    assert_eq!(
        text.lines().count(),
        golden.lines().count(),
        "rows of tests/golden/a64.txt"
    );
}

#[test]
fn golden_rows_cover_every_row_of_the_tables() {
    let words = golden_words();
    let mut seen = HashSet::new();
    for word in words {
        let row = all_rows().find(|row| row.print(word, 0).is_some());
        let row = row.unwrap_or_else(|| panic!("{word:#010x} is of no row"));
        seen.insert(std::ptr::from_ref(row));
    }
    let missing: Vec<_> = all_rows()
        .filter(|row| !seen.contains(&std::ptr::from_ref(*row)))
        .map(|row| row.name)
        .collect();
    assert!(missing.is_empty(), "no golden row for {missing:?}");
}

#[test]
fn unknown_words_are_shown_as_such() {
    for word in [
        0xffff_ffff,
        0x5400_000e, // b.al
        0x1ac0_4020, // crc32b
        0x0b00_8020, // add with a shift of 32 in 32 bits
        0x1240_0000, // and with a 64-bit immediate in 32 bits
        0x52c0_0020, // movz with a shift of 32 in 32 bits
        0xd65f_0bff, // retaa
    ] {
        assert_eq!(disassemble(word, 0), format!(".inst {word:#010x}"));
        assert_eq!(classify(word), None);
    }
}

/// The only instruction that `emit` makes.
fn one(emit: impl FnOnce(&mut Assembler)) -> u32 {
    let mut asm = Assembler::new();
    emit(&mut asm);
    assert_eq!(asm.here(), 1);
    asm.words()[0]
}

#[test]
fn registers_read_and_written_come_from_the_roles() {
    let cases: &[(u32, &[u32], &[u32], bool)] = &[
        (one(|a| a.add(W(1), W(2), W(3))), &[2, 3], &[1], false),
        (one(|a| a.add(W(1), WZR, W(3))), &[3], &[1], false),
        (one(|a| a.cmp(W(1), W(18))), &[1, 18], &[], false),
        (one(|a| a.movk(X(4), MovImm::low_of(1))), &[4], &[4], false),
        (
            one(|a| a.bfi(X(4), X(5), BitField::new(1, 1).unwrap())),
            &[4, 5],
            &[4],
            false,
        ),
        (
            one(|a| a.str(W(1), X(2), UOff::new(4).unwrap())),
            &[1, 2],
            &[],
            false,
        ),
        (
            one(|a| a.ldrb_uxtw(W(1), X(2), W(3), Index::Bytes)),
            &[2, 3],
            &[1],
            false,
        ),
        (
            one(|a| a.ldp(X(1), X(2), SP, PairOff::new(16).unwrap())),
            &[],
            &[1, 2],
            true,
        ),
        (
            one(|a| a.stp_pre(X(1), X(2), X(3), PairOff::new(16).unwrap())),
            &[1, 2, 3],
            &[3],
            false,
        ),
        (one(|a| a.mov_from_sp(X(29))), &[], &[29], true),
        (one(|a| a.mov_to_sp(X(29))), &[29], &[], true),
        (
            one(|a| a.add_imm(SP, SP, Imm12::new(16).unwrap())),
            &[],
            &[],
            true,
        ),
        (one(|a| a.bl(disp(0))), &[], &[30], false),
        (one(|a| a.blr(X(7))), &[7], &[30], false),
        (one(|a| a.ret()), &[30], &[], false),
        (one(|a| a.cbz(W(9), disp(0))), &[9], &[], false),
        (one(|a| a.cinc(W(1), W(2), Cond::Eq)), &[2], &[1], false),
        (one(|a| a.nop()), &[], &[], false),
    ];
    let mask = |registers: &[u32]| registers.iter().fold(0, |mask, n| mask | 1 << n);
    for &(word, reads, writes, uses_sp) in cases {
        let info = classify(word).unwrap();
        let expected = (mask(reads), mask(writes), uses_sp);
        assert_eq!(
            (info.reads, info.writes, info.uses_sp),
            expected,
            "{}",
            disassemble(word, 0)
        );
    }
}

/// The value that a sequence made by `mov_u32` or `mov_u64` leaves, from its text.
fn value_of(words: &[u32]) -> u64 {
    words.iter().fold(0, |value, &word| {
        let text = disassemble(word, 0);
        let (start, rest) = text.split_once("#0x").unwrap();
        let (digits, shift) = rest.split_once(", lsl #").unwrap_or((rest, "0"));
        let (part, shift) = (
            u64::from_str_radix(digits, 16).unwrap(),
            shift.parse::<u32>().unwrap(),
        );
        if start.starts_with("movk") {
            value & !(0xffff << shift) | part << shift
        } else {
            part << shift
        }
    })
}

#[test]
fn constants_take_as_few_instructions_as_documented() {
    for (value, length) in [
        (0, 1),
        (1, 1),
        (0xffff, 1),
        (0x1_0000, 1),
        (0xffff_0000, 1),
        (0xffff_ffff, 1),
        (0xffff_fffe, 1),
        (0x1234_ffff, 1),
        (0x5555_5555, 1),
        (0x00ff_ff00, 1),
        (0x1234_5678, 2),
        (0x8000_0001, 1),
        (0x0001_0002, 2),
    ] {
        let mut asm = Assembler::new();
        asm.mov_u32(W(3), value);
        assert_eq!(
            (value_of(asm.words()), asm.here()),
            (value.into(), length),
            "{value:#x}"
        );
    }
    for (value, length) in [
        (0u64, 1),
        (!0, 1),
        (0xffff_ffff, 1),
        (1 << 63, 1),
        (0x1234_5678_9abc_def0, 4),
        (0xffff_1234_ffff_5678, 2),
        (0x1234_0000_0000_5678, 2),
        (!0x1234_0000, 1),
        (0x0000_7fff_1234_5000, 3),
        (0xffff_ffff_1234_5678, 2),
    ] {
        let mut asm = Assembler::new();
        asm.mov_u64(X(3), value);
        assert_eq!(
            (value_of(asm.words()), asm.here()),
            (value, length),
            "{value:#x}"
        );
    }
}

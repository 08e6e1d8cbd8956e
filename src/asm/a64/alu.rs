//! Data-processing instructions (Arm ARM C4.1.92 to C4.1.95): arithmetic, logic, moves, bit fields, multiplication,
//! division and conditional selection.

use super::Assembler;
use super::imm::{
    Amount, BitField, BitmaskImm, ExtShift, Extract, Imm5, Imm12, Insert, LeftAmount, MovBitmask,
    MovImm, MovWide, Nzcv,
};
use super::operand::{Codec, Cond, Gpr, IntoOrSp, Inverted, LogicShift, Shift, W, X};
use super::pattern::{Field, Pattern};
use super::table::{Role, Row, Slot, codec, row, rows, table, value, writes_flags};

table! {
    // Add and subtract, register.
    cmn<R>(rd n: R, rd m: R)
        "s 0 1 01011 00 0 mmmmm 000000 nnnnn 11111" "cmn {n}, {m}";
    cmn_shift<R>(rd n: R, rd m: R, im h: Shift, im i: Amount<R>)
        "s 0 1 01011 hh 0 mmmmm iiiiii nnnnn 11111" "cmn {n}, {m}, {h} {i}";
    cmp<R>(rd n: R, rd m: R)
        "s 1 1 01011 00 0 mmmmm 000000 nnnnn 11111" "cmp {n}, {m}";
    cmp_shift<R>(rd n: R, rd m: R, im h: Shift, im i: Amount<R>)
        "s 1 1 01011 hh 0 mmmmm iiiiii nnnnn 11111" "cmp {n}, {m}, {h} {i}";
    neg<R>(wr d: R, rd m: R)
        "s 1 0 01011 00 0 mmmmm 000000 11111 ddddd" "neg {d}, {m}";
    neg_shift<R>(wr d: R, rd m: R, im h: Shift, im i: Amount<R>)
        "s 1 0 01011 hh 0 mmmmm iiiiii 11111 ddddd" "neg {d}, {m}, {h} {i}";
    negs<R>(wr d: R, rd m: R)
        "s 1 1 01011 00 0 mmmmm 000000 11111 ddddd" "negs {d}, {m}";
    negs_shift<R>(wr d: R, rd m: R, im h: Shift, im i: Amount<R>)
        "s 1 1 01011 hh 0 mmmmm iiiiii 11111 ddddd" "negs {d}, {m}, {h} {i}";
    add<R>(wr d: R, rd n: R, rd m: R)
        "s 0 0 01011 00 0 mmmmm 000000 nnnnn ddddd" "add {d}, {n}, {m}";
    add_shift<R>(wr d: R, rd n: R, rd m: R, im h: Shift, im i: Amount<R>)
        "s 0 0 01011 hh 0 mmmmm iiiiii nnnnn ddddd" "add {d}, {n}, {m}, {h} {i}";
    adds<R>(wr d: R, rd n: R, rd m: R)
        "s 0 1 01011 00 0 mmmmm 000000 nnnnn ddddd" "adds {d}, {n}, {m}";
    adds_shift<R>(wr d: R, rd n: R, rd m: R, im h: Shift, im i: Amount<R>)
        "s 0 1 01011 hh 0 mmmmm iiiiii nnnnn ddddd" "adds {d}, {n}, {m}, {h} {i}";
    sub<R>(wr d: R, rd n: R, rd m: R)
        "s 1 0 01011 00 0 mmmmm 000000 nnnnn ddddd" "sub {d}, {n}, {m}";
    sub_shift<R>(wr d: R, rd n: R, rd m: R, im h: Shift, im i: Amount<R>)
        "s 1 0 01011 hh 0 mmmmm iiiiii nnnnn ddddd" "sub {d}, {n}, {m}, {h} {i}";
    subs<R>(wr d: R, rd n: R, rd m: R)
        "s 1 1 01011 00 0 mmmmm 000000 nnnnn ddddd" "subs {d}, {n}, {m}";
    subs_shift<R>(wr d: R, rd n: R, rd m: R, im h: Shift, im i: Amount<R>)
        "s 1 1 01011 hh 0 mmmmm iiiiii nnnnn ddddd" "subs {d}, {n}, {m}, {h} {i}";

    // Add and subtract, extended register.
    add_uxtw(wr d: @X, rd n: @X, rd m: W, im i: ExtShift)
        "1 0 0 01011 00 1 mmmmm 010 iii nnnnn ddddd" "add {d}, {n}, {m}, uxtw{i}";
    add_sxtw(wr d: @X, rd n: @X, rd m: W, im i: ExtShift)
        "1 0 0 01011 00 1 mmmmm 110 iii nnnnn ddddd" "add {d}, {n}, {m}, sxtw{i}";
    sub_uxtw(wr d: @X, rd n: @X, rd m: W, im i: ExtShift)
        "1 1 0 01011 00 1 mmmmm 010 iii nnnnn ddddd" "sub {d}, {n}, {m}, uxtw{i}";
    sub_sxtw(wr d: @X, rd n: @X, rd m: W, im i: ExtShift)
        "1 1 0 01011 00 1 mmmmm 110 iii nnnnn ddddd" "sub {d}, {n}, {m}, sxtw{i}";

    // Add and subtract, immediate.
    mov_from_sp(wr d: @X)
        "1 0 0 100010 0 000000000000 11111 ddddd" "mov {d}, sp";
    mov_to_sp(rd n: @X)
        "1 0 0 100010 0 000000000000 nnnnn 11111" "mov sp, {n}";
    cmn_imm<R>(rd n: @R, im i: Imm12)
        "s 0 1 100010 iiiiiiiiiiiii nnnnn 11111" "cmn {n}, {i}";
    cmp_imm<R>(rd n: @R, im i: Imm12)
        "s 1 1 100010 iiiiiiiiiiiii nnnnn 11111" "cmp {n}, {i}";
    add_imm<R>(wr d: @R, rd n: @R, im i: Imm12)
        "s 0 0 100010 iiiiiiiiiiiii nnnnn ddddd" "add {d}, {n}, {i}";
    adds_imm<R>(wr d: R, rd n: @R, im i: Imm12)
        "s 0 1 100010 iiiiiiiiiiiii nnnnn ddddd" "adds {d}, {n}, {i}";
    sub_imm<R>(wr d: @R, rd n: @R, im i: Imm12)
        "s 1 0 100010 iiiiiiiiiiiii nnnnn ddddd" "sub {d}, {n}, {i}";
    subs_imm<R>(wr d: R, rd n: @R, im i: Imm12)
        "s 1 1 100010 iiiiiiiiiiiii nnnnn ddddd" "subs {d}, {n}, {i}";

    // Add and subtract with carry.
    ngc<R>(wr d: R, rd m: R)
        "s 1 0 11010000 mmmmm 000000 11111 ddddd" "ngc {d}, {m}";
    ngcs<R>(wr d: R, rd m: R)
        "s 1 1 11010000 mmmmm 000000 11111 ddddd" "ngcs {d}, {m}";
    adc<R>(wr d: R, rd n: R, rd m: R)
        "s 0 0 11010000 mmmmm 000000 nnnnn ddddd" "adc {d}, {n}, {m}";
    adcs<R>(wr d: R, rd n: R, rd m: R)
        "s 0 1 11010000 mmmmm 000000 nnnnn ddddd" "adcs {d}, {n}, {m}";
    sbc<R>(wr d: R, rd n: R, rd m: R)
        "s 1 0 11010000 mmmmm 000000 nnnnn ddddd" "sbc {d}, {n}, {m}";
    sbcs<R>(wr d: R, rd n: R, rd m: R)
        "s 1 1 11010000 mmmmm 000000 nnnnn ddddd" "sbcs {d}, {n}, {m}";

    // Logical, register.
    mov<R>(wr d: R, rd m: R)
        "s 01 01010 00 0 mmmmm 000000 11111 ddddd" "mov {d}, {m}";
    mvn<R>(wr d: R, rd m: R)
        "s 01 01010 00 1 mmmmm 000000 11111 ddddd" "mvn {d}, {m}";
    mvn_shift<R>(wr d: R, rd m: R, im h: LogicShift, im i: Amount<R>)
        "s 01 01010 hh 1 mmmmm iiiiii 11111 ddddd" "mvn {d}, {m}, {h} {i}";
    tst<R>(rd n: R, rd m: R)
        "s 11 01010 00 0 mmmmm 000000 nnnnn 11111" "tst {n}, {m}";
    tst_shift<R>(rd n: R, rd m: R, im h: LogicShift, im i: Amount<R>)
        "s 11 01010 hh 0 mmmmm iiiiii nnnnn 11111" "tst {n}, {m}, {h} {i}";
    and<R>(wr d: R, rd n: R, rd m: R)
        "s 00 01010 00 0 mmmmm 000000 nnnnn ddddd" "and {d}, {n}, {m}";
    and_shift<R>(wr d: R, rd n: R, rd m: R, im h: LogicShift, im i: Amount<R>)
        "s 00 01010 hh 0 mmmmm iiiiii nnnnn ddddd" "and {d}, {n}, {m}, {h} {i}";
    bic<R>(wr d: R, rd n: R, rd m: R)
        "s 00 01010 00 1 mmmmm 000000 nnnnn ddddd" "bic {d}, {n}, {m}";
    bic_shift<R>(wr d: R, rd n: R, rd m: R, im h: LogicShift, im i: Amount<R>)
        "s 00 01010 hh 1 mmmmm iiiiii nnnnn ddddd" "bic {d}, {n}, {m}, {h} {i}";
    orr<R>(wr d: R, rd n: R, rd m: R)
        "s 01 01010 00 0 mmmmm 000000 nnnnn ddddd" "orr {d}, {n}, {m}";
    orr_shift<R>(wr d: R, rd n: R, rd m: R, im h: LogicShift, im i: Amount<R>)
        "s 01 01010 hh 0 mmmmm iiiiii nnnnn ddddd" "orr {d}, {n}, {m}, {h} {i}";
    orn<R>(wr d: R, rd n: R, rd m: R)
        "s 01 01010 00 1 mmmmm 000000 nnnnn ddddd" "orn {d}, {n}, {m}";
    orn_shift<R>(wr d: R, rd n: R, rd m: R, im h: LogicShift, im i: Amount<R>)
        "s 01 01010 hh 1 mmmmm iiiiii nnnnn ddddd" "orn {d}, {n}, {m}, {h} {i}";
    eor<R>(wr d: R, rd n: R, rd m: R)
        "s 10 01010 00 0 mmmmm 000000 nnnnn ddddd" "eor {d}, {n}, {m}";
    eor_shift<R>(wr d: R, rd n: R, rd m: R, im h: LogicShift, im i: Amount<R>)
        "s 10 01010 hh 0 mmmmm iiiiii nnnnn ddddd" "eor {d}, {n}, {m}, {h} {i}";
    eon<R>(wr d: R, rd n: R, rd m: R)
        "s 10 01010 00 1 mmmmm 000000 nnnnn ddddd" "eon {d}, {n}, {m}";
    eon_shift<R>(wr d: R, rd n: R, rd m: R, im h: LogicShift, im i: Amount<R>)
        "s 10 01010 hh 1 mmmmm iiiiii nnnnn ddddd" "eon {d}, {n}, {m}, {h} {i}";
    ands<R>(wr d: R, rd n: R, rd m: R)
        "s 11 01010 00 0 mmmmm 000000 nnnnn ddddd" "ands {d}, {n}, {m}";
    ands_shift<R>(wr d: R, rd n: R, rd m: R, im h: LogicShift, im i: Amount<R>)
        "s 11 01010 hh 0 mmmmm iiiiii nnnnn ddddd" "ands {d}, {n}, {m}, {h} {i}";
    bics<R>(wr d: R, rd n: R, rd m: R)
        "s 11 01010 00 1 mmmmm 000000 nnnnn ddddd" "bics {d}, {n}, {m}";
    bics_shift<R>(wr d: R, rd n: R, rd m: R, im h: LogicShift, im i: Amount<R>)
        "s 11 01010 hh 1 mmmmm iiiiii nnnnn ddddd" "bics {d}, {n}, {m}, {h} {i}";

    // Logical, immediate.
    mov_bitmask<R>(wr d: @R, im i: BitmaskImm<R> as MovBitmask<R>)
        "s 01 100100 iiiiiiiiiiiii 11111 ddddd" "mov {d}, {i}";
    tst_imm<R>(rd n: R, im i: BitmaskImm<R>)
        "s 11 100100 iiiiiiiiiiiii nnnnn 11111" "tst {n}, {i}";
    and_imm<R>(wr d: @R, rd n: R, im i: BitmaskImm<R>)
        "s 00 100100 iiiiiiiiiiiii nnnnn ddddd" "and {d}, {n}, {i}";
    orr_imm<R>(wr d: @R, rd n: R, im i: BitmaskImm<R>)
        "s 01 100100 iiiiiiiiiiiii nnnnn ddddd" "orr {d}, {n}, {i}";
    eor_imm<R>(wr d: @R, rd n: R, im i: BitmaskImm<R>)
        "s 10 100100 iiiiiiiiiiiii nnnnn ddddd" "eor {d}, {n}, {i}";
    ands_imm<R>(wr d: R, rd n: R, im i: BitmaskImm<R>)
        "s 11 100100 iiiiiiiiiiiii nnnnn ddddd" "ands {d}, {n}, {i}";

    // Move wide.
    mov_inverted<R>(wr d: R, im i: MovImm<R> as MovWide<R, true>)
        "s 00 100101 iiiiiiiiiiiiiiiiii ddddd" "mov {d}, {i}";
    mov_wide<R>(wr d: R, im i: MovImm<R> as MovWide<R, false>)
        "s 10 100101 iiiiiiiiiiiiiiiiii ddddd" "mov {d}, {i}";
    movn<R>(wr d: R, im i: MovImm<R>)
        "s 00 100101 iiiiiiiiiiiiiiiiii ddddd" "movn {d}, {i}";
    movz<R>(wr d: R, im i: MovImm<R>)
        "s 10 100101 iiiiiiiiiiiiiiiiii ddddd" "movz {d}, {i}";
    movk<R>(rw d: R, im i: MovImm<R>)
        "s 11 100101 iiiiiiiiiiiiiiiiii ddddd" "movk {d}, {i}";

    // Bit fields; every SBFM, UBFM and BFM is one of these aliases.
    asr_imm<R>(wr d: R, rd n: R, im i: Amount<R>)
        "s 00 100110 s iiiiii s11111 nnnnn ddddd" "asr {d}, {n}, {i}";
    sbfiz<R>(wr d: R, rd n: R, im i: BitField<R> as Insert<R>)
        "s 00 100110 s iiiiiiiiiiii nnnnn ddddd" "sbfiz {d}, {n}, {i}";
    sxtb<R>(wr d: R, rd n: W)
        "s 00 100110 s 000000 000111 nnnnn ddddd" "sxtb {d}, {n}";
    sxth<R>(wr d: R, rd n: W)
        "s 00 100110 s 000000 001111 nnnnn ddddd" "sxth {d}, {n}";
    sxtw(wr d: X, rd n: W)
        "1 00 100110 1 000000 011111 nnnnn ddddd" "sxtw {d}, {n}";
    sbfx<R>(wr d: R, rd n: R, im i: BitField<R> as Extract<R>)
        "s 00 100110 s iiiiiiiiiiii nnnnn ddddd" "sbfx {d}, {n}, {i}";
    lsr_imm<R>(wr d: R, rd n: R, im i: Amount<R>)
        "s 10 100110 s iiiiii s11111 nnnnn ddddd" "lsr {d}, {n}, {i}";
    lsl_imm<R>(wr d: R, rd n: R, im i: Amount<R> as LeftAmount<R>)
        "s 10 100110 s iiiiiiiiiiii nnnnn ddddd" "lsl {d}, {n}, {i}";
    ubfiz<R>(wr d: R, rd n: R, im i: BitField<R> as Insert<R>)
        "s 10 100110 s iiiiiiiiiiii nnnnn ddddd" "ubfiz {d}, {n}, {i}";
    uxtb(wr d: W, rd n: W)
        "0 10 100110 0 000000 000111 nnnnn ddddd" "uxtb {d}, {n}";
    uxth(wr d: W, rd n: W)
        "0 10 100110 0 000000 001111 nnnnn ddddd" "uxth {d}, {n}";
    ubfx<R>(wr d: R, rd n: R, im i: BitField<R> as Extract<R>)
        "s 10 100110 s iiiiiiiiiiii nnnnn ddddd" "ubfx {d}, {n}, {i}";
    bfc<R>(rw d: R, im i: BitField<R> as Insert<R>)
        "s 01 100110 s iiiiiiiiiiii 11111 ddddd" "bfc {d}, {i}";
    bfi<R>(rw d: R, rd n: R, im i: BitField<R> as Insert<R>)
        "s 01 100110 s iiiiiiiiiiii nnnnn ddddd" "bfi {d}, {n}, {i}";
    bfxil<R>(rw d: R, rd n: R, im i: BitField<R> as Extract<R>)
        "s 01 100110 s iiiiiiiiiiii nnnnn ddddd" "bfxil {d}, {n}, {i}";
    ror_imm<R>(wr d: R, rd n: R, im i: Amount<R>)
        "s 00 100111 s 0 nnnnn iiiiii nnnnn ddddd" "ror {d}, {n}, {i}";
    extr<R>(wr d: R, rd n: R, rd m: R, im i: Amount<R>)
        "s 00 100111 s 0 mmmmm iiiiii nnnnn ddddd" "extr {d}, {n}, {m}, {i}";

    // Variable shifts and division.
    udiv<R>(wr d: R, rd n: R, rd m: R)
        "s 00 11010110 mmmmm 000010 nnnnn ddddd" "udiv {d}, {n}, {m}";
    sdiv<R>(wr d: R, rd n: R, rd m: R)
        "s 00 11010110 mmmmm 000011 nnnnn ddddd" "sdiv {d}, {n}, {m}";
    lslv<R>(wr d: R, rd n: R, rd m: R)
        "s 00 11010110 mmmmm 001000 nnnnn ddddd" "lsl {d}, {n}, {m}";
    lsrv<R>(wr d: R, rd n: R, rd m: R)
        "s 00 11010110 mmmmm 001001 nnnnn ddddd" "lsr {d}, {n}, {m}";
    asrv<R>(wr d: R, rd n: R, rd m: R)
        "s 00 11010110 mmmmm 001010 nnnnn ddddd" "asr {d}, {n}, {m}";
    rorv<R>(wr d: R, rd n: R, rd m: R)
        "s 00 11010110 mmmmm 001011 nnnnn ddddd" "ror {d}, {n}, {m}";

    // Multiplication.
    mul<R>(wr d: R, rd n: R, rd m: R)
        "s 00 11011 000 mmmmm 0 11111 nnnnn ddddd" "mul {d}, {n}, {m}";
    mneg<R>(wr d: R, rd n: R, rd m: R)
        "s 00 11011 000 mmmmm 1 11111 nnnnn ddddd" "mneg {d}, {n}, {m}";
    madd<R>(wr d: R, rd n: R, rd m: R, rd a: R)
        "s 00 11011 000 mmmmm 0 aaaaa nnnnn ddddd" "madd {d}, {n}, {m}, {a}";
    msub<R>(wr d: R, rd n: R, rd m: R, rd a: R)
        "s 00 11011 000 mmmmm 1 aaaaa nnnnn ddddd" "msub {d}, {n}, {m}, {a}";
    smull(wr d: X, rd n: W, rd m: W)
        "1 00 11011 001 mmmmm 0 11111 nnnnn ddddd" "smull {d}, {n}, {m}";
    smaddl(wr d: X, rd n: W, rd m: W, rd a: X)
        "1 00 11011 001 mmmmm 0 aaaaa nnnnn ddddd" "smaddl {d}, {n}, {m}, {a}";
    umull(wr d: X, rd n: W, rd m: W)
        "1 00 11011 101 mmmmm 0 11111 nnnnn ddddd" "umull {d}, {n}, {m}";
    umaddl(wr d: X, rd n: W, rd m: W, rd a: X)
        "1 00 11011 101 mmmmm 0 aaaaa nnnnn ddddd" "umaddl {d}, {n}, {m}, {a}";
    smulh(wr d: X, rd n: X, rd m: X)
        "1 00 11011 010 mmmmm 0 11111 nnnnn ddddd" "smulh {d}, {n}, {m}";
    umulh(wr d: X, rd n: X, rd m: X)
        "1 00 11011 110 mmmmm 0 11111 nnnnn ddddd" "umulh {d}, {n}, {m}";

    // One source.
    rbit<R>(wr d: R, rd n: R)
        "s 10 11010110 00000 000000 nnnnn ddddd" "rbit {d}, {n}";
    rev16<R>(wr d: R, rd n: R)
        "s 10 11010110 00000 000001 nnnnn ddddd" "rev16 {d}, {n}";
    rev<R>(wr d: R, rd n: R)
        "s 10 11010110 00000 00001s nnnnn ddddd" "rev {d}, {n}";
    clz<R>(wr d: R, rd n: R)
        "s 10 11010110 00000 000100 nnnnn ddddd" "clz {d}, {n}";

    // Bytes in a vector register, of which the low 64 bits are one operand: v31, which nobody else uses.
    fmov_to_s31(rd n: W)
        "0 0 0 11110 00 1 00 111 000000 nnnnn 11111" "fmov s31, {n}";
    fmov_from_s31(wr d: W)
        "0 0 0 11110 00 1 00 110 000000 11111 ddddd" "fmov {d}, s31";
    cnt_v31()
        "0 0 0 01110 00 10000 00101 10 11111 11111" "cnt v31.8b, v31.8b";
    addv_v31()
        "0 0 0 01110 00 11000 11011 10 11111 11111" "addv b31, v31.8b";
    cmtst_v31()
        "0 0 0 01110 00 1 11111 10001 1 11111 11111" "cmtst v31.8b, v31.8b, v31.8b";

    // Conditional selection; the aliases print the inverse of the encoded condition.
    cset<R>(wr d: R, im c: Cond as Inverted)
        "s 00 11010100 11111 cccc 01 11111 ddddd" "cset {d}, {c}";
    csetm<R>(wr d: R, im c: Cond as Inverted)
        "s 10 11010100 11111 cccc 00 11111 ddddd" "csetm {d}, {c}";
    cinc<R>(wr d: R, rd n: R, im c: Cond as Inverted)
        "s 00 11010100 nnnnn cccc 01 nnnnn ddddd" "cinc {d}, {n}, {c}";
    cinv<R>(wr d: R, rd n: R, im c: Cond as Inverted)
        "s 10 11010100 nnnnn cccc 00 nnnnn ddddd" "cinv {d}, {n}, {c}";
    cneg<R>(wr d: R, rd n: R, im c: Cond as Inverted)
        "s 10 11010100 nnnnn cccc 01 nnnnn ddddd" "cneg {d}, {n}, {c}";
    csel<R>(wr d: R, rd n: R, rd m: R, im c: Cond)
        "s 00 11010100 mmmmm cccc 00 nnnnn ddddd" "csel {d}, {n}, {m}, {c}";
    csinc<R>(wr d: R, rd n: R, rd m: R, im c: Cond)
        "s 00 11010100 mmmmm cccc 01 nnnnn ddddd" "csinc {d}, {n}, {m}, {c}";
    csinv<R>(wr d: R, rd n: R, rd m: R, im c: Cond)
        "s 10 11010100 mmmmm cccc 00 nnnnn ddddd" "csinv {d}, {n}, {m}, {c}";
    csneg<R>(wr d: R, rd n: R, rd m: R, im c: Cond)
        "s 10 11010100 mmmmm cccc 01 nnnnn ddddd" "csneg {d}, {n}, {m}, {c}";

    // Conditional comparison.
    ccmn<R>(rd n: R, rd m: R, im f: Nzcv, im c: Cond)
        "s 0 1 11010010 mmmmm cccc 00 nnnnn 0 ffff" "ccmn {n}, {m}, {f}, {c}";
    ccmn_imm<R>(rd n: R, im i: Imm5, im f: Nzcv, im c: Cond)
        "s 0 1 11010010 iiiii cccc 10 nnnnn 0 ffff" "ccmn {n}, {i}, {f}, {c}";
    ccmp<R>(rd n: R, rd m: R, im f: Nzcv, im c: Cond)
        "s 1 1 11010010 mmmmm cccc 00 nnnnn 0 ffff" "ccmp {n}, {m}, {f}, {c}";
    ccmp_imm<R>(rd n: R, im i: Imm5, im f: Nzcv, im c: Cond)
        "s 1 1 11010010 iiiii cccc 10 nnnnn 0 ffff" "ccmp {n}, {i}, {f}, {c}";
}

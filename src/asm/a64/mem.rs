//! Loads and stores (Arm ARM C4.1.96). A base register may be sp.

use super::Assembler;
use super::offset::{Disp19, Elided, ExtIndex, Index, LslIndex, PairOff, SImm9, UOff};
use super::operand::{Codec, Gpr, IntoOrSp, W, X};
use super::pattern::{Field, Pattern};
use super::table::{Role, Row, Slot, codec, row, rows, table, value, writes_flags};

table! {
    // Unsigned scaled offset.
    str<R>(rd t: R, rd n: @X, im i: UOff<R> as Elided<UOff<R>>)
        "1s 111 0 01 00 iiiiiiiiiiii nnnnn ttttt" "str {t}, [{n}{i}]";
    ldr<R>(wr t: R, rd n: @X, im i: UOff<R> as Elided<UOff<R>>)
        "1s 111 0 01 01 iiiiiiiiiiii nnnnn ttttt" "ldr {t}, [{n}{i}]";
    strb(rd t: W, rd n: @X, im i: UOff<u8> as Elided<UOff<u8>>)
        "00 111 0 01 00 iiiiiiiiiiii nnnnn ttttt" "strb {t}, [{n}{i}]";
    ldrb(wr t: W, rd n: @X, im i: UOff<u8> as Elided<UOff<u8>>)
        "00 111 0 01 01 iiiiiiiiiiii nnnnn ttttt" "ldrb {t}, [{n}{i}]";
    ldrsb(wr t: W, rd n: @X, im i: UOff<u8> as Elided<UOff<u8>>)
        "00 111 0 01 11 iiiiiiiiiiii nnnnn ttttt" "ldrsb {t}, [{n}{i}]";
    strh(rd t: W, rd n: @X, im i: UOff<u16> as Elided<UOff<u16>>)
        "01 111 0 01 00 iiiiiiiiiiii nnnnn ttttt" "strh {t}, [{n}{i}]";
    ldrh(wr t: W, rd n: @X, im i: UOff<u16> as Elided<UOff<u16>>)
        "01 111 0 01 01 iiiiiiiiiiii nnnnn ttttt" "ldrh {t}, [{n}{i}]";
    ldrsh(wr t: W, rd n: @X, im i: UOff<u16> as Elided<UOff<u16>>)
        "01 111 0 01 11 iiiiiiiiiiii nnnnn ttttt" "ldrsh {t}, [{n}{i}]";

    // Unscaled offset.
    stur<R>(rd t: R, rd n: @X, im i: SImm9 as Elided<SImm9>)
        "1s 111 0 00 00 0 iiiiiiiii 00 nnnnn ttttt" "stur {t}, [{n}{i}]";
    ldur<R>(wr t: R, rd n: @X, im i: SImm9 as Elided<SImm9>)
        "1s 111 0 00 01 0 iiiiiiiii 00 nnnnn ttttt" "ldur {t}, [{n}{i}]";
    sturb(rd t: W, rd n: @X, im i: SImm9 as Elided<SImm9>)
        "00 111 0 00 00 0 iiiiiiiii 00 nnnnn ttttt" "sturb {t}, [{n}{i}]";
    ldurb(wr t: W, rd n: @X, im i: SImm9 as Elided<SImm9>)
        "00 111 0 00 01 0 iiiiiiiii 00 nnnnn ttttt" "ldurb {t}, [{n}{i}]";
    ldursb(wr t: W, rd n: @X, im i: SImm9 as Elided<SImm9>)
        "00 111 0 00 11 0 iiiiiiiii 00 nnnnn ttttt" "ldursb {t}, [{n}{i}]";
    sturh(rd t: W, rd n: @X, im i: SImm9 as Elided<SImm9>)
        "01 111 0 00 00 0 iiiiiiiii 00 nnnnn ttttt" "sturh {t}, [{n}{i}]";
    ldurh(wr t: W, rd n: @X, im i: SImm9 as Elided<SImm9>)
        "01 111 0 00 01 0 iiiiiiiii 00 nnnnn ttttt" "ldurh {t}, [{n}{i}]";
    ldursh(wr t: W, rd n: @X, im i: SImm9 as Elided<SImm9>)
        "01 111 0 00 11 0 iiiiiiiii 00 nnnnn ttttt" "ldursh {t}, [{n}{i}]";

    // Post-index and pre-index.
    str_post<R>(rd t: R, rw n: @X, im i: SImm9)
        "1s 111 0 00 00 0 iiiiiiiii 01 nnnnn ttttt" "str {t}, [{n}], {i}";
    str_pre<R>(rd t: R, rw n: @X, im i: SImm9)
        "1s 111 0 00 00 0 iiiiiiiii 11 nnnnn ttttt" "str {t}, [{n}, {i}]!";
    ldr_post<R>(wr t: R, rw n: @X, im i: SImm9)
        "1s 111 0 00 01 0 iiiiiiiii 01 nnnnn ttttt" "ldr {t}, [{n}], {i}";
    ldr_pre<R>(wr t: R, rw n: @X, im i: SImm9)
        "1s 111 0 00 01 0 iiiiiiiii 11 nnnnn ttttt" "ldr {t}, [{n}, {i}]!";
    strb_post(rd t: W, rw n: @X, im i: SImm9)
        "00 111 0 00 00 0 iiiiiiiii 01 nnnnn ttttt" "strb {t}, [{n}], {i}";
    strb_pre(rd t: W, rw n: @X, im i: SImm9)
        "00 111 0 00 00 0 iiiiiiiii 11 nnnnn ttttt" "strb {t}, [{n}, {i}]!";
    ldrb_post(wr t: W, rw n: @X, im i: SImm9)
        "00 111 0 00 01 0 iiiiiiiii 01 nnnnn ttttt" "ldrb {t}, [{n}], {i}";
    ldrb_pre(wr t: W, rw n: @X, im i: SImm9)
        "00 111 0 00 01 0 iiiiiiiii 11 nnnnn ttttt" "ldrb {t}, [{n}, {i}]!";
    ldrsb_post(wr t: W, rw n: @X, im i: SImm9)
        "00 111 0 00 11 0 iiiiiiiii 01 nnnnn ttttt" "ldrsb {t}, [{n}], {i}";
    ldrsb_pre(wr t: W, rw n: @X, im i: SImm9)
        "00 111 0 00 11 0 iiiiiiiii 11 nnnnn ttttt" "ldrsb {t}, [{n}, {i}]!";
    strh_post(rd t: W, rw n: @X, im i: SImm9)
        "01 111 0 00 00 0 iiiiiiiii 01 nnnnn ttttt" "strh {t}, [{n}], {i}";
    strh_pre(rd t: W, rw n: @X, im i: SImm9)
        "01 111 0 00 00 0 iiiiiiiii 11 nnnnn ttttt" "strh {t}, [{n}, {i}]!";
    ldrh_post(wr t: W, rw n: @X, im i: SImm9)
        "01 111 0 00 01 0 iiiiiiiii 01 nnnnn ttttt" "ldrh {t}, [{n}], {i}";
    ldrh_pre(wr t: W, rw n: @X, im i: SImm9)
        "01 111 0 00 01 0 iiiiiiiii 11 nnnnn ttttt" "ldrh {t}, [{n}, {i}]!";
    ldrsh_post(wr t: W, rw n: @X, im i: SImm9)
        "01 111 0 00 11 0 iiiiiiiii 01 nnnnn ttttt" "ldrsh {t}, [{n}], {i}";
    ldrsh_pre(wr t: W, rw n: @X, im i: SImm9)
        "01 111 0 00 11 0 iiiiiiiii 11 nnnnn ttttt" "ldrsh {t}, [{n}, {i}]!";

    // Register offset, extended or shifted.
    str_uxtw<R>(rd t: R, rd n: @X, rd m: W, im i: Index as ExtIndex<R>)
        "1s 111 0 00 00 1 mmmmm 010 i 10 nnnnn ttttt" "str {t}, [{n}, {m}, uxtw{i}]";
    ldr_uxtw<R>(wr t: R, rd n: @X, rd m: W, im i: Index as ExtIndex<R>)
        "1s 111 0 00 01 1 mmmmm 010 i 10 nnnnn ttttt" "ldr {t}, [{n}, {m}, uxtw{i}]";
    strb_uxtw(rd t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u8>)
        "00 111 0 00 00 1 mmmmm 010 i 10 nnnnn ttttt" "strb {t}, [{n}, {m}, uxtw{i}]";
    ldrb_uxtw(wr t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u8>)
        "00 111 0 00 01 1 mmmmm 010 i 10 nnnnn ttttt" "ldrb {t}, [{n}, {m}, uxtw{i}]";
    ldrsb_uxtw(wr t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u8>)
        "00 111 0 00 11 1 mmmmm 010 i 10 nnnnn ttttt" "ldrsb {t}, [{n}, {m}, uxtw{i}]";
    strh_uxtw(rd t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u16>)
        "01 111 0 00 00 1 mmmmm 010 i 10 nnnnn ttttt" "strh {t}, [{n}, {m}, uxtw{i}]";
    ldrh_uxtw(wr t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u16>)
        "01 111 0 00 01 1 mmmmm 010 i 10 nnnnn ttttt" "ldrh {t}, [{n}, {m}, uxtw{i}]";
    ldrsh_uxtw(wr t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u16>)
        "01 111 0 00 11 1 mmmmm 010 i 10 nnnnn ttttt" "ldrsh {t}, [{n}, {m}, uxtw{i}]";
    str_sxtw<R>(rd t: R, rd n: @X, rd m: W, im i: Index as ExtIndex<R>)
        "1s 111 0 00 00 1 mmmmm 110 i 10 nnnnn ttttt" "str {t}, [{n}, {m}, sxtw{i}]";
    ldr_sxtw<R>(wr t: R, rd n: @X, rd m: W, im i: Index as ExtIndex<R>)
        "1s 111 0 00 01 1 mmmmm 110 i 10 nnnnn ttttt" "ldr {t}, [{n}, {m}, sxtw{i}]";
    strb_sxtw(rd t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u8>)
        "00 111 0 00 00 1 mmmmm 110 i 10 nnnnn ttttt" "strb {t}, [{n}, {m}, sxtw{i}]";
    ldrb_sxtw(wr t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u8>)
        "00 111 0 00 01 1 mmmmm 110 i 10 nnnnn ttttt" "ldrb {t}, [{n}, {m}, sxtw{i}]";
    ldrsb_sxtw(wr t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u8>)
        "00 111 0 00 11 1 mmmmm 110 i 10 nnnnn ttttt" "ldrsb {t}, [{n}, {m}, sxtw{i}]";
    strh_sxtw(rd t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u16>)
        "01 111 0 00 00 1 mmmmm 110 i 10 nnnnn ttttt" "strh {t}, [{n}, {m}, sxtw{i}]";
    ldrh_sxtw(wr t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u16>)
        "01 111 0 00 01 1 mmmmm 110 i 10 nnnnn ttttt" "ldrh {t}, [{n}, {m}, sxtw{i}]";
    ldrsh_sxtw(wr t: W, rd n: @X, rd m: W, im i: Index as ExtIndex<u16>)
        "01 111 0 00 11 1 mmmmm 110 i 10 nnnnn ttttt" "ldrsh {t}, [{n}, {m}, sxtw{i}]";
    str_lsl<R>(rd t: R, rd n: @X, rd m: X, im i: Index as LslIndex<R>)
        "1s 111 0 00 00 1 mmmmm 011 i 10 nnnnn ttttt" "str {t}, [{n}, {m}{i}]";
    ldr_lsl<R>(wr t: R, rd n: @X, rd m: X, im i: Index as LslIndex<R>)
        "1s 111 0 00 01 1 mmmmm 011 i 10 nnnnn ttttt" "ldr {t}, [{n}, {m}{i}]";
    strb_lsl(rd t: W, rd n: @X, rd m: X, im i: Index as LslIndex<u8>)
        "00 111 0 00 00 1 mmmmm 011 i 10 nnnnn ttttt" "strb {t}, [{n}, {m}{i}]";
    ldrb_lsl(wr t: W, rd n: @X, rd m: X, im i: Index as LslIndex<u8>)
        "00 111 0 00 01 1 mmmmm 011 i 10 nnnnn ttttt" "ldrb {t}, [{n}, {m}{i}]";
    ldrsb_lsl(wr t: W, rd n: @X, rd m: X, im i: Index as LslIndex<u8>)
        "00 111 0 00 11 1 mmmmm 011 i 10 nnnnn ttttt" "ldrsb {t}, [{n}, {m}{i}]";
    strh_lsl(rd t: W, rd n: @X, rd m: X, im i: Index as LslIndex<u16>)
        "01 111 0 00 00 1 mmmmm 011 i 10 nnnnn ttttt" "strh {t}, [{n}, {m}{i}]";
    ldrh_lsl(wr t: W, rd n: @X, rd m: X, im i: Index as LslIndex<u16>)
        "01 111 0 00 01 1 mmmmm 011 i 10 nnnnn ttttt" "ldrh {t}, [{n}, {m}{i}]";
    ldrsh_lsl(wr t: W, rd n: @X, rd m: X, im i: Index as LslIndex<u16>)
        "01 111 0 00 11 1 mmmmm 011 i 10 nnnnn ttttt" "ldrsh {t}, [{n}, {m}{i}]";

    // Pairs: signed offset, pre-index, post-index.
    stp<R>(rd t: R, rd m: R, rd n: @X, im i: PairOff<R> as Elided<PairOff<R>>)
        "s0 101 0 010 0 iiiiiii mmmmm nnnnn ttttt" "stp {t}, {m}, [{n}{i}]";
    stp_pre<R>(rd t: R, rd m: R, rw n: @X, im i: PairOff<R>)
        "s0 101 0 011 0 iiiiiii mmmmm nnnnn ttttt" "stp {t}, {m}, [{n}, {i}]!";
    stp_post<R>(rd t: R, rd m: R, rw n: @X, im i: PairOff<R>)
        "s0 101 0 001 0 iiiiiii mmmmm nnnnn ttttt" "stp {t}, {m}, [{n}], {i}";
    ldp<R>(wr t: R, wr m: R, rd n: @X, im i: PairOff<R> as Elided<PairOff<R>>)
        "s0 101 0 010 1 iiiiiii mmmmm nnnnn ttttt" "ldp {t}, {m}, [{n}{i}]";
    ldp_pre<R>(wr t: R, wr m: R, rw n: @X, im i: PairOff<R>)
        "s0 101 0 011 1 iiiiiii mmmmm nnnnn ttttt" "ldp {t}, {m}, [{n}, {i}]!";
    ldp_post<R>(wr t: R, wr m: R, rw n: @X, im i: PairOff<R>)
        "s0 101 0 001 1 iiiiiii mmmmm nnnnn ttttt" "ldp {t}, {m}, [{n}], {i}";

    // Literal.
    ldr_literal<R>(wr t: R, im i: Disp19)
        "0s 011 0 00 iiiiiiiiiiiiiiiiiii ttttt" "ldr {t}, {i}";
}

//! Branches, addresses and system instructions (Arm ARM C4.1.94, C4.1.92). Branches to a label are in `label`.

use super::Assembler;
use super::imm::Decimal;
use super::offset::{AdrDisp, AdrpDisp, Disp14, Disp19, Disp26, TestBit};
use super::operand::{Codec, Cond, Gpr, W, X};
use super::pattern::{Field, Pattern};
use super::table::{Role, Row, Slot, codec, row, rows, table, value, writes_flags};

table! {
    // Direct branches.
    b(im i: Disp26)
        "0 00101 iiiiiiiiiiiiiiiiiiiiiiiiii" "b {i}";
    bl(im i: Disp26)
        "1 00101 iiiiiiiiiiiiiiiiiiiiiiiiii" "bl {i}" + wr 30;
    b_cond(im c: Cond, im i: Disp19)
        "0101010 0 iiiiiiiiiiiiiiiiiii 0 cccc" "b.{c} {i}";
    cbz<R>(rd t: R, im i: Disp19)
        "s 011010 0 iiiiiiiiiiiiiiiiiii ttttt" "cbz {t}, {i}";
    cbnz<R>(rd t: R, im i: Disp19)
        "s 011010 1 iiiiiiiiiiiiiiiiiii ttttt" "cbnz {t}, {i}";
    tbz<R>(rd t: R, im b: TestBit<R>, im i: Disp14)
        "s 011011 0 bbbbb iiiiiiiiiiiiii ttttt" "tbz {t}, {b}, {i}";
    tbnz<R>(rd t: R, im b: TestBit<R>, im i: Disp14)
        "s 011011 1 bbbbb iiiiiiiiiiiiii ttttt" "tbnz {t}, {b}, {i}";

    // Indirect branches.
    br(rd n: X)
        "1101011 0 0 00 11111 0000 0 0 nnnnn 00000" "br {n}";
    blr(rd n: X)
        "1101011 0 0 01 11111 0000 0 0 nnnnn 00000" "blr {n}" + wr 30;
    ret()
        "1101011 0 0 10 11111 0000 0 0 11110 00000" "ret" + rd 30;
    ret_to(rd n: X)
        "1101011 0 0 10 11111 0000 0 0 nnnnn 00000" "ret {n}";

    // Addresses.
    adr(wr d: X, im i: AdrDisp)
        "0 II 10000 iiiiiiiiiiiiiiiiiii ddddd" "adr {d}, {i}";
    adrp(wr d: X, im i: AdrpDisp)
        "1 II 10000 iiiiiiiiiiiiiiiiiii ddddd" "adrp {d}, {i}";

    // System.
    udf(im i: u16 as Decimal)
        "0000000000000000 iiiiiiiiiiiiiiii" "udf {i}";
    brk(im i: u16)
        "11010100 001 iiiiiiiiiiiiiiii 000 00" "brk {i}";
    nop()
        "1101010100 0 00 011 0010 0000 000 11111" "nop";
    dc_cvau(rd t: X)
        "1101010100 0 01 011 0111 1011 001 ttttt" "dc cvau, {t}";
    ic_ivau(rd t: X)
        "1101010100 0 01 011 0111 0101 001 ttttt" "ic ivau, {t}";
    dsb_ish()
        "1101010100 0 00 011 0011 1011 1 00 11111" "dsb ish";
    isb()
        "1101010100 0 00 011 0011 1111 1 10 11111" "isb";
    mrs_ctr_el0(wr t: X)
        "1101010100 1 11 011 0000 0000 001 ttttt" "mrs {t}, ctr_el0";
}

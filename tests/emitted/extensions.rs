//! Sequences of the extensions: bit manipulation, conditional zeros, atomic operations.

use crate::sequences::*;
use rvjit::rv32::{AluOp, AtomicOp, BitOp, Cond, Insn, LoadOp, Reg, UnaryOp};

const fn b(op: BitOp, rd: Reg, rs1: Reg, rs2: Reg) -> Insn {
    Insn::Bits { op, rd, rs1, rs2 }
}

const fn bi(op: BitOp, rd: Reg, rs1: Reg, shamt: u8) -> Insn {
    Insn::BitsImm { op, rd, rs1, shamt }
}

const fn u(op: UnaryOp, rd: Reg, rs1: Reg) -> Insn {
    Insn::Unary { op, rd, rs1 }
}

/// Bit manipulation.
pub(crate) fn bits() -> Vec<Sequence> {
    use BitOp::*;
    use UnaryOp::*;
    let two = |op| vec![b(op, A0, A1, A2)];
    let one = |op| vec![u(op, A0, A1)];
    vec![
        ("sh1add", two(Sh1add)),
        ("sh2add, and a load, t0 dead", {
            let address = b(Sh2add, T0, A1, A2);
            vec![address, load(LoadOp::Lw, A0, T0, 4), li(T0, 0)]
        }),
        ("sh3add without homes", vec![b(Sh3add, GP, x(4), T6)]),
        ("andn", two(Andn)),
        ("andn in place", vec![b(Andn, A0, A0, A1)]),
        ("orn", two(Orn)),
        ("orn in place", vec![b(Orn, A0, A0, A1)]),
        ("xnor", two(Xnor)),
        ("xnor in place", vec![b(Xnor, A0, A0, A1)]),
        ("andn without homes", vec![b(Andn, GP, x(4), T6)]),
        ("min", two(Min)),
        ("minu in place", vec![b(Minu, A0, A0, A1)]),
        ("max, the second operand in place", vec![b(Max, A0, A1, A0)]),
        ("maxu", two(Maxu)),
        ("max with x0", vec![b(Max, A0, A1, ZERO)]),
        ("min without homes", vec![b(Min, GP, x(4), T6)]),
        ("rol", two(Rol)),
        ("ror", two(Ror)),
        ("rori", vec![bi(Ror, A0, A1, 7)]),
        ("clz", one(Clz)),
        ("ctz", one(Ctz)),
        ("cpop", one(Cpop)),
        ("cpop without homes", vec![u(Cpop, GP, x(4))]),
        ("Zbb's sext.b", one(SextB)),
        ("Zbb's sext.h", one(SextH)),
        ("Zbb's zext.h", one(ZextH)),
        ("orc.b", one(OrcB)),
        ("rev8", one(Rev8)),
        ("rev8 in place", vec![u(Rev8, A0, A0)]),
        ("bclr", two(Bclr)),
        ("bext", two(Bext)),
        ("binv", two(Binv)),
        ("bset", two(Bset)),
        ("bset in place", vec![b(Bset, A0, A0, A1)]),
        ("bset of x0", vec![b(Bset, A0, ZERO, A1)]),
        ("bclri", vec![bi(Bclr, A0, A1, 20)]),
        ("bexti", vec![bi(Bext, A0, A1, 20)]),
        ("binvi", vec![bi(Binv, A0, A1, 20)]),
        ("bseti", vec![bi(Bset, A0, A1, 20)]),
        (
            "bexti+bnez, t0 dead",
            vec![
                bi(Bext, T0, A1, 20),
                branch(Cond::Ne, T0, ZERO, 8),
                i(AluOp::Add, A0, A0, 1),
                li(T0, 0),
            ],
        ),
        ("pack", two(Pack)),
        ("pack in place", vec![b(Pack, A0, A0, A1)]),
        ("packh", two(Packh)),
        ("packh over the second operand", vec![b(Packh, A0, A1, A0)]),
        ("brev8", one(Brev8)),
        ("zip", one(Zip)),
        ("unzip", one(Unzip)),
        ("czero.eqz", two(CzeroEqz)),
        ("czero.nez in place", vec![b(CzeroNez, A0, A0, A1)]),
        ("czero.eqz without homes", vec![b(CzeroEqz, GP, x(4), T6)]),
        ("clmul", two(Clmul)),
    ]
}

fn atomic(op: AtomicOp, rd: Reg, rs2: Reg, rs1: Reg) -> Insn {
    Insn::Atomic {
        op,
        rd,
        rs1,
        rs2,
        ordering: 0,
    }
}

/// Atomic operations, which have one form for each placement.
pub(crate) fn atomics() -> Vec<Sequence> {
    use AtomicOp::*;
    vec![
        ("lr.w", vec![atomic(LoadReserved, A0, ZERO, A1)]),
        (
            "lr.w over its address",
            vec![atomic(LoadReserved, A1, ZERO, A1)],
        ),
        ("sc.w", vec![atomic(StoreConditional, A0, A2, A1)]),
        ("amoswap.w", vec![atomic(Swap, A0, A2, A1)]),
        ("amoadd.w", vec![atomic(Add, A0, A2, A1)]),
        ("amoor.w, x0", vec![atomic(Or, ZERO, A2, A1)]),
        ("amomin.w", vec![atomic(Min, A0, A2, A1)]),
        ("amoadd.w without homes", vec![atomic(Add, GP, T0, x(4))]),
        ("amomaxu.w without homes", vec![atomic(Maxu, GP, T0, x(4))]),
    ]
}

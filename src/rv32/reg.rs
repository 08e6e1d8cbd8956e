//! [`Reg`]: a guest register and its ABI name.

use std::fmt;

/// A guest register, x0 to x31.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(u8);

/// The ABI names, as the RISC-V psABI and objdump give them.
const ABI_NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];

impl Reg {
    /// x0, always zero.
    pub const ZERO: Reg = Reg(0);
    /// x1, the return address.
    pub const RA: Reg = Reg(1);
    /// x2, the stack pointer.
    pub const SP: Reg = Reg(2);
    /// x3, the global pointer.
    pub const GP: Reg = Reg(3);
    /// x4, the thread pointer.
    pub const TP: Reg = Reg(4);
    /// x5, t0: the alternate link register.
    pub const T0: Reg = Reg(5);
    /// x8, s0: the frame pointer where there is one.
    pub const S0: Reg = Reg(8);
    /// x10, a0: the first argument and the result.
    pub const A0: Reg = Reg(10);
    /// x11, a1.
    pub const A1: Reg = Reg(11);
    /// x17, a7: the number of a system call.
    pub const A7: Reg = Reg(17);

    /// The register with this number, or `None` above 31.
    #[must_use]
    pub const fn new(number: u8) -> Option<Reg> {
        if number < 32 { Some(Reg(number)) } else { None }
    }

    /// The register whose number stands in the low five bits, as instruction fields hold it.
    #[must_use]
    pub const fn from_field(bits: u32) -> Reg {
        Reg((bits & 31) as u8)
    }

    /// 0 to 31.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// 0 to 31, as instruction fields hold it.
    #[must_use]
    pub const fn field(self) -> u32 {
        self.0 as u32
    }

    /// Whether this is x0.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The psABI's name, for example `a0`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        ABI_NAMES[self.0 as usize]
    }

    /// All 32 registers in order.
    pub fn all() -> impl Iterator<Item = Reg> {
        (0..32).map(Reg)
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

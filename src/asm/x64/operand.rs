//! What an instruction can be given: registers, memory, conditions, immediates.
//!
//! Invariant: every value of these types can be encoded. What x86-64 cannot express (rsp as an index) is
//! refused when the value is made, so that the encoder has no error paths.

/// A general register, without a width: the instruction gives that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the architecture's")]
pub enum Reg {
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

impl Reg {
    /// All registers, in the order of their numbers.
    pub const ALL: [Reg; 16] = [
        Reg::Rax,
        Reg::Rcx,
        Reg::Rdx,
        Reg::Rbx,
        Reg::Rsp,
        Reg::Rbp,
        Reg::Rsi,
        Reg::Rdi,
        Reg::R8,
        Reg::R9,
        Reg::R10,
        Reg::R11,
        Reg::R12,
        Reg::R13,
        Reg::R14,
        Reg::R15,
    ];

    /// The number that encodes the register, 0 to 15.
    #[inline]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The register's bit in a set such as [`Insn::reads`](super::Insn::reads).
    #[inline]
    pub const fn bit(self) -> u16 {
        1 << self as u8
    }

    /// The register whose number is in the low four bits of `n`.
    #[inline]
    pub(super) const fn from_low4(n: u8) -> Reg {
        Reg::ALL[(n & 15) as usize]
    }
}

/// What an index register is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Scale {
    /// Times 1.
    X1,
    /// Times 2.
    X2,
    /// Times 4.
    X4,
    /// Times 8.
    X8,
}

impl Scale {
    pub(super) const ALL: [Scale; 4] = [Scale::X1, Scale::X2, Scale::X4, Scale::X8];
}

/// A memory operand: base + index × scale + displacement, all optional.
///
/// Made by [`Mem::base`] or [`Mem::absolute`] and refined: `Mem::base(Rsi).index(Rcx, Scale::X4).disp(8)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mem {
    pub(super) base: Option<Reg>,
    pub(super) index: Option<(Reg, Scale)>,
    pub(super) disp: i32,
    pub(super) addr32: bool,
    pub(super) gs: bool,
}

impl Mem {
    /// `[base]`.
    #[inline]
    pub const fn base(base: Reg) -> Mem {
        Mem {
            base: Some(base),
            ..Mem::absolute(0)
        }
    }

    /// `[disp]`, sign-extended to 64 bits (zero-extended after [`Mem::addr32`]).
    #[inline]
    pub const fn absolute(disp: i32) -> Mem {
        Mem {
            base: None,
            index: None,
            disp,
            addr32: false,
            gs: false,
        }
    }

    /// Adds `index × scale`, in place of an earlier index.
    ///
    /// # Panics
    /// When `index` is rsp, whose number means "no index" (SDM volume 2, table 2-3).
    #[inline]
    pub const fn index(self, index: Reg, scale: Scale) -> Mem {
        match self.try_index(index, scale) {
            Some(mem) => mem,
            None => panic!("rsp cannot be an index"),
        }
    }

    /// Adds `index × scale`, or gives `None` when `index` is rsp.
    #[inline]
    pub const fn try_index(mut self, index: Reg, scale: Scale) -> Option<Mem> {
        if matches!(index, Reg::Rsp) {
            return None;
        }
        self.index = Some((index, scale));
        Some(self)
    }

    /// Sets the displacement in bytes.
    #[inline]
    pub const fn disp(mut self, disp: i32) -> Mem {
        self.disp = disp;
        self
    }

    /// Makes base and index 32-bit registers and the sum wrap at 2^32 (prefix 67h).
    #[inline]
    pub const fn addr32(mut self) -> Mem {
        self.addr32 = true;
        self
    }

    /// Adds the base of the gs segment to the address (prefix 65h), after any wrapping at 2^32.
    #[inline]
    pub const fn gs(mut self) -> Mem {
        self.gs = true;
        self
    }

    /// The same address in the form with the shortest encoding.
    #[inline]
    pub(super) fn shortest(mut self) -> Mem {
        if self.index.is_none() {
            return self;
        }
        match (self.base, self.index) {
            // Without a base, the displacement takes four bytes.
            (None, Some((index, Scale::X1))) => {
                self.base = Some(index);
                self.index = None;
            }
            (None, Some((index, Scale::X2))) => {
                self.base = Some(index);
                self.index = Some((index, Scale::X1));
            }
            // rbp and r13 as a base need a displacement; as an index they do not.
            (Some(base), Some((index, Scale::X1)))
                if self.disp == 0 && base.number() & 7 == 5 && index.number() & 7 != 5 =>
            {
                self.base = Some(index);
                self.index = Some((base, Scale::X1));
            }
            _ => {}
        }
        self
    }
}

/// A register or a memory operand: the SDM's `r/m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rm {
    /// A register.
    Reg(Reg),
    /// Memory.
    Mem(Mem),
}

impl From<Reg> for Rm {
    #[inline]
    fn from(reg: Reg) -> Rm {
        Rm::Reg(reg)
    }
}

impl From<Mem> for Rm {
    #[inline]
    fn from(mem: Mem) -> Rm {
        Rm::Mem(mem)
    }
}

/// A condition on the flags, as `jcc`, `setcc` and `cmovcc` take it (SDM volume 1, appendix B).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cond {
    /// Overflow.
    O,
    /// No overflow.
    No,
    /// Unsigned less, carry.
    B,
    /// Unsigned greater or equal, no carry.
    Ae,
    /// Equal, zero.
    E,
    /// Not equal, not zero.
    Ne,
    /// Unsigned less or equal.
    Be,
    /// Unsigned greater.
    A,
    /// Negative.
    S,
    /// Not negative.
    Ns,
    /// Even parity.
    P,
    /// Odd parity.
    Np,
    /// Signed less.
    L,
    /// Signed greater or equal.
    Ge,
    /// Signed less or equal.
    Le,
    /// Signed greater.
    G,
}

impl Cond {
    /// All conditions, in the order of their numbers.
    pub const ALL: [Cond; 16] = [
        Cond::O,
        Cond::No,
        Cond::B,
        Cond::Ae,
        Cond::E,
        Cond::Ne,
        Cond::Be,
        Cond::A,
        Cond::S,
        Cond::Ns,
        Cond::P,
        Cond::Np,
        Cond::L,
        Cond::Ge,
        Cond::Le,
        Cond::G,
    ];

    /// The condition that holds exactly when this one does not.
    #[inline]
    pub const fn invert(self) -> Cond {
        Cond::ALL[(self as u8 ^ 1) as usize]
    }

    /// The condition that holds of (b, a) exactly when this one holds of (a, b), after a `cmp`.
    ///
    /// `None` for the conditions that are not a comparison.
    #[inline]
    pub const fn swap(self) -> Option<Cond> {
        match self {
            Cond::B => Some(Cond::A),
            Cond::Ae => Some(Cond::Be),
            Cond::Be => Some(Cond::Ae),
            Cond::A => Some(Cond::B),
            Cond::L => Some(Cond::G),
            Cond::Ge => Some(Cond::Le),
            Cond::Le => Some(Cond::Ge),
            Cond::G => Some(Cond::L),
            Cond::E | Cond::Ne => Some(self),
            Cond::O | Cond::No | Cond::S | Cond::Ns | Cond::P | Cond::Np => None,
        }
    }
}

/// An integer that an instruction can carry; the row says which type it takes.
pub trait Immediate: Copy {
    /// The value as bits, the low ones of which are emitted.
    fn bits(self) -> u64;
}

macro_rules! immediates {
    ($($signed:ty: $unsigned:ty),*) => { $(
        impl Immediate for $signed {
            #[inline]
            fn bits(self) -> u64 {
                u64::from(self.cast_unsigned())
            }
        }
        impl Immediate for $unsigned {
            #[inline]
            fn bits(self) -> u64 {
                u64::from(self)
            }
        }
    )* };
}
immediates!(i8: u8, i16: u16, i32: u32, i64: u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsp_is_no_index() {
        assert_eq!(Mem::base(Reg::Rax).try_index(Reg::Rsp, Scale::X2), None);
        assert!(Mem::base(Reg::Rsp).try_index(Reg::R12, Scale::X2).is_some());
    }

    #[test]
    fn conditions_invert_and_swap() {
        let holds = |cond: Cond, a: i8, b: i8| {
            let (unsigned, signed) = (a.cast_unsigned() < b.cast_unsigned(), a < b);
            match cond {
                Cond::B => unsigned,
                Cond::Ae => !unsigned,
                Cond::Be => unsigned || a == b,
                Cond::A => !(unsigned || a == b),
                Cond::L => signed,
                Cond::Ge => !signed,
                Cond::Le => signed || a == b,
                Cond::G => !(signed || a == b),
                Cond::E => a == b,
                Cond::Ne => a != b,
                Cond::O | Cond::No | Cond::S | Cond::Ns | Cond::P | Cond::Np => unreachable!(),
            }
        };
        for cond in Cond::ALL {
            assert_eq!(cond.invert().invert(), cond);
            let Some(swapped) = cond.swap() else { continue };
            for (a, b) in [(0, 0), (1, 2), (2, 1), (-1, 1), (1, -1), (-128, 127)] {
                assert_eq!(holds(cond, a, b), !holds(cond.invert(), a, b));
                assert_eq!(holds(cond, a, b), holds(swapped, b, a));
            }
        }
    }
}

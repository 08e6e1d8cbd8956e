//! What one row of the instruction tables becomes: a method of `Assembler`, and a [`Row`] for the disassembler.
//!
//! A row reads `name<R>(role letter: Type, …) "pattern" "text";`. The letter is the field's in the pattern and the
//! operand's in the text. `<R>` makes two instructions, for `W` and `X`; the letter `s` is then the register width.
//! * roles: `wr`, `rd`, `rw` for registers written, read or both, `im` for what is not a register;
//! * types: `T` is passed and encoded as itself, `T as C` is passed as `T` and encoded and printed by the codec `C`,
//!   `@R` is a register where 31 means sp;
//! * `+ wr 30` after the text: a register used without a field.
//!
//! The first row that matches a word prints it, so a preferred alias stands before the instruction it is an alias of. A
//! row fails to compile if its pattern is not 32 bits, a letter has no operand, or an operand's width is not its
//! field's.

use super::operand::{Class, Codec};
use super::pattern::{Field, Pattern};

/// What an instruction does with a register operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Role {
    reads: bool,
    writes: bool,
}

#[expect(non_upper_case_globals, reason = "spelled as in the tables")]
impl Role {
    pub(super) const rd: Role = Role {
        reads: true,
        writes: false,
    };
    pub(super) const wr: Role = Role {
        reads: false,
        writes: true,
    };
    pub(super) const rw: Role = Role {
        reads: true,
        writes: true,
    };
    pub(super) const im: Role = Role {
        reads: false,
        writes: false,
    };
}

impl Role {
    pub(super) const fn writes(self) -> bool {
        self.writes
    }
}

/// An operand of a [`Row`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    name: &'static str,
    field: Field,
    role: Role,
    class: Class,
    text: fn(u32, u64) -> Option<String>,
}

impl Slot {
    pub(super) const fn new<C: Codec>(name: &'static str, role: Role, pattern: &Pattern) -> Slot {
        assert!(name.len() == 1, "an operand is named by its letter");
        let field = pattern.field(name.as_bytes()[0]);
        assert!(
            field.width() == C::WIDTH,
            "an operand's width is not its field's"
        );
        let is_register = !matches!(C::CLASS, Class::Other);
        assert!(
            is_register == (role.reads || role.writes),
            "a role that does not suit the operand"
        );
        Slot {
            name,
            field,
            role,
            class: C::CLASS,
            text: C::text,
        }
    }
}

/// An instruction, or an alias of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) name: &'static str,
    fixed: u32,
    mask: u32,
    text: &'static str,
    slots: &'static [Slot],
    implicit: Option<(Role, u8)>,
}

/// What a known instruction word does with the general registers; see [`classify`](super::classify).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// Name of the assembler's method that emits it (or its preferred alias).
    pub name: &'static str,
    /// Bit n is set if it reads register n, 0 to 30; the zero register is not a register here.
    pub reads: u32,
    /// Bit n is set if it writes register n, 0 to 30.
    pub writes: u32,
    /// Whether it reads or writes sp.
    pub uses_sp: bool,
    /// Whether it writes the condition flags.
    pub writes_flags: bool,
}

impl Row {
    pub(super) const fn new(
        name: &'static str,
        pattern: &Pattern,
        sf: Option<u32>,
        text: &'static str,
        slots: &'static [Slot],
        implicit: Option<(Role, u8)>,
    ) -> Row {
        let (mut fixed, mut mask) = (pattern.fixed, pattern.mask);
        if let Some(sf) = sf {
            let field = pattern.field(b's');
            fixed |= field.put(sf);
            mask |= field.bits;
        }
        let (mut covered, mut i) = (mask, 0);
        while i < slots.len() {
            covered |= slots[i].field.bits;
            i += 1;
        }
        assert!(covered == !0, "a letter of the pattern has no operand");
        Row {
            name,
            fixed,
            mask,
            text,
            slots,
            implicit,
        }
    }

    /// The text of `word` at address `at`, if it is this instruction.
    pub(super) fn print(&self, word: u32, at: u64) -> Option<String> {
        if word & self.mask != self.fixed {
            return None;
        }
        let mut parts = self.text.split(['{', '}']);
        let mut text = parts.next()?.to_string();
        while let (Some(name), Some(literal)) = (parts.next(), parts.next()) {
            let slot = self.slots.iter().find(|slot| slot.name == name)?;
            text += &(slot.text)(slot.field.get(word)?, at)?;
            text += literal;
        }
        Some(text)
    }

    /// The registers of `word`, which must be this instruction.
    pub(super) fn info(&self, word: u32) -> Info {
        let mut info = Info {
            name: self.name,
            reads: 0,
            writes: 0,
            uses_sp: false,
            writes_flags: writes_flags(self.text),
        };
        let registers = self.slots.iter().filter_map(|slot| match slot.class {
            Class::Other => None,
            Class::OrZr | Class::OrSp => Some((slot.role, slot.class, slot.field.get(word)?)),
        });
        let implicit = self
            .implicit
            .map(|(role, number)| (role, Class::OrZr, u32::from(number)));
        for (role, class, number) in registers.chain(implicit) {
            match number {
                31 => info.uses_sp |= class == Class::OrSp,
                n => {
                    info.reads |= u32::from(role.reads) << n;
                    info.writes |= u32::from(role.writes) << n;
                }
            }
        }
        info.uses_sp |= self.text.contains("sp");
        info
    }
}

/// Whether the instruction of this text writes the condition flags (Arm ARM C1.2.4): comparisons, and arithmetic and
/// logic whose name ends with s.
pub(super) const fn writes_flags(text: &str) -> bool {
    let (mut name, mut len) = (text.as_bytes(), 0);
    while len < name.len() && name[len] != b' ' {
        len += 1;
    }
    (name, _) = name.split_at(len);
    matches!(
        name,
        b"cmp"
            | b"cmn"
            | b"tst"
            | b"ccmp"
            | b"ccmn"
            | b"adds"
            | b"subs"
            | b"negs"
            | b"adcs"
            | b"sbcs"
            | b"ngcs"
            | b"ands"
            | b"bics"
    )
}

/// The codec of an operand as the tables write it.
macro_rules! codec {
    (@ $sp:ident) => { $crate::asm::a64::operand::OrSp<$sp> };
    ($value:ty) => { $value };
    ($value:ty as $codec:ty) => { $codec };
}

/// The value of an argument as its codec takes it.
macro_rules! value {
    ($arg:ident @ $sp:ident) => {
        $crate::asm::a64::operand::IntoOrSp::<$sp>::or_sp($arg)
    };
    ($arg:ident) => {
        $arg
    };
}

macro_rules! row {
    ([$sf:expr] $name:ident ($($role:ident $arg:ident: [$($ty:tt)*]),*) $bits:literal $text:literal [$($ir:ident $in:literal)?]) => {{
        const P: Pattern = Pattern::parse($bits);
        const IMPLICIT: Option<(Role, u8)> = [$( Some((Role::$ir, $in)), )? None][0];
        Row::new(stringify!($name), &P, $sf, $text,
            const { &[$( Slot::new::<codec!($($ty)*)>(stringify!($arg), Role::$role, &P) ),*] }, IMPLICIT)
    }};
}

macro_rules! rows {
    ([] $($row:tt)*) => { &[row!([None] $($row)*)] };
    ([$g:ident] $($row:tt)*) => { &[
        { type $g = W; row!([Some(0)] $($row)*) },
        { type $g = X; row!([Some(1)] $($row)*) },
    ] };
}

/// Makes the methods of `Assembler` and the constant `ROWS`; the module's documentation has the notation.
macro_rules! table {
    ($( $(#[$doc:meta])* $name:ident $(<$g:ident>)?
        ($($role:ident $arg:ident: $(@$sp:ident)? $($value:ty $(as $codec:ty)?)?),*)
        $bits:literal $text:literal $(+ $ir:ident $in:literal)?; )*) => {
        impl Assembler { $(
            #[doc = concat!("`", $text, "`, encoded as `", $bits, "`.")]
            $(#[$doc])*
            #[inline]
            pub fn $name $(<$g: Gpr>)? (&mut self $(, $arg: $(impl IntoOrSp<$sp>)? $($value)?)*) {
                const P: Pattern = Pattern::parse($bits);
                let word = P.fixed
                    $(| { const F: Field = P.field(b's'); F.put(<$g as Gpr>::SF) })?
                    $(| { const F: Field = P.field(stringify!($arg).as_bytes()[0]);
                          F.put(<codec!($(@$sp)? $($value $(as $codec)?)?) as Codec>::bits(value!($arg $(@$sp)?))) })*;
                self.push(word);
                $(if const { Role::$role.writes() } {
                    const F: Field = P.field(stringify!($arg).as_bytes()[0]);
                    self.wrote(word >> const { F.bits.trailing_zeros() });
                })*
                $(if const { Role::$ir.writes() } { self.wrote($in); })?
                if const { writes_flags($text) } { self.writes.flags(); }
            }
        )* }

        /// The rows of this table, in order of preference; a row of both widths is a slice of two.
        pub(super) const ROWS: &[&[Row]] = &[$(
            rows!([$($g)?] $name ($($role $arg: [$(@$sp)? $($value $(as $codec)?)?]),*) $bits $text [$($ir $in)?])
        ),*];
    };
}

pub(super) use {codec, row, rows, table, value};

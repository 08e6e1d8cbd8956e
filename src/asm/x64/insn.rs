//! A decoded instruction, and what can be asked of it.

use super::form::{self, Row, Width};
use super::operand::{Cond, Mem, Reg};

/// An operand of a decoded instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    None,
    Reg(Reg, Width),
    Mem {
        mem: Mem,
        /// `None` for `lea`.
        width: Option<Width>,
        /// A displacement is encoded, even if it is zero.
        has_disp: bool,
    },
    /// As it is printed: extended to the width of the first operand if the row says so.
    Imm(u64),
    Target(u64),
    Fixed(&'static str),
}

/// A decoded instruction. Its `Display` is the text that GNU objdump prints in Intel syntax.
#[derive(Clone, Copy, Debug)]
pub struct Insn {
    pub(super) len: usize,
    pub(super) row: Option<&'static Row>,
    pub(super) cond: Cond,
    pub(super) values: [Value; 3],
}

impl Insn {
    /// Length in bytes; 1 if unknown.
    #[expect(clippy::len_without_is_empty, reason = "no instruction is empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the bytes are an instruction that the assembler can emit.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.row.is_some()
    }

    /// The mnemonic as the table has it: `jcc` for every conditional jump. Empty if unknown.
    #[must_use]
    pub fn mnemonic(&self) -> &'static str {
        self.row.map_or("", |row| row.mnemonic)
    }

    /// Where a direct jump or call goes.
    #[must_use]
    pub fn target(&self) -> Option<u64> {
        self.values.iter().find_map(|value| {
            if let Value::Target(target) = *value {
                Some(target)
            } else {
                None
            }
        })
    }

    /// The memory operand, also that of `lea` and `nop`, which do not access it.
    #[must_use]
    pub fn memory(&self) -> Option<Mem> {
        self.values.iter().find_map(|value| {
            if let Value::Mem { mem, .. } = *value {
                Some(mem)
            } else {
                None
            }
        })
    }

    /// Whether `reg` is in the text, at any width. `push` and `ret` use rsp, but do not name it.
    #[must_use]
    pub fn names(&self, reg: Reg) -> bool {
        self.values
            .iter()
            .any(|&value| (value_bits(value) | address_bits(value)) & reg.bit() != 0)
    }

    /// The registers read, named or not, as a set of [`Reg::bit`]s.
    ///
    /// A register of which only a part is written counts as read.
    #[must_use]
    pub fn reads(&self) -> u16 {
        let (implicit, _) = self.implicit();
        let accesses = self.accesses();
        self.values
            .iter()
            .zip(accesses)
            .fold(implicit, |set, (&value, (reads, _))| {
                let partial = matches!(value, Value::Reg(_, Width::W8 | Width::W16));
                let read = if reads || partial {
                    value_bits(value)
                } else {
                    0
                };
                set | read | address_bits(value)
            })
    }

    /// The registers written, named or not, as a set of [`Reg::bit`]s.
    #[must_use]
    pub fn writes(&self) -> u16 {
        let (_, implicit) = self.implicit();
        let accesses = self.accesses();
        self.values
            .iter()
            .zip(accesses)
            .fold(implicit, |set, (&value, (_, writes))| {
                set | if writes { value_bits(value) } else { 0 }
            })
    }

    /// Whether it writes any of the flags that conditions look at, or leaves them undefined.
    #[must_use]
    pub fn writes_flags(&self) -> bool {
        self.row.is_some_and(|row| row.form.writes.flags)
    }

    /// Whether each operand is (read, written).
    fn accesses(&self) -> [(bool, bool); 3] {
        self.row.map_or([(false, false); 3], |row| {
            form::accesses(row.mnemonic, &row.operands)
        })
    }

    /// The registers (read, written) without being named.
    fn implicit(&self) -> (u16, u16) {
        self.row
            .map_or((0, 0), |row| form::implicit(row.mnemonic, &row.operands))
    }
}

/// The register that an operand is.
fn value_bits(value: Value) -> u16 {
    match value {
        Value::Reg(reg, _) => reg.bit(),
        Value::Fixed("cl") => Reg::Rcx.bit(),
        Value::Fixed("1") => 0,
        Value::Fixed(_) => Reg::Rax.bit(),
        Value::None | Value::Mem { .. } | Value::Imm(_) | Value::Target(_) => 0,
    }
}

/// The registers in an operand's address.
fn address_bits(value: Value) -> u16 {
    match value {
        Value::Mem { mem, .. } => {
            mem.base.map_or(0, Reg::bit) | mem.index.map_or(0, |(index, _)| index.bit())
        }
        Value::None | Value::Reg(..) | Value::Imm(_) | Value::Target(_) | Value::Fixed(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Assembler, Scale, decode};
    use super::*;

    fn insn(emit: impl Fn(&mut Assembler)) -> Insn {
        let mut a = Assembler::new();
        emit(&mut a);
        let insn = decode(a.code(), 0);
        assert!(insn.is_known() && insn.len() == a.offset());
        insn
    }

    fn sets(emit: impl Fn(&mut Assembler)) -> (Vec<Reg>, Vec<Reg>) {
        let insn = insn(emit);
        let list = |set: u16| {
            Reg::ALL
                .into_iter()
                .filter(|r| set & r.bit() != 0)
                .collect()
        };
        (list(insn.reads()), list(insn.writes()))
    }

    #[test]
    fn knows_the_registers_read_and_written() {
        use Reg::*;
        let m = Mem::base(R8).index(R9, Scale::X4);
        assert_eq!(sets(|a| a.add32(Rbx, m)), (vec![Rbx, R8, R9], vec![Rbx]));
        assert_eq!(sets(|a| a.mov32(Rbx, Rsi)), (vec![Rsi], vec![Rbx]));
        assert_eq!(sets(|a| a.mov32_mr(m, Rbx)), (vec![Rbx, R8, R9], vec![]));
        assert_eq!(sets(|a| a.cmp32_i(Rax, 1000)), (vec![Rax], vec![]));
        assert_eq!(sets(|a| a.shl32_cl(Rdx)), (vec![Rcx, Rdx], vec![Rdx]));
        assert_eq!(sets(|a| a.setcc(Cond::B, Rsi)), (vec![Rsi], vec![Rsi]));
        assert_eq!(
            sets(|a| a.imul32_wide(Rbx)),
            (vec![Rax, Rbx], vec![Rax, Rdx])
        );
        assert_eq!(sets(|a| a.imul32_i(Rbx, Rsi, 5)), (vec![Rsi], vec![Rbx]));
        assert_eq!(
            sets(|a| a.idiv32(Rbx)),
            (vec![Rax, Rdx, Rbx], vec![Rax, Rdx])
        );
        assert_eq!(
            sets(|a| a.mulx32(Rsi, Rdi, R8)),
            (vec![Rdx, R8], vec![Rsi, Rdi])
        );
        assert_eq!(
            sets(|a| a.xchg64(Rsi, Rdi)),
            (vec![Rsi, Rdi], vec![Rsi, Rdi])
        );
        assert_eq!(sets(|a| a.push(Rbx)), (vec![Rbx, Rsp], vec![Rsp]));
        assert_eq!(sets(Assembler::cdq), (vec![Rax], vec![Rdx]));
        assert_eq!(sets(|a| a.nops(9)), (vec![Rax], vec![]));
    }

    #[test]
    fn tells_a_named_register_from_an_implied_one() {
        let at_rsp = Mem::base(Reg::Rsp).disp(8);
        assert!(!insn(Assembler::ret).names(Reg::Rsp));
        assert!(insn(|a| a.mov32(Reg::Rax, at_rsp)).names(Reg::Rsp));
        assert!(insn(|a| a.add64_i(Reg::Rsp, 8)).names(Reg::Rsp));
        assert_eq!(insn(|a| a.mov32(Reg::Rax, at_rsp)).memory(), Some(at_rsp));
    }
}

//! An x86-64 assembler and disassembler made from one table.
//!
//! `table` has one row an instruction form, in the notation of the Intel SDM volume 2 (opcode, instruction,
//! operand encoding). A row that cannot be parsed fails to compile. From it come the typed method of
//! [`Assembler`] that emits the form, and the entry that `decode` matches, so that text and bytes cannot
//! disagree about what an instruction is.
//!
//! A register is a [`Reg`] without a width: the width is in the method's name (`add32`, `add64`), and with
//! it the meaning of a memory operand. Forms that the table lacks cannot be asked for.
//!
//! Method names are `<mnemonic><width>`, then nothing for the form whose first operand is a register
//! (`add32(d, s)`), `_mr` for the form that stores, `_i` for the shortest of the forms with an immediate.
//! The single rows behind `_i` are public too: `_mi8`, `_mi32`, `_ai32` (accumulator), `_oi` (in the opcode).

mod decode;
mod encode;
mod form;
mod insn;
mod label;
mod operand;
mod shortest;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub use decode::decode;
pub use encode::Assembler;
pub use insn::Insn;
pub use label::{AsmError, Label};
pub use operand::{Cond, Immediate, Mem, Reg, Rm, Scale};
pub use text::disassemble;

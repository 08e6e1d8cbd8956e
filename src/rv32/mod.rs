//! The guest instruction set, RV32IM with Zicsr and Zifencei: pure data and functions, no host, no state.

pub mod decode;
pub mod disasm;
pub mod encode;
pub mod insn;

pub use decode::decode;
pub use disasm::{Listing, disassemble, disassemble_word};
pub use encode::{encode, try_encode};
pub use insn::{AluOp, Cond, CsrOp, CsrSource, Insn, LoadOp, MulOp, Reg, StoreOp};

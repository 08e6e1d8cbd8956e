//! The guest instruction set, RV32IM with Zicsr and Zifencei: pure data and functions, no host, no state.

pub mod decode;
pub mod disasm;
pub mod encode;
pub mod foreign;
mod insn;
mod op;
mod reg;

pub use decode::decode;
pub use disasm::{Listing, disassemble, disassemble_word};
pub use encode::{encode, try_encode};
pub use foreign::{Foreign, foreign};
pub use insn::{CsrOp, CsrSource, Insn, PrivilegedOp};
pub use op::{AluOp, Cond, LoadOp, MulOp, StoreOp};
pub use reg::Reg;

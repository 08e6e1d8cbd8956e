//! The guest instruction set, RV32IMAC with Zicsr, Zifencei and Zcb, and machine mode's: pure data and functions, no host, no state.

mod atomic;
mod compressed;
pub mod decode;
pub mod disasm;
pub mod encode;
mod fetched;
pub mod foreign;
mod insn;
mod op;
mod reg;

pub use atomic::AtomicOp;
pub use compressed::expand;
pub use decode::decode;
pub use disasm::{Listing, disassemble, disassemble_word};
pub use encode::{encode, try_encode};
pub use fetched::{Fetched, Isa};
pub use foreign::{Foreign, foreign};
pub use insn::{CsrOp, CsrSource, Insn, PrivilegedOp};
pub use op::{AluOp, Cond, LoadOp, MulOp, StoreOp};
pub use reg::Reg;

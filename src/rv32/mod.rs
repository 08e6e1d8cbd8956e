//! The guest instruction set: pure data and functions, no host, no state. What it is made of stands in `table`.

mod atomic;
mod bits;
mod compressed;
pub mod decode;
pub mod disasm;
pub mod encode;
mod fetched;
pub mod foreign;
mod insn;
mod op;
mod reg;
pub mod table;

pub use atomic::AtomicOp;
pub use bits::{BitOp, UnaryOp};
pub use compressed::expand;
pub use decode::decode;
pub use disasm::{Listing, disassemble, disassemble_word};
pub use encode::{encode, try_encode};
pub use fetched::{Fetched, Isa};
pub use foreign::{Foreign, foreign};
pub use insn::{CsrOp, CsrSource, Insn, PrivilegedOp};
pub use op::{AluOp, Cond, LoadOp, MulOp, StoreOp};
pub use reg::Reg;
pub use table::{Extension, ROWS, Row};

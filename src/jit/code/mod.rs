//! Translated code: the buffer, the jump table, and the books that are kept of what is in them.

pub mod buffer;
pub mod directory;
pub mod jump_table;
pub(in crate::jit) mod publish;
pub mod regions;

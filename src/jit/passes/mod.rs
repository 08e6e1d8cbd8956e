//! What is done to the operations of a block between lifting and lowering. Each pass is tested on its own.

pub(in crate::jit) mod accesses;
pub mod join;
pub(in crate::jit) mod lives;

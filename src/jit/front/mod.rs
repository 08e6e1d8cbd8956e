//! Guest code: which of it is translated together, and the operations that it becomes.

pub(in crate::jit) mod lift;
pub mod region;

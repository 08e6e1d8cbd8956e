//! Guest code: which of it is translated together, and the operations that it becomes.

mod bits;
pub(in crate::jit) mod lift;
pub mod region;

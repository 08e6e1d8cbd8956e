//! Running: what is still interpreted, the way into code, and what follows on leaving it.

pub mod enter;
mod exits;
pub(in crate::jit) mod sample;
pub mod warm_up;

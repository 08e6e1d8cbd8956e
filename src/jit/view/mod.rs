//! The JIT as a reader sees it: code made ahead of any run, code of a run, and figures.

pub mod listing;
pub mod preview;
mod snapshot;

//! Host assemblers: know no guest, contain no unsafe, build and are tested on every host.

pub mod a64;
mod writes;
pub mod x64;

pub use writes::{Moment, Writes};

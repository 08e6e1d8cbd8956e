//! Host assemblers: know no guest, contain no unsafe, build and are tested on every host.

pub mod a64;
pub mod x64;

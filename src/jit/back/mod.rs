//! Operations to host code: what a host provides, what both hosts share, and the hosts.

pub mod arm64;
pub mod backend;
pub mod emission;
pub mod translate;
pub mod x86_64;

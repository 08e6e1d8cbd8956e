//! The host operating system: memory mappings, instruction cache, signals. The only users of libc.

pub mod clock;
pub mod cpu_time;
pub mod errno;
pub mod fd;
pub mod icache;
pub mod interrupt;
pub mod marker;
pub mod mmap;
pub mod pagemap;
pub mod sampler;
pub mod segment;
pub mod signal;
pub mod signal_stack;

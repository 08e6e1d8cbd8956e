#![doc = include_str!("../README.md")]

pub mod cpu;
pub mod elf;
pub mod engine;
pub mod host;
pub mod machine;
pub mod memory;
pub mod platform;
pub mod syscall;

pub use host::{Caller, Func, HostError, Linked, Linker, Machine, Program, Ptr};

// What the command and the tests are made of: no promise to anybody else.
#[doc(hidden)]
pub mod asm;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod exit_status;
#[doc(hidden)]
pub mod inspect;
#[doc(hidden)]
pub mod interp;
#[doc(hidden)]
pub mod jit;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod rv32;
#[doc(hidden)]
pub mod sys;
#[doc(hidden)]
pub mod trace;

#![doc = include_str!("../README.md")]

pub mod asm;
pub mod cli;
pub mod cpu;
pub mod elf;
pub mod engine;
pub mod exit_status;
pub mod inspect;
pub mod interp;
pub mod jit;
pub mod machine;
pub mod memory;
pub mod report;
pub mod rv32;
pub mod sys;
pub mod syscall;
pub mod trace;

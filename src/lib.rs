//! rvjit runs static RV32IM programs.

pub mod asm;
pub mod cpu;
pub mod elf;
pub mod engine;
pub mod interp;
pub mod jit;
pub mod memory;
pub mod rv32;
pub mod sys;
pub mod syscall;

//! A Rust program for `riscv32im-unknown-none-elf`: its own start, system calls by
//! `ecall`, formatting by `core::fmt`, and a panic handler that exits with 101.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use core::fmt::{self, Write};
use core::panic::PanicInfo;

global_asm!(
    ".section .text.start, \"ax\"",
    ".globl _start",
    "_start:",
    ".option push",
    ".option norelax",
    "lla gp, __global_pointer$",
    ".option pop",
    "lw a0, 0(sp)",
    "andi sp, sp, -16",
    "call rust_main",
    "li a7, 93",
    "ecall",
    "ebreak",
);

fn ecall(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result;
    // SAFETY: the calls made here read at most the memory that they are given.
    unsafe {
        asm!("ecall", in("a7") number, inlateout("a0") a as isize => result, in("a1") b, in("a2") c);
    }
    result
}

struct Stdout;

impl Write for Stdout {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut left = text.as_bytes();
        while !left.is_empty() {
            match ecall(64, 1, left.as_ptr() as usize, left.len()) {
                done @ 1.. => left = &left[done as usize..],
                _ => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

fn collatz(mut n: u64) -> u32 {
    let mut steps = 0;
    while n != 1 {
        n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}

fn work(argc: usize) -> fmt::Result {
    writeln!(Stdout, "hello from rust, argc {argc}")?;
    let longest = (1..20_000u64).map(|n| (collatz(n), n)).max().unwrap_or((0, 0));
    writeln!(Stdout, "longest {longest:?}")?;
    let mut sorted = [0u32; 64];
    for (i, slot) in sorted.iter_mut().enumerate() {
        *slot = (i as u32).wrapping_mul(2_654_435_761) >> 20;
    }
    sorted.sort_unstable();
    writeln!(Stdout, "{:?}", &sorted[..8])?;
    writeln!(Stdout, "{:#x?} {:>8} {:08b}", u64::MAX / 3, -42i64, 0xa5u8)?;
    let index = sorted.len() + argc;
    if argc > 1 {
        writeln!(Stdout, "{}", sorted[index])?;
    }
    Ok(())
}

#[unsafe(no_mangle)]
extern "C" fn rust_main(argc: usize) -> i32 {
    if work(argc).is_ok() { 0 } else { 1 }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let _ = writeln!(Stdout, "{info}");
    loop {
        ecall(93, 101, 0, 0);
    }
}

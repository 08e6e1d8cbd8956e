//! A program for a bare machine that starts by riscv-rt: data copied from flash, an exception and timer interrupts that
//! go to its handlers, output by the UART, and an end by the test finisher.
#![no_std]
#![no_main]

use core::fmt::{self, Write};
use core::hint::black_box;
use core::panic::PanicInfo;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use riscv::interrupt::{Exception, Interrupt};
use riscv::register::{mepc, mie, mstatus};
use riscv_rt::{TrapFrame, core_interrupt, entry, exception};

const UART: usize = 0x1000_0000;
const FINISHER: usize = 0x0010_0000;
const MTIMECMP: usize = 0x0200_4000;
const MTIME: usize = 0x0200_bff8;
const TICKS: u32 = 3;

static COPIED: AtomicU32 = AtomicU32::new(0x1234_5678);
static EXCEPTIONS: AtomicU32 = AtomicU32::new(0);
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);

fn store(addr: usize, value: u32) {
    // SAFETY: only registers of devices are stored to.
    unsafe { with_exposed_provenance_mut::<u32>(addr).write_volatile(value) };
}

struct Uart;

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: the transmit register of the UART.
            unsafe { with_exposed_provenance_mut::<u8>(UART).write_volatile(byte) };
        }
        Ok(())
    }
}

/// The next interrupt, 100 ticks from now.
fn arm() {
    // SAFETY: a register of the CLINT.
    let now = unsafe { with_exposed_provenance_mut::<u32>(MTIME).read_volatile() };
    store(MTIMECMP + 4, 0);
    store(MTIMECMP, now.wrapping_add(100));
}

#[exception(Exception::IllegalInstruction)]
fn illegal(_: &TrapFrame) {
    EXCEPTIONS.store(EXCEPTIONS.load(Relaxed) + 1, Relaxed);
    // SAFETY: goes on behind the instruction, which has 4 bytes.
    unsafe { mepc::write(mepc::read() + 4) };
}

#[core_interrupt(Interrupt::MachineTimer)]
fn tick() {
    INTERRUPTS.store(INTERRUPTS.load(Relaxed) + 1, Relaxed);
    if INTERRUPTS.load(Relaxed) < TICKS {
        arm();
    } else {
        store(MTIMECMP + 4, u32::MAX);
    }
}

#[entry]
fn main() -> ! {
    let _ = writeln!(Uart, "hello from riscv-rt, data {:#x}", black_box(&COPIED).load(Relaxed));
    // SAFETY: an instruction that no machine has; the handler goes on behind it.
    unsafe { core::arch::asm!(".word 0") };
    let _ = writeln!(Uart, "exceptions {}", EXCEPTIONS.load(Relaxed));
    arm();
    // SAFETY: the handler is there.
    unsafe {
        mie::set_mtimer();
        mstatus::set_mie();
    }
    while INTERRUPTS.load(Relaxed) < TICKS {
        riscv::asm::wfi();
    }
    let _ = writeln!(Uart, "interrupts {}", INTERRUPTS.load(Relaxed));
    store(FINISHER, 0x5555);
    loop {}
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Uart, "{info}");
    store(FINISHER, 0x3333 | 101 << 16);
    loop {}
}

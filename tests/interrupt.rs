//! Ctrl-C in a process of its own, since it is never undone.
#![cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]

use rvjit::machine::{Exit, Machine, MachineConfig};
use rvjit::sys::interrupt::stop_on_interrupt;
use rvjit::syscall::Stream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The thread that called last is kicked, not one that called before and has ended since.
#[test]
fn the_last_caller_is_interrupted() {
    thread::spawn(|| stop_on_interrupt(&Arc::default()).unwrap())
        .join()
        .unwrap();
    let config = MachineConfig {
        stdout: Stream::Null,
        timeout: Some(Duration::from_secs(20)),
        ..MachineConfig::default()
    };
    stop_on_interrupt(&config.stop).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello.elf");
    let mut machine = Machine::open(&path, config).unwrap();
    let entry = machine.image().entry;
    // j 0: code that does not leave by itself.
    let forever = 0x0000_006f_u32.to_le_bytes();
    machine.memory_mut().poke(entry, &forever).unwrap();
    thread::spawn(|| {
        thread::sleep(Duration::from_millis(300));
        let id = std::process::id().to_string();
        Command::new("kill").args(["-INT", &id]).status().unwrap();
    });
    assert_eq!(machine.run(), Exit::Interrupted);
}

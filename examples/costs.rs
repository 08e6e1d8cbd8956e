//! What a host program pays, in nanoseconds of this machine: the least of several batches.
//!
//! `cargo run --release --example costs`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example that prints, and ends where something is missing"
)]

use rvjit::host::{Caller, HostError, Linker, Machine, Program};
use rvjit::machine::MachineConfig;
use rvjit::memory::Placement;
use std::time::{Duration, Instant};

/// Nanoseconds of one call of `f`.
fn cost(times: u32, mut f: impl FnMut()) -> f64 {
    let batch = |_| {
        let start = Instant::now();
        for _ in 0..times {
            f();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
    };
    (0..10).map(batch).fold(f64::INFINITY, f64::min)
}

fn config() -> MachineConfig {
    MachineConfig {
        placement: Some(Placement::Window),
        ..MachineConfig::default()
    }
}

fn main() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/calls.elf");
    let program = Program::open(path).unwrap();
    let add = program.func::<(i32, i32), i32>("host_add").unwrap();
    let ask = program.func::<(i32, i32, i32), i32>("ask").unwrap();
    let touch = program.func::<(u32, u32), u32>("touch").unwrap();
    let mut linker = Linker::<()>::new();
    linker
        .newlib()
        .syscall(5000, |_: &mut Caller<'_, ()>, a: i32| a)
        .unwrap()
        .syscall(
            5001,
            move |c: &mut Caller<'_, ()>| -> Result<i32, HostError> { Ok(c.call(add, (1, 2))?) },
        )
        .unwrap();
    let linked = linker.link(&program).unwrap();
    let new = || Machine::new(&linked, (), config()).unwrap();
    let mut machine = new();
    let show = |what: &str, nanoseconds: f64| println!("{what:34} {nanoseconds:10.0} ns");

    let mut call = |number: i32| {
        cost(20_000, || {
            machine.call(ask, (number, 1, 2)).unwrap();
        })
    };
    let (own, nested) = (call(5000), call(5001));
    let empty = cost(20_000, || {
        machine.call(add, (1, 2)).unwrap();
    });
    show("call of a guest function", empty);
    show("the same with a system call", own);
    show("that calls a guest function", nested);
    machine.set_timeout(Some(Duration::from_secs(60))).unwrap();
    let limited = cost(20_000, || {
        machine.call(add, (1, 2)).unwrap();
    });
    show("call with a time limit", limited);
    machine.set_timeout(None).unwrap();
    show("new machine, and its end", cost(50, || drop(new())));
    let snapshot = machine.snapshot().unwrap();
    for pages in [4, 16, 64] {
        let without = cost(1_000, || {
            machine.call(touch, (pages, 1)).unwrap();
        });
        let with = cost(1_000, || {
            machine.call(touch, (pages, 1)).unwrap();
            machine.restore(&snapshot).unwrap();
        });
        show(
            &format!("restore after {pages} written pages"),
            with - without,
        );
    }
}

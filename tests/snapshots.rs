//! A machine that comes back to a snapshot is what it was, and what a new one would be. On every engine and placement.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use rvjit::host::{Linked, Linker, Machine, Program};
use rvjit::machine::{EngineKind, Exit, JIT_AVAILABLE, MachineConfig, Snapshot, SnapshotError};
use rvjit::memory::{Memory, PAGE_SIZE, Permissions, Placement};
use rvjit::syscall::Stream;
use std::path::Path;

fn linked(name: &str) -> Linked<()> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let program = Program::open(fixtures.join(name)).unwrap();
    Linker::new().newlib().link(&program).unwrap()
}

/// Machines that are at `main`, on every engine.
fn machines(linked: &Linked<()>) -> Vec<Machine> {
    let mut machines = Vec::new();
    for placement in [Placement::Window, Placement::Paged] {
        for (engine, hot) in [
            (EngineKind::Interp, None),
            (EngineKind::Jit, Some(0)),
            (EngineKind::Jit, None),
        ] {
            if engine == EngineKind::Interp || JIT_AVAILABLE {
                machines.push(machine(linked, engine, hot, placement));
            }
        }
    }
    machines
}

fn machine(
    linked: &Linked<()>,
    engine: EngineKind,
    hot: Option<u8>,
    placement: Placement,
) -> Machine {
    let config = MachineConfig {
        engine,
        hot,
        placement: Some(placement),
        stdout: Stream::Null,
        ..MachineConfig::default()
    };
    let mut machine = Machine::new(linked, (), config).unwrap();
    let main = linked.program().symbol("main").unwrap().addr;
    assert_eq!(machine.run_until(main), Exit::Reached);
    machine
}

/// Pages with their addresses.
type Pages = Vec<(u32, Permissions, Vec<u8>)>;
/// Memory, registers and pc.
type State = (Pages, [u32; 32], u32);

/// All that the guest can read, page by page.
fn contents(memory: &Memory) -> Pages {
    let mut pages = Vec::new();
    // Up to where nothing is but the stack's end.
    for addr in (0..0x8000_0000_u32).step_by(PAGE_SIZE as usize) {
        if let Some(permissions) = memory.permissions(addr) {
            let mut bytes = vec![0; PAGE_SIZE as usize];
            memory.peek(addr, &mut bytes).unwrap();
            pages.push((addr, permissions, bytes));
        }
    }
    pages
}

fn is_as(machine: &Machine, before: &State) {
    assert!(contents(machine.memory()) == before.0, "memory is another");
    assert_eq!((machine.cpu().x, machine.cpu().pc), (before.1, before.2));
}

fn state(machine: &Machine) -> State {
    (
        contents(machine.memory()),
        machine.cpu().x,
        machine.cpu().pc,
    )
}

#[test]
fn what_was_written_is_taken_back_again_and_again() {
    let linked = linked("calls.elf");
    let touch = linked.program().func::<(u32, u32), u32>("touch").unwrap();
    for mut machine in machines(&linked) {
        let snapshot = machine.snapshot().unwrap();
        let before = state(&machine);
        for round in 0..3 {
            for (count, value) in [(0, 1), (1, 5), (64, 200), (16, 3)] {
                let written = if count == 0 { 0 } else { value };
                assert_eq!(
                    machine.call(touch, (count, value)).unwrap(),
                    7 + written,
                    "round {round}"
                );
                // Without coming back, it goes on from there.
                assert_eq!(
                    machine.call(touch, (count, value)).unwrap(),
                    7 + value + (2 * written) % 256,
                    "round {round}"
                );
                machine.restore(&snapshot).unwrap();
                is_as(&machine, &before);
            }
        }
        assert_eq!(machine.run(), Exit::Status(0));
        // Also from the end, and to an older snapshot than the last.
        let late = machine.snapshot().unwrap();
        machine.restore(&snapshot).unwrap();
        is_as(&machine, &before);
        machine.restore(&late).unwrap();
        assert_ne!(machine.cpu().pc, before.2);
        machine.restore(&snapshot).unwrap();
        is_as(&machine, &before);
        assert_eq!(machine.run(), Exit::Status(0));
    }
}

#[test]
fn code_that_was_changed_is_what_it_was() {
    let linked = linked("calls.elf");
    let length = linked.program().func::<(&str,), u32>("length").unwrap();
    // li a0, 77; ret
    let other: Vec<u8> = [0x04d0_0513_u32, 0x0000_8067]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    for mut machine in machines(&linked) {
        for warm in [false, true] {
            if warm {
                assert_eq!(machine.call(length, ("four",)).unwrap(), 4);
            }
            let snapshot = machine.snapshot().unwrap();
            for _ in 0..3 {
                machine.memory_mut().poke(length.addr(), &other).unwrap();
                assert_eq!(machine.call(length, ("four",)).unwrap(), 77);
                machine.restore(&snapshot).unwrap();
                assert_eq!(machine.call(length, ("four",)).unwrap(), 4);
            }
        }
    }
}

#[test]
fn the_break_and_what_is_mapped_are_what_they_were() {
    const BRK: i32 = 214;
    let linked = linked("calls.elf");
    let ask = linked
        .program()
        .func::<(i32, i32, i32), i32>("ask")
        .unwrap();
    for mut machine in machines(&linked) {
        let snapshot = machine.snapshot().unwrap();
        let before = state(&machine);
        let start = machine.call(ask, (BRK, 0, 0)).unwrap();
        for _ in 0..3 {
            let more = start + 0x1_0000;
            assert_eq!(machine.call(ask, (BRK, more, 0)).unwrap(), more);
            let last = more.cast_unsigned() - 4;
            assert_eq!(
                machine.memory_mut().load::<u32>(last),
                Ok(0),
                "nothing is left there"
            );
            machine.memory_mut().store(last, 0x1234_5678_u32).unwrap();
            machine.restore(&snapshot).unwrap();
            is_as(&machine, &before);
            assert_eq!(machine.call(ask, (BRK, 0, 0)).unwrap(), start);
        }
        let text = machine.program().image().entry & !(PAGE_SIZE - 1);
        machine.memory_mut().unmap(text, PAGE_SIZE.into()).unwrap();
        assert!(matches!(machine.run(), Exit::Fault(_)));
        machine.restore(&snapshot).unwrap();
        is_as(&machine, &before);
        assert_eq!(machine.run(), Exit::Status(0));
    }
}

#[test]
fn more_than_is_noted_page_by_page_is_taken_back() {
    const PAGES: u32 = 5000;
    let linked = linked("calls.elf");
    for mut machine in machines(&linked) {
        let at = |n: u32| 0x4000_0000 + n * PAGE_SIZE;
        let memory = machine.memory_mut();
        memory
            .map(at(0), u64::from(PAGES * PAGE_SIZE), Permissions::RW)
            .unwrap();
        memory.store(at(7), 7_u32).unwrap();
        let snapshot = machine.snapshot().unwrap();
        assert!(snapshot.pages() < 20, "{} pages are kept", snapshot.pages());
        for _ in 0..2 {
            for n in 0..PAGES {
                machine.memory_mut().store(at(n), n + 1).unwrap();
            }
            machine.restore(&snapshot).unwrap();
            for n in 0..PAGES {
                let expected = if n == 7 { 7 } else { 0 };
                assert_eq!(
                    machine.memory_mut().load::<u32>(at(n)),
                    Ok(expected),
                    "page {n}"
                );
            }
        }
    }
}

#[test]
fn another_machine_of_the_program_becomes_what_the_first_was() {
    let linked = linked("calls.elf");
    let touch = linked.program().func::<(u32, u32), u32>("touch").unwrap();
    for mut first in machines(&linked) {
        first.call(touch, (3, 1)).unwrap();
        let snapshot = first.snapshot().unwrap();
        let before = state(&first);
        for mut other in machines(&linked) {
            other.call(touch, (9, 9)).unwrap();
            for _ in 0..2 {
                other.restore(&snapshot).unwrap();
                is_as(&other, &before);
                assert_eq!(other.call(touch, (3, 1)).unwrap(), 8 + 2);
            }
        }
    }
}

#[test]
fn what_cannot_be_is_an_error_and_changes_nothing() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    const CLOSE: i32 = 57;
    let calls = linked("calls.elf");
    let ask = calls.program().func::<(i32, i32, i32), i32>("ask").unwrap();
    let mut machine = machines(&calls).remove(0);
    let snapshot: Snapshot = machine.snapshot().unwrap();
    shared(&snapshot);
    let mut other = machines(&linked("fib.elf")).remove(0);
    let before = state(&other);
    let error = other.restore(&snapshot).unwrap_err();
    assert!(matches!(error, SnapshotError::OtherProgram), "{error}");
    is_as(&other, &before);
    assert_eq!(other.run(), Exit::Status(0));
    assert_eq!(machine.call(ask, (CLOSE, 1, 0)).unwrap(), 0);
    for error in [machine.snapshot().err(), machine.restore(&snapshot).err()] {
        assert!(matches!(error, Some(SnapshotError::OpenFiles)), "{error:?}");
    }
    let bare = linked("finisher_pass.elf");
    let config = MachineConfig {
        placement: Some(Placement::Window),
        ..MachineConfig::default()
    };
    let error = Machine::new(&bare, (), config)
        .unwrap()
        .snapshot()
        .unwrap_err();
    assert!(matches!(error, SnapshotError::Platform(_)), "{error}");
}

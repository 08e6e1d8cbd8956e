//! What a host program may do with machines in safe code: nothing of it may break memory or run stale code.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use rvjit::machine::{
    CallError, EngineKind, Exit, InterruptHandle, Machine, MachineConfig, MachineError,
};
use rvjit::memory::{Access, Memory, MemoryConfig, Permissions, Placement};
use rvjit::syscall::Stream;
use std::mem;
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// Those that many machines can have at once.
const PLACEMENTS: [Placement; 2] = [Placement::Window, Placement::Paged];
/// `j 0`: code that does not leave by itself.
const FOREVER: u32 = 0x0000_006f;

fn config(placement: Placement) -> MachineConfig {
    MachineConfig {
        engine: EngineKind::Jit,
        placement: Some(placement),
        hot: Some(0),
        stdout: Stream::Null,
        ..MachineConfig::default()
    }
}

fn machine(name: &str, config: MachineConfig) -> Machine {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Machine::open(&root.join("fixtures").join(name), config).unwrap()
}

fn empty(placement: Placement) -> Memory {
    Memory::new(MemoryConfig {
        placement,
        limit_pages: 1000,
        strict_align: false,
    })
    .unwrap()
}

fn endless(config: MachineConfig) -> Machine {
    let mut machine = machine("hello.elf", config);
    let entry = machine.image().entry;
    let memory = machine.memory_mut();
    memory.poke(entry, &FOREVER.to_le_bytes()).unwrap();
    machine
}

/// Compiles only where they can be.
#[test]
fn what_may_be_sent_and_shared() {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync + Clone + 'static>() {}
    sent::<Machine>();
    sent::<Memory>();
    sent::<MachineError>();
    shared::<InterruptHandle>();
}

/// The code has the place of the old memory built in, which is unmapped when it is dropped.
#[test]
fn code_does_not_outlive_its_memory() {
    for placement in PLACEMENTS {
        for new in PLACEMENTS {
            let mut machine = machine("fib.elf", config(placement));
            assert_eq!(machine.call("fib", &[10]), Ok(55));
            drop(mem::replace(machine.memory_mut(), empty(new)));
            let ended = machine.call("fib", &[10]);
            let Err(CallError::Ended(Exit::Fault(fault))) = ended else {
                panic!("{placement:?}, {new:?}: {ended:?}");
            };
            assert_eq!(fault.access, Access::Execute, "{placement:?}, {new:?}");
        }
    }
}

#[test]
fn memories_can_be_exchanged_and_code_is_that_of_each() {
    /// fib's first instruction becomes `li a0, 7`, and the next one `ret`.
    fn seven(machine: &mut Machine) {
        let at = machine.image().symbols().by_name("fib").unwrap().addr;
        let words = [0x0070_0513_u32, 0x0000_8067];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        machine.memory_mut().poke(at, &bytes).unwrap();
    }
    for placement in PLACEMENTS {
        for other in PLACEMENTS {
            let mut a = machine("fib.elf", config(placement));
            let mut b = machine("fib.elf", config(other));
            seven(&mut b);
            assert_eq!(
                (a.call("fib", &[10]), b.call("fib", &[10])),
                (Ok(55), Ok(7))
            );
            mem::swap(a.memory_mut(), b.memory_mut());
            assert_eq!(
                (a.call("fib", &[10]), b.call("fib", &[10])),
                (Ok(7), Ok(55))
            );
            // What was the first one's code is changed while the second one has it.
            seven(&mut b);
            assert_eq!(b.call("fib", &[10]), Ok(7));
            mem::swap(a.memory_mut(), b.memory_mut());
            assert_eq!((a.call("fib", &[10]), b.call("fib", &[10])), (Ok(7), Ok(7)));
        }
    }
}

#[test]
fn nothing_of_what_was_before_a_reset_is_executed() {
    for placement in PLACEMENTS {
        let mut machine = machine("fib.elf", config(placement));
        let at = machine.image().symbols().by_name("fib").unwrap().addr;
        for result in [42, 38] {
            let memory = machine.memory_mut();
            memory.reset().unwrap();
            memory.map(at, 8, Permissions::RWX).unwrap();
            // li a0, result; ret
            let words = [0x0000_0513_u32 | result << 20, 0x0000_8067];
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            memory.poke(at, &bytes).unwrap();
            assert_eq!(machine.call("fib", &[1]), Ok(result), "{placement:?}");
        }
    }
}

#[test]
fn a_machine_runs_on_whatever_thread_has_it() {
    for placement in PLACEMENTS {
        let mut machine = machine("fib.elf", config(placement));
        for _ in 0..3 {
            let run = thread::spawn(move || {
                assert_eq!(machine.call("fib", &[10]), Ok(55));
                machine
            });
            machine = run.join().unwrap();
        }
    }
}

#[test]
fn a_run_is_stopped_from_another_thread_and_goes_on() {
    for (engine, hot) in [(EngineKind::Jit, 0), (EngineKind::Interp, 0)] {
        let mut machine = endless(MachineConfig {
            engine,
            hot: Some(hot),
            timeout: Some(Duration::from_secs(60)),
            ..config(Placement::Window)
        });
        let handle = machine.interrupt_handle().unwrap();
        let copy = handle.clone();
        // One that comes before the run counts.
        handle.interrupt();
        assert_eq!(machine.run(), Exit::Interrupted, "{engine:?}");
        let (begins, begun) = channel();
        let runner = thread::spawn(move || {
            for _ in 0..20 {
                begins.send(()).unwrap();
                assert_eq!(machine.run(), Exit::Interrupted, "{engine:?}");
            }
            machine
        });
        while begun.recv().is_ok() {
            copy.interrupt();
        }
        let mut machine = runner.join().unwrap();
        // The thread is gone; the last one may have come twice.
        handle.interrupt();
        assert_eq!(machine.run(), Exit::Interrupted);
        drop(machine);
        handle.interrupt();
        copy.interrupt();
    }
}

#[test]
fn a_run_that_met_its_limits_goes_on_when_it_is_given_more() {
    for engine in [EngineKind::Jit, EngineKind::Interp] {
        let (stdout, printed) = Stream::capture();
        let mut machine = machine(
            "hello.elf",
            MachineConfig {
                engine,
                hot: Some(0),
                stdout,
                max_insns: Some(5),
                ..MachineConfig::default()
            },
        );
        for _ in 0..2 {
            assert_eq!(
                (machine.run(), machine.insns_left()),
                (Exit::MaxInsns, Some(0))
            );
        }
        machine.set_max_insns(Some(7));
        assert_eq!(machine.run(), Exit::MaxInsns);
        assert_eq!(machine.cpu().instret, 12);
        machine.set_max_insns(None);
        assert_eq!(
            (machine.run(), machine.insns_left()),
            (Exit::Status(0), None)
        );
        assert_eq!(printed.text(), "hello, world\n");

        let mut machine = endless(MachineConfig {
            engine,
            timeout: Some(Duration::from_millis(5)),
            ..config(Placement::Window)
        });
        for _ in 0..3 {
            assert_eq!(machine.run(), Exit::Timeout);
        }
        let start = Instant::now();
        machine
            .set_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        assert_eq!(machine.run(), Exit::Timeout);
        assert!(start.elapsed() >= Duration::from_millis(50));
        // A time that the clock cannot tell is none.
        machine.set_timeout(Some(Duration::MAX)).unwrap();
        machine.interrupt_handle().unwrap().interrupt();
        assert_eq!(machine.run(), Exit::Interrupted);
    }
}

//! Host programs: calls of guest functions, functions and system calls of the host's own, runs in parts. On every engine.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use rvjit::host::{
    CALL_DEPTH, CallError, Caller, HostError, LinkError, Linked, Linker, Machine, Program,
    ProgramError, Ptr,
};
use rvjit::machine::{EngineKind, Exit, JIT_AVAILABLE, MachineConfig};
use rvjit::memory::Placement;
use rvjit::syscall::Stream;
use rvjit::syscall::abi::Errno;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// What host functions of these tests work on.
#[derive(Debug, Default, PartialEq, Eq)]
struct State {
    calls: u32,
    seen: Vec<u32>,
}

fn program() -> Program {
    Program::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/calls.elf")).unwrap()
}

/// Every engine, with every placement that many machines can have.
fn configs() -> Vec<MachineConfig> {
    let mut configs = Vec::new();
    for placement in [Placement::Window, Placement::Paged] {
        let config = |engine, hot| MachineConfig {
            engine,
            hot,
            placement: Some(placement),
            stdout: Stream::Null,
            ..MachineConfig::default()
        };
        configs.push(config(EngineKind::Interp, None));
        if JIT_AVAILABLE {
            configs.push(config(EngineKind::Jit, Some(0)));
            configs.push(config(EngineKind::Jit, None));
        }
    }
    configs
}

fn name(config: &MachineConfig) -> String {
    format!(
        "{:?}, {:?}, hot {:?}",
        config.engine, config.placement, config.hot
    )
}

/// Machines of `linked` on every engine, with what they are called.
fn machines<T: Default + 'static>(linked: &Linked<T>) -> Vec<(String, Machine<T>)> {
    let with = |config| {
        (
            name(&config),
            Machine::new(linked, T::default(), config).unwrap(),
        )
    };
    configs().into_iter().map(with).collect()
}

fn plain() -> Vec<(String, Machine)> {
    machines(&Linker::new().newlib().link(&program()).unwrap())
}

#[test]
fn parameters_and_results_are_where_a_compiler_has_them() {
    type Mixed = (i8, u64, u16, u64, u64, u64, i32, u64, i32);
    for (engine, mut machine) in plain() {
        let program = machine.program().clone();
        let mixed = program.func::<Mixed, u64>("mixed").unwrap();
        for args @ (a, b, c, d, e, f, g, h, i) in [
            (1, 2, 3, 4, 5, 6, 7, 8, 9),
            (
                -1,
                1 << 63 | 5,
                u16::MAX,
                u64::MAX,
                1 << 32,
                7 << 40,
                -1,
                1 << 33,
                i32::MIN,
            ),
        ] as [Mixed; 2]
        {
            let signed = |value: i64| value.cast_unsigned();
            let expected = [
                signed(a.into()),
                b.wrapping_mul(3),
                u64::from(c) * 5,
                d.wrapping_mul(7),
                e.wrapping_mul(11),
                f.wrapping_mul(13),
                signed(g.into()).wrapping_mul(17),
                h.wrapping_mul(19),
                signed(i.into()).wrapping_mul(23),
            ];
            let expected = expected.into_iter().fold(0, u64::wrapping_add);
            // As ilp32 has it: ten words in a0 to a7 and on the stack.
            assert_eq!(machine.call(mixed, args).unwrap(), expected, "{engine}");
        }
        let narrow = program.func::<(i8, i16, u8, u16), i32>("narrow").unwrap();
        let args = (i8::MIN, i16::MIN, u8::MAX, u16::MAX);
        assert_eq!(
            machine.call(narrow, args).unwrap(),
            -128 - 65536 + 1020 + 524_280,
            "{engine}"
        );

        let before = machine.cpu().clone();
        let sum = program.func::<(&[u8], u32), u32>("sum").unwrap();
        for bytes in [&b""[..], b"x", &[200; 70_000]] {
            let expected: u32 = bytes.iter().map(|&byte| u32::from(byte)).sum();
            let len = u32::try_from(bytes.len()).unwrap();
            assert_eq!(
                machine.call(sum, (bytes, len)).unwrap(),
                expected,
                "{engine}"
            );
        }
        let mut text = *b"Hello, 2 worlds";
        let upper = program.func::<(&mut [u8], u32), ()>("upper").unwrap();
        machine.call(upper, (&mut text, 15)).unwrap();
        assert_eq!(&text, b"HELLO, 2 WORLDS", "{engine}");
        let length = program.func::<(&str,), u32>("length").unwrap();
        assert_eq!(machine.call(length, ("länge",)).unwrap(), 6, "{engine}");
        let state = program.symbol("state").unwrap().addr;
        let load = program.func::<(Ptr<u32>,), u32>("crash").unwrap();
        assert_eq!(
            machine.call(load, (Ptr::new(state),)).unwrap(),
            7,
            "{engine}"
        );
        assert_eq!(
            (machine.cpu().x, machine.cpu().pc),
            (before.x, before.pc),
            "{engine}"
        );
        // What no stack can hold, and what a machine does afterwards.
        let large = vec![0; 9 << 20];
        let error = machine.call(sum, (&large, 9 << 20)).unwrap_err();
        assert!(
            matches!(error, CallError::Arguments(_)),
            "{engine}: {error}"
        );
        assert_eq!(machine.run(), Exit::Status(0), "{engine}");
    }
}

#[test]
fn raw_code_is_a_program() {
    // add a0, a0, a1; ret
    let code: Vec<u8> = [0x00b5_0533_u32, 0x0000_8067]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    for address in [0x1000, 0x1_0000, 0x8000_0000, 0xffff_f000] {
        let program = Program::from_code(&code, address).unwrap();
        let add = program.func_at::<(u32, u32), u32>(address).unwrap();
        for (engine, mut machine) in machines(&Linker::<()>::new().link(&program).unwrap()) {
            assert_eq!(
                machine.call(add, (40, 2)).unwrap(),
                42,
                "{engine} at {address:#x}"
            );
        }
    }
    for (code, address) in [(&code[..0], 0x1000), (&code, 0x1002), (&code, 0xffff_fffc)] {
        let error = Program::from_code(code, address).unwrap_err();
        assert!(matches!(error, ProgramError::Elf(_)), "{error}");
    }
}

fn add(c: &mut Caller<'_, State>, a: i32, b: i32) -> i32 {
    c.data.calls += 1;
    a + b + 100
}

#[test]
fn host_functions_take_the_place_of_the_guests_also_through_pointers() {
    let mut linker = Linker::<State>::new();
    linker.newlib().func("host_add", add).unwrap();
    for (engine, mut machine) in machines(&linker.link(&program()).unwrap()) {
        let twice = machine.program().func::<(i32, i32), i32>("twice").unwrap();
        for _ in 0..20 {
            assert_eq!(machine.call(twice, (20, 1)).unwrap(), 242, "{engine}");
        }
        let itself = machine
            .program()
            .func::<(i32, i32), i32>("host_add")
            .unwrap();
        assert_eq!(machine.call(itself, (1, 2)).unwrap(), 103, "{engine}");
        assert_eq!(machine.data().calls, 41, "{engine}");
        // Also when it is stepped through.
        let mut machine = Machine::new(
            &linker.link(&program()).unwrap(),
            State::default(),
            MachineConfig {
                stdout: Stream::Null,
                engine: EngineKind::Interp,
                ..MachineConfig::default()
            },
        )
        .unwrap();
        let exit = (0..100_000).find_map(|_| machine.step());
        assert_eq!((exit, machine.data().calls), (Some(Exit::Status(0)), 2));
    }
    let twice = linker.func("host_add", add).unwrap_err();
    assert_eq!(twice, LinkError::FunctionTwice("host_add".to_owned()));
    let mut linker = Linker::<State>::new();
    linker.func("one", add).unwrap().func("two", add).unwrap();
    let missing = linker.link(&program()).unwrap_err();
    assert_eq!(
        missing,
        LinkError::NoFunction(vec!["one".to_owned(), "two".to_owned()])
    );
    for n in 0..511 {
        linker.func(&format!("f{n}"), add).unwrap();
    }
    let many = linker.link(&program()).unwrap_err();
    assert_eq!(many, LinkError::TooManyFunctions(513));
}

/// 5000 adds, 5001 calls `nested` again, 5002 is denied, 5003 fails, 5004 stops, 5005 panics, 5006 is of two words.
fn linked() -> Linked<State> {
    let program = program();
    let nested = program.func::<(i32,), i32>("nested").unwrap();
    let crash = program.func::<(u32,), i32>("crash").unwrap();
    let mut linker = Linker::<State>::new();
    linker
        .newlib()
        .syscall(5000, |c: &mut Caller<'_, State>, a: u32, b: u32| {
            c.data.calls += 1;
            c.data.seen.push(a);
            a + b
        })
        .unwrap()
        .syscall(
            5001,
            move |c: &mut Caller<'_, State>, depth: i32| -> Result<i32, HostError> {
                c.data.calls += 1;
                let x = c.cpu().x;
                let result = c.call(nested, (depth,));
                assert_eq!(c.cpu().x, x, "registers are as before");
                Ok(result?)
            },
        )
        .unwrap()
        .syscall(5002, |_: &mut Caller<'_, State>| -> Result<(), Errno> {
            Err(Errno::EACCES)
        })
        .unwrap()
        .syscall(5003, |_: &mut Caller<'_, State>| -> Result<(), HostError> {
            Err(HostError::stop("my own"))
        })
        .unwrap()
        .syscall(5004, |c: &mut Caller<'_, State>| c.stop())
        .unwrap()
        .syscall(5005, |_: &mut Caller<'_, State>, n: i32| -> i32 {
            panic!("number {n}")
        })
        .unwrap()
        .syscall(5006, |_: &mut Caller<'_, State>, a: u64| a + 1)
        .unwrap()
        .syscall(
            5007,
            |c: &mut Caller<'_, State>, addr: Ptr<u32>| -> Result<u32, HostError> {
                let (data, memory) = c.parts();
                let value: u32 = memory.load(addr.addr)?;
                data.seen.push(value);
                Ok(value)
            },
        )
        .unwrap()
        .syscall(
            5008,
            move |c: &mut Caller<'_, State>, addr: u32| -> Result<i32, HostError> {
                Ok(c.call(crash, (addr,))?)
            },
        )
        .unwrap();
    linker.link(&program).unwrap()
}

#[test]
fn system_calls_of_the_hosts_own() {
    let linked = linked();
    for (engine, mut machine) in machines(&linked) {
        let ask = machine
            .program()
            .func::<(i32, i32, i32), i32>("ask")
            .unwrap();
        for n in 0..30 {
            assert_eq!(machine.call(ask, (5000, n, 5)).unwrap(), n + 5, "{engine}");
        }
        assert_eq!(
            (machine.data().calls, machine.data().seen[29]),
            (30, 29),
            "{engine}"
        );
        // What has no number here is newlib's, which does not know it.
        for (number, result) in [(5002, -13), (4999, -38)] {
            let expected = if number == 4999 {
                Errno::ENOSYS.result().cast_signed()
            } else {
                result
            };
            assert_eq!(
                machine.call(ask, (number, 0, 0)).unwrap(),
                expected,
                "{engine}"
            );
        }
        assert_eq!(machine.call(ask, (5006, -1, 0)).unwrap(), 0, "{engine}");
        let state = machine
            .program()
            .symbol("state")
            .unwrap()
            .addr
            .cast_signed();
        assert_eq!(machine.call(ask, (5007, state, 0)).unwrap(), 7, "{engine}");
        let fault = Errno::EFAULT.result().cast_signed();
        assert_eq!(machine.call(ask, (5007, 4, 0)).unwrap(), fault, "{engine}");
        assert_eq!(machine.run(), Exit::Status(0), "{engine}");
        assert_eq!(machine.take_host_error().map(|e| e.to_string()), None);
    }
    let mut linker = Linker::<State>::new();
    linker.syscall(1, add).unwrap();
    assert_eq!(linker.syscall(1, add).unwrap_err(), LinkError::CallTwice(1));
    let long = |_: &mut Caller<'_, State>, _: u64, _: u64, _: u64, _: u32| ();
    assert_eq!(
        linker.syscall(2, long).unwrap_err(),
        LinkError::TooManyParameters(2)
    );
}

#[test]
fn whatever_a_host_function_does_the_machine_can_be_used_afterwards() {
    let linked = linked();
    for (engine, mut machine) in machines(&linked) {
        let program = machine.program().clone();
        let ask = program.func::<(i32, i32, i32), i32>("ask").unwrap();
        let (x, pc) = (machine.cpu().x, machine.cpu().pc);
        let error = machine.call(ask, (5003, 0, 0)).unwrap_err();
        assert!(
            matches!(&error, CallError::Host(own) if own.to_string() == "my own"),
            "{engine}: {error}"
        );
        let error = machine.call(ask, (5004, 0, 0)).unwrap_err();
        assert!(
            matches!(error, CallError::Ended(Exit::Stopped, _)),
            "{engine}: {error}"
        );
        for n in 0..2 {
            let panicked = catch_unwind(AssertUnwindSafe(|| machine.call(ask, (5005, n, 0))));
            let text = panicked.unwrap_err();
            assert_eq!(
                text.downcast_ref::<String>().unwrap(),
                &format!("number {n}"),
                "{engine}"
            );
        }
        let crash = program.func::<(u32,), i32>("crash").unwrap();
        let error = machine.call(crash, (4,)).unwrap_err();
        let CallError::Ended(Exit::Fault(fault), at) = error else {
            panic!("{engine}: {error}");
        };
        assert_eq!((fault.addr, at), (4, crash.addr()), "{engine}");
        // The same from within a host function, which passes it on.
        let error = machine.call(ask, (5008, 4, 0)).unwrap_err();
        assert!(
            matches!(error, CallError::Ended(Exit::Fault(fault), pc) if fault.addr == 4 && pc == crash.addr()),
            "{engine}: {error}"
        );
        let leave = program.func::<(i32,), i32>("leave").unwrap();
        let error = machine.call(leave, (3,)).unwrap_err();
        assert!(
            matches!(error, CallError::Ended(Exit::Status(3), _)),
            "{engine}: {error}"
        );
        // Without `exit`, and unknown altogether.
        let mut bare = Machine::new(
            &Linker::<State>::new().link(&program).unwrap(),
            State::default(),
            MachineConfig {
                placement: Some(Placement::Window),
                ..MachineConfig::default()
            },
        )
        .unwrap();
        let error = bare.call(leave, (3,)).unwrap_err();
        assert!(
            matches!(error, CallError::Ended(Exit::Refused(refusal), _) if refusal.number == 93),
            "{error}"
        );
        // Of another program.
        let other = self::program().func::<(i32,), i32>("leave").unwrap();
        let error = machine.call(other, (3,)).unwrap_err();
        assert!(
            matches!(error, CallError::OtherProgram),
            "{engine}: {error}"
        );
        assert_eq!((machine.cpu().x, machine.cpu().pc), (x, pc), "{engine}");
        assert_eq!(machine.call(ask, (5000, 1, 2)).unwrap(), 3, "{engine}");
    }
}

#[test]
fn calls_nest_so_deep_and_not_deeper() {
    let linked = linked();
    for (engine, mut machine) in machines(&linked) {
        let nested = machine.program().func::<(i32,), i32>("nested").unwrap();
        let most = i32::try_from(CALL_DEPTH).unwrap() - 1;
        for depth in [0, 1, most] {
            assert_eq!(machine.call(nested, (depth,)).unwrap(), depth, "{engine}");
        }
        let error = machine.call(nested, (most + 1,)).unwrap_err();
        let CallError::Host(error) = error else {
            panic!("{engine}: {error}");
        };
        assert!(
            matches!(error.downcast_ref(), Some(CallError::TooDeep)),
            "{engine}: {error}"
        );
        assert_eq!(machine.call(nested, (most,)).unwrap(), most, "{engine}");
    }
}

#[test]
fn a_run_can_be_done_in_parts() {
    let program = program();
    let twice = program.symbol("twice").unwrap().addr;
    for (engine, mut whole) in plain() {
        whole.set_max_insns(Some(1 << 40));
        assert_eq!(whole.run(), Exit::Status(0));
        let count = whole.cpu().instret;
        let config = configs()
            .into_iter()
            .find(|config| name(config) == engine)
            .unwrap();
        let linked = Linker::new().newlib().link(&program).unwrap();
        let mut machine = Machine::new(&linked, (), config).unwrap();
        let mut parts = 0;
        while machine.run_for(7) == Exit::MaxInsns {
            parts += 1;
        }
        // The exit call itself does not retire.
        assert_eq!(
            (machine.cpu().instret, parts),
            (count, count / 7),
            "{engine}"
        );

        let config = configs()
            .into_iter()
            .find(|config| name(config) == engine)
            .unwrap();
        let mut machine = Machine::new(&linked, (), config).unwrap();
        // Twice through code that is there already, and with a limit.
        let spin = program.func::<(), i32>("spin").unwrap();
        let entry = machine.cpu().pc;
        assert_eq!(
            (machine.run_until(twice), machine.cpu().pc),
            (Exit::Reached, twice),
            "{engine}"
        );
        assert_eq!(machine.cpu().x[10], 20, "{engine}");
        let word: u32 = machine.memory_mut().load(twice).unwrap();
        assert_ne!(word, 0x0010_0073, "nobody sees the breakpoint");
        machine.set_max_insns(Some(5));
        assert_eq!(machine.run_until(entry), Exit::MaxInsns, "{engine}");
        machine.set_max_insns(None);
        machine.cpu_mut().pc = spin.addr();
        for _ in 0..3 {
            assert_eq!(
                (machine.run_until(spin.addr()), machine.cpu().pc),
                (Exit::Reached, spin.addr()),
                "{engine}"
            );
        }
        machine
            .set_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        assert_eq!(machine.run_until(twice), Exit::Timeout, "{engine}");
    }
}

#[test]
fn machines_of_one_program_go_their_own_ways_on_their_own_threads() {
    let linked = linked();
    let threads: Vec<_> = (0..2)
        .map(|n| {
            let linked = linked.clone();
            thread::spawn(move || {
                for (engine, mut machine) in machines(&linked) {
                    let touch = machine.program().func::<(u32, u32), u32>("touch").unwrap();
                    for round in 1..4 {
                        let result = machine.call(touch, (3, n)).unwrap();
                        assert_eq!(result, 7 + n * (round - 1) + n * round, "{engine}");
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A breakpoint is as long as the program's instructions are, and nobody who reads sees it.
#[test]
fn runs_stop_in_compressed_code_too() {
    for name in ["rvc_sort.elf", "rvc_string.elf", "semi.elf"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures")
            .join(name);
        let program = Program::open(path).unwrap();
        let linked = Linker::<()>::new().newlib().link(&program).unwrap();
        let whole: Vec<_> = machines(&linked)
            .into_iter()
            .map(|(_, mut machine)| {
                machine.set_max_insns(Some(1 << 40));
                (machine.run(), machine.cpu().instret)
            })
            .collect();
        // Each place that the first instructions come to, and what is behind an `ebreak`.
        let mut scout = machines(&linked).remove(0).1;
        let places = (0..60).map_while(|_| {
            let pc = scout.cpu().pc;
            scout.step().is_none().then_some(pc)
        });
        let places: Vec<u32> = places.skip(1).collect();
        assert!(places.len() > 3, "{name}: {} places", places.len());
        for ((engine, mut machine), end) in machines(&linked).into_iter().zip(&whole) {
            machine.set_max_insns(Some(1 << 40));
            for &place in &places {
                let reached = (machine.run_until(place), machine.cpu().pc);
                assert_eq!(reached, (Exit::Reached, place), "{engine}: {name}");
            }
            assert_eq!(
                (machine.run(), machine.cpu().instret),
                *end,
                "{engine}: {name}"
            );
        }
    }
}

//! Machines as a library's user has them, on the fixtures.

use super::*;
use crate::memory::{Access, Fault, Permissions, Placement};
use crate::syscall::Stream;
use std::time::Duration;

fn fixture(name: &str, config: MachineConfig) -> Machine {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Machine::open(&root.join("fixtures").join(name), config).unwrap()
}

#[test]
fn two_machines_run_side_by_side() {
    let (stdout, hello) = Stream::capture();
    let mut first = fixture(
        "hello.elf",
        MachineConfig {
            stdout,
            ..MachineConfig::default()
        },
    );
    let (stdout, nothing) = Stream::capture();
    let mut second = fixture(
        "nullcrash.elf",
        MachineConfig {
            stdout,
            ..MachineConfig::default()
        },
    );
    let fault = second.run();
    assert_eq!(first.run(), Exit::Status(0));
    assert_eq!(hello.text(), "hello, world\n");
    assert!(matches!(
        fault,
        Exit::Fault(Fault {
            addr: 0,
            access: Access::Read,
            ..
        })
    ));
    assert_eq!(nothing.text(), "about to crash\n");
}

#[test]
fn stepping_comes_to_the_same_end_as_running() {
    let quiet = || MachineConfig {
        stdout: Stream::Null,
        max_insns: Some(u64::MAX),
        ..MachineConfig::default()
    };
    for name in [
        "hello.elf",
        "tohost_fail.elf",
        "fault_illegal.elf",
        "semi_exit.elf",
    ] {
        let mut ran = fixture(name, quiet());
        let exit = ran.run();
        let mut stepped = fixture(name, quiet());
        stepped.cpu_mut().counting = true;
        let last = (0..1_000_000).find_map(|_| stepped.step());
        assert_eq!(last, Some(exit), "{name}");
        assert_eq!(stepped.cpu(), ran.cpu(), "{name}");
    }
}

#[test]
fn the_limit_of_instructions_is_exact_and_the_run_can_go_on() {
    let with = |max| MachineConfig {
        stdout: Stream::Null,
        max_insns: Some(max),
        ..MachineConfig::default()
    };
    let mut whole = fixture("hello.elf", with(u64::MAX));
    assert_eq!(whole.run(), Exit::Status(0));
    let count = whole.cpu().instret;
    // The exit call itself does not retire.
    let mut enough = fixture("hello.elf", with(count + 1));
    assert_eq!(enough.run(), Exit::Status(0));
    let mut short = fixture("hello.elf", with(count));
    assert_eq!(short.run(), Exit::MaxInsns);
    assert_eq!(short.cpu().instret, count);
    assert_eq!(short.step(), Some(Exit::Status(0)));
}

#[test]
fn a_time_limit_ends_a_loop() {
    let mut machine = fixture(
        "hello.elf",
        MachineConfig {
            timeout: Some(Duration::from_millis(20)),
            ..MachineConfig::default()
        },
    );
    let loop_forever = 0x0000_006f_u32.to_le_bytes();
    let entry = machine.image().entry;
    machine.memory_mut().poke(entry, &loop_forever).unwrap();
    assert_eq!(machine.run(), Exit::Timeout);
    assert_eq!(machine.cpu().pc, entry);
}

#[test]
fn functions_can_be_called() {
    let mut machine = fixture("fib.elf", MachineConfig::default());
    let before = machine.cpu().x;
    assert_eq!(machine.call("fib", &[10]), Ok(55));
    assert_eq!(machine.call("fib", &[20]), Ok(6765));
    assert_eq!(machine.cpu().x, before);
    assert_eq!(machine.call("nothing", &[]), Err(CallError::NoFunction));
    assert_eq!(
        machine.call("fib", &[0; 9]),
        Err(CallError::TooManyArguments)
    );
    let mut crash = fixture("nullcrash.elf", MachineConfig::default());
    assert!(matches!(
        crash.call("inner", &[0]),
        Err(CallError::Ended(Exit::Fault(_)))
    ));
}

#[test]
fn a_tohost_program_has_a_signature() {
    let mut machine = fixture("tohost_pass.elf", MachineConfig::default());
    assert_eq!(machine.run(), Exit::Status(0));
    let signature = machine.signature().unwrap();
    assert!(signature.starts_with("12345678\n"), "{signature}");
    let special = &mut Arc::get_mut(&mut machine.image).unwrap().special;
    std::mem::swap(&mut special.begin_signature, &mut special.end_signature);
    assert_eq!(machine.signature(), None, "it ends before it begins");
    assert!(
        fixture("hello.elf", MachineConfig::default())
            .signature()
            .is_none()
    );
}

#[test]
fn strict_alignment_needs_the_paged_placement() {
    let config = |placement| MachineConfig {
        strict_align: true,
        placement,
        stdout: Stream::Null,
        ..MachineConfig::default()
    };
    let mut machine = fixture("misaligned.elf", config(None));
    assert_eq!(machine.run().status(), 135);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/misaligned.elf");
    let refused = Machine::open(&path, config(Some(Placement::Window)));
    assert!(matches!(refused, Err(MachineError::StrictAlign(_))));
}

#[test]
fn the_guest_finds_its_name_and_environment() {
    let config = MachineConfig {
        args: vec![b"name".to_vec(), b"arg".to_vec()],
        env: vec![b"A=1".to_vec()],
        ..MachineConfig::default()
    };
    let mut machine = fixture("hello.elf", config);
    let sp = machine.cpu().x[SP];
    let memory = machine.memory_mut();
    let words: [u32; 6] = [0, 4, 8, 12, 16, 20].map(|n| memory.load(sp + n).unwrap());
    let mut text = |addr| memory.read_c_string(addr, 10).unwrap();
    assert_eq!((words[0], words[3], words[5]), (2, 0, 0));
    assert_eq!([text(words[1]), text(words[2])], [&b"name"[..], b"arg"]);
    assert_eq!(text(words[4]), b"A=1");
}

/// The call may have written the word: here nobody has, but the guest cannot know.
#[test]
fn a_system_call_ends_a_reservation() {
    for engine in [EngineKind::Interp, EngineKind::Auto] {
        let mut machine = fixture(
            "hello.elf",
            MachineConfig {
                engine,
                hot: Some(0),
                ..MachineConfig::default()
            },
        );
        // lr.w t0, (sp); ecall, of no call; sc.w t1, t0, (sp); lr.w; sc.w t2, t0, (sp); ebreak
        let words = [
            0x1001_22af_u32,
            0x0000_0073,
            0x1851_232f,
            0x1001_22af,
            0x1851_23af,
            0x0010_0073,
        ];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let entry = machine.image().entry;
        machine.memory_mut().poke(entry, &bytes).unwrap();
        assert_eq!(machine.run(), Exit::Breakpoint);
        assert_eq!(
            (machine.cpu().x[6], machine.cpu().x[7]),
            (1, 0),
            "{engine:?}"
        );
    }
}

#[test]
fn a_function_returns_to_where_nothing_is() {
    let mut machine = fixture(
        "fib.elf",
        MachineConfig {
            // Identity has no page at address 0.
            placement: Some(Placement::Paged),
            ..MachineConfig::default()
        },
    );
    assert_eq!(machine.return_address(), RETURN_OFFSET);
    for page in 0..3 {
        let all = Permissions::RWX;
        machine
            .memory
            .map(page * PAGE_SIZE, PAGE_SIZE.into(), all)
            .unwrap();
    }
    assert_eq!(machine.return_address(), 3 * PAGE_SIZE + RETURN_OFFSET);
    assert_eq!(machine.call("fib", &[10]), Ok(55));
}

//! Programs on a bare machine that go wrong, or that time decides about: how they end, on every engine.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot make its program has failed"
)]

mod common;

use common::{fixtures, one_segment};
use rvjit::elf::Image;
use rvjit::machine::{EngineKind, Exit, JIT_AVAILABLE, Machine, MachineConfig};
use rvjit::platform::Platform;
use rvjit::syscall::Stream;
use std::time::Duration;

/// `la t0, handler; csrw mtvec, t0` where the handler is `ahead` bytes behind the program's start.
fn handler_at(ahead: u32) -> [u32; 3] {
    [0x0000_0297, 0x0002_8293 | ahead << 20, 0x3052_9073]
}

const ECALL: u32 = 0x0000_0073;
const MRET: u32 = 0x3020_0073;
const WFI: u32 = 0x1050_0073;
/// `j .`
const HERE: u32 = 0x0000_006f;
/// `j .-4`
const BACK: u32 = 0xffdf_f06f;

/// Longer than what ends by itself takes, also where it is emulated on a busy machine.
const LONG: Duration = Duration::from_secs(60);
/// For what does not.
const SHORT: Duration = Duration::from_secs(1);

/// Runs these words, with a time limit and perhaps counted; the JIT translates everything at once.
fn run(words: &[u32], engine: EngineKind, max_insns: Option<u64>, limit: Duration) -> Exit {
    let image = Image::parse(one_segment(0x8000_0000, words)).unwrap();
    let mut machine = Machine::new(
        image,
        MachineConfig {
            platform: Some(Platform::Bare),
            engine,
            hot: (engine == EngineKind::Jit).then_some(0),
            max_insns,
            timeout: Some(limit),
            stdout: Stream::Null,
            ..MachineConfig::default()
        },
    )
    .unwrap();
    machine.run()
}

fn kinds() -> Vec<EngineKind> {
    let jit = JIT_AVAILABLE.then_some(EngineKind::Jit);
    [EngineKind::Interp].into_iter().chain(jit).collect()
}

#[test]
fn what_can_never_go_on_ends() {
    let [la, lo, set] = handler_at(16);
    // Each with its handler at 16, where it has one.
    let [until_la, until_lo, until_set] = handler_at(44);
    let rows: [(&str, &[u32], &str); 9] = [
        ("a jump to itself", &[HERE], "WaitsForever"),
        // A timer in the past, as below, but mstatus.MIE is 0.
        (
            "a jump to itself with interrupts off",
            &[
                0x0200_42b7,
                0x0002_a223,
                0x0002_a023,
                0x0800_0293,
                0x3042_9073,
                HERE,
            ],
            "WaitsForever",
        ),
        // lui t1, 0x10; sw t1, 0(t0): 6.5 ms; the handler is lw t1, 0(x0).
        (
            "a jump to itself until the timer",
            &[
                until_la,
                until_lo,
                until_set,
                0x0200_42b7,
                0x0002_a223,
                0x0001_0337,
                0x0062_a023,
                0x0800_0293,
                0x3042_9073,
                0x3004_6073,
                HERE,
                0x0000_2303,
            ],
            "TrapsForever { cause: LoadFault, value: 0 }",
        ),
        // lw t1, 0(x0)
        (
            "a handler that traps",
            &[la, lo, set, ECALL, 0x0000_2303, MRET],
            "TrapsForever { cause: LoadFault, value: 0 }",
        ),
        (
            "a handler that returns to what trapped",
            &[la, lo, set, 0, 0x3420_2373, MRET],
            "TrapsForever { cause: IllegalInstruction, value: 0 }",
        ),
        (
            "an mtvec of 0",
            &[0x3050_1073, 0],
            "TrapsForever { cause: FetchFault, value: 0 }",
        ),
        ("wfi with nothing to come", &[WFI, BACK], "WaitsForever"),
        // li t0, 0x80; csrw mie, t0: mtimecmp was never set.
        (
            "wfi with a timer that was not set",
            &[0x0800_0293, 0x3042_9073, WFI, BACK],
            "WaitsForever",
        ),
        // lui t0, 0x2004; li t1, -1; sw t1, 4(t0): the largest upper half; then as before.
        (
            "wfi with a timer that is off",
            &[
                0x0200_42b7,
                0xfff0_0313,
                0x0062_a223,
                0x0800_0293,
                0x3042_9073,
                WFI,
                BACK,
            ],
            "WaitsForever",
        ),
    ];
    for engine in kinds() {
        for (name, words, end) in rows {
            for max_insns in [None, Some(50_000_000)] {
                let exit = run(words, engine, max_insns, LONG);
                assert_eq!(
                    format!("{exit:?}"),
                    end,
                    "{name}, {engine:?}, {max_insns:?}"
                );
                assert_eq!(exit.status(), 124, "{name}");
            }
        }
    }
}

#[test]
fn what_may_go_on_is_left_alone() {
    let [la, lo, set] = handler_at(20);
    let rows: [(&str, &[u32]); 3] = [
        // The handler counts its traps at 0x80001000: lui t2, 0x80001; lw t1, 0(t2); addi t1, t1, 1; sw t1, 0(t2);
        // li t1, 0; mret.
        (
            "a handler that counts",
            &[
                la,
                lo,
                set,
                ECALL,
                HERE,
                0x8000_13b7,
                0x0003_a303,
                0x0013_0313,
                0x0063_a023,
                0x0000_0313,
                MRET,
            ],
        ),
        // csrr t1, instret; li t1, 0; mret.
        (
            "a handler that looks at the time",
            &[la, lo, set, ECALL, HERE, 0xc020_2373, 0x0000_0313, MRET],
        ),
        // The timer is in the past: lui t0, 0x2004; sw x0, 4(t0); sw x0, 0(t0); li t0, 0x80; csrw mie, t0;
        // csrsi mstatus, 8; the handler is mret.
        (
            "a timer in the past",
            &[
                0x0000_0297,
                0x0282_8293,
                0x3052_9073,
                0x0200_42b7,
                0x0002_a223,
                0x0002_a023,
                0x0800_0293,
                0x3042_9073,
                0x3004_6073,
                HERE,
                MRET,
            ],
        ),
    ];
    for engine in kinds() {
        for (name, words) in rows {
            let timed = run(words, engine, None, SHORT);
            assert_eq!(timed, Exit::Timeout, "{name}, {engine:?}");
            let counted = run(words, engine, Some(100_000), LONG);
            assert_eq!(counted, Exit::MaxInsns, "{name}, {engine:?}");
        }
    }
}

/// Where instructions are counted, time is instructions: interrupts come at the same ones on every engine.
#[test]
fn counted_runs_repeat_exactly() {
    for name in [
        "machine_timer",
        "machine_tasks",
        "machine_modes",
        "machine_traps",
    ] {
        let path = fixtures().join(format!("{name}.elf"));
        let ended = |engine, max_insns| {
            let mut machine = Machine::open(
                &path,
                MachineConfig {
                    engine,
                    hot: (engine == EngineKind::Jit).then_some(0),
                    max_insns: Some(max_insns),
                    stdout: Stream::Null,
                    ..MachineConfig::default()
                },
            )
            .unwrap();
            let exit = machine.run();
            let cpu = machine.cpu().clone();
            (exit, cpu)
        };
        let whole = ended(EngineKind::Interp, 100_000_000);
        assert_eq!(whole.0, Exit::Status(0), "{name}");
        for engine in kinds() {
            assert_eq!(ended(engine, 100_000_000), whole, "{name}, {engine:?}");
        }
        for part in 1..20 {
            let most = whole.1.instret * part / 20;
            let expected = ended(EngineKind::Interp, most);
            for engine in kinds() {
                assert_eq!(ended(engine, most), expected, "{name}, {engine:?}, {most}");
            }
        }
    }
}

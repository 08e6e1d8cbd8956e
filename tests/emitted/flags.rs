//! What a conditional branch looks at is what it was meant to: nothing between it and the instruction that set the flags
//! writes what that one compared. Seen in the emitted text, so on any machine for both hosts.

use crate::START;
use crate::comparison_programs::{LAZY, LAZY_LEN, cases, first_count};
use rvjit::asm::{a64, x64};
use rvjit::jit::back::translate::Mode;
use rvjit::jit::view::preview::{Host, code_ahead, options};
use rvjit::memory::{Memory, MemoryConfig, Permissions, Placement};
use rvjit::rv32::Isa;

/// How many branches use flags that something before them was emitted for, and the first that is wrong.
#[derive(Default)]
struct Seen {
    reused: usize,
    wrong: Option<usize>,
}

fn look_at_arm64(code: &[u8]) -> Seen {
    let mut seen = Seen::default();
    // What was compared, what was written since, and how often that served.
    let (mut compared, mut written, mut uses) = (0, 0, 0);
    for (at, word) in (0..).step_by(4).zip(code.chunks_exact(4)) {
        let word = u32::from_le_bytes(word.try_into().unwrap());
        let info = a64::classify(word).unwrap();
        uses += usize::from(matches!(info.name, "b_cond" | "cset"));
        if info.name == "b_cond" {
            seen.reused += usize::from(uses > 1);
            if compared & written != 0 {
                seen.wrong.get_or_insert(at);
            }
        }
        if info.writes_flags {
            (compared, written, uses) = (info.reads, info.writes, 0);
        } else {
            written |= info.writes;
        }
    }
    seen
}

fn look_at_x86_64(code: &[u8]) -> Seen {
    let mut seen = Seen::default();
    // What the flags tell of: registers, and a place in the state, which a result may be stored to.
    let (mut told, mut place, mut result) = (0, None, 0);
    let (mut stale, mut compares) = (false, true);
    let mut at = 0;
    while at < code.len() {
        let insn = x64::decode(&code[at..], at as u64);
        let text = insn.to_string();
        let stores =
            insn.mnemonic() == "mov" && text.contains("PTR [rsp") && !text.contains(",DWORD");
        if insn.mnemonic() == "jcc" {
            seen.reused += usize::from(!compares);
            if stale {
                seen.wrong.get_or_insert(at);
            }
        }
        if insn.writes_flags() {
            stale = false;
            compares = matches!(insn.mnemonic(), "cmp" | "test");
            told = if compares {
                insn.reads()
            } else {
                insn.writes()
            };
            // A value in a scratch register is that of a place in the state, and may outlive it there.
            told &= !(x64::Reg::Rax.bit() | x64::Reg::Rdx.bit());
            place = if compares { insn.memory() } else { None };
            result = if compares { 0 } else { insn.writes() };
        } else if stores && place.is_none() && insn.reads() & result != 0 {
            (place, result) = (insn.memory(), 0);
        } else {
            stale |= insn.writes() & told != 0 || stores && insn.memory() == place;
        }
        at += insn.len();
    }
    seen
}

fn check(host: Host, placement: Placement, least: usize, look: impl Fn(&[u8]) -> Seen) {
    let mut memory = Memory::new(MemoryConfig::default()).unwrap();
    memory.map(START, 0x1000, Permissions::RX).unwrap();
    memory.map(LAZY, LAZY_LEN, Permissions::RW).unwrap();
    let mut reused = 0;
    for case in (0..first_count()).flat_map(cases) {
        let bytes: Vec<u8> = case.words.iter().flat_map(|w| w.to_le_bytes()).collect();
        memory.poke(START, &bytes).unwrap();
        let end = START + u32::try_from(bytes.len()).unwrap();
        let range = START..end;
        let (mode, options) = (Mode::default(), options(placement, Isa::default()));
        let (stubs, code) = code_ahead(host, options, mode, &mut memory, &[range]);
        let seen = look(&code[stubs.code.len()..]);
        reused += seen.reused;
        assert_eq!(
            seen.wrong,
            None,
            "{} ({}), {}",
            host.name(),
            placement.name(),
            case.name
        );
    }
    assert!(reused >= least, "comparisons are used again: {reused}");
}

#[test]
fn arm64_flags_are_those_of_what_is_compared() {
    check(Host::Arm64, Placement::Identity, 50, look_at_arm64);
}

#[test]
fn x86_64_flags_are_those_of_what_is_compared() {
    check(Host::X86_64, Placement::Identity, 20_000, look_at_x86_64);
}

//! What speaks for a platform: first the straight way from the entry on, then a bounded scan, then symbols.
//!
//! Most programs are newlib's, and their start-up code shows that within twenty instructions by reading `argc` where sp
//! points: nothing else is looked at then, and no memory is allocated. Start-up code of a bare machine sets sp itself,
//! because nobody did before it. What is certain is asked first:
//!
//! 1. A process cannot have page 0, or an entry that cannot be executed.
//! 2. The way in reads its arguments: a process. It writes a machine CSR: a machine. It sets sp: a machine or a zkVM.
//! 3. What [`MOST`] instructions from the entry on do: machine CSRs, `mret` and `wfi`, the semihosting triple.
//! 4. Load addresses that are not the addresses of use; symbols that only the programs of a machine have.
//! 5. Of programs with flat memory, the register that the numbers of calls are in.

use super::scan::{Known, Scan};
use super::{Decision, Platform, PlatformError};
use crate::elf::{Image, Segment};
use crate::memory::{PAGE_SIZE, Permissions};
use crate::rv32::decode::{ECALL, MRET, SRET, WFI};
use crate::rv32::{CsrSource, Insn, Reg, decode};
use std::fmt;

/// Instructions that are looked at on the straight way in.
const MOST_STRAIGHT: usize = 96;
/// Instructions that are looked at behind branches and calls.
const MOST: usize = 512;
/// Words before an `ecall` in which its number may be set.
const CALL_SETUP: usize = 12;

/// Something that a file does, and that speaks for a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Somebody said so.
    Wanted,
    /// The entry reads arguments where sp points: the address.
    ReadsArguments(u32),
    /// The entry sets sp itself: the address.
    SetsStack(u32),
    /// A control and status register of the machine: its number, the address.
    MachineCsr(u16, u32),
    /// An instruction that only a machine has: its name, the address.
    Privileged(&'static str, u32),
    /// A semihosting call: the address.
    Semihosting(u32),
    /// A segment is loaded at another address than it is used at: both.
    LoadAddress(u32, u32),
    /// A segment covers page 0: its address.
    NullPage(u32),
    /// The entry is in a segment that cannot be executed.
    Entry(u32),
    /// A symbol.
    Symbol(&'static str),
    /// An `ecall` with its number in t0: the number, the address.
    CallInT0(u32, u32),
    /// The names of RISC Zero's calls are in the file.
    Risc0Names,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Reason::Wanted => write!(f, "--platform"),
            Reason::ReadsArguments(pc) => {
                write!(
                    f,
                    "the entry reads its arguments from the stack at {pc:#010x}"
                )
            }
            Reason::SetsStack(pc) => write!(f, "the entry sets sp itself at {pc:#010x}"),
            Reason::MachineCsr(number, pc) => {
                write!(f, "the machine CSR {number:#x} at {pc:#010x}")
            }
            Reason::Privileged(name, pc) => write!(f, "{name} at {pc:#010x}"),
            Reason::Semihosting(pc) => write!(f, "a semihosting call at {pc:#010x}"),
            Reason::LoadAddress(vaddr, paddr) => {
                write!(f, "the segment at {vaddr:#010x} is loaded at {paddr:#010x}")
            }
            Reason::NullPage(addr) => write!(f, "the segment at {addr:#010x} covers page 0"),
            Reason::Entry(entry) => write!(
                f,
                "the entry {entry:#010x} is in a segment that its flags do not let be executed"
            ),
            Reason::Symbol(name) => write!(f, "the symbol {name}"),
            Reason::CallInT0(number, pc) => {
                write!(
                    f,
                    "an ecall with its number, {number:#x}, in t0 at {pc:#010x}"
                )
            }
            Reason::Risc0Names => write!(f, "the names of risc0's calls"),
        }
    }
}

/// Whether a program can run as a process does.
pub(super) fn can_be_a_process(image: &Image) -> Result<(), PlatformError> {
    if let Some(low) = image.segments.iter().find(|s| s.vaddr < PAGE_SIZE) {
        return Err(PlatformError::NullPage(low.vaddr));
    }
    let executable = |s: &Segment| s.permissions.is_some_and(Permissions::executable);
    match image.segment_at(image.entry) {
        Some(segment) if executable(segment) => Ok(()),
        _ => Err(PlatformError::Entry(image.entry)),
    }
}

/// What the file speaks for.
pub(super) fn decide(image: &Image) -> Decision {
    let mut reasons = Vec::new();
    match can_be_a_process(image) {
        Ok(()) => {}
        Err(PlatformError::NullPage(addr)) => reasons.push(Reason::NullPage(addr)),
        Err(PlatformError::Entry(entry)) => reasons.push(Reason::Entry(entry)),
    }
    match way_in(image) {
        Some(reason @ Reason::ReadsArguments(_)) if reasons.is_empty() => {
            return Decision {
                platform: Platform::Newlib,
                reasons: vec![reason],
            };
        }
        found => reasons.extend(found),
    }
    let certain = |reason: &Reason| !matches!(reason, Reason::SetsStack(_));
    if !reasons.iter().any(certain) {
        reasons.extend(deeper(image));
    }
    reasons.extend(load_address(image));
    reasons.extend(symbol(image));
    let machine = reasons.iter().any(|reason| {
        matches!(
            reason,
            Reason::MachineCsr(..) | Reason::Privileged(..) | Reason::Semihosting(_)
        )
    });
    if !machine && let Some((platform, reason)) = zkvm(image) {
        reasons.push(reason);
        return Decision { platform, reasons };
    }
    let platform = match reasons.is_empty() {
        true => Platform::Newlib,
        false => Platform::Bare,
    };
    Decision { platform, reasons }
}

/// What the first instructions do: calls are taken to return, branches not to be taken.
fn way_in(image: &Image) -> Option<Reason> {
    let mut pc = image.entry;
    let mut known = Known::default();
    for _ in 0..MOST_STRAIGHT {
        let fetched = image.fetched(pc)?;
        if let Some(name) = privileged(fetched.bits) {
            return Some(Reason::Privileged(name, pc));
        }
        let insn = fetched.insn?;
        match insn {
            Insn::Jal { rd, offset } if rd.is_zero() => {
                pc = pc.wrapping_add_signed(offset);
                continue;
            }
            Insn::Jalr { rd, rs1, offset } if rd.is_zero() => {
                pc = known.get(rs1)?.wrapping_add_signed(offset) & !1;
                continue;
            }
            Insn::Csr {
                csr, rd, source, ..
            } => {
                if is_machine(csr) {
                    return Some(Reason::MachineCsr(csr, pc));
                }
                // `unimp`.
                if rd.is_zero() && matches!(source, CsrSource::Reg(rs) if rs.is_zero()) {
                    return None;
                }
            }
            Insn::Load { rs1, offset, .. } if rs1 == Reg::SP && offset >= 0 => {
                return Some(Reason::ReadsArguments(pc));
            }
            // `mv`: whoever passes the sp that it was given on passes the arguments.
            Insn::AluImm { rd, rs1, imm, .. } if rs1 == Reg::SP => {
                if rd != Reg::SP && imm >= 0 {
                    return Some(Reason::ReadsArguments(pc));
                }
                // A function's frame.
                if rd == Reg::SP && (-2048..0).contains(&imm) && imm % 16 == 0 && !known_mask(insn)
                {
                    return None;
                }
            }
            Insn::Ecall | Insn::Ebreak => return None,
            _ => {}
        }
        if sets_stack(insn) {
            return Some(Reason::SetsStack(pc));
        }
        known.compute(insn, pc);
        pc = fetched.next();
    }
    None
}

/// `andi sp, sp, -16`, which makes no frame.
fn known_mask(insn: Insn) -> bool {
    matches!(
        insn,
        Insn::AluImm {
            op: crate::rv32::AluOp::And,
            ..
        }
    )
}

/// Whether sp gets a value that has nothing to do with what it was.
fn sets_stack(insn: Insn) -> bool {
    match insn {
        Insn::Lui { rd, .. } | Insn::Auipc { rd, .. } | Insn::Load { rd, .. } => rd == Reg::SP,
        Insn::AluImm { rd, rs1, .. } => rd == Reg::SP && rs1 != Reg::SP,
        Insn::Alu { rd, rs1, rs2, .. } => rd == Reg::SP && rs1 != Reg::SP && rs2 != Reg::SP,
        _ => false,
    }
}

/// Whether a control and status register is the machine's, a hypervisor's or a supervisor's: bits 9 and 8 of the number
/// (Privileged spec 2.1).
fn is_machine(csr: u16) -> bool {
    csr >> 8 & 3 != 0
}

fn privileged(word: u32) -> Option<&'static str> {
    match word {
        MRET => Some("mret"),
        SRET => Some("sret"),
        WFI => Some("wfi"),
        _ => None,
    }
}

/// What is found behind branches and calls.
fn deeper(image: &Image) -> Option<Reason> {
    let mut scan = Scan::of_at_most(image.isa(), MOST);
    scan.follow(&mut |pc| image.half(pc), image.entry);
    let csr = scan.csrs.iter().find(|(csr, _)| is_machine(**csr));
    let csr = csr.map(|(csr, pc)| Reason::MachineCsr(*csr, *pc));
    let other = || {
        let (pc, word) = scan.privileged.first_key_value()?;
        Some(Reason::Privileged(privileged(*word)?, *pc))
    };
    let semihosting = || {
        let (_, places) = scan.semihosting.first_key_value()?;
        Some(Reason::Semihosting(*places.first()?))
    };
    csr.or_else(other).or_else(semihosting)
}

/// A segment whose data start-up code copies.
fn load_address(image: &Image) -> Option<Reason> {
    let segment = image.segments.iter().find(|s| s.copy().is_some())?;
    Some(Reason::LoadAddress(segment.vaddr, segment.paddr))
}

fn symbol(image: &Image) -> Option<Reason> {
    let special = &image.special;
    let has = |addr: Option<u32>, name| addr.map(|_| Reason::Symbol(name));
    has(special.sys_semihost, "sys_semihost")
        .or_else(|| has(special.tohost.map(|tohost| tohost.addr), "tohost"))
        .or_else(|| has(special.stack, "__stack"))
}

/// The numbers of SP1's calls that RISC Zero does not have, and that every program makes at its end or beginning: COMMIT,
/// COMMIT_DEFERRED_PROOFS, VERIFY_SP1_PROOF, HINT_LEN and HINT_READ.
const SP1_CALLS: [u32; 5] = [0x10, 0x1a, 0x1b, 0xf0, 0xf1];
/// RISC Zero's calls (HALT to POSEIDON2), of which SP1 has the first numbers, too.
const RISC0_CALLS: u32 = 6;
/// What the names of RISC Zero's calls begin with.
const RISC0_NAMES: &[u8] = b"risc0_zkvm_platform::";

/// A zkVM by its calls: numbers in t0, where newlib's are in a7.
fn zkvm(image: &Image) -> Option<(Platform, Reason)> {
    // No zkVM has RV32E, whose calls have their number there, too.
    if image.embedded() {
        return None;
    }
    let mut any = None;
    for segment in &image.segments {
        let (words, _) = image.data(segment).as_chunks::<4>();
        for (n, word) in words.iter().enumerate() {
            if u32::from_le_bytes(*word) != ECALL {
                continue;
            }
            let before = &words[n.saturating_sub(CALL_SETUP)..n];
            let Some(number) = number_in_t0(before) else {
                continue;
            };
            let pc = segment.vaddr.wrapping_add(u32::try_from(4 * n).ok()?);
            let reason = Reason::CallInT0(number, pc);
            if SP1_CALLS.contains(&number) {
                return Some((Platform::Sp1, reason));
            }
            any = any.or(Some((number, reason)));
        }
    }
    let (number, reason) = any?;
    let names = |s: &Segment| {
        let data = image.data(s);
        data.windows(RISC0_NAMES.len()).any(|w| w == RISC0_NAMES)
    };
    if number < RISC0_CALLS && image.segments.iter().any(names) {
        return Some((Platform::Risc0, Reason::Risc0Names));
    }
    Some((Platform::Sp1, reason))
}

/// The constant that the words before an `ecall` leave in t0; `None` where they set a7, as newlib's callers do.
fn number_in_t0(words: &[[u8; 4]]) -> Option<u32> {
    let mut known = Known::default();
    let mut number = None;
    for word in words {
        let word = u32::from_le_bytes(*word);
        match decode(word) {
            // What was known does not hold on another way here.
            None
            | Some(Insn::Jal { .. } | Insn::Jalr { .. } | Insn::Branch { .. } | Insn::Ecall) => {
                known = Known::default();
                number = None;
            }
            Some(insn) => {
                known.compute(insn, 0);
                match insn {
                    Insn::AluImm { rd: Reg::T0, .. } | Insn::Lui { rd: Reg::T0, .. } => {
                        number = known.get(Reg::T0);
                    }
                    Insn::AluImm { rd: Reg::A7, .. } | Insn::Lui { rd: Reg::A7, .. } => {
                        return None;
                    }
                    _ => {}
                }
            }
        }
    }
    number
}

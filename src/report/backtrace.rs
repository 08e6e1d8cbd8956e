//! Who called whom: the call stack of a guest that has stopped.
//!
//! Four ways up, the surest first: DWARF's call frame information; the chain of frame pointers, where it is one; what
//! the function's first instructions do to the stack pointer; and a search of the stack for words that are return
//! addresses, which means that they point behind a call. Of those found by searching, the ones whose call goes to the
//! function that must have been called are preferred. Only the first way is exact, so each frame says how it was found.

use super::cfi::{CallFrames, Step};
use crate::elf::{Image, Layout};
use crate::memory::Memory;
use crate::rv32::{AluOp, Fetched, Insn, Isa, Reg, StoreOp};
use serde::Serialize;
use std::cell::Cell;
use std::ops::Range;

const RA: usize = 1;
const SP: usize = 2;
const S0: usize = 8;

/// Frames that are looked for at most: enough to see that a recursion is one.
pub const MOST_FRAMES: usize = 256;
/// Words of the stack that one search looks at.
const SEARCHED_WORDS: u32 = 4096;

/// How much is done to find a call stack, whatever the program's file and memory hold.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Frames at most.
    frames: usize,
    /// Words of memory, instructions and bytes of call frame information that are looked at; one takes about 30 ns.
    steps: usize,
    /// Whether the stack is searched where nothing better leads on.
    search: bool,
}

impl Effort {
    /// For a report.
    pub const REPORT: Effort = Effort {
        frames: MOST_FRAMES,
        steps: 1 << 22,
        search: true,
    };
    /// For one of many samples, which may be taken in a signal handler: no more than a tick of the timer allows. What is
    /// found by searching may be wrong; in a sum of samples that is worse than being short.
    pub const SAMPLE: Effort = Effort {
        frames: 64,
        steps: 1 << 14,
        search: false,
    };
}

/// How a frame was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// It is where the guest stopped.
    Pc,
    /// By call frame information.
    Cfi,
    /// Its return address is in `ra`.
    Register,
    /// By the instructions at the start of the function, which make its frame.
    Prologue,
    /// By the chain of frame pointers.
    FramePointer,
    /// By searching the stack.
    Search,
}

/// One function that has not returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The instruction it is at: the one that stopped, else the call.
    pub pc: u32,
    /// How it was found.
    pub found: Found,
}

/// What finds the call stacks of one program.
pub struct Unwinder<'a> {
    image: &'a Image,
    stack: Range<u32>,
    frames: CallFrames<'a>,
    /// Steps that are left.
    left: Cell<usize>,
}

impl std::fmt::Debug for Unwinder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unwinder")
            .field("stack", &self.stack)
            .finish_non_exhaustive()
    }
}

/// A caller as one of the ways finds it.
struct Caller {
    registers: [u32; 32],
    return_address: u32,
    found: Found,
}

impl<'a> Unwinder<'a> {
    /// Reads the call frame information of a program.
    #[must_use]
    pub fn new(image: &'a Image, layout: &Layout) -> Unwinder<'a> {
        Unwinder {
            image,
            stack: layout.stack.clone(),
            frames: CallFrames::new(image),
            left: Cell::new(0),
        }
    }

    /// Whether there are so many steps left, which are then taken.
    fn pay(&self, steps: usize) -> bool {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// The call stack, innermost first, of a guest with these registers.
    pub fn backtrace(
        &mut self,
        pc: u32,
        registers: &[u32; 32],
        memory: &Memory,
        effort: Effort,
    ) -> Vec<Frame> {
        self.left.set(effort.steps);
        let mut frames = vec![Frame {
            pc,
            found: Found::Pc,
        }];
        let (mut pc, mut registers) = (pc, *registers);
        while frames.len() < effort.frames {
            let innermost = frames.len() == 1;
            let Some(caller) = self.caller(pc, &registers, innermost, memory, effort.search) else {
                break;
            };
            // Each frame is above the one it called; two with the same top are one that is never left.
            let stuck = caller.registers[SP] < registers[SP]
                || (caller.registers[SP] == registers[SP] && !innermost);
            if stuck {
                break;
            }
            pc = caller.return_address.wrapping_sub(4);
            registers = caller.registers;
            frames.push(Frame {
                pc,
                found: caller.found,
            });
        }
        frames
    }

    fn caller(
        &mut self,
        pc: u32,
        registers: &[u32; 32],
        innermost: bool,
        memory: &Memory,
        search: bool,
    ) -> Option<Caller> {
        let left = &self.left;
        let pay = |steps| {
            let after = left.get().checked_sub(steps);
            // What is too much here leaves enough for the other ways.
            after.inspect(|&after| left.set(after)).is_some()
        };
        if let Step::Caller {
            registers: caller,
            pc: return_address,
            saved,
        } = self.frames.step(pc, registers, memory, &pay)
        {
            // A function in the middle of the stack has saved its return address, unless it has none to go to.
            let plausible = (saved || innermost)
                && call_before(self.image.isa(), memory, return_address).is_some();
            return plausible.then_some(Caller {
                registers: caller,
                return_address,
                found: Found::Cfi,
            });
        }
        let by_chain = self.by_frame_pointer(registers, innermost, memory);
        if let Some(mut caller) = by_chain
            && self.stack.contains(&(caller.registers[SP].wrapping_sub(1)))
        {
            caller.found = Found::FramePointer;
            return Some(caller);
        }
        if let Some(caller) = self.by_prologue(pc, registers, innermost, memory) {
            return Some(caller);
        }
        if innermost && let Some(caller) = self.by_register(pc, registers, memory) {
            return Some(caller);
        }
        search
            .then(|| self.by_search(pc, registers, memory))
            .flatten()
    }

    /// The frame pointer points at the caller's stack, below it the return address and the caller's frame pointer
    /// (RISC-V psABI, "Frame Pointer Convention"); a leaf function saves only the latter.
    fn by_frame_pointer(
        &self,
        registers: &[u32; 32],
        innermost: bool,
        memory: &Memory,
    ) -> Option<Caller> {
        let (fp, sp) = (registers[S0], registers[SP]);
        if !fp.is_multiple_of(16) || fp <= sp || fp - sp > 1 << 20 {
            return None;
        }
        let high = word(memory, fp - 4)?;
        let (return_address, saved) = if call_before(self.image.isa(), memory, high).is_some() {
            (high, word(memory, fp - 8)?)
        } else if innermost && call_before(self.image.isa(), memory, registers[RA]).is_some() {
            (registers[RA], high)
        } else {
            return None;
        };
        // The end of the chain is 0; else it goes up.
        if saved != 0 && saved < fp {
            return None;
        }
        let mut caller = *registers;
        caller[SP] = fp;
        caller[S0] = saved;
        caller[RA] = return_address;
        Some(Caller {
            registers: caller,
            return_address,
            found: Found::FramePointer,
        })
    }

    /// Follows the stack pointer from the function's start, in the order of addresses. That is right for what compilers
    /// make of most functions; where it is not, what it finds is hardly ever a return address.
    fn by_prologue(
        &self,
        pc: u32,
        registers: &[u32; 32],
        innermost: bool,
        memory: &Memory,
    ) -> Option<Caller> {
        let own = self.function(pc)?;
        if !self.pay((pc.wrapping_sub(own) / 4).min(FOLLOWED) as usize + 1) {
            return None;
        }
        let frame = prologue(self.image.isa(), own, pc, memory)?;
        let cfa = registers[SP].wrapping_add(frame.size);
        let mut caller = *registers;
        for (reg, below) in frame.saved {
            caller[reg] = word(memory, cfa.wrapping_sub(below))?;
        }
        if !frame.saved_ra && !innermost {
            return None;
        }
        // Not necessarily a call of this function: the one that was called may have jumped here as the last it did.
        call_before(self.image.isa(), memory, caller[RA])?;
        caller[SP] = cfa;
        Some(Caller {
            registers: caller,
            return_address: caller[RA],
            found: Found::Prologue,
        })
    }

    /// Where the innermost function has called nobody yet, `ra` says who called it.
    fn by_register(&self, pc: u32, registers: &[u32; 32], memory: &Memory) -> Option<Caller> {
        let return_address = registers[RA];
        let call = call_before(self.image.isa(), memory, return_address)?;
        let own = self.function(pc);
        // A return address into the function itself is most likely of a call that it has made.
        let returned = own.is_some() && self.function(return_address) == own;
        let matches = match (call.target, own) {
            (Some(target), Some(own)) => self.function(target) == Some(own),
            _ => true,
        };
        (!returned && matches).then_some(Caller {
            registers: *registers,
            return_address,
            found: Found::Register,
        })
    }

    fn by_search(&self, pc: u32, registers: &[u32; 32], memory: &Memory) -> Option<Caller> {
        let start = registers[SP] & !3;
        if !self.stack.contains(&start) {
            return None;
        }
        let end = start.saturating_add(4 * SEARCHED_WORDS).min(self.stack.end);
        let own = self.function(pc);
        let mut first = None;
        for at in (start..end).step_by(4) {
            if !self.pay(1) {
                break;
            }
            let return_address = word(memory, at)?;
            let Some(call) = call_before(self.image.isa(), memory, return_address) else {
                continue;
            };
            let matches = match (call.target, own) {
                (Some(target), Some(own)) => self.function(target) == Some(own),
                // Called through a pointer, by somebody.
                (None, _) => true,
                (Some(_), None) => false,
            };
            if matches || first.is_none() {
                let mut caller = *registers;
                caller[SP] = at + 4;
                caller[RA] = return_address;
                first = Some(Caller {
                    registers: caller,
                    return_address,
                    found: Found::Search,
                });
            }
            if matches {
                break;
            }
        }
        first
    }

    /// The address of the function that an address is in.
    fn function(&self, pc: u32) -> Option<u32> {
        self.image.code_at(pc).map(|(symbol, _)| symbol.addr)
    }
}

/// What a function has on the stack at some place in it.
struct StackFrame {
    /// Bytes.
    size: u32,
    /// Registers that it saved, and how far below the frame's end.
    saved: Vec<(usize, u32)>,
    saved_ra: bool,
}

/// Instructions of a function that are followed at most.
const FOLLOWED: u32 = 8192;

fn prologue(isa: Isa, start: u32, pc: u32, memory: &Memory) -> Option<StackFrame> {
    let mut frame = StackFrame {
        size: 0,
        saved: Vec::new(),
        saved_ra: false,
    };
    let mut largest = 0;
    if pc - start > 4 * FOLLOWED {
        return None;
    }
    let mut at = start;
    while at < pc {
        let fetched = memory.peek_insn(isa, at).ok()?;
        at = fetched.next();
        match fetched.insn? {
            Insn::AluImm {
                op: AluOp::Add,
                rd: Reg::SP,
                rs1: Reg::SP,
                imm,
            } => {
                frame.size = frame.size.wrapping_sub(imm.cast_unsigned());
                largest = largest.max(frame.size);
                if frame.size > 1 << 24 {
                    return None;
                }
            }
            Insn::Store {
                op: StoreOp::Sw,
                rs1: Reg::SP,
                rs2,
                offset,
            } if is_saved(rs2) && !frame.saved.iter().any(|s| s.0 == rs2.index()) => {
                let below = frame.size.wrapping_sub(offset.cast_unsigned());
                if below <= frame.size {
                    frame.saved.push((rs2.index(), below));
                    frame.saved_ra |= rs2 == Reg::RA;
                }
            }
            // Behind a way out the frame is whole again.
            Insn::Jal { rd: Reg::ZERO, .. } | Insn::Jalr { rd: Reg::ZERO, .. } => {
                frame.size = largest;
            }
            // A stack pointer that is computed cannot be followed.
            insn if insn.destination() == Some(Reg::SP) => return None,
            _ => {}
        }
    }
    Some(frame)
}

/// Whether a function gives the register back as it was: ra, s0 to s11.
fn is_saved(reg: Reg) -> bool {
    matches!(reg.index(), 1 | 8 | 9 | 18..=27)
}

/// A call; its target where the instructions tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) target: Option<u32>,
}

/// The call that would return to an address; `None` where it is no return address.
pub(super) fn call_before(isa: Isa, memory: &Memory, return_address: u32) -> Option<Call> {
    if !isa.is_aligned(return_address) || return_address < 4 {
        return None;
    }
    memory.peek_insn(isa, return_address).ok()?;
    // A call has the one length or the other.
    let lengths: &[u32] = if isa.compressed { &[4, 2] } else { &[4] };
    lengths.iter().find_map(|len| {
        let at = return_address - len;
        let fetched = memory.peek_insn(isa, at).ok()?;
        (fetched.len == *len).then(|| call(isa, memory, fetched))?
    })
}

/// The call that this instruction is.
fn call(isa: Isa, memory: &Memory, fetched: Fetched) -> Option<Call> {
    let at = fetched.pc;
    let links = |rd: Reg| rd == Reg::RA || rd == Reg::T0;
    match fetched.insn? {
        Insn::Jal { rd, offset } if links(rd) => Some(Call {
            target: Some(at.wrapping_add_signed(offset)),
        }),
        Insn::Jalr { rd, rs1, offset } if links(rd) => {
            let before = at.wrapping_sub(4);
            let before_it = memory.peek_insn(isa, before).ok();
            let target = match before_it.and_then(|fetched| fetched.insn) {
                Some(Insn::Auipc { rd, imm }) if rd == rs1 => {
                    Some(before.wrapping_add(imm).wrapping_add_signed(offset))
                }
                _ => None,
            };
            Some(Call { target })
        }
        _ => None,
    }
}

fn word(memory: &Memory, addr: u32) -> Option<u32> {
    let mut bytes = [0; 4];
    memory.peek(addr, &mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, MachineConfig};
    use crate::syscall::Stream;
    use std::path::Path;

    /// The frames of a fixture that dies; with `sections` false the file has lost everything that tools look at.
    fn frames(name: &str, sections: bool) -> Vec<Frame> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures")
            .join(name);
        let mut bytes = std::fs::read(path).unwrap();
        if !sections {
            bytes[32..36].fill(0); // e_shoff
            bytes[48..52].fill(0); // e_shnum, e_shstrndx
        }
        let config = MachineConfig {
            stdout: Stream::Null,
            ..MachineConfig::default()
        };
        let mut machine = Machine::new(Image::parse(bytes).unwrap(), config).unwrap();
        machine.run();
        let view = machine.view();
        let (pc, x) = (view.cpu.pc, view.cpu.x);
        Unwinder::new(view.image, view.layout).backtrace(pc, &x, view.memory, Effort::REPORT)
    }

    #[test]
    fn all_ways_find_the_same_calls() {
        let exact = frames("nullcrash.elf", true);
        let pcs = |frames: &[Frame]| frames.iter().map(|f| f.pc).collect::<Vec<_>>();
        assert_eq!(exact.len(), 5);
        assert!(exact[1..].iter().all(|f| f.found == Found::Cfi));
        let chain = frames("nullcrash.elf", false);
        assert_eq!(pcs(&chain), pcs(&exact));
        assert!(chain[1..].iter().all(|f| f.found == Found::FramePointer));
        // No call frame information and no frame pointers; the return address of a jump to nowhere is in `ra`.
        let search = frames("fault_jump_null.elf", true);
        let found: Vec<Found> = search.iter().map(|f| f.found).collect();
        assert_eq!(found, [Found::Pc, Found::Register, Found::Prologue]);
        assert_eq!(search[0].pc, 0);
    }

    #[test]
    fn a_recursion_without_end_has_a_last_frame() {
        assert_eq!(frames("fault_stack_overflow.elf", true).len(), MOST_FRAMES);
    }
}

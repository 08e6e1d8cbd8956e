//! The details of a bad end: the instruction with its registers, the call stack with files and lines, the last system
//! calls.

use super::backtrace::{Effort, Found, Frame, MOST_FRAMES, Unwinder};
use super::lines::{Lines, SourceLine};
use super::names::demangle;
use crate::elf::Image;
use crate::machine::{Exit, Machine};
use crate::memory::Memory;
use crate::rv32::{Isa, Reg};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Frames that text shows at either end of a long call stack.
const SHOWN: (usize, usize) = (12, 4);
/// Frames at most, inlined functions among them.
const MOST_NAMED: usize = 4 * MOST_FRAMES;
/// Why lines may be missing.
const MORE_THAN_IS_READ: &str =
    "more debug information than a report reads: some files, lines and inlined functions";
/// SIGPIPE: nobody waits for more, and this is how many pipelines end.
const SIGPIPE: u8 = 13;

/// What there is to say about where a guest has stopped.
#[derive(Debug, Clone, Serialize)]
pub struct Crash {
    /// The instruction that was not executed; absent where there is none to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<Instruction>,
    /// The call stack, innermost function first.
    pub backtrace: Vec<NamedFrame>,
    /// The last system calls, oldest first. Strings in them are addresses: what stood there is not known any more.
    pub system_calls: Vec<String>,
    /// Debug information that could not be read, with the reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// An instruction and what it works on.
#[derive(Debug, Clone, Serialize)]
pub struct Instruction {
    /// Its word.
    pub word: u32,
    /// Its text.
    pub text: String,
    /// The registers that it reads.
    pub registers: BTreeMap<&'static str, u32>,
}

/// A frame of the call stack, as a person wants it. An address in a function that was inlined has several, innermost
/// first.
#[derive(Debug, Clone, Serialize)]
pub struct NamedFrame {
    /// The instruction that the function is at: that of the end, else a call.
    pub pc: u32,
    /// The function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Bytes from its start; absent in inlined functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// The source file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How the frame was found.
    pub found: Found,
    /// Whether the compiler put the function into the next one.
    pub inlined: bool,
}

impl Crash {
    /// Looks at a machine that has stopped; `None` where the end is no bad one.
    #[must_use]
    pub fn new(exit: Exit, machine: &mut Machine) -> Option<Crash> {
        match exit {
            Exit::Status(_)
            | Exit::TohostFailure(_)
            | Exit::FinisherFailure(_)
            | Exit::Reset
            | Exit::Killed(SIGPIPE) => return None,
            Exit::TohostRequest(_)
            | Exit::Refused(_)
            | Exit::OutputLost(_)
            | Exit::WaitsForever
            | Exit::TrapsForever { .. }
            | Exit::Trap(_)
            | Exit::Breakpoint
            | Exit::Fault(_)
            | Exit::Killed(_)
            | Exit::Interrupted
            | Exit::Timeout
            | Exit::MaxInsns
            | Exit::Reached
            | Exit::Stopped
            | Exit::HostCall(_) => {}
        }
        let calls = machine.syscalls_mut().recent();
        let system_calls = calls.map(|call| call.text_without_memory()).collect();
        let view = machine.view();
        let (pc, registers) = (view.cpu.pc, view.cpu.x);
        let mut unwinder = Unwinder::new(view.image, view.layout);
        let frames = unwinder.backtrace(pc, &registers, view.memory, Effort::REPORT);
        let mut lines = Lines::new(view.image);
        lines.look_up(frames.iter().map(|frame| frame.pc));
        let mut left_out = view.image.left_out().to_vec();
        if lines.is_cut() {
            left_out.push(MORE_THAN_IS_READ.to_owned());
        }
        let named = frames
            .iter()
            .flat_map(|&frame| named(frame, view.image, &lines));
        Some(Crash {
            instruction: instruction(view.cpu.isa, pc, &registers, view.memory),
            backtrace: named.take(MOST_NAMED).collect(),
            system_calls,
            left_out,
        })
    }
}

fn instruction(isa: Isa, pc: u32, registers: &[u32; 32], memory: &Memory) -> Option<Instruction> {
    let fetched = memory.peek_insn(isa, pc).ok()?;
    let sources = fetched.insn.map_or([None; 2], |insn| insn.sources());
    let value = |reg: Reg| (reg.name(), registers[reg.index()]);
    Some(Instruction {
        word: fetched.bits,
        text: fetched.text().replace('\t', " "),
        registers: sources.into_iter().flatten().map(value).collect(),
    })
}

fn named(frame: Frame, image: &Image, lines: &Lines<'_>) -> Vec<NamedFrame> {
    let symbol = image.code_at(frame.pc);
    let make = |function, place: Option<SourceLine>, inlined: bool| NamedFrame {
        pc: frame.pc,
        function,
        offset: symbol.map(|(_, offset)| offset).filter(|_| !inlined),
        line: place.as_ref().map(|place| place.line),
        file: place.map(|place| place.file),
        found: frame.found,
        inlined,
    };
    let own = symbol.map(|(symbol, _)| demangle(&symbol.name));
    let Some((outer, inner)) = lines.frames(frame.pc).split_last() else {
        return vec![make(own, None, false)];
    };
    let inlined = inner
        .iter()
        .map(|s| make(s.function.clone(), s.place.clone(), true));
    let mut frames: Vec<NamedFrame> = inlined.collect();
    let function = own.or_else(|| outer.function.clone());
    frames.push(make(function, outer.place.clone(), false));
    frames
}

impl NamedFrame {
    /// Where it is in the program's source.
    pub(super) fn place(&self) -> Option<SourceLine> {
        Some(SourceLine {
            file: self.file.clone()?,
            line: self.line?,
        })
    }
}

impl fmt::Display for NamedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x} ", self.pc)?;
        match (&self.function, self.offset) {
            (Some(name), Some(0) | None) => write!(f, "{name}")?,
            (Some(name), Some(offset)) => write!(f, "{name}+{offset:#x}")?,
            (None, _) => f.write_str("?")?,
        }
        match (&self.file, self.line) {
            (Some(file), Some(line)) if line > 0 => write!(f, " at {file}:{line}")?,
            (Some(file), _) => write!(f, " in {file}")?,
            (None, _) => {}
        }
        match (self.inlined, self.found) {
            (true, _) => f.write_str(" (inlined)"),
            (false, Found::Search) => f.write_str(" (likely)"),
            (
                false,
                Found::Pc | Found::Cfi | Found::Register | Found::Prologue | Found::FramePointer,
            ) => Ok(()),
        }
    }
}

/// Lines that go under the one of [`super::describe`], indented.
impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(instruction) = &self.instruction {
            write!(f, "  instruction: {}", instruction.text)?;
            let mut before = "  (";
            for (name, value) in &instruction.registers {
                write!(f, "{before}{name} = {value:#010x}")?;
                before = ", ";
            }
            let end = if instruction.registers.is_empty() {
                ""
            } else {
                ")"
            };
            writeln!(f, "{end}")?;
        }
        writeln!(f, "  backtrace:")?;
        let (count, (top, bottom)) = (self.backtrace.len(), SHOWN);
        for (number, frame) in self.backtrace.iter().enumerate() {
            if count <= top + bottom + 1 || number < top || number >= count - bottom {
                writeln!(f, "    #{number} {frame}")?;
            } else if number == top {
                let more = if count < MOST_FRAMES { "" } else { "or more " };
                writeln!(f, "    … {} frames {more}left out", count - top - bottom)?;
            }
        }
        if !self.system_calls.is_empty() {
            writeln!(f, "  last system calls:")?;
            for call in &self.system_calls {
                writeln!(f, "    {call}")?;
            }
        }
        if !self.left_out.is_empty() {
            writeln!(f, "  debug information left out:")?;
            for section in &self.left_out {
                writeln!(f, "    {section}")?;
            }
        }
        Ok(())
    }
}

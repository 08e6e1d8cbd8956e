//! Where a program spends its time: call stacks, taken by a timer of processor time or every so many instructions.
//!
//! The timer changes nothing of the run. Counting instructions makes a profile repeat exactly, on every engine and
//! host; the program's own counters then count, too.

use super::backtrace::{Effort, Unwinder};
use super::names::demangle;
use crate::elf::Image;
use crate::machine::{Exit, Machine, View};
use inferno::flamegraph::TextTruncateDirection;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

/// When samples are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// After so much processor time.
    Time(Duration),
    /// After so many instructions.
    Instructions(u64),
}

impl Every {
    /// What a sample stands for, as a title.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Every::Time(_) => "processor time by guest function",
            Every::Instructions(_) => "instructions by guest function",
        }
    }
}

/// Call stacks that are told apart. A program can have another one at each instruction.
const MOST_STACKS: usize = 1 << 17;
/// What stands for all others.
const OTHERS: &str = "(other call stacks)";

/// Samples by call stack, outermost function first, as the addresses of functions. The empty one stands for those that
/// are too many.
#[derive(Debug, Default)]
pub struct Profile(HashMap<Vec<u32>, u64>);

impl Profile {
    /// Runs a machine to its end, and samples it.
    ///
    /// # Errors
    /// The system's, where there is no timer to be had.
    pub fn run(&mut self, machine: &mut Machine, every: Every) -> io::Result<Exit> {
        // The call frame information borrows the program, and the machine has to run: a copy of the program.
        let copy = machine.image().reparse();
        // Here, and not by the first sample, which may come in a signal handler.
        machine.image().symbols();
        if let Some(copy) = &copy {
            copy.symbols();
        }
        let layout = machine.layout().clone();
        let mut unwinder = copy.as_ref().map(|image| Unwinder::new(image, &layout));
        let sample = |view: View<'_>| {
            let (pc, x) = (view.cpu.pc, &view.cpu.x);
            let frames = match &mut unwinder {
                Some(unwinder) => unwinder.backtrace(pc, x, view.memory, Effort::SAMPLE),
                None => Vec::new(),
            };
            let function = |pc: u32| view.image.code_at(pc).map_or(pc, |(symbol, _)| symbol.addr);
            let mut stack: Vec<u32> = frames.iter().map(|frame| function(frame.pc)).collect();
            stack.reverse();
            if self.0.len() >= MOST_STACKS && !self.0.contains_key(&stack) {
                stack.clear();
            }
            *self.0.entry(stack).or_default() += 1;
        };
        match every {
            Every::Time(interval) => machine.run_timed(interval, sample),
            Every::Instructions(count) => Ok(machine.run_sampled(count, sample)),
        }
    }

    /// One line a call stack: names with `;` between them, and how many samples had it.
    #[must_use]
    pub fn folded(&self, image: &Image) -> String {
        let name = |&pc: &u32| match image.code_at(pc) {
            Some((symbol, _)) => demangle(&symbol.name).replace(';', ":"),
            None => format!("{pc:#010x}"),
        };
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        for (stack, count) in &self.0 {
            let mut names: Vec<String> = stack.iter().map(name).collect();
            if names.is_empty() {
                names.push(OTHERS.to_owned());
            }
            *sums.entry(names.join(";")).or_default() += count;
        }
        let mut text = String::new();
        for (stack, count) in sums {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{stack} {count}");
        }
        text
    }

    /// A flame graph of these samples; a short note where there are none.
    ///
    /// # Errors
    /// Inferno's.
    pub fn svg(&self, image: &Image, title: &str) -> io::Result<Vec<u8>> {
        let mut options = inferno::flamegraph::Options::default();
        title.clone_into(&mut options.title);
        "samples".clone_into(&mut options.count_name);
        // C names differ at their ends, but are known by their beginnings.
        options.text_truncate_direction = TextTruncateDirection::Right;
        let folded = match self.folded(image) {
            text if text.is_empty() => "the run was too short for a sample 1\n".to_owned(),
            text => text,
        };
        let mut svg = Vec::new();
        inferno::flamegraph::from_lines(&mut options, folded.lines(), &mut svg)
            .map_err(io::Error::other)?;
        Ok(svg)
    }
}

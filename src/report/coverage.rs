//! Which source lines were executed, as lcov's `.info` (geninfo(1)).

use super::lines::Lines;
use super::names::demangle;
use crate::elf::{Image, SymbolKind};
use crate::machine::{Observer, View};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// Counts executions of each instruction.
#[derive(Debug, Default)]
pub struct Coverage {
    counts: HashMap<u32, u64>,
    pc: u32,
}

impl Observer for Coverage {
    fn before(&mut self, view: &View<'_>) {
        self.pc = view.cpu.pc;
    }

    fn after(&mut self, _: &View<'_>, executed: bool) {
        if executed {
            *self.counts.entry(self.pc).or_default() += 1;
        }
    }
}

#[derive(Default)]
struct File {
    functions: Vec<(u32, String, u64)>,
    lines: BTreeMap<u32, u64>,
}

impl Coverage {
    /// The `.info` text; `None` where the program has no debug information.
    #[must_use]
    pub fn info(&self, image: &Image) -> Option<String> {
        let lines = Lines::new(image);
        if lines.is_empty() {
            return None;
        }
        let count = |pc: u32| self.counts.get(&pc).copied().unwrap_or(0);
        let mut files: BTreeMap<String, File> = BTreeMap::new();
        for segment in &image.segments {
            for (start, _, place) in lines.stretches(segment.vaddr, segment.end()) {
                if place.line == 0 {
                    continue;
                }
                // A line is executed as often as the most executed of its pieces.
                let file = files.entry(place.file).or_default();
                let line = file.lines.entry(place.line).or_default();
                *line = count(start).max(*line);
            }
        }
        let functions = image.symbols().entries().iter();
        for symbol in functions.filter(|s| s.kind == SymbolKind::Function) {
            if let Some(place) = lines.line(symbol.addr)
                && let Some(file) = files.get_mut(&place.file)
            {
                let name = demangle(&symbol.name);
                file.functions.push((place.line, name, count(symbol.addr)));
            }
        }
        Some(
            files
                .iter()
                .map(|(name, file)| record(name, file))
                .collect(),
        )
    }
}

fn record(name: &str, file: &File) -> String {
    let mut text = format!("TN:\nSF:{name}\n");
    // Writing to a String does not fail.
    for (line, function, _) in &file.functions {
        let _ = writeln!(text, "FN:{line},{function}");
    }
    for (_, function, count) in &file.functions {
        let _ = writeln!(text, "FNDA:{count},{function}");
    }
    let hit = file.functions.iter().filter(|f| f.2 > 0).count();
    let _ = writeln!(text, "FNF:{}\nFNH:{hit}", file.functions.len());
    for (line, count) in &file.lines {
        let _ = writeln!(text, "DA:{line},{count}");
    }
    let hit = file.lines.values().filter(|&&count| count > 0).count();
    let _ = writeln!(text, "LF:{}\nLH:{hit}\nend_of_record", file.lines.len());
    text
}

//! Which source lines were executed, as lcov's `.info` (geninfo(1)).

use super::lines::Lines;
use super::names::demangle;
use crate::elf::{Image, SymbolKind};
use crate::machine::{Observer, View};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

/// Bytes of code that are counted together.
const CHUNK: u32 = 128;

/// Counts executions of each instruction that is in the program's file. What it takes is eight times the code that was
/// executed.
#[derive(Debug, Default)]
pub struct Coverage {
    /// By address, a count for each half-word.
    counts: HashMap<u32, Box<[u64; CHUNK as usize / 2]>>,
    pc: u32,
}

impl Observer for Coverage {
    fn before(&mut self, view: &View<'_>) {
        self.pc = view.cpu.pc;
    }

    fn after(&mut self, view: &View<'_>, executed: bool) {
        // Only that has lines; a program can make any amount of code itself.
        if executed && view.image.half(self.pc).is_some() {
            let chunk = self.counts.entry(self.pc / CHUNK);
            let chunk = chunk.or_insert_with(|| Box::new([0; CHUNK as usize / 2]));
            chunk[(self.pc % CHUNK / 2) as usize] += 1;
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
        let mut lines = Lines::new(image);
        if lines.is_empty() {
            return None;
        }
        let count = |pc: u32| {
            let chunk = self.counts.get(&(pc / CHUNK));
            chunk.map_or(0, |chunk| chunk[(pc % CHUNK / 2) as usize])
        };
        let symbols = image.symbols().entries().iter();
        let functions = symbols.filter(|s| s.kind == SymbolKind::Function);
        // Those whose place is not known yet, by address.
        let mut functions: BTreeSet<(u32, &str)> =
            functions.map(|s| (s.addr, s.name.as_ref())).collect();
        let mut files: BTreeMap<String, File> = BTreeMap::new();
        lines.stretches(|start, end, name, line| {
            let Ok(addr) = u32::try_from(start) else {
                return;
            };
            if image.segment_at(addr).is_none() {
                return;
            }
            if !files.contains_key(name) {
                files.insert(name.to_owned(), File::default());
            }
            let Some(file) = files.get_mut(name) else {
                return;
            };
            if line != 0 {
                // A line is executed as often as the most executed of its pieces.
                let most = file.lines.entry(line).or_default();
                *most = count(addr).max(*most);
            }
            let end = u32::try_from(end).unwrap_or(u32::MAX);
            while let Some(&(addr, name)) = functions.range((addr, "")..(end, "")).next() {
                functions.remove(&(addr, name));
                file.functions.push((line, demangle(name), count(addr)));
            }
        });
        files.retain(|_, file| !file.lines.is_empty());
        for file in files.values_mut() {
            file.functions.sort();
        }
        if lines.is_cut() {
            log::warn!("more debug information than is read: lines are missing in the coverage");
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

//! Translation ahead of time, for a reader: code for either host, made on any host and never run.
//!
//! The code is what the engine would have once everything given was translated and linked, one function after the other,
//! with the same stubs at its beginning. Only where regions begin may differ: here one begins at each function, while the
//! engine begins one wherever execution arrives.

use crate::jit::back::backend::{Backend, CodeOffset, Options, Output, Stubs};
use crate::jit::back::translate::{Mode, translate};
use crate::jit::back::{arm64, x86_64};
use crate::jit::front::region::{Finder, Region};
use crate::jit::ir::item::Item;
use crate::jit::ir::op::Op;
use crate::memory::{Memory, Placement};
use crate::rv32::{Fetched, Isa};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A host to translate for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// ARM64.
    Arm64,
    /// x86-64.
    X86_64,
}

impl Host {
    /// Both.
    pub const ALL: [Host; 2] = [Host::Arm64, Host::X86_64];

    /// The host that this build is for, if it is one of these.
    #[must_use]
    pub const fn own() -> Option<Host> {
        if cfg!(target_arch = "aarch64") {
            Some(Host::Arm64)
        } else if cfg!(target_arch = "x86_64") {
            Some(Host::X86_64)
        } else {
            None
        }
    }

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Host::Arm64 => "arm64",
            Host::X86_64 => "x86-64",
        }
    }

    /// Length in bytes and text of the instruction that `code` begins with, at `address`.
    #[must_use]
    pub fn disassemble(self, code: &[u8], address: u64) -> (usize, String) {
        match self {
            Host::Arm64 => arm64::Arm64::disassemble(code, address),
            Host::X86_64 => x86_64::X86_64::disassemble(code, address),
        }
    }
}

/// The options that give the same code on every machine.
#[must_use]
pub fn options(placement: Placement, isa: Isa) -> Options {
    Options {
        placement,
        hashed_jumps: placement == Placement::Paged,
        isa,
        // Where the host that minds gets it.
        code_low: 0x1_0000,
        poison: false,
        host_features: false,
    }
}

/// A host instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInsn {
    /// Its place.
    pub at: CodeOffset,
    /// Bytes.
    pub len: usize,
    /// Its text.
    pub text: String,
}

/// A guest instruction and its host code, which is none where a neighbour's code does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Guest address.
    pub pc: u32,
    /// The guest's instruction; `None` where it cannot be fetched.
    pub fetched: Option<Fetched>,
    /// Guest text.
    pub guest: String,
    /// The operations that the host's code was lowered from.
    pub ops: Vec<String>,
    /// The host's instructions.
    pub host: Vec<HostInsn>,
}

/// The code of one function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its guest addresses.
    pub guest: Range<u32>,
    /// Its place in the code.
    pub host: Range<CodeOffset>,
    /// Its guest instructions in order.
    pub lines: Vec<Line>,
    /// What is behind the lines and hardly ever executed: exits, slow paths.
    pub cold: Vec<HostInsn>,
}

impl Function {
    /// Host instructions of the lines.
    #[must_use]
    pub fn host_insns(&self) -> usize {
        self.lines.iter().map(|line| line.host.len()).sum()
    }

    /// Bytes of the lines' host instructions.
    #[must_use]
    pub fn host_bytes(&self) -> usize {
        let insns = self.lines.iter().flat_map(|line| &line.host);
        insns.map(|insn| insn.len).sum()
    }
}

/// Code made ahead of time.
#[derive(Debug, Clone)]
pub struct Ahead {
    /// What it is for.
    pub host: Host,
    /// All of it, the stubs first.
    pub code: Vec<u8>,
    /// Where the stubs are entered, and how long they are.
    pub stubs: Stubs,
    /// In the order given.
    pub functions: Vec<Function>,
}

/// Translates these ranges of guest code. A range is translated as a whole: also what no direct jump reaches in it.
#[must_use]
pub fn translate_ahead(
    host: Host,
    options: Options,
    mode: Mode,
    memory: &mut Memory,
    ranges: &[Range<u32>],
) -> Ahead {
    let made = make(host, options, mode, memory, ranges);
    let functions = ranges
        .iter()
        .zip(&made.pieces)
        .map(|(range, pieces)| function(host, &made.code, range, pieces))
        .collect();
    Ahead {
        host,
        code: made.code,
        stubs: made.stubs,
        functions,
    }
}

/// The code alone, which is quicker: the stubs, and all of it with the stubs at its beginning.
#[must_use]
pub fn code_ahead(
    host: Host,
    options: Options,
    mode: Mode,
    memory: &mut Memory,
    ranges: &[Range<u32>],
) -> (Stubs, Vec<u8>) {
    let made = make(host, options, mode, memory, ranges);
    (made.stubs, made.code)
}

fn make(
    host: Host,
    options: Options,
    mode: Mode,
    memory: &mut Memory,
    ranges: &[Range<u32>],
) -> Made {
    match host {
        Host::Arm64 => with(
            arm64::Arm64::new(options),
            options.isa,
            mode,
            memory,
            ranges,
        ),
        Host::X86_64 => with(
            x86_64::X86_64::new(options),
            options.isa,
            mode,
            memory,
            ranges,
        ),
    }
}

/// Code, and the pieces of each range.
struct Made {
    stubs: Stubs,
    code: Vec<u8>,
    pieces: Vec<Vec<Piece>>,
}

/// A region and what became of it; the code is in the buffer.
struct Piece {
    region: Region,
    items: Vec<Item>,
    output: Output,
    code: Range<usize>,
}

fn with<B: Backend>(
    mut backend: B,
    isa: Isa,
    mode: Mode,
    memory: &mut Memory,
    ranges: &[Range<u32>],
) -> Made {
    let stubs = backend.stubs();
    let mut code = stubs.code.clone();
    let mut pieces: Vec<Vec<Piece>> = Vec::new();
    let mut items = Vec::new();
    for range in ranges {
        let mut of_range = Vec::new();
        for region in regions(isa, memory, range) {
            let at = place(code.len());
            let mut seen = Vec::new();
            let mut translate = || {
                seen.clear();
                let see = |items: &[Item]| seen.extend_from_slice(items);
                translate(&mut backend, &region, at, mode, &mut items, see)
            };
            let mut output = translate();
            if output.too_far {
                output = translate();
            }
            let start = code.len();
            code.append(&mut output.code);
            of_range.push(Piece {
                region,
                items: seen,
                output,
                code: start..code.len(),
            });
        }
        pieces.push(of_range);
    }
    link(&backend, &mut code, pieces.iter().flatten());
    Made {
        stubs,
        code,
        pieces,
    }
}

fn place(at: usize) -> CodeOffset {
    CodeOffset(u32::try_from(at).unwrap_or(u32::MAX))
}

/// Regions that cover a range and nothing else: one from its beginning, others from what that does not reach.
fn regions(isa: Isa, memory: &mut Memory, range: &Range<u32>) -> Vec<Region> {
    let step = isa.alignment();
    let len = (range.end.wrapping_sub(range.start) / step) as usize;
    let index = |pc: u32| (pc.wrapping_sub(range.start) / step) as usize;
    let mut covered = vec![false; len];
    let mut found = Vec::new();
    let mut finder = Finder::default();
    let mut first = 0;
    loop {
        while covered.get(first) == Some(&true) {
            first += 1;
        }
        if first >= len {
            break;
        }
        let entry = range
            .start
            .wrapping_add(step * u32::try_from(first).unwrap_or(0));
        // Of a region that lies between others, only the gap is translated.
        let known = |pc: u32| covered.get(index(pc)).is_none_or(|done| *done);
        let mut region = Region::default();
        finder.find(&mut region, isa, entry, memory, known, |_| true);
        let mut any = false;
        for block in &region.blocks {
            let first = index(block.pc);
            for place in first..first + (block.end().wrapping_sub(block.pc) / step) as usize {
                if let Some(done) = covered.get_mut(place) {
                    any |= !*done;
                    *done = true;
                }
            }
        }
        if !any {
            break;
        }
        found.push(region);
    }
    found
}

/// Points every direct branch at its target's code, as the engine does.
fn link<'a, B: Backend>(
    backend: &B,
    code: &mut [u8],
    pieces: impl Iterator<Item = &'a Piece> + Clone,
) {
    let entries: HashMap<u32, CodeOffset> = pieces
        .clone()
        .flat_map(|piece| piece.output.entries.iter().copied())
        .collect();
    let mut patches = Vec::new();
    for link in pieces.flat_map(|piece| &piece.output.links) {
        let Some(&to) = entries.get(&link.target) else {
            continue;
        };
        patches.clear();
        backend.relink(link, Some(to), &mut patches);
        for patch in &patches {
            let (at, len) = (patch.at.0 as usize, patch.len as usize);
            if let Some(bytes) = code.get_mut(at..at + len) {
                bytes.copy_from_slice(&patch.bytes[..len]);
            }
        }
    }
}

/// The lines of a function.
fn function(host: Host, code: &[u8], range: &Range<u32>, pieces: &[Piece]) -> Function {
    let mut lines = Vec::new();
    let mut cold = Vec::new();
    for piece in pieces {
        let Piece { region, output, .. } = piece;
        let mut ops: HashMap<u32, Vec<String>> = HashMap::new();
        for item in piece.items.iter().filter(|item| item.op != Op::Nop) {
            ops.entry(item.pc).or_default().push(item.to_string());
        }
        let mut by_pc: HashMap<u32, Vec<HostInsn>> = HashMap::new();
        let mut at = piece.code.start;
        while at < piece.code.end {
            let (len, text) = host.disassemble(&code[at..piece.code.end], at as u64);
            let len = len.max(1);
            let here = place(at);
            let insn = HostInsn {
                at: here,
                len,
                text,
            };
            let line = output.map.partition_point(|&(_, from)| from <= here);
            // What stands before the first line (a poisoned block head) is the first line's.
            match output.map.get(line.saturating_sub(1)) {
                Some(&(pc, _)) if here < output.cold => by_pc.entry(pc).or_default().push(insn),
                _ => cold.push(insn),
            }
            at += len;
        }
        let read: HashSet<u32> = region
            .runs
            .iter()
            .flat_map(|run| region.source(run))
            .map(|fetched| fetched.pc)
            .collect();
        for block in &region.blocks {
            for &insn in region.insns(block) {
                let pc = insn.pc;
                let fetched = read.contains(&pc).then_some(insn);
                lines.push(Line {
                    pc,
                    fetched,
                    guest: fetched.map_or_else(String::new, |fetched| fetched.text()),
                    ops: ops.remove(&pc).unwrap_or_default(),
                    host: by_pc.remove(&pc).unwrap_or_default(),
                });
            }
        }
    }
    lines.sort_by_key(|line| line.pc.wrapping_sub(range.start));
    let start = pieces.first().map_or(0, |piece| piece.code.start);
    let end = pieces.last().map_or(start, |piece| piece.code.end);
    Function {
        guest: range.clone(),
        host: place(start)..place(end),
        lines,
        cold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryConfig, Permissions};
    use crate::rv32::{AluOp, Cond, Insn, MulOp, Reg, encode};

    fn memory(insns: &[Insn]) -> Memory {
        let mut memory = Memory::new(MemoryConfig::default()).unwrap();
        memory.map(0x1_0000, 4096, Permissions::RX).unwrap();
        let bytes: Vec<u8> = insns
            .iter()
            .flat_map(|i| encode(*i).to_le_bytes())
            .collect();
        memory.poke(0x1_0000, &bytes).unwrap();
        memory
    }

    fn addi(imm: i32) -> Insn {
        let (rd, rs1) = (Reg::A0, Reg::A1);
        Insn::AluImm {
            op: AluOp::Add,
            rd,
            rs1,
            imm,
        }
    }

    /// A branch over a jump to the next function, an instruction that nothing reaches, and that next function.
    fn program() -> Vec<Insn> {
        let branch = Insn::Branch {
            cond: Cond::Eq,
            rs1: Reg::A0,
            rs2: Reg::A1,
            offset: 8,
        };
        let jump = |offset| Insn::Jal {
            rd: Reg::ZERO,
            offset,
        };
        vec![branch, jump(12), jump(-8), addi(1), addi(2), jump(-4)]
    }

    #[test]
    fn a_range_is_translated_whole_and_alone() {
        let mut memory = memory(&program());
        let ranges = [0x1_0000..0x1_0010, 0x1_0010..0x1_0018];
        for host in Host::ALL {
            let ahead = translate_ahead(
                host,
                options(Placement::Window, Isa::default()),
                Mode::default(),
                &mut memory,
                &ranges,
            );
            for (function, range) in ahead.functions.iter().zip(&ranges) {
                let pcs: Vec<u32> = function.lines.iter().map(|line| line.pc).collect();
                let expected: Vec<u32> = range.clone().step_by(4).collect();
                assert_eq!(pcs, expected, "{host:?}");
            }
            let [first, second] = &ahead.functions[..] else {
                panic!("two functions")
            };
            assert_eq!(first.host.start.0 as usize, ahead.stubs.code.len());
            assert_eq!(first.host.end, second.host.start);
            assert_eq!(second.host.end.0 as usize, ahead.code.len());
            assert_eq!(first.lines[3].guest, "addi\ta0,a1,1");
            assert!(!first.lines[3].host.is_empty(), "{host:?}");
            // The jump to the second function is linked to its code.
            let entry = format!("{:#x}", second.host.start.0);
            let jump = &first.lines[1].host.last().unwrap().text;
            assert!(jump.ends_with(&entry), "{host:?}: {jump} is not to {entry}");
        }
    }

    /// Joined with the addition after it, such a product would read x0 where no operation may: the verifier tells.
    #[test]
    fn a_product_with_x0_is_zero() {
        for op in [MulOp::Mul, MulOp::Mulh, MulOp::Mulhsu, MulOp::Mulhu] {
            for (rs1, rs2) in [(Reg::ZERO, Reg::A1), (Reg::A1, Reg::ZERO)] {
                let rd = Reg::A0;
                let product = Insn::Mul { op, rd, rs1, rs2 };
                let sum = Insn::Alu {
                    op: AluOp::Add,
                    rd,
                    rs1: rd,
                    rs2: Reg::A1,
                };
                let mut memory = memory(&[product, sum, Insn::Ecall]);
                for host in Host::ALL {
                    let range = 0x1_0000..0x1_000c;
                    let options = options(Placement::Window, Isa::default());
                    let mode = Mode::default();
                    let ahead = translate_ahead(host, options, mode, &mut memory, &[range]);
                    let lines = &ahead.functions[0].lines;
                    let product: Vec<_> = lines[..2].iter().flat_map(|l| &l.host).collect();
                    let multiplies = product
                        .iter()
                        .any(|i| i.text.contains("mul") || i.text.contains("madd"));
                    assert!(!multiplies, "{host:?}: {op:?}: {product:?}");
                }
            }
        }
    }

    #[test]
    fn every_byte_is_in_one_place() {
        let mut memory = memory(&program());
        for host in Host::ALL {
            for placement in Placement::ALL {
                let range = 0x1_0000..0x1_0018;
                let ahead = translate_ahead(
                    host,
                    options(placement, Isa::default()),
                    Mode::default(),
                    &mut memory,
                    &[range],
                );
                let function = &ahead.functions[0];
                let hot = function.lines.iter().flat_map(|line| &line.host);
                let mut insns: Vec<_> = hot.chain(&function.cold).collect();
                insns.sort_by_key(|insn| insn.at);
                let mut at = function.host.start;
                for insn in insns {
                    assert_eq!(insn.at, at, "{host:?} {placement:?}");
                    at.0 += u32::try_from(insn.len).unwrap();
                }
                assert_eq!(at, function.host.end, "{host:?} {placement:?}");
            }
        }
    }
}

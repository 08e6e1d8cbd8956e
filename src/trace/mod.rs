//! Traces: what a program does, instruction by instruction.
//!
//! A [`Tracer`] observes a run by the interpreter and turns what happens into lines: text, JSON, or the commit log of
//! Spike. It never changes what the guest does.

mod format;

use crate::cpu::Privilege;
use crate::machine::{Observer, View};
use crate::rv32::{AtomicOp, Fetched, Insn, Reg};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::Range;

/// What is traced; lines of one instruction come in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The first instruction after a jump or branch was taken.
    Block,
    /// Each instruction.
    Insn,
    /// Loads and stores.
    Mem,
    /// Values that registers get.
    Regs,
    /// Calls and returns.
    Call,
}

impl Kind {
    /// All, with the names that are typed.
    pub const ALL: [(Kind, &'static str); 5] = [
        (Kind::Insn, "insn"),
        (Kind::Block, "block"),
        (Kind::Call, "call"),
        (Kind::Mem, "mem"),
        (Kind::Regs, "regs"),
    ];
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
    /// Spike's commit log: one line for each instruction, whatever the kinds.
    Spike,
}

/// What to trace and when. Guest addresses.
#[derive(Debug, Clone, Default)]
pub struct TraceConfig {
    /// What.
    pub kinds: Vec<Kind>,
    /// Begin where this is reached; at the start otherwise.
    pub from: Option<u32>,
    /// End, until the beginning is reached again, where this is reached.
    pub to: Option<u32>,
    /// Only instructions in here.
    pub range: Option<Range<u64>>,
    /// The most lines.
    pub limit: Option<u64>,
    /// Keep this many lines, the last, instead of writing them.
    pub last: Option<usize>,
    /// How lines look.
    pub format: Format,
}

/// A load or store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MemoryAccess {
    store: bool,
    addr: u32,
    width: u32,
    /// What was stored; what was loaded is in the register.
    value: u32,
}

/// An instruction that was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    pc: u32,
    /// As it stands in memory.
    fetched: Fetched,
    insn: Insn,
    /// What it was executed in.
    privilege: Privilege,
    access: Option<MemoryAccess>,
    /// The register that it wrote, and its value.
    written: Option<(Reg, u32)>,
    /// Where it went.
    next: u32,
}

/// Turns what a run does into lines.
pub struct Tracer {
    config: TraceConfig,
    out: Box<dyn Write>,
    kept: VecDeque<String>,
    lines: u64,
    on: bool,
    jumped: bool,
    pending: Option<(Fetched, Insn, Privilege, Option<MemoryAccess>)>,
    error: Option<io::Error>,
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer")
            .field("config", &self.config)
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

impl Tracer {
    /// A tracer that writes to `out`.
    #[must_use]
    pub fn new(mut config: TraceConfig, out: Box<dyn Write>) -> Tracer {
        config.kinds.sort_unstable();
        config.kinds.dedup();
        Tracer {
            on: config.from.is_none(),
            config,
            out,
            kept: VecDeque::new(),
            lines: 0,
            jumped: true,
            pending: None,
            error: None,
        }
    }

    /// Writes what was kept, if the run ended badly, and what is buffered.
    ///
    /// # Errors
    /// The first error of any write.
    pub fn finish(&mut self, badly: bool) -> io::Result<()> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if badly {
            for line in self.kept.drain(..) {
                writeln!(self.out, "{line}")?;
            }
        }
        self.out.flush()
    }

    fn line(&mut self, line: String) {
        if self.config.limit.is_some_and(|limit| self.lines >= limit) {
            return;
        }
        self.lines += 1;
        match self.config.last {
            Some(most) => {
                if self.kept.len() >= most {
                    self.kept.pop_front();
                }
                if most > 0 {
                    self.kept.push_back(line);
                }
            }
            None => {
                if let Err(error) = writeln!(self.out, "{line}") {
                    self.error.get_or_insert(error);
                }
            }
        }
    }
}

/// What an atomic operation stores, or what `lr.w` loads; a conditional store that will fail is no access.
fn atomic_access(op: AtomicOp, addr: u32, register: u32, view: &View<'_>) -> Option<MemoryAccess> {
    if op == AtomicOp::StoreConditional && view.cpu.reservation != Some(addr) {
        return None;
    }
    let mut old = [0; 4];
    view.memory.peek(addr, &mut old).ok()?;
    Some(MemoryAccess {
        store: op != AtomicOp::LoadReserved,
        addr,
        width: 4,
        value: op.eval(u32::from_le_bytes(old), register),
    })
}

impl Observer for Tracer {
    fn before(&mut self, view: &View<'_>) {
        self.pending = None;
        let pc = view.cpu.pc;
        if self.config.from == Some(pc) {
            self.on = true;
        }
        if self.config.to == Some(pc) {
            self.on = false;
        }
        let range = self.config.range.as_ref();
        if !self.on || range.is_some_and(|range| !range.contains(&pc.into())) {
            self.jumped = true;
            return;
        }
        let cpu = view.cpu;
        let Ok(fetched) = view.memory.peek_insn(cpu.isa, pc) else {
            return;
        };
        let Some(insn) = fetched.insn else {
            return;
        };
        let access = match insn {
            Insn::Load {
                op, rs1, offset, ..
            } => Some(MemoryAccess {
                store: false,
                addr: cpu.get(rs1).wrapping_add_signed(offset),
                width: op.width(),
                value: 0,
            }),
            Insn::Store {
                op,
                rs1,
                rs2,
                offset,
            } => Some(MemoryAccess {
                store: true,
                addr: cpu.get(rs1).wrapping_add_signed(offset),
                width: op.width(),
                value: cpu.get(rs2) & (u32::MAX >> (32 - 8 * op.width())),
            }),
            Insn::Atomic { op, rs1, rs2, .. } => {
                atomic_access(op, cpu.get(rs1), cpu.get(rs2), view)
            }
            _ => None,
        };
        self.pending = Some((fetched, insn, cpu.mode.privilege, access));
    }

    fn after(&mut self, view: &View<'_>, executed: bool) {
        let Some((fetched, insn, privilege, access)) = self.pending.take() else {
            return;
        };
        if !executed {
            self.jumped = true;
            return;
        }
        // A system call sets its result.
        let rd = match insn {
            Insn::Ecall => Some(Reg::A0),
            other => other.destination().filter(|rd| !rd.is_zero()),
        };
        let step = Step {
            pc: fetched.pc,
            fetched,
            insn,
            privilege,
            access,
            written: rd.map(|rd| (rd, view.cpu.get(rd))),
            next: view.cpu.pc,
        };
        let first = std::mem::replace(&mut self.jumped, step.next != fetched.next());
        if self.config.format == Format::Spike {
            return self.line(format::spike(&step));
        }
        for index in 0..self.config.kinds.len() {
            let kind = self.config.kinds[index];
            if kind == Kind::Block && !first {
                continue;
            }
            let line = match self.config.format {
                Format::Text => format::text(kind, &step, view.image),
                Format::Json => format::json(kind, &step, view.image),
                Format::Spike => None,
            };
            if let Some(line) = line {
                self.line(line);
            }
        }
    }
}

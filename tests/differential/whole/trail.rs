//! Running a whole program: what was seen where it stopped, and whether its result is defined at all.
//!
//! Stores to code take effect with the next `fence.i` (Unprivileged spec, Zifencei). The reference interprets one
//! instruction at a time and notes what was written since: a program that executes such a half-word is not defined. rvjit
//! still promises that pages of code are watched, up to so many stores that hit no code; so such a program is run, too,
//! where it stores little, on an engine of its own.

use super::layout::{contents, is_writable_code, load};
use super::program::{Action, Image, Whole};
use rvjit::cpu::{Cpu, MachineMode};
use rvjit::engine::{Budget, Engine, Stop, resume};
use rvjit::interp;
use rvjit::memory::{Access, Fault, Memory, Permissions};
use rvjit::rv32::{Insn, Reg, StoreOp};
use std::collections::HashSet;
use std::fmt::Write as _;

/// A program that stops more often is ended.
const MOST_STOPS: usize = 40;

/// The state of the hart at a stop.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    stop: Stop,
    pc: u32,
    x: [u32; 32],
    csrs: MachineMode,
    /// Instructions retired, where they are counted.
    counted: Option<u64>,
}

/// What was seen of a run.
#[derive(Clone, PartialEq)]
pub(crate) struct Trail {
    pub(crate) stops: Vec<Seen>,
    memory: Vec<(u32, Vec<u8>)>,
}

impl Trail {
    pub(crate) fn ended_by_budget(&self) -> bool {
        self.stops
            .last()
            .is_some_and(|seen| seen.stop == Stop::Budget)
    }

    /// The same without counts.
    pub(crate) fn uncounted(&self) -> Trail {
        let uncounted = |seen: &Seen| Seen {
            counted: None,
            ..seen.clone()
        };
        Trail {
            stops: self.stops.iter().map(uncounted).collect(),
            memory: self.memory.clone(),
        }
    }

    /// The first stop that differs, and the first byte.
    pub(crate) fn difference(&self, expected: &Trail) -> Option<String> {
        if self == expected {
            return None;
        }
        let mut text = String::new();
        let both = self.stops.iter().zip(&expected.stops);
        let differs = both.clone().position(|(got, expected)| got != expected);
        if let Some(n) = differs {
            let (got, want) = (&self.stops[n], &expected.stops[n]);
            writeln!(text, "stop {n}: {:x?}, expected {:x?}", got.stop, want.stop).unwrap();
            if got.pc != want.pc {
                writeln!(text, "pc: {:#x}, expected {:#x}", got.pc, want.pc).unwrap();
            }
            for reg in Reg::all() {
                let (have, want) = (got.x[reg.index()], want.x[reg.index()]);
                if have != want {
                    writeln!(text, "{reg}: {have:#x}, expected {want:#x}").unwrap();
                }
            }
            if (&got.csrs, got.counted) != (&want.csrs, want.counted) {
                let (have, want) = ((&got.csrs, got.counted), (&want.csrs, want.counted));
                writeln!(text, "CSRs, counted: {have:x?}, expected {want:x?}").unwrap();
            }
        } else if self.stops.len() != expected.stops.len() {
            let (have, want) = (self.stops.len(), expected.stops.len());
            writeln!(text, "{have} stops, expected {want}").unwrap();
        }
        for ((start, got), (_, want)) in self.memory.iter().zip(&expected.memory) {
            if let Some(at) = (0..got.len()).find(|&n| got[n] != want[n]) {
                let addr = start + at as u32;
                let (got, want) = (got[at], want[at]);
                writeln!(text, "memory at {addr:#x}: {got:#x}, expected {want:#x}").unwrap();
            }
        }
        Some(text)
    }
}

/// The hart and what is around it.
struct Run<'a> {
    whole: &'a Whole,
    image: &'a Image,
    cpu: Cpu,
    budget: Budget,
    /// `ecall`s so far.
    calls: usize,
    stops: Vec<Seen>,
}

impl<'a> Run<'a> {
    fn new(whole: &'a Whole, image: &'a Image, memory: &mut Memory, budget: Budget) -> Run<'a> {
        load(memory, &image.parts);
        let mut cpu = Cpu {
            x: whole.x,
            pc: image.parts[0].0,
            isa: whole.isa,
            ..Cpu::default()
        };
        cpu.mode.enabled = whole.csrs;
        Run {
            whole,
            image,
            cpu,
            budget,
            calls: 0,
            stops: Vec::new(),
        }
    }

    /// Notes a stop, and does what the environment does; false at the end. What it writes to code is added to `patched`.
    fn stopped(&mut self, stop: Stop, memory: &mut Memory, patched: &mut Vec<u32>) -> bool {
        let cpu = &mut self.cpu;
        self.stops.push(Seen {
            stop,
            pc: cpu.pc,
            x: cpu.x,
            csrs: cpu.mode.clone(),
            counted: self.budget.counts().then_some(cpu.instret),
        });
        let exit = stop == Stop::Ecall && self.image.exits.contains(&cpu.pc);
        if exit || self.stops.len() == MOST_STOPS {
            return false;
        }
        match stop {
            Stop::Ecall => {
                resume(cpu, &mut self.budget);
                let actions = &self.whole.actions;
                let action = actions.get(self.calls % actions.len().max(1));
                self.calls += 1;
                match action {
                    None | Some(Action::Nothing) => {}
                    Some(&Action::Set(reg, value)) => cpu.set(reg, value),
                    Some(&Action::Write(addr, value)) => memory.store(addr, value).unwrap(),
                    Some(Action::Patch(at, item)) => {
                        let (addr, word) = self.image.patch(*at, item);
                        memory.poke(addr, &word.to_le_bytes()).unwrap();
                        patched.extend([addr, addr.wrapping_add(2)]);
                    }
                    Some(Action::Reload(at, item)) => {
                        let (addr, word) = self.image.patch(*at, item);
                        let (page, offset) = (addr & !0xfff, (addr & 0xfff) as usize);
                        let mut bytes = vec![0; 0x1000];
                        memory.read(page, &mut bytes).unwrap();
                        // Half of it where the page ends between.
                        let len = 4.min(0x1000 - offset);
                        bytes[offset..offset + len].copy_from_slice(&word.to_le_bytes()[..len]);
                        memory.unmap(page, 0x1000).unwrap();
                        memory.map(page, 0x1000, Permissions::RWX).unwrap();
                        memory.poke(page, &bytes).unwrap();
                        patched.extend((addr..).step_by(2).take(len / 2));
                    }
                    Some(&Action::Renew(page)) => {
                        memory.unmap(page, 0x1000).unwrap();
                        memory.map(page, 0x1000, Permissions::RW).unwrap();
                    }
                }
                true
            }
            Stop::Ebreak | Stop::Wait => {
                resume(cpu, &mut self.budget);
                true
            }
            // There is nothing to go on with.
            Stop::Fault(Fault {
                access: Access::Execute,
                ..
            })
            | Stop::Budget
            | Stop::Interrupted
            | Stop::Spin
            | Stop::Watch => false,
            // The instruction is passed over.
            Stop::Fault(_) | Stop::Trap(_) => {
                let len = memory.peek_insn(cpu.isa, cpu.pc).map_or(4, |insn| insn.len);
                cpu.pc = cpu.pc.wrapping_add(len) & !(cpu.isa.alignment() - 1);
                true
            }
        }
    }

    fn trail(self, memory: &mut Memory) -> Trail {
        Trail {
            stops: self.stops,
            memory: contents(memory),
        }
    }
}

/// Runs a program on an engine.
pub(crate) fn run(
    engine: &mut dyn Engine,
    memory: &mut Memory,
    whole: &Whole,
    image: &Image,
    budget: Budget,
) -> Trail {
    let mut run = Run::new(whole, image, memory, budget);
    loop {
        let stop = engine.run(&mut run.cpu, memory, &mut run.budget);
        if !run.stopped(stop, memory, &mut Vec::new()) {
            return run.trail(memory);
        }
    }
}

/// What a program does by the book.
pub(crate) struct Reference {
    pub(crate) trail: Trail,
    /// Whether it executes what it wrote without a `fence.i` between.
    pub(crate) stale: bool,
    /// Stores to pages of code, from inside and outside.
    pub(crate) code_stores: u32,
    pub(crate) retired: u64,
}

/// Interprets a program, with a budget.
pub(crate) fn reference(
    memory: &mut Memory,
    whole: &Whole,
    image: &Image,
    budget: u64,
) -> Reference {
    let mut run = Run::new(whole, image, memory, Budget::Instructions(budget));
    run.cpu.counting = true;
    let mut written = HashSet::new();
    let (mut stale, mut code_stores) = (false, 0);
    loop {
        let pc = run.cpu.pc;
        stale |= written.contains(&pc) || {
            let fetched = memory.peek_insn(run.cpu.isa, pc);
            let long = fetched.is_ok_and(|fetched| fetched.len == 4);
            long && written.contains(&pc.wrapping_add(2))
        };
        let store = store_at(&run.cpu, memory);
        let before = store.map(|addr| halves_around(memory, addr));
        let stop = if run.budget == Budget::Instructions(0) {
            Some(Stop::Budget)
        } else {
            match interp::step_insn(&mut run.cpu, memory) {
                Ok(insn) => {
                    run.budget.spend(1);
                    if matches!(insn, Insn::FenceI { .. }) {
                        written.clear();
                    }
                    None
                }
                Err(stop) => Some(stop),
            }
        };
        if let (Some(addr), Some(before), None) = (store, before, stop) {
            code_stores += 1;
            let after = halves_around(memory, addr);
            for (n, (before, after)) in (0..).zip(before.iter().zip(after)) {
                if *before != after {
                    written.insert((addr & !1).wrapping_add(2 * n));
                }
            }
        }
        let mut patched = Vec::new();
        if let Some(stop) = stop
            && !run.stopped(stop, memory, &mut patched)
        {
            break;
        }
        code_stores += u32::from(!patched.is_empty());
        written.extend(patched);
    }
    Reference {
        stale,
        code_stores,
        retired: run.cpu.instret,
        trail: run.trail(memory),
    }
}

/// The address of a store to code that comes next.
fn store_at(cpu: &Cpu, memory: &Memory) -> Option<u32> {
    let Insn::Store {
        op, rs1, offset, ..
    } = memory.peek_insn(cpu.isa, cpu.pc).ok()?.insn?
    else {
        return None;
    };
    let addr = cpu.get(rs1).wrapping_add_signed(offset);
    let len = match op {
        StoreOp::Sb => 1,
        StoreOp::Sh => 2,
        StoreOp::Sw => 4,
    };
    let last = addr.wrapping_add(len - 1);
    (is_writable_code(addr) || is_writable_code(last)).then_some(addr)
}

/// The half-words that a store to this address can touch; 0 where nothing can be read.
fn halves_around(memory: &Memory, addr: u32) -> [u16; 3] {
    [0, 2, 4].map(|n| {
        let mut bytes = [0; 2];
        let at = (addr & !1).wrapping_add(n);
        memory
            .peek(at, &mut bytes)
            .map_or(0, |()| u16::from_le_bytes(bytes))
    })
}

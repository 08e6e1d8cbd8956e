//! Random whole programs: functions on several pages, that call each other in several ways, jump about in themselves, and
//! write their own code.
//!
//! Every jump back and every call takes 1 from a register of fuel first; at 0 the program ends. So a program ends
//! whatever its loops are like, without a budget, which would switch optimisation off. Only a jump that goes astray may
//! loop for ever; then the program is run with a budget only.

use super::layout::{AREAS, Area, BEFORE_CODE, ENDS};
use super::program::{Item, Label, Part, Whole, add};
use crate::compressed::Forms;
use crate::generate::{DATA, DATA_LEN, EDGES, Generator, POINTERS, Random, address};
use rvjit::rv32::{Cond, Insn, Isa, LoadOp, Reg, StoreOp, decode};

/// Registers that fuel may be in: with a home on both hosts, on one, on none.
const FUELS: [u8; 6] = [5, 27, 31, 26, 16, 9];
/// Holds an aligned address as sp does, where sp is the frame pointer of functions.
const OTHER_STACK: u8 = 18;

/// What a function is like, known before it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) label: Label,
    pub(super) area: Area,
    pub(super) link: Reg,
}

/// Writes a program, function by function.
pub(super) struct Writer<'a> {
    pub(super) random: &'a mut Random,
    pub(super) items: Vec<Item>,
    pub(super) labels: Label,
    pub(super) fuel: Reg,
    pub(super) stack: Reg,
    pub(super) plans: Vec<Plan>,
    /// Instructions in writable code that may be written.
    pub(super) slots: Vec<Label>,
    /// Such as are still to be placed in this function.
    pub(super) pending: Vec<Label>,
    /// Data behind the function.
    pub(super) pool: Vec<Item>,
    /// Where the program ends when fuel does.
    pub(super) out: Label,
    /// Where the function returns.
    pub(super) end: Label,
    pub(super) here: Plan,
    pub(super) csrs: bool,
}

fn reg(number: u8) -> Reg {
    Reg::new(number).unwrap()
}

pub(super) fn lw(rd: Reg, rs1: Reg, offset: i32) -> Insn {
    let op = LoadOp::Lw;
    Insn::Load {
        op,
        rd,
        rs1,
        offset,
    }
}

pub(super) fn sw(rs2: Reg, rs1: Reg, offset: i32) -> Insn {
    let op = StoreOp::Sw;
    Insn::Store {
        op,
        rs1,
        rs2,
        offset,
    }
}

/// A program; with compressed instructions, most that have such a form are given it.
pub(crate) fn whole(random: &mut Random, isa: Isa, forms: &Forms) -> Whole {
    loop {
        if let Some(whole) = attempt(random, isa, forms) {
            return whole;
        }
    }
}

fn attempt(random: &mut Random, isa: Isa, forms: &Forms) -> Option<Whole> {
    let mut x = [0; 32];
    for value in &mut x[1..] {
        *value = if random.one_in(2) {
            random.pick(&EDGES)
        } else {
            random.next() as u32
        };
    }
    for pointer in POINTERS {
        x[pointer.index()] = address(random);
    }
    let fuel = reg(random.pick(&FUELS));
    x[fuel.index()] = if random.one_in(8) {
        200 + random.below(2000)
    } else {
        2 + random.below(60)
    };
    // Frames and stores that hit them do not go together.
    let frames = !random.one_in(4);
    let stack = if frames { reg(OTHER_STACK) } else { Reg::SP };
    x[Reg::SP.index()] = BEFORE_CODE + 0x1000 + 16 * random.below(0x40);
    x[stack.index()] = DATA + 16 * random.below(DATA_LEN / 16);

    let count = 1 + random.below(5);
    let same = random.one_in(3).then(|| random.pick(&AREAS));
    let plans: Vec<Plan> = (0..count)
        .map(|n| Plan {
            label: n,
            area: same.unwrap_or_else(|| random.pick(&AREAS)),
            link: random.pick(&[Reg::RA, Reg::RA, Reg::RA, reg(7)]),
        })
        .collect();
    let csrs = random.one_in(2);
    let mut writer = Writer {
        here: plans[0],
        random,
        items: Vec::new(),
        labels: count,
        fuel,
        stack,
        plans,
        slots: Vec::new(),
        pending: Vec::new(),
        pool: Vec::new(),
        out: 0,
        end: 0,
        csrs,
    };
    let mut bodies = Vec::new();
    // Those that are called first: then their slots are known.
    for n in (0..writer.plans.len()).rev() {
        writer.function(n, frames);
        bodies.push((writer.here.area, std::mem::take(&mut writer.items)));
    }
    bodies.reverse();
    let actions = writer.actions();
    if isa.compressed {
        for item in bodies.iter_mut().flat_map(|(_, items)| items) {
            writer.shorten(item, forms);
        }
    }
    Some(Whole {
        isa,
        parts: place(writer.random, isa, &writer.slots, bodies)?,
        x,
        actions,
        csrs,
    })
}

/// How far into a function instructions are that may be written.
fn slots_in(items: &[Item], slots: &[Label]) -> Vec<u32> {
    let mut at = 0;
    let mut found = Vec::new();
    for item in items {
        if let Item::Label(label) = item
            && slots.contains(label)
        {
            found.push(at);
        }
        at += item.size();
    }
    found
}

/// Gives functions their addresses: in each area one behind the other, often so that one lies over a page's end, and the
/// last at times ends with the area. `None` where there is no room, or a function is longer than branches reach.
fn place(
    random: &mut Random,
    isa: Isa,
    slots: &[Label],
    bodies: Vec<(Area, Vec<Item>)>,
) -> Option<Vec<Part>> {
    let size = |items: &[Item]| items.iter().map(Item::size).sum::<u32>();
    let mut next = AREAS.map(|area| area.start);
    let mut slack = AREAS.map(Area::bytes);
    let mut rest = [0; AREAS.len()];
    let index = |area| AREAS.iter().position(|other| *other == area);
    for (area, items) in &bodies {
        let (n, bytes) = (index(*area)?, size(items));
        slack[n] = slack[n].checked_sub(bytes).filter(|_| bytes < 0x1000)?;
        rest[n] += 1;
    }
    let mut parts = Vec::new();
    for (area, items) in bodies {
        let n = index(area)?;
        rest[n] -= 1;
        // Often a place of note is the first of a page.
        let slots = slots_in(&items, slots);
        let ahead = if slots.is_empty() || random.one_in(3) {
            4 * random.below(40)
        } else {
            random.pick(&slots)
        };
        // Or lies across the end of one.
        let ahead = if isa.compressed && random.one_in(3) {
            ahead + 2
        } else {
            ahead
        };
        let before_end = next[n].wrapping_add(ahead).wrapping_neg() % 0x1000;
        let gap = match random.below(4) {
            0 | 1 => before_end,
            2 if rest[n] == 0 => slack[n],
            _ => 0,
        };
        let gap = if gap <= slack[n] { gap } else { 0 };
        slack[n] -= gap;
        let start = next[n] + gap;
        next[n] = start.wrapping_add(size(&items));
        parts.push(Part { start, items });
    }
    Some(parts)
}

impl Writer<'_> {
    /// Gives an item its short form, mostly.
    fn shorten(&mut self, item: &mut Item, forms: &Forms) {
        match item {
            Item::Insn(insn) if !self.random.one_in(5) => {
                if let Some(half) = forms.of(*insn) {
                    *item = Item::Short(half);
                }
            }
            // Not random instructions, which would jump without fuel.
            Item::Word(word) if *word & 3 == 0 => *word = 0,
            _ => {}
        }
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels += 1;
        self.labels - 1
    }

    pub(super) fn push(&mut self, insn: Insn) {
        self.items.push(Item::Insn(insn));
    }

    /// Registers that nothing random writes in this function.
    pub(super) fn kept(&self) -> Vec<Reg> {
        vec![self.fuel, Reg::SP, self.stack, self.here.link]
    }

    /// A register to be written, not x0 and none of those.
    pub(super) fn free(&mut self, but: &[Reg]) -> Reg {
        let kept = self.kept();
        loop {
            let reg = Reg::from_field(1 + self.random.below(31));
            if !kept.contains(&reg) && !but.contains(&reg) && !POINTERS.contains(&reg) {
                return reg;
            }
        }
    }

    pub(super) fn insns(&mut self, make: impl Fn(&mut Generator<'_>)) -> Vec<Insn> {
        let kept = self.kept();
        let mut generator = Generator::new(self.random, self.stack, kept);
        make(&mut generator);
        let words = generator.words();
        words
            .into_iter()
            .map(|word| decode(word).unwrap())
            .collect()
    }

    /// What the other generator makes, with labels for where its branches lead.
    pub(super) fn chunk(&mut self, count: u32) {
        let insns = self.insns(|generator| (0..count).for_each(|_| generator.one()));
        let target =
            |n: usize, offset: i32| insns.len().min(n + offset.unsigned_abs() as usize / 4);
        let mut labels = vec![None; insns.len() + 1];
        for (n, insn) in insns.iter().enumerate() {
            if let Insn::Branch { offset, .. } = *insn {
                let label = labels[target(n, offset)];
                labels[target(n, offset)] = label.or_else(|| Some(self.label()));
            }
        }
        for (n, &insn) in insns.iter().enumerate() {
            self.items.extend(labels[n].map(Item::Label));
            self.items.push(match insn {
                Insn::Branch {
                    cond,
                    rs1,
                    rs2,
                    offset,
                } => Item::Branch {
                    cond,
                    rs1,
                    rs2,
                    to: labels[target(n, offset)].unwrap(),
                },
                _ => Item::Insn(insn),
            });
        }
        self.items.extend(labels[insns.len()].map(Item::Label));
    }

    pub(super) fn simple(&mut self) -> Insn {
        self.insns(|generator| generator.simple())[0]
    }

    /// Takes 1 from the fuel; where there is none, the program ends.
    pub(super) fn charge(&mut self) {
        self.push(add(self.fuel, self.fuel, -1));
        self.items.push(Item::Branch {
            cond: Cond::Ge,
            rs1: Reg::ZERO,
            rs2: self.fuel,
            to: self.out,
        });
    }

    pub(super) fn function(&mut self, n: usize, frames: bool) {
        self.here = self.plans[n];
        let calls = n + 1 < self.plans.len() && !self.random.one_in(5);
        (self.out, self.end) = (self.label(), self.label());
        self.items.push(Item::Label(self.here.label));
        if n > 0 {
            self.charge();
        }
        let frame = frames && (calls || self.random.one_in(3)) && n > 0;
        let size = 16 * (1 + self.random.below(3).cast_signed());
        let link = self.here.link;
        if frame {
            self.push(add(Reg::SP, Reg::SP, -size));
            self.push(sw(link, Reg::SP, size - 4));
            self.push(sw(Reg::S0, Reg::SP, size - 8));
        }
        let mut callees: Vec<Plan> = match (frame || n == 0, calls) {
            (true, true) => self.plans[n + 1..].to_vec(),
            _ => vec![],
        };
        if frame && self.random.one_in(4) {
            callees.push(self.here);
        }
        let blocks: Vec<Label> = (0..2 + self.random.below(6))
            .map(|_| self.label())
            .collect();
        for (at, &label) in blocks.iter().enumerate() {
            self.items.push(Item::Label(label));
            self.block(&callees);
            self.leave_block(at, &blocks);
        }
        for slot in std::mem::take(&mut self.pending) {
            self.slot(slot);
        }
        self.items.push(Item::Label(self.end));
        if frame {
            self.push(lw(link, Reg::SP, size - 4));
            self.push(lw(Reg::S0, Reg::SP, size - 8));
            self.push(add(Reg::SP, Reg::SP, size));
        }
        if n > 0 {
            self.finish(n);
        }
        self.items.push(Item::Label(self.out));
        self.items.push(Item::Exit);
        self.items.append(&mut self.pool);
    }

    pub(super) fn block(&mut self, callees: &[Plan]) {
        if self.random.one_in(3) {
            let pointer = self.random.pick(&POINTERS);
            let value = if self.random.one_in(3) {
                let near = self.random.below(16).wrapping_sub(8);
                self.random.pick(&ENDS).wrapping_add(near)
            } else {
                address(self.random)
            };
            self.items.push(Item::Constant { rd: pointer, value });
        }
        for _ in 0..self.random.below(4) {
            let count = 1 + self.random.below(5);
            self.chunk(count);
            match self.random.below(12) {
                0..=2 if !callees.is_empty() => {
                    let callee = self.random.pick(callees);
                    self.call(callee);
                }
                3..=5 if self.here.area.writable || !self.slots.is_empty() => self.patch(),
                6 => self.rare(),
                7 => self.own_code(),
                8 if self.here.area.writable => {
                    let slot = self.label();
                    self.slot(slot);
                }
                _ => {}
            }
            if !self.pending.is_empty() && self.random.one_in(2) {
                let slot = self.pending.pop().unwrap();
                self.slot(slot);
            }
        }
    }

    /// An instruction that may be written.
    pub(super) fn slot(&mut self, slot: Label) {
        self.items.push(Item::Label(slot));
        let insn = self.simple();
        self.push(insn);
        self.slots.push(slot);
    }

    /// Instructions that do not write this register.
    pub(super) fn chunk_but(&mut self, count: u32, but: Reg) {
        for _ in 0..count {
            let insn = self.simple();
            if insn.destination() != Some(but) {
                self.push(insn);
            }
        }
    }
}

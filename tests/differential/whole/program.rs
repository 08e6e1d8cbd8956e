//! Programs whose jumps name labels, not distances: so instructions can be taken out, moved, and encoded in another
//! form, and the rest still means the same.
//!
//! All that depends on an instruction's size is in [`Item::size`] and [`Item::encode`]. Parts start where they were put, whatever is taken out of others.

use rvjit::rv32::encode::encode;
use rvjit::rv32::{AluOp, Cond, CsrOp, CsrSource, Fetched, Insn, Isa, Reg};
use std::collections::HashMap;
use std::fmt::Write as _;

/// A place in a program.
pub(crate) type Label = u32;

/// What programs are made of. All but labels are taken out one by one when a failure is shrunk, so each is complete.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// The next item's place; takes no room.
    Label(Label),
    /// An instruction that names no place.
    Insn(Insn),
    /// The same in 16 bits.
    Short(u16),
    Branch {
        cond: Cond,
        rs1: Reg,
        rs2: Reg,
        to: Label,
    },
    /// `jal`
    Jump { rd: Reg, to: Label },
    /// `auipc` and `jalr`
    Far { rd: Reg, via: Reg, to: Label },
    /// rd = the address of a label
    Address { rd: Reg, of: Label },
    /// rd = a constant, in two instructions
    Constant { rd: Reg, value: u32 },
    /// rd = the word that an item is at a label
    Encoding { rd: Reg, of: Box<Item>, at: Label },
    /// A word of data: the address of a label.
    Place(Label),
    /// A word of data, or an instruction that does not exist.
    Word(u32),
    /// Reads a counter, whose value is not the same on all engines, and overwrites it.
    Counter { rd: Reg, csr: u16, then: i32 },
    /// An `ecall` that ends the program.
    Exit,
}

impl Item {
    /// Bytes.
    pub(crate) fn size(&self) -> u32 {
        match self {
            Item::Label(_) => 0,
            Item::Short(_) => 2,
            Item::Insn(_)
            | Item::Branch { .. }
            | Item::Jump { .. }
            | Item::Place(_)
            | Item::Word(_)
            | Item::Exit => 4,
            Item::Far { .. }
            | Item::Address { .. }
            | Item::Constant { .. }
            | Item::Encoding { .. }
            | Item::Counter { .. } => 8,
        }
    }

    /// The half-words of this item at `pc`.
    fn encode(&self, pc: u32, places: &HashMap<Label, u32>) -> Vec<u16> {
        match *self {
            Item::Short(half) => vec![half],
            _ => halves(&self.words(pc, places)),
        }
    }

    /// The words of this item, which has no other parts.
    fn words(&self, pc: u32, places: &HashMap<Label, u32>) -> Vec<u32> {
        let far = |to: &Label| places[to].wrapping_sub(pc).cast_signed();
        let insns = match *self {
            Item::Label(_) | Item::Short(_) => vec![],
            Item::Insn(insn) => vec![insn],
            Item::Branch {
                cond,
                rs1,
                rs2,
                ref to,
            } => vec![Insn::Branch {
                cond,
                rs1,
                rs2,
                offset: far(to),
            }],
            Item::Jump { rd, ref to } => vec![Insn::Jal {
                rd,
                offset: far(to),
            }],
            Item::Far { rd, via, ref to } => {
                let (high, low) = split(far(to).cast_unsigned());
                vec![
                    Insn::Auipc { rd: via, imm: high },
                    Insn::Jalr {
                        rd,
                        rs1: via,
                        offset: low,
                    },
                ]
            }
            Item::Address { rd, of } => constant(rd, places[&of]).to_vec(),
            Item::Constant { rd, value } => constant(rd, value).to_vec(),
            Item::Encoding { rd, ref of, at } => {
                let word = of.words(places[&at], places)[0];
                constant(rd, word).to_vec()
            }
            Item::Counter { rd, csr, then } => vec![
                Insn::Csr {
                    op: CsrOp::Set,
                    rd,
                    source: CsrSource::Reg(Reg::ZERO),
                    csr,
                },
                add(rd, Reg::ZERO, then),
            ],
            Item::Exit => vec![Insn::Ecall],
            Item::Place(of) => return vec![places[&of]],
            Item::Word(word) => return vec![word],
        };
        insns.into_iter().map(encode).collect()
    }
}

fn halves(words: &[u32]) -> Vec<u16> {
    let both = |word: &u32| [*word as u16, (*word >> 16) as u16];
    words.iter().flat_map(both).collect()
}

/// The parts of a constant for `lui` or `auipc`, and for `addi`.
fn split(value: u32) -> (u32, i32) {
    let high = value.wrapping_add(0x800) & 0xffff_f000;
    (high, value.wrapping_sub(high).cast_signed())
}

fn constant(rd: Reg, value: u32) -> [Insn; 2] {
    let (high, low) = split(value);
    [Insn::Lui { rd, imm: high }, add(rd, rd, low)]
}

pub(crate) fn add(rd: Reg, rs1: Reg, imm: i32) -> Insn {
    let op = AluOp::Add;
    Insn::AluImm { op, rd, rs1, imm }
}

/// A function, and the address where it begins.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) start: u32,
    pub(crate) items: Vec<Item>,
}

/// What the environment does at an `ecall`, before it goes on.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Nothing,
    Set(Reg, u32),
    /// Writes a word of data.
    Write(u32, u32),
    /// Writes an instruction.
    Patch(Label, Item),
    /// Takes the page of an instruction away, and gives it anew with another instruction there.
    Reload(Label, Item),
    /// Takes a page of data away and gives it anew.
    Renew(u32),
}

/// A program.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    pub(crate) isa: Isa,
    /// The program begins with the first.
    pub(crate) parts: Vec<Part>,
    pub(crate) x: [u32; 32],
    /// What is done at each `ecall`, over and over.
    pub(crate) actions: Vec<Action>,
    /// Whether machine-mode CSRs exist.
    pub(crate) csrs: bool,
}

/// A program as it lies in memory.
#[derive(Debug)]
pub(crate) struct Image {
    /// Half-words by the address of the first.
    pub(crate) parts: Vec<(u32, Vec<u16>)>,
    /// Addresses of the `ecall`s that end it.
    pub(crate) exits: Vec<u32>,
    places: HashMap<Label, u32>,
}

impl Image {
    /// The address and the word of what an [`Action`] writes.
    pub(crate) fn patch(&self, at: Label, item: &Item) -> (u32, u32) {
        let place = self.places[&at];
        (place, item.words(place, &self.places)[0])
    }
}

impl Whole {
    pub(crate) fn assemble(&self) -> Image {
        let mut places = HashMap::new();
        let mut exits = Vec::new();
        for part in &self.parts {
            let mut pc = part.start;
            for item in &part.items {
                match item {
                    Item::Label(label) => drop(places.insert(*label, pc)),
                    Item::Exit => exits.push(pc),
                    _ => {}
                }
                pc = pc.wrapping_add(item.size());
            }
        }
        let halves = |part: &Part| {
            let mut pc = part.start;
            let mut halves = Vec::new();
            for item in &part.items {
                halves.extend(item.encode(pc, &places));
                pc = pc.wrapping_add(item.size());
            }
            (part.start, halves)
        };
        Image {
            parts: self.parts.iter().map(halves).collect(),
            exits,
            places,
        }
    }

    /// Registers, actions and code.
    pub(crate) fn listing(&self) -> String {
        let mut text = String::new();
        for (reg, value) in Reg::all().zip(self.x).skip(1) {
            write!(text, "{reg}={value:#x} ").unwrap();
        }
        writeln!(text, "\nmachine CSRs: {}", self.csrs).unwrap();
        for (n, action) in self.actions.iter().enumerate() {
            writeln!(text, "at ecall {n}: {action:x?}").unwrap();
        }
        let image = self.assemble();
        for (part, (start, halves)) in self.parts.iter().zip(&image.parts) {
            let mut pc = *start;
            let half = |pc: u32| halves.get(pc.wrapping_sub(*start) as usize / 2).copied();
            writeln!(text).unwrap();
            let mut items = part.items.iter();
            let mut item_pc = pc;
            while let Ok(fetched) = Fetched::at(self.isa, pc, |pc| half(pc).ok_or(())) {
                while item_pc <= pc {
                    match items.next() {
                        Some(Item::Label(label)) => writeln!(text, "L{label}:").unwrap(),
                        Some(item) => item_pc = item_pc.wrapping_add(item.size()),
                        None => break,
                    }
                }
                let end = if image.exits.contains(&pc) {
                    "  (exit)"
                } else {
                    ""
                };
                let (bits, insn) = (fetched.digits(), fetched.text());
                writeln!(text, "{pc:#x}: {bits} {insn}{end}").unwrap();
                pc = fetched.next();
            }
        }
        text
    }

    /// Items that can be taken out.
    fn removable(&self) -> Vec<(usize, usize)> {
        let parts = self.parts.iter().enumerate();
        parts
            .flat_map(|(part, Part { items, .. })| {
                let items = items.iter().enumerate();
                items
                    .filter(|(_, item)| !matches!(item, Item::Label(_)))
                    .map(move |(n, _)| (part, n))
            })
            .collect()
    }

    fn without(&self, gone: &[(usize, usize)]) -> Whole {
        let mut rest = self.clone();
        for &(part, n) in gone.iter().rev() {
            rest.parts[part].items.remove(n);
        }
        rest
    }
}

/// The least that still fails: drops ever fewer neighbouring items, down to one, as long as that makes a difference.
pub(crate) fn shrink(whole: &Whole, mut fails: impl FnMut(&Whole) -> bool) -> Whole {
    let mut least = whole.clone();
    let mut tries = 4000;
    for n in (0..least.actions.len()).rev() {
        let mut fewer = least.clone();
        fewer.actions[n] = Action::Nothing;
        if fails(&fewer) {
            least = fewer;
        }
    }
    let mut at_once = least.removable().len().div_ceil(2);
    loop {
        let mut dropped = false;
        let mut at = 0;
        while tries > 0 {
            let items = least.removable();
            if at >= items.len() {
                break;
            }
            let end = items.len().min(at + at_once);
            let fewer = least.without(&items[at..end]);
            tries -= 1;
            if fails(&fewer) {
                least = fewer;
                dropped = true;
            } else {
                at = end;
            }
        }
        if tries == 0 || at_once == 1 && !dropped {
            return least;
        }
        if !dropped || at_once > 1 {
            at_once = at_once.div_ceil(2);
        }
    }
}

#[test]
fn what_does_not_matter_is_dropped() {
    let insn = |n| Item::Insn(add(Reg::A0, Reg::A0, n));
    let mut items: Vec<Item> = (0..100).map(insn).collect();
    items.insert(50, Item::Label(1));
    items.push(Item::Jump {
        rd: Reg::ZERO,
        to: 1,
    });
    let whole = Whole {
        isa: Isa::default(),
        parts: vec![Part {
            start: 0x1000,
            items,
        }],
        x: [0; 32],
        actions: vec![],
        csrs: false,
    };
    let wanted = [
        encode(add(Reg::A0, Reg::A0, 7)),
        encode(add(Reg::A0, Reg::A0, 93)),
    ];
    let least = shrink(&whole, |whole| {
        let words = &whole.assemble().parts[0].1;
        let has = |word: &u32| words.chunks(2).any(|pair| pair == halves(&[*word]));
        wanted.iter().all(has)
    });
    assert_eq!(least.assemble().parts[0].1, halves(&wanted));
    assert_eq!(
        whole.assemble().parts[0].1[200..],
        halves(&[0xf39f_f06f]),
        "jal zero,.-0xc8"
    );
}

#[test]
fn labels_are_what_they_say() {
    let whole = Whole {
        isa: Isa::default(),
        parts: vec![Part {
            start: 0x1f00,
            items: vec![
                Item::Address { rd: Reg::A0, of: 1 },
                Item::Far {
                    rd: Reg::RA,
                    via: Reg::A1,
                    to: 1,
                },
                Item::Label(1),
                Item::Encoding {
                    rd: Reg::A0,
                    of: Box::new(Item::Jump { rd: Reg::RA, to: 1 }),
                    at: 1,
                },
                Item::Place(1),
                Item::Exit,
            ],
        }],
        x: [0; 32],
        actions: vec![],
        csrs: false,
    };
    let image = whole.assemble();
    assert_eq!(image.exits, [0x1f1c]);
    // lui a0,0x2; addi a0,a0,-0xf0; auipc a1,0; jalr ra,8(a1); lui a0,0; addi a0,a0,0xef
    let words = [
        0x2537,
        0xf105_0513,
        0x597,
        0x0085_80e7,
        0x537,
        0x0ef5_0513,
        0x1f10,
        0x73,
    ];
    assert_eq!(image.parts[0].1, halves(&words));
}

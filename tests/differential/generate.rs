//! Random guest programs: valid instructions, edge values, addresses around page ends, counted loops, and the
//! sequences that the translator joins (`joined`).

use rvjit::rv32::encode::encode;
use rvjit::rv32::{AluOp, AtomicOp, BitOp, Cond, Insn, Isa, LoadOp, MulOp, Reg, StoreOp, UnaryOp};

/// Where programs are placed.
pub(crate) const CODE: u32 = 0x0001_0000;
/// Pages that may be read and written; a page that may only be read follows, then nothing.
pub(crate) const DATA: u32 = 0x0002_0000;
pub(crate) const DATA_LEN: u32 = 0x2000;

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u32) -> u32 {
        (self.next() % u64::from(n)) as u32
    }

    pub(crate) fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }
}

/// A program and the registers it starts with.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) isa: Isa,
    pub(crate) words: Vec<u32>,
    pub(crate) x: [u32; 32],
}

/// Counts loops down; written by nothing else.
const COUNTER: Reg = Reg::T0;
/// Holds the address of aligned data, as the ABI has it: only ever changed by multiples of 16.
pub(crate) const STACK: Reg = Reg::SP;
/// Registers that mostly hold addresses: one with a home on every host, one without on ARM64, one without on x86-64.
pub(crate) const POINTERS: [Reg; 4] = [Reg::S0, Reg::GP, Reg::A1, Reg::TP];

pub(crate) const EDGES: [u32; 16] = [
    0,
    1,
    2,
    3,
    31,
    32,
    0xff,
    0x7ff,
    0x800,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_fffe,
    0xffff_ffff,
    0x5555_5555,
];

pub(crate) fn program(random: &mut Random) -> Program {
    let mut x = [0; 32];
    for value in &mut x[1..] {
        *value = if random.one_in(2) {
            random.pick(&EDGES)
        } else {
            random.next() as u32
        };
    }
    for reg in POINTERS {
        x[reg.index()] = address(random);
    }
    x[STACK.index()] = DATA + 16 * random.below(DATA_LEN / 16);
    if random.one_in(2) {
        x[STACK.index()] = DATA + 0x1000 * random.below(4);
    }
    let mut generator = Generator::new(random, STACK, vec![COUNTER, STACK]);
    let stretches = 2 + generator.random.below(5);
    for _ in 0..stretches {
        generator.stretch();
    }
    generator.push(Insn::Ecall);
    let words = generator.words;
    Program {
        isa: Isa::default(),
        words,
        x,
    }
}

pub(crate) fn address(random: &mut Random) -> u32 {
    let near = random.below(16).wrapping_sub(8);
    match random.below(8) {
        0 => (DATA + DATA_LEN).wrapping_add(near),
        1 => (DATA + 0x1000).wrapping_add(near),
        2 => DATA.wrapping_add(near),
        3 if random.one_in(4) => near,
        4 if random.one_in(4) => CODE + 0x2000,
        _ => DATA + 4 * random.below(DATA_LEN / 4),
    }
}

pub(crate) struct Generator<'a> {
    pub(crate) random: &'a mut Random,
    words: Vec<u32>,
    /// Few registers make many dependences.
    registers: Vec<Reg>,
    /// Holds the address of aligned data.
    pub(crate) stack: Reg,
    /// What is written by nothing that is random.
    kept: Vec<Reg>,
}

impl<'a> Generator<'a> {
    pub(crate) fn new(random: &'a mut Random, stack: Reg, kept: Vec<Reg>) -> Generator<'a> {
        let mut generator = Generator {
            random,
            words: Vec::new(),
            registers: Vec::new(),
            stack,
            kept,
        };
        generator.choose_registers();
        generator
    }

    /// What was made.
    pub(crate) fn words(self) -> Vec<u32> {
        self.words
    }
}

impl Generator<'_> {
    /// Where the next instruction will be.
    pub(crate) fn here(&self) -> usize {
        self.words.len()
    }

    /// Puts an instruction in the place of another.
    pub(crate) fn replace(&mut self, at: usize, insn: Insn) {
        self.words[at] = encode(insn);
    }

    pub(crate) fn push(&mut self, insn: Insn) {
        self.words.push(encode(insn));
    }

    pub(crate) fn choose_registers(&mut self) {
        let count = 2 + self.random.below(8);
        // Those that most compressed instructions can name, or all.
        let (first, among) = self.random.pick(&[(8, 8), (0, 32)]);
        self.registers = (0..count)
            .map(|_| Reg::from_field(first + self.random.below(among)))
            .collect();
    }

    pub(crate) fn any(&mut self) -> Reg {
        if self.random.one_in(6) {
            Reg::from_field(self.random.below(32))
        } else {
            let registers = std::mem::take(&mut self.registers);
            let reg = self.random.pick(&registers);
            self.registers = registers;
            reg
        }
    }

    pub(crate) fn destination(&mut self) -> Reg {
        loop {
            let reg = self.any();
            let spared = POINTERS.contains(&reg) && !self.random.one_in(8);
            if !self.kept.contains(&reg) && !spared {
                return reg;
            }
        }
    }

    pub(crate) fn imm(&mut self) -> i32 {
        match self.random.below(3) {
            0 => self.random.below(64).cast_signed() - 32,
            1 => self
                .random
                .pick(&[-2048, -1, 0, 1, 4, 255, 256, 2047, 1024, -256, 15, -16]),
            _ => self.random.below(4096).cast_signed() - 2048,
        }
    }

    fn stretch(&mut self) {
        if self.random.one_in(3) {
            self.choose_registers();
        }
        match self.random.below(5) {
            0 => self.counted_loop(),
            1 => self.call(),
            _ => self.body(),
        }
    }

    fn body(&mut self) {
        let count = 1 + self.random.below(14);
        for _ in 0..count {
            self.one();
        }
    }

    fn counted_loop(&mut self) {
        let count = 1 + self.random.below(4).cast_signed();
        self.push(Insn::AluImm {
            op: AluOp::Add,
            rd: COUNTER,
            rs1: Reg::ZERO,
            imm: count,
        });
        let head = self.words.len();
        self.body();
        self.push(Insn::AluImm {
            op: AluOp::Add,
            rd: COUNTER,
            rs1: COUNTER,
            imm: -1,
        });
        let back = (head as i32 - self.words.len() as i32) * 4;
        self.push(Insn::Branch {
            cond: Cond::Ne,
            rs1: COUNTER,
            rs2: Reg::ZERO,
            offset: back,
        });
    }

    /// A call over the next few instructions, direct or through a register, to a place that may return.
    fn call(&mut self) {
        let skip = 1 + self.random.below(4);
        let offset = (4 * skip).cast_signed();
        let rd = self.destination();
        match self.random.below(3) {
            0 => self.push(Insn::Jal { rd, offset }),
            1 => {
                let base = self.destination();
                if base.is_zero() {
                    return;
                }
                let odd = self.random.below(2).cast_signed();
                self.push(Insn::Auipc { rd: base, imm: 0 });
                self.push(Insn::Jalr {
                    rd,
                    rs1: base,
                    offset: offset + 4 + odd,
                });
            }
            _ => {
                // Not known to the translator: through memory.
                let base = self.destination();
                if base.is_zero() {
                    return;
                }
                self.push(Insn::Auipc { rd: base, imm: 0 });
                self.push(Insn::Store {
                    op: StoreOp::Sw,
                    rs1: Reg::S0,
                    rs2: base,
                    offset: 0,
                });
                self.push(Insn::Load {
                    op: LoadOp::Lw,
                    rd: base,
                    rs1: Reg::S0,
                    offset: 0,
                });
                self.push(Insn::Jalr {
                    rd,
                    rs1: base,
                    offset: offset + 12,
                });
            }
        }
        for _ in 1..skip {
            self.simple();
        }
    }

    pub(crate) fn one(&mut self) {
        match self.random.below(24) {
            0..=5 => self.simple(),
            22 | 23 => self.atomic(),
            6 | 7 => self.load(),
            8 | 9 => self.store(),
            10 | 11 => self.branch(),
            12 | 13 => self.neighbours(),
            14 => self.steps(),
            15..=17 => self.kin(),
            _ => self.sequence(),
        }
    }

    pub(crate) fn simple(&mut self) {
        let (rd, rs1, rs2) = (self.destination(), self.any(), self.any());
        match self.random.below(12) {
            10 | 11 => self.bits(rd, rs1, rs2),
            0 => {
                let imm = self.random.next() as u32 & 0xffff_f000;
                self.push(Insn::Lui { rd, imm });
            }
            1 => {
                let imm = self.random.next() as u32 & 0xffff_f000;
                self.push(Insn::Auipc { rd, imm });
            }
            2..=4 => {
                let op = self.random.pick(&AluOp::ALL);
                self.push(Insn::Alu { op, rd, rs1, rs2 });
            }
            5 | 6 => {
                let op = self.random.pick(&MulOp::ALL);
                self.push(Insn::Mul { op, rd, rs1, rs2 });
            }
            _ => {
                let op = loop {
                    let op = self.random.pick(&AluOp::ALL);
                    if op != AluOp::Sub {
                        break op;
                    }
                };
                let imm = if op.is_shift() {
                    self.random.below(32).cast_signed()
                } else {
                    self.imm()
                };
                self.push(Insn::AluImm { op, rd, rs1, imm });
            }
        }
    }

    /// Bit manipulation; a carry-less product, which engines leave to the interpreter, is rare.
    fn bits(&mut self, rd: Reg, rs1: Reg, rs2: Reg) {
        let insn = match self.random.below(4) {
            0 | 1 => {
                let mut op = self.random.pick(&BitOp::ALL);
                if op.is_carryless_product() {
                    op = self.random.pick(&BitOp::ALL);
                }
                Insn::Bits { op, rd, rs1, rs2 }
            }
            2 => {
                let op = self.random.pick(&BitOp::WITH_IMMEDIATE);
                let shamt = self.random.below(32) as u8;
                Insn::BitsImm { op, rd, rs1, shamt }
            }
            _ => {
                let op = self.random.pick(&UnaryOp::ALL);
                Insn::Unary { op, rd, rs1 }
            }
        };
        self.push(insn);
    }

    /// An atomic instruction. Addresses are often misaligned.
    fn atomic(&mut self) {
        let (rd, rs1, rs2) = (self.destination(), self.base(), self.any());
        let op = self.random.pick(&AtomicOp::ALL);
        let rs2 = match op {
            AtomicOp::LoadReserved => Reg::ZERO,
            _ => rs2,
        };
        let ordering = self.random.below(4) as u8;
        self.push(Insn::Atomic {
            op,
            rd,
            rs1,
            rs2,
            ordering,
        });
    }

    fn base(&mut self) -> Reg {
        if self.random.one_in(24) {
            self.any()
        } else {
            self.random.pick(&POINTERS)
        }
    }

    fn offset(&mut self) -> i32 {
        match self.random.below(4) {
            0 => self.imm(),
            1 => 0,
            _ => 4 * self.random.below(16).cast_signed() - 16,
        }
    }

    pub(crate) fn load(&mut self) {
        let (rd, rs1, offset) = (self.destination(), self.base(), self.offset());
        let op = self.random.pick(&LoadOp::ALL);
        self.push(Insn::Load {
            op,
            rd,
            rs1,
            offset,
        });
    }

    fn store(&mut self) {
        let (rs1, rs2, offset) = (self.base(), self.any(), self.offset());
        let op = self.random.pick(&StoreOp::ALL);
        self.push(Insn::Store {
            op,
            rs1,
            rs2,
            offset,
        });
    }

    /// A branch forward over a few instructions.
    fn branch(&mut self) {
        let (rs1, rs2) = (self.any(), self.any());
        let rs2 = if self.random.one_in(3) {
            Reg::ZERO
        } else {
            rs2
        };
        let cond = self.random.pick(&Cond::ALL);
        let skip = 1 + self.random.below(4);
        self.push(Insn::Branch {
            cond,
            rs1,
            rs2,
            offset: (4 * skip).cast_signed(),
        });
        for _ in 1..skip {
            self.simple();
        }
    }
}

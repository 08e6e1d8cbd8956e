//! What a host provides: [`Backend`], whose methods speak guest registers, and what it hands back: [`Output`].
//!
//! `translate` calls these methods in guest order; each emits the host instructions for one operation. Everything that
//! happens rarely is an [`Event`]: the backend emits a short cold piece of code that leaves with an address by which the
//! engine finds the event again. Between two operations only the homes of guest registers are live.

use crate::jit::ir::op::{Address, Joint, Op, Operand, ShiftKind, Test};
use crate::jit::ir::state::JumpTableKind;
use crate::rv32::{AluOp, AtomicOp, BitOp, Cond, Isa, LoadOp, MulOp, Reg, StoreOp, UnaryOp};

/// What `zip` swaps where the host has no instruction for it: the bits of the lower one of two neighbouring groups, and how
/// far the other is. `unzip` does it the other way round.
pub const ZIP_SWAPS: [(u32, u8); 4] = [
    (0x0000_ff00, 8),
    (0x00f0_00f0, 4),
    (0x0c0c_0c0c, 2),
    (0x2222_2222, 1),
];

/// A place in the code buffer, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CodeOffset(pub u32);

/// A block head inside the region being translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockLabel(pub usize);

/// Where a direct branch or jump goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A block of this region that is emitted before or after this point. `pc` is its guest address.
    Block {
        /// The block.
        label: BlockLabel,
        /// Its guest address.
        pc: u32,
    },
    /// Guest code that is not part of this region.
    Outside(u32),
}

/// Where, and with how much counted ahead, an operation stands: what the engine needs to know when it leaves the code
/// there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Guest address of the first instruction of the operation.
    pub pc: u32,
    /// Guest instructions that the operation stands for.
    pub insns: u16,
    /// How many bytes they have.
    pub bytes: u32,
    /// Instructions, from `pc` on, that the last [`Backend::count`] has already counted. 0 without counting.
    pub counted: u16,
    /// Index in [`Output::deferred`] of the operations to compute first, or 0 for none.
    pub deferred: u32,
    /// What the operation adds to a register beyond its guest instructions: a neighbour's work, which the code does
    /// not do again.
    pub update: Option<(Reg, i32)>,
}

/// Why code was left, as the engine finds it from the host address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A direct jump to code that is not translated, or that was taken away.
    Jump {
        /// Guest address.
        target: u32,
        /// Index in [`Output::deferred`] of the operations to compute first, or 0 for none.
        deferred: u32,
    },
    /// The interpreter is to execute the instructions of this position; afterwards the code goes on at `resume`, or,
    /// without one, wherever the guest's pc says.
    Interpret {
        /// What to execute.
        position: Position,
        /// Where the code goes on.
        resume: Option<CodeOffset>,
    },
    /// The budget does not reach to the end of the stretch of instructions that begins here; it was left as it is.
    Budget {
        /// Guest address of the stretch's first instruction.
        pc: u32,
    },
}

/// A host address and what leaving there means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// The faulting instruction, or the last byte of the call of the exit stub: an instruction may fault right behind
    /// such a call.
    pub at: CodeOffset,
    /// What it means.
    pub event: Event,
}

/// A direct branch that can be pointed at translated code and back at its cold code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The branch instruction.
    pub branch: CodeOffset,
    /// The cold code that leaves with [`Event::Jump`]; it begins with one instruction that can be patched, too. For
    /// an unconditional exit it is the branch itself.
    pub cold: CodeOffset,
    /// Guest address.
    pub target: u32,
    /// What the host needs to know to rewrite the branch.
    pub insn: u32,
}

/// One change to published code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    /// Where.
    pub at: CodeOffset,
    /// The new bytes.
    pub bytes: [u8; 8],
    /// How many of them.
    pub len: u8,
}

/// A translated region.
#[derive(Debug, Default, Clone)]
pub struct Output {
    /// Machine code.
    pub code: Vec<u8>,
    /// Guest address and host place of each block head.
    pub entries: Vec<(u32, CodeOffset)>,
    /// Sorted by place.
    pub sites: Vec<Site>,
    /// Direct branches to other regions, and the backward ones of this region.
    pub links: Vec<Link>,
    /// Where the code of each guest instruction begins, in emission order.
    pub map: Vec<(u32, CodeOffset)>,
    /// Where the code that is hardly ever executed begins; it belongs to no guest instruction's line.
    pub cold: CodeOffset,
    /// What [`Position::deferred`] indexes; element 0 is empty.
    pub deferred: Vec<Vec<Op>>,
    /// A short branch did not reach: the code is of no use, and the backend will do without short branches if asked
    /// again.
    pub too_far: bool,
}

impl Output {
    /// Empties it, and keeps the memory.
    pub fn clear(&mut self) {
        self.code.clear();
        self.entries.clear();
        self.sites.clear();
        self.links.clear();
        self.map.clear();
        self.deferred.clear();
        self.deferred.push(Vec::new());
        self.too_far = false;
    }
}

/// How a backend is to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How emitted code reaches guest memory.
    pub placement: crate::memory::Placement,
    /// Whether indirect jumps look into the hashed table, not into [`Backend::JUMP_TABLE`].
    pub hashed_jumps: bool,
    /// Which guest instructions there are: the jump table has a slot for each address where one may begin.
    pub isa: Isa,
    /// The low half of the code buffer's address.
    pub code_low: u32,
    /// Whether block heads fill with garbage what emitted code must not trust.
    pub poison: bool,
    /// Whether to use what this very host can do beyond its baseline (BMI2); off for reproducible listings.
    pub host_features: bool,
}

/// Code that every cache begins with.
#[derive(Debug, Default, Clone)]
pub struct Stubs {
    /// Machine code, to be placed at offset 0.
    pub code: Vec<u8>,
    /// `extern "C" fn(host_pc, state_base)`: loads the homes and jumps.
    pub enter: CodeOffset,
    /// Where a fault handler continues: stores the homes and returns from `enter`. The handler has set
    /// [`crate::jit::ir::state::State::exit_at`].
    pub leave: CodeOffset,
    /// Where an indirect jump to an empty slot goes, where there is a place for it: notes its index, and leaves.
    pub missed: Option<CodeOffset>,
}

/// A host. The registers given may be x0 only where said; immediates are any 32 bits.
pub trait Backend: Send + crate::jit::ir::costs::Costs {
    /// The jump table where there is much address space.
    const JUMP_TABLE: JumpTableKind;

    /// The low half of the address where the code buffer is best, if that matters.
    const CODE_LOW: Option<u32>;

    /// Emits the stubs; they go to offset 0 of the code buffer.
    fn stubs(&mut self) -> Stubs;

    /// Starts a region that will be placed at `at`, with this many block labels.
    fn begin(&mut self, at: CodeOffset, blocks: usize);
    /// Ends it: emits the cold code and resolves what is open.
    fn finish(&mut self) -> Output;
    /// Takes an output back: the next one needs no new memory then.
    fn recycle(&mut self, output: Output);

    /// A block begins here.
    fn block(&mut self, label: BlockLabel, pc: u32);
    /// What follows is for this position.
    fn position(&mut self, position: Position);
    /// Subtracts from the instruction budget, leaving with [`Event::Budget`] where it does not reach.
    fn count(&mut self, pc: u32, insns: u16);
    /// A list of deferred operations, for a later [`Position::deferred`].
    fn defer(&mut self, ops: Vec<Op>) -> u32;

    /// rd = value.
    fn load_imm(&mut self, rd: Reg, value: u32);
    /// rd = rs.
    fn copy(&mut self, rd: Reg, rs: Reg);
    /// rd = a op b. `a` may be x0 for `Sub`, `Slt` and `Sltu`; `b` is never x0; an immediate `b` never comes with `Sub`.
    fn alu(&mut self, op: AluOp, rd: Reg, a: Reg, b: Operand);
    /// rd = a op (b shifted), where [`Costs`](crate::jit::ir::costs::Costs) has such an operand; op is `Add`, `Sub`, `And`, `Or`
    /// or `Xor`; a may be x0 for `Sub`.
    fn alu_shifted(&mut self, op: AluOp, rd: Reg, a: Reg, b: Reg, kind: ShiftKind, amount: u8);
    /// rd = the `width` bits of rs from bit `lsb` on, extended.
    fn extract(&mut self, rd: Reg, rs: Reg, lsb: u8, width: u8, signed: bool);
    /// rd = the low `width` bits of rs, shifted left by `lsb`, other bits zero.
    fn place(&mut self, rd: Reg, rs: Reg, lsb: u8, width: u8);
    /// rd = rs rotated right.
    fn rotate(&mut self, rd: Reg, rs: Reg, by: Operand);
    /// rd = the low word of high:low shifted right by 1 to 31.
    fn funnel(&mut self, rd: Reg, high: Reg, low: Reg, amount: u8);
    /// rd = 1 where `a cond b`, else 0. `a` may be x0.
    fn set_if(&mut self, cond: Cond, rd: Reg, a: Reg, b: Operand);
    /// rd = a op b, multiplication and division; a may be x0.
    fn mul(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg);
    /// rd = rs where `a cond b`, else `other`. `a` may be x0 unless `b` is an immediate; `other` may be x0.
    fn select(&mut self, cond: Cond, a: Reg, b: Operand, rd: Reg, rs: Operand, other: Reg);
    /// rd = a op b, for the operations that [`Op::Bits`] has; a may be x0 for `Bset`.
    fn bits(&mut self, op: BitOp, rd: Reg, a: Reg, b: Reg);
    /// rd = op rs, for the operations that [`Op::Unary`] has.
    fn unary(&mut self, op: UnaryOp, rd: Reg, rs: Reg);
    /// rd = a op b, a division, where b holds `value` probably, or, if `certain`, indeed: neither 0 nor −1. a may be
    /// x0.
    fn divide_by(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg, value: u32, certain: bool);
    /// lo = the low half of a × b, hi = the high half; lo, hi differ and are not x0.
    fn mul_wide(&mut self, op: MulOp, lo: Reg, hi: Reg, a: Reg, b: Reg);
    /// quot = a / b, rem = a % b; quot, rem differ and are not x0.
    fn div_rem(&mut self, signed: bool, quot: Reg, rem: Reg, a: Reg, b: Reg);
    /// rd = c + a × b.
    fn mul_add(&mut self, rd: Reg, c: Reg, a: Reg, b: Reg);
    /// lo = a + b and carry = 1 where it wrapped, else 0; or a − b and the borrow. `lo` and `carry` differ and are not
    /// x0.
    fn add_carry(&mut self, sub: bool, lo: Reg, carry: Reg, a: Reg, b: Reg);

    /// rd = memory, extended; rd may be x0: the access still happens.
    fn load(&mut self, op: LoadOp, rd: Reg, address: Address);
    /// memory = the low bits of src, which may be x0.
    fn store(&mut self, op: StoreOp, src: Reg, address: Address);

    /// What [`Op::Atomic`] says; rd and src may be x0.
    fn atomic(&mut self, op: AtomicOp, rd: Reg, src: Reg, base: Reg);

    /// An access to base + offset, and then base += `update`; the offset is then 0 or the same. Only for hosts whose
    /// [`Costs`](crate::jit::ir::costs::Costs) say that they can.
    fn joint(&mut self, _access: Joint, _base: Reg, _offset: i32, _update: Option<i32>) {
        self.interpret();
    }

    /// Goes to `target` where the test holds, else on.
    fn branch(&mut self, test: Test, target: Target);
    /// Goes to `target`.
    fn jump(&mut self, target: Target);
    /// Goes to (rs + offset) with bit 0 cleared, and writes a link register after the target was found: a jump that is
    /// interpreted, because its target is misaligned or has no slot, finds all registers as they were.
    fn jump_reg(&mut self, rs: Reg, offset: i32, link: Option<(Reg, u32)>);
    /// Leaves with [`Event::Interpret`] at the current position; never comes back here.
    fn interpret(&mut self);

    /// The number of the host register that a guest register lives in; `None` where it lives in the state.
    fn host_register(&self, reg: Reg) -> Option<usize>;

    /// Length and text of the instruction that `code` begins with.
    fn disassemble(code: &[u8], address: u64) -> (usize, String);

    /// Adds the patches that point a link at `to`, or back at its cold code.
    fn relink(&self, link: &Link, to: Option<CodeOffset>, patches: &mut Vec<Patch>);
}

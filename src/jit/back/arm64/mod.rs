//! The ARM64 backend: guest operations to A64 instructions.
//!
//! `regs` says where guest registers live, `lower` lowers operations, `memory` loads and stores, `stubs` has the way in
//! and out. Invariant of the identity placement, where a home is used as a host address: the upper 32 bits of every
//! home are zero, because every write to one is a 32-bit write or a right shift by 32. An access that changes its base
//! may leave one that is off by less than a guard's size, at either end of the 4 GiB: the next access through it faults
//! then, is interpreted with its lower half, and on the way back all homes are loaded. And the home of ra has any upper
//! half, since `adr` makes return addresses: it is truncated before it is used as an address. The other placements do
//! not rely on it.

mod atomic;
mod bits;
mod costs;
mod flags;
mod jump;
mod lower;
mod memory;
mod muldiv;
mod regs;
mod stubs;
mod write;

use crate::asm::a64::{Assembler, Cond, Disp26, Label, LabelError, SImm9, W, WZR, X};
use crate::jit::back::backend::{BlockLabel, CodeOffset, Event, Options, Target};
use crate::jit::back::emission::{Cold, Draft};
use crate::jit::ir::state::offset;
use crate::rv32::Reg;
use regs::{ARENA, Home, Homes};

/// The backend.
#[derive(Debug)]
pub struct Arm64 {
    options: Options,
    homes: Homes,
    asm: Assembler,
    draft: Draft<Label>,
    blocks: Vec<Label>,
    /// Where `bl` leaves the code for the engine.
    exit: CodeOffset,
    /// Whether `tbz` (±32 KiB) may be used; off after one did not reach.
    short_branches: bool,
    too_far: bool,
    /// What the flags were set by last, in this block and behind the latest access.
    flags: Option<flags::Known>,
}

impl Arm64 {
    /// A backend that emits for these options.
    #[must_use]
    pub fn new(options: Options) -> Arm64 {
        Arm64 {
            options,
            homes: Homes::of(options.placement),
            asm: Assembler::new(),
            draft: Draft::default(),
            blocks: Vec::new(),
            exit: CodeOffset(0),
            short_branches: true,
            too_far: false,
            flags: None,
        }
    }

    fn here(&self) -> usize {
        self.asm.here() * 4
    }

    /// Notes that a branch did not reach.
    fn reach(&mut self, result: Result<(), LabelError>) {
        self.too_far |= result.is_err();
    }

    /// The register that holds a guest register's value, loaded into `scratch` if it has no home.
    fn read(&mut self, reg: Reg, scratch: X) -> W {
        match self.homes.get(reg) {
            Home::Zero => WZR,
            Home::Host(w) => w,
            Home::InCpu => {
                self.asm.ldur(scratch.w(), ARENA, state_x(reg));
                scratch.w()
            }
        }
    }

    /// Branches to the exit stub: the event is what the address after it means.
    fn leave(&mut self, event: Event) {
        self.leave_insn();
        self.draft.left(self.here(), event);
    }

    fn leave_insn(&mut self) {
        let from = self.draft.place(self.here());
        self.asm.emit(self.exit_insn(from));
    }

    /// The word that leaves from `from`.
    fn exit_insn(&self, from: CodeOffset) -> u32 {
        let bl = Assembler::bl_word(displacement(from, self.exit));
        bl.unwrap_or(UNREACHABLE)
    }

    /// Emits a branch made by `branch`, which is given the label to go to, and records its link.
    fn branch_with(
        &mut self,
        target: Target,
        branch: impl FnOnce(&mut Assembler, Label) -> Result<(), LabelError>,
    ) {
        let place = self.draft.place(self.here());
        let (label, pc, inside) = match target {
            Target::Block { label, pc } => (self.blocks[label.0], pc, true),
            Target::Outside(pc) => (self.asm.label(), pc, false),
        };
        let backward = inside && self.asm.place_of(label).is_some();
        let result = branch(&mut self.asm, label);
        self.reach(result);
        if inside && !backward {
            return;
        }
        let insn = self.asm.words()[self.asm.here() - 1];
        let cold = if inside { self.asm.label() } else { label };
        self.draft.cold(Cold {
            label: cold,
            event: Event::Jump {
                target: pc,
                deferred: if inside {
                    self.draft.position.deferred
                } else {
                    0
                },
            },
            link: Some((place, insn)),
        });
    }

    fn block_label(&self, label: BlockLabel) -> Label {
        self.blocks[label.0]
    }

    fn b_cond(&mut self, cond: Cond, target: Target) {
        self.branch_with(target, |asm, label| asm.b_cond_to(cond, label));
    }
}

/// Emitted where a branch to the exit stub does not reach, which the size of the code buffer excludes: `udf #0xdead`.
const UNREACHABLE: u32 = 0xdead;

/// Bytes from one place to another.
fn displacement(from: CodeOffset, to: CodeOffset) -> i64 {
    i64::from(to.0) - i64::from(from.0)
}

/// The offset from the arena register of a guest register's place in the state.
fn state_x(reg: Reg) -> SImm9 {
    let bytes = offset::X + 4 * reg.field().cast_signed();
    state_offset(bytes)
}

/// An offset of the state.
const fn state_offset(bytes: i32) -> SImm9 {
    match SImm9::new(bytes) {
        Some(offset) => offset,
        None => panic!("the state is larger than short offsets reach"),
    }
}

impl Assembler {
    fn bl_word(bytes: i64) -> Option<u32> {
        let mut asm = Assembler::new();
        asm.bl(Disp26::new(bytes)?);
        asm.words().first().copied()
    }

    fn b_word(bytes: i64) -> Option<u32> {
        let mut asm = Assembler::new();
        asm.b(Disp26::new(bytes)?);
        asm.words().first().copied()
    }
}

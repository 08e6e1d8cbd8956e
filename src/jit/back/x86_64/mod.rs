//! The x86-64 backend: guest operations to x86-64 instructions.
//!
//! `regs` says where guest registers live, `scratch` what scratch registers hold besides; `alu`, `bits`, `muldiv`,
//! `divide` and `lower` lower operations, `memory` and `atomic` accesses; `stubs` has the way in and out, `host` what the host
//! at hand is like. Guest addresses are computed with the address-size prefix, which wraps at 2^32 as the guest does and ignores the
//! upper halves of homes; nothing else relies on those halves either.

mod alu;
mod atomic;
mod bits;
mod costs;
mod divide;
mod host;
mod lower;
mod memory;
mod muldiv;
mod regs;
mod scratch;
mod stubs;

use crate::asm::Moment;
use crate::asm::x64::{Assembler, Cond, Label, Mem, Reg as HostReg, Rm};
use crate::jit::back::backend::{CodeOffset, Event, Options, Target};
use crate::jit::back::emission::{Cold, Draft};
use crate::jit::ir::state::offset;
use crate::rv32::Reg;
use regs::{Home, Homes, STATE};

/// The backend.
#[derive(Debug)]
pub struct X86_64 {
    options: Options,
    homes: Homes,
    /// What the host has beyond its baseline.
    has: host::Features,
    /// Whether jumps are kept within lines.
    jumps_in_lines: bool,
    asm: Assembler,
    draft: Draft<Label>,
    blocks: Vec<Label>,
    special_divisions: Vec<muldiv::SpecialDivision>,
    wrong_divisors: Vec<divide::WrongDivisor>,
    reloads: Vec<scratch::Reload>,
    held: scratch::Held,
    /// When the state's place of each guest register was written last.
    stored: [Moment; 32],
    /// The guest register whose value the zero and sign flags tell of, and the offset where they do.
    flags: Option<(Reg, usize)>,
    /// Where a call leaves the code for the engine.
    exit: CodeOffset,
}

impl X86_64 {
    /// A backend that emits for these options.
    #[must_use]
    pub fn new(options: Options) -> X86_64 {
        let by_use = regs::BY_USE.into_iter().filter_map(Reg::new);
        X86_64 {
            options,
            homes: Homes::new(by_use),
            has: match options.host_features {
                true => host::features(),
                false => host::Features::default(),
            },
            // Tests with garbage have these nops on every host.
            jumps_in_lines: options.poison || options.host_features && host::wants_jumps_in_lines(),
            asm: Assembler::new(),
            draft: Draft::default(),
            blocks: Vec::new(),
            special_divisions: Vec::new(),
            wrong_divisors: Vec::new(),
            reloads: Vec::new(),
            held: scratch::Held::default(),
            stored: [Moment::default(); 32],
            flags: None,
            exit: CodeOffset(0),
        }
    }

    fn here(&self) -> usize {
        self.asm.offset()
    }

    /// The guest register whose value the zero and sign flags tell of.
    fn flags(&self) -> Option<Reg> {
        self.flags
            .filter(|&(_, at)| at == self.here())
            .map(|(reg, _)| reg)
    }

    /// What was just emitted set the flags by the value of `reg`.
    fn flags_tell(&mut self, reg: Reg) {
        self.flags = Some((reg, self.here()));
    }

    /// Emits something behind which the flags tell of the same register, if they still do.
    fn keeping_flags(&mut self, emit: impl FnOnce(&mut Self)) {
        let flags = self.flags();
        let before = self.asm.writes().now();
        emit(self);
        let kept = |&reg: &Reg| self.asm.writes().keep_flags(before) && self.keeps(reg, before);
        self.flags = flags.filter(kept).map(|reg| (reg, self.here()));
    }

    /// Whether nothing emitted since then writes a guest register, where it lives.
    fn keeps(&self, reg: Reg, since: Moment) -> bool {
        match self.homes.of(reg) {
            Home::Host(host) => self.asm.writes().keep_register(host.number(), since),
            Home::InCpu => self.stored[reg.index()] <= since,
            Home::Zero => true,
        }
    }

    /// Emits what writes the place where a guest register other than x0 lives, which it is given. Places in the state
    /// are written here and nowhere else.
    fn set(&mut self, reg: Reg, emit: impl FnOnce(&mut Assembler, Rm)) {
        match self.homes.of(reg) {
            Home::Host(host) => emit(&mut self.asm, Rm::Reg(host)),
            Home::InCpu | Home::Zero => {
                emit(&mut self.asm, Rm::Mem(state_x(reg)));
                self.stored[reg.index()] = self.asm.writes().now();
            }
        }
    }

    /// The host register of a guest register, if it has one.
    fn host(&self, reg: Reg) -> Option<HostReg> {
        match self.homes.of(reg) {
            Home::Host(host) => Some(host),
            Home::InCpu | Home::Zero => None,
        }
    }

    /// Calls the exit stub: the event is what the address after it means.
    fn leave(&mut self, event: Event) {
        self.leave_insn();
        self.draft.left(self.here(), event);
    }

    fn leave_insn(&mut self) {
        let from = self.draft.place(self.here());
        self.asm.call_rel32(displacement(from, self.exit, 5));
    }

    /// Where the host wants that, makes what was emitted since `start` and the jump of at most `len` bytes to come lie
    /// in one line of 32 bytes, and not end with it.
    fn keep_in_line(&mut self, start: usize, len: usize) {
        const LINE: usize = 32;
        if !self.jumps_in_lines {
            return;
        }
        let begin = self.draft.place(start).0 as usize % LINE;
        let emitted = self.here() - start;
        if begin + emitted + len >= LINE && emitted + len < LINE {
            self.asm.nops_before(start, LINE - begin);
        }
    }

    /// Emits a conditional jump forward. `start` is where the comparison begins that it belongs to.
    fn jump_if(&mut self, start: usize, cond: Cond, label: Label) {
        self.keep_in_line(start, 6);
        self.asm.jcc(cond, label);
    }

    /// Emits a jump, conditional or not, and records its link.
    fn branch_to(&mut self, cond: Option<Cond>, target: Target) {
        let (label, pc, inside) = match target {
            Target::Block { label, pc } => (self.blocks[label.0], pc, true),
            Target::Outside(pc) => (self.asm.label(), pc, false),
        };
        let bound = self.asm.label_offset(label);
        match (cond, bound) {
            // A backward branch can be pointed away from its block, so it takes the long form.
            (Some(cond), Some(to)) => self.asm.jcc_rel32(cond, distance(self.here() + 6, to)),
            (None, Some(to)) => self.asm.jmp_rel32(distance(self.here() + 5, to)),
            (Some(cond), None) => self.asm.jcc(cond, label),
            (None, None) => self.asm.jmp(label),
        }
        if inside && bound.is_none() {
            return;
        }
        let field = self.draft.place(self.here() - 4);
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
            link: Some((field, 0)),
        });
    }
}

/// The displacement of a branch of `len` bytes at `from`.
fn displacement(from: CodeOffset, to: CodeOffset, len: u32) -> i32 {
    to.0.wrapping_sub(from.0 + len).cast_signed()
}

fn distance(end: usize, to: usize) -> i32 {
    // Both lie inside one region.
    i32::try_from(to as i64 - end as i64).unwrap_or(0)
}

/// The place of a guest register in the state.
fn state_x(reg: Reg) -> Mem {
    state(offset::X + 4 * reg.field().cast_signed())
}

/// A place in the state, by its offset from the jump table.
fn state(bytes: i32) -> Mem {
    Mem::base(STATE).disp(bytes - offset::X)
}

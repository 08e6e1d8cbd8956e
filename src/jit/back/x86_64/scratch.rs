//! The two scratch registers, and what they are known to hold.
//!
//! A guest register without a home is always right in the state; a scratch register may hold its value too, from having
//! loaded or computed it, and then the next operations read it there. What is held is forgotten where a block begins;
//! it is not held any more once an instruction has written the scratch register or the guest register's place, and that
//! is asked of the assembler and of [`X86_64::set`], which nobody gets past. Code that goes on after an access was
//! interpreted first loads again what is held there.

use super::regs::{A, D, Home};
use super::{X86_64, state_x};
use crate::asm::Moment;
use crate::asm::x64::{Label, Reg as HostReg, Rm};
use crate::jit::back::emission::Waiting;
use crate::rv32::Reg;

/// What the scratch registers hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    a: Option<(Reg, Moment)>,
    d: Option<(Reg, Moment)>,
    /// Whether D was put to use after A.
    d_is_newer: bool,
}

/// Where code goes on after an access was interpreted: `entry` loads what is held, and goes to `back`.
#[derive(Debug)]
pub(super) struct Reload {
    waiting: Waiting,
    /// What rax and rdx hold.
    held: [Option<Reg>; 2],
    back: Label,
}

impl Held {
    fn of(&mut self, scratch: HostReg) -> Option<&mut Option<(Reg, Moment)>> {
        match scratch {
            A => Some(&mut self.a),
            D => Some(&mut self.d),
            _ => None,
        }
    }
}

impl X86_64 {
    /// The host register that has a guest register's value at this moment, if one has.
    pub(super) fn in_register(&self, reg: Reg) -> Option<HostReg> {
        match self.homes.of(reg) {
            Home::Host(host) => Some(host),
            Home::InCpu => [A, D]
                .into_iter()
                .find(|&scratch| self.held_in(scratch) == Some(reg)),
            Home::Zero => None,
        }
    }

    /// The guest register whose value a scratch register has.
    fn held_in(&self, scratch: HostReg) -> Option<Reg> {
        let held = if scratch == A {
            self.held.a
        } else {
            self.held.d
        };
        let (reg, since) = held?;
        let unchanged = self.asm.writes().keep_register(scratch.number(), since);
        (unchanged && self.stored[reg.index()] <= since).then_some(reg)
    }

    /// Where the value of a guest register other than x0 can be read; valid until a scratch register is written.
    pub(super) fn rm(&self, reg: Reg) -> Rm {
        match self.in_register(reg) {
            Some(host) => Rm::Reg(host),
            None => Rm::Mem(state_x(reg)),
        }
    }

    /// A scratch register to write to, which is not `avoid`: what it holds is forgotten.
    pub(super) fn pick(&mut self, avoid: Option<HostReg>) -> HostReg {
        let scratch = match (avoid, self.held_in(A), self.held_in(D)) {
            (Some(A), ..) => D,
            (Some(D), ..) | (_, None, _) => A,
            (_, _, None) => D,
            _ if self.held.d_is_newer => A,
            _ => D,
        };
        self.clobber(scratch);
        scratch
    }

    /// `scratch` is about to be written.
    pub(super) fn clobber(&mut self, scratch: HostReg) {
        if let Some(held) = self.held.of(scratch) {
            *held = None;
            self.held.d_is_newer = scratch == D;
        }
    }

    /// Both scratch registers are about to be used: every register without a home is read from the state.
    pub(super) fn release(&mut self) {
        self.held = Held::default();
    }

    fn hold(&mut self, scratch: HostReg, reg: Reg) {
        if let Some(held) = self.held.of(scratch) {
            *held = Some((reg, self.asm.writes().now()));
            self.held.d_is_newer = scratch == D;
        }
    }

    /// The register to read a guest register's value from, loaded into a scratch register other than `avoid` if need
    /// be. It is not to be written.
    pub(super) fn read(&mut self, reg: Reg, avoid: Option<HostReg>) -> HostReg {
        if let Some(host) = self.in_register(reg) {
            return host;
        }
        let scratch = self.pick(avoid);
        self.fetch(scratch, reg);
        if !reg.is_zero() {
            self.hold(scratch, reg);
        }
        scratch
    }

    /// d = the value of a guest register, for `d` to be changed.
    pub(super) fn fetch(&mut self, d: HostReg, reg: Reg) {
        match self.homes.of(reg) {
            Home::Zero => self.asm.xor32(d, d),
            _ if self.in_register(reg) == Some(d) => {}
            Home::Host(_) | Home::InCpu => self.asm.mov32(d, self.rm(reg)),
        }
        self.clobber(d);
    }

    /// The register to compute a guest register's value in, a scratch register other than `avoid` if it has no home;
    /// [`X86_64::written`] then puts it in its place.
    pub(super) fn dest(&mut self, reg: Reg, avoid: Option<HostReg>) -> HostReg {
        match self.host(reg) {
            Some(host) => host,
            None => self.pick(avoid),
        }
    }

    /// The value of `reg` is in `host`, and stays there.
    pub(super) fn written(&mut self, reg: Reg, host: HostReg) {
        match self.homes.of(reg) {
            Home::InCpu => {
                self.set(reg, |asm, place| asm.mov32_mr(place, host));
                self.hold(host, reg);
            }
            Home::Host(home) if home != host => self.asm.mov32(home, host),
            Home::Host(_) | Home::Zero => {}
        }
    }

    /// The current operation ends, and where it was interpreted instead, the code goes on here.
    pub(super) fn operation_ends(&mut self) {
        let here = self.here();
        let held = [self.held_in(A), self.held_in(D)];
        if held == [None; 2] {
            return self.draft.operation_ends(here);
        }
        let waiting = self.draft.take_waiting();
        if waiting.is_empty() {
            return;
        }
        let back = self.asm.label();
        self.asm.bind(back);
        self.reloads.push(Reload {
            waiting,
            held,
            back,
        });
    }

    /// Emits what [`X86_64::operation_ends`] left for later.
    pub(super) fn emit_reloads(&mut self) {
        for reload in std::mem::take(&mut self.reloads) {
            self.draft.resume(reload.waiting, self.asm.offset());
            for (scratch, reg) in [A, D].into_iter().zip(reload.held) {
                if let Some(reg) = reg {
                    self.asm.mov32(scratch, state_x(reg));
                }
            }
            self.asm.jmp(reload.back);
        }
    }
}

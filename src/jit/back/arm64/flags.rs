//! What the flags hold: a comparison that was made before is not made again.
//!
//! Known inside a block only, and up to the next access to memory: where that is interpreted, the code goes on with
//! other flags. Nobody who emits need say that it ends what is known: the assembler knows what each instruction writes.

use super::Arm64;
use super::regs::{Home, INDEX, LINK, SCRATCH};
use crate::asm::Moment;
use crate::asm::a64::{Assembler, Cond as HostCond, Imm12, W, WZR};
use crate::jit::ir::op::Operand;
use crate::rv32::Cond;

/// The flags are those of a − b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Compared {
    a: W,
    b: With,
}

/// What the flags tell, and since when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    compared: Compared,
    /// The registers that were compared hold what they held then.
    registers: Moment,
    /// The flags were set then.
    flags: Moment,
}

/// What a register was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum With {
    Reg(W),
    Imm(u32),
}

impl Compared {
    fn registers(self) -> [Option<W>; 2] {
        let b = match self.b {
            With::Reg(b) => Some(b),
            With::Imm(_) => None,
        };
        [Some(self.a), b]
    }

    fn has(self, w: W) -> bool {
        self.registers().contains(&Some(w))
    }

    /// The flags of b − a.
    fn swapped(self) -> Option<Compared> {
        match self.b {
            With::Reg(b) => Some(Compared {
                a: b,
                b: With::Reg(self.a),
            }),
            With::Imm(_) => None,
        }
    }

    /// A scratch register is no place of a guest value: the next comparison has another there.
    fn lasts(self) -> bool {
        ![SCRATCH, INDEX, LINK].iter().any(|x| self.has(x.w()))
    }
}

impl Arm64 {
    /// Sets the flags of a − b, unless they are, and returns the condition that stands for `cond` then. Uses
    /// [`INDEX`] for `b`.
    pub(super) fn compare(&mut self, cond: Cond, a: W, b: Operand) -> HostCond {
        let with = match b {
            Operand::Reg(b) => match self.homes.get(b) {
                Home::Host(b) => With::Reg(b),
                Home::Zero => With::Reg(WZR),
                Home::InCpu => With::Reg(INDEX.w()),
            },
            Operand::Imm(value) => With::Imm(value),
        };
        let wanted = Compared { a, b: with };
        if wanted.lasts() {
            let known = self.known();
            if known == Some(wanted) {
                return host_cond(cond);
            }
            if known.is_some() && known == wanted.swapped() {
                return swapped(cond);
            }
        }
        match b {
            Operand::Reg(b) => {
                let b = self.read(b, INDEX);
                self.telling(wanted, |asm| asm.cmp(a, b));
            }
            Operand::Imm(value) => self.telling(wanted, |asm| {
                if let (Some(imm), false) = (Imm12::new(value), a == WZR) {
                    asm.cmp_imm(a, imm);
                } else if let (Some(imm), false) = (Imm12::new(value.wrapping_neg()), a == WZR) {
                    asm.cmn_imm(a, imm);
                } else {
                    asm.mov_u32(INDEX.w(), value);
                    asm.cmp(a, INDEX.w());
                }
            }),
        }
        host_cond(cond)
    }

    /// What the flags tell at this point.
    fn known(&self) -> Option<Compared> {
        let known = self.flags?;
        let writes = self.asm.writes();
        let registers = known.compared.registers();
        let mut numbers = registers.into_iter().flatten().map(W::number);
        let unchanged = numbers.all(|number| writes.keep_register(number, known.registers));
        (unchanged && writes.keep_flags(known.flags)).then_some(known.compared)
    }

    /// Emits what sets the flags by comparing.
    fn telling(&mut self, compared: Compared, emit: impl FnOnce(&mut Assembler)) {
        let registers = self.asm.writes().now();
        emit(&mut self.asm);
        let flags = self.asm.writes().now();
        self.flags = compared.lasts().then_some(Known {
            compared,
            registers,
            flags,
        });
    }

    /// d = a − b; the flags tell how they compare where that costs nothing.
    pub(super) fn subtract(&mut self, d: W, a: W, b: W) {
        let compared = Compared { a, b: With::Reg(b) };
        if a != WZR && !compared.has(d) && compared.lasts() {
            self.telling(compared, |asm| asm.subs(d, a, b));
        } else {
            self.asm.sub(d, a, b);
        }
    }
}

fn host_cond(cond: Cond) -> HostCond {
    match cond {
        Cond::Eq => HostCond::Eq,
        Cond::Ne => HostCond::Ne,
        Cond::Lt => HostCond::Lt,
        Cond::Ge => HostCond::Ge,
        Cond::Ltu => HostCond::Cc,
        Cond::Geu => HostCond::Cs,
    }
}

/// The condition on b − a that tells the same of a − b.
fn swapped(cond: Cond) -> HostCond {
    match cond {
        Cond::Eq => HostCond::Eq,
        Cond::Ne => HostCond::Ne,
        Cond::Lt => HostCond::Gt,
        Cond::Ge => HostCond::Le,
        Cond::Ltu => HostCond::Hi,
        Cond::Geu => HostCond::Ls,
    }
}

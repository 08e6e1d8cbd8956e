//! The one way to write a guest register: whoever computes a value is lent the register for it. What was known of its
//! old value ends by what is emitted (`flags`).

use super::regs::{ARENA, Home};
use super::{Arm64, state_x};
use crate::asm::a64::{W, WZR, X};
use crate::rv32::Reg;

impl Arm64 {
    /// Has `emit` compute the value of `reg` in the register that it is given: its home, or `scratch`, from where the
    /// value then goes to the state. For x0 that is the zero register.
    pub(super) fn write(&mut self, reg: Reg, scratch: X, emit: impl FnOnce(&mut Arm64, W)) {
        let w = self.lent(reg, scratch);
        emit(self, w);
        self.put(reg, w);
    }

    /// The same for two registers that one instruction writes.
    pub(super) fn write_two(
        &mut self,
        (first, second): (Reg, Reg),
        (one, other): (X, X),
        emit: impl FnOnce(&mut Arm64, W, W),
    ) {
        let (v, w) = (self.lent(first, one), self.lent(second, other));
        emit(self, v, w);
        self.put(first, v);
        self.put(second, w);
    }

    fn lent(&self, reg: Reg, scratch: X) -> W {
        match self.homes.get(reg) {
            Home::Host(w) => w,
            Home::Zero => WZR,
            Home::InCpu => scratch.w(),
        }
    }

    /// The value of a guest register without a home is in `w`: stores it. Others have it already.
    fn put(&mut self, reg: Reg, w: W) {
        if self.homes.get(reg) == Home::InCpu {
            self.asm.stur(w, ARENA, state_x(reg));
        }
    }

    /// The value of `reg`, which has no home, is that in `w`, whatever register that is.
    pub(super) fn write_from(&mut self, reg: Reg, w: W) {
        debug_assert_eq!(self.homes.get(reg), Home::InCpu, "a home needs a move");
        self.put(reg, w);
    }
}

//! The guest hart's state, in the layout that emitted code uses.

use crate::rv32::Reg;

/// Registers and pc of the one guest hart.
#[repr(C)]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cpu {
    /// x0 to x31. `x[0]` is zero whenever an engine is not running.
    pub x: [u32; 32],
    /// Address of the next instruction; after a trap, of the instruction that trapped.
    pub pc: u32,
    /// Instructions retired: exact in the interpreter and where counting is on, else 0 is added.
    pub instret: u64,
    /// Machine-mode CSRs that bare-metal programs may write; see [``interp::csr``].
    pub csr: MachineCsrs,
}

/// The machine-mode CSRs that bare-metal start-up code sets. They hold what was written and have no effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MachineCsrs {
    /// Whether they exist: only bare-metal programs (semihosting, `tohost`) get them.
    pub enabled: bool,
    /// Values by CSR number, in order of first write.
    pub values: Vec<(u16, u32)>,
}

impl Cpu {
    /// The value of a register.
    #[must_use]
    pub fn get(&self, reg: Reg) -> u32 {
        self.x[reg.index()]
    }

    /// Sets a register; a write to x0 is dropped.
    pub fn set(&mut self, reg: Reg, value: u32) {
        if !reg.is_zero() {
            self.x[reg.index()] = value;
        }
    }
}

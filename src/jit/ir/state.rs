//! What emitted code and the engine share: the [`State`], at fixed offsets from the register that the code holds, and the
//! form of the jump table behind it.

use crate::cpu::Cpu;

/// What emitted code and the engine tell each other.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// The address of the word that `lr.w` reserved; no multiple of 4 where there is none.
    reservation: u32,
    /// For emitted code, inside one operation.
    spare: u32,
    /// The host's stack pointer while emitted code uses the register for the state.
    pub host_stack: u64,
    /// Instructions that may still be executed, where counting is on.
    pub budget: i64,
    /// Host address of guest address 0, or of the pool.
    pub base: u64,
    /// Host address of [`crate::memory::Table::write_table`].
    pub write_table: u64,
    /// Host address of [`crate::memory::Table::read_table`].
    pub read_table: u64,
    /// Host address that a fault was about.
    pub fault_address: u64,
    /// The index in the sparse table of an indirect jump that missed.
    pub missed: u64,
    /// The host address at which the code was left, or [`EXIT_MISSED`].
    pub exit_at: u64,
    /// The guest registers without a home, always; all of them while the code is not running.
    pub x: [u32; 32],
}

/// What [`State`] has for no reservation.
pub const NOT_RESERVED: u32 = 1;

impl State {
    /// Takes over what of the hart emitted code has here: registers and reservation.
    pub fn take(&mut self, cpu: &Cpu) {
        self.x = cpu.x;
        self.reservation = cpu.reservation.unwrap_or(NOT_RESERVED);
    }

    /// Gives it back.
    pub fn give(&self, cpu: &mut Cpu) {
        cpu.x = self.x;
        cpu.reservation = Some(self.reservation).filter(|addr| addr.is_multiple_of(4));
    }
}

/// Offsets from the register that emitted code holds.
pub mod offset {
    use super::State;
    use std::mem::{offset_of, size_of};

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "the state has a few hundred bytes"
    )]
    const fn below(field: usize) -> i32 {
        field as i32 - size_of::<State>() as i32
    }
    /// `State::reservation`.
    pub const RESERVATION: i32 = below(offset_of!(State, reservation));
    /// `State::spare`.
    pub const SPARE: i32 = below(offset_of!(State, spare));
    /// [`State::host_stack`].
    pub const HOST_STACK: i32 = below(offset_of!(State, host_stack));
    /// [`State::budget`].
    pub const BUDGET: i32 = below(offset_of!(State, budget));
    /// [`State::base`].
    pub const BASE: i32 = below(offset_of!(State, base));
    /// [`State::write_table`].
    pub const WRITE_TABLE: i32 = below(offset_of!(State, write_table));
    /// [`State::read_table`].
    pub const READ_TABLE: i32 = below(offset_of!(State, read_table));
    /// [`State::missed`].
    pub const MISSED: i32 = below(offset_of!(State, missed));
    /// [`State::exit_at`].
    pub const EXIT_AT: i32 = below(offset_of!(State, exit_at));
    /// [`State::x`].
    pub const X: i32 = below(offset_of!(State, x));
}

/// [`State::exit_at`] after an indirect jump to an empty slot of the sparse table.
pub const EXIT_MISSED: u8 = 1;

/// How indirect jumps find their target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JumpTableKind {
    /// Indexed by `ror pc, 2`, or `ror pc, 1` where there are compressed instructions; an empty slot faults.
    Sparse,
    /// Indexed by pc; an empty slot faults.
    Direct,
    /// Direct-mapped, with the pc checked.
    Hashed,
}

/// log2 of the number of slots of the hashed table.
pub const HASHED_BITS: u32 = 15;

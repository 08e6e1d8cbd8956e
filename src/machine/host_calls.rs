//! What a program asks of a host that has functions of its own: system calls by number, and functions by name.
//!
//! A host function has an address where nothing is mapped, in the last 2 KiB of the address space: the one place that one
//! instruction reaches from everywhere without a register, `jalr x0, offset(x0)` with a negative offset. That takes the
//! place of the first instruction of the program's own function. To go there is a fault of fetching, on every engine, and
//! here it is a call; ra says where the function returns to.

use super::{Exit, GP, Machine, MachineError, RA, SP};
use crate::engine::{Budget, Stop, resume};
use crate::memory::{Access, Fault};

/// The first host function's address.
const FIRST: u32 = 0xffff_f800;
/// The most host functions: one each 4 bytes.
pub(crate) const HOST_FUNCTIONS: usize = 512;
const A7: usize = 17;
/// `jalr x0, 0(x0)`; the offset is in the upper 12 bits.
const JUMP: u32 = 0x0000_0067;

/// Something that the host does for the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostCall {
    /// The system call of this number. pc is at the `ecall`.
    Syscall(u32),
    /// The function of this number, counted from 0.
    Function(usize),
}

/// What the host does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct HostCalls {
    /// Numbers of system calls, in order.
    pub(crate) numbers: Vec<u32>,
    /// Whether it does all other system calls, too.
    pub(crate) all: bool,
    /// Where the program has the functions that the host's take the place of.
    pub(crate) functions: Vec<u32>,
}

/// What a machine was before a function of it was called.
#[derive(Debug)]
pub(crate) struct Frame {
    x: [u32; 32],
    pc: u32,
    calling: Option<u32>,
    back: u32,
}

impl Frame {
    /// Whether a run that ended so ended with the return of the function.
    pub(crate) fn has_returned(&self, exit: Exit) -> bool {
        matches!(
            exit,
            Exit::Fault(Fault { addr, access: Access::Execute, .. }) if addr == self.back
        )
    }
}

impl Machine {
    /// Gives the host's own calls to whoever runs the machine, as [`Exit::HostCall`].
    ///
    /// # Errors
    /// [`MachineError::HostPage`] where the program has memory in the place of host functions, and
    /// [`MachineError::HostFunction`] where it has no memory to write the jump to.
    pub(crate) fn set_host_calls(&mut self, calls: HostCalls) -> Result<(), MachineError> {
        if !calls.functions.is_empty() && self.memory.permissions(FIRST).is_some() {
            return Err(MachineError::HostPage);
        }
        for (n, &addr) in calls.functions.iter().enumerate() {
            let jump = JUMP | place(n) << 20;
            let poked = self.memory.poke(addr, &jump.to_le_bytes());
            poked.map_err(MachineError::HostFunction)?;
        }
        self.host = calls;
        Ok(())
    }

    /// What the host is to do, if it is the host's.
    #[inline]
    pub(super) fn host_call(&self, stop: Stop) -> Option<HostCall> {
        match stop {
            Stop::Ecall => {
                let number = self.cpu.x[A7];
                let own = self.host.all || self.host.numbers.binary_search(&number).is_ok();
                own.then_some(HostCall::Syscall(number))
            }
            Stop::Fault(Fault {
                addr,
                access: Access::Execute,
                ..
            }) => {
                let offset = addr.wrapping_sub(FIRST);
                let n = (offset / 4) as usize;
                let defined = offset.is_multiple_of(4) && n < self.host.functions.len();
                defined.then_some(HostCall::Function(n))
            }
            _ => None,
        }
    }

    /// The host has done it: the program goes on behind it.
    pub(crate) fn host_has_done(&mut self, call: HostCall) {
        // It may have written the word.
        self.cpu.reservation = None;
        match call {
            HostCall::Syscall(_) => resume(&mut self.cpu, &mut self.budget),
            HostCall::Function(_) => self.cpu.pc = self.cpu.x[RA] & !1,
        }
    }

    /// Prepares the call of a function: what is missing is its arguments.
    pub(crate) fn begin_call(&mut self, function: u32) -> Frame {
        let back = self.calling.unwrap_or_else(|| self.return_address());
        let frame = Frame {
            x: self.cpu.x,
            pc: self.cpu.pc,
            calling: self.calling.replace(back),
            back,
        };
        self.cpu.x[RA] = back;
        self.cpu.x[SP] &= !15;
        if self.cpu.x[GP] == 0 {
            let symbol = || self.image.symbols().by_name("__global_pointer$");
            let gp = *self
                .gp
                .get_or_insert_with(|| symbol().map_or(0, |s| s.addr));
            self.cpu.x[GP] = gp;
        }
        self.cpu.pc = function;
        frame
    }

    /// Ends what [`Machine::begin_call`] began.
    pub(crate) fn end_call(&mut self, frame: Frame) {
        (self.cpu.x, self.cpu.pc) = (frame.x, frame.pc);
        self.calling = frame.calling;
    }

    /// Runs as `run` does, within the time limit.
    pub(crate) fn run_within_time(&mut self, run: &mut dyn FnMut(&mut Machine) -> Exit) -> Exit {
        self.within_time(run)
    }

    /// Runs as `run` does, for at most so many instructions.
    pub(crate) fn run_for_with(
        &mut self,
        instructions: u64,
        run: impl FnOnce(&mut Machine) -> Exit,
    ) -> Exit {
        let mut limit = self.budget;
        let most = match limit {
            Budget::Unlimited => instructions,
            Budget::Instructions(left) => left.min(instructions),
        };
        self.budget = Budget::Instructions(most);
        let exit = run(self);
        limit.spend(most - self.insns_left().unwrap_or(0));
        self.budget = limit;
        exit
    }

    /// Runs as `run` does, up to the instruction at `addr`.
    pub(crate) fn run_until_with(
        &mut self,
        addr: u32,
        run: impl FnOnce(&mut Machine) -> Exit,
    ) -> Exit {
        let isa = self.cpu.isa;
        self.memory.set_breakpoint(Some(addr), isa);
        let exit = run(self);
        self.memory.set_breakpoint(None, isa);
        exit
    }

    /// Counts an instruction that was executed by itself.
    pub(crate) fn spend_step(&mut self) {
        self.budget.spend(1);
    }
}

/// The offset from address 0 that host function `n` has, as the 12 bits of an instruction.
fn place(n: usize) -> u32 {
    // In range: there are at most `HOST_FUNCTIONS`.
    FIRST.wrapping_add(u32::try_from(4 * n).unwrap_or(0)) & 0xfff
}

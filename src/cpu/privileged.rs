//! Machine mode as a bare machine has it: privilege, trap CSRs, and the two interrupts of a CLINT (Privileged spec,
//! chapter "Machine-Level ISA"). There are M and U, no S, no paging, no PMP entries and no triggers.
//!
//! What is here is state and what traps do with it; which CSR number reads and writes what is in `interp::csr`, and where
//! the CLINT's registers lie in `machine`.

use super::Cpu;
use std::fmt;

/// A privilege level, numbered as `mstatus.MPP` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Privilege {
    /// U.
    User = 0,
    /// M.
    #[default]
    Machine = 3,
}

/// `mstatus.MIE`: interrupts are taken in M.
pub const MSTATUS_MIE: u32 = 1 << 3;
/// `mstatus.MPIE`: what MIE was before the trap.
pub const MSTATUS_MPIE: u32 = 1 << 7;
/// `mstatus.MPP`: the privilege before the trap.
pub const MSTATUS_MPP: u32 = 3 << 11;
/// `mstatus.MPRV`: loads and stores as at the privilege in MPP, which makes no difference here.
pub const MSTATUS_MPRV: u32 = 1 << 17;
/// `mstatus.TW`: `wfi` in U traps.
pub const MSTATUS_TW: u32 = 1 << 21;

/// Bit of the machine software interrupt in `mip` and `mie`, and its cause.
pub const SOFTWARE: u32 = 3;
/// Bit of the machine timer interrupt in `mip` and `mie`, and its cause.
pub const TIMER: u32 = 7;
/// Bit of the machine external interrupt, which nothing here raises.
pub const EXTERNAL: u32 = 11;

/// `pmpaddr` registers that hold what is written.
pub const PMP_ADDRESSES: usize = 16;

/// Why a synchronous trap is taken, by its code in `mcause` (Privileged spec, table "mcause values after trap").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Instruction address misaligned.
    MisalignedFetch = 0,
    /// Instruction access fault.
    FetchFault = 1,
    /// Illegal instruction.
    IllegalInstruction = 2,
    /// Breakpoint.
    Breakpoint = 3,
    /// Load address misaligned.
    MisalignedLoad = 4,
    /// Load access fault.
    LoadFault = 5,
    /// Store/AMO address misaligned.
    MisalignedStore = 6,
    /// Store/AMO access fault.
    StoreFault = 7,
    /// Environment call from U.
    EcallFromUser = 8,
    /// Environment call from M.
    EcallFromMachine = 11,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::MisalignedFetch => "misaligned jump target",
            Cause::FetchFault => "instruction access fault",
            Cause::IllegalInstruction => "illegal instruction",
            Cause::Breakpoint => "breakpoint (ebreak)",
            Cause::MisalignedLoad => "misaligned load",
            Cause::LoadFault => "load access fault",
            Cause::MisalignedStore => "misaligned store",
            Cause::StoreFault => "store access fault",
            Cause::EcallFromUser => "ecall from user mode",
            Cause::EcallFromMachine => "ecall from machine mode",
        })
    }
}

/// A counter that the guest can set and stop: it shows the host's counter and a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// Added to what the host counts.
    pub offset: u64,
    /// What it shows while `mcountinhibit` stops it.
    pub stopped_at: Option<u64>,
}

impl Counter {
    /// What it shows where the host's counter is at `counted`.
    #[must_use]
    pub fn value(self, counted: u64) -> u64 {
        let runs = counted.wrapping_add(self.offset);
        self.stopped_at.unwrap_or(runs)
    }

    /// Makes it show `value` where the host's counter is at `counted`.
    pub fn set(&mut self, value: u64, counted: u64) {
        self.offset = value.wrapping_sub(counted);
        self.stopped_at = self.stopped_at.map(|_| value);
    }

    /// Stops it, or lets it run on from where it stands.
    pub fn stop(&mut self, stop: bool, counted: u64) {
        let value = self.value(counted);
        self.stopped_at = stop.then_some(value);
        self.offset = value.wrapping_sub(counted);
    }
}

/// The machine-mode state of a hart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MachineMode {
    /// Whether there is a machine mode: only on a bare machine.
    pub enabled: bool,
    /// The privilege that the hart runs at.
    pub privilege: Privilege,
    /// MIE, MPIE, MPP, MPRV and TW; the other bits are 0.
    pub mstatus: u32,
    /// Where traps go; `None` until the program says so.
    pub mtvec: Option<u32>,
    /// Where the trap was.
    pub mepc: u32,
    /// Why it was taken.
    pub mcause: u32,
    /// What it is about.
    pub mtval: u32,
    /// The handler's own.
    pub mscratch: u32,
    /// Which interrupts are taken.
    pub mie: u32,
    /// `pmpaddr0` and those behind it: they hold what was written, and no entry is ever on.
    pub pmpaddr: [u32; PMP_ADDRESSES],
    /// Which counters U may read.
    pub mcounteren: u32,
    /// Which counters stand still.
    pub mcountinhibit: u32,
    /// `menvcfg`: only FIOM, which means nothing here.
    pub menvcfg: u32,
    /// `mcycle`.
    pub mcycle: Counter,
    /// `minstret`.
    pub minstret: Counter,
    /// The CLINT's `msip`.
    pub msip: bool,
    /// The CLINT's `mtimecmp`; no interrupt comes before the program sets it.
    pub mtimecmp: Option<u64>,
    /// The CLINT's `mtime` beside the host's.
    pub mtime: Counter,
}

impl MachineMode {
    fn set_status(&mut self, bits: u32, on: bool) {
        self.mstatus = self.mstatus & !bits | if on { bits } else { 0 };
    }

    fn set_previous(&mut self, privilege: Privilege) {
        self.mstatus = self.mstatus & !MSTATUS_MPP | (privilege as u32) << 11;
    }
}

impl Cpu {
    /// Whether traps go to a handler of the program's own.
    #[must_use]
    pub fn handles_traps(&self) -> bool {
        self.mode.enabled && self.mode.mtvec.is_some()
    }

    /// `mtime`, in its own ticks.
    #[must_use]
    pub fn mtime(&self) -> u64 {
        self.mode.mtime.value(self.ticks())
    }

    /// Interrupts that are pending, as bits of `mip`.
    #[must_use]
    pub fn mip(&self) -> u32 {
        let due = |at: u64| self.mtime() >= at;
        let timer = self.mode.mtimecmp.is_some_and(due);
        u32::from(self.mode.msip) << SOFTWARE | u32::from(timer) << TIMER
    }

    /// Whether machine-mode interrupts are enabled for the present privilege (Privileged spec 3.1.9).
    #[must_use]
    pub fn heeds_interrupts(&self) -> bool {
        self.mode.privilege == Privilege::User || self.mode.mstatus & MSTATUS_MIE != 0
    }

    /// The interrupt to take now, by its cause.
    #[must_use]
    pub fn interrupt_due(&self) -> Option<u32> {
        let mode = &self.mode;
        if !mode.enabled || !self.heeds_interrupts() || mode.mie == 0 {
            return None;
        }
        let pending = self.mip() & mode.mie;
        [SOFTWARE, TIMER]
            .into_iter()
            .find(|cause| pending >> cause & 1 != 0)
    }

    /// Takes an exception at the instruction at `pc`, which was not executed.
    pub fn take_exception(&mut self, cause: Cause, value: u32) {
        self.enter_handler(cause as u32, value, false);
    }

    /// Takes an interrupt before the instruction at `pc`.
    pub fn take_interrupt(&mut self, cause: u32) {
        self.enter_handler(cause, 0, true);
    }

    fn enter_handler(&mut self, cause: u32, value: u32, interrupt: bool) {
        self.reservation = None;
        let mode = &mut self.mode;
        mode.mepc = self.pc;
        mode.mcause = cause | u32::from(interrupt) << 31;
        mode.mtval = value;
        let enabled = mode.mstatus & MSTATUS_MIE != 0;
        mode.set_status(MSTATUS_MPIE, enabled);
        mode.set_status(MSTATUS_MIE, false);
        mode.set_previous(mode.privilege);
        mode.privilege = Privilege::Machine;
        let mtvec = mode.mtvec.unwrap_or(0);
        // Only interrupts go by the table of a vectored handler.
        let vectored = interrupt && mtvec & 3 == 1;
        let base = mtvec & !3;
        self.pc = if vectored {
            base.wrapping_add(4 * cause)
        } else {
            base
        };
    }

    /// `mret`: back to where the trap was, at the privilege that it came from.
    pub fn return_from_trap(&mut self) {
        let mode = &mut self.mode;
        let previous = match mode.mstatus & MSTATUS_MPP {
            0 => Privilege::User,
            _ => Privilege::Machine,
        };
        let enabled = mode.mstatus & MSTATUS_MPIE != 0;
        mode.set_status(MSTATUS_MIE, enabled);
        mode.set_status(MSTATUS_MPIE, true);
        if previous != Privilege::Machine {
            mode.set_status(MSTATUS_MPRV, false);
        }
        mode.set_previous(Privilege::User);
        mode.privilege = previous;
        self.pc = mode.mepc;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare() -> Cpu {
        let mut cpu = Cpu {
            pc: 0x8000_0010,
            counting: true,
            ..Cpu::default()
        };
        cpu.mode.enabled = true;
        cpu
    }

    #[test]
    fn a_trap_and_its_return_keep_privilege_and_interrupts() {
        for privilege in [Privilege::User, Privilege::Machine] {
            for enabled in [0, MSTATUS_MIE] {
                let mut cpu = bare();
                cpu.mode.privilege = privilege;
                cpu.mode.mstatus = enabled;
                cpu.mode.mtvec = Some(0x8000_1001);
                cpu.take_exception(Cause::LoadFault, 0x123);
                assert_eq!(cpu.pc, 0x8000_1000, "exceptions are not vectored");
                let mode = &cpu.mode;
                assert_eq!(
                    (mode.mepc, mode.mcause, mode.mtval),
                    (0x8000_0010, 5, 0x123)
                );
                assert_eq!(mode.privilege, Privilege::Machine);
                assert_eq!(mode.mstatus & MSTATUS_MIE, 0);
                cpu.return_from_trap();
                assert_eq!((cpu.pc, cpu.mode.privilege), (0x8000_0010, privilege));
                assert_eq!(cpu.mode.mstatus, enabled | MSTATUS_MPIE);
            }
        }
    }

    #[test]
    fn interrupts_wait_until_they_are_heeded() {
        let mut cpu = bare();
        cpu.mode.mtvec = Some(0x8000_1001);
        cpu.mode.mtimecmp = Some(100);
        cpu.mode.mie = 1 << TIMER | 1 << SOFTWARE;
        cpu.mode.mstatus = MSTATUS_MIE;
        assert_eq!(cpu.interrupt_due(), None);
        cpu.instret = 100;
        assert_eq!(cpu.interrupt_due(), Some(TIMER));
        cpu.mode.msip = true;
        assert_eq!(cpu.interrupt_due(), Some(SOFTWARE), "it comes first");
        cpu.mode.mstatus = 0;
        assert_eq!(cpu.interrupt_due(), None);
        cpu.mode.privilege = Privilege::User;
        assert_eq!(
            cpu.interrupt_due(),
            Some(SOFTWARE),
            "U cannot turn them off"
        );
        cpu.take_interrupt(SOFTWARE);
        assert_eq!((cpu.pc, cpu.mode.mcause), (0x8000_100c, 0x8000_0003));
        assert_eq!(cpu.interrupt_due(), None);
    }

    #[test]
    fn counters_can_be_set_and_stopped() {
        let mut counter = Counter::default();
        counter.set(5, 1000);
        assert_eq!(counter.value(1010), 15);
        counter.stop(true, 1010);
        assert_eq!(counter.value(2000), 15);
        counter.set(7, 2000);
        assert_eq!(counter.value(2500), 7);
        counter.stop(false, 3000);
        assert_eq!(counter.value(3001), 8);
    }
}

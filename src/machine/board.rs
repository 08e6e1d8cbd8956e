//! The devices of a bare machine, where `virt` boards have them: a CLINT, a UART, the test finisher.
//!
//! Device registers are not memory: no page is mapped there, so an access stops the engine with a fault, on whatever
//! placement, and is done here. Emitted code knows nothing of devices.

use super::stuck::LastTrap;
use super::timer::Timer;
use super::uart::{self, Uart, Written};
use super::{Exit, Machine};
use crate::cpu::privileged::Counter;
use crate::engine::resume;
use crate::memory::{Access, Fault, FaultKind, PAGE_SIZE};
use crate::rv32::{Insn, LoadOp, Reg, StoreOp};
use crate::syscall::Outcome;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where the CLINT is (SiFive, "Core-Local Interruptor").
const CLINT: u32 = 0x0200_0000;
const CLINT_NAME: &str = "CLINT";
const CLINT_SIZE: u32 = 0x1_0000;
const MSIP: u32 = 0;
const MTIMECMP: u32 = 0x4000;
const MTIME: u32 = 0xbff8;
/// Where `virt` boards have their UART.
pub const UART: u32 = 0x1000_0000;
/// Where `virt` boards have the test finisher (SiFive test device).
pub const FINISHER: u32 = 0x0010_0000;
const FINISHER_NAME: &str = "finisher";
const FINISHER_SIZE: u32 = 0x1000;
const FINISHER_FAIL: u32 = 0x3333;
const FINISHER_PASS: u32 = 0x5555;
const FINISHER_RESET: u32 = 0x7777;

/// Where the devices are that can be moved or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Devices {
    /// The UART.
    pub uart: Option<u32>,
    /// The test finisher.
    pub finisher: Option<u32>,
}

impl Default for Devices {
    fn default() -> Devices {
        Devices {
            uart: Some(UART),
            finisher: Some(FINISHER),
        }
    }
}

/// Why there cannot be such a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardError {
    /// There is RAM where a device is wanted: its name and address.
    RamOverDevice(&'static str, u32),
    /// Two devices are wanted at one place.
    DevicesOverlap(u32, u32),
    /// Devices are chosen for a program that is on no bare machine.
    NotBare,
}

impl fmt::Display for BoardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BoardError::RamOverDevice(name, addr) => write!(
                f,
                "there is RAM at {addr:#010x}, where the {name} would be: choose another place for one of them"
            ),
            BoardError::DevicesOverlap(a, b) => {
                write!(f, "the devices at {a:#010x} and {b:#010x} overlap")
            }
            BoardError::NotBare => write!(
                f,
                "--uart and --finisher are for bare machines: give --platform bare, too"
            ),
        }
    }
}

impl std::error::Error for BoardError {}

impl Devices {
    fn places(self) -> impl Iterator<Item = (&'static str, Range<u64>)> {
        let place = |name, start: Option<u32>, size: u32| {
            let start = u64::from(start?);
            Some((name, start..start + u64::from(size)))
        };
        [
            place(CLINT_NAME, Some(CLINT), CLINT_SIZE),
            place("UART", self.uart, uart::SIZE),
            place(FINISHER_NAME, self.finisher, FINISHER_SIZE),
        ]
        .into_iter()
        .flatten()
    }

    /// Those that can be moved out of the way of a program.
    pub(super) fn check_program(self, program: &[Range<u64>]) -> Result<(), BoardError> {
        self.meets(program, |name| name != CLINT_NAME)
    }

    /// Looks whether what somebody chose goes together with the RAM that is asked for.
    pub(super) fn check(self, ram: &[Range<u64>]) -> Result<(), BoardError> {
        self.meets(ram, |_| true)
    }

    fn meets(self, memory: &[Range<u64>], counts: impl Fn(&str) -> bool) -> Result<(), BoardError> {
        let start = |range: &Range<u64>| u32::try_from(range.start).unwrap_or(u32::MAX);
        let places: Vec<_> = self.places().collect();
        for (n, (name, place)) in places.iter().enumerate() {
            if let Some((_, other)) = places[..n].iter().find(|(_, other)| meet(place, other)) {
                return Err(BoardError::DevicesOverlap(start(other), start(place)));
            }
            if counts(name) && memory.iter().any(|range| meet(range, place)) {
                return Err(BoardError::RamOverDevice(name, start(place)));
            }
        }
        Ok(())
    }

    /// Takes the pages of devices out of RAM that nobody asked for. Where the program itself lies in the place of a
    /// device, the program wins. So does RAM against a finisher that nobody asked for either: it is 1 MiB from 0, where
    /// the heap or the stack of a program that is linked low may well be.
    pub(super) fn leave_room(
        self,
        ram: &mut Vec<Range<u64>>,
        program: &[Range<u64>],
        are_chosen: bool,
    ) {
        let page = u64::from(PAGE_SIZE);
        for (name, place) in self.places() {
            if name == FINISHER_NAME && !are_chosen {
                continue;
            }
            let place = place.start / page * page..place.end.next_multiple_of(page);
            if program.iter().any(|range| meet(range, &place)) {
                continue;
            }
            let cut = |range: Range<u64>| {
                let below = range.start..range.end.min(place.start);
                let above = range.start.max(place.end)..range.end;
                [below, above].into_iter().filter(|part| !part.is_empty())
            };
            *ram = std::mem::take(ram).into_iter().flat_map(cut).collect();
        }
    }
}

/// Whether two ranges have an address in common.
fn meet(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

/// The state of the board.
#[derive(Debug)]
pub(super) struct Board {
    devices: Devices,
    uart: Uart,
    pub(super) timer: Option<Timer>,
    /// Set by the timer: the engine is to stop, and the run goes on.
    pub(super) pause: Arc<AtomicBool>,
    /// What the timer is set to: `mtimecmp` and the clock that it is compared with.
    pub(super) armed: Option<(Option<u64>, Counter)>,
    pub(super) last_trap: Option<LastTrap>,
}

/// A load or store of a device's register.
struct DeviceAccess {
    offset: u32,
    width: u32,
    kind: AccessKind,
}

enum AccessKind {
    Load(LoadOp, Reg),
    Store(u32),
}

enum Device {
    Clint,
    Uart,
    Finisher,
}

impl Board {
    pub(super) fn new(devices: Devices) -> Board {
        Board {
            devices,
            uart: Uart::default(),
            timer: None,
            pause: Arc::default(),
            armed: None,
            last_trap: None,
        }
    }

    fn device_at(&self, addr: u32) -> Option<(Device, u32)> {
        let at = |start: Option<u32>, size: u32| {
            let offset = addr.wrapping_sub(start?);
            (offset < size).then_some(offset)
        };
        let clint = at(Some(CLINT), CLINT_SIZE).map(|offset| (Device::Clint, offset));
        let uart = || at(self.devices.uart, uart::SIZE).map(|offset| (Device::Uart, offset));
        let finisher = || {
            let offset = at(self.devices.finisher, FINISHER_SIZE)?;
            Some((Device::Finisher, offset))
        };
        clint.or_else(uart).or_else(finisher)
    }
}

impl Machine {
    /// A fault at a device's register is an access to it. `None`: it is not; else how the run ends, if it does.
    pub(super) fn device_access(&mut self, fault: Fault) -> Option<Option<Exit>> {
        let board = self.board.as_ref()?;
        if fault.kind != FaultKind::Unmapped || fault.access == Access::Execute {
            return None;
        }
        let (device, _) = board.device_at(fault.addr)?;
        let access = self.decode_access()?;
        self.engine
            .answered_elsewhere(self.cpu.pc, &mut self.memory);
        let exit = match device {
            Device::Clint => self.clint(&access)?,
            Device::Uart => match self.uart(&access)? {
                Ok(value) => self.finish_access(&access, value),
                Err(outcome) => return Some(self.after_console(outcome)),
            },
            Device::Finisher => self.finisher(&access)?,
        };
        Some(exit)
    }

    /// The load or store at pc.
    fn decode_access(&mut self) -> Option<DeviceAccess> {
        let fetched = self.memory.fetch_insn(self.cpu.isa, self.cpu.pc).ok()?;
        let (rs1, offset, width, kind) = match fetched.insn? {
            Insn::Load {
                op,
                rd,
                rs1,
                offset,
            } => (rs1, offset, op.width(), AccessKind::Load(op, rd)),
            Insn::Store {
                op,
                rs1,
                rs2,
                offset,
            } => {
                let value = self.cpu.get(rs2);
                let value = match op {
                    StoreOp::Sb => value & 0xff,
                    StoreOp::Sh => value & 0xffff,
                    StoreOp::Sw => value,
                };
                (rs1, offset, op.width(), AccessKind::Store(value))
            }
            _ => return None,
        };
        let addr = self.cpu.get(rs1).wrapping_add_signed(offset);
        let (_, offset) = self.board.as_ref()?.device_at(addr)?;
        let aligned = addr.is_multiple_of(width);
        self.cpu.stopped_at = fetched.len;
        aligned.then_some(DeviceAccess {
            offset,
            width,
            kind,
        })
    }

    /// The access is done: a load has read this.
    fn finish_access(&mut self, access: &DeviceAccess, value: u32) -> Option<Exit> {
        if let AccessKind::Load(op, rd) = access.kind {
            self.cpu.set(rd, op.extend(value));
        }
        resume(&mut self.cpu, &mut self.budget);
        None
    }

    /// The CLINT's registers take words. `None`: an access fault.
    fn clint(&mut self, access: &DeviceAccess) -> Option<Option<Exit>> {
        if access.width != 4 {
            return None;
        }
        let ticks = self.cpu.ticks();
        let now = self.cpu.mtime();
        let mode = &mut self.cpu.mode;
        let high = access.offset & 4 != 0;
        let half = |value: u64| {
            if high {
                value >> 32
            } else {
                value & 0xffff_ffff
            }
        };
        let with_half = |old: u64, value: u32| match high {
            true => old & 0xffff_ffff | u64::from(value) << 32,
            false => old & !0xffff_ffff | u64::from(value),
        };
        let compare = mode.mtimecmp.unwrap_or(u64::MAX);
        let mut loaded = 0;
        match (access.offset & !4, &access.kind) {
            (MSIP, AccessKind::Load(..)) if !high => loaded = u64::from(mode.msip),
            (MSIP, AccessKind::Store(value)) if !high => mode.msip = value & 1 != 0,
            (MTIMECMP, AccessKind::Load(..)) => loaded = half(compare),
            (MTIMECMP, AccessKind::Store(value)) => {
                mode.mtimecmp = Some(with_half(compare, *value));
            }
            (MTIME, AccessKind::Load(..)) => loaded = half(now),
            (MTIME, AccessKind::Store(value)) => mode.mtime.set(with_half(now, *value), ticks),
            // Registers of harts that are not there.
            (_, AccessKind::Load(..) | AccessKind::Store(_)) => {}
        }
        Some(self.finish_access(access, (loaded & 0xffff_ffff) as u32))
    }

    /// The UART's registers are bytes; a word has the byte in its lowest. `None`: an access fault.
    fn uart(&mut self, access: &DeviceAccess) -> Option<Result<u32, Outcome>> {
        if access.width == 2 {
            return None;
        }
        let uart = &mut self.board.as_mut()?.uart;
        let offset = access.offset & 7;
        Some(match access.kind {
            AccessKind::Load(..) => {
                if uart.wants_input(offset) {
                    match self.syscalls.get_console(false) {
                        Ok(byte) => uart.received = byte,
                        Err(outcome) => return Some(Err(outcome)),
                    }
                }
                Ok(uart.read(offset).into())
            }
            AccessKind::Store(value) => match uart.write(offset, value.to_le_bytes()[0]) {
                Written::Character(byte) => self.syscalls.put_console(byte).map(|()| 0),
                Written::Nothing => Ok(0),
            },
        })
    }

    /// The finisher takes words and half-words. `None`: an access fault.
    fn finisher(&mut self, access: &DeviceAccess) -> Option<Option<Exit>> {
        if access.width == 1 {
            return None;
        }
        if let (AccessKind::Store(value), 0) = (&access.kind, access.offset) {
            match value & 0xffff {
                FINISHER_PASS => return Some(Some(Exit::Status(0))),
                FINISHER_FAIL => return Some(Some(Exit::FinisherFailure(value >> 16))),
                FINISHER_RESET => return Some(Some(Exit::Reset)),
                _ => {}
            }
        }
        Some(self.finish_access(access, 0))
    }

    /// What a call that the console made means for the run: it can be made again.
    pub(super) fn after_console(&mut self, outcome: Outcome) -> Option<Exit> {
        match outcome {
            Outcome::Continue => None,
            Outcome::Exit(status) => Some(Exit::Status(status)),
            Outcome::Killed(signal) => Some(Exit::Killed(signal)),
            Outcome::Refused(refusal) => Some(Exit::Refused(refusal)),
            Outcome::OutputLost(errno) => Some(Exit::OutputLost(errno)),
            Outcome::Interrupted => Some(Exit::Interrupted),
        }
    }
}

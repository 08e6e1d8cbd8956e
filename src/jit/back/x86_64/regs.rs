//! Where guest registers live on x86-64.
//!
//! Thirteen have a home: all host registers but rax and rdx, which are scratch (multiplication and division want just
//! these), and rsp, which points at the guest registers in the state. Calls of the exit stub push their return address
//! where the state wants it, and the kernel's 128 bytes of respect for what is below the stack pointer protect the rest.

use crate::asm::x64::Reg as HostReg;
use crate::rv32::Reg;

/// Scratch; also the index of an indirect jump, which a fault handler reads.
pub(super) const A: HostReg = HostReg::Rax;
/// Scratch; the high half of products and dividends.
pub(super) const D: HostReg = HostReg::Rdx;
/// A home, and where shifts by a register want the count if the host has no BMI2.
pub(super) const COUNT: HostReg = HostReg::Rcx;
/// Points at the guest registers in the state.
pub(super) const STATE: HostReg = HostReg::Rsp;

/// Host registers that can be homes; the first have shorter encodings.
const AVAILABLE: [HostReg; 13] = [
    HostReg::Rbx,
    HostReg::Rbp,
    HostReg::Rsi,
    HostReg::Rdi,
    HostReg::Rcx,
    HostReg::R8,
    HostReg::R9,
    HostReg::R10,
    HostReg::R11,
    HostReg::R12,
    HostReg::R13,
    HostReg::R14,
    HostReg::R15,
];

/// No home is scratch or the state's.
const _: () = {
    let mut taken = A.bit() | D.bit() | STATE.bit();
    let mut i = 0;
    while i < AVAILABLE.len() {
        assert!(
            taken & AVAILABLE[i].bit() == 0,
            "a host register is used twice"
        );
        taken |= AVAILABLE[i].bit();
        i += 1;
    }
};

/// Where a guest register lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// Nowhere: x0.
    Zero,
    /// In a host register.
    Host(HostReg),
    /// In the state.
    InCpu,
}

/// The home of each guest register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Homes([Home; 32]);

impl Homes {
    /// Gives the available registers to the guest registers that stand first.
    pub(super) fn new(hottest_first: impl IntoIterator<Item = Reg>) -> Homes {
        let mut homes = [Home::InCpu; 32];
        homes[0] = Home::Zero;
        let hottest = hottest_first.into_iter().filter(|reg| !reg.is_zero());
        for (reg, host) in hottest.zip(AVAILABLE) {
            homes[reg.index()] = Home::Host(host);
        }
        Homes(homes)
    }

    /// The home of a guest register.
    #[inline]
    pub(super) fn of(&self, reg: Reg) -> Home {
        self.0[reg.index()]
    }

    /// The guest registers with a home in a host register, and that register.
    pub(super) fn in_host(self) -> impl Iterator<Item = (Reg, HostReg)> {
        Reg::all().filter_map(move |reg| match self.of(reg) {
            Home::Host(host) => Some((reg, host)),
            Home::Zero | Home::InCpu => None,
        })
    }
}

/// Guest registers by how often compiled programs use them, weighted by execution: arguments and the first
/// temporaries lead, then the stack pointer and the first saved registers.
pub(super) const BY_USE: [u8; 13] = [15, 14, 10, 11, 12, 13, 8, 9, 2, 16, 17, 6, 28];

//! Where guest registers live on ARM64.
//!
//! 25 of the 31 have a home, and one more under the identity placement, which needs no base. Not to be had are x18 (the
//! platform's), x27 and x28 (memory base and arena), x16, x17 and x30 (scratch; `bl` to the exit stub writes x30), and
//! sp.

use crate::asm::a64::{W, X};
use crate::memory::Placement;
use crate::rv32::Reg;

/// Scratch. Free between operations.
pub(super) const SCRATCH: X = X(16);
/// Scratch.
pub(super) const INDEX: X = X(17);
/// Scratch; also where `bl` and `blr` leave the address.
pub(super) const LINK: X = X(30);
/// Host address of guest address 0, or of the pool. Under the identity placement it is a home.
pub(super) const BASE: X = X(27);
/// The arena's register.
pub(super) const ARENA: X = X(28);

/// Where a guest register lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// Nowhere: x0.
    Zero,
    /// In a host register.
    Host(W),
    /// In the state.
    InCpu,
}

/// The home of each guest register. Arguments and temporaries are in the caller-saved registers, saved ones in the
/// callee-saved, so that a listing reads naturally. The six without are those that programs name least: gp and tp hardly
/// ever change hands, t2 and t5 are the last temporaries that compilers allocate, s9 and s10 come late.
#[rustfmt::skip]
const HOMES: [Home; 32] = {
    use Home::{Host, InCpu, Zero};
    [
        /* zero ra sp gp tp */ Zero, Host(W(14)), Host(W(15)), InCpu, InCpu,
        /* t0 t1 t2         */ Host(W(8)), Host(W(9)), InCpu,
        /* s0 s1            */ Host(W(19)), Host(W(20)),
        /* a0 … a7          */ Host(W(0)), Host(W(1)), Host(W(2)), Host(W(3)),
                               Host(W(4)), Host(W(5)), Host(W(6)), Host(W(7)),
        /* s2 … s9          */ Host(W(21)), Host(W(22)), Host(W(23)), Host(W(24)),
                               Host(W(25)), Host(W(26)), Host(W(29)), InCpu,
        /* s10 s11          */ InCpu, Host(W(13)),
        /* t3 t4 t5 t6      */ Host(W(11)), Host(W(12)), InCpu, Host(W(10)),
    ]
};

/// The same where no register holds a base of guest memory: its register is one more home.
const HOMES_WITHOUT_BASE: [Home; 32] = {
    let mut homes = HOMES;
    homes[S10] = Home::Host(W(BASE.number()));
    homes
};
const S10: usize = 26;

const fn check(homes: &[Home; 32], reserved: &[X]) {
    let mut taken: u32 = 1 << 18 | 1 << 31;
    let mut i = 0;
    while i < reserved.len() {
        taken |= 1 << reserved[i].number();
        i += 1;
    }
    i = 0;
    while i < 32 {
        if let Home::Host(w) = homes[i] {
            assert!(
                taken & 1 << w.number() == 0,
                "a host register is used twice"
            );
            taken |= 1 << w.number();
        }
        i += 1;
    }
    assert!(matches!(homes[0], Home::Zero));
}

/// No two guest registers share a host register, and none has one that is not to be had.
const _: () = {
    check(&HOMES, &[SCRATCH, INDEX, LINK, BASE, ARENA]);
    check(&HOMES_WITHOUT_BASE, &[SCRATCH, INDEX, LINK, ARENA]);
};

/// Where all code of one placement agrees that guest registers live.
#[derive(Debug, Clone, Copy)]
pub(super) struct Homes(&'static [Home; 32]);

impl Homes {
    /// Those of a placement.
    pub(super) const fn of(placement: Placement) -> Homes {
        match placement {
            Placement::Identity => Homes(&HOMES_WITHOUT_BASE),
            Placement::Paged | Placement::Window => Homes(&HOMES),
        }
    }

    /// The home of a guest register.
    #[inline]
    pub(super) const fn get(self, reg: Reg) -> Home {
        self.0[reg.index()]
    }

    /// The guest registers with a home in a host register, and that register.
    pub(super) fn in_host(self) -> impl Iterator<Item = (Reg, W)> {
        Reg::all().filter_map(move |reg| match self.get(reg) {
            Home::Host(w) => Some((reg, w)),
            Home::Zero | Home::InCpu => None,
        })
    }
}

//! What the code emitted so far has written, instruction by instruction.
//!
//! A backend that knows something of a register or of the flags notes the [`Moment`] since when it does, and asks here
//! whether that is still so. The answer comes from the instructions themselves: the tables say what each one writes, so
//! whoever emits it need not think of what others know.

/// A moment of emission: behind the instructions that were emitted by then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// When each host register and the flags were written last. Control flow is none of its business: where code is
/// entered from elsewhere, what was known before means nothing.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    now: Moment,
    registers: [Moment; 32],
    flags: Moment,
    /// When something was emitted of which nothing is known.
    anything: Moment,
}

impl Writes {
    /// This moment.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Whether no instruction since then writes the host register of this number.
    #[inline]
    #[must_use]
    pub fn keep_register(&self, number: u8, since: Moment) -> bool {
        self.registers[usize::from(number & 31)] <= since && self.anything <= since
    }

    /// Whether no instruction since then writes the flags.
    #[inline]
    #[must_use]
    pub fn keep_flags(&self, since: Moment) -> bool {
        self.flags <= since && self.anything <= since
    }

    /// An instruction is emitted; what it writes is told next.
    #[inline]
    pub(super) fn instruction(&mut self) {
        self.now.0 += 1;
    }

    /// It writes this register.
    #[inline]
    pub(super) fn register(&mut self, number: u32) {
        self.registers[(number & 31) as usize] = self.now;
    }

    /// It writes the flags.
    #[inline]
    pub(super) fn flags(&mut self) {
        self.flags = self.now;
    }

    /// It may write anything.
    #[inline]
    pub(super) fn anything(&mut self) {
        self.anything = self.now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_ends_with_the_next_write() {
        let mut writes = Writes::default();
        let start = writes.now();
        assert!(writes.keep_register(3, start) && writes.keep_flags(start));
        writes.instruction();
        writes.register(3);
        let then = writes.now();
        assert!(!writes.keep_register(3, start) && writes.keep_register(3, then));
        assert!(writes.keep_register(4, start) && writes.keep_flags(start));
        writes.instruction();
        writes.flags();
        assert!(!writes.keep_flags(then) && writes.keep_register(3, then));
        writes.instruction();
        writes.anything();
        assert!(!writes.keep_register(9, then));
    }
}

//! Branches: labels inside one buffer, and rel32 fields patched later.
//!
//! The branches that wait for a label are a chain through their own rel32 fields: the label knows the last,
//! each field the one before it. So a forward branch allocates nothing.

use std::fmt;

use super::Assembler;
use super::operand::Cond;

/// A place in the code, from [`Assembler::label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label(u32);

/// A branch that cannot be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsmError {
    /// A branch was emitted to a label that was never bound.
    Unbound(Label),
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsmError::Unbound(label) => write!(f, "label {} is used but not bound", label.0),
        }
    }
}

impl std::error::Error for AsmError {}

#[derive(Clone, Copy, Debug)]
enum State {
    Bound(u32),
    /// Offset of the last rel32 field that waits, or `END`.
    Waiting(u32),
}

/// The end of a chain. No field can be there: offsets stay below 2^31.
const END: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(super) struct Labels(Vec<State>);

impl Labels {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Length of the buffers that labels work in, so that every distance fits into 32 bits.
const MAX_CODE: usize = i32::MAX as usize;

fn offset32(offset: usize) -> u32 {
    assert!(offset < MAX_CODE, "more than 2 GiB of code in one buffer");
    u32::try_from(offset).unwrap_or(END)
}

impl Assembler {
    /// A new label, not bound yet.
    pub fn label(&mut self) -> Label {
        let label = Label(offset32(self.labels.0.len()));
        self.labels.0.push(State::Waiting(END));
        label
    }

    /// Binds `label` to the current offset and completes the branches that wait for it.
    ///
    /// # Panics
    /// When the label is bound already or comes from another assembler.
    pub fn bind(&mut self, label: Label) {
        let here = offset32(self.len);
        let state = &mut self.labels.0[label.0 as usize];
        let State::Waiting(mut at) = *state else {
            panic!("label {} is bound twice", label.0);
        };
        *state = State::Bound(here);
        while at != END {
            let field = &mut self.code[at as usize..at as usize + 4];
            let previous = u32::from_le_bytes([field[0], field[1], field[2], field[3]]);
            field.copy_from_slice(&here.wrapping_sub(at + 4).to_le_bytes());
            at = previous;
        }
    }

    /// The offset that `label` is bound to.
    #[must_use]
    pub fn label_offset(&self, label: Label) -> Option<usize> {
        match self.labels.0[label.0 as usize] {
            State::Bound(offset) => Some(offset as usize),
            State::Waiting(_) => None,
        }
    }

    /// Emits `jmp label`: two bytes backwards when near, five otherwise.
    pub fn jmp(&mut self, label: Label) {
        match self.distance(label, 2) {
            Some(rel) if let Ok(rel) = i8::try_from(rel) => self.jmp_rel8(rel),
            Some(rel) => self.jmp_rel32(rel - 3),
            None => {
                let rel = self.wait(label, 1);
                self.jmp_rel32(rel);
            }
        }
    }

    /// Emits `jcc label`: two bytes backwards when near, six otherwise.
    pub fn jcc(&mut self, cond: Cond, label: Label) {
        match self.distance(label, 2) {
            Some(rel) if let Ok(rel) = i8::try_from(rel) => self.jcc_rel8(cond, rel),
            Some(rel) => self.jcc_rel32(cond, rel - 4),
            None => {
                let rel = self.wait(label, 2);
                self.jcc_rel32(cond, rel);
            }
        }
    }

    /// Emits `call label`.
    pub fn call(&mut self, label: Label) {
        let rel = match self.distance(label, 5) {
            Some(rel) => rel,
            None => self.wait(label, 1),
        };
        self.call_rel32(rel);
    }

    /// The finished code.
    ///
    /// # Errors
    /// [`AsmError::Unbound`] when a branch still waits for its label.
    pub fn finish(mut self) -> Result<Vec<u8>, AsmError> {
        self.check_labels()?;
        self.code.truncate(self.len);
        Ok(self.code)
    }

    /// Checks that no branch waits for its label.
    ///
    /// # Errors
    /// [`AsmError::Unbound`] when one does.
    pub fn check_labels(&self) -> Result<(), AsmError> {
        for (n, state) in (0..).zip(&self.labels.0) {
            match *state {
                State::Waiting(at) if at != END => return Err(AsmError::Unbound(Label(n))),
                State::Waiting(_) | State::Bound(_) => {}
            }
        }
        Ok(())
    }

    /// From the end of an instruction of `len` bytes, emitted here, to `label`, if that is bound.
    fn distance(&self, label: Label, len: u32) -> Option<i32> {
        match self.labels.0[label.0 as usize] {
            State::Bound(target) => {
                let end = offset32(self.len) + len;
                Some(target.wrapping_sub(end).cast_signed())
            }
            State::Waiting(_) => None,
        }
    }

    /// Chains the rel32 field `opcode_len` bytes from here to `label`; returns what the field holds.
    fn wait(&mut self, label: Label, opcode_len: u32) -> i32 {
        let at = offset32(self.len) + opcode_len;
        let state = &mut self.labels.0[label.0 as usize];
        let previous = match *state {
            State::Waiting(previous) => previous,
            State::Bound(_) => END,
        };
        *state = State::Waiting(at);
        previous.cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Reg, decode};
    use super::*;

    /// Targets of the branches in `code`.
    fn targets(code: &[u8]) -> Vec<(usize, u64)> {
        let (mut at, mut out) = (0, vec![]);
        while at < code.len() {
            let insn = decode(&code[at..], at as u64);
            out.extend(insn.target().map(|target| (at, target)));
            at += insn.len();
        }
        out
    }

    #[test]
    fn forward_branches_are_completed_by_bind() {
        let mut a = Assembler::new();
        let (near, far) = (a.label(), a.label());
        a.jcc(Cond::E, far); // 0
        a.jmp(near); // 6
        a.call(far); // 11
        a.jcc(Cond::G, far); // 16
        a.bind(near); // 22
        a.nops(300);
        a.bind(far); // 322
        a.ret();
        assert_eq!(a.label_offset(far), Some(322));
        let code = a.finish().unwrap();
        assert_eq!(targets(&code), [(0, 322), (6, 22), (11, 322), (16, 322)]);
    }

    #[test]
    fn backward_branches_are_short_when_they_reach() {
        for (gap, lens) in [(126, [2, 2]), (127, [5, 6])] {
            for conditional in [false, true] {
                let mut a = Assembler::new();
                let top = a.label();
                a.bind(top);
                a.nops(gap);
                if conditional {
                    a.jcc(Cond::Ne, top);
                } else {
                    a.jmp(top);
                }
                let code = a.finish().unwrap();
                assert_eq!(code.len() - gap, lens[usize::from(conditional)]);
                assert_eq!(targets(&code), [(gap, 0)]);
            }
        }
    }

    #[test]
    fn a_backward_call_reaches_its_label() {
        let mut a = Assembler::new();
        a.push(Reg::Rbx);
        let f = a.label();
        a.bind(f);
        a.nops(9);
        a.call(f);
        assert_eq!(targets(a.code()), [(10, 1)]);
    }

    #[test]
    fn an_unbound_label_is_an_error_only_if_used() {
        let mut a = Assembler::new();
        let (_unused, used) = (a.label(), a.label());
        assert_eq!(a.check_labels(), Ok(()));
        a.jmp(used);
        assert_eq!(a.clone().finish(), Err(AsmError::Unbound(used)));
        a.bind(used);
        assert!(a.finish().is_ok());
    }
}

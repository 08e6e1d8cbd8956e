//! What a backend keeps while it emits a region: the output so far, the position, and the cold code still to come.
//!
//! The same for every host; `L` is the host assembler's label.

use crate::jit::back::backend::{CodeOffset, Event, Link, Output, Position, Site};
use crate::jit::ir::op::Op;

/// Cold code to be emitted at the end of the region: a call of the exit stub.
#[derive(Debug, Clone, Copy)]
pub struct Cold<L> {
    /// To be bound there.
    pub label: L,
    /// What the engine learns.
    pub event: Event,
    /// The branch and the host's note for a [`Link`], if this is one.
    pub link: Option<(CodeOffset, u32)>,
}

/// Events that wait for the place where the code goes on.
#[derive(Debug, Default)]
pub struct Waiting {
    colds: Vec<usize>,
    sites: Vec<usize>,
}

impl Waiting {
    /// Whether none do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.colds.is_empty() && self.sites.is_empty()
    }
}

/// See the module's description.
#[derive(Debug)]
pub struct Draft<L> {
    /// Where the region will be.
    pub at: CodeOffset,
    /// What was recorded so far.
    pub output: Output,
    /// The position of the operation being emitted.
    pub position: Position,
    colds: Vec<Cold<L>>,
    /// What waits for the end of the current operation: indices of `colds`, and of `output.sites`.
    waiting: Waiting,
}

impl<L> Default for Draft<L> {
    fn default() -> Draft<L> {
        Draft {
            at: CodeOffset(0),
            output: Output::default(),
            position: Position {
                pc: 0,
                insns: 0,
                bytes: 0,
                counted: 0,
                deferred: 0,
                update: None,
            },
            colds: Vec::new(),
            waiting: Waiting::default(),
        }
    }
}

impl<L: Copy> Draft<L> {
    /// Begins a region at `at`.
    pub fn begin(&mut self, at: CodeOffset) {
        self.at = at;
        self.output.clear();
        self.colds.clear();
        self.waiting.colds.clear();
        self.waiting.sites.clear();
    }

    /// The place of a byte of this region.
    pub fn place(&self, here: usize) -> CodeOffset {
        CodeOffset(self.at.0 + u32::try_from(here).unwrap_or(u32::MAX))
    }

    /// The code of the next operation begins at `here`.
    pub fn operation_begins(&mut self, here: usize, position: Position) {
        self.position = position;
        let place = self.place(here);
        self.output.map.push((position.pc, place));
    }

    /// Notes operations that the code does not execute; [`Position::deferred`] of those that say so.
    pub fn defer(&mut self, ops: Vec<Op>) -> u32 {
        self.output.deferred.push(ops);
        u32::try_from(self.output.deferred.len() - 1).unwrap_or(0)
    }

    /// The exit at `place`, which nothing conditional leads to, may be pointed at the code of a guest address.
    pub fn link_exit(&mut self, place: CodeOffset, target: u32) {
        self.output.links.push(Link {
            branch: place,
            cold: place,
            target,
            insn: 0,
        });
    }

    /// The instruction at `here` may fault: interpret the current position.
    pub fn site(&mut self, here: usize, resumes: bool) {
        if resumes {
            self.waiting.sites.push(self.output.sites.len());
        }
        let event = Event::Interpret {
            position: self.position,
            resume: None,
        };
        let at = self.place(here);
        self.output.sites.push(Site { at, event });
    }

    /// A call of the exit stub, which ends at `here`, means this event.
    pub fn left(&mut self, here: usize, event: Event) {
        let at = self.place(here - 1);
        self.output.sites.push(Site { at, event });
    }

    /// A call of the exit stub, which ends at `here`: interpret the current position, and go on wherever pc says.
    pub fn left_to_interpret(&mut self, here: usize) {
        let event = Event::Interpret {
            position: self.position,
            resume: None,
        };
        self.left(here, event);
    }

    /// The current position is to be interpreted from cold code at `label`.
    pub fn interpret_cold(&mut self, label: L, resumes: bool) {
        if resumes {
            self.waiting.colds.push(self.colds.len());
        }
        let event = Event::Interpret {
            position: self.position,
            resume: None,
        };
        self.cold(Cold {
            label,
            event,
            link: None,
        });
    }

    /// Adds cold code.
    pub fn cold(&mut self, cold: Cold<L>) {
        self.colds.push(cold);
    }

    /// The current operation ends: what was interpreted in its stead goes on here.
    pub fn operation_ends(&mut self, here: usize) {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.resume_all(&mut waiting, here);
        // Keeps the memory.
        self.waiting = waiting;
    }

    /// What would go on at the end of the current operation, to go on elsewhere.
    pub fn take_waiting(&mut self) -> Waiting {
        std::mem::take(&mut self.waiting)
    }

    /// What was interpreted goes on here. The cold code is not emitted yet.
    pub fn resume(&mut self, mut waiting: Waiting, here: usize) {
        self.resume_all(&mut waiting, here);
    }

    fn resume_all(&mut self, waiting: &mut Waiting, here: usize) {
        let place = self.place(here);
        let resume_here = |event: &mut Event| {
            if let Event::Interpret { resume, .. } = event {
                *resume = Some(place);
            }
        };
        for index in waiting.colds.drain(..) {
            resume_here(&mut self.colds[index].event);
        }
        for index in waiting.sites.drain(..) {
            resume_here(&mut self.output.sites[index].event);
        }
    }

    /// The cold code to emit now, piece by piece: the one of this number.
    pub fn cold_code(&self, number: usize) -> Option<Cold<L>> {
        self.colds.get(number).copied()
    }

    /// Cold code begins at `cold`, and its call ends at `after`.
    pub fn cold_emitted(&mut self, cold: &Cold<L>, start: usize, after: usize) {
        self.left(after, cold.event);
        if let (Some((branch, insn)), Event::Jump { target, .. }) = (cold.link, cold.event) {
            let cold = self.place(start);
            self.output.links.push(Link {
                branch,
                cold,
                target,
                insn,
            });
        }
    }

    /// The finished output. Giving it back in [`Draft::output`] spares the next one its allocations.
    pub fn finish(&mut self) -> Output {
        self.output.sites.sort_unstable_by_key(|site| site.at);
        std::mem::take(&mut self.output)
    }
}

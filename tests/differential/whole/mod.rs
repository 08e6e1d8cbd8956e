//! Whole programs on the interpreter and on the JIT, all placements, with and without optimisation: what is seen at each
//! stop, and memory at the end, must agree.
//!
//! `RVJIT_SEED` and `RVJIT_PROGRAMS` say which programs, as for the others; engines are new with each [`EPOCH`]. A failure
//! is shrunk, and printed with seed, guest code, host code and the first difference.

mod flow;
mod layout;
mod program;
mod rare;
mod trail;
mod writer;

use crate::compressed::Forms;
use crate::generate::Random;
use crate::kicks::while_kicked;
use crate::tested::{ALL_CODE, Tested};
use crate::{hold_identity, number};
use program::{Whole, shrink};
use rvjit::engine::Budget;
use rvjit::jit::JitConfig;
use rvjit::memory::{Memory, Placement};
use rvjit::rv32::Isa;
use rvjit::sys::signal::Thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use trail::{Reference, Trail, reference, run};

/// The most instructions a program executes.
const MOST_INSNS: u64 = 100_000;
/// Programs where nobody says how many. ARM64 is mostly emulated here, where one takes a second.
const PROGRAMS: u64 = if cfg!(target_arch = "aarch64") {
    60
} else {
    1000
};
/// Seeds that share engines: as many as programs wear their pages out, which watches become.
const EPOCH: u64 = 16;
/// Stores to code after which pages may not be watched.
const FEW_STORES: u32 = 50;
/// A run that takes longer does not end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A kind of JIT.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    config: JitConfig,
    counts: bool,
}

fn kinds(isa: Isa) -> [Kind; 6] {
    let kind = |name, config, counts| Kind {
        name,
        config: JitConfig { isa, ..config },
        counts,
    };
    let poison = JitConfig {
        poison: true,
        ..ALL_CODE
    };
    let plain = JitConfig {
        plain: true,
        host_features: false,
        ..ALL_CODE
    };
    let baseline = JitConfig {
        host_features: false,
        ..poison
    };
    [
        kind("optimised", ALL_CODE, false),
        kind("poisoned", poison, false),
        kind("poisoned, baseline host", baseline, false),
        kind("plain, baseline host", plain, false),
        kind("tiered", JitConfig { hot: 2, ..ALL_CODE }, false),
        kind("counting", ALL_CODE, true),
    ]
}

/// An engine, the memory that it works on, and what it is.
struct Side {
    placement: Placement,
    kind: Kind,
    memory: Memory,
    jit: Tested,
}

impl Side {
    fn new(placement: Placement, kind: Kind, watchdog: &Watchdog) -> Side {
        let memory = layout::new_memory(placement);
        let mut jit = Tested::new(&memory, kind.config);
        jit.stop_on(&watchdog.stop);
        Side {
            placement,
            kind,
            memory,
            jit,
        }
    }

    /// What differs from the reference.
    fn differs(
        &mut self,
        whole: &Whole,
        expected: &Trail,
        budget: Budget,
        watchdog: &Watchdog,
    ) -> Option<String> {
        let image = whole.assemble();
        self.jit.next_program(&self.memory);
        (0..=self.jit.hot()).find_map(|turn| {
            watchdog.begin();
            let got = run(&mut self.jit, &mut self.memory, whole, &image, budget);
            let text = got.difference(expected)?;
            Some(format!(
                "{}, {}, {budget:?}, turn {turn}:\n{text}",
                self.placement.name(),
                self.kind.name
            ))
        })
    }
}

/// Ends runs that do not end: by a wrong jump, or because a kick was lost.
struct Watchdog {
    stop: Arc<AtomicBool>,
    runs: AtomicU64,
}

impl Watchdog {
    fn begin(&self) {
        self.stop.store(false, Ordering::Release);
        self.runs.fetch_add(1, Ordering::AcqRel);
    }

    fn with<T>(f: impl FnOnce(&Watchdog) -> T) -> T {
        let watchdog = Watchdog {
            stop: Arc::default(),
            runs: AtomicU64::new(0),
        };
        let done = AtomicBool::new(false);
        let runner = Thread::current();
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut seen, mut since) = (0, Instant::now());
                while !done.load(Ordering::Acquire) {
                    thread::sleep(Duration::from_millis(20));
                    let runs = watchdog.runs.load(Ordering::Acquire);
                    if runs != seen {
                        (seen, since) = (runs, Instant::now());
                    } else if since.elapsed() > PATIENCE {
                        watchdog.stop.store(true, Ordering::Release);
                        runner.kick();
                    }
                }
            });
            // A panic ends the watch, too: the scope waits for the thread.
            let _done = Done(&done);
            f(&watchdog)
        })
    }
}

struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What the programs of a test were like.
#[derive(Debug, Default)]
struct Tally {
    programs: u64,
    instructions: u64,
    stops: usize,
    code_stores: u64,
    /// Programs that were cut by the budget.
    endless: u64,
    /// Programs that execute what they wrote without a `fence.i`, and such of them as were not run.
    stale: u64,
    undefined: u64,
    /// Runs of engines that interpret first, and those of them that entered emitted code.
    tiered: [u64; 2],
}

impl Tally {
    fn count_tiered(&mut self, sides: &[Side]) {
        for side in sides.iter().filter(|side| side.jit.hot() > 0) {
            let runs = side.jit.runs();
            self.tiered = [0, 1].map(|n| self.tiered[n] + runs[n]);
        }
    }
}

/// Every other epoch has compressed instructions.
fn isa_of(seed: u64) -> Isa {
    Isa {
        compressed: !(seed / EPOCH).is_multiple_of(2),
    }
}

/// The engines of an epoch: all kinds, but one of identity, which can be there once.
fn sides(isa: Isa, epoch: u64, watchdog: &Watchdog) -> Vec<Side> {
    let kinds = kinds(isa);
    let mut sides = Vec::new();
    for placement in Placement::ALL {
        let here = match placement {
            Placement::Identity => {
                let one = (epoch / 2 % kinds.len() as u64) as usize;
                &kinds[one..=one]
            }
            Placement::Window | Placement::Paged => &kinds[..],
        };
        let side = |kind: &Kind| Side::new(placement, *kind, watchdog);
        sides.extend(here.iter().map(side));
    }
    sides
}

fn program(seed: u64, forms: &Forms) -> (Whole, Random) {
    // Other programs than those of the first generator.
    let mut random = Random::new(seed ^ 0x5eed_0000_0000);
    let whole = writer::whole(&mut random, isa_of(seed), forms);
    (whole, random)
}

fn compare(first: u64, count: u64, watchdog: &Watchdog) -> Tally {
    let _identity = hold_identity();
    let forms = Forms::new();
    let mut book = layout::new_memory(Placement::Paged);
    let mut tally = Tally::default();
    let mut engines: Vec<Side> = Vec::new();
    for seed in first..first + count {
        if engines.is_empty() || seed.is_multiple_of(EPOCH) {
            tally.count_tiered(&engines);
            // There is one host address 0.
            engines.clear();
            engines = sides(isa_of(seed), seed / EPOCH, watchdog);
        }
        let (whole, mut random) = program(seed, &forms);
        let expected = reference(&mut book, &whole, &whole.assemble(), MOST_INSNS);
        tally.programs += 1;
        tally.instructions += expected.retired;
        tally.stops += expected.trail.stops.len();
        tally.code_stores += u64::from(expected.code_stores);
        let endless = expected.trail.ended_by_budget();
        tally.endless += u64::from(endless);
        if expected.stale {
            tally.stale += 1;
            let kinds = kinds(whole.isa);
            let kind = kinds[(seed / 2 % kinds.len() as u64) as usize];
            if !stores_little(kind, &expected) {
                tally.undefined += 1;
                continue;
            }
            let placement = random.pick(&[Placement::Window, Placement::Paged]);
            let mut side = Side::new(placement, kind, watchdog);
            check(seed, &whole, &expected, &mut side, watchdog, &mut book);
            continue;
        }
        for side in &mut engines {
            if side.kind.counts || !endless {
                check(seed, &whole, &expected, side, watchdog, &mut book);
            }
        }
        // Cut somewhere, on one that counts.
        let cut = u64::from(random.below(expected.retired as u32 + 2));
        let cut_there = reference(&mut book, &whole, &whole.assemble(), cut);
        let mut counting = engines.iter_mut().filter(|side| side.kind.counts);
        if let Some(side) = counting.nth((seed % 2) as usize) {
            check_cut(seed, &whole, &cut_there, side, cut, watchdog);
        }
    }
    tally.count_tiered(&engines);
    // Where few are run, they are run by hand.
    let [runs, in_code] = tally.tiered;
    assert!(count < 100 || 4 * in_code >= runs, "{tally:?}");
    assert!(
        count < 100 || tally.endless + tally.undefined <= tally.programs / 8,
        "{tally:?}"
    );
    tally
}

/// Whether all turns on one engine store so little to code that its pages are watched to the end.
fn stores_little(kind: Kind, expected: &Reference) -> bool {
    expected.code_stores * (u32::from(kind.config.hot) + 1) <= FEW_STORES
}

/// The budget of a side, and what it must show with it.
fn wanted(kind: Kind, expected: &Reference) -> (Budget, Trail) {
    if kind.counts {
        (Budget::Instructions(MOST_INSNS), expected.trail.clone())
    } else {
        (Budget::Unlimited, expected.trail.uncounted())
    }
}

fn check_cut(
    seed: u64,
    whole: &Whole,
    expected: &Reference,
    side: &mut Side,
    cut: u64,
    watchdog: &Watchdog,
) {
    let budget = Budget::Instructions(cut);
    if let Some(text) = side.differs(whole, &expected.trail, budget, watchdog) {
        let host = side.jit.listing();
        panic!("seed {seed}: {text}\n{}\n{host}", whole.listing());
    }
}

/// Runs a program on a side. What differs is shrunk, on new engines, if it differs there too.
fn check(
    seed: u64,
    whole: &Whole,
    expected: &Reference,
    side: &mut Side,
    watchdog: &Watchdog,
    book: &mut Memory,
) {
    let (budget, trail) = wanted(side.kind, expected);
    let Some(text) = side.differs(whole, &trail, budget, watchdog) else {
        return;
    };
    let kind = side.kind;
    // A second identity is not possible beside this one.
    let placement = side.placement;
    let host = side.jit.listing();
    let mut last = (text.clone(), host.clone());
    let mut again = |whole: &Whole| -> bool {
        let expected = reference(book, whole, &whole.assemble(), MOST_INSNS);
        let stores = expected.code_stores;
        if expected.stale && stores > FEW_STORES || expected.trail.ended_by_budget() && !kind.counts
        {
            return false;
        }
        let (budget, trail) = wanted(kind, &expected);
        if placement == Placement::Identity {
            side.jit = Tested::new(&side.memory, kind.config);
            side.jit.stop_on(&watchdog.stop);
        } else {
            *side = Side::new(placement, kind, watchdog);
        }
        let differs = side.differs(whole, &trail, budget, watchdog);
        if let Some(text) = differs {
            last = (text, side.jit.listing());
            return true;
        }
        false
    };
    let start = seed - seed % EPOCH;
    if !again(whole) {
        panic!(
            "seed {seed}: {text}\n(not on a new engine: RVJIT_SEED={start} RVJIT_PROGRAMS={EPOCH})\n{}\n{host}",
            whole.listing()
        );
    }
    let least = shrink(whole, &mut again);
    again(&least);
    let (text, host) = last;
    panic!(
        "seed {seed}: {text}\n(RVJIT_SEED={seed} RVJIT_PROGRAMS=1, shrunk)\n{}\n{host}",
        least.listing()
    );
}

#[test]
fn whole_programs_agree_with_the_interpreter() {
    let first = number("RVJIT_SEED", 1);
    let count = number("RVJIT_PROGRAMS", PROGRAMS);
    let tally = Watchdog::with(|watchdog| compare(first, count, watchdog));
    println!("RVJIT_SEED={first} RVJIT_PROGRAMS={count}: {tally:?}");
}

#[test]
fn whole_programs_that_are_kicked_agree_with_the_interpreter() {
    let first = number("RVJIT_SEED", 1);
    let count = number("RVJIT_PROGRAMS", PROGRAMS);
    let count = count.div_ceil(4);
    let tally = Watchdog::with(|watchdog| {
        let pause = Duration::from_micros(50);
        while_kicked(pause, || (), || compare(first, count, watchdog))
    });
    println!("RVJIT_SEED={first} RVJIT_PROGRAMS={count}, kicked: {tally:?}");
}

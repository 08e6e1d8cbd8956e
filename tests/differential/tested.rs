//! The JIT as every test here gets it: it fails where its emitted code was not executed. A test that compared the
//! interpreter with itself would pass for ever.

use rvjit::cpu::Cpu;
use rvjit::engine::{Budget, Engine, EngineStats, Sample, Stop};
use rvjit::jit::{self, HostBackend, Jit, JitConfig};
use rvjit::memory::Memory;
use rvjit::rv32::Isa;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// All code is translated before it is executed.
pub(crate) const ALL_CODE: JitConfig = JitConfig {
    isa: Isa { compressed: false },
    code_cache: 32 << 20,
    poison: false,
    plain: false,
    host_features: true,
    hot: 0,
    first: 0,
};

/// After so many runs, a JIT that interprets what is executed seldom must have executed code in a fourth of them.
const MANY: u64 = 1000;
/// After so many counted instructions, emitted code must have executed a fourth of them.
const MANY_INSNS: u64 = 1000;

/// A JIT that counts.
#[derive(Debug)]
pub(crate) struct Tested {
    jit: Jit<HostBackend>,
    config: JitConfig,
    stop: Option<Arc<AtomicBool>>,
    /// Programs since the engine was made.
    programs: u32,
    runs: u64,
    /// Runs that entered emitted code.
    runs_in_code: u64,
    /// Instructions retired in runs that count, and those of them that were perhaps not in emitted code.
    counted: u64,
    elsewhere: u64,
}

impl Tested {
    pub(crate) fn new(memory: &Memory, config: JitConfig) -> Tested {
        Tested {
            jit: jit::for_host(memory, config).expect("a JIT"),
            config,
            stop: None,
            programs: 0,
            runs: 0,
            runs_in_code: 0,
            counted: 0,
            elsewhere: 0,
        }
    }

    /// How often code is interpreted first.
    pub(crate) fn hot(&self) -> u8 {
        self.config.hot
    }

    /// Runs so far, and those of them that entered emitted code.
    pub(crate) fn runs(&self) -> [u64; 2] {
        [self.runs, self.runs_in_code]
    }

    /// Another program comes, at the same place. What is rewritten again and again is interpreted for longer each time:
    /// then a new engine takes over.
    pub(crate) fn next_program(&mut self, memory: &Memory) {
        self.programs += 1;
        if self.hot() > 0 && self.programs > 3 {
            self.programs = 0;
            self.jit = jit::for_host(memory, self.config).expect("a JIT");
            if let Some(stop) = &self.stop {
                self.jit.stop_on(Arc::clone(stop));
            }
        }
    }

    /// What ends runs.
    pub(crate) fn stop_on(&mut self, stop: &Arc<AtomicBool>) {
        self.jit.stop_on(Arc::clone(stop));
        self.stop = Some(Arc::clone(stop));
    }

    /// Guest instructions beside the host instructions they became.
    pub(crate) fn listing(&self) -> String {
        jit::view::listing::of_cache(&self.jit)
    }
}

impl Engine for Tested {
    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, budget: &mut Budget) -> Stop {
        let (pc, before, instret) = (cpu.pc, self.stats(), cpu.instret);
        let executes = *budget != Budget::Instructions(0) && self.config.isa.is_aligned(pc);
        let stop = self.jit.run(cpu, memory, budget);
        if executes && stop != Stop::Interrupted {
            let entered = self.stats().entered > before.entered;
            self.runs += 1;
            self.runs_in_code += u64::from(entered);
            assert!(
                self.hot() > 0 || entered,
                "no emitted code was executed from {pc:#x}"
            );
        }
        if budget.counts() {
            self.counted += cpu.instret - instret;
            self.elsewhere += elsewhere(&self.stats()) - elsewhere(&before);
        }
        stop
    }

    fn run_sampled(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        budget: &mut Budget,
        sample: Sample<'_>,
    ) -> Stop {
        self.jit.run_sampled(cpu, memory, budget, sample)
    }

    fn stats(&self) -> EngineStats {
        self.jit.stats()
    }
}

/// An indirect jump that misses may have been interpreted.
fn elsewhere(stats: &EngineStats) -> u64 {
    stats.interpreted + stats.misses
}

impl Drop for Tested {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let (runs, in_code) = (self.runs, self.runs_in_code);
        assert!(
            runs < MANY || 4 * in_code >= runs,
            "emitted code was entered in {in_code} of {runs} runs"
        );
        let (counted, elsewhere) = (self.counted, self.elsewhere);
        assert!(
            counted < MANY_INSNS || elsewhere <= counted / 4 * 3,
            "{elsewhere} of {counted} instructions were not in emitted code"
        );
    }
}

#[test]
fn every_jit_is_one_that_counts() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential");
    let mut folders = vec![folder];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tested.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let makes = text.contains("for_host");
                assert!(!makes, "{}: use `Tested`", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 5, "the sources are not there");
}

//! The JIT as every test here gets it: it fails where its emitted code was not executed. A test that compared the
//! interpreter with itself would pass for ever.

use rvjit::cpu::Cpu;
use rvjit::engine::{Budget, Engine, EngineStats, Sample, Stop};
use rvjit::jit::{self, HostBackend, Jit, JitConfig};
use rvjit::memory::Memory;

/// All code is translated before it is executed.
pub(crate) const ALL_CODE: JitConfig = JitConfig {
    code_cache: 32 << 20,
    poison: false,
    plain: false,
    host_features: true,
    hot: 0,
    first: 0,
};

/// After so many runs, a JIT that interprets what is executed seldom must have executed code, too.
const MANY: u64 = 200;

/// A JIT that counts.
#[derive(Debug)]
pub(crate) struct Tested {
    pub(crate) jit: Jit<HostBackend>,
    hot: u8,
    runs: u64,
}

impl Tested {
    pub(crate) fn new(memory: &Memory, config: JitConfig) -> Tested {
        Tested {
            jit: jit::for_host(memory, config).expect("a JIT"),
            hot: config.hot,
            runs: 0,
        }
    }

    /// Guest instructions beside the host instructions they became.
    pub(crate) fn listing(&self) -> String {
        jit::view::listing::of_cache(&self.jit)
    }
}

impl Engine for Tested {
    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, budget: &mut Budget) -> Stop {
        let (pc, before) = (cpu.pc, self.stats().entered);
        let executes = *budget != Budget::Instructions(0) && pc.is_multiple_of(4);
        let stop = self.jit.run(cpu, memory, budget);
        if executes && stop != Stop::Interrupted {
            self.runs += 1;
            assert!(
                self.hot > 0 || self.stats().entered > before,
                "no emitted code was executed from {pc:#x}"
            );
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

impl Drop for Tested {
    fn drop(&mut self) {
        let entered = self.stats().entered;
        assert!(
            std::thread::panicking() || entered > 0 || self.runs < MANY,
            "no emitted code was executed in {} runs",
            self.runs
        );
    }
}

//! What a run took and what the engine did.

use crate::machine::{CallTime, Machine};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Times and counts of a run. Times are seconds, sizes bytes.
#[derive(Debug, Clone, Serialize)]
pub struct Stats {
    /// Version of this form.
    pub schema: u32,
    /// `jit` or `interp`.
    pub engine: &'static str,
    /// How emitted code reaches memory.
    pub placement: &'static str,
    /// Reading the file and setting up memory.
    pub load_seconds: f64,
    /// From the first instruction to the last; holds the two that follow.
    pub run_seconds: f64,
    /// Translating.
    pub translate_seconds: f64,
    /// In system calls, waiting included; absent where they were not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syscall_seconds: Option<f64>,
    /// System calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syscalls: Option<u64>,
    /// Guest instructions executed, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
    /// Instructions that emitted code left to the interpreter.
    pub interpreted: u64,
    /// Regions translated.
    pub regions: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Guest instructions in them.
    pub guest_insns: u64,
    /// Their size.
    pub guest_bytes: u64,
    /// Size of the code that they became.
    pub host_bytes: u64,
    /// Host bytes for each guest byte; absent where nothing was translated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expansion: Option<f64>,
    /// Nanoseconds to translate one guest instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translate_nanoseconds_per_insn: Option<f64>,
    /// Direct branches pointed at code.
    pub links: u64,
    /// Indirect jumps that found no code.
    pub indirect_misses: u64,
    /// Times that all code was dropped.
    pub flushes: u64,
    /// Regions dropped because the guest changed their source.
    pub invalidations: u64,
    /// Times that code memory was opened for writing.
    pub code_edits: u64,
    /// Code memory in use.
    pub code_used: usize,
    /// Code memory in all; it is one allocation.
    pub code_capacity: usize,
    /// Pages of 4 KiB in use at the end.
    pub pages_used: u32,
    /// The most at one time.
    pub pages_peak: u32,
    /// The most there may be.
    pub pages_limit: u32,
}

impl Stats {
    /// What this machine took and did.
    #[must_use]
    pub fn new(machine: &Machine, load: Duration, run: Duration) -> Stats {
        let engine = machine.engine_stats();
        let (memory, cpu) = (machine.memory(), machine.cpu());
        let calls = machine.call_time();
        let per_insn =
            |value: f64| (engine.guest_insns > 0).then(|| value / float(engine.guest_insns));
        Stats {
            schema: super::json::SCHEMA,
            engine: engine.engine,
            placement: memory.placement().name(),
            load_seconds: load.as_secs_f64(),
            run_seconds: run.as_secs_f64(),
            translate_seconds: engine.translate_time.as_secs_f64(),
            syscall_seconds: calls.map(|CallTime { time, .. }| time.as_secs_f64()),
            syscalls: calls.map(|CallTime { calls, .. }| calls),
            instructions: cpu.counting.then_some(cpu.instret),
            interpreted: engine.interpreted,
            regions: engine.regions,
            blocks: engine.blocks,
            guest_insns: engine.guest_insns,
            guest_bytes: 4 * engine.guest_insns,
            host_bytes: engine.host_bytes,
            expansion: per_insn(float(engine.host_bytes) / 4.0),
            translate_nanoseconds_per_insn: per_insn(engine.translate_time.as_secs_f64() * 1e9),
            links: engine.links,
            indirect_misses: engine.misses,
            flushes: engine.flushes,
            invalidations: engine.invalidations,
            code_edits: engine.code_edits,
            code_used: engine.code_used,
            code_capacity: engine.code_capacity,
            pages_used: memory.pages_used(),
            pages_peak: memory.pages_peak(),
            pages_limit: memory.limit_pages(),
        }
    }

    /// The short form, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut text = format!(
            "load {:.3} ms, run {:.3} ms",
            ms(self.load_seconds),
            ms(self.run_seconds)
        );
        if let Some(per_insn) = self.translate_nanoseconds_per_insn {
            text += &format!(
                " (translate {:.3} ms, {per_insn:.0} ns a guest instruction)",
                ms(self.translate_seconds)
            );
        }
        text + &format!(", {} pages", self.pages_peak)
    }
}

fn ms(seconds: f64) -> f64 {
    seconds * 1000.0
}

/// A count for a quotient.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "engine          {} ({})", self.engine, self.placement)?;
        writeln!(f, "load            {:.3} ms", ms(self.load_seconds))?;
        writeln!(f, "run             {:.3} ms", ms(self.run_seconds))?;
        if let (Some(time), Some(calls)) = (self.syscall_seconds, self.syscalls) {
            writeln!(f, "system calls    {calls} in {:.3} ms", ms(time))?;
        }
        if let Some(count) = self.instructions {
            writeln!(f, "instructions    {count}")?;
        }
        if let (Some(expansion), Some(cost)) = (self.expansion, self.translate_nanoseconds_per_insn)
        {
            writeln!(
                f,
                "translate       {:.3} ms, {cost:.0} ns a guest instruction",
                ms(self.translate_seconds)
            )?;
            writeln!(
                f,
                "translated      {} regions, {} blocks",
                self.regions, self.blocks
            )?;
            writeln!(
                f,
                "code            {} guest bytes to {} host bytes, {expansion:.2} times",
                self.guest_bytes, self.host_bytes
            )?;
            writeln!(
                f,
                "code memory     {} of {} bytes, opened {} times",
                self.code_used, self.code_capacity, self.code_edits
            )?;
            writeln!(
                f,
                "links           {}; {} indirect jumps missed, {} instructions interpreted",
                self.links, self.indirect_misses, self.interpreted
            )?;
            writeln!(
                f,
                "dropped         {} times everything, {} regions",
                self.flushes, self.invalidations
            )?;
        }
        writeln!(
            f,
            "pages           {} at the end, {} at most, {} allowed",
            self.pages_used, self.pages_peak, self.pages_limit
        )
    }
}

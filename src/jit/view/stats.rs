//! What observers see of the engine: counts, and the code as it is.

use crate::engine::{EngineStats, HostCode};
use crate::jit::Jit;
use crate::jit::back::backend::Backend;
use crate::jit::view::listing;
use std::fmt::Write as _;

impl<B: Backend> Jit<B> {
    pub(in crate::jit) fn engine_stats(&self) -> EngineStats {
        let stats = Jit::stats(self);
        EngineStats {
            engine: "jit",
            regions: stats.regions,
            blocks: stats.blocks,
            guest_insns: stats.guest_insns,
            host_bytes: stats.host_bytes,
            translate_time: stats.translate_time,
            links: stats.links,
            misses: stats.misses,
            interpreted: stats.interpreted,
            flushes: stats.flushes,
            invalidations: stats.invalidations,
            code_edits: stats.code_edits,
            code_used: stats.code_used,
            code_capacity: stats.code_capacity,
        }
    }

    pub(in crate::jit) fn code_made(&self) -> Vec<HostCode> {
        let regions = self.cache.regions().iter();
        let one = |region: &crate::jit::code::regions::Translated| {
            let bytes = self.code.bytes(region.start, region.len as usize);
            let word = |pc: u32| self.cache.word(region, pc);
            let map = self.cache.map(region);
            let mut text = String::new();
            for line in listing::lines::<B>(&bytes, region.start, map, word) {
                // Writing to a String does not fail.
                let _ = writeln!(text, "{:#010x}: {}", line.pc, line.guest.replace('\t', " "));
                for (at, host) in line.host {
                    let _ = writeln!(text, "    {:#8x}  {host}", at.0 - region.start.0);
                }
            }
            HostCode {
                address: self.code.address(region.start),
                bytes,
                live: region.live,
                map: map
                    .iter()
                    .map(|&(pc, at)| (pc, at.0 - region.start.0))
                    .collect(),
                listing: text,
            }
        };
        regions.map(one).collect()
    }
}

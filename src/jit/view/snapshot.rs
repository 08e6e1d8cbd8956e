//! The code of a run as observers see it.

use crate::engine::HostCode;
use crate::jit::Jit;
use crate::jit::back::backend::Backend;
use crate::jit::view::listing;
use std::fmt::Write as _;

impl<B: Backend> Jit<B> {
    pub(in crate::jit) fn code_made(&self) -> Vec<HostCode> {
        let regions = self.cache.regions().iter();
        let one = |region: &crate::jit::code::regions::Translated| {
            let bytes = self.code.bytes(region.start, region.len as usize);
            let fetched = |pc: u32| self.cache.fetched(region, pc);
            let map = self.cache.map(region);
            let mut text = String::new();
            for line in listing::lines::<B>(&bytes, region.start, map, fetched) {
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

//! Text of translated code: guest instructions beside the host instructions they became.

use crate::jit::Jit;
use crate::jit::back::backend::{Backend, CodeOffset};
use crate::rv32::Fetched;
use std::fmt::Write as _;

/// One guest instruction and its host code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Guest address.
    pub pc: u32,
    /// Guest text; empty for cold code behind a region.
    pub guest: String,
    /// Place and text of each host instruction.
    pub host: Vec<(CodeOffset, String)>,
}

/// The lines of one region's code, which begins at `start`. `map` says where each guest instruction's code begins,
/// `fetched` what stands at a guest address.
pub fn lines<B: Backend>(
    code: &[u8],
    start: CodeOffset,
    map: &[(u32, CodeOffset)],
    fetched: impl Fn(u32) -> Option<Fetched>,
) -> Vec<Line> {
    let mut lines: Vec<Line> = map
        .iter()
        .map(|&(pc, _)| Line {
            pc,
            guest: fetched(pc).map_or_else(String::new, |fetched| fetched.text()),
            host: Vec::new(),
        })
        .collect();
    let mut at = 0;
    while at < code.len() {
        let place = CodeOffset(start.0 + u32::try_from(at).unwrap_or(0));
        let (len, text) = B::disassemble(&code[at..], u64::from(place.0));
        let line = map.partition_point(|&(_, from)| from <= place);
        if let Some(line) = line.checked_sub(1).and_then(|n| lines.get_mut(n)) {
            line.host.push((place, text));
        }
        at += len.max(1);
    }
    lines
}

/// All live code of an engine, as text.
pub fn of_cache<B: Backend>(jit: &Jit<B>) -> String {
    let mut text = String::new();
    for region in jit.cache.regions().iter().filter(|region| region.live) {
        let code = jit.code.bytes(region.start, region.len as usize);
        let fetched = |pc: u32| jit.cache.fetched(region, pc);
        for line in lines::<B>(&code, region.start, jit.cache.map(region), fetched) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{:#010x}: {}", line.pc, line.guest);
            for (at, host) in line.host {
                let _ = writeln!(text, "    {:#8x}  {host}", at.0);
            }
        }
    }
    text
}

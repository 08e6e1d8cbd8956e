//! Registers, memory and emitted code, as they are.

use crate::cpu::Cpu;
use crate::engine::HostCode;
use crate::machine::Machine;
use crate::memory::Fault;
use crate::rv32::Reg;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

/// Bytes copied from guest memory at a time.
const CHUNK: u32 = 4096;

/// pc and registers, as lines of four.
#[must_use]
pub fn registers(cpu: &Cpu) -> String {
    let mut text = format!("pc   {:#010x}\n", cpu.pc);
    for (number, reg) in Reg::all().enumerate() {
        let end = if number % 4 == 3 { '\n' } else { ' ' };
        // Writing to a String does not fail.
        let _ = write!(text, "{:<4} {:#010x}{end}", reg.name(), cpu.get(reg));
    }
    text
}

/// pc and registers by name.
#[derive(Debug, Serialize)]
pub struct Registers {
    /// Where the guest is.
    pub pc: u32,
    /// Values by ABI name.
    pub registers: BTreeMap<&'static str, u32>,
}

impl Registers {
    /// Of this hart.
    #[must_use]
    pub fn new(cpu: &Cpu) -> Registers {
        Registers {
            pc: cpu.pc,
            registers: Reg::all().map(|reg| (reg.name(), cpu.get(reg))).collect(),
        }
    }
}

/// Guest memory, untouched; what the guest may not read is the error.
///
/// # Errors
/// The fault at the first byte that cannot be read.
pub fn memory(machine: &Machine, start: u32, len: u32) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut done = 0;
    while done < len {
        let mut chunk = vec![0; (len - done).min(CHUNK) as usize];
        machine
            .memory()
            .peek(start.wrapping_add(done), &mut chunk)?;
        bytes.extend_from_slice(&chunk);
        done += CHUNK.min(len - done);
    }
    Ok(bytes)
}

#[derive(Serialize)]
struct Region<'a> {
    file: String,
    address: usize,
    size: usize,
    live: bool,
    map: &'a [(u32, u32)],
}

/// Writes what the engine has made, by names of files: `region-N.bin` the bytes, `listing.txt` guest beside host
/// instructions, `map.json` host addresses, and from guest pc to offset in the bytes.
///
/// # Errors
/// Those of `write`.
pub fn code(regions: &[HostCode], write: impl Fn(&str, &[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut listing = String::new();
    let mut map = Vec::new();
    for (number, region) in regions.iter().enumerate() {
        let file = format!("region-{number}.bin");
        write(&file, &region.bytes)?;
        let gone = if region.live { "" } else { ", no longer valid" };
        // Writing to a String does not fail.
        let _ = writeln!(
            listing,
            "; {file}: {} bytes at {:#x}{gone}\n{}",
            region.bytes.len(),
            region.address,
            region.listing
        );
        map.push(Region {
            file,
            address: region.address,
            size: region.bytes.len(),
            live: region.live,
            map: &region.map,
        });
    }
    write("listing.txt", listing.as_bytes())?;
    write("map.json", &serde_json::to_vec_pretty(&map)?)
}

//! Listings: guest instructions by function, with the host code made for them where asked for.
//!
//! These are the structures that `rvjit disasm --json` writes; the field names are its interface. Addresses and offsets
//! are numbers, `schema` changes when a field changes its meaning.

use super::functions::Function;
use crate::elf::Image;
use crate::jit::view::preview::{self, Ahead, HostInsn};
use crate::memory::{Memory, Placement};
use crate::platform::scan::Known;
use crate::report::names::{demangle, symbol_offset};
use crate::rv32::{Insn, Reg};
use serde::Serialize;

/// The version of the JSON.
pub const SCHEMA: u32 = 1;

/// Functions of a program.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listing {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The program's path.
    pub program: String,
    /// The host that the code is for: `arm64` or `x86-64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<&'static str>,
    /// How that code reaches guest memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<&'static str>,
    /// By address.
    pub functions: Vec<FunctionListing>,
}

impl Listing {
    /// Takes the operations out again, for readers who did not ask for them.
    pub fn leave_out_ops(&mut self) {
        let insns = self.functions.iter_mut().flat_map(|f| &mut f.insns);
        insns.for_each(|insn| insn.ops = None);
    }
}

/// A function.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FunctionListing {
    /// Its name in the symbol table.
    pub name: String,
    /// Its name as a person wrote it, for names that Rust or C++ mangled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demangled: Option<String>,
    /// Guest address.
    pub address: u32,
    /// Bytes of guest code.
    pub bytes: u32,
    /// Its instructions.
    pub insns: Vec<InsnListing>,
    /// Its host code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostListing>,
}

/// A guest instruction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InsnListing {
    /// Guest address.
    pub pc: u32,
    /// The word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<u32>,
    /// Its bytes: 2 or 4.
    pub len: u32,
    /// The text.
    pub text: String,
    /// What the instruction jumps to or addresses, where the lines before it tell: `symbol+0x10`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// The operations that the optimiser made of it, for the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ops: Option<Vec<String>>,
    /// Its host code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Vec<HostInsnListing>>,
}

/// A function's host code in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostListing {
    /// Its place in the code.
    pub offset: u32,
    /// Host instructions of the lines.
    pub insns: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Host instructions for each guest instruction.
    pub expansion: f64,
    /// Bytes of the cold code.
    pub cold_bytes: usize,
    /// What is behind the lines and hardly ever executed: exits, slow paths.
    pub cold: Vec<HostInsnListing>,
}

/// A host instruction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostInsnListing {
    /// Its place in the code.
    pub offset: u32,
    /// Its bytes in hexadecimal, in the order of memory.
    pub bytes: String,
    /// Its text.
    pub text: String,
}

/// Lists functions. `code` is what was made of the same functions.
#[must_use]
pub fn list(
    program: String,
    image: &Image,
    memory: &mut Memory,
    functions: &[Function],
    code: Option<(&Ahead, Placement)>,
) -> Listing {
    let of_function = |(n, function): (usize, &Function)| {
        let made = code.and_then(|(ahead, _)| Some((ahead, ahead.functions.get(n)?)));
        let insns = guest_insns(image, memory, function);
        with_host(function, insns, made)
    };
    Listing {
        schema: SCHEMA,
        program,
        target: code.map(|(ahead, _)| ahead.host.name()),
        placement: code.map(|(_, placement)| placement.name()),
        functions: functions.iter().enumerate().map(of_function).collect(),
    }
}

fn guest_insns(image: &Image, memory: &mut Memory, function: &Function) -> Vec<InsnListing> {
    let mut known = Known::default();
    let mut pc = function.range.start;
    let mut listed = Vec::new();
    while pc < function.range.end {
        let fetched = memory.fetch_insn(image.isa(), pc).ok();
        let insn = fetched.and_then(|fetched| fetched.insn);
        let symbol = insn
            .and_then(|insn| reference(insn, pc, &known))
            .and_then(|addr| symbol_at(image, addr));
        match insn {
            Some(Insn::Jal { .. } | Insn::Jalr { .. } | Insn::Ecall | Insn::Ebreak) | None => {
                known = Known::default();
            }
            Some(insn) => known.compute(insn, pc),
        }
        listed.push(InsnListing {
            pc,
            word: fetched.map(|fetched| fetched.bits),
            len: fetched.map_or(image.isa().alignment(), |fetched| fetched.len),
            text: fetched.map_or_else(String::new, |fetched| fetched.text()),
            symbol,
            ops: None,
            host: None,
        });
        let last = listed.last().map_or(4, |insn: &InsnListing| insn.len);
        let Some(next) = pc.checked_add(last) else {
            break;
        };
        pc = next;
    }
    listed
}

/// The address that an instruction is about.
fn reference(insn: Insn, pc: u32, known: &Known) -> Option<u32> {
    let based = |base: Reg, offset: i32| {
        let base = known.get(base).filter(|_| !base.is_zero())?;
        Some(base.wrapping_add_signed(offset))
    };
    match insn {
        Insn::Jal { offset, .. } | Insn::Branch { offset, .. } => {
            Some(pc.wrapping_add_signed(offset))
        }
        Insn::Jalr { rs1, offset, .. }
        | Insn::Load { rs1, offset, .. }
        | Insn::Store { rs1, offset, .. } => based(rs1, offset),
        Insn::AluImm {
            op: crate::rv32::AluOp::Add,
            rs1,
            imm,
            ..
        } => based(rs1, imm),
        Insn::AluImm { .. }
        | Insn::Lui { .. }
        | Insn::Auipc { .. }
        | Insn::Alu { .. }
        | Insn::Mul { .. }
        | Insn::Fence { .. }
        | Insn::FenceI { .. }
        | Insn::Csr { .. }
        | Insn::Ecall
        | Insn::Ebreak
        | Insn::Atomic { .. }
        | Insn::Bits { .. }
        | Insn::BitsImm { .. }
        | Insn::Unary { .. }
        | Insn::Privileged(_) => None,
    }
}

/// `symbol` or `symbol+0x10`, for code and data; `None` for addresses outside the program.
fn symbol_at(image: &Image, addr: u32) -> Option<String> {
    if let Some(name) = symbol_offset(image, addr) {
        return Some(name);
    }
    let segment = image.segment_at(addr)?;
    let entries = image.symbols().entries();
    let before = entries.get(..entries.partition_point(|s| s.addr <= addr))?;
    let symbol = before.last().filter(|s| segment.contains(s.addr))?;
    let offset = addr - symbol.addr;
    let name = demangle(&symbol.name);
    match offset {
        0 => Some(name),
        _ if offset < symbol.size => Some(format!("{name}+{offset:#x}")),
        _ => None,
    }
}

fn with_host(
    function: &Function,
    mut insns: Vec<InsnListing>,
    made: Option<(&Ahead, &preview::Function)>,
) -> FunctionListing {
    let host = made.map(|(ahead, made)| {
        let list = |insns: &[HostInsn]| insns.iter().map(|i| host_insn(ahead, i)).collect();
        for insn in &mut insns {
            let line = made.lines.partition_point(|line| line.pc < insn.pc);
            let line = made.lines.get(line).filter(|line| line.pc == insn.pc);
            insn.ops = Some(line.map_or_else(Vec::new, |line| line.ops.clone()));
            insn.host = Some(line.map_or_else(Vec::new, |line| list(&line.host)));
        }
        #[expect(clippy::cast_precision_loss, reason = "no function is that large")]
        let expansion = made.host_insns() as f64 / made.lines.len().max(1) as f64;
        HostListing {
            offset: made.host.start.0,
            insns: made.host_insns(),
            bytes: made.host_bytes(),
            expansion,
            cold_bytes: made.cold.iter().map(|insn| insn.len).sum(),
            cold: list(&made.cold),
        }
    });
    FunctionListing {
        demangled: Some(demangle(&function.name)).filter(|name| *name != function.name),
        name: function.name.clone(),
        address: function.range.start,
        bytes: function.range.end - function.range.start,
        insns,
        host,
    }
}

fn host_insn(ahead: &Ahead, insn: &HostInsn) -> HostInsnListing {
    let at = insn.at.0 as usize;
    let bytes = ahead.code.get(at..at + insn.len).unwrap_or_default();
    HostInsnListing {
        offset: insn.at.0,
        bytes: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        text: insn.text.clone(),
    }
}

//! The lines of a trace.

use super::{Kind, MemoryAccess, Step};
use crate::cpu::Privilege;
use crate::elf::Image;
use crate::report::names::symbol_offset;
use crate::rv32::{Insn, Reg};
use serde_json::{Map, Value, json};

/// A call or a return (Unprivileged spec 2.5, the hints to the return-address stack).
fn transfer(step: &Step) -> Option<&'static str> {
    let links = |reg: Reg| reg == Reg::RA || reg == Reg::T0;
    match step.insn {
        Insn::Jal { rd, .. } | Insn::Jalr { rd, .. } if links(rd) => Some("call"),
        Insn::Jalr { rd, rs1, .. } if rd.is_zero() && links(rs1) => Some("return"),
        _ => None,
    }
}

/// What a load or store moved.
fn moved(step: &Step, access: MemoryAccess) -> u32 {
    match step.written {
        Some((_, value)) if !access.store => value & (u32::MAX >> (32 - 8 * access.width)),
        _ => access.value,
    }
}

fn name(image: &Image, pc: u32) -> String {
    symbol_offset(image, pc).map_or_else(String::new, |name| format!(" <{name}>"))
}

/// A line for people; `None` where the instruction does nothing of that kind.
pub(super) fn text(kind: Kind, step: &Step, image: &Image) -> Option<String> {
    let pc = step.pc;
    Some(match kind {
        Kind::Insn => {
            let text = step.fetched.text().replace('\t', " ");
            format!("insn  {pc:#010x}{}: {text}", name(image, pc))
        }
        Kind::Block => format!("block {pc:#010x}{}", name(image, pc)),
        Kind::Call => {
            let what = transfer(step)?;
            let arrow = if what == "call" { "->" } else { "<-" };
            format!(
                "call  {pc:#010x}{} {arrow} {:#010x}{}",
                name(image, pc),
                step.next,
                name(image, step.next)
            )
        }
        Kind::Mem => {
            let access = step.access?;
            let digits = 2 + 2 * access.width as usize;
            format!(
                "mem   {pc:#010x} {} {} bytes at {:#010x}: {:#0digits$x}",
                if access.store { "writes" } else { "reads" },
                access.width,
                access.addr,
                moved(step, access)
            )
        }
        Kind::Regs => {
            let (reg, value) = step.written?;
            format!("regs  {pc:#010x} {reg} = {value:#010x}")
        }
    })
}

/// An object for programs; `None` where the instruction does nothing of that kind.
pub(super) fn json(kind: Kind, step: &Step, image: &Image) -> Option<String> {
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
    set("pc", json!(step.pc));
    match kind {
        Kind::Insn => {
            set("event", json!("insn"));
            set("word", json!(step.fetched.bits));
            let text = step.fetched.text().replace('\t', " ");
            set("text", json!(text));
        }
        Kind::Block => {
            set("event", json!("block"));
        }
        Kind::Call => {
            set("event", json!(transfer(step)?));
            set("target", json!(step.next));
        }
        Kind::Mem => {
            let access = step.access?;
            set("event", json!(if access.store { "store" } else { "load" }));
            set("address", json!(access.addr));
            set("size", json!(access.width));
            set("value", json!(moved(step, access)));
        }
        Kind::Regs => {
            let (reg, value) = step.written?;
            set("event", json!("register"));
            set("register", json!(reg.name()));
            set("value", json!(value));
        }
    }
    if let Some(symbol) = symbol_offset(image, step.pc) {
        set("symbol", json!(symbol));
    }
    Some(Value::Object(object).to_string())
}

/// A line of Spike's commit log (`--log-commits`), as of version 1.1.
pub(super) fn spike(step: &Step) -> String {
    let digits = step.fetched.digits();
    let privilege = match step.privilege {
        Privilege::User => 0,
        Privilege::Machine => 3,
    };
    let mut line = format!("core   0: {privilege} {:#010x} (0x{digits})", step.pc);
    let result = step.written.filter(|_| step.insn != Insn::Ecall);
    if let Some((reg, value)) = result {
        line += &format!(" x{:<2} {value:#010x}", reg.index());
    }
    if let Some(access) = step.access {
        line += &format!(" mem {:#010x}", access.addr);
        if access.store {
            let digits = 2 + 2 * access.width as usize;
            line += &format!(" {:#0digits$x}", access.value);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rv32::{Fetched, decode};

    #[test]
    fn lines_of_spike() {
        let step = |word: u32, written, access| Step {
            pc: 0x8000_0000,
            fetched: Fetched {
                pc: 0x8000_0000,
                bits: word,
                len: 4,
                insn: decode(word),
            },
            insn: decode(word).unwrap(),
            privilege: Privilege::Machine,
            access,
            written,
            next: 0x8000_0004,
        };
        let access = |store, width, value| {
            Some(MemoryAccess {
                store,
                addr: 0x8000_1000,
                width,
                value,
            })
        };
        let x = |n| Reg::new(n).unwrap();
        let rows = [
            (
                step(0x0000_0297, Some((x(5), 0x8000_0000)), None),
                "core   0: 3 0x80000000 (0x00000297) x5  0x80000000",
            ),
            (
                step(0x0182_a283, Some((x(5), 7)), access(false, 4, 0)),
                "core   0: 3 0x80000000 (0x0182a283) x5  0x00000007 mem 0x80001000",
            ),
            (
                step(0x0052_8023, None, access(true, 1, 0xab)),
                "core   0: 3 0x80000000 (0x00528023) mem 0x80001000 0xab",
            ),
            (
                step(0x13, None, None),
                "core   0: 3 0x80000000 (0x00000013)",
            ),
        ];
        for (step, line) in rows {
            assert_eq!(spike(&step), line);
        }
    }
}

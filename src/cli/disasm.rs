//! `rvjit disasm`: guest instructions, and the host code made for them, as text, JSON or an object file.

use super::args::{PlacementArg, PlatformArg};
use super::color::{ColorArg, Painter, Role};
use super::output::{Output, refuse_program};
use super::{Failure, print};
use crate::elf::Image;
use crate::inspect::functions::{Function, functions, in_range, named};
use crate::inspect::listing::{FunctionListing, HostInsnListing, InsnListing, Listing, list};
use crate::inspect::{loaded, object};
use crate::jit::back::translate::Mode;
use crate::jit::view::preview::{self, Host, translate_ahead};
use crate::machine::MachineError;
use crate::memory::Placement;
use crate::report::names::{demangle, plain};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;

/// Shows a program's instructions and the code made of them, without running it.
#[derive(Debug, Args)]
pub(super) struct DisasmArgs {
    /// Shows the host code for each guest instruction beside it
    #[arg(long)]
    pub(super) jit: bool,
    /// Shows the operations between guest and host: what the optimiser made of each instruction
    #[arg(long)]
    pub(super) ops: bool,
    /// The host that the code is for [default: this one]
    #[arg(long, value_name = "HOST")]
    pub(super) target: Option<HostArg>,
    /// What the program takes its surroundings to be
    #[arg(long, value_name = "PLATFORM", default_value = "auto")]
    pub(super) platform: PlatformArg,
    /// How the code reaches the program's memory
    #[arg(long, value_name = "PLACEMENT", default_value = "auto")]
    pub(super) placement: PlacementArg,
    /// Only this function (repeatable)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["range", "all"])]
    pub(super) func: Vec<String>,
    /// Only what lies from A up to B, addresses or symbols
    #[arg(long, value_name = "A..B", conflicts_with = "all")]
    pub(super) range: Option<String>,
    /// All functions, as without --func and --range
    #[arg(long)]
    pub(super) all: bool,
    /// Writes JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Writes the host code to this file as an ELF object; shows nothing without --jit, --ops or --json
    #[arg(long, value_name = "FILE.o")]
    pub(super) emit: Option<PathBuf>,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorArg,
    /// The program
    #[arg(value_name = "PROG")]
    pub(super) program: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostArg(pub(super) Host);

impl ValueEnum for HostArg {
    fn value_variants<'a>() -> &'a [HostArg] {
        &[HostArg(Host::Arm64), HostArg(Host::X86_64)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

pub(super) fn disasm(args: &DisasmArgs) -> Result<u8, Failure> {
    let name = plain(&args.program.display().to_string());
    let translates = args.jit || args.ops || args.emit.is_some();
    if args.target.is_some() && !translates {
        return Err(Failure::own("--target needs --jit, --ops or --emit"));
    }
    if args.placement.0.is_some() && !translates {
        return Err(Failure::own("--placement needs --jit, --ops or --emit"));
    }
    refuse_program(&args.program, args.emit.as_deref())?;
    let machine = |error: MachineError| Failure {
        message: format!("{name}: {error}"),
        status: error.status(),
    };
    let image = Image::open(&args.program).map_err(|error| machine(error.into()))?;
    let mut loaded = loaded(&image, args.platform.0, 1).map_err(machine)?;
    let placements = loaded.placements(&image);
    let memory = &mut loaded.memory;
    let all = functions(&image, memory);
    let chosen = choose(args, &image, &all)?;
    let made = if translates {
        // The one that a run would begin with.
        let best = placements.first().copied().unwrap_or(Placement::Paged);
        let placement = args.placement.0.unwrap_or(best);
        let ranges: Vec<Range<u32>> = chosen.iter().map(|f| f.range.clone()).collect();
        let options = preview::options(placement, image.isa());
        let ahead = translate_ahead(host(args)?, options, Mode::default(), memory, &ranges);
        Some((ahead, placement))
    } else {
        None
    };
    if let (Some(path), Some((ahead, _))) = (&args.emit, &made) {
        let bytes = object::write(ahead, &chosen).map_err(Failure::own)?;
        Output::new(path).write(&bytes)?;
        if !args.jit && !args.ops && !args.json {
            return Ok(0);
        }
    }
    let code = made.as_ref().map(|(ahead, placement)| (ahead, *placement));
    let mut listing = list(name, &image, memory, &chosen, code);
    if !args.ops {
        listing.leave_out_ops();
    }
    if args.json {
        print(|mut out| {
            serde_json::to_writer(&mut out, &listing)?;
            writeln!(out)
        })?;
    } else {
        let painter = Painter::new(args.color, &io::stdout());
        print(|out| show(out, painter, &listing, args.jit))?;
    }
    Ok(0)
}

fn choose(args: &DisasmArgs, image: &Image, all: &[Function]) -> Result<Vec<Function>, Failure> {
    if let Some(range) = &args.range {
        return in_range(all, image, range).map_err(Failure::own);
    }
    if args.func.is_empty() {
        return Ok(all.to_vec());
    }
    let mut chosen = Vec::new();
    for name in &args.func {
        chosen.extend(named(all, name).map_err(Failure::own)?);
    }
    chosen.sort_by_key(|f| f.range.start);
    chosen.dedup();
    Ok(chosen)
}

fn host(args: &DisasmArgs) -> Result<Host, Failure> {
    let own = || Host::own().ok_or_else(|| Failure::own("this host has no JIT: write --target"));
    args.target.map_or_else(own, |host| Ok(host.0))
}

fn show(out: &mut dyn Write, painter: Painter, listing: &Listing, jit: bool) -> io::Result<()> {
    if let (Some(target), Some(placement)) = (listing.target, listing.placement) {
        writeln!(out, "{}: {target}, {placement} placement", listing.program)?;
    } else {
        writeln!(out, "{}:", listing.program)?;
    }
    for function in &listing.functions {
        show_function(out, painter, function, jit)?;
    }
    let hosts = || listing.functions.iter().filter_map(|f| f.host.as_ref());
    if listing.functions.len() > 1 && hosts().next().is_some() {
        let guest: usize = listing.functions.iter().map(|f| f.insns.len()).sum();
        let bytes: u32 = listing.functions.iter().map(|f| f.bytes).sum();
        let totals = Totals {
            guest: (guest, bytes as usize),
            host: (
                hosts().map(|h| h.insns).sum(),
                hosts().map(|h| h.bytes).sum(),
            ),
            cold: (
                hosts().map(|h| h.cold.len()).sum(),
                hosts().map(|h| h.cold_bytes).sum(),
            ),
        };
        let functions = listing.functions.len();
        writeln!(out, "\ntotal of {functions} functions: {totals}")?;
    }
    Ok(())
}

/// Instructions and bytes.
struct Totals {
    guest: (usize, usize),
    host: (usize, usize),
    cold: (usize, usize),
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "no program is that large")]
        let expansion = self.host.0 as f64 / self.guest.0.max(1) as f64;
        write!(
            f,
            "{} guest instructions ({} bytes), {} host instructions ({} bytes) + {} cold ({} bytes), expansion {expansion:.2}",
            self.guest.0, self.guest.1, self.host.0, self.host.1, self.cold.0, self.cold.1
        )
    }
}

fn show_function(
    out: &mut dyn Write,
    painter: Painter,
    function: &FunctionListing,
    jit: bool,
) -> io::Result<()> {
    let name = painter.paint(Role::Symbol, &demangle(&function.name));
    write!(out, "\n{:08x} <{name}>:", function.address)?;
    let Some(host) = &function.host else {
        writeln!(out)?;
        for insn in &function.insns {
            writeln!(out, "{}", guest_line(painter, insn))?;
        }
        return Ok(());
    };
    let totals = Totals {
        guest: (function.insns.len(), function.bytes as usize),
        host: (host.insns, host.bytes),
        cold: (host.cold.len(), host.cold_bytes),
    };
    writeln!(out, " {totals}")?;
    for insn in &function.insns {
        let (text, width) = guest_column(painter, insn);
        let pad = " ".repeat(COLUMN.saturating_sub(width));
        let ops = insn.ops.iter().flatten().map(|op| format!("; {op}"));
        let host = insn.host.iter().flatten().filter(|_| jit);
        let mut lines = ops.chain(host.map(|line| host_line(painter, line)));
        match lines.next() {
            Some(first) => writeln!(out, "{text}{pad} | {first}")?,
            None => writeln!(out, "{text}{pad} |")?,
        }
        let blank = " ".repeat(COLUMN);
        for line in lines {
            writeln!(out, "{blank} | {line}")?;
        }
    }
    if !jit {
        return Ok(());
    }
    if !host.cold.is_empty() {
        writeln!(out, "{:COLUMN$} |", "   cold:")?;
    }
    for line in &host.cold {
        writeln!(out, "{:COLUMN$} | {}", "", host_line(painter, line))?;
    }
    Ok(())
}

/// Width of the guest's column.
const COLUMN: usize = 58;

/// As objdump prints it: `   10074:\tff010113          \taddi\tsp,sp,-16`.
fn guest_line(painter: Painter, insn: &InsnListing) -> String {
    let place = format!("{:8x}:", insn.pc);
    let word = digits(insn);
    let (mnemonic, operands) = insn.text.split_once('\t').unwrap_or((&insn.text, ""));
    let mut text = format!(
        "{}\t{word}          \t{}",
        painter.paint(Role::Faint, &place),
        painter.paint(Role::Mnemonic, mnemonic)
    );
    if !operands.is_empty() {
        let _ = write!(text, "\t{operands}");
    }
    if let Some(symbol) = &insn.symbol {
        let _ = write!(text, " <{}>", painter.paint(Role::Symbol, symbol));
    }
    text
}

/// The instruction's bits.
fn digits(insn: &InsnListing) -> String {
    let width = 2 * insn.len as usize;
    insn.word
        .map_or_else(String::new, |word| format!("{word:0width$x}"))
}

/// The same without tabs, and its width.
fn guest_column(painter: Painter, insn: &InsnListing) -> (String, usize) {
    let place = format!("{:8x}:", insn.pc);
    let word = digits(insn);
    let (mnemonic, operands) = insn.text.split_once('\t').unwrap_or((&insn.text, ""));
    let symbol = insn.symbol.as_ref();
    let symbol = symbol.map_or_else(String::new, |s| format!(" <{}>", s));
    let plain = format!("{place} {word} {mnemonic:7} {operands}{symbol}");
    let painted = format!(
        "{} {} {}{} {operands}{}",
        painter.paint(Role::Faint, &place),
        painter.paint(Role::Faint, &word),
        painter.paint(Role::Mnemonic, mnemonic),
        " ".repeat(7usize.saturating_sub(mnemonic.len())),
        painter.paint(Role::Symbol, &symbol)
    );
    (painted, plain.chars().count())
}

fn host_line(painter: Painter, insn: &HostInsnListing) -> String {
    let place = painter.paint(Role::Faint, &format!("{:6x}:", insn.offset));
    let (mnemonic, operands) = insn
        .text
        .split_once([' ', '\t'])
        .unwrap_or((&insn.text, ""));
    let mnemonic = painter.paint(Role::Mnemonic, mnemonic);
    match operands {
        "" => format!("{place}  {mnemonic}"),
        _ => format!("{place}  {mnemonic} {operands}"),
    }
}

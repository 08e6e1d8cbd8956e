//! `rvjit info`: whether a program will run, and if not why, as text or JSON.

use super::args::PlatformArg;
use super::color::{ColorArg, Painter, Role};
use super::{Failure, print};
use crate::inspect::info::{CallInfo, Foreign, ImageInfo, Info};
use crate::report::names::{plain, printable};
use clap::Args;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

/// Says whether a program will run, and if not why, without running it.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 if it will run as far as can be told, 126 if not, 127 if there is no such file"
)]
pub(super) struct InfoArgs {
    /// Writes JSON
    #[arg(long)]
    pub(super) json: bool,
    /// What the program takes its surroundings to be
    #[arg(long, value_name = "PLATFORM", default_value = "auto")]
    pub(super) platform: PlatformArg,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorArg,
    /// The program
    #[arg(value_name = "PROG")]
    pub(super) program: PathBuf,
}

pub(super) fn info(args: &InfoArgs) -> Result<u8, Failure> {
    let name = args.program.display().to_string();
    let info = Info::of(&args.program, name, args.platform.0);
    if args.json {
        print(|mut out| {
            serde_json::to_writer_pretty(&mut out, &info)?;
            writeln!(out)
        })?;
    } else {
        let painter = Painter::new(args.color, &io::stdout());
        print(|out| out.write_all(text(painter, &info).as_bytes()))?;
    }
    Ok(info.status)
}

/// The most places that are listed of one kind.
const MOST: usize = 8;

fn text(painter: Painter, info: &Info) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write_text(&mut text, painter, info);
    text
}

fn write_text(t: &mut String, painter: Painter, info: &Info) -> std::fmt::Result {
    if info.runs {
        let verdict = painter.paint(Role::Good, "will run");
        writeln!(t, "{}: {verdict}", plain(&info.program))?;
    }
    for problem in &info.problems {
        let verdict = painter.paint(Role::Bad, "will not run");
        writeln!(t, "{}: {verdict}: {}", plain(&info.program), plain(problem))?;
    }
    if let Some(arch) = &info.arch {
        write!(t, "  built for      {}", printable(arch))?;
        if !info.unsupported_extensions.is_empty() {
            let names = info.unsupported_extensions.join(", ");
            write!(t, " (rvjit does not have {})", printable(&names))?;
        }
        writeln!(t)?;
    }
    match &info.image {
        Some(image) => write_image(t, painter, image),
        None => Ok(()),
    }
}

fn write_image(t: &mut String, painter: Painter, image: &ImageInfo) -> std::fmt::Result {
    let reasons = match image.platform_reasons.is_empty() {
        true => "nothing speaks for another".to_owned(),
        false => image.platform_reasons.join("; "),
    };
    writeln!(t, "  platform       {}: {reasons}", image.platform)?;
    writeln!(t, "  libc           {}", image.libc)?;
    let interfaces = match image.interfaces.is_empty() {
        true => "none that a scan finds".to_owned(),
        false => image.interfaces.join(", "),
    };
    writeln!(t, "  interface      {interfaces}")?;
    writeln!(t, "  entry          {:#010x}", image.entry)?;
    for segment in &image.segments {
        writeln!(
            t,
            "  segment        {:#010x} {} {} bytes, {} from the file",
            segment.address, segment.permissions, segment.size, segment.file_size
        )?;
    }
    writeln!(
        t,
        "  memory         {} KiB for segments; stack and heap as they are used",
        image.memory.segment_pages * 4
    )?;
    writeln!(t, "  placements     {}", image.memory.placements.join(", "))?;
    writeln!(
        t,
        "  code           functions: {}, instructions: {}",
        image.functions, image.instructions
    )?;
    for call in &image.syscalls {
        write_call(t, painter, "system call", call)?;
    }
    for call in &image.semihosting {
        write_call(t, painter, "semihosting", call)?;
    }
    if !image.csrs.is_empty() {
        let csrs: Vec<String> = image.csrs.iter().map(|csr| format!("{csr:#x}")).collect();
        writeln!(t, "  CSRs           {}", csrs.join(", "))?;
    }
    for foreign in image.foreign.iter().take(MOST) {
        write_foreign(t, painter, foreign, image.handles_traps)?;
    }
    match image.foreign.len().checked_sub(MOST) {
        Some(more @ 1..) => writeln!(t, "  not executable and {more} more"),
        _ => Ok(()),
    }
}

fn write_call(t: &mut String, painter: Painter, kind: &str, call: &CallInfo) -> std::fmt::Result {
    let what = match (call.number, call.name) {
        (Some(number), Some(name)) => format!("{number} {name}"),
        (Some(number), None) => {
            let unknown = painter.paint(Role::Bad, "not supported: returns ENOSYS");
            format!("{number} ({unknown})")
        }
        (None, _) => "of a number that is computed".to_owned(),
    };
    let sites: Vec<String> = call
        .sites
        .iter()
        .take(MOST)
        .map(|pc| format!("{pc:#010x}"))
        .collect();
    let more = match call.sites.len().checked_sub(MOST) {
        Some(more @ 1..) => format!(" and {more} more"),
        _ => String::new(),
    };
    writeln!(t, "  {kind:14} {what}, at {}{more}", sites.join(", "))
}

fn write_foreign(
    t: &mut String,
    painter: Painter,
    foreign: &Foreign,
    handled: bool,
) -> std::fmt::Result {
    let place = foreign.symbol.as_deref().unwrap_or("no function");
    let reach = match foreign.from_entry {
        true if handled => "for the program's trap handler".to_owned(),
        true => painter.paint(Role::Bad, "reached from the entry"),
        false => "not reached from the entry by direct jumps".to_owned(),
    };
    let name = match foreign.guess.as_str() {
        "" => "no known instruction",
        name => name,
    };
    writeln!(
        t,
        "  not executable {:#010x} ({place}): {:#010x}, {name}; {reach}",
        foreign.address, foreign.word
    )
}

//! What can be typed.

use super::color::ColorArg;
use super::disasm::DisasmArgs;
use super::docs::CompletionsArgs;
use super::info::InfoArgs;
use super::observe::ObserveArgs;
use crate::machine::EngineKind;
use crate::memory::{MemoryConfig, PAGE_COUNT, PAGE_SIZE, Placement};
use crate::platform::Platform;
use crate::syscall::DirGrant;
use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// Runs static 32-bit RISC-V programs at close to native speed and says exactly what happened.
#[derive(Debug, Parser)]
#[command(name = "rvjit", version, arg_required_else_help = true)]
#[command(after_help = "'rvjit PROG' is short for 'rvjit run PROG'.")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs a program.
    Run(Box<RunArgs>),
    /// Shows instructions and the code made of them.
    Disasm(DisasmArgs),
    /// Says whether a program will run.
    Info(InfoArgs),
    /// Writes a completion script for a shell.
    Completions(CompletionsArgs),
    /// Writes the man page.
    Man,
}

/// Runs a program: a static RV32 ELF file. Its exit status is passed on.
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUSES)]
pub(super) struct RunArgs {
    /// What executes the program
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    pub(super) engine: EngineArg,
    /// The most memory that the program may use
    #[arg(long, value_name = "SIZE", default_value = "255M", value_parser = memory_pages)]
    pub(super) memory: Pages,
    /// The size of its stack
    #[arg(long, value_name = "SIZE", default_value = "8M", value_parser = stack_size)]
    pub(super) stack: u32,
    /// Lets code in its stack be executed, as GCC's nested functions need
    #[arg(long)]
    pub(super) exec_stack: bool,
    /// The most memory for translated code
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(super) code_cache: Option<u64>,
    /// How often code is interpreted before it is translated
    #[arg(long, value_name = "N")]
    pub(super) hot: Option<u8>,
    /// What the program takes its surroundings to be
    #[arg(long, value_name = "PLATFORM", default_value = "auto")]
    pub(super) platform: PlatformArg,
    /// RAM of a bare machine, where not what its segments suggest (repeatable)
    #[arg(long, value_name = "A..B", value_parser = parse_range)]
    pub(super) ram: Vec<Range<u64>>,
    /// Where a bare machine has its UART [default: 0x10000000]
    #[arg(long, value_name = "ADDR|none", value_parser = device)]
    pub(super) uart: Option<DevicePlace>,
    /// Where a bare machine has its test finisher [default: 0x100000]
    #[arg(long, value_name = "ADDR|none", value_parser = device)]
    pub(super) finisher: Option<DevicePlace>,
    /// What a zkVM guest reads: the next item of its input (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(super) input: Vec<PathBuf>,
    /// Writes what a zkVM guest commits to (public values, journal) to this file
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// How translated code reaches the program's memory
    #[arg(long, value_name = "PLACEMENT", default_value = "auto")]
    pub(super) placement: PlacementArg,
    /// The program's name as it sees it itself [default: PROG]
    #[arg(long, value_name = "NAME")]
    pub(super) argv0: Option<OsString>,
    /// A variable for its environment, which is empty otherwise (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) env: Vec<OsString>,
    /// A directory that it may use (repeatable)
    #[arg(long, value_name = "HOST[::GUEST][:ro]", value_parser = |text: &str| DirGrant::parse(text))]
    pub(super) dir: Vec<DirGrant>,
    /// Ends the run after so many instructions, counted exactly
    #[arg(long, value_name = "N")]
    pub(super) max_insns: Option<u64>,
    /// Ends the run after this time: 10s, 500ms, 2m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) timeout: Option<Duration>,
    /// Makes a misaligned load or store a fault
    #[arg(long)]
    pub(super) strict_align: bool,
    /// Shows each system call on standard error
    #[arg(long)]
    pub(super) strace: bool,
    /// Shows on standard error how long loading and running took
    #[arg(long)]
    pub(super) time: bool,
    /// Writes how the run ended to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Writes the words between begin_signature and end_signature to this file (riscv-arch-test)
    #[arg(long, value_name = "FILE")]
    pub(super) signature: Option<PathBuf>,
    /// When to use colours in reports on standard error
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorArg,
    #[command(flatten)]
    pub(super) observe: ObserveArgs,
    /// The program, and behind it its own arguments as they are
    #[arg(required = true, trailing_var_arg = true, value_names = ["PROG", "ARGS"])]
    pub(super) command_line: Vec<OsString>,
}

impl RunArgs {
    /// What `rvjit run PROG ARGS` means, without any option. Most runs are such, and building the definition of all
    /// options takes as long as a short program.
    pub(super) fn plain(command_line: Vec<OsString>) -> RunArgs {
        RunArgs {
            engine: EngineArg(EngineKind::Auto),
            memory: Pages(MemoryConfig::default().limit_pages),
            stack: 8 << 20,
            exec_stack: false,
            code_cache: None,
            hot: None,
            platform: PlatformArg(None),
            ram: Vec::new(),
            uart: None,
            finisher: None,
            input: Vec::new(),
            output: None,
            placement: PlacementArg(None),
            argv0: None,
            env: Vec::new(),
            dir: Vec::new(),
            max_insns: None,
            timeout: None,
            strict_align: false,
            strace: false,
            time: false,
            report: None,
            signature: None,
            color: ColorArg::Auto,
            observe: ObserveArgs::default(),
            command_line,
        }
    }
}

const EXIT_STATUSES: &str = "\
Exit status: the program's own, or
  124  --timeout is reached, or a bare machine waits for what cannot come, or traps for ever
  125  an error of rvjit itself, or of its command line
  126  the file cannot be run
  127  the file is not found
  130  interrupted: Ctrl-C, SIGTERM
  132  illegal instruction
  133  breakpoint
  135  misaligned jump, or access with --strict-align
  137  out of memory pages
  139  memory fault
  152  --max-insns is reached
  128 + N: it sent itself signal N (134 is abort), or 141: nobody reads its output";

#[derive(Debug, Clone, Copy)]
pub(super) struct EngineArg(pub(super) EngineKind);

impl ValueEnum for EngineArg {
    fn value_variants<'a>() -> &'a [EngineArg] {
        &[
            EngineArg(EngineKind::Auto),
            EngineArg(EngineKind::Jit),
            EngineArg(EngineKind::Interp),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self.0 {
            EngineKind::Auto => "auto",
            EngineKind::Jit => "jit",
            EngineKind::Interp => "interp",
        }))
    }
}

/// `None` is "auto".
#[derive(Debug, Clone, Copy)]
pub(super) struct PlacementArg(pub(super) Option<Placement>);

impl ValueEnum for PlacementArg {
    fn value_variants<'a>() -> &'a [PlacementArg] {
        &[
            PlacementArg(None),
            PlacementArg(Some(Placement::Identity)),
            PlacementArg(Some(Placement::Window)),
            PlacementArg(Some(Placement::Paged)),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.map_or("auto", Placement::name)))
    }
}

/// `None` is "auto".
#[derive(Debug, Clone, Copy)]
pub(super) struct PlatformArg(pub(super) Option<Platform>);

impl ValueEnum for PlatformArg {
    fn value_variants<'a>() -> &'a [PlatformArg] {
        &[
            PlatformArg(None),
            PlatformArg(Some(Platform::Newlib)),
            PlatformArg(Some(Platform::Bare)),
            PlatformArg(Some(Platform::Risc0)),
            PlatformArg(Some(Platform::Sp1)),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.map_or("auto", Platform::name)))
    }
}

/// A decimal or hexadecimal number.
fn number(text: &str) -> Option<u64> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = hex.map_or((text, 10), |digits| (digits, 16));
    // "+5" would parse as a number.
    let plain = digits.chars().all(|c| c.is_digit(radix));
    plain.then(|| u64::from_str_radix(digits, radix).ok())?
}

/// Where a device is; `None` for nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DevicePlace(pub(super) Option<u32>);

fn device(text: &str) -> Result<DevicePlace, String> {
    if text == "none" {
        return Ok(DevicePlace(None));
    }
    match number(text).and_then(|n| u32::try_from(n).ok()) {
        Some(address) if address.is_multiple_of(8) => Ok(DevicePlace(Some(address))),
        Some(_) => Err("the address must be a multiple of 8".to_owned()),
        None => Err("not an address: write 0x10000000, or none".to_owned()),
    }
}

/// `A..B`: addresses, decimal or hexadecimal, B excluded. Whether there can be such memory is looked at later.
fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let bad = || "not a range: write A..B, as in 0x80000000..0x80100000".to_owned();
    let (start, end) = text.split_once("..").ok_or_else(bad)?;
    let range = number(start).zip(number(end)).ok_or_else(bad)?;
    Ok(range.0..range.1)
}

/// A number of guest pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pages(pub(super) u32);

/// Bytes, with K, M or G for KiB, MiB or GiB.
fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    // "+5" would parse as a number.
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("not a size: write 4096, 64K, 16M or 1G".to_owned());
    }
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|n| n.checked_mul(unit))
        .ok_or_else(|| "the size is too large".to_owned())
}

fn memory_pages(text: &str) -> Result<Pages, String> {
    match u32::try_from(parse_size(text)?.div_ceil(PAGE_SIZE.into())) {
        Ok(0) => Err("the size must be 4096 or more".to_owned()),
        Ok(pages) if pages < PAGE_COUNT => Ok(Pages(pages)),
        Ok(_) | Err(_) => Err("the size must be less than 4G".to_owned()),
    }
}

fn stack_size(text: &str) -> Result<u32, String> {
    match u32::try_from(parse_size(text)?) {
        Ok(0) => Err("the size must not be 0".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("the size must be less than 4G".to_owned()),
    }
}

/// A number with a unit, ms, s, m or h; seconds without one.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || "not a duration: write 500ms, 10s, 1.5s, 2m or 1h".to_owned();
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(bad()),
    };
    let number: f64 = number.parse().map_err(|_| bad())?;
    match Duration::try_from_secs_f64(number * unit) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) => Err("the duration must not be 0".to_owned()),
        Err(_) => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes() {
        let rows = [
            ("4096", Some(4096)),
            ("64K", Some(64 << 10)),
            ("16m", Some(16 << 20)),
            ("1G", Some(1 << 30)),
            ("0", Some(0)),
            ("", None),
            ("K", None),
            ("-1", None),
            ("+1", None),
            ("1.5G", None),
            ("1T", None),
            ("1 M", None),
            ("99999999999999999999", None),
            ("18446744073709551615G", None),
            ("é", None),
        ];
        for (text, size) in rows {
            assert_eq!(parse_size(text).ok(), size, "{text}");
        }
        assert_eq!(memory_pages("4097"), Ok(Pages(2)));
        assert_eq!(memory_pages("4095M").map(|p| p.0), Ok(4095 * 256));
        assert!(memory_pages("4G").is_err());
        assert!(memory_pages("0").is_err());
        assert!(stack_size("4G").is_err());
    }

    #[test]
    fn ranges() {
        let rows = [
            ("0x80000000..0x80100000", Some((0x8000_0000, 0x8010_0000))),
            ("0..4096", Some((0, 4096))),
            ("0X10..0x100000000", Some((0x10, 1 << 32))),
            ("4096..0", Some((4096, 0))),
            ("", None),
            ("..", None),
            ("1", None),
            ("1..", None),
            ("0x..1", None),
            ("+1..2", None),
            ("-1..2", None),
            ("1...2", None),
            ("1..2..3", None),
            ("0x10000000000000000..1", None),
        ];
        for (text, range) in rows {
            let expected = range.map(|(start, end)| start..end);
            assert_eq!(parse_range(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn durations() {
        let rows = [
            ("2", Some(2000)),
            ("2s", Some(2000)),
            ("1.5s", Some(1500)),
            ("500ms", Some(500)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("0", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1d", None),
            ("nan", None),
            ("inf", None),
            ("1e999", None),
        ];
        for (text, milliseconds) in rows {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(parse_duration(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn devices_are_somewhere_or_nowhere() {
        assert_eq!(device("none"), Ok(DevicePlace(None)));
        assert_eq!(device("0x10000000"), Ok(DevicePlace(Some(0x1000_0000))));
        for bad in ["", "x", "0x", "0x1", "-8", "+8", "0x100000000", "0x10 "] {
            assert!(device(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn everything_behind_the_program_is_its_own() {
        let parse = |args: &[&str]| match Cli::try_parse_from(args).map(|cli| cli.command) {
            Ok(Command::Run(run)) => Some((run.time, run.command_line)),
            Ok(_) | Err(_) => None,
        };
        type Row = (
            &'static [&'static str],
            Option<(bool, &'static [&'static str])>,
        );
        let rows: [Row; 6] = [
            (
                &["rvjit", "run", "--time", "p", "--time", "-x"],
                Some((true, &["p", "--time", "-x"])),
            ),
            (
                &["rvjit", "run", "p", "--help"],
                Some((false, &["p", "--help"])),
            ),
            (
                &["rvjit", "run", "p", "--", "a", ""],
                Some((false, &["p", "--", "a", ""])),
            ),
            (
                &["rvjit", "run", "--", "-p", "a"],
                Some((false, &["-p", "a"])),
            ),
            (&["rvjit", "run", "--bogus", "p"], None),
            (&["rvjit", "run"], None),
        ];
        for (args, expected) in rows {
            let expected =
                expected.map(|(time, line)| (time, line.iter().map(OsString::from).collect()));
            assert_eq!(parse(args), expected, "{args:?}");
        }
    }
}

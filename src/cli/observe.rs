//! The options that show what a run does, and what comes of them. Nothing here changes a run: everything goes to
//! standard error or to a file.

use super::output::{Output, OutputFolder, cannot_write, create};
use super::patient::{self, Patient};
use super::{Failure, say};
use crate::elf::Image;
use crate::inspect::functions;
use crate::machine::{EngineKind, Exit, Machine, MachineConfig};
use crate::report::coverage::Coverage;
use crate::report::profile::{Every, Profile};
use crate::report::{Stats, dump, perf};
use crate::sys::clock::monotonic_nanoseconds;
use crate::sys::marker::Marker;
use crate::trace::{Format, Kind, TraceConfig, Tracer};
use clap::{Args, ValueEnum};
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "To see inside")]
pub(super) struct ObserveArgs {
    /// Shows on standard error what the run took and what the engine did
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    stats: Option<Form>,
    /// Shows what the program does, of these kinds
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    trace: Vec<KindArg>,
    /// Begins the trace where this address is reached
    #[arg(long, value_name = "SYMBOL|ADDR", requires = "trace")]
    trace_from: Option<String>,
    /// Ends the trace where this address is reached
    #[arg(long, value_name = "SYMBOL|ADDR", requires = "trace")]
    trace_to: Option<String>,
    /// Traces only instructions from A up to B, or of one function
    #[arg(long, value_name = "A..B|SYMBOL", requires = "trace")]
    trace_range: Option<String>,
    /// Ends the trace after so many lines
    #[arg(long, value_name = "N", requires = "trace")]
    trace_limit: Option<u64>,
    /// Shows only the last lines of the trace, and only when the run ends badly
    #[arg(long, value_name = "N", requires = "trace")]
    trace_last: Option<usize>,
    /// How the trace is written; spike is the commit log of that simulator, whatever the kinds
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        requires = "trace"
    )]
    trace_format: FormatArg,
    /// Writes the trace to this file
    #[arg(long, value_name = "FILE", requires = "trace")]
    trace_out: Option<PathBuf>,
    /// Shows the registers at the end, on standard error
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    dump_regs: Option<Form>,
    /// Writes memory, as it is at the end, to a file (repeatable)
    #[arg(long, value_name = "ADDR|SYMBOL+LEN=FILE")]
    dump_mem: Vec<String>,
    /// Writes the emitted code to this folder: bytes, listing, and the map of addresses
    #[arg(long, value_name = "DIR")]
    dump_jit: Option<PathBuf>,
    /// Names the program's functions for Linux perf: /tmp/perf-PID.map, or jit-PID.dump in this folder
    #[arg(long, value_name = "FORM")]
    perf: Option<PerfArg>,
    /// Samples the call stack every millisecond of processor time; a flame graph when the file is an .svg, else folded
    /// stacks
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trace", "coverage"])]
    profile: Option<PathBuf>,
    /// Takes samples every so many instructions instead, so that a profile repeats exactly
    #[arg(long, value_name = "N", requires = "profile", value_parser = clap::value_parser!(u64).range(1..))]
    profile_every: Option<u64>,
    /// Writes which source lines were executed, in the form of lcov
    #[arg(long, value_name = "FILE", conflicts_with = "trace")]
    coverage: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PerfArg {
    Map,
    Jitdump,
}

#[derive(Debug, Clone, Copy)]
struct KindArg(Kind);

impl ValueEnum for KindArg {
    fn value_variants<'a>() -> &'a [KindArg] {
        const ALL: [KindArg; 5] = [
            KindArg(Kind::Insn),
            KindArg(Kind::Block),
            KindArg(Kind::Call),
            KindArg(Kind::Mem),
            KindArg(Kind::Regs),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let name = Kind::ALL.iter().find(|(kind, _)| *kind == self.0)?.1;
        Some(clap::builder::PossibleValue::new(name))
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    #[default]
    Text,
    Json,
    Spike,
}

/// Processor time between two samples.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(1);

/// Writes a text to standard error. Nobody can be told when that fails.
fn show(text: &str) {
    let _ = patient::stderr().write_all(text.as_bytes());
}

fn option_error(option: &str, value: &str, why: &str) -> Failure {
    Failure::own(format_args!("--{option} {value}: {why}"))
}

/// A number or a symbol's address.
fn address(image: &Image, option: &str, text: &str) -> Result<u32, Failure> {
    let why = match text.starts_with(|c: char| c.is_ascii_digit()) {
        true => "not an address",
        false => "the program has no such symbol",
    };
    functions::address(image, text).ok_or_else(|| option_error(option, text, why))
}

fn range(image: &Image, text: &str) -> Result<Range<u64>, Failure> {
    const OPTION: &str = "trace-range";
    if let Some((start, end)) = text.split_once("..") {
        let (start, end) = (address(image, OPTION, start)?, address(image, OPTION, end)?);
        if start >= end {
            return Err(option_error(OPTION, text, "the range is empty"));
        }
        return Ok(start.into()..end.into());
    }
    match image.symbols().by_name(text) {
        Some(symbol) if symbol.size > 0 => {
            let start = u64::from(symbol.addr);
            Ok(start..start + u64::from(symbol.size))
        }
        Some(_) => Err(option_error(
            OPTION,
            text,
            "the symbol has no size; write A..B",
        )),
        None => Err(option_error(OPTION, text, "neither A..B nor a symbol")),
    }
}

/// `ADDR|SYMBOL+LEN=FILE`
fn memory_dump(image: &Image, text: &str) -> Result<MemoryDump, Failure> {
    const OPTION: &str = "dump-mem";
    let bad = || option_error(OPTION, text, "write ADDRESS+LENGTH=FILE");
    let (what, file) = text.split_once('=').ok_or_else(bad)?;
    let (start, len) = what.rsplit_once('+').ok_or_else(bad)?;
    let len = functions::number(len).ok_or_else(bad)?;
    if file.is_empty() {
        return Err(bad());
    }
    Ok(MemoryDump {
        start: address(image, OPTION, start)?,
        len,
        file: Output::new(file.as_ref()),
    })
}

/// What `--dump-mem` asks for.
struct MemoryDump {
    start: u32,
    len: u32,
    file: Output,
}

/// The file of `--perf jitdump`, which perf knows by its being mapped.
struct JitDump {
    file: File,
    start: u64,
    _marker: Marker,
}

/// What watches a run, ready to.
pub(super) struct Observers {
    args: ObserveArgs,
    time: bool,
    tracer: Option<Tracer>,
    coverage: Option<(Coverage, Output)>,
    profile: Option<(Every, Profile, Output)>,
    dumps: Vec<MemoryDump>,
    code: Option<OutputFolder>,
    perf_map: Option<Output>,
    jit_dump: Option<JitDump>,
}

impl ObserveArgs {
    /// Chooses the engine that can be watched.
    pub(super) fn configure(&self, config: &mut MachineConfig) -> Result<(), Failure> {
        let option = match (&self.trace[..], &self.coverage) {
            ([], None) => return Ok(()),
            ([], Some(_)) => "--coverage",
            _ => "--trace",
        };
        if config.engine == EngineKind::Jit {
            return Err(Failure::own(format_args!(
                "{option} needs the interpreter: leave out --engine jit"
            )));
        }
        config.engine = EngineKind::Interp;
        Ok(())
    }

    /// The files that are written.
    pub(super) fn outputs(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.trace_out, &self.profile, &self.coverage];
        let dumps = self.dump_mem.iter().filter_map(|text| text.split_once('='));
        let dumps = dumps.map(|(_, file)| Path::new(file));
        files
            .into_iter()
            .filter_map(|file| file.as_deref())
            .chain(dumps)
    }

    /// Looks up symbols and where files go, none of them to `program`. `time` is `--time`.
    pub(super) fn prepare(
        self,
        program: &Path,
        machine: &mut Machine,
        time: bool,
    ) -> Result<Observers, Failure> {
        if self.stats.is_some() {
            machine.time_calls();
        }
        let image = machine.image();
        let dumps = self.dump_mem.iter().map(|text| memory_dump(image, text));
        let dumps = dumps.collect::<Result<_, _>>()?;
        let tracer = if self.trace.is_empty() {
            None
        } else {
            Some(self.tracer(image)?)
        };
        let jit_dump = match self.perf {
            Some(PerfArg::Jitdump) => Some(JitDump::new(image)?),
            Some(PerfArg::Map) | None => None,
        };
        let perf_map = (self.perf == Some(PerfArg::Map))
            .then(|| Output::new(format!("/tmp/perf-{}.map", std::process::id()).as_ref()));
        let coverage = self.coverage.as_deref();
        let profile = self.profile.as_deref();
        Ok(Observers {
            time,
            tracer,
            coverage: coverage.map(|path| (Coverage::default(), Output::new(path))),
            profile: profile.map(|path| (self.sampled(), Profile::default(), Output::new(path))),
            dumps,
            code: self
                .dump_jit
                .as_deref()
                .map(|folder| OutputFolder::new(folder, program)),
            perf_map,
            jit_dump,
            args: self,
        })
    }

    fn sampled(&self) -> Every {
        self.profile_every
            .map_or(Every::Time(SAMPLE_INTERVAL), Every::Instructions)
    }

    fn tracer(&self, image: &Image) -> Result<Tracer, Failure> {
        let place = |option, text: &Option<String>| {
            let text = text.as_ref();
            text.map(|text| address(image, option, text)).transpose()
        };
        let config = TraceConfig {
            kinds: self.trace.iter().map(|kind| kind.0).collect(),
            from: place("trace-from", &self.trace_from)?,
            to: place("trace-to", &self.trace_to)?,
            range: self
                .trace_range
                .as_ref()
                .map(|text| range(image, text))
                .transpose()?,
            limit: self.trace_limit,
            last: self.trace_last,
            format: match self.trace_format {
                FormatArg::Text => Format::Text,
                FormatArg::Json => Format::Json,
                FormatArg::Spike => Format::Spike,
            },
        };
        // Last: a value that is refused above costs nobody a file.
        let out: Box<dyn Write> = match &self.trace_out {
            Some(path) => {
                let file = create(path).map_err(|error| cannot_write(path, &error))?;
                Box::new(BufWriter::new(Patient(file)))
            }
            None => Box::new(BufWriter::new(patient::stderr())),
        };
        Ok(Tracer::new(config, out))
    }
}

impl Observers {
    /// Runs the machine to its end.
    pub(super) fn run(&mut self, machine: &mut Machine) -> Result<Exit, Failure> {
        if let Some(tracer) = &mut self.tracer {
            return Ok(machine.run_observed(tracer));
        }
        if let Some((coverage, _)) = &mut self.coverage {
            return Ok(machine.run_observed(coverage));
        }
        match &mut self.profile {
            Some((every, profile, _)) => profile
                .run(machine, *every)
                .map_err(|error| Failure::own(format_args!("--profile: no timer: {error}"))),
            None => Ok(machine.run()),
        }
    }

    /// Shows and writes what was asked for, each whatever becomes of the others; returns what failed.
    pub(super) fn finish(
        mut self,
        exit: Exit,
        machine: &Machine,
        load: Duration,
        run: Duration,
    ) -> Vec<Failure> {
        let badly = !matches!(exit, Exit::Status(_));
        let traced = self.tracer.as_mut().map_or(Ok(()), |tracer| {
            let finished = tracer.finish(badly);
            finished.map_err(|error| Failure::own(format_args!("cannot write the trace: {error}")))
        });
        let stats = || Stats::new(machine, load, run);
        if self.time {
            say(&stats().line());
        }
        let mut results = vec![
            traced,
            show_as(
                self.args.stats,
                || stats().to_string(),
                || json_line(&stats()),
            ),
            show_as(
                self.args.dump_regs,
                || dump::registers(machine.cpu()),
                || json_line(&dump::Registers::new(machine.cpu())),
            ),
        ];
        for MemoryDump { start, len, file } in self.dumps {
            let bytes = dump::memory(machine, start, len)
                .map_err(|fault| Failure::own(format_args!("--dump-mem: {fault}")));
            results.push(bytes.and_then(|bytes| file.write(&bytes)));
        }
        let image = machine.image();
        if let Some(folder) = self.code {
            results.push(folder.write(|write| dump::code(&machine.host_code(), write)));
        }
        if let Some(dump) = self.jit_dump {
            results.push(dump.write(machine));
        }
        if let Some(file) = self.perf_map {
            let map = perf::map(image, &machine.host_code());
            results.push(file.write(map.as_bytes()));
        }
        if let Some((coverage, file)) = self.coverage {
            results.push(write_coverage(&coverage, image, file));
        }
        if let Some((every, profile, file)) = self.profile {
            results.push(write_profile(&profile, every, image, file));
        }
        results.into_iter().filter_map(Result::err).collect()
    }
}

impl JitDump {
    /// Makes the file: perf looks at it while the program runs.
    fn new(image: &Image) -> Result<JitDump, Failure> {
        let path = PathBuf::from(format!("jit-{}.dump", std::process::id()));
        let start = monotonic_nanoseconds();
        let made = File::create(&path).and_then(|mut file| {
            file.write_all(&perf::dump(image, &[], start))?;
            Ok(file)
        });
        Ok(JitDump {
            file: made.map_err(|error| cannot_write(&path, &error))?,
            start,
            _marker: Marker::new(&path).map_err(Failure::own)?,
        })
    }

    fn write(mut self, machine: &Machine) -> Result<(), Failure> {
        let bytes = perf::dump(machine.image(), &machine.host_code(), self.start);
        let written = self
            .file
            .rewind()
            .and_then(|()| self.file.write_all(&bytes));
        written.map_err(|error| Failure::own(format_args!("cannot write the jitdump: {error}")))
    }
}

fn write_coverage(coverage: &Coverage, image: &Image, file: Output) -> Result<(), Failure> {
    let info = coverage.info(image).ok_or_else(|| {
        Failure::own("--coverage: the program has no debug information (compile it with -g)")
    })?;
    file.write(info.as_bytes())
}

fn write_profile(
    profile: &Profile,
    every: Every,
    image: &Image,
    file: Output,
) -> Result<(), Failure> {
    let bytes = if file.path().extension().is_some_and(|e| e == "svg") {
        profile.svg(image, every.title()).map_err(Failure::own)?
    } else {
        profile.folded(image).into_bytes()
    };
    file.write(&bytes)
}

/// Writes to standard error what an option asks for.
fn show_as(
    form: Option<Form>,
    text: impl FnOnce() -> String,
    json: impl FnOnce() -> Result<String, Failure>,
) -> Result<(), Failure> {
    match form {
        Some(Form::Text) => show(&text()),
        Some(Form::Json) => show(&json()?),
        None => {}
    }
    Ok(())
}

fn json_line(value: &impl serde::Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string(value).map_err(Failure::own)? + "\n")
}

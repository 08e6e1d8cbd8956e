//! `rvjit run`.

use super::args::RunArgs;
use super::color::{Painter, Role};
use super::observe::ObserveArgs;
use super::output::{Output, refuse_program, refuse_same};
use super::{Failure, patient, say};
use crate::elf::Image;
use crate::machine::{Devices, Exit, FINISHER, Machine, MachineConfig, MachineError, UART};
use crate::platform::Platform;
use crate::report::json::NotRun;
use crate::report::names::plain;
use crate::report::{Crash, Report, describe, notes};
use crate::sys::interrupt::{stop_on_interrupt, survive_file_limit};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(super) fn run(args: RunArgs) -> Result<u8, Failure> {
    let start = Instant::now();
    let program = args.command_line.first().cloned().unwrap_or_default();
    let name = Path::new(&program).display().to_string();
    let outputs = [&args.report, &args.signature, &args.output];
    let outputs = outputs.into_iter().filter_map(|path| path.as_deref());
    let outputs: Vec<&Path> = outputs.chain(args.observe.outputs()).collect();
    refuse_program(Path::new(&program), outputs.iter().copied())?;
    refuse_same(&outputs)?;
    let report = args.report.as_deref().map(Output::new);
    let signature = args.signature.as_deref().map(Output::new);
    let committed = args.output.as_deref().map(Output::new);
    let for_zkvm = !args.input.is_empty() || committed.is_some();
    let (time, strace) = (args.time, args.strace);
    let painter = Painter::new(args.color, &std::io::stderr());
    let (mut config, observe) = config(args)?;
    observe.configure(&mut config)?;
    let until = config.timeout.and_then(|limit| start.checked_add(limit));
    patient::limit(&config.stop, until);
    let mut machine = match load(Path::new(&program), config, until) {
        Ok(machine) => machine,
        Err(failure) => {
            let named = Failure {
                message: format!("{name}: {}", failure.message),
                ..failure
            };
            not_run(report, name, failure);
            return Err(named);
        }
    };
    let platform = machine.platform().platform;
    if for_zkvm && !matches!(platform, Platform::Risc0 | Platform::Sp1) {
        let failure = Failure::own(format_args!(
            "{name}: --input and --output are for zkVM guests, and the platform is {}; choose with --platform risc0 or sp1",
            platform.name()
        ));
        return Err(not_run(report, name, failure));
    }
    if let Some(why) = machine.no_jit() {
        say(&format!(
            "{name}: {why}; the interpreter is used, which is slower"
        ));
    }
    if strace {
        let line = |text: &str| {
            let _ = patient::stderr().write_all(format!("{text}\n").as_bytes());
        };
        machine.syscalls_mut().set_trace(Some(Box::new(line)));
    }
    let ran = observe
        .prepare(Path::new(&program), &mut machine, time)
        .and_then(|mut observers| {
            let loaded = Instant::now();
            let exit = observers.run(&mut machine)?;
            Ok((observers, exit, loaded))
        });
    let (observers, exit, loaded) = match ran {
        Ok(ran) => ran,
        Err(failure) => return Err(not_run(report, name, failure)),
    };
    let (load, run) = (loaded - start, loaded.elapsed());
    if matches!(exit, Exit::Interrupted | Exit::Timeout) {
        patient::hurry();
    }
    let crash = Crash::new(exit, &mut machine);
    if let Some(reason) = describe(exit, &machine) {
        let reason = painter.paint(Role::Bad, &plain(&reason));
        let line = format!("rvjit: {}: {reason}\n", plain(&name));
        let _ = patient::stderr().write_all(line.as_bytes());
    }
    if let Some(crash) = &crash {
        let _ = patient::stderr().write_all(crash.to_string().as_bytes());
    }
    for note in notes(exit, &machine) {
        say(&format!("{name}: {note}"));
    }
    // Made before anybody looks at memory: looking may make the host's pages count as touched.
    let told = report.map(|file| {
        (
            file,
            Report::new(name.clone(), exit, &machine, crash, load, run),
        )
    });
    // What cannot be written keeps nothing else from being written, least of all the report.
    let mut failures = observers.finish(exit, &machine, load, run);
    if let Some(file) = committed {
        failures.extend(file.write(machine.committed()).err());
    }
    if let Some(file) = signature {
        failures.extend(write_signature(file, &name, &machine).err());
    }
    if let Some((file, mut report)) = told {
        let errors = failures.iter().map(|failure| failure.message.clone());
        report.output_errors = errors.collect();
        failures.extend(write_json(file, &report).err());
    }
    // The system takes everything back with the process, in less time than it takes piece by piece.
    std::mem::forget(machine);
    match failures.pop() {
        None => Ok(exit.status()),
        Some(last) => {
            for failure in failures {
                say(&failure.message);
            }
            Err(last)
        }
    }
}

/// The program, ready to run.
fn load(program: &Path, config: MachineConfig, until: Option<Instant>) -> Result<Machine, Failure> {
    let failure = |error: MachineError| Failure {
        message: error.to_string(),
        status: error.status(),
    };
    // From here on Ctrl-C only asks a run to end, and nothing asks whoever waits for a pipe: the file comes first.
    let image = Image::open_until(program, until).map_err(|error| failure(error.into()))?;
    stop_on_interrupt(&config.stop).map_err(Failure::own)?;
    survive_file_limit();
    Machine::new(image, config).map_err(failure)
}

/// The failure, once the report, if one is wanted, tells of it.
fn not_run(report: Option<Output>, name: String, failure: Failure) -> Failure {
    let told = report.map(|file| {
        let report = NotRun::new(name, failure.status, failure.message.clone());
        write_json(file, &report)
    });
    if let Some(Err(unwritten)) = told {
        say(&unwritten.message);
    }
    failure
}

fn write_signature(file: Output, name: &str, machine: &Machine) -> Result<(), Failure> {
    let text = machine.signature().ok_or_else(|| {
        Failure::own(format_args!(
            "{name}: no readable begin_signature..end_signature of at most 16 MiB"
        ))
    })?;
    file.write(text.as_bytes())
}

fn write_json(file: Output, value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_vec_pretty(value).map_err(Failure::own)?;
    text.push(b'\n');
    file.write(&text)
}

fn config(args: RunArgs) -> Result<(MachineConfig, ObserveArgs), Failure> {
    let mut guest_args: Vec<Vec<u8>> = args
        .command_line
        .into_iter()
        .map(OsString::into_vec)
        .collect();
    if let (Some(own), Some(argv0)) = (guest_args.first_mut(), args.argv0) {
        *own = argv0.into_vec();
    }
    if let Some(bad) = args.env.iter().find(|v| !is_variable(v)) {
        return Err(Failure::own(format_args!(
            "--env {}: write NAME=VALUE",
            Path::new(bad).display()
        )));
    }
    let read = |path: &PathBuf| {
        let unreadable = |error| Failure::own(format_args!("--input {}: {error}", path.display()));
        std::fs::read(path).map_err(unreadable)
    };
    let input = args.input.iter().map(read).collect::<Result<_, _>>()?;
    let code_cache = match args.code_cache.map(usize::try_from) {
        None => None,
        Some(Ok(size)) => Some(size),
        Some(Err(_)) => return Err(Failure::own("--code-cache: the size is too large")),
    };
    let config = MachineConfig {
        engine: args.engine.0,
        platform: args.platform.0,
        input,
        ram: args.ram,
        devices_are_chosen: args.uart.is_some() || args.finisher.is_some(),
        devices: Devices {
            uart: args.uart.map_or(Some(UART), |place| place.0),
            finisher: args.finisher.map_or(Some(FINISHER), |place| place.0),
        },
        placement: args.placement.0,
        memory_pages: args.memory.0,
        stack_size: args.stack,
        exec_stack: args.exec_stack,
        code_cache,
        hot: args.hot,
        strict_align: args.strict_align,
        args: guest_args,
        env: args.env.into_iter().map(OsString::into_vec).collect(),
        dirs: args.dir,
        max_insns: args.max_insns,
        timeout: args.timeout,
        ..MachineConfig::default()
    };
    Ok((config, args.observe))
}

fn is_variable(text: &OsStr) -> bool {
    matches!(text.as_bytes().iter().position(|&b| b == b'='), Some(n) if n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;

    fn parse(args: &[&str]) -> Result<MachineConfig, Failure> {
        let all = ["rvjit", "run"].iter().chain(args);
        match Cli::try_parse_from(all).unwrap().command {
            Command::Run(run) => config(*run).map(|(config, _)| config),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_typed_becomes_what_is_meant() {
        let typed = [
            "--argv0",
            "other",
            "--env",
            "A=1",
            "--env",
            "B==",
            "--memory",
            "5000",
            "--stack",
            "64K",
            "--code-cache",
            "1M",
            "prog",
            "--env",
            "x",
        ];
        let config = parse(&typed).unwrap();
        assert_eq!(config.args, [&b"other"[..], b"--env", b"x"]);
        assert_eq!(config.env, [b"A=1", b"B=="]);
        assert_eq!((config.memory_pages, config.stack_size), (2, 65536));
        assert_eq!(config.code_cache, Some(1 << 20));
        let plain = parse(&["dir/prog"]).unwrap();
        assert_eq!(plain.args, [b"dir/prog"]);
        assert!(plain.env.is_empty() && plain.dirs.is_empty());
        assert!(parse(&["--env", "A", "prog"]).is_err());
    }
}

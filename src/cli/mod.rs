//! The command line: what was typed becomes what is meant, and an exit status comes out.
//!
//! Standard output belongs to the guest. Whatever ends abnormally says so in one line on standard error, which begins
//! with `rvjit:`.

mod args;
mod color;
mod disasm;
mod docs;
mod info;
mod observe;
mod output;
mod patient;
mod run;
mod run_flags;
mod suggest;

use crate::exit_status::{NOT_FOUND, OWN_ERROR};
use crate::report::names::plain;
use args::{Cli, Command, RunArgs};
use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

/// The first words that are not a program's name.
const OURS: [&str; 10] = [
    "run",
    "disasm",
    "info",
    "completions",
    "man",
    "help",
    "-h",
    "--help",
    "-V",
    "--version",
];

/// What ends the command early: a message and a status.
#[derive(Debug)]
struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    fn own(message: impl fmt::Display) -> Failure {
        Failure {
            message: message.to_string(),
            status: OWN_ERROR,
        }
    }
}

/// Runs the command with these arguments, the first of which is its own name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    panic::set_hook(Box::new(|what| say(&format!("a bug of rvjit: {what}"))));
    ExitCode::from(guarded(|| command(args)))
}

/// What panics is an error of ours, and not the guest's status 101.
fn guarded(run: impl FnOnce() -> u8) -> u8 {
    // Nothing is used afterwards.
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(OWN_ERROR)
}

fn command(args: impl IntoIterator<Item = OsString>) -> u8 {
    if std::env::var_os("RVJIT_LOG").is_some() {
        let log = env_logger::Env::new().filter_or("RVJIT_LOG", "off");
        // Fails only where a logger is set already.
        let _ = env_logger::Builder::from_env(log).try_init();
    }
    let typed: Vec<OsString> = args.into_iter().collect();
    let first = typed.get(1).cloned();
    let args = with_run(typed);
    execute(&args).unwrap_or_else(|failure| {
        let meant = first.filter(|_| failure.status == NOT_FOUND);
        let meant = meant.and_then(|word| suggest::similar(word.to_str()?, &OURS));
        match meant {
            Some(meant) => say(&format!(
                "{}; did you mean 'rvjit {meant}'?",
                failure.message
            )),
            None => say(&failure.message),
        }
        failure.status
    })
}

fn execute(args: &[OsString]) -> Result<u8, Failure> {
    let flags =
        std::env::var_os(run_flags::NAME).filter(|_| args.get(1).is_some_and(|a| a == "run"));
    let parsed = match flags {
        Some(flags) => match run_flags::options(&flags)? {
            none if none.is_empty() => parse(args),
            options => run_flags::parse(args, options),
        },
        None => parse(args),
    };
    match parsed {
        Ok(Cli { command }) => match command {
            Command::Run(args) => run::run(*args),
            Command::Disasm(args) => disasm::disasm(&args),
            Command::Info(args) => info::info(&args),
            Command::Completions(args) => docs::completions(&args),
            Command::Man => docs::man(),
        },
        Err(error) => usage(&error, args.get(1)),
    }
}

/// What was typed.
fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    match args {
        [_, run, program, rest @ ..]
            if run == "run"
                && !program.is_empty()
                && !program.as_encoded_bytes().starts_with(b"-")
                && !rest.iter().any(|arg| arg == "--") =>
        {
            let command = Command::Run(Box::new(RunArgs::plain(args[2..].to_vec())));
            Ok(Cli { command })
        }
        _ => Cli::try_parse_from(args),
    }
}

/// Writes a line to standard error. Nobody can be told when that fails.
fn say(message: &str) {
    let message = plain(&message.replace('\n', " "));
    let _ = writeln!(patient::stderr(), "rvjit: {message}");
}

/// Writes to standard output. A reader that went away, as `head` does, is no error.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::own(format_args!(
            "cannot write to standard output: {error}"
        ))),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// `rvjit PROG` means `rvjit run PROG`: inserts the word where the first argument is not one of ours. A program of such
/// a name is run as `./run`.
fn with_run(mut args: Vec<OsString>) -> Vec<OsString> {
    if let Some(first) = args.get(1)
        && !OURS.iter().any(|ours| first == ours)
    {
        args.insert(1, "run".into());
    }
    args
}

/// Help and version go to standard output; other messages become one line.
fn usage(error: &clap::Error, command: Option<&OsString>) -> Result<u8, Failure> {
    let kind = error.kind();
    if kind == ErrorKind::DisplayHelp || kind == ErrorKind::DisplayVersion {
        return error.print().map(|()| 0).map_err(Failure::own);
    }
    if kind == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return error.print().map(|()| OWN_ERROR).map_err(Failure::own);
    }
    let message = one_line(error);
    let command = command.and_then(|name| name.to_str()).unwrap_or("run");
    Err(Failure::own(format_args!(
        "{message}{} see 'rvjit {command} --help'",
        if message.ends_with('?') { "" } else { ";" }
    )))
}

/// What clap says, with the option or value that it thinks was meant.
fn one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelp || error.kind() == ErrorKind::DisplayVersion {
        return "help and version are not for here".to_owned();
    }
    let text = error.to_string();
    // The first paragraph; what follows are usage and hints.
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let message = words.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let suggested = [ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let meant = suggested
        .into_iter()
        .find_map(|kind| match error.get(kind)? {
            ContextValue::String(meant) => Some(meant.as_str()),
            ContextValue::Strings(all) => all.first().map(String::as_str),
            _ => None,
        });
    match meant {
        Some(meant) => format!("{message}; did you mean '{meant}'?"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_options_means_what_clap_says() {
        let rows: [&[&str]; 6] = [
            &["prog"],
            &["prog", "--time", "-x", "", "run"],
            &["dir/prog", "a b"],
            &["prog", "--", "x"],
            &["--", "prog"],
            &[""],
        ];
        for row in rows {
            let typed = ["rvjit", "run"].iter().chain(row).map(OsString::from);
            let typed: Vec<OsString> = typed.collect();
            let text = |parsed: Result<Cli, clap::Error>| match parsed {
                Ok(cli) => format!("{cli:?}"),
                Err(error) => error.to_string(),
            };
            assert_eq!(text(parse(&typed)), text(Cli::try_parse_from(&typed)));
        }
    }

    #[test]
    fn a_panic_is_our_error() {
        assert_eq!(guarded(|| 7), 7);
        assert_eq!(guarded(|| panic!("this is the test's")), 125);
    }

    #[test]
    fn run_is_implied() {
        let rows: [(&[&str], &[&str]); 6] = [
            (&["rvjit"], &["rvjit"]),
            (&["rvjit", "prog", "run"], &["rvjit", "run", "prog", "run"]),
            (
                &["rvjit", "--time", "prog"],
                &["rvjit", "run", "--time", "prog"],
            ),
            (&["rvjit", "run", "prog"], &["rvjit", "run", "prog"]),
            (&["rvjit", "--help"], &["rvjit", "--help"]),
            (&["rvjit", "./run"], &["rvjit", "run", "./run"]),
        ];
        for (typed, meant) in rows {
            let typed = typed.iter().map(OsString::from).collect();
            assert_eq!(with_run(typed), meant);
        }
    }
}

//! `RVJIT_RUN_FLAGS`: options for `rvjit run` where none can be typed, as when the kernel starts it (binfmt_misc).
//!
//! They count as if they stood before what was typed, so that what is typed wins. Only options can stand there: a word
//! that would be taken for the program is an error.

use super::args::{Cli, Command};
use super::{Failure, one_line};
use clap::{CommandFactory, FromArgMatches, Parser};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The variable's name.
pub(super) const NAME: &str = "RVJIT_RUN_FLAGS";

/// The options in the variable's value.
pub(super) fn options(value: &OsStr) -> Result<Vec<OsString>, Failure> {
    let words =
        words(value.as_bytes()).map_err(|error| Failure::own(format_args!("{NAME}: {error}")))?;
    let program = OsString::from("PROG");
    let line = ["rvjit".into(), "run".into()].into_iter();
    let line = line.chain(words.iter().cloned()).chain([program.clone()]);
    match Cli::try_parse_from(line) {
        Ok(Cli {
            command: Command::Run(run),
        }) if run.command_line == [program] && !words.iter().any(|word| word == "--") => Ok(words),
        Ok(_) => Err(Failure::own(format_args!(
            "{NAME}: only options of 'rvjit run' can stand in it"
        ))),
        Err(error) => Err(Failure::own(format_args!("{NAME}: {}", one_line(&error)))),
    }
}

/// What `rvjit run` with these options, and then what was typed behind `run`, means.
pub(super) fn parse(args: &[OsString], options: Vec<OsString>) -> Result<Cli, clap::Error> {
    let (start, typed) = args.split_at(2);
    let line = start
        .iter()
        .cloned()
        .chain(options)
        .chain(typed.iter().cloned());
    // An option that is there twice is the typed one.
    let command = Cli::command().mut_subcommand("run", |run| run.args_override_self(true));
    Cli::from_arg_matches(&command.try_get_matches_from(line)?)
}

/// Words as a shell takes them apart: blanks between them; `'` keeps all as it is, `"` all but `\` before `"` and `\`;
/// elsewhere `\` keeps the next character.
fn words(text: &[u8]) -> Result<Vec<OsString>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (None, b' ' | b'\t' | b'\n') => words.extend(word.take().map(OsString::from_vec)),
            (None, b'\\') => {
                let next = bytes.next().ok_or("a backslash is at its end")?;
                word.get_or_insert_default().push(next);
            }
            (Some(b'"'), b'\\') => {
                let escaped = bytes.next_if(|next| matches!(next, b'"' | b'\\'));
                word.get_or_insert_default().push(escaped.unwrap_or(byte));
            }
            (_, _) => word.get_or_insert_default().push(byte),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    words.extend(word.map(OsString::from_vec));
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_in_a_shell() {
        let rows: [(&str, Result<&[&str], &str>); 10] = [
            ("", Ok(&[])),
            ("  --time\t--strace \n", Ok(&["--time", "--strace"])),
            ("--dir 'a b'", Ok(&["--dir", "a b"])),
            ("--dir=\"a b\"c", Ok(&["--dir=a bc"])),
            (r#""a\"b\\c\d""#, Ok(&[r#"a"b\c\d"#])),
            (r"'a\b' c\ d", Ok(&[r"a\b", "c d"])),
            ("'' \"\"", Ok(&["", ""])),
            ("'a", Err("a quote is not closed")),
            ("\"a'", Err("a quote is not closed")),
            ("a\\", Err("a backslash is at its end")),
        ];
        for (text, expected) in rows {
            let expected = expected.map(|words| words.iter().map(OsString::from).collect());
            assert_eq!(words(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn only_options_and_what_is_typed_wins() {
        for bad in [
            "prog",
            "--time prog",
            "--",
            "--bogus",
            "--help",
            "--dir",
            "--version",
        ] {
            let failure = options(OsStr::new(bad)).unwrap_err();
            assert!(failure.message.starts_with("RVJIT_RUN_FLAGS: "), "{bad}");
        }
        let set = options(OsStr::new("--time --stack 64K --env A=1 --hot 3")).unwrap();
        let typed = [
            "rvjit", "run", "--time", "--stack", "32K", "--env", "B=2", "p", "--hot",
        ];
        let parsed = parse(&typed.map(OsString::from), set).unwrap();
        let Command::Run(run) = parsed.command else {
            panic!("{parsed:?}");
        };
        assert_eq!((run.time, run.stack, run.hot), (true, 32 << 10, Some(3)));
        assert_eq!(run.env, ["A=1", "B=2"]);
        assert_eq!(run.command_line, ["p", "--hot"]);
    }
}

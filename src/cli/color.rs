//! Colours: for people only. Whether there are any is decided once, by `--color`, NO_COLOR and what the stream is.

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use std::ffi::OsStr;
use std::io::IsTerminal;

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorArg {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Also into files and pipes
    Always,
    /// Nowhere
    Never,
}

/// What is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A name of the program's own.
    Symbol,
    /// A mnemonic.
    Mnemonic,
    /// What stands back: addresses and bytes.
    Faint,
    /// Good news.
    Good,
    /// Bad news.
    Bad,
}

/// Puts colours round text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Painter {
    on: bool,
}

impl Painter {
    /// For text that goes to `stream`.
    pub(super) fn new(arg: ColorArg, stream: &impl IsTerminal) -> Painter {
        let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
        let on = decide(
            arg,
            stream.is_terminal(),
            no_color.as_deref(),
            term.as_deref(),
        );
        Painter { on }
    }

    pub(super) fn paint(self, role: Role, text: &str) -> String {
        if !self.on || text.is_empty() {
            return text.to_owned();
        }
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        let style = match role {
            Role::Symbol => color(AnsiColor::Yellow),
            Role::Mnemonic => color(AnsiColor::Cyan),
            Role::Faint => Style::new().dimmed(),
            Role::Good => color(AnsiColor::Green),
            Role::Bad => color(AnsiColor::Red).bold(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// NO_COLOR counts when it is not empty (no-color.org); an explicit option is stronger.
fn decide(arg: ColorArg, terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    match arg {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto => {
            terminal
                && no_color.is_none_or(OsStr::is_empty)
                && term.is_some_and(|term| term != "dumb")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_colours() {
        let some = |text| Some(OsStr::new(text));
        let xterm = some("xterm");
        let rows = [
            (ColorArg::Auto, true, None, xterm, true),
            (ColorArg::Auto, false, None, xterm, false),
            (ColorArg::Auto, true, some("1"), xterm, false),
            (ColorArg::Auto, true, some(""), xterm, true),
            (ColorArg::Auto, true, None, some("dumb"), false),
            (ColorArg::Auto, true, None, None, false),
            (ColorArg::Always, false, some("1"), None, true),
            (ColorArg::Never, true, None, xterm, false),
        ];
        for (arg, terminal, no_color, term, expected) in rows {
            let got = decide(arg, terminal, no_color, term);
            assert_eq!(got, expected, "{arg:?} {terminal} {no_color:?} {term:?}");
        }
    }

    #[test]
    fn paint_is_undone_behind_the_text() {
        let on = Painter { on: true }.paint(Role::Bad, "x");
        assert!(on.starts_with("\x1b[") && on.ends_with("\x1b[0m"), "{on:?}");
        assert_eq!(Painter { on: false }.paint(Role::Bad, "x"), "x");
        assert_eq!(Painter { on: true }.paint(Role::Bad, ""), "");
    }
}

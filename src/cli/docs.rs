//! `rvjit completions` and `rvjit man`: made from the definition of the command line, so that they cannot be out of
//! date.

use super::args::Cli;
use super::{Failure, print};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::Write;

/// Writes a completion script for a shell to standard output.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    pub(super) shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<u8, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rvjit", &mut text);
    print(|out| out.write_all(&text))?;
    Ok(0)
}

/// One page with all commands: the main page, then each command's options.
pub(super) fn man() -> Result<u8, Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut text = Vec::new();
    let result = (|| {
        let man = clap_mangen::Man::new(command.clone());
        man.render_title(&mut text)?;
        man.render_name_section(&mut text)?;
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        for one in command.get_subcommands() {
            writeln!(text, ".SH \"COMMAND {}\"", one.get_name().to_uppercase())?;
            let one = clap_mangen::Man::new(one.clone());
            let mut part = Vec::new();
            one.render_synopsis_section(&mut part)?;
            one.render_description_section(&mut part)?;
            one.render_options_section(&mut part)?;
            one.render_extra_section(&mut part)?;
            // The sections of a command are subsections of the page.
            let part = String::from_utf8_lossy(&part).replace(".SH ", ".SS ");
            text.write_all(part.as_bytes())?;
        }
        man.render_version_section(&mut text)
    })();
    result.map_err(Failure::own)?;
    print(|out| out.write_all(&text))?;
    Ok(0)
}

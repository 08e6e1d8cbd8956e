//! The command `rvjit`: see `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    rvjit::cli::main(std::env::args_os())
}

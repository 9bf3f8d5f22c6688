//! The program: parse, run, exit status; everything else is the library.

use std::process::ExitCode;

use clap::Parser;
use zbx_tcp::cli::serve::ServeArgs;

#[derive(Parser)]
enum Command {
    Serve(ServeArgs),
}

fn main() -> ExitCode {
    match Command::parse() {
        Command::Serve(args) => zbx_tcp::commands::serve::run(&args),
    }
}

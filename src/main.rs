//! The program: a silent panic hook, the command, its exit status; everything else is the library.

use std::panic::{catch_unwind, set_hook};
use std::process::ExitCode;

use zbx_tcp::commands::{self, Exit};

fn main() -> ExitCode {
    // Zabbix takes standard error for a part of the value.
    set_hook(Box::new(|_| {}));
    catch_unwind(|| commands::run(std::env::args_os())).unwrap_or(Exit::Mistaken).into()
}

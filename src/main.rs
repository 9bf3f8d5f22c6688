//! The program: sets a silent panic hook, runs the command, and exits with its status. Everything
//! else is in the library.
#![no_main]

use std::ffi::{c_char, c_int};
use std::panic::{catch_unwind, set_hook};

use zbx_tcp::commands;
use zbx_tcp::commands::Exit;
use zbx_tcp::os::rt;
use zbx_tcp::os::stop::BlockedSignals;

/// Called by the C library; [`rt`] explains why the Rust runtime is not used.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // First of all, so that the signals that a batch handles do not end it without its values.
    // SAFETY: the C library passes what execve(2) was given.
    let command = unsafe { rt::first_argument(argc, argv) };
    let blocked = (command == Some(c"batch")).then(BlockedSignals::block);
    // Zabbix would read a panic message on standard error as a part of the value.
    set_hook(Box::new(|_| {}));
    let run = || {
        // SAFETY: the C library passes what execve(2) was given.
        let arguments = unsafe { rt::init(argc, argv) };
        arguments.map_or(Exit::Usage, |arguments| commands::run(arguments, blocked))
    };
    let exit = catch_unwind(run).unwrap_or_else(|_| commands::panicked());
    // Unlike a return from `main`, this flushes the standard library's buffer of standard output.
    std::process::exit(exit.code().into())
}

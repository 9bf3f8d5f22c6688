//! The program: a silent panic hook, the command, its exit status; everything else is the library.
#![no_main]

use std::ffi::{c_char, c_int};
use std::panic::{catch_unwind, set_hook};

use zbx_tcp::commands;
use zbx_tcp::commands::Exit;
use zbx_tcp::os::rt;

/// What the C library calls; [`start`] says why not Rust's own start.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    // Zabbix takes standard error for a part of the value.
    set_hook(Box::new(|_| {}));
    let run = || {
        // SAFETY: these are the words that the C library got from exec(3).
        unsafe { rt::init(count, words) }.map_or(Exit::Usage, commands::run)
    };
    let exit = catch_unwind(run).unwrap_or(Exit::Usage);
    // Unlike a return it writes what Rust still holds for standard output.
    std::process::exit(exit.code().into())
}

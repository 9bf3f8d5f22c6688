//! The commands. Each reads its settings, runs the engine, prints the result and returns the exit
//! status.
//!
//! This is the only module that writes to standard output and standard error.

mod batch;
mod check;
mod demo;
mod discover;
mod doctor;
mod limits;
mod path;
mod plugin;
mod serve;
mod services;
mod stoppable_output;
mod usage;
mod watch;

use std::ffi::OsString;
use std::io;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::error::ErrorKind;

use crate::cli::{Cli, Command, help};
use crate::engine::ResolverKind;
use crate::escape::push_escaped;
use crate::failure::{Failure, Status};
use crate::os::standard_streams::{write_message, write_output_within};
use crate::os::stop::{BlockedSignals, StopHandle};
use crate::output::text::ColorMode;
use crate::settings::SettingsError;
use crate::settings::request::ResolverChoice;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The targets are up, or a command that probes nothing succeeded.
    Up,
    /// A target is down or its state is unknown.
    Down,
    /// A usage or configuration error; nothing was sent.
    Usage,
}

impl Exit {
    /// The exit status.
    pub fn code(self) -> u8 {
        match self {
            Self::Up => 0,
            Self::Down => 1,
            Self::Usage => 2,
        }
    }
}

/// How a command ended, or the usage or configuration error that prevented it.
type CommandResult = Result<Exit, SettingsError>;

/// Parses the command line and runs the command. The first argument is the name of the program; a
/// batch has blocked its signals already.
pub fn run(mut arguments: Vec<OsString>, blocked: Option<BlockedSignals>) -> Exit {
    if let Some(socket) = plugin::socket_of(&arguments) {
        return plugin::run(socket);
    }
    let stop = batch_stop(blocked);
    translate_help_command(&mut arguments);
    let cli = match Cli::of_process(&arguments) {
        Ok(cli) => cli,
        Err(error) => return help_or_usage_error(&error, &arguments),
    };
    #[cfg(debug_assertions)]
    panic_if_tested_at("command");
    let result = match cli.command {
        Command::Batch(args) => batch::run(&args, stop.as_ref()),
        Command::Check(args) => check::run(&args),
        Command::Discover(args) => discover::run(&args),
        Command::Watch(args) => watch::run(*args),
        Command::Path(args) => path::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Services(args) => services::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Demo => demo::run(),
    };
    result.unwrap_or_else(|error| usage_error(&error.to_string()))
}

/// Reports a panic for which no value could be printed.
pub fn panicked() -> Exit {
    usage_error(&internal_error().text)
}

/// The handle that ends a batch on SIGINT and SIGTERM; other commands keep the default action. If
/// there are no descriptors for it, a batch keeps the default action too, and runs without the
/// handle.
fn batch_stop(blocked: Option<BlockedSignals>) -> Option<StopHandle> {
    let blocked = blocked?;
    let stop = StopHandle::on_signals(Exit::Down.code().into());
    // Signals that arrived since the start of the process are delivered to the handler now.
    drop(blocked);
    stop.ok()
}

/// Turns `help check` into `check --help`. The help subcommand of clap would build all commands at
/// every start.
fn translate_help_command(arguments: &mut Vec<OsString>) {
    if arguments.get(1).is_some_and(|first| first == "help") {
        arguments.remove(1);
        arguments.push("--help".into());
    }
}

/// Prints the requested help or version, or a usage error.
fn help_or_usage_error(error: &clap::Error, arguments: &[OsString]) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = match help::command().try_get_matches_from(arguments) {
                Err(help) => help.to_string(),
                Ok(_) => error.to_string(),
            };
            print(text.as_bytes(), Exit::Up)
        }
        _ => usage_error(&usage::message(error)),
    }
}

/// Reports a usage or configuration error on one line of standard error.
fn usage_error(text: &str) -> Exit {
    log_line(text);
    Exit::Usage
}

/// Writes one line to standard error.
fn log_line(text: &str) {
    let mut line = error_line(text);
    line.push('\n');
    write_message(line.as_bytes());
}

/// A usage or configuration error as one line, without a line end.
fn error_line(text: &str) -> String {
    let mut line = "zbx-tcp: ".to_owned();
    for character in text.chars().take(1000) {
        match character {
            // Backslashes of values are escaped already.
            '\\' => line.push('\\'),
            _ => push_escaped(&mut line, character),
        }
    }
    line
}

/// Prints these bytes and returns `exit`. A closed standard output is not an error.
fn print(bytes: &[u8], exit: Exit) -> Exit {
    print_with(exit, |out| out.write_all(bytes))
}

/// Prints the value of a probe, whose time is limited. If the reader does not read for longer than
/// `patience`, that is an error.
fn print_within(bytes: &[u8], exit: Exit, patience: Duration) -> Exit {
    match write_output_within(bytes, patience) {
        Ok(()) => exit,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            usage_error("write to standard output: nobody reads it")
        }
        Err(error) => usage_error(&format!("write to standard output: {error}")),
    }
}

/// Prints what the closure writes, and returns the exit status as [`print()`] does.
fn print_with(exit: Exit, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Exit {
    print_to(&mut io::stdout().lock(), exit, write)
}

/// The same for another writer of standard output.
fn print_to(
    out: &mut dyn Write,
    exit: Exit,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Exit {
    match write(out).and_then(|()| out.flush()) {
        // The reader has closed it, or does not read after a signal.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe | io::ErrorKind::TimedOut
            ) =>
        {
            exit
        }
        Err(error) => usage_error(&format!("write to standard output: {error}")),
        Ok(()) => exit,
    }
}

/// Colors on a terminal, unless the environment disables them (no-color.org).
fn color_mode() -> ColorMode {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !no_color && !dumb {
        ColorMode::Ansi
    } else {
        ColorMode::Off
    }
}

/// The engine's resolver for this choice.
fn resolver_kind(choice: ResolverChoice) -> ResolverKind {
    match choice {
        ResolverChoice::Stub => ResolverKind::Default,
        #[cfg(not(target_feature = "crt-static"))]
        ResolverChoice::System => ResolverKind::System,
    }
}

/// The failure to report after a panic: every target gets a value, whatever happens.
fn internal_error() -> Failure {
    let text = "internal error of zbx-tcp: please report it, with the command that causes it";
    Failure::common(Status::LocalError, text)
}

/// The failure to report where computing did not end at the deadline.
fn still_computing() -> Failure {
    let text = "the answer was still being compared with a regular expression after the deadline: use a simpler expression";
    Failure::common(Status::LocalError, text)
}

/// In debug builds, computes without end if a test requests it.
#[cfg(debug_assertions)]
fn compute_if_tested() {
    if std::env::var_os("ZBX_TCP_TEST_COMPUTE").is_some() {
        loop {
            std::hint::spin_loop();
        }
    }
}

/// In debug builds, panics if a test requests it, to show what Zabbix would get.
#[cfg(debug_assertions)]
#[allow(clippy::panic)]
fn panic_if_tested() {
    assert!(
        std::env::var_os("ZBX_TCP_TEST_PANIC").is_none(),
        "requested by a test"
    );
}

/// The same if the test asks for a panic at this place.
#[cfg(debug_assertions)]
#[allow(clippy::panic)]
fn panic_if_tested_at(place: &str) {
    assert!(
        std::env::var_os("ZBX_TCP_TEST_PANIC").is_none_or(|asked| asked != place),
        "requested by a test"
    );
}

//! The commands: each reads its settings, runs the engine, prints, and picks the exit status.
//!
//! Only here is standard output written.

mod batch;
mod check;
mod demo;
mod discover;
mod limits;
mod serve;
mod services;

use std::ffi::OsString;
use std::io;
use std::io::{IsTerminal, Write};

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command, help};
use crate::engine::ResolverKind;
use crate::escape::push_escaped;
use crate::failure::{Failure, Status};
use crate::output::text::Paint;
use crate::settings::SettingsError;
use crate::settings::request::ResolverChoice;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Up, or done.
    Up,
    /// Down.
    Down,
    /// A mistake of the caller; nothing was sent.
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

/// Parses the words of a command line and runs what they say.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Exit {
    let words: Vec<OsString> = words.into_iter().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &words),
    };
    let done = match cli.command {
        Command::Batch(args) => batch::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Discover(args) => discover::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Services(args) => services::run(&args),
        Command::Demo => demo::run(),
    };
    done.unwrap_or_else(|mistake| usage_error(&mistake.to_string()))
}

/// Answers a call for help, or says in one line what is wrong with the words.
fn usage(error: &clap::Error, words: &[OsString]) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = match help::command().try_get_matches_from(words) {
                Err(help) => help.to_string(),
                Ok(_) => error.to_string(),
            };
            print(text.as_bytes(), Exit::Up)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            usage_error("no command: try `zbx-tcp --help`")
        }
        _ => usage_error(&one_line(error)),
    }
}

/// Clap's message and its tips, without the usage, on one line.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let message = text
        .split("\n\nUsage:")
        .next()
        .unwrap_or(&text)
        .split("\n\nFor more")
        .next()
        .unwrap_or_default();
    let parts: Vec<_> = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let joined = parts.join(" ").replace(" tip: ", "; ");
    let words = joined.strip_prefix("error: ").unwrap_or(&joined);
    format!("{words}; see --help")
}

/// Says on one line of standard error what the caller got wrong.
fn usage_error(text: &str) -> Exit {
    log_line(text);
    Exit::Usage
}

/// Says something on one line of standard error.
fn log_line(text: &str) {
    let mut line = "zbx-tcp: ".to_owned();
    for character in text.chars().take(1000) {
        match character {
            '\\' => line.push('\\'),
            _ => push_escaped(&mut line, character),
        }
    }
    line.push('\n');
    // There is nobody left to tell.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Prints, and ends as `exit` says. A reader that has left is no error: the verdict stands.
fn print(bytes: &[u8], exit: Exit) -> Exit {
    print_with(exit, |out| out.write_all(bytes))
}

/// Prints what this function writes, and ends as [`print`] does.
fn print_with(exit: Exit, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Exit {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            usage_error(&format!("write to standard output: {error}"))
        }
        _ => exit,
    }
}

/// Colours on a terminal, unless the environment asks for none (no-color.org).
fn paint() -> Paint {
    let asked_not = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !asked_not && !dumb {
        Paint::Colours
    } else {
        Paint::Plain
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

/// A fault of our own: a value is owed whatever happens.
fn internal_error() -> Failure {
    let text = "internal error of zbx-tcp: please report it, with the command that shows it";
    Failure::new(Status::LocalError, text)
}

/// Builds for development can be told to panic, so that a test sees what Zabbix would then get.
#[cfg(debug_assertions)]
#[allow(clippy::panic)]
fn panic_if_tested() {
    assert!(
        std::env::var_os("ZBX_TCP_TEST_PANIC").is_none(),
        "a test asked for it"
    );
}

/// What a command returns: how it ended, or the caller's mistake.
type CommandResult = Result<Exit, SettingsError>;

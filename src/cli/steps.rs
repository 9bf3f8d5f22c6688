//! The options that are steps of a dialogue, in the order in which they were given.

use std::sync::atomic::AtomicBool;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, FromArgMatches};

use crate::cli::rare::RareOptions;

/// The steps of the dialogue with their texts, in the order in which they were given.
#[derive(Debug, Default)]
pub struct StepArgs(pub Vec<(StepKind, String)>);

/// The kind of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// `--send`
    Send,
    /// `--send-hex`
    SendHex,
    /// `--expect` and its variants
    Expect(PatternKind),
    /// `--reject` and its variants
    Reject(PatternKind),
    /// `--expect-silence`
    Silence,
    /// `--quit`
    Quit,
}

/// The kind of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatternKind {
    /// Text, anywhere.
    Literal,
    /// Text, at the start.
    Prefix,
    /// A regular expression.
    Regex,
    /// Bytes in hex, with wildcards.
    Hex,
}

/// The options: kind, name, name of the value, help.
const STEP_OPTIONS: [(StepKind, &str, &str, &str); 11] = [
    (
        StepKind::Send,
        "--send",
        "TEXT",
        "Send this text; escapes: \\r \\n \\t \\0 \\\\ \\xHH; ${name} inserts a capture; ${host}, ${port} and ${address} insert parts of the target",
    ),
    (
        StepKind::SendHex,
        "--send-hex",
        "HEX",
        "Send these bytes, in hex: `16 03:01`",
    ),
    (
        StepKind::Expect(PatternKind::Literal),
        "--expect",
        "TEXT",
        "Expect this text, anywhere in the received data",
    ),
    (
        StepKind::Expect(PatternKind::Prefix),
        "--expect-prefix",
        "TEXT",
        "Expect this text at the start of the received data",
    ),
    (
        StepKind::Expect(PatternKind::Regex),
        "--expect-regex",
        "RE",
        "Expect a match of this regular expression; (?<name>...) is a capture",
    ),
    (
        StepKind::Expect(PatternKind::Hex),
        "--expect-hex",
        "HEX",
        "Expect these bytes, in hex; ?? matches any byte",
    ),
    (
        StepKind::Reject(PatternKind::Literal),
        "--reject",
        "TEXT",
        "Fail the --expect options after this one if this text is received",
    ),
    (
        StepKind::Reject(PatternKind::Regex),
        "--reject-regex",
        "RE",
        "Fail the --expect options after this one if this regular expression matches",
    ),
    (
        StepKind::Reject(PatternKind::Hex),
        "--reject-hex",
        "HEX",
        "Fail the --expect options after this one if these bytes are received",
    ),
    (
        StepKind::Silence,
        "--expect-silence",
        "DURATION",
        "Expect that the peer sends nothing and does not close the connection for this time",
    ),
    (
        StepKind::Quit,
        "--quit",
        "TEXT",
        "Send this text before closing the connection, if it is the client's turn",
    ),
];

impl StepKind {
    /// The name of the option.
    pub fn option(self) -> &'static str {
        STEP_OPTIONS
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("", |(_, option, ..)| option)
    }
}

impl Args for StepArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        STEP_OPTIONS
            .iter()
            .fold(command, |command, (_, option, value, help)| {
                let name = option.trim_start_matches('-');
                let arg = clap::Arg::new(name)
                    .long(name)
                    .value_name(*value)
                    .help(*help);
                // A text may begin with a hyphen, such as `-ERR`; `settings` refuses those that are
                // options.
                let arg = arg.allow_hyphen_values(true);
                command.arg(arg.action(clap::ArgAction::Append))
            })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for StepArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut steps = Vec::new();
        for (kind, option, ..) in STEP_OPTIONS {
            let name = option.trim_start_matches('-');
            let texts = matches.get_many::<String>(name).into_iter().flatten();
            let indices = matches.indices_of(name).into_iter().flatten();
            steps.extend(
                indices
                    .zip(texts)
                    .map(|(index, text)| (index, kind, text.clone())),
            );
        }
        steps.sort_by_key(|(index, ..)| *index);
        let given = steps.into_iter().filter(|(_, _, text)| !text.is_empty());
        Ok(Self(given.map(|(_, kind, text)| (kind, text)).collect()))
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Err(clap::Error::new(ErrorKind::InvalidValue))
    }
}

impl RareOptions for StepArgs {
    const NAMES: &[&str] = &[
        "send",
        "send-hex",
        "expect",
        "expect-prefix",
        "expect-regex",
        "expect-hex",
        "reject",
        "reject-regex",
        "reject-hex",
        "expect-silence",
        "quit",
    ];

    fn omitted() -> &'static AtomicBool {
        static OMITTED: AtomicBool = AtomicBool::new(false);
        &OMITTED
    }
}

//! The steps of a dialogue as options, in the order they were typed.

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, FromArgMatches};

/// The steps of the dialogue, in the order they were typed.
#[derive(Debug, Default)]
pub struct StepArgs(pub Vec<(StepKind, String)>);

/// What a step does with its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// `--send`
    Send,
    /// `--send-hex`
    SendHex,
    /// `--expect` and its kin
    Expect(PatternKind),
    /// `--reject` and its kin
    Reject(PatternKind),
    /// `--quit`
    Quit,
}

/// How the text of an expectation is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatternKind {
    /// A text, anywhere.
    Literal,
    /// A text, at the start.
    Prefix,
    /// A regular expression.
    Regex,
    /// Hex with wildcards.
    Hex,
}

/// Every step option: its kind, its name, the name of its value, its help.
const STEPS: [(StepKind, &str, &str, &str); 10] = [
    (
        StepKind::Send,
        "--send",
        "TEXT",
        "Send this text; escapes \\r \\n \\t \\0 \\\\ \\xHH, ${name} inserts a capture",
    ),
    (
        StepKind::SendHex,
        "--send-hex",
        "HEX",
        "Send these bytes, such as `16 03:01`",
    ),
    (
        StepKind::Expect(PatternKind::Literal),
        "--expect",
        "TEXT",
        "Wait for this text, anywhere in what comes",
    ),
    (
        StepKind::Expect(PatternKind::Prefix),
        "--expect-prefix",
        "TEXT",
        "Wait for this text at the start of what comes",
    ),
    (
        StepKind::Expect(PatternKind::Regex),
        "--expect-regex",
        "RE",
        "Wait for a match; (?<name>...) is captured",
    ),
    (
        StepKind::Expect(PatternKind::Hex),
        "--expect-hex",
        "HEX",
        "Wait for these bytes; ?? is any byte",
    ),
    (
        StepKind::Reject(PatternKind::Literal),
        "--reject",
        "TEXT",
        "Fail the expectations after it when this text comes",
    ),
    (
        StepKind::Reject(PatternKind::Regex),
        "--reject-regex",
        "RE",
        "Fail them when this matches",
    ),
    (
        StepKind::Reject(PatternKind::Hex),
        "--reject-hex",
        "HEX",
        "Fail them when these bytes come",
    ),
    (
        StepKind::Quit,
        "--quit",
        "TEXT",
        "Say goodbye with this text after the verdict",
    ),
];

impl StepKind {
    /// The option's name.
    pub fn option(self) -> &'static str {
        STEPS
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("", |(_, option, ..)| option)
    }
}

impl Args for StepArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        STEPS
            .iter()
            .fold(command, |command, (_, option, value, help)| {
                let name = option.trim_start_matches('-');
                let arg = clap::Arg::new(name)
                    .long(name)
                    .value_name(*value)
                    .help(*help);
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
        for (kind, option, ..) in STEPS {
            let name = option.trim_start_matches('-');
            let texts = matches.get_many::<String>(name).into_iter().flatten();
            let places = matches.indices_of(name).into_iter().flatten();
            steps.extend(
                places
                    .zip(texts)
                    .map(|(place, text)| (place, kind, text.clone())),
            );
        }
        steps.sort_by_key(|(place, ..)| *place);
        let given = steps.into_iter().filter(|(_, _, text)| !text.is_empty());
        Ok(Self(given.map(|(_, kind, text)| (kind, text)).collect()))
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Err(clap::Error::new(ErrorKind::InvalidValue))
    }
}

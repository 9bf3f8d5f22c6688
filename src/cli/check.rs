//! `zbx-tcp check`: what is typed. What it means is [`settings`](crate::settings)'s.

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, FromArgMatches};

/// Probe one target: print one value, one document, or a report
///
/// An empty value of an option means "not given", since a Zabbix macro may expand to nothing.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A name, an IPv4 or an IPv6 address; with a port `HOST:PORT` or `[IPV6]:PORT`
    #[arg(value_name = "HOST[:PORT]")]
    pub host: String,

    /// The port, 1 to 65535
    #[arg(value_name = "PORT")]
    pub port: Option<String>,

    /// What to print: `up`, `status`, `error`, `json`, `text`, or a metric's path [default: text on a terminal, else up]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,

    /// A named service: its port, what it says and expects; `zbx-tcp services` lists them
    #[arg(short, long, value_name = "NAME")]
    pub service: Option<String>,

    /// The total deadline, name resolution and closing included: `2.5s`, `800ms`, or seconds [default: 2.5s]
    #[arg(short, long, value_name = "DURATION", allow_hyphen_values = true)]
    pub timeout: Option<String>,

    /// IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// IPv6 only
    #[arg(short = '6')]
    pub ipv6: bool,

    /// Try the `first` address of a name, or `all`: up only if all are [default: first]
    #[arg(long, value_name = "WHICH")]
    pub addresses: Option<String>,

    /// Connect from this address of this host
    #[arg(long, value_name = "IP")]
    pub source: Option<String>,

    /// Connect through this interface
    #[arg(long, value_name = "IF")]
    pub interface: Option<String>,

    /// Connect this many times inside the deadline: loss, min, avg, max, stddev
    #[arg(short = 'n', long, value_name = "N", allow_hyphen_values = true)]
    pub count: Option<String>,

    /// From the start of one connect to the next, with --count [default: 0.2s]
    #[arg(short, long, value_name = "DURATION", allow_hyphen_values = true)]
    pub interval: Option<String>,

    /// How many of --count must succeed [default: 1]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub require: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub steps: StepArgs,

    /// The encoding of sent and received text, by its WHATWG label such as gbk [default: utf-8]
    #[arg(long, value_name = "LABEL")]
    pub encoding: Option<String>,

    /// Append CR LF to each text that is sent
    #[arg(long)]
    pub crlf: bool,

    /// The most bytes to read without a match [default: 262144]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_bytes: Option<String>,

    /// How to leave: `fin` reads what the peer has to say first, `rst` leaves at once [default: fin]
    #[arg(long, value_name = "HOW")]
    pub close: Option<String>,

    /// Up means: nothing accepts here; a timeout counts only with `=filtered`
    #[arg(long, value_name = "filtered", num_args = 0..=1, require_equals = true, default_missing_value = "answered")]
    pub expect_closed: Option<String>,

    /// How names are resolved: `stub`, or `system` for what only nsswitch knows (not in static builds) [default: stub]
    #[arg(long, value_name = "HOW")]
    pub resolver: Option<String>,

    /// The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,

    /// Explain each step on standard error, with -o text
    #[arg(short, long)]
    pub verbose: bool,
}

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
    Expect(Form),
    /// `--reject` and its kin
    Reject(Form),
    /// `--quit`
    Quit,
}

/// How the text of an expectation is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
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
    (StepKind::Send, "--send", "TEXT", "Send this text; escapes \\r \\n \\t \\0 \\\\ \\xHH, ${name} inserts a capture"),
    (StepKind::SendHex, "--send-hex", "HEX", "Send these bytes, such as `16 03:01`"),
    (StepKind::Expect(Form::Literal), "--expect", "TEXT", "Wait for this text, anywhere in what comes"),
    (StepKind::Expect(Form::Prefix), "--expect-prefix", "TEXT", "Wait for this text at the start of what comes"),
    (StepKind::Expect(Form::Regex), "--expect-regex", "RE", "Wait for a match; (?<name>...) is captured"),
    (StepKind::Expect(Form::Hex), "--expect-hex", "HEX", "Wait for these bytes; ?? is any byte"),
    (StepKind::Reject(Form::Literal), "--reject", "TEXT", "Fail the expectations after it when this text comes"),
    (StepKind::Reject(Form::Regex), "--reject-regex", "RE", "Fail them when this matches"),
    (StepKind::Reject(Form::Hex), "--reject-hex", "HEX", "Fail them when these bytes come"),
    (StepKind::Quit, "--quit", "TEXT", "Say goodbye with this text after the verdict"),
];

impl StepKind {
    /// The option's name.
    pub fn option(self) -> &'static str {
        STEPS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, option, ..)| option)
    }
}

impl Args for StepArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        STEPS.iter().fold(command, |command, (_, option, value, help)| {
            let name = option.trim_start_matches('-');
            let arg = clap::Arg::new(name).long(name).value_name(*value).help(*help);
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
            steps.extend(places.zip(texts).map(|(place, text)| (place, kind, text.clone())));
        }
        steps.sort_by_key(|(place, ..)| *place);
        let given = steps.into_iter().filter(|(_, _, text)| !text.is_empty());
        Ok(Self(given.map(|(_, kind, text)| (kind, text)).collect()))
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Err(clap::Error::new(ErrorKind::InvalidValue))
    }
}

//! The command line's arguments as requests.

use std::time::Duration;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::cli::check::CheckArgs;
use crate::cli::probe::{NetworkArgs, ProbeArgs};
use crate::cli::steps::{StepArgs, StepKind};
use crate::cli::tls::TlsArgs;
use crate::cli::values::non_empty;
use crate::escape::escaped_prefix;
use crate::output::Format;
use crate::plan::Family;
use crate::settings::error::{Located, SettingsError};
use crate::settings::option_table::{OptionForm, OptionName, OptionSource};
use crate::settings::origins::{Origin, Origins};
use crate::settings::overrides::Overrides;
use crate::settings::parse::{self, InvalidValue};
use crate::settings::request::{CheckRequest, ProbeRequest, ResolverChoice, Transcript};
use crate::settings::step_spec::{
    ExpectSpec, LineEnds, PatternSpec, RejectSpec, SendSpec, StepSpec,
};
use crate::settings::tls_overrides::{TlsOverrides, TlsStart};

/// The request of `check`; `default_format` is what is printed without `--output`.
///
/// # Errors
/// The first usage error.
pub fn check(args: &CheckArgs, default_format: Format) -> Result<CheckRequest, SettingsError> {
    let format = match non_empty(&args.output) {
        Some(name) => {
            Format::parse(name).map_err(|why| SettingsError::in_option("--output", why))?
        }
        None => default_format,
    };
    if let Some(word) = args.surplus.iter().find(|word| !word.is_empty()) {
        let word = escaped_prefix(word, 60);
        let is_port = word.bytes().all(|byte| byte.is_ascii_digit());
        let remedy = if is_port {
            ": a check has one port; for several, use `zbx-tcp batch HOST:22,25 -o text`"
        } else {
            "; see --help"
        };
        let why = format!("unexpected argument `{word}`{remedy}");
        return Err(SettingsError::new(why));
    }
    Ok(CheckRequest {
        host: args.host.clone(),
        port: args.port.clone(),
        probe: probe(&args.probe)?,
        format,
        transcript: if args.verbose {
            Transcript::Shown
        } else {
            Transcript::Silent
        },
        default_tracing: None,
    })
}

/// How targets are probed.
///
/// # Errors
/// The first usage error.
pub fn probe(args: &ProbeArgs) -> Result<ProbeRequest, SettingsError> {
    let (steps, quit) = dialogue(&args.steps)?;
    let network = network(&args.network, &args.tls)?;
    let options = parse_options(&[
        ("--encoding", &args.encoding),
        ("--max-bytes", &args.max_bytes),
        ("--addresses", &args.addresses),
        ("--count", &args.count),
        ("--interval", &args.interval),
        ("--require", &args.require),
        ("--expect-closed", &args.expect_closed),
        ("--path", &args.path),
        ("--close", &args.close),
    ])?;
    let overrides = Overrides {
        steps,
        quit,
        line_ends: args.crlf.then_some(LineEnds::CrLf),
        ..options
    };
    Ok(ProbeRequest {
        overrides: overrides.or(network.overrides),
        service: non_empty(&args.service).map(str::to_owned),
        resolver: network.resolver,
    })
}

/// The options of a probe without a dialogue.
///
/// # Errors
/// The first usage error.
pub fn network(args: &NetworkArgs, tls: &TlsArgs) -> Result<ProbeRequest, SettingsError> {
    let overrides = parse_options(&[
        ("--timeout", &args.timeout),
        ("--family", &args.family),
        ("--source", &args.source),
        ("--source-port", &args.source_port),
        ("--interface", &args.interface),
    ])?;
    Ok(ProbeRequest {
        overrides: Overrides {
            tls: self::tls(tls)?,
            ..with_family(overrides, args)?
        },
        service: None,
        resolver: resolver(args)?,
    })
}

/// Parses the options in the order of [`Overrides::NAMES`].
fn parse_options(args: &[(&'static str, &Option<String>)]) -> Result<Overrides, SettingsError> {
    let given = GivenOptions {
        values: args,
        flags: &[],
        lists: &[],
    };
    given.parsed(Overrides::parse)
}

/// The options of TLS; `None` if there are none.
fn tls(args: &TlsArgs) -> Result<Option<Box<TlsOverrides>>, SettingsError> {
    let given = GivenOptions {
        values: &[
            ("--sni", &args.sni),
            ("--ca-file", &args.ca_file),
            ("--client-cert", &args.client_cert),
            ("--client-key", &args.client_key),
            ("--tls-min", &args.tls_min),
        ],
        flags: &[
            ("--tls-report-only", args.tls_report_only),
            ("--tls-legacy", args.tls_legacy),
            ("--expect-client-cert", args.expect_client_cert),
            ("--tls-scan", args.tls_scan),
        ],
        lists: &[("--alpn", &args.alpn), ("--pin-sha256", &args.pin_sha256)],
    };
    let mut tls: TlsOverrides = given.parsed(TlsOverrides::parse)?;
    match (args.tls, non_empty(&args.starttls)) {
        (true, Some(_)) => {
            let message =
                "cannot be combined with `--tls`, which starts TLS directly: remove one of them";
            return Err(SettingsError::in_option("--starttls", message));
        }
        (true, None) => {
            let origin = Origin::of(&Located::in_option("--tls", ""));
            tls.origins.add("--tls", origin);
            tls.start = Some(TlsStart::AtConnect);
        }
        (false, Some(protocol)) => {
            let given = Located::in_option("--starttls", protocol);
            tls.origins.add("--starttls", Origin::of(&given));
            tls.start = Some(TlsStart::After(given));
        }
        (false, None) => {}
    }
    Ok((tls != TlsOverrides::default()).then(|| Box::new(tls)))
}

/// The options of the command line, by their names.
struct GivenOptions<'a> {
    values: &'a [(&'static str, &'a Option<String>)],
    flags: &'a [(&'static str, bool)],
    lists: &'a [(&'static str, &'a Vec<String>)],
}

impl GivenOptions<'_> {
    /// Parses them with the parser of a table.
    fn parsed<T>(
        mut self,
        parse: fn(&mut dyn OptionSource) -> (T, Vec<SettingsError>),
    ) -> Result<T, SettingsError> {
        match parse(&mut self) {
            (options, errors) if errors.is_empty() => Ok(options),
            (_, errors) => Err(SettingsError::first(errors)),
        }
    }
}

impl OptionSource for GivenOptions<'_> {
    fn value(&mut self, name: OptionName) -> Option<Located> {
        let OptionName { option, form, .. } = name;
        if form == OptionForm::Flag {
            let is_given = self.flags.contains(&(option, true));
            return is_given.then(|| Located::in_option(option, "true"));
        }
        let (_, value) = self.values.iter().find(|(name, _)| *name == option)?;
        non_empty(value).map(|text| Located::in_option(option, text))
    }

    fn list(&mut self, name: OptionName) -> Vec<Located> {
        let given = self.lists.iter().filter(|(list, _)| *list == name.option);
        given
            .flat_map(|(_, values)| *values)
            .filter(|text| !text.is_empty())
            .map(|text| Located::in_option(name.option, text))
            .collect()
    }
}

/// The flag that selects an address family.
fn family_flag(args: &NetworkArgs) -> Option<(Family, &'static str)> {
    match (args.ipv4, args.ipv6) {
        (true, _) => Some((Family::V4, "-4")),
        (_, true) => Some((Family::V6, "-6")),
        _ => None,
    }
}

/// Adds the family of `-4` or `-6`.
fn with_family(overrides: Overrides, args: &NetworkArgs) -> Result<Overrides, SettingsError> {
    let Some((family, flag)) = family_flag(args) else {
        return Ok(overrides);
    };
    if overrides.family.is_some_and(|other| other != family) {
        let message = format!("cannot be combined with `{flag}`: remove one of them");
        return Err(SettingsError::in_option("--family", message));
    }
    let mut origins = Origins::default();
    origins.add("--family", Origin::of(&Located::in_option(flag, "")));
    Ok(Overrides {
        family: Some(family),
        origins: origins.or(overrides.origins),
        ..overrides
    })
}

fn resolver(args: &NetworkArgs) -> Result<ResolverChoice, SettingsError> {
    #[cfg(not(target_feature = "crt-static"))]
    let known = [
        ("stub", ResolverChoice::Stub),
        ("system", ResolverChoice::System),
    ];
    #[cfg(target_feature = "crt-static")]
    let known = [("stub", ResolverChoice::Stub)];
    if cfg!(target_feature = "crt-static") && non_empty(&args.resolver) == Some("system") {
        return Err(SettingsError::in_option(
            "--resolver",
            "`system` is not available in this static build: use a dynamic build, or remove the option",
        ));
    }
    let choice = option("--resolver", &args.resolver, |text| {
        parse::choice(text, &known)
    })?;
    Ok(choice.unwrap_or_default())
}

/// Parses the value of an option, if it was given.
///
/// # Errors
/// When the value is refused.
pub fn option<T, E: Into<InvalidValue>>(
    option: &'static str,
    value: &Option<String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, SettingsError> {
    let Some(text) = non_empty(value) else {
        return Ok(None);
    };
    parse(text)
        .map(Some)
        .map_err(|why| SettingsError::in_option(option, why.into().message(Some(text))))
}

/// Parses a duration.
///
/// # Errors
/// When it is not one.
pub fn duration(
    name: &'static str,
    value: &Option<String>,
) -> Result<Option<Duration>, SettingsError> {
    option(name, value, parse::duration)
}

/// The most patterns of all expectations, each with the reject patterns that apply to it.
const MAX_COMPARED: usize = 10_000;

/// Reads the dialogue in the order of the options: `--reject` applies to every `--expect` after it,
/// and `--quit` is last.
fn dialogue(args: &StepArgs) -> Result<(Option<Vec<StepSpec>>, Option<SendSpec>), SettingsError> {
    let (mut steps, mut quit, mut reject) = (Vec::new(), None, Vec::new());
    let (mut unused_reject, mut compared) = (None, 0);
    for (kind, text) in &args.0 {
        let name = kind.option();
        if quit.is_some() {
            let message = if *kind == StepKind::Quit {
                "is given twice: give it once, after all other steps"
            } else {
                "is after --quit: give --quit after all other steps"
            };
            return Err(SettingsError::in_option(name, message));
        }
        if is_option(text) {
            let message = format!(
                "requires a value, but `{}` is an option: to use it as a text, write `\\x2d{}`",
                escaped_prefix(text, 40),
                escaped_prefix(text.get(1..).unwrap_or_default(), 40)
            );
            return Err(SettingsError::in_option(name, message));
        }
        let text = Located::in_option(name, text);
        match kind {
            StepKind::Send => steps.push(StepSpec::Send(SendSpec::Text(text))),
            StepKind::SendHex => steps.push(StepSpec::Send(SendSpec::Hex(text))),
            StepKind::Quit => quit = Some(SendSpec::Text(text)),
            StepKind::Silence => {
                let time = parse::duration(&text.text).map_err(|why| text.invalid(&why))?;
                steps.push(StepSpec::Silence(time));
            }
            StepKind::Expect(kind) => {
                unused_reject = None;
                compared += 1 + reject.len();
                if compared > MAX_COMPARED {
                    let message = format!(
                        "the `--expect` options and the reject patterns before them need more than {MAX_COMPARED} comparisons: use fewer options"
                    );
                    return Err(text.error(message));
                }
                let pattern = PatternSpec { kind: *kind, text };
                steps.push(StepSpec::Expect(ExpectSpec::one(pattern, reject.clone())));
            }
            StepKind::Reject(kind) => {
                unused_reject = Some(name);
                reject.push(RejectSpec::one(PatternSpec { kind: *kind, text }));
            }
        }
    }
    match unused_reject {
        Some(option) => Err(SettingsError::in_option(
            option,
            "applies to the `--expect` options after it, but there is none: give it before them",
        )),
        None => Ok(((!steps.is_empty()).then_some(steps), quit)),
    }
}

/// Whether a text is an option of the program. Where the value of an option is missing, as after a
/// macro of Zabbix that is empty, the next option would be taken as the value.
fn is_option(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-') else {
        return false;
    };
    let mut command = Cli::command();
    command.build();
    let mut options = command
        .get_subcommands()
        .flat_map(clap::Command::get_arguments);
    match rest.strip_prefix('-') {
        Some(long) => {
            let name = long.split('=').next();
            options.any(|option| option.get_long().is_some() && option.get_long() == name)
        }
        None => options.any(|option| {
            option
                .get_short()
                .is_some_and(|short| rest.chars().eq([short]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Command;

    #[test]
    fn every_option_of_the_table_is_read_from_the_command_line() {
        let is_read = |name: &OptionName, value: &str| {
            let argument = match name.form {
                OptionForm::Flag => name.option.to_owned(),
                OptionForm::Value | OptionForm::List => format!("{}={value}", name.option),
            };
            let words = ["zbx-tcp", "check", "h", "1", argument.as_str()];
            let Command::Check(args) = Cli::try_parse_from(words).unwrap().command else {
                panic!("not a check");
            };
            probe(&args.probe).is_ok_and(|request| request.overrides != Overrides::default())
        };
        let digest = "0".repeat(64);
        for name in Overrides::NAMES.iter().chain(TlsOverrides::NAMES) {
            let values = [
                "1", "4", "first", "fin", "filtered", "on", "1.2", "name", &digest,
            ];
            assert!(
                values.iter().any(|value| is_read(name, value)),
                "{} is not read",
                name.option
            );
        }
    }
}

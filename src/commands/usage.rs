//! Usage errors of the command line in one sentence, from the structured error of clap.

use std::borrow::Cow;
use std::net::IpAddr;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::escape::escaped_prefix;

/// The message for an error of clap: what is wrong, and what to do.
pub fn message(error: &clap::Error) -> String {
    let argument = || context(error, ContextKind::InvalidArg);
    let text = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            return "no command: try `zbx-tcp --help`".to_owned();
        }
        ErrorKind::InvalidSubcommand => {
            return unknown_command(
                &context(error, ContextKind::InvalidSubcommand),
                &suggestion(error, ContextKind::SuggestedSubcommand),
            );
        }
        ErrorKind::UnknownArgument => format!(
            "unexpected argument `{}`{}",
            argument(),
            suggestion(error, ContextKind::SuggestedArg)
        ),
        ErrorKind::ArgumentConflict => {
            let (argument, other) = (argument(), context(error, ContextKind::PriorArg));
            if argument == other {
                format!("`{argument}` cannot be given more than once")
            } else {
                format!("`{argument}` cannot be combined with `{other}`")
            }
        }
        ErrorKind::MissingRequiredArgument => format!("missing argument {}", argument()),
        ErrorKind::NoEquals => format!("`{}` requires `=` before its value", argument()),
        ErrorKind::InvalidValue | ErrorKind::TooFewValues => {
            format!("`{}` requires a value", argument())
        }
        ErrorKind::WrongNumberOfValues => format!(
            "`{}` requires {} values",
            argument(),
            context(error, ContextKind::ExpectedNumValues)
        ),
        ErrorKind::TooManyValues => format!(
            "`{}` does not accept the value `{}`",
            argument(),
            context(error, ContextKind::InvalidValue)
        ),
        ErrorKind::InvalidUtf8 => {
            "an argument is not UTF-8: for other bytes use --send-hex, --expect-hex or --reject-hex"
                .to_owned()
        }
        other => other.as_str().unwrap_or("invalid arguments").to_owned(),
    };
    with_hint(&text)
}

/// A question already contains the hint.
fn with_hint(text: &str) -> String {
    let hint = if text.ends_with('?') {
        ""
    } else {
        "; see --help"
    };
    format!("{text}{hint}")
}

/// The message for an unknown command. Its usual causes are a forgotten `check`, and in item keys
/// of Zabbix a command line in one parameter or quotes that became part of the parameter. `word` is
/// escaped.
fn unknown_command(word: &str, suggestion: &str) -> String {
    let unquoted = word.trim_matches(['\'', '"', '‘', '’', '“', '”']);
    if word.split_whitespace().count() > 1 {
        format!("unknown command `{word}`: pass every argument separately")
    } else if unquoted.len() < word.len() {
        format!("unknown command `{word}`: remove the quotes")
    } else if is_like_host(word) {
        format!("unknown command `{word}`: to probe a host, put `check` first")
    } else {
        with_hint(&format!("unknown command `{word}`{suggestion}"))
    }
}

/// Whether a word is probably a host: an address, or a name with a dot. Commands have neither dots
/// nor colons.
fn is_like_host(word: &str) -> bool {
    let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '[' | ']');
    word.parse::<IpAddr>().is_ok() || (word.contains(['.', ':']) && word.chars().all(host))
}

/// `: did you mean ...?`, or nothing.
fn suggestion(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(one)) => format!(": did you mean `{one}`?"),
        // Clap sorts them by similarity; the last one is the nearest.
        Some(ContextValue::Strings(several)) => several
            .last()
            .map_or_else(String::new, |one| format!(": did you mean `{one}`?")),
        _ => String::new(),
    }
}

/// A part of the error as escaped text. An option is shown without its value, as in `--timeout`.
fn context(error: &clap::Error, kind: ContextKind) -> String {
    let text: Cow<'_, str> = match error.get(kind) {
        Some(ContextValue::String(text)) => text.into(),
        Some(ContextValue::Strings(texts)) => texts.join(" ").into(),
        Some(ContextValue::Number(number)) => number.to_string().into(),
        _ => "".into(),
    };
    let name = match text.split_once([' ', '=']) {
        Some((option, _)) if option.starts_with('-') => option,
        _ => &text,
    };
    escaped_prefix(name.strip_suffix('[').unwrap_or(name), 60)
}

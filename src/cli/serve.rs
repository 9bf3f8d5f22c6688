//! Arguments of `zbx-tcp serve`, and the responder settings they give.

use std::fmt;
use std::time::Duration;

use crate::cli::values;
use crate::cli::values::{ValueError, non_empty};
use crate::escape::escaped_prefix;
use crate::plan::bytes::{BytesError, Charset, unescape};
use crate::responder::{Backlog, Clients, CloseMode, ListenError, ReplyMode, ResponderConfig};

/// Run a small TCP server, to test a network path or a check
///
/// It prints a log of all clients on standard output.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ServeArgs {
    /// Where to listen: `8989` (on all IPv4 and IPv6 addresses), `127.0.0.1:8989` or `[::1]:8989`;
    /// port 0 selects a free port
    #[arg(value_name = "[ADDR:]PORT")]
    pub listen: String,

    /// Send this text to each client first; escapes: \r \n \t \0 \\ \xHH
    #[arg(long, value_name = "TEXT")]
    pub greeting: Option<String>,

    /// After the first data of a client (up to 1024 bytes), send this text and close the connection
    #[arg(long, value_name = "TEXT")]
    pub reply: Option<String>,

    /// Send received data back until the client closes the connection; cannot be combined with
    /// --reply
    #[arg(long)]
    pub echo: bool,

    /// Encoding of sent and logged text: a WHATWG label such as gbk [default: utf-8]
    #[arg(long, value_name = "LABEL")]
    pub encoding: Option<String>,

    /// Wait before the greeting and before each reply: `2s`, `800ms` or a number of seconds
    /// [default: 0]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true)]
    pub delay: Option<String>,

    /// Length of the accept queue [default: 128]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub backlog: Option<String>,

    /// How to close connections: `fin`, `rst`, `hold` (when the client closes) or `never-accept`
    /// (do not accept them) [default: fin]
    #[arg(long, value_name = "HOW")]
    pub close: Option<String>,

    /// Serve one client, then exit
    #[arg(long)]
    pub once: bool,
}

impl ServeArgs {
    /// The responder settings. An option with an empty value is ignored.
    ///
    /// # Errors
    /// An invalid value, or options that cannot be combined.
    pub fn settings(&self) -> Result<ResponderConfig, ServeError> {
        let charset = match non_empty(&self.encoding) {
            None => Charset::default(),
            Some(label) => Charset::from_label(label).map_err(ServeError::Encoding)?,
        };
        let settings = ResponderConfig {
            listen: self.listen.parse().map_err(ServeError::Listen)?,
            greeting: text("--greeting", non_empty(&self.greeting), charset)?.unwrap_or_default(),
            reply: self.answer(charset)?,
            charset,
            delay: self.delay()?,
            backlog: self.backlog()?,
            close: self.close()?,
            clients: if self.once {
                Clients::One
            } else {
                Clients::Many
            },
        };
        reject_unused(&settings)?;
        Ok(settings)
    }

    fn answer(&self, charset: Charset) -> Result<ReplyMode, ServeError> {
        match (text("--reply", non_empty(&self.reply), charset)?, self.echo) {
            (Some(_), true) => Err(ServeError::ReplyAndEcho),
            (Some(bytes), false) => Ok(ReplyMode::Once(bytes)),
            (None, true) => Ok(ReplyMode::Echo),
            (None, false) => Ok(ReplyMode::None),
        }
    }

    fn delay(&self) -> Result<Duration, ServeError> {
        non_empty(&self.delay).map_or(Ok(Duration::ZERO), |text| {
            values::duration_or_zero(text).map_err(ServeError::Delay)
        })
    }

    fn backlog(&self) -> Result<Backlog, ServeError> {
        let Some(text) = non_empty(&self.backlog) else {
            return Ok(Backlog::default());
        };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let length = if digits { text.parse().ok() } else { None };
        length
            .and_then(Backlog::new)
            .ok_or_else(|| ServeError::Backlog(escaped_prefix(text, 40)))
    }

    fn close(&self) -> Result<CloseMode, ServeError> {
        match non_empty(&self.close) {
            None | Some("fin") => Ok(CloseMode::Fin),
            Some("rst") => Ok(CloseMode::Rst),
            Some("hold") => Ok(CloseMode::Hold),
            Some("never-accept") => Ok(CloseMode::NeverAccept),
            Some(other) => Err(ServeError::Close(escaped_prefix(other, 40))),
        }
    }
}

/// Rejects options that have no effect if no client is accepted.
fn reject_unused(settings: &ResponderConfig) -> Result<(), ServeError> {
    let option = match settings {
        ResponderConfig {
            close: CloseMode::Fin | CloseMode::Rst | CloseMode::Hold,
            ..
        } => return Ok(()),
        ResponderConfig {
            clients: Clients::One,
            ..
        } => "--once",
        ResponderConfig {
            reply: ReplyMode::Echo,
            ..
        } => "--echo",
        ResponderConfig {
            reply: ReplyMode::Once(_),
            ..
        } => "--reply",
        ResponderConfig { greeting, .. } if !greeting.is_empty() => "--greeting",
        ResponderConfig { .. } => return Ok(()),
    };
    Err(ServeError::NeverAccept(option))
}

/// The bytes of a text option.
fn text(
    option: &'static str,
    value: Option<&str>,
    charset: Charset,
) -> Result<Option<Vec<u8>>, ServeError> {
    let bytes = value.map(|text| unescape(text, charset)).transpose();
    bytes.map_err(|error| ServeError::Text(option, error))
}

/// A usage error of `serve`. The text names the option, the value and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServeError {
    /// Invalid address or port.
    Listen(ListenError),
    /// Invalid text of this option.
    Text(&'static str, BytesError),
    /// Unknown encoding.
    Encoding(BytesError),
    /// Invalid duration.
    Delay(ValueError),
    /// Invalid number.
    Backlog(String),
    /// Unknown way to close.
    Close(String),
    /// Both `--reply` and `--echo`.
    ReplyAndEcho,
    /// An option that has no effect with `--close never-accept`.
    NeverAccept(&'static str),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(error) => error.fmt(f),
            Self::Text(option, error) => write!(f, "{option}: {error}"),
            Self::Encoding(error) => write!(f, "--encoding: {error}"),
            Self::Delay(error) => write!(f, "--delay: {error}"),
            Self::Backlog(text) => write!(
                f,
                "--backlog: `{text}` is not a number from 0 to {}",
                i32::MAX
            ),
            Self::Close(text) => {
                write!(
                    f,
                    "--close: unknown value `{text}`: expected `fin`, `rst`, `hold` or `never-accept`"
                )
            }
            Self::ReplyAndEcho => {
                f.write_str("--echo and --reply cannot be combined: remove one of them")
            }
            Self::NeverAccept(option) => {
                write!(
                    f,
                    "{option} cannot be combined with `--close never-accept`: remove one of them"
                )
            }
        }
    }
}

impl std::error::Error for ServeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responder::Listen;

    #[derive(Debug, clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn settings(arguments: &[&str]) -> Result<ResponderConfig, ServeError> {
        let arguments = ["serve"].iter().chain(arguments);
        <Arguments as clap::Parser>::try_parse_from(arguments)
            .unwrap()
            .serve
            .settings()
    }

    #[test]
    fn the_server_of_the_tutorial() {
        let settings = settings(&[
            "8989",
            "--encoding",
            "gbk",
            "--reply",
            "ok, 问题正在处理中…",
        ])
        .unwrap();
        assert_eq!(settings.listen, Listen::Everywhere(8989));
        let reply = b"ok, \xce\xca\xcc\xe2\xd5\xfd\xd4\xda\xb4\xa6\xc0\xed\xd6\xd0\xa1\xad";
        assert_eq!(settings.reply, ReplyMode::Once(reply.to_vec()));
        assert_eq!(
            (settings.close, settings.clients),
            (CloseMode::Fin, Clients::Many)
        );
        assert_eq!(
            (settings.backlog, settings.delay),
            (Backlog::new(128).unwrap(), Duration::ZERO)
        );
    }

    #[test]
    fn an_option_with_an_empty_value_is_ignored() {
        let options = [
            "--greeting=",
            "--reply=",
            "--encoding=",
            "--delay=",
            "--backlog=",
            "--close=",
        ];
        let words: Vec<&str> = ["8989", "--echo"].into_iter().chain(options).collect();
        assert_eq!(settings(&words), settings(&["8989", "--echo"]));
    }

    #[test]
    fn values_at_their_limits_are_accepted() {
        let settings = settings(&[
            "0",
            "--backlog",
            "2147483647",
            "--delay",
            "0",
            "--close",
            "hold",
            "--once",
        ])
        .unwrap();
        assert_eq!(settings.backlog, Backlog::new(i32::MAX).unwrap());
        assert_eq!(
            (settings.close, settings.clients),
            (CloseMode::Hold, Clients::One)
        );
    }

    #[test]
    fn errors_name_option_value_and_remedy() {
        for (words, parts) in [
            (
                &["--greeting", r"\q"][..],
                &["--greeting", r"`\q`", r"\xHH"][..],
            ),
            (&["--reply", r"\x4"], &["--reply", r"`\x4`"]),
            (
                &["--encoding", "klingon"],
                &["--encoding", "`klingon`", "gbk"],
            ),
            (
                &["--encoding", "big5", "--reply", "…\u{1f600}"],
                &["--reply", "U+1F600", "Big5", r"\xHH"],
            ),
            (&["--delay", "abc"], &["--delay", "`abc`", "800ms"]),
            (&["--delay", "-1"], &["--delay", "`-1`"]),
            (&["--delay", "601"], &["--delay", "600 s"]),
            (
                &["--backlog", "-1"],
                &["--backlog", "`-1`", "0 to 2147483647"],
            ),
            (&["--backlog", "2147483648"], &["--backlog", "`2147483648`"]),
            (&["--close", "slam"], &["--close", "`slam`", "never-accept"]),
            (
                &["--echo", "--reply", "x"],
                &["--echo", "--reply", "remove one"],
            ),
            (
                &["--once", "--close", "never-accept"],
                &["--once", "never-accept", "remove one"],
            ),
            (
                &["--greeting", "x", "--close", "never-accept"],
                &["--greeting", "never-accept"],
            ),
        ] {
            let words: Vec<&str> = words.iter().copied().chain(["8989"]).collect();
            let error = settings(&words).expect_err(&words.join(" ")).to_string();
            assert!(
                parts.iter().all(|part| error.contains(part)),
                "{words:?}: {error}"
            );
            assert!(!error.contains('\n'), "{error}");
        }
    }
}

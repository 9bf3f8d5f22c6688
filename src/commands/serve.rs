//! `zbx-tcp serve`: runs the responder and writes its log to standard output.

use std::fmt::Display;
use std::io;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;

use crate::cli::serve::ServeArgs;
use crate::commands::stoppable_output::StoppableOutput;
use crate::commands::{CommandResult, Exit};
use crate::os::stop::StopHandle;
use crate::plan::bytes::Charset;
use crate::responder::{ClientEvent, EventLog, LogLine, Responder, RunError};
use crate::settings::SettingsError;

/// Serves until SIGINT, SIGTERM, a closed standard output, or the end of the only client of
/// `--once`.
///
/// # Errors
/// A usage error, or an address that cannot be bound.
pub fn run(args: &ServeArgs) -> CommandResult {
    let settings = args.settings().map_err(SettingsError::new)?;
    let charset = settings.charset;
    let mut responder = Responder::bind(settings).map_err(SettingsError::new)?;
    match serve(&mut responder, charset) {
        Ok(()) => Ok(Exit::Up),
        Err(RunError::Log(error))
            if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::TimedOut) =>
        {
            Ok(Exit::Up)
        }
        Err(error) => Err(SettingsError::new(error)),
    }
}

fn serve(responder: &mut Responder, charset: Charset) -> Result<(), RunError> {
    // A second signal ends the process at once.
    let stop = StopHandle::on_signals(Exit::Up.code().into()).map_err(RunError::Poll)?;
    let address = responder.local_addr().map_err(RunError::Poll)?;
    let mut log = StdoutLog {
        out: StoppableOutput::new(Some(&stop)),
        charset,
    };
    log.print(&format_args!("listening on {address}"))
        .map_err(RunError::Log)?;
    responder.run(&mut log, &stop)
}

/// Writes the log to standard output, each line at once. If its reader stops reading, the responder
/// waits, until a signal arrives.
struct StdoutLog<'s> {
    out: StoppableOutput<'s>,
    charset: Charset,
}

impl StdoutLog<'_> {
    fn print(&mut self, line: &dyn Display) -> io::Result<()> {
        self.out.write_all(format!("{line}\n").as_bytes())
    }
}

impl EventLog for StdoutLog<'_> {
    fn record(&mut self, client: SocketAddr, event: &ClientEvent<'_>) -> io::Result<()> {
        let charset = self.charset;
        self.print(&LogLine {
            client,
            event,
            charset,
        })
    }
}

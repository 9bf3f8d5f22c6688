//! `zbx-tcp serve`: runs the responder and writes its log to standard output.

use std::fmt::Display;
use std::io;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::cli::serve::ServeArgs;
use crate::commands::{CommandResult, Exit};
use crate::plan::bytes::Charset;
use crate::responder::{Event, Line, Log, Responder, RunError, StopHandle};
use crate::settings::SettingsError;

/// Serves until SIGINT, SIGTERM, a closed standard output, or the end of the only client of `--once`.
///
/// # Errors
/// A usage error, or an address that cannot be bound.
pub fn run(args: &ServeArgs) -> CommandResult {
    let settings = args.settings().map_err(SettingsError::new)?;
    let charset = settings.charset;
    let mut responder = Responder::bind(settings).map_err(SettingsError::new)?;
    match serve(&mut responder, charset) {
        Ok(()) => Ok(Exit::Up),
        Err(RunError::Log(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Up),
        Err(error) => Err(SettingsError::new(error)),
    }
}

fn serve(responder: &mut Responder, charset: Charset) -> Result<(), RunError> {
    let stop = stop_on_signals().map_err(RunError::Queue)?;
    let address = responder.local_addr().map_err(RunError::Queue)?;
    let mut log = StdoutLog {
        out: io::stdout().lock(),
        charset,
    };
    log.print(&format_args!("listening on {address}"))
        .map_err(RunError::Log)?;
    responder.run(&mut log, &stop)
}

/// The first signal ends the loop; the second one the process, should the log's reader hold the loop up.
fn stop_on_signals() -> io::Result<StopHandle> {
    let stop = StopHandle::new()?;
    for signal in [SIGINT, SIGTERM] {
        low_level::pipe::register(signal, stop.trigger()?)?;
    }
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 0, Arc::clone(&stopping))?;
        flag::register(signal, Arc::clone(&stopping))?;
    }
    Ok(stop)
}

/// Writes the log to standard output and flushes every line.
struct StdoutLog {
    out: io::StdoutLock<'static>,
    charset: Charset,
}

impl StdoutLog {
    fn print(&mut self, line: &dyn Display) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }
}

impl Log for StdoutLog {
    fn note(&mut self, client: SocketAddr, event: &Event<'_>) -> io::Result<()> {
        let charset = self.charset;
        self.print(&Line {
            client,
            event,
            charset,
        })
    }
}

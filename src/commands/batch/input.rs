//! Standard input as a list of targets: all of it, or a mistake; never waited for beyond the run's own time.

use std::io::Read;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use std::{io, thread};

use crate::os::errno::os_error_text;
use crate::settings::SettingsError;

/// The longest list: a million targets with options of their own.
const MOST_BYTES: u64 = 128 << 20;

/// Everything that standard input has.
///
/// # Errors
/// When it cannot be read, is too long, or has not ended after this time.
pub fn read(patience: Duration) -> Result<Vec<u8>, SettingsError> {
    let (give, take) = sync_channel(1);
    // A thread can wait for files, pipes and terminals alike, and be left behind.
    let reader = thread::Builder::new().name("input".into()).spawn(move || {
        let mut bytes = Vec::new();
        let read = io::stdin()
            .lock()
            .take(MOST_BYTES + 1)
            .read_to_end(&mut bytes);
        // Nobody takes it any more when the time is over.
        let _ = give.send(read.map(|_| bytes));
    });
    reader.map_err(|error| refused(&os_error_text(&error)))?;
    match take.recv_timeout(patience) {
        Ok(Ok(bytes)) if bytes.len() as u64 <= MOST_BYTES => Ok(bytes),
        Ok(Ok(_)) => Err(refused("more than 128 MiB: write a shorter list")),
        Ok(Err(error)) => Err(refused(&os_error_text(&error))),
        Err(RecvTimeoutError::Timeout) => {
            let patience = humantime::format_duration(patience);
            Err(refused(&format!(
                "did not end within {patience}: end the list, or raise --deadline"
            )))
        }
        Err(RecvTimeoutError::Disconnected) => Err(refused("could not be read")),
    }
}

fn refused(why: &str) -> SettingsError {
    SettingsError::new(format!("standard input: {why}"))
}

//! Reads the target list from standard input, completely and within the deadline of the run.

use std::io::Read;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use std::{io, thread};

use crate::os::errno::os_error_text;
use crate::settings::SettingsError;

/// The maximum length of the list in bytes: a million targets with options.
const MAX_BYTES: u64 = 128 << 20;

/// Reads standard input to its end.
///
/// # Errors
/// If it cannot be read, is too long, or does not end within this time.
pub fn read(timeout: Duration) -> Result<Vec<u8>, SettingsError> {
    let (sender, receiver) = sync_channel(1);
    // A thread can read files, pipes and terminals alike, and can be abandoned at the timeout.
    let reader = thread::Builder::new().name("input".into()).spawn(move || {
        let mut bytes = Vec::new();
        let read = io::stdin()
            .lock()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes);
        // There is no receiver any more after the timeout.
        let _ = sender.send(read.map(|_| bytes));
    });
    reader.map_err(|error| input_error(&os_error_text(&error)))?;
    match receiver.recv_timeout(timeout) {
        Ok(Ok(bytes)) if bytes.len() as u64 <= MAX_BYTES => Ok(bytes),
        Ok(Ok(_)) => Err(input_error("more than 128 MiB: write a shorter list")),
        Ok(Err(error)) => Err(input_error(&os_error_text(&error))),
        Err(RecvTimeoutError::Timeout) => {
            let timeout = humantime::format_duration(timeout);
            Err(input_error(&format!(
                "did not end within {timeout}: close it earlier, or raise --deadline"
            )))
        }
        Err(RecvTimeoutError::Disconnected) => Err(input_error("could not be read")),
    }
}

fn input_error(why: &str) -> SettingsError {
    SettingsError::new(format!("standard input: {why}"))
}

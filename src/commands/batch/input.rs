//! Reads the target list from standard input, completely and within the deadline of the run.

use std::io::Read;
use std::os::fd::AsFd;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::os::errno::os_error_text;
use crate::os::stop::{StopHandle, readable_within};
use crate::settings::SettingsError;

/// The maximum length of the list in bytes: a million targets with options.
const MAX_BYTES: u64 = 128 << 20;

/// How often it is checked whether the run is stopped.
const STOP_INTERVAL: Duration = Duration::from_millis(20);

/// Reads standard input to its end.
///
/// # Errors
/// If it cannot be read, is too long, or does not end within this time or before the stop.
#[allow(clippy::disallowed_methods)]
pub fn read(timeout: Duration, stop: Option<&StopHandle>) -> Result<Vec<u8>, SettingsError> {
    let start = Instant::now();
    let (sender, receiver) = sync_channel(1);
    // A thread can read files, pipes and terminals alike, and can be abandoned at the timeout.
    let reader = thread::Builder::new().name("input".into()).spawn(move || {
        let mut bytes = Vec::new();
        let read = io::stdin()
            .lock()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes);
        // After the timeout, the channel has no receiver.
        let _ = sender.send(read.map(|_| bytes));
    });
    // The limits of this process may allow no thread.
    if reader.is_err() {
        return read_here(timeout, stop, start);
    }
    let received = loop {
        let left = timeout.saturating_sub(start.elapsed());
        match receiver.recv_timeout(left.min(STOP_INTERVAL)) {
            Err(RecvTimeoutError::Timeout) if stop.is_some_and(StopHandle::is_stopped) => {
                return Err(stopped());
            }
            Err(RecvTimeoutError::Timeout) if left > STOP_INTERVAL => {}
            received => break received,
        }
    };
    match received {
        Ok(Ok(bytes)) if bytes.len() as u64 <= MAX_BYTES => Ok(bytes),
        Ok(Ok(_)) => Err(too_long()),
        Ok(Err(error)) => Err(input_error(&os_error_text(&error))),
        Err(RecvTimeoutError::Timeout) => Err(too_late(timeout)),
        Err(RecvTimeoutError::Disconnected) => Err(input_error("could not be read")),
    }
}

/// Reads standard input to its end without a thread. A file whose device does not answer can delay
/// this beyond the timeout.
#[allow(clippy::disallowed_methods)]
fn read_here(
    timeout: Duration,
    stop: Option<&StopHandle>,
    start: Instant,
) -> Result<Vec<u8>, SettingsError> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        if stop.is_some_and(StopHandle::is_stopped) {
            return Err(stopped());
        }
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(too_late(timeout));
        }
        let mut input = io::stdin().lock();
        if !readable_within(io::stdin().as_fd(), left.min(STOP_INTERVAL)) {
            continue;
        }
        match input.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(length) => bytes.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(input_error(&os_error_text(&error))),
        }
        if bytes.len() as u64 > MAX_BYTES {
            return Err(too_long());
        }
    }
}

fn stopped() -> SettingsError {
    input_error("a signal ended the run before the list was read")
}

fn too_long() -> SettingsError {
    input_error("longer than 128 MiB: write a shorter list")
}

fn too_late(timeout: Duration) -> SettingsError {
    let timeout = humantime::format_duration(timeout);
    input_error(&format!(
        "did not end within {timeout}: close it earlier, or raise --deadline"
    ))
}

fn input_error(why: &str) -> SettingsError {
    SettingsError::new(format!("standard input: {why}"))
}

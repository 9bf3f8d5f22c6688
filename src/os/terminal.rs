//! The terminal of a live view: its mode, its size, its keys, and that it is always restored.
//!
//! A signal handler must be able to restore it, so the saved mode is behind an atomic pointer and
//! everything that [`restore`] calls is safe in a signal handler (signal-safety(7)). That is why this
//! is not a library: the raw mode of crossterm is behind a mutex.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use libc::{STDOUT_FILENO, termios};
use signal_hook::consts::{SIGHUP, SIGQUIT, SIGTSTP};
use signal_hook::low_level;

/// The mode to restore. Never freed once it is set, since a signal handler may be using it.
static SAVED: AtomicPtr<termios> = AtomicPtr::new(ptr::null_mut());
/// Whether the terminal is in the mode of the live view.
static IS_LIVE: AtomicBool = AtomicBool::new(false);

/// Starts the live view: the alternate screen, cleared, without a cursor and without line wrapping
/// (ECMA-48, and the private modes of xterm).
const BEGIN: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[0m\x1b[2J";
/// Ends it. CAN ends an escape sequence of which only a part was written.
const END: &[u8] = b"\x18\x1b[0m\x1b[2J\x1b[?7h\x1b[?25h\x1b[?1049l";

/// How long a terminal that accepts no data may delay the end of the view, in milliseconds.
const PATIENCE: i32 = 50;

/// A terminal with a live view. It is restored when this is dropped, also by a panic, and by the
/// signals that end the process.
#[derive(Debug)]
pub struct LiveTerminal {
    /// The terminal of standard output, opened again so that it does not block: the mode of the
    /// other open file description is shared with the shell.
    file: Option<File>,
}

impl LiveTerminal {
    /// Starts a live view on the terminal of standard output.
    ///
    /// # Errors
    /// Standard output is not a terminal.
    pub fn begin() -> io::Result<Self> {
        let mut mode = MaybeUninit::<termios>::zeroed();
        // SAFETY: the pointer is to a local, for which all zeroes is a value.
        let mode = unsafe {
            if libc::tcgetattr(STDOUT_FILENO, mode.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            mode.assume_init()
        };
        SAVED.store(Box::into_raw(Box::new(mode)), Ordering::SeqCst);
        for signal in [SIGHUP, SIGQUIT] {
            let handler = move || {
                restore();
                let _ = low_level::emulate_default_handler(signal);
            };
            // SAFETY: `restore` and the function of signal-hook are safe in a handler.
            unsafe { low_level::register(signal, handler)? };
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
            .open("/proc/self/fd/1")
            .ok();
        let terminal = Self { file };
        terminal.resume();
        Ok(terminal)
    }

    /// Sets the mode of the live view. If the process is in the background, the kernel stops it
    /// (SIGTTOU) until it is in the foreground.
    pub fn resume(&self) {
        let saved = SAVED.load(Ordering::SeqCst);
        if saved.is_null() {
            return;
        }
        // SAFETY: the pointer was made by `begin` and is never freed.
        let mut mode = unsafe { *saved };
        // Keys are read one by one and are not shown. They still cause signals, except Ctrl-\, which
        // would leave a core file.
        mode.c_lflag &= !(libc::ICANON | libc::ECHO);
        for (key, value) in [(libc::VQUIT, 0), (libc::VMIN, 1), (libc::VTIME, 0)] {
            if let Some(place) = mode.c_cc.get_mut(key) {
                *place = value;
            }
        }
        IS_LIVE.store(true, Ordering::SeqCst);
        // SAFETY: the pointer is to a local.
        unsafe { libc::tcsetattr(STDOUT_FILENO, libc::TCSANOW, &raw const mode) };
        // What cannot be written now is missing on the screen until it is drawn again.
        let _ = self.write(BEGIN);
    }

    /// Restores the terminal and stops this process, as Ctrl-Z demands, until it is continued.
    pub fn suspend(&self) {
        restore();
        let _ = low_level::emulate_default_handler(SIGTSTP);
    }

    /// Writes as much as the terminal accepts at once; whether that is everything.
    ///
    /// # Errors
    /// The error of write(2), such as a terminal that was closed.
    pub fn write(&self, bytes: &[u8]) -> io::Result<bool> {
        let Some(mut file) = self.file.as_ref() else {
            return crate::os::standard_streams::write_output(bytes)
                .map(|written| written == bytes.len());
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Ok(false),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The size in columns and rows, as the terminal reports it (`TIOCGWINSZ`); zeroes if it does
    /// not know it.
    pub fn size(&self) -> (u16, u16) {
        let mut size = MaybeUninit::<libc::winsize>::zeroed();
        // SAFETY: the pointer is to a local, for which all zeroes is a value.
        let size = unsafe {
            libc::ioctl(STDOUT_FILENO, libc::TIOCGWINSZ, size.as_mut_ptr());
            size.assume_init()
        };
        (size.ws_col, size.ws_row)
    }

    /// The descriptor that is readable when a key was pressed.
    pub fn keys(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }

    /// The bytes of the keys that were pressed; `None` once the terminal is gone.
    pub fn read_keys(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 256];
        let mut file = self.file.as_ref()?;
        match file.read(&mut buffer) {
            Ok(0) => None,
            Ok(length) => Some(buffer.get(..length).unwrap_or_default().to_vec()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Some(Vec::new())
            }
            Err(_) => None,
        }
    }
}

impl Drop for LiveTerminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal if a live view is shown. It may be called in a signal handler.
pub fn restore() {
    if !IS_LIVE.swap(false, Ordering::SeqCst) {
        return;
    }
    let saved = SAVED.load(Ordering::SeqCst);
    // SAFETY: the pointer of the mode was made by `begin` and is never freed; all others are to
    // locals or constants, with their lengths.
    unsafe {
        // In the background, the terminal belongs to another process group.
        if saved.is_null() || libc::tcgetpgrp(STDOUT_FILENO) != libc::getpgrp() {
            return;
        }
        let mut output = libc::pollfd {
            fd: STDOUT_FILENO,
            events: libc::POLLOUT,
            revents: 0,
        };
        if libc::poll(&raw mut output, 1, PATIENCE) > 0 {
            libc::write(STDOUT_FILENO, END.as_ptr().cast(), END.len());
        }
        libc::tcsetattr(STDOUT_FILENO, libc::TCSANOW, saved);
    }
}

//! Starts servers that use standard input and output, as inetd does.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Accepts on a loopback port and starts one process per connection, whose standard streams it is.
pub struct Inetd {
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Child>>>,
}

impl Inetd {
    /// Standard error goes to `log`, or to the connection too, as with inetd.
    pub fn start(log: Option<File>, command: impl Fn() -> Command + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut children = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                children.push(serve(&mut command(), stream.unwrap(), log.as_ref()).unwrap());
                children.retain_mut(|child| child.try_wait().unwrap().is_none());
            }
            children
        });
        Self {
            port,
            stop,
            thread: Some(thread),
        }
    }

    /// Stops accepting, waits for the processes and kills those that do not end; returns how many it killed.
    pub fn stop(&mut self) -> usize {
        let Some(thread) = self.thread.take() else {
            return 0;
        };
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let mut left = thread.join().unwrap();
        left.retain_mut(|child| !crate::server::until(|| child.try_wait().unwrap().is_some()));
        for child in &mut left {
            let _ = child.kill();
            let _ = child.wait();
        }
        left.len()
    }
}

impl Drop for Inetd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(command: &mut Command, stream: TcpStream, log: Option<&File>) -> io::Result<Child> {
    let (input, output) = (
        OwnedFd::from(stream.try_clone()?),
        OwnedFd::from(stream.try_clone()?),
    );
    let error = log.map_or_else(
        || Ok(OwnedFd::from(stream)),
        |log| log.try_clone().map(OwnedFd::from),
    )?;
    command.stdin(input).stdout(output).stderr(error).spawn()
}

//! Scripted peers, independent of our own `serve`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

/// A listener on loopback that serves its clients with a closure, one after the other.
pub struct Peer {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    pub fn start(script: impl Fn(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (count, stopped) = (Arc::clone(&accepted), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let stream = stream.unwrap();
                // A failed test must not leave this thread waiting forever.
                stream
                    .set_read_timeout(Some(Duration::from_secs(10)))
                    .unwrap();
                stream
                    .set_write_timeout(Some(Duration::from_secs(10)))
                    .unwrap();
                script(stream);
            }
        });
        Self {
            address,
            accepted,
            stop,
            thread: Some(thread),
        }
    }

    /// A peer that runs this script for each client, and what each client sent.
    pub fn scripted(acts: Vec<Act>, split: Split) -> (Self, Receiver<Vec<u8>>) {
        let (received, results) = channel();
        let script = move |stream| drop(received.send(perform_split(stream, &acts, split)));
        (Self::start(script), results)
    }

    /// Sends a greeting, then waits until the client sends something or closes.
    pub fn greeting(text: &'static [u8]) -> Self {
        Self::start(move |mut stream| {
            let _ = stream.write_all(text);
            receive(&mut stream, &mut Vec::new());
        })
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asserts that there was no connection so far: they are accepted in order, and ours is the first.
    #[track_caller]
    pub fn has_no_connection(&self) {
        let mut own = TcpStream::connect(self.address).unwrap();
        own.shutdown(std::net::Shutdown::Write).unwrap();
        own.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(self.accepted(), 1, "there was a connection");
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A listener whose accept queue is full: the kernel drops every further SYN.
pub struct FullBacklog {
    listener: Socket,
    fillers: Vec<Socket>,
}

impl FullBacklog {
    pub fn new() -> Self {
        Self::on(Ipv4Addr::LOCALHOST)
    }

    /// One on all addresses of this machine.
    pub fn everywhere() -> Self {
        Self::on(Ipv4Addr::UNSPECIFIED)
    }

    /// One on this port of loopback, which was used a moment ago.
    pub fn on_port(port: u16) -> Self {
        Self::bound(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    fn on(address: Ipv4Addr) -> Self {
        Self::bound(SocketAddr::from((address, 0)))
    }

    fn bound(address: SocketAddr) -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.set_reuse_address(true).unwrap();
        listener.bind(&SockAddr::from(address)).unwrap();
        listener.listen(0).unwrap();
        let mut full = Self {
            listener,
            fillers: Vec::new(),
        };
        while full.fill() {
            assert!(full.fillers.len() < 64, "the accept queue never fills");
        }
        full
    }

    /// Accepts what is in the queue, which has space then.
    pub fn accept_all(&self) -> Vec<Socket> {
        self.listener.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| self.listener.accept().ok())
            .map(|(socket, _)| socket)
            .collect()
    }

    /// Adds a connection to the queue; false once the queue is full.
    fn fill(&mut self) -> bool {
        let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address = SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port())));
        let taken = filler
            .connect_timeout(&address, Duration::from_millis(100))
            .is_ok();
        self.fillers.push(filler);
        taken
    }

    pub fn port(&self) -> u16 {
        self.listener
            .local_addr()
            .unwrap()
            .as_socket()
            .unwrap()
            .port()
    }

    /// Empties the queue after `delay`, and accepts for another two seconds.
    pub fn open_after(self, delay: Duration) -> JoinHandle<()> {
        thread::spawn(move || {
            thread::sleep(delay);
            drop(self.fillers);
            self.listener
                .set_read_timeout(Some(Duration::from_secs(2)))
                .unwrap();
            let mut held = Vec::new();
            while let Ok((stream, _)) = self.listener.accept() {
                held.push(stream);
            }
        })
    }
}

/// A port of loopback on which nothing listens.
pub fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Makes the close of this stream an RST.
pub fn close_with_rst(stream: TcpStream) {
    Socket::from(stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

/// One step of a script.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// Sends these bytes.
    Sends(&'static [u8]),
    /// Waits until the client has sent something.
    Receives,
    /// Waits until this many further bytes have been received; those of earlier `ReceivesBytes` do not count.
    ReceivesBytes(usize),
    /// Waits this many milliseconds.
    Waits(u64),
    /// Ends its direction with FIN and goes on receiving.
    ShutsDown,
    /// Closes with FIN and receives nothing more.
    Closes,
    /// Closes with RST.
    Resets,
}

/// How the bytes of each [`Act::Sends`] are divided into segments.
#[derive(Debug, Clone, Copy)]
pub enum Split {
    /// All in one write.
    Whole,
    /// Each byte in a write of its own.
    Bytes,
    /// In two writes, the first of one byte, with a pause.
    First,
    /// In two halves, with a pause.
    Middle,
    /// In two writes, the second of one byte, with a pause.
    Last,
}

impl Split {
    pub const ALL: [Self; 5] = [
        Self::Whole,
        Self::Bytes,
        Self::First,
        Self::Middle,
        Self::Last,
    ];
}

/// Runs a script, then receives until the client closes; returns all bytes that were received.
pub fn perform(stream: TcpStream, acts: &[Act]) -> Vec<u8> {
    perform_split(stream, acts, Split::Whole)
}

fn perform_split(mut stream: TcpStream, acts: &[Act], split: Split) -> Vec<u8> {
    let (mut received, mut wanted) = (Vec::new(), 0);
    for act in acts {
        match act {
            Act::Sends(bytes) => send(&mut stream, bytes, split),
            Act::Receives => drop(receive(&mut stream, &mut received)),
            Act::ReceivesBytes(count) => {
                wanted += count;
                while received.len() < wanted && receive(&mut stream, &mut received) {}
            }
            Act::Waits(millis) => thread::sleep(Duration::from_millis(*millis)),
            Act::ShutsDown => stream
                .shutdown(std::net::Shutdown::Write)
                .unwrap_or_default(),
            Act::Closes => return received,
            Act::Resets => {
                close_with_rst(stream);
                return received;
            }
        }
    }
    while receive(&mut stream, &mut received) {}
    received
}

/// Errors are ignored: the client may have closed already, since it decides as early as it can.
fn send(stream: &mut TcpStream, bytes: &[u8], split: Split) {
    let cut = match split {
        Split::Whole => bytes.len(),
        Split::Bytes => {
            let _ = stream.set_nodelay(true);
            for byte in bytes {
                let _ = stream.write_all(&[*byte]);
            }
            return;
        }
        Split::First => 1.min(bytes.len()),
        Split::Middle => bytes.len() / 2,
        Split::Last => bytes.len().saturating_sub(1),
    };
    let _ = stream.write_all(&bytes[..cut]);
    if cut < bytes.len() {
        // The client reads the first part alone.
        thread::sleep(Duration::from_millis(5));
        let _ = stream.write_all(&bytes[cut..]);
    }
}

/// Receives once; false at the end of the stream, after a reset and when the read timeout is over.
fn receive(stream: &mut TcpStream, received: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(read) => {
                received.extend_from_slice(&buffer[..read]);
                return read > 0;
            }
            // A read with a timeout is interrupted when the process is stopped and continued, which no
            // SA_RESTART prevents (signal(7)).
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

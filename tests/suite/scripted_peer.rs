//! Scripted peers, independent of our own `serve`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

/// A listener on loopback whose clients are served by a closure, one after the other.
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
                // A test that fails must not leave this thread waiting for ever.
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

    /// Greets, then reads until the client leaves.
    pub fn greeting(text: &'static [u8]) -> Self {
        Self::start(move |mut stream| {
            let _ = stream.write_all(text);
            let _ = stream.read(&mut [0; 1024]);
        })
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asserts that nobody connected so far: connects are accepted in their order, and ours is the first.
    #[track_caller]
    pub fn was_left_alone(&self) {
        let mut own = TcpStream::connect(self.address).unwrap();
        own.shutdown(std::net::Shutdown::Write).unwrap();
        own.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(self.accepted(), 1, "somebody connected");
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

    /// One for all addresses of this machine.
    pub fn everywhere() -> Self {
        Self::on(Ipv4Addr::UNSPECIFIED)
    }

    fn on(address: Ipv4Addr) -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener
            .bind(&SockAddr::from(SocketAddr::from((address, 0))))
            .unwrap();
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

    /// Adds a connection to the queue; false when it was not taken any more.
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

    /// Takes what waits, after this time, and whatever comes then for two seconds more.
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

/// One thing that a scripted peer does.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// It says this.
    Says(&'static [u8]),
    /// It waits until the client said something.
    Hears,
    /// It waits this many milliseconds.
    Waits(u64),
    /// It ends the connection with FIN and hears nothing more.
    Leaves,
    /// It ends the connection with RST.
    Resets,
}

/// Goes through a script, then listens until the client leaves; what was heard in all.
pub fn perform(mut stream: TcpStream, acts: &[Act]) -> Vec<u8> {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    for act in acts {
        match act {
            Act::Says(bytes) => drop(stream.write_all(bytes)),
            Act::Hears => {
                let read = stream.read(&mut buffer).unwrap_or(0);
                heard.extend_from_slice(&buffer[..read]);
            }
            Act::Waits(millis) => thread::sleep(Duration::from_millis(*millis)),
            Act::Leaves => return heard,
            Act::Resets => {
                close_with_rst(stream);
                return heard;
            }
        }
    }
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            break;
        }
        heard.extend_from_slice(&buffer[..read]);
    }
    heard
}

//! The servers of the demo: each listens on its own port until the program ends.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use std::{io, thread};

use crate::os::stop::StopHandle;
use crate::plan::bytes::Charset;
use crate::responder::{
    Backlog, ClientEvent, Clients, CloseMode, EventLog, Listen, ReplyMode, Responder,
    ResponderConfig,
};

/// The servers, by their ports.
pub struct DemoServers {
    /// Sends a greeting.
    pub greeting: u16,
    /// Replies in GBK.
    pub gbk: u16,
    /// Accepts and sends nothing.
    pub silent: u16,
    /// Nothing listens here.
    pub closed: u16,
    /// Its accept queue is full.
    pub full: u16,
    /// Its accept queue is full for the first 0.4 s, so that the first SYN is lost.
    pub lossy: u16,
    /// The connections that fill the accept queues.
    _fillers: Vec<TcpStream>,
}

/// How long the lossy port drops SYNs. The kernel retransmits the first SYN after a second.
const LOSS: Duration = Duration::from_millis(400);

impl DemoServers {
    /// Starts every server.
    ///
    /// # Errors
    /// If a port cannot be opened.
    pub fn start() -> Result<Self, String> {
        let text = |error: io::Error| error.to_string();
        let gbk = Charset::from_label("gbk").map_err(|error| error.to_string())?;
        let reply = gbk
            .encode("ok, 问题正在处理中…")
            .map_err(|error| error.to_string())?;
        let (greeting, _) = serve(
            ResponderConfig {
                greeting: b"220 demo ready\r\n".to_vec(),
                ..settings()?
            },
            Duration::ZERO,
        )?;
        let (gbk, _) = serve(
            ResponderConfig {
                reply: ReplyMode::Once(reply),
                charset: gbk,
                ..settings()?
            },
            Duration::ZERO,
        )?;
        let (silent, _) = serve(settings()?, Duration::ZERO)?;
        let closed = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(text)?
            .port();
        let full = ResponderConfig {
            close: CloseMode::NeverAccept,
            backlog: shortest(),
            ..settings()?
        };
        let (full, filler) = serve(full, Duration::ZERO)?;
        let (lossy, leaver) = serve(
            ResponderConfig {
                backlog: shortest(),
                ..settings()?
            },
            LOSS,
        )?;
        Ok(Self {
            greeting,
            gbk,
            silent,
            closed,
            full,
            lossy,
            _fillers: vec![filler, leaver],
        })
    }
}

fn settings() -> Result<ResponderConfig, String> {
    Ok(ResponderConfig {
        listen: "127.0.0.1:0"
            .parse::<Listen>()
            .map_err(|error| error.to_string())?,
        greeting: Vec::new(),
        reply: ReplyMode::None,
        charset: Charset::default(),
        delay: Duration::ZERO,
        backlog: Backlog::default(),
        close: CloseMode::Fin,
        clients: Clients::Many,
    })
}

/// A backlog of 0: one client fills it, and the kernel drops the SYNs of all others.
fn shortest() -> Backlog {
    Backlog::new(0).unwrap_or_default()
}

/// Opens a port, connects to it, and starts to accept after this time. With the shortest backlog,
/// the connection fills the accept queue until then.
fn serve(settings: ResponderConfig, after: Duration) -> Result<(u16, TcpStream), String> {
    let mut responder = Responder::bind(settings).map_err(|error| error.to_string())?;
    let address = responder.local_addr().map_err(|error| error.to_string())?;
    let first = TcpStream::connect(address).map_err(|error| error.to_string())?;
    let stop = StopHandle::new().map_err(|error| error.to_string())?;
    thread::spawn(move || {
        thread::sleep(after);
        responder.run(&mut NoLog, &stop)
    });
    Ok((address.port(), first))
}

/// Discards the log.
struct NoLog;

impl EventLog for NoLog {
    fn record(&mut self, _: SocketAddr, _: &ClientEvent<'_>) -> io::Result<()> {
        Ok(())
    }
}

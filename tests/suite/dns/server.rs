//! A scripted name server: UDP and TCP on one loopback address. The script of the test decides the
//! reply to each query.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

/// A query as it was received.
#[derive(Clone)]
pub struct ReceivedQuery {
    pub name: String,
    pub kind: &'static str,
    pub transport: &'static str,
    pub bytes: Vec<u8>,
}

/// What the server replies.
pub enum Reply {
    /// Nothing.
    Silent,
    /// These messages in order.
    Messages(Vec<Vec<u8>>),
    /// Another reply after this delay.
    Late(Duration, Box<Reply>),
    /// This message from another port than the queried one, then another reply.
    FromOtherPort(Vec<u8>, Box<Reply>),
    /// Over TCP, these bytes one by one with this delay.
    Drip(Duration, Vec<u8>),
    /// These bytes without a length prefix; over TCP the end of the stream follows.
    Raw(Vec<u8>),
}

impl ReceivedQuery {
    /// An answer with the question, QR, RD and RA, and these changes.
    pub fn answer(&self, change: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
        let mut packet = Packet::parse(&self.bytes).unwrap().into_reply();
        packet.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
        change(&mut packet);
        packet.build_bytes_vec_compressed().unwrap()
    }

    pub fn reply(&self, change: impl FnOnce(&mut Packet<'_>)) -> Reply {
        Reply::Messages(vec![self.answer(change)])
    }

    /// An answer with the address 192.0.2.`last`; for AAAA `2001:db8::` with the same last byte.
    pub fn found(&self, last: u8) -> Reply {
        let (name, data) = (self.name.clone(), self.address(last));
        self.reply(|packet| packet.answers.push(record(&name, data)))
    }

    pub fn rcode(&self, rcode: RCODE) -> Reply {
        self.reply(|packet| *packet.rcode_mut() = rcode)
    }

    pub fn address(&self, last: u8) -> RData<'static> {
        match self.kind {
            "A" => RData::A(A {
                address: u32::from(Ipv4Addr::new(192, 0, 2, last)),
            }),
            _ => RData::AAAA(AAAA {
                address: (0x2001_0db8 << 96) | u128::from(last),
            }),
        }
    }
}

pub fn record(owner: &str, data: RData<'static>) -> ResourceRecord<'static> {
    ResourceRecord::new(Name::new(owner).unwrap().into_owned(), CLASS::IN, 60, data)
}

pub fn cname(target: &str) -> RData<'static> {
    RData::CNAME(CNAME(Name::new(target).unwrap().into_owned()))
}

type Script = dyn Fn(&ReceivedQuery) -> Reply + Send + Sync;

/// Whether a server has a TCP port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tcp {
    Listening,
    Closed,
}

/// Servers on different addresses and one port, since resolv.conf has no syntax for a port.
pub struct Servers {
    pub port: u16,
    pub addresses: Vec<Ipv4Addr>,
    received: Arc<Mutex<Vec<(usize, ReceivedQuery)>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    with_tcp: Tcp,
}

impl Servers {
    /// Starts one server for each script; a server is identified by its index.
    pub fn start(tcp: Tcp, scripts: Vec<Box<Script>>) -> Self {
        let (port, addresses, sockets) = bind(scripts.len(), tcp);
        let mut servers = Self {
            port,
            addresses,
            received: Arc::default(),
            stop: Arc::default(),
            threads: Vec::new(),
            with_tcp: tcp,
        };
        for (index, ((udp, listener), script)) in sockets.into_iter().zip(scripts).enumerate() {
            servers.spawn(index, udp, listener, script.into());
        }
        servers
    }

    fn spawn(
        &mut self,
        index: usize,
        udp: UdpSocket,
        listener: Option<TcpListener>,
        script: Arc<Script>,
    ) {
        let (received, stop, shared) = (self.received.clone(), self.stop.clone(), script.clone());
        self.threads.push(thread::spawn(move || {
            serve_udp(&udp, &stop, &|query| {
                reply_to(&received, index, &*shared, query)
            });
        }));
        if let Some(listener) = listener {
            let (received, stop) = (self.received.clone(), self.stop.clone());
            self.threads.push(thread::spawn(move || {
                serve_tcp(&listener, &stop, &|query| {
                    reply_to(&received, index, &*script, query)
                });
            }));
        }
    }

    /// `server kind name transport` of each query so far.
    pub fn log(&self) -> Vec<String> {
        let received = self.received.lock().unwrap();
        received
            .iter()
            .map(|(server, query)| {
                format!("{server} {} {} {}", query.kind, query.name, query.transport)
            })
            .collect()
    }

    pub fn resolv_conf(&self, more: &str) -> String {
        let line = |address| format!("nameserver {address}");
        let lines: Vec<String> = self.addresses.iter().map(line).collect();
        format!("{}\n{more}\n", lines.join("\n"))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for address in &self.addresses {
            let target = SocketAddr::from((*address, self.port));
            let _ = UdpSocket::bind((*address, 0)).and_then(|socket| socket.send_to(b"", target));
            if self.with_tcp == Tcp::Listening {
                let _ = TcpStream::connect(target);
            }
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

type Sockets = Vec<(UdpSocket, Option<TcpListener>)>;

/// Addresses that no other test of this process uses, and one port that is free on all of them.
fn bind(count: usize, tcp: Tcp) -> (u16, Vec<Ipv4Addr>, Sockets) {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let net = NEXT.fetch_add(1, Ordering::SeqCst);
    let addresses: Vec<Ipv4Addr> = (1..=u8::try_from(count).unwrap())
        .map(|n| Ipv4Addr::new(127, 53, net, n))
        .collect();
    for _ in 0..100 {
        let port = UdpSocket::bind((addresses[0], 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let open = |address: &Ipv4Addr| {
            let listener = match tcp {
                Tcp::Listening => Some(TcpListener::bind((*address, port)).ok()?),
                Tcp::Closed => None,
            };
            Some((UdpSocket::bind((*address, port)).ok()?, listener))
        };
        if let Some(sockets) = addresses.iter().map(open).collect() {
            return (port, addresses, sockets);
        }
    }
    panic!("no port is free on {addresses:?}");
}

fn reply_to(
    received: &Mutex<Vec<(usize, ReceivedQuery)>>,
    index: usize,
    script: &Script,
    query: ReceivedQuery,
) -> Reply {
    let reply = script(&query);
    received.lock().unwrap().push((index, query));
    reply
}

fn parse_query(bytes: &[u8], transport: &'static str) -> Option<ReceivedQuery> {
    let packet = Packet::parse(bytes).ok()?;
    let question = packet.questions.first()?;
    let kind = match question.qtype {
        QTYPE::TYPE(TYPE::A) => "A",
        QTYPE::TYPE(TYPE::AAAA) => "AAAA",
        _ => "other",
    };
    Some(ReceivedQuery {
        name: question.qname.to_string(),
        kind,
        transport,
        bytes: bytes.to_vec(),
    })
}

fn serve_udp(socket: &UdpSocket, stop: &AtomicBool, script: &dyn Fn(ReceivedQuery) -> Reply) {
    let mut buffer = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let Some(query) = parse_query(&buffer[..length], "udp") else {
            continue;
        };
        send(socket, from, script(query));
    }
}

fn send(socket: &UdpSocket, to: SocketAddr, reply: Reply) {
    match reply {
        Reply::Silent => {}
        Reply::Messages(messages) => messages
            .iter()
            .for_each(|message| drop(socket.send_to(message, to))),
        Reply::Raw(bytes) => drop(socket.send_to(&bytes, to)),
        Reply::Drip(..) => unreachable!("a datagram has no parts"),
        Reply::FromOtherPort(message, then) => {
            let other = UdpSocket::bind((socket.local_addr().unwrap().ip(), 0)).unwrap();
            other.send_to(&message, to).unwrap();
            send(socket, to, *then);
        }
        Reply::Late(delay, then) => {
            let socket = socket.try_clone().unwrap();
            thread::spawn(move || {
                thread::sleep(delay);
                send(&socket, to, *then);
            });
        }
    }
}

fn serve_tcp(listener: &TcpListener, stop: &AtomicBool, script: &dyn Fn(ReceivedQuery) -> Reply) {
    let mut open_streams = Vec::new();
    while let Ok((mut stream, _)) = listener.accept() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            continue;
        }
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut message).is_err() {
            continue;
        }
        let Some(query) = parse_query(&message, "tcp") else {
            continue;
        };
        if write(&mut stream, script(query)).is_none() {
            open_streams.push(stream);
        }
    }
}

/// Writes the reply. `None` if the stream is to stay open without data.
fn write(stream: &mut TcpStream, reply: Reply) -> Option<()> {
    match reply {
        Reply::Silent => return None,
        Reply::Raw(bytes) => drop(stream.write_all(&bytes)),
        Reply::Drip(delay, bytes) => {
            for byte in bytes {
                stream.write_all(&[byte]).ok()?;
                thread::sleep(delay);
            }
        }
        Reply::Late(delay, then) => {
            thread::sleep(delay);
            return write(stream, *then);
        }
        Reply::FromOtherPort(..) => unreachable!("a TCP answer has the queried port"),
        Reply::Messages(messages) => {
            for message in messages {
                let bytes = [
                    &u16::try_from(message.len()).unwrap().to_be_bytes()[..],
                    &message,
                ]
                .concat();
                // In parts, the first of which splits the length prefix.
                let (first, rest) = bytes.split_at(1);
                stream.set_nodelay(true).unwrap();
                for part in std::iter::once(first).chain(rest.chunks(9000)) {
                    stream.write_all(part).ok()?;
                }
            }
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    Some(())
}

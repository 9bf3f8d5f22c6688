//! A scripted name server: UDP and TCP on one loopback address; the test decides each reply.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

/// A received question.
#[derive(Clone)]
pub struct Asked {
    pub name: String,
    pub kind: &'static str,
    pub over: &'static str,
    pub bytes: Vec<u8>,
}

/// The server's reaction.
pub enum Reply {
    Silent,
    /// These messages, one after the other.
    Messages(Vec<Vec<u8>>),
    /// A reply after a delay.
    Late(Duration, Box<Reply>),
    /// A message from another port, then a reply.
    FromElsewhere(Vec<u8>, Box<Reply>),
    /// These bytes unchanged, then the end of the stream.
    Raw(Vec<u8>),
}

impl Asked {
    /// An answer with the question and the flags QR, RD and RA, changed by `change`.
    pub fn answer(&self, change: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
        let mut packet = Packet::parse(&self.bytes).unwrap().into_reply();
        packet.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
        change(&mut packet);
        packet.build_bytes_vec_compressed().unwrap()
    }

    pub fn reply(&self, change: impl FnOnce(&mut Packet<'_>)) -> Reply {
        Reply::Messages(vec![self.answer(change)])
    }

    /// The name has this address; for AAAA `2001:db8::` with the same last byte.
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

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// Whether a server has a TCP port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tcp {
    Listens,
    Dead,
}

/// Servers on addresses of their own with one common port, as resolv.conf requires.
pub struct Servers {
    pub port: u16,
    pub addresses: Vec<Ipv4Addr>,
    seen: Arc<Mutex<Vec<(usize, Asked)>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    with_tcp: Tcp,
}

impl Servers {
    /// Starts one server per script.
    pub fn start(tcp: Tcp, scripts: Vec<Box<Script>>) -> Self {
        let (port, addresses, sockets) = bind(scripts.len(), tcp);
        let mut servers = Self {
            port,
            addresses,
            seen: Arc::default(),
            stop: Arc::default(),
            threads: Vec::new(),
            with_tcp: tcp,
        };
        for (place, ((udp, listener), script)) in sockets.into_iter().zip(scripts).enumerate() {
            servers.spawn(place, udp, listener, script.into());
        }
        servers
    }

    fn spawn(
        &mut self,
        place: usize,
        udp: UdpSocket,
        listener: Option<TcpListener>,
        script: Arc<Script>,
    ) {
        let (seen, stop, shared) = (self.seen.clone(), self.stop.clone(), script.clone());
        self.threads.push(thread::spawn(move || {
            serve_udp(&udp, &stop, &|asked| note(&seen, place, &*shared, asked));
        }));
        if let Some(listener) = listener {
            let (seen, stop) = (self.seen.clone(), self.stop.clone());
            self.threads.push(thread::spawn(move || {
                serve_tcp(&listener, &stop, &|asked| {
                    note(&seen, place, &*script, asked)
                });
            }));
        }
    }

    /// Each question so far as `server kind name transport`.
    pub fn log(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .map(|(server, asked)| format!("{server} {} {} {}", asked.kind, asked.name, asked.over))
            .collect()
    }

    pub fn resolv_conf(&self, more: &str) -> String {
        let lines: String = self
            .addresses
            .iter()
            .map(|address| format!("nameserver {address}\n"))
            .collect();
        format!("{lines}{more}\n")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for address in &self.addresses {
            let target = SocketAddr::from((*address, self.port));
            let _ = UdpSocket::bind((*address, 0)).and_then(|socket| socket.send_to(b"", target));
            if self.with_tcp == Tcp::Listens {
                let _ = TcpStream::connect(target);
            }
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

type Sockets = Vec<(UdpSocket, Option<TcpListener>)>;

/// Addresses that no other test of this process has, and one port that is free on all of them.
fn bind(count: usize, tcp: Tcp) -> (u16, Vec<Ipv4Addr>, Sockets) {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let net = NEXT.fetch_add(1, Ordering::SeqCst);
    let addresses: Vec<Ipv4Addr> = (1..=count)
        .map(|n| Ipv4Addr::new(127, 53, net, n as u8))
        .collect();
    for _ in 0..100 {
        let port = UdpSocket::bind((addresses[0], 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let open = |address: &Ipv4Addr| {
            let listener = match tcp {
                Tcp::Listens => Some(TcpListener::bind((*address, port)).ok()?),
                Tcp::Dead => None,
            };
            Some((UdpSocket::bind((*address, port)).ok()?, listener))
        };
        if let Some(sockets) = addresses.iter().map(open).collect() {
            return (port, addresses, sockets);
        }
    }
    panic!("no port is free on {addresses:?}");
}

fn note(seen: &Mutex<Vec<(usize, Asked)>>, place: usize, script: &Script, asked: Asked) -> Reply {
    seen.lock().unwrap().push((place, asked.clone()));
    script(&asked)
}

fn read_question(bytes: &[u8], over: &'static str) -> Option<Asked> {
    let packet = Packet::parse(bytes).ok()?;
    let question = packet.questions.first()?;
    let kind = match question.qtype {
        QTYPE::TYPE(TYPE::A) => "A",
        QTYPE::TYPE(TYPE::AAAA) => "AAAA",
        _ => "other",
    };
    Some(Asked {
        name: question.qname.to_string(),
        kind,
        over,
        bytes: bytes.to_vec(),
    })
}

fn serve_udp(socket: &UdpSocket, stop: &AtomicBool, script: &dyn Fn(Asked) -> Reply) {
    let mut buffer = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let Some(asked) = read_question(&buffer[..length], "udp") else {
            continue;
        };
        send(socket, from, script(asked));
    }
}

fn send(socket: &UdpSocket, to: SocketAddr, reply: Reply) {
    match reply {
        Reply::Silent => {}
        Reply::Messages(messages) => messages
            .iter()
            .for_each(|message| drop(socket.send_to(message, to))),
        Reply::Raw(bytes) => drop(socket.send_to(&bytes, to)),
        Reply::FromElsewhere(message, then) => {
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

fn serve_tcp(listener: &TcpListener, stop: &AtomicBool, script: &dyn Fn(Asked) -> Reply) {
    let mut held = Vec::new();
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
        let Some(asked) = read_question(&message, "tcp") else {
            continue;
        };
        if write(&mut stream, script(asked)).is_none() {
            held.push(stream);
        }
    }
}

/// Writes a reply; `None` if the stream must stay open without one.
fn write(stream: &mut TcpStream, reply: Reply) -> Option<()> {
    match reply {
        Reply::Silent => return None,
        Reply::Raw(bytes) => drop(stream.write_all(&bytes)),
        Reply::Late(delay, then) => {
            thread::sleep(delay);
            return write(stream, *then);
        }
        Reply::FromElsewhere(..) => unreachable!("TCP comes from where it was asked"),
        Reply::Messages(messages) => {
            for message in messages {
                let bytes = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
                // In several writes, the first of which splits the length field.
                let (first, rest) = bytes.split_at(1);
                stream.set_nodelay(true).unwrap();
                for piece in std::iter::once(first).chain(rest.chunks(9000)) {
                    stream.write_all(piece).ok()?;
                }
            }
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    Some(())
}

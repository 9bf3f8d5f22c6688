//! The C library's resolver, for names that only nsswitch.conf knows: getaddrinfo on helper threads.
//!
//! Not in static builds: there getaddrinfo loads the host's NSS modules and a second C library into the process
//! (rust-lang/rust#100711, #115723). A thread that outlives its deadline is abandoned; it counts until it returns.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use mio::unix::pipe;
use mio::{Interest, Registry, Token};

use super::verdict::io_cause;
use super::{Addresses, Answer, Source};
use crate::failure::{Failure, Status};
use crate::plan::Family;
use crate::printable::shown;
use crate::target::HostName;

/// How many threads may be at work, abandoned ones included.
const MAX_THREADS: usize = 64;
/// The one token; the stub's sockets never reach it.
const TOKEN: Token = Token(usize::MAX);

/// What a thread reports: its ticket, and what getaddrinfo said.
type Report = (u64, io::Result<Vec<SocketAddr>>);

/// Lookups by the C library.
#[derive(Debug)]
pub struct System {
    bell: pipe::Receiver,
    ringer: Arc<pipe::Sender>,
    reports: Receiver<Report>,
    reporter: Sender<Report>,
    threads: usize,
    next_ticket: u64,
    jobs: HashMap<u64, Job>,
    by_key: HashMap<usize, u64>,
    queue: VecDeque<u64>,
    timers: BTreeSet<(Instant, u64)>,
    done: VecDeque<Answer>,
    /// A time that is over once there was an answer: it must not wait in `done` for something else to happen.
    answered: Option<Instant>,
}

#[derive(Debug)]
struct Job {
    key: usize,
    name: HostName,
    family: Family,
    since: Instant,
    deadline: Instant,
}

impl System {
    /// Registers the pipe through which threads wake the poll.
    pub fn new(registry: &Registry) -> io::Result<Self> {
        let (ringer, mut bell) = pipe::new()?;
        registry.register(&mut bell, TOKEN, Interest::READABLE)?;
        let (reporter, reports) = mpsc::channel();
        Ok(Self {
            bell,
            ringer: Arc::new(ringer),
            reports,
            reporter,
            threads: 0,
            next_ticket: 0,
            jobs: HashMap::new(),
            by_key: HashMap::new(),
            queue: VecDeque::new(),
            timers: BTreeSet::new(),
            done: VecDeque::new(),
            answered: None,
        })
    }

    /// See [`Resolver::has_room`](super::Resolver::has_room).
    pub fn has_room(&self) -> bool {
        self.queue.is_empty() && self.threads < MAX_THREADS
    }

    /// See [`Resolver::start`](super::Resolver::start).
    pub fn start(&mut self, key: usize, name: &HostName, family: Family, now: Instant, deadline: Instant) {
        self.cancel(key);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.jobs.insert(ticket, Job { key, name: name.clone(), family, since: now, deadline });
        self.by_key.insert(key, ticket);
        self.timers.insert((deadline, ticket));
        self.queue.push_back(ticket);
        self.pump();
    }

    /// See [`Resolver::cancel`](super::Resolver::cancel).
    pub fn cancel(&mut self, key: usize) {
        self.done.retain(|(other, _)| *other != key);
        if let Some(ticket) = self.by_key.get(&key).copied() {
            self.remove(ticket);
        }
    }

    /// See [`Resolver::ready`](super::Resolver::ready).
    pub fn ready(&mut self) {
        let mut rings = [0; 256];
        while self.bell.read(&mut rings).is_ok_and(|count| count > 0) {}
        while let Ok((ticket, said)) = self.reports.try_recv() {
            self.threads -= 1;
            if let Some(job) = self.remove(ticket) {
                self.done.push_back((job.key, job.answer(said)));
            }
        }
        self.pump();
    }

    /// See [`Resolver::expire`](super::Resolver::expire).
    pub fn expire(&mut self, now: Instant) {
        while let Some((_, ticket)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.pop_first();
            if let Some(job) = self.remove(ticket) {
                let seconds = now.saturating_duration_since(job.since).as_secs_f64();
                let text = format!("resolve {}: no answer from the system resolver ({seconds:.1} s)", job.shown());
                self.done.push_back((job.key, Err(Failure::new(Status::ResolveTimeout, text))));
            }
        }
    }

    /// See [`Resolver::next_wake`](super::Resolver::next_wake).
    pub fn next_wake(&self) -> Option<Instant> {
        let answered = self.answered.filter(|_| !self.done.is_empty());
        [self.timers.first().map(|(at, _)| *at), answered].into_iter().flatten().min()
    }

    /// See [`Resolver::poll_answer`](super::Resolver::poll_answer).
    pub fn poll_answer(&mut self) -> Option<Answer> {
        self.done.pop_front()
    }

    fn remove(&mut self, ticket: u64) -> Option<Job> {
        let job = self.jobs.remove(&ticket)?;
        self.by_key.remove(&job.key);
        self.timers.remove(&(job.deadline, ticket));
        self.answered = Some(job.since);
        Some(job)
    }

    fn pump(&mut self) {
        while self.threads < MAX_THREADS {
            let Some(ticket) = self.queue.pop_front() else { return };
            let Some(job) = self.jobs.get(&ticket) else { continue };
            match self.ask(ticket, job.name.as_str().to_owned()) {
                Ok(()) => self.threads += 1,
                Err(error) => self.fail(ticket, &error),
            }
        }
    }

    fn ask(&self, ticket: u64, name: String) -> io::Result<()> {
        let (reporter, ringer) = (self.reporter.clone(), self.ringer.clone());
        let work = move || {
            let said = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect);
            // Where nobody listens any more, nobody needs the answer; a full pipe has rung already.
            let _ = reporter.send((ticket, said));
            let _ = (&*ringer).write(&[1]);
        };
        thread::Builder::new().name("resolve".into()).spawn(work).map(drop)
    }

    fn fail(&mut self, ticket: u64, error: &io::Error) {
        if let Some(job) = self.remove(ticket) {
            let text = format!("resolve {}: no thread for the system resolver: {}", job.shown(), io_cause(error));
            self.done.push_back((job.key, Err(Failure::new(Status::LocalError, text))));
        }
    }
}

impl Job {
    fn shown(&self) -> String {
        shown(self.name.as_str(), 80)
    }

    fn answer(&self, said: io::Result<Vec<SocketAddr>>) -> Result<Addresses, Failure> {
        let failed = |cause: &str| {
            Failure::new(Status::ResolveFailed, format!("resolve {}: {cause} (system resolver)", self.shown()))
        };
        let all = said.map_err(|error| failed(&cause(&error)))?;
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for address in all {
            match (address, self.family) {
                (SocketAddr::V4(address), Family::Any | Family::V4) => v4.push(*address.ip()),
                (SocketAddr::V6(address), Family::Any | Family::V6) => v6.push(*address.ip()),
                _ => {}
            }
        }
        if v4.is_empty() && v6.is_empty() {
            return Err(failed(match self.family {
                Family::Any => "has no address",
                Family::V4 => "has no IPv4 address",
                Family::V6 => "has no IPv6 address",
            }));
        }
        Ok(Addresses { v4, v6, from: Source::System, canonical: None })
    }
}

/// gai_strerror(3)'s words without the standard library's lead; for EAI_NONAME also the code that people look for.
fn cause(error: &io::Error) -> String {
    let text = io_cause(error);
    let words = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    match words {
        "Name or service not known" | "Name does not resolve" => format!("{words} (NXDOMAIN or no address)"),
        _ => words.to_owned(),
    }
}

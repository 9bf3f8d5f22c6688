//! The C library's resolver, for names that only nsswitch.conf knows: getaddrinfo on helper threads.
//!
//! Not in static builds: there getaddrinfo loads the host's NSS modules and a second C library into the process
//! (rust-lang/rust#100711, #115723). Equal names share a thread. One that outlives the deadlines of all who wait for it
//! is abandoned; it counts until it returns.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, mpsc};
use std::time::Instant;
use std::{io, thread};

use mio::unix::pipe;
use mio::{Interest, Registry, Token};

use crate::address::HostName;
use crate::engine::dns::result::io_cause;
use crate::engine::dns::{Answer, ResolvedAddresses, Source};
use crate::escape::escaped_prefix;
use crate::failure::{Failure, Status};
use crate::plan::Family;

/// How many threads may be at work, abandoned ones included.
const MAX_THREADS: usize = 64;
/// The one token; the stub's sockets never reach it.
const TOKEN: Token = Token(usize::MAX);

/// What a thread reports: the number of its question, and what getaddrinfo said.
type Report = (u64, io::Result<Vec<SocketAddr>>);

/// Lookups by the C library.
#[derive(Debug)]
pub struct System {
    bell: pipe::Receiver,
    ringer: Arc<pipe::Sender>,
    reports: Receiver<Report>,
    reporter: Sender<Report>,
    threads: usize,
    most_threads: usize,
    next_ticket: u64,
    jobs: HashMap<u64, Job>,
    by_key: HashMap<usize, u64>,
    /// Who waits for each question, by the ticket of whoever came first.
    questions: HashMap<u64, Question>,
    by_name: HashMap<Box<str>, u64>,
    /// Questions that wait for a thread.
    queue: VecDeque<u64>,
    timers: BTreeSet<(Instant, u64)>,
    done: VecDeque<Answer>,
    /// A time that is over once there was an answer: it must not wait in `done` for something else to happen.
    answered: Option<Instant>,
}

/// A name that is or will be asked for, and the tickets of those who wait.
#[derive(Debug)]
struct Question {
    name: HostName,
    tickets: BTreeSet<u64>,
}

#[derive(Debug)]
struct Job {
    key: usize,
    question: u64,
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
            most_threads: MAX_THREADS,
            next_ticket: 0,
            jobs: HashMap::new(),
            by_key: HashMap::new(),
            questions: HashMap::new(),
            by_name: HashMap::new(),
            queue: VecDeque::new(),
            timers: BTreeSet::new(),
            done: VecDeque::new(),
            answered: None,
        })
    }

    /// See [`Resolver::has_room`](super::Resolver::has_room).
    pub fn has_room(&self) -> bool {
        self.queue.is_empty() && self.threads < self.most_threads
    }

    /// See [`Resolver::be_one_of`](super::Resolver::be_one_of).
    pub fn be_one_of(&mut self, threads: usize) {
        self.most_threads = MAX_THREADS.div_ceil(threads.max(1));
    }

    /// See [`Resolver::start`](super::Resolver::start).
    pub fn start(
        &mut self,
        key: usize,
        name: &HostName,
        family: Family,
        now: Instant,
        deadline: Instant,
    ) {
        self.cancel(key);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let same = name.as_str().to_ascii_lowercase().into_boxed_str();
        let question = *self.by_name.entry(same).or_insert(ticket);
        self.jobs.insert(
            ticket,
            Job {
                key,
                question,
                name: name.clone(),
                family,
                since: now,
                deadline,
            },
        );
        self.by_key.insert(key, ticket);
        self.timers.insert((deadline, ticket));
        if question == ticket {
            self.queue.push_back(ticket);
        }
        let asked = self.questions.entry(question).or_insert_with(|| Question {
            name: name.clone(),
            tickets: BTreeSet::new(),
        });
        asked.tickets.insert(ticket);
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
        while let Ok((question, said)) = self.reports.try_recv() {
            self.threads -= 1;
            for ticket in self
                .questions
                .get(&question)
                .map(|asked| asked.tickets.clone())
                .unwrap_or_default()
            {
                if let Some(job) = self.remove(ticket) {
                    self.done.push_back((job.key, job.answer(said.as_deref())));
                }
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
                let text = format!(
                    "resolve {}: no answer from the system resolver ({seconds:.1} s)",
                    job.escaped_prefix()
                );
                self.done
                    .push_back((job.key, Err(Failure::new(Status::ResolveTimeout, text))));
            }
        }
    }

    /// See [`Resolver::next_wake`](super::Resolver::next_wake).
    pub fn next_wake(&self) -> Option<Instant> {
        let answered = self.answered.filter(|_| !self.done.is_empty());
        [self.timers.first().map(|(at, _)| *at), answered]
            .into_iter()
            .flatten()
            .min()
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
        if let Some(asked) = self.questions.get_mut(&job.question) {
            asked.tickets.remove(&ticket);
            if asked.tickets.is_empty() {
                // Whoever comes later asks anew, not the thread that kept everybody waiting.
                self.questions.remove(&job.question);
                self.by_name
                    .remove(job.name.as_str().to_ascii_lowercase().as_str());
            }
        }
        Some(job)
    }

    fn pump(&mut self) {
        while self.threads < self.most_threads {
            let Some(number) = self.queue.pop_front() else {
                return;
            };
            let Some(question) = self.questions.get(&number) else {
                continue;
            };
            match self.ask(number, question.name.as_str().to_owned()) {
                Ok(()) => self.threads += 1,
                Err(error) => question
                    .tickets
                    .clone()
                    .into_iter()
                    .for_each(|ticket| self.fail(ticket, &error)),
            }
        }
    }

    fn ask(&self, question: u64, name: String) -> io::Result<()> {
        let (reporter, ringer) = (self.reporter.clone(), self.ringer.clone());
        let work = move || {
            let said = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect);
            // Where nobody listens any more, nobody needs the answer; a full pipe has rung already.
            let _ = reporter.send((question, said));
            let _ = (&*ringer).write(&[1]);
        };
        thread::Builder::new()
            .name("resolve".into())
            .spawn(work)
            .map(drop)
    }

    fn fail(&mut self, ticket: u64, error: &io::Error) {
        if let Some(job) = self.remove(ticket) {
            let text = format!(
                "resolve {}: no thread for the system resolver: {}",
                job.escaped_prefix(),
                io_cause(error)
            );
            self.done
                .push_back((job.key, Err(Failure::new(Status::LocalError, text))));
        }
    }
}

impl Job {
    fn escaped_prefix(&self) -> String {
        escaped_prefix(self.name.as_str(), 80)
    }

    fn answer(
        &self,
        said: Result<&[SocketAddr], &io::Error>,
    ) -> Result<ResolvedAddresses, Failure> {
        let failed = |cause: &str| {
            Failure::new(
                Status::ResolveFailed,
                format!(
                    "resolve {}: {cause} (system resolver)",
                    self.escaped_prefix()
                ),
            )
        };
        let all = said.map_err(|error| failed(&cause(error)))?;
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for address in all {
            match (*address, self.family) {
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
        Ok(ResolvedAddresses {
            v4,
            v6,
            from: Source::System,
            canonical: None,
        })
    }
}

/// `gai_strerror(3)`'s words without the standard library's lead; for `EAI_NONAME` also the code that people look for.
fn cause(error: &io::Error) -> String {
    let text = io_cause(error);
    let words = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text);
    match words {
        "Name or service not known" | "Name does not resolve" => {
            format!("{words} (NXDOMAIN or no address)")
        }
        _ => words.to_owned(),
    }
}

//! The stub resolver: runs [`Lookup`]s and their sockets on the event loop.
//!
//! Requests for the same name share one lookup, and an answer is reused for one second. At most 64
//! lookups have open sockets, at most four each. The others are queued, and their deadlines keep
//! running.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Registry, Token};
use slab::Slab;

use crate::address::HostName;
use crate::engine::dns::answer::{AnswerSource, FinishedLookup, LookupResult, ResolvedAddresses};
use crate::engine::dns::failure_text::MAX_NAME_CHARS;
use crate::engine::dns::files::{FileCache, Files};
use crate::engine::dns::hosts::{LocalAddresses, LocalSource};
use crate::engine::dns::lookup::Lookup;
use crate::engine::dns::query::{QueryAction, QueryAttemptId};
use crate::engine::dns::query_id::QueryIds;
use crate::engine::dns::resolv_conf::{ResolvConf, Transport};
use crate::engine::dns::resolver::{RESOLVER_TOKENS, Resolver};
use crate::engine::dns::transport::{MAX_MESSAGE, QuerySocket, SocketError};
use crate::escape::escaped_prefix;
use crate::failure::{Failure, Status};
use crate::os::errno::short_cause;
use crate::plan::Family;

/// Limit on concurrent lookups, over all threads.
const MAX_RUNNING: usize = 64;
/// How long an answer is reused, as if the later request had joined the lookup.
const REUSE_FOR: Duration = Duration::from_secs(1);
/// Limit on answers kept for reuse.
const MAX_RECENT: usize = 4096;
/// Limit on lookups started per call, so that other work of the event loop is not delayed.
const MAX_STARTS: usize = 64;

/// Resolves names with the hosts file and name servers.
#[derive(Debug)]
pub struct StubResolver {
    files: FileCache,
    ids: QueryIds,
    /// Counts started lookups, for `options rotate`.
    rotation: usize,
    next_id: u64,
    lookups: HashMap<u64, SharedLookup>,
    by_name: HashMap<LookupName, u64>,
    by_key: HashMap<usize, u64>,
    /// Lookups that wait for capacity. Cancelled ones are skipped when they reach the front.
    queue: VecDeque<u64>,
    running: usize,
    max_running: usize,
    /// Answers younger than [`REUSE_FOR`], and older ones until the map is full.
    recent: HashMap<LookupName, (Instant, ResolvedAddresses)>,
    /// Set if queued lookups can start, but only in the next turn of the event loop.
    start_queued_at: Option<Instant>,
    /// One entry for each lookup with a timer.
    timers: BTreeSet<(Instant, u64)>,
    sockets: Slab<OpenSocket>,
    /// Receive buffer of [`MAX_MESSAGE`] bytes; empty until the first socket is opened.
    buffer: Vec<u8>,
    finished: VecDeque<FinishedLookup>,
    /// The time of the latest entry in `finished`, which makes the event loop take it at once.
    finished_at: Option<Instant>,
    out_of_sockets: bool,
}

/// The name of a lookup in lower case, and the family. Requests with the same value share a lookup.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LookupName {
    name: Box<str>,
    family: Family,
}

impl LookupName {
    fn new(name: &HostName, family: Family) -> Self {
        Self {
            name: name.as_str().to_ascii_lowercase().into(),
            family,
        }
    }
}

/// A lookup with the requests that wait for it.
#[derive(Debug)]
struct SharedLookup {
    name: HostName,
    family: Family,
    conf: Arc<ResolvConf>,
    created: Instant,
    /// `None` while it is queued.
    lookup: Option<Lookup>,
    waiters: Vec<LookupWaiter>,
    timer: Option<Instant>,
    /// The open attempts, each with its index in `sockets`.
    sockets: Vec<(QueryAttemptId, usize)>,
}

/// A request that waits for a lookup.
#[derive(Debug)]
struct LookupWaiter {
    key: usize,
    deadline: Instant,
    joined: Joined,
}

/// When a request joined its lookup. One that joined later has waited for only a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joined {
    BeforeStart,
    Later,
}

#[derive(Debug)]
struct OpenSocket {
    owner: SocketOwner,
    socket: QuerySocket,
}

/// The attempt that a socket is for.
#[derive(Debug, Clone, Copy)]
struct SocketOwner {
    lookup: u64,
    attempt: QueryAttemptId,
}

impl StubResolver {
    /// Reads nothing before the first lookup.
    pub fn new(files: Files) -> Self {
        Self {
            files: FileCache::new(files),
            ids: QueryIds::default(),
            rotation: 0,
            next_id: 0,
            lookups: HashMap::new(),
            by_name: HashMap::new(),
            by_key: HashMap::new(),
            queue: VecDeque::new(),
            running: 0,
            max_running: MAX_RUNNING,
            recent: HashMap::new(),
            start_queued_at: None,
            timers: BTreeSet::new(),
            sockets: Slab::new(),
            buffer: Vec::new(),
            finished: VecDeque::new(),
            finished_at: None,
            out_of_sockets: false,
        }
    }
}

impl Resolver for StubResolver {
    fn share_limit(&mut self, threads: usize) {
        self.max_running = MAX_RUNNING.div_ceil(threads.max(1));
    }

    fn has_capacity(&self) -> bool {
        self.queue.is_empty() && self.running < self.max_running
    }

    fn ran_out_of_sockets(&mut self) -> bool {
        std::mem::take(&mut self.out_of_sockets)
    }

    fn start(
        &mut self,
        registry: &Registry,
        key: usize,
        name: &HostName,
        family: Family,
        now: Instant,
        deadline: Instant,
    ) {
        self.cancel(key);
        let (conf, hosts) = self.files.current(now);
        if let Some(local) = hosts.find(name, family) {
            return self.deliver(key, Ok(local.into()), now);
        }
        let lookup_name = LookupName::new(name, family);
        if let Some((_, addresses)) = self
            .recent
            .get(&lookup_name)
            .filter(|(answered, _)| is_reusable(*answered, now))
        {
            let addresses = addresses.clone();
            return self.deliver(key, Ok(addresses), now);
        }
        let mut waiter = LookupWaiter {
            key,
            deadline,
            joined: Joined::BeforeStart,
        };
        if let Some(&id) = self.by_name.get(&lookup_name) {
            self.by_key.insert(key, id);
            if let Some(shared) = self.lookups.get_mut(&id) {
                if shared.lookup.is_some() {
                    waiter.joined = Joined::Later;
                }
                shared.waiters.push(waiter);
            }
            return self.wake_by(id, deadline);
        }
        self.enqueue(SharedLookup {
            name: name.clone(),
            family,
            conf,
            created: now,
            lookup: None,
            waiters: vec![waiter],
            timer: None,
            sockets: Vec::new(),
        });
        self.start_queued(registry, now);
    }

    fn cancel(&mut self, key: usize) {
        self.finished.retain(|(other, _)| *other != key);
        let Some(id) = self.by_key.remove(&key) else {
            return;
        };
        if let Some(shared) = self.lookups.get_mut(&id) {
            shared.waiters.retain(|waiter| waiter.key != key);
            if shared.waiters.is_empty() {
                // The next queued lookup starts in the next turn of the loop, because this method
                // has no clock. Any time in the past causes that.
                self.start_queued_at = Some(shared.created);
                self.remove(id);
            }
        }
    }

    fn ready(&mut self, registry: &Registry, token: Token, now: Instant) {
        let Some(open) = self.sockets.get_mut(token.0 & !RESOLVER_TOKENS) else {
            return;
        };
        let owner = open.owner;
        let Some(lookup) = self
            .lookups
            .get_mut(&owner.lookup)
            .and_then(|shared| shared.lookup.as_mut())
        else {
            return;
        };
        while lookup.is_open(owner.attempt) {
            match open.socket.receive(&mut self.buffer) {
                Ok(Some(bytes)) => lookup.on_message(owner.attempt, bytes, now),
                Ok(None) => break,
                Err(SocketError::Failed(error)) => {
                    lookup.on_error(owner.attempt, short_cause(&error), now);
                }
                Err(SocketError::Exhausted(error) | SocketError::Local(error)) => {
                    lookup.on_local_error(owner.attempt, short_cause(&error), now);
                }
            }
        }
        self.perform_actions(registry, owner.lookup, now);
        self.start_queued(registry, now);
    }

    fn expire(&mut self, registry: &Registry, now: Instant) {
        let mut due = Vec::new();
        while let Some((_, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.pop_first();
            due.push(id);
        }
        for id in due {
            let Some(shared) = self.lookups.get_mut(&id) else {
                continue;
            };
            shared.timer = None;
            if let Some(lookup) = &mut shared.lookup {
                lookup.expire(now);
                self.perform_actions(registry, id, now);
            }
            self.answer_overdue(id, now);
        }
        self.start_queued(registry, now);
    }

    fn next_wake(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let finished = self.finished_at.filter(|_| !self.finished.is_empty());
        [timer, self.start_queued_at, finished]
            .into_iter()
            .flatten()
            .min()
    }

    fn poll_answer(&mut self) -> Option<FinishedLookup> {
        self.finished.pop_front()
    }
}

impl StubResolver {
    fn enqueue(&mut self, shared: SharedLookup) {
        let id = self.next_id;
        self.next_id += 1;
        for waiter in &shared.waiters {
            self.by_key.insert(waiter.key, id);
        }
        self.by_name
            .insert(LookupName::new(&shared.name, shared.family), id);
        self.lookups.insert(id, shared);
        self.queue.push_back(id);
        self.set_timer(id);
    }

    /// Starts queued lookups while there is capacity.
    fn start_queued(&mut self, registry: &Registry, now: Instant) {
        self.start_queued_at = None;
        for _ in 0..MAX_STARTS {
            if self.running >= self.max_running {
                return;
            }
            let Some(id) = self.queue.pop_front() else {
                return;
            };
            // Cancelled while it was queued.
            let Some(shared) = self.lookups.get_mut(&id) else {
                continue;
            };
            let latest = shared
                .waiters
                .iter()
                .map(|waiter| waiter.deadline)
                .max()
                .unwrap_or(now);
            let lookup = Lookup::new(
                &shared.name,
                shared.family,
                shared.conf.clone(),
                self.rotation,
                now,
                latest,
            );
            shared.lookup = Some(lookup);
            self.rotation = self.rotation.wrapping_add(1);
            self.running += 1;
            self.perform_actions(registry, id, now);
        }
        if !self.queue.is_empty() && self.running < self.max_running {
            self.start_queued_at = Some(now);
        }
    }

    /// Performs the pending actions of a lookup, and delivers its result if it has ended.
    fn perform_actions(&mut self, registry: &Registry, id: u64, now: Instant) {
        while let Some(lookup) = self
            .lookups
            .get_mut(&id)
            .and_then(|shared| shared.lookup.as_mut())
        {
            match lookup.pop_action() {
                Some(QueryAction::Open {
                    attempt,
                    server,
                    transport,
                }) => {
                    let owner = SocketOwner {
                        lookup: id,
                        attempt,
                    };
                    self.open_socket(registry, owner, server, transport, now);
                }
                Some(QueryAction::Close { attempt }) => self.close_socket(id, attempt),
                None => match lookup.take_result() {
                    Some(result) => return self.finish(id, &result, now),
                    None => return self.set_timer(id),
                },
            }
        }
    }

    fn open_socket(
        &mut self,
        registry: &Registry,
        owner: SocketOwner,
        server: usize,
        transport: Transport,
        now: Instant,
    ) {
        self.buffer.resize(MAX_MESSAGE, 0);
        let query_id = self.ids.next_id();
        let attempt = owner.attempt;
        let Some(shared) = self.lookups.get_mut(&owner.lookup) else {
            return;
        };
        let Some(lookup) = shared
            .lookup
            .as_mut()
            .filter(|lookup| lookup.is_open(attempt))
        else {
            return;
        };
        let Some(server) = shared.conf.servers.get(server) else {
            return;
        };
        let message = match query_id {
            Ok(query_id) => lookup.message(attempt, query_id).unwrap_or_default(),
            Err(error) => {
                return lookup.on_blocked(attempt, format!("no random numbers: {error}"), now);
            }
        };
        let slot = self.sockets.vacant_entry();
        let token = Token(RESOLVER_TOKENS | slot.key());
        let opened = server
            .socket_addr()
            .map_err(SocketError::Failed)
            .and_then(|address| QuerySocket::open(registry, token, transport, address, &message));
        match opened {
            Ok(socket) => {
                shared.sockets.push((attempt, slot.key()));
                slot.insert(OpenSocket { owner, socket });
            }
            Err(SocketError::Exhausted(error)) => {
                self.out_of_sockets = true;
                lookup.on_blocked(attempt, short_cause(&error), now);
            }
            Err(SocketError::Local(error)) => {
                lookup.on_local_error(attempt, short_cause(&error), now);
            }
            Err(SocketError::Failed(error)) => lookup.on_error(attempt, short_cause(&error), now),
        }
    }

    fn close_socket(&mut self, id: u64, attempt: QueryAttemptId) {
        let Some(shared) = self.lookups.get_mut(&id) else {
            return;
        };
        let index = shared
            .sockets
            .iter()
            .position(|(other, _)| *other == attempt);
        if let Some(index) = index {
            let (_, slot) = shared.sockets.swap_remove(index);
            self.sockets.try_remove(slot);
        }
    }

    /// Delivers the result to all waiters. If there was no answer, those that joined later and have
    /// time left get a new lookup instead, because this one ended before their deadlines.
    fn finish(&mut self, id: u64, result: &LookupResult, now: Instant) {
        let Some(shared) = self.remove(id) else {
            return;
        };
        if let Ok(addresses) = result {
            self.remember(LookupName::new(&shared.name, shared.family), addresses, now);
        }
        let no_answer = result
            .as_ref()
            .is_err_and(|failure| failure.status != Status::ResolveFailed);
        let (retried, answered): (Vec<_>, Vec<_>) =
            shared.waiters.into_iter().partition(|waiter| {
                no_answer && waiter.joined == Joined::Later && waiter.deadline > now
            });
        for waiter in answered {
            self.deliver(waiter.key, result.clone(), now);
        }
        if !retried.is_empty() {
            let waiters = retried
                .into_iter()
                .map(|waiter| LookupWaiter {
                    joined: Joined::BeforeStart,
                    ..waiter
                })
                .collect();
            self.enqueue(SharedLookup {
                name: shared.name,
                family: shared.family,
                conf: shared.conf,
                created: now,
                lookup: None,
                waiters,
                timer: None,
                sockets: Vec::new(),
            });
        }
    }

    fn remember(&mut self, name: LookupName, addresses: &ResolvedAddresses, now: Instant) {
        if self.recent.len() >= MAX_RECENT {
            self.recent
                .retain(|_, (answered, _)| is_reusable(*answered, now));
        }
        if self.recent.len() < MAX_RECENT {
            self.recent.insert(name, (now, addresses.clone()));
        }
    }

    /// Delivers the result so far to the waiters whose deadline has passed.
    fn answer_overdue(&mut self, id: u64, now: Instant) {
        let Some(shared) = self.lookups.get_mut(&id) else {
            return;
        };
        let (overdue, waiting): (Vec<_>, Vec<_>) = shared
            .waiters
            .drain(..)
            .partition(|waiter| waiter.deadline <= now);
        shared.waiters = waiting;
        if !overdue.is_empty() {
            let result = match &shared.lookup {
                Some(lookup) => lookup.result_so_far(),
                None => Err(queue_timeout(&shared.name)),
            };
            let is_unused = shared.waiters.is_empty();
            for waiter in overdue {
                self.deliver(waiter.key, result.clone(), now);
            }
            if is_unused {
                self.remove(id);
            }
        }
        self.set_timer(id);
    }

    fn deliver(&mut self, key: usize, result: LookupResult, now: Instant) {
        self.by_key.remove(&key);
        self.finished.push_back((key, result));
        self.finished_at = Some(now);
    }

    /// Removes a lookup with its timer and sockets.
    fn remove(&mut self, id: u64) -> Option<SharedLookup> {
        let shared = self.lookups.remove(&id)?;
        self.by_name
            .remove(&LookupName::new(&shared.name, shared.family));
        if let Some(at) = shared.timer {
            self.timers.remove(&(at, id));
        }
        for (_, slot) in &shared.sockets {
            self.sockets.try_remove(*slot);
        }
        if shared.lookup.is_some() {
            self.running -= 1;
        }
        Some(shared)
    }

    /// Sets the timer to the next wake of the lookup or the first deadline of its waiters.
    fn set_timer(&mut self, id: u64) {
        let Some(shared) = self.lookups.get_mut(&id) else {
            return;
        };
        let deadline = shared.waiters.iter().map(|waiter| waiter.deadline).min();
        let lookup = shared.lookup.as_ref().and_then(Lookup::next_wake);
        let wake = [deadline, lookup].into_iter().flatten().min();
        if wake != shared.timer {
            if let Some(at) = shared.timer {
                self.timers.remove(&(at, id));
            }
            if let Some(at) = wake {
                self.timers.insert((at, id));
            }
            shared.timer = wake;
        }
    }

    /// Sets the timer to this time if it is later. Unlike [`set_timer`](Self::set_timer), the cost
    /// does not depend on the number of waiters.
    fn wake_by(&mut self, id: u64, deadline: Instant) {
        let Some(shared) = self.lookups.get_mut(&id) else {
            return;
        };
        if shared.timer.is_some_and(|at| at <= deadline) {
            return;
        }
        if let Some(at) = shared.timer.replace(deadline) {
            self.timers.remove(&(at, id));
        }
        self.timers.insert((deadline, id));
    }
}

impl From<LocalAddresses> for ResolvedAddresses {
    fn from(local: LocalAddresses) -> Self {
        Self {
            v4: local.v4,
            v6: local.v6,
            from: match local.source {
                LocalSource::HostsFile => AnswerSource::HostsFile,
                LocalSource::Rfc6761 => AnswerSource::Localhost,
            },
            canonical: None,
        }
    }
}

fn is_reusable(answered: Instant, now: Instant) -> bool {
    now.saturating_duration_since(answered) < REUSE_FOR
}

fn queue_timeout(name: &HostName) -> Failure {
    let name = escaped_prefix(name.as_str(), MAX_NAME_CHARS);
    let text =
        format!("resolve {name}: no query was sent, {MAX_RUNNING} other lookups are in progress");
    Failure::new(Status::ResolveTimeout, text)
}

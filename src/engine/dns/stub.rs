//! The stub resolver: runs [`Lookup`]s and their sockets on the event loop.
//!
//! Requests for the same name share one lookup, and an answer is reused for one second.
//!
//! The load of the name servers is limited: at most 64 lookups over all threads wait for their first
//! 100 ms. A lookup that is not answered by then is *silent*. It no longer counts, and allows one
//! more lookup to wait: names that no server answers would otherwise delay all others, and the load
//! at most doubles in each 100 ms.
//!
//! A silent lookup keeps its sockets, at most four, until the sockets of all lookups reach a part of
//! the descriptor limit. Then the sockets of the lookup that has been silent for the longest time
//! are closed for a name that was not queried yet: the lookup is *suspended*. It is continued with new
//! queries when no other name has started for 100 ms and there are sockets again.
//!
//! At most 16384 lookups over all threads are in progress. The others are queued, and their
//! deadlines keep running.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use mio::{Registry, Token};
use slab::Slab;

use crate::address::HostName;
use crate::engine::dns::answer::{
    AddressOrder, AnswerSource, FinishedLookup, LookupResult, ResolvedAddresses,
};
use crate::engine::dns::failure_text::MAX_NAME_CHARS;
use crate::engine::dns::files::{FileCache, FileFault, Files, RETRY};
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
use crate::os::socket::descriptor_limit;
use crate::plan::Family;

/// Limit on lookups in their first [`COUNTED_FOR`], over all threads, in addition to the number of
/// silent ones.
const MAX_COUNTED: usize = 64;
/// How long a lookup counts against [`MAX_COUNTED`] before it is silent. Most answers are faster; a
/// recursive server that needs longer for one name can answer other queries in the meantime.
const COUNTED_FOR: Duration = Duration::from_millis(100);
/// How long a lookup has to be silent before it is suspended to continue another one.
const SUSPENDED_AFTER: Duration = Duration::from_millis(300);
/// Limit on lookups suspended to start one.
const MAX_SUSPENDED: usize = 4;
/// Limit on lookups in progress, over all threads. Each takes about 1.5 KiB.
const MAX_RUNNING: usize = 1 << 14;
/// Lookups are suspended while their sockets take more than this part of the descriptor limit.
const DESCRIPTOR_SHARE: u64 = 2;
/// Most datagrams handled per socket and call, so that a flood does not delay other work.
const MAX_DATAGRAMS: usize = 256;
/// How long an answer is reused, as if the later request had joined the lookup.
const REUSE_FOR: Duration = Duration::from_secs(1);
/// Limit on answers kept for reuse.
const MAX_RECENT: usize = 4096;
/// Limit on lookups whose timers run per call. With the queries of the next attempt, each takes up to
/// 100 us.
const MAX_EXPIRED: usize = 16;
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
    lookups: HashMap<u64, SharedLookup, RandomState>,
    by_name: HashMap<LookupName, u64, RandomState>,
    by_key: HashMap<usize, u64, RandomState>,
    /// Lookups that wait for capacity. Cancelled ones are skipped when they reach the front.
    queue: VecDeque<u64>,
    /// Requests that wait until the files can be read.
    delayed: Vec<DelayedRequest>,
    delayed_until: Option<Instant>,
    /// Number of lookups that have started, suspended ones included.
    running: usize,
    max_running: usize,
    /// How many sockets the descriptor limit allows; unknown until the first lookup.
    max_sockets: Option<usize>,
    /// Number of these that count against [`MAX_COUNTED`].
    counted: usize,
    max_counted: usize,
    /// When each lookup ceases to count, in ascending order. Those that have ended are skipped.
    counted_until: VecDeque<(Instant, u64)>,
    /// The silent lookups, each with the time since which it is silent.
    silent: BTreeSet<(Instant, u64)>,
    /// Number of requests that wait for silent or suspended lookups.
    silent_requests: usize,
    /// The suspended lookups in the order in which they continue. Those that have ended are skipped.
    suspended: VecDeque<u64>,
    /// No suspended lookup continues before this time, so that new ones come first.
    resume_at: Option<Instant>,
    /// Answers younger than [`REUSE_FOR`], and older ones until the map is full.
    recent: HashMap<LookupName, (Instant, ResolvedAddresses), RandomState>,
    /// Set if queued lookups can start, but only in the next turn of the event loop.
    start_queued_at: Option<Instant>,
    /// One entry for each lookup with a timer.
    timers: BTreeSet<(Instant, u64)>,
    sockets: Slab<OpenSocket>,
    /// Sockets that had more than [`MAX_DATAGRAMS`].
    unread: Vec<usize>,
    /// Set while there are any: the time of the call that found them.
    unread_since: Option<Instant>,
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
    phase: LookupPhase,
    /// The open attempts, each with its index in `sockets`.
    sockets: Vec<(QueryAttemptId, usize)>,
}

/// What the limits have to know of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LookupPhase {
    /// It waits for its start.
    Queued,
    /// It counts against [`MAX_COUNTED`].
    Counted,
    /// It has not been answered for [`COUNTED_FOR`], since this time.
    Silent(Instant),
    /// Its sockets were closed for other lookups.
    Suspended,
}

impl SharedLookup {
    /// Whether it is silent or suspended.
    fn is_silent(&self) -> bool {
        matches!(self.phase, LookupPhase::Silent(_) | LookupPhase::Suspended)
    }
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

/// A request that waits until the files can be read.
#[derive(Debug)]
struct DelayedRequest {
    key: usize,
    name: HostName,
    family: Family,
    deadline: Instant,
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
            lookups: HashMap::default(),
            by_name: HashMap::default(),
            by_key: HashMap::default(),
            queue: VecDeque::new(),
            delayed: Vec::new(),
            delayed_until: None,
            running: 0,
            max_running: MAX_RUNNING,
            max_sockets: None,
            counted: 0,
            max_counted: MAX_COUNTED,
            counted_until: VecDeque::new(),
            silent: BTreeSet::new(),
            silent_requests: 0,
            suspended: VecDeque::new(),
            resume_at: None,
            recent: HashMap::default(),
            start_queued_at: None,
            timers: BTreeSet::new(),
            sockets: Slab::new(),
            unread: Vec::new(),
            unread_since: None,
            buffer: Vec::new(),
            finished: VecDeque::new(),
            finished_at: None,
            out_of_sockets: false,
        }
    }
}

impl Resolver for StubResolver {
    fn share_limit(&mut self, threads: usize) {
        self.max_counted = MAX_COUNTED.div_ceil(threads.max(1));
        self.max_running = MAX_RUNNING.div_ceil(threads.max(1));
    }

    fn has_capacity(&self) -> bool {
        self.queue.is_empty() && self.delayed.is_empty() && self.may_start()
    }

    fn silent_requests(&self) -> usize {
        self.silent_requests
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
        let files = self.files.current(now);
        if let Some(local) = files.hosts.find(name, family) {
            let result = ResolvedAddresses::from(local).without_sinkholes(name);
            return self.deliver(key, result, now);
        }
        if let Some(fault) = files.fault {
            if !fault.is_temporary || deadline <= now {
                let failure = file_failure(name, fault);
                return self.deliver(key, Err(failure), now);
            }
            // The missing resource may be a descriptor.
            self.out_of_sockets = true;
            self.delayed_until.get_or_insert(now + RETRY);
            let name = name.clone();
            return self.delayed.push(DelayedRequest {
                key,
                name,
                family,
                deadline,
            });
        }
        let conf = files.resolv_conf;
        self.max_sockets.get_or_insert_with(descriptor_share);
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
                self.silent_requests += usize::from(shared.is_silent());
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
            phase: LookupPhase::Queued,
            sockets: Vec::new(),
        });
        self.start_queued(registry, now);
    }

    fn cancel(&mut self, key: usize) {
        self.finished.retain(|(other, _)| *other != key);
        self.delayed.retain(|request| request.key != key);
        let Some(id) = self.by_key.remove(&key) else {
            return;
        };
        if let Some(shared) = self.lookups.get_mut(&id) {
            shared.waiters.retain(|waiter| waiter.key != key);
            self.silent_requests -= usize::from(shared.is_silent());
            if shared.waiters.is_empty() {
                // The next queued lookup starts in the next turn of the loop, because this method
                // has no clock. Any time in the past causes that.
                self.start_queued_at = Some(shared.created);
                self.remove(id);
            }
        }
    }

    fn ready(&mut self, registry: &Registry, token: Token, now: Instant) {
        if let Some(lookup) = self.receive(token.0 & !RESOLVER_TOKENS, now) {
            self.perform_actions(registry, lookup, now);
            self.start_queued(registry, now);
        }
    }

    fn expire(&mut self, registry: &Registry, now: Instant) {
        self.start_delayed(registry, now);
        if self.unread_since.take().is_some() {
            for slot in std::mem::take(&mut self.unread) {
                if let Some(lookup) = self.receive(slot, now) {
                    self.perform_actions(registry, lookup, now);
                }
            }
        }
        for _ in 0..MAX_EXPIRED {
            let first = self.timers.first().copied();
            let Some((at, id)) = first.filter(|(at, _)| *at <= now) else {
                break;
            };
            self.timers.remove(&(at, id));
            self.expire_lookup(registry, id, now);
        }
        self.start_queued(registry, now);
    }

    fn expire_request(&mut self, registry: &Registry, key: usize, now: Instant) {
        self.start_delayed(registry, now);
        let lookup = self.by_key.get(&key).copied();
        let is_due = |id: &u64| {
            let timer = self.lookups.get(id).and_then(|shared| shared.timer);
            timer.is_some_and(|at| at <= now)
        };
        if let Some(id) = lookup.filter(is_due) {
            self.expire_lookup(registry, id, now);
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let finished = self.finished_at.filter(|_| !self.finished.is_empty());
        let counted = self.counted_until.front().map(|(at, _)| *at);
        let counted = counted.filter(|_| !self.may_start() || !self.suspended.is_empty());
        [
            timer,
            self.start_queued_at,
            finished,
            counted,
            self.next_resume(),
            self.delayed_until,
            self.unread_since,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn poll_answer(&mut self) -> Option<FinishedLookup> {
        self.finished.pop_front()
    }
}

impl StubResolver {
    /// Whether one more lookup may start.
    fn may_start(&self) -> bool {
        self.may_query()
            && self.running < self.max_running
            && (self.has_socket() || !self.silent.is_empty())
    }

    /// Whether the load of the name servers allows one more lookup.
    fn may_query(&self) -> bool {
        self.counted < self.max_counted + self.silent.len()
    }

    /// When a suspended lookup may continue, unless other events come first.
    fn next_resume(&self) -> Option<Instant> {
        if self.suspended.is_empty() || !self.queue.is_empty() || !self.may_query() {
            return None;
        }
        if self.has_socket() {
            return self.resume_at;
        }
        let silent = self.silent.first().map(|(at, _)| *at + SUSPENDED_AFTER);
        silent.max(self.resume_at.filter(|_| silent.is_some()))
    }

    fn has_socket(&self) -> bool {
        self.max_sockets
            .is_none_or(|most| self.sockets.len() < most)
    }

    /// Hands what a socket has received to its lookup, and returns the lookup.
    fn receive(&mut self, slot: usize, now: Instant) -> Option<u64> {
        let open = self.sockets.get_mut(slot)?;
        let owner = open.owner;
        let shared = self.lookups.get_mut(&owner.lookup)?;
        let lookup = shared.lookup.as_mut()?;
        let mut left = MAX_DATAGRAMS;
        while lookup.is_open(owner.attempt) {
            if left == 0 {
                // The poll is edge-triggered and reports the rest only with the next datagram.
                self.unread.push(slot);
                self.unread_since = Some(now);
                break;
            }
            left -= 1;
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
        Some(owner.lookup)
    }

    /// Runs the timers of a lookup.
    fn expire_lookup(&mut self, registry: &Registry, id: u64, now: Instant) {
        self.collect(id, now);
        let Some(shared) = self.lookups.get_mut(&id) else {
            return;
        };
        if let Some(at) = shared.timer.take() {
            self.timers.remove(&(at, id));
        }
        if let Some(lookup) = &mut shared.lookup {
            lookup.expire(now);
            self.perform_actions(registry, id, now);
        }
        self.answer_overdue(id, now);
    }

    /// Before timers of a lookup run, passes it the data in its sockets: after a late wake, an
    /// answer may have arrived in time without having been reported yet.
    fn collect(&mut self, id: u64, now: Instant) {
        let Some(shared) = self.lookups.get(&id) else {
            return;
        };
        for (attempt, slot) in shared.sockets.clone() {
            self.receive(slot, now);
            let open = self.sockets.get(slot);
            if open.is_some_and(|open| open.socket.has_dropped()) {
                let shared = self.lookups.get_mut(&id);
                if let Some(lookup) = shared.and_then(|shared| shared.lookup.as_mut()) {
                    lookup.on_dropped(attempt);
                }
            }
        }
    }

    /// Starts the requests that waited for the files, once it is time.
    fn start_delayed(&mut self, registry: &Registry, now: Instant) {
        // At the deadline of a request its failure still names the missing resource.
        let is_over = |request: &DelayedRequest| request.deadline <= now;
        let is_due = self.delayed_until.is_some_and(|until| until <= now);
        if !is_due && !self.delayed.iter().any(is_over) {
            return;
        }
        self.delayed_until = None;
        for request in std::mem::take(&mut self.delayed) {
            let DelayedRequest {
                key,
                name,
                family,
                deadline,
            } = request;
            self.start(registry, key, &name, family, now, deadline);
        }
    }

    /// Lookups that have not been answered for [`COUNTED_FOR`] cease to count.
    fn stop_counting(&mut self, now: Instant) {
        while let Some((_, id)) = self.counted_until.front().filter(|(at, _)| *at <= now) {
            let id = *id;
            self.counted_until.pop_front();
            let Some(shared) = self.lookups.get_mut(&id) else {
                continue;
            };
            if shared.phase != LookupPhase::Counted {
                continue;
            }
            if shared.sockets.is_empty() {
                // This machine has no socket for it, so it would have none for another either.
                self.counted_until.push_back((now + COUNTED_FOR, id));
            } else {
                shared.phase = LookupPhase::Silent(now);
                self.silent_requests += shared.waiters.len();
                self.silent.insert((now, id));
                self.counted -= 1;
            }
        }
    }

    /// A lookup starts or continues.
    fn count(&mut self, id: u64, now: Instant) {
        self.counted += 1;
        self.counted_until.push_back((now + COUNTED_FOR, id));
    }

    /// Closes the sockets of the lookup that has been silent for the longest time, if it has been
    /// since this time.
    fn suspend_one(&mut self, registry: &Registry, silent_since: Instant, now: Instant) {
        let first = self.silent.first().copied();
        let Some((since, id)) = first.filter(|(since, _)| *since <= silent_since) else {
            return;
        };
        self.silent.remove(&(since, id));
        let Some(shared) = self.lookups.get_mut(&id) else {
            return;
        };
        shared.phase = LookupPhase::Suspended;
        if let Some(lookup) = &mut shared.lookup {
            lookup.suspend(now);
        }
        self.suspended.push_back(id);
        self.perform_actions(registry, id, now);
    }

    /// Continues suspended lookups while there is capacity, each after a time in which others had
    /// its sockets.
    fn resume_suspended(&mut self, registry: &Registry, now: Instant) {
        if self.resume_at.is_some_and(|at| at > now) {
            return;
        }
        for _ in 0..MAX_STARTS {
            if self.suspended.is_empty() || !self.may_query() {
                return;
            }
            if !self.has_socket() {
                if let Some(silent_since) = now.checked_sub(SUSPENDED_AFTER) {
                    self.suspend_one(registry, silent_since, now);
                }
            }
            if !self.has_socket() {
                return;
            }
            let Some(id) = self.suspended.pop_front() else {
                return;
            };
            let Some(shared) = self.lookups.get_mut(&id) else {
                continue;
            };
            shared.phase = LookupPhase::Counted;
            self.silent_requests -= shared.waiters.len();
            if let Some(lookup) = &mut shared.lookup {
                lookup.resume(now);
            }
            self.count(id, now);
            self.perform_actions(registry, id, now);
        }
        self.start_queued_at = Some(now);
    }

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
        self.stop_counting(now);
        for _ in 0..MAX_STARTS {
            if !self.may_start() {
                return;
            }
            let Some(id) = self.queue.pop_front() else {
                return self.resume_suspended(registry, now);
            };
            for _ in 0..MAX_SUSPENDED {
                if !self.has_socket() {
                    self.suspend_one(registry, now, now);
                }
            }
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
                now.saturating_duration_since(shared.created),
                now,
                latest,
            );
            shared.lookup = Some(lookup);
            shared.phase = LookupPhase::Counted;
            self.rotation = self.rotation.wrapping_add(1);
            self.running += 1;
            self.resume_at = Some(now + COUNTED_FOR);
            self.count(id, now);
            self.perform_actions(registry, id, now);
        }
        if !self.queue.is_empty() && self.may_start() {
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
                self.suspend_one(registry, now, now);
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
                phase: LookupPhase::Queued,
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
        if shared.is_silent() {
            self.silent_requests -= overdue.len();
        }
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

    fn deliver(&mut self, key: usize, mut result: LookupResult, now: Instant) {
        if let Ok(addresses) = &mut result {
            if let ([v4, ..], [v6, ..]) = (&*addresses.v4, &*addresses.v6) {
                addresses.order = self.files.order(*v4, *v6, now);
            }
        }
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
        self.running -= usize::from(shared.lookup.is_some());
        if shared.is_silent() {
            self.silent_requests -= shared.waiters.len();
        }
        match shared.phase {
            LookupPhase::Counted => self.counted -= 1,
            LookupPhase::Silent(since) => drop(self.silent.remove(&(since, id))),
            LookupPhase::Queued | LookupPhase::Suspended => {}
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
            order: AddressOrder::default(),
        }
    }
}

/// How many sockets the descriptor limit allows.
fn descriptor_share() -> usize {
    let limit = descriptor_limit().map_or(1024, |limit| limit.soft);
    usize::try_from(limit / DESCRIPTOR_SHARE)
        .unwrap_or(usize::MAX)
        .max(1)
}

fn is_reusable(answered: Instant, now: Instant) -> bool {
    now.saturating_duration_since(answered) < REUSE_FOR
}

fn queue_timeout(name: &HostName) -> Failure {
    let name = escaped_prefix(name.as_str(), MAX_NAME_CHARS);
    let cause = "no query was sent, too many lookups are in progress";
    Failure::new(Status::NotTried, format!("resolve {name}: {cause}")).sharing(cause)
}

fn file_failure(name: &HostName, fault: &FileFault) -> Failure {
    let name = escaped_prefix(name.as_str(), MAX_NAME_CHARS);
    let text = format!("resolve {name}: {}", fault.text);
    Failure::new(Status::LocalError, text).sharing(&fault.text)
}

//! The resolver of the C library, for names that are available only through nsswitch.conf:
//! getaddrinfo on helper threads.
//!
//! Not in static builds, where getaddrinfo would load the NSS modules of the system and a second C
//! library into the process (rust-lang/rust#100711, #115723).
//!
//! Requests for the same name share one call. A call cannot be cancelled: if it outlives the
//! deadlines of all its requests, its result is dropped, but its thread remains until it returns.
//!
//! At most 64 calls over all threads wait for their first 100 ms. A call that takes longer is
//! *silent*. It no longer counts, and allows one more call to wait, as in the
//! [stub resolver](super::stub). All calls together are bounded too: by a number, and by the threads
//! that this machine can start.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{io, thread};

use foldhash::fast::RandomState;
use mio::{Registry, Token, Waker};

use crate::address::HostName;
use crate::engine::dns::answer::{
    AddressOrder, AnswerSource, FinishedLookup, LookupResult, ResolvedAddresses,
};
use crate::engine::dns::failure_text::MAX_NAME_CHARS;
use crate::engine::dns::resolver::Resolver;
use crate::engine::lateness;
use crate::escape::escaped_prefix;
use crate::failure::{Failure, Status};
use crate::os::errno::{is_shortage, short_cause};
use crate::plan::Family;

/// Limit on calls in their first [`COUNTED_FOR`], over all event loops, in addition to the number of
/// silent ones.
const MAX_COUNTED: usize = 64;
/// How long a call counts against [`MAX_COUNTED`] before it is silent.
const COUNTED_FOR: Duration = Duration::from_millis(100);
/// Limit on helper threads over all event loops, including those whose result is not needed any
/// more.
const MAX_THREADS: usize = 4096;
/// Delay of the next try if this machine had no further thread.
const THREAD_RETRY: Duration = Duration::from_millis(10);
/// The token of the waker. It has the bit of [`RESOLVER_TOKENS`](super::resolver::RESOLVER_TOKENS).
const WAKER: Token = Token(usize::MAX);

/// The result of a call, sent by its thread.
#[derive(Debug)]
struct CallResult {
    call: u64,
    addresses: io::Result<Vec<SocketAddr>>,
}

/// Resolves names with getaddrinfo(3).
#[derive(Debug)]
pub struct SystemResolver {
    /// Makes the poll return when a call has ended.
    waker: Arc<Waker>,
    results: Receiver<CallResult>,
    result_sender: Sender<CallResult>,
    threads: usize,
    max_threads: usize,
    /// When each running call ceases to count, in ascending order.
    counted_until: VecDeque<(Instant, u64)>,
    max_counted: usize,
    next_id: u64,
    requests: HashMap<u64, AddressRequest, RandomState>,
    /// Number of requests that wait for silent calls.
    silent_requests: usize,
    by_key: HashMap<usize, u64, RandomState>,
    /// Running and queued calls. A call has the id of its first request.
    calls: HashMap<u64, AddressCall, RandomState>,
    by_name: HashMap<Box<str>, u64, RandomState>,
    /// Calls that wait for a thread.
    queue: VecDeque<u64>,
    /// Set if this machine had no further thread: no call starts before this time.
    threadless_until: Option<Instant>,
    deadlines: BTreeSet<(Instant, u64)>,
    finished: VecDeque<FinishedLookup>,
    /// A time in the past once there was a result, which makes the event loop take it at once.
    finished_at: Option<Instant>,
}

/// The cause if a call started late or not at all.
const NO_THREAD: &str =
    "not all names could be looked up at once, because each getaddrinfo(3) call needs a thread";

/// A getaddrinfo call for all families.
#[derive(Debug)]
struct AddressCall {
    name: HostName,
    /// The ids of the requests that wait for it.
    requests: BTreeSet<u64>,
    state: CallState,
}

/// What the limits have to know of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallState {
    /// It waits for a thread.
    Queued,
    /// It started at this time.
    Running(Instant),
    /// It started at this time and has not returned for [`COUNTED_FOR`].
    Silent(Instant),
}

impl AddressCall {
    fn is_silent(&self) -> bool {
        matches!(self.state, CallState::Silent(_))
    }
}

#[derive(Debug)]
struct AddressRequest {
    key: usize,
    call: u64,
    name: HostName,
    family: Family,
    created: Instant,
    deadline: Instant,
}

impl SystemResolver {
    /// Registers a waker. mio allows one per poll, so the poll must not have another one.
    ///
    /// # Errors
    /// If there is no descriptor for the waker (eventfd(2)).
    pub fn new(registry: &Registry) -> io::Result<Self> {
        let (result_sender, results) = mpsc::channel();
        Ok(Self {
            waker: Arc::new(Waker::new(registry, WAKER)?),
            results,
            result_sender,
            threads: 0,
            max_threads: MAX_THREADS,
            counted_until: VecDeque::new(),
            max_counted: MAX_COUNTED,
            next_id: 0,
            requests: HashMap::default(),
            silent_requests: 0,
            by_key: HashMap::default(),
            calls: HashMap::default(),
            by_name: HashMap::default(),
            queue: VecDeque::new(),
            threadless_until: None,
            deadlines: BTreeSet::new(),
            finished: VecDeque::new(),
            finished_at: None,
        })
    }
}

impl Resolver for SystemResolver {
    fn share_limit(&mut self, threads: usize) {
        self.max_threads = MAX_THREADS.div_ceil(threads.max(1));
        self.max_counted = MAX_COUNTED.div_ceil(threads.max(1));
    }

    fn has_capacity(&self) -> bool {
        self.queue.is_empty() && self.may_start()
    }

    fn silent_requests(&self) -> usize {
        self.silent_requests
    }

    /// Always false: the sockets of the C library are not known.
    fn ran_out_of_sockets(&mut self) -> bool {
        false
    }

    fn start(
        &mut self,
        _registry: &Registry,
        key: usize,
        name: &HostName,
        family: Family,
        now: Instant,
        deadline: Instant,
    ) {
        self.cancel(key);
        let id = self.next_id;
        self.next_id += 1;
        let lower_case = name.as_str().to_ascii_lowercase().into_boxed_str();
        let call_id = *self.by_name.entry(lower_case).or_insert(id);
        self.requests.insert(
            id,
            AddressRequest {
                key,
                call: call_id,
                name: name.clone(),
                family,
                created: now,
                deadline,
            },
        );
        self.by_key.insert(key, id);
        self.deadlines.insert((deadline, id));
        if call_id == id {
            self.queue.push_back(id);
        }
        let call = self.calls.entry(call_id).or_insert_with(|| AddressCall {
            name: name.clone(),
            requests: BTreeSet::new(),
            state: CallState::Queued,
        });
        call.requests.insert(id);
        self.silent_requests += usize::from(call.is_silent());
        self.start_queued(now);
    }

    fn cancel(&mut self, key: usize) {
        self.finished.retain(|(other, _)| *other != key);
        if let Some(id) = self.by_key.get(&key).copied() {
            self.remove(id);
        }
    }

    fn ready(&mut self, _registry: &Registry, _token: Token, now: Instant) {
        while let Ok(CallResult { call, addresses }) = self.results.try_recv() {
            self.threads -= 1;
            self.counted_until.retain(|(_, running)| *running != call);
            for id in self.requests_of(call) {
                if let Some(request) = self.remove(id) {
                    let result = request.result(addresses.as_deref());
                    self.finished.push_back((request.key, result));
                }
            }
        }
        self.start_queued(now);
    }

    fn expire(&mut self, registry: &Registry, now: Instant) {
        // After a late wake a result may be there that was not reported yet.
        self.ready(registry, WAKER, now);
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.pop_first();
            let started = self.start_of_call(id);
            if let Some(request) = self.remove(id) {
                let failure = request.timeout(started, now);
                self.finished.push_back((request.key, Err(failure)));
            }
        }
    }

    fn expire_request(&mut self, registry: &Registry, _key: usize, now: Instant) {
        self.expire(registry, now);
    }

    fn next_wake(&self) -> Option<Instant> {
        let finished = self.finished_at.filter(|_| !self.finished.is_empty());
        let counted = self.counted_until.front().map(|(at, _)| *at);
        let counted = counted.filter(|_| !self.may_start());
        [
            self.deadlines.first().map(|(at, _)| *at),
            finished,
            counted,
            self.threadless_until,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn poll_answer(&mut self) -> Option<FinishedLookup> {
        self.finished.pop_front()
    }
}

impl SystemResolver {
    fn requests_of(&self, call: u64) -> BTreeSet<u64> {
        self.calls
            .get(&call)
            .map(|call| call.requests.clone())
            .unwrap_or_default()
    }

    /// When the call of this request started; `None` if it has no thread yet.
    fn start_of_call(&self, request: u64) -> Option<Instant> {
        let call = self.calls.get(&self.requests.get(&request)?.call)?;
        match call.state {
            CallState::Queued => None,
            CallState::Running(since) | CallState::Silent(since) => Some(since),
        }
    }

    /// Removes a request, and its call if that has no other.
    fn remove(&mut self, id: u64) -> Option<AddressRequest> {
        let request = self.requests.remove(&id)?;
        self.by_key.remove(&request.key);
        self.deadlines.remove(&(request.deadline, id));
        self.finished_at = Some(request.created);
        if let Some(call) = self.calls.get_mut(&request.call) {
            call.requests.remove(&id);
            self.silent_requests -= usize::from(call.is_silent());
            if call.requests.is_empty() {
                // A later request makes a new call instead of joining one that hangs.
                self.calls.remove(&request.call);
                self.by_name
                    .remove(request.name.as_str().to_ascii_lowercase().as_str());
            }
        }
        Some(request)
    }

    fn may_start(&self) -> bool {
        let counted = self.counted_until.len();
        let silent = self.threads.saturating_sub(counted);
        counted < self.max_counted + silent
            && self.threads < self.max_threads
            && self.threadless_until.is_none()
    }

    /// Starts queued calls while there is capacity.
    fn start_queued(&mut self, now: Instant) {
        while let Some((_, id)) = self.counted_until.front().filter(|(at, _)| *at <= now) {
            if let Some(call) = self.calls.get_mut(id) {
                if let CallState::Running(since) = call.state {
                    call.state = CallState::Silent(since);
                    self.silent_requests += call.requests.len();
                }
            }
            self.counted_until.pop_front();
        }
        self.threadless_until = self.threadless_until.filter(|until| *until > now);
        while self.may_start() {
            let Some(id) = self.queue.pop_front() else {
                return;
            };
            // All its requests may be gone.
            let Some(call) = self.calls.get_mut(&id) else {
                continue;
            };
            let name = call.name.as_str().to_owned();
            call.state = CallState::Running(now);
            match self.spawn(id, name) {
                Ok(()) => {
                    self.threads += 1;
                    self.counted_until.push_back((now + COUNTED_FOR, id));
                }
                // A thread that ends may leave its place to this call.
                Err(error) if self.threads > 0 && is_shortage(&error) => {
                    self.threadless_until = Some(now + THREAD_RETRY);
                    if let Some(call) = self.calls.get_mut(&id) {
                        call.state = CallState::Queued;
                    }
                    self.queue.push_front(id);
                }
                Err(error) => {
                    let cause = short_cause(&error);
                    for request in self.requests_of(id) {
                        self.fail_without_thread(request, &cause);
                    }
                }
            }
        }
    }

    fn spawn(&self, call: u64, name: String) -> io::Result<()> {
        let (sender, waker) = (self.result_sender.clone(), self.waker.clone());
        let run = move || {
            let addresses = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect);
            let addresses = addresses.map_err(|error| descriptor_shortage().unwrap_or(error));
            // Fails only if the resolver was dropped; then the result is not needed.
            let _ = sender.send(CallResult { call, addresses });
            let _ = waker.wake();
        };
        thread::Builder::new()
            .name("resolve".into())
            .spawn(run)
            .map(drop)
    }

    fn fail_without_thread(&mut self, id: u64, cause: &str) {
        if let Some(request) = self.remove(id) {
            let failure = request.failure(
                Status::LocalError,
                &format!("cannot start a thread for the system resolver: {cause}"),
            );
            self.finished.push_back((request.key, Err(failure)));
        }
    }
}

impl AddressRequest {
    fn failure(&self, status: Status, cause: &str) -> Failure {
        let name = escaped_prefix(self.name.as_str(), MAX_NAME_CHARS);
        Failure::new(status, format!("resolve {name}: {cause}"))
    }

    /// The failure at the deadline.
    fn timeout(&self, call_started: Option<Instant>, now: Instant) -> Failure {
        let limit = self.deadline.saturating_duration_since(self.created);
        let overdue = now.saturating_duration_since(self.deadline);
        let started = call_started.unwrap_or(self.deadline);
        if lateness::is_much(started.saturating_duration_since(self.created), limit) {
            self.failure(Status::LocalError, NO_THREAD)
        } else if lateness::is_much(overdue, limit) {
            // Its threads were stopped as well, and may have the answer in a moment.
            self.failure(Status::LocalError, lateness::CAUSE)
        } else {
            let cause = "no answer from the system resolver";
            self.failure(Status::ResolveTimeout, cause)
        }
    }

    fn result(&self, addresses: Result<&[SocketAddr], &io::Error>) -> LookupResult {
        let with =
            |status, cause: &str| self.failure(status, &format!("{cause} (system resolver)"));
        let failed = |cause: &str| with(Status::ResolveFailed, cause);
        let addresses = addresses.map_err(|error| {
            let status = if is_shortage(error) {
                Status::LocalError
            } else {
                Status::ResolveFailed
            };
            with(status, &getaddrinfo_cause(error))
        })?;
        let (mut v4, mut v6, mut order) = (Vec::new(), Vec::new(), Vec::new());
        for address in addresses {
            match (address.ip(), self.family) {
                (IpAddr::V4(address), Family::Any | Family::V4) => v4.push(address),
                (IpAddr::V6(address), Family::Any | Family::V6) => v6.push(address),
                _ => continue,
            }
            order.push(address.ip());
        }
        if v4.is_empty() && v6.is_empty() {
            return Err(failed(match self.family {
                Family::Any => "has no address",
                Family::V4 => "has no IPv4 address",
                Family::V6 => "has no IPv6 address",
            }));
        }
        let all = ResolvedAddresses {
            v4,
            v6,
            from: AnswerSource::System,
            canonical: None,
            order: AddressOrder::Given(order),
        };
        all.without_sinkholes(&self.name)
    }
}

/// The error of a process that has no descriptor left. `getaddrinfo(3)` reports it as an unknown name.
fn descriptor_shortage() -> Option<io::Error> {
    let another = io::stdin().as_fd().try_clone_to_owned();
    another.err().filter(is_shortage)
}

/// The text of `gai_strerror(3)` without the prefix that std adds. `EAI_NONAME` is explained by the
/// DNS results that cause it.
fn getaddrinfo_cause(error: &io::Error) -> String {
    let text = short_cause(error);
    let cause = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text);
    match cause {
        "name or service not known" | "name does not resolve" => {
            format!("{cause} (NXDOMAIN or no address)")
        }
        _ => cause.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_explained() {
        for (text, cause) in [
            (
                "failed to lookup address information: Name or service not known",
                "name or service not known (NXDOMAIN or no address)",
            ),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                "temporary failure in name resolution",
            ),
        ] {
            assert_eq!(getaddrinfo_cause(&io::Error::other(text)), cause);
        }
    }

    /// getaddrinfo had only the rest of the time.
    #[test]
    #[allow(clippy::disallowed_methods)]
    fn a_call_that_started_late_or_never_is_unknown() {
        let created = Instant::now();
        let at = |ms| created + Duration::from_millis(ms);
        let request = AddressRequest {
            key: 0,
            call: 0,
            name: "db1".parse().unwrap(),
            family: Family::Any,
            created,
            deadline: at(2000),
        };
        let status = |started| request.timeout(started, at(2001)).status;
        assert_eq!(status(None), Status::LocalError);
        assert_eq!(status(Some(at(1500))), Status::LocalError);
        assert_eq!(status(Some(at(100))), Status::ResolveTimeout);
    }
}

//! The resolver of the C library, for names that only nsswitch.conf knows: getaddrinfo on helper
//! threads.
//!
//! Not in static builds, where getaddrinfo would load the NSS modules of the system and a second C
//! library into the process (rust-lang/rust#100711, #115723).
//!
//! Requests for the same name share one call. A call cannot be cancelled: if it outlives the
//! deadlines of all its requests, its result is dropped, but its thread remains until it returns.
//!
//! At most 64 calls over all threads wait for their first 100 ms. A call that takes longer no
//! longer counts, so that unanswered names do not use the capacity for other names. All calls
//! together are bounded too.

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

/// Limit on calls in their first [`COUNTED_FOR`], over all event loops.
const MAX_COUNTED: usize = 64;
/// How long a call counts against [`MAX_COUNTED`].
const COUNTED_FOR: Duration = Duration::from_millis(100);
/// Limit on helper threads over all event loops, including those whose result is not needed any
/// more.
const MAX_THREADS: usize = 512;
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
    by_key: HashMap<usize, u64, RandomState>,
    /// Running and queued calls. A call has the id of its first request.
    calls: HashMap<u64, AddressCall, RandomState>,
    by_name: HashMap<Box<str>, u64, RandomState>,
    /// Calls that wait for a thread.
    queue: VecDeque<u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    finished: VecDeque<FinishedLookup>,
    /// A time in the past once there was a result, which makes the event loop take it at once.
    finished_at: Option<Instant>,
}

/// A getaddrinfo call for all families.
#[derive(Debug)]
struct AddressCall {
    name: HostName,
    /// The ids of the requests that wait for it.
    requests: BTreeSet<u64>,
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
            by_key: HashMap::default(),
            calls: HashMap::default(),
            by_name: HashMap::default(),
            queue: VecDeque::new(),
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
        });
        call.requests.insert(id);
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
            if let Some(request) = self.remove(id) {
                // Its threads were stopped as well, and may have the answer in a moment.
                let is_late = lateness::is_much(
                    now.saturating_duration_since(request.deadline),
                    request.deadline.saturating_duration_since(request.created),
                );
                let failure = if is_late {
                    request.failure(Status::LocalError, lateness::CAUSE)
                } else {
                    let cause = "no answer from the system resolver";
                    request.failure(Status::ResolveTimeout, cause)
                };
                self.finished.push_back((request.key, Err(failure)));
            }
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let finished = self.finished_at.filter(|_| !self.finished.is_empty());
        let counted = self.counted_until.front().map(|(at, _)| *at);
        let counted = counted.filter(|_| self.counted_until.len() >= self.max_counted);
        [self.deadlines.first().map(|(at, _)| *at), finished, counted]
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

    /// Removes a request, and its call if that has no other.
    fn remove(&mut self, id: u64) -> Option<AddressRequest> {
        let request = self.requests.remove(&id)?;
        self.by_key.remove(&request.key);
        self.deadlines.remove(&(request.deadline, id));
        self.finished_at = Some(request.created);
        if let Some(call) = self.calls.get_mut(&request.call) {
            call.requests.remove(&id);
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
        self.counted_until.len() < self.max_counted && self.threads < self.max_threads
    }

    /// Starts queued calls while there is capacity.
    fn start_queued(&mut self, now: Instant) {
        while self.counted_until.front().is_some_and(|(at, _)| *at <= now) {
            self.counted_until.pop_front();
        }
        while self.may_start() {
            let Some(id) = self.queue.pop_front() else {
                return;
            };
            // All its requests may be gone.
            let Some(call) = self.calls.get(&id) else {
                continue;
            };
            match self.spawn(id, call.name.as_str().to_owned()) {
                Ok(()) => {
                    self.threads += 1;
                    self.counted_until.push_back((now + COUNTED_FOR, id));
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
    let another = io::stderr().as_fd().try_clone_to_owned();
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
}

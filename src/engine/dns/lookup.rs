//! One lookup: a name, the search list, one or both address families. No I/O; time and query ids
//! are arguments.
//!
//! The driver performs the actions, reports what happens on the sockets, and calls `expire` at
//! `next_wake`. A lookup ends by its deadline with what is known by then.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::address::HostName;
use crate::engine::dns::answer::{AddressOrder, AnswerSource, LookupResult, ResolvedAddresses};
use crate::engine::dns::failure_text::{LookupFailure, QueriedName};
use crate::engine::dns::message::RecordKind;
use crate::engine::dns::query::{Query, QueryAction, QueryActions, QueryAttemptId};
use crate::engine::dns::resolv_conf::{AaaaQueries, ResolvConf};
use crate::engine::dns::result::{QueryResult, ServerError, Severity};
use crate::engine::lateness;
use crate::escape::escaped_prefix;
use crate::failure::Status;
use crate::plan::Family;

/// The shortest wait for the second family (the Resolution Delay of RFC 8305, section 3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// Longest canonical name that is reported, in characters.
const MAX_CANONICAL_CHARS: usize = 255;

/// The cause if a lookup was suspended for long.
const NO_SOCKET: &str =
    "not all names could be looked up at once, because each lookup needs descriptors";

/// A lookup in progress.
#[derive(Debug)]
pub struct Lookup {
    name: HostName,
    family: Family,
    conf: Arc<ResolvConf>,
    /// Indices of the servers in the order in which they are queried.
    server_order: Vec<usize>,
    candidates: Vec<Arc<str>>,
    /// Index of the candidate that is being queried.
    current: usize,
    /// One query per record type, for the current candidate.
    queries: Vec<Query>,
    /// The candidates before the current one.
    past: Vec<QueriedName>,
    start: Instant,
    deadline: Instant,
    actions: QueryActions,
    /// How late it was with queries that it had to send.
    delay: Duration,
    /// Set while it has no sockets: the time at which they were closed for other lookups.
    suspended_at: Option<Instant>,
    /// How long it was suspended before, or queued.
    suspended_for: Duration,
    result: Option<LookupResult>,
}

impl Lookup {
    /// Starts a lookup that was queued for this time. `rotation` is the index of the first server
    /// for `options rotate`, modulo the number of servers.
    pub fn new(
        name: &HostName,
        family: Family,
        conf: Arc<ResolvConf>,
        rotation: usize,
        queued_for: Duration,
        now: Instant,
        deadline: Instant,
    ) -> Self {
        let mut server_order: Vec<usize> = (0..conf.servers.len()).collect();
        if conf.rotate {
            let first = rotation.checked_rem(server_order.len()).unwrap_or_default();
            server_order.rotate_left(first);
        }
        let candidates = conf.candidates(name).into_iter().map(Arc::from).collect();
        let mut lookup = Self {
            name: name.clone(),
            family,
            conf,
            server_order,
            candidates,
            current: 0,
            queries: Vec::new(),
            past: Vec::new(),
            start: now,
            deadline,
            actions: QueryActions::default(),
            delay: Duration::ZERO,
            suspended_at: None,
            suspended_for: queued_for,
            result: None,
        };
        lookup.query_candidate(now);
        lookup.advance(now);
        lookup
    }

    /// The next action to perform.
    pub fn pop_action(&mut self) -> Option<QueryAction> {
        self.actions.pop()
    }

    /// The message to send for this attempt, with this random query id; `None` if the attempt is no
    /// longer open.
    pub fn message(&mut self, attempt: QueryAttemptId, query_id: u16) -> Option<Vec<u8>> {
        self.queries
            .iter_mut()
            .find(|query| query.is_open(attempt))?
            .message(attempt, query_id)
    }

    /// Whether this attempt still accepts answers.
    pub fn is_open(&self, attempt: QueryAttemptId) -> bool {
        self.queries.iter().any(|query| query.is_open(attempt))
    }

    /// Handles a message received on the socket of this attempt. Modifies `bytes`.
    pub fn on_message(&mut self, attempt: QueryAttemptId, bytes: &mut [u8], now: Instant) {
        self.handle(attempt, now, |query, actions| {
            query.on_message(attempt, bytes, now, actions);
        });
    }

    /// The kernel dropped datagrams of this attempt that do not belong to the query.
    pub fn on_dropped(&mut self, attempt: QueryAttemptId) {
        for query in &mut self.queries {
            query.on_dropped(attempt);
        }
    }

    /// Handles a failure of the socket of this attempt.
    pub fn on_error(&mut self, attempt: QueryAttemptId, cause: String, now: Instant) {
        self.handle(attempt, now, |query, actions| {
            query.on_error(attempt, cause, now, actions);
        });
    }

    /// Handles an error of this machine on the socket of this attempt.
    pub fn on_local_error(&mut self, attempt: QueryAttemptId, cause: String, now: Instant) {
        self.handle(attempt, now, |query, actions| {
            query.on_local_error(attempt, cause, now, actions);
        });
    }

    /// Handles a lack of sockets on this machine: the socket is requested again later.
    pub fn on_blocked(&mut self, attempt: QueryAttemptId, cause: String, now: Instant) {
        self.handle(attempt, now, |query, _| {
            query.on_blocked(attempt, cause, now);
        });
    }

    /// Runs the timers that are due.
    pub fn expire(&mut self, now: Instant) {
        // At its deadline there is nothing more to send.
        if let Some(due) = self.next_wake().filter(|due| *due < self.deadline) {
            self.add_delay(now.min(self.deadline).saturating_duration_since(due));
        }
        for query in &mut self.queries {
            query.expire(now, &mut self.actions);
        }
        self.advance(now);
    }

    /// Closes the sockets, because other lookups need them. Nothing is queried until
    /// [`resume`](Self::resume), and a late answer is lost.
    pub fn suspend(&mut self, now: Instant) {
        self.suspended_at.get_or_insert(now);
        for query in &mut self.queries {
            query.suspend(&mut self.actions);
        }
    }

    /// Continues a suspended lookup.
    pub fn resume(&mut self, now: Instant) {
        let Some(since) = self.suspended_at.take() else {
            return;
        };
        self.suspended_for += now.saturating_duration_since(since);
        for query in &mut self.queries {
            query.resume(now, &mut self.actions);
        }
        self.advance(now);
    }

    /// When to call `expire`; `None` once the lookup has ended.
    pub fn next_wake(&self) -> Option<Instant> {
        if self.result.is_some() {
            return None;
        }
        let queries = self.queries.iter().filter_map(Query::next_wake).min();
        Some(queries.map_or(self.deadline, |wake| wake.min(self.deadline)))
    }

    /// Takes the result once the lookup has ended.
    pub fn take_result(&mut self) -> Option<LookupResult> {
        self.result.take()
    }

    /// The result if the lookup ended now.
    ///
    /// # Errors
    /// If no address is known yet.
    pub fn result_so_far(&self) -> LookupResult {
        let results = self.query_results();
        if let Some(addresses) = self.addresses(&results) {
            return addresses.without_sinkholes(&self.name);
        }
        let mut queried = self.past.clone();
        if let Some(name) = self.candidates.get(self.current) {
            queried.push(QueriedName {
                name: name.clone(),
                results,
            });
        }
        let failure = LookupFailure {
            name: &self.name,
            family: self.family,
            servers: &self.conf.servers,
            queried: &queried,
        };
        let is_complete = self.current + 1 >= self.candidates.len();
        let is_final = is_complete && failure.is_conclusive();
        let late = self.lack_of_time().filter(|_| !is_final);
        let late = late.map(|cause| failure.local(cause));
        let failure = failure.failure();
        // A missing resource of this machine is the more useful reason.
        Err(late
            .filter(|_| failure.status != Status::LocalError)
            .unwrap_or(failure))
    }

    fn handle(
        &mut self,
        attempt: QueryAttemptId,
        now: Instant,
        event: impl FnOnce(&mut Query, &mut QueryActions),
    ) {
        if let Some(query) = self.queries.iter_mut().find(|query| query.is_open(attempt)) {
            let overdue = now.saturating_duration_since(self.deadline);
            event(query, &mut self.actions);
            // It may have arrived at any time, and there is no time left to query another server.
            if !lateness::counted(overdue).is_zero() {
                self.delay = Duration::MAX;
            }
            self.advance(now);
        }
    }

    /// Notes that a query was sent late by this much.
    fn add_delay(&mut self, time: Duration) {
        self.delay = self.delay.saturating_add(lateness::counted(time));
    }

    /// Why the servers had much less time than they should have, if they did.
    fn lack_of_time(&self) -> Option<&'static str> {
        let limit = self.deadline.saturating_duration_since(self.start);
        let suspended_at = self.suspended_at.unwrap_or(self.deadline);
        let suspended = self.suspended_for + self.deadline.saturating_duration_since(suspended_at);
        if lateness::is_much(self.delay, limit) {
            Some(lateness::CAUSE)
        } else if lateness::is_much(self.delay.saturating_add(suspended), limit) {
            Some(NO_SOCKET)
        } else {
            None
        }
    }

    /// Starts the queries for the current candidate.
    ///
    /// Every candidate but the last gets half of the time left, so that a silent server leaves time
    /// for the next candidate.
    fn query_candidate(&mut self, now: Instant) {
        let Some(name) = self.candidates.get(self.current).cloned() else {
            return;
        };
        let is_last = self.current + 1 == self.candidates.len();
        let left = self.deadline.saturating_duration_since(now);
        let deadline = if is_last {
            self.deadline
        } else {
            now + left / 2
        };
        let kinds: &[RecordKind] = match (self.family, self.conf.aaaa_queries) {
            (Family::Any, AaaaQueries::Send) => &[RecordKind::A, RecordKind::Aaaa],
            (Family::V4, _) | (Family::Any, AaaaQueries::Skip) => &[RecordKind::A],
            (Family::V6, _) => &[RecordKind::Aaaa],
        };
        let start = |kind: &RecordKind| {
            Query::new(
                name.clone(),
                *kind,
                self.conf.clone(),
                &self.server_order,
                now,
                deadline,
                &mut self.actions,
            )
        };
        self.queries = kinds.iter().map(start).collect();
        if self.suspended_at.is_some() {
            for query in &mut self.queries {
                query.suspend(&mut self.actions);
            }
        }
    }

    /// Continues after an event: ends the lookup or queries the next candidate, if all queries of
    /// the current one have ended.
    fn advance(&mut self, now: Instant) {
        while self.result.is_none() {
            self.limit_wait_for_other_family();
            if self.queries.iter().any(|query| query.result().is_none()) {
                return;
            }
            let results = self.query_results();
            let is_last = self.current + 1 >= self.candidates.len();
            if is_last
                || now >= self.deadline
                || no_server_is_reachable(&results)
                || self.addresses(&results).is_some()
            {
                self.result = Some(self.result_so_far());
                return;
            }
            if let Some(name) = self.candidates.get(self.current).cloned() {
                self.past.push(QueriedName { name, results });
            }
            self.current += 1;
            self.query_candidate(now);
        }
    }

    /// Once one family has addresses, or the A query returned NXDOMAIN, the other query has to end
    /// by half of the lookup's time, but gets at least [`RESOLUTION_DELAY`]. NXDOMAIN for AAAA is
    /// not sufficient, because some servers return it for names that have A records (RFC 4074,
    /// section 4.2).
    fn limit_wait_for_other_family(&mut self) {
        let decided_at = |query: &Query| match query.result() {
            Some((QueryResult::Found(..), at)) => Some(*at),
            Some((QueryResult::NxDomain(_), at)) if query.kind == RecordKind::A => Some(*at),
            _ => None,
        };
        let Some(decided_at) = self.queries.iter().find_map(decided_at) else {
            return;
        };
        let half = self.start + self.deadline.saturating_duration_since(self.start) / 2;
        let deadline = half.max(decided_at + RESOLUTION_DELAY);
        // The timers run after everything was read: the answer to the other query may be there.
        for query in &mut self.queries {
            query.limit_deadline(deadline);
        }
    }

    /// The results of the queries for the current candidate, as of now.
    fn query_results(&self) -> Vec<(RecordKind, QueryResult)> {
        self.queries
            .iter()
            .map(|query| (query.kind, query.result_so_far()))
            .collect()
    }

    /// The addresses of all families; `None` if there are none.
    fn addresses(&self, results: &[(RecordKind, QueryResult)]) -> Option<ResolvedAddresses> {
        let mut all: Option<ResolvedAddresses> = None;
        let written = self.name.relative();
        for (_, result) in results {
            let QueryResult::Found(records, server) = result else {
                continue;
            };
            let Some(server) = self.conf.servers.get(*server) else {
                continue;
            };
            let candidate = self.candidates.get(self.current).map(ToString::to_string);
            let canonical = records
                .canonical
                .clone()
                .or(candidate)
                .filter(|name| !name.eq_ignore_ascii_case(written));
            let all = all.get_or_insert_with(|| ResolvedAddresses {
                v4: Vec::new(),
                v6: Vec::new(),
                from: AnswerSource::Server(server.clone()),
                canonical: canonical.map(|name| escaped_prefix(&name, MAX_CANONICAL_CHARS)),
                order: AddressOrder::default(),
            });
            for address in &records.addresses {
                match address {
                    IpAddr::V4(address) => all.v4.push(*address),
                    IpAddr::V6(address) => all.v6.push(*address),
                }
            }
        }
        all
    }
}

/// Whether every server is unreachable, so that other candidates would fail too.
fn no_server_is_reachable(results: &[(RecordKind, QueryResult)]) -> bool {
    let unreachable = |(_, error): &(usize, ServerError)| error.severity() <= Severity::Unreachable;
    results.iter().all(|(_, result)| match result {
        QueryResult::Failed(errors) => errors.iter().all(unreachable),
        _ => false,
    })
}

#[cfg(test)]
mod tests;

//! One query, a name and a record type, sent to the servers in turn. No I/O; time is an argument.
//!
//! Timeouts: an attempt may take the `timeout` of resolv.conf, but not more than its fair share of
//! the time left (that time divided by the number of attempts still to be made), so that the last
//! server is queried even if the deadline is short. A share is at least 400 ms, because a recursive
//! server needs about that for a name that it has not cached, unless a server that was never
//! queried would lose its attempt. An attempt that times out stays open, and a late answer is used,
//! while the next server is queried. A server that returned an error is not queried again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::dns::message;
use crate::engine::dns::message::{ParsedResponse, RecordKind};
use crate::engine::dns::resolv_conf::{ResolvConf, Transport};
use crate::engine::dns::result::{QueryResult, ServerError, record_error};

/// The shortest share of an attempt. unbound assumes a round trip of 376 ms for a server that it
/// does not know; a shorter wait mostly repeats queries that would have been answered.
const MIN_SHARE: Duration = Duration::from_millis(400);
/// Delay of the retry if this machine had no socket.
const SOCKET_RETRY: Duration = Duration::from_millis(10);
/// An attempt ends after this many UDP datagrams that do not belong to the query. The kernel drops
/// those with another id, so these come from the server itself, or their sender guessed the id.
const MAX_UNRELATED: u32 = 10_000;
/// Open attempts: the current one, and the one before it that timed out.
const MAX_OPEN: usize = 2;

/// Identifies an attempt within a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryAttemptId(u32);

/// What the driver of a query has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryAction {
    /// Open a new socket to this server and send the message that `message` returns.
    Open {
        /// Identifies the attempt in later events.
        attempt: QueryAttemptId,
        /// Index into [`ResolvConf::servers`].
        server: usize,
        /// The transport to use.
        transport: Transport,
    },
    /// Close the socket of this attempt.
    Close {
        /// The attempt.
        attempt: QueryAttemptId,
    },
}

/// The pending actions of a lookup, and the next attempt id.
#[derive(Debug, Default)]
pub struct QueryActions {
    pending: VecDeque<QueryAction>,
    next_attempt: u32,
}

impl QueryActions {
    /// Removes and returns the oldest action.
    pub fn pop(&mut self) -> Option<QueryAction> {
        self.pending.pop_front()
    }

    fn push(&mut self, action: QueryAction) {
        self.pending.push_back(action);
    }

    fn next_attempt(&mut self) -> QueryAttemptId {
        let id = QueryAttemptId(self.next_attempt);
        self.next_attempt = self.next_attempt.wrapping_add(1);
        id
    }
}

/// A query for one name and record type.
#[derive(Debug)]
pub struct Query {
    /// The record type.
    pub kind: RecordKind,
    name: Arc<str>,
    conf: Arc<ResolvConf>,
    deadline: Instant,
    /// Servers still to be queried, in order; each is listed once per attempt.
    schedule: VecDeque<usize>,
    /// How many servers were never queried.
    never_asked: usize,
    open: Vec<QueryAttempt>,
    /// The attempt whose timeout runs; others in `open` only receive late answers.
    current: Option<QueryAttemptId>,
    errors: Vec<(usize, ServerError)>,
    result: Option<(QueryResult, Instant)>,
}

#[derive(Debug)]
struct QueryAttempt {
    id: QueryAttemptId,
    server: usize,
    transport: Transport,
    reason: TransportReason,
    state: QueryState,
    timeout_at: Instant,
    unrelated_replies: u32,
}

/// Why an attempt uses its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TransportReason {
    Configured,
    AnswerWasTruncated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueryState {
    /// A socket was requested.
    Opening,
    /// This machine had no socket; to be requested again at this time.
    Blocked(Instant),
    /// Sent with this query id.
    Sent(u16),
}

impl QueryAttempt {
    fn open_action(&self) -> QueryAction {
        QueryAction::Open {
            attempt: self.id,
            server: self.server,
            transport: self.transport,
        }
    }

    fn close_action(&self) -> QueryAction {
        QueryAction::Close { attempt: self.id }
    }

    /// The error of an attempt that was sent and not answered.
    fn silence(&self) -> Option<ServerError> {
        match (self.state, self.reason) {
            (QueryState::Sent(_), TransportReason::Configured) if self.unrelated_replies > 0 => {
                Some(ServerError::OnlyUnrelated)
            }
            (QueryState::Sent(_), TransportReason::Configured) => Some(ServerError::Silent),
            (QueryState::Sent(_), TransportReason::AnswerWasTruncated) => {
                Some(ServerError::TcpSilent)
            }
            (QueryState::Opening | QueryState::Blocked(_), _) => None,
        }
    }
}

impl Query {
    /// Starts with the first server of `order`, which lists the index of each server once.
    pub fn new(
        name: Arc<str>,
        kind: RecordKind,
        conf: Arc<ResolvConf>,
        order: &[usize],
        now: Instant,
        deadline: Instant,
        actions: &mut QueryActions,
    ) -> Self {
        let schedule: VecDeque<usize> = (0..conf.attempts)
            .flat_map(|_| order.iter().copied())
            .collect();
        let mut query = Self {
            kind,
            name,
            conf,
            deadline,
            schedule,
            never_asked: order.len(),
            open: Vec::new(),
            current: None,
            errors: Vec::new(),
            result: None,
        };
        query.try_next_server(now, actions);
        query
    }

    /// The result and its time, once the query has ended.
    pub fn result(&self) -> Option<&(QueryResult, Instant)> {
        self.result.as_ref()
    }

    /// The result if the query ended now.
    pub fn result_so_far(&self) -> QueryResult {
        if let Some((result, _)) = &self.result {
            return result.clone();
        }
        let mut errors = self.errors.clone();
        for attempt in &self.open {
            if let Some(error) = attempt.silence() {
                record_error(&mut errors, attempt.server, error);
            }
        }
        QueryResult::Failed(errors)
    }

    /// Ends the query by this time at the latest.
    pub fn limit_deadline(&mut self, deadline: Instant) {
        self.deadline = self.deadline.min(deadline);
    }

    /// The message of an attempt, which from now on waits for an answer with this id; `None` if the
    /// attempt is no longer open.
    pub fn message(&mut self, id: QueryAttemptId, query_id: u16) -> Option<Vec<u8>> {
        let (name, kind) = (self.name.clone(), self.kind);
        let attempt = self.find(id)?;
        attempt.state = QueryState::Sent(query_id);
        message::build_query(query_id, &name, kind)
    }

    /// Whether this attempt still accepts answers.
    pub fn is_open(&self, id: QueryAttemptId) -> bool {
        self.open.iter().any(|attempt| attempt.id == id)
    }

    /// Handles a message received on the socket of this attempt.
    pub fn on_message(
        &mut self,
        id: QueryAttemptId,
        bytes: &mut [u8],
        now: Instant,
        actions: &mut QueryActions,
    ) {
        let (name, kind) = (self.name.clone(), self.kind);
        let Some(attempt) = self.find(id) else {
            return;
        };
        let QueryState::Sent(query_id) = attempt.state else {
            return;
        };
        let server = attempt.server;
        let is_udp = attempt.transport == Transport::Udp;
        let error = match message::parse_response(bytes, query_id, &name, kind) {
            // Anybody can send a datagram with a forged source, so it does not end the attempt.
            ParsedResponse::Unrelated if is_udp => {
                attempt.unrelated_replies += 1;
                if attempt.unrelated_replies >= MAX_UNRELATED {
                    self.abandon_attempt(id, now, actions);
                }
                return;
            }
            ParsedResponse::Truncated if is_udp => {
                return self.retry_over_tcp(server, now, actions);
            }
            ParsedResponse::NxDomain => {
                return self.finish(QueryResult::NxDomain(server), now, actions);
            }
            ParsedResponse::NoData => {
                return self.finish(QueryResult::NoData(server), now, actions);
            }
            ParsedResponse::Found(records) => {
                return self.finish(QueryResult::Found(records, server), now, actions);
            }
            ParsedResponse::Unrelated => ServerError::Malformed("not for this query"),
            ParsedResponse::Truncated => ServerError::Malformed("truncated over TCP"),
            ParsedResponse::Malformed(reason) => ServerError::Malformed(reason),
            ParsedResponse::Error(code) => ServerError::Rcode(code),
            ParsedResponse::NoRecursion => ServerError::NoRecursion,
        };
        self.abandon_server(server, error, now, actions);
    }

    /// The kernel dropped datagrams of this attempt that do not belong to the query.
    pub fn on_dropped(&mut self, id: QueryAttemptId) {
        if let Some(attempt) = self.find(id) {
            attempt.unrelated_replies = attempt.unrelated_replies.max(1);
        }
    }

    /// Handles a failure of the socket of this attempt.
    pub fn on_error(
        &mut self,
        id: QueryAttemptId,
        cause: String,
        now: Instant,
        actions: &mut QueryActions,
    ) {
        let error = |reason| match reason {
            TransportReason::Configured => ServerError::Unreachable(cause),
            TransportReason::AnswerWasTruncated => ServerError::TcpFailed(cause),
        };
        self.fail_attempt(id, error, now, actions);
    }

    /// Handles an error of this machine on the socket of this attempt.
    pub fn on_local_error(
        &mut self,
        id: QueryAttemptId,
        cause: String,
        now: Instant,
        actions: &mut QueryActions,
    ) {
        self.fail_attempt(id, |_| ServerError::Local(cause), now, actions);
    }

    fn fail_attempt(
        &mut self,
        id: QueryAttemptId,
        error: impl FnOnce(TransportReason) -> ServerError,
        now: Instant,
        actions: &mut QueryActions,
    ) {
        if let Some(attempt) = self.find(id) {
            let (server, error) = (attempt.server, error(attempt.reason));
            self.abandon_server(server, error, now, actions);
        }
    }

    /// Handles a lack of sockets on this machine; the socket is requested again later.
    pub fn on_blocked(&mut self, id: QueryAttemptId, cause: String, now: Instant) {
        let Some(attempt) = self.find(id) else {
            return;
        };
        attempt.state = QueryState::Blocked(now + SOCKET_RETRY);
        let server = attempt.server;
        record_error(&mut self.errors, server, ServerError::Local(cause));
    }

    /// Runs the timers that are due.
    pub fn expire(&mut self, now: Instant, actions: &mut QueryActions) {
        if self.result.is_some() {
            return;
        }
        if now >= self.deadline {
            let result = self.result_so_far();
            return self.finish(result, now, actions);
        }
        let Some(index) = self
            .open
            .iter()
            .position(|attempt| Some(attempt.id) == self.current)
        else {
            return;
        };
        let Some(attempt) = self.open.get_mut(index) else {
            return;
        };
        if now >= attempt.timeout_at {
            if let Some(error) = attempt.silence() {
                record_error(&mut self.errors, attempt.server, error);
            } else {
                // Nothing was sent, so no late answer can arrive.
                self.open.remove(index);
            }
            self.try_next_server(now, actions);
        } else if matches!(attempt.state, QueryState::Blocked(at) if at <= now) {
            attempt.state = QueryState::Opening;
            actions.push(attempt.open_action());
        }
    }

    /// When to call `expire`; `None` once the query has ended.
    pub fn next_wake(&self) -> Option<Instant> {
        if self.result.is_some() {
            return None;
        }
        let current = self
            .open
            .iter()
            .find(|attempt| Some(attempt.id) == self.current);
        let timer = current.map(|attempt| match attempt.state {
            QueryState::Blocked(at) => at.min(attempt.timeout_at),
            QueryState::Opening | QueryState::Sent(_) => attempt.timeout_at,
        });
        Some(timer.map_or(self.deadline, |timer| timer.min(self.deadline)))
    }

    /// Closes the sockets of the query, which then only waits for [`resume`](Self::resume) or for
    /// its deadline. The server whose answer it waited for is queried again.
    pub fn suspend(&mut self, actions: &mut QueryActions) {
        for attempt in std::mem::take(&mut self.open) {
            if let Some(error) = attempt.silence() {
                record_error(&mut self.errors, attempt.server, error);
            }
            if Some(attempt.id) == self.current {
                self.schedule.push_front(attempt.server);
            }
            actions.push(attempt.close_action());
        }
        self.current = None;
    }

    /// Continues a suspended query.
    pub fn resume(&mut self, now: Instant, actions: &mut QueryActions) {
        if self.result.is_none() && self.current.is_none() {
            self.try_next_server(now, actions);
        }
    }

    fn find(&mut self, id: QueryAttemptId) -> Option<&mut QueryAttempt> {
        self.open.iter_mut().find(|attempt| attempt.id == id)
    }

    /// Stops using this server for the query.
    fn abandon_server(
        &mut self,
        server: usize,
        error: ServerError,
        now: Instant,
        actions: &mut QueryActions,
    ) {
        record_error(&mut self.errors, server, error);
        self.schedule.retain(|other| *other != server);
        self.close_attempts(server, actions);
        if self.current.is_none() {
            self.try_next_server(now, actions);
        }
    }

    /// Ends one attempt that gets only unrelated datagrams. The server is queried again if that is
    /// scheduled, from another port and with another id.
    fn abandon_attempt(&mut self, id: QueryAttemptId, now: Instant, actions: &mut QueryActions) {
        let Some(index) = self.open.iter().position(|attempt| attempt.id == id) else {
            return;
        };
        let attempt = self.open.remove(index);
        actions.push(attempt.close_action());
        record_error(&mut self.errors, attempt.server, ServerError::OnlyUnrelated);
        if self.current == Some(id) {
            self.try_next_server(now, actions);
        }
    }

    fn close_attempts(&mut self, server: usize, actions: &mut QueryActions) {
        let (closed, open): (Vec<_>, Vec<_>) = self
            .open
            .drain(..)
            .partition(|attempt| attempt.server == server);
        self.open = open;
        for attempt in closed {
            self.current = self.current.filter(|current| *current != attempt.id);
            actions.push(attempt.close_action());
        }
    }

    fn retry_over_tcp(&mut self, server: usize, now: Instant, actions: &mut QueryActions) {
        self.close_attempts(server, actions);
        let reason = TransportReason::AnswerWasTruncated;
        self.begin_attempt(server, Transport::Tcp, reason, now, actions);
    }

    /// Queries the next server in the schedule, or ends the query.
    fn try_next_server(&mut self, now: Instant, actions: &mut QueryActions) {
        self.current = None;
        if let Some(server) = self.schedule.pop_front() {
            let reason = TransportReason::Configured;
            self.begin_attempt(server, self.conf.transport, reason, now, actions);
        } else {
            let result = self.result_so_far();
            self.finish(result, now, actions);
        }
    }

    /// Starts an attempt and makes it the current one. Closes the oldest if too many are open.
    fn begin_attempt(
        &mut self,
        server: usize,
        transport: Transport,
        reason: TransportReason,
        now: Instant,
        actions: &mut QueryActions,
    ) {
        let timeout_at = now + self.attempt_timeout(now);
        if reason == TransportReason::Configured {
            self.never_asked = self.never_asked.saturating_sub(1);
        }
        while self.open.len() >= MAX_OPEN {
            actions.push(self.open.remove(0).close_action());
        }
        let attempt = QueryAttempt {
            id: actions.next_attempt(),
            server,
            transport,
            reason,
            state: QueryState::Opening,
            timeout_at,
            unrelated_replies: 0,
        };
        actions.push(attempt.open_action());
        self.current = Some(attempt.id);
        self.open.push(attempt);
    }

    /// The timeout of an attempt that starts now; the module documentation has the rules.
    fn attempt_timeout(&self, now: Instant) -> Duration {
        let left = self.deadline.saturating_duration_since(now);
        let share = |attempts: usize| left / u32::try_from(attempts.max(1)).unwrap_or(u32::MAX);
        let fair = share(self.schedule.len() + 1);
        fair.max(share(self.never_asked).min(MIN_SHARE))
            .min(self.conf.timeout)
    }

    fn finish(&mut self, result: QueryResult, now: Instant, actions: &mut QueryActions) {
        for attempt in self.open.drain(..) {
            actions.push(attempt.close_action());
        }
        self.current = None;
        self.result = Some((result, now));
    }
}

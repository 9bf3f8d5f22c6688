//! One connection of a probe as a state machine: events and the time go in, actions come out. It
//! does no I/O and reads no clock.
//!
//! ```text
//! Waiting -> Connecting -> Handshaking -> Talking -> Draining -> Over
//! ```
//!
//! `Handshaking` is skipped without a layer, and entered from `Talking` at a STARTTLS step. Each
//! state may go straight to `Over`. The verdict is fixed from `Draining` on.
//!
//! While a SYN is unanswered, others may trace the path (`trace`), which is a part of the state
//! `Connecting`. An attempt that does nothing else is `Tracing`.
//!
//! A connection with a layer goes to `Closed` instead of `Over`. The layer is asked then whether a
//! further connection is needed (`inspections`), which is the state `Inspecting`.

pub(in crate::engine) mod inspections;
mod trace;
mod tracing;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::dialogue::{Input, Unfinished};
use crate::engine::lateness;
use crate::engine::session::action::{Action, Actions, AttemptId, PeerRefusal};
use crate::engine::session::attempt::inspections::{
    ClosedConnection, RunningInspection, VerdictState,
};
use crate::engine::session::attempt::trace::Trace;
use crate::engine::session::established::{DRAIN, Established, Flow, Postponed};
use crate::engine::session::exchange::PeerAnswer;
use crate::engine::session::messages;
use crate::engine::session::messages::Ending;
use crate::failure::{Failure, Status};
use crate::os::socket::{TcpExchange, TcpInfo};
use crate::plan::layer::LayerError;
use crate::plan::{Close, Plan};
use crate::policy::Reason;
use crate::report::{ConnectionReport, ExchangeFacts, RoundTrip, TcpFacts};
use crate::tls_facts::TlsFacts;

/// One connection, from the request to open it until its descriptor is closed.
///
/// Thousands wait for the answer to their SYN at once, so the state of an established connection is
/// only allocated when the answer arrives.
#[derive(Debug)]
pub(in crate::engine) struct Attempt {
    id: AttemptId,
    address: IpAddr,
    started: Instant,
    state: AttemptState,
}

/// What ends an attempt before its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Cutoff {
    /// The probe's own timeout: it had all the time that it was given.
    Timeout,
    /// The run ended before that, which says nothing about the target.
    RunEnd,
}

/// Who did not respond when the time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Silence {
    /// The peer, which had its full time.
    OfPeer,
    /// Unknown, for this reason.
    Unknown(&'static str),
}

/// Whether the plan's `quit` is sent before closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuitMode {
    /// If it is the client's turn.
    IfOurTurn,
    /// No: the time is over, and it is the server's turn.
    None,
}

#[derive(Debug)]
enum AttemptState {
    /// The connection is not open yet; with the failure, if this machine could not open it so far.
    Waiting(Option<Box<Failure>>),
    /// The SYN is sent; with the trace of the path, if it is to be traced.
    Connecting(Option<Box<Trace>>),
    /// Only the path is traced.
    Tracing(Box<Trace>),
    /// The connection is established and the layer has not completed its handshake.
    Handshaking(Box<Established>),
    /// The connection is established and the dialogue runs.
    Talking(Box<Established>),
    /// The verdict is fixed; the FIN is sent and the peer's is awaited.
    Draining(Box<Established>),
    /// The descriptor is closed, or its close is requested; the layer may ask for another one.
    Closed(Box<ClosedConnection>),
    /// A further connection reads facts of the peer.
    Inspecting(Box<RunningInspection>),
    /// The descriptor is closed, or its close is requested.
    Over(Box<ConnectionReport>),
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum AttemptPhase {
    /// It waits for our own limits.
    Queued,
    /// This machine could not open the connection so far.
    Blocked,
    /// The SYN is sent.
    Connecting,
    /// The connection is established.
    Connected,
    /// The verdict is fixed.
    Decided,
}

impl Attempt {
    /// Requests a connection to this address.
    pub fn new(
        id: AttemptId,
        plan: &Plan,
        address: IpAddr,
        now: Instant,
        actions: &mut Actions,
    ) -> Self {
        let mut attempt = Self {
            id,
            address,
            started: now,
            state: AttemptState::Waiting(None),
        };
        attempt.state = attempt.first_state(plan, now, actions);
        attempt
    }

    /// An attempt that the policy denies. It is over and requests nothing.
    pub fn denied(id: AttemptId, plan: &Plan, address: IpAddr, why: &Reason, now: Instant) -> Self {
        let cause = format!("denied by policy: {why}");
        let text = format!("connect to {}: {cause}", plan.remote(address));
        let failure = Failure::new(Status::Denied, text).sharing(&cause);
        Self::without_connect(id, plan, address, failure, now)
    }

    /// An attempt that could not start before the deadline. It is over and requests nothing.
    pub fn not_tried(id: AttemptId, plan: &Plan, address: IpAddr, now: Instant) -> Self {
        let text = format!(
            "connect to {}: the deadline passed before this address was tried",
            plan.remote(address)
        );
        Self::without_connect(id, plan, address, Failure::new(Status::NotTried, text), now)
    }

    fn without_connect(
        id: AttemptId,
        plan: &Plan,
        address: IpAddr,
        failure: Failure,
        now: Instant,
    ) -> Self {
        let report = ConnectionReport {
            failure: Some(Arc::new(failure)),
            ..ConnectionReport::new(plan.remote(address))
        };
        Self {
            id,
            address,
            started: now,
            state: AttemptState::Over(Box::new(report)),
        }
    }

    /// How far it is.
    pub fn phase(&self) -> AttemptPhase {
        match &self.state {
            AttemptState::Waiting(None) => AttemptPhase::Queued,
            AttemptState::Waiting(Some(_)) => AttemptPhase::Blocked,
            AttemptState::Connecting(_) | AttemptState::Tracing(_) => AttemptPhase::Connecting,
            AttemptState::Handshaking(_) | AttemptState::Talking(_) => AttemptPhase::Connected,
            AttemptState::Inspecting(running) if running.decides() => AttemptPhase::Connected,
            AttemptState::Draining(_)
            | AttemptState::Closed(_)
            | AttemptState::Inspecting(_)
            | AttemptState::Over(_) => AttemptPhase::Decided,
        }
    }

    /// The duration of the TCP handshake, if it completed.
    pub fn connect_time(&self) -> Option<Duration> {
        match &self.state {
            AttemptState::Handshaking(established)
            | AttemptState::Talking(established)
            | AttemptState::Draining(established) => established.report.connect,
            AttemptState::Closed(closed) => closed.report.connect,
            AttemptState::Inspecting(running) => running.report().connect,
            AttemptState::Over(report) => report.connect,
            AttemptState::Waiting(_) | AttemptState::Connecting(_) | AttemptState::Tracing(_) => {
                None
            }
        }
    }

    /// Whether the verdict is fixed.
    pub fn is_decided(&self) -> bool {
        match &self.state {
            AttemptState::Draining(_) | AttemptState::Closed(_) | AttemptState::Over(_) => true,
            AttemptState::Inspecting(running) => !running.decides(),
            _ => false,
        }
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        matches!(self.state, AttemptState::Closed(_) | AttemptState::Over(_))
    }

    /// Whether it still waits for its connection to be opened.
    pub fn is_waiting(&self) -> bool {
        match &self.state {
            AttemptState::Waiting(_) => true,
            AttemptState::Inspecting(running) => running.attempt.is_waiting(),
            _ => false,
        }
    }

    /// Whether it waits to be opened, and only our own limits delay it.
    pub fn is_queued(&self) -> bool {
        match &self.state {
            AttemptState::Waiting(None) => true,
            AttemptState::Inspecting(running) => running.attempt.is_queued(),
            _ => false,
        }
    }

    /// Whether its SYN is sent and unanswered.
    pub fn is_connecting(&self) -> bool {
        matches!(self.state, AttemptState::Connecting(_))
    }

    /// When [`Attempt::tick`] must be called at the latest, if at all.
    pub fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            AttemptState::Talking(established) | AttemptState::Draining(established) => {
                established.next_wake()
            }
            AttemptState::Inspecting(running) => running.attempt.next_wake(),
            AttemptState::Connecting(_) | AttemptState::Tracing(_) => self.trace_wake(),
            AttemptState::Waiting(_)
            | AttemptState::Handshaking(_)
            | AttemptState::Closed(_)
            | AttemptState::Over(_) => None,
        }
    }

    /// Shifts its times by a time for which the clock of the probe was stopped.
    pub fn shift_clock(&mut self, by: Duration) {
        self.started += by;
        match &mut self.state {
            AttemptState::Handshaking(established)
            | AttemptState::Talking(established)
            | AttemptState::Draining(established) => established.shift_clock(by),
            AttemptState::Inspecting(running) => running.attempt.shift_clock(by),
            _ => self.shift_trace(by),
        }
    }

    /// How many bytes it has received in total, and how many of them it holds.
    pub fn received_and_held(&self) -> (u64, usize) {
        match &self.state {
            AttemptState::Talking(established) | AttemptState::Draining(established) => {
                (established.dialogue.total(), established.dialogue.held())
            }
            AttemptState::Inspecting(running) => running.attempt.received_and_held(),
            AttemptState::Waiting(_)
            | AttemptState::Connecting(_)
            | AttemptState::Tracing(_)
            | AttemptState::Handshaking(_)
            | AttemptState::Closed(_)
            | AttemptState::Over(_) => (0, 0),
        }
    }

    /// Whether received bytes wait to be compared.
    pub fn is_behind(&self) -> bool {
        match &self.state {
            AttemptState::Talking(established) => established.dialogue.is_behind(),
            AttemptState::Inspecting(running) => running.attempt.is_behind(),
            _ => false,
        }
    }

    /// If received bytes wait to be compared, stores the end of the connection until they are
    /// compared; otherwise returns it.
    fn postpone(&mut self, end: Postponed) -> Option<Postponed> {
        match &mut self.state {
            AttemptState::Talking(established) if established.dialogue.is_behind() => {
                established.postponed.get_or_insert_with(|| Box::new(end));
                None
            }
            _ => Some(end),
        }
    }

    /// Continues to compare received bytes, and then handles what was postponed until then.
    pub fn continued(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        let AttemptState::Talking(established) = &mut self.state else {
            return;
        };
        established.continues = false;
        if !established.dialogue.is_behind() {
            return;
        }
        self.advance_dialogue(plan, Input::MoreMayCome, now, actions);
        let AttemptState::Talking(established) = &mut self.state else {
            return;
        };
        if established.dialogue.is_behind() {
            return;
        }
        match established.postponed.take().map(|end| *end) {
            None => {}
            Some(Postponed::PeerClosed) => self.peer_closed(plan, now, actions),
            Some(Postponed::Failed(failure)) => self.failed(plan, failure, None, now, actions),
            Some(Postponed::LayerFailed(error)) => self.layer_failed(plan, &error, now, actions),
        }
    }

    /// The address that it connects to.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// When the SYN was sent; before that, when the connection was requested.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Its report, once the verdict is fixed.
    pub fn report(&self) -> Option<&ConnectionReport> {
        match &self.state {
            AttemptState::Draining(established) => Some(&established.report),
            AttemptState::Closed(closed) => Some(&closed.report),
            AttemptState::Inspecting(running) if !running.decides() => Some(running.report()),
            AttemptState::Over(report) => Some(report),
            AttemptState::Inspecting(_)
            | AttemptState::Waiting(_)
            | AttemptState::Connecting(_)
            | AttemptState::Tracing(_)
            | AttemptState::Handshaking(_)
            | AttemptState::Talking(_) => None,
        }
    }

    /// Drops what it captured, because the report will describe another attempt.
    pub fn drop_captures(&mut self) {
        let report = match &mut self.state {
            AttemptState::Draining(established) => &mut established.report,
            AttemptState::Closed(closed) => &mut closed.report,
            AttemptState::Inspecting(running) => running.report_mut(),
            AttemptState::Over(report) => report,
            AttemptState::Waiting(_)
            | AttemptState::Connecting(_)
            | AttemptState::Tracing(_)
            | AttemptState::Handshaking(_)
            | AttemptState::Talking(_) => return,
        };
        if let Some(dialogue) = &mut report.dialogue {
            dialogue.captures = Vec::new();
        }
    }

    /// Its report, once the verdict is fixed.
    pub fn into_report(self) -> Option<ConnectionReport> {
        match self.state {
            AttemptState::Draining(established) => Some(established.report),
            AttemptState::Closed(closed) => Some(closed.report),
            AttemptState::Over(report) => Some(*report),
            AttemptState::Inspecting(_)
            | AttemptState::Waiting(_)
            | AttemptState::Connecting(_)
            | AttemptState::Tracing(_)
            | AttemptState::Handshaking(_)
            | AttemptState::Talking(_) => None,
        }
    }

    /// This machine could not open the connection; the request stays.
    pub fn blocked(&mut self, why: Failure) {
        if matches!(self.state, AttemptState::Waiting(_)) {
            self.state = AttemptState::Waiting(Some(Box::new(why)));
        }
    }

    /// The SYN was sent at this time.
    pub fn opened(&mut self, at: Instant) {
        if matches!(self.state, AttemptState::Waiting(_)) {
            self.started = at;
            self.state = AttemptState::Connecting(None);
        }
    }

    /// The TCP handshake completed.
    pub fn connected(
        &mut self,
        plan: &Plan,
        source: Option<IpAddr>,
        info: Option<TcpInfo>,
        now: Instant,
        actions: &mut Actions,
    ) {
        if !self.is_connecting() {
            return;
        }
        // The path works, so it is no longer traced.
        self.end_trace(actions);
        let connect = now.saturating_duration_since(self.started);
        let report = ConnectionReport {
            connect: Some(connect),
            source,
            tcp: info.map(|info| facts_when_connected(&info, connect)),
            ..ConnectionReport::new(plan.remote(self.address))
        };
        let mut established = Box::new(Established::new(self.id, plan, report, now));
        if let Some(layer) = &plan.spec.layer {
            established.start_handshake(layer.clone(), now, actions);
            self.state = AttemptState::Handshaking(established);
        } else {
            self.state = AttemptState::Talking(established);
            self.advance_dialogue(plan, Input::MoreMayCome, now, actions);
        }
    }

    /// The handshake of the layer completed.
    pub fn secured(
        &mut self,
        plan: &Plan,
        refusal: PeerRefusal,
        now: Instant,
        actions: &mut Actions,
    ) {
        self.state = match self.take_state() {
            AttemptState::Handshaking(mut established) => {
                established.handshake_completed(plan, refusal, now);
                AttemptState::Talking(established)
            }
            other => {
                self.state = other;
                return;
            }
        };
        self.advance_dialogue(plan, Input::MoreMayCome, now, actions);
    }

    /// The layer reports this fact about the peer.
    pub fn learn(&mut self, facts: Box<TlsFacts>) {
        if let AttemptState::Handshaking(established) | AttemptState::Talking(established) =
            &mut self.state
        {
            established.learn(facts);
        }
    }

    /// The time is over, and the handshake is this far.
    pub fn incomplete(&mut self, progress: String) {
        if let AttemptState::Handshaking(established) = &mut self.state {
            if let Some(layer) = &mut established.layer {
                layer.progress = Some(progress);
            }
        }
    }

    /// The peer sent a message that usually follows its acceptance of us.
    pub fn probably_accepted(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        if let AttemptState::Talking(established) = &mut self.state {
            if let Some(layer) = &mut established.layer {
                layer.probably_accepted(now);
                self.advance_dialogue(plan, Input::MoreMayCome, now, actions);
            }
        }
    }

    /// The layer has done what the plan asks for: a success, whatever steps are left.
    pub fn layer_done(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        if let AttemptState::Handshaking(established) | AttemptState::Talking(established) =
            &mut self.state
        {
            established.finish(plan, None, self.started, now);
            self.close_now(plan.spec.close, actions);
        }
    }

    /// Whether the peer can still reject the connection after the handshake.
    fn may_be_refused(&self) -> bool {
        matches!(&self.state, AttemptState::Talking(established) if established.may_be_refused())
    }

    /// The layer failed: in its handshake, or because received bytes are invalid in it.
    pub fn layer_failed(
        &mut self,
        plan: &Plan,
        error: &LayerError,
        now: Instant,
        actions: &mut Actions,
    ) {
        // A peer that refuses us has not accepted what it may have answered before, however long
        // ago that was.
        if !self.may_be_refused() {
            self.advance_dialogue(plan, Input::Quiescent, now, actions);
            let end = Postponed::LayerFailed(error.clone());
            if self.postpone(end).is_none() {
                return;
            }
        }
        let failed = match &mut self.state {
            AttemptState::Handshaking(established) => {
                let prefix = established.handshake_prefix(plan);
                Some((established, prefix))
            }
            AttemptState::Talking(established) => {
                let prefix = if established.may_be_refused() {
                    established.layer_prefix()
                } else {
                    established.step_prefix(plan)
                };
                Some((established, prefix))
            }
            _ => None,
        };
        if let Some((established, prefix)) = failed {
            let failure = messages::layer_failure(plan, &prefix, error);
            established.finish(plan, Some(failure), self.started, now);
        }
        self.close_now(Close::Fin, actions);
    }

    /// Ends the handshake with this cause, if one is running.
    fn fail_handshake(&mut self, plan: &Plan, cause: &str, now: Instant) {
        if let AttemptState::Handshaking(established) = &mut self.state {
            let prefix = established.handshake_prefix(plan);
            // The progress of a handshake may quote the peer.
            let failure = messages::layer_failure(plan, &prefix, &LayerError::failed(cause));
            established.finish(plan, Some(failure), self.started, now);
        }
    }

    /// Whether the peer is silent, and the time for its answer is over: that of the step, or that of
    /// the probe.
    pub fn is_silent(&self, cutoff: Option<Cutoff>, now: Instant) -> bool {
        match &self.state {
            AttemptState::Handshaking(_) => cutoff == Some(Cutoff::Timeout),
            AttemptState::Talking(established) => {
                cutoff == Some(Cutoff::Timeout) || established.is_late(now)
            }
            _ => false,
        }
    }

    /// Whether the peer has not answered the close, and the time for it is over.
    pub fn is_left_alone(&self, now: Instant) -> bool {
        matches!(&self.state, AttemptState::Draining(_))
            && self.next_wake().is_some_and(|wake| wake <= now)
    }

    /// Whether the sent bytes were acknowledged. After the verdict, the first measurement counts:
    /// later ones may be of the connections of inspections.
    pub fn measured(&mut self, exchange: TcpExchange) {
        let report = match &mut self.state {
            AttemptState::Handshaking(established) | AttemptState::Talking(established) => {
                return established.measured(exchange);
            }
            AttemptState::Draining(established) => {
                established.measured(exchange);
                &mut established.report
            }
            AttemptState::Closed(closed) => &mut closed.report,
            AttemptState::Inspecting(running) => running.report_mut(),
            AttemptState::Over(report) => report,
            AttemptState::Waiting(_) | AttemptState::Connecting(_) | AttemptState::Tracing(_) => {
                return;
            }
        };
        let syn_retransmits = report.tcp.map_or(0, |tcp| tcp.syn_retransmits);
        if let Some(dialogue) = &mut report.dialogue {
            dialogue.exchange.get_or_insert(ExchangeFacts {
                bytes_acked: exchange.acked,
                retransmits: exchange.retransmits.saturating_sub(syn_retransmits),
            });
        }
    }

    /// The kernel took all bytes of a send step.
    pub fn sent(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        if let AttemptState::Talking(established) = &mut self.state {
            established.sent(now);
            self.advance_dialogue(plan, Input::MoreMayCome, now, actions);
        }
    }

    /// The peer sent bytes.
    pub fn received(&mut self, plan: &Plan, bytes: &[u8], now: Instant, actions: &mut Actions) {
        match &mut self.state {
            AttemptState::Talking(established) => {
                let is_late = established.is_past_silence(plan, now);
                established.on_data(bytes, now);
                if is_late {
                    self.fail_late_silence(plan, now, actions);
                } else {
                    self.advance_dialogue(plan, Input::MoreMayCome, now, actions);
                }
            }
            AttemptState::Draining(established) => {
                established.send_awaited_fin(actions);
                if !established.on_data_after_verdict(plan, bytes) {
                    self.close_now(Close::Fin, actions);
                }
            }
            AttemptState::Waiting(_)
            | AttemptState::Connecting(_)
            | AttemptState::Tracing(_)
            | AttemptState::Handshaking(_)
            | AttemptState::Closed(_)
            | AttemptState::Inspecting(_)
            | AttemptState::Over(_) => {}
        }
    }

    /// Whether the time of a silence is over, and was not noticed before the peer ended it.
    fn is_past_silence(&self, plan: &Plan, now: Instant) -> bool {
        matches!(&self.state, AttemptState::Talking(established) if established.is_past_silence(plan, now))
    }

    /// Fails a silence that the peer ended before or after its end: this process was too late to
    /// know which.
    fn fail_late_silence(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        if let AttemptState::Talking(established) = &mut self.state {
            let failure = messages::late(&established.step_prefix(plan), lateness::CAUSE);
            established.finish(plan, Some(failure), self.started, now);
        }
        self.close_now(Close::Fin, actions);
    }

    /// The peer sent FIN.
    pub fn peer_closed(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        if self.is_past_silence(plan, now) {
            return self.fail_late_silence(plan, now, actions);
        }
        if let AttemptState::Talking(established) = &mut self.state {
            established.peer_closed();
        }
        self.advance_dialogue(plan, Input::Closed, now, actions);
        if self.postpone(Postponed::PeerClosed).is_none() {
            return;
        }
        self.fail_handshake(plan, Ending::PeerClosed.event(), now);
        if let AttemptState::Talking(established) = &mut self.state {
            let failure = established.unfinished(plan, Ending::PeerClosed, now);
            established.finish(plan, Some(failure), self.started, now);
        }
        self.close_now(Close::Fin, actions);
    }

    /// The connect failed, or the established connection was lost.
    pub fn failed(
        &mut self,
        plan: &Plan,
        failure: Failure,
        info: Option<TcpInfo>,
        now: Instant,
        actions: &mut Actions,
    ) {
        if failure.status == Status::Reset && self.is_past_silence(plan, now) {
            return self.fail_late_silence(plan, now, actions);
        }
        if let (AttemptState::Talking(established), Status::Reset) =
            (&mut self.state, failure.status)
        {
            established.peer_closed();
        }
        let input = match failure.status {
            Status::Reset => Input::Closed,
            // Nothing is known of the peer.
            _ => Input::Quiescent,
        };
        self.advance_dialogue(plan, input, now, actions);
        if failure.status == Status::Reset {
            self.decide_by_held_answer(plan, now, actions);
        }
        let Some(Postponed::Failed(failure)) = self.postpone(Postponed::Failed(failure)) else {
            return;
        };
        match &mut self.state {
            AttemptState::Waiting(_) | AttemptState::Connecting(_) => {
                return self.fail_before_connect(plan, failure, info, now, actions);
            }
            AttemptState::Talking(established) => {
                let failure = established.lost(plan, &failure, now);
                established.finish(plan, Some(failure), self.started, now);
            }
            AttemptState::Handshaking(established) => {
                let text = format!("{}{}", established.handshake_prefix(plan), failure.text);
                // A connection that this machine lost says nothing about the peer.
                let status = match failure.status {
                    Status::Reset => Status::TlsFailed,
                    status => status,
                };
                let failure = Failure {
                    status,
                    text,
                    ..failure
                };
                established.finish(plan, Some(failure), self.started, now);
            }
            AttemptState::Draining(_)
            | AttemptState::Tracing(_)
            | AttemptState::Closed(_)
            | AttemptState::Inspecting(_)
            | AttemptState::Over(_) => {}
        }
        self.close_now(Close::Fin, actions);
    }

    /// The connection was lost before all bytes of a send were taken, but after the peer had sent
    /// something: the answer decides. Had we sent a moment earlier, the same bytes would have been
    /// lost on the way, and the same answer would have been received.
    fn decide_by_held_answer(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        let mut unused = Actions::new();
        while let AttemptState::Talking(established) = &mut self.state {
            let has_answer = established.dialogue.unmatched_len() > 0;
            if !(has_answer && established.is_sending_before_expect(plan)) {
                break;
            }
            established.dialogue.sent();
            self.advance_dialogue(plan, Input::Closed, now, &mut unused);
        }
        // Nothing can be sent any more.
        unused.retain(|action| {
            matches!(
                action,
                Action::Explain(..) | Action::Continue(_) | Action::Close(..)
            )
        });
        actions.append(&mut unused);
    }

    /// Time passed: a drain may be over, a tentative match may count, a step may have timed out.
    pub fn tick(&mut self, plan: &Plan, silence: Silence, now: Instant, actions: &mut Actions) {
        if self.next_wake().is_none_or(|wake| wake > now) || self.tick_trace(plan, now, actions) {
            return;
        }
        if let AttemptState::Draining(established) = &mut self.state {
            established.send_awaited_fin(actions);
            established.explain_unanswered_close(actions);
            self.close_now(Close::Fin, actions);
        } else {
            if let AttemptState::Talking(established) = &mut self.state {
                established.end_silence(plan, now);
            }
            let input = match &self.state {
                AttemptState::Talking(established) if established.is_late(now) => Input::TimeOver,
                _ => Input::Quiescent,
            };
            self.advance_dialogue(plan, input, now, actions);
            self.fail_late_step(plan, silence, now, actions);
        }
    }

    /// Fails the dialogue if its current step has a timeout of its own that is over. The connection
    /// is still closed gracefully, since the probe's deadline is not over; but it is the server's
    /// turn.
    fn fail_late_step(
        &mut self,
        plan: &Plan,
        silence: Silence,
        now: Instant,
        actions: &mut Actions,
    ) {
        let AttemptState::Talking(established) = &mut self.state else {
            return;
        };
        if established.is_late(now) {
            let failure = match silence {
                Silence::Unknown(cause) if !established.dialogue.is_behind() => {
                    messages::late(&established.step_prefix(plan), cause)
                }
                Silence::OfPeer | Silence::Unknown(_) => {
                    established.unfinished(plan, Ending::StepTimeout, now)
                }
            };
            established.finish(plan, Some(failure), self.started, now);
            self.close_gracefully(plan, QuitMode::None, now, actions);
        }
    }

    /// The deadline: the attempt ends here, whatever its state.
    pub fn expire(
        &mut self,
        plan: &Plan,
        (cutoff, silence): (Cutoff, Silence),
        info: Option<TcpInfo>,
        now: Instant,
        actions: &mut Actions,
    ) {
        // What is left to compare would take more time, and there is none.
        if !self.is_behind() {
            let input = match cutoff {
                Cutoff::Timeout => Input::TimeOver,
                // More might have arrived in the time that it had left.
                Cutoff::RunEnd => Input::Quiescent,
            };
            self.advance_dialogue(plan, input, now, actions);
        }
        if let (Cutoff::Timeout, Silence::Unknown(cause), false) =
            (cutoff, silence, self.is_behind())
        {
            self.expire_unknown(plan, cause, info, now, actions);
            return;
        }
        match &mut self.state {
            AttemptState::Tracing(_) => {
                return self.expire_trace(plan, (cutoff, silence), now, actions);
            }
            AttemptState::Waiting(why) => {
                let failure = why.take().map_or_else(messages::never_opened, |why| *why);
                return self.fail_before_connect(plan, failure, info, now, actions);
            }
            AttemptState::Connecting(_) => {
                let remote = plan.remote(self.address);
                let failure = match cutoff {
                    Cutoff::Timeout => messages::unanswered(remote, info.as_ref()),
                    Cutoff::RunEnd => messages::connect_cut_off(plan, remote),
                };
                return self.fail_before_connect(plan, failure, info, now, actions);
            }
            AttemptState::Handshaking(established) if cutoff == Cutoff::RunEnd => {
                let failure =
                    messages::handshake_cut_off(plan, &established.handshake_prefix(plan));
                established.finish(plan, Some(failure), self.started, now);
            }
            AttemptState::Handshaking(established) => {
                let progress = established.layer.as_mut();
                let progress = progress.and_then(|layer| layer.progress.take());
                let mut cause = match progress {
                    Some(progress) => format!("not complete before the deadline: {progress}"),
                    None => "not complete before the deadline".to_owned(),
                };
                if let Some(fate) = established.fate(PeerAnswer::NoHandshake, plan.spec.timeout) {
                    cause.push_str("; ");
                    cause.push_str(&fate);
                }
                self.fail_handshake(plan, &cause, now);
            }
            AttemptState::Talking(established) => {
                let failure = match cutoff {
                    Cutoff::Timeout => established.unfinished(plan, Ending::Deadline, now),
                    Cutoff::RunEnd => established.cut_off(plan),
                };
                established.finish(plan, Some(failure), self.started, now);
            }
            AttemptState::Draining(_)
            | AttemptState::Closed(_)
            | AttemptState::Inspecting(_)
            | AttemptState::Over(_) => {}
        }
        self.close_now(plan.spec.close, actions);
    }

    /// Ends the attempt at the probe's deadline as unknown, because this process was late and the
    /// peer may have answered in time.
    fn expire_unknown(
        &mut self,
        plan: &Plan,
        cause: &'static str,
        info: Option<TcpInfo>,
        now: Instant,
        actions: &mut Actions,
    ) {
        let failed = match &mut self.state {
            AttemptState::Tracing(_) => {
                let ended = (Cutoff::Timeout, Silence::Unknown(cause));
                return self.expire_trace(plan, ended, now, actions);
            }
            AttemptState::Waiting(_) | AttemptState::Connecting(_) => {
                let prefix = format!("connect to {}: ", plan.remote(self.address));
                let failure = messages::late(&prefix, cause);
                return self.fail_before_connect(plan, failure, info, now, actions);
            }
            AttemptState::Handshaking(established) => {
                let prefix = established.handshake_prefix(plan);
                Some((established, prefix))
            }
            AttemptState::Talking(established) => {
                let prefix = established.step_prefix(plan);
                Some((established, prefix))
            }
            AttemptState::Draining(_)
            | AttemptState::Closed(_)
            | AttemptState::Inspecting(_)
            | AttemptState::Over(_) => None,
        };
        if let Some((established, prefix)) = failed {
            let failure = messages::late(&prefix, cause);
            established.finish(plan, Some(failure), self.started, now);
        }
        self.close_now(plan.spec.close, actions);
    }

    /// Ends an attempt whose result is not needed any more. An open connection is closed with FIN
    /// and without `quit`, because its dialogue is not at an end.
    pub fn abandon(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        match &mut self.state {
            AttemptState::Waiting(why) => {
                let failure = why.take().map_or_else(messages::never_opened, |why| *why);
                self.fail_before_connect(plan, failure, None, now, actions);
            }
            AttemptState::Connecting(_) | AttemptState::Tracing(_) => {
                let failure = messages::given_up(plan.remote(self.address));
                self.fail_before_connect(plan, failure, None, now, actions);
            }
            AttemptState::Handshaking(established) => {
                let text = Ending::AddressTimeout.event();
                let text = format!("{}{text}", established.handshake_prefix(plan));
                let failure = Failure::new(Status::TlsFailed, text);
                established.finish(plan, Some(failure), self.started, now);
                // No further facts about this address are needed.
                established.layer = None;
                self.close_now(plan.spec.close, actions);
            }
            AttemptState::Talking(established) => {
                let is_sending = established.dialogue.unfinished(plan) == Unfinished::Sending;
                let failure = established.unfinished(plan, Ending::AddressTimeout, now);
                established.finish(plan, Some(failure), self.started, now);
                established.layer = None;
                if plan.spec.close == Close::Rst || is_sending {
                    return self.close_now(plan.spec.close, actions);
                }
                actions.push_back(Action::Shutdown(self.id));
                self.state = match self.take_state() {
                    AttemptState::Talking(mut established) => {
                        established.await_fin(now + DRAIN);
                        AttemptState::Draining(established)
                    }
                    other => other,
                };
            }
            AttemptState::Inspecting(_) => self.end_inspections(actions),
            AttemptState::Draining(_) | AttemptState::Closed(_) | AttemptState::Over(_) => {}
        }
    }

    /// Runs the dialogue as far as the received bytes allow, and closes the connection when it
    /// ends.
    fn advance_dialogue(&mut self, plan: &Plan, input: Input, now: Instant, actions: &mut Actions) {
        let AttemptState::Talking(established) = &mut self.state else {
            return;
        };
        match established.advance(plan, input, now, actions) {
            Flow::Waits => {}
            Flow::Handshakes => {
                self.state = match self.take_state() {
                    AttemptState::Talking(established) => AttemptState::Handshaking(established),
                    other => other,
                };
            }
            Flow::Ended(failure) => {
                established.finish(plan, failure, self.started, now);
                self.close_gracefully(plan, QuitMode::IfOurTurn, now, actions);
            }
        }
    }

    /// Ends an attempt that never connected.
    fn fail_before_connect(
        &mut self,
        plan: &Plan,
        failure: Failure,
        info: Option<TcpInfo>,
        now: Instant,
        actions: &mut Actions,
    ) {
        let path = self.end_trace(actions);
        let failure = match &path {
            Some(path) if failure.status == Status::ConnectTimeout => {
                messages::with_path(&failure, path)
            }
            _ => failure,
        };
        let report = ConnectionReport {
            failure: Some(Arc::new(failure)),
            total: now.saturating_duration_since(self.started),
            tcp: info.map(|info| facts_while_connecting(&info)),
            path,
            ..ConnectionReport::new(plan.remote(self.address))
        };
        self.state = AttemptState::Over(Box::new(report));
        actions.push_back(Action::Close(self.id, Close::Fin));
    }

    /// Closes a connection whose verdict is fixed, in the way that the plan asks for.
    fn close_gracefully(
        &mut self,
        plan: &Plan,
        quit: QuitMode,
        now: Instant,
        actions: &mut Actions,
    ) {
        match plan.spec.close {
            Close::Rst => self.close_now(Close::Rst, actions),
            // `quit` would be in the middle of the message that is being sent.
            Close::Fin if self.is_sending(plan) => self.close_now(Close::Fin, actions),
            Close::Fin => {
                self.state = match self.take_state() {
                    AttemptState::Talking(mut established) => {
                        match quit {
                            QuitMode::IfOurTurn => established.send_quit(plan, actions),
                            QuitMode::None => established.send_fin(actions),
                        }
                        established.await_fin(now + DRAIN);
                        AttemptState::Draining(established)
                    }
                    other => other,
                }
            }
        }
    }

    /// Whether the kernel has not yet taken all bytes of the current step.
    fn is_sending(&self, plan: &Plan) -> bool {
        matches!(
            &self.state,
            AttemptState::Talking(established)
                if established.dialogue.unfinished(plan) == Unfinished::Sending
        )
    }

    /// Closes a connection whose verdict is fixed, without waiting for the peer.
    fn close_now(&mut self, how: Close, actions: &mut Actions) {
        self.state = match self.take_state() {
            AttemptState::Handshaking(established) | AttemptState::Talking(established) => {
                actions.push_back(Action::Close(self.id, how));
                closed(*established, VerdictState::Open)
            }
            AttemptState::Draining(established) => {
                actions.push_back(Action::Close(self.id, how));
                closed(*established, VerdictState::Fixed)
            }
            other => other,
        }
    }

    /// Takes the state out; it must be replaced at once.
    fn take_state(&mut self) -> AttemptState {
        std::mem::replace(&mut self.state, AttemptState::Connecting(None))
    }
}

/// The state after this connection was closed.
fn closed(established: Established, verdict: VerdictState) -> AttemptState {
    match established.layer {
        None => AttemptState::Over(Box::new(established.report)),
        Some(_) => {
            AttemptState::Closed(Box::new(ClosedConnection::new(established.report, verdict)))
        }
    }
}

/// The facts of an established connection. `tcpi_rtt` is not the round-trip time of the path after
/// a retransmission, nor where it exceeds our own measurement; it is omitted then.
fn facts_when_connected(info: &TcpInfo, connect: Duration) -> TcpFacts {
    let is_valid = info.retransmits == 0 && !info.rtt.is_zero() && info.rtt <= connect;
    TcpFacts {
        rtt: is_valid.then(|| RoundTrip::new(info.rtt, info.rttvar)),
        syn_retransmits: info.retransmits,
        mss: Some(info.mss),
    }
}

/// The facts of a connection whose SYN is unanswered.
fn facts_while_connecting(info: &TcpInfo) -> TcpFacts {
    TcpFacts {
        rtt: None,
        syn_retransmits: info.retransmits,
        mss: None,
    }
}

//! One connection of a probe as a state machine: what happened and `now` in, wishes out. No I/O, no clock.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::dialogue::{Input, Unfinished};
use crate::engine::session::action::{Action, Actions, AttemptId};
use crate::engine::session::established::{Flow, Open};
use crate::failure::{Failure, Status, format_duration};
use crate::os::socket::TcpInfo;
use crate::plan::{Close, Plan};
use crate::policy::Reason;
use crate::report::{ConnectionReport, RoundTrip, TcpFacts};

/// How long a polite close waits for the peer's own FIN.
pub(in crate::engine) const DRAIN: Duration = Duration::from_millis(100);

/// One connection, from the wish to open it until its descriptor is closed. Thousands wait for an answer at once: what
/// an answer needs is made when it comes.
#[derive(Debug)]
pub(in crate::engine) struct Attempt {
    id: AttemptId,
    address: IpAddr,
    started: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Asked for; perhaps this machine could not open it yet, and why.
    Waiting(Option<Box<Failure>>),
    /// The SYN is out.
    Connecting,
    /// Open, and talking.
    Talking(Box<Open>),
    /// The verdict stands; leaving politely.
    Draining(Box<Open>),
    /// Its descriptor is closed, or about to be.
    Over(Box<ConnectionReport>),
}

impl Attempt {
    /// An attempt that wishes to be opened.
    pub fn new(
        id: AttemptId,
        plan: &Plan,
        address: IpAddr,
        now: Instant,
        actions: &mut Actions,
    ) -> Self {
        actions.push_back(Action::Open(id, plan.remote(address)));
        Self {
            id,
            address,
            started: now,
            state: State::Waiting(None),
        }
    }

    /// An attempt that ended before it wished for anything: our own policy forbids it.
    pub fn denied(id: AttemptId, plan: &Plan, address: IpAddr, why: &Reason, now: Instant) -> Self {
        let remote = plan.remote(address);
        let text = format!("connect to {remote}: denied by policy: {why}");
        let failure = Some(Arc::new(Failure::new(Status::Denied, text)));
        let trial = ConnectionReport {
            failure,
            ..ConnectionReport::untried(remote)
        };
        Self {
            id,
            address,
            started: now,
            state: State::Over(Box::new(trial)),
        }
    }

    /// Whether the verdict stands.
    pub fn is_decided(&self) -> bool {
        matches!(self.state, State::Draining(_) | State::Over(_))
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over(_))
    }

    /// Whether it still wishes to be opened.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// Whether it waits to be opened, and not because this machine could not.
    pub fn is_queued(&self) -> bool {
        matches!(self.state, State::Waiting(None))
    }

    /// Whether its SYN is out and unanswered.
    pub fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting)
    }

    /// When it wants to be asked again.
    pub fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::Talking(open) | State::Draining(open) => open.next_wake(),
            State::Waiting(_) | State::Connecting | State::Over(_) => None,
        }
    }

    /// The address that it is about.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// When its connect began; when it was asked for, before that.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// What it found, once that is decided.
    pub fn trial(&self) -> Option<&ConnectionReport> {
        match &self.state {
            State::Draining(open) => Some(&open.trial),
            State::Over(trial) => Some(trial),
            State::Waiting(_) | State::Connecting | State::Talking(_) => None,
        }
    }

    /// What it found, for keeps.
    pub fn into_trial(self) -> Option<ConnectionReport> {
        match self.state {
            State::Draining(open) => Some(open.trial),
            State::Over(trial) => Some(*trial),
            State::Waiting(_) | State::Connecting | State::Talking(_) => None,
        }
    }

    /// This machine could not open it for now.
    pub fn blocked(&mut self, why: Failure) {
        if self.is_waiting() {
            self.state = State::Waiting(Some(Box::new(why)));
        }
    }

    /// The SYN left at this moment.
    pub fn opened(&mut self, at: Instant) {
        if self.is_waiting() {
            self.started = at;
            self.state = State::Connecting;
        }
    }

    /// The handshake completed.
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
        let connect = now.saturating_duration_since(self.started);
        let tcp = info.map(|info| facts_when_open(&info, connect));
        let trial = ConnectionReport {
            connect: Some(connect),
            source,
            tcp,
            ..ConnectionReport::untried(plan.remote(self.address))
        };
        self.state = State::Talking(Box::new(Open::new(self.id, plan, trial, now)));
        self.talk(plan, Input::Flowing, now, actions);
    }

    /// The bytes of a send step are with the kernel.
    pub fn sent(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        if let State::Talking(open) = &mut self.state {
            open.dialogue.sent();
            self.talk(plan, Input::Flowing, now, actions);
        }
    }

    /// The peer said something; what it says while we leave is bounded.
    pub fn received(&mut self, plan: &Plan, bytes: &[u8], now: Instant, actions: &mut Actions) {
        match &mut self.state {
            State::Talking(open) => {
                open.hear(bytes, now);
                self.talk(plan, Input::Flowing, now, actions);
            }
            State::Draining(open) => {
                open.overhear(plan, bytes);
                if open.dialogue.held() > plan.spec.max_bytes {
                    self.leave(Close::Fin, actions);
                }
            }
            State::Waiting(_) | State::Connecting | State::Over(_) => {}
        }
    }

    /// The peer sent FIN.
    pub fn peer_closed(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        self.talk(plan, Input::Settled, now, actions);
        if let State::Talking(open) = &mut self.state {
            let failure = open.unfinished(plan, "the peer closed the connection", Status::Closed);
            open.conclude(plan, Some(failure), self.started, now);
        }
        self.leave(Close::Fin, actions);
    }

    /// The connect failed, or the open connection was lost.
    pub fn failed(
        &mut self,
        plan: &Plan,
        failure: Failure,
        info: Option<TcpInfo>,
        now: Instant,
        actions: &mut Actions,
    ) {
        self.talk(plan, Input::Settled, now, actions);
        match &mut self.state {
            State::Waiting(_) | State::Connecting => {
                return self.fail_unopened(plan, failure, info, now, actions);
            }
            State::Talking(open) => {
                let text = format!("{}{}", open.step_prefix(plan), failure.text);
                open.conclude(plan, Some(Failure { text, ..failure }), self.started, now);
            }
            State::Draining(_) | State::Over(_) => {}
        }
        self.leave(Close::Fin, actions);
    }

    /// Time passed: a drain may be over, what came may count, a step may have taken too long.
    pub fn tick(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        if self.next_wake().is_none_or(|wake| wake > now) {
            return;
        }
        if let State::Draining(_) = self.state {
            self.leave(Close::Fin, actions)
        } else {
            self.talk(plan, Input::Settled, now, actions);
            self.give_up_step(plan, now, actions);
        }
    }

    /// The current step has its own limit; past it the dialogue has failed, but the connection is left politely.
    fn give_up_step(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        let State::Talking(open) = &mut self.state else {
            return;
        };
        if open.is_late(now) {
            let failure = open.unfinished(plan, "the step's time is over", Status::ReadTimeout);
            open.conclude(plan, Some(failure), self.started, now);
            self.part(plan, now, actions);
        }
    }

    /// The probe's deadline: nothing goes on after it.
    pub fn expire(
        &mut self,
        plan: &Plan,
        info: Option<TcpInfo>,
        now: Instant,
        actions: &mut Actions,
    ) {
        self.talk(plan, Input::Settled, now, actions);
        let waited = now.saturating_duration_since(self.started);
        match &mut self.state {
            State::Waiting(why) => {
                let never = || {
                    Failure::new(
                        Status::NotTried,
                        "the deadline came before the connect began",
                    )
                };
                let failure = why.take().map_or_else(never, |why| *why);
                return self.fail_unopened(plan, failure, info, now, actions);
            }
            State::Connecting => {
                let failure = crate::engine::session::messages::unanswered(
                    plan.remote(self.address),
                    info.as_ref(),
                    waited,
                );
                return self.fail_unopened(plan, failure, info, now, actions);
            }
            State::Talking(open) => {
                let why = format!("the deadline came ({})", format_duration(waited));
                let failure = open.unfinished(plan, &why, Status::ReadTimeout);
                let listens = open.dialogue.unfinished(plan) != Unfinished::Sending;
                open.conclude(plan, Some(failure), self.started, now);
                // No time is left to drain, but the goodbye takes none: it goes to the kernel, or nowhere.
                if listens && plan.spec.close == Close::Fin && plan.spec.quit.is_some() {
                    open.say_goodbye(plan, actions);
                }
            }
            State::Draining(_) | State::Over(_) => {}
        }
        self.leave(plan.spec.close, actions);
    }

    /// Goes on with the dialogue as far as it can; leaves when it is over.
    fn talk(&mut self, plan: &Plan, moment: Input, now: Instant, actions: &mut Actions) {
        let State::Talking(open) = &mut self.state else {
            return;
        };
        if let Flow::Ended(failure) = open.advance(plan, moment, now, actions) {
            open.conclude(plan, failure, self.started, now);
            self.part(plan, now, actions);
        }
    }

    /// It will never be open.
    fn fail_unopened(
        &mut self,
        plan: &Plan,
        failure: Failure,
        info: Option<TcpInfo>,
        now: Instant,
        actions: &mut Actions,
    ) {
        let total = now.saturating_duration_since(self.started);
        let (failure, tcp) = (
            Some(Arc::new(failure)),
            info.map(|info| facts_while_connecting(&info)),
        );
        let trial = ConnectionReport {
            failure,
            total,
            tcp,
            ..ConnectionReport::untried(plan.remote(self.address))
        };
        self.state = State::Over(Box::new(trial));
        actions.push_back(Action::Close(self.id, Close::Fin));
    }

    /// Leaves an open connection, whose verdict stands, as the plan says.
    fn part(&mut self, plan: &Plan, now: Instant, actions: &mut Actions) {
        match plan.spec.close {
            Close::Rst => self.leave(Close::Rst, actions),
            // A goodbye inside of what is being sent would be none.
            Close::Fin if self.is_sending(plan) => self.leave(Close::Fin, actions),
            Close::Fin => {
                self.state = match self.take_state() {
                    State::Talking(mut open) => {
                        open.say_goodbye(plan, actions);
                        open.wait_for_fin(now + DRAIN);
                        State::Draining(open)
                    }
                    other => other,
                }
            }
        }
    }

    /// Whether the peer has not taken all of the current step yet.
    fn is_sending(&self, plan: &Plan) -> bool {
        matches!(&self.state, State::Talking(open) if open.dialogue.unfinished(plan) == Unfinished::Sending)
    }

    /// Leaves an open connection, whose verdict stands, at once.
    fn leave(&mut self, how: Close, actions: &mut Actions) {
        self.state = match self.take_state() {
            State::Talking(open) | State::Draining(open) => {
                actions.push_back(Action::Close(self.id, how));
                State::Over(Box::new(open.trial))
            }
            other => other,
        }
    }

    /// The state, to be replaced at once.
    fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Connecting)
    }
}

/// The facts of an open connection. After a retransmission, and where it exceeds our own clock, `tcpi_rtt` is not the
/// path's round trip time.
fn facts_when_open(info: &TcpInfo, clock: Duration) -> TcpFacts {
    let trusted = info.retransmits == 0 && !info.rtt.is_zero() && info.rtt <= clock;
    let rtt = trusted.then(|| RoundTrip::new(info.rtt, info.rttvar));
    TcpFacts {
        rtt,
        syn_retransmits: info.retransmits,
        mss: Some(info.mss),
    }
}

fn facts_while_connecting(info: &TcpInfo) -> TcpFacts {
    TcpFacts {
        rtt: None,
        syn_retransmits: info.retransmits,
        mss: None,
    }
}

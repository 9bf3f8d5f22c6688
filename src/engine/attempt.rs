//! One connection of a probe as a state machine: what happened and `now` in, wishes out. No I/O, no clock.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::dialogue::{Dialogue, Progress, Unfinished};
use super::session::{AttemptId, Wish, Wishes};
use super::sys::TcpInfo;
use crate::failure::{Failure, Status, brief};
use crate::plan::{Close, Plan, Step};
use crate::report::{TcpFacts, Trial};

/// How long a polite close waits for the peer's own FIN.
pub(super) const DRAIN: Duration = Duration::from_millis(100);

/// One connection, from the wish to open it until its descriptor is closed.
#[derive(Debug)]
pub(super) struct Attempt {
    id: AttemptId,
    started: Instant,
    state: State,
    dialogue: Dialogue,
    trial: Trial,
}

#[derive(Debug)]
enum State {
    /// Asked for; perhaps this machine could not open it yet, and why.
    Waiting(Option<Failure>),
    /// The SYN is out.
    Connecting,
    /// Open since then.
    Talking(Instant),
    /// The verdict stands; leaving politely until then.
    Draining(Instant),
    /// Its descriptor is closed, or about to be.
    Over,
}

impl Attempt {
    /// An attempt that wishes to be opened.
    pub fn new(id: AttemptId, address: SocketAddr, now: Instant, wishes: &mut Wishes) -> Self {
        wishes.push_back(Wish::Open(id, address));
        let trial = Trial {
            address,
            source: None,
            failure: None,
            total: Duration::ZERO,
            connect: None,
            first_byte: None,
            dialogue: None,
            tcp: None,
            step: None,
            response: None,
        };
        Self { id, started: now, state: State::Waiting(None), dialogue: Dialogue::default(), trial }
    }

    /// Whether the verdict stands.
    pub fn is_decided(&self) -> bool {
        matches!(self.state, State::Draining(_) | State::Over)
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Whether it still wishes to be opened.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// Whether its SYN is out and unanswered.
    pub fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting)
    }

    /// When it wants to be asked again.
    pub fn next_wake(&self) -> Option<Instant> {
        match self.state {
            State::Draining(until) => Some(until),
            _ => None,
        }
    }

    /// When its connect began; when it was asked for, before that.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// What it found.
    pub fn trial(&self) -> &Trial {
        &self.trial
    }

    /// What it found, for keeps.
    pub fn into_trial(self) -> Trial {
        self.trial
    }

    /// This machine could not open it for now.
    pub fn blocked(&mut self, why: Failure) {
        if self.is_waiting() {
            self.state = State::Waiting(Some(why));
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
        wishes: &mut Wishes,
    ) {
        if !self.is_connecting() {
            return;
        }
        let connect = now.saturating_duration_since(self.started);
        self.trial.connect = Some(connect);
        self.trial.source = source;
        self.trial.tcp = info.map(|info| facts_when_open(&info, connect));
        self.state = State::Talking(now);
        self.talk(plan, now, wishes);
    }

    /// The bytes of a send step are with the kernel.
    pub fn sent(&mut self, plan: &Plan, now: Instant, wishes: &mut Wishes) {
        if matches!(self.state, State::Talking(_)) {
            self.dialogue.sent();
            self.talk(plan, now, wishes);
        }
    }

    /// The peer said something.
    pub fn received(&mut self, plan: &Plan, bytes: &[u8], now: Instant, wishes: &mut Wishes) {
        match self.state {
            State::Talking(since) => {
                self.trial.first_byte.get_or_insert_with(|| now.saturating_duration_since(since));
                self.dialogue.feed(bytes);
                self.talk(plan, now, wishes);
            }
            State::Draining(_) => self.overhear(plan, bytes, wishes),
            State::Waiting(_) | State::Connecting | State::Over => {}
        }
    }

    /// The peer sent FIN.
    pub fn peer_closed(&mut self, plan: &Plan, now: Instant, wishes: &mut Wishes) {
        match self.state {
            State::Talking(_) => {
                let failure = self.unfinished(plan, "the peer closed the connection", Status::Closed);
                self.decide(plan, Some(failure), now);
                self.leave(Close::Fin, wishes);
            }
            State::Draining(_) => self.leave(Close::Fin, wishes),
            State::Waiting(_) | State::Connecting | State::Over => {}
        }
    }

    /// The connect failed, or the open connection was lost.
    pub fn failed(&mut self, plan: &Plan, failure: Failure, info: Option<TcpInfo>, now: Instant, wishes: &mut Wishes) {
        match self.state {
            State::Waiting(_) | State::Connecting => {
                self.trial.tcp = info.map(|info| facts_while_connecting(&info));
                self.decide(plan, Some(failure), now);
                self.leave(Close::Fin, wishes);
            }
            State::Talking(_) => {
                let text = format!("{}{}", self.step_prefix(plan), failure.text);
                self.decide(plan, Some(Failure { text, ..failure }), now);
                self.leave(Close::Fin, wishes);
            }
            State::Draining(_) => self.leave(Close::Fin, wishes),
            State::Over => {}
        }
    }

    /// Time passed: a drain may be over.
    pub fn tick(&mut self, now: Instant, wishes: &mut Wishes) {
        if matches!(self.state, State::Draining(until) if until <= now) {
            self.leave(Close::Fin, wishes);
        }
    }

    /// The probe's deadline: nothing goes on after it.
    pub fn expire(&mut self, plan: &Plan, info: Option<TcpInfo>, now: Instant, wishes: &mut Wishes) {
        let waited = now.saturating_duration_since(self.started);
        let failure = match &self.state {
            State::Waiting(None) => Some(Failure::new(Status::NotTried, "the deadline came before the connect began")),
            State::Waiting(Some(why)) => Some(why.clone()),
            State::Connecting => Some(unanswered(self.trial.address, info.as_ref(), waited)),
            State::Talking(_) => {
                Some(self.unfinished(plan, &format!("the deadline came ({})", brief(waited)), Status::ReadTimeout))
            }
            State::Draining(_) | State::Over => None,
        };
        if let Some(failure) = failure {
            self.trial.tcp = self.trial.tcp.or(info.map(|info| facts_while_connecting(&info)));
            self.decide(plan, Some(failure), now);
        }
        self.leave(Close::Fin, wishes);
    }

    /// Goes on with the dialogue as far as it can.
    fn talk(&mut self, plan: &Plan, now: Instant, wishes: &mut Wishes) {
        let failure = match self.dialogue.advance(&plan.steps, plan.max_bytes) {
            Progress::Wait => return,
            Progress::Send(bytes) => {
                wishes.push_back(Wish::Send(self.id, bytes.to_vec()));
                return;
            }
            Progress::Done => None,
            Progress::TooMuch(bytes) => {
                let text = format!("{}{bytes} bytes came, none of them what was expected", self.step_prefix(plan));
                Some(Failure::new(Status::Mismatch, text))
            }
        };
        self.decide(plan, failure, now);
        match plan.close {
            Close::Rst => self.leave(Close::Rst, wishes),
            Close::Fin => {
                wishes.push_back(Wish::Shutdown(self.id));
                self.state = State::Draining(now + DRAIN);
            }
        }
    }

    /// Fixes the verdict; how to leave is the caller's to say.
    fn decide(&mut self, plan: &Plan, failure: Option<Failure>, now: Instant) {
        self.trial.total = now.saturating_duration_since(self.started);
        if let (State::Talking(since), false) = (&self.state, plan.steps.is_empty()) {
            self.trial.dialogue = failure.is_none().then(|| now.saturating_duration_since(*since));
            self.trial.step = Some(self.dialogue.step(&plan.steps));
        }
        self.trial.response = self.dialogue.response();
        self.trial.failure = failure;
    }

    /// Takes what the peer says while we leave: shown where nothing was expected, and bounded.
    fn overhear(&mut self, plan: &Plan, bytes: &[u8], wishes: &mut Wishes) {
        self.dialogue.feed(bytes);
        if !plan.steps.iter().any(|step| matches!(step, Step::Expect(_))) {
            self.trial.response = self.dialogue.response();
        }
        if self.dialogue.held() > plan.max_bytes {
            self.leave(Close::Fin, wishes);
        }
    }

    fn leave(&mut self, how: Close, wishes: &mut Wishes) {
        if !self.is_over() {
            wishes.push_back(Wish::Close(self.id, how));
            self.state = State::Over;
        }
    }

    /// The failure of a dialogue that cannot go on; `silent` is its status where nothing came since the last match.
    fn unfinished(&self, plan: &Plan, why: &str, silent: Status) -> Failure {
        let prefix = self.step_prefix(plan);
        match self.dialogue.unfinished(&plan.steps) {
            Unfinished::Sending => Failure::new(silent, format!("{prefix}{why} before all bytes were sent")),
            Unfinished::Silent => Failure::new(silent, format!("{prefix}{why} before anything was received")),
            Unfinished::Unmatched(bytes) => {
                let text = format!("{prefix}{why} after {bytes} bytes that are not what was expected");
                Failure::new(Status::Mismatch, text)
            }
        }
    }

    /// `expect (step 2) from 192.0.2.7:25: `, to begin a sentence with.
    fn step_prefix(&self, plan: &Plan) -> String {
        let number = self.dialogue.step(&plan.steps);
        match plan.steps.get(number.wrapping_sub(1)) {
            Some(Step::Send(_)) => format!("send (step {number}) to {}: ", self.trial.address),
            Some(Step::Expect(_)) => format!("expect (step {number}) from {}: ", self.trial.address),
            None => format!("{}: ", self.trial.address),
        }
    }
}

/// The failure of a connect that nobody answered; the kernel knows how many SYNs it sent.
fn unanswered(address: SocketAddr, info: Option<&TcpInfo>, waited: Duration) -> Failure {
    let text = match info.map(|info| info.retransmits) {
        None => format!("connect to {address}: no answer ({})", brief(waited)),
        Some(0) => format!("connect to {address}: no answer to our SYN ({})", brief(waited)),
        Some(again) => format!("connect to {address}: no answer to {} SYNs ({})", again + 1, brief(waited)),
    };
    Failure::new(Status::ConnectTimeout, text)
}

/// The facts of an open connection. After a retransmission, and where it exceeds our own clock, `tcpi_rtt` is not the
/// path's round trip time.
fn facts_when_open(info: &TcpInfo, clock: Duration) -> TcpFacts {
    let trusted = info.retransmits == 0 && !info.rtt.is_zero() && info.rtt <= clock;
    TcpFacts { rtt: trusted.then_some((info.rtt, info.rttvar)), syn_retransmits: info.retransmits, mss: Some(info.mss) }
}

fn facts_while_connecting(info: &TcpInfo) -> TcpFacts {
    TcpFacts { rtt: None, syn_retransmits: info.retransmits, mss: None }
}

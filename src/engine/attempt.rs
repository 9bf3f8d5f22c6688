//! One connection of a probe as a state machine: what happened and `now` in, wishes out. No I/O, no clock.

mod sentences;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::dialogue::{Dialogue, Moment, Progress, Unfinished};
use super::session::{AttemptId, Wish, Wishes};
use super::sys::TcpInfo;
use crate::failure::{Failure, Status, brief};
use crate::plan::steps::Step;
use crate::plan::{Close, Plan};
use crate::policy::Ground;
use crate::report::{TcpFacts, Trial};

/// How long a polite close waits for the peer's own FIN.
pub(super) const DRAIN: Duration = Duration::from_millis(100);

/// How long it must be quiet before a match that further bytes could change counts.
const QUIET: Duration = Duration::from_millis(50);

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
    /// Open, and talking.
    Talking(Talk),
    /// The verdict stands; leaving politely until then.
    Draining(Instant),
    /// Its descriptor is closed, or about to be.
    Over,
}

/// The clock of a dialogue.
#[derive(Debug, Clone, Copy)]
struct Talk {
    /// When it began.
    since: Instant,
    /// Which step is under way, and when that has taken too long.
    step: (usize, Option<Instant>),
    /// When it has been quiet for long enough.
    settles: Option<Instant>,
}

impl Attempt {
    /// An attempt that wishes to be opened.
    pub fn new(id: AttemptId, plan: &Plan, address: SocketAddr, now: Instant, wishes: &mut Wishes) -> Self {
        wishes.push_back(Wish::Open(id, address));
        Self { id, started: now, state: State::Waiting(None), dialogue: Dialogue::new(plan), trial: untried(address) }
    }

    /// An attempt that ended before it wished for anything: our own policy forbids it.
    pub fn denied(id: AttemptId, plan: &Plan, address: SocketAddr, why: &Ground, now: Instant) -> Self {
        let text = format!("connect to {address}: denied by policy: {why}");
        let trial = Trial { failure: Some(Failure::new(Status::Denied, text)), ..untried(address) };
        Self { id, started: now, state: State::Over, dialogue: Dialogue::new(plan), trial }
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
            State::Talking(talk) => [talk.step.1, talk.settles].into_iter().flatten().min(),
            State::Waiting(_) | State::Connecting | State::Over => None,
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
        self.state = State::Talking(Talk { since: now, step: (usize::MAX, None), settles: None });
        self.talk(plan, Moment::Flowing, now, wishes);
    }

    /// The bytes of a send step are with the kernel.
    pub fn sent(&mut self, plan: &Plan, now: Instant, wishes: &mut Wishes) {
        if matches!(self.state, State::Talking(_)) {
            self.dialogue.sent();
            self.talk(plan, Moment::Flowing, now, wishes);
        }
    }

    /// The peer said something.
    pub fn received(&mut self, plan: &Plan, bytes: &[u8], now: Instant, wishes: &mut Wishes) {
        match self.state {
            State::Talking(talk) => {
                self.trial.first_byte.get_or_insert_with(|| now.saturating_duration_since(talk.since));
                self.dialogue.feed(bytes);
                self.talk(plan, Moment::Flowing, now, wishes);
            }
            State::Draining(_) => self.overhear(plan, bytes, wishes),
            State::Waiting(_) | State::Connecting | State::Over => {}
        }
    }

    /// The peer sent FIN.
    pub fn peer_closed(&mut self, plan: &Plan, now: Instant, wishes: &mut Wishes) {
        self.talk(plan, Moment::Settled, now, wishes);
        if matches!(self.state, State::Talking(_)) {
            let failure = self.unfinished(plan, "the peer closed the connection", Status::Closed);
            self.decide(plan, Some(failure), now);
        }
        if !matches!(self.state, State::Waiting(_) | State::Connecting) {
            self.leave(Close::Fin, wishes);
        }
    }

    /// The connect failed, or the open connection was lost.
    pub fn failed(&mut self, plan: &Plan, failure: Failure, info: Option<TcpInfo>, now: Instant, wishes: &mut Wishes) {
        self.talk(plan, Moment::Settled, now, wishes);
        match self.state {
            State::Waiting(_) | State::Connecting => {
                self.trial.tcp = info.map(|info| facts_while_connecting(&info));
                self.decide(plan, Some(failure), now);
            }
            State::Talking(_) => {
                let text = format!("{}{}", self.step_prefix(plan), failure.text);
                self.decide(plan, Some(Failure { text, ..failure }), now);
            }
            State::Draining(_) | State::Over => {}
        }
        self.leave(Close::Fin, wishes);
    }

    /// Time passed: a drain may be over, what came may count, a step may have taken too long.
    pub fn tick(&mut self, plan: &Plan, now: Instant, wishes: &mut Wishes) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        match self.state {
            State::Draining(until) if until <= now => self.leave(Close::Fin, wishes),
            State::Talking(talk) if due(talk.settles) || due(talk.step.1) => {
                self.talk(plan, Moment::Settled, now, wishes);
                if let State::Talking(Talk { step: (_, Some(limit)), .. }) = self.state {
                    self.give_up_step(plan, limit, now, wishes);
                }
            }
            _ => {}
        }
    }

    /// The current step has its own limit; past it the dialogue has failed, but the connection is left politely.
    fn give_up_step(&mut self, plan: &Plan, limit: Instant, now: Instant, wishes: &mut Wishes) {
        if limit <= now {
            let failure = self.unfinished(plan, "the step's time is over", Status::ReadTimeout);
            self.decide(plan, Some(failure), now);
            self.part(plan, now, wishes);
        }
    }

    /// The probe's deadline: nothing goes on after it.
    pub fn expire(&mut self, plan: &Plan, info: Option<TcpInfo>, now: Instant, wishes: &mut Wishes) {
        self.talk(plan, Moment::Settled, now, wishes);
        let waited = now.saturating_duration_since(self.started);
        let failure = match &self.state {
            State::Waiting(None) => Some(Failure::new(Status::NotTried, "the deadline came before the connect began")),
            State::Waiting(Some(why)) => Some(why.clone()),
            State::Connecting => Some(sentences::unanswered(self.trial.address, info.as_ref(), waited)),
            State::Talking(_) => {
                Some(self.unfinished(plan, &format!("the deadline came ({})", brief(waited)), Status::ReadTimeout))
            }
            State::Draining(_) | State::Over => None,
        };
        let listens = matches!(self.state, State::Talking(_)) && self.dialogue.unfinished(plan) != Unfinished::Sending;
        if let Some(failure) = failure {
            self.trial.tcp = self.trial.tcp.or(info.map(|info| facts_while_connecting(&info)));
            self.decide(plan, Some(failure), now);
        }
        // No time is left to drain, but the goodbye takes none: it goes to the kernel, or nowhere.
        if listens && plan.method.close == Close::Fin && plan.method.quit.is_some() {
            self.say_goodbye(plan, wishes);
        }
        self.leave(Close::Fin, wishes);
    }

    /// Goes on with the dialogue as far as it can.
    fn talk(&mut self, plan: &Plan, moment: Moment, now: Instant, wishes: &mut Wishes) {
        let State::Talking(mut talk) = self.state else { return };
        let before = self.dialogue.position();
        let progress = self.dialogue.advance(plan, moment);
        self.explain(plan, before, wishes);
        let failure = match progress {
            Progress::Done => None,
            Progress::Wait | Progress::Unsettled | Progress::Send(_) => {
                let position = self.dialogue.position();
                if talk.step.0 != position {
                    talk.step = (position, step_limit(plan, position, now));
                }
                talk.settles = (progress == Progress::Unsettled).then_some(now + QUIET);
                self.state = State::Talking(talk);
                if let Progress::Send(bytes) = progress {
                    wishes.push_back(Wish::Send(self.id, bytes));
                }
                return;
            }
            Progress::Rejected(pattern) => {
                Some((Status::Rejected, format!("the answer has {pattern}, which is rejected")))
            }
            Progress::Impossible => Some((Status::Mismatch, format!("the answer is not {}", self.wanted(plan)))),
            Progress::TooMuch(bytes) => {
                Some((Status::Mismatch, format!("{bytes} bytes came without {}", self.wanted(plan))))
            }
        };
        let failure = failure.map(|(status, why)| {
            Failure::new(status, format!("{}{why}{}", self.step_prefix(plan), self.excerpt(plan)))
        });
        self.decide(plan, failure, now);
        self.part(plan, now, wishes);
    }

    /// Says which expectations were met since this step.
    fn explain(&self, plan: &Plan, since: usize, wishes: &mut Wishes) {
        for (number, step) in plan.method.steps.iter().enumerate().take(self.dialogue.position()).skip(since) {
            if let Step::Expect(expect) = step {
                wishes.push_back(Wish::Explain(self.id, format!("step {}: {} came", number + 1, expect.wanted)));
            }
        }
    }

    /// Leaves an open connection as the plan says.
    fn part(&mut self, plan: &Plan, now: Instant, wishes: &mut Wishes) {
        match plan.method.close {
            Close::Rst => self.leave(Close::Rst, wishes),
            Close::Fin => {
                self.say_goodbye(plan, wishes);
                self.state = State::Draining(now + DRAIN);
            }
        }
    }

    /// The protocol's goodbye, if it has one, and FIN.
    fn say_goodbye(&self, plan: &Plan, wishes: &mut Wishes) {
        if let Some(quit) = &plan.method.quit {
            wishes.push_back(Wish::Send(self.id, self.dialogue.fill(quit)));
        }
        wishes.push_back(Wish::Shutdown(self.id));
    }

    /// Fixes the verdict; how to leave is the caller's to say.
    fn decide(&mut self, plan: &Plan, failure: Option<Failure>, now: Instant) {
        self.trial.total = now.saturating_duration_since(self.started);
        if let (State::Talking(talk), false) = (&self.state, plan.method.steps.is_empty()) {
            self.trial.dialogue = failure.is_none().then(|| now.saturating_duration_since(talk.since));
            self.trial.step = Some(self.dialogue.step(plan));
        }
        self.trial.response = self.dialogue.response();
        self.trial.captures = self.dialogue.captures().to_vec();
        self.trial.failure = failure;
    }

    /// Takes what the peer says while we leave: shown where nothing was expected, and bounded.
    fn overhear(&mut self, plan: &Plan, bytes: &[u8], wishes: &mut Wishes) {
        self.dialogue.feed(bytes);
        if !plan.method.steps.iter().any(|step| matches!(step, Step::Expect(_))) {
            self.trial.response = self.dialogue.response();
        }
        if self.dialogue.held() > plan.method.max_bytes {
            self.leave(Close::Fin, wishes);
        }
    }

    fn leave(&mut self, how: Close, wishes: &mut Wishes) {
        if !self.is_over() {
            wishes.push_back(Wish::Close(self.id, how));
            self.state = State::Over;
        }
    }
}

/// When a step has taken too long, where it has a limit of its own.
fn step_limit(plan: &Plan, position: usize, now: Instant) -> Option<Instant> {
    match plan.method.steps.get(position) {
        Some(Step::Expect(expect)) => expect.timeout.map(|timeout| now + timeout),
        Some(Step::Send(_)) | None => None,
    }
}

/// What is known of a connection before it is begun.
fn untried(address: SocketAddr) -> Trial {
    Trial {
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
        captures: Vec::new(),
    }
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

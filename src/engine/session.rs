//! One probe as a state machine without I/O: events and `now` in, wishes out.
//!
//! A session resolves the host, opens one connection for each wanted address or attempt, and comes to one verdict.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::attempt::Attempt;
use super::few::Few;
use super::sys::TcpInfo;
use crate::failure::{Failure, Status};
use crate::plan::{Addresses, Plan};
use crate::policy::Decision;
use crate::report::{Report, Trial};
use crate::stats::Running;

/// The most addresses of one name that a probe tries; a larger answer is somebody's mistake or attack.
pub const MOST_ADDRESSES: usize = 64;

/// Which connection of its session.
pub type AttemptId = u32;

/// What happened to a session.
#[derive(Debug)]
pub enum Event<'a> {
    /// The name's addresses, in the order to try them; at least one.
    Resolved(&'a [IpAddr]),
    /// The name has no address, or none in time.
    Unresolved(Failure),
    /// The SYN of this attempt left.
    Opened(AttemptId),
    /// This machine lacks the means for now; the wish stays open.
    Blocked(AttemptId, Failure),
    /// The handshake completed, from this local address.
    Connected(AttemptId, Option<IpAddr>, Option<TcpInfo>),
    /// All bytes of the last send wish are with the kernel.
    Sent(AttemptId),
    /// The peer sent these bytes.
    Received(AttemptId, &'a [u8]),
    /// The peer sent FIN.
    PeerClosed(AttemptId),
    /// The connect failed, or the open connection was lost.
    Failed(AttemptId, Failure, Option<TcpInfo>),
}

/// What a session wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// Resolve the plan's host, then say [`Event::Resolved`] or [`Event::Unresolved`].
    Resolve,
    /// Open a connection to this address.
    Open(AttemptId, SocketAddr),
    /// Send these bytes, then say [`Event::Sent`].
    Send(AttemptId, Vec<u8>),
    /// End our half with a FIN.
    Shutdown(AttemptId),
    /// Tell a person who asked for an explanation; nothing is done.
    Explain(AttemptId, String),
    /// Close the descriptor, if it was ever opened; nothing more will be heard of it.
    Close(AttemptId, crate::plan::Close),
}

/// Wishes in the order they are to be fulfilled.
pub type Wishes = VecDeque<Wish>;

/// One probe. Thousands are in flight at once: what few of them have is boxed.
#[derive(Debug)]
pub struct Session {
    plan: Arc<Plan>,
    started: Instant,
    stage: Stage,
    attempts: Few<Attempt>,
    apart: Option<Box<Apart>>,
}

/// What a probe does without that waits for the answer of one address.
#[derive(Debug, Default)]
struct Apart {
    /// How long the name took.
    resolve: Option<Duration>,
    /// When it ends although its own time is not over.
    cut: Option<Instant>,
    /// What is still to come while [`Stage::Trying`].
    series: Option<Series>,
    /// There when [`Stage::Judged`].
    verdict: Option<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Resolving,
    /// Connecting again and again.
    Trying,
    /// Every connection was begun.
    Begun,
    /// The verdict stands; connections may still be left.
    Judged,
}

/// Connects still to come: to this address, at that moment, this many times.
#[derive(Debug)]
struct Series {
    address: IpAddr,
    next: Instant,
    left: u32,
}

/// What came of the probe, and how long after its start that was clear.
#[derive(Debug)]
struct Verdict {
    failure: Option<Arc<Failure>>,
    total: Duration,
}

impl Session {
    /// Starts a probe.
    pub fn start(plan: Arc<Plan>, now: Instant, wishes: &mut Wishes) -> Self {
        let literal = plan.literal();
        let (stage, attempts) = (Stage::Resolving, Few::default());
        let mut session = Self {
            plan,
            started: now,
            stage,
            attempts,
            apart: None,
        };
        match literal {
            Some(address) => session.launch(&[address], now, wishes),
            None => wishes.push_back(Wish::Resolve),
        }
        session.judge_when_decided(now);
        session
    }

    /// What is probed.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// When it began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// When it ends whatever happens.
    pub fn deadline(&self) -> Instant {
        let own = self.started + self.plan.method.timeout;
        self.apart
            .as_ref()
            .and_then(|apart| apart.cut)
            .map_or(own, |cut| cut.min(own))
    }

    /// Whether it only waits for connections to be opened, and nothing but our own queue keeps it waiting.
    pub fn is_idle(&self) -> bool {
        let mut under_way = self
            .attempts()
            .iter()
            .filter(|attempt| !attempt.is_over())
            .peekable();
        under_way.peek().is_some() && under_way.all(Attempt::is_queued)
    }

    /// Shifts its clock: for so long it was [idle](Session::is_idle). A moment that [cuts](Session::cut) it stands.
    pub fn postpone(&mut self, by: Duration) {
        self.started += by;
        if let Some(series) = self.series() {
            series.next += by;
        }
    }

    /// Makes it end by this moment.
    pub fn cut(&mut self, deadline: Instant) {
        if deadline < self.deadline() {
            self.apart().cut = Some(deadline);
        }
    }

    /// Whether the verdict stands and every connection is closed.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Judged && self.attempts().iter().all(Attempt::is_over)
    }

    /// Whether this attempt still wishes to be opened.
    pub fn waits_for(&self, id: AttemptId) -> bool {
        self.attempt(id).is_some_and(Attempt::is_waiting)
    }

    /// Where this attempt connects to.
    pub fn remote(&self, id: AttemptId) -> Option<SocketAddr> {
        self.attempt(id)
            .map(|attempt| self.plan.remote(attempt.address()))
    }

    /// How long ago this attempt's SYN left.
    pub fn waited_for(&self, id: AttemptId, now: Instant) -> Duration {
        self.attempt(id).map_or(Duration::ZERO, |attempt| {
            now.saturating_duration_since(attempt.started())
        })
    }

    /// When [`Session::tick`] wants to be called at the latest.
    pub fn next_wake(&self) -> Instant {
        let series = self.apart.as_ref().and_then(|apart| apart.series.as_ref());
        let next_attempt = series
            .filter(|_| self.stage == Stage::Trying)
            .map(|series| series.next);
        let drains = self.attempts().iter().filter_map(Attempt::next_wake);
        drains
            .chain(next_attempt)
            .fold(self.deadline(), Instant::min)
    }

    /// Takes what happened.
    pub fn handle(&mut self, event: Event<'_>, now: Instant, wishes: &mut Wishes) {
        let plan = Arc::clone(&self.plan);
        match event {
            // What comes late changes nothing.
            Event::Resolved(_) | Event::Unresolved(_) if self.stage != Stage::Resolving => {}
            Event::Resolved(addresses) => {
                self.apart().resolve = Some(now.saturating_duration_since(self.started));
                self.launch(addresses, now, wishes);
            }
            Event::Unresolved(failure) => self.judge(Some(Arc::new(failure)), now),
            Event::Opened(id) => self.with(id, |attempt| attempt.opened(now)),
            Event::Blocked(id, why) => self.with(id, |attempt| attempt.blocked(why)),
            Event::Connected(id, source, info) => {
                self.with(id, |attempt| {
                    attempt.connected(&plan, source, info, now, wishes)
                });
            }
            Event::Sent(id) => self.with(id, |attempt| attempt.sent(&plan, now, wishes)),
            Event::Received(id, bytes) => {
                self.with(id, |attempt| attempt.received(&plan, bytes, now, wishes))
            }
            Event::PeerClosed(id) => {
                self.with(id, |attempt| attempt.peer_closed(&plan, now, wishes))
            }
            Event::Failed(id, failure, info) => {
                self.with(id, |attempt| {
                    attempt.failed(&plan, failure, info, now, wishes)
                });
            }
        }
        self.judge_when_decided(now);
    }

    /// Takes the time: begins attempts, ends drains, and at the deadline everything.
    ///
    /// `info` reads the kernel's facts of a connection whose SYN is unanswered.
    pub fn tick(
        &mut self,
        now: Instant,
        info: impl Fn(AttemptId) -> Option<TcpInfo>,
        wishes: &mut Wishes,
    ) {
        if now >= self.deadline() {
            self.expire(now, info, wishes);
            return;
        }
        self.begin_due(now, wishes);
        let plan = Arc::clone(&self.plan);
        for attempt in self.attempts.as_mut_slice() {
            attempt.tick(&plan, now, wishes);
        }
        self.judge_when_decided(now);
    }

    /// The finished report; `None` until [`Session::is_over`].
    pub fn into_report(self) -> Option<Report> {
        let attempts = self
            .plan
            .method
            .attempts
            .map(|_| Box::new(statistics(&self)));
        let Apart {
            resolve, verdict, ..
        } = *self.apart?;
        let Verdict { failure, total } = verdict?;
        let trials: Vec<Trial> = self
            .attempts
            .into_iter()
            .filter_map(Attempt::into_trial)
            .collect();
        let described = described(&self.plan, &trials);
        let (trial, addresses) = match self.plan.method.addresses {
            Addresses::All => (trials.get(described).cloned(), trials.into()),
            Addresses::First => (trials.into_iter().nth(described), Box::default()),
        };
        Some(Report {
            plan: self.plan,
            failure,
            total,
            resolve,
            trial,
            addresses,
            attempts,
        })
    }

    fn attempts(&self) -> &[Attempt] {
        self.attempts.as_slice()
    }

    fn apart(&mut self) -> &mut Apart {
        self.apart.get_or_insert_default()
    }

    /// The connects still to come, while there are any.
    fn series(&mut self) -> Option<&mut Series> {
        let trying = self.stage == Stage::Trying;
        self.apart.as_mut()?.series.as_mut().filter(|_| trying)
    }

    fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts().get(id as usize)
    }

    fn next_id(&self) -> AttemptId {
        self.attempts().len() as AttemptId
    }

    fn with(&mut self, id: AttemptId, then: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.attempts.as_mut_slice().get_mut(id as usize) {
            then(attempt);
        }
    }

    /// Begins the first connections.
    fn launch(&mut self, addresses: &[IpAddr], now: Instant, wishes: &mut Wishes) {
        let wanted = match self.plan.method.addresses {
            Addresses::First => 1,
            Addresses::All => MOST_ADDRESSES,
        };
        self.stage = Stage::Begun;
        for address in addresses.iter().take(wanted) {
            if let Decision::Denied(why) = self.plan.method.decide(*address, self.plan.target.port)
            {
                self.attempts.push(Attempt::denied(
                    self.next_id(),
                    &self.plan,
                    *address,
                    &why,
                    now,
                ));
            } else if let Some(attempts) = self.plan.method.attempts {
                self.apart().series = Some(Series {
                    address: *address,
                    next: now,
                    left: attempts.count.get(),
                });
                self.stage = Stage::Trying;
            } else {
                self.begin(*address, now, wishes);
            }
        }
        self.begin_due(now, wishes);
    }

    fn begin(&mut self, address: IpAddr, now: Instant, wishes: &mut Wishes) {
        let attempt = Attempt::new(self.next_id(), &self.plan, address, now, wishes);
        self.attempts.push(attempt);
    }

    /// Begins the attempts whose time has come: each at its interval, whether the one before it ended or not.
    fn begin_due(&mut self, now: Instant, wishes: &mut Wishes) {
        let interval = self
            .plan
            .method
            .attempts
            .map_or(Duration::ZERO, |attempts| attempts.interval);
        while let Some(series) = self.series() {
            if series.next > now {
                return;
            }
            let address = series.address;
            series.next += interval;
            series.left -= 1;
            if series.left == 0 {
                self.stage = Stage::Begun;
            }
            self.begin(address, now, wishes);
        }
    }

    /// At the deadline whatever is open ends.
    fn expire(
        &mut self,
        now: Instant,
        info: impl Fn(AttemptId) -> Option<TcpInfo>,
        wishes: &mut Wishes,
    ) {
        if self.stage == Stage::Resolving {
            let text = format!(
                "resolve {}: no answer before the deadline",
                self.plan.target.host
            );
            self.judge(
                Some(Arc::new(Failure::new(Status::ResolveTimeout, text))),
                now,
            );
        } else if self.stage == Stage::Trying {
            self.stage = Stage::Begun;
        }
        for (id, attempt) in (0..).zip(self.attempts.as_mut_slice()) {
            let info = if attempt.is_connecting() {
                info(id)
            } else {
                None
            };
            attempt.expire(&self.plan, info, now, wishes);
        }
        self.judge_when_decided(now);
    }

    fn judge_when_decided(&mut self, now: Instant) {
        let all_begun = self.stage == Stage::Begun && !self.attempts().is_empty();
        if all_begun && self.attempts().iter().all(Attempt::is_decided) {
            self.judge(verdict(&self.plan, self.attempts()), now);
        }
    }

    /// Fixes the verdict, once.
    fn judge(&mut self, failure: Option<Arc<Failure>>, now: Instant) {
        if self.stage != Stage::Judged {
            let total = now.saturating_duration_since(self.started);
            self.apart().verdict = Some(Verdict { failure, total });
            self.stage = Stage::Judged;
        }
    }
}

/// The verdict over all connections: all addresses must be well; of several attempts as many as required. What kept us
/// from trying tells less of the target than whatever came of a try.
fn verdict(plan: &Plan, attempts: &[Attempt]) -> Option<Arc<Failure>> {
    let trials = || attempts.iter().filter_map(Attempt::trial);
    let failures = || trials().filter_map(|trial| trial.verdict(plan.method.want));
    let tried = || failures().filter(was_tried);
    let Some(asked) = plan.method.attempts else {
        return tried().next().or_else(|| failures().next());
    };
    let ok = trials().count() - failures().count();
    let required = asked.require.get();
    if u32::try_from(ok).unwrap_or(u32::MAX) >= required {
        return None;
    }
    let Some(last) = tried().next_back().or_else(|| failures().next_back()) else {
        let text =
            format!("only {ok} attempts could begin before the deadline, {required} are required");
        return Some(Arc::new(Failure::new(Status::NotTried, text)));
    };
    if required == 1 || last.status == Status::Denied {
        return Some(last);
    }
    let text = format!(
        "{ok} of {} attempts succeeded, {required} are required; last failure: {}",
        attempts.len(),
        last.text
    );
    Some(Arc::new(Failure {
        text,
        ..Failure::clone(&last)
    }))
}

fn was_tried(failure: &Arc<Failure>) -> bool {
    !matches!(failure.status, Status::NotTried | Status::LocalError)
}

/// Which connection the report describes: the first failing address, of several attempts the last successful, else the
/// last; one that was tried, if there is one.
fn described(plan: &Plan, trials: &[Trial]) -> usize {
    let is_up = |trial: &Trial| trial.verdict(plan.method.want).is_none();
    let has_failed = |trial: &Trial| {
        trial
            .verdict(plan.method.want)
            .as_ref()
            .is_some_and(was_tried)
    };
    match plan.method.attempts {
        Some(_) => {
            let place = trials
                .iter()
                .rposition(is_up)
                .or_else(|| trials.iter().rposition(has_failed));
            place.unwrap_or(trials.len().saturating_sub(1))
        }
        None => {
            let place = trials.iter().position(has_failed);
            place
                .or_else(|| trials.iter().position(|trial| !is_up(trial)))
                .unwrap_or(0)
        }
    }
}

/// The initial retransmission timeout (RFC 6298, section 2): an attempt unanswered for longer has lost a segment.
const FIRST_RETRANSMISSION: Duration = Duration::from_secs(1);

/// What came of the attempts. One that the deadline cut before it could even have lost a segment was not counted as
/// sent; the first had the whole deadline and always counts. To a denied address nothing was sent.
fn statistics(session: &Session) -> Running {
    let mut running = Running::default();
    for (number, attempt) in session.attempts().iter().enumerate() {
        let Some(trial) = attempt.trial() else {
            continue;
        };
        let was_cut =
            trial.failure.is_some() && attempt.started() + trial.total >= session.deadline();
        let was_short = trial.total < FIRST_RETRANSMISSION && number > 0;
        match (trial.verdict(session.plan.method.want), trial.connect) {
            (Some(failure), _) if failure.status == Status::Denied => {}
            (None, connect) => running.succeeded(connect.unwrap_or(trial.total)),
            (Some(_), _) if was_cut && was_short => {}
            (Some(_), _) => running.lost(),
        }
    }
    running
}

//! One probe as a state machine without I/O: events and `now` in, wishes out.
//!
//! A session resolves the host, opens one connection for each wanted address or attempt, and comes to one verdict.

pub mod action;
pub mod attempt;
mod established;
mod messages;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::inline_vec::InlineVec;
use crate::engine::session::action::{Action, Actions, AttemptId, Event};
use crate::engine::session::attempt::Attempt;
use crate::failure::{Failure, Status};
use crate::os::socket::TcpInfo;
use crate::plan::{AddressSelection, Plan};
use crate::policy::{Decision, Policy};
use crate::report::{ConnectionReport, Report};
use crate::stats::RunningStats;

/// The most addresses of one name that a probe tries; a larger answer is somebody's mistake or attack.
pub const MOST_ADDRESSES: usize = 64;

/// One probe. Thousands are in flight at once: what few of them have is boxed.
#[derive(Debug)]
pub struct Session {
    plan: Arc<Plan>,
    started: Instant,
    stage: Stage,
    attempts: InlineVec<Attempt>,
    apart: Option<Box<Extra>>,
}

/// What a probe does without that waits for the answer of one address.
#[derive(Debug, Default)]
struct Extra {
    /// How long the name took.
    resolve: Option<Duration>,
    /// When it ends although its own time is not over.
    cut: Option<Instant>,
    /// What is still to come while [`Stage::Trying`].
    series: Option<RemainingAttempts>,
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
struct RemainingAttempts {
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
    pub fn start(plan: Arc<Plan>, policy: &Policy, now: Instant, actions: &mut Actions) -> Self {
        let literal = plan.ip();
        let (stage, attempts) = (Stage::Resolving, InlineVec::default());
        let mut session = Self {
            plan,
            started: now,
            stage,
            attempts,
            apart: None,
        };
        match literal {
            Some(address) => session.launch(&[address], policy, now, actions),
            None => actions.push_back(Action::Resolve),
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
        let own = self.started + self.plan.spec.timeout;
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
    pub fn handle(&mut self, event: Event<'_>, now: Instant, actions: &mut Actions) {
        let plan = Arc::clone(&self.plan);
        match event {
            // What comes late changes nothing.
            Event::Resolved(..) | Event::Unresolved(_) if self.stage != Stage::Resolving => {}
            Event::Resolved(addresses, policy) => {
                self.apart().resolve = Some(now.saturating_duration_since(self.started));
                self.launch(addresses, policy, now, actions);
            }
            Event::Unresolved(failure) => self.judge(Some(Arc::new(failure)), now),
            Event::Opened(id) => self.with(id, |attempt| attempt.opened(now)),
            Event::Blocked(id, why) => self.with(id, |attempt| attempt.blocked(why)),
            Event::Connected(id, source, info) => {
                self.with(id, |attempt| {
                    attempt.connected(&plan, source, info, now, actions);
                });
            }
            Event::Sent(id) => self.with(id, |attempt| attempt.sent(&plan, now, actions)),
            Event::Received(id, bytes) => {
                self.with(id, |attempt| attempt.received(&plan, bytes, now, actions));
            }
            Event::PeerClosed(id) => {
                self.with(id, |attempt| attempt.peer_closed(&plan, now, actions));
            }
            Event::Failed(id, failure, info) => {
                self.with(id, |attempt| {
                    attempt.failed(&plan, failure, info, now, actions);
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
        actions: &mut Actions,
    ) {
        if now >= self.deadline() {
            self.expire(now, info, actions);
            return;
        }
        self.begin_due(now, actions);
        let plan = Arc::clone(&self.plan);
        for attempt in self.attempts.as_mut_slice() {
            attempt.tick(&plan, now, actions);
        }
        self.judge_when_decided(now);
    }

    /// The finished report; `None` until [`Session::is_over`].
    pub fn into_report(self) -> Option<Report> {
        let attempts = self.plan.spec.attempts.map(|_| Box::new(statistics(&self)));
        let Extra {
            resolve, verdict, ..
        } = *self.apart?;
        let Verdict { failure, total } = verdict?;
        let trials: Vec<ConnectionReport> = self
            .attempts
            .into_iter()
            .filter_map(Attempt::into_trial)
            .collect();
        let described = described(&self.plan, &trials);
        let (connection, addresses) = match self.plan.spec.addresses {
            AddressSelection::All => (trials.get(described).cloned(), trials.into()),
            AddressSelection::First => (trials.into_iter().nth(described), Box::default()),
        };
        Some(Report {
            plan: self.plan,
            failure,
            total,
            resolve,
            connection,
            addresses,
            attempts,
        })
    }

    fn attempts(&self) -> &[Attempt] {
        self.attempts.as_slice()
    }

    fn apart(&mut self) -> &mut Extra {
        self.apart.get_or_insert_default()
    }

    /// The connects still to come, while there are any.
    fn series(&mut self) -> Option<&mut RemainingAttempts> {
        let trying = self.stage == Stage::Trying;
        self.apart.as_mut()?.series.as_mut().filter(|_| trying)
    }

    fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts().get(id.index())
    }

    fn next_id(&self) -> AttemptId {
        AttemptId::new(self.attempts().len())
    }

    fn with(&mut self, id: AttemptId, then: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.attempts.as_mut_slice().get_mut(id.index()) {
            then(attempt);
        }
    }

    /// Begins the first connections.
    fn launch(
        &mut self,
        addresses: &[IpAddr],
        policy: &Policy,
        now: Instant,
        actions: &mut Actions,
    ) {
        let wanted = match self.plan.spec.addresses {
            AddressSelection::First => 1,
            AddressSelection::All => MOST_ADDRESSES,
        };
        self.stage = Stage::Begun;
        for address in addresses.iter().take(wanted) {
            let port = self.plan.target.port;
            if let Decision::Denied(why) = self.plan.spec.decide(policy, *address, port) {
                self.attempts.push(Attempt::denied(
                    self.next_id(),
                    &self.plan,
                    *address,
                    &why,
                    now,
                ));
            } else if let Some(attempts) = self.plan.spec.attempts {
                self.apart().series = Some(RemainingAttempts {
                    address: *address,
                    next: now,
                    left: attempts.count.get(),
                });
                self.stage = Stage::Trying;
            } else {
                self.begin(*address, now, actions);
            }
        }
        self.begin_due(now, actions);
    }

    fn begin(&mut self, address: IpAddr, now: Instant, actions: &mut Actions) {
        let attempt = Attempt::new(self.next_id(), &self.plan, address, now, actions);
        self.attempts.push(attempt);
    }

    /// Begins the attempts whose time has come: each at its interval, whether the one before it ended or not.
    fn begin_due(&mut self, now: Instant, actions: &mut Actions) {
        let interval = self
            .plan
            .spec
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
            self.begin(address, now, actions);
        }
    }

    /// At the deadline whatever is open ends.
    fn expire(
        &mut self,
        now: Instant,
        info: impl Fn(AttemptId) -> Option<TcpInfo>,
        actions: &mut Actions,
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
        for (index, attempt) in self.attempts.as_mut_slice().iter_mut().enumerate() {
            let info = if attempt.is_connecting() {
                info(AttemptId::new(index))
            } else {
                None
            };
            attempt.expire(&self.plan, info, now, actions);
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
    let failures = || trials().filter_map(|trial| trial.verdict(plan.spec.want));
    let tried = || failures().filter(was_tried);
    let Some(asked) = plan.spec.attempts else {
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
fn described(plan: &Plan, trials: &[ConnectionReport]) -> usize {
    let is_up = |trial: &ConnectionReport| trial.verdict(plan.spec.want).is_none();
    let has_failed = |trial: &ConnectionReport| {
        trial
            .verdict(plan.spec.want)
            .as_ref()
            .is_some_and(was_tried)
    };
    if plan.spec.attempts.is_some() {
        let place = trials
            .iter()
            .rposition(is_up)
            .or_else(|| trials.iter().rposition(has_failed));
        place.unwrap_or(trials.len().saturating_sub(1))
    } else {
        let place = trials.iter().position(has_failed);
        place
            .or_else(|| trials.iter().position(|trial| !is_up(trial)))
            .unwrap_or(0)
    }
}

/// The initial retransmission timeout (RFC 6298, section 2): an attempt unanswered for longer has lost a segment.
const FIRST_RETRANSMISSION: Duration = Duration::from_secs(1);

/// What came of the attempts. One that the deadline cut before it could even have lost a segment was not counted as
/// sent; the first had the whole deadline and always counts. To a denied address nothing was sent.
fn statistics(session: &Session) -> RunningStats {
    let mut running = RunningStats::default();
    for (number, attempt) in session.attempts().iter().enumerate() {
        let Some(trial) = attempt.trial() else {
            continue;
        };
        let was_cut =
            trial.failure.is_some() && attempt.started() + trial.total >= session.deadline();
        let was_short = trial.total < FIRST_RETRANSMISSION && number > 0;
        match (trial.verdict(session.plan.spec.want), trial.connect) {
            (Some(failure), _) if failure.status == Status::Denied => {}
            (None, connect) => running.succeeded(connect.unwrap_or(trial.total)),
            (Some(_), _) if was_cut && was_short => {}
            (Some(_), _) => running.lost(),
        }
    }
    running
}

//! The addresses of one name: which is tried next, and what the result of the target is.
//!
//! With `AddressRule::FirstToPass` they are tried in order (RFC 8305, Happy Eyeballs), the families
//! in turn. The next one starts when all before it have failed or are *late*: without a connection
//! after [`CONNECTION_ATTEMPT_DELAY`], or without the end of the dialogue after their share of the
//! time that is left. So every address has its turn before the deadline. Only one dialogue runs at
//! a time, unless it is late: when an address connects, the connects to others are canceled, and
//! repeated after them if that dialogue fails.
//!
//! With `AddressRule::EveryOne` all start at once.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::engine::inline_vec::InlineVec;
use crate::engine::session::action::{Action, Actions, AttemptId};
use crate::engine::session::attempt::{Attempt, AttemptPhase, Silence};
use crate::failure::{Failure, Status};
use crate::plan::{AddressSelection, Plan, ProbeSpec};
use crate::policy::{Decision, Policy};
use crate::report::ConnectionReport;

/// The most addresses of one name that a probe connects to. A larger answer is a misconfiguration
/// or an attack.
pub const MAX_ADDRESSES: usize = ProbeSpec::MAX_ADDRESSES;

/// The most attempts of a race. Peers that accept late and then fail could cause more.
const MAX_TRIES: usize = 4 * MAX_ADDRESSES;

/// How long an unanswered connect delays the next address (RFC 8305, section 8: "Connection Attempt
/// Delay"). It is shorter if the deadline would otherwise pass before the last address is tried.
pub const CONNECTION_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// An unanswered connect that was ended earlier says nothing about its address, since the path may
/// be long (RFC 8305, section 8: "Minimum Connection Attempt Delay").
const MIN_SILENCE: Duration = Duration::from_millis(100);

/// What the target needs to be up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum AddressRule {
    /// One address that passes.
    FirstToPass,
    /// All addresses.
    EveryOne,
}

impl AddressRule {
    /// The rule of this plan; `None` if only the first address is probed.
    pub fn of(plan: &Plan) -> Option<Self> {
        match plan.spec.addresses {
            AddressSelection::First => None,
            _ if plan.spec.needs_every_address() => Some(Self::EveryOne),
            AddressSelection::Any | AddressSelection::All => Some(Self::FirstToPass),
        }
    }
}

/// The probe of all addresses of a name.
#[derive(Debug)]
pub(in crate::engine) struct AddressRace {
    rule: AddressRule,
    /// The addresses in the order to try them, at most [`MAX_ADDRESSES`], denied ones included.
    order: Vec<IpAddr>,
    /// How many more addresses the name has.
    excess: usize,
    /// The addresses whose turn is still to come.
    waiting: VecDeque<IpAddr>,
    /// The attempts in the order of their start.
    tries: Vec<Try>,
    /// The representative attempt: the one that passed, or whose failure is reported.
    representative: Option<AttemptId>,
}

/// One attempt of a race.
#[derive(Debug)]
struct Try {
    address: IpAddr,
    /// The phase at the last check.
    phase: AttemptPhase,
    /// When it becomes late; `None` while it waits for our own limits.
    late_at: Option<Instant>,
    /// How late the session was with what it had to send, before this attempt.
    delay_before: Duration,
    result: TryResult,
}

/// What an attempt shows about its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TryResult {
    /// Its verdict.
    Verdict,
    /// Nothing: it was ended too early.
    Nothing,
    /// Nothing: this machine, or the end of the run, cut it short.
    CutShort,
}

/// The times and the plan of one call.
#[derive(Clone, Copy)]
pub(in crate::engine) struct RaceContext<'p> {
    /// The plan.
    pub plan: &'p Plan,
    /// The time.
    pub now: Instant,
    /// The probe's deadline.
    pub deadline: Instant,
    /// Whether the peer, or this machine, is the reason for which an address did not answer so far.
    pub silence: Silence,
    /// How late the session was with what it had to send so far.
    pub delay: Duration,
}

/// The state of a race.
#[derive(Debug)]
pub(in crate::engine) enum RaceState {
    /// Not decided yet.
    Running,
    /// The target is as expected.
    Passed,
    /// The target is not as expected, because of this failure.
    Failed(Arc<Failure>),
}

impl AddressRace {
    /// Starts a race between several addresses. The policy decides on each of them; those that it
    /// denies fail at once.
    pub fn start(
        rule: AddressRule,
        addresses: &[IpAddr],
        policy: &Policy,
        context: RaceContext<'_>,
        attempts: &mut InlineVec<Attempt>,
        actions: &mut Actions,
    ) -> Self {
        let mut order = match rule {
            AddressRule::FirstToPass => interleaved(addresses),
            AddressRule::EveryOne => addresses.to_vec(),
        };
        let excess = order.len().saturating_sub(MAX_ADDRESSES);
        order.truncate(MAX_ADDRESSES);
        let mut race = Self {
            rule,
            order,
            excess,
            waiting: VecDeque::new(),
            tries: Vec::new(),
            representative: None,
        };
        let (plan, port) = (context.plan, context.plan.target.port);
        for address in race.order.clone() {
            if let Decision::Denied(why) = plan.spec.decide(policy, address, port) {
                let id = AttemptId::new(attempts.as_slice().len());
                attempts.push(Attempt::denied(id, plan, address, &why, context.now));
                race.tries.push(Try::new(address));
            } else if rule == AddressRule::EveryOne {
                race.begin(address, context, attempts, actions);
            } else {
                race.waiting.push_back(address);
            }
        }
        race
    }

    /// How many of the session's first attempts belong to the race.
    pub fn attempts(&self) -> usize {
        self.tries.len()
    }

    /// The representative attempt, once the race is over.
    pub fn representative(&self) -> Option<AttemptId> {
        self.representative
    }

    /// What the target needs to be up.
    pub fn rule(&self) -> AddressRule {
        self.rule
    }

    /// How many addresses the name has.
    pub fn address_count(&self) -> usize {
        self.order.len() + self.excess
    }

    /// The attempts to report, one for each address, in order: of all addresses, or of those that
    /// have a verdict.
    pub fn reported(&self) -> impl Iterator<Item = AttemptId> + '_ {
        let addresses = self.order.iter();
        let last = addresses.filter_map(|address| self.last_try(*address));
        let is_reported = |result: &TryResult| {
            self.rule == AddressRule::EveryOne || *result == TryResult::Verdict
        };
        last.filter(move |(_, result)| is_reported(result))
            .map(|(index, _)| AttemptId::new(index))
    }

    /// The attempt that decides on this address, and what it shows: the last one, unless it had no
    /// time and an earlier one had.
    fn last_try(&self, address: IpAddr) -> Option<(usize, TryResult)> {
        let tries = || {
            let tries = self.tries.iter().enumerate().rev();
            tries.filter(move |(_, a_try)| a_try.address == address)
        };
        let mut with_time = tries().filter(|(_, a_try)| a_try.result != TryResult::Nothing);
        let (index, a_try) = with_time.next().or_else(|| tries().next())?;
        Some((index, a_try.result))
    }

    /// The addresses that a later attempt may connect to: all that the policy allows, in order.
    pub fn allowed(&self, attempts: &[Attempt]) -> Vec<IpAddr> {
        let is_denied = |address: &IpAddr| {
            attempts.iter().any(|attempt| {
                attempt.address() == *address && status_of(attempt) == Some(Status::Denied)
            })
        };
        let mut allowed = self.order.clone();
        allowed.retain(|address| !is_denied(address));
        allowed
    }

    /// When [`AddressRace::advance`] must be called at the latest, if an event does not come first.
    pub fn next_wake(&self) -> Option<Instant> {
        if self.waiting.is_empty() {
            return None;
        }
        let active = self.tries.iter();
        let mut active = active.filter(|a_try| a_try.phase != AttemptPhase::Decided);
        active.try_fold(None, |last, a_try| Some(last.max(Some(a_try.late_at?))))?
    }

    /// Examines the attempts, and starts the next one if it is time.
    pub fn advance(
        &mut self,
        context: RaceContext<'_>,
        attempts: &mut InlineVec<Attempt>,
        actions: &mut Actions,
    ) -> RaceState {
        loop {
            let connected = self.look_at(attempts.as_slice(), context);
            if self.rule == AddressRule::FirstToPass {
                if let Some(passed) = self.passed(attempts.as_slice(), context.plan) {
                    self.end_losers(passed, context, attempts.as_mut_slice(), actions);
                    self.representative = Some(passed);
                    return RaceState::Passed;
                }
                if let Some(connected) = connected {
                    self.put_off_connects(connected, context, attempts.as_mut_slice(), actions);
                }
            }
            let is_delayed = self.tries.iter().any(|a_try| a_try.is_in_time(context.now));
            match self.waiting.pop_front() {
                Some(address) if !is_delayed => {
                    self.explain_next(context.now, actions);
                    self.begin(address, context, attempts, actions);
                }
                Some(address) => {
                    self.waiting.push_front(address);
                    return RaceState::Running;
                }
                None if self.is_active() => return RaceState::Running,
                None => return self.conclude(attempts.as_slice(), context.plan),
            }
        }
    }

    /// Ends the race at the deadline, which has just ended these attempts. Those with an unknown
    /// result were cut short by this machine or by the end of the run.
    pub fn expire(
        &mut self,
        ended: &[AttemptId],
        context: RaceContext<'_>,
        attempts: &mut InlineVec<Attempt>,
    ) -> RaceState {
        for id in ended {
            let status = attempts.as_slice().get(id.index()).and_then(status_of);
            let is_unknown = status.is_some_and(Status::is_unknown);
            if let Some(a_try) = self.tries.get_mut(id.index()).filter(|_| is_unknown) {
                a_try.result = TryResult::CutShort;
            }
        }
        for address in std::mem::take(&mut self.waiting) {
            let last = self.last_try(address);
            if last.is_none_or(|(_, result)| result == TryResult::Nothing) {
                let id = AttemptId::new(attempts.as_slice().len());
                attempts.push(Attempt::not_tried(id, context.plan, address, context.now));
                self.tries.push(Try {
                    result: TryResult::CutShort,
                    ..Try::new(address)
                });
            }
        }
        if let Some(passed) = self
            .passed(attempts.as_slice(), context.plan)
            .filter(|_| self.rule == AddressRule::FirstToPass)
        {
            self.representative = Some(passed);
            return RaceState::Passed;
        }
        self.conclude(attempts.as_slice(), context.plan)
    }

    fn begin(
        &mut self,
        address: IpAddr,
        context: RaceContext<'_>,
        attempts: &mut InlineVec<Attempt>,
        actions: &mut Actions,
    ) {
        let id = AttemptId::new(attempts.as_slice().len());
        attempts.push(Attempt::new(
            id,
            context.plan,
            address,
            context.now,
            actions,
        ));
        self.tries.push(Try {
            phase: AttemptPhase::Queued,
            delay_before: context.delay,
            ..Try::new(address)
        });
    }

    /// Notes the phase of each attempt; a new phase has a new time limit. Returns the attempt that
    /// connected since the last check.
    fn look_at(&mut self, attempts: &[Attempt], context: RaceContext<'_>) -> Option<AttemptId> {
        let mut connected = None;
        let left = context.deadline.saturating_duration_since(context.now);
        let turns = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let share = left / turns.saturating_add(1);
        for (index, (a_try, attempt)) in self.tries.iter_mut().zip(attempts).enumerate() {
            let phase = attempt.phase();
            if phase == a_try.phase {
                continue;
            }
            a_try.phase = phase;
            a_try.late_at = match phase {
                AttemptPhase::Queued | AttemptPhase::Decided => None,
                AttemptPhase::Blocked | AttemptPhase::Connecting => {
                    Some(context.now + share.min(CONNECTION_ATTEMPT_DELAY))
                }
                AttemptPhase::Connected => {
                    connected = Some(AttemptId::new(index));
                    Some(context.now + share)
                }
            };
        }
        connected
    }

    /// The first attempt that passed.
    fn passed(&self, attempts: &[Attempt], plan: &Plan) -> Option<AttemptId> {
        let passed = |attempt: &Attempt| {
            attempt
                .report()
                .is_some_and(|report| report.verdict(plan.spec.expected).is_none())
        };
        let of_race = attempts.get(..self.tries.len())?;
        of_race.iter().position(passed).map(AttemptId::new)
    }

    /// Cancels the other connects once a connection is established, so that its dialogue is the
    /// only one. If the dialogue fails, they are repeated.
    fn put_off_connects(
        &mut self,
        connected: AttemptId,
        context: RaceContext<'_>,
        attempts: &mut [Attempt],
        actions: &mut Actions,
    ) {
        for index in 0..self.tries.len() {
            let Some(a_try) = self.tries.get(index) else {
                return;
            };
            let address = a_try.address;
            let connects = !matches!(a_try.phase, AttemptPhase::Connected | AttemptPhase::Decided);
            if connects && index != connected.index() {
                self.end(index, connected, context, attempts, actions);
                if self.tries.len() < MAX_TRIES {
                    self.waiting.push_back(address);
                }
            }
        }
    }

    /// Ends the attempts that have no verdict, since another one passed.
    fn end_losers(
        &mut self,
        passed: AttemptId,
        context: RaceContext<'_>,
        attempts: &mut [Attempt],
        actions: &mut Actions,
    ) {
        self.waiting.clear();
        for index in 0..self.tries.len() {
            let is_active = self
                .tries
                .get(index)
                .is_some_and(|a_try| a_try.phase != AttemptPhase::Decided);
            if is_active {
                self.end(index, passed, context, attempts, actions);
            }
        }
    }

    /// Ends an attempt in favor of another one. It has failed if it was late, unless it had very
    /// little time, as at the end of a run, or less time than the other connect took. Delays of
    /// this process are not counted.
    fn end(
        &mut self,
        index: usize,
        other: AttemptId,
        context: RaceContext<'_>,
        attempts: &mut [Attempt],
        actions: &mut Actions,
    ) {
        let connect = attempts.get(other.index()).and_then(Attempt::connect_time);
        let (Some(a_try), Some(attempt)) = (self.tries.get_mut(index), attempts.get_mut(index))
        else {
            return;
        };
        let delay = context.delay.saturating_sub(a_try.delay_before);
        let waited = context.now.saturating_duration_since(attempt.started());
        let waited = waited.saturating_sub(delay);
        let had_its_time = match a_try.phase {
            AttemptPhase::Connecting => waited >= connect.unwrap_or_default().max(MIN_SILENCE),
            AttemptPhase::Connected => waited >= CONNECTION_ATTEMPT_DELAY,
            AttemptPhase::Queued | AttemptPhase::Blocked | AttemptPhase::Decided => false,
        };
        let is_late = a_try.late_at.is_some_and(|late_at| late_at <= context.now);
        a_try.result = if is_late && had_its_time && context.silence == Silence::OfPeer {
            TryResult::Verdict
        } else {
            TryResult::Nothing
        };
        attempt.abandon(context.plan, context.now, actions);
        (a_try.phase, a_try.late_at) = (AttemptPhase::Decided, None);
    }

    /// Writes to the transcript why the next address is tried.
    fn explain_next(&self, now: Instant, actions: &mut Actions) {
        let late = self
            .tries
            .iter()
            .rposition(|a_try| a_try.phase != AttemptPhase::Decided && !a_try.is_in_time(now));
        if let Some(index) = late {
            let text = "no answer so far: the next address is tried at the same time".to_owned();
            actions.push_back(Action::Explain(AttemptId::new(index), text));
        }
    }

    fn is_active(&self) -> bool {
        self.tries
            .iter()
            .any(|a_try| a_try.phase != AttemptPhase::Decided)
    }

    /// The result, once every attempt has ended and none is to follow.
    fn conclude(&mut self, attempts: &[Attempt], plan: &Plan) -> RaceState {
        let last = || {
            let addresses = self.order.iter();
            addresses.filter_map(|address| self.last_try(*address))
        };
        let failures = || {
            last().filter_map(|(index, result)| {
                let report = attempts.get(index)?.report()?;
                let failure = report.verdict(plan.spec.expected)?;
                Some((index, result, failure))
            })
        };
        let was_cut = |(_, result, _): &(usize, TryResult, _)| *result != TryResult::Verdict;
        let was_tried = |(_, _, failure): &(usize, _, Arc<Failure>)| !failure.status.is_unknown();
        // With `FirstToPass`, an address that was not tried may be up, so its failure is reported.
        // With `EveryOne`, one address that is down decides.
        let first = match self.rule {
            AddressRule::FirstToPass => failures()
                .find(was_cut)
                .or_else(|| failures().find(was_tried)),
            AddressRule::EveryOne => failures().find(was_tried),
        };
        let first = first.or_else(|| failures().next());
        let index = first.as_ref().map(|(index, ..)| *index);
        let others = failures().filter(|(other, ..)| Some(*other) != index);
        let others: Vec<Status> = others.map(|(_, _, failure)| failure.status).collect();
        // An untrusted certificate that is only reported must be seen, whatever address serves it.
        let is_untrusted = |index: &usize| {
            let report = attempts.get(*index).and_then(Attempt::report);
            report.is_some_and(ConnectionReport::is_untrusted)
        };
        let indexes = || last().map(|(index, _)| index);
        let representative = index
            .or_else(|| indexes().find(is_untrusted))
            .or_else(|| indexes().next());
        let failure = first.map(|(_, _, failure)| failure);
        self.representative = representative.map(AttemptId::new);
        match (self.rule, failure) {
            (AddressRule::EveryOne, None) if self.excess == 0 => RaceState::Passed,
            (AddressRule::EveryOne, Some(failure)) => RaceState::Failed(failure),
            (AddressRule::FirstToPass, Some(failure)) if self.excess == 0 => {
                RaceState::Failed(with_others(failure, &others))
            }
            (_, failure) => RaceState::Failed(Arc::new(self.too_many(plan, failure.as_deref()))),
        }
    }

    /// The failure of a name with so many addresses that some were not probed, so that the state of
    /// the target is unknown.
    fn too_many(&self, plan: &Plan, failure: Option<&Failure>) -> Failure {
        let probed = match failure {
            None => "these are as expected, but the state of the others is unknown".to_owned(),
            Some(failure) => format!("none of these passed; the first failure: {}", failure.text),
        };
        let text = format!(
            "{} has {} addresses, and only {MAX_ADDRESSES} are probed: {probed}",
            plan.target.host,
            self.address_count(),
        );
        Failure::new(Status::LocalError, text)
    }
}

impl Try {
    /// An attempt that has ended.
    fn new(address: IpAddr) -> Self {
        Self {
            address,
            phase: AttemptPhase::Decided,
            late_at: None,
            delay_before: Duration::ZERO,
            result: TryResult::Verdict,
        }
    }

    /// Whether it runs and is not late.
    fn is_in_time(&self, now: Instant) -> bool {
        self.phase != AttemptPhase::Decided && self.late_at.is_none_or(|late_at| late_at > now)
    }
}

/// The failure of the first address, with the statuses of the others.
fn with_others(first: Arc<Failure>, others: &[Status]) -> Arc<Failure> {
    let mut names: Vec<_> = others.iter().map(|status| status.name()).collect();
    let mut seen: HashSet<_, RandomState> = HashSet::default();
    names.retain(|name| seen.insert(*name));
    let names = names.join(", ");
    let text = match others.len() {
        0 => return first,
        1 => format!("{}; the other address: {names}", first.text),
        number => format!("{}; the other {number} addresses: {names}", first.text),
    };
    Arc::new(Failure {
        text,
        ..Failure::clone(&first)
    })
}

fn status_of(attempt: &Attempt) -> Option<Status> {
    let failure = attempt
        .report()
        .map(|report: &ConnectionReport| &report.failure);
    failure?.as_ref().map(|failure| failure.status)
}

/// The addresses without duplicates, in their order.
pub(in crate::engine) fn distinct(addresses: &[IpAddr]) -> Cow<'_, [IpAddr]> {
    if addresses.len() < 2 {
        return Cow::Borrowed(addresses);
    }
    let mut seen: HashSet<_, RandomState> = HashSet::default();
    let mut distinct = addresses.to_vec();
    distinct.retain(|address| seen.insert(*address));
    Cow::Owned(distinct)
}

/// The addresses with the families in turn, beginning with that of the first (RFC 8305, section 4,
/// with a "First Address Family Count" of 1).
fn interleaved(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let first_is_v4 = addresses.first().is_some_and(IpAddr::is_ipv4);
    let of_family = |is_v4: bool| {
        addresses
            .iter()
            .filter(move |other| other.is_ipv4() == is_v4)
    };
    let (mut one, mut other) = (of_family(first_is_v4), of_family(!first_is_v4));
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(one.next());
        order.extend(other.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate_beginning_with_that_of_the_first() {
        let list = |words: &str| -> Vec<IpAddr> {
            words.split(' ').map(|word| word.parse().unwrap()).collect()
        };
        assert_eq!(
            interleaved(&list("::1 ::2 ::3 10.0.0.1 10.0.0.2")),
            list("::1 10.0.0.1 ::2 10.0.0.2 ::3")
        );
        assert_eq!(
            interleaved(&list("10.0.0.1 ::1 ::2 10.0.0.2")),
            list("10.0.0.1 ::1 10.0.0.2 ::2")
        );
        assert_eq!(distinct(&list("::2 ::1 ::2")), list("::2 ::1"));
    }
}

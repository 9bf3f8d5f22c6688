//! How a session uses [`race`](crate::engine::session::race): for the whole probe, or for the first
//! of several attempts.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::session::action::{Actions, AttemptId};
use crate::engine::session::attempt::Attempt;
use crate::engine::session::race::{AddressRace, AddressRule, RaceContext, RaceState};
use crate::engine::session::{RemainingAttempts, Session, SessionState};
use crate::failure::Failure;
use crate::plan::{Expected, Plan};
use crate::policy::Policy;
use crate::report::ConnectionReport;

impl Session {
    /// Starts to try the addresses of a name.
    pub(super) fn start_race(
        &mut self,
        rule: AddressRule,
        addresses: &[IpAddr],
        policy: &Policy,
        now: Instant,
        actions: &mut Actions,
    ) {
        let plan = Arc::clone(&self.plan);
        let context = self.race_context(&plan, now);
        let attempts = &mut self.attempts;
        let race = AddressRace::start(rule, addresses, policy, context, attempts, actions);
        self.extra().race = Some(Box::new(race));
        self.state = SessionState::Racing;
    }

    /// Tries the next address if it is time, and takes the result of the race once there is one.
    pub(super) fn advance_race(&mut self, now: Instant, actions: &mut Actions) {
        let plan = Arc::clone(&self.plan);
        let context = self.race_context(&plan, now);
        if let Some(race) = self.extra.as_mut().and_then(|extra| extra.race.as_mut()) {
            let state = race.advance(context, &mut self.attempts, actions);
            if matches!(state, RaceState::Passed) {
                self.end_other_inspections(actions);
            }
            self.end_race(state, now);
            self.start_due(now, actions);
        }
    }

    /// The attempts of a race that have no verdict yet.
    pub(super) fn undecided(&self) -> Vec<AttemptId> {
        if self.state != SessionState::Racing {
            return Vec::new();
        }
        let attempts = self.attempts().iter().enumerate();
        let undecided = attempts.filter(|(_, attempt)| !attempt.is_decided());
        undecided.map(|(index, _)| AttemptId::new(index)).collect()
    }

    /// Ends the race at the deadline, which has just ended these attempts.
    pub(super) fn expire_race(&mut self, ended: &[AttemptId], now: Instant) {
        if self.state != SessionState::Racing {
            return;
        }
        let plan = Arc::clone(&self.plan);
        let context = self.race_context(&plan, now);
        if let Some(race) = self.extra.as_mut().and_then(|extra| extra.race.as_mut()) {
            let state = race.expire(ended, context, &mut self.attempts);
            self.end_race(state, now);
            if self.state == SessionState::Repeating {
                self.state = SessionState::Started;
            }
        }
    }

    fn race_context<'p>(&self, plan: &'p Plan, now: Instant) -> RaceContext<'p> {
        RaceContext {
            plan,
            now,
            deadline: self.deadline(),
            silence: self.silence(),
            delay: self
                .extra
                .as_ref()
                .map_or(Duration::ZERO, |extra| extra.delay),
        }
    }

    /// Takes the result of the race. It is the verdict, or the result of the first of several
    /// attempts. The others are then made to the address that passed, so that their times and their
    /// loss are those of one path; if none passed, to all in turn.
    fn end_race(&mut self, state: RaceState, now: Instant) {
        let failure = match state {
            RaceState::Running => return,
            RaceState::Passed => None,
            RaceState::Failed(failure) => Some(failure),
        };
        let attempts = self.plan.spec.attempts;
        let repeats = attempts.map_or(0, |attempts| attempts.count.get() - 1);
        let mut rotation = self.rotation(failure.as_deref());
        match (attempts, rotation.pop_front()) {
            (Some(attempts), Some(address)) if repeats > 0 => {
                let first = self.attempts().get(self.representative());
                let since = first.map_or(now, Attempt::started);
                self.extra().remaining = Some(RemainingAttempts {
                    address,
                    rotation,
                    next: now.max(since + attempts.interval),
                    count: repeats,
                });
                self.state = SessionState::Repeating;
            }
            _ => self.decide(failure, now),
        }
    }

    /// The addresses of the attempts that follow the race, in turn; none if they could not change
    /// its result.
    fn rotation(&self, failure: Option<&Failure>) -> VecDeque<IpAddr> {
        let race = self.extra.as_ref().and_then(|extra| extra.race.as_ref());
        match (race, failure) {
            (Some(race), Some(failure))
                if race.rule() == AddressRule::EveryOne || failure.status.is_unknown() =>
            {
                VecDeque::new()
            }
            (Some(race), None) if race.rule() == AddressRule::FirstToPass => {
                let passed = self.attempts().get(self.representative());
                passed.map(Attempt::address).into_iter().collect()
            }
            (Some(race), _) => race.allowed(self.attempts()).into(),
            (None, _) => VecDeque::new(),
        }
    }
}

/// The reports of the addresses of a race. Of an address that failed in it, and passed a later
/// attempt, it is that of the later one.
pub(super) fn of_addresses(
    race: &AddressRace,
    reports: &[Option<ConnectionReport>],
    expected: Expected,
) -> Box<[ConnectionReport]> {
    let passed = |report: &&ConnectionReport| report.verdict(expected).is_none();
    let later = || reports.iter().skip(race.attempts()).flatten();
    let of_race = race
        .reported()
        .filter_map(|id| reports.get(id.index())?.as_ref());
    let best = of_race.map(|first| {
        let mut later = later().filter(|later| later.address == first.address);
        let later = later.rfind(passed).filter(|_| !passed(&first));
        later.unwrap_or(first).clone()
    });
    best.collect()
}

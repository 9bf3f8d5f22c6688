//! Derives the verdict of a session from the verdicts of its attempts: which attempts count, which
//! failure is reported, which attempt the report describes, and the statistics.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::session::action::AttemptId;
use crate::engine::session::attempt::{Attempt, Cutoff};
use crate::engine::session::{Session, messages};
use crate::failure::{Failure, Status};
use crate::stats::RunningStats;

/// The initial retransmission timeout (RFC 6298, section 2). An attempt that is unanswered for
/// longer has lost a segment.
const INITIAL_RTO: Duration = Duration::from_secs(1);

impl Session {
    /// The attempts that count, with their indices; those of a race count as one.
    fn counted(&self) -> impl DoubleEndedIterator<Item = (usize, &Attempt)> + Clone {
        let race = self.extra.as_ref().and_then(|extra| extra.race.as_ref());
        let (of_race, index) = race.map_or((0, None), |race| {
            let representative = race.representative().map(AttemptId::index);
            (race.attempts(), representative)
        });
        let attempts = self.attempts();
        let first = index.and_then(|index| Some((index, attempts.get(index)?)));
        let others = attempts.iter().enumerate().skip(of_race);
        first.into_iter().chain(others)
    }

    /// The failure of the whole probe, if it failed: as many attempts as required must succeed. A
    /// failure of an actual attempt is preferred over a local failure to attempt.
    pub(super) fn overall_failure(&self, cutoff: Option<Cutoff>) -> Option<Arc<Failure>> {
        let plan = &self.plan;
        if let ([only], None) = (self.attempts(), plan.spec.attempts) {
            return only.report()?.verdict(plan.spec.expected);
        }
        let attempts = || self.counted().map(|(_, attempt)| attempt);
        let reports = || attempts().filter_map(Attempt::report);
        let failures = || reports().filter_map(|report| report.verdict(plan.spec.expected));
        let attempted = || failures().filter(was_attempted);
        let Some(several) = plan.spec.attempts else {
            return attempted().next().or_else(|| failures().next());
        };
        let ok = reports().count() - failures().count();
        let required = several.require.get();
        if u32::try_from(ok).unwrap_or(u32::MAX) >= required {
            return None;
        }
        let cut_off = failures().filter(|failure| failure.status == Status::NotTried);
        let missing = (several.count.get() as usize).saturating_sub(attempts().count());
        if cutoff == Some(Cutoff::RunEnd) && ok + cut_off.count() + missing >= required as usize {
            // Those that the end of the run prevented could have been enough.
            return Some(Arc::new(messages::attempts_cut_off(plan)));
        }
        let Some(last) = attempted().next_back().or_else(|| failures().next_back()) else {
            let text = format!(
                "only {ok} attempts could start before the deadline, {required} are required"
            );
            return Some(Arc::new(Failure::new(Status::NotTried, text)));
        };
        if required == 1 || last.status == Status::Denied {
            return Some(last);
        }
        let text = format!(
            "{ok} of {} attempts succeeded, {required} are required; last failure: {}",
            attempts().count(),
            last.text
        );
        Some(Arc::new(Failure {
            text,
            ..Failure::clone(&last)
        }))
    }

    /// The index of the attempt that the report describes: the last that succeeded, else the last.
    /// Attempts whose SYN was sent are preferred.
    pub(super) fn representative(&self) -> usize {
        if self.attempts().len() == 1 {
            return 0;
        }
        let verdict = |attempt: &Attempt| {
            let report = attempt.report()?;
            Some(report.verdict(self.plan.spec.expected))
        };
        let is_up = |(_, attempt): &(usize, &Attempt)| matches!(verdict(attempt), Some(None));
        let has_failed = |(_, attempt): &(usize, &Attempt)| {
            verdict(attempt)
                .flatten()
                .as_ref()
                .is_some_and(was_attempted)
        };
        let mut counted = self.counted().rev();
        let last = counted.clone().find(is_up);
        let last = last.or_else(|| counted.clone().find(has_failed));
        last.or_else(|| counted.next())
            .map_or(0, |(index, _)| index)
    }

    /// The statistics of several attempts. An attempt that the deadline ended within the first
    /// retransmission timeout is not counted, because its answer may just have been slow. The first
    /// attempt had the whole deadline, so it counts. What the end of the run cut off is not counted,
    /// nor what says nothing about the target: a denied address, and an error of this machine.
    pub(super) fn statistics(&self) -> RunningStats {
        let mut stats = RunningStats::default();
        for (index, (_, attempt)) in self.counted().enumerate() {
            let Some(report) = attempt.report() else {
                continue;
            };
            let hit_deadline =
                report.failure.is_some() && attempt.started() + report.total >= self.deadline();
            let was_short = report.total < INITIAL_RTO && index > 0;
            match (report.verdict(self.plan.spec.expected), report.connect) {
                (Some(failure), _)
                    if matches!(
                        failure.status,
                        Status::Denied | Status::NotTried | Status::LocalError
                    ) => {}
                (None, connect) => stats.add_success(connect.unwrap_or(report.total)),
                (Some(_), _) if hit_deadline && was_short => {}
                (Some(_), _) => stats.add_failure(),
            }
        }
        stats
    }
}

/// Whether a SYN was sent, so that the failure says something about the target.
fn was_attempted(failure: &Arc<Failure>) -> bool {
    !matches!(failure.status, Status::NotTried | Status::LocalError)
}

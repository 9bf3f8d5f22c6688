//! An open connection: its dialogue, the clocks of that, and what was found so far.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::dialogue::{Dialogue, Input, Progress};
use crate::engine::session::action::{Action, Actions, AttemptId};
use crate::failure::{Failure, Status};
use crate::plan::Plan;
use crate::plan::steps::Step;
use crate::report::{ConnectionReport, DialogueReport};

/// How long it must be quiet before a match that further bytes could change counts.
const QUIET: Duration = Duration::from_millis(50);

/// One open connection.
#[derive(Debug)]
pub(in crate::engine) struct Open {
    /// What is known of it; its verdict comes last.
    pub trial: ConnectionReport,
    /// What is said on it.
    pub dialogue: Dialogue,
    id: AttemptId,
    since: Instant,
    first_byte: Option<Duration>,
    /// Which step is under way, and when that has taken too long.
    step: (usize, Option<Instant>),
    /// When it has been quiet for long enough; after the verdict, when the peer had enough time for its FIN.
    settles: Option<Instant>,
}

/// Where a dialogue is after it went as far as it could.
pub(in crate::engine) enum Flow {
    /// It waits for the peer.
    GoesOn,
    /// It is over, with this failure if it has one.
    Ended(Option<Failure>),
}

impl Open {
    /// A connection that was open just now.
    pub fn new(id: AttemptId, plan: &Plan, trial: ConnectionReport, now: Instant) -> Self {
        let (step, dialogue) = ((usize::MAX, None), Dialogue::new(plan));
        Self {
            trial,
            dialogue,
            id,
            since: now,
            first_byte: None,
            step,
            settles: None,
        }
    }

    /// When it wants to be asked again.
    pub fn next_wake(&self) -> Option<Instant> {
        [self.step.1, self.settles].into_iter().flatten().min()
    }

    /// Whether the time of the current step is over.
    pub fn is_late(&self, now: Instant) -> bool {
        self.step.1.is_some_and(|limit| limit <= now)
    }

    /// Takes what the peer said.
    pub fn hear(&mut self, bytes: &[u8], now: Instant) {
        self.first_byte
            .get_or_insert_with(|| now.saturating_duration_since(self.since));
        self.dialogue.feed(bytes);
    }

    /// Takes what the peer says after the verdict: shown where nothing was expected.
    pub fn overhear(&mut self, plan: &Plan, bytes: &[u8]) {
        self.dialogue.feed(bytes);
        if !plan
            .spec
            .steps
            .iter()
            .any(|step| matches!(step, Step::Expect(_)))
        {
            self.trial.exchange.get_or_insert_default().response = self.dialogue.response();
        }
    }

    /// Goes on with the dialogue as far as it can.
    pub fn advance(
        &mut self,
        plan: &Plan,
        moment: Input,
        now: Instant,
        actions: &mut Actions,
    ) -> Flow {
        if self.is_sending(plan) {
            return self.hold_out(plan);
        }
        let before = self.dialogue.position();
        let progress = self.dialogue.advance(plan, moment);
        self.explain(plan, before, actions);
        let (status, why) = match progress {
            Progress::Done => return Flow::Ended(None),
            Progress::Wait | Progress::Unsettled | Progress::Send(_) => {
                let position = self.dialogue.position();
                if self.step.0 != position {
                    self.step = (position, step_limit(plan, position, now));
                }
                self.settles = (progress == Progress::Unsettled).then_some(now + QUIET);
                if let Progress::Send(bytes) = progress {
                    actions.push_back(Action::Send(self.id, bytes));
                }
                return Flow::GoesOn;
            }
            Progress::Rejected(pattern) => (
                Status::Rejected,
                format!("the answer has {pattern}, which is rejected"),
            ),
            Progress::Impossible => (
                Status::Mismatch,
                format!("the answer is not {}", self.wanted(plan)),
            ),
            Progress::TooMuch(bytes) => (
                Status::Mismatch,
                format!("{bytes} bytes came without {}", self.wanted(plan)),
            ),
        };
        let text = format!("{}{why}{}", self.step_prefix(plan), self.excerpt(plan));
        Flow::Ended(Some(Failure::new(status, text)))
    }

    /// Whether the bytes of the current step are on their way: they were wished for, and are asked for once.
    fn is_sending(&self, plan: &Plan) -> bool {
        let position = self.dialogue.position();
        self.step.0 == position && matches!(plan.spec.steps.get(position), Some(Step::Send(_)))
    }

    /// Keeps what the peer says before it took all that is sent, up to the bound of any step.
    fn hold_out(&self, plan: &Plan) -> Flow {
        let ahead = self.dialogue.ahead();
        if ahead < plan.spec.max_bytes {
            return Flow::GoesOn;
        }
        let text = format!(
            "{}{ahead} bytes came before ours were sent{}",
            self.step_prefix(plan),
            self.excerpt(plan)
        );
        Flow::Ended(Some(Failure::new(Status::Mismatch, text)))
    }

    /// Says which expectations were met since this step.
    fn explain(&self, plan: &Plan, since: usize, actions: &mut Actions) {
        for (number, step) in plan
            .spec
            .steps
            .iter()
            .enumerate()
            .take(self.dialogue.position())
            .skip(since)
        {
            if let Step::Expect(expect) = step {
                actions.push_back(Action::Explain(
                    self.id,
                    format!("step {}: {} came", number + 1, expect.wanted),
                ));
            }
        }
    }

    /// Fixes the verdict of a connection that began then.
    pub fn conclude(
        &mut self,
        plan: &Plan,
        failure: Option<Failure>,
        started: Instant,
        now: Instant,
    ) {
        self.trial.total = now.saturating_duration_since(started);
        let response = self.dialogue.response();
        let has_steps = !plan.spec.steps.is_empty();
        if has_steps || response.is_some() {
            self.trial.exchange = Some(Box::new(DialogueReport {
                first_byte: self.first_byte,
                took: (has_steps && failure.is_none())
                    .then(|| now.saturating_duration_since(self.since)),
                step: has_steps.then(|| self.dialogue.step(plan)),
                response,
                captures: self.dialogue.captures().to_vec(),
            }));
        }
        self.trial.failure = failure.map(Arc::new);
    }

    /// Says the protocol's goodbye, if it has one, and FIN.
    pub fn say_goodbye(&self, plan: &Plan, actions: &mut Actions) {
        if let Some(quit) = &plan.spec.quit {
            actions.push_back(Action::Send(self.id, self.dialogue.fill(quit)));
        }
        actions.push_back(Action::Shutdown(self.id));
    }

    /// From now on it only waits for the peer to leave, at most until then.
    pub fn wait_for_fin(&mut self, until: Instant) {
        (self.step.1, self.settles) = (None, Some(until));
    }
}

/// When a step has taken too long, where it has a limit of its own.
fn step_limit(plan: &Plan, position: usize, now: Instant) -> Option<Instant> {
    match plan.spec.steps.get(position) {
        Some(Step::Expect(expect)) => expect.timeout.map(|timeout| now + timeout),
        Some(Step::Send(_)) | None => None,
    }
}

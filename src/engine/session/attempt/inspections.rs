//! The further connections of an attempt, which read what its first connection could not
//! ([`Inspection`](crate::plan::layer::Inspection)).
//!
//! They follow one another, to the same address. Each is an attempt inside the attempt, with the
//! same number: the connection before it is closed. The report stays that of the first connection;
//! the others add facts of the peer to it. Only an inspection that decides changes the verdict, which
//! is not fixed before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::session::action::{Action, Actions};
use crate::engine::session::attempt::{Attempt, AttemptState};
use crate::failure::{Failure, Status};
use crate::plan::layer::{Inspected, Inspection, SharedLayer};
use crate::plan::steps::Step;
use crate::plan::{Close, Plan, ProbeSpec};
use crate::report::ConnectionReport;
use crate::tls_facts::TlsVersion;

/// The most further connections of one attempt.
pub const MAX_INSPECTIONS: usize = 6;

/// With less time before the deadline no further connection is made.
pub const LEAST_TIME: Duration = Duration::from_millis(100);

/// Which further connections may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum AllowedInspections {
    /// None any more.
    Nothing,
    /// Those that decide; the others may follow once the report describes this attempt.
    Deciding,
    /// All.
    All,
}

/// A connection with a layer that was closed.
#[derive(Debug)]
pub(in crate::engine) struct ClosedConnection {
    /// Its report.
    pub report: ConnectionReport,
    /// How many inspections were made.
    inspections: usize,
    verdict: VerdictState,
    /// Whether further inspections are postponed until the report describes this attempt.
    is_postponed: bool,
}

/// Whether an inspection can change the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum VerdictState {
    /// It can.
    Open,
    /// It cannot.
    Fixed,
}

/// A further connection.
#[derive(Debug)]
pub(in crate::engine) struct RunningInspection {
    /// The connection that was closed before it.
    closed: ClosedConnection,
    /// The plan with the layer of the inspection.
    plan: Plan,
    /// The further connection.
    pub attempt: Attempt,
}

impl ClosedConnection {
    /// A connection that was closed just now.
    pub fn new(report: ConnectionReport, verdict: VerdictState) -> Self {
        Self {
            report,
            inspections: 0,
            verdict,
            is_postponed: false,
        }
    }

    fn status(&self) -> Status {
        let failure = self.report.failure.as_ref();
        failure.map_or(Status::Ok, |failure| failure.status)
    }

    /// The next inspection that the layer requires.
    fn next(&self, plan: &Plan) -> Option<Inspection> {
        if self.inspections >= MAX_INSPECTIONS {
            return None;
        }
        let dialogue = self.report.dialogue.as_ref();
        plan.spec.layer()?.0.inspection(&Inspected {
            status: self.status(),
            facts: dialogue.and_then(|dialogue| dialogue.tls.as_deref()),
            inspections: self.inspections,
        })
    }

    /// Takes the result of an inspection of this attempt with this plan, whose first SYN was sent at
    /// `started`.
    fn add(&mut self, inspection: ConnectionReport, plan: &Plan, started: Instant, now: Instant) {
        let facts = inspection.dialogue.and_then(|dialogue| dialogue.tls);
        // Nothing of the dialogue is done after the start of the layer, so a mismatch is that of the
        // certificate then.
        let has_certificate = facts
            .as_ref()
            .is_some_and(|facts| facts.verification.is_some());
        if let Some(facts) = facts {
            let known = &mut self.report.dialogue.get_or_insert_default().tls;
            match known {
                Some(known) => known.add(*facts),
                None => *known = Some(facts),
            }
        }
        if self.verdict == VerdictState::Fixed {
            return;
        }
        self.report.total = now.saturating_duration_since(started);
        // Whether a failed inspection replaces the verdict: it verified the peer, or this machine could
        // not make it, so that nothing is known. If it failed although it has read the certificate,
        // the failure of the handshake stands, and the reason follows it.
        let decides = |status: Status| match status {
            Status::TlsFailed => !has_certificate,
            Status::Mismatch => has_certificate,
            status => status == Status::TlsUntrusted || status.is_unknown(),
        };
        self.report.failure = match (inspection.failure, self.report.failure.take()) {
            (Some(failure), Some(first)) if !decides(failure.status) => {
                let why = format!(
                    "an additional connection, needed for the verdict, failed: {}",
                    failure.text
                );
                Some(Arc::new(first.with_reason(&why)))
            }
            // What the dialogue was to verify was not.
            (None, Some(first)) if has_steps_within_layer(plan) => {
                Some(Arc::new(self.without_dialogue(&first)))
            }
            (failure, _) => failure,
        };
    }

    /// The failure of a dialogue that could not be run, although the inspection has accepted the
    /// certificate.
    fn without_dialogue(&self, first: &Failure) -> Failure {
        let dialogue = self.report.dialogue.as_ref();
        let version = dialogue.and_then(|dialogue| dialogue.tls.as_ref()?.version);
        let within = version.map_or("this TLS", TlsVersion::name);
        let text = format!(
            "{}; the certificate is accepted, but the dialogue cannot be run within {within}: remove \
             its steps to check the certificate alone",
            first.text
        );
        Failure {
            text,
            ..first.clone()
        }
    }
}

/// Whether the dialogue has steps after the start of the layer. An inspection runs none of them.
fn has_steps_within_layer(plan: &Plan) -> bool {
    let steps = &plan.spec.steps;
    let is_start = |step: &Step| matches!(step, Step::StartTls(_));
    match steps.iter().position(is_start) {
        Some(start) => start + 1 < steps.len(),
        None => !steps.is_empty(),
    }
}

impl RunningInspection {
    /// The report of the attempt so far.
    pub fn report(&self) -> &ConnectionReport {
        &self.closed.report
    }

    /// The same, to change it.
    pub fn report_mut(&mut self) -> &mut ConnectionReport {
        &mut self.closed.report
    }

    /// Whether it may change the verdict.
    pub fn decides(&self) -> bool {
        self.closed.verdict == VerdictState::Open
    }
}

impl Attempt {
    /// Calls this for the connection that is running: that of an inspection, with its plan, if there
    /// is one.
    pub fn drive(&mut self, plan: &Plan, then: impl FnOnce(&mut Self, &Plan)) {
        match &mut self.state {
            AttemptState::Inspecting(running) => then(&mut running.attempt, &running.plan),
            _ => then(self, plan),
        }
    }

    /// Whether an inspection is running.
    pub fn is_inspecting(&self) -> bool {
        matches!(self.state, AttemptState::Inspecting(_))
    }

    /// Whether [`Attempt::inspect`] must be called: its last connection has ended.
    pub fn awaits_inspection(&self) -> bool {
        match &self.state {
            AttemptState::Closed(closed) => !closed.is_postponed,
            AttemptState::Inspecting(running) => running.attempt.is_over(),
            _ => false,
        }
    }

    /// The report describes this attempt: the postponed inspections are made.
    pub fn resume_inspections(&mut self) {
        if let AttemptState::Closed(closed) = &mut self.state {
            closed.is_postponed = false;
        }
    }

    /// Takes the result of an inspection that has ended, and starts the next one that the layer asks
    /// for, if that is allowed.
    pub fn inspect(
        &mut self,
        plan: &Plan,
        allowed: AllowedInspections,
        now: Instant,
        actions: &mut Actions,
    ) {
        let mut closed = match self.take_state() {
            AttemptState::Closed(closed) => closed,
            AttemptState::Inspecting(running) if running.attempt.is_over() => {
                let RunningInspection {
                    mut closed,
                    attempt,
                    ..
                } = *running;
                if let Some(report) = attempt.into_report() {
                    closed.add(report, plan, self.started, now);
                }
                Box::new(closed)
            }
            other => {
                self.state = other;
                return;
            }
        };
        let next = match allowed {
            AllowedInspections::Nothing => None,
            AllowedInspections::Deciding | AllowedInspections::All => closed.next(plan),
        };
        let Some(next) = next else {
            self.state = AttemptState::Over(Box::new(closed.report));
            return;
        };
        if !next.decides || closed.status() != Status::TlsFailed {
            closed.verdict = VerdictState::Fixed;
        }
        if allowed == AllowedInspections::Deciding && closed.verdict == VerdictState::Fixed {
            closed.is_postponed = true;
            self.state = AttemptState::Closed(closed);
            return;
        }
        closed.inspections += 1;
        let text = "a further connection reads what this one could not".to_owned();
        actions.push_back(Action::Explain(self.id, text));
        let plan = with_layer(plan, &next.layer);
        self.state = AttemptState::Inspecting(Box::new(RunningInspection {
            attempt: Self::new(self.id, &plan, self.address, now, actions),
            closed: *closed,
            plan,
        }));
    }

    /// Ends the inspection that is running, if there is one; its result is not needed any more.
    pub fn end_inspections(&mut self, actions: &mut Actions) {
        self.state = match self.take_state() {
            AttemptState::Inspecting(running) => {
                if !running.attempt.is_over() {
                    actions.push_back(Action::Close(self.id, Close::Fin));
                }
                AttemptState::Over(Box::new(running.closed.report))
            }
            other => other,
        };
    }
}

/// The plan with this layer instead of its own. All steps stay, since their secrets are redacted in
/// every text, but none after the start of the layer is done.
fn with_layer(plan: &Plan, layer: &SharedLayer) -> Plan {
    let mut spec = ProbeSpec::clone(&plan.spec);
    if let Some(own) = &mut spec.layer {
        *own = layer.clone();
    }
    for step in &mut spec.steps {
        if let Step::StartTls(own) = step {
            *own = layer.clone();
        }
    }
    Plan {
        spec: Arc::new(spec),
        ..plan.clone()
    }
}

//! An established connection: its dialogue, the times of the dialogue, and the report so far.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::dialogue::{Dialogue, Input, Progress};
use crate::engine::session::action::{Action, Actions, AttemptId, PeerRefusal};
use crate::engine::session::exchange;
use crate::engine::session::exchange::PeerAnswer;
use crate::engine::session::layer_state::{Acceptance, LayerState};
use crate::engine::session::messages::{self, Ending, excerpt, quoted, step_prefix, wanted};
use crate::failure::{Failure, Status};
use crate::os::socket::TcpExchange;
use crate::plan::Plan;
use crate::plan::layer::{LayerError, SharedLayer};
use crate::plan::steps::Step;
use crate::report::{ConnectionReport, DialogueReport, ExchangeFacts};
use crate::tls_facts::TlsFacts;

/// How long no data may arrive before a match counts that further bytes could have changed.
const QUIET: Duration = Duration::from_millis(50);

/// How long a graceful close waits for the peer's FIN.
pub(in crate::engine) const DRAIN: Duration = Duration::from_millis(100);

/// The most bytes that are read after the verdict, so that the connection can be closed with FIN.
const MAX_DRAINED: u64 = 256 * 1024;

/// One established connection.
#[derive(Debug)]
pub(in crate::engine) struct Established {
    /// The report of the connection; its failure is set last.
    pub report: ConnectionReport,
    /// The dialogue on it.
    pub dialogue: Dialogue,
    id: AttemptId,
    /// When the dialogue started.
    since: Instant,
    /// The layer, once its handshake has started. Boxed because most connections have none.
    pub layer: Option<Box<LayerState>>,
    first_byte: Option<Duration>,
    /// What became of the bytes that were sent, if the kernel was asked. Boxed because it is asked
    /// only when the peer is silent.
    exchange: Option<Box<TcpExchange>>,
    /// The number of bytes received until the verdict.
    received_at_verdict: u64,
    /// The step that is running.
    step: RunningStep,
    /// When a tentative match counts. While draining, when the wait for the peer's FIN is over.
    quiet_until: Option<Instant>,
    /// Whether [`Action::Continue`] was issued and not answered yet.
    pub continues: bool,
    /// The end of the connection, if it came while received bytes waited to be compared.
    pub postponed: Option<Box<Postponed>>,
}

/// The end of a connection, which waits until received bytes are compared.
#[derive(Debug)]
pub(in crate::engine) enum Postponed {
    /// The peer sent FIN.
    PeerClosed,
    /// The connection was lost.
    Failed(Failure),
    /// Received bytes are invalid in the layer.
    LayerFailed(LayerError),
}

/// The step of a dialogue that is running.
#[derive(Debug)]
struct RunningStep {
    /// Its index; `usize::MAX` before the first step.
    index: usize,
    /// When it times out, if it has a timeout of its own.
    deadline: Option<Instant>,
}

/// The state of a dialogue that went as far as it could.
pub(in crate::engine) enum Flow {
    /// It waits for the peer.
    Waits,
    /// It waits for the handshake of a layer, which was requested.
    Handshakes,
    /// It ended, with this failure if it failed.
    Ended(Option<Failure>),
}

impl Established {
    /// A connection that was established just now.
    pub fn new(id: AttemptId, plan: &Plan, report: ConnectionReport, now: Instant) -> Self {
        Self {
            dialogue: Dialogue::new(plan, report.address),
            report,
            id,
            since: now,
            layer: None,
            first_byte: None,
            exchange: None,
            received_at_verdict: 0,
            step: RunningStep {
                index: usize::MAX,
                deadline: None,
            },
            quiet_until: None,
            continues: false,
            postponed: None,
        }
    }

    /// When time alone changes its state, if at all.
    pub fn next_wake(&self) -> Option<Instant> {
        [self.step.deadline, self.quiet_until]
            .into_iter()
            .flatten()
            .min()
    }

    /// Shifts its times by a time for which the clock of the probe was stopped.
    pub fn shift_clock(&mut self, by: Duration) {
        self.since += by;
        if let Some(layer) = &mut self.layer {
            layer.shift_clock(by);
        }
        for time in [&mut self.step.deadline, &mut self.quiet_until] {
            *time = time.map(|time| time + by);
        }
    }

    /// Whether the current step has timed out.
    pub fn is_late(&self, now: Instant) -> bool {
        self.step.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether the current step waits for silence, and its time is over.
    pub fn is_past_silence(&self, plan: &Plan, now: Instant) -> bool {
        let step = plan.spec.steps.get(self.dialogue.position());
        self.is_late(now) && matches!(step, Some(Step::Silence(_)))
    }

    /// Continues after a step that waits for silence, if its time is over. Whatever the peer sent
    /// before was delivered by now.
    pub fn end_silence(&mut self, plan: &Plan, now: Instant) {
        if self.is_past_silence(plan, now) {
            self.step.deadline = None;
            self.dialogue.was_silent();
        }
    }

    /// Requests the handshake of this layer.
    pub fn start_handshake(&mut self, layer: SharedLayer, now: Instant, actions: &mut Actions) {
        self.layer = Some(Box::new(LayerState::new(&self.report, now)));
        (self.step.deadline, self.quiet_until) = (None, None);
        actions.push_back(Action::Secure(self.id, layer));
    }

    /// The handshake completed. The dialogue starts now, or continues after its [`Step::StartTls`].
    pub fn handshake_completed(&mut self, plan: &Plan, refusal: PeerRefusal, now: Instant) {
        if let Some(layer) = &mut self.layer {
            layer.completed(refusal, now);
        }
        match plan.spec.steps.get(self.dialogue.position()) {
            Some(Step::StartTls(_)) => self.dialogue.secured(),
            _ => self.since = now,
        }
    }

    /// Takes the facts of the layer about the peer.
    pub fn learn(&mut self, facts: Box<TlsFacts>) {
        if let Some(layer) = &mut self.layer {
            layer.facts = Some(facts);
        }
    }

    /// Whether the peer can reject the connection after the handshake.
    pub fn may_be_refused(&self) -> bool {
        self.layer
            .as_ref()
            .is_some_and(|layer| layer.may_be_refused())
    }

    /// Whether nothing shows until now that the peer has accepted us.
    fn is_acceptance_unknown(&self, now: Instant) -> bool {
        let layer = self.layer.as_ref();
        layer.is_some_and(|layer| layer.acceptance(now) != Acceptance::Given)
    }

    /// What became of the bytes that were sent.
    pub fn measured(&mut self, exchange: TcpExchange) {
        let syn_retransmits = self.report.tcp.map_or(0, |tcp| tcp.syn_retransmits);
        self.exchange = Some(Box::new(TcpExchange {
            retransmits: exchange.retransmits.saturating_sub(syn_retransmits),
            ..exchange
        }));
    }

    /// One sentence about a peer from which nothing more came within this time, if the kernel was
    /// asked and something is certain.
    pub fn fate(&self, answer: PeerAnswer, limit: Duration) -> Option<String> {
        let mss = self.report.tcp.and_then(|tcp| tcp.mss);
        exchange::sentence(
            self.exchange.as_ref()?,
            self.report.address,
            mss,
            answer,
            limit,
        )
    }

    /// The kernel took all bytes of a send step.
    pub fn sent(&mut self, now: Instant) {
        if let Some(layer) = &mut self.layer {
            layer.sent(now);
        }
        self.dialogue.sent();
    }

    /// The peer closed its direction.
    pub fn peer_closed(&mut self) {
        if let Some(layer) = &mut self.layer {
            layer.closed();
        }
    }

    /// Takes received bytes.
    pub fn on_data(&mut self, bytes: &[u8], now: Instant) {
        if let Some(layer) = &mut self.layer {
            layer.received(now);
        }
        self.first_byte
            .get_or_insert_with(|| now.saturating_duration_since(self.since));
        self.dialogue.feed(bytes);
    }

    /// Takes bytes that arrive after the verdict. Where no step expects anything, they are the
    /// response that is reported. Returns whether more may follow.
    pub fn on_data_after_verdict(&mut self, plan: &Plan, bytes: &[u8]) -> bool {
        self.dialogue.feed_finished(bytes);
        let expects = |step: &Step| matches!(step, Step::Expect(_) | Step::Silence(_));
        if !plan.spec.steps.iter().any(expects) {
            self.report.dialogue.get_or_insert_default().response = self.dialogue.response();
        }
        self.dialogue.total() - self.received_at_verdict <= MAX_DRAINED
    }

    /// Runs the dialogue as far as the received bytes allow.
    pub fn advance(
        &mut self,
        plan: &Plan,
        input: Input,
        now: Instant,
        actions: &mut Actions,
    ) -> Flow {
        if self.is_sending(plan) {
            return self.buffer_while_sending(plan);
        }
        let before = self.dialogue.position();
        let progress = self.dialogue.advance(plan, self.known(input));
        self.explain(plan, before, actions);
        let (status, why) = match progress {
            Progress::Done => return self.done(now),
            Progress::StartTls(layer) => {
                self.start_handshake(layer, now, actions);
                return Flow::Handshakes;
            }
            Progress::Wait | Progress::Tentative | Progress::Silence | Progress::Send(_) => {
                self.enter_step(plan, now);
                self.quiet_until = (progress == Progress::Tentative).then_some(now + QUIET);
                if let Progress::Send(bytes) = progress {
                    actions.push_back(Action::Send(self.id, bytes));
                }
                return Flow::Waits;
            }
            Progress::Behind => {
                self.enter_step(plan, now);
                self.quiet_until = None;
                if !self.continues {
                    self.continues = true;
                    actions.push_back(Action::Continue(self.id));
                }
                return Flow::Waits;
            }
            Progress::CapturedTooMuch(bytes) => {
                let most = Dialogue::MAX_CAPTURED;
                let what =
                    format!("the captures have {bytes} bytes, more than the limit of {most}: ");
                (Status::Mismatch, what)
            }
            Progress::SendsTooMuch(bytes) => {
                let most = plan.spec.max_sent();
                let what = format!(
                    "with the captures, the data to send has {bytes} bytes, more than the limit of {most}; the last answer was "
                );
                (Status::Mismatch, what)
            }
            Progress::Rejected(status, why) => {
                let (prefix, answer) = (self.step_prefix(plan), quoted(plan, &self.dialogue));
                let text = format!("{prefix}{why}: {answer}");
                return Flow::Ended(Some(Failure::new(status, text)));
            }
            Progress::Impossible | Progress::NotSilent(_) => (
                Status::Mismatch,
                format!("expected {}, got ", wanted(plan, &self.dialogue)),
            ),
            Progress::TooMuch(bytes) => {
                let wanted = wanted(plan, &self.dialogue);
                (
                    Status::Mismatch,
                    format!("received {bytes} bytes without {wanted}: "),
                )
            }
            Progress::Injected(bytes) => (
                Status::TlsFailed,
                format!("received {bytes} bytes before the handshake, which may be injected: "),
            ),
        };
        let prefix = self.step_prefix(plan);
        let text = format!("{prefix}{why}{}", excerpt(plan, &self.dialogue));
        Flow::Ended(Some(Failure::new(status, text)))
    }

    /// All steps are done: a success, if the peer cannot refuse us any more.
    fn done(&mut self, now: Instant) -> Flow {
        let acceptance = match &self.layer {
            Some(layer) => layer.acceptance(now),
            None => Acceptance::Given,
        };
        self.step.deadline = None;
        match acceptance {
            Acceptance::Given => return Flow::Ended(None),
            Acceptance::GivenAt(at) => self.quiet_until = Some(at),
            Acceptance::Unknown => self.quiet_until = None,
        }
        Flow::Waits
    }

    /// If the connection has ended, nothing more can arrive, whatever let the dialogue continue.
    fn known(&self, input: Input) -> Input {
        match self.postponed.as_deref() {
            Some(Postponed::PeerClosed | Postponed::Failed(_)) => Input::Closed,
            Some(Postponed::LayerFailed(_)) => Input::Quiescent,
            None => input,
        }
    }

    /// Notes the current step, and starts its timeout if it is a new one.
    fn enter_step(&mut self, plan: &Plan, now: Instant) {
        let index = self.dialogue.position();
        if self.step.index != index {
            self.step = RunningStep {
                index,
                deadline: step_deadline(plan, index, now),
            };
        }
    }

    /// Whether the bytes of the current step are being sent: the action was issued and must not be
    /// issued again.
    fn is_sending(&self, plan: &Plan) -> bool {
        let position = self.dialogue.position();
        self.step.index == position && matches!(plan.spec.steps.get(position), Some(Step::Send(_)))
    }

    /// Whether bytes are being sent, and a later step expects an answer.
    pub fn is_sending_before_expect(&self, plan: &Plan) -> bool {
        let later = plan.spec.steps.iter().skip(self.dialogue.position());
        self.is_sending(plan)
            && later
                .into_iter()
                .any(|step| matches!(step, Step::Expect(_)))
    }

    /// Keeps bytes that arrive before all of ours are sent, up to the `max_bytes` of any step.
    fn buffer_while_sending(&self, plan: &Plan) -> Flow {
        let unmatched = self.dialogue.unmatched_len();
        if unmatched < plan.spec.max_bytes {
            return Flow::Waits;
        }
        let text = format!(
            "{}received {unmatched} bytes before all bytes were sent: {}",
            self.step_prefix(plan),
            excerpt(plan, &self.dialogue)
        );
        Flow::Ended(Some(Failure::new(Status::Mismatch, text)))
    }

    /// Reports the expectations that were met since this step.
    fn explain(&self, plan: &Plan, since: usize, actions: &mut Actions) {
        let met = plan.spec.steps.iter().enumerate();
        for (index, step) in met.take(self.dialogue.position()).skip(since) {
            if let Step::Expect(expect) = step {
                let text = format!("step {}: matched {}", index + 1, expect.wanted);
                actions.push_back(Action::Explain(self.id, text));
            }
        }
    }

    /// Fixes the verdict of this connection, whose SYN was sent at `started`.
    pub fn finish(
        &mut self,
        plan: &Plan,
        failure: Option<Failure>,
        started: Instant,
        now: Instant,
    ) {
        self.report.total = now.saturating_duration_since(started);
        let response = self.dialogue.response();
        let has_steps = !plan.spec.steps.is_empty();
        let handshake = self.layer.as_ref().and_then(|layer| layer.handshake);
        let mut tls = self.layer.as_mut().and_then(|layer| layer.facts.take());
        // That the server accepts clients without a certificate was concluded from a ticket.
        if let Some(tls) = tls.as_mut().filter(|tls| tls.client_cert == Some(false)) {
            if failure.is_some() && self.is_acceptance_unknown(now) {
                tls.client_cert = None;
            }
        }
        let exchange = self.exchange.as_ref().map(|exchange| ExchangeFacts {
            bytes_acked: exchange.acked,
            retransmits: exchange.retransmits,
        });
        if has_steps
            || response.is_some()
            || handshake.is_some()
            || tls.is_some()
            || exchange.is_some()
        {
            let succeeded = has_steps && self.is_done(plan) && failure.is_none();
            self.report.dialogue = Some(Box::new(DialogueReport {
                handshake,
                first_byte: self.first_byte,
                duration: succeeded.then(|| now.saturating_duration_since(self.since)),
                step: has_steps.then(|| self.dialogue.step(plan)),
                tls,
                response,
                captures: self.dialogue.captures().to_vec(),
                exchange,
            }));
        }
        self.report.failure = failure.map(Arc::new);
        self.dialogue.finish();
        self.received_at_verdict = self.dialogue.total();
    }

    /// Sends `quit`, if the plan has it and it is the client's turn, and then FIN.
    ///
    /// Within a layer the FIN waits for the answer to `quit`: the end of TLS (`close_notify`) is a
    /// record, and a server that looks whether more was sent than one command, such as Postfix,
    /// takes it for a lost connection before it has answered.
    pub fn send_quit(&mut self, plan: &Plan, actions: &mut Actions) {
        let status = self.report.failure.as_ref().map(|failure| failure.status);
        let is_our_turn = self.dialogue.is_our_turn(plan, status);
        if let Some(quit) = self.dialogue.quit(plan).filter(|_| is_our_turn) {
            actions.push_back(Action::Send(self.id, quit));
            let layer = self.layer.as_mut();
            if let Some(layer) = layer.filter(|layer| layer.handshake.is_some()) {
                layer.closes_after_answer = true;
                return;
            }
        }
        self.send_fin(actions);
    }

    /// Sends the FIN that waits for the answer to `quit`, if there is one.
    pub fn send_awaited_fin(&mut self, actions: &mut Actions) {
        let layer = self.layer.as_mut();
        if let Some(layer) = layer.filter(|layer| layer.closes_after_answer) {
            layer.closes_after_answer = false;
            self.send_fin(actions);
        }
    }

    /// Writes to the transcript whether the bytes of a close that the peer did not answer were
    /// acknowledged, if the kernel was asked.
    pub fn explain_unanswered_close(&self, actions: &mut Actions) {
        if let Some(exchange) = &self.exchange {
            let text = match exchange.in_flight + exchange.not_sent {
                0 => "the peer has not closed the connection".to_owned(),
                bytes => format!("the peer has not acknowledged the last {bytes} bytes"),
            };
            actions.push_back(Action::Explain(self.id, text));
        }
    }

    /// Sends FIN.
    pub fn send_fin(&self, actions: &mut Actions) {
        actions.push_back(Action::Shutdown(self.id));
    }

    /// Waits for the peer's FIN until then, and for nothing else.
    pub fn await_fin(&mut self, until: Instant) {
        self.step.deadline = None;
        self.quiet_until = Some(until);
    }

    /// The failure of a dialogue that this ended.
    pub fn unfinished(&self, plan: &Plan, ending: Ending, now: Instant) -> Failure {
        let address = self.report.address;
        if self.dialogue.is_behind() {
            return messages::too_slow(plan, &self.dialogue, address, ending);
        }
        if !self.is_acceptance_unknown(now) {
            let failure = messages::unfinished(plan, &self.dialogue, address, ending);
            return self.with_fate(plan, failure, ending);
        }
        if self.is_done(plan) {
            return messages::not_accepted(&self.layer_prefix(), ending.event());
        }
        let failure = messages::unfinished(plan, &self.dialogue, address, ending);
        messages::perhaps_refused(failure)
    }

    /// The failure of a silent peer, with what is known of the bytes that were sent to it.
    fn with_fate(&self, plan: &Plan, failure: Failure, ending: Ending) -> Failure {
        let step = plan.spec.steps.get(self.dialogue.position());
        let limit = match (ending, step) {
            (Ending::Deadline, _) => plan.spec.timeout,
            (Ending::StepTimeout, Some(Step::Expect(expect))) => {
                expect.timeout.unwrap_or(plan.spec.timeout)
            }
            (Ending::StepTimeout | Ending::AddressTimeout | Ending::PeerClosed, _) => {
                return failure;
            }
        };
        let answer = match failure.status {
            // It was to be silent.
            _ if matches!(step, Some(Step::Silence(_))) => return failure,
            Status::ReadTimeout => PeerAnswer::Nothing,
            Status::Mismatch => PeerAnswer::Incomplete,
            _ => return failure,
        };
        match self.fate(answer, limit) {
            Some(fate) => Failure {
                text: format!("{}; {fate}", failure.text),
                ..failure
            },
            None => failure,
        }
    }

    /// Whether all steps are done.
    fn is_done(&self, plan: &Plan) -> bool {
        self.dialogue.position() == plan.spec.steps.len()
    }

    /// The failure of a dialogue whose connection was lost.
    pub fn lost(&self, plan: &Plan, failure: &Failure, now: Instant) -> Failure {
        let is_reset = failure.status == Status::Reset;
        if is_reset && self.is_acceptance_unknown(now) {
            return messages::not_accepted(&self.layer_prefix(), &failure.text);
        }
        let text = format!("{}{}", self.step_prefix(plan), failure.text);
        let failure = Failure {
            text,
            ..failure.clone()
        };
        if is_reset {
            messages::with_meaning_of_close(plan, &self.dialogue, failure)
        } else {
            failure
        }
    }

    /// The failure of a dialogue that the end of the run cut off.
    pub fn cut_off(&self, plan: &Plan) -> Failure {
        if self.may_be_refused() && self.is_done(plan) {
            return messages::handshake_cut_off(plan, &self.layer_prefix());
        }
        messages::dialogue_cut_off(plan, &self.dialogue, self.report.address)
    }

    /// `TLS handshake with 192.0.2.7:443: `, the start of an error text about the handshake.
    pub fn handshake_prefix(&self, plan: &Plan) -> String {
        match plan.spec.steps.get(self.dialogue.position()) {
            Some(Step::StartTls(_)) => self.step_prefix(plan),
            _ => self.layer_prefix(),
        }
    }

    /// `TLS handshake with 192.0.2.7:443: `, also after the handshake.
    pub fn layer_prefix(&self) -> String {
        format!("TLS handshake with {}: ", self.report.address)
    }

    /// `expect (step 2) from 192.0.2.7:25: `, the start of an error text about the current step.
    pub fn step_prefix(&self, plan: &Plan) -> String {
        step_prefix(plan, &self.dialogue, self.report.address)
    }
}

/// When the step times out, if it has a timeout of its own.
fn step_deadline(plan: &Plan, index: usize, now: Instant) -> Option<Instant> {
    match plan.spec.steps.get(index) {
        Some(Step::Expect(expect)) => expect.timeout.map(|timeout| now + timeout),
        Some(Step::Silence(time)) => Some(now + *time),
        Some(Step::Send(_) | Step::StartTls(_)) | None => None,
    }
}

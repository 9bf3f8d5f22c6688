//! How late this loop is, and which sessions lose time because of it. See [`lateness`].
//!
//! A late wake shows in a timer that is overdue. A late reaction to a peer shows in the kernel's
//! time of the last received segment, which is only asked for where the loop did not run for a
//! while. A late action shows in the time that a part of a turn took.

use std::time::{Duration, Instant};

use crate::engine::event_loop::EventLoop;
use crate::engine::index::{ConnId, SessionId};
use crate::engine::lateness;
use crate::engine::session::action::Action;
use crate::os::socket::TcpInfo;

/// The delays of one worker.
pub(in crate::engine) struct Delays {
    /// When the clock was last read.
    pub read_at: Instant,
    /// When it was last read after a wait.
    woke_at: Instant,
    /// How long the event that is being handled had waited for us, as far as is known.
    pub event: Duration,
    /// How late the earliest timer was at the last wake.
    pub timer: Duration,
    /// How long an event of this turn may have waited for us; zero if not long enough to count.
    wait: Duration,
    /// Sessions that sent something since the clock was last read.
    acted: Vec<SessionId>,
}

impl Delays {
    /// No delay so far.
    pub fn new(now: Instant) -> Self {
        Self {
            read_at: now,
            woke_at: now,
            event: Duration::ZERO,
            timer: Duration::ZERO,
            wait: Duration::ZERO,
            acted: Vec::new(),
        }
    }

    /// Notes a session that sent something.
    pub fn acted(&mut self, id: SessionId) {
        self.acted.push(id);
    }
}

impl EventLoop<'_, '_> {
    /// The clock was read before a wait, or before new work: what was sent since the last time was
    /// sent by now at the latest.
    pub(in crate::engine) fn worked_until(&mut self, now: Instant) {
        let took = lateness::counted(now.saturating_duration_since(self.delays.read_at));
        self.delays.read_at = now;
        let mut acted = std::mem::take(&mut self.delays.acted);
        for id in acted.drain(..) {
            if !took.is_zero() {
                self.add_delay(id, took);
            }
        }
        self.delays.acted = acted;
    }

    /// The clock was read after a wait that was to take this long; this was the earliest timer.
    pub(in crate::engine) fn woke(
        &mut self,
        now: Instant,
        timeout: Option<Duration>,
        timer: Option<Instant>,
    ) {
        if timeout == Some(Duration::ZERO) {
            self.worked_until(now);
        }
        let waited = now.saturating_duration_since(self.delays.woke_at);
        self.delays.wait = lateness::counted(waited);
        let late = timer.map_or(Duration::ZERO, |timer| now.saturating_duration_since(timer));
        self.delays.timer = lateness::counted(late);
        self.delays.event = Duration::ZERO;
        (self.delays.read_at, self.delays.woke_at) = (now, now);
    }

    /// An event of this connection is about to be handled. False if it must not be handled: what
    /// arrived after the deadline of its session, while this process was late, proves nothing.
    pub(in crate::engine) fn begin_event(&mut self, connection: ConnId, now: Instant) -> bool {
        self.delays.event = Duration::ZERO;
        if self.delays.wait.is_zero() {
            return true;
        }
        let Some(open) = self.connections.get(connection) else {
            return true;
        };
        let Some(info) = open.wire.tcp_info() else {
            return true;
        };
        let (session, _) = open.owner();
        let Some(slot) = self.sessions.get(session) else {
            return true;
        };
        // Longer than the connection exists if nothing was received yet.
        let since_received = info.last_received;
        self.delays.event = lateness::counted(since_received.min(self.delays.wait));
        let overdue = now.saturating_duration_since(slot.session.deadline());
        let came_late = since_received + lateness::MIN_DELAY < overdue;
        if came_late {
            self.add_delay(session, overdue);
        }
        !came_late
    }

    /// The event that was being handled is done.
    pub(in crate::engine) fn end_event(&mut self) {
        self.delays.event = Duration::ZERO;
    }

    /// An action of this session is about to be performed: if it is late, the peer has less time to
    /// answer.
    pub(in crate::engine) fn acts(&mut self, id: SessionId, action: &Action) {
        if matches!(
            action,
            Action::Open(..) | Action::Send(..) | Action::Secure(..)
        ) {
            self.sends(id);
        }
    }

    /// Something is sent for this session.
    pub(in crate::engine) fn sends(&mut self, id: SessionId) {
        self.delays.acted(id);
        if !self.delays.event.is_zero() {
            self.add_delay(id, self.delays.event);
        }
    }

    /// A connect of this session completed, at a time that the kernel knows.
    pub(in crate::engine) fn connected(
        &mut self,
        id: SessionId,
        info: Option<TcpInfo>,
        now: Instant,
    ) {
        let at = info.and_then(|info| now.checked_sub(info.last_received));
        if let (Some(at), Some(slot)) = (at, self.sessions.get_mut(id)) {
            slot.session.limit_delay(at);
        }
    }

    /// The session of this connection ends although received data was not read.
    pub(in crate::engine) fn leave_unread(&mut self, connection: ConnId) {
        if let Some(open) = self.connections.get(connection) {
            let (session, _) = open.owner();
            self.add_delay(session, Duration::MAX);
        }
    }

    fn add_delay(&mut self, id: SessionId, time: Duration) {
        if let Some(slot) = self.sessions.get_mut(id) {
            slot.session.add_delay(time);
        }
    }
}

//! The conversation with one client as a state machine without I/O: events go in, the next action
//! comes out.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::responder::config::{CloseMode, ReplyMode, ResponderConfig};

/// How long a client may take to answer our FIN with its own.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The state of the conversation with one client.
#[derive(Debug)]
pub(super) struct Conversation {
    config: Arc<ResponderConfig>,
    state: ConversationState,
}

#[derive(Debug)]
enum ConversationState {
    /// Waits until then before it sends this message.
    Delaying(Instant, Message),
    /// The kernel has taken this many bytes of the message.
    Sending(Message, usize),
    /// The next bytes are answered.
    AwaitingRequest,
    /// Bytes are read and logged, but not answered.
    ReadingOnly,
    ShuttingDown,
    Draining(Instant),
    Closing(CloseReason),
}

#[derive(Debug)]
enum Message {
    Greeting,
    Reply,
    Echo(Vec<u8>),
}

/// What to do next for a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextAction<'a> {
    /// Neither read nor write until then.
    Wait(Instant),
    /// Write these bytes, as many as the kernel takes.
    Write(&'a [u8]),
    /// Read once.
    Read,
    /// Send FIN.
    Shutdown,
    /// Read and discard, until then at the latest.
    Drain(Instant),
    /// Close the connection.
    Close(CloseReason),
}

/// Why a connection is closed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The client closed its side.
    ClosedByClient,
    /// We sent FIN, and the client's FIN did not arrive in time.
    DrainTimedOut,
    /// We close with RST.
    Reset,
}

impl Conversation {
    /// The conversation with a client that was accepted at `now`.
    pub(super) fn new(config: Arc<ResponderConfig>, now: Instant) -> Self {
        let mut conversation = Self {
            config,
            state: ConversationState::ReadingOnly,
        };
        if conversation.config.greeting.is_empty() {
            conversation.await_input();
        } else {
            conversation.send(Message::Greeting, now);
        }
        conversation
    }

    /// What to do next; the same until one of the `on_` functions changes the state.
    pub(super) fn next_action(&self) -> NextAction<'_> {
        match &self.state {
            ConversationState::Delaying(until, _) => NextAction::Wait(*until),
            ConversationState::Sending(message, sent) => {
                NextAction::Write(message.bytes(&self.config).get(*sent..).unwrap_or_default())
            }
            ConversationState::AwaitingRequest | ConversationState::ReadingOnly => NextAction::Read,
            ConversationState::ShuttingDown => NextAction::Shutdown,
            ConversationState::Draining(until) => NextAction::Drain(*until),
            ConversationState::Closing(reason) => NextAction::Close(*reason),
        }
    }

    /// A read returned these bytes; no bytes are the client's FIN.
    pub(super) fn on_read(&mut self, bytes: &[u8], now: Instant) {
        let echoes = self.config.reply == ReplyMode::Echo;
        match self.state {
            ConversationState::AwaitingRequest if !bytes.is_empty() => {
                let message = if echoes {
                    Message::Echo(bytes.to_vec())
                } else {
                    Message::Reply
                };
                self.send(message, now);
            }
            // With --echo the client's FIN is the regular end, after which the configured RST is
            // due.
            ConversationState::AwaitingRequest if echoes && self.config.close == CloseMode::Rst => {
                self.state = ConversationState::Closing(CloseReason::Reset);
            }
            ConversationState::AwaitingRequest
            | ConversationState::ReadingOnly
            | ConversationState::Draining(_)
                if bytes.is_empty() =>
            {
                self.state = ConversationState::Closing(CloseReason::ClosedByClient);
            }
            _ => {}
        }
    }

    /// The kernel took this many bytes. Returns the whole message once its last byte was taken.
    pub(super) fn on_written(&mut self, count: usize) -> Option<Vec<u8>> {
        let ConversationState::Sending(message, sent) = &mut self.state else {
            return None;
        };
        *sent += count;
        if *sent < message.bytes(&self.config).len() {
            return None;
        }
        let bytes = message.bytes(&self.config).to_vec();
        match message {
            Message::Reply => self.close(),
            Message::Greeting | Message::Echo(_) => self.await_input(),
        }
        Some(bytes)
    }

    /// Our FIN was sent.
    pub(super) fn on_shutdown(&mut self, now: Instant) {
        self.state = ConversationState::Draining(now + DRAIN_TIMEOUT);
    }

    /// Ends a delay or a drain that is over at `now`.
    pub(super) fn on_time(&mut self, now: Instant) {
        self.state = match mem::replace(&mut self.state, ConversationState::ReadingOnly) {
            ConversationState::Delaying(until, message) if until <= now => {
                ConversationState::Sending(message, 0)
            }
            ConversationState::Draining(until) if until <= now => {
                ConversationState::Closing(CloseReason::DrainTimedOut)
            }
            state => state,
        };
    }

    fn send(&mut self, message: Message, now: Instant) {
        let delay = self.config.delay;
        self.state = if delay.is_zero() {
            ConversationState::Sending(message, 0)
        } else {
            ConversationState::Delaying(now + delay, message)
        };
    }

    /// After the greeting, and after each echo.
    fn await_input(&mut self) {
        self.state = match (&self.config.reply, self.config.close) {
            (ReplyMode::Once(_) | ReplyMode::Echo, _) => ConversationState::AwaitingRequest,
            (ReplyMode::None, CloseMode::Rst) => ConversationState::Closing(CloseReason::Reset),
            (ReplyMode::None, CloseMode::Fin | CloseMode::Hold | CloseMode::NeverAccept) => {
                ConversationState::ReadingOnly
            }
        };
    }

    /// After the reply.
    fn close(&mut self) {
        self.state = match self.config.close {
            CloseMode::Fin => ConversationState::ShuttingDown,
            CloseMode::Rst => ConversationState::Closing(CloseReason::Reset),
            CloseMode::Hold | CloseMode::NeverAccept => ConversationState::ReadingOnly,
        };
    }
}

impl Message {
    fn bytes<'a>(&'a self, config: &'a ResponderConfig) -> &'a [u8] {
        match (self, &config.reply) {
            (Self::Greeting, _) => &config.greeting,
            (Self::Reply, ReplyMode::Once(bytes)) | (Self::Echo(bytes), _) => bytes,
            (Self::Reply, ReplyMode::None | ReplyMode::Echo) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::bytes::Charset;
    use crate::responder::config::Clients;
    use crate::responder::listen::Backlog;

    const DELAY: Duration = Duration::from_millis(300);

    #[expect(clippy::disallowed_methods, reason = "any fixed time would do")]
    fn now() -> Instant {
        Instant::now()
    }

    fn config(reply: ReplyMode, close: CloseMode) -> ResponderConfig {
        ResponderConfig {
            listen: "0".parse().unwrap(),
            greeting: Vec::new(),
            reply,
            charset: Charset::default(),
            delay: Duration::ZERO,
            backlog: Backlog::default(),
            close,
            clients: Clients::Many,
        }
    }

    fn reply(close: CloseMode) -> ResponderConfig {
        config(ReplyMode::Once(b"pong".to_vec()), close)
    }

    fn conversation(config: ResponderConfig, now: Instant) -> Conversation {
        Conversation::new(Arc::new(config), now)
    }

    #[test]
    fn the_reply_is_followed_by_fin_and_a_drain() {
        let start = now();
        let mut client = conversation(reply(CloseMode::Fin), start);
        assert_eq!(client.next_action(), NextAction::Read);
        client.on_read(b"ping", start);
        assert_eq!(client.next_action(), NextAction::Write(b"pong"));
        assert_eq!(client.on_written(3), None);
        assert_eq!(client.next_action(), NextAction::Write(b"g"));
        assert_eq!(client.on_written(1).as_deref(), Some(&b"pong"[..]));
        assert_eq!(client.next_action(), NextAction::Shutdown);
        client.on_shutdown(start);
        assert_eq!(
            client.next_action(),
            NextAction::Drain(start + DRAIN_TIMEOUT)
        );
        client.on_read(b"more", start);
        assert_eq!(
            client.next_action(),
            NextAction::Drain(start + DRAIN_TIMEOUT)
        );
        client.on_read(b"", start);
        assert_eq!(
            client.next_action(),
            NextAction::Close(CloseReason::ClosedByClient)
        );
    }

    #[test]
    fn the_drain_ends_at_its_timeout() {
        let start = now();
        let mut client = conversation(reply(CloseMode::Fin), start);
        client.on_read(b"ping", start);
        client.on_written(4);
        client.on_shutdown(start);
        client.on_time(
            (start + DRAIN_TIMEOUT)
                .checked_sub(Duration::from_nanos(1))
                .unwrap(),
        );
        assert_eq!(
            client.next_action(),
            NextAction::Drain(start + DRAIN_TIMEOUT)
        );
        client.on_time(start + DRAIN_TIMEOUT);
        assert_eq!(
            client.next_action(),
            NextAction::Close(CloseReason::DrainTimedOut)
        );
    }

    #[test]
    fn an_empty_read_is_the_clients_fin() {
        for mode in [
            ReplyMode::None,
            ReplyMode::Echo,
            ReplyMode::Once(b"pong".to_vec()),
        ] {
            let start = now();
            let mut client = conversation(config(mode, CloseMode::Fin), start);
            client.on_read(b"", start);
            assert_eq!(
                client.next_action(),
                NextAction::Close(CloseReason::ClosedByClient)
            );
        }
    }

    #[test]
    fn the_delay_precedes_greeting_and_reply() {
        let start = now();
        let with = ResponderConfig {
            greeting: b"hello".to_vec(),
            delay: DELAY,
            ..reply(CloseMode::Rst)
        };
        let mut client = conversation(with, start);
        assert_eq!(client.next_action(), NextAction::Wait(start + DELAY));
        client.on_time(start + DELAY);
        assert_eq!(client.next_action(), NextAction::Write(b"hello"));
        client.on_written(5);
        let asked = start + DELAY * 3;
        client.on_read(b"ping", asked);
        assert_eq!(client.next_action(), NextAction::Wait(asked + DELAY));
        client.on_time(asked);
        assert_eq!(client.next_action(), NextAction::Wait(asked + DELAY));
        client.on_time(asked + DELAY);
        assert_eq!(client.next_action(), NextAction::Write(b"pong"));
        client.on_written(4);
        assert_eq!(client.next_action(), NextAction::Close(CloseReason::Reset));
    }

    #[test]
    fn an_echo_is_written_completely_before_the_next_read() {
        let start = now();
        let mut client = conversation(config(ReplyMode::Echo, CloseMode::Fin), start);
        for text in [&b"one"[..], b"two"] {
            client.on_read(text, start);
            assert_eq!(client.next_action(), NextAction::Write(text));
            assert_eq!(client.on_written(1), None);
            assert_eq!(client.next_action(), NextAction::Write(&text[1..]));
            assert_eq!(client.on_written(2).as_deref(), Some(text));
            assert_eq!(client.next_action(), NextAction::Read);
        }
        client.on_read(b"", start);
        assert_eq!(
            client.next_action(),
            NextAction::Close(CloseReason::ClosedByClient)
        );
    }

    #[test]
    fn rst_follows_the_last_message() {
        let start = now();
        assert_eq!(
            conversation(config(ReplyMode::None, CloseMode::Rst), start).next_action(),
            NextAction::Close(CloseReason::Reset)
        );
        let mut greeting = conversation(
            ResponderConfig {
                greeting: vec![1],
                ..config(ReplyMode::None, CloseMode::Rst)
            },
            start,
        );
        greeting.on_written(1);
        assert_eq!(
            greeting.next_action(),
            NextAction::Close(CloseReason::Reset)
        );
        let mut echo = conversation(config(ReplyMode::Echo, CloseMode::Rst), start);
        echo.on_read(b"", start);
        assert_eq!(echo.next_action(), NextAction::Close(CloseReason::Reset));
    }

    #[test]
    fn a_held_connection_is_closed_by_the_client() {
        let start = now();
        let mut held = conversation(reply(CloseMode::Hold), start);
        held.on_read(b"ping", start);
        held.on_written(4);
        for _ in 0..3 {
            held.on_read(b"again", start);
            assert_eq!(held.next_action(), NextAction::Read);
        }
        held.on_time(start + Duration::from_secs(3600));
        assert_eq!(held.next_action(), NextAction::Read);
        held.on_read(b"", start);
        assert_eq!(
            held.next_action(),
            NextAction::Close(CloseReason::ClosedByClient)
        );
    }
}

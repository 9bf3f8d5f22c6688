//! The talk with one client, as a state machine without I/O: what happened goes in, what to do next comes out.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::responder::{Answer, Close, Settings};

/// How long a client may take to follow our FIN with its own.
const DRAIN: Duration = Duration::from_secs(1);

/// One client's progress through the talk.
#[derive(Debug)]
pub(super) struct Client {
    settings: Arc<Settings>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Silent until then, before this message.
    Pausing(Instant, Message),
    /// This many bytes of the message are with the kernel.
    Sending(Message, usize),
    /// What the client says will be answered.
    Awaiting,
    /// What the client says is only taken note of.
    Hearing,
    Finishing,
    Draining(Instant),
    Leaving(Parting),
}

#[derive(Debug)]
enum Message {
    Greeting,
    Reply,
    Echo(Vec<u8>),
}

/// What the talk needs next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    /// Neither read nor write until then.
    Pause(Instant),
    /// Write these bytes, as many as the kernel takes.
    Write(&'a [u8]),
    /// Read once.
    Read,
    /// Send FIN.
    Finish,
    /// Read and forget, until then at the latest.
    Drain(Instant),
    /// End the connection.
    Leave(Parting),
}

/// Why and how a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    /// The client closed its side.
    Left,
    /// We closed ours, and it did not follow in time.
    Overstayed,
    /// With RST.
    Reset,
}

impl Client {
    /// A client that was accepted at `now`.
    pub(super) fn new(settings: Arc<Settings>, now: Instant) -> Self {
        let mut client = Self {
            settings,
            phase: Phase::Hearing,
        };
        if client.settings.greeting.is_empty() {
            client.listen();
        } else {
            client.say(Message::Greeting, now);
        }
        client
    }

    /// What to do next; the same until one of the other functions is called.
    pub(super) fn wish(&self) -> Wish<'_> {
        match &self.phase {
            Phase::Pausing(until, _) => Wish::Pause(*until),
            Phase::Sending(message, sent) => Wish::Write(
                message
                    .bytes(&self.settings)
                    .get(*sent..)
                    .unwrap_or_default(),
            ),
            Phase::Awaiting | Phase::Hearing => Wish::Read,
            Phase::Finishing => Wish::Finish,
            Phase::Draining(until) => Wish::Drain(*until),
            Phase::Leaving(parting) => Wish::Leave(*parting),
        }
    }

    /// One read gave these bytes; none at all means that the client closed its side.
    pub(super) fn received(&mut self, bytes: &[u8], now: Instant) {
        let echoes = self.settings.answer == Answer::Echo;
        match self.phase {
            Phase::Awaiting if !bytes.is_empty() => {
                self.say(
                    if echoes {
                        Message::Echo(bytes.to_vec())
                    } else {
                        Message::Reply
                    },
                    now,
                );
            }
            // The end of what is echoed is the end of the talk, not a client that gave up.
            Phase::Awaiting if echoes && self.settings.close == Close::Rst => {
                self.leave(Parting::Reset);
            }
            Phase::Awaiting | Phase::Hearing | Phase::Draining(_) if bytes.is_empty() => {
                self.leave(Parting::Left);
            }
            _ => {}
        }
    }

    /// The kernel took this many bytes; gives the whole message when that was the last of it.
    pub(super) fn wrote(&mut self, count: usize) -> Option<Vec<u8>> {
        let Phase::Sending(message, sent) = &mut self.phase else {
            return None;
        };
        *sent += count;
        if *sent < message.bytes(&self.settings).len() {
            return None;
        }
        let bytes = message.bytes(&self.settings).to_vec();
        match message {
            Message::Reply => self.close(),
            Message::Greeting | Message::Echo(_) => self.listen(),
        }
        Some(bytes)
    }

    /// FIN was sent.
    pub(super) fn finished(&mut self, now: Instant) {
        self.phase = Phase::Draining(now + DRAIN);
    }

    /// It is `now`.
    pub(super) fn elapsed(&mut self, now: Instant) {
        self.phase = match mem::replace(&mut self.phase, Phase::Hearing) {
            Phase::Pausing(until, message) if until <= now => Phase::Sending(message, 0),
            Phase::Draining(until) if until <= now => Phase::Leaving(Parting::Overstayed),
            phase => phase,
        };
    }

    fn say(&mut self, message: Message, now: Instant) {
        let delay = self.settings.delay;
        self.phase = if delay.is_zero() {
            Phase::Sending(message, 0)
        } else {
            Phase::Pausing(now + delay, message)
        };
    }

    /// After the greeting, and after each echo.
    fn listen(&mut self) {
        self.phase = match (&self.settings.answer, self.settings.close) {
            (Answer::Reply(_) | Answer::Echo, _) => Phase::Awaiting,
            (Answer::None, Close::Rst) => Phase::Leaving(Parting::Reset),
            (Answer::None, Close::Fin | Close::Hold | Close::NeverAccept) => Phase::Hearing,
        };
    }

    /// After the reply.
    fn close(&mut self) {
        self.phase = match self.settings.close {
            Close::Fin => Phase::Finishing,
            Close::Rst => Phase::Leaving(Parting::Reset),
            Close::Hold | Close::NeverAccept => Phase::Hearing,
        };
    }

    fn leave(&mut self, parting: Parting) {
        self.phase = Phase::Leaving(parting);
    }
}

impl Message {
    fn bytes<'a>(&'a self, settings: &'a Settings) -> &'a [u8] {
        match (self, &settings.answer) {
            (Self::Greeting, _) => &settings.greeting,
            (Self::Reply, Answer::Reply(bytes)) | (Self::Echo(bytes), _) => bytes,
            (Self::Reply, Answer::None | Answer::Echo) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responder::Clients;

    const DELAY: Duration = Duration::from_millis(300);

    #[expect(clippy::disallowed_methods, reason = "any fixed time would do")]
    fn now() -> Instant {
        Instant::now()
    }

    fn settings(answer: Answer, close: Close) -> Settings {
        Settings {
            listen: "0".parse().unwrap(),
            greeting: Vec::new(),
            answer,
            charset: Default::default(),
            delay: Duration::ZERO,
            backlog: Default::default(),
            close,
            clients: Clients::Many,
        }
    }

    fn reply(close: Close) -> Settings {
        settings(Answer::Reply(b"pong".to_vec()), close)
    }

    fn client(settings: Settings, now: Instant) -> Client {
        Client::new(Arc::new(settings), now)
    }

    #[test]
    fn one_read_then_the_reply_then_fin_and_the_drain() {
        let start = now();
        let mut client = client(reply(Close::Fin), start);
        assert_eq!(client.wish(), Wish::Read);
        client.received(b"ping", start);
        assert_eq!(client.wish(), Wish::Write(b"pong"));
        assert_eq!(client.wrote(3), None);
        assert_eq!(client.wish(), Wish::Write(b"g"));
        assert_eq!(client.wrote(1).as_deref(), Some(&b"pong"[..]));
        assert_eq!(client.wish(), Wish::Finish);
        client.finished(start);
        assert_eq!(client.wish(), Wish::Drain(start + DRAIN));
        client.received(b"more", start);
        assert_eq!(client.wish(), Wish::Drain(start + DRAIN));
        client.received(b"", start);
        assert_eq!(client.wish(), Wish::Leave(Parting::Left));
    }

    #[test]
    fn a_client_that_does_not_follow_our_fin_is_left() {
        let start = now();
        let mut client = client(reply(Close::Fin), start);
        client.received(b"ping", start);
        client.wrote(4);
        client.finished(start);
        client.elapsed(
            (start + DRAIN)
                .checked_sub(Duration::from_nanos(1))
                .unwrap(),
        );
        assert_eq!(client.wish(), Wish::Drain(start + DRAIN));
        client.elapsed(start + DRAIN);
        assert_eq!(client.wish(), Wish::Leave(Parting::Overstayed));
    }

    #[test]
    fn no_bytes_at_all_are_a_client_that_left() {
        for answer in [Answer::None, Answer::Echo, Answer::Reply(b"pong".to_vec())] {
            let start = now();
            let mut client = client(settings(answer, Close::Fin), start);
            client.received(b"", start);
            assert_eq!(client.wish(), Wish::Leave(Parting::Left));
        }
    }

    #[test]
    fn the_delay_precedes_greeting_and_reply() {
        let start = now();
        let with = Settings {
            greeting: b"hello".to_vec(),
            delay: DELAY,
            ..reply(Close::Rst)
        };
        let mut client = client(with, start);
        assert_eq!(client.wish(), Wish::Pause(start + DELAY));
        client.elapsed(start + DELAY);
        assert_eq!(client.wish(), Wish::Write(b"hello"));
        client.wrote(5);
        let asked = start + DELAY * 3;
        client.received(b"ping", asked);
        assert_eq!(client.wish(), Wish::Pause(asked + DELAY));
        client.elapsed(asked);
        assert_eq!(client.wish(), Wish::Pause(asked + DELAY));
        client.elapsed(asked + DELAY);
        assert_eq!(client.wish(), Wish::Write(b"pong"));
        client.wrote(4);
        assert_eq!(client.wish(), Wish::Leave(Parting::Reset));
    }

    #[test]
    fn an_echo_is_written_out_before_the_next_read() {
        let start = now();
        let mut client = client(settings(Answer::Echo, Close::Fin), start);
        for text in [&b"one"[..], b"two"] {
            client.received(text, start);
            assert_eq!(client.wish(), Wish::Write(text));
            assert_eq!(client.wrote(1), None);
            assert_eq!(client.wish(), Wish::Write(&text[1..]));
            assert_eq!(client.wrote(2).as_deref(), Some(text));
            assert_eq!(client.wish(), Wish::Read);
        }
        client.received(b"", start);
        assert_eq!(client.wish(), Wish::Leave(Parting::Left));
    }

    #[test]
    fn rst_comes_at_the_end_of_what_there_was_to_do() {
        let start = now();
        assert_eq!(
            client(settings(Answer::None, Close::Rst), start).wish(),
            Wish::Leave(Parting::Reset)
        );
        let mut greeting = client(
            Settings {
                greeting: vec![1],
                ..settings(Answer::None, Close::Rst)
            },
            start,
        );
        greeting.wrote(1);
        assert_eq!(greeting.wish(), Wish::Leave(Parting::Reset));
        let mut echo = client(settings(Answer::Echo, Close::Rst), start);
        echo.received(b"", start);
        assert_eq!(echo.wish(), Wish::Leave(Parting::Reset));
    }

    #[test]
    fn a_held_connection_ends_with_the_client() {
        let start = now();
        let mut held = client(reply(Close::Hold), start);
        held.received(b"ping", start);
        held.wrote(4);
        for _ in 0..3 {
            held.received(b"again", start);
            assert_eq!(held.wish(), Wish::Read);
        }
        held.elapsed(start + Duration::from_secs(3600));
        assert_eq!(held.wish(), Wish::Read);
        held.received(b"", start);
        assert_eq!(held.wish(), Wish::Leave(Parting::Left));
    }
}

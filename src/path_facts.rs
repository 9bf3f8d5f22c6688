//! The result of a trace of the path to a target: the senders of answers to SYNs with a small time
//! to live (RFC 791; hop limit in RFC 8200).

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::failure::IcmpFact;

/// How far the SYNs of a trace got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFacts {
    /// The address of the target.
    pub target: IpAddr,
    /// The answers, in the order of their hops. A hop without an answer is absent. If several SYNs
    /// to a hop were answered, it has several answers.
    pub hops: Vec<Hop>,
    /// How many SYNs were sent to each hop; the first element is hop 1.
    pub sent: Vec<u16>,
}

/// The answer to one SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The time to live of the SYN: 1 is the first router.
    pub hop: u8,
    /// The sender of the answer.
    pub from: IpAddr,
    /// The time from the SYN to its answer.
    pub time: Duration,
    /// What the answer was.
    pub answer: HopAnswer,
}

/// The kind of an answer to a SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopAnswer {
    /// ICMP time exceeded: the SYN passed the hops before this router, and ended here.
    TimeExceeded,
    /// Another ICMP error: its sender rejects the SYN, or has no route to the target.
    Error(IcmpFact),
    /// RST of the target.
    Refused,
    /// SYN and ACK of the target.
    Accepted,
}

impl fmt::Display for HopAnswer {
    /// For example `time to live exceeded`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeExceeded => f.write_str("time to live exceeded"),
            Self::Error(icmp) => f.write_str(&icmp.description()),
            Self::Refused => f.write_str("refused (RST)"),
            Self::Accepted => f.write_str("accepted"),
        }
    }
}

/// A router that answered at several hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// At each hop of this range: it may answer in place of other routers.
    Row {
        /// The first hop.
        first: u8,
        /// The last one.
        last: u8,
    },
    /// In turn with at least this other router: the route is a loop.
    Loop {
        /// The first hop.
        first: u8,
        /// A router between two of its hops.
        other: IpAddr,
    },
}

/// A router that answers at this many hops is a [`Repetition`]. At two hops it may be on paths of
/// different lengths.
const REPEATED: usize = 3;

impl PathFacts {
    /// Nothing so far.
    pub fn new(target: IpAddr) -> Self {
        Self {
            target,
            hops: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Adds an answer.
    pub fn add(&mut self, hop: Hop) {
        let after = self.hops.iter().position(|other| other.hop > hop.hop);
        self.hops.insert(after.unwrap_or(self.hops.len()), hop);
    }

    /// Counts a SYN to this hop.
    pub fn count_sent(&mut self, hop: u8) {
        let hop = usize::from(hop);
        if self.sent.len() < hop {
            self.sent.resize(hop, 0);
        }
        if let Some(sent) = hop.checked_sub(1).and_then(|hop| self.sent.get_mut(hop)) {
            *sent = sent.saturating_add(1);
        }
    }

    /// The answer of the target at the fewest hops, if there was one.
    pub fn target(&self) -> Option<&Hop> {
        self.hops.iter().find(|hop| self.is_of_target(hop))
    }

    /// Whether the target itself answered.
    pub fn is_of_target(&self, hop: &Hop) -> bool {
        match hop.answer {
            HopAnswer::Accepted | HopAnswer::Refused => true,
            HopAnswer::Error(_) => hop.from == self.target,
            // With address translation, the router sends this with the address of the target.
            HopAnswer::TimeExceeded => false,
        }
    }

    /// The answer of a router or firewall that rejected a SYN, if there was one.
    pub fn refusal(&self) -> Option<&Hop> {
        let is_error = |hop: &&Hop| matches!(hop.answer, HopAnswer::Error(_));
        self.hops.iter().find(is_error)
    }

    /// Where the path ends, as far as is known: the answer of the target, else that of the sender
    /// of an ICMP error, else that of the farthest router.
    pub fn last(&self) -> Option<&Hop> {
        self.target()
            .or_else(|| self.refusal())
            .or_else(|| self.hops.last())
    }

    /// The number of hops to the sender of this answer, if it is known. That of an ICMP error may
    /// be less than the time to live of the SYN: a router rejects only SYNs that it would forward,
    /// and answers those that end at it with time exceeded.
    pub fn distance(&self, answer: &Hop) -> Option<u8> {
        if self.is_of_target(answer) || answer.answer == HopAnswer::TimeExceeded {
            return Some(answer.hop);
        }
        let mut own = self.hops.iter().filter(|hop| hop.from == answer.from);
        own.find(|hop| hop.answer == HopAnswer::TimeExceeded)
            .map(|hop| hop.hop)
    }

    /// The number of the last hop that answered. If it is not known exactly, it is one less than
    /// the time to live of the rejected SYN.
    pub fn last_hop(&self) -> Option<u8> {
        let last = self.last()?;
        Some(self.distance(last).unwrap_or(last.hop.saturating_sub(1)))
    }

    /// Whether the SYNs took several paths: two routers answered at one hop, or a router answered at
    /// a hop where the target did.
    pub fn has_several_paths(&self) -> bool {
        let differs = |pair: &[Hop]| match pair {
            [one, other] => one.hop == other.hop && one.from != other.from,
            _ => false,
        };
        let last = self.target().map_or(u8::MAX, |target| target.hop);
        let is_behind =
            |hop: &Hop| hop.hop >= last && matches!(hop.answer, HopAnswer::TimeExceeded);
        self.hops.windows(2).any(differs) || self.hops.iter().any(is_behind)
    }

    /// Whether the farthest router answered at several hops.
    pub fn repetition(&self) -> Option<Repetition> {
        let end = self.last()?;
        if end.answer != HopAnswer::TimeExceeded {
            return None;
        }
        let at: Vec<u8> = self.hops_of(end.from);
        let (first, last) = (*at.first()?, *at.last()?);
        if at.len() < REPEATED {
            return None;
        }
        let between = self
            .hops
            .iter()
            .filter(|hop| hop.hop > first && hop.hop < last);
        let mut others = between.filter(|hop| hop.from != end.from);
        Some(match others.next() {
            None => Repetition::Row { first, last },
            Some(other) => Repetition::Loop {
                first,
                other: other.from,
            },
        })
    }

    /// The hops at which this address answered, each once.
    fn hops_of(&self, address: IpAddr) -> Vec<u8> {
        let of_address = self.hops.iter().filter(|hop| hop.from == address);
        let mut hops: Vec<u8> = of_address.map(|hop| hop.hop).collect();
        hops.dedup();
        hops
    }

    /// The result as the second part of a sentence about unanswered SYNs, such as `the last router
    /// that answered is hop 2, 198.51.100.2`.
    pub fn sentence(&self) -> String {
        let Some(last) = self.last() else {
            return "no router on the way answered".to_owned();
        };
        let Hop { hop, from, .. } = *last;
        let text = match (last.answer, self.repetition()) {
            (HopAnswer::TimeExceeded, Some(Repetition::Loop { first, other })) => {
                format!("the route is a loop from hop {first} on, with {from} and {other}")
            }
            (HopAnswer::TimeExceeded, Some(Repetition::Row { first, last })) => {
                format!("the last router that answered is {from}, at the hops {first} to {last}")
            }
            (HopAnswer::TimeExceeded, None) if from == self.target => format!(
                "hop {hop}, with the address of the target, passes them on to another host, which \
                 does not answer"
            ),
            (HopAnswer::TimeExceeded, None) => {
                format!("the last router that answered is hop {hop}, {from}")
            }
            (HopAnswer::Error(icmp), _) => {
                let place = match self.distance(last) {
                    Some(hop) => format!("hop {hop}, {from},"),
                    // The sender is the last hop of the SYN, or a router one hop nearer that would
                    // have forwarded it.
                    None if hop > 1 => format!("{from}, at hop {} or {hop},", hop - 1),
                    None => format!("hop {hop}, {from},"),
                };
                format!("{place} says {}", icmp.description())
            }
            (HopAnswer::Refused, _) => {
                format!("a SYN from another port was refused (RST), at hop {hop}")
            }
            (HopAnswer::Accepted, _) => {
                format!("a SYN from another port was accepted, at hop {hop}")
            }
        };
        if self.has_several_paths() {
            return format!("{text}, of the paths tried");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::IcmpVersion;

    const TARGET: &str = "192.0.2.7";

    fn hop(hop: u8, from: &str, answer: HopAnswer) -> Hop {
        Hop {
            hop,
            from: from.parse().unwrap(),
            time: Duration::ZERO,
            answer,
        }
    }

    fn router(number: u8, from: &str) -> Hop {
        hop(number, from, HopAnswer::TimeExceeded)
    }

    fn says(kind: u8, code: u8, from: &str) -> HopAnswer {
        HopAnswer::Error(IcmpFact {
            kind,
            code,
            from: Some(from.parse().unwrap()),
            version: IcmpVersion::V4,
        })
    }

    fn facts(hops: impl IntoIterator<Item = Hop>) -> PathFacts {
        let mut facts = PathFacts::new(TARGET.parse().unwrap());
        for hop in hops {
            facts.add(hop);
        }
        facts
    }

    #[test]
    fn the_sentence_says_what_was_seen() {
        let path = || [router(2, "198.51.100.2"), router(1, "192.0.2.1")];
        for (more, sentence) in [
            (
                vec![],
                "the last router that answered is hop 2, 198.51.100.2",
            ),
            (
                vec![hop(3, "10.0.0.1", says(3, 13, "10.0.0.1"))],
                "10.0.0.1, at hop 2 or 3, says administratively prohibited (ICMP type 3 code 13)",
            ),
            (
                vec![hop(3, "198.51.100.2", says(3, 13, "198.51.100.2"))],
                "hop 2, 198.51.100.2, says administratively prohibited (ICMP type 3 code 13)",
            ),
            (
                vec![hop(3, TARGET, HopAnswer::Accepted)],
                "a SYN from another port was accepted, at hop 3",
            ),
            (
                vec![hop(3, TARGET, HopAnswer::Refused)],
                "a SYN from another port was refused (RST), at hop 3",
            ),
            (
                vec![router(2, "198.51.100.9")],
                "the last router that answered is hop 2, 198.51.100.9, of the paths tried",
            ),
            (
                vec![router(4, "10.0.0.1"), hop(3, TARGET, HopAnswer::Accepted)],
                "a SYN from another port was accepted, at hop 3, of the paths tried",
            ),
            (
                vec![router(3, TARGET)],
                "hop 3, with the address of the target, passes them on to another host, which does \
                 not answer",
            ),
            (
                vec![router(3, "198.51.100.2"), router(4, "198.51.100.2")],
                "the last router that answered is 198.51.100.2, at the hops 2 to 4",
            ),
            (
                vec![
                    router(3, "192.0.2.1"),
                    router(4, "198.51.100.2"),
                    router(5, "192.0.2.1"),
                    router(6, "198.51.100.2"),
                ],
                "the route is a loop from hop 2 on, with 198.51.100.2 and 192.0.2.1",
            ),
        ] {
            assert_eq!(facts(path().into_iter().chain(more)).sentence(), sentence);
        }
        assert_eq!(facts([]).sentence(), "no router on the way answered");
    }

    /// On two paths of different lengths, a router is at two hops.
    #[test]
    fn a_router_at_two_hops_is_no_loop() {
        let path = [
            router(2, "10.0.0.2"),
            router(3, "10.0.0.3"),
            router(4, "10.0.0.2"),
        ];
        assert_eq!(facts(path).repetition(), None);
    }

    #[test]
    fn a_target_that_rejects_is_reached() {
        let path = facts([router(1, "10.0.0.1"), hop(2, TARGET, says(3, 3, TARGET))]);
        assert_eq!(path.target().map(|target| target.hop), Some(2));
        let path = facts([hop(1, "10.0.0.1", says(3, 3, "10.0.0.1"))]);
        assert_eq!(path.target(), None);
    }

    #[test]
    fn syns_are_counted_by_hop() {
        let mut path = facts([]);
        for hop in [1, 3, 3, 0] {
            path.count_sent(hop);
        }
        assert_eq!(path.sent, [1, 0, 2]);
    }
}

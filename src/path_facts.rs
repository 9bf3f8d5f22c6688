//! What a trace told of the path to a target: which hops answered SYNs with a small time to live
//! (RFC 9293, RFC 791), as data.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use crate::failure::IcmpFact;

/// How far the SYNs of a trace got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathFacts {
    /// The answers, by the number of the hop. A hop that did not answer is absent. A hop has several
    /// where several of its SYNs were answered.
    pub hops: Vec<Hop>,
    /// How many SYNs were sent to each hop; the first element is hop 1.
    pub sent: Vec<u8>,
}

/// The answer to one SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The time to live of the SYN: 1 is the first router.
    pub hop: u8,
    /// Who answered.
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
    /// Another ICMP error: whoever sent it refuses the SYN, or has no way to the target.
    Error(IcmpFact),
    /// RST of the target.
    Refused,
    /// SYN and ACK of the target.
    Accepted,
}

impl HopAnswer {
    /// Whether the TCP of the target sent it.
    pub fn is_from_target(self) -> bool {
        matches!(self, Self::Refused | Self::Accepted)
    }
}

impl PathFacts {
    /// The answer of the target, at the fewest hops, if there was one.
    pub fn target(&self) -> Option<&Hop> {
        self.hops.iter().find(|hop| hop.answer.is_from_target())
    }

    /// The farthest hop that answered; the target if it did.
    pub fn last(&self) -> Option<&Hop> {
        self.target().or_else(|| self.hops.last())
    }

    /// Whether different routers answered at the same hop: the SYNs took several paths.
    pub fn has_several_paths(&self) -> bool {
        let pairs = self.hops.windows(2);
        pairs
            .filter(|pair| matches!(pair, [one, other] if one.hop == other.hop))
            .any(|pair| matches!(pair, [one, other] if one.from != other.from))
    }

    /// What was seen, as the second half of a sentence about unanswered SYNs, such as `the last
    /// router that answered is hop 2, 198.51.100.2`.
    pub fn sentence(&self) -> String {
        let Some(last) = self.last() else {
            return "no router on the way answered".to_owned();
        };
        let (hop, from) = (last.hop, last.from);
        let mut text = match last.answer {
            HopAnswer::TimeExceeded => {
                format!("the last router that answered is hop {hop}, {from}")
            }
            HopAnswer::Error(icmp) => format!(
                "hop {hop}, {from}, says {} (ICMP type {} code {})",
                icmp.meaning(),
                icmp.kind,
                icmp.code
            ),
            HopAnswer::Refused => {
                format!("the target refused another SYN (RST), at hop {hop}")
            }
            HopAnswer::Accepted => format!("the target accepted another SYN, at hop {hop}"),
        };
        if self.has_several_paths() {
            // Writing to a String cannot fail.
            let _ = write!(text, " (of the paths tried)");
        }
        text
    }
}

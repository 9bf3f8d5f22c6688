//! The conclusion from the traces of two ports of one host.

use crate::output::path_report::rows::{PathReport, path};
use crate::path_facts::{Hop, HopAnswer, PathFacts};
use crate::report::Report;

/// What follows from the traces of two ports, if there are two.
pub(super) fn of(report: &PathReport<'_>) -> Option<String> {
    of_two(report.first, report.against?)
}

fn of_two(one: &Report, other: &Report) -> Option<String> {
    let (one, other) = (Traced::of(one)?, Traced::of(other)?);
    let text = match (one.facts.target(), other.facts.target()) {
        (Some(_), Some(_)) if one.hop() == other.hop() => {
            format!("{one} and {other} reach the host at hop {}", one.hop())
        }
        (Some(_), Some(_)) => format!("{} {}, {} {}", one, one.end(), other, other.end()),
        (None, Some(target)) => differs(&one, &other, target),
        (Some(target), None) => differs(&other, &one, target),
        (None, None) if one.end() == other.end() => {
            let end = one.end().replacen("ends", "end", 1);
            let end = end.replacen("is refused", "are refused", 1);
            format!("{one} and {other} {end}: neither reaches the host")
        }
        (None, None) => format!("{one} {}, {other} {}", one.end(), other.end()),
    };
    let several = [&one, &other]
        .iter()
        .any(|traced| traced.facts.has_several_paths());
    Some(if several {
        format!("{text}, of the paths tried")
    } else {
        text
    })
}

/// One port ends on the way, and the other one reaches the host.
fn differs(ended: &Traced<'_>, reached: &Traced<'_>, target: &Hop) -> String {
    let start = format!("{ended} {}, {reached} {}", ended.end(), reached.end());
    let last = ended.hop();
    // A router on the way, behind the last hop of the port that ends, answered for the other port.
    let is_between = |hop: &&Hop| hop.hop > last && hop.hop < target.hop;
    let between = reached.facts.hops.iter().find(is_between);
    let refused = ended.facts.refusal().is_some();
    let why = match between {
        _ if refused => "a firewall rule on the way, not the host".to_owned(),
        Some(_) => "a firewall rule on the way, not the host".to_owned(),
        None if target.hop > last + 1 => {
            let silent = match (last + 1, target.hop - 1) {
                (first, last) if first == last => format!("hop {first}"),
                (first, last) => format!("the hops {first} to {last}"),
            };
            format!(
                "a firewall rule on the way or on the host; {silent} did not answer for either port"
            )
        }
        None if last == 0 => "a firewall rule on the host".to_owned(),
        None => format!("a firewall rule at hop {last} or on the host"),
    };
    format!("{start}: {why}")
}

/// The trace of one port.
struct Traced<'r> {
    port: u16,
    facts: &'r PathFacts,
}

impl<'r> Traced<'r> {
    fn of(report: &'r Report) -> Option<Self> {
        Some(Self {
            port: report.plan.target.port.get(),
            facts: path(report)?,
        })
    }

    /// The last hop that answered, or 0.
    fn hop(&self) -> u8 {
        self.facts.last_hop().unwrap_or(0)
    }

    /// Where it ends, as the end of a sentence.
    fn end(&self) -> String {
        let hop = self.hop();
        match self.facts.last() {
            None => "ends before the first hop that answers".to_owned(),
            Some(last) => match last.answer {
                _ if self.facts.is_of_target(last) => format!("reaches the host at hop {hop}"),
                HopAnswer::Error(_) => format!("is refused at hop {hop}"),
                _ => format!("ends after hop {hop}"),
            },
        }
    }
}

impl std::fmt::Display for Traced<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "port {}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::address::Target;
    use crate::failure::{Failure, IcmpFact, IcmpVersion, Status};
    use crate::plan::Plan;
    use crate::report::ConnectionReport;

    const TARGET: &str = "192.0.2.7";

    fn report(port: &str, hops: &[(u8, &str, HopAnswer)]) -> Report {
        let target = Target::from_arguments(TARGET, Some(port), None).unwrap();
        let mut facts = PathFacts::new(TARGET.parse().unwrap());
        for (hop, from, answer) in hops {
            facts.count_sent(*hop);
            facts.add(Hop {
                hop: *hop,
                from: from.parse().unwrap(),
                time: Duration::ZERO,
                answer: *answer,
            });
        }
        let connection = ConnectionReport {
            path: Some(Box::new(facts)),
            ..ConnectionReport::new("192.0.2.7:25".parse().unwrap())
        };
        let failure = Failure::new(Status::ConnectTimeout, "");
        Report {
            connection: Some(connection),
            ..Report::without_connection(Arc::new(Plan::connect(target)), failure, Duration::ZERO)
        }
    }

    const ROUTER: HopAnswer = HopAnswer::TimeExceeded;
    const PROHIBITED: HopAnswer = HopAnswer::Error(IcmpFact {
        kind: 3,
        code: 13,
        from: None,
        version: IcmpVersion::V4,
    });

    /// The conclusion from the traces of the ports 25 and 443.
    fn conclusion(one: &[(u8, &str, HopAnswer)], other: &[(u8, &str, HopAnswer)]) -> String {
        of_two(&report("25", one), &report("443", other)).unwrap()
    }

    #[test]
    fn a_rule_is_on_the_way_only_if_a_router_behind_answers_for_the_other_port() {
        let two = [(1, "10.0.0.1", ROUTER), (2, "10.0.0.2", ROUTER)];
        let all = |answer| [&two[..], &[(3, "10.0.0.3", ROUTER), (4, TARGET, answer)]].concat();
        assert_eq!(
            conclusion(&two, &all(HopAnswer::Accepted)),
            "port 25 ends after hop 2, port 443 reaches the host at hop 4: a firewall rule on the \
             way, not the host"
        );
        let silent = [&two[..], &[(4, TARGET, HopAnswer::Refused)]].concat();
        assert_eq!(
            conclusion(&two, &silent),
            "port 25 ends after hop 2, port 443 reaches the host at hop 4: a firewall rule on the \
             way or on the host; hop 3 did not answer for either port"
        );
        assert_eq!(
            conclusion(&two[..1], &silent),
            "port 25 ends after hop 1, port 443 reaches the host at hop 4: a firewall rule on the \
             way, not the host"
        );
        let more = [&two[..], &[(5, TARGET, HopAnswer::Refused)]].concat();
        assert_eq!(
            conclusion(&two, &more),
            "port 25 ends after hop 2, port 443 reaches the host at hop 5: a firewall rule on the \
             way or on the host; the hops 3 to 4 did not answer for either port"
        );
        let three = [&two[..], &[(3, "10.0.0.3", ROUTER)]].concat();
        assert_eq!(
            conclusion(&three, &all(HopAnswer::Accepted)),
            "port 25 ends after hop 3, port 443 reaches the host at hop 4: a firewall rule at hop 3 \
             or on the host"
        );
        assert_eq!(
            conclusion(&all(HopAnswer::Accepted), &two),
            "port 443 ends after hop 2, port 25 reaches the host at hop 4: a firewall rule on the \
             way, not the host"
        );
    }

    #[test]
    fn other_cases_say_what_was_seen() {
        let two = [(1, "10.0.0.1", ROUTER), (2, "10.0.0.2", ROUTER)];
        let refused = [&two[..], &[(3, "10.0.0.2", PROHIBITED)]].concat();
        let reached = |answer| [&two[..], &[(3, TARGET, answer)]].concat();
        for (one, other, text) in [
            (
                &refused[..],
                &reached(HopAnswer::Accepted)[..],
                "port 25 is refused at hop 2, port 443 reaches the host at hop 3: a firewall rule \
                 on the way, not the host",
            ),
            (
                &two,
                &two,
                "port 25 and port 443 end after hop 2: neither reaches the host",
            ),
            (
                &two[..1],
                &two,
                "port 25 ends after hop 1, port 443 ends after hop 2",
            ),
            (
                &reached(HopAnswer::Refused),
                &reached(HopAnswer::Accepted),
                "port 25 and port 443 reach the host at hop 3",
            ),
            (
                &[],
                &[(1, TARGET, HopAnswer::Accepted)],
                "port 25 ends before the first hop that answers, port 443 reaches the host at hop \
                 1: a firewall rule on the host",
            ),
        ] {
            assert_eq!(conclusion(one, other), text);
        }
    }
}

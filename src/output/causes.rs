//! The common causes of the failures of a run, such as a router that rejects the packets to many
//! targets, or a name server that does not answer.
//!
//! Each failed target has a few candidates: the sentences of the facts that it shares with others.
//! Targets with the same status and the same sentence are a group. The largest group is the first
//! cause, and its targets are removed from all other groups. The largest remaining group is the
//! second cause, and so on. So each target counts for one cause at most.
//!
//! Targets whose SYN is unanswered and which share nothing else are grouped by the last router that
//! answered, if their path was traced. Only some targets of a run are traced, so the others of the
//! same network count with them. The rest is grouped by network, but only if no target of the network
//! may have answered. Such a group is weaker evidence than a shared fact, so it is only formed of the targets
//! that have none.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::escape;
use crate::failure::{Failure, Status};
use crate::fast_fmt;
use crate::output::json::JsonWriter;
use crate::plan::Plan;
use crate::report::Report;
use crate::tls_facts::Fault;

/// The most causes that are reported.
const MOST: usize = 10;
/// The most examples of one cause.
const EXAMPLES: usize = 3;
/// The most candidates of one target; more only arise if its name has many addresses.
const CANDIDATES: usize = 4;
/// The minimum number of targets with a fact in common.
const FEWEST: usize = 2;
/// The minimum number of targets in a network in which none answers.
const FEWEST_OF_NETWORK: usize = 3;
/// The longest sentence, in characters. An issuer is chosen by the peer.
const LONGEST: usize = 400;
/// The lengths of the prefixes of networks, the most specific first.
const PREFIXES_V4: [u8; 2] = [24, 16];
/// The same for IPv6: a subnet and a site (RFC 6177).
const PREFIXES_V6: [u8; 2] = [64, 48];

/// One common cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// One sentence, the same in each run with the same cause.
    pub sentence: String,
    /// The status of all its targets.
    pub status: Status,
    /// How many targets it explains.
    pub targets: usize,
    /// The first of them in the order of the input, by their numbers.
    pub examples: Vec<u32>,
}

/// The failures of a run, grouped as the reports arrive. Without failures it allocates nothing.
#[derive(Debug, Default)]
pub struct FailureGroups {
    /// Targets with the same status and the same shared fact, by their numbers.
    of_facts: BTreeMap<(Status, Box<str>), Vec<u32>>,
    /// Targets whose SYN was not answered, and that share no fact.
    silent: Vec<SilentTarget>,
    /// Targets whose state is unknown.
    unknown: BTreeSet<u32>,
}

#[derive(Debug, Clone, Copy)]
struct SilentTarget {
    target: u32,
    address: IpAddr,
    /// The last router that answered, if the path was traced and one did.
    router: Option<IpAddr>,
}

impl FailureGroups {
    /// Adds the report of a target that is not up.
    pub fn add(&mut self, report: &Report) {
        let Some(failure) = &report.failure else {
            return;
        };
        let target = report.plan.index;
        if failure.status.is_unknown() {
            self.unknown.insert(target);
        }
        let candidates = candidates(report, failure);
        if candidates.is_empty() && failure.status == Status::ConnectTimeout {
            if let Some(connection) = &report.connection {
                let address = connection.address.ip();
                let path = connection.path.as_ref();
                let path = path.filter(|path| path.target().is_none());
                self.silent.push(SilentTarget {
                    target,
                    address,
                    router: path.and_then(|path| Some(path.last()?.from)),
                });
            }
        }
        for sentence in candidates {
            let group = self.of_facts.entry((failure.status, sentence.into()));
            group.or_default().push(target);
        }
    }

    /// The causes, the largest first. `plans` are all targets of the run.
    pub fn causes(&self, plans: &[Arc<Plan>]) -> Vec<Cause> {
        let of_facts = self.of_facts.iter().map(|((status, sentence), targets)| {
            let sentence = Cow::Borrowed(&**sentence);
            CauseGroup::new(*status, sentence, targets.clone())
        });
        let mut causes = largest_first(of_facts.collect(), FEWEST);
        let (routers, rest) = self.last_routers();
        causes.extend(largest_first(routers, FEWEST));
        let networks = self.silent_networks(&rest, plans);
        causes.extend(largest_first(networks, FEWEST_OF_NETWORK));
        causes.sort_by(|a, b| {
            let order = b.targets.cmp(&a.targets);
            let order = order.then(a.status.code().cmp(&b.status.code()));
            order.then_with(|| a.sentence.cmp(&b.sentence))
        });
        causes.truncate(MOST);
        causes
    }

    /// The last routers that answered, with the silent targets behind them; and the other silent
    /// targets.
    fn last_routers(&self) -> (Vec<CauseGroup<'static>>, Vec<SilentTarget>) {
        // The router of each network, if there is only one.
        let mut of_network: BTreeMap<IpAddr, Option<IpAddr>> = BTreeMap::new();
        for silent in &self.silent {
            if silent.router.is_some() {
                let router = of_network.entry(subnet(silent.address));
                let router = router.or_insert(silent.router);
                *router = router.filter(|_| *router == silent.router);
            }
        }
        let mut behind: BTreeMap<IpAddr, (usize, Vec<u32>)> = BTreeMap::new();
        let mut rest = Vec::new();
        for silent in &self.silent {
            let of_network = of_network.get(&subnet(silent.address)).copied().flatten();
            let Some(router) = silent.router.or(of_network) else {
                rest.push(*silent);
                continue;
            };
            let (traced, targets) = behind.entry(router).or_default();
            *traced += usize::from(silent.router.is_some());
            targets.push(silent.target);
        }
        let group = |(router, (traced, targets)): (IpAddr, (usize, Vec<u32>))| {
            let number = targets.len();
            let sentence = format!(
                "no answer to SYNs; the last router that answered is {router} \
                 ({traced} of {number} targets were traced)"
            );
            CauseGroup::new(Status::ConnectTimeout, Cow::Owned(sentence), targets)
        };
        (behind.into_iter().map(group).collect(), rest)
    }

    /// The networks of which no target has answered, with those of these silent targets, the most
    /// specific first.
    fn silent_networks(
        &self,
        rest: &[SilentTarget],
        plans: &[Arc<Plan>],
    ) -> Vec<CauseGroup<'static>> {
        if rest.len() < FEWEST_OF_NETWORK {
            return Vec::new();
        }
        let mut networks: BTreeMap<(u8, IpAddr), Vec<u32>> = BTreeMap::new();
        let silent: BTreeSet<u32> = self.silent.iter().map(|silent| silent.target).collect();
        for silent in rest {
            for prefix in prefixes(silent.address) {
                let network = networks.entry((prefix, network(silent.address, prefix)));
                network.or_default().push(silent.target);
            }
        }
        for plan in plans {
            let may_have_answered =
                !silent.contains(&plan.index) && !self.unknown.contains(&plan.index);
            if let Some(address) = plan.ip().filter(|_| may_have_answered) {
                for prefix in prefixes(address) {
                    networks.remove(&(prefix, network(address, prefix)));
                }
            }
        }
        let group = |((prefix, network), targets): ((u8, IpAddr), Vec<u32>)| {
            let sentence = format!("no answer to SYNs from any target in {network}/{prefix}");
            CauseGroup::new(Status::ConnectTimeout, Cow::Owned(sentence), targets)
        };
        // Longer prefixes first: of equally large groups the first is taken.
        networks.into_iter().rev().map(group).collect()
    }
}

/// Targets that may have one cause.
struct CauseGroup<'s> {
    status: Status,
    sentence: Cow<'s, str>,
    /// In ascending order, each once.
    targets: Vec<u32>,
}

impl<'s> CauseGroup<'s> {
    fn new(status: Status, sentence: Cow<'s, str>, mut targets: Vec<u32>) -> Self {
        targets.sort_unstable();
        targets.dedup();
        Self {
            status,
            sentence,
            targets,
        }
    }
}

/// Takes the largest group, removes its targets from the others, and so on. Of equally large groups
/// the first is taken.
fn largest_first(mut groups: Vec<CauseGroup<'_>>, fewest: usize) -> Vec<Cause> {
    let mut causes = Vec::new();
    while causes.len() < MOST {
        groups.retain(|group| group.targets.len() >= fewest);
        let mut largest = 0;
        for (index, group) in groups.iter().enumerate() {
            let most = groups.get(largest).map_or(0, |group| group.targets.len());
            if group.targets.len() > most {
                largest = index;
            }
        }
        if groups.is_empty() {
            break;
        }
        let taken = groups.remove(largest);
        for group in &mut groups {
            let is_taken = |target: &u32| taken.targets.binary_search(target).is_ok();
            group.targets.retain(|target| !is_taken(target));
        }
        causes.push(Cause {
            sentence: taken.sentence.into_owned(),
            status: taken.status,
            targets: taken.targets.len(),
            examples: taken.targets.into_iter().take(EXAMPLES).collect(),
        });
    }
    causes
}

/// The sentences of the facts that this failed target may share with others, each once.
fn candidates(report: &Report, failure: &Failure) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |sentence: Option<String>| {
        let sentence = sentence.map(|text| escape::truncate_escaped(&text, LONGEST).to_owned());
        if let Some(sentence) = sentence.filter(|new| !found.contains(new)) {
            if found.len() < CANDIDATES {
                found.push(sentence);
            }
        }
    };
    add(of_failure(failure));
    add(of_certificate(report, failure));
    // The failures of the other addresses of the name explain the target as well.
    for connection in &report.addresses {
        let failure = connection.verdict(report.plan.spec.expected);
        add(failure.and_then(|failure| of_failure(&failure)));
    }
    found
}

/// The fact of a failure that others can share: the sender of an ICMP message, or what the failure
/// itself says.
fn of_failure(failure: &Failure) -> Option<String> {
    let icmp = failure.icmp.filter(|icmp| icmp.from.is_some());
    icmp.map(|icmp| icmp.to_string())
        .or_else(|| failure.shared.as_deref().map(str::to_owned))
}

/// The issuer of a certificate that is not trusted.
fn of_certificate(report: &Report, failure: &Failure) -> Option<String> {
    if failure.status != Status::TlsUntrusted {
        return None;
    }
    let dialogue = report.connection.as_ref()?.dialogue.as_ref()?;
    let facts = dialogue.tls.as_ref()?;
    let fault = facts.verification.as_ref()?.faults.first()?;
    let leaf = facts.chain.first().filter(|leaf| !leaf.issuer.is_empty())?;
    let issuer = escape::with_visible_characters(&leaf.issuer);
    Some(format!(
        "certificates of the issuer {issuer} are not trusted: {}",
        fault_text(*fault)
    ))
}

/// The fault in words, such as `unknown issuer`.
fn fault_text(fault: Fault) -> String {
    fault.name().replace('_', " ")
}

fn prefixes(address: IpAddr) -> [u8; 2] {
    match address {
        IpAddr::V4(_) => PREFIXES_V4,
        IpAddr::V6(_) => PREFIXES_V6,
    }
}

/// The smallest network of this address that counts as one.
fn subnet(address: IpAddr) -> IpAddr {
    let [prefix, _] = prefixes(address);
    network(address, prefix)
}

/// The network of this address, by the length of its prefix.
fn network(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let rest = Ipv4Addr::BITS.saturating_sub(prefix.into());
            let mask = u32::MAX.checked_shl(rest).unwrap_or_default();
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let rest = Ipv6Addr::BITS.saturating_sub(prefix.into());
            let mask = u128::MAX.checked_shl(rest).unwrap_or_default();
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// Appends the causes as a JSON array. `of` is the number of targets of the run.
pub fn write(causes: &[Cause], of: usize, plans: &[Arc<Plan>], buffer: &mut Vec<u8>) {
    let mut json = JsonWriter::new(buffer);
    json.open_array();
    for cause in causes {
        json.value(|buffer| {
            let mut json = JsonWriter::new(buffer);
            json.open_object();
            json.key("cause");
            json.text(&cause.sentence);
            json.key("status");
            json.value(|buffer| fast_fmt::integer(buffer, cause.status.code().into()));
            for (name, count) in [("targets", cause.targets), ("of", of)] {
                json.key(name);
                json.value(|buffer| fast_fmt::integer(buffer, count as u64));
            }
            json.key("examples");
            json.open_array();
            for plan in examples(cause, plans) {
                json.text(&plan.id());
            }
            json.close_array();
            json.close_object();
        });
    }
    json.close_array();
}

/// One line of text for each cause.
pub fn lines(causes: &[Cause], of: usize, plans: &[Arc<Plan>]) -> Vec<String> {
    let line = |cause: &Cause| {
        let examples: Vec<_> = examples(cause, plans).map(|plan| plan.id()).collect();
        let more = if examples.len() < cause.targets {
            ", ..."
        } else {
            ""
        };
        format!(
            "{} of {of} targets: {}: {} ({}{more})",
            cause.targets,
            cause.status.name(),
            cause.sentence,
            examples.join(", ")
        )
    };
    causes.iter().map(line).collect()
}

/// The plans of the examples. Their number is the index in the list of all targets.
fn examples<'p>(cause: &'p Cause, plans: &'p [Arc<Plan>]) -> impl Iterator<Item = &'p Arc<Plan>> {
    cause
        .examples
        .iter()
        .filter_map(|number| plans.get(*number as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::failure::{IcmpFact, IcmpVersion};
    use crate::output::test_reports::{down, plan, up};
    use crate::path_facts::{Hop, HopAnswer, PathFacts};
    use crate::report::ConnectionReport;

    fn rejected(from: &str) -> Failure {
        let from = Some(from.parse().unwrap());
        let (kind, code, version) = (3, 13, IcmpVersion::V4);
        Failure {
            icmp: Some(IcmpFact {
                kind,
                code,
                from,
                version,
            }),
            ..Failure::new(Status::Unreachable, "connect to somewhere: rejected")
        }
    }

    fn failed(plan: &Arc<Plan>, failure: Failure) -> Report {
        Report {
            failure: Some(Arc::new(failure)),
            ..down(plan, Status::Ok)
        }
    }

    fn silent(plan: &Arc<Plan>) -> Report {
        let address = (plan.ip().unwrap(), 25).into();
        Report {
            connection: Some(ConnectionReport::new(address)),
            ..failed(plan, Failure::new(Status::ConnectTimeout, "no answer"))
        }
    }

    fn fleet(targets: u32, host: impl Fn(u32) -> String) -> Vec<Arc<Plan>> {
        (0..targets)
            .map(|index| plan(index, &host(index), None))
            .collect()
    }

    fn causes(reports: &[Report], plans: &[Arc<Plan>]) -> Vec<(String, usize)> {
        let mut groups = FailureGroups::default();
        for report in reports {
            groups.add(report);
        }
        let causes = groups.causes(plans);
        let mut reversed = FailureGroups::default();
        for report in reports.iter().rev() {
            reversed.add(report);
        }
        assert_eq!(causes, reversed.causes(plans), "the order changes nothing");
        let causes = causes.into_iter();
        causes
            .map(|cause| (cause.sentence, cause.targets))
            .collect()
    }

    const ROUTER: &str = "10.0.0.1 says administratively prohibited (ICMP type 3 code 13)";

    #[test]
    fn one_sender_is_one_cause() {
        let plans = fleet(9, |index| format!("host{index}"));
        let reports: Vec<_> = plans
            .iter()
            .map(|plan| match plan.index {
                0..4 => failed(plan, rejected("10.0.0.1")),
                4 => failed(plan, rejected("10.0.0.2")),
                5 => down(plan, Status::Refused),
                _ => up(plan, b"", 0),
            })
            .collect();
        assert_eq!(causes(&reports, &plans), [(ROUTER.to_owned(), 4)]);
        let mut groups = FailureGroups::default();
        for report in &reports {
            groups.add(report);
        }
        let causes = groups.causes(&plans);
        let mut json = Vec::new();
        write(&causes, 9, &plans, &mut json);
        let expected = format!(
            r#"[{{"cause":"{ROUTER}","status":4,"targets":4,"of":9,"examples":["host0:25","host1:25","host2:25"]}}]"#
        );
        assert_eq!(String::from_utf8(json).unwrap(), expected);
        let line =
            format!("4 of 9 targets: unreachable: {ROUTER} (host0:25, host1:25, host2:25, ...)");
        assert_eq!(lines(&causes, 9, &plans), [line]);
    }

    /// The name of a target has two addresses, behind two routers. Each target counts once, for the
    /// larger cause.
    #[test]
    fn a_target_with_two_causes_counts_for_the_larger() {
        let plans = fleet(2000, |index| format!("host{index}"));
        let both = |plan: &Arc<Plan>, first: &str, second: &str| {
            let address = |failure| ConnectionReport {
                failure: Some(Arc::new(failure)),
                ..ConnectionReport::new(([192, 0, 2, 7], 25).into())
            };
            Report {
                addresses: [address(rejected(first)), address(rejected(second))].into(),
                ..failed(plan, rejected(first))
            }
        };
        let denied = || Failure::new(Status::Denied, "denied").sharing("denied by policy: deny[1]");
        let reports: Vec<_> = plans
            .iter()
            .map(|plan| match plan.index {
                0..700 => failed(plan, rejected("10.0.0.1")),
                700..900 => both(plan, "10.0.0.2", "10.0.0.1"),
                900..1300 => failed(plan, rejected("10.0.0.2")),
                1300..1850 => failed(plan, denied()),
                _ => up(plan, b"", 0),
            })
            .collect();
        let expected = [
            (ROUTER.to_owned(), 900),
            ("denied by policy: deny[1]".to_owned(), 550),
            (ROUTER.replace("0.1", "0.2"), 400),
        ];
        assert_eq!(causes(&reports, &plans), expected);
    }

    #[test]
    fn a_silent_network_is_a_cause_if_nothing_in_it_answers() {
        // 10.1.0.x and 10.1.1.x are silent; in 10.2.0.x one target answers, in 10.3.0.x one is denied.
        let host = |index| match index {
            0..20 => format!("10.1.{}.{index}", index % 2),
            20..30 => format!("10.2.0.{index}"),
            30..40 => format!("10.3.0.{index}"),
            _ => format!("fd77:0:0:{:x}::{index}", index % 2),
        };
        let plans = fleet(50, host);
        let reports: Vec<_> = plans
            .iter()
            .map(|plan| match plan.index {
                25 => up(plan, b"", 0),
                35 => down(plan, Status::Denied),
                44 => down(plan, Status::Refused),
                _ => silent(plan),
            })
            .collect();
        let from = |network: &str| format!("no answer to SYNs from any target in {network}");
        let expected = [
            (from("10.1.0.0/16"), 20),
            (from("10.3.0.0/24"), 9),
            (from("fd77:0:0:1::/64"), 5),
        ];
        assert_eq!(causes(&reports, &plans), expected);
        // Fewer than three targets are no cause.
        assert_eq!(causes(&reports[..2], &plans[..2]), []);
    }

    #[test]
    fn targets_of_a_traced_network_are_behind_its_router() {
        // Of 10.1.0.x, two are traced to one router; of 10.2.0.x, two to different ones; of 10.3.0.x,
        // one, but no router answered.
        let plans = fleet(30, |index| format!("10.{}.0.{index}", index / 10 + 1));
        let traced = |plan: &Arc<Plan>, routers: &[&str]| {
            let mut report = silent(plan);
            let mut path = PathFacts::new(plan.ip().unwrap());
            for (router, hop) in routers.iter().zip(1..) {
                path.add(Hop {
                    hop,
                    from: router.parse().unwrap(),
                    time: Duration::from_millis(1),
                    answer: HopAnswer::TimeExceeded,
                });
            }
            report.connection.as_mut().unwrap().path = Some(Box::new(path));
            report
        };
        let reports: Vec<_> = plans
            .iter()
            .map(|plan| match plan.index {
                3 | 7 => traced(plan, &["10.0.0.1", "10.0.0.9"]),
                13 => traced(plan, &["10.0.0.1"]),
                17 => traced(plan, &["10.0.0.2"]),
                25 => traced(plan, &[]),
                _ => silent(plan),
            })
            .collect();
        let router = "no answer to SYNs; the last router that answered is 10.0.0.9 (2 of 10 \
                      targets were traced)";
        let from = |network: &str| format!("no answer to SYNs from any target in {network}");
        let expected = [
            (from("10.3.0.0/24"), 10),
            (router.to_owned(), 10),
            (from("10.2.0.0/24"), 8),
        ];
        assert_eq!(causes(&reports, &plans), expected);
    }

    #[test]
    fn there_are_ten_causes_at_most_and_long_sentences_are_cut() {
        let plans = fleet(60, |index| format!("host{index}"));
        let sharing = |cause: &str| Failure::new(Status::LocalError, "x").sharing(cause);
        let reports: Vec<_> = plans
            .iter()
            .map(|plan| failed(plan, sharing(&format!("{} ", plan.index / 3).repeat(900))))
            .collect();
        let found = causes(&reports, &plans);
        assert_eq!(found.len(), MOST);
        assert!(
            found
                .iter()
                .all(|(sentence, targets)| sentence.len() == LONGEST && *targets == 3)
        );
        assert_eq!(causes(&reports[..1], &plans), []);
        assert_eq!(causes(&[], &[]), []);
    }
}

//! Simulated paths: a path defines the answer of each hop, its delay, and what is lost.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::failure::{IcmpFact, IcmpVersion, Status};

const TARGET: &str = "192.0.2.7:25";

/// What happens to a SYN.
#[derive(Debug, Clone)]
enum Fate {
    Lost,
    Answer(&'static str, HopAnswer, u64),
    NotSent,
}

use Fate::{Answer, Lost, NotSent};

/// What a simulated trace did.
#[derive(Debug)]
struct Run {
    /// The hops of the SYNs, in order.
    syns: Vec<u8>,
    facts: Option<PathFacts>,
    /// How long after the first SYN of the attempt the trace was over.
    over: Option<Duration>,
}

impl Run {
    fn sentence(&self) -> String {
        self.facts.as_ref().unwrap().sentence()
    }

    fn most_to_one_hop(&self) -> usize {
        (1..=MAX_HOPS)
            .map(|hop| count(&self.syns, hop))
            .max()
            .unwrap()
    }
}

#[allow(clippy::naive_bytecount, reason = "a few hops")]
fn count(syns: &[u8], hop: u8) -> usize {
    syns.iter().filter(|other| **other == hop).count()
}

/// Runs a trace against a path: `fate` is asked for the n-th SYN to a hop, from 0.
#[allow(clippy::disallowed_methods, reason = "an instant to start from")]
#[allow(clippy::too_many_lines, reason = "one simulation")]
fn run(rounds: Option<u32>, timeout: Duration, fate: impl Fn(u8, usize) -> Fate) -> Run {
    let start = Instant::now();
    let (id, remote) = (AttemptId::new(0), TARGET.parse().unwrap());
    let deadline = start + timeout;
    let trace = match rounds {
        Some(rounds) => {
            let rounds = NonZeroU32::new(rounds).unwrap();
            Some(Trace::in_rounds(id, remote, start, deadline, rounds))
        }
        None => Trace::when_unanswered(id, remote, start, deadline),
    };
    let Some(mut trace) = trace else {
        return Run {
            syns: Vec::new(),
            facts: None,
            over: None,
        };
    };
    let (mut now, mut actions, mut syns) = (start, Actions::new(), Vec::new());
    let mut open = BTreeMap::new();
    let mut due: BTreeMap<(Instant, NonZeroU16), (&str, HopAnswer)> = BTreeMap::new();
    let mut over = None;
    loop {
        while let Some(action) = actions.pop_front() {
            let Action::Trace(_, action) = action else {
                panic!("{action:?}");
            };
            match action {
                TraceAction::Request(address) => {
                    assert_eq!(address, remote.ip());
                    trace.permitted(now, &mut actions);
                }
                TraceAction::Syn(number, hop, address) => {
                    assert_eq!(address, remote);
                    assert!((1..=MAX_HOPS).contains(&hop));
                    let before = count(&syns, hop);
                    syns.push(hop);
                    let fate = fate(hop, before);
                    if let NotSent = fate {
                        let failure = Failure::new(Status::LocalError, "no descriptor");
                        let reply = TraceReply::Failed(failure);
                        trace.answered(number, reply, now, &mut actions);
                        continue;
                    }
                    trace.sent(number, now);
                    assert!(open.insert(number, now).is_none());
                    if let Answer(from, answer, after) = fate {
                        due.insert((now + Duration::from_millis(after), number), (from, answer));
                    }
                }
                TraceAction::Shutdown(number) => assert!(open.contains_key(&number)),
                TraceAction::Close(number, _) => {
                    let sent = open.remove(&number).expect("closed once");
                    let most = LIFETIME + DRAIN;
                    assert!(
                        now.saturating_duration_since(sent) <= most,
                        "closed too late"
                    );
                    due.retain(|(_, other), _| *other != number);
                }
            }
        }
        if trace.is_over() && over.is_none() {
            over = Some(now - start);
            assert!(open.is_empty(), "a connection is left open");
        }
        let next = [trace.next_wake(), due.keys().next().map(|(at, _)| *at)];
        let Some(next) = next.into_iter().flatten().min() else {
            break;
        };
        assert!(syns.len() < 10_000);
        now = next.max(now);
        if now >= deadline {
            trace.end(&mut actions);
            let closes = actions
                .iter()
                .filter(|action| matches!(action, Action::Trace(_, TraceAction::Close(..))));
            assert_eq!(closes.count(), open.len());
            break;
        }
        let is_due = |(at, _): &(Instant, NonZeroU16)| *at <= now;
        match due.keys().next().copied().filter(is_due) {
            Some(key) => {
                let (from, answer) = due.remove(&key).unwrap();
                let reply = TraceReply::Answer(from.parse().unwrap(), answer);
                trace.answered(key.1, reply, now, &mut actions);
            }
            None => trace.tick(now, &mut actions),
        }
    }
    let (facts, _) = trace.into_facts();
    Run { syns, facts, over }
}

const ROUTERS: [&str; 12] = [
    "10.0.1.1",
    "10.0.2.1",
    "10.0.3.1",
    "10.0.4.1",
    "10.0.5.1",
    "10.0.6.1",
    "10.0.7.1",
    "10.0.8.1",
    "10.0.9.1",
    "10.0.10.1",
    "10.0.11.1",
    "10.0.12.1",
];

fn prohibited() -> HopAnswer {
    HopAnswer::Error(IcmpFact {
        kind: 3,
        code: 13,
        from: None,
        version: IcmpVersion::V4,
    })
}

/// A path of this many routers with an answer after this number of milliseconds, and then `last`.
fn path(routers: usize, after: u64, last: Fate) -> impl Fn(u8, usize) -> Fate {
    move |hop, _| match ROUTERS.get(usize::from(hop) - 1) {
        Some(router) if usize::from(hop) <= routers => {
            Answer(router, HopAnswer::TimeExceeded, after)
        }
        _ => last.clone(),
    }
}

const DEFAULT: Duration = Duration::from_millis(2500);

#[test]
fn a_silent_target_gets_one_syn_a_hop_and_three_that_may_be_lost() {
    let run = run(None, DEFAULT, path(2, 10, Lost));
    let expected: Vec<u8> = (1..=30).chain([3, 4, 5]).collect();
    assert_eq!(run.syns, expected);
    assert_eq!(
        run.sentence(),
        "the last router that answered is hop 2, 10.0.2.1"
    );
}

#[test]
fn the_answer_of_the_target_ends_the_trace() {
    for answer in [HopAnswer::Accepted, HopAnswer::Refused, prohibited()] {
        let run = run(None, DEFAULT, path(2, 1, Answer("192.0.2.7", answer, 1)));
        assert_eq!(run.syns, [1, 2, 3]);
        assert!(run.over.is_some());
    }
    // The answer comes after the next SYNs were sent.
    let run = run(
        None,
        DEFAULT,
        path(2, 60, Answer("192.0.2.7", prohibited(), 60)),
    );
    assert_eq!(run.syns, [1, 2, 3, 4, 5]);
}

#[test]
fn a_lost_syn_is_repeated_once() {
    let fate = |hop: u8, nth: usize| match (hop, nth) {
        (2, 0) => Lost,
        (1..=4, _) => Answer(ROUTERS[usize::from(hop) - 1], HopAnswer::TimeExceeded, 5),
        _ => Lost,
    };
    let run = run(None, DEFAULT, fate);
    assert_eq!(run.syns[30..], [5, 6, 7, 2]);
    let hops: Vec<u8> = run.facts.unwrap().hops.iter().map(|hop| hop.hop).collect();
    assert_eq!(hops, [1, 2, 3, 4]);
}

/// Without any answer, the first hops are asked again.
#[test]
fn a_local_firewall_that_drops_icmp_leaves_nothing() {
    let run = run(None, DEFAULT, path(0, 0, Lost));
    assert_eq!(run.syns[30..], [1, 2, 3]);
    assert_eq!(run.sentence(), "no router on the way answered");
}

#[test]
fn a_loop_ends_the_trace() {
    let fate = |hop: u8, _: usize| match hop {
        1 => Answer(ROUTERS[0], HopAnswer::TimeExceeded, 1),
        odd if odd % 2 == 1 => Answer(ROUTERS[2], HopAnswer::TimeExceeded, 1),
        _ => Answer(ROUTERS[1], HopAnswer::TimeExceeded, 1),
    };
    let run = run(None, DEFAULT, fate);
    assert_eq!(run.syns, [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        run.sentence(),
        "the route is a loop from hop 2 on, with 10.0.2.1 and 10.0.3.1"
    );
}

#[test]
fn a_router_that_answers_for_every_hop_ends_the_trace() {
    let run = run(None, DEFAULT, |_, _| {
        Answer(ROUTERS[0], HopAnswer::TimeExceeded, 1)
    });
    assert_eq!(run.syns, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(
        run.sentence(),
        "the last router that answered is 10.0.1.1, at the hops 1 to 9"
    );
}

#[test]
fn a_machine_that_cannot_send_stops() {
    let run = run(None, DEFAULT, |_, _| NotSent);
    assert_eq!((run.syns.len(), run.facts), (1, None));
}

#[test]
fn a_short_timeout_leaves_enough_time_for_all_hops() {
    for timeout in [400, 1000, 2000] {
        let run = run(None, Duration::from_millis(timeout), path(12, 20, Lost));
        let sentence = "the last router that answered is hop 12, 10.0.12.1";
        assert_eq!(run.sentence(), sentence, "{timeout}");
    }
    // Half of the time, less than is of use.
    let run = run(None, Duration::from_millis(150), path(1, 1, Lost));
    assert!(run.syns.is_empty());
}

#[test]
fn every_round_asks_every_hop_up_to_the_target() {
    let target = Answer("192.0.2.7", HopAnswer::Accepted, 1);
    let run = run(Some(3), DEFAULT, path(2, 1, target));
    assert_eq!(run.syns, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
    assert_eq!(run.facts.unwrap().sent, [3, 3, 3]);
}

#[test]
fn later_rounds_ask_two_hops_behind_the_last_router() {
    let run = run(Some(2), Duration::from_secs(6), path(2, 1, Lost));
    let expected: Vec<u8> = (1..=30).chain(1..=4).collect();
    assert_eq!(run.syns, expected);
}

fn fates() -> impl Strategy<Value = Fate> {
    let from = prop::sample::select(&ROUTERS[..]);
    let answer = prop_oneof![
        8 => Just(HopAnswer::TimeExceeded),
        1 => Just(prohibited()),
        1 => Just(HopAnswer::Refused),
        1 => Just(HopAnswer::Accepted),
    ];
    prop_oneof![
        4 => (from, answer, 0..1500_u64).prop_map(|(from, answer, after)| Answer(from, answer, after)),
        2 => Just(Lost),
        1 => Just(NotSent),
    ]
}

proptest! {
    /// Whatever the path does: the number of SYNs is bounded, and every connection is closed.
    #[test]
    fn no_more_syns_than_promised(
        fates in prop::collection::vec(fates(), 1..40),
        timeout in 1..5000_u64,
        rounds in prop::option::of(1..5_u32),
    ) {
        let fate = |hop: u8, nth: usize| fates[(usize::from(hop) * 7 + nth) % fates.len()].clone();
        let run = run(rounds, Duration::from_millis(timeout), fate);
        let most = match rounds {
            None => usize::from(MAX_HOPS) + MAX_REPEATS,
            Some(rounds) => usize::from(MAX_HOPS) * rounds as usize,
        };
        prop_assert!(run.syns.len() <= most, "{run:?}");
        let a_hop = rounds.map_or(2, |rounds| rounds as usize);
        prop_assert!(run.syns.is_empty() || run.most_to_one_hop() <= a_hop, "{run:?}");
    }
}

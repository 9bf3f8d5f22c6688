//! The rows of a trace: what is known of each hop.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::path_facts::{HopAnswer, PathFacts};
use crate::report::Report;

/// The names of routers.
pub type NamesOfRouters = HashMap<IpAddr, String, RandomState>;

/// The traces of one host.
#[derive(Debug)]
pub struct PathReport<'r> {
    /// The report of the port.
    pub first: &'r Report,
    /// The report of the port that is compared with it.
    pub against: Option<&'r Report>,
    /// The names of the routers, if they were looked up.
    pub names: &'r NamesOfRouters,
}

/// What is known of one hop.
#[derive(Debug, PartialEq)]
pub(super) struct HopRow {
    pub hop: u8,
    /// How many SYNs were sent, and how many were answered.
    pub sent: u32,
    pub answered: u32,
    /// The shortest, the mean and the longest time, if there was an answer.
    pub times: Option<[Duration; 3]>,
    /// The senders of the answers, each once.
    pub from: Vec<(IpAddr, HopAnswer)>,
}

impl<'r> PathReport<'r> {
    /// The reports, in order.
    pub(super) fn reports(&self) -> impl Iterator<Item = &'r Report> {
        std::iter::once(self.first).chain(self.against)
    }
}

/// The trace of a report.
pub(super) fn path(report: &Report) -> Option<&PathFacts> {
    report.connection.as_ref()?.path.as_deref()
}

/// The hops up to the last one that answered, and how many silent ones follow.
pub(super) fn rows(facts: &PathFacts) -> (Vec<HopRow>, usize) {
    let last = facts.hops.last().map_or(0, |last| usize::from(last.hop));
    let hops = (1..=u8::MAX).zip(&facts.sent).take(last);
    let rows = hops.map(|(hop, sent)| row(facts, hop, *sent)).collect();
    (rows, facts.sent.len().saturating_sub(last))
}

fn row(facts: &PathFacts, hop: u8, sent: u16) -> HopRow {
    let answers = || facts.hops.iter().filter(|answer| answer.hop == hop);
    let mut from = Vec::new();
    for answer in answers() {
        if !from.contains(&(answer.from, answer.answer)) {
            from.push((answer.from, answer.answer));
        }
    }
    let answered = u32::try_from(answers().count()).unwrap_or(u32::MAX);
    let times = || answers().map(|answer| answer.time);
    let mean = times().sum::<Duration>().checked_div(answered);
    HopRow {
        hop,
        sent: sent.into(),
        answered,
        times: times()
            .min()
            .zip(mean)
            .zip(times().max())
            .map(|((min, mean), max)| [min, mean, max]),
        from,
    }
}

impl HopRow {
    /// The fraction of the SYNs that went unanswered.
    pub fn loss(&self) -> f64 {
        match self.sent {
            0 => 0.0,
            sent => f64::from(sent.saturating_sub(self.answered)) / f64::from(sent),
        }
    }
}

//! The 48-byte form of the most frequent report of a batch: the target is an address, it is up, and
//! no data was exchanged.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::plan::Plan;
use crate::report::{ConnectionReport, Report, RoundTrip, TcpFacts};

/// The published measurements of such a report. Everything else comes from its plan.
#[derive(Debug, Clone, Copy)]
pub struct CompactReport {
    source: IpAddr,
    /// Nanoseconds.
    total: u32,
    /// Nanoseconds.
    connect: u32,
    rtt: Option<RoundTrip>,
    syn_retransmits: u32,
    mss: u32,
}

impl CompactReport {
    /// The compact form; `None` if the report has more measurements than fit in it.
    pub fn new(report: &Report) -> Option<Self> {
        let connection = report.connection.as_ref()?;
        let tcp = connection.tcp.as_ref()?;
        let has_more = report.failure.is_some()
            || report.resolve.is_some()
            || report.attempts.is_some()
            || !report.addresses.is_empty()
            || connection.failure.is_some()
            || connection.dialogue.is_some()
            || connection.path.is_some()
            || address(&report.plan) != Some(connection.address);
        let nanos = |time: Duration| u32::try_from(time.as_nanos()).ok();
        let compact = Self {
            source: connection.source?,
            total: nanos(report.total)?,
            connect: nanos(connection.connect?)?,
            rtt: tcp.rtt,
            syn_retransmits: tcp.syn_retransmits,
            mss: tcp.mss?,
        };
        (!has_more).then_some(compact)
    }

    /// The report, with everything that is published of it.
    pub fn report(&self, plan: &Arc<Plan>) -> Option<Report> {
        let nanos = |nanos: u32| Duration::from_nanos(nanos.into());
        let connection = ConnectionReport {
            source: Some(self.source),
            total: nanos(self.total),
            connect: Some(nanos(self.connect)),
            tcp: Some(TcpFacts {
                rtt: self.rtt,
                syn_retransmits: self.syn_retransmits,
                mss: Some(self.mss),
            }),
            ..ConnectionReport::new(address(plan)?)
        };
        Some(Report {
            plan: Arc::clone(plan),
            failure: None,
            total: nanos(self.total),
            resolve: None,
            connection: Some(connection),
            addresses: Box::default(),
            address_count: 0,
            attempts: None,
        })
    }
}

/// The address of the target; `None` if the target is a name.
fn address(plan: &Plan) -> Option<SocketAddr> {
    plan.ip()
        .map(|ip| SocketAddr::new(ip, plan.target.port.get()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;
    use crate::output::document;
    use crate::output::test_reports::{down, plan, up};

    #[test]
    fn a_compact_report_is_published_like_the_original() {
        let plan = plan(0, "192.0.2.7", None);
        let mut report = up(&plan, b"", 3);
        for rtt in [report.connection.as_ref().unwrap().tcp.unwrap().rtt, None] {
            report
                .connection
                .as_mut()
                .unwrap()
                .tcp
                .as_mut()
                .unwrap()
                .rtt = rtt;
            let again = CompactReport::new(&report).unwrap().report(&plan).unwrap();
            assert_eq!(document::line(&again), document::line(&report));
        }
        assert!(
            size_of::<CompactReport>() <= 48,
            "{}",
            size_of::<CompactReport>()
        );
    }

    #[test]
    fn a_report_with_more_measurements_is_not_compact() {
        let plan = plan(0, "192.0.2.7", None);
        assert!(
            CompactReport::new(&up(&plan, b"220 ready", 0)).is_none(),
            "data was received"
        );
        assert!(CompactReport::new(&down(&plan, Status::Refused)).is_none());
        assert!(
            CompactReport::new(&up(
                &crate::output::test_reports::plan(0, "mx1", None),
                b"",
                0
            ))
            .is_none(),
            "the address of a name is not in the plan"
        );
        assert!(
            CompactReport::new(&up(
                &crate::output::test_reports::plan(0, "192.0.2.8", None),
                b"",
                0
            ))
            .is_none()
        );
        let slow = Report {
            total: Duration::from_secs(5),
            ..up(&plan, b"", 0)
        };
        assert!(
            CompactReport::new(&slow).is_none(),
            "more than 32 bits of nanoseconds"
        );
        let resolved = Report {
            resolve: Some(Duration::ZERO),
            ..up(&plan, b"", 0)
        };
        assert!(CompactReport::new(&resolved).is_none());
    }
}

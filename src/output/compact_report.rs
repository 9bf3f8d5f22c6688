//! What most targets of a fleet are like: up at the address that was written, and nothing was said.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::plan::Plan;
use crate::report::{ConnectionReport, Report, RoundTrip, TcpFacts};

/// Everything that such a report publishes beyond its plan, in 48 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    source: IpAddr,
    /// In nanoseconds, as the next.
    total: u32,
    connect: u32,
    rtt: Option<RoundTrip>,
    syn_retransmits: u32,
    mss: u32,
}

impl Plain {
    /// The facts of a report, if it has no others.
    pub fn of(report: &Report) -> Option<Self> {
        let connection = report.connection.as_ref()?;
        let tcp = connection.tcp.as_ref()?;
        let other = report.failure.is_some()
            || report.resolve.is_some()
            || report.attempts.is_some()
            || !report.addresses.is_empty()
            || connection.failure.is_some()
            || connection.dialogue.is_some()
            || address(&report.plan) != Some(connection.address);
        let nanos = |time: Duration| u32::try_from(time.as_nanos()).ok();
        let plain = Self {
            source: connection.source?,
            total: nanos(report.total)?,
            connect: nanos(connection.connect?)?,
            rtt: tcp.rtt,
            syn_retransmits: tcp.syn_retransmits,
            mss: tcp.mss?,
        };
        (!other).then_some(plain)
    }

    /// The report again, as far as it is published.
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
            attempts: None,
        })
    }
}

/// The address that was written.
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
    fn a_plain_report_is_published_as_it_was() {
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
            let again = Plain::of(&report).unwrap().report(&plan).unwrap();
            assert_eq!(document::line(&again), document::line(&report));
        }
        assert!(size_of::<Plain>() <= 48, "{}", size_of::<Plain>());
    }

    #[test]
    fn a_report_with_anything_else_is_not_plain() {
        let plan = plan(0, "192.0.2.7", None);
        assert!(
            Plain::of(&up(&plan, b"220 ready", 0)).is_none(),
            "something was said"
        );
        assert!(Plain::of(&down(&plan, Status::Refused)).is_none());
        assert!(
            Plain::of(&up(
                &crate::output::test_reports::plan(0, "mx1", None),
                b"",
                0
            ))
            .is_none(),
            "a name has an address"
        );
        assert!(
            Plain::of(&up(
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
            Plain::of(&slow).is_none(),
            "more than 32 bits of nanoseconds"
        );
        let resolved = Report {
            resolve: Some(Duration::ZERO),
            ..up(&plan, b"", 0)
        };
        assert!(Plain::of(&resolved).is_none());
    }
}

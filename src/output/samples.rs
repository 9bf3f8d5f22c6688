//! Reports for the tests of the formats.

use std::sync::Arc;
use std::time::Duration;

use super::wanted::{Defaults, FleetFormat, KeyPart, SenderKey, Wanted};
use crate::failure::{Failure, Status};
use crate::output::metrics::METRICS;
use crate::plan::{Label, Method, Plan};
use crate::report::{Exchange, Report, Response, RoundTrip, TcpFacts, Trial};
use crate::target::Target;

/// A plan for port 25 of this host, by the service `smtp`.
pub fn plan(number: u32, host: &str, label: Option<Label>) -> Arc<Plan> {
    let target = Target::from_words(host, Some("25"), None).unwrap();
    let method = Method {
        service: Some("smtp".into()),
        ..Method::default()
    };
    Arc::new(Plan {
        number,
        label: label.map(Box::new),
        ..Plan::by(method, target)
    })
}

/// It is up, said this, and needed so many SYNs more than one.
pub fn up(plan: &Arc<Plan>, said: &[u8], syn_retransmits: u32) -> Report {
    let micros = Duration::from_micros;
    let rtt = Some(RoundTrip::new(micros(650), micros(100)));
    let response = Response {
        bytes: said.len() as u64,
        start: said.to_vec(),
    };
    let exchange = Exchange {
        response: Some(response),
        ..Exchange::default()
    };
    let trial = Trial {
        source: Some([192, 0, 2, 50].into()),
        total: micros(900),
        connect: Some(micros(812)),
        tcp: Some(TcpFacts {
            rtt,
            syn_retransmits,
            mss: Some(1448),
        }),
        exchange: (!said.is_empty()).then(|| Box::new(exchange)),
        ..Trial::untried(([192, 0, 2, 7], 25).into())
    };
    let trial = Some(trial);
    Report {
        plan: Arc::clone(plan),
        failure: None,
        total: micros(900),
        trial,
        ..down(plan, Status::Ok)
    }
}

/// It ended before it connected to anything.
pub fn down(plan: &Arc<Plan>, status: Status) -> Report {
    Report::without_trial(
        Arc::clone(plan),
        Failure::new(status, "no \"such\" name"),
        Duration::ZERO,
    )
}

/// What `sender` prints with these metrics.
pub fn wanted(paths: &[&str]) -> Wanted {
    let metric = |path: &&str| METRICS.iter().find(|metric| metric.path == *path).unwrap();
    let parts = [
        KeyPart::Text("tcp.target[".into()),
        KeyPart::Id,
        KeyPart::Text(",".into()),
        KeyPart::Metric,
    ];
    Wanted {
        format: FleetFormat::Sender,
        metrics: paths.iter().map(metric).collect(),
        zabbix_host: None,
        sender_key: SenderKey(
            parts
                .into_iter()
                .chain([KeyPart::Text("]".into())])
                .collect(),
        ),
        defaults: Defaults::Written,
    }
}

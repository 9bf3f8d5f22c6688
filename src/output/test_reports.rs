//! Reports for the tests of the output formats.

use std::sync::Arc;
use std::time::Duration;

use crate::address::Target;
use crate::failure::{Failure, Status};
use crate::output::batch_format::{
    BatchFormat, BatchOutput, DefaultFields, KeyPart, SenderKey, SenderMetric,
};
use crate::output::metrics::METRICS;
use crate::plan::{Plan, ProbeSpec, TargetMeta};
use crate::report::{ConnectionReport, DialogueReport, Report, Response, RoundTrip, TcpFacts};

/// A plan for port 25 of this host, with the service `smtp`.
pub fn plan(number: u32, host: &str, label: Option<TargetMeta>) -> Arc<Plan> {
    let target = Target::from_arguments(host, Some("25"), None).unwrap();
    let spec = ProbeSpec {
        service: Some("smtp".into()),
        ..ProbeSpec::default()
    };
    Arc::new(Plan {
        index: number,
        meta: label.map(Box::new),
        ..Plan::new(spec, target)
    })
}

/// A successful report with this response and number of SYN retransmissions.
pub fn up(plan: &Arc<Plan>, received: &[u8], syn_retransmits: u32) -> Report {
    let micros = Duration::from_micros;
    let rtt = Some(RoundTrip::new(micros(650), micros(100)));
    let response = Response {
        bytes: received.len() as u64,
        start: received.to_vec(),
    };
    let dialogue = DialogueReport {
        response: Some(response),
        ..DialogueReport::default()
    };
    let connection = ConnectionReport {
        source: Some([192, 0, 2, 50].into()),
        total: micros(900),
        connect: Some(micros(812)),
        tcp: Some(TcpFacts {
            rtt,
            syn_retransmits,
            mss: Some(1448),
        }),
        dialogue: (!received.is_empty()).then(|| Box::new(dialogue)),
        ..ConnectionReport::new(([192, 0, 2, 7], 25).into())
    };
    let connection = Some(connection);
    Report {
        plan: Arc::clone(plan),
        failure: None,
        total: micros(900),
        connection,
        ..down(plan, Status::Ok)
    }
}

/// The report of a probe that failed before it connected.
pub fn down(plan: &Arc<Plan>, status: Status) -> Report {
    Report::without_connection(
        Arc::clone(plan),
        Failure::new(status, "no \"such\" name"),
        Duration::ZERO,
    )
}

/// The output options of `-o sender` with these metrics.
pub fn sender_output(paths: &[&str]) -> BatchOutput {
    let metric = |path: &&str| {
        let metric = METRICS.iter().find(|metric| metric.path == *path);
        metric.map_or_else(
            || SenderMetric::Capture((*path).into()),
            SenderMetric::Metric,
        )
    };
    let parts = [
        KeyPart::Text("tcp.target[".into()),
        KeyPart::Id,
        KeyPart::Text(",".into()),
        KeyPart::Metric,
    ];
    BatchOutput {
        max_output: None,
        format: BatchFormat::Sender,
        metrics: paths.iter().map(metric).collect(),
        zabbix_host: None,
        sender_key: SenderKey(
            parts
                .into_iter()
                .chain([KeyPart::Text("]".into())])
                .collect(),
        ),
        defaults: DefaultFields::Include,
    }
}

//! The document of one of many targets. What was asked is known from its plan, so only what was found is kept until the
//! document of the whole fleet is written.
//!
//! A compact entry leaves out what is said elsewhere or is at its default, and nothing else: `schema`, `id`, `name`,
//! `host`, `port` and `service` (the fleet's document, the entry's key and its discovery row say them), `address` and
//! `family` where the host is an address, `source`, `status_name` when `ok`, `error` when empty, and
//! `tcp.syn_retransmits` when 0. `up`, `status` and `time.total` are always there, and `id` in a line of its own.

use crate::failure::Status;
use crate::output::batch_format::Defaults;
use crate::output::document::Rows;
use crate::output::metrics::{METRICS, Metric, Read, Value};
use crate::plan::Plan;
use crate::report::Report;

/// Appends one target's document with its id, which stands alone: one JSON object, without a newline.
pub fn write(report: &Report, defaults: Defaults, buffer: &mut Vec<u8>) {
    match defaults {
        Defaults::Written => write_asked(&report.plan, &report.plan.id(), defaults, buffer),
        Defaults::LeftOut => {
            Rows::open(buffer).row(None, "id", &Value::Text(report.plan.id()));
            buffer.push(b',');
        }
    }
    write_found(report, defaults, buffer);
}

/// Appends the beginning of the object: what was asked, by this id. [`write_found`] appends the rest.
pub fn write_asked(plan: &Plan, id: &str, defaults: Defaults, buffer: &mut Vec<u8>) {
    if defaults == Defaults::LeftOut {
        buffer.push(b'{');
        return;
    }
    let mut rows = Rows::open(buffer);
    for metric in &METRICS {
        match metric.read {
            Read::Asked(_) if metric.path == "id" => {
                rows.row(None, metric.name, &Value::Text(id.into()));
            }
            Read::Asked(read) => {
                if let Some(value) = read(plan) {
                    rows.row(metric.group, metric.name, &value);
                }
            }
            Read::Probe(_) | Read::Connection(_) => {}
        }
    }
    buffer.push(b',');
}

/// Appends what was found, and ends the object that [`write_asked`] began.
pub fn write_found(report: &Report, defaults: Defaults, buffer: &mut Vec<u8>) {
    let mut rows = Rows::resume(buffer);
    for metric in &METRICS {
        if matches!(metric.read, Read::Asked(_)) {
            continue;
        }
        let Some(value) = metric.value(report) else {
            continue;
        };
        if defaults == Defaults::Written || !is_at_default(metric, &value, &report.plan) {
            rows.row(metric.group, metric.name, &value);
        }
    }
    rows.end(report);
}

/// Whether a compact entry does without it.
fn is_at_default(metric: &Metric, value: &Value<'_>, plan: &Plan) -> bool {
    match (metric.path, value) {
        ("address" | "family", _) => plan.ip().is_some(),
        ("source", _) => true,
        ("status_name", Value::Text(name)) => name == Status::Ok.name(),
        ("error", Value::Text(text)) => text.is_empty(),
        ("tcp.syn_retransmits", Value::Integer(count)) => *count == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::test_reports::{down, plan, up};
    use crate::plan::TargetMeta;

    fn written(report: &Report, defaults: Defaults) -> String {
        let mut buffer = Vec::new();
        write(report, defaults, &mut buffer);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn a_whole_entry_is_the_document_with_its_id() {
        let label = TargetMeta {
            id: Some("mail".into()),
            name: Some("Mail relay".into()),
            ..TargetMeta::default()
        };
        for (label, names) in [
            (None, r#""id":"mx1.example.org:25""#),
            (Some(TargetMeta::default()), r#""id":"mx1.example.org:25""#),
            (Some(label), r#""id":"mail","name":"Mail relay""#),
        ] {
            let report = up(&plan(0, "mx1.example.org", label), b"", 0);
            let expected = format!(
                concat!(
                    r#"{{"schema":1,{},"host":"mx1.example.org","port":25,"service":"smtp","up":1,"status":0,"#,
                    r#""status_name":"ok","error":"","address":"192.0.2.7","family":4,"source":"192.0.2.50","#,
                    r#""time":{{"total":0.000900,"connect":0.000812}},"#,
                    r#""tcp":{{"rtt":0.000650,"rttvar":0.000100,"syn_retransmits":0,"mss":1448}}}}"#,
                ),
                names
            );
            assert_eq!(written(&report, Defaults::Written), expected);
        }
    }

    #[test]
    fn a_compact_entry_has_what_is_not_said_elsewhere() {
        let named = plan(0, "mx1.example.org", None);
        assert_eq!(
            written(&up(&named, b"", 0), Defaults::LeftOut),
            concat!(
                r#"{"id":"mx1.example.org:25","up":1,"status":0,"address":"192.0.2.7","family":4,"time":{"total":0.000900,"connect":0.000812},"#,
                r#""tcp":{"rtt":0.000650,"rttvar":0.000100,"mss":1448}}"#
            )
        );
        assert_eq!(
            written(&up(&plan(0, "192.0.2.7", None), b"", 2), Defaults::LeftOut),
            concat!(
                r#"{"id":"192.0.2.7:25","up":1,"status":0,"time":{"total":0.000900,"connect":0.000812},"#,
                r#""tcp":{"rtt":0.000650,"rttvar":0.000100,"syn_retransmits":2,"mss":1448}}"#
            )
        );
        assert_eq!(
            written(&down(&named, Status::ResolveFailed), Defaults::LeftOut),
            concat!(
                r#"{"id":"mx1.example.org:25","up":0,"status":1,"status_name":"resolve_failed","error":"no \"such\" name","#,
                r#""time":{"total":0.000000}}"#
            )
        );
    }
}

//! The document of one target of a batch, in two halves: the fields that are known from the plan,
//! and the result fields. Only the result has to be stored until the batch document is written.
//!
//! A compact entry omits the fields that are redundant or at their default: `schema`, `id`, `name`,
//! `host`, `port` and `service` (they are in the batch document, the key of the entry and its
//! discovery row), `address` and `family` if the host is an address, `source`, `status_name` if
//! `ok`, `error` and `addresses_error` if empty, and `tcp.syn_retransmits` if 0. Of TLS it omits the
//! lists of names and of certificates, `roots`, `how` if `handshake`, `proved` if 1, `client_cert`
//! and `staple` if 0, and `verify_error`, `faults` and `other_addresses` if empty. `up`, `state`,
//! `status` and `time.total` are always present, and so is `id` in a stand-alone line.

use crate::failure::Status;
use crate::output::batch_format::DefaultFields;
use crate::output::document::{FieldWriter, is_long};
use crate::output::metrics;
use crate::output::metrics::{Getter, Metric, Value};
use crate::plan::Plan;
use crate::report::Report;
use crate::tls_facts::FactSource;

/// Appends the stand-alone document of a target, with its id: one JSON object, without a newline.
pub fn write(report: &Report, defaults: DefaultFields, buffer: &mut Vec<u8>) {
    match defaults {
        DefaultFields::Include => {
            write_target_fields(&report.plan, &report.plan.id(), defaults, buffer);
        }
        DefaultFields::Omit => {
            FieldWriter::new(buffer).field(None, "id", &Value::Text(report.plan.id()));
            buffer.push(b',');
        }
    }
    write_result_fields(report, defaults, buffer);
}

/// Opens the object and appends the fields of the plan, with this id. [`write_result_fields`]
/// appends the rest.
pub fn write_target_fields(plan: &Plan, id: &str, defaults: DefaultFields, buffer: &mut Vec<u8>) {
    if defaults == DefaultFields::Omit {
        buffer.push(b'{');
        return;
    }
    let mut fields = FieldWriter::new(buffer);
    for metric in metrics::of_plan() {
        match metric.getter {
            Getter::FromPlan(_) if metric.path == "id" => {
                fields.field(None, metric.name, &Value::Text(id.into()));
            }
            Getter::FromPlan(get) => {
                if let Some(value) = get(plan) {
                    fields.field(metric.group, metric.name, &value);
                }
            }
            Getter::FromReport(_) | Getter::FromConnection(_) | Getter::FromTls(_) => {}
        }
    }
    buffer.push(b',');
}

/// Appends the result fields and closes the object that [`write_target_fields`] opened.
pub fn write_result_fields(report: &Report, defaults: DefaultFields, buffer: &mut Vec<u8>) {
    let mut fields = FieldWriter::resume(buffer);
    for metrics in metrics::of_result(report) {
        for metric in metrics {
            let Some(value) = metric.value(report) else {
                continue;
            };
            if defaults == DefaultFields::Include || !is_omitted(metric, &value, &report.plan) {
                fields.field(metric.group, metric.name, &value);
            }
        }
    }
    fields.finish(report);
}

/// Whether a compact entry omits this metric.
fn is_omitted(metric: &Metric, value: &Value<'_>, plan: &Plan) -> bool {
    match (metric.path, value) {
        ("address" | "family", _) => plan.ip().is_some(),
        ("source" | "tls.roots", _) => true,
        ("status_name", Value::Text(name)) => name == Status::Ok.name(),
        ("error" | "addresses_error" | "tls.verify_error", Value::Text(text)) => text.is_empty(),
        ("tcp.syn_retransmits", Value::Integer(count)) => *count == 0,
        ("tls.how", Value::Text(how)) => how == FactSource::Handshake.name(),
        ("tls.proved", Value::Integer(proved)) => *proved == 1,
        ("tls.client_cert" | "tls.staple", Value::Integer(is_set)) => *is_set == 0,
        ("tls.faults" | "tls.other_addresses", Value::List(list)) => list.is_empty(),
        _ => is_long(metric),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::test_reports::{down, plan, up};
    use crate::plan::TargetMeta;

    fn written(report: &Report, defaults: DefaultFields) -> String {
        let mut buffer = Vec::new();
        write(report, defaults, &mut buffer);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn a_full_entry_is_the_document_with_its_id() {
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
                    r#"{{"schema":1,{},"host":"mx1.example.org","port":25,"service":"smtp","up":1,"state":1,"status":0,"#,
                    r#""status_name":"ok","error":"","address":"192.0.2.7","family":4,"source":"192.0.2.50","#,
                    r#""time":{{"total":0.000900,"connect":0.000812}},"#,
                    r#""tcp":{{"rtt":0.000650,"rttvar":0.000100,"syn_retransmits":0,"mss":1448}}}}"#,
                ),
                names
            );
            assert_eq!(written(&report, DefaultFields::Include), expected);
        }
    }

    #[test]
    fn a_compact_entry_omits_redundant_and_default_fields() {
        let named = plan(0, "mx1.example.org", None);
        assert_eq!(
            written(&up(&named, b"", 0), DefaultFields::Omit),
            concat!(
                r#"{"id":"mx1.example.org:25","up":1,"state":1,"status":0,"address":"192.0.2.7","family":4,"time":{"total":0.000900,"connect":0.000812},"#,
                r#""tcp":{"rtt":0.000650,"rttvar":0.000100,"mss":1448}}"#
            )
        );
        assert_eq!(
            written(
                &up(&plan(0, "192.0.2.7", None), b"", 2),
                DefaultFields::Omit
            ),
            concat!(
                r#"{"id":"192.0.2.7:25","up":1,"state":1,"status":0,"time":{"total":0.000900,"connect":0.000812},"#,
                r#""tcp":{"rtt":0.000650,"rttvar":0.000100,"syn_retransmits":2,"mss":1448}}"#
            )
        );
        assert_eq!(
            written(&down(&named, Status::ResolveFailed), DefaultFields::Omit),
            concat!(
                r#"{"id":"mx1.example.org:25","up":0,"state":0,"status":1,"status_name":"resolve_failed","error":"no \"such\" name","#,
                r#""time":{"total":0.000000}}"#
            )
        );
    }
}

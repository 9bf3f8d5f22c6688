//! Input lines of `zabbix_sender(1)` with `-T -N -i -`: host, item key, seconds, nanoseconds,
//! value.
//!
//! Fields are separated by spaces. In a field in double quotes, `\"`, `\\` and `\n` are the only
//! escapes. A field without quotes has no escapes; if it is the value, it extends to the end of the
//! line. This is the syntax of `zabbix_sender` in Zabbix 6.0 and 7.0.

use std::time::Duration;

use crate::fast_fmt;
use crate::output::batch_format::{BatchOutput, KeyPart, SenderKey, SenderMetric};
use crate::output::metrics::Value;
use crate::output::value;
use crate::plan::Plan;
use crate::report::Report;

/// Appends a line for each configured metric that was measured. `at` is the time of the verdict,
/// since the Unix epoch.
pub fn write(report: &Report, at: Duration, output: &BatchOutput, buffer: &mut Vec<u8>) {
    let (mut host_field, mut time_fields) = (Vec::new(), Vec::new());
    write_host(&report.plan, output, &mut host_field);
    write_time(at, &mut time_fields);
    let id = report.plan.id();
    let mut key = String::new();
    for metric in &output.metrics {
        let value = match metric {
            SenderMetric::Metric(metric) => metric.value(report),
            SenderMetric::Capture(path) => capture(report, path),
        };
        let Some(value) = value else {
            continue;
        };
        key.clear();
        write_key(&output.sender_key, &id, metric, &mut key);
        buffer.extend_from_slice(&host_field);
        write_field(&key, buffer);
        buffer.extend_from_slice(&time_fields);
        match value.as_text() {
            Some(text) => write_quoted(&text, buffer),
            None => value.write(buffer),
        }
        buffer.push(b'\n');
    }
}

/// The Zabbix host and a space; `-` means the host of `zabbix_sender -s`.
fn write_host(plan: &Plan, output: &BatchOutput, buffer: &mut Vec<u8>) {
    let own = plan
        .meta
        .as_ref()
        .and_then(|label| label.zabbix_host.as_deref());
    match own.or(output.zabbix_host.as_deref()) {
        Some(host) => write_quoted(host, buffer),
        None => buffer.push(b'-'),
    }
    buffer.push(b' ');
}

/// Seconds and nanoseconds, each surrounded by spaces.
fn write_time(at: Duration, buffer: &mut Vec<u8>) {
    buffer.push(b' ');
    fast_fmt::integer(buffer, at.as_secs());
    buffer.push(b' ');
    fast_fmt::integer(buffer, at.subsec_nanos().into());
    buffer.push(b' ');
}

/// What the group of this path captured.
fn capture<'r>(report: &'r Report, path: &str) -> Option<Value<'r>> {
    let name = path.strip_prefix(SenderMetric::CAPTURES)?;
    value::capture(report, name).map(|text| Value::Text(text.into()))
}

fn write_key(pattern: &SenderKey, id: &str, metric: &SenderMetric, key: &mut String) {
    for part in &pattern.0 {
        key.push_str(match part {
            KeyPart::Text(text) => text,
            // Ids consist of letters, digits and `_.:-`, which need no quotes in an item key.
            KeyPart::Id => id,
            // Names of captures as well.
            KeyPart::Metric => metric.path(),
        });
    }
}

/// A field, quoted only if necessary.
fn write_field(text: &str, buffer: &mut Vec<u8>) {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    if text.is_empty() || text.starts_with('"') || text.as_bytes().iter().any(is_space) {
        write_quoted(text, buffer);
    } else {
        buffer.extend_from_slice(text.as_bytes());
    }
}

fn write_quoted(text: &str, buffer: &mut Vec<u8>) {
    buffer.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => buffer.extend_from_slice(&[b'\\', byte]),
            b'\n' => buffer.extend_from_slice(b"\\n"),
            _ => buffer.push(byte),
        }
    }
    buffer.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::test_reports::{down, plan, sender_output, up};
    use crate::plan::TargetMeta;

    const AT: Duration = Duration::new(1_795_338_732, 7_000_089);

    fn lines(report: &Report, output: &BatchOutput) -> String {
        let mut buffer = Vec::new();
        write(report, AT, output, &mut buffer);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn measured_metrics_have_a_line_each() {
        let output = sender_output(&["up", "status", "time.connect", "tcp.rtt", "error"]);
        let plan = plan(0, "mx1", None);
        assert_eq!(
            lines(&up(&plan, b"", 0), &output),
            "- tcp.target[mx1:25,up] 1795338732 7000089 1\n- tcp.target[mx1:25,status] 1795338732 7000089 0\n\
             - tcp.target[mx1:25,time.connect] 1795338732 7000089 0.000812\n\
             - tcp.target[mx1:25,tcp.rtt] 1795338732 7000089 0.000650\n- tcp.target[mx1:25,error] 1795338732 7000089 \"\"\n"
        );
        assert_eq!(
            lines(&down(&plan, crate::failure::Status::ResolveFailed), &output),
            "- tcp.target[mx1:25,up] 1795338732 7000089 0\n- tcp.target[mx1:25,status] 1795338732 7000089 1\n\
             - tcp.target[mx1:25,error] 1795338732 7000089 \"no \\\"such\\\" name\"\n"
        );
    }

    #[test]
    fn captures_are_metrics_and_left_out_where_nothing_was_captured() {
        let output = sender_output(&["up", "captures.version", "captures.other"]);
        let plan = plan(0, "mx1", None);
        let mut report = up(&plan, b"220 mx1 3.7.4", 0);
        let dialogue = report.connection.as_mut().unwrap().dialogue.as_mut();
        dialogue.unwrap().captures = vec![("version".into(), b"3.7 \"4\"\n".to_vec())];
        assert_eq!(
            lines(&report, &output),
            "- tcp.target[mx1:25,up] 1795338732 7000089 1\n\
             - tcp.target[mx1:25,captures.version] 1795338732 7000089 \"3.7 \\\"4\\\"\\\\n\"\n"
        );
    }

    #[test]
    fn the_host_of_the_target_precedes_the_host_of_the_run() {
        let mut output = sender_output(&["up"]);
        output.zabbix_host = Some("the run's".into());
        let own = TargetMeta {
            zabbix_host: Some("a \"b\" \\ c".into()),
            ..TargetMeta::default()
        };
        assert!(
            lines(&up(&plan(0, "mx1", Some(own)), b"", 0), &output)
                .starts_with("\"a \\\"b\\\" \\\\ c\" tcp.")
        );
        assert!(
            lines(&up(&plan(0, "mx1", None), b"", 0), &output).starts_with("\"the run's\" tcp.")
        );
    }

    #[test]
    fn text_values_are_quoted_and_escaped() {
        let report = up(&plan(0, "mx1", None), b"a \"b\" \\n\r\nc", 0);
        let line = lines(&report, &sender_output(&["response.text"]));
        assert!(
            line.ends_with(" \"a \\\"b\\\" \\\\\\\\n\\\\r\\\\nc\"\n"),
            "{line}"
        );
    }

    #[test]
    fn a_key_with_a_space_or_a_leading_quote_is_quoted() {
        let with = |text: &str| {
            let mut output = sender_output(&["up"]);
            output.sender_key = SenderKey(vec![KeyPart::Text(text.into())]);
            lines(&up(&plan(0, "mx1", None), b"", 0), &output)
        };
        assert!(
            with("k[\"a\\\"]").starts_with("- k[\"a\\\"] 1795338732 "),
            "{}",
            with("k[\"a\\\"]")
        );
        assert!(with("k[a b,\"\\]").starts_with("- \"k[a b,\\\"\\\\]\" 1795338732 "));
        assert!(with("\"k").starts_with("- \"\\\"k\" 1795338732 "));
    }
}

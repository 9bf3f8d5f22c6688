//! Input lines of `zabbix_sender(1)` with `-T -N -i -`: host, item key, seconds, nanoseconds, value.
//!
//! Words are separated by spaces. In a word in double quotes `\"`, `\\` and `\n` are escapes and nothing else is; a word
//! without them has no escapes, and is taken to the line's end where it is the value. So read the programs of Zabbix 6.0
//! and 7.0.

use std::time::Duration;

use crate::fast_fmt;
use crate::output::batch_format::{KeyPart, SenderKey, Wanted};
use crate::output::metrics::Metric;
use crate::plan::Plan;
use crate::report::Report;

/// Appends a line for each metric that was asked for and measured; `at` is the time of the verdict since 1970 (UTC).
pub fn write(report: &Report, at: Duration, wanted: &Wanted, buffer: &mut Vec<u8>) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    host(&report.plan, wanted, &mut before);
    moment(at, &mut after);
    let id = report.plan.id();
    let mut key = String::new();
    for metric in &wanted.metrics {
        let Some(value) = metric.value(report) else {
            continue;
        };
        key.clear();
        spell(&wanted.sender_key, &id, metric, &mut key);
        buffer.extend_from_slice(&before);
        word(&key, buffer);
        buffer.extend_from_slice(&after);
        match value.as_text() {
            Some(text) => quoted(&text, buffer),
            None => value.write(buffer),
        }
        buffer.push(b'\n');
    }
}

/// The host in Zabbix and a blank; `-` stands for the one that `zabbix_sender` is given by its `-s`.
fn host(plan: &Plan, wanted: &Wanted, buffer: &mut Vec<u8>) {
    let own = plan
        .label
        .as_ref()
        .and_then(|label| label.zabbix_host.as_deref());
    match own.or(wanted.zabbix_host.as_deref()) {
        Some(host) => quoted(host, buffer),
        None => buffer.push(b'-'),
    }
    buffer.push(b' ');
}

/// Seconds and nanoseconds, in blanks.
fn moment(at: Duration, buffer: &mut Vec<u8>) {
    buffer.push(b' ');
    fast_fmt::integer(buffer, at.as_secs());
    buffer.push(b' ');
    fast_fmt::integer(buffer, at.subsec_nanos().into());
    buffer.push(b' ');
}

fn spell(pattern: &SenderKey, id: &str, metric: &Metric, key: &mut String) {
    for part in &pattern.0 {
        key.push_str(match part {
            KeyPart::Text(text) => text,
            // Letters, digits and `_.:-` need no quotes as a parameter of an item key.
            KeyPart::Id => id,
            KeyPart::Metric => metric.path,
        });
    }
}

/// A word, in quotes where it would not be read as it stands.
fn word(text: &str, buffer: &mut Vec<u8>) {
    let splits = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    let as_it_stands =
        !text.is_empty() && !text.starts_with('"') && !text.as_bytes().iter().any(splits);
    if as_it_stands {
        buffer.extend_from_slice(text.as_bytes());
    } else {
        quoted(text, buffer);
    }
}

fn quoted(text: &str, buffer: &mut Vec<u8>) {
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
    use crate::output::test_reports::{down, plan, up, wanted};
    use crate::plan::TargetMeta;

    const AT: Duration = Duration::new(1_795_338_732, 7_000_089);

    fn lines(report: &Report, wanted: &Wanted) -> String {
        let mut buffer = Vec::new();
        write(report, AT, wanted, &mut buffer);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn a_line_for_each_metric_that_was_measured() {
        let wanted = wanted(&["up", "status", "time.connect", "tcp.rtt", "error"]);
        let plan = plan(0, "mx1", None);
        assert_eq!(
            lines(&up(&plan, b"", 0), &wanted),
            "- tcp.target[mx1:25,up] 1795338732 7000089 1\n- tcp.target[mx1:25,status] 1795338732 7000089 0\n\
             - tcp.target[mx1:25,time.connect] 1795338732 7000089 0.000812\n\
             - tcp.target[mx1:25,tcp.rtt] 1795338732 7000089 0.000650\n- tcp.target[mx1:25,error] 1795338732 7000089 \"\"\n"
        );
        assert_eq!(
            lines(&down(&plan, crate::failure::Status::ResolveFailed), &wanted),
            "- tcp.target[mx1:25,up] 1795338732 7000089 0\n- tcp.target[mx1:25,status] 1795338732 7000089 1\n\
             - tcp.target[mx1:25,error] 1795338732 7000089 \"no \\\"such\\\" name\"\n"
        );
    }

    #[test]
    fn the_host_is_the_targets_own_else_the_runs() {
        let mut wanted = wanted(&["up"]);
        wanted.zabbix_host = Some("the run's".into());
        let own = TargetMeta {
            zabbix_host: Some("a \"b\" \\ c".into()),
            ..TargetMeta::default()
        };
        assert!(
            lines(&up(&plan(0, "mx1", Some(own)), b"", 0), &wanted)
                .starts_with("\"a \\\"b\\\" \\\\ c\" tcp.")
        );
        assert!(
            lines(&up(&plan(0, "mx1", None), b"", 0), &wanted).starts_with("\"the run's\" tcp.")
        );
    }

    #[test]
    fn texts_are_quoted_and_their_escapes_escaped() {
        let report = up(&plan(0, "mx1", None), b"a \"b\" \\n\r\nc", 0);
        let line = lines(&report, &wanted(&["response.text"]));
        assert!(
            line.ends_with(" \"a \\\"b\\\" \\\\\\\\n\\\\r\\\\nc\"\n"),
            "{line}"
        );
    }

    #[test]
    fn a_key_with_a_space_or_a_first_quote_is_quoted() {
        let with = |text: &str| {
            let mut wanted = wanted(&["up"]);
            wanted.sender_key = SenderKey(vec![KeyPart::Text(text.into())]);
            lines(&up(&plan(0, "mx1", None), b"", 0), &wanted)
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

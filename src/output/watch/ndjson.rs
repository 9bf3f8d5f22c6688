//! One JSON object a line (`-o ndjson`): an object for each probe, for what it changed, and at the
//! end a summary of each target. `docs/watch.md` describes the fields.

use std::time::Duration;

use crate::fast_fmt;
use crate::output::document;
use crate::output::json::{self, JsonWriter};
use crate::output::watch::{WatchView, summary};
use crate::report::Report;
use crate::watch::histogram::Histogram;
use crate::watch::moment::Moment;
use crate::watch::outage::Outage;
use crate::watch::sample::{Sample, SampleResult};
use crate::watch::target::Change;

/// The line of a probe: `event`, `at`, `probe` and the document of its report, with the state that
/// the model gives it.
pub fn probe_line(number: u32, label: &str, sample: &Sample, report: &Report) -> String {
    let mut buffer = Vec::new();
    let mut head = Vec::new();
    let mut json = JsonWriter::new(&mut head);
    begin(&mut json, "probe", label, &sample.start);
    json.key("probe");
    json.value(|buffer| fast_fmt::integer(buffer, number.into()));
    json.key("counted_as");
    json.text(match sample.result {
        SampleResult::Up => "up",
        SampleResult::Down(_) => "down",
        SampleResult::Unknown(_) => "unknown",
    });
    head.push(b',');
    document::write(report, &mut buffer);
    // The document is an object: its fields follow those of this line.
    head.extend_from_slice(buffer.get(1..).unwrap_or_default());
    head.push(b'\n');
    json::into_string(head)
}

/// The line of something that a probe changed, if that has one.
pub fn change_line(label: &str, sample: &Sample, change: &Change) -> String {
    let mut buffer = Vec::new();
    let mut json = JsonWriter::new(&mut buffer);
    match change {
        Change::OutageBegan => {
            begin(&mut json, "outage_start", label, &sample.start);
            if let SampleResult::Down(failure) = &sample.result {
                json.key("status_name");
                json.text(failure.status.name());
                json.key("error");
                json.text(&failure.text);
            }
        }
        Change::OutageEnded(outage) => {
            begin(&mut json, "outage_end", label, &sample.end);
            outage_fields(&mut json, outage, &sample.end);
        }
        Change::Unwatched(time) => {
            begin(&mut json, "unwatched", label, &sample.start);
            seconds(&mut json, "duration", *time);
        }
        Change::Addresses(change) => {
            begin(&mut json, "addresses", label, &sample.start);
            for (key, list) in [("before", &change.before), ("after", &change.after)] {
                json.key(key);
                json.open_array();
                for address in list.iter() {
                    json.text(&address.to_string());
                }
                json.close_array();
            }
        }
        Change::Certificate(before) => {
            begin(&mut json, "certificate", label, &sample.start);
            json.key("before");
            json.text(&hex(&before.sha256));
            if let Some(after) = &sample.certificate {
                json.key("after");
                json.text(&hex(&after.sha256));
            }
        }
    }
    json.close_object();
    buffer.push(b'\n');
    json::into_string(buffer)
}

/// The last lines: the summary of each target, and the sentence for a ticket.
pub fn summary_lines(view: &WatchView<'_>) -> String {
    let mut buffer = Vec::new();
    for (index, target) in view.model.targets().iter().enumerate() {
        let mut json = JsonWriter::new(&mut buffer);
        begin(&mut json, "summary", view.label(index), &view.now);
        let counts = target.counts();
        let retransmits = target.retransmits();
        for (key, number) in [
            ("probes", counts.all()),
            ("up", counts.up),
            ("down", counts.down),
            ("unknown", counts.unknown),
            ("syn_retransmits", retransmits.syns),
            ("retransmits", retransmits.segments),
            ("address_changes", target.address_changes().1),
            ("outage_count", target.outages().count()),
        ] {
            json.key(key);
            json.value(|buffer| fast_fmt::integer(buffer, number));
        }
        if let Some(loss) = counts.loss() {
            json.key("loss");
            json.value(|buffer| fast_fmt::decimal(buffer, loss));
        }
        seconds(
            &mut json,
            "outage_duration",
            target.outages().total(&view.now),
        );
        seconds(&mut json, "unwatched", target.unwatched());
        times(&mut json, "connect", target.connect());
        times(&mut json, "rtt", target.rtt());
        json.key("outages");
        json.open_array();
        for outage in target.outages().kept() {
            json.open_object();
            outage_fields(&mut json, outage, &view.now);
            json.close_object();
        }
        json.close_array();
        json.close_object();
        buffer.push(b'\n');
    }
    let mut json = JsonWriter::new(&mut buffer);
    json.open_object();
    json.key("event");
    json.text("ticket");
    json.key("at");
    unix_time(&mut json, &view.now);
    json.key("sentence");
    json.text(&summary::sentence(view));
    json.close_object();
    buffer.push(b'\n');
    json::into_string(buffer)
}

fn begin(json: &mut JsonWriter<'_>, event: &str, label: &str, at: &Moment) {
    json.open_object();
    json.key("event");
    json.text(event);
    json.key("at");
    unix_time(json, at);
    json.key("target");
    json.text(label);
}

/// The fields of an outage, which lasts until now if it has not ended.
fn outage_fields(json: &mut JsonWriter<'_>, outage: &Outage, now: &Moment) {
    json.key("start");
    unix_time(json, &outage.start);
    if let Some(end) = &outage.end {
        json.key("end");
        unix_time(json, end);
    }
    seconds(json, "duration", outage.duration(now));
    if !outage.unwatched.is_zero() {
        seconds(json, "unwatched", outage.unwatched);
    }
    json.key("failed_probes");
    json.value(|buffer| fast_fmt::integer(buffer, outage.probes));
    json.key("status_names");
    json.open_array();
    for status in &outage.statuses {
        json.text(status.name());
    }
    json.close_array();
    json.key("error");
    json.text(&outage.cause.text);
}

fn seconds(json: &mut JsonWriter<'_>, key: &'static str, duration: Duration) {
    json.key(key);
    json.value(|buffer| fast_fmt::seconds(buffer, duration));
}

/// Seconds since 1970 with six decimals.
fn unix_time(json: &mut JsonWriter<'_>, moment: &Moment) {
    let micros = u64::try_from(moment.wall).unwrap_or(0);
    json.value(|buffer| fast_fmt::seconds(buffer, Duration::from_micros(micros)));
}

/// The percentiles of a histogram, if it has any.
fn times(json: &mut JsonWriter<'_>, key: &'static str, histogram: &Histogram) {
    if histogram.count() == 0 {
        return;
    }
    json.key(key);
    json.open_object();
    for (key, time) in [
        ("min", histogram.min()),
        ("p5", histogram.percentile(5)),
        ("p50", histogram.percentile(50)),
        ("p95", histogram.percentile(95)),
        ("p99", histogram.percentile(99)),
        ("max", histogram.max()),
        ("jitter", histogram.jitter()),
    ] {
        if let Some(time) = time {
            seconds(json, key, time);
        }
    }
    json.close_object();
}

fn hex(digest: &[u8]) -> String {
    let mut text = Vec::new();
    for byte in digest {
        fast_fmt::hex(&mut text, *byte);
    }
    json::into_string(text)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::failure::Status;
    use crate::output::test_reports;
    use crate::output::watch::test_views::{ScriptedRun, sample};

    fn parse(line: &str) -> Value {
        assert!(
            line.ends_with('\n') && line.matches('\n').count() == 1,
            "{line:?}"
        );
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn a_probe_line_has_the_fields_of_the_document() {
        let plan = test_reports::plan(0, "mx1.example.org", None);
        let report = test_reports::up(&plan, b"220 \x1b[31m\"\n", 1);
        let line = parse(&probe_line(7, "mx1", &sample(0, Status::Ok), &report));
        assert_eq!(line["event"], "probe");
        assert_eq!(line["at"], 1_796_004_187.0);
        assert_eq!(
            (&line["probe"], &line["counted_as"]),
            (&7.into(), &"up".into())
        );
        assert_eq!((&line["schema"], &line["port"]), (&1.into(), &25.into()));
        assert_eq!(line["tcp"]["syn_retransmits"], 1);
    }

    #[test]
    fn the_summary_has_the_outages() {
        let mut run = ScriptedRun::new(&["a:22", "b:443"]);
        let mut events = Vec::new();
        for second in 0..10 {
            let status = if (3..6).contains(&second) {
                Status::Reset
            } else {
                Status::Ok
            };
            let sample = sample(second, status);
            for change in run.add(0, sample.clone()) {
                events.push(parse(&change_line("a:22", &sample, &change)));
            }
            run.second = second + 1;
        }
        let names: Vec<_> = events
            .iter()
            .map(|line| line["event"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["outage_start", "outage_end"]);
        assert_eq!(events[1]["duration"], 3.001);
        let text = summary_lines(&run.view());
        let lines: Vec<_> = text.split_inclusive('\n').map(parse).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["outages"][0]["failed_probes"], 3);
        assert_eq!(lines[0]["outages"][0]["status_names"][0], "reset");
        assert_eq!(lines[0]["loss"], 0.3);
        assert_eq!(lines[1]["probes"], 0);
        assert!(lines[1].get("loss").is_none() && lines[1].get("connect").is_none());
        assert!(lines[2]["sentence"].as_str().unwrap().contains("a:22"));
    }
}

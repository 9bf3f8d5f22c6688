//! One line of text for each probe, for a pipe or a file.

use std::fmt::Write;
use std::time::Duration;

use crate::failure::Failure;
use crate::output::watch::words::UtcOffset;
use crate::output::watch::words::{addresses, counted, exact, milliseconds, span};
use crate::watch::sample::{Sample, SampleResult};
use crate::watch::target::Change;

/// The line of a probe, with its line end. It contains no control characters.
pub fn line(label: &str, sample: &Sample, changes: &[Change], utc_offset: UtcOffset) -> String {
    let mut text = format!("{} {label} ", exact(&sample.start, utc_offset));
    let failed = |failure: &Failure| format!("{}: {}", failure.status.name(), failure.text);
    match &sample.result {
        SampleResult::Up => text.push_str("up"),
        SampleResult::Down(failure) => {
            let _ = write!(text, "DOWN {}", failed(failure));
        }
        SampleResult::Unknown(failure) => {
            let _ = write!(text, "unknown {}", failed(failure));
        }
    }
    let times = [
        ("connect", sample.connect),
        ("rtt", sample.rtt),
        ("first byte", sample.first_byte),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            let _ = write!(text, ", {name} {}", milliseconds(time));
        }
    }
    if sample.syn_retransmits > 0 {
        let count = counted(sample.syn_retransmits.into(), "SYN");
        let _ = write!(text, ", {count} retransmitted");
    }
    if sample.data_retransmits > 0 {
        let count = counted(sample.data_retransmits.into(), "segment");
        let _ = write!(text, ", {count} retransmitted");
    }
    for change in changes {
        let _ = write!(text, " [{}]", described(change));
    }
    text.push('\n');
    text
}

/// What a probe changed, in words.
pub(super) fn described(change: &Change) -> String {
    match change {
        Change::OutageBegan => "the outage begins".to_owned(),
        Change::OutageEnded(outage) => {
            let duration = outage
                .end
                .map_or(Duration::ZERO, |end| end.since(&outage.start));
            format!(
                "the outage of {} with {} ends",
                span(duration),
                counted(outage.probes, "failed probe")
            )
        }
        Change::Unwatched(time) => format!("no probe for {}", span(*time)),
        Change::Addresses(change) => format!(
            "new addresses: {}, before: {}",
            addresses(&change.after),
            addresses(&change.before)
        ),
        Change::Certificate(_) => "new certificate".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;
    use crate::output::watch::test_views::{ScriptedRun, sample};

    #[test]
    fn a_probe_is_one_line() {
        let mut run = ScriptedRun::new(&["mx1:25"]);
        let lines: Vec<_> = [Status::Ok, Status::Refused, Status::LocalError, Status::Ok]
            .into_iter()
            .map(|status| {
                let sample = sample(run.second, status);
                let changes = run.add(0, sample.clone());
                run.second += 1;
                line("mx1:25", &sample, &changes, |_| 3600)
            })
            .collect();
        assert_eq!(
            lines.concat(),
            "2026-11-30 03:03:07.000 mx1:25 up, connect 0.812 ms, rtt 0.650 ms\n\
             2026-11-30 03:03:08.000 mx1:25 DOWN refused: connect to 192.0.2.7:25: it is refused [the outage begins]\n\
             2026-11-30 03:03:09.000 mx1:25 unknown local_error: connect to 192.0.2.7:25: it is local_error\n\
             2026-11-30 03:03:10.000 mx1:25 up, connect 0.812 ms, rtt 0.650 ms [the outage of 2.0 s with 1 failed probe ends]\n"
        );
    }
}

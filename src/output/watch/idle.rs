//! The results of `watch --idle`.

use std::fmt::Write;
use std::time::Duration;

use crate::failure::format_duration;
use crate::fast_fmt;
use crate::output::json::{self, JsonWriter};
use crate::output::watch::words::span;
use crate::watch::idle::{IdleFinding, IdleResult, IdleTest, usual_timeouts};

/// The line of a test.
pub fn line(test: &IdleTest) -> String {
    format!(
        "after {:<9} {}\n",
        span(test.after),
        described(&test.result)
    )
}

fn described(result: &IdleResult) -> String {
    match result {
        IdleResult::Alive(answer) => {
            format!(
                "alive: our FIN was acknowledged in {}",
                format_duration(*answer)
            )
        }
        IdleResult::Silent => "lost: nothing answered our FIN".to_owned(),
        IdleResult::Reset => "lost: our FIN was answered by an RST".to_owned(),
        IdleResult::Closed => "closed by the peer: its FIN arrived".to_owned(),
        IdleResult::ResetIdle => "reset: an RST arrived, although we sent nothing".to_owned(),
    }
}

/// The finding in one sentence. `wanted` is the longest time that was to be tested.
pub fn sentence(label: &str, finding: &IdleFinding, wanted: Duration) -> String {
    let alive = finding.alive.map(span);
    let Some(ended) = &finding.ended else {
        return match (alive, finding.alive) {
            (Some(alive), Some(time)) if time >= wanted => {
                format!("An idle connection to {label} is still alive after {alive}.")
            }
            (Some(alive), _) => format!(
                "An idle connection to {label} is still alive after {alive}; longer times were not \
                 tested."
            ),
            (None, _) => format!("No idle connection to {label} was tested."),
        };
    };
    let after = span(ended.after);
    let mut text = match ended.result {
        IdleResult::Closed => format!(
            "{label}, or a proxy on the path, closes an idle connection after {after} (FIN)"
        ),
        IdleResult::ResetIdle => format!(
            "{label}, or something on the path, resets an idle connection after {after} (RST)"
        ),
        IdleResult::Silent | IdleResult::Reset | IdleResult::Alive(_) => {
            let range = alive.as_ref().map_or_else(
                || format!("{after} or less"),
                |alive| format!("more than {alive} and at most {after}"),
            );
            let answer = if ended.result == IdleResult::Reset {
                "our FIN was answered by an RST"
            } else {
                "our FIN was not answered"
            };
            let mut text = format!(
                "An idle connection to {label} is dropped, on the path or by the service, after \
                 {range} ({answer})"
            );
            let usual = usual_timeouts(finding.alive.unwrap_or_default(), ended.after);
            if !usual.is_empty() {
                let usual: Vec<_> = usual
                    .into_iter()
                    .map(|time| humantime::format_duration(time).to_string())
                    .collect();
                let _ = write!(text, "; usual timeouts in this range: {}", usual.join(", "));
            }
            text
        }
    };
    text.push('.');
    text
}

/// The JSON line of a test (`-o ndjson`).
pub fn test_json(label: &str, test: &IdleTest) -> String {
    let mut buffer = Vec::new();
    let mut json = JsonWriter::new(&mut buffer);
    json.open_object();
    json.key("event");
    json.text("idle_test");
    json.key("target");
    json.text(label);
    seconds(&mut json, "after", test.after);
    json.key("result");
    json.text(name(&test.result));
    if let IdleResult::Alive(answer) = test.result {
        seconds(&mut json, "answer", answer);
    }
    json.close_object();
    buffer.push(b'\n');
    json::into_string(buffer)
}

/// The JSON line of the finding.
pub fn finding_json(label: &str, finding: &IdleFinding, wanted: Duration) -> String {
    let mut buffer = Vec::new();
    let mut json = JsonWriter::new(&mut buffer);
    json.open_object();
    json.key("event");
    json.text("idle");
    json.key("target");
    json.text(label);
    if let Some(alive) = finding.alive {
        seconds(&mut json, "alive_after", alive);
    }
    if let Some(ended) = &finding.ended {
        seconds(&mut json, "ended_after", ended.after);
        json.key("result");
        json.text(name(&ended.result));
    }
    json.key("sentence");
    json.text(&sentence(label, finding, wanted));
    json.close_object();
    buffer.push(b'\n');
    json::into_string(buffer)
}

fn name(result: &IdleResult) -> &'static str {
    match result {
        IdleResult::Alive(_) => "alive",
        IdleResult::Silent => "silent",
        IdleResult::Reset => "reset",
        IdleResult::Closed => "closed",
        IdleResult::ResetIdle => "reset_idle",
    }
}

fn seconds(json: &mut JsonWriter<'_>, key: &'static str, duration: Duration) {
    json.key(key);
    json.value(|buffer| fast_fmt::seconds(buffer, duration));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(tests: &[(u64, IdleResult)]) -> String {
        let tests: Vec<_> = tests
            .iter()
            .map(|(seconds, result)| IdleTest {
                after: Duration::from_secs(*seconds),
                result: result.clone(),
            })
            .collect();
        sentence("gw:22", &IdleFinding::of(&tests), Duration::from_secs(600))
    }

    #[test]
    fn the_sentence_says_what_was_measured() {
        let alive = || IdleResult::Alive(Duration::from_micros(300));
        assert_eq!(said(&[]), "No idle connection to gw:22 was tested.");
        assert_eq!(
            said(&[(600, alive())]),
            "An idle connection to gw:22 is still alive after 10m 0s."
        );
        assert_eq!(
            said(&[(60, alive())]),
            "An idle connection to gw:22 is still alive after 1m 0s; longer times were not tested."
        );
        assert_eq!(
            said(&[(245, alive()), (338, IdleResult::Silent)]),
            "An idle connection to gw:22 is dropped, on the path or by the service, after more than \
             4m 5s and at most 5m 38s (our FIN was not answered); usual timeouts in this range: 5m."
        );
        assert_eq!(
            said(&[(5, IdleResult::Reset)]),
            "An idle connection to gw:22 is dropped, on the path or by the service, after 5.0 s or \
             less (our FIN was answered by an RST)."
        );
        assert_eq!(
            said(&[(30, alive()), (60, IdleResult::Closed)]),
            "gw:22, or a proxy on the path, closes an idle connection after 1m 0s (FIN)."
        );
    }

    #[test]
    fn lines_and_json() {
        let test = IdleTest {
            after: Duration::from_secs(6),
            result: IdleResult::Alive(Duration::from_micros(300)),
        };
        assert_eq!(
            line(&test),
            "after 6.0 s     alive: our FIN was acknowledged in 0.3 ms\n"
        );
        assert_eq!(
            test_json("gw:22", &test),
            "{\"event\":\"idle_test\",\"target\":\"gw:22\",\"after\":6.000000,\"result\":\"alive\",\"answer\":0.000300}\n"
        );
        let finding = finding_json("gw:22", &IdleFinding::of(&[test]), Duration::from_secs(6));
        let parsed: serde_json::Value = serde_json::from_str(&finding).unwrap();
        assert_eq!(
            (&parsed["event"], &parsed["alive_after"]),
            (&"idle".into(), &6.0.into())
        );
    }
}

//! The document of a batch: a summary, discovery rows, and the result of each target by its id.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::fast_fmt;
use crate::output::batch_format::DefaultFields;
use crate::output::json::JsonWriter;
use crate::output::metrics::SCHEMA;
use crate::output::results::ResultStore;
use crate::output::shorten;
use crate::output::shorten::Level;
use crate::output::summary::Summary;
use crate::output::{entry, json, lld};
use crate::plan::Plan;

/// The content of the document.
#[derive(Debug)]
pub struct BatchDocument<'f> {
    /// The targets in input order.
    pub plans: &'f [Arc<Plan>],
    /// Their results.
    pub results: &'f ResultStore,
    /// The counts and the lag.
    pub summary: &'f mut Summary,
    /// The duration of the run.
    pub elapsed: Duration,
    /// Whether fields at their default are written.
    pub defaults: DefaultFields,
    /// Whether `discovery` is written.
    pub discovery: Discovery,
}

/// Whether the document has rows for low-level discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// It has the row of each target.
    Include,
    /// It has no list of rows, because some rows are not known. Zabbix would delete the items of rows
    /// that are missing from a list.
    Omit,
}

/// The document of a run whose targets are not known because of this error: without targets and
/// without `discovery`. Ends with a newline, and is shorter than `max` bytes.
pub fn without_targets(error: &str, elapsed: Duration, max: Option<u64>) -> String {
    let mut summary = Summary::default();
    summary.error = Some(cut(error, LONGEST_ERROR).into());
    let document = BatchDocument {
        plans: &[],
        results: &ResultStore::new(0),
        summary: &mut summary,
        elapsed,
        defaults: DefaultFields::Include,
        discovery: Discovery::Omit,
    };
    let mut bytes = Vec::new();
    // Writing to a vector cannot fail.
    let _ = document.write(max, &mut bytes);
    json::into_string(bytes)
}

/// The buffer size of the output.
const CHUNK: usize = 64 * 1024;

impl BatchDocument<'_> {
    /// Writes the document and a newline. Returns the length of the document without the newline,
    /// in bytes. With `max`, the output including the newline is shorter than this number of bytes:
    /// parts of the document are left out until it is.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write(mut self, max: Option<u64>, out: impl Write) -> io::Result<u64> {
        let level = match max {
            Some(max) => self.level_within(max),
            None => Level::Whole,
        };
        self.write_level(level, out)
    }

    /// The first level whose output is shorter than this.
    fn level_within(&mut self, max: u64) -> Level {
        let mut fits = |level: &Level| {
            let out = BoundedSink { left: max - 1 };
            self.write_level(*level, out).is_ok()
        };
        if let Some(level) = Level::ALL.into_iter().find(|level| fits(level)) {
            return level;
        }
        // Only the error has no fixed length.
        let error = self.summary.error.take();
        self.summary.error = error.map(|error| cut(&error, SHORT_ERROR).into());
        Level::Causes
    }

    fn write_level(&mut self, level: Level, out: impl Write) -> io::Result<u64> {
        let mut chunks = ChunkedWriter {
            out,
            buffer: Vec::with_capacity(CHUNK),
            written: 0,
        };
        chunks.buffer.extend_from_slice(b"{\"schema\":");
        fast_fmt::integer(&mut chunks.buffer, SCHEMA);
        chunks.buffer.extend_from_slice(b",\"summary\":");
        let shortened = self.left_out(level);
        self.summary
            .write(self.elapsed, self.plans, &shortened, &mut chunks.buffer);
        if self.discovery == Discovery::Include && level < Level::Discovery {
            chunks.buffer.extend_from_slice(b",\"discovery\":[");
            for (index, plan) in self.plans.iter().enumerate() {
                chunks.separate(index)?;
                lld::write(plan, &mut chunks.buffer);
            }
            chunks.buffer.push(b']');
        }
        chunks.buffer.extend_from_slice(b",\"targets\":{");
        let plans = match level {
            Level::Targets | Level::Causes => &[],
            _ => self.plans,
        };
        let mut scratch = Vec::new();
        for (index, plan) in plans.iter().enumerate() {
            chunks.separate(index)?;
            let id = plan.id();
            JsonWriter::new(&mut chunks.buffer).any_key(&id);
            if level == Level::Whole {
                self.write_entry(plan, &id, &mut chunks.buffer);
            } else {
                scratch.clear();
                self.write_entry(plan, &id, &mut scratch);
                shorten::entry(&scratch, level, plan, &mut chunks.buffer);
            }
        }
        chunks.buffer.extend_from_slice(b"}}");
        chunks.finish()
    }

    fn write_entry(&self, plan: &Arc<Plan>, id: &str, buffer: &mut Vec<u8>) {
        entry::write_target_fields(plan, id, self.defaults, buffer);
        self.results.write_entry(plan, self.defaults, buffer);
    }

    /// The names of what a level leaves out, unless it is absent anyway.
    fn left_out(&self, level: Level) -> Vec<&'static str> {
        let is_absent = |left: &Level| match left {
            Level::Whole => true,
            Level::Redundant => self.defaults == DefaultFields::Omit,
            Level::Discovery => self.discovery == Discovery::Omit,
            _ => false,
        };
        let left = Level::ALL.into_iter().filter(|left| *left <= level);
        left.filter(|left| !is_absent(left))
            .map(Level::name)
            .collect()
    }
}

/// The most characters of an error in the shortest document.
const SHORT_ERROR: usize = 64;
/// The most characters of an error in any document.
const LONGEST_ERROR: usize = 1000;

/// The first characters of a text, with dots if there are more.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Accepts this many bytes, and drops them.
struct BoundedSink {
    left: u64,
}

impl Write for BoundedSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a buffer to the output whenever it is nearly full, and counts the bytes.
struct ChunkedWriter<W> {
    out: W,
    buffer: Vec<u8>,
    written: u64,
}

impl<W: Write> ChunkedWriter<W> {
    /// Writes the comma before every list element but the first, and flushes the buffer if it is
    /// nearly full.
    fn separate(&mut self, index: usize) -> io::Result<()> {
        if index > 0 {
            self.buffer.push(b',');
        }
        if self.buffer.len() >= CHUNK - CHUNK / 4 {
            self.flush_buffer()
        } else {
            Ok(())
        }
    }

    fn flush_buffer(&mut self) -> io::Result<()> {
        self.written += self.buffer.len() as u64;
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<u64> {
        self.buffer.push(b'\n');
        self.flush_buffer()?;
        self.out.flush()?;
        Ok(self.written - 1)
    }
}

/// The longest value that Zabbix 6.0 accepts from an external check or a `UserParameter`, in bytes.
const LIMIT_6_0: u64 = 512 * 1024 - 1;
/// The same limit of Zabbix 7.0.
const LIMIT_7_0: u64 = 16 * 1024 * 1024 - 1;

/// The warning about a document that is too long for Zabbix; `None` if it is not. `bytes` is its
/// length without newline.
pub fn size_warning(bytes: u64) -> Option<String> {
    let limit = if bytes <= LIMIT_6_0 {
        return None;
    } else if bytes <= LIMIT_7_0 {
        "512 KiB that Zabbix 6.0 accepts (7.0 accepts 16 MiB)"
    } else {
        "16 MiB that Zabbix 7.0 accepts"
    };
    Some(format!(
        "the document has {bytes} bytes, more than the {limit}: use --max-output or --compact, or split it by --group or --shard"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;
    use crate::output::test_reports::{down, plan, up};
    use crate::plan::TargetMeta;
    use crate::report::Report;

    fn document(plans: &[Arc<Plan>], reports: &[Report], defaults: DefaultFields) -> String {
        let (mut results, mut summary) = (ResultStore::new(plans.len()), Summary::new(2, 0));
        for report in reports {
            summary.count(report);
            results.store_entry(report, defaults);
        }
        let elapsed = Duration::from_micros(1_000_200);
        let mut out = Vec::new();
        let document = BatchDocument {
            plans,
            results: &results,
            summary: &mut summary,
            elapsed,
            defaults,
            discovery: Discovery::Include,
        };
        let written = document.write(None, &mut out).unwrap();
        assert_eq!(written + 1, out.len() as u64);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_document_without_targets() {
        assert_eq!(
            document(&[], &[], DefaultFields::Include),
            "{\"schema\":1,\"summary\":{\"targets\":0,\"up\":0,\"down\":0,\"unknown\":0,\"duplicates\":2,\
             \"elapsed\":1.000200},\"discovery\":[],\"targets\":{}}\n"
        );
    }

    #[test]
    fn targets_are_in_input_order() {
        let label = TargetMeta {
            id: Some("mail".into()),
            groups: ["a".into(), "b".into()].into(),
            ..TargetMeta::default()
        };
        let plans = [
            plan(0, "192.0.2.7", None),
            plan(1, "mx1", Some(label)),
            plan(2, "mx2", None),
        ];
        let reports = [
            down(&plans[2], Status::Denied),
            up(&plans[0], b"", 0),
            down(&plans[1], Status::ResolveFailed),
        ];
        let row = |id, host, group| {
            format!(
                "{{\"{{#TCP.ID}}\":\"{id}\",\"{{#TCP.NAME}}\":\"{id}\",\"{{#TCP.HOST}}\":\"{host}\",\"{{#TCP.PORT}}\":25,\
                 \"{{#TCP.SERVICE}}\":\"smtp\",\"{{#TCP.GROUP}}\":\"{group}\"}}"
            )
        };
        let rows = [
            row("192.0.2.7:25", "192.0.2.7", ""),
            row("mail", "mx1", "a,b"),
            row("mx2:25", "mx2", ""),
        ]
        .join(",");
        let end = "\"error\":\"no \\\"such\\\" name\",\"time\":{\"total\":0.000000}";
        let expected = [
            "{\"schema\":1,\"summary\":{\"targets\":3,\"up\":1,\"down\":1,\"unknown\":1,\"duplicates\":2,\"elapsed\":1.000200,",
            &format!("\"lag\":0.000162}},\"discovery\":[{rows}],\"targets\":{{"),
            "\"192.0.2.7:25\":{\"up\":1,\"state\":1,\"status\":0,\"time\":{\"total\":0.000900,\"connect\":0.000812},",
            "\"tcp\":{\"rtt\":0.000650,\"rttvar\":0.000100,\"mss\":1448}},",
            &format!(
                "\"mail\":{{\"up\":0,\"state\":0,\"status\":1,\"status_name\":\"resolve_failed\",{end}}},"
            ),
            &format!(
                "\"mx2:25\":{{\"up\":0,\"state\":2,\"status\":14,\"status_name\":\"denied\",{end}}}}}}}\n"
            ),
        ];
        assert_eq!(
            document(&plans, &reports, DefaultFields::Omit),
            expected.concat()
        );
        let whole: serde_json::Value =
            serde_json::from_str(&document(&plans, &reports, DefaultFields::Include)).unwrap();
        assert_eq!(whole["targets"]["mail"]["id"], "mail");
        assert_eq!(whole["targets"]["mx2:25"]["host"], "mx2");
    }

    #[test]
    fn a_document_of_several_chunks_is_complete() {
        let plans: Vec<_> = (0..5000)
            .map(|number| plan(number, &format!("h{number}"), None))
            .collect();
        let reports: Vec<_> = plans
            .iter()
            .map(|plan| down(plan, Status::Refused))
            .collect();
        let whole: serde_json::Value =
            serde_json::from_str(&document(&plans, &reports, DefaultFields::Include)).unwrap();
        assert_eq!(whole["targets"].as_object().unwrap().len(), 5000);
        assert_eq!(whole["discovery"].as_array().unwrap().len(), 5000);
    }

    #[test]
    fn a_document_is_shorter_than_its_limit() {
        let mut plans: Vec<_> = (0..40)
            .map(|number| plan(number, &format!("host{number}"), None))
            .collect();
        let odd = TargetMeta {
            id: Some("odd".into()),
            name: Some("a \"b\" {,}".into()),
            ..TargetMeta::default()
        };
        plans.push(plan(40, "192.0.2.9", Some(odd)));
        let reports: Vec<_> = plans
            .iter()
            .map(|plan| match plan.index % 3 {
                0 => up(plan, b"220 \"mail\" {ready}, \\ \xff\0 [x]\r\n", 2),
                1 => up(plan, b"", 0),
                _ => down(plan, Status::Refused),
            })
            .collect();
        for defaults in [DefaultFields::Include, DefaultFields::Omit] {
            let (mut results, mut summary) = (ResultStore::new(plans.len()), Summary::new(2, 1));
            for report in &reports {
                summary.count(report);
                results.store_entry(report, defaults);
            }
            summary.error = Some("/etc/x: \u{1}\"".repeat(80).into());
            let mut write = |max, discovery| {
                let mut out = Vec::new();
                let document = BatchDocument {
                    plans: &plans,
                    results: &results,
                    summary: &mut summary,
                    elapsed: Duration::from_secs(600),
                    defaults,
                    discovery,
                };
                document.write(max, &mut out).unwrap();
                String::from_utf8(out).unwrap()
            };
            let mut seen = Vec::new();
            let whole = write(None, Discovery::Include);
            for discovery in [Discovery::Include, Discovery::Omit] {
                for max in (1024..whole.len() as u64 + 2).rev().step_by(151) {
                    let text = write(Some(max), discovery);
                    assert!((text.len() as u64) < max, "{} {max}", text.len());
                    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                    let left = &value["summary"]["shortened"];
                    let left: Vec<_> = left.as_array().into_iter().flatten().cloned().collect();
                    let has = |name: &str| left.iter().any(|left| left == name);
                    let targets = value["targets"].as_object().unwrap();
                    assert_eq!(targets.len(), if has("targets") { 0 } else { 41 }, "{text}");
                    let rows = value["discovery"].as_array().map(Vec::len);
                    let is_absent = has("discovery") || discovery == Discovery::Omit;
                    assert_eq!(rows, (!is_absent).then_some(41), "{text}");
                    assert_eq!(text == whole, left.is_empty() && !is_absent);
                    for target in targets.values() {
                        assert_eq!(
                            target.get("error").is_none(),
                            has("errors")
                                || target["up"] == 1
                                    && left.len() + usize::from(defaults == DefaultFields::Omit)
                                        > 0,
                            "{text}"
                        );
                        assert!(target["state"].is_u64());
                    }
                    if seen.last() != Some(&left) {
                        seen.push(left);
                    }
                }
            }
            let names: Vec<_> = seen.iter().map(Vec::len).collect();
            assert!(
                seen.iter()
                    .any(|left| left.last().is_some_and(|last| last == "targets")),
                "{names:?}"
            );
        }
    }

    #[test]
    fn the_error_of_a_document_without_targets_is_bounded() {
        for (length, max) in [
            (10, None),
            (100_000, None),
            (100_000, Some(1024)),
            (100_000, Some(2048)),
        ] {
            for text in ["x", "\u{1}", "\u{4e2d}"] {
                let document = without_targets(&text.repeat(length), Duration::MAX, max);
                let most = max.unwrap_or(8192);
                assert!((document.len() as u64) < most, "{}", document.len());
                let value: serde_json::Value = serde_json::from_str(&document).unwrap();
                assert!(
                    value["summary"]["error"]
                        .as_str()
                        .unwrap()
                        .starts_with(text)
                );
            }
        }
    }

    #[test]
    fn a_document_too_long_for_zabbix_has_a_warning() {
        assert_eq!((size_warning(0), size_warning(524_287)), (None, None));
        assert!(
            size_warning(524_288)
                .unwrap()
                .contains("512 KiB that Zabbix 6.0 accepts")
        );
        assert!(
            size_warning(16 * 1024 * 1024)
                .unwrap()
                .contains("16 MiB that Zabbix 7.0 accepts: use --max-output")
        );
    }
}

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
/// without `discovery`. Ends with a newline.
pub fn without_targets(error: &str, elapsed: Duration) -> String {
    let mut summary = Summary::default();
    summary.error = Some(error.into());
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
    let _ = document.write(&mut bytes);
    json::into_string(bytes)
}

/// The buffer size of the output.
const CHUNK: usize = 64 * 1024;

impl BatchDocument<'_> {
    /// Writes the document and a newline. Returns the length of the document without the newline,
    /// in bytes.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write(self, out: impl Write) -> io::Result<u64> {
        let mut chunks = ChunkedWriter {
            out,
            buffer: Vec::with_capacity(CHUNK),
            written: 0,
        };
        chunks.buffer.extend_from_slice(b"{\"schema\":");
        fast_fmt::integer(&mut chunks.buffer, SCHEMA);
        chunks.buffer.extend_from_slice(b",\"summary\":");
        self.summary
            .write(self.elapsed, self.plans, &mut chunks.buffer);
        if self.discovery == Discovery::Include {
            chunks.buffer.extend_from_slice(b",\"discovery\":[");
            for (index, plan) in self.plans.iter().enumerate() {
                chunks.separate(index)?;
                lld::write(plan, &mut chunks.buffer);
            }
            chunks.buffer.push(b']');
        }
        chunks.buffer.extend_from_slice(b",\"targets\":{");
        for (index, plan) in self.plans.iter().enumerate() {
            chunks.separate(index)?;
            let id = plan.id();
            JsonWriter::new(&mut chunks.buffer).any_key(&id);
            entry::write_target_fields(plan, &id, self.defaults, &mut chunks.buffer);
            self.results
                .write_entry(plan, self.defaults, &mut chunks.buffer);
        }
        chunks.buffer.extend_from_slice(b"}}");
        chunks.finish()
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
        "the document has {bytes} bytes, more than the {limit}: use --compact, or split it by --group or --shard"
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
        let written = document.write(&mut out).unwrap();
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
                .contains("16 MiB that Zabbix 7.0 accepts: use --compact")
        );
    }
}

//! The document of a batch: a summary, discovery rows, and what was found of each target by its id.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::fast_fmt;
use crate::output::batch_format::Defaults;
use crate::output::json::Writer;
use crate::output::metrics::SCHEMA;
use crate::output::results::Found;
use crate::output::summary::Summary;
use crate::output::{entry, lld};
use crate::plan::Plan;

/// Everything that the document says.
#[derive(Debug)]
pub struct Document<'f> {
    /// The targets in input order, by their numbers.
    pub plans: &'f [Arc<Plan>],
    /// What was found of them.
    pub found: &'f Found,
    /// The verdicts.
    pub summary: &'f mut Summary,
    /// How long the run took.
    pub elapsed: Duration,
    /// What happens to members at their default.
    pub defaults: Defaults,
}

/// What is written at once.
const PIECE: usize = 64 * 1024;

impl Document<'_> {
    /// Writes the document on one line, with its newline; how many bytes it has without.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(self, out: impl Write) -> io::Result<u64> {
        let mut pieces = Pieces {
            out,
            buffer: Vec::with_capacity(PIECE),
            written: 0,
        };
        pieces.buffer.extend_from_slice(b"{\"schema\":");
        fast_fmt::integer(&mut pieces.buffer, SCHEMA);
        pieces.buffer.extend_from_slice(b",\"summary\":");
        self.summary.write(self.elapsed, &mut pieces.buffer);
        pieces.buffer.extend_from_slice(b",\"discovery\":[");
        for (place, plan) in self.plans.iter().enumerate() {
            pieces.separate(place)?;
            lld::write(plan, &mut pieces.buffer);
        }
        pieces.buffer.extend_from_slice(b"],\"targets\":{");
        for (place, plan) in self.plans.iter().enumerate() {
            pieces.separate(place)?;
            let id = plan.id();
            Writer::new(&mut pieces.buffer).any_key(&id);
            entry::write_asked(plan, &id, self.defaults, &mut pieces.buffer);
            self.found
                .write_entry(plan, self.defaults, &mut pieces.buffer);
        }
        pieces.buffer.extend_from_slice(b"}}");
        pieces.end()
    }
}

/// Bytes on their way out, a piece at a time.
struct Pieces<W> {
    out: W,
    buffer: Vec<u8>,
    written: u64,
}

impl<W: Write> Pieces<W> {
    /// The comma before each but the first of a list, and the moment to pass on what is there.
    fn separate(&mut self, place: usize) -> io::Result<()> {
        if place > 0 {
            self.buffer.push(b',');
        }
        if self.buffer.len() >= PIECE - PIECE / 4 {
            self.pass_on()
        } else {
            Ok(())
        }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.written += self.buffer.len() as u64;
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn end(mut self) -> io::Result<u64> {
        self.buffer.push(b'\n');
        self.pass_on()?;
        self.out.flush()?;
        Ok(self.written - 1)
    }
}

/// The longest value that Zabbix 6.0 takes from an external check or a `UserParameter`.
const LIMIT_6_0: u64 = 512 * 1024 - 1;
/// That of Zabbix 7.0.
const LIMIT_7_0: u64 = 16 * 1024 * 1024 - 1;

/// What to say of a document of this many bytes, newline and all, that Zabbix would not take.
pub fn oversize(bytes: u64) -> Option<String> {
    let limit = if bytes <= LIMIT_6_0 {
        return None;
    } else if bytes <= LIMIT_7_0 {
        "512 KiB that Zabbix 6.0 takes (7.0 takes 16 MiB)"
    } else {
        "16 MiB that Zabbix 7.0 takes"
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

    fn document(plans: &[Arc<Plan>], reports: &[Report], defaults: Defaults) -> String {
        let (mut found, mut summary) = (Found::new(plans.len()), Summary::new(2, 0));
        for report in reports {
            summary.count(report);
            found.keep_entry(report, defaults);
        }
        let elapsed = Duration::from_micros(1_000_200);
        let mut out = Vec::new();
        let document = Document {
            plans,
            found: &found,
            summary: &mut summary,
            elapsed,
            defaults,
        };
        let written = document.write(&mut out).unwrap();
        assert_eq!(written + 1, out.len() as u64);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_document_of_none() {
        assert_eq!(
            document(&[], &[], Defaults::Written),
            "{\"schema\":1,\"summary\":{\"targets\":0,\"up\":0,\"down\":0,\"unknown\":0,\"duplicates\":2,\
             \"elapsed\":1.000200},\"discovery\":[],\"targets\":{}}\n"
        );
    }

    #[test]
    fn targets_stand_in_their_order_whatever_came_first() {
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
            "\"192.0.2.7:25\":{\"up\":1,\"status\":0,\"time\":{\"total\":0.000900,\"connect\":0.000812},",
            "\"tcp\":{\"rtt\":0.000650,\"rttvar\":0.000100,\"mss\":1448}},",
            &format!(
                "\"mail\":{{\"up\":0,\"status\":1,\"status_name\":\"resolve_failed\",{end}}},"
            ),
            &format!(
                "\"mx2:25\":{{\"up\":0,\"status\":14,\"status_name\":\"denied\",{end}}}}}}}\n"
            ),
        ];
        assert_eq!(
            document(&plans, &reports, Defaults::LeftOut),
            expected.concat()
        );
        let whole: serde_json::Value =
            serde_json::from_str(&document(&plans, &reports, Defaults::Written)).unwrap();
        assert_eq!(whole["targets"]["mail"]["id"], "mail");
        assert_eq!(whole["targets"]["mx2:25"]["host"], "mx2");
    }

    #[test]
    fn a_long_document_comes_in_pieces_and_whole() {
        let plans: Vec<_> = (0..5000)
            .map(|number| plan(number, &format!("h{number}"), None))
            .collect();
        let reports: Vec<_> = plans
            .iter()
            .map(|plan| down(plan, Status::Refused))
            .collect();
        let whole: serde_json::Value =
            serde_json::from_str(&document(&plans, &reports, Defaults::Written)).unwrap();
        assert_eq!(whole["targets"].as_object().unwrap().len(), 5000);
        assert_eq!(whole["discovery"].as_array().unwrap().len(), 5000);
    }

    #[test]
    fn what_zabbix_would_not_take_is_said() {
        assert_eq!((oversize(0), oversize(524_287)), (None, None));
        assert!(
            oversize(524_288)
                .unwrap()
                .contains("512 KiB that Zabbix 6.0 takes")
        );
        assert!(
            oversize(16 * 1024 * 1024)
                .unwrap()
                .contains("16 MiB that Zabbix 7.0 takes: use --compact")
        );
    }
}

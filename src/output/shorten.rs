//! Shorter documents of a batch: what is left out, in which order, until the document fits into the
//! size that its reader accepts.

use crate::plan::Plan;

/// What is left out of a document. Each level leaves out what the levels before it do, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Whole,
    /// The fields that `--compact` omits.
    Redundant,
    /// The received data.
    Responses,
    /// All but the result, its reason, and two times.
    Details,
    /// The reason and the times.
    Errors,
    /// The rows for low-level discovery.
    Discovery,
    /// The targets.
    Targets,
    /// The common causes of the failures.
    Causes,
}

impl Level {
    /// All of them, the longest document first.
    pub const ALL: [Self; 8] = [
        Self::Whole,
        Self::Redundant,
        Self::Responses,
        Self::Details,
        Self::Errors,
        Self::Discovery,
        Self::Targets,
        Self::Causes,
    ];

    /// The published name of what it leaves out; empty for nothing.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Redundant => "redundant",
            Self::Responses => "responses",
            Self::Details => "details",
            Self::Errors => "errors",
            Self::Discovery => "discovery",
            Self::Targets => "targets",
            Self::Causes => "causes",
        }
    }

    /// Whether an entry keeps the field of this path with this value. A path ends with a dot if the
    /// value is an object whose fields are asked for one by one.
    fn keeps(self, path: &str, value: &[u8], plan: &Plan) -> bool {
        let is_result = matches!(path, "up" | "state" | "status");
        let is_reason = matches!(
            path,
            "status_name" | "error" | "time." | "time.total" | "time.connect"
        );
        match self {
            Self::Whole => true,
            Self::Redundant => !is_redundant(path, value, plan),
            Self::Responses => !path.starts_with("response") && !is_redundant(path, value, plan),
            Self::Details => is_result || (is_reason && !is_redundant(path, value, plan)),
            Self::Errors | Self::Discovery | Self::Targets | Self::Causes => is_result,
        }
    }
}

/// Whether a compact entry omits this field: what [`entry`](crate::output::entry) does for values
/// that are not written yet.
fn is_redundant(path: &str, value: &[u8], plan: &Plan) -> bool {
    match path {
        "address" | "family" => plan.ip().is_some(),
        "schema" | "id" | "name" | "host" | "port" | "service" | "source" | "tls.roots"
        | "tls.names" | "tls.names_omitted" | "tls.chain" | "tls.chain_omitted" => true,
        "status_name" => value == b"\"ok\"",
        "error" | "addresses_error" | "tls.verify_error" => value == b"\"\"",
        "tcp.syn_retransmits" | "tls.client_cert" | "tls.staple" => value == b"0",
        "tls.how" => value == b"\"handshake\"",
        "tls.proved" => value == b"1",
        "tls.faults" | "tls.other_addresses" => value == b"[]",
        _ => false,
    }
}

/// Appends what this level leaves of an entry. `entry` is a JSON object that this program wrote: it
/// has no blanks, and the names of its fields have no escapes.
pub fn entry(entry: &[u8], level: Level, plan: &Plan, buffer: &mut Vec<u8>) {
    buffer.push(b'{');
    let start = buffer.len();
    for (name, value) in Fields(entry.get(1..).unwrap_or_default()) {
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        let length = buffer.len();
        let is_group = value.starts_with(b"{") && matches!(name, "time" | "tcp" | "tls");
        if !is_group {
            if level.keeps(name, value, plan) {
                push_field(buffer, start, name.as_bytes(), value);
            }
            continue;
        }
        let mut path = format!("{name}.");
        if !level.keeps(&path, value, plan) {
            continue;
        }
        let group = path.len();
        push_field(buffer, start, name.as_bytes(), b"{");
        let inner = buffer.len();
        for (name, value) in Fields(value.get(1..).unwrap_or_default()) {
            path.truncate(group);
            path.push_str(&String::from_utf8_lossy(name));
            if level.keeps(&path, value, plan) {
                push_field(buffer, inner, name, value);
            }
        }
        if buffer.len() == inner {
            buffer.truncate(length);
        } else {
            buffer.push(b'}');
        }
    }
    buffer.push(b'}');
}

/// Appends a field to the object whose fields begin at `start`.
fn push_field(buffer: &mut Vec<u8>, start: usize, name: &[u8], value: &[u8]) {
    if buffer.len() > start {
        buffer.push(b',');
    }
    buffer.push(b'"');
    buffer.extend_from_slice(name);
    buffer.extend_from_slice(b"\":");
    buffer.extend_from_slice(value);
}

/// The fields of a JSON object whose opening brace was read: the text of each name and value.
struct Fields<'e>(&'e [u8]);

impl<'e> Iterator for Fields<'e> {
    type Item = (&'e [u8], &'e [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.strip_prefix(b",").unwrap_or(self.0);
        let rest = rest.strip_prefix(b"\"")?;
        let name = rest.get(..memchr::memchr(b'"', rest)?)?;
        let rest = rest.get(name.len() + 2..)?;
        let value = rest.get(..value_length(rest))?;
        self.0 = rest.get(value.len()..)?;
        Some((name, value))
    }
}

/// The length of the value at the start of this text.
fn value_length(text: &[u8]) -> usize {
    let (mut depth, mut is_text, mut is_escaped) = (0_u32, false, false);
    for (index, byte) in text.iter().enumerate() {
        if is_text {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => is_text = true,
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => return index,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;
    use crate::output::batch_format::DefaultFields;
    use crate::output::entry::{write, write_result_fields};
    use crate::output::test_reports::{down, plan, up};
    use crate::report::Report;

    fn reports() -> Vec<Report> {
        let (address, name) = (plan(0, "192.0.2.7", None), plan(1, "mx1", None));
        let odd = b"220 \"\\ {[,}]\" \xff\0 ready, yes: {\r\n";
        let mut reports = Vec::new();
        for plan in [&address, &name] {
            reports.extend([up(plan, b"", 0), up(plan, b"220 x", 2), up(plan, odd, 0)]);
            reports.extend([down(plan, Status::Refused), down(plan, Status::NotTried)]);
        }
        reports
    }

    fn shortened(report: &Report, level: Level) -> String {
        let (mut whole, mut short) = (Vec::new(), Vec::new());
        write(report, DefaultFields::Include, &mut whole);
        entry(&whole, level, &report.plan, &mut short);
        String::from_utf8(short).unwrap()
    }

    #[test]
    fn the_redundant_fields_are_those_of_a_compact_entry() {
        for report in reports() {
            let mut compact = b"{".to_vec();
            write_result_fields(&report, DefaultFields::Omit, &mut compact);
            let compact = String::from_utf8(compact).unwrap();
            assert_eq!(shortened(&report, Level::Redundant), compact);
        }
    }

    #[test]
    fn each_level_leaves_out_more() {
        for report in reports() {
            let mut before = usize::MAX;
            for level in Level::ALL {
                let text = shortened(&report, level);
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                for member in ["up", "state", "status"] {
                    assert!(value[member].is_u64(), "{text}");
                }
                assert!(text.len() <= before, "{level:?}: {text}");
                before = text.len();
            }
        }
        let report = up(&plan(0, "192.0.2.7", None), b"220 x", 0);
        assert_eq!(
            shortened(&report, Level::Details),
            r#"{"up":1,"state":1,"status":0,"time":{"total":0.000900,"connect":0.000812}}"#
        );
        assert_eq!(
            shortened(&report, Level::Errors),
            r#"{"up":1,"state":1,"status":0}"#
        );
        assert!(!shortened(&report, Level::Responses).contains("response"));
    }

    #[test]
    fn what_is_not_an_entry_ends_it() {
        let plan = plan(0, "192.0.2.7", None);
        for bad in [
            &b""[..],
            b"{",
            b"{}",
            b"{\"",
            b"{\"a",
            b"{\"up\"",
            b"{\"up\":",
            b"[1]",
            b"\xff",
        ] {
            let mut short = Vec::new();
            entry(bad, Level::Details, &plan, &mut short);
            assert!(short.starts_with(b"{") && short.ends_with(b"}"), "{bad:?}");
        }
    }
}

//! Assertions about the document of a check.

use std::time::Duration;

use serde_json::Value;

use crate::namespaces::Net;
use crate::program::Ran;

/// The document of a check whose status, exit status and error agree.
pub struct Verdict {
    ran: Ran,
    document: Value,
}

impl Verdict {
    /// Asserts this status, and that the error contains these parts.
    #[track_caller]
    pub fn of(ran: Ran, status: u64, name: &str, parts: &[&str]) -> Self {
        let document = ran.document();
        assert_eq!(
            (
                document["status"].as_u64(),
                document["status_name"].as_str()
            ),
            (Some(status), Some(name)),
            "{}",
            ran.out
        );
        let up = document["up"].as_u64().unwrap();
        assert_eq!(
            (up, ran.code),
            if status == 0 {
                (1, Some(0))
            } else {
                (0, Some(1))
            },
            "{}",
            ran.out
        );
        let error = document["error"].as_str().unwrap();
        assert_eq!(error.is_empty(), status == 0, "{}", ran.out);
        for part in parts {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
        Self { ran, document }
    }

    /// Asserts the names of the times.
    #[track_caller]
    pub fn times(self, names: &[&str]) -> Self {
        let mut wanted = names.to_vec();
        wanted.sort_unstable();
        let times = self.document["time"].as_object().unwrap();
        assert_eq!(times.keys().collect::<Vec<_>>(), wanted, "{}", self.ran.out);
        self
    }

    /// Asserts the ICMP error in the document.
    #[track_caller]
    pub fn icmp(self, kind: u8, code: u8, from: &str) -> Self {
        assert_eq!(
            self.document["icmp"],
            serde_json::json!({"type": kind, "code": code, "from": from}),
            "{}",
            self.ran.out
        );
        self
    }

    /// Asserts that the document has no ICMP error.
    #[track_caller]
    pub fn no_icmp(self) -> Self {
        assert_eq!(self.document.get("icmp"), None, "{}", self.ran.out);
        self
    }

    /// Asserts how long the run took.
    #[track_caller]
    pub fn within(self, least: Duration, most: Duration) -> Self {
        assert!(
            self.ran.took >= least && self.ran.took < most,
            "{:?}: {}",
            self.ran.took,
            self.ran.out
        );
        self
    }

    /// Asserts that the answer and not the deadline ended the run.
    #[track_caller]
    pub fn at_once(self) -> Self {
        self.within(Duration::ZERO, Duration::from_millis(1500))
    }

    /// The document.
    pub fn document(&self) -> &Value {
        &self.document
    }
}

/// An ICMP error, and how the program names it.
pub struct IcmpError<'a> {
    pub from: &'a str,
    pub kind: u8,
    pub code: u8,
    pub name: &'a str,
}

impl IcmpError<'_> {
    /// Asserts that a connect is answered by this error: `refused` for an unreachable port, else
    /// `unreachable`.
    #[track_caller]
    pub fn answers(&self, net: &Net, target: &str, port: &str) {
        let Self {
            from,
            kind,
            code,
            name,
        } = *self;
        let is_v4 = target.contains('.');
        let (status, status_name) = match (is_v4, kind, code) {
            (true, 3, 3) | (false, 1, 4) => (3, "refused"),
            _ => (4, "unreachable"),
        };
        let shown = if is_v4 {
            target.to_owned()
        } else {
            format!("[{target}]")
        };
        let sentence =
            format!("connect to {shown}:{port}: {from} says {name} (ICMP type {kind} code {code})");
        let ran = net.check(&[target, port, "-o", "json"]);
        Verdict::of(ran, status, status_name, &[&sentence])
            .icmp(kind, code, from)
            .times(&["total"])
            .at_once();
    }
}

//! What a document says, asserted.

use std::time::Duration;

use serde_json::Value;

use crate::program::Ran;

/// A document's verdict, checked against its exit status.
pub struct Verdict {
    ran: Ran,
    document: Value,
}

impl Verdict {
    /// Asserts this status, and that its error has these parts.
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

    /// Asserts the members of `time`, in their order.
    #[track_caller]
    pub fn times(self, names: &[&str]) -> Self {
        let mut wanted = names.to_vec();
        wanted.sort_unstable();
        let times = self.document["time"].as_object().unwrap();
        assert_eq!(times.keys().collect::<Vec<_>>(), wanted, "{}", self.ran.out);
        self
    }

    /// Asserts who said no, and how.
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

    /// Asserts that nobody said no by ICMP.
    #[track_caller]
    pub fn no_icmp(self) -> Self {
        assert_eq!(self.document.get("icmp"), None, "{}", self.ran.out);
        self
    }

    /// Asserts that the run took this long at least and that long at most.
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

    /// Asserts that the answer, not the deadline, ended the run.
    #[track_caller]
    pub fn at_once(self) -> Self {
        self.within(Duration::ZERO, Duration::from_millis(1500))
    }

    /// The document.
    pub fn document(&self) -> &Value {
        &self.document
    }
}

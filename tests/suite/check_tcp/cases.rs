//! The table of cases: a target, the arguments of each program, the result of each, and why they differ.

use std::fmt;

use crate::scripted_peer::Act::{self, Closes, Receives, Resets, Sends, Waits};

/// One case.
pub struct Case {
    /// The name, for the translation table.
    pub name: &'static str,
    /// The target.
    pub target: Target,
    /// The arguments of `check_tcp`.
    pub theirs: &'static [&'static str],
    /// Our arguments.
    pub ours: &'static [&'static str],
    /// The result of `check_tcp`.
    pub there: &'static str,
    /// Our result.
    pub here: &'static str,
    /// Why the results differ; empty if both mean the same.
    pub why: &'static str,
}

impl Case {
    /// Whether the bytes that the peer received are part of the result.
    pub fn sends(&self) -> bool {
        self.theirs
            .iter()
            .any(|argument| matches!(*argument, "-s" | "-q"))
    }
}

/// The target of a case.
pub enum Target {
    /// A peer with this script.
    Peer(&'static [Act]),
    /// A port on which nothing listens.
    Closed,
    /// A port as it is written on the command line.
    Port(&'static str),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("does not listen"),
            Self::Port(port) => write!(f, "port {port}"),
            Self::Peer([] | [Receives]) => f.write_str("accepts"),
            Self::Peer(acts) => {
                f.write_str(&acts.iter().map(describe).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

fn describe(act: &Act) -> String {
    match act {
        Sends(bytes) if bytes.len() > 80 => format!("sends {} bytes", bytes.len()),
        Sends(bytes) => format!("sends `{}`", bytes.escape_ascii()),
        Receives => "reads".to_owned(),
        Waits(millis) => format!("waits {millis} ms"),
        Closes => "sends FIN".to_owned(),
        Resets => "sends RST".to_owned(),
        Act::ReceivesBytes(_) | Act::ShutsDown => unreachable!("not in the table"),
    }
}

const fn same(
    name: &'static str,
    acts: &'static [Act],
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
    results: (&'static str, &'static str),
) -> Case {
    Case {
        name,
        target: Target::Peer(acts),
        theirs,
        ours,
        there: results.0,
        here: results.1,
        why: "",
    }
}

const fn differs(
    name: &'static str,
    acts: &'static [Act],
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
    results: (&'static str, &'static str),
    why: &'static str,
) -> Case {
    Case {
        name,
        target: Target::Peer(acts),
        theirs,
        ours,
        there: results.0,
        here: results.1,
        why,
    }
}

const GREETS: &[Act] = &[Sends(b"220 mail ready\r\n")];
const TWO_WORDS: &[Act] = &[Sends(b"abc def\n")];
const THOUSANDS: &[Act] = &[Sends(&[b'x'; 5000]), Sends(b"needle\n")];
const LATE_WARNING: &str = "WARNING, late";
const USAGE_ERROR: &str = "usage error, exit status 2";

/// Every case.
pub const CASES: &[Case] = &[
    same("connect", GREETS, &[], &[], ("OK", "ok")),
    same(
        "expect",
        GREETS,
        &["-e", "220"],
        &["--expect", "220"],
        ("OK", "ok"),
    ),
    same(
        "expect-inside",
        GREETS,
        &["-e", "ready"],
        &["--expect", "ready"],
        ("OK", "ok"),
    ),
    same(
        "no-newline",
        &[Sends(b"ready")],
        &["-e", "ready"],
        &["--expect", "ready"],
        ("OK", "ok"),
    ),
    same(
        "segments",
        &[Sends(b"2"), Waits(100), Sends(b"20")],
        &["-e", "220"],
        &["--expect", "220"],
        ("OK", "ok"),
    ),
    same(
        "conversation",
        &[Sends(b"220 "), Receives, Sends(b"250 y\n")],
        &["-s", "hi", "-e", "250"],
        &["--send", "hi", "--expect", "250"],
        ("OK, sent `hi`", "ok, sent `hi`"),
    ),
    same(
        "any",
        TWO_WORDS,
        &["-e", "xyz", "-e", "def"],
        &["--expect-regex", "xyz|def"],
        ("OK", "ok"),
    ),
    same(
        "any-service",
        TWO_WORDS,
        &["-e", "xyz", "-e", "def"],
        &["--service", "either"],
        ("OK", "ok"),
    ),
    same(
        "all",
        TWO_WORDS,
        &["-A", "-e", "def", "-e", "abc"],
        &["--service", "both"],
        ("OK", "ok"),
    ),
    same(
        "all-in-order",
        TWO_WORDS,
        &["-A", "-e", "abc", "-e", "def"],
        &["--expect", "abc", "--expect", "def"],
        ("OK", "ok"),
    ),
    same(
        "quit",
        GREETS,
        &["-e", "220", "-q", "QUIT"],
        &["--expect", "220", "--crlf", "--quit", "QUIT"],
        (r"OK, sent `QUIT\r\n`", r"ok, sent `QUIT\r\n`"),
    ),
    same(
        "escapes",
        &[Receives],
        &["-E", "-s", r"a\r\n\t\\"],
        &["--send", r"a\r\n\t\\"],
        (r"OK, sent `a\r\n\t\\`", r"ok, sent `a\r\n\t\\`"),
    ),
    same(
        "silent",
        &[],
        &["-e", "220"],
        &["--expect", "220"],
        ("CRITICAL, late", "read_timeout, late"),
    ),
    same(
        "closes",
        &[Closes],
        &["-e", "220"],
        &["--expect", "220"],
        ("CRITICAL", "closed"),
    ),
    same(
        "closes-inside",
        &[Sends(b"22"), Closes],
        &["-e", "220"],
        &["--expect", "220"],
        ("WARNING", "mismatch"),
    ),
    same(
        "resets-inside",
        &[Sends(b"22"), Waits(100), Resets],
        &["-e", "220"],
        &["--expect", "220"],
        ("WARNING", "reset"),
    ),
    Case {
        name: "refused",
        target: Target::Closed,
        theirs: &[],
        ours: &[],
        there: "CRITICAL",
        here: "refused",
        why: "",
    },
    Case {
        name: "port-0",
        target: Target::Port("0"),
        theirs: &[],
        ours: &[],
        there: "UNKNOWN",
        here: USAGE_ERROR,
        why: "",
    },
    same(
        "timeout",
        &[],
        &["-t", "1", "-e", "220"],
        &["--timeout", "1", "--expect", "220"],
        ("CRITICAL", "read_timeout"),
    ),
    same(
        "ipv4",
        GREETS,
        &["-4", "-e", "220"],
        &["-4", "--expect", "220"],
        ("OK", "ok"),
    ),
    same(
        "jail",
        &[Sends(b"a|b\n")],
        &["-j", "-e", "a"],
        &["--expect", "a"],
        ("OK", "ok"),
    ),
    // What check_tcp reports as success.
    differs(
        "max-bytes",
        GREETS,
        &["-m", "4", "-e", "NOPE"],
        &["--max-bytes", "4", "--expect", "NOPE"],
        ("OK", "mismatch"),
        "check_tcp reports OK after `-m` bytes, even if they do not match; zbx-tcp reports a mismatch.",
    ),
    differs(
        "buffer",
        THOUSANDS,
        &["-m", "100", "-e", "needle"],
        &["--max-bytes", "100", "--expect", "needle"],
        ("OK", "mismatch"),
        "As above; check_tcp never read `needle`.",
    ),
    differs(
        "mismatch-ok",
        GREETS,
        &["-M", "ok", "-e", "NOPE"],
        &["--expect", "NOPE"],
        ("OK, late", "mismatch, late"),
        "zbx-tcp has no option that turns a failed expectation into success; use a trigger on status 9.",
    ),
    Case {
        name: "refuse-ok",
        target: Target::Closed,
        theirs: &["-r", "ok"],
        ours: &["--expect-closed"],
        there: "OK",
        here: "ok",
        why: "",
    },
    differs(
        "refuse-ok-open",
        GREETS,
        &["-r", "ok"],
        &["--expect-closed"],
        ("OK", "unexpectedly_open"),
        "`-r ok` accepts an open and a closed port, so it tests nothing; `--expect-closed` requires a closed port.",
    ),
    differs(
        "empty-expect",
        GREETS,
        &["-s", "", "-e", "NOPE", "-e", ""],
        &["--send", "", "--expect", "NOPE", "--expect", ""],
        ("OK, sent nothing", "mismatch, sent nothing, late"),
        "An empty `-e` matches anything; zbx-tcp ignores an option with an empty value.",
    ),
    Case {
        name: "port-70000",
        target: Target::Port("70000"),
        theirs: &[],
        ours: &[],
        there: "CRITICAL",
        here: USAGE_ERROR,
        why: "check_tcp truncates the port to 16 bits and probes port 4464. If something listens there, the result is OK.",
    },
    // What check_tcp reports as a failure, or late.
    differs(
        "mismatch",
        GREETS,
        &["-e", "NOPE"],
        &["--expect-prefix", "NOPE"],
        (LATE_WARNING, "mismatch"),
        "While the connection is open, check_tcp needs 2 s to detect a mismatch. With a prefix, a regular expression that starts with `\\A` or a reject pattern, zbx-tcp detects it at once.",
    ),
    differs(
        "mismatch-crit",
        GREETS,
        &["-M", "crit", "-e", "250"],
        &["--reject", "220", "--expect", "250"],
        ("CRITICAL, late", "rejected"),
        "As above, with `-M crit`; `--reject` fails as soon as its text is received.",
    ),
    same(
        "mismatch-open",
        GREETS,
        &["-e", "NOPE"],
        &["--expect", "NOPE"],
        (LATE_WARNING, "mismatch, late"),
    ),
    differs(
        "pause",
        &[Sends(b"wait\n"), Waits(2200), Sends(b"ready\n")],
        &["-t", "4", "-e", "ready"],
        &["--timeout", "4", "--expect", "ready"],
        (LATE_WARNING, "ok, late"),
        "check_tcp stops after 2 s without data, even if `-t` is longer; zbx-tcp waits until its deadline.",
    ),
    differs(
        "nul",
        &[Sends(b"ab\0cd\n")],
        &["-e", "cd"],
        &["--expect", "cd"],
        (LATE_WARNING, "ok"),
        "check_tcp ignores everything after the first NUL; zbx-tcp treats NUL like any other byte.",
    ),
    differs(
        "nul-first",
        &[Sends(b"\0ready\n")],
        &["-e", "ready"],
        &["--expect-hex", "00 72 65"],
        (LATE_WARNING, "ok"),
        "As above; for check_tcp the answer is empty.",
    ),
    differs(
        "newline-expected",
        &[Sends(b"ready\n")],
        &["-E", "-e", r"ready\n"],
        &["--expect", r"ready\n"],
        (LATE_WARNING, "ok"),
        "check_tcp does not interpret escapes in `-e`, even with `-E`.",
    ),
    differs(
        "encoding",
        &[Receives, Sends(b"\xc4\xe3\n")],
        &["-s", "hi", "-e", "\u{4f60}"],
        &["--encoding", "gbk", "--send", "hi", "--expect", "\u{4f60}"],
        ("WARNING, sent `hi`, late, broken output", "ok, sent `hi`"),
        "check_tcp compares bytes only; this peer sends GBK.",
    ),
    differs(
        "slow",
        &[Waits(300), Sends(b"220\n")],
        &["-w", "0.1", "-e", "220"],
        &["--expect", "220"],
        ("WARNING", "ok"),
        "zbx-tcp has no threshold; use a trigger on `time.total`, `time.connect` or `time.first_byte`.",
    ),
    differs(
        "threshold-text",
        GREETS,
        &["-w", "abc"],
        &["-t", "abc"],
        ("WARNING", USAGE_ERROR),
        "check_tcp interprets a threshold that is not a number as 0, so every answer is too slow.",
    ),
    // What check_tcp sends.
    differs(
        "hex-escape",
        &[Receives],
        &["-E", "-s", r"\x41\0z"],
        &["--send", r"\x41\0z"],
        ("OK, sent `x410z`", r"ok, sent `A\x00z`"),
        "check_tcp interprets `\\n \\r \\t \\\\` and removes the backslash of any other escape. zbx-tcp also interprets `\\0` and `\\xHH`; any other escape is a usage error.",
    ),
    differs(
        "unknown-escape",
        &[Receives],
        &["-E", "-s", r"a\qb"],
        &["--send", r"a\qb"],
        ("OK, sent `aqb`", USAGE_ERROR),
        "As above.",
    ),
    differs(
        "lone-backslash",
        &[Receives],
        &["-E", "-s", r"a\"],
        &["--send", r"a\"],
        ("OK, sent `a`", USAGE_ERROR),
        "As above.",
    ),
    differs(
        "escape-order",
        &[Receives],
        &["-s", r"a\n", "-E"],
        &["--send", r"a\n"],
        (r"OK, sent `a\\n`", r"ok, sent `a\n`"),
        "`-E` applies only to options after it; zbx-tcp always interprets escapes.",
    ),
    differs(
        "send-twice",
        &[Receives],
        &["-s", "a", "-s", "b"],
        &["--send", "a", "--send", "b"],
        ("OK, sent `b`", "ok, sent `ab`"),
        "check_tcp sends only the last `-s`; zbx-tcp runs every step, in order.",
    ),
    differs(
        "quit-line-end",
        GREETS,
        &["-e", "220", "-q", "QUIT"],
        &["--expect", "220", "--quit", "QUIT"],
        (r"OK, sent `QUIT\r\n`", "ok, sent `QUIT`"),
        "Without `-E` check_tcp appends CR LF to `-q`, but not to `-s`; with `--crlf`, zbx-tcp appends it to both, otherwise to neither.",
    ),
    // What check_tcp prints.
    differs(
        "pipe",
        &[Sends(b"a|b\n")],
        &["-e", "a"],
        &["--expect", "a"],
        ("OK, broken output", "ok"),
        "check_tcp prints the answer unchanged, so Nagios reads the text after a `|` as performance data. In the JSON document of zbx-tcp it is part of a string.",
    ),
    differs(
        "newline",
        &[Sends(b"a\nb\nc\n")],
        &["-e", "a"],
        &["--expect", "a"],
        ("OK, broken output", "ok"),
        "As above, for a line end, which ends the text of the plugin.",
    ),
    differs(
        "latin",
        &[Sends(b"caf\xe9\n")],
        &["-e", "caf"],
        &["--expect", "caf"],
        ("OK, broken output", "ok"),
        "As above, for bytes that are not UTF-8.",
    ),
    // What check_tcp cannot express.
    differs(
        "fraction",
        GREETS,
        &["-t", "0.5"],
        &["--timeout", "0.5"],
        ("UNKNOWN", "ok"),
        "check_tcp accepts whole seconds only.",
    ),
    differs(
        "delay",
        &[Receives, Sends(b"ok\n")],
        &["-t", "1", "-d", "1", "-s", "hi", "-e", "ok"],
        &["-t", "1", "--send", "hi", "--expect", "ok"],
        ("CRITICAL, sent `hi`", "ok, sent `hi`"),
        "With `-d`, check_tcp sleeps before it reads. zbx-tcp reads an answer when it arrives.",
    ),
];

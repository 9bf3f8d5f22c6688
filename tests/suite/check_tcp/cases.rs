//! The table of cases: a peer, the arguments and the result of each program, and why they differ.

use std::fmt;

use crate::scripted_peer::Act::{self, Hears, Leaves, Resets, Says, Waits};

/// One case.
pub struct Case {
    /// Its name, for the translation table.
    pub name: &'static str,
    /// What it is run against.
    pub place: Place,
    /// The arguments of `check_tcp`.
    pub theirs: &'static [&'static str],
    /// Our arguments.
    pub ours: &'static [&'static str],
    /// The result of `check_tcp`.
    pub there: &'static str,
    /// Our result.
    pub here: &'static str,
    /// Why they differ; empty if they agree.
    pub why: &'static str,
}

impl Case {
    /// Whether the bytes that the peer receives belong to the case.
    pub fn sends(&self) -> bool {
        self.theirs.iter().any(|word| matches!(*word, "-s" | "-q"))
    }
}

/// What a case is run against.
pub enum Place {
    /// A peer with this script.
    Peer(&'static [Act]),
    /// A port on which nothing listens.
    Closed,
    /// A port as it was typed.
    Port(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("does not listen"),
            Self::Port(port) => write!(f, "port {port}"),
            Self::Peer([] | [Hears]) => f.write_str("listens"),
            Self::Peer(acts) => f.write_str(&acts.iter().map(told).collect::<Vec<_>>().join(", ")),
        }
    }
}

fn told(act: &Act) -> String {
    match act {
        Says(bytes) if bytes.len() > 80 => format!("says {} bytes", bytes.len()),
        Says(bytes) => format!("says `{}`", bytes.escape_ascii()),
        Hears => "listens".to_owned(),
        Waits(millis) => format!("waits {millis} ms"),
        Leaves => "sends FIN".to_owned(),
        Resets => "sends RST".to_owned(),
        Act::HearsBytes(_) | Act::ShutsDown => unreachable!("not in the table"),
    }
}

const fn same(
    name: &'static str,
    acts: &'static [Act],
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
    says: (&'static str, &'static str),
) -> Case {
    Case {
        name,
        place: Place::Peer(acts),
        theirs,
        ours,
        there: says.0,
        here: says.1,
        why: "",
    }
}

const fn differs(
    name: &'static str,
    acts: &'static [Act],
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
    says: (&'static str, &'static str),
    why: &'static str,
) -> Case {
    Case {
        name,
        place: Place::Peer(acts),
        theirs,
        ours,
        there: says.0,
        here: says.1,
        why,
    }
}

const GREETS: &[Act] = &[Says(b"220 mail ready\r\n")];
const TWO_WORDS: &[Act] = &[Says(b"abc def\n")];
const THOUSANDS: &[Act] = &[Says(&[b'x'; 5000]), Says(b"needle\n")];
const LATE_WARNING: &str = "WARNING, late";
const MISTAKE: &str = "mistake, exit status 2";

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
        &[Says(b"ready")],
        &["-e", "ready"],
        &["--expect", "ready"],
        ("OK", "ok"),
    ),
    same(
        "segments",
        &[Says(b"2"), Waits(100), Says(b"20")],
        &["-e", "220"],
        &["--expect", "220"],
        ("OK", "ok"),
    ),
    same(
        "conversation",
        &[Says(b"220 "), Hears, Says(b"250 y\n")],
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
        &[Hears],
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
        &[Leaves],
        &["-e", "220"],
        &["--expect", "220"],
        ("CRITICAL", "closed"),
    ),
    same(
        "closes-inside",
        &[Says(b"22"), Leaves],
        &["-e", "220"],
        &["--expect", "220"],
        ("WARNING", "mismatch"),
    ),
    same(
        "resets-inside",
        &[Says(b"22"), Waits(100), Resets],
        &["-e", "220"],
        &["--expect", "220"],
        ("WARNING", "reset"),
    ),
    Case {
        name: "refused",
        place: Place::Closed,
        theirs: &[],
        ours: &[],
        there: "CRITICAL",
        here: "refused",
        why: "",
    },
    Case {
        name: "port-0",
        place: Place::Port("0"),
        theirs: &[],
        ours: &[],
        there: "UNKNOWN",
        here: MISTAKE,
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
        &[Says(b"a|b\n")],
        &["-j", "-e", "a"],
        &["--expect", "a"],
        ("OK", "ok"),
    ),
    // Cases that check_tcp reports as success.
    differs(
        "max-bytes",
        GREETS,
        &["-m", "4", "-e", "NOPE"],
        &["--max-bytes", "4", "--expect", "NOPE"],
        ("OK", "mismatch"),
        "Having read `-m` bytes is success there, whatever they are; here the bound ends the check as a mismatch.",
    ),
    differs(
        "buffer",
        THOUSANDS,
        &["-m", "100", "-e", "needle"],
        &["--max-bytes", "100", "--expect", "needle"],
        ("OK", "mismatch"),
        "The same: `needle` was never read there.",
    ),
    differs(
        "mismatch-ok",
        GREETS,
        &["-M", "ok", "-e", "NOPE"],
        &["--expect", "NOPE"],
        ("OK, late", "mismatch, late"),
        "There is no option that turns a failed expectation into success; what to make of status 9 is the trigger's.",
    ),
    Case {
        name: "refuse-ok",
        place: Place::Closed,
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
        "`-r ok` accepts both an open and a closed port, so it proves nothing; `--expect-closed` wants a closed one.",
    ),
    differs(
        "empty-expect",
        GREETS,
        &["-s", "", "-e", "NOPE", "-e", ""],
        &["--send", "", "--expect", "NOPE", "--expect", ""],
        ("OK, sent nothing", "mismatch, sent nothing, late"),
        "An empty `-e` matches anything; here an empty value is one that was not given.",
    ),
    Case {
        name: "port-70000",
        place: Place::Port("70000"),
        theirs: &[],
        ours: &[],
        there: "CRITICAL",
        here: MISTAKE,
        why: "The port is cut to 16 bits there, so that port 4464 is tried: a listener on it makes port 70000 OK.",
    },
    // Cases that check_tcp reports as failure, or late.
    differs(
        "mismatch",
        GREETS,
        &["-e", "NOPE"],
        &["--expect-prefix", "NOPE"],
        (LATE_WARNING, "mismatch"),
        "Every mismatch on an open connection costs 2 s; a prefix, a regular expression with `\\A` or a reject decides at its byte.",
    ),
    differs(
        "mismatch-crit",
        GREETS,
        &["-M", "crit", "-e", "250"],
        &["--reject", "220", "--expect", "250"],
        ("CRITICAL, late", "rejected"),
        "The same with `-M crit`; `--reject` names what must not come and decides at once.",
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
        &[Says(b"wait\n"), Waits(2200), Says(b"ready\n")],
        &["-t", "4", "-e", "ready"],
        &["--timeout", "4", "--expect", "ready"],
        (LATE_WARNING, "ok, late"),
        "It gives up after 2 s of quiet, however large `-t` is; here the deadline alone decides.",
    ),
    differs(
        "nul",
        &[Says(b"ab\0cd\n")],
        &["-e", "cd"],
        &["--expect", "cd"],
        (LATE_WARNING, "ok"),
        "The answer ends at its first NUL there; here a NUL is a byte like any other.",
    ),
    differs(
        "nul-first",
        &[Says(b"\0ready\n")],
        &["-e", "ready"],
        &["--expect-hex", "00 72 65"],
        (LATE_WARNING, "ok"),
        "The same: nothing seems to have come.",
    ),
    differs(
        "newline-expected",
        &[Says(b"ready\n")],
        &["-E", "-e", r"ready\n"],
        &["--expect", r"ready\n"],
        (LATE_WARNING, "ok"),
        "`-e` knows no escapes, with `-E` neither.",
    ),
    differs(
        "encoding",
        &[Hears, Says(b"\xc4\xe3\n")],
        &["-s", "hi", "-e", "\u{4f60}"],
        &["--encoding", "gbk", "--send", "hi", "--expect", "\u{4f60}"],
        ("WARNING, sent `hi`, late, broken output", "ok, sent `hi`"),
        "It knows bytes only; this peer speaks GBK.",
    ),
    differs(
        "slow",
        &[Waits(300), Says(b"220\n")],
        &["-w", "0.1", "-e", "220"],
        &["--expect", "220"],
        ("WARNING", "ok"),
        "How slow is too slow is the trigger's: `-o time.total`, `time.connect` or `time.first_byte` is the item.",
    ),
    differs(
        "threshold-words",
        GREETS,
        &["-w", "abc"],
        &["-t", "abc"],
        ("WARNING", MISTAKE),
        "A threshold that is no number is 0 there, so every answer is slow.",
    ),
    // What check_tcp sends to the peer.
    differs(
        "hex-escape",
        &[Hears],
        &["-E", "-s", r"\x41\0z"],
        &["--send", r"\x41\0z"],
        ("OK, sent `x410z`", r"ok, sent `A\x00z`"),
        "`-E` knows `\\n \\r \\t \\\\` and drops the backslash of all others; here `\\0` and `\\xHH` exist, and all others are mistakes.",
    ),
    differs(
        "unknown-escape",
        &[Hears],
        &["-E", "-s", r"a\qb"],
        &["--send", r"a\qb"],
        ("OK, sent `aqb`", MISTAKE),
        "The same.",
    ),
    differs(
        "lone-backslash",
        &[Hears],
        &["-E", "-s", r"a\"],
        &["--send", r"a\"],
        ("OK, sent `a`", MISTAKE),
        "The same.",
    ),
    differs(
        "escape-order",
        &[Hears],
        &["-s", r"a\n", "-E"],
        &["--send", r"a\n"],
        (r"OK, sent `a\\n`", r"ok, sent `a\n`"),
        "`-E` counts only for what is written after it; here escapes always count.",
    ),
    differs(
        "send-twice",
        &[Hears],
        &["-s", "a", "-s", "b"],
        &["--send", "a", "--send", "b"],
        ("OK, sent `b`", "ok, sent `ab`"),
        "Only the last `-s` is sent; here every step is done, in order.",
    ),
    differs(
        "quit-line-end",
        GREETS,
        &["-e", "220", "-q", "QUIT"],
        &["--expect", "220", "--quit", "QUIT"],
        (r"OK, sent `QUIT\r\n`", "ok, sent `QUIT`"),
        "Without `-E` a CR LF is appended to `-q`, but not to `-s`; here nothing is, unless `--crlf` says so for both.",
    ),
    // What check_tcp prints.
    differs(
        "pipe",
        &[Says(b"a|b\n")],
        &["-e", "a"],
        &["--expect", "a"],
        ("OK, broken output", "ok"),
        "The answer is printed as it came: what follows a `|` is read as performance data. Here the document escapes it.",
    ),
    differs(
        "newline",
        &[Says(b"a\nb\nc\n")],
        &["-e", "a"],
        &["--expect", "a"],
        ("OK, broken output", "ok"),
        "The same for a line end, which ends the plugin's text.",
    ),
    differs(
        "latin",
        &[Says(b"caf\xe9\n")],
        &["-e", "caf"],
        &["--expect", "caf"],
        ("OK, broken output", "ok"),
        "The same for bytes that are not UTF-8.",
    ),
    // What check_tcp cannot express.
    differs(
        "fraction",
        GREETS,
        &["-t", "0.5"],
        &["--timeout", "0.5"],
        ("UNKNOWN", "ok"),
        "Seconds are whole there.",
    ),
    differs(
        "delay",
        &[Hears, Says(b"ok\n")],
        &["-t", "1", "-d", "1", "-s", "hi", "-e", "ok"],
        &["-t", "1", "--send", "hi", "--expect", "ok"],
        ("CRITICAL, sent `hi`", "ok, sent `hi`"),
        "`-d` sleeps before it reads. An answer is read here as it comes, however late, so nothing has to sleep.",
    ),
];

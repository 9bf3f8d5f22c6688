//! Usage errors in a dialogue: one line, exit status 2, and nothing sent.

use crate::program::check;
use crate::scripted_peer::Peer;

/// Asserts that each of these is refused with this text, and that nothing connected.
#[track_caller]
fn refused(cases: &[(&[&str], &str)]) {
    let peer = Peer::greeting(b"220 ready\r\n");
    for (words, text) in cases {
        check(&[&["127.0.0.1", &peer.port()], *words].concat()).refuses(text);
    }
    peer.has_no_connection();
}

#[test]
fn invalid_patterns_are_refused() {
    let huge = "(x[0-9]{200}){200}".to_owned();
    let long = "a".repeat(100_000);
    refused(&[
        (
            &["--expect-regex", "(a"],
            "--expect-regex: `(a` is not a valid regular expression: unclosed group",
        ),
        (
            &["--expect-regex", "*"],
            "repetition operator missing expression",
        ),
        (
            &["--expect-regex", "[z-a]"],
            "invalid character class range",
        ),
        (&["--expect-regex", "a(?=b)"], "look-ahead"),
        (
            &["--expect-regex", r"(a)\1"],
            "backreferences are not supported",
        ),
        (&["--expect-regex", r"\p{Greek}"], r"`\p{Greek}`"),
        (
            &["--reject-regex", "(a", "--expect", "b"],
            "--reject-regex: `(a`",
        ),
        (
            &["--expect-regex", "a{1000}{1000}{1000}"],
            "needs more than",
        ),
        (&["--expect-regex", &huge], "needs more than"),
        (&["--expect-regex", &long], "needs more than"),
        (
            &["--expect-hex", "4"],
            "--expect-hex: `4` is not hex: write two digits",
        ),
        (&["--expect-hex", "4a f"], "is not hex"),
        (&["--expect-hex", "0x4a"], "is not hex"),
        (&["--expect-hex", "?"], "is not hex"),
        (&["--reject-hex", "4", "--expect", "b"], "--reject-hex: `4`"),
    ]);
}

#[test]
fn patterns_that_match_empty_input_are_refused() {
    for source in [
        "a*", "^", "$", "^$", "(a|)", r"\A", "a?b?", "(?<v>)", "(?i)",
    ] {
        refused(&[
            (&["--expect-regex", source], "matches an empty answer"),
            (
                &["--reject-regex", source, "--expect", "b"],
                "--reject-regex: ",
            ),
        ]);
    }
    refused(&[(&["--expect-hex", " "], "--expect-hex: ` ` is not hex")]);
}

#[test]
fn invalid_escapes_and_encodings_are_refused() {
    for option in ["--send", "--expect", "--expect-prefix", "--quit"] {
        refused(&[
            (
                &[option, r"a\q"],
                &format!(r"{option}: unknown escape `\q`"),
            ),
            (&[option, r"a\"], &format!(r"{option}: unknown escape `\`")),
            (
                &[option, r"a\x4"],
                &format!(r"{option}: unknown escape `\x4`"),
            ),
            (
                &[option, r"\u0041"],
                &format!(r"{option}: unknown escape `\u`"),
            ),
            (
                &["--encoding", "gbk", option, "\u{1f600}"],
                &format!("{option}: "),
            ),
        ]);
    }
    refused(&[
        (
            &["--reject", r"a\q", "--expect", "b"],
            r"--reject: unknown escape `\q`",
        ),
        (&["--send-hex", "4"], "--send-hex: `4` is not hex"),
        (&["--send-hex", "zz"], "is not hex"),
        (
            &["--send-hex", "4a ?? 4b"],
            "--send-hex: `??` cannot be sent",
        ),
        (
            &["--encoding", "klingon", "--send", "a"],
            "--encoding: unknown encoding `klingon`",
        ),
        (
            &["--encoding", "replacement", "--send", "a"],
            "unknown encoding `replacement`",
        ),
    ]);
}

#[test]
fn steps_out_of_order_are_refused() {
    refused(&[
        (
            &["--quit", "a", "--expect", "b"],
            "--expect: is after --quit",
        ),
        (
            &["--quit", "a", "--send-hex", "00"],
            "--send-hex: is after --quit",
        ),
        (
            &["--quit", "a", "--reject", "b"],
            "--reject: is after --quit",
        ),
        (&["--quit", "a", "--quit", "b"], "--quit: is given twice"),
        (
            &["--reject", "a"],
            "--reject: applies to the `--expect` options after it, but there is none",
        ),
        (&["--expect", "a", "--reject", "b"], "--reject: applies"),
        (
            &["--expect", "a", "--reject-hex", "00", "--send", "b"],
            "--reject-hex: applies",
        ),
        (
            &["--expect", "a", "--reject-regex", "b", "--quit", "c"],
            "--reject-regex: applies",
        ),
        (
            &["--expect-closed", "--quit", "a"],
            "cannot be combined with `--send`, `--expect` and `--quit`",
        ),
    ]);
}

#[test]
fn invalid_captures_are_refused() {
    let one = "(?<v>x)";
    refused(&[
        (
            &["--expect-regex", one, "--expect-regex", one],
            "the name `v` is captured twice",
        ),
        (
            &["--expect-regex", "(?<v>x)(?<v>y)"],
            "duplicate capture group name",
        ),
        (&["--expect-regex", "(?<1v>x)"], "invalid capture group"),
        (&["--send", "${v}"], "--send: no earlier step captures `v`"),
        (
            &["--send", "${v}", "--expect-regex", one],
            "no earlier step captures `v`",
        ),
        (
            &["--expect-regex", one, "--send", "${w}"],
            "no earlier step captures `w`",
        ),
        (
            &["--expect-regex", one, "--quit", "${w}"],
            "--quit: no earlier step captures `w`",
        ),
        (
            &["--expect-regex", one, "--send", "${v"],
            "--send: `${` without `}`",
        ),
        (&["--quit", "${"], "--quit: `${` without `}`"),
        (
            &["--expect-regex", one, "-o", "captures.nope"],
            "--output: no step captures `nope`; captures: v",
        ),
        (
            &["--expect", "x", "-o", "captures.v"],
            "no step captures `v`; captures: none",
        ),
        (&["-o", "captures."], "no step captures ``"),
        (&["-o", "captures.a\nb"], r"no step captures `a\nb`"),
        (&["-o", "captures"], "unknown output `captures`"),
    ]);
}

#[test]
fn invalid_bounds_and_services_are_refused() {
    refused(&[
        (
            &["--max-bytes", "0"],
            "--max-bytes: `0` is not a number from 1 to 1048576",
        ),
        (&["--max-bytes", "-1"], "--max-bytes: `-1`"),
        (&["--max-bytes", "16777217"], "--max-bytes: `16777217`"),
        (
            &["--max-bytes", "99999999999999999999999"],
            "--max-bytes: `9999",
        ),
        (&["--max-bytes", "1k"], "--max-bytes: `1k`"),
        (
            &["--max-bytes", "5", "--max-bytes", "6"],
            "cannot be given more than once",
        ),
        (
            &["--service", "smpt"],
            "--service: unknown service `smpt`: did you mean `smtp`?",
        ),
        (&["--service", "memcachd"], "did you mean `memcached`?"),
        (
            &["--service", "no such thing at all"],
            "`zbx-tcp services` lists them",
        ),
        (&["--service", "a\nb"], r"unknown service `a\nb`"),
        (
            &["--service", "smtp", "--service", "ssh"],
            "cannot be given more than once",
        ),
    ]);
}

#[test]
fn a_dialogue_that_costs_too_much_is_refused() {
    let many = |words: &[&'static str], times: usize| -> Vec<&'static str> {
        words
            .iter()
            .copied()
            .cycle()
            .take(words.len() * times)
            .collect()
    };
    let sends = "x".repeat(60_000);
    let sends = ["--send", &sends].into_iter().cycle().take(2 * 18);
    let rejects = many(&["--reject-regex", "a+b"], 300);
    let expects = many(&["--expect", "a"], 300);
    refused(&[
        (
            &["--expect-regex", "(?<v>(?:a+b?){300})"],
            "--max-bytes: 262144 bytes are too many for step 1, whose patterns have 1",
        ),
        (
            &[
                "--max-bytes",
                "1048576",
                "--expect-regex",
                "[ab]*a[ab]{400}",
            ],
            "use simpler patterns, or at most ",
        ),
        (
            &[&rejects[..], &expects].concat(),
            "need more than 10000 comparisons",
        ),
        (
            &many(&["--send", "x"], 1001),
            "the dialogue has 1001 steps: at most 1000",
        ),
        (
            &sends.collect::<Vec<_>>(),
            "--send: the dialogue sends 1080000 bytes: at most 1048576 are allowed",
        ),
        (
            &[
                "-n",
                "10000",
                "-i",
                "1ms",
                "--max-bytes",
                "1000",
                "--send",
                &"x".repeat(200),
            ],
            "--count: the dialogue sends 200 bytes in each of 10000 attempts",
        ),
        (
            &["-n", "1000", "-i", "1ms", "--expect", "x"],
            "--max-bytes: 1000 simultaneous attempts may receive 262144 bytes each",
        ),
        (
            &["--expect-silence", "2s", "--expect-silence", "1s"],
            "--expect-silence: 3s of silence do not fit into the deadline",
        ),
        (&["--expect-silence", "x"], "--expect-silence: "),
    ]);
}

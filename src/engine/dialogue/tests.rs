use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::address::{Host, Target};
use crate::plan::ProbeSpec;
use crate::plan::bytes::Charset;
use crate::plan::layer::{Layer, LayerConnection, LayerError};
use crate::plan::pattern::Pattern;
use crate::plan::steps::{IncompleteAnswer, Patterns, RejectionTime, Secret, TargetPart};

fn plan(steps: Vec<Step>) -> Plan {
    let target = Target::from_arguments("192.0.2.7", Some("25"), None).unwrap();
    Plan::new(
        ProbeSpec {
            steps,
            max_bytes: 1000,
            ..ProbeSpec::default()
        },
        target,
    )
}

fn begin(plan: &Plan) -> Dialogue {
    Dialogue::new(plan, "192.0.2.7:25".parse().unwrap())
}

fn literal(text: &str) -> Pattern {
    Pattern::literal(text, Charset::default()).unwrap()
}

fn regex(source: &str) -> Pattern {
    Pattern::regex(source, Charset::default()).unwrap()
}

fn expect(pattern: Pattern) -> Step {
    Step::Expect(Expect::one(pattern))
}

fn guarded(pattern: Pattern, reject: Pattern) -> Step {
    Step::Expect(Expect {
        reject: vec![reject.into()],
        ..Expect::one(pattern)
    })
}

fn wanted(wanted: Patterns, min_bytes: usize) -> Step {
    Step::Expect(Expect {
        wanted,
        reject: Vec::new(),
        min_bytes,
        timeout: Some(Duration::from_secs(1)),
        numbers: Box::default(),
        incomplete: None,
    })
}

/// Runs a plan against these segments, then quiet; `pauses` contains for each segment whether the
/// peer is quiet after it. Returns the verdict.
fn verdict(plan: &Plan, segments: &[&[u8]], pauses: &[bool]) -> bool {
    let mut dialogue = begin(plan);
    let mut segments = segments
        .iter()
        .zip(pauses.iter().chain(std::iter::repeat(&true)));
    let mut pause = false;
    loop {
        match dialogue.advance(plan, Input::MoreMayCome) {
            Progress::Behind => {}
            Progress::Tentative if pause => {
                return dialogue.advance(plan, Input::Quiescent) == Progress::Done;
            }
            Progress::Wait | Progress::Tentative => match segments.next() {
                Some((bytes, quiet)) => {
                    dialogue.feed(bytes);
                    pause = *quiet;
                }
                None if pause => return false,
                None => pause = true,
            },
            progress => return progress == Progress::Done,
        }
    }
}

/// Runs a plan against these segments, then quiet: the end, the captures, and all bytes sent.
fn run(plan: &Plan, segments: &[&[u8]]) -> (String, Vec<Capture>, Vec<u8>) {
    let mut dialogue = begin(plan);
    let (mut segments, mut sent, mut input) = (segments.iter(), Vec::new(), Input::MoreMayCome);
    let end = loop {
        match dialogue.advance(plan, input) {
            Progress::Send(bytes) => {
                sent.extend(bytes);
                dialogue.sent();
            }
            Progress::Behind => {}
            Progress::Wait | Progress::Tentative => match segments.next() {
                Some(bytes) => dialogue.feed(bytes),
                None if input == Input::MoreMayCome => input = Input::Quiescent,
                None => break format!("{:?}", dialogue.unfinished(plan)),
            },
            Progress::Silence => match segments.next() {
                Some(bytes) => dialogue.feed(bytes),
                None => dialogue.was_silent(),
            },
            progress => break format!("{progress:?}"),
        }
    };
    (
        format!("{end} at {}", dialogue.step(plan)),
        dialogue.captures().to_vec(),
        sent,
    )
}

#[track_caller]
fn ends(steps: &[Step], segments: &[&[u8]], end: &str) {
    assert_eq!(run(&plan(steps.to_vec()), segments).0, end);
}

#[test]
fn a_match_may_span_segments_and_contain_nul() {
    ends(
        &[expect(literal("b\\0c"))],
        &[b"ab", b"\0", b"cd"],
        "Done at 1",
    );
    ends(
        &[expect(regex(r"b\x00c"))],
        &[b"ab", b"\0", b"cd"],
        "Done at 1",
    );
}

#[test]
fn the_next_expectation_continues_after_the_match() {
    let twice = [expect(literal("ok")), expect(literal("ok"))];
    ends(&twice, &[b"okok"], "Done at 2");
    ends(&twice, &[b"ok"], "Silent at 2");
    ends(
        &[expect(regex("[0-9]+")), expect(literal("x"))],
        &[b"1", b"2x"],
        "Done at 2",
    );
    ends(
        &[expect(regex("[0-9]+")), expect(literal("2"))],
        &[b"12"],
        "Silent at 2",
    );
}

#[test]
fn unfinished_dialogues_are_distinguished() {
    let steps = [Step::Send(Template::bytes(*b"hi")), expect(literal("ok"))];
    assert_eq!(
        begin(&plan(steps.to_vec())).unfinished(&plan(steps.to_vec())),
        Unfinished::Sending
    );
    ends(&steps, &[], "Silent at 2");
    ends(&steps, &[b"no"], "Unmatched(2) at 2");
    ends(&steps, &[&[b'n'; 1000]], "TooMuch(1000) at 2");
}

#[test]
fn an_impossible_match_fails_at_once() {
    let prefix = Pattern::prefix("220 ", Charset::default()).unwrap();
    ends(&[expect(prefix.clone())], &[b"22", b"1"], "Impossible at 1");
    ends(&[expect(regex(r"\A220 "))], &[b"250"], "Impossible at 1");
    ends(
        &[wanted(Patterns::Any(vec![prefix.clone(), literal("x")]), 0)],
        &[b"250 x"],
        "Done at 1",
    );
    ends(
        &[wanted(Patterns::All(vec![prefix, literal("x")]), 0)],
        &[b"250 x"],
        "Impossible at 1",
    );
}

#[test]
fn the_first_match_of_reject_and_expect_decides() {
    ends(
        &[guarded(literal("ok"), literal("err"))],
        &[b"err ok"],
        "Rejected(Rejected, \"the answer matches the reject pattern `err`\") at 1",
    );
    ends(
        &[guarded(literal("ok"), literal("err"))],
        &[b"ok err"],
        "Done at 1",
    );
    ends(
        &[guarded(literal("+ok"), literal("ok"))],
        &[b"+ok"],
        "Rejected(Rejected, \"the answer matches the reject pattern `ok`\") at 1",
    );
    ends(
        &[guarded(regex("OK (?<all>.*)"), literal("ERR"))],
        &[b"OK ERR"],
        "Rejected(Rejected, \"the answer matches the reject pattern `ERR`\") at 1",
    );
    ends(
        &[guarded(literal("ok"), literal("err"))],
        &[b"er", b"r"],
        "Rejected(Rejected, \"the answer matches the reject pattern `err`\") at 1",
    );
}

#[test]
fn an_incomplete_refusal_is_waited_for() {
    let busy = || guarded(regex(r"\A\+PONG\r\n"), regex(r"\A-LOADING[^\r\n]*\r\n"));
    ends(
        &[busy()],
        &[b"-LOAD", b"ING data\r\n"],
        "Rejected(Rejected, \"the answer matches the reject pattern `\\\\A-LOADING[^\\\\r\\\\n]*\\\\r\\\\n`\") at 1",
    );
    ends(&[busy()], &[b"-LOAD"], "Unmatched(5) at 1");
    ends(&[busy()], &[b"-ERR"], "Impossible at 1");
}

#[test]
fn all_patterns_may_match_in_any_order_after_min_bytes() {
    let both = || Patterns::All(vec![literal("a"), literal("b")]);
    ends(&[wanted(both(), 0)], &[b"b", b"a"], "Done at 1");
    ends(&[wanted(both(), 0)], &[b"bb"], "Unmatched(2) at 1");
    ends(&[wanted(both(), 5)], &[b"ab", b"cd"], "Unmatched(4) at 1");
    ends(&[wanted(both(), 5)], &[b"ab", b"cde"], "Done at 1");
}

#[test]
fn templates_are_filled_with_captures_and_secrets() {
    let secret = Secret::new(*b"s3cret");
    let send = Template(vec![
        Piece::Bytes(b"<".to_vec()),
        Piece::Capture("id".into()),
        Piece::Secret(secret.clone()),
        Piece::Capture("none".into()),
    ]);
    let plan = plan(vec![expect(regex(r"id=(?<id>\w+)")), Step::Send(send)]);
    let (end, captures, bytes) = run(&plan, &[b"id=4", b"2"]);
    assert_eq!(
        (end.as_str(), bytes.as_slice()),
        ("Done at 2", &b"<42s3cret"[..])
    );
    assert_eq!(captures, [("id".into(), b"42".to_vec())]);
    assert!(!format!("{plan:?}").contains("s3cret"));
}

#[test]
fn other_encodings_are_matched_as_text() {
    let gbk = Charset::from_label("gbk").unwrap();
    // The second byte of one character and the first byte of the next form another character.
    let steps = vec![
        Step::Expect(Expect::one(Pattern::literal("好", gbk).unwrap())),
        expect(Pattern::regex("问.", gbk).unwrap()),
    ];
    let mut plan = plan(steps);
    Arc::make_mut(&mut plan.spec).charset = gbk;
    let bytes = gbk.encode("你好,问题").unwrap();
    let segments: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(run(&plan, &segments).0, "Done at 2");
    let misaligned = [0xc4, 0xba, 0xc3, 0xe3];
    assert_eq!(run(&plan, &[&misaligned]).0, "Unmatched(4) at 1");
}

fn pattern() -> impl Strategy<Value = Pattern> {
    proptest::sample::select(vec![
        "ab",
        "b+",
        r"\Aa",
        "a(?<x>b*)c?",
        "(?<y>a|ab)b",
        "a$",
        "c.*",
        "a\\b",
    ])
    .prop_flat_map(|source| {
        // Patterns of the text are only used with other encodings; they are the bytes otherwise.
        proptest::sample::select(vec!["utf-8", "gbk"]).prop_map(move |label| {
            Pattern::regex(source, Charset::from_label(label).unwrap()).unwrap()
        })
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let patterns = || proptest::collection::vec(pattern(), 1..3);
    let any = (patterns(), proptest::option::of(pattern()), 0_usize..4);
    any.prop_flat_map(|(patterns, reject, min_bytes)| {
        proptest::bool::ANY.prop_map(move |all| {
            let wanted = if all {
                Patterns::All(patterns.clone())
            } else {
                Patterns::Any(patterns.clone())
            };
            Step::Expect(Expect {
                wanted,
                reject: reject.clone().into_iter().map(Into::into).collect(),
                min_bytes,
                timeout: None,
                numbers: Box::default(),
                incomplete: None,
            })
        })
    })
}

fn incomplete(pattern: Pattern, at_close: &str, at_timeout: &str) -> Step {
    let enough = |source: &str| {
        let is_given = !source.is_empty();
        is_given.then(|| Box::new(Expect::one(regex(source))))
    };
    Step::Expect(Expect {
        incomplete: Some(Box::new(IncompleteAnswer {
            at_close: enough(at_close),
            at_timeout: enough(at_timeout),
            if_closed: Some("it is off".into()),
        })),
        ..Expect::one(pattern)
    })
}

#[test]
fn an_incomplete_answer_counts_only_when_no_more_can_arrive() {
    let plan = plan(vec![incomplete(
        regex(r"\Aok (?<v>[^\n]*)\n"),
        r"\Aok (?<v>[0-9]+)",
        r"\Aok",
    )]);
    let after = |bytes: &[u8], input| {
        let mut dialogue = begin(&plan);
        dialogue.feed(bytes);
        let progress = dialogue.advance(&plan, input);
        (progress, dialogue.captures().to_vec())
    };
    for input in [Input::MoreMayCome, Input::Quiescent] {
        assert_eq!(after(b"ok 17", input).0, Progress::Wait);
    }
    let captured = vec![("v".into(), b"17".to_vec())];
    assert_eq!(after(b"ok 17", Input::Closed), (Progress::Done, captured));
    assert_eq!(after(b"ok x", Input::Closed).0, Progress::Wait);
    assert_eq!(after(b"ok x", Input::TimeOver), (Progress::Done, vec![]));
    assert_eq!(after(b"o", Input::TimeOver).0, Progress::Wait);
    assert_eq!(after(b"", Input::TimeOver).0, Progress::Wait);
}

/// A list of offers is complete only at its end, which the pattern of the expected answer may also
/// match.
#[test]
fn what_an_unexpected_answer_means_counts_when_it_is_unexpected() {
    let unoffered = Rejection {
        applies: RejectionTime::Otherwise,
        refuses_tls: true,
        quit: Some(Template::bytes(*b"BYE")),
        ..regex(r"\A(?:-[^\n]*\n)*\.\n").into()
    };
    let anything = Rejection {
        applies: RejectionTime::Otherwise,
        ..regex("(?s:.)").into()
    };
    let offers = |rejection: &Rejection, source: &str| {
        let expect = Expect {
            reject: vec![rejection.clone()],
            ..Expect::one(regex(source))
        };
        plan(vec![Step::Expect(expect)])
    };
    let after = |plan: &Plan, bytes: &[u8], input| {
        let mut dialogue = begin(plan);
        dialogue.feed(bytes);
        let progress = dialogue.advance(plan, input);
        (progress, dialogue.otherwise(plan), dialogue.quit(plan))
    };
    let more = Input::MoreMayCome;
    let list = offers(&unoffered, r"\A(?:-[^\n]*\n)*-tls\n(?:-[^\n]*\n)*\.\n");
    assert_eq!(after(&list, b"-a\n-tls\n.\n", more).0, Progress::Done);
    assert_eq!(after(&list, b"-a\n", more).0, Progress::Wait);
    let (progress, _, quit) = after(&list, b"-a\n.\n", more);
    assert!(
        matches!(progress, Progress::Rejected(Status::TlsRefused, _)),
        "{progress:?}"
    );
    assert_eq!(quit.as_deref(), Some(&b"BYE"[..]));
    assert_eq!(after(&list, b"x", more).0, Progress::Impossible);
    // The expected answer may come anywhere, so only the end of the time shows that it does not.
    let anywhere = offers(&anything, "offer");
    assert_eq!(after(&anywhere, b"an offer", more).0, Progress::Done);
    for input in [more, Input::Quiescent, Input::Closed, Input::TimeOver] {
        let (progress, otherwise, quit) = after(&anywhere, b"login: ", input);
        assert_eq!((progress, quit), (Progress::Wait, None));
        assert_eq!(otherwise.map(|(status, _)| status), Some(Status::Rejected));
        assert_eq!(after(&anywhere, b"", input).1, None, "nothing was received");
    }
}

#[test]
fn quit_is_due_only_when_it_is_our_turn() {
    let turn = |steps: Vec<Step>, bytes: &[u8], input, status| {
        let plan = plan(steps);
        let mut dialogue = begin(&plan);
        dialogue.feed(bytes);
        while let Progress::Send(_) = dialogue.advance(&plan, input) {
            dialogue.sent();
        }
        dialogue.is_our_turn(&plan, status)
    };
    let greeting = || expect(literal("hi\n"));
    let whole = incomplete(literal("hi\n"), "h", "h");
    let send = || Step::Send(Template::bytes(*b"x"));
    let more = Input::MoreMayCome;
    let (rejected, mismatch) = (Some(Status::Rejected), Some(Status::Mismatch));
    assert!(turn(vec![greeting()], b"hi\n", more, None));
    assert!(turn(vec![whole.clone()], b"hi\n", more, None));
    assert!(turn(vec![send()], b"", more, None));
    assert!(!turn(vec![], b"", more, None), "no conversation");
    assert!(!turn(vec![whole.clone()], b"h", Input::Closed, None));
    assert!(!turn(vec![whole], b"h", Input::TimeOver, None));
    assert!(!turn(vec![greeting()], b"no", more, rejected));
    assert!(!turn(vec![greeting()], b"no", more, mismatch));
    assert!(turn(
        vec![greeting(), greeting()],
        b"hi\nno",
        more,
        rejected
    ));
    assert!(turn(
        vec![greeting(), greeting()],
        b"hi\nno",
        more,
        mismatch
    ));
    assert!(turn(vec![send(), greeting()], b"no", more, rejected));
    assert!(!turn(vec![send(), greeting()], b"no", more, mismatch));
    for status in [Status::ReadTimeout, Status::Closed, Status::Reset] {
        assert!(!turn(
            vec![greeting(), greeting()],
            b"hi\n",
            more,
            Some(status)
        ));
    }
}

#[test]
fn numbers_are_captured_in_decimal() {
    let plan = plan(vec![Step::Expect(Expect {
        numbers: ["n".into(), "long".into()].into(),
        ..Expect::one(regex(r"(?<n>(?s:..))(?<long>.{9})(?<text>.)"))
    })]);
    let (_, captures, _) = run(&plan, &[b"\x01\x00123456789a"]);
    let texts: Vec<_> = captures.iter().map(|(_, value)| value.as_slice()).collect();
    assert_eq!(texts, [&b"256"[..], b"123456789", b"a"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    /// Without assertions about what follows, such as `$`: these cannot be decided before it does.
    #[test]
    fn pauses_of_the_peer_do_not_change_the_verdict(
        sources in proptest::collection::vec(
            proptest::sample::select(vec!["b+", "(?<x>b+)", r"\A(?<x>a+)", "a(?<x>b*)c?", "(?<y>a|ab)b", "(?<z>c.*)"]), 1..3),
        all in proptest::bool::ANY,
        bytes in proptest::collection::vec(proptest::sample::select(b"abc\n".to_vec()), 1..16),
        cuts in proptest::collection::vec(0_usize..16, 0..5),
        pauses in proptest::collection::vec(proptest::bool::ANY, 0..6),
        max_bytes in 1_usize..16,
    ) {
        let patterns = sources.into_iter().map(regex).collect();
        let patterns = if all { Patterns::All(patterns) } else { Patterns::Any(patterns) };
        let mut plan = plan(vec![wanted(patterns, 0)]);
        Arc::make_mut(&mut plan.spec).max_bytes = max_bytes;
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let whole = verdict(&plan, &[&bytes], &[]);
        prop_assert_eq!(verdict(&plan, &parts, &pauses), whole);
    }

    #[test]
    fn every_split_gives_the_same_end_and_captures(
        steps in proptest::collection::vec(any_step(), 1..3),
        bytes in proptest::collection::vec(proptest::sample::select(b"abc\n".to_vec()), 0..16),
        cuts in proptest::collection::vec(0_usize..16, 0..5),
        max_bytes in prop_oneof![Just(1000_usize), 3_usize..16],
        charset in proptest::sample::select(vec!["utf-8", "gbk", "windows-1252"]),
    ) {
        let mut plan = plan(steps);
        let spec = Arc::make_mut(&mut plan.spec);
        (spec.max_bytes, spec.charset) = (max_bytes, Charset::from_label(charset).unwrap());
        let whole = run(&plan, &[&bytes]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!((whole.0, whole.1), { let split = run(&plan, &parts); (split.0, split.1) });
    }
}

#[test]
fn max_bytes_does_not_depend_on_the_segments() {
    let bounded = |steps: &[Step], max_bytes: usize, segments: &[&[u8]]| {
        let mut plan = plan(steps.to_vec());
        Arc::make_mut(&mut plan.spec).max_bytes = max_bytes;
        run(&plan, segments).0
    };
    let ends_late = [expect(literal("OpenSSH"))];
    for segments in [&[&b"SSH-2.0-OpenSSH"[..]][..], &[b"SSH-", b"2.0-OpenSSH"]] {
        assert_eq!(bounded(&ends_late, 4, segments), "TooMuch(4) at 1");
        assert_eq!(bounded(&ends_late, 15, segments), "Done at 1");
        assert_eq!(bounded(&ends_late, 14, segments), "TooMuch(14) at 1");
    }
    // What follows the bound decides whether a match ends there, and is no part of it.
    let line_end = [expect(regex("ready$"))];
    for (bytes, end) in [
        (&b"ready\n"[..], "Done at 1"),
        (b"ready", "Done at 1"),
        (b"ready not", "TooMuch(5) at 1"),
    ] {
        for cut in 0..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(bounded(&line_end, 5, &[first, second]), end, "{cut}");
        }
    }
    let grows = [expect(regex("(?<v>[0-9]+)"))];
    assert_eq!(bounded(&grows, 3, &[b"123x"]), "Done at 1");
    assert_eq!(bounded(&grows, 3, &[b"1234"]), "Done at 1");
    // The bound is that of the step, not of the dialogue.
    let steps = [expect(literal("ab")), expect(literal("cd"))];
    assert_eq!(bounded(&steps, 2, &[b"abcd"]), "Done at 2");
    assert_eq!(bounded(&steps, 2, &[b"ab", b"xcd"]), "TooMuch(2) at 2");
}

#[test]
fn captures_and_sends_are_bounded() {
    // Groups within groups capture the same bytes.
    let nested = format!(
        "{}[^\n]+{}\n",
        (0..20)
            .map(|n| format!("(?<g{n}>"))
            .collect::<Vec<_>>()
            .concat(),
        ")".repeat(20)
    );
    let mut plan = plan(vec![expect(regex(&nested))]);
    Arc::make_mut(&mut plan.spec).max_bytes = 1 << 20;
    let line = [&[b'a'; 100_000][..], b"\n"].concat();
    assert_eq!(run(&plan, &[&line]).0, "CapturedTooMuch(2000000) at 1");
    let line = [&[b'a'; 50_000][..], b"\n"].concat();
    assert_eq!(run(&plan, &[&line]).0, "Done at 1");
    let again = Template((0..20).map(|_| Piece::Capture("g0".into())).collect());
    Arc::make_mut(&mut plan.spec)
        .steps
        .extend([Step::Send(again.clone()), Step::Send(again)]);
    let (end, _, sent) = run(&plan, &[&line]);
    assert_eq!(
        (end.as_str(), sent.len()),
        ("SendsTooMuch(2000000) at 3", 1_000_000)
    );
}

#[test]
fn silence_ends_with_the_first_byte() {
    let silence = Step::Silence(Duration::from_millis(300));
    let only = std::slice::from_ref(&silence);
    ends(only, &[], "Done at 1");
    ends(only, &[b"x"], "NotSilent(1) at 1");
    let after = [expect(regex("[0-9]+")), silence.clone()];
    ends(&after, &[b"12", b"3"], "Done at 2");
    ends(&after, &[b"12", b"3x"], "NotSilent(1) at 2");
    ends(&[silence, expect(literal("x"))], &[], "Silent at 2");
}

#[test]
fn templates_name_the_target() {
    let all = [
        TargetPart::Host,
        TargetPart::Port,
        TargetPart::Address,
        TargetPart::Authority(crate::address::Port::new(80)),
    ];
    for (host, port, expected) in [
        (
            "host.example.",
            "80",
            "host.example 80 192.0.2.7 host.example",
        ),
        (
            "host.example",
            "8080",
            "host.example 8080 192.0.2.7 host.example:8080",
        ),
        (
            "2001:db8::1",
            "80",
            "[2001:db8::1] 80 192.0.2.7 [2001:db8::1]",
        ),
        ("fe80::1%lo", "81", "[fe80::1] 81 192.0.2.7 [fe80::1]:81"),
        ("192.0.2.9", "80", "192.0.2.9 80 192.0.2.7 192.0.2.9"),
    ] {
        let target = Target::from_arguments(host, Some(port), None).unwrap();
        let address = "192.0.2.7:80".parse().unwrap();
        assert_eq!(
            all.map(|part| part.text(&target, address)).join(" "),
            expected
        );
    }
    let mut plan = plan(vec![Step::Send(Template(vec![Piece::Target(
        TargetPart::Address,
    )]))]);
    assert_eq!(run(&plan, &[]).2, b"192.0.2.7");
    Arc::make_mut(&mut plan.spec).charset = Charset::from_label("utf-16le").unwrap();
    assert_eq!(run(&plan, &[]).2, b"1\x009\x002\0.\x000\0.\x002\0.\x007\0");
}

#[test]
fn work_is_done_in_small_parts() {
    let plan = plan(vec![expect(regex("(?<v>(?:a+b?){100})c"))]);
    let mut plan = plan;
    Arc::make_mut(&mut plan.spec).max_bytes = 1 << 20;
    let mut dialogue = begin(&plan);
    dialogue.feed(&[b'a'; 10_000]);
    let mut turns = 0;
    while dialogue.advance(&plan, Input::MoreMayCome) == Progress::Behind {
        assert!(dialogue.is_behind());
        turns += 1;
    }
    assert!((10..10_000).contains(&turns), "{turns} turns");
    dialogue.feed(b"bc");
    assert_eq!(dialogue.advance(&plan, Input::MoreMayCome), Progress::Done);
    assert_eq!(dialogue.captures()[0].1.len(), 10_001);
}

#[test]
fn expressions_on_text_match_characters() {
    let gbk = Charset::from_label("gbk").unwrap();
    let matches = |source: &str, text: &str| {
        let mut plan = plan(vec![expect(Pattern::regex(source, gbk).unwrap())]);
        Arc::make_mut(&mut plan.spec).charset = gbk;
        let bytes = gbk.encode(text).unwrap();
        let (end, captures, _) = run(&plan, &[&bytes]);
        let captured = captures.first().map(|(_, value)| gbk.printable(value));
        (end == "Done at 1", captured.unwrap_or_default())
    };
    assert!(matches("编号.号", "编号五号").0);
    assert!(!matches("编号.号", "编号五六号").0);
    assert_eq!(
        matches("(?<x>[^号]+)号$", "编号五号"),
        (true, "五".to_owned())
    );
    assert_eq!(
        matches("(?<x>[一-龥]{2})五", "x编号五号"),
        (true, "编号".to_owned())
    );
    // Classes and letters stay ASCII, as in expressions on bytes.
    assert!(matches(r"\A(?i:ok) (?i)[a-c]{3}\b,\w+\s\d\W$", "Ok aBC,x9_ 5五").0);
    assert!(!matches(r"\w五", "六五").0);
}

#[test]
fn a_layer_starts_only_if_nothing_follows_the_answer_before_it() {
    let layer = SharedLayer(Arc::new(NoLayer));
    let plan = plan(vec![
        expect(regex("220 [^\n]*\n")),
        Step::StartTls(layer.clone()),
        expect(literal("ok")),
    ]);
    let mut dialogue = begin(&plan);
    dialogue.feed(b"220 go");
    assert_eq!(
        dialogue.advance(&plan, Input::MoreMayCome),
        Progress::Wait,
        "the answer is not complete"
    );
    dialogue.feed(b" ahead\n");
    assert_eq!(
        dialogue.advance(&plan, Input::MoreMayCome),
        Progress::StartTls(layer)
    );
    dialogue.secured();
    dialogue.feed(b"ok");
    assert_eq!(dialogue.advance(&plan, Input::MoreMayCome), Progress::Done);

    let mut dialogue = begin(&plan);
    dialogue.feed(b"220 go ahead\nok");
    assert_eq!(
        dialogue.advance(&plan, Input::MoreMayCome),
        Progress::Injected(2)
    );
    assert_eq!(dialogue.buffer(), b"ok");
}

/// A layer that no dialogue starts by itself.
#[derive(Debug)]
struct NoLayer;

impl Layer for NoLayer {
    fn start(&self, _host: &Host) -> Result<Box<dyn LayerConnection>, LayerError> {
        unreachable!("a dialogue does no I/O")
    }
}

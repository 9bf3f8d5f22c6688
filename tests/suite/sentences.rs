//! Every sentence of a failure is explained in docs/troubleshooting.md.

use std::fs;
use std::path::Path;

/// The files that write sentences of failures.
const FILES: [&str; 22] = [
    "engine/dns/answer.rs",
    "engine/dns/failure_text.rs",
    "engine/dns/result.rs",
    "engine/dns/stub.rs",
    "engine/dns/system.rs",
    "engine/event_loop/shutdown.rs",
    "engine/lateness.rs",
    "engine/limits/memory.rs",
    "engine/session/attempt.rs",
    "engine/session/attempt/inspections.rs",
    "engine/session/established.rs",
    "engine/session/exchange.rs",
    "engine/session/messages.rs",
    "engine/session/race.rs",
    "engine/session/verdict.rs",
    "engine/stream.rs",
    "engine/stream/failures.rs",
    "output/causes.rs",
    "path_facts.rs",
    "report.rs",
    "tls/failures.rs",
    "tls/not_tls.rs",
];

/// Texts of the transcript, and parts of sentences whose other parts are explained.
const NO_SENTENCES: [&str; 15] = [
    "the peer has not closed the connection",
    "the peer has not acknowledged the last",
    "no answer so far: the next address is tried at the same time",
    "a further connection reads what this one could not",
    "the answer of service",
    "NXDOMAIN or no address",
    // After `this machine could not`.
    "read the peer address",
    "read the result of the connect",
    "bind to the interface",
    "set the time to live",
    "bind to the source port",
    "bind to the source address",
    // Before `where the protocol does not allow it`.
    "a record of type",
    "a handshake message of type",
    // After `the server answers with`.
    "a refusal of SMTP, FTP or NNTP",
];

/// The fewest words of the fixed part of a sentence. Shorter ones are parts of others.
const FEWEST_WORDS: usize = 4;

/// The texts in quotation marks in the code of a file, without its tests and comments.
fn texts(code: &str) -> Vec<String> {
    let code = code.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with("//") && !line.starts_with("#[") && !line.starts_with("reason =")
    });
    let code = lines.collect::<Vec<_>>().join("\n").replace("'\"'", "");
    let (mut found, mut text) = (Vec::new(), None::<String>);
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        match (character, &mut text) {
            ('"', None) => text = Some(String::new()),
            ('"', Some(_)) => found.extend(text.take()),
            ('\\', Some(text)) => match characters.next() {
                Some('\n') => text.push('\n'),
                Some(escaped) => text.push(escaped),
                None => {}
            },
            (_, Some(text)) => text.push(character),
            (_, None) => {}
        }
    }
    // A continued line begins after its indentation.
    let joined = |text: String| text.split('\n').map(str::trim_start).collect::<String>();
    found.into_iter().map(joined).collect()
}

/// The longest part of a text between its placeholders and quoted options.
fn stem(text: &str) -> String {
    let without = text.replace("{{", "").replace("}}", "");
    let parts =
        without
            .split(['{', '`'])
            .enumerate()
            .map(|(index, part)| match part.split_once('}') {
                Some((_, rest)) if index > 0 => rest,
                _ => part,
            });
    let longest = parts.max_by_key(|part| part.len()).unwrap_or_default();
    let trimmed = longest.trim_matches([' ', ':', ';', ',', '(', ')']);
    trimmed.to_owned()
}

#[test]
fn every_sentence_of_a_failure_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/troubleshooting.md")).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut checked, mut missing) = (0, Vec::new());
    for file in FILES {
        let code = fs::read_to_string(root.join("src").join(file)).unwrap();
        for text in texts(&code) {
            let stem = stem(&text);
            if stem.split(' ').count() < FEWEST_WORDS || NO_SENTENCES.contains(&&*stem) {
                continue;
            }
            checked += 1;
            if !page.contains(&stem) {
                missing.push(format!("{file}: {stem}"));
            }
        }
    }
    assert!(checked > 80, "only {checked} sentences were found");
    assert_eq!(
        missing,
        [] as [String; 0],
        "explain them in docs/troubleshooting.md"
    );
}

#[test]
fn stems_are_found_in_code() {
    let code = "/// \"a comment\"\nfn f() { g(\"one {two} three four\"); h('\"', \"five \\\n      six `--seven` eight\") }\n#[cfg(test)] \"a test\"";
    let texts = texts(code);
    assert_eq!(texts, ["one {two} three four", "five six `--seven` eight"]);
    assert_eq!(stem(&texts[0]), "three four");
    assert_eq!(
        stem("{prefix}{event} before anything was received"),
        "before anything was received"
    );
}

//! Usage errors: one line on standard error, nothing on standard output, exit status 2.

use super::{Server, refused};

/// The line on standard error.
fn line(words: &[&str]) -> String {
    let output = refused(words);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words:?}: {stderr}");
    assert_eq!(output.stdout, b"", "{words:?}");
    assert_eq!(stderr.lines().count(), 1, "{words:?}: {stderr}");
    stderr
}

#[test]
fn a_taken_port_names_the_remedy() {
    let server = Server::start(&["127.0.0.1:0"]);
    let taken = server.address.to_string();
    let text = line(&[&taken]);
    assert!(
        text.contains(&taken) && text.contains("in use by another program"),
        "{text}"
    );
    let everywhere = Server::start(&["0"]);
    let text = line(&[&everywhere.address.port().to_string()]);
    assert!(text.contains("in use by another program"), "{text}");
}

#[test]
fn an_address_of_another_host_is_refused() {
    // RFC 5737 reserves 192.0.2.0/24 for documentation.
    let text = line(&["192.0.2.1:0"]);
    assert!(
        text.contains("192.0.2.1:0") && text.contains("no such address"),
        "{text}"
    );
}

#[test]
fn invalid_listen_addresses_are_refused() {
    for word in [
        "65536",
        "http",
        "",
        "localhost:8989",
        "127.0.0.1",
        "::1:8989",
        "127.0.0.1:",
        ":8989",
        "８０８９",
    ] {
        line(&[word]);
    }
}

#[test]
fn invalid_option_values_are_refused() {
    for (option, value) in [
        ("--greeting", r"\q"),
        ("--reply", r"\x4"),
        ("--encoding", "klingon"),
        ("--delay", "abc"),
        ("--delay", "-1"),
        ("--delay", "601"),
        ("--backlog", "-1"),
        ("--backlog", "many"),
        ("--backlog", "2147483648"),
        ("--close", "slam"),
    ] {
        let text = line(&["127.0.0.1:0", option, value]);
        assert!(text.contains(option), "{text}");
    }
    let text = line(&["127.0.0.1:0", "--encoding", "windows-1252", "--reply", "你"]);
    assert!(
        text.contains("--reply") && text.contains("windows-1252"),
        "{text}"
    );
}

#[test]
fn conflicting_options_are_refused() {
    line(&["127.0.0.1:0", "--echo", "--reply", "x"]);
    line(&["127.0.0.1:0", "--once", "--close", "never-accept"]);
}

#[test]
fn a_repeated_option_is_a_usage_error() {
    let output = refused(&["127.0.0.1:0", "--reply", "a", "--reply", "b"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("--reply")
    );
}

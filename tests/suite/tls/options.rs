//! Options of TLS: invalid values and contradictions on the command line, in the configuration and
//! in JSON lines. Nothing is sent.

use std::io::Write;
use std::process::Stdio;

use super::openssl::{Certificates, TlsServer};
use crate::config::ConfigFile;
use crate::program::{check, finish, program, run};
use crate::scripted_peer::Peer;

const PIN: &str = "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2+Pr8/s=";

#[test]
fn invalid_options_are_refused_and_nothing_is_sent() {
    let peer = Peer::greeting(b"x");
    let port = peer.port();
    let long = "a".repeat(300);
    let pinned = format!("{PIN},x");
    let without_tls = "requires TLS: give `--tls` or `--starttls`";
    for (words, text) in [
        // Without TLS.
        (&["--sni", "www.example.org"][..], without_tls),
        (&["--alpn", "h2"], without_tls),
        (&["--ca-file", "/nonexistent"], without_tls),
        (&["--client-cert", "/nonexistent"], without_tls),
        (&["--client-key", "/nonexistent"], without_tls),
        (&["--pin-sha256", PIN], without_tls),
        (&["--tls-min", "1.3"], without_tls),
        (&["--tls-report-only"], without_tls),
        (&["--tls-legacy"], without_tls),
        (&["--expect-client-cert"], without_tls),
        (&["--tls-scan"], without_tls),
        (
            &["-o", "tls.days_left"],
            "--output: `tls.days_left` requires TLS",
        ),
        (&["-o", "time.tls"], "--output: `time.tls` requires TLS"),
        (&["--service", "ssh", "--sni", "a.example"], without_tls),
        // Values.
        (
            &["--tls", "--sni", "192.0.2.7"],
            "--sni: `192.0.2.7` is an address",
        ),
        (&["--tls", "--sni", "::1"], "--sni: `::1` is an address"),
        (&["--tls", "--sni", "*.example.org"], "is a wildcard"),
        (&["--tls", "--sni", "bücher.example"], "`xn--...`"),
        (&["--tls", "--sni", "a.example:443"], "without a port"),
        (&["--tls", "--sni", "a..example"], "is not a host name"),
        (&["--tls", "--sni", "a\nb\u{202e}"], "`a\\nb\\u{202e}`"),
        (&["--tls", "--sni", &long], "is not a host name"),
        (
            &["--tls", "--sni", "a", "--sni", "b"],
            "cannot be given more than once",
        ),
        (&["--tls", "--tls"], "cannot be given more than once"),
        (
            &["--tls", "--alpn", "h 2"],
            "--alpn: `h 2` is not a list of application protocols",
        ),
        (&["--tls", "--alpn", &long], "--alpn"),
        (
            &["--tls", "--pin-sha256", "x"],
            "--pin-sha256: `x` is not the SHA-256 digest",
        ),
        (
            &["--tls", "--pin-sha256", &pinned],
            "is not the SHA-256 digest",
        ),
        (
            &["--tls", "--pin-sha256", PIN, "--pin-sha256", "-x"],
            "`-x` is not",
        ),
        (
            &["--tls", "--tls-min", "1.4"],
            "use `1.0`, `1.1`, `1.2` or `1.3`",
        ),
        (
            &["--tls", "--tls-min", "SSLv3"],
            "--tls-min: unknown value `SSLv3`",
        ),
        (&["--starttls", "smpt"], "did you mean `smtp`?"),
        (&["--starttls", "http"], "no STARTTLS is known for `http`"),
        (&["--starttls", "a\u{1b}[31m"], "\\x1b"),
        // Contradictions.
        (
            &["--tls", "--starttls", "smtp"],
            "--starttls: cannot be combined with `--tls`",
        ),
        (
            &["--tls", "--pin-sha256", PIN, "--tls-report-only"],
            "--pin-sha256: cannot be combined with `--tls-report-only`",
        ),
        (
            &["--tls", "--pin-sha256", PIN, "--ca-file", "/x.pem"],
            "--pin-sha256: cannot be combined with `--ca-file`",
        ),
        (
            &["--tls", "--client-key", "/x.key"],
            "--client-key: requires `--client-cert`",
        ),
        (
            &["--tls", "--expect-client-cert", "--client-cert", "/x.pem"],
            "--expect-client-cert: cannot be combined with `--client-cert`",
        ),
        (
            &["--tls", "--tls-min", "1.0"],
            "--tls-min: TLSv1.0 requires `--tls-legacy`",
        ),
        (
            &["--tls", "--expect-closed"],
            "--expect-closed: cannot be combined with `--tls`",
        ),
        (
            &["--service", "smtp_starttls", "--tls"],
            "starts TLS itself",
        ),
    ] {
        check(&[&["127.0.0.1", &port][..], words].concat()).refuses(text);
        let target = format!("127.0.0.1:{port}");
        if !words.contains(&"-o") {
            run(&[&["batch", &target][..], words].concat()).refuses(text);
        }
    }
    for (words, text) in [
        (&["--sni", "a.example"][..], without_tls),
        (&["--tls", "--sni", "::1"], "is an address"),
        (&["--tls", "--pin-sha256", "x"], "--pin-sha256"),
    ] {
        run(&[&["discover", "open", "127.0.0.1", &port][..], words].concat()).refuses(text);
    }
    assert_eq!(peer.accepted(), 0, "something was sent");
}

#[test]
fn an_empty_option_is_not_given() {
    let peer = Peer::greeting(b"x");
    let words = [
        "127.0.0.1",
        &peer.port(),
        "--starttls=",
        "--sni=",
        "--alpn=",
        "--ca-file=",
        "--client-cert=",
        "--client-key=",
        "--pin-sha256=",
        "--tls-min=",
    ];
    check(&words).prints("1", 0);
}

/// A service with these lines, and a target with these.
fn config(service: &str, target: &str) -> ConfigFile {
    ConfigFile::new(format!(
        "[services.mine]\nport = 1\n{service}\n\
         [[targets]]\nhost = \"127.0.0.1\"\nservice = \"mine\"\n{target}\n"
    ))
}

#[test]
fn mistakes_in_the_configuration_name_file_line_and_key() {
    for (service, target, texts) in [
        (
            "tls = 1",
            "",
            &["services.mine.tls: must be true, false or a table, not an integer"][..],
        ),
        (
            "tls = \"yes\"",
            "",
            &["services.mine.tls: must be true, false or a table"],
        ),
        (
            "sni = \"a.example\"",
            "",
            &["3: services.mine.sni: requires TLS: add `tls = true`"],
        ),
        (
            "",
            "sni = \"a.example\"",
            &["targets[1].sni: requires TLS: add `tls = true`"],
        ),
        (
            "expect_cert = \"/x.pem\"",
            "",
            &["services.mine.expect_cert: requires TLS"],
        ),
        (
            "tls = { sni = \"192.0.2.7\" }",
            "",
            &["services.mine.tls.sni: is an address"],
        ),
        (
            "tls = { snii = \"a\" }",
            "",
            &["services.mine.tls.snii: unknown key: did you mean `sni`?"],
        ),
        (
            "tls = { tls_min = \"1.2\" }",
            "",
            &["services.mine.tls.tls_min: unknown key: valid keys are"],
        ),
        (
            "tls = { min = 1.4 }",
            "",
            &["services.mine.tls.min: unknown value: use `1.0`"],
        ),
        (
            "tls = { min = 1.1 }",
            "",
            &["services.mine.tls.min: TLSv1.1 requires `tls_legacy`"],
        ),
        (
            "tls = { report_only = 1 }",
            "",
            &["services.mine.tls.report_only: must be true or false"],
        ),
        (
            "tls = { pin_sha256 = [1] }",
            "",
            &["services.mine.tls.pin_sha256[1]: must be a text"],
        ),
        (
            "tls = { pin_sha256 = [\"x\"] }",
            "",
            &["services.mine.tls.pin_sha256[1]: is not the SHA-256"],
        ),
        (
            "tls = { alpn = [\"h2\", \"a b\"] }",
            "",
            &["services.mine.tls.alpn[2]: is not a list"],
        ),
        (
            "tls = { min = 1.3 }\ntls_min = 1.2",
            "",
            &["services.mine.tls.min: is also given as `tls_min`"],
        ),
        (
            "tls = true\nstarttls = \"smtp\"",
            "",
            &["services.mine.tls: cannot be combined with `starttls`"],
        ),
        (
            "tls = false\nsni = \"a.example\"",
            "",
            &["services.mine.tls: is false, but there are options of TLS"],
        ),
        (
            "starttls = \"smpt\"",
            "",
            &["services.mine.starttls: no STARTTLS is known for `smpt`: did you mean `smtp`?"],
        ),
        (
            "tls = { client_key = \"/x.key\" }",
            "",
            &["services.mine.tls.client_key: requires `client_cert`"],
        ),
        (
            &format!("tls = {{ report_only = true, pin_sha256 = \"{PIN}\" }}"),
            "",
            &[
                "services.mine.tls.pin_sha256: cannot be combined with `services.mine.tls.report_only`",
            ],
        ),
        (
            &format!("tls = {{ pin_sha256 = \"{PIN}\" }}"),
            "tls_report_only = true",
            &["pin_sha256: cannot be combined with `targets[1].tls_report_only`"],
        ),
    ] {
        let config = config(service, target);
        let ran = config.run(&["services", "--check"]);
        assert_eq!(ran.code, Some(2), "{service} {target}: {}", ran.out);
        for text in texts {
            assert!(
                ran.err.contains(text),
                "{service}: {} lacks {text}",
                ran.err
            );
            assert!(ran.err.contains("config.toml:"), "{}", ran.err);
        }
        assert!(
            !ran.err.contains("AwsTG"),
            "a value of a file is shown: {}",
            ran.err
        );
    }
}

#[test]
fn valid_configurations_are_accepted() {
    for (service, target) in [
        ("tls = true", "tls = false"),
        ("tls = {}", ""),
        (
            "tls = { sni = \"A.example.\", alpn = \"h2,http/1.1\", min = \"TLSv1.3\" }",
            "tls_scan = true",
        ),
        (
            "tls = { min = 1.0, legacy = true, report_only = true }",
            "tls_report_only = false",
        ),
        (
            &format!(
                "tls = true\npin_sha256 = [\"{PIN}\", \"{}\"]",
                "0".repeat(64)
            ),
            "",
        ),
        (
            "starttls = \"smtp\"\nsteps = [{ send = \"NOOP\\r\\n\" }, { expect = \"250\" }]",
            "",
        ),
        ("", "starttls = \"imap\"\ntls_min = 1.3"),
        ("tls = { expect_client_cert = true }", ""),
    ] {
        let ran = config(service, target).run(&["services", "--check"]);
        assert_eq!(
            (ran.err.as_str(), ran.code),
            ("", Some(0)),
            "{service} {target}"
        );
    }
}

#[test]
fn defaults_start_tls_only_where_nothing_else_says_how_to_talk() {
    let peer = Peer::greeting(b"SSH-2.0-x\r\n");
    let port = peer.port();
    let checked = |defaults: &str, words: &[&str]| {
        let config = ConfigFile::new(format!("[defaults]\n{defaults}\n"));
        let ran =
            config.run(&[&["check", "127.0.0.1", &port, "-o", "status_name"], words].concat());
        assert_eq!(ran.err, "");
        ran.out.trim_end().to_owned()
    };
    // Options start nothing.
    assert_eq!(checked("tls = { min = 1.3 }", &[]), "ok");
    assert_eq!(checked("sni = \"a.example\"\ntls_scan = true", &[]), "ok");
    assert_eq!(checked("tls = true", &[]), "tls_failed");
    // A service defines whether it uses TLS.
    assert_eq!(checked("tls = true", &["--service", "ssh"]), "ok");
    assert_eq!(
        checked("tls = true", &["--expect-closed"]),
        "unexpectedly_open"
    );
    assert_eq!(checked("tls_min = 1.3", &["--tls"]), "tls_failed");
}

#[test]
fn json_lines_have_the_same_options() {
    let batch = |line: &str| {
        let mut child = program()
            .args(["batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    for (options, text) in [
        (r#""sni":"a.example""#, "-:1: sni: requires TLS"),
        (
            r#""tls":{"sni":"::1"}"#,
            "-:1: tls.sni: `::1` is an address",
        ),
        (r#""tls":{"x":1}"#, "-:1: tls.x: unknown key"),
        (
            r#""tls":null,"tls_scan":true"#,
            "-:1: tls_scan: requires TLS",
        ),
        (r#""tls":[]"#, "-:1: tls: must be true, false or a table"),
        (
            r#""starttls":"x\u0000y""#,
            "-:1: starttls: no STARTTLS is known for `x\\x00y`",
        ),
        (
            r#""tls":true,"pin_sha256":["x"]"#,
            "-:1: pin_sha256[1]: `x` is not the SHA-256",
        ),
    ] {
        let error = batch(&format!(
            "{{\"host\":\"127.0.0.1\",\"port\":1,{options}}}\n"
        ));
        assert!(error.contains(text), "{options}: {error} lacks {text}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

/// Whoever writes an item key chooses the files, and must not learn what they contain or whether
/// they exist.
#[test]
fn files_that_are_named_are_not_disclosed() {
    let config = ConfigFile::new("");
    let file = |name: &str, text: &str| config.beside(name, text, 0o640).display().to_string();
    let secret = "DBPassword=hunter2\n";
    let present = file("server.conf", secret);
    let absent = present.replace("server.conf", "absent.conf");
    let empty = file("empty.conf", "");
    let open = config
        .beside("open.conf", secret, 0o666)
        .display()
        .to_string();
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n";
    let key = file("key.conf", key);
    let certificates = Certificates::new();
    certificates.make("web", &["-newkey", "rsa:2048"]);
    let server = TlsServer::openssl(&certificates, "web", &[]);
    let port = server.port.to_string();
    let said = |option: &str, path: &str| {
        let ran = finish(program().args([
            "check",
            "127.0.0.1",
            &port,
            "--tls",
            option,
            path,
            "-o",
            "error",
            "-t",
            "5",
        ]));
        let text = format!("{}{}", ran.out, ran.err);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            !text.contains("hunter2") && !text.contains("DBPassword"),
            "{text}"
        );
        assert!(!text.contains("MC4CAQ"), "{text}");
        let text = text.replace(&port, "PORT").replace(path, "FILE");
        (text, ran.code)
    };
    for option in ["--ca-file", "--client-cert"] {
        let unusable = said(option, &absent);
        assert!(
            unusable.0.contains("this file cannot be used"),
            "{unusable:?}"
        );
        for path in [&present, &empty, &open, &key] {
            assert_eq!(said(option, path), unusable, "{option} {path}");
        }
        for path in ["/dev/zero", "/proc/self/environ", "/", "/etc"] {
            assert_eq!(said(option, path), unusable, "{option} {path}");
        }
    }
}

#[test]
fn files_that_cannot_be_used_are_found_by_the_check_of_the_configuration() {
    for (tls, key) in [
        ("ca_file = \"/nonexistent.pem\"", "ca_file"),
        ("expect_cert = \"/nonexistent.pem\"", "expect_cert"),
        ("client_cert = \"/nonexistent.pem\"", "client_cert"),
    ] {
        // A pinned key replaces the trusted issuer of the service.
        for target in ["", &format!("pin_sha256 = \"sha256//{PIN}\"")] {
            let ran = config(&format!("tls = {{ {tls} }}"), target).run(&["services", "--check"]);
            assert_eq!(ran.code, Some(2), "{tls}");
            let expected = format!("services.mine.tls.{key}: ");
            assert!(ran.err.contains(&expected), "{tls}: {}", ran.err);
        }
    }
    for (tls, text) in [
        ("ca_file = 1", "services.mine.tls.ca_file: "),
        ("expect_cert = 1", "services.mine.tls.expect_cert: "),
        ("sni = 1", "services.mine.tls.sni: "),
        (
            "pin_sha256 = []",
            "services.mine.tls.pin_sha256: has no digest",
        ),
        (
            "pin_sha256 = [\"\"]",
            "services.mine.tls.pin_sha256: has no digest",
        ),
        (
            "pin_sha256 = \",\"",
            "services.mine.tls.pin_sha256: has no digest",
        ),
    ] {
        let ran = config(&format!("tls = {{ {tls} }}"), "").run(&["services", "--check"]);
        assert_eq!(ran.code, Some(2), "{tls}");
        assert!(ran.err.contains(text), "{tls}: {}", ran.err);
    }
    for pins in [",", " "] {
        check(&["127.0.0.1", "1", "--tls", "--pin-sha256", pins]).refuses("--pin-sha256: ");
    }
}

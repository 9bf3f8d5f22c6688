//! Secrets of a service are sent, and redacted in every output, also when the peer sends them back.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::config::ConfigFile;
use crate::program::{Ran, finish, program};
use crate::scripted_peer::Peer;

const PASSWORD: &str = "Tr0ub4dor&3";
/// The addresses for which the services of these tests may be used.
const HOSTS: &str = "hosts = [\"127.0.0.1:1-65535\"]";
const TOKEN: &str = "zh-密码-4711";

/// `auth` sends a secret from a file and an inline one and expects an echo; `deaf` never matches.
fn config(encoding: &str) -> ConfigFile {
    let config = ConfigFile::new("");
    let path = config
        .beside("password", format!("{PASSWORD}\n"), 0o640)
        .display()
        .to_string();
    let service = |name: &str, last: &str| {
        format!(
            "[services.{name}]\nport = 7\nhosts = [\"127.0.0.1:1-65535\"]\nencoding = \"{encoding}\"\nquit = \"BYE ${{password}}\"\n\
             secrets = {{ password = {{ file = \"{path}\" }}, token = \"{TOKEN}\" }}\nsteps = [\n\
             {{ send = \"AUTH ${{password}} ${{token}}\\r\\n\" }},\n{last}\n]\n"
        )
    };
    let text = service(
        "auth",
        "{ expect_regex = '(?s)AUTH (?<said>.*?)\\r\\n(?<bytes>\\x00)?' },",
    ) + &service("deaf", "{ expect = \"never\", reject = \"nor this\" },")
        + &service("early", "{ expect = \"AUTH \" },")
        + &service("refused", "{ expect = \"x\", reject_regex = \"AUTH .*\" },");
    config.beside("config.toml", text, 0o640);
    config
}

/// A peer that echoes what it receives, in pieces that end at these offsets, and reports it.
fn echo(cuts: &'static [usize]) -> (Peer, Receiver<Vec<u8>>) {
    let (sender, received) = channel();
    let peer = Peer::start(move |mut stream: TcpStream| {
        stream.set_nodelay(true).unwrap();
        let mut buffer = [0; 1024];
        let length = stream.read(&mut buffer).unwrap();
        let (mut start, said) = (0, buffer[..length].to_vec());
        for end in cuts
            .iter()
            .copied()
            .filter(|cut| *cut < length)
            .chain([length])
        {
            let _ = stream.write_all(&said[start..end]);
            start = end;
            // A pause, so that each piece is a segment of its own.
            thread::sleep(Duration::from_millis(8));
        }
        let _ = sender.send(said);
        let _ = stream.read(&mut buffer);
    });
    (peer, received)
}

/// Every form in which a secret could be shown: plain, in GBK, in hex, escaped, and parts of each.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let gbk = encoding_rs::GBK.encode(secret).0.into_owned();
    let mut forms = Vec::new();
    for bytes in [secret.as_bytes(), &gbk] {
        for part in [
            &bytes[1..],
            &bytes[..bytes.len() - 1],
            &bytes[..4],
            &bytes[bytes.len() - 4..],
        ] {
            let hex = |join: &str| {
                part.iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<Vec<_>>()
                    .join(join)
            };
            let escaped: String = part.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            forms.extend([
                part.to_vec(),
                hex("").into(),
                hex(" ").into(),
                hex(":").into(),
                escaped.into(),
            ]);
        }
    }
    forms
}

#[track_caller]
fn silent(what: &str, bytes: &[u8]) {
    for form in [PASSWORD, TOKEN].into_iter().flat_map(forms) {
        let found = bytes.windows(form.len()).any(|window| window == form);
        assert!(
            !found,
            "{what} shows {:?}:\n{}",
            String::from_utf8_lossy(&form),
            String::from_utf8_lossy(bytes)
        );
    }
}

/// Asserts that the output of a run shows no secret.
#[track_caller]
fn hides(words: &[&str], ran: &Ran) {
    // The number of a port may contain a part of a secret.
    let port = words.iter().find(|word| word.parse::<u16>().is_ok());
    let without_port =
        |text: &str| port.map_or(text.to_owned(), |port| text.replace(*port, "PORT"));
    silent(&format!("{words:?}"), without_port(&ran.out).as_bytes());
    silent(
        &format!("{words:?} on standard error"),
        without_port(&ran.err).as_bytes(),
    );
}

const OUTPUTS: [&[&str]; 8] = [
    &["-o", "json"],
    &["-o", "text"],
    &["-o", "text", "-v"],
    &["-o", "error"],
    &["-o", "response.text"],
    &["-o", "response.hex"],
    &["-o", "up"],
    &["-o", "status"],
];

#[test]
fn secrets_in_the_reply_are_redacted_in_every_output() {
    for encoding in ["utf-8", "gbk"] {
        let config = config(encoding);
        let sent = format!("AUTH {PASSWORD} {TOKEN}\r\n");
        let sent = encoding_rs::Encoding::for_label(encoding.as_bytes())
            .unwrap()
            .encode(&sent)
            .0
            .into_owned();
        // Not split, split within one secret, within the other, byte by byte, and at their edges.
        let all: &[&[usize]] = &[
            &[],
            &[9],
            &[11, 21],
            &[6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            &[5, 16, 17, 20, 22],
        ];
        let cases: Vec<_> = all
            .iter()
            .flat_map(|cuts| ["auth", "early", "refused", "deaf"].map(|service| (*cuts, service)))
            .collect();
        // Most of them wait for the deadline or between the pieces of the reply.
        thread::scope(|scope| {
            for cases in cases.chunks(cases.len().div_ceil(5)) {
                let (config, sent) = (&config, &sent);
                scope.spawn(move || {
                    for (cuts, service) in cases {
                        every_output_hides_secrets(config, service, cuts, sent);
                    }
                });
            }
        });
    }
}

/// A peer that sends back what it received, in these pieces: no output shows a secret.
fn every_output_hides_secrets(
    config: &ConfigFile,
    service: &str,
    cuts: &'static [usize],
    sent: &[u8],
) {
    let (peer, heard) = echo(cuts);
    let port = peer.port();
    // The outputs that show most are enough where cases differ little.
    let most = |output: &&&[&str]| output.len() == 3 || output[1] == "json";
    let few = cuts.len() > 1 || service == "deaf";
    for output in OUTPUTS.iter().filter(|output| !few || most(output)) {
        let arguments = [
            &["check", "127.0.0.1", &port, "-s", service, "-t", "0.3"],
            *output,
        ]
        .concat();
        let ran = config.run(&arguments);
        assert!(
            ran.code == Some(0) || ran.code == Some(1),
            "{arguments:?} {}",
            ran.err
        );
        assert_eq!(heard.recv().unwrap(), sent, "the peer got something else");
        hides(&arguments, &ran);
    }
}

#[test]
fn secrets_are_redacted_in_captures_and_binary_replies() {
    for encoding in ["utf-8", "gbk"] {
        let config = config(encoding);
        let (peer, _heard) = echo(&[]);
        let check = |output: &str| {
            config.run(&[
                "check",
                "127.0.0.1",
                &peer.port(),
                "-s",
                "auth",
                "-o",
                output,
            ])
        };
        check("captures.said").prints("*** ***", 0);
        let document = check("json").document();
        assert_eq!(document["captures"]["said"], "*** ***", "{document}");
        assert_eq!(document["response"]["text"], "AUTH *** ***", "{document}");
        let binary = Peer::start(|mut stream: TcpStream| {
            let mut buffer = [0; 1024];
            let length = stream.read(&mut buffer).unwrap();
            let _ = stream.write_all(&[&buffer[..length], b"\0\x01\xff"].concat());
            let _ = stream.read(&mut buffer);
        });
        let words = [
            "check",
            "127.0.0.1",
            &binary.port(),
            "-s",
            "auth",
            "-o",
            "response.hex",
        ];
        let ran = config.run(&words);
        hides(&words, &ran);
        assert!(
            ran.out.starts_with("41555448202a2a2a202a2a2a0d0a00"),
            "{}",
            ran.out
        );
    }
}

#[test]
fn secrets_are_redacted_in_stateful_encodings() {
    // In ISO-2022-JP the bytes of a text depend on the text before it.
    let label = "iso-2022-jp";
    let encode = |text: &str| {
        encoding_rs::Encoding::for_label(label.as_bytes())
            .unwrap()
            .encode(text)
            .0
            .into_owned()
    };
    let config = ConfigFile::new(format!(
        "[services.x]\nhosts = [\"127.0.0.1:1-65535\"]\nencoding = \"{label}\"\nsecrets.p = \"秘密\"\nsteps = [{{ send = \"${{p}}\" }}, {{ expect_prefix = \"never\" }}]\n"
    ));
    // Two bytes each, between the escape sequences.
    let bytes = encode("秘密")[3..7].to_vec();
    let hex = |join: &str| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .join(join)
    };
    for end in [&b""[..], b"\x01"] {
        let said = [&encode("語は秘密です"), end].concat();
        let peer = Peer::start(move |mut stream: TcpStream| {
            let _ = stream.write_all(&said);
            let _ = stream.read(&mut [0; 1024]);
        });
        for output in OUTPUTS {
            let ran =
                config.run(&[&["check", "127.0.0.1", &peer.port(), "-s", "x"], output].concat());
            let shown = ran.out + &ran.err;
            for form in ["秘", "密", &hex(""), &hex(" ")] {
                assert!(!shown.contains(form), "{output:?} shows {form}: {shown}");
            }
            assert!(
                output[1] != "error" || shown.contains("語は***です"),
                "{shown}"
            );
        }
    }
}

#[test]
fn secrets_are_not_in_arguments_or_environment() {
    let config = config("utf-8");
    let (sender, received) = channel();
    let (go, wait) = channel::<()>();
    let peer = Peer::start(move |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = sender.send(());
        let _ = wait.recv_timeout(Duration::from_secs(5));
    });
    let mut command = program();
    command.args([
        "check",
        "127.0.0.1",
        &peer.port(),
        "-s",
        "auth",
        "-t",
        "5",
        "--config",
        &config.path(),
    ]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    received.recv_timeout(Duration::from_secs(5)).unwrap();
    for name in ["cmdline", "environ", "comm", "status"] {
        let bytes = fs::read(format!("/proc/{}/{name}", child.id())).unwrap();
        assert!(
            name != "cmdline" || bytes.windows(4).any(|part| part == b"auth"),
            "this is not its command line"
        );
        silent(name, &bytes);
    }
    go.send(()).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(1));
}

#[test]
fn services_output_shows_only_the_names_of_secrets() {
    let config = config("gbk");
    for words in [
        &["services"][..],
        &["services", "auth"],
        &["services", "-o", "json"],
        &["services", "auth", "-o", "json"],
    ] {
        hides(words, &config.run(words));
    }
    assert!(
        config
            .run(&["services", "auth"])
            .out
            .contains("`AUTH ${password} ${token}\\r\\n`")
    );
    config
        .run(&["services", "--check"])
        .prints("ok: 4 services, 0 target entries", 0);
}

#[cfg(debug_assertions)]
#[test]
fn a_panic_does_not_show_secrets() {
    let config = config("utf-8");
    let (peer, _heard) = echo(&[]);
    let (port, path) = (peer.port(), config.path());
    for output in OUTPUTS {
        let words = [
            &["check", "127.0.0.1", &port, "-s", "auth", "--config", &path],
            output,
        ]
        .concat();
        let ran = finish(
            program()
                .args(&words)
                .env("ZBX_TCP_TEST_PANIC", "1")
                .env("RUST_BACKTRACE", "full"),
        );
        hides(&words, &ran);
        assert_eq!(ran.code, Some(1), "{words:?} {}", ran.err);
    }
}

/// Asserts that `services --check` and a check refuse a file with this text after `[services.a]`.
#[track_caller]
fn refused(config: &ConfigFile, section: &str, mode: u32, text: &str) {
    config.beside(
        "config.toml",
        format!("[services.a]\n{section}\n{HOSTS}\n"),
        mode,
    );
    let checked = config.run(&["services", "--check"]);
    assert!(
        checked.code == Some(2) && checked.err.contains(text),
        "{:?} lacks {text:?}",
        checked.err
    );
    hides(&["services", "--check"], &checked);
    let peer = Peer::greeting(b"");
    let ran = config.run(&[
        "check",
        "127.0.0.1",
        &peer.port(),
        "-s",
        "a",
        "-o",
        "text",
        "-v",
    ]);
    ran.refuses("config.toml:");
    hides(&["check"], &ran);
    peer.has_no_connection();
}

#[test]
fn configuration_errors_do_not_quote_secrets() {
    let config = ConfigFile::new("");
    for (section, text) in [
        (format!("secrets = {{ password = {PASSWORD} }}"), ":2: "),
        (
            format!("secrets = {{ password = \"{PASSWORD}\" \"{TOKEN}\" }}"),
            ":2: ",
        ),
        (format!("secrets = {{ password = \"{PASSWORD}"), ":2: "),
        (
            format!("secrets = {{ password = \"{PASSWORD}\\q\" }}"),
            ":2: ",
        ),
        (
            format!("secrets = {{ password = [\"{PASSWORD}\"] }}"),
            ":2: services.a.secrets.password: must be a text, or a table",
        ),
        (
            format!("secrets = {{ password = {{ fil = \"{PASSWORD}\" }} }}"),
            "password.fil: unknown key: did you mean `file`?",
        ),
        (
            format!("secrets = \"{PASSWORD}\""),
            ":2: services.a.secrets: must be a table, not a string",
        ),
        (
            format!("secret = \"{PASSWORD}\""),
            ":2: services.a.secret: unknown key: did you mean `secrets`?",
        ),
        (
            format!("secrets.password = \"{PASSWORD}\"\nport = \"{TOKEN}\""),
            ":3: services.a.port: is not a number",
        ),
        (
            format!(
                "encoding = \"latin1\"\nsecrets.token = \"{TOKEN}\"\nsteps = [{{ send = \"${{token}}\" }}]"
            ),
            ":4: services.a.steps[1].send: the secret `token` has a character that windows-1252 cannot encode",
        ),
        (
            format!("secrets.token = \"{TOKEN}\"\nsteps = [{{ send = \"${{tokem}}\" }}]"),
            ":3: services.a.steps[1].send: no earlier step captures `tokem`",
        ),
        (
            "secrets.token = \"\"".to_owned(),
            ":2: services.a.secrets.token: is empty",
        ),
    ] {
        refused(&config, &section, 0o640, text);
    }
}

#[test]
fn secret_files_that_others_can_read_are_refused() {
    let config = ConfigFile::new("");
    let inline = format!("secrets.password = \"{PASSWORD}\"");
    for mode in [0o644, 0o604] {
        refused(
            &config,
            &inline,
            mode,
            ":2: services.a.secrets.password: a secret in a world-readable file",
        );
    }
    let named = |name: &str| {
        format!(
            "secrets.password.file = \"{}\"",
            config.beside("x", "", 0o640).with_file_name(name).display()
        )
    };
    config.beside("open", PASSWORD, 0o644);
    refused(
        &config,
        &named("open"),
        0o644,
        ":2: services.a.secrets.password: the file is world-readable: `chmod 640` it",
    );
    // A file that contains only the path of the secret may be readable by everybody.
    config.beside("closed", PASSWORD, 0o600);
    config.beside(
        "config.toml",
        format!("[services.a]\n{HOSTS}\n{}\n", named("closed")),
        0o644,
    );
    config
        .run(&["services", "--check"])
        .prints("ok: 1 service, 0 target entries", 0);
}

#[test]
fn secret_files_are_bounded_in_size() {
    let config = ConfigFile::new("");
    let named = |name: &str| {
        format!(
            "secrets.p.file = \"{}\"",
            config.beside("x", "", 0o640).with_file_name(name).display()
        )
    };
    for (name, text, why) in [
        ("empty", "", "the file is empty"),
        ("blank", "\r\n\n", "the file is empty"),
        (
            "large",
            &"p".repeat((64 << 10) + 1),
            "large: is larger than 65536 bytes",
        ),
    ] {
        config.beside(name, text, 0o600);
        refused(
            &config,
            &named(name),
            0o644,
            &format!(
                ":2: services.a.secrets.p: {}",
                if name == "large" { "" } else { why }
            ),
        );
        refused(&config, &named(name), 0o644, why);
    }
    refused(
        &config,
        &named("absent"),
        0o644,
        "absent: this file cannot be used",
    );
    refused(
        &config,
        "secrets.p.file = \"/\"",
        0o644,
        ":2: services.a.secrets.p: /: this file cannot be used",
    );
    refused(
        &config,
        "secrets.p.file = \"/dev/zero\"",
        0o644,
        "/dev/zero: this file cannot be used",
    );
    config.beside("full", "p".repeat(64 << 10), 0o600);
    config.beside(
        "config.toml",
        format!("[services.a]\n{HOSTS}\n{}\n", named("full")),
        0o644,
    );
    config
        .run(&["services", "--check"])
        .prints("ok: 1 service, 0 target entries", 0);
}

#[test]
fn parts_of_a_secret_in_the_reply_are_redacted() {
    let config = config("utf-8");
    // From the middle, at the end of the text, and at its start.
    for said in [
        "x 0ub4d y",
        "the end is Tr0ub4",
        "dor&3 is the end",
        "-码-471-",
    ] {
        let peer = Peer::start(move |mut stream: TcpStream| {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(format!("AUTH {said}\r\n").as_bytes());
            let _ = stream.read(&mut [0; 1024]);
        });
        let port = peer.port();
        for (service, output) in [
            ("deaf", &["-o", "error"][..]),
            ("deaf", &["-o", "text", "-v"]),
            ("deaf", &["-o", "response.text"]),
            ("refused", &["-o", "json"]),
            ("auth", &["-o", "captures.said"]),
        ] {
            let words = ["check", "127.0.0.1", &port, "-s", service, "-t", "0.3"];
            let ran = config.run(&[&words, output].concat());
            assert!(
                ran.code == Some(0) || ran.code == Some(1),
                "{service} {}",
                ran.err
            );
            hides(output, &ran);
        }
    }
}

#[test]
fn a_caller_cannot_choose_whom_a_service_with_secrets_trusts() {
    let config = ConfigFile::new("");
    let peer = Peer::greeting(b"hello\r\n");
    let port = peer.port();
    let service = |more: &str| {
        format!(
            "[services.a]\nport = {port}\n{HOSTS}\nsecrets.p = \"{PASSWORD}\"\n{more}\nsteps = [{{ send = \"${{p}}\" }}]\n"
        )
    };
    let pin = "00".repeat(32);
    let weaker = [
        ("--sni", "other.example"),
        ("--ca-file", "other.pem"),
        ("--pin-sha256", &pin),
        ("--client-cert", "other.pem"),
        ("--tls-min", "1.3"),
        ("--starttls", "smtp"),
    ];
    for tls in ["tls = true", "tls = { sni = \"good.example\" }", ""] {
        config.beside("config.toml", service(tls), 0o640);
        for (option, value) in weaker {
            config
                .run(&["check", "127.0.0.1", "-s", "a", option, value])
                .refuses(&format!(
                    "{option}: cannot be given for service `a`, because it has secrets: write `{}` into the service",
                    option.trim_start_matches('-').replace('-', "_")
                ));
        }
        for option in ["--tls-report-only", "--tls-legacy"] {
            let expected = format!("{option}: service `a` has secrets, which are sent only to");
            config
                .run(&["check", "127.0.0.1", "-s", "a", option])
                .refuses(&expected);
            let line = format!("127.0.0.1:{port}");
            config
                .run(&["batch", &line, "-s", "a", option])
                .refuses(&expected);
        }
    }
    for (more, key) in [
        ("tls = { report_only = true }", "report_only"),
        ("tls = { legacy = true }", "legacy"),
        ("tls = true\ntls_legacy = true", "tls_legacy"),
        (
            "extends = \"https\"\ntls_report_only = true",
            "tls_report_only",
        ),
    ] {
        config.beside("config.toml", service(more), 0o640);
        let checked = config.run(&["services", "--check"]);
        assert_eq!(checked.code, Some(2), "{more}");
        let expected = format!("{key}: service `a` has secrets, which are sent only to");
        assert!(checked.err.contains(&expected), "{more}: {}", checked.err);
        let ran = config.run(&["check", "127.0.0.1", "-s", "a"]);
        ran.refuses(&expected);
    }
    let target = |more: &str| {
        format!("[[targets]]\nhost = \"127.0.0.1\"\nport = {port}\nservice = \"a\"\n{more}\n")
    };
    for (more, expected) in [
        (
            "tls_report_only = true",
            "tls_report_only: service `a` has secrets",
        ),
        (
            "tls = false",
            "tls: service `a` has secrets, and sends them only within TLS",
        ),
    ] {
        let text = service("tls = true") + &target(more);
        config.beside("config.toml", text, 0o640);
        config.run(&["batch"]).reports(expected, 1);
    }
    peer.has_no_connection();
}

#[test]
fn neither_defaults_nor_a_base_excuse_the_server_of_a_service_with_secrets() {
    let config = ConfigFile::new("");
    for more in [
        "tls = true",
        "extends = \"https\"",
        "steps = [{ expect = \"x\" }, { starttls = true }, { send = \"${p}\" }]",
    ] {
        let peer = Peer::greeting(b"x");
        let port = peer.port();
        let steps = if more.contains("steps") {
            ""
        } else {
            "steps = [{ send = \"${p}\" }]"
        };
        let text = format!(
            "[defaults]\ntls_report_only = true\ntls_legacy = true\ntls_min = \"1.0\"\n[services.a]\nport = {port}\n{HOSTS}\nsecrets.p = \"{PASSWORD}\"\n{more}\n{steps}\n"
        );
        config.beside("config.toml", text, 0o640);
        // An old version requires the option that does not apply.
        config
            .run(&["check", "127.0.0.1", "-s", "a"])
            .refuses("TLSv1.0 requires");
        peer.has_no_connection();
    }
}

#[test]
fn only_the_steps_of_a_service_send_its_secrets() {
    let config = ConfigFile::new("");
    let peer = Peer::greeting(b"hello\r\n");
    let port = peer.port();
    let service = format!(
        "[services.a]\nport = {port}\n{HOSTS}\nsecrets.p = \"{PASSWORD}\"\nsteps = [{{ expect = \"hello\" }}]\n"
    );
    let target = format!(
        "[[targets]]\nhost = \"127.0.0.1\"\nport = {port}\nservice = \"a\"\nsteps = [{{ send = \"${{p}}\" }}]\n"
    );
    config.beside("config.toml", service.clone(), 0o640);
    for option in ["--send", "--quit"] {
        let words = ["check", "127.0.0.1", "-s", "a", option, "${p}"];
        let ran = config.run(&words);
        ran.refuses(&format!(
            "{option}: the secret `p` can be sent only by the steps and the `quit` of its service"
        ));
    }
    // Another service has no such secret.
    config
        .run(&["check", "127.0.0.1", "-s", "ssh", "--send", "${p}"])
        .refuses("--send: no earlier step captures `p`");
    let line = format!("127.0.0.1:{port}/a");
    config
        .run(&["batch", &line, "--send", "${p}"])
        .refuses("--send: no earlier step captures `p`");
    config
        .run(&["batch", &line, "-s", "a", "--send", "${p}"])
        .refuses(
            "--send: the secret `p` can be sent only by the steps and the `quit` of its service",
        );
    config.beside("config.toml", service + &target, 0o640);
    config.run(&["batch"]).reports(
        "targets[1].steps[1].send: the secret `p` can be sent only by the steps",
        1,
    );
    peer.has_no_connection();
}

//! nginx.

use std::process::Command;

use crate::certificates::Certificates;
use crate::program::check;
use crate::server::{Home, Server, free_port, installed};
use crate::trial::{PROBES, Trial};

/// nginx with one page and a log of every request.
fn nginx() -> Option<(Server, u16)> {
    nginx_in(Home::new(), "")
}

/// nginx with these further parameters of its listener.
fn nginx_in(home: Home, listen: &str) -> Option<(Server, u16)> {
    nginx_with(home, |port| {
        format!(
            "server {{ listen 127.0.0.1:{port}{listen}; location / {{ return 200 'well\\n'; }} }}"
        )
    })
}

/// nginx with these virtual servers.
fn nginx_with(home: Home, servers: impl FnOnce(u16) -> String) -> Option<(Server, u16)> {
    if !installed("/usr/sbin/nginx", "nginx-light") {
        return None;
    }
    let port = free_port();
    let conf = home.write(
        "conf",
        &format!(
            "daemon off; master_process off; pid {pid}; error_log {log} info; events {{}} http {{ access_log {log};
             client_body_temp_path {t}; proxy_temp_path {t}; fastcgi_temp_path {t}; uwsgi_temp_path {t}; scgi_temp_path {t};
             {servers} }}",
            servers = servers(port),
            pid = home.path("pid"),
            log = home.path("log"),
            t = home.path("tmp"),
        ),
    );
    let mut command = Command::new("/usr/sbin/nginx");
    command.args(["-e", &home.path("log"), "-c", &conf]);
    Some((Server::start(home, &[port], &mut command), port))
}

#[test]
fn nginx_answers_head() {
    let Some((mut server, port)) = nginx() else {
        return;
    };
    let trial = Trial::run("http_head", "nginx", port);
    assert_eq!(
        (trial.captured("code"), trial.captured("reason")),
        ("200", "OK")
    );
    assert!(trial.captured("server").starts_with("nginx/"));
    let request = "\"HEAD / HTTP/1.0\" 200";
    trial.log(
        &server.log_with(request, PROBES),
        request,
        &["prematurely closed", "reset by peer", "[error]", "[warn]"],
    );
    server.stop();
    trial.stopped("HEAD / HTTP/1.0 200");
}

#[test]
fn nginx_answers_over_tls() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let home = Home::new();
    let (certificate, key) = certificates.install(&home);
    let tls = format!(" ssl; ssl_certificate {certificate}; ssl_certificate_key {key}");
    let Some((mut server, port)) = nginx_in(home, &tls) else {
        return;
    };
    let request = "\"HEAD / HTTP/1.0\" 200";
    let complaints = [
        "prematurely closed",
        "reset by peer",
        "[error]",
        "[warn]",
        "ssl_do_handshake",
    ];
    let mut trials = Vec::new();
    for service in ["https", "https_head"] {
        let before = server.log().matches(request).count();
        let trial = Trial::with(service, "nginx", port, &certificates.trusted());
        trial.verified();
        assert_eq!(trial.captured("code"), "200");
        trial.log(
            &server.log_with(request, before + PROBES),
            request,
            &complaints,
        );
        trials.push(trial);
    }
    let before = server.log();
    let handshake = Trial::with("tls", "nginx", port, &certificates.trusted());
    handshake.verified();
    handshake.log(&before, "", &complaints);
    trials.push(handshake);
    server.stop();
    for trial in trials {
        trial.stopped("HEAD / HTTP/1.0 200");
    }
}

#[test]
fn nginx_logs_nothing_of_a_plain_connect() {
    let Some((mut server, port)) = nginx() else {
        return;
    };
    let trials = ["http", "tcp"].map(|service| Trial::run(service, "nginx", port));
    let log = server.log();
    assert!(
        !log.contains("reset by peer") && !log.contains("[error]"),
        "{log}"
    );
    server.stop();
    for trial in trials {
        trial.stopped("nothing");
    }
}

#[test]
fn nginx_reply_is_matched() {
    let Some((server, port)) = nginx() else {
        return;
    };
    let number = port.to_string();
    check(&["127.0.0.1", &number]).prints("1", 0);
    let request = r"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
    let arguments = [
        "127.0.0.1",
        &number,
        "--send",
        request,
        "--expect",
        "200 OK",
        "--expect",
        r"well\n",
        "-o",
        "json",
    ];
    let document = check(&arguments).document();
    assert_eq!(
        (document["up"].as_u64(), document["step"].as_u64()),
        (Some(1), Some(3)),
        "{document}"
    );
    let wrong = check(&[
        "127.0.0.1",
        &number,
        "--send",
        request,
        "--expect",
        "ill",
        "-o",
        "json",
    ])
    .document();
    assert_eq!(wrong["status_name"], "mismatch", "{wrong}");
    assert!(!server.log().contains("reset by peer"), "{}", server.log());
}

/// `return 444` accepts, reads the request and closes without an answer. Many set it for the requests
/// that name none of their hosts.
#[test]
fn nginx_that_answers_only_its_own_host() {
    let servers = |port| {
        format!(
            "server {{ listen 127.0.0.1:{port} default_server; return 444; }}
             server {{ listen 127.0.0.1:{port}; server_name localhost; return 200; }}"
        )
    };
    let Some((mut server, port)) = nginx_with(Home::new(), servers) else {
        return;
    };
    let number = port.to_string();
    let head = |host| check(&[host, &number, "-4", "-s", "http_head", "-o", "json"]).document();
    let known = head("localhost");
    assert_eq!(
        (&known["status"], &known["captures"]["code"]),
        (&0.into(), &"200".into()),
        "{known}"
    );
    let unknown = head("127.0.0.1");
    assert_eq!(unknown["status_name"], "closed", "{unknown}");
    let error = unknown["error"].as_str().unwrap();
    assert!(error.contains("the peer closed the connection"), "{error}");
    assert!(unknown["time"]["connect"].is_f64(), "{unknown}");
    // It accepts, and says nothing before a request.
    check(&["127.0.0.1", &number]).prints("1", 0);
    check(&["127.0.0.1", &number, "--expect-silence", "300ms"]).prints("1", 0);
    let request = r"GET / HTTP/1.0\r\n\r\n";
    let silence = ["--expect-silence", "300ms", "-o", "status"];
    check(&[&["127.0.0.1", &number, "--send", request][..], &silence].concat()).prints("7", 1);
    let log = server.log_with("\" 444 ", 2);
    assert_eq!(log.matches("\"HEAD / HTTP/1.0\" 444 ").count(), 1, "{log}");
    assert!(!log.contains("reset by peer"), "{log}");
    server.stop();
}

/// As old as OpenSSL allows: without a version, suite and key that the handshake accepts.
#[test]
fn an_old_nginx_is_described_and_can_be_pinned() {
    if !installed("/usr/bin/openssl", "openssl") {
        return;
    }
    let (ecdhe, rsa) = ("ECDHE_RSA", "RSA");
    for (version, ciphers, name, exchange, group, is_old) in [
        ("TLSv1", "ALL", "TLSv1.0", ecdhe, Some("X25519"), true),
        ("TLSv1", "AES128-SHA", "TLSv1.0", rsa, None, true),
        ("TLSv1.1", "ALL", "TLSv1.1", ecdhe, Some("X25519"), true),
        ("TLSv1.2", "AES128-SHA", "TLSv1.2", rsa, None, false),
        (
            "TLSv1.2",
            "DHE-RSA-AES128-SHA",
            "TLSv1.2",
            "DHE_RSA",
            Some("DH-1024"),
            false,
        ),
    ] {
        let home = Home::new();
        home.run(
            "/usr/bin/openssl",
            "req -x509 -newkey rsa:1024 -sha1 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout key -out crt",
        );
        home.run("/usr/bin/openssl", "x509 -in crt -pubkey -noout -out pub");
        home.run(
            "/usr/bin/openssl",
            "pkey -pubin -in pub -outform der -out der",
        );
        home.run("/usr/bin/openssl", "dgst -sha256 -r -out digest der");
        if group == Some("DH-1024") {
            home.run("/usr/bin/openssl", "dhparam -out dh 1024");
        }
        let digest = std::fs::read_to_string(home.path("digest")).unwrap();
        let digest = digest.split(' ').next().unwrap().to_owned();
        let dh = if group == Some("DH-1024") {
            format!("ssl_dhparam {};", home.path("dh"))
        } else {
            String::new()
        };
        let (certificate, key) = (home.path("crt"), home.path("key"));
        let Some((mut server, port)) = nginx_with(home, |port| {
            format!(
                "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
                 ssl_protocols {version}; ssl_ciphers {ciphers}:@SECLEVEL=0; {dh}
                 location / {{ return 200 'well\\n'; }} }}"
            )
        }) else {
            return;
        };
        let port = port.to_string();
        let words = [
            "127.0.0.1",
            &port,
            "--tls",
            "--pin-sha256",
            &digest,
            "-o",
            "json",
        ];
        let tried = |more: &[&str]| check(&[&words, more].concat()).document();
        let document = tried(&[]);
        assert_eq!(document["status_name"], "tls_failed", "{document}");
        for (document, is_up) in [(document, false), (tried(&["--tls-legacy"]), true)] {
            assert_eq!(document["up"] == 1, is_up, "{document}");
            let tls = &document["tls"];
            assert_eq!((&tls["how"], &tls["proved"]), (&"hello".into(), &0.into()));
            assert_eq!(tls["version"], name, "{document}");
            let cipher = tls["cipher"].as_str().unwrap();
            assert!(
                cipher.starts_with(&format!("TLS_{exchange}_WITH_")),
                "{cipher}"
            );
            assert_eq!(tls["group"].as_str(), group, "{document}");
            assert_eq!(tls["key"], "RSA-1024");
            assert_eq!(tls["signature"], "sha1WithRSAEncryption");
            let mut faults = vec!["weak_key", "weak_signature"];
            faults.extend(is_old.then_some("old_version"));
            assert_eq!(tls["faults"], serde_json::json!(faults), "{document}");
        }
        let other = tried(&["--tls-legacy", "--pin-sha256", &"0".repeat(64)]);
        assert_eq!(
            other["status_name"], "ok",
            "one of several pins is enough: {other}"
        );
        server.stop();
        let log = server.log();
        for complaint in ["[error]", "[warn]", "[crit]", "[alert]", "[emerg]"] {
            assert!(!log.contains(complaint), "{log}");
        }
    }
}

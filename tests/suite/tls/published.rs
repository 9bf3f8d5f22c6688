//! What the program prints of TLS servers, in each output format.

use serde_json::Value;

use super::openssl::{Certificates, NAME, TlsServer, text};
use crate::config::ConfigFile;
use crate::program::{check, run};
use crate::scripted_peer::closed_port;

/// A server with a self-signed certificate for 30 days.
fn server() -> (Certificates, TlsServer) {
    let certificates = Certificates::new();
    certificates.make("web", &["-newkey", "rsa:2048"]);
    let server = TlsServer::openssl(&certificates, "web", &["-alpn", "h2"]);
    (certificates, server)
}

#[test]
fn each_option_changes_what_is_verified() {
    let (certificates, server) = server();
    let port = server.port.to_string();
    let checked = |words: &[&str], output: &str| {
        let target = ["127.0.0.1", &port, "-t", "5", "-o", output];
        let ran = check(&[&target[..], words].concat());
        assert_eq!(ran.err, "", "{words:?}");
        ran.out.trim_end().to_owned()
    };
    let status = |words: &[&str]| checked(words, "status_name");
    let pem = certificates.path("web.pem");
    let ca = text(&pem);
    let trusted = ["--tls", "--sni", NAME, "--ca-file", ca];
    let with = |words: &[&'static str]| [&trusted[..], words].concat();
    assert_eq!(status(&trusted), "ok");
    assert_eq!(status(&["--tls", "--ca-file", ca]), "tls_untrusted");
    assert_eq!(status(&["--tls", "--sni", NAME]), "tls_untrusted");
    assert_eq!(status(&["--tls", "--tls-report-only"]), "ok");
    assert_eq!(
        checked(&["--tls", "--tls-report-only"], "tls.verified"),
        "0"
    );
    let faults = checked(&["--tls", "--tls-report-only"], "tls.faults");
    assert_eq!(faults, "name_mismatch,self_signed");
    // A name with a final dot and in upper case is the same name.
    let upper = format!("{}.", NAME.to_uppercase());
    assert_eq!(status(&["--tls", "--sni", &upper, "--ca-file", ca]), "ok");
    // A pin that was printed is accepted, in both forms; another key is not.
    let pin = checked(&trusted, "tls.spki_sha256");
    let pinned = |pin: &str| status(&["--tls", "--sni", NAME, "--pin-sha256", pin]);
    assert_eq!(pinned(&pin), "ok");
    assert_eq!(pinned(&format!("sha256//{pin}")), "ok");
    assert_eq!(pinned(&format!("{},{pin}", "0".repeat(64))), "ok");
    assert_eq!(pinned(&"0".repeat(64)), "tls_untrusted");
    // Beside a service that only reports, a pin is verified all the same.
    let of_service =
        |words: &[&str]| status(&[&["-s", "https", "--sni", NAME, "--send", "x"], words].concat());
    assert_eq!(of_service(&[]), "ok");
    assert_eq!(of_service(&["--tls"]), "tls_untrusted");
    assert_eq!(
        of_service(&["--pin-sha256", &"0".repeat(64)]),
        "tls_untrusted"
    );
    assert_eq!(of_service(&["--tls", "--tls-report-only"]), "ok");
    assert_eq!(checked(&with(&["--alpn", "h2"]), "tls.alpn"), "h2");
    assert_eq!(checked(&trusted, "tls.alpn"), "");
    assert_eq!(
        checked(&with(&["--tls-min", "1.3"]), "tls.version"),
        "TLSv1.3"
    );
    assert_eq!(status(&with(&["--expect-client-cert"])), "tls_failed");
    assert_eq!(checked(&with(&["--tls-scan"]), "tls.oldest"), "TLSv1.2");
    let days: f64 = checked(&trusted, "tls.days_left").parse().unwrap();
    assert!((29.9..=30.0).contains(&days), "{days}");
}

#[test]
fn a_metric_that_was_not_measured_has_the_reason() {
    let port = closed_port().to_string();
    let printed = |path: &str| check(&["127.0.0.1", &port, "--tls", "-o", path]).out;
    assert!(printed("tls.days_left").starts_with("refused: connect to 127.0.0.1:"));
    assert!(printed("tls.verified").starts_with("refused: "));
    assert_eq!(printed("tls.subject"), "\n");
    assert_eq!(printed("tls.faults"), "\n");
    assert_eq!(printed("time.tls"), "0\n");
}

#[test]
fn batches_and_discovery_speak_tls() {
    let (certificates, server) = server();
    let target = format!("127.0.0.1:{}", server.port);
    let dead = closed_port();
    let pem = certificates.path("web.pem");
    let trusted = ["--tls", "--sni", NAME, "--ca-file", text(&pem)];
    let batch = |words: &[&str]| run(&[&["batch", &target][..], &trusted, words].concat());
    let document: Value = serde_json::from_str(&batch(&[]).out).unwrap();
    assert_eq!(
        document["targets"][&target]["tls"]["verified"], 1,
        "{document}"
    );
    assert!(document["targets"][&target]["tls"]["chain"].is_array());
    let document: Value = serde_json::from_str(&batch(&["--compact"]).out).unwrap();
    assert!(document["targets"][&target]["tls"].get("chain").is_none());
    assert!(document["targets"][&target]["tls"]["days_left"].is_f64());
    let lines = batch(&[
        "-o",
        "sender",
        "--metrics",
        "tls.verified,tls.faults,tls.names",
    ])
    .out;
    let values: Vec<_> = lines
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(values, ["1", "\"\"", &format!("\"{NAME}\"")]);
    let table = batch(&["-o", "text"]).out;
    assert!(table.contains("  certificate for "), "{table}");

    // A port keeps its row when its certificate is not trusted.
    let rows = |words: &[&str]| {
        let ports = format!("{},{dead}", server.port);
        let ran = run(&[&["discover", "open", "127.0.0.1", &ports][..], words].concat());
        assert_eq!(ran.err, "");
        let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
        rows.len()
    };
    assert_eq!(rows(&trusted), 1);
    assert_eq!(rows(&["--tls"]), 1);
    let plain = crate::scripted_peer::Peer::greeting(b"220 plain\r\n");
    let ran = run(&["discover", "open", "127.0.0.1", &plain.port(), "--tls"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("[]\n", ""));
}

#[test]
fn the_configuration_has_the_same_options() {
    let (certificates, server) = server();
    let pem = certificates.path("web.pem");
    let (port, ca) = (server.port, text(&pem));
    let served = std::fs::read(&pem).unwrap();
    let status = |service: &str, words: &[&str]| {
        let config = ConfigFile::new(format!("[services.mine]\nport = {port}\n{service}\n"));
        config.beside("other.pem", &served, 0o644);
        let path = config.path();
        let service = [
            "check",
            "127.0.0.1",
            "-s",
            "mine",
            "-t",
            "5",
            "-o",
            "status_name",
        ];
        let ran = run(&[&service[..], &["--config", &path], words].concat());
        format!("{}{}", ran.out, ran.err).trim_end().to_owned()
    };
    let table = format!("sni = \"{NAME}\", ca_file = \"{ca}\"");
    assert_eq!(status(&format!("tls = {{ {table} }}"), &[]), "ok");
    let flat = format!("tls = true\nsni = \"{NAME}\"\nca_file = \"{ca}\"");
    assert_eq!(status(&flat, &[]), "ok");
    assert_eq!(status("tls = true", &[]), "tls_untrusted");
    assert_eq!(
        status("tls = true", &["--sni", NAME, "--ca-file", ca]),
        "ok"
    );
    assert_eq!(status("tls = { report_only = true }", &[]), "ok");
    assert_eq!(
        status("tls = { report_only = true }", &["--tls"]),
        "tls_untrusted"
    );
    assert_eq!(status("", &[]), "ok", "a connect");
    // The certificate on disk is the one that is served, or another one.
    let expected = format!("tls = {{ {table}, expect_cert = \"{ca}\" }}");
    assert_eq!(status(&expected, &[]), "ok");
    certificates.make("next", &["-newkey", "rsa:2048"]);
    let next = certificates.path("next.pem");
    let expected = format!("tls = {{ {table}, expect_cert = \"{}\" }}", text(&next));
    assert_eq!(status(&expected, &[]), "mismatch");
    let missing = format!("tls = {{ {table}, expect_cert = \"/nonexistent.pem\" }}");
    let error = status(&missing, &[]);
    assert!(error.contains("expect_cert"), "{error}");
}

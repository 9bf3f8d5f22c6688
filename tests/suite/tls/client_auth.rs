//! Client certificates: required, requested, accepted and refused. With TLS 1.3 the handshake of
//! the client has completed before the server refuses it, so each test is a race and is repeated.

use zbx_tcp::failure::Status;
use zbx_tcp::plan::steps::Step;
use zbx_tcp::report::Report;
use zbx_tcp::tls::options::{ClientCertificate, TlsOptions};

use super::server::{Certificates, Key, Server, has_openssl, new_key, runs};
use super::{assert_failed, assert_up, expect, facts, probe, send, spec};

struct Case {
    certificates: Certificates,
    server: Server,
}

const VERSIONS: [&str; 2] = ["-tls1_2", "-tls1_3"];

impl Case {
    fn start(options: &[&str]) -> Self {
        let certificates = Certificates::new(&[Key::P256]);
        let ca = certificates.ca_file().display().to_string();
        let options = [options, &["-CAfile", &ca]].concat();
        let server = Server::start(&certificates.of(Key::P256), &options);
        Self {
            certificates,
            server,
        }
    }

    fn options(&self) -> TlsOptions {
        TlsOptions {
            ca_file: Some(self.certificates.ca_file()),
            ..TlsOptions::default()
        }
    }

    fn with_certificate(&self, name: &str) -> TlsOptions {
        TlsOptions {
            client: Some(ClientCertificate {
                cert: self.certificates.path(&format!("{name}.pem")),
                key: self.certificates.path(&format!("{name}.key")),
            }),
            ..self.options()
        }
    }

    fn expecting_refusal(&self) -> TlsOptions {
        TlsOptions {
            expect_client_cert: true,
            ..self.options()
        }
    }

    fn probe(&self, options: TlsOptions, steps: Vec<Step>) -> Report {
        probe(spec(options, steps), self.server.port())
    }
}

fn dialogue() -> Vec<Step> {
    vec![send(b"abc\n"), expect("cba\n")]
}

#[test]
fn a_server_that_requires_a_certificate_is_never_up_without_one() {
    if !has_openssl() {
        return;
    }
    for version in VERSIONS {
        let case = Case::start(&[version, "-Verify", "1", "-verify_return_error"]);
        for run in 0..runs() {
            let steps = if run % 2 == 0 { Vec::new() } else { dialogue() };
            let report = case.probe(case.options(), steps);
            let text = "the server requires a client certificate (alert ";
            assert_failed(&report, Status::TlsFailed, text);
            assert_eq!(facts(&report).client_cert, Some(true), "{version} {run}");
            assert!(facts(&report).proved);
        }
    }
}

#[test]
fn a_required_certificate_is_found_when_it_is_expected() {
    if !has_openssl() {
        return;
    }
    for version in VERSIONS {
        let case = Case::start(&[version, "-Verify", "1", "-verify_return_error"]);
        for run in 0..runs() {
            // Steps are not run: the connection is refused before.
            let steps = if run % 2 == 0 { Vec::new() } else { dialogue() };
            let report = case.probe(case.expecting_refusal(), steps);
            assert_up(&report);
            assert_eq!(facts(&report).client_cert, Some(true), "{version} {run}");
            assert!(facts(&report).verification.as_ref().unwrap().is_verified());
        }
    }
}

#[test]
fn a_server_that_only_asks_is_up_and_is_not_one_that_requires() {
    if !has_openssl() {
        return;
    }
    for version in VERSIONS {
        let case = Case::start(&[version, "-verify", "1"]);
        for run in 0..runs() {
            let steps = if run % 2 == 0 { Vec::new() } else { dialogue() };
            let report = case.probe(case.options(), steps);
            assert_up(&report);
            assert_ne!(facts(&report).client_cert, Some(true), "{version} {run}");
            let report = case.probe(case.expecting_refusal(), dialogue());
            let text = "TLS handshake with PEER: the server requests a client certificate, but \
                        accepts connections without one";
            assert_failed(&report, Status::TlsFailed, text);
            assert_eq!(facts(&report).client_cert, Some(false));
        }
    }
}

#[test]
fn a_server_that_does_not_ask_does_not_require_a_certificate() {
    if !has_openssl() {
        return;
    }
    for version in VERSIONS {
        let case = Case::start(&[version]);
        let report = case.probe(case.expecting_refusal(), dialogue());
        let text = "TLS handshake with PEER: the server accepts connections without a client \
                    certificate, and does not request one";
        assert_failed(&report, Status::TlsFailed, text);
        assert_eq!(facts(&report).client_cert, Some(false));
    }
}

#[test]
fn an_accepted_certificate_is_shown_and_another_one_is_refused() {
    if !has_openssl() {
        return;
    }
    for version in VERSIONS {
        let case = Case::start(&[version, "-Verify", "1", "-verify_return_error"]);
        let others = Certificates::new(&[]);
        for name in ["client.pem", "client.key"] {
            let content = std::fs::read(others.path(name)).unwrap();
            case.certificates.write(&format!("foreign_{name}"), content);
        }
        for run in 0..runs() {
            let steps = if run % 2 == 0 { Vec::new() } else { dialogue() };
            let report = case.probe(case.with_certificate("client"), steps.clone());
            assert_up(&report);
            assert_eq!(facts(&report).client_cert, None, "{version} {run}");
            let report = case.probe(case.with_certificate("foreign_client"), steps);
            let text = "the server refuses our client certificate (alert unknown_ca): check its \
                        issuer and dates, and the log of the server";
            assert_failed(&report, Status::TlsFailed, text);
        }
    }
}

#[test]
fn keys_of_every_kind_can_be_shown() {
    if !has_openssl() {
        return;
    }
    for version in VERSIONS {
        let case = Case::start(&[version, "-Verify", "1", "-verify_return_error"]);
        for key in Key::ALL {
            case.certificates.issue("own", &new_key(key), |params| {
                params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
            });
            assert_up(&case.probe(case.with_certificate("own"), dialogue()));
        }
    }
}

#[test]
fn an_untrusted_server_is_that_first_and_does_not_see_our_certificate() {
    if !has_openssl() {
        return;
    }
    let others = Certificates::new(&[]);
    for version in VERSIONS {
        let case = Case::start(&[version, "-Verify", "1", "-verify_return_error"]);
        for options in [
            case.options(),
            case.expecting_refusal(),
            case.with_certificate("client"),
        ] {
            let options = TlsOptions {
                ca_file: Some(others.ca_file()),
                ..options
            };
            let report = case.probe(options, dialogue());
            assert_failed(&report, Status::TlsUntrusted, "TLS handshake with PEER: ");
            assert_eq!(facts(&report).client_cert, None);
        }
        // With --tls-report-only it is not refused, and refuses us.
        let options = TlsOptions {
            ca_file: Some(others.ca_file()),
            report_only: true,
            ..case.expecting_refusal()
        };
        assert_up(&case.probe(options, dialogue()));
    }
}

#[test]
fn a_server_without_tickets_that_asks_and_is_silent_is_not_up() {
    if !has_openssl() {
        return;
    }
    let case = Case::start(&["-tls1_3", "-verify", "1", "-num_tickets", "0"]);
    let mut silent = spec(case.options(), Vec::new());
    silent.timeout = std::time::Duration::from_millis(400);
    let report = probe(silent, case.server.port());
    assert_failed(&report, Status::TlsFailed, "");
    // An answer to something that we sent shows that we are accepted.
    assert_up(&case.probe(case.options(), dialogue()));
    let mut refused = spec(case.expecting_refusal(), Vec::new());
    refused.timeout = std::time::Duration::from_millis(400);
    let report = probe(refused, case.server.port());
    let text = "the server requested a client certificate, and has neither accepted nor refused this client without one";
    assert_failed(&report, Status::TlsFailed, text);
}

//! Names with several addresses that serve different certificates.

use std::fs;

use super::server::{Certificates, Key, Server, has_openssl, new_key};
use crate::private_etc::Etc;

/// A name whose first address serves a certificate that the CA has signed, and whose second one
/// serves another; `None` where the test cannot run.
struct Case {
    etc: Etc,
    certificates: Certificates,
    _servers: [Server; 2],
    port: String,
}

impl Case {
    fn start() -> Option<Self> {
        if !has_openssl() {
            return None;
        }
        let etc = Etc::new()?;
        fs::write(etc.path("hosts"), "127.0.0.1 web\n127.0.0.2 web\n").unwrap();
        let (certificates, others) = (Certificates::new(&[]), Certificates::new(&[]));
        for certificates in [&certificates, &others] {
            certificates.issue("web", &new_key(Key::P256), |params| {
                params.subject_alt_names = vec![rcgen::SanType::DnsName("web".try_into().unwrap())];
            });
        }
        let trusted = Server::start(&certificates.named("web"), &[]);
        let at = ("127.0.0.2", trusted.port());
        let untrusted = Server::start_at(at, &others.named("web"), &["-rev"]);
        Some(Self {
            etc,
            port: trusted.port().to_string(),
            _servers: [trusted, untrusted],
            certificates,
        })
    }

    fn document(&self, words: &[&str]) -> serde_json::Value {
        let ca = self.certificates.ca_file().display().to_string();
        let own = ["web", &self.port, "--tls", "--ca-file", &ca, "-o", "json"];
        self.etc.check(&[&own, words].concat()).document()
    }
}

/// It was the trusted one, so the certificate of another server was not reported.
#[test]
fn an_untrusted_address_is_reported_even_if_it_is_not_refused() {
    let Some(case) = Case::start() else { return };
    let only_reported = ["--addresses", "all", "--tls-report-only"];
    let document = case.document(&only_reported);
    assert_eq!(document["status_name"], "ok", "{document}");
    assert_eq!(document["address"], "127.0.0.2", "{document}");
    let tls = &document["tls"];
    assert_eq!((&tls["verified"], &tls["proved"]), (&0.into(), &1.into()));
    assert_eq!(tls["faults"], serde_json::json!(["unknown_issuer"]));
    let addresses = document["addresses"].as_array().unwrap();
    let digests: Vec<_> = addresses.iter().map(|one| &one["tls"]["sha256"]).collect();
    assert!(
        digests.iter().all(|digest| digest.is_string()),
        "{document}"
    );
    assert_ne!(digests[0], digests[1], "{document}");
    assert_eq!(digests[1], &tls["sha256"]);
    // A certificate that is refused decides as any other failure.
    let document = case.document(&["--addresses", "all"]);
    assert_eq!(document["status_name"], "tls_untrusted", "{document}");
    assert_eq!(document["address"], "127.0.0.2");
    // The first address that passes decides, and it is the one that is reported.
    for words in [&["--tls-report-only"][..], &[], &["--addresses", "first"]] {
        let document = case.document(words);
        assert_eq!(document["status_name"], "ok", "{document}");
        assert_eq!(document["address"], "127.0.0.1", "{document}");
        assert_eq!(document["tls"]["verified"], 1, "{document}");
    }
}

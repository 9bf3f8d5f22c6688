//! A `ClientHello` without cryptography, for peers with which a handshake cannot be completed. Up
//! to TLS 1.2 the answer of the server is not encrypted. It contains the version, the cipher suite,
//! the key exchange group, the certificates, and whether the server requests a client certificate.
//! Nothing of it is authenticated.
//!
//! ```text
//! layer           one hello on a connection, as a layer
//! client_hello    what is sent
//! messages        bytes of the server -> messages, within limits
//! server_answer   messages -> the version, suite, group and certificates of the server
//! names           of the cipher suites and groups of old servers
//! ```
//!
//! [`inspection`] plans the connections: one that reads what the handshake could not, and those of
//! `--tls-scan`.

pub mod client_hello;
mod fields;
pub mod layer;
pub mod messages;
pub mod names;
pub mod server_answer;

use std::sync::Arc;

use crate::failure::Status;
use crate::plan::layer::{Inspected, Inspection, SharedLayer};
use crate::tls::hello::layer::{HelloLayer, HelloPurpose};
use crate::tls::options::TlsOptions;
use crate::tls::provider;
use crate::tls_facts::{FactSource, TlsFacts, TlsVersion};

/// The next connection that inspects the peer, if one is needed: first one that reads its
/// certificates, if the handshake has failed before it got any, then those of `--tls-scan`.
pub fn inspection(options: &TlsOptions, so_far: &Inspected<'_>) -> Option<Inspection> {
    let purpose = next_purpose(options, so_far)?;
    let oldest = so_far.facts.and_then(known_oldest);
    let mut layer = HelloLayer::new(options.clone(), purpose, oldest);
    if so_far.facts.is_some_and(is_current_choice) {
        layer = layer.after_current_choice();
    }
    Some(Inspection {
        layer: SharedLayer(Arc::new(layer)),
        decides: options.legacy && purpose.reads_certificates(),
    })
}

/// Whether the server has selected in a handshake what current software speaks: only its key can be
/// a reason to regard it as old.
fn is_current_choice(facts: &TlsFacts) -> bool {
    let is_offered = |name: &str| {
        let provider = provider::crypto_provider();
        let mut offered = provider.cipher_suites.iter();
        offered.any(|suite| provider::suite_name(suite.suite()).as_deref() == Some(name))
    };
    facts.how == FactSource::Handshake
        && facts.version >= Some(TlsVersion::Tls12)
        && facts.cipher.as_deref().is_some_and(is_offered)
}

/// The oldest version, as far as it is known.
fn known_oldest(facts: &TlsFacts) -> Option<TlsVersion> {
    let negotiated = facts
        .version
        .filter(|version| *version <= TlsVersion::Tls11);
    facts.oldest.or(negotiated)
}

/// The purpose of the next hello, by the number and the facts of the connections before it. The
/// status may be that of a deciding hello.
fn next_purpose(options: &TlsOptions, so_far: &Inspected<'_>) -> Option<HelloPurpose> {
    let nothing = TlsFacts::default();
    let facts = so_far.facts.unwrap_or(&nothing);
    let by_hello = facts.how == FactSource::Hello;
    let needs_hello = by_hello || (so_far.status == Status::TlsFailed && facts.chain.is_empty());
    let is_answered = facts.version.is_some() && (by_hello || !needs_hello);
    match so_far.inspections {
        0 if needs_hello => return Some(HelloPurpose::Facts),
        // In a scan, this replaces the hello for the preferred group.
        1 if needs_hello && !is_answered && options.legacy => return Some(HelloPurpose::OldFacts),
        _ => {}
    }
    if !options.scan || so_far.status.is_unknown() || !(is_answered || needs_hello) {
        return None;
    }
    let step = so_far.inspections.checked_sub(usize::from(needs_hello))?;
    if step == 0 {
        return Some(HelloPurpose::PreferredGroup);
    }
    if !is_answered && facts.pq.is_none() {
        return None;
    }
    next_version(facts, step)
}

/// The hello that finds the oldest version, after this many hellos of a scan. A server selects the
/// newest version that it shares with the client. So the first one offers all old versions, the next
/// ones, from the oldest up, the versions before the one that was selected.
fn next_version(facts: &TlsFacts, step: usize) -> Option<HelloPurpose> {
    use TlsVersion::{Ssl3, Tls10, Tls11, Tls12, Tls13};
    // An old server has selected one of the old versions already.
    let step = step + usize::from(facts.version.is_some_and(|version| version <= Tls11));
    let (up_to, otherwise) = match (step, known_oldest(facts)) {
        (1, None) => (Tls11, facts.version.filter(|version| *version == Tls12)),
        (2, None) if facts.version != Some(Tls12) => (Tls12, Some(Tls13)),
        (2, Some(Tls10 | Tls11)) => (Ssl3, None),
        (3, Some(Tls11)) => (Tls10, None),
        _ => return None,
    };
    Some(HelloPurpose::Oldest { up_to, otherwise })
}

#[cfg(test)]
mod tests {
    use TlsVersion::{Ssl3, Tls10, Tls11, Tls12, Tls13};

    use super::*;
    use crate::tls_facts::CertificateFacts;

    /// A server that answers to the hellos of these versions, and how it is inspected.
    struct Server {
        versions: &'static [TlsVersion],
        /// Whether it answers only to hellos without extensions.
        is_old: bool,
        pq: Option<bool>,
    }

    impl Server {
        /// The facts that a hello reads.
        fn answer(&self, purpose: HelloPurpose, oldest: Option<TlsVersion>) -> TlsFacts {
            let newest = purpose.form().newest();
            let offered = self.versions.iter().filter(|version| **version <= newest);
            let selected = offered.max().copied();
            let selected = selected.filter(|_| !self.is_old || newest <= Tls10);
            let mut facts = TlsFacts::default();
            match purpose {
                HelloPurpose::Facts | HelloPurpose::OldFacts => {
                    facts.how = FactSource::Hello;
                    facts.version = selected;
                    facts.chain = vec![CertificateFacts::default()];
                    if purpose == HelloPurpose::OldFacts {
                        facts.pq = Some(false);
                    }
                    if selected.is_none() {
                        facts = TlsFacts::default();
                    }
                }
                HelloPurpose::PreferredGroup => {
                    facts.pq = self.pq.filter(|_| selected.is_some());
                    facts.oldest = oldest;
                }
                HelloPurpose::Oldest { otherwise, .. } => {
                    facts.oldest = selected.or(otherwise).or(oldest);
                }
            }
            facts
        }

        /// All hellos after a connection that has ended like this, and what is known then.
        fn inspect(
            &self,
            options: &TlsOptions,
            status: Status,
            mut facts: TlsFacts,
        ) -> (Vec<HelloPurpose>, TlsFacts) {
            let mut purposes = Vec::new();
            while let Some(purpose) = next_purpose(
                options,
                &Inspected {
                    status,
                    facts: Some(&facts),
                    inspections: purposes.len(),
                },
            ) {
                purposes.push(purpose);
                facts.add(self.answer(purpose, known_oldest(&facts)));
                assert!(purposes.len() < 7, "{purposes:?}");
            }
            (purposes, facts)
        }
    }

    fn options(given: &str) -> TlsOptions {
        TlsOptions {
            legacy: given.contains("legacy"),
            scan: given.contains("scan"),
            ..TlsOptions::default()
        }
    }

    fn handshake(version: TlsVersion) -> TlsFacts {
        TlsFacts {
            version: Some(version),
            chain: vec![CertificateFacts::default()],
            ..TlsFacts::default()
        }
    }

    fn server(versions: &'static [TlsVersion]) -> Server {
        Server {
            versions,
            is_old: false,
            pq: Some(versions.contains(&Tls13)),
        }
    }

    #[test]
    fn certificates_are_read_once_and_only_after_a_handshake_without_any() {
        let old = server(&[Tls10]);
        let (purposes, facts) = old.inspect(&options(""), Status::TlsFailed, TlsFacts::default());
        assert_eq!(purposes, [HelloPurpose::Facts]);
        assert_eq!(facts.version, Some(Tls10));
        for status in [Status::Ok, Status::TlsUntrusted, Status::TlsFailed] {
            let (purposes, _) = old.inspect(&options("legacy"), status, handshake(Tls12));
            assert_eq!(purposes, [], "{status:?}");
        }
        let statuses = [
            Status::Refused,
            Status::LocalError,
            Status::TlsRefused,
            Status::Denied,
        ];
        for status in statuses {
            let (purposes, _) = old.inspect(&options("legacy scan"), status, TlsFacts::default());
            assert_eq!(purposes, [], "{status:?}");
        }
    }

    #[test]
    fn only_with_legacy_there_is_an_older_hello_and_a_decision() {
        let picky = Server {
            is_old: true,
            ..server(&[Ssl3, Tls10])
        };
        let failed = || TlsFacts::default();
        let (purposes, facts) = picky.inspect(&options(""), Status::TlsFailed, failed());
        assert_eq!((purposes, facts.version), (vec![HelloPurpose::Facts], None));
        let (purposes, facts) = picky.inspect(&options("legacy"), Status::TlsFailed, failed());
        assert_eq!(purposes, [HelloPurpose::Facts, HelloPurpose::OldFacts]);
        assert_eq!(facts.version, Some(Tls10));
        for (given, inspections, decides) in
            [("", 0, false), ("legacy", 0, true), ("legacy", 1, true)]
        {
            let so_far = Inspected {
                status: Status::TlsFailed,
                facts: None,
                inspections,
            };
            let inspection = inspection(&options(given), &so_far).unwrap();
            assert_eq!(inspection.decides, decides);
        }
        // The hello has decided.
        let facts = TlsFacts {
            how: FactSource::Hello,
            ..handshake(Tls10)
        };
        for status in [Status::Ok, Status::TlsUntrusted] {
            let so_far = Inspected {
                status,
                facts: Some(&facts),
                inspections: 1,
            };
            assert_eq!(next_purpose(&options("legacy"), &so_far), None);
            let scan = options("legacy scan");
            let purpose = HelloPurpose::PreferredGroup;
            assert_eq!(next_purpose(&scan, &so_far), Some(purpose));
            assert!(!inspection(&scan, &so_far).unwrap().decides);
        }
    }

    #[test]
    fn a_scan_finds_the_oldest_version_with_at_most_four_hellos() {
        let all: &[TlsVersion] = &[Ssl3, Tls10, Tls11, Tls12, Tls13];
        for set in 1_u8..32 {
            let versions: Vec<_> = (0..5)
                .filter(|bit| set & (1 << bit) != 0)
                .map(|bit| all[bit])
                .collect();
            let versions: &'static [_] = versions.leak();
            let newest = *versions.last().unwrap();
            let server = server(versions);
            for given in ["scan", "legacy scan"] {
                let (first, failed) = match newest {
                    Tls12 | Tls13 => ((Status::Ok, handshake(newest)), 0),
                    _ => ((Status::TlsFailed, TlsFacts::default()), 1),
                };
                let (purposes, facts) = server.inspect(&options(given), first.0, first.1);
                assert_eq!(facts.oldest, Some(versions[0]), "{versions:?} {purposes:?}");
                assert_eq!(facts.pq, server.pq);
                assert!(purposes.len() - failed <= 4, "{purposes:?}");
                for (number, purpose) in purposes.iter().enumerate() {
                    assert!(!purposes[..number].contains(purpose), "{purposes:?}");
                }
            }
        }
        let usual = server(&[Tls12, Tls13]);
        let (purposes, _) = usual.inspect(&options("scan"), Status::Ok, handshake(Tls13));
        assert_eq!(purposes.len(), 3);
    }

    #[test]
    fn a_scan_knows_a_server_that_only_speaks_without_extensions() {
        let picky = Server {
            is_old: true,
            pq: Some(false),
            ..server(&[Tls10])
        };
        let failed = TlsFacts::default();
        let (purposes, facts) = picky.inspect(&options("legacy scan"), Status::TlsFailed, failed);
        assert!(purposes.len() <= 5, "{purposes:?}");
        assert_eq!((facts.oldest, facts.pq), (Some(Tls10), Some(false)));
    }

    #[test]
    fn a_scan_of_a_peer_that_never_answers_ends() {
        let silent = server(&[]);
        for given in ["scan", "legacy scan"] {
            let (purposes, facts) =
                silent.inspect(&options(given), Status::TlsFailed, TlsFacts::default());
            assert_eq!(purposes.len(), 2, "{purposes:?}");
            assert_eq!((facts.oldest, facts.pq), (None, None));
        }
        // TLS 1.3 alone, with a key that the handshake cannot use.
        let (_, facts) =
            server(&[Tls13]).inspect(&options("scan"), Status::TlsFailed, TlsFacts::default());
        assert_eq!((facts.oldest, facts.pq), (Some(Tls13), Some(true)));
    }
}

//! A `ClientHello` without cryptography, for peers that a handshake cannot be completed with: up to
//! TLS 1.2 the answer of the server is readable. It has the version, the cipher suite, the key
//! exchange group, the certificates, and whether the server asks for a client certificate. Nothing
//! of it is authenticated.
//!
//! ```text
//! layer           one hello on a connection, as a layer
//! client_hello    what is sent
//! messages        bytes of the server -> messages, within limits
//! server_answer   messages -> what the server selected and presented
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
use crate::tls_facts::{FactSource, TlsFacts, TlsVersion};

/// The next connection that inspects the peer, if one is needed: first one that reads its
/// certificates, if the handshake has failed before it got any, then those of `--tls-scan`.
pub fn inspection(options: &TlsOptions, so_far: &Inspected<'_>) -> Option<Inspection> {
    let purpose = next_purpose(options, so_far)?;
    let oldest = so_far.facts.and_then(known_oldest);
    let layer = HelloLayer::new(options.clone(), purpose, oldest);
    Some(Inspection {
        layer: SharedLayer(Arc::new(layer)),
        decides: options.legacy && purpose.reads_certificates(),
    })
}

/// The oldest version, as far as it is known.
fn known_oldest(facts: &TlsFacts) -> Option<TlsVersion> {
    let negotiated = facts
        .version
        .filter(|version| *version <= TlsVersion::Tls11);
    facts.oldest.or(negotiated)
}

/// What the next hello is to find out. The connections before it are known by their number and by
/// their facts alone.
fn next_purpose(options: &TlsOptions, so_far: &Inspected<'_>) -> Option<HelloPurpose> {
    let nothing = TlsFacts::default();
    let facts = so_far.facts.unwrap_or(&nothing);
    let by_hello = facts.how == FactSource::Hello;
    let needs_facts = so_far.status == Status::TlsFailed && (by_hello || facts.chain.is_empty());
    let is_answered = facts.version.is_some() && (by_hello || !needs_facts);
    match so_far.inspections {
        0 if needs_facts => return Some(HelloPurpose::Facts),
        // In a scan this takes the place of the one for the preferred group.
        1 if needs_facts && !is_answered && options.legacy => return Some(HelloPurpose::OldFacts),
        _ => (),
    }
    if !options.scan || !(is_answered || needs_facts) {
        return None;
    }
    let step = so_far.inspections.checked_sub(usize::from(needs_facts))?;
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

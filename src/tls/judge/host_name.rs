//! Whether a certificate is for a host (RFC 9525).

use std::net::IpAddr;

use rustls::pki_types::{DnsName, ServerName};

use crate::address::Host;
use crate::tls::certificate::parsed::{ParsedCertificate, ServerIdentity};

/// Whether one of the names of a certificate is that of the host: a name matches a dNSName, an
/// address an iPAddress. The commonName is not a name. webpki must agree, where it can read the
/// certificate.
pub fn matches(
    host: &Host,
    certificate: &ParsedCertificate<'_>,
    leaf: Option<&webpki::EndEntityCert<'_>>,
) -> bool {
    let own = certificate
        .extensions
        .names
        .iter()
        .any(|identity| identity_matches(host, identity));
    let agrees = |leaf: &webpki::EndEntityCert<'_>| {
        server_name(host).is_some_and(|name| leaf.verify_is_valid_for_subject_name(&name).is_ok())
    };
    own && leaf.is_none_or(agrees)
}

fn server_name(host: &Host) -> Option<ServerName<'_>> {
    match host {
        Host::Name(name) => DnsName::try_from(name.relative())
            .ok()
            .map(ServerName::DnsName),
        Host::Address(address) => Some(ServerName::IpAddress((*address).into())),
        Host::Zoned(zoned) => Some(ServerName::IpAddress(IpAddr::from(zoned.address).into())),
    }
}

fn identity_matches(host: &Host, identity: ServerIdentity<'_>) -> bool {
    match (host, identity) {
        (Host::Name(name), ServerIdentity::Dns(pattern)) => {
            dns_matches(pattern, name.relative().as_bytes())
        }
        (Host::Address(address), ServerIdentity::Address(other)) => *address == other,
        (Host::Zoned(zoned), ServerIdentity::Address(other)) => other == zoned.address,
        _ => false,
    }
}

/// Whether a dNSName matches a name. `*` matches one label, and is allowed only as the whole first
/// label (RFC 9525, section 6.3).
fn dns_matches(pattern: &[u8], name: &[u8]) -> bool {
    let Some(parent) = pattern.strip_prefix(b"*.") else {
        return pattern.eq_ignore_ascii_case(name);
    };
    let dot = name.iter().position(|byte| *byte == b'.');
    dot.and_then(|dot| name.get(dot + 1..))
        .is_some_and(|rest| parent.eq_ignore_ascii_case(rest))
}

//! Whether a certificate is for a host (RFC 9525).

use std::net::IpAddr;

use rustls::pki_types::{DnsName, ServerName};

use crate::address::Host;
use crate::tls::certificate::parsed::{ParsedCertificate, ServerIdentity};

/// Whether one of the names of a certificate is that of the host: a name matches a dNSName, an
/// address an iPAddress; an IPv4-mapped address (RFC 4291, section 2.5.5.2) is also the IPv4 address
/// that is connected to. The commonName is not a name. webpki must agree, where it can read the
/// certificate.
pub fn matches(
    host: &Host,
    certificate: &ParsedCertificate<'_>,
    leaf: Option<&webpki::EndEntityCert<'_>>,
) -> bool {
    let canonical = match host {
        Host::Address(address) => Host::Address(address.to_canonical()),
        _ => return is_for(host, certificate, leaf),
    };
    is_for(host, certificate, leaf) || is_for(&canonical, certificate, leaf)
}

fn is_for(
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

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::CertificateDer;

    use super::*;

    #[test]
    fn a_mapped_address_is_its_ipv4_address() {
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "2001:db8::1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        let der: &CertificateDer<'_> = certificate.der();
        let parsed = ParsedCertificate::parse(der).unwrap();
        let leaf = webpki::EndEntityCert::try_from(der).unwrap();
        for (address, expected) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("::ffff:127.0.0.2", false),
            ("::127.0.0.1", false),
            ("2001:db8::1", true),
        ] {
            let host = Host::Address(address.parse().unwrap());
            assert_eq!(matches(&host, &parsed, Some(&leaf)), expected, "{address}");
        }
    }
}

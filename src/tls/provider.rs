//! The cryptography that TLS uses, and the names of what was negotiated.

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion};

use crate::tls_facts::TlsVersion;

/// The cryptography of all connections. Nothing else names the library that it is from.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ring::default_provider())))
}

/// The name of a cipher suite in the registry of IANA; `None` if rustls has none for it.
pub fn suite_name(suite: CipherSuite) -> Option<Box<str>> {
    let name = suite.as_str()?;
    // rustls marks the suites of TLS 1.3.
    Some(match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}").into(),
        None => name.into(),
    })
}

/// Whether a handshake offers this cipher suite.
pub fn offers_suite(suite: u16) -> bool {
    let provider = crypto_provider();
    let mut offered = provider.cipher_suites.iter();
    offered.any(|offered| u16::from(offered.suite()) == suite)
}

/// Whether a handshake offers this key exchange group.
pub fn offers_group(group: u16) -> bool {
    let provider = crypto_provider();
    let mut offered = provider.kx_groups.iter();
    offered.any(|offered| u16::from(offered.name()) == group)
}

/// The published name of a key exchange group, such as `P-256`.
pub fn group_name(group: NamedGroup) -> Box<str> {
    match group {
        NamedGroup::secp256r1 => "P-256".into(),
        NamedGroup::secp384r1 => "P-384".into(),
        NamedGroup::secp521r1 => "P-521".into(),
        NamedGroup::FFDHE2048 => "DH-2048".into(),
        NamedGroup::FFDHE3072 => "DH-3072".into(),
        NamedGroup::FFDHE4096 => "DH-4096".into(),
        NamedGroup::FFDHE6144 => "DH-6144".into(),
        NamedGroup::FFDHE8192 => "DH-8192".into(),
        group => match group.as_str() {
            Some(name) => name.into(),
            None => format!("group {:#06x}", u16::from(group)).into(),
        },
    }
}

/// A version of the protocol; `None` if it is unknown.
pub fn version(version: ProtocolVersion) -> Option<TlsVersion> {
    match version {
        ProtocolVersion::SSLv3 => Some(TlsVersion::Ssl3),
        ProtocolVersion::TLSv1_0 => Some(TlsVersion::Tls10),
        ProtocolVersion::TLSv1_1 => Some(TlsVersion::Tls11),
        ProtocolVersion::TLSv1_2 => Some(TlsVersion::Tls12),
        ProtocolVersion::TLSv1_3 => Some(TlsVersion::Tls13),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_iana() {
        let suite = suite_name(CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(suite.as_deref(), Some("TLS_AES_128_GCM_SHA256"));
        let suite = suite_name(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384);
        let name = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        assert_eq!(suite.as_deref(), Some(name));
        for suite in &crypto_provider().cipher_suites {
            let name = suite_name(suite.suite()).unwrap();
            assert!(name.starts_with("TLS_"), "{name}");
        }
        assert_eq!(&*group_name(NamedGroup::X25519), "X25519");
        assert_eq!(&*group_name(NamedGroup::X25519MLKEM768), "X25519MLKEM768");
        assert_eq!(&*group_name(NamedGroup::secp256r1), "P-256");
        assert_eq!(&*group_name(NamedGroup::Unknown(0x9999)), "group 0x9999");
    }
}

//! The names of the cipher suites and groups of old servers, and how a suite exchanges keys.

use rustls::{CipherSuite, NamedGroup};

use crate::tls::provider;

/// The IANA name of a cipher suite, such as `TLS_RSA_WITH_RC4_128_SHA`; `0x1234` without one.
pub fn cipher_name(suite: u16) -> Box<str> {
    registered(suite).unwrap_or_else(|| format!("{suite:#06x}").into())
}

/// The name of a cipher suite that IANA has registered.
fn registered(suite: u16) -> Option<Box<str>> {
    let name = provider::suite_name(CipherSuite::from(suite))?;
    // Numbers of drafts that were never assigned, and one that two standards use.
    if name.ends_with("_draft") {
        return None;
    }
    Some(match name.split_once("_or_") {
        Some((first, _)) => first.into(),
        None => name,
    })
}

/// How the keys of a suite are exchanged: what its `ServerKeyExchange` begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyExchange {
    /// With the parameters of an elliptic curve (RFC 8422, section 5.4).
    Curve,
    /// With a prime (RFC 5246, section 7.4.3).
    Prime,
    /// With neither: RSA key exchange, keys of the certificate, pre-shared keys, and unknown suites.
    NoGroup,
}

/// How the keys of a suite are exchanged.
pub(super) fn key_exchange(suite: u16) -> KeyExchange {
    let name = registered(suite).unwrap_or_default();
    let exchange = name
        .split_once("_WITH_")
        .map_or("", |(exchange, _)| exchange);
    match exchange
        .trim_end_matches("_EXPORT")
        .trim_end_matches("_EXPORT1024")
    {
        "TLS_ECDHE_RSA" | "TLS_ECDHE_ECDSA" | "TLS_ECDH_anon" => KeyExchange::Curve,
        "TLS_DHE_RSA" | "TLS_DHE_DSS" | "TLS_DH_anon" => KeyExchange::Prime,
        _ => KeyExchange::NoGroup,
    }
}

/// X25519 with ML-KEM-768, the group that post-quantum clients prefer.
pub(super) const X25519_MLKEM768: u16 = 0x11ec;

/// Whether a group resists quantum computers.
pub fn is_post_quantum(group: u16) -> bool {
    matches!(group, 0x0200..=0x0202 | 0x11eb..=0x11ed | 0x6399 | 0x639a)
}

/// The name of a key exchange group (IANA, TLS Supported Groups), such as `P-256`, `X25519` or
/// `DH-2048`.
pub fn group_name(group: u16) -> Box<str> {
    // Those that rustls has no name for.
    let name = match group {
        1 => "sect163k1",
        2 => "sect163r1",
        3 => "sect163r2",
        4 => "sect193r1",
        5 => "sect193r2",
        6 => "sect233k1",
        7 => "sect233r1",
        8 => "sect239k1",
        9 => "sect283k1",
        10 => "sect283r1",
        11 => "sect409k1",
        12 => "sect409r1",
        13 => "sect571k1",
        14 => "sect571r1",
        15 => "secp160k1",
        16 => "secp160r1",
        17 => "secp160r2",
        18 => "secp192k1",
        19 => "P-192",
        20 => "secp224k1",
        21 => "P-224",
        22 => "secp256k1",
        26 => "brainpoolP256r1",
        27 => "brainpoolP384r1",
        28 => "brainpoolP512r1",
        31 => "brainpoolP256r1tls13",
        32 => "brainpoolP384r1tls13",
        33 => "brainpoolP512r1tls13",
        34 => "GC256A",
        35 => "GC256B",
        36 => "GC256C",
        37 => "GC256D",
        38 => "GC512A",
        39 => "GC512B",
        40 => "GC512C",
        41 => "curveSM2",
        0x11ed => "SecP384r1MLKEM1024",
        0x6399 => "X25519Kyber768Draft00",
        0x639a => "SecP256r1Kyber768Draft00",
        _ => return provider::group_name(NamedGroup::from(group)),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cipher_suites_have_their_iana_names() {
        let cases = [
            (0x0001, "TLS_RSA_WITH_NULL_MD5", KeyExchange::NoGroup),
            (
                0x0003,
                "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
                KeyExchange::NoGroup,
            ),
            (0x0005, "TLS_RSA_WITH_RC4_128_SHA", KeyExchange::NoGroup),
            (
                0x000a,
                "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
                KeyExchange::NoGroup,
            ),
            (
                0x0014,
                "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
                KeyExchange::Prime,
            ),
            (0x0018, "TLS_DH_anon_WITH_RC4_128_MD5", KeyExchange::Prime),
            (0x001e, "TLS_KRB5_WITH_DES_CBC_SHA", KeyExchange::NoGroup),
            (
                0x0033,
                "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
                KeyExchange::Prime,
            ),
            (
                0x0031,
                "TLS_DH_RSA_WITH_AES_128_CBC_SHA",
                KeyExchange::NoGroup,
            ),
            (
                0x0063,
                "TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA",
                KeyExchange::Prime,
            ),
            (
                0x009c,
                "TLS_RSA_WITH_AES_128_GCM_SHA256",
                KeyExchange::NoGroup,
            ),
            (0x1301, "TLS_AES_128_GCM_SHA256", KeyExchange::NoGroup),
            (
                0xc005,
                "TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA",
                KeyExchange::NoGroup,
            ),
            (
                0xc014,
                "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
                KeyExchange::Curve,
            ),
            (
                0xc018,
                "TLS_ECDH_anon_WITH_AES_128_CBC_SHA",
                KeyExchange::Curve,
            ),
            (
                0xc0ae,
                "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
                KeyExchange::Curve,
            ),
            (
                0xccaa,
                "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
                KeyExchange::Prime,
            ),
            (
                0xccac,
                "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
                KeyExchange::NoGroup,
            ),
            (0x0047, "0x0047", KeyExchange::NoGroup),
            (0xfafa, "0xfafa", KeyExchange::NoGroup),
        ];
        for (suite, name, exchange) in cases {
            assert_eq!(&*cipher_name(suite), name);
            assert_eq!(key_exchange(suite), exchange, "{name}");
        }
    }

    #[test]
    fn groups_have_their_usual_names() {
        assert_eq!(&*group_name(23), "P-256");
        assert_eq!(&*group_name(X25519_MLKEM768), "X25519MLKEM768");
        assert_eq!(&*group_name(256), "DH-2048");
        assert_eq!(&*group_name(26), "brainpoolP256r1");
        assert_eq!(&*group_name(0x0a0a), "group 0x0a0a");
        assert!(is_post_quantum(X25519_MLKEM768) && !is_post_quantum(29));
    }
}

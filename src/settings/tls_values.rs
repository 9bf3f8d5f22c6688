//! Parsers of the values of TLS options.

use crate::address::{Host, HostName};
use crate::settings::error::Located;
use crate::settings::parse::{self, InvalidValue};
use crate::tls_facts::TlsVersion;

/// The values of `--tls-min`.
const VERSIONS: [(&str, TlsVersion); 4] = [
    ("1.0", TlsVersion::Tls10),
    ("1.1", TlsVersion::Tls11),
    ("1.2", TlsVersion::Tls12),
    ("1.3", TlsVersion::Tls13),
];
/// The longest name of an application protocol, in bytes (RFC 7301, section 3.1).
const MAX_ALPN_LENGTH: usize = 255;

/// Parses a version: `1.2`, or as it is published, `TLSv1.2`.
///
/// # Errors
/// When it is neither.
pub fn version(text: &str) -> Result<TlsVersion, InvalidValue> {
    parse::choice(text.strip_prefix("TLSv").unwrap_or(text), &VERSIONS)
}

/// Parses a server name (RFC 6066, section 3); a final dot is dropped.
///
/// # Errors
/// When it is an address or not a host name.
pub fn server_name(text: &str) -> Result<Box<str>, InvalidValue> {
    match text.parse::<Host>() {
        Ok(Host::Name(name)) => Ok(HostName::relative(&name).to_ascii_lowercase().into()),
        Ok(Host::Address(_) | Host::Zoned(_)) => Err(InvalidValue::Invalid(
            "is an address: only host names are sent to TLS servers; to verify the certificate of an address, use the address as the target",
        )),
        Err(_) if text.starts_with("*.") => Err(InvalidValue::Invalid(
            "is a wildcard: write the name of one host",
        )),
        Err(_) if !text.is_ascii() => Err(InvalidValue::Invalid(
            "is not ASCII: write the name as in DNS, such as `xn--...`",
        )),
        Err(_) => Err(InvalidValue::Invalid(
            "is not a host name: write a name such as `www.example.org`, without a port",
        )),
    }
}

/// Parses application protocols, separated by commas (RFC 7301).
///
/// # Errors
/// When one of them is not a name.
pub fn protocols(given: &Located) -> Result<Vec<Box<str>>, InvalidValue> {
    let names = elements(&given.text).map(|name| {
        let is_name =
            name.len() <= MAX_ALPN_LENGTH && name.bytes().all(|byte| byte.is_ascii_graphic());
        is_name.then(|| name.into()).ok_or(InvalidValue::Invalid(
            "is not a list of application protocols: write names such as `h2,http/1.1`",
        ))
    });
    names.collect()
}

/// Parses SHA-256 digests of public keys, separated by commas. The forms are base64, also with
/// `sha256//` or `sha256/` before it, and hexadecimal, also with colons between the bytes.
///
/// # Errors
/// When one of them is not a digest.
pub fn pins(given: &Located) -> Result<Vec<[u8; 32]>, InvalidValue> {
    let digests = elements(&given.text).map(|text| {
        let text = text
            .strip_prefix("sha256//")
            .or_else(|| text.strip_prefix("sha256/"))
            .unwrap_or(text);
        hex_digest(text)
            .or_else(|| base64_digest(text))
            .ok_or(InvalidValue::Invalid(
                "is not the SHA-256 digest of a public key: write its 44 characters of base64 or its 64 hexadecimal digits, as `-o tls.spki_sha256` prints them",
            ))
    });
    let digests: Vec<_> = digests.collect::<Result<_, _>>()?;
    if digests.is_empty() {
        return Err(InvalidValue::Invalid(
            "has no digest, so that no key would be pinned: write one, or remove the option",
        ));
    }
    Ok(digests)
}

fn elements(text: &str) -> impl Iterator<Item = &str> {
    let elements = text.split(',').map(|element| element.trim_matches(' '));
    elements.filter(|element| !element.is_empty())
}

fn hex_digest(text: &str) -> Option<[u8; 32]> {
    let with_colons = text.len() == 32 * 3 - 1;
    if !with_colons && text.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    let mut rest = text.as_bytes();
    for (index, byte) in digest.iter_mut().enumerate() {
        if with_colons && index > 0 {
            rest = rest.strip_prefix(b":")?;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        rest = after;
    }
    rest.is_empty().then_some(digest)
}

/// Decodes 32 bytes of base64 (RFC 4648, section 4), with or without padding.
fn base64_digest(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_suffix('=').unwrap_or(text).as_bytes();
    if digits.len() != 43 {
        return None;
    }
    let mut bits: u32 = 0;
    let mut count = 0;
    let mut bytes = Vec::with_capacity(32);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    // The bits that are left over are 0 in the only encoding of a digest.
    if bits != 0 {
        return None;
    }
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Located {
        Located::in_option("--pin-sha256", text)
    }

    #[test]
    fn versions_have_two_spellings() {
        for (text, expected) in VERSIONS {
            assert_eq!(version(text), Ok(expected));
            assert_eq!(version(expected.name()), Ok(expected));
        }
        for text in [
            "", "1", "1.4", "2", "1.20", "TLSv", "tlsv1.2", "SSLv3", "TLSv1.2 ", "１.2", "1.2\n",
        ] {
            assert!(version(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_server_name_is_a_host_name() {
        for (text, name) in [
            ("www.example.org", "www.example.org"),
            ("WWW.Example.ORG.", "www.example.org"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("under_score.example", "under_score.example"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(server_name(text).as_deref(), Ok(name), "{text}");
        }
        let long = format!("{}.example", "a".repeat(250));
        for (text, why) in [
            ("192.0.2.7", "is an address"),
            ("2001:db8::1", "is an address"),
            ("[2001:db8::1]", "is an address"),
            ("fe80::1%lo", "is an address"),
            ("0x7f.1", "not a host name"),
            ("127.1", "not a host name"),
            ("*.example.org", "wildcard"),
            ("bücher.example", "not ASCII"),
            ("www.example.org:443", "not a host name"),
            ("https://www.example.org", "not a host name"),
            ("a..b", "not a host name"),
            ("a..", "not a host name"),
            (".", "not a host name"),
            ("-a.example", "not a host name"),
            ("a b", "not a host name"),
            ("a\0b", "not a host name"),
            ("a\nb", "not a host name"),
            (&long, "not a host name"),
        ] {
            let error = server_name(text).unwrap_err().message(Some(text));
            assert!(error.contains(why), "{text}: {error}");
            assert!(!error.contains(['\n', '\0']), "{error:?}");
        }
    }

    #[test]
    fn protocols_are_separated_by_commas() {
        let names = |text: &str| protocols(&given(text)).map(|names| names.join("|"));
        assert_eq!(names("h2"), Ok("h2".to_owned()));
        assert_eq!(names(" h2 , http/1.1,"), Ok("h2|http/1.1".to_owned()));
        assert_eq!(names(&"a".repeat(255)), Ok("a".repeat(255)));
        for text in ["h 2", "h2\0", "h2\n,x", "é", &"a".repeat(256)] {
            assert!(names(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_pin_is_base64_or_hexadecimal() {
        let digest: [u8; 32] = std::array::from_fn(|index| u8::try_from(index * 8 + 3).unwrap());
        let hex: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2+Pr8/s=";
        for text in [
            hex.concat(),
            hex.concat().to_uppercase(),
            hex.join(":"),
            base64.to_owned(),
            base64.trim_end_matches('=').to_owned(),
            format!("sha256//{base64}"),
            format!("sha256/{base64}"),
            format!(" {base64} ,"),
        ] {
            assert_eq!(pins(&given(&text)), Ok(vec![digest]), "{text}");
        }
        let two = format!("{},{base64}", "0".repeat(64));
        assert_eq!(pins(&given(&two)), Ok(vec![[0; 32], digest]));
        for text in [
            ",",
            " ",
            " , ,",
            "x",
            "sha256//",
            "sha1//AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2+Pr8/s=",
            &hex.concat()[..63],
            &format!("{}0", hex.concat()),
            &hex.join(" "),
            &hex.join("::"),
            &format!("{}:", &hex.join(":")[..94]),
            // Other bits after the last byte, other alphabets, other lengths.
            "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2+Pr8/t=",
            "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2-Pr8_s=",
            "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2+Pr8/s==",
            "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2+Pr8=",
            "+wsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2+Pr8/\u{0}=",
            &"é".repeat(32),
            &"+1".repeat(32),
            base64.trim_start_matches('A').trim_end_matches('='),
            &format!("{base64},x"),
        ] {
            assert!(pins(&given(text)).is_err(), "{text}");
        }
    }
}

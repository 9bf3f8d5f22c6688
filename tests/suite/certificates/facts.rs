//! The facts of certificates, compared field by field with those of `openssl x509`.

use std::net::IpAddr;
use std::path::Path;

use rcgen::string::{BmpString, Ia5String, PrintableString, TeletexString, UniversalString};
use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SanType, SerialNumber, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use zbx_tcp::tls::certificate;
use zbx_tcp::tls_facts::{CertificateFacts, date};

use super::made::{Key, Made, ca, params, pem, run, self_signed};
use crate::skip;

/// What `openssl x509` prints about a certificate, as our facts.
fn by_openssl(der: &[u8]) -> CertificateFacts {
    let arguments = [
        "x509",
        "-noout",
        "-subject",
        "-issuer",
        "-serial",
        "-dates",
        "-dateopt",
        "iso_8601",
        "-fingerprint",
        "-sha256",
        "-nameopt",
        "RFC2253,-esc_msb",
        "-text",
        "-certopt",
        "no_header,no_version,no_serial,no_validity,no_subject,no_issuer,no_sigdump",
        "-pubkey",
    ];
    let output = run(&arguments, pem(der).as_bytes());
    let output = String::from_utf8(output).unwrap();
    let field = |start: &str| {
        let line = output
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(start));
        line.unwrap_or_else(|| panic!("no `{start}` in {output}"))
            .to_owned()
    };
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(output.as_bytes()).unwrap();
    let mut digest = [0; 32];
    for (byte, text) in digest
        .iter_mut()
        .zip(field("sha256 Fingerprint=").split(':'))
    {
        *byte = u8::from_str_radix(text, 16).unwrap();
    }
    CertificateFacts {
        subject: field("subject=").into(),
        issuer: field("issuer=").into(),
        names: names(&output),
        serial: field("serial=").to_lowercase().into(),
        key: key(&output).into(),
        signature: field("Signature Algorithm: ").trim_end().into(),
        not_before: time(&field("notBefore=")),
        not_after: time(&field("notAfter=")),
        sha256: digest,
        spki_sha256: certificate::sha256(&spki),
        names_omitted: 0,
        unreadable: None,
    }
}

/// The names under `X509v3 Subject Alternative Name`, separated by commas.
fn names(output: &str) -> Box<[Box<str>]> {
    let mut lines = output.lines();
    let title = "X509v3 Subject Alternative Name:";
    if !lines.any(|line| line.trim_start().starts_with(title)) {
        return Box::default();
    }
    let names = lines.next().unwrap().trim().split(", ");
    let known = names.filter_map(|name| match name.split_once(':')? {
        ("DNS", name) => Some(name.into()),
        ("IP Address", address) => {
            let address: IpAddr = address.parse().unwrap();
            Some(address.to_string().into())
        }
        _ => None,
    });
    known.collect()
}

fn key(output: &str) -> String {
    let after = |start: &str| {
        let line = output
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(start));
        line.map(str::to_owned)
    };
    let bits = after("Public-Key: (").or_else(|| after("RSA-PSS Public-Key: ("));
    let bits = bits.unwrap_or_default();
    let bits = bits.split(' ').next().unwrap();
    match after("Public Key Algorithm: ").unwrap().as_str() {
        "rsaEncryption" => format!("RSA-{bits}"),
        "rsassaPss" => format!("RSA-PSS-{bits}"),
        "dsaEncryption" => format!("DSA-{bits}"),
        "id-ecPublicKey" => match after("NIST CURVE: ") {
            Some(curve) => format!("ECDSA-{}", curve.replace('-', "")),
            None => format!("ECDSA-{}", after("ASN1 OID: ").unwrap()),
        },
        "ED25519" => "Ed25519".to_owned(),
        "ED448" => "Ed448".to_owned(),
        other => other.to_owned(),
    }
}

/// Seconds since 1970 of a time such as `2026-11-26 12:00:00Z`.
fn time(text: &str) -> i64 {
    let numbers: Vec<i64> = text
        .trim_end_matches('Z')
        .trim_start()
        .split(['-', ' ', ':'])
        .map(|number| number.parse().unwrap_or_else(|_| panic!("time `{text}`")))
        .collect();
    let [year, month, day, hour, minute, second] = numbers[..] else {
        panic!("{text}")
    };
    let days = zbx_tcp::tls_facts::days_since_1970(year, month, day).unwrap();
    days * 86_400 + hour * 3600 + minute * 60 + second
}

fn compare(der: &[u8]) {
    let ours = certificate::read(der);
    let theirs = by_openssl(der);
    assert_eq!(ours, theirs, "{}", pem(der));
}

#[test]
fn every_root_of_the_system_has_the_facts_of_openssl() {
    let path = Path::new("/etc/ssl/certs/ca-certificates.crt");
    let Ok(bundle) = std::fs::read(path) else {
        return skip("there is no trust store: install ca-certificates");
    };
    let mut number = 0;
    for root in CertificateDer::pem_slice_iter(&bundle) {
        compare(&root.unwrap());
        number += 1;
    }
    println!("compared the facts of {number} roots");
    assert!(number > 50);
}

/// A name with each kind of string, and with characters that are escaped.
fn subjects() -> Vec<Vec<(DnType, DnValue)>> {
    let utf8 = |text: &str| DnValue::Utf8String(text.to_owned());
    let unknown = || DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99_999, 1]);
    let oid = |oid: &[u64]| DnType::CustomDnType(oid.to_vec());
    vec![
        vec![],
        vec![(DnType::CommonName, utf8("a.example"))],
        vec![
            (
                DnType::CountryName,
                DnValue::PrintableString("DE".try_into().unwrap()),
            ),
            (DnType::OrganizationName, utf8("Büro & Söhne GmbH")),
            (DnType::OrganizationalUnitName, utf8("例え")),
            (DnType::LocalityName, utf8("a, b + c; \"d\" <e> \\f=g#h")),
            (DnType::CommonName, utf8(" #start and end ")),
        ],
        vec![(DnType::CommonName, utf8(""))],
        vec![(DnType::CommonName, utf8("with\0nul\r\n\t\x1b[31m\x7f"))],
        vec![(DnType::CommonName, utf8("\u{202e}reversed\u{ad}\u{80}"))],
        vec![
            (
                DnType::CommonName,
                DnValue::PrintableString(PrintableString::try_from("printable").unwrap()),
            ),
            (
                DnType::OrganizationName,
                DnValue::Ia5String(Ia5String::try_from("ia5@x").unwrap()),
            ),
            (
                DnType::LocalityName,
                DnValue::TeletexString(TeletexString::try_from("teletex").unwrap()),
            ),
            (
                DnType::StateOrProvinceName,
                DnValue::BmpString(BmpString::try_from("bmp ü 例").unwrap()),
            ),
            (
                DnType::OrganizationalUnitName,
                DnValue::UniversalString(UniversalString::try_from("universal 😀").unwrap()),
            ),
        ],
        vec![
            (unknown(), utf8("unknown")),
            (DnType::CommonName, utf8("x")),
        ],
        vec![
            (oid(&[2, 5, 4, 5]), utf8("serial")),
            (oid(&[2, 5, 4, 15]), utf8("Private Organization")),
            (oid(&[2, 5, 4, 97]), utf8("VATDE-1")),
            (oid(&[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 3]), utf8("DE")),
            (oid(&[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 2]), utf8("Bayern")),
            (oid(&[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 1]), utf8("München")),
            (oid(&[1, 2, 840, 113_549, 1, 9, 1]), utf8("a@example")),
            (oid(&[0, 9, 2342, 19_200_300, 100, 1, 25]), utf8("example")),
            (oid(&[0, 9, 2342, 19_200_300, 100, 1, 1]), utf8("user")),
        ],
        [4, 9, 12, 13, 17, 20, 41, 42, 43, 44, 45, 46, 65, 72]
            .map(|last| (oid(&[2, 5, 4, last]), utf8("x")))
            .to_vec(),
        vec![(DnType::CommonName, utf8(&"long ".repeat(200)))],
    ]
}

#[test]
fn generated_certificates_have_the_facts_of_openssl() {
    // `openssl` breaks the line of a serial number after 35 bytes.
    let serials: [&[u8]; 6] = [&[1], &[0x7f], &[0x80], &[0xff; 20], &[1; 34], &[0, 0, 5]];
    let dates = [
        ((1950, 1, 1), (2049, 12, 31)),
        ((1969, 12, 31), (1970, 1, 1)),
        ((1, 1, 1), (9999, 12, 31)),
        ((1900, 3, 1), (2050, 1, 1)),
        ((2024, 2, 29), (2026, 6, 15)),
    ];
    let names: [&[&str]; 6] = [
        &[],
        &["a.example"],
        &[
            "*.a.example",
            "192.0.2.1",
            "2001:db8::1",
            "::",
            "xn--bcher-kva.example",
        ],
        &["192.0.2.255"],
        &["UPPER.example", "a.example", "a.example"],
        &["_x.example", "b"],
    ];
    let keys = [
        Key::new(),
        Key::Pair(
            KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)
                .unwrap()
                .into(),
        ),
        Key::Pair(KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().into()),
        Key::rsa(1024, "sha256"),
        Key::rsa(2048, "md5"),
    ];
    let issuer = Made::root(ca("Issuer, with comma"));
    let mut number = 0;
    for subject in subjects() {
        for variant in 0..20 {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            for (kind, value) in &subject {
                params.distinguished_name.push(kind.clone(), value.clone());
            }
            params.serial_number = Some(SerialNumber::from_slice(serials[variant % 6]));
            let ((y, m, d), (y2, m2, d2)) = dates[variant % 5];
            params.not_before = date_time_ymd(y, m, d);
            params.not_after = date_time_ymd(y2, m2, d2);
            for name in names[(variant + 3) % 6] {
                params.subject_alt_names.push(match name.parse() {
                    Ok(address) => SanType::IpAddress(address),
                    Err(_) => SanType::DnsName((*name).try_into().unwrap()),
                });
            }
            if variant % 4 == 1 {
                let mail = "mail@a.example".try_into().unwrap();
                params.subject_alt_names.push(SanType::Rfc822Name(mail));
                let uri = "https://a.example/x".try_into().unwrap();
                params.subject_alt_names.push(SanType::URI(uri));
            }
            let key = &keys[variant % 5];
            // Each RSA signature is made by a separate process.
            let der = match key {
                Key::Pair(_) if variant % 2 == 0 => self_signed(&params, key),
                Key::Rsa { .. } if variant == 3 => self_signed(&params, key),
                _ => issuer.sign(&params, key),
            };
            compare(&der);
            number += 1;
        }
    }
    println!("compared the facts of {number} certificates");
    assert!(number > 200);
}

/// Keys and signatures that only `openssl` makes.
#[test]
fn every_kind_of_key_has_the_facts_of_openssl() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (key, parameters) = (path("key"), path("parameters"));
    let dsa = ["-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024"];
    run(
        &[&["genpkey", "-genparam", "-out", &parameters][..], &dsa].concat(),
        b"",
    );
    let curve = |name: &str| {
        let option = format!("ec_paramgen_curve:{name}");
        ["-algorithm", "EC", "-pkeyopt", &option]
            .map(str::to_owned)
            .to_vec()
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut kinds = vec![
        (
            words("-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
            "-sha224",
        ),
        (
            words("-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
            "-sha384",
        ),
        (
            words("-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
            "-sha512",
        ),
        (
            words("-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
            "-md5",
        ),
        (
            words("-algorithm RSA -pkeyopt rsa_keygen_bits:1025"),
            "-sha1",
        ),
        (
            words("-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
            "-ripemd160",
        ),
        (
            words("-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
            "-sha3-256",
        ),
        (
            words("-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:1024"),
            "-sha256",
        ),
        (words(&format!("-paramfile {parameters}")), "-sha1"),
        (words(&format!("-paramfile {parameters}")), "-sha256"),
        (words("-algorithm ED25519"), "-sha256"),
        (words("-algorithm ED448"), "-sha256"),
        (curve("secp521r1"), "-sha512"),
        (curve("prime256v1"), "-sha1"),
        (curve("prime256v1"), "-sha3-256"),
    ];
    for name in [
        "P-224",
        "prime192v1",
        "secp256k1",
        "brainpoolP256r1",
        "brainpoolP384r1",
        "brainpoolP512r1",
    ] {
        kinds.push((curve(name), "-sha256"));
    }
    for (arguments, digest) in kinds {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        run(&[&["genpkey", "-out", &key][..], &arguments].concat(), b"");
        for more in [
            &["-subj", "/CN=a.example/O=x+OU=y+OU=z/emailAddress=a@b"][..],
            &[
                "-subj",
                "/CN=a.example",
                "-set_serial",
                "-128",
                "-addext",
                "subjectAltName=DNS:a.example,IP:192.0.2.1,email:a@b,dirName:d",
            ],
            &[
                "-subj",
                "/CN=a",
                "-set_serial",
                "0",
                "-addext",
                "basicConstraints=CA:FALSE",
            ],
        ] {
            let config = path("config");
            std::fs::write(&config, "[req]\ndistinguished_name=n\n[n]\n[d]\nCN=x\n").unwrap();
            let start = [
                "req",
                "-x509",
                "-new",
                "-multivalue-rdn",
                "-config",
                &config,
                "-key",
                &key,
                digest,
            ];
            let made = run(&[&start[..], more].concat(), b"");
            compare(&CertificateDer::from_pem_slice(&made).unwrap());
        }
        // Version 1.
        let request = run(&["req", "-new", "-key", &key, "-subj", "/CN=old"], b"");
        let made = run(&["x509", "-req", "-signkey", &key, digest], &request);
        compare(&CertificateDer::from_pem_slice(&made).unwrap());
    }
}

#[test]
fn what_cannot_be_read_has_its_length_and_digest() {
    let der = self_signed(&params("a"), &Key::new());
    for length in 0..der.len() {
        let part = &der[..length];
        let facts = certificate::read(part);
        let why = facts.unreadable.as_deref().unwrap();
        assert!(why.starts_with("cannot be read: "), "{why}");
        assert!(why.ends_with(&format!("({length} bytes)")), "{why}");
        assert_eq!(facts.sha256, certificate::sha256(part));
        assert!(facts.subject.is_empty() && facts.names.is_empty());
    }
    // A value that is no date, in the place of a date.
    let mut der = der.to_vec();
    let at = der.windows(5).position(|part| part == b"26010").unwrap();
    der[at..at + 6].copy_from_slice(b"260230");
    assert_eq!(
        certificate::read(&der).unreadable.unwrap(),
        format!(
            "cannot be read: notBefore `260230000000Z` is not a time ({} bytes)",
            der.len()
        )
        .into()
    );
}

#[test]
fn ten_thousand_names_are_read() {
    let mut params = params("a");
    for number in 0..10_000 {
        let name = format!("n{number}.example");
        params
            .subject_alt_names
            .push(SanType::DnsName(name.try_into().unwrap()));
    }
    let facts = certificate::read(&self_signed(&params, &Key::new()));
    assert_eq!(facts.names.len(), 10_000);
    assert_eq!(&*facts.names[9_999], "n9999.example");
    assert_eq!(date(facts.not_after), (2027, 1, 1));
}

/// RFC 4514, section 2.4. `openssl` does not escape a single character.
#[test]
fn a_value_of_one_character_is_escaped() {
    for (value, text) in [
        ("#", "CN=\\#"),
        (" ", "CN=\\ "),
        ("x", "CN=x"),
        ("  ", "CN=\\ \\ "),
    ] {
        let facts = certificate::read(&self_signed(&params(value), &Key::new()));
        assert_eq!(&*facts.subject, text);
    }
}

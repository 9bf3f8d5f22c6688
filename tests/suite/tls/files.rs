//! Files of certificates and keys that cannot be used, and options that contradict each other: one
//! line that says what is wrong, before anything is sent.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use zbx_tcp::tls;
use zbx_tcp::tls::options::{ClientCertificate, TlsOption, TlsOptions, TlsOptionsError};
use zbx_tcp::tls_facts::TlsVersion;

use super::server::{Certificates, Key, has_openssl, new_key, openssl, words};

#[track_caller]
fn refused(options: TlsOptions) -> TlsOptionsError {
    let error = tls::layer(options).expect_err("the options were accepted");
    let text = &error.message;
    assert!(
        !text.is_empty() && !text.contains(|c: char| c.is_control()),
        "{text:?}"
    );
    error
}

#[track_caller]
fn assert_refused(options: TlsOptions, option: TlsOption, text: &str) {
    let error = refused(options);
    assert_eq!(error.option, option, "{error}");
    assert!(
        error.message.contains(text),
        "{error}\n  does not have\n{text}"
    );
}

fn with_client(cert: PathBuf, key: PathBuf) -> TlsOptions {
    TlsOptions {
        client: Some(ClientCertificate { cert, key }),
        ..TlsOptions::default()
    }
}

const REFUSAL: &str = "this file cannot be used: it must be a readable regular file that belongs to \
                       root or to the user who runs zbx-tcp";

#[test]
fn each_fault_of_a_client_certificate_has_a_sentence() {
    let made = Certificates::new(&[Key::P384]);
    let (cert, key) = (made.path("client.pem"), made.path("client.key"));
    tls::layer(with_client(cert.clone(), key.clone())).unwrap();
    let text = fs::read_to_string(&cert).unwrap();
    let der = made.write("der.pem", [0x30, 0x82, 0x01, 0x00]);
    let empty = made.write("empty.pem", "\n");
    let prose = made.write("prose.pem", "Dear administrator\n");
    let cut = made.write("cut.pem", &text[..text.len() / 2]);
    let damaged = made.write("damaged.pem", text.replacen('M', "!", 3));
    let request = made.write(
        "request.pem",
        text.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
    );
    let nonsense = made.write(
        "nonsense.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let bundle = made.write("bundle.pem", text.repeat(11));
    for (file, expected) in [
        (made.path("absent.pem"), REFUSAL),
        (made.path(""), REFUSAL),
        (empty.clone(), "empty.pem: has no certificate: it is empty"),
        (
            prose.clone(),
            "has no certificate: it is not PEM (lines that start with `-----BEGIN`)",
        ),
        (
            der.clone(),
            "has no certificate: it is in the DER or PKCS #12 format; `openssl x509 ",
        ),
        (
            key.clone(),
            "has no certificate: it has a private key; the files may be swapped",
        ),
        (request, "has no certificate: it has a certificate request"),
        (
            made.write(
                "list.crt",
                "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
            ),
            "has no certificate: it has other content in PEM",
        ),
        (
            cut,
            "is not valid PEM: a section is damaged or has no end; copy the file again",
        ),
        (damaged, "is not valid PEM: a section is damaged"),
        (
            nonsense,
            "its first certificate cannot be read; copy the file again",
        ),
        (bundle, "has 11 certificates, but a chain has at most 10"),
    ] {
        assert_refused(
            with_client(file, key.clone()),
            TlsOption::ClientCert,
            expected,
        );
    }
    for (file, expected) in [
        (made.path("absent.key"), REFUSAL),
        (empty, "empty.pem: has no private key: it is empty"),
        (prose, "has no private key: it is not PEM"),
        (
            der,
            "has no private key: it is in the DER or PKCS #12 format",
        ),
        (
            cert.clone(),
            "has no private key: it has a certificate; the files may be swapped",
        ),
        (
            made.write(
                "ssh.key",
                "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            ),
            "has a private key in a format that cannot be read; `openssl pkey ",
        ),
        (
            made.path("p384.key"),
            "p384.key: is not the key of the first certificate in ",
        ),
    ] {
        assert_refused(
            with_client(cert.clone(), file),
            TlsOption::ClientKey,
            expected,
        );
    }
}

#[test]
fn an_encrypted_key_is_refused_with_the_command_that_decrypts_it() {
    if !has_openssl() {
        return;
    }
    let made = Certificates::new(&[]);
    let (cert, key) = (made.path("client.pem"), made.path("client.key"));
    let path = key.display().to_string();
    let new = openssl(&["pkey", "-in", &path, "-aes256", "-passout", "pass:x"]);
    let old = openssl(&["ec", "-in", &path, "-aes256", "-passout", "pass:x"]);
    assert!(old.contains("Proc-Type: 4,ENCRYPTED"), "{old}");
    for text in [new, old] {
        let file = made.write("encrypted.key", text);
        let expected =
            "is encrypted with a passphrase; `openssl pkey -in FILE -out NEW` decrypts it";
        assert_refused(
            with_client(cert.clone(), file),
            TlsOption::ClientKey,
            expected,
        );
    }
}

#[test]
fn keys_of_other_kinds_are_refused() {
    if !has_openssl() {
        return;
    }
    let made = Certificates::new(&[]);
    for kind in [
        "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
        "-algorithm ED448",
    ] {
        let key = openssl(&words(&format!("genpkey {kind}")));
        let key = made.write("other.key", key);
        let expected = "its private key cannot be used: RSA of 2048 to 4096 bits, ECDSA with";
        let options = with_client(made.path("client.pem"), key);
        assert_refused(options, TlsOption::ClientKey, expected);
    }
    // The formats of old versions of openssl are read.
    let key = made.path("client.key").display().to_string();
    let old = made.write("old.key", openssl(&["ec", "-in", &key]));
    assert!(
        fs::read_to_string(&old)
            .unwrap()
            .contains("BEGIN EC PRIVATE KEY")
    );
    tls::layer(with_client(made.path("client.pem"), old)).unwrap();
    made.issue("rsa", &new_key(Key::Rsa), |_| {});
    let key = made.path("rsa.key").display().to_string();
    let old = made.write("old.key", openssl(&["rsa", "-traditional", "-in", &key]));
    assert!(
        fs::read_to_string(&old)
            .unwrap()
            .contains("BEGIN RSA PRIVATE KEY")
    );
    tls::layer(with_client(made.path("rsa.pem"), old)).unwrap();
}

#[test]
fn files_that_others_can_change_or_read_are_refused() {
    let made = Certificates::new(&[]);
    let (cert, key) = (made.path("client.pem"), made.path("client.key"));
    let mode = |path: &PathBuf, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(&cert, 0o666);
    assert_refused(
        with_client(cert.clone(), key.clone()),
        TlsOption::ClientCert,
        REFUSAL,
    );
    mode(&cert, 0o644);
    mode(&key, 0o644);
    let options = with_client(cert.clone(), key.clone());
    assert_refused(
        options,
        TlsOption::ClientKey,
        "is world-readable: `chmod 640` it",
    );
    mode(&key, 0o620);
    assert_refused(
        with_client(cert.clone(), key.clone()),
        TlsOption::ClientKey,
        REFUSAL,
    );
    mode(&key, 0o640);
    tls::layer(with_client(cert.clone(), key.clone())).unwrap();
    // The error does not show whether a file exists whose name is not that of a certificate file.
    let other = made.write("shadow", "root:x:0:0");
    let of = |path: PathBuf| refused(with_client(path, key.clone())).message;
    let (existing, absent) = (of(other), of(made.path("shadowy")));
    assert!(existing.contains(REFUSAL), "{existing}");
    assert!(absent.contains(REFUSAL), "{absent}");
    assert!(
        !existing.contains("PEM (") && !existing.contains("root:x"),
        "{existing}"
    );
}

#[test]
fn the_file_of_the_expected_certificate_is_read_at_once() {
    let made = Certificates::new(&[]);
    let with = |path: PathBuf| TlsOptions {
        expect_cert: Some(path),
        ..TlsOptions::default()
    };
    tls::layer(with(made.path("ca.pem"))).unwrap();
    assert_refused(
        with(made.path("absent.pem")),
        TlsOption::ExpectCert,
        REFUSAL,
    );
    let text = "has no certificate: it has a private key";
    assert_refused(with(made.path("client.key")), TlsOption::ExpectCert, text);
    let nonsense = made.write(
        "nonsense.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let text = "its first certificate cannot be read: ";
    assert_refused(with(nonsense), TlsOption::ExpectCert, text);
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let none = TlsOptions::default;
    let with_sni = |sni: &str| TlsOptions {
        sni: Some(sni.into()),
        ..none()
    };
    tls::layer(with_sni("example.com.")).unwrap();
    for address in ["192.0.2.1", "2001:db8::1"] {
        let text = "is an address; only names can be sent as SNI (RFC 6066)";
        assert_refused(with_sni(address), TlsOption::Sni, text);
    }
    for name in [
        "",
        "a b",
        "-a",
        "a..b",
        "ex\u{e4}mple.com",
        "x\r\ny",
        "[::1]",
    ] {
        assert_refused(with_sni(name), TlsOption::Sni, "is not a host name: ");
    }
    assert_refused(
        with_sni(&"a".repeat(300)),
        TlsOption::Sni,
        "is not a host name: ",
    );
    let with_alpn = |alpn: Vec<Box<str>>| TlsOptions { alpn, ..none() };
    tls::layer(with_alpn(vec!["a".repeat(255).into()])).unwrap();
    let text = "1 to 255 bytes";
    assert_refused(with_alpn(vec!["".into()]), TlsOption::Alpn, text);
    assert_refused(
        with_alpn(vec!["a".repeat(256).into()]),
        TlsOption::Alpn,
        text,
    );
    let many = vec!["a".repeat(200).into(); 100];
    assert_refused(with_alpn(many), TlsOption::Alpn, "more than 4096 bytes");
    let pinned = TlsOptions {
        pins: vec![[0; 32]],
        report_only: true,
        ..none()
    };
    assert_refused(pinned, TlsOption::Pins, "`--tls-report-only`");
    let made = Certificates::new(&[]);
    let both = TlsOptions {
        expect_client_cert: true,
        ..with_client(made.path("client.pem"), made.path("client.key"))
    };
    assert_refused(both, TlsOption::ExpectClientCert, "remove `--client-cert`");
    let old = |legacy| TlsOptions {
        min_version: Some(TlsVersion::Tls10),
        legacy,
        ..none()
    };
    assert_refused(
        old(false),
        TlsOption::MinVersion,
        "TLSv1.0 is not supported",
    );
    tls::layer(old(true)).unwrap();
}

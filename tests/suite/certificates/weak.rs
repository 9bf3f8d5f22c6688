//! Keys and signatures that webpki does not verify, and certificates that only `openssl` makes.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;
use zbx_tcp::tls::certificate;
use zbx_tcp::tls::options::TlsOptions;
use zbx_tcp::tls::roots::Roots;
use zbx_tcp::tls::verify::accepts;
use zbx_tcp::tls_facts::Verification;

use super::made::{Key, Made, VerifyCase, ca, names, run, server, store};

/// The verifications without and with `--tls-legacy`.
fn both(chain: &[&CertificateDer<'_>], roots: &Roots) -> (Verification, Verification) {
    let mut case = VerifyCase::new(chain, roots);
    if let Some(leaf) = case.facts().first() {
        // What `openssl` makes is valid from its clock on.
        case.at = case.at.max(leaf.not_before + 1);
    }
    let strict = case.verify();
    case.legacy = true;
    let legacy = case.verify();
    (strict, legacy)
}

fn is_accepted(verification: &Verification) -> bool {
    let options = TlsOptions {
        legacy: true,
        ..TlsOptions::default()
    };
    accepts(verification, &options)
}

#[test]
fn weak_chains_are_verified_as_far_as_they_can_be() {
    let rsa = |bits, digest| Made::root_with(ca("Root"), Key::rsa(bits, digest));
    let leaf = || server(&["a.example"]);
    let nothing = "";
    for (root, faults, legacy_faults, accepted) in [
        (rsa(2048, "sha256"), nothing, nothing, true),
        (rsa(1024, "sha256"), "weak_key", "weak_key", true),
        (rsa(2048, "sha1"), "weak_signature", "weak_signature", true),
        (
            rsa(1024, "sha1"),
            "weak_key weak_signature",
            "weak_key weak_signature",
            true,
        ),
        // MD5 and 512 bits cannot be verified, so they are not trusted where weakness is accepted.
        (
            rsa(2048, "md5"),
            "weak_signature",
            "unknown_issuer weak_signature",
            false,
        ),
        (
            rsa(512, "sha256"),
            "weak_key",
            "unknown_issuer weak_key",
            false,
        ),
    ] {
        let issued = root.issue(leaf());
        let roots = root.store();
        let (strict, legacy) = both(&[&issued.der], &roots);
        assert_eq!(names(&strict), faults);
        assert_eq!(strict.is_verified(), faults.is_empty());
        assert_eq!(names(&legacy), legacy_faults);
        assert_eq!(is_accepted(&legacy), accepted, "{faults}");
        // Its key may be pinned.
        let mut case = VerifyCase::new(&[&issued.der], &roots);
        case.pins = vec![certificate::read(&issued.der).spki_sha256];
        case.legacy = true;
        assert!(is_accepted(&case.verify()));

        let mut changed = issued.der.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        let (strict, legacy) = both(&[&changed.into()], &roots);
        assert!(!strict.is_verified());
        assert!(!is_accepted(&legacy), "{legacy:?}");
    }
}

#[test]
fn a_weak_intermediate_certificate_is_a_fault() {
    let root = Made::root(ca("Root"));
    let middle = root.issue_with(ca("Intermediate"), Key::rsa(1024, "sha1"));
    let leaf = middle.issue(server(&["a.example"]));
    let (strict, legacy) = both(&[&leaf.der, &middle.der], &root.store());
    assert_eq!(names(&strict), "weak_key weak_signature");
    assert_eq!(
        strict.sentences,
        [
            "intermediate certificate \"CN=Intermediate\" has a weak key (RSA-1024): replace it by one with RSA of at least 2048 bits or ECDSA",
            "certificate of a.example has a weak signature (sha1WithRSAEncryption): replace it by one that is signed with SHA-256"
        ]
    );
    assert!(is_accepted(&legacy));
    // The signature of a root under itself proves nothing.
    let root = Made::root_with(ca("Root"), Key::rsa(2048, "sha1"));
    let with_sha256 = Made {
        key: Key::rsa(2048, "sha256"),
        params: root.params.clone(),
        der: root.der.clone(),
    };
    let leaf = with_sha256.issue(server(&["a.example"]));
    let presented = [&leaf.der, &root.der];
    assert_eq!(VerifyCase::new(&presented, &root.store()).faults(), "");
    let other = Made::root(ca("Other"));
    let faults = VerifyCase::new(&presented, &other.store()).faults();
    assert_eq!(faults, "unknown_issuer");
}

/// Certificates made by `openssl`.
struct OpenSsl {
    dir: TempDir,
}

impl OpenSsl {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn key(&self, name: &str, arguments: &[&str]) {
        let path = self.path(name);
        run(&[&["genpkey", "-out", &path][..], arguments].concat(), b"");
    }

    /// A certificate that is signed with its own key.
    fn root(&self, key: &str, more: &[&str]) -> CertificateDer<'static> {
        let path = self.path(key);
        let arguments = ["req", "-x509", "-new", "-key", &path, "-days", "3650"];
        let pem = run(&[&arguments[..], more].concat(), b"");
        std::fs::write(self.path(&format!("{key}.crt")), &pem).unwrap();
        CertificateDer::from_pem_slice(&pem).unwrap()
    }

    /// A certificate for `a.example`, signed with the key of a root.
    fn leaf(&self, root: &str, more: &[&str]) -> CertificateDer<'static> {
        self.key(
            "leaf",
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        );
        let request = run(
            &[
                "req",
                "-new",
                "-key",
                &self.path("leaf"),
                "-subj",
                "/CN=a.example",
            ],
            b"",
        );
        let (certificate, key) = (self.path(&format!("{root}.crt")), self.path(root));
        let arguments = [
            "x509",
            "-req",
            "-CA",
            &certificate,
            "-CAkey",
            &key,
            "-days",
            "90",
        ];
        let pem = run(&[&arguments[..], more].concat(), &request);
        CertificateDer::from_pem_slice(&pem).unwrap()
    }

    /// A file with extensions.
    fn extensions(&self, text: &str) -> String {
        let path = self.path("extensions");
        std::fs::write(&path, text).unwrap();
        path
    }
}

#[test]
fn what_cannot_be_verified_is_never_called_verified() {
    let openssl = OpenSsl::new();
    let extensions = openssl.extensions("subjectAltName=DNS:a.example\n");
    for (name, arguments, key, sha) in [
        (
            "P-521",
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"][..],
            "ECDSA-P521",
            "ecdsa-with-SHA256",
        ),
        ("Ed448", &["-algorithm", "ED448"], "Ed448", "ED448"),
        (
            "P-224",
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"],
            "ECDSA-P224",
            "ecdsa-with-SHA256",
        ),
        (
            "DSA",
            &["-paramfile", "DSA-parameters"],
            "DSA-2048",
            "dsa_with_SHA256",
        ),
    ] {
        let parameters = openssl.path("DSA-parameters");
        if name == "DSA" {
            let bits = "dsa_paramgen_bits:2048";
            run(
                &[
                    "genpkey",
                    "-genparam",
                    "-algorithm",
                    "DSA",
                    "-pkeyopt",
                    bits,
                    "-out",
                    &parameters,
                ],
                b"",
            );
        }
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| {
                if *argument == "DSA-parameters" {
                    &parameters
                } else {
                    *argument
                }
            })
            .collect();
        openssl.key(name, &arguments);
        let root = openssl.root(name, &["-subj", &format!("/CN={name}")]);
        let leaf = openssl.leaf(name, &["-extfile", &extensions]);
        let (strict, legacy) = both(&[&leaf, &root], &store(&[&root]));
        let expected = format!(
            "the signature of the certificate of a.example by \"CN={name}\" ({sha} with {key}) cannot be verified by zbx-tcp: pin the key of the server with `--pin-sha256`"
        );
        for verification in [strict, legacy] {
            assert_eq!(names(&verification), "unknown_issuer");
            assert_eq!(verification.error, expected);
            assert!(!is_accepted(&verification));
        }
        let other = Made::root(ca("Other"));
        let (strict, _) = both(&[&leaf, &root], &other.store());
        assert_eq!(names(&strict), "unknown_issuer");
        let (strict, _) = both(&[&root], &other.store());
        assert_eq!(names(&strict), "name_mismatch self_signed");
        // As a trusted certificate itself it needs no signature.
        let (strict, _) = both(&[&leaf], &store(&[&leaf]));
        assert_eq!(names(&strict), "");
    }
}

#[test]
fn old_appliances_have_version_1_and_other_oddities() {
    let openssl = OpenSsl::new();
    openssl.key(
        "key",
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
    );
    let root = openssl.root("key", &["-subj", "/CN=Old root", "-md5"]);
    // Without extensions `openssl x509` makes version 1.
    let first = openssl.leaf("key", &["-sha1", "-set_serial", "-5"]);
    let facts = certificate::read(&first);
    assert_eq!(&*facts.serial, "-05");
    assert_eq!(&*facts.signature, "sha1WithRSAEncryption");
    let (strict, legacy) = both(&[&first], &store(&[&root]));
    let faults = "name_mismatch malformed weak_key weak_signature";
    assert_eq!(names(&strict), faults);
    assert_eq!(names(&legacy), faults);
    assert!(
        strict.sentences[1].contains("it is of version 1, not 3"),
        "{strict:?}"
    );
    let other = Made::root(ca("Other"));
    let (strict, _) = both(&[&first], &other.store());
    assert_eq!(
        names(&strict),
        "name_mismatch unknown_issuer malformed weak_signature"
    );
    // A root of version 1 may be trusted.
    openssl.key(
        "new",
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    );
    openssl.root("new", &["-subj", "/CN=Root of version 3"]);
    let request = run(
        &[
            "req",
            "-new",
            "-key",
            &openssl.path("new"),
            "-subj",
            "/CN=Root of version 1",
        ],
        b"",
    );
    let key = openssl.path("new");
    let pem = run(
        &["x509", "-req", "-signkey", &key, "-days", "3650"],
        &request,
    );
    std::fs::write(openssl.path("new.crt"), &pem).unwrap();
    let root = CertificateDer::from_pem_slice(&pem).unwrap();
    let extensions = openssl.extensions("subjectAltName=DNS:a.example\n");
    let leaf = openssl.leaf("new", &["-extfile", &extensions]);
    let (strict, _) = both(&[&leaf], &store(&[&root]));
    assert_eq!(names(&strict), "");
}

#[test]
fn critical_extensions_must_be_known() {
    let openssl = OpenSsl::new();
    openssl.key(
        "key",
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    );
    let root = openssl.root("key", &["-subj", "/CN=Root"]);
    for (line, flaw) in [
        ("keyUsage=critical,digitalSignature", None),
        ("extendedKeyUsage=critical,serverAuth", None),
        ("basicConstraints=critical,CA:FALSE", None),
        ("certificatePolicies=1.2.3", None),
        ("1.2.3.4=DER:0500", None),
        ("1.3.6.1.5.5.7.1.1=DER:0500", None),
        ("1.3.6.1.5.5.7.1.24=DER:0500", None),
        (
            "1.2.3.4=critical,DER:0500",
            Some("its critical extension 1.2.3.4 is unknown"),
        ),
        (
            "certificatePolicies=critical,1.2.3",
            Some("its critical extension certificatePolicies is unknown"),
        ),
        (
            "1.3.6.1.4.1.11129.2.4.3=critical,DER:0500",
            Some("its critical extension CT poison (a precertificate) is unknown"),
        ),
        (
            "2.5.29.37=DER:0500",
            Some("its extension extKeyUsage cannot be read: it has an unexpected tag"),
        ),
    ] {
        let extensions = openssl.extensions(&format!("subjectAltName=DNS:a.example\n{line}\n"));
        let leaf = openssl.leaf("key", &["-extfile", &extensions]);
        let (strict, _) = both(&[&leaf], &store(&[&root]));
        let expected =
            flaw.map(|flaw| format!("certificate of a.example is malformed: {flaw}: replace it"));
        assert_eq!(strict.sentences, expected.as_slice(), "{line}");
    }
}

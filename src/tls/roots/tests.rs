use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use rcgen::{CertificateParams, KeyPair};

use super::*;

fn certificate(name: &str, last_year: i32) -> String {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2010, 1, 1);
    params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().pem()
}

fn parse(pem: impl AsRef<[u8]>) -> Result<(usize, usize), String> {
    Roots::from_pem(Path::new("file"), pem.as_ref()).map(|roots| (roots.number, roots.skipped))
}

#[test]
fn broken_certificates_are_skipped_and_counted() {
    let (a, b) = (certificate("a", 2100), certificate("b", 2100));
    assert_eq!(parse(format!("{a}{b}")), Ok((2, 0)));
    assert_eq!(parse(format!("text\n{a}# text\n\n{b}")), Ok((2, 0)));
    assert_eq!(parse(a.replace('\n', "\r\n")), Ok((1, 0)));
    // Base64 that is not valid, a certificate that is none, and one without its end.
    let header = "-----BEGIN CERTIFICATE-----";
    let footer = "-----END CERTIFICATE-----\n";
    for broken in [
        a.replacen("\nM", "\n*", 1),
        format!("{header}\nAAAA\n{footer}"),
        format!("{header}\n{footer}"),
    ] {
        assert_eq!(parse(format!("{broken}{b}")), Ok((1, 1)), "{broken}");
        assert_eq!(parse(format!("{b}{broken}")), Ok((1, 1)), "{broken}");
        assert!(parse(&broken).unwrap_err().contains("1 cannot be read"));
    }
    assert_eq!(
        parse(format!("{b}{}", a.replace(footer.trim(), ""))),
        Ok((1, 1))
    );
    // A key does no harm, and is not a certificate.
    let key = KeyPair::generate().unwrap().serialize_pem();
    assert_eq!(parse(format!("{key}{a}")), Ok((1, 0)));
}

#[test]
fn a_store_without_certificates_says_what_it_is() {
    let key = KeyPair::generate().unwrap();
    let der = key.serialize_der();
    let trusted = certificate("a", 2100).replace(" CERTIFICATE", " TRUSTED CERTIFICATE");
    for (bytes, expected) in [
        (&b""[..], "is empty"),
        (b" \n\n", "is empty"),
        (&der, "not PEM but DER"),
        (key.serialize_pem().as_bytes(), "private key"),
        (trusted.as_bytes(), "format of OpenSSL"),
        (b"hello", "no certificate in PEM"),
        (&[0xff; 1000], "no certificate in PEM"),
        (b"-----BEGIN CERTIFICATE", "1 cannot be read"),
    ] {
        let why = parse(bytes).unwrap_err();
        assert!(why.contains(expected), "{why}");
        assert!(!why.contains('\n'));
    }
}

#[test]
fn expired_roots_are_last() {
    let pem = [2015, 2100, 2020, 2099].map(|year| certificate("root", year));
    let roots = Roots::from_pem(Path::new("file"), pem.concat().as_bytes()).unwrap();
    let year = |year: i64| (year - 1970) * 31_557_600;
    for (at, number) in [(2012, 4), (2017, 3), (2030, 2), (2098, 2), (2101, 0)] {
        assert_eq!(roots.unexpired(year(at)).len(), number, "{at}");
    }
    let ends: Vec<_> = roots
        .certificates
        .iter()
        .map(|der| ParsedCertificate::parse(der).unwrap().not_after)
        .collect();
    assert_eq!(ends, roots.ends);
    assert_eq!(roots.facts().number, 4);
}

#[test]
fn the_file_is_that_of_the_user_or_of_the_system() {
    let dir = tempfile::tempdir().unwrap();
    let system = dir.path().join("system");
    let system = [dir.path().join("absent"), system];
    fs::write(&system[1], "").unwrap();
    let names = [system[0].to_str().unwrap(), system[1].to_str().unwrap()];
    let locate = |file: Option<&str>, variable: Option<&str>| {
        let place = locate(file.map(Path::new), variable.map(OsString::from), &names).unwrap();
        (place.path.to_str().unwrap().to_owned(), place.named_by)
    };
    assert_eq!(
        locate(Some("a"), Some("b")),
        ("a".into(), Some("--ca-file"))
    );
    assert_eq!(locate(None, Some("b")), ("b".into(), Some("SSL_CERT_FILE")));
    assert_eq!(locate(None, Some("")), (names[1].into(), None));
    assert_eq!(locate(None, None), (names[1].into(), None));
    let error = super::locate(None, None, &names[..1]).unwrap_err();
    assert!(
        error.contains("install the package ca-certificates"),
        "{error}"
    );
}

#[test]
fn what_others_can_write_is_refused_with_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    fs::write(&path, certificate("a", 2100)).unwrap();
    assert_eq!(load(Some(&path)).unwrap().number, 1);
    fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    // The certificates are in the cache, and the mode has changed.
    let refused = load(Some(&path)).unwrap_err();
    assert_eq!(refused.status, Status::LocalError);
    let directory = dir.path().join("directory.pem");
    fs::create_dir(&directory).unwrap();
    for absent in [dir.path().join("absent.pem"), directory] {
        let other = load(Some(&absent)).unwrap_err();
        let at = |error: &LayerError, path: &Path| error.cause.replace(path.to_str().unwrap(), "F");
        assert_eq!(at(&other, &absent), at(&refused, &path));
        assert!(other.cause.contains(Refusal::SENTENCE));
    }
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    fs::File::create(&path)
        .unwrap()
        .set_len(MAX_BYTES + 1)
        .unwrap();
    let error = load(Some(&path)).unwrap_err().cause;
    assert!(error.ends_with("is larger than 8388608 bytes"), "{error}");
}

#[test]
fn a_file_is_read_again_only_when_it_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    fs::write(&path, certificate("a", 2100)).unwrap();
    let first = load(Some(&path)).unwrap();
    assert!(Arc::ptr_eq(&first, &load(Some(&path)).unwrap()));
    fs::write(&path, certificate("a", 2100) + &certificate("b", 2100)).unwrap();
    let second = load(Some(&path)).unwrap();
    assert_eq!((first.number, second.number), (1, 2));
    assert!(Arc::ptr_eq(&second, &load(Some(&path)).unwrap()));
    fs::remove_file(&path).unwrap();
    assert!(load(Some(&path)).is_err());
}

#[test]
fn the_cache_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut cache = Vec::new();
    let pem = certificate("a", 2100);
    for number in 0..MAX_CACHED_FILES + 5 {
        let path = dir.path().join(number.to_string());
        fs::write(&path, &pem).unwrap();
        let place = Place {
            path,
            named_by: None,
        };
        read_cached(&mut cache, &place).unwrap();
    }
    assert_eq!(cache.len(), MAX_CACHED_FILES);
}

#[test]
fn a_clock_before_the_build_is_wrong() {
    let built = 1_795_694_400;
    for at in [built, built + 1, built - CLOCK_TOLERANCE, i64::MAX] {
        assert_eq!(compare_clock(at, built), Ok(()));
    }
    let error = compare_clock(1_000_000_000, built).unwrap_err();
    assert_eq!(
        error,
        "the clock of this machine is wrong: its time is 2001-09-09 01:46 UTC, but this program was built at 2026-11-26 12:00 UTC: set the clock, because certificates cannot be verified without the correct time"
    );
    assert_eq!(check_clock(0).unwrap_err().status, Status::LocalError);
    assert!(check_clock(i64::MAX).is_ok());
}

/// Prints how long the store of this system takes; `cargo test -- --nocapture`.
#[test]
#[allow(clippy::disallowed_methods, reason = "it measures")]
fn the_store_of_the_system_is_read() {
    let Some(path) = SYSTEM.iter().map(Path::new).find(|path| path.exists()) else {
        println!("skipped: this system has no trust store; install ca-certificates");
        return;
    };
    let place = Place {
        path: path.to_owned(),
        named_by: None,
    };
    let start = Instant::now();
    let (roots, _) = read(&place).unwrap();
    let duration = start.elapsed();
    println!(
        "{}: {} certificates in {duration:?}",
        path.display(),
        roots.number
    );
    assert!(roots.number > 50);
    assert_eq!(roots.skipped, 0);
}

//! Hostile certificates: no panic, and bounded time.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rcgen::{SanType, date_time_ymd};
use rustls::pki_types::CertificateDer;
use zbx_tcp::tls::certificate;

use super::made::{Key, Made, VerifyCase, ca, server, store};

/// A tenth of what a probe may compute after its deadline, and the factor of a debug build under
/// load.
const LIMIT: Duration = Duration::from_secs(2);

fn bounded<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    let duration = start.elapsed();
    assert!(duration < LIMIT, "{duration:?}");
    result
}

#[test]
fn the_right_issuer_is_found_behind_many_with_its_name() {
    let root = Made::root(ca("Root"));
    let mut params = ca("Intermediate");
    params.use_authority_key_identifier_extension = false;
    let right = root.issue(params.clone());
    let others: Vec<_> = (0..35_u32)
        .map(|number| {
            params.not_before = date_time_ymd(2020, 1, 1) + Duration::from_secs(number.into());
            root.sign(&params, &Key::new())
        })
        .collect();
    let mut params = server(&["a.example"]);
    params.use_authority_key_identifier_extension = false;
    let leaf = right.issue(params);
    let mut chain = vec![&leaf.der];
    chain.extend(&others);
    chain.push(&right.der);
    let roots = store(&[&root.der]);
    let case = VerifyCase::new(&chain, &roots);
    let verification = bounded(|| case.verify());
    assert!(verification.is_verified(), "{verification:?}");
}

#[test]
fn an_endless_serial_number_is_malformed() {
    let root = Made::root(ca("Root"));
    for (length, expected) in [
        (20, true),
        (21, true),
        (64, true),
        (65, false),
        (20_000, false),
    ] {
        let mut params = server(&["a.example"]);
        params.serial_number = Some(vec![0x7f; length].into());
        let leaf = root.issue(params);
        let (chain, roots) = ([&leaf.der], store(&[&root.der]));
        let verification = VerifyCase::new(&chain, &roots).verify();
        assert_eq!(
            verification.is_verified(),
            expected,
            "{length}: {verification:?}"
        );
    }
}

#[test]
fn hundreds_of_certificates_with_one_name_take_bounded_time() {
    let root = Made::root(ca("Same"));
    // Each certifies every other one by its name, and has a valid key.
    let mut params = ca("Same");
    params.use_authority_key_identifier_extension = false;
    let keys: Vec<_> = (0..10).map(|_| Key::new()).collect();
    let others: Vec<_> = (0..200_u32)
        .map(|number| {
            let mut params = params.clone();
            params.not_before = date_time_ymd(2020, 1, 1) + Duration::from_secs(number.into());
            root.sign(&params, &keys[number as usize % 10])
        })
        .collect();
    let leaf = Made {
        params,
        key: Key::new(),
        der: root.der.clone(),
    }
    .issue(server(&["a.example"]));
    for number in [1, 5, 6, 7, 50, 200] {
        let mut chain = vec![&leaf.der];
        chain.extend(&others[..number]);
        let roots = store(&[&root.der]);
        let case = VerifyCase::new(&chain, &roots);
        let start = Instant::now();
        let verification = bounded(|| case.verify());
        println!("{number} certificates with one name: {:?}", start.elapsed());
        assert!(!verification.is_verified(), "{verification:?}");
        // Trusted, each of them.
        let roots = store(&others.iter().chain([&root.der]).collect::<Vec<_>>());
        let case = VerifyCase::new(&chain, &roots);
        assert!(!bounded(|| case.verify()).is_verified());
    }
}

#[test]
fn certificates_of_64_kib_take_bounded_time() {
    let root = Made::root(ca("Root"));
    let roots = root.store();
    let mut params = server(&["b.example"]);
    for number in 0..4_200 {
        let name = format!("n{number}.example");
        params
            .subject_alt_names
            .push(SanType::DnsName(name.try_into().unwrap()));
    }
    let big = root.issue(params).der;
    assert!((60_000..65_536).contains(&big.len()), "{}", big.len());
    let case = VerifyCase::new(&[&big], &roots);
    let verification = bounded(|| case.verify());
    assert!(
        verification
            .error
            .starts_with("certificate is for b.example, n0.example and 4199 others")
    );
    assert!(verification.error.len() < 300);
    // Thousands of extensions.
    let mut params = server(&["a.example"]);
    for number in 0..4_000 {
        let extension = super::made::extension(&[1, 2, number % 3000], &[5, 0]);
        params.custom_extensions.push(extension);
    }
    let many = root.issue(params).der;
    let case = VerifyCase::new(&[&many], &roots);
    assert!(!bounded(|| case.verify()).is_verified());
}

/// The certificates of a chain, one byte string each.
fn chain() -> Vec<Vec<u8>> {
    let root = Made::root(ca("Root"));
    let mut middle = ca("Intermediate");
    middle.custom_extensions.push(super::made::issuer_url());
    let middle = root.issue(middle);
    let mut params = server(&["a.example", "192.0.2.1"]);
    params.custom_extensions.push(super::made::must_staple());
    let leaf = middle.issue(params);
    [leaf, middle, root].map(|made| made.der.to_vec()).to_vec()
}

/// A change of one place: another byte, a length, a cut, a repetition.
#[derive(Debug, Clone)]
enum Change {
    Set(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let index = any::<prop::sample::Index>;
    let change = prop_oneof![
        6 => (index(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => index().prop_map(Change::Cut),
        1 => (index(), index()).prop_map(|(from, to)| Change::Repeat(from, to)),
        2 => (index(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
    ];
    prop::collection::vec(change, 0..6)
}

fn apply(der: &mut Vec<u8>, change: &Change) {
    if der.is_empty() {
        return;
    }
    let length = der.len();
    match change {
        Change::Set(at, byte) => der[at.index(length)] = *byte,
        Change::Cut(at) => der.truncate(at.index(length)),
        Change::Repeat(from, to) => {
            let part = der[from.index(length)..].to_vec();
            let to = to.index(length);
            der.splice(to..to, part);
        }
        Change::Insert(at, bytes) => {
            let at = at.index(length);
            der.splice(at..at, bytes.iter().copied());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_certificates_are_verified(
        all in prop::collection::vec((0..3_usize, changes()), 0..4),
        at in any::<i64>(),
        legacy in any::<bool>(),
        with_pin in any::<bool>(),
    ) {
        static CHAIN: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let chain = CHAIN.get_or_init(chain);
        let mut changed: Vec<CertificateDer<'static>> = Vec::new();
        let mut is_original = true;
        for (index, changes) in &all {
            let mut der = chain[*index].clone();
            for change in changes {
                apply(&mut der, change);
            }
            is_original &= changed.len() == *index && der == chain[*index];
            changed.push(der.into());
        }
        let root = CertificateDer::from(chain[2].clone());
        let roots = store(&[&root]);
        let mut case = VerifyCase::new(&changed.iter().collect::<Vec<_>>(), &roots);
        case.legacy = legacy;
        case.staple = true;
        if at % 4 == 0 {
            case.at = at;
        }
        if with_pin {
            case.pins = vec![certificate::read(&chain[0]).spki_sha256];
        }
        let verification = bounded(|| case.verify());
        let leaf = changed.first().map(|leaf| leaf.to_vec());
        // Without pins nothing but the original is verified.
        if verification.is_verified() && !with_pin {
            prop_assert_eq!(leaf.as_ref(), Some(&chain[0]));
        }
        if is_original && changed.len() >= 2 && at % 4 != 0 {
            prop_assert!(verification.is_verified(), "{:?}", verification);
        }
        prop_assert_eq!(verification.error.is_empty(), verification.is_verified());
        prop_assert!(!verification.error.contains(['\n', '\r', '\0']));
        prop_assert!(verification.error.len() < 1000);
        for facts in case.facts() {
            prop_assert!(facts.unreadable.is_none_or(|why| !why.contains(['\n', '\0'])));
        }
    }

    #[test]
    fn arbitrary_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let facts = certificate::read(&bytes);
        prop_assert!(facts.unreadable.is_some());
        // As the content of values of DER.
        let length = u8::try_from(bytes.len().min(127)).unwrap();
        let mut nested = vec![0x30, length];
        nested.extend(&bytes);
        certificate::read(&nested);
    }
}

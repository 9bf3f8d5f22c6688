//! Chains: what is trusted, what is missing, and what is in disorder.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use zbx_tcp::tls::certificate;
use zbx_tcp::tls_facts::days_since_1970;

use super::made::{Key, Made, VerifyCase, ca, issuer_url, noon, server, store};

/// A root, an intermediate certificate and a server.
struct Chain {
    root: Made,
    intermediate: Made,
    leaf: Made,
}

impl Chain {
    fn new() -> Self {
        Self::with(ca("Root"), ca("Intermediate"), server(&["a.example"]))
    }

    fn with(
        root: CertificateParams,
        intermediate: CertificateParams,
        leaf: CertificateParams,
    ) -> Self {
        let root = Made::root(root);
        let intermediate = root.issue(intermediate);
        let leaf = intermediate.issue(leaf);
        Self {
            root,
            intermediate,
            leaf,
        }
    }

    /// The faults of the usual chain.
    fn faults(&self) -> String {
        self.case(&[&self.leaf, &self.intermediate])
    }

    fn case(&self, chain: &[&Made]) -> String {
        let chain: Vec<_> = chain.iter().map(|made| &made.der).collect();
        VerifyCase::new(&chain, &self.root.store()).faults()
    }
}

#[test]
fn the_order_is_reported_and_refuses_nothing() {
    let chain = Chain::new();
    let (leaf, middle, root) = (&chain.leaf, &chain.intermediate, &chain.root);
    let other = &Made::root(ca("Other"));
    for (presented, faults) in [
        (&[leaf, middle][..], ""),
        (&[leaf, middle, root], ""),
        (&[leaf, root, middle], "chain_order"),
        (&[leaf, middle, middle], "chain_order"),
        (&[leaf, middle, root, root], "chain_order"),
        (&[leaf, leaf, middle], "chain_order"),
        (&[leaf, other, middle], "chain_order"),
        (&[leaf, middle, root, other], "chain_order"),
        (&[leaf], "unknown_issuer"),
        (&[leaf, root], "unknown_issuer chain_order"),
    ] {
        assert_eq!(chain.case(presented), faults);
    }
    // The certificate of the server must be the first.
    let faults = chain.case(&[middle, leaf]);
    assert_eq!(faults, "name_mismatch wrong_usage chain_order");
}

#[test]
fn what_cannot_be_read_behind_the_first_is_disorder() {
    let chain = Chain::new();
    let roots = chain.root.store();
    let garbage = CertificateDer::from(vec![0x30, 2, 4, 0]);
    let (leaf, middle) = (&chain.leaf.der, &chain.intermediate.der);
    let verification = VerifyCase::new(&[leaf, &garbage, middle], &roots).verify();
    assert!(verification.is_verified());
    assert_eq!(
        verification.sentences,
        ["certificate 2 of the chain cannot be read: remove it"]
    );
    let verification = VerifyCase::new(&[&garbage, middle], &roots).verify();
    assert!(!verification.is_verified());
    assert_eq!(
        verification.error,
        "certificate of a.example cannot be read: tbsCertificate: it has an unexpected tag: replace it"
    );
    let verification = VerifyCase::new(&[], &roots).verify();
    assert_eq!(
        verification.error,
        "the server sends no certificate: configure one"
    );
}

#[test]
fn missing_and_unknown_issuers_are_told_apart() {
    let plain = || server(&["a.example"]);
    let with_url = || {
        let mut params = plain();
        params.custom_extensions.push(issuer_url());
        params
    };
    let mut middle = ca("Intermediate");
    middle.custom_extensions.push(issuer_url());
    let chain = Chain::with(ca("Root"), middle, with_url());
    let other = Made::root(ca("Other"));
    let foreign = other.issue(ca("Foreign"));
    let under_foreign = foreign.issue(with_url());
    for (presented, faults) in [
        (&[&chain.leaf][..], "missing_intermediate"),
        (
            &[&chain.leaf, &chain.root],
            "missing_intermediate chain_order",
        ),
        (&[&chain.leaf, &other], "missing_intermediate chain_order"),
        // The last certificate of the path has no address of its issuer.
        (&[&under_foreign, &foreign], "unknown_issuer"),
        (&[&under_foreign], "missing_intermediate"),
        // The root is presented, and is not trusted.
        (&[&under_foreign, &foreign, &other], "unknown_issuer"),
        (&[&chain.intermediate.issue(plain())], "unknown_issuer"),
        (&[&Made::root(plain())], "self_signed"),
        (&[&Made::root(with_url())], "self_signed"),
    ] {
        assert_eq!(chain.case(presented), faults);
    }
    let sentence = |presented: &[&Made], roots: &Made| {
        let chain: Vec<_> = presented.iter().map(|made| &made.der).collect();
        VerifyCase::new(&chain, &roots.store()).verify().error
    };
    assert_eq!(
        sentence(&[&chain.leaf], &chain.root),
        "the server does not send the intermediate certificate \"CN=Intermediate\": configure its full chain"
    );
    assert_eq!(
        sentence(&[&chain.leaf, &chain.intermediate, &chain.root], &other),
        "the chain of a.example ends at \"CN=Root\", which is not in the trust store /roots.pem: trust it with `--ca-file`, or pin the key of the server with `--pin-sha256`"
    );
}

#[test]
fn a_trusted_certificate_may_be_that_of_the_server() {
    let other = Made::root(ca("Other"));
    let mut as_ca = ca("server");
    as_ca.subject_alt_names = server(&["a.example"]).subject_alt_names;
    for params in [server(&["a.example"]), as_ca] {
        let leaf = Made::root(params);
        let faults = |roots: &[&CertificateDer<'_>]| {
            let roots = store(roots);
            let pinned = certificate::read(&leaf.der).spki_sha256;
            let mut case = VerifyCase::new(&[&leaf.der], &roots);
            let by_roots = case.faults();
            case.pins = vec![pinned];
            (by_roots, case.faults())
        };
        assert_eq!(faults(&[&other.der]), ("self_signed".into(), String::new()));
        assert_eq!(
            faults(&[&other.der, &leaf.der]),
            (String::new(), String::new())
        );
    }
    // Trusted without its issuer; another certificate of the issuer is not.
    let chain = Chain::new();
    let second = chain.intermediate.issue(server(&["a.example"]));
    let roots = store(&[&chain.leaf.der]);
    assert_eq!(VerifyCase::new(&[&chain.leaf.der], &roots).faults(), "");
    assert_eq!(
        VerifyCase::new(&[&second.der], &roots).faults(),
        "unknown_issuer"
    );
    // Its name and dates count nevertheless.
    let mut case = VerifyCase::new(&[&chain.leaf.der], &roots);
    case.host = "b.example";
    case.at = noon(12, 31) + 400 * 86_400;
    assert_eq!(case.faults(), "expired name_mismatch");
}

#[test]
fn issuers_that_must_not_issue() {
    let no_ca = |mut params: CertificateParams| {
        params.is_ca = IsCa::ExplicitNoCa;
        params
    };
    let leaf = || server(&["a.example"]);
    let intermediate = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = ca("Intermediate");
        change(&mut params);
        Chain::with(ca("Root"), params, leaf()).faults()
    };
    let is_wrong = "wrong_usage";
    assert_eq!(intermediate(&|_| {}), "");
    assert_eq!(intermediate(&|params| params.is_ca = IsCa::NoCa), is_wrong);
    assert_eq!(
        intermediate(&|params| params.is_ca = IsCa::ExplicitNoCa),
        is_wrong
    );
    let usages = |usage: KeyUsagePurpose| intermediate(&|params| params.key_usages = vec![usage]);
    assert_eq!(usages(KeyUsagePurpose::KeyCertSign), "");
    assert_eq!(usages(KeyUsagePurpose::DigitalSignature), is_wrong);
    let purposes = |purpose: ExtendedKeyUsagePurpose| {
        intermediate(&|params| params.extended_key_usages = vec![purpose.clone()])
    };
    assert_eq!(purposes(ExtendedKeyUsagePurpose::ServerAuth), "");
    assert_eq!(purposes(ExtendedKeyUsagePurpose::ClientAuth), is_wrong);
    let root = |params| Chain::with(params, ca("Intermediate"), leaf()).faults();
    assert_eq!(root(no_ca(ca("Root"))), is_wrong);

    // A certificate of a CA is not one for a server.
    let mut as_ca = ca("server");
    as_ca.subject_alt_names = leaf().subject_alt_names;
    let chain = Chain::with(ca("Root"), ca("Intermediate"), as_ca);
    assert_eq!(chain.faults(), is_wrong);

    // One CA below the first, which may have none.
    let mut limited = ca("Limited");
    limited.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let chain = Chain::with(ca("Root"), limited, ca("Below"));
    let leaf = chain.leaf.issue(leaf());
    let presented = [&leaf, &chain.leaf, &chain.intermediate];
    assert_eq!(chain.case(&presented), is_wrong);
}

#[test]
fn servers_need_a_usage_for_servers() {
    let faults = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = server(&["a.example"]);
        change(&mut params);
        Chain::with(ca("Root"), ca("Intermediate"), params).faults()
    };
    let purposes = |purposes: &[ExtendedKeyUsagePurpose]| {
        faults(&|params| params.extended_key_usages = purposes.to_vec())
    };
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    assert_eq!(purposes(&[ServerAuth]), "");
    assert_eq!(purposes(&[ClientAuth, ServerAuth]), "");
    assert_eq!(purposes(&[ClientAuth]), "wrong_usage");
    assert_eq!(purposes(&[Any]), "wrong_usage");
    let usages = |usage: KeyUsagePurpose| faults(&|params| params.key_usages = vec![usage]);
    use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyAgreement, KeyCertSign, KeyEncipherment};
    for usage in [DigitalSignature, KeyEncipherment, KeyAgreement] {
        assert_eq!(usages(usage), "");
    }
    for usage in [KeyCertSign, CrlSign] {
        assert_eq!(usages(usage), "wrong_usage");
    }
}

#[test]
fn name_constraints_are_found_beside_other_faults() {
    let mut middle = ca("Intermediate");
    middle.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("b.example".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let mut ended = server(&["a.example"]);
    ended.not_after = date_time_ymd(2026, 6, 1);
    let chain = Chain::with(ca("Root"), middle, server(&["a.example"]));
    assert_eq!(chain.faults(), "wrong_usage");
    let leaf = chain.intermediate.issue(ended);
    let presented = [&leaf, &chain.intermediate];
    assert_eq!(chain.case(&presented), "expired wrong_usage");
    let other = Made::root(ca("Other"));
    let chain: Vec<_> = presented.iter().map(|made| &made.der).collect();
    let faults = VerifyCase::new(&chain, &other.store()).faults();
    assert_eq!(faults, "expired unknown_issuer wrong_usage");
    // The constraints of the root.
    let mut root = ca("Root");
    root.name_constraints = Some(NameConstraints {
        permitted_subtrees: Vec::new(),
        excluded_subtrees: vec![GeneralSubtree::DnsName("example".to_owned())],
    });
    let chain = Chain::with(root, ca("Intermediate"), server(&["a.example"]));
    assert_eq!(chain.faults(), "wrong_usage");
}

#[test]
fn the_dates_of_every_certificate_count() {
    let ended = |mut params: CertificateParams| {
        params.not_after = date_time_ymd(2026, 6, 1);
        params
    };
    let future = |mut params: CertificateParams| {
        params.not_before = date_time_ymd(2026, 7, 1);
        params
    };
    let (root, middle, leaf) = (ca("Root"), ca("Intermediate"), server(&["a.example"]));
    for (chain, faults) in [
        (
            Chain::with(ended(root.clone()), middle.clone(), leaf.clone()),
            "expired",
        ),
        (
            Chain::with(root.clone(), ended(middle.clone()), leaf.clone()),
            "expired",
        ),
        (
            Chain::with(root.clone(), middle.clone(), ended(leaf.clone())),
            "expired",
        ),
        (
            Chain::with(future(root.clone()), middle.clone(), leaf.clone()),
            "not_yet_valid",
        ),
        (
            Chain::with(root.clone(), future(middle.clone()), leaf.clone()),
            "not_yet_valid",
        ),
        (
            Chain::with(future(root.clone()), ended(middle.clone()), leaf.clone()),
            "expired not_yet_valid",
        ),
        (
            Chain::with(root.clone(), middle.clone(), future(ended(leaf.clone()))),
            "malformed",
        ),
    ] {
        assert_eq!(chain.faults(), faults);
    }
    // The sentences name the certificate.
    let chain = Chain::with(ended(root.clone()), middle.clone(), leaf.clone());
    let roots = chain.root.store();
    let mut case = VerifyCase::new(&[&chain.leaf.der, &chain.intermediate.der], &roots);
    case.at = noon(6, 4);
    assert_eq!(
        case.verify().error,
        "root certificate \"CN=Root\" of the trust store /roots.pem expired on 2026-06-01 00:00 UTC: update the trust store"
    );
    // The first and the last second.
    let chain = Chain::new();
    let roots = chain.root.store();
    let start = days_since_1970(2026, 1, 1).unwrap() * 86_400;
    let end = days_since_1970(2027, 1, 1).unwrap() * 86_400;
    for (at, faults) in [
        (start - 1, "not_yet_valid"),
        (start, ""),
        (end, ""),
        (end + 1, "expired"),
        (0, "not_yet_valid"),
        (i64::MIN, "not_yet_valid"),
        (i64::MAX, "expired"),
    ] {
        let mut case = VerifyCase::new(&[&chain.leaf.der, &chain.intermediate.der], &roots);
        case.at = at;
        assert_eq!(case.faults(), faults, "{at}");
    }
}

#[test]
fn an_expired_root_is_not_used_if_there_is_another() {
    let chain = Chain::new();
    let mut ended = ca("Old root");
    ended.not_after = date_time_ymd(2026, 6, 1);
    let old = Made::root(ended);
    // The new root, certified by the old one.
    let cross = old.sign(&chain.root.params, &chain.root.key);
    let (leaf, middle) = (&chain.leaf.der, &chain.intermediate.der);
    let faults = |roots: &[&CertificateDer<'_>]| {
        let roots = store(roots);
        VerifyCase::new(&[leaf, middle, &cross], &roots).faults()
    };
    assert_eq!(faults(&[&old.der, &chain.root.der]), "");
    assert_eq!(faults(&[&chain.root.der]), "");
    assert_eq!(faults(&[&old.der]), "expired");
}

#[test]
fn the_key_of_an_issuer_is_told_from_its_name() {
    // The same name, another key.
    let chain = Chain::new();
    let other = Made::root(ca("Root"));
    let roots = other.store();
    let presented = [&chain.leaf.der, &chain.intermediate.der];
    assert_eq!(
        VerifyCase::new(&presented, &roots).faults(),
        "unknown_issuer"
    );
    // Without key identifiers only the signature distinguishes them.
    let mut middle = ca("Intermediate");
    middle.use_authority_key_identifier_extension = false;
    let chain = Chain::with(ca("Root"), middle, server(&["a.example"]));
    let presented = [&chain.leaf.der, &chain.intermediate.der];
    assert_eq!(
        VerifyCase::new(&presented, &roots).faults(),
        "bad_signature"
    );
    // Both are trusted.
    let both = store(&[&other.der, &chain.root.der]);
    assert_eq!(VerifyCase::new(&presented, &both).faults(), "");
    // An RSA key cannot have made the signature of a curve.
    let rsa = Made::root_with(ca("Root"), Key::rsa(2048, "sha256"));
    let faults = VerifyCase::new(&presented, &rsa.store()).faults();
    assert_eq!(faults, "bad_signature");
    // The intermediate certificate was replaced by another with the same name.
    let mut leaf = server(&["a.example"]);
    leaf.use_authority_key_identifier_extension = false;
    let leaf = chain.intermediate.issue(leaf);
    let replaced = chain.root.issue(ca("Intermediate"));
    assert_eq!(chain.case(&[&leaf, &replaced]), "bad_signature");
    assert_eq!(
        chain.case(&[&leaf, &replaced, &chain.intermediate]),
        "chain_order"
    );
}

#[test]
fn every_changed_byte_of_a_certificate_is_noticed() {
    let chain = Chain::new();
    let roots = chain.root.store();
    let (leaf, middle) = (&chain.leaf.der, &chain.intermediate.der);
    for index in 0..leaf.len() {
        for bit in [0, 3, 7] {
            let mut changed = leaf.to_vec();
            changed[index] ^= 1 << bit;
            let changed = CertificateDer::from(changed);
            let case = VerifyCase::new(&[&changed, middle], &roots);
            assert!(!case.verify().is_verified(), "byte {index} bit {bit}");
        }
    }
    let mut longer = leaf.to_vec();
    longer.push(0);
    let longer = CertificateDer::from(longer);
    let verification = VerifyCase::new(&[&longer, middle], &roots).verify();
    assert_eq!(
        verification.error,
        "certificate of a.example is malformed: bytes follow it: replace it"
    );
    assert_eq!(certificate::read(&longer), certificate::read(leaf));
}

#[test]
fn long_chains_are_verified_up_to_the_limit_of_webpki() {
    let root = Made::root(ca("Root"));
    let roots = root.store();
    let mut issuers: Vec<Made> = Vec::new();
    for number in 1..10 {
        let last = issuers.last().unwrap_or(&root);
        let next = last.issue(ca(&format!("Intermediate {number}")));
        let leaf = next.issue(server(&["a.example"]));
        issuers.push(next);
        let mut chain = vec![&leaf.der];
        chain.extend(issuers.iter().rev().map(|issuer| &issuer.der));
        let verification = VerifyCase::new(&chain, &roots).verify();
        assert_eq!(
            verification.is_verified(),
            number <= 6,
            "{number}: {verification:?}"
        );
    }
}

#[test]
fn the_right_intermediate_certificate_is_found_among_many() {
    let chain = Chain::new();
    let roots = chain.root.store();
    // The same CA, certified by CAs that nobody trusts.
    let others: Vec<_> = (0..20)
        .map(|number| {
            let other = Made::root(ca(&format!("Other {number}")));
            other.sign(&chain.intermediate.params, &chain.intermediate.key)
        })
        .collect();
    let mut presented = vec![&chain.leaf.der];
    presented.extend(&others);
    presented.push(&chain.intermediate.der);
    assert_eq!(VerifyCase::new(&presented, &roots).faults(), "chain_order");
    presented.pop();
    let faults = VerifyCase::new(&presented, &roots).faults();
    assert_eq!(faults, "unknown_issuer chain_order");
}

//! Which certificates are for which hosts (RFC 9525).

use rcgen::{DnType, SanType};

use super::made::{Made, VerifyCase, ca, params, server};

#[test]
fn names_match_as_in_rfc_9525() {
    let root = Made::root(ca("Root"));
    let store = root.store();
    for (names, host, matches) in [
        (&["a.example"][..], "a.example", true),
        (&["a.example"], "A.Example", true),
        (&["A.EXAMPLE"], "a.example", true),
        (&["a.example"], "a.example.", true),
        (&["b.example", "c.example", "a.example"], "a.example", true),
        (&["a.example"], "b.a.example", false),
        (&["a.example"], "example", false),
        (&["a.example"], "aa.example", false),
        (&["a.example"], "a.example.org", false),
        // A wildcard is the whole first label, and stands for one label.
        (&["*.example.com"], "a.example.com", true),
        (&["*.EXAMPLE.com"], "A.example.COM.", true),
        (&["*.example.com"], "xn--bcher-kva.example.com", true),
        (&["*.example.com"], "example.com", false),
        (&["*.example.com"], "a.b.example.com", false),
        (&["*.example.com"], "*.example.com", false),
        (&["a*.example.com"], "ab.example.com", false),
        (&["*a.example.com"], "ba.example.com", false),
        (&["a.*.com"], "a.example.com", false),
        (&["*.*.com"], "a.example.com", false),
        (&["*"], "example", false),
        (&["*."], "example", false),
        (&["xn--bcher-kva.example"], "xn--bcher-kva.example", true),
        (&["xn--bcher-kva.example"], "bucher.example", false),
        (&["_sip.example"], "_sip.example", true),
        // Such a presented name is not valid.
        (&["a.example."], "a.example", false),
        (&[""], "a.example", false),
        (&["a.example\0.evil.example"], "a.example", false),
        (&["a.example "], "a.example", false),
        // Addresses are compared with addresses.
        (&["192.0.2.1"], "192.0.2.1", true),
        (&["192.0.2.1"], "192.0.2.2", false),
        (&["2001:db8::1"], "2001:db8::1", true),
        (&["2001:db8::1"], "2001:db8:0:0::1", true),
        (&["fe80::1"], "fe80::1%eth0", true),
        (&["192.0.2.1"], "::ffff:192.0.2.1", true),
        (&["::ffff:192.0.2.1"], "::ffff:192.0.2.1", true),
        (&["::ffff:192.0.2.1"], "192.0.2.1", false),
        (&["192.0.2.1"], "::ffff:192.0.2.2", false),
        (&["a.example"], "192.0.2.1", false),
        (&["192.0.2.1"], "a.example", false),
        (&["*.0.2.1"], "192.0.2.1", false),
    ] {
        let mut params = params("a.example");
        for name in names {
            params.subject_alt_names.push(match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*name).try_into().unwrap()),
            });
        }
        let leaf = root.issue(params).der;
        let mut case = VerifyCase::new(&[&leaf], &store);
        if host == "*.example.com" {
            // Not a host that can be probed.
            continue;
        }
        case.host = host;
        let expected = if matches { "" } else { "name_mismatch" };
        assert_eq!(case.faults(), expected, "{names:?} {host}");
    }
}

#[test]
fn a_literal_address_as_dns_name_is_not_an_address() {
    let root = Made::root(ca("Root"));
    let store = root.store();
    let mut params = params("192.0.2.1");
    let name = SanType::DnsName("192.0.2.1".try_into().unwrap());
    params.subject_alt_names.push(name);
    let leaf = root.issue(params).der;
    let mut case = VerifyCase::new(&[&leaf], &store);
    case.host = "192.0.2.1";
    assert_eq!(case.faults(), "name_mismatch");
}

#[test]
fn the_common_name_is_not_a_name() {
    let root = Made::root(ca("Root"));
    let store = root.store();
    let leaf = root.issue(params("a.example")).der;
    let verification = VerifyCase::new(&[&leaf], &store).verify();
    assert_eq!(
        verification.error,
        "certificate has no subjectAltName (the common name a.example is not verified, RFC 9525): issue one with the subjectAltName a.example"
    );
    let mut params = server(&["b.example", "192.0.2.1", "c.example", "d.example"]);
    params
        .distinguished_name
        .push(DnType::CommonName, "a.example");
    let leaf = root.issue(params).der;
    let verification = VerifyCase::new(&[&leaf], &store).verify();
    assert_eq!(
        verification.error,
        "certificate is for b.example, 192.0.2.1 and 2 others, not for a.example: add a.example to its names, or verify another name with `--sni`"
    );
}

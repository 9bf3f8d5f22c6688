//! Precedence of the lists, notations of addresses, and hostile files.

use proptest::prelude::*;

use super::*;

/// The decision as text.
fn decide(file: &str, address: &str, port: u16) -> String {
    Policy::from_text(file.as_bytes())
        .decide(address.parse().unwrap(), Port::new(port).unwrap())
        .to_string()
}

/// The same without the line.
fn decided(file: &str, address: &str, port: u16) -> String {
    let text = decide(file, address, port);
    text.split(" (line").next().unwrap().to_owned()
}

#[test]
fn deny_wins_and_a_nonempty_allow_denies_the_rest() {
    let allow = "allow = [\"10.0.0.0/8\", \"192.0.2.7:22,443\"]";
    let deny = "deny = [\"10.0.0.0/24\", \"10.0.1.0/24:22\", \"10.0.0.7\"]";
    let both = format!("{allow}\n{deny}");
    for (file, address, port, expected) in [
        (allow, "10.1.2.3", 1, "allowed: allow[1]"),
        (allow, "192.0.2.7", 443, "allowed: allow[2]"),
        (allow, "192.0.2.7", 80, "denied: no allow rule matches"),
        (allow, "2001:db8::1", 80, "denied: no allow rule matches"),
        (deny, "10.0.0.7", 80, "denied: deny[1]"),
        (deny, "10.0.1.1", 22, "denied: deny[2]"),
        (deny, "10.0.1.1", 23, "allowed: no deny rule matches"),
        (deny, "2001:db8::1", 23, "allowed: no deny rule matches"),
        (&both, "10.0.0.7", 80, "denied: deny[1]"),
        (&both, "10.0.1.1", 80, "allowed: allow[1]"),
        (&both, "10.0.1.1", 22, "denied: deny[2]"),
        (&both, "11.0.0.1", 22, "denied: no allow rule matches"),
        (
            "allow = []\ndeny = [\"10.0.0.0/8\"]",
            "11.0.0.1",
            22,
            "allowed: no deny rule matches",
        ),
        (
            "allow = [\"10.0.0.0/8\"]\ndeny = []",
            "10.0.0.1",
            22,
            "allowed: allow[1]",
        ),
    ] {
        assert_eq!(
            decided(file, address, port),
            expected,
            "{file} {address} {port}"
        );
    }
}

#[test]
fn a_service_is_limited_to_its_hosts() {
    let hosts =
        ["10.0.0.0/8:22", "2001:db8::/32", "64:ff9b::/96"].map(|word| word.parse().unwrap());
    let policy = Policy::of_service("till", hosts.to_vec());
    for (address, port, expected) in [
        ("10.1.2.3", 22, "allowed: allowed by services.till.hosts"),
        (
            "::ffff:10.1.2.3",
            22,
            "allowed: allowed by services.till.hosts",
        ),
        ("10.1.2.3", 23, "denied: not listed in services.till.hosts"),
        ("11.0.0.1", 22, "denied: not listed in services.till.hosts"),
        ("2001:db8::1", 9, "allowed: allowed by services.till.hosts"),
        (
            "64:ff9b::10.0.0.1",
            22,
            "allowed: allowed by services.till.hosts",
        ),
        (
            "64:ff9b::11.0.0.1",
            22,
            "denied: the embedded address 11.0.0.1 is not listed in services.till.hosts",
        ),
        (
            "2002:a00:1::",
            22,
            "denied: not listed in services.till.hosts",
        ),
    ] {
        let decision = policy.decide(address.parse().unwrap(), Port::new(port).unwrap());
        assert_eq!(decision.to_string(), expected, "{address} {port}");
    }
    let any = policy.decide("0.0.0.0".parse().unwrap(), Port::new(22).unwrap());
    assert_eq!(any, Decision::Denied(Reason::Unspecified));
}

#[test]
fn a_rule_is_named_by_its_index_and_line() {
    let file = "# who\n\ndeny = [\n  \"10.0.0.1\", # one\n  \"10.0.0.2\",\n]\n";
    assert_eq!(
        decide(file, "10.0.0.2", 22),
        "denied: deny[2] (line 5 of /etc/zbx-tcp/policy.toml)"
    );
}

#[test]
fn a_file_without_rules_denies_everything() {
    let expected = "denied: /etc/zbx-tcp/policy.toml has neither allow nor deny rules";
    for file in [
        "",
        "\n",
        "# nothing yet\n",
        "allow = []",
        "deny = []",
        "allow = []\ndeny = []",
    ] {
        assert_eq!(decide(file, "127.0.0.1", 22), expected, "{file:?}");
    }
}

#[test]
fn a_denied_ipv4_address_is_denied_in_every_notation() {
    let deny = "deny = [\"10.0.0.0/8:22\"]";
    for (address, expected) in [
        ("10.0.0.1", "denied: deny[1]"),
        ("::ffff:10.0.0.1", "denied: deny[1]"),
        (
            "::10.0.0.1",
            "denied: deny[1], for the embedded address 10.0.0.1",
        ),
        (
            "64:ff9b::a00:1",
            "denied: deny[1], for the embedded address 10.0.0.1",
        ),
        (
            "2002:a00:1::",
            "denied: deny[1], for the embedded address 10.0.0.1",
        ),
        (
            "64:ff9b:1::10.0.0.1",
            "denied: deny[1], for the embedded address 10.0.0.1",
        ),
        (
            "64:ff9b:1:a00:0:100:c000:207",
            "denied: deny[1], for the embedded address 10.0.0.1",
        ),
        (
            "2001:0:c000:207::f5ff:fffe",
            "denied: deny[1], for the embedded address 10.0.0.1",
        ),
        (
            "::ffff:0:10.0.0.1",
            "denied: deny[1], for the embedded address 10.0.0.1",
        ),
        (
            "2001:db8::5efe:10.0.0.1",
            "denied: deny[1], for the embedded address 10.0.0.1",
        ),
        (
            "2002:a00:1:ffff::7",
            "denied: deny[1], for the embedded address 10.0.0.1",
        ),
        ("2002:b00:1::", "allowed: no deny rule matches"),
        ("::ffff:11.0.0.1", "allowed: no deny rule matches"),
        ("::1", "allowed: no deny rule matches"),
    ] {
        assert_eq!(decided(deny, address, 22), expected, "{address}");
    }
    assert_eq!(
        decided(deny, "::ffff:10.0.0.1", 23),
        "allowed: no deny rule matches"
    );
}

#[test]
fn an_allow_list_must_also_allow_the_embedded_address() {
    let v6 = "allow = [\"::/0\"]";
    assert_eq!(decided(v6, "2001:db8::1", 22), "allowed: allow[1]");
    assert_eq!(
        decided(v6, "64:ff9b::a00:1", 22),
        "denied: no allow rule matches the embedded address 10.0.0.1"
    );
    assert_eq!(
        decided(v6, "::ffff:10.0.0.1", 22),
        "denied: no allow rule matches"
    );
    let v4 = "allow = [\"10.0.0.0/8\"]";
    assert_eq!(decided(v4, "::ffff:10.0.0.1", 22), "allowed: allow[1]");
    assert_eq!(
        decided(v4, "64:ff9b::a00:1", 22),
        "denied: no allow rule matches"
    );
    let both = "allow = [\"64:ff9b::/96\", \"10.0.0.0/8\"]";
    assert_eq!(decided(both, "64:ff9b::a00:1", 22), "allowed: allow[1]");
}

#[test]
fn the_unspecified_address_is_denied_if_there_are_rules() {
    let deny = "deny = [\"127.0.0.0/8\", \"::1\"]";
    for address in ["0.0.0.0", "::", "::ffff:0.0.0.0", "64:ff9b::", "2002::1"] {
        assert!(
            decide(deny, address, 22).starts_with("denied: this address means any address"),
            "{address}"
        );
    }
    assert!(
        Policy::allow_all()
            .decide("0.0.0.0".parse().unwrap(), Port::new(22).unwrap())
            .is_allowed()
    );
}

#[test]
fn an_invalid_file_denies_everything_and_names_the_line() {
    let list = "not a list: write it as";
    let toml = "not valid TOML: ";
    for (file, place, why) in [
        (
            "deny = []\n\nalow = [\"10.0.0.0/8\"]",
            "3: key `alow`: ",
            "unknown key",
        ),
        ("[rules]\nallow = []", "1: key `rules`: ", "unknown key"),
        ("allow = \"10.0.0.0/8\"", "1: key `allow`: ", list),
        ("deny = true", "1: key `deny`: ", list),
        ("deny = 10", "1: key `deny`: ", list),
        ("[deny]\nx = 1", "1: key `deny`: ", list),
        ("[[deny]]\nx = 1", "1: key `deny[1]`: ", "not a text"),
        (
            "deny = [\"10.0.0.0/8\", 22]",
            "1: key `deny[2]`: ",
            "not a text",
        ),
        (
            "deny = [[\"10.0.0.0/8\"]]",
            "1: key `deny[1]`: ",
            "not a text",
        ),
        (
            "deny = [\n\"10.0.0.0/8\",\n\"10.0.0.0/99\"]",
            "3: key `deny[2]`: ",
            "from 0 to 32",
        ),
        (
            "allow = [\"10.0.0.1/8\"]",
            "1: key `allow[1]`: ",
            "host bits are set",
        ),
        (
            "allow = [\"10.0.0.1:http\"]",
            "1: key `allow[1]`: ",
            "a port is not a number",
        ),
        (
            "allow = [\"mx1.example.org\"]",
            "1: key `allow[1]`: ",
            "not an address or network",
        ),
        (
            "allow = [\"\"]",
            "1: key `allow[1]`: ",
            "not an address or network",
        ),
        ("x = 1\ndeny = [\"y\"]", "1: key `x`: ", "(and 1 more)"),
        ("allow = [\n\"10.0.0.0/8\"", "2: ", toml),
        ("allow = []\nallow = []", "2: ", toml),
        ("allow", "1: ", toml),
        ("\u{0}", "1: ", toml),
    ] {
        let text = decide(file, "127.0.0.1", 22);
        let start = format!("denied: policy file is invalid: /etc/zbx-tcp/policy.toml:{place}");
        assert!(
            text.starts_with(&start) && text.contains(why),
            "{file:?}: {text}"
        );
        assert!(!text.contains(['\n', '\0']), "{text:?}");
    }
}

#[test]
fn a_file_that_is_not_utf_8_names_the_line() {
    let text = Policy::from_text(b"deny = []\n# \xff")
        .decide([127, 0, 0, 1].into(), Port::new(1).unwrap())
        .to_string();
    assert_eq!(
        text,
        "denied: policy file is invalid: /etc/zbx-tcp/policy.toml:2: not UTF-8"
    );
}

#[test]
fn errors_never_contain_a_value_of_the_file() {
    for file in [
        "hunter2",
        "hunter2 = hunter2",
        "hunter2:x:0",
        "\"hunter2 is the password\" = 1",
        "deny = [\"hunter2\"]",
        "deny = [\"10.0.0.0/hunter2\"]",
        "deny = [\"10.0.0.0:hunter2\"]",
        "deny = \"hunter2\"",
        "deny = [hunter2]",
        "deny = \"hunter2",
        "deny = 1979-05-27Thunter2",
        "deny = \"\\hunter2\"",
        "deny = []\ndeny.hunter2 = 1",
        "deny = { hunter2 = 1 }",
        "a = 1\n[a.hunter2]",
        "root:$6$hunter2$x:19000:0:99999:7:::\n",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n",
    ] {
        let text = decide(file, "127.0.0.1", 22);
        assert!(
            text.starts_with("denied: policy file is invalid: "),
            "{file}: {text}"
        );
        assert!(!text.contains("hunter2"), "{file}: {text}");
    }
}

#[test]
fn deep_and_long_files_are_harmless() {
    let deep = format!("deny = {}", "[".repeat(500_000));
    assert!(
        decide(&deep, "127.0.0.1", 22).contains("not valid TOML"),
        "nesting is bounded"
    );
    let long = format!("deny = [{}]", "\"10.0.0.1:1-2,3\",".repeat(50_000));
    assert_eq!(decided(&long, "10.0.0.1", 3), "denied: deny[1]");
    let wrong = format!("deny = [{}]", "\"x\",".repeat(50_000));
    assert!(decide(&wrong, "10.0.0.1", 3).ends_with("(and 49999 more)"));
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    let notations = (0_usize..6, any::<u32>()).prop_map(|(kind, bits)| {
        let v4 = std::net::Ipv4Addr::from(bits);
        let [a, b, c, d] = v4.octets().map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        let segments = match kind {
            0 => return v4.into(),
            1 => [0, 0, 0, 0, 0, 0xffff, high, low],
            2 => [0, 0, 0, 0, 0, 0, high, low],
            3 => [0x64, 0xff9b, 0, 0, 0, 0, high, low],
            4 => [0x2002, high, low, 0, 0, 0, 0, 1],
            _ => [0x2001, 0xdb8, high, low, 0, 0, 0, 1],
        };
        IpAddr::from(segments)
    });
    prop_oneof![
        notations,
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into()))
    ]
}

/// A rule that matches exactly this address.
fn rule(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
        IpAddr::V4(v4) => format!("\"{v4}\""),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deny_wins_over_any_allow(address in addresses(), port in 1_u16.., before in 0_usize..3) {
        let others = "\"198.51.100.1\", ".repeat(before);
        let file = format!("allow = [\"0.0.0.0/0\", \"::/0\"]\ndeny = [{others}{}]", rule(address));
        let text = decided(&file, &address.to_string(), port);
        let expected = format!("denied: deny[{}]", before + 1);
        prop_assert!(text == expected || text.starts_with("denied: it means any"), "{text}");
    }

    #[test]
    fn what_is_denied_in_one_notation_is_denied_in_all(bits in 1_u32.., port in 1_u16..) {
        let v4 = std::net::Ipv4Addr::from(bits);
        let file = format!("allow = [\"0.0.0.0/0\", \"::/0\"]\ndeny = [\"{v4}\"]");
        let policy = Policy::from_text(file.as_bytes());
        for text in [v4.to_string(), format!("::ffff:{v4}"), format!("64:ff9b::{v4}")] {
            prop_assert!(!policy.decide(text.parse().unwrap(), Port::new(port).unwrap()).is_allowed(), "{text}");
        }
    }

    #[test]
    fn random_bytes_allow_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..60), address in addresses()) {
        let decision = Policy::from_text(&bytes).decide(address, Port::new(22).unwrap());
        prop_assert!(!decision.is_allowed(), "random bytes allow nothing: {decision}");
    }

    #[test]
    fn any_entry_is_accepted_or_refused(entry in "[\\[\\]0-9a-f:./,x -]{0,24}", address in addresses()) {
        let text = decide(&format!("deny = [\"{entry}\"]"), &address.to_string(), 22);
        prop_assert!(text.starts_with("denied: ") || text == "allowed: no deny rule matches", "{text}");
    }
}

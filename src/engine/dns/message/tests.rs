use proptest::prelude::*;
use simple_dns::rdata::{A, AAAA, CNAME};
use simple_dns::{OPCODE, RCODE};

use super::*;

const ID: u16 = 0x1234;
const NAME: &str = "db1.example.org";

/// A response of a recursive server to the query of these tests.
fn answer(records: &[(&'static str, RData<'static>)]) -> Packet<'static> {
    let mut packet = Packet::new_reply(ID);
    packet.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
    packet.questions.push(Question::new(
        Name::new_unchecked(NAME),
        TYPE::A.into(),
        CLASS::IN.into(),
        false,
    ));
    for (owner, data) in records {
        packet.answers.push(ResourceRecord::new(
            Name::new_unchecked(owner),
            CLASS::IN,
            60,
            data.clone(),
        ));
    }
    packet
}

fn a(last: u8) -> RData<'static> {
    RData::A(A {
        address: u32::from(Ipv4Addr::new(192, 0, 2, last)),
    })
}

fn cname(target: &'static str) -> RData<'static> {
    RData::CNAME(CNAME(Name::new_unchecked(target)))
}

fn parse_packet(packet: &Packet<'_>) -> ParsedResponse {
    parse_bytes(packet.build_bytes_vec_compressed().unwrap())
}

fn parse_bytes(mut bytes: Vec<u8>) -> ParsedResponse {
    parse_response(&mut bytes, ID, NAME, RecordKind::A)
}

fn found(response: ParsedResponse) -> (String, Option<String>) {
    match response {
        ParsedResponse::Found(found) => {
            let addresses: Vec<_> = found.addresses.iter().map(ToString::to_string).collect();
            (addresses.join(" "), found.canonical)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_query_has_the_format_of_the_rfc() {
    let bytes = build_query(ID, "db1.example.org", RecordKind::Aaaa).unwrap();
    assert_eq!(
        bytes,
        b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03db1\x07example\x03org\0\0\x1c\0\x01"
    );
    assert_eq!(build_query(ID, &"a".repeat(64), RecordKind::A), None);
}

#[test]
fn addresses_keep_the_order_of_the_response() {
    let packet = answer(&[
        (NAME, a(9)),
        ("DB1.Example.ORG", a(7)),
        (NAME, RData::AAAA(AAAA { address: 1 })),
    ]);
    assert_eq!(
        found(parse_packet(&packet)),
        ("192.0.2.9 192.0.2.7".into(), None)
    );
}

#[test]
fn unrelated_owners_are_ignored() {
    let packet = answer(&[
        ("other.example.org", a(66)),
        (NAME, a(7)),
        ("example.org", a(67)),
    ]);
    assert_eq!(found(parse_packet(&packet)).0, "192.0.2.7");
    assert_eq!(
        parse_packet(&answer(&[("other.example.org", a(66))])),
        ParsedResponse::NoData
    );
}

#[test]
fn cname_chains_are_followed_in_any_order() {
    let packet = answer(&[
        ("c.example", a(7)),
        ("B.example", cname("c.example")),
        (NAME, cname("b.example")),
    ]);
    assert_eq!(
        found(parse_packet(&packet)),
        ("192.0.2.7".into(), Some("c.example".into()))
    );
    // The answer lacks the addresses of the target.
    assert_eq!(
        parse_packet(&answer(&[(NAME, cname("b.example"))])),
        ParsedResponse::NoData
    );
}

#[test]
fn cname_loops_are_malformed() {
    for records in [
        vec![(NAME, cname(NAME))],
        vec![
            (NAME, cname("b.example")),
            ("b.example", cname(NAME)),
            (NAME, a(7)),
        ],
    ] {
        assert_eq!(
            parse_packet(&answer(&records)),
            ParsedResponse::Malformed("CNAME loop or chain too long")
        );
    }
}

#[test]
fn the_length_of_a_cname_chain_is_limited() {
    for (length, accepted) in [(16, true), (17, false)] {
        let names: Vec<String> = (0..=length)
            .map(|n| {
                if n == 0 {
                    NAME.into()
                } else {
                    format!("n{n}.example")
                }
            })
            .collect();
        let mut packet = answer(&[]);
        for pair in names.windows(2) {
            let target = RData::CNAME(CNAME(Name::new_unchecked(&pair[1])));
            packet.answers.push(ResourceRecord::new(
                Name::new_unchecked(&pair[0]),
                CLASS::IN,
                60,
                target,
            ));
        }
        packet.answers.push(ResourceRecord::new(
            Name::new_unchecked(&names[length]),
            CLASS::IN,
            60,
            a(7),
        ));
        assert_eq!(
            matches!(parse_packet(&packet), ParsedResponse::Found(_)),
            accepted,
            "{length}"
        );
    }
}

#[test]
fn rcodes_and_flags() {
    let with = |change: &dyn Fn(&mut Packet<'static>)| {
        let mut packet = answer(&[]);
        change(&mut packet);
        parse_packet(&packet)
    };
    assert_eq!(with(&|_| {}), ParsedResponse::NoData);
    assert_eq!(
        with(&|p| *p.rcode_mut() = RCODE::NameError),
        ParsedResponse::NxDomain
    );
    assert_eq!(
        with(&|p| *p.rcode_mut() = RCODE::ServerFailure),
        ParsedResponse::Error(2)
    );
    assert_eq!(
        with(&|p| *p.rcode_mut() = RCODE::Refused),
        ParsedResponse::Error(5)
    );
    assert_eq!(
        with(&|p| p.set_flags(PacketFlag::TRUNCATION)),
        ParsedResponse::Truncated
    );
    assert_eq!(
        with(&|p| p.remove_flags(PacketFlag::RECURSION_AVAILABLE)),
        ParsedResponse::NoRecursion
    );
    assert_eq!(with(&|p| p.set_id(ID + 1)), ParsedResponse::Unrelated);
    assert_eq!(
        with(&|p| p.remove_flags(PacketFlag::RESPONSE)),
        ParsedResponse::Unrelated
    );
    assert_eq!(
        with(&|p| *p.opcode_mut() = OPCODE::Notify),
        ParsedResponse::Unrelated
    );
    assert_eq!(
        with(&|p| p.questions.clear()),
        ParsedResponse::Malformed("not exactly one question")
    );
    let refused_without_question = with(&|p| {
        p.questions.clear();
        *p.rcode_mut() = RCODE::FormatError;
    });
    assert_eq!(refused_without_question, ParsedResponse::Error(1));
}

#[test]
fn a_response_to_another_question_is_unrelated() {
    for (name, qtype, class, ours) in [
        ("DB1.EXAMPLE.ORG", TYPE::A, CLASS::IN, true),
        ("db2.example.org", TYPE::A, CLASS::IN, false),
        (NAME, TYPE::AAAA, CLASS::IN, false),
        (NAME, TYPE::A, CLASS::CH, false),
    ] {
        let mut packet = answer(&[(NAME, a(7))]);
        packet.questions[0] =
            Question::new(Name::new_unchecked(name), qtype.into(), class.into(), false);
        assert_eq!(
            parse_packet(&packet) != ParsedResponse::Unrelated,
            ours,
            "{name}"
        );
    }
}

#[test]
fn damaged_messages_are_malformed() {
    let whole = answer(&[(NAME, a(7))])
        .build_bytes_vec_compressed()
        .unwrap();
    for length in 0..whole.len() {
        let response = parse_bytes(whole[..length].to_vec());
        assert!(
            matches!(
                response,
                ParsedResponse::Unrelated | ParsedResponse::Malformed(_)
            ),
            "{length}: {response:?}"
        );
    }
    // The owner of the record points to itself, forward, and beyond the end.
    for pointer in [[0xc0, 33], [0xc0, 34], [0xff, 0xff]] {
        let mut bytes = whole.clone();
        bytes[33..35].copy_from_slice(&pointer);
        assert_eq!(
            parse_bytes(bytes),
            ParsedResponse::Malformed("unreadable records")
        );
    }
    let mut announcing = whole.clone();
    announcing[6..8].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(
        parse_bytes(announcing),
        ParsedResponse::Malformed("fewer records than announced")
    );
}

/// `simple-dns` reads the first bytes of a longer record.
#[test]
fn an_address_record_of_a_wrong_length_is_malformed() {
    let v6 = RData::AAAA(AAAA { address: 7 });
    for (data, right) in [(a(7), 4), (v6, 16)] {
        let whole = answer(&[(NAME, data)]).build_bytes_vec().unwrap();
        let at = whole.len() - right - 2;
        for length in 0..40_usize {
            let mut bytes = whole.clone();
            bytes.truncate(at);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            bytes.extend(std::iter::repeat_n(1, length));
            let response = parse_bytes(bytes);
            let is_malformed = matches!(response, ParsedResponse::Malformed(_));
            assert_eq!(is_malformed, length != right, "{length}: {response:?}");
        }
    }
}

#[test]
fn quirks_of_real_servers_are_accepted() {
    let mut reserved_bit = answer(&[(NAME, a(7))])
        .build_bytes_vec_compressed()
        .unwrap();
    reserved_bit[3] |= 0x40;
    assert_eq!(found(parse_bytes(reserved_bit)).0, "192.0.2.7");
    // Garbage after the answers, announced as additional records.
    let mut garbage = answer(&[(NAME, a(7))])
        .build_bytes_vec_compressed()
        .unwrap();
    garbage[10..12].copy_from_slice(&[0, 3]);
    garbage.extend([0xff; 40]);
    assert_eq!(found(parse_bytes(garbage)).0, "192.0.2.7");
}

#[test]
fn the_top_bit_of_the_class_counts() {
    // Only mDNS gives the bit a meaning (RFC 6762, section 5.4); in DNS it is part of the class.
    let mut bytes = answer(&[(NAME, a(7))])
        .build_bytes_vec_compressed()
        .unwrap();
    let class = HEADER + NAME.len() + 2 + 2;
    assert_eq!(bytes[class..class + 2], [0, 1]);
    bytes[class] = 0x80;
    assert_eq!(parse_bytes(bytes), ParsedResponse::Unrelated);
}

/// TCP can carry 4094 records in 64 KiB.
#[test]
fn the_largest_response_is_parsed() {
    let records: Vec<_> = (0..250_u8)
        .cycle()
        .take(4090)
        .map(|n| (NAME, a(n)))
        .collect();
    let bytes = answer(&records).build_bytes_vec_compressed().unwrap();
    assert!(
        bytes.len() > 65_000 && bytes.len() < 65_536,
        "{}",
        bytes.len()
    );
    match parse_bytes(bytes) {
        ParsedResponse::Found(found) => assert_eq!(found.addresses.len(), 4090),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(
        tail in prop::collection::vec(any::<u8>(), 0..300),
        flags in any::<[u8; 2]>(),
    ) {
        let mut bytes = vec![0x12, 0x34, flags[0] | 0x80, flags[1]];
        bytes.extend(tail);
        parse_bytes(bytes);
    }

    #[test]
    fn no_damage_causes_a_panic(
        changes in prop::collection::vec((12..200_usize, any::<u8>()), 0..12),
    ) {
        let records = [(NAME, cname("b.example")), ("b.example", a(7)), ("b.example", a(8))];
        let packet = answer(&records);
        let mut bytes = packet.build_bytes_vec_compressed().unwrap();
        let length = bytes.len();
        for (offset, value) in changes {
            bytes[12 + (offset - 12) % (length - 12)] = value;
        }
        parse_bytes(bytes);
    }
}

/// The owner of each record is a chain of thousands of pointers, which the format allows.
#[test]
fn long_pointer_chains_are_malformed() {
    let mut bytes = answer(&[]).build_bytes_vec_compressed().unwrap();
    let mut target = 12_u16;
    let chain = 8000_u16;
    bytes.extend([0, 0, 10, 0, 1, 0, 0, 0, 0]);
    bytes.extend((chain * 2).to_be_bytes());
    for _ in 0..chain {
        let here = u16::try_from(bytes.len()).unwrap();
        bytes.extend((0xc000 | target).to_be_bytes());
        target = here;
    }
    let mut count = 1_u16;
    while bytes.len() + 12 < 65_536 {
        bytes.extend((0xc000 | target).to_be_bytes());
        bytes.extend([0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
        count += 1;
    }
    bytes[6..8].copy_from_slice(&count.to_be_bytes());
    assert_eq!(
        parse_bytes(bytes),
        ParsedResponse::Malformed("chained compression pointers")
    );
}

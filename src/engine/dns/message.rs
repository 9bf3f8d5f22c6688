//! Building queries and parsing responses (RFC 1035, section 4).
//!
//! The wire format is parsed by `simple-dns`, which only gets the question and the answer section:
//! an invalid record in the authority or additional section must not invalidate the addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

/// Length of the header (RFC 1035, section 4.1.1).
const HEADER: usize = 12;
/// Length of the shortest record: an owner of at least 1 byte, then type, class, TTL and length.
const SHORTEST_RECORD: usize = 11;
/// The numbers of the address types (RFC 1035, section 3.2.2; RFC 3596, section 2.1).
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
/// Longest chain of CNAMEs that is followed (unbound: 12, BIND: 16).
const MAX_CHAIN: usize = 16;
/// Longest accepted chain of compression pointers. Servers point to a label; even a pointer to a
/// pointer is rare.
const MAX_POINTERS: u16 = 4;
/// Pointer chains in messages up to this size are too short to be expensive.
const SMALL: usize = 4096;

/// The type of the requested records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses (RFC 3596).
    Aaaa,
}

impl RecordKind {
    fn qtype(self) -> QTYPE {
        match self {
            Self::A => TYPE::A.into(),
            Self::Aaaa => TYPE::AAAA.into(),
        }
    }
}

/// The meaning of a received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedResponse {
    /// Not a response to this query: another id or question, or not a response at all. It may be
    /// forged.
    Unrelated,
    /// The id matches, but the message is invalid; with the reason.
    Malformed(&'static str),
    /// TC is set: repeat the query over TCP.
    Truncated,
    /// An error code (RFC 1035, section 4.1.1), neither 0 nor 3.
    Error(u8),
    /// The server is not authoritative for the name and offers no recursion.
    NoRecursion,
    /// RCODE 3: the name, or the target of its CNAME, does not exist.
    NxDomain,
    /// The name exists but has no addresses of this kind.
    NoData,
    /// The name has addresses.
    Found(AddressRecords),
}

/// The addresses in a response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressRecords {
    /// In the order of the response.
    pub addresses: Vec<IpAddr>,
    /// The name at the end of the CNAME chain, if there is one. Not escaped for printing.
    pub canonical: Option<String>,
}

/// Builds a recursive query; `None` if `name` is not a valid DNS name.
///
/// Without EDNS: 512 bytes hold 28 addresses, larger answers come over TCP, and some servers and
/// firewalls mishandle EDNS.
pub fn build_query(id: u16, name: &str, kind: RecordKind) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(
        Name::new(name).ok()?,
        kind.qtype(),
        CLASS::IN.into(),
        false,
    ));
    packet.build_bytes_vec().ok()
}

/// Parses a response to the query with this id, name and kind. Modifies the header in `bytes`.
pub fn parse_response(bytes: &mut [u8], id: u16, name: &str, kind: RecordKind) -> ParsedResponse {
    let Some(header) = Header::take(bytes) else {
        return ParsedResponse::Unrelated;
    };
    if header.id != id || !header.is_response {
        return ParsedResponse::Unrelated;
    }
    // With an error code, a server may omit the question that it did not understand.
    if header.questions == 0 && header.is_error() {
        return ParsedResponse::Error(header.rcode);
    }
    if header.questions != 1 {
        return ParsedResponse::Malformed("not exactly one question");
    }
    match has_question(bytes, name, kind) {
        Some(true) => {}
        Some(false) => return ParsedResponse::Unrelated,
        None => return ParsedResponse::Malformed("unreadable question"),
    }
    if header.truncated {
        return ParsedResponse::Truncated;
    }
    if header.is_error() {
        return ParsedResponse::Error(header.rcode);
    }
    parse_answers(bytes, &header, name, kind)
}

/// The fields of the header (RFC 1035, section 4.1.1).
struct Header {
    id: u16,
    is_response: bool,
    truncated: bool,
    /// Whether the server is authoritative (AA) or offers recursion (RA).
    resolves: bool,
    rcode: u8,
    questions: u16,
    answers: u16,
}

impl Header {
    /// Parses the header and clears all section counts but the one of the question section, so that
    /// `simple-dns` parses the question only.
    ///
    /// Also clears the reserved bit, which some servers set and `simple-dns` rejects.
    fn take(bytes: &mut [u8]) -> Option<Self> {
        let header: &mut [u8; HEADER] = bytes.first_chunk_mut()?;
        let [id1, id2, flags1, flags2, qd1, qd2, an1, an2, ..] = *header;
        let opcode = (flags1 >> 3) & 0xf;
        let parsed = Self {
            id: u16::from_be_bytes([id1, id2]),
            is_response: flags1 & 0x80 != 0 && opcode == 0,
            truncated: flags1 & 0x02 != 0,
            resolves: flags1 & 0x04 != 0 || flags2 & 0x80 != 0,
            rcode: flags2 & 0x0f,
            questions: u16::from_be_bytes([qd1, qd2]),
            answers: u16::from_be_bytes([an1, an2]),
        };
        *header = [id1, id2, flags1, flags2 & !0x40, qd1, qd2, 0, 0, 0, 0, 0, 0];
        Some(parsed)
    }

    fn is_error(&self) -> bool {
        !matches!(self.rcode, 0 | 3)
    }
}

/// Whether the question section has this question; `None` if it cannot be parsed.
fn has_question(bytes: &[u8], name: &str, kind: RecordKind) -> Option<bool> {
    let packet = Packet::parse(bytes).ok()?;
    let question = packet.questions.first()?;
    let same = question.qname == Name::new(name).ok()?
        && question.qtype == kind.qtype()
        && question.qclass == QCLASS::CLASS(CLASS::IN)
        && !question.unicast_response;
    Some(same)
}

fn parse_answers(
    bytes: &mut [u8],
    header: &Header,
    name: &str,
    kind: RecordKind,
) -> ParsedResponse {
    // `simple-dns` allocates for the announced count, so check it against the length first.
    if usize::from(header.answers) > bytes.len().saturating_sub(HEADER) / SHORTEST_RECORD {
        return ParsedResponse::Malformed("fewer records than announced");
    }
    if bytes.len() > SMALL && longest_pointer_chain(bytes) > MAX_POINTERS {
        return ParsedResponse::Malformed("chained compression pointers");
    }
    if let Some(count) = bytes.get_mut(6..8) {
        count.copy_from_slice(&header.answers.to_be_bytes());
    }
    let (Ok(packet), Ok(queried)) = (Packet::parse(bytes), Name::new(name)) else {
        return ParsedResponse::Malformed("unreadable records");
    };
    if !address_lengths_are_valid(bytes, header.answers) {
        return ParsedResponse::Malformed("an address record of a wrong length");
    }
    let Ok((owner, hops)) = follow_cnames(&packet.answers, &queried) else {
        return ParsedResponse::Malformed("CNAME loop or chain too long");
    };
    if header.rcode == 3 {
        return ParsedResponse::NxDomain;
    }
    let addresses: Vec<IpAddr> = packet
        .answers
        .iter()
        .filter_map(|record| address(record, owner, kind))
        .collect();
    match (addresses.is_empty(), hops, header.resolves) {
        (true, 0, false) => ParsedResponse::NoRecursion,
        (true, ..) => ParsedResponse::NoData,
        (false, ..) => ParsedResponse::Found(AddressRecords {
            addresses,
            canonical: (hops > 0).then(|| owner.to_string()),
        }),
    }
}

/// Whether each A record has 4 bytes and each AAAA record 16, which `simple-dns` does not check
/// (RFC 1035, section 3.4.1; RFC 3596, section 2.2). It has parsed the records.
fn address_lengths_are_valid(bytes: &[u8], answers: u16) -> bool {
    let question = bytes.get(HEADER..).and_then(after_name);
    let Some(mut rest) = question.and_then(|rest| rest.get(4..)) else {
        return false;
    };
    for _ in 0..answers {
        let Some(&[t1, t2, _, _, _, _, _, _, l1, l2, ref data @ ..]) = after_name(rest) else {
            return false;
        };
        let length = usize::from(u16::from_be_bytes([l1, l2]));
        let is_valid = match u16::from_be_bytes([t1, t2]) {
            TYPE_A => length == 4,
            TYPE_AAAA => length == 16,
            _ => true,
        };
        match data.get(length..) {
            Some(next) if is_valid => rest = next,
            _ => return false,
        }
    }
    true
}

/// What follows a name: labels up to the root or a compression pointer (RFC 1035, section 4.1.4).
fn after_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        match bytes {
            [0, rest @ ..] | [0xc0..=0xff, _, rest @ ..] => return Some(rest),
            [length, rest @ ..] => bytes = rest.get(usize::from(*length)..)?,
            [] => return None,
        }
    }
}

/// The length of the longest chain of compression pointers that point to each other. Pointers go
/// backward, so one pass finds it.
///
/// `simple-dns` walks the chain for every name, which takes 200 ms for a hostile response of 64
/// KiB.
fn longest_pointer_chain(bytes: &[u8]) -> u16 {
    let limit = bytes.len().min(1 << 14);
    let mut depths = vec![0_u16; limit];
    let mut longest = 0;
    for (offset, pair) in bytes.windows(2).take(limit).enumerate() {
        let &[first, second] = pair else { continue };
        let target = usize::from(u16::from_be_bytes([first & 0x3f, second]));
        if first < 0xc0 || target >= offset {
            continue;
        }
        let depth = depths
            .get(target)
            .map_or(1, |depth| depth.saturating_add(1));
        if let Some(own) = depths.get_mut(offset) {
            *own = depth;
        }
        longest = longest.max(depth);
    }
    longest
}

/// A CNAME loop, or a chain longer than [`MAX_CHAIN`].
struct CnameChainTooLong;

/// Follows the CNAMEs from `queried`. Returns the last name and the length of the chain.
fn follow_cnames<'p>(
    records: &'p [ResourceRecord<'p>],
    queried: &'p Name<'p>,
) -> Result<(&'p Name<'p>, usize), CnameChainTooLong> {
    let mut owner = queried;
    for hops in 0..=MAX_CHAIN {
        let alias = records.iter().find_map(|record| match &record.rdata {
            RData::CNAME(target) if record.class == CLASS::IN && record.name == *owner => {
                Some(&target.0)
            }
            _ => None,
        });
        match alias {
            Some(target) => owner = target,
            None => return Ok((owner, hops)),
        }
    }
    Err(CnameChainTooLong)
}

/// The address in a record, if it is of this owner and kind.
fn address(record: &ResourceRecord<'_>, owner: &Name<'_>, kind: RecordKind) -> Option<IpAddr> {
    if record.class != CLASS::IN || record.name != *owner {
        return None;
    }
    match (&record.rdata, kind) {
        (RData::A(a), RecordKind::A) => Some(Ipv4Addr::from(a.address).into()),
        (RData::AAAA(aaaa), RecordKind::Aaaa) => Some(Ipv6Addr::from(aaaa.address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

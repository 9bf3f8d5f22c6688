//! One question and one answer as bytes (RFC 1035, section 4): what is asked, and what an answer says.
//!
//! `simple-dns` does the wire format. Only the question and the answer section are handed to it: a strange record
//! in the authority or additional section must not spoil an address, and costs nothing when it is not read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

const HEADER: usize = 12;
/// The shortest record: a root owner or a pointer is 1 byte or more, then type, class, TTL and length.
const SHORTEST_RECORD: usize = 11;
/// As many CNAMEs as other resolvers follow (unbound: 12, BIND: 16).
const MAX_CHAIN: usize = 16;
/// Servers write a pointer to a label; a pointer to a pointer is rare, and nobody needs four.
const MAX_POINTERS: u16 = 4;
/// Messages up to this size cost little whatever their pointers.
const SMALL: usize = 4096;

/// The record type that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses (RFC 3596).
    Aaaa,
}

impl Kind {
    fn qtype(self) -> QTYPE {
        match self {
            Self::A => TYPE::A.into(),
            Self::Aaaa => TYPE::AAAA.into(),
        }
    }
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Another id, another question, or no answer at all: someone else's, or forged.
    NotOurs,
    /// Ours by its id, but not a DNS message.
    Malformed(&'static str),
    /// TC is set: ask over TCP.
    Truncated,
    /// The server could not or would not (RFC 1035, section 4.1.1); never 0 or 3.
    Error(u8),
    /// The server does not resolve for us: it neither owns the name nor recurses.
    NoRecursion,
    /// RCODE 3: the name, or what it is an alias of, does not exist.
    NxDomain,
    /// The name exists without addresses of this kind.
    NoData,
    /// ResolvedAddresses.
    Found(Found),
}

/// The addresses of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// In the order of the answer.
    pub addresses: Vec<IpAddr>,
    /// The name that has them, if CNAMEs led there; may hold any bytes but no unescaped dot within a label.
    pub canonical: Option<String>,
}

/// The bytes of a recursive question; `None` for what is no DNS name.
///
/// Without EDNS: 512 bytes hold 28 addresses, TCP brings the rest, and no server or firewall is confused by an option.
pub fn query(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
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

/// Reads an answer to the question with this id, name and kind; the header of `bytes` is changed on the way.
pub fn read(bytes: &mut [u8], id: u16, name: &str, kind: Kind) -> Reading {
    let Some(header) = Header::take(bytes) else {
        return Reading::NotOurs;
    };
    if header.id != id || !header.is_answer {
        return Reading::NotOurs;
    }
    // A server that did not understand may leave the question out.
    if header.questions == 0 && header.is_error() {
        return Reading::Error(header.rcode);
    }
    if header.questions != 1 {
        return Reading::Malformed("not one question");
    }
    match asks(bytes, name, kind) {
        Some(true) => {}
        Some(false) => return Reading::NotOurs,
        None => return Reading::Malformed("unreadable question"),
    }
    if header.truncated {
        return Reading::Truncated;
    }
    if header.is_error() {
        return Reading::Error(header.rcode);
    }
    read_answers(bytes, &header, name, kind)
}

/// The 12 bytes of RFC 1035, section 4.1.1.
struct Header {
    id: u16,
    is_answer: bool,
    truncated: bool,
    /// Whether the server owns the name or recurses.
    responsible: bool,
    rcode: u8,
    questions: u16,
    answers: u16,
}

impl Header {
    /// Reads the header, and leaves one behind that announces the question section alone.
    ///
    /// The reserved bit is cleared: the codec refuses it, servers of the field set it.
    fn take(bytes: &mut [u8]) -> Option<Self> {
        let header: &mut [u8; HEADER] = bytes.first_chunk_mut()?;
        let [id1, id2, flags1, flags2, qd1, qd2, an1, an2, ..] = *header;
        let opcode = (flags1 >> 3) & 0xf;
        let read = Self {
            id: u16::from_be_bytes([id1, id2]),
            is_answer: flags1 & 0x80 != 0 && opcode == 0,
            truncated: flags1 & 0x02 != 0,
            responsible: flags1 & 0x04 != 0 || flags2 & 0x80 != 0,
            rcode: flags2 & 0x0f,
            questions: u16::from_be_bytes([qd1, qd2]),
            answers: u16::from_be_bytes([an1, an2]),
        };
        *header = [id1, id2, flags1, flags2 & !0x40, qd1, qd2, 0, 0, 0, 0, 0, 0];
        Some(read)
    }

    fn is_error(&self) -> bool {
        !matches!(self.rcode, 0 | 3)
    }
}

/// Whether the one question is this one; `None` where it cannot be read.
fn asks(bytes: &[u8], name: &str, kind: Kind) -> Option<bool> {
    let packet = Packet::parse(bytes).ok()?;
    let question = packet.questions.first()?;
    let same = question.qname == Name::new(name).ok()?
        && question.qtype == kind.qtype()
        && question.qclass == QCLASS::CLASS(CLASS::IN)
        && !question.unicast_response;
    Some(same)
}

fn read_answers(bytes: &mut [u8], header: &Header, name: &str, kind: Kind) -> Reading {
    // The codec reserves room for what the header promises, so the promise is checked first.
    if usize::from(header.answers) > bytes.len().saturating_sub(HEADER) / SHORTEST_RECORD {
        return Reading::Malformed("more records promised than sent");
    }
    if bytes.len() > SMALL && longest_pointer_chain(bytes) > MAX_POINTERS {
        return Reading::Malformed("pointers to pointers");
    }
    if let Some(count) = bytes.get_mut(6..8) {
        count.copy_from_slice(&header.answers.to_be_bytes());
    }
    let (Ok(packet), Ok(asked)) = (Packet::parse(bytes), Name::new(name)) else {
        return Reading::Malformed("unreadable records");
    };
    let Ok((owner, hops)) = follow(&packet.answers, &asked) else {
        return Reading::Malformed("endless CNAMEs");
    };
    if header.rcode == 3 {
        return Reading::NxDomain;
    }
    let addresses: Vec<IpAddr> = packet
        .answers
        .iter()
        .filter_map(|record| address(record, owner, kind))
        .collect();
    match (addresses.is_empty(), hops, header.responsible) {
        (true, 0, false) => Reading::NoRecursion,
        (true, ..) => Reading::NoData,
        (false, ..) => Reading::Found(Found {
            addresses,
            canonical: (hops > 0).then(|| owner.to_string()),
        }),
    }
}

/// How many compression pointers follow each other directly, at worst; pointers go backward, so one pass will do.
///
/// The codec walks such a chain anew for every name, which a hostile 64 KiB answer turns into 200 ms.
fn longest_pointer_chain(bytes: &[u8]) -> u16 {
    let reach = bytes.len().min(1 << 14);
    let mut depths = vec![0_u16; reach];
    let mut longest = 0;
    for (place, pair) in bytes.windows(2).take(reach).enumerate() {
        let &[first, second] = pair else { continue };
        let target = usize::from(u16::from_be_bytes([first & 0x3f, second]));
        if first < 0xc0 || target >= place {
            continue;
        }
        let depth = depths
            .get(target)
            .map_or(1, |depth| depth.saturating_add(1));
        if let Some(own) = depths.get_mut(place) {
            *own = depth;
        }
        longest = longest.max(depth);
    }
    longest
}

/// A CNAME loop, or a chain longer than [`MAX_CHAIN`].
struct Endless;

/// Follows the aliases of the answer, and says how many there were.
fn follow<'p>(
    records: &'p [ResourceRecord<'p>],
    asked: &'p Name<'p>,
) -> Result<(&'p Name<'p>, usize), Endless> {
    let mut owner = asked;
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
    Err(Endless)
}

fn address(record: &ResourceRecord<'_>, owner: &Name<'_>, kind: Kind) -> Option<IpAddr> {
    if record.class != CLASS::IN || record.name != *owner {
        return None;
    }
    match (&record.rdata, kind) {
        (RData::A(a), Kind::A) => Some(Ipv4Addr::from(a.address).into()),
        (RData::AAAA(aaaa), Kind::Aaaa) => Some(Ipv6Addr::from(aaaa.address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

//! Whether a silent peer hangs or was cut off: what became of the bytes that were sent, from the
//! kernel's statistics of the connection (`TCP_INFO`).
//!
//! Nothing is said where the statistics do not prove it: where too little time has passed since the
//! last bytes, where the kernel is too old, or where packets may still be on their way.

use std::net::SocketAddr;
use std::time::Duration;

use crate::os::socket::TcpExchange;

/// How often the retransmission timer must expire before packets count as lost. It doubles each
/// time, so the peer's acknowledgement is late by at least three times the initial timeout.
const TIMEOUTS: u8 = 2;
/// Length of the TCP header without options.
const TCP_HEADER: u32 = 20;

/// What is known of the peer besides the statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum PeerAnswer {
    /// Nothing has come since the last bytes were sent.
    Nothing,
    /// The same, in the handshake of a layer: the peer may not support its protocol.
    NoHandshake,
    /// Data has come, but not all that was expected.
    Incomplete,
}

/// One sentence about the connection to this address; `None` if nothing is certain. `limit` is the
/// time that the peer had for its answer, and `connect_mss` the segment size when the connection was
/// established. The sentence is the same in each run with the same fault:
/// it has no times.
pub(in crate::engine) fn sentence(
    exchange: &TcpExchange,
    remote: SocketAddr,
    connect_mss: Option<u32>,
    answer: PeerAnswer,
    limit: Duration,
) -> Option<String> {
    let TcpExchange {
        acked,
        in_flight,
        not_sent,
        ..
    } = *exchange;
    let is_all_acked = in_flight + not_sent == 0 && exchange.segments_in_flight == 0;
    if is_all_acked && acked == 0 {
        // Nothing was sent, so nothing is known beyond the silence.
        return None;
    }
    if is_all_acked {
        // A peer that had little time since the last bytes may only be slow.
        let quiet = exchange.since_sent.min(exchange.since_received);
        return (quiet.saturating_mul(2) >= limit).then(|| acknowledged(exchange, answer));
    }
    if is_window_closed(exchange) {
        let text =
            "the peer takes no more of our bytes (zero window): the service does not read them";
        return Some(text.to_owned());
    }
    (exchange.timeouts >= TIMEOUTS && in_flight > 0)
        .then(|| not_acknowledged(exchange, remote, connect_mss))
}

/// The sentence if the peer's kernel has acknowledged everything.
fn acknowledged(exchange: &TcpExchange, answer: PeerAnswer) -> String {
    let start = format!("the peer acknowledged our {}", bytes(exchange.acked));
    // A hanging service sends nothing, so nothing can be out of order.
    if exchange.out_of_order > 0 {
        return format!("{start}, and packets of its answer are lost on the way");
    }
    match (answer, exchange.received) {
        (PeerAnswer::Nothing, 0) => format!("{start} and says nothing: the service hangs"),
        (PeerAnswer::NoHandshake, 0) => {
            format!("{start} and says nothing: the service hangs, or does not speak TLS")
        }
        (PeerAnswer::Nothing | PeerAnswer::NoHandshake, _) => {
            format!("{start} and says nothing more: the service hangs")
        }
        // The answer may be complete.
        (PeerAnswer::Incomplete, _) => format!("{start} and says nothing more"),
    }
}

/// Whether bytes wait because the receive window of the peer is closed, and at least one window
/// probe did not open it.
fn is_window_closed(exchange: &TcpExchange) -> bool {
    let is_closed = match exchange.window {
        Some(window) => window == 0 || exchange.segments_in_flight == 0,
        None => exchange.segments_in_flight == 0,
    };
    is_closed && exchange.not_sent > 0 && exchange.window_probes > 0
}

/// Bytes were retransmitted several times, and the peer has not acknowledged them.
fn not_acknowledged(
    exchange: &TcpExchange,
    remote: SocketAddr,
    connect_mss: Option<u32>,
) -> String {
    let lost = exchange.in_flight;
    let ours = exchange.acked + lost + exchange.not_sent;
    let retransmits = match exchange.retransmits {
        1 => "1 retransmit".to_owned(),
        number => format!("{number} retransmits"),
    };
    let start = if lost == ours {
        format!("our {} were not acknowledged ({retransmits})", bytes(ours))
    } else {
        let ours = bytes(ours);
        format!("{lost} of our {ours} were not acknowledged ({retransmits})")
    };
    // The kernel has made the segments smaller, if a router has reported a smaller MTU.
    let reported_before = connect_mss.filter(|before| exchange.mss < *before);
    let Some(size) = black_hole(exchange, remote, reported_before) else {
        return format!("{start}: packets are lost on the way");
    };
    let reported = if reported_before.is_some() {
        "although a router reported this path MTU"
    } else {
        "and no router reported a smaller MTU"
    };
    format!(
        "{start}: packets of {size} bytes are lost, smaller ones arrive, {reported}: \
         path MTU black hole"
    )
}

/// The size of the packets that a router drops because they are too large for its link, without the
/// ICMP message that would let the kernel send smaller ones (RFC 2923): full segments do not arrive,
/// although they were sent several times, and smaller ones do.
fn black_hole(
    exchange: &TcpExchange,
    remote: SocketAddr,
    reported_before: Option<u32>,
) -> Option<u32> {
    // After a report, the kernel splits only the segments that it retransmits; the others keep
    // their size.
    let (full, segments) = match reported_before {
        None => (exchange.mss.into(), exchange.segments_in_flight.into()),
        Some(mss) => (
            u64::from(mss),
            exchange.in_flight.div_ceil(u64::from(mss.max(1))),
        ),
    };
    let arrived = u64::from(exchange.segments_sacked);
    let lost = segments.checked_sub(arrived)?;
    // The bytes of the segments that arrived, if all lost segments are full.
    let rest = exchange.in_flight.checked_sub(lost.checked_mul(full)?)?;
    let most = if arrived == 1 { full } else { full / 2 };
    // If several segments are nearly full on average, they may be full ones and a short one.
    let are_small = rest > 0 && rest < arrived * most;
    if lost == 0 || exchange.mss == 0 || !are_small {
        return None;
    }
    let ip = if remote.is_ipv4() { 20 } else { 40 };
    let options = if exchange.has_timestamps { 12 } else { 0 };
    exchange.mss.checked_add(ip + TCP_HEADER + options)
}

/// `1 byte`, `6 bytes`.
fn bytes(number: u64) -> String {
    if number == 1 {
        "1 byte".to_owned()
    } else {
        format!("{number} bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    fn remote() -> SocketAddr {
        "192.0.2.7:25".parse().unwrap()
    }

    fn said(exchange: TcpExchange) -> Option<String> {
        sentence(&exchange, remote(), Some(1448), PeerAnswer::Nothing, LIMIT)
    }

    /// Six bytes that the peer has acknowledged; the whole limit has passed since then.
    fn acked() -> TcpExchange {
        TcpExchange {
            acked: 6,
            window: Some(65536),
            mss: 1448,
            has_timestamps: true,
            since_sent: LIMIT,
            since_received: LIMIT,
            ..TcpExchange::default()
        }
    }

    /// 517 bytes in one segment that the peer has not acknowledged.
    fn lost() -> TcpExchange {
        TcpExchange {
            acked: 0,
            in_flight: 517,
            segments_in_flight: 1,
            retransmits: 4,
            timeouts: 3,
            ..acked()
        }
    }

    #[test]
    fn a_peer_that_acknowledged_everything_hangs() {
        let hangs = "the peer acknowledged our 6 bytes and says nothing: the service hangs";
        assert_eq!(said(acked()).unwrap(), hangs);
        let received = TcpExchange {
            received: 20,
            ..acked()
        };
        let hangs = "the peer acknowledged our 6 bytes and says nothing more: the service hangs";
        assert_eq!(said(received).unwrap(), hangs);
        let no_tls = sentence(&acked(), remote(), None, PeerAnswer::NoHandshake, LIMIT);
        let end = " and says nothing: the service hangs, or does not speak TLS";
        assert!(no_tls.unwrap().ends_with(end));
        let incomplete = sentence(&received, remote(), None, PeerAnswer::Incomplete, LIMIT);
        let stopped = "the peer acknowledged our 6 bytes and says nothing more";
        assert_eq!(incomplete.unwrap(), stopped);
        let one = TcpExchange {
            acked: 1,
            out_of_order: 2,
            ..received
        };
        let text =
            "the peer acknowledged our 1 byte, and packets of its answer are lost on the way";
        assert_eq!(said(one).unwrap(), text);
    }

    #[test]
    fn a_peer_that_had_less_than_half_of_its_time_may_only_be_slow() {
        let since_sent = |millis| TcpExchange {
            since_sent: Duration::from_millis(millis),
            ..acked()
        };
        assert_eq!(said(since_sent(999)), None);
        assert!(said(since_sent(1000)).is_some());
        let sends_on = TcpExchange {
            since_received: Duration::from_millis(1),
            received: 9,
            ..acked()
        };
        assert_eq!(said(sends_on), None);
    }

    #[test]
    fn nothing_is_said_of_the_service_where_nothing_was_sent() {
        let none = TcpExchange {
            acked: 0,
            ..acked()
        };
        assert_eq!(said(none), None);
        let received = TcpExchange {
            received: 3,
            ..none
        };
        assert_eq!(said(received), None);
    }

    #[test]
    fn packets_are_lost_after_several_timeouts() {
        let text =
            "our 517 bytes were not acknowledged (4 retransmits): packets are lost on the way";
        assert_eq!(said(lost()).unwrap(), text);
        let partly = TcpExchange {
            acked: 6,
            not_sent: 2,
            retransmits: 1,
            timeouts: 2,
            ..lost()
        };
        let text = "517 of our 525 bytes were not acknowledged (1 retransmit): packets are lost on the way";
        assert_eq!(said(partly).unwrap(), text);
        let early = TcpExchange {
            timeouts: 1,
            ..lost()
        };
        assert_eq!(said(early), None);
        // A FIN.
        let fin = TcpExchange {
            in_flight: 0,
            ..lost()
        };
        assert_eq!(said(fin), None);
    }

    #[test]
    fn a_closed_window_is_named_once_the_peer_was_asked() {
        let full = TcpExchange {
            acked: 40_000,
            not_sent: 9_000,
            window: Some(0),
            window_probes: 2,
            ..acked()
        };
        let text =
            "the peer takes no more of our bytes (zero window): the service does not read them";
        assert_eq!(said(full).unwrap(), text);
        let old = TcpExchange {
            window: None,
            ..full
        };
        assert_eq!(said(old).unwrap(), text);
        let open = TcpExchange {
            window_probes: 0,
            ..full
        };
        assert_eq!(said(open), None);
        // Fewer bytes than a segment: the sender waits for more (RFC 9293, section 3.8.6.2.1).
        let small = TcpExchange {
            window: Some(100),
            ..full
        };
        assert_eq!(said(small).unwrap(), text);
    }

    #[test]
    fn a_black_hole_is_certain_if_a_smaller_later_segment_arrived() {
        // Two full segments and 104 bytes.
        let hole = TcpExchange {
            acked: 6,
            in_flight: 3000,
            segments_in_flight: 3,
            segments_sacked: 1,
            ..lost()
        };
        let text = "3000 of our 3006 bytes were not acknowledged (4 retransmits): packets of 1500 bytes \
                    are lost, smaller ones arrive, and no router reported a smaller MTU: \
                    path MTU black hole";
        assert_eq!(said(hole).unwrap(), text);
        let v6 = "[fd77::2]:25".parse().unwrap();
        let in_v6 = TcpExchange {
            mss: 1440,
            has_timestamps: false,
            ..hole
        };
        let text = sentence(&in_v6, v6, Some(1440), PeerAnswer::Nothing, LIMIT).unwrap();
        assert!(text.contains("packets of 1500 bytes are lost"), "{text}");
        // 1448, 1448 and 104 bytes; the first is split, as a router has reported a path MTU of 1300.
        let reported = TcpExchange {
            segments_in_flight: 4,
            mss: 1248,
            ..hole
        };
        let text = said(reported).unwrap();
        let end = "packets of 1300 bytes are lost, smaller ones arrive, although a router reported \
                   this path MTU: path MTU black hole";
        assert!(text.ends_with(end), "{text}");
        for other in [
            // All segments are lost.
            TcpExchange {
                segments_sacked: 0,
                ..hole
            },
            // A full segment arrived as well.
            TcpExchange {
                segments_sacked: 2,
                ..hole
            },
            // Everything arrived but the first acknowledgement.
            TcpExchange {
                segments_sacked: 3,
                ..hole
            },
            TcpExchange {
                segments_sacked: 4,
                ..hole
            },
            // The last segment is a full one.
            TcpExchange {
                in_flight: 3 * 1448,
                ..hole
            },
            // Small segments.
            TcpExchange {
                in_flight: 30,
                ..hole
            },
            TcpExchange { mss: 0, ..hole },
        ] {
            let text = said(other).unwrap();
            assert!(text.ends_with(": packets are lost on the way"), "{text}");
        }
    }
}

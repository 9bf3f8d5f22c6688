//! The table of statuses, and [`Failure`]: why a probe failed, with its status.
//!
//! A failure is data in a [`Report`](crate::report::Report), never `Err`. Its text is built where
//! the cause is known.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// The result of a probe. The numbers are published (documents, value maps, triggers) and never
/// change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// Everything that was expected was verified.
    Ok = 0,
    /// The name does not exist or has no address of the requested family.
    ResolveFailed = 1,
    /// The resolver did not answer in time.
    ResolveTimeout = 2,
    /// RST to our SYN, or ICMP port unreachable.
    Refused = 3,
    /// No route, or ICMP host, network or protocol unreachable or prohibited.
    Unreachable = 4,
    /// No answer to our SYN.
    ConnectTimeout = 5,
    /// The peer reset the established connection.
    Reset = 6,
    /// The peer closed the connection before it sent the expected answer.
    Closed = 7,
    /// Connected, but the expected answer did not arrive in time.
    ReadTimeout = 8,
    /// The answer is not the expected one.
    Mismatch = 9,
    /// The answer matched a reject pattern.
    Rejected = 10,
    /// The TLS handshake failed.
    TlsFailed = 11,
    /// The certificate did not verify.
    TlsUntrusted = 12,
    /// STARTTLS is not offered or was refused.
    TlsRefused = 13,
    /// The policy of this machine forbids the target; nothing was sent.
    Denied = 14,
    /// This machine could not probe: no descriptors, memory, ports or permission.
    LocalError = 15,
    /// The port was expected to be closed, but accepted the connection.
    UnexpectedlyOpen = 16,
    /// The run ended before the target was probed.
    NotTried = 17,
}

/// A row of the status table.
#[derive(Debug, Clone, Copy)]
pub struct StatusRow {
    /// The status.
    pub status: Status,
    /// Its published name.
    pub name: &'static str,
    /// The meaning, for documentation.
    pub meaning: &'static str,
    /// What the user should look at next; empty if nothing.
    pub advice: &'static str,
}

/// All statuses, in the order of their numbers.
pub const STATUSES: [StatusRow; 18] = [
    row(Status::Ok, "ok", "every requested check passed", ""),
    row(
        Status::ResolveFailed,
        "resolve_failed",
        "the name does not exist, or has no address of the requested family",
        "check the spelling, /etc/resolv.conf and the search list; -4 and -6 allow only one address family",
    ),
    row(
        Status::ResolveTimeout,
        "resolve_timeout",
        "the resolver did not answer in time",
        "the name servers in /etc/resolv.conf do not answer: check one with `zbx-tcp check SERVER 53`",
    ),
    row(
        Status::Refused,
        "refused",
        "the connection was refused",
        "nothing listens on this port, or a firewall rejects the connection: check that the service is running and listens on this address",
    ),
    row(
        Status::Unreachable,
        "unreachable",
        "no route, or a router or firewall rejected the connection",
        "check the route to this address, and the router or firewall that rejected the connection",
    ),
    row(
        Status::ConnectTimeout,
        "connect_timeout",
        "no answer to the SYN",
        "the host is down, a firewall drops the packets, or the accept queue of the service is full",
    ),
    row(
        Status::Reset,
        "reset",
        "the peer reset the open connection",
        "the service accepted and then reset the connection: check its log, its access list and its connection limit",
    ),
    row(
        Status::Closed,
        "closed",
        "the peer closed the connection before it sent the expected answer",
        "the service closed the connection: check its log and its access list",
    ),
    row(
        Status::ReadTimeout,
        "read_timeout",
        "connected, but the expected answer did not arrive in time",
        "the service accepts connections but does not answer: it may hang, be overloaded, or expect different input",
    ),
    row(
        Status::Mismatch,
        "mismatch",
        "the answer is not the expected one",
        "compare the response with the expected answer, and check that the right service listens on this port",
    ),
    row(
        Status::Rejected,
        "rejected",
        "the answer matched a reject pattern",
        "the service reports a problem: see the response",
    ),
    row(
        Status::TlsFailed,
        "tls_failed",
        "the TLS handshake failed",
        "check that this is a TLS port, and which TLS versions it supports",
    ),
    row(
        Status::TlsUntrusted,
        "tls_untrusted",
        "the certificate could not be verified",
        "check the names, the dates and the issuer of the certificate",
    ),
    row(
        Status::TlsRefused,
        "tls_refused",
        "STARTTLS is not offered or was refused",
        "the server does not offer TLS on this port",
    ),
    row(
        Status::Denied,
        "denied",
        "the policy of the probing machine denies this target; nothing was sent",
        "check /etc/zbx-tcp/policy.toml and `hosts` of the service; the state of the target is unknown",
    ),
    row(
        Status::LocalError,
        "local_error",
        "the probing machine could not run the probe",
        "the cause is on the probing machine; the state of the target is unknown",
    ),
    row(
        Status::UnexpectedlyOpen,
        "unexpectedly_open",
        "the port was expected to be closed, but accepts connections",
        "find the program that listens on this port with `ss -ltnp` on the target",
    ),
    row(
        Status::NotTried,
        "not_tried",
        "the run ended before this target was probed",
        "raise the deadline or the concurrency; the state of the target is unknown",
    ),
];

const fn row(
    status: Status,
    name: &'static str,
    meaning: &'static str,
    advice: &'static str,
) -> StatusRow {
    StatusRow {
        status,
        name,
        meaning,
        advice,
    }
}

impl Status {
    /// The published number, 0 to 17.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The row of this status in the table.
    pub const fn row(self) -> &'static StatusRow {
        &STATUSES[self as usize]
    }

    /// The published name, such as `connect_timeout`.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether the state of the target could not be determined.
    pub const fn is_unknown(self) -> bool {
        matches!(self, Self::Denied | Self::LocalError | Self::NotTried)
    }
}

/// The ICMP or `ICMPv6` message that ended a connect (RFC 792, RFC 4443), from the error queue of
/// the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpFact {
    /// The message's type, such as 3 for destination unreachable (1 in `ICMPv6`).
    pub kind: u8,
    /// The message's code, such as 13 for administratively prohibited.
    pub code: u8,
    /// The sender, if the kernel reports it.
    pub from: Option<IpAddr>,
    /// The protocol that defines type and code.
    pub version: IcmpVersion,
}

/// The version of ICMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpVersion {
    /// RFC 792.
    V4,
    /// RFC 4443.
    V6,
}

impl fmt::Display for IcmpFact {
    /// `10.0.0.1 says administratively prohibited (ICMP type 3 code 13)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(from) => write!(f, "{from}")?,
            None => f.write_str("an unnamed sender")?,
        }
        let (meaning, kind, code) = (self.meaning(), self.kind, self.code);
        write!(f, " says {meaning} (ICMP type {kind} code {code})")
    }
}

impl IcmpFact {
    /// Whether the port is unreachable, which refuses a connect (`ECONNREFUSED`).
    pub fn is_port_unreachable(&self) -> bool {
        matches!(
            (self.version, self.kind, self.code),
            (IcmpVersion::V4, 3, 3) | (IcmpVersion::V6, 1, 4)
        )
    }

    /// Whether the time to live of a packet ended on its way (`ICMPv6`: the hop limit).
    pub fn is_time_exceeded(&self) -> bool {
        matches!(
            (self.version, self.kind, self.code),
            (IcmpVersion::V4, 11, 0) | (IcmpVersion::V6, 3, 0)
        )
    }

    /// The meaning with type and code: `administratively prohibited (ICMP type 3 code 13)`.
    pub fn description(&self) -> String {
        let Self { kind, code, .. } = self;
        format!("{} (ICMP type {kind} code {code})", self.meaning())
    }

    /// The meaning of the message, in the terms of RFC 1122, RFC 1812 and RFC 4443.
    pub fn meaning(&self) -> &'static str {
        match (self.version, self.kind, self.code) {
            (IcmpVersion::V4, 3, 0) => "network unreachable",
            (IcmpVersion::V4, 3, 1) => "host unreachable",
            (IcmpVersion::V4, 3, 2) => "protocol unreachable",
            (IcmpVersion::V4, 3, 3) | (IcmpVersion::V6, 1, 4) => "port unreachable",
            (IcmpVersion::V4, 3, 4) => "fragmentation needed",
            (IcmpVersion::V4, 3, 5) => "source route failed",
            (IcmpVersion::V4, 3, 6) => "destination network unknown",
            (IcmpVersion::V4, 3, 7) => "destination host unknown",
            (IcmpVersion::V4, 3, 8) => "source host isolated",
            (IcmpVersion::V4, 3, 9) => "network administratively prohibited",
            (IcmpVersion::V4, 3, 10) => "host administratively prohibited",
            (IcmpVersion::V4, 3, 11) => "network unreachable for this type of service",
            (IcmpVersion::V4, 3, 12) => "host unreachable for this type of service",
            (IcmpVersion::V4, 3, 13) | (IcmpVersion::V6, 1, 1) => "administratively prohibited",
            (IcmpVersion::V4, 3, 14) => "host precedence violation",
            (IcmpVersion::V4, 3, 15) => "precedence cutoff in effect",
            (IcmpVersion::V4, 11, _) => "time to live exceeded",
            (IcmpVersion::V4, 12, _) | (IcmpVersion::V6, 4, _) => "parameter problem",
            (IcmpVersion::V6, 1, 0) => "no route to destination",
            (IcmpVersion::V6, 1, 2) => "beyond scope of source address",
            (IcmpVersion::V6, 1, 3) => "address unreachable",
            (IcmpVersion::V6, 1, 5) => "source address failed ingress/egress policy",
            (IcmpVersion::V6, 1, 6) => "reject route to destination",
            (IcmpVersion::V6, 3, _) => "hop limit exceeded",
            _ => "an ICMP error",
        }
    }
}

/// Why a probe failed: a status and a text that names operation, subject and cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The status.
    pub status: Status,
    /// The text: one line without control characters.
    pub text: String,
    /// The ICMP message that caused it, if any.
    pub icmp: Option<IcmpFact>,
    /// A cause that the failures of other targets can have as well, such as a name server that does
    /// not answer: one sentence, in which nothing depends on the target or on the time.
    pub shared: Option<Box<str>>,
}

impl Failure {
    /// A failure with this text.
    pub fn new(status: Status, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            icmp: None,
            shared: None,
        }
    }

    /// A failure whose whole text is a cause that other targets can have as well.
    pub fn common(status: Status, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            shared: Some(text.as_str().into()),
            ..Self::new(status, text)
        }
    }

    /// The failure with a cause that other targets can have as well.
    #[must_use]
    pub fn sharing(self, cause: &str) -> Self {
        Self {
            shared: Some(cause.into()),
            ..self
        }
    }

    /// The failure with a reason appended to its text.
    pub fn with_reason(&self, why: &str) -> Self {
        Self {
            text: format!("{}: {why}", self.text),
            ..self.clone()
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.name(), self.text)
    }
}

/// A duration for a text: `34 us`, `0.4 ms`, `12.3 ms`, `2.50 s`.
pub fn format_duration(duration: Duration) -> String {
    if duration < Duration::from_micros(100) {
        format!("{} us", duration.as_micros())
    } else if duration < Duration::from_secs(1) {
        format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_codes() {
        for (code, row) in STATUSES.iter().enumerate() {
            assert_eq!(usize::from(row.status.code()), code, "{}", row.name);
        }
    }

    #[test]
    fn the_published_names_do_not_change() {
        let names: Vec<_> = STATUSES.iter().map(|row| row.name).collect();
        assert_eq!(
            names.join(" "),
            "ok resolve_failed resolve_timeout refused unreachable connect_timeout reset closed read_timeout mismatch \
             rejected tls_failed tls_untrusted tls_refused denied local_error unexpectedly_open not_tried"
        );
    }
}

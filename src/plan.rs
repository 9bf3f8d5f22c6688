//! The plan of one probe: immutable, and valid by construction, so that every [`Plan`] can be run.

pub mod bytes;
pub mod expression;
pub mod layer;
pub mod pattern;
pub mod redact;
pub mod steps;

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::address::{Host, Port, Target};
use crate::fast_fmt;
use crate::plan::bytes::Charset;
use crate::plan::layer::SharedLayer;
use crate::plan::pattern::Pattern;
use crate::plan::steps::{Expect, Secret, Step, Template};
use crate::policy::{Decision, Policy};

/// One probe: its target, and how it is probed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its index in the list that it came from.
    pub index: u32,
    /// The host as written, and the port.
    pub target: Target,
    /// The interface index of the zone that was written after an IPv6 address.
    pub zone: Option<NonZeroU32>,
    /// Its id, name and groups, if the list gives any.
    pub meta: Option<Box<TargetMeta>>,
    /// How it is probed; thousands of targets may share one.
    pub spec: Arc<ProbeSpec>,
}

impl Plan {
    /// A plan that only connects to this target, with the default of every option.
    pub fn connect(target: Target) -> Self {
        Self::new(ProbeSpec::default(), target)
    }

    /// A plan that probes this target in this way.
    pub fn new(spec: ProbeSpec, target: Target) -> Self {
        Self {
            index: 0,
            target,
            zone: None,
            meta: None,
            spec: Arc::new(spec),
        }
    }

    /// The target's id: the one that the list gives, else `host:port`. It is safe inside a
    /// `JSONPath`.
    #[allow(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "hosts are texts, and ports are digits"
    )]
    pub fn id(&self) -> Cow<'_, str> {
        if let Some(id) = self.meta.as_ref().and_then(|meta| meta.id.as_deref()) {
            Cow::Borrowed(id)
        } else {
            let mut text = Vec::with_capacity(32);
            fast_fmt::host(&mut text, &self.target.host);
            text.push(b':');
            fast_fmt::port(&mut text, self.target.port);
            let text = String::from_utf8(text).expect("a host and a port are UTF-8");
            Cow::Owned(text)
        }
    }

    /// Why the target cannot be probed, or not with its service; `None` if it can.
    pub fn error(&self) -> Option<&str> {
        self.meta.as_ref()?.error.as_deref()
    }

    /// The host and the port, if they are known.
    pub fn known_target(&self) -> Option<&Target> {
        let address = self.meta.as_ref().map(|meta| meta.address);
        (address != Some(AddressKnowledge::Unknown)).then_some(&self.target)
    }

    /// The IPv6 scope id to connect with (RFC 4007): the index of the zone, else of the interface,
    /// else 0.
    pub fn scope_id(&self) -> u32 {
        let interface = self.spec.bind.interface.as_ref();
        self.zone
            .or(interface.map(|interface| interface.index))
            .map_or(0, NonZeroU32::get)
    }

    /// The socket address for this address of the host.
    pub fn remote(&self, address: IpAddr) -> SocketAddr {
        let port = self.target.port.get();
        match address {
            // Only link-local addresses need the scope id; it would be printed with all others too.
            IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                SocketAddrV6::new(v6, port, 0, self.scope_id()).into()
            }
            _ => SocketAddr::new(address, port),
        }
    }

    /// The address, if the host is one and needs no resolving. An IPv4-mapped IPv6 address becomes
    /// an IPv4 address.
    pub fn ip(&self) -> Option<IpAddr> {
        match &self.target.host {
            Host::Address(address) => Some(address.to_canonical()),
            Host::Zoned(zoned) => Some(zoned.address.into()),
            Host::Name(_) => None,
        }
    }
}

/// What a target list contains about a target besides its address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetMeta {
    /// The id, unique in its list and safe inside a `JSONPath`; without one it is `host:port`.
    pub id: Option<Box<str>>,
    /// The display name.
    pub name: Option<Box<str>>,
    /// The groups it belongs to.
    pub groups: Box<[Box<str>]>,
    /// The name of the host in Zabbix, for values that `zabbix_sender` sends.
    pub zabbix_host: Option<Box<str>>,
    /// Why the target cannot be probed, or not with its service. A batch does not probe it.
    pub error: Option<Box<str>>,
    /// Whether host and port are known. They are, unless there is an error.
    pub address: AddressKnowledge,
}

/// Whether the host and the port of a target are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AddressKnowledge {
    /// They are.
    #[default]
    Known,
    /// They are not, because of an error in the list: those of the plan mean nothing.
    Unknown,
}

/// How a target is probed, and what counts as up. Targets with equal options share one.
#[derive(Debug, Clone)]
pub struct ProbeSpec {
    /// The name of the service, if one was given.
    pub service: Option<Box<str>>,
    /// The address family that a name is resolved to.
    pub family: Family,
    /// Which of the resolved addresses are probed.
    pub addresses: AddressSelection,
    /// The local address and interface to connect from.
    pub bind: LocalBind,
    /// The total deadline: name resolution, connect, dialogue and close.
    pub timeout: Duration,
    /// Several connects instead of one.
    pub attempts: Option<Attempts>,
    /// Whether the path of the SYNs is traced.
    pub tracing: Tracing,
    /// What counts as up.
    pub expected: Expected,
    /// The layer that starts directly after the connect, such as TLS. With one, no step is
    /// [`Step::StartTls`].
    pub layer: Option<SharedLayer>,
    /// The dialogue after the connect, in order.
    pub steps: Vec<Step>,
    /// The bytes of `quit`, sent after the verdict.
    pub quit: Option<Template>,
    /// The encoding of the peer's texts.
    pub charset: Charset,
    /// The maximum number of bytes received since the last match.
    pub max_bytes: usize,
    /// How the connection is closed.
    pub close: Close,
    /// The addresses that may receive the secrets of the service (`hosts` in the configuration).
    /// `None` restricts nothing.
    pub allowed_hosts: Option<Policy>,
}

impl Default for ProbeSpec {
    fn default() -> Self {
        Self {
            service: None,
            family: Family::default(),
            addresses: AddressSelection::Any,
            bind: LocalBind::default(),
            timeout: Self::TIMEOUT,
            attempts: None,
            tracing: Tracing::Never,
            expected: Expected::Open,
            layer: None,
            steps: Vec::new(),
            quit: None,
            charset: Charset::default(),
            max_bytes: Self::MAX_BYTES,
            close: Close::Fin,
            allowed_hosts: None,
        }
    }
}

impl ProbeSpec {
    /// The default timeout. It is below Zabbix's default of 3 s, after which Zabbix discards the
    /// value.
    pub const TIMEOUT: Duration = Duration::from_millis(2500);
    /// The most addresses of one name that a probe connects to. A larger answer is a
    /// misconfiguration or an attack.
    pub const MAX_ADDRESSES: usize = 64;
    /// The default maximum number of bytes received since the last match.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// The most bytes that a probe sends, on all of its connections.
    pub const MAX_SENT: usize = 1 << 20;

    /// The most bytes that are sent on one connection.
    pub fn max_sent(&self) -> usize {
        let connections = match (self.attempts, self.addresses) {
            (Some(attempts), _) => attempts.count.get() as usize,
            (None, AddressSelection::All) => Self::MAX_ADDRESSES,
            (None, _) => 1,
        };
        Self::MAX_SENT / connections
    }

    /// Whether more than a connect is done: a dialogue, or the handshake of a layer.
    pub fn has_exchange(&self) -> bool {
        !self.steps.is_empty() || self.layer.is_some()
    }

    /// Whether a layer starts on its connections, at once or in the middle of the dialogue.
    pub fn has_layer(&self) -> bool {
        self.layer().is_some()
    }

    /// The layer that starts on its connections, at once or in the middle of the dialogue.
    pub fn layer(&self) -> Option<&SharedLayer> {
        let mut starts = self.steps.iter().filter_map(|step| match step {
            Step::StartTls(layer) => Some(layer),
            Step::Send(_) | Step::Expect(_) | Step::Silence(_) => None,
        });
        self.layer.as_ref().or_else(|| starts.next())
    }

    /// Whether it has regular expressions, for which a peer can cause high CPU time.
    pub fn has_expressions(&self) -> bool {
        let is_expression = |pattern: &Pattern| pattern.length().is_none();
        self.steps.iter().any(|step| match step {
            Step::Expect(expect) => expect.compared().any(is_expression),
            Step::Send(_) | Step::Silence(_) | Step::StartTls(_) => false,
        })
    }

    /// The approximate size of its compiled patterns in memory, in bytes. Equal patterns of one
    /// dialogue share it.
    pub fn pattern_memory(&self) -> usize {
        let mut seen: HashSet<_, RandomState> = HashSet::default();
        let expects = self.steps.iter().filter_map(|step| match step {
            Step::Expect(expect) => Some(expect),
            Step::Send(_) | Step::Silence(_) | Step::StartTls(_) => None,
        });
        expects
            .flat_map(Expect::compared)
            .filter(|pattern| seen.insert(Arc::as_ptr(&pattern.written)))
            .map(Pattern::memory)
            .sum()
    }

    /// Whether the policy and `allowed_hosts` allow a connect to this address and port.
    pub fn decide(&self, policy: &Policy, address: IpAddr, port: Port) -> Decision {
        match (policy.decide(address, port), &self.allowed_hosts) {
            (Decision::Allowed(_), Some(hosts)) => hosts.decide(address, port),
            (decision, _) => decision,
        }
    }

    /// Whether every address of a name must be as expected. A port is only closed if no address
    /// accepts.
    pub fn needs_every_address(&self) -> bool {
        match self.addresses {
            AddressSelection::All => true,
            AddressSelection::Any => matches!(self.expected, Expected::Closed(_)),
            AddressSelection::First => false,
        }
    }

    /// The names of the groups that the steps capture.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        let expects = self.steps.iter().filter_map(|step| {
            if let Step::Expect(expect) = step {
                Some(expect)
            } else {
                None
            }
        });
        expects
            .flat_map(|expect| expect.wanted.patterns())
            .flat_map(Pattern::names)
            .map(|name| &**name)
    }

    /// The printable form of sent or received bytes, with every secret redacted.
    pub fn redact(&self, bytes: &[u8]) -> String {
        self.redact_prefix(bytes, bytes.len())
    }

    /// Like [`ProbeSpec::redact`], for the first `limit` bytes; a character cut in half is left
    /// out.
    pub fn redact_prefix(&self, bytes: &[u8], limit: usize) -> String {
        let redacted = if self.charset.is_utf8() {
            redact::redact_prefix(bytes, limit, self.secrets())
        } else {
            redact::redact_whole(bytes, limit, self.secrets())
        };
        let is_cut = limit < bytes.len();
        let text = if is_cut {
            self.charset.printable_prefix(&redacted)
        } else {
            self.charset.printable(&redacted)
        };
        if self.charset.is_utf8() {
            text
        } else {
            self.redact_text(&text)
        }
    }

    /// A text that needed no decoding, with every secret redacted.
    pub fn redact_decoded<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.secrets().next().is_none() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.redact_text(text))
    }

    /// A decoded text with every secret redacted, whatever bytes encoded it. Stateful encodings
    /// such as ISO-2022-JP have more than one encoding of a text.
    fn redact_text(&self, text: &str) -> String {
        let printable =
            |secret: &Secret| Secret::new(self.charset.printable(secret.reveal()).into_bytes());
        let secrets: Vec<_> = self.secrets().map(printable).collect();
        redact::redact_text(text, secrets.iter())
    }

    /// These bytes with `***` for every part of a secret. If they hold one in another encoding of
    /// the same text, all of them are replaced.
    pub fn redact_bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let text = if self.charset.is_utf8() {
            String::new()
        } else {
            let without_whole = redact::redact_whole(bytes, bytes.len(), self.secrets());
            self.charset.printable(&without_whole)
        };
        if self.redact_text(&text) == text {
            redact::redact(bytes, self.secrets())
        } else {
            Cow::Borrowed(b"***")
        }
    }

    /// The secrets that the plan sends, which a peer may echo.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> + Clone {
        let sends = self.steps.iter().filter_map(|step| {
            if let Step::Send(send) = step {
                Some(send)
            } else {
                None
            }
        });
        sends.chain(&self.quit).flat_map(Template::secrets)
    }
}

/// The address family that a name is resolved to. There is no fallback to the other family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Family {
    /// IPv6 if this machine has a route to the address, else IPv4.
    #[default]
    Any,
    /// A records only.
    V4,
    /// AAAA records only.
    V6,
}

/// Which of the resolved addresses are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressSelection {
    /// One after the other, until one passes; all, where a closed port is expected.
    Any,
    /// The first one, which is named in the result.
    First,
    /// All; the target is up only if every address is.
    All,
}

/// The local end of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalBind {
    /// The source address.
    pub source: Option<IpAddr>,
    /// The source port; the kernel chooses one without it.
    pub port: Option<Port>,
    /// The outgoing interface (`SO_BINDTODEVICE`).
    pub interface: Option<Interface>,
}

impl LocalBind {
    /// The name of the outgoing interface.
    pub fn interface_name(&self) -> Option<&str> {
        self.interface.as_ref().map(|interface| &*interface.name)
    }
}

/// A network interface that existed when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: Box<str>,
    /// Its index (`if_nametoindex(3)`).
    pub index: NonZeroU32,
}

/// Several connects within one deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// The number of connects.
    pub count: NonZeroU32,
    /// The time from the start of one to the start of the next.
    pub interval: Duration,
    /// The number that must succeed, at most `count`.
    pub require: NonZeroU32,
}

impl Attempts {
    /// The default interval.
    pub const INTERVAL: Duration = Duration::from_millis(200);
}

/// Whether the path to the target is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tracing {
    /// No.
    Never,
    /// Once SYNs of a probe go unanswered.
    WhenUnanswered,
    /// The probe does nothing else, and sends this many SYNs to every hop.
    Rounds(NonZeroU32),
}

/// What counts as up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// The port accepts, and the dialogue succeeds.
    Open,
    /// The port does not accept.
    Closed(OnTimeout),
}

/// What a timeout means where a closed port is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnTimeout {
    /// A timeout does not prove that the port is closed, so it is a failure.
    Fails,
    /// A timeout counts as closed: the port is filtered.
    CountsAsClosed,
}

/// How a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Close {
    /// With FIN, then the peer's remaining data and its FIN are read.
    Fin,
    /// With RST, at once.
    Rst,
}

#[cfg(test)]
mod tests {
    use super::*;
    use steps::Piece;

    #[test]
    fn a_secret_is_redacted_in_every_encoding_of_its_text() {
        // In ISO-2022-JP the bytes of a word depend on the text before it.
        let charset = Charset::from_label("iso-2022-jp").unwrap();
        let secret = Secret::new("秘密".as_bytes()).in_charset(charset).unwrap();
        let steps = vec![Step::Send(Template(vec![Piece::Secret(secret)]))];
        let spec = ProbeSpec {
            steps,
            charset,
            ..ProbeSpec::default()
        };
        assert_eq!(
            spec.redact(&charset.encode("語は秘密です").unwrap()),
            "語は***です"
        );
        assert_eq!(spec.redact(&charset.encode("a 秘密 b").unwrap()), "a *** b");
        assert_eq!(
            spec.redact_bytes(&charset.encode("語は秘密です").unwrap()),
            &b"***"[..]
        );
        assert_eq!(spec.redact_bytes(b"plain"), &b"plain"[..]);
        // No part of it is left where the bytes are cut, also within a character, which has two.
        let bytes = charset.encode("語は秘密です").unwrap();
        for limit in 0..=bytes.len() {
            let text = spec.redact_prefix(&bytes, limit);
            assert!(!text.contains(['秘', '密']), "{limit}: {text}");
        }
    }
}

//! What one probe is to do: immutable, and a [`Plan`] that exists can be run.

pub mod bytes;
pub mod pattern;
pub mod redact;
pub mod steps;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::address::{Host, Port, Target};
use crate::fast_fmt;
use crate::plan::bytes::Charset;
use crate::plan::pattern::Pattern;
use crate::plan::steps::{Secret, Step, Template};
use crate::policy::{Decision, Policy};

/// One probe: where to, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its place in the list that it came from, from 0.
    pub number: u32,
    /// The host as written, and the port.
    pub target: Target,
    /// The index of the zone written after an IPv6 address.
    pub zone: Option<NonZeroU32>,
    /// What a list calls it.
    pub label: Option<Box<TargetMeta>>,
    /// How it is probed; thousands of targets may share one.
    pub spec: Arc<ProbeSpec>,
}

impl Plan {
    /// A connect to this target with everything else at its default.
    pub fn connect(target: Target) -> Self {
        Self::by(ProbeSpec::default(), target)
    }

    /// A probe of this target by this method.
    pub fn by(spec: ProbeSpec, target: Target) -> Self {
        Self {
            number: 0,
            target,
            zone: None,
            label: None,
            spec: Arc::new(spec),
        }
    }

    /// What a list calls it: unique there, and safe inside a `JSONPath`.
    pub fn id(&self) -> Cow<'_, str> {
        if let Some(id) = self.label.as_ref().and_then(|label| label.id.as_deref()) {
            Cow::Borrowed(id)
        } else {
            let mut text = Vec::with_capacity(32);
            fast_fmt::host(&mut text, &self.target.host);
            text.push(b':');
            fast_fmt::port(&mut text, self.target.port);
            // The parts are all texts, so the whole is.
            Cow::Owned(String::from_utf8(text).unwrap_or_default())
        }
    }

    /// The IPv6 scope to connect in (RFC 4007): the zone's index, else the interface's, else 0.
    pub fn scope_id(&self) -> u32 {
        let interface = self.spec.origin.interface.as_ref();
        self.zone
            .or(interface.map(|interface| interface.index))
            .map_or(0, NonZeroU32::get)
    }

    /// Where to connect for this address of the host.
    pub fn remote(&self, address: IpAddr) -> SocketAddr {
        let port = self.target.port.get();
        match address {
            // Only these need it; the others would be shown with the interface's number as their zone.
            IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                SocketAddrV6::new(v6, port, 0, self.scope_id()).into()
            }
            _ => SocketAddr::new(address, port),
        }
    }

    /// The address that needs no resolving, if the host is one; an IPv4-mapped IPv6 address is its IPv4 address.
    pub fn ip(&self) -> Option<IpAddr> {
        match &self.target.host {
            Host::Address(address) => Some(address.to_canonical()),
            Host::Zoned(zoned) => Some(zoned.address.into()),
            Host::Name(_) => None,
        }
    }
}

/// What a list calls a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetMeta {
    /// Unique in its list and safe inside a `JSONPath`; `host:port` where it is absent.
    pub id: Option<Box<str>>,
    /// A name for people.
    pub name: Option<Box<str>>,
    /// The groups it belongs to.
    pub groups: Box<[Box<str>]>,
    /// The host's name in Zabbix, for values that are sent.
    pub zabbix_host: Option<Box<str>>,
}

/// How a target is probed, and what counts as up.
#[derive(Debug, Clone)]
pub struct ProbeSpec {
    /// The named service that was asked for.
    pub service: Option<Box<str>>,
    /// Which addresses of a name are wanted.
    pub family: Family,
    /// How many of them are tried.
    pub addresses: AddressSelection,
    /// Where to connect from.
    pub origin: LocalBind,
    /// The total deadline: name resolution, connect, dialogue and close.
    pub timeout: Duration,
    /// How many connects, where asked for.
    pub attempts: Option<Attempts>,
    /// What counts as up.
    pub want: Expected,
    /// What is said and expected once connected, in order.
    pub steps: Vec<Step>,
    /// The protocol's goodbye, sent after the verdict.
    pub quit: Option<Template>,
    /// How texts are decoded for people.
    pub charset: Charset,
    /// The most bytes read since the last match.
    pub max_bytes: usize,
    /// How to leave.
    pub close: Close,
    /// Who may be connected to; a method as made here may connect to anything.
    pub policy: Policy,
    /// Where its service may be spoken; anywhere, where the configuration does not say.
    pub hosts: Option<Policy>,
}

impl Default for ProbeSpec {
    fn default() -> Self {
        Self {
            service: None,
            family: Family::default(),
            addresses: AddressSelection::First,
            origin: LocalBind::default(),
            timeout: Self::TIMEOUT,
            attempts: None,
            want: Expected::Open,
            steps: Vec::new(),
            quit: None,
            charset: Charset::default(),
            max_bytes: Self::MAX_BYTES,
            close: Close::Fin,
            policy: Policy::allow_all(),
            hosts: None,
        }
    }
}

impl ProbeSpec {
    /// The default total deadline: Zabbix gives up at 3 s and then throws the value away.
    pub const TIMEOUT: Duration = Duration::from_millis(2500);
    /// The default bound on the bytes read since the last match.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// Whether this address may be connected to on this port.
    pub fn decide(&self, address: IpAddr, port: Port) -> Decision {
        match (self.policy.decide(address, port), &self.hosts) {
            (Decision::Allowed(_), Some(hosts)) => hosts.decide(address, port),
            (decision, _) => decision,
        }
    }

    /// The names that its steps capture.
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

    /// The printable form of bytes that were sent or received, with every secret hidden.
    pub fn veil(&self, bytes: &[u8]) -> String {
        self.veil_start(bytes, bytes.len())
    }

    /// The same of the first so many bytes, without a character that is cut in half.
    pub fn veil_start(&self, bytes: &[u8], most: usize) -> String {
        let hidden = redact::hidden_start(bytes, most, self.secrets());
        let cut = most < bytes.len();
        let text = if cut {
            self.charset.printable_start(&hidden)
        } else {
            self.charset.printable(&hidden)
        };
        if self.charset.is_utf8() {
            text
        } else {
            self.veil_text(&text)
        }
    }

    /// A text of the peer's with every secret hidden, however its bytes spelled it: encodings with states have more than
    /// one way, such as ISO-2022-JP.
    fn veil_text(&self, text: &str) -> String {
        let printable =
            |secret: &Secret| Secret::new(self.charset.printable(secret.reveal()).into_bytes());
        let secrets: Vec<_> = self.secrets().map(printable).collect();
        // What is hidden begins and ends between two characters, so the rest is a text.
        String::from_utf8(redact::hidden(text.as_bytes(), secrets.iter()).into_owned())
            .unwrap_or_default()
    }

    /// These bytes with `***` in the place of every secret, and of them all where one is spelled in another way.
    pub fn hide<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let hidden = redact::hidden(bytes, self.secrets());
        let text = if self.charset.is_utf8() {
            String::new()
        } else {
            self.charset.printable(&hidden)
        };
        if self.veil_text(&text) == text {
            hidden
        } else {
            Cow::Borrowed(b"***")
        }
    }

    /// The secrets that it sends, and that a peer may echo.
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

/// Which addresses of a name are wanted; there is no silent fallback to the other family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Family {
    /// The IPv6 address if this machine has a route to it, else the IPv4 address.
    #[default]
    Any,
    /// A records only.
    V4,
    /// AAAA records only.
    V6,
}

/// How many addresses of a name are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressSelection {
    /// Exactly one, named in the result.
    First,
    /// Every one; up only if all are.
    All,
}

/// Where a connection starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalBind {
    /// The source address; its port is the kernel's choice.
    pub source: Option<IpAddr>,
    /// The interface to leave by (`SO_BINDTODEVICE`).
    pub interface: Option<Interface>,
}

impl LocalBind {
    /// The name of the interface to leave by.
    pub fn interface_name(&self) -> Option<&str> {
        self.interface.as_ref().map(|interface| &*interface.name)
    }
}

/// A network interface that existed when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: Box<str>,
    /// Its index, as `if_nametoindex(3)` gives it.
    pub index: NonZeroU32,
}

/// Several connects within one deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// How many.
    pub count: NonZeroU32,
    /// From the start of one to the start of the next.
    pub interval: Duration,
    /// How many must succeed, at most `count`.
    pub require: NonZeroU32,
}

impl Attempts {
    /// The default interval.
    pub const INTERVAL: Duration = Duration::from_millis(200);
}

/// What counts as up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It accepts, and the dialogue succeeds.
    Open,
    /// It does not accept.
    Closed(OnTimeout),
}

/// What silence means where a closed port is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// A timeout proves nothing and fails.
    Fails,
    /// A timeout counts as closed: the port is filtered.
    CountsAsClosed,
}

/// How to leave an open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// FIN, after reading what the peer had to say.
    Fin,
    /// RST at once.
    Rst,
}

#[cfg(test)]
mod tests {
    use super::*;
    use steps::Piece;

    #[test]
    fn a_secret_is_hidden_in_every_spelling_of_an_encoding() {
        // In ISO-2022-JP the bytes of a word depend on what stands before it.
        let charset = Charset::from_label("iso-2022-jp").unwrap();
        let secret = Secret::new("秘密".as_bytes()).in_charset(charset).unwrap();
        let steps = vec![Step::Send(Template(vec![Piece::Secret(secret)]))];
        let spec = ProbeSpec {
            steps,
            charset,
            ..ProbeSpec::default()
        };
        assert_eq!(
            spec.veil(&charset.encode("語は秘密です").unwrap()),
            "語は***です"
        );
        assert_eq!(spec.veil(&charset.encode("a 秘密 b").unwrap()), "a *** b");
        assert_eq!(
            spec.hide(&charset.encode("語は秘密です").unwrap()),
            &b"***"[..]
        );
        assert_eq!(spec.hide(b"plain"), &b"plain"[..]);
        // Nor is a part of it left where the bytes are cut: a character has two.
        let said = charset.encode("語は秘密です").unwrap();
        for most in 0..=said.len() {
            let text = spec.veil_start(&said, most);
            assert!(!text.contains(['秘', '密']), "{most}: {text}");
        }
    }
}

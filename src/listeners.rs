//! Listeners: what listens on a port of this machine, made of the sockets that the kernel reports.
//!
//! Sockets that serve the same clients are one listener: the members of an `SO_REUSEPORT` group,
//! and the wildcard sockets of a port, whether one socket accepts both IPv4 and IPv6 or there is one
//! for each. So the id of a listener depends neither on the number of workers nor on how a server
//! opens its sockets.

pub mod counters;
mod label;
pub mod placement;
mod scope;
pub mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use crate::listeners::label::clean;
use crate::listeners::placement::Placement;
use crate::os::listen_socket::ListenSocket;
use crate::os::processes::SocketHolder;
pub use scope::AddressScope;

/// What is known of this machine besides its sockets.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The names of interfaces.
    pub interfaces: BTreeMap<NonZeroU32, String>,
    /// The processes that hold sockets, by inode.
    pub owners: BTreeMap<u64, SocketHolder>,
    /// The paths of control groups.
    pub cgroups: BTreeMap<u64, Vec<u8>>,
    /// The names of users.
    pub users: BTreeMap<u32, String>,
    /// The ports that the kernel gives to sockets that ask for any (`ip_local_port_range`).
    pub ephemeral: Option<RangeInclusive<u16>>,
}

/// The sockets that listen on one address and port.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// A stable id of `[A-Za-z0-9_.:-]`, such as `any:22`, `127.0.0.1:3306` or `any:80.eth0`.
    pub id: String,
    /// The address; `None` for every address of the families.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// From which families it accepts.
    pub families: ListenerFamilies,
    /// The interface that it is bound to.
    pub interface: Option<String>,
    /// The user that created the sockets.
    pub uid: u32,
    /// The name of the user.
    pub user: Option<String>,
    /// The process that holds a socket; of several, the one with the lowest number.
    pub pid: Option<u32>,
    /// The name of the process.
    pub process: Option<String>,
    /// The systemd unit and the container.
    pub placement: Placement,
    /// Whether the port is one that the kernel gives to sockets that ask for any.
    pub is_ephemeral: Option<bool>,
    /// Queue and drops of its sockets.
    pub load: Load,
}

/// The address families of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListenerFamilies {
    /// It accepts IPv4.
    pub v4: bool,
    /// It accepts IPv6.
    pub v6: bool,
}

/// Queue and drops of the sockets of a listener.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Load {
    /// The number of sockets.
    pub sockets: u64,
    /// Connections that wait to be accepted, of all sockets.
    pub queue: u64,
    /// The sum of the backlogs; `None` if unknown.
    pub backlog: Option<u64>,
    /// The queue of the fullest socket, in per cent of what it can hold.
    pub used: Option<f64>,
    /// Connections dropped by all sockets, since each was opened.
    pub drops: Option<u64>,
}

/// How many there are, printed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Listeners.
    pub listeners: usize,
    /// Sockets.
    pub sockets: usize,
}

/// Keeps the sockets of this many listeners, those with the lowest ports, in order.
pub fn keep_first(sockets: &mut Vec<ListenSocket>, most: usize) -> Totals {
    sockets.sort_unstable_by_key(|socket| (key(socket), socket.inode));
    let (mut listeners, mut kept) = (0, 0);
    for group in sockets.chunk_by(|one, next| key(one) == key(next)) {
        listeners += 1;
        if listeners <= most {
            kept += group.len();
        }
    }
    let totals = Totals {
        listeners,
        sockets: sockets.len(),
    };
    sockets.truncate(kept);
    totals
}

/// What the sockets of one listener have in common.
type SocketKey = (u16, Option<IpAddr>, Option<NonZeroU32>, u32);

fn key(socket: &ListenSocket) -> SocketKey {
    (
        socket.port,
        bound_address(socket),
        socket.interface,
        socket.uid,
    )
}

/// The listeners of these sockets, which [`keep_first`] has put in order.
pub fn listeners(sockets: &[ListenSocket], around: &Surroundings) -> Vec<Listener> {
    let mut ids = BTreeSet::new();
    let mut all = Vec::new();
    for sockets in sockets.chunk_by(|one, next| key(one) == key(next)) {
        let Some((port, address, interface, uid)) = sockets.first().map(key) else {
            continue;
        };
        let interface = interface.map(|index| match around.interfaces.get(&index) {
            Some(name) => name.clone(),
            None => index.to_string(),
        });
        let mut id = id(address, port, interface.as_deref());
        if !ids.insert(id.clone()) {
            // Another user listens on the same port, for the other family.
            let _ = write!(id, ".uid{uid}");
            ids.insert(id.clone());
        }
        let owner = owner(sockets, around);
        all.push(Listener {
            id,
            address,
            port,
            families: families(sockets),
            interface,
            uid,
            user: around.users.get(&uid).map(|name| clean(name)),
            pid: owner.map(|owner| owner.pid),
            process: owner.map(|owner| clean(String::from_utf8_lossy(&owner.name).trim_end())),
            placement: placement(sockets, owner, around),
            is_ephemeral: around.ephemeral.as_ref().map(|range| range.contains(&port)),
            load: load(sockets),
        });
    }
    all
}

impl Listener {
    /// Where its clients can be.
    pub fn scope(&self) -> AddressScope {
        AddressScope::of(self.address)
    }

    /// The address as text; `*` for every address of both families.
    pub fn address_text(&self) -> String {
        match (self.address, self.families) {
            (Some(address), _) => address.to_string(),
            (None, ListenerFamilies { v4: true, v6: true }) => "*".into(),
            (None, ListenerFamilies { v4: true, .. }) => Ipv4Addr::UNSPECIFIED.to_string(),
            (None, _) => Ipv6Addr::UNSPECIFIED.to_string(),
        }
    }

    /// A name for people, such as `nginx *:80`.
    pub fn name(&self) -> String {
        let mut name = String::new();
        if let Some(process) = &self.process {
            let _ = write!(name, "{process} ");
        }
        let address = self.address_text();
        let _ = match self.address {
            Some(IpAddr::V6(_)) => write!(name, "[{address}]"),
            None if address == "::" => write!(name, "[{address}]"),
            _ => write!(name, "{address}"),
        };
        let _ = write!(name, ":{}", self.port);
        if let Some(interface) = &self.interface {
            let _ = write!(name, " on {interface}");
        }
        name
    }

    /// The host by which this machine itself reaches the listener, if it can.
    pub fn host(&self) -> String {
        match self.address {
            None if self.families.v4 => Ipv4Addr::LOCALHOST.to_string(),
            None => Ipv6Addr::LOCALHOST.to_string(),
            Some(IpAddr::V6(address)) if address.is_unicast_link_local() => match &self.interface {
                Some(interface) => format!("{address}%{interface}"),
                None => address.to_string(),
            },
            Some(address) => address.to_string(),
        }
    }

    /// Whether this machine itself can reach the listener at [`host`](Self::host).
    ///
    /// What this machine sends to itself arrives on the interface of the address, and for 127.0.0.1
    /// and `::1` that is not the one that a wildcard socket is bound to.
    pub fn is_reachable_from_inside(&self) -> bool {
        let is_elsewhere = self.interface.as_deref().is_some_and(|name| name != "lo");
        !is_elsewhere || self.address.is_some()
    }
}

impl ListenerFamilies {
    /// `4`, `6` or `4,6`.
    pub fn text(self) -> &'static str {
        match self {
            Self { v4: true, v6: true } => "4,6",
            Self { v4: true, .. } => "4",
            Self { .. } => "6",
        }
    }
}

/// The address of a socket without the forms of wildcards and of IPv4 in IPv6 sockets.
fn bound_address(socket: &ListenSocket) -> Option<IpAddr> {
    let address = socket.address.to_canonical();
    Some(address).filter(|address| !address.is_unspecified())
}

fn families(sockets: &[ListenSocket]) -> ListenerFamilies {
    let mut families = ListenerFamilies::default();
    for socket in sockets {
        match socket.address {
            IpAddr::V4(_) => families.v4 = true,
            IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => families.v4 = true,
            IpAddr::V6(address) => {
                families.v6 = true;
                families.v4 |= address.is_unspecified() && socket.is_v6_only == Some(false);
            }
        }
    }
    families
}

/// As the ids of targets are made: a colon before the port, and no other characters.
fn id(address: Option<IpAddr>, port: u16, interface: Option<&str>) -> String {
    let mut id = match address {
        Some(address) => format!("{address}:{port}"),
        None => format!("any:{port}"),
    };
    if let Some(interface) = interface {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
        id.push('.');
        id.extend(interface.chars().map(|c| if allowed(c) { c } else { '_' }));
    }
    id
}

fn owner<'a>(sockets: &[ListenSocket], around: &'a Surroundings) -> Option<&'a SocketHolder> {
    let owners = sockets
        .iter()
        .filter_map(|socket| around.owners.get(&socket.inode));
    owners.min_by_key(|owner| owner.pid)
}

/// From the control group in which a socket was created. If systemd created it for a service, it is
/// the control group of the process.
fn placement(
    sockets: &[ListenSocket],
    owner: Option<&SocketHolder>,
    around: &Surroundings,
) -> Placement {
    let paths = sockets
        .iter()
        .filter_map(|socket| around.cgroups.get(&socket.cgroup?));
    let of_socket = paths
        .map(|path| Placement::of_path(path))
        .find(|found| !found.is_empty());
    let of_process = || owner.map(|owner| Placement::of_process(&owner.cgroups));
    of_socket.or_else(of_process).unwrap_or_default()
}

fn load(sockets: &[ListenSocket]) -> Load {
    let used = |socket: &ListenSocket| {
        // A queue takes connections until it holds more than the backlog.
        let capacity = f64::from(socket.backlog?) + 1.0;
        Some(f64::from(socket.queue) * 100.0 / capacity)
    };
    Load {
        sockets: sockets.len() as u64,
        queue: sockets.iter().map(|socket| u64::from(socket.queue)).sum(),
        backlog: sockets
            .iter()
            .map(|socket| socket.backlog.map(u64::from))
            .sum(),
        used: sockets.iter().filter_map(used).reduce(f64::max),
        drops: sockets
            .iter()
            .map(|socket| socket.drops.map(u64::from))
            .sum(),
    }
}

#[cfg(test)]
mod tests;

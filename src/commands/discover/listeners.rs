//! What listens on this machine.

use std::collections::BTreeSet;
use std::path::Path;

use crate::listeners::counters::{ListenCounters, port_range};
use crate::listeners::{Surroundings, keep_first, listeners, users};
use crate::os::errno::os_error_text;
use crate::os::files::read_optional;
use crate::os::listen_socket::ListenSocket;
use crate::os::{cgroups, proc_net, processes, route, sock_diag};
use crate::output::listeners::{ListenerReport, SocketSource};
use crate::settings::SettingsError;

/// The most listeners that are printed; the others, on the highest ports, are counted.
const MAX_LISTENERS: usize = 10_000;
/// Where control groups of version 2 are mounted.
const CGROUP_MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// The most bytes that are read of a file with users, counters or settings.
const MAX_FILE: u64 = 1 << 20;

/// The listeners of this network namespace, with everything that this user may know.
///
/// # Errors
/// The sockets can be read neither by `sock_diag` nor from /proc.
pub fn report() -> Result<ListenerReport, SettingsError> {
    let (mut sockets, source) = sockets()?;
    let totals = keep_first(&mut sockets, MAX_LISTENERS);
    let around = surroundings(&sockets);
    let counters = ListenCounters::read(&content("/proc/net/netstat"));
    Ok(ListenerReport {
        listeners: listeners(&sockets, &around),
        totals,
        source,
        counters,
    })
}

/// From `sock_diag`, otherwise from /proc.
fn sockets() -> Result<(Vec<ListenSocket>, SocketSource), SettingsError> {
    let error = match sock_diag::listen_sockets() {
        Ok(sockets) => return Ok((sockets, SocketSource::SockDiag)),
        Err(error) => error,
    };
    match proc_net::listen_sockets(Path::new("/proc/net")) {
        Ok(sockets) => Ok((sockets, SocketSource::Proc)),
        Err(other) => Err(SettingsError::new(format!(
            "the listening sockets cannot be read: sock_diag: {error}; /proc/net/tcp: {}: load the kernel module tcp_diag, or mount /proc",
            os_error_text(&other)
        ))),
    }
}

fn surroundings(sockets: &[ListenSocket]) -> Surroundings {
    let interfaces: BTreeSet<_> = sockets.iter().filter_map(|one| one.interface).collect();
    let named = |index| Some((index, route::interface_name(index)?));
    let inodes = sockets
        .iter()
        .map(|one| one.inode)
        .filter(|inode| *inode != 0);
    let ids = sockets.iter().filter_map(|one| one.cgroup);
    let uids = sockets.iter().map(|one| one.uid).collect();
    let mount = cgroups::mount(&CGROUP_MOUNTS.map(Path::new));
    let cgroups = mount.map(|mount| cgroups::paths(mount, ids.collect()));
    let cgroups = cgroups.unwrap_or_default();
    // A service usually opens its sockets itself, or its parent in the same control group does.
    let likely = mount.map(|mount| cgroups::members(mount, cgroups.values()));
    let likely = likely.unwrap_or_default();
    Surroundings {
        interfaces: interfaces.into_iter().filter_map(named).collect(),
        owners: processes::socket_owners(Path::new("/proc"), inodes.collect(), &likely),
        cgroups,
        users: users::names(&content("/etc/passwd"), &uids),
        ephemeral: port_range(&content("/proc/sys/net/ipv4/ip_local_port_range")),
    }
}

/// The content of a file, as far as it can be read.
fn content(path: &str) -> Vec<u8> {
    read_optional(Path::new(path), MAX_FILE).bytes
}

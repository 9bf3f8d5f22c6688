use proptest::prelude::*;
use std::collections::BTreeSet;

use super::*;

fn socket(address: &str, port: u16) -> ListenSocket {
    ListenSocket {
        address: address.parse().unwrap(),
        port,
        is_v6_only: None,
        interface: None,
        uid: 0,
        inode: 1,
        cookie: 1,
        cgroup: None,
        queue: 0,
        backlog: Some(128),
        drops: Some(0),
    }
}

fn v6_only(address: &str, port: u16) -> ListenSocket {
    ListenSocket {
        is_v6_only: Some(true),
        ..socket(address, port)
    }
}

fn dual(address: &str, port: u16) -> ListenSocket {
    ListenSocket {
        is_v6_only: Some(false),
        ..socket(address, port)
    }
}

fn plain(sockets: &[ListenSocket]) -> Vec<Listener> {
    found(sockets, &Surroundings::default())
}

/// The listeners of sockets in any order.
fn found(sockets: &[ListenSocket], around: &Surroundings) -> Vec<Listener> {
    let mut sockets = sockets.to_vec();
    let totals = keep_first(&mut sockets, usize::MAX);
    let found = listeners(&sockets, around);
    assert_eq!(
        (totals.listeners, totals.sockets),
        (found.len(), sockets.len())
    );
    found
}

#[test]
fn the_lowest_ports_are_kept() {
    let mut sockets = vec![
        socket("0.0.0.0", 3),
        socket("0.0.0.0", 1),
        dual("::", 1),
        socket("127.0.0.1", 2),
    ];
    let totals = keep_first(&mut sockets, 2);
    assert_eq!((totals.listeners, totals.sockets), (3, 4));
    let ports: Vec<_> = sockets.iter().map(|one| one.port).collect();
    assert_eq!(ports, [1, 1, 2]);
    assert_eq!(keep_first(&mut sockets, 0).listeners, 2);
    assert!(sockets.is_empty());
}

/// Id, address, families and host of each listener.
fn rows(sockets: &[ListenSocket]) -> Vec<String> {
    let row = |one: &Listener| {
        let (address, families, host) = (one.address_text(), one.families.text(), one.host());
        format!("{} {address} {families} {host}", one.id)
    };
    plain(sockets).iter().map(row).collect()
}

#[test]
fn wildcards_of_a_port_are_one_listener_however_they_are_opened() {
    let both = ["any:22 * 4,6 127.0.0.1"];
    assert_eq!(rows(&[dual("::", 22)]), both);
    assert_eq!(rows(&[v6_only("::", 22), socket("0.0.0.0", 22)]), both);
    assert_eq!(
        rows(&[socket("0.0.0.0", 22)]),
        ["any:22 0.0.0.0 4 127.0.0.1"]
    );
    assert_eq!(rows(&[v6_only("::", 22)]), ["any:22 :: 6 ::1"]);
    // Without sock_diag it is unknown.
    assert_eq!(rows(&[socket("::", 22)]), ["any:22 :: 6 ::1"]);
}

#[test]
fn addresses_are_listeners_of_their_own() {
    let sockets = [
        socket("192.0.2.1", 80),
        dual("::1", 80),
        dual("::ffff:127.0.0.1", 80),
        socket("0.0.0.0", 22),
    ];
    assert_eq!(
        rows(&sockets),
        [
            "any:22 0.0.0.0 4 127.0.0.1",
            "127.0.0.1:80 127.0.0.1 4 127.0.0.1",
            "192.0.2.1:80 192.0.2.1 4 192.0.2.1",
            "::1:80 ::1 6 ::1",
        ]
    );
}

#[test]
fn a_reuseport_group_is_summed_and_its_fullest_socket_counts() {
    let member = |queue, drops| ListenSocket {
        queue,
        drops: Some(drops),
        backlog: Some(9),
        ..socket("0.0.0.0", 80)
    };
    let load = Load {
        sockets: 3,
        queue: 11,
        backlog: Some(27),
        used: Some(100.0),
        drops: Some(6),
    };
    let found = plain(&[member(10, 1), member(1, 2), member(0, 3)]);
    assert_eq!((found.len(), &found[0].load), (1, &load));
}

#[test]
fn what_the_kernel_does_not_tell_is_absent() {
    let unknown = ListenSocket {
        backlog: None,
        drops: None,
        ..socket("0.0.0.0", 80)
    };
    let load = &plain(&[unknown])[0].load;
    assert_eq!((load.backlog, load.used, load.drops), (None, None, None));
    let none = ListenSocket {
        backlog: Some(0),
        queue: 1,
        ..socket("0.0.0.0", 80)
    };
    assert_eq!(plain(&[none])[0].load.used, Some(100.0));
}

#[test]
fn another_user_on_the_port_is_a_listener_of_its_own() {
    let other = ListenSocket {
        uid: 1000,
        ..v6_only("::", 80)
    };
    assert_eq!(
        rows(&[other, socket("0.0.0.0", 80)]),
        ["any:80 0.0.0.0 4 127.0.0.1", "any:80.uid1000 :: 6 ::1"]
    );
}

#[test]
fn interfaces_separate_listeners_and_hide_them_from_this_machine() {
    let bound = |address: &str, index| ListenSocket {
        interface: NonZeroU32::new(index),
        ..socket(address, 80)
    };
    let around = Surroundings {
        interfaces: [(1, "lo"), (2, "eth/0 ü")]
            .map(|(index, name)| (NonZeroU32::new(index).unwrap(), name.to_owned()))
            .into(),
        ..Surroundings::default()
    };
    let sockets = [
        bound("0.0.0.0", 1),
        bound("0.0.0.0", 2),
        bound("0.0.0.0", 3),
        bound("fe80::1", 2),
        socket("0.0.0.0", 80),
    ];
    let found = found(&sockets, &around);
    let found: Vec<_> = found
        .iter()
        .map(|one| (&*one.id, one.is_reachable_from_inside(), one.host()))
        .collect();
    let local = || "127.0.0.1".to_owned();
    assert_eq!(
        found,
        [
            ("any:80", true, local()),
            ("any:80.lo", true, local()),
            ("any:80.eth_0__", false, local()),
            ("any:80.3", false, local()),
            ("fe80::1:80.eth_0__", true, "fe80::1%eth/0 ü".to_owned()),
        ]
    );
}

#[test]
fn names_have_process_address_and_interface() {
    let owner = SocketHolder {
        pid: 7,
        name: b"evil\nname\xff\\\n".to_vec(),
        cgroups: b"0::/system.slice/evil.service\n".to_vec(),
    };
    let around = Surroundings {
        owners: [(1, owner)].into(),
        users: [(0, "root".to_owned())].into(),
        ephemeral: Some(32_768..=60_999),
        ..Surroundings::default()
    };
    let found = &found(&[socket("::1", 25)], &around)[0];
    assert_eq!(found.name(), "evil\\nname\u{fffd}\\ [::1]:25");
    assert_eq!((found.pid, found.user.as_deref()), (Some(7), Some("root")));
    assert_eq!(found.placement.unit.as_deref(), Some("evil.service"));
    assert_eq!(found.is_ephemeral, Some(false));
    assert_eq!(plain(&[socket("0.0.0.0", 25)])[0].name(), "0.0.0.0:25");
}

#[test]
fn the_unit_is_that_of_the_socket_unless_systemd_opened_it() {
    let owner = SocketHolder {
        pid: 7,
        name: Vec::new(),
        cgroups: b"0::/system.slice/of-process.service\n".to_vec(),
    };
    let around = Surroundings {
        owners: [(1, owner)].into(),
        cgroups: [
            (1, &b"/"[..]),
            (2, b"/init.scope"),
            (3, b"/system.slice/of-socket.service"),
        ]
        .map(|(id, path)| (id, path.to_vec()))
        .into(),
        ..Surroundings::default()
    };
    for (cgroup, unit) in [
        (None, "of-process.service"),
        (Some(1), "of-process.service"),
        (Some(2), "of-process.service"),
        (Some(3), "of-socket.service"),
        (Some(4), "of-process.service"),
    ] {
        let socket = ListenSocket {
            cgroup,
            ..socket("0.0.0.0", 80)
        };
        let found = &found(&[socket], &around)[0];
        assert_eq!(found.placement.unit.as_deref(), Some(unit), "{cgroup:?}");
    }
}

prop_compose! {
    fn any_socket()(
        address in prop::sample::select(vec!["0.0.0.0", "::", "::1", "10.0.0.1", "::ffff:10.0.0.1"]),
        port in 1_u16..4,
        is_v6_only in any::<Option<bool>>(),
        interface in 0_u32..3,
        uid in 0_u32..3,
        queue in 0_u32..9,
        backlog in prop::option::of(0_u32..9),
    ) -> ListenSocket {
        ListenSocket { is_v6_only, interface: NonZeroU32::new(interface), uid, queue, backlog, ..socket(address, port) }
    }
}

proptest! {
    #[test]
    fn ids_are_unique_and_no_socket_is_lost(sockets in prop::collection::vec(any_socket(), 0..60)) {
        let found = plain(&sockets);
        let ids: BTreeSet<_> = found.iter().map(|one| &one.id).collect();
        prop_assert_eq!(ids.len(), found.len());
        prop_assert_eq!(found.iter().map(|one| one.load.sockets).sum::<u64>(), sockets.len() as u64);
        let mut reversed = sockets;
        reversed.reverse();
        prop_assert_eq!(plain(&reversed), found);
    }
}

//! Addresses, routes and interfaces of this machine. Nothing here sends a packet.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::num::NonZeroU32;

use socket2::{Domain, Socket, Type};

/// Whether this machine has a route to the address, through the named interface if there is one.
///
/// Connecting a UDP socket only looks up the route (udp(7)).
pub fn has_route(address: IpAddr, interface: Option<&str>) -> bool {
    // Port 9 is discard (RFC 863); nothing is sent to it.
    let remote = SocketAddr::new(address, 9);
    let look_up = || {
        let socket = Socket::new(Domain::for_address(remote), Type::DGRAM, None)?;
        if let Some(name) = interface {
            socket.bind_device(Some(name.as_bytes()))?;
        }
        socket.connect(&remote.into())
    };
    look_up().is_ok()
}

/// Checks that this machine has the address; `zone` is the interface index of a link-local one.
///
/// # Errors
/// The error of bind(2), `EADDRNOTAVAIL` if the address is not configured here.
pub fn has_address(address: IpAddr, zone: Option<NonZeroU32>) -> io::Result<()> {
    let local = match address {
        IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, zone.map_or(0, NonZeroU32::get)).into(),
        IpAddr::V4(_) => SocketAddr::new(address, 0),
    };
    UdpSocket::bind(local).map(drop)
}

/// The index of the interface with this name (`if_nametoindex(3)`), or `None` if there is no such
/// interface.
pub fn interface_index(name: &str) -> Option<NonZeroU32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the pointer is to a NUL-terminated string that outlives the call.
    NonZeroU32::new(unsafe { libc::if_nametoindex(name.as_ptr()) })
}

/// The name of the interface with this index (`if_indextoname(3)`), or `None` if there is no such
/// interface.
pub fn interface_name(index: NonZeroU32) -> Option<String> {
    let mut buffer = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the length that the function demands.
    let name = unsafe { libc::if_indextoname(index.get(), buffer.as_mut_ptr()) };
    if name.is_null() {
        return None;
    }
    // SAFETY: on success, the buffer holds a NUL-terminated string.
    let name = unsafe { CStr::from_ptr(name) };
    Some(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_a_name() {
        let name = |index| interface_name(NonZeroU32::new(index).unwrap());
        assert_eq!(name(1).as_deref(), Some("lo"));
        assert_eq!(name(u32::MAX), None);
    }

    #[test]
    fn loopback_has_an_index_and_a_route() {
        assert_eq!(interface_index("lo"), NonZeroU32::new(1));
        let loopback = "127.0.0.1".parse().unwrap();
        assert!(has_route(loopback, None));
        assert!(has_route(loopback, Some("lo")));
    }

    #[test]
    fn an_unknown_interface_has_neither() {
        for name in ["no-such-if0", "", "l\0o", "longer-than-ifnamsiz"] {
            assert_eq!(interface_index(name), None, "{name:?}");
        }
        assert!(!has_route(
            "127.0.0.1".parse().unwrap(),
            Some("no-such-if0")
        ));
    }

    #[test]
    fn only_addresses_of_this_machine_can_be_bound() {
        assert!(has_address("127.0.0.1".parse().unwrap(), None).is_ok());
        // TEST-NET-1 (RFC 5737) is configured nowhere.
        let error = has_address("192.0.2.1".parse().unwrap(), None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}

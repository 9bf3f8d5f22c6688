//! Names of addresses, as the system knows them.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::net::{IpAddr, SocketAddr};

use libc::{c_char, socklen_t};
use socket2::SockAddr;

/// The longest name (`NI_MAXHOST`, getnameinfo(3)).
const MAX_NAME: usize = 1025;

/// The name of an address by a reverse lookup (getnameinfo(3): hosts file, DNS), as it was received;
/// `None` if it has none, or the name is not UTF-8. It may take seconds.
pub fn name_of(address: IpAddr) -> Option<String> {
    let socket_address = SockAddr::from(SocketAddr::new(address, 0));
    let mut name = [0 as c_char; MAX_NAME];
    let length = socklen_t::try_from(name.len()).ok()?;
    // SAFETY: the address is valid for its length; the C library writes at most
    // `length` bytes to the name, with a NUL; no service name is asked for.
    let result = unsafe {
        libc::getnameinfo(
            socket_address.as_ptr().cast(),
            socket_address.len(),
            name.as_mut_ptr(),
            length,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if result != 0 {
        return None;
    }
    // SAFETY: after success, the name ends with a NUL within the array.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    name.to_str().ok().map(str::to_owned)
}

//! What no well-kept crate offers of Linux sockets. The only `unsafe` of the program.
#![allow(unsafe_code)]

use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

use crate::failure::{IcmpFact, IcmpVersion};

/// The fields of the kernel's `struct tcp_info` (linux/tcp.h) that a probe reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// `tcpi_rtt`: zero when the connection never was.
    pub rtt: Duration,
    /// `tcpi_rttvar`.
    pub rttvar: Duration,
    /// `tcpi_total_retrans`: segments sent again since the connection began, SYNs included.
    pub retransmits: u32,
    /// `tcpi_snd_mss`, bytes.
    pub mss: u32,
}

/// Reads `TCP_INFO` (tcp(7)); works in every state of the socket.
pub fn tcp_info(socket: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    // SAFETY: tcp_info is plain integers, for which all zeroes is a value; the kernel writes at most `length` bytes.
    let info = unsafe {
        let mut info: libc::tcp_info = zeroed();
        let mut length = size_of::<libc::tcp_info>() as socklen_t;
        let into = (&raw mut info).cast::<c_void>();
        check(libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            into,
            &raw mut length,
        ))?;
        info
    };
    Ok(TcpInfo {
        rtt: Duration::from_micros(info.tcpi_rtt.into()),
        rttvar: Duration::from_micros(info.tcpi_rttvar.into()),
        retransmits: info.tcpi_total_retrans,
        mss: info.tcpi_snd_mss,
    })
}

/// Lets ICMP errors of a connect enter the socket's error queue (`IP_RECVERR`, `IPV6_RECVERR`; ip(7), ipv6(7)).
pub fn keep_icmp_errors(socket: BorrowedFd<'_>, remote: IpAddr) -> io::Result<()> {
    set_recverr(socket, remote, 1)
}

/// Ends what [`keep_icmp_errors`] began: on an open connection the option would make passing ICMP errors fatal.
pub fn drop_icmp_errors(socket: BorrowedFd<'_>, remote: IpAddr) -> io::Result<()> {
    set_recverr(socket, remote, 0)
}

fn set_recverr(socket: BorrowedFd<'_>, remote: IpAddr, value: c_int) -> io::Result<()> {
    match remote {
        IpAddr::V4(_) => set_int(socket, libc::IPPROTO_IP, libc::IP_RECVERR, value),
        IpAddr::V6(_) => set_int(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, value),
    }
}

/// Leaves the source port to `connect`, so that one port serves many destinations (`IP_BIND_ADDRESS_NO_PORT`, ip(7)).
pub fn bind_address_without_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_int(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

fn set_int(socket: BorrowedFd<'_>, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: `value` outlives the call and its true size is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<c_int>() as socklen_t,
        )
    };
    check(result)
}

/// Takes the oldest ICMP error from the socket's error queue without blocking; none after a plain RST.
pub fn take_icmp_error(socket: BorrowedFd<'_>) -> Option<IcmpFact> {
    // Room for the payload that came with the error; only the control message matters.
    let mut payload = [0_u8; 64];
    let mut control = MaybeUninit::<[u64; 64]>::zeroed();
    // SAFETY: every pointer in the header refers to a local that outlives the call, with its true length; the
    // control buffer is aligned as cmsghdr asks; CMSG_* walk only what the kernel says it wrote.
    unsafe {
        let mut vector = libc::iovec {
            iov_base: payload.as_mut_ptr().cast(),
            iov_len: payload.len(),
        };
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = &raw mut vector;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of::<[u64; 64]>() as _;
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        if libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) < 0 {
            return None;
        }
        let mut message = libc::CMSG_FIRSTHDR(&raw const header);
        while !message.is_null() {
            let fact = extended_error(message);
            if fact.is_some() {
                return fact;
            }
            message = libc::CMSG_NXTHDR(&raw const header, message);
        }
    }
    None
}

/// The ICMP fact of a `struct sock_extended_err` (linux/errqueue.h), if this control message is one.
///
/// # Safety
/// `message` points to a whole control message that the kernel wrote.
unsafe fn extended_error(message: *const libc::cmsghdr) -> Option<IcmpFact> {
    // SAFETY: the caller's promise; the length is checked before the error and the address behind it are read.
    unsafe {
        // cmsg_len is size_t in glibc and socklen_t in musl.
        #[allow(clippy::unnecessary_cast)]
        let (level, kind, length) = (
            (*message).cmsg_level,
            (*message).cmsg_type,
            (*message).cmsg_len as usize,
        );
        let ours = (level == libc::IPPROTO_IP && kind == libc::IP_RECVERR)
            || (level == libc::IPPROTO_IPV6 && kind == libc::IPV6_RECVERR);
        let whole = libc::CMSG_LEN(size_of::<libc::sock_extended_err>() as u32) as usize;
        if !ours || length < whole {
            return None;
        }
        let data = libc::CMSG_DATA(message);
        let error: libc::sock_extended_err =
            data.cast::<libc::sock_extended_err>().read_unaligned();
        let version = match error.ee_origin {
            libc::SO_EE_ORIGIN_ICMP => IcmpVersion::V4,
            libc::SO_EE_ORIGIN_ICMP6 => IcmpVersion::V6,
            _ => return None,
        };
        let from = offender(
            data.add(size_of::<libc::sock_extended_err>()),
            length - whole,
        );
        Some(IcmpFact {
            kind: error.ee_type,
            code: error.ee_code,
            from,
            version,
        })
    }
}

/// The address of who sent the ICMP message: the sockaddr behind the extended error.
///
/// # Safety
/// `data` points to `length` readable bytes.
unsafe fn offender(data: *const u8, length: usize) -> Option<IpAddr> {
    // SAFETY: the caller's promise; each read is preceded by a check of its length.
    unsafe {
        if length < size_of::<libc::sockaddr_in>() {
            return None;
        }
        let v4: libc::sockaddr_in = data.cast::<libc::sockaddr_in>().read_unaligned();
        match c_int::from(v4.sin_family) {
            libc::AF_INET => Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into()),
            libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
                let v6: libc::sockaddr_in6 = data.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).to_canonical())
            }
            _ => None,
        }
    }
}

/// Whether the kernel does not support the address family (`EAFNOSUPPORT` of socket(2)).
pub fn is_family_unsupported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Undoes a connect: an open connection is reset, and the socket can connect again (connect(2): `AF_UNSPEC`).
pub fn disconnect(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: sockaddr is plain integers, for which all zeroes is a value, and AF_UNSPEC is zero; its true size is passed.
    let result = unsafe {
        let nowhere: libc::sockaddr = zeroed();
        libc::connect(
            socket.as_raw_fd(),
            &raw const nowhere,
            size_of::<libc::sockaddr>() as socklen_t,
        )
    };
    check(result)
}

/// The limit on open descriptors (`RLIMIT_NOFILE`, getrlimit(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorLimit {
    /// What holds now.
    pub now: u64,
    /// What this process may raise it to.
    pub most: u64,
}

/// Reads the limit on open descriptors.
#[allow(clippy::useless_conversion, reason = "rlim_t is not u64 everywhere")]
pub fn descriptor_limit() -> io::Result<DescriptorLimit> {
    let limit = resource_limit()?;
    Ok(DescriptorLimit {
        now: limit.rlim_cur.into(),
        most: limit.rlim_max.into(),
    })
}

/// Raises the limit on open descriptors to what this process may have.
pub fn raise_descriptor_limit() -> io::Result<()> {
    let limit = resource_limit()?;
    let raised = libc::rlimit {
        rlim_cur: limit.rlim_max,
        ..limit
    };
    // SAFETY: the pointer is to a local.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) })
}

fn resource_limit() -> io::Result<libc::rlimit> {
    // SAFETY: rlimit is two integers; the call gets a pointer to a local.
    unsafe {
        let mut limit: libc::rlimit = zeroed();
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit))?;
        Ok(limit)
    }
}

/// Gives this thread a copy of the process's descriptors, and a limit on them for itself (`CLONE_FILES`, unshare(2)).
pub fn unshare_descriptors() -> io::Result<()> {
    // SAFETY: descriptors that were open stay open under their numbers; whoever runs on this thread keeps to itself what
    // it opens from now on.
    check(unsafe { libc::unshare(libc::CLONE_FILES) })
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

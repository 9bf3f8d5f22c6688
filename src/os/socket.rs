//! Socket options, the error queue and descriptor limits of Linux that no well-kept crate offers.
#![allow(unsafe_code)]

use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};
use socket2::{SockFilter, SockRef, Socket};

use crate::failure::{IcmpFact, IcmpVersion};

/// The fields of the kernel's `struct tcp_info` (linux/tcp.h) that a probe reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// `tcpi_rtt`: zero if the connection was never established.
    pub rtt: Duration,
    /// `tcpi_rttvar`.
    pub rttvar: Duration,
    /// `tcpi_total_retrans`: retransmitted segments since the first SYN, SYNs included.
    pub retransmits: u32,
    /// `tcpi_snd_mss`, bytes.
    pub mss: u32,
    /// `tcpi_last_data_recv`: the time since the peer's last data, or its SYN; longer than the
    /// connection exists if it has sent neither. Exact to one tick of the kernel.
    pub last_received: Duration,
}

/// Reads `TCP_INFO` (tcp(7)), in any state of the socket.
///
/// # Errors
/// The error of getsockopt(2).
pub fn tcp_info(socket: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    // SAFETY: tcp_info is plain integers, for which all zeroes is a value; the kernel writes at
    // most `length` bytes.
    let info = unsafe {
        let mut info: libc::tcp_info = zeroed();
        let mut length = socklen_of::<libc::tcp_info>();
        let buffer = (&raw mut info).cast::<c_void>();
        check(libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            buffer,
            &raw mut length,
        ))?;
        info
    };
    Ok(TcpInfo {
        rtt: Duration::from_micros(info.tcpi_rtt.into()),
        rttvar: Duration::from_micros(info.tcpi_rttvar.into()),
        retransmits: info.tcpi_total_retrans,
        mss: info.tcpi_snd_mss,
        last_received: Duration::from_millis(info.tcpi_last_data_recv.into()),
    })
}

/// Queues ICMP errors of a connect in the socket's error queue (`IP_RECVERR`, `IPV6_RECVERR`;
/// ip(7), ipv6(7)).
///
/// # Errors
/// The error of setsockopt(2).
pub fn queue_icmp_errors(socket: BorrowedFd<'_>, remote: IpAddr) -> io::Result<()> {
    set_recverr(socket, remote, 1)
}

/// Undoes [`queue_icmp_errors`]: on an established connection the option makes transient ICMP
/// errors fatal.
///
/// # Errors
/// The error of setsockopt(2).
pub fn unqueue_icmp_errors(socket: BorrowedFd<'_>, remote: IpAddr) -> io::Result<()> {
    set_recverr(socket, remote, 0)
}

fn set_recverr(socket: BorrowedFd<'_>, remote: IpAddr, value: c_int) -> io::Result<()> {
    match remote {
        IpAddr::V4(_) => set_int(socket, libc::IPPROTO_IP, libc::IP_RECVERR, value),
        IpAddr::V6(_) => set_int(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, value),
    }
}

/// Makes a following bind(2) choose no port (`IP_BIND_ADDRESS_NO_PORT`, ip(7)): connect(2) chooses
/// it, and then one port can be used for several destinations.
///
/// # Errors
/// The error of setsockopt(2).
pub fn bind_address_without_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_int(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// Sets the time to live of what the socket sends (`IP_TTL`, ip(7); `IPV6_UNICAST_HOPS`, ipv6(7)).
///
/// # Errors
/// The error of setsockopt(2).
pub fn set_time_to_live(socket: BorrowedFd<'_>, remote: IpAddr, hops: u8) -> io::Result<()> {
    let hops = c_int::from(hops);
    match remote {
        IpAddr::V4(_) => set_int(socket, libc::IPPROTO_IP, libc::IP_TTL, hops),
        IpAddr::V6(_) => set_int(socket, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, hops),
    }
}

/// Lets the kernel repeat the SYN at most once, which is the minimum (`TCP_SYNCNT`, tcp(7)).
///
/// # Errors
/// The error of setsockopt(2).
pub fn limit_syns(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_int(socket, libc::IPPROTO_TCP, libc::TCP_SYNCNT, 1)
}

fn set_int(socket: BorrowedFd<'_>, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: `value` outlives the call, and its size is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            socklen_of::<c_int>(),
        )
    };
    check(result)
}

/// Takes the oldest ICMP error from the socket's error queue without blocking; `None` after a plain
/// RST.
pub fn take_icmp_error(socket: BorrowedFd<'_>) -> Option<IcmpFact> {
    // Receives the start of the packet that caused the error; only the control message is used.
    let mut payload = [0_u8; 64];
    let mut control = MaybeUninit::<[u64; 64]>::zeroed();
    // SAFETY: every pointer in the header refers to a local that outlives the call, with its
    // length; the control buffer is aligned for cmsghdr; CMSG_FIRSTHDR and CMSG_NXTHDR stay inside
    // what the kernel wrote.
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

/// The ICMP error of a `struct sock_extended_err` (linux/errqueue.h), if the control message
/// contains one.
///
/// # Safety
/// `message` points to a complete control message that the kernel wrote.
unsafe fn extended_error(message: *const libc::cmsghdr) -> Option<IcmpFact> {
    // SAFETY: by contract; the length is checked before the error, and the address behind it, are
    // read.
    unsafe {
        #[allow(
            clippy::unnecessary_cast,
            reason = "cmsg_len is size_t in glibc and socklen_t in musl"
        )]
        let (level, kind, length) = (
            (*message).cmsg_level,
            (*message).cmsg_type,
            (*message).cmsg_len as usize,
        );
        let is_error = (level == libc::IPPROTO_IP && kind == libc::IP_RECVERR)
            || (level == libc::IPPROTO_IPV6 && kind == libc::IPV6_RECVERR);
        let error_length = libc::CMSG_LEN(socklen_of::<libc::sock_extended_err>()) as usize;
        if !is_error || length < error_length {
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
            length - error_length,
        );
        Some(IcmpFact {
            kind: error.ee_type,
            code: error.ee_code,
            from,
            version,
        })
    }
}

/// The address of the sender of the ICMP message: the sockaddr behind the extended error
/// (`SO_EE_OFFENDER`).
///
/// # Safety
/// `data` points to `length` readable bytes.
unsafe fn offender(data: *const u8, length: usize) -> Option<IpAddr> {
    // SAFETY: by contract; the length is checked before each read.
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

/// Makes the kernel drop UDP datagrams that do not start with these two bytes, before they take
/// space in the receive buffer (`SO_ATTACH_FILTER`, socket(7)). Needs no privilege.
///
/// # Errors
/// The error of setsockopt(2).
pub fn accept_only(socket: &Socket, start: [u8; 2]) -> io::Result<()> {
    /// A filter sees the datagram from its UDP header on (RFC 768).
    const UDP_HEADER: u32 = 8;
    let instruction = |code: u32, if_true, if_false, value| {
        // Opcodes have 16 bits (linux/filter.h).
        SockFilter::new(
            u16::try_from(code).unwrap_or_default(),
            if_true,
            if_false,
            value,
        )
    };
    let start = u32::from(u16::from_be_bytes(start));
    socket.attach_filter(&[
        // A datagram that is too short to be read from is dropped.
        instruction(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, UDP_HEADER),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, start),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ])
}

/// How many datagrams the kernel dropped at this socket, because of a filter or because its receive
/// buffer was full (`SO_MEMINFO`, since Linux 4.12; `linux/sock_diag.h`).
///
/// # Errors
/// The error of getsockopt(2).
pub fn dropped_datagrams(socket: BorrowedFd<'_>) -> io::Result<u32> {
    const DROPS: usize = libc::SK_MEMINFO_DROPS as usize;
    let mut values = [0_u32; DROPS + 1];
    // SAFETY: the kernel writes at most `length` bytes, the size of the array.
    let result = unsafe {
        let mut length = socklen_of::<[u32; DROPS + 1]>();
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            (&raw mut values).cast::<c_void>(),
            &raw mut length,
        )
    };
    check(result)?;
    let [.., drops] = values;
    Ok(drops)
}

/// Whether the kernel does not support the address family (`EAFNOSUPPORT` of socket(2)).
pub fn is_family_unsupported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Sends what the socket accepts at once; `WouldBlock` if that is nothing.
///
/// # Errors
/// The error of send(2).
pub fn send_at_once(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    SockRef::from(&socket).send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
}

/// Resets the connection and makes the socket ready for another connect(2) (connect(2):
/// `AF_UNSPEC`).
///
/// # Errors
/// The error of connect(2).
pub fn disconnect(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: sockaddr is plain integers, for which all zeroes is a value, and AF_UNSPEC is zero;
    // its size is passed.
    let result = unsafe {
        let unspecified: libc::sockaddr = zeroed();
        libc::connect(
            socket.as_raw_fd(),
            &raw const unspecified,
            socklen_of::<libc::sockaddr>(),
        )
    };
    check(result)
}

/// The limit on open descriptors (`RLIMIT_NOFILE`, getrlimit(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorLimit {
    /// The limit in effect.
    pub soft: u64,
    /// The value to which this process may raise it.
    pub hard: u64,
}

/// Reads the limit on open descriptors.
///
/// # Errors
/// The error of getrlimit(2).
#[allow(clippy::useless_conversion, reason = "rlim_t is not u64 everywhere")]
pub fn descriptor_limit() -> io::Result<DescriptorLimit> {
    let limit = resource_limit()?;
    Ok(DescriptorLimit {
        soft: limit.rlim_cur.into(),
        hard: limit.rlim_max.into(),
    })
}

/// Raises the limit on open descriptors to the hard limit.
///
/// # Errors
/// The error of setrlimit(2).
pub fn raise_descriptor_limit() -> io::Result<()> {
    let limit = resource_limit()?;
    let raised = libc::rlimit {
        rlim_cur: limit.rlim_max,
        ..limit
    };
    // SAFETY: the pointer is to a local that outlives the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) })
}

fn resource_limit() -> io::Result<libc::rlimit> {
    // SAFETY: rlimit is two integers, for which zero is a value; the pointer is to a local.
    unsafe {
        let mut limit: libc::rlimit = zeroed();
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit))?;
        Ok(limit)
    }
}

/// Gives this thread a descriptor table of its own, a copy of the process's, so that the limit on
/// open descriptors applies to the thread alone (`CLONE_FILES`, unshare(2)).
///
/// # Errors
/// The error of unshare(2).
pub fn unshare_descriptors() -> io::Result<()> {
    // SAFETY: open descriptors keep their numbers. The engine passes no descriptor between threads
    // after this call.
    check(unsafe { libc::unshare(libc::CLONE_FILES) })
}

/// The size of a type, as socket calls take it.
#[allow(
    clippy::cast_possible_truncation,
    reason = "no structure of the socket API is larger than 4 GiB"
)]
const fn socklen_of<T>() -> socklen_t {
    size_of::<T>() as socklen_t
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

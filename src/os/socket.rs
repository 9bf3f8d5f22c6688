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

/// What the kernel knows of the bytes that were exchanged on a connection: fields of its
/// `struct tcp_info` (linux/tcp.h) beyond those of [`TcpInfo`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpExchange {
    /// Our bytes that the peer's kernel has acknowledged, without SYN and FIN
    /// (`tcpi_bytes_acked`).
    pub acked: u64,
    /// Our bytes that were sent at least once and are not acknowledged.
    pub in_flight: u64,
    /// Our bytes that were not sent yet (`tcpi_notsent_bytes`).
    pub not_sent: u64,
    /// The bytes that were received in order (`tcpi_bytes_received`).
    pub received: u64,
    /// `tcpi_total_retrans`: retransmitted segments since the first SYN, SYNs included.
    pub retransmits: u32,
    /// How often the retransmission timer has expired since the last progress
    /// (`tcpi_retransmits`).
    pub timeouts: u8,
    /// How often the peer was asked for a larger window since it was open (`tcpi_backoff`,
    /// `tcpi_probes`).
    pub window_probes: u8,
    /// The receive window of the peer, in bytes; `None` before Linux 5.4 (`tcpi_snd_wnd`).
    pub window: Option<u32>,
    /// Sent segments that are not acknowledged (`tcpi_unacked`).
    pub segments_in_flight: u32,
    /// Those of them that arrived although an earlier one did not (`tcpi_sacked`).
    pub segments_sacked: u32,
    /// Received segments that came before an earlier one; 0 before Linux 5.4 (`tcpi_rcv_ooopack`).
    pub out_of_order: u32,
    /// `tcpi_snd_mss`: the most bytes of one segment.
    pub mss: u32,
    /// Whether each segment has a timestamp, of 12 bytes (RFC 7323; `tcpi_options`).
    pub has_timestamps: bool,
    /// The time since our last segment with data; exact to one tick of the kernel
    /// (`tcpi_last_data_sent`).
    pub since_sent: Duration,
    /// The time since the peer's last data (`tcpi_last_data_recv`).
    pub since_received: Duration,
    /// The time since the peer's last acknowledgement (`tcpi_last_ack_recv`).
    pub since_acked: Duration,
}

/// The length of `struct tcp_info` of Linux 5.5, up to and including `tcpi_rcv_wnd`.
const TCP_INFO_LENGTH: usize = 236;

/// Reads the part of `TCP_INFO` about the bytes that were written, of which there were this many.
/// `None` if the kernel is older than 4.6, and has no such fields.
///
/// # Errors
/// The error of getsockopt(2).
pub fn tcp_exchange(socket: BorrowedFd<'_>, written: u64) -> io::Result<Option<TcpExchange>> {
    let mut info = [0_u64; TCP_INFO_LENGTH.div_ceil(8)];
    let mut length = socklen_of::<[u8; TCP_INFO_LENGTH]>();
    // SAFETY: the kernel writes at most `length` bytes, which the array has.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    })?;
    let mut bytes = [0_u8; TCP_INFO_LENGTH.next_multiple_of(8)];
    for (bytes, word) in bytes.chunks_exact_mut(8).zip(info) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    let known = bytes.get(..usize::try_from(length).unwrap_or_default());
    Ok(known.and_then(|info| exchange(info, written)))
}

/// The fields at their offsets. `info` has as many bytes as the kernel knows.
fn exchange(info: &[u8], written: u64) -> Option<TcpExchange> {
    let byte = |at: usize| info.get(at).copied();
    let short = |at: usize| Some(u32::from_ne_bytes(*info.get(at..)?.first_chunk()?));
    let long = |at: usize| Some(u64::from_ne_bytes(*info.get(at..)?.first_chunk()?));
    let time = |at| short(at).map(|millis| Duration::from_millis(millis.into()));
    // The kernel counts the SYN and the FIN as bytes, too.
    let acked = long(120)?.saturating_sub(1).min(written);
    let not_sent = u64::from(short(144)?).min(written - acked);
    Some(TcpExchange {
        acked,
        in_flight: written - acked - not_sent,
        not_sent,
        received: long(128)?,
        retransmits: short(100)?,
        timeouts: byte(2)?,
        window_probes: byte(3)?.max(byte(4)?),
        window: short(228),
        segments_in_flight: short(24)?,
        segments_sacked: short(28)?,
        out_of_order: short(224).unwrap_or_default(),
        mss: short(16)?,
        has_timestamps: byte(5)? & 1 != 0,
        since_sent: time(44)?,
        since_received: time(52)?,
        since_acked: time(56)?,
    })
}

/// Whether the peer's kernel has acknowledged our FIN (`tcpi_state`, in the states of RFC 9293,
/// section 3.3.2).
///
/// # Errors
/// The error of getsockopt(2).
pub fn is_fin_acknowledged(socket: BorrowedFd<'_>) -> io::Result<bool> {
    // linux/tcp_states.h; the C library of musl does not define them.
    const FIN_WAIT2: u8 = 5;
    const TIME_WAIT: u8 = 6;
    const CLOSE: u8 = 7;
    // The kernel writes as many bytes as there are: the state is the first one (linux/tcp.h).
    let mut state = 0_u8;
    // SAFETY: the kernel writes at most `length` bytes, the size of the local.
    let result = unsafe {
        let mut length = socklen_of::<u8>();
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut state).cast::<c_void>(),
            &raw mut length,
        )
    };
    check(result)?;
    Ok(matches!(state, FIN_WAIT2 | TIME_WAIT | CLOSE))
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn bytes_are_counted_without_syn_and_fin() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let read = |written| tcp_exchange(client.as_fd(), written).unwrap().unwrap();
        let before = read(0);
        assert_eq!((before.acked, before.in_flight, before.received), (0, 0, 0));
        (&client).write_all(b"hello").unwrap();
        server.read_exact(&mut [0; 5]).unwrap();
        server.write_all(b"hi").unwrap();
        (&client).read_exact(&mut [0; 2]).unwrap();
        let after = read(5);
        assert_eq!((after.acked, after.in_flight, after.received), (5, 0, 2));
        assert_eq!(
            (after.not_sent, after.retransmits, after.timeouts),
            (0, 0, 0)
        );
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut [0; 2]).unwrap(), 0);
        drop(server);
        assert_eq!(client.read(&mut [0; 2]).unwrap(), 0);
        let closed = tcp_exchange(client.as_fd(), 5).unwrap().unwrap();
        assert_eq!((closed.acked, closed.in_flight), (5, 0));
    }

    /// Linux 4.6 has 152 bytes, 4.19 has 224, and 5.5 has 236.
    #[test]
    fn older_kernels_have_fewer_fields() {
        let mut info = [0_u8; TCP_INFO_LENGTH];
        info[120] = 8;
        info[144] = 2;
        let read = |length: usize| exchange(&info[..length], 12);
        for length in 0..148 {
            assert_eq!(read(length), None, "{length}");
        }
        let fields = |length| {
            read(length).map(|read| (read.acked, read.in_flight, read.not_sent, read.window))
        };
        assert_eq!(fields(152), Some((7, 3, 2, None)));
        assert_eq!(fields(224), Some((7, 3, 2, None)));
        assert_eq!(fields(236), Some((7, 3, 2, Some(0))));
        // An acknowledged FIN, and one that is not sent.
        let read = |written| exchange(&info, written).unwrap();
        assert_eq!(
            (read(6).acked, read(6).in_flight, read(6).not_sent),
            (6, 0, 0)
        );
        assert_eq!(
            (read(8).acked, read(8).in_flight, read(8).not_sent),
            (7, 0, 1)
        );
    }
}

//! The responder as its clients see it, and its log.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use super::{PATIENCE, Server, free_port, python, read_all};

const REQUEST: &str = "你好服务端,我是客户端小黑!";
const REPLY: &str = "ok, 问题正在处理中…";

/// The tutorial's client.
const CLIENT: &str = "
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(('127.0.0.1', int(sys.argv[1])))
print(client.getsockname()[1])
client.send(sys.argv[2].encode('gbk'))
print(client.recv(1024).decode('gbk'))
client.close()
";

fn tutorial(server: &Server) {
    let port = server.address.port().to_string();
    let Some(printed) = python(CLIENT, &[&port, REQUEST]) else {
        return;
    };
    let (own_port, answer) = printed.trim_end().split_once('\n').unwrap();
    assert_eq!(answer, REPLY);
    let client = SocketAddr::from(([127, 0, 0, 1], own_port.parse().unwrap()));
    assert_eq!(server.line_about(client), "connected");
    assert_eq!(
        server.line_about(client),
        format!("received 26 bytes: {REQUEST}")
    );
    assert_eq!(server.line_about(client), format!("sent 20 bytes: {REPLY}"));
    assert_eq!(server.line_about(client), "closed the connection");
}

#[test]
fn the_tutorials_client_on_every_address() {
    let port = free_port().to_string();
    let server = Server::start(&[&port, "--encoding", "gbk", "--reply", REPLY]);
    assert_eq!(server.address.port().to_string(), port);
    tutorial(&server);
    tutorial(&server);
}

#[test]
fn the_tutorials_client_on_a_port_of_the_kernels_choice() {
    tutorial(&Server::start(&[
        "127.0.0.1:0",
        "--encoding",
        "gbk",
        "--reply",
        REPLY,
    ]));
    tutorial(&Server::start(&[
        "0",
        "--encoding",
        "gbk",
        "--reply",
        REPLY,
    ]));
}

#[test]
fn a_bare_port_serves_ipv6_too() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return crate::support::skip("this host has no IPv6 loopback");
    }
    let everywhere = Server::start(&["0", "--greeting", "hi", "--once"]);
    let mut client = TcpStream::connect((Ipv6Addr::LOCALHOST, everywhere.address.port())).unwrap();
    let own = client.local_addr().unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), b"hi");
    assert_eq!(everywhere.line_about(own), "connected");
    let one = Server::start(&["[::1]:0"]);
    assert!(one.address.to_string().starts_with("[::1]:"));
}

#[test]
fn a_client_that_sends_nothing_is_logged() {
    let server = Server::start(&["127.0.0.1:0", "--reply", "x"]);
    let program = "
import socket, sys
socket.create_connection(('127.0.0.1', int(sys.argv[1]))).close()
";
    if python(program, &[&server.address.port().to_string()]).is_some() {
        assert!(server.line().ends_with(" connected"));
        assert!(server.line().ends_with(" closed the connection"));
    }
}

#[test]
fn without_a_reply_everything_received_is_logged() {
    let server = Server::start(&["127.0.0.1:0", "--greeting", r"220 ready\r\n"]);
    let mut client = server.connect();
    let own = client.local_addr().unwrap();
    let mut greeting = [0; 11];
    client.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"220 ready\r\n");
    assert_eq!(server.line_about(own), "connected");
    assert_eq!(server.line_about(own), r"sent 11 bytes: 220 ready\r\n");
    for text in ["one", "two"] {
        client.write_all(text.as_bytes()).unwrap();
        assert_eq!(server.line_about(own), format!("received 3 bytes: {text}"));
    }
    drop(client);
    assert_eq!(server.line_about(own), "closed the connection");
}

#[test]
fn the_delay_applies_to_each_client_separately() {
    let server = Server::start(&[
        "127.0.0.1:0",
        "--greeting",
        "a",
        "--reply",
        "b",
        "--delay",
        "300ms",
    ]);
    #[allow(
        clippy::disallowed_methods,
        reason = "the program's own clock is what is measured"
    )]
    let start = Instant::now();
    let mut clients: Vec<TcpStream> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.write_all(b"question").unwrap();
    }
    for client in &mut clients {
        assert_eq!(read_all(client), b"ab");
    }
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(600), "{elapsed:?}");
    assert!(
        elapsed < Duration::from_secs(12),
        "{elapsed:?}: one after the other"
    );
}

/// A client with small buffers, which are full soon if it does not read.
fn narrow_client(server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    socket.connect(&server.target().into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn a_slow_echo_client_does_not_delay_others() {
    let server = Server::start(&["127.0.0.1:0", "--echo"]);
    let mut slow = narrow_client(&server);
    let text: Vec<u8> = (0..1_u32 << 20).map(|at| (at % 251) as u8).collect();
    let mut writer = slow.try_clone().unwrap();
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| {
            writer
                .write_all(&text)
                .and_then(|()| writer.shutdown(Shutdown::Write))
        });
        for _ in 0..100 {
            let mut quick = server.connect();
            quick.write_all(b"quick").unwrap();
            quick.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_all(&mut quick), b"quick");
        }
        assert_eq!(read_all(&mut slow), text);
        sent.join().unwrap().unwrap();
    });
}

#[test]
fn unread_echo_is_bounded_in_memory() {
    let server = Server::start(&["127.0.0.1:0", "--echo"]);
    let mut deaf = narrow_client(&server);
    deaf.set_write_timeout(Some(Duration::from_millis(700)))
        .unwrap();
    let limit = 64 << 20;
    let mut sent = 0;
    let error = loop {
        match deaf.write(&vec![b'.'; 65536]) {
            Ok(count) => sent += count,
            Err(error) => break error,
        }
        assert!(
            sent < limit,
            "{sent} bytes were taken from a client that reads nothing"
        );
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let mut quick = server.connect();
    quick.write_all(b"quick").unwrap();
    quick.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut quick), b"quick");
    deaf.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut deaf).len(), sent);
}

#[test]
fn fin_is_sent_despite_unread_client_bytes() {
    let server = Server::start(&["127.0.0.1:0", "--reply", "enough"]);
    for _ in 0..20 {
        let mut client = server.connect();
        client.write_all(&vec![b'x'; 100_000]).unwrap();
        assert_eq!(read_all(&mut client), b"enough");
    }
}

#[test]
fn a_client_that_stays_open_after_our_fin_is_not_reset() {
    let server = Server::start(&["127.0.0.1:0", "--reply", "bye"]);
    let mut client = server.connect();
    let own = client.local_addr().unwrap();
    client.write_all(b"x").unwrap();
    assert_eq!(read_all(&mut client), b"bye");
    let lines = [
        server.line_about(own),
        server.line_about(own),
        server.line_about(own),
        server.line_about(own),
    ];
    assert_eq!(lines[3], "closed by this side: the client sent no FIN");
}

#[test]
fn rst_is_seen_as_a_reset() {
    let server = Server::start(&["127.0.0.1:0", "--reply", "pong", "--close", "rst"]);
    let mut client = server.connect();
    let own = client.local_addr().unwrap();
    client.write_all(b"ping").unwrap();
    let mut bytes = Vec::new();
    assert_eq!(
        client.read_to_end(&mut bytes).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(bytes, b"pong");
    let lines = [
        server.line_about(own),
        server.line_about(own),
        server.line_about(own),
        server.line_about(own),
    ];
    assert_eq!(
        lines,
        [
            "connected",
            "received 4 bytes: ping",
            "sent 4 bytes: pong",
            "reset by this side"
        ]
    );
}

#[test]
fn rst_without_a_reply_is_sent_at_once() {
    let server = Server::start(&["127.0.0.1:0", "--close", "rst"]);
    // The reset may arrive before connect returns, which then reports it.
    let error = TcpStream::connect(server.target())
        .and_then(|mut client| client.read(&mut [0]))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_client_reset_is_logged_and_serving_goes_on() {
    let server = Server::start(&["127.0.0.1:0", "--echo"]);
    let mut client = server.connect();
    let own = client.local_addr().unwrap();
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    let lines = [
        server.line_about(own),
        server.line_about(own),
        server.line_about(own),
        server.line_about(own),
    ];
    assert_eq!(lines[3], "reset by the client");
    let next = server.connect();
    assert_eq!(server.line_about(next.local_addr().unwrap()), "connected");
}

#[test]
fn a_client_that_resets_during_the_delay_is_not_waited_for() {
    let server = Server::start(&["127.0.0.1:0", "--greeting", "late", "--delay", "600"]);
    let client = server.connect();
    let own = client.local_addr().unwrap();
    assert_eq!(server.line_about(own), "connected");
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    assert_eq!(server.line_about(own), "reset by the client");
}

#[test]
fn hold_keeps_the_connection_until_the_client_closes() {
    let server = Server::start(&["127.0.0.1:0", "--reply", "pong", "--close", "hold"]);
    let mut client = server.connect();
    let own = client.local_addr().unwrap();
    client.write_all(b"ping").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    for text in ["more", "and more"] {
        client.write_all(text.as_bytes()).unwrap();
    }
    client
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert_eq!(
        client.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    drop(client);
    let last = std::iter::repeat_with(|| server.line_about(own))
        .find(|line| !line.starts_with("received"))
        .unwrap();
    assert_eq!(last, "connected");
    let last = std::iter::repeat_with(|| server.line_about(own))
        .find(|line| !line.contains("bytes: "))
        .unwrap();
    assert_eq!(last, "closed the connection");
}

#[test]
fn never_accept_with_a_full_backlog_answers_no_syn() {
    let server = Server::start(&["127.0.0.1:0", "--close", "never-accept", "--backlog", "0"]);
    let waiting = server.connect();
    waiting
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert_eq!(
        (&waiting).read(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    let mut kept = vec![waiting];
    let error = loop {
        match TcpStream::connect_timeout(&server.target(), Duration::from_millis(500)) {
            Ok(stream) => kept.push(stream),
            Err(error) => break error,
        }
        assert!(kept.len() < 5, "the backlog does not fill");
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(server.lines.try_recv().is_err(), "nobody was accepted");
}

//! How the program itself starts and ends.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{PATIENCE, Server, free_port, read_all};

#[test]
fn once_serves_one_client_and_ends() {
    let mut server = Server::start(&["127.0.0.1:0", "--reply", "pong", "--once"]);
    let mut client = server.connect();
    let mut late = server.connect();
    client.write_all(b"ping").unwrap();
    assert_eq!(read_all(&mut client), b"pong");
    drop(client);
    assert_eq!(server.exit(), Some(0));
    assert!(late.read(&mut [0]).is_err(), "a second client was served");
    assert!(
        TcpStream::connect_timeout(&server.target(), PATIENCE).is_err(),
        "it still listens"
    );
}

#[test]
fn once_counts_a_client_that_sends_nothing() {
    let mut server = Server::start(&["127.0.0.1:0", "--reply", "pong", "--once"]);
    drop(server.connect());
    assert_eq!(server.exit(), Some(0));
}

#[test]
fn signals_end_it_with_success() {
    for name in ["TERM", "INT"] {
        let mut idle = Server::start(&["127.0.0.1:0"]);
        idle.signal(name);
        assert_eq!(idle.exit(), Some(0), "{name}");
        let mut serving = Server::start(&["127.0.0.1:0", "--close", "hold"]);
        let _client = serving.connect();
        serving.line();
        serving.signal(name);
        assert_eq!(serving.exit(), Some(0), "{name} with a client");
    }
    let mut never = Server::start(&["127.0.0.1:0", "--close", "never-accept"]);
    never.signal("TERM");
    assert_eq!(never.exit(), Some(0), "TERM without accept");
}

#[test]
fn the_same_port_is_free_at_once_after_a_client() {
    let port = format!("127.0.0.1:{}", free_port());
    for _ in 0..3 {
        let mut server = Server::start(&[&port, "--reply", "x"]);
        let mut client = server.connect();
        client.write_all(b"x").unwrap();
        // Our side closes first, so TIME_WAIT is here.
        assert_eq!(read_all(&mut client), b"x");
        drop(client);
        while !server.line().ends_with(" closed the connection") {}
        server.signal("TERM");
        assert_eq!(server.exit(), Some(0));
    }
}

#[test]
fn a_closed_standard_output_ends_it_without_an_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zbx-tcp"));
    let command = command
        .args(["serve", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let address = first.trim_end().strip_prefix("listening on ").unwrap();
    // A child of another test may hold the pipe between fork and exec, so the first line may
    // succeed.
    let ends = |_| {
        TcpStream::connect(address).map_or(true, |mut client| {
            client
                .set_read_timeout(Some(Duration::from_millis(100)))
                .unwrap();
            client
                .read(&mut [0])
                .map_or_else(|error| error.kind() != ErrorKind::WouldBlock, |_| true)
        })
    };
    let ended = (0..200).any(ends);
    if !ended {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}

#[test]
fn without_descriptors_clients_wait_and_are_served() {
    let limited = "ulimit -n 16; exec \"$0\" serve 127.0.0.1:0 --echo";
    let server =
        Server::spawn(Command::new("sh").args(["-c", limited, env!("CARGO_BIN_EXE_zbx-tcp")]));
    let mut clients: Vec<TcpStream> = (0..40).map(|_| server.connect()).collect();
    let mut last = clients.pop().unwrap();
    last.write_all(b"x").unwrap();
    last.set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert_eq!(
        last.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "the limit was not reached"
    );
    drop(clients);
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    last.read_exact(&mut [0]).unwrap();
}

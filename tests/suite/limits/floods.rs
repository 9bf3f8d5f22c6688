//! A minority of peers that send much: the others have their results, and memory is bounded.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zbx_tcp::engine::{Limits, ResolverKind};
use zbx_tcp::failure::Status;
use zbx_tcp::plan::bytes::Charset;
use zbx_tcp::plan::pattern::Pattern;
use zbx_tcp::plan::steps::{Expect, Step};
use zbx_tcp::plan::{Close, ProbeSpec};

use super::{many, plan, run};
use crate::program::program;

/// One byte less than causes a mismatch, so that the client holds the data and waits.
const MUCH: usize = 256 * 1024 - 1;

/// A peer on all addresses of loopback. To clients of 127.6.0.0/16 it sends [`MUCH`], to all others
/// one line; then it waits for their FIN.
fn peer() -> SocketAddr {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    socket2::SockRef::from(&listener).listen(4096).unwrap();
    let address = listener.local_addr().unwrap();
    let much = Arc::new(vec![b'a'; MUCH]);
    // Ends with the test program.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, much) = (stream.unwrap(), Arc::clone(&much));
            thread::spawn(move || serve(stream, &much));
        }
    });
    address
}

fn serve(mut stream: TcpStream, much: &[u8]) {
    let address = stream.local_addr().unwrap().ip().to_string();
    let is_hostile = address.starts_with("127.6.");
    let bytes = if is_hostile { much } else { b"ready\r\n" };
    if stream.write_all(bytes).is_ok() {
        let _ = stream.read(&mut [0; 16]);
    }
}

/// What they send costs much time to compare; the others need little.
#[test]
fn peers_that_send_much_do_not_delay_others() {
    let port = peer().port();
    let slow = Pattern::regex("(?<v>(?:a+b?){20})b|ready", Charset::default()).unwrap();
    let spec = ProbeSpec {
        timeout: Duration::from_secs(3),
        steps: vec![Step::Expect(Expect::one(slow))],
        close: Close::Rst,
        ..ProbeSpec::default()
    };
    let (hostile, good) = (60, 240);
    let plans = (0..hostile + good).map(|number| match number % 5 {
        0 => plan(&format!("127.6.0.{}", number / 5 + 1), port, &spec),
        _ => plan(
            &format!("127.7.{}.{}", number / 200, number % 200 + 1),
            port,
            &spec,
        ),
    });
    let limits = Limits {
        deadline: Some(Duration::from_secs(15)),
        ..Limits::in_flight(many(1000))
    };
    let gathered = run(plans.collect(), &limits, ResolverKind::default());
    for number in (0..hostile + good).filter(|number| number % 5 != 0) {
        assert_eq!(gathered.status(number), Status::Ok, "{number}");
    }
    assert_eq!(gathered.count(Status::Ok), good, "only they");
}

/// 400 peers send 100 MiB together.
#[test]
fn a_run_holds_a_bounded_number_of_received_bytes() {
    let port = peer().port();
    let mut child = program()
        .args([
            "batch",
            "-",
            "--expect",
            "ready",
            "-t",
            "2",
            "--deadline",
            "6",
            "-o",
            "ndjson",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut list = String::new();
    for number in 0..400 {
        let (network, host) = (number / 200, number % 200 + 1);
        list += &format!("127.6.{network}.{host} {port}\n");
        if number % 4 == 0 {
            list += &format!("127.7.{network}.{host} {port}\n");
        }
    }
    child
        .stdin
        .take()
        .unwrap()
        .write_all(list.as_bytes())
        .unwrap();
    // The lines do not fit into the pipe, so that the program waits before its end.
    let mut out = child.stdout.take().unwrap();
    thread::sleep(Duration::from_secs(7));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    let mut lines = String::new();
    out.read_to_string(&mut lines).unwrap();
    child.wait().unwrap();
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 500);
    for line in &lines {
        let is_good = line["host"].as_str().unwrap().starts_with("127.7.");
        let status = line["status_name"].as_str().unwrap();
        let expected: &[&str] = if is_good {
            &["ok"]
        } else {
            &["mismatch", "local_error", "not_tried"]
        };
        assert!(expected.contains(&status), "{line}");
    }
    // What a run may hold, and the program itself.
    assert!(peak < (64 + 24) * 1024, "{peak} KiB");
}

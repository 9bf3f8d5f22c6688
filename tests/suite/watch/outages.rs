//! Scripted outages against the truth: the list of outages is exact to one interval, and none is
//! invented.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::SockRef;

use super::{events, named, signal};
use crate::private_etc::Etc;
use crate::program::program;
use crate::scripted_peer::{FullBacklog, Peer};
use crate::skip;

/// What the peer does for some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It greets.
    Up,
    /// Nothing listens.
    Refused,
    /// The kernel drops SYNs.
    Silent,
    /// It resets each connection.
    Reset,
    /// It accepts and sends nothing.
    Hanging,
    /// Its greeting comes after the timeout.
    Slow,
    /// Its greeting is wrong.
    Wrong,
}

const INTERVAL: Duration = Duration::from_millis(200);
const TIMEOUT: Duration = Duration::from_millis(400);

fn wall() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

/// A port that no other test gets while nothing listens on it: neither as the source port of a
/// connection (`ip_local_port_range` of ip(7)), nor for a server, whose ports begin at 20,000.
fn own_port() -> u16 {
    static NUMBER: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 5000).unwrap();
    10_000 + process + NUMBER.fetch_add(1, Ordering::SeqCst)
}

/// Binds a port. A process that another test just forked holds the last listener for a moment.
fn retried<T>(bind: impl Fn() -> std::io::Result<T>) -> T {
    for _ in 0..1000 {
        if let Ok(bound) = bind() {
            return bound;
        }
        sleep(Duration::from_millis(2));
    }
    bind().unwrap()
}

/// Serves this port for this time, and calls a function before it stops; returns when the phase began.
fn play(port: u16, phase: Phase, time: Duration, at_end: impl FnOnce()) -> f64 {
    let end = Instant::now() + time;
    match phase {
        Phase::Refused => {
            let began = wall();
            sleep(time);
            at_end();
            return began;
        }
        Phase::Silent => {
            // Waits until the port is free.
            drop(retried(|| TcpListener::bind(("127.0.0.1", port))));
            let full = FullBacklog::on_port(port);
            let began = wall();
            sleep(end.saturating_duration_since(Instant::now()));
            at_end();
            drop(full);
            return began;
        }
        _ => {}
    }
    let listener = retried(|| TcpListener::bind(("127.0.0.1", port)));
    listener.set_nonblocking(true).unwrap();
    let began = wall();
    let mut held: Vec<(Instant, TcpStream)> = Vec::new();
    while Instant::now() < end {
        if let Ok((mut client, _)) = listener.accept() {
            match phase {
                Phase::Up => drop(client.write_all(b"220 ready\r\n")),
                Phase::Wrong => drop(client.write_all(b"500 no\r\n")),
                Phase::Reset => {
                    SockRef::from(&client)
                        .set_linger(Some(Duration::ZERO))
                        .unwrap();
                    continue;
                }
                _ => {}
            }
            held.push((Instant::now(), client));
            continue;
        }
        if phase == Phase::Slow {
            for (accepted, client) in &mut held {
                if accepted.elapsed() > TIMEOUT + TIMEOUT / 4 {
                    let _ = client.write_all(b"220 late\r\n");
                }
            }
        }
        sleep(Duration::from_millis(2));
    }
    at_end();
    began
}

/// Plays these phases while `watch` runs, and compares its outages with the true ones.
fn compare(phases: &[(Phase, u64)]) {
    let port = own_port();
    let child = program()
        .args([
            "watch",
            "127.0.0.1",
            &port.to_string(),
            "--expect-prefix",
            "220",
        ])
        .args(["-i", "200ms", "-t", "400ms", "-o", "ndjson"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut truth: Vec<(f64, f64, Phase)> = Vec::new();
    let mut last = Phase::Refused;
    for (index, (phase, ms)) in phases.iter().enumerate() {
        let is_last = index + 1 == phases.len();
        let began = play(port, *phase, Duration::from_millis(*ms), || {
            if is_last {
                signal(&child, "-INT");
                // The server is there until the run has ended.
                sleep(Duration::from_millis(500));
            }
        });
        match (last, *phase) {
            (Phase::Up, Phase::Up) => {}
            (Phase::Up, phase) => truth.push((began, f64::INFINITY, phase)),
            (_, Phase::Up) if index > 0 => truth.last_mut().unwrap().1 = began,
            _ => {}
        }
        last = *phase;
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let events = events(&text);
    let summary = named(&events, "summary")[0];
    let mut found: Vec<_> = summary["outages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|outage| {
            let end = outage["end"].as_f64().unwrap_or(f64::INFINITY);
            let status = outage["status_names"][0].as_str().unwrap().to_owned();
            (outage["start"].as_f64().unwrap(), end, status)
        })
        .collect();
    // The program may have started before the first listener.
    if found
        .first()
        .is_some_and(|outage| outage.0 < truth[0].0 - 0.5)
    {
        found.remove(0);
    }
    assert_eq!(found.len(), truth.len(), "{found:#?}\n{truth:#?}\n{text}");
    // This machine may run other tests.
    let tolerance = INTERVAL.as_secs_f64() + 0.1;
    for ((start, end, status), (true_start, true_end, phase)) in found.iter().zip(&truth) {
        assert!(
            (start - true_start).abs() <= tolerance,
            "start of {phase:?}: {start} {true_start}"
        );
        assert!(
            (end - true_end).abs() <= tolerance,
            "end of {phase:?}: {end} {true_end}\n{text}"
        );
        let expected = match phase {
            Phase::Refused => &["refused"][..],
            Phase::Silent => &["connect_timeout"],
            Phase::Reset => &["reset"],
            Phase::Hanging | Phase::Slow => &["read_timeout"],
            Phase::Wrong => &["mismatch"],
            Phase::Up => &[],
        };
        // At the change of a phase, the listener is closed for a moment.
        let at_change = ["refused", "reset", "closed"];
        let is_expected =
            expected.contains(&status.as_str()) || at_change.contains(&status.as_str());
        assert!(is_expected, "{phase:?}: {status}");
    }
}

#[test]
fn outages_of_each_kind_are_exact_to_one_interval() {
    use Phase::{Hanging, Refused, Reset, Silent, Slow, Up, Wrong};
    compare(&[
        (Up, 1500),
        (Refused, 1000),
        (Up, 1200),
        (Silent, 1500),
        (Up, 1200),
        (Reset, 1000),
        (Up, 1200),
        (Hanging, 1500),
        (Up, 1200),
        (Slow, 1500),
        (Up, 1200),
        (Wrong, 1000),
        (Up, 1200),
    ]);
}

#[test]
fn a_flapping_service_has_each_of_its_outages() {
    let flap = [(Phase::Up, 1000), (Phase::Refused, 600)];
    let phases: Vec<_> = flap
        .repeat(5)
        .into_iter()
        .chain([(Phase::Up, 1000)])
        .collect();
    compare(&phases);
}

#[test]
fn a_healthy_service_has_no_outage() {
    let peer = Peer::greeting(b"220 ready\r\n");
    let ran = crate::program::run(&[
        "watch",
        "127.0.0.1",
        &peer.port(),
        "--expect-prefix",
        "220",
        "-i",
        "10ms",
        "-w",
        "4",
        "-o",
        "ndjson",
    ]);
    let events = events(&ran.out);
    let summary = named(&events, "summary")[0];
    assert!(summary["up"].as_u64().unwrap() > 100, "{summary}");
    assert_eq!(
        (&summary["down"], &summary["outage_count"]),
        (&0.into(), &0.into()),
        "{summary}"
    );
}

#[test]
fn a_stopped_process_invents_no_outage() {
    let peer = Peer::greeting(b"220 ready\r\n");
    let child = program()
        .args(["watch", "127.0.0.1", &peer.port(), "--expect-prefix", "220"])
        .args(["-i", "50ms", "-t", "300ms", "-o", "ndjson"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    for _ in 0..3 {
        sleep(Duration::from_millis(700));
        signal(&child, "-STOP");
        sleep(Duration::from_millis(2500));
        signal(&child, "-CONT");
    }
    sleep(Duration::from_millis(700));
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let events = events(&text);
    let summary = named(&events, "summary")[0];
    assert_eq!(
        (&summary["down"], &summary["outage_count"]),
        (&0.into(), &0.into()),
        "{text}"
    );
    assert!(named(&events, "unwatched").len() >= 3, "{text}");
    let unwatched = summary["unwatched"].as_f64().unwrap();
    assert!((6.5..9.0).contains(&unwatched), "{unwatched}");
}

#[test]
fn new_addresses_of_a_name_are_noticed() {
    let Some(etc) = Etc::new() else { return };
    let hosts = |text: &str| std::fs::write(etc.path("hosts"), text).unwrap();
    hosts("127.0.0.1 moving\n");
    let peer = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = peer.local_addr().unwrap().port().to_string();
    let child = etc
        .command(&[])
        .arg(program().get_program())
        .args([
            "watch", "moving", &port, "-4", "-i", "100ms", "-w", "6", "-o", "ndjson",
        ])
        .stdout(Stdio::piped())
        .spawn();
    let Ok(child) = child else {
        return skip("unshare cannot be started");
    };
    sleep(Duration::from_secs(2));
    let changed = wall();
    hosts("127.0.0.2 moving\n");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let events = events(&text);
    let changes = named(&events, "addresses");
    assert_eq!(changes.len(), 1, "{text}");
    assert_eq!(
        (&changes[0]["before"][0], &changes[0]["after"][0]),
        (&"127.0.0.1".into(), &"127.0.0.2".into())
    );
    let noticed = changes[0]["at"].as_f64().unwrap() - changed;
    // The hosts file is read again once a second.
    assert!((0.0..1.6).contains(&noticed), "{noticed}");
    assert_eq!(named(&events, "summary")[0]["outage_count"], 0, "{text}");
    let addresses: Vec<_> = named(&events, "probe")
        .iter()
        .map(|probe| probe["address"].clone())
        .collect();
    assert_eq!(
        (&addresses[0], addresses.last().unwrap()),
        (&"127.0.0.1".into(), &"127.0.0.2".into())
    );
}

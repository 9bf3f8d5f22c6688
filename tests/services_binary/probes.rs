//! Probes of one server by one service.

use serde_json::Value;

use crate::program::check;
use crate::server::Server;

/// How many probes a server sees before it is asked what it thinks.
pub const MANY: usize = 200;

/// One probe's document.
pub fn probe(server: &Server, service: &str, more: &[&str]) -> Value {
    let port = server.port.to_string();
    check(&[&["127.0.0.1", &port, "-s", service, "-o", "json"], more].concat()).document()
}

/// Probes many times, two at a time; each must be up. The document of the last.
pub fn all_up(server: &Server, service: &str, more: &[&str]) -> Value {
    let half = || {
        let mut last = Value::Null;
        for _ in 0..MANY / 2 {
            last = probe(server, service, more);
            assert_eq!(
                (&last["up"], &last["status"]),
                (&1.into(), &0.into()),
                "{last}"
            );
        }
        last
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(half);
        let last = half();
        other.join().unwrap();
        last
    })
}

/// Stops the server; its port then refuses.
pub fn refused_when_stopped(server: Server, service: &str) {
    let port = server.port.to_string();
    server.stop();
    check(&["127.0.0.1", &port, "-s", service, "-o", "status"]).prints("3", 1);
}

/// Asserts that none of these words is in what a server said.
#[track_caller]
pub fn no_complaint(said: &str, words: &[&str]) {
    let lower = said.to_lowercase();
    for word in words {
        assert!(
            !lower.contains(&word.to_lowercase()),
            "the server complains ({word}):\n{said}"
        );
    }
}

//! A machine whose clock is wrong, by libfaketime of Debian.

use std::path::Path;

use super::server::{Certificates, Key, Server, has_openssl, new_key};
use crate::program::{finish, program};
use crate::skip;

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A clock before the program was built would make every certificate invalid.
#[test]
fn a_clock_of_2001_is_an_error_of_this_machine() {
    if !has_openssl() {
        return;
    }
    if !Path::new(LIBRARY).exists() {
        return skip("no libfaketime (Debian: libfaketime)");
    }
    let certificates = Certificates::new(&[]);
    certificates.issue("web", &new_key(Key::P256), |params| {
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    });
    let server = Server::start(&certificates.named("web"), &[]);
    let (port, ca) = (server.port().to_string(), certificates.ca_file());
    let check = |clock: Option<&str>, words: &[&str]| {
        let mut command = program();
        command.args(["check", "127.0.0.1", &port]).args(words);
        if let Some(clock) = clock {
            // Deadlines are of another clock.
            command
                .env("LD_PRELOAD", LIBRARY)
                .env("FAKETIME", clock)
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        finish(&mut command).document()
    };
    let ca = ca.display().to_string();
    let tls = ["--tls", "--ca-file", &ca, "-o", "json"];
    let document = check(None, &tls);
    assert_eq!(document["status_name"], "ok", "{document}");
    for more in [&[][..], &["--tls-report-only"], &["--tls-legacy"]] {
        let document = check(Some("2001-01-01 00:00:00"), &[&tls[..], more].concat());
        assert_eq!(
            (&document["status_name"], &document["state"]),
            (&"local_error".into(), &2.into()),
            "{document}"
        );
        let error = document["error"].as_str().unwrap();
        assert!(error.contains("clock"), "{error}");
    }
    // Another wrong clock is not noticed: the dates of the certificate are compared with it.
    let document = check(Some("2110-01-01 00:00:00"), &tls);
    assert_eq!(document["status_name"], "tls_untrusted", "{document}");
    assert!(document["error"].as_str().unwrap().contains("expired"));
    // A check without TLS does not need the time of day.
    let document = check(Some("2001-01-01 00:00:00"), &["-o", "json"]);
    assert_eq!(document["status_name"], "ok", "{document}");
}

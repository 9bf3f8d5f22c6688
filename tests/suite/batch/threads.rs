//! The default number of threads of a batch, and how they share the work.

use std::fmt::Write;
use std::process::{Command, Stdio};

use super::written;
use crate::program::{Ran, finish};
use crate::scripted_peer::FullBacklog;
use crate::support::skip;

/// Descriptors for 48 probes.
const LIMIT: &str = "ulimit -n 64; exec \"$@\"";
/// Runs a command without unshare(2), as in containers, by a seccomp(2) filter in cBPF.
const WITHOUT_UNSHARE: &str = r#"
import ctypes, errno, os, platform, struct, sys
number = {"x86_64": 272, "aarch64": 97}[platform.machine()]
# Load the number of the system call; if it is unshare, return EPERM; otherwise allow it.
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | errno.EPERM), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program):
    sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[1], sys.argv[1:])
"#;

/// A hundred targets that never answer, with descriptors for half of them; `wrapper` starts the
/// program.
fn silence(starter: &[&str], timeout: f64, words: &[&str]) -> Ran {
    let full = FullBacklog::new();
    let mut config = String::new();
    for number in 0..100 {
        writeln!(
            config,
            "[[targets]]\nid = 't{number}'\nhost = '127.0.0.1'\nport = {}",
            full.port()
        )
        .unwrap();
        writeln!(
            config,
            "timeout = '{}ms'",
            timeout * 1000.0 + f64::from(number)
        )
        .unwrap();
    }
    let file = written(&config);
    let mut command = Command::new("sh");
    command
        .args(["-c", LIMIT, "sh"])
        .args(starter)
        .arg(env!("CARGO_BIN_EXE_zbx-tcp"));
    command.args(["batch", "-v", "--per-host", "0"]).args(words);
    finish(
        command
            .env("ZBX_TCP_CONFIG", file.path())
            .stdin(Stdio::null()),
    )
}

/// Asserts that each target had its full timeout.
#[track_caller]
fn all_had_their_time(ran: &Ran, timeout: f64) {
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let targets = document["targets"].as_object().unwrap();
    assert_eq!(targets.len(), 100);
    for target in targets.values() {
        assert_eq!(target["status_name"], "connect_timeout", "{target}");
        assert!(
            target["time"]["total"].as_f64().unwrap() >= timeout,
            "{target}"
        );
    }
}

#[test]
fn threads_with_separate_descriptor_tables_share_the_work() {
    // The first thread alone would start half of them after three seconds, too late for the
    // deadline.
    let ran = silence(&[], 3.0, &["--deadline", "5.5s"]);
    assert!(
        ran.err
            .contains("at most 144 probes in flight: this machine has 64 descriptors"),
        "{}",
        ran.err
    );
    let reason = "1 thread has descriptors for 48 probes: up to 3 threads are started as needed, each with its own descriptors";
    assert!(ran.err.contains(reason), "{}", ran.err);
    all_had_their_time(&ran, 3.0);
}

#[test]
fn threads_option_sets_the_number_of_threads() {
    let ran = silence(&[], 0.4, &["--threads", "1", "--deadline", "30s"]);
    assert!(
        ran.err.contains("at most 48 probes in flight") && !ran.err.contains("thread has"),
        "{}",
        ran.err
    );
    assert!(
        ran.took.as_secs_f64() > 1.2,
        "three turns of 0.4 s: {:?}",
        ran.took
    );
    all_had_their_time(&ran, 0.4);
}

#[test]
fn with_a_shared_descriptor_table_one_thread_uses_all() {
    let starter = ["python3", "-c", WITHOUT_UNSHARE];
    let there = Command::new(starter[0])
        .args(&starter[1..])
        .arg("/bin/true")
        .output();
    match there {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            return skip(&format!(
                "no seccomp filter: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        Err(error) => return skip(&format!("python3 does not start: {error}")),
    }
    let shared = "threads cannot have their own descriptors on this system";
    for threads in [&[][..], &["--threads", "3"]] {
        let ran = silence(&starter, 0.4, &[&["--deadline", "30s"], threads].concat());
        assert!(
            ran.err.contains("at most 48 probes") && ran.err.contains(shared),
            "{threads:?}: {}",
            ran.err
        );
        all_had_their_time(&ran, 0.4);
    }
}

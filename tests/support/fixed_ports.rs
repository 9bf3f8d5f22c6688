//! Tests that need certain port numbers, because a page for users names them.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Held while a test uses fixed ports of this machine, so that two test runs do not disturb each other.
pub struct Lock(#[allow(dead_code, reason = "held until it is dropped")] UnixListener);

impl Lock {
    /// Waits until no other test holds it.
    pub fn acquire() -> Self {
        // An abstract name: the kernel releases it when the process ends, however it ends.
        let address = SocketAddr::from_abstract_name("zbx-tcp-tests-fixed-ports").unwrap();
        loop {
            match UnixListener::bind_addr(&address) {
                Ok(listener) => return Self(listener),
                Err(_) => sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// A command for `program` in a network namespace that has only loopback, where every port is free; where
/// such a namespace cannot be created, a command on this machine with the lock.
pub fn isolated(program: &str) -> (Command, Option<Lock>) {
    const LOOPBACK: [&str; 4] = ["-n", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""];
    // A user other than root needs a user namespace too.
    for user in [&[][..], &["-r"]] {
        let unshare = || {
            let mut command = Command::new("unshare");
            command.args(user).args(LOOPBACK);
            command
        };
        let works = unshare()
            .arg("true")
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success());
        if works {
            let mut command = unshare();
            command.arg(program);
            return (command, None);
        }
    }
    (Command::new(program), Some(Lock::acquire()))
}

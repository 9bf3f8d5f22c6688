//! Network namespaces: the probing machine, the target, and a router between them where one is needed.
//!
//! ```text
//! alone    probe
//! direct   probe 10.77.0.1 -- wire0 -- 10.77.0.2 target
//! routed   probe 10.77.0.1 -- wire0 -- 10.77.0.254 router 10.77.1.254 -- wire1 -- 10.77.1.2 target
//! chain    probe 10.77.0.1 -- wire0 -- 10.77.0.2 hop1 10.77.1.1 -- wire1 -- 10.77.1.2 hop2 ... target
//! fork     probe 10.77.0.1 -- wire0 -- 10.77.0.2 target
//!          probe 10.77.1.1 -- wire1 -- 10.77.1.2 other
//! ```
//! The same in IPv6 below `fd77:0:0:0::/64` and `fd77:0:0:1::/64`, and `fe80::` on every wire.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::background::Background;
use crate::program::{Ran, finish};
use crate::support;
use crate::support::rerun::passes_again;

/// The namespaces of one test, deleted when it is dropped.
pub struct Net {
    id: String,
    roles: Vec<&'static str>,
}

/// The names of the routers of a chain.
pub const ROUTERS: [&str; 12] = [
    "hop1", "hop2", "hop3", "hop4", "hop5", "hop6", "hop7", "hop8", "hop9", "hop10", "hop11",
    "hop12",
];

/// Held while /etc/netns is created or removed.
static ETC: Mutex<()> = Mutex::new(());
static COUNTER: AtomicU32 = AtomicU32::new(0);

impl Net {
    /// `probe` and `target` on one wire; `None` and a skip where this machine cannot.
    pub fn direct() -> Option<Self> {
        let net = Self::with(&["probe", "target"])?;
        net.wire("probe", "target", 0, ["1", "2"]);
        Some(net)
    }

    /// `probe`, `router` and `target` in a row; `None` and a skip where this machine cannot.
    pub fn routed() -> Option<Self> {
        let net = Self::with(&["probe", "router", "target"])?;
        net.wire("probe", "router", 0, ["1", "fe"]);
        net.wire("router", "target", 1, ["fe", "2"]);
        net.sh("router", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
        net.ip(
            "probe",
            &[
                "route add default via 10.77.0.254",
                "route add ::/0 via fd77::fe",
            ],
        );
        net.ip(
            "target",
            &[
                "route add default via 10.77.1.254",
                "route add ::/0 via fd77:0:0:1::fe",
            ],
        );
        Some(net)
    }

    /// `probe`, this many routers and `target` in a row, connected by `wire0`, `wire1` ...; the left
    /// end of a wire has the address 1, the right end 2. Every router is also a host. `None` and a
    /// skip where this machine cannot.
    pub fn chain(routers: usize) -> Option<Self> {
        let roles = [&["probe"], &ROUTERS[..routers], &["target"]].concat();
        let net = Self::with(&roles)?;
        for (number, pair) in (0_u8..).zip(roles.windows(2)) {
            net.wire(pair[0], pair[1], number, ["1", "2"]);
        }
        for (node, role) in roles.iter().enumerate() {
            net.sh(role, "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
            let mut routes = Vec::new();
            if node <= routers {
                routes.push(format!("route add default via 10.77.{node}.2"));
                routes.push(format!("route add ::/0 via fd77:0:0:{node}::2"));
            }
            if node > 1 {
                let left = node - 1;
                routes.push(format!("route add 10.77.0.0/24 via 10.77.{left}.1"));
                routes.push(format!("route add fd77::/64 via fd77:0:0:{left}::1"));
            }
            let routes: Vec<_> = routes.iter().map(String::as_str).collect();
            net.ip(role, &routes);
        }
        Some(net)
    }

    /// `probe` alone; `None` and a skip where this machine cannot.
    pub fn alone() -> Option<Self> {
        Self::with(&["probe"])
    }

    /// `probe` with one wire to `target` and another to `other`; `None` and a skip where this machine cannot.
    pub fn fork() -> Option<Self> {
        let net = Self::with(&["probe", "target", "other"])?;
        net.wire("probe", "target", 0, ["1", "2"]);
        net.wire("probe", "other", 1, ["1", "2"]);
        net.ip(
            "target",
            &[
                "route add default via 10.77.0.1",
                "route add ::/0 via fd77::1",
            ],
        );
        net.ip(
            "other",
            &[
                "route add default via 10.77.1.1",
                "route add ::/0 via fd77:0:0:1::1",
            ],
        );
        Some(net)
    }

    /// These namespaces, not connected; `None` and a skip where this machine cannot.
    pub fn with(roles: &[&'static str]) -> Option<Self> {
        if let Some(reason) = missing() {
            support::skip(&reason);
            return None;
        }
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mut net = Self {
            id: format!("zbx-tcp-{}-{number}", std::process::id()),
            roles: Vec::new(),
        };
        for role in roles {
            let added = Command::new("ip")
                .args(["netns", "add", &net.name(role)])
                .output()
                .unwrap();
            if !added.status.success() {
                support::skip(&format!(
                    "no network namespaces here: {}",
                    String::from_utf8_lossy(&added.stderr)
                ));
                return None;
            }
            net.roles.push(role);
            // No rate limit on ICMP errors, which would drop the seventh within a second, and no duplicate
            // address detection, which takes IPv6 a second.
            net.sh(
                role,
                "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit;
                 echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; echo 1 > /proc/sys/net/ipv6/conf/default/addr_gen_mode;
                 ip link set lo up",
            );
        }
        Some(net)
    }

    /// Connects two namespaces by `wireN` in both, with 10.77.N.x, `fd77:0:0:N::x` and `fe80::x`, x in hexadecimal.
    pub fn wire(&self, left: &str, right: &str, number: u8, hosts: [&str; 2]) {
        let [a, b] = [self.name(left), self.name(right)];
        run(Command::new("ip")
            .args([
                "link",
                "add",
                &format!("wire{number}"),
                "netns",
                &a,
                "type",
                "veth",
            ])
            .args(["peer", "name", &format!("wire{number}"), "netns", &b]));
        for (role, host) in [left, right].into_iter().zip(hosts) {
            let decimal = u8::from_str_radix(host, 16).unwrap();
            self.ip(
                role,
                &[
                    &format!("addr add 10.77.{number}.{decimal}/24 dev wire{number}"),
                    &format!("addr add fd77:0:0:{number}::{host}/64 dev wire{number} nodad"),
                    &format!("addr add fe80::{host}/64 dev wire{number} nodad"),
                    &format!("link set wire{number} up"),
                ],
            );
        }
        self.settle(left, number);
        self.settle(right, number);
    }

    /// Waits for the carrier, which the kernel announces a moment after both ends are up.
    fn settle(&self, role: &str, number: u8) {
        self.sh(
            role,
            &format!("for i in $(seq 200); do ip link show wire{number} | grep -q 'state UP' && exit 0; sleep 0.02; done; exit 1"),
        );
    }

    /// The name of a namespace.
    pub fn name(&self, role: &str) -> String {
        format!("{}-{role}", self.id)
    }

    /// Runs `ip` commands in a namespace, one per line.
    pub fn ip(&self, role: &str, lines: &[&str]) {
        fed(
            Command::new("ip").args(["-n", &self.name(role), "-batch", "-"]),
            &lines.join("\n"),
        );
    }

    /// Adds nftables rules at a hook (`input`, `output`, `forward`) of a namespace.
    pub fn nft(&self, role: &str, hook: &str, rules: &[&str]) {
        let rules = rules.join("\n");
        let table = format!(
            "table inet {hook} {{\nchain {hook} {{\ntype filter hook {hook} priority 0\n{rules}\n}}\n}}"
        );
        fed(self.inside(role, "nft").args(["-f", "-"]), &table);
    }

    /// Replaces /etc/NAME for all commands that run in `probe` from now on (ip-netns(8)).
    pub fn etc(&self, name: &str, text: &str) {
        let _guard = ETC.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = format!("/etc/netns/{}", self.name("probe"));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(format!("{directory}/{name}"), text).unwrap();
    }

    /// The packets counted by the only `counter` at a hook of a namespace.
    pub fn counted(&self, role: &str, hook: &str) -> u32 {
        let mut list = self.inside(role, "nft");
        let text = list
            .args(["list", "chain", "inet", hook, hook])
            .output()
            .unwrap()
            .stdout;
        let text = String::from_utf8(text).unwrap();
        let number = text
            .split("counter packets ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        number
            .and_then(|number| number.parse().ok())
            .expect("a counter")
    }

    /// Closes the probing host only these local ports, both ends included.
    pub fn limit_local_ports(&self, first: u16, last: u16) {
        self.sh(
            "probe",
            &format!("echo {first} {last} > /proc/sys/net/ipv4/ip_local_port_range"),
        );
    }

    /// Runs a shell script in a namespace.
    pub fn sh(&self, role: &str, script: &str) {
        run(self.inside(role, "sh").args(["-ec", script]));
    }

    /// Runs `zbx-tcp check ARGUMENTS...` in the namespace `probe`, with an empty environment.
    pub fn check(&self, words: &[&str]) -> Ran {
        self.run(&[&["check"], words].concat())
    }

    /// Runs `zbx-tcp ARGUMENTS...` in the namespace `probe`, with an empty environment.
    pub fn run(&self, words: &[&str]) -> Ran {
        let mut command = self.inside("probe", "env");
        finish(
            command
                .args(["-i", env!("CARGO_BIN_EXE_zbx-tcp")])
                .args(words)
                .stdin(Stdio::null()),
        )
    }

    /// Runs it with this standard input.
    pub fn run_with(&self, words: &[&str], input: std::fs::File) -> Ran {
        let mut command = self.inside("probe", "env");
        finish(
            command
                .args(["-i", env!("CARGO_BIN_EXE_zbx-tcp")])
                .args(words)
                .stdin(input),
        )
    }

    /// Runs `zbx-tcp batch ARGUMENTS...` in the same way.
    pub fn batch(&self, words: &[&str]) -> Ran {
        let mut command = self.inside("probe", "env");
        finish(
            command
                .args(["-i", env!("CARGO_BIN_EXE_zbx-tcp"), "batch"])
                .args(words)
                .stdin(Stdio::null()),
        )
    }

    /// Runs it with this descriptor limit.
    pub fn batch_of(&self, descriptors: u32, words: &[&str]) -> Ran {
        let mut command = self.inside("probe", "prlimit");
        finish(
            command
                .arg(format!("--nofile={descriptors}"))
                .args(["env", "-i", env!("CARGO_BIN_EXE_zbx-tcp"), "batch"])
                .args(words)
                .stdin(Stdio::null()),
        )
    }

    /// Runs it with this directory empty.
    pub fn check_without(&self, directory: &str, words: &[&str]) -> Ran {
        // Only this command sees the mount: `ip netns exec` gives it a mount namespace of its own.
        let script = r#"mount -t tmpfs none "$0" && exec env -i "$@""#;
        let mut command = self.inside("probe", "sh");
        let program = env!("CARGO_BIN_EXE_zbx-tcp");
        let command = command.args(["-ec", script, directory, program, "check"]);
        finish(command.args(words).stdin(Stdio::null()))
    }

    /// Runs a test of this program again in a namespace, with this variable set to 1.
    #[track_caller]
    pub fn again(&self, role: &str, test: &str, variable: &str) {
        passes_again(self.inside(role, "env").arg(format!("{variable}=1")), test);
    }

    /// A listener on this address and port of a namespace, which prints `peer ADDRESS` for each client.
    ///
    /// `manner` is one of those of `listener.py`.
    pub fn listen(&self, role: &str, address: &str, port: u16, manner: &str) -> Background {
        self.python(role, "listener.py", &[address, &port.to_string(), manner])
    }

    /// Starts a script of this directory in a namespace and waits until it prints `ready`.
    pub fn python(&self, role: &str, script: &str, words: &[&str]) -> Background {
        let path = format!("{}/tests/net/{script}", env!("CARGO_MANIFEST_DIR"));
        let process =
            Background::start(self.inside(role, "python3").args(["-u", &path]).args(words));
        assert_eq!(process.line(), "ready");
        process
    }

    /// A command in a namespace.
    pub fn inside(&self, role: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(role), program]);
        command
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for role in &self.roles {
            let name = self.name(role);
            let _ = Command::new("ip").args(["netns", "del", &name]).output();
            let _ = std::fs::remove_dir_all(format!("/etc/netns/{name}"));
        }
        let _guard = ETC.lock().unwrap_or_else(PoisonError::into_inner);
        // Fails, as intended, while files of another test are in it.
        let _ = std::fs::remove_dir("/etc/netns");
    }
}

/// Why this machine cannot run these tests; `None` if it can.
fn missing() -> Option<String> {
    if !std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        return Some("network namespaces need root".to_owned());
    }
    for (program, word) in [("ip", "-V"), ("nft", "-v"), ("python3", "-V")] {
        if Command::new(program).arg(word).output().is_err() {
            return Some(format!("`{program}` is not installed"));
        }
    }
    None
}

/// Runs a command that must succeed.
#[track_caller]
fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs a command with this text on its standard input; it must succeed.
#[track_caller]
fn fed(command: &mut Command, input: &str) {
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{input}\n").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {input}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

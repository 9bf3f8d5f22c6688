//! `discover listeners`, compared with `ss` in a network namespace with many sockets of each kind.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::background::Background;
use crate::namespaces::Net;
use crate::program::{Ran, finish};
use crate::support;

/// Sockets of each kind.
const EACH: usize = 200;
/// Users; their groups have the same numbers.
const ROOT: &str = "0";
const NOBODY: &str = "65534";

/// `zbx-tcp discover listeners -o json` in `probe`, as this user.
fn document(net: &Net, user: &str) -> Value {
    let ran = as_user(
        net,
        user,
        &[program(), "discover", "listeners", "-o", "json"],
    );
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(0)));
    assert_eq!(ran.out.matches('\n').count(), 1);
    serde_json::from_str(&ran.out).unwrap()
}

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_zbx-tcp")
}

fn as_user(net: &Net, user: &str, words: &[&str]) -> Ran {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &net.name("probe"), "setpriv"]);
    command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    finish(command.args(words).stdin(Stdio::null()))
}

/// The program where every user can run it.
fn installed(directory: &tempfile::TempDir) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.path().join("zbx-tcp");
    fs::hard_link(program(), &path)
        .or_else(|_| fs::copy(program(), &path).map(|_| ()))
        .unwrap();
    let everybody = || fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), everybody()).unwrap();
    path.display().to_string()
}

/// Sockets, queue, backlog and drops by port and address; wildcards have the address `*`.
type Sums = BTreeMap<String, [u64; 4]>;

/// From `ss -Hltnme`.
fn of_ss(net: &Net) -> Sums {
    let ran = as_user(net, ROOT, &["ss", "-HltnmeO"]);
    let mut sums = Sums::new();
    for line in ran.out.lines() {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let (address, port) = words[3].rsplit_once(':').unwrap();
        let (address, interface) = address.split_once('%').unwrap_or((address, ""));
        let address = match address.trim_matches(['[', ']']) {
            "0.0.0.0" | "::" => "*",
            other => other,
        };
        // skmem:(r0,rb...,t0,tb...,f0,w0,o0,bl0,dN)
        let drops = line.split(",d").nth(1).unwrap().split(')').next().unwrap();
        let number = |text: &str| text.parse::<u64>().unwrap();
        let sum = sums
            .entry(format!("{port} {address} {interface}"))
            .or_default();
        let one = [1, number(words[1]), number(words[2]), number(drops)];
        for (total, value) in sum.iter_mut().zip(one) {
            *total += value;
        }
    }
    sums
}

/// From the document.
fn of_document(document: &Value) -> Sums {
    let listeners = document["listeners"].as_object().unwrap();
    let sum = |one: &Value| {
        let address = match one["address"].as_str().unwrap() {
            "0.0.0.0" | "::" => "*",
            other => other,
        };
        let interface = one["interface"].as_str().unwrap_or_default();
        let value = |name: &str| one[name].as_u64().unwrap();
        let key = format!("{} {address} {interface}", one["port"]);
        (key, ["sockets", "queue", "backlog", "drops"].map(value))
    };
    let sums: Sums = listeners.values().map(sum).collect();
    assert_eq!(sums.len(), listeners.len());
    sums
}

/// Listeners of root with a device, or of nobody without.
fn started(net: &Net, user: &str, mode: &str) -> Background {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/net/listeners.py");
    let text = fs::read_to_string(script).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &net.name("probe"), "setpriv"]);
    command.args([
        "--reuid",
        user,
        "--regid",
        user,
        "--clear-groups",
        "/usr/bin/python3",
        "-c",
        &text,
    ]);
    let process = Background::start(command.args([&EACH.to_string(), mode]));
    assert_eq!(process.line(), "ready");
    process
}

#[test]
fn hundreds_of_sockets_of_each_kind_equal_those_of_ss() {
    let Some(net) = Net::direct() else { return };
    let _sockets = started(&net, ROOT, "all");
    let directory = tempfile::tempdir().unwrap();
    let program = installed(&directory);
    let document = document(&net, ROOT);
    let sums = of_ss(&net);
    assert_eq!(sums.len(), EACH * 8 + 2);
    assert_eq!(of_document(&document), sums);
    let summary = &document["summary"];
    assert_eq!(summary["listeners"], EACH * 8 + 2);
    assert_eq!(summary["sockets"], EACH * 12 + 2);

    let one = |id: &str| document["listeners"][id].clone();
    for (port, family, address, sockets) in [
        (2000, "4", "0.0.0.0", 1),
        (8000, "4,6", "*", 1),
        (10000, "6", "::", 1),
        (12000, "4,6", "*", 2),
        (14000, "4", "0.0.0.0", 3),
    ] {
        let found = one(&format!("any:{port}"));
        assert_eq!(found["family"], family, "{found}");
        assert_eq!(found["address"], address, "{found}");
        assert_eq!(found["sockets"], sockets, "{found}");
        assert_eq!(found["process"], "python3", "{found}");
        assert_eq!(found["user"], "root", "{found}");
    }
    assert_eq!(one("any:16000.wire0")["sockets"], 2);
    assert_eq!(one("127.0.0.1:20001")["queue"], 3);
    assert_eq!(one("127.0.0.1:20001")["used"], 60.0);
    let full = one("127.0.0.1:20002");
    assert_eq!(full["used"], 100.0);
    assert!(full["drops"].as_u64() > Some(0), "{full}");
    for counter in ["listen_overflows", "listen_drops"] {
        assert!(summary[counter].as_u64() > Some(0), "{summary}");
    }

    // Another user sees the same sockets, and of whom they are, but no processes.
    let ran = as_user(
        &net,
        NOBODY,
        &[&program, "discover", "listeners", "-o", "json"],
    );
    let restricted: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(of_document(&restricted), of_document(&document));
    let found = &restricted["listeners"]["any:2000"];
    assert_eq!(
        (&found["user"], found.get("process")),
        (&"root".into(), None)
    );
    let ids = |document: &Value| {
        let rows = document["discovery"].as_array().unwrap().clone();
        rows.into_iter()
            .map(|row| row["{#TCP.ID}"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&restricted), ids(&document));
}

#[test]
fn a_user_sees_the_own_processes() {
    let Some(net) = Net::direct() else { return };
    let sockets = started(&net, NOBODY, "unprivileged");
    let directory = tempfile::tempdir().unwrap();
    let program = installed(&directory);
    let ran = as_user(
        &net,
        NOBODY,
        &[&program, "discover", "listeners", "-o", "json"],
    );
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(of_document(&document), of_ss(&net));
    let found = &document["listeners"]["any:2000"];
    assert_eq!(
        (&found["user"], &found["process"]),
        (&"nobody".into(), &"python3".into())
    );
    // When the process has ended, nothing listens.
    drop(sockets);
    let ran = as_user(&net, NOBODY, &[&program, "discover", "listeners"]);
    assert_eq!((&*ran.out, &*ran.err, ran.code), ("[]\n", "", Some(0)));
}

/// Every row that says so can be probed at its host and port by this machine, and no other.
#[test]
fn rows_say_what_can_be_probed_from_inside() {
    let Some(net) = Net::direct() else { return };
    let script = r#"
import socket, time
kept = []
for port, address, device in [
    (1, "0.0.0.0", None), (2, "::", None), (3, "0.0.0.0", "wire0"), (4, "::", "wire0"), (5, "10.77.0.1", "wire0"),
    (6, "fd77::1", "wire0"), (7, "0.0.0.0", "lo"), (8, "10.77.0.1", None), (9, "fd77::1", None), (10, "fe80::1%wire0", None),
]:
    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    if device:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    one.bind(socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][4])
    one.listen()
    kept.append(one)
print("ready", flush=True)
time.sleep(600)
"#;
    let mut command = Command::new("ip");
    command.args([
        "netns",
        "exec",
        &net.name("probe"),
        "/usr/bin/python3",
        "-c",
        script,
    ]);
    let process = Background::start(&mut command);
    assert_eq!(process.line(), "ready");
    let document = document(&net, ROOT);
    let rows = document["discovery"].as_array().unwrap();
    assert_eq!(rows.len(), 10);
    for row in rows {
        let [host, can_be_probed] =
            ["{#TCP.HOST}", "{#TCP.LISTENER.PROBE}"].map(|name| row[name].as_str().unwrap());
        let port = row["{#TCP.PORT}"].to_string();
        let up = net.check(&[host, &port, "-o", "up"]).out;
        assert_eq!(up == "1\n", can_be_probed == "yes", "{row}: {up}");
    }
}

/// Without sock_diag, /proc contains the same sockets; backlog and drops are absent.
#[test]
fn proc_is_read_where_sock_diag_is_refused() {
    let Some(net) = Net::direct() else { return };
    if Command::new("strace").arg("-V").output().is_err() {
        support::skip("`strace` is not installed");
        return;
    }
    let _sockets = started(&net, ROOT, "unprivileged");
    let refused = |extra: &[&str]| {
        let trace = [
            "strace",
            "-f",
            "-o",
            "/dev/null",
            "-e",
            "trace=sendto,write,openat",
        ];
        let inject = ["-e", "inject=sendto:error=EACCES:when=1"];
        let words = [program(), "discover", "listeners", "-o", "json"];
        as_user(&net, ROOT, &[&trace[..], &inject, extra, &words].concat())
    };
    let ran = refused(&[]);
    let found: Value = serde_json::from_str(&ran.out)
        .unwrap_or_else(|why| panic!("{why}: {} {}", ran.out, ran.err));
    assert_eq!(found["source"], "proc");
    let complete = document(&net, ROOT);
    assert_eq!(complete["source"], "sock_diag");
    let (found, complete) = (
        found["listeners"].as_object().unwrap(),
        complete["listeners"].as_object().unwrap(),
    );
    assert!(found.keys().eq(complete.keys()));
    for (id, listener) in found {
        for name in ["backlog", "used", "drops"] {
            assert_eq!(listener.get(name), None, "{id}");
        }
        for name in ["sockets", "queue", "port", "uid", "process"] {
            assert_eq!(listener[name], complete[id][name], "{id} {name}");
        }
    }
}

/// Without /proc, the sockets are those of sock_diag, without processes and counters.
#[test]
fn nothing_of_proc_is_required() {
    let Some(net) = Net::direct() else { return };
    let _sockets = started(&net, ROOT, "unprivileged");
    let sums = of_document(&document(&net, ROOT));
    let script = r#"mount -t tmpfs none /proc && mount -t tmpfs none /sys && exec env -i "$@""#;
    let words = [
        "sh",
        "-ec",
        script,
        "sh",
        program(),
        "discover",
        "listeners",
        "-o",
        "json",
    ];
    let ran = as_user(&net, ROOT, &words);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(of_document(&document), sums);
    let found = &document["listeners"]["any:2000"];
    assert_eq!(
        (
            found.get("process"),
            document["summary"].get("listen_drops")
        ),
        (None, None)
    );
    assert_eq!(document["discovery"][0]["{#TCP.LISTENER.EPHEMERAL}"], "");
}

/// With `hidepid=2`, a user sees no process of others; the sockets are the same.
#[test]
fn hidden_processes_hide_no_listener() {
    let Some(net) = Net::direct() else { return };
    let directory = tempfile::tempdir().unwrap();
    let program = installed(&directory);
    let script = r#"mount -t proc -o hidepid=2 proc /proc
exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -ec 'test ! -e /proc/1 && exec "$0" discover listeners -o json' "$0""#;
    let hidden = || -> Value {
        let ran = as_user(&net, ROOT, &["sh", "-ec", script, &program]);
        serde_json::from_str(&ran.out).unwrap_or_else(|why| panic!("{why}: {}", ran.err))
    };
    for (user, process) in [(ROOT, None), (NOBODY, Some("python3"))] {
        let _sockets = started(&net, user, "unprivileged");
        let found = hidden();
        assert_eq!(of_document(&found), of_ss(&net));
        let listener = &found["listeners"]["any:2000"];
        let name = listener.get("process").and_then(Value::as_str);
        assert_eq!(name, process, "{listener}");
    }
}

/// Each network namespace has listeners and counters of its own.
#[test]
fn listeners_of_other_network_namespaces_are_not_listed() {
    let Some(net) = Net::direct() else { return };
    let _sockets = started(&net, ROOT, "all");
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &net.name("probe"), "unshare", "-n"]);
    command.args([program(), "discover", "listeners", "-o", "json"]);
    let ran = finish(command.stdin(Stdio::null()));
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    let expected = serde_json::json!({
        "listeners": 0, "sockets": 0, "omitted": 0, "listen_overflows": 0, "listen_drops": 0,
    });
    assert_eq!(document["summary"], expected);
}

/// Control groups as systemd and container engines make them, seen from the host and from inside.
#[test]
fn units_and_containers_are_those_of_the_control_group() {
    let Some(net) = Net::direct() else { return };
    let directory = tempfile::tempdir().unwrap();
    let installed = installed(&directory);
    // $1: the group of this test, $2: the program, $3: a listener. Each listener is started in a group of its own.
    let script = r#"
mount -t cgroup2 none /sys/fs/cgroup || exit 77
groups="system.slice/nginx.service docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope plain"
trap 'kill $pids; wait; for group in $groups; do rmdir -p "/sys/fs/cgroup/$1/$group"; done 2>/dev/null' EXIT
pids= port=31001
for group in $groups; do
    mkdir -p "/sys/fs/cgroup/$1/$group" || exit 77
    sh -c 'echo $$ > "$0/cgroup.procs" && exec /usr/bin/python3 -c "$2" "$1"' "/sys/fs/cgroup/$1/$group" $port "$3" &
    pids="$pids $!" port=$((port + 1))
done
for _ in $(seq 200); do [ "$(ss -Hltn | wc -l)" = 3 ] && break; sleep 0.05; done
$2 discover listeners -o json
setpriv --reuid 65534 --regid 65534 --clear-groups $2 discover listeners -o json
sh -c 'echo $$ > "/sys/fs/cgroup/$0/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope/cgroup.procs"
exec unshare --cgroup --mount sh -c "umount /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec $1 discover listeners -o json"' "$1" "$2"
"#;
    let group = format!("zbx-tcp-test-{}", std::process::id());
    let listener = "import socket, sys, time\ns = socket.create_server(('127.0.0.1', int(sys.argv[1])))\ntime.sleep(600)";
    let words = ["sh", "-c", script, "sh", &group, &installed, listener];
    let ran = as_user(&net, ROOT, &words);
    if ran.code == Some(77) {
        support::skip("control groups of version 2 cannot be made here");
        return;
    }
    let documents: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect();
    let [root, nobody, inside] = &documents[..] else {
        panic!("{} {}", ran.out, ran.err)
    };
    let unit_and_container = |document: &Value, port: u16| {
        let one = &document["listeners"][format!("127.0.0.1:{port}")];
        assert!(one.is_object(), "{document}");
        ["unit", "container"].map(|name| one.get(name).and_then(Value::as_str).map(str::to_owned))
    };
    let text = |name: &str| Some(name.to_owned());
    for document in [root, nobody] {
        let found = [31_001, 31_002, 31_003].map(|port| unit_and_container(document, port));
        let nginx = [text("nginx.service"), None];
        assert_eq!(found, [nginx, [None, text("0123456789ab")], [None, None]]);
    }
    // The container itself does not see its own name, nor the groups of others; all listeners of its network are there.
    for port in [31_001, 31_002, 31_003] {
        let found = unit_and_container(inside, port);
        assert_eq!(found[1], None, "{inside}");
    }
}

/// While sockets come and go, those that stay are never missing.
#[test]
fn what_stays_is_listed_while_others_change() {
    let Some(net) = Net::direct() else { return };
    let _sockets = started(&net, ROOT, "unprivileged");
    let stays = document(&net, ROOT)["summary"]["listeners"]
        .as_u64()
        .unwrap();
    let script = r#"
import socket
print("ready", flush=True)
while True:
    some = [socket.create_server(("127.0.0.1", 0)) for _ in range(100)]
    for one in some: one.close()
"#;
    let mut command = Command::new("ip");
    command.args([
        "netns",
        "exec",
        &net.name("probe"),
        "/usr/bin/python3",
        "-c",
        script,
    ]);
    let process = Background::start(&mut command);
    assert_eq!(process.line(), "ready");
    for _ in 0..20 {
        let document = document(&net, ROOT);
        let listeners = document["listeners"].as_object().unwrap();
        let found = listeners
            .values()
            .filter(|one| one["port"].as_u64() < Some(20_003))
            .count();
        assert_eq!(found as u64, stays);
    }
}

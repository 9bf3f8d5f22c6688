//! INN's reader server, unpacked: it conflicts with sn.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::thread;

use crate::certificates::Certificates;
use crate::server::{Home, Server, free_port, is_root};
use crate::trial::{PROBES, Trial, no_complaint, probe};
use crate::unpacked::unpacked;

/// Whether the server has a certificate.
#[derive(Clone, Copy)]
enum Encryption {
    Offered,
    None,
}

/// `nnrpd` as a daemon of its own on this port. It logs to /dev/log only, which is a socket of the
/// test in a private /dev; what it logs is in the file `syslog` of its home.
fn nnrpd(
    certificates: &Certificates,
    port: u16,
    options: &[&str],
    tls: Encryption,
) -> Option<Server> {
    if !is_root("nnrpd") {
        return None;
    }
    let tree = unpacked(&["inn2", "inn2-inews", "libcanlock3"])?;
    let home = Home::of("nobody");
    let (certificate, key) = certificates.install(&home);
    let [etc, db, run, log, spool] =
        ["etc", "db", "run", "innlog", "spool"].map(|name| home.directory(name));
    home.directory("spool/overview");
    home.directory("spool/articles");
    let libraries = tree.join("usr/lib/news");
    let bin = libraries.join("bin");
    let keys = format!("tlscertfile: {certificate}\ntlskeyfile: {key}\n");
    let conf = home.write(
        "inn.conf",
        &format!(
            "mta: \"/bin/true -x %s\"\norganization: test\novmethod: tradindexed\nhismethod: hisv6\npathhost: news.example.org\n\
             pathnews: {news}\npathbin: {bin}\npathdb: {db}\npathetc: {etc}\npathrun: {run}\npathlog: {log}\npathspool: {spool}\n\
             domain: example.org\nfromhost: example.org\nrunasuser: nobody\nrunasgroup: nogroup\nnnrpdloadlimit: 0\n{keys}",
            news = libraries.display(),
            bin = bin.display(),
            keys = match tls {
                Encryption::Offered => keys.as_str(),
                Encryption::None => "",
            },
        ),
    );
    let readers = "auth \"all\" {\n hosts: \"*\"\n default: \"<anonymous>\"\n}\n\
                   access \"all\" {\n users: \"*\"\n newsgroups: \"*\"\n access: R\n}\n";
    home.write("etc/readers.conf", readers);
    home.write("etc/inn-secrets.conf", "");
    home.write(
        "etc/storage.conf",
        "method tradspool {\n newsgroups: *\n class: 0\n}\n",
    );
    home.write("db/active", "");
    home.write("db/newsgroups", "");
    home.write("spool/tradspool.map", "");
    let libraries = format!(
        "{}:{}",
        libraries.display(),
        tree.join("usr/lib/x86_64-linux-gnu").display()
    );
    // It creates the index of the newsgroups, without which there is no service.
    let made = home
        .command(&bin.join("makehistory").display().to_string())
        .args(["-O", "-x"])
        .env("INNCONF", &conf)
        .env("LD_LIBRARY_PATH", &libraries)
        .status();
    assert!(made.unwrap().success());
    home.directory("dev");
    for device in ["null", "zero", "random", "urandom"] {
        home.write(&format!("dev/{device}"), "");
    }
    let socket = UnixDatagram::bind(home.path("dev/log")).unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(home.path("dev/log"), everybody).unwrap();
    let syslog = home.path("syslog");
    fs::write(&syslog, "").unwrap();
    // Until the test program ends.
    thread::spawn(move || {
        let (mut text, mut bytes) = (Vec::new(), [0; 8192]);
        while let Ok(length) = socket.recv(&mut bytes) {
            text.extend_from_slice(&bytes[..length]);
            text.push(b'\n');
            if fs::write(&syslog, &text).is_err() {
                break;
            }
        }
    });
    let script = "for device in null zero random urandom; do mount --bind /dev/$device dev/$device; done\n\
                  mount --rbind dev /dev; exec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .current_dir(home.path(""))
        .args(["-m", "sh", "-ec", script, "sh"])
        .arg(bin.join("nnrpd"))
        .args(["-D", "-f", "-b", "127.0.0.1", "-p", &port.to_string(), "-P"])
        .arg(home.path("run/nnrpd.pid"))
        .args(options)
        .env("INNCONF", conf)
        .env("LD_LIBRARY_PATH", libraries);
    Some(Server::start(home, &[port], &mut command))
}

fn syslog(server: &Server) -> String {
    fs::read_to_string(server.home.path("syslog")).unwrap_or_default()
}

fn syslog_with(server: &Server, phrase: &str, times: usize) -> String {
    server.wait_until(phrase, || syslog(server).matches(phrase).count() >= times);
    syslog(server)
}

const COMPLAINTS: [&str; 8] = [
    "error",
    "fail",
    "cant",
    "can't",
    "timeout",
    "bad_",
    "unrecognized",
    "eof",
];

#[test]
fn nnrpd_speaks_tls_and_receives_quit() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    // Its line for the end of a session.
    let good = " times user ";
    for (services, options) in [
        (&["nntp", "nntp_starttls"][..], &[][..]),
        (&["nntps"], &["-S"]),
    ] {
        let port = free_port();
        let Some(mut server) = nnrpd(&certificates, port, options, Encryption::Offered) else {
            return;
        };
        let mut trials = Vec::new();
        for service in services {
            let before = syslog(&server).matches(good).count();
            let trial = if *service == "nntp" {
                Trial::run(service, "inn2", port)
            } else {
                let trial = Trial::with(service, "inn2", port, &certificates.trusted());
                trial.verified();
                trial
            };
            assert_eq!(trial.captured("code"), "201");
            trial.log(
                &syslog_with(&server, good, before + PROBES),
                good,
                &COMPLAINTS,
            );
            trials.push(trial);
        }
        server.stop();
        for trial in trials {
            trial.stopped("(each session ends with its times)");
        }
    }
}

#[test]
fn nnrpd_without_a_certificate_refuses_tls() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let port = free_port();
    let Some(server) = nnrpd(&certificates, port, &[], Encryption::None) else {
        return;
    };
    let document = probe(port, "nntp_starttls", &[]);
    assert_eq!(document["status_name"], "tls_refused", "{document}");
    no_complaint(
        &syslog_with(&server, " times user ", 1),
        &["eof", "timeout"],
    );
}

//! vsftpd, and a small NNTP server.

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;

use crate::inetd::Inetd;
use crate::server::{Home, Server, free_port, has, is_root};
use crate::trial::{PROBES, Trial, turned_away};

/// vsftpd for anonymous users, and so many at a time.
fn vsftpd(clients: usize) -> Option<(Server, u16)> {
    if !has("/usr/sbin/vsftpd", "vsftpd") || !is_root("vsftpd") {
        return None;
    }
    let (home, port) = (Home::new(), free_port());
    let (log, empty) = (home.at("log"), home.at("empty"));
    fs::create_dir(&empty).unwrap();
    let conf = home.write(
        "conf",
        &format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\n\
             anon_root={empty}\nsecure_chroot_dir={empty}\nnopriv_user=nobody\nftp_username=nobody\n\
             log_ftp_protocol=YES\nvsftpd_log_file={log}\nxferlog_enable=YES\nsyslog_enable=NO\nmax_clients={clients}\n"
        ),
    );
    let mut command = Command::new("/usr/sbin/vsftpd");
    command.arg(conf);
    Some((Server::start(command, &[port], home), port))
}

#[test]
fn vsftpd_hears_goodbye() {
    let Some((mut server, port)) = vsftpd(50) else {
        return;
    };
    let trial = Trial::run("ftp", "vsftpd", port);
    assert_eq!(trial.captured("greeting"), "(vsFTPd 3.0.3)");
    let said = server.said_once("221 Goodbye.", PROBES);
    trial.log(
        &said,
        "221 Goodbye.",
        &["OOPS", "500 ", "421 ", "unknown command"],
    );
    server.stop();
    trial.stopped("FTP response: 221 Goodbye.");
}

#[test]
fn vsftpd_has_too_many_clients() {
    let Some((_server, port)) = vsftpd(1) else {
        return;
    };
    let mut first = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(first.read(&mut [0; 64]).unwrap() > 0);
    turned_away("ftp", port, "421 There are too many connected users");
}

#[test]
fn sn_is_closed() {
    if !has("/usr/sbin/snntpd", "sn") {
        return;
    }
    let (home, spool) = (Home::new(), Home::new());
    spool.write(".noservice", "stocktaking\n");
    let root = spool.at("");
    let log = File::create(home.at("log")).unwrap();
    let inetd = Inetd::start(Some(log), move || {
        let mut command = Command::new("/usr/sbin/snntpd");
        command.env("SNROOT", &root);
        command
    });
    turned_away("nntp", inetd.port, "400 Service going down: stocktaking");
}

#[test]
fn sn_hears_goodbye() {
    if !has("/usr/sbin/snntpd", "sn") {
        return;
    }
    let (home, spool) = (Home::new(), Home::new());
    let root = spool.at("");
    for words in [
        &["/usr/sbin/snprimedb"][..],
        &["/usr/sbin/snnewgroup", "local.test"],
    ] {
        let made = Command::new(words[0])
            .args(&words[1..])
            .env("SNROOT", &root)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let log = home.write("log", "");
    let file = File::options().append(true).open(&log).unwrap();
    let mut inetd = Inetd::start(Some(file), move || {
        let mut command = Command::new("/usr/sbin/snntpd");
        command.env("SNROOT", &root);
        command
    });
    let trial = Trial::run("nntp", "sn", inetd.port);
    assert_eq!(
        trial.captured("greeting"),
        "Hi, you can post (sn version 0.3.8)"
    );
    assert_eq!(inetd.stop(), 0, "an snntpd was left waiting");
    // It says of each start that the pipe which it can do without is not there, and nothing else.
    let start = "snntpd.bin:open(fifo):No such file or directory(ok)";
    let said = fs::read_to_string(log).unwrap();
    assert_eq!(said.lines().find(|line| *line != start), None);
    trial.log(&said, start, &["timed out", "EOF"]);
    trial.stopped("nothing but its start");
}

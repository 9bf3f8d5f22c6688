//! vsftpd, and a small NNTP server.

use std::fs::File;
use std::process::Command;

use crate::inetd::Inetd;
use crate::server::{Home, Server, free_port, has, is_root};
use crate::trial::{PROBES, Trial};

#[test]
fn vsftpd_hears_goodbye() {
    if !has("/usr/sbin/vsftpd", "vsftpd") || !is_root("vsftpd") {
        return;
    }
    let (home, port) = (Home::new(), free_port());
    let (log, empty) = (home.at("log"), home.at("empty"));
    std::fs::create_dir(&empty).unwrap();
    let conf = home.write(
        "conf",
        &format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\n\
             anon_root={empty}\nsecure_chroot_dir={empty}\nnopriv_user=nobody\nftp_username=nobody\n\
             log_ftp_protocol=YES\nvsftpd_log_file={log}\nxferlog_enable=YES\nsyslog_enable=NO\n"
        ),
    );
    let mut command = Command::new("/usr/sbin/vsftpd");
    command.arg(conf);
    let mut server = Server::start(command, &[port], home);
    let trial = Trial::run("ftp", "vsftpd", port);
    assert_eq!(trial.captured("greeting"), "(vsFTPd 3.0.3)");
    let said = server.said_once("221 Goodbye.", PROBES);
    trial.log(&said, "221 Goodbye.", &["OOPS", "500 ", "421 ", "unknown command"]);
    server.stop();
    trial.stopped("FTP response: 221 Goodbye.");
}

#[test]
fn sn_hears_goodbye() {
    if !has("/usr/sbin/snntpd", "sn") {
        return;
    }
    let (home, spool) = (Home::new(), Home::new());
    let root = spool.at("");
    for words in [&["/usr/sbin/snprimedb"][..], &["/usr/sbin/snnewgroup", "local.test"]] {
        let made = Command::new(words[0]).args(&words[1..]).env("SNROOT", &root).output().unwrap();
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
    assert_eq!(trial.captured("greeting"), "Hi, you can post (sn version 0.3.8)");
    assert_eq!(inetd.stop(), 0, "an snntpd was left waiting");
    // It says of each start that the pipe which it can do without is not there, and nothing else.
    let start = "snntpd.bin:open(fifo):No such file or directory(ok)";
    let said = std::fs::read_to_string(log).unwrap();
    assert_eq!(said.lines().find(|line| *line != start), None);
    trial.log(&said, start, &["timed out", "EOF"]);
    trial.stopped("nothing but its start");
}

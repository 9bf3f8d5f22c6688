//! vsftpd, and a small NNTP server.

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;

use crate::certificates::Certificates;
use crate::inetd::Inetd;
use crate::server::{Home, Server, free_port, installed, is_root};
use crate::trial::{PROBES, Trial, probe, rejected_with};

/// vsftpd for anonymous users, with a limit on its clients.
fn vsftpd(clients: usize) -> Option<(Server, u16)> {
    vsftpd_in(Home::new(), clients, "")
}

fn vsftpd_in(home: Home, clients: usize, more: &str) -> Option<(Server, u16)> {
    if !installed("/usr/sbin/vsftpd", "vsftpd") || !is_root("vsftpd") {
        return None;
    }
    let port = free_port();
    let (log, empty) = (home.path("log"), home.path("empty"));
    fs::create_dir(&empty).unwrap();
    let conf = home.write(
        "conf",
        &format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\n\
             anon_root={empty}\nsecure_chroot_dir={empty}\nnopriv_user=nobody\nftp_username=nobody\n\
             log_ftp_protocol=YES\nvsftpd_log_file={log}\nxferlog_enable=YES\nsyslog_enable=NO\nmax_clients={clients}\n{more}"
        ),
    );
    let mut command = Command::new("/usr/sbin/vsftpd");
    command.arg(conf);
    Some((Server::start(home, &[port], &mut command), port))
}

#[test]
fn vsftpd_receives_quit() {
    let Some((mut server, port)) = vsftpd(50) else {
        return;
    };
    let trial = Trial::run("ftp", "vsftpd", port);
    assert_eq!(trial.captured("greeting"), "(vsFTPd 3.0.3)");
    let log = server.log_with("221 Goodbye.", PROBES);
    trial.log(
        &log,
        "221 Goodbye.",
        &["OOPS", "500 ", "421 ", "unknown command"],
    );
    server.stop();
    trial.stopped("FTP response: 221 Goodbye.");
}

#[test]
fn vsftpd_speaks_tls_and_receives_quit() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    for (service, implicit) in [("ftp_starttls", "NO"), ("ftps", "YES")] {
        let home = Home::new();
        let (certificate, key) = certificates.install(&home);
        let tls = format!(
            "ssl_enable=YES\nimplicit_ssl={implicit}\nallow_anon_ssl=YES\nforce_local_logins_ssl=NO\nforce_local_data_ssl=NO\n\
             rsa_cert_file={certificate}\nrsa_private_key_file={key}\nstrict_ssl_read_eof=YES\n"
        );
        let Some((mut server, port)) = vsftpd_in(home, 50, &tls) else {
            return;
        };
        let trial = Trial::with(service, "vsftpd", port, &certificates.trusted());
        trial.verified();
        let log = server.log_with("221 Goodbye.", PROBES);
        trial.log(
            &log,
            "221 Goodbye.",
            &["OOPS", "500 ", "421 ", "unknown command"],
        );
        server.stop();
        trial.stopped("FTP response: 221 Goodbye.");
    }
}

#[test]
fn vsftpd_without_tls_refuses_it() {
    let Some((server, port)) = vsftpd(50) else {
        return;
    };
    let document = probe(port, "ftp_starttls", &[]);
    assert_eq!(document["status_name"], "tls_refused", "{document}");
    server.wait_for_log("221 Goodbye.");
}

#[test]
fn vsftpd_at_its_client_limit_is_rejected() {
    let Some((_server, port)) = vsftpd(1) else {
        return;
    };
    let mut first = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(first.read(&mut [0; 64]).unwrap() > 0);
    rejected_with("ftp", port, "421 There are too many connected users");
}

#[test]
fn sn_closed_for_service_is_rejected() {
    if !installed("/usr/sbin/snntpd", "sn") {
        return;
    }
    let (home, spool) = (Home::new(), Home::new());
    spool.write(".noservice", "stocktaking\n");
    let root = spool.path("");
    let log = File::create(home.path("log")).unwrap();
    let inetd = Inetd::start(Some(log), move || {
        let mut command = Command::new("/usr/sbin/snntpd");
        command.env("SNROOT", &root);
        command
    });
    rejected_with("nntp", inetd.port, "400 Service going down: stocktaking");
}

#[test]
fn sn_receives_quit() {
    if !installed("/usr/sbin/snntpd", "sn") {
        return;
    }
    let (home, spool) = (Home::new(), Home::new());
    let root = spool.path("");
    for arguments in [
        &["/usr/sbin/snprimedb"][..],
        &["/usr/sbin/snnewgroup", "local.test"],
    ] {
        let made = Command::new(arguments[0])
            .args(&arguments[1..])
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
    assert_eq!(inetd.stop(), 0, "an snntpd still ran");
    // At each start it logs that its optional pipe does not exist, and nothing else.
    let start = "snntpd.bin:open(fifo):No such file or directory(ok)";
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(log.lines().find(|line| *line != start), None);
    trial.log(&log, start, &["timed out", "EOF"]);
    trial.stopped("nothing but its start");
}

//! Remote Desktop, VNC, Zabbix and DNS.

use super::{Case, case, receives, sends};

pub fn cases() -> Vec<Case> {
    [rdp(), vnc(), zabbix_agent(), zabbix_server(), dns()]
        .into_iter()
        .flatten()
        .collect()
}

fn rdp() -> Vec<Case> {
    let ask = b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00";
    let one =
        |name, status, reply: &[u8]| case(("rdp", name), status, vec![receives(ask), sends(reply)]);
    let confirm = |end: &[u8]| [b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x124\x00", end].concat();
    vec![
        one(
            "xrdp 0.9.21",
            "ok",
            &confirm(b"\x02\x01\x08\x00\x01\x00\x00\x00"),
        )
        .captures(&[("protocol", r"\x01")]),
        one(
            "Windows, CredSSP",
            "ok",
            &confirm(b"\x02\x1f\x08\x00\x02\x00\x00\x00"),
        )
        .captures(&[("protocol", r"\x02")]),
        one(
            "refusal",
            "ok",
            &confirm(b"\x03\x00\x08\x00\x05\x00\x00\x00"),
        )
        .captures(&[("protocol", r"\x05")]),
        one(
            "before negotiation",
            "ok",
            b"\x03\x00\x00\x0b\x06\xd0\x00\x00\x124\x00",
        ),
        one(
            "a disconnect",
            "mismatch",
            b"\x03\x00\x00\x0b\x06\x80\x00\x00\x124\x00",
        ),
    ]
}

fn vnc() -> Vec<Case> {
    let one = |name, status, banner: &[u8]| {
        case(("vnc", name), status, vec![sends(banner)]).quit(b"RFB 003.003\n")
    };
    vec![
        one("TigerVNC 1.12.0, x11vnc 0.9.16", "ok", b"RFB 003.008\n")
            .captures(&[("version", "003.008")]),
        one("macOS", "ok", b"RFB 003.889\n").captures(&[("version", "003.889")]),
        one(
            "TigerVNC, blocked",
            "ok",
            b"RFB 003.003\n\x00\x00\x00\x00\x00\x00\x00\x1aToo many security failures",
        )
        .captures(&[("version", "003.003")]),
        one("no banner", "mismatch", b"RFC 003.008\n"),
    ]
}

/// A frame of Zabbix's protocol.
fn frame(text: &str) -> Vec<u8> {
    [
        b"ZBXD\x01",
        &(text.len() as u64).to_le_bytes()[..],
        text.as_bytes(),
    ]
    .concat()
}

fn zabbix_agent() -> Vec<Case> {
    let one = |name, status, reply: &[u8]| {
        case(
            ("zabbix_agent", name),
            status,
            vec![receives(frame("agent.version")), sends(reply)],
        )
    };
    vec![
        one("6.0.14", "ok", &frame("6.0.14")).captures(&[("version", "6.0.14")]),
        one("7.0", "ok", &frame("7.0.0rc1")).captures(&[("version", "7.0.0rc1")]),
        one(
            "key denied",
            "ok",
            &frame("ZBX_NOTSUPPORTED\0Unsupported item key."),
        ),
        one("no value", "mismatch", &frame("?")),
    ]
}

fn zabbix_server() -> Vec<Case> {
    let ask = frame(r#"{"request":"sender data","data":[]}"#);
    let one = |name, status, reply: &str| {
        case(
            ("zabbix_server", name),
            status,
            vec![receives(&ask), sends(frame(reply))],
        )
    };
    vec![
        one(
            "6.0.14",
            "ok",
            r#"{"response":"success","info":"processed: 0; failed: 0; total: 0; seconds spent: 0.000005"}"#,
        ),
        one(
            "failed",
            "rejected",
            r#"{"response":"failed","info":"cannot find pair with name \"data\""}"#,
        ),
        one("another answer", "mismatch", r#"{"result":[]}"#),
    ]
}

fn dns() -> Vec<Case> {
    let ask = b"\0\x1ezb\0\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03";
    let one = |name, status, flags: &[u8], rest: &[u8]| {
        let message = [b"zb", flags, rest].concat();
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        case(
            ("dns", name),
            status,
            vec![receives(ask), sends([&length[..], &message].concat())],
        )
    };
    let asked = b"\x07version\x04bind\x00\x00\x10\x00\x03";
    let bind = b"\xc0\x0c\x00\x10\x00\x03\x00\x00\x00\x00\x00\x19\x189.18.49-1~deb12u3-Debian\xc0\x0c\x00\x02\x00\x03\x00\x00\x00\x00\x00\x02\xc0\x0c";
    let dnsmasq = b"\xc0\x0c\x00\x10\x00\x03\x00\x00\x00\x00\x00\x0d\x0cdnsmasq-2.89";
    let counts = |answers, authority| [0, 1, 0, answers, 0, authority, 0, 0];
    vec![
        one(
            "BIND 9.18.49",
            "ok",
            b"\x84\x00",
            &[&counts(1, 1)[..], asked, bind].concat(),
        )
        .captures(&[("version", "9.18.49-1~deb12u3-Debian")]),
        one(
            "nothing after the answer",
            "ok",
            b"\x84\x80",
            &[&counts(1, 0)[..], asked, dnsmasq].concat(),
        )
        .captures(&[("version", "dnsmasq-2.89")]),
        one(
            "version hidden",
            "ok",
            b"\x84\x00",
            &[&counts(0, 1)[..], asked].concat(),
        ),
        one(
            "refused",
            "ok",
            b"\x80\x05",
            &[&counts(0, 0)[..], asked].concat(),
        ),
        one("not implemented", "ok", b"\x80\x04", &[0; 8]),
        one(
            "an echo",
            "mismatch",
            b"\x00\x00",
            &[&counts(0, 0)[..], asked].concat(),
        ),
    ]
}

//! Redis, memcached, `MySQL`, `PostgreSQL`, `MongoDB`, Elasticsearch and LDAP.

use super::{Case, case, receives, sends};

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const QUIT: &[u8] = b"*1\r\n$4\r\nQUIT\r\n";

pub fn cases() -> Vec<Case> {
    [
        redis(),
        memcached(),
        mysql(),
        postgres(),
        mongodb(),
        elasticsearch(),
        ldap(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn redis() -> Vec<Case> {
    let one = |name, status, reply: &str| {
        case(("redis", name), status, vec![receives(PING), sends(reply)]).quit(QUIT)
    };
    vec![
        one("7.0.15", "ok", "+PONG\r\n").captures(&[("reply", "+PONG")]),
        one(
            "with a password",
            "ok",
            "-NOAUTH Authentication required.\r\n",
        )
        .captures(&[("reply", "-NOAUTH")]),
        one(
            "by ACL",
            "ok",
            "-NOPERM this user has no permissions to run the 'ping' command\r\n",
        )
        .captures(&[("reply", "-NOPERM")]),
        one(
            "loading",
            "rejected",
            "-LOADING Redis is loading the dataset in memory\r\n",
        ),
        one(
            "replica alone",
            "rejected",
            "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is 'no'.\r\n",
        ),
        one(
            "script",
            "rejected",
            "-BUSY Redis is busy running a script.\r\n",
        ),
        one(
            "disk full",
            "rejected",
            "-MISCONF Errors writing to the AOF file: No space left on device\r\n",
        ),
        one("full", "rejected", "-ERR max number of clients reached\r\n"),
        one(
            "protected",
            "ok",
            "-DENIED Redis is running in protected mode\r\n",
        )
        .captures(&[("reply", "-DENIED")]),
        one(
            "Redis 2 with a password",
            "ok",
            "-ERR operation not permitted\r\n",
        )
        .captures(&[("reply", "-ERR operation not permitted")]),
        one(
            "PING was renamed",
            "ok",
            "-ERR unknown command `PING`, with args beginning with: \r\n",
        )
        .captures(&[("reply", "-ERR unknown command")]),
        one(
            "Valkey 8 and Sentinel with a password",
            "ok",
            "-NOAUTH Authentication required.\r\n",
        )
        .captures(&[("reply", "-NOAUTH")]),
        one(
            "Sentinel that starts",
            "rejected",
            "-IOERR error or timeout\r\n",
        ),
        one(
            "another error",
            "rejected",
            "-EXECABORT Transaction discarded\r\n",
        ),
        one("not RESP", "rejected", "-ERR max clients\r\n"),
        one("no reply", "mismatch", "$4\r\nPONG\r\n"),
    ]
}

fn memcached() -> Vec<Case> {
    let one = |name, status, reply: &str| {
        case(
            ("memcached", name),
            status,
            vec![receives("version\r\n"), sends(reply)],
        )
        .quit(b"quit\r\n")
    };
    vec![
        one("1.6.18", "ok", "VERSION 1.6.18\r\n").captures(&[("version", "1.6.18")]),
        one("with a password", "ok", "CLIENT_ERROR unauthenticated\r\n"),
        one("full", "mismatch", "ERROR Too many open connections\r\n"),
        one("no memory", "mismatch", "SERVER_ERROR out of memory\r\n"),
    ]
}

/// A packet: its length, its number, its bytes.
fn packet(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], bytes].concat()
}

fn greeting(version: &str, plugin: &str) -> Vec<u8> {
    let rest = b"\x00\x01\x01\x00\x00;BvOd,Kt\x00\xfe\xf7\x08\x02\x00\xff\x81\x15\x00\x00\x00\x00\x00\x00\x1d\x00\x00\x00)lf<56PmT=rI\x00";
    packet(
        0,
        &[
            b"\x0a",
            version.as_bytes(),
            rest,
            plugin.as_bytes(),
            b"\x00",
        ]
        .concat(),
    )
}

fn answer(plugin: &str) -> Vec<u8> {
    let flags = b"\x01\x82\x08\x00\x00\x00\x00\x01\x21";
    packet(
        1,
        &[
            flags,
            &[0; 23][..],
            b"zbx_tcp\x00\x00",
            plugin.as_bytes(),
            b"\x00",
        ]
        .concat(),
    )
}

fn mysql() -> Vec<Case> {
    let native = "mysql_native_password";
    let maria = greeting("5.5.5-10.11.19-MariaDB-0+deb12u1", native);
    let denied = packet(
        2,
        b"\xff\x15\x04#28000Access denied for user 'zbx_tcp'@'localhost' (using password: NO)",
    );
    let closing = packet(2, b"\xff\x1d\x0408S01Server shutdown in progress");
    let fine = packet(2, b"\x00\x00\x00\x02\x00\x00\x00");
    let switch = packet(2, b"\xfecaching_sha2_password\x00fDa:?jzE,HhQ?'CZ|!.a\x00");
    let blocked = packet(0, b"\xffi\x04Host '127.0.0.2' is blocked because of many connection errors; unblock with 'mariadb-admin flush-hosts'");
    let full = packet(0, b"\xff\x10\x04Too many connections");
    let foreign = packet(
        0,
        b"\xffj\x04Host '192.0.2.50' is not allowed to connect to this MySQL server",
    );
    let unheard = [b"?\0\0\x01", &answer("")[4..]].concat();
    let sha2 = "caching_sha2_password";
    let after = |service, name, status, reply: &[u8]| {
        case(
            (service, name),
            status,
            vec![sends(&maria), receives(answer(native)), sends(reply)],
        )
        .captures(&[
            ("plugin", "mysql_native_password"),
            ("version", "10.11.19-MariaDB-0+deb12u1"),
        ])
        .quit(if service == "mysql" {
            b"\0\0\0\x03"
        } else {
            b"\x01\0\0\0\x01"
        })
    };
    let at_once = |name, reply: &[u8]| {
        case(("mysql", name), "rejected", vec![sends(reply)]).quit(b"\0\0\0\x03")
    };
    vec![
        after("mysql", "MariaDB 10.11.19", "ok", &denied),
        after("mysql", "anonymous login", "ok", &fine),
        after("mysql", "shutdown", "rejected", &closing),
        case(
            ("mysql", "MySQL 8, unknown user"),
            "ok",
            vec![
                sends(greeting("8.0.36", sha2)),
                receives(answer(sha2)),
                sends(&switch),
            ],
        )
        .captures(&[("plugin", "caching_sha2_password"), ("version", "8.0.36")])
        .quit(b"\0\0\0\x03"),
        at_once("host blocked", &blocked),
        at_once("too many connections", &full),
        // The server has closed and does not read what is sent nevertheless.
        case(
            ("mysql", "host not allowed"),
            "ok",
            vec![sends(&foreign), receives(&unheard)],
        )
        .quit(b"\0\0\0\x03"),
        after("mysql_login", "MariaDB 10.11.19", "ok", &fine),
        after("mysql_login", "denied", "rejected", &denied),
        after("mysql_login", "other plugin", "rejected", &switch),
    ]
}

fn postgres() -> Vec<Case> {
    let one = |name, status, reply: &[u8]| {
        case(
            ("postgres", name),
            status,
            vec![receives(b"\0\0\0\x08\x04\xd2\x16\x30"), sends(reply)],
        )
    };
    let startup = b"\0\0\0\x28\0\x03\0\0user\0zbx_tcp\0database\0postgres\0\0";
    let session = |name, status, reply: &[u8]| {
        case(
            ("postgres_startup", name),
            status,
            vec![receives(startup), sends(reply)],
        )
    };
    let unknown = b"E\x00\x00\x00\x89SFATAL\x00VFATAL\x00C0A000\x00Munsupported frontend protocol 1234.5680: server supports 2.0 to 3.0\x00Fpostmaster.c\x00L2222\x00RProcessStartupPacket\x00\x00";
    let granted = b"R\x00\x00\x00\x08\x00\x00\x00\x00";
    let nobody = b"E\x00\x00\x00cSFATAL\x00VFATAL\x00C28000\x00Mrole \"zbx_tcp\" does not exist\x00Fmiscinit.c\x00L768\x00RInitializeSessionUserId\x00\x00";
    let told =
        b"S\x00\x00\x00\x19client_encoding\x00UTF8\x00K\x00\x00\x00\x0c\x00\x00\n\xfc\x0c\xdc$BZ\x00\x00\x00\x05I";
    vec![
        one("15.18", "ok", b"G").captures(&[("encryption", "G")]),
        one("without Kerberos", "ok", b"N").captures(&[("encryption", "N")]),
        one("before 12", "ok", unknown),
        one("no process left", "rejected", b"Ecould not fork new process for connection: Cannot allocate memory\n\x00"),
        session("SCRAM", "ok", b"R\x00\x00\x00\x17\x00\x00\x00\nSCRAM-SHA-256\x00\x00"),
        session("MD5", "ok", b"R\x00\x00\x00\x0c\x00\x00\x00\x05\x01\x02\x03\x04"),
        session("trust", "ok", &[&granted[..], told].concat()),
        session("trust, no such role", "rejected", &[&granted[..], nobody].concat()),
        session(
            "starting up",
            "rejected",
            b"E\x00\x00\x00XSFATAL\x00VFATAL\x00C57P03\x00Mthe database system is starting up\x00Fpostmaster.c\x00L2400\x00R\x00\x00",
        ),
        session(
            "full",
            "rejected",
            b"E\x00\x00\x00XSFATAL\x00VFATAL\x00C53300\x00Msorry, too many clients already\x00Fproc.c\x00L353\x00R\x00\x00",
        ),
    ]
}

/// An `OP_MSG` with one section of kind 0.
fn op_msg(id: u8, reply_to: u8, document: &[u8]) -> Vec<u8> {
    let document = [
        &(u32::try_from(document.len()).unwrap() + 5).to_le_bytes()[..],
        document,
        b"\0",
    ]
    .concat();
    let length = u32::try_from(21 + document.len()).unwrap().to_le_bytes();
    let head = [
        &length[..],
        &[id, 0, 0, 0, reply_to, 0, 0, 0],
        &2013_u32.to_le_bytes(),
        &[0; 5],
    ]
    .concat();
    [head, document].concat()
}

fn mongodb() -> Vec<Case> {
    let ask = |id, command: &[u8]| {
        op_msg(
            id,
            0,
            &[b"\x10", command, b"\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0"].concat(),
        )
    };
    let ok = b"\x01ok\0\0\0\0\0\0\0\xf0\x3f";
    let not_ok = b"\x01ok\0\0\0\0\0\0\0\0\0";
    let hello = op_msg(
        9,
        1,
        &[&b"\x08ismaster\0\x01\x10maxWireVersion\0\x15\0\0\0"[..], ok].concat(),
    );
    let built = op_msg(
        10,
        2,
        &[
            &b"\x02version\0\x07\0\0\x007.0.14\0\x10debug\0\0\0\0\0"[..],
            ok,
        ]
        .concat(),
    );
    let refused = |to| {
        let text = b"\x02errmsg\0\x1e\0\0\0command requires authentication\0\x10code\0\x0d\0\0\0";
        op_msg(11, to, &[&not_ok[..], text].concat())
    };
    let one = |name, status, first: &[u8], second: Option<&[u8]>| {
        let mut turns = vec![receives(ask(1, b"isMaster")), sends(first)];
        if let Some(second) = second {
            turns.extend([receives(ask(2, b"buildInfo")), sends(second)]);
        }
        case(("mongodb", name), status, turns)
    };
    vec![
        one("7.0", "ok", &hello, Some(&built)).captures(&[("version", "7.0.14")]),
        one("buildInfo refused", "ok", &hello, Some(&refused(2))),
        one("isMaster refused", "rejected", &refused(1), None),
    ]
}

fn elasticsearch() -> Vec<Case> {
    let ask = "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT5\r\nUser-Agent: zbx-tcp\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
    let one = |name, status, reply: &str| {
        case(
            ("elasticsearch", name),
            status,
            vec![receives(ask), sends(reply)],
        )
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 300\r\n\r\n";
    let body = "{\n  \"name\" : \"n1\",\n  \"cluster_name\" : \"docs\",\n  \"cluster_uuid\" : \"u\",\n  \"version\" : {\n    \"number\" : \"8.11.1\",\n    \"build_flavor\" : \"default\"\n  },\n  \"tagline\" : \"You Know, for Search\"\n}\n";
    let open = "{\"name\":\"o\",\"cluster_name\":\"logs\",\"version\":{\"distribution\":\"opensearch\",\"number\":\"2.11.0\"}}";
    vec![
        one("8.11", "ok", &format!("{head}{body}"))
            .captures(&[("cluster", "docs"), ("version", "8.11.1")]),
        one("OpenSearch", "ok", &format!("{head}{open}"))
            .captures(&[("cluster", "logs"), ("version", "2.11.0")]),
        one(
            "with a password",
            "ok",
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"security\"\r\n\r\n{}",
        ),
        one(
            "anonymous access is forbidden",
            "ok",
            "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\r\n{}",
        ),
        one(
            "no master",
            "rejected",
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        ),
        one(
            "another web server",
            "rejected",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        ),
    ]
}

/// A root DSE with this naming context.
fn entry_of(base: &[u8]) -> Vec<u8> {
    let length = u8::try_from(base.len()).unwrap();
    let value = [&[4, length], base].concat();
    let attribute = [&b"\x04\x0enamingContexts1"[..], &[length + 2], &value].concat();
    let size = u8::try_from(attribute.len()).unwrap();
    let list = [&[0x30, size + 2, 0x30, size], &attribute[..]].concat();
    let head = [0x30, size + 11, 2, 1, 1, b'd', size + 6, 4, 0];
    [&head[..], &list].concat()
}

fn ldap() -> Vec<Case> {
    let ask = b"05\x02\x01\x01c0\x04\x00\n\x01\x00\n\x01\x00\x02\x01\x01\x02\x01\x05\x01\x01\x00\x87\x0bobjectClass0\x10\x04\x0enamingContexts";
    let one = |name, status, reply: &[u8]| {
        case(("ldap", name), status, vec![receives(ask), sends(reply)])
            .quit(b"0\x05\x02\x01\x02B\x00")
    };
    let done = b"0\x0c\x02\x01\x01e\x07\n\x01\x00\x04\x00\x04\x00";
    let entry = b"00\x02\x01\x01d+\x04\x000'0%\x04\x0enamingContexts1\x13\x04\x11dc=example,dc=org";
    let two = b"0:\x02\x01\x01d5\x04\x00010/\x04\x0enamingContexts1\x1d\x04\x11dc=example,dc=org\x04\x08o=Second";
    // Active Directory writes lengths of four bytes.
    let ad = b"0\x84\x00\x00\x00\x42\x02\x01\x01d\x84\x00\x00\x00\x39\x04\x000\x84\x00\x00\x00\x310\x84\x00\x00\x00\x2b\x04\x0enamingContexts1\x84\x00\x00\x00\x13\x04\x11DC=example,DC=org";
    let ad_done =
        b"0\x84\x00\x00\x00\x10\x02\x01\x01e\x84\x00\x00\x00\x07\n\x01\x00\x04\x00\x04\x00";
    let refuses = |text: &str, code: u8, decimal: &'static str| {
        let length = u8::try_from(text.len()).unwrap();
        let head = [
            b'0',
            length + 12,
            2,
            1,
            1,
            b'e',
            length + 7,
            b'\n',
            1,
            code,
            4,
            0,
            4,
            length,
        ];
        let captures: &'static [_] = Vec::from([("code", decimal)]).leak();
        one("a refusal", "ok", &[&head[..], text.as_bytes()].concat()).captures(captures)
    };
    let base: &[_] = &[("base", "dc=example,dc=org")];
    vec![
        one("slapd 2.5.13", "ok", &[&entry[..], done].concat()).captures(base),
        one("two contexts", "ok", &[&two[..], done].concat()).captures(base),
        one("Active Directory", "ok", &[&ad[..], ad_done].concat())
            .captures(&[("base", "DC=example,DC=org")]),
        one("no contexts", "rejected", done),
        // Any attribute counts, as for Zabbix; one without a value, and one that is not the first.
        one(
            "another attribute",
            "ok",
            &[
                &b"0\x1b\x02\x01\x01d\x16\x04\x000\x120\x10\x04\x02cn1\x0a\x04\x08Root DSE"[..],
                done,
            ]
            .concat(),
        ),
        one(
            "no value",
            "ok",
            &[
                &b"0\x1d\x02\x01\x01d\x18\x04\x000\x140\x12\x04\x0enamingContexts1\x00"[..],
                done,
            ]
            .concat(),
        ),
        one(
            "an entry without attributes",
            "rejected",
            &[&b"0\x09\x02\x01\x01d\x04\x04\x000\x00"[..], done].concat(),
        ),
        one(
            "digits in the base",
            "ok",
            &[&entry_of(b"dc=10.0,dc=org")[..], done].concat(),
        )
        .captures(&[("base", "dc=10.0,dc=org")]),
        // slapd with `require authc`, 389 Directory Server, slapd with `security ssf=1`, eDirectory, Active
        // Directory's long lengths, an ACL that hides the root DSE.
        refuses("authentication required", 8, "8"),
        refuses("Anonymous access is not allowed.", 48, "48"),
        refuses("confidentiality required", 13, "13"),
        refuses("NDS error: failed authentication", 53, "53"),
        refuses("BIND required", 1, "1"),
        refuses("", 32, "32"),
        refuses("insufficient access", 50, "50"),
        one(
            "long lengths",
            "ok",
            b"0\x84\x00\x00\x00\x10\x02\x01\x01e\x84\x00\x00\x00\x07\n\x01\x08\x04\x00\x04\x00",
        )
        .captures(&[("code", "8")]),
        one(
            "busy",
            "rejected",
            b"0\x0c\x02\x01\x01e\x07\n\x01\x33\x04\x00\x04\x00",
        ),
        one(
            "shutting down",
            "rejected",
            b"0$\x02\x01\x00x\x1f\n\x01\x34\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036",
        ),
    ]
}

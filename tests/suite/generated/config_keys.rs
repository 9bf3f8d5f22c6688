//! The meanings of the configuration keys, each with an example. The reference is generated from them.

/// The keys of one kind of table.
pub struct Section {
    pub title: &'static str,
    /// TOML in which `@` is replaced with `key = value`.
    frame: &'static str,
    /// Key, example of a value, meaning.
    pub keys: &'static [(&'static str, &'static str, &'static str)],
}

/// The smallest configuration that contains this key.
pub fn example(section: &Section, key: &str, value: &str) -> String {
    // Some keys require another key.
    let required = match key {
        "require" | "interval" => "count = 5",
        "client_key" => "client_cert = \"/etc/zbx-tcp/client.pem\"",
        _ => "",
    };
    let same_key_twice = section.frame.contains(&format!("{key} = "));
    let frame = section
        .frame
        .lines()
        .filter(|line| !same_key_twice || !line.starts_with(&format!("{key} = ")))
        .collect::<Vec<_>>()
        .join("\n");
    let inline = frame.contains("{ @ }") || frame.contains(", @ }");
    let text = frame.replace('@', &format!("{key} = {value}"));
    if inline || required.is_empty() {
        text
    } else {
        format!("{text}\n{required}\n")
    }
}

const HOSTS: &str = "the addresses and ports that may be probed with this service, in the format of the policy; an entry \
                     without a port allows only the port of the service; all other targets have \
                     the status 14, `denied`; default: all addresses and ports";

/// Every section.
pub const SECTIONS: [Section; 13] = [
    Section {
        title: "Options, in [defaults], [services.NAME] and [[targets]]",
        frame: "[defaults]\n@\n",
        keys: &[
            ("timeout", "\"2.5s\"", "deadline of the probe"),
            (
                "addresses",
                "\"all\"",
                "which addresses of a name must be up: `any` (tried in order), `first` or `all`",
            ),
            (
                "family",
                "\"4\"",
                "use only IPv4 (`4`) or IPv6 (`6`) addresses",
            ),
            ("source", "\"127.0.0.1\"", "connect from this local address"),
            (
                "source_port",
                "40123",
                "connect from this local port; after the check, the kernel blocks the port for this target for a minute, except with `close = \"rst\"`",
            ),
            (
                "interface",
                "\"lo\"",
                "connect through this network interface",
            ),
            (
                "count",
                "5",
                "number of connection attempts within the deadline",
            ),
            (
                "interval",
                "\"0.2s\"",
                "time between the starts of consecutive attempts",
            ),
            ("require", "3", "number of attempts that must succeed"),
            (
                "steps",
                "[{ expect = \"220 \" }]",
                "the dialogue, in order; see below",
            ),
            (
                "encoding",
                "\"gbk\"",
                "encoding of sent and received text: a WHATWG label",
            ),
            ("crlf", "true", "append CR LF to every text that is sent"),
            (
                "quit",
                "\"QUIT\\r\\n\"",
                "text that is sent before closing the connection, if it is the client's turn",
            ),
            ("quit_hex", "\"e0 00\"", "the same as `quit`, in hex"),
            (
                "max_bytes",
                "65536",
                "fail if this many bytes are received without a match",
            ),
            (
                "expect_closed",
                "\"answered\"",
                "expect a closed port: up if it refuses connections; with `filtered`, also if it does not answer",
            ),
            (
                "path",
                "\"on\"",
                "if the target does not answer, find out how far the packets get: `on` or `off`",
            ),
            (
                "close",
                "\"rst\"",
                "how to close the connection: `fin` (gracefully) or `rst` (reset)",
            ),
        ],
    },
    Section {
        title: "TLS, in [defaults], [services.NAME] and [[targets]]",
        frame: "[services.mine]\nport = 25\n@\n",
        keys: &[
            (
                "tls",
                "{ sni = \"www.example.org\", min = 1.3 }",
                "`true`: start TLS directly after the connect; `false`: do not start TLS, even if the service does; a table: the same as `true` with the options below, without `tls_` in their names; in `[defaults]` a table only sets options, and `true` applies to targets without a service",
            ),
            (
                "starttls",
                "\"smtp\"",
                "start TLS by the STARTTLS dialogue of this protocol; `steps` are then run within TLS",
            ),
        ],
    },
    Section {
        title: "Options of TLS, beside `tls` or in its table",
        frame: "[services.mine]\nport = 25\ntls = true\n@\n",
        keys: &[
            (
                "sni",
                "\"www.example.org\"",
                "host name that is sent to the server and that the certificate must match; default: the host",
            ),
            (
                "alpn",
                "[\"h2\", \"http/1.1\"]",
                "application protocols that are offered",
            ),
            (
                "ca_file",
                "\"/etc/zbx-tcp/ca.pem\"",
                "trust only the certificates of this PEM file",
            ),
            (
                "client_cert",
                "\"/etc/zbx-tcp/client.pem\"",
                "PEM file with the client certificate and its chain",
            ),
            (
                "client_key",
                "\"/etc/zbx-tcp/client.key\"",
                "PEM file with its private key, which must not be world-readable; default: the file of `client_cert`",
            ),
            (
                "pin_sha256",
                "[\"AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2+Pr8/s=\"]",
                "SHA-256 digests of trusted public keys, in base64 or hex, instead of a trusted issuer; a text or a list",
            ),
            (
                "tls_min",
                "1.3",
                "oldest version that is accepted; `1.0` and `1.1` require `tls_legacy`",
            ),
            (
                "tls_report_only",
                "true",
                "report an untrusted certificate, but do not fail because of it",
            ),
            (
                "tls_legacy",
                "true",
                "accept servers that are too old to prove that they have the key of their certificate",
            ),
            (
                "expect_client_cert",
                "true",
                "fail unless the server requires a client certificate",
            ),
            (
                "tls_scan",
                "true",
                "also find the oldest version that the server supports, and whether it prefers a post-quantum group",
            ),
            (
                "expect_cert",
                "\"/etc/ssl/private/web.pem\"",
                "file whose first certificate must be the one that the server serves: if the service was not restarted after a renewal, the status is `mismatch`",
            ),
        ],
    },
    Section {
        title: "[defaults] only",
        frame: "[defaults]\n@\n",
        keys: &[
            (
                "max_targets",
                "200000",
                "maximum number of targets of a batch, at most 1048576; default: 65536; each target needs half a KiB of memory",
            ),
            (
                "max_output",
                "\"512K\"",
                "size that the document of a batch must be shorter than, with its line end; if necessary, it has fewer details; default: no limit",
            ),
        ],
    },
    Section {
        title: "[services.NAME]",
        frame: "[services.mine]\nport = 25\n@\n",
        keys: &[
            (
                "description",
                "\"The tills\"",
                "description in `zbx-tcp services`",
            ),
            (
                "extends",
                "\"smtp\"",
                "a built-in service, whose options this one has unless it has its own",
            ),
            ("port", "2529", "default port"),
            (
                "hosts",
                "[\"192.0.2.0/24\", \"[2001:db8::]/32:2529\"]",
                HOSTS,
            ),
        ],
    },
    Section {
        title: "Secrets of [services.NAME]",
        frame: "[services.mine]\nport = 25\nhosts = [\"192.0.2.7\"]\n@\n",
        keys: &[(
            "secrets",
            "{ password = { file = \"/etc/zbx-tcp/till.password\" } }",
            "texts that the steps and the `quit` of this service insert with `${name}`; they are redacted in all output; requires `hosts`",
        )],
    },
    Section {
        title: "A secret of [services.NAME]",
        frame: "[services.mine]\nport = 25\nhosts = [\"192.0.2.7\"]\nsecrets = { password = { @ } }\n",
        keys: &[(
            "file",
            "\"/etc/zbx-tcp/till.password\"",
            "the file that contains the secret; it must belong to root or to the user that runs zbx-tcp, no other user may be able to write it, and it must not be world-readable",
        )],
    },
    Section {
        title: "A step",
        frame: "[services.mine]\nsteps = [{ @ }]\n",
        keys: &[
            (
                "send",
                "\"HELO me\\r\\n\"",
                "send this text; `${name}` inserts a capture or a secret; `${host}`, `${port}`, `${address}`, \
                 `${authority}` and `${sni}` insert parts of the target",
            ),
            ("send_hex", "\"16 03:01\"", "send these bytes"),
            (
                "expect",
                "\"220 \"",
                "expect this text, anywhere in the received data",
            ),
            (
                "expect_prefix",
                "\"220 \"",
                "expect this text at the start of the received data",
            ),
            (
                "expect_regex",
                "'v(?<version>[0-9]+)\\n'",
                "expect a match; named groups are captures",
            ),
            (
                "expect_hex",
                "\"00 ?? ff\"",
                "expect these bytes; `??` matches any byte",
            ),
            (
                "expect_any",
                "[\"ok\", { regex = \"[0-9]+ ready\" }]",
                "expect one of these patterns",
            ),
            (
                "expect_all",
                "[\"a\", { hex = \"00\" }]",
                "expect all of these patterns, in any order",
            ),
            (
                "silence",
                "\"300ms\"",
                "expect that the peer sends nothing and does not close the connection for this time",
            ),
        ],
    },
    Section {
        title: "A step that starts TLS",
        frame: "[services.mine]\nsteps = [{ send = \"STARTTLS\\r\\n\" }, { expect_regex = '\\A220 [^\\n]*\\n' }, { @ }]\n",
        keys: &[(
            "starttls",
            "true",
            "the TLS handshake; the step before it must match the whole answer, since bytes after the match are refused as an injection",
        )],
    },
    Section {
        title: "Additional keys of a step that expects data",
        frame: "[services.mine]\nsteps = [{ expect = \"ok\", @ }]\n",
        keys: &[
            (
                "reject",
                "[\"busy\"]",
                "fail if this text is received; a text, or a list of texts and tables as below",
            ),
            (
                "reject_regex",
                "'^[45]'",
                "fail if this regular expression matches; a text or a list",
            ),
            (
                "reject_hex",
                "\"ff\"",
                "fail if these bytes are received; a text or a list",
            ),
            (
                "otherwise",
                "[{ regex = '\\A250 ', status = \"tls_refused\" }]",
                "fail if this text is received and the expected one can no longer match; a text, or a list of texts and tables as below",
            ),
            (
                "min_bytes",
                "5",
                "minimum number of bytes that must be received before the step can end",
            ),
            (
                "timeout",
                "\"1s\"",
                "deadline of this step; the deadline of the probe also applies",
            ),
            (
                "at_close_regex",
                "'^220 '",
                "in the last step: the answer that is sufficient if the peer closes the connection; `quit` is not sent in this case",
            ),
            (
                "at_timeout_regex",
                "'^220[ -]'",
                "in the last step: the answer that is sufficient when the timeout passes; `quit` is not sent in this case",
            ),
            (
                "if_closed",
                "\"the till is switched off\"",
                "text for the error message if the peer closes the connection without an answer",
            ),
            (
                "numbers",
                "[]",
                "groups that capture a binary number; they are reported as decimal numbers",
            ),
        ],
    },
    Section {
        title: "A pattern of expect_any or expect_all, as a table",
        frame: "[services.mine]\nsteps = [{ expect_any = [{ @ }] }]\n",
        keys: &[
            ("text", "\"ok\"", "this text, anywhere"),
            ("prefix", "\"ok\"", "this text, at the start"),
            ("regex", "\"[0-9]+\"", "a match"),
            ("hex", "\"00 ??\"", "these bytes"),
        ],
    },
    Section {
        title: "A pattern of reject, as a table",
        frame: "[services.mine]\nsteps = [{ expect = \"ok\", reject = [{ text = \"busy\", @ }] }]\n",
        keys: &[
            (
                "reason",
                "\"the till is busy\"",
                "text for the error message if the pattern matches; requires `text`, `prefix`, `regex` or `hex`",
            ),
            (
                "status",
                "\"tls_refused\"",
                "status of a match: `rejected`, or `tls_refused` if it means that the peer offers no TLS",
            ),
            (
                "quit",
                "\"BYE\\r\\n\"",
                "text that is sent before closing after a match, instead of the `quit` of the service",
            ),
        ],
    },
    Section {
        title: "[[targets]]",
        frame: "[[targets]]\nhost = \"192.0.2.7\"\nport = 25\n@\n",
        keys: &[
            (
                "host",
                "\"192.0.2.0/29\"",
                "a name, an address, a network or a range (one target for each address)",
            ),
            (
                "port",
                "\"22,80,8000-8010\"",
                "a port, or a list of ports with or without services; default: the port of the service",
            ),
            (
                "id",
                "\"mail-1\"",
                "id in documents and item keys; default: host, port and service",
            ),
            ("name", "\"Mail\"", "display name"),
            ("service", "\"smtp\"", "a named service"),
            (
                "group",
                "[\"shops\", \"tills\"]",
                "a group or a list of groups, for `--group`",
            ),
            (
                "zabbix_host",
                "\"mail.example.com\"",
                "Zabbix host of the values, for `-o sender`",
            ),
        ],
    },
];

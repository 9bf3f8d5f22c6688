//! The keys of the configuration with meaning and example, from which the reference is generated.

/// The keys of one kind of table.
pub struct Section {
    pub title: &'static str,
    /// TOML with `@` instead of `key = value`.
    frame: &'static str,
    /// Key, an example of its value, its meaning.
    pub keys: &'static [(&'static str, &'static str, &'static str)],
}

/// The smallest configuration that has this key.
pub fn written(section: &Section, key: &str, value: &str) -> String {
    // Keys that require another key.
    let beside = match key {
        "require" | "interval" => "count = 5",
        _ => "",
    };
    let same_key_twice = section.frame.contains(&format!("{key} = "));
    let frame: String = section
        .frame
        .lines()
        .filter(|line| !same_key_twice || !line.starts_with(&format!("{key} = ")))
        .map(|line| format!("{line}\n"))
        .collect();
    let inline = frame.contains("{ @ }") || frame.contains(", @ }");
    let text = frame.replace('@', &format!("{key} = {value}"));
    if inline || beside.is_empty() {
        text
    } else {
        format!("{text}\n{beside}\n")
    }
}

const HOSTS: &str = "where it may be spoken, in the form of the policy's lists; a check of another resolved address or \
                     port has status 14, `denied`; absent: anywhere";

/// Every section.
pub const SECTIONS: [Section; 7] = [
    Section {
        title: "Options, in [defaults], [services.NAME] and [[targets]]",
        frame: "[defaults]\n@\n",
        keys: &[
            ("timeout", "\"2.5s\"", "the total deadline"),
            (
                "addresses",
                "\"all\"",
                "`first` address of a name, or `all`",
            ),
            (
                "source",
                "\"127.0.0.1\"",
                "connect from this address of this host",
            ),
            ("interface", "\"lo\"", "connect through this interface"),
            ("count", "5", "connect this many times inside the deadline"),
            (
                "interval",
                "\"0.2s\"",
                "from the start of one connect to the next",
            ),
            ("require", "3", "how many of `count` must succeed"),
            (
                "steps",
                "[{ expect = \"220 \" }]",
                "the dialogue, in order; see below",
            ),
            (
                "encoding",
                "\"gbk\"",
                "of sent and received text, by its WHATWG label",
            ),
            ("crlf", "true", "append CR LF to each text that is sent"),
            (
                "quit",
                "\"QUIT\\r\\n\"",
                "the goodbye, sent after the verdict",
            ),
            ("quit_hex", "\"e0 00\"", "the same in hex"),
            (
                "max_bytes",
                "65536",
                "the most bytes to read without a match",
            ),
            (
                "expect_closed",
                "\"answered\"",
                "up means: nothing accepts here; with `filtered` a timeout counts too",
            ),
            (
                "close",
                "\"rst\"",
                "`fin` reads what the peer has to say first, `rst` leaves at once",
            ),
        ],
    },
    Section {
        title: "[services.NAME]",
        frame: "[services.mine]\nport = 25\n@\n",
        keys: &[
            ("description", "\"The tills\"", "what it is, for people"),
            (
                "port",
                "2529",
                "where the command line or the target names none",
            ),
            ("hosts", "[\"192.0.2.0/24:2529\", \"2001:db8::/32\"]", HOSTS),
            (
                "secrets",
                "{ password = { file = \"/etc/zbx-tcp/till.password\" } }",
                "texts that are sent as `${name}` and shown nowhere; see below",
            ),
        ],
    },
    Section {
        title: "A secret of [services.NAME]",
        frame: "[services.mine]\nsecrets = { password = { @ } }\n",
        keys: &[(
            "file",
            "\"/etc/zbx-tcp/till.password\"",
            "the file that holds it, which not everybody may read",
        )],
    },
    Section {
        title: "A step",
        frame: "[services.mine]\nsteps = [{ @ }]\n",
        keys: &[
            (
                "send",
                "\"HELO me\\r\\n\"",
                "sends this text; `${name}` inserts a capture or a secret",
            ),
            ("send_hex", "\"16 03:01\"", "sends these bytes"),
            ("expect", "\"220 \"", "waits for this text, anywhere"),
            (
                "expect_prefix",
                "\"220 \"",
                "waits for it at the start of what comes",
            ),
            (
                "expect_regex",
                "'v(?<version>[0-9]+)\\n'",
                "waits for a match; named groups are captured",
            ),
            (
                "expect_hex",
                "\"00 ?? ff\"",
                "waits for these bytes; `??` is any byte",
            ),
            (
                "expect_any",
                "[\"ok\", { regex = \"[0-9]+ ready\" }]",
                "waits for one of these patterns",
            ),
            (
                "expect_all",
                "[\"a\", { hex = \"00\" }]",
                "waits for all of them, in any order",
            ),
        ],
    },
    Section {
        title: "A step that expects, besides",
        frame: "[services.mine]\nsteps = [{ expect = \"ok\", @ }]\n",
        keys: &[
            (
                "reject",
                "[\"busy\"]",
                "fails when this text comes; one, or a list",
            ),
            ("reject_regex", "'^[45]'", "fails when this matches"),
            ("reject_hex", "\"ff\"", "fails when these bytes come"),
            ("min_bytes", "5", "not decided before so many bytes came"),
            (
                "timeout",
                "\"1s\"",
                "the deadline of this step, inside the total one",
            ),
        ],
    },
    Section {
        title: "A pattern of expect_any and expect_all that is a table",
        frame: "[services.mine]\nsteps = [{ expect_any = [{ @ }] }]\n",
        keys: &[
            ("text", "\"ok\"", "this text, anywhere"),
            ("prefix", "\"ok\"", "this text, at the start"),
            ("regex", "\"[0-9]+\"", "a match"),
            ("hex", "\"00 ??\"", "these bytes"),
        ],
    },
    Section {
        title: "[[targets]]",
        frame: "[[targets]]\nhost = \"192.0.2.7\"\nport = 25\n@\n",
        keys: &[
            (
                "host",
                "\"192.0.2.0/29\"",
                "a name, an address, or a network: one target for each address",
            ),
            (
                "port",
                "\"22,80,8000-8010\"",
                "a number or a list; absent: the service's",
            ),
            (
                "id",
                "\"mail-1\"",
                "its name in documents and item keys; absent: made of host, port and service",
            ),
            ("name", "\"Mail\"", "for people"),
            ("service", "\"smtp\"", "a named service"),
            (
                "group",
                "[\"shops\", \"tills\"]",
                "what it belongs to: one, or a list",
            ),
            (
                "zabbix_host",
                "\"mail.example.com\"",
                "its host in Zabbix, for values that are sent",
            ),
        ],
    },
];

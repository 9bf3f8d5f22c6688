//! Configuration errors: all in one run, each with file, line and key, and nothing is sent.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use crate::config::ConfigFile;
use crate::private_etc::{Etc, WITHOUT_CAPABILITIES};
use crate::program::{Ran, finish, program};
use crate::scripted_peer::Peer;

/// Asserts that `services --check` and a check refuse the file with this text; the check sends
/// nothing.
#[track_caller]
fn refused(path: &str, text: &str) {
    finish(program().args(["services", "--check", "--config", path])).refuses(text);
    let peer = Peer::greeting(b"");
    let ran = finish(program().args(["check", "127.0.0.1", &peer.port(), "--config", path]));
    ran.refuses(text);
    assert!(ran.took < Duration::from_secs(1), "{:?}", ran.took);
    peer.has_no_connection();
}

/// The lines of `services --check` without the names of program and file; asserts exit status 2.
#[track_caller]
fn errors(text: &str) -> Vec<String> {
    let config = ConfigFile::new(text);
    let ran = config.run(&["services", "--check"]);
    assert_eq!((ran.out.as_str(), ran.code), ("", Some(2)), "{}", ran.err);
    let start = format!("zbx-tcp: {}:", config.path());
    ran.err
        .lines()
        .map(|line| {
            line.strip_prefix(&start)
                .unwrap_or_else(|| panic!("{line}"))
                .to_owned()
        })
        .collect()
}

/// Asserts that there is exactly one error, which starts with this text.
#[track_caller]
fn refused_once(text: &str, start: &str) {
    let found = errors(text);
    assert!(
        matches!(&found[..], [line] if line.starts_with(start)),
        "{found:#?} is not {start:?}"
    );
}

#[test]
fn a_valid_file_is_accepted() {
    let config = ConfigFile::new(
        "[defaults]\ntimeout = \"1s\"\n[services.a]\nport = 0\n".replace("= 0", "= 7")
            + "[[targets]]\nhost = \"192.0.2.0/30\"\nport = \"22,80-90\"\ngroup = [\"a\", \"b\"]\n[[targets]]\nhost = \"::1\"\nservice = \"a\"\n",
    );
    config
        .run(&["services", "--check"])
        .prints("ok: 1 service, 2 target entries", 0);
    ConfigFile::new("")
        .run(&["services", "--check"])
        .prints("ok: 0 services, 0 target entries", 0);
    ConfigFile::new("\u{feff}# a byte order mark\n[services.a]\n")
        .run(&["services", "--check"])
        .prints("ok: 1 service, 0 target entries", 0);
}

#[test]
fn targets_of_one_name_are_a_warning() {
    let target = |name: &str, port: u16| {
        format!("[[targets]]\nhost = \"192.0.2.1\"\nport = {port}\nname = \"{name}\"\n")
    };
    let text = [("a", 1), ("b", 2), ("a", 3), ("b", 4), ("a", 5), ("c", 6)];
    let text: String = text
        .iter()
        .map(|(name, port)| target(name, *port))
        .collect();
    let config = ConfigFile::new(text);
    let ran = config.run(&["services", "--check"]);
    assert_eq!(
        (ran.out.as_str(), ran.code),
        ("ok: 0 services, 6 target entries\n", Some(0))
    );
    let lines: Vec<_> = ran.err.lines().collect();
    let [first, second] = lines[..] else {
        panic!("{lines:?}")
    };
    assert!(first.ends_with("config.toml:9: targets[3]: warning: has the same name `a` as targets[1] (3 targets in all): give each target a different `name`"), "{first}");
    assert!(second.ends_with("config.toml:13: targets[4]: warning: has the same name `b` as targets[2]: give each target a different `name`"), "{second}");
}

#[test]
fn a_path_that_is_not_a_file_is_refused_at_once() {
    let config = ConfigFile::new("");
    let dir = std::path::Path::new(&config.path())
        .parent()
        .unwrap()
        .to_owned();
    let at = |name: &str| dir.join(name).display().to_string();
    refused(
        &at("absent.toml"),
        "absent.toml: this file cannot be used: ",
    );
    refused(&dir.display().to_string(), ": this file cannot be used: ");
    assert!(
        Command::new("mkfifo")
            .arg(at("fifo"))
            .status()
            .unwrap()
            .success()
    );
    refused(&at("fifo"), "fifo: this file cannot be used: ");
    refused("/dev/zero", "/dev/zero: this file cannot be used: ");
    let large = fs::File::create(at("large.toml")).unwrap();
    large.set_len(100 << 20).unwrap();
    refused(
        &at("large.toml"),
        "large.toml: is larger than 16777216 bytes",
    );
    config.beside("latin1.toml", b"[services.caf\xe9]\n", 0o640);
    refused(&at("latin1.toml"), "latin1.toml: is not UTF-8 text");
    config.beside("new\nline.toml", "x = 1", 0o640);
    refused(&at("new\nline.toml"), "new\\nline.toml:1: x: unknown key");
}

#[test]
fn an_unreadable_file_is_a_configuration_error() {
    let Some(etc) = Etc::new() else { return };
    if !etc.can_drop_capabilities() {
        return;
    }
    let peer = Peer::greeting(b"");
    let check = || etc.check_behind(&WITHOUT_CAPABILITIES, &["127.0.0.1", &peer.port()]);
    let mode = |name: &str, mode| {
        fs::set_permissions(etc.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::write(etc.path("zbx-tcp/config.toml"), "").unwrap();
    fs::create_dir(etc.path("zbx-tcp/conf.d")).unwrap();
    mode("zbx-tcp/config.toml", 0o000);
    check().refuses("/etc/zbx-tcp/config.toml: permission denied");
    mode("zbx-tcp/config.toml", 0o644);
    mode("zbx-tcp/conf.d", 0o000);
    check().refuses("/etc/zbx-tcp/conf.d: permission denied");
    mode("zbx-tcp/conf.d", 0o755);
    peer.has_no_connection();
    check().prints("1", 0);
}

#[test]
fn one_run_reports_every_error() {
    let found = errors(
        "[defaults]\ntimeot = 1\n\n[services.a]\nprot = 22\nsteps = [{ expect_regex = \"(\" }]\n\
         [services.b]\ncrlf = \"yes\"\nencoding = \"klingon\"\nsteps = [\n  { send = '\\q' },\n  {},\n]\n\
         [[targets]]\nhost = \"192.0.2.1\"\n[[targets]]\nhost = \"192.0.2.0/33\"\nport = \"1-\"\n",
    );
    let starts = [
        "2: defaults.timeot: unknown key: did you mean `timeout`?",
        "5: services.a.prot: unknown key: did you mean `port`?",
        "6: services.a.steps[1].expect_regex: `(` is not a valid regular expression",
        "8: services.b.crlf: must be true or false, not a string",
        "9: services.b.encoding: unknown encoding `klingon`",
        "11: services.b.steps[1].send: unknown escape `\\q`",
        "12: services.b.steps[2]: a step must have exactly one `send...` or `expect...` key",
        "14: targets[1]: a target needs a `port`, or a `service` that has one",
        "17: targets[2].host: `192.0.2.0/33`: the prefix length is not a number from 0 to 32",
        "18: targets[2].port: port `",
    ];
    let missing: Vec<_> = starts
        .iter()
        .filter(|start| !found.iter().any(|line| line.starts_with(*start)))
        .collect();
    assert!(
        missing.is_empty() && found.len() == starts.len(),
        "{missing:#?} of {found:#?}"
    );
}

#[test]
fn toml_syntax_errors_are_reported_by_line() {
    let found = errors(
        "[services.a]\nport = \n[services.b]\ndescription = no quotes\n[services.c]\nport = 1\nport = 2\n",
    );
    for line in ["2: ", "4: ", "7: "] {
        assert!(
            found.iter().any(|error| error.starts_with(line)),
            "{line} in {found:#?}"
        );
    }
}

#[test]
fn invalid_services_are_refused() {
    for (section, start) in [
        (
            "port = 0",
            "2: services.x.port: is not a number from 1 to 65535",
        ),
        ("port = 65536", "2: services.x.port: is not a number"),
        ("port = 22.5", "2: services.x.port: is not a number"),
        ("port = 0x16", "2: services.x.port: is not a number"),
        (
            "port = [22]",
            "2: services.x.port: must be a text or a number, not an array",
        ),
        ("hosts = []", "2: services.x.hosts: is an empty list"),
        (
            "hosts = [\n\"10.0.0.0/8\",\n\"10.0.0.1/8\"]",
            "4: services.x.hosts[2]: host bits are set",
        ),
        (
            "hosts = \"mx1.example.org:25\"",
            "2: services.x.hosts: not an address or network such as",
        ),
        (
            "hosts = [22]",
            "2: services.x.hosts[1]: must be a text, not an integer",
        ),
        (
            "host = \"10.0.0.1\"",
            "2: services.x.host: unknown key: did you mean `hosts`?",
        ),
        ("timeout = 0", "2: services.x.timeout: `0` is out of range"),
        (
            "timeout = true",
            "2: services.x.timeout: must be a text or a number, not a boolean",
        ),
        (
            "timeout = \"soon\"",
            "2: services.x.timeout: `soon` is not a duration",
        ),
        (
            "max_bytes = 0",
            "2: services.x.max_bytes: is not a number from 1 to",
        ),
        (
            "crlf = 1",
            "2: services.x.crlf: must be true or false, not an integer",
        ),
        (
            "close = \"slam\"",
            "2: services.x.close: unknown value: use `fin` or `rst`",
        ),
        (
            "description = 1",
            "2: services.x.description: must be a text, not an integer",
        ),
        (
            "quit = \"A\"\nquit_hex = \"00\"",
            "3: services.x.quit_hex: cannot be combined with `quit`",
        ),
        ("quit_hex = \"0\"", "2: services.x.quit_hex: `0` is not hex"),
        (
            "steps = [{ expect = \"a\", at_close_regex = \"b\" }, { expect = \"c\" }]",
            "2: services.x.steps[1].at_close_regex: is allowed only in the last step",
        ),
        // Patterns that are compared only at the end of an answer count towards the limits like all
        // others.
        (
            "max_bytes = 262144\nsteps = [{ expect = \"a\", at_close_regex = \"(?:a+b?){300}\" }]",
            "2: services.x.max_bytes: 262144 bytes are too many for step 1, whose patterns have 1807 states",
        ),
        (
            "max_bytes = 262144\nsteps = [{ expect = \"a\", at_timeout_regex = \"(?:a+b?){300}\" }]",
            "2: services.x.max_bytes: 262144 bytes are too many for step 1, whose patterns have 1807 states",
        ),
        (
            "steps = [{ expect = \"a\", at_timeout_regex = \"(\" }]",
            "2: services.x.steps[1].at_timeout_regex: `(` is not a valid regular expression",
        ),
        (
            "steps = [{ send = \"a\", if_closed = \"b\" }]",
            "2: services.x.steps[1]: a step must have exactly one `send...` or `expect...` key",
        ),
        (
            "steps = [{ expect_regex = \"(?<a>.)b\", numbers = \"b\" }]",
            "2: services.x.steps[1].numbers: this step does not capture `b`",
        ),
        (
            "steps = [{ expect = \"a\", reject = [{ text = \"b\", regex = \"c\", reason = \"d\" }] }]",
            "2: services.x.steps[1].reject[1]: must have exactly one of text, prefix, regex and hex",
        ),
        (
            "steps = [{ expect = \"a\", reject = [{ text = \"b\", why = \"d\" }] }]",
            "2: services.x.steps[1].reject[1].why: unknown key",
        ),
        (
            "steps = [{ starttls = true }]",
            "2: services.x.steps[1]: `starttls` cannot be the first step: write `tls = true`",
        ),
        (
            "steps = [{ send = \"a\" }, { starttls = true }, { send = \"b\" }, { starttls = true }]",
            "2: services.x.steps[4]: TLS has started in an earlier step",
        ),
        (
            "steps = [{ send = \"a\" }, { starttls = false }]",
            "2: services.x.steps[2].starttls: must be true in a step",
        ),
        (
            "steps = [{ send = \"a\" }, { starttls = \"smtp\" }]",
            "2: services.x.steps[2].starttls: must be true in a step; `starttls = \"smtp\"` belongs beside",
        ),
        (
            "steps = [{ send = \"a\", starttls = true }]",
            "2: services.x.steps[1]: a step must have exactly one",
        ),
        (
            "steps = [{ expect = \"a\", starttls = true }]",
            "2: services.x.steps[1]: a step must have exactly one",
        ),
        (
            "steps = [{ send = \"a\", otherwise = \"b\" }]",
            "2: services.x.steps[1]: a step must have exactly one",
        ),
        (
            "steps = [{ expect = \"a\", otherwise = [{ regex = \"(\" }] }]",
            "2: services.x.steps[1].otherwise[1].regex: `(` is not a valid regular expression",
        ),
        (
            "steps = [{ expect = \"a\", reject = [{ text = \"b\", status = \"down\" }] }]",
            "2: services.x.steps[1].reject[1].status: unknown value",
        ),
        (
            "steps = [{ expect = \"a\", reject = [{ text = \"b\", quit = \"c\", quit_hex = \"00\" }] }]",
            "2: services.x.steps[1].reject[1].quit_hex: cannot be combined with `quit`",
        ),
        (
            "steps = [{ expect_regex = \"(?<a>.)b\", reject = [{ text = \"b\", quit = \"${a}\" }] }]",
            "2: services.x.steps[1].reject[1].quit: no earlier step captures `a`",
        ),
        (
            "extends = \"smpt\"",
            "2: services.x.extends: `smpt` is no built-in service: did you mean `smtp`?",
        ),
        (
            "extends = \"x\"",
            "2: services.x.extends: `x` is no built-in service",
        ),
        (
            "extends = [\"smtp\"]",
            "2: services.x.extends: must be a text",
        ),
        (
            "extends = \"smtp_starttls\"\ntls = true",
            "3: services.x.tls: cannot be combined with a dialogue that starts TLS itself (STARTTLS)",
        ),
        ("steps = []", "2: services.x.steps: is an empty list"),
        (
            "steps = 1",
            "2: services.x.steps: must be a table, not an integer",
        ),
        (
            "steps = [\n\"a\"]",
            "3: services.x.steps[1]: must be a table, not a string",
        ),
        (
            "steps = [\n{}]",
            "3: services.x.steps[1]: a step must have exactly one `send...` or `expect...` key",
        ),
        (
            "steps = [{ send = \"a\", expect = \"b\" }]",
            "2: services.x.steps[1]: a step must have exactly one `send...` or",
        ),
        (
            "steps = [{ send = \"a\", send_hex = \"00\" }]",
            "2: services.x.steps[1]: a step must have exactly",
        ),
        (
            "steps = [{ expect = \"a\", expect_hex = \"00\" }]",
            "2: services.x.steps[1]: a step must have",
        ),
        (
            "steps = [{ send = \"a\", timeout = 1 }]",
            "2: services.x.steps[1]: a step must have exactly one `send...` or",
        ),
        (
            "steps = [{ reject = \"a\" }]",
            "2: services.x.steps[1]: a step must have exactly one `send...` or `expect...` key",
        ),
        (
            "steps = [{ expect = \"a\", rejekt = \"b\" }]",
            "2: services.x.steps[1].rejekt: unknown key: did you mean",
        ),
        (
            "steps = [{ expect = \"a\", min_bytes = -1 }]",
            "2: services.x.steps[1].min_bytes: is not a number",
        ),
        (
            "steps = [\n{ send = \"a\" },\n{ expect_regex = \"a**(\" },\n]",
            "4: services.x.steps[2].expect_regex: `a**(`",
        ),
        (
            "steps = [{ expect_regex = \"x*\" }]",
            "2: services.x.steps[1].expect_regex: `x*` matches an empty answer",
        ),
        (
            "steps = [{ expect = \"a\", reject_regex = [\"b\", \"(\"] }]",
            "2: services.x.steps[1].reject_regex[2]: `(`",
        ),
        (
            "steps = [{ expect_any = [{ regex = \"a\", hex = \"00\" }] }]",
            "2: services.x.steps[1].expect_any[1]: must have exactly one of",
        ),
        (
            "steps = [{ expect_hex = \"0?\" }]",
            "2: services.x.steps[1].expect_hex: `0?` is not hex",
        ),
        (
            "steps = [{ send_hex = \"??\" }]",
            "2: services.x.steps[1].send_hex: `??` cannot be sent",
        ),
        (
            "steps = [{ send = \"${later}\" }, { expect_regex = \"(?<later>a)\" }]",
            "2: services.x.steps[1].send: no earlier step captures",
        ),
        (
            "steps = [{ expect_regex = \"(?<a>a)\" }, { expect_regex = \"(?<a>b)\" }]",
            "2: services.x.steps[2].expect_regex: the name `a` is captured twice",
        ),
        (
            "port = 1\nhosts = \"::1\"\nsecrets = { a = \"x\" }\nsteps = [{ send = \"${a}\" }, { expect_regex = \"(?<a>a)\" }]",
            "5: services.x.steps[2].expect_regex: the name `a` is also the name of a secret",
        ),
        (
            "port = 1\nsecrets = { a = \"x\" }",
            "1: services.x: a service with secrets requires `hosts`: list the addresses that may receive them, such as hosts = [\"192.0.2.0/24\"]",
        ),
        (
            "secrets = { a = \"x\" }\nhosts = [\"192.0.2.7:22\", \"192.0.2.8\"]",
            "3: services.x.hosts[2]: requires a port, because the service has secrets and no `port`",
        ),
        (
            "encoding = \"latin1\"\nsteps = [{ send = \"你\" }]",
            "3: services.x.steps[1].send: character `你` (U+4F60)",
        ),
    ] {
        refused_once(&format!("[services.x]\n{section}\n"), start);
    }
    let empty = errors("[services.x]\nsteps = [{ expect_any = [] }]\n");
    assert!(
        empty[0].starts_with("2: services.x.steps[1].expect_any: is an empty list"),
        "{empty:#?}"
    );
}

#[test]
fn invalid_names_and_tables_are_refused() {
    for name in [
        "\"a b\"",
        "\"\"",
        "\"é\"",
        "\"a.b\"",
        "\"a\\nb\"",
        "\"a/b\"",
        &"x".repeat(65),
    ] {
        let found = errors(&format!("[services.{name}]\nport = 1\n"));
        assert!(
            matches!(&found[..], [line] if line.contains("a service name can contain only letters, digits")),
            "{found:#?}"
        );
    }
    refused_once(
        "[service.x]\n",
        "1: service: unknown key: did you mean `services`?",
    );
    refused_once(
        "services = 1\n",
        "1: services: must be a table, not an integer",
    );
    refused_once(
        "[services]\nssh = 22\n",
        "2: services.ssh: must be a table, not an integer",
    );
    refused_once(
        "targets = \"a\"\n",
        "1: targets: must be a table, not a string",
    );
    refused_once(
        "[[defaults]]\n",
        "1: defaults: must be a table, not an array",
    );
    refused_once("[defaults]\nport = 22\n", "2: defaults.port: unknown key");
    refused_once(
        "[defaults]\nencoding = \"klingon\"\n",
        "2: defaults.encoding: unknown encoding `klingon`",
    );
}

#[test]
fn invalid_targets_of_a_file_are_refused() {
    for (section, start) in [
        ("port = 22", "1: targets[1]: a target needs a `host`"),
        (
            "host = \"\"\nport = 22",
            "1: targets[1]: a target needs a `host`",
        ),
        (
            "host = \"192.0.2.1\"",
            "1: targets[1]: a target needs a `port`, or",
        ),
        (
            "host = \"192.0.2.1\"\nservice = \"tcp\"",
            "1: targets[1]: a target needs a `port`: its service has none",
        ),
        (
            "host = \"192.0.2.1\"\nservice = \"shh\"",
            "3: targets[1].service: unknown service `shh`: did you mean `ssh`?",
        ),
        (
            "host = \"192.0.2.1/24\"\nport = 1",
            "2: targets[1].host: `192.0.2.1/24`: host bits are set",
        ),
        (
            "host = \"10.0.0.0/8\"\nport = 1",
            "2: targets[1].host: `10.0.0.0/8`",
        ),
        (
            "host = \"2001:db8::/129\"\nport = 1",
            "2: targets[1].host: `2001:db8::/129`: the prefix length is not a number",
        ),
        ("host = \"not a host\"\nport = 1", "2: targets[1].host: "),
        (
            "host = \"a\"\nport = \"22 80\"",
            "3: targets[1].port: ` ` is not a separator: write `,`",
        ),
        (
            "host = \"a\"\nport = \"22，80\"",
            "3: targets[1].port: `，` is not a separator: write `,`",
        ),
        (
            "host = \"a\"\nport = \"22/shh\"",
            "1: targets[1]: unknown service `shh`: did you mean `ssh`?",
        ),
        ("host = \"a\"\nport = \"80-22\"", "3: targets[1].port: "),
        (
            "host = \"a\"\nport = \"22,70000\"",
            "3: targets[1].port: port `70000` is not a number from 1 to 65535",
        ),
        (
            "host = \"a\"\nservice = \"ssh\"\nport = \" , \"",
            "4: targets[1].port: the list of ports is empty",
        ),
        (
            "host = \"a\"\nport = 1.5",
            "3: targets[1].port: port `1.5` is not a number from 1 to 65535",
        ),
        (
            "hots = \"a\"\nhost = \"a\"\nport = 1",
            "2: targets[1].hots: unknown key: did you mean `host`?",
        ),
        (
            "id = \"a b\"\nhost = \"a\"\nport = 1",
            "2: targets[1].id: an id can contain only letters",
        ),
        (
            "id = \"a\"\nhost = \"a\"\nport = \"1,2\"",
            "1: targets[1]: one `id` for several targets",
        ),
        (
            "host = \"a\"\nport = 1\nname = \"a\\nb\"",
            "4: targets[1].name: contains a line break",
        ),
        (
            "host = \"a\"\nport = 1\ngroup = [\"a\\u001b\"]",
            "4: targets[1].group[1]: contains a line break",
        ),
        (
            "host = \"a\"\nport = 1\nzabbix_host = \"a\\u0000\"",
            "4: targets[1].zabbix_host: contains a line break",
        ),
        (
            "host = \"a\"\nport = 1\n[[targets]]\nhost = \"a\"\nport = 1\ntimeout = 1",
            "4: targets[2]: another target has the same id `a:1`: give each target a different `id`",
        ),
        (
            "host = \"a\"\nport = 1\ngroup = [1]",
            "4: targets[1].group[1]: must be a text, not an integer",
        ),
        (
            "host = \"a\"\nport = 1\nsteps = [{ expect_regex = \"(\" }]",
            "4: targets[1].steps[1].expect_regex: `(`",
        ),
        (
            "host = \"a\"\nport = 1\ncount = 2\nrequire = 3",
            "5: targets[1].require: 3 is greater than `targets[1].count` (2)",
        ),
        (
            "host = \"a\"\nport = 1\nsource = \"192.0.2.1\"",
            "4: targets[1].source: `192.0.2.1` is not an address of this",
        ),
        (
            "host = \"a\"\nservice = \"ssh\"\nexpect_closed = \"answered\"",
            "4: targets[1].expect_closed: cannot be combined with `steps` and `quit`",
        ),
    ] {
        refused_once(&format!("[[targets]]\n{section}\n"), start);
    }
    let twice = "[[targets]]\nid = \"a\"\nhost = \"a\"\nport = 1\n";
    refused_once(&twice.repeat(2), "6: targets[2].id: duplicate id");
}

#[test]
fn ids_are_unique_over_all_files() {
    let Some(etc) = Etc::new() else { return };
    fs::create_dir(etc.path("zbx-tcp/conf.d")).unwrap();
    for file in ["config.toml", "conf.d/a.toml"] {
        fs::write(
            etc.path("zbx-tcp").join(file),
            "[[targets]]\nid = \"a\"\nhost = \"a\"\nport = 1\n",
        )
        .unwrap();
    }
    let ran: Ran = finish(
        etc.command(&[])
            .arg(program().get_program())
            .args(["services", "--check"])
            .env_remove("ZBX_TCP_CONFIG"),
    );
    ran.refuses(
        "/etc/zbx-tcp/conf.d/a.toml:2: targets[1].id: duplicate id: ids must be unique in all files",
    );
}

#[test]
fn an_error_in_the_defaults_or_in_a_file_affects_all_checks() {
    let peer = Peer::greeting(b"");
    for text in [
        "[defaults]\ntimeot = 1\n",
        "[defalts]\ntimeout = 1\n",
        "[services.a]\nport = \n",
        "services = 1\n",
    ] {
        let config = ConfigFile::new(text);
        for words in [
            &["-o", "up"][..],
            &["-o", "text", "-v"],
            &["-s", "b"],
            &["-s", "ssh"],
        ] {
            config
                .run(&[&["check", "127.0.0.1", &peer.port()], words].concat())
                .refuses("config.toml:");
        }
        // A document has a place for the error.
        let port = peer.port();
        for words in [&[][..], &["-s", "ssh"]] {
            let words = [&["check", "127.0.0.1", &port, "-o", "json"], words].concat();
            let ran = config.run(&words);
            assert_eq!(ran.code, Some(2));
            let document = ran.document();
            assert_eq!(
                (&document["status"], &document["state"]),
                (&15.into(), &2.into())
            );
            let error = document["error"].as_str().unwrap();
            assert!(error.contains("config.toml:"), "{error}");
        }
        let words = ["check", "127.0.0.1", "-o", "json"];
        let port = config
            .run(&[&words[..], &["-s", "ssh"]].concat())
            .document();
        assert_eq!(port["port"], 22);
        config
            .run(&[&words[..], &["-s", "own"]].concat())
            .refuses("config.toml:");
        config
            .run(&["check", "127.0.0.1", "99999", "-o", "json"])
            .refuses("config.toml:");
        config.run(&["services"]).refuses("config.toml:");
        let target = format!("127.0.0.1:{}", peer.port());
        config.run(&["batch", &target]).reports("config.toml:", 2);
        let words = ["batch", &target, "-o", "ndjson"];
        config.run(&words).refuses("config.toml:");
    }
    peer.has_no_connection();
}

/// One service has an unreadable secret and one a wrong key; of three targets one has no port, and two
/// have the same id.
const MISTAKES: &str = "[services.unreadable]\nport = 1\nhosts = [\"127.0.0.1\"]\nsecrets.p.file = \"/none\"\n\
     [services.ssh]\nprot = 1\n[services.fine]\nport = 1\n[services.pattern]\nsteps = [{ expect_regex = \"(\" }]\n\
     [[targets]]\nhost = \"127.0.0.1\"\ngroup = \"portless\"\n\
     [[targets]]\nhost = \"127.0.0.1\"\nport = 1\nid = \"a\"\ngroup = \"one\"\n\
     [[targets]]\nhost = \"127.0.0.1\"\nport = 2\nid = \"a\"\ngroup = \"two\"\n";

#[test]
fn an_error_in_a_service_affects_only_its_users() {
    let config = ConfigFile::new(MISTAKES);
    let peer = Peer::greeting(b"x");
    let port = peer.port();
    let check = |words: &[&str]| config.run(&[&["check", "127.0.0.1", &port], words].concat());
    for (service, text) in [
        ("unreadable", ":4: services.unreadable.secrets.p: /none: "),
        (
            "ssh",
            ":6: services.ssh.prot: unknown key: did you mean `port`?",
        ),
        ("pattern", ":10: services.pattern.steps[1].expect_regex: "),
    ] {
        check(&["-s", service]).refuses(&format!("config.toml{text}"));
        let target = format!("127.0.0.1:{port}/{service}");
        for words in [
            &["batch", &target][..],
            &["batch", "127.0.0.1:1", "-s", service],
            &["services", service],
        ] {
            let error = format!("config.toml{text}");
            match words[0] {
                "batch" => config.run(words).reports(&error, 2),
                _ if service == "pattern" => {}
                _ => config.run(words).refuses(&error),
            }
        }
    }
    peer.has_no_connection();
    check(&[]).prints("1", 0);
    check(&["-s", "fine"]).prints("1", 0);
    check(&["--expect", "x"]).prints("1", 0);
    let target = format!("127.0.0.1:{port}");
    let ran = config.run(&["batch", &target, "-o", "ndjson", "--compact"]);
    assert_eq!((ran.err.as_str(), ran.code), ("", Some(0)));
    config
        .run(&["discover", "open", "127.0.0.1", &port])
        .prints_start("[{");
    let demo = finish(program().arg("demo").env("ZBX_TCP_CONFIG", config.path()));
    assert_eq!((demo.err.as_str(), demo.code), ("", Some(0)));
    let errors = config.run(&["services", "--check"]).err;
    assert_eq!(errors.lines().count(), 5, "{errors}");
}

#[test]
fn an_error_in_a_target_affects_only_its_users() {
    let config = ConfigFile::new(MISTAKES);
    let portless = "config.toml:11: targets[1]: a target needs a `port`";
    let same_id = "another target has the same id `a`";
    for (group, text) in [("", portless), ("portless", portless)] {
        config.run(&["batch", "--group", group]).reports(text, 1);
        config
            .run(&["discover", "targets", "--group", group])
            .refuses(text);
    }
    config
        .run(&["discover", "targets", "--group", "one", "--group", "two"])
        .refuses(same_id);
    let rows = config.run(&["discover", "targets", "--group", "one"]);
    rows.prints_start("[{\"{#TCP.ID}\":\"a\",\"{#TCP.NAME}\":\"a\"");
    let ran = config.run(&[
        "batch",
        "--group",
        "two",
        "--group",
        "portless",
        "--keep-going",
    ]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["summary"]["targets"], 1, "{document}");
    assert_eq!(document["summary"]["invalid"], 1, "{document}");
    assert_eq!(document.get("discovery"), None, "{document}");
}

//! Target lists: arguments, lines, JSON objects, the configuration, and the errors in them.

use std::num::NonZeroUsize;

use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};
use crate::settings::error::{Key, Location};

/// The batch of these arguments, with this text as standard input.
fn run(words: &[&str], input: &[u8]) -> Result<Batch, SettingsError> {
    let words = ["zbx-tcp", "batch"].iter().chain(words);
    let Command::Batch(args) = Cli::try_parse_from(words).unwrap().command else {
        panic!("not a batch");
    };
    let request = BatchRequest::from_args(&args)?;
    batch(
        request,
        &Configuration::default(),
        |_| false,
        |_| Ok(input.to_vec()),
    )
}

fn fleet(words: &[&str], input: &[u8]) -> Result<Batch, String> {
    run(words, input).map_err(|error| error.to_string())
}

/// The ids of the targets of these arguments.
fn ids(words: &[&str], input: &str) -> Result<String, String> {
    let fleet = fleet(words, input.as_bytes())?;
    for (number, plan) in fleet.plans.iter().enumerate() {
        assert_eq!(plan.index as usize, number);
    }
    Ok(fleet
        .plans
        .iter()
        .map(|plan| plan.id().into_owned())
        .collect::<Vec<_>>()
        .join(" "))
}

#[track_caller]
fn refused(words: &[&str], input: &str, text: &str) {
    let error = ids(words, input).expect_err(input);
    assert!(error.contains(text) && !error.contains('\n'), "{error}");
}

#[test]
fn arguments_are_targets() {
    for (words, expected) in [
        (&["h:80"][..], "h:80"),
        (
            &["h:80", "[::1]:443", "192.0.2.7:22"],
            "h:80 ::1:443 192.0.2.7:22",
        ),
        (&["h:22/ssh,8000-8002"], "h:22 h:8000 h:8001 h:8002"),
        (&["192.0.2.0/30:80"], "192.0.2.1:80 192.0.2.2:80"),
        (
            &["192.0.2.0/30:80,81"],
            "192.0.2.1:80 192.0.2.2:80 192.0.2.1:81 192.0.2.2:81",
        ),
        (&["[2001:db8::]/127:80"], "2001:db8:::80 2001:db8::1:80"),
        (&["-s", "ssh", "h", "g:2222"], "h:22 g:2222"),
        (&["h:80,h:80"], ""),
        (&["", "h:80"], "h:80"),
    ] {
        match expected {
            "" => refused(words, "", "target `h:80,h:80`"),
            _ => assert_eq!(ids(words, "").as_deref(), Ok(expected)),
        }
    }
}

#[test]
fn standard_input_is_lines() {
    let list = "\u{feff}# fleet\r\nh:80\r\n\r\n  g 81 \n h 22 ssh # shell\n::1 443\n{\"host\":\"j\",\"port\":82}\nk:83";
    assert_eq!(
        ids(&["-"], list).as_deref(),
        Ok("h:80 g:81 h:22 ::1:443 j:82 k:83")
    );
    assert_eq!(
        ids(&["a:1", "-", "b:2"], "h 80").as_deref(),
        Ok("a:1 h:80 b:2")
    );
}

#[test]
fn repeats_are_counted_and_services_distinguished() {
    let fleet = fleet(
        &["-"],
        b"h:80\nh 80\nH:80\nh:80\nh 80 http\nh 80 ssh\nh 80 ssh\n[::1]:80\n0:0:0:0:0:0:0:1 80",
    )
    .unwrap();
    let ids: Vec<_> = fleet
        .plans
        .iter()
        .map(|plan| plan.id().into_owned())
        .collect();
    assert_eq!(ids, ["h:80", "H:80", "h:80.http", "h:80.ssh", "::1:80"]);
    assert_eq!(fleet.duplicates, 4);
}

#[test]
fn objects_have_names_groups_and_options() {
    let list = r#"{"host":"a","port":"80,81","name":"web","group":["x","y"],"zabbix_host":"A","timeout":"1s"}
        {"host":"b","port":22,"service":"ssh","id":"shell","timeout":1,"count":null,"group":"x"}
        {"host":"c","port":9,"steps":[{"expect_regex":"^\\w+\"\\u{1F600}"}],"quit":"bye\\r\\n"}"#;
    let fleet = fleet(&["-"], list.replace("        {", "{").as_bytes()).unwrap();
    let [a, b, shell, c] = &fleet.plans[..] else {
        panic!("{:?}", fleet.plans)
    };
    let label = a.meta.as_ref().unwrap();
    assert_eq!(
        (label.name.as_deref(), label.zabbix_host.as_deref()),
        (Some("web a:80"), Some("A"))
    );
    assert_eq!(label.groups.join(" "), "x y");
    assert_eq!(b.meta.as_ref().unwrap().name.as_deref(), Some("web a:81"));
    assert_eq!(
        (shell.id().as_ref(), shell.spec.service.as_deref()),
        ("shell", Some("ssh"))
    );
    assert_eq!(
        (a.spec.timeout, shell.spec.timeout),
        (Duration::from_secs(1), Duration::from_secs(1))
    );
    assert_eq!(
        (c.spec.timeout, c.spec.steps.len()),
        (Duration::from_secs(2), 1)
    );
    assert!(Arc::ptr_eq(&a.spec, &b.spec));
}

#[test]
fn targets_with_equal_options_share_a_spec() {
    let lines: Vec<_> = (0..6000)
        .map(|at| match at % 3 {
            0 => format!("{{\"host\":\"h{at}\",\"port\":1,\"timeout\":\"1s\"}}"),
            1 => format!("{{\"host\":\"h{at}\",\"port\":1,\"steps\":[{{\"send\":\"x\"}}]}}"),
            _ => format!("g{at} 22 ssh"),
        })
        .collect();
    let fleet = fleet(&["-"], lines.join("\n").as_bytes()).unwrap();
    let specs: HashSet<_> = fleet
        .plans
        .iter()
        .map(|plan| Arc::as_ptr(&plan.spec))
        .collect();
    assert_eq!((fleet.plans.len(), specs.len()), (6000, 3));
}

#[test]
fn options_of_a_target_override_those_of_the_run() {
    let list = "{\"host\":\"a\",\"port\":1,\"timeout\":\"0.5s\"}\nb 1\nc 1 ssh";
    let fleet = fleet(&["-", "-t", "1", "-s", "smtp"], list.as_bytes()).unwrap();
    let timeouts: Vec<_> = fleet
        .plans
        .iter()
        .map(|plan| plan.spec.timeout.as_millis())
        .collect();
    let services: Vec<_> = fleet
        .plans
        .iter()
        .filter_map(|plan| plan.spec.service.as_deref())
        .collect();
    assert_eq!(
        (timeouts, services),
        (vec![500, 1000, 1000], vec!["smtp", "smtp", "ssh"])
    );
}

#[test]
fn errors_have_their_line() {
    let many = format!("{}h 22 shs\n", "h:80\n".repeat(730));
    for (list, text) in [
        (many.as_str(), "-:731: unknown service `shs`"),
        ("", "standard input contains no targets"),
        (
            "# only\n\n # remarks\r\n",
            "standard input contains no targets",
        ),
        ("h", "-:1: no port for `h`"),
        ("h:80\nh:0", "-:2: port `0`"),
        (
            "h 80 ssh x",
            "-:1: has more than three fields: write `HOST PORT SERVICE`",
        ),
        ("h:80 81", "-:1: has two ports"),
        ("h 22，23", "-:1: `，` is not a separator"),
        ("h\0:80", "-:1: contains a NUL byte"),
        ("h\u{1b}:80", "-:1: contains the control character U+001B"),
        ("*UNKNOWN* 80", "no interface"),
        (
            "{\"host\":\"h\"",
            "-:1: not a JSON object: incomplete at column 11",
        ),
        (
            "{\"host\":\"h\"} x",
            "-:1: not a JSON object: syntax error at column 14",
        ),
        ("{\"port\":1}", "-:1: a target needs a `host`"),
        ("{\"host\":\"h\"}", "no port for `h`"),
        ("{\"host\":\"h\",\"port\":-1}", "-:1: port: "),
        ("{\"host\":\"h\",\"port\":1.5}", "-:1: port: "),
        (
            "{\"host\":\"h\",\"port\":[1]}",
            "-:1: port: must be a text or a number, not an array",
        ),
        (
            "{\"host\":\"10.0.0.0/8\",\"port\":1}",
            "-:1: host: `10.0.0.0/8` has 16777216 addresses",
        ),
        ("{\"host\":\"h\",\"port\":1,\"id\":\"a b\"}", "-:1: id: "),
        (
            "{\"host\":\"h\",\"port\":1,\"name\":\"a\\nb\"}",
            "-:1: name: contains a line break",
        ),
        (
            "{\"host\":\"h\",\"port\":1,\"group\":[1]}",
            "-:1: group[1]: must be a text, not an integer",
        ),
        (
            "{\"host\":\"h\",\"prot\":1}",
            "-:1: prot: unknown key: did you mean `port`?",
        ),
        (
            "\n{\"host\":\"h\",\"port\":1,\"timeout\":\"soon\"}",
            "-:2: timeout: `soon`",
        ),
        (
            "{\"host\":\"h\",\"port\":1,\"timeout\":9007199254740993e99}",
            "-:1: timeout: ",
        ),
        (
            "{\"host\":\"h\",\"port\":1,\"steps\":[{\"expect_regex\":\"(\"}]}",
            "-:1: steps[1].expect_regex: ",
        ),
        (
            "{\"host\":\"h\",\"port\":1,\"require\":2}",
            "-:1: require: requires `count`",
        ),
        (
            "{\"host\":\"h\",\"port\":1,\"id\":\"h:2\"}\nh 2",
            "-:2: another target has the same id `h:2`",
        ),
        (
            "{\"host\":\"h\",\"port\":1,\"id\":\"a\"}\n{\"host\":\"h\",\"port\":2,\"id\":\"a\"}",
            "-:2: another target has the same id `a`",
        ),
        (
            "{\"host\":\"h\",\"port\":\"1,2\",\"id\":\"a\"}",
            "one `id` for several targets",
        ),
        (
            "{\"host\":\"h\",\"port\":1,\"count\":2}\nh 1",
            "-:2: another target has the same id `h:1`",
        ),
    ] {
        refused(&["-"], list, text);
    }
    let in_line = |line, key: &'static str, message| {
        SettingsError::at(&Location::StdinLine(line), &Key::from(key), message)
    };
    assert_eq!(
        run(&["-"], b"h:80\n\xff:80").unwrap_err(),
        in_line(2, "", "is not UTF-8 text")
    );
    assert_eq!(
        run(&["-"], b"{\"host\":\"h\",\"port\":1,\"require\":2}").unwrap_err(),
        in_line(1, "require", "requires `count`")
    );
    let long = format!("h:80\n{}", "a".repeat(10 << 20));
    refused(&["-"], &long, "-:2: the line has 10485760 bytes");
}

#[test]
fn keep_going_skips_lines() {
    let fleet = fleet(&["-", "--keep-going"], b"h:80\n\xff\nh:x\ng 81\n{\nk 1 shs").unwrap();
    assert_eq!(
        (
            fleet.plans.len(),
            fleet.invalid.count,
            fleet.invalid.first.len()
        ),
        (2, 4, 4)
    );
    let expected = SettingsError::at(&Location::StdinLine(2), &Key::NONE, "is not UTF-8 text");
    assert_eq!(fleet.invalid.first[0], expected);
    // Equal options do not make the second error one of the first line.
    let twice = "{\"host\":\"h\",\"port\":1,\"require\":2}\n".repeat(2) + "h:80";
    let skipped = run(&["-", "--keep-going"], twice.as_bytes())
        .unwrap()
        .invalid
        .first;
    let lines: Vec<_> = skipped.iter().map(|error| &error.location).collect();
    assert_eq!(lines, [&Location::StdinLine(1), &Location::StdinLine(2)]);
    refused(
        &["-", "--keep-going"],
        "h:x\nh:y",
        "no target is valid (invalid: 2); first error: -:1: ",
    );
    refused(
        &["-", "--keep-going"],
        "\n",
        "standard input contains no targets",
    );
}

#[test]
fn too_many_targets_are_refused_before_they_cost() {
    for (words, text) in [
        (
            &["10.0.0.0/8:80"][..],
            "target `10.0.0.0/8:80`: `10.0.0.0/8` has 16777216 addresses, more than the limit of 65536: use smaller networks, or raise max_targets under [defaults] of the configuration",
        ),
        (&["[::]/0:80"], "2^128 addresses"),
        (
            &["10.0.0.0/16:80,81"],
            "131068 targets are more than the limit of 65536: raise max_targets under [defaults]",
        ),
        (
            &["10.0.0.0/30:80,81", "--max-targets", "3"],
            "4 targets are more than the limit of 3: raise --max-targets",
        ),
        (
            &["h:1", "h:2", "--max-targets", "1"],
            "2 targets are more than the limit of 1",
        ),
        (&["h:1", "--max-targets", "0"], "--max-targets: `0`"),
        (&["h:1", "--max-targets", "1048577"], "from 1 to 1048576"),
        (
            &["h:1", "--max-targets", "65537"],
            "--max-targets: 65537 is more than the limit of 65536: raise max_targets under [defaults] of the configuration",
        ),
    ] {
        refused(words, "", text);
    }
    assert_eq!(
        ids(&["-", "--max-targets", "1"], &"h:1\n".repeat(1000)).as_deref(),
        Ok("h:1")
    );
    assert_eq!(fleet(&["10.0.0.0/16:80"], b"").unwrap().plans.len(), 65_534);
}

#[test]
fn a_list_that_is_not_complete_at_the_deadline_is_an_error() {
    let request = |words: &[&str]| {
        let words = ["zbx-tcp", "batch"].iter().chain(words);
        let Command::Batch(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("not a batch");
        };
        BatchRequest::from_args(&args).unwrap()
    };
    // The clock is read while one network is expanded, and between lines.
    let lines = "h:1\n".repeat(100_000);
    for (words, input) in [
        (&["10.0.0.0/16:1", "--keep-going"][..], ""),
        (&["-", "--keep-going"], &lines),
    ] {
        let looked = std::cell::Cell::new(0);
        let is_late = |time: Duration| {
            assert!(time <= Duration::from_millis(2500));
            looked.set(looked.get() + 1);
            looked.get() > 10
        };
        let config = Configuration::default();
        let read = |_| Ok(input.as_bytes().to_vec());
        let error = batch(request(words), &config, is_late, read).unwrap_err();
        assert!(
            error.to_string().contains("not complete at the deadline"),
            "{error}"
        );
        assert!(looked.get() < 20, "{}", looked.get());
    }
}

/// Reporting a target takes time as well, so that a long list needs a later deadline.
#[test]
fn a_list_that_cannot_be_reported_before_the_deadline_is_an_error() {
    let words = |deadline| ["batch", "10.0.0.0/16:1", "--deadline", deadline];
    let built = |deadline, spent| {
        let words = ["zbx-tcp"].into_iter().chain(words(deadline));
        let Command::Batch(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("not a batch");
        };
        let request = BatchRequest::from_args(&args).unwrap();
        let is_late = |time| Duration::from_millis(spent) >= time;
        batch(request, &Configuration::default(), is_late, |_| {
            Ok(Vec::new())
        })
    };
    let error = built("0.2", 100).unwrap_err().to_string();
    assert!(
        error.contains("leaves no time to probe and report so many targets"),
        "{error}"
    );
    let batch = built("0.2", 50).unwrap();
    let time = |targets| batch.bounds.probing_time(targets).as_micros();
    assert_eq!(time(0), 200_000);
    assert_eq!(time(1000), 198_000);
    assert_eq!(time(65_534), 68_932);
    assert_eq!(time(1_000_000), 0);
}

#[test]
fn only_the_configuration_raises_the_number_of_targets() {
    let config = |text: &str| Configuration::from_text("c", text);
    let limit = |text: &str, asked| {
        config(text)
            .target_limit(asked)
            .map(|limit| limit.max)
            .map_err(|error| error.to_string())
    };
    assert_eq!(limit("", None), Ok(65_536));
    assert_eq!(limit("", Some(10)), Ok(10));
    assert!(limit("", Some(65_537)).is_err());
    let raised = "[defaults]\nmax_targets = 100000\n";
    assert_eq!(limit(raised, None), Ok(100_000));
    assert_eq!(limit(raised, Some(100_000)), Ok(100_000));
    assert!(limit(raised, Some(100_001)).is_err());
    let lowered = "[defaults]\nmax_targets = 10\n";
    assert_eq!(limit(lowered, None), Ok(10));
    assert_eq!(limit(lowered, Some(100)), Ok(100));
    for bad in ["0", "1048577", "\"x\""] {
        let text = format!("[defaults]\nmax_targets = {bad}\n");
        assert!(config(&text).fatal.is_some(), "{bad}");
    }
}

#[test]
fn networks_and_ports_of_the_configuration_cost_no_memory() {
    // Networks of 65,534 hosts, and lists of 65,535 ports.
    let networks = "[[targets]]\nhost = \"10.0.0.0/16\"\nport = 1\n".repeat(2000);
    let config = Configuration::from_text("c", &networks);
    assert_eq!(config.targets.len(), 2000);
    let error = configured(&config, &[], |_| true).unwrap_err().to_string();
    assert!(error.contains("not complete at the deadline"), "{error}");
    let ports = "[[targets]]\nhost = \"h\"\nport = \"1-65535\"\n".repeat(2000);
    let config = Configuration::from_text("c", &ports);
    assert_eq!(config.targets.len(), 17);
    let error = configured(&config, &[], |_| false).unwrap_err().to_string();
    assert!(error.contains("more than 1048576 ports"), "{error}");
}

#[test]
fn long_lists_are_read() {
    let lines: Vec<_> = (0..10_000)
        .map(|at| format!("10.{}.{}.1:80\n", at / 250 % 20, at % 250))
        .collect();
    let lines = lines.concat();
    let fleet = fleet(&["-"], lines.as_bytes()).unwrap();
    assert_eq!((fleet.plans.len(), fleet.duplicates), (5_000, 5_000));
}

#[test]
fn shards_divide_the_list() {
    let part = |part: &str| fleet(&["10.0.0.0/24:80", "--shard", part], b"").unwrap();
    let (one, two) = (part("1/2"), part("2/2"));
    let mut all: Vec<_> = one
        .plans
        .iter()
        .chain(&two.plans)
        .map(|plan| plan.id().into_owned())
        .collect();
    all.sort();
    all.dedup();
    assert_eq!((all.len(), one.plans.len() + two.plans.len()), (254, 254));
    assert!(
        two.plans
            .iter()
            .enumerate()
            .all(|(at, plan)| plan.index as usize == at)
    );
    assert!(
        fleet(&["h:80", "--shard", "1/3"], b"").unwrap().plans.len() <= 1,
        "an empty part is not an error"
    );
}

#[test]
fn options_that_are_refused() {
    for (words, text) in [
        (
            &["--concurrency", "0"][..],
            "--concurrency: `0` is not a number from 1",
        ),
        (&["--concurrency", "-1"], "--concurrency: `-1`"),
        (&["--concurrency", "1e9"], "--concurrency: `1e9`"),
        (&["--rate", "0"], "--rate: `0` is not a number from 1"),
        (&["--rate", "1e9"], "--rate: `1e9`"),
        (&["--rate", "1000000001"], "--rate: "),
        (
            &["--per-host", "-1"],
            "--per-host: `-1` is not a number from 0",
        ),
        (&["--threads", "0"], "--threads: `0`"),
        (&["--threads", "257"], "from 1 to 256"),
        (&["--seed", "x"], "--seed: `x`"),
        (&["--deadline", "0"], "--deadline: `0`"),
        (&["--deadline", "601"], "600 s"),
        (
            &["--shard", "3/2"],
            "--shard: invalid shard `3/2`: expected I/N with I from 1 to N, for example 1/4",
        ),
        (
            &["-o", "xml"],
            "--output: unknown value `xml`: use `json`, `ndjson`, `sender` or `text`",
        ),
        (&["--metrics", "up"], "requires `-o sender`"),
        (&["--zabbix-host", "h"], "requires `-o sender`"),
        (&["--sender-key", "k"], "requires `-o sender`"),
        (&["-o", "sender", "--compact"], "--compact: "),
        (
            &["-o", "sender", "--metrics", "up,time.conect"],
            "did you mean `time.connect`?",
        ),
        (&["-o", "sender", "--metrics", ","], "contains no metric"),
        (
            &["-o", "sender", "--metrics", "up,captures."],
            "`captures.`: a name after `captures.` can contain only letters",
        ),
        (
            &["-o", "sender", "--metrics", "captures.a]"],
            "`captures.a]`: a name after `captures.` can contain only letters",
        ),
        (
            &["-o", "sender", "--metrics", "up,captures.version"],
            "no step of any target captures `version`",
        ),
        (
            &["-o", "sender", "--sender-key", "a[ID]"],
            "must contain METRIC",
        ),
        (
            &["-o", "sender", "--sender-key", "a[METRIC]", "h:81"],
            "must contain ID",
        ),
        (
            &["-o", "sender", "--zabbix-host", "a\nb"],
            "--zabbix-host: ",
        ),
        (
            &["--group", "web"],
            "--group: unknown group `web`: no target has a group",
        ),
        (&["-t", "abc"], "--timeout: `abc`"),
        (&["-s", "shs"], "--service: unknown service `shs`"),
        (&["--expect-regex", "("], "--expect-regex"),
        (&["-", "-"], "`-` is given more than once"),
    ] {
        refused(&[&["h:80"], words].concat(), "g:81", text);
    }
    let sender = ["-", "-o", "sender", "--sender-key", "a[METRIC]"];
    let list = |one: &str, two: &str| {
        let line = |at: u8, host: &str| {
            format!("{{\"host\":\"h\",\"port\":{at},\"zabbix_host\":\"{host}\"}}\n")
        };
        line(1, one) + &line(2, two)
    };
    assert_eq!(ids(&sender, &list("A", "B")).as_deref(), Ok("h:1 h:2"));
    refused(&sender, &list("A", "A"), "the same item key");
    let fleet = fleet(
        &[
            "h:80",
            "--rate",
            "1000000000",
            "--per-host",
            "0",
            "--deadline",
            "1",
            "-t",
            "5",
        ],
        b"",
    )
    .unwrap();
    assert_eq!(
        (fleet.bounds.per_host, fleet.bounds.deadline),
        (None, Duration::from_secs(1))
    );
    assert_eq!(fleet.plans[0].spec.timeout, Duration::from_secs(5));
}

#[test]
fn empty_values_count_as_not_given() {
    let options = [
        "-o",
        "",
        "--metrics=",
        "--zabbix-host=",
        "--sender-key=",
        "--concurrency=",
        "--rate=",
        "--per-host=",
    ];
    let more = [
        "--threads=",
        "--seed=",
        "--deadline=",
        "--shard=",
        "--max-targets=",
        "--group=",
        "-t",
        "",
        "h:80",
    ];
    let fleet = fleet(&[&options[..], &more].concat(), b"").unwrap();
    assert_eq!(
        (fleet.wanted.format, fleet.wanted.metrics.len()),
        (BatchFormat::Json, 6)
    );
    let bounds = Bounds {
        concurrency: None,
        rate: None,
        per_host: NonZeroUsize::new(16),
        threads: None,
        deadline: Duration::from_millis(2500),
    };
    assert_eq!(
        (fleet.bounds, fleet.plans[0].spec.timeout),
        (bounds, Duration::from_secs(2))
    );
}

const CONFIG: &str = r#"
[defaults]
timeout = "0.7s"
[services.till]
port = 9
[[targets]]
host = "a"
port = "80,81"
name = "web"
group = ["web", "all"]
[[targets]]
host = "b"
service = "till"
id = "till-b"
group = "all"
timeout = 1
zabbix_host = "B"
[[targets]]
host = "192.0.2.0/30"
port = 22
[[targets]]
host = "a"
port = 80
group = "again"
"#;

/// The ids of the configuration's targets of these groups.
fn of_groups(groups: &[&str]) -> Result<String, String> {
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    let plans = configured(&Configuration::from_text("c", CONFIG), &groups, |_| false)
        .map_err(|error| error.to_string())?;
    Ok(plans
        .iter()
        .map(|plan| plan.id().into_owned())
        .collect::<Vec<_>>()
        .join(" "))
}

#[test]
fn the_configuration_has_targets_and_groups() {
    assert_eq!(
        of_groups(&[]).as_deref(),
        Ok("a:80 a:81 till-b 192.0.2.1:22 192.0.2.2:22")
    );
    assert_eq!(of_groups(&["all"]).as_deref(), Ok("a:80 a:81 till-b"));
    assert_eq!(of_groups(&["web", "", "again"]).as_deref(), Ok("a:80 a:81"));
    let unknown = of_groups(&["webb"]).unwrap_err();
    assert_eq!(
        unknown,
        "--group: unknown group `webb`: did you mean `web`? (known groups: `again`, `all`, `web`)"
    );
    let plans = configured(&Configuration::from_text("c", CONFIG), &[], |_| false).unwrap();
    let [web, _, till, ..] = &plans[..] else {
        panic!("{plans:?}")
    };
    let label = web.meta.as_ref().unwrap();
    assert_eq!(
        (label.name.as_deref(), label.groups.join(" ")),
        (Some("web a:80"), "web all again".to_owned())
    );
    let label = till.meta.as_ref().unwrap();
    assert_eq!(
        (label.zabbix_host.as_deref(), till.spec.service.as_deref()),
        (Some("B"), Some("till"))
    );
    assert_eq!(
        (web.spec.timeout.as_millis(), till.spec.timeout.as_millis()),
        (700, 1000)
    );
}

#[test]
fn defaults_apply_only_to_targets_without_the_option() {
    let config = Configuration::from_text(
        "c",
        "defaults = {interval = 1}\n[[targets]]\nhost = \"h\"\nport = 1\ncount = 2",
    );
    assert!(config.errors.is_empty());
    assert_eq!(configured(&config, &[], |_| false).unwrap().len(), 1);
    let error = fleet(
        &["-", "--expect-regex", "("],
        b"{\"host\":\"h\",\"port\":1,\"steps\":[{\"expect\":\"a\"}]}",
    );
    assert!(error.unwrap_err().starts_with("--expect-regex: "));
}

#[test]
fn the_hint_for_an_unknown_group_is_short() {
    let entry = |at| format!("[[targets]]\nhost = \"h{at}\"\nport = 1\ngroup = \"group{at}\"\n");
    let config = Configuration::from_text("c", &(0..100).map(entry).collect::<String>());
    let error = configured(&config, &["x".to_owned()], |_| false)
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("and 80 more)") && error.len() < 600,
        "{error}"
    );
}

#[test]
fn the_error_of_a_target_is_named_with_an_unknown_group() {
    let error = |text| {
        let config = Configuration::from_text("c", text);
        let groups = ["lab".to_owned()];
        configured(&config, &groups, |_| false)
            .unwrap_err()
            .to_string()
    };
    // The unknown key may be that of the group.
    let unknown_key = error("[[targets]]\nprot = 1\n");
    let expected = "--group: unknown group `lab`: no target has a group; a target has an error: c:2: targets[1].prot: ";
    assert!(unknown_key.starts_with(expected), "{unknown_key}");
    let error = error("[[targets]]\nhost = \"h\"\n");
    let expected =
        "--group: unknown group `lab`: no target has a group; a target has an error: c:1: ";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn errors_of_the_configurations_targets_have_their_location() {
    for (config, text) in [
        (
            "[[targets]]\nhost = \"h\"\nservice = \"shs\"",
            "c:3: targets[1].service: unknown service `shs`",
        ),
        (
            "[services.a]\n[[targets]]\nhost = \"h\"\nservice = \"a\"",
            "c:2: targets[1]: no port for `h`",
        ),
        (
            "[[targets]]\nhost = \"h\"\nport = 1\nrequire = 2",
            "c:4: targets[1].require: requires `count`",
        ),
        (
            "[[targets]]\nhost = \"h\"\nport = 1\ncount = 2\n[[targets]]\nhost = \"h\"\nport = 1",
            "c:5: targets[2]: another target has the same id `h:1`",
        ),
    ] {
        let errors = list_errors(&Configuration::from_text("c", config), |_| false);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].to_string().contains(text), "{errors:?}");
    }
}

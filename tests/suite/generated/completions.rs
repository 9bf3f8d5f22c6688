//! Completions for bash, zsh and fish.

use clap::Command;
use clap::builder::{PossibleValuesParser, ValueHint};
use clap_complete::{Generator, Shell, generate};
use zbx_tcp::output::metrics::METRICS;

use super::{Files, assert_directory, published};

#[test]
fn completions_are_up_to_date() {
    let files = [Shell::Bash, Shell::Zsh, Shell::Fish].map(|shell| {
        let mut bytes = Vec::new();
        generate(shell, &mut with_values(published()), "zbx-tcp", &mut bytes);
        // clap-rs/clap#6421: bash would not complete options of subcommands if the name of the program has a hyphen.
        let text = String::from_utf8(bytes)
            .unwrap()
            .replace("zbx__subcmd__tcp", "zbx__tcp");
        (shell.file_name("zbx-tcp"), text)
    });
    assert_directory("packaging/completions", &Files::from(files));
    assert_eq!(completed(&["zbx-tcp", "che"]), ["check"]);
    assert_eq!(
        completed(&["zbx-tcp", "check", "--expect-c"]),
        ["--expect-client-cert", "--expect-closed"]
    );
    assert_eq!(
        completed(&["zbx-tcp", "check", "-o", "time.c"]),
        ["time.connect"]
    );
    assert_eq!(completed(&["zbx-tcp", "discover", "po"]), ["ports"]);
    assert_eq!(
        completed(&["zbx-tcp", "services", "zabbix_a"]),
        ["zabbix_agent", "zabbix_agent_tls"]
    );
    assert_eq!(
        completed(&["zbx-tcp", "check", "h", "--starttls", "pos"]),
        ["postgres"]
    );
}

/// A command and its subcommands, with the values that a shell can complete.
fn with_values(command: Command) -> Command {
    let names: Vec<_> = command
        .get_subcommands()
        .map(|subcommand| subcommand.get_name().to_owned())
        .collect();
    let command = names.iter().fold(command, |command, name| {
        command.mut_subcommand(name, with_values)
    });
    let prints_metrics = command
        .get_arguments()
        .any(|arg| arg.get_long() == Some("expect"));
    command.mut_args(|arg| {
        let value = arg
            .get_value_names()
            .and_then(|names| names.first())
            .map(ToString::to_string);
        match (arg.get_id().as_str(), value.as_deref()) {
            (_, Some("FILE")) => arg.value_hint(ValueHint::FilePath),
            ("service", _) | ("name", Some("NAME")) => {
                arg.value_parser(PossibleValuesParser::new(services()))
            }
            ("starttls", _) => {
                let services = services().into_iter();
                let protocols = services.filter_map(|name| name.strip_suffix("_starttls"));
                arg.value_parser(PossibleValuesParser::new(protocols))
            }
            ("tls_min", _) => {
                arg.value_parser(PossibleValuesParser::new(["1.0", "1.1", "1.2", "1.3"]))
            }
            ("output", _) if prints_metrics => {
                arg.value_parser(PossibleValuesParser::new(outputs()))
            }
            _ => arg,
        }
    })
}

fn outputs() -> impl Iterator<Item = &'static str> {
    ["text", "json"]
        .into_iter()
        .chain(METRICS.iter().map(|metric| metric.path))
}

/// The names of the built-in services. They are leaked because clap wants `'static` values.
fn services() -> Vec<&'static str> {
    let ran = crate::program::run(&["services", "-o", "json"]);
    let services: Vec<serde_json::Value> = serde_json::from_str(&ran.out).unwrap();
    services
        .iter()
        .map(|service| service["name"].as_str().unwrap().to_owned().leak() as &str)
        .collect()
}

/// The completions of the last word in bash.
fn completed(words: &[&str]) -> Vec<String> {
    let script = format!(
        "source packaging/completions/zbx-tcp.bash; COMP_WORDS=({}); COMP_CWORD={}; _zbx__tcp zbx-tcp {} {}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len() - 1,
        words[words.len() - 1],
        words[words.len() - 2],
    );
    let mut bash = std::process::Command::new("bash");
    let output = bash
        .args(["-c", &script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

//! The item keys of the plugin. Names, parameters, defaults and error texts are those of the
//! user parameters in `zabbix/agentd/zbx-tcp.conf`.

use crate::cli::check::CheckArgs;
use crate::cli::probe::{NetworkArgs, ProbeArgs};

/// An item key of the plugin.
#[derive(Debug)]
pub struct KeyName {
    /// The name.
    pub name: &'static str,
    /// What it is, in the form that the agent demands: a capital first letter and a full stop.
    pub about: &'static str,
}

/// The keys.
pub const KEYS: [KeyName; 4] = [
    KeyName {
        name: "tcp.check",
        about: "Result of one TCP probe.",
    },
    KeyName {
        name: "tcp.batch",
        about: "Results of the configured TCP targets as one JSON document.",
    },
    KeyName {
        name: "tcp.discovery",
        about: "Rows of ports, targets or listeners for low-level discovery.",
    },
    KeyName {
        name: "tcp.listeners",
        about: "What listens on this machine, with accept queues, as one JSON document.",
    },
];

/// What a key with its parameters asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum ItemKey {
    /// `tcp.check[host,port,service,output,timeout]`.
    Check(CheckKey),
    /// `tcp.batch[group]`.
    Batch(String),
    /// `tcp.discovery[ports,host,list]`.
    Ports(String, String),
    /// `tcp.discovery[open,host,list]`.
    Open(String, String),
    /// `tcp.discovery[targets,group]`.
    Targets(String),
    /// `tcp.discovery[listeners]`.
    ListenerRows,
    /// `tcp.listeners[]`.
    Listeners,
}

/// The parameters of `tcp.check`. Empty ones have their default.
#[derive(Debug, PartialEq, Eq)]
pub struct CheckKey {
    host: String,
    port: String,
    service: String,
    output: String,
    timeout: String,
}

impl CheckKey {
    /// The same as arguments of `zbx-tcp check`, with this configuration file.
    pub fn arguments(&self, config: Option<&str>) -> CheckArgs {
        let given = |text: &str| Some(text.to_owned());
        CheckArgs {
            host: self.host.clone(),
            port: given(&self.port),
            surplus: Vec::new(),
            output: given(&self.output),
            probe: ProbeArgs {
                service: given(&self.service),
                network: NetworkArgs {
                    timeout: given(&self.timeout),
                    config: config.map(str::to_owned),
                    ..NetworkArgs::default()
                },
                ..ProbeArgs::default()
            },
            verbose: false,
        }
    }
}

/// Reads a key.
///
/// # Errors
/// Why there can be no value, without the name of the program.
pub fn read(key: &str, parameters: &[String]) -> Result<ItemKey, String> {
    let parameter = |index: usize| parameters.get(index).cloned().unwrap_or_default();
    let has_more_than = |most: usize| parameters.iter().skip(most).any(|text| !text.is_empty());
    match key {
        "tcp.check" => {
            if has_more_than(5) {
                return Err(
                    "tcp.check has five parameters: quote one that contains a comma".into(),
                );
            }
            let host = Some(parameter(0)).filter(|host| !host.is_empty());
            Ok(ItemKey::Check(CheckKey {
                host: host.unwrap_or_else(|| "127.0.0.1".to_owned()),
                port: parameter(1),
                service: parameter(2),
                output: parameter(3),
                timeout: parameter(4),
            }))
        }
        "tcp.batch" => {
            if has_more_than(1) {
                return Err("tcp.batch has one parameter: quote one that contains a comma".into());
            }
            Ok(ItemKey::Batch(parameter(0)))
        }
        "tcp.discovery" => match parameter(0).as_str() {
            "targets" if has_more_than(2) => Err(
                "tcp.discovery[targets] has one more parameter: quote one that contains a comma"
                    .into(),
            ),
            "targets" => Ok(ItemKey::Targets(parameter(1))),
            "listeners" if has_more_than(1) => {
                Err("tcp.discovery[listeners] has no further parameters".into())
            }
            "listeners" => Ok(ItemKey::ListenerRows),
            "ports" | "open" if has_more_than(3) => {
                Err("quote the list of ports in the key".into())
            }
            "ports" => Ok(ItemKey::Ports(parameter(1), parameter(2))),
            "open" => Ok(ItemKey::Open(parameter(1), parameter(2))),
            other => Err(format!(
                "unknown source `{}` of tcp.discovery: use ports, open, targets or listeners",
                crate::escape::escaped_prefix(other, 40)
            )),
        },
        "tcp.listeners" if has_more_than(0) => Err("tcp.listeners has no parameters".into()),
        "tcp.listeners" => Ok(ItemKey::Listeners),
        other => Err(format!(
            "unknown key `{}`",
            crate::escape::escaped_prefix(other, 60)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, parameters: &[&str]) -> Result<ItemKey, String> {
        let parameters: Vec<_> = parameters.iter().map(|text| (*text).to_owned()).collect();
        read(key, &parameters)
    }

    #[test]
    fn missing_and_empty_parameters_have_their_default() {
        let all = |host: &str| {
            Ok(ItemKey::Check(CheckKey {
                host: host.into(),
                port: String::new(),
                service: String::new(),
                output: String::new(),
                timeout: String::new(),
            }))
        };
        assert_eq!(of("tcp.check", &[]), all("127.0.0.1"));
        assert_eq!(
            of("tcp.check", &["", "", "", "", "", "", ""]),
            all("127.0.0.1")
        );
        assert_eq!(of("tcp.check", &["h"]), all("h"));
        assert_eq!(of("tcp.batch", &[]), Ok(ItemKey::Batch(String::new())));
    }

    #[test]
    fn too_many_parameters_are_an_error() {
        for (key, parameters) in [
            ("tcp.check", &["h", "1", "", "", "", "x"][..]),
            ("tcp.batch", &["a", "b"]),
            ("tcp.discovery", &["ports", "h", "22", "443"]),
            ("tcp.discovery", &["open", "h", "22", "443"]),
            ("tcp.discovery", &["targets", "a", "b"]),
        ] {
            let why = of(key, parameters).unwrap_err();
            assert!(why.contains("quote"), "{key}: {why}");
        }
    }

    #[test]
    fn listeners_have_no_parameters() {
        for none in [&[][..], &[""]] {
            assert_eq!(of("tcp.listeners", none), Ok(ItemKey::Listeners));
        }
        let rows = of("tcp.discovery", &["listeners", ""]);
        assert_eq!(rows, Ok(ItemKey::ListenerRows));
        for (key, parameters) in [
            ("tcp.listeners", &["80"][..]),
            ("tcp.discovery", &["listeners", "80"]),
        ] {
            let why = of(key, parameters).unwrap_err();
            assert!(why.contains("parameters"), "{key}: {why}");
        }
    }

    #[test]
    fn unknown_keys_and_sources_are_named() {
        let why = of("tcp.discovery", &["port"]).unwrap_err();
        assert!(why.contains("`port`") && why.contains("targets"), "{why}");
        let why = of("tcp.nosuch\n", &[]).unwrap_err();
        assert!(why.contains(r"tcp.nosuch\n"), "{why}");
    }

    #[test]
    fn the_agent_accepts_names_and_descriptions() {
        for KeyName { name, about } in KEYS {
            let valid = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            assert!(name.chars().all(valid), "{name}");
            assert!(
                about.starts_with(|c: char| c.is_ascii_uppercase()),
                "{about}"
            );
            assert!(about.ends_with('.'), "{about}");
        }
    }
}

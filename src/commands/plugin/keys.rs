//! The item keys of the plugin. Names, parameters, defaults and error texts are those of the
//! UserParameters in `zabbix/agentd/zbx-tcp.conf`.

use crate::cli::check::CheckArgs;
use crate::cli::probe::{NetworkArgs, ProbeArgs};

/// An item key of the plugin.
#[derive(Debug)]
pub struct KeyName {
    /// The name.
    pub name: &'static str,
    /// Its description, in the form that the agent requires: a capital first letter and a full
    /// stop.
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

/// The request of a key with its parameters.
#[derive(Debug, PartialEq, Eq)]
pub enum ItemKey {
    /// `tcp.check[host,port,service,output,timeout,path]`.
    Check(CheckKey),
    /// A key that probes many targets or prints rows.
    Long(LongKey),
}

/// The keys that probe many targets or print rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LongKey {
    /// `tcp.batch[group,size]`: the group, and the limit for the document.
    Batch(String, String),
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

/// Why a key has no value, without the name of the program.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyError {
    /// An error in the parameters, with the text that UserParameters return.
    Parameters(String),
    /// An unknown key. An agent requests only registered keys.
    Unknown(String),
}

/// What `tcp.discovery` lists.
const SOURCES: &str = "ports, open, targets or listeners";

/// The end of the error text for too many parameters.
const QUOTE: &str = "quote a parameter that contains a comma";

/// The parameters of `tcp.check`. Empty ones have their default.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CheckKey {
    host: String,
    port: String,
    service: String,
    output: String,
    timeout: String,
    path: String,
}

impl CheckKey {
    /// How many bytes the parameters have.
    pub fn length(&self) -> usize {
        let Self {
            host,
            port,
            service,
            output,
            timeout,
            path,
        } = self;
        [host, port, service, output, timeout, path]
            .iter()
            .map(|text| text.len())
            .sum()
    }

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
                path: given(&self.path),
                ..ProbeArgs::default()
            },
            verbose: false,
        }
    }
}

/// Reads a key.
///
/// # Errors
/// An error in the parameters, or an unknown key.
pub fn read(key: &str, mut parameters: Vec<String>) -> Result<ItemKey, KeyError> {
    let has_more_than = |most: usize| parameters.iter().skip(most).any(|text| !text.is_empty());
    let source = parameters.first().map_or("", String::as_str);
    let wrong = match (key, source) {
        ("tcp.check", _) if has_more_than(6) => {
            Some(format!("tcp.check has at most 6 parameters: {QUOTE}"))
        }
        ("tcp.batch", _) if has_more_than(2) => {
            Some(format!("tcp.batch has at most 2 parameters: {QUOTE}"))
        }
        ("tcp.discovery", "targets") if has_more_than(2) => Some(format!(
            "tcp.discovery[targets] has at most 1 further parameter: {QUOTE}"
        )),
        ("tcp.discovery", "listeners") if has_more_than(1) => {
            Some("tcp.discovery[listeners] has no further parameters".to_owned())
        }
        ("tcp.listeners", _) if has_more_than(0) => {
            Some("tcp.listeners has no parameters".to_owned())
        }
        ("tcp.discovery", "ports" | "open") if has_more_than(3) => {
            Some("quote the list of ports in the key".to_owned())
        }
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(KeyError::Parameters(wrong));
    }
    let mut parameter = |index: usize| {
        parameters
            .get_mut(index)
            .map(std::mem::take)
            .unwrap_or_default()
    };
    match key {
        "tcp.check" => {
            let host = Some(parameter(0)).filter(|host| !host.is_empty());
            Ok(ItemKey::Check(CheckKey {
                host: host.unwrap_or_else(|| "127.0.0.1".to_owned()),
                port: parameter(1),
                service: parameter(2),
                output: parameter(3),
                timeout: parameter(4),
                path: parameter(5),
            }))
        }
        "tcp.batch" => Ok(ItemKey::Long(LongKey::Batch(parameter(0), parameter(1)))),
        "tcp.discovery" => match parameter(0).as_str() {
            "targets" => Ok(ItemKey::Long(LongKey::Targets(parameter(1)))),
            "ports" => Ok(ItemKey::Long(LongKey::Ports(parameter(1), parameter(2)))),
            "open" => Ok(ItemKey::Long(LongKey::Open(parameter(1), parameter(2)))),
            "listeners" => Ok(ItemKey::Long(LongKey::ListenerRows)),
            _ => Err(KeyError::Parameters(format!(
                "the first parameter of tcp.discovery is its source: {SOURCES}"
            ))),
        },
        "tcp.listeners" => Ok(ItemKey::Long(LongKey::Listeners)),
        other => Err(KeyError::Unknown(format!(
            "unknown key `{}`",
            crate::escape::escaped_prefix(other, 60)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, parameters: &[&str]) -> Result<ItemKey, KeyError> {
        read(
            key,
            parameters.iter().map(|text| (*text).to_owned()).collect(),
        )
    }

    fn mistake(key: &str, parameters: &[&str]) -> String {
        match of(key, parameters) {
            Err(KeyError::Parameters(why)) => why,
            other => panic!("{other:?}"),
        }
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
                path: String::new(),
            }))
        };
        assert_eq!(of("tcp.check", &[]), all("127.0.0.1"));
        assert_eq!(
            of("tcp.check", &["", "", "", "", "", "", ""]),
            all("127.0.0.1")
        );
        assert_eq!(of("tcp.check", &["h"]), all("h"));
        assert_eq!(
            of("tcp.batch", &[]),
            Ok(ItemKey::Long(LongKey::Batch(String::new(), String::new())))
        );
    }

    #[test]
    fn too_many_parameters_are_an_error() {
        for (key, parameters) in [
            ("tcp.check", &["h", "1", "", "", "", "on", "x"][..]),
            ("tcp.batch", &["a", "512K", "b"]),
            ("tcp.discovery", &["ports", "h", "22", "443"]),
            ("tcp.discovery", &["open", "h", "22", "443"]),
            ("tcp.discovery", &["targets", "a", "b"]),
        ] {
            let why = mistake(key, parameters);
            assert!(why.contains("quote"), "{key}: {why}");
        }
    }

    #[test]
    fn listeners_have_no_parameters() {
        for none in [&[][..], &[""]] {
            let expected = Ok(ItemKey::Long(LongKey::Listeners));
            assert_eq!(of("tcp.listeners", none), expected);
        }
        let rows = of("tcp.discovery", &["listeners", ""]);
        assert_eq!(rows, Ok(ItemKey::Long(LongKey::ListenerRows)));
        for (key, parameters) in [
            ("tcp.listeners", &["80"][..]),
            ("tcp.discovery", &["listeners", "80"]),
        ] {
            let why = mistake(key, parameters);
            assert!(why.contains("parameters"), "{key}: {why}");
        }
    }

    #[test]
    fn unknown_keys_and_sources_are_named() {
        let why = mistake("tcp.discovery", &["port"]);
        assert!(why.ends_with("ports, open, targets or listeners"), "{why}");
        let unknown = KeyError::Unknown(r"unknown key `tcp.nosuch\n`".into());
        assert_eq!(of("tcp.nosuch\n", &[]), Err(unknown));
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

//! The options of the plugin: `Plugins.Tcp.NAME=VALUE` in the agent's configuration.

use std::num::{NonZeroU32, NonZeroUsize};

use crate::plugin::message::{OptionTree, OptionValue};

/// The options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginOptions {
    /// `Config`: the configuration file, instead of the default ones.
    pub config: Option<String>,
    /// `Concurrency`: the most probes in flight.
    pub concurrency: Option<NonZeroUsize>,
    /// `Rate`: the most connects per second.
    pub rate: Option<NonZeroU32>,
}

/// The largest value of `Concurrency`.
const MAX_CONCURRENCY: usize = 60_000;

/// The names, for error texts.
const NAMES: &str = "Config, Concurrency, Rate";

impl PluginOptions {
    /// The default of `Concurrency`: an agent of 7.0 has at most 1000 open requests.
    pub const CONCURRENCY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1999);

    /// Reads the options; those of the agent itself (`System`) are skipped.
    ///
    /// # Errors
    /// The first error, in one line with the name of the option and its line.
    pub fn read(tree: &OptionTree) -> Result<Self, String> {
        let mut options = Self::default();
        for (name, node) in &tree.0 {
            // The options of the agent, and those that it adds for plugins with sessions.
            if matches!(name.as_str(), "System" | "Sessions" | "Default") {
                continue;
            }
            let error = |line: Option<u64>, why: &str| {
                let line = line.map_or(String::new(), |line| format!(" (line {line})"));
                Err(format!("Plugins.Tcp.{}{line}: {why}", name.escape_debug()))
            };
            let value = match (node.values.as_slice(), node.nodes.0.is_empty()) {
                ([value], true) => value,
                ([], _) | (_, false) => {
                    return error(None, &format!("unknown option; the options are {NAMES}"));
                }
                ([_, second, ..], true) => return error(second.line, "is given twice"),
            };
            let line = value.line;
            let Some(text) = text(value) else {
                return error(line, "is not UTF-8 text");
            };
            // An empty value is the default, as everywhere.
            match name.as_str() {
                _ if text.is_empty() => {}
                "Config" if text.starts_with('/') => options.config = Some(text.to_owned()),
                "Config" => return error(line, "expected an absolute path"),
                "Concurrency" => match text.parse() {
                    Ok(number) if NonZeroUsize::get(number) <= MAX_CONCURRENCY => {
                        options.concurrency = Some(number);
                    }
                    _ => return error(line, "expected a number from 1 to 60000"),
                },
                "Rate" => match text.parse() {
                    Ok(rate) => options.rate = Some(rate),
                    Err(_) => return error(line, "expected a number of connects per second"),
                },
                _ => return error(line, &format!("unknown option; the options are {NAMES}")),
            }
        }
        Ok(options)
    }
}

fn text(value: &OptionValue) -> Option<&str> {
    std::str::from_utf8(&value.bytes).ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::message::OptionNode;

    fn tree(options: &[(&str, &str)]) -> OptionTree {
        let mut tree = OptionTree::default();
        for (line, (name, value)) in (1..).zip(options) {
            let node: &mut OptionNode = tree.0.entry((*name).to_owned()).or_default();
            node.values.push(OptionValue {
                bytes: value.as_bytes().to_vec(),
                line: Some(line),
            });
        }
        tree
    }

    #[test]
    fn options_are_read() {
        let options = tree(&[
            ("System", "x"),
            ("Config", "/etc/x.toml"),
            ("Concurrency", "100"),
            ("Rate", ""),
        ]);
        let expected = PluginOptions {
            config: Some("/etc/x.toml".into()),
            concurrency: NonZeroUsize::new(100),
            rate: None,
        };
        assert_eq!(PluginOptions::read(&options), Ok(expected));
    }

    #[test]
    fn errors_name_the_option_and_its_line() {
        for (options, expected) in [
            (
                &[("Config", "x.toml")][..],
                "Plugins.Tcp.Config (line 1): expected an absolute path",
            ),
            (
                &[("Concurrency", "0")],
                "Plugins.Tcp.Concurrency (line 1): expected a number",
            ),
            (
                &[("Concurrency", "60001")],
                "Plugins.Tcp.Concurrency (line 1): expected a number",
            ),
            (
                &[("Rate", "-1")],
                "Plugins.Tcp.Rate (line 1): expected a number",
            ),
            (
                &[("Rate", "1"), ("Rate", "2")],
                "Plugins.Tcp.Rate (line 2): is given twice",
            ),
            (
                &[("Rates", "1")],
                "Plugins.Tcp.Rates (line 1): unknown option",
            ),
        ] {
            let error = PluginOptions::read(&tree(options)).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        let mut group = tree(&[]);
        group.0.entry("Rate".into()).or_default().nodes = tree(&[("x", "1")]);
        assert!(
            PluginOptions::read(&group)
                .unwrap_err()
                .contains("unknown option")
        );
        let mut bytes = tree(&[("Config", "/x")]);
        bytes.0.get_mut("Config").unwrap().values[0].bytes = b"/\xff".to_vec();
        assert!(PluginOptions::read(&bytes).unwrap_err().contains("UTF-8"));
    }
}

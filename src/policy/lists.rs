//! The content of the policy file: the lists `allow` and `deny`.

use std::net::IpAddr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::address::Port;
use crate::policy::decision::{Decision, ListName, Reason};
use crate::policy::file::PATH;
use crate::policy::network::Network;

/// The lists of the policy file.
#[derive(Debug, Default)]
pub struct Lists {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    network: Network,
    line: usize,
}

impl Lists {
    /// Parses the file's content.
    ///
    /// # Errors
    /// One sentence with the line and the key of the first error, but no value of the file.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|error| {
            at(
                LineIndex::of(text).number(error.valid_up_to()),
                "",
                "not UTF-8",
            )
        })?;
        let lines = LineIndex::of(text.as_bytes());
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| lines.number(span.start));
            at(line, "", &format!("not valid TOML: {}", error.message()))
        })?;
        let mut lists = Self::default();
        let mut errors = Vec::new();
        for (key, value) in table.get_ref() {
            let list = match &**key.get_ref() {
                "allow" => (ListName::Allow, &mut lists.allow),
                "deny" => (ListName::Deny, &mut lists.deny),
                unknown => {
                    let offset = key.span().start;
                    let why = "unknown key: use `allow` or `deny`";
                    errors.push((offset, at(lines.number(offset), &key_text(unknown), why)));
                    continue;
                }
            };
            read_list(&lines, list.0, value, list.1, &mut errors);
        }
        first_error(errors).map_or(Ok(lists), Err)
    }

    /// Whether there are no rules.
    pub fn are_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Decides about one address; `embedded` is the same address if the reason must name it.
    pub fn decide(&self, address: IpAddr, port: Port, embedded: Option<IpAddr>) -> Decision {
        let find = |list: ListName, rules: &[Rule]| {
            let index = rules
                .iter()
                .position(|rule| rule.network.contains(address, port))?;
            let line = rules.get(index)?.line;
            Some(Reason::Rule {
                list,
                position: index + 1,
                line,
                embedded,
            })
        };
        if let Some(rule) = find(ListName::Deny, &self.deny) {
            return Decision::Denied(rule);
        }
        match find(ListName::Allow, &self.allow) {
            Some(rule) => Decision::Allowed(rule),
            None if self.allow.is_empty() => Decision::Allowed(Reason::NoDenyMatches),
            None => Decision::Denied(Reason::NoAllowMatches(embedded)),
        }
    }
}

/// Errors with their byte offset in the text.
type ListErrors = Vec<(usize, String)>;

fn read_list(
    lines: &LineIndex,
    list: ListName,
    value: &Spanned<DeValue<'_>>,
    rules: &mut Vec<Rule>,
    errors: &mut ListErrors,
) {
    let DeValue::Array(entries) = value.get_ref() else {
        let key = format!(": key `{}`", list.key());
        let why = "not a list: write it as [\"10.0.0.0/8\", \"192.0.2.7:22,443\"]";
        errors.push((
            value.span().start,
            at(lines.number(value.span().start), &key, why),
        ));
        return;
    };
    for (index, entry) in entries.iter().enumerate() {
        let line = lines.number(entry.span().start);
        let network = match entry.get_ref() {
            DeValue::String(word) => word.parse::<Network>().map_err(|error| error.to_string()),
            _ => Err("not a text: write it in quotation marks".to_owned()),
        };
        match network {
            Ok(network) => rules.push(Rule { network, line }),
            Err(why) => {
                let key = format!(": key `{}[{}]`", list.key(), index + 1);
                errors.push((entry.span().start, at(line, &key, &why)));
            }
        }
    }
}

/// The first error in the text, and how many more there are.
fn first_error(mut errors: ListErrors) -> Option<String> {
    errors.sort();
    let more = errors.len().saturating_sub(1);
    let (_, first) = errors.into_iter().next()?;
    Some(if more == 0 {
        first
    } else {
        format!("{first} (and {more} more)")
    })
}

/// A key for an error text. A key that does not look like one may be a pasted secret and is not
/// shown.
fn key_text(key: &str) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let looks_like_key = !key.is_empty() && key.len() <= 24 && key.bytes().all(allowed);
    if looks_like_key {
        format!(": key `{key}`")
    } else {
        String::new()
    }
}

fn at(line: usize, key: &str, why: &str) -> String {
    format!("policy file is invalid: {PATH}:{line}{key}: {why}")
}

/// Byte offsets of the line ends of a text.
struct LineIndex(Vec<usize>);

impl LineIndex {
    fn of(text: &[u8]) -> Self {
        Self(memchr::memchr_iter(b'\n', text).collect())
    }

    /// The line of this byte, counted from 1.
    fn number(&self, byte: usize) -> usize {
        self.0.partition_point(|end| *end < byte) + 1
    }
}

//! The content of the policy file: two lists, read strictly.

use std::net::IpAddr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::address::Port;
use crate::policy::PATH;
use crate::policy::decision::{Decision, ListName, Reason};
use crate::policy::network::Network;

/// The lists of the file.
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
    /// Reads the file's content, or says in one sentence what is wrong with it: where, and which key, but no value.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text)
            .map_err(|error| at(Lines::of(text).number(error.valid_up_to()), "", "not UTF-8"))?;
        let lines = Lines::of(text.as_bytes());
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| lines.number(span.start));
            at(line, "", &format!("not valid TOML: {}", error.message()))
        })?;
        let mut lists = Self::default();
        let mut mistakes = Vec::new();
        for (key, value) in table.get_ref() {
            let list = match &**key.get_ref() {
                "allow" => (ListName::Allow, &mut lists.allow),
                "deny" => (ListName::Deny, &mut lists.deny),
                unknown => {
                    let place = key.span().start;
                    let why = "unknown key: use `allow` or `deny`";
                    mistakes.push((place, at(lines.number(place), &named(unknown), why)));
                    continue;
                }
            };
            read_list(&lines, list.0, value, list.1, &mut mistakes);
        }
        in_one_sentence(mistakes).map_or(Ok(lists), Err)
    }

    /// Whether there is no rule at all.
    pub fn are_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Judges one spelling of an address; `inner` is what the ground tells of it.
    pub fn decide(&self, address: IpAddr, port: Port, inner: Option<IpAddr>) -> Decision {
        let find = |list: ListName, rules: &[Rule]| {
            let index = rules
                .iter()
                .position(|rule| rule.network.holds(address, port))?;
            let line = rules.get(index)?.line;
            Some(Reason::Rule {
                list,
                position: index + 1,
                line,
                inner,
            })
        };
        if let Some(rule) = find(ListName::Deny, &self.deny) {
            return Decision::Denied(rule);
        }
        match find(ListName::Allow, &self.allow) {
            Some(rule) => Decision::Allowed(rule),
            None if self.allow.is_empty() => Decision::Allowed(Reason::NoDenyMatches),
            None => Decision::Denied(Reason::NoAllowMatches(inner)),
        }
    }
}

/// Mistakes by their place in the text.
type Mistakes = Vec<(usize, String)>;

fn read_list(
    lines: &Lines,
    list: ListName,
    value: &Spanned<DeValue<'_>>,
    rules: &mut Vec<Rule>,
    mistakes: &mut Mistakes,
) {
    let DeValue::Array(entries) = value.get_ref() else {
        let key = format!(": key `{}`", list.key());
        let why = "not a list: write it as [\"10.0.0.0/8\", \"192.0.2.7:22,443\"]";
        mistakes.push((
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
                mistakes.push((entry.span().start, at(line, &key, &why)));
            }
        }
    }
}

/// The first mistake, and how many more there are.
fn in_one_sentence(mut mistakes: Mistakes) -> Option<String> {
    mistakes.sort();
    let more = mistakes.len().saturating_sub(1);
    let (_, first) = mistakes.into_iter().next()?;
    Some(if more == 0 {
        first
    } else {
        format!("{first} (and {more} more)")
    })
}

/// A key for a sentence. What does not look like one may be anything, a password too, and is not shown.
fn named(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let looks_like_one = !key.is_empty() && key.len() <= 24 && key.bytes().all(plain);
    if looks_like_one {
        format!(": key `{key}`")
    } else {
        String::new()
    }
}

fn at(line: usize, key: &str, why: &str) -> String {
    format!("policy file is invalid: {PATH}:{line}{key}: {why}")
}

/// Where each line of a text ends.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &[u8]) -> Self {
        Self(memchr::memchr_iter(b'\n', text).collect())
    }

    /// The number of the line that this byte is in, counted from 1.
    fn number(&self, byte: usize) -> usize {
        self.0.partition_point(|end| *end < byte) + 1
    }
}

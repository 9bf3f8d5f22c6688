//! What a batch prints, as it was typed.

use crate::cli::batch::BatchArgs;
use crate::cli::values::non_empty;
use crate::escape::escaped_prefix;
use crate::output::batch_format::{BatchFormat, BatchOutput, DefaultFields, KeyPart, SenderKey};
use crate::output::metrics::{METRICS, Metric};
use crate::settings::SettingsError;
use crate::settings::options::choice;
use crate::suggest::did_you_mean;

const FORMATS: [(&str, BatchFormat); 4] = [
    ("json", BatchFormat::Json),
    ("ndjson", BatchFormat::Ndjson),
    ("sender", BatchFormat::Sender),
    ("text", BatchFormat::Text),
];
/// What an item of a target can be, unless somebody asks for something else.
const USUAL: [&str; 6] = [
    "up",
    "status",
    "time.connect",
    "time.total",
    "tcp.rtt",
    "tcp.syn_retransmits",
];
/// The item key of a target's value.
const KEY: &str = "tcp.target[ID,METRIC]";
/// The longest name of a host in Zabbix, in characters.
const LONGEST_HOST: usize = 128;

/// What these options ask for.
///
/// # Errors
/// When a word is unknown, or an option has no effect on the format.
pub fn wanted(args: &BatchArgs) -> Result<BatchOutput, SettingsError> {
    let format = choice("--output", &args.output, &FORMATS)?.unwrap_or(BatchFormat::Json);
    refuse_vain(args, format)?;
    let metrics = metrics(&args.metrics)?;
    let sender_key = key(non_empty(&args.sender_key).unwrap_or(KEY));
    if metrics.len() > 1 && !sender_key.0.contains(&KeyPart::Metric) {
        return Err(SettingsError::in_option(
            "--sender-key",
            "has no word METRIC, so all metrics would share one item",
        ));
    }
    let zabbix_host = non_empty(&args.zabbix_host).map(host).transpose()?;
    let defaults = if args.compact {
        DefaultFields::Omit
    } else {
        DefaultFields::Include
    };
    Ok(BatchOutput {
        format,
        metrics,
        zabbix_host,
        sender_key,
        defaults,
    })
}

fn refuse_vain(args: &BatchArgs, format: BatchFormat) -> Result<(), SettingsError> {
    let senders = [
        ("--metrics", &args.metrics),
        ("--zabbix-host", &args.zabbix_host),
        ("--sender-key", &args.sender_key),
    ];
    let stray = senders
        .into_iter()
        .find(|(_, value)| non_empty(value).is_some());
    match (stray, format) {
        (Some((option, _)), BatchFormat::Json | BatchFormat::Ndjson | BatchFormat::Text) => Err(
            SettingsError::in_option(option, "means something only with `-o sender`"),
        ),
        (_, BatchFormat::Sender | BatchFormat::Text) if args.compact => {
            Err(SettingsError::in_option(
                "--compact",
                "means something only with `-o json` and `-o ndjson`",
            ))
        }
        _ => Ok(()),
    }
}

fn metrics(option: &Option<String>) -> Result<Vec<&'static Metric>, SettingsError> {
    let words: Vec<&str> = match non_empty(option) {
        Some(list) => list
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .collect(),
        None => USUAL.to_vec(),
    };
    let mut metrics: Vec<&'static Metric> = Vec::new();
    for word in words {
        let metric = METRICS
            .iter()
            .find(|metric| metric.path == word)
            .ok_or_else(|| unknown(word))?;
        if !metrics.iter().any(|known| known.path == metric.path) {
            metrics.push(metric);
        }
    }
    if metrics.is_empty() {
        return Err(SettingsError::in_option("--metrics", "names no metric"));
    }
    Ok(metrics)
}

fn unknown(word: &str) -> SettingsError {
    let hint = match did_you_mean(word, METRICS.iter().map(|metric| metric.path)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`zbx-tcp check --help` lists them".to_owned(),
    };
    SettingsError::in_option(
        "--metrics",
        format!("unknown metric `{}`: {hint}", escaped_prefix(word, 40)),
    )
}

/// The parts of a key; ID and METRIC count as whole words only.
fn key(pattern: &str) -> SenderKey {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let word = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_alphanumeric())
                .len();
        let (head, tail) = rest.split_at(word.max(first.len_utf8()));
        rest = tail;
        let part = match head {
            "ID" => KeyPart::Id,
            "METRIC" => KeyPart::Metric,
            _ => {
                text.push_str(head);
                continue;
            }
        };
        if !text.is_empty() {
            parts.push(KeyPart::Text(std::mem::take(&mut text).into()));
        }
        parts.push(part);
    }
    if !text.is_empty() {
        parts.push(KeyPart::Text(text.into()));
    }
    SenderKey(parts)
}

fn host(name: &str) -> Result<Box<str>, SettingsError> {
    if name.chars().any(char::is_control) || name.chars().count() > LONGEST_HOST {
        let text = format!(
            "`{}` is no host in Zabbix: at most {LONGEST_HOST} characters on one line",
            escaped_prefix(name, 40)
        );
        return Err(SettingsError::in_option("--zabbix-host", text));
    }
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_whole_words_only() {
        let escaped_prefix = |pattern: &str| {
            let part = |part: &KeyPart| match part {
                KeyPart::Text(text) => text.to_string(),
                KeyPart::Id => "<id>".to_owned(),
                KeyPart::Metric => "<metric>".to_owned(),
            };
            key(pattern)
                .0
                .iter()
                .map(part)
                .collect::<Vec<_>>()
                .join("|")
        };
        assert_eq!(escaped_prefix(KEY), "tcp.target[|<id>|,|<metric>|]");
        assert_eq!(escaped_prefix("VALID.METRIC"), "VALID.|<metric>");
        assert_eq!(escaped_prefix("ID_é\"IDS\""), "<id>|_é\"IDS\"");
        assert_eq!(escaped_prefix(""), "");
    }
}

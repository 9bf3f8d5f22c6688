//! What is wrong and the remedy, each in one sentence.

use crate::escape::{escaped_prefix, with_visible_characters};
use crate::tls_facts::date_text;

/// The longest name in a sentence, in characters.
const NAME_LIMIT: usize = 80;

/// A distinguished name in quotes. Control characters are escaped in it already.
pub fn quoted(name: &str) -> String {
    let mut text: String = name.chars().take(NAME_LIMIT).collect();
    if text.len() < name.len() {
        text.push_str("...");
    }
    format!("\"{}\"", with_visible_characters(&text))
}

/// What a `not_after` in the past means. There is no age in it: an unchanged fault is an unchanged
/// sentence.
pub fn expired(subject: &str, not_after: i64, remedy: &str) -> String {
    format!("{subject} expired on {}: {remedy}", date_text(not_after))
}

/// What a `not_before` in the future means.
pub fn not_yet_valid(subject: &str, not_before: i64) -> String {
    format!(
        "{subject} is not valid before {}: check the clock of this machine and of the issuer, or wait",
        date_text(not_before)
    )
}

/// A certificate that is for other names.
pub fn name_mismatch(names: &[Box<str>], common_name: Option<&str>, host: &str) -> String {
    let host = escaped_prefix(host, NAME_LIMIT);
    let name = |name: &str| escaped_prefix(name, NAME_LIMIT);
    let has = match names {
        [] => {
            let instead = common_name.map_or_else(String::new, |common| {
                format!(
                    " (the common name {} is not verified, RFC 9525)",
                    name(common)
                )
            });
            return format!(
                "certificate has no subjectAltName{instead}: issue one with the subjectAltName {host}"
            );
        }
        [one] => name(one),
        [one, two] => format!("{} and {}", name(one), name(two)),
        [one, two, three] => format!("{}, {} and {}", name(one), name(two), name(three)),
        [one, two, ..] => {
            let others = names.len() - 2;
            format!("{}, {} and {others} others", name(one), name(two))
        }
    };
    format!(
        "certificate is for {has}, not for {host}: add {host} to its names, or verify another name with `--sni`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        assert_eq!(
            expired("certificate of mx1.example.com", 1_795_694_400, "renew it"),
            "certificate of mx1.example.com expired on 2026-11-26 12:00 UTC: renew it"
        );
        let names = [
            "a.example",
            "b.example",
            "c.example",
            "d.example",
            "e.example",
        ];
        let names = names.map(Box::<str>::from);
        for (number, start) in [
            (0, "certificate has no subjectAltName: issue"),
            (1, "certificate is for a.example, not for x.example: "),
            (
                2,
                "certificate is for a.example and b.example, not for x.example: ",
            ),
            (
                3,
                "certificate is for a.example, b.example and c.example, not",
            ),
            (
                5,
                "certificate is for a.example, b.example and 3 others, not",
            ),
        ] {
            let text = name_mismatch(&names[..number], None, "x.example");
            assert!(text.starts_with(start), "{text}");
        }
        let hostile = ["a\0b\n".into(), "x".repeat(5000).into()];
        let text = name_mismatch(&hostile, None, "x.example");
        assert!(text.len() < 300 && !text.contains(['\0', '\n']), "{text}");
        let text = name_mismatch(&[], Some("x.example"), "x.example");
        assert!(
            text.contains("common name x.example is not verified"),
            "{text}"
        );
        assert_eq!(quoted("CN=\u{202e}a"), "\"CN=\\u{202e}a\"");
        assert!(quoted(&"x".repeat(100)).ends_with("x...\""));
    }
}

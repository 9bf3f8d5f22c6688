//! The certificate as a person wants to see it: who has it, who issued it, how long it lasts, and
//! everything that is wrong with it.

use std::fmt::Write;

use crate::output::faults;
use crate::output::metric_value::Value;
use crate::output::tls::TlsReport;
use crate::tls_facts::{self, CertificateFacts, FactSource};

/// A line of the report: a label, and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct CertificateLine {
    /// The label.
    pub label: &'static str,
    /// The text.
    pub text: String,
    /// How it is colored.
    pub tone: Tone,
}

/// How a line is colored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Not at all.
    Plain,
    /// As a success.
    Good,
    /// As a failure.
    Bad,
    /// As something to look at.
    Unsure,
}

/// The most names that are shown; `-o tls.names` prints more.
const NAMES_SHOWN: usize = 5;
/// The days from which on the time that is left is colored.
const SOON: i64 = 14 * DAY;
const DAY: i64 = 86_400;

/// The lines with the facts of TLS. `bar` draws the share of the first number in the second one.
pub fn lines(tls: TlsReport<'_>, bar: impl Fn(u64, u64) -> String) -> Vec<CertificateLine> {
    let mut lines = vec![plain("tls", connection(tls))];
    if let Some(leaf) = tls.leaf() {
        lines.extend(identity(tls, leaf));
        lines.push(validity(tls, leaf, bar));
        lines.extend(chain(tls, leaf));
        let pin = text_of(crate::output::tls::pin(&leaf.spki_sha256));
        lines.push(plain(
            "key",
            format!("{}, pin {pin}", text_of(tls.words(&leaf.key))),
        ));
    }
    lines.extend(trust(tls));
    lines
}

fn plain(label: &'static str, text: String) -> CertificateLine {
    let tone = Tone::Plain;
    CertificateLine { label, text, tone }
}

fn text_of(value: Option<Value<'_>>) -> String {
    match value {
        Some(Value::Text(text)) => text.into_owned(),
        _ => String::new(),
    }
}

/// What was negotiated.
fn connection(tls: TlsReport<'_>) -> String {
    let facts = tls.facts;
    let version = facts.version.map(|version| version.name().to_owned());
    let alpn = facts
        .alpn
        .as_deref()
        .map(|alpn| format!("ALPN {}", text_of(tls.words(alpn))));
    let staple = facts.staple.then(|| "with an OCSP response".to_owned());
    let scan = [
        facts
            .oldest
            .map(|version| format!("oldest version {version}")),
        facts.pq.map(|pq| {
            let what = if pq { "prefers" } else { "does not prefer" };
            format!("{what} a post-quantum group")
        }),
    ];
    let parts = [
        version,
        facts.cipher.as_deref().map(|text| text_of(tls.words(text))),
        facts.group.as_deref().map(|text| text_of(tls.words(text))),
        alpn,
        staple,
    ];
    let parts: Vec<_> = parts.into_iter().chain(scan).flatten().collect();
    let mut text = if parts.is_empty() {
        "nothing was negotiated".to_owned()
    } else {
        parts.join(", ")
    };
    if facts.how == FactSource::Hello {
        text.push_str("; read without a handshake");
    }
    if !facts.proved {
        text.push_str("; the peer did not prove that it has the key");
    }
    match (facts.client_cert, facts.how) {
        (Some(true), FactSource::Handshake) => text.push_str("; a client certificate is demanded"),
        (Some(true), FactSource::Hello) => text.push_str("; a client certificate is asked for"),
        _ => {}
    }
    text
}

fn identity(tls: TlsReport<'_>, leaf: &CertificateFacts) -> Vec<CertificateLine> {
    let mut lines = vec![
        plain("subject", or_none(text_of(tls.words(&leaf.subject)))),
        plain("issuer", or_none(text_of(tls.words(&leaf.issuer)))),
    ];
    if let Some(Value::List(names)) = tls.names() {
        let shown: Vec<_> = names.iter().take(NAMES_SHOWN).map(AsRef::as_ref).collect();
        let mut text = or_none(shown.join(", "));
        let more = leaf.names_omitted + leaf.names.len() - shown.len();
        if more > 0 {
            // Writing to a String cannot fail.
            let _ = write!(text, " and {more} more");
        }
        lines.insert(1, plain("names", text));
    }
    lines
}

fn or_none(text: String) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        text
    }
}

/// The dates, and the time that is left, with a bar that shows its share of the lifetime.
fn validity(
    tls: TlsReport<'_>,
    leaf: &CertificateFacts,
    bar: impl Fn(u64, u64) -> String,
) -> CertificateLine {
    let dates = format!("{} to {}", date(leaf.not_before), date(leaf.not_after));
    let Some(verification) = tls.verification() else {
        return plain("valid", dates);
    };
    let left = leaf.seconds_left(verification.at);
    if left < 0 {
        let text = format!("{dates}, expired {} ago", span(left.saturating_neg()));
        return CertificateLine {
            label: "valid",
            text,
            tone: Tone::Bad,
        };
    }
    if verification.at < leaf.not_before {
        let text = format!(
            "{dates}, begins in {}",
            span(leaf.not_before.saturating_sub(verification.at))
        );
        return CertificateLine {
            label: "valid",
            text,
            tone: Tone::Bad,
        };
    }
    let lifetime = leaf.not_after.saturating_sub(leaf.not_before).max(0);
    let bar = bar(left.unsigned_abs(), lifetime.unsigned_abs());
    let whole = span(lifetime);
    let part = span(left);
    // `46 of 47 days`, but `5 hours of 6 days`.
    let unit = |span: &str| {
        span.trim_end_matches('s')
            .rsplit(' ')
            .next()
            .map(str::to_owned)
    };
    let part = match part.split_once(' ') {
        Some((number, _)) if unit(&part) == unit(&whole) => number.to_owned(),
        _ => part,
    };
    let text = format!("{dates}, {part} of {whole} left  {bar}");
    // A short lifetime is planned: what counts is the share that is left of it.
    let is_soon = left < SOON && left < lifetime / 3;
    let tone = if is_soon { Tone::Unsure } else { Tone::Plain };
    CertificateLine {
        label: "valid",
        text: text.trim_end().to_owned(),
        tone,
    }
}

/// The rest of the chain, where it ends before the certificate of the server.
fn chain(tls: TlsReport<'_>, leaf: &CertificateFacts) -> Vec<CertificateLine> {
    let number = tls.facts.chain.len() + tls.facts.chain_omitted.number;
    let others = tls.facts.chain.iter().skip(1);
    let first = others
        .filter(|other| other.unreadable.is_none() && other.not_after < leaf.not_after)
        .min_by_key(|other| other.not_after);
    let certificates = if number == 1 {
        "certificate"
    } else {
        "certificates"
    };
    let mut text = format!("{number} {certificates}");
    if let (Some(first), Some(verification)) = (first, tls.verification()) {
        let left = first.seconds_left(verification.at);
        let when = if left < 0 {
            format!("expired {} ago", span(left.saturating_neg()))
        } else {
            format!("expires in {}", span(left))
        };
        let _ = write!(text, "; {} {when}", text_of(tls.words(&first.subject)));
    }
    vec![plain("chain", text)]
}

/// Whether it is trusted and by what, and every fault with its remedy.
fn trust(tls: TlsReport<'_>) -> Vec<CertificateLine> {
    let Some(verification) = tls.verification() else {
        return Vec::new();
    };
    let (verdict, tone) = match tls.facts.is_verified() {
        Some(true) => ("verified", Tone::Good),
        _ if verification.is_verified() => ("key NOT proved; certificate trusted", Tone::Bad),
        _ => ("NOT trusted", Tone::Bad),
    };
    let by = tls.facts.roots.as_ref().map(|roots| {
        let file = roots.file.to_string_lossy();
        let file = tls.printable_path(&file);
        match roots.number {
            1 => format!(" by the certificate of {file}"),
            number => format!(" by the {number} certificates of {file}"),
        }
    });
    let mut lines = vec![CertificateLine {
        label: "trust",
        text: format!("{verdict}{}", by.unwrap_or_default()),
        tone,
    }];
    let sentences = verification
        .sentences
        .iter()
        .map(Some)
        .chain(std::iter::repeat(None));
    lines.extend(
        verification
            .faults
            .iter()
            .zip(sentences)
            .map(|(fault, sentence)| {
                let text = match sentence {
                    Some(sentence) => text_of(tls.words(sentence)),
                    None => faults::words(*fault).sentence(),
                };
                CertificateLine {
                    label: "fault",
                    text: format!("{}: {text}", fault.name()),
                    tone: if fault.refuses() {
                        Tone::Bad
                    } else {
                        Tone::Unsure
                    },
                }
            }),
    );
    lines
}

/// The text about a certificate in a row of a table: the time that is left, and the faults.
pub fn note(tls: TlsReport<'_>) -> Option<String> {
    let verification = tls.verification()?;
    let left = tls.leaf()?.seconds_left(verification.at);
    let mut text = if left < 0 {
        format!("certificate expired {} ago", span(left.saturating_neg()))
    } else {
        format!("certificate for {}", span(left))
    };
    let faults: Vec<_> = verification
        .faults
        .iter()
        .map(|fault| fault.name())
        .collect();
    if !faults.is_empty() {
        let _ = write!(text, ", {}", faults.join(", "));
    }
    Some(text)
}

/// A time in days, or in hours below two days; rounded down.
fn span(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / DAY, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// The date of a time in seconds since 1970, in UTC: `2026-01-31`.
fn date(seconds: i64) -> String {
    let (year, month, day) = tls_facts::date(seconds);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_709_164_800, "2024-02-29"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
            (1_790_000_000, "2026-09-21"),
            (253_402_300_799, "9999-12-31"),
            (253_402_300_800, "10000-01-01"),
            (-2_208_988_800, "1900-01-01"),
            (-62_135_596_800, "0001-01-01"),
        ] {
            assert_eq!(date(seconds), text, "{seconds}");
        }
        for seconds in [i64::MIN, i64::MAX] {
            assert!(date(seconds).len() > 10);
        }
    }

    #[test]
    fn spans_are_rounded_down() {
        for (seconds, text) in [
            (0, "0 hours"),
            (3600, "1 hour"),
            (160 * 3600, "6 days"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
            (47 * DAY - 1, "46 days"),
        ] {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }
}

//! The published facts of TLS. A peer chooses the texts and their number, so each is bounded, on
//! one line, and without a character that is invisible or reorders others.

use std::borrow::Cow;

use crate::escape::{is_deceptive, push_escaped};
use crate::output::json::{self, JsonWriter};
use crate::output::metric_value::Value;
use crate::plan::ProbeSpec;
use crate::report::{ConnectionReport, Report};
use crate::tls_facts::{
    CHAIN_LIMIT, CertificateFacts, NAMES_BYTES, NAMES_LIMIT, SENTENCE_LIMIT, TEXT_LIMIT, TlsFacts,
    Verification, WORD_LIMIT,
};

/// The most addresses that are listed; a probe connects to no more.
const ADDRESSES_LIMIT: usize = ProbeSpec::MAX_ADDRESSES;

/// The TLS facts of a connection.
#[derive(Debug, Clone, Copy)]
pub struct TlsReport<'r> {
    /// How it was probed; its secrets are redacted.
    pub spec: &'r ProbeSpec,
    /// The facts.
    pub facts: &'r TlsFacts,
}

impl<'r> TlsReport<'r> {
    /// That of a connection of this report.
    pub fn of(report: &'r Report, connection: &'r ConnectionReport) -> Option<Self> {
        let facts = connection.dialogue.as_ref()?.tls.as_deref()?;
        let spec = &report.plan.spec;
        Some(Self { spec, facts })
    }

    /// The verification of the certificate, if one was received.
    pub fn verification(self) -> Option<&'r Verification> {
        self.facts.verification.as_ref()
    }

    /// The certificate of the server, if it could be read.
    pub fn leaf(self) -> Option<&'r CertificateFacts> {
        self.facts.chain.first().filter(|leaf| is_readable(leaf))
    }

    /// A text of the peer, as it is published.
    pub fn words(self, text: &'r str) -> Option<Value<'r>> {
        Some(Value::Text(self.printable(text, TEXT_LIMIT)))
    }

    /// A text that is short unless the peer made it long, such as a serial number.
    pub fn word(self, text: &'r str) -> Option<Value<'r>> {
        Some(Value::Text(self.printable(text, WORD_LIMIT)))
    }

    /// The sentence about trust.
    pub fn verify_error(self) -> Option<Value<'r>> {
        let sentence = self.facts.verify_error()?;
        Some(Value::Text(self.printable(sentence, SENTENCE_LIMIT)))
    }

    /// The path of a file, as it is published.
    pub fn printable_path(self, path: &str) -> Cow<'_, str> {
        self.printable(path, TEXT_LIMIT)
    }

    fn printable(self, text: &str, limit: usize) -> Cow<'_, str> {
        let redacted = self.spec.redact_decoded(text);
        match printable(&redacted, limit) {
            Some(escaped) => Cow::Owned(escaped),
            None => redacted,
        }
    }

    /// The names of all faults.
    pub fn faults(self) -> Option<Value<'r>> {
        let faults = self.verification()?.faults.iter();
        Some(Value::List(
            faults.map(|fault| fault.name().into()).collect(),
        ))
    }

    fn published_names(self) -> Option<Vec<Cow<'r, str>>> {
        let mut bytes = 0;
        let names = self.leaf()?.names.iter().take(NAMES_LIMIT);
        let names = names.map(|name| self.printable(name, TEXT_LIMIT));
        let fitting = names.take_while(|name| {
            bytes += name.len();
            bytes <= NAMES_BYTES
        });
        Some(fitting.collect())
    }

    /// The names that fit.
    pub fn names(self) -> Option<Value<'r>> {
        self.published_names().map(Value::List)
    }

    /// How many names do not fit, if there are any.
    pub fn names_omitted(self) -> Option<Value<'r>> {
        let leaf = self.leaf()?;
        let shown = self.published_names()?.len();
        let omitted = leaf.names_omitted + leaf.names.len() - shown;
        (omitted > 0).then_some(Value::Integer(omitted as u64))
    }

    /// The time until the certificate expires.
    pub fn days_left(self) -> Option<Value<'r>> {
        let left = self.leaf()?.seconds_left(self.verification()?.at);
        Some(Value::Days(left))
    }

    /// The part of the lifetime that is left.
    pub fn lifetime_left(self) -> Option<Value<'r>> {
        let left = self.leaf()?.lifetime_left(self.verification()?.at);
        Some(Value::Ratio(left))
    }

    /// The time until the first certificate of the chain expires.
    pub fn chain_days_left(self) -> Option<Value<'r>> {
        let left = self.facts.chain_seconds_left(self.verification()?.at);
        left.map(Value::Days)
    }

    /// The certificates that fit.
    pub fn chain(self) -> Option<Value<'r>> {
        if self.facts.chain.is_empty() {
            return None;
        }
        let mut buffer = Vec::new();
        let mut json = JsonWriter::new(&mut buffer);
        json.open_array();
        for certificate in self.facts.chain.iter().take(CHAIN_LIMIT) {
            self.write_certificate(certificate, &mut json);
        }
        json.close_array();
        Some(Value::Json(json::into_string(buffer)))
    }

    fn write_certificate(self, certificate: &CertificateFacts, json: &mut JsonWriter<'_>) {
        json.open_object();
        if let Some(why) = &certificate.unreadable {
            json.key("unreadable");
            json.text(&self.printable(why, TEXT_LIMIT));
        } else {
            for (key, text) in [
                ("subject", &certificate.subject),
                ("issuer", &certificate.issuer),
            ] {
                json.key(key);
                json.text(&self.printable(text, TEXT_LIMIT));
            }
            let verification = self.verification();
            let left = verification.map(|verification| certificate.seconds_left(verification.at));
            let left = left.map(Value::Days);
            let not_after = Some(Value::Signed(certificate.not_after));
            for (key, value) in [("not_after", not_after), ("days_left", left)] {
                if let Some(value) = value {
                    json.key(key);
                    json.value(|buffer| value.write(buffer));
                }
            }
            json.key("key");
            json.text(&self.printable(&certificate.key, WORD_LIMIT));
        }
        json.key("sha256");
        json.text(&hex(&certificate.sha256));
        json.close_object();
    }

    /// How many certificates do not fit, if there are any.
    pub fn chain_omitted(self) -> Option<Value<'r>> {
        let omitted = self.facts.chain.len().saturating_sub(CHAIN_LIMIT);
        let omitted = omitted + self.facts.chain_omitted.number;
        (omitted > 0).then_some(Value::Integer(omitted as u64))
    }

    /// The trust store.
    pub fn roots(self) -> Option<Value<'r>> {
        let roots = self.facts.roots.as_ref()?;
        let mut buffer = Vec::new();
        let mut json = JsonWriter::new(&mut buffer);
        json.open_object();
        json.key("file");
        json.text(&self.printable(&roots.file.to_string_lossy(), TEXT_LIMIT));
        json.key("number");
        json.value(|buffer| Value::Integer(roots.number as u64).write(buffer));
        json.close_object();
        Some(Value::Json(json::into_string(buffer)))
    }
}

fn is_readable(certificate: &CertificateFacts) -> bool {
    certificate.unreadable.is_none()
}

/// The addresses that serve another certificate than the one that is reported, if all were probed
/// and several serve one.
pub fn other_addresses(report: &Report) -> Option<Value<'_>> {
    if !report.plan.spec.needs_every_address() {
        return None;
    }
    let leaf = |connection| {
        let chain = &TlsReport::of(report, connection)?.facts.chain;
        Some(chain.first()?.sha256)
    };
    let reported = leaf(report.connection.as_ref()?)?;
    let served: Vec<_> = report
        .addresses
        .iter()
        .filter_map(|connection| Some((connection.address.ip(), leaf(connection)?)))
        .collect();
    if served.len() < 2 {
        return None;
    }
    let others = served.into_iter().filter(|(_, leaf)| *leaf != reported);
    let others = others.map(|(address, _)| address.to_string().into());
    Some(Value::List(others.take(ADDRESSES_LIMIT).collect()))
}

/// A text of this program.
pub fn text(text: &'static str) -> Option<Value<'static>> {
    Some(Value::Text(text.into()))
}

/// 1 or 0.
#[expect(clippy::fn_params_excessive_bools, reason = "it is what is published")]
pub fn flag(is_set: bool) -> Option<Value<'static>> {
    Some(Value::Integer(is_set.into()))
}

/// A digest in hexadecimal.
pub fn digest(digest: &[u8; 32]) -> Option<Value<'static>> {
    Some(Value::Text(hex(digest).into()))
}

fn hex(digest: &[u8; 32]) -> String {
    let mut text = Vec::with_capacity(64);
    for byte in digest {
        crate::fast_fmt::hex(&mut text, *byte);
    }
    json::into_string(text)
}

/// A digest in base64 (RFC 4648, section 4), as `--pin-sha256` reads it.
pub fn pin(digest: &[u8; 32]) -> Option<Value<'static>> {
    Some(Value::Text(base64(digest).into()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for place in 0..4_usize {
            let index = (bits >> (18 - 6 * place)) & 0x3f;
            let digit = DIGITS.get(index as usize).copied().unwrap_or(b'=');
            text.push(if place <= group.len() {
                digit.into()
            } else {
                '='
            });
        }
    }
    text
}

/// The text on one line and without deceptive characters, and the bytes of it that fit; `None` if
/// it is so already. Backslashes stay: names in the form of RFC 4514 have them.
fn printable(text: &str, limit: usize) -> Option<String> {
    let is_plain = |character: char| !character.is_control() && !is_deceptive(character);
    if text.len() <= limit && text.chars().all(is_plain) {
        return None;
    }
    let mut out = String::new();
    for character in text.chars() {
        let before = out.len();
        if is_plain(character) {
            out.push(character);
        } else {
            push_escaped(&mut out, character);
        }
        if out.len() > limit {
            out.truncate(before);
            out.push_str(" ...");
            break;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests;

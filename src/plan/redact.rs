//! Redaction: bytes with every part of a secret replaced by `***`.
//!
//! A part is at least `PART` bytes of a secret in a row, or the whole of a shorter secret. A peer
//! can send a secret in other forms, such as reversed or in smaller parts, which no search finds.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use foldhash::fast::RandomState;
use memchr::memmem::Finder;

use crate::plan::steps::Secret;

/// The length of the shortest part of a secret that is redacted wherever it is. Shorter parts occur
/// in most texts by chance.
const PART: usize = 4;

/// These bytes with `***` for every part of a secret.
///
/// The bytes may be an excerpt that cuts a secret, so the start of a secret at the very end and the
/// end of a secret at the very start are redacted too, if they have at least three bytes.
pub fn redact<'b, 's>(
    bytes: &'b [u8],
    secrets: impl Iterator<Item = &'s Secret> + Clone,
) -> Cow<'b, [u8]> {
    redact_prefix(bytes, bytes.len(), secrets)
}

/// Like [`redact`], for the first `limit` bytes. It searches no further than a part could reach
/// into them, because a flooding peer may have sent megabytes.
pub fn redact_prefix<'b, 's>(
    bytes: &'b [u8],
    limit: usize,
    secrets: impl Iterator<Item = &'s Secret> + Clone,
) -> Cow<'b, [u8]> {
    let limit = limit.min(bytes.len());
    if secrets.clone().next().is_none() {
        return Cow::Borrowed(bytes.get(..limit).unwrap_or_default());
    }
    let reach = limit.saturating_add(PART - 1);
    let bytes = bytes.get(..reach).unwrap_or(bytes);
    with_stars(bytes, &covered(bytes, secrets), 0..limit).into()
}

/// Like [`redact`], for bytes that continue `before`: a part may lie across both.
pub fn redact_continuation<'s>(
    before: &[u8],
    bytes: &[u8],
    secrets: impl Iterator<Item = &'s Secret>,
) -> Vec<u8> {
    let whole = [before, bytes].concat();
    let covered = covered(&whole, secrets);
    with_stars(&whole, &covered, before.len()..whole.len())
}

/// Like [`redact_prefix`], where only whole secrets are replaced. Parts of the bytes of a stateful
/// encoding are not parts of its text, so the text must be redacted too.
pub fn redact_whole<'b, 's>(
    bytes: &'b [u8],
    limit: usize,
    secrets: impl Iterator<Item = &'s Secret> + Clone,
) -> Cow<'b, [u8]> {
    let limit = limit.min(bytes.len());
    let Some(longest) = secrets.clone().map(|secret| secret.reveal().len()).max() else {
        return Cow::Borrowed(bytes.get(..limit).unwrap_or_default());
    };
    let reach = limit.saturating_add(longest.saturating_sub(1));
    let bytes = bytes.get(..reach).unwrap_or(bytes);
    let mut covered = vec![false; bytes.len()];
    for secret in secrets.map(Secret::reveal) {
        cover_whole(&mut covered, bytes, secret);
    }
    with_stars(bytes, &covered, 0..limit).into()
}

/// Like [`redact`], for a text. A character of which any byte belongs to a secret is replaced.
pub fn redact_text<'s>(text: &str, secrets: impl Iterator<Item = &'s Secret>) -> String {
    let covered = covered(text.as_bytes(), secrets);
    let mut redacted = String::with_capacity(text.len());
    let mut in_secret = false;
    for (at, character) in text.char_indices() {
        let bytes = covered.get(at..at + character.len_utf8());
        let is_secret = bytes.is_some_and(|bytes| bytes.contains(&true));
        if !is_secret {
            redacted.push(character);
        } else if !in_secret {
            redacted.push_str("***");
        }
        in_secret = is_secret;
    }
    redacted
}

/// This range of the bytes, with `***` for every sequence of covered bytes.
fn with_stars(bytes: &[u8], covered: &[bool], part: Range<usize>) -> Vec<u8> {
    let mut redacted = Vec::with_capacity(part.len());
    let mut in_secret = false;
    for (byte, covered) in bytes.iter().zip(covered).skip(part.start).take(part.len()) {
        match (covered, in_secret) {
            (true, false) => redacted.extend_from_slice(b"***"),
            (true, true) => {}
            (false, _) => redacted.push(*byte),
        }
        in_secret = *covered;
    }
    redacted
}

/// For each byte, whether it belongs to a part of a secret.
fn covered<'s>(bytes: &[u8], secrets: impl Iterator<Item = &'s Secret>) -> Vec<bool> {
    let mut covered = vec![false; bytes.len()];
    let mut parts: HashSet<[u8; PART], RandomState> = HashSet::default();
    for secret in secrets.map(Secret::reveal) {
        if secret.len() < PART {
            cover_whole(&mut covered, bytes, secret);
        }
        for part in secret.windows(PART) {
            parts.extend(<[u8; PART]>::try_from(part));
        }
        cover_ends(&mut covered, bytes, secret);
    }
    if !parts.is_empty() {
        for (at, window) in bytes.windows(PART).enumerate() {
            if <[u8; PART]>::try_from(window).is_ok_and(|part| parts.contains(&part)) {
                covered
                    .get_mut(at..at + PART)
                    .unwrap_or_default()
                    .fill(true);
            }
        }
    }
    covered
}

/// Marks every occurrence of a secret. They may overlap each other and those of other secrets.
fn cover_whole(covered: &mut [bool], bytes: &[u8], secret: &[u8]) {
    if secret.is_empty() {
        return;
    }
    let finder = Finder::new(secret);
    let (mut from, mut marked) = (0, 0);
    while let Some(at) = bytes.get(from..).and_then(|rest| finder.find(rest)) {
        let start = from + at;
        let new = start.max(marked)..start + secret.len();
        covered.get_mut(new).unwrap_or_default().fill(true);
        marked = start + secret.len();
        from = start + 1;
    }
}

/// Marks the start of a secret at the end of the bytes, and its end at their start.
fn cover_ends(covered: &mut [bool], bytes: &[u8], secret: &[u8]) {
    let mut mark = |part: Range<usize>| covered.get_mut(part).unwrap_or_default().fill(true);
    // Longer ones are parts.
    let longest = secret.len().min(bytes.len() + 1).min(PART);
    let parts = || (shortest_end(secret)..longest).rev();
    let tail = parts().find(|length| {
        secret
            .get(..*length)
            .is_some_and(|start| bytes.ends_with(start))
    });
    let head = parts().find(|length| {
        secret
            .get(secret.len() - length..)
            .is_some_and(|end| bytes.starts_with(end))
    });
    mark(bytes.len() - tail.unwrap_or(0)..bytes.len());
    mark(0..head.unwrap_or(0));
}

/// The length of the shortest part of a secret that is redacted at the start or end of an excerpt.
fn shortest_end(secret: &[u8]) -> usize {
    secret.len().div_ceil(2).min(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(bytes: &[u8], secrets: &[&[u8]]) -> String {
        let secrets: Vec<_> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        String::from_utf8(redact(bytes, secrets.iter()).into_owned()).unwrap()
    }

    #[test]
    fn every_occurrence_of_every_secret_is_redacted() {
        assert_eq!(
            redacted(b"PASS s3cret!\r\ns3crets3cret", &[b"s3cret"]),
            "PASS ***!\r\n***"
        );
        assert_eq!(redacted(b"aaaaa b", &[b"aa"]), "*** b");
        assert_eq!(
            redacted(b"x s3cret-long y", &[b"s3cret", b"s3cret-long"]),
            "x *** y"
        );
        assert_eq!(redacted(b"x abcdef y", &[b"abcd", b"cdef"]), "x *** y");
        assert_eq!(redacted(b"nothing here", &[b"s3cret", b""]), "nothing here");
        assert_eq!(redacted(b"", &[b"s3cret"]), "");
    }

    #[test]
    fn parts_of_four_bytes_are_redacted_wherever_they_are() {
        let secret: &[&[u8]] = &[b"correct horse"];
        for (bytes, expected) in [
            (&b"it has rect in it"[..], "it has ***in it"),
            (b"it has ect hors, he", "it has ***, he"),
            (b"cor-rec-ect-t-h-hor-se", "cor-rec-ect-t-h-hor-se"),
            (b"-corr-orse-", "-***-***-"),
            (b"eroh tcerroc", "eroh tcerroc"),
            (b"\"corre\"", "\"***\""),
        ] {
            assert_eq!(redacted(bytes, secret), expected);
        }
        assert_eq!(
            redacted(b"a pin is 123, not 124", &[b"123"]),
            "a pin is ***, not 124"
        );
    }

    #[test]
    fn a_text_keeps_its_characters_whole() {
        let secret = [Secret::new("密码密码".as_bytes())];
        let text = |text| redact_text(text, secret.iter());
        assert_eq!(text("是密码!"), "是***!");
        assert_eq!(text("是密, 码"), "是密, 码");
        // Four bytes of the secret reach into the character after the first.
        assert_eq!(text("a密砀b"), "a***b");
    }

    #[test]
    fn a_long_secret_costs_no_more_than_its_length() {
        let secret = [Secret::new(vec![b'a'; 64 << 10])];
        let bytes = vec![b'a'; 1 << 20];
        assert_eq!(redact(&bytes, secret.iter()), &b"***"[..]);
    }

    #[test]
    fn parts_at_both_ends_are_redacted() {
        assert_eq!(redacted(b"echo s3cre", &[b"s3cret"]), "echo ***");
        assert_eq!(redacted(b"ret, it said", &[b"s3cret"]), "***, it said");
        assert_eq!(redacted(b"it says s3", &[b"s3cret"]), "it says s3");
        assert_eq!(redacted(b"a", &[b"ab"]), "***");
    }

    #[test]
    fn a_redacted_prefix_is_the_prefix_of_the_redacted_whole() {
        let secrets = [
            Secret::new(*b"s3cret"),
            Secret::new(*b"ret, it"),
            Secret::new(*b"x"),
        ];
        let bytes = b"x a s3cret, it said s3crets3cr";
        let whole = |limit: usize| {
            // The mask of the whole, then cut.
            let covered = covered(bytes, secrets.iter());
            let kept = bytes
                .iter()
                .zip(covered)
                .take(limit)
                .map(|(byte, covered)| if covered { b'*' } else { *byte });
            String::from_utf8(kept.collect()).unwrap()
        };
        for limit in 0..=bytes.len() + 1 {
            let start = String::from_utf8(redact_prefix(bytes, limit, secrets.iter()).into_owned())
                .unwrap();
            let squeezed = |text: &str| {
                text.split('*')
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join("*")
            };
            assert_eq!(squeezed(&start), squeezed(&whole(limit)), "{limit}");
            assert!(!start.contains("s3"), "{start}");
        }
        assert_eq!(redact_prefix(b"abc", 2, [].iter()), &b"ab"[..]);
    }

    #[test]
    fn a_secret_in_two_pieces_is_redacted_in_both() {
        let secret = [Secret::new(*b"s3cret")];
        for cut in 0..=6 {
            let (one, two) = b"s3cret".split_at(cut);
            let first = redact(one, secret.iter());
            let second = redact_continuation(one, &[two, b" ok"].concat(), secret.iter());
            let text = String::from_utf8([&*first, b"|", &second].concat()).unwrap();
            let expected = match cut {
                0 => "|*** ok",
                1 => "s|*** ok",
                2 => "s3|*** ok",
                6 => "***| ok",
                _ => "***|*** ok",
            };
            assert_eq!(text, expected);
        }
    }
}

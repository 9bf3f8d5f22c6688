//! Redaction: bytes with every secret replaced by `***`.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem::Finder;

use crate::plan::steps::Secret;

/// These bytes with `***` for every secret.
///
/// The bytes may be an excerpt that cuts a secret, so the start of a secret at the very end and the
/// end of a secret at the very start are redacted too, if they have at least three bytes.
pub fn redact<'b, 's>(
    bytes: &'b [u8],
    secrets: impl Iterator<Item = &'s Secret> + Clone,
) -> Cow<'b, [u8]> {
    redact_prefix(bytes, bytes.len(), secrets)
}

/// Like [`redact`], for the first `limit` bytes. It searches no further than a secret could reach
/// into them, because a flooding peer may have sent megabytes.
pub fn redact_prefix<'b, 's>(
    bytes: &'b [u8],
    limit: usize,
    secrets: impl Iterator<Item = &'s Secret> + Clone,
) -> Cow<'b, [u8]> {
    let limit = limit.min(bytes.len());
    let Some(longest) = secrets.clone().map(|secret| secret.reveal().len()).max() else {
        return Cow::Borrowed(bytes.get(..limit).unwrap_or_default());
    };
    let reach = limit.saturating_add(longest.saturating_sub(1));
    redact_range(bytes.get(..reach).unwrap_or(bytes), 0..limit, secrets).into()
}

/// Like [`redact`], for bytes that continue `before`: a secret may lie across both.
pub fn redact_continuation<'s>(
    before: &[u8],
    bytes: &[u8],
    secrets: impl Iterator<Item = &'s Secret>,
) -> Vec<u8> {
    let whole = [before, bytes].concat();
    redact_range(&whole, before.len()..whole.len(), secrets)
}

/// This range of the bytes, with `***` for every byte sequence that belongs to a secret.
fn redact_range<'s>(
    bytes: &[u8],
    part: Range<usize>,
    secrets: impl Iterator<Item = &'s Secret>,
) -> Vec<u8> {
    let mut covered = vec![false; bytes.len()];
    for secret in secrets
        .map(Secret::reveal)
        .filter(|secret| !secret.is_empty())
    {
        cover(&mut covered, bytes, secret);
    }
    let mut redacted = Vec::with_capacity(part.len());
    let mut in_secret = false;
    for (byte, covered) in bytes.iter().zip(covered).skip(part.start).take(part.len()) {
        match (covered, in_secret) {
            (true, false) => redacted.extend_from_slice(b"***"),
            (true, true) => {}
            (false, _) => redacted.push(*byte),
        }
        in_secret = covered;
    }
    redacted
}

/// Marks the bytes that belong to this secret. Occurrences may overlap each other and those of
/// other secrets.
fn cover(covered: &mut [bool], bytes: &[u8], secret: &[u8]) {
    let mut mark = |part: Range<usize>| covered.get_mut(part).unwrap_or_default().fill(true);
    let finder = Finder::new(secret);
    let (mut from, mut marked) = (0, 0);
    while let Some(at) = bytes.get(from..).and_then(|rest| finder.find(rest)) {
        let start = from + at;
        mark(start.max(marked)..start + secret.len());
        marked = start + secret.len();
        from = start + 1;
    }
    let parts = || (shortest_part(secret)..secret.len().min(bytes.len() + 1)).rev();
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

/// The length of the shortest part of a secret that is redacted. Shorter parts occur in most texts
/// by chance.
fn shortest_part(secret: &[u8]) -> usize {
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
            let mut covered = vec![false; bytes.len()];
            for secret in &secrets {
                cover(&mut covered, bytes, secret.reveal());
            }
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

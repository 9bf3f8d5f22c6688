//! What is shown of bytes that may hold a secret.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem::Finder;

use crate::plan::steps::Secret;

/// `***` in the place of every secret in these bytes.
///
/// A secret may be cut by whoever quotes the bytes, or have come only in part; so the start of one at the very end is
/// hidden too, and the end of one at the very start, from three bytes on.
pub fn redact<'b, 's>(
    bytes: &'b [u8],
    secrets: impl Iterator<Item = &'s Secret> + Clone,
) -> Cow<'b, [u8]> {
    redact_prefix(bytes, bytes.len(), secrets)
}

/// What [`redact`] shows of the first so many bytes. No more is searched than could reach into them: a flooding peer sent
/// megabytes.
pub fn redact_prefix<'b, 's>(
    bytes: &'b [u8],
    most: usize,
    secrets: impl Iterator<Item = &'s Secret> + Clone,
) -> Cow<'b, [u8]> {
    let most = most.min(bytes.len());
    let Some(longest) = secrets.clone().map(|secret| secret.reveal().len()).max() else {
        return Cow::Borrowed(bytes.get(..most).unwrap_or_default());
    };
    let reach = most.saturating_add(longest.saturating_sub(1));
    redact_range(bytes.get(..reach).unwrap_or(bytes), 0..most, secrets).into()
}

/// The same for bytes that come after these, which were shown before: a secret may lie in both.
pub fn redact_continuation<'s>(
    before: &[u8],
    bytes: &[u8],
    secrets: impl Iterator<Item = &'s Secret>,
) -> Vec<u8> {
    let whole = [before, bytes].concat();
    redact_range(&whole, before.len()..whole.len(), secrets)
}

/// This part of the bytes, with `***` for what belongs to a secret.
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
    let mut redact_range = Vec::with_capacity(part.len());
    let mut in_secret = false;
    for (byte, covered) in bytes.iter().zip(covered).skip(part.start).take(part.len()) {
        match (covered, in_secret) {
            (true, false) => redact_range.extend_from_slice(b"***"),
            (true, true) => {}
            (false, _) => redact_range.push(*byte),
        }
        in_secret = covered;
    }
    redact_range
}

/// Marks the bytes that belong to this secret; places may overlap each other and those of other secrets.
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
    let parts = || (least(secret)..secret.len().min(bytes.len() + 1)).rev();
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

/// The shortest part of a secret that is hidden: shorter ones are in every second text by chance.
fn least(secret: &[u8]) -> usize {
    secret.len().div_ceil(2).min(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact_range(bytes: &[u8], secrets: &[&[u8]]) -> String {
        let secrets: Vec<_> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        String::from_utf8(redact(bytes, secrets.iter()).into_owned()).unwrap()
    }

    #[test]
    fn every_place_of_every_secret_is_hidden() {
        assert_eq!(
            redact_range(b"PASS s3cret!\r\ns3crets3cret", &[b"s3cret"]),
            "PASS ***!\r\n***"
        );
        assert_eq!(redact_range(b"aaaaa b", &[b"aa"]), "*** b");
        assert_eq!(
            redact_range(b"x s3cret-long y", &[b"s3cret", b"s3cret-long"]),
            "x *** y"
        );
        assert_eq!(redact_range(b"x abcdef y", &[b"abcd", b"cdef"]), "x *** y");
        assert_eq!(
            redact_range(b"nothing here", &[b"s3cret", b""]),
            "nothing here"
        );
        assert_eq!(redact_range(b"", &[b"s3cret"]), "");
    }

    #[test]
    fn parts_at_the_edges_are_hidden() {
        assert_eq!(redact_range(b"echo s3cre", &[b"s3cret"]), "echo ***");
        assert_eq!(redact_range(b"ret, it said", &[b"s3cret"]), "***, it said");
        assert_eq!(redact_range(b"it says s3", &[b"s3cret"]), "it says s3");
        assert_eq!(redact_range(b"a", &[b"ab"]), "***");
    }

    #[test]
    fn the_start_is_what_hiding_everything_leaves_of_it() {
        let secrets = [
            Secret::new(*b"s3cret"),
            Secret::new(*b"ret, it"),
            Secret::new(*b"x"),
        ];
        let bytes = b"x a s3cret, it said s3crets3cr";
        let whole = |most: usize| {
            // The same mask for every length, cut after the fact.
            let mut covered = vec![false; bytes.len()];
            secrets
                .iter()
                .for_each(|secret| cover(&mut covered, bytes, secret.reveal()));
            let kept = bytes
                .iter()
                .zip(covered)
                .take(most)
                .map(|(byte, covered)| if covered { b'*' } else { *byte });
            String::from_utf8(kept.collect()).unwrap()
        };
        for most in 0..=bytes.len() + 1 {
            let start =
                String::from_utf8(redact_prefix(bytes, most, secrets.iter()).into_owned()).unwrap();
            let squeezed = |text: &str| {
                text.split('*')
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join("*")
            };
            assert_eq!(squeezed(&start), squeezed(&whole(most)), "{most}");
            assert!(!start.contains("s3"), "{start}");
        }
        assert_eq!(redact_prefix(b"abc", 2, [].iter()), &b"ab"[..]);
    }

    #[test]
    fn a_secret_in_two_pieces_is_hidden_in_both() {
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

//! What is shown of bytes that may hold a secret.

use std::borrow::Cow;

use super::steps::Secret;

/// `***` in the place of every secret in these bytes.
///
/// A secret may be cut by whoever quotes the bytes, or have come only in part; so the start of one at the very end is
/// hidden too, and the end of one at the very start, from three bytes on.
pub fn hidden<'b, 's>(bytes: &'b [u8], secrets: impl Iterator<Item = &'s Secret>) -> Cow<'b, [u8]> {
    let mut secrets = secrets.peekable();
    // What a flooding peer sent is not copied to quote its start.
    if secrets.peek().is_none() { Cow::Borrowed(bytes) } else { hidden_after(&[], bytes, secrets).into() }
}

/// The same for bytes that come after these, which were shown before: a secret may lie in both.
pub fn hidden_after<'s>(before: &[u8], bytes: &[u8], secrets: impl Iterator<Item = &'s Secret>) -> Vec<u8> {
    let whole = if before.is_empty() { Cow::Borrowed(bytes) } else { [before, bytes].concat().into() };
    let mut covered = vec![false; whole.len()];
    for secret in secrets.map(Secret::reveal).filter(|secret| !secret.is_empty()) {
        cover(&mut covered, &whole, secret);
    }
    let mut shown = Vec::with_capacity(bytes.len());
    let mut in_secret = false;
    for (byte, covered) in whole.iter().zip(covered).skip(before.len()) {
        match (covered, in_secret) {
            (true, false) => shown.extend_from_slice(b"***"),
            (true, true) => {}
            (false, _) => shown.push(*byte),
        }
        in_secret = covered;
    }
    shown
}

/// Marks the bytes that belong to this secret; places may overlap each other and those of other secrets.
fn cover(covered: &mut [bool], bytes: &[u8], secret: &[u8]) {
    let mut mark = |start: usize, length: usize| {
        covered.iter_mut().skip(start).take(length).for_each(|byte| *byte = true);
    };
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| memchr::memmem::find(rest, secret)) {
        mark(from + at, secret.len());
        from += at + 1;
    }
    let parts = || (least(secret)..secret.len().min(bytes.len() + 1)).rev();
    let tail = parts().find(|length| secret.get(..*length).is_some_and(|start| bytes.ends_with(start)));
    let head = parts().find(|length| secret.get(secret.len() - length..).is_some_and(|end| bytes.starts_with(end)));
    mark(bytes.len() - tail.unwrap_or(0), tail.unwrap_or(0));
    mark(0, head.unwrap_or(0));
}

/// The shortest part of a secret that is hidden: shorter ones are in every second text by chance.
fn least(secret: &[u8]) -> usize {
    secret.len().div_ceil(2).min(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], secrets: &[&[u8]]) -> String {
        let secrets: Vec<_> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        String::from_utf8(hidden(bytes, secrets.iter()).into_owned()).unwrap()
    }

    #[test]
    fn every_place_of_every_secret_is_hidden() {
        assert_eq!(shown(b"PASS s3cret!\r\ns3crets3cret", &[b"s3cret"]), "PASS ***!\r\n***");
        assert_eq!(shown(b"aaaaa b", &[b"aa"]), "*** b");
        assert_eq!(shown(b"x s3cret-long y", &[b"s3cret", b"s3cret-long"]), "x *** y");
        assert_eq!(shown(b"x abcdef y", &[b"abcd", b"cdef"]), "x *** y");
        assert_eq!(shown(b"nothing here", &[b"s3cret", b""]), "nothing here");
        assert_eq!(shown(b"", &[b"s3cret"]), "");
    }

    #[test]
    fn parts_at_the_edges_are_hidden() {
        assert_eq!(shown(b"echo s3cre", &[b"s3cret"]), "echo ***");
        assert_eq!(shown(b"ret, it said", &[b"s3cret"]), "***, it said");
        assert_eq!(shown(b"it says s3", &[b"s3cret"]), "it says s3");
        assert_eq!(shown(b"a", &[b"ab"]), "***");
    }

    #[test]
    fn a_secret_in_two_pieces_is_hidden_in_both() {
        let secret = [Secret::new(*b"s3cret")];
        for cut in 0..=6 {
            let (one, two) = b"s3cret".split_at(cut);
            let first = hidden(one, secret.iter());
            let second = hidden_after(one, &[two, b" ok"].concat(), secret.iter());
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

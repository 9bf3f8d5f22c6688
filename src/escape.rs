//! Texts that are safe on one line: nothing in them ends it, hides, or reorders it.

/// Appends a character so that the line stays one printable line that nothing can reorder or hide.
///
/// `\r \n \t \\` by name, other C0 controls and DEL as `\xNN`, C1 controls, bidirectional and zero-width
/// characters as `\u{...}` (Unicode Technical Report 36).
pub fn push_escaped(out: &mut String, character: char) {
    match character {
        '\r' => out.push_str("\\r"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        '\0'..='\x1f' | '\x7f' => out.push_str(&format!("\\x{:02x}", u32::from(character))),
        _ if is_deceptive(character) => out.push_str(&format!("\\u{{{:x}}}", u32::from(character))),
        _ => out.push(character),
    }
}

/// Whether a character is invisible or reorders its neighbours (Unicode Technical Report 36).
pub fn is_deceptive(character: char) -> bool {
    matches!(u32::from(character),
        0x80..=0x9f | 0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb
        | 0xe0000..=0xe007f)
}

/// A caller's text for an error sentence: one line, escaped, cut after `limit` characters.
pub fn escaped_prefix(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for character in text.chars().take(limit) {
        push_escaped(&mut out, character);
    }
    if text.chars().nth(limit).is_some() {
        out.push_str("...");
    }
    out
}

/// The start of a text that was made by [`push_escaped`]: at most so many characters, where an escape is one.
pub fn start(text: &str, limit: usize) -> &str {
    let mut end = 0;
    for _ in 0..limit {
        let rest = text.get(end..).unwrap_or_default();
        end += match rest.as_bytes() {
            [] => break,
            [b'\\', b'x', ..] => 4,
            [b'\\', b'u', ..] => rest.find('}').map_or(2, |brace| brace + 1),
            [b'\\', ..] => 2,
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_halves_no_escape() {
        let mut text = String::new();
        "a\n\u{7}\u{202e}\\é好"
            .chars()
            .for_each(|character| push_escaped(&mut text, character));
        let starts: Vec<_> = (0..=8).map(|limit| start(&text, limit).len()).collect();
        assert_eq!(starts, [0, 1, 3, 7, 15, 17, 19, 22, 22], "{text}");
    }
}

//! Escaping: texts that are safe to print on one line, because no character in them ends the line,
//! is invisible or reorders others.

use std::fmt::Write as _;

/// Appends a character, escaped where needed: `\r \n \t \\` by name, other C0 controls and DEL as
/// `\xNN`, C1 controls, bidirectional and zero-width characters as `\u{...}` (Unicode Technical
/// Report 36).
pub fn push_escaped(out: &mut String, character: char) {
    match character {
        '\r' => out.push_str("\\r"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        '\0'..='\x1f' | '\x7f' => push_hex(out, character as u8),
        _ if is_deceptive(character) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        }
        _ => out.push(character),
    }
}

/// Appends a byte as `\xNN`.
pub fn push_hex(out: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}

/// Whether a character is invisible or reorders the characters around it (Unicode Technical Report
/// 36): C1 controls, line and paragraph separators, interlinear annotations, bidirectional controls
/// (`Bidi_Control`) and everything that is ignored when it is displayed
/// (`Default_Ignorable_Code_Point`, DerivedCoreProperties.txt of Unicode 16).
pub fn is_deceptive(character: char) -> bool {
    matches!(u32::from(character),
        0x80..=0x9f | 0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
        | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff
        | 0xffa0 | 0xfff0..=0xfffb | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// A text with each character of [`is_deceptive`] as `\u{...}` and everything else as it is.
pub fn with_visible_characters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_deceptive(character) {
            push_escaped(&mut out, character);
        } else {
            out.push(character);
        }
    }
    out
}

/// A text to quote in an error: escaped, and truncated to `limit` characters and `...`.
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

/// The first `limit` characters of a text made by [`push_escaped`]; an escape counts as one
/// character.
pub fn truncate_escaped(text: &str, limit: usize) -> &str {
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
    fn invisible_characters_are_escaped() {
        for character in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180f}',
            '\u{200b}',
            '\u{200d}',
            '\u{2028}',
            '\u{202e}',
            '\u{2066}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{fff9}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{1d17a}',
            '\u{e0001}',
            '\u{e0100}',
            '\u{e0fff}',
        ] {
            let mut text = String::new();
            push_escaped(&mut text, character);
            assert_eq!(text, format!("\\u{{{:x}}}", u32::from(character)));
            assert_eq!(
                with_visible_characters(&format!("\\a{character}")),
                format!("\\a{text}")
            );
        }
        let visible = "\\ é 编号 ｱ \u{300}\u{1f600}\u{3000}\n";
        assert_eq!(with_visible_characters(visible), visible);
    }

    #[test]
    fn truncation_keeps_escapes_whole() {
        let mut text = String::new();
        "a\n\u{7}\u{202e}\\é好"
            .chars()
            .for_each(|character| push_escaped(&mut text, character));
        let starts: Vec<_> = (0..=8)
            .map(|limit| truncate_escaped(&text, limit).len())
            .collect();
        assert_eq!(starts, [0, 1, 3, 7, 15, 17, 19, 22, 22], "{text}");
    }
}

//! Names that others chose, made safe to print.

use crate::escape::push_escaped;

/// A name without characters that are invisible or end a line.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars().take(256) {
        match character {
            // Names of units contain escapes of their own.
            '\\' => out.push('\\'),
            _ => push_escaped(&mut out, character),
        }
    }
    out
}

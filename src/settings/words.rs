//! The words of options that know only a few, wherever they are written.

use crate::plan::{AddressSelection, Close, Expected, OnTimeout};

/// `--addresses`
pub const ADDRESSES: [(&str, AddressSelection); 2] = [
    ("first", AddressSelection::First),
    ("all", AddressSelection::All),
];
/// `--close`
pub const CLOSE: [(&str, Close); 2] = [("fin", Close::Fin), ("rst", Close::Rst)];
/// `--expect-closed`
pub const CLOSED: [(&str, Expected); 2] = [
    ("answered", Expected::Closed(OnTimeout::Fails)),
    ("filtered", Expected::Closed(OnTimeout::CountsAsClosed)),
];

/// What a word means; else the words that would mean something.
pub fn meaning<T: Copy>(word: &str, known: &[(&'static str, T)]) -> Result<T, String> {
    let value = known
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, value)| *value);
    value.ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
        format!("use {}", names.join(" or "))
    })
}

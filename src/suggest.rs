//! Suggestions for misspelled names.

/// The longest word that is compared: the time grows with its length, and no name is half as long.
const MAX_LENGTH: usize = 200;

/// The known name that is most similar to this one (Jaro-Winkler), if it is similar enough.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > MAX_LENGTH {
        return None;
    }
    let score = |candidate: &&'k str| strsim::jaro_winkler(word, candidate);
    let best = known
        .into_iter()
        .map(|candidate| (score(&candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested_and_others_are_not() {
        let known = ["time.connect", "time.total", "up"];
        assert_eq!(did_you_mean("time.conect", known), Some("time.connect"));
        assert_eq!(did_you_mean("connect_ms_p99", known), None);
        assert_eq!(did_you_mean("", known), None);
        // At once: by its length it would take minutes.
        assert_eq!(did_you_mean(&"up".repeat(1 << 20), known), None);
    }
}

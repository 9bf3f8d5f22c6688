//! The known word that somebody probably meant.

/// The known word nearest to this one, if one is near enough to be meant.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
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
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["time.connect", "time.total", "up"];
        assert_eq!(did_you_mean("time.conect", known), Some("time.connect"));
        assert_eq!(did_you_mean("connect_ms_p99", known), None);
        assert_eq!(did_you_mean("", known), None);
    }
}

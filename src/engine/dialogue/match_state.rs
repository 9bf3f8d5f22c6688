//! What is known of a match when some bytes have arrived, and what is asked for.

/// The state of a match against the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchState {
    /// No match yet, but one is possible.
    Undecided,
    /// No match is possible any more, since the byte before this offset.
    Impossible(usize),
    /// It matched up to this offset, but further bytes may change that.
    Tentative(usize),
    /// It matched up to this offset, whatever follows.
    Matched(usize),
}

/// Which end of a match is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchEnd {
    /// The end of the whole match: it has captures, or a later step continues from it.
    Exact,
    /// The first byte that completes a match.
    Earliest,
}

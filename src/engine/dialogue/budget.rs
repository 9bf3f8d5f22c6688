//! The work that a dialogue may do before other connections are served.

/// Counts work; its unit is a state of an automaton that is visited, which takes a few nanoseconds.
#[derive(Debug)]
pub struct Budget {
    left: usize,
}

impl Budget {
    /// The work of one turn: about a millisecond.
    const ONE_TURN: usize = 100_000;

    /// The budget of one turn.
    pub fn one_turn() -> Self {
        Self {
            left: Self::ONE_TURN,
        }
    }

    /// A budget of this much work.
    #[cfg(test)]
    pub fn of(left: usize) -> Self {
        Self { left }
    }

    /// Spends some of it, or all that is left.
    pub fn spend(&mut self, work: usize) {
        self.left = self.left.saturating_sub(work);
    }

    /// Whether nothing is left.
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }
}

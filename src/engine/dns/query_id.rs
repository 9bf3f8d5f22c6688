//! Random ids of questions (RFC 5452, section 9.2), from the kernel.

/// Ids, fetched many at a time: a system call costs more than a question's bytes.
#[derive(Debug)]
pub struct Ids {
    buffer: [u8; 128],
    used: usize,
}

impl Default for Ids {
    fn default() -> Self {
        Self {
            buffer: [0; 128],
            used: 128,
        }
    }
}

impl Ids {
    /// The next id; fails only where the kernel has no randomness yet.
    pub fn draw(&mut self) -> Result<u16, getrandom::Error> {
        if self.used + 2 > self.buffer.len() {
            getrandom::fill(&mut self.buffer)?;
            self.used = 0;
        }
        let pair = self
            .buffer
            .get(self.used..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or_default();
        self.used += 2;
        Ok(u16::from_be_bytes(pair))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ() {
        let mut ids = Ids::default();
        let seen: HashSet<u16> = (0..1000).map(|_| ids.draw().unwrap()).collect();
        // Of 1000 random ids about 992 differ; a repeated buffer would leave 64.
        assert!(seen.len() > 900, "{}", seen.len());
    }
}

//! Random query ids (RFC 5452, section 9.2) from the kernel.

use std::io;

use crate::os::random;

/// Size of the buffer of random bytes; two bytes per id.
const BUFFER: usize = 128;

/// A source of query ids. Fetches many at a time, because the system call is the expensive part.
#[derive(Debug)]
pub struct QueryIds {
    buffer: [u8; BUFFER],
    used: usize,
}

impl Default for QueryIds {
    fn default() -> Self {
        Self {
            buffer: [0; BUFFER],
            used: BUFFER,
        }
    }
}

impl QueryIds {
    /// The next id.
    ///
    /// # Errors
    /// If the kernel has no random bytes yet (getrandom(2)).
    pub fn next_id(&mut self) -> io::Result<u16> {
        if self.used + 2 > self.buffer.len() {
            random::fill(&mut self.buffer)?;
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
        let mut ids = QueryIds::default();
        let seen: HashSet<u16> = (0..1000).map(|_| ids.next_id().unwrap()).collect();
        // Of 1000 random ids about 992 differ; a repeated buffer would leave 64.
        assert!(seen.len() > 900, "{}", seen.len());
    }
}

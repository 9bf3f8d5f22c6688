//! A quick hash for maps by target or address. The standard one takes its time to withstand whoever chooses keys to collide
//! for all; these keys are the caller's own list, and a seed of each map keeps the rest from guessing.

use std::hash::{BuildHasher, Hasher, RandomState};

/// How a map by target or address hashes.
#[derive(Debug, Clone)]
pub struct Quick {
    seed: u64,
}

impl Default for Quick {
    fn default() -> Self {
        Self {
            seed: RandomState::new().hash_one(0),
        }
    }
}

impl BuildHasher for Quick {
    type Hasher = Mix;

    fn build_hasher(&self) -> Mix {
        Mix(self.seed)
    }
}

/// The hash so far: each word is multiplied into it, and the halves of the product are folded.
#[derive(Debug)]
pub struct Mix(u64);

impl Mix {
    fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            self.word(
                part.iter()
                    .fold(0, |word, byte| word << 8 | u64::from(*byte)),
            );
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.word(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.word(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.word(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn neighbours_spread_over_both_ends_of_the_hash() {
        let quick = Quick::default();
        let hashes: Vec<u64> = (0..4096_u32)
            .map(|n| quick.hash_one(IpAddr::from((0x7f01_0000 + n).to_be_bytes())))
            .collect();
        for part in [|hash: &u64| hash & 0xffff, |hash: &u64| hash >> 48] {
            // Of 4096 draws out of 65,536 about 3970 differ.
            let different = hashes.iter().map(part).collect::<HashSet<_>>().len();
            assert!(different > 3700, "{different}");
        }
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), 4096);
    }

    #[test]
    fn equal_keys_hash_alike_in_one_map_only() {
        let (one, two) = (Quick::default(), Quick::default());
        assert_eq!(one.hash_one("mx1"), one.clone().hash_one("mx1"));
        assert_ne!(one.hash_one("mx1"), two.hash_one("mx1"));
    }
}

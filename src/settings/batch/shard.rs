//! One part of a list that several runs share.

use crate::cli::values::non_empty;
use crate::escape::escaped_prefix;
use crate::settings::SettingsError;

/// The I-th of N parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    index: u64,
    parts: u64,
}

/// More parts than anybody has proxies.
const MOST_PARTS: u64 = 65_536;

/// Reads `I/N`, which counts from 1.
///
/// # Errors
/// When it is anything else.
pub fn shard(option: &Option<String>) -> Result<Option<Shard>, SettingsError> {
    let Some(word) = non_empty(option) else {
        return Ok(None);
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            text.parse::<u64>().ok()
        } else {
            None
        }
    };
    let read = word
        .split_once('/')
        .and_then(|(i, n)| Some((number(i)?, number(n)?)));
    match read {
        Some((i, n)) if (1..=n).contains(&i) && n <= MOST_PARTS => Ok(Some(Shard {
            index: i - 1,
            parts: n,
        })),
        _ => {
            let text = format!(
                "`{}` is no part: write `1/4` to `4/4` for one of four",
                escaped_prefix(word, 40)
            );
            Err(SettingsError::in_option("--shard", text))
        }
    }
}

impl Shard {
    /// Whether the target of this id is in this part; no other target changes that.
    pub fn has(self, id: &str) -> bool {
        mixed(fnv(id.as_bytes())) % self.parts == self.index
    }
}

/// FNV-1a of 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, add)
}

/// Its low bits alone spread short ids badly.
fn mixed(hash: u64) -> u64 {
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(word: &str) -> Result<Option<Shard>, String> {
        shard(&Some(word.to_owned())).map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn every_id_is_in_exactly_one_part_of_about_the_same_size() {
        let parts: Vec<Shard> = (1..=3)
            .map(|i| read(&format!("{i}/3")).unwrap().unwrap())
            .collect();
        let mut sizes = [0; 3];
        for host in 0..3000_u32 {
            let id = format!("10.0.{}.{}:80", host / 250, host % 250);
            let at: Vec<usize> = (0..3).filter(|at| parts[*at].has(&id)).collect();
            assert_eq!(at.len(), 1, "{id}");
            sizes[at[0]] += 1;
        }
        assert!(
            sizes.iter().all(|size| (850..1150).contains(size)),
            "{sizes:?}"
        );
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(
            (fnv(b""), fnv(b"a"), fnv(b"foobar")),
            (0xcbf29ce484222325, 0xaf63dc4c8601ec8c, 0x85944171f73967e8)
        );
    }

    #[test]
    fn a_target_stays_in_its_part_for_ever() {
        // Changing these would move values to other items of other hosts.
        let part = |id| {
            (1..=4)
                .find(|i| read(&format!("{i}/4")).unwrap().unwrap().has(id))
                .unwrap()
        };
        assert_eq!(
            ["127.0.0.1:22", "::1:443", "mail", "h:22.ssh"].map(part),
            [4, 3, 3, 3]
        );
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for word in [
            "0/4", "5/4", "1/0", "0/0", "1", "1/", "/1", "1/4/4", "-1/4", "+1/4", "1/65537", "a/b",
            "1 / 4",
        ] {
            assert!(read(word).unwrap_err().starts_with("--shard: "), "{word}");
        }
        assert_eq!(read(""), Ok(None));
    }
}

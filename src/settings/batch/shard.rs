//! Splits a list among several runs, such as those of several Zabbix proxies.

use std::str::FromStr;

use crate::escape::escaped_prefix;

/// One of N parts of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 0.
    index: u64,
    count: u64,
}

/// The most parts.
const MAX_SHARDS: u64 = 65_536;

impl FromStr for Shard {
    type Err = String;

    /// Parses `I/N`, where I counts from 1.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| is_number)
        };
        let parsed = text
            .split_once('/')
            .and_then(|(index, count)| Some((number(index)?, number(count)?)));
        match parsed {
            Some((index, count)) if (1..=count).contains(&index) && count <= MAX_SHARDS => {
                Ok(Self {
                    index: index - 1,
                    count,
                })
            }
            _ => {
                let text = escaped_prefix(text, 40);
                Err(format!(
                    "invalid shard `{text}`: expected I/N with I from 1 to N, for example 1/4"
                ))
            }
        }
    }
}

impl Shard {
    /// Whether the target with this id belongs to this part. Other targets have no influence.
    pub fn contains(self, id: &str) -> bool {
        mix(fnv(id.as_bytes())) % self.count == self.index
    }
}

/// FNV-1a of 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, add)
}

/// Mixes the high bits into the low ones: for short ids the low bits alone are distributed badly.
fn mix(hash: u64) -> u64 {
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    #[test]
    fn every_id_is_in_one_part_and_parts_are_of_similar_size() {
        let parts: Vec<Shard> = (1..=3).map(|i| shard(&format!("{i}/3"))).collect();
        let mut sizes = [0; 3];
        for host in 0..3000_u32 {
            let id = format!("10.0.{}.{}:80", host / 250, host % 250);
            let at: Vec<usize> = (0..3).filter(|at| parts[*at].contains(&id)).collect();
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
            (
                0xcbf2_9ce4_8422_2325,
                0xaf63_dc4c_8601_ec8c,
                0x8594_4171_f739_67e8
            )
        );
    }

    #[test]
    fn a_target_stays_in_its_part() {
        // Changing these would move values to other items of other hosts.
        let part = |id| {
            (1..=4)
                .find(|i| shard(&format!("{i}/4")).contains(id))
                .unwrap()
        };
        assert_eq!(
            ["127.0.0.1:22", "::1:443", "mail", "h:22.ssh"].map(part),
            [4, 3, 3, 3]
        );
    }

    #[test]
    fn invalid_shards_are_refused() {
        for word in [
            "", "0/4", "5/4", "1/0", "0/0", "1", "1/", "/1", "1/4/4", "-1/4", "+1/4", "1/65537",
            "a/b", "1 / 4",
        ] {
            let error = word.parse::<Shard>().unwrap_err();
            assert!(
                error.ends_with("expected I/N with I from 1 to N, for example 1/4"),
                "{error}"
            );
        }
    }
}

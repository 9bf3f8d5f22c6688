//! Names of users (passwd(5)).

use std::collections::{BTreeMap, BTreeSet};

/// The names of these users in the content of /etc/passwd; the first name of a number counts, as
/// for getpwuid(3).
pub fn names(passwd: &[u8], uids: &BTreeSet<u32>) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in passwd.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (Some(name), Some(uid)) = (fields.next(), fields.nth(1)) else {
            continue;
        };
        let uid = std::str::from_utf8(uid)
            .ok()
            .and_then(|uid| uid.parse().ok());
        let Some(uid) = uid.filter(|uid| uids.contains(uid) && !name.is_empty()) else {
            continue;
        };
        let name = || String::from_utf8_lossy(name).into_owned();
        names.entry(uid).or_insert_with(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts() {
        let text = b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0:::\n:x:5::::\nbad\nx:y\n\xff:x:6:6:::\nweb:x:33:33:::";
        let found = names(text, &[0, 5, 6, 33, 99].into());
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort();
        let expected = [(0, "root"), (6, "\u{fffd}"), (33, "web")];
        assert_eq!(found, expected.map(|(uid, name)| (uid, name.to_owned())));
    }
}

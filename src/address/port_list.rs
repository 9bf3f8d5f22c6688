//! Port lists with services, such as `22/ssh,25/smtp,8000-8010`.

use std::collections::HashSet;

use crate::address::Port;
use crate::address::cidr::{ExpandError, MOST_READ, range};
use crate::escape::escaped_prefix;

/// One port of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry<'s> {
    /// The port.
    pub port: Port,
    /// The service after the slash.
    pub service: Option<&'s str>,
}

/// The entries of a list in its order, each once; spaces do not matter, nor do empty places between commas, as macros
/// that expand to nothing leave them.
///
/// # Errors
/// When a word is no port, no range or no service's name, and when there are more than `most` entries.
pub fn entries(list: &str, most: usize) -> Result<Vec<Entry<'_>>, ExpandError> {
    if let Some(comma) = list
        .chars()
        .find(|character| FOREIGN_COMMAS.contains(character))
    {
        return Err(ExpandError::Comma(comma));
    }
    let (mut entries, mut seen, mut read) = (Vec::new(), HashSet::new(), 0);
    for word in list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        let (ports, service) = entry(word)?;
        read += ports.len();
        let fresh = ports
            .filter_map(Port::new)
            .map(|port| Entry { port, service })
            .filter(|entry| seen.insert(*entry));
        entries.extend(fresh);
        if entries.len() > most || read > MOST_READ {
            return Err(ExpandError::TooManyPorts(most));
        }
    }
    Ok(entries)
}

fn entry(word: &str) -> Result<(std::ops::RangeInclusive<u16>, Option<&str>), ExpandError> {
    if word.starts_with("{$") || word.starts_with("{#") {
        return Err(ExpandError::Macro(escaped_prefix(word, 60)));
    }
    let (ports, service) = match word.split_once('/') {
        Some((ports, service)) => (ports.trim_end(), Some(service.trim_start())),
        None => (word, None),
    };
    if service.is_some_and(str::is_empty) {
        return Err(ExpandError::NoService(escaped_prefix(word, 60)));
    }
    let named = |word: &str| word.starts_with(|first: char| first.is_ascii_alphabetic());
    if named(ports) && service.is_none() {
        return Err(ExpandError::NoNumber(escaped_prefix(ports, 60)));
    }
    Ok((range(ports)?, service))
}

/// The commas and semicolons that look right and are not (Unicode Standard Annex 24: the scripts that use them).
const FOREIGN_COMMAS: [char; 8] = ['，', '、', '﹐', '､', '；', ';', '،', '‚'];

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(list: &str) -> String {
        let words = entries(list, 1000).unwrap();
        let word = |entry: &Entry<'_>| match entry.service {
            Some(service) => format!("{}/{service}", entry.port),
            None => entry.port.to_string(),
        };
        words.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lists_keep_their_order_and_lose_repeats() {
        assert_eq!(
            listed("22/ssh,25/smtp,8000-8002"),
            "22/ssh 25/smtp 8000 8001 8002"
        );
        assert_eq!(listed(" 80 , 22 / ssh,80 - 81,,22/ssh, "), "80 22/ssh 81");
        assert_eq!(listed("22/ssh,22"), "22/ssh 22");
        assert_eq!(listed("80-81/http"), "80/http 81/http");
        assert_eq!(listed(""), "");
        assert_eq!(listed(" , "), "");
    }

    #[test]
    fn what_is_no_list_gets_a_remedy() {
        for (list, remedy) in [
            ("0", "1 to 65535"),
            ("65536", "1 to 65535"),
            ("22-", "1 to 65535"),
            ("22 25", "`22 25`"),
            ("80-22", "smaller port first"),
            ("22，25", "write `,`"),
            ("22；25", "write `,`"),
            ("22;25", "write `,`"),
            ("ssh", "`22/ssh`"),
            ("22/", "after the slash"),
            ("{$TCP.PORTS}", "no value"),
            ("1-1001", "more than 1000 ports"),
            ("２２", "1 to 65535"),
        ] {
            let error = entries(list, 1000).expect_err(list).to_string();
            assert!(
                error.contains(remedy) && !error.contains('\n'),
                "{list}: {error}"
            );
        }
    }

    #[test]
    fn endless_repeats_end() {
        let list = "1-65535,".repeat(100_000);
        assert_eq!(
            entries(&list, 65_535),
            Err(ExpandError::TooManyPorts(65_535))
        );
        assert_eq!(entries("1-65535", 65_535).unwrap().len(), 65_535);
    }
}

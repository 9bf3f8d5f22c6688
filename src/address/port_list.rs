//! Port lists such as `22/ssh,25/smtp,8000-8010`: one parser for arguments, files and the policy.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::address::{Port, TargetError};
use crate::escape::escaped_prefix;

/// The most ports of one host.
pub const MAX_PORTS: usize = 65_535;

/// The maximum number of ports in a list, repeats included. It limits the work for lists such as
/// `1-65535,1-65535,...`.
const MAX_READ: usize = 1 << 20;

/// One port of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PortEntry {
    /// The port.
    pub port: Port,
    /// The service after the slash.
    pub service: Option<Arc<str>>,
}

/// One element of a list: a port is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange<'t> {
    /// The first port.
    pub first: Port,
    /// The last port, not below the first.
    pub last: Port,
    /// The service after the slash.
    pub service: Option<&'t str>,
}

/// The ports of a list in its order, each once.
///
/// # Errors
/// When an element is not a port or a range, and when there are more than `max` ports.
pub fn parse(list: &str, max: usize) -> Result<Vec<PortEntry>, PortListError> {
    // Nearly every list of a batch is one number.
    if !list.is_empty() && list.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(vec![PortEntry {
            port: list.parse()?,
            service: None,
        }]);
    }
    let (mut entries, mut read) = (Vec::new(), 0);
    let mut seen: HashSet<_, RandomState> = HashSet::default();
    for range in ranges(list) {
        let range = range?;
        let service: Option<Arc<str>> = range.service.map(Into::into);
        let numbers = range.first.get()..=range.last.get();
        read += numbers.len();
        let new = numbers
            .filter_map(Port::new)
            .map(|port| PortEntry {
                port,
                service: service.clone(),
            })
            .filter(|entry| seen.insert(entry.clone()));
        entries.extend(new);
        if entries.len() > max || read > MAX_READ {
            return Err(PortListError::TooMany(max));
        }
    }
    Ok(entries)
}

/// The elements of a list. Blanks around them are ignored, and so are empty elements: a Zabbix
/// macro without a value becomes one.
pub fn ranges(list: &str) -> impl Iterator<Item = Result<PortRange<'_>, PortListError>> {
    list.split(',')
        .map(str::trim)
        .filter(|element| !element.is_empty())
        .map(range)
}

/// Parses `22`, `8000-8010`, `22/ssh`.
fn range(element: &str) -> Result<PortRange<'_>, PortListError> {
    if element.starts_with("{$") || element.starts_with("{#") {
        return Err(PortListError::Macro(escaped_prefix(element, 60)));
    }
    if let Some(separator) = element.chars().find(|c| FOREIGN_SEPARATORS.contains(c)) {
        return Err(PortListError::Separator(separator));
    }
    let (ports, service) = match element.split_once('/') {
        Some((ports, service)) => (ports.trim_end(), Some(service.trim_start())),
        None => (element, None),
    };
    if service.is_some_and(str::is_empty) {
        return Err(PortListError::NoService(escaped_prefix(element, 60)));
    }
    let is_named = ports.starts_with(|first: char| first.is_ascii_alphabetic());
    if is_named && service.is_none() && !ports.contains(char::is_whitespace) {
        return Err(PortListError::NoNumber(escaped_prefix(ports, 60)));
    }
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last) = (first.trim_end(), last.trim_start());
    let mut texts = [Some(first), Some(last), service].into_iter().flatten();
    if let Some(blank) = texts.find_map(|text| text.chars().find(|c| c.is_whitespace())) {
        return Err(PortListError::Separator(blank));
    }
    let (first, last): (Port, Port) = (first.parse()?, last.parse()?);
    if first > last {
        return Err(PortListError::Reversed(escaped_prefix(ports, 40)));
    }
    Ok(PortRange {
        first,
        last,
        service,
    })
}

/// Semicolons, and the commas of other scripts (Unicode Standard Annex 24).
const FOREIGN_SEPARATORS: [char; 8] = ['，', '、', '﹐', '､', '；', ';', '،', '‚'];

/// Why a port list is refused; the text names the element and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortListError {
    /// Not a port.
    Port(TargetError),
    /// A range whose end is below its start.
    Reversed(String),
    /// A character other than `,` between two ports.
    Separator(char),
    /// More ports than this.
    TooMany(usize),
    /// A Zabbix macro without a value.
    Macro(String),
    /// A slash without a service.
    NoService(String),
    /// A service without a port.
    NoNumber(String),
}

impl From<TargetError> for PortListError {
    fn from(error: TargetError) -> Self {
        Self::Port(error)
    }
}

impl fmt::Display for PortListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(error) => error.fmt(f),
            Self::Reversed(range) => write!(
                f,
                "range `{range}` is reversed: write the smaller port first"
            ),
            Self::Separator(separator) => write!(
                f,
                "`{}` is not a separator: write `,` between ports",
                escaped_prefix(separator.encode_utf8(&mut [0; 4]), 1)
            ),
            Self::TooMany(max) => write!(f, "more than {max} ports"),
            Self::Macro(element) => write!(
                f,
                "`{element}`: this macro has no value in Zabbix: define it on the host or the template"
            ),
            Self::NoService(element) => write!(
                f,
                "`{element}` has no service after the slash: write `22/ssh`, or `22`"
            ),
            Self::NoNumber(element) => write!(
                f,
                "`{element}` is not a port: write the port number first, as in `22/ssh`"
            ),
        }
    }
}

impl std::error::Error for PortListError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(list: &str) -> String {
        let entries = parse(list, 1000).unwrap();
        let text = |entry: &PortEntry| match &entry.service {
            Some(service) => format!("{}/{service}", entry.port),
            None => entry.port.to_string(),
        };
        entries.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lists_keep_their_order_and_drop_repeats() {
        for (list, expected) in [
            ("22/ssh,25/smtp,8000-8002", "22/ssh 25/smtp 8000 8001 8002"),
            (" 80 , 22 / ssh,80 - 81,,22/ssh, ", "80 22/ssh 81"),
            ("22/ssh,22", "22/ssh 22"),
            ("80-81/http", "80/http 81/http"),
            ("", ""),
            (" , ", ""),
        ] {
            assert_eq!(listed(list), expected, "{list}");
        }
    }

    #[test]
    fn errors_name_the_remedy() {
        for (list, remedy) in [
            ("0", "1 to 65535"),
            ("65536", "1 to 65535"),
            ("022", "leading zero"),
            ("22-", "1 to 65535"),
            ("-22", "1 to 65535"),
            ("22 25", "` ` is not a separator: write `,` between ports"),
            ("22/ssh 25/smtp", "write `,` between ports"),
            ("22\t25", "write `,` between ports"),
            ("80-22", "smaller port first"),
            ("22，25", "write `,` between ports"),
            ("22；25", "write `,` between ports"),
            ("22;25", "write `,` between ports"),
            ("ssh", "`22/ssh`"),
            ("22/", "after the slash"),
            ("{$TCP.PORTS}", "no value"),
            ("1-1001", "more than 1000 ports"),
            ("２２", "1 to 65535"),
        ] {
            let error = parse(list, 1000).expect_err(list).to_string();
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
            parse(&list, MAX_PORTS),
            Err(PortListError::TooMany(MAX_PORTS))
        );
        assert_eq!(parse("1-65535", MAX_PORTS).unwrap().len(), MAX_PORTS);
    }
}

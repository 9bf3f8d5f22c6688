//! Targets as words: `HOST:PORT`, `HOST PORT`, `HOST PORT SERVICE`, where HOST may be a network and PORT a list.

use crate::address::cidr::{ExpandError, hosts_up_to};
use crate::address::port_list::{Entry, entries};
use crate::address::{Host, split_port};
use crate::settings::SettingsError;
use crate::settings::batch::listing::Asked;
use crate::settings::batch::methods::Own;
use crate::settings::overrides::Location;

/// The most ports of one host.
const MOST_PORTS: usize = 65_535;

/// One word of a command line.
///
/// # Errors
/// When it is no target.
pub fn word(word: &str, most: usize) -> Result<Asked<'_>, SettingsError> {
    asked(Location::Word(word.into()), [Some(word), None, None], most)
}

/// One line of a list that is no JSON.
///
/// # Errors
/// When it is no target.
pub fn line(place: Location, line: &str, most: usize) -> Result<Asked<'_>, SettingsError> {
    let mut words = line.split_ascii_whitespace();
    let read = [words.next(), words.next(), words.next()];
    if words.next().is_some() {
        return Err(SettingsError::at(
            &place,
            "has more words than `HOST PORT SERVICE`; a remark begins with `#`",
        ));
    }
    asked(place, read, most)
}

fn asked(
    place: Location,
    words: [Option<&str>; 3],
    most: usize,
) -> Result<Asked<'_>, SettingsError> {
    let refused = |why: ExpandError| SettingsError::at(&place, lifted(why));
    let [first, list, service] = words;
    let (host, glued) = split(first.unwrap_or_default()).map_err(refused)?;
    if glued.is_some() && list.is_some() {
        return Err(SettingsError::at(
            &place,
            "has two ports: write `HOST:PORT` alone, or `HOST PORT SERVICE`",
        ));
    }
    let hosts = hosts(host, most).map_err(refused)?;
    let ports = ports(glued.or(list)).map_err(refused)?;
    Ok(Asked {
        hosts,
        ports,
        service,
        own: Own::default(),
        label: None,
        place,
    })
}

/// Splits `HOST:PORT`, `[V6]:PORT`, `[V6/LENGTH]:PORT` and `[V6]/LENGTH:PORT`.
fn split(word: &str) -> Result<(&str, Option<&str>), ExpandError> {
    match word.split_once("]/") {
        Some((_, rest)) => match rest.split_once(':') {
            Some((_, port)) => Ok((
                word.strip_suffix(port)
                    .and_then(|host| host.strip_suffix(':'))
                    .unwrap_or(word),
                Some(port),
            )),
            None => Ok((word, None)),
        },
        None => Ok(split_port(word)?),
    }
}

/// The hosts of a word; nearly always one.
pub fn hosts(word: &str, most: usize) -> Result<Vec<Host>, ExpandError> {
    hosts_up_to(word, u64::try_from(most).unwrap_or(u64::MAX))
}

/// The ports of a list; none where there is no word.
pub fn ports(list: Option<&str>) -> Result<Vec<Entry<'_>>, ExpandError> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    // Nearly every list is one number.
    if list.is_empty() || list.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(vec![Entry {
            port: list.parse()?,
            service: None,
        }]);
    }
    let ports = entries(list, MOST_PORTS)?;
    if ports.is_empty() {
        Err(ExpandError::Target(crate::address::TargetError::Port(
            list.to_owned(),
        )))
    } else {
        Ok(ports)
    }
}

/// Too large a network can be allowed here.
pub fn lifted(why: ExpandError) -> String {
    match why {
        ExpandError::TooLarge { .. } => format!("{why}, or raise --max-targets"),
        why => why.to_string(),
    }
}

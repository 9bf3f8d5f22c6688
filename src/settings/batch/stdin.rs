//! Targets from standard input: lines `HOST:PORT`, `HOST PORT [SERVICE]`, or JSON objects.

use crate::settings::batch::json_object;
use crate::settings::batch::target_list::TargetList;
use crate::settings::config::json_target;
use crate::settings::error::{Key, Location, SettingsError};
use crate::settings::target_spec::{TargetLimit, TargetSpec};

/// The longest line in bytes. A target with a dialogue of its own is far below.
const MAX_LINE_BYTES: usize = 65_536;

/// Adds the targets of a list.
///
/// # Errors
/// The first error, unless erroneous targets are skipped; a list without targets in any case.
pub fn add(list: &mut TargetList<'_>, text: &[u8]) -> Result<(), SettingsError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut is_empty = true;
    for (number, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let target = match readable(bytes) {
            Ok(line) if line.is_empty() || line.starts_with('#') => continue,
            Ok(line) if line.starts_with('{') => object(number, line, list.limit),
            Ok(line) => TargetSpec::from_line(number, without_comment(line), list.limit),
            Err(why) => Err(in_line(number, why)),
        };
        is_empty = false;
        list.add(target.as_ref())?;
    }
    // An empty document would make Zabbix delete what it discovered before the list was lost.
    if is_empty {
        return Err(SettingsError::new(
            "standard input contains no targets: write one target on each line",
        ));
    }
    Ok(())
}

fn in_line(number: usize, message: impl std::fmt::Display) -> SettingsError {
    SettingsError::at(&Location::StdinLine(number), &Key::NONE, message)
}

/// Parses a line that is a JSON object.
fn object(number: usize, line: &str, limit: TargetLimit) -> Result<TargetSpec, SettingsError> {
    let object = json_object::parse(line).map_err(|why| in_line(number, why))?;
    json_target(number, &object, limit)
}

/// A line as text, without blanks around it.
fn readable(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > MAX_LINE_BYTES {
        return Err(format!(
            "the line has {} bytes, more than the limit of {MAX_LINE_BYTES}",
            bytes.len()
        ));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| "is not UTF-8 text".to_owned())?
        .trim();
    // Nearly every line is printable ASCII.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(text);
    }
    match text.chars().find(|c| c.is_control() && *c != '\t') {
        Some('\0') => Err("contains a NUL byte: write the list as UTF-8 text".to_owned()),
        Some(control) => Err(format!(
            "contains the control character U+{:04X}",
            u32::from(control)
        )),
        None => Ok(text),
    }
}

/// The line without a comment, which begins with a blank and `#`.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices('#').find(|(at, _)| {
        line.get(..*at)
            .is_some_and(|before| before.ends_with([' ', '\t']))
    });
    comment.and_then(|(at, _)| line.get(..at)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_trimmed_and_checked() {
        assert_eq!(readable(b"  h:80\t\r"), Ok("h:80"));
        assert_eq!(readable("主机:80".as_bytes()), Ok("主机:80"));
        assert_eq!((readable(b"\r"), readable(b"")), (Ok(""), Ok("")));
        assert_eq!(
            readable(&vec![b'a'; MAX_LINE_BYTES]).map(str::len),
            Ok(MAX_LINE_BYTES)
        );
        for bad in [
            &b"h\0:80"[..],
            b"\xff\xfeh\0",
            b"h:80\rh:81",
            &vec![b'a'; MAX_LINE_BYTES + 1],
        ] {
            assert!(readable(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn comments_begin_after_a_blank() {
        assert_eq!(without_comment("h 80 # web"), "h 80 ");
        assert_eq!(without_comment("h\t#80"), "h\t");
        assert_eq!(without_comment("h#1 80"), "h#1 80");
    }
}

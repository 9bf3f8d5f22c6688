//! Targets from standard input, line by line.

use crate::settings::SettingsError;
use crate::settings::batch::json::Reader;
use crate::settings::batch::listing::{Listing, in_line};
use crate::settings::batch::words;

/// The longest line in bytes: a target with a dialogue of its own is far below.
const LONGEST: usize = 65_536;

/// Adds the targets of a list.
///
/// # Errors
/// When it has none, and the first mistake unless the caller said to keep going.
pub fn add(listing: &mut Listing<'_>, text: &[u8]) -> Result<(), SettingsError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut objects = Reader::default();
    let mut empty = true;
    for (number, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
        let place = in_line(number + 1);
        let line = match readable(bytes) {
            Ok(line) if line.is_empty() || line.starts_with('#') => continue,
            line => line.map_err(|why| SettingsError::at(&place, why)),
        };
        empty = false;
        match line {
            Ok(line) if line.starts_with('{') => {
                let object = objects.read(&place, line);
                let most = listing.most;
                listing.add(
                    object
                        .as_ref()
                        .map_err(Clone::clone)
                        .and_then(|object| object.asked(place, most)),
                )?;
            }
            Ok(line) => listing.add(words::line(place, without_remark(line), listing.most))?,
            Err(mistake) => listing.add(Err(mistake))?,
        }
    }
    // An empty document would delete whatever was discovered before the list was lost.
    if empty {
        Err(SettingsError::new(
            "standard input has no target: write one on each line",
        ))
    } else {
        Ok(())
    }
}

/// A line as text, without the blanks around it.
fn readable(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > LONGEST {
        return Err(format!(
            "a line of {} bytes: at most {LONGEST} are read",
            bytes.len()
        ));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| "is not UTF-8 text".to_owned())?
        .trim();
    // Nearly every line is plain ASCII.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(text);
    }
    match text.chars().find(|c| c.is_control() && *c != '\t') {
        Some('\0') => Err("holds a NUL byte: is this a text file in UTF-8?".to_owned()),
        Some(control) => Err(format!(
            "holds the control character U+{:04X}",
            u32::from(control)
        )),
        None => Ok(text),
    }
}

/// The words before ` #`.
fn without_remark(line: &str) -> &str {
    let remark = line.match_indices('#').find(|(at, _)| {
        line.get(..*at)
            .is_some_and(|before| before.ends_with([' ', '\t']))
    });
    remark.and_then(|(at, _)| line.get(..at)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_people_write_them() {
        assert_eq!(readable(b"  h:80\t\r"), Ok("h:80"));
        assert_eq!(readable("主机:80".as_bytes()), Ok("主机:80"));
        assert_eq!((readable(b"\r"), readable(b"")), (Ok(""), Ok("")));
        assert_eq!(readable(&[b'a'; LONGEST]).map(str::len), Ok(LONGEST));
        for bad in [
            &b"h\0:80"[..],
            b"\xff\xfeh\0",
            b"h:80\rh:81",
            &[b'a'; LONGEST + 1],
        ] {
            assert!(readable(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn remarks_begin_after_a_blank() {
        assert_eq!(without_remark("h 80 # web"), "h 80 ");
        assert_eq!(without_remark("h\t#80"), "h\t");
        assert_eq!(without_remark("h#1 80"), "h#1 80");
    }
}

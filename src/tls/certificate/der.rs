//! Reading of DER (X.690) as far as certificates need it. Lengths that are not minimal are
//! accepted, so that the facts are reported; the verification decides which certificates are
//! refused.

/// `BOOLEAN`.
pub const BOOLEAN: u8 = 0x01;
/// `INTEGER`.
pub const INTEGER: u8 = 0x02;
/// `BIT STRING`.
pub const BIT_STRING: u8 = 0x03;
/// `OCTET STRING`.
pub const OCTET_STRING: u8 = 0x04;
/// `OBJECT IDENTIFIER`.
pub const OID: u8 = 0x06;
/// `UTCTime`.
pub const UTC_TIME: u8 = 0x17;
/// `GeneralizedTime`.
pub const GENERALIZED_TIME: u8 = 0x18;
/// `SEQUENCE`, `SEQUENCE OF`.
pub const SEQUENCE: u8 = 0x30;
/// `SET`, `SET OF`.
pub const SET: u8 = 0x31;

/// The context-specific tag of a primitive value.
pub const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The context-specific tag of a constructed value.
pub const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

/// Why bytes are not DER.
pub type DerError = &'static str;

/// One value.
#[derive(Debug, Clone, Copy)]
pub struct DerValue<'a> {
    /// The tag.
    pub tag: u8,
    /// The content.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub whole: &'a [u8],
}

/// A sequence of values.
#[derive(Debug, Clone)]
pub struct DerReader<'a> {
    rest: &'a [u8],
}

impl<'a> DerReader<'a> {
    /// Reads the values in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether no byte is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value.
    ///
    /// # Errors
    /// If there is none, or it is not complete.
    pub fn value(&mut self) -> Result<DerValue<'a>, DerError> {
        let (&[tag, first], after) = self.rest.split_first_chunk().ok_or("it ends early")?;
        if tag & 0x1f == 0x1f {
            return Err("it has a tag of several bytes");
        }
        let (length, header) = match first {
            0..=0x7f => (usize::from(first), 2),
            0x81..=0x84 => {
                let number = usize::from(first & 0x7f);
                let digits = after.get(..number).ok_or("it ends early")?;
                let length = digits
                    .iter()
                    .fold(0_usize, |sum, digit| (sum << 8) | usize::from(*digit));
                (length, 2 + number)
            }
            0x80 => return Err("it has an indefinite length"),
            _ => return Err("it has a length of more than 4 bytes"),
        };
        let end = header.saturating_add(length);
        let whole = self
            .rest
            .get(..end)
            .ok_or("a length exceeds the remaining bytes")?;
        self.rest = self.rest.get(end..).unwrap_or_default();
        Ok(DerValue {
            tag,
            content: whole.get(header..).unwrap_or_default(),
            whole,
        })
    }

    /// The next value, which must have this tag.
    ///
    /// # Errors
    /// If it has another, or is not complete.
    pub fn expect(&mut self, tag: u8) -> Result<DerValue<'a>, DerError> {
        let value = self.value()?;
        if value.tag == tag {
            Ok(value)
        } else {
            Err("it has an unexpected tag")
        }
    }

    /// The next value if it has this tag.
    ///
    /// # Errors
    /// If it has, and is not complete.
    pub fn optional(&mut self, tag: u8) -> Result<Option<DerValue<'a>>, DerError> {
        if self.rest.first() == Some(&tag) {
            self.value().map(Some)
        } else {
            Ok(None)
        }
    }
}

/// The values in the only value of `bytes`, a `SEQUENCE`.
///
/// # Errors
/// If it is none, or more follows.
pub fn sequence(bytes: &[u8]) -> Result<DerReader<'_>, DerError> {
    let mut reader = DerReader::new(bytes);
    let value = reader.expect(SEQUENCE)?;
    if reader.is_empty() {
        Ok(DerReader::new(value.content))
    } else {
        Err("it has trailing bytes")
    }
}

/// The bytes of a `BIT STRING` that has no unused bits.
///
/// # Errors
/// If it has some, or is empty.
pub fn whole_bytes(bit_string: &[u8]) -> Result<&[u8], DerError> {
    match bit_string.split_first() {
        Some((0, bytes)) => Ok(bytes),
        _ => Err("its bit string is invalid"),
    }
}

/// An object identifier in its dotted form. Arcs above 2^64 are written as `?`.
pub fn dotted(oid: &[u8]) -> String {
    // A byte is at most three digits and a dot.
    let mut out = String::with_capacity(4 * oid.len());
    let mut digits = itoa::Buffer::new();
    let mut arc = Some(0_u64);
    for byte in oid {
        arc = arc
            .and_then(|arc| arc.checked_mul(128))
            .map(|arc| arc | u64::from(byte & 0x7f));
        if byte & 0x80 != 0 {
            continue;
        }
        if out.is_empty() {
            // The first two arcs share a number.
            let (first, second) = match arc {
                Some(arc @ 0..80) => (arc / 40, Some(arc % 40)),
                Some(arc) => (2, Some(arc - 80)),
                None => (2, None),
            };
            out.push_str(digits.format(first));
            arc = second;
        }
        out.push('.');
        match arc {
            Some(arc) => out.push_str(digits.format(arc)),
            None => out.push('?'),
        }
        arc = Some(0);
    }
    out
}

/// The number of bits of a positive `INTEGER`; 0 if it is not positive.
pub fn bits(integer: &[u8]) -> usize {
    if integer.first().is_none_or(|byte| byte & 0x80 != 0) {
        return 0;
    }
    let start = integer.iter().position(|byte| *byte != 0);
    let digits = start.and_then(|start| integer.get(start..));
    digits.map_or(0, |digits| {
        let zeros = digits.first().map_or(0, |byte| byte.leading_zeros());
        digits.len() * 8 - zeros as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_identifiers_are_dotted() {
        for (oid, text) in [
            (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d][..], "1.2.840.113549"),
            (&[0x55, 0x04, 0x03], "2.5.4.3"),
            (&[0x88, 0x37, 0x01], "2.999.1"),
            (&[], ""),
            (&[0xff; 20], ""),
            (
                &[
                    0x55, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
                ],
                "2.5.?",
            ),
        ] {
            assert_eq!(dotted(oid), text, "{oid:x?}");
        }
    }

    #[test]
    fn bits_are_counted() {
        for (integer, number) in [
            (&[][..], 0),
            (&[0], 0),
            (&[1], 1),
            (&[0, 0x80], 8),
            (&[0x80], 0),
            (&[1, 0], 9),
        ] {
            assert_eq!(bits(integer), number, "{integer:x?}");
        }
    }

    #[test]
    fn what_is_not_der_is_refused() {
        for (bytes, why) in [
            (&[][..], "it ends early"),
            (&[0x30], "it ends early"),
            (&[0x30, 0x82, 1], "it ends early"),
            (&[0x30, 0x80, 0, 0], "it has an indefinite length"),
            (
                &[0x30, 0x85, 0, 0, 0, 0, 0],
                "it has a length of more than 4 bytes",
            ),
            (&[0x30, 0xff], "it has a length of more than 4 bytes"),
            (&[0x1f, 0x80, 1, 0], "it has a tag of several bytes"),
            (&[0x30, 1], "a length exceeds the remaining bytes"),
            (
                &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
                "a length exceeds the remaining bytes",
            ),
            (&[0x02, 0], "it has an unexpected tag"),
            (&[0x30, 0, 0], "it has trailing bytes"),
        ] {
            assert_eq!(sequence(bytes).err(), Some(why), "{bytes:x?}");
        }
        // Not minimal, and accepted.
        assert!(sequence(&[0x30, 0x82, 0, 1, 0]).is_ok());
    }
}

//! Reading the fields of a handshake message (RFC 5246, section 4): big-endian numbers, and vectors
//! after their length.

/// The bytes of a message that are not read yet. Each method reads one field, or gives `None` if
/// the bytes end before it does.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageFields<'b>(pub &'b [u8]);

impl<'b> MessageFields<'b> {
    /// This many bytes.
    pub(super) fn bytes(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of one byte.
    pub(super) fn number8(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    /// A number of two bytes.
    pub(super) fn number16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    /// A vector after a length of this many bytes, at most three.
    pub(super) fn vector(&mut self, length_bytes: usize) -> Option<&'b [u8]> {
        let length = self.bytes(length_bytes)?;
        let length = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        self.bytes(length)
    }

    /// Whether everything is read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_turn() {
        let mut fields = MessageFields(&[1, 2, 3, 0, 2, 9, 8, 0, 0, 1, 7]);
        assert_eq!(fields.number8(), Some(1));
        assert_eq!(fields.number16(), Some(0x203));
        assert_eq!(fields.vector(2), Some([9, 8].as_slice()));
        assert!(!fields.is_empty());
        assert_eq!(fields.vector(3), Some([7].as_slice()));
        assert!(fields.is_empty());
        assert_eq!(fields.number8(), None);
    }

    #[test]
    fn a_vector_may_not_end_after_the_message() {
        assert_eq!(MessageFields(&[0, 3, 1, 1]).vector(2), None);
        assert_eq!(MessageFields(&[0xff, 0xff, 0xff]).vector(3), None);
        assert_eq!(MessageFields(&[0]).vector(2), None);
        assert_eq!(MessageFields(&[0]).number16(), None);
    }
}

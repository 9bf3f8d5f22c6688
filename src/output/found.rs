//! What was found of thousands of targets, already as bytes: a report is larger than what is printed of it.

use std::num::NonZeroU32;

/// The size of a piece of memory. One that grows would be copied, and be there twice while it is.
const PIECE: usize = 64 * 1024;

/// Rendered reports, by the numbers of their plans.
#[derive(Debug)]
pub struct Found {
    pieces: Vec<Vec<u8>>,
    places: Vec<Option<Place>>,
    scratch: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// Which piece, from 1.
    piece: NonZeroU32,
    start: u32,
    length: u32,
}

impl Found {
    /// Room for this many.
    pub fn new(targets: usize) -> Self {
        Self { pieces: Vec::new(), places: vec![None; targets], scratch: Vec::new() }
    }

    /// Keeps what this function appends. Each number is kept once, and none above the room.
    pub fn keep(&mut self, number: u32, append: impl FnOnce(&mut Vec<u8>)) {
        let Some(slot @ None) = self.places.get_mut(number as usize) else { return };
        self.scratch.clear();
        append(&mut self.scratch);
        let fits = |piece: &Vec<u8>| piece.capacity() - piece.len() >= self.scratch.len();
        if !self.pieces.last().is_some_and(fits) {
            self.pieces.push(Vec::with_capacity(PIECE.max(self.scratch.len())));
        }
        let count = u32::try_from(self.pieces.len()).ok().and_then(NonZeroU32::new);
        if let (Some(piece), Some(bytes)) = (count, self.pieces.last_mut()) {
            // No piece reaches 4 GiB: what is rendered of one report is bounded by what is kept of a response.
            *slot = Some(Place { piece, start: bytes.len() as u32, length: self.scratch.len() as u32 });
            bytes.extend_from_slice(&self.scratch);
        }
    }

    /// What was kept under this number.
    pub fn get(&self, number: u32) -> Option<&[u8]> {
        let Place { piece, start, length } = (*self.places.get(number as usize)?)?;
        let start = start as usize;
        self.pieces.get(piece.get() as usize - 1)?.get(start..start + length as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_again() {
        let mut found = Found::new(2000);
        for number in (0..2000_u32).rev() {
            found.keep(number, |buffer| buffer.extend(std::iter::repeat_n(number as u8, number as usize)));
        }
        for number in 0..2000_u32 {
            assert_eq!(found.get(number), Some(&vec![number as u8; number as usize][..]), "{number}");
        }
        assert!(found.pieces.iter().all(|piece| piece.capacity() == PIECE), "no piece has grown");
    }

    #[test]
    fn what_is_larger_than_a_piece_gets_its_own() {
        let mut found = Found::new(2);
        found.keep(1, |buffer| buffer.resize(3 * PIECE, 7));
        found.keep(0, |buffer| buffer.push(1));
        assert_eq!((found.get(0).unwrap().len(), found.get(1).unwrap().len()), (1, 3 * PIECE));
    }

    #[test]
    fn only_the_first_of_a_number_counts() {
        let mut found = Found::new(3);
        for (number, byte) in [(1, 1), (1, 2), (3, 3)] {
            found.keep(number, |buffer| buffer.push(byte));
        }
        assert_eq!((found.get(1), found.get(0), found.get(3)), (Some(&[1][..]), None, None));
    }
}

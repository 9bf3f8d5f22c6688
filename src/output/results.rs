//! What was found of thousands of targets, until it is printed in input order: the few facts of a plain report, the
//! bytes of any other. Both are smaller than the report.

use std::sync::Arc;

use crate::output::batch_format::Defaults;
use crate::output::compact_report::Plain;
use crate::output::entry;
use crate::plan::Plan;
use crate::report::Report;

/// The size of a piece of memory. One that grows would be copied, and be there twice while it is.
const PIECE: usize = 64 * 1024;

/// What is kept of each report, by the numbers of their plans.
#[derive(Debug)]
pub struct Found {
    kept: Vec<Kept>,
    pieces: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Kept {
    Nothing,
    Plain(Plain),
    /// Bytes of a piece.
    Bytes {
        piece: u32,
        start: u32,
        length: u32,
    },
}

impl Found {
    /// Room for this many.
    pub fn new(targets: usize) -> Self {
        Self {
            kept: vec![Kept::Nothing; targets],
            pieces: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Keeps what an entry of a document needs.
    pub fn keep_entry(&mut self, report: &Report, defaults: Defaults) {
        match Plain::of(report) {
            Some(plain) => self.put(report.plan.index, Kept::Plain(plain)),
            None => self.keep_bytes(report.plan.index, |buffer| {
                entry::write_found(report, defaults, buffer);
            }),
        }
    }

    /// Appends the second half of an entry, as [`entry::write_found`] does.
    pub fn write_entry(&self, plan: &Arc<Plan>, defaults: Defaults, buffer: &mut Vec<u8>) {
        let plain = match self.kept.get(plan.index as usize) {
            Some(Kept::Plain(plain)) => plain.report(plan),
            _ => None,
        };
        match plain {
            Some(report) => entry::write_found(&report, defaults, buffer),
            None => buffer.extend_from_slice(self.bytes(plan.index).unwrap_or(b"}")),
        }
    }

    /// Keeps what this function appends.
    pub fn keep_bytes(&mut self, number: u32, append: impl FnOnce(&mut Vec<u8>)) {
        self.scratch.clear();
        append(&mut self.scratch);
        let fits = |piece: &Vec<u8>| piece.capacity() - piece.len() >= self.scratch.len();
        if !self.pieces.last().is_some_and(fits) {
            self.pieces
                .push(Vec::with_capacity(PIECE.max(self.scratch.len())));
        }
        let piece = self.pieces.len() - 1;
        if let Some(bytes) = self.pieces.last_mut() {
            // Neither reaches 2^32: what is rendered of a report is bounded by what is kept of a response.
            let (piece, start, length) =
                (piece as u32, bytes.len() as u32, self.scratch.len() as u32);
            bytes.extend_from_slice(&self.scratch);
            self.put(
                number,
                Kept::Bytes {
                    piece,
                    start,
                    length,
                },
            );
        }
    }

    /// The bytes that were kept under this number.
    pub fn bytes(&self, number: u32) -> Option<&[u8]> {
        let Kept::Bytes {
            piece,
            start,
            length,
        } = *self.kept.get(number as usize)?
        else {
            return None;
        };
        let start = start as usize;
        self.pieces
            .get(piece as usize)?
            .get(start..start + length as usize)
    }

    fn put(&mut self, number: u32, what: Kept) {
        if let Some(kept) = self.kept.get_mut(number as usize) {
            *kept = what;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;
    use crate::output::test_reports::{down, plan, up};

    #[test]
    fn bytes_are_found_again() {
        let mut found = Found::new(2000);
        for number in (0..2000_u32).rev() {
            found.keep_bytes(number, |buffer| {
                buffer.extend(std::iter::repeat_n(number as u8, number as usize));
            });
        }
        for number in 0..2000_u32 {
            assert_eq!(
                found.bytes(number),
                Some(&vec![number as u8; number as usize][..]),
                "{number}"
            );
        }
        assert!(
            found.pieces.iter().all(|piece| piece.capacity() == PIECE),
            "no piece has grown"
        );
    }

    #[test]
    fn what_is_larger_than_a_piece_gets_its_own() {
        let mut found = Found::new(2);
        found.keep_bytes(1, |buffer| buffer.resize(3 * PIECE, 7));
        found.keep_bytes(0, |buffer| buffer.push(1));
        assert_eq!(
            (found.bytes(0).unwrap().len(), found.bytes(1).unwrap().len()),
            (1, 3 * PIECE)
        );
        assert_eq!(found.bytes(2), None);
    }

    #[test]
    fn entries_are_written_as_their_reports_would_be() {
        let plans = [
            plan(0, "192.0.2.7", None),
            plan(1, "192.0.2.7", None),
            plan(2, "mx1", None),
        ];
        let reports = [
            up(&plans[0], b"", 0),
            up(&plans[1], b"220 ready", 0),
            down(&plans[2], Status::Refused),
        ];
        for defaults in [Defaults::Written, Defaults::LeftOut] {
            let mut found = Found::new(3);
            reports
                .iter()
                .rev()
                .for_each(|report| found.keep_entry(report, defaults));
            for report in &reports {
                let (mut kept, mut written) = (Vec::new(), Vec::new());
                found.write_entry(&report.plan, defaults, &mut kept);
                entry::write_found(report, defaults, &mut written);
                assert_eq!(String::from_utf8(kept), String::from_utf8(written));
            }
        }
    }
}

//! The results of a batch, stored until they are printed in input order. Most are stored as a
//! [`CompactReport`], the others as formatted bytes; both are smaller than a report.

use std::sync::Arc;

use crate::output::batch_format::DefaultFields;
use crate::output::compact_report::CompactReport;
use crate::output::entry;
use crate::plan::Plan;
use crate::report::Report;

/// The size of a chunk of bytes. Chunks never grow, to avoid copying them.
const CHUNK: usize = 64 * 1024;

/// The stored result of each target, by the number of its plan.
#[derive(Debug)]
pub struct ResultStore {
    stored: Vec<StoredResult>,
    chunks: Vec<Vec<u8>>,
    /// What was stored last: at the end of a run, thousands of targets in turn have one result.
    last: Option<ByteRange>,
    /// Reused buffer for the result that is being formatted.
    scratch: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum StoredResult {
    Missing,
    Compact(CompactReport),
    Bytes(ByteRange),
}

/// A range of bytes in one chunk.
#[derive(Debug, Clone, Copy)]
struct ByteRange {
    chunk: u32,
    start: u32,
    length: u32,
}

impl ResultStore {
    /// An empty store for this many targets.
    pub fn new(targets: usize) -> Self {
        Self {
            stored: vec![StoredResult::Missing; targets],
            chunks: Vec::new(),
            last: None,
            scratch: Vec::new(),
        }
    }

    /// Stores the result fields of a document entry.
    pub fn store_entry(&mut self, report: &Report, defaults: DefaultFields) {
        match CompactReport::new(report) {
            Some(compact) => self.put(report.plan.index, StoredResult::Compact(compact)),
            None => self.store_bytes(report.plan.index, |buffer| {
                entry::write_result_fields(report, defaults, buffer);
            }),
        }
    }

    /// Appends the second half of an entry, as [`entry::write_result_fields`] does.
    pub fn write_entry(&self, plan: &Arc<Plan>, defaults: DefaultFields, buffer: &mut Vec<u8>) {
        let compact = match self.stored.get(plan.index as usize) {
            Some(StoredResult::Compact(compact)) => compact.report(plan),
            _ => None,
        };
        match compact {
            Some(report) => entry::write_result_fields(&report, defaults, buffer),
            None => buffer.extend_from_slice(self.bytes(plan.index).unwrap_or(b"}")),
        }
    }

    /// Stores the bytes that the closure appends.
    pub fn store_bytes(&mut self, number: u32, append: impl FnOnce(&mut Vec<u8>)) {
        self.scratch.clear();
        append(&mut self.scratch);
        let repeated = |range: &ByteRange| self.range(*range) == Some(&self.scratch[..]);
        if !self.last.as_ref().is_some_and(repeated) {
            self.last = self.store_scratch();
        }
        if let Some(range) = self.last {
            self.put(number, StoredResult::Bytes(range));
        }
    }

    /// Copies the scratch buffer to the end of a chunk. `None` if a number exceeds 32 bits, which
    /// cannot happen: the length of a formatted report is bounded by the stored part of a response.
    fn store_scratch(&mut self) -> Option<ByteRange> {
        let length = self.scratch.len();
        let fits = |chunk: &Vec<u8>| chunk.capacity() - chunk.len() >= length;
        if !self.chunks.last().is_some_and(fits) {
            self.chunks.push(Vec::with_capacity(CHUNK.max(length)));
        }
        let chunk = self.chunks.len() - 1;
        let bytes = self.chunks.last_mut()?;
        let range = ByteRange {
            chunk: u32::try_from(chunk).ok()?,
            start: u32::try_from(bytes.len()).ok()?,
            length: u32::try_from(length).ok()?,
        };
        bytes.extend_from_slice(&self.scratch);
        Some(range)
    }

    /// The bytes that were stored for this plan.
    pub fn bytes(&self, number: u32) -> Option<&[u8]> {
        let StoredResult::Bytes(range) = self.stored.get(number as usize)? else {
            return None;
        };
        self.range(*range)
    }

    fn range(&self, range: ByteRange) -> Option<&[u8]> {
        let start = range.start as usize;
        self.chunks
            .get(range.chunk as usize)?
            .get(start..start + range.length as usize)
    }

    fn put(&mut self, number: u32, result: StoredResult) {
        if let Some(slot) = self.stored.get_mut(number as usize) {
            *slot = result;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Status;
    use crate::output::test_reports::{down, plan, up};

    /// Bytes that differ in length and value between neighbors.
    fn content(number: u32) -> Vec<u8> {
        vec![number.to_le_bytes()[0]; number as usize]
    }

    #[test]
    fn stored_bytes_are_returned() {
        let mut store = ResultStore::new(2000);
        for number in (0..2000_u32).rev() {
            store.store_bytes(number, |buffer| {
                buffer.extend(content(number));
            });
        }
        for number in 0..2000_u32 {
            assert_eq!(store.bytes(number), Some(&content(number)[..]), "{number}");
        }
        assert!(
            store.chunks.iter().all(|chunk| chunk.capacity() == CHUNK),
            "no chunk has grown"
        );
    }

    #[test]
    fn a_result_larger_than_a_chunk_gets_its_own() {
        let mut store = ResultStore::new(2);
        store.store_bytes(1, |buffer| buffer.resize(3 * CHUNK, 7));
        store.store_bytes(0, |buffer| buffer.push(1));
        assert_eq!(
            (store.bytes(0).unwrap().len(), store.bytes(1).unwrap().len()),
            (1, 3 * CHUNK)
        );
        assert_eq!(store.bytes(2), None);
    }

    #[test]
    fn stored_entries_equal_directly_written_ones() {
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
        for defaults in [DefaultFields::Include, DefaultFields::Omit] {
            let mut store = ResultStore::new(3);
            reports
                .iter()
                .rev()
                .for_each(|report| store.store_entry(report, defaults));
            for report in &reports {
                let (mut stored, mut direct) = (Vec::new(), Vec::new());
                store.write_entry(&report.plan, defaults, &mut stored);
                entry::write_result_fields(report, defaults, &mut direct);
                assert_eq!(String::from_utf8(stored), String::from_utf8(direct));
            }
        }
    }

    /// At the end of a run, thousands of targets in turn have one result.
    #[test]
    fn equal_results_in_turn_are_stored_once() {
        let plans: Vec<_> = (0..1000).map(|index| plan(index, "mx1", None)).collect();
        let mut store = ResultStore::new(plans.len());
        for plan in &plans {
            store.store_entry(&down(plan, Status::NotTried), DefaultFields::Include);
        }
        let stored: usize = store.chunks.iter().map(Vec::len).sum();
        assert_eq!(Some(stored), store.bytes(0).map(<[u8]>::len));
        assert_eq!(store.bytes(0), store.bytes(999));
    }
}

//! The completed offsets of one partition, in a form that fits into the metadata of a committed offset.
//!
//! Records complete out of order, so a single offset does not tell which are done. The committed offset is the *frontier*
//! (low watermark), the first offset that is not done; the offsets completed beyond it are kept in the commit's metadata.

pub(crate) mod ledger;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use thiserror::Error;

pub(crate) use self::ledger::Ledger;

/// The default of the broker's `offset.metadata.max.bytes`, but for the record count that is kept there as well.
const METADATA_MAX_BYTES: usize = 4096 - 64;

/// The metadata is a form, the frontier and base64, with colons between them. The frontier says what the rest counts
/// from: with any other offset it would name the wrong records.
///
/// This form holds a bit for each offset from the frontier on, the lowest bit of a byte first.
const BITS: &str = "bits";

/// This form holds the lengths of open and completed runs, in turn, from the frontier on, each as LEB128 (seven bits a
/// byte, the lowest first, the high bit where more follow).
const RUNS: &str = "runs";

/// The metadata of a committed offset is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unrecognized commit metadata: {0:?}")]
pub struct UnrecognizedMetadata(String);

/// The completed offsets of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompletedOffsets {
    frontier: i64,
    /// Offsets done beyond the frontier: starts and ends (the offset after the last one) that do not touch.
    runs: BTreeMap<i64, i64>,
}

impl CompletedOffsets {
    /// No [metadata](Self::encode_metadata) holds more runs than this: one takes two bits at least, a character holds six.
    pub const MAX_RUNS: usize = METADATA_MAX_BYTES * 6 / 2;

    /// Everything below `frontier`, and nothing else.
    pub fn below(frontier: i64) -> Self {
        Self { frontier, runs: BTreeMap::new() }
    }

    /// Decodes what was committed.
    ///
    /// # Errors
    /// [`UnrecognizedMetadata`] where the metadata was not [encoded](Self::encode_metadata) here, or for another frontier.
    pub fn read(frontier: i64, text: &str) -> Result<Self, UnrecognizedMetadata> {
        let read = || {
            let mut done = Self::below(frontier);
            let (form, rest) = text.split_once(':')?;
            let (from, rest) = rest.split_once(':')?;
            let bytes = STANDARD_NO_PAD.decode(rest).ok().filter(|_| from.parse() == Ok(frontier))?;
            match form {
                BITS => done.insert_bits(&bytes),
                RUNS => done.insert_lengths(&bytes)?,
                _ => return None,
            }
            Some(done)
        };
        if text.is_empty() {
            Ok(Self::below(frontier))
        } else {
            read().ok_or_else(|| UnrecognizedMetadata(text.to_owned()))
        }
    }

    /// The first offset that may not be done.
    pub fn frontier(&self) -> i64 {
        self.frontier
    }

    /// Whether an offset is done.
    pub fn contains(&self, offset: i64) -> bool {
        self.first_open(offset) > offset
    }

    /// The first offset from this one on that may not be done.
    pub fn first_open(&self, offset: i64) -> i64 {
        let offset = offset.max(self.frontier);
        let run = self.runs.range(..=offset).next_back();
        run.map_or(offset, |(_, &end)| offset.max(end))
    }

    /// The offsets from `start` to before `end` are done, or have no record.
    pub fn insert(&mut self, start: i64, end: i64) {
        let (mut start, mut end) = (start.max(self.frontier), end);
        if start >= end {
            return;
        }
        // Runs that overlap or touch become one.
        let touching = self.runs.range(..=end).rev().take_while(|(_, run)| **run >= start);
        let touching: Vec<i64> = touching.map(|(&run, _)| run).collect();
        for run in touching {
            start = start.min(run);
            end = end.max(self.runs.remove(&run).unwrap_or(end));
        }
        if start == self.frontier {
            self.frontier = end;
        } else {
            self.runs.insert(start, end);
        }
    }

    /// Runs completed beyond the frontier: starts, and the offsets after their last ones.
    pub fn runs(&self) -> impl Iterator<Item = (i64, i64)> {
        self.runs.iter().map(|(&start, &end)| (start, end))
    }

    /// The metadata to commit with the frontier: the shorter of the two forms. `None` where both are too long.
    pub fn encode_metadata(&self) -> Option<String> {
        if self.runs.is_empty() {
            return Some(String::new());
        }
        let runs = Some((RUNS, self.lengths()));
        let shorter = self.bits().map(|bits| (BITS, bits)).into_iter().chain(runs).min_by_key(|(_, bytes)| bytes.len());
        let text = shorter.map(|(form, bytes)| format!("{form}:{}:{}", self.frontier, STANDARD_NO_PAD.encode(bytes)));
        text.filter(|text| text.len() <= METADATA_MAX_BYTES)
    }

    /// The metadata of as many completed offsets as fit, the lowest first: those left out may be processed again.
    pub fn encode_metadata_that_fits(&self) -> String {
        let mut kept = self.clone();
        loop {
            if let Some(text) = kept.encode_metadata() {
                return text;
            }
            let middle = kept.runs.keys().nth(kept.runs.len() / 2).copied();
            drop(middle.map(|middle| kept.runs.split_off(&middle)));
        }
    }

    /// `None` where it would be far too long.
    fn bits(&self) -> Option<Vec<u8>> {
        let (_, &end) = self.runs.last_key_value()?;
        let length = usize::try_from(end - self.frontier).ok()?.div_ceil(8);
        if length > METADATA_MAX_BYTES {
            return None;
        }
        let mut bits = vec![0; length];
        for offset in self.runs().flat_map(|(start, end)| start..end) {
            let index = usize::try_from(offset - self.frontier).ok()?;
            bits[index / 8] |= 1 << (index % 8);
        }
        Some(bits)
    }

    fn insert_bits(&mut self, bits: &[u8]) {
        let from = self.frontier;
        let set = bits.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        for (offset, _) in (from..).zip(set).filter(|(_, set)| *set) {
            self.insert(offset, offset + 1);
        }
    }

    fn lengths(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut at = self.frontier;
        for (start, end) in self.runs() {
            write_leb128(&mut bytes, start.abs_diff(at));
            write_leb128(&mut bytes, end.abs_diff(start));
            at = end;
        }
        bytes
    }

    fn insert_lengths(&mut self, mut bytes: &[u8]) -> Option<()> {
        let mut at = self.frontier;
        while !bytes.is_empty() {
            let start = at.checked_add_unsigned(read_leb128(&mut bytes)?)?;
            at = start.checked_add_unsigned(read_leb128(&mut bytes)?)?;
            self.insert(start, at);
        }
        Some(())
    }
}

fn write_leb128(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low & 0x7f);
        }
        bytes.push(low | 0x80);
    }
}

fn read_leb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn read(done: &CompletedOffsets) -> CompletedOffsets {
        CompletedOffsets::read(done.frontier(), &done.encode_metadata().unwrap()).unwrap()
    }

    /// Every second offset, as far as `end`: the pattern with the longest text.
    fn scattered(end: i64) -> CompletedOffsets {
        let mut done = CompletedOffsets::below(0);
        for offset in (1..end).step_by(2) {
            done.insert(offset, offset + 1);
        }
        done
    }

    proptest! {
        #[test]
        fn completed_offsets_agree_with_a_set_and_survive_a_commit(
            first in 0i64..1_000_000, inserts in prop::collection::vec((0i64..3_000, 1i64..40), 0..80),
        ) {
            let (mut done, mut set) = (CompletedOffsets::below(first), BTreeSet::new());
            for (start, length) in inserts {
                done.insert(first + start, first + start + length);
                set.extend(first + start..first + start + length);
            }
            let read = read(&done);
            prop_assert_eq!(&read, &done);
            for offset in first..first + 3_100 {
                prop_assert_eq!(read.contains(offset), set.contains(&offset), "offset {}", offset);
            }
            let frontier = (first..first + 4_000).find(|offset| !set.contains(offset));
            prop_assert_eq!(Some(read.frontier()), frontier);
        }

        #[test]
        fn runs_far_apart_survive_a_commit(gaps in prop::collection::vec((1i64..1 << 40, 1i64..1 << 30), 0..200)) {
            let (mut done, mut at) = (CompletedOffsets::below(7), 7);
            for (gap, length) in gaps {
                done.insert(at + gap, at + gap + length);
                at += gap + length;
            }
            prop_assert_eq!(read(&done), done);
        }

        #[test]
        fn any_metadata_is_read_or_refused(text in "(bits:5:|runs:5:)?[A-Za-z0-9+/]{0,40}") {
            let _ = CompletedOffsets::read(5, &text);
        }
    }

    #[test]
    fn any_pattern_of_24_000_offsets_fits() {
        let done = scattered(24_000);
        assert_eq!(read(&done), done);
        assert_eq!(Some(done.encode_metadata_that_fits()), done.encode_metadata());
    }

    #[test]
    fn the_lowest_offsets_are_kept_where_not_all_fit() {
        let done = scattered(60_000);
        assert_eq!(done.encode_metadata(), None);
        let kept = CompletedOffsets::read(0, &done.encode_metadata_that_fits()).unwrap();
        assert!(kept.runs().count() > 7_000, "only {}", kept.runs().count());
        assert!(kept.runs().eq(done.runs().take(kept.runs().count())));
    }

    #[test]
    fn foreign_metadata_or_of_another_offset_is_refused() {
        let text = scattered(10).encode_metadata().unwrap();
        assert_eq!(CompletedOffsets::read(0, &text), Ok(scattered(10)));
        for (offset, text) in [(3, "my note"), (1, &*text)] {
            assert_eq!(CompletedOffsets::read(offset, text), Err(UnrecognizedMetadata(text.to_owned())));
        }
    }
}

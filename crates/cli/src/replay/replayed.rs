//! Which letters of one partition were replayed.
//!
//! Filters leave holes: letters that are still to be replayed, by a later run with other filters. So a single offset
//! does not tell. The committed offset is the *frontier*, the first letter still there to replay; the letters beyond
//! it that were replayed are kept in the text that Kafka stores with a committed offset.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use millrace_kafka::Committed;
use thiserror::Error;

/// How much text brokers keep with an offset, in bytes (Kafka's `offset.metadata.max.bytes`).
const LONGEST_TEXT: usize = 4096;

/// How the text begins where it holds a bit for each offset from the frontier on, the lowest bit of a byte first.
const BITS: &str = "bits1:";

/// How it begins where it holds the lengths of what is left and what was replayed, in turn, from the frontier on, each
/// as LEB128 (seven bits a byte, the lowest first, the high bit where more follow).
const RUNS: &str = "runs1:";

/// Why progress cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum ReplayedError {
    /// The holes are too many for the text.
    #[error(
        "too many letters are left between replayed ones for Kafka to keep track of (from offset {frontier} on); \
         replay the oldest ones first, with fewer filters or with --until"
    )]
    TooScattered {
        /// The first letter that is left.
        frontier: i64,
    },
    /// The text was not written by a replay.
    #[error("the group's committed offset has a text that no replay wrote: {0:?}")]
    Foreign(String),
}

/// See the module's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Replayed {
    frontier: i64,
    /// Offsets done beyond the frontier: starts and ends (the offset after the last one) that do not touch.
    runs: BTreeMap<i64, i64>,
}

impl Replayed {
    /// Nothing replayed from `first` on.
    pub(super) fn from(first: i64) -> Self {
        Self { frontier: first, runs: BTreeMap::new() }
    }

    /// What was committed, on a partition whose first offset is now `first`.
    pub(super) fn resume(committed: &Committed, first: i64) -> Result<Self, ReplayedError> {
        let mut replayed = Self::from(committed.offset);
        let foreign = || ReplayedError::Foreign(committed.metadata.clone());
        let text = committed.metadata.as_str();
        let decode = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| foreign());
        if let Some(text) = text.strip_prefix(BITS) {
            replayed.insert_bits(&decode(text)?);
        } else if let Some(text) = text.strip_prefix(RUNS) {
            replayed.insert_lengths(&decode(text)?).ok_or_else(foreign)?;
        } else if !text.is_empty() {
            return Err(foreign());
        }
        // What retention has removed is nobody's to replay.
        replayed.insert(committed.offset.min(first), first);
        Ok(replayed)
    }

    /// What to commit.
    pub(super) fn commit(&self) -> Result<Committed, ReplayedError> {
        let metadata = self.text().ok_or(ReplayedError::TooScattered { frontier: self.frontier })?;
        Ok(Committed { offset: self.frontier, metadata })
    }

    /// The first offset that may hold a letter still to replay.
    pub(super) fn frontier(&self) -> i64 {
        self.frontier
    }

    /// Whether there is nothing to replay at `offset` any more.
    pub(super) fn contains(&self, offset: i64) -> bool {
        let run = || self.runs.range(..=offset).next_back();
        offset < self.frontier || run().is_some_and(|(_, &end)| offset < end)
    }

    /// The offsets from `start` to before `end` are done: replayed, or without a record.
    pub(super) fn insert(&mut self, start: i64, end: i64) {
        let (mut start, mut end) = (start.max(self.frontier), end);
        if start >= end {
            return;
        }
        // Runs that overlap or touch become one.
        let touching: Vec<i64> =
            self.runs.range(..=end).filter(|(_, run)| **run >= start).map(|(&run, _)| run).collect();
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

    /// The shorter of the two forms; `None` where both are too long.
    fn text(&self) -> Option<String> {
        if self.runs.is_empty() {
            return Some(String::new());
        }
        let runs = Some((RUNS, self.lengths()));
        let shorter = self.bits().map(|bits| (BITS, bits)).into_iter().chain(runs).min_by_key(|(_, bytes)| bytes.len());
        let text = shorter.map(|(form, bytes)| format!("{form}{}", STANDARD_NO_PAD.encode(bytes)));
        text.filter(|text| text.len() <= LONGEST_TEXT)
    }

    /// `None` where it would be far too long.
    fn bits(&self) -> Option<Vec<u8>> {
        let (_, &end) = self.runs.last_key_value()?;
        let length = usize::try_from(end - self.frontier).ok()?.div_ceil(8);
        if length > LONGEST_TEXT {
            return None;
        }
        let mut bits = vec![0; length];
        for offset in self.runs.iter().flat_map(|(&start, &end)| start..end) {
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
        for (&start, &end) in &self.runs {
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

    fn resumed(replayed: &Replayed) -> Replayed {
        Replayed::resume(&replayed.commit().unwrap(), replayed.frontier()).unwrap()
    }

    proptest! {
        #[test]
        fn what_was_replayed_agrees_with_a_plain_set_and_survives_a_commit(
            first in 0i64..1_000_000, inserts in prop::collection::vec((0i64..3_000, 1i64..40), 0..80),
        ) {
            let (mut replayed, mut set) = (Replayed::from(first), BTreeSet::new());
            for (start, length) in inserts {
                replayed.insert(first + start, first + start + length);
                set.extend(first + start..first + start + length);
            }
            let read = resumed(&replayed);
            prop_assert_eq!(&read, &replayed);
            for offset in first..first + 3_100 {
                prop_assert_eq!(read.contains(offset), set.contains(&offset), "offset {}", offset);
            }
            let frontier = (first..first + 4_000).find(|offset| !set.contains(offset));
            prop_assert_eq!(Some(read.frontier()), frontier);
        }

        #[test]
        fn runs_far_apart_survive_a_commit(gaps in prop::collection::vec((1i64..1 << 40, 1i64..1 << 30), 0..200)) {
            let (mut replayed, mut at) = (Replayed::from(7), 7);
            for (gap, length) in gaps {
                replayed.insert(at + gap, at + gap + length);
                at += gap + length;
            }
            prop_assert_eq!(resumed(&replayed), replayed);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(bits1:|runs1:)?[A-Za-z0-9+/]{0,40}") {
            let _ = Replayed::resume(&Committed { offset: 5, metadata: text }, 0);
        }
    }

    #[test]
    fn any_pattern_of_24_000_letters_fits() {
        let mut replayed = Replayed::from(0);
        for offset in (1..24_000).step_by(2) {
            replayed.insert(offset, offset + 1);
        }
        assert_eq!(resumed(&replayed), replayed);
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_lost() {
        let mut replayed = Replayed::from(10);
        for offset in (11..60_000).step_by(2) {
            replayed.insert(offset, offset + 1);
        }
        assert_eq!(replayed.commit(), Err(ReplayedError::TooScattered { frontier: 10 }));
    }

    #[test]
    fn what_retention_removed_is_passed() {
        let mut replayed = Replayed::from(10);
        replayed.insert(12, 13);
        replayed.insert(15, 16);
        let resumed = Replayed::resume(&replayed.commit().unwrap(), 12).unwrap();
        assert_eq!(resumed.frontier(), 13);
        assert!(resumed.contains(15) && !resumed.contains(14));
    }

    #[test]
    fn a_text_of_somebody_else_is_refused() {
        let committed = Committed { offset: 3, metadata: "my note".to_owned() };
        assert_eq!(Replayed::resume(&committed, 0), Err(ReplayedError::Foreign("my note".to_owned())));
    }
}

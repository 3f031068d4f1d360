//! Number of records that a consumer group has completed in a partition.
//!
//! Offsets are no count: transaction markers, aborted records and deleted ones take offsets, too. The number of records
//! below the committed offset is kept in the commit metadata.

use std::collections::VecDeque;

/// The metadata is `records:<committed offset>:<count>`, then a comma and any other metadata. The offset makes the count
/// self-contained: with another committed offset it does not apply.
const RECORDS: &str = "records";

/// The metadata of a committed offset with `records` records below it, and `rest`, other metadata.
pub fn metadata(offset: i64, records: u64, rest: &str) -> String {
    let separator = if rest.is_empty() { "" } else { "," };
    format!("{RECORDS}:{offset}:{records}{separator}{rest}")
}

/// Reads the metadata of a committed offset: the count, and other metadata. Without a count for this offset the count is
/// 0, and the whole text is other metadata.
pub fn read_metadata(offset: i64, text: &str) -> (u64, &str) {
    let (counted, rest) = text.split_once(',').unwrap_or((text, ""));
    let read = || {
        let (of, records) = counted.strip_prefix(RECORDS)?.strip_prefix(':')?.split_once(':')?;
        records.parse().ok().filter(|_| of.parse() == Ok(offset))
    };
    read().map_or((0, text), |records| (records, rest))
}

/// Counts the records of a partition as they are read.
#[derive(Debug, Default)]
pub struct RecordCount {
    /// An offset, with `below` records below it. `None` until a record was read.
    from: Option<i64>,
    below: u64,
    /// The offset after the last one read.
    read: i64,
    /// Offset ranges beyond `from` without a record, in order.
    gaps: VecDeque<(i64, i64)>,
}

impl RecordCount {
    /// Resumes at `offset`, with `records` below it.
    pub fn resume(offset: i64, records: u64) -> Self {
        Self { from: Some(offset), below: records, read: offset, gaps: VecDeque::new() }
    }

    /// Resumes at the offset of the next record, with `records` below it.
    pub fn resume_anywhere(records: u64) -> Self {
        Self { below: records, ..Self::default() }
    }

    /// Adds a record; there is none between it and the previous one.
    pub fn add(&mut self, offset: i64) {
        self.skip_to(offset);
        self.read = self.read.max(offset + 1);
    }

    /// All records below `offset` were read.
    pub fn skip_to(&mut self, offset: i64) {
        if self.from.is_none() {
            (self.from, self.read) = (Some(offset), offset);
        }
        if offset <= self.read {
            return;
        }
        match self.gaps.back_mut() {
            Some((_, end)) if *end == self.read => *end = offset,
            _ => self.gaps.push_back((self.read, offset)),
        }
        self.read = offset;
    }

    /// Number of records below an offset that was read.
    pub fn below(&self, offset: i64) -> u64 {
        let Some(from) = self.from else { return self.below };
        let gaps = self.gaps.iter().map(|&(start, end)| (end.min(offset) - start).max(0));
        let records = offset - from - gaps.sum::<i64>();
        self.below.saturating_add_signed(records.max(0))
    }

    /// Drops the ranges below an offset, keeping their number of records.
    pub fn settle(&mut self, offset: i64) {
        if self.from.is_none_or(|from| offset <= from) {
            return;
        }
        (self.below, self.from) = (self.below(offset), Some(offset));
        while self.gaps.front().is_some_and(|&(_, end)| end <= offset) {
            self.gaps.pop_front();
        }
        if let Some((start, _)) = self.gaps.front_mut() {
            *start = (*start).max(offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_are_counted_across_gaps(
            first in 0i64..1_000, before in 0u64..50, steps in prop::collection::vec((0i64..4, any::<bool>()), 1..60),
            settled in prop::collection::vec(0i64..60, 0..4),
        ) {
            let (mut count, mut at, mut records) = (RecordCount::resume(first, before), first, Vec::new());
            for (gap, is_record) in steps {
                at += gap;
                if is_record {
                    count.add(at);
                    records.push(at);
                    at += 1;
                } else {
                    count.skip_to(at);
                }
            }
            let below = |offset: i64| before + records.iter().filter(|record| **record < offset).count() as u64;
            let mut least = first;
            for distance in settled {
                let offset = at.min(first + distance);
                count.settle(offset);
                least = least.max(offset);
            }
            for offset in least..=at {
                prop_assert_eq!(count.below(offset), below(offset), "offset {}", offset);
            }
        }

        #[test]
        fn a_count_round_trips_through_the_metadata(offset: i64, records: u64, rest in "([a-z]{4}:[0-9]{1,19}:[A-Za-z0-9+/]{0,9})?") {
            let text = metadata(offset, records, &rest);
            prop_assert_eq!(read_metadata(offset, &text), (records, rest.as_str()));
        }

        #[test]
        fn any_metadata_is_read_without_a_panic(text in "(records:?)?(5:)?[0-9]{0,20},?(bits:5:)?[A-Za-z0-9+/]{0,10}") {
            let _ = read_metadata(5, &text);
        }
    }

    #[test]
    fn records_deleted_before_the_first_are_not_counted() {
        let mut count = RecordCount::resume_anywhere(0);
        assert_eq!(count.below(0), 0);
        count.add(100);
        count.add(101);
        assert_eq!(count.below(102), 2);
    }

    #[test]
    fn metadata_without_a_count_of_its_offset_is_kept() {
        assert_eq!(read_metadata(7, "records:7:5"), (5, ""));
        assert_eq!(read_metadata(7, "records:7:5,bits:7:Ag"), (5, "bits:7:Ag"));
        for text in ["", "my note, it is", "records:8:5", "records:7:five,x", "bits:7:Ag"] {
            assert_eq!(read_metadata(7, text), (0, text));
        }
    }
}

//! The last N records of a topic, over all its partitions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use millrace_kafka::{KafkaError, KafkaSettings, Read, Reader, Record};

use super::printer::Printer;
use crate::bound::Bound;

/// A topic and an offset range of each partition.
pub(super) struct Range<'a> {
    pub(super) settings: &'a KafkaSettings,
    pub(super) topic: &'a str,
    pub(super) first: &'a BTreeMap<i32, i64>,
    pub(super) end: &'a BTreeMap<i32, i64>,
}

/// The newest `wanted` records of the range, formatted by `printer`, ordered by timestamp.
///
/// Reads the last `wanted` records of each partition, so that memory and time depend on that number and not on the
/// topic's size.
pub(super) async fn lines(range: &Range<'_>, wanted: u64, printer: &Printer) -> Result<Vec<Vec<u8>>, KafkaError> {
    let mut newest = Newest::new(wanted);
    let mut windows = first_windows(range, wanted);
    let mut found: BTreeMap<i32, u64> = BTreeMap::new();
    while !windows.is_empty() {
        read(range, &windows, |record| {
            *found.entry(record.partition()).or_default() += 1;
            newest.offer(record, || printer.line(record));
        })
        .await?;
        // Offsets may hold no record (compaction, transactions): read further back where too few were found.
        windows = windows
            .into_iter()
            .filter(|(partition, _)| found.get(partition).is_none_or(|&found| found < wanted))
            .filter_map(|(partition, window)| Some((partition, window.before(*range.first.get(&partition)?)?)))
            .collect();
    }
    Ok(newest.into_lines())
}

/// Offsets from `start` to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    start: i64,
    end: i64,
}

impl Window {
    /// Up to `width` offsets before `end`, not before `first`; `None` if there are none.
    fn ending(end: i64, width: i64, first: i64) -> Option<Self> {
        let start = end.saturating_sub(width).max(first);
        (start < end).then_some(Self { start, end })
    }

    /// The window before this one, twice as wide.
    fn before(self, first: i64) -> Option<Self> {
        Self::ending(self.start, (self.end - self.start).saturating_mul(2), first)
    }
}

fn first_windows(range: &Range<'_>, wanted: u64) -> BTreeMap<i32, Window> {
    let width = i64::try_from(wanted).unwrap_or(i64::MAX);
    let window = |(&partition, &end): (&i32, &i64)| {
        Some((partition, Window::ending(end, width, range.first.get(&partition).copied().unwrap_or(0))?))
    };
    range.end.iter().filter_map(window).collect()
}

/// Reads every window to its end.
async fn read(
    range: &Range<'_>,
    windows: &BTreeMap<i32, Window>,
    mut each: impl FnMut(&Record<'_>),
) -> Result<(), KafkaError> {
    let from = windows.iter().map(|(&partition, window)| (partition, window.start)).collect();
    let end = windows.iter().map(|(&partition, window)| (partition, window.end)).collect();
    let mut bound = Bound::between(&from, &end);
    let reader = Reader::new(range.settings, "tail", range.topic, &from)?;
    while !bound.is_reached() {
        match reader.next().await? {
            Read::End(partition) => bound.ended(partition),
            Read::Record(record) => {
                if bound.advance(record.partition(), record.offset()) {
                    each(&record);
                }
            }
        }
    }
    Ok(())
}

/// Keeps the newest records: by timestamp, then by partition and offset.
struct Newest {
    capacity: usize,
    oldest_first: BinaryHeap<Reverse<Kept>>,
}

type Kept = ((i64, i32, i64), Vec<u8>);

impl Newest {
    fn new(capacity: u64) -> Self {
        Self { capacity: usize::try_from(capacity).unwrap_or(usize::MAX), oldest_first: BinaryHeap::new() }
    }

    fn offer(&mut self, record: &Record<'_>, line: impl FnOnce() -> Vec<u8>) {
        let rank = (record.timestamp(), record.partition(), record.offset());
        if self.oldest_first.len() == self.capacity {
            if self.oldest_first.peek().is_none_or(|Reverse((oldest, _))| *oldest >= rank) {
                return;
            }
            self.oldest_first.pop();
        }
        self.oldest_first.push(Reverse((rank, line())));
    }

    fn into_lines(self) -> Vec<Vec<u8>> {
        // Sorted in reverse, so the newest comes first.
        self.oldest_first.into_sorted_vec().into_iter().rev().map(|Reverse((_, line))| line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_go_back_in_growing_steps_and_end_at_the_first_offset() {
        let window = Window::ending(100, 10, 55).unwrap();
        assert_eq!(window, Window { start: 90, end: 100 });
        let before = window.before(55).unwrap();
        assert_eq!(before, Window { start: 70, end: 90 });
        let last = before.before(55).unwrap();
        assert_eq!(last, Window { start: 55, end: 70 });
        assert_eq!(last.before(55), None);
    }
}

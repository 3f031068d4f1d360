//! One scan of a dead-letter topic: from the first dead letter not yet replayed to the end offsets as of its start.

use std::collections::BTreeMap;

use millrace_consumer::CompletedOffsets;
use millrace_kafka::{KafkaError, KafkaSettings, Read, Reader, Record};

/// A partition during the scan.
#[derive(Debug)]
pub(super) struct Partition {
    /// Its replayed offsets.
    pub(super) replayed: CompletedOffsets,
    scanned: i64,
    end: i64,
}

impl Partition {
    /// A partition to be read up to `end` (exclusive).
    pub(super) fn new(replayed: CompletedOffsets, end: i64) -> Self {
        Self { scanned: replayed.frontier(), replayed, end }
    }

    /// Advances past a record. Returns whether it is within the scan and not yet replayed.
    fn take(&mut self, offset: i64) -> bool {
        if offset >= self.end {
            self.finish();
            return false;
        }
        // Offsets between two records hold none: gaps of retention, compaction and transactions.
        self.replayed.insert(self.scanned, offset);
        self.scanned = offset + 1;
        !self.replayed.contains(offset)
    }

    fn finish(&mut self) {
        self.replayed.insert(self.scanned, self.end);
        self.scanned = self.scanned.max(self.end);
    }

    fn left(&self) -> u64 {
        u64::try_from(self.end - self.scanned).unwrap_or(0)
    }
}

/// A reader of the partitions, up to their end.
#[derive(Debug)]
pub(super) struct Scan {
    reader: Reader,
    /// The partitions, by number.
    pub(super) partitions: BTreeMap<i32, Partition>,
}

impl Scan {
    /// Starts a scan of `topic`.
    ///
    /// # Errors
    /// [`KafkaError`] when the client cannot be created.
    pub(super) fn new(
        settings: &KafkaSettings,
        topic: &str,
        partitions: BTreeMap<i32, Partition>,
    ) -> Result<Self, KafkaError> {
        let unread = partitions.iter().filter(|(_, partition)| partition.left() > 0);
        let from = unread.map(|(&number, partition)| (number, partition.scanned)).collect();
        Ok(Self { reader: Reader::new(settings, "replay", topic, &from)?, partitions })
    }

    /// The next record not yet replayed; `None` at the end of the scan. Cancel-safe.
    ///
    /// # Errors
    /// [`KafkaError`] when the reader fails.
    pub(super) async fn next(&mut self) -> Result<Option<Record<'_>>, KafkaError> {
        while self.left() > 0 {
            match self.reader.next().await? {
                Read::End(partition) => {
                    if let Some(partition) = self.partitions.get_mut(&partition) {
                        partition.finish();
                    }
                }
                Read::Record(record) => {
                    let partition = self.partitions.get_mut(&record.partition());
                    if partition.is_some_and(|partition| partition.take(record.offset())) {
                        return Ok(Some(record));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Number of offsets still to be scanned.
    pub(super) fn left(&self) -> u64 {
        self.partitions.values().map(Partition::left).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_between_records_leave_nothing_to_replay() {
        let mut partition = Partition::new(CompletedOffsets::below(0), 10);
        assert!(partition.take(2));
        partition.replayed.insert(2, 3);
        assert_eq!(partition.replayed.frontier(), 3);
        assert!(partition.take(5));
        partition.finish();
        assert_eq!(partition.replayed.frontier(), 5);
        assert!(partition.replayed.contains(9) && !partition.replayed.contains(5));
        assert_eq!(partition.left(), 0);
    }

    #[test]
    fn a_scan_stops_at_the_end_offset_of_its_start() {
        let mut partition = Partition::new(CompletedOffsets::below(0), 2);
        assert!(partition.take(0));
        assert!(!partition.take(2));
        assert_eq!(partition.left(), 0);
        assert!(!partition.replayed.contains(2));
    }

    #[test]
    fn dead_letters_replayed_before_are_skipped() {
        let mut replayed = CompletedOffsets::below(0);
        replayed.insert(1, 2);
        let mut partition = Partition::new(replayed, 3);
        let taken: Vec<i64> = (0..3).filter(|&offset| partition.take(offset)).collect();
        assert_eq!(taken, [0, 2]);
    }
}

//! One pass over a dead-letter topic: from the first letter that is left to what was its end when the pass began.

use std::collections::BTreeMap;

use millrace_consumer::CompletedOffsets;
use millrace_kafka::{KafkaError, KafkaSettings, Read, Reader, Record};

/// A partition during the pass.
#[derive(Debug)]
pub(super) struct Partition {
    /// What was replayed of it.
    pub(super) replayed: CompletedOffsets,
    scanned: i64,
    end: i64,
}

impl Partition {
    /// A partition to be read up to `end`.
    pub(super) fn new(replayed: CompletedOffsets, end: i64) -> Self {
        Self { scanned: replayed.frontier(), replayed, end }
    }

    /// Whether the pass is to stop at this record: within the pass, and not replayed before.
    fn take(&mut self, offset: i64) -> bool {
        if offset >= self.end {
            self.finish();
            return false;
        }
        // Between two records there are none: retention, compaction and transactions leave such gaps.
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

/// See the module's text.
#[derive(Debug)]
pub(super) struct Scan {
    reader: Reader,
    /// The partitions, by number.
    pub(super) partitions: BTreeMap<i32, Partition>,
}

impl Scan {
    /// Begins a pass over `topic`.
    ///
    /// # Errors
    /// [`KafkaError`] where the client cannot be set up.
    pub(super) fn new(
        settings: &KafkaSettings,
        topic: &str,
        partitions: BTreeMap<i32, Partition>,
    ) -> Result<Self, KafkaError> {
        let unread = partitions.iter().filter(|(_, partition)| partition.left() > 0);
        let from = unread.map(|(&number, partition)| (number, partition.scanned)).collect();
        Ok(Self { reader: Reader::new(settings, "replay", topic, &from)?, partitions })
    }

    /// The next record that was not replayed before; `None` at the end of the pass. Nothing is lost when the wait is
    /// given up.
    ///
    /// # Errors
    /// [`KafkaError`] where reading cannot go on.
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

    /// How many offsets the pass has before it.
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
    fn a_pass_stops_at_what_was_the_end_when_it_began() {
        let mut partition = Partition::new(CompletedOffsets::below(0), 2);
        assert!(partition.take(0));
        assert!(!partition.take(2));
        assert_eq!(partition.left(), 0);
        assert!(!partition.replayed.contains(2));
    }

    #[test]
    fn letters_replayed_before_are_passed() {
        let mut replayed = CompletedOffsets::below(0);
        replayed.insert(1, 2);
        let mut partition = Partition::new(replayed, 3);
        let taken: Vec<i64> = (0..3).filter(|&offset| partition.take(offset)).collect();
        assert_eq!(taken, [0, 2]);
    }
}

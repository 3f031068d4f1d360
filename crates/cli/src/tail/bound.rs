//! How far partitions are read where there is an end to it.

use std::collections::BTreeMap;

/// The partitions that are not yet read to their bound, each with the offset of the first record beyond it.
#[derive(Debug)]
pub(super) struct Bound(BTreeMap<i32, i64>);

impl Bound {
    /// Reads from `start` up to and without `end`; a partition that begins at its end has nothing to read.
    pub(super) fn between(start: &BTreeMap<i32, i64>, end: &BTreeMap<i32, i64>) -> Self {
        let is_open = |partition: &i32, end: i64| start.get(partition).is_none_or(|&start| start < end);
        Self(end.iter().filter(|&(partition, &end)| is_open(partition, end)).map(|(&p, &end)| (p, end)).collect())
    }

    /// A record was read. Whether it lies within the bound.
    pub(super) fn takes(&mut self, partition: i32, offset: i64) -> bool {
        let Some(&end) = self.0.get(&partition) else { return false };
        if offset >= end - 1 {
            self.0.remove(&partition);
        }
        offset < end
    }

    /// A partition has no more records for now. Offsets before its bound may hold none: markers of transactions, and
    /// records that were compacted away or whose transaction was aborted.
    pub(super) fn ended(&mut self, partition: i32) {
        self.0.remove(&partition);
    }

    /// Whether every partition was read to its bound.
    pub(super) fn is_reached(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_reached_when_every_partition_is_read_to_its_end() {
        let start = BTreeMap::from([(0, 0), (1, 7), (2, 3)]);
        let mut bound = Bound::between(&start, &BTreeMap::from([(0, 2), (1, 7), (2, 9)]));
        assert!(!bound.takes(1, 7), "what comes later is beyond the bound");
        assert!(bound.takes(0, 0) && bound.takes(0, 1) && !bound.takes(0, 2));
        assert!(bound.takes(2, 3) && !bound.is_reached());
        bound.ended(2);
        assert!(bound.is_reached() && !bound.takes(2, 8));
    }

    #[test]
    fn a_record_beyond_a_marker_closes_its_partition() {
        let mut bound = Bound::between(&BTreeMap::from([(0, 0)]), &BTreeMap::from([(0, 3)]));
        assert!(bound.takes(0, 1) && !bound.takes(0, 3) && bound.is_reached());
    }

    #[test]
    fn where_nothing_is_there_the_bound_is_reached_at_once() {
        let nothing = BTreeMap::from([(0, 0), (1, 4)]);
        assert!(Bound::between(&nothing, &nothing).is_reached());
    }
}

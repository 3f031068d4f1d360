//! The end offsets up to which partitions are read.

use std::collections::BTreeMap;

/// The partitions not yet read to their bound, each with its exclusive end offset.
#[derive(Debug)]
pub(crate) struct Bound(BTreeMap<i32, i64>);

impl Bound {
    /// Reads from `start` to `end` (exclusive); a partition whose start is its end is complete.
    pub(crate) fn between(start: &BTreeMap<i32, i64>, end: &BTreeMap<i32, i64>) -> Self {
        let is_open = |partition: &i32, end: i64| start.get(partition).is_none_or(|&start| start < end);
        Self(end.iter().filter(|&(partition, &end)| is_open(partition, end)).map(|(&p, &end)| (p, end)).collect())
    }

    /// Advances past a record that was read. Returns whether it is within the bound.
    pub(crate) fn advance(&mut self, partition: i32, offset: i64) -> bool {
        let Some(&end) = self.0.get(&partition) else { return false };
        if offset >= end - 1 {
            self.0.remove(&partition);
        }
        offset < end
    }

    /// A partition was read to its end (EOF). The last offsets before its bound may hold no record: transaction
    /// markers, and records that were compacted away or aborted.
    pub(crate) fn ended(&mut self, partition: i32) {
        self.0.remove(&partition);
    }

    /// Whether every partition was read to its bound.
    pub(crate) fn is_reached(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_reached_when_all_partitions_are_read() {
        let start = BTreeMap::from([(0, 0), (1, 7), (2, 3)]);
        let mut bound = Bound::between(&start, &BTreeMap::from([(0, 2), (1, 7), (2, 9)]));
        assert!(!bound.advance(1, 7), "a later record is beyond the bound");
        assert!(bound.advance(0, 0) && bound.advance(0, 1) && !bound.advance(0, 2));
        assert!(bound.advance(2, 3) && !bound.is_reached());
        bound.ended(2);
        assert!(bound.is_reached() && !bound.advance(2, 8));
    }

    #[test]
    fn a_record_beyond_a_marker_closes_its_partition() {
        let mut bound = Bound::between(&BTreeMap::from([(0, 0)]), &BTreeMap::from([(0, 3)]));
        assert!(bound.advance(0, 1) && !bound.advance(0, 3) && bound.is_reached());
    }

    #[test]
    fn the_bound_of_empty_partitions_is_reached_at_once() {
        let nothing = BTreeMap::from([(0, 0), (1, 4)]);
        assert!(Bound::between(&nothing, &nothing).is_reached());
    }
}

//! Counts of names, ranked.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

/// Names with their counts, in order. In JSON, an object whose members keep that order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranking<'a>(Vec<(&'a str, usize)>);

impl<'a> Ranking<'a> {
    /// The most frequent first, ties by name.
    pub(super) fn of(names: impl Iterator<Item = &'a str>) -> Self {
        // Senders choose the names, but a batch has too few for collisions to make the map slow.
        let mut counts: HashMap<&str, usize, foldhash::fast::RandomState> = HashMap::default();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
        let mut ranked: Vec<_> = counts.into_iter().collect();
        ranked.sort_unstable_by(|(name, count), (other, others)| others.cmp(count).then_with(|| name.cmp(other)));
        Self(ranked)
    }

    /// The first `limit` of them.
    pub(super) fn top(&self, limit: usize) -> Self {
        Self(self.0.iter().take(limit).copied().collect())
    }

    /// The `limit` least frequent ones, the least frequent first, ties by name.
    pub(super) fn bottom(&self, limit: usize) -> Self {
        let mut ranked = self.0.clone();
        // Stable: those of one count stay sorted by name.
        ranked.sort_by_key(|(_, count)| *count);
        ranked.truncate(limit);
        Self(ranked)
    }

    /// The names with their counts.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, usize)> + '_ {
        self.0.iter().copied()
    }
}

impl Serialize for Ranking<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

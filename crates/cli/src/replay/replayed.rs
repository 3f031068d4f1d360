//! Replayed offsets of a partition, kept as the group's committed offset and its commit metadata.
//!
//! Filters leave gaps: dead letters that a later run with other filters may replay.

use millrace_consumer::CompletedOffsets;
use millrace_consumer::UnrecognizedMetadata;
use millrace_kafka::Committed;
use thiserror::Error;

/// The gaps do not fit into the commit metadata.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "too many dead letters remain between replayed ones to fit into the commit metadata (from offset {frontier} on); \
     replay the oldest first, with fewer filters or with --until"
)]
pub(super) struct MetadataTooLarge {
    /// The first dead letter that was not replayed.
    frontier: i64,
}

/// Parses what was committed, on a partition whose first offset is now `first`.
pub(super) fn resume(committed: Option<&Committed>, first: i64) -> Result<CompletedOffsets, UnrecognizedMetadata> {
    let Some(committed) = committed else { return Ok(CompletedOffsets::below(first)) };
    let mut replayed = CompletedOffsets::read(committed.offset, &committed.metadata)?;
    // Offsets removed by retention count as replayed.
    replayed.insert(committed.offset.min(first), first);
    Ok(replayed)
}

/// The offset and metadata to commit.
pub(super) fn commit(replayed: &CompletedOffsets) -> Result<Committed, MetadataTooLarge> {
    let frontier = replayed.frontier();
    let metadata = replayed.encode_metadata().ok_or(MetadataTooLarge { frontier })?;
    Ok(Committed { offset: frontier, metadata })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_beyond_the_limit_is_an_error() {
        let mut replayed = CompletedOffsets::below(10);
        for offset in (11..60_000).step_by(2) {
            replayed.insert(offset, offset + 1);
        }
        assert_eq!(commit(&replayed), Err(MetadataTooLarge { frontier: 10 }));
    }

    #[test]
    fn offsets_removed_by_retention_are_skipped() {
        let mut replayed = CompletedOffsets::below(10);
        replayed.insert(12, 13);
        replayed.insert(15, 16);
        let resumed = resume(Some(&commit(&replayed).unwrap()), 12).unwrap();
        assert_eq!(resumed.frontier(), 13);
        assert!(resumed.contains(15) && !resumed.contains(14));
    }
}

//! Which letters of one partition were replayed, as the group's committed offset and its text say.
//!
//! Filters leave holes: letters that are still to be replayed, by a later run with other filters.

use millrace_consumer::CompletedOffsets;
use millrace_consumer::UnrecognizedMetadata;
use millrace_kafka::Committed;
use thiserror::Error;

/// The holes are too many for the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "too many letters are left between replayed ones for Kafka to keep track of (from offset {frontier} on); \
     replay the oldest ones first, with fewer filters or with --until"
)]
pub(super) struct TooScattered {
    /// The first letter that is left.
    frontier: i64,
}

/// What was committed, on a partition whose first offset is now `first`.
pub(super) fn resume(committed: Option<&Committed>, first: i64) -> Result<CompletedOffsets, UnrecognizedMetadata> {
    let Some(committed) = committed else { return Ok(CompletedOffsets::below(first)) };
    let mut replayed = CompletedOffsets::read(committed.offset, &committed.metadata)?;
    // What retention has removed is nobody's to replay.
    replayed.insert(committed.offset.min(first), first);
    Ok(replayed)
}

/// What to commit.
pub(super) fn commit(replayed: &CompletedOffsets) -> Result<Committed, TooScattered> {
    let frontier = replayed.frontier();
    let metadata = replayed.encode_metadata().ok_or(TooScattered { frontier })?;
    Ok(Committed { offset: frontier, metadata })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_lost() {
        let mut replayed = CompletedOffsets::below(10);
        for offset in (11..60_000).step_by(2) {
            replayed.insert(offset, offset + 1);
        }
        assert_eq!(commit(&replayed), Err(TooScattered { frontier: 10 }));
    }

    #[test]
    fn what_retention_removed_is_passed() {
        let mut replayed = CompletedOffsets::below(10);
        replayed.insert(12, 13);
        replayed.insert(15, 16);
        let resumed = resume(Some(&commit(&replayed).unwrap()), 12).unwrap();
        assert_eq!(resumed.frontier(), 13);
        assert!(resumed.contains(15) && !resumed.contains(14));
    }
}

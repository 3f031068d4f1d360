//! What became of the letters of one run.

use std::fmt;

/// Counts of letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Back on their topic, or, in a dry run, those that would be.
    pub(super) replayed: u64,
    /// Left, because a filter did not let them pass.
    pub(super) passed_over: u64,
    /// Left, because their topic would not take them.
    pub(super) failed: u64,
    /// Records that are no dead letters, left as well.
    pub(super) foreign: u64,
    /// Not looked at, because the run ended early.
    pub(super) unread: u64,
}

impl Tally {
    /// The summary, in one line.
    pub(super) fn summary(&self, dry_run: bool) -> impl fmt::Display {
        Summary { tally: *self, dry_run }
    }
}

struct Summary {
    tally: Tally,
    dry_run: bool,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { replayed, passed_over, failed, foreign, unread } = self.tally;
        let (verb, kept) = if self.dry_run { ("would replay", replayed) } else { ("replayed", 0) };
        let remaining = kept + passed_over + failed + unread;
        write!(f, "{verb} {replayed}, passed over {passed_over}, failed {failed}, remaining {remaining}")?;
        if foreign > 0 {
            write!(f, ", not dead letters {foreign}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_replayed_remains() {
        let tally = Tally { replayed: 5, passed_over: 2, failed: 1, foreign: 0, unread: 3 };
        assert_eq!(tally.summary(false).to_string(), "replayed 5, passed over 2, failed 1, remaining 6");
        assert_eq!(tally.summary(true).to_string(), "would replay 5, passed over 2, failed 1, remaining 11");
        let tally = Tally { foreign: 2, ..Tally::default() };
        assert_eq!(
            tally.summary(false).to_string(),
            "replayed 0, passed over 0, failed 0, remaining 0, not dead letters 2"
        );
    }
}

//! Counts of the dead letters of a run.

use std::fmt;

/// Counts of dead letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stats {
    /// Replayed, or, in a dry run, would be.
    pub(super) replayed: u64,
    /// Not matched by the filters.
    pub(super) skipped: u64,
    /// Rejected by their source topic, or without one.
    pub(super) failed: u64,
    /// Records that are no dead letters of Millrace.
    pub(super) foreign: u64,
    /// Not read, because the run ended early.
    pub(super) unread: u64,
}

impl Stats {
    /// The line to print instead of a summary of zeros: why nothing is to be replayed.
    pub(super) fn nothing_to_replay(&self, topic: &str, holds_dead_letters: bool) -> Option<String> {
        let why = match *self {
            Self { replayed: 0, failed: 0, foreign: 0, unread: 0, skipped } => match skipped {
                0 if holds_dead_letters => format!("all dead letters of {topic} were replayed before"),
                0 => format!("{topic} holds no dead letters"),
                1 => format!("the one dead letter left in {topic} does not match"),
                left => format!("none of the {left} dead letters left in {topic} matches"),
            },
            _ => return None,
        };
        Some(format!("nothing to replay: {why}"))
    }

    /// The summary, in one line.
    pub(super) fn summary(&self, dry_run: bool) -> impl fmt::Display {
        Summary { stats: *self, dry_run }
    }
}

struct Summary {
    stats: Stats,
    dry_run: bool,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { replayed, skipped, failed, foreign, unread } = self.stats;
        let (verb, kept) = if self.dry_run { ("would replay", replayed) } else { ("replayed", 0) };
        let remaining = kept + skipped + failed + unread;
        write!(f, "{verb} {replayed}, skipped {skipped}, failed {failed}, remaining {remaining}")?;
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
    fn a_run_without_matches_says_why() {
        let line_of = |stats: Stats, holds_dead_letters| stats.nothing_to_replay("orders.dlq", holds_dead_letters);
        let skipped = |skipped| Stats { skipped, ..Stats::default() };
        let line = |why: &str| Some(format!("nothing to replay: {why}"));
        assert_eq!(line_of(Stats::default(), false), line("orders.dlq holds no dead letters"));
        assert_eq!(line_of(Stats::default(), true), line("all dead letters of orders.dlq were replayed before"));
        assert_eq!(line_of(skipped(1), true), line("the one dead letter left in orders.dlq does not match"));
        assert_eq!(line_of(skipped(3), true), line("none of the 3 dead letters left in orders.dlq matches"));
        for something in [
            Stats { replayed: 1, ..skipped(3) },
            Stats { failed: 1, ..skipped(3) },
            Stats { foreign: 1, ..Stats::default() },
            Stats { unread: 1, ..Stats::default() },
        ] {
            assert_eq!(line_of(something, true), None);
        }
    }

    #[test]
    fn dead_letters_that_were_not_replayed_remain() {
        let stats = Stats { replayed: 5, skipped: 2, failed: 1, foreign: 0, unread: 3 };
        assert_eq!(stats.summary(false).to_string(), "replayed 5, skipped 2, failed 1, remaining 6");
        assert_eq!(stats.summary(true).to_string(), "would replay 5, skipped 2, failed 1, remaining 11");
        let stats = Stats { foreign: 2, ..Stats::default() };
        assert_eq!(
            stats.summary(false).to_string(),
            "replayed 0, skipped 0, failed 0, remaining 0, not dead letters 2"
        );
    }
}

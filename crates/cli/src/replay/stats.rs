//! What became of the letters of one run.

use std::fmt;

/// Counts of letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stats {
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

impl Stats {
    /// What to say instead of a summary of zeros: nothing was to be replayed, and why.
    pub(super) fn nothing_to_replay(&self, topic: &str, holds_letters: bool) -> Option<String> {
        let why = match *self {
            Self { replayed: 0, failed: 0, foreign: 0, unread: 0, passed_over } => match passed_over {
                0 if holds_letters => format!("all letters of {topic} were replayed before"),
                0 => format!("{topic} holds no letters"),
                1 => format!("the one letter left in {topic} does not match"),
                left => format!("none of the {left} letters left in {topic} matches"),
            },
            _ => return None,
        };
        Some(format!("nothing to replay: {why}"))
    }

    /// The summary, in one line.
    pub(super) fn summary(&self, dry_run: bool) -> impl fmt::Display {
        Summary { tally: *self, dry_run }
    }
}

struct Summary {
    tally: Stats,
    dry_run: bool,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { replayed, passed_over, failed, foreign, unread } = self.tally;
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
    fn a_run_with_nothing_to_do_says_why() {
        let told = |tally: Stats, holds_letters| tally.nothing_to_replay("orders.dlq", holds_letters);
        let passed_over = |passed_over| Stats { passed_over, ..Stats::default() };
        let line = |why: &str| Some(format!("nothing to replay: {why}"));
        assert_eq!(told(Stats::default(), false), line("orders.dlq holds no letters"));
        assert_eq!(told(Stats::default(), true), line("all letters of orders.dlq were replayed before"));
        assert_eq!(told(passed_over(1), true), line("the one letter left in orders.dlq does not match"));
        assert_eq!(told(passed_over(3), true), line("none of the 3 letters left in orders.dlq matches"));
        for something in [
            Stats { replayed: 1, ..passed_over(3) },
            Stats { failed: 1, ..passed_over(3) },
            Stats { foreign: 1, ..Stats::default() },
            Stats { unread: 1, ..Stats::default() },
        ] {
            assert_eq!(told(something, true), None);
        }
    }

    #[test]
    fn what_was_not_replayed_remains() {
        let tally = Stats { replayed: 5, passed_over: 2, failed: 1, foreign: 0, unread: 3 };
        assert_eq!(tally.summary(false).to_string(), "replayed 5, passed over 2, failed 1, remaining 6");
        assert_eq!(tally.summary(true).to_string(), "would replay 5, passed over 2, failed 1, remaining 11");
        let tally = Stats { foreign: 2, ..Stats::default() };
        assert_eq!(
            tally.summary(false).to_string(),
            "replayed 0, passed over 0, failed 0, remaining 0, not dead letters 2"
        );
    }
}

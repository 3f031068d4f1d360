//! Filters that select dead letters.

use clap::{Args, ValueEnum};
use millrace_domain::DeadLetterClass;
use millrace_domain::dead_letter::DeadLetter;
use millrace_host::settings::whole_number;

use crate::time_arg::{self, TimeArg};

/// The filter flags; a dead letter must match all that are given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct Filter {
    /// Dead letters whose reason (dlq.error.reason) contains this text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Dead letters of this class (dlq.error.class)
    #[arg(long, value_name = "CLASS")]
    class: Option<Class>,
    /// Dead letters written to the dead-letter topic at this time or later: RFC 3339, or how long ago, like 2h or 90m
    #[arg(long, value_name = "TIME", value_parser = time_arg::read)]
    since: Option<TimeArg>,
    /// Dead letters written to the dead-letter topic before this time, in the same formats
    #[arg(long, value_name = "TIME", value_parser = time_arg::read)]
    until: Option<TimeArg>,
    /// The dead letters of this event: its id, or topic-partition-offset for a record without one
    #[arg(long, value_name = "EVENT_ID")]
    id: Option<String>,
    /// Dead letters from this partition of their source topic (dlq.partition)
    #[arg(long, value_name = "N", value_parser = whole_number::<i32>(0..=i32::MAX as u64))]
    partition: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Class {
    /// The record itself was at fault
    Permanent,
    /// A dependency was at fault, until the attempts were exhausted
    Transient,
}

impl From<Class> for DeadLetterClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Permanent => Self::Permanent,
            Class::Transient => Self::Transient,
        }
    }
}

impl Filter {
    /// Whether a dead letter matches; `written` is its timestamp on the dead-letter topic in milliseconds, `id` the
    /// event's id.
    pub(super) fn passes(&self, dead_letter: &DeadLetter, written: i64, id: &str) -> bool {
        self.reason.as_ref().is_none_or(|text| dead_letter.reason.contains(text.as_str()))
            && self.class.is_none_or(|class| dead_letter.class == class.into())
            && self.since.is_none_or(|since| written >= since.as_millis())
            && self.until.is_none_or(|until| written < until.as_millis())
            && self.id.as_ref().is_none_or(|wanted| wanted == id)
            && self.partition.is_none_or(|partition| dead_letter.partition == partition)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        filter: Filter,
    }

    fn filter(args: &[&str]) -> Filter {
        Program::try_parse_from([&["replay"], args].concat()).unwrap_or_else(|error| panic!("{error}")).filter
    }

    fn dead_letter() -> DeadLetter {
        DeadLetter {
            topic: "orders".to_owned(),
            partition: 3,
            offset: 42,
            timestamp: 1_000,
            group: "millrace-payments".to_owned(),
            attempts: 5,
            class: DeadLetterClass::Transient,
            reason: "the bank answered 503".to_owned(),
        }
    }

    /// 2026-01-31T12:00:00Z
    const NOON: i64 = 1_769_860_800_000;

    #[test]
    fn a_dead_letter_must_match_every_filter() {
        let passes = |args: &[&str]| filter(args).passes(&dead_letter(), NOON, "a1");
        for args in [
            &[][..],
            &["--reason", "503"],
            &["--class", "transient", "--partition", "3", "--id", "a1"],
            &["--since", "2026-01-31T12:00:00Z"],
            &["--until", "2026-01-31T12:00:00.001Z"],
        ] {
            assert!(passes(args), "{args:?}");
        }
        for args in [
            &["--reason", "504"][..],
            &["--class", "permanent"],
            &["--partition", "2"],
            &["--id", "a"],
            &["--since", "2026-01-31T12:00:00.001Z"],
            &["--until", "2026-01-31T12:00:00Z"],
            &["--reason", "503", "--id", "a2"],
        ] {
            assert!(!passes(args), "{args:?}");
        }
    }
}

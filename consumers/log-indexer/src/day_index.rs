//! An index for each day: `PREFIX-2026.01.31` has the rows whose own time is of that day, in UTC.
//!
//! A data stream would take a row's id again after a rollover. Of a day's index the name follows from the row, so that a row
//! that comes again finds itself.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How far a row's time may be ahead of its record's: a clock may be wrong by some hours.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// The names of the indices.
#[derive(Debug, Clone)]
pub(crate) struct DayIndices {
    prefix: String,
}

impl DayIndices {
    pub(crate) fn new(prefix: String) -> Self {
        Self { prefix }
    }

    /// The prefix, which is the name of their template.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The pattern that all their names match, and few others.
    pub(crate) fn pattern(&self) -> String {
        format!("{}-*", self.prefix)
    }

    /// The index of a day.
    pub(crate) fn name(&self, day: Date) -> String {
        format!("{}-{}", self.prefix, day.strftime("%Y.%m.%d"))
    }

    /// The day of an index; `None` where the name is no index of ours.
    pub(crate) fn day(&self, name: &str) -> Option<Date> {
        let text = name.strip_prefix(self.prefix.as_str())?.strip_prefix('-')?;
        let day = Date::strptime("%Y.%m.%d", text).ok()?;
        // Of the ways to write a day, only one is ours.
        (self.name(day) == name).then_some(day)
    }
}

/// The day of a row's index: that of its own time. Where that is more than a day ahead of the record's (`written`, where it
/// has one), the record's: with each clock that is wrong there would be an index which no retention ever deletes.
pub(crate) fn day_of(time: Timestamp, written: Option<Timestamp>) -> Date {
    let is_ahead = |written: &Timestamp| time.duration_since(*written) > AHEAD;
    utc(written.filter(is_ahead).unwrap_or(time))
}

/// The first day that is kept, where rows are for as long as this.
pub(crate) fn first_day(now: Timestamp, retain: SignedDuration) -> Date {
    utc(now.saturating_sub(retain).unwrap_or(Timestamp::MIN))
}

fn utc(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_has_its_day_and_other_names_have_none() {
        let indices = DayIndices::new("millrace-logs".to_owned());
        for (day, name) in [
            (date(2026, 1, 31), "millrace-logs-2026.01.31"),
            (date(1677, 9, 21), "millrace-logs-1677.09.21"),
            (date(2262, 4, 11), "millrace-logs-2262.04.11"),
        ] {
            assert_eq!(indices.name(day), name);
            assert_eq!(indices.day(name), Some(day));
        }
        for other in [
            "millrace-logs-2026.1.31",
            "millrace-logs-2026.02.30",
            "millrace-logs-2026.01.31-reindexed",
            "millrace-logs-archive-2026.01.31",
            "millrace-logs2026.01.31",
            "millrace-logs-",
            "logs-2026.01.31",
            "",
        ] {
            assert_eq!(indices.day(other), None, "{other}");
        }
    }

    #[test]
    fn a_row_has_the_day_of_its_own_time_unless_that_is_in_the_future() {
        let written = Some(time("2026-01-31T12:00:00Z"));
        for (row, day) in [
            ("2026-01-31T23:59:59.999999999Z", date(2026, 1, 31)),
            ("2026-02-01T00:00:00Z", date(2026, 2, 1)),
            ("2026-02-01T12:00:00Z", date(2026, 2, 1)),
            ("2026-02-01T12:00:00.000000001Z", date(2026, 1, 31)),
            ("2262-04-11T23:47:16.854775807Z", date(2026, 1, 31)),
            ("1970-01-01T00:00:00Z", date(1970, 1, 1)),
        ] {
            assert_eq!(day_of(time(row), written), day, "{row}");
        }
        assert_eq!(day_of(time("2262-04-11T00:00:00Z"), None), date(2262, 4, 11));
    }

    #[test]
    fn the_first_day_that_is_kept_is_that_of_the_oldest_row() {
        let now = time("2026-03-01T06:00:00Z");
        assert_eq!(first_day(now, SignedDuration::from_hours(24)), date(2026, 2, 28));
        assert_eq!(first_day(now, SignedDuration::from_hours(30 * 24)), date(2026, 1, 30));
        assert_eq!(first_day(now, SignedDuration::MAX), utc(Timestamp::MIN));
    }
}

//! The value of `--since` and `--until`: a time or an age.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_host::settings;

/// A point in time, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimeArg(i64);

impl TimeArg {
    /// Milliseconds since the Unix epoch.
    pub(crate) fn as_millis(self) -> i64 {
        self.0
    }
}

/// Parses RFC 3339, or an age: `2h`, `90m ago`.
pub(crate) fn read(text: &str) -> Result<TimeArg, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    read_at(text, now)
}

fn read_at(text: &str, now: Duration) -> Result<TimeArg, String> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(TimeArg(time.as_millisecond()));
    }
    let age = settings::duration(text.strip_suffix("ago").unwrap_or(text).trim_end());
    let age = age.map_err(|_| "write a time like 2026-01-31T12:00:00Z, or how long ago it was, like 2h or 90m")?;
    Ok(TimeArg(i64::try_from(now.saturating_sub(age).as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_a_time_or_an_age() {
        let now = Duration::from_millis(1_769_860_800_001);
        let read = |text| read_at(text, now).map(TimeArg::as_millis);
        assert_eq!(read("2026-01-31T12:00:00Z"), Ok(1_769_860_800_000));
        assert_eq!(read("2026-01-31T13:00:00.5+01:00"), Ok(1_769_860_800_500));
        assert_eq!(read("2h"), Ok(1_769_853_600_001));
        assert_eq!(read("1h 30m ago"), Ok(1_769_855_400_001));
        for wrong in ["", "ago", "yesterday", "2026-01-31", "12:00", "2", "-2h"] {
            assert!(read(wrong).unwrap_err().contains("2h"), "{wrong}");
        }
    }
}

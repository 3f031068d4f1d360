//! Times as clients send them: Unix seconds, as a number or as text, or RFC 3339.

use std::fmt;

use thiserror::Error;

use crate::json::{Kind, Value};

/// A moment between the years 1970 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

/// A value that is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a time in Unix seconds (a number or its text) or RFC 3339, between the years 1970 and 9999")]
pub struct TimestampError;

/// 9999-12-31T23:59:59Z: milliseconds sent by mistake for seconds lie far beyond.
const LAST_SECOND: f64 = 253_402_300_799.0;

impl Timestamp {
    /// Reads a time off a JSON value.
    ///
    /// # Errors
    /// [`TimestampError`] where the value is no time.
    pub fn read(value: &Value<'_>) -> Result<Self, TimestampError> {
        match value.kind() {
            Kind::Integer | Kind::Float => Self::from_seconds(value.raw()),
            Kind::String => Self::from_text(&value.as_str().ok_or(TimestampError)?),
            _ => Err(TimestampError),
        }
    }

    /// Reads a time off text.
    ///
    /// # Errors
    /// [`TimestampError`] where the text is no time.
    pub fn from_text(text: &str) -> Result<Self, TimestampError> {
        Self::from_seconds(text).or_else(|_| {
            let time: jiff::Timestamp = text.parse().map_err(|_| TimestampError)?;
            if time < jiff::Timestamp::UNIX_EPOCH { Err(TimestampError) } else { Ok(Self(time)) }
        })
    }

    fn from_seconds(text: &str) -> Result<Self, TimestampError> {
        let seconds: f64 = text.parse().map_err(|_| TimestampError)?;
        if !(0.0..=LAST_SECOND).contains(&seconds) {
            return Err(TimestampError);
        }
        let span = std::time::Duration::from_secs_f64(seconds);
        jiff::Timestamp::UNIX_EPOCH.checked_add(span).map(Self).map_err(|_| TimestampError)
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_seconds_and_rfc_3339_name_the_same_moment() {
        for text in ["1769860800", "1769860800.0", "2026-01-31T12:00:00Z", "2026-01-31T14:00:00+02:00"] {
            assert_eq!(Timestamp::from_text(text).unwrap().to_string(), "2026-01-31T12:00:00Z", "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "-1",
            "1e300",
            "NaN",
            "inf",
            "1769860800000",
            "2026-13-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(Timestamp::from_text(text), Err(TimestampError), "{text}");
        }
    }
}

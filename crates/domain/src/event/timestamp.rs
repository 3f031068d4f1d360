//! Times sent by clients: Unix seconds, as a number or as text, or RFC 3339.

use std::fmt;

use jiff::SignedDuration;
use thiserror::Error;

use crate::utc::{UtcDateTime, UtcDateTimeError, nanoseconds};
use millrace_json::{Kind, Value};

/// A time between the years 1970 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(UtcDateTime);

/// An invalid time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TimestampError {
    /// Not a time.
    #[error("must be a time in Unix seconds (a number or its text) or RFC 3339, between the years 1970 and 9999")]
    Form,
    /// A time before the Unix epoch.
    #[error("must not be before 1970-01-01T00:00:00Z")]
    TooEarly,
    /// A time after the year 9999, such as milliseconds read as seconds.
    #[error("must not be after the year 9999 in UTC: Unix time is taken in seconds, not milliseconds")]
    TooLate,
}

/// The first second after the year 9999.
const END: f64 = 253_402_300_800.0;

impl Timestamp {
    /// Reads a time from a JSON value.
    ///
    /// # Errors
    /// [`TimestampError`] where the value is not a time in range.
    pub fn read(value: &Value<'_>) -> Result<Self, TimestampError> {
        match value.kind() {
            Kind::Integer | Kind::Float => Self::from_seconds(value.raw()),
            Kind::String => Self::from_text(&value.as_str().ok_or(TimestampError::Form)?),
            _ => Err(TimestampError::Form),
        }
    }

    /// Reads a time from text.
    ///
    /// # Errors
    /// [`TimestampError`] where the text is not a time in range.
    pub fn from_text(text: &str) -> Result<Self, TimestampError> {
        match text.parse::<UtcDateTime>() {
            Ok(time) if time.as_unix().is_negative() => Err(TimestampError::TooEarly),
            Ok(time) => Ok(Self(time)),
            Err(UtcDateTimeError::Form) => Self::from_seconds(text),
            Err(UtcDateTimeError::Range) if text.starts_with('9') => Err(TimestampError::TooLate),
            Err(UtcDateTimeError::Range) => Err(TimestampError::TooEarly),
        }
    }

    /// The time from milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`TimestampError`] where the time is out of range.
    pub fn from_millis(millis: i64) -> Result<Self, TimestampError> {
        Self::from_unix(SignedDuration::from_millis(millis))
    }

    fn from_seconds(text: &str) -> Result<Self, TimestampError> {
        let seconds: f64 = text.parse().map_err(|_| TimestampError::Form)?;
        if !seconds.is_finite() {
            return Err(TimestampError::Form);
        }
        if seconds < 0.0 {
            return Err(TimestampError::TooEarly);
        }
        if seconds >= END {
            return Err(TimestampError::TooLate);
        }
        Self::from_unix(decimal(text).unwrap_or_else(|| SignedDuration::from_secs_f64(seconds)))
    }

    fn from_unix(time: SignedDuration) -> Result<Self, TimestampError> {
        if time.is_negative() {
            return Err(TimestampError::TooEarly);
        }
        UtcDateTime::from_unix(time).map(Self).ok_or(TimestampError::TooLate)
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> i64 {
        // The year is below 10000: it always fits.
        i64::try_from(self.0.as_unix().as_millis()).unwrap_or(i64::MAX)
    }

    /// The time as a date and time in UTC.
    pub fn as_utc(self) -> UtcDateTime {
        self.0
    }
}

/// Decimal seconds, exact to the nanosecond, which a double is not.
fn decimal(text: &str) -> Option<SignedDuration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(SignedDuration::new(whole.parse().ok()?, nanoseconds(fraction)))
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_seconds_and_rfc_3339_give_the_same_time() {
        for text in ["1769860800", "1769860800.0", "2026-01-31T12:00:00Z", "2026-01-31T14:00:00+02:00"] {
            assert_eq!(Timestamp::from_text(text).unwrap().to_string(), "2026-01-31T12:00:00Z", "{text}");
        }
    }

    #[test]
    fn fractions_of_seconds_are_exact() {
        for (text, expected) in [
            ("1769860800.123", ".123Z"),
            ("1769860800.000000001", ".000000001Z"),
            ("1769860800.0000000019", ".000000001Z"),
            ("1.7698608005e9", ".5Z"),
            ("2026-01-31T12:00:00.0000000019Z", ".000000001Z"),
        ] {
            let time = Timestamp::from_text(text).unwrap().to_string();
            assert_eq!(time, format!("2026-01-31T12:00:00{expected}"), "{text}");
        }
    }

    #[test]
    fn the_last_second_of_the_year_9999_is_a_time() {
        for (text, expected) in [
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("253402300799", "9999-12-31T23:59:59Z"),
            ("253402300799.999", "9999-12-31T23:59:59.999Z"),
        ] {
            let time = Timestamp::from_text(text).unwrap();
            assert_eq!(time.to_string(), expected, "{text}");
            assert_eq!(Timestamp::from_millis(time.as_millis()).unwrap(), time, "{text}");
        }
    }

    #[test]
    fn an_invalid_time_is_refused_with_the_reason() {
        for text in ["", "yesterday", "NaN", "inf", "2026-13-01T00:00:00Z", "2026-01-31"] {
            assert_eq!(Timestamp::from_text(text), Err(TimestampError::Form), "{text}");
        }
        for text in ["-1", "-1e300", "1969-12-31T23:59:59Z", "0000-01-01T00:00:00+01:00"] {
            assert_eq!(Timestamp::from_text(text), Err(TimestampError::TooEarly), "{text}");
        }
        for text in ["1e300", "253402300800", "1769860800000", "9999-12-31T23:59:59-01:00"] {
            assert_eq!(Timestamp::from_text(text), Err(TimestampError::TooLate), "{text}");
        }
    }
}

//! Times as clients send them: Unix seconds, as a number or as text, or RFC 3339.

use std::fmt;
use std::time::Duration;

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
            let time = rfc_3339(text).ok_or(TimestampError)?;
            if time < jiff::Timestamp::UNIX_EPOCH { Err(TimestampError) } else { Ok(Self(time)) }
        })
    }

    fn from_seconds(text: &str) -> Result<Self, TimestampError> {
        let seconds: f64 = text.parse().map_err(|_| TimestampError)?;
        if !(0.0..=LAST_SECOND).contains(&seconds) {
            return Err(TimestampError);
        }
        let span = decimal(text).unwrap_or_else(|| Duration::from_secs_f64(seconds));
        jiff::Timestamp::UNIX_EPOCH.checked_add(span).map(Self).map_err(|_| TimestampError)
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }
}

/// Seconds as digits with or without a fraction, exact to the nanosecond: a double is not.
fn decimal(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    Some(Duration::new(whole.parse().ok()?, nanos.parse().ok()?))
}

/// Whether the text is a `date-time` of RFC 3339, section 5.6.
pub fn is_rfc_3339(text: &str) -> bool {
    rfc_3339(text).is_some()
}

/// The moment that a `date-time` of RFC 3339 names. The calendar is jiff's; it takes other forms than these, though.
fn rfc_3339(text: &str) -> Option<jiff::Timestamp> {
    let shape = |text: &[u8], shape: &str| {
        text.len() == shape.len()
            && text.iter().zip(shape.bytes()).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                wanted => byte.eq_ignore_ascii_case(&wanted),
            })
    };
    let (moment, rest) = text.as_bytes().split_at_checked("0000-00-00T00:00:00".len())?;
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let zone = match rest.strip_prefix(b".") {
        Some(fraction) if digits(fraction) > 0 => &fraction[digits(fraction)..],
        _ => rest,
    };
    let zoned = shape(zone, "Z") || shape(zone, "+00:00") || shape(zone, "-00:00");
    if shape(moment, "0000-00-00T00:00:00") && zoned { text.parse().ok() } else { None }
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
    fn fractions_of_seconds_are_exact() {
        for (text, told) in
            [("1769860800.123", ".123Z"), ("1769860800.000000001", ".000000001Z"), ("1.7698608005e9", ".5Z")]
        {
            let time = Timestamp::from_text(text).unwrap().to_string();
            assert_eq!(time, format!("2026-01-31T12:00:00{told}"), "{text}");
        }
    }

    #[test]
    fn rfc_3339_is_what_its_grammar_says() {
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31t12:00:00z",
            "2026-01-31T12:00:00.123456789+05:30",
            "2026-01-31T12:00:00-00:00",
            "2024-02-29T23:59:60Z",
        ] {
            assert!(is_rfc_3339(text), "{text}");
        }
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T12:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00+02",
            "2026-01-31T12:00:00+0200",
            "2026-01-31T12:00:00+02:00[Europe/Berlin]",
            "2026-01-31_12:00:00Z",
            "20260131T120000Z",
            "2026-02-30T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:00:00é",
            "1769860800",
        ] {
            assert!(!is_rfc_3339(text), "{text}");
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

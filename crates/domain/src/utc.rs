//! RFC 3339 times in UTC.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use thiserror::Error;

/// A time in UTC, to the nanosecond, of the years 0000 to 9999: the range of RFC 3339.
///
/// jiff's own `Timestamp` ends before 9999-12-31T23:59:59Z, the usual "never", so that every time zone has a date for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcDateTime(civil::DateTime);

/// Text that is not a [`UtcDateTime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UtcDateTimeError {
    /// Not a `date-time` of RFC 3339, section 5.6.
    #[error("must be a time in RFC 3339")]
    Form,
    /// Out of range once its UTC offset is applied.
    #[error("must be between the years 0000 and 9999 in UTC")]
    Range,
}

/// 1970-01-01T00:00:00Z.
const UNIX_EPOCH: civil::DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// 0000-01-01T00:00:00Z.
const FIRST: civil::DateTime = civil::date(0, 1, 1).at(0, 0, 0, 0);

/// Number of digits of a fraction of a second that are kept.
const NANOSECOND_DIGITS: usize = 9;

impl UtcDateTime {
    /// The time from a date and time in UTC; `None` before the year 0000.
    pub fn from_civil(utc: civil::DateTime) -> Option<Self> {
        (utc.year() >= 0).then_some(Self(utc))
    }

    /// A valid time, for constants.
    ///
    /// # Panics
    /// Where the date or time is invalid.
    pub const fn constant(year: i16, month: i8, day: i8, hour: i8, minute: i8, second: i8) -> Self {
        assert!(year >= 0, "RFC 3339 has no year before 0000");
        Self(civil::DateTime::constant(year, month, day, hour, minute, second, 0))
    }

    /// The time from a duration since the Unix epoch, or before it; `None` where it is out of range.
    pub fn from_unix(time: SignedDuration) -> Option<Self> {
        UNIX_EPOCH.checked_add(time).ok().and_then(Self::from_civil)
    }

    /// The date and the time in UTC.
    pub fn as_civil(self) -> civil::DateTime {
        self.0
    }

    /// The time since the Unix epoch.
    pub fn as_unix(self) -> SignedDuration {
        self.0.duration_since(UNIX_EPOCH)
    }

    /// Reads a time of another producer: RFC 3339, or another form that jiff supports, such as one with a space between
    /// date and time.
    pub fn read(text: &str) -> Option<Self> {
        let other_form = || Self::from_civil(text.parse().map(|time| TimeZone::UTC.to_datetime(time)).ok()?);
        text.parse().ok().or_else(other_form)
    }
}

impl FromStr for UtcDateTime {
    type Err = UtcDateTimeError;

    /// Reads a `date-time` of RFC 3339, section 5.6. Digits of a fraction beyond the ninth do not count.
    fn from_str(text: &str) -> Result<Self, UtcDateTimeError> {
        let form = UtcDateTimeError::Form;
        let (civil_part, rest) = text.split_at_checked("0000-00-00T00:00:00".len()).ok_or(form)?;
        if !has_shape(civil_part, "0000-00-00T00:00:00") {
            return Err(form);
        }
        let (fraction, zone) = match rest.strip_prefix('.') {
            Some(rest) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                rest.split_at_checked(digits).filter(|(fraction, _)| !fraction.is_empty()).ok_or(form)?
            }
            None => ("", rest),
        };
        let civil_part: civil::DateTime = civil_part.parse().map_err(|_| form)?;
        let utc = civil_part.checked_sub(offset(zone).ok_or(form)?).map_err(|_| UtcDateTimeError::Range)?;
        let utc = utc.with().subsec_nanosecond(nanoseconds(fraction)).build().map_err(|_| UtcDateTimeError::Range)?;
        Self::from_civil(utc).ok_or(UtcDateTimeError::Range)
    }
}

/// Whether text has this shape, where `0` is any digit and letters may be of either case.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            wanted => byte.eq_ignore_ascii_case(&wanted),
        })
}

/// A `time-offset`.
fn offset(zone: &str) -> Option<SignedDuration> {
    if zone.eq_ignore_ascii_case("Z") {
        return Some(SignedDuration::ZERO);
    }
    let sign = if has_shape(zone, "+00:00") { 1 } else { -1 };
    if sign < 0 && !has_shape(zone, "-00:00") {
        return None;
    }
    let (hours, minutes): (i64, i64) = (zone.get(1..3)?.parse().ok()?, zone.get(4..6)?.parse().ok()?);
    (hours < 24 && minutes < 60).then(|| SignedDuration::from_mins(sign * (60 * hours + minutes)))
}

/// A fraction of a second, from its digits.
pub(crate) fn nanoseconds(fraction: &str) -> i32 {
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(NANOSECOND_DIGITS);
    digits.fold(0, |nanoseconds, digit| nanoseconds * 10 + i32::from(digit - b'0'))
}

impl From<Timestamp> for UtcDateTime {
    /// The time, or the nearest one in range.
    fn from(time: Timestamp) -> Self {
        Self(TimeZone::UTC.to_datetime(time).max(FIRST))
    }
}

impl fmt::Display for UtcDateTime {
    /// RFC 3339 in UTC; the precision is that of the seconds' fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_is_read_by_its_grammar() {
        for (text, utc) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31t12:00:00z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00.123456789+05:30", "2026-01-31T06:30:00.123456789Z"),
            ("2026-01-31T12:00:00-00:00", "2026-01-31T12:00:00Z"),
            ("2024-02-29T23:59:60Z", "2024-02-29T23:59:59Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("9999-12-31T23:59:59.999999999999Z", "9999-12-31T23:59:59.999999999Z"),
            ("9999-12-31T23:59:59+23:59", "9999-12-31T00:00:59Z"),
            ("2026-01-31T12:00:00.1234567891234Z", "2026-01-31T12:00:00.123456789Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(text.parse::<UtcDateTime>().unwrap().to_string(), utc, "{text}");
        }
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T12:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00+02",
            "2026-01-31T12:00:00+0200",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00+02:60",
            "2026-01-31T12:00:00+02:00[Europe/Berlin]",
            "2026-01-31_12:00:00Z",
            "20260131T120000Z",
            "2026-02-30T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:00:00é",
            "1769860800",
        ] {
            assert_eq!(text.parse::<UtcDateTime>(), Err(UtcDateTimeError::Form), "{text}");
        }
        for text in ["9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00+00:01"] {
            assert_eq!(text.parse::<UtcDateTime>(), Err(UtcDateTimeError::Range), "{text}");
        }
    }

    #[test]
    fn the_precision_can_be_chosen() {
        let time: UtcDateTime = "9999-12-31T23:59:59.1234567Z".parse().unwrap();
        assert_eq!(
            format!("{time:.3} {time:.6} {time:.0}"),
            "9999-12-31T23:59:59.123Z 9999-12-31T23:59:59.123456Z 9999-12-31T23:59:59Z"
        );
    }

    #[test]
    fn other_producers_times_may_have_another_form() {
        let noon = "2026-01-31T12:00:00Z".parse().ok();
        for text in ["2026-01-31T12:00:00Z", "2026-01-31 13:00:00+01:00", "2026-01-31T13:00:00+01[Europe/Berlin]"] {
            assert_eq!(UtcDateTime::read(text), noon, "{text}");
        }
        assert_eq!(UtcDateTime::read("noon"), None);
        assert_eq!(UtcDateTime::read("-000001-01-01T00:00:00Z"), None);
    }
}

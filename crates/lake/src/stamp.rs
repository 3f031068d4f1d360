//! Time stamps as log writers print them: read by their form, never guessed.
//!
//! The forms are those that loggers, servers and runtimes were seen to print: ISO 8601 and its kin (a comma for the
//! point, a blank for the `T`, an offset without colon or after a blank, up to nine digits of a fraction), the stamps of
//! syslog, access lines, Go, Spark, Hadoop, `BG/L`, Android and klog, and Unix numbers in seconds to nanoseconds. Names of
//! months are English. A zone's letters are believed only where they are `Z`, `UTC` or `GMT`: others, such as `CST`, name
//! several zones.

use crate::scan::Cursor;

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// How far a stamp without a year may be ahead of the time of observation.
const AHEAD_LIMIT: i64 = 7 * DAY;

/// Years that are tried for a stamp without one: February 29 is in one of nine.
const YEARS_BACK: i32 = 9;

/// Where a row's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// The record's own time, with its own zone.
    Record,
    /// The record's own time, with its zone, its year or its date filled in.
    Inferred,
    /// The record has none: when it was observed.
    Observed,
}

impl TimeSource {
    /// The text of column `time_source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Inferred => "inferred",
            Self::Observed => "observed",
        }
    }
}

/// A date and time as printed, with what the text leaves out still missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    date: Date,
    /// Second of the day.
    second: i64,
    nanosecond: i64,
    zone: Zone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Date {
    Full(i32, u8, u8),
    NoYear(u8, u8),
    /// Only a time of day.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// Seconds east of UTC.
    Offset(i32),
    /// None, or letters that name no single zone.
    Missing,
}

/// What a missing part of a stamp is filled in from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// When the record was observed, in Unix nanoseconds.
    pub observed: i64,
    /// Seconds east of UTC of local times without an offset.
    pub offset: i32,
}

impl Stamp {
    /// Reads the stamp at the start of `text`; returns it with its length in bytes.
    pub fn read(text: &str) -> Option<(Self, usize)> {
        let mut cursor = Cursor::new(text);
        if let Some((date, second)) = text.as_bytes().first_chunk().and_then(iso_head) {
            cursor.skip(ISO_HEAD);
            return Some((after_clock(&mut cursor, date, second), cursor.position()));
        }
        let stamp = match cursor.peek()? {
            b'0'..=b'9' => digits_first(&mut cursor),
            b'A'..=b'Z' => name_first(&mut cursor),
            _ => None,
        }?;
        Some((stamp, cursor.position()))
    }

    /// Reads a text that is a stamp and nothing else.
    pub fn read_all(text: &str) -> Option<Self> {
        let (stamp, length) = Self::read(text)?;
        (length == text.len()).then_some(stamp)
    }

    /// Reads klog's and glog's stamp, `MMDD hh:mm:ss.ffffff` or `YYYYMMDD hh:mm:ss.ffffff`, at the start of `text`.
    pub fn read_glog(text: &str) -> Option<(Self, usize)> {
        let mut cursor = Cursor::new(text);
        let digits = cursor.digits();
        let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i32>().ok();
        let date = match digits.len() {
            4 => Date::no_year(number(0..2)?, number(2..4)?)?,
            8 => Date::full(number(0..4)?, number(4..6)?, number(6..8)?)?,
            _ => return None,
        };
        cursor.eat(b' ')?;
        let (second, nanosecond) = time_of_day(&mut cursor)?;
        Some((Self { date, second, nanosecond, zone: Zone::Missing }, cursor.position()))
    }

    /// Whether it has a date, with its year or without.
    pub(crate) fn has_date(&self) -> bool {
        self.date != Date::None
    }

    /// Whether it has a whole date.
    pub(crate) fn has_year(&self) -> bool {
        matches!(self.date, Date::Full(..))
    }

    /// The instant in Unix nanoseconds; `None` where it is out of the range of a 64-bit integer.
    pub fn resolve(&self, defaults: Defaults) -> Option<(i64, TimeSource)> {
        let (offset, mut source) = match self.zone {
            Zone::Offset(offset) => (offset, TimeSource::Record),
            Zone::Missing => (defaults.offset, TimeSource::Inferred),
        };
        let at = |day: i64| Some(day.checked_mul(DAY)?.checked_add(self.second)? - i64::from(offset));
        let observed = defaults.observed.div_euclid(SECOND);
        let second = match self.date {
            Date::Full(year, month, day) => at(unix_day(year, month, day))?,
            Date::NoYear(month, day) => {
                source = TimeSource::Inferred;
                latest_year(month, day, observed.checked_add(AHEAD_LIMIT)?, at)?
            }
            Date::None => {
                source = TimeSource::Inferred;
                let today = (observed + i64::from(offset)).div_euclid(DAY);
                let time = at(today)?;
                // A record is observed after it was written; a clock may be ahead by an hour.
                if time > observed + 3_600 { at(today - 1)? } else { time }
            }
        };
        Some((second.checked_mul(SECOND)?.checked_add(self.nanosecond)?, source))
    }
}

/// Reads a Unix time, a decimal number of seconds, milliseconds, microseconds or nanoseconds, by its magnitude: seconds
/// below 10^11 (the year 5138), milliseconds below 10^14, microseconds below 10^17. All digits count.
pub(crate) fn unix_number(text: &str) -> Option<i64> {
    let (mantissa, exponent) = decimal(text)?;
    // Compared without the fraction, so that the digits are not lost.
    let whole = shift(mantissa, exponent)?;
    let scale = match whole.unsigned_abs() {
        0..100_000_000_000 => 9,
        100_000_000_000..100_000_000_000_000 => 6,
        100_000_000_000_000..100_000_000_000_000_000 => 3,
        _ => 0,
    };
    i64::try_from(shift(mantissa, exponent.saturating_add(scale))?).ok()
}

/// A decimal number as an integer and a power of ten.
fn decimal(text: &str) -> Option<(i128, i32)> {
    let (digits, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || whole.len() + fraction.len() > 37 {
        return None;
    }
    let mut value = 0_i128;
    for byte in whole.bytes().chain(fraction.bytes()) {
        value = value * 10 + i128::from(char::from(byte).to_digit(10)?);
    }
    let places = i32::try_from(fraction.len()).ok()?;
    Some((if negative { -value } else { value }, exponent.checked_sub(places)?))
}

/// `value` times 10 to `exponent`, without the fraction.
fn shift(value: i128, exponent: i32) -> Option<i128> {
    let factor = 10_i128.checked_pow(exponent.unsigned_abs().min(38))?;
    if exponent >= 0 { value.checked_mul(factor) } else { Some(value.div_euclid(factor)) }
}

impl Date {
    fn full(year: i32, month: i32, day: i32) -> Option<Self> {
        let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        (day >= 1 && day <= days_of(year, month)?).then_some(Self::Full(year, month, day))
    }

    fn no_year(month: i32, day: i32) -> Option<Self> {
        // 2000 is a leap year: February 29 exists in some year.
        match Self::full(2000, month, day)? {
            Self::Full(_, month, day) => Some(Self::NoYear(month, day)),
            other => Some(other),
        }
    }
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i32, month: u8) -> Option<u8> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap(year) { 29 } else { 28 }),
        _ => None,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `days_from_civil`).
fn unix_day(year: i32, month: u8, day: u8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The year and day of the year's calendar of a Unix day, as `unix_day` in reverse: only the year is of interest.
fn year_of(unix_day: i64) -> i32 {
    let shifted = unix_day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let year = year_of_era + era * 400 + i64::from(day_of_year >= 306);
    i32::try_from(year).unwrap_or_default()
}

/// The latest year in which the date exists and is not after `limit`.
fn latest_year(month: u8, day: u8, limit: i64, at: impl Fn(i64) -> Option<i64>) -> Option<i64> {
    let newest = year_of(limit.div_euclid(DAY)) + 1;
    (newest - YEARS_BACK..=newest)
        .rev()
        .filter(|&year| days_of(year, month).is_some_and(|days| day <= days))
        .filter_map(|year| at(unix_day(year, month, day)))
        .find(|&second| second <= limit)
}

fn digits_first(cursor: &mut Cursor<'_>) -> Option<Stamp> {
    let first = cursor.digits();
    let number = |text: &str| text.parse::<i32>().ok();
    match (first.len(), cursor.peek()?) {
        (4, b'-') => iso(cursor, number(first)?),
        (4, b'/') => {
            let date = numeric_date(cursor, b'/', number(first)?)?;
            spaced_time(cursor, date)
        }
        // Spark's 26/11/28, and an access line's 28/Nov/2026.
        (2, b'/') => {
            cursor.eat(b'/')?;
            if let Some(month) = cursor.month() {
                cursor.eat(b'/')?;
                let date = Date::full(cursor.number(4)?, month, number(first)?)?;
                cursor.eat(b':').or_else(|| cursor.eat(b' '))?;
                return timed(cursor, date);
            }
            let date = Date::full(2000 + number(first)?, cursor.number(2)?, {
                cursor.eat(b'/')?;
                cursor.number(2)?
            })?;
            spaced_time(cursor, date)
        }
        // Tomcat's 28-Nov-2026, and Android's 11-28.
        (2, b'-') => {
            cursor.eat(b'-')?;
            if let Some(month) = cursor.month() {
                cursor.eat(b'-')?;
                let date = Date::full(cursor.number(4)?, month, number(first)?)?;
                return spaced_time(cursor, date);
            }
            let date = Date::no_year(number(first)?, cursor.number(2)?)?;
            spaced_time(cursor, date)
        }
        (2, b':') => {
            cursor.back(2);
            let (second, nanosecond) = time_of_day(cursor)?;
            Some(Stamp { date: Date::None, second, nanosecond, zone: Zone::Missing })
        }
        // Redis: 28 Nov 2026 15:06:25.751.
        (1 | 2, b' ') => {
            cursor.eat(b' ')?;
            let month = cursor.month()?;
            cursor.eat(b' ')?;
            let date = Date::full(cursor.number(4)?, month, number(first)?)?;
            spaced_time(cursor, date)
        }
        // HDFS: 081109 203615.
        (6, b' ') => {
            let part = |range: std::ops::Range<usize>| number(first.get(range)?);
            let date = Date::full(2000 + part(0..2)?, part(2..4)?, part(4..6)?)?;
            cursor.eat(b' ')?;
            let time = cursor.digits();
            let part = |range: std::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
            let (hour, minute, second) = (part(0..2)?, part(2..4)?, part(4..6)?);
            let valid = time.len() == 6 && hour < 24 && minute < 60 && second < 60;
            let second = valid.then_some(hour * 3_600 + minute * 60 + second)?;
            Some(Stamp { date, second, nanosecond: 0, zone: Zone::Missing })
        }
        _ => None,
    }
}

/// `-MM-DD`, then a time after several blanks, or as in BG/L's `2026-01-31-12.00.00.123456`: the forms that [`iso_head`] leaves.
fn iso(cursor: &mut Cursor<'_>, year: i32) -> Option<Stamp> {
    let date = numeric_date(cursor, b'-', year)?;
    if cursor.eat(b'-').is_none() {
        return spaced_time(cursor, date);
    }
    let hour = cursor.number(2)?;
    cursor.eat(b'.')?;
    let minute = cursor.number(2)?;
    cursor.eat(b'.')?;
    let second = cursor.number(2)?;
    let second = seconds_of(hour, minute, second)?;
    Some(Stamp { date, second, nanosecond: fraction(cursor), zone: Zone::Missing })
}

fn numeric_date(cursor: &mut Cursor<'_>, separator: u8, year: i32) -> Option<Date> {
    cursor.eat(separator)?;
    let month = cursor.number(2)?;
    cursor.eat(separator)?;
    Date::full(year, month, cursor.number(2)?)
}

/// Blanks, then a time and its zone.
fn spaced_time(cursor: &mut Cursor<'_>, date: Date) -> Option<Stamp> {
    cursor.eat(b' ')?;
    cursor.skip_blanks();
    timed(cursor, date)
}

/// Bytes of `YYYY-MM-DD hh:mm:ss`.
const ISO_HEAD: usize = 19;

/// The date and the second of the day of `YYYY-MM-DD hh:mm:ss`, or with a `T` between them: what most loggers print, read without a
/// look at each byte for what else it may begin.
#[inline]
fn iso_head(head: &[u8; ISO_HEAD]) -> Option<(Date, i64)> {
    let mut is_other = !matches!(head[10], b' ' | b'T' | b't' | b'_');
    for (at, separator) in [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')] {
        is_other |= head[at] != separator;
    }
    let mut two = |at: usize| {
        let digits = [head[at], head[at + 1]].map(|byte| byte.wrapping_sub(b'0'));
        is_other |= digits[0] > 9 || digits[1] > 9;
        i32::from(digits[0]) * 10 + i32::from(digits[1])
    };
    let year = two(0) * 100 + two(2);
    let [month, day, hour, minute, second] = [5, 8, 11, 14, 17].map(two);
    if is_other {
        return None;
    }
    Some((Date::full(year, month, day)?, seconds_of(hour, minute, second)?))
}

/// A time and its zone.
fn timed(cursor: &mut Cursor<'_>, date: Date) -> Option<Stamp> {
    let second = clock(cursor)?;
    Some(after_clock(cursor, date, second))
}

/// The fraction behind `hh:mm:ss`, and the zone.
fn after_clock(cursor: &mut Cursor<'_>, date: Date, second: i64) -> Stamp {
    let nanosecond = fraction(cursor);
    let second = match half_of_day(cursor.rest()) {
        Some(afternoon) if (3_600..13 * 3_600).contains(&second) => {
            cursor.skip(3);
            second % (12 * 3_600) + if afternoon { 12 * 3_600 } else { 0 }
        }
        _ => second,
    };
    Stamp { date, second, nanosecond, zone: zone(cursor) }
}

/// Whether ` PM` or ` AM` follows, and ends there.
fn half_of_day(rest: &str) -> Option<bool> {
    let afternoon = match rest.get(..3)? {
        " PM" => true,
        " AM" => false,
        _ => return None,
    };
    (!rest.get(3..)?.starts_with(|next: char| next.is_alphanumeric())).then_some(afternoon)
}

/// `hh:mm:ss`, with a fraction after a point or a comma.
fn time_of_day(cursor: &mut Cursor<'_>) -> Option<(i64, i64)> {
    let second = clock(cursor)?;
    Some((second, fraction(cursor)))
}

/// `hh:mm:ss`; a leap second counts as the second before it, as in jiff.
fn clock(cursor: &mut Cursor<'_>) -> Option<i64> {
    let hour = cursor.number(2)?;
    cursor.eat(b':')?;
    let minute = cursor.number(2)?;
    cursor.eat(b':')?;
    let second = cursor.number(2)?;
    seconds_of(hour, minute, second)
}

fn seconds_of(hour: i32, minute: i32, second: i32) -> Option<i64> {
    let valid = hour < 24 && minute < 60 && second <= 60;
    valid.then(|| i64::from(hour * 3_600 + minute * 60 + second.min(59)))
}

/// Nanoseconds of a fraction; digits after the ninth do not count.
fn fraction(cursor: &mut Cursor<'_>) -> i64 {
    if !matches!(cursor.peek(), Some(b'.' | b',')) || !cursor.peek_at(1).is_some_and(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    cursor.skip(1);
    let digits = cursor.digits();
    let mut value = 0;
    for place in 0..9 {
        let digit = digits.as_bytes().get(place).map_or(0, |&byte| i64::from(byte - b'0'));
        value = value * 10 + digit;
    }
    value
}

/// The zone after a time, maybe after one blank; nothing is read where none is there.
fn zone(cursor: &mut Cursor<'_>) -> Zone {
    let start = cursor.position();
    let is_apart = cursor.peek() == Some(b' ');
    if is_apart {
        cursor.skip(1);
    }
    let text = cursor.rest();
    let offset = offset(cursor)
        .filter(|offset| !is_apart || is_offset(&text[..text.len() - cursor.rest().len()], *offset, cursor.rest()));
    if let Some(offset) = offset {
        // Java's `[Asia/Tokyo]` after the offset says the same again.
        if cursor.peek() == Some(b'[')
            && cursor.peek_at(1).is_some_and(|byte| byte.is_ascii_uppercase())
            && let Some(length) = cursor.rest().find(']').filter(|&length| cursor.rest()[..length].contains('/'))
        {
            cursor.skip(length + 1);
        }
        return Zone::Offset(offset);
    }
    cursor.reset(start);
    Zone::Missing
}

/// Whether a text behind a time and a blank is its offset, and no number of the message: one of two digits is PostgreSQL's, and of
/// four digits no offset is beyond 14 hours or has odd minutes.
fn is_offset(text: &str, seconds: i32, behind: &str) -> bool {
    match text.len() {
        _ if behind.is_empty() => true,
        3 if text.starts_with(['+', '-']) => behind.starts_with(" ["),
        5 => seconds.abs() <= 14 * 3_600 && seconds % 900 == 0,
        _ => true,
    }
}

fn offset(cursor: &mut Cursor<'_>) -> Option<i32> {
    let rest = cursor.rest();
    for name in ["Z", "z", "UTC", "GMT"] {
        if let Some(after) = rest.strip_prefix(name) {
            let ends = !after.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if ends {
                cursor.skip(name.len());
                return Some(0);
            }
        }
    }
    let sign = match cursor.peek()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    cursor.skip(1);
    let digits = cursor.digits();
    let number = |text: Option<&str>| text?.parse::<i32>().ok();
    let (hours, minutes) = match digits.len() {
        2 if cursor.peek() == Some(b':') => {
            cursor.skip(1);
            let minutes = cursor.digits();
            (number(Some(digits))?, if minutes.len() == 2 { number(Some(minutes))? } else { return None })
        }
        2 => (number(Some(digits))?, 0),
        4 => (number(digits.get(..2))?, number(digits.get(2..))?),
        _ => return None,
    };
    (hours <= 23 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn name_first(cursor: &mut Cursor<'_>) -> Option<Stamp> {
    if let Some(month) = cursor.month() {
        return month_first(cursor, month);
    }
    // Apache: Sat Jan 31 12:00:00.123456 2026; RFC 5322: Sat, 31 Jan 2026 12:00:00 +0000.
    let weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].iter().any(|day| cursor.rest().starts_with(day));
    if !weekday {
        return None;
    }
    cursor.skip(3);
    if cursor.eat(b',').is_some() {
        cursor.eat(b' ')?;
        let day = cursor.number_up_to(2)?;
        cursor.eat(b' ')?;
        let month = cursor.month()?;
        cursor.eat(b' ')?;
        let date = Date::full(cursor.number(4)?, month, day)?;
        return spaced_time(cursor, date);
    }
    cursor.eat(b' ')?;
    let month = cursor.month()?;
    month_first(cursor, month)
}

/// After a month: syslog's `Jan  5 00:00:00`, maybe with a year before or after the time; java.util.logging's
/// `Jan 31, 2026 3:04:05 PM`.
fn month_first(cursor: &mut Cursor<'_>, month: i32) -> Option<Stamp> {
    cursor.eat(b' ')?;
    cursor.skip_blanks();
    let day = cursor.number_up_to(2)?;
    if cursor.eat(b',').is_some() {
        cursor.eat(b' ')?;
        let date = Date::full(cursor.number(4)?, month, day)?;
        return twelve_hours(cursor, date);
    }
    cursor.eat(b' ')?;
    if cursor.peek_at(2) != Some(b':') {
        let date = Date::full(cursor.number(4)?, month, day)?;
        return spaced_time(cursor, date);
    }
    let date = Date::no_year(month, day)?;
    let stamp = timed(cursor, date)?;
    // A year at the end is one only where a blank, a bracket or nothing follows it: not a process id, say.
    let rest = cursor.rest();
    let year = rest.strip_prefix(' ').and_then(|rest| rest.get(..4)).and_then(|year| year.parse::<i32>().ok());
    let ends = matches!(rest.as_bytes().get(5), None | Some(b']' | b' '));
    match year.filter(|year| (1970..=2261).contains(year) && ends).and_then(|year| Date::full(year, month, day)) {
        Some(date) => {
            cursor.skip(5);
            Some(Stamp { date, ..stamp })
        }
        None => Some(stamp),
    }
}

/// A time of twelve hours with `AM` or `PM`.
fn twelve_hours(cursor: &mut Cursor<'_>, date: Date) -> Option<Stamp> {
    cursor.eat(b' ')?;
    let hour = cursor.number_up_to(2)?;
    cursor.eat(b':')?;
    let minute = cursor.number(2)?;
    cursor.eat(b':')?;
    let second = cursor.number(2)?;
    // CLDR 42 prints a narrow no-break space.
    let rest = cursor.rest().trim_start_matches([' ', '\u{202f}']);
    let afternoon = if rest.starts_with("PM") { 12 } else { rest.starts_with("AM").then_some(0)? };
    cursor.skip(cursor.rest().len() - rest.len() + 2);
    let hour = (1..=12).contains(&hour).then_some(hour % 12 + afternoon)?;
    Some(Stamp { date, second: seconds_of(hour, minute, second)?, nanosecond: 0, zone: Zone::Missing })
}

#[cfg(test)]
mod tests;

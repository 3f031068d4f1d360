use jiff::civil;
use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;

use super::*;

/// 2026-11-28T12:00:00Z.
const OBSERVED: i64 = 1_795_867_200_000_000_000;

fn defaults() -> Defaults {
    Defaults { observed: OBSERVED, offset: 0 }
}

/// The instant that a text is read as, in RFC 3339, and where it comes from.
fn read(text: &str) -> Option<(String, TimeSource)> {
    let stamp = Stamp::read_all(text)?;
    stamp.resolve(defaults()).map(|(time, source)| (rfc3339(time), source))
}

fn rfc3339(nanoseconds: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).expect("a time of 64 bits").to_string()
}

#[test]
fn a_stamp_with_its_zone_is_the_records_own() {
    for (text, expected) in [
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456789Z"),
        ("2026-01-31T12:00:00,123+09:00", "2026-01-31T03:00:00.123Z"),
        ("2026-01-31 12:00:00.123456789Z", "2026-01-31T12:00:00.123456789Z"),
        ("2026-01-31T12:00:00.1234567Z", "2026-01-31T12:00:00.1234567Z"),
        ("2026-01-31T12:00:00.123+0900", "2026-01-31T03:00:00.123Z"),
        ("2026-01-31T12:00:00.123+09:00[Asia/Tokyo]", "2026-01-31T03:00:00.123Z"),
        ("2026-11-29 00:13:24.603789 +09:00", "2026-11-28T15:13:24.603789Z"),
        ("2026-11-29 00:13:52 +0900", "2026-11-28T15:13:52Z"),
        ("31/Jan/2026:12:00:00 +0900", "2026-01-31T03:00:00Z"),
        ("2026-11-29 00:14:13.362 UTC", "2026-11-29T00:14:13.362Z"),
        ("2026-11-29 00:14:13.362 -03", "2026-11-29T03:14:13.362Z"),
        ("Sat, 31 Jan 2026 12:00:00 GMT", "2026-01-31T12:00:00Z"),
        ("2026-06-30T23:59:60Z", "2026-06-30T23:59:59Z"),
    ] {
        assert_eq!(read(text), Some((expected.to_owned(), TimeSource::Record)), "{text}");
    }
}

#[test]
fn a_stamp_without_zone_year_or_date_is_inferred() {
    for (text, expected) in [
        ("2026-01-31 12:00:00,123", "2026-01-31T12:00:00.123Z"),
        ("Sat Jan 31 12:00:00.123456 2026", "2026-01-31T12:00:00.123456Z"),
        ("2026-01-31-12.00.00.123456", "2026-01-31T12:00:00.123456Z"),
        ("2026/11/29 00:06:25", "2026-11-29T00:06:25Z"),
        ("26/11/28 15:09:59", "2026-11-28T15:09:59Z"),
        ("081109 203615", "2008-11-09T20:36:15Z"),
        ("01-31 12:00:00.123", "2026-01-31T12:00:00.123Z"),
        ("28 Nov 2026 15:06:25.751", "2026-11-28T15:06:25.751Z"),
        ("28-Nov-2026 15:06:25.751", "2026-11-28T15:06:25.751Z"),
        ("Jan  5 00:00:00", "2026-01-05T00:00:00Z"),
        ("Jan 05 00:00:00", "2026-01-05T00:00:00Z"),
        ("Jan 31, 2026 3:04:05 PM", "2026-01-31T15:04:05Z"),
        ("Jan 31, 2026 12:04:05 AM", "2026-01-31T00:04:05Z"),
        ("11:59:59.123", "2026-11-28T11:59:59.123Z"),
    ] {
        assert_eq!(read(text), Some((expected.to_owned(), TimeSource::Inferred)), "{text}");
    }
}

/// The latest year in which the date exists and the time is at most seven days after the time of observation.
#[test]
fn a_missing_year_is_the_latest_that_fits() {
    for (text, expected) in [
        ("Nov 29 12:00:00", "2026-11-29T12:00:00Z"),
        ("Dec  5 12:00:00", "2026-12-05T12:00:00Z"),
        ("Dec  5 12:00:01", "2025-12-05T12:00:01Z"),
        ("Dec 31 23:59:59", "2025-12-31T23:59:59Z"),
        ("Feb 29 00:00:00", "2024-02-29T00:00:00Z"),
    ] {
        assert_eq!(read(text).map(|(time, _)| time), Some(expected.to_owned()), "{text}");
    }
}

#[test]
fn a_time_of_day_later_than_now_is_of_the_day_before() {
    assert_eq!(read("12:59:59").map(|(time, _)| time).as_deref(), Some("2026-11-28T12:59:59Z"));
    assert_eq!(read("13:00:01").map(|(time, _)| time).as_deref(), Some("2026-11-27T13:00:01Z"));
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "2026",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-31",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00 CST",
        "32/Jan/2026:12:00:00 +0000",
        "Foo 31 12:00:00",
        "12:00",
        "1.2.3",
        "Jan 31",
        "2026-01-31T12:00:00Zx",
        "99/99/99 00:00:00",
        "123456 999999",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

/// A word behind a time, such as a level, is no zone.
#[test]
fn letters_behind_a_time_are_not_read() {
    let (stamp, length) = Stamp::read("2026-01-31 12:00:00,123 INFO text").expect("a stamp");
    assert_eq!(length, "2026-01-31 12:00:00,123".len());
    assert_eq!(stamp.resolve(defaults()).map(|(_, source)| source), Some(TimeSource::Inferred));
}

#[test]
fn glog_stamps_have_a_year_or_none() {
    for (text, expected) in
        [("1129 00:06:25.751199", "2026-11-29T00:06:25.751199Z"), ("20260131 12:00:00.5", "2026-01-31T12:00:00.5Z")]
    {
        let (stamp, length) = Stamp::read_glog(text).expect("a stamp");
        assert_eq!(length, text.len());
        assert_eq!(stamp.resolve(defaults()).map(|(time, _)| rfc3339(time)).as_deref(), Some(expected));
    }
}

#[test]
fn unix_numbers_keep_all_digits() {
    for (text, expected) in [
        ("1795878385", 1_795_878_385_000_000_000),
        ("1795878385.7504942", 1_795_878_385_750_494_200),
        ("1795878423817", 1_795_878_423_817_000_000),
        ("1795878423817123", 1_795_878_423_817_123_000),
        ("1795878423817123456", 1_795_878_423_817_123_456),
        ("1.7958783857504942e9", 1_795_878_385_750_494_200),
        ("1795878423817.5", 1_795_878_423_817_500_000),
        ("-1", -1_000_000_000),
    ] {
        assert_eq!(unix_number(text), Some(expected), "{text}");
    }
    for text in ["", "x", "1e", "--1", "1e400", "99999999999999999999999999999999999999", "NaN"] {
        assert_eq!(unix_number(text), None, "{text}");
    }
}

#[test]
fn a_time_beyond_64_bits_is_not_resolved() {
    let stamp = Stamp::read_all("9999-12-31T23:59:59Z").expect("a stamp");
    assert_eq!(stamp.resolve(defaults()), None);
}

/// Any instant that 64 bits hold, and an offset of whole minutes.
fn instants() -> impl Strategy<Value = (jiff::Timestamp, Offset)> {
    let nanoseconds =
        (i64::MIN / 2..i64::MAX / 2).prop_map(|time| jiff::Timestamp::from_nanosecond(time.into()).expect("in range"));
    let offset = (-23 * 60..=23 * 60).prop_map(|minutes| Offset::from_seconds(minutes * 60).expect("in range"));
    (nanoseconds, offset)
}

proptest! {
    /// jiff prints the instant in each form, and reads what it can of it.
    #[test]
    fn each_form_is_the_instant_that_jiff_means((instant, offset) in instants(), digits in 0_usize..=9) {
        let local = instant.to_zoned(TimeZone::fixed(offset));
        let fraction = format!("{:09}", local.subsec_nanosecond());
        let fraction = fraction.get(..digits).unwrap_or_default();
        let cut = 10_i128.pow(9 - u32::try_from(digits).unwrap_or(9));
        let expected = instant.as_nanosecond().div_euclid(cut) * cut;
        let sign = if offset.seconds() < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.seconds().abs() / 3_600, offset.seconds().abs() / 60 % 60);
        let zones = [format!("{sign}{hours:02}:{minutes:02}"), format!("{sign}{hours:02}{minutes:02}"), format!(" {sign}{hours:02}{minutes:02}")];
        for zone in &zones {
            for (form, point) in [("%Y-%m-%dT%H:%M:%S", '.'), ("%Y-%m-%d %H:%M:%S", ','), ("%Y/%m/%d %H:%M:%S", '.'), ("%d/%b/%Y:%H:%M:%S", '.'), ("%d-%b-%Y %H:%M:%S", '.')] {
                let point = if digits == 0 { String::new() } else { point.to_string() };
                let text = format!("{}{point}{fraction}{zone}", local.strftime(form));
                let stamp = Stamp::read_all(&text);
                prop_assert!(stamp.is_some(), "{text}");
                let (time, source) = stamp.and_then(|stamp| stamp.resolve(defaults())).expect("in range");
                prop_assert_eq!(i128::from(time), expected, "{}", text);
                prop_assert_eq!(source, TimeSource::Record);
            }
        }
        let iso = format!("{}{}{fraction}{}", local.strftime("%Y-%m-%dT%H:%M:%S"), if digits == 0 { "" } else { "." }, zones[0]);
        let read: jiff::Timestamp = iso.parse().expect("jiff reads RFC 3339");
        prop_assert_eq!(read.as_nanosecond(), expected);
    }

    /// Of dates that a calendar has and of those that it has not.
    #[test]
    fn a_date_is_read_where_the_calendar_has_it(year in 1678_i16..2262, month in 0_i8..=14, day in 0_i8..=33) {
        let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
        let known = civil::Date::new(year, month, day).ok();
        let read = Stamp::read_all(&text).and_then(|stamp| stamp.resolve(defaults()));
        let expected = known.map(|date| date.to_zoned(TimeZone::UTC).expect("in range").timestamp().as_nanosecond());
        prop_assert_eq!(read.map(|(time, _)| i128::from(time)), expected);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,40}|[0-9TZ:./+ -]{0,40}|(Jan|Sat) [0-9: ]{0,30}") {
        let _ = Stamp::read(&text);
        let _ = Stamp::read_glog(&text);
        let _ = unix_number(&text);
    }
}

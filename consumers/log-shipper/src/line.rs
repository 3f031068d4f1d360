//! A record as a line: `{"millrace":{"id":…,"service":…,"at":…,"offset":…},"record":VALUE}`.
//!
//! The value is as it was written where it is JSON, be it anybody's (repeated names, numbers of any size), and a string
//! where it is text. The lake takes the line apart again: `docs/lake.md`.

use std::borrow::Cow;
use std::io::Write as _;

use jiff::Timestamp;
use millrace_domain::EventId;
use millrace_domain::envelope::own_id_and_time;
use millrace_json::lenient::value_end;
use millrace_json::write_string;
use millrace_kafka::Record;

/// What JSON calls whitespace.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// A record, to be written as a line.
#[derive(Debug)]
pub struct Line<'r> {
    offset: i64,
    /// In milliseconds since the Unix epoch; negative where the record has none.
    timestamp: i64,
    id: Cow<'r, str>,
    /// The record's key.
    service: Option<&'r str>,
    value: &'r str,
    is_json: bool,
}

impl<'r> Line<'r> {
    /// The line of a record.
    ///
    /// # Errors
    /// The reason of its dead letter: the value is no text.
    pub fn read(record: &'r Record<'_>) -> Result<Self, String> {
        let value = str::from_utf8(record.value().unwrap_or_default());
        let value = value.map_err(|_| "the value is neither JSON nor UTF-8 text".to_owned())?;
        let (id, _) = own_id_and_time(record.headers());
        let position =
            || EventId::from_position(record.topic(), record.partition(), record.offset()).as_str().to_owned();
        let json = value.trim_matches(BLANKS);
        let is_json = value_end(json) == Some(json.len());
        Ok(Self {
            offset: record.offset(),
            timestamp: record.timestamp(),
            id: id.map_or_else(|| position().into(), Cow::Borrowed),
            service: record.key().and_then(|key| str::from_utf8(key).ok()),
            value: if is_json { json } else { value },
            is_json,
        })
    }

    /// The record's offset.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The record's timestamp; the Unix epoch where it has none.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::from_millisecond(self.timestamp.max(0)).unwrap_or_default()
    }

    /// The offset and the timestamp in a line that was written. In strings every quote is escaped: what is looked for is not in
    /// one.
    pub(crate) fn place(line: &str) -> Option<(i64, Timestamp)> {
        let (envelope, _) = line.split_once("},\"record\":")?;
        let (before, offset) = envelope.rsplit_once(",\"offset\":")?;
        let timestamp = before.rsplit_once(",\"at\":\"").and_then(|(_, at)| at.strip_suffix('"')?.parse().ok());
        Some((offset.parse().ok()?, timestamp.unwrap_or_default()))
    }

    /// Appends the line, with its line break.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"millrace\":{\"id\":");
        write_string(out, &self.id);
        if let Some(service) = self.service {
            out.extend_from_slice(b",\"service\":");
            write_string(out, service);
        }
        if self.timestamp >= 0 {
            let _ = write!(out, ",\"at\":\"{:.3}\"", self.timestamp());
        }
        // Into memory, which does not fail.
        let _ = write!(out, ",\"offset\":{}}},\"record\":", self.offset);
        if self.is_json {
            write_on_one_line(out, self.value);
        } else {
            write_string(out, self.value);
        }
        out.extend_from_slice(b"}\n");
    }
}

/// Appends JSON without the line breaks between its tokens. Within strings, where some writers leave them as they are,
/// they are escaped.
fn write_on_one_line(out: &mut Vec<u8>, json: &str) {
    if !json.contains(['\n', '\r']) {
        out.extend_from_slice(json.as_bytes());
        return;
    }
    let (mut in_string, mut is_escaped) = (false, false);
    for &byte in json.as_bytes() {
        match byte {
            b'\n' if in_string => out.extend_from_slice(b"\\n"),
            b'\r' if in_string => out.extend_from_slice(b"\\r"),
            b'\n' | b'\r' => out.push(b' '),
            _ => out.push(byte),
        }
        in_string ^= byte == b'"' && !is_escaped;
        is_escaped = in_string && byte == b'\\' && !is_escaped;
    }
}

#[cfg(test)]
mod tests {
    use millrace_kafka::headers;
    use proptest::prelude::*;
    use rdkafka::Timestamp as KafkaTimestamp;
    use rdkafka::message::{OwnedHeaders, OwnedMessage};

    use super::*;

    fn record(value: &[u8], own: &[(&str, &str)]) -> Record<'static> {
        let own = headers::append(OwnedHeaders::new(), own.iter().copied());
        let time = KafkaTimestamp::CreateTime(1_769_860_800_005);
        let (key, topic) = (Some(b"shop".to_vec()), "raw-logs".to_owned());
        Record::from(OwnedMessage::new(Some(value.to_vec()), key, topic, time, 2, 41, Some(own)))
    }

    fn line(value: &[u8], own: &[(&str, &str)]) -> String {
        let record = record(value, own);
        let mut line = Vec::new();
        Line::read(&record).unwrap().write(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_line_has_the_records_id_service_time_and_value() {
        assert_eq!(
            line(br#"{"level":"info", "n":1e400}"#, &[("ce_id", "a\"b")]),
            r#"{"millrace":{"id":"a\"b","service":"shop","at":"2026-01-31T12:00:00.005Z","offset":41},"record":{"level":"info", "n":1e400}}"#
                .to_owned()
                + "\n"
        );
        let position = line(b"GET / 200\n\tat x", &[]);
        let expected = r#"{"millrace":{"id":"raw-logs-2-41","service":"shop","at":"2026-01-31T12:00:00.005Z","offset":41},"record":"GET / 200\n\tat x"}"#;
        assert_eq!(position, expected.to_owned() + "\n");
    }

    #[test]
    fn the_value_is_on_one_line() {
        for (value, expected) in [
            ("{\n  \"a\": [1,\r\n2]\n}\n", "{   \"a\": [1,  2] }"),
            ("{\"a\":\"x\ny\\\"\n\\\\\"\n}", "{\"a\":\"x\\ny\\\"\\n\\\\\" }"),
            (" \"text\" ", "\"text\""),
            ("{\"a\":1} and more", "\"{\\\"a\\\":1} and more\""),
            ("NaN", "NaN"),
        ] {
            let line = line(value.as_bytes(), &[]);
            let written = line.split_once("\"record\":").unwrap().1.strip_suffix("}\n").unwrap();
            assert_eq!(written, expected, "{value:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let record = record(b"\xff\xfe", &[]);
        assert_eq!(Line::read(&record).unwrap_err(), "the value is neither JSON nor UTF-8 text");
    }

    proptest! {
        /// Whatever the value, a line is one line and strict JSON if the value is, and the lake's reader takes it as one.
        #[test]
        fn any_text_makes_one_line(value in "[ -~\n\r\t\"{}\\[\\]:,0-9é]{0,40}", id in "\\PC{1,20}") {
            let line = line(value.as_bytes(), &[("ce_id", &id)]);
            prop_assert_eq!(line.find(['\n', '\r']), Some(line.len() - 1));
            prop_assert_eq!(value_end(line.trim_end()), Some(line.len() - 1));
            prop_assert_eq!(Line::place(&line), Some((41, Timestamp::from_millisecond(1_769_860_800_005).unwrap())));
            if let Ok(strict) = serde_json::from_str::<serde_json::Value>(&value) {
                let whole: serde_json::Value = serde_json::from_str(&line).unwrap();
                prop_assert_eq!(&whole["record"], &strict);
                prop_assert_eq!(&whole["millrace"]["id"], &id);
            }
        }
    }
}

//! Formats a record as one line of JSON.

use std::borrow::Cow;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millrace_json::{Document, write_string};
use millrace_kafka::Record;

/// The record's JSON object and a newline. A JSON value is copied verbatim: its numbers keep all digits.
pub(super) fn of(record: &Record<'_>) -> Vec<u8> {
    let mut line = b"{\"topic\":".to_vec();
    write_string(&mut line, record.topic());
    let (partition, offset, timestamp) = (record.partition(), record.offset(), record.timestamp());
    // Writing to a vector cannot fail.
    let _ = write!(line, r#","partition":{partition},"offset":{offset},"timestamp":{timestamp},"key":"#);
    write_text(&mut line, record.key());
    line.extend_from_slice(b",\"headers\":[");
    for (index, (name, value)) in record.headers().enumerate() {
        line.extend_from_slice(if index == 0 { b"[" } else { b",[" });
        write_string(&mut line, name);
        line.push(b',');
        write_text(&mut line, value);
        line.push(b']');
    }
    line.extend_from_slice(b"],\"value\":");
    write_value(&mut line, record.value());
    line.extend_from_slice(b"}\n");
    line
}

fn write_text(line: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => write_string(line, &String::from_utf8_lossy(bytes)),
        None => line.extend_from_slice(b"null"),
    }
}

fn write_value(line: &mut Vec<u8>, value: Option<&[u8]>) {
    let Some(bytes) = value else { return line.extend_from_slice(b"null") };
    if let Ok(document) = Document::parse(bytes) {
        line.extend_from_slice(on_one_line(document.root().raw()).as_bytes());
    } else if let Ok(text) = str::from_utf8(bytes) {
        write_string(line, text);
    } else {
        line.extend_from_slice(b"{\"base64\":");
        write_string(line, &STANDARD.encode(bytes));
        line.push(b'}');
    }
}

/// Replaces the line breaks of valid JSON: strings hold none, so all of them are white space.
pub(super) fn on_one_line(json: &str) -> Cow<'_, str> {
    let is_break = |c: char| matches!(c, '\n' | '\r');
    if json.contains(is_break) { json.replace(is_break, " ").into() } else { json.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn value(bytes: Option<&[u8]>) -> String {
        let mut line = Vec::new();
        write_value(&mut line, bytes);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn json_values_keep_all_digits() {
        assert_eq!(value(Some(b" {\"id\": 12345678901234567890123}\n")), "{\"id\": 12345678901234567890123}");
        assert_eq!(value(Some(b"101")), "101");
        assert_eq!(value(Some(b"\"101\"")), "\"101\"");
    }

    #[test]
    fn line_breaks_in_a_json_value_do_not_break_the_line() {
        let line = value(Some(b"{\r\n\"a\":\n[1,\n2],\"b\":\"x\\n\"}"));
        assert!(!line.contains(['\n', '\r']), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), json!({"a": [1, 2], "b": "x\n"}));
    }

    #[test]
    fn what_is_not_json_is_text_and_what_is_not_text_is_base64() {
        assert_eq!(value(Some(b"plain \"text\"\n")), r#""plain \"text\"\n""#);
        assert_eq!(value(Some(b"")), r#""""#);
        assert_eq!(value(Some(&[0xff, 0xfe])), r#"{"base64":"//4="}"#);
        assert_eq!(value(None), "null");
    }

    #[test]
    fn keys_and_headers_are_text_or_null() {
        let text = |bytes| {
            let mut line = Vec::new();
            write_text(&mut line, bytes);
            String::from_utf8(line).unwrap()
        };
        assert_eq!(text(None), "null");
        assert_eq!(text(Some(b"12345")), r#""12345""#);
        assert_eq!(text(Some(&[b'a', 0xff])), "\"a\u{fffd}\"");
    }
}

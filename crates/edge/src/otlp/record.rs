//! A log record as the JSON that goes to `raw-logs`.
//!
//! `{"time", "observed_time", "severity_number", "severity_text", "trace_id", "span_id", "body", "attributes", "flags",
//! "event_name", "scope", "resource"}`: times in RFC 3339 with all digits, ids in lower-case hex, attributes as an object whose
//! values have their own type. What a record lacks is left out, but for `observed_time` and `resource`. Its own ids stand before
//! attributes that may have such names: whoever reads it takes the first.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use millrace_json::write_string;

use super::model::{AnyValue, KeyValue, LogRecord, Resource, Scope, Value};

/// The deepest value that is written: what is deeper is null.
const DEPTH_LIMIT: usize = 64;

/// Writes a record; `now` is when it was observed, where it does not say.
pub(super) fn write(record: &LogRecord, scope: Option<&Scope>, resource: Option<&Resource>, now: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.push(b'{');
    if let Some(time) = time(record.time_unix_nano) {
        member(&mut out, "time", |out| write_string(out, &time));
    }
    let observed = time(record.observed_time_unix_nano);
    member(&mut out, "observed_time", |out| write_string(out, observed.as_deref().unwrap_or(now)));
    if record.severity_number != 0 {
        member(&mut out, "severity_number", |out| drop(write!(out, "{}", record.severity_number)));
    }
    text(&mut out, "severity_text", &record.severity_text);
    text(&mut out, "trace_id", &hex(&record.trace_id));
    text(&mut out, "span_id", &hex(&record.span_id));
    if let Some(body) = &record.body {
        member(&mut out, "body", |out| value(out, Some(body), 0));
    }
    if !record.attributes.is_empty() {
        member(&mut out, "attributes", |out| object(out, &record.attributes, 0));
    }
    for (name, number) in [("flags", record.flags), ("dropped_attributes_count", record.dropped_attributes_count)] {
        if number != 0 {
            member(&mut out, name, |out| drop(write!(out, "{number}")));
        }
    }
    text(&mut out, "event_name", &record.event_name);
    if let Some(scope) = scope.filter(|&scope| *scope != Scope::default()) {
        member(&mut out, "scope", |out| {
            out.push(b'{');
            text(out, "name", &scope.name);
            text(out, "version", &scope.version);
            if !scope.attributes.is_empty() {
                member(out, "attributes", |out| object(out, &scope.attributes, 0));
            }
            out.push(b'}');
        });
    }
    let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
    member(&mut out, "resource", |out| object(out, attributes, 0));
    out.push(b'}');
    out
}

/// Unix nanoseconds in RFC 3339; `None` for 0, which is unknown.
fn time(nanoseconds: u64) -> Option<String> {
    let time = Timestamp::from_nanosecond(i128::from(nanoseconds)).ok()?;
    (nanoseconds != 0).then(|| time.to_string())
}

fn hex(bytes: &[u8]) -> String {
    let is_unset = bytes.iter().all(|&byte| byte == 0);
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    if is_unset { String::new() } else { bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).collect() }
}

fn member(out: &mut Vec<u8>, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_string(out, name);
    out.push(b':');
    write(out);
}

fn text(out: &mut Vec<u8>, name: &str, text: &str) {
    if !text.is_empty() {
        member(out, name, |out| write_string(out, text));
    }
}

fn object(out: &mut Vec<u8>, pairs: &[KeyValue], depth: usize) {
    out.push(b'{');
    for pair in pairs {
        member(out, &pair.key, |out| value(out, pair.value.as_ref(), depth + 1));
    }
    out.push(b'}');
}

fn value(out: &mut Vec<u8>, any: Option<&AnyValue>, depth: usize) {
    match any.and_then(|any| any.value.as_ref()).filter(|_| depth < DEPTH_LIMIT) {
        None => out.extend_from_slice(b"null"),
        Some(Value::Text(text)) => write_string(out, text),
        Some(Value::Bool(value)) => drop(write!(out, "{value}")),
        Some(Value::Int(number)) => drop(write!(out, "{number}")),
        Some(Value::Double(number)) if number.is_finite() => drop(write!(out, "{number:?}")),
        // JSON has no number for these.
        Some(Value::Double(number)) if number.is_nan() => write_string(out, "NaN"),
        Some(Value::Double(number)) => write_string(out, if *number > 0.0 { "Infinity" } else { "-Infinity" }),
        Some(Value::Bytes(bytes)) => write_string(out, &BASE64_STANDARD.encode(bytes)),
        Some(Value::Map(map)) => object(out, &map.values, depth),
        Some(Value::Array(array)) => {
            out.push(b'[');
            for (index, element) in array.values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                value(out, Some(element), depth + 1);
            }
            out.push(b']');
        }
    }
}

//! What runtimes and relays put around a line: CRI, Docker's json-file, the journal's JSON, and the shipper's own lines.

use std::borrow::Cow;

use millrace_json::lenient::{Kind, Pairs, Value, unescape};

use crate::severity::Severity;
use crate::stamp::{Defaults, Stamp};

/// A line without what was put around it.
#[derive(Debug)]
pub(crate) struct Unwrapped<'l> {
    pub(crate) text: Cow<'l, str>,
    /// Whether the line goes on with the next one of its stream.
    pub(crate) is_part: bool,
    pub(crate) meta: Meta,
}

/// What the wrapping says of the line.
#[derive(Debug, Default, Clone)]
pub(crate) struct Meta {
    /// Whether an empty line is a record.
    pub(crate) keeps_empty: bool,
    /// Lines of different streams are not joined.
    pub(crate) stream: String,
    /// Whether it is a record of its own: no other line belongs to it, and it belongs to none.
    pub(crate) is_whole: bool,
    pub(crate) id: Option<String>,
    pub(crate) service: Option<String>,
    /// When the line was taken, in Unix nanoseconds.
    pub(crate) time: Option<i64>,
    /// Whether that is the time of a record without one of its own: a runtime takes a line when it is written.
    pub(crate) is_record_time: bool,
    pub(crate) severity: Option<(Severity, String)>,
    pub(crate) attributes: Vec<(String, Option<String>)>,
}

/// Takes off what is around a line; `None` where nothing is.
pub(crate) fn unwrap<'l>(line: &'l str, pairs: &mut Pairs) -> Option<Unwrapped<'l>> {
    match line.as_bytes().first()? {
        b'{' => json(line, pairs),
        b'0'..=b'9' => cri(line),
        _ => None,
    }
}

/// `2026-01-31T12:00:00.123456789Z stdout F text`; `P` for a part that goes on.
fn cri(line: &str) -> Option<Unwrapped<'_>> {
    let (time, rest) = line.split_once(' ')?;
    let (stream, rest) = rest.split_once(' ')?;
    if !matches!(stream, "stdout" | "stderr") {
        return None;
    }
    let (tag, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_part = match tag.split(':').next()? {
        "P" => true,
        "F" => false,
        _ => return None,
    };
    let time = instant(time)?;
    let meta = Meta {
        stream: stream.to_owned(),
        time: Some(time),
        is_record_time: true,
        attributes: vec![("stream".to_owned(), Some(stream.to_owned()))],
        ..Meta::default()
    };
    Some(Unwrapped { text: text.into(), is_part, meta })
}

fn json<'l>(line: &'l str, pairs: &mut Pairs) -> Option<Unwrapped<'l>> {
    // Looked for before the line is read: most lines have nothing around them.
    if line.starts_with("{\"log\":") {
        return docker(line, pairs);
    }
    if line.starts_with("{\"millrace\":") {
        return shipped(line, pairs);
    }
    // The journal's names of fields have no small letters.
    let is_upper = matches!(line.as_bytes().get(2), Some(b'A'..=b'Z' | b'_'));
    if is_upper && line.contains("\"__REALTIME_TIMESTAMP\"") {
        return journal(line, pairs);
    }
    None
}

/// Docker's json-file: a line of 16 KiB or more comes in parts, and only the last ends in a line break.
fn docker<'l>(line: &'l str, pairs: &mut Pairs) -> Option<Unwrapped<'l>> {
    if !pairs.read(line) {
        return None;
    }
    let (log, stream, time) = (pairs.get(line, "log")?, pairs.get(line, "stream")?, pairs.get(line, "time")?);
    if !log.is_string() || !stream.is_string() || !time.is_string() {
        return None;
    }
    let time = instant(time.raw)?;
    let text = log.text();
    let ended = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text).len());
    let is_part = ended.is_none();
    let text = match (text, ended) {
        (Cow::Borrowed(text), Some(length)) => Cow::Borrowed(&text[..length]),
        (Cow::Owned(mut text), Some(length)) => {
            text.truncate(length);
            Cow::Owned(text)
        }
        (text, None) => text,
    };
    let mut attributes = vec![("stream".to_owned(), Some(stream.raw.to_owned()))];
    if let Some(own) = pairs.get(line, "attrs") {
        attributes.push(("attrs".to_owned(), Some(own.raw.to_owned())));
    }
    let meta =
        Meta { stream: stream.raw.to_owned(), time: Some(time), is_record_time: true, attributes, ..Meta::default() };
    Some(Unwrapped { text, is_part, meta })
}

/// `journalctl -o json`: MESSAGE is a text, an array of bytes, or null where it was too long.
fn journal<'l>(line: &'l str, pairs: &mut Pairs) -> Option<Unwrapped<'l>> {
    if !pairs.read(line) {
        return None;
    }
    let mut meta = Meta { is_record_time: true, keeps_empty: true, ..Meta::default() };
    let mut text = None;
    for pair in pairs.iter(line) {
        let value = pair.value;
        match pair.key {
            "__REALTIME_TIMESTAMP" => {
                meta.time = value.raw.parse::<i64>().ok().and_then(|time| time.checked_mul(1_000));
            }
            "MESSAGE" if value.kind == Kind::Null => {
                meta.attributes.push(("truncated".to_owned(), Some("true".to_owned())));
                text = Some(String::new());
            }
            "MESSAGE" => text = Some(text_of(value)),
            "PRIORITY" => {
                let severity = value.raw.parse().ok().and_then(Severity::from_syslog);
                meta.severity = severity.map(|severity| (severity, value.raw.to_owned()));
            }
            "SYSLOG_IDENTIFIER" => meta.service = Some(text_of(value)),
            "_HOSTNAME" => meta.attributes.push(("host".to_owned(), Some(text_of(value)))),
            "_PID" => meta.attributes.push(("procid".to_owned(), Some(text_of(value)))),
            "SYSLOG_FACILITY" => meta.attributes.push(("facility".to_owned(), Some(text_of(value)))),
            key if key.starts_with("__") => {}
            key => meta.attributes.push((key.to_owned(), (value.kind != Kind::Null).then(|| text_of(value)))),
        }
    }
    meta.time?;
    meta.stream = meta.service.clone().unwrap_or_default();
    Some(Unwrapped { text: text?.into(), is_part: false, meta })
}

/// A stamp in Unix nanoseconds; runtimes write whole ones.
fn instant(text: &str) -> Option<i64> {
    let (time, _) = Stamp::read_all(text)?.resolve(Defaults { observed: 0, offset: 0 })?;
    Some(time)
}

/// A text, or the bytes that stand for it as numbers.
fn text_of(value: Value<'_>) -> String {
    if value.kind == Kind::Array {
        let byte = |value: &Value<'_>| (value.kind == Kind::Number).then(|| value.raw.parse().ok()).flatten();
        let bytes: Option<Vec<u8>> = value.elements().iter().map(byte).collect();
        if let Some(bytes) = bytes {
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    value.text().into_owned()
}

/// The shipper's lines: `{"millrace":{"id":…,"service":…,"at":…,"offset":…},"record":VALUE}`, where VALUE is the record's value.
fn shipped<'l>(line: &'l str, pairs: &mut Pairs) -> Option<Unwrapped<'l>> {
    if !pairs.read(line) {
        return None;
    }
    let (envelope, record) = {
        let mut found = pairs.iter(line);
        let (envelope, record) = (found.next()?, found.next()?);
        (record.key == "record" && envelope.value.kind == Kind::Object).then_some((envelope.value, record.value))?
    };
    let mut meta = Meta { is_whole: true, ..Meta::default() };
    if !pairs.read(envelope.raw) {
        return None;
    }
    for pair in pairs.iter(envelope.raw) {
        match pair.key {
            "id" => meta.id = Some(pair.value.text().into_owned()),
            "service" => meta.service = Some(pair.value.text().into_owned()),
            "at" => meta.time = Some(instant(pair.value.raw)?),
            _ => {}
        }
    }
    // What was sent as a plain line is `{"message": TEXT}`: the text has a format of its own.
    let text = match record.kind {
        Kind::Object if pairs.read(record.raw) && pairs.len() == 1 => match pairs.iter(record.raw).next() {
            Some(pair) if pair.key == "message" && pair.value.is_string() => pair.value.text(),
            _ => record.raw.into(),
        },
        Kind::String if record.escaped => unescape(record.raw).into(),
        _ => record.raw.into(),
    };
    Some(Unwrapped { text, is_part: false, meta })
}

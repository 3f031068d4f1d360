//! logfmt: `time=… level=warn msg="paid 7" order=o1`, as go-logfmt, slog, logrus, charm, pino-logfmt, tracing-logfmt and
//! logfmter print it.
//!
//! A line is logfmt only with two pairs or more, of which one has a name that a logger gives; prose before the first pair is
//! the body.

use std::borrow::Cow;

use super::{Format, Joins};
use crate::draft::Draft;
use crate::duration;
use crate::exception;
use crate::severity::Severity;
use crate::stamp::{Stamp, unix_number};

const NAME: &str = "logfmt";

#[derive(Debug)]
pub(super) struct Logfmt;

impl Format for Logfmt {
    fn names(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let (prose, rest) = prose(text)?;
        if !is_logfmt(rest) {
            return None;
        }
        if !prose.is_empty() {
            draft.body(prose.trim_end());
        }
        let mut line = Fields::new(draft);
        let mut event = None;
        pairs(rest, |key, value| {
            if key == "event" && event.is_none() {
                event = value.as_deref().map(str::to_owned);
            }
            line.pair(key, value);
        });
        // structlog's name for the message.
        if let Some(event) = event.filter(|_| line.draft.body_text().is_none()) {
            line.draft.body(&event);
        }
        Some(NAME)
    }

    fn joins(&self) -> Joins {
        Joins::Traces
    }

    fn is_open(&self, record: &str) -> bool {
        let mut open = false;
        let mut escaped = false;
        let mut start = true;
        for byte in record.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if open => escaped = true,
                b'"' if open => open = false,
                b'"' if start => open = true,
                _ => {}
            }
            start = byte == b'=';
        }
        open
    }
}

/// The text before the first pair.
fn prose(text: &str) -> Option<(&str, &str)> {
    let equals = text.find('=')?;
    let start = text.get(..equals)?.rfind([' ', '\n']).map_or(0, |blank| blank + 1);
    text.split_at_checked(start)
}

/// Whether the text has two pairs, of which one is a logger's.
fn is_logfmt(text: &str) -> bool {
    let first = text.split('\n').next().unwrap_or_default();
    let mut count = 0;
    let mut known = false;
    pairs(first, |key, value| {
        count += usize::from(value.is_some());
        known |= value.is_some()
            && matches!(key, "time" | "ts" | "level" | "lvl" | "at" | "msg" | "message" | "severity" | "timestamp");
        known |= key == "t" && value.is_some_and(|value| Stamp::read_all(&value).is_some());
    });
    count >= 2 && known
}

/// A name, and a value unless the name stands alone.
fn pairs(text: &str, mut found: impl FnMut(&str, Option<Cow<'_, str>>)) {
    let mut rest = text.trim_start_matches([' ', '\n']);
    while !rest.is_empty() {
        let end = rest.find(['=', ' ', '\n']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix('=') else {
            found(key, None);
            rest = after.trim_start_matches([' ', '\n']);
            continue;
        };
        rest = if let Some((value, after)) = quoted(after) {
            found(key, Some(value));
            after
        } else {
            let end = bare_end(after);
            found(key, Some(after[..end].into()));
            &after[end..]
        };
        rest = rest.trim_start_matches([' ', '\n']);
    }
}

/// Sets what the pairs of a text stand for.
pub(super) fn fields(text: &str, draft: &mut Draft<'_>) {
    let mut fields = Fields::new(draft);
    pairs(text, |key, value| fields.pair(key, value));
}

/// Where a bare value ends: at a blank, but for a JSON value, which is taken whole.
pub(super) fn bare_end(text: &str) -> usize {
    let blank = text.find([' ', '\n']).unwrap_or(text.len());
    if text.starts_with(['{', '[']) {
        let whole = text.trim_end();
        let mut ends = text.match_indices(['}', ']']).map(|(at, _)| at + 1).take(256);
        let is_json = |end: &usize| {
            let boundary = matches!(whole.as_bytes().get(*end), None | Some(b' ' | b'\n'));
            boundary && millrace_domain::lenient_json::is_valid(&text[..*end])
        };
        return ends.find(is_json).unwrap_or(blank);
    }
    blank
}

/// A text in quotes at the start, unescaped, and what is behind it; an open quote runs to the end.
pub(super) fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut has_escapes = false;
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => (escaped, has_escapes) = (true, true),
            b'"' => {
                let value = if has_escapes { unescaped(&inside[..at]).into() } else { inside[..at].into() };
                return Some((value, &inside[at + 1..]));
            }
            _ => {}
        }
    }
    Some((if has_escapes { unescaped(inside).into() } else { inside.into() }, ""))
}

/// `\n \t \r \" \\ \uXXXX`; any other escape stays as it is.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(backslash) = rest.find('\\') {
        plain.push_str(&rest[..backslash]);
        let escape = &rest[backslash..];
        let length = match escape.as_bytes().get(1) {
            Some(b'n' | b't' | b'r' | b'"' | b'\\') => 2,
            Some(b'u')
                if escape.get(2..6).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())) =>
            {
                6
            }
            _ => {
                plain.push('\\');
                rest = &escape[1..];
                continue;
            }
        };
        // A pair of surrogates is one character.
        let length = match escape.get(6..12) {
            Some(second) if length == 6 && second.starts_with("\\u") && escape[2..].starts_with(['d', 'D']) => 12,
            _ => length,
        };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        plain.push_str(&millrace_domain::lenient_json::unescape(escape));
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// The pairs of a line while they are read.
pub(super) struct Fields<'l, 'b> {
    draft: &'l mut Draft<'b>,
    /// Places in the list of keys that may have a column.
    seen: Vec<usize>,
}

impl<'l, 'b> Fields<'l, 'b> {
    pub(super) fn new(draft: &'l mut Draft<'b>) -> Self {
        Self { draft, seen: Vec::new() }
    }

    /// Sets what a pair stands for: a column, or an attribute.
    pub(super) fn pair(&mut self, key: &str, value: Option<Cow<'_, str>>) {
        let value = value.unwrap_or_default();
        let repeats = self.repeats(key);
        let lifted = match key {
            // A caller's own: the logger's is the first.
            _ if repeats > 0 => false,
            "time" | "ts" | "timestamp" | "t" if !self.draft.has_time() => self.time(&value),
            "level" | "lvl" | "severity" | "at" if !self.draft.has_severity() => {
                let severity = Severity::from_word(&value).or_else(|| Severity::from_json_number(value.parse().ok()?));
                let lifted = severity.is_some() || key == "level";
                if lifted {
                    self.draft.severity(severity, &value);
                }
                lifted
            }
            "msg" | "message" if self.draft.body_text().is_none() => {
                self.draft.body(&value);
                true
            }
            "service" | "service_name" | "service.name" => {
                self.draft.service(&value);
                true
            }
            "trace_id" | "traceId" | "traceID" => self.draft.trace_id(&value),
            "span_id" | "spanId" | "spanID" => self.draft.span_id(&value),
            "status" | "status_code" | "http.status_code" => self.draft.status(&value),
            // What JavaScript makes of an object that is no text says nothing.
            "err" | "error" if !matches!(&*value, "" | "null" | "<nil>" | "[object Object]") => self.error(&value),
            "exc_info" | "exception" | "stack" | "stacktrace" | "stack_trace" if exception::is_trace(&value) => {
                self.error(&value)
            }
            _ => false,
        };
        if lifted {
            return;
        }
        if let Some(milliseconds) = duration::of_attribute(key, &value) {
            self.draft.duration(milliseconds);
        }
        let name = if repeats == 0 { key.to_owned() } else { format!("{key}.{}", repeats + 1) };
        self.draft.attribute(&name, Some(&value));
    }

    /// How often a key that may have a column was there before.
    fn repeats(&mut self, key: &str) -> usize {
        const COLUMNS: [&str; 27] = [
            "time",
            "ts",
            "timestamp",
            "t",
            "level",
            "lvl",
            "severity",
            "at",
            "msg",
            "message",
            "service",
            "service_name",
            "service.name",
            "trace_id",
            "traceId",
            "traceID",
            "span_id",
            "spanId",
            "spanID",
            "status",
            "status_code",
            "http.status_code",
            "err",
            "error",
            "exc_info",
            "exception",
            "stack",
        ];
        let Some(place) = COLUMNS.iter().position(|&column| column == key) else { return 0 };
        let before = self.seen.iter().filter(|&&seen| seen == place).count();
        // Further ones are all the same.
        if before < 3 {
            self.seen.push(place);
        }
        before
    }

    fn time(&mut self, value: &str) -> bool {
        if let Some(stamp) = Stamp::read_all(value) {
            return self.draft.stamp(stamp);
        }
        let Some(nanoseconds) = unix_number(value).filter(|&time| time >= 1_000_000_000_000_000_000) else {
            return false;
        };
        self.draft.unix(nanoseconds);
        true
    }

    fn error(&mut self, value: &str) -> bool {
        if exception::is_trace(value) {
            self.draft.exception_stacktrace(value);
            if let Some(trace) = exception::read(value) {
                self.draft.exception_type(&trace.kind);
                if let Some(message) = trace.message {
                    self.draft.exception_message(&message);
                }
            }
        } else if !self.draft.has_exception_message() {
            self.draft.exception_message(value);
        }
        true
    }
}

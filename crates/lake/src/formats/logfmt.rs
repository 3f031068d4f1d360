//! logfmt: `time=… level=warn msg="paid 7" order=o1`, as go-logfmt, slog, logrus, charm, pino-logfmt, tracing-logfmt and
//! logfmter print it.
//!
//! A line is logfmt only with two pairs or more, of which one has a name that a logger gives; prose before the first pair is
//! the body.

use std::borrow::Cow;

use super::{Format, Joins, Open};
use crate::draft::Draft;
use crate::duration;
use crate::exception;
use crate::severity::Severity;
use crate::stamp::Stamp;

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
        let prose = stamped(prose.trim_end(), draft);
        if !prose.is_empty() {
            draft.body(prose);
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

    fn is_open(&self, record: Open) -> bool {
        record.in_quotes
    }

    /// Any line of another format may have pairs.
    fn is_general(&self) -> bool {
        true
    }
}

/// The text before the first pair.
fn prose(text: &str) -> Option<(&str, &str)> {
    let equals = text.find('=')?;
    let start = text.get(..equals)?.rfind([' ', '\n']).map_or(0, |blank| blank + 1);
    text.split_at_checked(start)
}

/// Reads the time and the level in front of a prose; returns what is behind them.
fn stamped<'t>(prose: &'t str, draft: &mut Draft<'_>) -> &'t str {
    let Some((stamp, length)) = Stamp::read(prose) else { return prose };
    let Some(rest) = prose.get(length..).filter(|rest| rest.is_empty() || rest.starts_with(' ')) else { return prose };
    draft.stamp(stamp);
    let rest = rest.trim_start();
    let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    let bare = word.trim_matches(['[', ']', ':']);
    match Severity::from_word(bare).filter(|_| bare.bytes().all(|byte| !byte.is_ascii_lowercase())) {
        Some(severity) => {
            draft.severity(Some(severity), bare);
            behind.trim_start()
        }
        None => rest,
    }
}

/// Whether the text has two pairs, of which one is a logger's.
fn is_logfmt(text: &str) -> bool {
    let first = text.split('\n').next().unwrap_or_default();
    let mut count = 0;
    let mut known = false;
    let mut named = true;
    pairs(first, |key, value| {
        named &= value.is_none()
            || key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.@/:!".contains(&byte) && !key.starts_with('/'));
        count += usize::from(value.is_some());
        known |= value.is_some()
            && matches!(key, "time" | "ts" | "level" | "lvl" | "at" | "msg" | "message" | "severity" | "timestamp");
        known |= key == "t" && value.is_some_and(|value| Stamp::read_all(&value).is_some());
    });
    count >= 2 && known && named
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
        return millrace_json::lenient::value_end(text)
            .filter(|&end| matches!(text.as_bytes().get(end), None | Some(b' ' | b'\n')))
            .unwrap_or(blank);
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
        plain.push_str(&millrace_json::lenient::unescape(escape));
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
    /// The value of `date`.
    date: Option<String>,
}

impl<'l, 'b> Fields<'l, 'b> {
    pub(super) fn new(draft: &'l mut Draft<'b>) -> Self {
        Self { draft, seen: Vec::new(), date: None }
    }

    /// Sets what a pair stands for: a column, or an attribute.
    pub(super) fn pair(&mut self, key: &str, value: Option<Cow<'_, str>>) {
        let value = value.unwrap_or_default();
        let repeats = self.repeats(key);
        let lifted = match key {
            // A caller's own: the logger's is the first.
            _ if repeats > 0 => false,
            "date" if self.date.is_none() => {
                self.date = Some(value.clone().into_owned());
                false
            }
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
            // Heroku's router has a duration there.
            "service" | "service_name" | "service.name" if duration::from_text(&value).is_none() => {
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
        if let Some(milliseconds) = duration::of_attribute(key, &value).filter(|_| !self.draft.has_duration()) {
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
            if stamp.has_date() {
                return self.draft.stamp(stamp);
            }
            // A date of its own goes with it; a time of day alone is none.
            let dated = self.date.as_ref().and_then(|date| Stamp::read_all(&format!("{date} {value}")));
            return dated.is_some_and(|stamp| self.draft.stamp(stamp));
        }
        self.draft.unix_text(value)
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

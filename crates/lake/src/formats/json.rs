//! JSON lines of any logger: which key means what is told by its name, and by the shape of the line where libraries differ.
//!
//! A library's lines have the same keys in the same order for long, so what the keys mean is worked out once a shape and
//! remembered.

use std::borrow::Cow;
use std::collections::HashMap;

use millrace_json::lenient::{Kind, Name, Pair, Pairs, Value, unescape};

use super::json_shapes::{DIALECTS, Dialect, dialect_of};
use super::{Format, Pick, json_stack};
use crate::draft::Draft;
use crate::duration;
use crate::exception::{self, Trace};
use crate::severity::Severity;
use crate::stamp::Stamp;

/// Shapes that are remembered; a program has a few, a file of many programs more.
const SHAPES_LIMIT: usize = 32;

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Attribute,
    Time,
    /// A time that counts if the line has no other.
    SpareTime,
    Level,
    Message,
    Service,
    TraceId,
    SpanId,
    Status,
    Duration,
    /// `time.busy` and `time.idle` of tracing's span events: the duration is their sum.
    DurationPart,
    Exception,
    ExceptionType,
    ExceptionMessage,
    StackTrace,
    /// An object that the library puts around the caller's fields.
    Container,
    /// Read already, as a part of another key's meaning.
    Part,
    /// An object of the Elastic Common Schema, whose members have a meaning.
    Ecs,
}

/// A role that a key has only where no other key has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Sure(Role),
    Otherwise(Role),
}

/// A key of a shape.
#[derive(Debug)]
struct Entry {
    key: Name,
    role: Role,
    /// What it means where no key before it has a value of that meaning.
    spare: Option<Role>,
    /// The attribute's name, where it is not the key as written.
    name: Option<String>,
}

/// The keys of a line and what they mean.
#[derive(Debug)]
struct Shape {
    entries: Vec<Entry>,
    /// Where `level` stands.
    level: Option<usize>,
    level_is_number: bool,
    dialect: &'static Dialect,
}

/// Reads JSON lines.
#[derive(Debug, Default)]
pub(super) struct Json {
    pairs: Pairs,
    inner: Pairs,
    shapes: Vec<Shape>,
    /// The shape of the last line.
    last: usize,
}

impl Format for Json {
    fn names(&self) -> Vec<&'static str> {
        DIALECTS.iter().map(|dialect| dialect.name).collect()
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        if !text.starts_with('{') && !text.trim_start().starts_with('{') {
            return None;
        }
        let shape = match self.shapes.get(self.last) {
            Some(last) if last.reads(&mut self.pairs, text) => self.last,
            _ if self.pairs.read(text) => self.shape(text),
            _ => return None,
        };
        self.last = shape;
        let shape = self.shapes.get(shape)?;
        let mut line = Line { draft, inner: &mut self.inner, dialect: shape.dialect, busy: None, rest_of_stack: None };
        for (pair, entry) in self.pairs.iter(text).zip(&shape.entries) {
            let role = entry.spare.filter(|&spare| !line.has(spare)).unwrap_or(entry.role);
            line.pair(role, pair.value, entry.name.as_deref().unwrap_or(pair.key));
        }
        line.finish(&self.pairs, text);
        Some(shape.dialect.name)
    }
}

impl Json {
    /// The index of the line's shape.
    fn shape(&mut self, text: &str) -> usize {
        let level_is_number = self.pairs.iter(text).any(|pair| pair.key == "level" && pair.value.kind == Kind::Number);
        let is = |shape: &Shape, pairs: &Pairs| {
            shape.entries.len() == pairs.len()
                && shape.level_is_number == level_is_number
                && pairs.iter(text).zip(&shape.entries).all(|(pair, entry)| pair.key == entry.key.as_written())
        };
        if let Some(found) = self.shapes.iter().position(|shape| is(shape, &self.pairs)) {
            return found;
        }
        let shape = Shape::of(&self.pairs, text, level_is_number);
        if self.shapes.len() == SHAPES_LIMIT {
            self.shapes.clear();
        }
        self.shapes.push(shape);
        self.shapes.len() - 1
    }
}

impl Shape {
    /// Whether a line is of this shape; its pairs are read then.
    fn reads(&self, pairs: &mut Pairs, text: &str) -> bool {
        pairs.read_expected(text, self.entries.iter().map(|entry| &entry.key))
            && self.level.is_none_or(|level| (pairs.kind(level) == Some(Kind::Number)) == self.level_is_number)
    }

    fn of(pairs: &Pairs, text: &str, level_is_number: bool) -> Self {
        let keys: Vec<Cow<'_, str>> = pairs
            .iter(text)
            .map(|pair| if pair.key_escaped { unescape(pair.key).into() } else { pair.key.into() })
            .collect();
        let dialect = dialect_of(&keys, level_is_number);
        let meanings: Vec<Meaning> = keys.iter().map(|key| dialect.role(key).unwrap_or_else(|| meaning(key))).collect();
        let mut roles: Vec<Role> = meanings.iter().map(|_| Role::Attribute).collect();
        for (index, meaning) in meanings.iter().enumerate() {
            let role = match *meaning {
                Meaning::Sure(role) => role,
                Meaning::Otherwise(Role::Time) if meanings.contains(&Meaning::Sure(Role::Time)) => Role::SpareTime,
                Meaning::Otherwise(role) => {
                    let taken = |(other, meaning): (usize, &Meaning)| match *meaning {
                        Meaning::Sure(sure) => sure == role,
                        Meaning::Otherwise(weak) => weak == role && other < index,
                    };
                    if meanings.iter().enumerate().any(taken) { Role::Attribute } else { role }
                }
            };
            let repeats = matches!(
                role,
                Role::Attribute
                    | Role::SpareTime
                    | Role::Ecs
                    | Role::DurationPart
                    | Role::Container
                    | Role::Duration
                    | Role::Part
            );
            if repeats {
                roles[index] = role;
                continue;
            }
            match roles.iter().take(index).position(|&earlier| earlier == role) {
                // Of two keys the first counts; of one key twice, the library's own.
                Some(earlier) if keys[earlier] == keys[index] && dialect.pick(&keys[index]) == Pick::Last => {
                    roles[earlier] = Role::Attribute;
                    roles[index] = role;
                }
                Some(_) => {}
                None => roles[index] = role,
            }
        }
        // Of keys that mean the same the first counts, unless its value says nothing. Of a key that is there twice, one is the caller's.
        let spare = |index: usize, meaning: &Meaning| {
            let (Meaning::Sure(role) | Meaning::Otherwise(role)) = *meaning;
            let is_before = (0..index).any(|earlier| roles[earlier] == role && keys[earlier] != keys[index]);
            (roles[index] == Role::Attribute && is_before).then_some(role)
        };
        let spares: Vec<_> = meanings.iter().enumerate().map(|(index, meaning)| spare(index, meaning)).collect();
        let names = attribute_names(&keys, &roles, dialect);
        let entries = pairs
            .iter(text)
            .zip(roles)
            .zip(spares)
            .zip(names)
            .map(|(((pair, role), spare), name)| Entry {
                key: Name::new(pair.key),
                role,
                spare,
                name: (name != pair.key).then_some(name),
            })
            .collect();
        let level = keys.iter().position(|key| key == "level");
        Self { entries, level, level_is_number, dialect }
    }
}

/// The names of attributes: a name that occurs again gets a number, since a map has each key once.
fn attribute_names(keys: &[Cow<'_, str>], roles: &[Role], dialect: &Dialect) -> Vec<String> {
    let is_attribute = |index: usize| matches!(roles[index], Role::Attribute | Role::Duration | Role::DurationPart);
    let mut names: Vec<String> = keys.iter().map(|key| key.clone().into_owned()).collect();
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, key) in keys.iter().enumerate() {
        places.entry(key).or_default().push(index);
    }
    for (key, same) in places.into_iter().filter(|(_, same)| same.len() > 1) {
        // One that has a column is the library's own; else the dialect says.
        let own = match same.iter().position(|&index| !is_attribute(index)) {
            Some(own) => own,
            None if dialect.attributes == Pick::Last => same.len() - 1,
            None => 0,
        };
        let others = same.iter().enumerate().filter(|&(place, _)| place != own).map(|(_, &index)| index);
        for (number, other) in others.enumerate() {
            names[other] = format!("{key}.{}", number + 2);
        }
    }
    names
}

/// What a key means by its name.
fn meaning(key: &str) -> Meaning {
    use Meaning::{Otherwise, Sure};
    match key {
        "time" | "timestamp" | "ts" | "@timestamp" | "@t" => Sure(Role::Time),
        "Timestamp"
        | "datetime"
        | "date"
        | "asctime"
        | "eventTime"
        | "event_time"
        | "requestReceivedTimestamp"
        | "requestTime" => Otherwise(Role::Time),
        "level" | "severity" | "log.level" | "levelname" | "@level" | "lvl" | "@l" | "error_severity" => {
            Sure(Role::Level)
        }
        "LogLevel" | "Level" | "loglevel" | "logLevel" | "log_level" | "level_name" | "severity_text"
        | "severityText" => Otherwise(Role::Level),
        "message" | "msg" | "@message" | "@m" => Sure(Role::Message),
        "event" | "text" | "body" | "short_message" | "Message" | "@mt" | "textPayload" => Otherwise(Role::Message),
        "service" | "service.name" | "service_name" | "serviceName" => Sure(Role::Service),
        "trace_id" | "traceId" | "trace.id" | "traceID" | "otelTraceID" | "@tr" => Sure(Role::TraceId),
        "span_id" | "spanId" | "span.id" | "spanID" | "otelSpanID" | "@sp" => Sure(Role::SpanId),
        "status" | "status_code" | "statusCode" | "http.status_code" | "http.response.status_code" | "http_status" => {
            Sure(Role::Status)
        }
        "err" | "error" | "exception" | "throwable" | "thrown" | "exc_info" | "@x" => Sure(Role::Exception),
        "error.type" | "exception.type" | "exception_type" | "errorType" => Sure(Role::ExceptionType),
        "error.message" | "exception.message" | "exception_message" | "errorMessage" => Sure(Role::ExceptionMessage),
        "stack"
        | "stack_trace"
        | "stackTrace"
        | "stacktrace"
        | "error.stack_trace"
        | "error.stack"
        | "exception.stacktrace"
        | "exception_stacktrace"
        | "traceback" => Sure(Role::StackTrace),
        "log" | "http" | "trace" | "span" => Sure(Role::Ecs),
        "fields" | "properties" | "kv" | "kvs" | "mdc" | "contextMap" => Sure(Role::Container),
        "time.busy" | "time.idle" => Sure(Role::DurationPart),
        key if duration::is_key(key) => Sure(Role::Duration),
        _ => Sure(Role::Attribute),
    }
}

impl Dialect {
    /// What this library means by a key, where others mean something else.
    fn role(&self, key: &str) -> Option<Meaning> {
        let (_, role) = self.keys.iter().find(|&&(name, _)| name == key)?;
        Some(Meaning::Sure(*role))
    }

    /// Which of two equal names is the library's own.
    fn pick(&self, key: &str) -> Pick {
        match key {
            "msg" | "message" | "@message" => self.message,
            "time" | "timestamp" | "ts" => self.time,
            _ => Pick::First,
        }
    }
}

/// A line while its pairs are read.
struct Line<'l, 'b> {
    draft: &'l mut Draft<'b>,
    inner: &'l mut Pairs,
    dialect: &'static Dialect,
    /// Milliseconds of the parts of a span's duration so far.
    busy: Option<f64>,
    /// A trace whose type and message are still to be set, unless a key gives them.
    rest_of_stack: Option<Trace>,
}

impl Line<'_, '_> {
    /// Whether the column of a role has its value.
    fn has(&self, role: Role) -> bool {
        match role {
            Role::Time => self.draft.has_time(),
            Role::Level => self.draft.has_severity(),
            Role::Message => self.draft.body_text().is_some(),
            Role::Service => self.draft.has_service(),
            Role::TraceId => self.draft.has_trace_id(),
            Role::SpanId => self.draft.has_span_id(),
            Role::Status => self.draft.has_status(),
            // Those that are not named here are looked at where they are read.
            _ => true,
        }
    }

    fn pair(&mut self, role: Role, value: Value<'_>, name: &str) {
        let lifted = match role {
            Role::Attribute => false,
            Role::Part => true,
            Role::Time => self.time(value),
            Role::SpareTime => {
                if !self.draft.has_time() {
                    self.time(value);
                }
                false
            }
            Role::Level => self.level(value),
            Role::Message => self.message(value),
            Role::Service => self.service(value),
            // Of two that mean the same, the first has the column.
            Role::TraceId => value.is_string() && !self.draft.has_trace_id() && self.draft.trace_id(value.raw),
            Role::SpanId => value.is_string() && !self.draft.has_span_id() && self.draft.span_id(value.raw),
            Role::Status => {
                matches!(value.kind, Kind::Number | Kind::String)
                    && !self.draft.has_status()
                    && self.draft.status(value.raw)
            }
            Role::Duration => {
                self.duration(value, name);
                // Its name and unit are the writer's: they stay to be seen, unless they are the column's own.
                name == "duration_ms" && value.kind == Kind::Number
            }
            Role::DurationPart => {
                if let Some(part) = duration::from_text(value.raw).filter(|_| value.is_string()) {
                    let total = self.busy.unwrap_or_default() + part;
                    self.busy = Some(total);
                    self.draft.duration(total);
                }
                false
            }
            Role::Exception => self.exception(value),
            Role::ExceptionType => {
                value.is_string() && !self.draft.has_exception_type() && {
                    self.draft.exception_type(&value.text());
                    true
                }
            }
            Role::ExceptionMessage => {
                value.is_string() && !self.draft.has_exception_message() && {
                    self.draft.exception_message(&value.text());
                    true
                }
            }
            Role::StackTrace => self.stack(value),
            Role::Container => self.container(value),
            Role::Ecs => {
                self.ecs(name, value);
                false
            }
        };
        if !lifted {
            self.attribute(name, value);
        }
    }

    fn attribute(&mut self, name: &str, value: Value<'_>) {
        match value.kind {
            Kind::Null => self.draft.attribute(name, None),
            _ => self.draft.attribute(name, Some(&value.text())),
        }
    }

    fn time(&mut self, value: Value<'_>) -> bool {
        match value.kind {
            Kind::String => match Stamp::read(value.raw) {
                Some((stamp, length)) if length == value.raw.len() => self.draft.stamp(stamp),
                // A zone's letters: they do not say which zone.
                Some((stamp, length)) if is_zone_name(&value.raw[length..]) => {
                    self.draft.stamp(stamp) && {
                        self.draft.attribute("time_zone", Some(value.raw[length..].trim()));
                        true
                    }
                }
                _ => self.draft.unix_text(value.raw),
            },
            Kind::Number => self.draft.unix_text(value.raw),
            _ => false,
        }
    }

    fn level(&mut self, value: Value<'_>) -> bool {
        match value.kind {
            Kind::String => self.draft.severity(Severity::from_word(value.raw), value.raw),
            Kind::Number => {
                let number = value.raw.parse().ok();
                let severity = match self.dialect.name {
                    "gelf" => number.and_then(|number: i64| Severity::from_syslog(u8::try_from(number).ok()?)),
                    _ => number.and_then(Severity::from_json_number),
                };
                self.draft.severity(severity, value.raw);
            }
            _ => return false,
        }
        true
    }

    fn message(&mut self, value: Value<'_>) -> bool {
        match value.kind {
            Kind::Null => {}
            Kind::Object if self.dialect.name == "tslog" => return self.exception_object(value),
            _ => self.draft.body(&value.text()),
        }
        true
    }

    fn service(&mut self, value: Value<'_>) -> bool {
        match value.kind {
            Kind::String if value.raw.is_empty() => return false,
            Kind::String => self.draft.service(&value.text()),
            Kind::Object => {
                let name = self.member(value, &["name"]);
                if let Some(name) = name.filter(|name| !name.is_empty()) {
                    self.draft.service(&name);
                }
                return false;
            }
            _ => return false,
        }
        true
    }

    fn duration(&mut self, value: Value<'_>, name: &str) {
        let milliseconds = match value.kind {
            Kind::String => duration::of_attribute(name, &value.text()),
            // A bare number has a unit where the format says which.
            Kind::Number => duration::from_key(name, value.raw).or_else(|| match (self.dialect.name, name) {
                ("pino", "responseTime") => value.raw.parse().ok(),
                ("ecs", "event.duration") => duration::from_nanoseconds(value.raw),
                _ => None,
            }),
            _ => None,
        };
        // Of a number and its text, the first.
        if let Some(milliseconds) = milliseconds.filter(|_| !self.draft.has_duration()) {
            self.draft.duration(milliseconds);
        }
    }

    /// The first of these members of an object that is a text.
    fn member(&mut self, object: Value<'_>, names: &[&str]) -> Option<String> {
        if !self.inner.read(object.raw) {
            return None;
        }
        names.iter().find_map(|name| {
            let mut pairs = self.inner.iter(object.raw);
            pairs.find(|pair| pair.key == *name && pair.value.is_string()).map(|pair| pair.value.text().into_owned())
        })
    }

    /// The members of an object of the Elastic Common Schema that have a column, without the object's own attribute.
    fn ecs(&mut self, name: &str, value: Value<'_>) {
        if value.kind != Kind::Object {
            return;
        }
        match name {
            "log" => {
                if let Some(level) = self.member(value, &["level"]).filter(|_| !self.draft.has_severity()) {
                    self.draft.severity(Severity::from_word(&level), &level);
                }
            }
            "http" => {
                if let Some(response) =
                    self.inner.read(value.raw).then(|| self.inner.get(value.raw, "response")).flatten()
                    && let Some(status) =
                        self.inner.read(response.raw).then(|| self.inner.get(response.raw, "status_code")).flatten()
                {
                    self.draft.status(status.raw);
                }
            }
            _ => {
                if let Some(id) = self.member(value, &["id"]) {
                    if name == "trace" {
                        self.draft.trace_id(&id)
                    } else {
                        self.draft.span_id(&id)
                    };
                }
            }
        }
    }

    /// An exception that is an object, an array with the outermost first, the lines of a trace, or a text.
    fn exception(&mut self, value: Value<'_>) -> bool {
        match value.kind {
            Kind::Object => self.exception_object(value),
            Kind::Array => match value.elements().first() {
                Some(first) if first.kind == Kind::Object => {
                    self.exception_object(*first) && {
                        // The further ones are its causes.
                        self.draft.attribute("exception", Some(value.raw));
                        true
                    }
                }
                Some(first) if first.is_string() => {
                    let lines: Vec<_> = value.elements().iter().map(|line| line.text().into_owned()).collect();
                    self.trace(&lines.join("\n"));
                    true
                }
                _ => false,
            },
            Kind::String => {
                let text = value.text();
                if exception::is_trace(&text) {
                    self.trace(&text);
                } else if self.draft.has_exception_message() || text.is_empty() {
                    return false;
                } else {
                    self.draft.exception_message(&text);
                }
                true
            }
            _ => false,
        }
    }

    fn exception_object(&mut self, value: Value<'_>) -> bool {
        let kind = self.member(value, &["type", "name", "class", "className", "exception_class", "exc_type", "kind"]);
        let message = self.member(value, &["message", "msg", "value", "exc_value", "exception_message"]);
        let stack = self.member(value, &["stack", "stack_trace", "stacktrace", "stackTrace", "traceback"]);
        if kind.is_none() && message.is_none() && stack.is_none() {
            return false;
        }
        let stack = stack.or_else(|| json_stack::trace(value));
        if let Some(stack) = &stack {
            self.draft.exception_stacktrace(stack);
        }
        let trace = stack.as_deref().and_then(exception::read);
        // pino's own message has those of the causes behind it; the trace's first line has not.
        let outer = trace.as_ref().and_then(|trace| trace.message.clone());
        let message = match (message, outer) {
            (Some(message), Some(outer)) if message.starts_with(&outer) => Some(outer),
            (message, outer) => message.or(outer),
        };
        if let Some(kind) = kind.or_else(|| trace.map(|trace| trace.kind)) {
            self.draft.exception_type(&kind);
        }
        if let Some(message) = message {
            self.draft.exception_message(&message);
        }
        self.further_members(value);
        true
    }

    /// Members of an exception that have no column of their own stay, with the whole object.
    fn further_members(&mut self, value: Value<'_>) {
        const KNOWN: [&str; 15] = [
            "type",
            "name",
            "class",
            "className",
            "exception_class",
            "exc_type",
            "kind",
            "message",
            "msg",
            "value",
            "exception_message",
            "stack",
            "stack_trace",
            "stacktrace",
            "stackTrace",
        ];
        if self.inner.read(value.raw) && self.inner.iter(value.raw).any(|pair| !KNOWN.contains(&pair.key)) {
            self.draft.attribute("exception", Some(value.raw));
        }
    }

    fn trace(&mut self, text: &str) {
        self.draft.exception_stacktrace(text);
        self.rest_of_stack = exception::read(text);
    }

    fn stack(&mut self, value: Value<'_>) -> bool {
        if !value.is_string() || value.raw.is_empty() {
            return false;
        }
        self.trace(&value.text());
        true
    }

    /// The pairs of an object, or of the objects of an array, as if they stood beside it.
    fn container(&mut self, value: Value<'_>) -> bool {
        match value.kind {
            Kind::Object => {
                let mut pairs = Pairs::default();
                if !pairs.read(value.raw) {
                    return false;
                }
                for pair in pairs.iter(value.raw) {
                    self.lifted(pair);
                }
                true
            }
            Kind::Array if self.dialect.name == "logback" => {
                value.elements().into_iter().all(|element| self.container(element))
            }
            _ => false,
        }
    }

    fn lifted(&mut self, pair: Pair<'_>) {
        let key = if pair.key_escaped { unescape(pair.key).into() } else { Cow::Borrowed(pair.key) };
        let role = match meaning(&key) {
            Meaning::Sure(Role::Message) if self.draft.body_text().is_none() => Role::Message,
            _ if key == "logLevel" && self.dialect.name == "roarr" => Role::Level,
            Meaning::Sure(
                role @ (Role::TraceId
                | Role::SpanId
                | Role::Duration
                | Role::DurationPart
                | Role::Exception
                | Role::StackTrace
                | Role::Status
                | Role::ExceptionType
                | Role::ExceptionMessage),
            ) => role,
            _ => Role::Attribute,
        };
        self.pair(role, pair.value, &key);
    }

    /// What the pairs mean together.
    fn finish(mut self, pairs: &Pairs, text: &str) {
        match self.dialect.name {
            "logback" => self.logback(pairs, text),
            "loguru" => self.loguru(pairs, text),
            "otlp" => self.otlp(pairs, text),
            // An error that is logged first is the message, and the text behind it is `1`.
            "tslog" => {
                if let Some(message) = pairs.get(text, "1").filter(|_| self.draft.body_text().is_none()) {
                    self.draft.body(&message.text());
                }
            }
            "postgresql" => {
                if let Some(milliseconds) = self.draft.body_text().and_then(super::postgres::duration) {
                    self.draft.duration(milliseconds);
                }
            }
            _ => {}
        }
        if let Some(trace) = self.rest_of_stack.take() {
            if !self.draft.has_exception_type() {
                self.draft.exception_type(&trace.kind);
            }
            if let Some(message) = trace.message.filter(|_| !self.draft.has_exception_message()) {
                self.draft.exception_message(&message);
            }
        }
    }

    /// logback's `JsonEncoder`: the message is a pattern, the time in two parts, the exception an object of its own form.
    fn logback(&mut self, pairs: &Pairs, text: &str) {
        let find = |key: &str| pairs.get(text, key);
        if let (Some(pattern), Some(arguments)) =
            (find("message"), find("arguments").filter(|value| value.kind == Kind::Array))
        {
            let pattern = pattern.text();
            let mut parts = pattern.split("{}");
            let mut filled = parts.next().unwrap_or_default().to_owned();
            let mut arguments = arguments.elements().into_iter();
            for part in parts {
                match arguments.next() {
                    Some(argument) => filled.push_str(&argument.text()),
                    None => filled.push_str("{}"),
                }
                filled.push_str(part);
            }
            self.draft.body(&filled);
        }
        let number = |key: &str| find(key)?.raw.parse::<i64>().ok();
        if let (Some(milliseconds), Some(nanoseconds)) = (number("timestamp"), number("nanoseconds")) {
            let time = milliseconds.div_euclid(1_000).checked_mul(1_000_000_000);
            if let Some(time) = time.and_then(|time| time.checked_add(nanoseconds)) {
                self.draft.unix(time);
            }
        }
    }

    /// A record of OTLP, as the edge writes it.
    fn otlp(&mut self, pairs: &Pairs, text: &str) {
        let observed = pairs.get(text, "observed_time").and_then(|value| Stamp::read_all(value.raw));
        if let Some(observed) = observed {
            self.draft.observed(observed);
        }
        let number = pairs.get(text, "severity_number").and_then(|value| value.raw.parse().ok());
        if let Some(severity) = number.and_then(Severity::from_number) {
            self.draft.severity_number(severity);
        }
        for prefix in ["resource", "scope"] {
            let Some(object) = pairs.get(text, prefix) else { continue };
            let mut members = Pairs::default();
            if !members.read(object.raw) {
                continue;
            }
            for pair in members.iter(object.raw) {
                match (pair.key, pair.value.is_string()) {
                    ("service.name", true) => self.draft.service(&pair.value.text()),
                    _ => self.attribute(&format!("{prefix}.{}", pair.key), pair.value),
                }
            }
        }
    }

    /// loguru's `serialize`: the record is an object beside the rendered text.
    fn loguru(&mut self, pairs: &Pairs, text: &str) {
        let find = |key: &str| pairs.get(text, key);
        let Some(record) = find("record").filter(|value| value.kind == Kind::Object) else { return };
        let mut members = Pairs::default();
        if !members.read(record.raw) {
            return;
        }
        for pair in members.iter(record.raw) {
            match (pair.key, pair.value.kind) {
                ("level", Kind::Object) => {
                    if let Some(name) = self.member(pair.value, &["name"]) {
                        self.draft.severity(Severity::from_word(&name), &name);
                    }
                }
                ("message", Kind::String) => drop(self.message(pair.value)),
                ("time", Kind::Object) => {
                    if let Some(stamp) = self.member(pair.value, &["repr"]).as_deref().and_then(Stamp::read_all) {
                        self.draft.stamp(stamp);
                    }
                }
                ("exception", Kind::Object) => {
                    if let Some(kind) = self.member(pair.value, &["type"]) {
                        self.draft.exception_type(&kind);
                    }
                    if let Some(message) = self.member(pair.value, &["value"]) {
                        self.draft.exception_message(&message);
                    }
                    if let Some(stack) = find("text").map(|value| value.text())
                        && let Some(start) = stack.find("Traceback (most recent call last):")
                    {
                        self.draft.exception_stacktrace(stack[start..].trim_end());
                    }
                }
                ("extra", Kind::Object) => drop(self.container(pair.value)),
                (_, Kind::Null) => {}
                _ => self.attribute(pair.key, pair.value),
            }
        }
    }
}

/// Sets an object's members as attributes; false where the text is no object.
pub(super) fn attributes(text: &str, draft: &mut Draft<'_>) -> bool {
    let mut pairs = Pairs::default();
    if !pairs.read(text) {
        return false;
    }
    let mut inner = Pairs::default();
    let mut line = Line { draft, inner: &mut inner, dialect: dialect_of(&[], false), busy: None, rest_of_stack: None };
    for pair in pairs.iter(text) {
        line.lifted(pair);
    }
    line.finish(&pairs, text);
    true
}

/// Whether this is a blank and letters, such as ` JST`, or a bracket.
fn is_zone_name(text: &str) -> bool {
    let name = text.strip_prefix(' ').unwrap_or_default();
    (2..=5).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_uppercase())
}
